"""Check 8: lettering is found by a stand-in here; masks, the control, and what the check makes of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from covers_for_tests import GENRES, make_dataset
from sleevenotes.covers import lettering
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import encode, probe
from sleevenotes.covers.lettering import INSTALL, covered, elsewhere, masked
from sleevenotes.errors import SleevenotesError
from sleevenotes.judge.audit.findings import LeftOut
from sleevenotes.judge.audit.lettering import SHEET_NAME, Masked, without_lettering
from sleevenotes.learn.model import Model
from training_for_tests import train_quickly

TYPE = np.array([[0.1, 0.1, 0.9, 0.35]])  # where the tests' covers bear their lettering
INKS = np.array([(240, 200, 20), (30, 220, 240), (230, 30, 200)])


def lettered(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Stand in for the detector: all lettering is at one place."""
    return TYPE


# masks

sides = st.floats(0.0, 0.7), st.floats(0.02, 0.3)
some_boxes = st.lists(st.tuples(*sides, *sides), min_size=1, max_size=4).map(
    lambda found: np.array([(left, top, left + width, top + height) for left, width, top, height in found])
)


@settings(max_examples=40)
@given(some_boxes, st.integers(0, 99))
def test_masking_changes_nothing_outside_of_the_boxes(boxes: NDArray[np.float64], seed: int):
    cover = np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    inside, filled = covered((40, 50), boxes), masked(cover, boxes)
    assert (filled[~inside] == cover[~inside]).all()
    assert cover.shape == filled.shape


def test_a_box_takes_the_mean_colour_of_its_rim():
    cover = np.zeros((30, 30, 3), np.uint8)
    cover[:, :15], cover[:, 15:] = 100, 200
    cover[10:20, 10:20] = 7
    filled = masked(cover, np.array([[1 / 3, 1 / 3, 2 / 3, 2 / 3]]))
    assert (filled[10:20, 10:20] == 150).all()


def test_a_box_without_a_rim_takes_the_mean_colour_of_the_cover():
    cover = np.full((10, 10, 3), 60, np.uint8)
    assert (masked(cover, np.array([[0.0, 0.0, 1.0, 1.0]])) == 60).all()


@settings(max_examples=40)
@given(some_boxes, st.integers(0, 99))
def test_the_control_has_boxes_of_the_same_sizes(boxes: NDArray[np.float64], seed: int):
    other = elsewhere((40, 50), boxes, seed=seed)
    assert other.shape == boxes.shape
    assert other.min() >= 0
    assert other.max() <= 1
    areas = [sorted(covered((40, 50), box[None]).sum() for box in each) for each in (boxes, other)]
    assert areas[0] == areas[1]


@given(st.integers(0, 99))
@settings(max_examples=20)
def test_the_control_hides_no_lettering_where_there_is_room(seed: int):
    boxes = np.array([[0.1, 0.0, 0.9, 0.2], [0.2, 0.8, 0.5, 0.9]])
    other = elsewhere((60, 60), boxes, seed=seed)
    assert not (covered((60, 60), boxes) & covered((60, 60), other)).any()
    assert covered((60, 60), boxes).sum() == covered((60, 60), other).sum()


def test_the_control_is_the_same_for_the_same_seed():
    assert (elsewhere((60, 60), TYPE, seed=1) == elsewhere((60, 60), TYPE, seed=1)).all()
    assert (elsewhere((60, 60), TYPE, seed=1) != elsewhere((60, 60), TYPE, seed=2)).any()


# the door


def test_without_the_extra_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lettering, "PACKAGE", "a package that nobody has")
    assert not lettering.available()
    with pytest.raises(
        SleevenotesError, match=r'no text detector is installed. Install one: `pip install "sleevenotes'
    ):
        lettering.boxes(np.zeros((9, 9, 3), np.uint8))


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.uint8]]:
    """A package that finds one slanted line on what is not black, and keeps what it was shown."""
    seen: list[NDArray[np.uint8]] = []

    def found(pixels: NDArray[np.uint8]) -> SimpleNamespace:
        seen.append(pixels)
        corners = np.array([[[20, 2], [40, 8], [38, 12], [-3, 6]]], np.float32)
        return SimpleNamespace(boxes=corners if pixels.any() else None)

    package = ModuleType("rapidocr")
    package.RapidOCR = lambda params: found  # type: ignore[attr-defined]
    package.__spec__ = SimpleNamespace()  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "rapidocr", package)
    lettering._detector.cache_clear()
    yield seen
    lettering._detector.cache_clear()


