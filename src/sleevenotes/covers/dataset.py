"""The dataset: a folder with `metadata.csv` (or `.parquet`) and the covers that it names.

Hugging Face `datasets` loads the folder, too (`huggingface`). One row is one cover:

========== ==========================================================================
column     meaning
========== ==========================================================================
file_name  path of the cover, relative to the folder, `/` between its parts
genres     every genre of the cover, `;` between them, the first one primary
artist     as found; empty where unknown
album      as found; empty where unknown
year       four digits; empty where unknown
group      covers of one group stay on one side of a split; written by `split`
split      `train`, `valid`, `test`, or empty for a cover that is left out
source     where the cover was found
sha256     of the file's bytes when it was collected, 64 hexadecimal digits
width      px, as shown (after EXIF rotation)
height     px, as shown
========== ==========================================================================

Further columns are allowed and kept. Row numbers in messages are those that a spreadsheet shows: the header is row 1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sleevenotes.covers.digests import file_digests, report_replaced
from sleevenotes.covers.files import one_line, replacing, sweep
from sleevenotes.covers.huggingface import write_splits
from sleevenotes.covers.locks import forget_stale, holds, writing
from sleevenotes.covers.schema import Count, Meta, Name, Pair, Share, read_json
from sleevenotes.covers.swapping import finish_swap
from sleevenotes.errors import ChangedMeanwhile, DatasetError

COLUMNS = (
    "file_name",
    "genres",
    "artist",
    "album",
    "year",
    "group",
    "split",
    "source",
    "sha256",
    "width",
    "height",
)
REQUIRED = ("file_name", "genres")
NUMBERS = ("width", "height")
SPLITS = ("train", "valid", "test")
SEPARATOR = ";"

CSV_NAME = "metadata.csv"
PARQUET_NAME = "metadata.parquet"
SETTINGS_NAME = "split.json"
TITLED = ("harmonise.json", "collect.json", "collections.json")
"""Files of a dataset that may say what it is called."""
PLAIN_FOLDERS = frozenset({"dataset", "harmonised", "joined"})
PLAIN_SOURCES = frozenset(
    {"albums", "art", "artwork", "cover", "covers", "data", "dataset", "image", "images", "img", "metadata", "pictures"}
)
TABLE_ENDINGS = frozenset({".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".pq"})
CACHE_NAME = ".cache"


class SplitSettings(TypedDict):
    """The contents of `split.json`."""

    task: Literal["single", "binary", "multi"]
    genres: Annotated[list[Name], Meta(min_length=1)]
    positive: NotRequired[str | None]
    seed: NotRequired[Annotated[int, Meta(ge=0)] | None]
    fractions: NotRequired[Annotated[list[Share], Meta(min_length=3, max_length=3)] | None]
    by: NotRequired[list[str]]
    min_covers: NotRequired[Count | None]
    rare: NotRequired[dict[str, Count] | None]
    genre_tree: NotRequired[str | None]
    tree: NotRequired[list[Pair]]
    known: NotRequired[dict[str, list[str]] | None]
    left_out: NotRequired[dict[str, Count]]
    groups: NotRequired[Count]
    largest_group: NotRequired[Count]
    artists: NotRequired[Literal["apart", "shared", "unknown"]]
    covers: NotRequired[dict[str, Count]]
    counts: NotRequired[dict[str, dict[str, Count]]]
    notes: NotRequired[list[str]]
    fingerprint: NotRequired[str]


@dataclass(frozen=True)
class Dataset:
    """Covers with their genres, in one table.

    Parameters
    ----------
    folder
        Where the table and the covers lie.
    covers
        One row a cover: all of `COLUMNS`, as text but for `width` and `height`, then any further columns as text.
    digest
        SHA-256 of the table's file as it was read or written; empty if it was never either.
    edited
        Whether `covers` differs from what that file held.

    Examples
    --------
    >>> table = pl.DataFrame({"file_name": ["a.jpg", "b.jpg"], "genres": ["rock;pop", "folk"]})
    >>> dataset = Dataset(Path("covers"), complete(table))
    >>> dataset.genres, dataset.genre_lists[0]
    (['folk', 'pop', 'rock'], ('rock', 'pop'))
    """

    folder: Path
    covers: pl.DataFrame = field(repr=False)
    digest: str = field(default="", repr=False, compare=False)
    edited: bool = field(default=False, repr=False, compare=False)

    @classmethod
    def open(cls, folder: Path, *, files: bool = True) -> Dataset:
        """Read a dataset and check every row of it.

        What a killed process left unfinished in the folder (an edit, a half-written file) is finished or removed.

        Parameters
        ----------
        folder
            The dataset's folder.
        files
            Whether a row whose cover is missing is a problem (`check` tells of them itself).

        Raises
        ------
        DatasetError
            Where there is no table, it lacks a column, or rows can't be used: each is told with its row number.
        """
        folder = Path(folder)
        _tidy_up(folder)
        path = table_path(folder)
        content = _bytes(path)
        table, problems = _completed(_read(path, content), str(path))
        _refuse(str(path), _row_problems(table, folder if files else None) + problems)
        return cls(folder, table, hashlib.sha256(content).hexdigest())

    def write(self) -> Path:
        """Write the table to where it was read from, whole or not at all, and return its path.

        The tables of its splits, for Hugging Face `datasets`, are written after it.

        Raises
        ------
        ChangedMeanwhile
            If the table on the disk is no longer the one that this dataset was read from: writing would undo what
            others changed.
        StoreBusy
            If another process is writing to the dataset.
        """
        with writing(self.folder, "Dataset.write"):
            if self.digest and self._is_outdated():
                raise _changed(self.folder)
            path = self.folder / CSV_NAME
            if (self.folder / PARQUET_NAME).exists() and not path.exists():
                path = self.folder / PARQUET_NAME
            with replacing(path) as partial:
                if path.suffix == ".parquet":
                    self.covers.write_parquet(partial)
                else:
                    self.covers.write_csv(partial)
                digest = hashlib.sha256(partial.read_bytes()).hexdigest()
            write_splits(self.folder, self.covers, separator=SEPARATOR)
        object.__setattr__(self, "digest", digest)  # it is what lies on the disk now
        object.__setattr__(self, "edited", False)
        return path

    def current(self) -> Dataset:
        """Return the dataset as it lies on the disk, read again if others have changed it there since it was read.

        A dataset that was never read from its folder is returned as it is.

        Raises
        ------
        ChangedMeanwhile
            If it was changed both on the disk and here.
        """
        if not self.digest or not self._is_outdated():
            return self
        if self.edited:
            raise _changed(self.folder)
        return Dataset.open(self.folder, files=False)

    def _is_outdated(self) -> bool:
        """Return whether the table on the disk is another one than that which was read; one that is gone is not."""
        try:
            content = _bytes(table_path(self.folder))
        except DatasetError:
            return False
        return hashlib.sha256(content).hexdigest() != self.digest

    def __len__(self) -> int:
        return self.covers.height

    def column(self, name: str) -> list[str]:
        """Return one column as text, n entries, empty strings where nothing is known."""
        if name not in self.covers.columns:
            return [""] * len(self)
        return self.covers[name].cast(pl.String).fill_null("").to_list()

    @property
    def title(self) -> str:
        """The title that the dataset was given, else its source or folder; empty if those say nothing."""
        return title_of(self.folder)

    @property
    def name(self) -> str:
        """What the dataset is called: its title, else the folder around it, or its own."""
        return name_of(self.folder)

    @cached_property
    def file_names(self) -> list[str]:
        """The covers' paths relative to the folder, n of them."""
        return self.column("file_name")

    @cached_property
    def genre_lists(self) -> list[tuple[str, ...]]:
        """Each cover's genres, the primary one first."""
        return [tuple(part.strip() for part in cell.split(SEPARATOR) if part.strip()) for cell in self.column("genres")]

    @cached_property
    def genres(self) -> list[str]:
        """Every genre that occurs, by name."""
        return sorted({genre for genres in self.genre_lists for genre in genres})

    def require_genres(self) -> None:
        """Refuse a dataset in which no cover has a genre.

        Raises
        ------
        DatasetError
            If there are covers, but none has a genre.
        """
        if len(self) and not self.genres:
            found = "its cover has no genre" if len(self) == 1 else f"none of its {len(self):,} covers has a genre"
            cure = (
                "Collect them with genres; without, they are for `predict`, `explain`, `similar` and `study prog` only"
            )
            raise DatasetError(str(self.folder), found, "covers with genres", cure)

    @cached_property
    def groups(self) -> list[str]:
        """Each cover's group; a cover without one is a group by itself."""
        return [group or f"cover {name}" for group, name in zip(self.column("group"), self.file_names, strict=True)]

    @cached_property
    def digests(self) -> list[str]:
        """SHA-256 of each cover's file as it is on the disk; the table's for a file that is missing.

        The file is what counts, as it is what a model sees. `report_replaced` warns if the table has another SHA-256.
        """
        return file_digests(self.folder, self.file_names, self.column("sha256"), self.cache)

    def report_replaced(self) -> None:
        """Warn, with their number and once a process, of covers whose files were replaced since they were collected."""
        self.digests  # noqa: B018  (it compares)
        report_replaced(self.folder, self.file_names)

    @property
    def replaced(self) -> NDArray[np.bool_]:
        """Which covers, (n,), are another file than the one whose SHA-256 the table has."""
        recorded = zip(self.column("sha256"), self.digests, strict=True)
        return np.array([bool(expected) and digest != expected for expected, digest in recorded], dtype=bool)

    @property
    def paths(self) -> list[Path]:
        """The covers' files."""
        return [self.folder / name for name in self.file_names]

    def path(self, index: int) -> Path:
        """Return the file of one cover."""
        return self.folder / self.file_names[index]

    @property
    def cache(self) -> Path:
        """The folder for what can be made again: decoded pixels, features."""
        return self.folder / CACHE_NAME

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What `split` wrote to `split.json` (task, genres in order, seed, …); empty before.

        Raises
        ------
        DatasetError
            If the file is damaged.
        """
        path = self.folder / SETTINGS_NAME
        if not path.exists():
            return {}
        cure = f"Delete it and run `sleevenotes split {self.folder} --again`"
        settings: Any = read_json(path, SplitSettings, DatasetError, cure)
        return settings  # type: ignore[no-any-return]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over what a model learns from: file names, genres, contents of the files, and split."""
        digest = hashlib.sha256()
        for row in zip(self.file_names, self.column("genres"), self.digests, self.column("split"), strict=True):
            digest.update("\x1f".join(row).encode() + b"\x1e")
        return digest.hexdigest()

    def where(self, mask: Sequence[bool] | NDArray[np.bool_]) -> Dataset:
        """Return the covers for which `mask`, (n,), is true."""
        covers = self.covers.filter(pl.Series(np.asarray(mask, dtype=bool)))
        return Dataset(self.folder, covers, self.digest, edited=True)

    def in_split(self, split: str) -> Dataset:
        """Return the covers of one split, or every cover for `all`."""
        if split == "all":
            return self
        return self.where([name == split for name in self.column("split")])

    def with_columns(self, **columns: Sequence[str]) -> Dataset:
        """Return the dataset with whole text columns replaced or added, each with n entries."""
        series = [pl.Series(name, list(values), dtype=pl.String) for name, values in columns.items()]
        return Dataset(self.folder, self.covers.with_columns(series), self.digest, edited=True)


