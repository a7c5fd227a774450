"""What travels: one graph that says what the model says, a bundle to be asked in its place, a card for the hub."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings, strategies as st
from safetensors.numpy import load_file, save_file

from conftest import Run
from finished import HOSTILE, finished
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import write_json
from sleevenotes.covers.genre_tree import respect
from sleevenotes.covers.images import resize, sha256
from sleevenotes.errors import EvaluationError, ModelError, SourceError
from sleevenotes.learn import color, exporting, graphs, onnx as onnx_form
from sleevenotes.learn.bundles import Bundle, loaded
from sleevenotes.learn.calibration import calibrated
from sleevenotes.learn.extractors import BOXES, MIRRORED, VIEWS, GradientExtractor, seen
from sleevenotes.learn.graphs import Graph
from sleevenotes.learn.imagenet import mobilenet_v2
from sleevenotes.learn.likeness import Likeness
from sleevenotes.learn.model import Model
from sleevenotes.learn.onnx import run_graph
from sleevenotes.publish.export import export_bundle, export_hub
from sleevenotes.publish.model_card import Sources, front_matter, plain
from training_for_tests import quickly

FEW = 6  # covers of a check, where it isn't about how many
GENRES = ("folk", "jazz", "metal")
SOURCE = Path(__file__).parents[1] / "src"


def noise(count: int, size_px: int, seed: int = 0) -> np.ndarray:
    """Covers of noise, some of them of few and of extreme colours."""
    covers = np.random.default_rng(seed).integers(0, 256, (count, size_px, size_px, 3), dtype=np.uint8)
    covers[0] = np.where(covers[0] > 127, 255, 0)
    covers[-1, : size_px // 2] = 200
    return covers


def told_by(build: Callable[[Graph, str], str], covers: np.ndarray, *, name: str = "covers") -> np.ndarray:
    """What a piece of a graph gives for an input of any kind."""
    graph = Graph()
    graph.add("Identity", build(graph, name), name="told")
    model = onnx.load_from_string(graph.built(1, {"told": None}, {}))
    kind = onnx.helper.np_dtype_to_tensor_dtype(covers.dtype)
    model.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info(name, kind, [None] * covers.ndim))
    model.graph.output[0].CopyFrom(onnx.ValueInfoProto(name="told"))
    return np.asarray(run_graph(model.SerializeToString(), {name: covers}, ["told"], threads=1)[0])


@pytest.fixture(autouse=True)
def few_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "CHECKED_COVERS", FEW)
    monkeypatch.setattr(exporting, "DRAWN_PX", 32)


def written(model: Model, out: Path, **options: Any) -> Bundle:
    """Export a model, and load what came of it."""
    with quickly():
        export_bundle(model, out, **options)
    bundle = loaded(out)
    assert isinstance(bundle, Bundle)
    return bundle


def proba_of(model: Model, paths: list[Path]) -> np.ndarray:
    return np.stack([answer.proba for answer in model.predict(paths) if answer.proba is not None])


def changed(model: Model, folder: Path, **keys: Any) -> Model:
    """A copy of a model with another card."""
    shutil.copytree(model.folder, folder)
    card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    write_json(folder / "model.json", card | keys)
    return Model.load(folder)


def vouch(folder: Path) -> None:
    """Let a model's card name the SHA-256 of its files as they are."""
    card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    card["weights"] = {"sha256": sha256((folder / "weights.safetensors").read_bytes())}
    if card["network"] and (folder / "network.onnx").exists():
        card["network"]["sha256"] = sha256((folder / "network.onnx").read_bytes())
    write_json(folder / "model.json", card)


