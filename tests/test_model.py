"""A model as it lies in its folder: what it answers, and what it says when the folder was spoilt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import decode, resize, sha256
from sleevenotes.errors import ModelError
from sleevenotes.judge.explain import Explainer
from sleevenotes.learn import color
from sleevenotes.learn.model import Model, Prediction
from training_for_tests import quickly


def pixels_of(dataset: Dataset, model: Model, count: int) -> np.ndarray:
    return np.stack([resize(decode(path), model.size_px) for path in dataset.paths[:count]])


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(("name", "covers"), [("small", 40), ("mobilenet", 3)])
def test_a_saved_network_answers_as_it_does_in_torch(
    request: pytest.FixtureRequest, single: Dataset, name: str, covers: int
):
    model: Model = request.getfixturevalue(f"{name}_model")
    pixels = pixels_of(single, model, covers)
    with quickly(tiny=name == "small"):
        network = Explainer(model).network
    with torch.inference_mode():
        features = network(torch.from_numpy(pixels)).numpy()
    expected = softmax((features @ model.head.weight.T + model.head.bias) / model.temperature)
    assert np.abs(model.proba(model.logits(pixels)) - expected).max() < 1e-4


def test_a_saved_colour_model_answers_as_its_arrays_do(single: Dataset, color_model: Model):
    pixels = pixels_of(single, color_model, 40)
    logits = color.features(pixels) @ color_model.head.weight.T + color_model.head.bias
    assert np.allclose(color_model.proba(color_model.logits(pixels)), softmax(logits / color_model.temperature))
    assert np.allclose(color_model.proba(logits, calibrated=False), softmax(logits))


@pytest.mark.parametrize("name", ["color", "small", "binary", "multi"])
def test_proba_are_in_the_order_of_the_genres_and_sum_to_one_but_in_multi(
    request: pytest.FixtureRequest, single: Dataset, name: str
):
    model: Model = request.getfixturevalue(f"{name}_model")
    told = list(model.predict(single.paths[:20]))
    proba = np.stack([prediction.proba for prediction in told if prediction.proba is not None])
    assert proba.shape == (20, len(model.genres))
    assert ((proba >= 0) & (proba <= 1)).all()
    assert np.allclose(proba.sum(axis=1), 1) == (name != "multi")


def test_every_cover_gets_exactly_one_answer_in_order_broken_or_not(
    single: Dataset, small_model: Model, tmp_path: Path
):
    broken = {0: b"", 5: b"no cover at all", 16: single.path(3).read_bytes()[:900], 39: b"\xff\xd8\xff"}
    paths = []
    for index in range(40):
        if index in broken:
            paths.append(tmp_path / f"{index}.jpg")
            paths[-1].write_bytes(broken[index])
        else:
            paths.append(single.path(index))
    paths[20] = tmp_path / "gone.jpg"
    told = list(small_model.predict(paths))
    assert [prediction.file for prediction in told] == [str(path) for path in paths]
    for index, prediction in enumerate(told):
        wrong = index in broken or index == 20
        assert (prediction.proba is None) == (prediction.error is not None) == wrong
    assert told[0].error == f"{told[0].file}: an empty file. A JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF was expected."
    assert told[20].error is not None
    assert "gone.jpg: there is no such file" in told[20].error
    alone = [next(small_model.predict([path])) for path in (paths[1], paths[17], paths[38])]
    for index, prediction in zip((1, 17, 38), alone, strict=True):
        assert told[index].proba == pytest.approx(prediction.proba, abs=1e-5)


def test_answers_come_as_covers_go_in_and_do_not_wait_for_the_last(single: Dataset, color_model: Model):
    answers = color_model.predict(single.paths)
    assert next(answers).file == str(single.path(0))
    answers.close()  # type: ignore[attr-defined]


def test_nothing_but_broken_covers_and_nothing_at_all(color_model: Model):
    assert [prediction.proba for prediction in color_model.predict([b"", b""])] == [None, None]
    assert list(color_model.predict([])) == []


def test_covers_are_called_as_they_were_named(single: Dataset, color_model: Model):
    data = single.path(0).read_bytes()
    assert [one.file for one in color_model.predict([data, data], names=["a", "b"])] == ["a", "b"]
    assert [one.file for one in color_model.predict([data, single.path(1)])] == ["cover 1", str(single.path(1))]


@pytest.mark.parametrize(("name", "tolerance"), [("small", 1e-5), ("color", 1e-5), ("mobilenet", 1e-4)])
def test_how_many_covers_are_asked_about_at_once_makes_no_difference(
    request: pytest.FixtureRequest, single: Dataset, name: str, tolerance: float
):
    model: Model = request.getfixturevalue(f"{name}_model")
    pixels = pixels_of(single, model, 5)
    together = model.proba(model.logits(pixels))
    alone = np.concatenate([model.proba(model.logits(pixels[index : index + 1])) for index in range(5)])
    assert np.abs(together - alone).max() < tolerance


def test_the_likeliest_genres_come_first():
    prediction = Prediction("a.jpg", np.array([0.2, 0.5, 0.3]), None)
    assert prediction.top(("folk", "jazz", "metal"), 2) == [("jazz", 0.5), ("metal", 0.3)]
    assert len(prediction.top(("folk", "jazz", "metal"), 9)) == 3
    assert Prediction("b.jpg", None, "broken").top(("folk",)) == []


@pytest.fixture
def spoilt(small_model: Model, tmp_path: Path) -> Path:
    """A copy of a model, to be spoilt."""
    return shutil.copytree(small_model.folder, tmp_path / "spoilt")


def test_a_folder_without_a_model_is_told_how_to_make_one(tmp_path: Path):
    with pytest.raises(ModelError, match=r"no model\.json in this folder\. A model was expected\. Train one: `sleeve"):
        Model.load(tmp_path)
    with pytest.raises(ModelError, match="no such folder"):
        Model.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("card", "told"),
    [
        ("{", r"model\.json: no valid JSON"),
        ("[]", r"model\.json: an empty list\. An object was expected\. Train the model again"),
        ({"format": 99}, r"model\.json: format 99\. At most format 1 is read here\. Update sleevenotes"),
    ],
)
def test_a_spoilt_card_is_told_in_a_sentence(spoilt: Path, card: object, told: str):
    path = spoilt / "model.json"
    text = card if isinstance(card, str) else json.dumps(json.loads(path.read_text()) | card)  # type: ignore[operator]
    path.write_text(text)
    with pytest.raises(ModelError, match=told):
        Model.load(spoilt)


def test_spoilt_weights_are_told_in_a_sentence(spoilt: Path):
    path = spoilt / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ModelError, match=r"its SHA-256 begins with \w{8}, so that it was damaged or replaced"):
        Model.load(spoilt)
    path.unlink()
    with pytest.raises(ModelError, match=r"weights\.safetensors: not there\. Train the model again"):
        Model.load(spoilt)


def test_weights_of_others_are_refused_even_if_the_card_vouches_for_them(spoilt: Path):
    path = spoilt / "weights.safetensors"
    kept = load_file(path)
    weight, bias = kept["head.weight"], kept["head.bias"]
    for arrays, told in (
        ({"head.weight": weight}, "no head in it"),
        ({"head.weight": weight[:2], "head.bias": bias[:2]}, r"a head of the shapes 2 × \d+ and 2\. 3 rows"),
        ({"head.weight": weight[0], "head.bias": bias}, r"a head of the shapes"),
        (
            {"head.weight": weight * np.float32(np.nan), "head.bias": bias},
            "head.weight has numbers that are not",
        ),
        ({"head.weight": weight.astype(np.float64), "head.bias": bias}, "head.weight has numbers of an unknown type"),
    ):
        save_file(arrays, path)
        vouch(spoilt)
        with pytest.raises(ModelError, match=told):
            Model.load(spoilt)
    save_file({"head.weight": weight[:, :5].copy(), "head.bias": bias}, path)
    vouch(spoilt)
    with pytest.raises(ModelError, match=r"\d+ features of a cover, where the head takes 5\. Train the model again"):
        Model.load(spoilt).logits(np.zeros((1, 32, 32, 3), np.uint8))
    path.write_bytes(bfloat16(path))
    vouch(spoilt)
    with pytest.raises(ModelError, match="numbers of an unknown type"):
        Model.load(spoilt)


def vouch(folder: Path) -> None:
    """Let a model's card name the SHA-256 of its files as they are."""
    card = json.loads((folder / "model.json").read_text())
    card["weights"]["sha256"] = sha256((folder / "weights.safetensors").read_bytes())
    card["network"]["sha256"] = sha256((folder / "network.onnx").read_bytes())
    (folder / "model.json").write_text(json.dumps(card))


def bfloat16(path: Path) -> bytes:
    """A file of weights whose numbers claim to be bfloat16."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    for name in ("head.weight", "head.bias"):
        header[name] |= {"dtype": "BF16", "shape": [*header[name]["shape"], 2]}
    written = json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + content[8 + size :]


def test_another_network_is_refused(spoilt: Path):
    path = spoilt / "network.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match=r"network\.onnx: its SHA-256 begins with"):
        Model.load(spoilt).logits(np.zeros((1, 32, 32, 3), np.uint8))


def test_parts_that_are_missing_are_told_when_they_are_needed(spoilt: Path):
    for name in ("network.onnx", "learnt_from.csv", "color/model.json"):
        (spoilt / name).unlink()
    model = Model.load(spoilt)
    with pytest.raises(ModelError, match=r"network\.onnx: not there\. Train the model again"):
        model.logits(np.zeros((1, 32, 32, 3), np.uint8))
    with pytest.raises(ModelError, match=r"learnt_from\.csv: not there"):
        _ = model.learnt_from
    with pytest.raises(ModelError, match=r"color: no model\.json in this folder"):
        _ = model.baseline
