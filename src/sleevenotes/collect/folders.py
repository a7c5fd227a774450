"""Covers in folders: a folder per genre, or any layout of genre, artist, album and year.

A file is taken for a cover when its name ends like a picture's (then a broken one is told) or when its first bytes are
those of a picture. Everything else, and whatever is hidden, is no cover and only counted: notes, lists, `Thumbs.db`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sleevenotes.errors import SourceError, did_you_mean

READ_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif"}
)
PICTURE_ENDINGS = READ_ENDINGS | {".heic", ".heif", ".jxl", ".jp2", ".j2k", ".psd", ".svg", ".ico", ".tga", ".ppm"}
"""Endings that promise a picture; kinds that are not read are told as broken, not passed over in silence."""

TABLE_ENDINGS = frozenset({".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".pq"})
WORDS = ("genre", "artist", "album", "year")
NOT_COVERS = frozenset({"thumbs.db", "desktop.ini", "__macosx", "@eadir"})

_YEAR = re.compile(r"(?<!\d)((?:1[89]|20)\d\d)(?:[01]\d[0-3]\d)?(?!\d)")
_DISCOGS = re.compile(r"R-(\d+)(?:-|$)")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Found:
    """One cover in the source, with what the source says of it.

    Parameters
    ----------
    source
        Path relative to the source, `/` between its parts.
    path
        Where the file is.
    genres
        As they stand in the source, the primary one first.
    artist, album, year
        Empty where unknown; the year has four digits.
    extra
        Further columns.
    row
        Row of the table that names the cover; 0 where there is none.
    url
        Where the cover has to be fetched from; empty where it is at hand. `source` is then the same.
    name
        The path by which it is to be called; `source` where it is empty.
    """

    source: str
    path: Path
    genres: tuple[str, ...] = ()
    artist: str = ""
    album: str = ""
    year: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    row: int = 0
    url: str = ""
    name: str = ""


@dataclass(frozen=True)
class Problem:
    """What was left out or merged: a line of `problems.csv`."""

    source: str
    problem: str


@dataclass(frozen=True)
class Listing:
    """All that a source holds.

    Parameters
    ----------
    found
        The covers, in their final order.
    problems
        What can't be collected, known before any picture is opened.
    ignored
        Number of files that are no covers.
    notes
        What was guessed or is doubtful, a sentence each.
    """

    found: list[Found]
    problems: list[Problem] = field(default_factory=list)
    ignored: int = 0
    notes: list[str] = field(default_factory=list)


def find(source: Path, *, layout: str | None = None, genre: str | None = None) -> Listing:
    """Find the covers below a folder, sorted by path.

    Parameters
    ----------
    source
        The folder.
    layout
        What the folders mean from `source` downwards, such as `artist/album`, `genre/artist - album` or
        `genre/album (year)`; `*` is a folder without meaning, and a last part that ends in `.*` is the file's name.
        Without it the first folder is the genre, and the folders below mean nothing.
    genre
        One genre, or several with `;` between them, for all covers, whatever their folder.

    Raises
    ------
    SourceError
        Where there is no such folder, no cover in it, nothing to tell a genre by, or no sense in the layout.
    """
    levels = parse_layout(layout) if layout is not None else [re.compile("(?P<genre>.+)")]
    files, ignored = walk(source)
    covers = [path for path in files if is_cover(path)]
    ignored += len(files) - len(covers)
    if not covers:
        others = f" (other files: {ignored:,})" if ignored else ""
        raise SourceError(str(source), f"no picture in this folder{others}", "a folder of covers per genre")
    told = tuple(part.strip() for part in (genre or "").split(";") if part.strip())
    found, misfits = [], []
    for path in covers:
        words, fits = _read_folders(path.relative_to(source), levels)
        if not fits:
            misfits.append(path)
        genres = told or ((words["genre"],) if words.get("genre") else ())
        found.append(_found(source, path, genres, words))
    listing = Listing(found, ignored=ignored)
    if layout is not None and misfits:
        first = relative(misfits[0], source)
        listing.notes.append(
            f"{len(misfits):,} of {len(covers):,} covers do not fit the layout '{layout}' (the first is {first}): "
            "what it names stays empty there."
        )
    return _with_genres(
        source, listing, guessed=layout is None and not told, expected=layout is None or "genre" in layout
    )


def is_cover(path: Path) -> bool:
    """Return whether a file is meant as a cover: by its ending, else by its first bytes."""
    return path.suffix.lower() in PICTURE_ENDINGS or (
        path.suffix.lower() not in TABLE_ENDINGS and _starts_like_picture(path)
    )


def stem(name: str) -> str:
    """Return a file's name or path without a picture's ending; other dots belong to the name.

    Examples
    --------
    >>> stem("Vol. 2_1969.JPG"), stem("Vol. 2_1969")
    ('Vol. 2_1969', 'Vol. 2_1969')
    """
    head, dot, ending = name.rpartition(".")
    return head if head and f"{dot}{ending}".lower() in PICTURE_ENDINGS else name


def year_of(text: str) -> str:
    """Return the first year from 1800 to 2099 in a text, or an empty string.

    Examples
    --------
    >>> year_of("1964-01-01 00:00:00"), year_of("31.12.1979"), year_of("19790101"), year_of("1979.0"), year_of("'79")
    ('1964', '1979', '1979', '1979', '')
    """
    match = _YEAR.search(text)
    return match[1] if match else ""


def release_of(name: str) -> str:
    """Return the Discogs release that a file's name begins with, or an empty string.

    Examples
    --------
    >>> release_of("R-4080454-1354392498-6720-jpeg.jpg"), release_of("Revolver.jpg")
    ('R-4080454', '')
    """
    match = _DISCOGS.match(stem(name))
    return f"R-{match[1]}" if match else ""


def relative(path: Path, folder: Path) -> str:
    """Return the path relative to a folder, `/` between its parts, with `..` where it lies outside."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive
        return path.as_posix()


