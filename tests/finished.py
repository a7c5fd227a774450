"""Finished results to make reports of: complete, made up, and small; only their figures are really worked out."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import COLUMNS, Dataset
from sleevenotes.covers.images import encode, sha256
from sleevenotes.covers.tasks import Kind, Task
from sleevenotes.judge.figures import Answers, figures, guesses, verdict
from sleevenotes.learn.conformal import in_set

HOSTILE = "<script>alert('x')</script> & \"Sons\""
GENRES = ("ambient", "country", "electronic", "hip-hop", "rock")


@dataclass(frozen=True)
class Finished:
    """Where everything lies."""

    folder: Path

    @property
    def required(self) -> dict[str, Path]:
        """What no report can do without."""
        return {
            "dataset": self.folder / "dataset",
            "model": self.folder / "model",
            "evaluation": self.folder / "evaluation.json",
        }

    @property
    def everything(self) -> dict[str, Path]:
        """What `run` leaves."""
        more = {"predictions": self.folder / "predictions.csv", "explanations": self.folder / "explanations"}
        return self.required | more

    def change(self, name: str, **values: Any) -> None:
        """Change some entries of a JSON file."""
        path = self.folder / name
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


class Judged(NamedTuple):
    """What was said of the test's covers: proba, (n, K), and the truth in words, n of them."""

    proba: NDArray[np.float64]
    truth: list[str]


def drawn(seed: int, genre: int, *, size_px: int = 48) -> NDArray[np.uint8]:
    """Return a cover: a sky of two colours, a sun, and a band, all by chance; the hue leans towards the genre."""
    rng = np.random.default_rng((seed, genre))
    y, x = np.mgrid[0 : 1 : size_px * 1j, 0 : 1 : size_px * 1j]
    turn = genre * 0.7 + rng.normal(0, 0.5)
    top, bottom = (0.5 + 0.45 * np.cos(turn + shift + np.array([0, 2, 4])) for shift in (0, rng.uniform(0.5, 2)))
    picture = top + (bottom - top) * (y if rng.random() < 0.6 else x)[..., None]
    middle, radius = rng.uniform(0.25, 0.75, 2), rng.uniform(0.1, 0.35)
    picture[(x - middle[0]) ** 2 + (y - middle[1]) ** 2 < radius**2] = rng.uniform(0, 1, 3)
    at = rng.uniform(0, 0.85)
    picture[(y > at) & (y < at + rng.uniform(0.02, 0.1))] = 0.95 if rng.random() < 0.5 else 0.08
    return np.asarray((picture.clip(0, 1) * 255).round(), dtype=np.uint8)


def finished(
    folder: Path, *, task: Kind = "single", genres: Sequence[str] = GENRES, covers: int = 150, size_px: int = 48
) -> Finished:
    """Write everything that a run leaves behind."""
    rng = np.random.default_rng(7)
    genres = tuple(genres)
    truth = _truth(rng, task, len(genres), covers)
    dataset = _write_dataset(folder / "dataset", task, genres, truth, size_px)
    test = np.flatnonzero([split == "test" for split in dataset.column("split")])
    proba, raw = _proba(rng, task, truth[test])
    answers = Answers(truth[test], proba, [str(row) for row in test], raw, in_set(proba, 0.15))
    shares = truth.mean(axis=0) if task == "multi" else np.bincount(truth, minlength=len(genres)) / covers
    baselines = guesses(truth[test], shares) | {"color": _proba(rng, task, truth[test], skill=0.35)[0]}
    thresholds = np.full(len(genres), 0.4) if task == "multi" else None
    found = figures(
        answers, task=task, genres=genres, baselines=baselines, thresholds=thresholds, model="small", resamples=60
    )
    whole = {
        "format": 1,
        "model": "small",
        "dataset": {"name": "five-genres", "fingerprint": dataset.fingerprint, "covers": covers},
        "split": "test",
        "artists": "unknown",
        "calibration": {"method": "temperature", "temperature": 1.4},
        "folds": None,
        **found,
        "verdict": verdict(found, artists="unknown"),
    }
    _write_json(folder / "evaluation.json", whole)
    _write_model(folder / "model", task, genres)
    asked, names = Task(task, genres), [dataset.file_names[row] for row in test]
    judged = Judged(proba, asked.named(truth[test]))
    _write_predictions(folder / "predictions.csv", names, asked, judged)
    _write_explanations(folder / "explanations", names, asked, judged)
    return Finished(folder)


def _truth(rng: np.random.Generator, task: str, genres: int, covers: int) -> NDArray[np.int64]:
    first = np.arange(covers) % genres if task != "binary" else (rng.random(covers) > 0.25).astype(np.int64)
    if task != "multi":
        return np.asarray(first, dtype=np.int64)
    table = (rng.random((covers, genres)) < 0.15).astype(np.int64)
    table[np.arange(covers), first] = 1
    return table


