"""Whatever becomes of a file that is read: an error in a sentence, or the right answer, and never a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audited import write_audit
from damage import damaged, spoilt
from finished import drawn, finished
from sleevenotes.collect.collecting import collect
from sleevenotes.collect.demo import read_truth
from sleevenotes.collect.harmonising import HarmoniseSettings, harmonise
from sleevenotes.covers.check import near_duplicates
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import write_json
from sleevenotes.covers.images import encode, sha256
from sleevenotes.covers.mending import CHANGES_NAME, PENDING_NAME, changes, finish
from sleevenotes.covers.reports import read_check, read_problems
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import SleevenotesError
from sleevenotes.judge.schemas import (
    read_audit,
    read_curve,
    read_evaluation,
    read_explanations,
    read_history,
    read_map,
    read_people,
    read_places,
    read_predictions,
)
from sleevenotes.learn.backbones.foreign import manner_of
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.likeness import Likeness
from sleevenotes.learn.model import Model
from sleevenotes.publish.results import read
from sleevenotes.studies.parts import Parts

FIGURE = {"value": 0.5, "low": 0.4, "high": 0.6}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that a report reads."""
    folder = tmp_path_factory.mktemp("run")
    made = finished(folder, covers=20, size_px=16)
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    dataset = Dataset.open(folder / "dataset")
    names, genres = dataset.file_names, evaluation["genres"]
    of = evaluation["dataset"]
    point = FIGURE | {"covers": 20, "draws": 3}
    curve = {"model": "small", "metric": "accuracy", "split": "valid", "points": [point, point], "words": "More helps."}
    write_json(folder / "curve.json", curve)
    digest = sha256((folder / "model" / "model.json").read_bytes())
    purity = FIGURE | {"chance": 0.2, "gain": FIGURE, "n": 4}
    told = {"format": 1, "model_sha256": digest, "dataset": of, "n": len(names), "purity": {"test": purity}}
    write_json(folder / "map.json", told)
    rows = [f"{name},0.1,0.{at:02d},rock,test\n" for at, name in enumerate(names)]
    (folder / "map.csv").write_text("file_name,x,y,genres,split\n" + "".join(rows), encoding="utf-8")
    rival = {
        "model": "small",
        "n": 9,
        "people": FIGURE,
        "accuracy": FIGURE,
        "difference": FIGURE,
        "p": 0.1,
        "words": "",
    }
    people = {"format": 1, "dataset": of, "n": 9, "players": 2, "covers": 5, "accuracy": FIGURE, "guessing": FIGURE,
              "models": [rival], "words": ["Good."], "notes": ["Few."], "genres": genres}  # fmt: skip
    write_json(folder / "people.json", people)
    write_audit(folder)
    read(**made.everything)
    return folder


def whole(folder: Path) -> Any:
    read(folder / "dataset", folder / "model", folder / "evaluation.json", predictions=folder / "predictions.csv",
         explanations=folder / "explanations")  # fmt: skip


READERS: dict[str, Callable[[Path], Any]] = {
    "evaluation.json": read_evaluation,
    "predictions.csv": lambda path: list(read_predictions(path, ["rock"])),
    "audit.json": read_audit,
    "map.json": read_map,
    "map.csv": read_places,
    "curve.json": read_curve,
    "people.json": read_people,
    "explanations/explanations.json": read_explanations,
    "model/history.csv": read_history,
    "dataset/check.json": read_check,
    "dataset/problems.csv": read_problems,
    "dataset/split.json": lambda path: Task.of(Dataset.open(path.parent, files=False)),
}


def told(reader: Callable[[], Any]) -> str | Any:
    """Return what a reader returns, or the sentence of its error."""
    try:
        return reader()
    except SleevenotesError as error:
        sentence = error.sentence
    assert all(line.isprintable() for line in sentence.splitlines()), repr(sentence)
    return sentence


