"""The page of an audit, and its table for a terminal: `audit.json` in, `audit.html` out.

The page carries everything with it: style, small figures and pictures. It runs no script and asks for nothing. Names of
genres and files, and whatever else the audit quotes, are input of other people: every text of it is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sleevenotes import __version__
from sleevenotes.covers.files import replacing
from sleevenotes.judge.audit.findings import VERDICTS
from sleevenotes.judge.schemas import read_audit
from sleevenotes.publish.audit_section import by_verdict, chance_of, figure_of, p_words, ruling, shown
from sleevenotes.publish.canvas import printable
from sleevenotes.publish.figure_sections import counted
from sleevenotes.publish.pictures import Pictures
from sleevenotes.publish.results import AUDIT_NAME, number
from sleevenotes.publish.templates import template

__all__ = ["closing", "rows", "write_audit_page"]

PAGE_NAME = "audit.html"
TEMPLATE_NAME = "audit.html.jinja"
HEADER = ("verdict", "check", "measured", "figure", "chance", "p (Holm)")
NAMED = 6


def write_audit_page(out: Path, *, covers: bool = True) -> Path:
    """Write the page of a finished audit beside its `audit.json`, whole or not at all.

    Parameters
    ----------
    out
        The audit's folder.
    covers
        Whether pictures may be shown; they are made of other people's artwork.

    Returns
    -------
    Path
        Of `audit.html`.

    Raises
    ------
    EvaluationError
        Where `audit.json` is missing or broken.
    """
    out = Path(out)
    audit = read_audit(out / AUDIT_NAME)
    pictures = Pictures(covers=covers)
    told = shown(audit, out, pictures)
    context = {
        "version": __version__,
        "title": _title(audit),
        "catalogue": _catalogue(audit),
        "audit": told,
        "headline": _headline(told),
        "entries": _entries(told),
        "facts": _facts(audit),
        "rules": _plain_rows(audit.get("rules")),
        "unreadable": pictures.unreadable,
    }
    content = template(TEMPLATE_NAME).render(context)
    with replacing(out / PAGE_NAME) as partial:
        partial.write_text(content, encoding="utf-8", newline="\n")
    return out / PAGE_NAME


def rows(audit: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return a header and the findings, the worst first, for a terminal.

    Examples
    --------
    >>> found = {"title": "Artefacts", "check": 1, "verdict": "broken", "p_holm": 0.0004,
    ...          "measured": {"metric": "ROC AUC", "value": 0.98, "low": 0.97, "high": 0.99, "chance": 0.5}}
    >>> rows({"findings": [found]})[1]
    [('broken', '1 Artefacts', 'ROC AUC', '0.98 (0.97–0.99)', '0.50', '< 0.001')]
    """
    return HEADER, [_row(told) for told in by_verdict(audit)]


def closing(audit: Mapping[str, Any]) -> str:
    """Return the sentences below the table: the verdict of all, and which checks could not be made."""
    verdict = f"{audit['verdict'].capitalize()}. {ruling(audit)}"
    left_out = [f"{each.get('check')} {each.get('title')}" for each in audit.get("left_out") or ()]
    return printable(f"{verdict} Left out: {'; '.join(left_out)}." if left_out else verdict)


def _row(told: Mapping[str, Any]) -> tuple[str, ...]:
    measured = told.get("measured") or {}
    figure = figure_of(told)
    interval = f" ({figure['interval']})" if figure["interval"] else ""
    cells = (
        told["verdict"],
        f"{told.get('check', '')} {told.get('title') or told.get('id') or ''}".strip(),
        str(measured.get("metric") or "—"),
        figure["value"] + interval,
        chance_of(told),
        p_words(told.get("p_holm")),
    )
    return tuple(printable(cell) for cell in cells)


# --- the page ---------------------------------------------------------------------------------------------------------


def _dataset(audit: Mapping[str, Any]) -> Mapping[str, Any]:
    found = audit.get("dataset")
    return found if isinstance(found, Mapping) else {}


def _title(audit: Mapping[str, Any]) -> str:
    name = str(_dataset(audit).get("name") or "")
    return "The audit" if name in ("", "dataset") else f"{name}, audited"  # as `run` calls every one of them


def _catalogue(audit: Mapping[str, Any]) -> str:
    """Return a catalogue number, as on a record's spine: it changes with the dataset."""
    dataset = _dataset(audit)
    genres = dataset.get("genres")
    count = len(genres) if isinstance(genres, list) else int(number(genres) or 0)
    return f"AU {str(dataset.get('fingerprint') or '0000')[:4].upper()}-{count:02d}"


def _headline(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how many findings have each verdict, the worst first, and which they are."""
    headline = []
    for verdict in reversed(VERDICTS):
        titles = [row["title"] for row in told["rows"] if row["verdict"] == verdict]
        words = "; ".join(titles[:NAMED]) + (f"; and {len(titles) - NAMED} more" if len(titles) > NAMED else "")
        headline.append({"verdict": verdict, "count": len(titles), "words": words or "no finding"})
    return headline


def _entries(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the sections that there are, with their headings."""
    entries = [("findings", "All findings")]
    entries += [("opened", "What is not clean")] if told["opened"] else []
    entries += [("clean", "What is clean")] if told["clean"] else []
    entries += [("left-out", "What was not looked into")] if told["left_out"] else []
    return [*entries, ("making", "How this was made")]


def _facts(audit: Mapping[str, Any]) -> list[tuple[str, str]]:
    dataset = _dataset(audit)
    fingerprint = str(dataset.get("fingerprint") or "")[:16]
    covers, genres = number(dataset.get("covers")), dataset.get("genres")
    facts = [
        ("Dataset", str(dataset.get("name") or "")),
        ("Covers", counted(int(covers), "cover") if covers is not None else ""),
        ("Genres", ", ".join(map(str, genres)) if isinstance(genres, list) else ""),
        ("Fingerprint", fingerprint),
        ("Model", str(audit.get("model") or "none: the dataset alone was audited")),
        ("Rules", audit["rules"] if isinstance(audit.get("rules"), str) else ""),
        ("Seed", str(audit.get("seed", "unknown"))),
        ("Settings", ", ".join(f"{name} {value}" for name, value in _plain_rows(audit.get("settings")))),
        ("Versions", ", ".join(f"{name} {value}" for name, value in _plain_rows(audit.get("versions")))),
    ]
    return [(name, words) for name, words in facts if words]


def _plain_rows(told: object) -> list[tuple[str, str]]:
    """Return what a mapping holds as names and words."""
    if not isinstance(told, Mapping):
        return []
    return [
        (str(name), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in told.items()
    ]