def _proba(
    rng: np.random.Generator, task: str, truth: NDArray[np.int64], *, skill: float = 1.2
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return probas of a model with some skill, calibrated and too sure."""
    columns = truth.shape[1] if task == "multi" else int(truth.max()) + 1
    told = truth if task == "multi" else np.eye(columns)[truth]
    logits = told * skill + rng.normal(0, 0.8, told.shape) - (1.0 if task == "multi" else 0.0)

    def squashed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        if task == "multi":
            return np.asarray(1 / (1 + np.exp(-values)))
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    return squashed(logits * 1.6), squashed(logits * 4)


def _write_dataset(folder: Path, task: str, genres: Sequence[str], truth: NDArray[np.int64], size_px: int) -> Dataset:
    (folder / "images").mkdir(parents=True)
    rows = []
    for at, true in enumerate(truth):
        names = (
            [genre for genre, of_it in zip(genres, true, strict=True) if of_it] if task == "multi" else [genres[true]]
        )
        if task == "binary" and true:
            names = ["folk", "jazz"][: 1 + at % 2]
        first = int(np.argmax(true)) if task == "multi" else int(true)
        data = encode(drawn(at, first, size_px=size_px), "jpeg")
        name = f"images/{at:05d}.jpg"
        (folder / name).write_bytes(data)
        artist, album = (HOSTILE, "</title><img src=x>") if at == 0 else (f"Artist {at // 2}", f"Album {at}")
        split = (
            ("train", "train", "train", "test", "valid")[at // len(genres) % 5]
            if task != "binary"
            else ("train", "test")[at % 2]
        )
        rows.append(
            {"file_name": name, "genres": ";".join(names), "artist": artist, "album": album, "year": "1977",
             "group": f"g{at // 2}", "split": split, "source": f"{names[0]}/{at}.jpg", "sha256": f"{at:064x}",
             "width": str(size_px), "height": str(size_px)}
        )  # fmt: skip
    _write_table(folder / "metadata.csv", COLUMNS, rows)
    _write_json(folder / "check.json", _check(rows))
    _write_table(folder / "problems.csv", ("source", "problem"), [{"source": f"{HOSTILE}.jpg", "problem": "cut off"}])
    _write_json(
        folder / "split.json",
        {
            "task": task,
            "genres": list(genres),
            "seed": 3,
            "left_out": {"several genres": 4},
            "notes": ["rock: 12 covers in test, 14 were wanted."],
        },
    )
    return Dataset.open(folder)


def _check(rows: Sequence[dict[str, str]]) -> dict[str, Any]:
    names = [row["file_name"] for row in rows]
    pairs = [
        {"a": names[at], "b": names[at + 1], "distance": 9, "similarity": 0.8 + at / 100, "differ": at % 2 == 0}
        for at in range(0, 8)
    ]
    return {
        "format": 1,
        "covers": len(rows),
        "few_covers": {"skiffle": 3, HOSTILE: 4},
        "without_genre": 0,
        "several_genres": 2,
        "broken": [{"file_name": "images/broken.jpg", "problem": "cut off"}],
        "changed": [],
        "collected": {"merged": 12, "left_out": 1},
        "exact_duplicates": [],
        "near_duplicates": {"pairs": pairs, "clusters": [], "covers": 9},
        "across_genres": {"clusters": 2, "covers": 5},
    }


def _write_model(folder: Path, task: str, genres: Sequence[str]) -> None:
    card = {
        "format": 1,
        "name": "small",
        "task": task,
        "genres": list(genres),
        "preprocessing": {"size_px": 64, "resize": "squeezed to a square"},
        "network": {"file": "network.onnx", "sha256": "ab" * 32, "parameters": 123456, "precision": "float32"},
        "backbone": {"name": "mobilenet_v2", "training": "made up", "sha256": "cd" * 32, "licence": "BSD-3-Clause"},
        "head": {"kind": "linear", "settings": {"epochs": 40, "rate": 0.001}, "epochs": 8, "best_epoch": 5},
        "calibration": {"method": "temperature", "temperature": 1.4},
        "weights": {"sha256": "ef" * 32},
        "seed": 3,
        "versions": {"python": "3.11", "sleevenotes": "0.1.0"},
        "dataset": {"name": "five-genres"},
    }
    _write_json(folder / "model.json", card)
    names = ("epoch", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy")
    rows = []
    for at in range(1, 9):
        told = (at, 1.6 / at**0.5, 1 - 0.8 / at**0.4, 1.6 / at**0.2, 0.6 - 0.4 / at**0.5)
        rows.append(dict(zip(names, map(str, told), strict=True)))
    _write_table(folder / "history.csv", names, rows)
    (folder / "scorings.jsonl").write_text('{"split": "test"}\n', encoding="utf-8")


def _write_predictions(path: Path, names: Sequence[str], task: Task, judged: Judged) -> None:
    rows = []
    for at, name in enumerate(names):
        proba, true = judged.proba[at], judged.truth[at]
        said = task.genres[int(proba.argmax())]
        digest = sha256((path.parent / "dataset" / name).read_bytes())
        row = {
            "file_name": name,
            "sha256": digest,
            "truth": true,
            "predicted": said,
            "confidence": f"{proba.max():.6f}",
        }
        row |= {"correct": "" if task.kind == "multi" else str(int(said == true)), "group": f"g{at}", "fold": ""}
        rows.append(row | {f"proba {genre}": f"{of_it:.6f}" for genre, of_it in zip(task.genres, proba, strict=True)})
    _write_table(path, tuple(rows[0]), rows)


def _write_explanations(folder: Path, names: Sequence[str], task: Task, judged: Judged) -> None:
    folder.mkdir()
    entries = []
    for at, name in enumerate(names[:14]):
        proba, true = judged.proba[at], judged.truth[at]
        said = task.genres[int(proba.argmax())]
        cover = drawn(at, 0, size_px=64)
        (folder / f"{at}.cover.jpg").write_bytes(encode(cover, "jpeg"))
        (folder / f"{at}.overlay.jpg").write_bytes(encode(255 - cover, "jpeg"))
        entry = {"file_name": name, "genre": said, "proba": float(proba.max()), "predicted": said, "truth": true}
        entry |= {"cover": f"{at}.cover.jpg", "heat": "none.png", "overlay": f"{at}.overlay.jpg"}
        entries.append(entry | {"correct": said in true.split(";")})
    _write_json(folder / "explanations.json", entries)


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def _write_table(path: Path, names: Sequence[str], rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, names, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
