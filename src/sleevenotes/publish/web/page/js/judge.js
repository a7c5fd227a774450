// The screen for a cover that somebody brings: what it says, why, what is near, and what would change the verdict.

import { abandoned, address, api, part, upload } from "./api.js";
import { Bars } from "./bars.js";
import { Desk, judged, MOST_COVERS } from "./desk.js";
import { count, debounced, el, percent, points, problem, put, say, swatch } from "./dom.js";
import { told, untouched } from "./edits.js";
import { Intake, row } from "./intake.js";
import { warning } from "./known.js";
import { MapSlider } from "./mapslider.js";
import { WhatIf } from "./whatif.js";

const VERDICT_MS = 150; // after the hand rests
const MAP_MS = 600; // a map takes longer to make
const SIMILAR = 8;

const desk = new Desk(); // what lies there stays while other screens are looked at

class Judge {
  constructor(root) {
    this.root = root;
    this.genre = null; // whose map is shown
    this.intake = new Intake({ onFiles: (files) => this.take(files), onProblem: (error) => this.complain(error) });
    this.bars = new Bars({ onPick: (genre) => this.pick(genre) });
    this.map = new MapSlider();
    // on a phone the cover may be out of sight
    this.whatif = new WhatIf({ onEdit: (edit) => this.edited(edit), onMasking: () => this.stage.scrollIntoView({ block: "nearest" }) });
    this.askAgain = debounced(() => this.judgeEdited(), VERDICT_MS);
    this.mapAgain = debounced(() => this.explain(), MAP_MS);
    this.asking = {}; // what is asked of the server now, each by its name, so that the newest question wins
    this.build();
  }

  build() {
    this.heading = el("h1", null, "What does a cover say?");
    this.trust = el("p", { class: "judge-trust" });
    this.news = el("div", { class: "judge-news" });
    this.image = el("img", { class: "judge-image", alt: "", on: { error: () => this.noPicture() } });
    this.unseen = el("p", { class: "quiet judge-unseen", hidden: true }, "This browser can't show the file. The verdict is the server's.");
    this.picture = el("div", { class: "judge-picture" }, this.image, this.whatif.canvas, this.map.layers, this.whatif.masks.element);
    this.stage = el("div", { class: "square sleeve judge-stage" }, this.picture, this.unseen);
    this.caption = el("p", { class: "quiet judge-caption" });
    this.why = el("div", { class: "judge-why" });
    this.palette = el("div", { class: "judge-palette" });
    this.verdict = el("div", { class: "judge-verdict" });
    this.row = el("ul", { class: "desk", "aria-label": "Covers on the desk" });
    this.similar = el("section", { class: "judge-similar", "aria-label": "Similar covers" });
    this.left = el("div", { class: "judge-left" });
    this.right = el("div", { class: "judge-right" });
    put(this.root, el("div", { class: "judge-grid" }, this.left, this.right), this.similar);
  }

  open() {
    desk.onVerdict = (cover) => this.arrived(cover);
    this.intake.listen();
    this.lay();
    trusted().then((line) => put(this.trust, line), () => this.trust.remove());
  }

  close() {
    desk.onVerdict = () => {};
    this.intake.stop();
    this.askAgain.cancel();
    this.mapAgain.cancel();
    for (const asking of Object.values(this.asking)) asking.abort();
  }

  /** A signal for a question; the one before it with the same name is dropped. */
  ask(name) {
    this.asking[name]?.abort();
    this.asking[name] = new AbortController();
    return this.asking[name].signal;
  }

  take(files) {
    const left = desk.add(files);
    this.lay();
    const room = left ? `${count(left, "cover")} found no room: ${MOST_COVERS} lie on the desk at most.` : "";
    put(this.news, room && el("p", { class: "problem", role: "alert" }, room));
    say(`${count(files.length - left, "cover")} brought. ${room}`);
  }

  complain(error) {
    if (!abandoned(error)) put(this.news, problem(error));
  }

  /** Lay out the screen: the empty sleeve, or the cover that is looked at. */
  lay() {
    const { cover } = desk;
    this.root.classList.toggle("judge-empty", !cover);
    if (!cover) {
      put(this.heading, "What does a cover say?");
      put(this.left, this.intake.element);
      put(this.right, this.heading,
        el("p", { class: "judge-lead" }, "Show it an album cover. It says which genre the cover reads as, where it looked, what is near, and what a change would do."),
        this.trust, this.news, this.intake.borrow());
      put(this.similar);
      return;
    }
    const again = el("button", { class: "button small", type: "button", on: { click: () => this.clear() } }, desk.covers.length > 1 ? "Put all away" : "Put it away");
    put(this.left, this.stage, this.caption, this.map.control, this.why, this.palette);
    put(this.right, this.heading, this.verdict, this.whatif.element, this.trust, this.news,
      el("div", { class: "judge-more" }, this.row, el("div", { class: "judge-ways" }, this.intake.buttons(), again)));
    this.look();
  }

