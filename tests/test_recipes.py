"""How models are made of datasets: the same bytes from the same seed, whatever came between, never from the test."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from conftest import copy_of
from covers_for_tests import GENRES, make_dataset
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import partial_path, write_json
from sleevenotes.covers.swapping import BUILDING
from sleevenotes.errors import ModelError, SleevenotesWarning, SplitError, WeightsError
from sleevenotes.learn import backbones, recipes
from sleevenotes.learn.model import Model, read_card
from sleevenotes.learn.recipes import NAMES, Options, default_name, train
from training_for_tests import BRIEF, EPOCHS, history_of, quickly, train_quickly

TESTS = Path(__file__).parent


class Killed(BaseException):
    """The end of a process, as far as one can have it without ending."""


def killed_after(epoch: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if (done, total) == (epoch, EPOCHS):
            raise Killed

    return progress


def bytes_of(model: Path) -> dict[str, bytes]:
    """What has to be the same to the byte."""
    names = ("model.json", "weights.safetensors", "network.onnx", "learnt_from.csv", "color/weights.safetensors")
    return {name: (model / name).read_bytes() for name in (*names, "history.csv") if (model / name).exists()}


def assert_same(first: Path, second: Path) -> None:
    assert bytes_of(first) == bytes_of(second)


# to the byte


@pytest.mark.parametrize("after", range(1, EPOCHS + 1))
def test_a_model_whose_training_was_killed_and_resumed_is_the_same_to_the_byte(
    single: Dataset, small_model: Model, tmp_path: Path, after: int
):
    with pytest.raises(Killed):
        train_quickly(single, "small", tmp_path / "m", progress=killed_after(after))
    assert not (tmp_path / "m" / "model.json").exists()
    train_quickly(single, "small", tmp_path / "m", resume=True)
    assert_same(small_model.folder, tmp_path / "m")
    assert not list((tmp_path / "m").glob("*checkpoint*"))


def test_a_process_that_is_really_killed_can_be_resumed_to_the_byte(
    single: Dataset, small_model: Model, tmp_path: Path
):
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from sleevenotes.covers.dataset import Dataset\n"
        "from training_for_tests import EPOCHS, train_quickly\n"
        "def progress(done, total):\n"
        "    if (done, total) == (2, EPOCHS):\n"
        "        print('two epochs', flush=True)\n"
        "        time.sleep(600)\n"
        "train_quickly(Dataset.open(Path(sys.argv[1])), 'small', Path(sys.argv[2]), progress=progress)\n"
    )
    out = tmp_path / "m"
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", script, str(single.folder), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": paths}) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "two epochs\n"
        child.kill()
    assert child.returncode < 0
    assert len(history_of(out / BUILDING)) == 2
    half = partial_path(out / BUILDING / "checkpoint.safetensors")
    half.with_name(half.name.replace(f"-{os.getpid()}-", f"-{child.pid}-")).touch()  # as if killed while it wrote
    train_quickly(single, "small", out, resume=True)
    assert_same(small_model.folder, out)
    assert not list(out.glob(".*"))


def test_a_kill_before_the_first_epoch_is_no_obstacle(single: Dataset, small_model: Model, tmp_path: Path):
    (tmp_path / "m" / BUILDING).mkdir(parents=True)
    (tmp_path / "m" / BUILDING / "checkpoint.safetensors").write_bytes(b"half of")
    train_quickly(single, "small", tmp_path / "m")
    assert_same(small_model.folder, tmp_path / "m")
    assert not list((tmp_path / "m").glob(".*"))


def test_a_model_is_whole_or_none_when_it_is_killed_after_its_last_epoch(
    single: Dataset, small_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = recipes.save

    def kill(made: Any, name: str, *rest: Any) -> None:
        if name == "small":
            raise Killed
        whole(made, name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(recipes, "save", kill)
        with pytest.raises(Killed):
            train_quickly(single, "small", tmp_path / "m")
    with pytest.raises(ModelError, match=r"no model\.json in this folder"):
        Model.load(tmp_path / "m")
    train_quickly(single, "small", tmp_path / "m", resume=True)
    assert_same(small_model.folder, tmp_path / "m")


@pytest.mark.parametrize("name", ["color", "small"])
def test_the_same_seed_gives_the_same_bytes(request: pytest.FixtureRequest, single: Dataset, tmp_path: Path, name: str):
    model: Model = request.getfixturevalue(f"{name}_model")
    train_quickly(single, name, tmp_path / "m")
    assert_same(model.folder, tmp_path / "m")


def test_another_seed_gives_another_model(single: Dataset, small_model: Model, tmp_path: Path):
    other = train_quickly(single, "small", tmp_path / "m", seed=1)
    assert other.card["seed"] == 1
    assert not np.array_equal(other.head.weight, small_model.head.weight)


@pytest.mark.parametrize("name", ["color", "small"])
@pytest.mark.parametrize("change", ["genres", "gone"])
def test_a_model_never_looks_at_the_test_split(
    request: pytest.FixtureRequest, single: Dataset, tmp_path: Path, name: str, change: str
):
    changed = copy_of(single, tmp_path / "single")  # the name of the folder is in the card
    in_test = np.array(changed.column("split")) == "test"
    if change == "genres":
        others = np.where(in_test, np.roll(changed.column("genres"), 1), changed.column("genres"))
        changed = changed.with_columns(genres=others.tolist())
    else:
        for index in np.flatnonzero(in_test):
            changed.path(int(index)).unlink()
        changed = changed.where(~in_test)
    changed.write()
    train_quickly(Dataset.open(changed.folder), name, tmp_path / "m")
    model: Model = request.getfixturevalue(f"{name}_model")
    assert changed.fingerprint != single.fingerprint
    assert_same(model.folder, tmp_path / "m")


# what a model holds


def test_a_model_says_what_it_was_made_of(single: Dataset, small_model: Model):
    card = json.loads((small_model.folder / "model.json").read_text(encoding="utf-8"))
    assert (card["format"], card["name"], card["task"], card["genres"]) == (1, "small", "single", list(GENRES))
    assert card["seed"] == 0
    assert card["preprocessing"]["size_px"] == 32
    assert card["backbone"] is None
    onnx = (small_model.folder / "network.onnx").read_bytes()
    assert card["network"]["sha256"] == hashlib.sha256(onnx).hexdigest()
    assert card["dataset"]["fingerprint"] == single.in_split("train").fingerprint
    assert (card["dataset"]["train"], card["dataset"]["valid"]) == (140, 30)
    assert sum(card["dataset"]["train_covers"].values()) == 140
    assert sum(card["dataset"]["train_shares"].values()) == pytest.approx(1)
    assert card["head"]["epochs"] == EPOCHS == len(history_of(small_model.folder))
    assert card["calibration"]["method"] == "temperature"
    losses = card["calibration"]["valid_log_loss"]
    assert losses["after"] <= losses["before"]
    assert set(card["versions"]) >= {"python", "sleevenotes", "torch", "numpy"}
    weights = load_file(small_model.folder / "weights.safetensors")
    assert weights["head.weight"].shape == (3, 12)
    assert weights["network.features.0.0.weight"].shape == (8, 3, 3, 3)


def test_a_head_says_which_strengths_were_tried_on_valid(color_model: Model):
    head = color_model.card["head"]
    best = min(head["trials"], key=lambda trial: trial["valid_loss"])
    assert head["strength"] == best["strength"]
    assert len(head["trials"]) > 2
    assert color_model.card["network"] is None


def test_a_model_knows_which_covers_and_artists_it_learnt_from(copied: Dataset, tmp_path: Path):
    artists = ["The  BAND; Bob Dylan" if index == 0 else "Various" for index in range(len(copied))]
    dataset = copied.with_columns(artist=artists, sha256=[""] * len(copied))
    model = train_quickly(dataset, "color", tmp_path / "m")
    with (tmp_path / "m" / "learnt_from.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == model.learnt_from
    both = {"train", "valid"}
    expected = {digest for digest, split in zip(copied.digests, copied.column("split"), strict=True) if split in both}
    assert {row["sha256"] for row in rows} == expected
    assert [row["artist"] for row in rows[:2]] == ["the band;bob dylan", ""]
    assert {row["split"] for row in rows} == both


def test_the_colour_baseline_beside_a_model_is_the_colour_model(color_model: Model, small_model: Model):
    baseline = small_model.baseline
    assert baseline is not None
    assert bytes_of(baseline.folder) == bytes_of(color_model.folder)
    assert color_model.baseline is None


@pytest.mark.parametrize("task", ["binary", "multi"])
def test_every_task_is_trained(request: pytest.FixtureRequest, task: str):
    dataset: Dataset = request.getfixturevalue(task)
    model: Model = request.getfixturevalue(f"{task}_model")
    assert model.task == task
    assert model.head.weight.shape[0] == len(model.genres) == (2 if task == "binary" else 3)
    assert model.card["calibration"]["valid_hit_rate"] > 0.6
    if task == "binary":
        assert model.genres == ("metal", "not metal")
        assert model.card["dataset"]["train_covers"]["metal"] == sum(
            "metal" in genres for genres in dataset.in_split("train").genre_lists
        )
        assert model.thresholds is None
    else:
        assert model.thresholds is not None
        assert len(model.thresholds) == 3
        assert sum(model.card["dataset"]["train_shares"].values()) == pytest.approx(1.5)


# going on, and training again


def test_what_is_trained_already_is_not_trained_again(
    single: Dataset, small_model: Model, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(recipes._RECIPES, "small", None)  # nothing that could be called
    said: list[str] = []
    again = train_quickly(single, "small", small_model.folder, resume=True, say=said.append)
    assert again.card == small_model.card
    assert said == [f"{small_model.folder} is trained already"]


@pytest.mark.parametrize("other", ["seed", "settings", "train", "valid", "task"])
def test_another_training_is_not_taken_for_this_one(copied: Dataset, tmp_path: Path, other: str):
    first = train_quickly(copied, "small", tmp_path / "m")
    options: dict[str, Any] = {"resume": True}
    if other == "seed":
        options["seed"] = 5
    elif other == "settings":
        options["training"] = replace(BRIEF, epochs=2)
    elif other == "task":
        write_json(copied.folder / "split.json", {"task": "single", "genres": list(reversed(GENRES))})
        copied = Dataset.open(copied.folder)
    else:
        at = copied.column("split").index(other)
        genres = copied.column("genres")
        genres[at] = "jazz" if genres[at] != "jazz" else "folk"
        copied = copied.with_columns(genres=genres)
    second = train_quickly(copied, "small", tmp_path / "m", **options)
    assert second.card != first.card
    if other == "settings":
        assert len(history_of(tmp_path / "m")) == 2


def test_training_again_leaves_nothing_of_the_old_model_but_the_log_of_its_scorings(single: Dataset, tmp_path: Path):
    out = tmp_path / "m"
    train_quickly(single, "small", out)
    (out / "scorings.jsonl").write_text('{"split": "test"}\n')
    model = train_quickly(single, "color", out)
    assert not {"network.onnx", "history.csv", "checkpoint.safetensors"} & {path.name for path in out.iterdir()}
    assert (out / "scorings.jsonl").read_text() == '{"split": "test"}\n'
    assert model.baseline is None


# a finished model stays until the next one is whole


@pytest.mark.parametrize("resume", [True, False])
def test_a_finished_model_is_untouched_while_another_one_is_trained(
    single: Dataset, small_model: Model, tmp_path: Path, resume: bool
):
    before = bytes_of(train_quickly(single, "color", tmp_path / "m").folder)
    with pytest.raises(Killed):
        train_quickly(single, "small", tmp_path / "m", resume=resume, progress=killed_after(2))
    assert bytes_of(tmp_path / "m") == before
    assert Model.load(tmp_path / "m").name == "color"
    train_quickly(single, "small", tmp_path / "m", resume=resume)
    assert_same(small_model.folder, tmp_path / "m")


def test_who_replaces_a_model_is_told_which(single: Dataset, tmp_path: Path):
    said: list[str] = []
    train_quickly(single, "color", tmp_path / "m", say=said.append)
    assert said == []
    train_quickly(single, "small", tmp_path / "m", say=said.append)
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    assert said == [
        f"{tmp_path / 'm'} holds the model color, trained {today}; it stays until the new one, small, is whole",
        f"replaced the model color, trained {today}",
    ]
    (tmp_path / "m" / "model.json").write_text("{}")  # which a training cures
    train_quickly(single, "color", tmp_path / "m", say=said.append, resume=True)
    assert said[-1] == f"replaced a model that can't be read, trained {today}"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "color"])
def test_no_model_is_taken_for_one_of_another_name(single: Dataset, color_model: Model, name: str):
    assert not recipes._is_trained(color_model.folder, name, recipes.Sides.of(single), Options(resume=True))
    assert recipes._is_trained(color_model.folder, "color", recipes.Sides.of(single), Options(resume=True))


def test_what_others_wrote_into_a_model_and_its_baseline_stays(single: Dataset, tmp_path: Path):
    train_quickly(single, "small", tmp_path / "m")
    kept = ("scorings.jsonl", "evaluation.json", "color/scorings.jsonl", "notes/today.txt")
    for name in kept:
        (tmp_path / "m" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "m" / name).write_text(name)
    train_quickly(single, "color", tmp_path / "m")
    assert [(tmp_path / "m" / name).read_text() for name in kept] == list(kept)
    assert not (tmp_path / "m" / "color" / "model.json").exists()


def test_a_training_that_was_killed_is_not_mixed_with_another_model(
    single: Dataset, color_model: Model, tmp_path: Path
):
    with pytest.raises(Killed):
        train_quickly(single, "small", tmp_path / "m", progress=killed_after(1))
    train_quickly(single, "color", tmp_path / "m", resume=True)
    assert_same(color_model.folder, tmp_path / "m")
    assert not (tmp_path / "m" / "history.csv").exists()


# what is refused


def test_an_unknown_model_is_told_with_the_known_ones(single: Dataset, tmp_path: Path):
    with pytest.raises(ModelError, match=rf"'smal': unknown\. Known are {', '.join(NAMES)}\. Did you mean 'small'\?"):
        train(single, "smal", tmp_path / "m")


def test_a_dataset_that_is_not_split_is_told_how_to_split_it(copied: Dataset, tmp_path: Path):
    (copied.folder / "split.json").unlink()
    with pytest.raises(SplitError, match=r"not split yet.*sleevenotes split"):
        train(Dataset.open(copied.folder), "color", tmp_path / "m")


@pytest.mark.parametrize("empty", ["train", "valid"])
def test_an_empty_side_is_told(copied: Dataset, tmp_path: Path, empty: str):
    moved = ["" if split == empty else split for split in copied.column("split")]
    with pytest.raises(SplitError, match=rf"no cover in {empty}\. Covers in train and valid .* --again"):
        train(copied.with_columns(split=moved), "color", tmp_path / "m")


def test_few_covers_in_valid_are_warned_of_with_their_number(copied: Dataset, tmp_path: Path):
    seen, moved = 0, copied.column("split")
    for index, split in enumerate(moved):
        seen += split == "valid"
        if split == "valid" and seen > 9:
            moved[index] = ""
    with pytest.warns(SleevenotesWarning, match="only 9 covers in valid"):
        train(copied.with_columns(split=moved), "color", tmp_path / "m")


def test_a_folder_of_something_else_is_left_alone(single: Dataset, tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(
        ModelError, match=r"something else\. An empty folder, or a model was expected\. Name another with -o"
    ):
        train(single, "color", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ModelError, match=r"thesis\.tex: a file\. A folder for the model was expected\. Name another"):
        train(single, "color", tmp_path / "thesis.tex")


# pretrained weights


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights on this machine, and none to be had."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(backbones.WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    nowhere = backbones.Training("published", "w-12345678.pth", "12345678", "http://127.0.0.1:9/w-12345678.pth")
    known = backbones.BACKBONES["mobilenet_v2"]
    monkeypatch.setitem(backbones.BACKBONES, "mobilenet_v2", replace(known, trainings=(nowhere,)))


@pytest.mark.usefixtures("offline")
def test_missing_weights_end_in_both_cures_and_an_earlier_model_stays(single: Dataset, tmp_path: Path):
    train_quickly(single, "color", tmp_path / "m")
    before = bytes_of(tmp_path / "m")
    cures = r"can't be fetched .* Connect to the network, or name a file of weights with --weights FILE .*SLEEVENOTES"
    with pytest.raises(WeightsError, match=cures):
        train(single, "mobilenet", tmp_path / "m")
    assert bytes_of(tmp_path / "m") == before


@pytest.mark.usefixtures("offline")
def test_the_default_is_mobilenet_where_its_weights_are_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretrained: Path
):
    assert default_name() == "small"
    shutil.copyfile(pretrained, tmp_path / "w-12345678.pth")
    monkeypatch.setenv(backbones.WEIGHTS_VARIABLE, str(tmp_path))
    assert default_name() == "mobilenet"


def test_a_given_file_of_weights_is_recorded_under_its_own_name(mobilenet_model: Model, pretrained: Path):
    backbone = mobilenet_model.card["backbone"]
    assert backbone["name"] == "mobilenet_v2"
    assert backbone["training"] == f"{pretrained.stem} (unpublished)"
    assert backbone["sha256"] == hashlib.sha256(pretrained.read_bytes()).hexdigest()
    assert mobilenet_model.card["network"]["parameters"] == 2_223_872
    weights = load_file(mobilenet_model.folder / "weights.safetensors")
    assert weights["head.weight"].shape == (3, 1280)
    assert len(weights) == 2 + 312


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("ignore:.*covers in valid")
def test_the_backbone_of_another_model_is_taken_as_it_is(few: Dataset, mobilenet_model: Model, tmp_path: Path):
    model = train(few, "mobilenet", tmp_path / "m", Options(backbone_of=mobilenet_model.folder))
    assert_same(mobilenet_model.folder, model.folder)


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("ignore:.*covers in valid")
def test_with_other_weights_a_model_is_not_taken_for_trained(
    few: Dataset, mobilenet_model: Model, tmp_path: Path, pretrained: Path
):
    out = shutil.copytree(mobilenet_model.folder, tmp_path / "m")
    again = train(few, "mobilenet", out, Options(weights=pretrained, resume=True))
    assert again.card == mobilenet_model.card
    other = tmp_path / "other.pth"
    other.write_bytes(b"other weights")
    with pytest.raises(WeightsError, match=r"other\.pth: can't be read"), quickly():
        train(few, "mobilenet", out, Options(weights=other, resume=True))


def test_a_dataset_without_digests_is_trained_on_all_the_same(tmp_path: Path, small_model: Model):
    dataset = make_dataset(tmp_path / "single", covers=200)
    plain = dataset.with_columns(sha256=[""] * 200)
    model = train_quickly(plain, "small", tmp_path / "m")
    assert np.array_equal(model.head.weight, small_model.head.weight)
    # another cover in the same file is another cover
    at = plain.column("split").index("train")
    plain.path(at).write_bytes(plain.path(at + 1).read_bytes())
    changed = train_quickly(Dataset.open(plain.folder).with_columns(sha256=[""] * 200), "small", tmp_path / "changed")
    assert not np.array_equal(changed.head.weight, model.head.weight)


def test_a_card_is_readable_json_with_its_last_line_ended(small_model: Model):
    text = (small_model.folder / "model.json").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert read_card(small_model.folder) == json.loads(text)
