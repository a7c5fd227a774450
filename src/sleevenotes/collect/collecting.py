"""Collect: from covers anywhere to a dataset, whole, once each, and never touching the source.

Every cover is read and decoded fully, which is the only way to know that it is whole. What can't be used is left out
and named in `problems.csv`; files that are the same byte for byte become one cover with the genres of all. What was
done is written down as it happens (`gathering`), so that a killed collecting goes on where it was; the table is written
at the end, in one go. The result does not depend on when it was killed: it is the same, byte for byte.

Beside `metadata.csv` and `images/` a collected dataset has

- `problems.csv` (`source,problem`): what was left out or merged, a sentence each;
- `genres.csv` (`from,to,covers`): what each genre of the source became, and how many covers of the dataset come from
  it (of one that is dropped, how many of the source); edited, it can be given back as a map;
- `sources.csv`, where covers were fetched: what became of each URL;
- `collect.json`: the settings and what the source held, by which a second collecting sees that there is nothing to do.

A changed source, or other settings, makes a fresh table; pictures that are there already stay, and what other verbs or
hands added (`split`, `group`, further columns) goes along with each picture that is still the same.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import polars as pl

from sleevenotes.collect import folders, tables
from sleevenotes.collect.draws import Draw
from sleevenotes.collect.folders import Commands, Found, Listing, Problem
from sleevenotes.collect.gathering import (
    FORMAT,
    JOURNAL_NAME,
    Collected,
    Gathering,
    Progress,
    Stamp,
    Way,
    clean,
    stamp_of,
)
from sleevenotes.collect.ledger import DOWNLOADS_NAME, LEDGER_NAME, Ledger
from sleevenotes.collect.naming import FOLDER
from sleevenotes.collect.politeness import FetchSettings
from sleevenotes.collect.supply import Supply
from sleevenotes.covers import questions
from sleevenotes.covers.dataset import SEPARATOR, SPLITS, Dataset, complete, table_path
from sleevenotes.covers.files import flush_all, replacing, write_json
from sleevenotes.covers.genres import GenreMap, write_map
from sleevenotes.covers.images import MAX_PIXELS
from sleevenotes.covers.locks import writing
from sleevenotes.covers.reports import PROBLEMS_NAME, read_problems
from sleevenotes.covers.schema import Count, read_json
from sleevenotes.errors import DatasetError, SourceError

STATE_NAME = "collect.json"
GENRES_NAME = "genres.csv"
COUNTS = ("found", "covers", "duplicates", "broken", "dropped", "unlisted", "scans", "ignored")
FEW = questions.MIN_COVERS["single"]


@dataclass(frozen=True)
class CollectSettings:
    """How to read a source.

    Parameters
    ----------
    layout
        What its folders mean, see `folders.find`.
    genre
        The genre of all covers; several with `;` between them.
    unlabelled
        Whether the covers of a folder have no genre.
    title
        What the dataset is called, in reports and elsewhere; by default it is called after its source.
    file_column, genres_column, split_column, separator
        How to read a table, see `tables.read`.
    genre_map
        A CSV file `from,to` that goes before the rules for genre names.
    link
        Whether to make hard links instead of copies, where the disk allows it.
    max_pixels
        The most pixels a cover may have.
    strict
        Whether the first problem stops the collecting.
    draw
        How many covers to draw of each genre; all are taken where there is none.
    fetch
        How to fetch covers that a table names by their URLs.
    """

    layout: str | None = None
    genre: str | None = None
    unlabelled: bool = False
    title: str = ""
    file_column: str | None = None
    genres_column: str | None = None
    split_column: str | None = None
    separator: str | None = None
    genre_map: Path | None = None
    link: bool = False
    max_pixels: int = MAX_PIXELS
    strict: bool = False
    draw: Draw | None = None
    fetch: FetchSettings = field(default_factory=FetchSettings)


@dataclass(frozen=True)
class CollectResult:
    """What came of it.

    Parameters
    ----------
    dataset
        The dataset, as written.
    problems
        What `problems.csv` says.
    counts
        `found` covers in the source; of these `covers` are in the dataset, `duplicates` merged, `broken` left out,
        `dropped` for their genre; `unlisted` problems of the source itself, `scans` that lie beside a cover, `ignored`
        files that are no covers; if it was fresh also `written` and `kept` pictures, and `unlinked` ones that had to be
        copied.
    notes
        What was guessed or is doubtful, a sentence each.
    seconds
        How long it took.
    fresh
        False where there was nothing to do.
    missing
        Genres of the source that no cover in the dataset has.
    rows
        Whether the source is a table.
    """

    dataset: Dataset
    problems: list[Problem]
    counts: dict[str, int]
    notes: list[str]
    seconds: float
    fresh: bool = True
    missing: list[str] = field(default_factory=list)
    rows: bool = False

    @property
    def lines(self) -> list[str]:
        """The result in words: what there is, what was guessed, and last what was left out."""
        covers, genres = len(self.dataset), len(self.dataset.genres)
        of = f"of {genres:,} {'genre' if genres == 1 else 'genres'}" if genres else "without a genre"
        told = f"{_counted(covers, 'cover')} {of} in {self.dataset.folder}"
        told += f", {self.counts['found'] / max(self.seconds, 1e-3):,.0f} a second" if self.fresh else " already"
        return [told, *self.notes, self.closing]

    @property
    def closing(self) -> str:
        """One line of what became of all files, and which genres have few covers or none."""
        counts = self.counts
        total = counts["found"] + counts["unlisted"] + counts["scans"]
        left_out = [
            f"{counts[name]:,} {word}"
            for name, word in (
                ("duplicates", "merged"),
                ("broken", "unreadable"),
                ("dropped", "of dropped genres"),
                ("unlisted", "not usable" if self.rows else "in no genre's folder"),
                ("scans", "scans beside a cover" if counts["scans"] > 1 else "scan beside a cover"),
            )
            if counts[name]
        ]
        told = ", ".join([_counted(counts["covers"], "cover"), *left_out])
        told += f" ({self.dataset.folder / PROBLEMS_NAME})" if self.problems else ""
        told += f", {_counted(counts['ignored'], 'other file')} ignored" if counts["ignored"] else ""
        per_genre = Counter(genre for genres in self.dataset.genre_lists for genre in genres)
        few = {genre: count for genre, count in per_genre.items() if count < FEW}
        more = f"; no cover in: {', '.join(self.missing)}" if self.missing else ""
        more += f"; few covers: {questions.named(few)}" if few else ""
        return f"{_counted(total, 'row' if self.rows else 'file')}: {told}{more}."


def collect(
    source: Path,
    dataset_folder: Path,
    *,
    settings: CollectSettings | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> CollectResult:
    """Collect the covers of a source into a dataset.

    Parameters
    ----------
    source
        A folder of covers, a table beside them, or one of URLs.
    dataset_folder
        The dataset: new, empty, or one that was collected before, whole or in part.
    settings
        How to read the source.
    progress
        Called with (covers done, covers in all), from 0 on; with URLs first, where covers are fetched.
    command
        The command that this is part of, to which messages add options; by default that of `collect`.

    Raises
    ------
    SourceError
        Where the source can't be collected from, no cover in it can be used, or the dataset's folder holds something
        else.
    DatasetError
        Where the map of genres can't be used, or the dataset was changed so that it can't be read.
    StoreBusy
        If another process is writing to the dataset.
    """
    started = time.perf_counter()
    settings = settings or CollectSettings()
    source, folder = Path(source), Path(dataset_folder)
    _refuse(source, folder)
    genre_map = GenreMap.read(settings.genre_map) if settings.genre_map is not None else GenreMap()
    listing = list_source(source, settings, skip=folder, commands=Commands.of(source, folder, command))
    with writing(folder, "collect"):
        return _collected(source, folder, listing, genre_map, settings=settings, progress=progress, started=started)


def _collected(
    source: Path,
    folder: Path,
    listing: Listing,
    genre_map: GenreMap,
    *,
    settings: CollectSettings,
    progress: Progress | None,
    started: float,
) -> CollectResult:
    ledger = Ledger(folder, read=any(cover.url for cover in listing.found))
    if settings.fetch.retry_failed:
        ledger.forget_failed()
    stamps = {cover.path: stamp_of(cover.path) for cover in listing.found if not cover.url}

    def state_now() -> dict[str, Any]:
        said = [_known_of(cover, stamps, ledger) for cover in listing.found]
        return _state(source, listing, said, settings=settings, genre_map=genre_map)

    state = state_now()
    before = _before(folder)
    title = settings.title or ("" if before is None else before.state.get("title", ""))
    supply = Supply(listing, folder, ledger, settings.fetch, max_pixels=settings.max_pixels, progress=progress)
    mapping = genre_map.apply(Counter(name for cover in listing.found for name in set(cover.genres)))
    if before is not None and _unchanged(folder, state, before):
        if settings.title not in ("", before.state.get("title")):
            write_json(folder / STATE_NAME, {**before.state, "title": settings.title})
        counts: dict[str, int] = Counter(before.state["counts"])
        problems = _read_problems(folder)
        notes = [*listing.notes, *supply.told(listing.found)]
        seconds, missing = time.perf_counter() - started, _missing(before.dataset, listing, mapping, genre_map)
        return CollectResult(
            before.dataset, problems, counts, notes, seconds, fresh=False, missing=missing, rows=source.is_file()
        )

    def genres_of(cover: Found) -> list[str]:
        return list(dict.fromkeys(genre for name in cover.genres for genre in mapping[name]))

    def dropped(cover: Found) -> bool:
        return bool(cover.genres) and not genres_of(cover)

    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        notes = [*listing.notes, *_keep_mended(folder, before)]
        earlier = None if before is None else (before.dataset, _way(before.state))
        with Gathering(folder, _way(state), before=earlier) as gathering:
            draw = settings.draw
            supplied = supply.all(dropped) if draw is None else supply.drawn(draw, gathering, genres_of)
            covers = supplied.listing.found
            collected = gathering.gather(
                supplied.listing,
                [stamps.get(cover.path) or stamp_of(cover.path) for cover in covers],
                dropped=dropped,
                strict=settings.strict,
                progress=progress,
            )
        problems = _named_once(collected.problems)
        _write_problems(folder, problems)
        if any(cover.url for cover in listing.found):
            broken = {problem.source: problem.problem for problem in collected.broken}
            ledger.judge([cover.url for cover in covers if cover.url], broken)
            ledger.finish(cover.url for cover in listing.found if cover.url)
        if not collected.covers:
            raise _nothing_usable(source, folder, collected)
        gathering.clear(entry.file for entry, _ in collected.covers)
        sides = supplied.sides
        last = state_now() | ({"title": title} if title else {})
        dataset = _write(folder, collected, before, mapping=mapping, listing=listing, state=last, sides=sides)
        gathering.close()
    notes += supplied.notes + _told(collected, drawn=sides is not None) + _unsplit(dataset, before)
    seconds = time.perf_counter() - started
    counts = {name: collected.counts[name] for name in (*COUNTS, "written", "kept", "unlinked")}
    missing = _missing(dataset, listing, mapping, genre_map)
    return CollectResult(dataset, problems, counts, notes, seconds, missing=missing, rows=source.is_file())


def list_source(
    source: Path, settings: CollectSettings, *, skip: Path | None = None, commands: Commands | None = None
) -> Listing:
    """List the covers of a folder or of a table, without opening any.

    Raises
    ------
    SourceError
        Where the source can't be read, or a setting does not go with it.
    """
    of_tables = {
        "--file-column": settings.file_column,
        "--genres-column": settings.genres_column,
        "--split-column": settings.split_column,
        "--separator": settings.separator,
    }
    if settings.genre is not None and not settings.genre.strip(" ;"):
        raise SourceError("genre", "nothing at all", "The genre of all covers")
    if source.is_file():
        if settings.layout is not None:
            raise SourceError(str(source), "a table with `--layout`", "Layouts are for folders", "Leave it out")
        if settings.unlabelled:
            cure = "Name the folder of its covers, or leave it out"
            raise SourceError(str(source), "a table with `--unlabelled`", "It is for folders", cure)
        return tables.read(
            source,
            file_column=settings.file_column,
            genres_column=settings.genres_column,
            split_column=settings.split_column,
            separator=settings.separator,
            genre=settings.genre,
            skip=skip,
        )
    given = [name for name, value in of_tables.items() if value is not None]
    if source.is_dir() and given:
        raise SourceError(
            str(source), f"a folder with `{given[0]}`", f"`{given[0]}` is for tables", "Name the table, or leave it out"
        )
    return folders.find(
        source, layout=settings.layout, genre=settings.genre, unlabelled=settings.unlabelled, commands=commands
    )


class WaySettings(TypedDict):
    """The settings that decide what an earlier collecting knew."""

    link: bool
    max_pixels: Count


class CollectState(TypedDict):
    """The contents of `collect.json`."""

    format: int
    place: str
    settings: WaySettings
    counts: dict[str, Count]
    columns: list[str]
    table: str


@dataclass(frozen=True)
class _Before:
    """A dataset that was collected earlier into the same folder."""

    state: dict[str, Any]
    dataset: Dataset


def _refuse(source: Path, folder: Path) -> None:
    """Keep source and dataset apart, and let nothing be overwritten that was not collected."""
    here, there = source.resolve(), folder.resolve()
    if here == there:
        raise SourceError(str(folder), "the source itself", "a folder for the dataset", "Name another one with `-o`")
    if here.is_relative_to(there):
        raise SourceError(str(folder), "the source lies in it", "A new folder for the dataset", "Name one with `-o`")
    if source.is_dir() and there.is_relative_to(here):
        cure = "Name one elsewhere with `-o`: its own covers would be collected next time"
        raise SourceError(str(folder), "it lies in the source", "A folder outside the source", cure)
    if folder.exists() and not folder.is_dir():
        raise SourceError(str(folder), "a file", "a folder for the dataset", "Name another one with `-o`")
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if STATE_NAME in names or JOURNAL_NAME in names or {LEDGER_NAME, DOWNLOADS_NAME} <= {*names}:
        return
    others = [name for name in names if not name.startswith(".")]
    if others:
        held = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        cure = "Name another one with `-o`: nothing that was not collected is overwritten"
        raise SourceError(str(folder), f"it holds other things already ({held})", "a new or empty folder", cure)


def _state(
    source: Path,
    listing: Listing,
    known: Sequence[tuple[int | str, int | str]],
    *,
    settings: CollectSettings,
    genre_map: GenreMap,
) -> dict[str, Any]:
    """Return what `collect.json` says of the source and the settings; no path of this machine is in it."""
    told = asdict(settings) | {"genre_map": sorted(genre_map.overrides.items())}
    del told["strict"], told["fetch"], told["title"]  # they decide whether there is a result, not which
    if settings.draw is None:
        del told["draw"]
    digest = hashlib.sha256()
    for cover, stamp in zip(listing.found, known, strict=True):
        said = (
            cover.source,
            *stamp,
            cover.genres,
            cover.artist,
            cover.album,
            cover.year,
            cover.split,
            dict(cover.extra),
        )
        digest.update(json.dumps(said).encode())
    left_out = [(problem.source, problem.problem) for problem in (*listing.problems, *listing.scans)]
    digest.update(json.dumps(left_out).encode())
    place = hashlib.sha256(os.fsencode(source.resolve())).hexdigest()[:16]
    state = {"format": FORMAT, "source": clean(source.resolve().name), "place": place, "settings": told}
    plain: dict[str, Any] = json.loads(json.dumps(state | {"listing": digest.hexdigest()}))  # as it is read again
    return plain


def _known_of(cover: Found, stamps: Mapping[Path, Stamp], ledger: Ledger) -> tuple[int | str, int | str]:
    """Return what tells that a cover is still the same: its file's stamp, or what the ledger says of its URL."""
    if not cover.url:
        return stamps[cover.path]
    row = ledger.rows.get(cover.url)
    return ("untried", "") if row is None else (row.sha256, row.problem)


