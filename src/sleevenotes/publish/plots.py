"""Figures of the report, as SVG text: the one door to matplotlib.

Every function takes finished numbers and returns one `<svg>` element, ready to stand inside an HTML page:

- colours are CSS variables (`--ink`, `--muted`, `--line`, `--accent`, `--paper`) with a fallback, so that the page
  decides between light and dark, and the background is transparent;
- text is text in the page's own font (`--sans`), never outlines, and dollar signs in a genre's name are no formulas;
- a `<title>` and a `<desc>` say in words what the figure shows, under `role="img"`;
- every id begins with the `name` that the caller gives, so that two figures on one page never share one;
- the same numbers give the same bytes.

Lengths are CSS px: one unit of the figure is one px at its natural width.
"""

from __future__ import annotations

import io
import math
import re
import unicodedata
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Row", "confusion", "estimate_words", "intervals", "lines", "printable", "reliability", "roc", "share_words"]

INK, MUTED, ACCENT, LINE, PAPER = "#010101", "#020202", "#030303", "#040404", "#050505"
# What the placeholders above become; the second word of each is for a figure outside of the page.
VARIABLES = {
    INK: "var(--ink, #1d1b19)",
    MUTED: "var(--muted, #5f5a54)",
    ACCENT: "var(--accent, #b3341c)",
    LINE: "var(--line, #d9d4cc)",
    PAPER: "var(--paper, #ffffff)",
}
FONT = "var(--sans, sans-serif)"
WIDTH_PX = 400
TEXT_PX = 12.5
MAX_NAME = 26
MATRIX_NAME = 22
NUMBERED_GENRES = 12  # a confusion matrix of more genres has no room for numbers in its cells

Estimate = Mapping[str, float | None]

