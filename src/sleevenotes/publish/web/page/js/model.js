// How far the model can be trusted: the figures of the report, live.

import { api } from "./api.js";
import { confusion, reliability, riskCurve, table, whisker } from "./charts.js";
import { count, el, percent, problem, put, say, swatch } from "./dom.js";

const DIGITS = 2; // of a figure that is no percentage
const TASKS = { single: "which one of the genres", binary: "the first genre, or the other", multi: "which of the genres, maybe several" };
const ARTISTS = { apart: ", by artists it never learnt from", shared: ", by artists it learnt from, too" };
const MANY = 40; // genres; a matrix of more can't be read

let here = null;

async function mount(root) {
  const screen = { stop: new AbortController() };
  here = screen;
  const body = el("div", null, el("p", { class: "waiting", role: "status" }, "Fetching the figures …"));
  put(root, el("h1", null, "The model"), body);
  try {
    const asked = { signal: screen.stop.signal, patience: 5 };
    const [told, health] = await Promise.all([api.get("/model", asked), api.get("/health", asked)]);
    if (screen === here) put(body, sections(told, health.has_dataset));
  } catch (error) {
    if (error.name !== "AbortError") put(body, problem(error));
  }
}

function unmount() {
  here.stop.abort();
  here = null;
}

function sections(told, browsable) {
  const { card, confusion: matrix, reliability: bins, abstention: curve } = told;
  return [
    headline(told),
    told.missing.map((words) => el("p", { class: "missing" }, commands(words))),
    section("Against guessing", told.baselines?.length ? baselines(told) : null),
    section("Genre by genre", told.per_genre?.length ? perGenre(told.per_genre, { task: card.task, browsable }) : null),
    section("What it mixes up", matrix ? mixed(matrix, browsable) : null),
    el("div", { class: "pair" },
      section("Do its percentages come true?", bins ? belief(bins.calibrated) : null),
      section("If it answered only what it is sure of", curve ? abstention(curve) : null)),
    section("What the audit found", told.audit ? audit(told.audit) : null),
    section("What the numbers do not say", told.caveats.length ? caveats(told.caveats) : null),
    section("Every figure", told.figures?.length ? figures(told.figures) : null),
    section("How it was made", made(told)),
  ];
}

function section(heading, ...body) {
  const shown = body.flat().filter(Boolean);
  return shown.length ? el("section", null, el("h2", null, heading), shown) : null;
}

// figures in words

/** A figure as a person reads it: a percentage, or a number of two digits. */
export function shown(value, share = true) {
  if (value === null || value === undefined) return "–";
  return share ? percent(value) : value.toFixed(DIGITS);
}

/** Its interval: "(16–34)", or "(too few covers)"; "" if it has none. */
export function interval({ low, high, too_few: few }, share = true) {
  if (low === null || low === undefined || high === null || high === undefined) return few ? "(too few covers)" : "";
  const scale = share ? 100 : 1;
  let digits = share ? 0 : DIGITS;
  const ends = () => [low, high].map((end) => (end * scale).toFixed(digits));
  while (low < high && digits < 6 && ends()[0] === ends()[1]) digits += 1; // never "(100–100)"
  return `(${ends().join("–")})`;
}

function estimate(figure, share = true) {
  if (!figure) return "–";
  return [el("span", { class: "value" }, shown(figure.value, share)), " ", el("span", { class: "interval" }, interval(figure, share))];
}

/** A sentence whose commands are set as such. */
function commands(words) {
  return words.split("`").map((piece, at) => (at % 2 ? el("code", null, piece) : piece));
}

// the parts

function headline({ verdict, figures: known, baselines: ways, main, n, split }) {
  if (!verdict) return null;
  const own = known.find(({ key }) => key === main);
  const guesses = (ways ?? []).filter(({ key }) => ["commonest", "share", "random"].includes(key));
  const guessing = guesses.sort((a, b) => (b.value ?? 0) - (a.value ?? 0))[0];
  const color = ways?.find(({ key }) => key === "color");
  const three = [
    { name: own.name, figure: own, words: `${own.meaning} Measured on ${count(n, "cover")} ${split === "train" || split === "valid" ? `of ${split}` : "that it has never seen"}.` },
    guessing ? { name: "Guessing", figure: guessing, words: guessing.meaning } : null,
    color ? { name: color.name, figure: color, words: color.meaning } : null,
  ].filter(Boolean);
  return el("div", { class: "headline" },
    el("p", { class: "verdict" }, verdict),
    el("dl", null, three.map(({ name, figure, words }) => el("div", null,
      el("dt", null, name), el("dd", null, estimate(figure, own.percent), el("span", { class: "quiet" }, words))))),
    el("p", { class: "quiet" }, "The small figures are a 95 % interval: had other covers of the same kind been drawn for the test, the figure would most likely lie in there."));
}

