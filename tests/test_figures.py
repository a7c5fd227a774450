from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sleevenotes.errors import EvaluationError
from sleevenotes.judge import metrics
from sleevenotes.judge.figures import Answers, figures, guesses, verdict
from sleevenotes.judge.intervals import MARGIN

GENRES = ["ambient", "folk", "jazz", "metal", "soul"]
FIGURE = {"value", "low", "high"}
COMMON = {
    "task",
    "genres",
    "n",
    "groups",
    "intervals",
    "log_loss",
    "brier",
    "ece",
    "ece_uncalibrated",
    "baselines",
    "per_genre",
    "reliability",
    "chance",
    "surest_fifth",
    "surest_half",
    "aurc",
    "abstention",
    "sets",
}
OF_ONE = {"accuracy", "balanced_accuracy", "macro_f1", "top2_accuracy", "top3_accuracy", "confusion"}
OF_TWO = {"roc_auc", "average_precision", "precision", "recall", "f1"}
OF_MANY = {
    "roc_auc_macro",
    "average_precision_macro",
    "roc_auc_micro",
    "average_precision_micro",
    "f1_macro",
    "f1_micro",
    "label_ranking_ap",
}


def single(n: int = 200, k: int = 5, *, signal: float = 0.8, seed: int = 0, artists: int | None = None) -> Answers:
    rng = np.random.default_rng(seed)
    truth = rng.integers(k, size=n)
    liking = rng.normal(size=(n, k))
    liking[np.arange(n), truth] += signal
    proba = np.exp(liking) / np.exp(liking).sum(axis=1, keepdims=True)
    names = np.arange(n) if artists is None else rng.integers(artists, size=n)
    sharper = proba**2 / (proba**2).sum(axis=1, keepdims=True)
    return Answers(truth, proba, [f"artist {name}" for name in names], sharper)


