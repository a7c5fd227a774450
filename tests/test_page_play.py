"""The page's game, in a real browser: a round, what it does when the line breaks, and where its result is found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import Run, copy_of
from page_for_tests import Open, axe_finds, page_of
from sleevenotes.collect.guesses import read_guesses
from sleevenotes.covers.dataset import Dataset
from sleevenotes.learn.model import Model

ANSWERS = "**/answers"


class Table:
    """Where is played: the page's address, and the dataset beside it."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder = f"{address}#/play", folder

    def answers(self) -> list[Any]:
        """Return what is in the store."""
        return list(read_guesses(self.folder))


@contextmanager
def laid(model: Model, dataset: Dataset) -> Iterator[Table]:
    from sleevenotes.publish.web.service import Service  # only tests of the page need FastAPI

    with page_of(Service(model, dataset)) as address:
        yield Table(address, dataset.folder)


@pytest.fixture
def table(browser: Any, small_model: Model, copied: Dataset) -> Iterator[Table]:
    with laid(small_model, copied) as found:
        yield found


@pytest.fixture(scope="module")
def other(
    browser: Any, small_model: Model, single: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Table]:
    """Where it matters to no one what was played before."""
    with laid(small_model, copy_of(single, tmp_path_factory.mktemp("played") / "dataset")) as found:
        yield found


def begin(page: Any, nickname: str = "Ada") -> None:
    page.fill("input[name=nickname]", nickname)
    page.keyboard.press("Enter")
    page.wait_for_selector(".play-genre")


def heading(page: Any) -> str:
    return page.inner_text("h1")


def play(page: Any, key: str = "1") -> None:
    """Answer a cover by a key, and go on by another."""
    page.wait_for_selector(".play-genre:not([aria-disabled])")
    page.keyboard.press(key)
    page.wait_for_selector(".play-next")
    page.keyboard.press("Enter")


def test_a_round_is_played_by_keys_goes_on_after_a_reload_and_is_found_by_people(
    opened: Open, table: Table, sleevenotes: Run
) -> None:
    page = opened(table.address)
    begin(page)
    for _ in range(4):
        play(page)
    page.wait_for_selector("h1:has-text('Cover 5 of 10')")
    page.reload()
    page.wait_for_selector("h1:has-text('Cover 5 of 10')")
    assert page.locator(".play-count dd").first.inner_text().endswith("of 4")
    for _ in range(6):
        play(page)
    page.wait_for_selector(".play-answers")
    right = int(re.match(r"(\d+) of 10", heading(page))[1])
    assert page.locator(".play-answers .good").count() == right
    assert page.locator(".play-answers li").count() == 10
    assert "1 player, 10 answers" in page.inner_text(".play-standing")
    assert len(table.answers()) == 10
    page.reload()
    page.wait_for_selector("input[name=nickname]")  # the round is over
    assert page.input_value("input[name=nickname]") == "Ada"  # who played is remembered here
    said = sleevenotes("people", table.folder)
    assert said.code == 0
    assert f"{right * 10} %" in said.out


def test_an_answer_tells_the_truth_and_what_the_model_said(opened: Open, other: Table) -> None:
    page = opened(other.address)
    begin(page, "Bo")
    page.locator(".play-genre").nth(1).click()
    page.wait_for_selector(".play-next")
    assert page.locator(".play-genre.true").count() == 1
    truth = page.locator(".play-genre.true").get_attribute("data-genre")
    verdict = page.inner_text(".play-verdict")
    assert truth in verdict
    assert "The model said " in verdict
    mine = page.locator(".play-genre").nth(1).get_attribute("data-genre")
    assert ("Right." in verdict) == (mine == truth)
    assert "the truth" in page.locator(".play-genre.true").inner_text()
    assert verdict.split("\n")[0] in page.inner_text("#live")
    assert "images/" not in page.content()  # no name of a file that would tell


def test_an_answer_is_not_lost_when_the_line_breaks(opened: Open, other: Table) -> None:
    page = opened(other.address)
    begin(page, "Cy")
    before = len(other.answers())
    page.route(ANSWERS, lambda route: route.abort())
    page.keyboard.press("2")
    page.wait_for_selector(".play-news:has-text('nothing is lost')")
    page.unroute(ANSWERS)
    page.reload()  # before the next try
    page.wait_for_selector(".play-next")
    assert len(other.answers()) == before + 1
    assert page.locator(".play-genre.chosen").count() == 1
    assert not page.inner_text(".play-news")


def test_an_answer_given_in_another_window_counts(opened: Open, other: Table) -> None:
    page = opened(other.address)
    begin(page, "Di")
    name = page.evaluate("JSON.parse(sessionStorage.getItem('sleevenotes round'))")
    page.evaluate(
        """round => fetch(`api/v1/game/rounds/${round}/answers`, {
             method: "POST",
             body: JSON.stringify({number: 1, genre: "jazz"}),
             headers: {"Content-Type": "application/json", "X-Sleevenotes": "1"},
           })""",
        name,
    )
    page.keyboard.press("1")  # folk
    page.wait_for_selector("h1:has-text('Cover 2 of 10')")
    assert page.locator(".play-genre:not([aria-disabled])").count() == 3


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_axe_finds_nothing_serious_before_during_and_after_a_round(opened: Open, other: Table, colors: str) -> None:
    page = opened(other.address, colors=colors, width="phone")
    page.wait_for_selector(".play-form")
    assert axe_finds(page) == []
    begin(page, "Ed")
    page.keyboard.press("1")
    page.wait_for_selector(".play-next")
    assert axe_finds(page) == []
    page.keyboard.press("Enter")
    for _ in range(9):
        play(page, "3")
    page.wait_for_selector(".play-standing")
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
