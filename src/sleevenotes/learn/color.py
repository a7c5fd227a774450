"""What a cover's colours say, without any shape: the features of the `color` model.

A histogram of 8 × 8 × 8 bins over red, green and blue (Swain and Ballard 1991, "Color indexing"), of which the square
root is taken, so that the Euclidean distance of two of them is the Hellinger distance of the two histograms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLOR_PX = 64
BINS = 8  # a channel


def histogram(covers: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the share of each cover's pixels in each of 512 bins of colour.

    Parameters
    ----------
    covers
        (n, H, W, 3), red, green, blue.

    Returns
    -------
    (n, 512), each row sums to 1; red is the slowest of the three indices.

    Examples
    --------
    >>> black = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    >>> histogram(black)[0, 0]
    np.float64(1.0)
    """
    n = len(covers)
    bins = (covers // (256 // BINS)).reshape(n, -1, 3).astype(np.int64)  # (n, H·W, 3)
    flat = (bins[..., 0] * BINS + bins[..., 1]) * BINS + bins[..., 2]  # (n, H·W)
    flat += np.arange(n)[:, None] * BINS**3
    counts = np.bincount(flat.ravel(), minlength=n * BINS**3).reshape(n, BINS**3)
    return counts / bins.shape[1]


def features(covers: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the square roots of the histograms, (n, 512)."""
    return np.sqrt(histogram(covers)).astype(np.float32)
