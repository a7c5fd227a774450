"""All pairs of covers in all four measures: seconds and memory, beside a loop of OpenCV's compareHist.

python benchmarks/similarity.py [N] [PIXELS.npy]     N covers, 10,000 by default; half a minute on 2 cores

The covers are drawn, each with a palette of its own, so that about as many bins are filled as in real ones.
Given packed pixels, (n, S, S, 3), as in DATASET/.cache/, they are taken, over and over until there are N. OpenCV is
left out where it is not installed.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from numpy.typing import NDArray

from sleevenotes.learn.color import histogram
from sleevenotes.learn.similarity import MEASURES, blocks, mean_similarities

PART = 300  # covers, all pairs of which OpenCV compares one by one
OPENCV = {"correlation": 0, "chi-square": 1, "intersection": 2, "hellinger": 3}  # compareHist's methods


def drawn(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Histograms, (n, 512), of n covers of 32 × 32 px: some colours each, under noise."""
    parts = []
    for _ in range(0, n, 500):
        palettes = rng.integers(0, 256, (500, 12, 3))
        picked = np.take_along_axis(palettes, rng.integers(0, 12, (500, 1024, 1)), axis=1)
        noisy = picked + rng.normal(0, 14, (500, 1024, 3))
        parts.append(histogram(noisy.clip(0, 255).astype(np.uint8).reshape(500, 32, 32, 3)))
    return np.concatenate(parts)[:n]


def given(n: int, path: str) -> NDArray[np.float64]:
    own = histogram(np.load(path))
    return np.tile(own, (-(-n // len(own)), 1))[:n]


def seconds_of_opencv(histograms: NDArray[np.float64], measure: str) -> float:
    """Seconds that a loop of compareHist takes over all pairs of these histograms."""
    import cv2

    single = histograms.astype(np.float32)
    start = time.perf_counter()
    for first in single:
        for second in single:
            cv2.compareHist(first, second, OPENCV[measure])
    return time.perf_counter() - start


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rng = np.random.default_rng(0)
    histograms = given(n, sys.argv[2]) if len(sys.argv) > 2 else drawn(n, rng)
    print(f"{n:,} covers, {(histograms > 0).sum(axis=1).mean():.0f} of {histograms.shape[1]} bins filled")
    total = 0.0
    for measure in MEASURES:
        start, cpu, entries = time.perf_counter(), time.process_time(), 0
        for _, _, block in blocks(histograms, measure):
            entries += block.size
        took, busy = time.perf_counter() - start, time.process_time() - cpu
        assert entries == n * n
        total += took
        line = f"{measure:12} {took:6.2f} s ({busy:.2f} s of CPU)"
        try:
            loop = seconds_of_opencv(histograms[:PART], measure) * (n / min(n, PART)) ** 2
            line += f"; compareHist in a loop {loop:,.0f} s (from {PART}² pairs), {loop / took:,.0f} times as long"
        except ImportError:
            line += "; OpenCV is not installed"
        print(line, flush=True)
    print(f"all four     {total:6.2f} s")
    start = time.perf_counter()
    mean_similarities(histograms, rng.integers(0, 10, n), genres=10)
    print(f"their means over 10 genres {time.perf_counter() - start:.2f} s")
    print(f"memory at its peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
