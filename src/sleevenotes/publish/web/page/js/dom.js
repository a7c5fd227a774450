// Elements, and how things are said. Names of artists, files and genres come from outside: they are only ever text.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 *
 * props: `class`, `style` (an object, set by CSSOM, custom properties too), `on` (an object of listeners), `data` (an object),
 * and attributes by their own name; null, undefined and false leave one out, true sets it empty.
 * children: nodes, text, lists of both; null, undefined and false are left out.
 */
export function el(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "style") for (const [key, given] of Object.entries(value)) node.style.setProperty(key, given);
    else if (name === "value" || name === "checked" || name === "selected") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...flat(children));
  return node;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Put children in place of what an element has. */
export function put(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

/** Tell something that shows on the screen to those who hear it. */
export function say(words) {
  const live = document.getElementById("live");
  // the same words twice in a row would not be spoken
  live.textContent = live.textContent === words ? `${words}\u00a0` : words;
}

/** An error as the sentence that it is, for a person to read. */
export function problem(error) {
  return el("p", { class: "problem", role: "alert" }, error.sentence ?? String(error.message ?? error));
}

/** So many of a hundred, as the report writes it: no line break parts the sign from the number. */
export function hundredths(number) {
  return `${number.toFixed(0)}\u00a0%`;
}

/** A share as a percentage: never "0 %" of what is there, nor "100 %" of what is not all. */
export function percent(share) {
  if (share === null || share === undefined || Number.isNaN(share)) return "–";
  if (share > 0 && share < 0.005) return `<${hundredths(1)}`;
  if (share < 1 && share >= 0.995) return `>${hundredths(99)}`;
  return hundredths(share * 100);
}

/** A difference of two shares in points: "+4 points", "−1 point"; "" where it rounds to none. */
export function points(difference) {
  const rounded = Math.round(difference * 100);
  if (!rounded) return "";
  return `${rounded > 0 ? "+" : "−"}${Math.abs(rounded)} ${Math.abs(rounded) === 1 ? "point" : "points"}`;
}

/** A number of things with its noun: "1 cover", "3,430 covers". */
export function count(number, noun, nouns = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : nouns}`;
}

// three to one or more on both papers
const COLORS = [
  "#2f7fd0", "#d2562b", "#1f8f5f", "#a05fc0", "#a87b00", "#d0518c",
  "#1a8c99", "#6f8a1f", "#6470d8", "#a2664a", "#c0424f", "#7b8087",
];
let known = [];

/** Tell which genres there are, so that each has its own colour as long as there are enough. */
export function setGenres(genres) {
  known = [...genres].sort();
}

/** The colour of a genre: the same on every screen, in light and dark. Its name always stands beside it. */
export function genreColor(genre) {
  const at = known.indexOf(genre);
  if (at >= 0 && at < COLORS.length) return COLORS[at];
  const turn = ((at >= 0 ? at : hash(genre)) * 137.5) % 360; // as leaves around a stem: no two near ones alike
  return `oklch(0.62 0.12 ${turn.toFixed(1)})`;
}

function hash(text) {
  let found = 7;
  for (const letter of text) found = (found * 31 + letter.codePointAt(0)) % 9973;
  return found;
}

/** A small square of a genre's colour, beside its name. */
export function swatch(genre) {
  return el("span", { class: "swatch", "aria-hidden": "true", style: { "background-color": genreColor(genre) } });
}

/** Call the last of many calls, once they pause. */
export function debounced(action, wait_ms) {
  let timer = 0;
  const call = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...given), wait_ms);
  };
  call.cancel = () => clearTimeout(timer);
  return call;
}

/** What this browser keeps under a name; null where it keeps nothing, or must not. */
export function kept(name, store = "localStorage") {
  try {
    return JSON.parse(window[store].getItem(`sleevenotes ${name}`));
  } catch {
    return null;
  }
}

/** Keep something in this browser, or forget it with null; whether that went well. */
export function keep(name, value, store = "localStorage") {
  try {
    if (value === null) window[store].removeItem(`sleevenotes ${name}`);
    else window[store].setItem(`sleevenotes ${name}`, JSON.stringify(value));
    return true;
  } catch {
    return false; // a private window may refuse; the page works without
  }
}
