"""What people guessed, as a person reads it: a table for the terminal, JSON, and CSV for a spreadsheet.

Players are "player 1", "player 2" and so on; no nickname leaves the store.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sleevenotes.covers.dataset import SEPARATOR
from sleevenotes.covers.files import guarded, replacing, write_json
from sleevenotes.judge.people import TOO_FEW, Answers, People
from sleevenotes.publish.figure_sections import figure_parts
from sleevenotes.publish.results import Results, estimate

JSON_NAME = "people.json"
CSV_NAME = "people.csv"
HEADER = ("who", "right", "interval", "answers", "people less this")
UNKNOWN = "—"
COLUMNS = (
    "player", "round", "number", "file_name", "truth", "guess", "right", "model", "model_genre", "model_proba",
    "model_right",
)  # fmt: skip


def table(told: Mapping[str, Any]) -> tuple[Sequence[str], list[list[str]]]:
    """Return a header, and a row each for people, guessing, every model, and people on the covers of every genre.

    Parameters
    ----------
    told
        The contents of `people.json`.
    """
    rows = [
        ["people", *_right(told["accuracy"], told["n"]), ""],
        ["guessing", *_right(told["guessing"], told["n"]), _points(told["guessing"]["difference"])],
    ]
    for model in told["models"]:
        rows.append([model["model"], *_right(model["accuracy"], model["n"]), _points(model["difference"])])
    rows.append([""] * len(HEADER))
    for genre, row in told["per_genre"].items():
        rows.append([f"people on {genre}", *_right(row["recall"], row["n"]), ""])
    return HEADER, rows


def sentences(told: Mapping[str, Any]) -> list[str]:
    """Return what the figures say, and what is doubtful about them."""
    return [*told["words"], *told["notes"]]


def write_people(found: People, out: Path) -> list[Path]:
    """Write `people.json` and `people.csv` into a folder, and return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / CSV_NAME
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(answer_rows(found.answers))
    return [write_json(out / JSON_NAME, found.told), path]


def answer_rows(answers: Answers) -> Iterable[Sequence[str]]:
    """Give the rows of `people.csv`, the header first: a row an answer; no cell that a spreadsheet would calculate."""
    yield COLUMNS
    for at, guess in enumerate(answers.guesses):
        said = guess.answer
        asked = said.model_genre is not None
        yield (
            f"player {answers.players[at] + 1}",
            str(guess.round),
            str(guess.number),
            guarded(guess.file_name),
            guarded(SEPARATOR.join(said.truth)),
            guarded(said.guess),
            f"{answers.right[at]:.0f}",
            guarded(said.model),
            guarded(said.model_genre or ""),
            "" if said.model_proba is None else f"{said.model_proba:.6f}",
            str(int(said.model_genre in said.truth)) if asked else "",
        )


def section(results: Results) -> dict[str, Any] | None:
    """Return what the report says of people: `fits`, and where it does, `words`, `notes` and `rows`; None without."""
    if results.people is None or not results.people.fits:
        return None if results.people is None else {"fits": False}
    told = results.people.told
    beside = [{"model": "Always the commonest genre", "n": told["n"], **told["guessing"], "accuracy": told["guessing"]}]
    rows = [
        {
            "name": str(row["model"]),
            "n": f"{row['n']:,}",
            "figure": figure_parts(estimate(row["accuracy"])),
            "ahead": _in_points(figure_parts(estimate(row["difference"]))),
        }
        for row in [*beside, *told["models"]]
    ]
    people = {
        "name": "People",
        "n": f"{told['n']:,}",
        "figure": figure_parts(estimate(told["accuracy"])),
        "ahead": None,
    }
    return {"fits": True, "words": told["words"], "notes": told["notes"], "rows": [people, *rows]}


def _in_points(parts: dict[str, Any]) -> dict[str, Any]:
    """Return a difference of two percentages without the sign of one, as the head of its column says what it is in."""
    return {**parts, "value": parts["value"].removesuffix("\xa0%")}


def _right(figure: Mapping[str, Any], n: int) -> tuple[str, str, str]:
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    shown = UNKNOWN if value is None else f"{value:.3f}"
    few = TOO_FEW if figure.get("too_few") else UNKNOWN
    return shown, few if low is None or high is None else f"{low:.3f} to {high:.3f}", f"{n:,}"


def _points(figure: Mapping[str, Any]) -> str:
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    shown = UNKNOWN if value is None else f"{value:+.3f}"
    if low is None or high is None:
        return shown + (f" ({TOO_FEW})" if figure.get("too_few") else "")
    return f"{shown} ({low:+.3f} to {high:+.3f})"
