"""Lines over a number (grid size, rate, covers) as SVG text, several in one figure.

Up to six lines are told apart by dash, marker and the name at their end, so that nobody needs colours for it.
`canvas.py` says what all figures keep to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sleevenotes.publish.canvas import (
    ACCENT,
    INK,
    LINE,
    MUTED,
    PAPER,
    Estimate,
    axes_in,
    canvas,
    finite,
    number_axis,
    short,
    svg,
    text_px,
)
from sleevenotes.publish.plots import estimate_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["trends"]

WIDTH_PX, HEIGHT_PX = 440.0, 290.0
END_NAME = 20  # letters
LABEL_PX = 16.0  # from one name to the next
LOOKS: list[tuple[str, Any, str]] = [
    (ACCENT, "-", "o"),
    (INK, (0, (5, 2)), "s"),
    (MUTED, (0, (1, 1.6)), "^"),
    (ACCENT, (0, (5, 2, 1, 2)), "D"),
    (INK, (0, (2, 2)), "v"),
    (MUTED, "-", "X"),
]
WIDE_RANGE = 30.0  # from here on, equal steps across mean equal factors


def trends(
    x: Sequence[float],
    series: Mapping[str, Sequence[Estimate]],
    *,
    name: str,
    title: str,
    axis: str,
    percent: bool = True,
) -> str:
    """Draw several lines over the same numbers, each with its name at its end and intervals where there are any.

    Parameters
    ----------
    x
        Ascending. Where the last is more than 30 times the first, the axis is logarithmic.
    series
        By its name, an estimate for each x.
    name
        What every id of the figure begins with.
    title
        The figure's `<title>`.
    axis
        What x is.
    percent
        Whether values in 0..1 are shown as percentages.

    Returns
    -------
    str
        One `<svg>` element.
    """
    values = {key: [finite(each.get("value")) for each in row] for key, row in series.items()}
    highs = [finite(each.get("high")) for row in series.values() for each in row]
    known = [value for value in [*(v for row in values.values() for v in row), *highs] if value is not None]
    top = max(known, default=1.0) * 1.06 or 1.0
    upper = 1.0 if percent and 0.85 < top <= 1.06 else top
    right = 14 + max((text_px(short(key, END_NAME)) for key in series), default=0.0)
    with canvas(WIDTH_PX, HEIGHT_PX) as figure:
        axes = axes_in(figure, (48, 12, right, 44))
        axes.grid(axis="y", color=LINE, linewidth=1)
        axes.set(ylim=(0, upper), xlabel=axis)
        _across(axes, x, WIDTH_PX - 48 - right)
        number_axis(axes.yaxis, upper, percent)
        for at, (key, row) in enumerate(values.items()):
            _line(axes, x, row, series[key], LOOKS[at % len(LOOKS)])
        _names(axes, x, values, upper)
        return svg(figure, name, title, _words(x, values, axis, percent), scale=(0, 1.2))


def _across(axes: Axes, x: Sequence[float], plot_px: float) -> None:
    """Set the axis across: a tick at each number that has room for its name."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    if len(x) > 1 and x[0] > 0 and x[-1] / x[0] > WIDE_RANGE:
        axes.set_xscale("log")
    scale = math.log if axes.get_xscale() == "log" else float
    low, high = (scale(x[0]), scale(x[-1])) if len(x) else (0.0, 1.0)
    ticks, free = [], -math.inf
    for number in x:
        place = plot_px * (scale(number) - low) / ((high - low) or 1.0)
        half = text_px(f"{number:,g}") / 2 + 3
        if place - half >= free:
            ticks.append(number)
            free = place + half
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{number:,g}" for number in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", pad=9)  # clear of the 0 at the side
    if len(x) == 1:
        axes.set_xlim(x[0] - 1, x[0] + 1)
    elif len(x):
        axes.set_xlim(x[0], x[-1])


def _line(
    axes: Axes,
    x: Sequence[float],
    row: Sequence[float | None],
    estimates: Sequence[Estimate],
    look: tuple[str, Any, str],
) -> None:
    color, dash, marker = look
    y = [math.nan if value is None else value for value in row]
    markers: dict[str, Any] = {"marker": marker, "markersize": 6, "markeredgecolor": PAPER, "markeredgewidth": 0.8}
    axes.plot(x, y, color=color, linestyle=dash, linewidth=2, zorder=3, clip_on=False, **markers)
    for at, each in zip(x, estimates, strict=True):
        low, high = finite(each.get("low")), finite(each.get("high"))
        if low is not None and high is not None:
            axes.plot([at, at], [low, high], color=color, linewidth=2, alpha=0.4, clip_on=False, solid_capstyle="butt")


def _names(axes: Axes, x: Sequence[float], values: Mapping[str, list[float | None]], upper: float) -> None:
    """Write each line's name at its end, moved apart where ends are near each other."""
    plot_px = HEIGHT_PX - 12 - 44
    ends = []
    for key, row in values.items():
        last = [value for value in row if value is not None]
        if last:
            ends.append((last[-1] / upper * plot_px, key))
    ends.sort()
    places: list[float] = []
    for end, _ in ends:
        places.append(max(end, places[-1] + LABEL_PX) if places else end)
    over = max(0.0, places[-1] - plot_px) if places else 0.0
    # what was pushed over the top comes down again, and pushes those below
    limit = math.inf
    for at in reversed(range(len(places))):
        places[at] = min(places[at] - (over if at == len(places) - 1 else 0.0), limit)
        limit = places[at] - LABEL_PX
    looks = dict(zip(values, (LOOKS[at % len(LOOKS)] for at in range(len(values))), strict=True))
    for place, (_, key) in zip(places, ends, strict=True):
        axes.annotate(
            short(key, END_NAME), (1, place / plot_px), (9, 0), xycoords="axes fraction", textcoords="offset points",
            va="center_baseline", color=looks[key][0] if looks[key][0] != MUTED else INK, annotation_clip=False,
        )  # fmt: skip


def _words(x: Sequence[float], values: Mapping[str, list[float | None]], axis: str, percent: bool) -> str:
    told = []
    for key, row in values.items():
        points = [
            f"{estimate_words({'value': value}, percent=percent)} at {at:,g}"
            for at, value in zip(x, row, strict=True)
            if value is not None
        ]
        told.append(f"{key}: {', '.join(points) or 'nothing'}")
    return f"Over {axis}. {'. '.join(told)}."
