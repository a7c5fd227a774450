"""Fine-tuning: it begins as good as the frozen network, and only the top of it learns."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sleevenotes.covers.dataset import Dataset
from sleevenotes.errors import ModelError, SleevenotesWarning
from sleevenotes.learn import heads, recipes
from sleevenotes.learn.calibration import log_loss, proba_of
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.descent import stages_of
from sleevenotes.learn.finetuning import SETTINGS, finetune, finetuning_settings
from sleevenotes.learn.heads import Head
from sleevenotes.learn.model import Model, read_weights
from sleevenotes.learn.networks import convolution
from sleevenotes.learn.recipes import Options, train
from sleevenotes.learn.training import Epoch, Side, Trained, logits_of
from training_for_tests import quickly

BRIEF = replace(
    SETTINGS, epochs=3, batch=16, rate=1e-2, average=0.5, unfrozen=1, mixup=0.0, augmented=False, precision="float32"
)


class Killed(BaseException):
    """The end of a process, as far as one can have it without ending."""


def pretrained() -> CoverNetwork:
    """A network whose random numbers count as pretrained."""
    torch.manual_seed(4)
    layers = torch.nn.Sequential(convolution(3, 6, stride=2), convolution(6, 8, stride=2), convolution(8, 10))
    return CoverNetwork(layers)


def side(n: int, *, task: str = "single", seed: int = 0) -> Side:
    """Covers whose genre is which way their stripes go, and hardly seen in a random network's features."""
    rng = np.random.default_rng(seed)
    genre = np.arange(n) % 2
    stripes = 40 * (np.arange(16) % 4 < 2)
    covers = rng.integers(0, 215, (n, 16, 16, 3)) + np.where(
        genre[:, None, None, None], stripes[None, :, None, None], stripes[None, None, :, None]
    )
    truth = np.stack([genre, 1 - genre], axis=1) if task == "multi" else genre
    return Side(covers.astype(np.uint8), truth)


def frozen_head(covers: Side, task: str) -> Head:
    with torch.inference_mode():
        features = pretrained().eval()(torch.from_numpy(covers.covers)).numpy()
    return heads.fit(features, covers.truth, task=task, strength=1e-3, genres=2)


def finetuned(folder: Path, *, task: str = "single", settings: Any = BRIEF, n: int = 64, **more: Any) -> Trained:
    train, valid = side(n, task=task), side(32, task=task, seed=1)
    head = more.pop("head", None) or frozen_head(train, task)
    return finetune(
        pretrained(), head, (train, valid), task=task, genres=2, settings=settings, seed=0, folder=folder, **more
    )


def killed_after(epoch: int) -> Callable[[Epoch, int], None]:
    def report(done: Epoch, epochs: int) -> None:
        if done.epoch == epoch:
            raise Killed

    return report


@pytest.mark.parametrize("task", ["single", "binary", "multi"])
def test_it_starts_with_the_loss_of_the_frozen_network_and_ends_with_a_smaller_one(tmp_path: Path, task: str):
    valid = side(32, task=task, seed=1)
    with torch.inference_mode():
        features = pretrained().eval()(torch.from_numpy(valid.covers)).numpy()
    logits = frozen_head(side(64, task=task), task).logits(features)
    result = finetuned(tmp_path, task=task, settings=replace(BRIEF, epochs=6, smoothing=0.0))
    assert result.start_loss == pytest.approx(log_loss(valid.truth, proba_of(logits, task=task)), rel=1e-4)
    best = min(epoch.valid_loss for epoch in result.history)
    assert best < result.start_loss
    assert result.history[result.best_epoch - 1].valid_loss == best
    proba = proba_of(logits_of(result, valid.covers), task=task)
    assert log_loss(valid.truth, proba) == pytest.approx(best, rel=1e-3)


def test_only_the_stages_at_the_top_learn_and_the_others_keep_their_statistics(tmp_path: Path):
    network = finetuned(tmp_path, settings=replace(BRIEF, epochs=2, statistics_kept=False)).network
    before = pretrained()
    for index, (stage, old) in enumerate(zip(stages_of(network), stages_of(before), strict=True)):
        same = [
            torch.equal(value, old_value)
            for part, old_part in zip(stage, old, strict=True)
            for value, old_value in zip(part.state_dict().values(), old_part.state_dict().values(), strict=True)
        ]
        assert not any(same) if index == 2 else all(same)


def test_where_no_epoch_is_better_the_frozen_network_is_kept(tmp_path: Path):
    head = frozen_head(side(64), "single")
    result = finetuned(tmp_path, settings=replace(BRIEF, rate=1e6, average=0.0, epochs=2))
    assert result.start_loss is not None
    assert result.best_epoch == 0
    assert not any(epoch.valid_loss < result.start_loss for epoch in result.history)
    for value, old in zip(result.network.state_dict().values(), pretrained().state_dict().values(), strict=True):
        assert torch.equal(value, old)
    assert np.array_equal(result.head.weight, head.weight)


