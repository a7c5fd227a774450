"""Scans that lie beside a cover: its back, its discs, its booklet, and smaller copies of it.

An album's folder often holds more than the cover. A picture is taken for a scan only if its name says so and its cover
lies beside it, so that an album called *Back* in a genre's folder, or a `back.jpg` that is the only picture of its
album, is never left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FRONT_WORDS = _words("album albumart albumartlarge artwork cover coverart folder front frontcover")
SCAN_WORDS = _words(
    """
    albumartsmall artist back backcover backside banner booklet bottom cd cdart clearart credits digipak disc discart
    disk fanart gatefold inlay inner innersleeve insert inside label landscape leaflet liner logo lyrics matrix medium
    obi page panel poster raw rear runout scan scans side slipcase small spine sticker thumb thumbnail thumbs tray
    traycard verso vinyl
    """
)
FILLERS = _words(
    """
    a album and art b big c card copy cover d folder front hq image large left notes of original outer right sleeve the
    """
)
SUFFIXES = _words("back booklet cd disc disk inlay inside insert matrix obi tray")
SCAN_FOLDERS = _words(
    "artwork artworks booklet booklets cd cds covers disc discs disk extras inlay scan scans thumb thumbnails thumbs"
)
THUMB_FOLDERS = frozenset({"thumb", "thumbs", "thumbnail", "thumbnails"})

MOST_OTHERS = 2  # pictures of other names in an album's folder; with more, it holds covers of several albums
MOST_SCANS = 100  # of one album

_LETTERS = re.compile(r"[^\W\d_]+")
_GUID = re.compile(r"albumart_(\{[0-9a-f-]+\})_(large|small)")
_NAMED_AFTER = (
    re.compile(r"(.+?) ?[(\[]([^()\[\]]+)[)\]]"),  # Title (back), Title [CD 2]
    re.compile(r"(.+?)[-_]([^-_ ]+)"),  # title_back, title-cd1
    re.compile(r"(.+ - .+) - ([^-]+)"),  # Artist - Title - Back
)

Place = tuple[tuple[str, ...], str]
"""The folders of a picture, from the source downwards, and its name without ending."""


def beside_covers(places: Sequence[Place], *, depth: int, size: Callable[[int], int]) -> dict[int, int]:
    """Return which pictures are scans or copies beside a cover, each with the cover that is kept.

    Parameters
    ----------
    places
        Where n pictures lie.
    depth
        The number of folders from which on a folder can be an album's own.
    size
        Gives a picture's size in bytes: of several fronts of one album the largest file is kept.

    Examples
    --------
    >>> names = ["cover", "back", "booklet-01"]
    >>> beside_covers([(("jazz", "Soul Station"), name) for name in names], depth=2, size=lambda index: 1)
    {1: 0, 2: 0}
    >>> beside_covers([(("jazz",), name) for name in names], depth=2, size=lambda index: 1)
    {}
    """
    within: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, (folders, _) in enumerate(places):
        within[folders].append(index)
    stems = [stem.casefold() for _, stem in places]
    left: dict[int, int] = {}
    fronts: dict[tuple[str, ...], int] = {}
    for folders, members in within.items():
        left |= _small_copies(members, stems) | _named_after(members, stems)
        if len(folders) >= depth:
            kept = _front(folders, [index for index in members if index not in left], stems, size)
            if kept is not None:
                fronts[folders] = kept
                left |= dict.fromkeys(_beside(kept, members, stems, folders), kept)
            elif len(alone := [index for index in members if index not in left]) == 1:
                fronts[folders] = alone[0]
    holders = {
        each[:level] for each in within for level, name in enumerate(each) if _letters_of(name) not in SCAN_FOLDERS
    }
    albums = {folders: index for folders, index in fronts.items() if folders not in holders}
    for folders, members in within.items():
        left |= _in_folder_of_scans(folders, members, within, albums, stems)
    return {index: _kept(left, index) for index in sorted(left)}


def _kind(stem: str, folders: Sequence[str]) -> str:
    """Return `front`, `scan`, `number` or an empty string for a name in lower case."""
    guid = _GUID.fullmatch(stem)
    if guid:
        return "front" if guid[2] == "large" else "scan"
    words = _LETTERS.findall(stem)
    if not words:
        return "number"
    if set(words) <= SCAN_WORDS | FRONT_WORDS | FILLERS and set(words) & SCAN_WORDS:
        return "front" if "front" in words and set(words) & SCAN_WORDS <= {"cd"} else "scan"
    if any(sign.isdigit() for sign in stem):
        return ""  # cover1, cover2: covers of several albums
    if set(words) <= FRONT_WORDS | FILLERS and set(words) & FRONT_WORDS:
        return "front"
    return "front" if folders and stem == folders[-1].casefold() else ""


def _front(
    folders: Sequence[str], members: Sequence[int], stems: Sequence[str], size: Callable[[int], int]
) -> int | None:
    """Return the front cover in an album's folder, if it is one and has one."""
    kinds = {index: _kind(stems[index], folders) for index in members}
    fronts = [index for index, kind in kinds.items() if kind == "front"]
    others = sum(not kind for kind in kinds.values())
    scans = sum(kind == "scan" for kind in kinds.values())
    if not fronts or others > MOST_OTHERS or scans > MOST_SCANS:
        return None
    return max(fronts, key=lambda index: (size(index), -index))


