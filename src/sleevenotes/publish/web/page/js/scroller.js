// A wall of covers that scrolls by thousands: only what is on the screen, and a screen above and below it, is there.
//
// It is a grid to a screen reader: so many rows, so many columns, each cell a link. The page itself scrolls, not a box in it.

import { el } from "./dom.js";

export const PAGE = 200; // covers that are fetched at once
const PAGES_KEPT = 40;
const SIZES_REM = [9.5, 1.25, 4.25]; // a cover at least, between covers, what is written under each
const FETCH_AFTER_MS = 60; // while the wall flies by, what it passes is not fetched

/**
 * A wall of covers.
 *
 * `fetchPage(offset, limit)` gives `{total, covers}`; `fill(link, cover)` writes a cover into its link;
 * `onTotal(total)` and `onError(error)` tell what comes of fetching.
 */
export class Scroller {
  constructor({ label, fetchPage, fill, onTotal, onError }) {
    Object.assign(this, { fetchPage, fill, onTotal, onError });
    this.element = el("div", { class: "wall", role: "grid", "aria-label": label, "aria-readonly": "true" });
    this.pages = new Map();
    this.rows = new Map();
    this.asked = 0; // which question the pages answer; an answer to an older one is dropped
    this.total = 0;
    this.focused = 0;
    this.columns = 1;
    this.pitch = 1;
    this.onScroll = () => this.soon();
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    this.element.addEventListener("focusin", (event) => this.onFocus(event));
  }

