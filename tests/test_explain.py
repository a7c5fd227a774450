"""Where a model looks: Grad-CAM against its formula, against a planted truth, and as files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from torch import nn

from covers_for_tests import GENRES
from sleevenotes.collect.demo import DemoSettings, draw_demo
from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.files import write_json
from sleevenotes.covers.images import decode, encode, probe, resize
from sleevenotes.errors import CoverError, ModelError
from sleevenotes.judge.explain import (
    HEAT_ANCHORS,
    Explainer,
    enlarged,
    explain,
    grad_cam,
    heat_colors,
    last_map_layer,
    overlay,
    peak_is_inside,
)
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.imagenet import MOBILENET_PX, mobilenet_v2
from sleevenotes.learn.model import Model
from sleevenotes.learn.networks import SMALL_PX, small_network
from sleevenotes.learn.recipes import Options, train
from sleevenotes.learn.training import TrainingSettings
from training_for_tests import quickly, tiny_network

Box = tuple[float, float, float, float]


@pytest.fixture
def tiny() -> Iterator[None]:
    """The models of the recipe `small` that tests share have the tiny network."""
    with quickly():
        yield


# the formula


def random_covers(n: int, size_px: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(2).integers(0, 256, (n, size_px, size_px, 3), dtype=np.uint8))


def class_activation(network: CoverNetwork, weight: torch.Tensor, covers: torch.Tensor) -> np.ndarray:
    """The map of Zhou et al. 2016: ReLU(Σ w_c A_c), divided by its largest value."""
    with torch.inference_mode():
        maps = network.features(network.normalise(covers))  # (n, D, h, w)
        spoken = torch.relu(torch.einsum("d,ndhw->nhw", weight, maps))
        return (spoken / spoken.amax(dim=(1, 2), keepdim=True).clamp_min(1e-12)).numpy()


@pytest.mark.parametrize(("make", "size_px", "side"), [(tiny_network, 32, 8), (small_network, SMALL_PX, 12)])
def test_for_a_linear_head_grad_cam_is_the_class_activation_map(make: type, size_px: int, side: int):
    torch.manual_seed(0)
    network, covers = make().eval(), random_covers(3, size_px)
    network.power = 1.0  # the exact share of each place is known for the plain mean only
    weight = torch.randn(12 if make is tiny_network else 192)
    found = grad_cam(network, lambda features: features @ weight + 0.5, covers)
    assert found.shape == (3, side, side)
    assert np.allclose(found, class_activation(network, weight, covers), atol=1e-5)
    assert np.allclose(found.max(axis=(1, 2)), 1)
    assert found.min() >= 0


def test_the_map_of_a_genre_for_which_nothing_speaks_is_nought_everywhere():
    network = tiny_network().eval()
    weight = -torch.ones(12)  # the maps are not negative
    assert not grad_cam(network, lambda features: features @ weight, random_covers(1, 32)).any()


def test_the_last_map_is_found_in_both_networks():
    for network, size_px in ((small_network(), SMALL_PX), (mobilenet_v2(), MOBILENET_PX)):
        found = last_map_layer(network.eval(), random_covers(1, size_px))
        assert found is network.features[-1][-1]


def test_the_last_map_is_found_before_layers_that_have_no_places():
    class Pooling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps = nn.Conv2d(3, 4, 3)
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.head = nn.Linear(4, 2)

        def forward(self, covers: torch.Tensor) -> torch.Tensor:
            return self.head(self.pool(self.maps(covers.permute(0, 3, 1, 2).float())).flatten(1))

    network = Pooling().eval()
    assert last_map_layer(network, random_covers(1, 32)) is network.maps


def test_a_network_may_say_which_of_its_layers_is_explained():
    network = tiny_network().eval()
    assert last_map_layer(network, random_covers(1, 32)) is network.features[-1][-1]
    network.explained = "features.0.2"
    assert last_map_layer(network, random_covers(1, 32)) is network.features[0][2]
    maps = grad_cam(network, lambda features: features.sum(dim=1), random_covers(2, 32))
    assert maps.shape == (2, 16, 16)


@pytest.mark.usefixtures("tiny")
def test_a_model_is_asked_through_its_own_head(small_model: Model, single: Dataset):
    explainer = Explainer(small_model)
    covers = np.stack([decode(path)[:32, :32] for path in single.paths[:3]])
    for index, genre in enumerate(GENRES):
        weight = torch.from_numpy(small_model.head.weight[index].copy())
        expected = class_activation(explainer.network, weight, torch.from_numpy(covers))
        assert np.allclose(explainer.maps(covers, genre), expected, atol=1e-5)


def test_mobilenet_is_asked_through_its_head(mobilenet_model: Model):
    explainer, covers = Explainer(mobilenet_model), random_covers(1, MOBILENET_PX)
    weight = torch.from_numpy(mobilenet_model.head.weight[1].copy())
    found = explainer.maps(covers.numpy(), GENRES[1])
    assert found.shape == (1, 7, 7)
    assert np.allclose(found, class_activation(explainer.network, weight, covers), atol=1e-4)


# the pointing game


@pytest.fixture(scope="module")
def pointing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Dataset, list[Box]]:
    """The real `small`, trained for a few epochs on demo covers told by their motif, and the boxes of those in test."""
    folder = tmp_path_factory.mktemp("pointing")
    settings = DemoSettings(
        genres=2, covers_per_genre=100, size_px=SMALL_PX, motif_signal=1, palette_signal=0,
        near_duplicates=0, exact_duplicates=0, broken=0,
    )  # fmt: skip
    drawn = draw_demo(folder, settings, seed=3)
    order = np.random.default_rng(0).permutation(len(drawn))
    covers = [drawn[index] for index in order]
    split = ["train"] * 125 + ["valid"] * 30 + ["test"] * (len(covers) - 155)
    columns = {"file_name": [cover.file_name for cover in covers], "genres": [cover.genre for cover in covers]}
    dataset = from_columns(folder, columns | {"split": split})
    write_json(folder / "split.json", {"task": "single", "genres": dataset.genres})
    with quickly(tiny=False):
        training = TrainingSettings(epochs=12, batch=8, rate=1e-3, warm_up=1)
        model = train(dataset, "small", folder / "model", Options(training=training))
    test = dataset.in_split("test")
    boxes = {cover.file_name: cover.motif_box for cover in covers}
    sizes = {name: decode(folder / name).shape for name in test.file_names}
    return model, test, [as_shares(boxes[name], sizes[name]) for name in test.file_names]


def as_shares(box: tuple[int, int, int, int] | None, shape: tuple[int, ...]) -> Box:
    """A box in px as shares of a cover's width and height."""
    assert box is not None
    return box[0] / shape[1], box[1] / shape[0], box[2] / shape[1], box[3] / shape[0]


