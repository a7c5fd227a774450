"""The model's page tells what the report tells, and what was not measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from audited import audit, write_audit
from finished import Finished, finished
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.mending import mend
from sleevenotes.learn.heads import Head
from sleevenotes.learn.model import Model
from sleevenotes.publish.caveats import caveats
from sleevenotes.publish.results import read
from sleevenotes.publish.web.figures import router, told
from sleevenotes.publish.web.service import Service


def model_of(run: Finished) -> Model:
    """The model of a run that was made up: it has a card, and nothing to be asked with."""
    card = json.loads((run.folder / "model" / "model.json").read_text())
    return Model(run.folder / "model", card, Head(None, None))  # type: ignore[arg-type]


def service_of(run: Finished, *, dataset: bool = True) -> Service:
    return Service(model_of(run), Dataset.open(run.folder / "dataset") if dataset else None, run.folder)


@pytest.fixture(scope="module")
def single_run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished(tmp_path_factory.mktemp("single"), covers=100, size_px=8)


def ask(service: Service) -> dict[str, Any]:
    app = FastAPI()
    app.state.service = service
    app.include_router(router)
    found: dict[str, Any] = TestClient(app).get("/api/v1/model").json()
    return found


def test_figures_are_those_of_the_evaluation(single_run: Finished):
    page = ask(service_of(single_run))
    evaluation = json.loads((single_run.folder / "evaluation.json").read_text())
    assert page["verdict"] == evaluation["verdict"]
    assert (page["main"], page["split"], page["n"]) == ("accuracy", "test", evaluation["n"])
    for figure in page["figures"]:
        told = evaluation[figure["key"]]
        assert {end: figure[end] for end in ("value", "low", "high")} == pytest.approx(
            {end: told[end] for end in ("value", "low", "high")}
        )
        assert figure["too_few"] == told.get("too_few", False)
        assert figure["name"]
        assert figure["meaning"].endswith(".")
    assert page["figures"][0]["key"] == "accuracy"
    assert [each["key"] for each in page["baselines"]] == ["color", "share", "commonest"]
    for each in page["baselines"]:
        assert each["value"] == pytest.approx(evaluation["baselines"][each["key"]]["accuracy"]["value"])
        assert each["words"] == evaluation["baselines"][each["key"]]["words"]
    assert page["confusion"] == {key: evaluation["confusion"][key] for key in ("genres", "counts")}
    assert {each["genre"]: each["support"] for each in page["per_genre"]} == {
        genre: each["support"] for genre, each in evaluation["per_genre"].items()
    }
    assert len(page["reliability"]["calibrated"]) == len(evaluation["reliability"]["calibrated"])
    assert page["abstention"]["curve"][-1]["answered"] == 1
    assert page["card"]["genres"] == evaluation["genres"]
    assert page["card"]["parameters"] == 123456


def test_the_bundled_model_has_the_figures_of_its_card():
    page = ask(Service(Model.in_the_box(), None))
    accuracy = Model.in_the_box().card["figures"]["five_genres"]["accuracy"]
    assert page["missing"] == []
    assert page["verdict"].startswith("Of 4,135 test covers of country, electronic, hip-hop, pop or rock, it names the")
    assert (page["main"], page["n"]) == ("accuracy", 4135)
    assert {end: page["figures"][0][end] for end in accuracy} == accuracy
    assert [(each["key"], each["value"]) for each in page["baselines"]] == [("random", 0.2)]
    assert {row["genre"] for row in page["per_genre"]} == set(Model.in_the_box().genres)
    assert all(row["roc_auc"]["low"] < row["roc_auc"]["high"] for row in page["per_genre"])


def test_what_limits_the_figures_is_what_the_report_says(single_run: Finished):
    page = ask(service_of(single_run))
    report = caveats(read(**single_run.required))
    assert page["caveats"] == [{"heading": each.heading, "words": each.words} for each in report]


def test_without_an_audit_the_command_is_named(single_run: Finished):
    page = ask(service_of(single_run))
    assert page["audit"] is None
    assert page["missing"] == [
        "The dataset was not audited. Run `sleevenotes audit DATASET --trained MODEL -o OUT/audit`."
    ]


def test_the_audit_comes_with_its_worst_first_and_knows_whether_it_fits(tmp_path: Path):
    run = finished(tmp_path, covers=40, size_px=8)
    dataset = Dataset.open(tmp_path / "dataset")
    write_audit(tmp_path / "audit", audit(dataset={"name": "dataset", "fingerprint": dataset.fingerprint}))
    page = ask(service_of(run))
    assert page["missing"] == []
    shown = page["audit"]
    assert (shown["verdict"], shown["fits"]) == ("broken", True)
    verdicts = [finding["verdict"] for finding in shown["findings"]]
    assert verdicts == sorted(verdicts, key=["broken", "suspicious", "clean"].index)
    assert shown["findings"][0]["figure"]["value"] is not None
    mend(dataset, dataset.file_names[0], genres=["rock"], who="ann")
    assert ask(service_of(run))["audit"]["fits"] is False
    assert "older than the dataset" in json.dumps(ask(service_of(run))["caveats"])


def test_without_an_evaluation_there_is_the_card_and_what_to_run(tmp_path: Path):
    run = finished(tmp_path, covers=40, size_px=8)
    (tmp_path / "evaluation.json").unlink()
    page = ask(service_of(run))
    assert page["missing"] == ["The model was not evaluated. Run `sleevenotes evaluate MODEL DATASET`."]
    empty = ("verdict", "figures", "baselines", "per_genre", "confusion", "reliability", "abstention", "audit")
    assert {page[key] for key in empty} == {None}
    assert page["card"]["name"] == "small"


def test_a_spoilt_or_foreign_evaluation_is_told_and_not_shown(tmp_path: Path):
    run = finished(tmp_path, covers=40, size_px=8)
    run.change("evaluation.json", model_sha256="0" * 64)
    assert told(service_of(run)).missing == [
        "The evaluation.json here is of another model. Run `sleevenotes evaluate MODEL DATASET` again."
    ]
    (tmp_path / "evaluation.json").write_text("{")
    assert "no valid JSON" in told(service_of(run)).missing[0]


def test_without_a_dataset_the_audit_is_there_all_the_same(tmp_path: Path):
    run = finished(tmp_path, covers=40, size_px=8)
    write_audit(tmp_path / "audit", audit())
    page = ask(service_of(run, dataset=False))
    assert (page["audit"]["verdict"], page["audit"]["fits"], page["missing"]) == ("broken", True, [])


def test_without_a_dataset_figures_are_there_all_the_same(single_run: Finished):
    page = ask(service_of(single_run, dataset=False))
    assert page["figures"][0]["key"] == "accuracy"
    assert page["caveats"] == []


@pytest.mark.parametrize(("task", "genres"), [("binary", ("metal", "not metal")), ("multi", ("folk", "jazz", "rock"))])
def test_other_tasks_have_their_own_figures(tmp_path: Path, task: Any, genres: tuple[str, ...]):
    page = ask(service_of(finished(tmp_path, task=task, genres=genres, covers=60, size_px=8)))
    assert page["main"] == {"binary": "accuracy", "multi": "label_ranking_ap"}[task]
    assert (page["confusion"] is None) == (task == "multi")
    assert "{" not in "".join(figure["meaning"] for figure in page["figures"])
    assert not [figure for figure in page["figures"] if task == "binary" and figure["key"] == "top2_accuracy"]
    assert all((each["threshold"] is not None) == (task == "multi") for each in page["per_genre"])


def test_the_page_is_read_anew_when_a_file_changes(tmp_path: Path):
    run = finished(tmp_path, covers=40, size_px=8)
    app = FastAPI()
    app.state.service = service_of(run)
    app.include_router(router)
    client = TestClient(app)
    assert client.get("/api/v1/model").json()["verdict"]
    run.change("evaluation.json", verdict="Another sentence.")
    assert client.get("/api/v1/model").json()["verdict"] == "Another sentence."