# Neither XML nor HTML may hold these; and marks that turn the writing direction could reorder what stands around them.
NONCHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
UNPRINTABLE = re.compile(f"[{CONTROLS}{NONCHARACTERS}]+")


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
    >>> estimate_words({"value": None, "low": None, "high": None})
    '—'
    """
    value, low, high = (_finite(estimate.get(key)) for key in ("value", "low", "high"))
    if value is None:
        return "—"
    scale, unit = (100.0, "\N{NO-BREAK SPACE}%") if percent else (1.0, "")
    narrow = low is not None and high is not None and 1e-6 < high - low < 0.02
    places = int(0 < min(value, 1 - value) < 0.05) if percent else 2 + narrow

    def shown(number: float) -> str:
        text = f"{number * scale:.{places}f}"
        return text.removeprefix("-") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")

    if low is None or high is None:
        return shown(value) + unit
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


def printable(text: str) -> str:
    r"""Return a name that may stand in a page: each run of control characters and the like becomes one space.

    Examples
    --------
    >>> printable("rock\x00\n& roll")
    'rock & roll'
    """
    return UNPRINTABLE.sub(" ", text)


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
    left = min(168.0, max((_text_px(row.name) for row in rows), default=40.0) + 14)
    right = max((_text_px(estimate_words(row.estimate, percent=percent)) for row in rows), default=40.0) + 14
    height = top + row_px * max(1, len(rows)) + bottom
    upper = upper or _upper_bound([*(row.estimate for row in rows), {"value": chance}])
    with _canvas(WIDTH_PX, height) as figure:
        axes = _axes(figure, (left, top, right, bottom))
        axes.set(xlim=(0, upper), ylim=(max(1, len(rows)) - 0.5, -0.5))
        axes.set_yticks([])
        axes.grid(axis="x", color=LINE, linewidth=1)
        _number_axis(axes.xaxis, upper, percent, ticks=max(2, int((WIDTH_PX - left - right) // 42)))
        if chance is not None:
            axes.axvline(chance, color=INK, linewidth=1.2, linestyle=(0, (2, 2)))
        for at, row in enumerate(rows):
            _interval_row(axes, at, row)
            look: dict[str, Any] = {"va": "center_baseline", "clip_on": False, "color": INK}
            weight = "bold" if row.kind == "model" else "normal"
            transform = axes.get_yaxis_transform()
            plot_px = WIDTH_PX - left - right
            axes.text(-left / plot_px, at, _short(row.name), transform=transform, weight=weight, **look)
            words = estimate_words(row.estimate, percent=percent)
            axes.text(1 + right / plot_px, at, words, transform=transform, ha="right", weight=weight, **look)
        told = [f"{row.name}: {estimate_words(row.estimate, percent=percent, between=' to ')}" for row in rows]
        if chance is not None:
            told.append(f"The dashed line marks {estimate_words({'value': chance}, percent=percent)}")
        return _svg(figure, name, title, ". ".join(told) + ".")


def _interval_row(axes: Axes, at: int, row: Row) -> None:
    value, low, high = (_finite(row.estimate.get(key)) for key in ("value", "low", "high"))
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
    names = [_short(genre, MATRIX_NAME) for genre in genres]
    left = max(80.0, max((_text_px(genre) for genre in names), default=0.0) + 8)
    top = 0.75 * max((_text_px(genre) for genre in names), default=0.0) + 40
    cell = max(46.0, min(72.0, (WIDTH_PX - left - 12) / max(1, len(genres)))) if numbered else 19.0
    right = max(
        6.0, *(0.75 * _text_px(genre) + 12 - cell * (at + 0.5) for at, genre in enumerate(reversed(names))), 0.0
    )
    side = cell * len(genres)
    with _canvas(left + side + right, top + side + 4) as figure:
        axes = _axes(figure, (left, top, right, 4))
        axes.set(xlim=(-0.5, len(genres) - 0.5), ylim=(len(genres) - 0.5, -0.5))
        axes.set_xticks(range(len(genres)), names, rotation=45, ha="left", va="bottom", rotation_mode="anchor")
        axes.set_yticks(range(len(genres)), names)
        axes.tick_params(top=False, labeltop=True, bottom=False, labelbottom=False, left=False, pad=4)
        _matrix_cells(axes, table, shares, numbered)
        figure.text(left / (left + side + right), 1, "the model said →", ha="left", va="top", color=MUTED)
        figure.text(0, 1 - (top - 8) / (top + side + 4), "the truth ↓", ha="left", va="bottom", color=MUTED)
        return _svg(figure, name, title, _confusion_words(table, shares, genres), scale=(0.85, 1.15))


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
    known = [(_finite(each.get("confidence")), _finite(each.get("accuracy")), each) for each in bins]
    points = sorted(
        ((x, y, each) for x, y, each in known if x is not None and y is not None), key=lambda point: point[:2]
    )
    with _canvas(WIDTH_PX, 370) as figure:
        axes = _square(figure, "how sure it was", "how often it was right")
        for x, y, each in points:
            low, high = _finite(each.get("low")), _finite(each.get("high"))
            if low is not None and high is not None:
                axes.plot([x, x], [low, high], color=ACCENT, linewidth=2, alpha=0.55, solid_capstyle="butt")
            axes.plot([x], [y], "o", color=ACCENT, markersize=6.5, zorder=3, clip_on=False)
        told = [f"{share_words(x)} sure, {share_words(y)} right" for x, y, _ in points]
        words = "The dashed line is where both are equal. " + "; ".join(told) + "."
        return _svg(figure, name, title, words, scale=(0, 1.1))


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
    values = {key: [_finite(each.get("value")) for each in row] for key, row in series.items()}
    highs = [_finite(each.get("high")) for row in series.values() for each in row]
    known = [value for value in [*(v for row in values.values() for v in row), *highs] if value is not None]
    with _canvas(WIDTH_PX, 250) as figure:
        axes = _axes(figure, (46, 30, 12, 44))
        axes.grid(axis="y", color=LINE, linewidth=1)
        for (key, row), colour, style in _styles(values, series):
            _one_line(axes, x, row, series[key], key, (colour, style))
        top = max(known, default=1.0)
        upper = min(1.0, top * 1.08) if percent and top <= 1 else top * 1.08
        axes.set(ylim=(0, upper or 1.0), xlabel=axis)
        _number_axis(axes.yaxis, upper or 1.0, percent)
        _count_axis(axes, x)
        if marked is not None:
            axes.axvline(marked, color=INK, linewidth=1, linestyle=(0, (1, 2)))
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, labelcolor=INK, borderaxespad=0.2,
            handlelength=1.6, columnspacing=1.4, borderpad=0,
        )  # fmt: skip
        return _svg(figure, name, title, _lines_words(x, values, axis, percent))


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
    axes.plot(x, y, color=colour, linestyle=style, linewidth=2, label=_short(label), zorder=3, **markers)
    for at, each in zip(x, estimates, strict=True):
        low, high = _finite(each.get("low")), _finite(each.get("high"))
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
    with _canvas(WIDTH_PX, 370) as figure:
        axes = _square(figure, "of the others, wrongly taken for it", "of the genre, found")
        axes.plot(x, y, color=ACCENT, linewidth=2, clip_on=False)
        half, most = (share_words(_alarms_at(x, y, share)) for share in (0.5, 0.8))
        words = f"Where half of the genre is found, {half} of the others are taken for it; where four fifths, {most}."
        return _svg(figure, name, title, f"The dashed line is guessing. {words}", scale=(0, 1.1))


def _alarms_at(x: NDArray[np.float64], y: NDArray[np.float64], share: float) -> float:
    reached = np.flatnonzero(y >= share - 1e-12)
    return float(x[reached[0]]) if len(reached) else 1.0


# --- the canvas -------------------------------------------------------------------------------------------------------


@contextmanager
def _canvas(width_px: float, height_px: float) -> Iterator[Figure]:
    """Give a figure without pyplot: nothing global is touched, and no window can open."""
    import matplotlib
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "text.parse_math": False,  # a genre may be called "A$AP"
        "font.family": "DejaVu Sans",  # comes with matplotlib, so that the layout is the same everywhere
        "font.size": TEXT_PX,
        "axes.unicode_minus": True,
        "path.simplify": False,
    }
    with matplotlib.rc_context(settings):
        # matplotlib's unit is 1/72 inch, and one of them becomes one px
        yield Figure(figsize=(width_px / 72, height_px / 72), dpi=72)


def _axes(figure: Figure, margins_px: tuple[float, float, float, float]) -> Axes:
    left, top, right, bottom = margins_px
    width, height = (float(side) * 72 for side in figure.get_size_inches())
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    axes = figure.add_axes(box)
    axes.set_axisbelow(True)
    axes.patch.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, colors=MUTED, labelcolor=INK, pad=6)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(MUTED)
    return axes


def _square(figure: Figure, across: str, up: str) -> Axes:
    """Give axes of two shares, both 0..1, with the diagonal where they are equal."""
    axes = _axes(figure, (48, 32, 44, 46))
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=across)
    # upright text at the top is read more easily than turned text at the side
    axes.annotate(up, (0, 1), (0, -2), xycoords="figure fraction", textcoords="offset points", va="top", color=MUTED)
    axes.grid(color=LINE, linewidth=1)
    _number_axis(axes.xaxis, 1.0, True)
    _number_axis(axes.yaxis, 1.0, True)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, linestyle=(0, (3, 2)))
    return axes


def _number_axis(axis: Any, upper: float, percent: bool, *, ticks: int = 4) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]))
    if percent:
        places = 0 if upper >= 0.04 else 1
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.{places}f}\N{NO-BREAK SPACE}%"))
    else:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _count_axis(axes: Axes, x: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if len(x) == 1:
        axes.set_xlim(x[0] - 1, x[0] + 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _upper_bound(estimates: Sequence[Estimate]) -> float:
    """Return where an axis from 0 may end: a little past the largest number, and at 1 where that is near."""
    known = [_finite(each.get(key)) for each in estimates for key in ("value", "high")]
    top = max((value for value in known if value is not None), default=1.0) * 1.06
    return 1.0 if 0.85 < top <= 1.06 else max(top, 0.05)


def _finite(number: float | None) -> float | None:
    return float(number) if number is not None and math.isfinite(number) else None


def _text_px(text: str) -> float:
    """Return about how wide a text of the figure's size is; ideographs take two places."""
    wide = sum(1.75 if unicodedata.east_asian_width(mark) in "WF" else 1.0 for mark in _short(text))
    return wide * TEXT_PX * 0.56


