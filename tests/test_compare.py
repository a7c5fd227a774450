"""Comparing models: on the same covers, paired, corrected for how many pairs there are, and said in words."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import five_seeds
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sleevenotes import cli
from sleevenotes.covers.images import sha256
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import EvaluationError, SleevenotesWarning
from sleevenotes.judge import metrics
from sleevenotes.judge.compare import Comparison, Difference, Pair, Standing, compare
from sleevenotes.judge.evaluation import evaluate
from sleevenotes.judge.figures import Answers, figures, guesses
from sleevenotes.judge.intervals import paired_test
from sleevenotes.judge.recorded import cure_for, read_recorded
from sleevenotes.learn.model import Model
from sleevenotes.publish.comparison import escaped, latex, sentences, table, write_comparison

GENRES = ("folk", "jazz", "metal")
N = 120
RESAMPLES = 200
DIGEST = sha256(b"images/0000.png")


def truth_of(task: str, n: int = N, genres: Sequence[str] = GENRES) -> np.ndarray:
    rng = np.random.default_rng(5)
    if task == "multi":
        return (rng.random((n, len(genres))) < 0.4).astype(int)
    return rng.integers(2 if task == "binary" else len(genres), size=n)


def answers_to(truth: np.ndarray, skill: float, seed: int, k: int = 3) -> np.ndarray:
    """Probas of a model that knows the truth with so much skill: 0 tells nothing."""
    rng = np.random.default_rng(seed)
    if truth.ndim == 2:
        return 1 / (1 + np.exp(-(skill * (2 * truth - 1) + rng.normal(size=truth.shape))))
    logits = skill * np.eye(k)[truth] + rng.normal(size=(len(truth), k))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def judged(
    folder: Path,
    skill: float = 1.0,
    *,
    seed: int = 0,
    task: str = "single",
    genres: Sequence[str] = GENRES,
    truth: np.ndarray | None = None,
    groups: Sequence[object] | None = None,
    names: Sequence[str] | None = None,
    proba: np.ndarray | None = None,
    digests: Sequence[str] | None = None,
    **more: Any,
) -> Path:
    """Leave in a folder what `evaluate` would, of a model of so much skill."""
    if task == "binary":
        genres = ("prog", "not prog")
    truth = truth_of(task, genres=genres) if truth is None else truth
    proba = answers_to(truth, skill, seed, len(genres)) if proba is None else proba
    groups = list(range(len(truth))) if groups is None else groups
    names = [f"images/{at:04d}.png" for at in range(len(truth))] if names is None else names
    told = figures(
        Answers(truth, proba, groups),
        task=task,
        genres=genres,
        baselines=guesses(truth, np.ones(len(genres))),
        resamples=20,
    )
    dataset = {"name": "dataset", "fingerprint": "f"}
    described = {
        "format": 1,
        "model": "small",
        "split": "test",
        "dataset": dataset,
        **told,
        "folds": None,
        "verdict": "It can't tell.",
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(described), encoding="utf-8")
    _write_table(folder / "predictions.csv", Task(task, tuple(genres)), names, truth, proba, groups, digests)
    return folder


def _write_table(path: Path, task: Task, names, truth, proba, groups, digests=None) -> None:
    said = (proba >= 0.5).astype(int) if task.kind == "multi" else proba.argmax(axis=1)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        columns = ("file_name", "sha256", "truth", "predicted", "correct", "confidence", "group", "fold")
        rows.writerow([*columns, *(f"proba {genre}" for genre in task.genres)])
        digests = [sha256(name.encode()) for name in names] if digests is None else digests
        for at, (name, true, predicted) in enumerate(zip(names, task.named(truth), task.named(said), strict=True)):
            probas = [f"{value:.6f}" for value in proba[at]]
            rows.writerow([name, digests[at], true, predicted, "", f"{proba[at].max():.6f}", groups[at], "", *probas])


def mended(folder: Path, **values: Any) -> Path:
    path = folder / "evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> list[Path]:
    """A good model, one as good by its making, and one that guesses."""
    folder = tmp_path_factory.mktemp("three")
    return [
        judged(folder / name, skill, seed=at) for at, (name, skill) in enumerate(zip("abc", (2, 2, 0), strict=True))
    ]


@pytest.fixture(scope="module")
def compared(three) -> Comparison:
    return compare(three, names=["A", "B", "C"], resamples=RESAMPLES)


def pair_of(comparison: Comparison, first: str, second: str) -> Pair:
    return next(pair for pair in comparison.pairs if {pair.first, pair.second} == {first, second})


# -------------------------------------------------------------------------------- what is compared


def test_what_is_compared_is_what_evaluate_measured(single, color_model, small_model, tmp_path):
    folders = []
    for model in (color_model, small_model):
        copy = Model.load(shutil.copytree(model.folder, tmp_path / f"{model.name}-copy"))
        evaluate(copy, single, tmp_path / model.name, resamples=RESAMPLES)
        folders.append(tmp_path / model.name)
    found = compare(folders, resamples=RESAMPLES)
    assert {model.name for model in found.models} == {"color", "small"}
    for model in found.models:
        told = json.loads(Path(model.evaluations[0]).read_text(encoding="utf-8"))
        for key in ("accuracy", "macro_f1", "brier", "ece"):
            assert model.figures[key] == pytest.approx(told[key], abs=2e-5)
        assert model.figures["log_loss"]["value"] <= told["log_loss"]["value"] + 2e-5  # six digits hide great surprises


def test_a_model_that_is_better_is_said_to_be_and_one_that_is_not_is_not(compared):
    assert compared.main == "accuracy"
    assert {pair_of(compared, one, "C").differences["accuracy"].better for one in "AB"} == {"A", "B"}
    assert pair_of(compared, "A", "B").differences["accuracy"].better is None
    assert compared.models[-1].name == "C"


def test_a_difference_has_the_interval_and_the_p_of_the_paired_test(three, compared):
    recorded, groups = [read_recorded(path) for path in three], [str(at) for at in range(N)]
    scores = {name: metrics.correct(one.truth, one.proba) for name, one in zip("ABC", recorded, strict=True)}
    for pair in compared.pairs:
        expected = paired_test(scores[pair.first], scores[pair.second], groups)
        told = pair.differences["accuracy"]
        assert (told.value, told.p, told.test) == (pytest.approx(expected.difference), expected.p, "t over groups")
        assert told.low <= expected.low < expected.high <= told.high  # wider, as p is corrected


def test_holm_corrects_each_figure_for_the_pairs(compared):
    for key in compared.figures:
        if key == "ece":  # of 120 covers, which are too few
            assert {(told.p, told.p_holm) for told in (pair.differences[key] for pair in compared.pairs)} == {
                (None, None)
            }
            continue
        ps = sorted(pair.differences[key].p for pair in compared.pairs)
        corrected = sorted(pair.differences[key].p_holm for pair in compared.pairs)
        assert corrected[0] == pytest.approx(min(1, 3 * ps[0]))
        assert corrected[-1] >= ps[-1]


def test_only_pairs_with_one_model_are_compared_and_corrected_for(three, compared):
    found = compare(three, names=["A", "B", "C"], against="C", resamples=RESAMPLES)
    assert {frozenset((pair.first, pair.second)) for pair in found.pairs} == {frozenset("AC"), frozenset("BC")}
    told, before = (pair_of(each, "A", "C").differences["accuracy"] for each in (found, compared))
    assert told.p == before.p
    assert told.p_holm <= before.p_holm
    assert "over 2 pairs" in told.words


@pytest.mark.parametrize(
    ("task", "keys"),
    [
        ("binary", ["roc_auc", "average_precision", "accuracy", "log_loss", "brier", "ece"]),
        ("multi", ["roc_auc_macro", "average_precision_macro", "label_ranking_ap", "log_loss", "brier", "ece"]),
    ],
)
def test_every_task_has_its_figures(task, keys, tmp_path):
    folders = [
        judged(tmp_path / name, skill, seed=at, task=task) for at, (name, skill) in enumerate([("a", 2), ("b", 0)])
    ]
    found = compare(folders, names="AB", resamples=RESAMPLES)
    assert list(found.figures) == keys
    assert all(told.better == "A" for key, told in found.pairs[0].differences.items() if key != "ece")
    assert found.pairs[0].differences[keys[0]].test == "jackknife"


def test_another_figure_can_order_the_models(three):
    found = compare(three, names=["A", "B", "C"], figure="log_loss", resamples=RESAMPLES)
    losses = [model.figures["log_loss"]["value"] for model in found.models]
    assert found.main == "log_loss" == found.figures[0]
    assert losses == sorted(losses)
    assert found.words[0].startswith("By log loss on the same 120 covers, ")
    with pytest.raises(EvaluationError, match=r"figure 'log_los': not compared here.*Did you mean 'log_loss'\?"):
        compare(three, figure="log_los")


def test_a_swapped_pair_says_the_same_the_other_way(tmp_path):
    folders = [judged(tmp_path / name, 1, seed=at, task="binary") for at, name in enumerate("ab")]
    there, back = (
        compare(each, names=names, resamples=RESAMPLES) for each, names in ((folders, "AB"), (folders[::-1], "BA"))
    )
    assert there.words == back.words
    assert there.pairs == back.pairs


def test_no_sentence_disagrees_with_the_interval_beside_it(tmp_path):
    rng = np.random.default_rng(3)
    for at in range(6):
        n, groups = (40, 90)[at % 2], (None, rng.integers(30, size=(40, 90)[at % 2]).tolist())[at % 3 == 0]
        truth = truth_of("single", n)
        folders = [
            judged(tmp_path / f"{at}{name}", rng.uniform(0, 2), seed=10 * at + side, truth=truth, groups=groups)
            for side, name in enumerate("abc")
        ]
        for pair in compare(folders, names="ABC", resamples=RESAMPLES).pairs:
            for key, told in pair.differences.items():
                if told.low is None:
                    assert (told.p, told.better, told.too_few, key == "accuracy") == (None, None, True, False)
                    assert told.words.endswith(" (too few covers).")
                    continue
                excluded = told.low > 0 or told.high < 0
                assert (told.p_holm < 0.05) == excluded == (told.better is not None)
                assert told.words.startswith("Can't tell ") != excluded


# -------------------------------------------------------------------------------- other covers, genres, truths


def part_of(folder: Path, whole: Path, kept: slice) -> Path:
    """The same model on some of the covers."""
    one = read_recorded(whole)
    return judged(
        folder, truth=one.truth[kept], proba=one.proba[kept], names=one.file_names[kept], groups=one.groups[kept]
    )


def test_models_judged_on_other_covers_are_compared_on_the_common_ones(three, tmp_path):
    early, late = part_of(tmp_path / "a", three[0], slice(0, 90)), part_of(tmp_path / "c", three[2], slice(40, 120))
    with pytest.warns(SleevenotesWarning, match=r"on the 50 covers that all .*\(A has 90, C has 80\)"):
        found = compare([early, late], names="AC", resamples=RESAMPLES)
    recorded = read_recorded(three[0])
    assert found.n == 50
    first = next(model for model in found.models if model.name == "A")
    assert first.figures["accuracy"]["value"] == metrics.accuracy(recorded.truth[40:90], recorded.proba[40:90])


def test_few_or_no_common_covers_are_refused(three, tmp_path):
    early = part_of(tmp_path / "a", three[0], slice(0, 60))
    with pytest.raises(
        EvaluationError, match=r"compare: 20 covers in common \(A has 60, C has 80\)\. At least 30 covers"
    ):
        compare([early, part_of(tmp_path / "c", three[2], slice(40, 120))], names="AC")
    with pytest.raises(EvaluationError, match="no cover in common"):
        compare([early, part_of(tmp_path / "d", three[2], slice(60, 120))], names="AC")


def test_few_covers_that_are_the_same_are_compared_with_a_doubt(tmp_path):
    truth = truth_of("single", 36)
    groups = (np.arange(36) // 6).tolist()
    folders = [judged(tmp_path / name, seed=at, truth=truth, groups=groups) for at, name in enumerate("ab")]
    with pytest.warns(SleevenotesWarning, match="only 6 groups"):
        found = compare(folders, names="AB", resamples=RESAMPLES)
    assert found.n == 36
    assert found.pairs[0].differences["accuracy"].words.endswith(" points (too few covers).")
    paths = write_comparison(found, tmp_path)
    for path in paths:
        assert "too" in path.read_text(encoding="utf-8")
    assert "too few covers" in latex(found)
    assert table(found)[1][0][1].endswith(" (too few covers)")


def test_covers_of_one_name_and_other_content_are_not_the_same(three, tmp_path):
    others = [sha256(f"another {at}".encode()) for at in range(N)]
    folder = judged(tmp_path / "b", truth=truth_of("single"), digests=others)
    with pytest.raises(EvaluationError, match=r"no cover in common \(A has 120, B has 120\)"):
        compare([three[0], folder], names="AB")


def test_covers_of_one_content_and_other_names_are_the_same(three, compared, tmp_path):
    one = read_recorded(three[1])
    names = [f"front/{at}.jpg" for at in range(N)][::-1]
    renamed = judged(tmp_path / "b", truth=one.truth, proba=one.proba, names=names, digests=one.digests)
    found = compare([three[0], renamed, three[2]], names=["A", "B", "C"], resamples=RESAMPLES)
    told, before = (pair_of(each, "A", "B").differences["accuracy"] for each in (found, compared))
    assert (found.n, told.value, told.p) == (N, before.value, before.p)


def test_a_file_that_stands_twice_in_a_dataset_is_paired_as_often_as_in_the_other(three, compared, tmp_path):
    one, two = (read_recorded(folder) for folder in three[:2])
    twice = [*one.digests[:-1], one.digests[0]]  # the last cover is the first one again
    truth = np.append(one.truth[:-1], one.truth[0])
    first = judged(tmp_path / "a", truth=truth, proba=one.proba, digests=twice)
    order = list(range(N))[::-1]
    names = [two.file_names[at] for at in order]
    second = judged(
        tmp_path / "b", truth=truth[order], proba=two.proba[order], names=names, digests=[twice[at] for at in order]
    )
    found = compare([first, second], names="AB", resamples=RESAMPLES)
    assert found.n == N
    own = {model.name: model.figures["accuracy"]["value"] for model in found.models}
    assert own == {"A": metrics.accuracy(truth, one.proba), "B": metrics.accuracy(truth, two.proba)}
    with pytest.warns(SleevenotesWarning, match=r"on the 119 covers that all models .*\(A has 120, B has 120\)"):
        assert compare([first, three[1]], names="AB", resamples=RESAMPLES).n == N - 1


def test_covers_are_matched_by_content_and_not_by_row(three, compared, tmp_path):
    one = read_recorded(three[1])
    order = np.random.default_rng(0).permutation(N)
    names, groups = [one.file_names[at] for at in order], [one.groups[at] for at in order]
    turned = judged(tmp_path / "b", truth=one.truth[order], proba=one.proba[order], names=names, groups=groups)
    found = compare([three[0], turned, three[2]], names=["A", "B", "C"], resamples=RESAMPLES)
    for pair in found.pairs:
        told, before = pair.differences["accuracy"], pair_of(compared, pair.first, pair.second).differences["accuracy"]
        assert (told.value, told.p) == (before.value, before.p)


def test_genres_in_another_order_are_brought_into_one(tmp_path):
    truth = truth_of("single")
    proba = answers_to(truth, 1.0, 0)
    plain = judged(tmp_path / "a", truth=truth, proba=proba)
    turned = judged(tmp_path / "b", truth=2 - truth, proba=proba[:, ::-1], genres=GENRES[::-1])
    found = compare([plain, turned], names="AB", resamples=RESAMPLES)
    assert found.pairs[0].differences["accuracy"].words == "A and B give the very same answers."


def test_another_truth_is_refused(three, tmp_path):
    truth = truth_of("single")
    truth[3] = (truth[3] + 1) % 3
    other = judged(tmp_path / "b", truth=truth)
    with pytest.raises(EvaluationError, match=r"images/0003.png is '\w+' there and '\w+' in .*so are 1 covers in all"):
        compare([three[0], other], names="AB")


def test_other_genres_are_refused_but_where_each_has_a_proba_of_its_own(three, tmp_path):
    other = judged(tmp_path / "b", genres=("folk", "jazz", "soul"))
    with pytest.raises(EvaluationError, match="not all models know metal, soul"):
        compare([three[0], other], names="AB")
    truth = truth_of("multi")
    many = judged(tmp_path / "m", task="multi", truth=truth)
    fewer = judged(tmp_path / "f", task="multi", truth=truth[:, :2], genres=GENRES[:2])
    with pytest.warns(SleevenotesWarning, match="on the 2 genres that all models know; left out: metal"):
        assert compare([many, fewer], names="AB", resamples=RESAMPLES).genres == GENRES[:2]


def test_what_is_unknown_of_a_cover_is_left_out(tmp_path):
    truth = truth_of("multi")
    folders = [judged(tmp_path / name, seed=at, task="multi", truth=truth) for at, name in enumerate("ab")]
    for folder in folders:
        path = folder / "predictions.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*rows[0], "unknown"])
            writer.writeheader()
            for at, row in enumerate(rows):
                row["truth"] = ";".join(genre for genre in row["truth"].split(";") if at >= 30 or genre != "folk")
                writer.writerow(row | {"unknown": "folk" if at < 30 else ""})
        masked = truth.copy()
        masked[:30, 0] = -1
        again = float(metrics.label_ranking_average_precision(masked, read_recorded_proba(folder, rows)))
        mended(folder, label_ranking_ap={"value": again, "low": None, "high": None})
    found = read_recorded(folders[0])
    assert (found.truth[:30, 0] == -1).all()
    assert (found.truth[30:] == truth[30:]).all()
    compared = compare(folders, names="AB", resamples=RESAMPLES)
    assert all(figure["value"] is not None for model in compared.models for figure in model.figures.values())


def read_recorded_proba(folder: Path, rows: Sequence[dict[str, str]]) -> np.ndarray:
    return np.array([[float(row[f"proba {genre}"]) for genre in GENRES] for row in rows])


def test_other_tasks_are_refused(three, tmp_path):
    with pytest.raises(EvaluationError, match=r"different tasks, single of A and multi of B\. Models of one task"):
        compare([three[0], judged(tmp_path / "b", task="multi")], names="AB")


def test_covers_that_a_model_learnt_from_are_told(three, tmp_path):
    with pytest.warns(SleevenotesWarning, match="B was judged on valid, from which it learnt or was chosen"):
        compare([three[0], judged(tmp_path / "b", split="valid")], names="AB", resamples=RESAMPLES)


# -------------------------------------------------------------------------------- groups, folds, sets of trainings


def test_groups_of_any_evaluation_stay_together(tmp_path):
    pairs, threes = [at // 2 for at in range(N)], [at // 3 for at in range(N)]
    folders = [judged(tmp_path / "a", groups=pairs), judged(tmp_path / "b", groups=threes, seed=1)]
    assert compare(folders, names="AB", resamples=RESAMPLES).groups == N / 6


def test_trainings_with_several_seeds_are_pooled(tmp_path):
    names = [[f"images/{at + 60 * seed:04d}.png" for at in range(N)] for seed in range(3)]
    sets = [
        [
            judged(tmp_path / model / str(seed), skill, seed=10 * seed + skill, names=names[seed], model=model)
            for seed in range(3)
        ]
        for model, skill in (("strong", 2), ("weak", 1))
    ]
    found = compare(sets, resamples=RESAMPLES)
    assert (found.n, found.groups, found.sets) == (3 * N, N + 2 * 60, 3)
    assert [model.name for model in found.models] == ["strong", "weak"]
    each = [read_recorded(path) for path in sets[0]]
    pooled = np.mean([metrics.accuracy(one.truth, one.proba) for one in each])
    assert found.models[0].figures["accuracy"]["value"] == pytest.approx(pooled)
    assert found.pairs[0].differences["accuracy"].test == "t over groups"  # a cover of two seeds is one group
    assert "on 360 answers each" in found.words[0]
    with pytest.raises(EvaluationError, match=r"sets of different size \(strong has 3, weak has 2\)"):
        compare([sets[0], sets[1][:2]])


def test_answers_pooled_over_folds_are_compared_where_they_are_asked_for(three, tmp_path):
    folders = [shutil.copytree(path, tmp_path / path.name) for path in three[:2]]
    with pytest.raises(EvaluationError, match=r"it has no folds\. Answers pooled over folds were expected.*--folds 5"):
        compare(folders, names="AB", folds=True)
    for folder in folders:
        whole = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        shutil.copy(folder / "predictions.csv", folder / "predictions-folds.csv")
        mended(folder, folds={"k": 5, "n": whole["n"], "accuracy": whole["accuracy"]})
    found = compare(folders, names="AB", folds=True, resamples=RESAMPLES)
    assert found.n == N
    assert found.method["answers"] == "pooled over folds"


# -------------------------------------------------------------------------------- names, and files that do not fit


def test_models_of_one_name_are_told_apart_by_their_folders(tmp_path):
    folders = [judged(tmp_path / place, seed=at, model="small") for at, place in enumerate(["x/out", "y/out", "z"])]
    mended(folders[2], model="color")
    found = compare(folders, resamples=RESAMPLES)
    assert {model.name for model in found.models} == {"small (x/out)", "small (y/out)", "color"}


@pytest.mark.parametrize("names", [["A"], ["A", "A"], ["A", ""]])
def test_names_that_do_not_fit_are_refused(three, names):
    with pytest.raises(EvaluationError, match="One name a model, all of them different"):
        compare(three[:2], names=names)


def test_what_can_not_be_compared_is_refused(three, tmp_path):
    with pytest.raises(EvaluationError, match=r"compare: 1 evaluation\. It takes two or more"):
        compare(three[:1])
    with pytest.raises(EvaluationError, match="given twice"):
        compare([three[0], three[0] / "evaluation.json"])
    with pytest.raises(EvaluationError, match=r"evaluation.json: not there\. Run `sleevenotes evaluate"):
        compare([three[0], tmp_path])
    with pytest.raises(EvaluationError, match=r"against 'D': no model of that name"):
        compare(three, names=["A", "B", "C"], against="D")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("proba jazz", "proba", r"predictions.csv: no column 'proba jazz'\. A table with file_name, truth, "),
        ("images/0001.png", "images/0000.png", "images/0000.png stands there twice"),
        ("images/0000.png,", "images/0000.png,soul", r"row 2: sha256 is 'soul\w+…'\. A SHA-256"),
        (f"{DIGEST},", f"{DIGEST},soul", r"row 2: unknown genre 'soul\w+'"),
    ],
)
def test_a_table_that_was_spoilt_is_refused(before, after, message, three, tmp_path):
    folder = shutil.copytree(three[0], tmp_path / "spoilt")
    path = folder / "predictions.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")
    with pytest.raises(EvaluationError, match=message):
        read_recorded(folder)


def test_a_table_of_another_evaluation_is_refused(three, tmp_path):
    folder = shutil.copytree(three[0], tmp_path / "mixed")
    shutil.copy(three[2] / "predictions.csv", folder / "predictions.csv")
    with pytest.raises(
        EvaluationError, match=r"its accuracy is 0\.\d+, where evaluation.json has 0\.\d+\. Both are of one"
    ):
        read_recorded(folder)
    rows = (three[0] / "predictions.csv").read_text(encoding="utf-8").splitlines()
    (folder / "predictions.csv").write_text("\n".join([*rows[:-1], ""]), encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"119 covers, where evaluation\.json has 120"):
        read_recorded(folder)


def test_rounding_makes_no_surprise_of_an_answer(tmp_path):
    truth, sure = np.array([0, 1] * 20), np.eye(2)[[0, 1] * 20]
    sure[0] = sure[0][::-1]  # wrong, and 1.000000 sure of it
    one = read_recorded(judged(tmp_path, task="binary", truth=truth, proba=sure))
    assert metrics.log_loss(one.truth, one.proba) == pytest.approx(-np.log(5e-7) / 40, abs=1e-2)


def test_the_same_seed_gives_the_same_comparison(three, compared):
    assert compare(three, names=["A", "B", "C"], resamples=RESAMPLES).told() == compared.told()


# -------------------------------------------------------------------------------- in words, tables and files


def test_words_say_by_how_much_and_how_sure(compared):
    told = pair_of(compared, "A", "C").differences["accuracy"]
    assert told.words.startswith("A is better than C by ")
    assert " points of accuracy (" in told.words
    assert told.words.endswith("after Holm over 3 pairs).")
    assert pair_of(compared, "A", "B").differences["accuracy"].words.startswith("Can't tell ")
    assert " comes first of 3 (" in compared.words[0]
    assert "can't be told from" in compared.words[0]
    assert "it is better than C" in compared.words[0]


def test_one_pair_needs_no_correction_and_says_so_by_silence(three):
    found = compare(three[::2], names="AC", resamples=RESAMPLES)
    told = found.pairs[0].differences["accuracy"]
    assert told.p == told.p_holm
    assert "Holm" not in told.words


def test_less_loss_is_better_and_told_as_a_gap_that_is_not_negative(compared):
    told = pair_of(compared, "A", "C").differences["log_loss"]
    assert told.better == "A"
    assert told.words.startswith("A is better than C by 0.")
    assert " in log loss (0." in told.words


def test_a_terminal_shows_a_row_a_model_and_no_more_than_twelve_pairs(compared):
    header, rows = table(compared)
    assert header == ["model", "accuracy", "macro F1", "log loss", "Brier score", "calibration error"]
    assert [row[0] for row in rows] == [model.name for model in compared.models]
    assert " to " in rows[0][1]
    many = Comparison(**{**vars(compared), "pairs": compared.pairs * 7})
    assert len(sentences(many)) == 1 + 12 + 1
    assert sentences(many)[-1] == "… and 9 more pairs, which compare-pairs.csv has."


def test_files_hold_all_figures_and_all_pairs(compared, tmp_path):
    paths = write_comparison(compared, tmp_path / "new")
    assert [path.name for path in paths] == ["compare.json", "compare.csv", "compare-pairs.csv", "compare.tex"]
    told = json.loads(paths[0].read_text(encoding="utf-8"))
    assert told["words"] == compared.words
    assert {"task", "genres", "n", "groups", "main", "models", "pairs", "notes", "method"} <= set(told)
    with paths[1].open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3 * len(compared.figures)
    with paths[2].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * len(compared.figures)
    first = compared.pairs[0].differences["accuracy"]
    assert float(rows[0]["difference"]) == pytest.approx(first.value)
    assert float(rows[0]["p_holm"]) == pytest.approx(first.p_holm, rel=1e-4)


def test_the_command_that_evaluates_again_has_the_real_paths(tmp_path):
    assert cure_for(tmp_path / "evaluation.json") == f"Run `sleevenotes evaluate MODEL DATASET -o {tmp_path}`"
    for name in ("model/model.json", "dataset/metadata.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    evaluate = f"sleevenotes evaluate {tmp_path / 'model'} {tmp_path / 'dataset'} -o {tmp_path}"
    assert cure_for(tmp_path / "evaluation.json") == f"Run `{evaluate}`"
    assert cure_for(tmp_path, folds=True) == f"Run `{evaluate} --folds 5`"


def test_latex_is_escaped_whole_and_bold_where_the_best_can_not_be_told():
    figures = {"accuracy": {"value": 0.4, "low": 0.3, "high": 0.5}}
    models = tuple(Standing(name, (), figures) for name in ("50%_R&B", "net#1 {x} \\ a--b", "bad"))
    clear = Difference(0.1, 0.05, 0.15, 0.0001, 0.0003, "t over groups", "50%_R&B", "")
    unclear = Difference(0.0, -0.1, 0.1, 1.0, 1.0, "t over groups", None, "")
    pairs = tuple(Pair(models[0].name, models[at].name, {"accuracy": told}) for at, told in ((1, unclear), (2, clear)))
    told = latex(Comparison("single", GENRES, 1200, 900, 1, "accuracy", models, pairs, (), {"resamples": 2000}))
    assert r"50\%\_R\&B & \textbf{0.400}" in told
    assert r"net\#1 \{x\} \textbackslash{} a-{}-b & \textbf{0.400}" in told
    assert "\nbad & 0.400" in told
    assert r"$+0.100$ {\footnotesize ($+0.050$ to $+0.150$)} & $<$0.001 \\" in told
    assert told.count(r"\begin{tabular}") == told.count(r"\end{tabular}") == told.count(r"\toprule") == 2
    assert all(line.count("&") - line.count(r"\&") in (0, 1, 3) for line in told.splitlines())


@settings(max_examples=40)
@given(st.text())
def test_nothing_in_a_name_can_break_latex(name):
    marked = escaped(name)
    bare = marked
    for known in (r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}", r"\textless{}", r"\textgreater{}"):
        bare = bare.replace(known, "")
    for known in (r"\textbar{}", r"\ensuremath{-}", "-{}", *(f"\\{mark}" for mark in "&%$#_{}")):
        bare = bare.replace(known, "")
    assert not set(bare) & set("\\&%$#_{}~^\n\r")
    assert "--" not in marked


def test_the_command_line_compares_and_writes(three, tmp_path, monkeypatch, capsys):
    words = ["compare", *map(str, three), "--names", "A,B,C", "-o", str(tmp_path), "--resamples", "200"]
    monkeypatch.setattr(sys, "argv", ["sleevenotes", *words])
    with warnings.catch_warnings(), pytest.raises(SystemExit) as stop:
        cli.main()
    said = capsys.readouterr()
    assert stop.value.code == 0, said.err
    assert said.out.splitlines()[0].split("  ")[0] == "model"
    assert "A is better than C by" in said.out
    assert (tmp_path / "compare.tex").is_file()


def test_the_command_line_pools_what_stands_between_commas(three, tmp_path, monkeypatch, capsys):
    more = [judged(tmp_path / str(seed), 1, seed=9 + seed) for seed in range(2)]
    sets = [f"{three[0]},{three[1]}", f"{more[0]}, {more[1]}"]
    monkeypatch.setattr(sys, "argv", ["sleevenotes", "compare", *sets, "--names", "A,B", "--resamples", "200"])
    with warnings.catch_warnings(), pytest.raises(SystemExit) as stop:
        cli.main()
    said = capsys.readouterr()
    assert stop.value.code == 0, said.err
    assert "on 240 answers each, A comes first of 2" in said.out


# -------------------------------------------------------------------------------- the benchmark over seeds


def test_the_benchmark_pools_seeds_goes_on_where_it_was_and_leaves_the_dataset_alone(binary, tmp_path, capsys):
    before = (binary.folder / "metadata.csv").read_bytes()
    words = [str(binary.folder), str(tmp_path / "a"), "--model", "color", "--seeds", "2", "--binary", "metal"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SleevenotesWarning)  # few covers in valid, few groups
        five_seeds.main(words)
        first = json.loads((tmp_path / "a" / "five_seeds.json").read_text(encoding="utf-8"))
        stamp = (tmp_path / "a" / "1" / "evaluation.json").stat().st_mtime_ns
        five_seeds.main(words)
    assert (tmp_path / "a" / "1" / "evaluation.json").stat().st_mtime_ns == stamp
    assert (binary.folder / "metadata.csv").read_bytes() == before
    auc = first["figures"]["roc_auc"]
    assert auc["seeds"]["value"] == pytest.approx(np.mean(auc["each"]))
    assert auc["pooled"]["low"] <= auc["pooled"]["value"] <= auc["pooled"]["high"]
    assert "| color | " in capsys.readouterr().out
