// All covers on a map, those near to one another that the model sees alike.
//
// The canvas is for eyes and pointers. Whoever has neither moves the cross in its middle by keys, and finds the covers around it
// as a list of links below.

import { address, api, part } from "./api.js";
import { count, debounced, el, genreColor, problem, put, swatch } from "./dom.js";
import { draw, hitPx, Thumbs } from "./mapdrawing.js";
import { Fields, panned, toMap, whole, zoomed } from "./mapview.js";

const NEAR = 12; // covers in the list
const STEP_PX = 80; // of an arrow key
const FACTOR = 1.5; // of a key or button
const WHEEL = 0.0018;
const LEAST_HIGH = 0.3; // of a map, as a share of its width
const TAP_PX = 6; // a pointer that moved less has clicked
const PATIENCE = 200; // how often a busy server is asked again

let here = null;
let left = null; // the view when the map was left, for the way back

async function mount(root) {
  const screen = { off: new Set(), pointers: new Map(), shown: null, stop: new AbortController() };
  here = screen;
  screen.state = el("p", { class: "waiting", role: "status" }, "Fetching the map …");
  screen.body = el("div", null, screen.state);
  put(root, el("h1", null, "Map"), screen.body);
  let told;
  try {
    told = await api.get("/map", { patience: PATIENCE, signal: screen.stop.signal, onWait: (error, wait_s) => wait(screen, error, wait_s) });
  } catch (error) {
    if (error.name !== "AbortError") put(screen.body, problem(error));
    return;
  }
  if (screen !== here) return;
  build(screen, told);
}

function wait(screen, error, wait_s) {
  const words = `${error.sentence} This page asks again every ${Math.ceil(wait_s)} s; the map appears by itself.`;
  if (screen.state.textContent !== words) screen.state.textContent = words;
}

function unmount() {
  here.stop.abort();
  here.observer?.disconnect();
  here.settled?.cancel();
  cancelAnimationFrame(here.frame);
  if (here.view) left = { view: here.view, off: here.off, points: here.points.length };
  here = null;
}

function build(screen, { points: told, words }) {
  const { points, high } = upright(told);
  Object.assign(screen, { points, high });
  screen.fields = new Fields(points);
  screen.thumbs = new Thumbs((id) => address(`/covers/${part(id)}/image`, { size: "thumb" }), () => soon(screen));
  screen.canvas = el("canvas", { tabindex: 0, role: "application", "aria-roledescription": "map", "aria-label": `Map of ${count(points.length, "cover")}`, "aria-describedby": "map-keys" });
  screen.card = el("div", { class: "card", hidden: true });
  screen.heard = el("p", { class: "unseen", role: "status" });
  screen.near = el("ol", { class: "near" });
  screen.settled = debounced(() => settle(screen), 250);
  put(screen.body,
    el("p", { class: "lead" }, words),
    el("div", { class: "table" },
      el("div", { class: "stage" }, screen.canvas, screen.card, tools(screen)),
      el("div", { class: "side" }, legend(screen), el("p", { class: "quiet", id: "map-keys" }, "On the map: + and − zoom, arrows move, 0 shows all, Enter opens the cover at the cross. Wheel, two fingers and dragging do so, too. A ring is a cover of the test split."))),
    screen.heard,
    el("section", { "aria-labelledby": "map-near" }, el("h2", { id: "map-near" }, "Around the middle of the map"), screen.near));
  if (left?.points === points.length) Object.assign(screen, { view: left.view, off: left.off });
  follow(screen);
  screen.observer = new ResizeObserver(() => measure(screen));
  screen.observer.observe(screen.canvas);
}

/** Points as a canvas has them: down is larger, and the map's middle in the middle; and how high the map is. */
function upright(points) {
  const [low, high] = points.reduce(([least, most], { y }) => [Math.min(least, y), Math.max(most, y)], [1, 0]);
  const turned = points.map((point) => ({ ...point, y: 0.5 + (low + high) / 2 - point.y }));
  return { points: turned, high: Math.max(LEAST_HIGH, high - low) };
}

