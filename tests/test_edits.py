"""Genres that were changed after the model could answer are counted, and their effect is shown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import copy_of
from covers_for_tests import GENRES, make_dataset
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.mending import mend, undo
from sleevenotes.errors import ModelError
from sleevenotes.judge.evaluation import evaluate
from sleevenotes.judge.recorded import read_recorded
from sleevenotes.learn import scoring_log
from sleevenotes.learn.model import Model
from sleevenotes.learn.scoring_log import First, first_seen, record_elsewhere, record_first
from training_for_tests import train_quickly

RESAMPLES = 100
FIRST = "first_genres.csv"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Model]:
    """A dataset whose genres do not show, so that a model is often wrong, and the model."""
    folder = tmp_path_factory.mktemp("edits")
    dataset = make_dataset(folder / "dataset", covers=200, signal=False)
    return dataset, train_quickly(dataset, "color", folder / "model")


@pytest.fixture
def judged(made: tuple[Dataset, Model], tmp_path: Path) -> tuple[Dataset, Model, dict[str, Any]]:
    """Copies of both, and what the model's evaluation says before anybody changes a genre."""
    dataset = copy_of(made[0], tmp_path / "dataset")
    model = Model.load(shutil.copytree(made[1].folder, tmp_path / "model"))
    return dataset, model, evaluated(model, dataset)


def evaluated(model: Model, dataset: Dataset, **more: Any) -> dict[str, Any]:
    return evaluate(model, dataset, model.folder.parent / "out", **{"resamples": RESAMPLES, **more})


def surest_wrong(model: Model, count: int) -> list[tuple[str, str]]:
    """The covers that the model is wrong about, the surest first, and its answers."""
    recorded = read_recorded(model.folder.parent / "out")
    said = recorded.proba.argmax(axis=1)
    order = sorted(np.flatnonzero(said != recorded.truth), key=lambda at: -recorded.proba[at].max())
    return [(recorded.file_names[at], GENRES[said[at]]) for at in order[:count]]


def elsewhere(folder: Path) -> Dataset:
    """A dataset of covers and artists that the model has never seen."""
    made = make_dataset(folder / "foreign", covers=60, seed=9, signal=False)
    made.with_columns(artist=[f"another {at}" for at in range(60)]).write()
    return Dataset.open(made.folder)


def relabelled(dataset: Dataset, changes: Sequence[tuple[str, str]]) -> Dataset:
    """The table as a spreadsheet would leave it, without a line in the log."""
    genres = dict(zip(dataset.file_names, dataset.column("genres"), strict=True)) | dict(changes)
    changed = dataset.with_columns(genres=[genres[name] for name in dataset.file_names])
    changed.write()
    return Dataset.open(dataset.folder)


def mended(dataset: Dataset, changes: Sequence[tuple[str, str]]) -> Dataset:
    for name, genre in changes:
        dataset, _ = mend(dataset, name, genres=[genre], who="ann")
    return dataset


@pytest.mark.parametrize("change", [mended, relabelled])
def test_genres_changed_to_the_answer_are_counted_and_the_figure_is_given_without_them(judged, change):
    dataset, model, before = judged
    assert before["edits"] is None
    after = evaluated(model, change(dataset, surest_wrong(model, 8)))
    assert after["accuracy"]["value"] == pytest.approx(before["accuracy"]["value"] + 8 / 30)
    edits = after["edits"]
    assert (edits["changed"], edits["changed_towards"], edits["changed_before_training"]) == (8, 8, 0)
    assert edits["with_genres_before"]["accuracy"] == before["accuracy"]
    assert edits["with_genres_before"]["chance"] == before["chance"]
    share = f"{100 * before['accuracy']['value']:.0f} %"
    assert (
        f"8 of 30 test genres were changed after this model answered, 8 towards its answer. With the genres of before, "
        f"it is right {share} of the time ("
    ) in after["verdict"]


def test_changes_away_from_the_answer_are_no_changes_towards_it(judged):
    dataset, model, before = judged
    recorded = read_recorded(model.folder.parent / "out")
    said = recorded.proba.argmax(axis=1)
    right = [recorded.file_names[at] for at in np.flatnonzero(said == recorded.truth)[:2]]
    answers = dict(zip(recorded.file_names, said, strict=True))
    away = [(name, GENRES[(answers[name] + 1) % 3]) for name in right]
    edits = evaluated(model, mended(dataset, away))["edits"]
    assert (edits["changed"], edits["changed_towards"]) == (2, 0)
    assert edits["with_genres_before"]["accuracy"] == before["accuracy"]


