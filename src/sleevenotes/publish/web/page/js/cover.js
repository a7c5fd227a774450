// One cover of the dataset: what it is, what the model says of it and why, what it resembles, and a form to edit its genre.
// The form and the model's answer are never shown together: genres that are changed in sight of an answer flatter the model.

import { address, api, part } from "./api.js";
import { Bars } from "./bars.js";
import { fileOf, wayBack } from "./browse.js";
import { el, keep, kept, problem, put, say, swatch } from "./dom.js";
import { warning } from "./known.js";
import { MapSlider } from "./mapslider.js";

const SIMILAR = 10;
const PATIENCE = 20; // how often a busy server is asked again: the first map and the first search take their time
const NICKNAME_LONGEST = 40;

let here = null;

async function mount(root, params) {
  const screen = { id: params.id, stop: new AbortController(), slider: new MapSlider(), parts: {} };
  here = screen;
  for (const name of ["facts", "said", "mend", "changes", "similar"]) screen.parts[name] = el("section");
  const { facts, said, mend, changes, similar } = screen.parts;
  screen.heading = el("h1", null, "Cover");
  screen.picture = el("img", { src: of(screen, "/image", { size: "full" }), alt: "" });
  screen.mapped = el("div", { class: "mapped", "aria-live": "polite" });
  put(root,
    el("p", { class: "back" }, el("a", { href: wayBack() }, "← Back to the covers")),
    el("div", { class: "record" },
      el("div", { class: "front" }, el("div", { class: "square sleeve" }, screen.picture, screen.slider.layers), screen.slider.control, screen.mapped),
      el("div", { class: "notes" }, screen.heading, facts, said, mend, changes)),
    similar);
  await Promise.all([load(screen), findSimilar(screen)]);
}

function unmount() {
  here.stop.abort();
  here = null;
}

function of(screen, path = "", query = undefined) {
  const whole = `/covers/${part(screen.id)}${path}`;
  return query ? address(whole, query) : whole;
}

async function load(screen) {
  const { signal } = screen.stop;
  try {
    const [cover, facets, { task }] = await Promise.all([
      api.get(of(screen), { signal, patience: PATIENCE }), api.get("/facets", { signal }), api.get("/genres", { signal })]);
    Object.assign(screen, { cover, task, genres: facets.genres.map(({ genre }) => genre) });
    draw(screen);
  } catch (error) {
    if (error.name !== "AbortError") put(screen.parts.facts, problem(error));
  }
}

function draw(screen) {
  screen.editing = false;
  drawFacts(screen);
  drawSaid(screen);
  drawEditing(screen);
  drawChanges(screen);
}

/** Open or close the form; while it is open, nothing on the screen comes from the model. */
function edit(screen, editing) {
  screen.editing = editing;
  if (editing) hideMap(screen);
  screen.parts.similar.hidden = editing;
  drawSaid(screen);
  drawEditing(screen);
  screen.parts.mend.querySelector(editing ? "select, input" : "button")?.focus();
}

function hideMap(screen) {
  screen.explaining?.abort();
  screen.genre = null;
  screen.bars?.press(null);
  screen.slider.clear();
  put(screen.mapped);
}

// what it is

function drawFacts(screen) {
  const { cover } = screen;
  const name = cover.album || fileOf(cover.file_name);
  put(screen.heading, el("bdi", null, name));
  document.title = `${name} – sleevenotes`;
  screen.picture.alt = `Cover: ${[cover.artist, name].filter(Boolean).join(" – ")}`;
  const fact = (words, value) => (value ? el("div", null, el("dt", null, words), el("dd", null, value)) : null);
  put(screen.parts.facts,
    cover.artist ? el("p", { class: "artist" }, el("a", { href: `#/browse?${new URLSearchParams({ artist: cover.artist })}` }, el("bdi", null, cover.artist))) : null,
    el("dl", { class: "facts" },
      fact(cover.genres.length > 1 ? "Genres" : "Genre", cover.genres.length ? genreLinks(cover.genres) : "none"),
      fact("Year", cover.year),
      fact("Split", cover.split || "none: it is left out"),
      fact("Source", cover.source ? el("bdi", null, cover.source) : null),
      fact("Size", cover.width && cover.height ? `${cover.width} × ${cover.height} px` : null),
      fact("File", el("bdi", null, cover.file_name))));
}