def test_the_peak_of_the_map_lies_on_the_motif_that_tells_the_genre(pointing: tuple[Model, Dataset, list[Box]]):
    model, test, boxes = pointing
    explainer = Explainer(model)
    inside, shares = [], []
    for path, (genre,), box, answer in zip(test.paths, test.genre_lists, boxes, model.predict(test.paths), strict=True):
        if answer.top(model.genres, 1)[0][0] == genre:
            heat = explainer.maps(resize(decode(path), model.size_px)[None], genre)[0]
            inside.append(peak_is_inside(heat, box))
            shares.append((box[2] - box[0]) * (box[3] - box[1]))
    assert len(inside) > 0.7 * len(test)  # guessing gets half
    by_chance = float(np.mean(shares))
    assert np.mean(inside) > 4 * by_chance
    assert binomtest(sum(inside), len(inside), by_chance, alternative="greater").pvalue < 1e-6


def test_a_peak_is_inside_a_box_or_not():
    heat = np.zeros((4, 8))
    heat[1, 6] = 1  # its middle lies at 13/16 from the left, 3/8 from the top
    assert peak_is_inside(heat, (0.75, 0.25, 0.875, 0.5))
    assert peak_is_inside(heat, (0.8125, 0.375, 0.8125, 0.375))
    assert not peak_is_inside(heat, (0.25, 0.75, 0.5, 0.875))
    assert not peak_is_inside(heat, (0.0, 0.0, 0.8, 1.0))


# pictures


def test_the_colours_of_a_map_become_lighter_from_nought_to_one():
    shades = heat_colors(np.linspace(0, 1, 256)[None])[0]
    assert shades[0].tolist() == list(HEAT_ANCHORS[0][1:])
    assert shades[-1].tolist() == list(HEAT_ANCHORS[-1][1:])
    lightness = shades @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > -0.75).all()  # but for rounding
    assert lightness[-1] - lightness[0] > 200


def test_a_map_is_enlarged_smoothly_and_its_peak_stays():
    heat = np.zeros((4, 4), dtype=np.float32)
    heat[1, 2] = 1
    large = enlarged(heat, (40, 80))
    assert large.shape == (40, 80)
    row, column = np.unravel_index(large.argmax(), large.shape)
    assert abs(row - 14.5) < 1
    assert abs(column - 49.5) < 1
    assert np.allclose(enlarged(np.full((3, 5), 0.4, dtype=np.float32), (7, 9)), 0.4)


def test_an_overlay_is_quiet_where_the_map_is_small_and_glows_where_it_is_large():
    cover = np.full((2, 2, 3), (200, 100, 30), dtype=np.uint8)
    found = overlay(cover, np.array([[0, 1], [0, 1]], dtype=np.float32))
    assert found.dtype == np.uint8
    assert found[:, 0].mean() < cover.mean()
    assert found[:, 1].mean() > found[:, 0].mean() + 50
    white = overlay(np.full((1, 1, 3), 255, dtype=np.uint8), np.ones((1, 1), dtype=np.float32))
    assert white.max() <= 255


# files


