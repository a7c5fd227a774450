from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from audited import FIGURES, audit, finding, write_audit
from finished import Finished, finished
from sleevenotes.covers.dataset import Dataset
from sleevenotes.errors import EvaluationError
from sleevenotes.publish import plots
from sleevenotes.publish.audit_figures import axis_of, boxes, dots, square_map
from sleevenotes.publish.audit_page import closing, rows, write_audit_page
from sleevenotes.publish.caveats import caveats
from sleevenotes.publish.report import render, write_report
from sleevenotes.publish.results import Results, read
from studied import NASTY
from test_study_page import Page

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write_audit(tmp_path_factory.mktemp("audit"))
    write_audit_page(made)
    return made


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(folder / "audit.html")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished(tmp_path_factory.mktemp("run"), covers=60)


@pytest.fixture(scope="module")
def results(run: Finished) -> Results:
    return read(**run.required)


@pytest.fixture(autouse=True)
def hinted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only hint at the report's own figures, which is quicker."""
    for figure in ("intervals", "confusion", "lines", "reliability", "roc"):
        monkeypatch.setattr(plots, figure, lambda *_, name, **__: f'<svg id="{name}"></svg>')


def fitting(results: Results, **changes: Any) -> dict[str, Any]:
    """An audit of the very covers that the report is of."""
    return audit(dataset={"name": "five", "fingerprint": results.dataset.fingerprint}, **changes)


def audited(run: Finished, where: Path, told: dict[str, Any]) -> Results:
    """Results with an audit beside the evaluation, in another folder than those of the other tests."""
    shutil.copy(run.folder / "evaluation.json", where)
    write_audit(where / "audit", told)
    return read(run.folder / "dataset", run.folder / "model", where)


def of(verdict: str) -> list[dict[str, Any]]:
    return [finding(id_, {}) | {"verdict": verdict} for id_ in FIGURES]


def test_page_is_valid_and_asks_for_nothing(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    named = [id_ for value in page.values("aria-labelledby") for id_ in value.split()]
    assert {target[1:] for target in page.values("href")} | set(named) <= set(ids)
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.values("src"))
    assert not re.search(r"url\((?!#)|@import|<script", page.html)
    assert not any(attribute.startswith("on") for element in page.tree.iter() for attribute in element.attrib)


def test_headings_go_down_by_one_and_pictures_have_words(page: Page) -> None:
    levels = [int(each.tag[1]) for each in page.tree.iter() if re.fullmatch(r"h\d", str(each.tag))]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(picture.get("alt") for picture in page.tree.iter("img"))
    figures = list(page.tree.iter(f"{SVG}svg"))
    assert len(figures) > len(FIGURES)
    assert all(figure.get("role") == "img" for figure in figures)
    assert all(figure.find(f"{SVG}{part}").text for figure in figures for part in ("title", "desc"))


def test_names_of_other_people_stay_text(page: Page) -> None:
    assert "five <genres>, audited" in page.text
    assert NASTY.replace("\u202e", " ").replace("\x07", " ").split("<")[0] in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page.html)
    assert "<b>luos" not in page.html


def test_the_worst_comes_first_and_what_is_clean_is_not_opened(page: Page) -> None:
    verdicts = [told.rpartition(" ")[2] for told in page.classed("said")]
    assert verdicts == sorted(verdicts, key=["broken", "suspicious", "clean"].index)
    opened = page.classed("finding")
    assert len(opened) == sum(verdict != "clean" for *_, verdict in FIGURES.values())
    assert not any("Artists on both sides broken" in told for told in opened)
    assert "Artists on both sides No more than chance would give." in page.text


def test_a_finding_says_all_that_it_knows(page: Page) -> None:
    told = page.text
    for words in (
        "What to do. Send all covers through one identical path",
        "sleevenotes harmonise out/dataset -o out/same --size 256",
        "(3,430 covers in 2,877 groups; p = 0.004)",
        "The highest 8 of 9.",
        "most from the framed place (bottom right, ROC AUC 0.73)",
        "Near-duplicates 1,204",
        "Split at random", "Groups kept apart", "Difference",
        "As collected", "Harmonised", "Both kinds from one source",
        "In the other's properties", "Lettering masked",
        "layer 3", "In the order of the map", "Putting them in",
    ):  # fmt: skip
        assert words in told, words
    assert page.html.count("<td><bdi>folk</bdi></td>") == 10
    assert "whoever" not in page.html


def test_a_verdict_is_told_by_word_and_mark_and_colour(page: Page) -> None:
    for element in page.tree.iter("span"):
        if "ruled" in (element.get("class") or ""):
            verdict = element.get("class").split()[1]
            assert "".join(element.itertext()).strip() == verdict
            assert element.find("i").get("aria-hidden") == "true"
    assert {"broken", "suspicious", "clean"} <= {name for told in page.values("class") for name in told.split()}


