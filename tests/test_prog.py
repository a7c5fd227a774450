"""The prog study: what follows from its numbers, its data, and the whole of it on covers whose source is planted."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sleevenotes import cli
from sleevenotes.collect.collecting import CollectSettings, collect
from sleevenotes.collect.demo import DemoSettings, draw_demo
from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.images import decode, encode, resize
from sleevenotes.errors import AuditError, DatasetError, EvaluationError, SleevenotesWarning
from sleevenotes.judge.audit.control import Control
from sleevenotes.judge.audit.scores import Ruler, in_words
from sleevenotes.judge.figures import Answers
from sleevenotes.learn import networks
from sleevenotes.learn.model import Model
from sleevenotes.publish.study_page import write_study_page
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.prog import asking, genres, hidden, networks as prog_network, question
from sleevenotes.studies.prog.asking import Asked, balanced
from sleevenotes.studies.prog.both import Both, ProgQuick, both_kinds
from sleevenotes.studies.prog.data import Collections, combine, export_folders, stratified
from sleevenotes.studies.prog.networks import VARIANTS
from sleevenotes.studies.prog.paper import PAPER
from sleevenotes.studies.prog.study import Settings, run
from training_for_tests import TINY_PX, quickly, tiny_network

PATHS = {"prog": (100, 90), "others": (150, 60)}  # size in px and quality of the JPEG: what tells the collections apart
TINY = ProgQuick(covers=200, epochs=20)

few_covers = pytest.mark.filterwarnings("ignore::sleevenotes.errors.SleevenotesWarning")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> dict[str, Dataset]:
    """Two collections of demo covers: prog, the first genre, went another way than the two others; one is in both."""
    folder = tmp_path_factory.mktemp("collections")
    settings = DemoSettings(
        genres=3, covers_per_genre=40, size_px=150, signal=1.0, near_duplicates=0, exact_duplicates=0, broken=0
    )
    draw_demo(folder / "drawn", settings, seed=1)
    folders = sorted(path for path in (folder / "drawn").iterdir() if path.is_dir())
    for number, genre in enumerate(folders):
        name = "others" if number else "prog"
        for path in sorted(genre.iterdir()):
            send(path, folder / name / genre.name / f"{path.stem}.jpg", *PATHS[name])
    twice = next((folder / "prog").rglob("*.jpg"))
    send(twice, folder / "others" / folders[1].name / "Somebody - The same again.jpg", *PATHS["others"])
    plain = CollectSettings(layout="genre")  # each cover is a group: artists would leave few
    return {name: collect(folder / name, folder / "collected" / name, settings=plain).dataset for name in PATHS}


def send(source: Path, target: Path, size_px: int, quality: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(encode(resize(decode(source), size_px), "jpeg", quality=quality))


@pytest.fixture(scope="module")
def combined(drawn, tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SleevenotesWarning)  # few covers in test
        folder = tmp_path_factory.mktemp("combined") / "dataset"
        return combine(Collections.of(drawn["prog"], drawn["others"]), folder, most=None, seed=0)


# -------------------------------------------------------------------------------- the paper


def test_the_studys_own_counts_say_what_its_accuracy_is_worth():
    assert round(PAPER.never_prog, 3) == 0.972
    assert (PAPER.tested, PAPER.prog_tested) == (16_463, 463)
    assert PAPER.right["low"] > PAPER.never_prog > PAPER.dip  # 99 % is better than nothing, and the dip is worse
    errors = round((1 - PAPER.accuracy) * PAPER.tested)
    assert PAPER.least_recall == pytest.approx((463 - errors) / 463, abs=0.001)
    assert PAPER.least_precision == pytest.approx(463 / (463 + errors), abs=0.001)


# -------------------------------------------------------------------------------- the data


def test_a_combined_dataset_tells_the_kind_of_a_cover_by_its_genre_and_by_nothing_else_of_the_table(combined, drawn):
    dataset = combined.dataset
    assert combined.counts == (len(drawn["prog"]), len(drawn["others"]))
    assert set(zip(dataset.column("genres"), dataset.column("collection"), strict=True)) == {
        ("is_prog", "prog"),
        ("not_prog", "others"),
    }
    assert all(re.fullmatch(r"images/\d{6}\.jpg", name) for name in dataset.file_names)
    first = np.array(dataset.column("genres")) == "is_prog"
    assert abs(np.flatnonzero(first).mean() / len(dataset) - 0.5) < 0.2  # in no order
    before = {name: path for each in drawn.values() for name, path in zip(each.file_names, each.paths, strict=True)}
    told = zip(dataset.paths, dataset.column("file_before"), strict=True)
    assert all(path.read_bytes() == before[name].read_bytes() for path, name in told)
    assert dataset.settings["task"] == "binary"
    assert dataset.settings["genres"] == ["is_prog", "not_prog"]
    shares = [dataset.settings["covers"][side] / 119 for side in ("train", "valid", "test")]
    assert shares == pytest.approx([0.72, 0.08, 0.2], abs=0.04)


def test_the_same_cover_in_both_collections_is_told_and_left_out_of_every_side(combined):
    ((first, second),) = combined.same
    assert {first.split(":")[0], second.split(":")[0]} == {"prog", "others"}
    assert "The same again" in first + second
    rows = [row for row, name in enumerate(combined.dataset.column("file_before")) if name in first or name in second]
    assert len(rows) == 2
    assert all(combined.dataset.column("split")[row] == "" for row in rows)


def test_a_combined_dataset_is_found_again_and_made_anew_for_another_seed(combined, drawn):
    folder = combined.dataset.folder
    (folder / "images" / "mark").touch()
    both = Collections.of(drawn["prog"], drawn["others"])
    again = combine(both, folder, most=None, seed=0)
    assert again.dataset.fingerprint == combined.dataset.fingerprint
    assert (folder / "images" / "mark").exists()
    (folder / "images" / "mark").unlink()


@few_covers
def test_of_many_covers_some_are_drawn_in_their_shares(drawn, tmp_path):
    few = combine(Collections.of(drawn["prog"], drawn["others"]), tmp_path / "dataset", most=60, seed=3)
    assert few.counts == (19, 39)  # a share is rounded down
    before = few.dataset.column("genres_before")
    assert all(19 <= before.count(genre) <= 20 for genre in set(before))
    other = combine(Collections.of(drawn["prog"], drawn["others"]), tmp_path / "dataset", most=60, seed=4)
    assert other.dataset.fingerprint != few.dataset.fingerprint  # another seed: it is made anew


@few_covers
def test_the_others_may_have_no_genre_at_all(drawn, tmp_path):
    others = drawn["others"].with_columns(genres=[""] * len(drawn["others"]))
    both = combine(Collections.of(drawn["prog"], others), tmp_path / "dataset", most=60, seed=3)
    kinds = Counter(zip(both.dataset.column("genres"), both.dataset.column("genres_before"), strict=True))
    assert {(kind, bool(genre)) for kind, genre in kinds} == {("is_prog", True), ("not_prog", False)}


def test_a_stratified_draw_keeps_every_stratum_and_never_takes_more_than_asked():
    strata = ["a"] * 90 + ["b"] * 9 + ["c"]
    rows = stratified(strata, 20, seed=0)
    assert [sum(strata[row] == name for row in rows) for name in "abc"] == [18, 1, 1]
    assert stratified(strata, 100, seed=0).tolist() == list(range(100))


def test_the_tree_of_folders_is_the_one_that_the_study_used(combined, tmp_path):
    counts = export_folders(combined.dataset, tmp_path / "tree", 64)
    assert list(counts) == ["test/is_prog", "test/not_prog", "train/is_prog", "train/not_prog"]
    files = list((tmp_path / "tree").rglob("*.jpg"))
    assert len(files) == sum(counts.values()) == sum(combined.dataset.settings["covers"].values())
    assert {decode(path).shape for path in files} == {(64, 64, 3)}
    written = {path: path.stat().st_mtime_ns for path in files}
    assert export_folders(combined.dataset, tmp_path / "tree", 64) == counts  # found, and not written again
    assert {path: path.stat().st_mtime_ns for path in files} == written
    read = collect(tmp_path / "tree", tmp_path / "read").dataset  # with its split
    told = zip(read.column("split"), read.column("genres"), strict=True)
    assert Counter(f"{side}/{genre.replace(' ', '_')}" for side, genre in told) == counts


def test_nobody_elses_tree_is_written_over(combined, tmp_path):
    theirs = tmp_path / "theirs" / "train" / "is_prog" / "mine.jpg"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    with pytest.raises(DatasetError, match="a folder that holds something else"):
        export_folders(combined.dataset, tmp_path / "theirs", 64)
    assert theirs.exists()


# -------------------------------------------------------------------------------- refusals


def test_what_can_not_be_studied_is_said_before_anything_takes_its_time(drawn, tmp_path):
    prog, others = drawn["prog"], drawn["others"]
    with pytest.raises(EvaluationError, match="given as both collections"):
        run(prog, Dataset.open(prog.folder), tmp_path / "out")
    with pytest.raises(EvaluationError, match="no cover in it"):
        run(prog.where(np.zeros(len(prog), dtype=bool)), others, tmp_path / "out")
    with pytest.raises(EvaluationError, match=r"no cover of genre 'statik wave'.*Did you mean 'static wave'"):
        run(prog, others, tmp_path / "out", Settings(versus="statik wave"))
    (tmp_path / "file").touch()
    with pytest.raises(EvaluationError, match="a file"):
        run(prog, others, tmp_path / "file")
    (tmp_path / "taken" / "dataset" / "letters").mkdir(parents=True)
    with pytest.raises(DatasetError, match="holds something that this study did not make"):
        run(prog, others, tmp_path / "taken")
    assert (tmp_path / "taken" / "dataset" / "letters").exists()
    assert not (tmp_path / "out").exists()


def test_covers_that_are_too_small_and_a_control_of_another_time_are_refused(drawn, tmp_path):
    prog, others = drawn["prog"], drawn["others"]
    small = prog.with_columns(width=["32"] * len(prog))
    with pytest.raises(EvaluationError, match=r"40 of 40 covers are smaller than 64 px"):
        run(small, others, tmp_path / "out")
    years = ["1999"] * len(others)
    control = Control(others.with_columns(year=years), others.genres[0], "", (1966, 1985))
    with pytest.raises(AuditError, match=r"0 covers of .* of 1966 to 1985.*--control-years"):
        run(prog, others, tmp_path / "out", Settings(control=control))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{prog}", "{prog}"], "given as both collections"),
        (["{prog}", "{folder}/nowhere"], "nowhere: no such folder"),
        (["{prog}", "{others}", "--control-genre", "prog"], "--control"),
        (["{prog}", "{others}", "--control", "{others}"], "--control-genre"),
        (["{prog}", "{others}", "--versus", "polka"], "no cover of genre 'polka'"),
    ],
)
def test_the_command_says_what_is_wrong_in_a_sentence(arguments, said, drawn, tmp_path):
    where = {name: drawn[name].folder for name in PATHS} | {"folder": tmp_path}
    command = ["study", "prog", *(each.format(**where) for each in arguments), "-o", str(tmp_path / "out")]
    told = CliRunner().invoke(cli.app, command)
    assert told.exit_code
    assert said in (told.output if told.exit_code == 2 else str(told.exception))


# -------------------------------------------------------------------------------- what is asked, and the answer


def test_balanced_rows_weigh_alike_by_weights_and_by_draws():
    truth = np.array([0] * 5 + [1] * 45 + [-1] * 3)
    asked = Asked("x", ("prog", "pop"), truth, {"train": np.arange(50)})
    weighed = truth[balanced(asked, "train", "weights", 0)]
    assert np.bincount(weighed).tolist() == [45, 45]
    assert np.bincount(truth[balanced(asked, "train", "draws", 0)]).tolist() == [25, 25]
    assert balanced(asked, "train", "none", 0).tolist() == list(range(50))


def test_a_part_of_the_covers_keeps_its_shares_and_the_test_side():
    truth = np.array([0] * 100 + [1] * 300)
    rows = {"train": np.arange(0, 400, 2), "valid": np.arange(1, 400, 4), "test": np.arange(3, 400, 4)}
    few = Asked("x", ("prog", "pop"), truth, rows).reduced(60, seed=0)
    assert np.bincount(truth[few.rows["train"]]).tolist() == [10, 30]
    assert np.bincount(truth[few.rows["valid"]]).tolist() == [5, 15]
    assert few.rows["test"] is rows["test"]


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


def finding(check: int, value: float, verdict: str, **details: object) -> dict:
    return {
        "id": {1: "file-properties", 2: "pixel-traces"}.get(check, str(check)), "check": check, "title": str(check),
        "measured": estimate(value), "verdict": verdict, "words": f"{value} is it.", "advice": "", "details": details,
    }  # fmt: skip


def test_a_second_model_that_loses_what_it_knows_on_the_control_answers_where_the_network_learnt_nothing(combined):
    both = Both.of(combined.dataset, seed=0, quick=TINY)
    audit = {"verdict": "broken", "findings": [finding(1, 0.998, "broken"), finding(5, 0.5, "clean")], "left_out": []}
    too = {"own": estimate(0.94), "after": estimate(0.8), "control": estimate(0.56), "verdict": "broken"}
    answer = question.lines(both, {"test": [0.5] * both.count("test")}, audit, too)
    assert answer["too-control"].verdict == "broken"
    told = question.verdict(answer)
    assert re.search(r"gets 0\.940 .*, 0\.800 .* after one path and 0\.560 .* where both come from one source\.", told)
    assert question.headline(answer).endswith("network, one source 0.50; features, one source 0.56.")
    assert told.endswith("The worry was right: what is learnt here is where a cover comes from, and little of the art.")


@pytest.mark.parametrize(("there", "verdict"), [(0.0, "broken"), (1.0, "suspicious"), (2.0, "clean")])
def test_a_model_is_judged_on_the_control_by_the_audits_rule(there, verdict):
    """Answers that tell 400 covers apart by two deviations at home, and by none, one or two on the control."""
    rng, ruler = np.random.default_rng(0), Ruler(0)

    def answers(apart: float) -> Answers:
        truth = np.arange(400) % 2
        logits = apart * (truth == 0) + rng.normal(size=400)
        return Answers(truth, both_kinds(1 / (1 + np.exp(-logits))), [str(row) for row in range(400)])

    assert question.judged(answers(2.0), answers(there), ruler) == verdict


@pytest.mark.parametrize(
    ("files", "control", "says"),
    [
        ("broken", ("broken", 0.56), "The worry was right: what is learnt here is where a cover comes from"),
        ("broken", ("suspicious", 0.7), "The worry was right in part"),
        ("broken", ("clean", 0.81), "it keeps where both kinds come from one source"),
        ("broken", ("clean", 0.51), "too few to call that a loss"),
        ("broken", None, "no score on these covers says how much of it is art"),
        ("clean", ("clean", 0.9), "Nothing that was measured here bears the worry out"),
        ("clean", None, "Nothing that was measured here bears the worry out"),
    ],
)
def test_the_answer_follows_from_what_was_measured(combined, files, control, says):
    both = Both.of(combined.dataset, seed=0, quick=TINY)
    proba = np.where(both.is_prog, 0.9, 0.1).tolist()
    after = finding(3, 0.2, "suspicious", before=estimate(0.94), after=estimate(0.72))
    audit = {"verdict": files, "findings": [finding(1, 0.998, files), after], "left_out": []}
    if control is not None:
        audit["findings"].append(finding(5, control[1], control[0], trained_there=estimate(0.71)))
    told = question.verdict(question.lines(both, {"test": proba}, audit, {}))
    assert "with a ROC AUC of 1.000 (" in told
    assert "without a pixel, tell it with 0.998 (" in told
    assert f"through one path, it gets {in_words(estimate(0.72))}." in told
    assert says in told
    assert ("one source, it gets" in told) == (control is not None)


# -------------------------------------------------------------------------------- by the network, not quick


@pytest.fixture
def tiny(monkeypatch):
    """Networks that take no time, under the names of the study's."""
    for _, architecture in VARIANTS:
        monkeypatch.setitem(networks.ARCHITECTURES, architecture, tiny_network)
    monkeypatch.setattr(asking, "PART_PX", TINY_PX)
    monkeypatch.setattr(asking, "PART_EPOCHS", 2)
    monkeypatch.setattr(asking, "PART_COVERS", 40)


