"""Tables of a study: cells as a person reads them, the paper's columns beside ours.

A table comes as a study's JSON has it: `columns` with name, group and kind, `rows` with name, cells, remark and strong.
A cell is None, a text, a number, or an estimate `{"value", "low", "high"}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from sleevenotes.judge.intervals import TOO_FEW, places_apart
from sleevenotes.publish.plots import estimate_words
from sleevenotes.publish.results import estimate

__all__ = ["cell_parts", "duration", "shown_table"]

GROUPS = {"paper": "the paper", "ours": "ours"}
NOTHING = "—"
DECIMAL_BELOW = 0.05  # a percentage smaller than this has a decimal always


def shown_table(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table as the template wants it.

    Returns
    -------
    `title`, `note`, `groups` (what spans several columns; empty where there is none), `columns`, `rows`, `remarks`
    """
    columns: list[dict[str, Any]] = [
        {
            "name": str(column["name"]),
            "kind": str(column.get("kind") or "text"),
            "tint": _tint(column),
            "starts": bool(before) and column.get("group") != before.get("group"),
        }
        for before, column in pairwise(({}, *told["columns"]))
    ]
    places = _places(told)
    rows = []
    for row in told["rows"]:
        cells = [*row["cells"], *[None] * len(columns)][: len(columns)]  # a short row ends in gaps
        rows.append(
            {
                "name": str(row["name"]),
                "remark": str(row.get("remark") or ""),
                "strong": bool(row.get("strong")),
                "cells": [
                    cell_parts(cell, column["kind"], places=places) | {"column": column}
                    for cell, column in zip(cells, columns, strict=True)
                ],
            }
        )
    return {
        "title": str(told["title"]),
        "note": str(told.get("note") or ""),
        "groups": _groups(told["columns"]),
        "columns": columns,
        "rows": rows,
    }


def cell_parts(cell: Any, kind: str, *, places: int = 0) -> dict[str, Any]:
    r"""Return a cell in parts: the value, its interval, and whether it is words where a number was to be.

    Parameters
    ----------
    cell
        None, a text, a number, or an estimate.
    kind
        Of its column: percent (of 0..1), number, rank, seconds, count or text.
    places
        Decimals of percentages.

    Examples
    --------
    >>> cell_parts({"value": 0.148, "low": 0.127, "high": 0.172}, "percent", places=1)
    {'value': '14.8\xa0%', 'interval': '12.7–17.2', 'words': False}
    >>> cell_parts(None, "rank")["value"], cell_parts(5.5, "rank")["value"], cell_parts(8800, "count")["value"]
    ('—', '5.5', '8,800')
    """
    if isinstance(cell, str):
        return {"value": cell, "interval": "", "words": kind != "text"}
    if isinstance(cell, bool | list | tuple):
        return {"value": str(cell), "interval": "", "words": kind != "text"}
    known = estimate(cell)
    value, low, high = known["value"], known["low"], known["high"]
    if value is None:
        return {"value": NOTHING, "interval": "", "words": False}
    if kind == "percent":
        return _percent(known, places)
    if kind == "number" and not isinstance(cell, int) and abs(value) < 10 and low is not None and high is not None:
        shown, _, interval = estimate_words(known, percent=False).partition(" (")
        return {"value": shown, "interval": interval.removesuffix(")"), "words": False}
    interval = _few(known) if low is None or high is None else _span(_plain(low, kind), _plain(high, kind))
    return {"value": _plain(value, kind), "interval": interval, "words": False}


def duration(seconds: float) -> str:
    r"""Return a time as a person would say it.

    Examples
    --------
    >>> duration(0.42), duration(34.2), duration(754), duration(3900)
    ('0.4\xa0s', '34\xa0s', '13\xa0min', '1\xa0h 05\xa0min')
    """
    gap = "\N{NO-BREAK SPACE}"
    if seconds < 99.5:
        return f"{seconds:.{0 if seconds >= 9.95 or seconds == 0 else 1}f}{gap}s"
    minutes = round(seconds / 60)
    return f"{minutes}{gap}min" if minutes < 60 else f"{minutes // 60:,}{gap}h {minutes % 60:02d}{gap}min"


def _percent(known: Mapping[str, Any], places: int) -> dict[str, Any]:
    value, low, high = (known[key] for key in ("value", "low", "high"))
    assert value is not None
    if 0 < min(abs(value), abs(1 - value)) < DECIMAL_BELOW:
        places = max(places, 1)
    if low is not None and high is not None:
        places = places_apart(low, high, places)

    def shown(share: float) -> str:
        return _minus(f"{100 * share:.{places}f}")

    interval = _few(known) if low is None or high is None else _span(shown(low), shown(high))
    return {"value": f"{shown(value)}\N{NO-BREAK SPACE}%", "interval": interval, "words": False}


def _few(known: Mapping[str, Any]) -> str:
    return TOO_FEW if known.get("too_few") else ""


def _plain(value: float, kind: str) -> str:
    if kind == "seconds":
        return duration(value)
    if kind in ("rank", "count") or float(value).is_integer():
        places = 0 if float(value).is_integer() else 1
        return _minus(f"{value:,.{places}f}")
    if abs(value) < 0.01:
        return _minus(f"{value:.2g}")
    return _minus(f"{value:,.{0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 2}f}")


def _span(low: str, high: str) -> str:
    """Return an interval; a word stands where a dash beside a minus can't be read."""
    return f"{low} to {high}" if "\N{MINUS SIGN}" in low + high else f"{low}–{high}"


def _minus(text: str) -> str:
    return (
        text.removeprefix("-") if not any(mark in "123456789" for mark in text) else text.replace("-", "\N{MINUS SIGN}")
    )


def _places(told: Mapping[str, Any]) -> int:
    """Return the decimals of a table's percentages: as many as the paper prints, so that both can be compared."""
    paper = [at for at, column in enumerate(told["columns"]) if column.get("group") == "paper"]
    values = [
        estimate(row["cells"][at])["value"]
        for row in told["rows"]
        for at in paper
        if at < len(row["cells"]) and told["columns"][at].get("kind") == "percent"
    ]
    return int(any(value is not None and abs(100 * value - round(100 * value)) > 1e-6 for value in values))


def _groups(columns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if not any(column.get("group") for column in columns):
        return []
    groups = []
    for group, run in groupby(columns, key=lambda column: str(column.get("group") or "")):
        members = list(run)
        groups.append({"name": GROUPS.get(group, group), "span": len(members), "tint": _tint(members[0])})
    return groups


def _tint(column: Mapping[str, Any]) -> str:
    group = str(column.get("group") or "")
    return group if group in GROUPS else ""