def test_boxes_are_in_shares_of_the_sides_and_around_slanted_lettering(detector: list[NDArray[np.uint8]]):
    cover = np.zeros((20, 40, 3), np.uint8)
    assert lettering.boxes(cover).shape == (0, 4)
    cover[..., 0] = 255  # red
    assert lettering.boxes(cover).tolist() == [[0.0, pytest.approx(0.1), 1.0, pytest.approx(0.6)]]
    assert detector[-1][0, 0].tolist() == [0, 0, 255]  # blue comes first


# the check


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Model]:
    """Grey covers whose genre is told by the colour of a line on them alone, and a model of colours."""
    folder = tmp_path_factory.mktemp("written")
    dataset = make_dataset(folder / "d", covers=400, signal=False)
    rng = np.random.default_rng(0)
    for index, path in enumerate(dataset.paths):
        cover = np.clip(120 + rng.normal(0, 20, (48, 48, 3)), 0, 255).astype(np.uint8)
        cover[covered((48, 48), TYPE)] = INKS[index % 3]
        path.write_bytes(encode(cover, "png"))
    dataset = dataset.with_columns(sha256=[""] * len(dataset))
    dataset.write()
    dataset = Dataset.open(folder / "d")
    return dataset, train_quickly(dataset, "color", folder / "m")


def test_a_model_that_sees_nothing_but_lettering_is_called_broken(written: tuple[Dataset, Model], tmp_path: Path):
    dataset, model = written
    told = without_lettering(model, dataset.in_split("test"), detect=lettered, out=tmp_path)
    assert isinstance(told, Masked)
    assert told.plain > 0.95
    assert told.control > 0.9
    assert told.without < 0.55
    finding = told.finding()
    assert finding.verdict == "broken"
    assert finding.measured.p is not None
    assert finding.measured.p < 0.001
    assert "remains" in finding.words
    assert finding.details["masked"]["low"] <= told.without <= finding.details["masked"]["high"]
    assert finding.files[0][0] == SHEET_NAME
    assert json.dumps(finding.plain(), allow_nan=False)
    assert probe((tmp_path / SHEET_NAME).read_bytes(), "sheet").width > 500


def test_a_model_that_sees_the_whole_cover_is_clean(single: Dataset, color_model: Model):
    told = without_lettering(color_model, single, detect=lettered)
    assert isinstance(told, Masked)
    assert told.finding().verdict == "clean"
    assert "no more" in told.finding().words
    assert told.finding().files == []


def test_covers_without_lettering_or_with_too_much_are_left_out_and_counted(single: Dataset, color_model: Model):
    covers = single.where(np.arange(len(single)) < 60)
    counter = iter(range(60))

    def detect(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        return [TYPE, np.zeros((0, 4)), np.array([[0.0, 0.0, 1.0, 0.9]])][next(counter) % 3]

    told = without_lettering(color_model, covers, detect=detect)
    assert isinstance(told, Masked)
    assert told.details["covers"] == {"compared": 20, "without_lettering": 20, "too_much_lettering": 20}
    assert told.details["masked_share"] == pytest.approx(0.2, abs=0.03)


def test_too_few_covers_with_lettering_are_said_to_be_so(single: Dataset, color_model: Model):
    told = without_lettering(color_model, single.in_split("test"), detect=lambda pixels: np.zeros((0, 4)))
    assert isinstance(told, LeftOut)
    assert told.why == "Lettering that leaves room for a control was found on 0 of 30 covers; 20 or more are needed."


def test_without_a_detector_the_check_is_left_out_and_says_how_to_get_one(
    single: Dataset, color_model: Model, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lettering, "PACKAGE", "a package that nobody has")
    told = without_lettering(color_model, single)
    assert told == LeftOut(8, "Text or picture", "Lettering was not masked, as no text detector is installed.", INSTALL)


def test_any_number_of_genres_is_left_out_in_words(single: Dataset, color_model: Model):
    many = Model(color_model.folder, {**color_model.card, "task": "multi"}, color_model.head)
    told = without_lettering(many, single, detect=lettered)
    assert isinstance(told, LeftOut)
    assert "any number" in told.why


def test_genres_here_are_those_of_the_covers():
    assert len(INKS) == len(GENRES)
