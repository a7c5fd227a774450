"""Copies of a cover as collections hold them: faded, photographed again, stickered, cropped, ...

`COPIES` maps the name of each kind to a function of a cover's pixels, (H, W, 3) uint8, a strength (1, as is common, or
2, as hard as the kind gets) and a random generator. `benchmarks/duplicates.py` counts which copies `check` recognises.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from sleevenotes.covers.images import Pixels, decode, encode, resize

Rng = np.random.Generator
Copy = Callable[[Pixels, int, Rng], Pixels]


def faded(pixels: Pixels, strength: int, rng: Rng) -> Pixels:
    """Bleach by light: less contrast and saturation, blacks lifted to grey, paper yellowed."""
    bleach = strength * rng.uniform(0.15, 0.3)
    grey = pixels.mean(axis=2, keepdims=True)
    dull = pixels + bleach * (grey - pixels)
    paper = np.array([235, 225, 195]) + rng.uniform(-10, 10, 3)
    return _rounded(dull + bleach * (paper - dull))


def cast(pixels: Pixels, strength: int, rng: Rng) -> Pixels:
    """Scan or light it in another colour: each channel with a gain, an offset and a gamma of its own."""
    gain = 2 ** (strength * rng.uniform(-0.3, 0.3, 3))
    gamma = 2 ** (strength * rng.uniform(-0.3, 0.3, 3))
    return _rounded(gain * 255 * (pixels / 255) ** gamma + strength * rng.uniform(-20, 20, 3))


def darkened(pixels: Pixels, strength: int, rng: Rng) -> Pixels:
    """Underexpose it: shadows are crushed to black."""
    return _rounded(255 * (pixels / 255) ** (1 + strength * rng.uniform(0.2, 0.5)) * (1 - strength * 0.15))


def photographed(pixels: Pixels, strength: int, rng: Rng) -> Pixels:
    """Photograph it at an angle, on a table, under a lamp: perspective, glare, falling light, blur, a cast, JPEG."""
    height, width = pixels.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    seen = corners + strength * rng.uniform(-0.025, 0.025, (4, 2)) * (width, height)
    table = tuple(int(value) for value in rng.integers(20, 236, 3))
    image = Image.fromarray(pixels).transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        _perspective(corners, seen),
        Image.Resampling.BICUBIC,
        fillcolor=table,
    )
    image = image.filter(ImageFilter.GaussianBlur(strength * 0.003 * width))
    y, x = np.mgrid[:height, :width] / (height, width)[0]
    lamp = rng.uniform(0, 1, 2)
    away = np.hypot(x - lamp[0], y - lamp[1])[:, :, None]
    lit = np.asarray(image, float) * (1.05 - strength * 0.15 * away)
    glare = strength * 90 * np.exp(-((away / rng.uniform(0.1, 0.25)) ** 2))
    return reencoded(_rounded(lit + glare + strength * rng.uniform(-8, 8, 3)), 1, rng)


def tilted(pixels: Pixels, strength: int, rng: Rng) -> Pixels:
    """Lay it askew on the scanner."""
    angle = strength * rng.uniform(0.5, 1.5) * rng.choice([-1, 1])
    return np.asarray(Image.fromarray(pixels).rotate(angle, Image.Resampling.BICUBIC, fillcolor=(245, 245, 245)))


def stickered(pixels: Pixels, strength: int, rng: Rng) -> Pixels:
    """Stick a price tag, a hype sticker or a library's stamp on it."""
    done, (height, width) = pixels.copy(), pixels.shape[:2]
    side = rng.uniform(0.12, 0.22) * (1 + 0.4 * (strength - 1))
    tall, wide = int(side * height), int(side * width)
    top, left = rng.integers(0, height - tall), rng.integers(0, width - wide)
    done[top : top + tall, left : left + wide] = rng.integers(0, 256, 3)
    done[top + tall // 3 : top + tall // 2, left + wide // 6 : left + wide * 5 // 6] = rng.integers(0, 256, 3)
    return done


def bordered(pixels: Pixels, strength: int, rng: Rng) -> Pixels:
    """Show the edge of a jewel case, of the scanner's lid or of a frame around it."""
    top, bottom, left, right = (strength * rng.uniform(0.01, 0.05, 4) * len(pixels)).astype(int)
    color = rng.choice([0, 20, 200, 255])
    return np.pad(pixels, ((top, bottom), (left, right), (0, 0)), constant_values=color)


def cropped(pixels: Pixels, strength: int, rng: Rng) -> Pixels:
    """Cut it off at each side by a different amount."""
    height, width = pixels.shape[:2]
    top, bottom, left, right = strength * rng.uniform(0, 0.04, 4)
    return pixels[int(top * height) : int((1 - bottom) * height), int(left * width) : int((1 - right) * width)]


def scaled(pixels: Pixels, strength: int, rng: Rng) -> Pixels:
    """Keep a small picture of it, squeezed to a square if it was none."""
    return resize(pixels, int(rng.uniform(120, 200) / strength))


def reencoded(pixels: Pixels, strength: int, rng: Rng) -> Pixels:
    """Save it as JPEG of low quality."""
    return decode(encode(pixels, "jpeg", quality=int(rng.integers(30, 60) / strength**2)))


def grey(pixels: Pixels, strength: int, rng: Rng) -> Pixels:
    """Print or scan it in black and white, at strength 2 in light of any one colour."""
    weights = np.array([0.299, 0.587, 0.114]) if strength == 1 else rng.dirichlet([1, 1, 1])
    return _rounded((pixels @ weights)[:, :, None].repeat(3, axis=2))


COPIES: dict[str, Copy] = {
    "faded": faded,
    "colour cast": cast,
    "darkened": darkened,
    "black and white": grey,
    "photographed again": photographed,
    "tilted": tilted,
    "sticker": stickered,
    "border": bordered,
    "cropped": cropped,
    "scaled": scaled,
    "re-encoded": reencoded,
}


def _rounded(pixels: NDArray[np.float64]) -> Pixels:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _perspective(corners: NDArray[np.float64], seen: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the eight numbers with which Pillow maps a point that is seen to one of the cover."""
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, seen, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -x * u, -x * v], [0, 0, 0, u, v, 1, -y * u, -y * v]]
        values += [x, y]
    return tuple(np.linalg.solve(np.array(rows), np.array(values)))
