"""Covers in a table: CSV, TSV, JSON lines or Parquet, with the files beside it.

Every column is read as text first: a release called `1979` or `007` stays what it is. CSV goes through Python's own
reader, because it keeps each cell as it stands and knows the row of a mistake; Parquet goes through polars. Row numbers
are those that a spreadsheet shows (the header is row 1), or line numbers for JSON lines.

Columns are told by their names, whatever their case and punctuation (`FILE_COLUMNS` and so on). A cell that holds an
http or https URL instead of a file's name is a cover to be fetched; a list of lines `URL<tab>genre/file.jpg` needs no
header. Files are looked for
where the table says, then by that name in the table's folder and all folders below it, and there with any picture's
ending, in any case, with accents written either way, and with stray spaces. A row that fits no file, or several equally
well, is told.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from sleevenotes.collect.addresses import is_foreign, is_url, name_in
from sleevenotes.collect.folders import Found, Listing, Problem, relative, release_of, stem, walk, year_of
from sleevenotes.covers.dataset import COLUMNS
from sleevenotes.errors import SourceError, did_you_mean

FILE_COLUMNS = (
    *("filename", "file", "filepath", "path", "image", "imagefile", "imagefilename", "imagename", "imagepath", "img"),
    *("imgpath", "cover", "coverfile", "covername", "coverpath", "coverimage", "picture", "picturefile", "jpg"),
)
URL_COLUMNS = (
    *("coverurl", "imageurl", "pictureurl", "arturl", "artworkurl", "imgurl", "fileurl", "coverlink", "imagelink"),
    *("coverarturl", "albumarturl", "url", "urls", "link", "links", "href", "uri", "imageuri", "address", "source"),
)
GENRE_COLUMNS = (
    *("genres", "genre", "genrelist", "primarygenre", "maingenre", "genrename", "labels", "label", "tags", "tag"),
    *("styles", "style", "subgenres", "subgenre", "categories", "category", "classes", "class"),
)
ARTIST_COLUMNS = ("artist", "artists", "artistname", "albumartist", "band", "bandname", "performer", "performers")
ALBUM_COLUMNS = ("album", "albumname", "albumtitle", "title", "releasetitle", "releasename", "record")
YEAR_COLUMNS = (
    *("year", "releaseyear", "yearreleased", "originalyear", "albumyear", "date", "releasedate", "originaldate"),
    *("originalreleasedate", "firstreleasedate", "released"),
)
RELEASE_COLUMNS = (
    *("releasegroup", "releasegroupid", "releasegroupmbid", "musicbrainzreleasegroupid", "masterid", "discogsmasterid"),
    *("release", "releaseid", "releasembid", "musicbrainzreleaseid", "musicbrainzalbumid", "mbid", "discogsid"),
)
"""A release group before a release: covers of one album in two editions belong on one side of a split."""

SEPARATORS = (";", "|", ",")
ENDINGS_READ = "A folder of covers per genre, or a table as .csv, .tsv, .jsonl or .parquet"

_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_LIST = re.compile(r"""\[\s*(?:(?:'[^']*'|"[^"]*")\s*,?\s*)*\]""")

_LISTED_URL = re.compile(r"\s*https?://[^\s]+\t", re.IGNORECASE)

NAME_COLUMN = " name of a list of URLs"
"""How the second column of a list without a header is called inside; no header can have a space at its beginning."""

Cell = str | tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A foreign table, every cell as text, or as several texts where the file itself says so.

    Parameters
    ----------
    columns
        Names, each one once.
    rows
        One list a row, as long as `columns`.
    numbers
        The row numbers that messages name, one a row.
    problems
        (number, what is wrong) of rows that can't be used.
    notes
        What was guessed.
    """

    columns: list[str]
    rows: list[list[Cell]]
    numbers: list[int]
    problems: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Roles:
    """Which column is what: positions in `Table.columns`, None where there is none."""

    file: int
    genres: int | None
    artist: int | None
    album: int | None
    year: int | None
    release: int | None
    extra: dict[str, int]
    name: int | None = None


def read(
    path: Path,
    *,
    file_column: str | None = None,
    genres_column: str | None = None,
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
        Names of columns, where their names do not tell.
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
        Where the table can't be read, has no rows, no column of files or genres, or none of its files is there.
    """
    path = Path(path)
    table = read_table(path)
    roles = find_roles(path, table, file_column=file_column, genres_column=genres_column, genre=genre)
    genres, notes = _genres(table, roles, separator=separator, genre=genre)
    files = Files(path.parent, skip=skip)
    here = roles.name is None and _lie_here(files, [_text(row[roles.file]) for row in table.rows])
    found: list[Found] = []
    problems = [
        Problem(f"{path.name}, row {number}", f"{path.name}, row {number}: {said}") for number, said in table.problems
    ]
    for row, number, names in zip(table.rows, table.numbers, genres, strict=True):
        text = _text(row[roles.file])
        elsewhere = is_url(text) and not here
        located = Path() if elsewhere else _located(files, text)
        if isinstance(located, Path):
            cover = _found(path.parent, located, row, roles, genres=names, number=number)
            found.append(_elsewhere(cover, text, row, roles) if elsewhere else cover)
        else:
            where = f"{path.name}, row {number}"
            problems.append(Problem(text or where, f"{where}: {located}."))
    if not found:
        told = f"none of the {len(table.rows):,} files it names is there; the first: {problems[0].problem}"
        cure = "Lay the table beside its covers, or name the right column with `--file-column`"
        urls = _url_column(table)
        if urls is not None:
            cure += f"; `--file-column {table.columns[urls]}` fetches them"
        raise SourceError(str(path), told, f"Files in {path.parent} or below", cure)
    listing = Listing(found, problems, notes=table.notes + notes + _year_notes(table, roles))
    return _only_with_genres(path, listing)


def read_table(path: Path) -> Table:
    """Read all of a table as text.

    Raises
    ------
    SourceError
        Where it is of no kind that is read, can't be read, or has no rows.
    """
    ending = path.suffix.lower()
    try:
        if ending in (".parquet", ".pq"):
            table = _read_parquet(path)
        elif ending in (".jsonl", ".ndjson", ".json"):
            table = _read_json_lines(path)
        elif ending in (".csv", ".tsv", ".tab", ".txt"):
            table = _read_csv(path)
        else:
            raise SourceError(
                str(path), f"'{ending or path.name}' is no kind of table", ENDINGS_READ, _cure_for(ending)
            )
    except OSError as cause:
        raise SourceError(str(path), f"can't be read ({cause.strerror or cause})", ENDINGS_READ) from cause
    if not table.rows:
        raise SourceError(str(path), "no row in this table", "a row per cover")
    return table


def find_roles(
    path: Path, table: Table, *, file_column: str | None, genres_column: str | None, genre: str | None
) -> Roles:
    """Tell the columns by their names.

    Raises
    ------
    SourceError
        Where a named column is not there, or none can be told for files or genres.
    """
    columns = table.columns
    among = f"among {', '.join(columns)}"
    file = _position(path, columns, file_column, FILE_COLUMNS)
    if file is None:
        file = _url_column(table)
    if file is None:
        found = f"no column that names the files {among}"
        cure = f"Name it with `--file-column`. {_meant(columns, FILE_COLUMNS)}"
        raise SourceError(str(path), found, "file_name, path, image or the like", cure)
    genres = None if genre else _position(path, columns, genres_column, GENRE_COLUMNS)
    if genres is None and not genre:
        cure = 'Name it with `--genres-column`, or give all covers one with `--genre "progressive rock"`. '
        cure += _meant(columns, GENRE_COLUMNS)
        raise SourceError(str(path), f"no column of genres {among}", "genre, genres, tags or the like", cure)
    called = columns.index(NAME_COLUMN) if NAME_COLUMN in columns else None
    taken = {file, genres, called}
    others: list[int | None] = []
    for names in (ARTIST_COLUMNS, ALBUM_COLUMNS, YEAR_COLUMNS, RELEASE_COLUMNS):
        others.append(_position(path, columns, None, names, taken=taken))
        taken.add(others[-1])
    artist, album, year, release = others
    extra: dict[str, int] = {}
    for index, name in enumerate(columns):
        if index not in taken:
            free = f"source_{name}" if name.lower() in (*COLUMNS, "release") else name
            while free in extra:
                free += "_2"
            extra[free] = index
    return Roles(file, genres, artist=artist, album=album, year=year, release=release, extra=extra, name=called)


def guess_separator(cells: Iterable[str]) -> str | None:
    """Return what stands between several genres in a column: the first of `;`, `|` and `,` that is no rarity in it.

    Examples
    --------
    >>> guess_separator(["rock; pop", "folk, world & country"]), guess_separator(["rock", "pop"])
    (';', None)
    """
    counts = Counter(separator for cell in cells for separator in SEPARATORS if separator in cell)
    often = max(counts.values(), default=0) / 10
    return next((separator for separator in SEPARATORS if counts[separator] and counts[separator] >= often), None)


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


def _url_column(table: Table) -> int | None:
    """Return the first column that is called like one of URLs and holds some."""
    bare = [_bare(column) for column in table.columns]
    named = [bare.index(name) for name in URL_COLUMNS if name in bare]
    return next((index for index in named if any(is_url(_text(row[index])) for row in table.rows)), None)


def _lie_here(files: Files, texts: Sequence[str]) -> bool:
    """Tell whether the files of all URLs lie beside the table already: then there is nothing to fetch."""
    return all(isinstance(files.locate(text), Path) for text in texts if is_url(text))


def _located(files: Files, text: str) -> Path | str:
    located = files.locate(text) if text else "no file name"
    if isinstance(located, str) and is_foreign(text):
        return f"'{text[:200]}' is no file, and only http and https are fetched"
    return located


def _position(
    path: Path, columns: Sequence[str], named: str | None, known: Sequence[str], *, taken: Iterable[int | None] = ()
) -> int | None:
    """Return the column that the user named, or else the first known name that is there."""
    if named is not None:
        for same in (lambda column: column == named, lambda column: _bare(column) == _bare(named)):
            for index, column in enumerate(columns):
                if same(column):
                    return index
        found = f"no column '{named}' among {', '.join(columns)}"
        raise SourceError(str(path), found, cure=did_you_mean(named, columns) or "Name one of these")
    bare = {_bare(column): index for index, column in reversed(list(enumerate(columns))) if index not in set(taken)}
    return next((bare[name] for name in known if name in bare), None)


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _meant(columns: Sequence[str], known: Sequence[str]) -> str:
    return next((said for name in known[:4] if (said := did_you_mean(name, columns))), "")


def _genres(
    table: Table, roles: Roles, *, separator: str | None, genre: str | None
) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return each row's genres as they stand, and what was guessed."""
    if genre or roles.genres is None:
        told = tuple(part.strip() for part in (genre or "").split(";") if part.strip())
        return [told] * len(table.rows), []
    cells = [_listed(row[roles.genres]) for row in table.rows]
    notes: list[str] = []
    if separator == "":
        raise SourceError("separator", "nothing at all", 'A sign such as ";", or " " for any white space')
    if separator is None:
        texts = [cell for cell in cells if isinstance(cell, str) and cell]
        separator = guess_separator(texts)
        column = table.columns[roles.genres]
        if separator is not None:
            notes.append(f"Several genres stand in a cell of '{column}', taken apart at '{separator}' (`--separator`).")
        elif len(different := set(texts)) > max(50, len(texts) / 4) and sum(" " in text for text in different) > 25:
            notes.append(
                f"'{column}' has {len(different):,} different genres on {len(texts):,} covers. "
                'If a cell holds several, say what stands between them: `--separator " "`.'
            )
    return [_parts(cell, separator) for cell in cells], notes


def _listed(cell: Cell) -> Cell:
    """Read a cell that a program wrote as a list: `['rock', 'pop']`."""
    if isinstance(cell, str) and _LIST.fullmatch(cell.strip()):
        return tuple(single or double for single, double in _QUOTED.findall(cell))
    return cell


def _parts(cell: Cell, separator: str | None) -> tuple[str, ...]:
    if isinstance(cell, tuple):
        parts: Sequence[str] = cell
    elif separator is None:
        parts = [cell]
    else:
        parts = cell.split(None if separator.isspace() else separator)
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _found(
    folder: Path, path: Path, row: Sequence[Cell], roles: Roles, *, genres: tuple[str, ...], number: int
) -> Found:
    def cell(index: int | None) -> str:
        return "" if index is None else _text(row[index])

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
    name = f"{genre}/{name_in(url)}" if roles.name is None else _text(row[roles.name])
    release = release_of(name.rpartition("/")[2])
    extra = {**cover.extra, "release": release} if release and not cover.extra.get("release") else cover.extra
    return replace(cover, source=url, path=Path(), url=url, name=name, extra=extra)


def _only_with_genres(path: Path, listing: Listing) -> Listing:
    """Leave rows without a genre out, and name them."""
    found = [cover for cover in listing.found if cover.genres]
    if not found:
        raise SourceError(str(path), "no row has a genre", cure='Give all covers one: `--genre "progressive rock"`')
    problems = [
        Problem(cover.source, f"{path.name}, row {cover.row}: no genre. Fill it in, or collect these with `--genre`.")
        for cover in listing.found
        if not cover.genres
    ]
    return Listing(found, listing.problems + problems, listing.ignored, listing.notes)


def _year_notes(table: Table, roles: Roles) -> list[str]:
    if roles.year is None:
        return []
    texts = [(number, _text(row[roles.year])) for row, number in zip(table.rows, table.numbers, strict=True)]
    unread = [(number, text) for number, text in texts if text and not year_of(text)]
    if not unread:
        return []
    (number, text), column = unread[0], table.columns[roles.year]
    first = f"(the first: '{text}' in row {number})"
    return [f"{len(unread):,} of {len(texts):,} cells of '{column}' hold no year {first} and stay empty."]


def _text(cell: Cell) -> str:
    return cell.strip() if isinstance(cell, str) else "; ".join(cell)


def _read_csv(path: Path) -> Table:
    text, notes = _decoded(path)
    delimiter = "\t" if path.suffix.lower() in (".tsv", ".tab") else _delimiter(text)
    csv.field_size_limit(2**24)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[tuple[int, list[str]]] = []
    row = 0
    try:
        for row, line in enumerate(reader, start=1):
            if any(map(str.strip, line)):
                lines.append((row, line))
    except csv.Error as cause:
        cure = 'A cell that begins with a quote has to end with one, and quotes inside are doubled: "say ""hey"""'
        raise SourceError(f"{path}, row {row + 1}", f"can't be read as a table ({cause})", cure=cure) from cause
    if not lines:
        raise SourceError(str(path), "an empty table", "a header and a row per cover")
    if is_url(lines[0][1][0].strip()) and len(lines[0][1]) == 2:
        return _url_list(lines, notes)
    columns = _unique(lines[0][1])
    table = Table(columns, [], [], notes=notes)
    for number, line in lines[1:]:
        cells = line[: len(columns)] + [""] * (len(columns) - len(line))
        if any(map(str.strip, line[len(columns) :])):
            said = (
                f"{len(line)} cells where the header has {len(columns)}. Put cells that hold '{delimiter}' in quotes."
            )
            table.problems.append((number, said))
        else:
            table.rows.append([*cells])
            table.numbers.append(number)
    return table


def _url_list(lines: Sequence[tuple[int, list[str]]], notes: list[str]) -> Table:
    """Read a list without a header, `URL<tab>genre/file.jpg` a line: the first folder is the genre."""
    table = Table(["url", NAME_COLUMN, "genre"], [], [], notes=notes)
    for number, line in lines:
        url, *rest = (cell.strip() for cell in line)
        if len(rest) != 1 or not is_url(url):
            table.problems.append((number, "no URL and a name such as genre/file.jpg, as in the first row."))
            continue
        parts = [part for part in rest[0].replace("\\", "/").split("/") if part not in ("", ".", "..")]
        genre = (parts[0],) if len(parts) > 1 else ()  # a text of its own: nothing in it is taken apart
        table.rows.append([url, "/".join(parts) or name_in(url), genre])
        table.numbers.append(number)
    return table


def _delimiter(text: str) -> str:
    if _LISTED_URL.match(text):
        return "\t"  # whatever else stands in the URL
    header = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").partition("\n")[0])
    return max((",", ";", "\t", "|"), key=header.count)


def _decoded(path: Path) -> tuple[str, list[str]]:
    data = path.read_bytes()
    notes = []
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", "replace")
            notes.append(f"{path.name} is not in UTF-8 and was read as Windows-1252: look at names with accents.")
    if "\0" in text:
        raise SourceError(str(path), "bytes that are no text", ENDINGS_READ)
    return text, notes


def _unique(columns: Sequence[str]) -> list[str]:
    """Give every column a name of its own."""
    names: list[str] = []
    for number, column in enumerate(columns, start=1):
        name = " ".join(column.split()) or f"column_{number}"
        while name in names:
            name += "_2"
        names.append(name)
    return names


def _read_json_lines(path: Path) -> Table:
    text, notes = _decoded(path)
    records: list[tuple[int, Any]] = []
    bad: list[str] = []
    if text.lstrip().startswith("["):
        try:
            records = list(enumerate(json.loads(text), start=1))
        except ValueError as cause:
            raise SourceError(str(path), f"no valid JSON ({cause})", "a list of objects, one a cover") from cause
    else:
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                if line.strip():
                    records.append((number, json.loads(line)))
            except ValueError as cause:
                bad.append(f"line {number} is no valid JSON ({cause})")
    bad += [f"line {number} is no object" for number, record in records if not isinstance(record, dict)]
    if bad:
        more = f", and {len(bad) - 1:,} more lines can't be read" if len(bad) > 1 else ""
        raise SourceError(str(path), bad[0] + more, "an object in each line, one a cover")
    columns = list(dict.fromkeys(str(name) for _, record in records for name in record))
    rows = [[_cell(record.get(name)) for name in columns] for _, record in records]
    return Table(_unique(columns), rows, [number for number, _ in records], notes=notes)


def _cell(value: Any) -> Cell:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(part, list | dict) for part in value):
        return tuple(str(part) for part in value if part is not None)
    return json.dumps(value, ensure_ascii=False)


def _read_parquet(path: Path) -> Table:
    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as cause:
        raise SourceError(str(path), f"no valid Parquet ({str(cause).splitlines()[0]})", ENDINGS_READ) from cause
    notes = []
    columns: dict[str, list[Cell]] = {}
    for name, kind in frame.schema.items():
        if isinstance(kind, pl.List | pl.Array):
            columns[name] = [_cell(value) for value in frame[name].cast(pl.List(pl.String)).to_list()]
        elif isinstance(kind, pl.Struct | pl.Binary | pl.Object):
            notes.append(f"The column '{name}' holds no text and was passed over.")
        else:
            columns[name] = [*frame[name].cast(pl.String).fill_null("").to_list()]
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    return Table(_unique(list(columns)), rows, list(range(1, len(rows) + 1)), notes=notes)


def _cure_for(ending: str) -> str:
    if ending in (".xlsx", ".xls", ".ods", ".numbers"):
        return "Save it as CSV"
    if ending in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"):
        return "Unpack it first"
    return ""
