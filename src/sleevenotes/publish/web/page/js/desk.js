// The covers on the desk: what was brought, and what the model said of each. Kept while the page is open, and nowhere else.

import { abandoned, api, upload } from "./api.js";
import { percent } from "./dom.js";
import { UNTOUCHED } from "./edits.js";

export const MOST_COVERS = 60; // on the desk at once
const AT_ONCE = 4; // requests
const PATIENCE = 8; // more tries while the server is busy

/** A cover that somebody brought. */
export class DeskCover {
  constructor(file) {
    this.file = file;
    this.name = file.name || "pasted cover";
    this.url = URL.createObjectURL(file);
    this.edit = { ...UNTOUCHED, masks: [] };
    this.verdict = null; // of the untouched cover
    this.error = null;
    this.unreadable = false; // by this browser; the server may know more kinds of file
    this.picture = null;
  }

  /** The verdict in a word or two. */
  short() {
    if (this.error) return "can't be read";
    if (!this.verdict) return "…";
    if (this.verdict.cant_tell) return "can't tell";
    const [first] = this.verdict.genres;
    return `${first.genre} ${percent(first.proba)}`;
  }

  /** Let go of the pictures. */
  close() {
    URL.revokeObjectURL(this.url);
    this.picture?.close();
  }

  /** Return the cover's pixels, the right way up; null where this browser can't show it. */
  async pixels() {
    if (!this.picture && !this.unreadable) {
      try {
        this.picture = await createImageBitmap(this.file);
      } catch {
        this.unreadable = true; // the server's verdict stands all the same
      }
    }
    return this.picture;
  }
}

/** Ask what the model says of a file; its own error is thrown as an error. */
export async function judged(file, name, signal) {
  const { predictions: [found], task } = await api.post("/predict", upload(file, name), { signal, patience: PATIENCE });
  if (found.error) throw Object.assign(new Error(found.error), { sentence: found.error });
  return { ...found, task };
}

/** The desk itself. `onVerdict(cover)` is called for each that has its verdict, or its error. */
export class Desk {
  constructor() {
    this.covers = [];
    this.at = 0;
    this.onVerdict = () => {};
  }

  get cover() {
    return this.covers[this.at] ?? null;
  }

  /** Lay covers on the desk and ask for their verdicts, a few at a time; how many found no room. */
  add(files) {
    const room = Math.max(0, MOST_COVERS - this.covers.length);
    const fresh = files.slice(0, room).map((file) => new DeskCover(file));
    if (fresh.length) this.at = this.covers.length;
    this.covers.push(...fresh);
    const waiting = [...fresh];
    for (let worker = 0; worker < AT_ONCE; worker += 1) this.work(waiting);
    return files.length - fresh.length;
  }

  async work(waiting) {
    for (let cover = waiting.shift(); cover; cover = waiting.shift()) {
      if (this.covers.includes(cover)) await this.ask(cover);
    }
  }

  async ask(cover) {
    cover.error = null;
    try {
      cover.verdict = await judged(cover.file, cover.name);
    } catch (error) {
      if (!abandoned(error)) cover.error = error;
    }
    if (this.covers.includes(cover)) this.onVerdict(cover);
  }

  clear() {
    for (const cover of this.covers) cover.close();
    this.covers = [];
    this.at = 0;
  }
}
