"""Reading tables: CSV, TSV, JSON lines and Parquet, every cell as text.

CSV goes through Python's own reader, because it keeps each cell as it stands and knows the row of a mistake; Parquet
goes through polars. Row numbers are those that a spreadsheet shows (the header is row 1), or line numbers for JSON
lines.

In CSV a first line `sep=;` names the separator, as Excel writes it. Lines above the header, such as a title, and a
header in two rows are recognised by the names of columns that are known. Spaces before a quote are ignored.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from sleevenotes.collect.addresses import is_url, name_in
from sleevenotes.collect.cells import Cell
from sleevenotes.errors import SourceError

ENDINGS_READ = "A folder of covers per genre, or a table as .csv, .tsv, .jsonl or .parquet"
NAME_COLUMN = " name of a list of URLs"
"""What the second column of a list without a header is called inside; no header can have a space at its beginning."""

DELIMITERS = (",", ";", "\t", "|")
LINES_ABOVE = 10  # among which a header is looked for

_LISTED_URL = re.compile(r"\s*https?://[^\s]+\t", re.IGNORECASE)
_SEP = re.compile(r'"?sep=(.)"?[ ,;\t|]*(?:\r\n|\r|\n)', re.IGNORECASE)
_QUOTE_AFTER_SPACE = re.compile(r' +"')

Line = tuple[int, list[str]]


@dataclass(frozen=True)
class Table:
    """A foreign table, every cell as text, or as several texts if the file itself says so.

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


def read_table(path: Path, *, known: Collection[str] = ()) -> Table:
    """Read all of a table as text.

    Parameters
    ----------
    path
        The table.
    known
        Names of columns by which a header is recognised, in lower case, letters and digits only.

    Raises
    ------
    SourceError
        If it is of no kind that is read, can't be read, or no row in it can be used.
    """
    ending = path.suffix.lower()
    try:
        if ending in (".parquet", ".pq"):
            table = _read_parquet(path)
        elif ending in (".jsonl", ".ndjson", ".json"):
            table = _read_json_lines(path)
        elif ending in (".csv", ".tsv", ".tab", ".txt"):
            table = _read_csv(path, known)
        else:
            raise SourceError(
                str(path), f"'{ending or path.name}' is no kind of table", ENDINGS_READ, _cure_for(ending)
            )
    except OSError as cause:
        raise SourceError(str(path), f"can't be read ({cause.strerror or cause})", ENDINGS_READ) from cause
    if not table.rows and table.problems:
        number, said = table.problems[0]
        found = f"none of its {len(table.problems):,} rows can be used; the first: row {number}: {said}"
        raise SourceError(str(path), found)
    if not table.rows:
        raise SourceError(str(path), "no row in this table", "a row per cover")
    return table


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _read_csv(path: Path, known: Collection[str]) -> Table:
    text, notes = _decoded(path)
    csv.field_size_limit(2**24)
    named = _SEP.match(text)
    if named:
        text = text[named.end() :]
    is_tab = path.suffix.lower() in (".tsv", ".tab")
    delimiter = named[1] if named else "\t" if is_tab else _delimiter(text, known)
    lines = _csv_lines(path, text, delimiter)
    if not lines:
        raise SourceError(str(path), "an empty table", "a header and a row per cover")
    if is_url(lines[0][1][0].strip()) and len(lines[0][1]) == 2:
        return _url_list(lines, notes)
    header, at, found = _header(lines, known)
    notes += found
    columns = _unique(header)
    table = Table(columns, [], [], notes=notes)
    for number, line in lines[at:]:
        cells = line[: len(columns)] + [""] * (len(columns) - len(line))
        if any(map(str.strip, line[len(columns) :])):
            sign = "tab" if delimiter == "\t" else f"'{delimiter}'"
            said = f"{len(line)} cells where the header has {len(columns)}. Put cells that hold {sign} in quotes."
            table.problems.append((number, said))
        else:
            table.rows.append([*cells])
            table.numbers.append(number)
    return table


def _csv_lines(path: Path, text: str, delimiter: str) -> list[Line]:
    """Return the lines that are not empty, with their numbers."""
    lines = _parsed(path, text, delimiter, skip_spaces=False)
    if any(_QUOTE_AFTER_SPACE.match(cell) for _, line in lines for cell in line):
        try:
            return _parsed(path, text, delimiter, skip_spaces=True)
        except SourceError:  # then these quotes are part of the cells
            return lines
    return lines


