"""Covers in folders: a folder per genre, or any layout of genre, artist, album and year.

A file is taken for a cover when its name ends like a picture's (then a broken one is told) or when its first bytes are
those of a picture. Everything else, and whatever is hidden, is no cover and only counted: notes, lists, `Thumbs.db`.
Scans that lie beside a cover are left out (`scans`); folders that are more than genres are recognised (`layouts`).
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sleevenotes.collect.layouts import (
    album_depth,
    deeper,
    is_of_file,
    parse_layout,
    recognised,
    resembles_artists,
    side_of,
)
from sleevenotes.collect.scans import beside_covers
from sleevenotes.errors import SourceError, did_you_mean

__all__ = ["Found", "Listing", "Problem", "find", "is_cover", "parse_layout", "release_of", "relative", "stem", "walk"]

READ_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif"}
)
PICTURE_ENDINGS = READ_ENDINGS | {".heic", ".heif", ".jxl", ".jp2", ".j2k", ".psd", ".svg", ".ico", ".tga", ".ppm"}
"""Endings that promise a picture; kinds that are not read are told as broken, not passed over in silence."""

TABLE_ENDINGS = frozenset({".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".pq"})
MUSIC_ENDINGS = frozenset(
    {".mp3", ".flac", ".m4a", ".mp4", ".ogg", ".oga", ".opus", ".wma", ".wav", ".aac", ".aif", ".aiff", ".ape"}
    | {".alac", ".wv", ".mpc", ".dsf", ".dff", ".mka", ".tta"}
)
NOT_COVERS = frozenset({"thumbs.db", "desktop.ini", "__macosx", "@eadir"})

_YEAR = re.compile(r"(?<!\d)((?:1[89]|20)\d\d)(?:[01]\d[0-3]\d)?(?!\d)")
_DISCOGS = re.compile(r"R-(\d+)(?:-|$)")


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
    split
        The side of a given split: `train`, `valid` or `test`; empty if none is given.
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
    split: str = ""
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
    scans
        Pictures that lie beside a cover and are none: backs, discs, booklets.
    empty
        Genres' folders without a cover.
    """

    found: list[Found]
    problems: list[Problem] = field(default_factory=list)
    ignored: int = 0
    notes: list[str] = field(default_factory=list)
    scans: list[Problem] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Commands:
    """The command that reads a source, and that of `collect`, which has more options."""

    this: str
    collect: str

    @classmethod
    def of(cls, source: Path, folder: Path, this: str = "") -> Commands:
        """Make both for a source and a dataset's folder; `this` by default is that of `collect`."""
        collect = f"sleevenotes collect {shlex.quote(str(source))} -o {shlex.quote(str(folder))}"
        return cls(this or collect, collect)


