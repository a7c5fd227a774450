from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import html5lib  # type: ignore[import-untyped]
import pytest

from sleevenotes.errors import EvaluationError
from sleevenotes.publish.exhibits import Exhibits
from sleevenotes.publish.pictures import Pictures
from sleevenotes.publish.study_page import write_study_page
from sleevenotes.publish.tables import cell_parts, duration, shown_table
from studied import LONG, NASTY, study, write_study

FOREIGN = "{http://www.w3.org/2000/svg}"
FIVE = ("country", "electronic", "hip-hop", "pop", "rock")
KINDS: dict[str, dict[str, Any]] = {
    "nasty": {},
    "five": {"genres": FIVE, "quick": False},
    "many": {"genres": [f"genre {at}" for at in range(30)]},
}


class Page:
    """A page: its source, its text, and, where a test asks for it, what a strict parser makes of it."""

    def __init__(self, path: Path) -> None:
        self.html = path.read_text(encoding="utf-8")
        body = re.sub(r"</(td|th|dt|dd|li|p|b|h\d)>", " ", self.html.partition("<body>")[2])
        self.text = " ".join(html.unescape(re.sub(r"<[^>]*>", "", body)).replace("\xa0", " ").split())

    @cached_property
    def tree(self) -> Any:
        return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(self.html)

    def values(self, attribute: str) -> list[str]:
        return [element.get(attribute) for element in self.tree.iter() if element.get(attribute) is not None]

    def classed(self, name: str) -> list[str]:
        found = [each for each in self.tree.iter() if name in (each.get("class") or "").split()]
        return [" ".join("".join(each.itertext()).replace("\xa0", " ").split()) for each in found]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Page]:
    made: dict[str, Page] = {}

    def page(kind: str) -> Page:
        if kind not in made:
            folder = write_study(tmp_path_factory.mktemp(kind), study(**KINDS[kind]))
            made[kind] = Page(write_study_page(folder))
        return made[kind]

    return page


def small(**changes: Any) -> dict[str, Any]:
    """Return a study of one table, which is quickly drawn."""
    content = study(FIVE)
    section = content["sections"][0] | {"figures": [], "tables": content["sections"][0]["tables"][:1]}
    return content | {"sections": [section]} | changes


def broken(kind: str, **data: Any) -> str:
    """Return a study.json with one figure in it."""
    return json.dumps({"sections": [{"figures": [{"id": "x", "title": "t", "kind": kind, **data}]}]})


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_is_valid_and_asks_for_nothing(kind: str, pages: Callable[[str], Page]) -> None:
    page = pages(kind)
    assert page.values("src")
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.values("src"))
    assert all(target.startswith("#") for target in page.values("href"))
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & {str(e.tag) for e in page.tree.iter()}
    assert not any(attribute.startswith("on") for element in page.tree.iter() for attribute in element.attrib)
    assert not re.search(r"url\((?!#)|@import", page.html)


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_unique_and_every_reference_is_met(kind: str, pages: Callable[[str], Page]) -> None:
    page = pages(kind)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    named = [id_ for value in page.values("aria-labelledby") for id_ in value.split()]
    assert {target[1:] for target in page.values("href")} | set(named) <= set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_figures_say_in_words_what_they_show(kind: str, pages: Callable[[str], Page]) -> None:
    page = pages(kind)
    figures = [each for each in page.tree.iter(f"{FOREIGN}svg") if each.get("id")]
    assert len(figures) == 7
    assert all(figure.get("role") == "img" for figure in figures)
    assert all(figure.find(f"{FOREIGN}{part}").text for figure in figures for part in ("title", "desc"))
    assert all(picture.get("alt") for picture in page.tree.iter("img"))


def test_texts_from_outside_stay_texts(pages: Callable[[str], Page]) -> None:
    page = pages("nasty")
    assert NASTY.replace("\u202e", " ").replace("\x07", " ") in page.text
    assert "<script" not in page.html
    assert "evil" not in page.html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9e\u202a-\u202e]", page.html)


def test_code_and_emphasis_are_set_in_words(pages: Callable[[str], Page]) -> None:
    assert "With <code>code</code>, <em>emphasis</em> and &lt;script&gt;" in pages("nasty").html


