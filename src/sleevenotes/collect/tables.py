"""Covers in a table: CSV, TSV, JSON lines or Parquet, with the files beside it.

Every column is read as text first: a release called `1979` or `007` stays what it is. `table_files` reads the table,
`columns` says which column is what, `cells` reads the genres in a cell.

A cell that holds an http or https URL instead of a file's name is a cover to be fetched; a list of lines
`URL<tab>genre/file.jpg` needs no header. Files are looked for where the table says, then by that name in the table's
folder and all folders below it, and there with any picture's ending, in any case, with accents written either way, with
stray spaces, and with the leading zeros that a spreadsheet took away. A row that fits no file, or several equally well,
is a problem.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sleevenotes.collect.addresses import is_foreign, is_url, name_in
from sleevenotes.collect.cells import Cell, Reading, read_genres
from sleevenotes.collect.columns import (
    INDICATORS,
    KNOWN_COLUMNS,
    Roles,
    bare,
    find_roles,
    names_of_genres,
    text,
    url_column,
)
from sleevenotes.collect.folders import Found, Listing, Problem, relative, release_of, stem, walk, year_of
from sleevenotes.collect.layouts import SPLIT_WORDS, side_of
from sleevenotes.collect.table_files import Table, read_table
from sleevenotes.errors import SourceError

MISSING = frozenset({"nan", "null", "<na>", "n/a", "#n/a", "nat"})
"""What programs write for an empty cell: no artist, album, year or release is called so."""
FIRST_ROWS = 25  # that decide whether a column names files


def read(
    path: Path,
    *,
    file_column: str | None = None,
    genres_column: str | None = None,
    split_column: str | None = None,
    separator: str | None = None,
    genre: str | None = None,
    skip: Path | None = None,
) -> Listing:
    """Read a table and find the covers that it names, in the order of its rows.

    Parameters
    ----------
    path
        The table.
    file_column, genres_column
        Names of columns, if they are not recognised. Several columns of genres have commas between them.
    split_column
        The column that says which covers are train, valid (or val, dev) and test.
    separator
        What stands between several genres of one cover; a space stands for any white space. By default `;`, `|` or `,`,
        whichever occurs, and a note says so.
    genre
        One genre, or several with `;` between them, for all covers, whatever the table says.
    skip
        A folder in which no file is looked for.

    Raises
    ------
    SourceError
        If the table can't be read, has no rows, no column of files or genres, or none of its files is there.
    """
    path = Path(path)
    given = [name for name in (file_column, split_column, *(genres_column or "").split(",")) if name]
    table = read_table(path, known=KNOWN_COLUMNS | {*map(bare, given)})
    files = Files(path.parent, skip=skip)
    roles = find_roles(
        str(path),
        table,
        file_column=file_column,
        genres_column=genres_column,
        split_column=split_column,
        genre=genre,
        fits=lambda index: _names_files(table, index, files),
    )
    genres = _genres(path, table, roles, separator=separator, genre=genre)
    sides = _sides(path, table, roles)
    here = roles.name is None and _lie_here(files, [text(row[roles.file]) for row in table.rows])
    found: list[Found] = []
    problems = [
        Problem(f"{path.name}, row {number}", f"{path.name}, row {number}: {said}") for number, said in table.problems
    ]
    for index, (row, number) in enumerate(zip(table.rows, table.numbers, strict=True)):
        name, where = text(row[roles.file]), f"{path.name}, row {number}"
        elsewhere = is_url(name) and not here
        located = Path() if elsewhere else _located(files, name)
        if not isinstance(located, Path):
            problems.append(Problem(name or where, f"{where}: {located}."))
        elif index in genres.problems:
            problems.append(Problem(name, f"{where}: {genres.problems[index]}."))
        else:
            cover = _found(path.parent, located, row, roles, genres=genres.genres[index], number=number)
            cover = replace(cover, split=sides[index])
            found.append(_elsewhere(cover, name, row, roles) if elsewhere else cover)
    if not found:
        first = problems[len(table.problems)].problem
        found_here = f"none of the {len(table.rows):,} files it names is there; the first: {first}"
        if genres.problems:
            found_here = f"none of its {len(table.rows):,} rows can be used; the first: {first}"
        cure = "Lay the table beside its covers, or name the right column with `--file-column`"
        urls = url_column(table)
        if urls is not None and urls != roles.file:
            cure += f"; `--file-column {table.columns[urls]}` fetches them"
        raise SourceError(str(path), found_here, f"Files in {path.parent} or below", cure)
    notes = [*table.notes, *roles.notes, *genres.notes, *files.notes, *_year_notes(table, roles)]
    return _only_with_genres(path, Listing(found, problems, notes=notes))


def _genres(path: Path, table: Table, roles: Roles, *, separator: str | None, genre: str | None) -> Reading:
    """Return each row's genres as they stand.

    Raises
    ------
    SourceError
        If no row has a genre that can be read.
    """
    if genre or not roles.genres:
        given = tuple(part.strip() for part in (genre or "").split(";") if part.strip())
        return Reading([given] * len(table.rows))
    if separator == "":
        raise SourceError("separator", "nothing at all", 'A sign such as ";", or " " for any white space')
    cells = [[row[index] for index in roles.genres] for row in table.rows]
    if roles.indicators:
        return Reading(
            [
                tuple(
                    name for name, cell in zip(roles.indicators, row, strict=True) if INDICATORS[text(cell).casefold()]
                )
                for row in cells
            ]
        )
    title = ", ".join(table.columns[index] for index in roles.genres)
    reading = read_genres(cells, title, separator=separator)
    if reading.problems and not any(reading.genres):
        index, said = next(iter(reading.problems.items()))
        if reading.only_numbers:
            said = f"the cells of '{title}' hold numbers, such as {reading.only_numbers}, which are ids of genres"
            others = names_of_genres(table.columns, roles)
            cure = f"Name another column: `--genres-column {others[0]}`" if others else _CURE_FOR_IDS
            raise SourceError(str(path), said, "names of genres", cure)
        found = f"no cell of '{title}' can be read; the first, in row {table.numbers[index]}: {said}"
        raise SourceError(str(path), found, "names of genres, or a list of them as JSON or Python writes it")
    return reading


_CURE_FOR_IDS = "Name a column that has their names with `--genres-column`, or replace each id by its name"


def _sides(path: Path, table: Table, roles: Roles) -> list[str]:
    """Return the side of each row in the split that comes with the table, empty if there is none.

    Raises
    ------
    SourceError
        If a cell is no such word, or all are empty.
    """
    if roles.split is None:
        return [""] * len(table.rows)
    sides = []
    name = table.columns[roles.split]
    for row, number in zip(table.rows, table.numbers, strict=True):
        cell = text(row[roles.split])
        side = side_of(cell)
        if cell and not side:
            found = f"'{cell[:60]}' in the column '{name}'"
            cure = f"Write {', '.join(SPLIT_WORDS)}, or nothing for covers of no side; or leave out `--split-column`"
            raise SourceError(f"{path}, row {number}", found, "a side of a split", cure)
        sides.append(side)
    if not any(sides):
        raise SourceError(str(path), f"the column '{name}' is empty", "train, valid or test in it")
    return sides


def _names_files(table: Table, index: int, files: Files) -> bool:
    """Return whether one of the first cells of a column names a file that is there, or a URL."""
    cells = [text(row[index]) for row in table.rows[:FIRST_ROWS]]
    return any(is_url(cell) or isinstance(files.locate(cell), Path) for cell in cells if cell)


class Files:
    """The files that a table can mean.

    Parameters
    ----------
    folder
        The table's folder.
    skip
        A folder in which no file is looked for.
    """

    def __init__(self, folder: Path, *, skip: Path | None = None) -> None:
        self.folder, self.skip = folder, skip
        self._files: list[tuple[str, Path]] | None = None
        self._indexes: dict[tuple[_Key, _Key, _Key], dict[str, list[Path]]] = {}
        self._numbers: dict[str, Path] = {}  # what a number in the table was taken for

    @property
    def notes(self) -> list[str]:
        """What was guessed of the names that were looked for."""
        if not self._numbers:
            return []
        (cell, path), count = next(iter(self._numbers.items())), len(self._numbers)
        more = f", and {count - 1:,} more" if count > 1 else ""
        return [f"Numbers were matched to files regardless of leading zeros: '{cell}' is '{path.name}'{more}."]

    def locate(self, text: str) -> Path | str:
        """Return the file that a cell means, or what is wrong with it."""
        try:
            for direct in (text, text.replace("\\", "/")):
                if (self.folder / direct).is_file():
                    return self.folder / direct
        except OSError:  # longer than any file's name can be: nothing of that name
            return f"'{text[:60]}…' is no file's name"
        name = text.replace("\\", "/")
        while name.startswith("./"):
            name = name[2:]
        for part in (_whole, _last):
            for fold in (_composed, _folded):
                for ending in (_whole, stem):
                    hits = self._index(part, fold, ending).get(fold(part(name)), [])
                    if hits:
                        return _only_one(text, name, hits)
        for part in (_whole, _last):  # `abba.jpg` in the table, `abba.png` in the folder
            hits = self._index(part, _folded, stem).get(_folded(stem(part(name))), [])
            if hits:
                return _only_one(text, name, hits)
        if number := _number(stem(_last(name))):  # `0` or `0.0` in the table, `00000.jpg` in the folder
            hits = self._index(_last, _number, stem).get(number, [])
            if hits:
                path = _only_one(text, name, hits)
                if isinstance(path, Path):
                    self._numbers[text] = path
                return path
        return f"there is no file '{text}' in the table's folder or below"

    def _index(self, part: _Key, fold: _Key, ending: _Key) -> dict[str, list[Path]]:
        if self._files is None:
            files, _ = walk(self.folder, skip=self.skip)
            self._files = [(path.relative_to(self.folder).as_posix(), path) for path in files]
        key = part, fold, ending
        if key not in self._indexes:
            index: dict[str, list[Path]] = defaultdict(list)
            for name, path in self._files:
                if ending is _whole or stem(name) != name:
                    index[fold(ending(part(name)))].append(path)
            self._indexes[key] = dict(index)
        return self._indexes[key]


_Key = Callable[[str], str]


def _whole(name: str) -> str:
    return name


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    """Leave case, the way accents are written, and stray spaces out of account."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
    return "/".join(" ".join(part.split()) for part in folded.split("/"))


