// How covers come in: dropped anywhere, pasted, picked, photographed, or taken from the dataset.

import { address, api, part } from "./api.js";
import { el, put } from "./dom.js";

/**
 * The empty sleeve, and what listens while it is open.
 *
 * `onFiles(files)` gets what came in; `onProblem(error)` what went wrong on the way. `element` is the sleeve to drop on,
 * `buttons()` the same ways as a row of buttons for later.
 */
export class Intake {
  constructor({ onFiles, onProblem }) {
    Object.assign(this, { onFiles, onProblem });
    this.listeners = {
      dragenter: (event) => this.over(event), dragover: (event) => this.over(event), dragleave: (event) => this.left(event),
      drop: (event) => this.dropped(event), paste: (event) => this.pasted(event),
    };
    this.element = el("div", { class: "intake square sleeve" },
      el("div", { class: "intake-words" },
        el("p", { class: "intake-call intake-mouse" }, "Drop a cover here"),
        el("p", { class: "quiet intake-mouse" }, "or paste one; several at once, too"),
        el("p", { class: "intake-call intake-touch" }, "Bring a cover"),
        el("div", { class: "intake-buttons" }, this.buttons({ main: true }))));
  }

  /** The ways in as buttons; the one to photograph shows where there is a touch screen, and so a camera. */
  buttons({ main = false } = {}) {
    const pick = el("input", { type: "file", accept: "image/*", multiple: true, class: "unseen", tabindex: "-1", "aria-hidden": "true" });
    const snap = el("input", { type: "file", accept: "image/*", capture: "environment", class: "unseen", tabindex: "-1", "aria-hidden": "true" });
    for (const input of [pick, snap]) {
      input.addEventListener("change", () => {
        this.take(input.files);
        input.value = ""; // so that the same file can be picked again
      });
    }
    const button = (words, kind, action) => el("button", { class: `button ${kind}`, type: "button", on: { click: action } }, words);
    return [pick, snap,
      button(main ? "Choose a file" : "Another cover", main ? "main" : "small", () => pick.click()),
      button("Take a photo", main ? "intake-photo" : "small intake-photo", () => snap.click())];
  }

  /** A button that brings a held-out cover of the dataset, for who has none at hand. */
  borrow() {
    const button = el("button", { class: "button small", type: "button", hidden: true, on: { click: () => this.borrowed(button) } },
      "No cover at hand? Take one of the dataset");
    api.get("/covers", { query: { split: "test", limit: 1 } }).then(({ total }) => {
      this.total = total;
      button.hidden = !total;
    }, () => button.remove()); // no dataset is served: nothing to borrow from
    return button;
  }

  async borrowed(button) {
    button.disabled = true;
    try {
      const offset = Math.floor(Math.random() * this.total);
      const { covers: [cover] } = await api.get("/covers", { query: { split: "test", limit: 1, offset } });
      const answer = await fetch(address(`/covers/${part(cover.id)}/image`, { size: "full" }));
      const data = await answer.blob();
      const name = cover.file_name.split("/").at(-1);
      this.take([new File([data], name, { type: data.type })]);
    } catch (error) {
      this.onProblem(error);
    } finally {
      button.disabled = false;
    }
  }

  listen() {
    for (const [name, listener] of Object.entries(this.listeners)) window.addEventListener(name, listener);
  }

  stop() {
    for (const [name, listener] of Object.entries(this.listeners)) window.removeEventListener(name, listener);
    document.body.classList.remove("dropping");
  }

  take(files) {
    if (files.length) this.onFiles([...files]);
  }

  over(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  }

  left(event) {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  }

  dropped(event) {
    document.body.classList.remove("dropping");
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    this.take(event.dataTransfer.files);
  }

  pasted(event) {
    const files = event.clipboardData?.files ?? [];
    if (!files.length) return;
    event.preventDefault();
    this.take(files);
  }
}

/** The row of covers on the desk: each a button with its verdict under it. */
export function row(covers, at, onChoose) {
  return covers.map((cover, index) => el("li", null,
    el("button", { class: "desk-cover", type: "button", "aria-current": index === at ? "true" : null, on: { click: () => onChoose(index) } },
      thumb(cover),
      el("span", { class: "desk-name" }, cover.name),
      el("span", { class: "desk-verdict" }, cover.short()))));
}

function thumb(cover) {
  const square = el("span", { class: "square desk-square" });
  const image = el("img", { alt: "", src: cover.url, on: { error: () => put(square, "no picture") } });
  return put(square, cover.unreadable ? "no picture" : image);
}