def _way(state: Mapping[str, Any]) -> Way:
    return Way(state["place"], state["settings"]["link"], state["settings"]["max_pixels"])


def _before(folder: Path) -> _Before | None:
    path = folder / STATE_NAME
    if not path.exists():
        return None
    cure = "Delete it, and run the same command again, or collect into another folder with `-o`"
    state: Any = read_json(path, CollectState, SourceError, cure, newest=FORMAT)
    try:
        table_path(folder)
    except DatasetError:
        return None  # its table was deleted: there is nothing to keep
    return _Before(state, Dataset.open(folder, files=False))


def _unchanged(folder: Path, state: Mapping[str, Any], before: _Before) -> bool:
    same = all(before.state.get(name) == value for name, value in state.items())
    whole = not (folder / JOURNAL_NAME).exists() and (folder / PROBLEMS_NAME).exists()
    return same and whole and all(path.is_file() for path in before.dataset.paths)


def _keep_mended(folder: Path, before: _Before | None) -> list[str]:
    """Lay a table aside that was mended by hand since it was collected; a new one takes its place."""
    if before is None or (folder / JOURNAL_NAME).exists():  # then it was done before the interruption
        return []
    own = before.state.get("columns", [])
    table = before.dataset.covers
    if all(name in table.columns for name in own) and _table_digest(table, own) == before.state.get("table"):
        return []
    path = table_path(folder)
    content, number = path.read_bytes(), 1
    aside = path.with_stem("metadata.mended")
    while aside.exists() and aside.read_bytes() != content:
        number += 1
        aside = path.with_stem(f"metadata.mended-{number}")
    with replacing(aside) as partial:
        partial.write_bytes(content)
    return [f"{path.name} was changed by hand since it was collected: it is kept as {aside.name}."]


