"""Perceptual hashes by which a cover is recognised again without its picture being kept.

A model keeps one hash of 255 bits for each cover that it was trained on: that of the cover without 4 % off each side. A
cover that is asked about is hashed in six windows (whole, three centre crops, without its border, and a crop of that),
and it is recognised if any of the six differs from a kept hash in at most `MAX_DISTANCE` bits. One hash is enough,
because the crop lies between the whole cover and what is left of it after it was cropped. Covers with hardly any
structure, such as plain black ones, have no hash: they are recognised by the bytes of their file only.

Unlike `duplicates.find` nothing is compared pixel by pixel, so the limit is stricter than the one for its candidates.
`benchmarks/known.py` measures both kinds of error; docs/experiments.md has its table.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.duplicates import (
    LOWEST_FIRST,
    LUMA,
    MAX_DISTANCE as CANDIDATE_DISTANCE,
    MAX_LOW_DISTANCE,
    SIZE_PX,
    WORDS,
    Thumbnails,
    Words,
    framed,
    hashes,
    spectra,
)
from sleevenotes.covers.files import replacing
from sleevenotes.covers.images import Pixels, resize

MAX_DISTANCE = 64
"""Bits of 255 that may differ. On real covers 0.2 in 1,000 unrelated covers match one of 3,000 kept hashes."""
KEPT_CROP = 0.04  # off each side of the window whose hash is kept
CROPS = (KEPT_CROP, 0.0, 0.025, 0.075)  # off each side of a cover that is asked about, the kept one first
WINDOWS = len(CROPS) + 2
SIGNAL = 16.0  # of a frequency's amplitude: what JPEG makes of an even area is less
LEAST_SIGNAL = 128  # of 255 frequencies; with fewer, most bits are noise
NOTHING = 255  # the distance of a cover without a hash from any other
CACHE_FORMAT = 1
BLOCK = 64  # covers whose distances are computed at once

Progress = Callable[[int, int], None]  # (covers done, covers in total)
Distances = NDArray[np.uint8]  # (q, n)


def window_hashes(thumbnails: Thumbnails) -> Words:
    """Return the hashes of six windows of each cover; the first one is what a model keeps.

    Parameters
    ----------
    thumbnails
        (n, S, S, 3) uint8, S at least 32.

    Returns
    -------
    (n, 6, 4) uint64
        All zero for a cover that has too little structure to be recognised.

    Examples
    --------
    >>> plain = np.full((1, 64, 64, 3), 20, np.uint8)
    >>> window_hashes(plain).any()
    np.False_
    """
    if not len(thumbnails):
        return np.zeros((0, WINDOWS, WORDS), np.uint64)
    luma = thumbnails.astype(np.float32) @ LUMA
    inner = framed(thumbnails)
    margin = KEPT_CROP * (inner[:, 2:] - inner[:, :2])
    inset = np.concatenate([inner[:, :2] + margin, inner[:, 2:] - margin], axis=1)
    windows = [*(np.array([[crop, crop, 1 - crop, 1 - crop]]) for crop in CROPS), inner, inset]
    found: Words = np.stack([hashes(luma, window) for window in windows]).transpose(2, 0, 1).copy()  # (n, 6, 4)
    signal = np.abs(spectra(luma, windows[0])[:, 1:]) > SIGNAL
    found[signal.sum(axis=1) < LEAST_SIGNAL] = 0
    return found


def distances(asked: Words, kept: Words) -> Distances:
    """Return in how many bits covers differ from kept hashes, in the window that fits best.

    Parameters
    ----------
    asked
        (q, 6, 4), as `window_hashes` returns them.
    kept
        (n, 4): the first window's hash of each of n covers.

    Returns
    -------
    (q, n) uint8
        0 to 255; 255 also where either cover has no hash.
    """
    nearest = np.full((len(asked), len(kept)), NOTHING, np.uint8)
    words = np.ascontiguousarray(kept.T)  # (4, n)
    for start in range(0, len(asked), BLOCK):
        part = nearest[start : start + BLOCK]
        for window in asked[start : start + BLOCK].swapaxes(0, 1):  # (BLOCK, 4)
            differing = np.bitwise_count(window[:, 0, None] ^ words[0])  # at most 255 bits in all: uint8 holds them
            for column, word in zip(window.T[1:], words[1:], strict=True):
                differing += np.bitwise_count(column[:, None] ^ word)
            np.minimum(part, differing, out=part)
    nearest[~asked.any(axis=(1, 2))] = NOTHING
    nearest[:, ~kept.any(axis=1)] = NOTHING
    return nearest


def candidates(asked: Words, kept: Words) -> NDArray[np.bool_]:
    """Return which covers, (q, n), are candidates for which kept ones, as in `duplicates.find`: their pixels decide.

    Few of all bits may differ, or few of the lowest ones.

    Parameters
    ----------
    asked, kept
        As for `distances`.
    """
    lowest = np.zeros(WORDS * 8, np.uint8)
    lowest[LOWEST_FIRST[:8]] = 255
    mask = lowest.view(np.uint64)
    few_of_all = distances(asked, kept) <= CANDIDATE_DISTANCE
    return few_of_all | (distances(asked & mask, kept & mask) <= MAX_LOW_DISTANCE)


def thumbnails_of(covers: Sequence[Pixels]) -> Thumbnails:
    """Return covers of any size, (H, W, 3) each, squeezed to (n, 64, 64, 3)."""
    return np.stack([resize(cover, SIZE_PX) for cover in covers])


def kept_hashes(cache: Path, digests: Sequence[str], paths: Sequence[Path], progress: Progress | None = None) -> Words:
    """Return the hashes of covers, (n, 6, 4), from a cache as far as it has them; the others are read and added to it.

    A cover that can't be decoded has none, as one without structure.

    Parameters
    ----------
    cache
        The folder of the cache, `Dataset.cache`.
    digests
        SHA-256 of each file, n of them.
    paths
        The files.
    progress
        Called with the number of covers read and how many have to be.
    """
    from sleevenotes.covers.pixels import iter_covers

    known = _read(cache)
    missing = [index for index, digest in enumerate(digests) if digest not in known]
    read: dict[str, Pixels] = {}
    for done, pixels in iter_covers([paths[index] for index in missing], size_px=SIZE_PX):
        if not isinstance(pixels, Exception):
            read[digests[missing[done]]] = pixels
        if len(read) == BLOCK or done == len(missing) - 1:
            known |= zip(read, window_hashes(np.array(list(read.values()), np.uint8)), strict=True)
            read.clear()
        if progress:
            progress(done + 1, len(missing))
    if missing:
        _write(cache, known)
    nothing = np.zeros((WINDOWS, WORDS), np.uint64)
    return np.array([known.get(digest, nothing) for digest in digests], np.uint64).reshape(-1, WINDOWS, WORDS)


def keep_hashes(cache: Path, digests: Sequence[str], thumbnails: Thumbnails) -> None:
    """Add covers that were read for something else to the cache, so that nobody has to read them again.

    Parameters
    ----------
    cache
        The folder of the cache.
    digests
        SHA-256 of each file, n of them; empty for a cover that could not be read.
    thumbnails
        (n, 64, 64, 3) uint8.
    """
    known = _read(cache)
    missing = [index for index, digest in enumerate(digests) if digest and digest not in known]
    for start in range(0, len(missing), BLOCK):
        rows = missing[start : start + BLOCK]
        known |= zip((digests[row] for row in rows), window_hashes(thumbnails[rows]), strict=True)
    if missing:
        _write(cache, known)


def _path(cache: Path) -> Path:
    return cache / f"hashes-{CACHE_FORMAT}.npz"


def _read(cache: Path) -> dict[str, Words]:
    import zipfile  # not needed to predict
    import zlib

    path = _path(cache)
    if not path.exists():
        return {}
    try:
        # numpy leaves a damaged file open that it has opened itself
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            words = kept["words"]
            if words.dtype != np.uint64 or words.shape[1:] != (WINDOWS, WORDS):
                return {}
            return dict(zip(kept["digests"].astype(str).tolist(), words, strict=True))
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ):  # a cache that can't be read is made again
        return {}


def _write(cache: Path, known: Mapping[str, Words]) -> None:
    if not os.access(cache if cache.exists() else cache.parent, os.W_OK):
        return  # covers on a read-only disk can be recognised all the same
    cache.mkdir(exist_ok=True)
    with replacing(_path(cache)) as partial, partial.open("wb") as file:
        np.savez(file, digests=np.array(list(known), dtype="S64"), words=np.stack(list(known.values())))
