// The map as it is painted: dots from afar, covers from near.

import { genreColor } from "./dom.js";
import { toMap, toScreen, whole } from "./mapview.js";

const COVERS_FROM = 140; // no more covers than this are shown as pictures at once
const DOTS = 150; // over the root of how many: the size of a dot from afar
const THUMBS_KEPT = 500;
const [SMALLEST_PX, LARGEST_PX] = [26, 112]; // of a cover on the map

/** Pictures that were asked for, the oldest forgotten first. */
export class Thumbs {
  constructor(addressOf, onLoad) {
    Object.assign(this, { addressOf, onLoad });
    this.pictures = new Map();
  }

  /** The picture of a cover; null until it is there. */
  of(id) {
    let picture = this.pictures.get(id);
    if (picture) this.pictures.delete(id);
    else {
      picture = new Image();
      picture.decoding = "async";
      picture.onload = () => this.onLoad();
      picture.src = this.addressOf(id);
    }
    this.pictures.set(id, picture);
    if (this.pictures.size > THUMBS_KEPT) this.pictures.delete(this.pictures.keys().next().value);
    return picture.complete && picture.naturalWidth ? picture : null;
  }
}

/** How near a pointer must be to a cover. */
export function hitPx({ places, view, points, width }) {
  return places?.side ? places.side * 0.7 : radiusPx(view, points.length, width) + 9;
}

function radiusPx(view, many, width) {
  const close = view.scale / Math.min(width, 1000); // 1 and less: all of the map
  return Math.min(9, Math.max(1.6, DOTS / Math.sqrt(many)) * Math.max(0.8, Math.sqrt(close)));
}

/** Paint what is seen; returns the indices of what was painted, and the side of a cover where covers were. */
export function draw(screen) {
  const { canvas, ratio, width, height, view } = screen;
  const brush = canvas.getContext("2d");
  const inks = inksOf(canvas);
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  brush.clearRect(0, 0, width, height);
  const seen = seenOf(screen);
  const side = sideOf(seen, view, screen);
  if (side) drawCovers(brush, screen, seen, { side, inks });
  else drawDots(brush, screen, seen, inks);
  drawShown(brush, screen, { side, inks });
  if (document.activeElement === canvas) drawCross(brush, screen, inks);
  return { seen, side };
}

function inksOf(canvas) {
  const style = getComputedStyle(canvas);
  const ink = (name) => style.getPropertyValue(name).trim();
  return { paper: ink("--paper"), ink: ink("--ink"), wash: ink("--wash"), accent: ink("--accent") };
}

function seenOf({ points, fields, view, width, height, off }) {
  const [left, top] = toMap(view, width, height, -LARGEST_PX / 2, -LARGEST_PX / 2);
  const [right, bottom] = toMap(view, width, height, width + LARGEST_PX / 2, height + LARGEST_PX / 2);
  const within = ({ x, y }) => x >= left && x <= right && y >= top && y <= bottom;
  return [...fields.within(left, top, right, bottom)].filter((index) => within(points[index]) && !off.has(points[index].genre));
}

/** The side of a cover on the map, 0 where dots are to be drawn: covers need room, and somebody who came near. */
function sideOf(seen, view, { width, height, points }) {
  if (!seen.length || seen.length > COVERS_FROM) return 0;
  const room = Math.sqrt((width * height) / Math.max(seen.length, 12)) * 0.62;
  // a map of few covers is still a map of dots before it is zoomed into
  const near = view.scale > 1.4 * whole(width, height, view).scale || points.length <= 40;
  return near ? Math.max(SMALLEST_PX, Math.min(LARGEST_PX, room)) : 0;
}

function drawDots(brush, { points, view, width, height }, seen, inks) {
  const radius = radiusPx(view, points.length, width);
  const colors = new Map();
  // those of the test split are rings, and lie on top
  for (const rings of [false, true]) {
    for (const index of seen) {
      const { x, y, genre, split } = points[index];
      if ((split === "test") !== rings) continue;
      if (!colors.has(genre)) colors.set(genre, genreColor(genre));
      const [px, py] = toScreen(view, width, height, x, y);
      brush.beginPath();
      brush.arc(px, py, radius, 0, 2 * Math.PI);
      brush.fillStyle = rings ? inks.paper : colors.get(genre);
      brush.fill();
      if (!rings) continue;
      brush.strokeStyle = colors.get(genre);
      brush.lineWidth = Math.max(1, radius * 0.45);
      brush.stroke();
    }
  }
}

function drawCovers(brush, screen, seen, { side, inks }) {
  for (const index of seen) drawCover(brush, screen, index, { side, inks });
}

function drawCover(brush, { points, thumbs, view, width, height }, index, { side, inks }) {
  const { id, x, y, genre } = points[index];
  const [px, py] = toScreen(view, width, height, x, y);
  const [left, top] = [px - side / 2, py - side / 2];
  const color = genreColor(genre);
  const picture = thumbs.of(id);
  brush.fillStyle = color;
  brush.fillRect(left - 2, top - 2, side + 4, side + 4);
  brush.fillStyle = inks.wash;
  brush.fillRect(left, top, side, side);
  if (picture) brush.drawImage(picture, left, top, side, side);
}

/** The cover that is pointed at lies on top, framed in ink. */
function drawShown(brush, screen, { side, inks }) {
  if (screen.shown === null) return;
  const { points, view, width, height } = screen;
  const { x, y, genre } = points[screen.shown];
  const [px, py] = toScreen(view, width, height, x, y);
  if (side) drawCover(brush, screen, screen.shown, { side: side * 1.15, inks });
  brush.strokeStyle = inks.ink;
  brush.lineWidth = 2.5;
  if (side) return brush.strokeRect(px - side * 0.575 - 2, py - side * 0.575 - 2, side * 1.15 + 4, side * 1.15 + 4);
  brush.fillStyle = genreColor(genre);
  brush.beginPath();
  brush.arc(px, py, radiusPx(view, points.length, width) + 3, 0, 2 * Math.PI);
  brush.fill();
  return brush.stroke();
}

function drawCross(brush, { width, height }, inks) {
  const [x, y, arm] = [width / 2, height / 2, 11];
  for (const [color, wide] of [[inks.paper, 5], [inks.accent, 2]]) {
    brush.strokeStyle = color;
    brush.lineWidth = wide;
    brush.beginPath();
    brush.moveTo(x - arm, y);
    brush.lineTo(x + arm, y);
    brush.moveTo(x, y - arm);
    brush.lineTo(x, y + arm);
    brush.stroke();
  }
}
