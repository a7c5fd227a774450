// The router: one screen at a time, named by the hash. `#/browse?genre=jazz` shows screen `browse` (js/browse.js, css/browse.css)
// with `params.query` (URLSearchParams); `#/cover/ID` has `params.id`.
//
// A screen is `export default {title, mount(root, params), unmount()}`. `mount` puts its <h1> in before it first waits. All rules
// of a screen's style sheet begin with `.screen-NAME`. A screen may have `update(params)` for another hash of its own.

import { api } from "./api.js";
import { el, keep, put, problem, say, setGenres } from "./dom.js";

const SCREENS = { judge: "Judge", browse: "Browse", map: "Map", model: "Model", play: "Play" };
const NEED_DATASET = new Set(["browse", "cover", "map", "play"]);
const ALL = new Set([...Object.keys(SCREENS), "cover"]);
const root = document.getElementById("screen");

let shown = { name: null, screen: null };
let turn = 0; // the newest change of screen wins

/** Part of a hash; one that is no escaped text, as in a link that was cut off, names nothing. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function asked() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [name, id] = path.split("/");
  const known = ALL.has(name) ? name : "judge";
  return { name: known, params: { id: id ? decoded(id) : null, query: new URLSearchParams(query ?? "") } };
}

async function show({ first = false } = {}) {
  if (location.hash === "#screen") return; // the link that skips the head
  const { name, params } = asked();
  const mine = ++turn;
  if (name === shown.name && shown.screen.update) {
    shown.screen.update(params);
    return;
  }
  try {
    const [module] = await Promise.all([import(`./${name}.js`), styled(name)]);
    if (mine !== turn) return;
    enter(name, module.default, params);
  } catch (error) {
    if (mine !== turn) return;
    leave();
    put(root, el("h1", { tabindex: "-1" }, SCREENS[name] ?? name), problem(error));
  }
  mark(name);
  if (!first) arrive();
}

function leave() {
  shown.screen?.unmount?.();
  shown = { name: null, screen: null };
  root.replaceChildren();
}

function enter(name, screen, params) {
  leave();
  root.className = `screen screen-${name}`;
  shown = { name, screen };
  document.title = `${screen.title} – sleevenotes`;
  const mounted = screen.mount(root, params);
  mounted?.catch?.((error) => {
    if (shown.screen === screen && error?.name !== "AbortError") root.append(problem(error));
  });
}

/** Move the focus to the new screen's heading, so that keys and voices go on from there. */
function arrive() {
  window.scrollTo(0, 0);
  const heading = root.querySelector("h1") ?? root;
  heading.setAttribute("tabindex", "-1");
  heading.focus({ preventScroll: true });
  say(document.title);
}

function mark(name) {
  for (const link of document.querySelectorAll("#screens a")) {
    const here = link.dataset.screen === (name === "cover" ? "browse" : name);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

const sheets = new Map();
function styled(name) {
  if (!sheets.has(name)) {
    sheets.set(name, new Promise((resolve) => {
      const sheet = el("link", { rel: "stylesheet", href: `css/${name}.css`, on: { load: resolve, error: resolve } });
      document.head.append(sheet);
    }));
  }
  return sheets.get(name);
}

function links(has_dataset) {
  const names = Object.keys(SCREENS).filter((name) => has_dataset || !NEED_DATASET.has(name));
  put(document.getElementById("screens"), names.map((name) =>
    el("li", null, el("a", { href: `#/${name}`, data: { screen: name } }, SCREENS[name]))));
  mark(asked().name);
}

async function greet() {
  links(true);
  try {
    const [health, { genres }] = await Promise.all([api.get("/health", { patience: 3 }), api.get("/genres", { patience: 3 })]);
    setGenres(genres.map(({ genre }) => genre));
    links(health.has_dataset);
    const covers = health.has_dataset ? ` · ${health.covers.toLocaleString("en")} covers` : "";
    put(document.getElementById("spine-words"), `model ${health.model} · ${genres.length} genres${covers}`);
    put(document.getElementById("foot-words"), `sleevenotes ${health.version}. Covers that you show it stay in memory, and leave with you.`,
      health.has_dataset ? null : [" To browse, map and play, start it with ", el("code", null, "--dataset DATASET"), "."]);
  } catch (error) {
    put(document.getElementById("foot-words"), error.sentence ?? String(error));
  }
}

const THEMES = { system: "as the system", light: "light", dark: "dark" };
function theme() {
  const button = document.getElementById("theme");
  const told = () => {
    const now = document.documentElement.dataset.theme ?? "system";
    put(button, el("span", null, `Colours: ${THEMES[now]}`));
  };
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(document.documentElement.dataset.theme ?? "system") + 1) % names.length];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    keep("theme", next === "system" ? null : next);
    told();
    say(`Colours: ${THEMES[next]}`);
  });
  told();
}

theme();
window.addEventListener("hashchange", () => show());
// genres have their colours before the first screen asks for them
greet().finally(() => show({ first: true }));
