"""Files that are no cover of a kind that is read: what they are, and what to do about it, by their first bytes."""

from __future__ import annotations

import re

EXPORT = "Export it as PNG or JPEG"
ONE_FRAME = "Export one frame as PNG or JPEG"
UNPACK = "Unpack it, and name the pictures in it"

_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (rb"\s*<!doctype html|\s*<html", "an HTML page", ""),
    (rb"\s*<svg|\s*<\?xml.*<svg", "an SVG drawing, which has no pixels", EXPORT),
    (rb"\s*<\?xml", "an XML text", ""),
    (rb"\s*[{\[]", "a JSON text", ""),
    (rb"version https://git-lfs", "a Git LFS pointer instead of the picture", "Fetch the picture with `git lfs pull`"),
    (rb"%PDF", "a PDF", EXPORT),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript file", EXPORT),
    (rb"8BPS", "a Photoshop file", EXPORT),
    (rb"gimp xcf", "a GIMP file (XCF)", EXPORT),
    (rb"\x06\x06\xed\xf5\xd8\x1d\x46\xe5", "an InDesign document", EXPORT),
    (rb"PK\x03\x04.{4,60}mimetype(?:image/openraster|application/x-krita)", "a Krita file", EXPORT),
    (rb"PK\x03\x04", "a ZIP archive", UNPACK),
    (rb"Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ", "a packed archive", UNPACK),
    (rb".{4}ftyp(?:hei|hev|mif1|msf1)", "an HEIC picture", EXPORT),
    (rb".{4}ftypcrx ", "a camera's raw file", EXPORT),
    (rb".{4}ftypM4A|ID3|fLaC|OggS|RIFF....WAVE|\xff[\xfb\xf3\xf2]|MThd", "a piece of music", ""),
    (rb".{4}ftyp", "an MP4 file", ONE_FRAME),
    (rb"\x1a\x45\xdf\xa3|RIFF....AVI |\0\0\x01[\xb3\xba]|FLV\x01", "a film", ONE_FRAME),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL picture", EXPORT),
    (rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  ", "a JPEG 2000 picture", EXPORT),
    (rb"II\xbc", "a JPEG XR picture", EXPORT),
    (rb"FUJIFILMCCD-RAW|IIU\0|IIR[OS]|FOVb", "a camera's raw file", EXPORT),
    (rb"\0\0[\x01\x02]\0|icns", "an icon", EXPORT),
    (rb"P[1-7fF]\s", "a PPM, PGM or PBM picture", EXPORT),
    (rb"v/1\x01|#\?R(?:ADIANCE|GBE)", "a picture of high dynamic range (EXR or HDR)", EXPORT),
    (rb"DDS |qoif|farbfeld|SIMPLE  =|\x01\xda|BPG\xfb|FLIF", "a picture of a kind that is not read", EXPORT),
    (rb"\x0a[\0-\x05]\x01[\x01\x02\x04\x08]|FORM....(?:ILBM|PBM )", "a picture of a kind that is not read", EXPORT),
    (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF|AT&TFORM", "a drawing or a scanned document", EXPORT),
    (rb"\0\x05\x16\x07", "a note of macOS beside a file, and not the file", "Name the file without `._` before it"),
    (rb"\xd0\xcf\x11\xe0", "an Office document or a Windows thumbnail store", EXPORT),
)  # fmt: skip


def what_it_is(head: bytes) -> tuple[str, str]:
    """Return what a file is, in words, and what to do about it, which may be empty.

    Parameters
    ----------
    head
        Its first bytes, a few thousand of them.

    Examples
    --------
    >>> what_it_is(b"8BPS...")
    ('a Photoshop file', 'Export it as PNG or JPEG')
    >>> what_it_is(b"hello world"), what_it_is(bytes(20))
    (("no picture, as it begins with 'hello world'", ''), ('no picture, as it begins with zeros', ''))
    """
    text = head.removeprefix(b"\xef\xbb\xbf")
    for begins, words, cure in _KINDS:
        if re.match(begins, text, re.DOTALL | re.IGNORECASE):
            return words, cure
    return f"no picture, as it begins with {_shown(head[:12])}", ""


def _shown(start: bytes) -> str:
    """Return the first bytes of a file as a person would write them: as text if they are some, or else as numbers."""
    if not any(start):
        return "zeros"
    text = start.decode("latin-1")
    if start.isascii() and text.strip() and all(sign.isprintable() or sign.isspace() for sign in text):
        return f"'{' '.join(text.split())}'"
    return f"the bytes {start[:8].hex(' ')}"
