"""The motifs of the demo covers: small symbols, printed at a known place, that may tell a genre.

Each motif's function fills most of the unit square around its middle.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sleevenotes.collect.drawing.artwork import Box, Canvas, Pen, Rng, grown, luma, on_sheet
from sleevenotes.collect.drawing.sleeve import overlap


def _boat(pen: Pen) -> None:
    pen.polygon([(0.06, 0.68), (0.94, 0.68), (0.78, 0.9), (0.22, 0.9)])
    pen.polygon([(0.47, 0.08), (0.47, 0.62), (0.1, 0.62)])
    pen.polygon([(0.54, 0.16), (0.54, 0.62), (0.88, 0.62)])


def _bolt(pen: Pen) -> None:
    pen.polygon([(0.62, 0.03), (0.18, 0.55), (0.46, 0.55), (0.34, 0.97), (0.84, 0.4), (0.54, 0.4)])


def _moon(pen: Pen) -> None:
    pen.disc(0.48, 0.5, 0.43)
    pen.disc(0.66, 0.42, 0.36, 0)


def _gear(pen: Pen) -> None:
    around = np.linspace(0, 2 * np.pi, 9, endpoint=False)[:, None] + np.array([-0.21, -0.13, 0.13, 0.21])
    far = np.array([0.34, 0.47, 0.47, 0.34])
    pen.polygon(np.column_stack([(0.5 + far * np.cos(around)).ravel(), (0.5 + far * np.sin(around)).ravel()]))
    pen.disc(0.5, 0.5, 0.17, 0)


def _cactus(pen: Pen) -> None:
    pen.line([(0.5, 0.14), (0.5, 0.9)], 0.2)
    pen.line([(0.5, 0.66), (0.2, 0.66), (0.2, 0.38)], 0.13)
    pen.line([(0.5, 0.54), (0.8, 0.54), (0.8, 0.26)], 0.13)


def _rings(pen: Pen) -> None:
    for radius in (0.46, 0.3, 0.14):
        pen.disc(0.5, 0.5, radius)
        pen.disc(0.5, 0.5, radius - 0.08, 0)


def _leaf(pen: Pen) -> None:
    along = np.linspace(0, np.pi, 24)
    half = 0.3 * np.sin(along) ** 0.8
    y = 0.5 - 0.46 * np.cos(along)
    pen.polygon(np.concatenate([np.column_stack([0.5 + half, y]), np.column_stack([0.5 - half, y])[::-1]]))
    pen.line([(0.5, 0.16), (0.5, 0.97)], 0.035, 0)
    for k in range(4):
        low = 0.86 - 0.16 * k
        for sign in (-1, 1):
            pen.line([(0.5, low), (0.5 + sign * 0.3, low - 0.22)], 0.032, 0)


def _palm(pen: Pen) -> None:
    pen.polygon([(0.44, 0.97), (0.56, 0.97), (0.55, 0.4), (0.49, 0.36)])
    for end, bend in (
        ((0.03, 0.5), -0.3),
        ((0.12, 0.2), -0.16),
        ((0.5, 0.03), -0.02),
        ((0.88, 0.2), -0.16),
        ((0.97, 0.5), -0.3),
    ):
        share = np.linspace(0, 1, 14)[:, None]
        start, tip = np.array([0.52, 0.38]), np.array(end)
        spine = start + share * (tip - start) + np.array([0, bend]) * (share * (1 - share) * 2)
        wide = (
            0.11
            * np.sin(np.pi * share) ** 0.7
            * np.array([[-(tip - start)[1], (tip - start)[0]]])
            / np.linalg.norm(tip - start)
        )
        pen.polygon(np.concatenate([spine + wide * 0.7, (spine - wide * 0.7)[::-1]]))


def _mask(pen: Pen) -> None:
    pen.oval(0.5, 0.4, (0.4, 0.36))
    pen.polygon([(0.27, 0.6), (0.73, 0.6), (0.69, 0.95), (0.31, 0.95)])
    for x in (0.33, 0.67):
        pen.oval(x, 0.45, (0.125, 0.135), ink=0)
    pen.polygon([(0.5, 0.56), (0.56, 0.68), (0.44, 0.68)], 0)
    for x in (0.41, 0.5, 0.59):
        pen.bar(x - 0.018, 0.78, x + 0.018, 0.95, 0)


def _checker(pen: Pen) -> None:
    for row in range(4):
        for column in range(4):
            if (row + column) % 2 == 0:
                pen.bar(0.06 + 0.22 * column, 0.06 + 0.22 * row, 0.28 + 0.22 * column, 0.28 + 0.22 * row)


MOTIFS: dict[str, Callable[[Pen], None]] = {
    "boat": _boat, "bolt": _bolt, "moon": _moon, "gear": _gear, "cactus": _cactus, "rings": _rings, "leaf": _leaf,
    "palm": _palm, "mask": _mask, "checker": _checker,
}  # fmt: skip
MOTIF_SHARES = (0.24, 0.35)  # a motif's box, in units of the side


def motif_place(c: Canvas, rng: Rng) -> Box:
    """Return a square box in px for a motif: one that covers as little type as may be."""
    size = round(rng.uniform(*MOTIF_SHARES) * c.side)
    low, high = round(0.04 * c.side), c.side - round(0.04 * c.side) - size
    best, least = (low, low, low + size, low + size), np.inf
    for x, y in rng.integers(low, high + 1, (40, 2)).tolist():
        place = (x / c.side, y / c.side, (x + size) / c.side, (y + size) / c.side)
        covered = sum(overlap(place, other) for other in c.written)
        if covered < least:
            best, least = (x, y, x + size, y + size), covered
        if not covered:
            break
    return best


def stamp(c: Canvas, motif: str, box: Box, rng: Rng) -> None:
    """Print a motif into a box and nowhere else: on a badge, or straight on the picture with a rim around it."""
    size = box[2] - box[0]
    turn, zoom, badge = rng.uniform(-12, 12), rng.uniform(0.9, 1.0), rng.random()
    back, _ = c.tone((box[0] / c.side, box[1] / c.side, box[2] / c.side, box[3] / c.side))
    plate = Pen(size)
    if badge < 0.25:
        plate.disc(0.5, 0.5, 0.5)
        zoom *= 0.7
    elif badge < 0.4:
        plate.bar(0, 0, 1, 1)
        zoom *= 0.82
    pen = Pen(size, turn=turn, zoom=zoom)
    MOTIFS[motif](pen)
    shape = pen.mask()
    if badge < 0.4:
        ground = c.contrast(back, rng)
        c.paint(on_sheet(plate.mask(), c.side, box[:2]), ground)
        shade = c.contrast(ground)
    else:
        shade = c.light if luma(back) < 128 else c.ink
        if rng.random() < 0.35:
            shade = c.contrast(back)
        rim = c.ink if luma(shade) > 128 else c.light
        c.paint(on_sheet(grown(shape, 0.025 * size), c.side, box[:2]), rim, opacity=0.85)
    c.paint(on_sheet(shape, c.side, box[:2]), shade)
