"""What the demo covers show. `draw_scene` fills a canvas with one of the scenes, `wear` ages it.

No scene knows of genres: nothing but the shades that a canvas was given and the motif that is printed on top can tell
one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from sleevenotes.collect.drawing.artwork import (
    BLACK,
    WHITE,
    Canvas,
    Color,
    Field,
    Pen,
    Rng,
    clouds,
    grid,
    mirrored,
    mix,
    shared,
    smoothed,
)
from sleevenotes.collect.drawing.landscapes import dunes, forest, hills, person, planet, road, sea, skyline
from sleevenotes.collect.drawing.patterns import (
    arcs,
    blocks,
    blooms,
    bokeh,
    discs,
    facets,
    fluid,
    nebula,
    rays,
    stripes,
    tiles,
    waves,
)

Scene = Callable[[Canvas, Rng], None]
LANDSCAPES: list[Scene] = [hills, sea, skyline, forest, dunes, road]

# --- people ----------------------------------------------------------------------------------------------------------

PROFILE = np.array(
    [(0.02, -0.98), (0.32, -0.98), (0.56, -0.84), (0.66, -0.6), (0.68, -0.36), (0.7, -0.24), (0.84, 0.02), (0.87, 0.1),
     (0.8, 0.15), (0.72, 0.17), (0.72, 0.23), (0.79, 0.3), (0.76, 0.36), (0.71, 0.385), (0.77, 0.44), (0.73, 0.5),
     (0.66, 0.54), (0.69, 0.64), (0.65, 0.76), (0.52, 0.81), (0.28, 0.74), (0.17, 0.86), (0.16, 1.25), (0.4, 1.6),
     (-0.75, 1.6), (-0.6, 1.1), (-0.58, 0.6), (-0.72, 0.3), (-0.82, -0.1), (-0.76, -0.5), (-0.5, -0.84), (-0.2, -0.97)]
)  # fmt: skip


def _backdrop(c: Canvas, rng: Rng) -> None:
    """Fill the canvas with a studio wall, a flat colour, rays or a view out of focus."""
    pairs = [
        (c.light, c.main),
        (c.main, c.deep),
        (c.accent, c.light),
        (c.deep, c.ink),
        (c.accent, c.deep),
        (c.light, c.accent),
    ]
    one, two = pairs[rng.integers(len(pairs))]
    choice = rng.integers(6)
    if choice == 0:
        c.fill(one)
    elif choice == 1:
        x, y = grid(c.side)
        c.ramp(np.hypot(x - 0.5, y - 0.42) * np.float32(1.5), [one, mix(one, two, 0.4), two])
    elif choice == 2:
        rays(c, rng)
    elif choice == 3:
        LANDSCAPES[rng.integers(len(LANDSCAPES))](c, rng)
        c.blur(0.012)
    else:
        c.sky([one, two], turn=rng.uniform(-60, 60))
        c.haze(clouds(rng, c.side, (4, 4), 4) * np.float32(0.3), c.ink)
        if choice == 5:
            _blinds(c, rng)


def _blinds(c: Canvas, rng: Rng) -> None:
    """Let light fall through a window's slats."""
    pen = c.pen(turn=rng.uniform(-25, 25))
    x, step = rng.uniform(-0.1, 0.3), rng.uniform(0.06, 0.1)
    for k in range(12):
        pen.bar(x, k * step, x + 0.8, (k + 0.55) * step)
    c.paint(pen, c.light, opacity=rng.uniform(0.2, 0.4), blur=0.01)


