"""The page's screens browse, cover, map and model, in a real browser: thousands of covers, and hostile names."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from conftest import copy_of
from page_for_tests import Open, axe_finds, page_of
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import sha256
from sleevenotes.judge.evaluation import evaluate
from sleevenotes.learn.model import Model
from training_for_tests import quickly

MORE = 2000  # covers that only make the wall longer
HOSTILE_GENRE = "<img src=x onerror=\"document.title='broken into'\">"
HOSTILE_ARTIST = "<script>document.title='broken into'</script> & \"Sons\""
SCREENS = ("browse", "cover", "map", "model")


@dataclass(frozen=True)
class Archive:
    """A served dataset: the page's address, and where its table lies."""

    address: str
    folder: Path

    def at(self, place: str) -> str:
        return f"{self.address}#/{place}"

    def rows(self) -> list[dict[str, str]]:
        return _read(self.folder / "metadata.csv")

    def genres_of(self, name: str) -> str:
        return next(row["genres"] for row in self.rows() if row["file_name"] == name)


@pytest.fixture(scope="module")
def archive(
    browser: Any, single: Dataset, small_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Archive]:
    """Covers that a model was judged on, and two thousand more; one has a hostile genre, one a hostile artist."""
    from sleevenotes.publish.web.service import Service  # only tests of the page need FastAPI

    folder = tmp_path_factory.mktemp("archive")
    judged = copy_of(single, folder / "dataset")
    evaluate(small_model, judged, folder, resamples=60)
    dataset = _lengthened(judged)
    _lay_out(folder, small_model, dataset)
    with quickly(), page_of(Service(small_model, dataset, folder)) as address:
        yield Archive(address, dataset.folder)


