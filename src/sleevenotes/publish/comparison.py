"""A comparison of models as a person reads it: a table for the terminal, CSV for a spreadsheet, LaTeX for a paper.

The LaTeX needs the package booktabs and nothing else; all that comes from names is escaped.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sleevenotes.covers.files import replacing, write_json
from sleevenotes.judge.compare import MEASURES, Comparison, Difference, Measure, Standing
from sleevenotes.judge.intervals import TOO_FEW
from sleevenotes.judge.rulers import Figure

JSON_NAME = "compare.json"
CSV_NAME = "compare.csv"
PAIRS_NAME = "compare-pairs.csv"
LATEX_NAME = "compare.tex"
SHOWN_PAIRS = 12
UNKNOWN = "—"
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "−": r"\ensuremath{-}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}


# -------------------------------------------------------------------------------- in a terminal


def table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return a header and a row a model: its figures, the first one with its 95 % interval; the best model first.

    Examples
    --------
    >>> figures = {"accuracy": {"value": 0.42, "low": 0.38, "high": 0.46}}
    >>> figures["ece"] = {"value": 0.03, "low": 0.0, "high": 0.1}
    >>> one = Comparison("single", (), 700, 650, 1, "accuracy", (Standing("small", (), figures),), (), (), {})
    >>> table(one)
    (['model', 'accuracy', 'calibration error'], [['small', '0.420 (0.380 to 0.460)', '0.030']])
    """
    measures = _measures(comparison)
    rows = [
        [model.name, *(_cell(model.figures[key], interval=key == comparison.main) for key in measures)]
        for model in comparison.models
    ]
    return ["model", *(measure.title for measure in measures.values())], rows


def sentences(comparison: Comparison) -> list[str]:
    """Return what the comparison says, at most twelve pairs of it."""
    order, *pairs = comparison.words
    more = len(pairs) - SHOWN_PAIRS
    told = [f"… and {more} more pairs, which {PAIRS_NAME} has."] if more > 0 else []
    return [order, *pairs[:SHOWN_PAIRS], *told]


def _measures(comparison: Comparison) -> dict[str, Measure]:
    known = MEASURES[comparison.task]
    return {key: known[key] for key in comparison.figures}


def _cell(figure: Figure, *, interval: bool) -> str:
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    if value is None:
        return UNKNOWN
    shown = f"{value:.3f}"
    if not interval:
        return shown
    return f"{shown} ({TOO_FEW if low is None or high is None else f'{low:.3f} to {high:.3f}'})"


# -------------------------------------------------------------------------------- files


