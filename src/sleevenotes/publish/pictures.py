"""Covers as a page carries them: small JPEGs in data URIs, so that the page asks nobody for anything.

With `Pictures(covers=False)` no pixel of anybody's artwork is ever read, and every answer is None.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sleevenotes.covers.images import Pixels, decode, encode, resize
from sleevenotes.errors import CoverError
from sleevenotes.publish.results import Results

QUALITY = 78
SLEEVE_ACROSS = 4
SLEEVE_TILE_PX = 150
WALL_COVERS = 96  # some 500 KB
WALL_A_GENRE = 8
WALL_GENRES = 24


class Pictures:
    """A door through which covers get into a page, or do not.

    Parameters
    ----------
    covers
        Whether they may.

    Attributes
    ----------
    unreadable
        How many could not be read.
    """

    def __init__(self, *, covers: bool) -> None:
        self.covers = covers
        self.unreadable = 0

    def tile(self, path: Path | bytes | None, side_px: int) -> str | None:
        """Return a cover as a data URI, its longer side at most `side_px`; None where it can't or may not be shown."""
        pixels = self._read(path)
        if pixels is None:
            return None
        height, width = pixels.shape[:2]
        scale = min(1.0, side_px / max(height, width))
        return _uri(resize(pixels, (max(1, round(height * scale)), max(1, round(width * scale)))))

    def sleeve(self, paths: Sequence[Path]) -> str | None:
        """Return sixteen covers as the front of one sleeve; None where fewer can be shown."""
        tiles: list[Pixels] = []
        for path in paths:
            pixels = self._read(path)
            if pixels is not None:
                tiles.append(resize(_square(pixels), SLEEVE_TILE_PX))
            if len(tiles) == SLEEVE_ACROSS**2:
                rows = [np.hstack(tiles[at : at + SLEEVE_ACROSS]) for at in range(0, len(tiles), SLEEVE_ACROSS)]
                return _uri(np.vstack(rows))
        return None

    def _read(self, path: Path | bytes | None) -> Pixels | None:
        if not self.covers or path is None:
            return None
        try:
            return decode(path)
        except CoverError:
            self.unreadable += 1  # the page says how many
            return None


def sleeve_covers(results: Results) -> list[int]:
    """Return covers for the front, genres taking turns, more than are needed in case some can't be read."""
    rows = [shown for _, shown in wall(results)]
    longest = max((len(row) for row in rows), default=0)
    return [row[turn] for turn in range(longest) for row in rows if turn < len(row)]


def wall(results: Results) -> list[tuple[str, list[int]]]:
    """Choose a few covers a genre: evenly from the genre's covers, one a group, at most 96 in all.

    Returns
    -------
    Genres with rows of the dataset; the commonest genres only, where there are more than 24.
    """
    found: dict[str, list[int]] = {genre: [] for genre in results.genres}
    groups = results.dataset.column("group")
    seen: dict[str, set[str]] = {genre: set() for genre in results.genres}
    for row, genres in enumerate(results.truths()):
        for genre in genres[:1]:
            if groups[row] and groups[row] in seen[genre]:
                continue
            seen[genre].add(groups[row])
            found[genre].append(row)
    commonest = sorted((genre for genre in found if found[genre]), key=lambda genre: (-len(found[genre]), genre))
    shown = set(commonest[:WALL_GENRES])
    each = max(2, min(WALL_A_GENRE * 2 if len(shown) <= 2 else WALL_A_GENRE, WALL_COVERS // max(1, len(shown))))
    return [(genre, _evenly(found[genre], each)) for genre in results.genres if genre in shown]


def _evenly(rows: Sequence[int], count: int) -> list[int]:
    if len(rows) <= count:
        return list(rows)
    return [rows[int(at)] for at in np.linspace(0, len(rows) - 1, count)]


def _square(pixels: Pixels) -> Pixels:
    """Return the middle of a cover, so that nothing is squeezed."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def _uri(pixels: Pixels) -> str:
    data = encode(np.ascontiguousarray(pixels), "jpeg", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
