// The dataset as a wall of covers. What is looked for stands in the hash, so that a link to it can be sent.

import { address, api, part } from "./api.js";
import { count, debounced, el, percent, problem, put, swatch } from "./dom.js";
import { Scroller } from "./scroller.js";

const KEYS = ["genre", "predicted", "split", "verdict", "least", "most", "artist", "q", "sort", "descending"];
const VERDICTS = [["right", "right"], ["wrong", "wrong"], ["unseen", "not asked"]];
const SPLITS = { none: "left out" };
const SORTS = {
  file_name: "file name", proba: "how sure the model was", predicted: "what the model said", correct: "right or wrong",
};
const TYPING_MS = 250;
const STEP = 0.05; // of how sure the model was

let here = null; // the screen that is shown: its state, its parts
let left = null; // where the wall was when it was left, for the way back

async function mount(root, params) {
  const screen = { state: stateOf(params.query), total: el("p", { class: "total", role: "status" }), trouble: el("div") };
  screen.filters = el("form", { class: "filters", role: "search", "aria-label": "Covers", on: { submit: (event) => event.preventDefault() } });
  screen.fold = el("details", null, el("summary", null, "Filter and sort"), screen.filters);
  screen.wall = new Scroller({
    label: "Covers",
    fetchPage: (offset, limit) => api.get("/covers", { query: { ...screen.state, offset, limit }, patience: 2 }),
    fill: tile,
    onTotal: (total) => tell(screen, total),
    onError: (error) => fail(screen, error),
  });
  put(root,
    el("h1", null, "Browse"),
    el("div", { class: "layout" }, screen.fold,
      el("div", { class: "found" }, el("div", { class: "line" }, screen.total, clearButton(screen)), screen.trouble, screen.wall.element)));
  here = screen;
  unfold(screen);
  screen.wall.start();
  await Promise.all([fillFilters(screen), ask(screen)]);
}

function update(params) {
  here.state = stateOf(params.query);
  drawFilters(here);
  ask(here);
}

function unmount() {
  left = { hash: hashOf(here.state), top: scrollY, focused: here.wall.focused };
  here.wide.removeEventListener("change", here.onWide);
  here.wall.stop();
  here = null;
}

/** The filters are folded away where they would push the covers off the screen. */
function unfold(screen) {
  screen.wide = matchMedia("(min-width: 64rem)");
  screen.onWide = () => screen.fold.toggleAttribute("open", screen.wide.matches);
  screen.wide.addEventListener("change", screen.onWide);
  screen.onWide();
}

async function ask(screen) {
  const back = left?.hash === hashOf(screen.state) ? left : null;
  left = null;
  await screen.wall.ask({ focused: back?.focused ?? 0 });
  if (back && screen === here) scrollTo({ top: back.top, behavior: "instant" });
}

async function fillFilters(screen) {
  screen.facets = await api.get("/facets", { patience: 2 });
  if (screen !== here) return;
  drawFilters(screen);
}

/** Something else is looked for: the hash says so at once, without a step of its own on the way back. */
function change(screen, changes) {
  if (screen !== here) return; // typed just before it was left
  screen.state = clean({ ...screen.state, ...changes });
  history.replaceState(null, "", hashOf(screen.state));
  screen.clear.hidden = !filtered(screen.state);
  ask(screen);
}

function clearButton(screen) {
  const cleared = () => {
    const { sort, descending } = screen.state;
    change(screen, { ...Object.fromEntries(KEYS.map((key) => [key, ""])), sort, descending });
    drawFilters(screen);
  };
  screen.clear = el("button", { class: "button small", type: "button", hidden: !filtered(screen.state), on: { click: cleared } }, "Show all");
  return screen.clear;
}

function tell(screen, total) {
  put(screen.trouble);
  const words = total === 0 ? "No cover is like that." : filtered(screen.state) ? `${count(total, "cover")} found` : count(total, "cover");
  if (screen.total.textContent !== words) screen.total.textContent = words;
}

function fail(screen, error) {
  const again = () => {
    put(screen.trouble);
    screen.wall.retry();
  };
  put(screen.trouble, problem(error), el("button", { class: "button small", type: "button", on: { click: again } }, "Try again"));
}

// the filters

function drawFilters(screen) {
  const { state, facets } = screen;
  screen.clear.hidden = !filtered(state);
  if (!facets) return;
  const genres = facets.genres.map(({ genre, covers }) => [genre, `${genre} (${covers.toLocaleString("en")})`]);
  const bare = facets.genres.map(({ genre }) => [genre, genre]);
  const choose = (name, words, options, any) => choice(screen, { name, words, options, any });
  put(screen.filters,
    choose("genre", "Genre", genres, "any"),
    choose("split", "Split", facets.splits.map((split) => [split, SPLITS[split] ?? split]), "any"),
    choose("verdict", "The model's answer", VERDICTS, "any"),
    choose("predicted", "It said", bare, "anything"),
    sureness(screen),
    typing(screen, "artist", "Artist"),
    typing(screen, "q", "Any word"),
    el("div", { class: "sorting" },
      choose("sort", "Sort by", facets.sorts.map((sort) => [sort, SORTS[sort] ?? sort.replaceAll("_", " ")]), null),
      backwards(screen)));
}

