"""The page of a comparison of colours: `colors.json` in, one HTML file and its heat maps out.

It has the sections, tables and figures of a study, and goes through the same template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, NotRequired, TypedDict

from sleevenotes.covers.files import replacing
from sleevenotes.covers.schema import Count, Meta, read_json
from sleevenotes.errors import EvaluationError
from sleevenotes.publish.exhibits import Exhibits
from sleevenotes.publish.figure_sections import counted
from sleevenotes.publish.pictures import Pictures
from sleevenotes.publish.results import estimate, number
from sleevenotes.publish.study_page import write_page

__all__ = ["header", "rows", "write_colors_page"]

COLORS_NAME = "colors.json"
PAGE_NAME = "colors.html"
NEWEST_FORMAT = 1
CURE = "Run `sleevenotes colors` again"
SAMPLINGS = {"cubic": "as the paper samples", "antialiased": "as sleevenotes samples"}
MATRICES = {"mean": "random draws", "exact": "all pairs"}
SHARPEST = 1000.0  # from here on a number needs no decimals


class ComparedEntry(TypedDict):
    """A comparison of colours by one way of sampling; its measures are checked when they are shown."""

    genres: list[str]
    n: list[Count]
    draws: Count
    covers_a_draw: Count
    drawn: NotRequired[list[Count]]
    measures: Annotated[dict[str, dict[str, Any]], Meta(min_length=1)]


class SampledEntry(TypedDict):
    """The comparison by both ways of sampling."""

    cubic: ComparedEntry
    antialiased: ComparedEntry


class ColorsFile(TypedDict):
    """The contents of `colors.json`."""

    format: NotRequired[int]
    genres: list[str]
    by: SampledEntry
    dataset: NotRequired[dict[str, Any] | None]
    seed: NotRequired[int]


def write_colors_page(out: Path, *, covers: bool = True) -> Path:
    """Write the page of a finished comparison of colours, and each heat map as an SVG file, beside its `colors.json`.

    Parameters
    ----------
    out
        The folder.
    covers
        Whether mean covers may be shown; they are made of other people's artwork.

    Returns
    -------
    Path
        Of `colors.html`.

    Raises
    ------
    EvaluationError
        Where `colors.json` is missing or broken.
    """
    out = Path(out)
    source = out / COLORS_NAME
    colors: Any = read_json(source, ColorsFile, EvaluationError, CURE, newest=NEWEST_FORMAT)
    try:
        study = _study(colors)
    except (AttributeError, LookupError, TypeError, ValueError) as cause:
        raise EvaluationError(str(source), "can't be shown", "A whole comparison was expected", CURE) from cause
    exhibits = Exhibits(out, source, Pictures(covers=covers))
    page = write_page(out / PAGE_NAME, study, exhibits)
    for name, svg in exhibits.heats.items():
        with replacing(out / f"{name}.svg") as partial:
            partial.write_text(svg + "\n", encoding="utf-8", newline="\n")
    return page


def header(colors: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what stands above `rows`.

    Examples
    --------
    >>> header({"by": {"cubic": {"measures": {"correlation": {}, "hellinger": {}}}}})
    ('genre', 'covers', 'correlation', 'hellinger')
    """
    return ("genre", "covers", *colors["by"]["cubic"]["measures"])