def walk(folder: Path, *, skip: Path | None = None) -> tuple[list[Path], int]:
    """Return all files below a folder that are not hidden, sorted by path, and how many hidden ones were passed over.

    Links to folders are followed, but never in a circle; one that leads nowhere counts as a file. `skip` and what lies
    in it is left out.

    Raises
    ------
    SourceError
        Where a folder can't be read: what is in it would be missing in silence.
    """
    files: list[Path] = []
    hidden = 0
    skipped = skip.resolve() if skip is not None else None
    stack: list[tuple[Path, frozenset[Path]]] = [(folder, frozenset())]
    while stack:
        here, above = stack.pop()
        real = here.resolve()
        if real in above or real == skipped:
            continue
        for entry in _entries(here):
            if entry.name.startswith(".") or entry.name.lower() in NOT_COVERS:
                hidden += entry.is_file()
            elif entry.is_dir():
                stack.append((Path(entry.path), above | {real}))
            elif entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists()):
                files.append(Path(entry.path))
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix()), hidden


def parse_layout(layout: str) -> list[re.Pattern[str]]:
    """Return a pattern for each level of a layout, the first level first.

    Examples
    --------
    >>> genre, title = parse_layout("genre/artist - album (year)")
    >>> title.fullmatch("Can - Tago Mago (1971)").groupdict()
    {'artist': 'Can', 'album': 'Tago Mago', 'year': '1971'}

    Raises
    ------
    SourceError
        Where a word is unknown or stands twice, or a level says nothing.
    """
    expected = f"Words are {', '.join(WORDS)}, with / between folders and * for a folder without meaning"
    where = f"layout '{layout}'"
    levels = layout.strip().strip("/").split("/")
    seen: list[str] = []
    patterns = []
    for number, level in enumerate(levels, start=1):
        of_file = level.endswith(".*") and number == len(levels)
        text = level.removesuffix(".*") if of_file else level.strip()
        words = _WORD.findall(text)
        for word in words:
            if word.lower() not in WORDS:
                raise SourceError(
                    where, f"'{word}' is no word of a layout", expected, did_you_mean(word.lower(), WORDS)
                )
            if word.lower() in seen:
                raise SourceError(where, f"'{word}' stands twice", expected)
            seen.append(word.lower())
        if not words and text != "*":
            raise SourceError(where, f"'{level}' says nothing", expected)
        patterns.append(re.compile(_level_pattern(text) + (r"\.[^.]*" if of_file else "")))
    return patterns


