"""Harmonise: every cover of a dataset goes through one identical path, so that files tell nothing but art.

Each cover is decoded, squeezed into a square of one size as models see it, and written as a baseline JPEG of one
quality without metadata, under a number that was drawn by lot. Covers are only ever shrunk: enlarging leaves a trace,
so those with a shorter side than the size are left out, named and counted.

The squeeze is on purpose: a cover that kept its aspect would keep a trace of where it came from, and models squeeze it
anyway.

The new dataset has the same rows in the same order, less those left out, with all their columns. Only `file_name`,
`sha256`, `width` and `height` are new. `source` stays, to say where a cover came from. A split stays, and is as valid
as it was. Beside the table lie

- `harmonise.json`: what was done, in words and numbers, and from which dataset;
- `harmonised.png`: two covers before and after, and the difference enlarged;
- `problems.csv` (`source,problem`): what was left out, a sentence each.

What this can't undo: the traces of an earlier compression or scaling that lie in the pixels themselves. Shrinking blurs
them, so a size well below all native ones hides more of them.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sleevenotes.collect.naming import FOLDER
from sleevenotes.covers.dataset import CSV_NAME, SETTINGS_NAME, SPLITS, Dataset
from sleevenotes.covers.files import replacing, write_json
from sleevenotes.covers.genre_tree import TREE_NAME
from sleevenotes.covers.huggingface import CARD_NAME, TABLES
from sleevenotes.covers.images import Pixels, decode, encode, probe, resize, sha256
from sleevenotes.covers.locks import writing
from sleevenotes.covers.pixels import cores, iter_covers
from sleevenotes.covers.properties import HARMONISED_NAME
from sleevenotes.covers.reports import PROBLEMS_NAME, read_problems
from sleevenotes.covers.schema import Count, read_json
from sleevenotes.covers.sheets import contact_sheet
from sleevenotes.covers.swapping import finish_swap, rebuilding
from sleevenotes.covers.tasks import COLLECTIONS_NAME, Task
from sleevenotes.errors import CoverError, DatasetError

FORMAT = 1
SHEET_NAME = "harmonised.png"
COLLECTION = "collection"

SMALLEST_PX, LARGEST_PX = 16, 4096
DEFAULT_AT_MOST_PX = 512
FEW = 0.01  # of the covers of a genre or collection may be smaller than the default size
MAY_GO = 0.5  # of a genre's or collection's covers
ENLARGED = 8  # times, the difference on the sheet
TILE_PX = 256

OWNED = (
    HARMONISED_NAME, CSV_NAME, *TABLES, SETTINGS_NAME, COLLECTIONS_NAME, TREE_NAME, PROBLEMS_NAME, SHEET_NAME, FOLDER
)  # fmt: skip

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class HarmoniseSettings:
    """How to harmonise.

    Parameters
    ----------
    size_px
        Side of the square; None takes the largest to which nearly all covers of every genre and collection can be
        shrunk, at most 512.
    quality
        Of the JPEGs, 1 to 100.
    seed
        Of the lot that numbers the files.
    """

    size_px: int | None = None
    quality: int = 85
    seed: int = 0


class MadeOf(TypedDict):
    """The dataset that another one was made of."""

    name: str
    fingerprint: str
    covers: Count


class HarmoniseState(TypedDict):
    """The contents of `harmonise.json`."""

    format: int
    finished: bool
    dataset: MadeOf
    place: str
    table: str
    asked_size_px: int | None
    size_px: int
    quality: int
    seed: int
    words: NotRequired[list[str]]


@dataclass(frozen=True)
class Harmonised:
    """What came of it.

    Parameters
    ----------
    dataset
        The new dataset, as written.
    rows
        For each of its covers the row in the dataset that it was made of, 0 for the first, (n,).
    state
        What `harmonise.json` says.
    seconds
        How long it took.
    fresh
        False where it was done already.
    """

    dataset: Dataset
    rows: NDArray[np.intp]
    state: Mapping[str, Any]
    seconds: float
    fresh: bool = True

    @property
    def lines(self) -> list[str]:
        """The result in words."""
        folder, n = self.dataset.folder, len(self.dataset)
        told = f"{n:,} covers in {folder}, "
        told += f"{n / max(self.seconds, 1e-3):,.0f} a second" if self.fresh else "harmonised so already"
        return [told, *self.state["words"], f"Two covers before and after: {folder / SHEET_NAME}"]


def harmonise(
    dataset: Dataset, out: Path, settings: HarmoniseSettings | None = None, *, progress: Progress | None = None
) -> Harmonised:
    """Send every cover of a dataset through one identical path, into a new dataset.

    Memory stays flat, however many and large the covers are. The same dataset with the same settings into the same
    folder is found done; with others it is made anew.

    Parameters
    ----------
    out
        The new dataset's folder: new, empty, or harmonised from the same dataset before.
    progress
        Called with (covers done, covers in all).

    Raises
    ------
    DatasetError
        Where a setting is out of range, the dataset has no covers, more than half of those of a genre or collection are
        too small, or the folder is the dataset's own or holds something else.
    StoreBusy
        If another process is writing to that folder.
    """
    started = time.perf_counter()
    settings, out = settings or HarmoniseSettings(), Path(out)
    _check(dataset, settings)
    finish_swap(out)
    _before(dataset, out)  # refuses a folder before a lock is put into it
    with writing(out, "harmonise"):
        before, came_from = _before(dataset, out), _came_from(dataset)
        if before is not None and _is_done(out, before, came_from, settings):
            return _found(dataset, out, before, started)
        rows, state = _harmonised(dataset, out, settings, came_from, progress)
    return Harmonised(Dataset.open(out), rows, state, time.perf_counter() - started)


def _harmonised(
    dataset: Dataset, out: Path, settings: HarmoniseSettings, came_from: Mapping[str, Any], progress: Progress | None
) -> tuple[NDArray[np.intp], dict[str, Any]]:
    """Write the new dataset; return the rows that it was made of, and what `harmonise.json` says."""
    short_sides = _short_sides(dataset)
    size_px = settings.size_px or default_size(dataset, short_sides)
    _refuse_small(dataset, short_sides, size_px)
    told = {"format": FORMAT, **came_from, "asked_size_px": settings.size_px, "size_px": size_px}
    told |= {"quality": settings.quality, "seed": settings.seed}
    with rebuilding(out, "harmonise", owned=OWNED, last=(HARMONISED_NAME, CSV_NAME)) as building:
        made = _make(dataset, building, told, short_sides, progress)
        rows = np.flatnonzero([not problem for problem in made.problems])
        if not len(rows):
            raise DatasetError(str(dataset.folder), f"none of {len(dataset):,} covers can be read", cure="See `check`")
        _write(dataset, building, made, rows, size_px)
        if (out / CARD_NAME).exists():
            (building / CARD_NAME).unlink(missing_ok=True)  # that of the user stays
        told |= _told(told, made, short_sides)
        write_json(building / HARMONISED_NAME, told | {"finished": True})
    return rows, told | {"finished": True}


def collections_of(dataset: Dataset) -> list[str]:
    """Return the collection that each cover came from: the column `collection`, or all "" where there is none."""
    return dataset.column(COLLECTION)


def default_size(dataset: Dataset, short_sides: Sequence[int]) -> int:
    """Return the largest size to which nearly all covers of every genre and collection can be shrunk, 16 to 512.

    Nearly all is 99 % of them; where there are ten or more, one may always be smaller.

    Parameters
    ----------
    short_sides
        Of each cover in px, n; 0 where it can't be read, which does not count.
    """
    largest = DEFAULT_AT_MOST_PX
    for indices in _parts(dataset).values():
        sides = sorted(short_sides[index] for index in indices if short_sides[index])
        if sides:
            largest = min(largest, sides[max(int(FEW * len(sides)), int(len(sides) >= 10))])
    return max(SMALLEST_PX, largest)


def size_below_all(dataset: Dataset) -> int:
    """Return a size to which nearly all covers have to be shrunk, by an eighth or more.

    At the default size covers that have it already keep the grid of their compression, while larger ones lose it.
    """
    return _well_below(default_size(dataset, _short_sides(dataset)))


# -- what is asked -----------------------------------------------------------------------------------------------------


def _check(dataset: Dataset, settings: HarmoniseSettings) -> None:
    size_px, quality = settings.size_px, settings.quality
    if size_px is not None and not SMALLEST_PX <= size_px <= LARGEST_PX:
        raise DatasetError("--size", f"{size_px:,} px", f"{SMALLEST_PX} to {LARGEST_PX:,} px")
    if not 1 <= quality <= 100:
        raise DatasetError("--quality", f"{quality}", "1 to 100", "85 hides little and adds little")
    if not len(dataset):
        raise DatasetError(str(dataset.folder), "no covers in its table", cure="Collect some")


def _before(dataset: Dataset, out: Path) -> dict[str, Any] | None:
    """Return what `harmonise.json` said so far; refuse a folder that is not ours to write to."""
    here, there = dataset.folder.resolve(), out.resolve()
    cure = "Name another folder with `-o`"
    if here == there:
        raise DatasetError(str(out), "the dataset itself", "a folder for the new one", cure)
    if here.is_relative_to(there) or there.is_relative_to(here):
        found = "the dataset lies in it" if here.is_relative_to(there) else "it lies in the dataset"
        raise DatasetError(str(out), found, "a folder apart from it", cure)
    if out.exists() and not out.is_dir():
        raise DatasetError(str(out), "a file", "a folder for the new dataset", cure)
    names = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if HARMONISED_NAME in names:
        state = _read_state(out / HARMONISED_NAME)
        came_from = _came_from(dataset)
        if came_from["place"] != state.get("place") and came_from["table"] != state.get("table"):
            found = f"harmonised from another dataset, '{state.get('dataset', {}).get('name', '')}'"
            raise DatasetError(str(out), found, "A new folder, or one harmonised from this dataset", cure)
        return state
    if others := [name for name in names if not name.startswith(".")]:
        held = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        raise DatasetError(str(out), f"it holds something else ({held})", "a new or empty folder", cure)
    return None


def _read_state(path: Path) -> dict[str, Any]:
    state: Any = read_json(path, HarmoniseState, DatasetError, "Name another folder with `-o`", newest=FORMAT)
    return state  # type: ignore[no-any-return]


def _came_from(dataset: Dataset) -> dict[str, Any]:
    """Return what identifies a dataset, and all of it that the new one depends on; no path is in it."""
    digest = hashlib.sha256(dataset.covers.write_csv().encode())
    digest.update(json.dumps([dataset.digests, dataset.settings], sort_keys=True).encode())
    return {
        "title": f"{dataset.name} (harmonised)",
        "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint, "covers": len(dataset)},
        "place": hashlib.sha256(os.fsencode(dataset.folder.resolve())).hexdigest()[:16],
        "table": digest.hexdigest(),
    }


def _is_done(out: Path, before: Mapping[str, Any], came_from: Mapping[str, Any], settings: HarmoniseSettings) -> bool:
    same = before.get("table") == came_from["table"] and bool(before.get("finished"))
    same_size = settings.size_px == before.get("asked_size_px") or settings.size_px == before.get("size_px")
    same_rest = (settings.quality, settings.seed) == (before.get("quality"), before.get("seed"))
    if not (same and same_size and same_rest and (out / CSV_NAME).is_file() and (out / SHEET_NAME).is_file()):
        return False
    return all(path.is_file() for path in Dataset.open(out, files=False).paths)


def _found(dataset: Dataset, out: Path, state: Mapping[str, Any], started: float) -> Harmonised:
    gone = {row["source"] for row in read_problems(out / PROBLEMS_NAME)}
    rows = np.flatnonzero([name not in gone for name in dataset.file_names])
    return Harmonised(Dataset.open(out), rows, state, time.perf_counter() - started, fresh=False)


# -- which covers ------------------------------------------------------------------------------------------------------


def _short_sides(dataset: Dataset) -> list[int]:
    """Return the shorter side of each cover in px, from its file; 0 where that can't be read."""

    def of(path: Path) -> int:
        try:
            info = probe(path.read_bytes(), path.name)
        except (CoverError, OSError):  # told when the cover is decoded
            return 0
        return min(info.width, info.height)

    with ThreadPoolExecutor(cores(), thread_name_prefix="headers") as pool:
        return list(pool.map(of, dataset.paths))


