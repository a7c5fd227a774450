"""A finished study and a finished comparison of colours, made up: every kind of table, cell and figure is in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finished import drawn
from sleevenotes.covers.images import encode

NASTY = "r&b <b>\u202eluos\x07</b> \"'"
TEN = ("ambient", "dubstep", "folk", "hiphop/rap", "jazz", "metal", "pop", "punk", "rock", "soul")
NASTY_TEN = ("ambient", NASTY, "folk", "hiphop/rap", "日本の音楽", "metal", "pop " * 12, "punk", "rock", "soul")
MEASURES = {
    "correlation": ("large", True, 1.0),
    "chi-square": ("small", False, 40.0),
    "intersection": ("large", True, 0.5),
    "hellinger": ("small", True, 0.8),
}
LONG = (
    "not at hand: `resnet152-394f9c45.pth` was looked for under SLEEVENOTES_WEIGHTS and in the cache, and nothing "
    "fetches it by itself; *download it yourself* and name the folder, or go on without this row, as was done here. "
) * 3


def estimate(value: float | None, half: float = 0.03) -> dict[str, float | None]:
    return {
        "value": value,
        "low": None if value is None else value - half,
        "high": None if value is None else value + half,
    }


def study(genres: Sequence[str] = NASTY_TEN, *, quick: bool = True) -> dict[str, Any]:
    """Return the content of a study.json: two sections with everything, one with nothing."""
    rng = np.random.default_rng(5)
    k = len(genres)
    return {
        "format": 1,
        "study": "bandcamp",
        "title": "Predicting Musical Genre from Album Cover Art, rerun",
        "subtitle": "After the paper of *Lee* and Baraldi, on covers that `collect` found.",
        "verdict": "On 686 covers it has never seen, the best of ours names 38 % (35–41); guessing 20 %.",
        "quick": quick,
        "dataset": {
            "name": "five <genres>",
            "fingerprint": "9bfa3c0ffee1234567890abcdef",
            "genres": list(genres),
            "covers": {"train": 2401, "valid": 343, "test": 686},
            "n_genre": {genre: 300 + at for at, genre in enumerate(genres)},
        },
        "seed": 7,
        "seconds": 754.3,
        "versions": {"sleevenotes": "0.2.0", "python": "3.11"},
        "command": "sleevenotes study bandcamp DATASET --quick",
        "notes": ["Everything on one machine."],
        "sections": [
            {
                "id": "colors",
                "title": "Color: is a genre most like itself?",
                "words": ["With `code`, *emphasis* and <script>alert(1)</script>.", "The second one. " * 12],
                "tables": _tables(genres, rng),
                "figures": _figures(genres, rng),
                "notes": ["A quiet remark with `code`.", LONG],
                "seconds": 12.4,
            },
            {
                "id": "colors",  # the same id again
                "title": "Networks & transfer",
                "words": ["Words alone."],
                "tables": [
                    {
                        "id": "table-4",
                        "title": "Table 4: pretrained, per genre",
                        "note": "n = 686 covers; quick: 2 epochs of 10, ResNet-152 left out.",
                        "columns": [
                            {"name": f"{name} {side}", "group": group, "kind": "percent"}
                            for group in ("paper", "ours")
                            for name in ("AlexNet", "ResNet-18", "ResNet-34", "ResNet-152")
                            for side in ("train", "test")[: 1 + (group == "ours")]
                        ],
                        "rows": [
                            {
                                "name": genre,
                                "cells": [0.19, 0.22, 0.19, 0.19]
                                + [estimate(float(rng.uniform(0.05, 0.5))) for _ in range(7)]
                                + [None],
                                "remark": None,
                                "strong": at == k - 1,
                            }
                            for at, genre in enumerate(genres)
                        ],
                    }
                ],
                "figures": [],
                "notes": [],
                "seconds": 700.0,
            },
            {"id": "wished", "title": "What it wished for", "words": [], "tables": [], "figures": [], "notes": []},
        ],
    }  # fmt: skip


def _tables(genres: Sequence[str], rng: np.random.Generator) -> list[dict[str, Any]]:
    methods = ("ridge", "lasso", "svm (rbf)", "5-nearest neighbors", "quadratic discriminants, shrunk", NASTY)
    return [
        {
            "id": "table-2",
            "title": "Table 2: ten methods on single pixels <of 32 px>",
            "note": "n = 686 covers, 40 epochs; *quick*: left out lasso at 100 px.",
            "columns": [
                {"name": "random, test", "group": "paper", "kind": "percent"},
                {"name": "resize, test", "group": "paper", "kind": "percent"},
                {"name": "random, test", "group": "ours", "kind": "percent"},
                {"name": "resize, test", "group": "ours", "kind": "percent"},
                {"name": "time", "group": "", "kind": "seconds"},
                {"name": "settings", "group": "", "kind": "text"},
            ],
            "rows": [
                {
                    "name": name,
                    "cells": [
                        estimate(0.148 + at / 100, 0.02),
                        0.09,
                        estimate(float(rng.uniform(0.15, 0.3))),
                        "not at hand" if at == 3 else None if at == 4 else estimate(None),
                        [0.4, 34.0, 754.0, 3900.0, None, 0][at],
                        "C=1, gamma=scale" if at % 2 else None,
                    ],
                    "remark": LONG if at == 3 else "did not converge" if at == 1 else None,
                    "strong": at == 5,
                }
                for at, name in enumerate(methods)
            ],
        },
        {
            "id": "table-1",
            "title": "Table 1: rank of each genre's similarity to itself",
            "note": "",
            "columns": [
                {"name": "rank", "group": "paper", "kind": "rank"},
                {"name": "mean of draws", "group": "ours", "kind": "rank"},
                {"name": "covers", "kind": "count"},
                {"name": "difference", "group": "", "kind": "number"},
                {"name": "log loss", "group": "", "kind": "number"},
            ],
            "rows": [
                {
                    "name": genre,
                    "cells": [at + 1, {"value": 5.5, "low": 2, "high": 9.5}, 8800, estimate(-0.01), 1e-4],
                    "remark": None,
                    "strong": False,
                }
                for at, genre in enumerate(genres)
            ],
        },
    ]


def _figures(genres: Sequence[str], rng: np.random.Generator) -> list[dict[str, Any]]:
    k, names = len(genres), list(genres)
    matrix = rng.uniform(0.2, 0.5, (k, k))
    holed: list[list[float | None]] = (60 * matrix).tolist()
    holed[0][1] = None
    same: dict[str, Any] = {"note": "100 draws of 50 covers", "kind": "heat", "rows": names, "columns": names}
    x = [32, 35, 70, 100]
    series = {
        f"{name}, {side}": [estimate(level + rise * at / 4) for at in range(4)]
        for name, side, level, rise in [
            ("ridge", "train", 0.43, 0.55), ("ridge", "test", 0.2, 0.01), ("lasso", "train", 0.44, 0.5),
            ("lasso", "test", 0.21, 0.0), ("paper, ridge", "train", 0.33, 0.66), ("paper, ridge", "test", 0.12, -0.03),
        ]
    }  # fmt: skip
    counts = rng.integers(0, 40, (k, k)).tolist()
    files = [*(f"covers/{at}.jpg" for at in range(k)), "covers/missing.jpg"]
    methods = [("MobileNet", "model"), (NASTY, "other"), ("colours alone", "baseline"), ("nothing", "other")]
    rows = [{"name": name, **estimate(0.2 + at / 20), "kind": kind} for at, (name, kind) in enumerate(methods)]
    spread = [{"name": name, "shares": rng.dirichlet(np.full(k, 0.4)).tolist()} for name in ("AlexNet", NASTY, "CNN")]
    items = [
        {"file": file, "caption": name, "lines": ["38 % ambient", "20 % folk"]}
        for file, name in zip(files, [*names, "not there"], strict=True)
    ]
    gaps = {NASTY: [estimate(0.2), estimate(0.3), estimate(None), estimate(0.25)]}
    means = "Figure 3: the mean cover of each genre"

    def figure(kind: str, id_: str, title: str, note: str = "", **data: Any) -> dict[str, Any]:
        return {"id": id_, "title": title, "note": note, "kind": kind, **data}

    return [
        same | {"id": "heat-large", "title": "Figure 2: correlation", "matrix": matrix.tolist(), "alike": "large"},
        same
        | {"id": "heat-small", "title": "Figure 2: chi-square", "matrix": holed, "alike": "small", "format": ".1f"},
        figure("lines", "sizes", "Over the grid", x=x, axis="grid size, px", series=series, percent=True),
        figure("lines", "rates", "Over the rate", "n", x=[0.0001, 0.001, 0.01, 0.1], axis="rate", series=gaps),
        figure("intervals", "order", "The order of the methods", chance=0.2, rows=rows),
        figure("spread", "spread", "How answers spread", "of 686 answers", columns=names, rows=spread),
        figure("confusion", "mixed-up", "What the small CNN mixes up", counts=counts, genres=names),
        figure("covers", "figure-3", means, "All covers.", items=items),
        figure("palette", "palettes", "Palettes", rows=palette_rows(names)),
    ]


def palette_rows(genres: Sequence[str]) -> list[dict[str, Any]]:
    """Return six colours a genre; one of them is none."""
    rng = np.random.default_rng(3)
    rows = []
    for genre in genres:
        shares = np.sort(rng.dirichlet(np.ones(6)))[::-1]
        colors = [
            {"hex": f"#{rng.integers(0, 256**3):06x}", "share": float(share), "lab": [41.2, -3.4, -0.2]}
            for share in shares
        ]
        rows.append({"name": genre, "colors": colors})
    rows[0]["colors"].append({"hex": "red; background: url(//evil)", "share": 0.1, "lab": None})
    return rows


def compared(genres: Sequence[str]) -> dict[str, Any]:
    """Return what `judge.colors.compare` tells, made up."""
    rng = np.random.default_rng(9)
    k = len(genres)
    measures = {}
    for name, (alike, symmetric, scale) in MEASURES.items():
        mean = scale * rng.uniform(0.3, 0.6, (k, k))
        mean = (mean + mean.T) / 2 if symmetric else mean
        ranks = rng.integers(1, k + 1, k).tolist()
        measures[name] = {
            "alike": alike,
            "symmetric": symmetric,
            "formula": f"sum over bins of {name} <a, b>",
            "mean": mean.tolist(),
            "low": (mean * 0.9).tolist(),
            "high": (mean * 1.1).tolist(),
            "exact": (mean * 1.01).tolist(),
            "self_rank": [{"value": rank + 0.3, "low": max(1, rank - 2), "high": min(k, rank + 2)} for rank in ranks],
            "exact_self_rank": ranks,
            "first_draw_self_rank": ranks[::-1],
        }
    told = {"genres": list(genres), "n": [100 + at for at in range(k)], "draws": 100, "covers_a_draw": 50}
    return told | {"drawn": [50] * (k - 1) + [12], "measures": measures}


def colors(genres: Sequence[str] = NASTY_TEN) -> dict[str, Any]:
    """Return the content of a colors.json."""
    return {
        "format": 1,
        "genres": list(genres),
        "n": [100 + at for at in range(len(genres))],
        "by": {"cubic": compared(genres), "antialiased": compared(genres)},
        "palettes": {row["name"]: row["colors"] for row in palette_rows(genres)},
        "means": {genre: f"mean-{at}.png" for at, genre in enumerate(genres)},
        "left_out": ["skiffle <b>", "polka"],
        "seed": 7,
        "dataset": {"name": "five <genres>", "fingerprint": "9bfa3c0ffee1234567890abcdef"},
    }


def write_study(folder: Path, content: dict[str, Any]) -> Path:
    """Write a study with its covers; return the folder."""
    (folder / "covers").mkdir(parents=True, exist_ok=True)
    for at in range(len(content["dataset"]["genres"])):
        (folder / "covers" / f"{at}.jpg").write_bytes(encode(drawn(at, at), "jpeg"))
    (folder / "study.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def write_colors(folder: Path, content: dict[str, Any]) -> Path:
    """Write a comparison of colours with its mean covers; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for at in range(len(content["genres"])):
        (folder / f"mean-{at}.png").write_bytes(encode(drawn(at, at), "png"))
    (folder / "colors.json").write_text(json.dumps(content), encoding="utf-8")
    return folder
