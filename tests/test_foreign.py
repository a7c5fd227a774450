"""Any ONNX file as a backbone: what is told of it, what is refused, and that its form gives the graph's own numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sleevenotes.errors import WeightsError
from sleevenotes.learn.backbones import Look, extractor, find, load
from sleevenotes.learn.backbones.foreign import Manner, manner_of
from sleevenotes.learn.backbones.registry import NORMALISATIONS
from sleevenotes.learn.backbones.wrapping import wrapped
from sleevenotes.learn.onnx import OnnxNetwork, run_graph

PX = 6
MADE = np.random.default_rng(0)
WEIGHTS = {"w": MADE.normal(size=(4, 3, 3, 3)), "dense": MADE.normal(size=(4, 5)), "turned": MADE.normal(size=(5, 5))}
CONV = helper.make_node("Conv", ["input", "w"], ["map"], pads=[1, 1, 1, 1])
POOL = helper.make_node("GlobalAveragePool", ["map"], ["mean"])
FLAT = helper.make_node("Flatten", ["mean"], ["numbers"])
DENSE = helper.make_node("MatMul", ["numbers", "dense"], ["logits"])
SOFTMAX = helper.make_node("Softmax", ["logits"], ["probs"])
IMAGENET = Manner("imagenet")


def graph(
    path: Path,
    nodes: Sequence[Any],
    outputs: dict[str, Sequence[Any]],
    *,
    taken: Sequence[Any] = ("n", 3, PX, PX),
    kind: int = TensorProto.FLOAT,
) -> Path:
    """Write a graph of `input` to outputs of these shapes."""
    built = helper.make_graph(
        list(nodes),
        "others",
        [helper.make_tensor_value_info("input", kind, taken)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in WEIGHTS.items()],
    )
    onnx.save(helper.make_model(built, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def classifier(path: Path, outputs: dict[str, Sequence[Any]], **others: Any) -> Path:
    return graph(path, [CONV, POOL, FLAT, DENSE, SOFTMAX], outputs, **others)


def drawn(n: int, size_px: int = PX) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (n, size_px, size_px, 3), dtype=np.uint8)


def by_hand(path: Path, tensor: str, covers: np.ndarray, normalise: str = "imagenet") -> np.ndarray:
    """What the graph says of covers that are normalised here."""
    model = onnx.load(path)
    del model.graph.output[:]
    model.graph.output.append(onnx.ValueInfoProto(name=tensor))
    mean, deviation = (np.array(channels, dtype=np.float32) for channels in NORMALISATIONS[normalise])
    fed = ((covers / np.float32(255) - mean) / deviation).transpose(0, 3, 1, 2).astype(np.float32)
    return run_graph(model.SerializeToString(), {"input": fed}, [tensor])[0]


@pytest.mark.parametrize("normalise", NORMALISATIONS)
def test_the_form_gives_what_the_graph_says_of_covers_normalised_by_hand(tmp_path: Path, normalise: str):
    path = graph(tmp_path / "mine.onnx", [CONV, POOL, FLAT], {"numbers": ["n", 4]})
    form = wrapped(path, Manner(normalise))
    assert (form.size_px, form.features, form.taken) == (PX, 4, ("numbers",))
    for n in (1, 3):
        expected = by_hand(path, "numbers", drawn(n), normalise)
        found = OnnxNetwork(form.content).features(drawn(n))
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("outputs", "taken"),
    [
        ({"numbers": ["n", 4], "probs": ["n", 5]}, "numbers"),
        ({"probs": ["n", 5], "mean": ["n", 4, 1, 1]}, "mean"),
        ({"probs": ["n", 5], "map": ["n", 4, PX, PX]}, "map"),
        ({"probs": ["n", 5]}, "mean"),  # the last pooled map, through which all was told
        ({"logits": ["n", 5]}, "mean"),
    ],
)
def test_the_exit_is_pooled_features_or_a_map_or_what_was_pooled_inside(
    tmp_path: Path, outputs: dict[str, Sequence[Any]], taken: str
):
    assert wrapped(classifier(tmp_path / "mine.onnx", outputs), IMAGENET).taken == (taken,)


def test_where_nothing_was_pooled_the_exit_is_the_logits_and_not_the_percentages(tmp_path: Path):
    flat = helper.make_node("Flatten", ["map"], ["flat"])
    shrink = helper.make_node("ReduceMean", ["flat"], ["one"], axes=[1], keepdims=1)
    spread = helper.make_node("Concat", ["one"] * 5, ["logits"], axis=1)
    path = graph(tmp_path / "mine.onnx", [CONV, flat, shrink, spread, SOFTMAX], {"probs": ["n", 5]})
    assert wrapped(path, IMAGENET).taken == ("logits",)


def test_a_map_that_something_goes_around_is_not_all_that_was_told(tmp_path: Path):
    gate = helper.make_node("Mul", ["map", "mean"], ["gated"])  # as squeeze-and-excitation has it
    last = helper.make_node("GlobalMaxPool", ["gated"], ["most"])
    flat = helper.make_node("Flatten", ["most"], ["numbers"])
    path = graph(tmp_path / "mine.onnx", [CONV, POOL, gate, last, flat, DENSE], {"logits": ["n", 5]})
    assert wrapped(path, IMAGENET).taken == ("most",)


def test_tokens_are_averaged(tmp_path: Path):
    rows = helper.make_node("Reshape", ["map", "shape"], ["channels"])
    turn = helper.make_node("Transpose", ["channels"], ["tokens"], perm=[0, 2, 1])
    shape = helper.make_node("Constant", [], ["shape"], value=numpy_helper.from_array(np.array([0, 4, -1])))
    path = graph(tmp_path / "mine.onnx", [CONV, shape, rows, turn], {"tokens": ["n", PX * PX, 4]})
    form = wrapped(path, IMAGENET)
    expected = by_hand(path, "map", drawn(2)).mean(axis=(2, 3))
    assert np.allclose(OnnxNetwork(form.content).features(drawn(2)), expected, atol=1e-5)


def test_layers_inside_are_taken_on_a_grid(tmp_path: Path):
    path = classifier(tmp_path / "mine.onnx", {"probs": ["n", 5]})
    form = wrapped(path, IMAGENET, layers=("map", "logits"), grid=2)
    map_ = by_hand(path, "map", drawn(2))
    cells = map_.reshape(2, 4, 2, 3, 2, 3).mean(axis=(3, 5)).reshape(2, 16)
    expected = np.concatenate([cells, by_hand(path, "logits", drawn(2))], axis=1)
    assert np.allclose(OnnxNetwork(form.content).features(drawn(2)), expected, atol=1e-5)


def test_channels_may_come_last_and_pixels_may_be_bytes(tmp_path: Path):
    cast = helper.make_node("Cast", ["input"], ["cast"], to=TensorProto.FLOAT)
    mean = helper.make_node("ReduceMean", ["cast"], ["features"], axes=[1, 2], keepdims=0)
    path = graph(
        tmp_path / "mine.onnx", [cast, mean], {"features": ["n", 3]}, taken=("n", PX, PX, 3), kind=TensorProto.UINT8
    )
    form = wrapped(path, Manner())  # bytes are what they are: nothing has to be told
    assert np.allclose(OnnxNetwork(form.content).features(drawn(2)), drawn(2).mean(axis=(1, 2)), rtol=1e-5)


def test_a_graph_for_one_cover_at_a_time_takes_several(tmp_path: Path):
    path = graph(tmp_path / "mine.onnx", [CONV, POOL, FLAT], {"numbers": [1, 4]}, taken=(1, 3, PX, PX))
    form = wrapped(path, IMAGENET)
    alone = np.concatenate([OnnxNetwork(form.content).features(drawn(3)[at : at + 1]) for at in range(3)])
    assert np.allclose(OnnxNetwork(form.content).features(drawn(3)), alone, atol=1e-5)


def test_a_graph_that_can_not_take_several_is_refused(tmp_path: Path):
    shape = helper.make_node("Constant", [], ["shape"], value=numpy_helper.from_array(np.array([1, 4])))
    fixed = helper.make_node("Reshape", ["mean", "shape"], ["numbers"])
    path = graph(tmp_path / "mine.onnx", [CONV, POOL, shape, fixed], {"numbers": [1, 4]}, taken=(1, 3, PX, PX))
    with pytest.raises(WeightsError, match=r"mine\.onnx: it can't take several covers at once .* dynamic first dim"):
        wrapped(path, IMAGENET)


@pytest.mark.parametrize(
    ("taken", "told"),
    [
        (("n", 1, PX, PX), r"its input 'input' takes any × 1 × 6 × 6\. N × 3 × height × width or"),
        (("n", 3, PX, 3), r"takes any × 3 × 6 × 3"),
        (("n", 3 * PX * PX), r"takes any × 108\."),
        (("n", 3, 4, PX), r"pictures of 6 × 4 px\. Square ones"),
    ],
)
def test_an_entrance_that_takes_no_covers_is_refused(tmp_path: Path, taken: Sequence[Any], told: str):
    same = helper.make_node("Identity", ["input"], ["features"])
    path = graph(tmp_path / "mine.onnx", [same], {"features": taken}, taken=taken)
    with pytest.raises(WeightsError, match=told):
        wrapped(path, IMAGENET)


def test_normalising_that_nothing_tells_is_refused_with_both_ways_to_tell_it(tmp_path: Path):
    path = classifier(tmp_path / "mine.onnx", {"probs": ["n", 5]})
    told = r"mine\.onnx: nothing tells how it wants its pixels normalised\. Say it with --normalise .* in mine\.json"
    with pytest.raises(WeightsError, match=told):
        find(str(path))


def test_a_json_file_beside_it_tells_all_that_the_graph_leaves_open(tmp_path: Path):
    path = classifier(tmp_path / "mine.onnx", {"probs": ["n", 5]}, taken=("n", 3, "h", "w"))
    told = {"mean": [0.5, 0.5, 0.5], "deviation": [1, 1, 1], "size_px": 10, "output": "logits", "licence": "MIT"}
    (tmp_path / "mine.json").write_text(json.dumps(told))
    form = wrapped(path, manner_of(path))
    assert (form.size_px, form.taken) == (10, ("logits",))
    found = find(str(path))
    assert (found.backbone.size_px, found.backbone.licence) == (10, "MIT")
    named = wrapped(path, manner_of(path, "imagenet"))  # a name that is given goes before the file
    assert np.allclose(
        OnnxNetwork(named.content).features(drawn(2, 10)), by_hand(path, "logits", drawn(2, 10)), atol=1e-4
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", r"mine\.json: no valid JSON"),
        ("[]", r"mine\.json: an empty list\. An object was expected"),
        ('{"normalize": "imagenet"}', r"unknown 'normalize'\. Known are normalise, .*Did you mean 'normalise'"),
        ('{"mean": [1, 2]}', r"mean is a list of 2\. Three numbers"),
        ('{"size_px": 0}', r"size_px is 0\. A size"),
        ('{"output": 3}', r"output is 3\. A name"),
        ('{"normalise": "imagnet"}', r"normalise 'imagnet': unknown.*Did you mean 'imagenet'"),
    ],
)
def test_a_json_file_that_says_something_else_is_told(tmp_path: Path, content: str, told: str):
    (tmp_path / "mine.json").write_text(content)
    with pytest.raises(WeightsError, match=told):
        manner_of(tmp_path / "mine.onnx")


def test_a_tensor_that_is_not_there_is_told(tmp_path: Path):
    path = classifier(tmp_path / "mine.onnx", {"probs": ["n", 5]})
    with pytest.raises(
        WeightsError, match=r"mine\.onnx, 'mop': the graph has no tensor of that name.*Did you mean 'map'"
    ):
        wrapped(path, IMAGENET, layers=("mop",))


def test_two_inputs_are_one_too_many(tmp_path: Path):
    path = classifier(tmp_path / "mine.onnx", {"probs": ["n", 5]})
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("text", TensorProto.INT64, ["n", 7]))
    onnx.save(model, path)
    with pytest.raises(WeightsError, match=r"2 inputs \(input, text\)\. One input that takes covers was expected"):
        wrapped(path, IMAGENET)


def test_a_damaged_file_and_one_that_is_gone_are_told(tmp_path: Path):
    (tmp_path / "mine.onnx").write_bytes(b"no graph")
    with pytest.raises(WeightsError, match=r"mine\.onnx: can't be read"):
        wrapped(tmp_path / "mine.onnx", IMAGENET)
    with pytest.raises(WeightsError, match=r"gone\.onnx: no such file\. An ONNX file was expected"):
        find(str(tmp_path / "gone.onnx"))


def test_a_graph_is_an_extractor_whose_form_is_one_file(tmp_path: Path):
    path = classifier(tmp_path / "mine.onnx", {"probs": ["n", 5]})
    asked = extractor(str(path), look=Look(layers=("map",), grid=3, normalise="imagenet"))
    assert asked.size_px == PX
    assert asked.card | {"sha256": ""} == {
        "name": "mine",
        "training": "mine.onnx (a graph of others)",
        "sha256": "",
        "licence": "unknown",
        "layers": ["map"],
        "grid": 3,
    }
    assert asked.write(tmp_path / "form.onnx") <= 1e-4
    found = asked.features(drawn(2))
    assert found.shape == (2, 36)
    assert np.array_equal(OnnxNetwork(tmp_path / "form.onnx").features(drawn(2)), found)
    assert asked.key != extractor(str(path), look=Look(layers=("map",), normalise="imagenet")).key
    with pytest.raises(WeightsError, match="can be asked but not taught"):
        load(asked.found)
    with pytest.raises(WeightsError, match=r"7 px\. Covers of 6 px were expected"):
        extractor(str(path), 7, look=Look(normalise="imagenet"))
