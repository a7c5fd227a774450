"""Several datasets as one, of several genres a cover, in which what a collection never names is unknown.

Collections know different genres: one names styles, one five genres, one nothing but prog. Where one never names a
genre, its covers are no examples against it. `join` copies (or links) the covers of datasets into a new one, writes in
the column `collection` where each comes from, and in `collections.json` which genres each collection names:

=========== ========================================================================================
key         meaning
=========== ========================================================================================
title       what the join is called: the names of all
collections name: `covers`, `genres` (those that it names), `fingerprint` and `folder`'s name, as it was
words       what was done, in sentences
=========== ========================================================================================

That list may be edited before `split` reads it: a genre that is taken out is unknown for the whole collection. The new
dataset has no split; the column `split_before` has the sides that covers had, and `split --keep-test` keeps the test.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from sleevenotes.collect.naming import safe_part
from sleevenotes.covers.dataset import COLUMNS, SEPARATOR, Dataset, complete, table_path
from sleevenotes.covers.files import flush_all, replacing, write_json
from sleevenotes.covers.genres import spelling_key, tidy
from sleevenotes.covers.locks import writing
from sleevenotes.covers.splits import SPLIT_BEFORE
from sleevenotes.covers.tasks import COLLECTION, COLLECTIONS_NAME
from sleevenotes.errors import DatasetError

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Joined:
    """A dataset that was made of several.

    Parameters
    ----------
    dataset
        As written.
    lines
        What was done, in sentences.
    """

    dataset: Dataset
    lines: list[str]


def join(datasets: Sequence[Dataset], out: Path, *, link: bool = False, progress: Progress | None = None) -> Joined:
    """Write several datasets as one.

    Parameters
    ----------
    datasets
        Two or more. One that is a join itself brings its collections.
    out
        The new dataset's folder, which must not have a table yet.
    link
        Make hard links instead of copies, where the disk allows it.
    progress
        Called with (done, total) covers.

    Raises
    ------
    DatasetError
        Where there are fewer than two datasets, one is given twice, or the folder is a dataset already.
    StoreBusy
        If another process is writing to that folder.
    """
    out = Path(out)
    with writing(out, "join"):
        return _joined(datasets, out, link=link, progress=progress)


def _joined(datasets: Sequence[Dataset], out: Path, *, link: bool, progress: Progress | None) -> Joined:
    _refuse(datasets, out)
    names = _names(datasets)
    written = _spellings(datasets)
    tables, copies = [], []
    for name, dataset in zip(names, datasets, strict=True):
        table = _table(name, dataset, written)
        copies += list(zip(dataset.paths, table["file_name"].to_list(), strict=True))
        tables.append(table)
    for done, (source, target) in enumerate(copies, start=1):
        _place(source, out / target, link=link)
        if progress:
            progress(done, len(copies))
    joined = Dataset(out, complete(pl.concat(tables, how="diagonal")))
    flush_all(out)
    told = _told(names, datasets, joined)
    lines = _lines(told, joined)
    title = " and ".join(names)
    write_json(out / COLLECTIONS_NAME, {"title": title, "collections": told, "words": lines})
    joined.write()  # last: a folder with a table is a whole dataset
    return Joined(joined, lines)


def _refuse(datasets: Sequence[Dataset], out: Path) -> None:
    if len(datasets) < 2:
        raise DatasetError("join", f"{len(datasets)} dataset", "Two at least", "Name another one")
    seen: set[Path] = set()
    for dataset in datasets:
        place = dataset.folder.resolve()
        if place in seen:
            raise DatasetError(str(dataset.folder), "given twice", "each dataset once")
        seen.add(place)
    try:
        there = table_path(out)
    except DatasetError:
        return
    raise DatasetError(str(there), "there already", "a folder without a dataset", "Name another one, or delete it")


def _names(datasets: Sequence[Dataset]) -> list[str]:
    """Return what each collection is called, numbered if two are called alike."""
    names = [safe_part(dataset.name) for dataset in datasets]
    counts, used = Counter(names), Counter[str]()
    for index, name in enumerate(names):
        used[name] += 1
        names[index] = f"{name} {used[name]}" if counts[name] > 1 else name
    return names


def _spellings(datasets: Sequence[Dataset]) -> dict[str, str]:
    """Return how each genre is written in all of them: of several spellings the one that most covers bear."""
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    for dataset in datasets:
        for genres in dataset.genre_lists:
            for genre in genres:
                forms[spelling_key(tidy(genre))][genre] += 1
    kept = {key: min(found, key=lambda form: (-found[form], form)) for key, found in forms.items()}
    return {form: kept[key] for key, found in forms.items() for form in found}


def _table(name: str, dataset: Dataset, written: Mapping[str, str]) -> pl.DataFrame:
    """Return a dataset's rows as they stand in the join: files, collection and groups under its name, no split."""
    given = "group" in dataset.settings.get("by", ["group"])  # not those that `split` found, which will be found again
    groups = [f"{name} {group}" if group and given else "" for group in dataset.column("group")]
    before = dataset.column(COLLECTION)
    columns = {
        "file_name": [_inside(name, file) for file in dataset.file_names],
        "genres": [SEPARATOR.join(dict.fromkeys(written[genre] for genre in each)) for each in dataset.genre_lists],
        "group": groups,
        "split": [""] * len(dataset),
        "sha256": dataset.digests,
        COLLECTION: [each or name for each in before] if dataset.settings.get("known") else [name] * len(dataset),
        SPLIT_BEFORE: dataset.column("split"),
    }
    table = dataset.covers.with_columns([pl.Series(key, cells, dtype=pl.String) for key, cells in columns.items()])
    further = [key for key in table.columns if key not in COLUMNS]
    return table.select(*COLUMNS, *further)


