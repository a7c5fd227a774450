"""Pixels of many covers: in order as they are decoded, or packed into one file that is memory-mapped.

`iter_covers` decodes on several threads and hands out in order, with flat memory, however many there are.
`packed_pixels` does so once for a dataset, or a side of it, and keeps the result in `DATASET/.cache/` under a name
that tells size, covers and preprocessing, so that it is found again exactly as long as it is right. The folder can be
deleted at any time. Both squeeze covers as models see them, unless a `Squeeze` tells them another way.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.files import replacing
from sleevenotes.covers.images import MAX_PIXELS, Pixels, decode, resize
from sleevenotes.errors import CoverError, DatasetError

PREPROCESSING = "1: sRGB on white, squeezed into a square by antialiased bicubic"
"""What is done to a cover before a network sees it. Another text makes every packed file obsolete."""

Covers = Generator[tuple[int, Pixels | CoverError], None, None]

AHEAD = 4
KEPT_S = 24 * 3600


@dataclass(frozen=True)
class Squeeze:
    """Another way to squeeze a cover into a square than the models' own.

    Parameters
    ----------
    preprocessing
        What is done, in words, with all that it depends on: another text makes every packed file obsolete.
    squeezed
        Makes pixels (size_px, size_px, 3) of pixels (H, W, 3) and size_px; called from several threads.
    """

    preprocessing: str
    squeezed: Callable[[Pixels, int], Pixels]


class PixelRows:
    """Some of many packed covers, read from the disk as they are asked for: all of them need not fit into memory.

    Parameters
    ----------
    packed
        Shape (N, S, S, 3), as `packed_pixels` gives them.
    rows
        Which of them, n.

    Examples
    --------
    >>> some = PixelRows(np.arange(12, dtype=np.uint8).reshape(4, 1, 1, 3), [3, 1])
    >>> len(some), some.shape, some[np.array([1])].tolist(), some[:1].tolist()
    (2, (2, 1, 1, 3), [[[[3, 4, 5]]]], [[[[9, 10, 11]]]])
    """

    def __init__(self, packed: Pixels, rows: Sequence[int]) -> None:
        self.packed, self.rows = packed, np.asarray(rows, np.intp)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all of them, (n, S, S, 3)."""
        return (len(self.rows), *self.packed.shape[1:])

    def __getitem__(self, chosen: NDArray[np.intp] | slice) -> Pixels:
        """Return pixels of some, by their places among the rows."""
        return np.asarray(self.packed[self.rows[chosen]])


def iter_covers(
    sources: Iterable[bytes | Path],
    *,
    size_px: int | None = None,
    squeeze: Squeeze | None = None,
    workers: int = 0,
    max_pixels: int = MAX_PIXELS,
) -> Covers:
    """Decode covers on several threads and yield them in order.

    Parameters
    ----------
    sources
        Bytes or paths, as many as you like: only a few are taken ahead of the one that is handed out.
    size_px
        Side of the square that each is squeezed into; `None` leaves them as large as they are.
    squeeze
        How; `None` is how models see covers.
    workers
        Threads; 0 means one a core.
    max_pixels
        The most pixels that a cover may have before it is squeezed.

    Yields
    ------
    tuple[int, Pixels | CoverError]
        The position in `sources`, and the pixels, shape (size_px, size_px, 3), or the error that says why there are
        none.

    Examples
    --------
    >>> [(i, str(error)) for i, error in iter_covers([b""])]
    [(0, 'cover: an empty file. A JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF was expected.')]
    """
    workers = workers or cores()
    squeezed = resize if squeeze is None else squeeze.squeezed
    pool = ThreadPoolExecutor(workers, thread_name_prefix="covers")
    ahead: deque[Future[Pixels | CoverError]] = deque()
    try:
        done = 0
        for source in sources:
            ahead.append(pool.submit(_pixels_or_error, source, size_px, max_pixels, squeezed))
            if len(ahead) >= AHEAD * workers:
                yield done, ahead.popleft().result()
                done += 1
        while ahead:
            yield done, ahead.popleft().result()
            done += 1
    finally:
        pool.shutdown(cancel_futures=True)