function all({ width, height, high }) {
  return whole(width, height, { high });
}

function measure(screen) {
  const { clientWidth: width, clientHeight: height } = screen.canvas;
  if (!width || !height) return;
  const ratio = Math.min(devicePixelRatio || 1, 2);
  Object.assign(screen, { width, height, ratio });
  screen.canvas.width = Math.round(width * ratio);
  screen.canvas.height = Math.round(height * ratio);
  screen.view = screen.view ? zoomed(screen.view, width, height, 1) : all(screen);
  drawNow(screen);
  screen.settled();
}

// moving

function look(screen, view) {
  screen.view = view;
  soon(screen);
  screen.settled();
}

function zoom(screen, factor, px, py) {
  look(screen, zoomed(screen.view, screen.width, screen.height, factor, px, py));
}

function soon(screen) {
  cancelAnimationFrame(screen.frame);
  screen.frame = requestAnimationFrame(() => drawNow(screen));
}

function drawNow(screen) {
  if (screen === here && screen.view) screen.places = draw(screen);
}

function wanted(screen) {
  return (point) => !screen.off.has(point.genre);
}

/** The cover under a place of the canvas: the nearest, if it is near enough. */
function under(screen, px, py) {
  const [x, y] = toMap(screen.view, screen.width, screen.height, px, py);
  const within = hitPx(screen) / screen.view.scale;
  const [index] = screen.fields.nearest(x, y, { within, wanted: wanted(screen) });
  return index ?? null;
}

function follow(screen) {
  const { canvas } = screen;
  const on = (name, heard) => canvas.addEventListener(name, heard, { passive: false });
  on("wheel", (event) => {
    event.preventDefault();
    zoom(screen, Math.exp(-event.deltaY * (event.deltaMode ? 20 : 1) * WHEEL), event.offsetX, event.offsetY);
  });
  on("pointerdown", (event) => press(screen, event));
  on("pointermove", (event) => move(screen, event));
  for (const name of ["pointerup", "pointercancel"]) on(name, (event) => release(screen, event));
  // a finger that is lifted leaves, too; what it has shown stays
  on("pointerleave", (event) => event.pointerType === "mouse" && screen.pointers.size === 0 && show(screen, null));
  on("keydown", (event) => key(screen, event));
  on("focus", () => soon(screen));
  on("blur", () => soon(screen));
}

function press(screen, event) {
  screen.canvas.setPointerCapture(event.pointerId);
  screen.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  screen.moved = screen.pointers.size > 1 ? TAP_PX : 0; // two fingers never click
}

function move(screen, event) {
  const before = screen.pointers.get(event.pointerId);
  if (!before) return show(screen, under(screen, event.offsetX, event.offsetY));
  const now = { x: event.offsetX, y: event.offsetY };
  const [byX, byY] = [now.x - before.x, now.y - before.y];
  screen.moved += Math.hypot(byX, byY);
  const other = [...screen.pointers].find(([id]) => id !== event.pointerId)?.[1];
  screen.pointers.set(event.pointerId, now);
  if (!other) return look(screen, panned(screen.view, byX, byY));
  const apart = ({ x, y }) => Math.max(1, Math.hypot(x - other.x, y - other.y));
  const drawn = panned(screen.view, byX / 2, byY / 2);
  return look(screen, zoomed(drawn, screen.width, screen.height, apart(now) / apart(before), (now.x + other.x) / 2, (now.y + other.y) / 2));
}

function release(screen, event) {
  const clicked = screen.pointers.delete(event.pointerId) && event.type === "pointerup" && screen.moved < TAP_PX;
  if (!clicked || screen.pointers.size) return;
  const index = under(screen, event.offsetX, event.offsetY);
  // a finger shows a cover first, as it can't hover; touched again, it opens
  const again = index !== null && index === screen.shown;
  if (index !== null && (event.pointerType === "mouse" || again)) open(screen, index);
  else show(screen, index);
}

