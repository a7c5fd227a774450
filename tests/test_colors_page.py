from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sleevenotes.errors import EvaluationError
from sleevenotes.publish.colors_page import header, rows, write_colors_page
from sleevenotes.publish.matrices import Heat, heat, mosaic, number_words
from sleevenotes.publish.trends import LOOKS, trends
from studied import MEASURES, NASTY, colors, write_colors
from test_study_page import Page

SVG = "{http://www.w3.org/2000/svg}"
THREE = ("folk", NASTY, "soul")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write_colors(tmp_path_factory.mktemp("colors"), colors(THREE))
    write_colors_page(made)
    return made


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(folder / "colors.html")


def test_page_is_valid_and_asks_for_nothing(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    named = [id_ for value in page.values("aria-labelledby") for id_ in value.split()]
    assert {target[1:] for target in page.values("href")} | set(named) <= set(ids)
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.values("src"))
    assert len(page.values("src")) == len(THREE)
    assert not re.search(r"url\((?!#)|@import|<script", page.html)


def test_page_says_what_is_turned_and_what_has_a_direction(page: Page) -> None:
    assert "Chi-square and hellinger are distances: small means alike." in page.text
    assert "Chi-square is not symmetric" in page.text
    assert "OpenCV's cubic interpolation" in page.text
    assert "Left out, as they have too few covers: skiffle <b>, polka." in page.text
    assert "sum over bins of correlation <a, b>" in page.text
    assert "(fewer where a genre has no more: soul 12)" in page.text


def test_verdict_counts_the_genres_that_rank_first_with_themselves(tmp_path: Path) -> None:
    told = {
        (1, 2, 3): "1 of 3 genres is most like itself: folk.",
        (1, 1, 2): "2 of 3 genres are most",
        (2, 2, 2): "0 of 3 genres are most like themselves.",
    }
    for ranks, words in told.items():
        content = colors(THREE)
        content["by"]["cubic"]["measures"]["intersection"]["exact_self_rank"] = ranks
        (tmp_path / "colors.json").write_text(json.dumps(content), encoding="utf-8")
        assert words in Page(write_colors_page(tmp_path, covers=False)).text


def test_heat_maps_lie_beside_the_page(folder: Path) -> None:
    files = sorted(folder.glob("*.svg"))
    assert len(files) == len(MEASURES) * 2 * 2
    for path in files:
        root = ET.fromstring(path.read_text(encoding="utf-8"))
        assert root.tag == f"{SVG}svg"
        assert root.find(f"{SVG}title") is not None
    assert {path.name for path in folder.iterdir() if path.name.startswith(".")} == set()


def test_terminal_gets_the_self_ranks_and_their_mean() -> None:
    content: dict[str, Any] = colors(THREE)
    for measure in content["by"]["cubic"]["measures"].values():
        measure["self_rank"] = [{"value": 1.25, "low": 1, "high": 2}, 3.0, {"value": 2.75, "low": None, "high": None}]
    assert header(content) == ("genre", "covers", *MEASURES)
    told = rows(content)
    assert told[0] == ("folk", "100", *["1.2 (1–2)"] * 4)
    assert told[1][2:] == ("3.0",) * 4
    assert told[-1] == ("mean", "303", *["2.3"] * 4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "not there. Run `sleevenotes colors` again"),
        ('{"format": 3}', "format 3. At most format 1 is read here"),
        ('{"format": 1, "genres": []}', "by is missing. An object was expected"),
    ],
)
def test_a_broken_comparison_is_named(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "colors.json").write_text(content, encoding="utf-8")
    with pytest.raises(EvaluationError, match=words):
        write_colors_page(tmp_path)
    assert not (tmp_path / "colors.html").exists()


# --- the figures ------------------------------------------------------------------------------------------------------


def alphas(svg: str) -> list[float]:
    """Return how deep the accent colour of each cell and of each legend box is."""
    styles = [element.get("style", "") for element in ET.fromstring(svg).iter(f"{SVG}path")]
    return [float(found[1]) for style in styles if (found := re.search(r"accent.*opacity: ([\d.]+)", style))]


def drawn(matrix: Any, **more: Any) -> str:
    table = np.array(matrix, dtype=float)
    names = [f"g{at}" for at in range(len(table))]
    return heat(Heat(table, names, names, **more), name="h", title="How alike")