def find(
    source: Path,
    *,
    layout: str | None = None,
    genre: str | None = None,
    unlabelled: bool = False,
    commands: Commands | None = None,
) -> Listing:
    """Find the covers below a folder, sorted by path.

    Parameters
    ----------
    source
        The folder.
    layout
        What the folders mean from `source` downwards, such as `artist/album`, `genre/artist - album` or
        `split/genre`; `*` is a folder without meaning, and a last part that ends in `.*` is the file's name.
        Without it the layout is recognised; else the first folder is the genre, and the folders below mean nothing.
    genre
        One genre, or several with `;` between them, for all covers, whatever their folder.
    unlabelled
        Whether covers have no genre at all.
    commands
        To which messages add options; by default that of `collect` into `out/dataset`.

    Raises
    ------
    SourceError
        Where there is no such folder, no cover in it, nothing to tell a genre by, or no sense in the layout.
    """
    commands = commands or Commands.of(source, Path("out/dataset"))
    if unlabelled and (genre is not None or "genre" in (layout or "").lower()):
        raise SourceError("--unlabelled", "given with a genre", "One or the other", "Leave one of them out")
    given = tuple(part.strip() for part in (genre or "").split(";") if part.strip())
    files, ignored = walk(source)
    meant = [is_cover(path) for path in files]
    pictures = [path for path, picture in zip(files, meant, strict=True) if picture]
    others = [path for path, picture in zip(files, meant, strict=True) if not picture]
    ignored += len(others)
    if not pictures:
        counted = f" (other files: {ignored:,})" if ignored else ""
        raise SourceError(str(source), f"no picture in this folder{counted}", "a folder of covers per genre")
    music = sum(path.suffix.lower() in MUSIC_ENDINGS for path in others)
    notes = _music(music)
    folders = [path.relative_to(source).parts[:-1] for path in pictures]
    stems = [stem(path.name) for path in pictures]
    if layout is None and (shape := recognised(folders, stems, genre_given=bool(given) or unlabelled)):
        guess, notes = shape.layout, [shape.note, *notes]
    else:
        guess = layout or "genre"
        if layout is None and not given and not unlabelled and resembles_artists(folders, stems, music=music > 0):
            raise _artists(source, folders, commands, music)
    if layout is None and not given and not unlabelled and (below := deeper(folders, guess)):
        offered = f"{commands.this} --layout {shlex.quote(below)}"
        notes.append(f"If the folders below the genres are artists and albums, `{offered}` keeps artists on one side.")
    levels = parse_layout(guess)
    places = list(zip(folders, stems, strict=True))
    depth = album_depth(levels, genre_given=bool(given) or unlabelled)
    scans = beside_covers(places, depth=depth, size=lambda index: _size(pictures[index]))
    covers = [path for index, path in enumerate(pictures) if index not in scans]
    words, fits = _read_all(covers, source, levels)
    found = [
        _found(source, path, given or ((said["genre"],) if said.get("genre") and not unlabelled else ()), said)
        for path, said in zip(covers, words, strict=True)
    ]
    listing = Listing(found, ignored=ignored, notes=notes)
    listing = replace(listing, scans=[_scan(pictures[at], pictures[kept], source) for at, kept in scans.items()])
    if layout is not None and not all(fits):
        first = relative(next(path for path, fit in zip(covers, fits, strict=True) if not fit), source)
        listing.notes.append(
            f"{fits.count(False):,} of {len(covers):,} covers do not fit the layout '{layout}' (the first is {first}): "
            "what it names stays empty there."
        )
    listing = _with_sides(source, listing) if "split" in guess.lower() else listing
    if unlabelled:
        return listing
    guessed = layout is None and not given
    listing = _with_genres(source, listing, guessed=guessed, expected="genre" in guess.lower(), commands=commands)
    return replace(listing, empty=[] if given else _empty(source, pictures, levels))


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


def _read_folders(path: Path, levels: Sequence[re.Pattern[str]]) -> tuple[dict[str, str], bool]:
    """Return what the folders of a cover mean, and whether they fit."""
    of_file = is_of_file(levels)
    parts = path.parts if of_file else path.parts[:-1]
    words: dict[str, str] = {}
    fits = len(parts) == len(levels) if of_file else len(parts) >= len(levels)
    for part, level in zip(parts, levels, strict=False):
        match = level.fullmatch(part)
        if match:
            words |= match.groupdict()
        fits = fits and match is not None
    if "split" in words:
        words["split"] = side_of(words["split"])
    return words, fits


def _read_all(
    covers: Sequence[Path], source: Path, levels: Sequence[re.Pattern[str]]
) -> tuple[list[dict[str, str]], list[bool]]:
    read = [_read_folders(path.relative_to(source), levels) for path in covers]
    return [words for words, _ in read], [fits for _, fits in read]


def _found(source: Path, path: Path, genres: tuple[str, ...], words: Mapping[str, str]) -> Found:
    release = release_of(path.name)
    return Found(
        relative(path, source),
        path,
        genres,
        artist=words.get("artist", "").strip(),
        album=words.get("album", "").strip(),
        year=words.get("year", ""),
        split=words.get("split", ""),
        extra={"release": release} if release else {},
    )


def _music(count: int) -> list[str]:
    """Return a note on music files that lie among the covers, if any do."""
    if not count:
        return []
    some = "1 music file lies" if count == 1 else f"{count:,} music files lie"
    return [f"{some} here: genres and covers in the tags of music are not read."]


def _artists(source: Path, folders: Sequence[tuple[str, ...]], commands: Commands, music: int) -> SourceError:
    """Return the error of a tree of artists and albums, with no genre in it."""
    names = sorted({each[0] for each in folders if each})
    some = ", ".join(f"'{name}'" for name in names[:3]) + (", …" if len(names) > 3 else "")
    layout = "artist/album" if any(len(each) > 1 for each in folders) else "artist"
    cure = (
        f"If they are, `{commands.collect} --layout {layout} --unlabelled` collects them without a genre, and "
        "`--genre rock` in place of `--unlabelled` gives all that one; if they are genres, "
        f"`{commands.this} --layout genre`"
    )
    found = f"its {len(names):,} folders look like artists, not like genres ({some})"
    found += f", beside {music:,} music {'file' if music == 1 else 'files'}" if music else ""
    return SourceError(str(source), found, "a folder of covers per genre", cure)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _scan(path: Path, kept: Path, source: Path) -> Problem:
    name, cover = relative(path, source), relative(kept, source)
    cure = "Rename it if it is a cover of its own"
    return Problem(name, f"{name}: by its name no front cover, and {cover} lies beside it. {cure}.")


