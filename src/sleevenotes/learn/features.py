"""Features of a dataset's covers, computed once and kept.

They are kept in the dataset's cache, a row a cover, by the SHA-256 of the cover's file as it is now. Another split, a
fold or a part of the dataset uses what is there, and a cover that was replaced is computed again.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import replacing
from sleevenotes.covers.pixels import iter_covers

BATCH = 16
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)

Progress = Callable[[int, int], None]


class Extractor(Protocol):
    """What turns pixels into features."""

    size_px: int

    @property
    def key(self) -> str:
        """Name of the extractor and of all that its numbers depend on."""

    def features(self, covers: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return features, (n, D), of covers, (n, S, S, 3)."""


def dataset_features(
    dataset: Dataset, extractor: Extractor, *, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Return the features, (n, D), of a dataset's covers, in the order of its table.

    Raises
    ------
    CoverError
        If a cover can't be decoded.

    Warns
    -----
    SleevenotesWarning
        If covers were replaced since they were collected or last read, with their number.
    """
    digests = dataset.digests
    dataset.report_replaced()
    path = dataset.cache / f"features-{extractor.key}.npz"
    known = _read(path)
    missing = [index for index, digest in enumerate(digests) if digest not in known]
    if missing:
        paths = [dataset.path(index) for index in missing]
        for index, row in zip(missing, _extract(paths, extractor, progress), strict=True):
            known[digests[index]] = row
        _write(path, known)
    if not digests:
        return np.zeros((0, 0), dtype=np.float32)
    return np.stack([known[digest] for digest in digests])


def missing_features(dataset: Dataset, extractor: Extractor) -> int:
    """Return of how many of a dataset's covers `dataset_features` would have to compute the features."""
    known = _read(dataset.cache / f"features-{extractor.key}.npz")
    return sum(digest not in known for digest in dataset.digests)


def _extract(paths: list[Path], extractor: Extractor, progress: Progress | None) -> Iterator[NDArray[np.float32]]:
    batch: list[NDArray[np.uint8]] = []
    for index, pixels in iter_covers(paths, size_px=extractor.size_px):
        if isinstance(pixels, Exception):
            raise pixels
        batch.append(pixels)
        if len(batch) == BATCH or index == len(paths) - 1:
            yield from extractor.features(np.stack(batch))
            batch.clear()
            if progress:
                progress(index + 1, len(paths))


def _read(path: Path) -> dict[str, NDArray[np.float32]]:
    if not path.exists():
        return {}
    try:
        # numpy leaves a damaged file open that it has opened itself
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            digests, features = kept["digests"].tolist(), kept["features"]
            if features.ndim != 2 or features.dtype != np.float32 or not np.isfinite(features).all():
                return {}
            return dict(zip(digests, features, strict=True))
    except DAMAGED:  # a cache that can't be read is made again
        return {}


def _write(path: Path, known: dict[str, NDArray[np.float32]]) -> None:
    if not os.access(path.parent if path.parent.exists() else path.parent.parent, os.W_OK):
        return  # a dataset on a read-only disk can be judged all the same
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, digests=np.array(list(known)), features=np.stack(list(known.values())))
