"""Check 9: maps that depend on the weights and name what counts pass, others don't."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.stats import spearmanr
from torch import nn

from sleevenotes.covers.dataset import Dataset
from sleevenotes.judge.audit import explanations as checked
from sleevenotes.judge.audit.explanations import (
    NOT_TRUSTED,
    STEPS,
    Explained,
    alike,
    area,
    blocks_of,
    changed,
    explanations,
    nearness,
    order_of,
    settle,
    shuffle,
    standardised,
    unlike,
)
from sleevenotes.judge.audit.findings import LeftOut
from sleevenotes.learn.imagenet import PUBLISHED
from sleevenotes.learn.model import Model
from sleevenotes.learn.networks import small_network
from training_for_tests import quickly, tiny_network


@pytest.fixture
def tiny() -> Iterator[None]:
    """The models of the recipe `small` that tests share have the tiny network."""
    with quickly():
        yield


# how alike maps are


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_likeness_is_the_rank_correlation_of_spearman(seed: int):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 5, (2, 3, 4, 4)).astype(np.float32)
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    assert np.allclose(alike(first, second), expected)


def test_a_map_that_is_the_same_everywhere_is_like_no_other():
    maps = np.random.default_rng(0).random((2, 3, 3), dtype=np.float32)
    assert alike(np.zeros_like(maps), maps).tolist() == [0, 0]


def test_chance_is_the_mean_over_all_pairs_of_different_covers():
    maps = np.random.default_rng(0).random((3, 4, 4), dtype=np.float32)
    pairs = [alike(maps[[a]], maps[[b]])[0] for a, b in ((0, 1), (0, 2), (1, 2))]
    assert unlike(maps) == pytest.approx(np.mean(pairs))
    assert standardised(maps).shape == (3, 16)


# random weights


@pytest.mark.parametrize("make", [tiny_network, small_network, *PUBLISHED.values()])
def test_every_parameter_is_in_one_block(make: type):
    with torch.device("meta"):  # shapes without numbers
        network = make()
    blocks = blocks_of(network)
    inside = [id(parameter) for block in blocks for parameter in block.parameters()]
    assert sorted(inside) == sorted(id(parameter) for parameter in network.parameters())
    assert len(blocks) >= 2


def test_blocks_are_in_the_order_in_which_covers_pass_them():
    network = small_network()
    passed: list[nn.Module] = []
    for block in blocks_of(network):
        block.register_forward_hook(lambda module, given, returned: passed.append(module))
    network.eval()(torch.zeros((1, 96, 96, 3), dtype=torch.uint8))
    assert passed == blocks_of(network)


def test_shuffling_keeps_the_numbers_and_moves_them():
    layer = nn.Conv2d(3, 8, 3)
    before = layer.weight.detach().clone()
    shuffle(layer, torch.Generator().manual_seed(0))
    assert not torch.equal(layer.weight, before)
    assert torch.equal(layer.weight.flatten().sort().values, before.flatten().sort().values)


def test_batch_norms_are_measured_anew_on_the_covers():
    network = tiny_network().eval()
    covers = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8))
    block = blocks_of(network)[0]
    shuffle(block, torch.Generator().manual_seed(0))
    settle(network, [block], covers)
    convolution, norm = block[0], block[1]
    with torch.inference_mode():
        spread = convolution(network.normalise(covers)).std(dim=(0, 2, 3))
    assert torch.allclose(norm.running_var.sqrt(), spread, rtol=0.05)
    assert not network.training
    assert not norm.training


# deletion and insertion


def test_a_cover_goes_over_into_another_the_strongest_place_first():
    heat = np.array([[0.1, 0.9], [0.5, 0.2]])
    assert order_of(heat).tolist() == [1, 2, 3, 0]
    heat = np.random.default_rng(0).random((16, 16))
    gone, fresh = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8)
    states = list(changed(gone, fresh, order_of(heat)))
    assert len(states) == STEPS + 1
    assert [int((state[..., 0] > 0).sum()) for state in states] == [at * 256 // STEPS for at in range(STEPS + 1)]
    assert states[1][np.unravel_index(heat.argmax(), heat.shape)].tolist() == [255] * 3


def test_the_middle_is_nearest_to_itself():
    assert np.unravel_index(nearness((5, 5)).argmax(), (5, 5)) == (2, 2)


def test_the_area_under_a_constant_is_the_constant():
    assert area(np.full(9, 0.3)) == pytest.approx(0.3)


# the check


def test_a_model_without_a_network_is_left_out_in_words(single: Dataset, color_model: Model):
    told = explanations(color_model, single)
    assert isinstance(told, LeftOut)
    assert "without their places" in told.why


@pytest.mark.usefixtures("tiny")
def test_too_few_covers_are_said_to_be_so(single: Dataset, small_model: Model):
    told = explanations(small_model, single.where(np.arange(len(single)) < 5))
    assert isinstance(told, LeftOut)
    assert "only 5 covers" in told.why


@pytest.mark.usefixtures("tiny")
def test_a_trained_network_goes_through_all_stages(single: Dataset, small_model: Model):
    told = explanations(small_model, single.in_split("test"), seed=1)
    assert isinstance(told, Explained)
    assert [stage["name"] for stage in told.stages] == ["head", "head and 1 of 2 blocks", "all"]
    finding = told.finding()
    assert finding.measured.p is None
    assert finding.measured.n == 30
    assert json.dumps(finding.plain(), allow_nan=False)
    assert -1 <= finding.details["chance"] <= 1
    for curve in ("deletion", "insertion"):
        found = finding.details[curve]
        assert found["difference"]["value"] == pytest.approx(found["map"]["value"] - found["random"]["value"])
        assert all(0 <= found[order]["value"] <= 1 for order in ("map", "random", "middle"))
    again = explanations(small_model, single.in_split("test"), seed=1)
    assert again == told


@pytest.mark.usefixtures("tiny")
def test_maps_that_do_not_depend_on_the_weights_are_called_broken(
    single: Dataset, small_model: Model, monkeypatch: pytest.MonkeyPatch
):
    """An edge detector in place of Grad-CAM."""

    def edges(network: nn.Module, weight: torch.Tensor, covers: np.ndarray) -> np.ndarray:
        grey = covers[..., 0].astype(np.float32)
        return np.abs(np.diff(grey, axis=1, prepend=0))

    monkeypatch.setattr(checked, "maps_of", edges)
    told = explanations(small_model, single.in_split("test"))
    assert isinstance(told, Explained)
    assert told.stages[-1]["value"] == pytest.approx(1)
    finding = told.finding()
    assert finding.verdict == "broken"
    assert finding.words.startswith(f"{NOT_TRUSTED}. The maps hardly change")


def made_up(last: float, deletion: tuple[float, float], insertion: tuple[float, float]) -> Explained:
    """Maps of a likeness at last, and what the map's order gains in either curve, with its p."""
    estimate = {"value": 0.5, "low": 0.4, "high": 0.6}
    curves = {
        name: dict.fromkeys(("map", "random", "middle"), estimate) | {"difference": {"value": gain, "p": p}}
        for name, (gain, p) in {"deletion": deletion, "insertion": insertion}.items()
    }
    stages = [{"name": name, "value": last, "low": last - 0.1, "high": last + 0.1} for name in ("head", "all")]
    return Explained(stages, 0.2, curves, 40, 40)


@pytest.mark.parametrize(
    ("last", "deletion", "insertion", "verdict"),
    [
        (0.3, (-0.1, 0.001), (0.1, 0.001), "clean"),
        (0.3, (-0.1, 0.2), (0.1, 0.001), "suspicious"),
        (0.3, (0.1, 0.001), (0.1, 0.001), "suspicious"),  # deleting by the map is slower: significant, and wrong
        (0.3, (-0.1, 0.2), (0.1, 0.2), "broken"),
        (0.8, (-0.1, 0.001), (0.1, 0.001), "broken"),
        (0.49, (-0.1, 0.001), (0.1, 0.001), "clean"),  # 0.49 + 0.1 is below the middle of 0.2 and 1
        (0.51, (-0.1, 0.001), (0.1, 0.001), "broken"),
    ],
)
def test_the_verdict_is_by_the_rule(
    last: float, deletion: tuple[float, float], insertion: tuple[float, float], verdict: str
):
    finding = made_up(last, deletion, insertion).finding()
    assert finding.verdict == verdict
    assert (NOT_TRUSTED in finding.words) == (verdict != "clean")
