"""A finished audit, made up: every check is in it, with all that it may tell, and with names that look like markup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from finished import drawn
from sleevenotes.covers.images import encode
from studied import NASTY, estimate

COMMAND = "sleevenotes harmonise out/dataset -o out/same --size 256"
FIGURES: dict[str, tuple[int, str, str, tuple[float | None, float, float | None, float | None], str]] = {
    "files": (1, "Artefacts without pixels", "ROC AUC", (0.981, 0.012, 0.5, 0.0005), "broken"),
    "traces": (2, "Artefacts in the pixels", "ROC AUC", (0.874, 0.02, 0.5, 0.0005), "broken"),
    "harmonise": (3, "Harmonised covers", "ROC AUC", (0.62, 0.05, 0.5, 0.004), "suspicious"),
    "swap": (4, "Swapped properties", "share of answers that flip", (0.31, 0.04, 0.03, 0.0005), "broken"),
    "control": (5, "Control from one source", "balanced accuracy", (0.53, 0.06, 0.5, 0.3), "broken"),
    "near": (6, "Near-duplicates on both sides", "covers", (1204, 0, 0, None), "suspicious"),
    "artists": (6, "Artists on both sides", "covers", (0, 0, 0, None), "clean"),
    "labels": (7, "Wrong labels", "share of labels contradicted", (0.11, 0.02, None, None), "suspicious"),
    "lettering": (8, "Text or picture", "accuracy", (0.412, 0.03, 0.2, 0.21), "suspicious"),
    "random": (9, "Maps of a random model", "rank correlation", (0.71, 0.06, 0.0, None), "suspicious"),
    "deletion": (9, "Deletion and insertion", "difference of the curves", (-0.01, 0.03, 0.0, 0.62), "clean"),
}


def details() -> dict[str, dict[str, Any]]:
    """Return what the findings tell besides their figure, by id."""
    names = ["width", "bytes per pixel", NASTY, "quantisation tables", "file size", "aspect", "EXIF", "ICC", "format"]
    ranked = [{"name": name, "auc": 0.99 - 0.05 * at} for at, name in enumerate(names)]
    cells = [(column / 4, row / 4) for row in range(4) for column in range(4)]
    places = [{"box": [left, top, left + 0.25, top + 0.25], "score": 0.5 + 0.4 * left * top} for left, top in cells]
    return {
        "files": {"properties": ranked},
        "traces": {"traces": ranked[:4], "places": places, "nobody knows": {"this": [1, 2]}},
        "harmonise": {"before": estimate(0.94), "after": estimate(0.62), "difference": estimate(0.32)},
        "swap": {"flipped": estimate(0.31), "neutral": estimate(0.03, 0.01)},
        "control": {"before": estimate(0.94), "after": estimate(0.53)},
        "near": {
            "shared": {"near-duplicates": 1204, "artists": 0, "releases": 12},
            "price": {"random": estimate(0.52), "apart": estimate(0.41), "difference": estimate(0.11)},
        },
        "labels": {
            "noise": {"folk": estimate(0.08), NASTY: estimate(0.21), "rock": {"value": 0.02}},
            "suspects": [
                {"file_name": f"/home/whoever/{at:03d} {NASTY}.jpg", "said": "folk", "model": NASTY, "proba": 0.98}
                for at in range(14)
            ],
        },
        "lettering": {"as_is": estimate(0.44), "masked": estimate(0.412), "control": estimate(0.43)},
        "random": {
            "layers": [{"name": f"layer {at}", "value": 0.8 - 0.3 * at, "low": 0.7 - 0.3 * at, "high": 0.9 - 0.3 * at}
                       for at in range(4)],
            "deletion": {"map": estimate(0.31), "random": estimate(0.33)},
            "insertion": {"map": estimate(0.52), "random": estimate(0.51)},
        },
        "deletion": {},
    }  # fmt: skip


def finding(id_: str, more: dict[str, Any]) -> dict[str, Any]:
    """Return one finding as `audit.json` has it."""
    check, title, metric, (value, half, chance, p), verdict = FIGURES[id_]
    measured = {"metric": metric, **estimate(value, half), "chance": chance, "p": p, "n": 3430, "groups": 2877}
    if metric == "covers":
        measured |= {"low": None, "high": None}
    bad = verdict != "clean"
    return {
        "id": id_,
        "check": check,
        "title": title,
        "tested": f"Gradient boosting on what `{id_}` tells of {NASTY}, five folds, groups kept apart." if bad else "",
        "measured": measured,
        "verdict": verdict,
        "words": f"Of two covers, one of {NASTY} and one other, it ranks them rightly far too often." if bad else
        "No more than chance would give.",
        "advice": "Send all covers through one identical path, and train again." if bad else "",
        "command": COMMAND if bad else "",
        "details": more,
        "files": [{"file": f"{id_}.jpg", "caption": f"Sheet of {NASTY}"}] if id_ in ("labels", "swap") else [],
        "p_holm": None if p is None else min(1.0, p * 8),
    }  # fmt: skip


def audit(**changes: Any) -> dict[str, Any]:
    """Return the content of an audit.json in which every check found something."""
    told = details()
    return {
        "format": 1,
        "verdict": "broken",
        "words": "The genre can be told from the files alone (ROC AUC 0.98), so no figure here speaks of art.",
        "dataset": {"name": "five <genres>", "fingerprint": "ab" * 32, "covers": 3430, "genres": ["folk", NASTY]},
        "model": "small",
        # in an order that no page should keep
        "findings": [finding(id_, told.get(id_, {})) for id_ in sorted(FIGURES)],
        "left_out": [
            {"check": 5, "title": f"Control of {NASTY}", "why": "No `--control` was given.", "command": "sleevenotes"},
            {"check": 8, "title": "Text", "why": "No text detector is installed.", "command": ""},
        ],
        "rules": {"files": "broken from a ROC AUC of 0.75", "significant": 0.05},
        "seed": 7,
        "settings": {"folds": 5, "control": None},
        "versions": {"sleevenotes": "0.3.0", "python": "3.11"},
        **changes,
    }  # fmt: skip


def write_audit(folder: Path, content: dict[str, Any] | None = None) -> Path:
    """Write an audit and its pictures into a folder, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "audit.json").write_text(json.dumps(content or audit()), encoding="utf-8")
    for at, name in enumerate(("labels", "swap")):
        sheet = np.hstack([drawn(seed, at, size_px=90) for seed in range(4)])
        (folder / f"{name}.jpg").write_bytes(encode(np.vstack([sheet, sheet[:, ::-1]]), "jpeg"))
    return folder