function baselines({ baselines: ways, figures: known, main }) {
  const own = known.find(({ key }) => key === main);
  return el("ul", { class: "against" }, [{ ...own, name: "This model", words: "" }, ...ways].map((each, at) => el("li", { class: at ? null : "own" },
    el("span", { class: "name" }, each.name),
    whisker(each, { main: !at }),
    el("span", { class: "number" }, estimate(each, own.percent)),
    each.words ? el("span", { class: "quiet" }, each.words) : null)));
}

function mixed(told, browsable) {
  if (told.genres.length > MANY) return el("p", null, `Of ${told.genres.length} genres no matrix is drawn, as nobody could read it.`);
  const addressOf = browsable ? (genre, predicted) => `#/browse?${new URLSearchParams({ genre, predicted })}` : null;
  return el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Confusion matrix" }, confusion(told, addressOf));
}

function belief(bins) {
  const rows = bins.filter(({ accuracy }) => accuracy !== null).map((bin) => [percent(bin.confidence), `${percent(bin.accuracy)} ${interval(bin)}`, Math.round(bin.n).toLocaleString("en")]);
  return [
    el("figure", null, reliability(bins), el("figcaption", { class: "quiet" }, "A dot on the dashed line is a percentage that comes true; below it, the model promises too much.")),
    folded(table("What it said, and how often that was right", ["It said", "it was right", "covers"], rows)),
  ];
}

function abstention({ curve, words }) {
  const rows = curve.filter(({ value }) => value !== null).map((each) => [percent(each.answered), `${percent(each.value)} ${interval(each)}`]);
  return [
    el("figure", null, riskCurve(curve), el("figcaption", { class: "quiet" }, `${words} The dashed line is what its percentages promise.`)),
    folded(table("How often it is wrong", ["Of the covers answered", "wrong"], rows)),
  ];
}

function folded(body) {
  return el("details", null, el("summary", null, "The same in numbers"), el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "The same in numbers" }, body));
}

function figures(rows) {
  return el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Every figure" },
    el("table", { class: "plain told" },
      el("caption", null, "Each with its 95 % interval and its meaning"),
      el("thead", null, el("tr", null, el("th", { scope: "col" }, "Figure"), el("th", { scope: "col", class: "number" }, "value"), el("th", { scope: "col" }, "What it says"))),
      el("tbody", null, rows.map((figure) => el("tr", null,
        el("th", { scope: "row" }, figure.name), el("td", { class: "number" }, estimate(figure, figure.percent)), el("td", { class: "quiet" }, figure.meaning))))));
}

// genre by genre, a table that can be sorted

// key, heading, and how it is told: as a number of covers, a percentage, or a figure of its own
const COLUMNS = [
  ["support", "Covers", "covers"], ["precision", "Precision", "share"], ["recall", "Recall", "share"], ["f1", "F1", "share"],
  ["average_precision", "AP", "figure"], ["roc_auc", "AUC", "figure"],
];

