"""Contact sheets: many covers on one picture, for looking at.

A sheet is pixels like a cover's; `images.encode` makes a file of it. Covers keep their shape, small ones are enlarged,
and what does not fit into a line of type ends in an ellipsis. The type is the one that Pillow brings along, so that a
sheet looks the same everywhere; it has plain Latin letters only, hence accents are dropped and other scripts are "?".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sleevenotes.covers.images import Pixels, resize

PAPER = (247, 245, 241)
FRAME = (214, 210, 202)
INK = (38, 36, 34)
CAPTION_INK = (96, 92, 86)
LONGEST_LINE = 300
PLAIN = str.maketrans(
    {"×": "x", "–": "-", "—": "-", "ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "ł": "l", "Ł": "L"}
)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def contact_sheet(
    rows: Sequence[Sequence[Pixels]],
    *,
    tile_px: int = 160,
    captions: Sequence[Sequence[str]] | None = None,
    title: str = "",
) -> Pixels:
    """Lay covers out in rows.

    Parameters
    ----------
    rows
        Covers, row by row; rows may differ in length. Each cover is shaped (H, W, 3).
    tile_px
        The longer side of every cover on the sheet.
    captions
        A line of type below each cover, row by row; missing ones stay empty.
    title
        A line of type above all.

    Returns
    -------
    Pixels
        Shape (height, width, 3), with even margins all around. A sheet of no covers has room for one.

    Examples
    --------
    >>> black = np.zeros((30, 30, 3), np.uint8)
    >>> contact_sheet([[black, black], [black]], tile_px=100).shape
    (236, 236, 3)
    """
    gap = max(4, round(tile_px * 0.08))
    margin = round(gap * 1.75)
    caption_font, title_font = _font(max(10, tile_px / 13)), _font(max(15, tile_px / 8))
    caption_px = 0 if captions is None else _line_px(caption_font) + gap // 2
    title_px = _line_px(title_font) + gap if title else 0
    columns, lines = max([1, *map(len, rows)]), max(1, len(rows))

    width = 2 * margin + columns * tile_px + (columns - 1) * gap
    height = 2 * margin + title_px + lines * (tile_px + caption_px) + (lines - 1) * gap
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((margin, margin), _fitting(title, title_font, width - 2 * margin), fill=INK, font=title_font)
    for row, covers in enumerate(rows):
        top = margin + title_px + row * (tile_px + caption_px + gap)
        for column, cover in enumerate(covers):
            left = margin + column * (tile_px + gap)
            _place(sheet, cover, (left, top), tile_px)
            if captions is not None and row < len(captions) and column < len(captions[row]):
                caption = _fitting(captions[row][column], caption_font, tile_px)
                draw.text((left, top + tile_px + gap // 2), caption, fill=CAPTION_INK, font=caption_font)
    return np.array(sheet)


def _place(sheet: Image.Image, cover: Pixels, corner: tuple[int, int], tile_px: int) -> None:
    """Paste a cover into its tile, as large as it goes, in the middle, with a hairline around it."""
    height, width = cover.shape[:2]
    scale = tile_px / max(height, width)
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    left, top = corner[0] + (tile_px - width) // 2, corner[1] + (tile_px - height) // 2
    sheet.paste(Image.fromarray(resize(cover, (height, width))), (left, top))
    ImageDraw.Draw(sheet).rectangle((left - 1, top - 1, left + width, top + height), outline=FRAME)


def _font(size_px: float) -> Font:
    return ImageFont.load_default(size_px)


def _line_px(font: Font) -> int:
    """Return the height of a line of type, from the tallest capital to the lowest descender."""
    return round(font.getbbox("ÄÅgjpq|")[3])


def _plain(text: str) -> str:
    """Spell a text on one line with the letters that the type has."""
    letters = unicodedata.normalize("NFKD", text.translate(PLAIN))
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(bare.encode("ascii", "replace").decode().split())


def _fitting(text: str, font: Font, width_px: int) -> str:
    """Shorten a text to a width, with an ellipsis where something was lost."""
    line = _plain(text)[:LONGEST_LINE]
    if font.getlength(line) <= width_px:
        return line
    while line and font.getlength(f"{line}…") > width_px:
        line = line[:-1].rstrip()
    return f"{line}…"