  clear() {
    for (const asking of Object.values(this.asking)) asking.abort();
    desk.clear();
    this.lay();
    this.heading.focus();
  }

  choose(at) {
    desk.at = at;
    this.look();
    this.row.children[at]?.querySelector("button").focus();
  }

  /** Show the cover that is looked at, from its file on. */
  look() {
    const { cover } = desk;
    this.genre = null;
    this.map.clear();
    put(this.why);
    this.unseen.hidden = true;
    this.image.hidden = false;
    this.image.src = cover.url;
    this.image.alt = `The cover ${cover.name}`;
    put(this.palette);
    put(this.similar);
    this.whatif.set(null, cover.edit);
    this.fit(cover);
    this.tell(cover);
    this.list();
    if (cover.verdict) this.around(cover);
    if (!untouched(cover.edit)) this.askAgain();
  }

  async fit(cover) {
    const pixels = await cover.pixels();
    if (desk.cover !== cover) return;
    if (!pixels) {
      this.noPicture();
      return;
    }
    const shape = pixels.width / pixels.height;
    this.picture.style.setProperty("width", `${100 * Math.min(1, shape)}%`);
    this.picture.style.setProperty("height", `${100 * Math.min(1, 1 / shape)}%`);
    this.whatif.set(pixels, cover.edit);
  }

  noPicture() {
    if (!desk.cover) return;
    desk.cover.unreadable = true;
    this.image.hidden = true;
    this.unseen.hidden = false;
  }

  list() {
    this.row.hidden = desk.covers.length < 2;
    put(this.row, desk.covers.length < 2 ? [] : row(desk.covers, desk.at, (at) => this.choose(at)));
  }

  arrived(cover) {
    this.list();
    if (cover !== desk.cover) return;
    this.tell(cover);
    if (cover.verdict) {
      say(spoken(cover.verdict));
      this.around(cover);
    } else if (cover.error) say(cover.error.sentence ?? cover.error.message);
  }

  /** Say what the model says, of the cover as it is or as it was changed. */
  tell(cover, changed = null) {
    put(this.heading, cover.verdict || cover.error ? "What this cover says" : "Looking at it …");
    put(this.caption, cover.name);
    this.whatif.element.hidden = !cover.verdict;
    if (cover.error) {
      const retry = el("button", { class: "button small", type: "button", on: { click: () => desk.ask(cover) } }, "Try again");
      put(this.verdict, problem(cover.error), cover.error.passing || cover.error.status === 0 ? retry : null);
      return;
    }
    if (!cover.verdict) {
      put(this.verdict, el("p", { class: "waiting" }, "The model looks at the cover."));
      return;
    }
    const now = changed ?? cover.verdict;
    const before = changed && new Map(cover.verdict.genres.map(({ genre, proba }) => [genre, proba]));
    this.bars.show(now.genres, { before, dimmed: Boolean(now.cant_tell) });
    if (!this.verdict.contains(this.bars.element)) {
      this.words = el("div", { class: "judge-words" });
      put(this.verdict, this.words, this.bars.element, el("p", { class: "quiet" }, "Press a genre to see what on the cover speaks for it."));
    }
    put(this.words, warning(cover.verdict.known, "judge-learnt"), words(now), changed && el("p", { class: "quiet judge-moved" }, moved(cover, changed)));
  }

  /** What stands around the verdict: the palette, and what is near. */
  around(cover) {
    this.bars.press(null);
    this.section("palette", cover, this.palette, () => api.post("/palette", upload(cover.file, cover.name), { signal: this.ask("palette"), patience: 4 }), palette);
    this.section("similar", cover, this.similar,
      () => api.post("/similar", upload(cover.file, cover.name), { query: { top: SIMILAR }, signal: this.ask("similar"), patience: 4 }), similar);
  }

  async section(name, cover, place, fetched, drawn) {
    try {
      cover[name] ??= await fetched();
      if (desk.cover === cover) put(place, drawn(cover[name]));
    } catch (error) {
      // without a dataset there is nothing to be near to: that is no fault of the cover
      if (!abandoned(error) && desk.cover === cover) put(place, error.kind === "unknown" ? null : problem(error));
    }
  }

  pick(genre) {
    this.genre = this.genre === genre ? null : genre;
    this.bars.press(this.genre);
    if (this.genre) this.explain();
    else {
      this.map.clear();
      put(this.why);
    }
  }

  async explain() {
    const { cover } = desk;
    const genre = this.genre;
    if (!cover || !genre) return;
    const signal = this.ask("explain");
    if (!this.map.shown) put(this.why, el("p", { class: "waiting" }, `Asking the model where it looks for ${genre} …`));
    try {
      const { file, name } = await this.sent(cover);
      const found = await api.post("/explain", upload(file, name), { query: { genre }, signal, patience: 4 });
      if (desk.cover !== cover || this.genre !== genre) return;
      put(this.why);
      this.map.show(found);
      say(`The map for ${genre} lies over the cover. A slider blends both.`);
    } catch (error) {
      if (abandoned(error) || desk.cover !== cover) return;
      this.map.clear();
      put(this.why, problem(error));
    }
  }

