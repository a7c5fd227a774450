"""Figures of the report, as SVG text: dots with intervals, lines, a confusion matrix, reliability, ROC.

Every function takes finished numbers and returns one `<svg>` element, ready to stand inside an HTML page; `canvas.py`
says what all of them keep to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sleevenotes.judge.intervals import TOO_FEW, places_apart
from sleevenotes.publish.canvas import (
    ACCENT,
    INK,
    LINE,
    MUTED,
    PAPER,
    WIDTH_PX,
    Estimate,
    axes_in,
    canvas,
    count_axis,
    finite,
    number_axis,
    printable,
    short,
    square,
    svg,
    text_px,
    upper_bound,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Row", "confusion", "estimate_words", "intervals", "lines", "printable", "reliability", "roc", "share_words"]

MATRIX_NAME = 22
NUMBERED_GENRES = 12  # a confusion matrix of more genres has no room for numbers in its cells


@dataclass(frozen=True)
class Row:
    """One line of a dot-and-interval chart.

    Parameters
    ----------
    name
        What stands at the left.
    estimate
        `{"value", "low", "high"}`; a value of None leaves the line empty.
    kind
        `"model"` is drawn in the accent colour, `"baseline"` hollow and with a line up to the first row.
    """

    name: str
    estimate: Estimate
    kind: Literal["model", "baseline", "other"] = "other"


def estimate_words(estimate: Estimate, *, percent: bool = True, between: str = "–") -> str:
    r"""Return an estimate and its interval in the form that the whole report uses.

    A percentage near 0 or 100 has a decimal, as whole percents would hide what matters there; other figures have two
    decimals, or three where their interval is too narrow for two.

    Examples
    --------
    >>> estimate_words({"value": 0.382, "low": 0.351, "high": 0.412})
    '38\xa0% (35–41)'
    >>> estimate_words({"value": 0.972, "low": 0.968, "high": 0.976})
    '97.2\xa0% (96.8–97.6)'
    >>> estimate_words({"value": 0.5, "low": None, "high": None}, percent=False)
    '0.50'
    >>> estimate_words({"value": 0.5, "low": None, "high": None, "too_few": True}, percent=False)
    '0.50 (too few covers)'
    >>> estimate_words({"value": None, "low": None, "high": None})
    '—'
    """
    value, low, high = (finite(estimate.get(key)) for key in ("value", "low", "high"))
    if value is None:
        return "—"
    scale, unit = (100.0, "\N{NO-BREAK SPACE}%") if percent else (1.0, "")
    narrow = low is not None and high is not None and 1e-6 < high - low < 0.02
    places = int(0 < min(value, 1 - value) < 0.05) if percent else 2 + narrow

    def shown(number: float) -> str:
        text = f"{number * scale:.{places}f}"
        return text.removeprefix("-") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")

    if low is None or high is None:
        return shown(value) + unit + (f" ({TOO_FEW})" if estimate.get("too_few") else "")
    places = places_apart(low, high, places, scale=scale)
    # "−2–4" can't be read; a word can
    dash = f" to{' '}" if low < 0 and between == "–" else between
    return f"{shown(value)}{unit} ({shown(low)}{dash}{shown(high)})"


def share_words(share: float) -> str:
    r"""Return a share, 0..1, as a percentage.

    Examples
    --------
    >>> share_words(0.384)
    '38\xa0%'
    """
    return estimate_words({"value": share})


def intervals(
    rows: Sequence[Row],
    *,
    name: str,
    title: str,
    percent: bool = True,
    chance: float | None = None,
    upper: float | None = None,
) -> str:
    """Draw a dot and its 95 % interval a row, with the numbers beside them.

    Parameters
    ----------
    rows
        From top to bottom. Each baseline's value is carried up to the first row by a dashed line.
    name
        What every id of the figure begins with.
    title
        The figure's `<title>`.
    percent
        Whether values in 0..1 are shown as percentages.
    chance
        A value to mark by a line through all rows.
    upper
        Where the axis ends; a little past the largest number where None.

    Returns
    -------
    str
        One `<svg>` element.
    """
    row_px, top, bottom = 27.0, 8.0, 26.0
    left = min(168.0, max((text_px(row.name) for row in rows), default=40.0) + 14)
    right = max((text_px(estimate_words(row.estimate, percent=percent)) for row in rows), default=40.0) + 14
    height = top + row_px * max(1, len(rows)) + bottom
    upper = upper or upper_bound([*(row.estimate for row in rows), {"value": chance}])
    with canvas(WIDTH_PX, height) as figure:
        axes = axes_in(figure, (left, top, right, bottom))
        axes.set(xlim=(0, upper), ylim=(max(1, len(rows)) - 0.5, -0.5))
        axes.set_yticks([])
        axes.grid(axis="x", color=LINE, linewidth=1)
        number_axis(axes.xaxis, upper, percent, ticks=max(2, int((WIDTH_PX - left - right) // 42)))
        if chance is not None:
            axes.axvline(chance, color=INK, linewidth=1.2, linestyle=(0, (2, 2)))
        for at, row in enumerate(rows):
            _interval_row(axes, at, row)
            look: dict[str, Any] = {"va": "center_baseline", "clip_on": False, "color": INK}
            weight = "bold" if row.kind == "model" else "normal"
            transform = axes.get_yaxis_transform()
            plot_px = WIDTH_PX - left - right
            axes.text(-left / plot_px, at, short(row.name), transform=transform, weight=weight, **look)
            words = estimate_words(row.estimate, percent=percent)
            axes.text(1 + right / plot_px, at, words, transform=transform, ha="right", weight=weight, **look)
        told = [f"{row.name}: {estimate_words(row.estimate, percent=percent, between=' to ')}" for row in rows]
        if chance is not None:
            told.append(f"The dashed line marks {estimate_words({'value': chance}, percent=percent)}")
        return svg(figure, name, title, ". ".join(told) + ".")


def _interval_row(axes: Axes, at: int, row: Row) -> None:
    value, low, high = (finite(row.estimate.get(key)) for key in ("value", "low", "high"))
    if value is None:
        return
    colour = {"model": ACCENT, "baseline": MUTED, "other": INK}[row.kind]
    if row.kind == "baseline" and at > 0:
        axes.plot(
            [value, value], [-0.3, at], color=MUTED, clip_on=False, linewidth=1, linestyle=(0, (3, 2)), zorder=1.5
        )
    if low is not None and high is not None:
        width = 4 if row.kind == "model" else 2
        axes.plot([low, high], [at, at], color=colour, clip_on=False, linewidth=width, solid_capstyle="butt", zorder=2)
    face = PAPER if row.kind == "baseline" else colour
    size = 9 if row.kind == "model" else 6.5
    look: dict[str, Any] = {"color": colour, "markerfacecolor": face, "markersize": size, "markeredgewidth": 1.6}
    axes.plot([value], [at], "o", zorder=3, clip_on=False, **look)


def confusion(counts: Sequence[Sequence[int]], genres: Sequence[str], *, name: str, title: str) -> str:
    """Draw a confusion matrix: rows are the truth, columns what the model said.

    The stronger a cell's colour, the larger its share of its row; the strongest is the largest share of all. Up to
    twelve genres, each cell also says its share (percent of the row) and its count.

    Parameters
    ----------
    counts
        (K, K), covers.
    genres
        The K names.
    name, title
        As in `intervals`.
    """
    table = np.asarray(counts, dtype=np.float64).reshape(len(genres), len(genres))
    totals = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, totals, out=np.zeros_like(table), where=totals > 0)
    numbered = len(genres) <= NUMBERED_GENRES
    names = [short(genre, MATRIX_NAME) for genre in genres]
    left = max(80.0, max((text_px(genre) for genre in names), default=0.0) + 8)
    top = 0.75 * max((text_px(genre) for genre in names), default=0.0) + 40
    cell = max(46.0, min(72.0, (WIDTH_PX - left - 12) / max(1, len(genres)))) if numbered else 19.0
    right = max(6.0, *(0.75 * text_px(genre) + 12 - cell * (at + 0.5) for at, genre in enumerate(reversed(names))), 0.0)
    side = cell * len(genres)
    with canvas(left + side + right, top + side + 4) as figure:
        axes = axes_in(figure, (left, top, right, 4))
        axes.set(xlim=(-0.5, len(genres) - 0.5), ylim=(len(genres) - 0.5, -0.5))
        axes.set_xticks(range(len(genres)), names, rotation=45, ha="left", va="bottom", rotation_mode="anchor")
        axes.set_yticks(range(len(genres)), names)
        axes.tick_params(top=False, labeltop=True, bottom=False, labelbottom=False, left=False, pad=4)
        _matrix_cells(axes, table, shares, numbered)
        figure.text(left / (left + side + right), 1, "the model said →", ha="left", va="top", color=MUTED)
        figure.text(0, 1 - (top - 8) / (top + side + 4), "the truth ↓", ha="left", va="bottom", color=MUTED)
        return svg(figure, name, title, _confusion_words(table, shares, genres), scale=(0.85, 1.15))


def _matrix_cells(axes: Axes, table: NDArray[np.float64], shares: NDArray[np.float64], numbered: bool) -> None:
    from matplotlib.patches import Rectangle

    strongest = shares.max(initial=0.0) or 1.0
    # under numbers, the colour stays so light (dark, in the dark) that the ink on it can be read: contrast 4.5 and more
    deepest = 0.55 if numbered else 1.0
    for i, j in np.ndindex(shares.shape):
        corner = (j - 0.48, i - 0.48)
        if i == j or numbered:
            axes.add_patch(Rectangle(corner, 0.96, 0.96, fill=False, edgecolor=LINE, linewidth=1))
        if shares[i, j] > 0:
            depth = deepest * float(shares[i, j] / strongest)
            axes.add_patch(Rectangle(corner, 0.96, 0.96, facecolor=ACCENT, alpha=depth, linewidth=0))
        if numbered:
            look: dict[str, Any] = {"ha": "center", "va": "center", "color": INK}
            axes.text(
                j,
                i - 0.12,
                f"{100 * shares[i, j]:.0f}\N{NO-BREAK SPACE}%",
                weight="bold" if i == j else "normal",
                **look,
            )
            axes.text(j, i + 0.24, f"{table[i, j]:,.0f}", size=10, **look)


def _confusion_words(table: NDArray[np.float64], shares: NDArray[np.float64], genres: Sequence[str]) -> str:
    told = []
    for i, genre in enumerate(genres):
        if not table[i].sum():
            told.append(f"{genre}: no covers")
            continue
        others = [j for j in np.argsort(-table[i], kind="stable") if j != i and table[i, j]]
        most = f", most often taken for {genres[others[0]]} ({share_words(shares[i, others[0]])})" if others else ""
        told.append(f"{genre}: {share_words(shares[i, i])} of {table[i].sum():,.0f} right{most}")
    return "Each row is a true genre. " + ". ".join(told) + "."


def reliability(bins: Sequence[Mapping[str, float | None]], *, name: str, title: str) -> str:
    """Draw how often answers were right over how sure the model was of them.

    Parameters
    ----------
    bins
        Of equal numbers of answers, each with `confidence`, `accuracy`, `low`, `high` (in 0..1) and `n`.
    name, title
        As in `intervals`.
    """
    known = [(finite(each.get("confidence")), finite(each.get("accuracy")), each) for each in bins]
    points = sorted(
        ((x, y, each) for x, y, each in known if x is not None and y is not None), key=lambda point: point[:2]
    )
    with canvas(WIDTH_PX, 370) as figure:
        axes = square(figure, "how sure it was", "how often it was right")
        for x, y, each in points:
            low, high = finite(each.get("low")), finite(each.get("high"))
            if low is not None and high is not None:
                axes.plot([x, x], [low, high], color=ACCENT, linewidth=2, alpha=0.55, solid_capstyle="butt")
            axes.plot([x], [y], "o", color=ACCENT, markersize=6.5, zorder=3, clip_on=False)
        told = [f"{share_words(x)} sure, {share_words(y)} right" for x, y, _ in points]
        words = "The dashed line is where both are equal. " + "; ".join(told) + "."
        if any(each.get("too_few") for _, _, each in points):
            words += f" Dots without a bar are of {TOO_FEW}."
        return svg(figure, name, title, words, scale=(0, 1.1))


def lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[Estimate]],
    *,
    name: str,
    title: str,
    axis: str,
    percent: bool = True,
    marked: float | None = None,
) -> str:
    """Draw one or two lines over a count (epochs, covers), with intervals where there are any.

    Parameters
    ----------
    x
        Ascending.
    series
        By its name, an estimate for each x. The last series is in the accent colour, the others dashed.
    name, title
        As in `intervals`.
    axis
        What x counts.
    percent
        Whether values in 0..1 are shown as percentages.
    marked
        An x to mark by a line.
    """
    values = {key: [finite(each.get("value")) for each in row] for key, row in series.items()}
    highs = [finite(each.get("high")) for row in series.values() for each in row]
    known = [value for value in [*(v for row in values.values() for v in row), *highs] if value is not None]
    with canvas(WIDTH_PX, 250) as figure:
        axes = axes_in(figure, (46, 30, 12, 44))
        axes.grid(axis="y", color=LINE, linewidth=1)
        for (key, row), colour, style in _styles(values, series):
            _one_line(axes, x, row, series[key], key, (colour, style))
        top = max(known, default=1.0)
        upper = min(1.0, top * 1.08) if percent and top <= 1 else top * 1.08
        axes.set(ylim=(0, upper or 1.0), xlabel=axis)
        number_axis(axes.yaxis, upper or 1.0, percent)
        count_axis(axes, x)
        if marked is not None:
            axes.axvline(marked, color=INK, linewidth=1, linestyle=(0, (1, 2)))
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, labelcolor=INK, borderaxespad=0.2,
            handlelength=1.6, columnspacing=1.4, borderpad=0,
        )  # fmt: skip
        return svg(figure, name, title, _lines_words(x, values, axis, percent))


def _lines_words(x: Sequence[float], values: Mapping[str, list[float | None]], axis: str, percent: bool) -> str:
    told = []
    for key, row in values.items():
        ends = [(at, value) for at, value in zip(x, row, strict=True) if value is not None]
        if ends:
            first, last = (estimate_words({"value": value}, percent=percent) for _, value in (ends[0], ends[-1]))
            told.append(f"{key}: {first} at {ends[0][0]:,g}, {last} at {ends[-1][0]:,g} {axis}")
    return ". ".join(told) + "."


def _styles(
    values: Mapping[str, list[float | None]], series: Mapping[str, Sequence[Estimate]]
) -> Iterator[tuple[tuple[str, list[float | None]], str, Any]]:
    last = list(series)[-1] if series else ""
    for key, row in values.items():
        yield (key, row), (ACCENT if key == last else MUTED), ("-" if key == last else (0, (4, 2)))


def _one_line(
    axes: Axes,
    x: Sequence[float],
    row: Sequence[float | None],
    estimates: Sequence[Estimate],
    label: str,
    look: tuple[str, Any],
) -> None:
    colour, style = look
    y = [math.nan if value is None else value for value in row]
    markers: dict[str, Any] = {"marker": "o", "markersize": 4.5} if len(x) <= 12 else {}
    axes.plot(x, y, color=colour, linestyle=style, linewidth=2, label=short(label), zorder=3, **markers)
    for at, each in zip(x, estimates, strict=True):
        low, high = finite(each.get("low")), finite(each.get("high"))
        if low is not None and high is not None:
            axes.plot([at, at], [low, high], color=colour, linewidth=2, alpha=0.5, solid_capstyle="butt")


def roc(truth: Sequence[bool], proba: Sequence[float], *, name: str, title: str) -> str:
    """Draw the receiver operating characteristic of one genre against the rest.

    Lowering the threshold from above, each distinct proba is one corner: the share of the genre's covers found (up)
    over the share of all other covers wrongly taken for it (right).
    Source: T. Fawcett, "An introduction to ROC analysis", 2006.

    Parameters
    ----------
    truth
        (n,), whether each cover is of the genre.
    proba
        (n,), in 0..1.
    name, title
        As in `intervals`.
    """
    right = np.asarray(truth, dtype=bool)
    scores = np.asarray(proba, dtype=np.float64)
    order = np.argsort(-scores, kind="stable")
    corners = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    hits = np.cumsum(right[order])[corners] / max(1, right.sum())
    alarms = np.cumsum(~right[order])[corners] / max(1, (~right).sum())
    x, y = np.append(0.0, alarms), np.append(0.0, hits)
    with canvas(WIDTH_PX, 370) as figure:
        axes = square(figure, "of the others, wrongly taken for it", "of the genre, found")
        axes.plot(x, y, color=ACCENT, linewidth=2, clip_on=False)
        half, most = (share_words(_alarms_at(x, y, share)) for share in (0.5, 0.8))
        words = f"Where half of the genre is found, {half} of the others are taken for it; where four fifths, {most}."
        return svg(figure, name, title, f"The dashed line is guessing. {words}", scale=(0, 1.1))


def _alarms_at(x: NDArray[np.float64], y: NDArray[np.float64], share: float) -> float:
    reached = np.flatnonzero(y >= share - 1e-12)
    return float(x[reached[0]]) if len(reached) else 1.0
