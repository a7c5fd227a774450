"""Verbs that are really killed leave what they replace, or its replacement, and end as if they had not been killed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import kills
import pytest

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.swapping import BUILDING
from sleevenotes.learn.model import Model

EVALUATE = kills.Job(("evaluate", "color", "dataset", "--resamples", "100", "-o", "out"), "out")


@pytest.fixture
def bench(tmp_path: Path, few: Dataset, color_model: Model) -> kills.Bench:
    bench = kills.Bench(tmp_path, seed=1)
    shutil.copytree(few.folder, bench.base / "dataset")
    shutil.copytree(color_model.folder, bench.base / "color")
    return bench


@pytest.mark.parametrize(("verb", "job"), [("best", kills.JOBS["best"]), ("evaluate", EVALUATE)])
def test_a_verb_that_was_killed_ends_as_if_it_had_not_been(
    bench: kills.Bench, monkeypatch: pytest.MonkeyPatch, verb: str, job: kills.Job
):
    monkeypatch.setitem(kills.JOBS, verb, job)
    monkeypatch.setenv("XDG_CACHE_HOME", str(bench.folder))  # no weights are at hand
    bench.trials(verb, 1)
    told = [json.loads(line) for line in bench.log.read_text(encoding="utf-8").splitlines()]
    assert len(told) > 1
    assert all(line["whole"] and not line.get("code") and not line.get("apart") for line in told)
    assert kills.table(bench.log)[2].startswith(f"| {verb} | {len(told) - 1} | {len(told) - 1} |")


def test_no_edit_that_a_killed_server_acknowledged_is_lost(bench: kills.Bench):
    bench.edits(1)
    (told,) = [json.loads(line) for line in bench.log.read_text(encoding="utf-8").splitlines()]
    assert (told["lost"], told["agree"], told["left"]) == (0, True, [])


def test_what_differs_and_what_is_not_whole_is_seen(tmp_path: Path):
    for name, text in (("a/model.json", '{"seconds": 1, "seed": 0}'), ("b/model.json", '{"seconds": 2, "seed": 0}')):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    first, second = (kills.content(tmp_path / name) for name in "ab")
    assert kills.differences(first, second) == []
    assert kills.is_whole(tmp_path / "a", {}, second, "")
    (tmp_path / "a" / BUILDING).mkdir()
    (tmp_path / "a" / BUILDING / "half").touch()
    assert kills.differences(kills.content(tmp_path / "a"), second) == [f"{BUILDING}/half"]
    assert kills.is_whole(tmp_path / "a", {}, second, "")
    (tmp_path / "a" / "model.json").write_text('{"seed": 1}')
    assert not kills.is_whole(tmp_path / "a", {"none": b""}, second, "")
    (tmp_path / "a" / "model.json").unlink()
    assert kills.is_whole(tmp_path / "a", {"none": b""}, second, "model.json")


def test_log_and_table_are_compared_edit_by_edit(tmp_path: Path):
    bench = kills.Bench(tmp_path, seed=0)
    (tmp_path / "metadata.csv").write_text("file_name,genres\na,rock\nb,folk\n")
    assert bench.compared(tmp_path, [("a", "rock")]) == (1, True)
    (tmp_path / "changes.csv").write_text("change,file_name,after\n1,a,folk\n2,a,rock\n3,b,folk\n")
    assert bench.compared(tmp_path, [("a", "rock"), ("b", "folk")]) == (0, True)
    assert bench.compared(tmp_path, [("b", "jazz"), ("a", "rock")]) == (1, True)
    (tmp_path / "metadata.csv").write_text("file_name,genres\na,folk\nb,folk\n")
    assert bench.compared(tmp_path, [("a", "rock")]) == (0, False)
    (tmp_path / "changes.csv").write_text("change,file_name,after\n2,a,folk\n")
    assert bench.compared(tmp_path, []) == (0, False)
