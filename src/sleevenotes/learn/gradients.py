"""Histograms of oriented gradients: where on a cover which edges run, without its colours.

After N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005, section 6: differences
by [-1, 0, 1] without smoothing, of each pixel the channel of the largest gradient, unsigned orientations, votes by
magnitude, 2 × 2 cells a block, L2-hys. Votes are shared between the two nearest orientations, not between cells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HOG_PX = 64
CLIPPED = 0.2  # no entry of a block above this, before it is normalised again
SMALL = 1e-3  # against division by 0; gradients are in 0 to 255
BLOCK = 256  # covers at a time


def hog(covers: NDArray[np.uint8], *, cell_px: int = 8, bins: int = 9) -> NDArray[np.float32]:
    """Return histograms of oriented gradients.

    Parameters
    ----------
    covers
        (n, S, S, 3), S a multiple of `cell_px` and at least two cells.
    cell_px
        Side of a cell.
    bins
        Orientations over 180°; the first is centred on 0°, a gradient along the row.

    Returns
    -------
    (n, D) float32, D = (S / cell_px - 1)² · 4 · bins: blocks row by row, in each its four cells row by row; 0 to 1.

    Raises
    ------
    ValueError
        Where S doesn't fit.

    Examples
    --------
    >>> hog(np.zeros((2, 64, 64, 3), dtype=np.uint8)).shape
    (2, 1764)
    """
    n, size, width, _ = covers.shape
    if size != width or size % cell_px or size < 2 * cell_px:
        raise ValueError(f"covers: {size} × {width} px. Expected a square of two or more cells of {cell_px} px.")
    parts = [_blocks(_cells(covers[start : start + BLOCK], cell_px, bins)) for start in range(0, n, BLOCK)]
    return np.concatenate([*parts, np.zeros((0, (size // cell_px - 1) ** 2 * 4 * bins), np.float32)])


def _cells(covers: NDArray[np.uint8], cell_px: int, bins: int) -> NDArray[np.float32]:
    """Return the votes for each orientation in each cell, (n, S / cell_px, S / cell_px, bins)."""
    n, size, _, _ = covers.shape
    padded = np.pad(covers, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge").astype(np.float32)
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    squares = across**2 + down**2
    channel = squares.argmax(axis=3)[..., None]
    across, down, squares = (np.take_along_axis(of, channel, 3)[..., 0] for of in (across, down, squares))
    length = np.sqrt(squares)  # (n, S, S)
    turn = np.arctan2(down, across) * np.float32(bins / np.pi) % bins  # unsigned: half a turn is none
    lower = np.floor(turn).astype(np.int64)
    part = turn - lower
    row, column = np.indices((size, size)) // cell_px
    cells = size // cell_px
    cell = (np.arange(n)[:, None, None] * cells + row) * cells + column
    votes = np.zeros(n * cells * cells * bins)
    for orientation, share in ((lower, 1 - part), (lower + 1, part)):
        place = (cell * bins + orientation % bins).ravel()
        votes += np.bincount(place, (share * length).ravel(), len(votes))
    return votes.reshape(n, cells, cells, bins).astype(np.float32)


def _blocks(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return blocks of 2 × 2 cells, overlapping by one cell and each normalised (L2-hys), (n, D)."""
    corners = [cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]]
    blocks = np.concatenate(corners, axis=3)
    for clip in (CLIPPED, 1.0):
        blocks = blocks / np.sqrt(np.square(blocks).sum(axis=3, keepdims=True) + np.float32(SMALL**2))
        blocks = np.minimum(blocks, np.float32(clip))
    return blocks.reshape(len(cells), -1)
