"""Classical methods: each shortcut says what plain scikit-learn says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.linear_model import Lasso, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sleevenotes.learn.classical import METHODS, MORE, Covers, rounded, run, tuned

SHRINKAGE = 0.1


def pixels(n: int, d: int, genres: int = 4, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Eight-bit pixels in 0 to 1, neighbours alike, of genres that differ a little."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % genres
    tilt = np.random.default_rng(9).normal(0, 12, (genres, d))
    walk = rng.normal(0, 60, (n, 1)) + rng.normal(0, 9, (n, d)).cumsum(axis=1) + rng.normal(0, 6, (n, d))
    return np.clip(np.rint(128 + walk + tilt[truth]), 0, 255).astype(np.float32) / 255, truth


def made(n: int = 240, d: int = 40, m: int = 60) -> Covers:
    features, truth = pixels(n + m, d)
    return Covers(features[:n], truth[:n], features[n:], 4)


PLAIN = {
    "ridge": lambda: RidgeClassifier(alpha=1e-4),
    "svm": lambda: SVC(),
    "adaboost": lambda: AdaBoostClassifier(random_state=0),
    "5-nn": lambda: KNeighborsClassifier(algorithm="brute"),
    "random forest": lambda: RandomForestClassifier(max_depth=2, random_state=0),
    "decision tree": lambda: DecisionTreeClassifier(max_depth=2, random_state=0),
    "lda": lambda: LinearDiscriminantAnalysis(),
    "qda": lambda: QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=SHRINKAGE),
    "naive bayes": lambda: GaussianNB(),
}


@pytest.mark.parametrize("shape", [(240, 40), (80, 120)], ids=["more covers", "more features"])
@pytest.mark.parametrize("name", PLAIN)
def test_a_method_guesses_as_plain_scikit_learn(name: str, shape: tuple[int, int]):
    covers = made(*shape)
    plain = PLAIN[name]().fit(covers.train.astype(np.float64), covers.truth)
    fitted = run(name, covers)
    assert fitted.test_guess.tolist() == plain.predict(covers.test.astype(np.float64)).tolist()
    assert fitted.train_guess.tolist() == plain.predict(covers.train.astype(np.float64)).tolist()
    if fitted.test_proba is not None:
        assert np.allclose(fitted.test_proba, plain.predict_proba(covers.test.astype(np.float64)), atol=2e-3)


@pytest.mark.parametrize("shape", [(240, 40), (80, 120)], ids=["more covers", "more features"])
def test_the_lasso_guesses_as_scikit_learns_of_each_genre(shape: tuple[int, int]):
    covers = made(*shape)
    scores = []
    for genre in range(4):
        target = np.where(covers.truth == genre, 1.0, -1.0)
        plain = Lasso(alpha=1e-4, max_iter=1_000_000, tol=1e-5).fit(covers.train.astype(np.float64), target)
        scores.append(plain.predict(covers.test.astype(np.float64)))
    fitted = run("lasso", covers)
    assert fitted.settings["converged"]
    assert np.mean(fitted.test_guess == np.argmax(scores, axis=0)) >= 0.98


@pytest.mark.parametrize("name", [*METHODS, *MORE])
def test_every_method_tells_its_settings_and_is_the_same_again(name: str):
    first, again = (run(name, made(), seed=3) for _ in range(2))
    assert first.test_guess.tolist() == again.test_guess.tolist()
    assert first.train_guess.shape == (240,)
    assert json.loads(json.dumps(first.settings)) == first.settings
    assert first.settings
    assert first.seconds > 0
    if first.train_proba is not None:
        assert np.allclose(first.train_proba.sum(axis=1), 1, atol=1e-5)


def test_a_regression_on_the_genres_number_is_rounded_and_kept_within_the_genres():
    values = np.array([[0.0], [0.0], [0.5], [0.5], [1.0], [1.0]], dtype=np.float32)
    covers = Covers(values, np.repeat([0, 1, 2], 2), np.array([[-3.0], [0.2], [0.3], [9.0]]), 3)
    assert rounded("ridge", covers).test_guess.tolist() == [0, 0, 1, 2]
    assert rounded("lasso", covers).test_guess.tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("name", ["ridge", "5-nn", "lda", "qda", "naive bayes", "adaboost", "decision tree"])
def test_a_genre_that_train_lacks_is_never_guessed(name: str):
    covers = made()
    lacking = Covers(covers.train, np.array([0, 2, 3, 4])[covers.truth], covers.test, 5)
    assert 1 not in run(name, lacking).test_guess
    assert run(name, lacking).test_guess.tolist() == np.array([0, 2, 3, 4])[run(name, covers).test_guess].tolist()


def test_stumps_of_few_values_are_said_to_be_exact_and_of_many_put_together():
    rng = np.random.default_rng(0)
    truth = np.arange(600) % 2
    many = (rng.normal(0, 1, (600, 3)) + truth[:, None] * [2, 0, 0]).astype(np.float32)
    fitted = run("adaboost", Covers(many, truth, many[:5], 2))
    assert "put together" in fitted.settings["values"]
    assert np.mean(fitted.train_guess == truth) > 0.8
    assert run("adaboost", made()).settings["values"] == "each of its own"


@pytest.mark.parametrize("name", ["ridge", "lasso", "5-nn", "qda", "lda", "naive bayes", "decision tree"])
def test_settings_are_chosen_inside_of_train(name: str):
    covers = made()
    groups = [f"g{number // 4}" for number in range(240)]
    fitted = tuned(name, covers, groups=groups, folds=3)
    best = max(trial["accuracy"] for trial in fitted.settings["tried"])
    chosen = next(trial for trial in fitted.settings["tried"] if trial["accuracy"] == best)
    assert all(
        fitted.settings[{"smoothing": "var_smoothing"}.get(key, key)] == value
        for key, value in chosen.items()
        if key != "accuracy"
    )
    other = Covers(covers.train, covers.truth, covers.test[::-1] * 0, 4)  # test has no say
    assert tuned(name, other, groups=groups, folds=3).settings == fitted.settings


@pytest.mark.parametrize("shape", [((3, 2), (4,), (1, 2)), ((3, 2), (3,), (1, 5))])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[tuple[int, ...], ...]):
    with pytest.raises(ValueError, match=r"shapes .* Expected \(n, D\)"):
        Covers(np.zeros(shape[0]), np.zeros(shape[1], int), np.zeros(shape[2]), 2)


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"'boost'\. Expected one of ridge, lasso"):
        run("boost", made())