def _parts(dataset: Dataset) -> dict[str, list[int]]:
    """Return the covers of each genre, and of each collection where there are several, by what to call them."""
    parts: dict[str, list[int]] = {}
    collections = collections_of(dataset)
    several = len(set(collections)) > 1
    for index, (genres, collection) in enumerate(zip(dataset.genre_lists, collections, strict=True)):
        for name in (*(f"genre '{genre}'" for genre in genres), *([f"collection '{collection}'"] * several)):
            parts.setdefault(name, []).append(index)
    return parts or {"the dataset": list(range(len(dataset)))}


def _refuse_small(dataset: Dataset, short_sides: Sequence[int], size_px: int) -> None:
    """Refuse a size for which more than half of the covers of a genre or collection are too small."""
    for name, indices in _parts(dataset).items():
        known = [short_sides[index] for index in indices if short_sides[index]]
        small = sum(side < size_px for side in known)
        if small > MAY_GO * len(known):
            would_do = default_size(dataset, short_sides)
            cure = f"`--size {would_do}` would do" if would_do < size_px else "Leave these covers out of the dataset"
            found = f"{small:,} of {len(known):,} covers of {name} are smaller, and would be left out"
            raise DatasetError(f"--size {size_px}", found, "Half of them at most may be", cure)


# -- the path ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Made:
    """What became of each of n covers: its new name and hash, or the problem that it has."""

    names: list[str]
    hashes: list[str]
    problems: list[str]


