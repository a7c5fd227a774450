"""The one decoder: the bytes of a cover in, sRGB pixels out.

Everything that looks at a cover gets its pixels here, so that training, prediction and the page see the very same ones.

- Pixels are sRGB, `uint8`, shaped (H, W, 3), the right way up. What is transparent is laid on white.
- A cover is JPEG, PNG, WebP, GIF (its first frame), BMP, TIFF (its first page) or AVIF. Its bytes tell which, never
  the ending of its file name.
- A JPEG is decoded by simplejpeg, which tells damage that Pillow passes over in silence; where simplejpeg can't, and
  for all other kinds, by Pillow. Both use libjpeg-turbo and give the same pixels.
- Metadata alone never makes a cover damaged: if it stops Pillow, the cover is read without it. A warning of a decoder
  is weighed by how many pixels it is about (`jpeg_faults`).
- An embedded ICC profile is converted to sRGB; one that is broken, or made for another kind of pixels, is left aside.
- Resizing is Pillow's antialiased bicubic, and nothing else, anywhere.

A cover that can't be decoded whole raises the `CoverError` that fits. Functions are safe to call from several threads.
"""

from __future__ import annotations

import hashlib
import logging
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageFile, TiffImagePlugin, _imaging, features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from sleevenotes.covers import jpeg_faults, png_chunks
from sleevenotes.covers.other_files import EXPORT, what_it_is
from sleevenotes.covers.structure import TIFF_METHODS, breaks_off, tiff_method
from sleevenotes.covers.tiff_errors import libtiff_errors
from sleevenotes.errors import CoverError, EmptyCover, NotACover, OversizedCover, TruncatedCover, did_you_mean

Pixels = NDArray[np.uint8]
"""sRGB pixels, shape (H, W, 3), 0 to 255."""

MAX_PIXELS = 64_000_000
"""The most pixels a cover may have, by default."""

HEAD_BYTES = 4096
ADDRESS = re.compile(r"(https?|ftp):/", re.IGNORECASE)  # a path has lost one of its slashes
KINDS_READ = "A JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF was expected"


@dataclass(frozen=True)
class CoverInfo:
    """What a cover's header says.

    Parameters
    ----------
    format
        "jpeg", "png", "webp", "gif", "bmp", "tiff" or "avif".
    width, height
        In pixels, the right way up.
    """

    format: str
    width: int
    height: int

    @property
    def suffix(self) -> str:
        """The ending that a file of this kind should have.

        Examples
        --------
        >>> CoverInfo("jpeg", 300, 300).suffix
        '.jpg'
        """
        return ".jpg" if self.format == "jpeg" else f".{self.format}"


@dataclass(frozen=True)
class JpegForm:
    """How a JPEG is written, beside its quality.

    Parameters
    ----------
    subsampling
        "4:4:4" keeps all colours, "4:2:2" every other column of them, "4:2:0" every other row, too.
    progressive
        Whether it is written in several passes, from coarse to fine; else it is baseline.
    tables
        Quantisation tables instead of a quality, for brightness and then colours: each 64 numbers from 1 to 255, row by
        row.
    """

    subsampling: str = "4:2:0"
    progressive: bool = False
    tables: tuple[tuple[int, ...], ...] = ()


ORDINARY_JPEG = JpegForm()
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


def probe(data: bytes, where: str) -> CoverInfo:
    """Read the header of a cover and no more.

    Parameters
    ----------
    data
        The whole cover.
    where
        What to call it in an error.

    Raises
    ------
    EmptyCover, NotACover, TruncatedCover
        As `decode` does, as far as the header tells.

    Examples
    --------
    >>> probe(encode(np.zeros((20, 30, 3), np.uint8), "png"), "black.png")
    CoverInfo(format='png', width=30, height=20)
    """
    return _open(data, where).info