function key(screen, event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const steps = { ArrowLeft: [STEP_PX, 0], ArrowRight: [-STEP_PX, 0], ArrowUp: [0, STEP_PX], ArrowDown: [0, -STEP_PX] };
  const middle = screen.middle?.[0];
  if (event.key in steps) look(screen, panned(screen.view, ...steps[event.key]));
  else if (event.key === "+" || event.key === "=") zoom(screen, FACTOR);
  else if (event.key === "-" || event.key === "_") zoom(screen, 1 / FACTOR);
  else if (event.key === "0") look(screen, all(screen));
  else if (event.key === "Enter" && middle !== undefined) open(screen, middle);
  else if (event.key === "Escape") show(screen, null);
  else return;
  event.preventDefault();
}

function open(screen, index) {
  location.hash = `#/cover/${part(screen.points[index].id)}`;
}

// telling

function show(screen, index) {
  if (index === screen.shown) return;
  screen.shown = index;
  screen.card.hidden = index === null;
  screen.canvas.classList.toggle("over", index !== null);
  if (index !== null) put(screen.card, cardOf(screen, index));
  soon(screen);
}

function cardOf(screen, index) {
  const point = screen.points[index];
  return el("a", { href: `#/cover/${part(point.id)}`, tabindex: -1 },
    el("span", { class: "square sleeve" }, el("img", { src: screen.thumbs.addressOf(point.id), alt: "", width: 256, height: 256 })),
    el("span", { class: "words" }, wordsOf(point)));
}

function wordsOf(point) {
  const named = [point.artist, point.album].filter(Boolean).join(" – ");
  return [
    named ? el("span", { class: "named" }, el("bdi", null, named)) : null,
    el("span", null, swatch(point.genre), " ", el("bdi", null, point.genre || "no genre")),
    el("span", { class: "quiet" }, point.split ? `${point.split} split` : "no split"),
  ];
}

/** Once the view rests: the covers around its middle, as links, and in words to who moves by keys. */
function settle(screen) {
  if (screen !== here) return;
  screen.middle = screen.fields.nearest(screen.view.x, screen.view.y, { many: NEAR, wanted: wanted(screen) });
  put(screen.near, screen.middle.map((index) => el("li", null, cardOf(screen, index))));
  for (const link of screen.near.querySelectorAll("a")) link.tabIndex = 0;
  soon(screen);
  if (document.activeElement !== screen.canvas || !screen.middle.length) return;
  const point = screen.points[screen.middle[0]];
  const named = [point.artist, point.album].filter(Boolean).join(" – ");
  screen.heard.textContent = `At the cross: ${named ? `${named}, ` : ""}${point.genre || "no genre"}, ${point.split || "no split"}.`;
}

function tools(screen) {
  const tool = (sign, words, action) => el("button", { class: "button small", type: "button", "aria-label": words, title: words, on: { click: action } }, sign);
  return el("div", { class: "tools", role: "group", "aria-label": "Zoom" },
    tool("+", "Nearer", () => zoom(screen, FACTOR)),
    tool("−", "Farther", () => zoom(screen, 1 / FACTOR)),
    tool("□", "All of the map", () => look(screen, all(screen))));
}

function legend(screen) {
  const counts = new Map();
  for (const { genre } of screen.points) counts.set(genre, (counts.get(genre) ?? 0) + 1);
  const buttons = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([genre, covers]) => {
    const flip = () => {
      if (!screen.off.delete(genre)) screen.off.add(genre);
      told();
      show(screen, null);
      soon(screen);
      screen.settled();
    };
    const button = el("button", { type: "button", class: "genre", on: { click: flip } },
      el("span", { class: "dot", "aria-hidden": "true", style: { "--color": genreColor(genre) } }), el("bdi", null, genre || "no genre"), el("span", { class: "quiet" }, covers.toLocaleString("en")));
    const told = () => button.setAttribute("aria-pressed", String(!screen.off.has(genre)));
    told();
    return el("li", null, button);
  });
  return el("section", { "aria-labelledby": "map-genres" }, el("h2", { id: "map-genres" }, "Genres"), el("ul", { class: "legend" }, buttons));
}

export default { title: "Map", mount, unmount };