def _number(name: str) -> str:
    """Return a whole number without leading zeros and without the `.0` that a spreadsheet adds; empty if it is none."""
    match = re.fullmatch(r"0*([0-9]+?)(?:\.0+)?", name)
    return match[1] if match else ""


def _only_one(text: str, name: str, hits: Sequence[Path]) -> Path | str:
    """Return the file that agrees with most of the folders in `name`, if it is the only one."""
    wanted = _folded(name).split("/")[-2::-1]
    agreeing = []
    for path in hits:
        folders = [_folded(part) for part in path.parts[-2::-1]]
        pairs = zip(wanted, folders, strict=False)
        agreeing.append(next((depth for depth, (a, b) in enumerate(pairs) if a != b), min(len(wanted), len(folders))))
    best = [path for path, depth in zip(hits, agreeing, strict=True) if depth == max(agreeing)]
    if len(best) == 1:
        return best[0]
    names = ", ".join(f"'{path.name}' in '{path.parent.name}'" for path in best[:3])
    return f"'{text}' can mean {len(best):,} files: {names}{', …' if len(best) > 3 else ''}"


def _lie_here(files: Files, names: Sequence[str]) -> bool:
    """Return whether the files of all URLs lie beside the table already: then there is nothing to fetch."""
    return all(isinstance(files.locate(name), Path) for name in names if is_url(name))