def test_ours_stands_beside_the_papers_with_intervals_and_a_note(pages: Callable[[str], Page]) -> None:
    page = pages("nasty")
    assert page.classed("group")[:2] == ["the paper", "ours"]
    assert page.classed("theirs")[:3] == ["the paper", "random, test", "resize, test"]
    assert "14.8 % 12.8–16.8" in page.classed("theirs")
    assert any(re.fullmatch(r"\d\d\.\d % \d\d\.\d–\d\d\.\d", cell) for cell in page.classed("ours"))
    assert "n = 686 covers, 40 epochs; quick: left out lasso at 100 px." in page.text
    assert "n = 686 covers; quick: 2 epochs of 10, ResNet-152 left out." in page.text


def test_what_is_missing_is_said_quietly(pages: Callable[[str], Page]) -> None:
    page = pages("nasty")
    assert page.classed("absent") == ["not at hand"]
    assert " ".join(LONG.replace("`", "").replace("*", "").split()) in page.classed("remark")[1]
    assert page.classed("none") == ["not at hand"]
    assert "1 cover could not be read and is not shown" in page.text


def test_a_quick_run_says_so_at_the_top_and_a_whole_one_does_not(pages: Callable[[str], Page]) -> None:
    quick, whole = pages("nasty"), pages("five")
    assert quick.text.startswith("Skip to the study Quick run: fewer covers")
    assert "Not for citing" in quick.text
    assert "<title>Quick run: " in quick.html
    assert "Quick run" not in whole.text


def test_colours_of_a_distance_are_turned_and_the_page_says_so(pages: Callable[[str], Page]) -> None:
    page = pages("five")
    assert page.text.count("A distance: small is alike, so the colours are turned") == 1
    assert "Small numbers mean alike." in page.text


def test_contents_lead_to_every_section_table_and_figure(pages: Callable[[str], Page]) -> None:
    page = pages("nasty")
    targets = page.values("href")
    for target in ("colors", "colors-2", "wished", "making", "table-1", "table-2", "table-4", "heat-small", "palettes"):
        assert f"#{target}" in targets


def test_figures_of_one_kind_stand_beside_each_other_and_share_their_note(pages: Callable[[str], Page]) -> None:
    page = pages("five")
    assert page.text.count("100 draws of 50 covers") == 1
    assert len(page.classed("charts")) == 3


def test_a_page_without_covers_has_no_pixel_of_them(tmp_path: Path) -> None:
    folder = write_study(tmp_path, study(FIVE))
    shutil.rmtree(folder / "covers")
    page = Page(write_study_page(folder, covers=False))
    assert "<img" not in page.html
    assert "data:" not in page.html.replace("img-src data:", "")
    assert "No covers are shown" in page.text
    assert "38 % ambient" in page.text


def test_sixteen_covers_make_the_front(tmp_path: Path) -> None:
    genres = [f"genre {at}" for at in range(16)]
    content = study(genres)
    content["sections"] = [content["sections"][0] | {"tables": [], "figures": content["sections"][0]["figures"][-2:-1]}]
    page = Page(write_study_page(write_study(tmp_path, content)))
    assert "Sixteen covers of the study, side by side." in page.html


def test_the_same_study_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = write_study(tmp_path, study(FIVE))
    first = write_study_page(folder).read_bytes()
    assert write_study_page(folder).read_bytes() == first
    assert sorted(path.name for path in folder.iterdir()) == ["covers", "study.html", "study.json"]


def test_a_study_of_nothing_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"sections": []}', encoding="utf-8")
    page = Page(write_study_page(tmp_path))
    assert "How this was made" in page.text
    assert page.tree is not None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "not there. Run `sleevenotes study` again"),
        ("{", "no valid JSON"),
        ("[]", "an empty list. An object was expected"),
        ('{"format": 9}', r"format 9\. At most format 1 is read here\. Update sleevenotes"),
        ('{"format": 1}', r"sections is missing\. A list was expected"),
        ('{"sections": [{"tables": [{"id": "x"}]}]}', r"the table 'x' can't be shown\. Make it again"),
        (broken("pie"), "kind 'pie' is none of heat"),
        (broken("heat", rows=["a"], columns=["a", "b"], matrix=[[1]]), "figure 'x' can't be .*its matrix is not 1 × 2"),
        (broken("lines", x=[1, 2], series={"a": [1]}), "each series needs one estimate for each x"),
    ],
)
def test_a_broken_study_is_named_and_no_page_is_left(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "study.json").write_text(content, encoding="utf-8")
    with pytest.raises(EvaluationError, match=words):
        write_study_page(tmp_path)
    assert not (tmp_path / "study.html").exists()


