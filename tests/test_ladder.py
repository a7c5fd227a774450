"""The ladder: what is tried within a budget, what wins, and a composed model that answers alike everywhere."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from conftest import copy_of
from sleevenotes.cli import app
from sleevenotes.cli.options import seconds_of
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import decode, resize
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import ModelError, SleevenotesWarning
from sleevenotes.judge.evaluation import evaluate
from sleevenotes.judge.explain import PLACES, Explainer, explain
from sleevenotes.learn import backbones, ladder
from sleevenotes.learn.calibration import log_loss, proba_of
from sleevenotes.learn.extractors import COMPOSED_PX, MIRRORED
from sleevenotes.learn.ladder import Ladder, Step, composed
from sleevenotes.learn.model import Model
from sleevenotes.learn.parts import PartForm
from sleevenotes.learn.recipes import Options, train
from training_for_tests import quickly

COLOR, GRADIENTS = Step(PartForm("color"), "linear"), Step(PartForm("gradients"), "linear")
NETWORK = Step(PartForm("network", "mobilenet_v2", views=("whole", "middle" + MIRRORED), rooted=True), "linear")

LIKENESS = Step(NETWORK.form, "likeness", (COLOR.form,))


def truth_of(dataset: Dataset) -> np.ndarray:
    return Task.of(dataset).truth_of(dataset)


def ladder_on(dataset: Dataset, folder: Path, **settings: object) -> Ladder:
    both = dataset.where([split in ("train", "valid") for split in dataset.column("split")])
    return Ladder(both, Task.of(dataset), truth_of(both), folder, **{"budget_s": 60.0, **settings})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def best_model(few: Dataset, shared: Path, pretrained: Path) -> Iterator[Model]:
    """A blend of colours, gradients and a MobileNetV2 of random weights, whatever helps."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), quickly(tiny=False):
        warnings.simplefilter("ignore", SleevenotesWarning)  # few covers in valid
        folder = shared / "weights-of-ladder"
        folder.mkdir()
        (folder / pretrained.name).write_bytes(pretrained.read_bytes())
        known = backbones.BACKBONES["mobilenet_v2"]
        prefix = pretrained.stem.rpartition("-")[2]
        training = backbones.Training("random", pretrained.name, prefix)
        patch.setitem(backbones.BACKBONES, "mobilenet_v2", known.__class__(**{**vars(known), "trainings": (training,)}))
        patch.setenv(backbones.WEIGHTS_VARIABLE, str(folder))
        patch.setattr(ladder, "steps_at_hand", lambda: [COLOR, GRADIENTS, NETWORK, LIKENESS])
        # all of them, so that the model is composed whatever helps
        patch.setattr(Ladder, "best", Ladder.all_together)
        yield train(few, "best", shared / "best-model", Options(budget_s=60))


# the ladder


def test_every_rung_is_told_and_the_one_with_the_smallest_loss_is_taken(single: Dataset, tmp_path: Path):
    winner = ladder_on(single, tmp_path).climb([COLOR, GRADIENTS])
    assert [rung.rung for rung in winner.rungs] == list(range(1, len(winner.rungs) + 1))
    assert [rung.what for rung in winner.rungs[:2]] == ["colours, linear head", "gradients, linear head"]
    (taken,) = [rung for rung in winner.rungs if rung.taken]
    assert taken.log_loss == min(rung.log_loss for rung in winner.rungs if rung.log_loss is not None)
    truth = truth_of(single.where([split in ("train", "valid") for split in single.column("split")]))
    assert log_loss(truth, proba_of(winner.answers, task="single")) == pytest.approx(taken.log_loss)
    assert taken.accuracy == pytest.approx((winner.answers.argmax(axis=1) == truth).mean())


def test_a_rung_that_would_outlast_the_budget_is_left_out_with_the_reason(single: Dataset, tmp_path: Path):
    now = iter(range(0, 100_000, 10))  # each look at the clock takes ten seconds
    said: list[str] = []
    winner = ladder_on(single, tmp_path, budget_s=75, clock=lambda: next(now), say=said.append).climb(
        [COLOR, GRADIENTS, GRADIENTS]
    )
    assert winner.rungs[0].left_out is None
    assert winner.rungs[0].taken
    assert "it needs some" in str(winner.rungs[1].left_out) or winner.rungs[1].left_out == "no time was left"
    assert winner.rungs[2].left_out is not None
    assert any("left out" in line for line in said)


def test_the_first_rung_is_tried_however_small_the_budget(single: Dataset, tmp_path: Path):
    winner = ladder_on(single, tmp_path, budget_s=1e-9).climb([COLOR, GRADIENTS])
    assert [rung.left_out for rung in winner.rungs] == [None, "no time was left"]
    assert [member.what for _, member in winner.members] == ["colours, linear head"]


def test_groups_are_never_on_two_sides_of_a_fold(single: Dataset, tmp_path: Path):
    climbed = ladder_on(single, tmp_path)
    for group in set(climbed.groups):
        assert len({fold for fold, name in zip(climbed.fold, climbed.groups, strict=True) if name == group}) == 1


