from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from sleevenotes.covers.duplicates import Pair
from sleevenotes.covers.groups import artists_of, assign, cause_of, folds, groups, release_keys
from sleevenotes.errors import SplitError


@st.composite
def dealt_groups(draw: st.DrawFn, *, most: int = 60) -> tuple[list[str], NDArray[np.int64]]:
    """Draw groups of covers with one genre each, or with any number."""
    n = draw(st.integers(1, most))
    names = draw(st.lists(st.integers(0, draw(st.integers(1, n))), min_size=n, max_size=n))
    genres = draw(st.integers(1, 4))
    several = draw(st.booleans())
    strata = np.random.default_rng(draw(st.integers(0, 999))).integers(0, 2 if several else genres, (n, genres))
    return [f"g{name}" for name in names], strata if several else strata[:, 0]


def test_groups_join_what_shares_an_artist_a_release_or_a_near_duplicate_and_chains_of_these() -> None:
    keys = {
        "artist": ["Yes", " YES", "Genesis", "", "", "Camel"],
        "release": ["", "r1", "r1", "", "", ""],
    }
    names = groups(keys, [Pair(2, 3, 4, 0.9)])
    assert names == ["g0001", "g0001", "g0001", "g0001", "g0002", "g0003"]


@pytest.mark.parametrize(
    "nobody",
    [
        *(
            "",
            " ",
            "-",
            "?",
            "none",
            "None",
            "null",
            "NaN",
            "#N/A",
            "n/a",
            "<NA>",
            "NULL",
            "not available",
            "no_artist",
        ),
        *("Unknown", "unknown  artist", "[unknown]", "[no artist]", "<unknown>", "no_artist", "Anonymous", "(anon.)"),
        *("Unbekannter Künstler", "UNBEKANNTER KUNSTLER", "inconnu", "Artiste inconnu", "desconocido", "sconosciuto"),
        *(
            "Artista desconhecido",
            "onbekend",
            "Okänd artist",
            "nieznany",
            "неизвестен",
            "アーティスト不明",
            "未知艺术家",
        ),
        *("Various", "VARIOUS ARTISTS", "V/A", "va", "V. A.", "VV.AA.", "AA.VV.", "Varios Artistas", "Artisti Vari"),
        *("Verschiedene", "Verschiedene Interpreten", "Diverse", "Divers", "Artistes divers", "Vários Artistas"),
        *("Diverse artiesten", "Blandade Artister", "Różni Wykonawcy", "Разные исполнители", "オムニバス", "群星"),
        *("Soundtrack", "Original Soundtrack", "O.S.T.", "Original Cast", "Compilation", "DJ Mix", "Banda sonora"),
    ],
)
def test_groups_do_not_join_by_an_artist_who_is_nobody(nobody: str) -> None:
    assert groups({"artist": [nobody, nobody]}) == ["g0001", "g0002"]


def test_groups_join_by_each_of_several_artists() -> None:
    assert groups({"artist": ["Eno; Byrne", "Byrne", "Eno", "Fripp"]}) == ["g0001", "g0001", "g0001", "g0002"]
    assert artists_of("Various; Eno") == ["eno"]


def test_no_release_or_given_group_joins_by_a_word_for_nothing() -> None:
    assert groups({"release": ["none", "None"], "group": ["nan", "NaN"]}) == ["g0001", "g0002"]
    assert release_keys(["Yes", "Yes"], ["none", "[Unknown Album]"], ["NaN", "various"]) == ["", ""]
    assert release_keys(["V/A", "Soundtrack"], ["Original Soundtrack", "OST"], ["", ""]) == ["", ""]
    assert release_keys(["V/A", "Varios"], ["Nuggets", "nuggets"], ["", ""]) == ["various artists / nuggets"] * 2


@pytest.mark.parametrize("artist", ["Unknown Mortal Orchestra", "Various Cruelties", "Nothing", "NaNa", "!!!"])
def test_artists_whose_names_only_look_like_nobody_are_artists(artist: str) -> None:
    assert groups({"artist": [artist, artist]}) == ["g0001", "g0001"]


def test_what_joined_a_group_is_told_the_commonest_first() -> None:
    keys = {"artist": ["Yes", "yes", "yes", "Eno; yes", "Eno"], "release": ["r", "r", "", "", ""]}
    assert cause_of(range(5), keys, [Pair(0, 4, 1, 0.9), Pair(0, 9, 1, 0.9)]) == (
        "the artist 'yes' (4 covers) and 1 more of that kind, the release 'r' (2 covers), near-duplicates (2 covers)"
    )
    assert cause_of([0, 1], {"group": ["g0001", "g0001"]}, []) == "the column `group`"


def test_groups_refuse_columns_of_different_lengths() -> None:
    with pytest.raises(ValueError, match="columns of \\[1, 2\\] entries"):
        groups({"artist": ["a"], "release": ["a", "b"]})