def test_paths_of_covers_never_stand_on_the_page(tmp_path: Path) -> None:
    content = study(FIVE)
    far = str(tmp_path / "covers" / "0.jpg")
    items = [{"file": file, "caption": "c", "lines": []} for file in (far, "no\x00name", None)]
    figure = {"id": "f", "title": "t", "note": "", "kind": "covers", "items": items}
    content["sections"] = [{"id": "s", "title": "S", "figures": [figure]}]
    page = Page(write_study_page(write_study(tmp_path, content)))
    assert page.html.count("data:image/jpeg") == 1
    assert str(tmp_path) not in page.html


@pytest.mark.parametrize(
    ("cell", "kind", "value", "interval"),
    [
        (None, "percent", "—", ""),
        ({"value": None, "low": None, "high": None}, "number", "—", ""),
        (float("nan"), "percent", "—", ""),
        (0.333, "percent", "33 %", ""),
        (0.012, "percent", "1.2 %", ""),
        ({"value": 0.4, "low": 0.35, "high": None}, "percent", "40 %", ""),
        ({"value": -0.02, "low": -0.05, "high": 0.01}, "percent", "−2.0 %", "−5.0 to 1.0"),
        ({"value": 0.5, "low": 0.4, "high": 0.6}, "number", "0.50", "0.40–0.60"),
        (12345, "number", "12,345", ""),
        (1e-4, "number", "0.0001", ""),
        (-0.001, "number", "−0.001", ""),
        ({"value": 5.5, "low": 2.0, "high": 9.0}, "rank", "5.5", "2–9"),
        (7, "rank", "7", ""),
        (8800, "count", "8,800", ""),
        (3900, "seconds", "1 h 05 min", ""),
        ("not at hand", "percent", "not at hand", ""),
        (3, "text", "3", ""),
    ],
)
def test_cells_read_as_a_person_would_write_them(cell: Any, kind: str, value: str, interval: str) -> None:
    parts = cell_parts(cell, kind)
    assert (parts["value"].replace("\xa0", " "), parts["interval"]) == (value, interval)


def test_percentages_have_as_many_decimals_as_the_paper_prints() -> None:
    columns = [{"name": "a", "group": "paper", "kind": "percent"}, {"name": "b", "group": "ours", "kind": "percent"}]

    def ours(paper: float) -> str:
        table = shown_table({"title": "t", "columns": columns, "rows": [{"name": "r", "cells": [paper, 0.5]}]})
        return str(table["rows"][0]["cells"][1]["value"])

    assert ours(0.148) == "50.0\xa0%"
    assert ours(0.15) == "50\xa0%"


def test_a_short_row_ends_in_gaps() -> None:
    table = shown_table(
        {"title": "t", "columns": [{"name": "a"}, {"name": "b"}], "rows": [{"name": "r", "cells": ["x"]}]}
    )
    assert [cell["value"] for cell in table["rows"][0]["cells"]] == ["x", "—"]
    assert table["groups"] == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.04, "0.0 s"), (9.96, "10 s"), (99.4, "99 s"), (100, "2 min"), (3599, "1 h 00 min")],
)
def test_times_round_to_what_is_worth_saying(seconds: float, words: str) -> None:
    assert duration(seconds).replace("\xa0", " ") == words


def test_anchors_are_never_given_twice() -> None:
    exhibits = Exhibits(Path(), Path(), Pictures(covers=False))
    assert [exhibits.anchor(name) for name in ("a", "a", "a-2", "A!")] == ["a", "a-2", "a-2-2", "a-3"]


def test_a_strong_row_and_remarks_span_the_table(tmp_path: Path) -> None:
    page = Page(write_study_page(write_study(tmp_path, small())))
    assert len(page.classed("strong")) == 1
    assert page.classed("remark")[0] == "did not converge"
    assert json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))["quick"]


def test_axe_finds_nothing_in_a_browser(tmp_path: Path) -> None:
    reason = "axe needs playwright, axe-playwright-python and a Chromium, which are not required for development"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason)
    axe = pytest.importorskip("axe_playwright_python", reason=reason)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip(reason)
    script = next(Path(axe.__file__).parent.rglob("axe*.js")).read_text(encoding="utf-8")
    address = write_study_page(write_study(tmp_path, study(FIVE))).as_uri()
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for width, scheme in ((390, "dark"), (1280, "light")):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.goto(address)
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.evaluate(script)
            found = page.evaluate("axe.run().then(found => found.violations.map(each => each.id))")
            assert found == []
        browser.close()
