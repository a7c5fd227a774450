"""The map of all covers: the same seed draws the same one, its figure is honest, and the report shows it."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from typer.testing import CliRunner

from finished import HOSTILE, finished
from sleevenotes.cli import app
from sleevenotes.covers.images import sha256
from sleevenotes.errors import EvaluationError
from sleevenotes.judge.cover_map import (
    COLUMNS,
    common,
    components,
    cover_map,
    laid_out,
    purity,
    spread_out,
    still_true,
)
from sleevenotes.publish.report import write_report


def directions(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    rows = rng.standard_normal((n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# --- arrays -----------------------------------------------------------------------------------------------------------


def test_components_are_those_of_a_singular_value_decomposition():
    for n, d in ((30, 8), (8, 30)):
        rows = np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)
        centred = rows.astype(float) - rows.astype(float).mean(axis=0)
        left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
        found = components(rows, 5)
        assert np.abs(found) == pytest.approx(np.abs(left[:, :5] * sizes[:5]), abs=1e-6)
        assert (found[np.abs(found).argmax(axis=0), np.arange(5)] > 0).all()


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 40])
def test_any_number_of_covers_is_laid_out_within_the_map(n):
    places = laid_out(directions(np.random.default_rng(n), n, 5))
    assert places.shape == (n, 2)
    assert (places >= 0).all()
    assert (places <= 1).all()


def test_covers_all_the_same_are_laid_out_too():
    assert np.isfinite(laid_out(np.ones((20, 3), np.float32))).all()
    assert np.isfinite(laid_out(np.ones((20, 1), np.float32))).all()


def test_a_map_is_wider_than_high():
    places = spread_out(np.array([[0.0, 0.0], [1.0, 5.0]]))
    assert np.ptp(places[:, 0]) == 1
    assert np.ptp(places[:, 1]) == pytest.approx(0.2)


def test_heaps_of_covers_stay_together_on_the_map():
    rng = np.random.default_rng(1)
    heaps = np.repeat(np.arange(3), 30)
    rows = np.eye(3, 6)[heaps] * 3 + rng.normal(0, 0.3, (90, 6))
    places = laid_out((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))
    away = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(90) * 9
    assert (heaps[away.argmin(axis=1)] == heaps).mean() > 0.95


def test_purity_worked_by_hand():
    angles = np.radians([0, 10, 22, 180, 195])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    shares = common(np.array([0, 0, 1, 1, 0]))
    found = purity(rows, shares, ["a", "b", "c", "d", "d"], np.arange(5), neighbors=1)
    # nearest of another group: 0→1 yes, 1→0 yes, 2→1 no, 3→2 yes, and 4→0 yes, as 3 is of its own group
    assert (found.n, found.value) == (5, 0.8)
    # of 4, 4, 4, 3, 3 others: 2, 2, 1, 1, 2 share
    assert found.chance == pytest.approx(np.mean([2 / 4, 2 / 4, 1 / 4, 1 / 3, 2 / 3]))


def test_purity_is_chance_where_features_tell_nothing_and_more_where_they_tell():
    rng = np.random.default_rng(2)
    truth, groups = rng.integers(0, 4, 400), [str(at // 2) for at in range(400)]
    nothing = purity(directions(rng, 400, 8), common(truth), groups, np.arange(0, 400, 3))
    assert nothing.gain_low < 0 < nothing.gain_high
    assert nothing.chance == pytest.approx(0.25, abs=0.02)
    told = purity(
        directions(rng, 400, 8) + np.eye(4, 8, dtype=np.float32)[truth], common(truth), groups, np.arange(200)
    )
    assert told.low > 0.5
    assert told.gain_low > 0.25


def test_covers_of_the_own_group_are_no_neighbours():
    rows = np.eye(4, dtype=np.float32)
    found = purity(rows, np.ones((4, 4), bool), ["a"] * 4, np.arange(4))
    assert (found.value, found.chance) == (0.0, 0.0)  # there is nobody else


def test_a_genre_of_which_nothing_is_known_is_not_in_common():
    assert common(np.array([[1, -1], [0, -1], [1, 0]])).astype(int).tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]


# --- the map of a dataset ---------------------------------------------------------------------------------------------


def test_the_same_seed_draws_the_same_map_and_another_seed_another(color_model, single, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        cover_map(color_model, single, tmp_path / name, most=60, seed=seed)
    tables = [(tmp_path / name / "map.csv").read_bytes() for name in "abc"]
    assert tables[0] == tables[1] != tables[2]


def test_the_table_has_every_cover_with_its_genres_and_split(color_model, single, tmp_path):
    found = cover_map(color_model, single, tmp_path)
    with (tmp_path / "map.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["file_name"] for row in rows] == single.file_names
    assert [row["genres"] for row in rows] == single.column("genres")
    assert [row["split"] for row in rows] == single.column("split")
    assert found["splits"] == {split: single.column("split").count(split) for split in ("train", "valid", "test")}
    assert json.loads((tmp_path / "map.json").read_text(encoding="utf-8")) == found


def test_the_figure_is_of_test_and_beats_chance_where_colour_tells_the_genre(color_model, single, tmp_path):
    found = cover_map(color_model, single, tmp_path)
    assert list(found["purity"]) == ["test", "train"]
    assert found["purity"]["test"]["n"] == single.column("split").count("test")
    assert found["purity"]["test"]["gain"]["low"] > 0
    assert re.search(r"200 covers\. Of the 10 nearest to a cover of test, \d+% share a genre", found["words"])


def test_a_map_is_kept_until_the_model_or_the_covers_change(color_model, small_model, single, tmp_path):
    found = cover_map(color_model, single, tmp_path, most=50)
    assert still_true(tmp_path, color_model, single, most=50) == found
    assert still_true(tmp_path, color_model, single, most=51) is None
    assert still_true(tmp_path, small_model, single, most=50) is None
    assert still_true(tmp_path, color_model, single.in_split("test"), most=50) is None
    (tmp_path / "map.csv").unlink()
    assert still_true(tmp_path, color_model, single, most=50) is None


def test_several_genres_a_cover_are_told_with_the_first_one_first(multi_model, multi, tmp_path):
    found = cover_map(multi_model, multi, tmp_path, most=80)
    assert found["task"] == "multi"
    assert 0 < found["purity"]["test"]["chance"] < 1
    assert any(";" in line for line in (tmp_path / "map.csv").read_text(encoding="utf-8").splitlines())


def test_too_few_covers_are_refused_in_a_sentence(color_model, single, tmp_path):
    two = single.where([at < 2 for at in range(len(single))])
    with pytest.raises(EvaluationError, match=r"2 covers with a genre that the model knows.*3 or more"):
        cover_map(color_model, two, tmp_path)


def test_the_verb_writes_the_map(color_model, single, tmp_path):
    command = ["map", str(color_model.folder), str(single.folder), "-o", str(tmp_path / "out"), "--most", "30"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "30 covers." in done.output
    assert (tmp_path / "out" / "map.csv").is_file()


# --- in the report ----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    """A finished run with a map that is made up, as its model is."""
    run = finished(tmp_path / "run", covers=40)
    with (run.folder / "dataset" / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rng = np.random.default_rng(0)
    with (run.folder / "map.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for row in rows:
            x, y = rng.random(2)
            table.writerow([row["file_name"], f"{x:.4f}", f"{y:.4f}", row["genres"], row["split"]])
    evaluation = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))
    figure = {"value": 0.3, "low": 0.25, "high": 0.35, "chance": 0.2, "gain": {"value": 0.1, "low": 0.05, "high": 0.15}}
    (run.folder / "map.json").write_text(
        json.dumps(
            {
                "format": 1,
                "model_sha256": sha256((run.folder / "model" / "model.json").read_bytes()),
                "dataset": {"fingerprint": evaluation["dataset"]["fingerprint"], "covers": 40},
                "layout": "t-SNE",
                "n": 40,
                "neighbors": 10,
                "purity": {"test": figure | {"n": 8}},
            }
        ),
        encoding="utf-8",
    )
    return run


def section_of(page: str) -> str:
    found = re.search(r'<section id="map".*?</section>', page, re.DOTALL)
    assert found
    return found[0]


def report_of(run, **options) -> str:
    return section_of(write_report(run.folder, **run.everything, **options).read_text(encoding="utf-8"))


def test_the_report_shows_a_dot_a_cover_that_says_which_it_is(run):
    shown = report_of(run)
    svgs = [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", shown, re.DOTALL)]
    assert shown.count("<circle ") == 40
    titles = [title.text for title in svgs[0].iter("{http://www.w3.org/2000/svg}title")]
    assert "Artist 1 – Album 2: electronic (train)" in titles
    assert any(title.startswith(HOSTILE) for title in titles)
    assert HOSTILE not in shown
    assert 'stroke="#' in shown  # covers of test are rings
    assert "30\N{NO-BREAK SPACE}%" in shown
    assert "more often than any two covers do" in shown


def test_the_report_shows_covers_on_the_map_only_where_it_may(run):
    assert report_of(run).count("data:image/jpeg") > 5
    bare = report_of(run, covers=False)
    assert "data:" not in bare
    assert bare.count("<circle ") == 40


def test_each_genre_has_a_map_of_its_own_before_all_others(run):
    shown = report_of(run)
    assert shown.count('class="own"') == 5
    assert shown.count('id="map-all"') == 1
    assert shown.count('href="#map-all"') == 4


def test_a_report_without_a_map_names_the_command(run):
    (run.folder / "map.json").unlink()
    assert f"sleevenotes map {run.folder}/model {run.folder}/dataset -o {run.folder}" in report_of(run)


@pytest.mark.parametrize("change", [{"model_sha256": "0" * 64}, {"dataset": {"fingerprint": "0" * 64}}])
def test_a_map_of_another_model_or_other_covers_is_not_shown(run, change):
    run.change("map.json", **change)
    shown = report_of(run)
    assert "of another model or other covers" in shown
    assert "<circle" not in shown


def test_a_broken_map_is_refused_with_the_command_that_mends_it(run):
    (run.folder / "map.csv").write_text("file_name,x\na.jpg,1\n", encoding="utf-8")
    with pytest.raises(
        EvaluationError, match=r"map\.csv: no column 'y', 'genres' and 'split'.*sleevenotes map .*model .*dataset -o "
    ):
        report_of(run)
    run.change("map.json", format=2)
    with pytest.raises(EvaluationError, match=r"map\.json: format 2"):
        report_of(run)


@pytest.mark.parametrize(("gain", "words"), [
    ({"value": 0.0, "low": -0.04, "high": 0.05}, "no more often than chance"),
    ({"value": 0.0, "low": -0.1, "high": 0.1}, "can&#39;t be told from these covers"),
    ({"value": -0.15, "low": -0.2, "high": -0.1}, "less often"),
    ({"value": None, "low": None, "high": None}, "can&#39;t be told"),
])  # fmt: skip
def test_the_report_says_no_more_of_the_neighbours_than_their_interval_does(run, gain, words):
    told = json.loads((run.folder / "map.json").read_text(encoding="utf-8"))["purity"]["test"]
    run.change("map.json", purity={"test": told | {"gain": gain}})
    assert words in report_of(run)
