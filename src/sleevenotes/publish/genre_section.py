"""The section of the report on single genres: a table that stays readable with a hundred of them, and its charts.

The commonest thirty stand in the table, the others in a second one below it that opens without a script. Both are in
the order of the genre tree, a child below its parent, siblings by their number of covers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from sleevenotes.covers.genre_tree import in_order
from sleevenotes.publish import plots
from sleevenotes.publish.figure_sections import figure_parts
from sleevenotes.publish.plots import Row, estimate_words
from sleevenotes.publish.results import Results, estimate, number

__all__ = ["genres"]

CHARTED_GENRES = 24
SHOWN_GENRES = 30  # the others are folded away
COLUMNS = [("precision", True), ("recall", True), ("f1", True), ("average_precision", False)]


def genres(results: Results) -> dict[str, Any]:
    """Return the figures of each genre, and a chart of one of them.

    Returns
    -------
    `rows` and `more` (the folded ones), each with `genre`, `depth` in the tree, `support`, `figures`, `gauge` (width of
    a bar in %, None where nobody knows) and `threshold`; `thresholds`, `charts`, `charted`, and `rare`, the genres that
    were not asked about, in words
    """
    per_genre = results.evaluation.get("per_genre") or {}
    known = [(genre, per_genre[genre]) for genre in results.genres if isinstance(per_genre.get(genre), Mapping)]
    commonest = sorted(known, key=lambda each: (-_support(each[1]), each[0]))
    parts = [_rows(results, part) for part in (commonest[:SHOWN_GENRES], commonest[SHOWN_GENRES:])]
    return {
        "rows": parts[0],
        "more": parts[1],
        "thresholds": any(row["threshold"] for part in parts for row in part),
        "charts": _charts(results, known),
        "charted": CHARTED_GENRES,
        "rare": _rare(results),
    }


def _support(figures: Mapping[str, Any]) -> int:
    return int(figures.get("support") or 0)


def _rows(results: Results, known: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return a row a genre, in the order of the tree."""
    many, figures = results.task == "multi", dict(known)
    columns = [*COLUMNS, ("roc_auc", False)] if many else COLUMNS
    return [
        {
            "genre": genre,
            "depth": depth,
            "support": _support(figures[genre]),
            "figures": [figure_parts(estimate(figures[genre].get(key)), percent) for key, percent in columns],
            "gauge": _gauge(figures[genre], many=many),
            "threshold": _threshold(figures[genre]),
        }
        for genre, depth in in_order(list(figures), results.dataset.settings.get("tree") or ())
    ]


def _gauge(figures: Mapping[str, Any], *, many: bool) -> str | None:
    """Return how long a bar is, in %: of the ROC AUC above guessing in `multi`, else of recall."""
    value = estimate(figures.get("roc_auc" if many else "recall"))["value"]
    if value is None:
        return None
    return f"{100 * max(0.0, 2 * value - 1 if many else value):.0f}"


def _threshold(figures: Mapping[str, Any]) -> str:
    return estimate_words({"value": number(figures.get("threshold"))}) if "threshold" in figures else ""


def _rare(results: Results) -> list[str]:
    """Return the genres that `split` left out for having too few covers, with their number, the commonest first."""
    rare = results.dataset.settings.get("rare")
    return [f"{genre} ({number(covers) or 0:,.0f})" for genre, covers in rare.items()] if rare else []


def _charts(results: Results, known: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    key, percent, name = ("roc_auc", False, "ROC AUC") if results.task == "multi" else ("recall", True, "Recall")
    charted = [(genre, estimate(each.get(key))) for genre, each in known]
    charted.sort(key=lambda each: (-(each[1]["value"] if each[1]["value"] is not None else -1.0), each[0]))
    chance = 0.5 if results.task == "multi" else None
    if len(charted) < 3:
        return []
    parts = [("", charted)]
    if len(charted) > CHARTED_GENRES:
        half = CHARTED_GENRES // 2
        parts = [(f"the best {half}", charted[:half]), (f"the worst {half}", charted[-half:])]
    return [
        {
            "svg": Markup(
                plots.intervals(
                    [Row(genre, each) for genre, each in part],
                    name=f"figure-genres-{at}",
                    title=f"{name} of each genre{', ' + words if words else ''}",
                    percent=percent,
                    chance=chance,
                    upper=1.0,
                )
            ),
            "caption": f"{name}{', ' + words if words else ''}",
        }
        for at, (words, part) in enumerate(parts)
    ]
