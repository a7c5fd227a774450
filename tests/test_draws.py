"""A draw takes so many covers of each genre, by chance and a seed, and replaces those that fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from server_for_tests import Server, cover
from sleevenotes.collect.collecting import CollectResult, CollectSettings, collect
from sleevenotes.collect.draws import Draw, Drawing
from sleevenotes.collect.politeness import FetchSettings
from sleevenotes.covers.dataset import Dataset
from sleevenotes.errors import SourceError


def drawn(drawing: Drawing, digests: list[str | None]) -> dict[int, str]:
    while wanted := drawing.wanted():
        drawing.tell({index: digests[index] for index in wanted})
    return drawing.sides()


def folder_of(tmp_path: Path, covers: dict[str, bytes]) -> Path:
    for name, content in covers.items():
        path = tmp_path / "covers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "covers"


def collected(source: Path, out: Path, draw: Draw, **more: Any) -> CollectResult:
    fetch = FetchSettings(rate=0, timeout_s=0.2, allow_private=True, tries=1, **more)
    return collect(source, out, settings=CollectSettings(draw=draw, fetch=fetch))


# -- the draw itself ---------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, "x", "y", "own", "own", "own"])), max_size=40),
    st.integers(1, 8),
    st.integers(0, 5),
)
def test_every_genre_gets_as_many_as_it_can_and_no_bytes_twice(
    covers: list[tuple[str, str | None]], each: int, seed: int
) -> None:
    digests = [f"{index}" if kind == "own" else kind for index, (_, kind) in enumerate(covers)]
    drawing = Drawing(Draw(each, each // 2, seed), [f"{index}" for index in range(len(covers))], [g for g, _ in covers])
    sides = drawn(drawing, digests)
    taken = [digests[index] for index in sides]
    assert None not in taken
    assert len(set(taken)) == len(taken)
    for genre in "abc":
        of_genre = [index for index in sides if covers[index][0] == genre]
        own = sum(covers[index] == (genre, "own") for index in range(len(covers)))
        assert min(own, each) <= len(of_genre) <= each
        if len(of_genre) == each:
            assert sum(sides[index] == "test" for index in of_genre) == each // 2


def test_no_more_covers_are_looked_at_than_needed() -> None:
    drawing = Drawing(Draw(5, 1), [f"{index}" for index in range(1000)], [("ab"[index % 2],) for index in range(1000)])
    drawn(drawing, [f"{index}" for index in range(1000)])
    assert len(drawing.looked_at) == 10


def test_the_order_of_the_source_does_not_matter_and_the_seed_does() -> None:
    names = [f"{index}" for index in range(50)]

    def chosen(order: list[str], seed: int) -> dict[str, str]:
        sides = drawn(Drawing(Draw(10, 3, seed), order, [("rock",)] * 50), order)
        return {order[index]: side for index, side in sides.items()}

    assert chosen(names, 0) == chosen(names[::-1], 0)
    assert chosen(names, 0) != chosen(names, 1)


def test_covers_under_several_genres_take_no_part() -> None:
    sources = ["a", "b", "b", "c", "d"]
    genres = [("rock", "pop"), ("rock",), ("pop",), ("rock",), ("pop",)]
    drawing = Drawing(Draw(2), sources, genres)
    assert set(drawn(drawing, sources)) == {3, 4}
    assert "2 covers stand under several genres and took no part in the draw." in drawing.notes()


def test_equal_files_of_two_genres_are_both_left_out() -> None:
    drawing = Drawing(Draw(2), ["a", "b", "c", "d"], [("rock",), ("pop",), ("rock",), ("pop",)])
    assert set(drawn(drawing, ["same", "same", "c", "d"])) == {2, 3}
    assert any("fewer that can be used of pop (1), rock (1)" in note for note in drawing.notes())


@pytest.mark.parametrize(
    ("each", "test", "said"), [(0, 0, "--per-genre: 0"), (5, 5, "--test-per-genre: 5. Fewer than")]
)
def test_a_draw_that_leaves_nothing_is_refused(each: int, test: int, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        Draw(each, test)


# -- collecting with it ------------------------------------------------------------------------------------------------


def test_a_folder_is_drawn_from_and_broken_covers_are_replaced(tmp_path: Path) -> None:
    covers = {
        f"{genre}/{number}.jpg": cover(100 * place + number)
        for place, genre in enumerate(["folk", "rock"])
        for number in range(8)
    }
    covers |= {f"rock/{number}.jpg": cover(number)[:300] for number in range(4)}
    source = folder_of(tmp_path, covers)
    result = collected(source, tmp_path / "out", Draw(4, 1))
    dataset = Dataset.open(tmp_path / "out")
    assert [dataset.column("genres").count(genre) for genre in ("folk", "rock")] == [4, 4]
    assert sorted(dataset.column("split")) == ["test"] * 2 + ["train"] * 6
    assert dataset.column("source") == sorted(dataset.column("source"))
    assert all("rock" in each.source for each in result.problems)
    assert "Drawn: 4 covers of each of 2 genres, 1 of them test (seed 0)." in result.notes
    assert not collected(source, tmp_path / "out", Draw(4, 1)).fresh
    again = collected(source, tmp_path / "out", Draw(4, 1, seed=7))
    assert again.fresh
    assert again.dataset.column("source") != dataset.column("source")


def test_urls_are_drawn_and_those_that_fail_are_replaced(tmp_path: Path) -> None:
    with Server() as server:
        lines = [
            f"{server.url}/good/{number}.jpg\t{'folk' if number % 2 else 'rock'}/{number}.jpg" for number in range(40)
        ]
        lines += [f"{server.url}/missing/{number}\trock/bad{number}.jpg" for number in range(20)]
        (tmp_path / "list.tsv").write_text("\n".join(lines))
        result = collected(tmp_path / "list.tsv", tmp_path / "out", Draw(12, 2))
        asked = len(server.asked)
        assert not collected(tmp_path / "list.tsv", tmp_path / "out", Draw(12, 2)).fresh
        assert len(server.asked) == asked
    dataset = result.dataset
    assert [dataset.column("genres").count(genre) for genre in ("folk", "rock")] == [12, 12]
    assert [dataset.column("split").count(side) for side in ("train", "test")] == [20, 4]
    assert result.problems
    assert asked < 1 + 40 + 20
    assert any(f"{len(result.problems)} of" in note and "--retry-failed" in note for note in result.notes)


def test_a_genre_with_too_few_is_told(tmp_path: Path) -> None:
    source = folder_of(
        tmp_path, {f"folk/{number}.jpg": cover(number) for number in range(3)} | {"rock/1.jpg": cover(9)}
    )
    result = collected(source, tmp_path / "out", Draw(3, 1))
    assert any("fewer that can be used of rock (1)" in note for note in result.notes)
    assert sorted(result.dataset.column("split")) == ["test", "train", "train", "train"]
