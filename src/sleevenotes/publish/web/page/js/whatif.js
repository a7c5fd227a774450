// "What if": the tools that change a cover on a canvas. They change how it looks at once, and tell who listens what was done.

import { draw, told, untouched, UNTOUCHED } from "./edits.js";
import { el, put, say } from "./dom.js";
import { Masks } from "./masks.js";

const TOOLS = [
  { name: "crop", words: "Crop", most: 40, step: 2, unit: "\u00a0% a side" },
  { name: "grey", words: "Grey", most: 100, step: 5, unit: "\u00a0%" },
  { name: "blur", words: "Blur", most: 30, step: 1, unit: "" },
  { name: "hue", words: "Hue", least: -180, most: 180, step: 10, unit: "°" },
];

/**
 * The tools. `element` has them, `canvas` shows the changed cover, `masks.element` lies over it.
 *
 * `onEdit(edit)` is called after each change, when the canvas shows it; `onMasking()` when regions are to be drawn.
 */
export class WhatIf {
  constructor({ onEdit, onMasking }) {
    Object.assign(this, { onEdit, onMasking });
    this.picture = null;
    this.edit = { ...UNTOUCHED, masks: [] };
    this.frame = 0;
    this.canvas = el("canvas", { class: "judge-canvas", role: "img", "aria-label": "The cover as you changed it", hidden: true });
    this.masks = new Masks({ onChange: (masks) => this.change({ masks }) });
    this.inputs = Object.fromEntries(TOOLS.map((tool) => [tool.name, this.tool(tool)]));
    const button = (words, action, more) => el("button", { class: "button small", type: "button", ...more, on: { click: action } }, words);
    this.masking = button("Mask a region", () => this.toggle(), { "aria-pressed": "false" });
    this.adding = button("Add one in the middle", () => this.masks.add(), { hidden: true });
    this.reset = button("Undo all", () => this.undo(), { disabled: true });
    this.hint = el("p", { class: "quiet", hidden: true }, "Drag over the cover. A region moves when dragged or by arrow keys, grows at its corner or with Shift, and Delete lifts it.");
    this.element = el("fieldset", { class: "whatif" },
      el("legend", null, el("h2", null, "What if it were different?")),
      Object.values(this.inputs).map(({ label }) => label),
      el("div", { class: "whatif-buttons" }, this.masking, this.adding, this.reset), this.hint);
  }

  tool({ name, words, least = 0, most, step, unit }) {
    const output = el("output", null, "0");
    const input = el("input", { type: "range", min: String(least), max: String(most), step: String(step), value: "0", name,
      on: { input: () => this.change({ [name]: Number(input.value) }) } });
    const label = el("label", { class: "whatif-tool" }, el("span", null, words), input, output);
    const tell = (value) => {
      input.value = String(value);
      put(output, value ? `${value}${unit}` : "–");
      input.setAttribute("aria-valuetext", value ? `${value}${unit}` : "none");
    };
    tell(0);
    return { label, input, tell };
  }

  /** Take up a cover's pixels and what was done to it; null pixels where this browser can't show it. */
  set(picture, edit) {
    this.picture = picture;
    this.edit = { ...edit };
    this.element.disabled = !picture;
    this.masks.set(edit.masks);
    this.open(edit.masks.length > 0);
    this.show();
  }

  change(part) {
    this.edit = { ...this.edit, ...part };
    // the canvas is drawn once a frame, however fast a slider moves
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.show();
      this.onEdit(this.edit);
    });
  }

  show() {
    const plain = untouched(this.edit);
    this.canvas.hidden = plain;
    this.reset.disabled = plain;
    for (const { name } of TOOLS) this.inputs[name].tell(this.edit[name]);
    if (!plain && this.picture) draw(this.canvas, this.picture, this.edit);
    this.canvas.setAttribute("aria-label", `The cover, ${told(this.edit)}`);
  }

  open(open) {
    this.masks.open = open;
    this.masking.setAttribute("aria-pressed", String(open));
    this.adding.hidden = !open;
    this.hint.hidden = !open;
  }

  toggle() {
    this.open(!this.masks.open);
    if (!this.masks.open) return;
    this.onMasking();
    say("Drag over the cover, or add a region in the middle and move it by arrow keys.");
  }

  undo() {
    this.masks.set([]);
    this.open(false);
    this.change({ ...UNTOUCHED, masks: [] });
    this.masking.focus();
  }

  /** What is sent: a PNG of the canvas. */
  png() {
    return new Promise((resolve, reject) => {
      this.canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("this browser could not draw the changed cover"))), "image/png");
    });
  }
}