def _level_pattern(text: str) -> str:
    if text == "*":
        return ".*"
    parts = []
    for part in re.split(r"([^\W\d_]+)", text):
        word = part.lower()
        value = "[0-9]{4}" if word == "year" else ".+?"
        parts.append(f"(?P<{word}>{value})" if word in WORDS else re.escape(part))
    return "".join(parts)


def _read_folders(path: Path, levels: Sequence[re.Pattern[str]]) -> tuple[dict[str, str], bool]:
    """Return what the folders of a cover mean, and whether they fit."""
    of_file = levels[-1].pattern.endswith(r"\.[^.]*")
    parts = path.parts if of_file else path.parts[:-1]
    words: dict[str, str] = {}
    fits = len(parts) == len(levels) if of_file else len(parts) >= len(levels)
    for part, level in zip(parts, levels, strict=False):
        match = level.fullmatch(part)
        if match:
            words |= match.groupdict()
        fits = fits and match is not None
    return words, fits


def _found(source: Path, path: Path, genres: tuple[str, ...], words: Mapping[str, str]) -> Found:
    release = release_of(path.name)
    return Found(
        relative(path, source),
        path,
        genres,
        artist=words.get("artist", "").strip(),
        album=words.get("album", "").strip(),
        year=words.get("year", ""),
        extra={"release": release} if release else {},
    )


def _with_genres(source: Path, listing: Listing, *, guessed: bool, expected: bool) -> Listing:
    """Leave covers without a genre out, or say that no genre can be told at all.

    `guessed` is whether the first folder was taken for the genre, `expected` whether folders should have told one.
    """
    without = [cover for cover in listing.found if not cover.genres]
    covers = [cover for cover in listing.found if cover.genres]
    genres = {cover.genres for cover in covers}
    tables = sorted(entry.name for entry in _entries(source) if Path(entry.name).suffix.lower() in TABLE_ENDINGS)
    found = ""
    if expected and not genres:
        found = f"{len(without):,} covers, but no folder that could be their genre"
    elif guessed and tables and len(genres) == 1 and not without:
        found = f"one folder of covers, '{covers[0].genres[0]}', beside a table, '{tables[0]}'"
    if found:
        cure = 'Give all covers one with `--genre "progressive rock"`'
        if tables:
            cure = f"Collect from the table, `sleevenotes collect {source / tables[0]}`, or g{cure[1:]}"
        raise SourceError(str(source), found, "a folder of covers per genre", cure)
    if not genres:
        note = f'No genre is known for any of the {len(without):,} covers; `--genre "…"` gives them one.'
        return replace(listing, notes=[*listing.notes, note])
    problems = [Problem(cover.source, f"{cover.source}: in no genre's folder. Move it into one.") for cover in without]
    return Listing(covers, problems, listing.ignored, listing.notes + (_one_level_off(covers) if guessed else []))


def _one_level_off(found: Sequence[Found]) -> list[str]:
    """Tell of a wrapping folder that was taken for the only genre."""
    first = found[0].genres[0]
    parts = [cover.source.split("/") for cover in found]
    one = all(len(each) > 2 and each[0] == first for each in parts)
    if one and len({each[1] for each in parts}) > 1:
        return [
            f"All {len(found):,} covers are of one genre, '{first}'. If its folders are the genres, collect from it."
        ]
    return []


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from list(entries)
    except OSError as cause:
        found = "no such folder" if isinstance(cause, FileNotFoundError) else f"can't be read ({cause.strerror})"
        raise SourceError(str(folder), found, "a folder of covers per genre, or a table", _similar(folder)) from cause


def _similar(folder: Path) -> str:
    if not folder.parent.is_dir():
        return ""
    return did_you_mean(folder.name, sorted(path.name for path in folder.parent.iterdir()))


def _starts_like_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return True  # so that it is opened again later, and told
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"))
        or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")
        or (head.startswith(b"BM") and head[6:10] == bytes(4) and len(head) == 16)
        or head[4:12] in (b"ftypavif", b"ftypavis")
    )
