// What of a map is seen: pure arithmetic, without a canvas. A view is {x, y, scale, high}: the place on the map (0..1 each way)
// that lies in the middle of the canvas, how many pixels the map's whole width takes, and how high the map is (1: as wide).

export const FARTHEST = 60; // times the whole map

/** The view that shows all of the map. */
export function whole(width, height, { high = 1, marginPx = 28 } = {}) {
  return { x: 0.5, y: 0.5, scale: Math.max(1, Math.min(width - 2 * marginPx, (height - 2 * marginPx) / high)), high };
}

export function toScreen(view, width, height, x, y) {
  return [(x - view.x) * view.scale + width / 2, (y - view.y) * view.scale + height / 2];
}

export function toMap(view, width, height, px, py) {
  return [(px - width / 2) / view.scale + view.x, (py - height / 2) / view.scale + view.y];
}

/** Nearer or farther by a factor; what lies under the point (px, py) stays there. */
export function zoomed(view, width, height, factor, px = width / 2, py = height / 2) {
  const least = whole(width, height, view).scale;
  const scale = Math.max(least, Math.min(least * FARTHEST, view.scale * factor));
  const [x, y] = toMap(view, width, height, px, py);
  return kept({ ...view, x: x - (px - width / 2) / scale, y: y - (py - height / 2) / scale, scale });
}

export function panned(view, byX, byY) {
  return kept({ ...view, x: view.x - byX / view.scale, y: view.y - byY / view.scale });
}

/** A view whose middle is on the map, so that nobody gets lost beside it. */
export function kept(view) {
  return { ...view, x: Math.min(1, Math.max(0, view.x)), y: Math.min(1, Math.max(0, view.y)) };
}

/** Points in square fields, so that those near a place are found without looking at all. */
export class Fields {
  constructor(points) {
    this.points = points;
    this.across = Math.max(1, Math.min(64, Math.round(Math.sqrt(points.length / 4))));
    this.cells = new Map();
    points.forEach((point, index) => {
      const cell = this.cellOf(point.x, point.y);
      if (this.cells.has(cell)) this.cells.get(cell).push(index);
      else this.cells.set(cell, [index]);
    });
  }

  fieldOf(value) {
    return Math.max(0, Math.min(this.across - 1, Math.floor(value * this.across)));
  }

  cellOf(x, y) {
    return this.fieldOf(y) * this.across + this.fieldOf(x);
  }

  /** Indices of the points within a rectangle of the map, by and large: whole fields are taken. */
  *within(left, top, right, bottom) {
    for (let row = this.fieldOf(top); row <= this.fieldOf(bottom); row += 1)
      for (let column = this.fieldOf(left); column <= this.fieldOf(right); column += 1)
        yield* this.cells.get(row * this.across + column) ?? [];
  }

  /** The `many` nearest points to a place, nearest first, of those that `wanted` says yes to. */
  nearest(x, y, { many = 1, within = Infinity, wanted = () => true } = {}) {
    let reach = 1 / this.across;
    for (;;) {
      const limit = Math.min(reach, within);
      const found = [];
      for (const index of this.within(x - limit, y - limit, x + limit, y + limit)) {
        const point = this.points[index];
        const away = Math.hypot(point.x - x, point.y - y);
        if (away <= limit && wanted(point)) found.push([away, index]);
      }
      if (found.length >= many || reach >= Math.min(within, 2)) {
        found.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        return found.slice(0, many).map(([, index]) => index);
      }
      reach *= 2;
    }
  }
}