def test_without_covers_no_picture_is_in_the_page(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "audit.json", tmp_path)  # and no picture
    page = Page(write_audit_page(tmp_path, covers=False))
    assert "<img" not in page.html
    assert "No covers are shown" in page.text


def test_pictures_come_from_the_folder_of_the_audit_only(tmp_path: Path) -> None:
    outside = write_audit(tmp_path / "other") / "labels.jpg"
    told = audit()
    for each in told["findings"]:
        each["files"] = [{"file": str(outside), "caption": "x"}, {"file": "../other/labels.jpg"}]
    page = Page(write_audit_page(write_audit(tmp_path / "here", told)))
    assert "<img" not in page.html


def test_a_picture_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    write_audit(tmp_path)
    (tmp_path / "swap.jpg").write_bytes(b"no picture")
    assert "1 picture could not be read and is not shown" in Page(write_audit_page(tmp_path)).text


def test_an_audit_that_tells_little_can_be_shown(tmp_path: Path) -> None:
    few = {
        "verdict": "broken",
        "findings": [{"verdict": "broken"}, {"verdict": "clean", "measured": None, "details": {}}],
    }
    page = Page(write_audit_page(write_audit(tmp_path / "few", few)))
    assert page.tree is not None
    assert "Broken." in page.text
    nothing = Page(write_audit_page(write_audit(tmp_path / "none", {"verdict": "clean", "findings": []})))
    assert "No check was made." in nothing.text
    assert nothing.tree is not None


@pytest.mark.parametrize(
    "details",
    [
        {"properties": "width", "traces": [1, {"auc": None}], "places": [{"box": [0, 1], "score": 2}, {"box": "abcd"}]},
        {"shared": [1], "price": 3, "noise": {"a": None}, "suspects": {"x": 1}, "layers": [{"name": None}]},
        {"places": [{"box": [0, 0, 32, "x"], "score": 0.5}], "deletion": [], "before": "x", "after": {}},
    ],
)
def test_details_that_hold_something_else_show_nothing(tmp_path: Path, details: dict[str, Any]) -> None:
    told = [finding(id_, details) | {"verdict": "broken"} for id_ in FIGURES]
    page = Page(write_audit_page(write_audit(tmp_path, audit(findings=told))))
    assert page.tree is not None
    assert "smalls" not in page.html.partition("<body")[2]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "not there. Run `sleevenotes audit DATASET -o FOLDER` again"),
        ("[]", "an empty list. An object was expected"),
        ('{"format": 3}', r"format 3\. At most format 1 is read here\. Update sleevenotes"),
        ('{"verdict": "clean"}', "findings is missing. A list was expected"),
        ('{"verdict": "fine", "findings": []}', "verdict is 'fine'. One of clean, suspicious, broken was expected"),
        ('{"verdict": "clean", "findings": [{}]}', "verdict is missing. One of clean"),
    ],
)
def test_a_broken_audit_is_named(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "audit.json").write_text(content, encoding="utf-8")
    with pytest.raises(EvaluationError, match=words):
        write_audit_page(tmp_path)
    assert not (tmp_path / "audit.html").exists()


def test_terminal_gets_the_findings_and_a_sentence() -> None:
    header, table = rows(audit())
    assert len(table) == len(FIGURES)
    assert all(len(row) == len(header) for row in table)
    assert table[0] == ("broken", "1 Artefacts without pixels", "ROC AUC", "0.98 (0.97–0.99)", "0.50", "0.004")
    told = closing(audit(words="Broken: the files. 2 of 11 findings are clean."))
    assert told.startswith("Broken. The files. 2 of 11 findings are clean. Left out: 5 Control of r&b")
    assert "\u202e" not in told


# --- the report -------------------------------------------------------------------------------------------------------


def test_a_report_without_an_audit_says_so_and_how_to_make_one(results: Results) -> None:
    html = render(results, covers=False)
    assert "This model has not been audited" in html
    at = results.at
    command = f"sleevenotes audit {at.dataset} --trained {at.model} -o {at.out}/audit"
    assert f"<code>{command}</code>" in html
    assert at.dataset == str(results.dataset.folder)
    assert 'class="alarm' not in html


@pytest.mark.parametrize("place", ["audit", "."])
def test_a_report_shows_the_audit_that_lies_beside_it(
    run: Finished, results: Results, tmp_path: Path, place: str
) -> None:
    shutil.copy(run.folder / "evaluation.json", tmp_path)
    write_audit(tmp_path / place, fitting(results))
    made = write_report(tmp_path / "r.html", dataset=run.folder / "dataset", model=run.folder / "model",
                        evaluation=tmp_path)  # fmt: skip
    page = Page(made)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {target[1:] for target in page.values("href")} <= set(ids)
    assert page.text.index("The audit calls this broken.") < page.text.index("Right answers")
    assert page.text.index("The audit calls this broken.") < page.text.index("judged by their covers")
    assert "What to do. Send all covers through one identical path" in page.text
    assert "Sheet of r&b" in page.text