@pytest.mark.parametrize("name", READERS)
def test_results_that_were_damaged_or_edited_are_read_right_or_refused(run: Path, name: str):
    path, content = run / name, (run / name).read_bytes()
    right = READERS[name](path)
    try:
        for how, spoilt_content in spoilt(path, depth=2):
            path.write_bytes(spoilt_content)
            found = told(lambda: READERS[name](path))
            if how in damaged(b""):
                assert isinstance(found, str) or found in (right, []), how
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("name", [name for name in READERS if name.endswith(".csv")])
def test_a_table_that_breaks_off_is_refused_wherever_it_does(run: Path, name: str):
    path, content = run / name, (run / name).read_bytes()
    try:
        for end in range(len(content) - 1, max(0, len(content) - 200), -7):
            if content[:end].endswith(b"\n"):
                continue
            path.write_bytes(content[:end])
            if name != "dataset/problems.csv":  # which hands may edit
                assert isinstance(told(lambda: READERS[name](path)), str), content[:end][-20:]
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("name", [name for name in READERS if name != "dataset/split.json"])
def test_a_report_of_damaged_results_is_refused_with_the_name_of_the_file(run: Path, name: str):
    path, content = run / name, (run / name).read_bytes()
    try:
        for how, spoilt_content in damaged(content).items():
            path.write_bytes(spoilt_content)
            assert path.name in str(told(lambda: whole(run))) or (name.startswith("expl") and how == "a list"), how
    finally:
        path.write_bytes(content)


# -------------------------------------------------------------------------------- what verbs find of an earlier run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for at in range(6):
        folder = tmp_path / "source" / ("folk" if at % 2 else "rock")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{at}.jpg").write_bytes(encode(drawn(at, at % 2, size_px=20), "jpeg"))
    return tmp_path / "source"


@pytest.mark.parametrize("name", ["collect.json", "problems.csv"])
def test_collect_goes_on_from_what_it_finds_or_says_what_is_wrong(source: Path, tmp_path: Path, name: str):
    right = collect(source, tmp_path / "dataset").dataset
    for how, content in spoilt(tmp_path / "dataset" / name, depth=2):
        folder = tmp_path / "spoilt"
        shutil.copytree(tmp_path / "dataset", folder)
        (folder / name).write_bytes(content)
        found = told(lambda: collect(source, tmp_path / "spoilt").dataset)
        if not isinstance(found, str):
            assert found.column("sha256") == right.column("sha256"), how
            assert found.column("genres") == right.column("genres"), how
        else:
            assert name in found, how
        shutil.rmtree(folder)


def test_a_damaged_journal_only_costs_time(source: Path, tmp_path: Path):
    right = collect(source, tmp_path / "dataset").dataset
    lines = [
        json.dumps({"format": 1}).encode(),
        json.dumps({"source": "folk/1.jpg", "size": 1, "mtime_ns": 2}).encode(),
    ]
    for how, content in damaged(b"\n".join(lines) + b"\n").items():
        folder = tmp_path / f"killed {how}"
        folder.mkdir()
        (folder / "collect.jsonl").write_bytes(content)
        found = collect(source, folder).dataset
        assert found.column("sha256") == right.column("sha256"), how


def test_harmonise_does_not_trust_a_damaged_state(single: Dataset, tmp_path: Path):
    few = single.where([at < 8 for at in range(len(single))])
    harmonise(few, tmp_path / "out", HarmoniseSettings(size_px=16))
    path = tmp_path / "out" / "harmonise.json"
    for how, content in damaged(path.read_bytes()).items():
        path.write_bytes(content)
        assert "harmonise.json" in str(told(lambda: harmonise(few, tmp_path / "out", HarmoniseSettings(size_px=16)))), (
            how
        )


def test_near_duplicates_of_a_damaged_check_are_found_anew(run: Path):
    path = run / "dataset" / "check.json"
    content, dataset = path.read_bytes(), Dataset.open(run / "dataset")
    path.unlink()
    right = near_duplicates(dataset)
    try:
        for how, spoilt_content in damaged(content).items():
            path.write_bytes(spoilt_content)
            assert near_duplicates(dataset) == right, how
    finally:
        path.write_bytes(content)


def test_a_damaged_log_of_changes_is_refused(run: Path, tmp_path: Path):
    header = "change,when,who,file_name,before,after,undoes\n"
    log = f"{header}1,2026-01-01T00:00:00Z,ann,a.jpg,rock,folk,\n2,2026-01-01T00:00:00Z,bo,b.jpg,folk,rock,1\n"
    for how, content in damaged(log.encode()).items():
        (tmp_path / CHANGES_NAME).write_bytes(content)
        assert how == "empty" or isinstance(told(lambda: changes(tmp_path)), str), how
    pending = {"number": 3, "when": "", "who": "ann", "file_name": "a.jpg", "before": [], "after": [], "undoes": None}
    shutil.copytree(run / "dataset", tmp_path / "dataset")
    for _, content in [*damaged(json.dumps(pending).encode()).items()]:
        (tmp_path / "dataset" / PENDING_NAME).write_bytes(content)
        assert PENDING_NAME in str(told(lambda: finish(tmp_path / "dataset")))