def test_in_a_full_run_the_network_is_asked_about_shares_variants_and_genres(combined, tiny, tmp_path):
    both = Both.of(combined.dataset, seed=0)
    said: list[str] = []
    parts = Parts(tmp_path, {"dataset": both.dataset.fingerprint}, said.append)
    epochs = [
        {
            "epoch": epoch + 1.0,
            **{f"{side}_{what}": 0.5 for side in ("train", "valid") for what in ("loss", "accuracy")},
        }
        for epoch in range(PAPER.epochs)
    ]
    epochs[30] |= {"valid_loss": 2.0, "valid_accuracy": 0.1}
    proba = {side: np.where(both.truth(side) == 0, 0.8, 0.3).tolist() for side in ("valid", "test")}
    network = {**proba, "history": epochs, "parameters": 1}
    sections = [
        prog_network.section(both, parts, network),
        hidden.section(both, parts, network),
        genres.section(both, parts, tmp_path, network, None),
    ]
    tables = {table.id: table for section in sections for table in section.tables}
    assert [row.name for row in tables["ablation"].rows] == [name for name, _ in VARIANTS]
    for id in ("ablation", "balanced", "many"):
        assert "2 epochs, on at most 40 of the covers" in tables[id].note
        assert "QUICK" not in tables[id].note
    assert len({line.split(" ")[0] for line in said}) == len(VARIANTS) + 2 + 1  # weights and draws, many at once
    curve = next(figure for figure in sections[0].figures if figure.id == "network-accuracy")
    assert 20 < len(curve.data["x"]) <= prog_network.MARKS
    assert 31 in curve.data["x"]  # where it went astray is shown
    beside = {row.name: row.cells for row in tables["beside"].rows}
    assert beside["its lowest dip"] == ("about 88%", "10.0%")
    assert beside["its highest spike"] == ("0.2", "2.000")


