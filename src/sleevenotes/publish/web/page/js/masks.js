// Regions that are masked, drawn with the mouse or a finger, or moved and sized by keys. All in shares of the cover, 0 to 1.

import { el, put, say } from "./dom.js";

const LEAST = 0.04; // smaller is a slip of the hand
const STEP = 0.02;
const FIRST = { x: 0.35, y: 0.35, width: 0.3, height: 0.3 };

/**
 * Rectangles over a cover.
 *
 * `element` goes over the picture, just as large. `onChange(masks)` is called whenever a region was drawn, moved, sized or lifted.
 */
export class Masks {
  constructor({ onChange }) {
    this.onChange = onChange;
    this.masks = [];
    this.element = el("div", { class: "masks", hidden: true, on: { pointerdown: (event) => this.grab(event) } });
  }

  /** Whether regions can be drawn now. */
  set open(open) {
    this.element.hidden = !open;
  }

  get open() {
    return !this.element.hidden;
  }

  /** Begin with a region in the middle, for those who draw by keys. */
  add(mask = FIRST) {
    this.masks.push({ ...mask });
    this.draw();
    this.element.lastElementChild.focus();
    this.changed();
  }

  set(masks) {
    this.masks = masks.map((mask) => ({ ...mask }));
    this.draw();
  }

  draw() {
    put(this.element, this.masks.map((_, at) => this.node(at)));
    this.place();
  }

  node(at) {
    const words = `Masked region ${at + 1}. Arrow keys move it, with Shift they size it, Delete lifts it.`;
    return el("button", { class: "mask", type: "button", "aria-label": words, data: { at }, on: { keydown: (event) => this.key(event, at) } },
      el("span", { class: "mask-corner", "aria-hidden": "true" }));
  }

  place() {
    for (const [at, { x, y, width, height }] of this.masks.entries()) {
      const { style } = this.element.children[at];
      style.setProperty("left", `${100 * x}%`);
      style.setProperty("top", `${100 * y}%`);
      style.setProperty("width", `${100 * width}%`);
      style.setProperty("height", `${100 * height}%`);
    }
  }

  changed() {
    this.onChange(this.masks.map((mask) => ({ ...mask })));
  }

  key(event, at) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if (event.key === "Delete" || event.key === "Backspace") this.lift(at);
    else if (way && event.shiftKey) Object.assign(this.masks[at], sized(this.masks[at], way[0] * STEP, way[1] * STEP));
    else if (way) Object.assign(this.masks[at], moved(this.masks[at], way[0] * STEP, way[1] * STEP));
    else return;
    event.preventDefault();
    this.place();
    this.changed();
  }

  lift(at) {
    this.masks.splice(at, 1);
    this.draw();
    this.element.children[Math.min(at, this.masks.length - 1)]?.focus();
    say("Region lifted");
  }

  /** A new region from where the pointer goes down; on one that is there it moves that, on its corner it sizes it. */
  grab(event) {
    if (event.button) return;
    event.preventDefault();
    const box = this.element.getBoundingClientRect();
    const at_share = (moving) => [within((moving.clientX - box.left) / box.width), within((moving.clientY - box.top) / box.height)];
    const start = at_share(event);
    const held = event.target.closest(".mask");
    const at = held ? Number(held.dataset.at) : this.masks.push({ x: start[0], y: start[1], width: 0, height: 0 }) - 1;
    if (!held) this.draw();
    const before = { ...this.masks[at] };
    const corner = event.target.closest(".mask-corner");
    const follow = (moving) => {
      const [x, y] = at_share(moving);
      const [over, down] = [x - start[0], y - start[1]];
      Object.assign(this.masks[at], !held ? between(start, [x, y]) : corner ? sized(before, over, down) : moved(before, over, down));
      this.place();
      this.changed();
    };
    this.hold(event, follow, () => this.drawn(at));
  }

  hold(event, follow, end) {
    this.element.setPointerCapture(event.pointerId);
    const over = () => {
      this.element.removeEventListener("pointermove", follow);
      this.element.removeEventListener("pointerup", over);
      this.element.removeEventListener("pointercancel", over);
      end();
    };
    this.element.addEventListener("pointermove", follow);
    this.element.addEventListener("pointerup", over);
    this.element.addEventListener("pointercancel", over);
  }

  drawn(at) {
    const { width, height } = this.masks[at];
    if (width < LEAST || height < LEAST) this.masks.splice(at, 1);
    this.draw();
    this.element.children[at]?.focus({ preventScroll: true });
    this.changed();
  }
}

function within(share) {
  return Math.min(1, Math.max(0, share));
}

function between([x, y], [u, v]) {
  return { x: Math.min(x, u), y: Math.min(y, v), width: Math.abs(u - x), height: Math.abs(v - y) };
}

function moved({ x, y, width, height }, over, down) {
  return { x: Math.min(1 - width, Math.max(0, x + over)), y: Math.min(1 - height, Math.max(0, y + down)), width, height };
}

function sized({ x, y, width, height }, over, down) {
  return { x, y, width: Math.min(1 - x, Math.max(LEAST, width + over)), height: Math.min(1 - y, Math.max(LEAST, height + down)) };
}