def packed_pixels(
    dataset_paths: Sequence[Path],
    hashes: Sequence[str],
    size_px: int,
    *,
    folder: Path,
    squeeze: Squeeze | None = None,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Pixels:
    """Return the pixels of many covers, decoded now or found in the cache.

    Any number of processes may ask at once, for the same covers or others. When covers are packed, files of the same
    size that nobody asked for within the last day are removed.

    Parameters
    ----------
    dataset_paths
        The covers' files (n).
    hashes
        Their SHA-256 (n): who changes a cover changes its hash, and the pixels are packed anew.
    size_px
        Side of the square that each cover is squeezed into.
    folder
        Where the packed file lies. It is made if need be.
    squeeze
        How; `None` is how models see covers. Each way has a packed file of its own.
    workers
        Threads; 0 means one a core.
    progress
        Called with (covers done, covers in all) after each cover that is decoded, and never where all are found packed.

    Returns
    -------
    Pixels
        Shape (n, size_px, size_px, 3), memory-mapped, read-only.

    Raises
    ------
    CoverError
        A cover can't be decoded; it is named.
    DatasetError
        The folder can't be written to.
    """
    shape = (len(dataset_paths), size_px, size_px, 3)
    if len(hashes) != len(dataset_paths):
        raise ValueError(f"{len(dataset_paths):,} paths, but {len(hashes):,} hashes")
    if not dataset_paths:
        return np.empty(shape, np.uint8)
    preprocessing = PREPROCESSING if squeeze is None else squeeze.preprocessing
    path = folder / f"pixels-{size_px}-{_fingerprint(preprocessing, size_px, hashes)}.npy"
    packed = _opened(path, shape)
    if packed is not None:
        return packed
    try:
        folder.mkdir(parents=True, exist_ok=True)
        covers = iter_covers(dataset_paths, size_px=size_px, squeeze=squeeze, workers=workers)
        _pack(path, shape, covers, progress)
        _tidy(path, size_px)
        return np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        cure = f"Make room there for {np.prod(shape) / 1e6:,.0f} MB, and make it writable"
        raise DatasetError(str(folder), f"can't be written to ({error.strerror or error})", cure=cure) from error


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pixels_or_error(
    source: bytes | Path, size_px: int | None, max_pixels: int, squeezed: Callable[[Pixels, int], Pixels]
) -> Pixels | CoverError:
    try:
        pixels = decode(source, max_pixels=max_pixels)
    except CoverError as error:
        return error
    return pixels if size_px is None else squeezed(pixels, size_px)


def _fingerprint(preprocessing: str, size_px: int, hashes: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps([preprocessing, size_px, *hashes]).encode()).hexdigest()[:16]


def _opened(path: Path, shape: tuple[int, ...]) -> Pixels | None:
    """Map a packed file into memory, if it is there and whole."""
    try:
        packed: Pixels = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError):
        return None
    if packed.shape != shape or packed.dtype != np.uint8:
        return None
    with suppress(OSError):  # somebody else's dataset, or on a disk that can't be written to
        os.utime(path)
    return packed


def _pack(
    path: Path,
    shape: tuple[int, ...],
    covers: Covers,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write a packed file, whole or not at all."""
    with replacing(path) as partial, closing(covers), partial.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for i, pixels in covers:
            if isinstance(pixels, CoverError):
                raise pixels
            file.write(pixels.data)
            if progress is not None:
                progress(i + 1, shape[0])


def _tidy(path: Path, size_px: int) -> None:
    """Remove the files of this module beside a packed one that have its size and went unused for a day."""
    ours = re.compile(rf"pixels-{size_px}-[0-9a-f]{{16}}\.npy")
    for other in path.parent.iterdir():
        if other != path and ours.fullmatch(other.name):
            with suppress(FileNotFoundError, PermissionError):  # another process was faster, or holds it open
                if time.time() - other.stat().st_mtime > KEPT_S:
                    other.unlink()
