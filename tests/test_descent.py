"""The way down: which stages learn, how fast, and what the moving average remembers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sleevenotes.learn.descent import Average, groups_of, keep_frozen, optimizer_of, rate_at, stages_of
from sleevenotes.learn.networks import ARCHITECTURES
from sleevenotes.learn.training import TrainingSettings
from training_for_tests import tiny_network


def whole() -> nn.ModuleDict:
    return nn.ModuleDict({"network": tiny_network(), "head": nn.Linear(12, 3)})


class Encoder(nn.Module):
    """Blocks as others name them: an embedding, a list of layers, and a norm at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Linear(3, 4)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList([nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)) for _ in range(3)])
        self.layernorm = nn.LayerNorm(4)


@pytest.mark.parametrize(
    ("name", "count"), [("small", 6), ("study_cnn", 4), ("prog_cnn", 8), ("squeezenet1_1", 9), ("mobilenet_v2", 19)]
)
def test_the_stages_of_a_network_have_all_its_parameters_each_once(name: str, count: int):
    network = ARCHITECTURES[name]()
    stages = stages_of(network)
    assert len(stages) == count
    found = [id(parameter) for stage in stages for part in stage for parameter in part.parameters()]
    assert sorted(found) == sorted(id(parameter) for parameter in network.parameters())


def test_the_stages_of_an_encoder_are_its_embedding_and_its_layers_the_last_with_the_norm():
    encoder = Encoder()
    layers = list(encoder.encoder.layer)
    assert stages_of(encoder) == [[encoder.embeddings], [layers[0]], [layers[1]], [layers[2], encoder.layernorm]]


def test_each_stage_learns_at_a_factor_of_the_one_above_and_what_is_frozen_not_at_all():
    module = whole()
    assert groups_of(module, TrainingSettings()) == []
    groups = groups_of(module, TrainingSettings(layer_rate=0.5))
    assert [group["factor"] for group in groups] == [1.0, 0.5, 0.25]
    groups = groups_of(module, TrainingSettings(unfrozen=1, layer_rate=0.5))
    assert [group["factor"] for group in groups] == [1.0, 0.5]
    first, last = stages_of(module["network"])
    assert not any(parameter.requires_grad for parameter in first[0].parameters())
    assert all(parameter.requires_grad for parameter in last[0].parameters())
    assert groups[0]["params"] == list(module["head"].parameters())
    assert len(groups_of(module, TrainingSettings(unfrozen=99))) == 3


def test_frozen_stages_keep_the_statistics_of_their_batch_norm():
    module = whole()
    groups_of(module, TrainingSettings(unfrozen=1))
    before = {name: value.clone() for name, value in module["network"].state_dict().items()}
    statistics = {"features.2.1.running_mean", "features.2.1.running_var", "features.2.1.num_batches_tracked"}
    for kept, expected in ((True, set()), (False, statistics)):
        module.train()
        keep_frozen(module, statistics=kept)
        module["network"](torch.randint(0, 256, (8, 32, 32, 3), dtype=torch.uint8))
        now = module["network"].state_dict()
        assert {name for name, value in now.items() if not torch.equal(value, before[name])} == expected


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_an_optimiser_of_groups_keeps_their_factors(name: str):
    module = whole()
    settings = TrainingSettings(optimizer=name, layer_rate=0.5)
    optimizer = optimizer_of(module, groups_of(module, settings), settings)
    assert [group["factor"] for group in optimizer.param_groups] == [1.0, 0.5, 0.25]


def test_the_rate_rises_then_falls_along_half_a_cosine():
    settings = TrainingSettings(epochs=3, rate=1.0, warm_up=1)
    rates = [rate_at(step, settings, steps=4) for step in range(12)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[8] == pytest.approx(0.5)


def test_the_average_goes_a_part_of_the_way_at_each_step_the_first_ones_nearly_all_of_it():
    module = nn.ModuleDict({"network": nn.BatchNorm1d(1)})
    average = Average(module, 0.5)
    norm, mine = module["network"], average.module["network"]
    with torch.no_grad():
        norm.weight.fill_(11.0)
        norm.running_mean.fill_(10.0)
        norm.num_batches_tracked.fill_(7)
    average.follow(module, 0)  # a tenth of 1 is left
    assert float(mine.weight) == pytest.approx(10.0)
    assert float(mine.running_mean) == pytest.approx(9.0)
    assert int(mine.num_batches_tracked) == 7
    average.follow(module, 1000)  # half of 10
    assert float(mine.weight) == pytest.approx(10.5)
    assert not mine.weight.requires_grad
