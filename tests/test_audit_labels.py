"""Check 7: covers under two genres, and genres that models contradict: found where they are wrong, quiet elsewhere."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from covers_for_tests import GENRES, make_dataset
from sleevenotes.collect.demo import DemoSettings, draw_demo, read_truth
from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.duplicates import Pair
from sleevenotes.covers.images import decode, probe, resize
from sleevenotes.covers.tasks import Task
from sleevenotes.judge.audit import labels
from sleevenotes.judge.audit.findings import LeftOut
from sleevenotes.judge.audit.labels import (
    MUCH_NOISE,
    NOISE_RULE,
    SHEET_NAME,
    SUSPECTS_NAME,
    Contradictions,
    confident_joint,
    contradicted,
    double_labels,
    equal_files,
    fit_lapse,
    ranked,
    share_interval,
    sharpened,
)
from sleevenotes.judge.audit.subject import cross_validated
from sleevenotes.judge.figures import Answers
from sleevenotes.judge.resampling import group_weights, interval
from sleevenotes.learn import color

K = 4


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to tell 0.05 from less, and quick."""
    monkeypatch.setattr(labels, "SIMULATIONS", 39)
    monkeypatch.setattr(labels, "ENOUGH", 5)
    monkeypatch.setattr(labels, "NOISE_RESAMPLES", 60)


def told_of(table: list[str], folder: Path) -> Dataset:
    return from_columns(folder, {"file_name": [f"{n}.jpg" for n in range(len(table))], "genres": table})


# covers under two genres


def test_covers_of_several_genres_and_near_duplicates_under_others_are_counted_once(tmp_path: Path):
    dataset = told_of(["rock;pop", "rock", "pop", "folk", "folk", *["jazz"] * 95], tmp_path)
    pairs = [Pair(0, 1, 3, 0.99), Pair(1, 2, 3, 0.99), Pair(3, 4, 0, 1.0)]
    finding = double_labels(dataset, pairs)
    assert finding.measured.value == 0.03
    assert json.dumps(finding.plain(), allow_nan=False)
    assert (finding.details["covers"], finding.details["several_genres"], finding.details["near_duplicates"]) == (
        3,
        1,
        3,
    )
    assert finding.details["genres"] == {"pop + rock": 3}
    assert finding.words.startswith(
        "3 of 100 covers stand under two genres: 1 have several, and 3 have a near-duplicate"
    )
    assert finding.measured.groups == 97  # near-duplicates are one group, though nobody split them


@pytest.mark.parametrize(("double", "verdict"), [(0, "clean"), (3, "clean"), (30, "suspicious"), (150, "broken")])
def test_the_verdict_is_by_the_lower_end_of_the_share(double: int, verdict: str, tmp_path: Path):
    dataset = told_of(["rock;pop"] * double + ["rock"] * (400 - double), tmp_path)
    assert double_labels(dataset, []).verdict == verdict


def test_where_covers_may_have_several_genres_only_near_duplicates_contradict(tmp_path: Path):
    dataset = make_dataset(tmp_path / "d", task="multi", covers=40)
    finding = double_labels(dataset, [Pair(0, 6, 1, 0.99), Pair(0, 1, 1, 0.99)])
    assert finding.details["several_genres"] == 0
    assert finding.details["covers"] == 3


def test_in_binary_only_the_genre_asked_for_counts(tmp_path: Path):
    dataset = make_dataset(tmp_path / "d", task="binary", covers=40)  # folk, jazz, metal in turn; metal is asked for
    assert double_labels(dataset, [Pair(0, 1, 1, 0.99)]).details["covers"] == 0
    assert double_labels(dataset, [Pair(0, 2, 1, 0.99)]).details["covers"] == 2
    assert double_labels(dataset, [Pair(0, 2, 1, 0.99)]).details["in_splits"] == 2


