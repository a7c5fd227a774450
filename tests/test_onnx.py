"""The ONNX form: the same numbers as torch, and refused where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sleevenotes.errors import ModelError
from sleevenotes.learn import onnx
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.model import Model
from sleevenotes.learn.onnx import OnnxNetwork, export
from training_for_tests import TINY_PX, quickly, tiny_network

SOURCES = Path(onnx.__file__).parents[1]


def drawn(n: int, size_px: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, size_px, size_px, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[CoverNetwork, Path]:
    """A network, and its ONNX form as users get it."""
    torch.manual_seed(0)
    network, path = tiny_network(), tmp_path_factory.mktemp("onnx") / "network.onnx"
    network.features[0][1].running_mean.uniform_(-1, 1)  # so that folding the batch norm matters
    export(network, path, size_px=TINY_PX)
    return network, path


def test_the_onnx_form_equals_torch_for_any_number_of_covers(exported: tuple[CoverNetwork, Path]):
    network, path = exported
    for n in (1, 2, 7):
        covers = drawn(n, TINY_PX)
        with torch.inference_mode():
            expected = network(torch.from_numpy(covers)).numpy()
        found = OnnxNetwork(path).features(covers)
        assert found.shape == (n, 12)
        assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_the_onnx_form_of_mobilenet_equals_torch(mobilenet_model: Model):
    from sleevenotes.judge.explain import Explainer

    covers = drawn(2, 224)
    with torch.inference_mode():
        expected = Explainer(mobilenet_model).network(torch.from_numpy(covers)).numpy()
    found = mobilenet_model.extractor.features(covers)
    assert found.shape == (2, 1280)
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_the_onnx_form_tells_nothing_of_the_machine_that_wrote_it(exported: tuple[CoverNetwork, Path]):
    content = exported[1].read_bytes()
    for word in (str(SOURCES), str(Path.home()), ".py"):
        assert word.encode() not in content


def test_the_same_network_gives_the_same_bytes(exported: tuple[CoverNetwork, Path], tmp_path: Path):
    export(exported[0], tmp_path / "again.onnx", size_px=TINY_PX)
    assert (tmp_path / "again.onnx").read_bytes() == exported[1].read_bytes()


@pytest.mark.parametrize("spoilt", [1.01, np.nan])
def test_a_form_that_differs_is_refused_and_none_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: float
):
    features = OnnxNetwork.features
    monkeypatch.setattr(OnnxNetwork, "features", lambda self, covers: features(self, covers) * np.float32(spoilt))
    with (
        quickly(),
        pytest.raises(ModelError, match=r"network\.onnx: the ONNX form differs from torch by .* At most 0\.0001 "),
    ):
        export(tiny_network(), tmp_path / "network.onnx", size_px=TINY_PX)
    assert not list(tmp_path.iterdir())


def test_an_export_that_breaks_off_leaves_the_old_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def break_off(network: CoverNetwork, covers: Tensor, path: Path) -> None:
        path.write_bytes(b"half of")
        raise KeyboardInterrupt

    (tmp_path / "network.onnx").write_bytes(b"old")
    monkeypatch.setattr(onnx, "_write", break_off)
    with pytest.raises(KeyboardInterrupt):
        export(tiny_network(), tmp_path / "network.onnx", size_px=TINY_PX)
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]
    assert (tmp_path / "network.onnx").read_bytes() == b"old"


def test_a_damaged_form_is_told_in_a_sentence(tmp_path: Path):
    (tmp_path / "network.onnx").write_bytes(b"no graph at all")
    with pytest.raises(ModelError, match=r"network\.onnx: onnxruntime can't read it .* Train the model again"):
        OnnxNetwork(tmp_path / "network.onnx").features(drawn(1, TINY_PX))