def _table_digest(table: pl.DataFrame, columns: Sequence[str]) -> str:
    kept = [name for name in columns if name not in ("group", "split")]
    return hashlib.sha256(table.select(kept).write_csv().encode()).hexdigest()


def _write(
    folder: Path,
    collected: Collected,
    before: _Before | None,
    *,
    mapping: Mapping[str, tuple[str, ...]],
    listing: Listing,
    state: Mapping[str, Any],
    sides: Mapping[str, str] | None,
) -> Dataset:
    """Write the tables, and last what tells that all is done."""
    table = _table(collected, mapping)
    own = table.columns
    dataset = Dataset(folder, table)
    if before is not None:
        given = ("split",) if any(dataset.column("split")) else ()
        kept = {name: values for name, values in _kept(dataset, before).items() if name not in given}
        dataset = dataset.with_columns(**kept)
    if sides is not None:
        dataset = dataset.with_columns(split=[sides[covers[0].source] for _, covers in collected.covers])
    flush_all(folder / FOLDER)
    with replacing(folder / GENRES_NAME) as partial:
        write_map(partial, _covers_of(collected, listing, mapping), mapping)
    dataset.write()
    counts = {name: collected.counts[name] for name in COUNTS}
    write_json(folder / STATE_NAME, {**state, "counts": counts, "columns": own, "table": _table_digest(table, own)})
    return dataset


