"""What a file tells without its pixels: its size, how it was written, what it carries along, and how it is called.

Where covers come from several collections, this alone can give their genre away: a model needs no art then. Facts come
from the header, by a walk over the parts of the file; pixels are not decoded. A fact that a file can't have, as a PNG
has no quantisation tables, is nan.

A file's name is its last part only: folders are often genres, and would tell them openly.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from math import nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import probe
from sleevenotes.covers.pixels import cores

HARMONISED_NAME = "harmonise.json"
"""Beside the table of a dataset whose files were all written anew, under names of their own."""

MARKS = ("EXIF", "ICC profile", "JFIF", "comment", "XMP", "Adobe marker")
SWAYED = ("file size", "bytes per pixel")
"""Columns that the art itself can sway: a busy cover takes more bytes than a plain one, however it is written."""

Table64 = tuple[int, ...]


@dataclass(frozen=True)
class JpegTraits:
    """How a JPEG was written.

    Parameters
    ----------
    luma, chroma
        The quantisation tables of brightness and of colours, 64 numbers row by row; empty where there is none.
    tables
        How many there are in the file.
    subsampling
        "4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "gray", or the ratio of other ones, such as "3×1".
    progressive
        Whether it was written from coarse to fine.
    density, density_unit
        What JFIF says of dots: across, and per what (0: none, 1: inch, 2: cm); nan without JFIF.
    """

    luma: Table64 = field(default=(), repr=False)
    chroma: Table64 = field(default=(), repr=False)
    tables: int = 0
    subsampling: str = ""
    progressive: bool = False
    density: float = nan
    density_unit: float = nan

    @property
    def quality(self) -> float:
        """The quality of brightness as libjpeg counts it, 1 to 100; nan without a table."""
        return estimated_quality(self.luma)

    @property
    def chroma_quality(self) -> float:
        """The quality of colours, likewise; of several that are equal, the one closest to that of brightness."""
        return estimated_quality(self.chroma, is_chroma=True, near=self.quality)


@dataclass(frozen=True)
class FileProperties:
    """What a cover's file tells without its pixels.

    Parameters
    ----------
    format
        "jpeg", "png", "webp", "gif", "bmp", "tiff" or "avif".
    width, height
        In px, as shown.
    size_bytes
        Of the whole file.
    name
        The last part of its name, with its ending.
    jpeg
        How it was written, for a JPEG.
    marks
        Which of `MARKS` it carries; None in kinds of files that are not searched (only JPEG, PNG and WebP are).
    """

    format: str
    width: int
    height: int
    size_bytes: int
    name: str
    jpeg: JpegTraits | None = None
    marks: frozenset[str] | None = None

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return self.name.removesuffix(self.ending)

    @property
    def ending(self) -> str:
        """The name's ending with its dot, as it is written; empty where there is none."""
        found = re.search(r"(?<=.)\.[A-Za-z0-9]{1,5}$", self.name)
        return found[0] if found else ""

    @property
    def shape(self) -> str:
        """The name's shape, see `shape_of`, ending included."""
        return shape_of(self.stem) + self.ending


@dataclass(frozen=True)
class Table:
    """Properties of many files as numbers.

    Parameters
    ----------
    columns
        What each of F columns holds, in words.
    values
        Shape (n, F); nan where a file has no such thing.
    files
        The properties that they were made of, n.
    """

    columns: list[str]
    values: NDArray[np.float32]
    files: list[FileProperties] = field(repr=False)


def file_properties(data: bytes, name: str) -> FileProperties:
    """Read what a file tells without its pixels.

    Parameters
    ----------
    data
        The whole cover.
    name
        Of its file; folders before it are left aside.

    Raises
    ------
    EmptyCover, NotACover, TruncatedCover
        Where not even the header can be read.

    Examples
    --------
    >>> from sleevenotes.covers.images import encode
    >>> cover = file_properties(encode(np.zeros((20, 30, 3), np.uint8), "jpeg", quality=85), "Rock/R-41-b.jpeg")
    >>> cover.width, cover.jpeg.quality, cover.jpeg.subsampling, cover.shape, sorted(cover.marks)
    (30, 85.0, '4:2:0', 'A-9-a.jpeg', ['JFIF'])
    """
    name = re.split(r"[/\\]", name)[-1]
    info = probe(data, name or "cover")
    jpeg = marks = None
    if info.format == "jpeg":
        segments = list(_jpeg_segments(data))
        jpeg, marks = _jpeg_traits(segments), _jpeg_marks(segments)
    elif info.format in _CHUNKS:
        marks = frozenset(mark for mark in map(_chunk_mark, _CHUNKS[info.format](data)) if mark)
    return FileProperties(info.format, info.width, info.height, len(data), name, jpeg, marks)


