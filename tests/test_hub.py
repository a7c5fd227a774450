"""Networks of the hub: tiny ones of random weights, saved to disk and loaded by the very code that users run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sleevenotes.errors import WeightsError
from sleevenotes.learn import backbones
from sleevenotes.learn.backbones import BACKBONES, Look, at_hand, extractor, find, hub, load
from sleevenotes.learn.onnx import OnnxNetwork

HUB = [name for name, backbone in BACKBONES.items() if backbone.hub]
TOKENS = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
WORDS = TOKENS | {"intermediate_size": 8, "vocab_size": 9, "max_position_embeddings": 4}
TINY = {"dinov2_small": 8, "siglip_small": 8, "clip_small": 8, "convnext_small": 8}  # a network a family, and its D
WITHOUT = "transformers is not here: pip install 'sleevenotes[hub]'"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights of this machine, and no hub to ask."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv(backbones.WEIGHTS_VARIABLE, raising=False)


def drawn(n: int, size_px: int) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (n, size_px, size_px, 3), dtype=np.uint8)


def tiny(name: str) -> Any:
    """A network of a backbone's family, as its authors published it: whole, with what reads or tells categories."""
    transformers = pytest.importorskip("transformers", reason=WITHOUT)
    patches = {"image_size": BACKBONES[name].size_px, "patch_size": 56}
    seeing = TOKENS | {"intermediate_size": 8, "image_size": BACKBONES[name].size_px, "patch_size": 32}
    torch.manual_seed(0)
    if name.startswith("dinov2"):
        return transformers.Dinov2Model(transformers.Dinov2Config(**TOKENS, **patches | {"image_size": 280}))
    if name.startswith("convnext"):
        config = transformers.ConvNextConfig(hidden_sizes=[4, 4, 4, 8], depths=[1, 1, 1, 1])
        return transformers.ConvNextForImageClassification(config)
    if name.startswith("siglip"):
        told = transformers.SiglipConfig(text_config=WORDS, vision_config=seeing)
        return transformers.SiglipModel(told)
    words = WORDS | {"bos_token_id": 1, "eos_token_id": 2}
    return transformers.CLIPModel(transformers.CLIPConfig(text_config=words, vision_config=seeing, projection_dim=4))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of networks, each by its backbone's name, as `save_pretrained` writes them."""
    transformers = pytest.importorskip("transformers", reason=WITHOUT)
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    folder = tmp_path_factory.mktemp("saved")
    for name in TINY:
        tiny(name).save_pretrained(folder / name)
    return folder


@pytest.mark.parametrize("name", TINY)
def test_features_are_the_pooled_output_of_the_network(saved: Path, name: str):
    asked = extractor(name, weights=saved / name)
    covers = drawn(2, asked.size_px)
    mean, deviation = (np.array(told) for told in hub.normalising_of(saved / name, BACKBONES[name]))
    pixels = torch.from_numpy(((covers / 255 - mean) / deviation).transpose(0, 3, 1, 2)).float()
    whole = tiny(name).eval()
    seeing = getattr(whole, "vision_model", getattr(whole, "convnext", whole))
    with torch.inference_mode():
        expected = seeing(pixel_values=pixels).pooler_output.numpy()
    found = asked.features(covers)
    assert found.shape == (2, TINY[name])
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", TINY)
def test_its_onnx_form_gives_the_same_for_any_number_of_covers(saved: Path, tmp_path: Path, name: str):
    look = Look(grid=2) if name == "dinov2_small" else Look()
    asked = extractor(name, weights=saved / name, look=look)
    assert asked.write(tmp_path / "network.onnx") <= 1e-4
    for n in (1, 3):
        covers = drawn(n, asked.size_px)
        expected = asked.features(covers)
        found = OnnxNetwork(tmp_path / "network.onnx").features(covers)
        assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_its_last_map_is_that_of_the_patches_and_can_be_read_on_a_grid(saved: Path):
    network = load(find("dinov2_small", weights=saved / "dinov2_small")).eval()
    normalised = network.normalise(torch.from_numpy(drawn(2, 224)))
    with torch.inference_mode():
        map_, tokens = network.maps(normalised), network.network(pixel_values=normalised).last_hidden_state
    assert map_.shape == (2, 8, 4, 4)  # 224 px in patches of 56 px
    assert torch.allclose(map_[:, :, 1, 2], tokens[:, 1 + 4 + 2], atol=1e-6)  # the class token, a row, two patches
    found = extractor("dinov2_small", weights=saved / "dinov2_small", look=Look(grid=2)).features(drawn(2, 224))
    assert np.allclose(found, torch.nn.functional.avg_pool2d(map_, 2).flatten(1).numpy(), atol=1e-4)


def test_it_is_found_in_the_folder_of_weights_by_its_name(saved: Path, monkeypatch: pytest.MonkeyPatch):
    assert not at_hand("clip_small")
    monkeypatch.setenv(backbones.WEIGHTS_VARIABLE, str(saved))
    assert at_hand("clip_small")
    found = find("clip_small")
    assert found.path == saved / "clip_small"
    assert len(found.sha256) == 64
    assert found.training == f"openai/clip-vit-base-patch32 {BACKBONES['clip_small'].revision[:12]}"
    assert find("clip_small", weights=saved / "clip_small").training == "clip_small (unpublished)"


