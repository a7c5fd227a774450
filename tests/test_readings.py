"""Readings: chosen layers of a network, pooled on a grid, as an ONNX form with the same numbers as torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn

from sleevenotes.errors import WeightsError
from sleevenotes.learn.backbones import BACKBONES, layers_of
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.imagenet import PUBLISHED
from sleevenotes.learn.onnx import OnnxNetwork, cells
from sleevenotes.learn.readings import Reading, on_grid, write_form

PX = 20


def drawn(n: int = 3) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (n, PX, PX, 3), dtype=np.uint8)


def network() -> CoverNetwork:
    """Two maps, (B, 4, 10, 10) and (B, 6, 5, 5), and a ReLU that writes over the first one."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 6, 3, 2, 1))
    return CoverNetwork(nn.Sequential(*layers)).eval()


def read(reading: CoverNetwork) -> torch.Tensor:
    with torch.inference_mode():
        return reading.eval()(torch.from_numpy(drawn()))


@given(side=st.integers(1, 40), grid=st.integers(1, 16))
def test_cells_are_those_of_torchs_adaptive_pooling(side: int, grid: int):
    maps = torch.from_numpy(np.random.default_rng(side).normal(size=(2, 3, side, side + 3)).astype(np.float32))
    fewer = (min(grid, side), min(grid, side + 3))
    expected = nn.functional.adaptive_avg_pool2d(maps, fewer).flatten(1)
    assert torch.allclose(on_grid(maps, grid), expected, atol=1e-5)
    assert cells(side, min(grid, side)).sum(axis=1) == pytest.approx(1)


def test_the_form_of_two_layers_on_a_grid_equals_torch(tmp_path: Path):
    difference = write_form(
        network(), tmp_path / "network.onnx", size_px=PX, layers=("features.0", "features.2"), grid=2
    )
    assert difference <= 1e-4
    found = OnnxNetwork(tmp_path / "network.onnx").features(drawn())
    assert found.shape == (3, (4 + 6) * 4)
    convolved = network().features[0](network().normalise(torch.from_numpy(drawn()))).detach()
    assert convolved.min() < 0  # the ReLU behind it did not write over what was read
    first = nn.functional.adaptive_avg_pool2d(convolved, 2).flatten(1).numpy()
    assert found[:, :16] == pytest.approx(first, abs=1e-4)


def test_no_layer_and_no_grid_is_the_networks_own_form(tmp_path: Path):
    write_form(network(), tmp_path / "network.onnx", size_px=PX)
    found = OnnxNetwork(tmp_path / "network.onnx").features(drawn())
    assert found == pytest.approx(read(network()).numpy(), abs=1e-5)
    assert torch.equal(read(Reading(network())), read(network()))


def test_the_last_map_on_a_grid_has_the_mean_of_all_cells_in_its_mean():
    cells_of_five = read(Reading(network(), grid=5))  # a place a cell
    assert cells_of_five.shape == (3, 6 * 25)
    assert torch.allclose(cells_of_five.reshape(3, 6, 25).mean(2), read(network()), atol=1e-5)


def test_a_layer_of_fewer_places_than_cells_gives_each_once():
    assert read(Reading(network(), ("features.2",), grid=8)).shape == (3, 6 * 25)


def test_layers_come_in_the_order_named_and_as_often():
    twice = read(Reading(network(), ("features.2", "features.0", "features.2")))
    assert torch.equal(twice[:, :6], twice[:, 10:])
    assert torch.equal(twice[:, 6:10], read(Reading(network(), ("features.0",))))


def test_a_layer_that_is_not_there_is_told():
    with pytest.raises(WeightsError, match=r"layer 'features\.7': the network has no layer of that name.*Did you mean"):
        Reading(network(), ("features.7",))


@pytest.mark.parametrize("grid", [0, 17])
def test_a_grid_that_is_none_is_told(grid: int):
    with pytest.raises(WeightsError, match=r"1 to 16 cells a side"):
        Reading(network(), grid=grid)


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_backbone_has_layers_to_read(name: str):
    with torch.device("meta"):  # shapes alone: nothing is computed
        network = PUBLISHED[name]().eval()
        names = layers_of(name)
        assert len(names) == 3
        assert set(names) <= {layer for layer, _ in network.named_modules()}
        sizes = [Reading(network, (layer,)) for layer in names]
    assert len(sizes) == len(BACKBONES[name].layers)


def test_numbers_without_a_place_are_a_map_of_one():
    numbers = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(on_grid(network().as_map(numbers), 4), numbers)
