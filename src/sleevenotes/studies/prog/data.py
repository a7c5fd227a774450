"""The study's data: two collections made one dataset, and the tree of folders that the study itself had.

`OUT/dataset` holds the covers of both under numbers that tell nothing, in an order drawn from the seed, so that
neither a name nor a place in the table gives away which collection a cover is from. Its table has `is_prog` or
`not_prog` as the genre, and three further columns: `collection`, and `genres_before` and `file_before`, what the cover
and its file were called there.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from sleevenotes.collect.harmonising import default_size
from sleevenotes.covers.check import check
from sleevenotes.covers.dataset import SEPARATOR, Dataset, from_columns
from sleevenotes.covers.files import write_json
from sleevenotes.covers.images import decode, encode, resize
from sleevenotes.covers.reports import CHECK_NAME, read_check
from sleevenotes.covers.schema import Count, read_json
from sleevenotes.covers.splits import split
from sleevenotes.errors import DatasetError, EvaluationError
from sleevenotes.studies.material import Indices, Progress, called
from sleevenotes.studies.prog.paper import PAPER

PROG, OTHERS = "is_prog", "not_prog"
KINDS = (PROG, OTHERS)
FRACTIONS = (0.72, 0.08, 0.2)  # the study's 80 and 20, a tenth of the 80 for choosing
COMBINED_NAME = "combined.json"
EXPORTED_NAME = "exported.json"
EXPORT_QUALITY = 90
FEWEST = 20  # covers of a collection
SMALLEST_PX = 64  # shorter side of most covers of a collection, to be sent through one path

KEPT = ("artist", "album", "year", "source", "sha256", "width", "height", "release")


@dataclass(frozen=True)
class Collections:
    """The two collections, prog first.

    Parameters
    ----------
    prog, others
        As `collect` made them; what genres they have is kept, and asked about nowhere but in the section on genres.
    """

    prog: Dataset
    others: Dataset

    @classmethod
    def of(cls, prog: Dataset, others: Dataset) -> Collections:
        """Take two datasets as collections.

        Raises
        ------
        EvaluationError
            Where both are one folder, one has too few covers, or most of one are too small to be looked at.
        """
        if prog.folder.resolve() == others.folder.resolve():
            found = "given as both collections"
            raise EvaluationError(str(prog.folder), found, "Two datasets: one of prog, and one of other covers")
        for dataset in (prog, others):
            _refuse_small(dataset)
        return cls(prog, others)

    @property
    def names(self) -> tuple[str, str]:
        """What the two are called; numbered where their folders bear the same name."""
        first, second = called(self.prog), called(self.others)
        return (first, second) if first != second else (f"{first} 1", f"{second} 2")

    @property
    def fingerprints(self) -> list[str]:
        """What both hold."""
        return [self.prog.fingerprint, self.others.fingerprint]


@dataclass(frozen=True)
class Combined:
    """Both collections as one dataset that is split.

    Parameters
    ----------
    dataset
        Of task `binary`.
    counts
        Covers of prog and of the others, before any were left out.
    same
        Sets of covers that are the same and lie in both collections, each as the names that they had there.
    """

    dataset: Dataset
    counts: tuple[int, int]
    same: list[list[str]]


def combine(
    collections: Collections, folder: Path, *, most: int | None, seed: int, progress: Progress | None = None
) -> Combined:
    """Make one dataset of both collections, find near-duplicates, and split it; or return the one that is there.

    Parameters
    ----------
    folder
        Of the dataset to make.
    most
        At most so many covers of both together, drawn so that every genre of either keeps its share; None for all.
    seed
        Of the draw, of the order, and of the split.

    Raises
    ------
    DatasetError
        Where the folder holds something else.
    SplitError
        Where there are too few groups.
    """
    state = {"finished": True, "collections": collections.fingerprints, "most": most, "seed": seed}
    if _state(folder, COMBINED_NAME) != state:
        _clear(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / COMBINED_NAME, {"finished": False})  # from here on the folder is known as one of ours
        _write(collections, folder, most, seed)
        check(Dataset.open(folder), progress=progress)
        split(Dataset.open(folder), task="binary", genre=PROG, fractions=FRACTIONS, seed=seed)
        write_json(folder / COMBINED_NAME, state)
    dataset = Dataset.open(folder)
    counts = Counter(dataset.column("genres"))
    return Combined(dataset, (counts[PROG], counts[OTHERS]), _same(dataset))


def stratified(strata: Sequence[object], most: int, seed: int) -> Indices:
    """Return rows of at most so many covers, in order, in which each stratum keeps its share and at least one cover.

    Examples
    --------
    >>> stratified(["a"] * 8 + ["b"] * 4, 6, seed=0).tolist()
    [2, 3, 4, 6, 9, 10]
    """
    names, member = np.unique(np.array([str(stratum) for stratum in strata]), return_inverse=True)
    if len(strata) <= most:
        return np.arange(len(strata))
    rng = np.random.default_rng(seed)
    kept: list[NDArray[np.intp]] = []
    for index in range(len(names)):
        rows = np.flatnonzero(member == index)
        kept.append(rng.permutation(rows)[: max(1, len(rows) * most // len(strata))])
    return np.sort(np.concatenate(kept))


class ExportedFile(TypedDict):
    """The contents of `exported.json`."""

    covers: dict[str, Count]


def export_folders(dataset: Dataset, folder: Path, size_px: int, *, progress: Progress | None = None) -> dict[str, int]:
    """Write the tree that the study used, `train/is_prog` and so on, each cover a JPEG of one size; or find it written.

    The covers for choosing, which the study did not have, are in `train`; those that the split leaves out are nowhere.

    Returns
    -------
    Covers by folder.

    Raises
    ------
    DatasetError
        Where the folder holds something else.
    """
    told = {"dataset": dataset.fingerprint, "size_px": size_px}
    before = _state(folder, EXPORTED_NAME)
    if before is None and (folder.is_file() or (folder.is_dir() and any(folder.iterdir()))):
        found = "a file" if folder.is_file() else "a folder that holds something else"
        raise DatasetError(str(folder), found, "an empty folder, or none", "Name another with --export-folders")
    if before is not None and {key: before.get(key) for key in told} == told:
        cure = "Delete the folder, or name another with --export-folders"
        return read_json(folder / EXPORTED_NAME, ExportedFile, DatasetError, cure)["covers"]
    for side in ("train", "test"):
        shutil.rmtree(folder / side, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / EXPORTED_NAME, {"covers": {}})  # from here on the folder is known as one of ours
    counts = _exported(dataset, folder, size_px, progress)
    write_json(folder / EXPORTED_NAME, told | {"covers": counts})
    return counts


def _exported(dataset: Dataset, folder: Path, size_px: int, progress: Progress | None) -> dict[str, int]:
    counts: Counter[str] = Counter()
    genres, sides = dataset.column("genres"), dataset.column("split")
    rows = [row for row, side in enumerate(sides) if side]
    for done, row in enumerate(rows, start=1):
        place = f"{'test' if sides[row] == 'test' else 'train'}/{genres[row]}"
        (folder / place).mkdir(parents=True, exist_ok=True)
        pixels = resize(decode(dataset.path(row)), size_px)
        name = f"{Path(dataset.file_names[row]).stem}.jpg"
        (folder / place / name).write_bytes(encode(pixels, "jpeg", quality=EXPORT_QUALITY))
        counts[place] += 1
        if progress is not None:
            progress(done, len(rows))
    return dict(sorted(counts.items()))


def genre_before(dataset: Dataset) -> list[str]:
    """Return each cover's genre in the collection that it is from: the first of them; empty where it had none."""
    return [cell.split(SEPARATOR)[0].strip() for cell in dataset.column("genres_before")]


