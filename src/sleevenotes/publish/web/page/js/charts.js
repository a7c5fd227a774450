// Small charts: whiskers, reliability, risk over coverage, and a confusion matrix, which is a table of links.
//
// Each says in its label what it shows; whoever can't see it finds the same numbers in a table beside or under it.

import { el, percent, svg, swatch } from "./dom.js";

const SIDE = 340; // of a square chart, in its own units
const EDGE = { left: 46, right: 12, top: 12, bottom: 44 };
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** A dot with its interval on a line from `from` to `to`: `{value, low, high}`. */
export function whisker({ value, low, high }, { from = 0, to = 1, main = false } = {}) {
  const at = (number) => `${(100 * Math.max(0, Math.min(1, (number - from) / (to - from || 1)))).toFixed(2)}%`;
  const line = el("span", { class: main ? "whisker main" : "whisker", "aria-hidden": "true" });
  if (low !== null && low !== undefined && high !== null && high !== undefined) {
    line.append(el("span", { class: "whisker-line", style: { left: at(low), right: `calc(100% - ${at(high)})` } }));
  }
  if (value !== null && value !== undefined) line.append(el("span", { class: "whisker-dot", style: { left: at(value) } }));
  return line;
}

/** Whether percentages come true: of the answers given with a percentage, how many were right. `bins`: {confidence, accuracy, low, high, n}. */
export function reliability(bins) {
  const most = Math.max(...bins.map(({ n }) => n), 1);
  const marks = bins.filter(({ accuracy }) => accuracy !== null).map(({ confidence, accuracy, low, high, n }) => [
    low === null || low === undefined ? null : svg("line", { class: "chart-line", x1: across(confidence), x2: across(confidence), y1: up(low), y2: up(high) }),
    svg("circle", { class: "chart-dot", cx: across(confidence), cy: up(accuracy), r: (3 + 4 * Math.sqrt(n / most)).toFixed(1) }),
  ]);
  return frame("Whether its percentages come true", { below: "it said", beside: "it was right" },
    svg("line", { class: "chart-ideal", x1: across(0), y1: up(0), x2: across(1), y2: up(1) }), marks);
}

/** How often it is wrong, where it answers only what it is surest of. `curve`: {answered, value, low, high, promised}. */
export function riskCurve(curve) {
  const known = curve.filter(({ value }) => value !== null && value !== undefined);
  const path = (key) => known.map((each, index) => `${index ? "L" : "M"}${across(each.answered)} ${up(each[key])}`).join("");
  const banded = known.every(({ low, high }) => typeof low === "number" && typeof high === "number");
  const back = [...known].reverse().map((each) => `L${across(each.answered)} ${up(each.low)}`).join("");
  return frame("How often it is wrong, the fewer covers it answers", { below: "of the covers answered", beside: "of the answers wrong" },
    banded && known.length ? svg("path", { class: "chart-band", d: `${path("high")}${back}Z` }) : null,
    known.every(({ promised }) => typeof promised === "number") ? svg("path", { class: "chart-ideal", d: path("promised") }) : null,
    svg("path", { class: "chart-curve", d: path("value") }));
}

function across(share) {
  return (EDGE.left + share * (SIDE - EDGE.left - EDGE.right)).toFixed(1);
}

function up(share) {
  return (SIDE - EDGE.bottom - share * (SIDE - EDGE.top - EDGE.bottom)).toFixed(1);
}

function frame(label, { below, beside }, ...marks) {
  const ticks = TICKS.map((tick) => [
    svg("line", { class: "chart-grid", x1: across(tick), x2: across(tick), y1: up(0), y2: up(1) }),
    svg("line", { class: "chart-grid", x1: across(0), x2: across(1), y1: up(tick), y2: up(tick) }),
    svg("text", { class: "chart-words", x: across(tick), y: SIDE - EDGE.bottom + 17, "text-anchor": "middle" }, percent(tick)),
    svg("text", { class: "chart-words", x: EDGE.left - 7, y: Number(up(tick)) + 4, "text-anchor": "end" }, percent(tick)),
  ]);
  const middle = Number(up(0.5));
  return svg("svg", { class: "chart", viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img", "aria-label": label }, ticks,
    svg("text", { class: "chart-words", x: across(0.5), y: SIDE - 8, "text-anchor": "middle" }, below),
    svg("text", { class: "chart-words", x: 10, y: middle, "text-anchor": "middle", transform: `rotate(-90 10 ${middle})` }, beside),
    marks);
}

/** Who was taken for whom: rows are the truth, columns what the model said; each cell opens its covers where `addressOf` names where they are. */
export function confusion({ genres, counts }, addressOf) {
  const totals = counts.map((row) => row.reduce((sum, cell) => sum + cell, 0));
  const head = el("thead", null, el("tr", null, el("th", { scope: "col" }, "Truth"),
    genres.map((genre) => el("th", { scope: "col", class: "down" }, el("span", null, el("bdi", null, genre))))));
  const body = genres.map((truth, row) => el("tr", null,
    el("th", { scope: "row" }, swatch(truth), " ", el("bdi", null, truth)),
    genres.map((said, column) => {
      const many = counts[row][column];
      const share = totals[row] ? many / totals[row] : 0;
      return el("td", { class: row === column ? "cell hit" : "cell", style: { "--share": share.toFixed(3) } }, cellOf({ many, share, truth, said }, addressOf));
    })));
  return el("table", { class: "confusion" },
    el("caption", null, "Rows are the true genre, columns what the model said. The stronger the colour, the larger the share of the row." + (addressOf ? " A number opens its covers." : "")),
    head, el("tbody", null, body));
}

function cellOf({ many, share, truth, said }, addressOf) {
  if (!many) return el("span", { class: "none" }, "·");
  if (!addressOf) return String(many);
  const words = truth === said ? `${many} of ${truth}, named rightly` : `${many} of ${truth}, taken for ${said}`;
  return el("a", { href: addressOf(truth, said), "aria-label": words, title: `${words}: ${percent(share)}` }, many);
}

/** A table of numbers: `heads` are words, `rows` lists of words, the first of each the row's head. */
export function table(caption, heads, rows) {
  return el("table", { class: "plain" }, el("caption", null, caption),
    el("thead", null, el("tr", null, heads.map((head, at) => el("th", { scope: "col", class: at ? "number" : null }, head)))),
    el("tbody", null, rows.map(([first, ...rest]) => el("tr", null, el("th", { scope: "row" }, first), rest.map((cell) => el("td", { class: "number" }, cell))))));
}