@pytest.fixture(scope="module")
def composed(small_model: Model, color_model: Model, shared: Path) -> Model:
    """A model of all kinds of parts: a network read twice, views, colours, gradients, and likeness to covers."""
    folder = shared / "composed-for-export"
    (folder / "parts").mkdir(parents=True)
    shutil.copyfile(small_model.folder / "network.onnx", folder / "parts" / "tiny.onnx")
    shutil.copyfile(small_model.folder / "learnt_from.csv", folder / "learnt_from.csv")
    rng = np.random.default_rng(1)
    network = {"name": "tiny", "kind": "network", "file": "parts/tiny.onnx", "size_px": small_model.size_px,
               "layers": [], "grid": 1, "network": small_model.card["network"], "backbone": None}  # fmt: skip
    views = ["whole", "middle" + MIRRORED, "top left"]
    colors = {"name": "color", "kind": "color", "views": ["whole"], "rooted": False, "network": None, "backbone": None}
    parts: list[dict[str, Any]] = [
        colors | {"features": 512},
        colors | {"name": "gradients", "kind": "gradients", "views": ["whole" + MIRRORED, "middle"], "features": 324},
        network | {"views": views, "rooted": True, "features": 12},
        {"name": "likeness-1", "kind": "likeness", "file": "parts/likeness-1.safetensors", "network": None,
         "backbone": None, "features": 20, "of": [network | {"views": views[:1], "rooted": False}, colors]},
    ]  # fmt: skip
    drawn = [rng.normal(0, size, shape).astype(np.float32) for size, shape in ((0.1, 524), (0.05, (524, 9)))]
    landmarks, squares = rng.normal(0, 1, (20, 9)).astype(np.float32), rng.uniform(9, 18, 20).astype(np.float32)
    known = Likeness(drawn[0], np.ones(524, np.float32), drawn[1], landmarks, squares, 1.0)
    known.save(folder / "parts" / "likeness-1.safetensors")
    tensors = load_file(small_model.folder / "weights.safetensors")
    kept = {f"tiny.{name}": value for name, value in tensors.items() if name.startswith("network.")}
    head = {"head.weight": rng.normal(0, 1, (3, 868)).astype(np.float32), "head.bias": np.zeros(3, np.float32)}
    save_file(kept | head, folder / "weights.safetensors")
    parts[-1]["sha256"] = sha256((folder / parts[-1]["file"]).read_bytes())
    card = {**small_model.card, "name": "best", "network": None, "parts": parts}
    card["weights"] = {"sha256": sha256((folder / "weights.safetensors").read_bytes())}
    card["preprocessing"] = card["preprocessing"] | {"size_px": 64}
    write_json(folder / "model.json", card)
    return Model.load(folder)


# pieces of a graph


@given(st.integers(30, 260), st.integers(24, 300), st.integers(0, 99))
@settings(max_examples=25)
def test_covers_are_squeezed_as_pillow_does_to_the_bit(from_px: int, to_px: int, seed: int):
    covers = noise(2, from_px, seed)
    found = told_by(lambda graph, now: graphs._squeezed(graph, now, from_px, to_px), covers)
    assert np.array_equal(found, np.stack([resize(cover, to_px) for cover in covers]))


def test_a_size_that_float32_could_not_hold_exactly_is_refused():
    with pytest.raises(ModelError, match="views of 2000 px are squeezed to 8 px, which ONNX can't say exactly"):
        graphs._halves(2000, 8)


@pytest.mark.parametrize("view", VIEWS)
def test_views_are_those_of_the_model(view: str):
    covers = noise(2, 64)
    found = told_by(lambda graph, now: graphs.view(graph, now, view, from_px=64, to_px=32), covers)
    assert np.array_equal(found, seen(covers, view, 32))


@pytest.mark.parametrize("view", [name for name in BOXES if name != "whole"])
def test_a_view_of_a_networks_own_size_is_only_cut(view: str):
    covers = noise(2, 64)
    found = told_by(lambda graph, now: graphs.view(graph, now, view, from_px=64, to_px=40), covers)
    assert np.array_equal(found, seen(covers, view, 40))


@given(st.integers(0, 999))
@settings(max_examples=10)
def test_colours_and_gradients_are_those_of_the_model(seed: int):
    covers = noise(3, 64, seed)
    assert np.array_equal(told_by(graphs.colors, covers), color.features(covers))
    own = GradientExtractor()
    found = told_by(lambda graph, now: graphs.edges(graph, now, cell_px=own.cell_px), covers)
    assert np.abs(found - own.features(covers)).max() < 1e-5


rising = st.lists(st.tuples(st.floats(0.05, 2), st.floats(0, 2)), min_size=1, max_size=6)
maps = st.one_of(
    st.tuples(st.floats(0.05, 5), st.floats(-3, 3)).map(
        lambda line: {"kind": "platt", "scale": line[0], "shift": line[1]}
    ),
    st.tuples(st.floats(-4, 2), rising).map(
        lambda told: {
            "kind": "isotonic",
            "logits": (told[0] + np.cumsum([step for step, _ in told[1]])).tolist(),
            "calibrated": (-2 + np.cumsum([up for _, up in told[1]])).tolist(),
        }
    ),
)
numbers = st.lists(st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3), min_size=1, max_size=5)


@given(numbers, st.lists(maps, min_size=3, max_size=3))
@settings(max_examples=60)
def test_every_map_of_a_genre_is_that_of_the_model(rows: list[list[float]], told: list[dict[str, Any]]):
    logits = np.array(rows, dtype=np.float32)
    card = {"maps": told, "temperature": 1.0}
    found = told_by(lambda graph, now: graphs.proba(graph, now, card, task="multi"), logits, name="logits")
    assert np.abs(found - calibrated(logits, card, task="multi")).max() < 1e-5