def _with_sides(source: Path, listing: Listing) -> Listing:
    """Leave covers out that are on no side of the given split; with one side only, there is none.

    Raises
    ------
    SourceError
        Where no folder is named like a side.
    """
    sides = {cover.split for cover in listing.found} - {""}
    if not sides:
        expected = "Folders called train, valid and test, or alike"
        raise SourceError(
            str(source), "no folder that is a side of a split", expected, "Leave `split` out of the layout"
        )
    inside = [cover for cover in listing.found if cover.split]
    cure = "Move it into one"
    problems = [
        Problem(cover.source, f"{cover.source}: in no folder of the split. {cure}.")
        for cover in listing.found
        if not cover.split
    ]
    return replace(listing, found=inside, problems=[*listing.problems, *problems])


def _one_side(listing: Listing) -> Listing:
    """Take the split away if only one of its sides is left."""
    sides = {cover.split for cover in listing.found}
    if len(sides) != 1 or sides == {""}:
        return listing
    note = f"All covers that can be used are {sides.pop()}: there is no split to keep."
    found = [replace(cover, split="") for cover in listing.found]
    return replace(listing, found=found, notes=[*listing.notes, note])


def _empty(source: Path, pictures: Sequence[Path], levels: Sequence[re.Pattern[str]]) -> list[str]:
    """Return the genres' folders in which no picture lies."""
    level = next((number for number, each in enumerate(levels) if "genre" in each.groupindex), None)
    if level is None or (level == len(levels) - 1 and is_of_file(levels)):
        return []
    folders = [source]
    for _ in range(level + 1):
        folders = [Path(entry.path) for folder in folders for entry in _entries(folder) if _is_shown_folder(entry)]
    full = {parent for path in pictures for parent in path.parents}
    names = [levels[level].fullmatch(folder.name) for folder in folders if folder not in full]
    return sorted({match["genre"] for match in names if match})


def _is_shown_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir() and not entry.name.startswith(".") and entry.name.lower() not in NOT_COVERS


def _with_genres(source: Path, listing: Listing, *, guessed: bool, expected: bool, commands: Commands) -> Listing:
    """Leave covers without a genre out, or say that no genre can be told at all.

    `guessed` is whether the layout was not named, `expected` whether folders should have told a genre.
    """
    without = [cover for cover in listing.found if not cover.genres]
    covers = [cover for cover in listing.found if cover.genres]
    genres = {cover.genres for cover in covers}
    tables = sorted(entry.name for entry in _entries(source) if Path(entry.name).suffix.lower() in TABLE_ENDINGS)
    tables.sort(key=lambda name: not name.lower().startswith("metadata."))  # that of a dataset before its other files
    found = ""
    if expected and not genres:
        found = f"{len(without):,} covers, but no folder that could be their genre"
    elif guessed and tables and len(genres) == 1 and not without:
        found = f"one folder of covers, '{covers[0].genres[0]}', beside a table, '{tables[0]}'"
    if found:
        cure = f'Give all covers one with `{commands.collect} --genre "progressive rock"`, or none with '
        cure += f"`{commands.collect} --unlabelled`"
        if tables:
            table = shlex.quote(str(source / tables[0]))
            from_table = commands.this.replace(shlex.quote(str(source)), table, 1)
            cure = f"Collect from the table, `{from_table}`, or g{cure[1:]}"
        raise SourceError(str(source), found, "a folder of covers per genre", cure)
    if not genres:
        note = f'No genre is known for any of the {len(without):,} covers; `--genre "…"` gives them one.'
        return replace(listing, notes=[*listing.notes, note])
    problems = [Problem(cover.source, f"{cover.source}: in no genre's folder. Move it into one.") for cover in without]
    notes = [*listing.notes, *(_one_level_off(covers, commands) if guessed else [])]
    return _one_side(replace(listing, found=covers, problems=[*listing.problems, *problems], notes=notes))


def _one_level_off(found: Sequence[Found], commands: Commands) -> list[str]:
    """Return a note on a wrapping folder that was taken for the only genre."""
    first = found[0].genres[0]
    parts = [cover.source.split("/") for cover in found]
    one = all(len(each) > 2 and each[0] == first for each in parts)
    if one and len({each[1] for each in parts}) > 1:
        cure = f"If its folders are the genres: `{commands.this} --layout '*/genre'`"
        return [f"All {len(found):,} covers are of one genre, '{first}'. {cure}."]
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
