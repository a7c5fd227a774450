"""The honest measurement: on covers never seen, beside guessing, with intervals, and logged."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import ENOUGH, copy_of
from covers_for_tests import GENRES, make_dataset
from sleevenotes.collect.demo import DemoSettings, draw_demo
from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.images import encode, sha256
from sleevenotes.covers.splits import split
from sleevenotes.errors import EvaluationError, ModelError, SleevenotesWarning, SplitError
from sleevenotes.judge.evaluation import (
    artists_of,
    cross_validate,
    evaluate,
    figure_rows,
    guesses_about,
    score,
    still_true,
    three_figures,
)
from sleevenotes.learn import backbones, recipes
from sleevenotes.learn.model import Model, read_card
from sleevenotes.learn.recipes import Options
from training_for_tests import EPOCHS, quickly, train_quickly

RESAMPLES = 200
FIGURE = {"value", "low", "high"}
OF_ALL = {"format", "model", "dataset", "split", "task", "genres", "n", "groups", "artists", "intervals", "log_loss"}
OF_ALL |= {
    "brier",
    "ece",
    "ece_uncalibrated",
    "baselines",
    "per_genre",
    "reliability",
    "calibration",
    "chance",
    "folds",
}
OF_ALL |= {"verdict", "surest_fifth", "surest_half", "aurc", "abstention", "sets"}
OF_ONE = {"accuracy", "balanced_accuracy", "macro_f1", "top2_accuracy", "top3_accuracy"}
OF_TWO = {"roc_auc", "average_precision", "precision", "recall", "f1"}
OF_MANY = {"roc_auc_macro", "average_precision_macro", "f1_macro", "f1_micro", "label_ranking_ap"}
OF_MANY |= {"roc_auc_micro", "average_precision_micro"}


def evaluated(model: Model, dataset: Dataset, out: Path, **more: Any) -> dict[str, Any]:
    """Evaluate without leaving a line in the log of a model that others use."""
    copy = Model.load(shutil.copytree(model.folder, out / "model-copy", dirs_exist_ok=True))
    return evaluate(copy, dataset, out, **{"resamples": RESAMPLES, **more})


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def assert_figure(figure: dict[str, Any]) -> None:
    """A figure has an interval with its value inside, or says that covers are too few for one."""
    if figure.get("too_few"):
        assert {key: figure[key] for key in ("low", "high")} == {"low": None, "high": None}
        assert figure["value"] is not None
    else:
        assert set(figure) == FIGURE
        assert figure["low"] <= figure["value"] <= figure["high"]


# the way through


@pytest.mark.parametrize("name", ["color", "small"])
@pytest.mark.parametrize("task", ["single", "binary", "multi"])
def test_every_task_and_model_is_evaluated_with_every_figure(
    request: pytest.FixtureRequest, tmp_path: Path, task: str, name: str
):
    dataset: Dataset = request.getfixturevalue(task)
    model: Model = request.getfixturevalue("small_model" if task == "single" else f"{task}_model")
    if name == "color":
        assert model.baseline is not None
        model = model.baseline
    returned = evaluated(model, dataset, tmp_path)
    evaluation = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation == returned
    wanted = OF_MANY if task == "multi" else OF_ONE | OF_TWO if task == "binary" else OF_ONE
    assert set(evaluation) >= OF_ALL | wanted
    for figure in [*wanted, "log_loss", "brier", "ece", "ece_uncalibrated", "surest_fifth", "surest_half", "aurc"]:
        assert_figure(evaluation[figure])
    for figure in ("log_loss", "brier", "ece", "aurc"):  # 30 covers are too few for these
        assert evaluation[figure]["too_few"] is True
    assert evaluation["label_ranking_ap" if task == "multi" else "accuracy"]["value"] <= 1
    assert ("accuracy" in evaluation) == ("confusion" in evaluation) == (task != "multi")
    assert (evaluation["model"], evaluation["task"], evaluation["split"]) == (name, task, "test")
    assert evaluation["genres"] == list(model.genres)
    assert evaluation["dataset"] == {"name": task, "fingerprint": dataset.fingerprint, "covers": ENOUGH}
    assert (evaluation["n"], evaluation["groups"]) == (30, 15)
    assert evaluation["calibration"]["method"] == ("a map a genre" if task == "multi" else "temperature")
    assert evaluation["calibration"]["temperature"] == model.temperature
    assert ("maps" in evaluation["calibration"]) == (task == "multi")
    assert evaluation["intervals"]["level"] == 0.95
    assert evaluation["folds"] is None
    headline = "label_ranking_ap" if task == "multi" else "accuracy"
    assert set(evaluation["baselines"]) == {"commonest", "share", "color"}
    for baseline in evaluation["baselines"].values():
        assert set(baseline) == {headline, "difference", "p", "test", "words"}
        assert_figure(baseline[headline])
        assert_figure(baseline["difference"])
        assert baseline["p"] is None or 0 <= baseline["p"] <= 1
    for genre in model.genres:
        told = evaluation["per_genre"][genre]
        assert set(told) >= {"precision", "recall", "f1", "average_precision", "support"}
        assert ("threshold" in told) == (task == "multi")
    assert {len(rows) for rows in evaluation["reliability"].values()} == {10}
    assert [row["answered"] for row in evaluation["abstention"]["curve"]][-1] == 1
    assert evaluation["abstention"]["at"] is None
    assert (evaluation["sets"]["coverage"], evaluation["sets"]["n"]) == (0.9, 30)
    assert 1 <= evaluation["sets"]["size"]["value"] <= len(model.genres)


@pytest.mark.parametrize("task", ["single", "binary", "multi"])
def test_predictions_are_a_table_from_which_the_figures_can_be_worked_out(
    request: pytest.FixtureRequest, tmp_path: Path, task: str
):
    dataset: Dataset = request.getfixturevalue(task)
    model: Model = request.getfixturevalue("small_model" if task == "single" else f"{task}_model")
    evaluation = evaluated(model, dataset, tmp_path)
    rows, test = rows_of(tmp_path / "predictions.csv"), dataset.in_split("test")
    columns = ["file_name", "sha256", "truth", "predicted", "correct", "confidence", "group", "fold"]
    assert list(rows[0]) == [*columns, *(f"proba {genre}" for genre in model.genres)]
    assert [row["file_name"] for row in rows] == test.file_names
    assert [row["sha256"] for row in rows] == test.column("sha256")
    assert [row["group"] for row in rows] == test.column("group")
    assert {row["fold"] for row in rows} == {""}
    proba = np.array([[float(row[f"proba {genre}"]) for genre in model.genres] for row in rows])
    asked = np.stack([prediction.proba for prediction in model.predict(test.paths) if prediction.proba is not None])
    assert np.abs(proba - asked).max() < 1e-5
    assert [float(row["confidence"]) for row in rows] == pytest.approx(proba.max(axis=1))
    if task == "multi":
        assert [set(row["truth"].split(";")) for row in rows] == [set(genres) for genres in test.genre_lists]
        assert {row["correct"] for row in rows} == {""}
        assert all(row["predicted"] for row in rows)
        return
    right = [row["truth"] == row["predicted"] for row in rows]
    assert [row["correct"] == "1" for row in rows] == right
    assert np.mean(right) == pytest.approx(evaluation["accuracy"]["value"])
    assert np.array(evaluation["confusion"]["counts"]).sum() == len(rows)
    assert np.trace(np.array(evaluation["confusion"]["counts"])) == sum(right)


def test_with_a_signal_in_the_colours_every_model_beats_guessing(single: Dataset, small_model: Model, tmp_path: Path):
    for model in (small_model, small_model.baseline):
        assert model is not None
        evaluation = evaluated(model, single, tmp_path / model.name)
        for guess in ("commonest", "share"):
            baseline = evaluation["baselines"][guess]
            assert baseline["p"] < 0.05
            assert baseline["difference"]["low"] > 0
            assert "beats" in baseline["words"]
        assert evaluation["accuracy"]["value"] > 0.8
        assert "names the right genre" in evaluation["verdict"]


def test_without_a_signal_no_model_beats_guessing(tmp_path: Path):
    noise = make_dataset(tmp_path / "noise", covers=400, signal=False, seed=1)
    small = train_quickly(noise, "small", tmp_path / "model")
    for model in (small, small.baseline):
        assert model is not None
        evaluation = evaluated(model, noise, tmp_path / model.name)
        assert evaluation["accuracy"]["low"] <= 1 / 3 <= evaluation["accuracy"]["high"]
        for guess in ("commonest", "share"):
            assert evaluation["baselines"][guess]["p"] >= 0.05
        assert "guessing gets 33 %, and 60 covers are too few to tell which is better." in evaluation["verdict"]


@pytest.fixture(scope="module", params=[0.0, 1.0], ids=["without a signal", "with a signal"])
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[float, Dataset]:
    """Demo covers of three genres, split with artists apart, and how much they tell of their genre."""
    folder = tmp_path_factory.mktemp("demo")
    plain = {"near_duplicates": 0.0, "exact_duplicates": 0.0, "broken": 0}
    settings = DemoSettings(
        genres=3, covers_per_genre=180, artists_per_genre=60, size_px=64, signal=request.param, **plain
    )
    drawn = draw_demo(folder, settings, seed=5)
    columns = {"file_name": "file_name", "genres": "genre", "artist": "artist", "album": "album"}
    table = {name: [getattr(cover, field) for cover in drawn] for name, field in columns.items()}
    return request.param, split(from_columns(folder, table), fractions=(0.6, 0.15, 0.25)).dataset


@pytest.mark.parametrize("name", ["color", "small", "mobilenet"])
def test_on_demo_covers_a_model_beats_guessing_with_a_signal_and_never_without(
    demo: tuple[float, Dataset], name: str, tmp_path: Path, pretrained: Path, mobilenet_model: Model
):
    signal, dataset = demo
    more: dict[str, Any] = {}
    if name == "mobilenet" and not backbones.at_hand("mobilenet_v2"):
        if signal:
            pytest.skip("a backbone of random weights sees little; SLEEVENOTES_WEIGHTS names no real ones")
        more = {"weights": pretrained, "backbone_of": mobilenet_model.folder}
    model = train_quickly(dataset, name, tmp_path / "model", **more)
    evaluation = evaluated(model, dataset, tmp_path)
    assert evaluation["artists"] == "apart"
    beaten = [evaluation["baselines"][guess]["p"] < 0.05 for guess in ("commonest", "share")]
    assert all(beaten) if signal else not any(beaten)


def test_the_risk_and_the_coverage_that_are_asked_for_are_measured(single: Dataset, color_model: Model, tmp_path: Path):
    evaluation = evaluated(color_model, single, tmp_path, max_risk=0.2, coverage=0.7)
    rows = rows_of(tmp_path / "predictions.csv")
    risk = [color_model.caution().risk(np.array([float(row["confidence"])])) for row in rows]
    given = [row for row, of_it in zip(rows, risk, strict=True) if of_it <= 0.2]
    at = evaluation["abstention"]["at"]
    assert at["max_risk"] == 0.2
    assert at["answered"]["value"] == pytest.approx(len(given) / len(rows))
    assert at["wrong"]["value"] == pytest.approx(np.mean([row["correct"] == "0" for row in given]))
    assert at["promised"] == pytest.approx(np.mean([of_it for of_it in risk if of_it <= 0.2]), abs=1e-4)
    assert "Answers of a risk of at most 20 % it gives on" in evaluation["abstention"]["words"]
    limit = color_model.caution(coverage=0.7).limit
    own = [float(row[f"proba {row['truth']}"]) >= limit or row["correct"] == "1" for row in rows]
    assert evaluation["sets"]["achieved"]["value"] == pytest.approx(np.mean(own))
    assert evaluation["sets"]["words"].startswith("Sets that were to hold the genre of 70 of 100 covers hold it on ")
    assert "truth in its set (70 % asked)" in [row[0] for row in figure_rows(evaluation)]


def test_a_model_that_was_trained_before_there_were_sets_is_evaluated_without(
    single: Dataset, color_model: Model, tmp_path: Path
):
    old = Model.load(shutil.copytree(color_model.folder, tmp_path / "old"))
    card = dict(old.card)
    card["calibration"] = {"method": "temperature", "temperature": old.temperature, "n": 30}
    (tmp_path / "old" / "model.json").write_text(json.dumps(card), encoding="utf-8")
    evaluation = evaluated(Model.load(tmp_path / "old"), single, tmp_path / "out")
    assert evaluation["sets"] is None
    assert evaluation["accuracy"]["value"] > 0.6
    with pytest.raises(ModelError, match="no sets of genres in its calibration"):
        evaluated(Model.load(tmp_path / "old"), single, tmp_path / "out", coverage=0.9)


def test_the_same_evaluation_is_the_same_to_the_byte(single: Dataset, color_model: Model, tmp_path: Path):
    for name in ("a", "b"):
        evaluated(color_model, single, tmp_path / name)
    for file_name in ("evaluation.json", "predictions.csv"):
        assert (tmp_path / "a" / file_name).read_bytes() == (tmp_path / "b" / file_name).read_bytes()


def test_the_colour_model_is_told_to_be_its_own_baseline(single: Dataset, color_model: Model, tmp_path: Path):
    told = evaluated(color_model, single, tmp_path)["baselines"]["color"]
    assert told["difference"]["value"] == 0
    assert "is this baseline itself" in told["words"]


# what is no test


def test_covers_from_which_the_model_learnt_are_no_test(copied: Dataset, color_model: Model, tmp_path: Path):
    again = [{"test": "train", "train": "test"}.get(split, split) for split in copied.column("split")]
    split_again = copied.with_columns(split=again)
    with pytest.raises(
        EvaluationError,
        match=r"the model learnt from 140 of these 140 covers: 140 same files as training covers \(images/0000\.png, .*"
        r", …\)\. Covers it has never seen were expected\. Train the model again on this split, or leave",
    ):
        evaluated(color_model, split_again, tmp_path)
    with pytest.raises(EvaluationError, match=r"learnt from 170 of these 200 covers.*Judge it with --split test"):
        evaluated(color_model, copied, tmp_path, split="all")
    without_digests = split_again.with_columns(sha256=[""] * len(copied))
    with pytest.raises(EvaluationError, match="learnt from 140 of these 140"):
        evaluated(color_model, without_digests, tmp_path)
    assert not (tmp_path / "evaluation.json").exists()


@pytest.mark.parametrize("split", ["train", "valid"])
def test_what_the_model_does_on_covers_it_learnt_from_is_said_to_be_no_measure(
    single: Dataset, color_model: Model, tmp_path: Path, split: str
):
    evaluation = evaluated(color_model, single, tmp_path, split=split)
    assert evaluation["n"] == (140 if split == "train" else 30)
    assert evaluation["verdict"].startswith(f"These are the covers of {split}, from which the model learnt")
    assert "no measure" in evaluation["verdict"]


def of_other_artists(dataset: Dataset) -> Dataset:
    return dataset.with_columns(artist=[f"other {artist}" for artist in dataset.column("artist")])


def test_a_foreign_dataset_is_judged_whole(color_model: Model, tmp_path: Path):
    foreign = of_other_artists(make_dataset(tmp_path / "foreign", covers=60, seed=9))
    evaluation = evaluated(color_model, foreign, tmp_path, split="all")
    assert evaluation["n"] == 60
    assert evaluation["dataset"]["name"] == "foreign"
    assert evaluation["accuracy"]["value"] > 0.8


def test_covers_without_a_single_known_genre_are_left_out_and_counted(color_model: Model, tmp_path: Path):
    foreign = of_other_artists(make_dataset(tmp_path / "foreign", covers=60, seed=9))
    genres = foreign.column("genres")
    genres[:5] = ["polka", "folk;jazz", "", "polka", "polka"]
    with pytest.warns(SleevenotesWarning, match="5 of 60 covers are left out: no single genre the model knows"):
        evaluation = evaluated(color_model, foreign.with_columns(genres=genres), tmp_path, split="all")
    assert evaluation["n"] == 55


def test_nothing_to_judge_is_told(single: Dataset, color_model: Model, tmp_path: Path):
    with pytest.raises(EvaluationError, match=r"split 'tests': unknown\. Train, valid, test or all was expected"):
        evaluate(color_model, single, tmp_path, split="tests")
    unsplit = single.with_columns(split=[""] * len(single))
    with pytest.raises(EvaluationError, match=r"no cover in test\. Run `sleevenotes split .* --split all"):
        evaluate(color_model, unsplit, tmp_path)
    polka = single.with_columns(genres=["polka"] * len(single))
    with pytest.raises(
        EvaluationError, match=r"no cover of a genre that the model knows \(polka are here\)\. Some of fo"
    ):
        evaluate(color_model, polka, tmp_path)


def test_a_binary_model_needs_covers_of_the_genre_it_looks_for(binary: Dataset, binary_model: Model, tmp_path: Path):
    others = binary.with_columns(genres=["folk"] * len(binary))
    with pytest.raises(EvaluationError, match="no cover of a genre that the model knows"):
        evaluate(binary_model, others, tmp_path)


# artists


def test_artists_are_apart_where_none_was_learnt_from(single: Dataset, color_model: Model, tmp_path: Path):
    assert artists_of(color_model, single.in_split("test")) == "apart"
    evaluation = evaluated(color_model, single, tmp_path)
    assert evaluation["artists"] == "apart"
    assert "from artists it has never seen" in evaluation["verdict"]


def test_artists_are_shared_where_one_was_learnt_from_however_it_is_spelt(single: Dataset, color_model: Model):
    test = single.in_split("test")
    learnt = single.in_split("train").column("artist")[0]
    artists = [f"Somebody;  {learnt.upper()} ", *test.column("artist")[1:]]
    assert artists_of(color_model, test.with_columns(artist=artists)) == "shared"


def test_artists_are_unknown_where_few_are_named_or_none_was_learnt(
    copied: Dataset, color_model: Model, tmp_path: Path
):
    test = copied.in_split("test")
    few = ["Various Artists" if index % 3 else "Yes" for index in range(len(test))]
    assert artists_of(color_model, test.with_columns(artist=few)) == "unknown"
    nameless = copied.with_columns(artist=[""] * len(copied))
    assert artists_of(train_quickly(nameless, "color", tmp_path / "m"), test) == "unknown"


# the log, and what is still true


def test_each_scoring_is_logged_and_the_log_survives_training_again(copied: Dataset, tmp_path: Path):
    model = train_quickly(copied, "color", tmp_path / "m")
    log = tmp_path / "m" / "scorings.jsonl"
    for times in (1, 2):
        evaluate(model, copied, tmp_path / "out", resamples=RESAMPLES)
        assert len(log.read_text(encoding="utf-8").splitlines()) == times
    model = train_quickly(copied, "color", tmp_path / "m")
    evaluate(model, copied, tmp_path / "out", split="valid", resamples=RESAMPLES)
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [line["split"] for line in lines] == ["test", "test", "valid"]
    assert set(lines[0]) == {"when", "by", "split", "dataset", "model_sha256", "n", "folds"}
    assert lines[0]["dataset"]["fingerprint"] == copied.fingerprint


def test_a_scoring_that_can_not_be_logged_has_no_result(copied: Dataset, tmp_path: Path):
    model, out = train_quickly(copied, "color", tmp_path / "m"), tmp_path / "out"
    (model.folder / "scorings.jsonl").mkdir()  # as root may write into any folder
    with pytest.raises(ModelError, match=r"scorings\.jsonl: can't be written .*A scoring is logged before its result"):
        evaluate(model, copied, out, resamples=RESAMPLES)
    assert not out.exists()


def test_a_scoring_is_logged_before_any_cover_is_looked_at(copied: Dataset, tmp_path: Path, monkeypatch):
    model = train_quickly(copied, "color", tmp_path / "m")
    log = model.folder / "scorings.jsonl"
    log.write_text('{"split": "te', encoding="utf-8")  # what a process left that was killed
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)

    def stop(*_: object, **__: object) -> None:
        lines = log.read_text(encoding="utf-8").splitlines()
        assert synced
        assert json.loads(lines[1])["n"] == 30
        assert not (tmp_path / "out").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr("sleevenotes.judge.evaluation.score", stop)
    with pytest.raises(KeyboardInterrupt):
        evaluate(model, copied, tmp_path / "out", resamples=RESAMPLES)
    assert len(log.read_text(encoding="utf-8").splitlines()) == 2


def test_covers_that_were_replaced_are_judged_as_they_are_now(copied: Dataset, tmp_path: Path, sleevenotes):
    model, out = train_quickly(copied, "color", tmp_path / "m"), tmp_path / "out"
    assert evaluate(model, copied, out, resamples=RESAMPLES)["replaced"] == 0
    before = rows_of(out / "predictions.csv")
    black = encode(np.zeros((48, 48, 3), np.uint8), "png")
    for path in copied.in_split("test").paths:
        path.write_bytes(black)
    said = sleevenotes("evaluate", model.folder, copied.folder, "-o", out, "--resamples", RESAMPLES)
    assert "30 of 30 covers were replaced since they were collected or last read" in said.err
    after = rows_of(out / "predictions.csv")
    probas = [[row[f"proba {genre}"] for genre in GENRES] for row in after]
    assert all(each == probas[0] for each in probas)
    assert probas[0] != [before[0][f"proba {genre}"] for genre in GENRES]
    assert {row["sha256"] for row in after} == {sha256(black)}
    evaluation = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["replaced"] == 30
    assert "30 covers that were in test when the model was trained are not judged now." in evaluation["verdict"]


def test_a_replaced_cover_makes_an_evaluation_untrue(copied: Dataset, tmp_path: Path):
    model, out = train_quickly(copied, "color", tmp_path / "m"), tmp_path / "out"
    evaluation = evaluate(model, copied, out, resamples=RESAMPLES)
    assert still_true(out, model, Dataset.open(copied.folder), folds=0) == evaluation
    copied.in_split("test").path(0).write_bytes(encode(np.zeros((8, 8, 3), np.uint8), "png"))
    assert still_true(out, model, Dataset.open(copied.folder), folds=0) is None


# guessing on a foreign dataset


def test_guessing_on_a_foreign_dataset_knows_what_is_common_there(copied: Dataset, tmp_path: Path):
    folk = [split != "train" or genre == "folk" or at % 4 == 0 for at, (split, genre) in
            enumerate(zip(copied.column("split"), copied.column("genres"), strict=True))]  # fmt: skip
    model = train_quickly(copied.where(folk), "color", tmp_path / "m")
    assert max(model.card["dataset"]["train_shares"], key=model.card["dataset"]["train_shares"].get) == "folk"
    foreign = of_other_artists(make_dataset(tmp_path / "foreign", covers=60, seed=9))
    foreign = foreign.where([genre != "folk" for genre in foreign.column("genres")])
    evaluation = evaluated(model, foreign, tmp_path, split="all")
    assert evaluation["foreign"] is True
    assert evaluation["baselines"]["commonest"]["accuracy"]["value"] == 0.5
    assert evaluation["baselines"]["share"]["accuracy"]["value"] == pytest.approx(0.5)
    assert evaluation["chance"]["accuracy"] == pytest.approx(0.5)
    home = evaluated(model, copied, tmp_path)
    assert home["foreign"] is False
    assert home["baselines"]["commonest"]["accuracy"]["value"] == np.mean(
        [genre == "folk" for genre in copied.in_split("test").column("genres")]
    )


def test_where_any_number_of_genres_is_right_guessing_abroad_is_no_worse_than_by_the_shares_of_training(
    multi: Dataset, multi_model: Model, tmp_path: Path
):
    truth = np.array([[0, 0, 1]] * 4 + [[0, 1, 0]])
    at_home = guesses_about(truth, multi_model, foreign=False)
    abroad = guesses_about(truth, multi_model, foreign=True)
    assert abroad["commonest"].mean() == pytest.approx(0.9)
    assert all(abroad[name].mean() >= at_home[name].mean() for name in at_home)


def test_an_evaluation_is_still_true_of_this_very_model_dataset_and_number_of_folds(copied: Dataset, tmp_path: Path):
    out = tmp_path / "out"
    model = train_quickly(copied, "color", tmp_path / "m")
    assert still_true(out, model, copied, folds=0) is None
    evaluation = evaluate(model, copied, out, resamples=RESAMPLES)
    assert still_true(out, model, copied, folds=0) == evaluation
    assert still_true(out, model, copied, folds=3) is None
    genres = copied.column("genres")
    genres[copied.column("split").index("test")] = "polka"
    assert still_true(out, model, copied.with_columns(genres=genres), folds=0) is None
    assert still_true(out, train_quickly(copied, "color", tmp_path / "m", seed=1), copied, folds=0) is None
    model = train_quickly(copied, "color", tmp_path / "m")
    assert still_true(out, model, copied, folds=0) == evaluation
    evaluate(model, copied, out, split="valid", resamples=RESAMPLES)
    assert still_true(out, model, copied, folds=0) is None
    (out / "predictions.csv").unlink()
    assert still_true(out, model, copied, folds=0) is None


# folds

folded = pytest.mark.filterwarnings("ignore:.*covers in valid")


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no model be trained."""
    for name in recipes.NAMES:
        monkeypatch.setitem(recipes._RECIPES, name, None)