@given(numbers, st.floats(0.05, 20), st.sampled_from(["single", "multi"]))
@settings(max_examples=30)
def test_a_temperature_is_that_of_the_model(rows: list[list[float]], temperature: float, task: Any):
    logits = np.array(rows, dtype=np.float32)
    card = {"temperature": temperature}
    found = told_by(lambda graph, now: graphs.proba(graph, now, card, task=task), logits, name="logits")
    assert np.abs(found - calibrated(logits, card, task=task)).max() < 1e-5


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda pair: pair[0] < pair[1]), max_size=8))
@settings(max_examples=40)
def test_the_tree_is_respected_whatever_its_shape(pairs: list[tuple[int, int]]):
    genres = [f"genre {index}" for index in range(5)]
    tree = [(genres[child], genres[parent]) for child, parent in pairs]
    proba = np.random.default_rng(len(pairs)).random((4, 5)).astype(np.float32)
    found = told_by(lambda graph, now: graphs.lifted(graph, now, genres, tree), proba, name="proba")
    assert np.array_equal(found, respect(proba, genres, tree))


# a model as a bundle


@pytest.mark.parametrize("name", ["small", "binary", "multi", "color"])
def test_a_bundle_says_what_its_model_says(request: pytest.FixtureRequest, single: Dataset, tmp_path: Path, name: str):
    model: Model = request.getfixturevalue(f"{name}_model")
    bundle = written(model, tmp_path / "bundle")
    assert (bundle.name, bundle.task, bundle.genres) == (model.name, model.task, model.genres)
    assert (bundle.size_px, bundle.thresholds) == (model.size_px, model.thresholds)
    assert np.abs(proba_of(bundle, single.paths[:20]) - proba_of(model, single.paths[:20])).max() < 1e-6
    covers = noise(3, model.size_px)
    assert np.abs(bundle.proba(bundle.logits(covers)) - model.asked(covers)).max() < 1e-6
    assert np.abs(bundle.extractor.features(covers) - model.extractor.features(covers)).max() < 1e-5


def test_so_does_one_on_a_published_network(small_model: Model, single: Dataset, tmp_path: Path):
    torch.manual_seed(0)
    network, folder, rng = mobilenet_v2(), tmp_path / "model", np.random.default_rng(0)
    shutil.copytree(small_model.folder, folder)
    with quickly():
        onnx_form.export(network, folder / "network.onnx", size_px=64)
    kept = {f"network.{name}": value.numpy().copy() for name, value in network.state_dict().items()}
    head = {"head.weight": rng.normal(0, 3, (3, 1280)).astype(np.float32), "head.bias": np.zeros(3, np.float32)}
    save_file(kept | head, folder / "weights.safetensors")
    card = {**small_model.card, "network": {**small_model.card["network"], "architecture": "mobilenet_v2"}}
    write_json(folder / "model.json", card | {"preprocessing": card["preprocessing"] | {"size_px": 64}})
    vouch(folder)
    model = Model.load(folder)
    bundle = written(model, tmp_path / "bundle")
    assert np.abs(proba_of(bundle, single.paths[:9]) - proba_of(model, single.paths[:9])).max() < 1e-6
    assert 0 < bundle.card["checked"]["from_torch"] < 1e-4


def test_so_does_the_model_in_the_box(single: Dataset, tmp_path: Path):
    model = Model.in_the_box()  # with a tree, a map a genre, and a form of torch's newer exporter
    bundle = written(model, tmp_path / "bundle")
    assert np.abs(proba_of(bundle, single.paths[:9]) - proba_of(model, single.paths[:9])).max() < 1e-6
    assert 0 < bundle.card["checked"]["from_torch"] < 1e-5


def test_so_does_one_of_many_parts(composed: Model, single: Dataset, tmp_path: Path):
    bundle = written(composed, tmp_path / "bundle")
    assert np.abs(proba_of(bundle, single.paths[:20]) - proba_of(composed, single.paths[:20])).max() < 1e-5
    assert bundle.card["checked"]["unknown"] == []
    names = [tensor.name for tensor in onnx.load(tmp_path / "bundle" / "model.onnx").graph.initializer]
    once = [tensor.name for tensor in onnx.load(composed.folder / "parts" / "tiny.onnx").graph.initializer]
    assert sum(name.startswith("network_") for name in names) == len(once)  # whatever number of views and parts


