// "What if": a cover cropped, greyed, blurred, of another hue, or with a region masked. Pure functions on pixels, done here and not
// by the canvas's filters, which not every browser has, and whose blur lets the paper shine in at the edges.

import { hundredths } from "./dom.js";

export const MOST_PX = 512; // of the longer side of what is sent
export const UNTOUCHED = Object.freeze({ crop: 0, grey: 0, blur: 0, hue: 0, masks: Object.freeze([]) });

/** Whether an edit changes nothing, so that the file itself can be sent. */
export function untouched({ crop, grey, blur, hue, masks }) {
  return !crop && !grey && !blur && !hue && !masks.length;
}

/** An edit in words: "cropped by 10 %, grey, 1 region masked". */
export function told({ crop, grey, blur, hue, masks }) {
  const words = [
    crop && `cropped by ${hundredths(crop)}`,
    grey && (grey === 100 ? "grey" : `${hundredths(grey)} grey`),
    blur && `blurred by ${blur}`,
    hue && `hue turned by ${hue}°`,
    masks.length && `${masks.length} ${masks.length === 1 ? "region" : "regions"} masked`,
  ];
  return words.filter(Boolean).join(", ");
}

/**
 * Draw an edited cover on a canvas.
 *
 * picture: an ImageBitmap. crop: percent that each side loses, 0 to 45. grey: percent. blur: 0 to 30, thousandths of the side.
 * hue: degrees. masks: `[{x, y, width, height}]` in shares of what is left after the crop.
 */
export function draw(canvas, picture, { crop, grey, blur, hue, masks }) {
  const lost = crop / 100;
  const [from_x, from_y] = [picture.width * lost, picture.height * lost];
  const [wide, high] = [picture.width - 2 * from_x, picture.height - 2 * from_y];
  const scale = Math.min(1, MOST_PX / Math.max(wide, high));
  canvas.width = Math.max(1, Math.round(wide * scale));
  canvas.height = Math.max(1, Math.round(high * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff"; // behind what is see-through, as the model has it
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, from_x, from_y, wide, high, 0, 0, canvas.width, canvas.height);
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  if (grey || hue) recolor(image.data, grey / 100, hue);
  if (blur) soften(image, Math.max(1, Math.round((blur / 1000) * Math.max(canvas.width, canvas.height))));
  for (const mask of masks) cover(image, mask);
  context.putImageData(image, 0, 0);
}

/** Turn the hue by degrees, then take colour away: both as one matrix on red, green, blue, at equal lightness. */
export function recolor(data, grey, hue) {
  const [cos, sin] = [Math.cos((hue * Math.PI) / 180), Math.sin((hue * Math.PI) / 180)];
  const [r, g, b] = [0.213, 0.715, 0.072]; // what each gives to lightness
  const turned = [
    [r + cos * (1 - r) - sin * r, g - cos * g - sin * g, b - cos * b + sin * (1 - b)],
    [r - cos * r + sin * 0.143, g + cos * (1 - g) + sin * 0.14, b - cos * b - sin * 0.283],
    [r - cos * r - sin * (1 - r), g - cos * g + sin * g, b + cos * (1 - b) + sin * b],
  ];
  const light = [r, g, b];
  const matrix = turned.map((row) => row.map((weight, at) => (1 - grey) * weight + grey * light[at]));
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue] = [data[at], data[at + 1], data[at + 2]];
    for (let channel = 0; channel < 3; channel += 1) {
      const [x, y, z] = matrix[channel];
      data[at + channel] = x * red + y * green + z * blue; // rounded and clipped by the array
    }
  }
}

/** Three means over neighbours, which come near to a Gaussian blur; the edge is repeated outwards. */
export function soften({ data, width, height }, radius) {
  const kept = new Uint8ClampedArray(data.length);
  for (let pass = 0; pass < 3; pass += 1) {
    smear(data, kept, { lines: height, length: width, step: 4, stride: 4 * width, radius });
    smear(kept, data, { lines: width, length: height, step: 4 * width, stride: 4, radius });
  }
}

function smear(from, to, { lines, length, step, stride, radius }) {
  const span = 2 * radius + 1;
  for (let line = 0; line < lines; line += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      const start = line * stride + channel;
      const value = (at) => from[start + Math.min(length - 1, Math.max(0, at)) * step];
      let sum = 0;
      for (let at = -radius; at <= radius; at += 1) sum += value(at);
      for (let at = 0; at < length; at += 1) {
        to[start + at * step] = sum / span;
        sum += value(at + radius + 1) - value(at - radius);
      }
    }
    for (let at = 0; at < length; at += 1) to[line * stride + at * step + 3] = 255;
  }
}

/** Lay the cover's mean colour over a region, which says less than black or white would. */
export function cover({ data, width, height }, mask) {
  const mean = [0, 0, 0];
  for (let at = 0; at < data.length; at += 4) for (let channel = 0; channel < 3; channel += 1) mean[channel] += data[at + channel];
  const color = mean.map((sum) => sum / (data.length / 4));
  const [left, top] = [Math.round(mask.x * width), Math.round(mask.y * height)];
  const [right, bottom] = [Math.round((mask.x + mask.width) * width), Math.round((mask.y + mask.height) * height)];
  for (let y = Math.max(0, top); y < Math.min(height, bottom); y += 1) {
    for (let x = Math.max(0, left); x < Math.min(width, right); x += 1) {
      for (let channel = 0; channel < 3; channel += 1) data[4 * (y * width + x) + channel] = color[channel];
    }
  }
}
