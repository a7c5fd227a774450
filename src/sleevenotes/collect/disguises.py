"""Disguises: a cover takes the file properties of another, so that one sees what a model makes of them.

If a model looks at art, its answers hardly move when covers of one genre are given the size, the quantisation tables
and the subsampling of another's files. If it looks at files, they flip. Writing a cover anew changes its pixels by
itself; so what a disguise in the properties of another cover of its own genre does has to be subtracted.

What can be given: native size, format (JPEG as JPEG, all else as PNG), quantisation tables, chroma subsampling,
progressive or baseline. What can't: a cover that was compressed hard, or was small, does not get its detail back, so
that what lies in its pixels stays beneath the disguise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import SUBSAMPLINGS, JpegForm, Pixels, decode, encode, resize
from sleevenotes.covers.pixels import cores
from sleevenotes.covers.properties import FileProperties, JpegTraits, file_properties

WORDS = (
    "Each cover was resized to the native size of another cover's file by antialiased bicubic, and written in that "
    "file's format with its quantisation tables, chroma subsampling and order of scans."
)
BATCH = 64
LARGEST = 255  # in a table of baseline JPEGs


def disguise(cover: Pixels | bytes, like: FileProperties) -> bytes:
    """Write a cover with the properties of another file.

    Parameters
    ----------
    cover
        Pixels, shape (H, W, 3), or the bytes of a file.
    like
        The properties to take. A JPEG in grey alone gives its table, and leaves the colours; a subsampling that is none
        of 4:4:4, 4:2:2 and 4:2:0 becomes 4:2:0.

    Returns
    -------
    bytes
        A JPEG where the other is one, else a PNG, of its width and height.

    Raises
    ------
    CoverError
        The bytes can't be decoded.

    Examples
    --------
    >>> small = file_properties(encode(np.zeros((20, 30, 3), np.uint8), "jpeg", quality=40), "small.jpg")
    >>> seen = file_properties(disguise(np.full((50, 50, 3), 90, np.uint8), small), "disguised.jpg")
    >>> (seen.width, seen.height, seen.jpeg.quality)
    (30, 20, 40.0)
    """
    pixels = decode(cover) if isinstance(cover, bytes) else cover
    pixels = resize(pixels, (like.height, like.width))
    if like.jpeg is None:
        return encode(pixels, "png")
    return encode(pixels, "jpeg", jpeg=_form(like.jpeg))


def words_of(like: FileProperties) -> str:
    """Return the properties that a disguise takes, in a line.

    Examples
    --------
    >>> words_of(file_properties(encode(np.zeros((20, 30, 3), np.uint8), "jpeg", quality=40), "a.jpg"))
    '30 × 20 px, quality 40, 4:2:0'
    """
    size = f"{like.width:,} px" if like.width == like.height else f"{like.width:,} × {like.height:,} px"
    if like.jpeg is None:
        return f"{size}, PNG"
    return f"{size}, quality {like.jpeg.quality:.0f}, {_form(like.jpeg).subsampling}"


def drawn(rows: Sequence[int], pools: Sequence[Sequence[int]], seed: int = 0) -> list[int]:
    """Draw for each of n rows one of its pool, and not itself where there is another.

    Raises
    ------
    ValueError
        A pool is empty.

    Examples
    --------
    >>> drawn([0, 1], [[0, 5], [1]])
    [5, 1]
    """
    rng = np.random.default_rng(seed)
    found = []
    for row, pool in zip(rows, pools, strict=True):
        if not len(pool):
            raise ValueError(f"cover {row} has no others to take properties of")
        first, step = int(rng.integers(len(pool))), int(rng.integers(1, max(2, len(pool))))
        found.append(int(pool[first] if pool[first] != row else pool[(first + step) % len(pool)]))
    return found


def disguised(dataset: Dataset, rows: Sequence[int], likes: Sequence[int]) -> Iterator[bytes]:
    """Yield covers with the properties of others that are named: n places in the table, and n of the files to be like.

    Yields
    ------
    bytes
        For each of `rows`, in order, the disguised cover.

    Raises
    ------
    CoverError
        A cover can't be decoded.
    """

    def made(row: int, like_row: int) -> bytes:
        other = dataset.path(like_row)
        return disguise(dataset.path(row).read_bytes(), file_properties(other.read_bytes(), other.name))

    with ThreadPoolExecutor(cores(), thread_name_prefix="disguises") as pool:
        for start in range(0, len(rows), BATCH):  # so that memory stays flat
            yield from pool.map(made, map(int, rows[start : start + BATCH]), likes[start : start + BATCH])


def _form(jpeg: JpegTraits) -> JpegForm:
    tables = [jpeg.luma, jpeg.chroma or jpeg.luma]
    is_gray = jpeg.subsampling == "gray"
    subsampling = "4:4:4" if is_gray else jpeg.subsampling if jpeg.subsampling in SUBSAMPLINGS else "4:2:0"
    kept = tuple(tuple(min(number, LARGEST) for number in table) for table in tables if table)
    return JpegForm(subsampling, jpeg.progressive, kept)