def test_so_does_one_with_a_tree_and_maps_of_all_kinds(multi_model: Model, single: Dataset, tmp_path: Path):
    maps = [
        {"kind": "isotonic", "logits": [-2.0, 0.0, 1.0], "calibrated": [-3.0, -1.0, 2.0]},
        {"kind": "platt", "scale": 0.7, "shift": -0.4},
        {"kind": "pooled", "scale": 1.1, "shift": 0.1},
    ]
    calibration = multi_model.card["calibration"] | {"maps": maps}
    tree = [["metal", "jazz"], ["thrash metal", "metal"]]
    model = changed(multi_model, tmp_path / "model", tree=tree, calibration=calibration)
    proba = proba_of(model, single.paths[:30])
    assert np.abs(proba_of(written(model, tmp_path / "bundle"), single.paths[:30]) - proba).max() < 1e-6
    assert (proba[:, 1] == proba[:, 2]).any()  # the tree had something to lift


def test_broken_covers_get_their_sentence_from_a_bundle_too(color_model: Model, single: Dataset, tmp_path: Path):
    bundle = written(color_model, tmp_path / "bundle")
    covers = [single.path(0), b"", single.path(1)]
    told, expected = (list(one.predict(covers)) for one in (bundle, color_model))
    assert [answer.error for answer in told] == [answer.error for answer in expected]
    assert told[1].error is not None


def test_the_graph_tells_what_it_is_by_itself(multi_model: Model, tmp_path: Path):
    written(multi_model, tmp_path / "bundle")
    model = onnx.load(tmp_path / "bundle" / "model.onnx")
    onnx.checker.check_model(model)
    told = {entry.key.removeprefix("sleevenotes."): entry.value for entry in model.metadata_props}
    assert json.loads(told["genres"]) == list(multi_model.genres)
    assert json.loads(told["preprocessing"])["size_px"] == multi_model.size_px
    assert json.loads(told["calibration"]) == multi_model.card["calibration"]
    assert [output.name for output in model.graph.output] == ["proba", "logits", "features"]
    text = (tmp_path / "bundle" / "model.onnx").read_bytes()
    assert str(SOURCE).encode() not in text  # of whose machine it comes


