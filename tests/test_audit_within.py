"""Auditing a joined dataset: one collection at a time, about the genres that it knows."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from sleevenotes.collect.joining import join
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import AuditError, ModelError, SleevenotesWarning
from sleevenotes.judge.audit.audit import AuditSettings, audit
from sleevenotes.judge.audit.within import narrowed, within
from sleevenotes.judge.evaluation import evaluate
from sleevenotes.judge.recorded import read_recorded
from sleevenotes.learn.model import Model
from sleevenotes.learn.recipes import Options, train
from test_joining import drawn, quietly

LEAKS = frozenset({6})


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two collections, of which one does not know folk and soul."""
    folder = tmp_path_factory.mktemp("within")
    styles = drawn(folder / "styles", ["rock;hip-hop", "folk", "soul", "rock"] * 12, seed=1)
    two = drawn(folder / "two", ["hip-hop", "rock"] * 24, seed=2)
    return quietly(join([styles, two], folder / "joined").dataset, task="multi", min_covers=5).dataset


@pytest.fixture(scope="module")
def model(joined: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("model") / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SleevenotesWarning)
        train(joined, "color", folder)
        train(joined, "color", folder / "color")  # a copy of itself stands in for its baseline
    return Model.load(folder)


def test_a_join_with_unknown_genres_is_not_audited_as_a_whole(joined: Dataset, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"not every genre is known of 48 of 96 covers. One of .*: styles, two"):
        audit(joined, tmp_path / "audit", AuditSettings(checks=LEAKS))


def test_a_collection_is_a_dataset_of_the_genres_that_it_knows(joined: Dataset, tmp_path: Path) -> None:
    part = within(joined, "two", tmp_path / "part", min_covers=5)
    assert Task.of(part).genres == ("hip-hop", "rock")
    assert set(part.column("collection")) == {"two"}
    assert (Task.of(part).truth_of(part) >= 0).all()
    assert part.paths[0].is_file()


def test_a_collection_that_is_not_there_or_has_too_few_genres_is_said(joined: Dataset, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"no collection 'twoo'. One of styles, two. Did you mean 'two'\?"):
        within(joined, "twoo", tmp_path / "part")
    with pytest.raises(AuditError, match="0 of its genres are on 30 covers of 'two' or more"):
        within(joined, "two", tmp_path / "part")


def test_a_narrowed_model_says_of_its_genres_what_the_whole_one_says(
    joined: Dataset, model: Model, tmp_path: Path
) -> None:
    genres = ["hip-hop", "rock"]
    narrow = Model.load(narrowed(model, genres, tmp_path / "narrow"))
    covers = joined.paths[:5]
    whole = np.array([one.proba for one in model.predict(covers)])
    part = np.array([one.proba for one in narrow.predict(covers)])
    np.testing.assert_allclose(part, whole[:, [model.genres.index(genre) for genre in genres]], atol=1e-7)


def test_the_audit_of_a_collection_asks_a_trained_model_about_its_genres(
    joined: Dataset, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sleevenotes.judge.audit.audit.within", lambda *given: within(*given, min_covers=5))
    settings = AuditSettings(trained=model.folder, collection="two", checks=LEAKS, price=False)
    told = audit(joined, tmp_path / "audit", settings)
    assert told["dataset"]["covers"] == 48
    assert Model.load(tmp_path / "audit" / "narrowed").genres == ("hip-hop", "rock")


def test_what_is_unknown_stands_in_the_predictions_and_is_read_back(
    joined: Dataset, model: Model, tmp_path: Path
) -> None:
    evaluate(model, joined, tmp_path, split="test", resamples=100)
    recorded = read_recorded(tmp_path)
    expected = Task.of(joined).truth_of(joined.in_split("test"))
    assert (expected < 0).any()
    np.testing.assert_array_equal(recorded.truth, expected)


def test_a_tuned_backbone_has_no_other_head_than_a_logistic_one(joined: Dataset, tmp_path: Path) -> None:
    options = Options(backbone="mobilenet_v2", finetune=True, head="linear")
    with pytest.raises(ModelError, match="head 'linear': a backbone goes on learning with a logistic head only"):
        train(joined, "backbone", tmp_path / "model", options)
