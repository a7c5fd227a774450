"""Lettering: where on a cover something is written, and the cover without it.

Lettering is found by RapidOCR (the optional extra `text`; Apache-2.0), whose package brings the network that finds it
along, so that nothing is fetched. Only the finding is used: what is written there is not read.

A *box* is (left, top, right, bottom) in shares of a cover's sides, (0, 0, 1, 1) for all of it; boxes are (m, 4).
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.images import Pixels
from sleevenotes.errors import SleevenotesError

PACKAGE = "rapidocr"
INSTALL = 'pip install "sleevenotes[text]"'
SHORTER_PX = (
    480  # smaller covers are enlarged to it: at 736, the package's own, it takes twice as long for the same boxes
)
RIM_PX = 3

Boxes = NDArray[np.float64]


def available() -> bool:
    """Return whether the optional extra that finds lettering is installed."""
    return find_spec(PACKAGE) is not None


def boxes(pixels: Pixels) -> Boxes:
    """Return the boxes of the lettering on a cover, (m, 4); slanted lettering has the box around it.

    Raises
    ------
    SleevenotesError
        Where the optional extra is not installed.
    """
    if not available():
        raise SleevenotesError("lettering", "no text detector is installed", cure=f"Install one: `{INSTALL}`")
    found = _detector()(np.ascontiguousarray(pixels[..., ::-1])).boxes  # (m, 4 corners, 2), x and y; blue comes first
    if found is None or not len(found):
        return np.zeros((0, 4))
    corners = np.asarray(found, dtype=np.float64) / [pixels.shape[1], pixels.shape[0]]
    around = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)  # (m, 4)
    clipped: Boxes = np.clip(around, 0.0, 1.0)
    return clipped


@cache
def _detector() -> Any:
    from rapidocr import RapidOCR

    settings = {
        "Global.log_level": "error",
        "Global.use_cls": False,
        "Global.use_rec": False,
        "Det.limit_type": "min",
        "Det.limit_side_len": SHORTER_PX,
    }
    return RapidOCR(params=settings)


def masked(pixels: Pixels, boxes: Boxes) -> Pixels:
    """Return a cover with its boxes filled, each with the mean colour of its rim.

    The rim is the 3 px around a box that are in no box; where there are none, the cover's mean colour is taken.

    Examples
    --------
    >>> cover = np.full((20, 20, 3), 90, np.uint8)
    >>> cover[8:12, 5:15] = 255
    >>> int(masked(cover, np.array([[0.25, 0.4, 0.75, 0.6]])).max())
    90
    """
    filled = pixels.copy()
    inside = covered(pixels.shape[:2], boxes)
    for top, bottom, left, right in _places(pixels.shape[:2], boxes):
        around = slice(max(0, top - RIM_PX), bottom + RIM_PX), slice(max(0, left - RIM_PX), right + RIM_PX)
        rim = pixels[around][~inside[around]]  # (r, 3)
        color = (rim if len(rim) else pixels.reshape(-1, 3)).mean(axis=0)
        filled[top:bottom, left:right] = np.round(color).astype(np.uint8)
    return filled


def covered(size: tuple[int, int], boxes: Boxes) -> NDArray[np.bool_]:
    """Return which pixels of a cover, (H, W), lie in a box."""
    inside = np.zeros(size, dtype=bool)
    for top, bottom, left, right in _places(size, boxes):
        inside[top:bottom, left:right] = True
    return inside


def elsewhere(size: tuple[int, int], boxes: Boxes, *, seed: int) -> Boxes:
    """Return as many boxes of the same sizes at random other places of a cover, (H, W).

    Each comes to lie where it overlaps the given boxes and those already placed least, at random among such places; so
    it overlaps none of them wherever there is room.
    """
    rng = np.random.default_rng(seed)
    taken = covered(size, boxes)
    placed = []
    for top, bottom, left, right in _places(size, boxes):
        height, width = bottom - top, right - left
        overlap = _sums(taken, height, width)  # (H - height + 1, W - width + 1)
        rows, columns = np.nonzero(overlap == overlap.min())
        chosen = rng.integers(len(rows))
        row, column = int(rows[chosen]), int(columns[chosen])
        taken[row : row + height, column : column + width] = True
        placed.append((column / size[1], row / size[0], (column + width) / size[1], (row + height) / size[0]))
    return np.array(placed, dtype=np.float64).reshape(-1, 4)


def _places(size: tuple[int, int], boxes: Boxes) -> list[tuple[int, int, int, int]]:
    """Return the top, bottom, left and right of boxes in px, each at least one px wide and high."""
    height, width = size
    found = []
    for left, top, right, bottom in np.asarray(boxes, dtype=np.float64).reshape(-1, 4):
        row, column = min(int(top * height + 1e-6), height - 1), min(int(left * width + 1e-6), width - 1)
        end_row = min(height, max(row + 1, int(np.ceil(bottom * height - 1e-6))))
        end_column = min(width, max(column + 1, int(np.ceil(right * width - 1e-6))))
        found.append((row, end_row, column, end_column))
    return found


def _sums(taken: NDArray[np.bool_], height: int, width: int) -> NDArray[np.int64]:
    """Return how many pixels are taken in each window of a height and width: a summed-area table."""
    table = np.pad(taken.astype(np.int64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    sums: NDArray[np.int64] = (
        table[height:, width:] - table[:-height, width:] - table[height:, :-width] + table[:-height, :-width]
    )
    return sums
