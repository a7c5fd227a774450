"""A network in few bytes gives what it gave, and its ONNX form holds half of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sleevenotes.covers.dataset import Dataset
from sleevenotes.judge.explain import Explainer
from sleevenotes.learn.compact import folded, halve, rounded
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.model import Model
from sleevenotes.learn.networks import DISTILLED_PX, distilled_network, rebuilt
from sleevenotes.learn.onnx import OnnxNetwork, export
from sleevenotes.learn.recipes import Options, settings_of, train


@pytest.fixture(scope="module")
def network() -> CoverNetwork:
    """`distilled`, after it has seen some covers: its batch norm has statistics of its own."""
    torch.manual_seed(0)
    made = distilled_network().train()
    with torch.no_grad():
        for _ in range(3):
            made(covers(8))
    return made.eval()


def covers(n: int) -> torch.Tensor:
    return torch.randint(0, 256, (n, DISTILLED_PX, DISTILLED_PX, 3), dtype=torch.uint8)


@torch.inference_mode()
def said(network: CoverNetwork, of: torch.Tensor) -> np.ndarray:
    return network(of).numpy()


def test_folding_leaves_no_batch_norm_and_the_same_features(network: CoverNetwork):
    seen = covers(4)
    made = folded(network)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in made.modules())
    assert any(isinstance(part, nn.BatchNorm2d) for part in network.modules()), "the network itself was changed"
    expected = said(network, seen)
    np.testing.assert_allclose(said(made, seen), expected, atol=1e-5 * np.abs(expected).max())


def test_rounding_keeps_three_digits(network: CoverNetwork):
    seen, made = covers(4), folded(network)
    expected = said(made, seen)
    np.testing.assert_allclose(said(rounded(made), seen), expected, atol=3e-3 * np.abs(expected).max())


def test_a_halved_form_gives_the_same_numbers_from_half_of_the_bytes(network: CoverNetwork, tmp_path: Path):
    made, path, seen = rounded(folded(network)), tmp_path / "network.onnx", covers(3)
    export(made, path, size_px=DISTILLED_PX)
    before, bytes_before = OnnxNetwork(path).features(seen.numpy()), path.stat().st_size
    halve(path)
    assert path.stat().st_size < 0.52 * bytes_before
    np.testing.assert_array_equal(OnnxNetwork(path).features(seen.numpy()), before)


def test_a_network_is_rebuilt_from_parameters_of_16_bits(network: CoverNetwork):
    made, seen = rounded(folded(network)), covers(2)
    kept = {name: value.numpy().astype(np.float16) for name, value in made.state_dict().items()}
    np.testing.assert_array_equal(said(rebuilt("distilled_folded", kept), seen), said(made, seen))


@pytest.fixture(scope="module")
def distilled(few: Dataset, pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    options = Options(weights=pretrained, training=settings_of("distilled", 1))
    with pytest.warns(UserWarning, match="covers in valid"):
        return train(few, "distilled", tmp_path_factory.mktemp("distilled") / "model", options)


def test_distilled_is_small_and_says_who_taught_it_what(distilled: Model):
    assert distilled.card["network"]["architecture"] == "distilled_folded"
    assert distilled.card["head"]["settings"]["distillation"] == 4.0
    assert sum((distilled.folder / name).stat().st_size for name in ("network.onnx", "weights.safetensors")) < 4e6


def test_the_network_that_is_explained_is_the_one_that_predicts(distilled: Model):
    seen = covers(3)
    expected = distilled.extractor.features(seen.numpy())
    np.testing.assert_allclose(said(Explainer(distilled).network, seen), expected, atol=1e-5 * np.abs(expected).max())