def test_the_same_model_gives_the_same_bytes(small_model: Model, tmp_path: Path):
    for name in ("a", "b"):
        written(small_model, tmp_path / name)
    for file in ("model.onnx", "sleevenotes.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


# the check


def test_it_is_checked_on_a_hundred_covers_of_yours_and_drawn_ones(
    small_model: Model, single: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exporting, "CHECKED_COVERS", 100)
    told = written(small_model, tmp_path / "a", covers=single.folder).card["checked"]
    assert (told["covers"], told["own"]) == (100, 100)
    (tmp_path / "some").mkdir()
    for index in range(98):
        shutil.copyfile(single.path(index), tmp_path / "some" / f"{index}.png")
    (tmp_path / "some" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    told = written(small_model, tmp_path / "b", covers=tmp_path / "some").card["checked"]
    assert (told["covers"], told["own"]) == (100, 98)
    assert told["words"].startswith("checked on 100 covers (98 of yours, 2 drawn): no proba differs by more than ")
    assert told["from_torch"] <= 1e-4


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_covers_is_told(small_model: Model, tmp_path: Path, there: bool):
    if there:
        (tmp_path / "none").mkdir()
    with pytest.raises(SourceError, match=r"none: no .* A dataset, or a folder with covers was expected"):
        written(small_model, tmp_path / "bundle", covers=tmp_path / "none")
    assert not (tmp_path / "bundle").exists()


def test_a_file_in_the_place_of_covers_is_told_and_a_cover_that_is_gone_passed_over(
    color_model: Model, single: Dataset, tmp_path: Path
):
    with pytest.raises(SourceError, match=r"metadata\.csv: a file\. A dataset, or a folder with covers was expected"):
        written(color_model, tmp_path / "bundle", covers=single.folder / "metadata.csv")
    few = single.where([at < 4 for at in range(len(single))])
    (tmp_path / "few" / "images").mkdir(parents=True)
    Dataset(tmp_path / "few", few.covers).write()
    for path in few.paths[1:]:
        shutil.copyfile(path, tmp_path / "few" / path.relative_to(single.folder))
    assert written(color_model, tmp_path / "bundle", covers=tmp_path / "few").card["checked"]["own"] == 3


def test_a_graph_that_says_something_else_than_torch_is_refused(small_model: Model, tmp_path: Path):
    model = changed(small_model, tmp_path / "model")
    tensors = load_file(tmp_path / "model" / "weights.safetensors")
    name = next(name for name in tensors if name.startswith("network.") and name.endswith("weight"))
    save_file(tensors | {name: tensors[name] * 1.5}, tmp_path / "model" / "weights.safetensors")
    vouch(model.folder)
    with pytest.raises(ModelError, match=r"the graph differs from torch by \S+ on 6 covers\. At most 0.0001 of diff"):
        written(model, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_so_is_a_head_that_is_not_a_number(color_model: Model, tmp_path: Path):
    model = changed(color_model, tmp_path / "model")
    tensors = load_file(tmp_path / "model" / "weights.safetensors")
    spoilt = {"head.bias": np.full(3, np.nan, np.float32)}
    save_file(tensors | spoilt, tmp_path / "model" / "weights.safetensors")
    vouch(model.folder)
    with pytest.raises(ModelError, match=r"head\.bias has numbers that are not finite"):
        written(Model.load(model.folder), tmp_path / "bundle")


def test_parameters_of_another_network_are_told(small_model: Model, tmp_path: Path):
    model = changed(
        small_model, tmp_path / "model", network={**small_model.card["network"], "architecture": "study_cnn"}
    )
    with pytest.raises(ModelError, match="not the parameters of the network 'study_cnn' as it is here"):
        written(model, tmp_path / "bundle")


@pytest.mark.parametrize(("kept", "told"), [(1000, "no ONNX file that can be read .*"), (0, "no network in it")])
def test_a_network_that_breaks_off_is_told(small_model: Model, tmp_path: Path, kept: int, told: str):
    model = changed(small_model, tmp_path / "model")
    path = model.folder / "network.onnx"
    path.write_bytes(path.read_bytes()[:kept])
    vouch(model.folder)
    model = Model.load(model.folder)
    with pytest.raises(ModelError, match=rf"network\.onnx: {told}\. Train the model again"):
        written(model, tmp_path / "bundle")


def test_a_network_that_torch_does_not_know_is_compared_with_itself_and_told(small_model: Model, tmp_path: Path):
    model = changed(small_model, tmp_path / "model", network={**small_model.card["network"], "architecture": None})
    told = written(model, tmp_path / "bundle").card["checked"]
    assert told["from_torch"] is None
    assert told["unknown"] == ["small"]
    assert told["words"].endswith("from the model itself (0.0001 is allowed); torch does not know small")


def test_operators_that_do_not_go_together_are_told():
    graph = Graph()
    node = onnx.helper.make_node("Identity", ["covers"], ["features"])
    side = onnx.helper.make_tensor_value_info("covers", onnx.TensorProto.UINT8, ["n"])
    other = onnx.helper.make_tensor_value_info("features", onnx.TensorProto.UINT8, ["n"])
    inner = onnx.helper.make_graph([node], "inner", [side], [other])
    for version in (1, 2):
        opsets = [onnx.helper.make_opsetid("", 16), onnx.helper.make_opsetid("elsewhere", version)]
        form = onnx.helper.make_model(inner, opset_imports=opsets)
        if version == 1:
            graph.taken_in(form, "covers")
            continue
        with pytest.raises(ModelError, match="operators 'elsewhere' of two versions, 1 and 2"):
            graph.taken_in(form, "covers")


# asking a bundle


def test_the_command_line_gives_the_same_lines_and_loads_nothing_heavy(
    sleevenotes: Run, small_model: Model, single: Dataset, tmp_path: Path
):
    written(small_model, tmp_path / "bundle")
    asked = [*single.paths[:5], "--json", "--max-risk", "0.5", "--coverage", "0.8"]
    lines = [
        [json.loads(line) for line in sleevenotes("predict", folder, *asked).out.splitlines()]
        for folder in (small_model.folder, tmp_path / "bundle")
    ]
    for own, other in zip(*lines, strict=True):
        assert [told["genre"] for told in own["genres"]] == [told["genre"] for told in other["genres"]]
        assert (own["set"], own["file"], own["cant_tell"]) == (other["set"], other["file"], other["cant_tell"])
        assert other["risk"] == pytest.approx(own["risk"], abs=1e-6)
    heavy = "{'torch', 'sklearn', 'scipy', 'onnx', 'polars', 'pickle5'}"
    code = "import sys; from pathlib import Path; from sleevenotes.learn.bundles import loaded; "
    code += (
        f"list(loaded(Path({str(tmp_path / 'bundle')!r})).predict([b''])); print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "verb",
    [
        "evaluate {} data",
        "similar {} a.png --in data",
        "explain {} a.png -o x",
        "map {} data -o x",
        "export {} --onnx -o x",
    ],
)
@pytest.mark.parametrize("kind", ["sleevenotes.json", "config.json"])
def test_other_verbs_say_that_they_want_the_model(sleevenotes: Run, tmp_path: Path, verb: str, kind: str):
    write_json(tmp_path / kind, {"model_type": "sleevenotes"})
    said = sleevenotes(*(word.replace("{}", str(tmp_path)) for word in verb.split()))
    assert said.code == 1
    assert "an exported model, which only `predict` and `serve` can use. A model was expected." in said.err


def test_what_only_a_model_knows_is_refused(small_model: Model, tmp_path: Path):
    bundle = written(small_model, tmp_path / "bundle")
    with pytest.raises(ModelError, match="a bundle, whose head is inside of its graph"):
        _ = bundle.head
    assert not bundle.has_places
    assert bundle.baseline is None


@pytest.fixture
def spoilt(color_model: Model, tmp_path: Path) -> Path:
    """A bundle, to be spoilt."""
    written(color_model, tmp_path / "bundle")
    return tmp_path / "bundle"


def test_a_graph_that_was_changed_is_refused(spoilt: Path):
    path = spoilt / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    told = r"model\.onnx: its SHA-256 begins with \w{8}, so that it was damaged or replaced\. The file whose"
    with pytest.raises(ModelError, match=told):
        loaded(spoilt)
    path.unlink()
    with pytest.raises(ModelError, match=r"model\.onnx: not there\. Export the model again"):
        loaded(spoilt)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"format": 2}, "format 2. At most format 1 is read here. Update sleevenotes."),
        ({"format": "one"}, "format is 'one'. A whole number of at least 1 was expected. Export the model again."),
        ({"graph": {"file": "model.onnx"}}, "graph.sha256 is missing. A SHA-256 (64 hexadecimal digits) was expected."),
        ({"graph": 7}, "graph is 7. An object was expected"),
        ({"genres": None, "graph": None}, "genres is null (a list that is not empty"),
        ({"genres": "folk"}, "genres is 'folk'. A list that is not empty"),
        ({"genres": ["folk"]}, "1 genres do not fit the task single. Export the model again."),
        (
            {"task": "both", "calibration": {}},
            "task is 'both' (one of single, binary, multi was expected); calibration.",
        ),
        ({"calibration": None}, "calibration is null. An object was expected"),
        ({"preprocessing": {"size_px": "96"}}, "preprocessing.size_px is '96'. A whole number from 1 to 4,096 was"),
        (
            {"name": 7, "tree": None},
            "name is 7 (text that is not empty was expected); tree is null (a list was expected)",
        ),
    ],
)
def test_a_file_that_tells_too_little_or_is_too_new_is_refused(spoilt: Path, keys: dict[str, Any], told: str):
    content = json.loads((spoilt / "sleevenotes.json").read_text(encoding="utf-8"))
    write_json(spoilt / "sleevenotes.json", content | keys)
    with pytest.raises(ModelError) as caught:
        loaded(spoilt)
    assert told in str(caught.value)


