"""Contact sheets: margins, captions, ellipses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sleevenotes.covers.images import Pixels
from sleevenotes.covers.sheets import FRAME, PAPER, contact_sheet

RED, BLUE = np.array([220, 20, 30]), np.array([20, 30, 220])


def cover(color: np.ndarray, height: int = 30, width: int = 30) -> Pixels:
    return np.full((height, width, 3), color, np.uint8)


def extent(marked: np.ndarray) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of what is marked, the ends inclusive."""
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    return rows[0], rows[-1], columns[0], columns[-1]


def of_color(sheet: Pixels, color: np.ndarray) -> np.ndarray:
    matches: np.ndarray = (sheet == color).all(axis=-1)
    return matches


def test_covers_lie_in_order_with_even_margins() -> None:
    sheet = contact_sheet([[cover(RED), cover(BLUE)]], tile_px=100)
    top, bottom, left, right = extent(of_color(sheet, RED))
    assert (bottom - top + 1, right - left + 1) == (100, 100)
    blue = extent(of_color(sheet, BLUE))
    assert blue[:2] == (top, bottom)
    assert blue[2] > right
    height, width = sheet.shape[:2]
    assert height - 1 - bottom == top == left == width - 1 - blue[3]


def test_an_oblong_cover_keeps_its_shape_in_the_middle_of_its_tile() -> None:
    sheet = contact_sheet([[cover(RED, height=20, width=80)]], tile_px=100)
    top, bottom, left, right = extent(of_color(sheet, RED))
    assert (bottom - top + 1, right - left + 1) == (25, 100)
    assert abs((sheet.shape[0] - 1 - bottom) - top) <= 1


def test_a_white_cover_is_seen_by_its_frame() -> None:
    sheet = contact_sheet([[cover(np.array([255, 255, 255]))]])
    assert of_color(sheet, np.array(FRAME)).any()
    assert tuple(sheet[0, 0]) == PAPER


def test_captions_and_title_make_room_for_themselves() -> None:
    bare = contact_sheet([[cover(RED)]])
    captioned = contact_sheet([[cover(RED)]], captions=[["abba.jpg"]])
    titled = contact_sheet([[cover(RED)]], title="Covers")
    assert bare.shape[1] == captioned.shape[1] == titled.shape[1]
    assert captioned.shape[0] > bare.shape[0]
    below = extent(of_color(captioned, RED))[1] + 2
    assert captioned[below:].min() < 150  # there is type
    assert titled[: extent(of_color(titled, RED))[0] - 2].min() < 150


def test_a_caption_never_leaves_its_tile() -> None:
    sheet = contact_sheet([[cover(RED), cover(BLUE)]], captions=[["a very long name of a file " * 20, ""]])
    _, bottom, left, right = extent(of_color(sheet, RED))
    typed = (sheet[bottom + 2 :] != PAPER).any(axis=-1)
    _, _, first, last = extent(typed)
    assert left - 1 <= first
    assert last <= right + 1
    assert last > right - 20  # and uses its room


@pytest.mark.parametrize("text", ["Motörhead – Bømbers", "Sigur Rós\n( )", "東京事変", "\udcff broken name", "a\tb"])
def test_any_name_can_be_a_caption(text: str) -> None:
    sheet = contact_sheet([[cover(RED)]], captions=[[text]], title=text)
    assert sheet.dtype == np.uint8


def test_accents_are_dropped_where_the_type_has_none() -> None:
    accented, plain = (contact_sheet([[cover(RED)]], captions=[[name]]) for name in ("Motörhead", "Motorhead"))
    np.testing.assert_array_equal(accented, plain)


def test_a_sheet_without_covers_is_still_a_sheet() -> None:
    assert contact_sheet([], tile_px=50).shape == contact_sheet([[cover(RED)]], tile_px=50).shape


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=4), max_size=4), st.integers(8, 90)
)
def test_any_rows_of_any_covers_fit(sizes: list[list[tuple[int, int]]], tile_px: int) -> None:
    rows = [[cover(RED, *size) for size in row] for row in sizes]
    captions = [[f"{height} × {width}" for height, width in row] for row in sizes]
    sheet = contact_sheet(rows, tile_px=tile_px, captions=captions, title="All")
    assert sheet.ndim == 3
    assert sheet.flags.c_contiguous
    assert (sheet[:, :2] == PAPER).all()
    assert (sheet[:2] == PAPER).all()
