"""A dataset loaded by Hugging Face `datasets`, offline, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.images import encode

SPLITS = ["train"] * 12 + ["valid"] * 4 + ["test"] * 4 + [""]
CODE = """
import json, sys
from datasets import load_dataset

folder, cache = sys.argv[1:]
loaded = load_dataset(folder, cache_dir=cache)
told = {name: [{**row, "image": row["image"].size} for row in rows] for name, rows in loaded.items()}
try:
    load_dataset("imagefolder", data_dir=folder, cache_dir=cache)
except ValueError as error:
    refused = str(error)
names = ["train.parquet", "validation.parquet", "test.parquet"]
other = load_dataset("imagefolder", data_dir=folder, metadata_filenames=names, cache_dir=cache)
print(json.dumps([told, refused, {name: rows.num_rows for name, rows in other.items()}]))
"""


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    folder = tmp_path / "covers"
    (folder / "images" / "Train").mkdir(parents=True)
    names = [f"images/Train/{n}.{'png' if n % 3 else 'jpg'}" for n in range(len(SPLITS))]
    for n, name in enumerate(names):
        pixels = np.full((8, 8 + n, 3), n, dtype=np.uint8)
        (folder / name).write_bytes(encode(pixels, "png" if n % 3 else "jpeg"))
    genres = ["rock;pop" if n % 2 else "folk" for n in range(len(SPLITS))]
    years = ["" if side == "test" else "2008" for side in SPLITS]  # a whole split without a year
    made = from_columns(folder, {"file_name": names, "genres": genres, "year": years, "split": SPLITS, "mood": genres})
    made.write()
    return made


def test_datasets_loads_the_right_splits_with_lists_of_genres(dataset: Dataset, tmp_path: Path) -> None:
    offline = {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", CODE, str(dataset.folder), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | offline, check=False)
    assert done.returncode == 0, done.stderr
    told, refused, counts = json.loads(done.stdout.splitlines()[-1])
    for name, side in (("train", "train"), ("validation", "valid"), ("test", "test")):
        rows = [n for n, each in enumerate(SPLITS) if each == side]
        assert counts[name] == len(rows)
        assert [row["image"] for row in told[name]] == [[8 + n, 8] for n in rows]
        assert [row["genres"] for row in told[name]] == [["rock", "pop"] if n % 2 else ["folk"] for n in rows]
        assert {row["year"] for row in told[name]} == {None if side == "test" else 2008}
        assert {row["mood"] for row in told[name]} <= {"folk", "rock;pop"}
    assert "corresponds to no data" in refused


def test_the_tables_of_the_splits_are_kept_current(dataset: Dataset) -> None:
    folder = dataset.folder
    card = folder / "README.md"
    assert "- split: validation" in card.read_text(encoding="utf-8")
    card.write_text("mine", encoding="utf-8")
    swapped = {"train": "test", "test": "train"}
    dataset.with_columns(split=[swapped.get(side, side) for side in SPLITS]).write()
    assert pl.read_parquet(folder / "test.parquet").height == SPLITS.count("train")
    assert card.read_text(encoding="utf-8") == "mine"
    Dataset.open(folder).with_columns(split=[""] * len(SPLITS)).write()
    assert not list(folder.glob("*.parquet"))


def test_a_dataset_that_is_not_split_gets_no_tables(tmp_path: Path) -> None:
    from_columns(tmp_path, {"file_name": ["a.jpg"], "genres": ["rock"]}).write()
    assert [path.name for path in tmp_path.iterdir()] == ["metadata.csv"]