def _short(text: str, most: int = MAX_NAME) -> str:
    text = printable(text)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


# --- from matplotlib's SVG to one that may stand in a page ------------------------------------------------------------

SVG = "http://www.w3.org/2000/svg"
XLINK_HREF = "{http://www.w3.org/1999/xlink}href"


def _svg(figure: Figure, name: str, title: str, description: str, *, scale: tuple[float, float] = (0, 1.3)) -> str:
    """Return the figure as one `<svg>` element; `scale` is how small and how large it may be shown."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}), warnings.catch_warnings():
        # the page's own font has the glyphs that matplotlib's lacks; only its measuring suffers
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    root = ET.fromstring(buffer.getvalue())
    width, height = (float(root.get(side, "0").removesuffix("pt")) for side in ("width", "height"))
    least = f"min-width: {width * scale[0]:.0f}px; " if scale[0] else ""
    attributes = {
        "xmlns": SVG,
        "id": name,
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-desc",
        "viewBox": root.get("viewBox", f"0 0 {width:g} {height:g}"),
        "width": f"{width:.0f}",
        "height": f"{height:.0f}",
        "style": f"{least}max-width: {width * scale[1]:.0f}px; stroke-linejoin: round",
    }
    _strip(root, name)
    root.attrib.clear()
    root.attrib.update(attributes)
    for at, (tag, text) in enumerate((("title", title), ("desc", description))):
        told = ET.Element(tag, {"id": f"{name}-{tag}"})
        told.text = printable(text)
        root.insert(at, told)
    return ET.tostring(root, encoding="unicode")


def _strip(root: ET.Element, name: str) -> None:
    """Take out what a page must not have (global styles, metadata, foreign ids) and prefix the ids that are used."""
    for parent in list(root.iter()):
        for child in list(parent):
            # matplotlib's stylesheet says `*`, which would reach out of the figure into the page
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        element.tail = None
        if element.tag != "text":
            element.text = None
        target = element.attrib.pop(XLINK_HREF, None)
        if target is not None:
            element.set("href", f"#{name}-{target.removeprefix('#')}")
        if "clip-path" in element.attrib:
            element.set("clip-path", element.attrib["clip-path"].replace("url(#", f"url(#{name}-"))
        if "style" in element.attrib:
            element.set("style", _style(element.attrib["style"]))
        _rounded(element)
    used = {mark for element in root.iter() for mark in _targets(element)}
    for element in root.iter():
        own = element.attrib.pop("id", None)
        if own is not None and f"{name}-{own}" in used:
            element.set("id", f"{name}-{own}")
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in ("g", "defs") and not len(child):
                parent.remove(child)


def _targets(element: ET.Element) -> list[str]:
    return [element.get("href", "#")[1:], element.get("clip-path", "url(#)")[5:-1]]


def _style(style: str) -> str:
    for placeholder, variable in VARIABLES.items():
        style = style.replace(placeholder, variable)
    # older matplotlib writes the shorthand `font: 12px 'DejaVu Sans', …`, newer ones `font-family: …`
    style = re.sub(r"font: ([^;]*?[\d.]+px) [^;]*", rf"font: \1 {FONT}", style)
    return re.sub(r"font-family: [^;]*", f"font-family: {FONT}", style)


def _rounded(element: ET.Element) -> None:
    """Write coordinates to 1/100 px, and drop turns by nothing: a third of the size, the same picture."""
    for key in ("d", "x", "y", "transform", "width", "height"):
        if key in element.attrib:
            short = re.sub(r"-?\d+\.\d+", lambda match: f"{round(float(match[0]), 2):g}", element.attrib[key])
            element.set(key, " ".join(short.split()))
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
