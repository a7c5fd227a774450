"""The page's screen for a cover that somebody brings, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covers_for_tests import HUES, draw
from page_for_tests import Open, axe_finds, drop, heard, overhear, page_of, paste, until
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import decode, encode, resize
from sleevenotes.learn.model import Model
from training_for_tests import quickly

VERDICT = ".judge-shout"


@pytest.fixture(scope="module")
def address(browser: Any, small_model: Model, single: Dataset) -> Iterator[str]:
    from sleevenotes.publish.web.service import Service  # only tests of the page need FastAPI

    with quickly(), page_of(Service(small_model, single, max_risk=1.0)) as found:
        yield found


@pytest.fixture(scope="module")
def doubtful(browser: Any, small_model: Model) -> Iterator[str]:
    """The page of a server that is never sure enough, without a dataset."""
    from sleevenotes.publish.web.service import Service

    with page_of(Service(small_model, None, max_risk=0.0)) as found:
        yield found


@pytest.fixture(scope="module")
def cover(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cover of two genres: folk at the left, metal at the right."""
    pixels = np.empty((120, 120, 3), np.uint8)
    pixels[:, :60], pixels[:, 60:] = HUES[0], HUES[2]
    path = tmp_path_factory.mktemp("brought") / "two halves.png"
    path.write_bytes(encode(pixels, "png"))
    return path


def jazz() -> tuple[str, bytes]:
    return "jazz.png", encode(draw(1, np.random.default_rng(7)), "png")


def values(page: Any) -> list[str]:
    return page.locator(".bars .bar-value").all_inner_texts()


def slide(page: Any, name: str, key: str, times: int) -> None:
    """Move one of the tools by keys."""
    page.locator(f".whatif input[name={name}]").focus()
    for _ in range(times):
        page.keyboard.press(key)


def test_a_dropped_cover_gets_the_models_verdict_its_palette_and_what_is_near(
    opened: Open, address: str, cover: Path, small_model: Model
) -> None:
    page = opened(address)
    drop(page, cover)
    page.wait_for_selector(VERDICT)
    genres = next(iter(small_model.predict([cover.read_bytes()]))).top(small_model.genres, 3)
    assert page.locator(".bars .bar-genre").all_inner_texts() == [f" {genre}" for genre, _ in genres]
    assert values(page)[:2] == [f"{100 * proba:.0f}\N{NO-BREAK SPACE}%" for _, proba in genres[:2]]
    assert page.inner_text(VERDICT) == f"{genres[0][0]} {100 * genres[0][1]:.0f}\N{NO-BREAK SPACE}%"
    assert genres[0][0] in page.inner_text("#live")
    page.wait_for_selector(".palette-words li")
    assert "#" in page.locator(".palette-words code").first.inner_text()
    page.wait_for_selector(".shelf-cover")
    assert page.locator(".shelf-cover").first.get_attribute("href").startswith("#/cover/")
    assert page.locator(".shelf-genre").first.inner_text().strip() in small_model.genres


def test_a_genres_map_is_blended_with_the_cover_by_keys(opened: Open, address: str, cover: Path) -> None:
    page = opened(address)
    drop(page, cover)
    page.locator(".bars button").first.click()
    page.wait_for_selector(".map-range")
    slider = page.locator(".map-range input")
    slider.focus()
    opacity = "selector => [...document.querySelectorAll(selector)].map(each => Number(getComputedStyle(each).opacity))"
    page.keyboard.press("Home")
    assert page.evaluate(opacity, ".map-layers img") == [1, 0, 0]
    assert slider.get_attribute("aria-valuetext") == "cover alone"
    page.keyboard.press("End")
    assert page.evaluate(opacity, ".map-layers img") == [1, 1, 1]
    assert page.evaluate("document.querySelector('.map-layers img').naturalWidth") > 0
    page.locator(".bars button").first.click()
    assert not page.locator(".map-layers").is_visible()


def test_masking_a_region_moves_the_verdict_and_undoing_brings_it_back(opened: Open, address: str, cover: Path) -> None:
    page = opened(address)
    drop(page, cover)
    page.click("text=Mask a region")
    before = values(page)
    box = page.locator(".masks").bounding_box()
    page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.98 * box["width"], box["y"] + 0.95 * box["height"], steps=4)
    page.mouse.up()
    page.wait_for_selector(".judge-moved")
    assert "1 region masked" in page.inner_text(".judge-moved")
    masked = values(page)
    assert masked != before
    with page.expect_response("**/predict*"):
        for _ in range(20):  # the region has the focus, and goes to the other genre's side
            page.keyboard.press("ArrowLeft")
    with page.expect_response("**/predict*"):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Delete")
    page.wait_for_selector(".judge-moved", state="detached")
    assert values(page) == before


def test_every_tool_changes_what_is_sent_and_says_what_it_did(opened: Open, address: str, cover: Path) -> None:
    page = opened(address)
    drop(page, cover)
    page.wait_for_selector(VERDICT)
    overhear(page)
    tools = {"crop": "Cropped by 40 %", "grey": "Grey", "blur": "Blurred by 30", "hue": "Hue turned by 180°"}
    for name, words in tools.items():
        slide(page, name, "End", 1)
        page.wait_for_selector(f".judge-moved:has-text('{words}: ')")
        assert heard(page).startswith(b"\x89PNG")
        assert page.locator(".judge-canvas").is_visible()
        page.click("text=Undo all")
        page.wait_for_selector(".judge-moved", state="detached")
        assert not page.locator(".judge-canvas").is_visible()
    assert page.evaluate("new Set(window.heard).size") == len(tools)


