// Where the model looked: a map that a slider lays over the cover, from the cover alone to the map alone.

import { el, percent } from "./dom.js";

const BOTH = 55; // where the slider begins: map over cover

/**
 * The map of one genre on one cover.
 *
 * `layers` goes over the cover, into the same square (which is `position: relative`); `control` has the slider and goes below.
 * `show` takes an answer of `explain`: `{genre, proba, mapped, cover, heat, overlay}`, pictures as addresses.
 */
export class MapSlider {
  constructor() {
    this.cover = el("img", { alt: "" });
    this.overlay = el("img", { alt: "" });
    this.heat = el("img", { alt: "" });
    this.layers = el("div", { class: "map-layers", hidden: true }, this.cover, this.overlay, this.heat);
    this.range = el("input", { type: "range", min: "0", max: "100", value: String(BOTH), on: { input: () => this.blend() } });
    this.words = el("p", { class: "quiet" });
    this.label = el("span", null);
    this.control = el("div", { class: "map-control", hidden: true },
      el("label", { class: "map-range" }, this.label,
        el("span", { class: "map-ends" }, el("span", { "aria-hidden": "true" }, "Cover"), this.range, el("span", { "aria-hidden": "true" }, "Map"))),
      this.words);
  }

  get shown() {
    return !this.layers.hidden;
  }

  show({ genre, mapped, cover, heat, overlay }) {
    this.cover.src = cover;
    this.overlay.src = overlay;
    this.heat.src = heat;
    this.label.textContent = `What speaks for ${genre}`;
    const part = mapped === null || mapped === undefined || mapped > 0.995 ? ""
      : ` It shows ${percent(mapped)} of what the model goes by; the rest, such as colours, has no place on the cover.`;
    this.words.textContent = `Bright is where the model looked, not proof that it was right to look there.${part}`;
    this.layers.hidden = false;
    this.control.hidden = false;
    this.blend();
  }

  clear() {
    this.layers.hidden = true;
    this.control.hidden = true;
  }

  blend() {
    const at = Number(this.range.value) / 100;
    this.overlay.style.setProperty("opacity", String(Math.min(1, 2 * at)));
    this.heat.style.setProperty("opacity", String(Math.max(0, 2 * at - 1)));
    this.range.setAttribute("aria-valuetext", at === 0 ? "cover alone" : at === 1 ? "map alone" : `${percent(at)} map`);
  }
}