def _hair(pen: Pen, rng: Rng) -> None:
    """Draw hair or a hat for a head around (0, 0), half as wide as its unit; a sixth of them stay bald."""
    style = rng.integers(6)
    if style == 0:  # a round cloud of it
        pen.disc(0, -0.35, 0.98)
        pen.oval(0, 0.12, (0.5, 0.62), ink=0)
    elif style == 1:  # long
        pen.oval(0, -0.18, (0.72, 0.8))
        pen.polygon(mirrored([(0.72, -0.2), (0.85, 1.5)]))
        pen.oval(0, 0.1, (0.43, 0.6), ink=0)
        pen.polygon(mirrored([(0.3, 0.5), (0.34, 1.6)]), 0)
    elif style == 2:  # a hat
        pen.oval(0, -0.38, (1.05, 0.16))
        pen.polygon(mirrored([(0.0, -0.88), (0.44, -0.98), (0.55, -0.4)]))
    elif style == 3:  # a bob
        pen.oval(0, -0.2, (0.7, 0.72))
        pen.bar(-0.7, -0.2, 0.7, 0.5)
        pen.polygon(mirrored([(0.4, -0.25), (0.34, 0.8)]), 0)
    elif style == 4:  # short
        pen.oval(0, -0.32, (0.6, 0.52))
        pen.oval(0.06, 0.05, (0.5, 0.5), ink=0)
    if rng.random() < 0.3:  # dark glasses
        for sign in (-1, 1):
            pen.oval(sign * 0.24, -0.06, (0.2, 0.15))
        pen.bar(-0.5, -0.12, 0.5, -0.07)


def _face(c: Canvas, pen: Callable[[], Pen], side: float, lips: Color) -> None:
    """Draw a face on a canvas of skin: shadow on one side, closed eyes, brows and lips."""
    soft, lines, mouth = pen(), pen(), pen()
    soft.oval(-side * 0.13, 0.14, (0.09, 0.25), tilt=side * 8)
    soft.oval(-side * 0.2, 0.88, (0.42, 0.16))
    for sign in (-1, 1):
        soft.oval(sign * 0.23, -0.07, (0.15, 0.08))
        eye = np.linspace(0.15, 0.85, 9) * np.pi
        lines.line(np.column_stack([sign * 0.23 + 0.13 * np.cos(eye), -0.09 + 0.06 * np.sin(eye)]), 0.03)
        lines.line([(sign * 0.1, -0.22), (sign * 0.24, -0.27), (sign * 0.36, -0.22)], 0.035)
    lines.line([(-side * 0.1, 0.2), (0, 0.23), (side * 0.07, 0.21)], 0.025)
    mouth.oval(0, 0.4, (0.16, 0.05))
    mouth.polygon([(-0.17, 0.395), (-0.05, 0.345), (0, 0.365), (0.05, 0.345), (0.17, 0.395)])
    c.paint(soft, c.ink, opacity=0.5, blur=0.01)
    c.paint(lines, c.ink, opacity=0.75)
    c.paint(mouth, lips, opacity=0.8)


def portrait(c: Canvas, rng: Rng) -> None:
    """Draw head and shoulders against a wall, lit from one side."""
    _backdrop(c, rng)
    x, y, size, side = (
        rng.uniform(0.36, 0.64),
        rng.uniform(0.36, 0.5),
        rng.uniform(0.21, 0.32),
        float(rng.choice([-1, 1])),
    )
    tilt = rng.uniform(-7, 7)

    def pen() -> Pen:
        return c.pen(turn=tilt, zoom=size, centre=(0, 0), to=(x, y))

    body, clothes, top, slope = pen(), pen(), pen(), rng.uniform(0.1, 0.3)
    body.oval(0, 0, (0.55, 0.74))
    body.polygon(mirrored([(0.26, 0.3), (0.32, 1.25)]))
    body.polygon(smoothed(mirrored([(0.3, 0.95), (0.95, 1.1 + slope), (1.35, 1.5 + slope), (1.5, 3.5)])))
    at_x, at_y = grid(c.side)
    lit = np.float32(0.5) + (side * (at_x - x) / 1.5 - 0.25 * (at_y - y)) / np.float32(size)
    warm = [c.ink, mix(c.deep, c.accent, 0.5), mix(c.accent, c.light, 0.5)]
    tones = [[c.ink, c.deep, c.main, mix(c.main, c.light, 0.6)], warm, [c.ink, mix(c.ink, c.main, 0.35)]][
        rng.integers(3)
    ]
    skin, cloth, wear_shade = c.sketch(), c.sketch(), c.shades[int(rng.integers(4))]
    skin.ramp(lit, tones)
    if len(tones) > 2:
        _face(skin, pen, side, mix(c.accent, c.deep, 0.4))
    cloth.ramp(lit, [mix(wear_shade, c.ink, 0.7), wear_shade])
    collar = rng.uniform(1.02, 1.25)
    clothes.bar(-3, collar, 3, 4)
    clothes.polygon([(-0.34, collar - 0.2), (0.34, collar - 0.2), (0, collar + rng.uniform(0.1, 1.2))], 0)
    _hair(top, rng)
    c.paint(body, c.ink, opacity=0.4, blur=0.03)
    c.paint(body, skin)
    c.paint(shared(body.mask(), clothes.mask()), cloth)
    c.paint(top, mix(c.ink, tones[1], rng.uniform(0, 0.4)))