# -------------------------------------------------------------------------------- the whole study


@few_covers
def test_the_whole_study_finds_the_planted_source(drawn, tmp_path, monkeypatch):
    """One test, as the study takes its time: all of it, with a tiny network and without any weights at hand."""
    monkeypatch.delenv("SLEEVENOTES_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    monkeypatch.setattr(networks, "PROG_PX", TINY_PX)
    monkeypatch.setitem(networks.ARCHITECTURES, "prog_cnn", tiny_network)
    said: list[str] = []
    control = Control(drawn["others"], drawn["others"].genres[0])
    settings = Settings(
        quick=TINY, control=control, versus=drawn["others"].genres[1], export=tmp_path / "tree", say=said.append
    )
    out = tmp_path / "out"
    with quickly():
        study = run(drawn["prog"], drawn["others"], out, settings)
    assert json.loads((out / "study.json").read_text()) == study
    tables = {table["id"]: table for section in study["sections"] for table in section["tables"]}
    files_alone_tell_the_collection_and_the_study_says_so(study, tables)
    the_model_beats_guessing(tables)
    it_has_the_curves_the_maps_and_every_table(study, out)
    every_table_says_that_it_is_quick(study)
    assert Model.load(out / "model").genres == ("is_prog", "not_prog")
    page = write_study_page(out).read_text(encoding="utf-8")
    assert "what scaling left" in page
    again: list[str] = []
    told = run(drawn["prog"], drawn["others"], out, replace(settings, say=again.append))
    assert told == study  # and nothing was made anew
    assert all(line.endswith("(done before)") for line in again)
    shutil.rmtree(tmp_path / "tree")


def files_alone_tell_the_collection_and_the_study_says_so(study, tables):
    answer = {row["name"]: row["cells"] for row in tables["answer"]["rows"]}
    auc, verdict = answer["file properties alone, no pixel looked at"]
    assert auc["low"] > 0.9
    assert verdict == "broken"
    assert study["audit"]["verdict"] == "broken"
    assert "File properties alone, without a pixel, tell it with 1.000" in study["sections"][0]["words"][1]
    assert "files alone 1.00" in study["verdict"]
    assert "The worry was right" in study["verdict"]


def the_model_beats_guessing(tables):
    rows = {row["name"]: row["cells"] for row in tables["figures"]["rows"]}
    names = [column["name"] for column in tables["figures"]["columns"]]
    auc = rows["as it is, from 0.5"][names.index("ROC AUC")]
    assert auc["value"] > 0.6
    assert auc["too_few"]  # no interval from so few covers of the test
    shares = {row["name"]: row["cells"] for row in tables["shares"]["rows"]}
    assert round(shares["the study, all covers"][3]["value"], 3) == 0.972
    assert shares["ours, test"][3]["value"] == pytest.approx(1 - shares["ours, test"][2]["value"])


def it_has_the_curves_the_maps_and_every_table(study, out):
    figures = {figure["id"]: figure for section in study["sections"] for figure in section["figures"]}
    assert {"network-loss", "network-accuracy", "harmonised-accuracy", "curve", "question-figure"} <= set(figures)
    assert len(figures["network-accuracy"]["x"]) == TINY.epochs
    items = figures["maps-is-prog"]["items"] + figures["maps-not-prog"]["items"]
    assert items
    assert all((out / item["file"]).is_file() for item in items)
    heats = [decode(out / item["file"]) for item in items if item["caption"] == "map"]
    assert any(heat.std() > 0 for heat in heats[: len(heats) // 2])
    assert any(heat.std() > 0 for heat in heats[len(heats) // 2 :])  # of either answer something is shown
    assert figures["maps-is-prog"]["across"] == 3
    ids = [table["id"] for section in study["sections"] for table in section["tables"]]
    assert ids == [
        "answer", "findings", "data-table", "beside", "shares", "figures", "balanced", "versus", "many", "one-path",
        "false-prog",
    ]  # fmt: skip
    assert len({*ids, *figures}) == len(ids) + len(figures)


def every_table_says_that_it_is_quick(study):
    assert study["quick"]
    for section in study["sections"]:
        for table in section["tables"]:
            assert "QUICK RUN" in table["note"], table["id"]


def test_a_cover_of_an_artist_in_both_collections_is_counted(tmp_path):
    """Worked by hand: of three others with a known artist one shares it with prog."""
    rows = {
        "file_name": ["1.jpg", "2.jpg", "3.jpg", "4.jpg"],
        "genres": ["is_prog", "not_prog", "not_prog", "not_prog"],
        "artist": ["Yes", "yes", "Abba", "Can"],
        "split": ["train", "test", "test", "train"],
    }
    dataset = from_columns(tmp_path, rows)
    dataset.write()
    (tmp_path / "split.json").write_text(json.dumps({"task": "binary", "genres": ["is_prog", "not_prog"]}))
    told = genres._artists_words(Both.of(Dataset.open(tmp_path, files=False), seed=0), np.array([True, False]))
    assert told == (
        "Of the 3 others whose artist is known, 1 share one with the prog collection; 1 of these on test, where 1 may "
        "be taken for prog rightly."
    )
