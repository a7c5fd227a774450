"""Heat maps as SVG text: how alike genres are, and how a model's answers spread over them.

A heat map has one hue only, so that it can be read in light, in dark, in print and by eyes that see few colours: the
deeper, the more alike. Of a distance, where small means alike, the colours are turned, and the legend says so.
`canvas.py` says what all figures keep to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sleevenotes.publish.canvas import (
    ACCENT,
    INK,
    LINE,
    MUTED,
    WIDTH_PX,
    axes_in,
    canvas,
    printable,
    short,
    svg,
    text_px,
)
from sleevenotes.publish.plots import NUMBERED_GENRES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Heat", "heat", "mosaic", "number_words"]

FORMAT = re.compile(r",?\.\d[fge%]")
CELL_PX = 19.0  # without numbers
LEGEND_PX = 46.0
LEVELS = 24  # without numbers, cells of nearly one depth are drawn as one path: a tenth of the size
# under numbers, the colour stays so light (dark, in the dark) that the ink on it can be read: contrast 4.5 and more
DEEPEST = 0.55
FRONT_GENRES = 16
NAME = 16  # letters


@dataclass(frozen=True)
class Heat:
    """What a heat map shows.

    Parameters
    ----------
    matrix
        (rows, columns); what is not finite is left empty.
    rows, columns
        The names. Where both are the same, the diagonal is framed and the most alike of each row is bold.
    alike
        Whether `"large"` or `"small"` numbers mean alike; small is drawn deep then.
    form
        How a number is written, as Python's format has it; `.0%` writes percents without their sign.
    ends
        What the shallow and the deep end of the legend mean.
    """

    matrix: NDArray[np.float64]
    rows: Sequence[str]
    columns: Sequence[str]
    alike: Literal["large", "small"] = "large"
    form: str = ".2f"
    ends: tuple[str, str] = ("less alike", "more alike")

    @property
    def numbered(self) -> bool:
        """Whether there is room for numbers in the cells."""
        return len(self.columns) <= NUMBERED_GENRES

    @property
    def square(self) -> bool:
        """Whether genres are compared with themselves."""
        return list(self.rows) == list(self.columns)

    @property
    def depths(self) -> NDArray[np.float64]:
        """How deep each cell is, 0..1; nan where it is empty."""
        known = self.matrix[np.isfinite(self.matrix)]
        low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
        if self.form.endswith("%"):  # shares are compared with none at all
            low = min(low, 0.0)
        spread = high - low
        depths = (self.matrix - low) / spread if spread > 0 else np.where(np.isfinite(self.matrix), 0.5, np.nan)
        return np.asarray(1 - depths if self.alike == "small" else depths)


def number_words(value: float | None, form: str = ".2f", *, unit: bool = False) -> str:
    r"""Return a number of a heat map as its cell has it; `unit` adds the sign to percents.

    Examples
    --------
    >>> number_words(0.384, ".0%"), number_words(0.384, ".0%", unit=True), number_words(-0.5), number_words(None)
    ('38', '38\xa0%', '−0.50', '—')
    """
    if value is None or not np.isfinite(value):
        return "—"
    form = form if FORMAT.fullmatch(form) else ".2f"
    told = format(value, form).replace("%", "\N{NO-BREAK SPACE}%" if unit else "")
    told = told.removeprefix("-") if not re.search("[1-9]", told) else told
    return told.replace("-", "\N{MINUS SIGN}")


def heat(shown: Heat, *, name: str, title: str) -> str:
    """Draw a heat map: a row a genre (or model), a column a genre.

    Up to twelve columns, each cell also says its number.

    Parameters
    ----------
    shown
        The numbers, and how they are to be read.
    name
        What every id of the figure begins with.
    title
        The figure's `<title>`.

    Returns
    -------
    str
        One `<svg>` element.
    """
    rows, columns = ([short(each, NAME) for each in names] for names in (shown.rows, shown.columns))
    wide, high = _cell_px(shown)
    left = max((text_px(each) for each in rows), default=0.0) + 10
    top = 0.75 * max((text_px(each) for each in columns), default=0.0) + 14
    # the last names lean over the edge
    lean = [0.75 * text_px(each) + 12 - wide * (at + 0.5) for at, each in enumerate(reversed(columns))]
    right = max(6.0, *lean, 0.0)
    width = max(left + wide * len(columns) + right, 300.0)
    height = top + high * len(rows) + LEGEND_PX
    with canvas(width, height) as figure:
        axes = axes_in(figure, (left, top, width - left - wide * len(columns), LEGEND_PX))
        axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
        axes.set_xticks(range(len(columns)), columns, rotation=45, ha="left", va="bottom", rotation_mode="anchor")
        axes.set_yticks(range(len(rows)), rows)
        axes.tick_params(top=False, labeltop=True, bottom=False, labelbottom=False, left=False, pad=4)
        if shown.numbered:
            _numbered_cells(axes, shown)
        else:
            _plain_cells(axes, shown)
        _legend(figure, shown, (width, height))
        return svg(figure, name, title, _words(shown), scale=(0.8, 1.15))


def _cell_px(shown: Heat) -> tuple[float, float]:
    if not shown.numbered:
        return CELL_PX, CELL_PX
    text = max((text_px(number_words(value, shown.form)) for value in shown.matrix.flat), default=20.0)
    left = max((text_px(short(each, NAME)) for each in shown.rows), default=0.0) + 10
    wide = max(text * 0.88 + 6, min(64.0, (WIDTH_PX - left - 12) / max(1, len(shown.columns))))
    return wide, min(wide, 34.0)


def _numbered_cells(axes: Axes, shown: Heat) -> None:
    from matplotlib.patches import Rectangle

    depths, most = shown.depths, _most_alike(shown)
    size = 12.5 if _cell_px(shown)[0] > 48 else 11.0
    for i, j in np.ndindex(shown.matrix.shape):
        corner = (j - 0.48, i - 0.47)
        known = bool(np.isfinite(depths[i, j]))
        if known:
            depth = 0.03 + (DEEPEST - 0.03) * float(depths[i, j])
            axes.add_patch(Rectangle(corner, 0.96, 0.94, facecolor=ACCENT, alpha=depth, linewidth=0))
        own = shown.square and i == j
        if own or not known:
            edge = INK if own else LINE
            axes.add_patch(Rectangle(corner, 0.96, 0.94, fill=False, edgecolor=edge, linewidth=1.2))
        look: dict[str, Any] = {"ha": "center", "va": "center_baseline", "color": INK, "size": size}
        weight = "bold" if most.get(i) == j else "normal"
        axes.text(j, i, number_words(float(shown.matrix[i, j]), shown.form), weight=weight, **look)


def _plain_cells(axes: Axes, shown: Heat) -> None:
    from matplotlib.patches import PathPatch, Rectangle
    from matplotlib.path import Path

    levels = np.where(np.isfinite(shown.depths), np.round(np.nan_to_num(shown.depths) * LEVELS), -1).astype(int)
    # a hair of overlap, as seams between cells would show
    square = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)])
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    for level in range(1, LEVELS + 1):
        cells = np.argwhere(levels == level)
        if len(cells):
            corners = (cells[:, None, ::-1] + square).reshape(-1, 2)
            path = Path(corners, codes * len(cells))
            axes.add_patch(PathPatch(path, facecolor=ACCENT, alpha=level / LEVELS, linewidth=0))
    frame = Rectangle((-0.5, -0.5), len(shown.columns), len(shown.rows), fill=False, edgecolor=LINE, clip_on=False)
    axes.add_patch(frame)
    if shown.square:
        own = (np.arange(len(shown.rows))[:, None, None] + square).reshape(-1, 2)
        axes.add_patch(PathPatch(Path(own, codes * len(shown.rows)), fill=False, edgecolor=INK, linewidth=0.8))


def _legend(figure: Figure, shown: Heat, size_px: tuple[float, float]) -> None:
    """Draw a strip from shallow to deep below the cells, with what its ends mean and which numbers they are."""
    from matplotlib.patches import Rectangle

    known = shown.matrix[np.isfinite(shown.matrix)]
    if not known.size:
        return
    width, height = size_px
    low, high = (float(known.min()), float(known.max()))
    if shown.form.endswith("%"):
        low = min(low, 0.0)
    ends = (high, low) if shown.alike == "small" else (low, high)
    words = [
        f"{number_words(end, shown.form, unit=True)}{', ' + meaning if meaning else ''}"
        for end, meaning in zip(ends, shown.ends, strict=True)
    ]
    steps, box, bottom = 6, 16.0, 8.0
    at = text_px(words[0]) * 0.95 + 6
    deepest = DEEPEST if shown.numbered else 1.0
    look: dict[str, Any] = {"va": "center_baseline", "color": MUTED}
    figure.text((at - 6) / width, (bottom + 6) / height, words[0], ha="right", **look)
    for step in range(steps):
        corner = ((at + step * box) / width, bottom / height)
        depth = 0.03 + (deepest - 0.03) * step / (steps - 1)
        patch = Rectangle(corner, (box - 1) / width, 12 / height, facecolor=ACCENT, alpha=depth, linewidth=0)
        patch.set_transform(figure.transFigure)
        figure.add_artist(patch)
    figure.text((at + steps * box + 6) / width, (bottom + 6) / height, words[1], **look)


def _most_alike(shown: Heat) -> dict[int, int]:
    """Return for each row the column that is most alike; the first of equals."""
    if not shown.square:
        return {}
    depths = np.nan_to_num(shown.depths, nan=-1.0)
    return {i: int(np.argmax(row)) for i, row in enumerate(depths) if np.isfinite(shown.matrix[i]).any()}


def _words(shown: Heat) -> str:
    turned = "Small numbers mean alike. " if shown.alike == "small" else ""
    if not shown.square:
        told = []
        for name, row in zip(shown.rows, shown.matrix, strict=True):
            known = [j for j in np.argsort(-np.nan_to_num(row, nan=-np.inf), kind="stable") if np.isfinite(row[j])][:3]
            most = ", ".join(f"{shown.columns[j]} {number_words(float(row[j]), shown.form, unit=True)}" for j in known)
            told.append(f"{name}: {'most' if most else 'nothing'} {most}".strip())
        return ". ".join(told) + "."
    told = [
        f"{shown.rows[i]} is most like {shown.columns[j]} ({number_words(float(shown.matrix[i, j]), shown.form)}), "
        f"itself {number_words(float(shown.matrix[i, i]), shown.form)}"
        for i, j in _most_alike(shown).items()
    ]
    return f"{turned}{'. '.join(told)}."


def mosaic(shown: Heat, *, title: str) -> str:
    """Draw the cells alone, as squares of paper on the accent colour: the front of a sleeve, made of its own numbers.

    Returns
    -------
    str
        One `<svg>` element that fills a square; at most sixteen rows and columns of it are shown.
    """
    from xml.sax.saxutils import quoteattr

    depths = np.nan_to_num(shown.depths, nan=0.0)[:FRONT_GENRES, :FRONT_GENRES]
    height, width = depths.shape
    squares = "".join(
        f'<rect x="{j}.04" y="{i}.04" width=".92" height=".92" fill-opacity="{1 - depths[i, j]:.2f}"/>'
        for i, j in np.ndindex(depths.shape)
        if depths[i, j] < 0.995
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label={quoteattr(printable(title))} '
        f'viewBox="0 0 {width} {height}" preserveAspectRatio="none" width="600" height="600" '
        f'fill="var(--paper, #ffffff)">{squares}</svg>'
    )
