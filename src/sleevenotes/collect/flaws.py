"""What is wrong with some demo covers: reissues, planted shortcuts, files that are no covers.

Functions that change a cover take its pixels, (H, W, 3), with the box of its motif in px, and return both.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from sleevenotes.collect.drawing.artwork import BLACK, WHITE, Box, Canvas, Color, Pixels, Rng, color
from sleevenotes.collect.drawing.sleeve import sticker
from sleevenotes.covers.images import resize

EDITS = ("size", "quality", "crop", "border", "sticker")
SHORTCUTS = ("border", "quality", "size", "watermark")
BROKEN = ("truncated", "empty", "text", "html", "oversized")


# --- near-duplicates --------------------------------------------------------------------------------------------------


def reissue(pixels: Pixels, box: Box, edits: tuple[str, ...], rng: Rng) -> tuple[Pixels, Box]:
    """Return a cover as a shop may have it a second time: any of `EDITS`, of which "quality" is left to the file."""
    side = pixels.shape[0]
    if "sticker" in edits:
        canvas = Canvas(side, [color(shade) for shade in ("181818", "444444", "888888", "d8442e", "f8f4e8")])
        canvas.set(pixels.astype(np.float32))
        # in the corner that is farthest from the motif
        sticker(canvas, rng, corner=(int(box[0] + box[2] < side), int(box[1] + box[3] < side)))
        pixels = np.asarray(canvas.picture)
    if "crop" in edits:
        left, top, right, low = (int(v) for v in np.ceil(rng.uniform(0.005, 0.035, 4) * side))
        pixels = pixels[top : side - low, left : side - right]
        height, width = pixels.shape[:2]
        x0, y0, x1, y1 = (v - shift for v, shift in zip(box, (left, top, left, top), strict=True))
        box = (max(x0, 0), max(y0, 0), min(x1, width), min(y1, height))
    if "border" in edits:
        width, shade = max(1, round(rng.uniform(0.01, 0.03) * side)), [WHITE, BLACK][rng.integers(2)]
        pixels, box = framed(pixels, box, width, shade)
    if "size" in edits:
        pixels, box = resized(pixels, box, round(side * float(rng.choice([0.5, 0.67, 0.8, 1.33]))))
    return pixels, box


def framed(pixels: Pixels, box: Box, width: int, shade: Color) -> tuple[Pixels, Box]:
    """Return the cover shrunk into a frame of `width` px, as large as before with it."""
    rows, columns = pixels.shape[:2]
    inner = (rows - 2 * width, columns - 2 * width)
    frame = np.empty_like(pixels)
    frame[:] = shade
    frame[width : rows - width, width : columns - width] = resize(pixels, inner)
    x0, y0, x1, y1 = (v + width for v in _moved(box, inner[1] / columns, inner[0] / rows))
    return frame, (x0, y0, x1, y1)


def resized(pixels: Pixels, box: Box, side: int) -> tuple[Pixels, Box]:
    """Return the cover with a longer side of `side` px."""
    rows, columns = pixels.shape[:2]
    height, width = (max(1, round(v * side / max(rows, columns))) for v in (rows, columns))
    return resize(pixels, (height, width)), _moved(box, width / columns, height / rows)


def _moved(box: Box, across: float, down: float) -> Box:
    """Return a box in a picture of another size: grown to whole px."""
    return int(box[0] * across), int(box[1] * down), int(np.ceil(box[2] * across)), int(np.ceil(box[3] * down))


# --- shortcuts --------------------------------------------------------------------------------------------------------


def plant(
    pixels: Pixels, box: Box, number: int, shortcuts: frozenset[str], size_px: int
) -> tuple[Pixels, Box, dict[str, str]]:
    """Return a cover with shortcuts planted that tell its genre's number, and what they are.

    Parameters
    ----------
    number
        0 to 9. The size is `size_px` less 4 % a number, the JPEG's quality 94 less 5 a number (the caller's to use),
        the border white and wider by 0.7 % a number, the watermark the number plus one in four binary digits.
    shortcuts
        Any of `SHORTCUTS`.
    size_px
        Side of a cover without the shortcut.
    """
    planted: dict[str, str] = {}
    if "size" in shortcuts:
        side = round(size_px * (1 - 0.04 * number))
        pixels, box = resized(pixels, box, side)
        planted["size"] = str(side)
    if "quality" in shortcuts:
        planted["quality"] = str(94 - 5 * number)
    if "border" in shortcuts:
        width = 1 + round(number * max(1, 0.007 * size_px))
        pixels, box = framed(pixels, box, width, WHITE)
        planted["border"] = str(width)
    if "watermark" in shortcuts:
        planted["watermark"] = f"{number + 1:04b}"
        pixels = _watermarked(pixels, planted["watermark"])
    return pixels, box, planted


def watermark_cells(height: int, width: int) -> list[tuple[slice, slice]]:
    """Return rows and columns of a watermark's four cells, black for 1 and white for 0, at a cover's lower right."""
    cell, tall = max(2, round(0.04 * width)), max(2, round(0.05 * height))
    right, low = width - max(1, round(0.1 * width)), height - max(1, round(0.1 * height))
    return [(slice(low - tall, low), slice(right - (4 - k) * cell, right - (3 - k) * cell)) for k in range(4)]


def _watermarked(pixels: Pixels, code: str) -> Pixels:
    marked = pixels.copy()
    cells = watermark_cells(*pixels.shape[:2])
    (rows, first), (_, last) = cells[0], cells[-1]
    marked[rows.start - 1 : rows.stop + 1, first.start - 1 : last.stop + 1] = 255
    for (down, across), bit in zip(cells, code, strict=True):
        marked[down, across] = 0 if bit == "1" else 255
    return marked


# --- files that are no covers -----------------------------------------------------------------------------------------


def broken_file(kind: str, jpeg: bytes) -> bytes:
    """Return the bytes of a file that can't be used; `kind` is one of `BROKEN`, `jpeg` what is truncated."""
    if kind == "truncated":
        return jpeg[: len(jpeg) * 2 // 5]
    if kind == "text":
        return b"This is where the cover was to be. Ask the label for it.\n"
    if kind == "html":
        return b"<!DOCTYPE html>\n<html><head><title>404</title></head>\n<body><h1>Not Found</h1></body></html>\n"
    return _oversized() if kind == "oversized" else b""


def _oversized() -> bytes:
    """Return a PNG that says that it is 40,000 px wide and high: 4.8 GB, once decoded."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(64))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