@pytest.mark.parametrize("name", ["dinov2_small", "convnext_small"])
def test_it_is_found_in_the_hubs_own_cache_under_its_revision(tmp_path: Path, name: str):
    backbone = BACKBONES[name]
    cached = tmp_path / "hub" / f"models--{backbone.hub.replace('/', '--')}"
    commit = backbone.revision if len(backbone.revision) == 40 else "0123456789"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    snapshot = cached / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    assert not at_hand(name)
    (snapshot / "model.safetensors").write_bytes(b"weights")
    assert at_hand(name)
    assert find(name).path == snapshot


def test_a_folder_that_tells_how_pixels_are_normalised_is_believed(tmp_path: Path):
    backbone = BACKBONES["clip_small"]
    assert hub.normalising_of(tmp_path, backbone)[0] == (0.48145466, 0.4578275, 0.40821073)
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1]})
    )
    assert hub.normalising_of(tmp_path, backbone) == ((0.1, 0.2, 0.3), (1, 1, 1))


def test_offline_and_without_weights_the_error_has_both_cures(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("transformers", reason=WITHOUT)
    huggingface_hub = pytest.importorskip("huggingface_hub", reason=WITHOUT)

    def offline(*named: str, **asked: Any) -> str:
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    said: list[str] = []
    told = (
        r"clip_base: its weights are not on this machine, and https://huggingface\.co/.* can't be fetched "
        r"\(no network\)\. Connect to the network, or name its folder with --weights FOLDER"
    )
    with pytest.raises(WeightsError, match=told):
        find("clip_base", say=said.append)
    clip = BACKBONES["clip_base"]
    assert said == [f"fetching clip_base from https://huggingface.co/{clip.hub}, revision {clip.revision}"]


def test_what_is_fetched_is_the_revision_named_and_nothing_that_could_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    huggingface_hub = pytest.importorskip("huggingface_hub", reason=WITHOUT)
    asked: list[Any] = []

    def download(repository: str, *, revision: str, allow_patterns: list[str]) -> str:
        asked.append((repository, revision, allow_patterns))
        (tmp_path / "config.json").write_text("{}")
        if allow_patterns[-1] == "pytorch_model.bin":
            (tmp_path / "pytorch_model.bin").write_bytes(b"weights")
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert find("clip_base").path == tmp_path
    assert {(repository, revision) for repository, revision, _ in asked} == {
        ("openai/clip-vit-base-patch16", BACKBONES["clip_base"].revision)
    }
    assert [patterns[-1] for *_, patterns in asked] == ["model.safetensors", "pytorch_model.bin"]


def test_without_the_extra_it_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for library in ("transformers", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, library, None)  # as where it is not installed
    cure = r"which is not installed\. Install it with pip install 'sleevenotes\[hub\]'"
    with pytest.raises(
        WeightsError, match=r"huggingface_hub, is not installed\. Install it with .*, or name its folder"
    ):
        find("dinov2_base")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    found = find("dinov2_base", weights=tmp_path)
    with pytest.raises(WeightsError, match=rf"it needs transformers, {cure}"):
        load(found)


def test_a_folder_without_a_network_is_told(tmp_path: Path):
    with pytest.raises(
        WeightsError, match=r"no config\.json with model\.safetensors or pytorch_model\.bin\. The folder"
    ):
        find("dinov2_base", weights=tmp_path)
    with pytest.raises(WeightsError, match=r"gone: no such folder\. The folder of dinov2_base was expected\. Name"):
        find("dinov2_base", weights=tmp_path / "gone")


def test_a_network_of_another_family_and_a_damaged_one_are_told(saved: Path, tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(WeightsError, match=r"a network of the family 'bert'\. One of dinov2, convnext, clip"):
        load(find("dinov2_small", weights=tmp_path))
    (tmp_path / "config.json").write_bytes((saved / "dinov2_small" / "config.json").read_bytes())
    with pytest.raises(WeightsError, match=r"can't be read \(.*\)\. A network of the hub was expected"):
        load(find("dinov2_small", weights=tmp_path))


def test_no_parameter_is_ever_made_up(saved: Path, tmp_path: Path):
    from safetensors.torch import load_file, save_file

    parameters = load_file(saved / "dinov2_small" / "model.safetensors")
    del parameters["layernorm.weight"]
    (tmp_path / "config.json").write_bytes((saved / "dinov2_small" / "config.json").read_bytes())
    save_file(parameters, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"1 of its parameters missing or of other shapes\. All parameters"):
        load(find("dinov2_small", weights=tmp_path))


def test_each_family_has_a_small_and_a_base_one():
    assert sorted(HUB) == sorted(
        f"{family}_{size}" for family in ("dinov2", "siglip", "clip", "convnext") for size in ("small", "base")
    )