def profile(c: Canvas, rng: Rng) -> None:
    """Draw a face from the side, flat or with a second picture inside it."""
    _backdrop(c, rng)
    size, flip = rng.uniform(0.27, 0.36), float(rng.choice([-1, 1]))
    pen, inside = c.pen(turn=rng.uniform(-6, 6)), c.sketch()
    pen.polygon(smoothed(PROFILE) * (flip * size, size) + (rng.uniform(0.42, 0.58), rng.uniform(0.47, 0.55)))
    shade = c.contrast(c.tone((0.2, 0.2, 0.8, 0.8))[0], rng)
    if rng.random() < 0.55:
        views = [*LANDSCAPES, nebula, fluid]
        views[rng.integers(len(views))](inside, rng)
        c.paint(pen, shade, opacity=0.5, blur=0.02)
    else:
        inside.sky([shade, mix(shade, c.deep, 0.3)])
    c.paint(pen, inside)


def band(c: Canvas, rng: Rng) -> None:
    """Draw two to five people in a row against the light."""
    _backdrop(c, rng)
    n, floor, height = int(rng.integers(2, 6)), rng.uniform(0.84, 0.97), rng.uniform(0.42, 0.64)
    if rng.random() < 0.7:
        c.glow(0.5, floor - height * 0.6, 0.36, c.light, strength=0.5)
    boards = c.pen()
    boards.bar(-0.1, floor - 0.04, 1.1, 1.1)
    c.paint(boards, mix(c.ink, c.deep, 0.4), opacity=0.8, blur=0.008)
    shade = c.contrast(c.tone((0.2, floor - height, 0.8, floor))[0])
    for k in rng.permutation(n).tolist():
        pen = c.pen()
        x = 0.5 + (k - (n - 1) / 2) * min(0.19, 0.7 / n) + rng.normal(0, 0.012)
        person(pen, rng, x, floor + rng.uniform(-0.02, 0.02), height * rng.uniform(0.92, 1.08))
        c.paint(pen, mix(shade, c.deep, 0.3 * (k % 2)))


# --- things ----------------------------------------------------------------------------------------------------------
# Each draws one thing that stands on (0, 0) and is about as high as its unit.


def _guitar(pen: Pen) -> None:
    pen.oval(0, -0.22, (0.24, 0.21))
    pen.oval(0, -0.48, (0.17, 0.15))
    pen.bar(-0.15, -0.46, 0.15, -0.3)
    pen.disc(0, -0.36, 0.065, 0)
    pen.bar(-0.028, -1.05, 0.028, -0.42)
    pen.polygon(mirrored([(0.055, -1.2), (0.04, -1.05)]))
    pen.bar(-0.09, -0.19, 0.09, -0.165, 0)


def _chair(pen: Pen) -> None:
    for foot, top in (
        ((-0.24, 0), (-0.2, -0.95)),
        ((0.24, 0), (0.2, -0.45)),
        ((-0.1, -0.08), (-0.1, -0.45)),
        ((0.14, -0.08), (0.12, -0.45)),
    ):
        pen.line([foot, top], 0.035)
    pen.polygon([(-0.25, -0.47), (0.16, -0.5), (0.26, -0.43), (-0.22, -0.4)])
    for y in (-0.9, -0.78, -0.66):
        pen.line([(-0.2, y), (0.06, y - 0.02)], 0.04)
    pen.line([(0.06, -0.95), (0.06, -0.45)], 0.035)


def _lamp(pen: Pen) -> None:
    pen.oval(0, -0.02, (0.2, 0.03))
    pen.bar(-0.015, -0.75, 0.015, 0)
    pen.polygon(mirrored([(0.13, -1.1), (0.27, -0.72)]))