def _lengthened(dataset: Dataset) -> Dataset:
    """The same covers, and as many more as the wall needs; these are files of the same bytes."""
    rows = _read(dataset.folder / "metadata.csv")
    rows[0]["artist"] = HOSTILE_ARTIST
    for at in range(MORE):
        of = rows[at % 100]
        name = f"images/more-{at:04d}.png"
        os.link(dataset.folder / of["file_name"], dataset.folder / name)
        rows.append({**of, "file_name": name, "split": "train", "group": f"more-{at}", "artist": f"more {at // 3}"})
    rows[-1] |= {"genres": HOSTILE_GENRE, "split": ""}
    with (dataset.folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return Dataset.open(dataset.folder)


def _lay_out(folder: Path, model: Model, dataset: Dataset) -> None:
    """A map as `map` writes it, but by chance: what it looks like is no matter here."""
    places = np.random.default_rng(0).random((len(dataset), 2)).round(4).tolist()
    with (folder / "map.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("file_name", "x", "y", "genres", "split"))
        for name, (x, y) in zip(dataset.file_names, places, strict=True):
            table.writerow((name, x, y, "folk", "train"))
    told = {
        "format": 1,
        "layout": "t-SNE",
        "words": "Neighbours share a genre by chance.",
        "dataset": {"covers": len(dataset)},
    }
    told |= {"model_sha256": sha256((model.folder / "model.json").read_bytes())}
    (folder / "map.json").write_text(json.dumps(told), encoding="utf-8")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_covers_are_found_and_a_link_finds_them_again(archive: Archive, opened: Open) -> None:
    page = opened(archive.at("browse"))
    page.get_by_text("2,200 covers", exact=True).wait_for()
    page.locator("select[name='genre']").select_option("jazz")
    page.locator("select[name='split']").select_option("test")
    wanted = [row for row in archive.rows() if row["genres"] == "jazz" and row["split"] == "test"]
    page.get_by_text(f"{len(wanted)} covers found").wait_for()
    assert [words.strip() for words in page.locator(".tile .genres").all_inner_texts()] == ["jazz"] * len(wanted)

    again = opened(page.url)
    again.get_by_text(f"{len(wanted)} covers found").wait_for()
    assert again.locator("select[name='genre']").input_value() == "jazz"

    page.get_by_role("button", name="Show all").click()
    page.locator("input[name='artist']").fill("MORE 17")
    many = sum("more 17" in row["artist"] for row in archive.rows())
    page.get_by_text(f"{many} covers found").wait_for()
    assert page.url.endswith("#/browse?artist=MORE+17")
    page.locator("input[name='q']").fill("nowhere to be found")
    page.get_by_text("No cover is like that.").wait_for()


def test_right_and_wrong_and_how_sure_are_of_those_that_were_asked(archive: Archive, opened: Open) -> None:
    said = _read(archive.folder.parent / "predictions.csv")
    page = opened(archive.at("browse?verdict=wrong&sort=proba&descending=true"))
    wrong = [row for row in said if row["correct"] == "0"]
    page.get_by_text(f"{len(wrong)} cover").wait_for()
    assert all(words.startswith("✗ said") for words in page.locator(".said").all_inner_texts())
    page.locator("select[name='verdict']").select_option("")
    page.get_by_label("How sure at least").fill("0.5")
    sure = sum(float(row["confidence"]) >= 0.5 for row in said)
    page.get_by_text("No cover is like that." if not sure else f"{sure} cover").wait_for()
    assert "least=0.5" in page.url


def test_thousands_of_covers_scroll_with_few_of_them_in_the_page(archive: Archive, opened: Open) -> None:
    page = opened(archive.at("browse"))
    page.get_by_text("2,200 covers", exact=True).wait_for()
    page.locator(".tile .named").first.wait_for()
    grid = page.get_by_role("grid")
    rows, columns = (int(grid.get_attribute(name)) for name in ("aria-rowcount", "aria-colcount"))
    assert rows == -(-2200 // columns)
    seen = []
    for share in (0.2, 0.5, 0.9, 1):
        page.evaluate("share => scrollTo(0, share * document.documentElement.scrollHeight)", share)
        page.wait_for_function(
            "() => [...document.querySelectorAll('.tile')].every(each => each.href) && document.querySelector('.tile')"
        )
        seen.append(int(page.locator(".shelf").first.get_attribute("aria-rowindex")))
        assert page.evaluate("document.querySelectorAll('*').length") < 1500
        assert page.locator(".tile").count() <= 12 * columns
    assert seen == sorted(set(seen))
    assert page.locator(".shelf").last.get_attribute("aria-rowindex") == str(rows)
    assert page.locator(".tile .named").last.inner_text() == "more 666"


def test_keys_walk_along_the_wall_and_the_way_back_ends_where_it_began(archive: Archive, opened: Open) -> None:
    page = opened(archive.at("browse"))
    page.locator(".tile .named").first.wait_for()
    columns = int(page.get_by_role("grid").get_attribute("aria-colcount"))
    page.locator(".tile").first.focus()
    steps = {"ArrowRight": 1, "ArrowDown": 1 + columns, "End": 2 * columns - 1, "ArrowUp": columns - 1, "Home": 0}
    steps |= {"ArrowLeft": 0, "Control+End": 2199, "Control+Home": 0, "PageDown": columns * 3}
    for key, at in steps.items():
        page.keyboard.press(key)
        assert page.evaluate("Number(document.activeElement.dataset.index)") == at
    page.keyboard.press("Control+Home")
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    page.wait_for_function("() => document.activeElement.href")
    top = page.evaluate("scrollY")
    assert top > 1000
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="What the model says").wait_for()
    page.go_back()
    page.wait_for_function("top => Math.abs(scrollY - top) < 2", arg=top)
    assert page.locator('.tile[tabindex="0"]').get_attribute("data-index") == str(12 * columns)


def _test_cover(page: Any, archive: Archive) -> str:
    """Open the first cover of the test split, by a click on the wall, and return its file name."""
    page.goto(archive.at("browse?split=test"))
    page.locator(".tile .named").first.wait_for()
    page.locator(".tile").first.click()
    page.locator(".screen-cover .bars").wait_for()
    return str(page.locator(".facts dd").last.inner_text())


def test_a_genre_is_mended_and_the_mending_undone(archive: Archive, opened: Open) -> None:
    page = opened(archive.address)
    name = _test_cover(page, archive)
    before = archive.genres_of(name)
    after = "metal" if before != "metal" else "folk"
    assert page.locator(".screen-cover form").count() == 0
    page.get_by_role("button", name="Edit genre").click()
    page.locator(".screen-cover select[name='genre']").select_option(after)
    page.get_by_label("Who says so").fill("Ann")
    page.get_by_role("button", name="Save").click()
    page.get_by_text(f"Changed from {before} to {after}.").first.wait_for()
    assert archive.genres_of(name) == after
    assert page.locator(".facts .genre").inner_text().strip() == after

    page.locator(".done").get_by_role("button", name="Undo").click()
    page.get_by_text(f"Changed from {after} to {before}.").first.wait_for()
    assert archive.genres_of(name) == before
    logged = [(each["who"], each["before"], each["after"]) for each in _read(archive.folder / "changes.csv")]
    assert logged[-2:] == [("Ann", before, after), ("Ann", after, before)]
    assert [words.split("\n")[0] for words in page.locator(".changes li").all_inner_texts()][-1].endswith(after)
    page.reload()
    page.get_by_role("button", name="Edit genre").click()
    page.get_by_label("Who says so").wait_for()
    assert page.get_by_label("Who says so").input_value() == "Ann"
    assert page.locator(".changes li").count() >= 2


def test_the_form_and_what_the_model_says_are_never_shown_together(archive: Archive, opened: Open) -> None:
    page = opened(archive.address)
    name = _test_cover(page, archive)
    answer = page.locator(".bars, .map-layers, .alike li, .screen-cover .verdict")
    page.locator(".alike li").first.wait_for()
    page.locator(".bars button").first.click()
    page.get_by_role("slider", name="What speaks for").wait_for()
    page.get_by_role("button", name="Edit genre").click()
    form = page.locator(".screen-cover form")
    assert "This cover is in the test: the model is judged by its genre." in form.inner_text()
    assert page.locator(".hidden-answer").is_visible()
    assert not any(each.is_visible() for each in answer.all())
    assert page.locator(".screen-cover").get_by_text("%").count() == 0

    page.get_by_role("button", name="Cancel").click()
    page.locator(".bars").wait_for()
    assert form.count() == 0
    page.get_by_role("button", name="Edit genre").click()
    before = archive.genres_of(name)
    form.locator("select").select_option("metal" if before != "metal" else "folk")
    form.get_by_label("Who says so").fill("Ann")
    page.get_by_role("button", name="Save").click()
    page.locator(".done").wait_for()
    assert page.locator(".bars").is_visible()
    page.locator(".done").get_by_role("button", name="Undo").click()
    page.get_by_text(f"to {before}.").first.wait_for()

    page.goto(archive.at("browse?split=train"))
    page.locator(".tile .named").first.wait_for()
    page.locator(".tile").first.click()
    page.get_by_role("button", name="Edit genre").click()
    assert "in the test" not in form.inner_text()


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(archive: Archive, opened: Open) -> None:
    page = opened(archive.address)
    name = _test_cover(page, archive)
    before = archive.genres_of(name)
    others = [genre for genre in ("folk", "jazz", "metal") if genre != before]
    cover = page.url.rsplit("/", 1)[1]
    told = {"genres": [others[0]], "who": "Ben"}
    page.request.patch(f"{archive.address}api/v1/covers/{cover}", data=told, headers={"X-Sleevenotes": "1"})
    page.get_by_role("button", name="Edit genre").click()
    page.locator(".screen-cover select[name='genre']").select_option(others[1])
    page.get_by_label("Who says so").fill("Ann")
    page.get_by_role("button", name="Save").click()
    said = page.locator(".state .problem")
    said.wait_for()
    assert name in said.inner_text()
    assert archive.genres_of(name) == others[0]
    page.reload()
    page.locator(".changes").get_by_role("button", name="Undo").first.click()
    page.get_by_text(f"Changed from {others[0]} to {before}.").first.wait_for()


def test_a_cover_shows_where_the_model_looks_and_what_it_resembles(archive: Archive, opened: Open) -> None:
    page = opened(archive.address)
    _test_cover(page, archive)
    assert page.locator(".learnt").count() == 0
    page.locator(".bars button").first.click()
    slider = page.get_by_role("slider", name="What speaks for")
    slider.wait_for()
    slider.fill("100")
    assert page.locator(".map-layers img").last.evaluate("each => each.style.opacity") == "1"
    page.locator(".bars button").first.click()
    assert not slider.is_visible()
    page.locator(".alike li").first.wait_for()
    here = page.url
    page.locator(".alike a").first.click()
    page.wait_for_url(lambda url: url != here)

    page.goto(archive.at("browse?split=train"))
    page.locator(".tile .named").first.wait_for()
    page.locator(".tile").first.click()
    page.get_by_text("What the model says of it proves nothing").wait_for()


def test_the_map_zooms_by_wheel_and_keys_and_opens_a_cover(archive: Archive, opened: Open) -> None:
    page = opened(archive.at("map"))
    canvas = page.locator("canvas")
    page.get_by_text("Neighbours share a genre by chance.").wait_for()
    page.locator(".near li").first.wait_for()
    assert page.locator(".near li").count() == 12
    afar = canvas.evaluate("each => each.toDataURL()")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    with page.expect_response(lambda answer: "/image" in answer.url):  # from near, dots become covers
        for _ in range(8):
            page.mouse.wheel(0, -300)
    assert canvas.evaluate("each => each.toDataURL()") != afar

    canvas.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("At the cross:").wait_for()
    heard = page.get_by_text("At the cross:").inner_text()
    for key in ("0", "+", "ArrowRight", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    page.wait_for_function("words => !document.body.innerText.includes(words)", arg=heard)
    first = page.locator(".near a").first.get_attribute("href")
    page.keyboard.press("Enter")
    page.locator(".screen-cover .bars").wait_for()
    assert page.url.endswith(first)


def test_a_genre_is_taken_off_the_map_and_a_cover_is_told_in_words(archive: Archive, opened: Open) -> None:
    page = opened(archive.at("map"))
    page.locator(".near li").first.wait_for()
    for genre in ("folk", "metal"):
        page.get_by_role("button", name=genre).click()
        assert page.get_by_role("button", name=genre).get_attribute("aria-pressed") == "false"
    page.wait_for_function(
        "() => ![...document.querySelectorAll('.near li')].some(each => /folk|metal/.test(each.innerText))"
    )
    box = page.locator("canvas").bounding_box()
    for step in range(40):
        page.mouse.move(box["x"] + box["width"] / 2 + step, box["y"] + box["height"] / 2 + 2 * step)
        if page.locator(".card").is_visible():
            break
    assert "jazz" in page.locator(".card").inner_text()


def test_a_map_that_is_being_made_is_waited_for(archive: Archive, opened: Open) -> None:
    page = opened(archive.address)
    said = {"kind": "busy", "sentence": "map: it is being made. Ask again in a moment."}
    answers = iter([503])

    def answer(route: Any) -> None:
        if next(answers, None):
            route.fulfill(status=503, headers={"Retry-After": "1"}, json={"error": said})
        else:
            route.continue_()

    page.route("**/api/v1/map", answer)
    page.goto(archive.at("map"))
    page.get_by_text("it is being made. Ask again in a moment. This page asks again every 1 s").wait_for()
    page.locator("canvas").wait_for()


def test_a_link_that_was_cut_off_is_told_as_a_cover_that_is_not_there(archive: Archive, opened: Open) -> None:
    page = opened(archive.at("cover/0f34%"))
    assert "0f34%" in page.locator(".problem").first.inner_text()


def test_a_map_that_nobody_waits_for_any_more_is_not_looked_for(archive: Archive, opened: Open) -> None:
    page = opened(archive.at("browse?genre=jazz"))
    page.locator(".tile .named").first.click()
    page.locator(".bar").first.click()
    page.locator(".map-layers").wait_for()
    page.route("**/explain*", lambda route: None)
    page.locator(".bar").nth(1).click()
    page.get_by_text("Looking where the model looks").wait_for()
    page.locator(".bar").nth(1).click()
    page.get_by_text("Looking where the model looks").wait_for(state="detached")
    assert not page.locator(".map-layers").is_visible()


def test_the_models_page_has_the_reports_figures(archive: Archive, opened: Open) -> None:
    told = json.loads((archive.folder.parent / "evaluation.json").read_text(encoding="utf-8"))
    page = opened(archive.at("model"))
    page.locator(".verdict").wait_for()
    assert page.locator(".verdict").inner_text() == told["verdict"]
    assert (
        page.locator(".headline .value").first.inner_text()
        == f"{told['accuracy']['value'] * 100:.0f}\N{NO-BREAK SPACE}%"
    )
    assert "sleevenotes audit" in page.locator(".missing").inner_text()
    recall = page.locator(".genres").get_by_role("button", name="Recall")
    recall.click()
    recall.click()
    shown = page.locator(".genres tbody th").all_inner_texts()
    values = [told["per_genre"][genre.strip()]["recall"]["value"] for genre in shown]
    assert values == sorted(values)


def test_a_cell_of_the_confusion_matrix_opens_its_covers(archive: Archive, opened: Open) -> None:
    page = opened(archive.at("model"))
    cell = page.locator(".confusion .cell a").first
    cell.wait_for()
    covers = int(cell.inner_text())
    cell.click()
    page.get_by_text(f"{covers} cover").first.wait_for()
    page.locator(".tile .named").first.wait_for()
    assert page.locator(".tile").count() == covers
    assert page.locator("select[name='predicted']").input_value() != ""


def test_names_from_outside_are_only_ever_text(archive: Archive, opened: Open) -> None:
    page = opened(archive.at(f"browse?genre={quote(HOSTILE_GENRE)}"))
    page.get_by_text("1 cover found").wait_for()
    assert HOSTILE_GENRE in page.locator(".tile").inner_text()
    page.locator(".tile").first.click()
    page.locator(".screen-cover .bars").wait_for()
    assert page.locator(".facts .genre").inner_text().strip() == HOSTILE_GENRE
    page.goto(archive.at("browse?artist=script"))
    page.get_by_text("1 cover found").wait_for()
    assert page.locator(".tile .named").inner_text() == HOSTILE_ARTIST
    page.locator(".tile").first.click()
    page.locator(".artist").wait_for()
    assert page.locator(".artist").inner_text() == HOSTILE_ARTIST
    page.goto(archive.at("map"))
    page.get_by_role("button", name=HOSTILE_GENRE).wait_for()
    assert page.locator("img[src=x]").count() == 0
    assert "broken into" not in page.title()


@pytest.mark.parametrize(("width", "colors"), [("phone", "dark"), ("laptop", "light")])
def test_axe_finds_nothing_serious_and_nothing_sticks_out(
    archive: Archive, opened: Open, width: str, colors: str
) -> None:
    page = opened(archive.at("browse"), width=width, colors=colors)
    page.locator(".tile .named").first.wait_for()
    cover = page.locator(".tile").first.get_attribute("href")
    ready = {"browse": ".tile .named", "cover": ".alike li", "map": ".near li", "model": ".confusion"}
    for name in SCREENS:
        page.goto(f"{archive.address}{cover}" if name == "cover" else archive.at(name))
        page.locator(f".screen-{name} {ready[name]}").first.wait_for()
        assert axe_finds(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