def test_what_was_undone_is_no_change(judged):
    dataset, model, _ = judged
    (wrong,) = surest_wrong(model, 1)
    dataset, change = mend(dataset, wrong[0], genres=[wrong[1]], who="ann")
    dataset, _ = undo(dataset, change.number, who="ann")
    assert evaluated(model, dataset)["edits"] is None


def test_genres_of_train_are_not_what_the_model_is_judged_by(judged):
    dataset, model, _ = judged
    name = dataset.in_split("train").file_names[0]
    now = dataset.genre_lists[dataset.file_names.index(name)][0]
    other = next(genre for genre in GENRES if genre != now)
    assert evaluated(model, mended(dataset, [(name, other)]))["edits"] is None


def test_training_again_does_not_hide_a_change(judged):
    dataset, model, _ = judged
    dataset = mended(dataset, surest_wrong(model, 8))
    model = train_quickly(dataset, "color", model.folder)
    assert evaluated(model, dataset)["edits"]["changed_towards"] == 8


def test_a_change_from_before_a_model_in_another_folder_is_told_apart(judged, monkeypatch):
    dataset, model, before = judged
    dataset = mended(dataset, surest_wrong(model, 8))
    monkeypatch.setattr(scoring_log, "now", lambda: "2099-01-01T00:00:00Z")
    other = train_quickly(dataset, "color", model.folder.parent / "other")
    after = evaluated(other, dataset)
    edits = after["edits"]
    assert (edits["changed"], edits["changed_before_training"], edits["changed_before_training_towards"]) == (0, 8, 8)
    assert edits["with_genres_before"]["accuracy"] == before["accuracy"]
    assert "8 of 30 test genres were changed before this model was trained, 8 towards its answer." in after["verdict"]


def test_a_cover_without_a_genre_of_the_task_before_is_left_out_of_the_figure_of_before(judged):
    dataset, model, _ = judged
    name, _ = surest_wrong(model, 1)[0]
    (model.folder / FIRST).unlink()
    strange = relabelled(dataset, [(name, "polka")])
    record_first(
        model.folder, zip(strange.digests, strange.genre_lists, strange.column("split"), strict=True), at="training"
    )
    after = evaluated(model, dataset)
    edits = after["edits"]
    assert (edits["changed"], edits["without_genre_before"], edits["with_genres_before"]["n"]) == (1, 1, 29)
    assert "With the genres of before, without 1 cover that had no genre of the task, it is right" in after["verdict"]


def test_one_file_under_several_genres_is_no_change(judged, tmp_path):
    _, model, _ = judged
    foreign = elsewhere(tmp_path)
    for path in foreign.paths[1:3]:
        path.write_bytes(foreign.path(0).read_bytes())
    foreign = Dataset.open(foreign.folder).with_columns(sha256=[""] * 60)
    assert len(set(foreign.digests)) == 58
    assert len(set(foreign.genre_lists[:3])) == 3
    for _ in range(2):
        assert evaluated(model, foreign, split="all")["edits"] is None
    record_first(tmp_path / "new", zip(foreign.digests, foreign.genre_lists, ["test"] * 60, strict=True), at="training")
    assert len(scoring_log._read(tmp_path / "new" / FIRST)[foreign.digests[0]].genres) == 3


def test_covers_that_left_the_test_are_counted(judged):
    dataset, model, _ = judged
    wrong = [name for name, _ in surest_wrong(model, 4)]
    sides = [
        "" if name in wrong else split for name, split in zip(dataset.file_names, dataset.column("split"), strict=True)
    ]
    after = evaluated(model, dataset.with_columns(split=sides))
    assert after["edits"]["no_longer_judged"] == 4
    assert after["verdict"].endswith("4 covers that were in test when the model was trained are not judged now.")


def test_a_foreign_dataset_is_recorded_when_it_is_first_judged(judged, tmp_path):
    _, model, _ = judged
    foreign = elsewhere(tmp_path)
    first = evaluated(model, foreign, split="all")
    assert first["edits"] is None
    assert sum(each.at == "evaluation" for each in first_seen(model).values()) == 60
    wrong = surest_wrong(model, 5)
    edits = evaluated(model, relabelled(foreign, wrong), split="all")["edits"]
    assert (edits["changed"], edits["changed_towards"]) == (5, 5)