def rows(colors: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return for each genre, and on average, the rank of its likeness to itself by each measure, for a terminal.

    Returns
    -------
    A genre, how many covers it has, then for each measure the mean rank over draws and its interval.
    """
    compared = colors["by"]["cubic"]
    measures = compared["measures"].values()
    told = [
        (str(genre), f"{covers:,}", *(_rank_words(measure["self_rank"][at]) for measure in measures))
        for at, (genre, covers) in enumerate(zip(colors["genres"], _covers(compared), strict=True))
    ]
    means = (f"{fmean(_values(measure)):.1f}" for measure in measures)
    return [*told, ("mean", f"{sum(_covers(compared)):,}", *means)]


def _rank_words(cell: object) -> str:
    known = estimate(cell)
    value, low, high = (known[key] for key in ("value", "low", "high"))
    if value is None:
        return "—"
    return f"{value:.1f}" + ("" if low is None or high is None else f" ({round(low, 1):g}–{round(high, 1):g})")


def _values(measure: Mapping[str, Any]) -> list[float]:
    known = [estimate(cell)["value"] for cell in measure["self_rank"]]
    return [value for value in known if value is not None] or [float("nan")]


def _covers(compared: Mapping[str, Any]) -> list[int]:
    return [int(number(count) or 0) for count in compared["n"]]


# --- the sections -----------------------------------------------------------------------------------------------------


def _study(colors: Mapping[str, Any]) -> dict[str, Any]:
    """Return the comparison in the shape of a study."""
    genres = [str(genre) for genre in colors["genres"]]
    dataset = dict(colors.get("dataset") or {})
    covers = _covers(colors["by"]["cubic"])
    each = dict(zip(genres, covers, strict=True))
    draws, seed = colors["by"]["cubic"]["draws"], colors.get("seed", 0)
    name = str(dataset.get("name") or "dataset")
    of = "" if name == "dataset" else f"{name}: "  # as `run` calls every one of them
    sections = [_ranks(colors), _palettes(colors), _means(colors), *_measures(colors), _sampling(colors)]
    few = colors.get("left_out") or ()
    left_out = [f"{genre} ({few[genre]:,})" if isinstance(few, Mapping) else str(genre) for genre in few]
    notes = [f"Left out, as they have too few covers: {', '.join(left_out)}."] if left_out else []
    return {
        "title": f"{of}the colours of its genres" if of else "The colours of the genres",
        "subtitle": "Histograms of 8 × 8 × 8 colours, compared in four ways; after section 3 of *Predicting Musical "
        "Genre from Album Cover Art* (Lee, Baraldi).",
        "verdict": _verdict(colors),
        "dataset": dataset | {"genres": genres, "covers": {"compared": sum(covers)}, "n_genre": each},
        "seed": seed,
        "command": f"sleevenotes colors DATASET --draws {draws} --seed {seed} -o OUT",
        "notes": notes,
        "sections": sections,
    }  # fmt: skip


def _verdict(colors: Mapping[str, Any]) -> str:
    measures, k = colors["by"]["cubic"]["measures"], len(colors["genres"])
    name = "intersection" if "intersection" in measures else next(iter(measures))
    first = [
        str(genre) for genre, rank in zip(colors["genres"], measures[name]["exact_self_rank"], strict=True) if rank == 1
    ]
    shown = ", ".join(first[:6]) + (" …" if len(first) > 6 else "")
    which = f": {shown}" if first else ""
    return (
        f"By their colours, {len(first)} of {counted(k, 'genre')} "
        f"{'is' if len(first) == 1 else 'are'} most like {'itself' if len(first) == 1 else 'themselves'}{which}."
    )  # fmt: skip


def _drawn_words(compared: Mapping[str, Any]) -> str:
    each, drawn = int(compared["covers_a_draw"]), [int(count) for count in compared.get("drawn") or ()]
    fewer = [f"{genre} {count}" for genre, count in zip(compared["genres"], drawn, strict=False) if count < each]
    less = f" (fewer where a genre has no more: {', '.join(fewer)})" if fewer else ""
    return f"{counted(int(compared['draws']), 'draw')} of {each} covers against {each} others of the genre{less}"


def _ranks(colors: Mapping[str, Any]) -> dict[str, Any]:
    k = len(colors["genres"])
    ranked = (
        "For each genre, all genres are ranked by how alike their covers are to its own. Rank 1 means that no other is "
        f"more like it than itself; had genres no colours of their own, the mean rank would be {(k + 1) / 2:g} of {k}."
    )
    words = [ranked, _kinds(colors)]
    tables = [_rank_table(colors, sampling) for sampling in SAMPLINGS]
    return {"id": "ranks", "title": "Is a genre most like itself?", "words": words, "tables": tables, "figures": []}


def _kinds(colors: Mapping[str, Any]) -> str:
    """Return which measures are read the other way round, and which have a direction."""
    measures = colors["by"]["cubic"]["measures"]
    small = [name for name, measure in measures.items() if measure["alike"] == "small"]
    lopsided = [name for name, measure in measures.items() if not measure["symmetric"]]
    told = []
    if small:
        are = "are distances" if len(small) > 1 else "is a distance"
        told.append(f"{' and '.join(small).capitalize()} {are}: small means alike.")
        told.append("Heat maps and ranks are turned accordingly: deep, and rank 1, is always the most alike.")
    if lopsided:
        are = "are" if len(lopsided) > 1 else "is"
        told.append(f"{' and '.join(lopsided).capitalize()} {are} not symmetric: it matters which genre comes first.")
    return " ".join(told)


def _rank_table(colors: Mapping[str, Any], sampling: str) -> dict[str, Any]:
    compared = colors["by"][sampling]
    measures, covers = compared["measures"], _covers(compared)
    columns: list[dict[str, str]] = [{"name": "covers", "kind": "count"}]
    for name in measures:
        columns += [{"name": words, "group": name, "kind": "rank"} for words in ("draws", "all pairs")]
    table = [
        {
            "name": str(genre),
            "cells": [covers[at], *_rank_cells(measures, at)],
            "remark": None,
            "strong": False,
        }
        for at, genre in enumerate(compared["genres"])
    ]
    means: list[object] = [sum(covers)]
    for measure in measures.values():
        means += [fmean(_values(measure)), fmean(float(rank) for rank in measure["exact_self_rank"])]
    table.append({"name": "mean", "cells": means, "remark": None, "strong": True})
    return {
        "id": f"ranks-{sampling}",
        "title": f"Rank of each genre's likeness to itself, {SAMPLINGS[sampling]} ({sampling})",
        "note": f"{_drawn_words(compared)}: the mean rank, and where 95 % of the draws lie; beside it, over all pairs.",
        "columns": columns,
        "rows": table,
    }  # fmt: skip


def _rank_cells(measures: Mapping[str, Any], at: int) -> list[object]:
    return [
        cell for measure in measures.values() for cell in (measure["self_rank"][at], measure["exact_self_rank"][at])
    ]


def _measures(colors: Mapping[str, Any]) -> list[dict[str, Any]]:
    sections = []
    for name, measure in colors["by"]["cubic"]["measures"].items():
        alike = "Small means alike: it is a distance." if measure["alike"] == "small" else "Large means alike."
        both = "" if measure["symmetric"] else " It is *not symmetric*: read it from the row's genre to the column's."
        figures = [_heat_figure(colors, name, sampling, which) for sampling in SAMPLINGS for which in MATRICES]
        sections.append(
            {
                "id": name,
                "title": name.capitalize(),
                "words": [f"`{measure['formula']}`", f"{alike}{both}"],
                "figures": figures,
            }
        )
    return sections


def _heat_figure(colors: Mapping[str, Any], name: str, sampling: str, which: str) -> dict[str, Any]:
    compared = colors["by"][sampling]
    matrix = compared["measures"][name][which]
    genres = [str(genre) for genre in compared["genres"]]
    return {
        "id": f"heat-{name}-{sampling}-{which}",
        "title": f"{name.capitalize()}, {MATRICES[which]}, {sampling}",
        "note": "",
        "kind": "heat",
        "matrix": matrix,
        "rows": genres,
        "columns": genres,
        "alike": compared["measures"][name]["alike"],
        "format": _form(matrix),
    }


def _form(matrix: Sequence[Sequence[object]]) -> str:
    """Return how numbers are written so that neighbours can be told apart.

    Examples
    --------
    >>> _form([[0.31, 0.32], [0.33, None]]), _form([[12.0, 31.0]]), _form([[2500.0, 31.0]])
    ('.3f', '.1f', ',.0f')
    """
    known = [value for row in matrix for cell in row if (value := number(cell)) is not None]
    if not known:
        return ".2f"
    largest = max(abs(value) for value in known)
    if largest >= SHARPEST:
        return ",.0f"
    if largest >= 10:
        return ".1f"
    return ".3f" if max(known) - min(known) < 0.2 else ".2f"


def _palettes(colors: Mapping[str, Any]) -> dict[str, Any]:
    palettes = [{"name": str(genre), "colors": each} for genre, each in colors["palettes"].items()]
    figure = {
        "id": "palette",
        "title": "The palette of each genre",
        "note": "k-means of all pixels in CIE Lab (D65), the largest share first.",
        "kind": "palette",
        "rows": palettes,
    }
    words = ["What its covers are painted with. A genre may share its palette with others and still mix it otherwise."]
    return {"id": "palettes", "title": "Palettes", "words": words, "figures": [figure]}


def _means(colors: Mapping[str, Any]) -> dict[str, Any]:
    covers = dict(zip(map(str, colors["genres"]), _covers(colors["by"]["cubic"]), strict=True))
    items = [
        {"file": file, "caption": str(genre), "lines": [counted(covers.get(str(genre), 0), "cover")]}
        for genre, file in colors["means"].items()
    ]
    figure = {
        "id": "means",
        "title": "The mean cover of each genre",
        "note": "Each pixel is the mean of that place over all covers of the genre.",
        "kind": "covers",
        "items": items,
    }
    words = ["What is left when all covers lie on top of each other: where it is bright, which way it leans, and haze."]
    return {"id": "mean-covers", "title": "Mean covers", "words": words, "figures": [figure]}


def _sampling(colors: Mapping[str, Any]) -> dict[str, Any]:
    compared = colors["by"]
    differ = []
    for name, measure in compared["cubic"]["measures"].items():
        other = compared["antialiased"]["measures"][name]["exact_self_rank"]
        pairs = list(zip(measure["exact_self_rank"], other, strict=True))
        differ.append(f"{name} {sum(one != two for one, two in pairs)} of {len(pairs)}")
    cubic = (
        "*Cubic* is what the paper used: OpenCV's cubic interpolation looks at 4 × 4 pixels of the cover for each of "
        "the 32 × 32, and at none of those between, so single pixels of the cover count for much."
    )
    antialiased = (
        "*Antialiased* looks at all pixels: each of the 32 × 32 is a weighted mean of its surroundings, so small "
        "colours blend, and histograms have fewer strong colours."
    )
    words = [cubic, antialiased, f"Genres whose rank over all pairs differs between both: {'; '.join(differ)}."]
    return {"id": "sampling", "title": "Cubic or antialiased", "words": words, "figures": []}
