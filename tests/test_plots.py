from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from hypothesis import given, strategies as st

from sleevenotes.publish import plots
from sleevenotes.publish.plots import Row, estimate_words

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script> & A$AP $x_"
GENRES = ["folk", HOSTILE, "hip-hop"]


def estimate(value: float, half: float = 0.05) -> dict[str, float | None]:
    return {"value": value, "low": value - half, "high": value + half}


def figures() -> dict[str, str]:
    bins: list[dict[str, float | None]] = [
        {"confidence": at, "accuracy": at * at, "low": at / 2, "high": at, "n": 9.0} for at in (0.1, 0.5, 0.9)
    ]
    rows = [Row("model", estimate(0.4), "model"), Row(HOSTILE, estimate(0.3), "baseline"), Row("rest", estimate(0.2))]
    return {
        "intervals": plots.intervals(rows, name="intervals", title="How good", chance=0.2),
        "confusion": plots.confusion([[3, 1, 0], [1, 4, 2], [0, 0, 0]], GENRES, name="confusion", title="Mixed up"),
        "reliability": plots.reliability(bins, name="reliability", title="Believable"),
        "lines": plots.lines(
            [1, 2, 3],
            {"training": [estimate(0.1)] * 3, HOSTILE: [estimate(0.2)] * 3},
            name="lines",
            title="Learnt",
            axis="epochs",
            marked=2,
        ),
        "roc": plots.roc([True, False, True, False], [0.9, 0.8, 0.3, 0.1], name="roc", title="Found"),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return figures()


def test_figures_say_in_words_what_they_show(drawn: dict[str, str]) -> None:
    for name, svg in drawn.items():
        root = ET.fromstring(svg)
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == f"{name}-title {name}-desc"
        told = {child.get("id"): child.text for child in root if child.tag in (f"{SVG}title", f"{SVG}desc")}
        assert told.keys() == {f"{name}-title", f"{name}-desc"}
        assert all(told.values())


def test_ids_are_unique_and_begin_with_the_name_of_their_figure(drawn: dict[str, str]) -> None:
    ids = [(name, element.get("id")) for name, svg in drawn.items() for element in ET.fromstring(svg).iter()]
    known = [(name, id_) for name, id_ in ids if id_ is not None]
    assert all(id_ == name or id_.startswith(f"{name}-") for name, id_ in known)
    assert len({id_ for _, id_ in known}) == len(known)


def test_whatever_a_figure_refers_to_is_in_it(drawn: dict[str, str]) -> None:
    for svg in drawn.values():
        ids = set(re.findall(r' id="([^"]+)"', svg))
        assert set(re.findall(r'href="#([^"]+)"', svg)) <= ids
        assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= ids


def test_colours_and_fonts_are_the_pages(drawn: dict[str, str]) -> None:
    for svg in drawn.values():
        styles = " ".join(element.get("style", "") for element in ET.fromstring(svg).iter())
        assert not re.search(r"(fill|stroke): *#", styles)
        assert "DejaVu" not in svg
        assert set(re.findall(r"font-family: ([^;]+)", styles)) == {"var(--sans, sans-serif)"}


def test_no_style_or_metadata_reaches_the_page(drawn: dict[str, str]) -> None:
    for svg in drawn.values():
        tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(svg).iter()}
        assert tags <= {"svg", "title", "desc", "g", "path", "text", "use", "defs", "clipPath", "rect"}
        assert "<!--" not in svg


def test_the_same_numbers_give_the_same_bytes(drawn: dict[str, str]) -> None:
    assert figures() == drawn


def test_names_are_text_and_neither_markup_nor_formulas(drawn: dict[str, str]) -> None:
    for name in ("intervals", "confusion", "lines"):
        assert "<script" not in drawn[name]
    texts = [element.text or "" for element in ET.fromstring(drawn["intervals"]).iter(f"{SVG}text")]
    assert any(text.startswith("<script>") for text in texts)
    svg = plots.intervals([Row("A$AP $x_", estimate(0.4))], name="money", title="$")
    assert "A$AP $x_" in svg