@pytest.mark.usefixtures("tiny")
def test_maps_are_written_for_the_predicted_and_any_named_genre(single: Dataset, small_model: Model, tmp_path: Path):
    wide = tmp_path / "Sgt. Pepper's.png"
    wide.write_bytes(encode(np.repeat(decode(single.path(0)), 2, axis=1), "png"))  # 96 × 48
    found, unreadable = explain(small_model, [wide, single.path(1)], tmp_path / "maps", genres=["metal", "metal"])
    assert not unreadable
    written = json.loads((tmp_path / "maps" / "explanations.json").read_text(encoding="utf-8"))
    assert [vars(one) for one in found] == written
    named = {one[kind] for one in written for kind in ("cover", "heat", "overlay")}
    assert {path.name for path in (tmp_path / "maps").iterdir()} == named | {"explanations.json"}
    (answer, other) = small_model.predict([wide, single.path(1)])
    for told, prediction in ((written[0], answer), (written[-1], other)):
        assert told["predicted"] == prediction.top(GENRES, 1)[0][0]
        assert told["proba"] == pytest.approx(dict(prediction.top(GENRES))[told["genre"]], abs=1e-5)
    first = [one for one in written if one["file_name"] == str(wide)]
    assert [one["genre"] for one in first] == list(dict.fromkeys([first[0]["predicted"], "metal"]))
    for name in ("cover", "heat", "overlay"):
        data = (tmp_path / "maps" / first[0][name]).read_bytes()
        info = probe(data, name)
        assert (info.width, info.height) == (448, 224)
        assert info.format == ("png" if name == "heat" else "jpeg")
    assert all(one["truth"] == "" and one["correct"] is None for one in written)


@pytest.mark.usefixtures("tiny")
def test_what_the_dataset_says_is_told_beside_what_the_model_says(single: Dataset, small_model: Model, tmp_path: Path):
    told = [prediction.top(GENRES, 1)[0][0] for prediction in small_model.predict(single.paths[:2])]
    others = [next(genre for genre in GENRES if genre != one) for one in told]
    found, _ = explain(
        small_model,
        single.paths[:2],
        tmp_path,
        truths=[f"{told[0]};{others[0]}", others[1]],
        names=single.file_names[:2],
    )
    assert [(one.file_name, one.correct) for one in found] == [
        (single.file_names[0], True),
        (single.file_names[1], False),
    ]
    assert found[0].truth == f"{told[0]};{others[0]}"


@pytest.mark.usefixtures("tiny")
def test_a_cover_that_can_not_be_read_is_told_and_the_others_go_on(single: Dataset, small_model: Model, tmp_path: Path):
    (tmp_path / "broken.jpg").write_bytes(b"no cover")
    covers = [single.path(0), tmp_path / "broken.jpg", tmp_path / "gone.jpg", single.path(1)]
    found, unreadable = explain(small_model, covers, tmp_path / "maps")
    assert [one.file_name for one in found] == [str(single.path(0)), str(single.path(1))]
    assert all(isinstance(error, CoverError) for error in unreadable)
    assert [error.where for error in unreadable] == [str(path) for path in covers[1:3]]  # as they were named
    assert all(str(error).startswith(f"{error.where}: ") for error in unreadable)


@pytest.mark.usefixtures("tiny")
def test_genres_whose_names_look_alike_in_a_file_system_have_pictures_of_their_own(
    single: Dataset, small_model: Model, tmp_path: Path
):
    folder = shutil.copytree(small_model.folder, tmp_path / "m")
    genres = ["рок", "поп", "r&b"]
    write_json(folder / "model.json", json.loads((folder / "model.json").read_text()) | {"genres": genres})
    found, _ = explain(Model.load(folder), single.paths[:1], tmp_path / "maps", genres=genres)
    assert {one.genre for one in found} == set(genres)
    assert len({one.heat for one in found}) == len({one.overlay for one in found}) == 3
    assert all(name.isascii() for one in found for name in (one.cover, one.heat, one.overlay))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("task", ["binary", "multi"])
def test_every_task_is_explained(request: pytest.FixtureRequest, single: Dataset, tmp_path: Path, task: str):
    model: Model = request.getfixturevalue(f"{task}_model")
    found, _ = explain(model, single.paths[:2], tmp_path, genres=["metal"])
    assert {one.genre for one in found} >= {"metal"}


@pytest.mark.usefixtures("tiny")
def test_an_unknown_genre_is_told_before_anything_is_written(single: Dataset, small_model: Model, tmp_path: Path):
    with pytest.raises(
        ModelError, match=r"'mettal' is unknown .* Its genres are folk, jazz, metal\. Did you mean 'meta"
    ):
        explain(small_model, single.paths[:1], tmp_path / "maps", genres=["mettal"])
    assert not (tmp_path / "maps").exists()


def test_a_model_of_colours_says_that_it_knows_no_places(single: Dataset, color_model: Model, tmp_path: Path):
    with pytest.raises(
        ModelError, match=r"'color' sees colours without their places\. .* --model small or --model mob"
    ):
        explain(color_model, single.paths[:1], tmp_path / "maps")


def test_a_network_that_is_not_known_here_is_told(small_model: Model):
    with pytest.raises(ModelError, match=r"not the parameters of the network 'small' as it is here"):
        Explainer(small_model)