function genreLinks(genres) {
  return genres.map((genre) => el("span", { class: "genre" }, swatch(genre), " ",
    el("a", { href: `#/browse?${new URLSearchParams({ genre })}` }, el("bdi", null, genre))));
}

// what the model says

function drawSaid(screen) {
  const { cover } = screen;
  if (screen.editing) {
    put(screen.parts.said, el("p", { class: "quiet hidden-answer" }, "What the model says is hidden until you save, so that your choice does not follow it."));
    return;
  }
  screen.bars ??= new Bars({ onPick: (genre) => explain(screen, genre) });
  const silent = cover.cant_tell ?? null;
  if (cover.error) {
    put(screen.parts.said, el("h2", null, "What the model says"), problem({ sentence: cover.error }));
    return;
  }
  screen.bars.show(cover.genres_proba, { dimmed: silent !== null });
  put(screen.parts.said,
    el("h2", null, "What the model says"),
    silent === null ? null : el("p", { class: "verdict" }, el("strong", null, "Can’t tell. "), `Its likeliest answer, ${cover.genres_proba[0].genre}, is too often wrong: ${silent}.`),
    warning(cover.known, "learnt"),
    screen.bars.element,
    el("p", { class: "quiet" }, "Choose a genre to see which parts of the cover speak for it."));
}

async function explain(screen, genre) {
  screen.explaining?.abort();
  const asked = new AbortController();
  screen.explaining = asked;
  if (screen.genre === genre && screen.slider.shown) {
    screen.genre = null;
    screen.bars.press(null);
    put(screen.mapped); // it may still say that another genre is looked for
    return screen.slider.clear();
  }
  screen.genre = genre;
  screen.bars.press(genre);
  put(screen.mapped, el("p", { class: "waiting" }, "Looking where the model looks …"));
  const { signal } = asked;
  screen.stop.signal.addEventListener("abort", () => asked.abort(), { once: true });
  try {
    screen.slider.show(await api.get(of(screen, "/explain"), { query: { genre }, signal, patience: PATIENCE }));
    put(screen.mapped);
  } catch (error) {
    if (error.name === "AbortError") return null;
    screen.slider.clear();
    screen.bars.press(null);
    put(screen.mapped, problem(error));
  }
  return null;
}

// what it resembles

async function findSimilar(screen) {
  const { similar } = screen.parts;
  const state = el("p", { class: "waiting", role: "status" }, "Looking for covers like it …");
  put(similar, el("h2", null, "Most alike, as the model sees it"), state);
  try {
    const found = await api.get(of(screen, "/similar"), { query: { top: SIMILAR }, signal: screen.stop.signal, patience: PATIENCE });
    state.replaceWith(found.similar.length ? el("ol", { class: "alike" }, found.similar.map(alike)) : el("p", null, "There is no other cover."));
  } catch (error) {
    if (error.name !== "AbortError") state.replaceWith(problem(error));
  }
}

function alike(cover) {
  const named = [cover.artist, cover.album].filter(Boolean).join(" – ") || fileOf(cover.file_name);
  return el("li", null, el("a", { href: `#/cover/${part(cover.id)}` },
    el("span", { class: "square sleeve" }, el("img", { src: address(`/covers/${part(cover.id)}/image`, { size: "thumb" }), alt: "", loading: "lazy", width: 256, height: 256 })),
    el("span", { class: "words" },
      el("span", null, el("bdi", null, named)),
      el("span", { class: "quiet" }, cover.genres.map((genre) => [swatch(genre), " ", el("bdi", null, genre), " "])),
      cover.relation ? el("span", { class: "quiet" }, cover.relation) : null)));
}

// editing

const IN_TEST = "This cover is in the test: the model is judged by its genre. `evaluate` counts genres that were changed after the model could answer, and gives its figures with and without these changes.";

function drawEditing(screen) {
  const { parts } = screen;
  screen.state = el("div", { class: "state" });
  screen.who = null;
  const open = el("button", { class: "button", type: "button", on: { click: () => edit(screen, true) } }, "Edit genre");
  put(parts.mend,
    el("h2", null, "Is its genre wrong?"),
    screen.editing ? editForm(screen) : open,
    screen.state,
    el("p", { class: "quiet" }, "It goes to metadata.csv, and to changes.csv with the nickname and the time, so that it can be undone. The model stays as it is until it is trained again."));
}

