"""Genres as the cells of a table hold them.

A cell may hold one genre, several with a separator between them, a list as JSON, Python or NumPy writes it, a path from
a genre down to its subgenre, or genres with weights. What is read as what:

======================================== ===============================================================================
cell                                     genres
======================================== ===============================================================================
`rock; pop`                              rock, pop: at the separator that was given, or found in the column
`Rock, Folk, World, & Country`           rock and `folk, world & country`: known names that hold a separator stay whole
`["rock", "r&b"]`, `['rock' 'pop']`      the elements of the list, whatever separators they hold
`{'rock', 'pop'}`, `[rock, pop]`         so with sets, arrays, and lists without quotes
`[{'id': 21, 'title': 'Rock'}]`          the value that names each genre (`NAME_KEYS`)
`{'rock': 100, 'pop': 0}`                rock: the keys, without those of weight 0
`[21, 12]`                               a problem: numbers are ids of genres, not their names
`rock:100`, `rock (45)`                  rock, if most genres of the column carry a weight; weight 0 is no genre
`rock---hard rock`, `Rock > Hard rock`   rock, hard rock: each level is a genre, the first one primary
`nan`, `None`, `N/A`, `unknown`, `-`     none (`sleevenotes.covers.genres.NO_GENRE`)
======================================== ===============================================================================

A list that can't be read is a problem of its row. No genre ever holds a square or curly bracket.
"""

from __future__ import annotations

import ast
import csv
import json
import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sleevenotes.covers.genres import is_no_genre, names_holding, spelling_key

Cell = str | tuple[str, ...]
"""A cell as text, or as several texts if the file itself says so."""

SEPARATORS = (";", "|", ",")
NAME_KEYS = (
    *("genretitle", "genrename", "genre", "genres", "name", "names", "title", "tag", "tags", "style", "styles"),
    *("label", "category", "text", "value", "data", "items"),
)
"""Keys of a dictionary that may hold a genre's name, in lower case, letters only, the best first."""

MAX_CHARACTERS = 100_000
MAX_NESTING = 20
MOST_PARTS = 4  # of a genre's name that holds a separator
SHOWN = 60

_STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_TOKEN = re.compile(rf"({_STRING})(\s+(?=['\"]))?|\b(nan|null|true|false)\b", re.IGNORECASE | re.DOTALL)
_SCALAR = re.compile(rf"\b(?:np|numpy)\.\w+\(\s*({_STRING}|-?[\d.e+-]+|True|False)\s*\)", re.DOTALL)
_CALL = re.compile(
    r"(?:(?:np|numpy|pd)\.)?(?:array|set|frozenset|list|tuple|Index|dict_keys|dict_values)"
    r"\((.*?)(?:,\s*dtype=[^)]*)?\)",
    re.DOTALL,
)
_QUOTED = re.compile(rf"(?:{_STRING})(?:\s*,\s*(?:{_STRING}))*", re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_NUMBERS = re.compile(r"[\d\s.,+-]+")
_WEIGHTED = re.compile(
    r"(?P<name>.*\S)\s*(?:[:=]\s*(?P<after>\d+(?:\.\d+)?)\s*%?|\(\s*(?P<in>\d+(?:\.\d+)?)\s*%?\s*\))"
)
_LEVELS = re.compile(r"\s*(?:-{3,}|-*>+|»|›|→|::)\s*")
_ROOTS = frozenset({"music", "genre", "genres", "all", "root", "cds & vinyl", "digital music"})
"""First levels of a path that are no genre."""


class UnreadableList(ValueError):
    """A cell that begins like a list and can't be read as one of names."""


class ListOfNumbers(UnreadableList):
    """A cell that holds numbers instead of names."""


@dataclass
class Reading:
    """The genres of a column, and how they were found.

    Parameters
    ----------
    genres
        The genres of each row, the primary one first.
    problems
        What is wrong with a cell, by the index of its row.
    notes
        What was guessed, a sentence each.
    only_numbers
        An example of a cell, if all that could not be read are lists of numbers and no cell has a genre.
    """

    genres: list[tuple[str, ...]]
    problems: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    only_numbers: str = ""


def read_genres(cells: Sequence[Sequence[Cell]], title: str, *, separator: str | None = None) -> Reading:
    """Read the genres of every row of a table.

    Parameters
    ----------
    cells
        For each row its cells that hold genres.
    title
        What to call the column in notes.
    separator
        What stands between several genres of one cell; white space stands for any white space. If None, the first of
        `SEPARATORS` that is no rarity in the column.

    Examples
    --------
    >>> read_genres([["['rock', 'pop']"], ["Folk, World, & Country"], ["nan"]], "genres").genres
    [('rock', 'pop'), ('Folk, World, & Country',), ()]
    """
    parsed: list[list[Cell]] = []
    problems: dict[int, str] = {}
    numbers: list[str] = []
    for index, row in enumerate(cells):
        parsed.append([])
        try:
            parsed[-1] = [_parsed(cell) for cell in row]
        except ListOfNumbers as problem:
            problems[index] = str(problem)
            numbers += [_shortened(cell) for cell in row if isinstance(cell, str) and cell.strip()][:1]
        except UnreadableList as problem:
            problems[index] = str(problem)
    texts = [cell for row in parsed for cell in row if isinstance(cell, str) and not is_no_genre(cell)]
    notes = []
    if separator is None:
        separator = guess_separator(texts)
        if separator is not None:
            notes.append(f"Several genres in a cell of '{title}' were separated at '{separator}' (`--separator`).")
        else:
            notes += _unseparated(texts, title)
    parts = [[part for cell in row for part in _parts(cell, separator)] for row in parsed]
    parts = _without_weights(parts, title, notes)
    parts = _levels(parts, title, notes)
    genres = [tuple(dict.fromkeys(part for part in row if not is_no_genre(part))) for row in parts]
    for index, names in enumerate(genres):
        odd = next((name for name in names if _BRACKET.search(name)), None)
        if odd is not None:
            problems.setdefault(index, f"a genre with a bracket, '{_shortened(odd)}'. Edit the cell")
            genres[index] = ()
    all_numbers = bool(numbers) and len(numbers) == len(problems) and not any(genres)
    return Reading(genres, problems, notes, numbers[0] if all_numbers else "")


def guess_separator(cells: Iterable[str]) -> str | None:
    """Return what stands between several genres in a column: the first of `;`, `|` and `,` that is no rarity in it.

    A separator inside of known genre names separates nothing.

    Examples
    --------
    >>> guess_separator(["rock; pop", "folk, world & country"]), guess_separator(["rock", "folk, world & country"])
    (';', None)
    """
    counts = Counter(separator for cell in cells for separator in SEPARATORS if len(split_cell(cell, separator)) > 1)
    often = max(counts.values(), default=0) / 10
    return next((separator for separator in SEPARATORS if counts[separator] and counts[separator] >= often), None)


def split_cell(cell: str, separator: str) -> list[str]:
    """Split a cell at a separator, but no known genre name that holds it.

    Examples
    --------
    >>> split_cell("Rock, Folk, World, & Country", ","), split_cell("rock  pop", " ")
    (['Rock', ' Folk, World, & Country'], ['rock', 'pop'])
    """
    if separator.isspace():
        return cell.split()
    pieces = cell.split(separator)
    whole = names_holding(separator)
    if len(pieces) == 1 or not whole:
        return pieces
    parts, at = [], 0
    while at < len(pieces):
        ends = range(min(len(pieces), at + MOST_PARTS), at + 1, -1)
        end = next((end for end in ends if spelling_key(separator.join(pieces[at:end])) in whole), at + 1)
        parts.append(separator.join(pieces[at:end]))
        at = end
    return parts


def read_list(text: str) -> tuple[str, ...] | None:
    """Return the elements of a cell that holds a list, a set, an array or a dictionary; None if it is plain text.

    Raises
    ------
    UnreadableList
        If it begins like a list or dictionary and can't be read as one of names.

    Examples
    --------
    >>> read_list('["rock", null]'), read_list("[{'genre_id': '21', 'genre_title': 'Rock'}]"), read_list("rock, pop")
    (('rock',), ('Rock',), None)
    >>> read_list("['rock' 'pop']"), read_list("{'rock': 100, 'pop': 0}"), read_list("[rock, pop]")
    (('rock', 'pop'), ('rock',), ('rock', 'pop'))
    """
    text = text.strip()
    while call := _CALL.fullmatch(text):
        text = call[1].strip() or "[]"
    is_list = text[:1] in ("[", "{")
    if not is_list and not (text[:1] == "(" and text[-1:] == ")") and not _QUOTED.fullmatch(text):
        return None
    try:
        return tuple(_names(_literal(text)))
    except UnreadableList:
        raise
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        if not is_list:
            return None
    return _bare_list(text)


def _parsed(cell: Cell) -> Cell:
    if isinstance(cell, tuple):
        return cell
    text = cell.strip()
    if re.fullmatch(_STRING, text, re.DOTALL):  # the whole cell was put in quotes once more
        try:
            text = str(_literal(text)).strip()
        except (ValueError, SyntaxError):
            text = text[1:-1].strip()
    elements = read_list(text)
    return text if elements is None else elements


def _literal(text: str) -> Any:
    """Return the value that a text stands for in JSON or Python; nothing in it is run."""
    if len(text) > MAX_CHARACTERS:
        raise UnreadableList(f"a list of {len(text):,} characters, more than {MAX_CHARACTERS:,}")
    depth = deepest = 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_NESTING:
        raise UnreadableList(f"a list nested {deepest} levels deep, more than {MAX_NESTING}")
    try:
        return json.loads(text)
    except ValueError:
        pass
    text = _TOKEN.sub(_as_python, _SCALAR.sub(r"\1", text))
    if text.startswith("{") and ":" not in re.sub(_STRING, "", text, flags=re.DOTALL):
        text = f"[{text[1:-1]}]"  # a set, whose order Python would not keep
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "invalid escape sequence" is about code, and this is none
        return ast.literal_eval(text)


def _as_python(token: re.Match[str]) -> str:
    if token[1]:
        return f"{token[1]}, " if token[2] else token[1]  # NumPy writes no comma between elements
    return {"nan": "None", "null": "None"}.get(token[3].lower(), token[3].capitalize())


def _names(value: Any) -> Iterator[str]:
    """Yield the names in what a cell stands for."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for at, each in enumerate(value):
            if at or not (isinstance(each, str) and len(value) > 1 and each.casefold() in _ROOTS):
                yield from _names(each)
    elif isinstance(value, Mapping):
        yield from _named(value)
    elif isinstance(value, int | float):
        raise ListOfNumbers("numbers instead of names of genres")
    else:
        raise UnreadableList("a list of something else than names of genres")


def _named(record: Mapping[Any, Any]) -> Iterator[str]:
    keys = {re.sub(r"[\W_]+", "", str(key).casefold()): key for key in record}
    known = next((keys[name] for name in NAME_KEYS if name in keys), None)
    if known is not None:
        yield from _names(record[known])
    elif any(key.endswith("id") or key in ("count", "weight", "score") for key in keys):
        raise ListOfNumbers("ids instead of names of genres")
    elif all(isinstance(weight, int | float) for weight in record.values()):
        yield from (str(name) for name, weight in record.items() if weight > 0)
    else:
        raise UnreadableList(
            f"a dictionary without a key such as 'name' or 'title' (it has {', '.join(map(str, record))})"
        )


def _bare_list(text: str) -> tuple[str, ...]:
    """Return the elements of a list that is written without quotes: `[rock, pop]`."""
    inner = text[1:-1]
    if text[-1] == {"[": "]", "{": "}"}[text[0]] and not re.search(r"[\[\]{}:']|\.\.\.|…", inner):
        if _NUMBERS.fullmatch(inner):
            raise ListOfNumbers("numbers instead of names of genres")
        return tuple(next(csv.reader([" ".join(inner.split())], skipinitialspace=True), ()))
    raise UnreadableList(f"begins like a list and can't be read as one: {_shortened(text)}")


def _parts(cell: Cell, separator: str | None) -> list[str]:
    if isinstance(cell, tuple):
        parts: Sequence[str] = cell
    else:
        parts = [cell] if separator is None else split_cell(cell, separator)
    return [part.strip() for part in parts if part.strip()]


def _unseparated(texts: Sequence[str], title: str) -> list[str]:
    """Return a note if a column without a separator looks as if its cells held several genres."""
    different = set(texts)
    if len(different) <= max(50, len(texts) / 4) or sum(" " in text for text in different) <= 25:
        return []
    found = f"'{title}' has {len(different):,} different genres on {len(texts):,} covers."
    return [f'{found} If a cell holds several, name what stands between them: `--separator " "`.']


def _without_weights(rows: list[list[str]], title: str, notes: list[str]) -> list[list[str]]:
    """Strip the weights of genres, if most genres of the column carry one."""
    found = {part: _WEIGHTED.fullmatch(part) for row in rows for part in row}
    weighted = sum(found[part] is not None for row in rows for part in row)
    if not weighted or 2 * weighted <= sum(map(len, rows)):
        return rows
    result: list[list[str]] = []
    zeros = 0
    for row in rows:
        result.append([])
        for part in row:
            match = found[part]
            if match is not None and not float(match["after"] or match["in"]):
                zeros += 1
            else:
                result[-1].append(part if match is None else match["name"].strip())
    example = next(part for part, match in found.items() if match is not None)
    left_out = f"; {zeros:,} of weight 0 were left out" if zeros else ""
    notes.append(f"Genres in '{title}' have weights ('{_shortened(example)}'), which were ignored{left_out}.")
    return result


def _levels(rows: list[list[str]], title: str, notes: list[str]) -> list[list[str]]:
    """Take each level of a path for a genre of its own."""
    paths = {part: [level for level in _LEVELS.split(part) if level] for row in rows for part in row}
    example = next((part for part, levels in paths.items() if len(levels) > 1), None)
    if example is None:
        return rows
    notes.append(f"A cell of '{title}' holds a path ('{_shortened(example)}'): every level was read as a genre.")
    return [[level for part in row for level in _without_root(paths[part])] for row in rows]


def _without_root(levels: list[str]) -> list[str]:
    return levels[1:] if len(levels) > 1 and levels[0].casefold() in _ROOTS else levels


def _shortened(cell: Cell) -> str:
    text = " ".join((cell if isinstance(cell, str) else "; ".join(cell)).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
