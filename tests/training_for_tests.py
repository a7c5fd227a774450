"""Training that takes no time: a tiny network in the place of the small one, and a quicker way to ONNX."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sleevenotes.covers.dataset import Dataset
from sleevenotes.learn import networks, onnx
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.model import Model
from sleevenotes.learn.networks import convolution
from sleevenotes.learn.recipes import Options, train
from sleevenotes.learn.training import TrainingSettings

TINY_PX = 32
EPOCHS = 4
BRIEF = TrainingSettings(epochs=EPOCHS, batch=16, rate=1e-2, warm_up=1)


def tiny_network() -> CoverNetwork:
    """A network of two convolutions, D = 12, whose last map of a 32 px cover is 8 × 8."""
    layers = nn.Sequential(convolution(3, 8, stride=2), nn.MaxPool2d(2), convolution(8, 12))
    return CoverNetwork(layers, mean=(0.5, 0.5, 0.5), deviation=(0.25, 0.25, 0.25))


@contextmanager
def quickly(*, tiny: bool = True) -> Iterator[None]:
    """Export through torch's older exporter, some twenty times as fast; and let `small` be the tiny network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx, "_write", _write_quickly)
        if tiny:
            patch.setattr(networks, "SMALL_PX", TINY_PX)
            patch.setattr(networks, "small_network", tiny_network)
            patch.setitem(networks.ARCHITECTURES, "small", tiny_network)
        yield


def _write_quickly(network: CoverNetwork, covers: torch.Tensor, path: Path) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (covers,),
            path,
            dynamo=False,
            input_names=[onnx.INPUT],
            output_names=[onnx.OUTPUT],
            dynamic_axes={onnx.INPUT: {0: "n"}, onnx.OUTPUT: {0: "n"}},
        )


def train_quickly(dataset: Dataset, name: str, out: Path, **options: Any) -> Model:
    """Train `small` as a tiny network for a few epochs, or `color` as it is."""
    with quickly():
        return train(dataset, name, out, Options(**{"training": BRIEF, **options}))


def history_of(model: Path) -> list[dict[str, str]]:
    """The lines of `history.csv`."""
    with (model / "history.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
