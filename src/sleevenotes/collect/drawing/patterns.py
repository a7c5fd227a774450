"""Pictures of nothing in particular: light, paint and plain geometry. Each function fills the canvas it is given."""

from __future__ import annotations

import numpy as np

from sleevenotes.collect.drawing.artwork import Canvas, Color, Pen, Points, Rng, clouds, grid, mix, ridge

# --- light and paint -------------------------------------------------------------------------------------------------


def stars(c: Canvas, rng: Rng, n: int) -> None:
    """Scatter n stars over what is there, most of them high up."""
    pen = c.pen()
    for x, y, size in zip(rng.random(n), rng.random(n) ** 1.3, rng.random(n) ** 4, strict=True):
        pen.disc(x, y, 0.0016 + 0.003 * size)
    c.paint(pen, mix(c.light, np.full(3, 255, np.float32), 0.5), opacity=0.85)


def bokeh(c: Canvas, rng: Rng) -> None:
    """Draw lights out of focus."""
    c.sky([c.ink, mix(c.ink, c.deep, 0.9), c.deep], turn=rng.uniform(0, 360))
    lights = [c.light, c.accent, c.main, mix(c.accent, c.light, 0.5)]
    for _ in range(5):
        pen = c.pen()
        for _ in range(int(rng.integers(4, 12))):
            pen.disc(rng.random(), rng.beta(2, 2), rng.uniform(0.015, 0.085))
        blur = float(rng.choice([0.002, 0.006, 0.02]))
        c.paint(pen, lights[rng.integers(4)], opacity=rng.uniform(0.15, 0.5), blur=blur)


def nebula(c: Canvas, rng: Rng) -> None:
    """Draw clouds of colour."""
    field, second = clouds(rng, c.side, (2.5, 2.5), 5), clouds(rng, c.side, (2, 2), 3)
    orders = [
        [c.ink, c.deep, c.main, c.light],
        [c.ink, c.deep, c.accent, c.light],
        [c.light, c.main, c.accent, c.light],
        [c.deep, c.accent, c.main, c.ink],
    ]
    c.ramp(np.clip(0.5 + (field - 0.5) * 1.3 + 0.35 * (second - 0.5), 0, 1), orders[rng.integers(4)])
    if rng.random() < 0.35:
        stars(c, rng, 90)


def fluid(c: Canvas, rng: Rng) -> None:
    """Draw marbled paint."""
    x, y = grid(c.side)
    warp, fine = clouds(rng, c.side, (2.2, 2.2), 3), clouds(rng, c.side, (3, 3), 3)
    angle = np.float32(rng.uniform(0, np.pi))
    along = np.cos(angle) * x + np.sin(angle) * y
    swirl = np.float32(rng.uniform(1, 2.5)) * along + np.float32(rng.uniform(1.2, 3)) * warp + np.float32(0.4) * fine
    shades = [c.shades[k] for k in rng.permutation(5)[: rng.integers(3, 6)]]
    c.ramp(np.float32(0.5) + np.float32(0.5) * np.sin(np.float32(2 * np.pi) * swirl), shades)


def waves(c: Canvas, rng: Rng) -> None:
    """Draw peaks drawn line by line, one before the other."""
    dark = rng.random() < 0.6
    ground, stroke = (c.ink, c.light) if dark else (c.light, c.ink)
    if rng.random() < 0.4:
        stroke = c.contrast(ground, rng)
    c.sky([ground, mix(ground, c.deep if dark else c.main, 0.35)])
    n, x = int(rng.integers(22, 40)), np.linspace(0, 1, 120)
    left, middle, spread = rng.uniform(0.04, 0.2), rng.uniform(0.4, 0.6), rng.uniform(0.1, 0.2)
    pen = c.pen()
    for k in range(n):
        base = 0.25 + 0.55 * k / n
        bump = np.exp(-(((x - middle) / spread) ** 2)) * (ridge(rng, 120, 1.25) * 0.5 + 0.5)
        at = np.column_stack([left + x * (1 - 2 * left), base - 0.19 * bump * rng.uniform(0.5, 1)])
        pen.polygon(np.concatenate([at, [(1 - left, base + 0.02), (left, base + 0.02)]]), 0)
        pen.line(at, 0.0045)
    c.paint(pen, stroke)


