"""A model's card that was damaged or edited is refused in a sentence; no edit makes a model answer nonsense."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from damage import spoilt
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import write_json
from sleevenotes.errors import ModelError
from sleevenotes.learn.model import BOX, Model

NETWORK = {"architecture": None, "file": "network.onnx", "sha256": "0" * 64}
PART = {"name": "a", "kind": "network", "file": "parts/a.onnx", "size_px": 32, "views": ["whole"], "rooted": False,
        "network": NETWORK, "backbone": None}  # fmt: skip


def calibration(**keys: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda card: {"calibration": card["calibration"] | keys}


def parts(*found: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda card: {"network": None, "parts": list(found)}


def map_(**keys: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    how = {"kind": "platt", "scale": 1.0, "shift": 0.0}
    maps = [how, how, {key: value for key, value in (how | keys).items() if value is not ...}]
    return lambda card: {
        "task": "multi",
        "calibration": card["calibration"] | {"maps": maps, "thresholds": [0.5] * 3},
    }


EDITS: dict[str, tuple[Any, str]] = {
    "no calibration": ({"calibration": {}}, "calibration.temperature is missing. A number from 0.001 to 1,000"),
    "temperature as text": (calibration(temperature="1"), "calibration.temperature is '1'. A number from"),
    "temperature 0": (calibration(temperature=0), "calibration.temperature is 0. A number from 0.001"),
    "negative temperature": (calibration(temperature=-1), "calibration.temperature is -1"),
    "tiny temperature": (calibration(temperature=1e-300), "calibration.temperature is 1e-300"),
    "temperature NaN": (calibration(temperature=math.nan), "no valid JSON (line 1): NaN and Infinity are no numbers"),
    "genres a number": ({"genres": 5}, "genres is 5. A list that is not empty"),
    "genre a number": ({"genres": ["a", "b", 3]}, "genres[2] is 3. Text that is not empty was expected"),
    "too few genres": ({"genres": ["folk", "jazz"]}, "2 rows, as the card names 2 genres"),
    "too many genres": ({"genres": [*"abcdefghi"]}, "9 rows, as the card names 9 genres"),
    "one genre": ({"genres": ["folk"]}, "1 genres do not fit the task single"),
    "a genre twice": ({"genres": ["folk", "jazz", "folk"]}, "genres names 'folk' twice"),
    "three genres of two": ({"task": "binary"}, "3 genres do not fit the task binary"),
    "unknown task": ({"task": "foo"}, "task is 'foo'. One of single, binary, multi was expected"),
    "huge covers": ({"preprocessing": {"size_px": 10**9}}, "size_px is 1000000000. A whole number from 1 to 4,096"),
    "large covers": ({"preprocessing": {"size_px": 100_000}}, "size_px is 100000. A whole number from 1 to 4,096"),
    "negative covers": ({"preprocessing": {"size_px": -1}}, "preprocessing.size_px is -1"),
    "covers of text": ({"preprocessing": {"size_px": "64"}}, "preprocessing.size_px is '64'"),
    "covers of another size": ({"preprocessing": {"size_px": 33}}, "it can't be asked about covers of 33 × 33 px"),
    "parts without keys": (parts({}), "parts[0].name is missing"),
    "parts as text": ({"parts": "all"}, "parts is 'all'. A list that is not empty was expected"),
    "no parts": ({"parts": []}, "parts is an empty list"),
    "parts beside a network": ({"parts": [PART]}, "parts and a network exclude each other"),
    "part elsewhere": (parts(PART | {"file": "/etc/passwd"}), "parts[0].file is '/etc/passwd'. A file in the folder"),
    "part above": (parts(PART | {"file": "../network.onnx"}), "parts[0].file is '../network.onnx'"),
    "part above parts": (parts(PART | {"file": "parts/.."}), "parts/..: not there"),
    "part that is gone": (parts(PART), "parts/a.onnx: not there. Train the model again"),
    "part without a file": (parts({**PART, "file": None}), "parts[0].file is null"),
    "part without views": (parts({**PART, "views": ["behind"]}), "parts[0].views has the unknown view 'behind'"),
    "likeness of nothing": (parts({**PART, "kind": "likeness"}), "parts[0].sha256 is missing"),
    "short sets": (calibration(sets={"limits": [0.5] * 9}), "calibration.sets.limits is a list of 9. A list of 99"),
    "no risk": (calibration(risk={}), "calibration.risk.scale is missing (a number from -10,000"),
    "thresholds of others": (calibration(thresholds=[0.5] * 3), "thresholds does not fit the task single"),
    "too few maps": (
        lambda card: {"task": "multi", "calibration": card["calibration"] | {"maps": [], "thresholds": []}},
        "calibration.maps has 0 entries for 3 genres; calibration.thresholds has 0 entries for 3 genres",
    ),
    "map without a scale": (map_(scale=...), "calibration.maps[2].scale is missing"),
    "map of another kind": (map_(kind="spline"), "maps[2].kind is 'spline'. One of pooled, platt, isotonic"),
    "map of uneven points": (map_(kind="isotonic", logits=[0.0, 1.0], calibrated=[0.0]), "2 logits and 1 calibrated"),
    "map that falls": (
        map_(kind="isotonic", logits=[0.0, 1.0], calibrated=[1.0, 0.0]),
        "calibration.maps[2].calibrated does not rise",
    ),
    "map that turns back": (map_(kind="isotonic", logits=[1.0, 1.0], calibrated=[0.0, 1.0]), "logits does not rise"),
    "no weights": ({"weights": None}, "weights is null. An object was expected"),
    "other weights": ({"weights": {"sha256": "0" * 64}}, "weights.safetensors: its SHA-256 begins with"),
    "other network": ({"network": NETWORK}, "network.onnx: its SHA-256 begins with"),
    "no network": ({"network": None}, "preprocessing.size_px is 32, where a colour model takes 64"),
    "no network, other covers": (
        {"network": None, "preprocessing": {"size_px": 64}},
        "512 features of a cover, where the head takes",
    ),
    "newer format": ({"format": 2}, "format 2. At most format 1 is read here. Update sleevenotes"),
}  # fmt: skip


@pytest.fixture
def copied(small_model: Model, tmp_path: Path) -> Path:
    folder = tmp_path / "m"
    shutil.copytree(small_model.folder, folder)
    return folder


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_card_is_refused_in_a_sentence(copied: Path, single: Dataset, name: str):
    edit, words = EDITS[name]
    card = json.loads((copied / "model.json").read_text(encoding="utf-8"))
    (copied / "model.json").write_text(json.dumps(card | (edit(card) if callable(edit) else edit)), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        _ = [answer.proba for answer in Model.load(copied).predict(single.paths[:1])]
    assert words in str(caught.value)
    assert str(copied) in str(caught.value)


def test_a_name_that_is_no_escape_sequence_is_shown_and_harmless(copied: Path):
    card = json.loads((copied / "model.json").read_text(encoding="utf-8"))
    write_json(copied / "model.json", card | {"task": "\x1b]0;owned\x07"})
    with pytest.raises(ModelError) as caught:
        Model.load(copied)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("which", ["color", "multi", "in the box"])
def test_no_damage_and_no_edit_makes_a_traceback_or_nonsense(
    request: pytest.FixtureRequest, single: Dataset, tmp_path: Path, which: str
):
    source = BOX if which == "in the box" else request.getfixturevalue(f"{which}_model").folder
    folder = tmp_path / "m"
    folder.mkdir()
    for name in ("model.json", "weights.safetensors"):
        shutil.copyfile(source / name, folder / name)
    card = Model.load(folder).card
    logits = np.random.default_rng(0).normal(0, 2, (4, len(card["genres"])))
    sentences = []
    for name, content in spoilt(folder / "model.json"):
        (folder / "model.json").write_bytes(content)
        try:
            model = Model.load(folder)
            proba, caution = model.proba(logits), model.caution(max_risk=0.5)
        except ModelError as error:
            sentences.append(error.sentence)
            continue
        assert proba.shape == logits.shape, name
        assert ((proba >= 0) & (proba <= 1)).all(), name
        assert 0 <= caution.risk(proba[0]) <= 1, name
        assert model.genres == tuple(card["genres"]) or all(map(str.strip, model.genres)), name
    assert len(sentences) > 300
    assert all(map(str.isprintable, sentences))