def test_release_keys_need_artist_and_album_or_a_release_of_its_own() -> None:
    artists = ["Yes", "Yes", "", "Various Artists", "Unknown Artist"]
    albums = ["Relayer", "", "Greatest Hits", "Nuggets", "Greatest Hits"]
    keys = release_keys(artists, albums, ["", "", "", "", ""])
    assert keys == ["yes / relayer", "", "", "various artists / nuggets", ""]


@given(data=st.data())
def test_groups_are_the_connected_components_of_all_shared_keys_and_pairs(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 20))
    cells = st.lists(st.sampled_from(["", "a", "b", "c", "A "]), min_size=n, max_size=n)
    keys = {"artist": data.draw(cells), "release": data.draw(cells), "group": data.draw(cells)}
    ends = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    pairs = [Pair(min(e), max(e), 0, 1.0) for e in data.draw(st.lists(ends, max_size=5))]
    joined = np.eye(n, dtype=bool)
    for column in keys.values():
        folded = [cell.strip().lower() for cell in column]
        joined |= np.array([[a == b and a != "" for b in folded] for a in folded])
    for pair in pairs:
        joined[pair.a, pair.b] = joined[pair.b, pair.a] = True
    for _ in range(n):  # reachable in any number of steps
        joined = (joined.astype(int) @ joined.astype(int)) > 0
    names = np.array(groups(keys, pairs))
    assert ((names[:, None] == names[None, :]) == joined).all()


@given(covers=dealt_groups(), seed=st.integers(0, 99), valid=st.sampled_from([0.1, 0.2]))
def test_assign_never_puts_a_group_on_two_sides(
    covers: tuple[list[str], NDArray[np.int64]], seed: int, valid: float
) -> None:
    names, strata = covers
    sides = assign(names, strata, (0.8 - valid, valid, 0.2), seed=seed)
    assert sides.shape == (len(names),)
    assert set(sides.tolist()) <= {0, 1, 2}
    for name in set(names):
        assert len({side for side, own in zip(sides, names, strict=True) if own == name}) == 1
    again = assign(names, strata, (0.8 - valid, valid, 0.2), seed=seed)
    assert (again == sides).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), shares=st.sampled_from([(0.7, 0.1, 0.2), (0.5, 0.25, 0.25), (0.9, 0.05, 0.05)]))
def test_assign_comes_within_two_covers_of_each_share_where_groups_are_single(
    seed: int, shares: tuple[float, float, float]
) -> None:
    rng = np.random.default_rng(seed)
    genres = rng.choice(4, 120, p=[0.4, 0.3, 0.2, 0.1])
    sides = assign(np.arange(120).astype(str), genres, shares, seed=seed)
    for genre in range(4):
        counts = np.bincount(sides[genres == genre], minlength=3)
        wanted = np.array(shares) * (genres == genre).sum()
        assert (np.abs(counts - wanted) < 2).all()


def test_assign_balances_each_of_several_genres() -> None:
    rng = np.random.default_rng(3)
    strata = (rng.random((600, 8)) < [0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.05, 0.05]).astype(int)
    names = rng.integers(0, 400, 600)
    sides = assign(names, strata, (0.7, 0.1, 0.2), seed=1)
    shares = np.array([strata[sides == side].sum(axis=0) for side in range(3)]) / strata.sum(axis=0)
    assert np.abs(shares - np.array([[0.7], [0.1], [0.2]])).max() < 0.03


def test_assign_does_not_keep_all_large_groups_in_the_largest_side() -> None:
    names = np.repeat(np.arange(100), np.r_[np.full(40, 6), np.ones(60, int)])
    sides = assign(names, np.zeros(len(names)), (0.7, 0.1, 0.2), seed=0)
    large = sides[np.isin(names, np.arange(40))]
    assert 0.1 < (large == 2).mean() < 0.3


def test_assign_of_another_seed_is_another_split() -> None:
    names, genres = np.arange(50).astype(str), np.arange(50) % 2
    assert (assign(names, genres, (0.5, 0.5), seed=0) != assign(names, genres, (0.5, 0.5), seed=1)).any()


def test_assign_gives_back_nothing_for_nothing() -> None:
    assert assign([], np.zeros(0), (0.5, 0.5)).tolist() == []


@given(covers=dealt_groups(), k=st.integers(2, 5), seed=st.integers(0, 99))
def test_folds_keep_groups_together_and_leave_none_empty(
    covers: tuple[list[str], NDArray[np.int64]], k: int, seed: int
) -> None:
    names, strata = covers
    if len(set(names)) < k:
        with pytest.raises(SplitError, match=f"{k} folds of {len(set(names))} groups"):
            folds(names, strata, k, seed)
        return
    found = folds(names, strata, k, seed)
    assert len({(name, fold) for name, fold in zip(names, found.tolist(), strict=True)}) == len(set(names))
    assert set(found.tolist()) == set(range(k))
    assert (folds(names, strata, k, seed) == found).all()


def test_folds_are_of_equal_size_and_mix_where_groups_are_single() -> None:
    genres = np.repeat(["folk", "rock"], [50, 100])
    found = folds(np.arange(150), genres, 5, 0)
    for genre, each in (("folk", 10), ("rock", 20)):
        assert np.abs(np.bincount(found[genres == genre]) - each).max() <= 1
