// Genres as bars: a list in which each genre is a button that asks for its map. Nodes stay, so that bars move to a new verdict.

import { el, percent, points, put, swatch } from "./dom.js";

const FIRST = 5; // shown before all are asked for

/**
 * What a model says of a cover, genre by genre.
 *
 * `onPick(genre)` is called when a genre is pressed; without it the bars are no buttons. `element` goes into the page.
 */
export class Bars {
  constructor({ onPick = null, first = FIRST } = {}) {
    Object.assign(this, { onPick, first, rows: new Map(), all: false });
    this.list = el("ol", { class: "bars" });
    this.more = el("button", { class: "button small", type: "button", on: { click: () => this.toggle() } });
    this.element = el("div", { class: "verdict-bars" }, this.list, this.more);
  }

  /**
   * Show probas, `[{genre, proba}]`, likeliest first.
   *
   * `before` (a Map of genre to proba) are those of the untouched cover: the order stays theirs, and the change is told in points.
   * What is likeliest now shows in any case.
   */
  show(genres, { before = null, dimmed = false } = {}) {
    const order = before ? [...before.keys()] : genres.map(({ genre }) => genre);
    const proba = new Map(genres.map((each) => [each.genre, each.proba]));
    if (order.some((genre) => !this.rows.has(genre)) || this.rows.size !== order.length) {
      this.rows = new Map(order.map((genre) => [genre, row(genre, this.onPick)]));
    }
    const nodes = order.map((genre) => this.rows.get(genre));
    if (nodes.some(({ item }, at) => this.list.children[at] !== item)) put(this.list, nodes.map(({ item }) => item));
    for (const [genre, { value, change, line }] of this.rows) {
      const share = proba.get(genre) ?? 0;
      put(value, percent(share));
      put(change, before ? points(share - before.get(genre)) : "");
      line.style.setProperty("transform", `scaleX(${share})`);
    }
    this.list.classList.toggle("dimmed", dimmed);
    this.likeliest = genres[0]?.genre;
    this.fold();
  }

  /** Say which genre's map is shown; null for none. */
  press(genre) {
    for (const [name, { bar }] of this.rows) if (this.onPick) bar.setAttribute("aria-pressed", String(name === genre));
  }

  toggle() {
    this.all = !this.all;
    this.fold();
  }

  fold() {
    const rows = [...this.rows];
    for (const [at, [genre, { item }]] of rows.entries()) item.hidden = !this.all && at >= this.first && genre !== this.likeliest;
    this.more.hidden = rows.length <= this.first;
    put(this.more, this.all ? `Only the first ${this.first}` : `All ${rows.length} genres`);
    this.more.setAttribute("aria-expanded", String(this.all));
  }
}

function row(genre, onPick) {
  const value = el("span", { class: "bar-value" });
  const change = el("span", { class: "bar-change" });
  const line = el("span", { class: "bar-fill", style: { transform: "scaleX(0)" } });
  const parts = [el("span", { class: "bar-genre" }, swatch(genre), " ", genre), change, value,
    el("span", { class: "bar-line", "aria-hidden": "true" }, line)];
  const bar = onPick
    ? el("button", { class: "bar", type: "button", "aria-pressed": "false", on: { click: () => onPick(genre) } }, parts)
    : el("div", { class: "bar" }, parts);
  return { item: el("li", null, bar), bar, value, change, line };
}