def test_the_truth_of_demo_covers_is_whole_or_refused(tmp_path: Path):
    header = (
        "file_name,genre,true_genre,artist,album,year,motif,motif_box,palette,near_duplicate_of,duplicate_of,edits,"
    )
    row = 'a.jpg,folk,folk,Ann,One,1971,sun,"1,2,3,4",folk,,,size crop,,'
    path = tmp_path / "truth.csv"
    path.write_text(f"{header}broken,shortcut\n{row}\n", encoding="utf-8")
    (right,) = read_truth(tmp_path)
    assert (right.year, right.motif_box, right.edits) == (1971, (1, 2, 3, 4), ("size", "crop"))
    for how, content in damaged(path.read_bytes()).items():
        path.write_bytes(content)
        assert isinstance(told(lambda: read_truth(tmp_path)), str), how


def test_parts_of_a_study_that_were_damaged_or_edited_are_made_again(tmp_path: Path):
    parts = Parts(tmp_path, {"seed": 0}, lambda line: None)
    right = parts.part("one", lambda: {"accuracy": 0.5, "n": [1, 2]})
    path = parts.path("one")
    for how, content in list(spoilt(path)):
        path.write_bytes(content)
        assert parts.part("one", lambda: {"accuracy": 0.5, "n": [1, 2]}) == right, how


# -------------------------------------------------------------------------------- what models are made of


def test_damaged_features_are_computed_again(color_model: Model, single: Dataset, tmp_path: Path):
    few = Dataset(shutil.copytree(single.folder, tmp_path / "d"), single.covers.head(6))
    right = dataset_features(few, color_model.extractor)
    path = few.cache / f"features-{color_model.extractor.key}.npz"
    content = path.read_bytes()
    odd = tmp_path / "odd.npz"
    digests = np.array(few.digests)
    wrong = {"width": right[:, :-1].astype(np.float64), "row": right[:3], "number": right * np.float32(np.nan)}
    for features in (*wrong.values(), right[0], np.array(["x"] * 6)):
        np.savez(odd, digests=digests, features=features)
        path.write_bytes(odd.read_bytes())
        assert np.array_equal(dataset_features(few, color_model.extractor), right)
    for how, spoilt_content in damaged(content).items():
        path.write_bytes(spoilt_content)
        assert np.array_equal(dataset_features(few, color_model.extractor), right), how


@pytest.mark.parametrize("name", ["weights.safetensors", "network.onnx"])
def test_weights_that_were_damaged_are_refused_by_their_hash(
    small_model: Model, single: Dataset, tmp_path: Path, name: str
):
    folder = shutil.copytree(small_model.folder, tmp_path / "m")
    content = (folder / name).read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for how, spoilt_content in {**damaged(content), "one bit": bytes(flipped)}.items():
        (folder / name).write_bytes(spoilt_content)
        found = told(lambda: list(Model.load(folder).predict(single.paths[:1])))
        assert isinstance(found, str), how
        assert f"{name}: its SHA-256 begins with" in found, how


def test_a_damaged_likeness_is_refused_even_if_its_hash_fits(tmp_path: Path):
    path = tmp_path / "l.safetensors"
    Likeness.of([np.random.default_rng(0).normal(0, 1, (8, 6)).astype(np.float32)]).save(path)
    for how, content in damaged(path.read_bytes()).items():
        path.write_bytes(content)
        assert isinstance(told(lambda: Likeness.load(path, sha256(path.read_bytes()))), str), how


def test_how_a_graph_is_fed_is_whole_or_refused(tmp_path: Path):
    path = tmp_path / "mine.json"
    write_json(path, {"mean": [0.5, 0.5, 0.5], "size_px": 96, "output": "x"})
    for how, content in list(spoilt(path)):
        path.write_bytes(content)
        found = told(lambda: manner_of(tmp_path / "mine.onnx"))
        assert isinstance(found, str) or how.endswith(("an object", " removed")) or how.startswith("output "), how