def test_folds_are_of_one_size_where_much_is_unknown(multi: Dataset, tmp_path: Path):
    known = ladder_on(multi, tmp_path)
    unknown = np.random.default_rng(0).random(known.truth.shape) < 0.5
    climbed = Ladder(known.covers, known.task, np.where(unknown, -1, known.truth), tmp_path, 60.0)
    assert np.ptp(np.bincount(climbed.fold)) <= 4


def test_members_that_share_a_part_become_one_head_on_it(single: Dataset, tmp_path: Path):
    climbed = ladder_on(single, tmp_path)
    for step in (COLOR, Step(PartForm("color"), "logistic"), GRADIENTS):
        climbed.attempt(step)
    winner = climbed.all_together()
    parts, heads, told = composed(winner, climbed.truth, climbed.task)
    assert [part.card["name"] for part in parts] == ["color", "gradients"]
    assert [len(card["members"]) for card in told] == [2, 1]
    assert sum(card["share"] for card in told) == pytest.approx(1, abs=1e-3)
    assert [head.weight.shape for head in heads] == [(3, 512), (3, 324)]


def test_steps_name_only_backbones_whose_weights_are_at_hand(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(backbones, "at_hand", lambda name: name == "squeezenet1_1")
    named = {step.form.backbone for step in ladder.steps_at_hand()}
    assert named == {"", "squeezenet1_1"}
    words = [step.what for step in ladder.steps_at_hand()]
    assert len(set(words)) == len(words) >= 6


# the model


def test_the_card_tells_the_ladder_and_the_parts(best_model: Model):
    card = json.loads((best_model.folder / "model.json").read_text(encoding="utf-8"))
    assert card["network"] is None
    assert [part["kind"] for part in card["parts"]] == ["color", "gradients", "network", "likeness"]
    assert sum(rung["taken"] for rung in card["ladder"]["rungs"]) == 1
    assert card["ladder"]["covers"] == card["calibration"]["n"] == 54
    assert card["calibration"]["source"] == "out of fold"
    assert sum(part["features"] for part in card["parts"]) == best_model.head.weight.shape[1] == 512 + 324 + 1280 + 54
    files = sorted(path.name for path in (best_model.folder / "parts").iterdir())
    assert files == sorted(Path(part["file"]).name for part in card["parts"] if "file" in part)
    assert files == ["likeness-1.safetensors", "mobilenet_v2.onnx"]


def test_library_saved_model_and_command_line_give_the_same_numbers(best_model: Model, few: Dataset):
    paths = few.paths[:5]
    pixels = np.stack([resize(decode(path), COMPOSED_PX) for path in paths])
    expected = best_model.proba(best_model.logits(pixels))
    parts = [part.features(pixels) for part in best_model.extractor.parts]  # type: ignore[union-attr]
    by_hand = np.concatenate(parts, axis=1) @ best_model.head.weight.T + best_model.head.bias
    assert np.abs(best_model.proba(by_hand) - expected).max() < 1e-6
    loaded = [answer.proba for answer in Model.load(best_model.folder).predict(paths)]
    assert np.abs(np.stack(loaded) - expected).max() < 1e-6  # type: ignore[arg-type]
    run = CliRunner().invoke(app, ["predict", str(best_model.folder), *map(str, paths), "--json", "--top", "3"])
    assert run.exit_code == 0, run.output
    for line, proba in zip(run.stdout.splitlines(), expected, strict=True):
        told = {each["genre"]: each["proba"] for each in json.loads(line)["genres"]}
        assert max(abs(told[genre] - proba[at]) for at, genre in enumerate(best_model.genres)) < 1e-6


@pytest.mark.filterwarnings("ignore::sleevenotes.errors.SleevenotesWarning")
def test_a_composed_model_is_evaluated_and_trained_alike_in_folds(best_model: Model, few: Dataset, tmp_path: Path):
    evaluation = evaluate(best_model, few, tmp_path, folds=2, resamples=100)
    assert evaluation["n"] == 6
    assert evaluation["folds"]["k"] == 2
    card = Model.load(tmp_path / "folds" / "0").card
    assert [part["name"] for part in card["parts"]] == [part["name"] for part in best_model.parts]
    assert [part["members"][0]["head"] for part in card["parts"]] == ["linear"] * 3 + ["likeness"]
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    (answer,) = best_model.predict([few.folder / row["file_name"]])
    assert answer.proba is not None
    assert float(row[f"proba {best_model.genres[0]}"]) == pytest.approx(answer.proba[0], abs=2e-6)


def test_its_maps_are_the_sum_of_its_networks_and_say_how_much_they_show(
    best_model: Model, few: Dataset, tmp_path: Path
):
    explainer = Explainer(best_model)
    pixels = np.stack([resize(decode(path), COMPOSED_PX) for path in few.paths[:2]])
    maps = explainer.maps(pixels, best_model.genres[0])
    assert maps.shape == (2, PLACES, PLACES)
    assert maps.min() >= 0
    assert maps.max() <= 1
    explanations, unreadable = explain(best_model, few.paths[:1], tmp_path)
    assert not unreadable
    shares = {part["name"]: part["share"] for part in best_model.parts}
    # of the likeness by network and colours, the half
    assert explanations[0].mapped == pytest.approx(shares["mobilenet_v2"] + shares["likeness-1"] / 2, abs=1e-3)
    assert 0 < explanations[0].mapped < 1


def test_what_a_part_adds_over_all_places_is_its_slice_of_the_logit(best_model: Model, few: Dataset):
    import torch

    explainer = Explainer(best_model)
    pixels = np.stack([resize(decode(few.path(0)), COMPOSED_PX)])
    part, in_likeness = explainer.slices
    weight = torch.from_numpy(best_model.head.weight[0].copy())
    columns = slice(512 + 324, 512 + 324 + 1280)
    features = best_model.extractor.features(pixels)[0, columns]
    # of a root, its slope times the feature is a half of it
    expected = float(features @ best_model.head.weight[0, columns]) / 2
    assert in_likeness.weight(pixels, weight).shape == (1, 1280)
    spoken = explainer._spoken(pixels, part, weight)
    # enlarging a map weighs its places a little unlike one another
    assert float(spoken.sum()) == pytest.approx(expected, abs=0.05 * float(spoken.abs().sum()))


def test_covers_of_the_test_side_have_no_say(single: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ladder, "steps_at_hand", lambda: [COLOR, GRADIENTS])
    copied = copy_of(single, tmp_path / "copied")
    before = train(copied, "best", tmp_path / "before", Options(budget_s=60))
    in_test = [split == "test" for split in copied.column("split")]
    for index in np.flatnonzero(in_test):
        copied.path(int(index)).unlink()
    left = copied.where(~np.array(in_test))
    left.write()
    after = train(Dataset.open(left.folder), "best", tmp_path / "after", Options(budget_s=60))
    assert np.array_equal(before.head.weight, after.head.weight)
    assert before.card["calibration"] == after.card["calibration"]


@pytest.mark.parametrize("task", ["binary", "multi"])
def test_every_task_has_a_best_model(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
):
    monkeypatch.setattr(ladder, "steps_at_hand", lambda: [COLOR, GRADIENTS])
    dataset: Dataset = request.getfixturevalue(task)
    model = train(dataset, "best", tmp_path / "m", Options())
    assert model.task == task
    assert model.card["calibration"]["valid_hit_rate"] > 0.6


def test_a_part_whose_network_is_gone_is_told(best_model: Model, tmp_path: Path):
    (tmp_path / "model.json").write_bytes((best_model.folder / "model.json").read_bytes())
    (tmp_path / "weights.safetensors").write_bytes((best_model.folder / "weights.safetensors").read_bytes())
    with pytest.raises(ModelError, match=r"parts/.+: not there\. Train the model again"):
        _ = Model.load(tmp_path).extractor


# the command line


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1h", 3600), ("1.5 h", 5400)])
def test_a_budget_is_a_number_and_a_unit(text: str, seconds: float):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--model", "best", "--budget", "soon"], "no time"),
        (["--model", "color", "--budget", "10m"], "--budget goes with"),
        (["--model", "small", "--head", "linear"], "--head goes with"),
        (["--model", "small", "--normalise", "imagenet"], "--normalise goes with"),
        (["--model", "small", "--backbone", "resnet18"], "leave out --model small"),
    ],
)
def test_options_that_do_not_go_together_are_told(single: Dataset, tmp_path: Path, options: list[str], told: str):
    run = CliRunner().invoke(app, ["train", str(single.folder), "-o", str(tmp_path / "m"), *options])
    assert run.exit_code == 2
    assert told in " ".join(io.StringIO(run.output).read().replace("│", " ").split())


@pytest.mark.filterwarnings("ignore::sleevenotes.errors.SleevenotesWarning")
@pytest.mark.parametrize("head", ["linear", "logistic"])
def test_a_head_of_either_kind_on_a_named_backbone(few: Dataset, pretrained: Path, tmp_path: Path, head: str):
    with quickly(tiny=False):
        model = train(few, "backbone", tmp_path / "m", Options(weights=pretrained, head=head))  # type: ignore[arg-type]
        again = train(
            few,
            "backbone",
            tmp_path / "m",
            Options(weights=pretrained, head=head, resume=True),  # type: ignore[arg-type]
        )
        alike = train(few, "backbone", tmp_path / "alike", Options(backbone_of=model.folder))
    assert again.card == model.card
    assert model.card["head"]["kind"].startswith(head)
    assert alike.card["head"] == model.card["head"]
    assert np.array_equal(alike.head.weight, model.head.weight)
    with pytest.raises(ModelError, match=r"head 'deep': unknown\. Known are logistic, linear"):
        train(few, "backbone", tmp_path / "n", Options(head="deep"))  # type: ignore[arg-type]