def decode(source: bytes | Path, *, where: str | None = None, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode a cover.

    Parameters
    ----------
    source
        The bytes of a cover, or the path of its file.
    where
        What to call it in an error: by default the name of the file, "cover" for bytes.
    max_pixels
        The most pixels it may have. The header is asked, before anything is decoded.

    Returns
    -------
    Pixels
        Shape (height, width, 3), sRGB, the right way up, laid on white; contiguous and writable.

    Raises
    ------
    EmptyCover
        There is not a byte in it.
    NotACover
        It is no picture, or of a kind that is not read.
    TruncatedCover
        It breaks off, or is damaged inside. A whole picture with harmless faults, such as bytes after its end, is read.
    OversizedCover
        It has more than `max_pixels`.
    CoverError
        The file is not there or can't be read.

    Examples
    --------
    >>> decode(encode(np.full((2, 2, 3), 200, np.uint8), "png")).mean()
    np.float64(200.0)
    >>> decode(b"<html>404</html>", where="abba.jpg")
    Traceback (most recent call last):
    sleevenotes.errors.NotACover: abba.jpg: an HTML page. A JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF was expected.
    """
    data, where = _read(source, where)
    cover = _open(data, where)
    width, height = cover.info.width, cover.info.height
    if width * height > max_pixels:
        raise _oversized(where, f"{width:,} × {height:,} pixels, {width * height / 1e6:,.1f} megapixels", max_pixels)
    with _damage_is_told(where, cover.kind, data):
        pixels = _decode_jpeg(cover, data) if cover.kind.name == "jpeg" else _decode_other(cover, data)
        if pixels.shape != (height, width, 3):
            raise ValueError(f"{pixels.shape[1]} × {pixels.shape[0]} pixels instead of {width} × {height}")
    return pixels


def resize(pixels: Pixels, size_px: int | tuple[int, int]) -> Pixels:
    """Resize with antialiased bicubic interpolation, smaller or larger.

    Parameters
    ----------
    pixels
        Shape (H, W, 3).
    size_px
        The new (height, width); one number squeezes the cover into a square.

    Returns
    -------
    Pixels
        A new array, shape (height, width, 3).

    Examples
    --------
    >>> resize(np.zeros((30, 40, 3), np.uint8), 10).shape
    (10, 10, 3)
    """
    height, width = (size_px, size_px) if isinstance(size_px, int) else size_px
    if pixels.shape[:2] == (height, width):
        return pixels.copy()
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def encode(pixels: Pixels, format: str, *, quality: int = 90, jpeg: JpegForm = ORDINARY_JPEG) -> bytes:
    """Encode as JPEG, PNG or WebP, without any metadata.

    Parameters
    ----------
    pixels
        Shape (H, W, 3), sRGB.
    format
        "jpeg", "png" or "webp".
    quality
        1 to 100, for JPEG and WebP; PNG keeps every pixel.
    jpeg
        How a JPEG is written else.

    Raises
    ------
    CoverError
        The format or the subsampling is another.

    Examples
    --------
    >>> probe(encode(np.zeros((8, 8, 3), np.uint8), "jpeg"), "black").format
    'jpeg'
    """
    known = ("jpeg", "png", "webp")
    if format not in known:
        raise CoverError("encode", f"unknown format {format!r}", ", ".join(known), did_you_mean(format, known))
    options: dict[str, Any] = {} if format == "png" else {"quality": quality}
    if format == "jpeg":
        options = _jpeg_options(jpeg, quality)
        _make_room(jpeg, pixels.shape[0] * pixels.shape[1])
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def _jpeg_options(form: JpegForm, quality: int) -> dict[str, Any]:
    """Return what Pillow is told of a JPEG's form."""
    if form.subsampling not in SUBSAMPLINGS:
        cure = did_you_mean(form.subsampling, SUBSAMPLINGS)
        raise CoverError("encode", f"unknown subsampling {form.subsampling!r}", ", ".join(SUBSAMPLINGS), cure)
    options: dict[str, Any] = {"subsampling": form.subsampling, "progressive": form.progressive}
    # a quality beside tables would go before them
    return options | ({"qtables": [*map(list, form.tables)]} if form.tables else {"quality": quality})


def _make_room(form: JpegForm, pixels: int) -> None:
    """Let Pillow take a buffer for a whole progressive JPEG: it fails where one of fine detail exceeds its guess."""
    if form.progressive:
        with _ROOM_MAKING:
            ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, BYTES_PER_PIXEL * pixels)