def _beside(kept: int, members: Sequence[int], stems: Sequence[str], folders: Sequence[str]) -> list[int]:
    return [index for index in members if index != kept and _kind(stems[index], folders) in ("front", "scan")]


def _small_copies(members: Sequence[int], stems: Sequence[str]) -> dict[int, int]:
    """Return the small one of each pair that Windows Media Player wrote."""
    at = {stems[index]: index for index in members if stems[index].startswith("albumart_{")}
    pairs = {stem: stem.removesuffix("_small") + "_large" for stem in at if stem.endswith("_small")}
    return {at[small]: at[large] for small, large in pairs.items() if large in at}


def _named_after(members: Sequence[int], stems: Sequence[str]) -> dict[int, int]:
    """Return the scans that are named after a cover: `Title (back)` and `Title-cd1` beside `Title` or `Title-front`."""
    titled: dict[str, int] = {}
    scans: dict[int, str] = {}
    for index in members:
        stem = stems[index]
        titled[stem] = index
        for match in filter(None, (pattern.fullmatch(stem) for pattern in _NAMED_AFTER)):
            title, what = match[1].strip(), set(_LETTERS.findall(match[2]))
            if what <= SUFFIXES | FILLERS and what & SUFFIXES:
                scans[index] = title
            elif what and what <= {"front", "cover"}:
                titled.setdefault(title, index)
    return {index: titled[title] for index, title in scans.items() if titled.get(title, index) not in {index, *scans}}


def _in_folder_of_scans(
    folders: tuple[str, ...],
    members: Sequence[int],
    within: Mapping[tuple[str, ...], Sequence[int]],
    albums: Mapping[tuple[str, ...], int],
    stems: Sequence[str],
) -> dict[int, int]:
    """Return the pictures of a folder such as `Scans/` in that of an album, or of thumbnails of what lies beside it.

    `albums` has the cover of each folder that is an album's own: it holds pictures in no folders but those of scans.
    """
    for level in range(len(folders) - 1, 0, -1):
        above = folders[:level]
        name = _letters_of(folders[level])
        if name in THUMB_FOLDERS and level == len(folders) - 1 and len(members) > 1:
            twins = {stems[index]: index for index in within.get(above, ())}
            if all(stems[index] in twins for index in members):
                return {index: twins[stems[index]] for index in members}
        if name in SCAN_FOLDERS and above in albums:
            return dict.fromkeys(members, albums[above])
    return {}


def _letters_of(name: str) -> str:
    return "".join(_LETTERS.findall(name.casefold()))


def _kept(left: Mapping[int, int], index: int) -> int:
    """Follow a picture to the cover that is kept in its place."""
    while index in left:
        index = left[index]
    return index