def _vase(pen: Pen) -> None:
    pen.polygon(smoothed(mirrored([(0.08, -0.5), (0.07, -0.42), (0.2, -0.22), (0.16, -0.02), (0.1, 0)])))
    for lean, tall in ((-0.32, 0.86), (-0.1, 1.1), (0.12, 0.98), (0.34, 0.8)):
        pen.line([(0, -0.45), (lean * 0.4, -0.45 - (tall - 0.45) * 0.55), (lean, -tall)], 0.014)
        pen.oval(lean, -tall, (0.075, 0.1), tilt=lean * 80)


def _record(pen: Pen) -> None:
    pen.disc(0, -0.5, 0.5)
    for radius in (0.44, 0.38, 0.32, 0.26):
        pen.ring(0, -0.5, (radius - 0.004, radius + 0.004), 60)
    pen.disc(0, -0.5, 0.17, 90)
    pen.disc(0, -0.5, 0.02, 0)


def _balloon(pen: Pen) -> None:
    pen.polygon(smoothed(mirrored([(0.0, -1.2), (0.36, -1.15), (0.5, -0.8), (0.36, -0.45), (0.08, -0.2), (0.0, -0.2)])))
    for x in (-0.24, -0.08, 0.08, 0.24):
        pen.line([(x * 0.5, -1.18), (x * 1.2, -0.8), (x * 0.3, -0.22)], 0.01, 120)
    pen.line([(-0.07, -0.24), (-0.05, -0.1)], 0.01)
    pen.line([(0.07, -0.24), (0.05, -0.1)], 0.01)
    pen.bar(-0.07, -0.11, 0.07, 0)


THINGS = [_guitar, _chair, _lamp, _vase, _record, _balloon]


def still(c: Canvas, rng: Rng) -> None:
    """Draw one thing in the light, on a floor or in the air."""
    _backdrop(c, rng)
    thing = THINGS[rng.integers(len(THINGS))]
    x, floor, size = rng.uniform(0.35, 0.65), rng.uniform(0.8, 0.92), rng.uniform(0.42, 0.62)
    shape = c.pen(turn=rng.uniform(-4, 4), zoom=size, centre=(0, 0), to=(x, floor))
    thing(shape)
    if thing is not _balloon:
        table, cast = c.pen(), c.pen()
        table.bar(-0.1, floor - rng.uniform(0.02, 0.12), 1.1, 1.1)
        c.paint(table, mix(c.deep, c.ink, rng.random()), opacity=0.8)
        cast.oval(x + 0.1, floor, (0.3, 0.025))
        c.paint(cast, BLACK, opacity=0.55, blur=0.012)
    shade = c.contrast(c.tone((x - 0.15, floor - size, x + 0.15, floor))[0], rng)
    if thing is _lamp:
        c.glow(x, floor - 0.85 * size, 0.35, mix(c.accent, c.light, 0.6), strength=0.7)
    paint = c.sketch()
    paint.sky([mix(shade, WHITE, 0.15), shade, mix(shade, c.ink, 0.45)], turn=float(rng.choice([-60, 60])))
    c.paint(shape, paint)


# --- pictures made of other pictures ---------------------------------------------------------------------------------


def collage(c: Canvas, rng: Rng) -> None:
    """Draw torn pieces of other pictures on paper."""
    c.fill(mix(c.light, WHITE, 0.3) if rng.random() < 0.7 else c.ink)
    c.haze(clouds(rng, c.side, (8, 8), 4) * np.float32(0.14), c.deep)
    views = [*LANDSCAPES, stripes, fluid, rays, nebula]
    for _ in range(int(rng.integers(2, 5))):
        piece = c.sketch()
        views[rng.integers(len(views))](piece, rng)
        x, y, w, h = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.18, 0.38), rng.uniform(0.18, 0.38)
        along = np.linspace(-1, 1, 24)
        sides = [np.column_stack([along, np.full(24, -1)]), np.column_stack([np.full(24, 1), along])]
        edge = np.concatenate([*sides, *(-side for side in sides)]) * (w, h) + (x, y)
        torn, turn = edge + rng.normal(0, 0.005, edge.shape), rng.uniform(-25, 25)
        shadow, rim, pen = (c.pen(turn=turn, centre=(x, y)) for _ in range(3))
        shadow.polygon(edge + 0.012)
        rim.polygon((torn - (x, y)) * 1.035 + (x, y) + rng.normal(0, 0.003, edge.shape))
        pen.polygon(torn)
        c.paint(shadow, c.ink, opacity=0.45, blur=0.012)
        c.paint(rim, mix(c.light, WHITE, 0.6))
        c.paint(pen, piece)