BYTES_PER_PIXEL = 8  # more than noise takes at quality 100
_ROOM_MAKING = Lock()


def sha256(data: bytes) -> str:
    """Return the SHA-256 of the bytes of a cover, 64 hexadecimal digits.

    Examples
    --------
    >>> sha256(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


# -- which kind --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Kind:
    name: str
    begins: re.Pattern[bytes]
    reader: type[ImageFile.ImageFile]

    @property
    def title(self) -> str:
        return "WebP" if self.name == "webp" else self.name.upper()


# The readers are called by name instead of through Image.open: no other of Pillow's many readers is ever reached, its
# guess at multi-picture JPEGs is skipped, and so is its own limit, which would speak up before ours.
_KINDS = (
    _Kind("jpeg", re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    _Kind("png", re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    _Kind("webp", re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImageFile),
    _Kind("gif", re.compile(rb"GIF8[79]a"), GifImageFile),
    _Kind("bmp", re.compile(rb"BM.{12}[\x0c-\x7c]\0\0\0", re.DOTALL), BmpImageFile),
    _Kind("tiff", re.compile(rb"II[*+]\0|MM\0[*+]", re.DOTALL), TiffImageFile),
    _Kind("avif", re.compile(rb".{4}ftyp(?:avi[fs]|m[is]f1.{4}(?:.{4}){0,12}?avi[fs])", re.DOTALL), AvifImageFile),
)


def _kind_of(data: bytes) -> _Kind | None:
    return next((kind for kind in _KINDS if kind.begins.match(data)), None)


def _not_a_cover(data: bytes, where: str) -> NotACover:
    words, cure = what_it_is(data[:HEAD_BYTES])
    return NotACover(where, words, KINDS_READ, cure)


# -- opening -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Opened:
    """A cover whose header was read."""

    kind: _Kind
    picture: ImageFile.ImageFile
    turn: int
    """How EXIF says that it must be turned: 1 to 8."""
    profile: bytes
    """The ICC profile in it; empty where there is none."""

    @property
    def info(self) -> CoverInfo:
        width, height = self.picture.size
        return CoverInfo(self.kind.name, *((height, width) if self.turn >= 5 else (width, height)))


def _read(source: bytes | Path, where: str | None) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        return source, where or "cover"
    where = where or source.name or str(source)
    try:
        if source.exists() and not source.is_file():
            raise CoverError(where, "a folder" if source.is_dir() else "no ordinary file", KINDS_READ)
        with source.open("rb") as file:
            head = file.read(HEAD_BYTES)
            # a film that somebody named .jpg is told by its first bytes, and the rest stays where it is
            return (head + file.read() if _kind_of(head) else head), where
    except FileNotFoundError as error:
        if ADDRESS.match(str(source)):
            raise CoverError(where, "a web address, which is not fetched", "a file", "Download it first") from error
        raise CoverError(where, "there is no such file", cure="Check its name and folder") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CoverError(where, f"the file can't be read ({reason})", cure="Check its permissions") from error


def _open(data: bytes, where: str) -> _Opened:
    if not data:
        raise EmptyCover(where, "an empty file", KINDS_READ)
    kind = _kind_of(data)
    if kind is None:
        raise _not_a_cover(data, where)
    if kind.name == "avif" and not features.check("avif"):
        cure = "Install Pillow's wheel from PyPI, or save the cover as PNG"
        raise NotACover(where, "an AVIF, and this Pillow was built without AVIF", KINDS_READ, cure)
    _hush_pillow()
    with _damage_is_told(where, kind, data):
        picture = _picture(kind, data)
    return _Opened(kind, picture, _turn(picture), picture.info.get("icc_profile") or b"")


def _picture(kind: _Kind, data: bytes) -> ImageFile.ImageFile:
    """Read the header with Pillow, and again without the metadata if it fails: metadata alone damages no picture."""
    try:
        return kind.reader(BytesIO(data))
    except Exception:
        for less in _without_metadata(kind, data):
            try:
                picture = kind.reader(BytesIO(less))
            except Exception:  # then the first reason is the one to give
                continue
            if kind.name == "png":
                picture.info["icc_profile"] = png_chunks.profile_of(data)
            return picture
        raise


def _without_metadata(kind: _Kind, data: bytes) -> Iterable[bytes]:
    if kind.name == "png":
        return [png_chunks.without_metadata(data)]
    return jpeg_faults.without_metadata(data) if kind.name == "jpeg" else ()


def _turn(picture: ImageFile.ImageFile) -> int:
    if isinstance(picture, TiffImageFile):
        return 1  # Pillow turns a TIFF by itself, and its size with it
    try:
        # not picture.getexif(): for a PNG it decodes every pixel, in search of an EXIF block behind them
        turn = Image.Image.getexif(picture).get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken EXIF block breaks no picture: all viewers show it as it lies
        return 1
    return turn if isinstance(turn, int) and turn in _TURNED else 1


_TURNED: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: np.rot90(pixels),
}


def _hush_pillow() -> None:
    """Keep Pillow's remarks on odd metadata from the user: either the pixels are whole, or we say why not.

    `warnings.catch_warnings` is not safe among threads, hence one lasting filter, for Pillow's UserWarnings alone.
    """
    with _HUSHING:
        if not any(action == "ignore" and module == _PILLOW for action, _, _, module, _ in warnings.filters):
            warnings.filterwarnings("ignore", category=UserWarning, module=_PILLOW.pattern)


_PILLOW = re.compile(r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it logs would go to stderr if nobody listens
_HUSHING = Lock()


# -- decoding ----------------------------------------------------------------------------------------------------------

# What libjpeg warns of when pixels may be lost. Its other warnings (bytes before the end, an odd version, a bad ICC
# profile) are about whole pictures, which Pillow then reads.
_JPEG_DAMAGE = re.compile(
    r"premature end|bad (huffman|arithmetic) code|instead of RST|extraneous bytes before marker 0x(c4|da|d[0-7])",
    re.IGNORECASE,
)
_JPEG_PADDING = re.compile(r"extraneous bytes before marker 0xd[0-7]")
_JPEG_WITHOUT_END = "Premature end of JPEG file"

# Colours in a JPEG -> what simplejpeg makes of them, and Pillow's mode and layout for that. CMYK JPEGs hold inverted
# ink, as Adobe's do; Pillow and all browsers take that for granted.
_JPEG_COLORS = {
    "Gray": ("GRAY", "L", "L"),
    "CMYK": ("CMYK", "CMYK", "CMYK;I"),
    "YCCK": ("CMYK", "CMYK", "CMYK;I"),
}


def _decode_jpeg(cover: _Opened, data: bytes) -> Pixels:
    try:
        colors = simplejpeg.decode_jpeg_header(data)[2]
        made, mode, layout = _JPEG_COLORS.get(colors, ("RGB", "RGB", "RGB"))
        pixels = _decode_strictly(data, made)
    except ValueError as error:
        if _JPEG_DAMAGE.search(str(error)):
            raise
        return _decode_other(cover, data)
    if mode == "RGB" and not cover.profile:
        return _upright(pixels, cover.turn)
    picture = Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes(), "raw", layout)
    return _upright(np.array(_srgb(picture, cover.profile)), cover.turn)


def _decode_strictly(data: bytes, colors: str) -> Pixels:
    """Decode a JPEG, and raise what libjpeg warns of, but for warnings that were found to be of no account."""
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, colorspace=colors, strict=True)
    except ValueError as error:
        said = str(error)
        if _JPEG_WITHOUT_END in said and jpeg_faults.has_all_scans(data):
            whole: Pixels = simplejpeg.decode_jpeg(data + jpeg_faults.END, colorspace=colors, strict=True)
            return whole
        if not _JPEG_PADDING.search(said) or not jpeg_faults.is_padding_only(data, _tried):
            raise
        pixels = simplejpeg.decode_jpeg(data, colorspace=colors, strict=False)
    return pixels


def _tried(data: bytes) -> None:
    simplejpeg.decode_jpeg(data, strict=True)


def _decode_other(cover: _Opened, data: bytes) -> Pixels:
    match cover.kind.name:
        case "png":
            picture = _loaded_png(cover, data)
        case "tiff":
            picture = cover.picture
            with libtiff_errors(_imaging.__file__) as errors:
                picture.load()
            if errors:
                raise ValueError(f"libtiff found {len(errors):,} faults in its data, the first in {errors[0]}")
        case _:
            picture = cover.picture
            picture.load()
    return _upright(np.array(_srgb(picture, cover.profile)), cover.turn)


def _loaded_png(cover: _Opened, data: bytes) -> ImageFile.ImageFile:
    """Decode a PNG; Pillow reads what follows its pixels, too, so that metadata there may fail."""
    _check_png(data)
    picture = cover.picture
    try:
        picture.load()
    except Exception:
        picture = cover.kind.reader(BytesIO(png_chunks.without_metadata(data)))
        picture.load()
    key = picture.info.get("transparency")
    if key is not None and picture.mode in ("L", "RGB"):  # Pillow leaves it as it stands, in the depth of the file
        depth = data[24]
        if picture.mode == "L" and depth < 8:
            picture.info["transparency"] = key * 255 // (2**depth - 1)
        elif picture.mode == "RGB" and depth == 16:
            picture.info["transparency"] = tuple(value >> 8 for value in key)
    return picture


def _upright(pixels: Pixels, turn: int) -> Pixels:
    return np.ascontiguousarray(_TURNED[turn](pixels))


def _check_png(data: bytes) -> None:
    """Compare the checksums of a PNG's pixel data, which Pillow leaves out."""
    for chunk in png_chunks.chunks(data):
        if chunk.kind == b"IDAT" and not chunk.is_sound(data):
            raise ValueError(f"wrong checksum of the IDAT chunk at byte {chunk.at:,}")