def test_one_without_genres_is_refused_and_one_that_is_no_json(spoilt: Path):
    write_json(spoilt / "sleevenotes.json", {"format": 1})
    with pytest.raises(ModelError, match=r"name is missing .*; graph is missing \(an object was expected\).* Export"):
        loaded(spoilt)
    (spoilt / "sleevenotes.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="no valid JSON"):
        loaded(spoilt)


def test_a_bundle_reaches_for_no_file_outside_of_its_folder(spoilt: Path, tmp_path: Path):
    shutil.move(spoilt / "model.onnx", tmp_path / "model.onnx")
    content = json.loads((spoilt / "sleevenotes.json").read_text(encoding="utf-8"))
    content["graph"]["file"] = "../model.onnx"
    write_json(spoilt / "sleevenotes.json", content)
    with pytest.raises(ModelError, match=r"bundle/model\.onnx: not there"):
        loaded(spoilt)


def test_a_folder_that_is_neither_model_nor_bundle_is_told_as_ever(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "vit"}', encoding="utf-8")  # somebody else's model
    with pytest.raises(ModelError, match=r"no model\.json in this folder"):
        loaded(tmp_path)
    with pytest.raises(ModelError, match=r"no bundle\. A folder that `export` made was expected"):
        Bundle.load(tmp_path)


# folders


def test_a_folder_of_something_else_is_left_alone(small_model: Model, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")
    told = r"mine: a folder that holds something else\. An empty folder, or an earlier export of its kind was expected"
    for export in (export_bundle, export_hub):
        with pytest.raises(ModelError, match=told):
            export(small_model, tmp_path / "mine")
    with pytest.raises(ModelError, match=r"letter\.txt: a file\. A folder for the export was expected"):
        export_bundle(small_model, tmp_path / "mine" / "letter.txt")
    with pytest.raises(ModelError, match="a folder that holds something else"):
        export_bundle(small_model, small_model.folder)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_folder_that_can_not_be_written_to_is_told(color_model: Model, tmp_path: Path):
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    told = r"letter\.txt/bundle: can't be written \(Not a directory\)\. Make room or .*, or name another with -o"
    for export in (export_bundle, export_hub):
        with quickly(), pytest.raises(ModelError, match=told):
            export(color_model, tmp_path / "letter.txt" / "bundle")


def test_an_export_takes_the_place_of_an_earlier_one(small_model: Model, color_model: Model, tmp_path: Path):
    written(small_model, tmp_path / "bundle")
    (tmp_path / "bundle" / ".model.onnx.1-2.partial").write_bytes(b"half")  # of one that was killed
    assert written(color_model, tmp_path / "bundle").name == "color"
    with quickly(), pytest.raises(ModelError, match="a folder that holds something else"):
        export_hub(color_model, tmp_path / "bundle")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "say --onnx or --hub"),
        (["--onnx", "--hub"], "say --onnx or --hub, not both"),
        (["--onnx", "--license", "mit"], "--evaluation and --license go with --hub"),
    ],
)
def test_options_that_do_not_go_together_are_told(sleevenotes: Run, tmp_path: Path, options: list[str], told: str):
    said = sleevenotes("export", tmp_path, *options, "-o", tmp_path / "x")
    assert said.code == 2
    assert told in said.err


