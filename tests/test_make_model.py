"""The script that makes the model in the box: what it measures, and what it audits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import make_model
import numpy as np
import pytest

from sleevenotes.covers.dataset import Dataset
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.model import Model

GENRES = ("folk", "house", "rock")


def answers(n: int, *, right: bool, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Answers about covers of a collection that knows folk and rock, one a cover, and of one that knows all three."""
    rng = np.random.default_rng(seed)
    told = {}
    for name in make_model.COLLECTIONS:
        truth = np.eye(3, dtype=np.int64)[rng.integers(0, 3, n)]
        if name == "five":
            truth = np.eye(3, dtype=np.int64)[2 * rng.integers(0, 2, n)]
        proba = 0.1 + 0.8 * truth if right else rng.random((n, 3))
        if name == "five":
            truth[:, 1] = -1
        alone = np.arange(n) % 10 > 0
        told[name] = {"truth": truth, "proba": proba, "groups": [f"g{i}" for i in range(n)], "alone": alone}
    return told


def test_answers_that_are_all_right_are_measured_as_such():
    found = make_model.measured([answers(60, right=True), answers(60, right=True, seed=1)], GENRES)
    assert found["five_genres"]["genres"] == ["folk", "rock"]
    assert (found["five_genres"]["accuracy"]["value"], found["five_genres"]["accuracy"]["high"]) == (1, 1)
    assert 0.9 < found["five_genres"]["accuracy"]["low"] < 1
    assert found["five_genres"]["answers"] == 2 * 54, "covers of several genres have no single right answer"
    assert set(found["collections"]["five"]["genres"]) == {"folk", "rock"}, "house is unknown there"
    assert set(found["collections"]["styles"]["genres"]) == set(GENRES)
    assert found["collections"]["styles"]["roc_auc_macro"]["value"] == 1.0


def test_answers_by_chance_are_measured_as_such():
    found = make_model.measured([answers(400, right=False, seed=seed) for seed in range(3)], GENRES)
    for figure, chance in (
        (found["five_genres"]["accuracy"], 0.5),
        (found["collections"]["styles"]["roc_auc_macro"], 0.5),
    ):
        assert figure["low"] < chance < figure["high"]


@pytest.mark.parametrize("kept", [(0, 2), (1, 2)])
def test_a_narrowed_model_says_the_same_of_fewer_genres(
    multi_model: Model, multi: Dataset, tmp_path: Path, kept: tuple[int, ...]
):
    genres = [multi_model.genres[index] for index in kept]
    narrow = Model.load(make_model.narrowed(multi_model, genres, tmp_path / "narrow"))
    assert narrow.genres == tuple(genres)
    features = dataset_features(multi.in_split("test"), multi_model.extractor)
    expected = multi_model.proba(multi_model.head.logits(features))[:, list(kept)]
    np.testing.assert_allclose(narrow.proba(narrow.head.logits(features)), expected, atol=1e-6)
    assert narrow.baseline is not None
    assert narrow.baseline.genres == tuple(genres)