def _read_told(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, empty if there is none."""
    try:
        return read_json(path, dict[str, Any], DatasetError, "")
    except DatasetError:
        return {}


def title_of(folder: Path) -> str:
    """Return the title that a dataset was given, else the name of its source or folder, or an empty string.

    A source that is called `covers` says nothing, nor does a folder that is called `dataset`.
    """
    for file in TITLED:
        told = _read_told(folder / file)
        source = PurePosixPath(str(told.get("source") or ""))
        name = source.stem if source.suffix.lower() in TABLE_ENDINGS else source.name
        for title in (str(told.get("title") or ""), "" if name.casefold() in PLAIN_SOURCES else name):
            if one_line(title):
                return one_line(title)
    name = folder.resolve().name
    return "" if name.casefold() in PLAIN_FOLDERS else name


def name_of(folder: Path) -> str:
    """Return what a dataset is called: its title, else the name of the folder around it, or of its own."""
    place = folder.resolve()
    return title_of(folder) or place.parent.name or place.name


def table_path(folder: Path) -> Path:
    """Return the path of a dataset's table, the CSV before the Parquet.

    Raises
    ------
    DatasetError
        Where the folder has neither.
    """
    for name in (CSV_NAME, PARQUET_NAME):
        if (folder / name).is_file():
            return folder / name
    inner = folder / "dataset"
    if any((inner / name).is_file() for name in (CSV_NAME, PARQUET_NAME)):
        raise DatasetError(str(folder), "a folder that `run` made, not a dataset", cure=f"Its dataset is {inner}")
    if (folder / "model.json").is_file():
        raise DatasetError(str(folder), "a model, not a dataset", cure="The model comes before the dataset")
    found = f"no {CSV_NAME} in this folder" if folder.is_dir() else "no such folder"
    raise DatasetError(str(folder), found, "a dataset", f"Make one: `sleevenotes collect COVERS -o {folder}`")


def from_columns(folder: Path, columns: Mapping[str, Sequence[Any]]) -> Dataset:
    """Make a dataset of columns, of which `file_name` and `genres` are needed."""
    return Dataset(Path(folder), complete(pl.DataFrame(dict(columns))))


def complete(table: pl.DataFrame, *, where: str = CSV_NAME) -> pl.DataFrame:
    """Return the table with all columns there, in order and of the right type; further ones after them.

    Raises
    ------
    DatasetError
        Where a required column is missing, or a width or height is no number of px.
    """
    completed, problems = _completed(table, where)
    _refuse(where, problems)
    return completed


def _completed(table: pl.DataFrame, where: str) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    missing = [name for name in REQUIRED if name not in table.columns]
    if missing:
        raise DatasetError(
            where,
            f"no column {' or '.join(repr(name) for name in missing)} among {', '.join(table.columns) or 'none'}",
            f"a table with {' and '.join(REQUIRED)}",
            "Make the dataset with `sleevenotes collect`",
        )
    further = [name for name in table.columns if name not in COLUMNS]
    columns = []
    problems: list[tuple[int, str]] = []
    for name in (*COLUMNS, *further):
        series = table[name] if name in table.columns else pl.Series(name, [None] * table.height, dtype=pl.String)
        series = series.cast(pl.String).fill_null("")
        if name in NUMBERS:
            problems += _number_problems(series)
            series = series.str.strip_chars().cast(pl.Int64, strict=False)
        columns.append(series)
    return pl.DataFrame(columns), problems


def _tidy_up(folder: Path) -> None:
    """Finish or remove what a killed process left in a dataset's folder."""
    from sleevenotes.covers.mending import PENDING_NAME, finish  # which itself opens datasets

    finish_swap(folder)
    sweep(folder)
    if (folder / PENDING_NAME).exists() and not holds(folder):  # else it is finished already, or being made
        finish(folder)
    forget_stale(folder)


def _changed(folder: Path) -> ChangedMeanwhile:
    cure = "Open it again, and make your changes there"
    return ChangedMeanwhile(str(folder), "its table was changed by others since it was read", cure=cure)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as cause:
        raise DatasetError(str(path), f"can't be read as a table ({cause.strerror})", "a table in UTF-8") from cause


def _read(path: Path, content: bytes) -> pl.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(BytesIO(content))
        return pl.read_csv(content, infer_schema=False, encoding="utf8")
    except pl.exceptions.NoDataError as cause:
        raise DatasetError(str(path), "empty", f"a table with {' and '.join(REQUIRED)}") from cause
    except (pl.exceptions.PolarsError, OSError) as cause:
        first_line = str(cause).splitlines()[0]
        raise DatasetError(str(path), f"can't be read as a table ({first_line})", "a table in UTF-8") from cause


def _refuse(where: str, problems: Sequence[tuple[int, str]]) -> None:
    """Raise an error of all problems, told with their rows, where there are any."""
    if problems:
        rows = len({row for row, _ in problems})
        raise DatasetError(
            where,
            f"{'1 row' if rows == 1 else f'{rows:,} rows'} can't be used",
            cure="Mend or delete the rows in a spreadsheet",
            problems=[f"row {row}: {problem}" for row, problem in sorted(problems)],
        )


def _number_problems(series: pl.Series) -> list[tuple[int, str]]:
    text = series.str.strip_chars()
    bad = ((text != "") & ~(text.cast(pl.Int64, strict=False) > 0).fill_null(False)).arg_true()
    return [(row + 2, f"{series.name} '{text[row]}' is no number of px") for row in bad]


def _row_problems(table: pl.DataFrame, folder: Path | None) -> list[tuple[int, str]]:
    seen: dict[str, int] = {}
    problems = []
    for row, (name, split, digest) in enumerate(table.select("file_name", "split", "sha256").iter_rows(), start=2):
        found = _row_problem(name, split, digest, folder)
        if not found and name in seen:
            found = f"'{name}' stands in row {seen[name]} already"
        seen.setdefault(name, row)
        if found:
            problems.append((row, found))
    return problems


def _row_problem(name: str, split: str, digest: str, folder: Path | None) -> str:
    if not name.strip():
        return "no file name"
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\\" in name:
        return f"'{name}' leads out of the dataset's folder"
    if split and split not in SPLITS:
        return f"unknown split '{split}', known are {', '.join(SPLITS)} or nothing"
    if digest and not re.fullmatch(r"[0-9a-f]{64}", digest):
        return f"sha256 '{digest[:12]}…' is not 64 hexadecimal digits"
    if folder is not None and not (folder / name).is_file():
        return f"'{name}' is not there"
    return ""