function perGenre(rows, { task, browsable }) {
  const measured = ([key]) => rows.some((row) => typeof row[key] === "number" || (row[key]?.value ?? null) !== null);
  const columns = COLUMNS.filter(([key]) => key !== "roc_auc" || task === "multi").filter(measured);
  const sorting = { key: "f1", up: false };
  const body = el("tbody");
  const heads = [["genre", "Genre"], ...columns].map(([key, words]) => {
    const button = el("button", { type: "button", on: { click: () => turn(key, words) } }, words);
    return { key, head: el("th", { scope: "col", class: key === "genre" ? null : "number" }, button) };
  });
  const draw = () => {
    put(body, sorted(rows, sorting).map((row) => genreRow(row, columns, browsable)));
    for (const { key, head } of heads) {
      if (key === sorting.key) head.setAttribute("aria-sort", sorting.up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
  };
  const turn = (key, words) => {
    sorting.up = sorting.key === key ? !sorting.up : key === "genre";
    sorting.key = key;
    draw();
    say(`Sorted by ${words}, ${sorting.up ? "least first" : "most first"}`);
  };
  draw();
  return [
    el("p", { class: "quiet" }, "Precision: when it says a genre, how often that is right. Recall: of a genre's covers, how many it finds. F1: both in one figure. AP: how clean the list is when all covers are sorted by how sure it is of the genre."),
    el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Genre by genre" },
      el("table", { class: "plain genres" }, el("caption", null, `${count(rows.length, "genre")}; a heading sorts`), el("thead", null, el("tr", null, heads.map(({ head }) => head))), body)),
  ];
}

export function sorted(rows, { key, up }) {
  const of = (row) => (typeof row[key] === "object" && row[key] ? row[key].value : row[key]) ?? null;
  const order = (a, b) => {
    const [one, other] = [of(a), of(b)];
    if (one === other) return a.genre < b.genre ? -1 : 1;
    if (one === null || other === null) return one === null ? 1 : -1; // what is not known stands last either way
    return (one < other ? -1 : 1) * (up ? 1 : -1);
  };
  return [...rows].sort(order);
}

function genreRow(row, columns, browsable) {
  const name = el("bdi", null, row.genre);
  return el("tr", null,
    el("th", { scope: "row" }, swatch(row.genre), " ", browsable ? el("a", { href: `#/browse?${new URLSearchParams({ genre: row.genre })}` }, name) : name),
    columns.map(([key, , told]) => el("td", { class: "number" }, told === "covers"
      ? row[key].toLocaleString("en")
      : [estimate(row[key], told === "share"), whisker(row[key], { main: key === "f1" })])));
}

// the audit, and the card

const MARKS = { clean: "●", suspicious: "▲", broken: "■" }; // never by colour alone

function audit(told) {
  return [
    told.fits ? null : el("p", { class: "missing" }, "The audit is of other covers than these: some were changed since."),
    el("p", { class: `ruling ${told.verdict}` }, el("strong", null, MARKS[told.verdict], " ", told.verdict, "."), " ", commands(told.words)),
    el("ul", { class: "findings" }, told.findings.map(finding)),
  ];
}

function finding({ verdict, title, words, metric, figure, advice, command }) {
  const measured = figure.value === null || !metric ? null : `${metric}: ${shown(figure.value, false)} ${interval(figure, false)}`;
  return el("li", { class: verdict },
    el("h3", null, el("span", { class: "mark", "aria-hidden": "true" }, MARKS[verdict]), " ", title, el("span", { class: "quiet" }, `, ${verdict}`)),
    el("p", null, commands(words)),
    measured ? el("p", { class: "quiet" }, measured) : null,
    advice ? el("p", { class: "advice" }, commands(advice)) : null,
    command ? el("p", null, el("code", null, command)) : null);
}

function caveats(rows) {
  return el("ul", { class: "findings" }, rows.map(({ heading, words }) => el("li", null, el("h3", null, heading), el("p", null, commands(words)))));
}

function made({ card, split, n, artists }) {
  const rows = {
    Model: card.words ? `${card.name}. ${card.words}` : card.name,
    "Learnt from": card.dataset,
    "Judged on": split ? `${count(n, "cover")} of ${split}${ARTISTS[artists] ?? ""}` : "",
    Genres: card.genres.join(", "),
    Question: TASKS[card.task] ?? card.task,
    "Sees covers at": card.size_px ? `${card.size_px} × ${card.size_px} px` : "",
    Parameters: card.parameters?.toLocaleString("en"),
    Network: card.backbone,
    Percentages: card.calibration ? `corrected by ${card.calibration}` : "",
    Seed: card.seed?.toString(),
    Versions: Object.entries(card.versions).map((pair) => pair.join(" ")).join(", "),
  };
  return el("dl", { class: "facts" }, Object.entries(rows).filter(([, words]) => words).map(([name, words]) =>
    el("div", null, el("dt", null, name), el("dd", null, el("bdi", null, words)))));
}

export default { title: "Model", mount, unmount };
