"""Layouts: what the folders of a source mean, as the user says or as their names show.

A layout is a pattern for each level of folders, such as `genre/artist/album`. `recognised` finds the layout of a tree
whose folders are not just genres: the sides of a split (`train/jazz`, `jazz/test`), perhaps inside one wrapping folder,
and names such as `artist - album`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sleevenotes.covers.genre_tree import DEFAULT, GenreTree
from sleevenotes.covers.genres import OTHER_NAMES, WRITTEN_SO, spelling_key, tidy
from sleevenotes.covers.groups import artists_of
from sleevenotes.errors import SourceError, did_you_mean

WORDS = ("genre", "artist", "album", "year", "split")
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("valid", "validation", "validate", "val", "dev", "devel", "development"), "valid"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "holdout"), "test"),
}
"""Names of the sides of a split, in lower case, and what they are called here."""

MOST = 0.9  # share of covers whose names have to fit a layout that nobody named
FEWEST_NAMES = 5  # covers, before names such as `artist - album` are taken for more than chance
FEWEST_OF_A_GENRE = 10  # covers: folders that hold fewer albums on average are likelier artists

_FILLERS = frozenset({"set", "data", "split", "fold", "images", "covers", "folder"})
_GLUED = re.compile(r"(set|data|split|images|covers)$")
_LETTERS = re.compile(r"[^\W\d_]+")
_NAMES = ("artist - album (year)", "artist - year - album", "artist - album", "artist_-_album")

Folders = Sequence[tuple[str, ...]]
"""The folders of each cover, from the source downwards, without the file's name."""


@dataclass(frozen=True)
class Recognised:
    """A layout that nobody named.

    Parameters
    ----------
    layout
        As `--layout` takes it.
    note
        What was recognised, and how to have it read otherwise.
    """

    layout: str
    note: str


def side_of(name: str) -> str:
    """Return the side of a split that a folder or a cell names: `train`, `valid`, `test`, or an empty string.

    Examples
    --------
    >>> side_of("Training"), side_of("val"), side_of("test_set"), side_of("trainset"), side_of("Soul Train")
    ('train', 'valid', 'test', 'train', '')
    """
    words = [word for word in _LETTERS.findall(unicodedata.normalize("NFC", name).casefold()) if word not in _FILLERS]
    if len(words) != 1:
        return ""
    return SPLIT_WORDS.get(words[0]) or SPLIT_WORDS.get(_GLUED.sub("", words[0]), "")


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
        words = _LETTERS.findall(text)
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


def is_of_file(levels: Sequence[re.Pattern[str]]) -> bool:
    """Return whether the last level of a layout is the file's name."""
    return levels[-1].pattern.endswith(r"\.[^.]*")


def album_depth(levels: Sequence[re.Pattern[str]], *, genre_given: bool) -> int:
    """Return the number of folders from which on a folder can be an album's own.

    Below that, and in a folder whose files are named by the layout, each picture is a cover of its own.
    """
    if is_of_file(levels):
        return len(levels) + 1
    if "album" in levels[-1].groupindex:
        return len(levels)
    return 1 if genre_given and "genre" in levels[-1].groupindex else len(levels) + 1


def recognised(folders: Folders, stems: Sequence[str], *, genre_given: bool) -> Recognised | None:
    """Return the layout of a tree whose folders are more than genres, or None.

    Parameters
    ----------
    folders
        The folders of n covers.
    stems
        The n file names, without endings.
    genre_given
        Whether the user gave one genre for all covers, or none at all: then no folder has to be one.
    """
    split = _split_layout(folders, genre_given=genre_given)
    named = None if genre_given else _named(folders, stems, split.layout if split else "genre")
    if named is None:
        return split
    if split is None:
        return named
    return Recognised(named.layout, f"{split.note} {named.note}")


def resembles_artists(folders: Folders, stems: Sequence[str], *, music: bool) -> bool:
    """Return whether the first folders look like artists: none is a known genre, each holds a few albums' folders.

    Parameters
    ----------
    music
        Whether music files lie in the tree.
    """
    first = sorted({each[0] for each in folders if each})
    if len(first) < 2 or 5 * sum(spelling_key(tidy(name)) in known_genres() for name in first) >= len(first):
        return False
    albums = {each[:2] for each in folders if len(each) >= 2}
    depths = Counter(len(each) for each in folders)
    if (
        depths[2] < len(folders) / 2
        or depths[2] + depths[3] < MOST * len(folders)
        or len(albums) >= FEWEST_OF_A_GENRE * len(first)
    ):
        return False
    nobody = any(not artists_of(name) for name in first)
    return music or nobody or sum(stem.casefold() in _GENERIC for stem in stems) >= MOST * len(stems)


