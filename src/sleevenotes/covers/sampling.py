"""Covers brought to few pixels as the Bandcamp study did it, beside our own way.

=========== ======================================================================================================
sampling    what becomes of a cover
=========== ======================================================================================================
random      `pick`: some of its rows and columns, drawn once, the same for all covers
cubic       `cubic`: OpenCV's cubic interpolation, which looks at four pixels however many it leaves out
antialiased `sleevenotes.covers.images.resize`: bicubic over all pixels, as every model here sees a cover
=========== ======================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import Pixels
from sleevenotes.covers.pixels import Squeeze, packed_pixels

Sampling = Literal["random", "cubic", "antialiased"]
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)

A = np.float32(-0.75)  # of the cubic kernel, as OpenCV has it
FIXED = 2048  # OpenCV's weights of 8-bit pixels are whole multiples of 1/2048


def pick(pixels: Pixels, size_px: int, *, seed: int) -> Pixels:
    """Return a random choice of a cover's rows and columns, in their order.

    The choice is drawn once from the seed, as fractions of the side, so that all covers of one size give the pixels of
    the same places. No row or column comes twice unless the cover has fewer than `size_px`.

    Parameters
    ----------
    pixels
        Shape (H, W, 3).
    size_px
        How many rows and how many columns.
    seed
        Of the choice.

    Returns
    -------
    Pixels
        Shape (size_px, size_px, 3).

    Examples
    --------
    >>> ramp = np.arange(100, dtype=np.uint8).reshape(10, 10, 1).repeat(3, axis=2)
    >>> pick(ramp, 3, seed=0)[..., 0].tolist()
    [[0, 7, 9], [30, 37, 39], [70, 77, 79]]
    """
    rows, columns = np.random.default_rng(seed).random((2, size_px))
    height, width, _ = pixels.shape
    picked: Pixels = pixels[np.ix_(_places(rows, height), _places(columns, width))]
    return picked


def cubic(pixels: Pixels, size_px: int) -> Pixels:
    """Resize by cubic convolution of four pixels each way, without antialiasing, as OpenCV does.

    Parameters
    ----------
    pixels
        Shape (H, W, 3).
    size_px
        Side of the square that the cover is squeezed or blown up into.

    Returns
    -------
    Pixels
        Shape (size_px, size_px, 3). What `cv2.resize(…, interpolation=cv2.INTER_CUBIC)` gives, but for a few values
        half-way between two levels; where OpenCV hands over to Intel's IPP, which does not round the weights, about
        one value in twenty differs, by 1 level.

    Notes
    -----
    R. G. Keys, Cubic convolution interpolation for digital image processing, IEEE Transactions on Acoustics, Speech,
    and Signal Processing 29 (1981), with a = -0.75; pixels beyond the border are those at the border, and weights are
    rounded to 1/2048, as in OpenCV's `resize`.

    Examples
    --------
    >>> edge = np.zeros((4, 4, 3), np.uint8)
    >>> edge[:, 2:] = 200
    >>> cubic(edge, 8)[0, :, 0].tolist()
    [0, 0, 0, 45, 155, 221, 207, 200]
    """
    height, width, _ = pixels.shape
    if height == width == size_px:
        return pixels.copy()
    rows, down = _taps(height, size_px)  # (S, 4) both
    columns, across = _taps(width, size_px)
    near = pixels[rows.ravel()][:, columns].astype(np.int32)  # (4·S, S, 4, 3)
    lines = np.einsum("rskc,sk->rsc", near, across).reshape(size_px, 4, size_px, 3)
    sums = np.einsum("rksc,rk->rsc", lines, down)
    squeezed: Pixels = np.rint(sums / FIXED**2).clip(0, 255).astype(np.uint8, order="C")
    return squeezed


def sampled_pixels(
    dataset: Dataset, size_px: int, how: Sampling, *, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> Pixels:
    """Return all covers of a dataset in the order of its table, brought to few pixels, from its cache where they are.

    Parameters
    ----------
    dataset
        n covers.
    size_px
        Side of the square, S.
    how
        "random", "cubic" or "antialiased".
    seed
        Of the choice that "random" makes; nothing to the others.
    progress
        Called with (covers done, covers in all) while covers are decoded.

    Returns
    -------
    Pixels
        Shape (n, S, S, 3), memory-mapped, read-only.

    Raises
    ------
    CoverError
        Where a cover can't be decoded.
    DatasetError
        Where the cache can't be written to.
    """
    squeeze = _squeeze(how, seed)
    dataset.report_replaced()
    return packed_pixels(
        dataset.paths, dataset.digests, size_px, folder=dataset.cache, squeeze=squeeze, progress=progress
    )


def _squeeze(how: Sampling, seed: int) -> Squeeze | None:
    if how not in SAMPLINGS:
        raise ValueError(f"unknown sampling {how!r}, known are {', '.join(SAMPLINGS)}")
    if how == "random":
        return Squeeze(f"1: sRGB on white, rows and columns drawn with seed {seed}", partial(pick, seed=seed))
    if how == "cubic":
        return Squeeze("1: sRGB on white, squeezed into a square by cubic interpolation of four pixels", cubic)
    return None


def _places(fractions: NDArray[np.float64], side: int) -> NDArray[np.int64]:
    """Return sorted places, (S,), in a side of so many pixels; all different where it has S or more."""
    spread = np.sort(fractions)
    taken = len(fractions)
    if side < taken:
        return (spread * side).astype(np.int64)
    # each place that is taken moves the later ones on by one, so none is taken twice
    return (spread * (side - taken + 1)).astype(np.int64) + np.arange(taken)


def _taps(side: int, size_px: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return for each of S new pixels the four old ones, (S, 4), and their weights in 1/2048, (S, 4)."""
    centre = ((np.arange(size_px) + 0.5) * (side / size_px) - 0.5).astype(np.float32)
    first = np.floor(centre).astype(np.int64)
    x = centre - first.astype(np.float32)  # OpenCV works these out as 32-bit floats, and in this order
    one = np.float32(1)
    before = ((A * (x + one) - 5 * A) * (x + one) + 8 * A) * (x + one) - 4 * A
    left = ((A + 2) * x - (A + 3)) * x * x + one
    right = ((A + 2) * (one - x) - (A + 3)) * (one - x) * (one - x) + one
    weights = np.stack([before, left, right, one - before - left - right], axis=1)
    places = (first[:, None] + np.arange(-1, 3)).clip(0, side - 1)
    return places, np.rint(weights * FIXED).astype(np.int32)
