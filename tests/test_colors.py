"""Genres beside genres by colour: what was planted is found, by hand, by laws, and over a whole dataset."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays

from covers_for_tests import GENRES, make_dataset
from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.images import decode, resize
from sleevenotes.errors import EvaluationError
from sleevenotes.judge import colors as module
from sleevenotes.judge.colors import colors, compare, lab, mean_cover, palette, self_ranks, srgb
from sleevenotes.learn import similarity
from sleevenotes.learn.similarity import MEASURES, mean_similarities, similarities

any_rgb = arrays.arrays(np.uint8, st.tuples(st.integers(1, 20), st.just(3)))


def drawn(tastes: np.ndarray, covers: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Histograms of covers, (K·covers, D), each genre with a taste, (K, D), around which its covers vary; and truth."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(tastes)), covers)
    shares = np.stack([rng.dirichlet(tastes[genre] + 1e-3) for genre in truth])
    return np.stack([rng.multinomial(1024, row / row.sum()) for row in shares]) / 1024, truth


# -- compare ---------------------------------------------------------------------------------------------------------


def test_a_genre_with_its_own_palette_ranks_first_with_itself_in_every_measure() -> None:
    tastes = np.ones((5, 32))
    tastes[2] = np.where(np.arange(32) < 4, 20, 0.05)
    found = compare(*drawn(tastes, 60), list("abcde"), draws=40, covers=20)
    for measure, figures in found["measures"].items():
        assert figures["self_rank"][2] == {"value": 1, "low": 1, "high": 1}, measure
        assert figures["exact_self_rank"][2] == figures["first_draw_self_rank"][2] == 1


@pytest.mark.parametrize("measure", list(MEASURES))
def test_genres_of_one_distribution_rank_in_the_middle_with_themselves(measure: str) -> None:
    genres = 5
    ranks = [
        compare(*drawn(np.full((genres, 24), 0.3), 30, seed), list("abcde"), draws=20, covers=10, seed=seed)["measures"]
        for seed in range(8)
    ]
    mean = np.mean([one[measure]["mean_self_rank"]["value"] for one in ranks])
    assert mean == pytest.approx((genres + 1) / 2, abs=0.35)


def test_the_exact_matrix_is_the_mean_over_all_pairs_and_draws_lie_about_it() -> None:
    histograms, truth = drawn(np.random.default_rng(1).random((3, 16)), 40)
    found = compare(histograms, truth, ["x", "y", "z"], draws=300, covers=10)
    for measure, exact in mean_similarities(histograms, truth, genres=3).items():
        figures = found["measures"][measure]
        np.testing.assert_allclose(figures["exact"], exact)
        low, high = np.array(figures["low"]), np.array(figures["high"])
        assert (low < exact).all()
        assert (exact < high).all()
        if MEASURES[measure].symmetric:
            np.testing.assert_allclose(figures["mean"], exact, atol=0.02)
            np.testing.assert_allclose(figures["mean"], np.transpose(figures["mean"]))


@pytest.mark.parametrize("measure", list(MEASURES))
def test_a_draw_is_the_mean_of_two_disjoint_sets(measure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "TILE", 7)
    histograms, truth = drawn(np.random.default_rng(2).random((3, 16)), 9)
    mixed = np.random.default_rng(3).permutation(len(truth))
    histograms, truth = histograms[mixed], truth[mixed]
    [(first, second)] = module._draws(truth, np.array([4, 4, 4]), 1, seed=5)
    assert not set(first) & set(second)
    assert np.bincount(truth[first]).tolist() == np.bincount(truth[second]).tolist() == [4, 4, 4]
    whole = similarities(histograms, histograms, measure)
    one = np.array(
        [
            [whole[np.ix_(first[truth[first] == i], second[truth[second] == j])].mean() for j in range(3)]
            for i in range(3)
        ]
    )
    expected = (one + one.T) / 2 if MEASURES[measure].symmetric else one
    found = compare(histograms, truth, ["x", "y", "z"], draws=1, covers=4, seed=5)["measures"][measure]
    np.testing.assert_allclose(found["mean"], expected, atol=1e-6)
    assert found["first_draw_self_rank"] == self_ranks(expected, MEASURES[measure].alike).tolist()
    assert [one["value"] for one in found["self_rank"]] == found["first_draw_self_rank"]


def test_a_small_genre_gives_half_of_its_covers_to_each_set() -> None:
    histograms, truth = drawn(np.ones((2, 8)), 30)
    found = compare(histograms[:37], truth[:37], ["x", "y"], draws=3, covers=10)
    assert (found["n"], found["drawn"], found["covers_a_draw"]) == ([30, 7], [10, 3], 10)


def test_the_same_seed_gives_the_same_and_another_gives_others() -> None:
    case = (*drawn(np.ones((3, 8)), 30), ["x", "y", "z"])
    first = compare(*case, draws=5, covers=5, seed=1)
    assert json.dumps(first) == json.dumps(compare(*case, draws=5, covers=5, seed=1))
    assert first["measures"] != compare(*case, draws=5, covers=5, seed=2)["measures"]


def test_what_cannot_be_compared_is_told() -> None:
    histograms, truth = drawn(np.ones((2, 8)), 3)
    with pytest.raises(EvaluationError, match=r"^colors: 1 of the covers are y\. Two covers or more of each"):
        compare(histograms[:4], truth[:4], ["x", "y"])
    with pytest.raises(EvaluationError, match=r"^colors: 0 draws of 50 covers\. Both are 1 or more"):
        compare(histograms, truth, ["x", "y"], draws=0)


@given(arrays.arrays(np.float64, (4, 4), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
def test_a_rank_counts_the_genres_that_are_more_alike(matrix: np.ndarray) -> None:
    for alike, sign in (("large", 1), ("small", -1)):
        expected = [1 + sum(sign * other > sign * row[i] for other in row) for i, row in enumerate(matrix)]
        assert self_ranks(matrix, alike).tolist() == expected


# -- palettes and means ----------------------------------------------------------------------------------------------


@given(any_rgb)
def test_lab_is_opencvs(rgb: np.ndarray) -> None:
    theirs = cv2.cvtColor((rgb[None] / 255).astype(np.float32), cv2.COLOR_RGB2LAB)[0]
    np.testing.assert_allclose(lab(rgb), theirs, atol=0.6)  # OpenCV reads the curves from a table


@given(any_rgb)
def test_there_and_back_is_the_same_color(rgb: np.ndarray) -> None:
    np.testing.assert_array_equal(srgb(lab(rgb)), rgb)


def test_greys_have_no_color_in_lab() -> None:
    greys = lab(np.arange(256)[:, None].repeat(3, axis=1))
    assert np.allclose(greys[:, 1:], 0, atol=1e-9)
    assert greys[[0, 255], 0] == pytest.approx([0, 100])
    assert (np.diff(greys[:, 0]) > 0).all()


def test_a_palette_recovers_the_colors_that_were_laid_in_with_their_shares() -> None:
    rng = np.random.default_rng(0)
    inks = np.array([(200, 30, 30), (20, 20, 90), (240, 230, 200)])
    covers = inks[rng.choice(3, (10, 16, 16), p=[0.5, 0.2, 0.3])] + rng.integers(-4, 5, (10, 16, 16, 3))
    found = palette(covers.astype(np.uint8), 3)
    assert [color["share"] for color in found] == pytest.approx([0.5, 0.3, 0.2], abs=0.03)
    laid = lab(inks)[[0, 2, 1]]
    np.testing.assert_allclose([color["lab"] for color in found], laid, atol=1)
    assert all(bytes.fromhex(one["hex"][1:]) == srgb(np.array(one["lab"])).tobytes() for one in found)


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.just(3))))
def test_a_palettes_shares_fall_and_sum_to_one(covers: np.ndarray) -> None:
    shares = [color["share"] for color in palette(covers, 4)]
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)
    assert 1 <= len(shares) <= 4


def test_the_mean_cover_is_rounded_not_cut() -> None:
    covers = np.array([[[[0, 1, 254]]], [[[255, 2, 255]]], [[[255, 2, 255]]]], np.uint8)
    assert mean_cover(covers).tolist() == [[[170, 2, 255]]]


# -- a dataset -------------------------------------------------------------------------------------------------------


def test_a_datasets_colors_are_written_with_the_mean_covers_and_hold_what_was_planted(tmp_path: Path) -> None:
    dataset, out = make_dataset(tmp_path / "covers", covers=60), tmp_path / "deep" / "colors"
    told = colors(dataset, out, draws=10)
    assert json.loads((out / "colors.json").read_text(encoding="utf-8")) == told
    assert (told["format"], told["genres"], told["n"], told["left_out"]) == (1, list(GENRES), [20, 20, 20], {})
    assert told["dataset"] == {"name": "covers", "fingerprint": dataset.fingerprint}
    for how in ("cubic", "antialiased"):
        measures = told["by"][how]["measures"]
        assert measures["intersection"]["exact_self_rank"] == measures["hellinger"]["exact_self_rank"] == [1, 1, 1]
    for index, genre in enumerate(GENRES):
        own = [
            decode(path) for path, genres in zip(dataset.paths, dataset.genre_lists, strict=True) if genres == (genre,)
        ]
        mean = np.stack([resize(pixels, 128) for pixels in own]).mean(axis=0)
        np.testing.assert_array_equal(decode(out / told["means"][genre]), np.rint(mean))
        assert len(told["palettes"][genre]) == 6, index
    assert {path.name for path in out.iterdir()} == {"colors.json", *told["means"].values()}


def test_colors_without_a_split_leaves_out_covers_of_several_genres_and_small_genres_by_name(tmp_path: Path) -> None:
    made = make_dataset(tmp_path / "covers", covers=24)
    (made.folder / "split.json").unlink()
    names = ["folk;jazz", "polka", "", *["R&B/Soul"] * 8, *["r&b soul"] * 8, *["polka"] * 2, *["jazz"] * 3]
    dataset = from_columns(made.folder, {"file_name": made.file_names, "genres": names})
    told = colors(dataset, tmp_path / "out", draws=2)
    assert (told["genres"], told["n"]) == (["R&B/Soul", "r&b soul"], [8, 8])
    assert told["left_out"] == {"folk": 0, "jazz": 3, "polka": 3}
    assert len({name.casefold() for name in told["means"].values()}) == 2
    assert all((tmp_path / "out" / name).is_file() for name in told["means"].values())


def test_covers_that_split_left_out_do_not_count(tmp_path: Path) -> None:
    made = make_dataset(tmp_path / "covers", covers=30)
    made.with_columns(split=["" if index < 3 else "test" for index in range(30)]).write()
    assert colors(Dataset.open(made.folder), tmp_path / "out", draws=2)["n"] == [9, 9, 9]


@pytest.mark.parametrize("task", ["binary", "multi"])
def test_a_dataset_of_another_task_gives_its_covers_of_one_genre(task: str, tmp_path: Path) -> None:
    told = colors(make_dataset(tmp_path / "covers", covers=36, task=task), tmp_path / "out", draws=2)
    assert told["genres"] == list(GENRES)
    assert sum(told["n"]) == (18 if task == "multi" else 36)


def test_too_few_genres_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    made = make_dataset(tmp_path / "covers", covers=6)
    with pytest.raises(EvaluationError, match=r"covers: 0 of 3 genres with 4 covers or more .*Collect more covers"):
        colors(made, tmp_path / "out")
    assert not (tmp_path / "out").exists()
