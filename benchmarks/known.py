"""How often a model recognises changed copies of its training covers, and how often it takes another cover for one.

    python benchmarks/known.py COVERS

COVERS is a folder with covers, at any depth. Two tables are printed, as they are in docs/experiments.md:

1. Recall: 300 covers are changed, one way at a time, and compared with what a model keeps of the originals.
2. False alarms: with each of 50 random sets of 3,000 covers as training covers, how many in 1,000 other covers match
   one of them. Pairs of one design are no false alarm: those that `check` finds, and those that were judged by eye
   (`benchmarks/known-pairs.csv`, by the start of their files' SHA-256). Any other match is one, looked at or not.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sleevenotes.covers.duplicates import SIZE_PX, Components, find
from sleevenotes.covers.hashing import MAX_DISTANCE, distances, window_hashes
from sleevenotes.covers.images import resize, sha256
from sleevenotes.covers.pixels import iter_covers

CHANGED = 300
TRAINING, SETS = 3000, 50
LIMITS = (48, 56, MAX_DISTANCE, 72, 80)
JUDGED = Path(__file__).with_name("known-pairs.csv")
DIGITS = 16

Picture = Image.Image
Change = Callable[[Picture], Picture]


def encoded(picture: Picture, quality: int) -> Picture:
    """Return a picture after JPEG."""
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return Image.open(io.BytesIO(data.getvalue())).convert("RGB")


def cropped(picture: Picture, left: float, top: float, right: float, bottom: float) -> Picture:
    """Return a picture without shares of its sides."""
    width, height = picture.size
    return picture.crop(
        (int(left * width), int(top * height), int(width - right * width), int(height - bottom * height))
    )


def bordered(picture: Picture, share: float, color: str) -> Picture:
    """Return a picture with a border, a share of its sides wide."""
    width, height = picture.size
    framed = Image.new("RGB", (int(width * (1 + 2 * share)), int(height * (1 + 2 * share))), color)
    framed.paste(picture, (int(share * width), int(share * height)))
    return framed


def stickered(picture: Picture) -> Picture:
    """Return a picture with a round sticker on 6 % of it."""
    width, height = picture.size
    done = picture.copy()
    box = (0.65 * width, 0.05 * height, 0.93 * width, 0.33 * height)
    ImageDraw.Draw(done).ellipse(box, fill=(250, 220, 40))
    return done


def photographed(picture: Picture) -> Picture:
    """Return a picture seen from an angle: corners moved by up to 4 % of a side."""
    width, height = picture.size
    corners = (0.04 * width, 0, 0, 0.96 * height, 0.98 * width, height, width, 0.04 * height)
    return picture.transform((width, height), Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)


def faded(picture: Picture) -> Picture:
    """Return a picture with half its contrast, and brighter."""
    return Image.fromarray((np.asarray(picture) * 0.55 + 90).clip(0, 255).astype(np.uint8))


def changes(rng: np.random.Generator) -> dict[str, Change]:
    """Return what is done to covers, by name."""
    return {
        "JPEG, quality 30": lambda picture: encoded(picture, 30),
        "96 px, then JPEG, quality 50": lambda picture: encoded(picture.resize((96, 96)), 50),
        "faded": faded,
        "without colours": lambda picture: picture.convert("L").convert("RGB"),
        **{f"{share} % cropped off each side": _crop(share / 100) for share in (2, 4, 6, 8)},
        "0 to 8 % off each side by itself": lambda picture: cropped(picture, *rng.uniform(0, 0.08, 4)),
        "white border, 5 %": lambda picture: bordered(picture, 0.05, "white"),
        "black border, 10 %": lambda picture: bordered(picture, 0.1, "black"),
        "sticker on 6 %": stickered,
        "from an angle": photographed,
    }


def _crop(share: float) -> Change:
    return lambda picture: cropped(picture, share, share, share, share)


def recall(paths: list[Path], kept: NDArray[np.uint64]) -> Iterator[tuple[str, list[float]]]:
    """Yield for each change the share of covers that are recognised, at each limit."""
    for name, change in changes(np.random.default_rng(1)).items():
        copies = [np.asarray(change(Image.open(path).convert("RGB"))) for path in paths]
        asked = window_hashes(np.stack([resize(copy, SIZE_PX) for copy in copies]))
        apart = np.array([distances(asked[at : at + 1], kept[at : at + 1])[0, 0] for at in range(len(paths))])
        yield name, [float((apart <= limit).mean()) for limit in LIMITS]


def same_design(thumbnails: NDArray[np.uint8], digests: list[str]) -> NDArray[np.intp]:
    """Return the design of each cover, (n,), as a number: what `check` finds, and what was judged by eye."""
    designs = Components(len(thumbnails))
    for pair in find(thumbnails):
        designs.join(pair.a, pair.b)
    rows: dict[str, list[int]] = {}
    for row, digest in enumerate(digests):
        rows.setdefault(digest[:DIGITS], []).append(row)
    with JUDGED.open(encoding="utf-8", newline="") as file:
        for judged in csv.DictReader(file):
            if judged["one_design"] == "1":
                both = [*rows.get(judged["a"], []), *rows.get(judged["b"], [])]
                for row in both[1:]:
                    designs.join(both[0], row)
    return np.array([designs.find(row) for row in range(len(thumbnails))])


def false_alarms(hashes: NDArray[np.uint64], designs: NDArray[np.intp]) -> dict[int, tuple[float, float]]:
    """Return for each limit the false alarms in 1,000 covers: mean over the sets, and the most of any set."""
    n = len(hashes)
    near: list[tuple[int, int, int]] = []
    for start in range(0, n, 256):
        apart = distances(hashes[start : start + 256], hashes[:, 0])
        for row, column in zip(*np.nonzero(apart <= max(LIMITS)), strict=True):
            if designs[start + row] != designs[column]:
                near.append((start + int(row), int(column), int(apart[row, column])))
    pairs = np.array(near).reshape(-1, 3)
    rng = np.random.default_rng(0)
    found: dict[int, list[float]] = {limit: [] for limit in LIMITS}
    for _ in range(SETS):
        training = np.zeros(n, dtype=bool)
        training[rng.choice(n, TRAINING, replace=False)] = True
        alarms = pairs[~training[pairs[:, 0]] & training[pairs[:, 1]]]
        for limit in LIMITS:
            found[limit].append(1000 * len(np.unique(alarms[alarms[:, 2] <= limit, 0])) / (n - TRAINING))
    return {limit: (float(np.mean(rates)), max(rates)) for limit, rates in found.items()}


def main() -> None:
    """Measure both, and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("covers", type=Path)
    files = sorted(path for path in parser.parse_args().covers.rglob("*") if path.is_file())
    read = [(files[at], pixels) for at, pixels in iter_covers(files, size_px=SIZE_PX) if isinstance(pixels, np.ndarray)]
    paths, thumbnails = [path for path, _ in read], np.stack([pixels for _, pixels in read])
    hashes = np.concatenate([window_hashes(thumbnails[at : at + 256]) for at in range(0, len(paths), 256)])
    print(f"{len(paths):,} covers, {(~hashes.any(axis=(1, 2))).sum():,} of them without a hash\n")
    chosen = np.random.default_rng(0).choice(len(paths), CHANGED, replace=False)
    print(f"| recognised, of {CHANGED} | " + " | ".join(f"≤ {limit} bits" for limit in LIMITS) + " |")
    print("| --- |" + " ---: |" * len(LIMITS))
    for name, shares in recall([paths[at] for at in chosen], hashes[chosen, 0]):
        print(f"| {name} | " + " | ".join(f"{100 * share:.0f} %" for share in shares) + " |")
    rates = false_alarms(hashes, same_design(thumbnails, [sha256(path.read_bytes()) for path in paths]))
    print(
        f"| **false alarms in 1,000, {TRAINING:,} kept** | "
        + " | ".join(f"{rate:.2f}" for rate, _ in rates.values())
        + " |"
    )
    print("| the most of any set | " + " | ".join(f"{most:.2f}" for _, most in rates.values()) + " |")


if __name__ == "__main__":
    main()