def _inside(name: str, file: str) -> str:
    """Return where a cover lies in the join."""
    parts = PurePosixPath(file).parts
    return str(PurePosixPath("images", name, *(parts[1:] if parts[0] == "images" and len(parts) > 1 else parts)))


def _place(source: Path, target: Path, *, link: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():  # from a join that was stopped
        target.unlink()
    if link:
        try:
            os.link(source.resolve(), target)
            return
        except OSError:  # another disk, or one without links: it is copied
            pass
    with replacing(target, durable=False) as partial:  # all of them are flushed at the end
        shutil.copyfile(source, partial)


def _told(names: Sequence[str], datasets: Sequence[Dataset], joined: Dataset) -> dict[str, dict[str, object]]:
    """Return what `collections.json` says of each collection; that of a join says what it said before."""
    named: dict[str, set[str]] = defaultdict(set)
    counts = Counter(joined.column(COLLECTION))
    for collection, genres in zip(joined.column(COLLECTION), joined.genre_lists, strict=True):
        named[collection].update(genres)
    for dataset in datasets:
        for collection, genres in (dataset.settings.get("known") or {}).items():
            named[collection] &= set(genres)
    of = dict(zip(names, datasets, strict=True))
    return {
        name: {
            "covers": counts[name],
            "genres": sorted(named[name]),
            "folder": of[name].folder.resolve().name if name in of else "",
            "fingerprint": of[name].fingerprint if name in of else "",
        }
        for name in counts
    }


def _lines(told: Mapping[str, Mapping[str, object]], joined: Dataset) -> list[str]:
    named = {name: set(map(str, each["genres"])) for name, each in told.items() if isinstance(each["genres"], list)}
    shared = set.intersection(*named.values()) if named else set[str]()
    parts = ", ".join(f"{told[name]['covers']:,} of {name} ({len(each):,} genres)" for name, each in named.items())
    unknown = f"others are unknown where a collection never names them, as {COLLECTIONS_NAME} says"
    genres = f"{len(joined.genres):,} genres, {len(shared):,} of which all collections name; {unknown}."
    lines = [f"{len(joined):,} covers: {parts}.", genres]
    tested = joined.column(SPLIT_BEFORE).count("test")
    if tested:
        lines.append(f"{tested:,} covers were test; `sleevenotes split {joined.folder} --keep-test` keeps them so.")
    return lines
