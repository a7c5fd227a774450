"""Would more covers help: parts of train, measured on one and the same valid."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from conftest import ENOUGH
from covers_for_tests import make_dataset
from sleevenotes.covers.dataset import Dataset
from sleevenotes.errors import SplitError
from sleevenotes.judge import curve as module
from sleevenotes.judge.curve import curve, halved
from sleevenotes.judge.intervals import paired_test
from sleevenotes.learn import recipes
from sleevenotes.learn.model import Model
from sleevenotes.learn.recipes import Options, train
from training_for_tests import BRIEF, quickly


def sides_of(dataset: Dataset) -> dict[str, str]:
    return dict(zip(dataset.file_names, dataset.column("split"), strict=True))


@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_halving_keeps_groups_whole_and_leaves_valid_and_test_alone(single: Dataset, times: int):
    part = halved(single, times, seed=3)
    before, after = sides_of(single), sides_of(part)
    changed = {name for name in before if before[name] != after[name]}
    assert {before[name] for name in changed} <= {"train"}
    assert {after[name] for name in changed} <= {""}
    in_train = [side == "train" for side in part.column("split")]
    groups = np.array(part.column("group"))
    assert not set(groups[in_train]) & {part.column("group")[part.file_names.index(name)] for name in changed}
    assert Counter(after.values())["train"] == 2 * (70 // 2**times)  # 70 groups of two covers
    assert halved(single, times, seed=3).covers.equals(part.covers)
    if times:
        assert not halved(single, times, seed=4).covers.equals(part.covers)


def test_covers_without_a_group_are_halved_one_by_one(single: Dataset):
    part = halved(single.with_columns(group=[""] * len(single)), 1, seed=0)
    assert part.column("split").count("train") == 70


def test_a_curve_has_a_point_a_part_the_whole_of_train_last(single: Dataset, tmp_path: Path):
    told: list[tuple[int, int]] = []
    result = curve(single, "color", tmp_path / "out", steps=3, repeats=2, progress=lambda *done: told.append(done))
    assert json.loads((tmp_path / "out" / "curve.json").read_text(encoding="utf-8")) == result
    assert (result["model"], result["metric"], result["split"]) == ("color", "accuracy", "valid")
    assert [point["covers"] for point in result["points"]] == [34, 70, 140]
    assert [point["draws"] for point in result["points"]] == [2, 2, 1]
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    for point in result["points"]:
        assert {"covers", "value", "low", "high", "draws"} <= set(point) <= {*point, "too_few"}
        assert point["low"] is None or 0 <= point["low"] <= point["value"] <= point["high"] <= 1
    assert result["words"].startswith("From 70 to 140 covers it went from ")
    whole = train(single, "color", tmp_path / "whole")
    assert result["points"][-1]["value"] == pytest.approx(whole.card["calibration"]["valid_hit_rate"])


@pytest.mark.filterwarnings("ignore:.*covers were replaced")
def test_the_test_split_is_left_alone(single: Dataset, tmp_path: Path):
    dataset = make_dataset(tmp_path / "single", covers=ENOUGH)
    for name in dataset.in_split("test").file_names:
        (dataset.folder / name).write_bytes(b"nobody looks at this")
    curve(dataset, "color", tmp_path / "out", steps=2, repeats=1)


@pytest.mark.parametrize(
    ("task", "metric"), [("single", "accuracy"), ("binary", "accuracy"), ("multi", "label_ranking_ap")]
)
def test_every_task_has_a_curve(request: pytest.FixtureRequest, tmp_path: Path, task: str, metric: str):
    dataset: Dataset = request.getfixturevalue(task)
    with quickly():
        result = curve(dataset, "small", tmp_path, steps=2, repeats=1, options=Options(training=BRIEF))
    assert result["metric"] == metric
    assert result["points"][-1]["value"] > 0.6


@pytest.mark.filterwarnings("ignore:.*covers in valid")
def test_a_backbone_is_looked_for_once(
    few: Dataset, mobilenet_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    taken: list[Path | None] = []

    def color_instead(dataset: Dataset, name: str, out: Path, options: Options) -> Model:
        taken.append(options.backbone_of)
        return recipes.train(dataset, "color", out, options)

    monkeypatch.setattr(module, "train", color_instead)
    curve(few, "mobilenet", tmp_path, steps=2, repeats=2)
    assert taken[0] is None
    assert all(folder is not None and folder.name in ("1-0", "1-1") for folder in taken[1:])


def test_parts_that_would_be_too_small_are_refused(single: Dataset, tmp_path: Path):
    with pytest.raises(
        SplitError, match=r"140 covers in train, halved 3 times, leave 17\. At least 20 .* fewer --steps"
    ):
        curve(single, "color", tmp_path / "out", steps=4)
    assert not (tmp_path / "out").exists()


def test_the_words_weigh_the_gain_against_its_interval():
    points = [{"covers": covers, "value": value} for covers, value in ((100, 0.3), (200, 0.45))]
    groups = [str(at) for at in range(200)]
    before = np.arange(200) % 10 < 3
    for after, end in (
        (np.arange(200) % 10 < 5, ": more covers would very likely help."),
        (np.arange(200) % 10 < 1, ": more covers did not help."),
        (before, ": more covers of this kind would hardly help."),
        (np.arange(200) % 19 < 6, ": whether more covers would help can't be told from this."),
    ):
        gain = paired_test(after, before, groups)
        words = module._words(points, gain)
        assert words.startswith("From 100 to 200 covers it went from 30.0% to 45.0%, by ")
        assert words.endswith(end)
        assert (gain.low > 0) == ("would very likely help" in words)
    few = paired_test([1.0] * 9, [0.0] * 9, groups[:9])
    assert module._words(points, few).endswith("valid has too few covers to tell whether more of them would help.")


def test_the_interval_counts_covers_and_not_draws():
    scores, groups = np.array([1.0, 0.0] * 50), [str(at) for at in range(100)]
    once = module._point(10, scores, groups, 1)
    twice = module._point(10, np.mean([scores, scores], axis=0), groups, 2)
    assert (once["low"], once["high"]) == (twice["low"], twice["high"])
    assert module._point(10, scores[:8], groups[:8], 1)["too_few"] is True
