"""`can't tell`: where an answer is too likely wrong, none is given; what is given is wrong as rarely as was said."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from finished import finished
from sleevenotes import cli
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.tasks import Kind, Task
from sleevenotes.errors import ModelError
from sleevenotes.learn.abstention import Caution, claim_of, risk_of
from sleevenotes.learn.calibration import calibrate, calibrated, proba_of
from sleevenotes.learn.model import Model, Prediction
from sleevenotes.publish.predictions import as_mapping, write_csv, write_json_lines, write_table
from sleevenotes.publish.report import write_report

GENRES = ("folk", "jazz", "soul")
SAID = [
    Prediction("sure.jpg", np.array([0.1, 0.8, 0.1]), None),
    Prediction("unsure.jpg", np.array([0.4, 0.35, 0.25]), None),
    Prediction("broken.jpg", None, "broken.jpg: cut off."),
]
CAREFUL = Caution(max_risk=0.4, coverage=0.9, limit=0.3)


def simulated(task: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a model that is 2.5 times as sure as it may be, and the truth."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 1.5, (n, 4))
    proba = proba_of(honest, task=task)
    if task == "multi":
        return 2.5 * honest, (rng.random(proba.shape) < proba).astype(np.int64)
    return 2.5 * honest, (proba.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)


@pytest.mark.parametrize("task", ["single", "multi"])
def test_answers_that_are_given_are_wrong_as_often_as_their_risk_says(task: str):
    logits, truth = simulated(task, 1500 + 8000, seed=1)
    card = calibrate(logits[:1500], truth[:1500], task=Task(task, tuple("abcd")))
    asked, proba = truth[1500:], calibrated(logits[1500:], card, task=task)
    first = proba.argmax(axis=1)
    wrong = asked[np.arange(8000), first] == 0 if task == "multi" else asked != first
    risk = risk_of(proba, card["risk"])
    shares = []
    for max_risk in (0.15, 0.3, 0.5, 1.0):
        given = risk <= max_risk
        shares.append(given.mean())
        assert wrong[given].mean() == pytest.approx(risk[given].mean(), abs=0.03)
        assert wrong[given].mean() <= max_risk
    assert 0.02 < shares[0] < shares[1] < shares[-1] == 1
    raw = risk_of(proba_of(logits[1500:], task=task))  # without calibration it would promise too much
    assert wrong[raw <= 0.15].mean() > raw[raw <= 0.15].mean() + 0.08


def test_where_the_surest_answers_are_too_modest_the_risk_is_put_right():
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(9000, 4))
    # the claim that the first genre is right is modest, what is said of the other three is noise: no one temperature
    # is right for both
    right = rng.random(9000) < 1 / (1 + np.exp(-2 * claim_of(proba_of(logits, task="single")) - 0.3))
    truth = (logits.argmax(axis=1) + np.where(right, 0, rng.integers(1, 4, size=9000))) % 4
    card = calibrate(logits[:2000], truth[:2000], task=Task("single", tuple("abcd")))
    proba = calibrated(logits[2000:], card, task="single")
    wrong = proba.argmax(axis=1) != truth[2000:]
    gaps = []
    for risk in (risk_of(proba), risk_of(proba, card["risk"])):
        surest = np.argsort(risk, kind="stable")[:1400]
        gaps.append(abs(risk[surest].mean() - wrong[surest].mean()))
    assert gaps[1] < 0.02 < gaps[0]
    assert np.array_equal(np.argsort(risk_of(proba)), np.argsort(risk_of(proba, card["risk"])))


def test_too_few_right_answers_leave_the_risk_that_the_percentage_has():
    logits, truth = simulated("single", 30, seed=0)
    card = calibrate(logits, truth, task=Task("single", tuple("abcd")))
    assert "risk" not in card
    assert Caution.of(card).risk(np.array([0.7, 0.2, 0.1, 0.0])) == pytest.approx(0.3)


def test_an_answer_at_the_greatest_risk_is_given_and_one_beyond_says_why():
    assert Caution(max_risk=0.4).doubt(np.array([0.6, 0.4])) is None
    assert Caution(max_risk=0.4).doubt(np.array([0.5, 0.5])) == "risk 50 %, more than 40 %"
    assert Caution(max_risk=0.4).doubt(np.array([0.5995, 0.4005])) == "risk 40.05 %, more than 40 %"
    assert Caution().doubt(np.array([0.1, 0.1])) is None


def test_a_table_says_cant_tell_and_names_the_set():
    out = io.StringIO()
    assert write_table(SAID, GENRES, out, 2, CAREFUL) == 1
    assert out.getvalue().splitlines() == [
        "sure.jpg   jazz 80 %   folk 10 %   {jazz}",
        "unsure.jpg   can't tell (risk 60 %, more than 40 %): folk 40 %   jazz 35 %   {folk, jazz}",
        "broken.jpg   cut off.",
    ]


def test_lines_of_json_have_the_risk_the_reason_and_the_set():
    out = io.StringIO()
    assert write_json_lines(SAID, GENRES, out, 1, CAREFUL) == 1
    sure, unsure, broken = (json.loads(line) for line in out.getvalue().splitlines())
    assert sure["genres"] == [{"genre": "jazz", "proba": 0.8}]
    assert sure["risk"] == pytest.approx(0.2)
    assert (sure["cant_tell"], sure["set"], sure["error"]) == (None, ["jazz"], None)
    assert unsure["genres"] == [{"genre": "folk", "proba": 0.4}]
    assert unsure["cant_tell"] == "risk 60 %, more than 40 %"
    assert unsure["set"] == ["folk", "jazz"]
    assert (broken["genres"], broken["risk"], broken["cant_tell"], broken["set"]) == ([], None, None, None)


def test_csv_has_the_same_columns_for_every_answer():
    out = io.StringIO()
    assert write_csv(SAID, GENRES, out, 1, CAREFUL) == 1
    sure, unsure, broken = csv.DictReader(io.StringIO(out.getvalue()))
    assert list(sure) == ["file", "genre 1", "proba 1", "risk", "cant_tell", "set", "known", "error"]
    assert (sure["genre 1"], sure["cant_tell"], sure["set"]) == ("jazz", "", "jazz")
    assert (unsure["genre 1"], unsure["risk"], unsure["set"]) == ("folk", "0.600000", "folk;jazz")
    assert unsure["cant_tell"] == "risk 60 %, more than 40 %"
    assert (broken["risk"], broken["set"], broken["error"]) == ("", "", "broken.jpg: cut off.")


def test_an_answer_has_one_shape_whatever_is_asked_for():
    shapes = set()
    for caution in (Caution(), Caution(max_risk=0.4), CAREFUL):
        for name in SAID:
            shapes.add(tuple(as_mapping(name, GENRES, caution)))
        out = io.StringIO()
        write_csv(SAID, GENRES, out, 1, caution)
        assert out.getvalue().splitlines()[0] == "file,genre 1,proba 1,risk,cant_tell,set,known,error"
    assert shapes == {("file", "genres", "risk", "cant_tell", "set", "known", "error")}


def test_a_terminal_without_unicode_gets_json_that_any_program_reads():
    lines = io.BytesIO()
    with io.TextIOWrapper(lines, encoding="cp1252", write_through=True) as out:
        write_json_lines([Prediction("rock 🤘 é.jpg", np.array([0.1, 0.8, 0.1]), None)], GENRES, out, 1)
        assert json.loads(lines.getvalue())["file"] == "rock 🤘 é.jpg"


def test_predict_says_cant_tell_on_the_command_line(
    color_model: Model, single: Dataset, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    asked = [str(path) for path in single.in_split("test").paths[:10]]
    options = ["--json", "--max-risk", "0.05", "--coverage", "0.95"]
    monkeypatch.setattr(sys, "argv", ["sleevenotes", "predict", str(color_model.folder), *asked, *options])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    probas = [prediction.proba for prediction in color_model.predict([Path(name) for name in asked])]
    assert len(lines) == 10
    for line, proba in zip(lines, probas, strict=True):
        assert proba is not None
        assert line["risk"] == pytest.approx(color_model.caution().risk(proba))
        assert bool(line["cant_tell"]) == (line["risk"] > 0.05)
        assert line["genres"][0]["genre"] == color_model.genres[int(proba.argmax())]
        assert line["set"][0] == color_model.genres[int(proba.argmax())]


def test_a_model_knows_the_limits_of_its_sets(color_model: Model):
    caution = color_model.caution(max_risk=0.3, coverage=0.9)
    assert caution.limit == (color_model.card["calibration"]["sets"]["limits"][89] or 0.0)
    named = caution.genres(np.array([0.2, 0.7, 0.1]), color_model.genres)
    assert named is not None
    assert named[0] == color_model.genres[1]
    with pytest.raises(ModelError, match=r"max risk: 40\. It is a share from 0 to 1, like 0\.4\."):
        color_model.caution(max_risk=40)


@pytest.mark.parametrize("task", ["single", "multi"])
def test_a_report_shows_how_risks_and_sets_came_true(tmp_path: Path, task: Kind):
    done = finished(tmp_path, task=task)
    page = write_report(tmp_path / "page.html", **done.everything).read_text(encoding="utf-8")
    for name in ("figure-uncalibrated", "figure-calibrated", "figure-risk"):
        assert f'id="{name}"' in page
    assert "Where it answers only the fifth of covers it is surest of" in page
    assert f"Sets that were to hold {'all genres' if task == 'multi' else 'the genre'} of 90 of 100 covers" in page
    done.change("evaluation.json", abstention=None, sets=None)  # as of an evaluation that was made before
    page = write_report(tmp_path / "page.html", **done.everything).read_text(encoding="utf-8")
    assert "figure-risk" not in page
    assert "Sets of genres" not in page