  /** Start to follow the page's scrolling; the element must be in the document. */
  start() {
    addEventListener("scroll", this.onScroll, { passive: true });
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.element);
    this.measure();
  }

  stop() {
    removeEventListener("scroll", this.onScroll);
    this.observer?.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.asked += 1;
  }

  /** Forget what is shown and ask anew; resolves when the first page is there. */
  async ask({ focused = 0 } = {}) {
    this.asked += 1;
    this.pages.clear();
    this.focused = focused;
    await this.load(Math.floor(focused / PAGE), this.asked);
  }

  /** Ask again for what could not be fetched. */
  retry() {
    this.soon();
    if (this.pages.size === 0) this.load(0, this.asked);
  }

  cover(index) {
    return this.pages.get(Math.floor(index / PAGE))?.covers?.[index % PAGE];
  }

  async load(page, asked) {
    this.pages.set(page, {}); // so that it is asked for once
    try {
      const { total, covers } = await this.fetchPage(page * PAGE, PAGE);
      if (asked !== this.asked) return;
      this.pages.delete(page);
      this.pages.set(page, { covers }); // the last of the map is the last that came
      this.forget();
      this.resize(total);
    } catch (error) {
      if (asked !== this.asked) return;
      this.pages.delete(page);
      this.onError(error);
    }
  }

  forget() {
    const shown = this.range();
    for (const page of this.pages.keys()) {
      if (this.pages.size <= PAGES_KEPT) return;
      const [from, to] = [page * PAGE, (page + 1) * PAGE];
      if (to < shown.first * this.columns || from > shown.last * this.columns) this.pages.delete(page);
    }
  }

  resize(total) {
    const changed = total !== this.total;
    this.total = total;
    this.focused = Math.max(0, Math.min(this.focused, total - 1));
    this.onTotal(total);
    if (changed) this.measure();
    this.draw(true);
  }

  measure() {
    const width = this.element.clientWidth;
    if (width === 0) return;
    const [least, gap, caption] = SIZES_REM.map((size) => size * remPx());
    const { columns, side } = columnsOf(width, least, gap);
    this.pitch = side + caption + gap;
    if (columns !== this.columns) this.clear();
    this.columns = columns;
    const rows = Math.ceil(this.total / columns);
    this.element.style.height = `${rows * this.pitch}px`;
    this.element.style.setProperty("--columns", columns);
    this.element.style.setProperty("--gap", `${gap}px`);
    this.element.style.setProperty("--caption", `${caption}px`);
    this.element.setAttribute("aria-rowcount", rows);
    this.element.setAttribute("aria-colcount", columns);
    for (const [index, row] of this.rows) this.place(row, index);
    this.draw();
  }

  clear() {
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
  }

  soon() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  range() {
    const top = this.element.getBoundingClientRect().top;
    return rowsShown({ top, height: innerHeight, pitch: this.pitch, rows: Math.ceil(this.total / this.columns) });
  }

  draw(anew = false) {
    const { first, last } = this.range();
    const kept = this.rowOfFocus(); // else the keyboard would lose its place
    for (const [index, row] of this.rows) {
      if ((index < first || index > last) && index !== kept) {
        row.remove();
        this.rows.delete(index);
      } else if (anew) this.write(row, index);
    }
    for (let index = first; index <= last; index += 1) if (!this.rows.has(index)) this.add(index);
    this.fetchSoon();
  }

  rowOfFocus() {
    if (!this.element.contains(document.activeElement)) return -1;
    return Math.floor(this.focused / this.columns);
  }

  fetchSoon() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      const { first, last } = this.range();
      if (last < first) return;
      const ends = [first * this.columns, Math.min(this.total, (last + 1) * this.columns) - 1];
      const [from, to] = ends.map((index) => Math.floor(index / PAGE));
      for (let page = from; page <= to; page += 1) if (!this.pages.has(page)) this.load(page, this.asked);
    }, FETCH_AFTER_MS);
  }

  add(index) {
    const row = el("div", { class: "shelf", role: "row", "aria-rowindex": index + 1 });
    this.place(row, index);
    this.write(row, index);
    this.rows.set(index, row);
    // rows stand in their order, as a screen reader reads them in it
    const after = [...this.rows.keys()].filter((other) => other > index);
    const next = after.length ? this.rows.get(Math.min(...after)) : null;
    this.element.insertBefore(row, next);
  }

  place(row, index) {
    row.style.transform = `translateY(${index * this.pitch}px)`;
  }

  write(row, index) {
    const from = index * this.columns;
    const many = Math.max(0, Math.min(this.columns, this.total - from));
    while (row.children.length > many) row.lastChild.remove();
    for (let column = 0; column < many; column += 1) {
      const cell = row.children[column] ?? row.appendChild(newCell(column));
      const link = cell.firstChild;
      const cover = this.cover(from + column);
      link.dataset.index = from + column;
      link.tabIndex = from + column === this.focused ? 0 : -1;
      const shown = cover ? `${this.asked} ${cover.id}` : "";
      if (link.dataset.shown === shown) continue;
      link.dataset.shown = shown;
      link.replaceChildren();
      cell.setAttribute("aria-busy", String(!cover));
      if (cover) this.fill(link, cover);
      else link.removeAttribute("href");
    }
  }

  onFocus(event) {
    const index = Number(event.target.dataset.index);
    if (Number.isInteger(index)) this.point(index);
  }

  point(index) {
    this.element.querySelector('a[tabindex="0"]')?.setAttribute("tabindex", "-1");
    this.focused = index;
    this.linkOf(index)?.setAttribute("tabindex", "0");
  }

  linkOf(index) {
    return this.element.querySelector(`a[data-index="${index}"]`);
  }

  onKey(event) {
    if (event.altKey || event.metaKey) return;
    const across = Math.max(1, Math.floor(innerHeight / this.pitch)) * this.columns;
    const to = stepOf(event.key, { at: this.focused, columns: this.columns, total: this.total, page: across, far: event.ctrlKey });
    if (to === null) return;
    event.preventDefault();
    this.focus(to);
  }

  /** Move the keyboard's place to a cover, and scroll to it. */
  focus(index) {
    const row = Math.floor(index / this.columns);
    this.scrollTo(row);
    if (!this.rows.has(row)) this.add(row);
    this.point(index);
    this.linkOf(index)?.focus({ preventScroll: true });
    this.draw();
  }

  scrollTo(row) {
    const top = this.element.getBoundingClientRect().top + row * this.pitch;
    const margin = 90; // the bar on top may lie over it
    if (top < margin) scrollBy({ top: top - margin, behavior: "instant" });
    else if (top + this.pitch > innerHeight) scrollBy({ top: top + this.pitch - innerHeight, behavior: "instant" });
  }
}

function newCell(column) {
  return el("div", { role: "gridcell", "aria-colindex": column + 1 }, el("a", { class: "tile", tabindex: "-1" }));
}

function remPx() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/** How many squares stand side by side, and how wide each is. */
export function columnsOf(width, leastPx, gapPx) {
  const columns = Math.max(2, Math.floor((width + gapPx) / (leastPx + gapPx)));
  return { columns, side: (width - gapPx * (columns - 1)) / columns };
}

/** The first and last row to be there: those on the screen, and a screen above and below. `top` is where the wall begins. */
export function rowsShown({ top, height, pitch, rows }) {
  const first = Math.max(0, Math.floor((-top - height) / pitch));
  const last = Math.min(rows - 1, Math.ceil((-top + 2 * height) / pitch));
  return { first, last };
}

/** Where a key leads from a cover; null where it leads nowhere. */
export function stepOf(key, { at, columns, total, page, far }) {
  const start = at - (at % columns);
  const steps = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    PageUp: at - page,
    PageDown: at + page,
    Home: far ? 0 : start,
    End: far ? total - 1 : Math.min(total - 1, start + columns - 1),
  };
  if (!(key in steps) || total === 0) return null;
  const to = steps[key];
  if (key.startsWith("Page")) return Math.max(0, Math.min(total - 1, to));
  return to < 0 || to >= total ? at : to;
}