@pytest.mark.parametrize("after", [1, 2])
@pytest.mark.parametrize("task", ["binary", "multi"])
def test_fine_tuning_that_was_killed_and_resumed_ends_as_if_left_alone(tmp_path: Path, task: str, after: int):
    settings = replace(BRIEF, augmented=True, mixup=0.4, unfrozen=2)
    for name in ("alone", "killed"):
        (tmp_path / name).mkdir()
    alone = finetuned(tmp_path / "alone", task=task, settings=settings)
    with pytest.raises(Killed):
        finetuned(tmp_path / "killed", task=task, settings=settings, report=killed_after(after))
    told: list[int] = []
    resumed = finetuned(
        tmp_path / "killed", task=task, settings=settings, resume=True,
        report=lambda epoch, epochs: told.append(epoch.epoch),
    )  # fmt: skip
    assert told == list(range(after + 1, 4))
    for value, other in zip(alone.network.state_dict().values(), resumed.network.state_dict().values(), strict=True):
        assert torch.equal(value, other)
    assert np.array_equal(alone.head.weight, resumed.head.weight)
    assert alone.start_loss == resumed.start_loss


def test_the_checkpoint_of_another_head_is_not_resumed(tmp_path: Path):
    with pytest.raises(Killed):
        finetuned(tmp_path, report=killed_after(2))
    other = frozen_head(side(40), "single")
    told: list[int] = []
    finetuned(tmp_path, head=other, resume=True, report=lambda epoch, epochs: told.append(epoch.epoch))
    assert told == [1, 2, 3]


def test_a_network_without_parameters_is_refused(tmp_path: Path):
    nothing, head = CoverNetwork(torch.nn.Identity()), Head(np.zeros((2, 3), np.float32), np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="Expected a pretrained network"):
        finetune(nothing, head, (side(8), side(8)), task="single", genres=2, seed=0, folder=tmp_path)


def test_settings_say_how_long_and_how_deep():
    assert finetuning_settings() == SETTINGS
    asked = finetuning_settings(4, unfrozen=2)
    assert (asked.epochs, asked.unfrozen) == (4, 2)
    assert replace(asked, epochs=SETTINGS.epochs, unfrozen=SETTINGS.unfrozen) == SETTINGS


# -------------------------------------------------------------------------------- as a model


@pytest.fixture(scope="module")
def tuned_model(few: Dataset, pretrained: Path, shared: Path) -> Model:
    return tuned(few, shared / "tuned-model", Options(weights=pretrained, finetune=True, training=ONE_EPOCH))


ONE_EPOCH = replace(SETTINGS, epochs=1, batch=16, rate=1e-2, average=0.0, unfrozen=1, precision="float32")


def tuned(dataset: Dataset, out: Path, options: Options) -> Model:
    with warnings.catch_warnings(), quickly(tiny=False):
        warnings.simplefilter("ignore", SleevenotesWarning)  # few covers in valid
        return train(dataset, "mobilenet", out, options)


def test_a_model_that_was_fine_tuned_says_so_and_lends_its_backbone_to_nobody(tuned_model: Model, pretrained: Path):
    card = tuned_model.card
    assert card["backbone"]["finetuned"]
    assert card["head"]["kind"] == "linear, fine-tuned with the network"
    assert card["head"]["settings"]["unfrozen"] == 1
    assert "strength" in card["head"]["frozen"]
    assert tuned_model.finetuned
    assert tuned_model.lends is None
    weights = read_weights(tuned_model.folder)
    published = torch.load(pretrained, weights_only=True)
    same = {name for name, value in published.items() if np.array_equal(weights.get(f"network.{name}"), value.numpy())}
    assert "features.0.0.weight" in same
    if card["head"]["best_epoch"]:
        assert "features.18.0.weight" not in same


@pytest.mark.filterwarnings("ignore::sleevenotes.errors.SleevenotesWarning")
def test_the_same_fine_tuned_model_is_known_again_and_a_frozen_one_is_not_it(
    tuned_model: Model, few: Dataset, pretrained: Path
):
    sides = recipes.Sides.of(few)
    asked = Options(weights=pretrained, finetune=True, training=ONE_EPOCH, resume=True)
    assert recipes._is_trained(tuned_model.folder, "mobilenet", sides, asked)
    for other in (replace(asked, finetune=False), replace(asked, training=replace(ONE_EPOCH, rate=1.0))):
        assert not recipes._is_trained(tuned_model.folder, "mobilenet", sides, other)


@pytest.mark.filterwarnings("ignore::sleevenotes.errors.SleevenotesWarning")
def test_what_has_no_backbone_can_not_be_fine_tuned(few: Dataset, tmp_path: Path):
    with pytest.raises(ModelError, match="nothing that could be fine-tuned"):
        train(few, "color", tmp_path / "model", Options(finetune=True))
