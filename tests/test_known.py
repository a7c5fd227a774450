"""Covers that a model learnt from are recognised, whatever was done to their files, and are no test of it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings, strategies as st

from conftest import Run
from covers_for_tests import make_dataset
from sleevenotes.covers.check import check
from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.hashing import MAX_DISTANCE, candidates, distances, kept_hashes, window_hashes
from sleevenotes.covers.images import Pixels, decode, encode, resize, sha256
from sleevenotes.errors import EvaluationError, ModelError
from sleevenotes.judge import unseen
from sleevenotes.judge.audit.subject import Subject
from sleevenotes.judge.evaluation import evaluate, figure_rows
from sleevenotes.learn import exporting
from sleevenotes.learn.bundles import loaded
from sleevenotes.learn.known import (
    NEAR_DUPLICATE,
    SAME_FILE,
    LearntCovers,
    artist_cell,
    learnt_covers,
    release_keys_of,
    source_key,
)
from sleevenotes.learn.model import Model
from sleevenotes.learn.recipes import Options, train
from sleevenotes.publish.export import export_bundle, export_hub
from sleevenotes.publish.web.app import make_app
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.service import Service
from sleevenotes.publish.web.uploads import FIELD
from test_duplicates import cover
from training_for_tests import quickly, train_quickly

RESAMPLES = 50
COVERS = 60
Change = Callable[[Pixels, float], Pixels]


def remembered(covers: list[Pixels]) -> LearntCovers:
    """What a model remembers of covers whose files nobody has."""
    hashes = window_hashes(np.stack([resize(pixels, 64) for pixels in covers]))[:, 0]
    names = dict.fromkeys(("artist", "release", "source"), [""] * len(covers))
    return learnt_covers([f"{index:064x}" for index in range(len(covers))], hashes, ["train"] * len(covers), names)


@pytest.fixture(scope="module")
def drawn() -> list[Pixels]:
    return [cover(np.random.default_rng(seed)) for seed in range(2 * COVERS)]


@pytest.fixture(scope="module")
def learnt(drawn: list[Pixels]) -> LearntCovers:
    return remembered(drawn[:COVERS])


def inset(pixels: Pixels, amount: float) -> Pixels:
    off = round(len(pixels) * (0.01 + 0.045 * amount))
    return pixels[off:-off, off:-off]


def bordered(pixels: Pixels, amount: float) -> Pixels:
    wide = round(len(pixels) * (0.02 + 0.08 * amount))
    return np.pad(pixels, ((wide, wide), (wide, wide), (0, 0)), constant_values=255)


CHANGES: dict[str, Change] = {
    "encoded again": lambda pixels, amount: decode(encode(pixels, "jpeg", quality=30 + int(60 * amount))),
    "scaled": lambda pixels, amount: resize(pixels, 80 + int(220 * amount)),
    "cropped": inset,
    "faded": lambda pixels, amount: (pixels * (0.5 + 0.4 * amount) + 60 * (1 - amount)).astype(np.uint8),
    "with a border": bordered,
    "without colours": lambda pixels, amount: np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8),
}


@settings(max_examples=40)
@given(
    which=st.integers(0, COVERS - 1),
    name=st.sampled_from(sorted(CHANGES)),
    amount=st.floats(0, 1),
    quality=st.integers(50, 95),
)
def test_a_changed_copy_of_a_training_cover_is_a_near_duplicate_of_it(
    drawn: list[Pixels], learnt: LearntCovers, which: int, name: str, amount: float, quality: int
):
    data = encode(CHANGES[name](drawn[which], amount), "jpeg", quality=quality)
    assert learnt.marks([decode(data)], [data]) == [NEAR_DUPLICATE]


@settings(max_examples=40)
@given(which=st.integers(COVERS, 2 * COVERS - 1), name=st.sampled_from(sorted(CHANGES)), amount=st.floats(0, 1))
def test_another_cover_is_not(drawn: list[Pixels], learnt: LearntCovers, which: int, name: str, amount: float):
    data = encode(CHANGES[name](drawn[which], amount), "jpeg", quality=80)
    assert learnt.marks([decode(data)], [data]) == [None]


def test_covers_without_structure_are_known_by_their_bytes_only():
    x, y = np.meshgrid(np.arange(160), np.arange(160))
    plain = [np.full((160, 160, 3), grey, np.uint8) for grey in (0, 20, 255)]
    plain.append(np.repeat(x[..., None], 3, axis=2).astype(np.uint8))
    files = [encode(pixels, "png") for pixels in plain]
    hashes = window_hashes(np.stack([resize(pixels, 64) for pixels in plain]))
    assert not hashes.any()
    names = dict.fromkeys(("artist", "release", "source"), [""] * 3)
    known = learnt_covers([sha256(file) for file in files[:3]], hashes[:3, 0], ["train"] * 3, names)
    assert [row["hash"] for row in known.rows] == [""] * 3
    other = encode(y[..., None].repeat(3, axis=2).astype(np.uint8), "png")
    marks = known.marks([*plain, decode(other)], [*files, other])
    assert marks == [SAME_FILE] * 3 + [None, None]


def test_hashes_are_read_back_as_they_were_written_whatever_stands_behind_them(drawn: list[Pixels]):
    hashes = window_hashes(np.stack([resize(pixels, 64) for pixels in drawn[:4]]))[:, 0].copy()
    hashes[2] = 0
    names = {
        "artist": ["", "yes", ",,;a, b", "ä" * 200],
        "release": ["", 'the "x" / y', "", "z"],
        "source": ["https://example.org/a,b.jpg", "", "", ""],
    }
    known = learnt_covers([f"{index:064x}" for index in range(4)], hashes, ["train", "train", "valid", "valid"], names)
    assert (known.hashes == hashes).all()
    assert [[row[name] for row in known.rows] for name in names] == list(names.values())
    assert known.card["rows"] == len(known.digests) == 4
    assert known.keys("artist") == {"yes", ",,", "a, b", "ä" * 200}
    given_away = known.without_names()
    assert (given_away.hashes == hashes).all()
    assert set(given_away.rows[0]) == {"sha256", "hash", "split"}
    assert given_away.keys("artist") == frozenset()


def test_distances_are_those_of_the_nearest_window_and_none_without_a_hash():
    rng = np.random.default_rng(0)
    asked = rng.integers(0, 2**63, (70, 6, 4), dtype=np.uint64)
    kept = rng.integers(0, 2**63, (5, 4), dtype=np.uint64)
    asked[3, 5], asked[69], kept[4] = kept[1] ^ np.uint64(1), 0, 0
    found = distances(asked, kept)
    expected = np.bitwise_count(asked[:, :, None] ^ kept).sum(axis=3).min(axis=1)  # (70, 5)
    expected[69], expected[:, 4] = 255, 255
    assert (found == expected).all()
    assert found[3, 1] == 4


def test_candidates_differ_in_few_of_all_bits_or_of_the_lowest(drawn: list[Pixels]):
    asked = window_hashes(np.stack([resize(pixels, 64) for pixels in drawn[:3]]))
    kept = asked[:, 0].copy()
    octets = kept.view(np.uint8)
    octets[0, 16:] ^= 255  # none of the lowest 63 bits
    octets[1, :16:2] ^= 255  # all of the lowest, 64 in all
    octets[2, 1:] ^= 255
    assert candidates(asked, kept).diagonal().tolist() == [True, True, False]


def test_check_keeps_the_hashes_that_train_needs(copied: Dataset, monkeypatch: pytest.MonkeyPatch):
    check(copied)
    monkeypatch.setattr("sleevenotes.covers.pixels.iter_covers", lambda sources, **_: iter(enumerate(sources[:0])))
    found = kept_hashes(copied.cache, copied.digests, copied.paths)
    thumbnails = np.stack([resize(decode(path), 64) for path in copied.paths])
    assert (found == window_hashes(thumbnails)).all()


def test_a_damaged_cache_is_made_again_and_a_cover_that_cant_be_read_has_no_hash(copied: Dataset):
    whole = kept_hashes(copied.cache, copied.digests, copied.paths)
    (cache,) = copied.cache.glob("hashes-*.npz")
    cache.write_bytes(cache.read_bytes()[:100])
    copied.path(3).write_bytes(b"no cover")
    again = kept_hashes(copied.cache, copied.digests, copied.paths)
    assert not again[3].any()
    assert (np.delete(again, 3, axis=0) == np.delete(whole, 3, axis=0)).all()


# -------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("source", "name", "key"),
    [
        ("Rock/R-4080454-1354219283-5411.jpeg.jpg", "a.jpg", "discogs release 4080454"),
        ("", "images/R-1004498-1298669890-jpeg.jpg", "discogs release 1004498"),
        ("HTTPS://example.org/A.jpg#x", "a.jpg", "https://example.org/a.jpg"),
        ("caa/mbid-0a1b2c3d-0000-4e4f-8888-0123456789ab-123.jpg", "a.jpg", "0a1b2c3d00004e4f88880123456789ab"),
        ("rock/0001.jpg", "images/0001.jpg", ""),
        ("", f"images/{'ab' * 32}.jpg", ""),
    ],
)
def test_a_source_has_a_key_only_if_it_means_the_same_everywhere(source: str, name: str, key: str):
    assert source_key(source, name) == key


def test_releases_have_keys_that_hold_in_other_datasets_too():
    assert release_keys_of(["Yes"] * 2, ["A;B", ""], ["12", "4080454"]) == ["yes / a,b", "4080454"]
    assert artist_cell("V/A; The  Band") == "the band"


# -------------------------------------------------------------------------------- evaluating


def encoded_again(dataset: Dataset, folder: Path, **columns: list[str]) -> Dataset:
    """The covers of a dataset as smaller JPEG files, of which no byte is the same."""
    (folder / "images").mkdir(parents=True)
    names, digests = [], []
    for index, path in enumerate(dataset.paths):
        data = encode(resize(decode(path), 44), "jpeg", quality=90)
        names.append(f"images/{index:04d}.jpg")
        digests.append(sha256(data))
        (folder / names[-1]).write_bytes(data)
    kept = {name: dataset.column(name) for name in ("genres", "artist", "group", "split")}
    again = from_columns(folder, kept | {"file_name": names, "sha256": digests} | columns)
    again.write()
    shutil.copyfile(dataset.folder / "split.json", folder / "split.json")
    return Dataset.open(folder)


def evaluated(model: Model, dataset: Dataset, out: Path, **more: Any) -> dict[str, Any]:
    return evaluate(model, dataset, out, resamples=RESAMPLES, **more)


@pytest.fixture
def split_again(single: Dataset, tmp_path: Path) -> Dataset:
    """All covers encoded again and split another way: most of test was train, and nobody knows an artist."""
    turned = [{"test": "train", "train": "test"}.get(side, side) for side in single.column("split")]
    test = [index for index, side in enumerate(single.column("split")) if side == "test"]
    for index in test[:20]:
        turned[index] = "test"
    return encoded_again(single, tmp_path / "again", split=turned, artist=[""] * len(single))


def test_covers_that_were_encoded_and_split_again_are_refused_or_left_out_and_counted(
    split_again: Dataset, color_model: Model, tmp_path: Path, sleevenotes: Run
):
    with pytest.raises(
        EvaluationError,
        match=r"the model learnt from 140 of these 160 covers: 140 near-duplicates of training covers \(images/\d+\.jp"
        r"g, .*…\)\. Covers it has never seen .* leave these covers out with --without-known",
    ):
        evaluated(color_model, split_again, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    said = sleevenotes("evaluate", color_model.folder, split_again.folder, "-o", tmp_path / "out", "--without-known")
    told = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert told["n"] == 20
    assert told["known"]["left_out"] == told["known"]["left_out_by"]["near_duplicate"] == 140
    sentence = "140 covers that the model knows were left out (140 near-duplicates of training covers)."
    assert told["verdict"].endswith(sentence)
    assert sentence in " ".join(said.out.split())
    assert told["without_known"] is None


def test_a_test_of_which_the_model_knows_every_cover_gives_no_figure(
    split_again: Dataset, color_model: Model, tmp_path: Path
):
    seen = split_again.where([path.name in {f"{index:04d}.jpg" for index in range(6)} for path in split_again.paths])
    with pytest.raises(EvaluationError, match="the model knows all of these 6 covers"):
        evaluated(color_model, seen.with_columns(split=["test"] * 6), tmp_path, without_known=True)


def test_an_audit_refuses_them_too(split_again: Dataset, color_model: Model, tmp_path: Path):
    from sleevenotes.errors import AuditError

    with pytest.raises(AuditError, match="it learnt from 140 of the covers that are now in test"):
        Subject.of(split_again, color_model, tmp_path)


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"artist": "artist 0"}, "by artists of training covers"),
        ({"artist": "", "album": "", "release": "4711000"}, "of the same releases as training covers"),
        ({"artist": "", "source": "R-123456-1354219283.jpg"}, "from the same pages of their source as training covers"),
    ],
)
def test_covers_of_a_known_artist_release_or_source_are_refused_in_another_dataset_but_not_on_the_own_split(
    copied: Dataset, tmp_path: Path, columns: dict[str, str], kind: str
):
    test = [side == "test" for side in copied.column("split")]
    shared = [0, *np.flatnonzero(test)[:10].tolist()]
    cells = {name: [""] * len(copied) for name in columns}
    for name, cell in columns.items():
        for index in shared:
            cells[name][index] = cell
    known = copied.with_columns(**cells)
    model = train_quickly(known, "color", tmp_path / "model")
    told = evaluated(model, known, tmp_path / "own")
    assert (told["n"], told["known"]["kept"], told["known"]["left_out"]) == (30, 10, 0)
    assert told["without_known"]["n"] == 20
    assert (
        f"Among these covers are 10 that the model may know (10 {kind}). On the 20 others, it is right"
        in told["verdict"]
    )
    rows = {row[0]: row for row in figure_rows(told)}
    assert rows["without covers it may know"][1] == "20 covers"
    predictions = io.StringIO((tmp_path / "own" / "predictions.csv").read_text(encoding="utf-8"))
    right = [int(row["correct"]) for row in csv.DictReader(predictions)][10:]
    assert told["without_known"]["accuracy"]["value"] == pytest.approx(np.mean(right))
    # the same covers in a dataset of their own
    other = Dataset(copied.folder, known.where(test).covers)
    with pytest.raises(EvaluationError, match=rf"the model learnt from 10 of these 30 covers: 10 {kind}"):
        evaluated(model, other, tmp_path / "other", split="all")
    left = evaluated(model, other, tmp_path / "other", split="all", without_known=True)
    assert (left["n"], left["known"]["left_out"], left["without_known"]) == (20, 10, None)


def test_on_its_own_split_a_near_duplicate_is_refused_all_the_same(copied: Dataset, tmp_path: Path, sleevenotes: Run):
    here = next(index for index, side in enumerate(copied.column("split")) if side == "test")
    names, digests = list(copied.file_names), list(copied.digests)
    names[here] = "images/copy.jpg"
    copy = encode(decode(copied.path(0)), "jpeg", quality=90)
    (copied.folder / names[here]).write_bytes(copy)
    digests[here] = sha256(copy)
    dataset = copied.with_columns(file_name=names, sha256=digests)
    dataset.write()
    model = train_quickly(dataset, "color", tmp_path / "model")
    said = sleevenotes("evaluate", model.folder, dataset.folder)
    assert said.code == 1
    assert f"learnt from 1 of these 30 covers: 1 near-duplicate of a training cover ({names[here]})" in said.err
    told = evaluated(model, dataset, tmp_path, without_known=True)
    assert (told["n"], told["known"]["left_out"]) == (29, 1)


def test_a_split_that_came_with_the_dataset_and_shares_nothing_gives_one_figure(
    single: Dataset, color_model: Model, tmp_path: Path
):
    told = evaluated(color_model, single, tmp_path)
    nothing = dict.fromkeys(("same_file", "near_duplicate", "source", "release", "artist"), 0)
    assert told["known"] == {
        "training_covers": 170,
        "compared_by_pixels": 170,
        "left_out": 0,
        "left_out_by": nothing,
        "kept": 0,
        "kept_by": nothing,
        "words": "",
    }
    assert told["without_known"] is None
    assert "know" not in told["verdict"].split(".", 1)[1]


def test_where_the_training_covers_are_at_hand_their_pixels_decide(tmp_path: Path, drawn: list[Pixels]):
    """A crop that the hash alone takes for another cover is found by comparing pixels, in the dataset or beside it."""
    learnt_hash = window_hashes(np.stack([resize(drawn[0], 64)]))[:, 0]
    crops = [drawn[0][:, off:] for off in range(6, 30)]
    far = [int(distances(window_hashes(resize(crop, 64)[None]), learnt_hash)[0, 0]) for crop in crops]
    crop = crops[next(at for at, distance in enumerate(far) if MAX_DISTANCE < distance <= 80)]
    whole = make_dataset(tmp_path / "out" / "dataset", covers=200, seed=3)
    digests = list(whole.digests)
    for index, pixels in enumerate(drawn[:20]):
        whole.path(index).write_bytes(encode(pixels, "png"))
        digests[index] = sha256(whole.path(index).read_bytes())
    whole = whole.with_columns(sha256=digests)
    whole.write()
    assert whole.column("split")[0] == "train"
    model = train_quickly(whole, "color", tmp_path / "out" / "model")
    alone = make_dataset(tmp_path / "alone", covers=30, seed=4).with_columns(artist=[""] * 30)
    alone.path(0).write_bytes(encode(crop, "png"))
    alone = alone.with_columns(sha256=["", *alone.digests[1:]])
    found = unseen.matches(model, alone, alone)
    assert found.at_hand == 170
    assert np.flatnonzero(found.by["near_duplicate"]).tolist() == [0]
    moved = Model.load(shutil.copytree(model.folder, tmp_path / "elsewhere" / "model"))
    found = unseen.matches(moved, alone, alone)
    assert found.at_hand == 0
    assert not found.by["near_duplicate"].any()


def test_run_leaves_known_covers_out_only_if_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from sleevenotes import journey

    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("sleevenotes.judge.evaluation.evaluate", lambda *_, **more: asked.append(more) or {})
    monkeypatch.setattr("sleevenotes.judge.evaluation.still_true", lambda *_, **__: None)
    plain = journey.Journey(None, tmp_path)

    class Still:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    for each in (plain, replace(plain, without_known=True)):
        journey._evaluate(each, None, None, lambda _: Still())  # type: ignore[arg-type]
    assert [more["without_known"] for more in asked] == [False, True]


# -------------------------------------------------------------------------------- the file is damaged


def damaged(data: bytes, how: str) -> bytes:
    rows = data.splitlines(keepends=True)
    return {
        "empty": b"",
        "header only": rows[0],
        "cut at a row": b"".join(rows[:-3]),
        "cut in a row": data[: len(data) // 2 - 7],
        "nul": b"\0" * len(data),
        "edited": data.replace(b",train,", b",valid,", 1),
        "a row less in the middle": b"".join(rows[:5] + rows[6:]),
        "other line ends": data.replace(b"\n", b"\r\n"),
    }[how]


HOW = ("empty", "header only", "cut at a row", "cut in a row", "nul", "edited", "a row less in the middle")


@pytest.mark.parametrize("how", [*HOW, "other line ends"])
def test_a_damaged_list_of_training_covers_gives_no_figure_and_no_answer(
    single: Dataset, color_model: Model, tmp_path: Path, sleevenotes: Run, how: str
):
    folder = shutil.copytree(color_model.folder, tmp_path / "model")
    path = folder / "learnt_from.csv"
    path.write_bytes(damaged(path.read_bytes(), how))
    for verb in (["evaluate", folder, single.folder, "--split", "all"], ["predict", folder, single.path(0)]):
        said = sleevenotes(*verb)
        assert said.code == 1
        assert f"{path}: " in said.err
        assert f"`sleevenotes train DATASET --model color -o {folder} --resume`" in said.err
        assert not said.out
    assert not (folder / "evaluation.json").exists()


def test_a_missing_one_too_and_a_card_that_does_not_say_which(color_model: Model, tmp_path: Path):
    folder = shutil.copytree(color_model.folder, tmp_path / "model")
    (folder / "learnt_from.csv").unlink()
    with pytest.raises(ModelError, match=r"learnt_from\.csv: not there.* or run `sleevenotes train"):
        _ = Model.load(folder).known
    shutil.copyfile(color_model.folder / "learnt_from.csv", folder / "learnt_from.csv")
    card = {key: value for key, value in color_model.card.items() if key != "learnt_from"}
    (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(ModelError, match=r"it does not say which learnt_from\.csv belongs to it"):
        _ = Model.load(folder).known


@pytest.mark.parametrize("how", ["empty", "edited"])
def test_the_same_training_once_more_gives_the_file_back(copied: Dataset, tmp_path: Path, how: str):
    model = train_quickly(copied, "small", tmp_path / "model")
    before = {path: path.read_bytes() for path in model.folder.rglob("*") if path.is_file()}
    for path in model.folder.rglob("learnt_from.csv"):
        path.write_bytes(damaged(path.read_bytes(), how))
    lines: list[str] = []
    with quickly():
        train(copied, "small", model.folder, replace(_options(), resume=True, say=lines.append))
    assert {path: path.read_bytes() for path in model.folder.rglob("*") if path.is_file()} == before
    assert sum("learnt_from.csv was missing or damaged, and is written again" in line for line in lines) == 2


def _options() -> Options:
    from training_for_tests import BRIEF

    return Options(training=BRIEF)


# -------------------------------------------------------------------------------- predicting, exporting, serving


@pytest.fixture
def three(single: Dataset, tmp_path: Path) -> list[Path]:
    """A file that was learnt from, a copy of another, and a cover of the test."""
    rows = {side: index for index, side in enumerate(single.column("split"))}
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(encode(resize(decode(single.path(0)), 60), "jpeg", quality=85))
    return [single.path(rows["train"]), copy, single.path(rows["test"])]


MARKS = [SAME_FILE, NEAR_DUPLICATE, None]


def test_predict_says_of_which_covers_its_answer_proves_nothing(
    color_model: Model, three: list[Path], sleevenotes: Run
):
    lines = sleevenotes("predict", color_model.folder, *three, "--json").out.splitlines()
    assert [json.loads(line)["known"] for line in lines] == MARKS
    table = csv.DictReader(io.StringIO(sleevenotes("predict", color_model.folder, *three, "--csv").out))
    assert [row["known"] or None for row in table] == MARKS
    plain = sleevenotes("predict", color_model.folder, *three).out.splitlines()
    assert [f"[{mark}: this answer proves nothing]" in line for mark, line in zip(MARKS, plain, strict=True)] == [
        True,
        True,
        False,
    ]
    bytes_too = color_model.predict([path.read_bytes() for path in three])
    assert [prediction.known for prediction in bytes_too] == MARKS


@pytest.mark.parametrize("kind", ["bundle", "hub"])
def test_an_exported_model_knows_them_without_a_name(
    color_model: Model, three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
):
    monkeypatch.setattr(exporting, "CHECKED_COVERS", 4)
    monkeypatch.setattr(exporting, "DRAWN_PX", 32)
    with quickly():
        (export_bundle if kind == "bundle" else export_hub)(color_model, tmp_path / "out")
    bundle = loaded(tmp_path / "out")
    assert [prediction.known for prediction in bundle.predict(three)] == MARKS
    path = tmp_path / "out" / "learnt_from.csv"
    assert path.read_text(encoding="utf-8").splitlines()[0] == "sha256,hash,split"
    assert any(row["artist"] for row in color_model.learnt_from)
    assert b"artist" not in path.read_bytes()
    path.write_bytes(path.read_bytes()[:-80])
    with pytest.raises(ModelError, match=r"learnt_from\.csv: damaged or changed .* or export the model again"):
        next(loaded(tmp_path / "out").predict(three))


def test_the_bundled_model_knows_its_training_covers_and_names_nobody():
    model = Model.in_the_box()
    assert set(model.learnt_from[0]) == {"sha256", "hash", "split"}
    assert model.known.card["rows"] == model.card["dataset"]["train"] + model.card["dataset"]["valid"]
    assert (model.known.hashes.any(axis=1)).mean() > 0.99


def test_the_api_says_it_too_and_a_server_does_not_start_without_the_list(
    color_model: Model, three: list[Path], tmp_path: Path
):
    with TestClient(make_app(Service(color_model, None), Limits())) as client:
        files = [(FIELD, (path.name, path.read_bytes())) for path in three]
        told = client.post("/api/v1/predict", files=files).json()
    assert [each["known"] for each in told["predictions"]] == MARKS
    folder = shutil.copytree(color_model.folder, tmp_path / "model")
    (folder / "learnt_from.csv").write_bytes(b"")
    with pytest.raises(ModelError, match=r"learnt_from\.csv: empty"):
        Service.found(folder, None)


def test_nobody_is_dealt_a_near_duplicate_of_a_training_cover_in_the_game(split_again: Dataset, color_model: Model):
    from sleevenotes.publish.web.game import Deck

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sleevenotes.publish.web.game.Task.of", lambda dataset: _task(color_model))
        assert len(Deck.of(split_again, color_model).covers) == 20


def _task(model: Model) -> Any:
    from sleevenotes.judge.evaluation import task_of

    return task_of(model)