def _table(collected: Collected, mapping: Mapping[str, tuple[str, ...]]) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {
        name: [] for name in ("file_name", "genres", "artist", "album", "year", "split", "source")
    }
    for entry, covers in collected.covers:
        genres = dict.fromkeys(genre for cover in covers for name in cover.genres for genre in mapping[name])
        columns["file_name"].append(entry.file)
        columns["genres"].append(SEPARATOR.join(genres))
        columns["source"].append(clean(covers[0].source))
        for name in ("artist", "album", "year"):
            columns[name].append(_first(getattr(cover, name) for cover in covers))
        columns["split"].append(_side(covers))
    for name in ("sha256", "width", "height"):
        columns[name] = [getattr(entry, name) for entry, _ in collected.covers]
    extras = dict.fromkeys(name for _, covers in collected.covers for cover in covers for name in cover.extra)
    for name in extras:
        texts = [_first(cover.extra.get(name, "") for cover in covers) for _, covers in collected.covers]
        columns[clean(name)] = texts
    return complete(pl.DataFrame(columns))


def _kept(dataset: Dataset, before: _Before) -> dict[str, list[str]]:
    """Return what others had added to the same pictures: their groups, splits and further columns."""
    old = before.dataset
    mine = {*dataset.covers.columns, *before.state.get("columns", [])} - {"group", "split"}
    rows = {digest: row for row, digest in enumerate(old.column("sha256")) if digest}
    at = [rows.get(digest) for digest in dataset.column("sha256")]
    added = {name: old.column(name) for name in old.covers.columns if name not in mine}
    return {name: ["" if row is None else values[row] for row in at] for name, values in added.items()}


