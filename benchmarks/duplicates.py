"""Near-duplicates on real covers: recall against an independent hash and on planted copies, precision by eye.

python benchmarks/duplicates.py COVERS [--copies 500]     two minutes on one core

COVERS is a folder of collections, a folder each; covers equal to the byte count once. `benchmarks/designs.tsv` holds
what was seen by eye, a verdict and file names a line:

- `same`: covers of one design, in whatever state, crop, print or colour;
- `series`: covers that differ in type, number or colour alone, such as labels of one company or volumes of a series;
- `different`: two covers that are neither, but were taken for near-duplicates at some time.

Every pair that ImageHash's pHash or dHash (64 bits each) puts at most 10 bits apart in those collections was looked at,
and so was every pair that `find` joined; a pair that it joins and that no line judges is listed as not looked at.

Intervals are 95 %, by Wilson's method; pairs of one design are found or missed together, so those of recall are as wide
as for the number of designs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import imagehash
import numpy as np
from copies import COPIES
from numpy.typing import NDArray
from PIL import Image

from sleevenotes.collect.collecting import collect
from sleevenotes.covers.duplicates import SIZE_PX, Components, Thumbnails, find
from sleevenotes.covers.images import Pixels, decode, resize, sha256
from sleevenotes.covers.splits import split
from sleevenotes.errors import CoverError
from sleevenotes.judge.proportions import wilson

DESIGNS = Path(__file__).with_name("designs.tsv")
BITS = 10  # of 64
FRAME_PX, PICTURE_PX = 160, 100
IN_ONE_FRAME = 300  # covers
SPLIT_COLLECTION = "five-genres"
SEEDS = 5

Link = tuple[int, int]


class Covers(NamedTuple):
    """All covers, each a row: its path, collection, SHA-256, thumbnail, and hashes as 0 and 1."""

    paths: list[Path]
    collections: list[str]
    digests: list[str]
    thumbnails: Thumbnails
    perceptual: NDArray[np.uint64]
    difference: NDArray[np.uint64]

    @property
    def names(self) -> list[str]:
        """Return the file names without folders."""
        return [path.name for path in self.paths]


class Judged:
    """What was seen by eye: `verdict` of two file names is same, series, different or nothing."""

    def __init__(self, path: Path = DESIGNS) -> None:
        self._design: dict[str, int] = {}
        self._series: dict[str, set[int]] = defaultdict(set)
        self._different: set[frozenset[str]] = set()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            verdict, *names = line.split("\t")
            for name in names:
                if verdict == "same":
                    self._design[name] = number
                elif verdict == "series":
                    self._series[name].add(number)
            if verdict == "different":
                self._different.add(frozenset(names))

    def design(self, name: str) -> int | None:
        """Return the design that a file shows, if others show it too."""
        return self._design.get(name)

    def verdict(self, a: str, b: str) -> str:
        """Return what two files are, empty if that was not looked at."""
        if a == b or (a in self._design and self._design[a] == self._design.get(b)):
            return "same"
        if self._series[a] & self._series[b]:
            return "series"
        return "different" if frozenset((a, b)) in self._different else ""


def read(folder: Path) -> Covers:
    """Read every cover below a folder of collections; files that are no covers are passed over."""
    rows, seen = [], set()
    for path in sorted(path for path in folder.glob("*/**/*") if path.is_file()):
        digest = sha256(data := path.read_bytes())
        if digest in seen:
            continue
        try:
            pixels = decode(data, where=str(path))
        except CoverError:
            continue
        seen.add(digest)
        image = Image.fromarray(pixels)
        hashes = (_word(imagehash.phash(image)), _word(imagehash.dhash(image)))
        rows.append((path, path.relative_to(folder).parts[0], digest, resize(pixels, SIZE_PX), *hashes))
    paths, collections, digests, thumbnails, perceptual, difference = zip(*rows, strict=True)
    return Covers(
        list(paths), list(collections), list(digests), np.stack(thumbnails), np.array(perceptual), np.array(difference)
    )


def _word(hashed: imagehash.ImageHash) -> np.uint64:
    return np.packbits(hashed.hash).view(np.uint64)[0]


def independent(covers: Covers) -> list[Link]:
    """Return the pairs that either hash of ImageHash puts at most 10 bits apart."""
    links = []
    for i in range(len(covers.paths) - 1):
        near = np.zeros(len(covers.paths) - 1 - i, bool)
        for words in (covers.perceptual, covers.difference):
            near |= np.bitwise_count(words[i] ^ words[i + 1 :]) <= BITS
        links += [(i, i + 1 + int(j)) for j in np.flatnonzero(near)]
    return links


def joined(thumbnails: Thumbnails) -> tuple[list[Link], Components]:
    """Return the pairs that `find` returns, and the clusters that they join."""
    links = [(pair.a, pair.b) for pair in find(thumbnails)]
    return links, _components(len(thumbnails), links)


def _components(n: int, links: Iterable[Link]) -> Components:
    parts = Components(n)
    for a, b in links:
        parts.join(a, b)
    return parts


def percent(part: int, whole: int, independent_cases: int | None = None) -> str:
    """Return a share in words: with its interval, as for so many independent cases."""
    if not whole:
        return "–"
    low, high = wilson(part / whole, independent_cases or whole)
    return f"{part / whole:.1%} ({low:.1%} to {high:.1%})"


def report_recall(covers: Covers, judged: Judged, links: Sequence[Link], parts: Components) -> None:
    """Print how many pairs of one design that the independent hash finds are joined, by collection."""
    names = covers.names
    found: dict[str, list[bool]] = defaultdict(list)
    designs: dict[str, set[int | None]] = defaultdict(set)
    missed = []
    for a, b in links:
        if judged.verdict(names[a], names[b]) == "same":
            one = covers.collections[a] == covers.collections[b]
            for where in (covers.collections[a] if one else "two collections", "all"):
                found[where].append(parts.find(a) == parts.find(b))
                designs[where].add(judged.design(names[a]))
            if parts.find(a) != parts.find(b):
                missed.append((names[a], names[b]))
    print(f"Pairs that pHash or dHash puts at most {BITS} of 64 bits apart: {len(links):,}\n")
    print("| where | pairs of one design | designs | joined | recall |\n| --- | ---: | ---: | ---: | --- |")
    for where in [*sorted(found.keys() - {"all"}), "all"]:
        right, n, kinds = sum(found[where]), len(found[where]), len(designs[where])
        print(f"| {where} | {n:,} | {kinds:,} | {right:,} | {percent(right, n, kinds)} |")
    print("\nmissed:", *(f"{a} and {b}" for a, b in missed), sep="\n  ")


def report_precision(covers: Covers, judged: Judged, links: Sequence[Link]) -> None:
    """Print what the pairs that `find` returns are by eye."""
    names, n = covers.names, len(covers.paths)
    verdicts = {link: judged.verdict(names[link[0]], names[link[1]]) for link in links}
    counts = Counter(verdicts.values())
    print("\n| pairs that are joined, by eye | pairs | share | in 10,000 covers |\n| --- | ---: | --- | ---: |")
    for verdict in ("same", "series", "different", ""):
        count = counts[verdict]
        per = count / n * 10_000
        print(f"| {verdict or 'not looked at'} | {count:,} | {percent(count, len(links))} | {per:.1f} |")
    for link, verdict in verdicts.items():
        if verdict != "same":
            print(f"  {verdict or 'not looked at'}: {names[link[0]]} and {names[link[1]]}")


def report_copies(covers: Covers, parts: Components, count: int) -> None:
    """Print how many planted copies are joined with what they were made from, and how many strangers are."""
    rng = np.random.default_rng(0)
    rows = np.sort(rng.choice(len(covers.paths), min(count, len(covers.paths)), replace=False))
    pixels = [decode(covers.paths[row].read_bytes(), where=covers.paths[row].name) for row in rows]
    clusters = [parts.find(int(row)) for row in rows] * 2
    print(
        f"\nCopies of {len(rows):,} covers\n\n| copy | mild | strong | strangers joined |\n| --- | --- | --- | ---: |"
    )
    for kind, copy in COPIES.items():
        shares, strangers = [], 0
        for strength in (1, 2):
            copies = [resize(copy(one, strength, rng), SIZE_PX) for one in pixels]
            links, both = joined(np.concatenate([covers.thumbnails[rows], np.stack(copies)]))
            right = sum(both.find(i) == both.find(i + len(rows)) for i in range(len(rows)))
            shares.append(percent(right, len(rows)))
            strangers += sum(clusters[a] != clusters[b] for a, b in links)
        print(f"| {kind} | {shares[0]} | {shares[1]} | {strangers:,} |", flush=True)


def report_frame(covers: Covers, parts: Components) -> None:
    """Print how many covers with different pictures in one frame are joined."""
    rows = np.random.default_rng(1).choice(len(covers.paths), IN_ONE_FRAME, replace=False)
    links, _ = joined(np.stack([resize(framed(covers.thumbnails[row]), SIZE_PX) for row in rows]))
    false = sum(parts.find(int(rows[a])) != parts.find(int(rows[b])) for a, b in links)
    pairs = IN_ONE_FRAME * (IN_ONE_FRAME - 1) // 2
    print(f"\n{IN_ONE_FRAME} covers in one frame under one title: {false:,} of {pairs:,} pairs are joined")


def framed(picture: Pixels) -> Pixels:
    """Put a picture into a red frame that leaves it 39 % of the area, under a title of white bars."""
    cover = np.full((FRAME_PX, FRAME_PX, 3), (200, 40, 40), np.uint8)
    cover[40 : 40 + PICTURE_PX, 30 : 30 + PICTURE_PX] = resize(picture, PICTURE_PX)
    for left in range(30, 130, 14):
        cover[12:24, left : left + 8] = 250
    return cover


def report_sides(folder: Path, covers: Covers, judged: Judged, links: Sequence[Link]) -> None:
    """Print how many pairs of one design a split puts on two sides."""
    independent_links = {frozenset((covers.digests[a], covers.digests[b])) for a, b in links}
    print("\n| split of", SPLIT_COLLECTION, "| pairs of one design | on two sides | of those by the hash |")
    print("| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as scratch:
        dataset = collect(folder / SPLIT_COLLECTION, Path(scratch) / "dataset").dataset
        for seed in range(SEEDS):
            dataset = split(dataset, seed=seed, again=True).dataset
            sides, groups = dataset.column("split"), defaultdict(list)
            for row, name in enumerate(dataset.file_names):
                design = judged.design(Path(name).name)
                if design is not None and sides[row]:
                    groups[design].append(row)
            pairs = [pair for rows in groups.values() for pair in combinations(rows, 2)]
            apart = [(a, b) for a, b in pairs if sides[a] != sides[b]]
            by_hash = [frozenset((dataset.digests[a], dataset.digests[b])) in independent_links for a, b in apart]
            print(f"| seed {seed} | {len(pairs):,} | {len(apart):,} | {sum(by_hash):,} |", flush=True)
            for a, b in apart:
                print(f"  {dataset.file_names[a]} and {dataset.file_names[b]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("covers", type=Path)
    parser.add_argument("--copies", type=int, default=500, help="covers that copies are made of")
    options = parser.parse_args()
    covers, judged = read(options.covers), Judged()
    print(f"{len(covers.paths):,} covers:", dict(Counter(covers.collections)))
    near = independent(covers)
    links, parts = joined(covers.thumbnails)
    report_recall(covers, judged, near, parts)
    report_precision(covers, judged, links)
    if (options.covers / SPLIT_COLLECTION).is_dir():
        report_sides(options.covers, covers, judged, near)
    report_frame(covers, parts)
    report_copies(covers, parts, options.copies)


if __name__ == "__main__":
    main()
