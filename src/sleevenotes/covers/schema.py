"""Reading JSON and CSV files by a schema, so that a damaged or hostile file is an error with a sentence.

A schema is a `TypedDict` whose fields may be narrowed by the types below (`Positive`, `Share`, `Sha256`, …) or by
`Meta`. msgspec checks a file against it; what it refuses is then described here, entry by entry, in plain English.
Keys that a schema does not name are kept as they are. Whatever the schema, a file has at most `LARGEST` bytes and
`DEEPEST` levels, is UTF-8, and has no number that is not finite.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Required,
    TypedDict,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import msgspec

from sleevenotes.covers.files import one_line
from sleevenotes.errors import SleevenotesError

LARGEST = 1 << 28  # bytes of a file
DEEPEST = 40  # levels of objects and lists in one another
NEWLINE = b"\n"
LONGEST = 60  # characters of a value in a message

Meta = msgspec.Meta
T = TypeVar("T")
Error = type[SleevenotesError]

Count = Annotated[int, Meta(ge=0, le=1 << 53)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(min_length=1)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="a SHA-256 (64 hexadecimal digits)")]
Pair = Annotated[list[Name], Meta(min_length=2, max_length=2, description="a list of child and parent")]
"""Two genres, of which the first is a kind of the second."""
Pixels = Annotated[int, Meta(ge=1, le=4096)]
"""Width and height of the covers that a model gets."""


class _Format(TypedDict):
    format: Annotated[int, Meta(ge=1)]


def read_json(path: Path, schema: type[T], error: Error, cure: str, *, newest: int | None = None) -> T:
    """Read a JSON file and check it against a schema.

    Parameters
    ----------
    path
        The file.
    schema
        A `TypedDict`, or any other type that JSON can hold (`list[Entry]`, `dict[str, Any]`).
    error
        The class of the error to raise.
    cure
        What to do if the file can't be used, a sentence.
    newest
        The newest `format` that is read, if the file has such a key.

    Returns
    -------
    T
        The content as it is in the file, keys that the schema does not name included.

    Raises
    ------
    SleevenotesError
        Of the class `error`, if the file is missing, not JSON or does not fit the schema.
    """
    return parse_json(_content(path, error, cure), str(path), schema, error, cure, newest=newest)


def parse_json(
    content: bytes | str, where: str, schema: type[T], error: Error, cure: str, *, newest: int | None = None
) -> T:
    """Return what JSON holds, checked against a schema; like `read_json`, for JSON that is no file of its own.

    Parameters
    ----------
    content
        The JSON.
    where
        What the error calls it.
    schema, error, cure, newest
        As for `read_json`.
    """
    content = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        value = msgspec.json.decode(content)
    except RecursionError as cause:
        raise error(where, "objects nested too deeply", f"At most {DEEPEST} levels are read", cure) from cause
    except (msgspec.DecodeError, UnicodeDecodeError) as cause:
        raise error(where, _malformed(content, cause), "", cure) from cause
    if _is_deep(value):
        raise error(where, "objects nested too deeply", f"At most {DEEPEST} levels are read", cure)
    written = value.get("format") if isinstance(value, dict) else None
    if newest is not None and isinstance(written, int) and written > newest:
        known = f"At most format {newest} is read here"
        raise error(where, f"format {quoted(written)}", known, "Update sleevenotes")
    if newest is not None and isinstance(value, dict) and "format" in value:
        validated(value, where, _Format, error, cure)
    return validated(value, where, schema, error, cure)


def validated(value: object, where: str, schema: type[T], error: Error, cure: str) -> T:
    """Return a value as it is, once it is certain that it fits a schema.

    Examples
    --------
    >>> validated({"share": 0.5, "more": 1}, "shares.json", dict[str, float], SleevenotesError, "Delete it")
    {'share': 0.5, 'more': 1}
    >>> validated({"share": "half"}, "shares.json", dict[str, float], SleevenotesError, "Delete it")
    Traceback (most recent call last):
        ...
    sleevenotes.errors.SleevenotesError: shares.json: share is 'half'. A number was expected. Delete it.
    """
    try:
        msgspec.convert(value, schema)
    except (msgspec.ValidationError, RecursionError) as cause:
        problems = list(_problems(value, schema, ""))
        raise _refusal(where, problems, error, cure) from cause
    return cast(T, value)


def read_rows(path: Path, schema: type[T], error: Error, cure: str, *, is_ended: bool = False) -> Iterator[T]:
    """Yield the rows of a CSV file, each checked against a schema, while memory stays flat.

    Numbers are converted to the types of the schema, and an empty cell is None if its type allows that. Columns that
    the schema does not name are kept as text.

    Parameters
    ----------
    path
        The file; its first line has the names of the columns.
    schema
        A `TypedDict` of text and numbers; a column is needed unless it is `NotRequired`.
    error, cure
        As for `read_json`.
    is_ended
        Whether the last row has to end with a line break, as in all tables that no hand has edited.

    Raises
    ------
    SleevenotesError
        Of the class `error`, if the file is missing or not a table in UTF-8, lacks a column, or has a row that does not
        fit: messages name it by the number that a spreadsheet shows (the header is row 1).
    """
    hints = get_type_hints(schema, include_extras=True)
    optional = [name for name, hint in hints.items() if NoneType in get_args(_bare(hint))]
    required = _required(schema, hints)
    if path.is_file() and path.stat().st_size == 0:
        raise error(str(path), "an empty file", f"a table with {_listed(required)}", cure)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            lacking = [name for name in hints if name in required and name not in header]
            if lacking:
                found = f"no column {_listed([repr(name) for name in lacking])}"
                raise error(str(path), found, f"a table with {_listed(required)}", cure)
            if len(set(header)) < len(header):
                raise error(str(path), "two columns of one name", "a table whose columns differ in name", cure)
            for number, cells in enumerate(reader, start=2):
                if not cells:  # an empty line
                    continue
                yield _row(cells, header, optional, schema, (f"{path}, row {number}", error, cure))
        if is_ended and not _ends_with_newline(path):
            raise error(str(path), "its last row breaks off", "", cure)
    except OSError as cause:
        raise error(str(path), "can't be read" if path.exists() else "not there", "", cure) from cause
    except (csv.Error, UnicodeDecodeError) as cause:
        raise error(str(path), "no CSV table in UTF-8", "", cure) from cause


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == NEWLINE


def _row(cells: list[str], header: list[str], optional: list[str], schema: type[T], told: tuple[str, Error, str]) -> T:
    where, error, cure = told
    if len(cells) != len(header):
        raise error(where, f"{len(cells)} cells, where the table has {len(header)} columns", "", cure)
    row: dict[str, Any] = dict(zip(header, cells, strict=True))
    row.update({name: None for name in optional if row.get(name) == ""})
    try:
        fitting = cast(Mapping[str, Any], msgspec.convert(row, schema, strict=False))
    except msgspec.ValidationError as cause:
        problems = list(_problems(row, schema, "", is_text=True))
        raise _refusal(where, problems, error, cure) from cause
    infinite = [name for name, value in fitting.items() if isinstance(value, float) and not math.isfinite(value)]
    if infinite:
        raise error(where, f"{infinite[0]} is {quoted(row[infinite[0]])}", "a number", cure)
    return cast(T, row | dict(fitting))


def quoted(value: object) -> str:
    r"""Return a value of JSON for a message, in a few words and one line.

    Examples
    --------
    >>> quoted("a\x1b[31m\nb"), quoted(None), quoted([1, 2]), quoted({}), quoted(True), quoted(0.5)
    ("'a[31m b'", 'null', 'a list of 2', 'an object', 'true', '0.5')
    """
    match value:
        case str():
            text = one_line(value[: 4 * LONGEST].encode("utf-8", "replace").decode())
            return f"'{text[:LONGEST]}{'…' if len(text) > LONGEST or len(value) > 4 * LONGEST else ''}'"
        case list():
            return f"a list of {len(value):,}" if value else "an empty list"
        case dict():
            return "an object"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() if abs(value) > 10**15:
            return "a number of more than 15 digits"
    return f"{value:.15g}" if isinstance(value, (int, float)) else "a value"


# -------------------------------------------------------------------------------- what does not fit


class _Problem(NamedTuple):
    where: str
    found: str
    expected: str


def _refusal(where: str, problems: list[_Problem], error: Error, cure: str) -> SleevenotesError:
    if not problems:  # msgspec refuses what is fine by the description below
        return error(where, "can't be made sense of", "", cure)
    first, *others = problems
    if not others:
        return error(where, f"{first.where}{first.found}", first.expected, cure)
    shown = [f"{one.where}{one.found} ({one.expected} was expected)" for one in problems[:10]]
    more = f"; and {len(problems) - 10:,} more" if len(problems) > 10 else ""
    return error(where, "; ".join(shown) + more, "", cure)


def _problems(value: object, hint: Any, at: str, *, is_text: bool = False) -> Iterator[_Problem]:
    """Yield what does not fit a type, entry by entry."""
    hint = get_args(hint)[0] if get_origin(hint) in (NotRequired, Required) else hint
    bare = _bare(hint)
    if get_origin(bare) in (Union, UnionType):
        inner = [one for one in get_args(bare) if _is_container(_bare(one), value)]
        if inner:
            yield from _problems(value, inner[0], at, is_text=is_text)
        elif not _fits(value, hint, is_text=is_text):
            yield _problem(value, hint, at)
    elif is_typeddict(bare) and isinstance(value, dict):
        hints = get_type_hints(bare, include_extras=True)
        required = _required(bare, hints)
        for name, each in hints.items():
            if name in value:
                yield from _problems(value[name], each, f"{at}.{name}" if at else name, is_text=is_text)
            elif name in required:
                yield _Problem(f"{at}.{name}" if at else name, " is missing", expected_of(each))
    elif get_origin(bare) is dict and isinstance(value, dict):
        for name, each in value.items():
            key = quoted(name)[1:-1]
            yield from _problems(each, get_args(bare)[1], f"{at}.{key}" if at else key, is_text=is_text)
    elif get_origin(bare) is list and isinstance(value, list) and _fits(value, _as_any(hint), is_text=is_text):
        for number, each in enumerate(value):
            yield from _problems(each, get_args(bare)[0], f"{at}[{number}]", is_text=is_text)
    elif not _fits(value, hint, is_text=is_text):
        yield _problem(value, hint, at)


def _required(schema: Any, hints: Mapping[str, Any]) -> list[str]:
    """Return the keys of a `TypedDict` that have to be there, also if its annotations are text."""
    return [name for name in hints if name in schema.__required_keys__ and get_origin(hints[name]) is not NotRequired]


def _problem(value: object, hint: Any, at: str) -> _Problem:
    return _Problem(at, f" is {quoted(value)}" if at else quoted(value), expected_of(hint))


def _fits(value: object, hint: Any, *, is_text: bool) -> bool:
    try:
        msgspec.convert(value, hint, strict=not is_text)
    except msgspec.ValidationError:
        return False
    return True


def _as_any(hint: Any) -> Any:
    """Return the type of a list of the same length, whatever is in it."""
    limits = hint.__metadata__ if get_origin(hint) is Annotated else ()
    return Annotated[list[Any], *limits] if limits else list[Any]


def _is_container(hint: Any, value: object) -> bool:
    if isinstance(value, dict):
        return is_typeddict(hint) or get_origin(hint) is dict
    return isinstance(value, list) and get_origin(hint) is list


def _bare(hint: Any) -> Any:
    """Return a type without what narrows it, and without `NotRequired`."""
    while get_origin(hint) in (Annotated, NotRequired, Required):
        hint = get_args(hint)[0]
    return hint


def expected_of(hint: Any) -> str:
    """Return what a type allows, in words.

    Examples
    --------
    >>> expected_of(Positive), expected_of(Literal["a", "b"]), expected_of(float | None), expected_of(list[str])
    ('a number above 0', 'one of a, b', 'a number or null', 'a list')
    """
    limits: dict[str, Any] = {}
    while get_origin(hint) is Annotated or hint is not _bare(hint):
        for meta in getattr(hint, "__metadata__", ()):
            if meta.description:
                return str(meta.description)
            limits |= {name: getattr(meta, name) for name in _LIMITS if getattr(meta, name) is not None}
        hint = get_args(hint)[0]
    origin = get_origin(hint)
    if origin is Literal:
        names = ", ".join(str(one) for one in get_args(hint))
        return f"one of {names}" if len(get_args(hint)) > 1 else f"the value {names}"
    if origin in (Union, UnionType):
        return " or ".join(expected_of(one) for one in get_args(hint))
    kind = "an object" if is_typeddict(hint) or origin is dict else _WORDS.get(origin or hint, "another value")
    return kind + _limited(limits)


_WORDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    NoneType: "null",
    list: "a list",
}
_LIMITS = ("gt", "ge", "lt", "le", "min_length", "max_length")


def _limited(limits: Mapping[str, float]) -> str:
    """Return limits in words, to follow what they limit.

    Examples
    --------
    >>> _limited({"ge": 0, "le": 1}), _limited({"gt": 0}), _limited({"min_length": 3, "max_length": 3})
    (' from 0 to 1', ' above 0', ' of 3')
    """
    if limits.get("min_length") is not None and limits.get("min_length") == limits.get("max_length"):
        return f" of {limits['min_length']:,}"
    words = ""
    if "ge" in limits and "le" in limits:
        words += f" from {limits['ge']:,} to {limits['le']:,}"
    else:
        names = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}
        words += "".join(f" {names[key]} {limits[key]:,}" for key in names if key in limits)
    if limits.get("min_length"):
        words += " that is not empty" if limits["min_length"] == 1 else f" of at least {limits['min_length']:,}"
    return words + (f" of at most {limits['max_length']:,}" if "max_length" in limits else "")


# -------------------------------------------------------------------------------- bytes


def _content(path: Path, error: Error, cure: str) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise error(str(path), f"{size:,} bytes", f"At most {LARGEST:,} bytes are read", cure)
        content = path.read_bytes()
    except OSError as cause:
        raise error(str(path), "can't be read" if path.exists() else "not there", "", cure) from cause
    if not content.strip():
        raise error(str(path), "an empty file", "", cure)
    return content


def _malformed(content: bytes, cause: Exception) -> str:
    place = re.search(r"byte (\d+)", str(cause))
    before = content[: int(place[1])] if place else b""
    line = f" (line {before.count(NEWLINE) + 1:,})" if place else ""
    if b"NaN" in content or b"Infinity" in content:
        return f"no valid JSON{line}: NaN and Infinity are no numbers there"
    return f"no valid JSON{line}"


def _is_deep(value: object) -> bool:
    """Return whether lists and objects are nested in more than `DEEPEST` levels."""
    level = [value]
    for _ in range(DEEPEST + 1):
        inner: list[object] = []
        for one in level:
            entries = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
            inner += [entry for entry in entries if isinstance(entry, (dict, list))]
        if not inner:
            return False
        level = inner
    return True


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