def properties_of(dataset: Dataset) -> Table:
    """Read the properties of all files of a dataset.

    Collecting gives files names of its own, so a name is taken from the column `source` where that has one; in a
    dataset that was harmonised the files' own names count, as nothing else of them came along.

    Raises
    ------
    CoverError
        A cover can't be read.
    """
    own = (dataset.folder / HARMONISED_NAME).is_file()
    sources = [""] * len(dataset) if own else dataset.column("source")
    names = [source or name for source, name in zip(sources, dataset.file_names, strict=True)]

    def read(path: Path, name: str) -> FileProperties:
        return file_properties(path.read_bytes(), name)

    with ThreadPoolExecutor(cores(), thread_name_prefix="files") as pool:
        files = list(pool.map(read, dataset.paths, names))
    return Table(*matrix(files), files)


def matrix(properties: Sequence[FileProperties]) -> tuple[list[str], NDArray[np.float32]]:
    """Return names of columns, F of them, and the properties of n files as numbers.

    Words (format, subsampling, ending and shape of the name) become codes: 0 for the commonest among these files, and
    so on; equally common ones by name. Codes of two matrices are therefore not to be compared.

    Returns
    -------
    tuple[list[str], NDArray[np.float32]]
        F names, and shape (n, F), nan where a file has no such thing.

    Examples
    --------
    >>> from sleevenotes.covers.images import encode
    >>> black = file_properties(encode(np.zeros((20, 30, 3), np.uint8), "png"), "a.png")
    >>> columns, values = matrix([black])
    >>> dict(zip(columns, values[0].tolist()))["aspect"], values.shape == (1, len(columns))
    (1.5, True)
    """
    held: dict[str, list[float]] = {name: [measure(each) for each in properties] for name, measure in _NUMBERS.items()}
    for name, word in _WORDS.items():
        held[name] = _codes([word(each) for each in properties])
    values = np.array(list(held.values()), np.float32).reshape(len(held), len(properties))
    return list(held), np.ascontiguousarray(values.T)


def shape_of(text: str) -> str:
    """Return a text with each run of digits as 9, of capitals as A and of other letters as a, all else as it is.

    Examples
    --------
    >>> shape_of("R-1006362-1509019617-8262-jpeg"), shape_of("Sgt. Pepper 1967"), shape_of("東京")
    ('A-9-9-9-a', 'Aa. Aa 9', 'a')
    """
    signs = ("9" if sign.isdigit() else "A" if sign.isupper() else "a" if sign.isalpha() else sign for sign in text)
    return re.sub(r"([9Aa])\1+", r"\1", "".join(signs))


# -- quality -----------------------------------------------------------------------------------------------------------

# The tables that nearly every encoder scales: ITU-T T.81 (1992), annex K.1, for brightness and for colours.
_LUMA = """
16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99
"""
_CHROMA = """
17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99
"""


