"""The command line: every verb, every wrong turn, and the whole journey on demo covers."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import html5lib
import numpy as np
import pytest

from sleevenotes.collect.demo import DemoSettings, draw_demo
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import encode
from sleevenotes.covers.swapping import BUILDING
from sleevenotes.learn.model import Model
from sleevenotes.publish.predictions import as_mapping, covers_named
from sleevenotes.publish.web.service import Service


@pytest.fixture(scope="session")
def demo_covers(tmp_path_factory) -> Path:
    """Four genres of 24 demo covers, five of them broken, with duplicates."""
    folder = tmp_path_factory.mktemp("demo") / "covers"
    settings = DemoSettings(genres=4, covers_per_genre=24, artists_per_genre=12, size_px=120, signal=1.0)
    draw_demo(folder, settings, seed=1)
    return folder


@pytest.fixture(scope="session")
def finished(demo_covers, tmp_path_factory) -> Path:
    """The main job, done once on demo covers."""
    out = tmp_path_factory.mktemp("journey") / "out"
    command = [sys.executable, "-m", "sleevenotes", "run", demo_covers, "-o", out, "--model", "small", "--epochs", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Report: " in done.stdout
    return out


# the journey


def test_journey_leaves_everything_that_it_promises(finished):
    for name in ("dataset/metadata.csv", "dataset/check.json", "dataset/problems.csv", "dataset/split.json"):
        assert (finished / name).is_file()
    for name in ("model.json", "network.onnx", "weights.safetensors", "history.csv", "scorings.jsonl"):
        assert (finished / "model" / name).is_file()
    explanations = json.loads((finished / "explanations" / "explanations.json").read_text())
    assert explanations
    assert all((finished / "explanations" / each["overlay"]).is_file() for each in explanations)
    evaluation = json.loads((finished / "evaluation.json").read_text())
    rows = csv.DictReader(io.StringIO((finished / "predictions.csv").read_text(encoding="utf-8")))
    assert evaluation["n"] == sum(1 for _ in rows)
    page = (finished / "report.html").read_text(encoding="utf-8")
    html5lib.HTMLParser(strict=True).parse(page)
    assert evaluation["verdict"].split(",")[0] in page


def test_journey_skips_what_is_done_and_ends_with_the_same_words(finished, demo_covers, sleevenotes):
    kept = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.name not in ("report.html",)}
    said = sleevenotes("run", demo_covers, "-o", finished, "--model", "small", "--epochs", 3)
    assert said.code == 0
    assert said.out.rstrip().endswith("report.html")
    assert "guessing" in said.out
    assert "colours alone" in said.out
    collected = next(line for line in said.out.splitlines() if line.startswith("Collected: "))
    assert " files: " in collected
    assert "The split is kept as it is" in said.out
    assert "No artist is on two sides." in said.out  # they are read from the names of the files
    assert f"2 merged, 5 unreadable ({finished / 'dataset' / 'problems.csv'})" in collected
    changed = [path.name for path, when in kept.items() if path.is_file() and path.stat().st_mtime_ns != when]
    assert changed == []


def test_each_test_split_is_scored_once_and_logged(finished):
    lines = (finished / "model" / "scorings.jsonl").read_text().splitlines()
    assert [json.loads(line)["split"] for line in lines] == ["test"]


def test_run_wants_covers_or_demo_and_not_both(sleevenotes, tmp_path):
    assert sleevenotes("run", "-o", tmp_path / "out").code == 2
    assert sleevenotes("run", tmp_path, "--demo", "-o", tmp_path / "out").code == 2


# predict


def test_predict_gives_each_cover_one_line_in_order(finished, demo_covers, sleevenotes, tmp_path):
    good = sorted(demo_covers.rglob("*.jpg"))[:3]
    broken, empty, text = tmp_path / "broken.jpg", tmp_path / "empty.jpg", tmp_path / "text.jpg"
    broken.write_bytes(encode(np.zeros((64, 64, 3), dtype=np.uint8), "jpeg")[:-40])
    empty.write_bytes(b"")
    text.write_text("no cover")
    given = [good[0], broken, good[1], empty, tmp_path / "missing.jpg", text, good[2]]
    said = sleevenotes("predict", finished / "model", *given, "--json")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [line["file"] for line in lines] == [str(path) for path in given]
    assert [line["error"] is None for line in lines] == [True, False, True, False, False, False, True]
    assert all(len(line["genres"]) == 3 for line in lines if line["error"] is None)
    assert all(line["genres"] == [] for line in lines if line["error"])
    assert said.code == 1
    assert "4 of 7 covers could not be read" in said.err


def test_predict_says_the_same_in_csv_and_json(finished, demo_covers, sleevenotes):
    cover = sorted(demo_covers.rglob("*.jpg"))[0]
    told = json.loads(sleevenotes("predict", finished / "model", cover, "--json").out)
    (row,) = csv.DictReader(io.StringIO(sleevenotes("predict", finished / "model", cover, "--csv").out))
    assert row["genre 1"] == told["genres"][0]["genre"]
    assert float(row["proba 1"]) == pytest.approx(told["genres"][0]["proba"], abs=1e-6)
    assert row["error"] == ""


def test_predict_reads_a_cover_or_a_list_from_stdin(finished, demo_covers):
    cover = sorted(demo_covers.rglob("*.jpg"))[0]
    command = [sys.executable, "-m", "sleevenotes", "predict", finished / "model", "-", "--json"]
    for given, name in ((cover.read_bytes(), "stdin"), (f"{cover}\n".encode(), str(cover))):
        done = subprocess.run(command, input=given, capture_output=True, check=True)
        (line,) = done.stdout.splitlines()
        assert json.loads(line)["file"] == name
        assert json.loads(line)["error"] is None


def test_predict_in_a_fresh_process_loads_neither_torch_nor_scikit_learn(finished, demo_covers):
    cover = sorted(demo_covers.rglob("*.jpg"))[0]
    code = (
        "import sys; from sleevenotes.cli import main\n"
        f"sys.argv = ['sleevenotes', 'predict', {str(finished / 'model')!r}, {str(cover)!r}]\n"
        "try:\n    main()\nfinally:\n    print(sorted({'torch', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_predict_does_not_complain_of_a_reader_that_left(finished, demo_covers):
    command = f"{sys.executable} -m sleevenotes predict {finished / 'model'} {demo_covers} --json | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


# which model answers, and which covers are meant


def test_predict_says_which_model_answers_and_what_its_evaluation_found(finished, demo_covers, sleevenotes):
    cover = next(demo_covers.rglob("*.jpg"))
    verdict = json.loads((finished / "evaluation.json").read_text(encoding="utf-8"))["verdict"]
    for verb in (["predict"], ["explain", "-o", finished.parent / "maps"]):
        assert sleevenotes(*verb, finished / "model", cover).err.startswith(f"model: {finished / 'model'} (small, ")
    assert verdict.split(". ")[0] in sleevenotes("predict", finished / "model", cover).err
    bundled = sleevenotes("predict", cover).err
    assert bundled.startswith("model: the bundled model (distilled, 20 genres). Of 4,135 test covers of country, ")


def test_a_model_that_was_not_evaluated_says_so(finished, demo_covers, tmp_path, sleevenotes):
    shutil.copytree(finished / "model", tmp_path / "model")
    said = sleevenotes("predict", tmp_path / "model", next(demo_covers.rglob("*.jpg")))
    assert f"It has not been evaluated: run `sleevenotes evaluate {tmp_path / 'model'} DATASET`." in said.err


def test_a_folder_that_run_made_stands_for_its_model(finished, demo_covers, sleevenotes):
    cover = next(demo_covers.rglob("*.jpg"))
    assert sleevenotes("predict", finished, cover) == sleevenotes("predict", finished / "model", cover)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["predict", "{run}"], "is a model. Name covers after it"),
        (["predict", "{run}/dataset", "{cover}"], "{run}/dataset: a dataset, not a model. Its model is {run}/model."),
        (["predict", "{cover}", "{run}/model"], "{run}/model: a model among the covers. Name it first"),
        (["predict", "{cover}", "{run}"], "a folder that `run` made, not one of covers. Its model is {run}/model,"),
        (
            ["evaluate", "{run}", "{run}/dataset"],
            "{run}: a folder that `run` made, not a model. Its model is {run}/model.",
        ),
        (
            ["evaluate", "{run}/model", "{run}"],
            "{run}: a folder that `run` made, not a dataset. Its dataset is {run}/dat",
        ),
        (["evaluate", "{run}/dataset", "{run}/model"], "{run}/dataset: a dataset, not a model."),
        (["check", "{run}/model"], "{run}/model: a model, not a dataset."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_lies_in_the_wrong_place_is_named_with_the_right_path(
    arguments, sentence, finished, demo_covers, sleevenotes
):
    places = {"run": finished, "cover": next(demo_covers.rglob("*.jpg"))}
    said = sleevenotes(*(each.format(**places) for each in arguments))
    assert said.code in (1, 2)
    assert not said.out
    assert sentence.format(**places) in said.err


def test_the_covers_of_a_dataset_are_those_of_its_table(finished, sleevenotes):
    said = sleevenotes("predict", finished / "model", finished / "dataset", "--csv")
    rows = list(csv.DictReader(said.out.splitlines()))
    assert [row["file"] for row in rows] == [str(path) for path in Dataset.open(finished / "dataset").paths]


def test_command_line_and_api_have_one_default_and_one_shape(finished, demo_covers, sleevenotes):
    covers = sorted(demo_covers.rglob("*.jpg"))[:12]
    lines = [json.loads(line) for line in sleevenotes("predict", finished, *covers, "--json").out.splitlines()]
    caution = Service.found(finished / "model", None).caution()
    model = Model.load(finished / "model")
    for line, prediction in zip(lines, model.predict(covers), strict=True):
        assert line == as_mapping(prediction, model.genres, caution, 3)
    assert {line["cant_tell"] is None for line in lines} == {True, False}
    never = sleevenotes("predict", finished, *covers, "--json", "--max-risk", "100%").out.splitlines()
    assert all(json.loads(line)["cant_tell"] is None for line in never)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "utf-8"])
def test_any_encoding_of_stdout_gets_every_line(encoding, finished, tmp_path):
    cover = tmp_path / "rock 🤘 é – x.jpg"
    shutil.copy(Dataset.open(finished / "dataset").path(0), cover)
    for arguments, lines in (
        (["check", finished / "dataset"], 8),
        (["backbones"], 8),
        (["predict", finished / "model", cover, cover], 2),
        (["predict", finished / "model", cover, cover, "--json"], 2),
        (["predict", finished / "model", cover, cover, "--csv"], 3),
    ):
        said = subprocess.run(
            [sys.executable, "-m", "sleevenotes", *map(str, arguments)],
            env=os.environ | {"PYTHONIOENCODING": encoding},
            capture_output=True,
            check=False,
        )
        assert said.returncode == 0, said.stderr
        assert b"Traceback" not in said.stderr
        assert len(said.stdout.decode(encoding).splitlines()) >= lines


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_list_of_files_may_come_from_windows(encoding, demo_covers):
    names = [str(path) for path in sorted(demo_covers.rglob("*.jpg"))[:3]]
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else b""
    data = mark + "\r\n".join([*names, ""]).encode(encoding)
    assert covers_named(["-"], io.BytesIO(data))[1] == names


def test_a_pattern_that_no_shell_has_expanded_is_expanded(demo_covers, sleevenotes):
    folder = next(demo_covers.rglob("*.jpg")).parent
    assert covers_named([f"{folder}/*.jpg"], io.BytesIO())[1] == sorted(map(str, folder.glob("*.jpg")))
    said = sleevenotes("predict", f"{folder}/*.xyz")
    assert said.code == 1
    assert "no file fits this pattern" in said.err


def test_an_address_is_not_fetched_and_says_so(sleevenotes):
    said = sleevenotes("predict", "https://example.org/cover.jpg")
    assert said.out.startswith("https://example.org/cover.jpg   a web address, which is not fetched.")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [("40", "Write 40% or 0.4"), ("x", "not a number"), ("140%", "from 0 to 1"), ("-1", "from 0 to 1")],
)
def test_a_share_that_is_none_says_how_one_is_written(given, sentence, sleevenotes):
    said = sleevenotes("predict", "cover.jpg", f"--max-risk={given}")
    assert said.code == 2
    assert sentence in said.err


# wrong turns: a sentence, exit code 1, nothing lost


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["collect", "{nowhere}", "-o", "{new}"], "nowhere"),
        (["collect", "{empty}", "-o", "{new}"], "empty"),
        (["collect", "{covers}", "-o", "{covers}"], "covers"),
        (["collect", "{table}", "-o", "{new}"], "--genre"),
        (["check", "{nowhere}"], "no such folder"),
        (["check", "{covers}"], "no metadata.csv"),
        (["split", "{bad_rows}"], "row 3"),
        (["split", "{dataset}", "--again", "--task", "binary", "--genre", "polka"], "polka"),
        (["split", "{dataset}", "--again", "--fractions", "0.5,0.5,0.5"], "0.5"),
        (["split", "{dataset}", "--again", "--task", "many"], "many"),
        (["train", "{unsplit}", "--model", "color", "-o", "{new}"], "sleevenotes split"),
        (["train", "{dataset}", "--model", "smal", "-o", "{new}"], "Did you mean 'small'?"),
        (["train", "{dataset}", "--model", "color", "-o", "{covers}"], "holds something else"),
        (["train", "{dataset}", "--model", "mobilenet", "--weights", "{nowhere}", "-o", "{new}"], "no such file"),
        (["train", "{dataset}", "--model", "mobilenet", "--weights", "{table}", "-o", "{new}"], "can't be read"),
        (["evaluate", "{nowhere}", "{dataset}"], "sleevenotes train"),
        (["evaluate", "{model}", "{dataset}", "--split", "tset"], "tset"),
        (["evaluate", "{model}", "{dataset}", "--split", "all"], "learnt from"),
        (["evaluate", "{model}", "{other_genres}", "--split", "all"], "no cover of a genre that the model knows"),
        (["explain", "{model}", "{covers}/nothing.jpg", "-o", "{new}"], "nothing.jpg"),
        (["explain", "{model}/color", "{cover}", "-o", "{new}"], "colours without their places"),
        (["explain", "{model}", "{cover}", "-o", "{new}", "--genre", "polka"], "polka"),
        (["report", "{nowhere}"], "nowhere"),
        (["predict", "{nowhere}", "{cover}"], "sleevenotes train"),
        (["predict", "{model}", "{empty}"], "no cover in this folder"),
        (["predict", "{damaged}", "{cover}"], "model.json"),
        (["curve", "{dataset}", "--model", "color", "-o", "{new}", "--steps", "8"], "Take fewer --steps"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_turns_get_a_sentence_and_exit_code_1(arguments, sentence, finished, demo_covers, tmp_path, sleevenotes):
    places = wrong_places(finished, demo_covers, tmp_path)
    before = {path: path.read_bytes() for path in demo_covers.rglob("*") if path.is_file()}
    said = sleevenotes(*(argument.format(**places) for argument in arguments))
    assert said.code == 1
    assert sentence in said.err
    assert said.err.startswith(("error: ", "note: ", "model: ")) or "nothing.jpg" in said.err
    assert {path: path.read_bytes() for path in demo_covers.rglob("*") if path.is_file()} == before


def wrong_places(finished: Path, demo_covers: Path, folder: Path) -> dict[str, Path]:
    """Places that a user may point at by mistake, by name."""
    dataset = folder / "dataset"
    shutil.copytree(finished / "dataset", dataset)
    unsplit, bad_rows, other_genres = folder / "unsplit", folder / "bad_rows", folder / "other_genres"
    for place in (unsplit, bad_rows, other_genres):
        shutil.copytree(dataset, place)
    (unsplit / "split.json").unlink()
    opened = Dataset.open(other_genres)
    opened.with_columns(genres=["polka"] * len(opened)).write()
    lines = (bad_rows / "metadata.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    lines[2] = "no/such/file.jpg" + lines[2][lines[2].index(",") :]
    (bad_rows / "metadata.csv").write_text("".join(lines), encoding="utf-8")
    (folder / "empty").mkdir()
    damaged = folder / "damaged"
    damaged.mkdir()
    (damaged / "model.json").write_text("{", encoding="utf-8")
    cover = sorted(demo_covers.rglob("*.jpg"))[0]
    table = folder / "table" / "albums.csv"
    table.parent.mkdir()
    shutil.copy(cover, table.parent / "a.jpg")
    table.write_text("file_name,artist\na.jpg,Somebody\n", encoding="utf-8")
    places = {"nowhere": folder / "nowhere", "new": folder / "new", "empty": folder / "empty", "covers": demo_covers}
    places |= {"dataset": dataset, "unsplit": unsplit, "bad_rows": bad_rows, "other_genres": other_genres}
    return places | {"model": finished / "model", "damaged": damaged, "cover": cover, "table": table}


@pytest.mark.parametrize("arguments", [["predict"], ["collect", "x"], ["no-such-verb"], ["split", "x", "--nonsense"]])
def test_wrong_usage_is_exit_code_2(arguments, sleevenotes):
    assert sleevenotes(*arguments).code == 2


def test_json_and_csv_exclude_each_other(finished, demo_covers, sleevenotes):
    assert sleevenotes("predict", finished / "model", demo_covers, "--json", "--csv").code == 2


def test_version_is_told(sleevenotes):
    said = sleevenotes("--version")
    assert (said.code, said.out) == (0, "sleevenotes 0.1.0\n")


# stopping and going on


def test_ctrl_c_says_how_to_go_on(finished, tmp_path):
    command = [
        sys.executable,
        "-m",
        "sleevenotes",
        "train",
        finished / "dataset",
        "--model",
        "small",
        "-o",
        tmp_path / "m",
    ]
    started = subprocess.Popen([*command, "--epochs", "500"], stderr=subprocess.PIPE, text=True)
    while started.poll() is None and not (tmp_path / "m" / BUILDING / "history.csv").exists():
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, told = started.communicate()
    assert started.returncode == 130
    assert "--resume" in told
    assert "Traceback" not in told


def test_a_killed_run_goes_on_to_the_same_dataset(demo_covers, finished, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "sleevenotes", "collect", demo_covers, "-o", out]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while started.poll() is None and not (out / "images").exists():
        pass
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    subprocess.run(command, check=True, capture_output=True)
    alone = tmp_path / "alone"
    subprocess.run([*command[:-1], alone], check=True, capture_output=True)
    assert (out / "metadata.csv").read_bytes() == (alone / "metadata.csv").read_bytes()
    assert (out / "problems.csv").read_bytes() == (alone / "problems.csv").read_bytes()
