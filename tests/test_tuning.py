"""The rung of the ladder on which a backbone goes on learning, and models that have such a part."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import decode, resize
from sleevenotes.covers.swapping import BUILDING
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import ModelError, SleevenotesWarning
from sleevenotes.judge.audit.subject import Subject
from sleevenotes.judge.evaluation import evaluate, figure_rows
from sleevenotes.judge.explain import Explainer
from sleevenotes.learn import backbones, finetuning, imagenet, ladder, networks, recipes
from sleevenotes.learn.blends import scale_of
from sleevenotes.learn.calibration import log_loss, proba_of
from sleevenotes.learn.extractors import COMPOSED_PX
from sleevenotes.learn.finetuning import SETTINGS
from sleevenotes.learn.ladder import Ladder, Step, composed
from sleevenotes.learn.model import Model, read_weights
from sleevenotes.learn.parts import TUNING, PartForm
from sleevenotes.learn.recipes import Options, train
from sleevenotes.learn.tuning import VIEWS, Tuner, Tuning, tunings_at_hand
from training_for_tests import TINY_PX, quickly, tiny_network

BRIEF = replace(
    SETTINGS, epochs=2, batch=16, rate=1e-2, average=0.0, unfrozen=1, mixup=0.0, augmented=False, precision="float32"
)
FOLDS = 3
STEP = Tuning("mobilenet_v2", TINY_PX, BRIEF)
pytestmark = pytest.mark.filterwarnings("ignore::sleevenotes.errors.SleevenotesWarning")  # few covers in valid

COLOR = Step(PartForm("color"), "linear")


@pytest.fixture(scope="module", autouse=True)
def tiny_backbone(shared: Path) -> Iterator[None]:
    """Let MobileNetV2 be a tiny network, whose random numbers count as published."""
    folder = shared / "tiny-weights"
    folder.mkdir()
    torch.manual_seed(4)
    torch.save(tiny_network().state_dict(), folder / "tiny.pth")
    known = backbones.BACKBONES["mobilenet_v2"]
    digest = backbones.find("mobilenet_v2", weights=folder / "tiny.pth").sha256
    published = replace(known, trainings=(backbones.Training("random", "tiny.pth", digest[:8]),))
    with pytest.MonkeyPatch.context() as patch, quickly():
        patch.setattr(ladder, "FOLDS", FOLDS)
        patch.setitem(imagenet.PUBLISHED, "mobilenet_v2", tiny_network)
        patch.setitem(networks.ARCHITECTURES, "mobilenet_v2", tiny_network)
        patch.setitem(backbones.BACKBONES, "mobilenet_v2", published)
        patch.setenv(backbones.WEIGHTS_VARIABLE, str(folder))
        yield


class Killed(BaseException):
    """The end of a process, as far as one can have it without ending."""


def tuner_on(dataset: Dataset, folder: Path, step: Tuning = STEP) -> Tuner:
    return ladder_on(dataset, folder).tuner(step)


def ladder_on(dataset: Dataset, folder: Path, **settings: object) -> Ladder:
    both = dataset.where([split in ("train", "valid") for split in dataset.column("split")])
    task = Task.of(dataset)
    return Ladder(both, task, task.truth_of(both), folder, **{"budget_s": 60.0, **settings})  # type: ignore[arg-type]


def trained_best(dataset: Dataset, out: Path, *steps: Step | Tuning, **options: object) -> Model:
    """A model `best` of all the steps, whatever helps."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", SleevenotesWarning)  # few covers in valid
        patch.setattr(ladder, "steps_at_hand", lambda: list(steps))
        if len(steps) > 1:
            patch.setattr(Ladder, "best", Ladder.all_together)
        return train(dataset, "best", out, Options(budget_s=60, **options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tuned_model(few: Dataset, shared: Path) -> Model:
    return trained_best(few, shared / "with-tuned-part", COLOR, STEP)


# the rung


@pytest.mark.parametrize("task", ["single", "binary", "multi"])
def test_answers_are_out_of_fold_and_the_kept_head_says_the_same_through_its_onnx_form(
    request: pytest.FixtureRequest, tmp_path: Path, task: str
):
    whole: Dataset = request.getfixturevalue(task)
    tuner = tuner_on(whole.where(np.arange(len(whole)) < 80), tmp_path)
    answers = tuner.answers()
    scale = scale_of(answers, tuner.truth, task=tuner.task.kind)
    guessing = log_loss(tuner.truth, proba_of(np.zeros_like(answers), task=tuner.task.kind))
    assert log_loss(tuner.truth, proba_of(scale.logits(answers), task=tuner.task.kind)) < guessing - 0.05
    part, head = tuner.kept()
    rows = np.arange(9)
    pixels = np.stack([resize(decode(tuner.covers.path(int(row))), COMPOSED_PX) for row in rows])
    trained = tuner._trained(np.arange(len(tuner.covers)), "whole")  # as it was, from its checkpoint
    expected = tuner._told(trained, rows)
    assert np.abs(head.logits(part.extractor.features(pixels)) - expected).max() < 1e-3 * np.abs(expected).max()


def test_no_network_that_answers_a_fold_has_seen_a_group_of_it(
    few: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tuner = tuner_on(few, tmp_path)
    groups, seen = np.asarray(tuner.covers.groups), []
    learning = finetuning.finetune

    def watched(network, head, sides, **more):  # type: ignore[no-untyped-def]
        seen.append([set(groups[side.covers.rows]) for side in sides])
        return learning(network, head, sides, **more)

    monkeypatch.setattr(finetuning, "finetune", watched)
    tuner.answers()
    numbers = np.unique(tuner.fold)
    assert len(seen) == len(numbers) == FOLDS
    for number, (learnt, asked) in zip(numbers, seen, strict=True):
        assert not learnt & asked
        assert not (learnt | asked) & set(groups[tuner.fold == number])
        assert learnt | asked == set(groups[tuner.fold != number])


def test_a_fold_that_is_done_is_not_trained_again_unless_something_else_is_asked(
    few: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    alone = tuner_on(few, tmp_path / "alone").answers()
    trained: list[str] = []
    training = Tuner._trained

    def killed_at_third(self: Tuner, rows: np.ndarray, name: str) -> object:
        if len(trained) == 2:
            raise Killed
        trained.append(name)
        return training(self, rows, name)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Tuner, "_trained", killed_at_third)
        with pytest.raises(Killed):
            tuner_on(few, tmp_path / "killed").answers()

    def counted(self: Tuner, rows: np.ndarray, name: str) -> object:
        trained.append(name)
        return training(self, rows, name)  # type: ignore[arg-type]

    monkeypatch.setattr(Tuner, "_trained", counted)
    resumed = tuner_on(few, tmp_path / "killed").answers()
    assert trained == [f"fold-{number}" for number in range(FOLDS)]
    assert np.array_equal(resumed, alone)
    tuner_on(few, tmp_path / "killed", replace(STEP, settings=replace(BRIEF, rate=2e-2))).answers()
    assert len(trained) == 2 * FOLDS


def test_its_time_is_told_beforehand_and_folds_that_are_done_cost_none(
    few: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    longer = replace(STEP, settings=replace(BRIEF, epochs=20_000))
    assert tuner_on(few, tmp_path, longer).seconds() > 5 * tuner_on(few, tmp_path).seconds() > 0
    said: list[str] = []
    winner = ladder_on(few, tmp_path, say=said.append).climb([COLOR, longer])
    assert winner.rungs[1].what == "mobilenet_v2, fine-tuned at 32 px, 2 views"
    assert "it needs some" in str(winner.rungs[1].left_out)
    assert not (tmp_path / TUNING).exists()
    tuner = tuner_on(few, tmp_path)
    before = tuner.seconds()
    tuner.answers()
    assert tuner.seconds() < before


def test_it_is_left_out_where_groups_are_too_few(few: Dataset, tmp_path: Path):
    same = few.with_columns(group=["one" if index % 2 else "two" for index in range(len(few))])
    winner = ladder_on(same, tmp_path).climb([COLOR, STEP])
    assert winner.rungs[1].left_out == "there are too few groups to choose an epoch"


def test_it_is_the_last_step_and_only_where_its_weights_are_at_hand(monkeypatch: pytest.MonkeyPatch):
    assert ladder.steps_at_hand()[-1] == tunings_at_hand()[0] == Tuning("mobilenet_v2")
    assert Tuning("mobilenet_v2").learning.statistics_kept
    monkeypatch.setattr(backbones, "at_hand", lambda name: False)
    assert tunings_at_hand() == []


def test_its_head_is_the_one_that_learnt_with_the_network(few: Dataset, tmp_path: Path):
    climbed = ladder_on(few, tmp_path)
    climbed.attempt(STEP)
    winner = climbed.best()
    (_, member), *_ = winner.members
    parts, heads, told = composed(winner, climbed.truth, climbed.task)
    assert member.head is not None
    assert np.allclose(heads[0].weight, member.head.weight)
    assert (told[0]["members"][0]["head"], told[0]["members"][0]["strength"]) == ("its own", None)
    assert parts[0].card["tuned"]


# the model


def test_the_card_tells_how_a_part_was_tuned_and_nothing_else_is_left(tuned_model: Model):
    card = json.loads((tuned_model.folder / "model.json").read_text(encoding="utf-8"))
    color, tuned = card["parts"]
    assert "tuned" not in color
    assert tuned["name"] == "mobilenet_v2-tuned"
    assert (tuned["tuned"], tuned["backbone"]["finetuned"], tuned["epochs"]) == (True, True, 2)
    assert tuned["settings"]["unfrozen"] == 1
    assert 0 <= tuned["best_epoch"] <= 2
    assert tuned["views"] == list(VIEWS)
    assert [path.name for path in (tuned_model.folder / "parts").iterdir()] == ["mobilenet_v2-tuned.onnx"]
    assert not (tuned_model.folder / TUNING).exists()
    assert Tuning.of_card(tuned) == STEP
    kept = {name for name in read_weights(tuned_model.folder) if "mobilenet" in name}
    assert {name.split(".network.")[0] for name in kept} == {"mobilenet_v2-tuned"}


def test_it_predicts_and_shows_where_it_looks(tuned_model: Model, few: Dataset):
    answers = list(Model.load(tuned_model.folder).predict(few.paths[:6]))
    pixels = np.stack([resize(decode(path), COMPOSED_PX) for path in few.paths[:6]])
    expected = tuned_model.proba(tuned_model.logits(pixels))
    assert np.abs(np.stack([answer.proba for answer in answers]) - expected).max() < 1e-6  # type: ignore[arg-type]
    explainer = Explainer(tuned_model)
    assert explainer.maps(pixels[:1], tuned_model.genres[0]).max() <= 1
    assert explainer.mapped == pytest.approx(tuned_model.parts[1]["share"])


def test_folds_are_without_the_part_that_has_seen_their_covers_and_say_so(
    tuned_model: Model, few: Dataset, tmp_path: Path
):
    evaluation = evaluate(tuned_model, few, tmp_path, folds=2, resamples=50)
    assert evaluation["folds"]["without"] == tuned_model.kept_back == ["mobilenet_v2-tuned"]
    assert ("… without", "mobilenet_v2-tuned", "") in figure_rows(evaluation)
    alike = Model.load(tmp_path / "folds" / "0")
    assert [part["name"] for part in alike.parts] == ["color"]
    left_out = [rung["left_out"] for rung in alike.card["ladder"]["rungs"]]
    assert "its network learnt from covers that may be asked about here" in left_out


def test_a_model_of_nothing_else_is_tuned_anew_where_it_is_trained_alike(few: Dataset, tmp_path: Path):
    model = trained_best(few, tmp_path / "alone", STEP)
    assert model.kept_back == []
    alike = train(few, "best", tmp_path / "alike", Options(seed=1, backbone_of=model.lends))
    assert [part["name"] for part in alike.parts] == ["mobilenet_v2-tuned"]
    assert not np.array_equal(alike.head.weight, model.head.weight)


def test_an_audit_does_not_take_its_features_for_published_ones(
    tuned_model: Model, color_model: Model, small_model: Model, few: Dataset, tmp_path: Path
):
    assert tuned_model.has_learnt_features
    assert small_model.has_learnt_features
    assert not color_model.has_learnt_features
    assert Subject.of(few, tuned_model, tmp_path).frozen[1] == "mobilenet_v2, which stands in"
    assert Subject.of(few, color_model, tmp_path).frozen[1] == "color"


@pytest.mark.parametrize("resume", [True, False])
def test_a_ladder_that_was_stopped_goes_on_where_it_is_resumed_and_not_where_it_is_not(
    few: Dataset, tuned_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resume: bool
):
    def killed(self: Tuner) -> object:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Tuner, "kept", killed)
        with pytest.raises(Killed):
            trained_best(few, tmp_path / "m", COLOR, STEP)
    assert len(list((tmp_path / "m" / BUILDING / TUNING).rglob("fold-*.npz"))) == FOLDS
    trained: list[str] = []
    training = Tuner._trained

    def counted(self: Tuner, rows: np.ndarray, name: str) -> object:
        trained.append(name)
        return training(self, rows, name)  # type: ignore[arg-type]

    monkeypatch.setattr(Tuner, "_trained", counted)
    model = trained_best(few, tmp_path / "m", COLOR, STEP, resume=resume)
    assert trained == ["whole"] if resume else len(trained) == FOLDS + 1
    assert np.array_equal(model.head.weight, tuned_model.head.weight)
    assert model.card["calibration"] == tuned_model.card["calibration"]
    assert recipes._is_trained(model.folder, "best", recipes.Sides.of(few), Options(budget_s=60))


def test_a_folder_that_a_ladder_did_not_begin_is_refused(few: Dataset, tmp_path: Path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ModelError, match="holds something else"):
        train(few, "best", tmp_path)