# the card


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """A folder with an evaluation of three genres, and an audit of the same covers."""
    found = finished(tmp_path / "run", genres=GENRES, covers=90)
    dataset = json.loads((found.folder / "evaluation.json").read_text(encoding="utf-8"))["dataset"]
    finding = {"title": f"Files | {HOSTILE}", "verdict": "suspicious", "words": "They *tell* the genre.", "check": 1}
    told = {
        "format": 1,
        "verdict": "suspicious",
        "words": "Something is off.",
        "findings": [finding],
        "dataset": dataset,
    }
    (found.folder / "audit").mkdir()
    write_json(found.folder / "audit" / "audit.json", told)
    return found.folder


def hub(model: Model, out: Path, **options: Any) -> str:
    with quickly():
        export_hub(model, out, **options)
    return (out / "README.md").read_text(encoding="utf-8")


def test_the_hub_folder_holds_all_that_is_needed_and_predicts(small_model: Model, single: Dataset, tmp_path: Path):
    hub(small_model, tmp_path / "hub")
    files = {path.name for path in (tmp_path / "hub").iterdir()}
    data = {"model.safetensors", "model.onnx", "learnt_from.csv"}
    assert files == data | {"README.md", "config.json", "preprocessor_config.json"}
    bundle = loaded(tmp_path / "hub")
    assert np.abs(proba_of(bundle, single.paths[:9]) - proba_of(small_model, single.paths[:9])).max() < 1e-6
    told = json.loads((tmp_path / "hub" / "config.json").read_text(encoding="utf-8"))
    assert told["id2label"] == {str(index): genre for index, genre in enumerate(small_model.genres)}
    pixels = json.loads((tmp_path / "hub" / "preprocessor_config.json").read_text(encoding="utf-8"))
    assert pixels["size"] == {"height": small_model.size_px, "width": small_model.size_px}
    tensors = load_file(tmp_path / "hub" / "model.safetensors")
    assert np.array_equal(tensors["head.weight"], small_model.head.weight)
    assert any(name.startswith("network.") for name in tensors)


def test_a_model_that_was_not_measured_has_no_figures_in_its_card(small_model: Model, tmp_path: Path, sleevenotes: Run):
    card = hub(changed(small_model, tmp_path / "alone" / "model"), tmp_path / "hub")
    for told in (
        "How well it does that is not measured.",
        "Accuracy and all else: not measured.",
        "## Its audit\n\nNot m",
    ):
        assert told in card
    assert "model-index" not in card
    assert "license:" not in card
    assert "accuracy |" not in card
    assert small_model.card["dataset"]["fingerprint"] in card
    with quickly():
        said = sleevenotes("export", tmp_path / "alone" / "model", "--hub", "-o", tmp_path / "other")
    assert said.code == 0
    assert "Figures: none found, so the card says that nothing was measured\nAudit: none found" in said.out