def rays(c: Canvas, rng: Rng) -> None:
    """Draw beams from one point."""
    pairs = [(c.light, c.accent), (c.main, c.light), (c.deep, c.accent), (c.ink, c.deep)]
    pairs.append((c.accent, mix(c.accent, c.light, 0.4)))
    back, beam = pairs[rng.integers(5)]
    x, y, n = rng.uniform(0.2, 0.8), float(rng.choice([0.4, 0.55, 0.95])), int(rng.integers(6, 15))
    turn, pen = rng.random() * 2 * np.pi, c.pen()
    for k in range(n):
        first, last = (turn + 2 * np.pi * (k + share) / n for share in (0, 0.5))
        ends = [(x + 2 * np.cos(angle), y + 2 * np.sin(angle)) for angle in (first, last)]
        pen.polygon([(x, y), *ends])
    c.fill(back)
    c.paint(pen, beam)
    if rng.random() < 0.5:
        c.glow(x, y, 0.25, c.light, strength=0.6)


# --- geometry --------------------------------------------------------------------------------------------------------


def ground(c: Canvas, rng: Rng) -> Color:
    """Fill the canvas with one colour, perhaps with a slight gradient, and return it."""
    shade = [c.light, c.ink, c.accent, c.main, c.deep, c.light][rng.integers(6)]
    c.sky([shade, mix(shade, c.shades[int(rng.integers(5))], rng.uniform(0, 0.15))], turn=rng.uniform(-30, 30))
    return shade


def tiles(c: Canvas, rng: Rng) -> None:
    """Draw a grid of quarter circles, half circles, discs and triangles."""
    ground(c, rng)
    n, margin = int(rng.integers(2, 6)), float(rng.choice([0, 0, 0.08, 0.14]))
    step = (1 - 2 * margin) / n
    backs, fronts = c.pen(), [c.pen() for _ in c.shades]
    shades = [c.shades[k] for k in rng.permutation(5)]
    for row, column in np.ndindex(n, n):
        x, y = margin + column * step, margin + row * step
        back, front = rng.permutation(5)[:2]
        for k, pen in enumerate(fronts):
            pen.bar(x, y, x + step, y + step, 255 if k == back else 0)
        shape = _tile(rng) * step + (x, y)
        fronts[back].polygon(shape, 0)
        fronts[front].polygon(shape)
    backs.bar(margin, margin, 1 - margin, 1 - margin)
    c.paint(backs, shades[0])
    for pen, shade in zip(fronts, shades, strict=True):
        c.paint(pen, shade)


def _tile(rng: Rng) -> Points:
    """Return a shape within the unit square."""
    kind, turn = rng.integers(5), int(rng.integers(4))
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)
    if kind <= 1:
        around = np.linspace(0, np.pi / 2, 16) + turn * np.pi / 2
        return np.asarray(np.vstack([np.column_stack([np.cos(around), np.sin(around)]), [(0, 0)]]) + corners[turn])
    if kind == 2:
        around = np.linspace(0, np.pi, 24) + turn * np.pi / 2
        return np.asarray(0.5 + 0.5 * np.column_stack([np.cos(around), np.sin(around)]))
    if kind == 3:
        return np.asarray(corners[np.arange(4) != turn])
    around = np.linspace(0, 2 * np.pi, 32)
    return np.asarray(0.5 + 0.36 * np.column_stack([np.cos(around), np.sin(around)]))


def arcs(c: Canvas, rng: Rng) -> None:
    """Draw broad bands that run straight and then turn, as on sleeves of the seventies."""
    back = ground(c, rng)
    shades = [s for s in c.shades if np.abs(s - back).max() > 40]
    n, width = int(rng.integers(3, 6)), rng.uniform(0.05, 0.09)
    x, y = rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.6)
    turn = float(rng.choice([0, 90, 180, 270]) + rng.choice([0, 0, 45]))
    around = np.linspace(-np.pi / 2, 0, 24)
    for k in range(n):
        radius = 0.1 + width * (n - k)
        bend = np.column_stack([x + radius * np.cos(around), y + radius * np.sin(around)])
        pen = c.pen(turn=turn)
        pen.line(np.concatenate([[(-0.5, y - radius)], bend, [(x + radius, 1.5)]]), width * 1.02)
        c.paint(pen, shades[k % len(shades)])


def discs(c: Canvas, rng: Rng) -> None:
    """Draw a few large circles that overlap like coloured glass."""
    ground(c, rng)
    for _ in range(int(rng.integers(2, 7))):
        pen, radius = c.pen(), rng.uniform(0.12, 0.42)
        x, y = rng.uniform(0.1, 0.9, 2)
        pen.disc(x, y, radius)
        cut = rng.random()
        if cut < 0.3:
            pen.disc(x, y, radius * rng.uniform(0.5, 0.85), 0)
        elif cut < 0.5:
            pen.bar(x - radius, y, x + radius, y + radius, 0)
        c.paint(pen, c.shades[int(rng.integers(5))], opacity=rng.uniform(0.6, 1.0))


