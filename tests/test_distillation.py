"""A teacher: shown the very covers that the network sees, and met by a map that is dropped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sleevenotes.learn.distillation import Projection, spread_of, taught_by
from sleevenotes.learn.networks import study_cnn
from sleevenotes.learn.training import Side, _Run, train_network
from training_for_tests import BRIEF, tiny_network

GENRE = np.arange(40) % 3
COVERS = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)


def mean_color(normalised: Tensor) -> Tensor:
    return normalised.mean(dim=(2, 3))


def test_the_spread_is_that_of_all_covers_whatever_the_batches():
    features = torch.randn(30, 4) * torch.tensor([1.0, 5.0, 0.1, 0.0]) + 2
    for batch in (7, 30):
        mean, deviation = spread_of(lambda rows: rows, features.split(batch))
        assert torch.allclose(mean, features.mean(dim=0), atol=1e-5)
        expected = features.std(dim=0, unbiased=False)
        assert torch.allclose(deviation[:3], expected[:3], rtol=1e-3)
        assert deviation[3] == 1


def test_a_map_that_gives_the_standardised_features_has_no_loss():
    projection = Projection(2, torch.tensor([1.0, -1.0]), torch.tensor([2.0, 4.0]))
    with torch.no_grad():
        projection.map.weight.copy_(torch.eye(2))
        projection.map.bias.zero_()
    taught = torch.tensor([[3.0, 3.0], [-1.0, 7.0]])
    features = torch.tensor([[1.0, 1.0], [-1.0, 2.0]])
    assert float(projection.loss(features, taught).detach()) == 0
    assert float(projection.loss(features + 0.5, taught).detach()) == pytest.approx(0.25)


def test_a_teacher_of_networks_sees_the_pixels_behind_the_normalisation_of_another():
    student, plain = tiny_network(), study_cnn()
    covers = torch.from_numpy(COVERS[:6])
    first, second = tiny_network(), plain
    taught = taught_by([first, second], student, [16, None])(student.normalise(covers))
    with torch.inference_mode():
        assert torch.allclose(taught[:, 12:], second(covers), atol=1e-4)
    assert taught.shape == (6, 12 + 84)
    assert not first.training


@pytest.mark.parametrize("weight", [1e-9, 1.0])
def test_a_network_comes_near_its_teacher_by_the_weight_that_the_teacher_has(weight: float):
    side = Side(COVERS // 4 + np.random.default_rng(1).integers(0, 190, (40, 1, 1, 3)).astype(np.uint8), GENRE)
    run = _Run(tiny_network(), "single", 3, replace(BRIEF, epochs=6, distillation=weight), 0, COVERS.shape)
    run.prepare(side, side, start=None, teacher=mean_color)

    def lesson() -> float:
        run.module.eval()
        with torch.inference_mode():
            seen = run.network.normalise(torch.from_numpy(side.covers))
            assert run.projection is not None
            return float(run.projection.loss(run.network.pooled(seen), mean_color(seen)))

    before = lesson()
    for _ in range(6):
        run.epoch(side, side)
    assert (lesson() < 0.6 * before) == (weight == 1)


def test_a_teacher_without_a_weight_and_a_weight_without_a_teacher_are_refused(tmp_path: Path):
    side = Side(COVERS, GENRE)
    for weight, teacher in ((0.0, torch.flatten), (1.0, None)):
        with pytest.raises(ValueError, match="give both, or neither"):
            train_network(
                tiny_network(), (side, side), task="single", genres=3,
                settings=replace(BRIEF, distillation=weight), seed=0, folder=tmp_path, teacher=teacher,
            )  # fmt: skip