def test_equal_files_that_collect_joined_are_told(tmp_path: Path):
    assert equal_files(tmp_path) == (0, 0)
    lines = [f"{name}: byte for byte the same as a/1.jpg. They are one cover, with all their genres." for name in "bc"]
    rows = [["source", "problem"], *([line[0], line] for line in lines), ["x", "x: cut off."]]
    with (tmp_path / "problems.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    assert equal_files(tmp_path) == (1, 2)
    assert "one cover each of 1 set" in double_labels(told_of(["rock;pop", "pop"], tmp_path), []).words


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_the_quick_interval_is_that_of_the_group_bootstrap(seed: int):
    rng = np.random.default_rng(seed)
    groups = [f"g{number}" for number in rng.integers(0, 60, 150)]
    chosen = rng.random(150) < 0.3
    weights = group_weights(groups, 2000, seed).astype(float)
    expected = interval((weights @ chosen) / weights.sum(axis=1))
    assert share_interval(chosen, groups, seed=seed) == pytest.approx((chosen.mean(), *expected[:2]), abs=0.02)


# the confident joint


def test_the_confident_joint_is_that_of_a_small_case_worked_by_hand():
    proba = np.array([[0.8, 0.2], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.45, 0.55]])
    said = np.array([0, 0, 0, 1, 1, 1])
    # means of what is said: (0.8 + 0.7 + 0.1) / 3 = 0.533 and (0.8 + 0.1 + 0.55) / 3 = 0.483
    joint = confident_joint(proba, said)
    assert joint.counts.tolist() == [[2, 1], [1, 2]]
    assert ranked(joint, said).tolist() == [2, 4]
    assert joint.margin[[2, 4]] == pytest.approx([-0.8, -0.8])


def test_a_cover_that_reaches_no_mean_counts_as_of_no_genre():
    joint = confident_joint(np.array([[0.9, 0.05, 0.05], [0.4, 0.3, 0.3], [0.1, 0.9, 0.0]]), np.array([0, 0, 1]))
    assert joint.counted.tolist() == [0, -1, 1]
    assert joint.counts.sum() == 2


# genres that models contradict


def invented(
    noise: float, *, n: int = 1200, skill: float = 3.0, seed: int = 0
) -> tuple[Answers, NDArray[np.bool_], NDArray[np.int64]]:
    """Probas that are right about how sure they are, and what is said, of which a share is drawn anew."""
    rng = np.random.default_rng(seed)
    proba = np.exp(rng.normal(0, skill, (n, K)))
    proba /= proba.sum(axis=1, keepdims=True)
    truth = (proba.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    said = np.where(rng.random(n) < noise, rng.integers(0, K, n), truth)
    return Answers(said, proba, [f"g{number // 2}" for number in range(n)]), said != truth, truth


def measured(answers: Answers, out: Path | None = None, covers: Dataset | None = None) -> Contradictions:
    covers = covers or told_of(["x"] * len(answers.truth), Path("nowhere"))
    told = contradicted(covers, answers, genres=list("abcd")[: np.shape(answers.proba)[1]], out=out)
    assert isinstance(told, Contradictions)
    return told


@pytest.mark.parametrize("skill", [0.7, 3.0, 8.0])
def test_a_model_that_is_merely_ignorant_raises_no_alarm(skill: float):
    told = measured(invented(0.0, skill=skill)[0])
    assert told.finding().verdict == "clean"
    assert told.noise <= 0.05
    assert "their own ignorance" in told.finding().words


@pytest.mark.parametrize("noise", [0.2, 0.5])
def test_wrong_genres_are_found_and_their_share_is_within_the_interval(noise: float):
    answers, wrong, _ = invented(noise)
    told = measured(answers)
    assert told.finding().verdict == ("broken" if wrong.mean() > MUCH_NOISE + 0.05 else "suspicious")
    assert told.p < 0.05
    assert told.low - 0.02 <= wrong.mean() <= told.high + 0.02
    genres = told.details["noise"]
    assert list(genres) == list("abcd")
    assert np.mean([each["value"] for each in genres.values()]) == pytest.approx(told.noise, abs=0.03)


def test_a_temperature_that_was_fitted_to_wrong_genres_does_not_hide_them():
    answers, wrong, _ = invented(0.2)
    blurred = Answers(answers.truth, sharpened(np.asarray(answers.proba, dtype=np.float64), 0.4), answers.groups)
    assert measured(blurred).noise == pytest.approx(wrong.mean(), abs=0.04)


def test_the_first_suspects_are_covers_whose_genre_is_wrong():
    answers, wrong, _ = invented(0.1, skill=8.0)
    suspects = ranked(confident_joint(np.asarray(answers.proba, dtype=np.float64), answers.truth), answers.truth)
    assert wrong[suspects[:40]].mean() > 0.9


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.floats(0.0, 0.4))
def test_the_likelihood_never_falls_by_allowing_wrong_genres(seed: int, noise: float):
    answers, _, _ = invented(noise, n=60, seed=seed)
    lapse = fit_lapse(np.asarray(answers.proba, dtype=np.float64), answers.truth)
    assert lapse.ratio >= 0
    assert 0 <= lapse.share <= 0.8


