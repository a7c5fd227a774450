"""Likeness: how alike a cover is to each of those that were learnt from, as features in their own right.

A linear head on a network's features asks how much of each of them a cover has. A linear head on likenesses asks which
covers it is like, and may so draw borders of any shape: it is a kernel machine (Schölkopf and Smola 2002, "Learning
with kernels"), here with the Gaussian kernel and least squares.

Several networks count alike: the features of each are standardised and brought to one length, so that covers are 2
apart in the mean, squared. Likeness is exp(-width · squared distance). To keep fewer numbers of each cover, they are
turned to their principal components, of which the largest are kept; what a cover has besides counts by its length
alone, as if it were at right angles to that of every other. That length has to count: components hold more of the
covers they come from than of others, which without it would seem more like everything.

Means, deviations and components come from all covers, as no genre goes into them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.files import replacing
from sleevenotes.errors import ModelError
from sleevenotes.learn.tensors import TRAIN_AGAIN, read_tensors, refuse_infinite

Features = NDArray[np.float32]

WIDTHS = (1.0, 2.0)
COMPONENTS = 1024
ARRAYS = ("mean", "scale", "directions", "landmarks", "squares")
MOST_COVERS = 6000  # of more, the matrix of all likenesses would be too large to be solved


@dataclass(frozen=True)
class Likeness:
    """Covers to be compared with, as points, and how other covers become points.

    Parameters
    ----------
    mean, scale
        (D,), of the features of all networks one after the other.
    directions
        (D, d), principal components.
    landmarks
        (n, d), the covers.
    squares
        (n,), of how far each of them is from the mean, in all of its features.
    width
        Of the kernel.
    """

    mean: Features
    scale: Features
    directions: Features
    landmarks: Features
    squares: Features
    width: float

    @classmethod
    def of(cls, blocks: Sequence[Features], width: float = 1.0, components: int = COMPONENTS) -> Likeness:
        """Return the likeness to covers whose features, (n, D) of each network, are given."""
        from scipy.linalg import eigh

        features = np.concatenate(blocks, axis=1).astype(np.float64)
        lengths = np.concatenate([np.full(block.shape[1], block.shape[1] * len(blocks)) for block in blocks])
        mean, deviation = features.mean(axis=0), features.std(axis=0)
        # a feature that never changes tells nothing, whatever its scale
        scale = np.where(deviation < 1e-6, 0.0, 1 / (np.maximum(deviation, 1e-6) * np.sqrt(lengths)))  # (D,)
        points = (features - mean) * scale
        n, d = points.shape
        count = min(components, n, d)
        wide = d > n
        values, vectors = eigh(
            points @ points.T if wide else points.T @ points, subset_by_index=[min(n, d) - count, min(n, d) - 1]
        )
        directions = points.T @ vectors / np.sqrt(np.maximum(values, 1e-12)) if wide else vectors
        found = (mean, scale, directions, points @ directions, np.square(points).sum(axis=1))
        return cls(**{name: array.astype(np.float32) for name, array in zip(ARRAYS, found, strict=True)}, width=width)

    def features(self, features: Features) -> Features:
        """Return likenesses, (m, n) in 0..1, of covers whose features are (m, D)."""
        if features.shape[1] != len(self.mean):
            found = f"{features.shape[1]:,} features of a cover, where its landmarks have {len(self.mean):,}"
            raise ModelError("the likeness of a model", found, cure=TRAIN_AGAIN)
        points = (features - self.mean) * self.scale  # (m, D)
        crossed = points @ self.directions @ self.landmarks.T
        apart = self.squares - 2 * crossed + np.square(points).sum(axis=1, keepdims=True)
        return np.asarray(np.exp(-self.width * np.maximum(apart, 0)), dtype=np.float32)

    def save(self, path: Path) -> None:
        """Write all arrays to a file."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in ARRAYS}
        with replacing(path) as partial:
            save_file(arrays | {"width": np.array([self.width], dtype=np.float32)}, partial)

    @classmethod
    def load(cls, path: Path, sha256: str | None = None) -> Likeness:
        """Read them back.

        Parameters
        ----------
        path
            The file.
        sha256
            The SHA-256 that it has to have; any if None.

        Raises
        ------
        ModelError
            If the file is missing, damaged, of an earlier version or another one, or its arrays do not fit together.
        """
        arrays = read_tensors(path, sha256)
        refuse_infinite(path, arrays)
        lacking = [name for name in (*ARRAYS, "width") if name not in arrays]
        if lacking:
            found = f"no {', '.join(lacking)} in it, so that an earlier version wrote it"
            raise ModelError(str(path), found, cure=TRAIN_AGAIN)
        parts = {name: arrays[name] for name in ARRAYS}
        if not _fit_together(**parts) or arrays["width"].shape != (1,):
            raise ModelError(str(path), "its arrays do not fit together", cure=TRAIN_AGAIN)
        return cls(**parts, width=float(arrays["width"][0]))


def _fit_together(
    mean: Features, scale: Features, directions: Features, landmarks: Features, squares: Features
) -> bool:
    if any(array.ndim != dimensions for array, dimensions in ((mean, 1), (directions, 2), (squares, 1))):
        return False
    components = directions.shape[1]
    return scale.shape == mean.shape and len(directions) == len(mean) and landmarks.shape == (len(squares), components)