def test_an_untouched_cover_is_sent_byte_by_byte(opened: Open, address: str, cover: Path) -> None:
    page = opened(address)
    overhear(page)
    drop(page, cover)
    assert heard(page) == cover.read_bytes()


def test_a_changed_cover_is_sent_at_512_pixels_at_most(opened: Open, address: str, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(encode(np.full((600, 1200, 3), 90, np.uint8), "png"))
    page = opened(address)
    drop(page, large)
    page.wait_for_selector(VERDICT)
    overhear(page)
    slide(page, "grey", "End", 1)
    assert decode(heard(page)).shape == (256, 512, 3)


def test_several_covers_lie_side_by_side_and_a_broken_one_says_what_is_wrong_with_it(
    opened: Open, address: str, cover: Path
) -> None:
    page = opened(address)
    drop(page, cover, ("broken.png", b"no picture at all"), jazz())
    until(page, "![...document.querySelectorAll('.desk-verdict')].some(each => each.innerText === '…')")
    names, verdicts = (page.locator(each).all_inner_texts() for each in (".desk-name", ".desk-verdict"))
    assert names == ["two halves.png", "broken.png", "jazz.png"]
    assert verdicts[1] == "can't be read"
    assert verdicts[2].startswith("jazz")
    page.locator(".desk-cover").nth(1).click()
    assert page.inner_text(".judge-verdict .problem").startswith("broken.png: ")
    page.locator(".desk-cover").nth(2).click()
    assert page.inner_text(VERDICT).startswith("jazz")


def test_a_cover_can_be_pasted_or_picked_and_stays_while_other_screens_are_looked_at(
    opened: Open, address: str, cover: Path
) -> None:
    page = opened(address)
    paste(page, jazz())
    page.wait_for_selector(VERDICT)
    assert page.inner_text(VERDICT).startswith("jazz")
    page.set_input_files("input[type=file] >> nth=0", cover)
    until(page, "document.querySelectorAll('.desk-cover').length === 2")
    page.goto(f"{address}#/play")
    page.wait_for_selector(".play-form")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    page.goto(f"{address}#/judge")
    page.wait_for_selector(".desk-cover")
    assert page.locator(".desk-cover").count() == 2
    page.click("text=Put all away")
    assert page.locator(".intake").is_visible()


def test_where_it_cant_tell_it_says_why_and_the_bars_are_dimmed(opened: Open, doubtful: str, cover: Path) -> None:
    page = opened(f"{doubtful}#/judge")
    drop(page, cover)
    page.wait_for_selector(VERDICT)
    assert page.inner_text(VERDICT) == "Can’t tell"
    assert "more than 0 %" in page.inner_text(".judge-reason")
    assert page.locator(".bars.dimmed .bar").count() == 3
    assert page.locator("#screens a").all_inner_texts() == ["Judge", "Model"]  # the others need a dataset
    assert not page.locator(".judge-similar").is_visible()


@pytest.mark.parametrize("again", [False, True])
def test_above_the_verdict_on_a_training_cover_it_says_that_this_proves_nothing(
    opened: Open, address: str, single: Dataset, tmp_path: Path, again: bool
) -> None:
    page = opened(address)
    path = single.in_split("train").path(0)
    if again:
        path = tmp_path / "again.jpg"
        path.write_bytes(encode(resize(decode(single.in_split("train").path(0)), 60), "jpeg", quality=85))
    drop(page, path)
    said = "a near-duplicate of a training cover" if again else "the same file as a training cover"
    page.wait_for_selector(f".judge-learnt:has-text('This is {said}.')")
    assert page.locator(".judge-words > *").first.get_attribute("class") == "judge-learnt"
    drop(page, single.in_split("test").path(0))
    page.wait_for_function("document.querySelectorAll('.desk li').length === 2")
    page.locator(".desk button").last.click()
    page.wait_for_selector(VERDICT)
    assert page.locator(".judge-learnt").count() == 0


def test_a_name_with_markup_shows_as_text(opened: Open, address: str) -> None:
    page = opened(address)
    name = "<img src=x onerror=document.title='broken'>.png"
    drop(page, (name, jazz()[1]))
    page.wait_for_selector(VERDICT)
    assert page.inner_text(".judge-caption") == name
    assert page.title() == "Judge – sleevenotes"


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_axe_finds_nothing_serious_with_and_without_a_cover(
    opened: Open, address: str, cover: Path, colors: str
) -> None:
    page = opened(address, colors=colors, width="phone")
    page.wait_for_selector(".intake")
    assert axe_finds(page) == []
    drop(page, cover, jazz())
    page.wait_for_selector(".shelf-cover")
    page.locator(".bars button").first.click()
    page.wait_for_selector(".map-range")
    page.click("text=Mask a region")
    page.click("text=Add one in the middle")
    page.wait_for_selector(".judge-moved")
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_switch_changes_the_colours_and_is_remembered(opened: Open, address: str) -> None:
    page = opened(address)
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    page.click("#theme")
    page.click("#theme")
    assert page.inner_text("#theme") == "Colours: dark"
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    page.wait_for_selector(".intake")
    assert page.evaluate(paper) == dark