def _make(
    dataset: Dataset, out: Path, told: Mapping[str, Any], short_sides: Sequence[int], progress: Progress | None
) -> _Made:
    n, size_px = len(dataset), int(told["size_px"])
    lot = np.random.default_rng(told["seed"]).permutation(n)
    made = _Made([""] * n, [""] * n, [""] * n)
    for index, side in enumerate(short_sides):
        if 0 < side < size_px:
            said = (
                f"a shorter side of {side:,} px, less than {size_px:,}: it would have to be enlarged, so it is left out"
            )
            made.problems[index] = f"{dataset.file_names[index]}: {said}."
    asked = [index for index in range(n) if not made.problems[index]]
    numbers = np.argsort(np.argsort(lot[asked]))
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    with closing(iter_covers((dataset.path(index) for index in asked), size_px=size_px)) as covers:
        for at, pixels in covers:
            index = asked[at]
            if isinstance(pixels, CoverError):
                made.problems[index] = str(pixels)
            else:
                data = harmonised(pixels, told["quality"])
                made.names[index], made.hashes[index] = f"{FOLDER}/{numbers[at] + 1:06}.jpg", sha256(data)
                (out / made.names[index]).write_bytes(data)
            if progress is not None:
                progress(at + 1, len(asked))
    return made


def harmonised(pixels: Pixels, quality: int) -> bytes:
    """Return squeezed pixels as the one kind of file: baseline JPEG, colours 4:2:0, no metadata."""
    return encode(pixels, "jpeg", quality=quality)