def write_comparison(comparison: Comparison, out: Path) -> list[Path]:
    """Write `compare.json`, `compare.csv`, `compare-pairs.csv` and `compare.tex` into a folder; return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / LATEX_NAME) as partial:
        partial.write_text(latex(comparison), encoding="utf-8")
    return [
        write_json(out / JSON_NAME, comparison.told()),
        _write_csv(out / CSV_NAME, figure_rows(comparison)),
        _write_csv(out / PAIRS_NAME, pair_rows(comparison)),
        out / LATEX_NAME,
    ]


def figure_rows(comparison: Comparison) -> Iterable[Sequence[Any]]:
    """Give the rows of `compare.csv`, the header first: a row a model and figure; nothing in a cell that is unknown."""
    yield "model", "figure", "value", "low", "high", "n", "groups", "note"
    for model in comparison.models:
        for key, figure in model.figures.items():
            numbers, note = _numbers(figure[name] for name in ("value", "low", "high")), _note(figure.get("too_few"))
            yield model.name, key, *numbers, comparison.n, comparison.groups, note


def pair_rows(comparison: Comparison) -> Iterable[Sequence[Any]]:
    """Give the rows of `compare-pairs.csv`, the header first: a row a pair and figure, the first less the second."""
    yield "first", "second", "figure", "difference", "low", "high", "p", "p_holm", "test", "better", "words", "note"
    for pair in comparison.pairs:
        for key, told in pair.differences.items():
            numbers = _numbers((told.value, told.low, told.high, told.p, told.p_holm))
            rest = (told.test, told.better or "", told.words, _note(told.too_few))
            yield pair.first, pair.second, key, *numbers, *rest


def _note(too_few: object) -> str:
    return TOO_FEW if too_few else ""


def _numbers(values: Iterable[float | None]) -> list[str]:
    return ["" if value is None else f"{value:.6g}" for value in values]


def _write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> Path:
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


# -------------------------------------------------------------------------------- LaTeX


def latex(comparison: Comparison) -> str:
    """Return two tables for a paper: the models with their figures, and the pairs with their differences.

    In the first, bold is the best by each figure and what can't be told from it. Where only pairs with one model were
    compared, it is the best alone.
    """
    measures = _measures(comparison)
    models = _tabular(
        ["Model", *(_capital(measure.title) for measure in measures.values())],
        [
            [escaped(model.name), *(_latex_figure(comparison, model, key) for key in measures)]
            for model in comparison.models
        ],
    )
    main = measures[comparison.main].title
    pairs = _tabular(
        ["First", "Second", f"Difference in {main}", "$p$ (Holm)"],
        [
            [escaped(pair.first), escaped(pair.second), *_latex_difference(pair.differences[comparison.main])]
            for pair in comparison.pairs
        ],
    )
    covers = f"{comparison.n:,} covers in {comparison.groups:,} groups"
    if comparison.sets > 1:
        covers = (
            f"{comparison.n:,} answers of {comparison.sets} trainings each, in {comparison.groups:,} groups of covers"
        )
    of_models = f"Models on the same {covers}; 95\\,\\% intervals over groups. Bold: the best, and what can't be told "
    of_models += "from it at 0.05 (paired tests, Holm)."
    of_pairs = f"Paired differences in {main}: intervals and $p$ of Student's $t$ over groups, after Holm's correction."
    return "\n".join(["% needs \\usepackage{booktabs}", *_float(models, of_models), "", *_float(pairs, of_pairs), ""])


def _float(tabular: Sequence[str], caption: str) -> list[str]:
    return [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}", *tabular, r"\end{table}"]


def _tabular(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [" & ".join(row) + r" \\" for row in (header, *rows)]
    columns = "l" * len(header)
    opening, closing = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule"], [r"\bottomrule", r"\end{tabular}"]
    return [*opening, lines[0], r"\midrule", *lines[1:], *closing]


def _latex_figure(comparison: Comparison, model: Standing, key: str) -> str:
    figure = model.figures[key]
    if figure["value"] is None:
        return "--"
    shown = f"{figure['value']:.3f}"
    bold = rf"\textbf{{{shown}}}" if model.name in _leaders(comparison, key) else shown
    return bold + _latex_interval(figure["low"], figure["high"], few=bool(figure.get("too_few")))


def _leaders(comparison: Comparison, key: str) -> set[str]:
    """Return the best model by a figure, and those that were compared with it and can't be told from it."""
    known = {model.name: model.figures[key]["value"] for model in comparison.models}
    values = {name: value for name, value in known.items() if value is not None}
    choose = min if _measures(comparison)[key].less else max
    best = choose(values, key=lambda name: values[name])
    alike = {best}
    for pair in comparison.pairs:
        if best in (pair.first, pair.second) and pair.differences[key].better is None:
            alike |= {pair.first, pair.second} & set(values)
    return alike


def _latex_difference(told: Difference) -> tuple[str, str]:
    if told.value is None:
        return "--", "--"
    if told.p_holm is None:
        return f"${told.value:+.3f}$" + _latex_interval(None, None, few=told.too_few), "--"
    p = "$<$0.001" if told.p_holm < 0.001 else f"{told.p_holm:.2g}"
    return f"${told.value:+.3f}$" + _latex_interval(told.low, told.high, signed=True), p


def _latex_interval(low: float | None, high: float | None, *, signed: bool = False, few: bool = False) -> str:
    if low is None or high is None:
        return rf" {{\footnotesize ({TOO_FEW})}}" if few else ""
    ends = f"${low:+.3f}$ to ${high:+.3f}$" if signed else f"{low:.3f}--{high:.3f}"
    return rf" {{\footnotesize ({ends})}}"


def _capital(title: str) -> str:
    return title[0].upper() + title[1:]


def escaped(text: str) -> str:
    r"""Return text as LaTeX prints it, whatever is in it.

    Examples
    --------
    >>> print(escaped("50 % R&B_mix #2 {a--b}"))
    50 \% R\&B\_mix \#2 \{a-{}-b\}
    """
    marked = "".join(_ESCAPES.get(mark, mark) for mark in re.sub(r"\s+", " ", text))
    return re.sub("-(?=-)", "-{}", marked)  # two of them would be one dash