def _unsplit(dataset: Dataset, before: _Before | None) -> list[str]:
    if before is None or not any(before.dataset.column("split")):
        return []
    new = len(set(dataset.column("sha256")) - set(before.dataset.column("sha256")))
    return [f"New covers in no split yet: {new:,}. `sleevenotes split {dataset.folder} --again`."] if new else []


def _first(texts: Iterable[str]) -> str:
    return clean(next((text for text in texts if text), ""))


def _nothing_usable(source: Path, folder: Path, collected: Collected) -> SourceError:
    found, dropped = collected.counts["found"], collected.counts["dropped"]
    if not found:  # then there were URLs, and all failed
        said = f"no cover could be fetched; {collected.problems[0].problem}"
        cure = f"All are told in {folder / PROBLEMS_NAME}; `--retry-failed` tries them again"
        return SourceError(str(source), said, cure=cure)
    if dropped == found:
        return SourceError(str(source), f"the map of genres drops all {found:,} covers", cure="Keep a genre in it")
    said = f"none of {found:,} covers can be used; {collected.problems[0].problem}"
    return SourceError(str(source), said, cure=f"All are told in {folder / PROBLEMS_NAME}")


def _covers_of(collected: Collected, listing: Listing, mapping: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Return for each genre of the source its covers in the dataset, or, if it is dropped, those in the source."""
    kept = Counter(name for _, covers in collected.covers for name in {each for one in covers for each in one.genres})
    named = Counter(name for cover in listing.found for name in set(cover.genres))
    return {name: kept[name] if mapping[name] else named[name] for name in mapping}


def _side(covers: Sequence[Found]) -> str:
    """Return the side of equal files: test if any of them is test, so that test stays as it was given."""
    sides = {cover.split for cover in covers}
    return next((side for side in reversed(SPLITS) if side in sides), "")


def _missing(
    dataset: Dataset, listing: Listing, mapping: Mapping[str, tuple[str, ...]], genre_map: GenreMap
) -> list[str]:
    """Return the source's genres that no cover of the dataset has, other than those that the map drops."""
    wanted = {**genre_map.apply(dict.fromkeys(listing.empty, 1)), **mapping}
    there = set(dataset.genres)
    return sorted({clean(name) for name, genres in wanted.items() if genres and not there & set(genres)})


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _told(collected: Collected, *, drawn: bool) -> list[str]:
    counts, notes = collected.counts, []
    several = sum(len({cover.split for cover in covers} - {""}) > 1 for _, covers in collected.covers)
    if drawn and any(cover.split for _, covers in collected.covers for cover in covers):
        notes.append("The split that came with the covers is left out, as covers were drawn.")
    elif several:
        some = "1 cover lies" if several == 1 else f"{several:,} covers lie"
        notes.append(
            f"{some} on two sides of the split that came with them, as equal files: kept once, in test or valid."
        )
    if counts["dropped"]:
        notes.append(f"The map drops all genres of {counts['dropped']:,} of {counts['found']:,} covers: left out.")
    if counts["unlinked"]:
        notes.append(f"No link could be made for {counts['unlinked']:,} of {counts['covers']:,} covers: copied.")
    return notes


def _named_once(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems as they are written: a source is not named again at the beginning of its problem."""
    told = [(clean(each.source), clean(each.problem)) for each in problems]
    return [Problem(source, problem.removeprefix(f"{source}: ")) for source, problem in told]


def _write_problems(folder: Path, problems: Sequence[Problem]) -> None:
    with replacing(folder / PROBLEMS_NAME) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("source", "problem"))
        writer.writerows((each.source, each.problem) for each in problems)


def _read_problems(folder: Path) -> list[Problem]:
    return [Problem(row["source"], row["problem"]) for row in read_problems(folder / PROBLEMS_NAME)]


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        where = str(cause.filename or folder)
        cure = "Make room or get the right to write; the same command then goes on where it was"
        raise SourceError(where, f"can't be written ({cause.strerror or cause})", cure=cure) from cause