def _write(dataset: Dataset, out: Path, made: _Made, rows: NDArray[np.intp], size_px: int) -> None:
    """Write table, split, problems and sheet."""
    table = dataset.covers[rows.tolist()].with_columns(
        pl.Series("file_name", [made.names[row] for row in rows]),
        pl.Series("sha256", [made.hashes[row] for row in rows]),
        pl.lit(size_px, pl.Int64).alias("width"),
        pl.lit(size_px, pl.Int64).alias("height"),
    )
    new = Dataset(out, table)
    new.write()
    if dataset.settings:
        write_json(out / SETTINGS_NAME, _split_settings(dataset, new))
    _carry(dataset, out)
    _write_problems(out, zip(dataset.file_names, made.problems, strict=True))
    with replacing(out / SHEET_NAME) as partial:
        partial.write_bytes(encode(_sheet(dataset, new, rows), "png"))


def _carry(dataset: Dataset, out: Path) -> None:
    """Take along what `split` reads beside the table: which genres each collection names, and the user's own tree."""
    for name in (COLLECTIONS_NAME, TREE_NAME):
        if (dataset.folder / name).is_file():
            with replacing(out / name) as partial:
                shutil.copyfile(dataset.folder / name, partial)


def _write_problems(out: Path, problems: Iterable[tuple[str, str]]) -> None:
    with replacing(out / PROBLEMS_NAME) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("source", "problem"))
        writer.writerows((name, problem) for name, problem in problems if problem)