def multi(n: int = 250, k: int = 4, *, seed: int = 0) -> Answers:
    rng = np.random.default_rng(seed)
    proba = rng.uniform(size=(n, k)) * np.linspace(0.9, 0.3, k)
    return Answers((rng.random((n, k)) < proba).astype(int), proba, [str(i // 2) for i in range(n)])


def measure(answers: Answers, task: str = "single", *, shares: Any = None, **options: Any) -> dict[str, Any]:
    k = answers.proba.shape[1]
    rng = np.random.default_rng(9)
    baselines: dict[str, Any] = dict(guesses(answers.truth, np.ones(k) if shares is None else shares))
    color = rng.dirichlet(np.ones(k), size=len(answers.truth))
    usual: dict[str, Any] = {"baselines": baselines | {"color": color}, "resamples": 200, "genres": GENRES[:k]}
    return figures(answers, task=task, **usual | options)


def assert_figure(figure: dict[str, Any], where: str) -> None:
    assert set(figure) == FIGURE, where
    assert all(type(number) is float for number in figure.values()), where
    assert figure["low"] <= figure["value"] <= figure["high"], where


# ------------------------------------------------------------------------------------------- what is in it


def test_single_has_its_figures_and_no_others() -> None:
    found = measure(single())
    assert set(found) == COMMON | OF_ONE
    for name in (OF_ONE - {"confusion"}) | {"log_loss", "brier", "ece", "ece_uncalibrated"}:
        assert_figure(found[name], name)
    assert (found["task"], found["genres"], found["n"], found["groups"]) == ("single", GENRES, 200, 200)
    for genre, row in found["per_genre"].items():
        assert set(row) == {"precision", "recall", "f1", "average_precision", "support"}, genre
    assert set(found["baselines"]) == {"commonest", "share", "color"}
    for row in found["baselines"].values():
        assert set(row) == {"accuracy", "difference", "p", "test", "words"}
    assert found["confusion"]["genres"] == GENRES
    assert np.sum(found["confusion"]["counts"]) == 200


def test_binary_has_the_figures_of_its_genre_too() -> None:
    answers = single(k=2)
    found = measure(answers, "binary", genres=["prog", "not prog"])
    assert set(found) == COMMON | OF_ONE | OF_TWO
    for name in OF_TWO - {"roc_auc"}:
        assert found[name] == found["per_genre"]["prog"][name]
    assert_figure(found["roc_auc"], "roc_auc")
    assert found["roc_auc"]["value"] == pytest.approx(metrics.roc_auc(answers.truth, answers.proba)[0])
    assert "roc_auc" not in found["per_genre"]["prog"]
    assert found["chance"]["roc_auc"] == 0.5


def test_multi_has_its_own_figures_and_no_accuracy() -> None:
    answers, limits = multi(), [0.5, 0.4, 0.3, 0.2]
    found = measure(answers, "multi", thresholds=limits)
    assert set(found) == COMMON | OF_MANY
    for name in OF_MANY:
        assert_figure(found[name], name)
    assert found["f1_macro"]["value"] == pytest.approx(
        metrics.macro_f1(answers.truth, answers.proba, thresholds=limits)
    )
    assert found["roc_auc_macro"]["value"] == pytest.approx(np.mean(metrics.roc_auc(answers.truth, answers.proba)))
    for (genre, row), limit in zip(found["per_genre"].items(), limits, strict=True):
        assert row["threshold"] == limit, genre
        assert_figure(row["roc_auc"], genre)
        assert row["support"] == answers.truth[:, GENRES.index(genre)].sum()
    for row in found["baselines"].values():
        assert set(row) == {"label_ranking_ap", "difference", "p", "test", "words"}
    assert found["baselines"]["color"]["test"] == "t over groups"


@pytest.mark.parametrize(("task", "answers"), [("single", single()), ("binary", single(k=2)), ("multi", multi())])
def test_figures_are_plain_json_and_the_same_each_time(task: str, answers: Answers) -> None:
    found = measure(answers, task)
    written = json.dumps(found, allow_nan=False)
    assert json.loads(written) == found
    assert json.dumps(measure(answers, task)) == written
    assert json.dumps(measure(answers, task, seed=1)) != written
    assert verdict(json.loads(written), artists="apart") == verdict(found, artists="apart")


def test_values_are_those_of_the_metrics() -> None:
    answers = single(artists=40)
    found = measure(answers)
    assert found["groups"] < 41
    assert found["accuracy"]["value"] == metrics.accuracy(answers.truth, answers.proba)
    assert found["ece"]["value"] == metrics.calibration_error(answers.truth, answers.proba)
    assert answers.uncalibrated is not None
    assert found["ece_uncalibrated"]["value"] == metrics.calibration_error(answers.truth, answers.uncalibrated)
    assert found["top3_accuracy"]["value"] == metrics.top_k_accuracy(answers.truth, answers.proba, k=3)
    recall = [found["per_genre"][genre]["recall"]["value"] for genre in GENRES]
    assert recall == metrics.recall(answers.truth, answers.proba).tolist()
    counts = np.array(found["confusion"]["counts"])
    assert counts.sum(axis=1).tolist() == [found["per_genre"][genre]["support"] for genre in GENRES]
    assert np.trace(counts) / 200 == found["accuracy"]["value"]


def test_covers_of_few_artists_make_wide_intervals_and_a_note() -> None:
    alone, together = single(), single(artists=12)
    widths = [found["high"] - found["low"] for found in (measure(a)["accuracy"] for a in (alone, together))]
    assert widths[0] < 0.16
    assert widths[1] > 1.4 * widths[0]
    assert measure(alone)["intervals"]["notes"] == []
    found = measure(single(artists=6))
    assert any("only 6 groups" in note for note in found["intervals"]["notes"])
    assert "only 6 groups" in verdict(found, artists="apart")
    assert found["accuracy"]["too_few"] is True


def test_reliability_has_ten_bins_of_equal_mass() -> None:
    found = measure(single())["reliability"]
    assert set(found) == {"calibrated", "uncalibrated"}
    for bins in found.values():
        assert [row["n"] for row in bins] == [20.0] * 10
        confidence = [row["confidence"] for row in bins]
        assert confidence == sorted(confidence)
        assert all(row["low"] <= row["accuracy"] <= row["high"] for row in bins)
    assert found["calibrated"] != found["uncalibrated"]


def test_model_without_calibration_has_the_same_error_before_and_after() -> None:
    answers = multi()
    found = measure(answers, "multi")
    assert found["ece"] == found["ece_uncalibrated"]
    assert found["reliability"]["calibrated"] == found["reliability"]["uncalibrated"]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 12), st.integers(0, 99), st.sampled_from(["single", "binary", "multi"]))
def test_any_few_covers_have_figures_and_a_verdict(n: int, seed: int, task: str) -> None:
    answers = multi(n, 3, seed=seed) if task == "multi" else single(n, 2 if task == "binary" else 3, seed=seed)
    found = measure(answers, task, resamples=20)
    json.dumps(found, allow_nan=False)
    words = verdict(found, artists="unknown")
    assert words.startswith("On covers it has never seen (artists unknown), ")
    assert "nan" not in words
    assert "None" not in words


# ------------------------------------------------------------------------------------------- what can't be known


def test_genre_without_covers_has_no_recall() -> None:
    answers = single(60, 3)
    answers = Answers(np.minimum(answers.truth, 1), answers.proba, answers.groups)
    found = measure(answers)
    assert found["per_genre"]["jazz"]["recall"] == {"value": None, "low": None, "high": None}
    assert found["per_genre"]["jazz"]["average_precision"]["value"] is None
    assert found["per_genre"]["jazz"]["support"] == 0
    assert "jazz: no cover of it is here." in found["intervals"]["notes"]


def test_genre_on_too_few_covers_has_values_but_no_intervals() -> None:
    answers = single(80, 3)
    truth = answers.truth % 2
    truth[:9] = 2
    found = measure(Answers(truth, answers.proba, answers.groups))
    for name in ("recall", "f1", "average_precision"):
        assert found["per_genre"]["jazz"][name]["value"] is not None
        assert found["per_genre"]["jazz"][name]["too_few"] is True
    assert found["intervals"]["notes"] == ["Too few covers for intervals: jazz (9)."]
    truth[9] = 2
    enough = measure(Answers(truth, answers.proba, answers.groups))["per_genre"]["jazz"]
    assert_figure(enough["recall"], "recall")


@pytest.mark.parametrize(
    ("n", "given", "withheld"),
    [
        (24, (), ("accuracy", "top2_accuracy", "macro_f1", "ece")),
        (25, ("accuracy",), ("top2_accuracy", "macro_f1", "balanced_accuracy", "log_loss", "ece")),
        (60, ("accuracy", "top2_accuracy", "macro_f1", "balanced_accuracy", "aurc"), ("log_loss", "brier", "ece")),
        (100, ("accuracy", "macro_f1", "log_loss", "brier"), ("ece", "ece_uncalibrated")),
        (200, ("accuracy", "macro_f1", "ece", "ece_uncalibrated"), ()),
    ],
)
def test_figures_have_intervals_from_enough_covers_on(
    n: int, given: tuple[str, ...], withheld: tuple[str, ...]
) -> None:
    found = measure(single(n, 3))
    for name in given:
        assert_figure(found[name], name)
    for name in withheld:
        assert found[name] == {"value": found[name]["value"], "low": None, "high": None, "too_few": True}, name
    differences = [row["difference"] for row in found["baselines"].values()]
    assert all((figure["low"] is not None) == (n >= 25) for figure in differences)
    assert all((row["p"] is not None) == (n >= 25) for row in found["baselines"].values())


def all_figures(told: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each figure of an evaluation with where it stands."""
    if isinstance(told, dict):
        if "low" in told:
            yield path, told
        for key, value in told.items():
            yield from all_figures(value, f"{path}/{key}")
    elif isinstance(told, list):
        for at, value in enumerate(told):
            yield from all_figures(value, f"{path}/{at}")


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("task", ["single", "binary", "multi"])
@pytest.mark.parametrize("n", [9, 30, 120])
def test_no_interval_is_without_width_however_right_or_wrong_the_answers(task: str, n: int, right: bool) -> None:
    truth = np.arange(n) % (2 if task == "binary" else 3)
    proba = np.eye(truth.max() + 1)[truth if right else (truth + 1) % (truth.max() + 1)]
    answers = Answers(np.eye(3, dtype=np.int64)[truth] if task == "multi" else truth, proba, np.arange(n))
    found = measure(answers, task)
    for where, figure in all_figures(found):
        value = figure.get("value", figure.get("accuracy"))
        if re.fullmatch("/baselines/(commonest|share)/(accuracy|label_ranking_ap)", where):
            continue  # may be a chance that is the same for every cover
        assert figure["low"] is None or figure["low"] < figure["high"], where
        assert figure["low"] is not None or value is None or figure["too_few"] is True, where
    said = json.dumps(found, ensure_ascii=False) + verdict(found, artists="unknown")
    assert not re.search(r"\b(\d+(?:\.\d+)?) ?(?:–|to) ?\1\b", said)


@settings(max_examples=25, deadline=None)
@given(st.integers(25, 150), st.integers(0, 999), st.floats(0, 1.2), st.sampled_from(["single", "multi"]))
def test_no_sentence_disagrees_with_the_interval_beside_it(n: int, seed: int, signal: float, task: str) -> None:
    answers = single(n, 3, signal=signal, seed=seed) if task == "single" else multi(n, 3, seed=seed)
    for row in measure(answers, task, resamples=20)["baselines"].values():
        low, high = row["difference"]["low"], row["difference"]["high"]
        opening = "A test of" if low is None else "The model "
        if low is not None:
            assert (row["p"] < 0.05) == (low > 0 or high < 0)
            opening += "beats" if low > 0 else "does worse" if high < 0 else "is no better"
            opening = opening if low > 0 or high < 0 or max(-low, high) <= MARGIN else "A test of"
        assert row["words"].startswith(opening) or "exactly as right" in row["words"]


def test_one_group_has_no_intervals() -> None:
    answers = single(30)
    found = measure(Answers(answers.truth, answers.proba, ["one artist"] * 30))
    assert found["accuracy"]["value"] > 0
    assert found["accuracy"]["low"] is found["ece"]["high"] is found["per_genre"]["folk"]["f1"]["low"] is None
    assert found["baselines"]["color"]["difference"]["low"] is None
    assert found["reliability"]["calibrated"][0]["low"] is None
    assert any("one group" in note for note in found["intervals"]["notes"])
    assert "nothing tells how sure" in verdict(found, artists="unknown")


# ------------------------------------------------------------------------------------------- baselines


def test_guessing_by_hand() -> None:
    guessed = guesses([0, 1, 2, 0], [5, 3, 2])
    assert guessed["commonest"].tolist() == [1, 0, 0, 1]
    assert guessed["share"] == pytest.approx([0.5, 0.3, 0.2, 0.5])


def test_guessing_of_any_number_of_genres_ranks_them() -> None:
    truth = np.array([[1, 0, 0], [0, 0, 1], [1, 1, 0]])
    guessed = guesses(truth, [0.5, 0.3, 0.2])
    assert guessed["commonest"] == pytest.approx([1, 1 / 3, 1])
    # one true genre of two, drawn first with its share s: s · 1 + (1 − s) · 1/2
    often = guesses(np.tile([0, 1], (4000, 1)), [3, 1])["share"]
    assert often.mean() == pytest.approx(0.25 + 0.75 / 2, abs=0.005)
    assert guesses(truth, [0.5, 0.3, 0.2], seed=1)["share"].tolist() != guessed["share"].tolist()
    # genres never seen in training come last, in either order: 1, (1/2 + 1/3) / 2, and (1 + (1 + 2/3) / 2) / 2
    unseen = guesses(np.tile(truth, (500, 1)), [1, 0, 0])["share"].reshape(500, 3).mean(axis=0)
    assert unseen == pytest.approx([1, 5 / 12, 11 / 12], abs=0.01)


def test_chance_is_the_better_way_of_guessing() -> None:
    found = measure(single(), shares=[6, 1, 1, 1, 1])
    values = [found["baselines"][name]["accuracy"]["value"] for name in ("commonest", "share")]
    assert found["chance"]["accuracy"] == max(values)
    without = figures(single(), task="single", genres=GENRES, baselines={}, resamples=20)
    assert without["chance"] == {"accuracy": 0.2}


def test_a_good_model_beats_guessing_in_words() -> None:
    found = measure(single(400, signal=1.5))
    assert {row["test"] for row in found["baselines"].values()} == {"t over groups"}
    for name, way in {
        "commonest": "naming the commonest genre every time",
        "share": "guessing by the genres' shares",
        "color": "looking at the colours alone",
    }.items():
        row = found["baselines"][name]
        assert row["p"] < 0.001
        assert row["words"].startswith(f"The model beats {way}: ")
        assert row["words"].endswith("p < 0.001.")
        assert row["difference"]["value"] == pytest.approx(found["accuracy"]["value"] - row["accuracy"]["value"])


def test_a_model_without_signal_beats_nothing() -> None:
    found = measure(single(300, signal=0.0))
    for row in found["baselines"].values():
        assert row["words"].startswith(
            ("A test of 300 covers is too small to say whether the model beats ", "The model is no better than ")
        )
    assert "which is no better than guessing (20 %), give or take 5 points." in verdict(found, artists="apart")


def test_a_model_worse_than_a_baseline_is_said_to_be() -> None:
    answers = single(400, signal=0.3)
    better = {"color": single(400, signal=3.0).proba} | guesses(answers.truth, np.ones(5))
    found = measure(answers, baselines=better)
    words = found["baselines"]["color"]["words"]
    assert words.startswith("The model does worse than looking at the colours alone: ")
    assert "a difference of −" in words
    assert "The colours alone do better: " in verdict(found, artists="apart")


def test_the_model_that_is_its_baseline_is_said_to_be() -> None:
    answers = single()
    found = measure(answers, model="color", baselines={"color": answers.proba})
    row = found["baselines"]["color"]
    assert (row["p"], row["difference"]["value"]) == (1, 0)
    assert row["words"].startswith("The model is this baseline itself")
    assert "colours" not in verdict(found, artists="apart")


def test_a_model_that_only_names_the_commonest_genre_is_said_to() -> None:
    answers = single()
    same = Answers(answers.truth, np.tile([0.4, 0.3, 0.1, 0.1, 0.1], (200, 1)), answers.groups)
    found = measure(same)
    words = found["baselines"]["commonest"]["words"]
    assert words.startswith("The model is exactly as right about every cover as naming the commonest genre every time")
    assert "which is no better than guessing" in verdict(found, artists="apart")


def test_a_baseline_of_another_name_is_named() -> None:
    answers = single()
    found = measure(answers, baselines={"small": single(signal=0.1).proba})
    assert "the baseline 'small'" in found["baselines"]["small"]["words"]


# ------------------------------------------------------------------------------------------- the verdict


def figure(value: float, low: float | None, high: float | None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


def told(low: float | None = 0.15, high: float | None = 0.21, **more: Any) -> dict[str, Any]:
    """Return figures as they would be written, of a model that gets 38 % and is so much better than guessing."""
    against = {"accuracy": figure(0.2, 0.17, 0.23), "difference": figure(0.18, low, high), "p": 0.0001, "test": "t"}
    return {
        "task": "single",
        "genres": GENRES,
        "n": 742,
        "groups": 731,
        "accuracy": figure(0.381, 0.349, 0.412),
        "baselines": {"commonest": against, "share": against},
        "chance": {"accuracy": 0.2},
    } | more


def told_of_two(**more: Any) -> dict[str, Any]:
    two = {
        "task": "binary",
        "genres": ["prog", "not prog"],
        "precision": figure(0.61, 0.52, 0.69),
        "recall": figure(0.48, 0.40, 0.57),
        "roc_auc": figure(0.83, 0.80, 0.86),
        "confusion": {"counts": [[48, 52], [31, 611]]},
    }
    return told() | two | more


def test_verdict_says_how_often_it_is_right() -> None:
    says = "it names the right genre 38 % of the time (35–41); guessing gets 20 %."
    assert verdict(told(), artists="apart") == (f"On covers it has never seen, from artists it has never seen, {says}")
    assert verdict(told(), artists="shared") == f"On covers it has never seen, from artists it may have seen, {says}"
    assert verdict(told(), artists="unknown") == f"On covers it has never seen (artists unknown), {says}"


def test_verdict_says_when_guessing_is_as_good() -> None:
    ends = {
        (-0.02, 0.06): "(35–41); guessing gets 20 %, and 742 covers are too few to tell which is better.",
        (-0.03, 0.04): "(35–41), which is no better than guessing (20 %), give or take 5 points.",
        (-0.1, -0.01): "(35–41), which is worse than guessing (20 %).",
        (None, None): "(35–41); guessing gets 20 %, and 742 covers are too few to tell which is better.",
    }
    for (low, high), end in ends.items():
        assert verdict(told(low=low, high=high), artists="apart").endswith(end)


def test_verdict_says_when_the_colours_do_as_well() -> None:
    found = told()
    for high, end in (
        (0.07, "; 742 covers are too few to say which is better."),
        (0.05, ", which is as good, give or take 5 points."),
    ):
        close = {"accuracy": figure(0.36, 0.33, 0.39), "difference": figure(0.02, -0.01, high), "p": 0.2}
        found["baselines"] = found["baselines"] | {"color": close}
        assert verdict(found, artists="apart").endswith(f"guessing gets 20 %. The colours alone get 36 %{end}")


def test_verdict_on_one_genre_against_the_rest() -> None:
    assert verdict(told_of_two(), artists="apart") == (
        "On covers it has never seen, from artists it has never seen, of 100 covers that it calls prog, "
        "61 are (52–69), and of 100 prog covers it finds 48 (40–57). Shown one prog cover and one other, it picks the "
        "right one 83 % of the time (80–86; ROC AUC); guessing gets 50 %. Its answer is right 38 % of the time "
        "(35–41); always giving the commoner answer is right 20 % of the time."
    )


def test_verdict_is_not_dazzled_by_a_rare_genre() -> None:
    usual = {"accuracy": figure(0.972, 0.96, 0.98), "difference": figure(0.002, -0.002, 0.006), "p": 0.4}
    rare = told_of_two(accuracy=figure(0.974, 0.962, 0.985), baselines={"commonest": usual, "share": usual})
    assert verdict(rare, artists="apart").endswith(
        "Its answer is right 97.4 % of the time (96.2–98.5); always giving the commoner answer is right 97.2 % of the "
        "time, which is as good, give or take 5 points."
    )


def test_verdict_on_a_genre_never_named_or_never_there() -> None:
    never = told_of_two(precision=figure(0, 0, 0), recall=figure(0, 0, 0), confusion={"counts": [[0, 100], [0, 642]]})
    assert "it calls no cover prog, so that it finds none of them." in verdict(never, artists="apart")
    nothing = {"value": None, "low": None, "high": None}
    absent = told_of_two(recall=nothing, roc_auc=nothing, confusion={"counts": [[0, 0], [31, 711]]})
    assert verdict(absent, artists="unknown") == (
        "On covers it has never seen (artists unknown), it can't be told how well it knows prog, "
        "as no prog cover is among these 742 covers."
    )


def test_verdict_on_an_order_no_better_than_chance() -> None:
    assert "(47–54; ROC AUC), which is no better than guessing (50 %), give or take 5 points." in verdict(
        told_of_two(roc_auc=figure(0.51, 0.47, 0.54)), artists="apart"
    )
    assert "(44–58; ROC AUC); guessing gets 50 %, and 742 covers are too few to tell which is better." in verdict(
        told_of_two(roc_auc=figure(0.51, 0.44, 0.58)), artists="apart"
    )
    assert "which is worse than guessing (50 %)" in verdict(
        told_of_two(roc_auc=figure(0.4, 0.37, 0.45)), artists="apart"
    )


def test_verdict_on_any_number_of_genres() -> None:
    against = {"label_ranking_ap": figure(0.41, 0.4, 0.42), "difference": figure(0.14, 0.11, 0.17), "p": 0.0001}
    found = told(
        task="multi",
        roc_auc_macro=figure(0.74, 0.72, 0.76),
        label_ranking_ap=figure(0.55, 0.52, 0.58),
        baselines={"commonest": against},
        chance={"label_ranking_ap": 0.41, "roc_auc": 0.5},
    )
    assert verdict(found, artists="apart") == (
        "On covers it has never seen, from artists it has never seen, shown one cover of a genre and one other, it "
        "picks the right one 74 % of the time (72–76; mean ROC AUC); guessing gets 50 %. Reading its list of genres, "
        "likeliest first, down to each right one, 55 % of those read are right (52–58; label-ranking average "
        "precision); guessing gets 41 %."
    )


# ------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("answers", "options", "message"),
    [
        (single(), {"task": "singel"}, "task 'singel'. It is one of single, binary, multi. Did you mean 'single'"),
        (single(), {"genres": ["folk"]}, "for 1 genres. There is a column a genre"),
        (single(), {"task": "binary"}, "There are two genres"),
        (single(), {"task": "multi"}, "truth of shape \\(200,\\) for the task 'multi'. It is \\(n, K\\)"),
        (multi(), {"genres": GENRES[:4]}, "It is \\(n,\\), a genre a cover"),
        (single(), {"thresholds": [0.5] * 5}, "There the likeliest genre is predicted"),
        (single(), {"baselines": {"color": np.ones(3)}}, "baseline 'color': scores of shape \\(3,\\)"),
        (single(), {"baselines": {"color": np.full(200, 2.0)}}, "scores from 0 to 1"),
        (single(), {"level": 95}, "level 95"),
    ],
)
def test_parts_that_do_not_fit_are_refused(answers: Answers, options: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        measure(answers, **{"genres": GENRES} | options)


def test_answers_of_different_lengths_are_refused() -> None:
    answers = single()
    with pytest.raises(EvaluationError, match="3 groups for 200 covers"):
        measure(Answers(answers.truth, answers.proba, list("abc")))
    with pytest.raises(EvaluationError, match="uncalibrated probas of shape \\(3, 5\\)"):
        measure(Answers(answers.truth, answers.proba, answers.groups, answers.proba[:3]))


def test_senseless_shares_and_artists_are_refused() -> None:
    for shares in ([0, 0], [-1, 2], [np.nan, 1], [[1, 1]]):
        with pytest.raises(EvaluationError, match="How common each genre is"):
            guesses([0, 1], shares)
    with pytest.raises(EvaluationError, match=r"artists 'known'\. It is one of unknown, apart, shared"):
        verdict(told(), artists="known")