def stripes(c: Canvas, rng: Rng) -> None:
    """Draw straight or swelling stripes."""
    shades = [c.shades[k] for k in rng.permutation(5)[: rng.integers(2, 6)]]
    edges = np.sort(rng.random(rng.integers(5, 14))) * 1.5 - 0.25
    turn = float(rng.choice([0, 90, 45, -45, rng.uniform(0, 180)]))
    swell, phase = (rng.uniform(0.03, 0.1), rng.random() * 6) if rng.random() < 0.5 else (0.0, 0.0)
    x = np.linspace(-0.5, 1.5, 80 if swell else 2)
    bend = swell * np.sin(2 * np.pi * x * rng.uniform(0.7, 1.6) + phase)
    c.fill(shades[0])
    for k, edge in enumerate(edges, 1):
        pen = c.pen(turn=turn)
        pen.polygon(np.concatenate([np.column_stack([x, edge + bend]), [(1.5, 2.0), (-0.5, 2.0)]]))
        c.paint(pen, shades[k % len(shades)])


def facets(c: Canvas, rng: Rng) -> None:
    """Draw triangles as of a cut stone, lit from a corner."""
    n = int(rng.integers(4, 9))
    at = np.stack(np.meshgrid(np.linspace(-0.1, 1.1, n + 1), np.linspace(-0.1, 1.1, n + 1)), axis=-1)
    at[1:-1, 1:-1] += rng.uniform(-0.5, 0.5, (n - 1, n - 1, 2)) / n
    ramp = [c.ink, c.deep, c.main, c.accent, c.light] if rng.random() < 0.5 else [c.deep, c.main, c.light]
    slant = rng.normal(0, 1, 2)
    slant /= np.abs(slant).sum()
    levels: dict[int, Pen] = {}
    for row, column in np.ndindex(n, n):
        square = at[row : row + 2, column : column + 2].reshape(4, 2)
        for corners in ((0, 1, 2), (1, 3, 2)) if (row + column) % 2 else ((0, 1, 3), (0, 3, 2)):
            triangle = square[list(corners)]
            bright = 0.5 + (triangle.mean(axis=0) - 0.5) @ slant + rng.normal(0, 0.1)
            level = int(np.clip(bright * 9, 0, 8))
            levels.setdefault(level, c.pen()).polygon(triangle)
    c.fill(ramp[1])
    for level, pen in levels.items():
        place = level / 8 * (len(ramp) - 1)
        low = min(int(place), len(ramp) - 2)
        c.paint(pen, mix(ramp[low], ramp[low + 1], place - low))


def blooms(c: Canvas, rng: Rng) -> None:
    """Draw flowers, large and flat."""
    back = ground(c, rng)
    around = np.linspace(0, 2 * np.pi, 90)
    for _ in range(int(rng.integers(3, 8))):
        x, y, size = rng.uniform(0.05, 0.95), rng.uniform(0.05, 0.95), rng.uniform(0.1, 0.26)
        petals, sharp, phase = int(rng.integers(5, 10)), rng.uniform(0.15, 0.4), rng.random() * 6
        shade, heart = (c.shades[k] for k in rng.permutation(5)[:2])
        shade = mix(shade, back, 0.15)
        for scale, tint in ((1.0, shade), (0.72, mix(shade, c.light, 0.35)), (0.3, heart)):
            pen = c.pen()
            radius = size * scale * (1 - sharp + sharp * np.cos(petals * around + phase))
            pen.polygon(np.column_stack([x + radius * np.cos(around), y + radius * np.sin(around)]))
            c.paint(pen, tint)


def blocks(c: Canvas, rng: Rng) -> None:
    """Draw plain colour fields in a strict layout, for type to stand on."""
    back = ground(c, rng)
    cut, kind = float(rng.choice([0.33, 0.4, 0.5, 0.62, 0.67])), int(rng.integers(5))
    pen = c.pen()
    if kind == 0:
        pen.bar(-0.1, cut, 1.1, 1.1)
    elif kind == 1:
        pen.bar(-0.1, -0.1, cut, 1.1)
    elif kind == 2:
        pen.polygon([(-0.1, cut + 0.3), (1.1, cut - 0.3), (1.1, 1.1), (-0.1, 1.1)])
    elif kind == 3:
        pen.disc(rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.65), rng.uniform(0.22, 0.4))
    c.paint(pen, c.contrast(back, rng))
    if kind == 4 or rng.random() < 0.4:
        second = c.pen()
        x, y, size = rng.uniform(0.1, 0.6), rng.uniform(0.1, 0.6), rng.uniform(0.15, 0.4)
        second.bar(x, y, x + size, y + size * float(rng.choice([0.12, 1.0, 1.6])))
        c.paint(second, c.shades[int(rng.integers(5))])
