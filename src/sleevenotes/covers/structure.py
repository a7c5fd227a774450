"""What the structure of a picture's file says: whether its end is there, and how a TIFF is compressed."""

from __future__ import annotations

from typing import Literal

TIFF_METHODS = {
    **{9: "JBIG", 34661: "JBIG", 34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000", 34887: "LERC"},
    **{50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL", 34934: "JPEG XR", 22610: "JPEG XR", 34892: "lossy JPEG"},
    **{32766: "NeXT RLE", 32809: "ThunderScan"},
}
"""Ways to compress a TIFF, by the number that stands for each in the file."""

_COMPRESSION = 259


def breaks_off(kind: str, data: bytes) -> bool:
    """Return whether a cover lacks its end, going by what its own structure says.

    Parameters
    ----------
    kind
        "jpeg", "png", "gif", "webp", "bmp", "tiff" or "avif".
    """
    match kind:
        case "jpeg":
            return not data.rstrip(b"\0").endswith(b"\xff\xd9")
        case "png":
            return b"IEND" not in data[-64:]
        case "gif":
            return not data.rstrip(b"\0").endswith(b";")
        case "webp":
            return int.from_bytes(data[4:8], "little") + 8 > len(data)
        case "bmp":
            return int.from_bytes(data[2:6], "little") > len(data)
        case "tiff":
            order = _order(data)
            entries_at = int.from_bytes(data[4:8], order)
            entries = int.from_bytes(data[entries_at : entries_at + 2], order)
            return entries_at + 2 + 12 * entries > len(data)
    at = 0
    while at < len(data):  # AVIF is a row of boxes, each with its length; a length below 8 means something else
        at += max(8, int.from_bytes(data[at : at + 4]))
    return at > len(data)


def tiff_method(data: bytes) -> int:
    """Return the number of the way in which the first page of a TIFF is compressed; 1, for none, if it says nothing."""
    order = _order(data)
    at = int.from_bytes(data[4:8], order)
    for entry in range(at + 2, at + 2 + 12 * int.from_bytes(data[at : at + 2], order), 12):
        if int.from_bytes(data[entry : entry + 2], order) == _COMPRESSION:
            return int.from_bytes(data[entry + 8 : entry + 10], order)
    return 1


def _order(data: bytes) -> Literal["little", "big"]:
    return "little" if data.startswith(b"II") else "big"
