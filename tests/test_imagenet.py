"""Published networks: torchvision's names and shapes, and files of weights loaded key by key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from sleevenotes.covers.dataset import Dataset
from sleevenotes.errors import WeightsError
from sleevenotes.judge.audit.explanations import settle
from sleevenotes.learn import backbones
from sleevenotes.learn.backbones import BACKBONES, extractor, find, load
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.imagenet import PUBLISHED, BasicBlock, Bottleneck, Fire, alexnet

Shapes = dict[str, tuple[int, ...]]

# of the whole network, as torchvision's documentation has them
ALL_PARAMETERS = {
    "alexnet": 61_100_840,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet152": 60_192_808,
    "squeezenet1_1": 1_235_496,
    "mobilenet_v2": 3_504_872,
}
LAST_LAYERS: dict[str, Shapes] = {
    "alexnet": {"classifier.6.weight": (1000, 4096), "classifier.6.bias": (1000,)},
    "resnet18": {"fc.weight": (1000, 512), "fc.bias": (1000,)},
    "resnet34": {"fc.weight": (1000, 512), "fc.bias": (1000,)},
    "resnet152": {"fc.weight": (1000, 2048), "fc.bias": (1000,)},
    "squeezenet1_1": {"classifier.1.weight": (1000, 512, 1, 1), "classifier.1.bias": (1000,)},
    "mobilenet_v2": {"classifier.1.weight": (1000, 1280), "classifier.1.bias": (1000,)},
}


def layer(name: str, *shape: int) -> Shapes:
    """A layer with a weight and a bias."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def norm(name: str, channels: int) -> Shapes:
    kept = {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
    return kept | {f"{name}.num_batches_tracked": ()}


def alexnet_shapes() -> Shapes:
    return (
        layer("features.0", 64, 3, 11, 11)
        | layer("features.3", 192, 64, 5, 5)
        | layer("features.6", 384, 192, 3, 3)
        | layer("features.8", 256, 384, 3, 3)
        | layer("features.10", 256, 256, 3, 3)
        | layer("classifier.1", 4096, 9216)
        | layer("classifier.4", 4096, 4096)
    )


def resnet_shapes(blocks: tuple[int, ...], *, bottleneck: bool) -> Shapes:
    shapes: Shapes = {"conv1.weight": (64, 3, 7, 7)} | norm("bn1", 64)
    came = 64
    for stage, count in enumerate(blocks):
        wide = 64 * 2**stage
        leaves = 4 * wide if bottleneck else wide
        for block in range(count):
            name = f"layer{stage + 1}.{block}"
            if bottleneck:
                kernels = [(wide, came, 1, 1), (wide, wide, 3, 3), (leaves, wide, 1, 1)]
            else:
                kernels = [(wide, came, 3, 3), (wide, wide, 3, 3)]
            for index, kernel in enumerate(kernels, start=1):
                shapes |= {f"{name}.conv{index}.weight": kernel} | norm(f"{name}.bn{index}", kernel[0])
            if block == 0 and (bottleneck or stage):
                shapes |= {f"{name}.downsample.0.weight": (leaves, came, 1, 1)} | norm(f"{name}.downsample.1", leaves)
            came = leaves
    return shapes


def squeezenet_shapes() -> Shapes:
    shapes, came = layer("features.0", 64, 3, 3, 3), 64
    for index, narrow, half in (
        (3, 16, 64), (4, 16, 64), (6, 32, 128), (7, 32, 128), (9, 48, 192), (10, 48, 192), (11, 64, 256), (12, 64, 256)
    ):  # fmt: skip
        name = f"features.{index}"
        shapes |= layer(f"{name}.squeeze", narrow, came, 1, 1)
        shapes |= layer(f"{name}.expand1x1", half, narrow, 1, 1) | layer(f"{name}.expand3x3", half, narrow, 3, 3)
        came = 2 * half
    return shapes


TORCHVISION = {
    "alexnet": alexnet_shapes(),
    "resnet18": resnet_shapes((2, 2, 2, 2), bottleneck=False),
    "resnet34": resnet_shapes((3, 4, 6, 3), bottleneck=False),
    "resnet152": resnet_shapes((3, 8, 36, 3), bottleneck=True),
    "squeezenet1_1": squeezenet_shapes(),
}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights of this machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(backbones.WEIGHTS_VARIABLE, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for large files, which are not kept."""
    yield tmp_path
    for path in tmp_path.glob("*.pth"):
        path.unlink()


def built(name: str, seed: int = 0) -> CoverNetwork:
    """A network of random weights, batch norm's statistics included, made in no time."""
    with torch.device("meta"):
        network = PUBLISHED[name]()
    whole = network.to_empty(device="cpu")
    made = np.random.default_rng(seed)
    for key, value in whole.state_dict().items():
        drawn = made.standard_normal(min(value.numel(), 4001), dtype=np.float32)
        reach = 1.5 / np.sqrt(max(value[0].numel() if value.ndim > 1 else 100, 1))
        filled = torch.from_numpy(np.resize(drawn * np.float32(reach), tuple(value.shape)))
        value.copy_(1 + filled.abs() if key.endswith(("running_var", "num_batches_tracked")) else filled)
    whole.mean.copy_(255 * torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
    whole.deviation.copy_(255 * torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
    return whole.eval()


def saved_as_torchvision_does(name: str, network: CoverNetwork, folder: Path) -> Path:
    last = {key: torch.ones(shape) for key, shape in LAST_LAYERS[name].items()}
    torch.save({**network.state_dict(), **last}, folder / "published.pth")
    return folder / "published.pth"


def drawn(n: int, size_px: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (n, size_px, size_px, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", TORCHVISION)
def test_parameters_have_torchvisions_names_and_shapes(name: str):
    with torch.device("meta"):
        found = {key: tuple(value.shape) for key, value in PUBLISHED[name]().state_dict().items()}
    assert found == TORCHVISION[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_with_their_last_layer_they_have_as_many_parameters_as_torchvisions(name: str):
    with torch.device("meta"):
        parameters = sum(value.numel() for value in PUBLISHED[name]().parameters())
    assert parameters + sum(int(np.prod(shape)) for shape in LAST_LAYERS[name].values()) == ALL_PARAMETERS[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_file_is_loaded_key_by_key_and_gives_the_same_features(name: str, folder: Path):
    covers = torch.from_numpy(drawn(2, 64))
    network = built(name)
    settle(network, [network], covers)  # else what random batch norms see fades to nothing on its way
    loaded = load(find(name, weights=saved_as_torchvision_does(name, network, folder))).eval()
    saved, found = network.state_dict(), loaded.state_dict()
    assert list(found) == list(saved)
    assert all(torch.equal(value, saved[key]) for key, value in found.items())
    with torch.inference_mode():
        expected = network(covers)
        assert torch.equal(loaded(covers), expected)
    assert expected.shape == (2, BACKBONES[name].features)
    assert not torch.equal(expected[0], expected[1])


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("alexnet", (1, 4096, 1, 1)),
        ("resnet18", (1, 512, 7, 7)),
        ("resnet152", (1, 2048, 7, 7)),
        ("squeezenet1_1", (1, 512, 13, 13)),
        ("mobilenet_v2", (1, 1280, 7, 7)),
    ],
)
def test_the_last_map_of_a_cover_of_224_px(name: str, shape: tuple[int, ...]):
    with torch.device("meta"):  # shapes alone: nothing is computed
        assert PUBLISHED[name]().eval().maps(torch.zeros(1, 3, 224, 224)).shape == shape


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_smallest_covers_leave_something_to_pool(name: str):
    smallest = BACKBONES[name].sizes_px[0]
    with torch.device("meta"):
        network = PUBLISHED[name]().eval()
        assert network(torch.zeros(1, smallest, smallest, 3)).shape == (1, BACKBONES[name].features)
        if name == "alexnet":
            with pytest.raises(RuntimeError, match="too small"):
                network(torch.zeros(1, smallest - 1, smallest - 1, 3))


def test_alexnet_hides_numbers_while_it_learns_alone():
    torch.manual_seed(0)
    network = alexnet()
    covers = torch.from_numpy(drawn(1, 64))
    with torch.inference_mode():
        assert not torch.equal(network.train()(covers), network(covers))
        asked = network.eval()(covers)
        assert torch.equal(asked, network(covers))
    assert (asked >= 0).all()  # after the ReLU


def conv(maps: Tensor, kernel: Tensor) -> Tensor:
    return nn.functional.conv2d(maps, kernel, padding=kernel.shape[-1] // 2)


def test_a_basic_block_adds_what_went_in_before_its_last_relu():
    block = BasicBlock(4, 4, 1).eval()  # batch norm of 0 and 1 changes nothing but by its epsilon
    maps = torch.randn(2, 4, 5, 5)
    with torch.inference_mode():
        inner = conv(conv(maps, block.conv1.weight).relu(), block.conv2.weight)
        assert torch.allclose(block(maps), (inner + maps).relu(), atol=1e-3)


def test_a_bottleneck_strides_in_its_3_by_3_and_brings_its_input_to_shape():
    block = Bottleneck(4, 2, 2).eval()
    maps = torch.randn(2, 4, 6, 6)
    with torch.inference_mode():
        inner = conv(conv(maps, block.conv1.weight).relu(), block.conv2.weight)[:, :, ::2, ::2].relu()
        shortcut = conv(maps, block.downsample[0].weight)[:, :, ::2, ::2]
        assert torch.allclose(block(maps), (conv(inner, block.conv3.weight) + shortcut).relu(), atol=1e-3)
    assert block.conv2.stride == (2, 2)
    assert block.conv1.stride == (1, 1)


def test_a_fire_has_its_1_by_1_before_its_3_by_3():
    fire = Fire(3, 2, 4).eval()
    maps = torch.randn(1, 3, 5, 5)
    with torch.inference_mode():
        narrow = fire.squeeze(maps).relu()
        found = fire(maps)
        assert torch.equal(found[:, :4], fire.expand1x1(narrow).relu())
        assert torch.equal(found[:, 4:], fire.expand3x3(narrow).relu())


# -------------------------------------------------------------------------------- extractors


def test_an_extractor_gives_the_features_of_the_network_that_was_saved(folder: Path):
    network = built("squeezenet1_1")
    path = saved_as_torchvision_does("squeezenet1_1", network, folder)
    for size_px in (None, 32):
        asked = extractor("squeezenet1_1", size_px, weights=path)
        covers = drawn(3, asked.size_px)
        with torch.inference_mode():
            expected = network(torch.from_numpy(covers)).numpy()
        found = asked.features(covers)
        assert asked.size_px == (size_px or 224)
        assert found.dtype == np.float32
        assert np.allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_its_key_tells_network_weights_and_size_and_the_cache_goes_by_it(folder: Path, copied: Dataset):
    paths = []
    for seed in (0, 1):
        path = saved_as_torchvision_does("squeezenet1_1", built("squeezenet1_1", seed), folder)
        paths.append(path.rename(folder / f"{seed}.pth"))
    asked = extractor("squeezenet1_1", 32, weights=paths[0])
    assert asked.key == f"squeezenet1_1-{find('squeezenet1_1', weights=paths[0]).sha256[:16]}-32px"
    others = [extractor("squeezenet1_1", 32, weights=paths[1]), extractor("squeezenet1_1", 33, weights=paths[0])]
    assert asked.key not in [other.key for other in others]
    some = copied.where([index < 20 for index in range(len(copied))])
    found = dataset_features(some, asked)
    assert found.shape == (20, 512)
    assert (copied.cache / f"features-{asked.key}.npz").is_file()
    paths[0].unlink()  # nothing is computed again
    assert np.array_equal(dataset_features(some, asked), found)


@pytest.mark.parametrize(
    ("name", "size_px", "told"),
    [
        ("alexnet", 32, r"alexnet: 32 px leave it nothing to pool\. Covers of 63 px or more were expected\."),
        ("resnet18", 31, r"resnet18: 31 px leave it nothing to pool\. Covers of 32 px or more were expected\."),
        ("mobilenet_edgetpu", 32, r"mobilenet_edgetpu: 32 px\. Covers of 224 px were expected\."),
        ("mobilenet_edgetpu", 300, r"mobilenet_edgetpu: 300 px\. Covers of 224 px were expected\."),
    ],
)
def test_covers_of_a_size_that_a_backbone_can_not_take_are_refused(name: str, size_px: int, told: str):
    with pytest.raises(WeightsError, match=told):
        extractor(name, size_px)


def test_weights_that_are_not_at_hand_are_an_error_before_any_cover_is_read():
    with pytest.raises(WeightsError, match=r"none are published\. Name a file of weights with --weights FILE \(or its"):
        extractor("mobilenet_edgetpu")


def test_an_onnx_graph_of_others_gets_its_covers_from_minus_1_to_1(tmp_path: Path):
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
            onnx.helper.make_node("Flatten", ["pooled"], ["features"]),
        ],
        "mean",
        [onnx.helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["N", 3, 224, 224])],
        [onnx.helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["N", 3])],
    )
    opsets = [onnx.helper.make_opsetid("", 13)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "mine.onnx")
    asked = extractor("mobilenet_edgetpu", weights=tmp_path / "mine.onnx")
    covers = np.zeros((2, 224, 224, 3), np.uint8)
    covers[0, :, :, 0], covers[1, :112, :, 2] = 255, 255  # red, and the upper half blue
    assert np.allclose(asked.features(covers), [[1, -1, -1], [-1, -1, 0]], atol=1e-5)


def test_an_onnx_graph_that_is_damaged_is_told_in_a_sentence(tmp_path: Path):
    (tmp_path / "mine.onnx").write_bytes(b"no graph")
    with pytest.raises(WeightsError, match=r"mine\.onnx: can't be read \(.*\)\. An ONNX file was expected"):
        extractor("mobilenet_edgetpu", weights=tmp_path / "mine.onnx").features(drawn(1, 224))