def test_changes_of_a_foreign_dataset_before_it_is_first_judged_are_those_of_its_log(judged, tmp_path):
    _, model, _ = judged
    foreign = elsewhere(tmp_path)
    name, genre = foreign.file_names[0], foreign.genre_lists[0][0]
    other = next(each for each in GENRES if each != genre)
    edits = evaluated(model, mended(foreign, [(name, other)]), split="all")["edits"]
    assert edits["changed"] == 1
    assert first_seen(model)[foreign.digests[0]].genres == ((genre,),)


def test_in_multi_a_change_towards_the_answer_ranks_it_higher(multi: Dataset, multi_model: Model, tmp_path: Path):
    dataset = copy_of(multi, tmp_path / "dataset")
    model = Model.load(shutil.copytree(multi_model.folder, tmp_path / "model"))
    before = evaluated(model, dataset)
    recorded = read_recorded(tmp_path / "out")
    order = recorded.proba.argsort(axis=1)
    name = next(n for n, row, truth in zip(recorded.file_names, order, recorded.truth, strict=True) if truth[row[0]])
    top = GENRES[order[recorded.file_names.index(name)][-1]]
    after = evaluated(model, relabelled(dataset, [(name, top)]))
    assert (after["edits"]["changed"], after["edits"]["changed_towards"]) == (1, 1)
    assert after["edits"]["with_genres_before"]["label_ranking_ap"] == before["label_ranking_ap"]


def test_a_model_without_the_genres_of_its_training_takes_every_dataset_for_a_foreign_one(judged):
    dataset, model, _ = judged
    record_elsewhere(model.folder)
    first = evaluated(model, dataset)
    assert (first["foreign"], first["edits"]) == (True, None)
    assert evaluated(model, relabelled(dataset, surest_wrong(model, 3)))["edits"]["changed_towards"] == 3


def test_the_bundled_model_has_a_record_without_genres():
    assert set(first_seen(Model.in_the_box())) == {""}


# the record


def test_a_record_keeps_the_first_genres_and_the_last_split(tmp_path: Path):
    a, b = "a" * 64, "b" * 64
    record_first(tmp_path, [(a, ("rock", "pop"), "train"), (b, ("=1+1",), "test")], at="training")
    record_first(tmp_path, [(a, ("folk",), "test"), (b, ("folk",), "test")], at="training")
    record_first(tmp_path, [(b, ("jazz",), "")], at="evaluation")
    lines = (tmp_path / FIRST).read_text(encoding="utf-8").splitlines()
    assert [line[0] for line in lines[1:]] == ["b", "a", "a"]  # what is learnt from comes last
    assert lines[1].split(",")[1] == "'=1+1"
    found = scoring_log._read(tmp_path / FIRST)
    assert (found[a].genres, found[a].split) == ((("rock", "pop"),), "test")
    assert found[b] == First((("=1+1",),), "test", found[b].when, "training")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"\x00" * len(content),
        lambda content: content[: content.rfind(b"\n", 0, -1) + 1],
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b",train,", b",tain,", 1),
        lambda content: content.replace(b",folk,", b",", 1),
        lambda content: b"\xff" + content,
        None,
    ],
)
def test_a_damaged_record_is_an_error_and_no_figure(judged, damage):
    dataset, model, _ = judged
    path, out = model.folder / FIRST, model.folder.parent / "new"
    content = path.read_bytes()
    path.unlink()
    if damage:
        path.write_bytes(damage(content))
    with pytest.raises(ModelError, match=r"first_genres\.csv.*Restore it from a backup, or delete it and train"):
        evaluate(model, dataset, out, resamples=RESAMPLES)
    assert not out.exists()


def test_a_line_that_a_killed_process_left_is_cut_off(tmp_path: Path):
    a, b = "a" * 64, "b" * 64
    record_first(tmp_path, [(a, ("rock",), "test")], at="training")
    whole = (tmp_path / FIRST).read_text(encoding="utf-8")
    (tmp_path / FIRST).write_text(whole + "bbbb,po", encoding="utf-8")
    record_first(tmp_path, [(b, ("pop",), "test")], at="evaluation")
    lines = (tmp_path / FIRST).read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [[a, "rock"], [b, "pop"]]


def test_the_terminal_says_so(judged, sleevenotes):
    dataset, model, _ = judged
    mended(dataset, surest_wrong(model, 3))
    said = sleevenotes(
        "evaluate", model.folder, dataset.folder, "-o", model.folder.parent / "out", "--resamples", RESAMPLES
    )
    assert "3 of 30 test genres were changed after this model answered, 3 towards its answer." in said.out
    evaluation = json.loads((model.folder.parent / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["edits"]["words"] in said.out