def test_a_card_says_to_ask_for_sets_only_where_a_model_has_them(color_model: Model, tmp_path: Path):
    asked = "sleevenotes predict FOLDER cover.jpg --max-risk 0.4"
    assert f"{asked} --coverage 0.9\n" in hub(color_model, tmp_path / "with")
    plainly = changed(color_model, tmp_path / "model", calibration={"temperature": 1.0})
    assert f"{asked}\n" in hub(plainly, tmp_path / "without")
    assert loaded(tmp_path / "without").caution(max_risk=0.4).line is None


def test_a_card_tells_figures_with_intervals_baselines_and_the_audit(
    small_model: Model, measured: Path, tmp_path: Path
):
    card = hub(small_model, tmp_path / "hub", evaluation=measured, licence="cc-by-4.0")
    told = json.loads((measured / "evaluation.json").read_text(encoding="utf-8"))
    assert f"| accuracy | {told['accuracy']['value']:.3f} | too few covers |" in card  # of 20
    for baseline in told["baselines"].values():
        assert f"- {plain(baseline['words'])}" in card
    assert plain(told["verdict"]) in card
    assert "**suspicious**: Something is off." in card
    assert "Its audit is not clean" in card
    assert "may flatter it" in card  # nobody knows the artists of that evaluation
    assert "<script>" not in card
    assert "They \\*tell\\* the genre." in card


def test_the_block_before_a_card_is_what_the_hub_reads(small_model: Model, measured: Path, tmp_path: Path):
    from huggingface_hub import ModelCard

    content = hub(small_model, tmp_path / "hub", evaluation=measured, licence="cc-by-4.0")
    data = ModelCard(content).data
    told = json.loads((measured / "evaluation.json").read_text(encoding="utf-8"))
    assert (data.license, data.library_name, data.pipeline_tag) == ("cc-by-4.0", "sleevenotes", "image-classification")
    found = {result.metric_type: result.metric_value for result in data.eval_results}
    assert found["accuracy"] == told["accuracy"]["value"]
    assert {result.dataset_split for result in data.eval_results} == {"test"}


@given(st.text(max_size=40))
def test_names_of_others_are_read_as_they_are_written(name: str):
    import yaml

    evaluation = {"dataset": {"name": name}, "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}, "split": "test"}
    block = front_matter(Sources({"name": name}, {}, evaluation))
    told = yaml.safe_load(block.strip().strip("-"))
    (result,) = told["model-index"][0]["results"]
    assert result["metrics"][0]["name"] == "accuracy (95 % interval 0.400 to 0.600)"
    assert set(told) == {"library_name", "pipeline_tag", "tags", "model-index"}
    assert "\n" not in plain(name)
    assert "<" not in plain(name)


def test_figures_of_another_model_are_refused_where_named_and_passed_over_where_not(
    small_model: Model, measured: Path, tmp_path: Path
):
    told = json.loads((measured / "evaluation.json").read_text(encoding="utf-8"))
    write_json(measured / "evaluation.json", told | {"model_sha256": "0" * 64})
    with pytest.raises(EvaluationError, match=r"evaluation\.json: figures of another model\. .* were expected"):
        hub(small_model, tmp_path / "hub", evaluation=measured)
    with pytest.raises(EvaluationError, match=r"no evaluation\.json\. A folder that `evaluate` wrote to was expected"):
        hub(small_model, tmp_path / "hub", evaluation=tmp_path)
    beside = changed(small_model, measured / "other")  # around it lies that evaluation
    assert "model-index" not in hub(beside, tmp_path / "hub")
    write_json(measured / "evaluation.json", told)
    assert "model-index" in hub(beside, tmp_path / "hub")


def test_an_audit_of_other_covers_is_passed_over(small_model: Model, measured: Path, tmp_path: Path):
    path = measured / "audit" / "audit.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, told | {"dataset": {"fingerprint": "another"}})
    card = hub(small_model, tmp_path / "hub", evaluation=measured)
    assert "Something is off" not in card
    assert "hunts for leaks and shortcuts" in card


def test_what_the_card_says_to_type_gives_the_models_percentages(
    small_model: Model, single: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    card = hub(small_model, tmp_path / "hub")
    code = card.partition("```python\n")[2].partition("```")[0].replace("cover.jpg", str(single.path(0)))
    monkeypatch.chdir(tmp_path / "hub")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it is short, and leaves its files to Python
        found: dict[str, Any] = {}
        exec(code, found)
    assert set(small_model.genres) <= set(said.getvalue().split("'"))
    assert np.abs(found["proba"][0] - proba_of(small_model, [single.path(0)])[0]).max() < 1e-6