# -- colours -----------------------------------------------------------------------------------------------------------


def _srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Return the picture in mode RGB: 8 bits, sRGB, laid on white."""
    alpha = None
    key = picture.info.get("transparency")
    if picture.mode.startswith("I;16") and isinstance(key, int):  # Pillow would clip what is above 255
        alpha = Image.fromarray(np.where(np.asarray(picture) == key, 0, 255).astype(np.uint8))
        picture = _eight_bits(picture)
    elif picture.has_transparency_data:
        opaque = picture.convert("RGBA")
        alpha = opaque.getchannel("A")
        picture = opaque.convert("L" if picture.getbands()[0] == "L" else "RGB")
    elif picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _eight_bits(picture)
    elif picture.mode not in ("L", "RGB", "CMYK", "LAB"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    picture = _manage(picture, profile)
    return picture if alpha is None else Image.composite(picture, Image.new("RGB", picture.size, "white"), alpha)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Scale what has more than 8 bits a pixel, all of it grey, to 0..255.

    16-bit pixels go to 65,535. Floats and 32-bit integers bear no sign of their white, so it is the first of the usual
    whites (1 for floats, 255, 65,535, 2³² - 1) that no pixel exceeds.
    """
    values = np.asarray(picture, np.float32)
    brightest = float(values.max(initial=0.0, where=np.isfinite(values)))
    whites = [1.0] * (picture.mode == "F") + [255.0, 65_535.0, 4_294_967_295.0]
    white = 65_535.0 if picture.mode.startswith("I;16") else next((w for w in whites if brightest <= w), brightest)
    shares = np.nan_to_num(values, nan=0.0, posinf=white, neginf=0.0) / white
    return Image.fromarray((shares.clip(0, 1) * 255).round().astype(np.uint8))


