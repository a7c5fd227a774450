"""The genre tree: what is a kind of what, in the truth, in proba and in the names that are given."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from sleevenotes.covers.genre_tree import (
    DEFAULT,
    GenreTree,
    Pairs,
    close_upwards,
    default_tree,
    find_tree,
    in_order,
    respect,
    upwards,
)
from sleevenotes.covers.genres import tidy
from sleevenotes.errors import DatasetError

NAMES = tuple("abcdefg")


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@st.composite
def trees(draw: st.DrawFn) -> Pairs:
    """Pairs without a circle: a parent stands later in the alphabet than its child."""
    possible = [(child, parent) for at, child in enumerate(NAMES) for parent in NAMES[at + 1 :]]
    return tuple(draw(st.lists(st.sampled_from(possible), unique=True, max_size=10)))


# Laws -------------------------------------------------------------------------------------------------------------


@given(pairs=trees(), seed=st.integers(0, 999), order=st.permutations(NAMES))
def test_respected_proba_never_says_less_of_a_parent_than_of_a_child(pairs: Pairs, seed: int, order: list[str]) -> None:
    proba = np.random.default_rng(seed).random((6, len(NAMES)))
    lifted = respect(proba, order, pairs)
    for child, parent in pairs:
        assert (lifted[:, order.index(parent)] >= lifted[:, order.index(child)]).all()
    assert (lifted >= proba).all()
    assert set(lifted.ravel()) <= set(proba.ravel())
    assert np.array_equal(respect(lifted, order, pairs), lifted)
    below = upwards([(parent, child) for child, parent in pairs])
    for column, genre in enumerate(order):
        family = [column, *(order.index(each) for each in below.get(genre, ()))]
        assert np.array_equal(lifted[:, column], proba[:, family].max(axis=1))


@given(pairs=trees(), seed=st.integers(0, 999))
def test_names_close_upwards_as_the_truth_of_a_cover_does(pairs: Pairs, seed: int) -> None:
    named = np.random.default_rng(seed).random((6, len(NAMES))) < 0.3
    closed = close_upwards(named.astype(np.int64), NAMES, pairs)
    above = upwards(pairs)
    for row, genres in zip(closed, named, strict=True):
        borne = {NAMES[column] for column in np.flatnonzero(genres)}
        borne |= {parent for genre in borne for parent in above.get(genre, ())}
        assert {NAMES[column] for column in np.flatnonzero(row)} == borne


@given(pairs=trees(), order=st.permutations(NAMES))
def test_every_genre_stands_once_in_the_order_of_the_tree_and_below_a_parent(pairs: Pairs, order: list[str]) -> None:
    told = in_order(order, pairs)
    assert sorted(genre for genre, _ in told) == sorted(NAMES)
    way: list[str] = []
    for genre, depth in told:
        way = [*way[:depth], genre]
        assert (depth > 0) == (genre in upwards(pairs))
        assert depth == 0 or way[depth - 1] in upwards(pairs)[genre]


# The tree that comes along ----------------------------------------------------------------------------------------


def test_our_own_tree_is_spelt_as_genres_are_and_has_no_row_twice() -> None:
    with DEFAULT.open(encoding="utf-8", newline="") as file:
        rows = [(row["child"], row["parent"]) for row in csv.DictReader(file)]
    assert rows == sorted(set(rows))
    assert [name for row in rows for name in row if tidy(name) != name] == []


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        ("progressive rock", "rock"),
        ("thrash", "metal"),
        ("Thrash Metal", "rock"),
        ("gangsta", "hip-hop"),
        ("progrock", "rock"),
        ("deep house", "electronic"),
        ("jazz rock", "jazz"),
        ("jazz rock", "rock"),
    ],
)
def test_our_own_tree_knows_what_everybody_means(child: str, parent: str) -> None:
    assert default_tree().pairs([child], [parent]) == ((child, parent),)


def test_the_parent_of_a_pair_is_the_nearest_that_is_asked_about() -> None:
    tree = default_tree()
    assert tree.pairs(["thrash metal"], ["metal", "rock"]) == (("metal", "rock"), ("thrash metal", "metal"))
    assert tree.pairs(["thrash metal"], ["Rock"]) == (("thrash metal", "Rock"),)
    assert tree.pairs(["polka", "rock"], ["folk", "rock"]) == ()


# A tree of one's own ----------------------------------------------------------------------------------------------


def test_a_file_beside_the_table_is_found_and_goes_before_our_own_tree(tmp_path: Path) -> None:
    assert find_tree(tmp_path) == default_tree()
    written(tmp_path / "genre-tree.csv", "child,parent\nBlack Metal,dark;metal\ngrunge,\nnoise,dark\n")
    tree = find_tree(tmp_path)
    pairs = tree.pairs(["black metal", "grunge", "noise"], ["dark", "metal", "rock"])
    assert set(pairs) == {("black metal", "dark"), ("black metal", "metal"), ("metal", "rock"), ("noise", "dark")}
    assert find_tree(tmp_path, "none").pairs(["black metal"], ["metal"]) == ()
    other = written(tmp_path / "other.csv", "\ufeffparent,child,why\nfolk,noise,\n,grunge,\n")
    assert find_tree(tmp_path, other).pairs(["noise", "grunge"], ["folk", "rock"]) == (("noise", "folk"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"tree\.csv: empty\. A CSV file in UTF-8 with the columns child,parent was expected"),
        ("child,parents\na,b\n", r"no column 'parent' among child, parents\..* Did you mean 'parents'\?"),
        ("child,parent\n,rock\na,b\n", r"1 row can't be used\. Mend the rows\.\n  row 2: 'child' is empty"),
        ("child,parent\na,b\nb,c\nc,a\n", r"the tree goes round in a circle: a → b → c → a\. Take out one"),
        ("child,parent\nrock,drone\ndrone,heavy metal\n", r"rock → drone → heavy metal → metal → rock\."),
        ("child,parent\na,a\n", r"in a circle: a → a\."),
        ("child,parent\nrock,thrash\n", r"in a circle: rock → thrash → metal → rock\."),
        ('child,parent\n"a,b\n', r"can't be read as CSV"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused_in_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path / "tree.csv", text)
    with pytest.raises(DatasetError, match=message):
        find_tree(tmp_path, path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.csv: can't be read \(No such file"):
        find_tree(tmp_path, tmp_path / "gone.csv")


def test_a_tree_of_pairs_that_leads_round_is_told_with_its_way() -> None:
    with pytest.raises(DatasetError, match="b → c → b"):
        GenreTree.of([("a", "b"), ("b", "c"), ("c", "b"), ("d", "a")])