def _scaled(text: str) -> NDArray[np.float64]:
    """Return a table at each quality from 1 to 100, natural logarithms, shape (100, 64)."""
    table, quality = np.array(text.split(), int), np.arange(1, 101)
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    logarithms: NDArray[np.float64] = np.log(np.clip((table * percent[:, None] + 50) // 100, 1, 255))
    return logarithms


_SCALED = _scaled(_LUMA), _scaled(_CHROMA)


@lru_cache(maxsize=1024)
def estimated_quality(table: Table64, *, is_chroma: bool = False, near: float = nan) -> float:
    """Return the quality at which libjpeg makes the table that is closest to this one; nan for an empty table.

    libjpeg (of the Independent JPEG Group; `jcparam.c`) scales the tables T of ITU-T T.81, annex K, by s = 5000 / q %
    for a quality q below 50 and by 200 - 2 q % from there on: clip((T s + 50) / 100, 1, 255), all in whole numbers.
    Closest is the least sum of |log(ours / libjpeg's)|, which is 0 for libjpeg's own tables.

    Parameters
    ----------
    table
        64 numbers, row by row.
    is_chroma
        Whether it is to be compared with the table of colours.
    near
        Of equally close qualities the one closest to this is taken: tables of colours are all equal at 1 to 3.

    Examples
    --------
    >>> estimated_quality(tuple(map(int, _LUMA.split()))), estimated_quality((1,) * 64)
    (50.0, 100.0)
    """
    if not table:
        return nan
    distances = np.abs(_SCALED[is_chroma] - np.log(np.maximum(table, 1))).sum(axis=1)
    closest = 1 + np.flatnonzero(distances <= distances.min() + 1e-9)
    return float(closest[-1] if np.isnan(near) else closest[np.abs(closest - near).argmin()])


# -- JPEG --------------------------------------------------------------------------------------------------------------

_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers that no length follows
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SUBSAMPLINGS = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}
_JPEG_MARKS = (
    (0xE0, b"JFIF\0", "JFIF"),
    (0xE1, b"Exif\0", "EXIF"),
    (0xE1, b"http://ns.adobe.com/xap/", "XMP"),
    (0xE2, b"ICC_PROFILE\0", "ICC profile"),
    (0xED, b"Photoshop", "Adobe marker"),
    (0xEE, b"Adobe", "Adobe marker"),
    (0xFE, b"", "comment"),
)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of each segment before the first scan."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF or data[at + 1] == 0xFF:  # stray bytes, or padding
            at += 1
            continue
        marker = data[at + 1]
        if marker in (0xDA, 0xD9):
            return
        if marker in _BARE or marker == 0:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4])
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + max(2, length)


def _jpeg_traits(segments: Sequence[tuple[int, bytes]]) -> JpegTraits:
    tables: dict[int, Table64] = {}
    frame, is_progressive, density, unit = b"", False, nan, nan
    for marker, content in segments:
        if marker == 0xDB:
            tables |= _quantisation(content)
        elif marker in _FRAMES:
            frame, is_progressive = content, marker in _PROGRESSIVE
        elif marker == 0xE0 and content.startswith(b"JFIF\0") and len(content) >= 10:
            unit, density = float(content[7]), float(int.from_bytes(content[8:10]))
    # a frame: precision, height, width, how many components; three bytes each: its name, sampling, table
    components = [frame[at : at + 3] for at in range(6, 6 + 3 * (frame[5] if len(frame) > 5 else 0), 3)]
    used = [tables.get(component[2], ()) for component in components if len(component) == 3]
    return JpegTraits(
        luma=used[0] if used else (),
        chroma=used[1] if len(used) > 1 else (),
        tables=len(tables),
        subsampling=_subsampling([component[1] for component in components if len(component) == 3]),
        progressive=is_progressive,
        density=density,
        density_unit=unit,
    )


def _quantisation(content: bytes) -> dict[int, Table64]:
    """Return the tables of a segment by their numbers, row by row: in the file they are in zigzag order."""
    found, at = {}, 0
    while at < len(content):
        depth, number = 1 + (content[at] >> 4 > 0), content[at] & 15
        numbers = content[at + 1 : at + 1 + 64 * depth]
        if len(numbers) < 64 * depth:
            break
        table = np.frombuffer(numbers, ">u2" if depth == 2 else np.uint8)
        found[number] = tuple(table[_ZIGZAG].tolist())
        at += 1 + 64 * depth
    return found


def _zigzag() -> NDArray[np.intp]:
    """Return for each of 8 × 8 places, row by row, its place on the way to and fro along the diagonals."""
    rows, columns = np.divmod(np.arange(64), 8)
    diagonal = rows + columns
    way = np.lexsort((np.where(diagonal % 2, rows, columns), diagonal))
    return np.argsort(way)


_ZIGZAG = _zigzag()


def _subsampling(samplings: Sequence[int]) -> str:
    """Name the ratio between how finely brightness and colours are sampled: one byte each, across and down."""
    if len(samplings) < 2:
        return "gray" if samplings else ""
    (across, down), (color_across, color_down) = (divmod(byte, 16) for byte in samplings[:2])
    ratio = across / max(1, color_across), down / max(1, color_down)
    return _SUBSAMPLINGS.get((int(ratio[0]), int(ratio[1])), f"{ratio[0]:g}×{ratio[1]:g}")