@folded
def test_in_folds_each_cover_is_answered_once_and_groups_are_kept_apart(
    single: Dataset, color_model: Model, tmp_path: Path
):
    evaluation = evaluated(color_model, single, tmp_path, folds=3)
    rows = rows_of(tmp_path / "predictions-folds.csv")
    assert Counter(row["file_name"] for row in rows) == Counter(single.file_names)
    fold_of = {row["group"]: row["fold"] for row in rows}
    assert all(fold_of[row["group"]] == row["fold"] for row in rows)
    sizes = Counter(row["fold"] for row in rows)
    assert set(sizes) == {"0", "1", "2"}
    assert max(sizes.values()) - min(sizes.values()) < 10
    truth = dict(zip(single.file_names, single.column("genres"), strict=True))
    assert all(row["truth"] == truth[row["file_name"]] for row in rows)
    for number in range(3):
        learnt = {row["sha256"] for row in Model.load(tmp_path / "folds" / str(number)).learnt_from}
        asked = {row["file_name"] for row in rows if row["fold"] == str(number)}
        digests = {digest for digest, name in zip(single.digests, single.file_names, strict=True) if name in asked}
        assert len(learnt) + len(digests) == len(single)
        assert not learnt & digests
    folds = evaluation["folds"]
    assert (folds["k"], folds["n"], folds["groups"]) == (3, ENOUGH, ENOUGH // 2)
    right = [row["correct"] == "1" for row in rows]
    assert folds["accuracy"]["value"] == pytest.approx(np.mean(right))
    each = [np.mean([row["correct"] == "1" for row in rows if row["fold"] == str(number)]) for number in range(3)]
    assert folds["accuracy_per_training"] == pytest.approx(each)
    assert folds["spread"] == pytest.approx(np.std(each, ddof=1))
    width = folds["accuracy"]["high"] - folds["accuracy"]["low"]
    assert width < evaluation["accuracy"]["high"] - evaluation["accuracy"]["low"]
    assert set(folds["baselines"]) == {"commonest", "share", "color"}


@folded
def test_folds_that_are_there_already_are_not_trained_again(
    single: Dataset, color_model: Model, tmp_path: Path, request: pytest.FixtureRequest
):
    first = cross_validate(single, "color", tmp_path, folds=2, options=Options(resume=True))
    shutil.rmtree(tmp_path / "1")
    second = cross_validate(single, "color", tmp_path, folds=2, options=Options(resume=True))  # only the missing one
    request.getfixturevalue("no_training")
    told: list[tuple[int, int]] = []
    third = cross_validate(
        single, "color", tmp_path, folds=2, options=Options(resume=True), progress=lambda *done: told.append(done)
    )
    assert told == [(1, 2), (2, 2)]
    assert np.array_equal(first.answers.proba, second.answers.proba)
    assert np.array_equal(first.answers.proba, third.answers.proba)


@folded
@pytest.mark.parametrize("task", ["single", "binary", "multi"])
def test_folds_are_trained_as_the_model_was(request: pytest.FixtureRequest, tmp_path: Path, task: str):
    dataset: Dataset = request.getfixturevalue(task)
    model: Model = request.getfixturevalue("small_model" if task == "single" else f"{task}_model")
    with quickly():
        evaluation = evaluated(model, dataset, tmp_path, folds=2)
    for number in range(2):
        card = read_card(tmp_path / "folds" / str(number))
        assert card["head"]["settings"] == model.card["head"]["settings"]
        assert card["head"]["epochs"] == EPOCHS
        assert card["task"] == task
    assert evaluation["folds"]["n"] == ENOUGH
    headline = "label_ranking_ap" if task == "multi" else "accuracy"
    assert evaluation["folds"][headline]["value"] > 0.6


@folded
def test_folds_of_mobilenet_have_the_backbone_of_the_model(
    few: Dataset, mobilenet_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recipes.backbones, "find", None)  # no weights are looked for
    evaluation = evaluated(mobilenet_model, few, tmp_path, folds=2)
    assert evaluation["folds"]["n"] == len(few)
    for number in range(2):
        card = read_card(tmp_path / "folds" / str(number))
        assert card["backbone"] == mobilenet_model.card["backbone"]
        assert card["network"] == mobilenet_model.card["network"]


@folded
def test_covers_that_the_split_leaves_out_are_left_out_of_folds_too(copied: Dataset, tmp_path: Path):
    split = ["" if index < 20 else side for index, side in enumerate(copied.column("split"))]
    scored = cross_validate(copied.with_columns(split=split), "color", tmp_path, folds=2, options=Options())
    assert sorted(scored.covers.file_names) == copied.file_names[20:]


def test_one_fold_is_none(single: Dataset, color_model: Model, tmp_path: Path):
    with pytest.raises(SplitError, match=r"1 folds of 100 groups\. 2 to 100 folds"):
        evaluated(color_model, single, tmp_path, folds=1)


# words


@folded
def test_the_figures_are_told_as_rows(single: Dataset, color_model: Model, tmp_path: Path):
    evaluation = evaluated(color_model, single, tmp_path, folds=2)
    rows = figure_rows(evaluation)
    told = {row[0]: row[1] for row in reversed(rows)}  # those of the one split stand first
    assert told["accuracy"] == f"{evaluation['accuracy']['value']:.3f}"
    assert told["baseline commonest"] == f"{evaluation['baselines']['commonest']['accuracy']['value']:.3f}"
    assert ("pooled over 2 folds", "200 covers", "100 groups") in rows
    assert rows[-1][0] == "spread between trainings"
    assert [name for name, _ in three_figures(evaluation)] == [
        "color, accuracy",
        "guessing, accuracy",
        "colours alone, accuracy",
    ]


def test_figures_that_are_unknown_are_called_unknown(multi: Dataset, multi_model: Model, tmp_path: Path):
    evaluation = evaluated(multi_model, multi, tmp_path)
    evaluation["roc_auc_macro"] = {"value": None, "low": None, "high": None}
    assert ("ROC AUC, mean over genres", "unknown", "unknown") in figure_rows(evaluation)
    assert three_figures(evaluation)[0][0] == "small, label-ranking average precision"


def test_a_genre_is_predicted_at_its_very_threshold(multi: Dataset, multi_model: Model, tmp_path: Path):
    model = Model.load(shutil.copytree(multi_model.folder, tmp_path / "model"))
    proba = score(model, multi.in_split("test")).answers.proba
    second = int(np.argsort(-proba[0])[1])
    model.thresholds = [0.999999] * len(model.genres)
    model.thresholds[second] = float(proba[0, second])
    evaluate(model, multi, tmp_path, resamples=RESAMPLES)
    assert model.genres[second] in rows_of(tmp_path / "predictions.csv")[0]["predicted"].split(";")


def test_a_cover_without_a_group_is_a_group_by_itself(single: Dataset, color_model: Model):
    alone = single.in_split("test").with_columns(group=[""] * 30)
    assert len(set(score(color_model, alone).answers.groups)) == 30


def test_a_dataset_in_another_place_is_the_same_dataset(single: Dataset, color_model: Model, tmp_path: Path):
    first = evaluated(color_model, single, tmp_path / "a")
    second = evaluated(color_model, copy_of(single, tmp_path / "single"), tmp_path / "b")
    assert first == second
    assert first["genres"] == list(GENRES)