def deeper(folders: Folders, layout: str) -> str | None:
    """Return a layout of artists and albums for a tree that has two levels of folders below its genres, or None."""
    depth = layout.count("/") + 3
    fits = sum(len(each) == depth for each in folders) >= MOST * len(folders)
    return f"{layout}/artist/album" if fits and layout.endswith("genre") else None


_GENERIC = frozenset({"cover", "folder", "front", "albumart", "artwork", "album"})


@lru_cache(maxsize=1)
def known_genres() -> frozenset[str]:
    """Return the spelling keys of all genres that sleevenotes knows by name."""
    names = (*WRITTEN_SO.split(","), *OTHER_NAMES, *GenreTree.read(DEFAULT).own)
    return frozenset(spelling_key(tidy(name)) for name in names)


def _split_layout(folders: Folders, *, genre_given: bool) -> Recognised | None:
    """Return the layout of a tree with folders for the sides of a split, if it is one."""
    tops = Counter(each[0] if each else "" for each in folders)
    inner = [each[1:] for each in folders]
    ways = [("", 0, folders), *([("*/", 0, inner)] if len(tops) == 1 else []), ("", 1, folders), ("*/", 1, inner)]
    for prefix, level, below in ways:
        deep = [each for each in below if len(each) > level]
        sides = {side for each in deep if (side := side_of(each[level]))}
        share = sum(bool(side_of(each[level])) for each in deep) / len(folders)
        wrapped = prefix and (len(tops) > 1 or (level == 0 and max(map(len, deep), default=0) < 2))
        if len(sides) > 1 and share >= (0.5, MOST)[level] and not wrapped:
            layout = "split" if level == 0 and genre_given else ("split/genre", "genre/split")[level]
            return Recognised(prefix + layout, _split_note(below, level, prefix))
    only = next(iter(tops))
    if len(tops) == 1 and side_of(only) and all(len(each) > 1 for each in folders) and not genre_given:
        return Recognised(
            "*/genre", f"All covers lie in '{only}', one side of a split: the folders in it are the genres."
        )
    return None


def _split_note(inner: Folders, level: int, prefix: str) -> str:
    names = sorted({each[level] for each in inner if len(each) > level and side_of(each[level])})
    listed = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
    word = ("genre", "genre/album")[level]
    return (
        f"The split is that of the folders {listed}; `--layout {prefix}{word}` reads these as {word.split('/')[-1]}s."
    )


def _named(folders: Folders, stems: Sequence[str], base: str) -> Recognised | None:
    """Return the layout of a tree whose folders or files are named `artist - album`, if nearly all are."""
    depth = base.count("/") + 1
    of_file = [stem if len(each) == depth else "" for each, stem in zip(folders, stems, strict=True)]
    of_folder = [each[depth] if len(each) > depth else "" for each in folders]
    for names, ending, what in ((of_file, ".*", "file names"), (of_folder, "", "folders' names")):
        for pattern in _NAMES:
            level = parse_layout(pattern)[0]
            found = [match for match in map(level.fullmatch, names) if match]
            if len(found) < max(FEWEST_NAMES, MOST * len(names)) or not _artist_first(found):
                continue
            layout = f"{base}/{pattern}{ending}"
            first = found[0]
            note = f"Artist and album were read from the {what} ('{first['artist']}', '{first['album']}'); "
            return Recognised(layout, f"{note}`--layout {base}` leaves them out.")
    return None


def _artist_first(found: Sequence[re.Match[str]]) -> bool:
    """Return whether the first part is the artist, as far as can be seen: it is a name, and repeats as often."""
    artists = [match["artist"].casefold() for match in found]
    albums = {match["album"].casefold() for match in found}
    numbers = sum(not _LETTERS.search(artist) for artist in artists)
    return 2 * numbers < len(artists) and len(set(artists)) <= len(albums)


def _level_pattern(text: str) -> str:
    if text == "*":
        return ".*"
    parts = []
    for part in re.split(r"([^\W\d_]+)", text):
        word = part.lower()
        value = "[0-9]{4}" if word == "year" else ".+?"
        parts.append(f"(?P<{word}>{value})" if word in WORDS else re.escape(part))
    return "".join(parts)