def inset(c: Canvas, rng: Rng) -> None:
    """Draw a small picture in the middle of a quiet page."""
    inner, pen = c.sketch(), c.pen()
    PICTURES[rng.integers(len(PICTURES))](inner, rng)
    c.fill([mix(c.light, WHITE, 0.4), c.ink, c.deep, c.light, mix(c.main, c.light, 0.6)][rng.integers(5)])
    kind, size, y = rng.integers(5), rng.uniform(0.27, 0.37), float(rng.choice([0.42, 0.5, 0.56]))
    if kind == 0:
        pen.disc(0.5, y, size)
    elif kind == 1:
        pen.oval(0.5, y, (size * 0.8, size))
    elif kind == 2:
        pen.disc(0.5, y - size * 0.25, size * 0.75)
        pen.bar(0.5 - size * 0.75, y - size * 0.25, 0.5 + size * 0.75, y + size)
    else:
        pen.bar(0.5 - size, y - size * float(rng.choice([0.7, 1.0])), 0.5 + size, y + size)
    c.paint(pen, inner)


def reprint(c: Canvas, rng: Rng) -> None:
    """Draw a picture in two or three colours, or printed in dots."""
    PICTURES[rng.integers(len(PICTURES))](c, rng)
    if rng.random() < 0.5:
        c.duotone([c.ink, c.accent, c.light] if rng.random() < 0.5 else [c.deep, c.light])
    else:
        pairs = [(c.ink, c.light), (c.deep, c.accent), (c.ink, c.accent), (c.deep, c.light)]
        c.halftone(int(rng.integers(34, 60)), pairs[rng.integers(4)])


PICTURES: list[Scene] = [*LANDSCAPES, planet, portrait, portrait, profile, band, still, nebula]
SCENES: list[Scene] = [
    *PICTURES, portrait, portrait, profile, band, still, still, inset, inset, inset, reprint, reprint, reprint,
    bokeh, fluid, waves, rays, tiles, arcs, discs, stripes, facets, blooms, blocks, blocks, collage,
]  # fmt: skip


def draw_scene(canvas: Canvas, rng: Rng) -> None:
    """Fill the canvas with one of the scenes, each as likely as it stands in `SCENES`."""
    SCENES[rng.integers(len(SCENES))](canvas, rng)


def wear(c: Canvas, rng: Rng) -> None:
    """Leave what print and years leave: vignette, faded blacks, a light leak, the ring of the record, grain.

    Every pixel changes by itself, so that what was painted in one place is seen nowhere else afterwards.
    """
    if rng.random() < 0.45:
        c.haze(np.float32(rng.uniform(0.3, 1.1)) * np.clip(_away(c.side) - 0.35, 0, 1), BLACK)
    if rng.random() < 0.35:
        c.fade(np.array([rng.uniform(8, 34), rng.uniform(8, 26), rng.uniform(4, 26)], np.float32))
    if rng.random() < 0.08:
        x, y, flare = float(rng.choice([0.0, 1.0])), rng.random(), np.array([255, 130, 50], np.float32)
        c.glow(x, y, 0.5, flare, strength=rng.uniform(0.3, 0.7))
    if rng.random() < 0.06:
        ring = np.exp(-(((_away(c.side) - 0.46) / 0.012) ** 2))
        c.haze(ring * np.clip(clouds(rng, c.side, (8, 8), 3) - 0.4, 0, 1) * np.float32(rng.uniform(0.2, 0.6)), WHITE)
    if rng.random() < 0.6:
        c.grain(rng, rng.uniform(2, 6))


@lru_cache(maxsize=16)
def _away(side: int) -> Field:
    """Return how far every pixel is from the centre."""
    x, y = grid(side)
    return np.asarray(np.hypot(x - 0.5, y - 0.5))