function editForm(screen) {
  const { cover, task } = screen;
  const chooser = task === "multi" || cover.genres.length > 1 ? severalGenres(screen) : oneGenre(screen);
  screen.who = el("input", { name: "who", required: true, maxlength: NICKNAME_LONGEST, autocomplete: "nickname", value: kept("nickname") ?? "" });
  const save = el("button", { class: "button main", type: "submit" }, "Save");
  const cancel = el("button", { class: "button", type: "button", on: { click: () => edit(screen, false) } }, "Cancel");
  const submit = (event) => {
    event.preventDefault();
    change(screen, { genres: chooser.chosen(), who: screen.who.value.trim(), save });
  };
  return el("form", { on: { submit } },
    cover.split === "test" ? el("p", { class: "in-test" }, IN_TEST) : null,
    chooser.element,
    el("label", { class: "field" }, "Who says so? A nickname", screen.who),
    save, " ", cancel);
}

function oneGenre({ genres, cover }) {
  const now = cover.genres[0] ?? "";
  const names = genres.includes(now) || !now ? genres : [now, ...genres];
  const select = el("select", { name: "genre" }, names.map((genre) => el("option", { value: genre, selected: genre === now }, genre)));
  return { element: el("label", { class: "field" }, "The right genre", select), chosen: () => [select.value] };
}

function severalGenres({ genres, cover }) {
  const names = [...cover.genres, ...genres.filter((genre) => !cover.genres.includes(genre))];
  const boxes = names.map((genre) => el("input", { type: "checkbox", name: "genre", value: genre, checked: cover.genres.includes(genre) }));
  const element = el("fieldset", { class: "field" }, el("legend", null, "The right genres"),
    el("div", { class: "boxes" }, boxes.map((box) => el("label", null, box, " ", el("bdi", null, box.value)))));
  return { element, chosen: () => boxes.filter((box) => box.checked).map((box) => box.value) };
}

async function change(screen, { genres, who, save }) {
  save.disabled = true;
  keep("nickname", who);
  try {
    const cover = await api.patch(of(screen), { genres, who, before: screen.cover.genres }, { signal: screen.stop.signal });
    await changed(screen, cover.change);
  } catch (error) {
    if (error.name !== "AbortError") put(screen.state, problem(error));
  } finally {
    save.disabled = false;
  }
}

async function undo(screen, change, button) {
  const who = (screen.who?.value ?? kept("nickname") ?? "").trim();
  if (!who) {
    if (!screen.editing) edit(screen, true);
    screen.who.reportValidity();
    return;
  }
  button.disabled = true;
  keep("nickname", who);
  try {
    const { change: made } = await api.post(`/changes/${part(change)}/undo`, { who }, { signal: screen.stop.signal });
    await changed(screen, made);
  } catch (error) {
    button.disabled = false;
    if (error.name !== "AbortError") put(screen.state, problem(error));
  }
}

/** Something was written: show the cover as it is now, and say what was changed. */
async function changed(screen, change) {
  screen.cover = await api.get(of(screen), { signal: screen.stop.signal });
  draw(screen);
  screen.parts.similar.hidden = false;
  const words = `Changed from ${listed(change.before)} to ${listed(change.after)}.`;
  const back = el("button", { class: "button small", type: "button", on: { click: () => undo(screen, change.change, back) } }, "Undo");
  put(screen.state, el("p", { class: "done" }, words, " ", back));
  back.focus();
  say(words);
}

function listed(genres) {
  return genres.length ? genres.join(", ") : "no genre";
}

function drawChanges(screen) {
  const { cover, parts } = screen;
  if (!cover.changes.length) {
    put(parts.changes);
    return;
  }
  put(parts.changes,
    el("h2", null, "What was changed"),
    el("ol", { class: "changes" }, cover.changes.map((change) => {
      const button = el("button", { class: "button small", type: "button", on: { click: () => undo(screen, change.change, button) } }, "Undo");
      return el("li", null,
        el("span", null, el("span", { class: "quiet" }, `${change.change}. `), el("bdi", null, listed(change.before)), " → ", el("bdi", null, listed(change.after))),
        el("span", { class: "quiet" }, el("bdi", null, change.who), ", ", el("time", { datetime: change.when }, timeOf(change.when)), change.undone ? ", undone" : "", change.undoes ? `, to undo change ${change.undoes}` : ""),
        change.undone ? null : button);
    })));
}

function timeOf(when) {
  const time = new Date(when);
  return Number.isNaN(time.getTime()) ? when : time.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

export default { title: "Cover", mount, unmount };
