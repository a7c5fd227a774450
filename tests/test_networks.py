"""The networks: their shapes, torchvision's names, and what goes in and comes out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sleevenotes.learn.cover_network import IMAGENET_DEVIATION, IMAGENET_MEAN
from sleevenotes.learn.imagenet import MOBILENET_PX, mobilenet_v2
from sleevenotes.learn.networks import (
    ARCHITECTURES,
    PROG_CHANNELS,
    PROG_PX,
    SMALL_PX,
    STUDY_PX,
    prog_network,
    rebuilt,
    small_network,
    study_cnn,
)


def covers(n: int, size_px: int, seed: int = 0) -> torch.Tensor:
    pixels = np.random.default_rng(seed).integers(0, 256, (n, size_px, size_px, 3), dtype=np.uint8)
    return torch.from_numpy(pixels)


def test_mobilenet_has_the_parameters_of_torchvision_by_name_and_shape():
    parameters = mobilenet_v2().state_dict()
    assert len(parameters) == 312
    assert sum(name.endswith("num_batches_tracked") for name in parameters) == 52
    for name, shape in {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.0.1.running_mean": (32,),
        "features.1.conv.0.0.weight": (32, 1, 3, 3),
        "features.1.conv.1.weight": (16, 32, 1, 1),
        "features.1.conv.2.bias": (16,),
        "features.2.conv.0.0.weight": (96, 16, 1, 1),
        "features.2.conv.1.0.weight": (96, 1, 3, 3),
        "features.2.conv.1.1.running_var": (96,),
        "features.2.conv.2.weight": (24, 96, 1, 1),
        "features.2.conv.3.weight": (24,),
        "features.17.conv.2.weight": (320, 960, 1, 1),
        "features.18.0.weight": (1280, 320, 1, 1),
        "features.18.1.num_batches_tracked": (),
    }.items():
        assert tuple(parameters[name].shape) == shape, name


def test_mobilenet_has_as_many_parameters_as_torchvisions_without_classifier():
    assert sum(parameter.numel() for parameter in mobilenet_v2().parameters()) == 2_223_872


def test_mobilenet_halves_five_times_and_adds_where_shapes_agree():
    network = mobilenet_v2().eval()
    with torch.inference_mode():
        assert network.features(torch.zeros(1, 3, 224, 224)).shape == (1, 1280, 7, 7)
    adding = [index for index, layer in enumerate(network.features) if getattr(layer, "adds", False)]
    assert adding == [3, 5, 6, 8, 9, 10, 12, 13, 15, 16]


def test_small_is_small_and_keeps_a_map_that_can_point():
    network = small_network().eval()
    assert 0.6e6 < sum(parameter.numel() for parameter in network.parameters()) < 0.8e6
    with torch.inference_mode():
        assert network.features(torch.zeros(1, 3, SMALL_PX, SMALL_PX)).shape == (1, 192, 12, 12)


def test_the_studys_network_has_the_layers_that_its_paper_describes():
    shapes = [tuple(value.shape) for name, value in study_cnn().state_dict().items() if name.endswith("weight")]
    assert shapes == [(50, 3, 5, 5), (10, 50, 3, 3), (120, 360), (84, 120)]
    maps = study_cnn().maps(torch.randn(2, 3, STUDY_PX, STUDY_PX))
    assert maps.shape == (2, 84, 1, 1)
    assert (maps >= 0).all()


CONVOLUTIONS = 896 + 9_248 + 18_496 + 36_928 + 73_856 + 147_584 + 147_584  # 9 · in · out + out
DENSE = 512 * 100 + 100
BATCH_NORMS = 2 * (32 + 64 + 128 + 128)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("prog_cnn", CONVOLUTIONS + BATCH_NORMS + DENSE),
        ("prog_cnn_batchnorm", CONVOLUTIONS + BATCH_NORMS + DENSE),
        ("prog_cnn_dropout", CONVOLUTIONS + DENSE),
        ("prog_cnn_plain", CONVOLUTIONS + DENSE),
        ("prog_first", 896 + 18_496 + 73_856 + 2_048 * 100 + 100),
    ],
)
def test_the_prog_studys_networks_have_as_many_parameters_as_counted_by_hand(name: str, parameters: int):
    assert sum(parameter.numel() for parameter in ARCHITECTURES[name]().parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "batch_norms", "dropouts"),
    [
        ("prog_cnn", 4, 4),
        ("prog_cnn_batchnorm", 4, 0),
        ("prog_cnn_dropout", 0, 4),
        ("prog_cnn_plain", 0, 0),
        ("prog_first", 0, 1),
    ],
)
def test_the_prog_studys_networks_are_regularised_as_their_names_say(name: str, batch_norms: int, dropouts: int):
    layers = list(ARCHITECTURES[name]().features)
    assert sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in layers) == batch_norms
    assert sum(isinstance(layer, torch.nn.Dropout) for layer in layers) == dropouts


def test_in_the_prog_studys_network_batch_norm_and_dropout_take_turns():
    kinds = (torch.nn.BatchNorm2d, torch.nn.Dropout)
    turns = [type(layer) for layer in prog_network().features if isinstance(layer, kinds)]
    assert turns == [*kinds] * 4


def test_the_prog_studys_network_halves_seven_times():
    network = prog_network().eval()
    found: list[tuple[int, ...]] = []
    for layer in network.features:
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.MaxPool2d, torch.nn.Linear)):
            layer.register_forward_hook(lambda layer, given, returned: found.append(tuple(returned.shape[1:])))
    with torch.inference_mode():
        assert network(covers(1, PROG_PX)).shape == (1, 100)
    sides = (260, 130, 65, 32, 16, 8, 4, 2)
    expected: list[tuple[int, ...]] = []
    for channels, before, after in zip(PROG_CHANNELS, sides[:-1], sides[1:], strict=True):
        expected += [(channels, before, before), (channels, after, after)]
    assert found == [*expected, (100,)]


def test_pooling_before_relu_gives_what_relu_before_pooling_gives():
    network, given = prog_network(batch_norm=False, dropout=False).eval(), covers(2, 128)
    maps = network.normalise(given)
    for layer in network.features:
        if isinstance(layer, torch.nn.Conv2d):
            maps = torch.max_pool2d(torch.relu(layer(maps)), 2)
    dense = next(layer for layer in network.features if isinstance(layer, torch.nn.Linear))
    by_hand = torch.relu(dense(maps.repeat(1, 1, 2, 2).flatten(1)))  # 128 px end in a single place
    assert torch.allclose(network(given), by_hand, atol=1e-6)


@pytest.mark.parametrize(("name", "side"), [("prog_cnn", 4), ("prog_cnn_plain", 4), ("prog_first", 16)])
def test_what_is_explained_of_the_prog_studys_networks_is_their_last_convolution(name: str, side: int):
    network = ARCHITECTURES[name]().eval()
    found: list[torch.Tensor] = []
    network.get_submodule(network.explained).register_forward_hook(lambda *told: found.append(told[2].clone()))
    with torch.inference_mode():
        network(covers(1, PROG_PX))
    assert found[0].shape == (1, 128, side, side)
    assert (found[0] >= 0).all()


@pytest.mark.parametrize(
    ("name", "size_px", "width"),
    [
        ("small", SMALL_PX, 192),
        ("mobilenet_v2", MOBILENET_PX, 1280),
        ("study_cnn", STUDY_PX, 84),
        ("prog_cnn", PROG_PX, 100),
        ("prog_cnn", 128, 100),
        ("prog_first", 64, 100),
    ],
)
def test_covers_go_in_as_they_are_and_features_come_out_whatever_stands_beside(name: str, size_px: int, width: int):
    network = ARCHITECTURES[name]().eval()
    both = covers(2, size_px)
    with torch.inference_mode():
        together = network(both)
        alone = torch.cat([network(both[:1]), network(both[1:])])
    assert together.shape == (2, width)
    assert together.dtype == torch.float32
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_the_features_are_the_generalised_mean_of_the_last_map(power):
    network = small_network().eval()
    network.power = power
    given = covers(2, SMALL_PX)
    with torch.inference_mode():
        maps = network.features(network.normalise(given)).double()
        by_hand = (maps**power).flatten(2).mean(dim=2) ** (1 / power)
        assert torch.allclose(network(given).double(), by_hand, atol=2e-6)


def test_pooling_has_a_slope_where_a_map_is_nothing():
    network = small_network().eval()
    nothing = torch.zeros(1, 3, SMALL_PX, SMALL_PX, requires_grad=True)
    network.pooled(nothing).sum().backward()
    assert nothing.grad is not None
    assert torch.isfinite(nothing.grad).all()


def test_normalising_is_worked_by_hand():
    pixel = torch.tensor([[[[255, 0, 51]]]], dtype=torch.uint8)  # 1, 0 and 0.2
    found = mobilenet_v2().normalise(pixel)
    assert found.shape == (1, 3, 1, 1)
    expected = (np.array([1, 0, 0.2]) - IMAGENET_MEAN) / IMAGENET_DEVIATION
    assert np.allclose(found.flatten().numpy(), expected, atol=1e-5)
    assert np.allclose(small_network().normalise(pixel).flatten().numpy(), [2, -2, -1.2], atol=1e-5)
    assert np.allclose(prog_network().normalise(pixel).flatten().numpy(), [1, 0, 0.2], atol=1e-5)


def test_a_network_rebuilt_from_its_parameters_gives_the_same_numbers():
    network = small_network().eval()
    parameters = {name: value.numpy().copy() for name, value in network.state_dict().items()}
    assert not {"mean", "deviation"} & set(parameters)
    again = rebuilt("small", parameters)
    given = covers(2, SMALL_PX)
    with torch.inference_mode():
        assert torch.equal(again(given), network(given))
    assert not again.training