def test_deep_is_alike_for_likenesses_and_for_distances() -> None:
    large, small = (alphas(drawn([[1, 0], [0.5, 1]], alike=alike))[:4] for alike in ("large", "small"))
    assert large[0] > large[2] > large[1]
    assert small[0] < small[2] < small[1]
    assert max(large + small) <= 0.55


def test_the_legend_turns_with_the_colours() -> None:
    texts = {
        alike: [text.text for text in ET.fromstring(drawn([[1, 0], [0.5, 1]], alike=alike)).iter(f"{SVG}text")]
        for alike in ("large", "small")
    }
    assert {"0.00, less alike", "1.00, more alike"} <= set(texts["large"])
    assert {"1.00, less alike", "0.00, more alike"} <= set(texts["small"])


def test_the_most_alike_of_each_row_is_bold() -> None:
    root = ET.fromstring(drawn([[0.1, 0.9], [0.8, 0.2]]))
    bold = [text.text for text in root.iter(f"{SVG}text") if re.search("bold|700", text.get("style", ""))]
    assert bold == ["0.90", "0.80"]


def test_numbers_stand_in_cells_up_to_twelve_genres() -> None:
    numbered, plain = (drawn(np.eye(k)) for k in (12, 13))
    assert numbered.count(">1.00<") == 12
    assert ">1.00<" not in plain
    assert len(plain) < 40_000


def test_empty_cells_and_equal_cells_can_be_drawn() -> None:
    assert ">—<" in drawn([[np.nan, 1], [1, 2]])
    assert drawn([[np.nan]])
    assert len(set(alphas(drawn([[3, 3], [3, 3]]))[:4])) == 1


def test_heat_maps_say_in_words_who_is_most_alike() -> None:
    svg = drawn([[0.1, 0.9], [0.8, 0.2]], alike="small")
    desc = ET.fromstring(svg).find(f"{SVG}desc")
    assert desc is not None
    assert (
        desc.text
        == "Small numbers mean alike. g0 is most like g0 (0.10), itself 0.10. g1 is most like g1 (0.20), itself 0.20."
    )


def test_foreign_number_formats_are_not_trusted() -> None:
    assert number_words(0.5, "{0.__class__}") == "0.50"
    assert number_words(0.5, ">9999999d") == "0.50"


def test_the_front_of_a_sleeve_is_its_matrix_without_numbers() -> None:
    svg = mosaic(Heat(np.eye(40), ["a"] * 40, ["a"] * 40), title='"Front" <1>')
    root = ET.fromstring(svg)
    assert root.get("aria-label") == '"Front" <1>'
    assert len(root.findall(f"{SVG}rect")) == 16 * 15


def test_lines_are_told_apart_without_colours() -> None:
    series = {f"line {at}": [{"value": at / 10}, {"value": at / 10}] for at in range(6)}
    root = ET.fromstring(trends([1, 2], series, name="t", title="Six lines", axis="px"))
    assert {f"line {at}" for at in range(6)} <= {text.text for text in root.iter(f"{SVG}text")}
    assert len({(str(dash), marker) for _, dash, marker in LOOKS}) == len(LOOKS) == 6


def test_names_at_the_ends_of_lines_do_not_cover_each_other() -> None:
    for level in (0.0, 0.5, 1.0):
        series = {f"line {at}": [{"value": 0.2}, {"value": level}] for at in range(6)}
        root = ET.fromstring(trends([1, 2], series, name="t", title="t", axis="px"))
        named = [text for text in root.iter(f"{SVG}text") if (text.text or "").startswith("line ")]
        heights = sorted(float(text.get("y") or re.findall(r"[-\d.]+", text.get("transform", ""))[1]) for text in named)
        assert min(np.diff(heights)) >= 15
        assert heights[0] > 0
        assert heights[-1] < 290


@pytest.mark.parametrize("x", [[], [5], [0.0001, 0.001, 0.1], [32, 35, 70, 100]])
def test_lines_of_any_length_are_the_same_bytes_again(x: list[float]) -> None:
    series = {"a": [{"value": 0.2, "low": 0.1, "high": 0.3}] * len(x), "nothing": [{"value": None}] * len(x)}
    one, other = (trends(x, series, name="t", title="t", axis="px") for _ in range(2))
    assert one == other
    assert "nothing: nothing" in one