def test_a_rare_genre_without_a_confident_cover_is_no_trouble():
    proba = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.2, 0.8, 0.0], [0.1, 0.9, 0.0]] * 10)
    told = measured(Answers(np.array([0, 0, 1, 1] * 10), proba, range(40)))  # type: ignore[arg-type]
    assert told.details["noise"]["c"]["value"] == 0.0
    assert told.details["confident_noise"]["c"]["value"] is None


def test_any_number_of_genres_is_left_out_in_words():
    told = contradicted(
        told_of(["a"], Path("x")), Answers(np.eye(2, dtype=int), np.eye(2), ["a", "b"]), genres=["a", "b"]
    )
    assert isinstance(told, LeftOut)
    assert "no contradiction" in told.why


def test_suspects_are_written_as_a_table_and_a_sheet(tmp_path: Path):
    dataset = make_dataset(tmp_path / "d", covers=30)
    truth = np.arange(30) % 3
    proba = np.full((30, 3), 0.05)
    proba[np.arange(30), truth] = 0.9
    said = truth.copy()
    said[4] = 2  # jazz, and looks it
    told = contradicted(dataset, Answers(said, proba, dataset.groups), genres=GENRES, out=tmp_path / "audit")
    assert isinstance(told, Contradictions)
    with (tmp_path / "audit" / SUSPECTS_NAME).open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["file_name"], row["said"], row["model"]) == ("images/0004.png", "metal", "jazz")
    assert float(row["margin"]) == pytest.approx(-0.85)
    assert told.details["suspects"] == [
        {"file_name": "images/0004.png", "said": "metal", "model": "jazz", "proba": pytest.approx(0.9)}
    ]
    assert json.dumps(told.finding().plain(), allow_nan=False)
    assert [name for name, _ in told.finding().files] == [SHEET_NAME, SUSPECTS_NAME]
    assert probe((tmp_path / "audit" / SHEET_NAME).read_bytes(), "sheet").format == "png"


def test_the_rule_names_its_figures():
    assert "10 %" in NOISE_RULE
    assert "25 %" in NOISE_RULE


# on demo covers


def test_on_demo_covers_planted_wrong_genres_are_found_and_right_ones_left_alone(tmp_path: Path):
    flawless = DemoSettings(genres=3, covers_per_genre=80, size_px=64, signal=1.0, broken=0)
    draw_demo(tmp_path, replace(flawless, label_noise=0.2, near_duplicates=0, exact_duplicates=0), seed=3)
    covers = read_truth(tmp_path)
    features = color.features(np.stack([resize(decode(tmp_path / cover.file_name), 64) for cover in covers]))
    groups, genres = [cover.artist for cover in covers], sorted({cover.genre for cover in covers})
    for kind, verdict in (("genre", "suspicious"), ("true_genre", "clean")):
        said = np.array([genres.index(getattr(cover, kind)) for cover in covers])
        proba = cross_validated(features, said, groups, Task("single", tuple(genres)), seed=0)
        told = contradicted(told_of(["x"] * len(said), tmp_path), Answers(said, proba, groups), genres=genres)
        assert isinstance(told, Contradictions)
        wrong = np.mean([getattr(cover, kind) != cover.true_genre for cover in covers])
        assert told.finding().verdict == verdict
        assert told.low - 0.05 <= wrong <= told.high + 0.05
