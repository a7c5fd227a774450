"""The model in the box: small, whole, at hand without training, and told what it is."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import Run
from sleevenotes.covers.dataset import Dataset
from sleevenotes.learn.model import BOX, Model

MOST_BYTES = 4_000_000


@pytest.fixture(scope="module")
def box() -> Model:
    return Model.in_the_box()


def test_the_box_takes_at_most_four_megabytes_in_the_wheel(tmp_path: Path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "box.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in BOX.rglob("*"):
            archive.write(path, path.relative_to(BOX))
    assert (tmp_path / "box.zip").stat().st_size <= MOST_BYTES


def test_it_knows_any_number_of_at_least_five_genres_and_says_how_well(box: Model):
    assert box.task == "multi"
    assert {"country", "electronic", "hip-hop", "pop", "rock"} <= set(box.genres)
    figure = box.card["figures"]["five_genres"]["accuracy"]
    assert 0.2 < figure["low"] < figure["value"] < figure["high"] < 1
    for collection in box.card["figures"]["collections"].values():
        assert all(each["roc_auc"]["low"] < each["roc_auc"]["high"] for each in collection["genres"].values())


def test_its_card_says_what_the_figures_say_and_what_it_is_not_for(box: Model):
    card = (BOX / "CARD.md").read_text(encoding="utf-8")
    assert f"{box.card['figures']['five_genres']['accuracy']['value']:.3f}" in card
    assert box.card["dataset"]["fingerprint"] in card
    assert "Progressive rock is left out" in card
    assert all(genre in card for genre in box.genres)


def test_no_genre_is_in_it_that_is_told_by_its_source_or_that_few_covers_have(box: Model):
    assert "progressive rock" not in box.genres
    assert min(box.card["dataset"]["train_covers"].values()) >= 60  # of the hundred, what is in train


def test_predict_without_a_model_asks_the_box(few: Dataset, box: Model, sleevenotes: Run):
    paths = [few.path(index) for index in range(3)]
    said = sleevenotes("predict", *paths, "--json", "--top", 99)
    lines = [json.loads(line) for line in said.out.splitlines()]
    for line, prediction in zip(lines, box.predict(paths), strict=True):
        assert prediction.proba is not None
        told = {each["genre"]: each["proba"] for each in line["genres"]}
        np.testing.assert_allclose([told[genre] for genre in box.genres], prediction.proba, atol=1e-6)


def test_a_folder_of_covers_is_not_taken_for_a_model(few: Dataset, sleevenotes: Run):
    rows = list(csv.reader(sleevenotes("predict", few.folder / "images", "--csv").out.splitlines()))
    assert len(rows) == 1 + len(few)


def test_what_was_meant_as_a_model_is_said_to_be_none(few: Dataset, tmp_path: Path, sleevenotes: Run):
    said = sleevenotes("predict", tmp_path / "modle", few.path(0))
    assert said.code == 1
    assert "modle: no such folder. A model was expected." in said.err


def test_explain_without_a_model_draws_what_the_box_saw(few: Dataset, tmp_path: Path, sleevenotes: Run):
    assert sleevenotes("explain", few.path(0), "-o", tmp_path / "maps").code == 0
    assert list((tmp_path / "maps").glob("*overlay*"))


def test_asking_the_box_loads_neither_torch_nor_scikit_learn(few: Dataset):
    code = (
        "import sys; from sleevenotes.cli import main; "
        f"sys.argv = ['sleevenotes', 'predict', {str(few.path(0))!r}]; main(); "
        "sys.exit(bool({'torch', 'sklearn', 'scipy', 'polars'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_asking_the_box_tells_nobody(few: Dataset, tmp_path: Path):
    # what silences a library in a test, or on a server that tests, is not what silences it for users
    quiet = ("CI", "TF_BUILD", "ORT_RUNNING_UNIT_TESTS", "ORT_DISABLE_TELEMETRY", "GITHUB_ACTIONS", "XDG_CACHE_HOME")
    places = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    environment = {name: value for name, value in os.environ.items() if name not in quiet} | places
    command = [sys.executable, "-m", "sleevenotes", "predict", str(few.path(0))]
    assert subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    assert list(tmp_path.iterdir()) == []  # no mark by which this machine could be known again