def common_size(dataset: Dataset) -> int:
    """Return the side to which both collections are brought on one path: the network's, or less where covers are small.

    Raises
    ------
    DatasetError
        Where nearly all covers could only be brought to a size that shows nothing.
    """
    told = zip(dataset.column("width"), dataset.column("height"), strict=True)
    sides = [min(int(width), int(height)) if width and height else 0 for width, height in told]
    size_px = min(PAPER.prog_px, default_size(dataset, sides))
    if size_px < SMALLEST_PX:
        found = f"nearly all covers can be brought to {size_px} px only, without enlarging any"
        raise DatasetError(str(dataset.folder), found, f"{SMALLEST_PX} px or more", "Leave the smallest covers out")
    return size_px


def _refuse_small(dataset: Dataset) -> None:
    if len(dataset) < FEWEST:
        found = f"{len(dataset)} covers" if len(dataset) else "no cover in it"
        raise EvaluationError(str(dataset.folder), found, f"A collection of {FEWEST} covers or more", "Collect more")
    told = zip(dataset.column("width"), dataset.column("height"), strict=True)
    sides = [min(int(width), int(height)) for width, height in told if width and height]
    small = sum(side < SMALLEST_PX for side in sides)
    if small > len(dataset) / 2:
        found = f"{small:,} of {len(dataset):,} covers are smaller than {SMALLEST_PX} px"
        raise EvaluationError(str(dataset.folder), found, "covers large enough to be looked at", "Collect larger ones")


