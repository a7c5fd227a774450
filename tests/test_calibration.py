"""Percentages that mean something: temperature, a map a genre, thresholds, and the log loss that finds them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import f1_score, log_loss as log_loss_of_sklearn

from sleevenotes.covers.genre_tree import respect
from sleevenotes.covers.tasks import Task
from sleevenotes.learn.abstention import Caution
from sleevenotes.learn.calibration import (
    calibrate,
    calibrated,
    fit_maps,
    fit_temperature,
    fit_thresholds,
    log_loss,
    proba_of,
)
from sleevenotes.learn.conformal import sets_card

logits_of_covers = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 5), st.integers(2, 5)), elements=st.floats(-60, 60, width=32)
)


def simulated(temperature: float, *, task: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are too sure by a factor, and a truth drawn from what they should have been."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 1.5, (6000, 4))
    proba = proba_of(honest, task=task)
    if task == "multi":
        truth = (rng.random(proba.shape) < proba).astype(np.int64)
    else:
        truth = np.array([rng.choice(4, p=row) for row in proba])
    return honest * temperature, truth


@pytest.mark.parametrize("task", ["single", "multi"])
@pytest.mark.parametrize("planted", [0.4, 1.0, 3.5])
def test_a_planted_temperature_is_found_again(planted: float, task: str):
    assert fit_temperature(*simulated(planted, task=task), task=task) == pytest.approx(planted, rel=0.08)


def test_the_temperature_found_is_no_worse_than_none_and_than_its_neighbours():
    logits, truth = simulated(2.5, task="single", seed=3)
    found = fit_temperature(logits, truth, task="single")

    def loss(temperature: float) -> float:
        return log_loss(truth, proba_of(logits, task="single", temperature=temperature))

    assert loss(found) <= min(loss(1.0), loss(found * 1.02), loss(found / 1.02))


def test_a_model_that_is_always_right_or_knows_nothing_keeps_a_temperature_within_bounds():
    sure = np.eye(3)[np.arange(30) % 3] * 9.0
    assert 0.05 <= fit_temperature(sure, np.arange(30) % 3, task="single") <= 20
    assert 0.05 <= fit_temperature(-sure, np.arange(30) % 3, task="single") <= 20


@given(st.integers(3, 400), st.floats(0.5, 20))
def test_after_n_right_answers_out_of_n_no_more_is_claimed_than_laplace_allows(n: int, margin: float):
    truth = np.arange(n) % 3
    logits = np.eye(3)[truth] * margin
    found = fit_temperature(logits, truth, task="single")
    claimed = proba_of(logits, task="single", temperature=found).max()
    assert claimed == pytest.approx((n + 1) / (n + 2), abs=2e-3)
    card = calibrate(logits, truth, task=Task("single", ("folk", "jazz", "metal")))
    assert card["notes"][0].startswith(
        f"All of the {n} covers that calibrate the percentages are named rightly; so few"
    )
    assert Caution.of(card).risk(np.array([1.0, 0.0, 0.0])) == pytest.approx(1 / (n + 2))
    assert Caution.of(card, max_risk=0.5 / (n + 2)).doubt(np.array([1.0, 0.0, 0.0])) is not None


def test_the_floor_moves_the_temperature_of_an_ordinary_model_by_nothing_that_is_seen():
    rng = np.random.default_rng(0)
    truth = rng.integers(5, size=343)
    logits = (np.eye(5)[truth] * 0.9 + rng.normal(size=(343, 5))) * 1.5
    found = fit_temperature(logits, truth, task="single")

    def loss(temperature: float) -> float:
        return log_loss(truth, proba_of(logits, task="single", temperature=temperature))

    grid = found * np.linspace(0.99, 1.01, 201)
    assert found == pytest.approx(grid[np.argmin([loss(temperature) for temperature in grid])], rel=2e-3)
    assert "notes" not in calibrate(logits, truth, task=Task("single", ("a", "b", "c", "d", "e")))


def test_a_temperature_at_its_bound_is_noted():
    truth = np.arange(60) % 3
    wrong = np.eye(3)[(truth + 1) % 3] * 50.0
    card = calibrate(wrong, truth, task=Task("single", ("folk", "jazz", "metal")))
    assert card["notes"] == ["The temperature is at its greatest, 20: the percentages are not calibrated."]
    faint = np.eye(3)[truth] * 1e-3
    (_, note) = calibrate(faint, truth, task=Task("single", ("folk", "jazz", "metal")))["notes"]
    assert note.startswith("The temperature is at its smallest, 0.05")


@given(logits_of_covers, st.floats(0.05, 20))
def test_a_temperature_never_changes_the_order_of_genres(logits: np.ndarray, temperature: float):
    for task in ("single", "multi"):
        proba = proba_of(logits, task=task, temperature=temperature)
        order = np.argsort(logits, axis=1, kind="stable")
        assert (np.diff(np.take_along_axis(proba, order, axis=1), axis=1) >= 0).all()
        assert ((proba >= 0) & (proba <= 1)).all()
        if task == "single":
            assert np.allclose(proba.sum(axis=1), 1)


def test_genres_that_are_all_unlikely_keep_their_order_in_multi():
    proba = proba_of(np.array([[-60.0, -50.0, -40.0]]), task="multi", temperature=0.5)[0]
    assert (np.diff(proba) > 0).all()
    assert proba[2] == pytest.approx(np.exp(-80.0))


@given(logits_of_covers)
def test_in_multi_each_genre_is_by_itself_and_its_contrary_is_the_rest(logits: np.ndarray):
    assert np.allclose(proba_of(logits, task="multi") + proba_of(-logits, task="multi"), 1)
    assert np.array_equal(proba_of(logits, task="multi")[:, :1], proba_of(logits[:, :1], task="multi"))


def test_log_loss_agrees_with_scikit_learn():
    logits, truth = simulated(1.0, task="single")
    proba = proba_of(logits, task="single")
    assert log_loss(truth, proba) == pytest.approx(log_loss_of_sklearn(truth, proba))
    logits, truth = simulated(1.0, task="multi")
    proba = proba_of(logits, task="multi")
    expected = np.mean([log_loss_of_sklearn(truth[:, genre], proba[:, genre]) for genre in range(4)])
    assert log_loss(truth, proba) == pytest.approx(expected)


def test_log_loss_of_a_sure_mistake_is_large_but_a_number():
    assert log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(1e-15))


def test_thresholds_worked_by_hand():
    # of 25 covers of the genre, 20 are at 0.8, the others at 0.3 among 20 that are not of it:
    # from 0.8 on, F1 is 2·20/(20 + 25) = 0.89; from 0.3 on 2·25/(45 + 25) = 0.71
    proba = np.array([0.8] * 20 + [0.3] * 25 + [0.1] * 5)[:, None]
    truth = np.array([1] * 20 + [1] * 5 + [0] * 25)[:, None]
    assert fit_thresholds(proba, truth) == [0.8]


def test_a_threshold_has_the_best_f1_of_all():
    logits, truth = simulated(1.0, task="multi", seed=5)
    logits, truth = logits[:80], truth[:80]
    proba = proba_of(logits, task="multi")
    for genre, threshold in enumerate(fit_thresholds(proba, truth)):
        best = max(f1_score(truth[:, genre], proba[:, genre] >= other) for other in np.unique(proba[:, genre]))
        assert f1_score(truth[:, genre], proba[:, genre] >= threshold) == pytest.approx(best)


def test_a_rare_genre_takes_the_threshold_of_all_genres_pooled():
    rng = np.random.default_rng(0)
    proba = rng.random((200, 2))
    truth = (rng.random((200, 2)) < proba * [0.9, 0.02]).astype(np.int64)
    assert truth[:, 1].sum() < 20 <= truth[:, 0].sum()
    common, rare = fit_thresholds(proba, truth)
    assert rare == fit_thresholds(proba.reshape(-1, 1), truth.reshape(-1, 1))[0]
    assert common == fit_thresholds(proba[:, :1], truth[:, :1])[0]


def test_genres_that_nobody_has_get_the_threshold_in_the_middle():
    assert fit_thresholds(np.full((5, 2), 0.2), np.zeros((5, 2), dtype=np.int64)) == [0.5, 0.5]


# a map a genre


def questions(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits and truth, (n, 4): a genre twice too sure, one of a crooked scale, a rare one, and one that is honest."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 1.5, (n, 4)) - [1, 0, 5.5, 1]
    truth = (rng.random((n, 4)) < proba_of(honest, task="multi")).astype(np.int64)
    crooked = np.where(honest[:, 1] > 0, 0.15 * honest[:, 1], 3 * honest[:, 1])
    return np.stack([2 * honest[:, 0] + 3, crooked, honest[:, 2], honest[:, 3]], axis=1), truth


def test_each_genre_has_the_map_that_does_best_over_folds_and_a_rare_one_the_pooled():
    logits, truth = questions(4000)
    maps, loss = fit_maps(logits, truth)
    assert truth[:, 2].sum() >= 20
    assert maps[0]["kind"] == "platt"
    assert (maps[0]["scale"], maps[0]["shift"]) == pytest.approx((0.5, -1.5), abs=0.15)
    assert maps[1]["kind"] == "isotonic"
    card = {"maps": maps}
    new, asked = questions(20_000, seed=1)
    proba, temperature = calibrated(new, card, task="multi"), fit_temperature(logits, truth, task="multi")
    assert log_loss(asked, proba) < log_loss(asked, proba_of(new, task="multi", temperature=temperature)) - 0.05
    assert loss == pytest.approx(log_loss(asked, proba), abs=0.02)
    for genre in (0, 1, 3):
        order = np.argsort(proba[:, genre])
        claimed, held = proba[order, genre].reshape(10, -1), asked[order, genre].reshape(10, -1)
        assert np.abs(claimed.mean(axis=1) - held.mean(axis=1)).max() < 0.06
    few = fit_maps(logits[:400], truth[:400])[0]
    assert truth[:400, 2].sum() < 20
    assert few[2]["kind"] == "pooled"


def test_a_genre_on_nearly_all_covers_has_the_pooled_map_too():
    logits, truth = questions(200)
    truth[:, 3] = 1
    truth[:10, 3] = 0
    assert fit_maps(logits, truth)[0][3]["kind"] == "pooled"


def test_too_few_groups_for_folds_leave_the_pooled_map():
    logits, truth = questions(200)
    maps, loss = fit_maps(logits, truth, ["a", "b"] * 100)
    assert {how["kind"] for how in maps} == {"pooled"}
    assert loss is None


@given(st.integers(0, 1000), st.integers(30, 200))
def test_a_map_keeps_the_order_of_covers_under_each_genre(seed: int, n: int):
    logits, truth = questions(n, seed)
    maps, _ = fit_maps(logits, truth)
    asked = np.concatenate([logits, logits * 3, np.random.default_rng(seed).normal(0, 20, logits.shape)])
    proba = calibrated(asked, {"maps": maps}, task="multi")
    assert ((proba >= 0) & (proba <= 1)).all()
    for column, given_logits in zip(proba.T, asked.T, strict=True):
        assert (np.diff(column[np.argsort(given_logits, kind="stable")]) >= -1e-12).all()


def test_an_isotonic_map_is_never_certain_and_goes_on_beyond_its_points():
    logits = np.arange(60.0)
    truth = (logits >= 30).astype(np.int64)
    card = calibrate(logits[:, None] - 30, truth[:, None], task=Task("multi", ("rock",)))
    far = calibrated(np.array([[-100.0], [-50.0], [50.0], [100.0]]), card, task="multi").ravel()
    assert (np.diff(far) > 0).all()
    assert 0 < far[0] < 0.1
    assert 0.9 < far[-1] < 1


def test_what_is_unknown_has_no_say():
    logits, truth = questions(600, seed=2)
    unknown = np.random.default_rng(0).random(truth.shape) < 0.3
    known, other = np.where(unknown, -1, truth), np.where(unknown, -1, truth)
    disturbed = np.where(unknown, 99.0, logits)
    assert fit_maps(logits, known)[0] == fit_maps(disturbed, other)[0]
    assert fit_temperature(logits, known, task="multi") == fit_temperature(disturbed, other, task="multi")
    proba = proba_of(logits, task="multi")
    assert fit_thresholds(proba, known) == fit_thresholds(np.where(unknown, 0.5, proba), other)
    assert log_loss(known, proba) == pytest.approx(-np.log(np.where(truth == 1, proba, 1 - proba))[~unknown].mean())


# the card


@pytest.mark.parametrize("task", ["single", "multi"])
def test_the_card_can_be_written_and_predicts_the_same_when_read(task: str):
    logits, truth = simulated(2.0, task=task, seed=4)
    card = calibrate(logits[:400], truth[:400], task=Task(task, tuple("abcd")), source="out of fold")
    read = json.loads(json.dumps(card, allow_nan=False))
    assert np.array_equal(calibrated(logits, read, task=task), calibrated(logits, card, task=task))
    assert (card["n"], card["source"]) == (400, "out of fold")
    assert card["valid_log_loss"]["after"] < card["valid_log_loss"]["before"]
    assert ("maps" in card) == ("thresholds" in card) == (task == "multi")
    assert card["method"] == ("a map a genre" if task == "multi" else "temperature")


def test_a_card_of_a_temperature_alone_still_predicts():
    logits = np.array([[1.0, 2.0, -1.0]])
    for task in ("single", "multi"):
        expected = proba_of(logits, task=task, temperature=1.7)
        assert np.array_equal(calibrated(logits, {"method": "temperature", "temperature": 1.7}, task=task), expected)


def test_covers_too_few_for_anything_still_have_a_card_that_can_be_written():
    for task, truth in (("single", np.array([0, 1])), ("multi", np.array([[1, 0], [-1, 0]]))):
        card = calibrate(np.array([[1.0, 0.0], [0.5, 0.2]]), truth, task=Task(task, ("a", "b")))
        json.dumps(card, allow_nan=False)
        assert np.isfinite(calibrated(np.zeros((1, 2)), card, task=task)).all()


def test_thresholds_and_sets_are_of_proba_that_respect_the_tree():
    logits, truth = questions(300, seed=3)
    truth[:, 1] |= truth[:, 0]
    logits[:, 1] = np.random.default_rng(0).normal(size=300)  # what is said of the parent tells nothing
    task = Task("multi", tuple("abcd"), (("a", "b"),))
    card = calibrate(logits, truth, task=task)
    proba = respect(calibrated(logits, card, task="multi"), task.genres, task.tree)
    assert card["thresholds"] == fit_thresholds(proba, truth)
    assert card["sets"] == sets_card(proba, truth)
    assert card["sets"] != calibrate(logits, truth, task=Task("multi", tuple("abcd")))["sets"]