def _parsed(path: Path, text: str, delimiter: str, *, skip_spaces: bool) -> list[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=skip_spaces)
    lines: list[Line] = []
    row = 0
    try:
        for row, line in enumerate(reader, start=1):
            if any(map(str.strip, line)):
                lines.append((row, line))
    except csv.Error as cause:
        cure = 'A cell that begins with a quote has to end with one, and quotes inside are doubled: "say ""hey"""'
        raise SourceError(f"{path}, row {row + 1}", f"can't be read as a table ({cause})", cure=cure) from cause
    return lines


def _header(lines: Sequence[Line], known: Collection[str]) -> tuple[list[str], int, list[str]]:
    """Return the names of columns, the index of the first line below them, and a note if that is not the second.

    The header is the line, or two lines one below the other, with the most names that are known; the first if equal.
    """
    best, best_names, header, at = 0, _known_in(lines[0][1], known), lines[0][1], 1
    for index, (_, cells) in enumerate(lines[:LINES_ABOVE]):
        below = lines[index + 1][1] if index + 1 < len(lines) else []
        merged = _merged(cells, below, known)
        for names, next_at in ((cells, index + 1), (merged, index + 2)):
            if _known_in(names, known) > best_names:
                best, best_names, header, at = index, _known_in(names, known), names, next_at
    notes = []
    if best:
        first = " ".join(cell.strip() for cell in lines[0][1] if cell.strip())
        above = "1 line above the header was" if best == 1 else f"{best} lines above the header were"
        notes.append(f"{above} ignored ('{first[:60]}').")
    if at == best + 2:
        shown = ", ".join([name for name in header if name][:6])
        notes.append(f"The header has two rows ({lines[best][0]} and {lines[best + 1][0]}), read as {shown}, ….")
        if at < len(lines) and not header[0] and lines[at][1][0].strip() and not any(map(str.strip, lines[at][1][1:])):
            header, at = [lines[at][1][0], *header[1:]], at + 1  # where pandas writes the name of its index
    return header, at, notes


def _merged(upper: Sequence[str], lower: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the names of a header in two rows, such as (track, genre_top): the shortest form that is known."""
    over, under = [cell.strip() for cell in upper], [cell.strip() for cell in lower]
    named = [cell for cell in over if cell]
    if len(over) != len(under) or len(named) < 2 or (len({*named}) == len(named) == len(over)):
        return []
    names = []
    for group, cell in zip(over, under, strict=True):
        both = "_".join(part for part in (group, cell) if part)
        is_clear = under.count(cell) == 1 and _bare(both) not in known
        names.append(cell if cell and is_clear and _bare(cell) in known else both)
    return names


def _known_in(cells: Sequence[str], known: Collection[str]) -> int:
    return len({name for name in map(_bare, cells) if name in known})


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _delimiter(text: str, known: Collection[str]) -> str:
    if _LISTED_URL.match(text):
        return "\t"  # whatever else stands in the URL
    start = text.lstrip("\r\n")
    header = re.sub(r'"[^"]*"', "", start.partition("\n")[0])
    return max(DELIMITERS, key=lambda sign: (_most_known(start, sign, known), header.count(sign)))


def _most_known(text: str, delimiter: str, known: Collection[str]) -> int:
    """Return how many known names the best of the first lines has, if there is more than one column."""
    reader = csv.reader(io.StringIO(text[:100_000], newline=""), delimiter=delimiter)
    try:
        return max((_known_in(line, known) for line in islice(reader, LINES_ABOVE) if len(line) > 1), default=0)
    except csv.Error:
        return 0


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
        except (ValueError, RecursionError) as cause:
            raise SourceError(str(path), f"no valid JSON ({cause})", "a list of objects, one a cover") from cause
    else:
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                if line.strip():
                    records.append((number, json.loads(line)))
            except (ValueError, RecursionError) as cause:
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
    if isinstance(value, list) and all(part is None or isinstance(part, str) for part in value):
        return tuple(part for part in value if part is not None)
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
            columns[name] = [_cell(value) for value in _json_values(frame[name])]
        elif isinstance(kind, pl.Struct | pl.Binary | pl.Object):
            notes.append(f"The column '{name}' holds no text and was passed over.")
        else:
            columns[name] = [*frame[name].cast(pl.String).fill_null("").to_list()]
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    return Table(_unique(list(columns)), rows, list(range(1, len(rows) + 1)), notes=notes)


def _json_values(lists: pl.Series) -> list[Any]:
    """Return lists as JSON can hold them: dates and the like as text."""
    inner = getattr(lists.dtype, "inner", None)
    if isinstance(inner, pl.Struct) or (inner is not None and inner.is_numeric()):
        return lists.to_list()
    return lists.cast(pl.List(pl.String)).to_list()


def _cure_for(ending: str) -> str:
    if ending in (".xlsx", ".xls", ".ods", ".numbers"):
        return "Save it as CSV"
    if ending in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"):
        return "Unpack it first"
    return ""