  /** The file itself while it is untouched; else a PNG of what the canvas shows. */
  async sent(cover) {
    if (untouched(cover.edit)) return { file: cover.file, name: cover.name };
    return { file: await this.whatif.png(), name: `${cover.name.replace(/\.\w+$/, "")}.png` };
  }

  edited(edit) {
    const { cover } = desk;
    if (!cover) return;
    cover.edit = edit;
    this.asking.verdict?.abort();
    if (this.genre) {
      this.map.clear(); // it was of the cover as it was before
      this.mapAgain();
    }
    this.askAgain();
  }

  async judgeEdited() {
    const { cover } = desk;
    if (!cover?.verdict) return;
    if (untouched(cover.edit)) {
      this.tell(cover);
      say(`As it was: ${spoken(cover.verdict)}`);
      return;
    }
    const signal = this.ask("verdict");
    try {
      const { file, name } = await this.sent(cover);
      const found = await judged(file, name, signal);
      if (desk.cover !== cover || signal.aborted) return;
      this.tell(cover, found);
      put(this.news);
      say(`${moved(cover, found)} ${spoken(found)}`);
    } catch (error) {
      this.complain(error);
    }
  }
}

/** How far to trust it, in the words of the evaluation, with the way to all of its figures. */
async function trusted() {
  const found = await api.get("/model", { patience: 2 });
  const link = el("a", { href: "#/model" }, "How far to trust it");
  return found.verdict ? [found.verdict, " ", link, "."] : ["It was never measured on covers it had not seen: ", link, "."];
}

function spoken({ genres, cant_tell, known }) {
  const first = genres.slice(0, 3).map(({ genre, proba }) => `${genre} ${percent(proba)}`).join(", ");
  const said = cant_tell ? `Can't tell. ${first}` : first;
  return known ? `${known}. ${said}` : said;
}

function words({ genres: [first], risk, cant_tell, task }) {
  if (cant_tell) {
    const why = `Its likeliest answer, ${first.genre}, is too often wrong: ${cant_tell}.`;
    return [el("p", { class: "judge-shout" }, "Can’t tell"), el("p", { class: "judge-reason" }, why)];
  }
  const right = risk === null || risk === undefined || task === "multi" ? "" : `Of answers as sure as this one, about ${percent(1 - risk)} are right.`;
  return [el("p", { class: "judge-shout" }, first.genre, " ", el("span", { class: "judge-share" }, percent(first.proba))),
    right && el("p", { class: "judge-reason" }, right),
    task === "multi" && el("p", { class: "quiet" }, "Each genre is asked for by itself: the percentages need not add up to 100.")];
}

/** What a change did to the genre that was likeliest: "Grey: iron hymn 62 % → 41 %, −21 points." */
function moved(cover, { genres }) {
  const [first] = cover.verdict.genres;
  const now = genres.find(({ genre }) => genre === first.genre)?.proba ?? 0;
  const done = told(cover.edit);
  const change = points(now - first.proba) || "no change";
  return `${done[0].toUpperCase()}${done.slice(1)}: ${first.genre} ${percent(first.proba)} → ${percent(now)}, ${change}.`;
}

function palette({ colors }) {
  return [el("h2", { class: "unseen" }, "Its palette"),
    el("div", { class: "palette-stripe", "aria-hidden": "true" }, colors.map(({ hex, share }) =>
      el("span", { style: { "background-color": hex, "flex-grow": String(share) } }))),
    el("ul", { class: "palette-words" }, colors.map(({ hex, share }) =>
      el("li", null, el("span", { class: "swatch", style: { "background-color": hex } }), el("code", null, hex), el("span", { class: "quiet" }, percent(share)))))];
}

function similar({ similar: found }) {
  if (!found.length) return null;
  return [el("h2", null, "Covers like it"),
    el("ul", { class: "shelf" }, found.map((cover) =>
    el("li", null, el("a", { class: "shelf-cover", href: `#/cover/${part(cover.id)}` },
      el("span", { class: "square" }, el("img", { alt: "", loading: "lazy", width: "256", height: "256", src: address(`/covers/${part(cover.id)}/image`, { size: "thumb" }) })),
      el("span", { class: "shelf-genres" }, cover.genres.map((genre) => el("span", { class: "shelf-genre" }, swatch(genre), " ", genre))),
      el("span", { class: "quiet shelf-name" }, cover.relation && `${cover.relation}: `, [cover.artist, cover.album].filter(Boolean).join(" – ") || cover.file_name.split("/").at(-1))))))];
}

let here = null;

export default {
  title: "Judge",
  mount(root) {
    here = new Judge(root);
    here.open();
  },
  update() {},
  unmount() {
    here?.close();
    here = null;
  },
};