def _jpeg_marks(segments: Sequence[tuple[int, bytes]]) -> frozenset[str]:
    return frozenset(
        mark
        for marker, content in segments
        for known, begins, mark in _JPEG_MARKS
        if marker == known and content.startswith(begins)
    )


# -- PNG and WebP ------------------------------------------------------------------------------------------------------


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + min(length, 64)]
        at += 12 + length


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], b""
        at += 8 + length + length % 2


_CHUNKS: dict[str, Callable[[bytes], Iterator[tuple[bytes, bytes]]]] = {"png": _png_chunks, "webp": _webp_chunks}
_CHUNK_MARKS = {b"eXIf": "EXIF", b"EXIF": "EXIF", b"iCCP": "ICC profile", b"ICCP": "ICC profile", b"XMP ": "XMP"}


def _chunk_mark(chunk: tuple[bytes, bytes]) -> str:
    kind, begins = chunk
    if kind in (b"tEXt", b"zTXt", b"iTXt"):
        return "XMP" if begins.startswith(b"XML:com.adobe.xmp") else "comment"
    return _CHUNK_MARKS.get(kind, "")


# -- columns -----------------------------------------------------------------------------------------------------------


def _share(text: str, wanted: Callable[[str], bool]) -> float:
    return sum(map(wanted, text)) / len(text) if text else nan


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))


def _of_jpeg(measure: Callable[[JpegTraits], float]) -> Callable[[FileProperties], float]:
    return lambda file: nan if file.jpeg is None else measure(file.jpeg)


def _mean(table: Table64) -> float:
    return sum(table) / len(table) if table else nan


def _carries(mark: str) -> Callable[[FileProperties], float]:
    return lambda file: nan if file.marks is None else float(mark in file.marks)


_NUMBERS: Mapping[str, Callable[[FileProperties], float]] = {
    "width": lambda file: file.width,
    "height": lambda file: file.height,
    "aspect": lambda file: file.width / file.height,
    "file size": lambda file: file.size_bytes,
    "bytes per pixel": lambda file: file.size_bytes / (file.width * file.height),
    "JPEG quality (luma)": _of_jpeg(lambda jpeg: jpeg.quality),
    "JPEG quality (chroma)": _of_jpeg(lambda jpeg: jpeg.chroma_quality),
    "mean of the JPEG table (luma)": _of_jpeg(lambda jpeg: _mean(jpeg.luma)),
    "mean of the JPEG table (chroma)": _of_jpeg(lambda jpeg: _mean(jpeg.chroma)),
    "number of JPEG tables": _of_jpeg(lambda jpeg: jpeg.tables),
    "progressive JPEG": _of_jpeg(lambda jpeg: float(jpeg.progressive)),
    "JFIF density": _of_jpeg(lambda jpeg: jpeg.density),
    "unit of the JFIF density": _of_jpeg(lambda jpeg: jpeg.density_unit),
    **{mark: _carries(mark) for mark in MARKS},
    "length of the file name": lambda file: len(file.stem),
    "digits in the file name": lambda file: _share(file.stem, str.isdigit),
    "letters in the file name": lambda file: _share(file.stem, str.isalpha),
    "capitals in the file name": lambda file: _share(_letters(file.stem), str.isupper),
    "spaces in the file name": lambda file: file.stem.count(" "),
    "dashes in the file name": lambda file: file.stem.count("-"),
    "underscores in the file name": lambda file: file.stem.count("_"),
}

_WORDS: Mapping[str, Callable[[FileProperties], str]] = {
    "format": lambda file: file.format,
    "chroma subsampling": lambda file: "" if file.jpeg is None else file.jpeg.subsampling,
    "ending of the file name": lambda file: file.ending,
    "shape of the file name": lambda file: file.shape,
}


def _codes(words: Sequence[str]) -> list[float]:
    """Return 0 for the commonest word, 1 for the next, and so on.

    >>> _codes(["b", "a", "b", "c"])
    [0.0, 1.0, 0.0, 2.0]
    """
    order = sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))
    code = {word: float(number) for number, (word, _) in enumerate(order)}
    return [code[word] for word in words]