function choice(screen, { name, words, options, any }) {
  const rows = any === null ? options : [["", any], ...options];
  const now = screen.state[name] ?? "";
  // a link may name what is not there: it is shown as it is, and finds nothing
  if (now && !rows.some(([value]) => value === now)) rows.push([now, now]);
  const select = el("select", { name, on: { change: () => change(screen, { [name]: select.value }) } },
    rows.map(([value, shown]) => el("option", { value, selected: value === now }, shown)));
  return el("label", { class: "field" }, words, select);
}

function typing(screen, name, words) {
  const input = el("input", { type: "search", name, autocomplete: "off", spellcheck: "false", value: screen.state[name] ?? "" });
  const typed = debounced(() => change(screen, { [name]: input.value.trim() }), TYPING_MS);
  input.addEventListener("input", typed);
  return el("label", { class: "field" }, words, input);
}

function backwards(screen) {
  const box = el("input", { type: "checkbox", name: "descending", checked: Boolean(screen.state.descending),
    on: { change: () => change(screen, { descending: box.checked ? "true" : "" }) } });
  return el("label", { class: "check" }, box, " Backwards");
}

/** Two ends of one line: how sure the model was at least, and at most. */
function sureness(screen) {
  const told = el("output", { class: "quiet" });
  const end = (name, words, value) => el("input", { type: "range", name, min: 0, max: 1, step: STEP, "aria-label": words, value });
  const least = end("least", "How sure at least", screen.state.least ?? 0);
  const most = end("most", "How sure at most", screen.state.most ?? 1);
  const both = el("div", { class: "both" }, least, most);
  const show = () => {
    told.textContent = least.value === "0" && most.value === "1" ? "any" : `${percent(Number(least.value))} to ${percent(Number(most.value))}`;
    for (const input of [least, most]) input.setAttribute("aria-valuetext", percent(Number(input.value)));
    both.style.setProperty("--from", least.value);
    both.style.setProperty("--to", most.value);
  };
  const typed = debounced(() => change(screen, ends(least.value, most.value)), TYPING_MS);
  least.addEventListener("input", () => {
    if (Number(least.value) > Number(most.value)) most.value = least.value;
    show();
    typed();
  });
  most.addEventListener("input", () => {
    if (Number(most.value) < Number(least.value)) least.value = most.value;
    show();
    typed();
  });
  show();
  return el("fieldset", { class: "field sure" }, el("legend", null, "How sure it was ", told), both);
}

// one cover of the wall

function tile(link, cover) {
  const named = [cover.artist, cover.album].filter(Boolean).join(" – ") || fileOf(cover.file_name);
  link.href = `#/cover/${part(cover.id)}`;
  link.append(
    el("span", { class: "square sleeve" },
      el("img", { src: address(`/covers/${part(cover.id)}/image`, { size: "thumb" }), alt: "", loading: "lazy", decoding: "async", width: 256, height: 256 })),
    el("span", { class: "words" },
      el("span", { class: "named" }, el("bdi", null, named)),
      el("span", { class: "genres" }, cover.genres.slice(0, 3).map((genre) => el("span", null, swatch(genre), " ", el("bdi", null, genre), " "))),
      cover.predicted === null ? null : said(cover)));
}

function said({ predicted, proba, correct }) {
  const sure = ` ${percent(proba)}`;
  if (correct) return el("span", { class: "said right" }, "✓ right,", sure);
  if (correct === null) return el("span", { class: "said" }, "said ", el("bdi", null, predicted), sure); // nobody knows
  return el("span", { class: "said wrong" }, "✗ said ", el("bdi", null, predicted), sure);
}

// what is looked for

/** What is looked for, of a hash; what it does not know is left out. */
export function stateOf(query) {
  return clean(Object.fromEntries(KEYS.map((key) => [key, query.get(key) ?? ""])));
}

function clean(state) {
  return Object.fromEntries(Object.entries(state).filter(([, value]) => value !== "" && value !== null && value !== undefined));
}

export function hashOf(state) {
  const words = new URLSearchParams(clean(state)).toString();
  return `#/browse${words ? `?${words}` : ""}`;
}

/** The covers that were looked at last. */
export function wayBack() {
  return left?.hash ?? "#/browse";
}

function filtered(state) {
  return KEYS.some((key) => key !== "sort" && key !== "descending" && state[key]);
}

/** The ends as they are asked for: an end that rules nothing out is none. */
function ends(least, most) {
  return { least: Number(least) > 0 ? least : "", most: Number(most) < 1 ? most : "" };
}

export function fileOf(name) {
  return name.slice(name.lastIndexOf("/") + 1);
}

export default { title: "Browse", mount, update, unmount };