def test_an_audit_of_other_covers_is_not_shown(run: Finished, tmp_path: Path) -> None:
    found = audited(run, tmp_path, audit())
    html = render(found, covers=False)
    assert "but of other covers than these" in html
    assert "calls this broken" not in html
    assert 'class="finding"' not in html


def test_an_audit_of_another_model_says_so(run: Finished, results: Results, tmp_path: Path) -> None:
    html = render(audited(run, tmp_path, fitting(results, model="color")), covers=False)
    assert "The model that was audited is color; this report is of small." in html
    html = render(audited(run, tmp_path, fitting(results, model=None)), covers=False)
    assert "Only the dataset was audited." in html


def test_a_broken_audit_beside_a_report_is_named(run: Finished, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="verdict is 'odd'"):
        audited(run, tmp_path, audit(verdict="odd"))


def test_caveats_know_what_the_audit_found(run: Finished, results: Results, tmp_path: Path) -> None:
    found = audited(run, tmp_path, fitting(results))
    assert found.audit is not None

    def said(verdict: str, findings: list[dict[str, Any]]) -> dict[str, str]:
        told = fitting(results, verdict=verdict, findings=findings)
        assert found.audit is not None
        return dict(caveats(replace(found, audit=replace(found.audit, told=told))))

    broken = said("broken", of("broken"))
    assert next(iter(broken)) == "The audit calls this broken."
    assert "and 5 more" in broken["The audit calls this broken."]
    assert "Shortcuts are not ruled out." not in broken
    maps = [finding("random", {}) | {"verdict": "broken"}]
    assert "heat maps" in said("broken", maps)["The audit calls its maps broken."]
    assert "with that in mind" in said("suspicious", of("suspicious"))["The audit calls this suspicious."]
    assert "there may be others" in said("clean", of("clean"))["Shortcuts are not ruled out."]
    assert "were not looked into" in said("clean", [])["Shortcuts are not ruled out."]


# --- the figures ------------------------------------------------------------------------------------------------------


finite = st.floats(-1e6, 1e6)


@given(finite, finite, finite, st.none() | finite)
def test_nothing_is_drawn_beyond_an_axis(value: float, low: float, high: float, chance: float | None) -> None:
    low, value, high = sorted((low, value, high))
    known = {"value": value, "low": low, "high": high}
    axis = axis_of([known], chance)
    assert axis[0] <= min(low, 0)
    assert axis[1] >= high
    root = ET.fromstring(dots(known, axis, title="<&>", chance=chance))
    places = [float(at[:-1]) for each in root.iter() for key, at in each.items() if key in ("x1", "x2", "cx")]
    assert all(0 <= place <= 100 for place in places)
    assert root.find("title").text == "<&>"  # type: ignore[union-attr]


def test_a_share_and_its_chance_stand_where_they_belong() -> None:
    root = ET.fromstring(dots({"value": 0.75, "low": 0.7, "high": 0.8}, (0, 1), title="t", chance=0.5))
    assert root.find("circle").get("cx") == "75.00%"  # type: ignore[union-attr]
    assert [each.get("x1") for each in root.findall("line")] == ["0%", "50.00%", "70.00%"]


def test_places_in_pixels_become_shares_and_the_best_has_a_frame() -> None:
    places = boxes([{"box": [0, 0, 50, 50], "score": 0.6}, {"box": [50, 50, 100, 100], "score": 0.9}])
    assert places[1] == ((0.5, 0.5, 1.0, 1.0), 0.9)
    root = ET.fromstring(square_map(places, title="t"))
    best = next(each for each in root.findall("rect") if each.get("class") == "best")
    assert (best.get("x"), best.get("y"), best.get("width")) == ("50.0", "50.0", "50.0")
    assert "bottom right 0.90; top left 0.60" in (root.findtext("desc") or "")


def test_the_fingerprint_is_that_of_the_whole_dataset(run: Finished, results: Results, tmp_path: Path) -> None:
    found = audited(run, tmp_path, fitting(results))
    assert found.audit is not None
    assert found.audit.fits
    assert json.loads((tmp_path / "audit" / "audit.json").read_text())["dataset"]["fingerprint"] == (
        Dataset.open(run.folder / "dataset").fingerprint
    )


def test_axe_finds_nothing_in_a_browser(folder: Path) -> None:
    reason = "axe needs playwright, axe-playwright-python and a Chromium, which are not required for development"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason)
    axe = pytest.importorskip("axe_playwright_python", reason=reason)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip(reason)
    script = next(Path(axe.__file__).parent.rglob("axe*.js")).read_text(encoding="utf-8")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for width, scheme in ((390, "dark"), (1280, "light")):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.goto((folder / "audit.html").as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.evaluate(script)
            found = page.evaluate("axe.run().then(found => found.violations.map(each => each.id))")
            assert found == []
        browser.close()