@pytest.mark.parametrize(
    "name", ["\x00bell\x07", "new\nline", "日本語", "a" * 300, "\u202eturned", "\ud800", "\ufffe", ""]
)
def test_any_name_can_be_drawn(name: str) -> None:
    for svg in (
        plots.intervals([Row(name, estimate(0.4))], name="a", title=name),
        plots.confusion([[1]], [name], name="b", title=name),
    ):
        ET.fromstring(svg)
        assert not re.search("[\x00-\x08\x0e-\x1f\u202e\ud800\ufffe]", svg)


def test_missing_numbers_are_left_empty() -> None:
    nothing: dict[str, float | None] = {"value": None, "low": None, "high": None}
    gone: dict[str, float | None] = {"value": float("nan"), "low": 0.1, "high": 0.2}
    svg = plots.intervals([Row("one", nothing), Row("two", gone), Row("three", estimate(0.5))], name="a", title="a")
    assert svg.count("—") >= 2
    plots.reliability([{"confidence": None, "accuracy": None, "n": 0.0}], name="b", title="b")
    plots.lines([1, 2], {"valid": [nothing, estimate(0.5)]}, name="c", title="c", axis="epochs")
    plots.intervals([], name="d", title="d")


def test_confusion_tells_each_genre_and_its_commonest_mistake() -> None:
    svg = plots.confusion([[3, 1, 0], [2, 5, 3], [0, 0, 0]], ["folk", "jazz", "soul"], name="a", title="a")
    told = re.search(r"<desc[^>]*>(.*)</desc>", svg)
    assert told is not None
    words = told[1].replace("\N{NO-BREAK SPACE}", " ")
    assert words == (
        "Each row is a true genre. folk: 75 % of 4 right, most often taken for jazz (25 %). "
        "jazz: 50 % of 10 right, most often taken for soul (30 %). soul: no covers."
    )


def test_confusion_of_many_genres_has_no_numbers_but_all_names() -> None:
    names = [f"genre {at}" for at in range(40)]
    svg = plots.confusion(np.eye(40, dtype=int).tolist(), names, name="a", title="a")
    texts = [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]
    assert set(names) <= set(texts)
    assert not any("%" in text for text in texts)


def test_roc_has_a_corner_for_each_distinct_proba() -> None:
    # found: 1 of 2 at 0.9, then one other along with the second at 0.5, then the last other
    svg = plots.roc([True, True, False, False], [0.9, 0.5, 0.5, 0.1], name="a", title="a")
    assert "Where half of the genre is found, 0\N{NO-BREAK SPACE}% of the others are taken for it" in svg
    assert "where four fifths, 50\N{NO-BREAK SPACE}%." in svg


def test_settings_of_matplotlib_are_left_as_they_were() -> None:
    before = dict(matplotlib.rcParams)
    figures()
    assert dict(matplotlib.rcParams) == before


@given(st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_an_estimate_in_words_holds_its_value_and_both_ends(value: float, below: float, above: float) -> None:
    words = estimate_words({"value": value, "low": value - below, "high": value + above})
    numbers = [float(number.replace("\N{MINUS SIGN}", "-")) for number in re.findall(r"\N{MINUS SIGN}?[\d.]+", words)]
    assert len(numbers) == 3
    for shown, meant in zip(numbers, (value, value - below, value + above), strict=True):
        assert shown == pytest.approx(100 * meant, abs=0.51)


@pytest.mark.parametrize(
    ("value", "low", "high", "percent", "words"),
    [
        (0.38, 0.351, 0.412, True, "38 % (35–41)"),
        (0.972, 0.968, 0.976, True, "97.2 % (96.8–97.6)"),
        (0.025, 0.0, 0.05, True, "2.5 % (0.0–5.0)"),
        (0.0, -0.02, 0.02, True, "0 % (−2 to 2)"),
        (1.0, 1.0, 1.0, True, "100 % (100–100)"),
        (0.712, 0.66, 0.75, False, "0.71 (0.66–0.75)"),
        (0.7123, 0.711, 0.714, False, "0.712 (0.711–0.714)"),
    ],
)
def test_estimates_read_the_same_everywhere(value: float, low: float, high: float, percent: bool, words: str) -> None:
    said = estimate_words({"value": value, "low": low, "high": high}, percent=percent)
    assert said.replace("\N{NO-BREAK SPACE}", " ") == words
