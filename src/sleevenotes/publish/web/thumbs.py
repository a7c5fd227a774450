"""Covers of the dataset as a browser shows them: JPEGs without any metadata, small or large.

They are kept in memory. What is kept has a budget in bytes; what was not asked for the longest goes first.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Literal, NamedTuple

from sleevenotes.covers.images import Pixels, decode, encode, resize
from sleevenotes.errors import NotACover

Size = Literal["thumb", "full"]
SIZES_PX: dict[Size, int] = {"thumb": 256, "full": 1200}  # of the longer side; nothing is enlarged
QUALITY: dict[Size, int] = {"thumb": 82, "full": 90}
BUDGET_BYTES = 64_000_000  # some 4,000 small ones


class Picture(NamedTuple):
    """A JPEG, and a tag that changes with the cover's file."""

    data: bytes
    tag: str


class Thumbs:
    """Pictures of covers, made as they are asked for.

    Parameters
    ----------
    budget_bytes
        Of all that is kept.

    Attributes
    ----------
    kept_bytes
        Of what is kept now.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self.budget_bytes, self.kept_bytes = budget_bytes, 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def tag(self, path: Path, name: str, size: Size) -> str:
        """Return what changes when the file does, without reading it.

        Raises
        ------
        NotACover
            Where the file is not there.
        """
        try:
            state = path.stat()
        except OSError as cause:
            raise NotACover(name, f"can't be read ({cause.strerror})", cure="Collect the dataset again") from cause
        told = f"{name}\x1f{size}\x1f{state.st_mtime_ns}\x1f{state.st_size}"
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def picture(self, path: Path, name: str, size: Size) -> Picture:
        """Return a cover as a JPEG, from memory where it was asked for a while ago.

        Parameters
        ----------
        path
            Its file.
        name
            What to call it.
        size
            `thumb` or `full`.

        Raises
        ------
        CoverError
            Where the file is not there, or no cover.
        """
        tag = self.tag(path, name, size)
        with self._lock:
            known = self._kept.get(tag)
            if known is not None:
                self._kept.move_to_end(tag)
                return Picture(known, tag)
        pixels = decode(path, where=name)
        data = encode(fitted(pixels, SIZES_PX[size]), "jpeg", quality=QUALITY[size])
        self._keep(tag, data)
        return Picture(data, tag)

    def _keep(self, tag: str, data: bytes) -> None:
        with self._lock:
            if tag in self._kept or len(data) > self.budget_bytes:
                return
            self._kept[tag] = data
            self.kept_bytes += len(data)
            while self.kept_bytes > self.budget_bytes:
                self.kept_bytes -= len(self._kept.popitem(last=False)[1])


def fitted(pixels: Pixels, longest_px: int) -> Pixels:
    """Return a cover whose longer side is so long at most, in its own proportions."""
    height, width = pixels.shape[:2]
    scale = min(1.0, longest_px / max(height, width))
    return resize(pixels, (max(1, round(height * scale)), max(1, round(width * scale))))