def _located(files: Files, name: str) -> Path | str:
    located = files.locate(name) if name else "no file name"
    if isinstance(located, str) and is_foreign(name):
        return f"'{name[:200]}' is no file, and only http and https are fetched"
    if isinstance(located, str) and re.match(r"https?:/*[^/]", name, re.IGNORECASE):
        return f"'{name[:200]}' is no file, and no URL either, as that begins with http:// or https://"
    return located


def _found(
    folder: Path, path: Path, row: Sequence[Cell], roles: Roles, *, genres: tuple[str, ...], number: int
) -> Found:
    def cell(index: int | None) -> str:
        found = "" if index is None else text(row[index])
        return "" if found.casefold() in MISSING else found

    extra = {column: cell(index) for column, index in roles.extra.items()}
    release = cell(roles.release) or release_of(path.name)
    if release or roles.release is not None:
        extra["release"] = release
    return Found(
        relative(path, folder),
        path,
        genres,
        artist=cell(roles.artist),
        album=cell(roles.album),
        year=year_of(cell(roles.year)),
        extra=extra,
        row=number,
    )


def _elsewhere(cover: Found, url: str, row: Sequence[Cell], roles: Roles) -> Found:
    """Return a cover that has to be fetched: called as the table says, or by its genre and the end of its URL."""
    genre = cover.genres[0].replace("/", "_") if cover.genres else ""
    name = f"{genre}/{name_in(url)}" if roles.name is None else text(row[roles.name])
    release = release_of(name.rpartition("/")[2])
    extra = {**cover.extra, "release": release} if release and not cover.extra.get("release") else cover.extra
    return replace(cover, source=url, path=Path(), url=url, name=name, extra=extra)


def _only_with_genres(path: Path, listing: Listing) -> Listing:
    """Leave rows without a genre out, and name them."""
    found = [cover for cover in listing.found if cover.genres]
    if not found:
        raise SourceError(str(path), "no row has a genre", cure='Give all covers one: `--genre "progressive rock"`')
    without = len(listing.found) - len(found)
    notes = [f"{without:,} of {len(listing.found):,} covers have no genre and were left out."] if without else []
    problems = [
        Problem(cover.source, f"{path.name}, row {cover.row}: no genre. Fill it in, or collect these with `--genre`.")
        for cover in listing.found
        if not cover.genres
    ]
    return Listing(found, listing.problems + problems, listing.ignored, listing.notes + notes)


def _year_notes(table: Table, roles: Roles) -> list[str]:
    if roles.year is None:
        return []
    cells = [(number, text(row[roles.year])) for row, number in zip(table.rows, table.numbers, strict=True)]
    unread = [(number, cell) for number, cell in cells if cell and cell.casefold() not in MISSING and not year_of(cell)]
    if not unread:
        return []
    (number, cell), column = unread[0], table.columns[roles.year]
    first = f"(the first: '{cell}' in row {number})"
    return [f"{len(unread):,} of {len(cells):,} cells of '{column}' hold no year {first} and stay empty."]