def _split_settings(dataset: Dataset, new: Dataset) -> dict[str, Any]:
    """Return what `split.json` says of the new dataset: the sides are the same, so only counts and fingerprint are new.

    A table that was changed since it was split keeps a fingerprint that does not fit, so that `split` looks again.
    """
    settings = dict(dataset.settings)
    if "fingerprint" in settings:
        fits = settings["fingerprint"] == dataset.fingerprint
        settings["fingerprint"] = new.fingerprint if fits else ""
    if len(new) == len(dataset) or "counts" not in settings:
        return settings
    own = new.where([side != "" for side in new.column("split")])
    task, sides, groups = Task.of(dataset), own.column("split"), Counter(own.groups)
    truth = task.truth(own.genre_lists)
    bears = truth == 1 if task.kind == "multi" else truth[:, None] == np.arange(len(task.genres))
    counts = {
        genre: {side: int((bears[:, k] & (np.array(sides) == side)).sum()) for side in SPLITS}
        for k, genre in enumerate(task.genres)
    }
    settings |= {"covers": {side: sides.count(side) for side in SPLITS}, "counts": counts}
    note = f"{len(dataset) - len(new):,} covers were left out when this dataset was harmonised."
    notes = [*settings.get("notes", []), note]
    return settings | {"groups": len(groups), "largest_group": max(groups.values(), default=0), "notes": notes}


# -- what is told ------------------------------------------------------------------------------------------------------


def _told(told: Mapping[str, Any], made: _Made, short_sides: Sequence[int]) -> dict[str, Any]:
    """Return the rest of `harmonise.json`."""
    size_px, n = int(told["size_px"]), len(short_sides)
    small = sum(0 < side < size_px for side in short_sides)
    unread = sum(map(bool, made.problems)) - small
    covers = n - small - unread
    unscaled = sum(side == size_px for side in short_sides)
    path = (
        f"Each cover was decoded to sRGB, squeezed to {size_px} × {size_px} px by antialiased bicubic, and written as "
        f"a baseline JPEG of quality {told['quality']}, colours 4:2:0, without metadata, under a number drawn by lot."
    )
    words = [path]
    if small or unread:
        words.append(f"Left out: {small:,} smaller than {size_px} px, {unread:,} unreadable ({PROBLEMS_NAME}).")
    if unscaled:
        words.append(
            f"{unscaled:,} of {covers:,} covers have a side of {size_px} px already and are not shrunk along it, so "
            f"that the grid of an earlier compression stays; `--size {_well_below(size_px)}` shrinks them, too."
        )
    return {
        "covers": covers,
        "left_out": {"smaller": small, "unreadable": unread},
        "unscaled": unscaled,
        "resampler": "antialiased bicubic, squeezed into a square",
        "subsampling": "4:2:0",
        "progressive": False,
        "metadata": "none",
        "words": words,
    }


def _well_below(size_px: int) -> int:
    """Return the next multiple of 8 px that is at least an eighth smaller."""
    return max(SMALLEST_PX, size_px * 7 // 8 // 8 * 8)


def _sheet(dataset: Dataset, new: Dataset, rows: NDArray[np.intp]) -> Pixels:
    """Show what was done to two covers, one of many bytes and one of a middling number."""
    sizes = [dataset.path(int(row)).stat().st_size for row in rows]
    order = np.argsort(sizes, kind="stable").tolist()
    chosen = dict.fromkeys([order[-1], order[len(order) // 2]])
    tiles, captions = [], []
    for index in chosen:
        path = dataset.path(int(rows[index]))
        before, after = decode(path), decode(new.path(index))
        height, width = before.shape[:2]
        apart = np.abs(before.astype(np.int16) - resize(after, (height, width)))
        tiles.append([before, after, (255 - (ENLARGED * apart).clip(0, 255)).astype(np.uint8)])
        written = new.path(index).stat().st_size
        captions.append(
            [
                f"{width} x {height} px, {sizes[index] / 1000:.1f} kB",
                f"{after.shape[1]} x {after.shape[0]} px, {written / 1000:.1f} kB",
                f"difference, {ENLARGED} times",
            ]
        )
    return contact_sheet(tiles, tile_px=TILE_PX, captions=captions, title="Harmonised: two covers, before and after")