def _state(folder: Path, name: str) -> dict[str, Any] | None:
    try:
        return read_json(folder / name, dict[str, Any], DatasetError, "")
    except DatasetError:  # not there, or damaged: it is made again
        return None


def _clear(folder: Path) -> None:
    """Remove what an earlier run made.

    Raises
    ------
    DatasetError
        Where the folder holds something that no run of the study made.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / COMBINED_NAME).exists()):
        raise DatasetError(
            str(folder), "holds something that this study did not make", "an empty folder", "Name another with -o"
        )
    shutil.rmtree(folder, ignore_errors=True)


def _write(collections: Collections, folder: Path, most: int | None, seed: int) -> None:
    """Link or copy the covers of both, under numbers, and write their table."""
    both = (collections.prog, collections.others)
    places = [(kind, row) for kind in range(2) for row in range(len(both[kind]))]
    genres = [dataset.column("genres") for dataset in both]
    strata = [(kind, genres[kind][row]) for kind, row in places]
    drawn = range(len(places)) if most is None else stratified(strata, most, seed)
    order = np.random.default_rng(seed).permutation(np.asarray(drawn)).tolist()
    (folder / "images").mkdir()
    rows: list[dict[str, str]] = []
    columns = [{name: dataset.column(name) for name in (*KEPT, "genres")} for dataset in both]
    for number, place in enumerate(order, start=1):
        kind, row = places[place]
        path = both[kind].path(row)
        name = f"images/{number:06d}{path.suffix.lower()}"
        _link(path, folder / name)
        told = {column: columns[kind][column][row] for column in KEPT}
        extra = {
            "collection": collections.names[kind],
            "genres_before": columns[kind]["genres"][row],
            "file_before": both[kind].file_names[row],
        }
        rows.append({"file_name": name, "genres": KINDS[kind], **told, **extra})
    from_columns(folder, {name: [row[name] for row in rows] for name in rows[0]}).write()


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


def _same(dataset: Dataset) -> list[list[str]]:
    """Return the sets of near-duplicates that lie in both collections."""
    report = read_check(dataset.folder / CHECK_NAME)
    told = zip(dataset.column("collection"), dataset.column("file_before"), strict=True)
    before = dict(zip(dataset.file_names, (f"{where}: {name}" for where, name in told), strict=True))
    clusters = report["near_duplicates"]["clusters"]
    return [[before[name] for name in cluster["covers"]] for cluster in clusters if cluster["differ"]]
