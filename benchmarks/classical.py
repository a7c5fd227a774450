"""How long each classical method takes at the study's full size, and on which of them the time goes.

python benchmarks/classical.py [N [SIZE_PX [GENRES]]]     8,800 covers of 32 px and ten genres, if not told otherwise

Pixels are made up: smooth fields of several scales, in 8 bits, so that neighbours are as alike as on covers; accuracy
means nothing here. Methods run in the order of the study's table 2 and share what they can, so the first one that asks
for a product pays for it. The last line has the sum and the most memory that was ever held.
"""

from __future__ import annotations

import resource
import sys

import numpy as np
from numpy.typing import NDArray

from sleevenotes.learn.classical import METHODS, MORE, Covers, rounded, run

SCALES = ((1, 40), (2, 30), (4, 25), (8, 20), (16, 15))  # cells a side, and how strong


def made_up(n: int, size_px: int, genres: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % genres
    pixels = 100 + rng.normal(0, 12, (genres, 1, 1, 3))[truth] + rng.normal(0, 8, (n, size_px, size_px, 3))
    for cells, strength in SCALES:
        at = np.clip((np.arange(size_px) + 0.5) / size_px * cells - 0.5, 0, cells - 1)
        blend = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells)))  # (S, cells)
        field = rng.normal(0, strength, (n, cells, cells, 3))
        pixels += np.einsum("ij,njkc,lk->nilc", blend, field, blend, optimize=True)
    return (np.clip(pixels.round(), 0, 255).reshape(n, -1) / 255).astype(np.float32), truth


def main() -> None:
    n, size_px, genres = (*map(int, sys.argv[1:4]), *(8800, 32, 10)[len(sys.argv[1:4]) :])
    features, truth = made_up(n + 1000, size_px, genres)
    covers = Covers(features[:n], truth[:n], features[n:], genres)
    names = [*METHODS, *MORE] if size_px <= 32 else ["ridge", "lasso"]
    total = 0.0
    for name in names:
        fitted = run(name, covers)
        total += fitted.seconds
        told = ", ".join(f"{key} {value}" for key, value in fitted.settings.items())
        print(f"{name:<20} {fitted.seconds:7.1f} s   {told}", flush=True)
    for name in ("ridge", "lasso"):
        fitted = rounded(name, covers)
        total += fitted.seconds
        print(f"{name + ', rounded':<20} {fitted.seconds:7.1f} s", flush=True)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{'all':<20} {total:7.1f} s, at most {held:.1f} GB")


if __name__ == "__main__":
    main()