def _manage(picture: Image.Image, profile: bytes) -> Image.Image:
    """Convert the colours of a picture in mode L, RGB, CMYK or LAB to sRGB."""
    made_for, transform = _transform(profile, is_lab=picture.mode == "LAB")
    if picture.mode == "L" and made_for == "RGB":
        picture = picture.convert("RGB")
    if transform is not None and picture.mode == made_for:
        return transform.apply(picture)
    return picture.convert("RGB")


@lru_cache(maxsize=16)
def _transform(profile: bytes, *, is_lab: bool = False) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """Return the mode that an ICC profile is made for and the way from there to sRGB, if there is one to go."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    if is_lab:
        return "LAB", ImageCms.buildTransform(ImageCms.createProfile("LAB"), srgb, "LAB", "RGB")
    try:
        icc = ImageCms.ImageCmsProfile(BytesIO(profile))
        made_for = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[icc.profile.xcolor_space.strip()]
        transform = ImageCms.buildTransform(icc, srgb, made_for, "RGB")
    except (OSError, KeyError, ImageCms.PyCMSError):
        return (
            "",
            None,
        )  # a broken or foreign profile says nothing about the pixels: viewers show them without it, as sRGB
    if made_for == "RGB":
        # most profiles say sRGB in other words: what changes no colour by more than rounding is not worth its time
        levels = np.linspace(0, 255, 18).round().astype(np.uint8)
        colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(18, -1, 3)
        changed = np.asarray(transform.apply(Image.fromarray(colors)))
        if np.abs(changed.astype(int) - colors).max() <= 1:
            return "RGB", None
    return made_for, transform


# -- telling what is wrong ---------------------------------------------------------------------------------------------


@contextmanager
def _damage_is_told(where: str, kind: _Kind, data: bytes) -> Iterator[None]:
    """Turn whatever a decoder raises (Pillow's raise nearly everything) into the sentence that fits."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        pixels = re.search(r"\d+", str(error))
        raise _oversized(
            where, f"{int(pixels[0]):,} pixels" if pixels else "far too many pixels", MAX_PIXELS
        ) from error
    except Exception as error:
        raise _damage(where, kind, data, _in_words(error)) from error


def _oversized(where: str, found: str, max_pixels: int) -> OversizedCover:
    return OversizedCover(where, found, f"No more than {max_pixels / 1e6:g} megapixels are read", "Scale it down")


def _in_words(error: Exception) -> str:
    """Return what a decoder says without Python's way of writing it; empty if it says nothing that helps."""
    reason = " ".join(str(error).rstrip(".").split())
    reason = re.sub(r"\bb(?=['\"])|<[\w.]+ object at 0x\w+>", "", reason)
    return reason if " " in reason and "unpack" not in reason and "index" not in reason else ""


def _damage(where: str, kind: _Kind, data: bytes, reason: str) -> CoverError:
    cut_off = breaks_off(kind.name, data)
    unread = _unread_form(kind, data, reason)
    if unread and not (cut_off and kind.name == "avif"):
        return NotACover(where, f"a sort of {kind.title} that is not read ({unread})", cure=EXPORT)
    if "truncated" in reason.lower() or cut_off:
        found = f"cut off after {len(data):,} bytes"
    else:
        found = f"damaged within its {len(data):,} bytes" + (f" ({reason})" if reason else "")
    return TruncatedCover(where, found, f"a whole {kind.title}", "Fetch it again")


def _unread_form(kind: _Kind, data: bytes, reason: str) -> str:
    """Return what is unusual about a picture that may well be whole; empty if nothing is known to be."""
    if kind.name == "tiff" and (method := tiff_method(data)) not in _TIFF_METHODS_READ:
        return f"compressed as {TIFF_METHODS.get(method, f'method {method}')}"
    if kind.name == "avif" and _AVIF_STRUCTURE.search(reason):
        return "its transparency or structure is not as the standard has it" if b"auxl" in data else reason
    if re.search(r"cannot handle|unknown pixel mode|unsupported bmp|not yet supported", reason, re.IGNORECASE):
        return reason
    return ""


_TIFF_METHODS_READ = {1} | TiffImagePlugin.COMPRESSION_INFO.keys() - {50001}
_AVIF_STRUCTURE = re.compile(r"BMFF parsing failed|Missing or empty image item|No (AV1 items|content)")
