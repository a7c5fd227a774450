"""The report: finished results in, one HTML file out that says what they mean.

The page carries everything with it: style, figures (SVG) and covers (small JPEGs). It runs no script and asks for
nothing, and says so to the browser in its content security policy. Names of artists, genres and files are input of
other people: Jinja escapes every one of them, and `printable` takes out what no page may hold.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from sleevenotes import __version__
from sleevenotes.covers.files import replacing
from sleevenotes.publish import audit_section, cover_map, cover_sections, figure_sections, genre_section, people
from sleevenotes.publish.caveats import Caveat, audited, caveats
from sleevenotes.publish.figure_sections import counted
from sleevenotes.publish.pictures import Pictures, sleeve_covers
from sleevenotes.publish.plots import printable, share_words
from sleevenotes.publish.results import Results, number, read
from sleevenotes.publish.templates import template

__all__ = ["render", "write_report"]

REPORT_NAME = "report.html"
TEMPLATE_NAME = "report.html.jinja"
LONG_VERDICT = 170  # letters
MOST_IN_TITLE = 4  # genres, of a dataset that has no title


def write_report(
    out: Path,
    *,
    dataset: Path,
    model: Path,
    evaluation: Path,
    predictions: Path | None = None,
    explanations: Path | None = None,
    covers: bool = True,
    title: str | None = None,
) -> Path:
    """Write the report of one run.

    Parameters
    ----------
    out
        The file to write, or a folder for `report.html`.
    dataset, model
        The folders.
    evaluation
        `evaluation.json`, or the folder it lies in; a `curve.json`, a map, an audit and a game beside it are
        shown too.
    predictions
        `predictions.csv`.
    explanations
        `explanations.json`, or the folder it lies in.
    covers
        Whether covers may be shown. Without, no pixel of other people's artwork is in the page.
    title
        The page's heading; by default made of the dataset's title, or of its genres.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    DatasetError, ModelError, EvaluationError
        Where something required is missing or broken.
    """
    results = read(dataset, model, evaluation, predictions=predictions, explanations=explanations)
    page = render(results, covers=covers, title=title)
    out = Path(out)
    out = out if out.suffix.lower() in (".html", ".htm") else out / REPORT_NAME
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial:
        partial.write_text(page, encoding="utf-8", newline="\n")
    return out


def render(results: Results, *, covers: bool = True, title: str | None = None) -> str:
    """Return the report as HTML: the same results give the same bytes."""
    pictures = Pictures(covers=covers)
    context = {
        "title": title or _title(results),
        "covers": covers,
        "version": __version__,
        "catalogue": _catalogue(results),
        "task": results.task,
        "evaluation": results.evaluation,
        "verdict": _verdict(results),
        "alarm": _alarm(results),
        "headline": figure_sections.headline(results),
        "sleeve": pictures.sleeve([results.dataset.path(row) for row in sleeve_covers(results)]) if covers else None,
        "dataset": cover_sections.shelves(results, pictures),
        "check": cover_sections.checked(results, pictures),
        "figures": figure_sections.figures(results),
        "people": people.section(results),
        "genres": genre_section.genres(results),
        "confusion": figure_sections.confusion(results),
        "answers": cover_sections.answers(results, pictures),
        "map": cover_map.section(results, pictures),
        "audit": audit_section.section(results, pictures),
        "reliability": figure_sections.reliability(results),
        "caveats": caveats(results),
        "training": figure_sections.training(results),
        "folds": figure_sections.folds(results),
        "curve": figure_sections.curve(results),
        "making": _making(results),
        "at": results.at,
        "model_name": shlex.quote(printable(str(results.evaluation["model"]))),
    }
    # last, when all covers have been asked for
    context["unreadable"] = pictures.unreadable
    return template(TEMPLATE_NAME).render(context)


# --- words ------------------------------------------------------------------------------------------------------------


def _title(results: Results) -> str:
    if results.dataset.title:
        return f"{results.dataset.title}, judged by its covers"
    *some, last = (str(genre) for genre in results.genres)
    named = f"{', '.join(some)} and {last}" if 0 < len(some) < MOST_IN_TITLE else f"{len(some) + 1:,} genres"
    return f"{named[0].upper()}{named[1:]}, judged by their covers"


def _verdict(results: Results) -> tuple[str, str]:
    """Return the verdict in two parts: what is set large, and the rest of a long one."""
    verdict = str(results.evaluation["verdict"]).strip()
    first, dot, rest = verdict.partition(". ")
    return (first + ".", rest) if dot and len(verdict) > LONG_VERDICT else (verdict, "")


def _alarm(results: Results) -> Caveat | None:
    """Return what must be read before any figure: that the audit calls this broken."""
    broken = results.audit is not None and results.audit.told["verdict"] == "broken"
    return audited(results) if broken else None


def _catalogue(results: Results) -> str:
    """Return a catalogue number, as on a record's spine: it changes with the dataset."""
    return f"SN {results.dataset.fingerprint[:4].upper()}-{len(results.genres):02d}"


def _making(results: Results) -> dict[str, Any]:
    card, evaluation = results.card, results.evaluation
    backbone, network = card.get("backbone") or {}, card.get("network") or {}
    intervals = evaluation.get("intervals") or {}
    facts = [("Model", str(evaluation["model"]))]
    if backbone:
        told = [backbone.get("name"), backbone.get("training"), backbone.get("licence")]
        facts.append(("Backbone", ", ".join(str(word) for word in told if word)))
        facts.append(("Its weights, SHA-256", str(backbone.get("sha256") or "unknown")[:16]))
    if network.get("parameters"):
        facts.append(("Parameters", f"{int(network['parameters']):,}"))
    if card.get("preprocessing"):
        told = card["preprocessing"]
        facts.append(("Covers as it sees them", f"{told.get('size_px', '?')} px; {told.get('resize', '')}".strip("; ")))
    facts.append(("Seed", str(card.get("seed", "unknown"))))
    facts.append(
        ("Dataset", f"{counted(len(results.dataset), 'cover')}, fingerprint {results.dataset.fingerprint[:16]}")
    )
    if intervals:
        level = share_words(number(intervals.get("level")) or 0.95)
        facts.append(("Intervals", f"{level}, {intervals.get('method', 'unknown')}"))
    versions = ", ".join(f"{name} {version}" for name, version in (card.get("versions") or {}).items())
    facts.append(("Versions", versions or f"sleevenotes {__version__}"))
    return {
        "facts": facts,
        "commands": _commands(results),
        "card": json.dumps(card, indent=1, ensure_ascii=False),
        "notes": [str(note) for note in intervals.get("notes") or ()],
    }


def _commands(results: Results) -> list[str]:
    at = results.at
    seed, task = results.card.get("seed", 0), results.task
    model, split = results.evaluation["model"], results.evaluation.get("split", "test")
    # a command is there to be copied: no genre's name may become one
    asked = f" --genre {shlex.quote(printable(results.genres[0]))}" if task == "binary" else ""
    return [
        f"sleevenotes check {at.dataset}",
        f"sleevenotes split {at.dataset} --task {task}{asked} --seed {results.dataset.settings.get('seed', seed)}",
        f"sleevenotes train {at.dataset} --model {shlex.quote(str(model))} --seed {seed} -o {at.model}",
        f"{at.evaluate}{'' if split == 'test' else f' --split {split}'}",
    ]
