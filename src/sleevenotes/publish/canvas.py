"""The canvas of all figures: how one is begun, and how it becomes an `<svg>` element that may stand in a page.

Whatever is drawn here and in the modules of figures that use it keeps to this:

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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Estimate", "axes_in", "canvas", "count_axis", "finite", "number_axis", "printable", "short", "square", "svg",
    "text_px", "upper_bound",
]  # fmt: skip

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

Estimate = Mapping[str, float | None]

# Neither XML nor HTML may hold these; and marks that turn the writing direction could reorder what stands around them.
NONCHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
UNPRINTABLE = re.compile(f"[{CONTROLS}{NONCHARACTERS}]+")


def printable(text: str) -> str:
    r"""Return a name that may stand in a page: each run of control characters and the like becomes one space.

    Examples
    --------
    >>> printable("rock\x00\n& roll")
    'rock & roll'
    """
    return UNPRINTABLE.sub(" ", text)


@contextmanager
def canvas(width_px: float, height_px: float) -> Iterator[Figure]:
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


def axes_in(figure: Figure, margins_px: tuple[float, float, float, float]) -> Axes:
    """Give axes without a frame, so far from the left, top, right and bottom edge."""
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


def square(figure: Figure, across: str, up: str) -> Axes:
    """Give axes of two shares, both 0..1, with the diagonal where they are equal."""
    axes = axes_in(figure, (48, 32, 44, 46))
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=across)
    # upright text at the top is read more easily than turned text at the side
    axes.annotate(up, (0, 1), (0, -2), xycoords="figure fraction", textcoords="offset points", va="top", color=MUTED)
    axes.grid(color=LINE, linewidth=1)
    number_axis(axes.xaxis, 1.0, True)
    number_axis(axes.yaxis, 1.0, True)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, linestyle=(0, (3, 2)))
    return axes


def number_axis(axis: Any, upper: float, percent: bool, *, ticks: int = 4) -> None:
    """Set an axis from 0 to `upper` in few round numbers, or percentages of 0..1."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]))
    if percent:
        places = 0 if upper >= 0.04 else 1
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.{places}f}\N{NO-BREAK SPACE}%"))
    else:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def count_axis(axes: Axes, x: Sequence[float]) -> None:
    """Set the axis across in whole numbers."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if len(x) == 1:
        axes.set_xlim(x[0] - 1, x[0] + 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def upper_bound(estimates: Sequence[Estimate]) -> float:
    """Return where an axis from 0 may end: a little past the largest number, and at 1 where that is near."""
    known = [finite(each.get(key)) for each in estimates for key in ("value", "high")]
    top = max((value for value in known if value is not None), default=1.0) * 1.06
    return 1.0 if 0.85 < top <= 1.06 else max(top, 0.05)


def finite(number: float | None) -> float | None:
    """Return a number that can be drawn, or None."""
    return float(number) if number is not None and math.isfinite(number) else None


def text_px(text: str) -> float:
    """Return about how wide a text of the figure's size is; ideographs take two places."""
    wide = sum(1.75 if unicodedata.east_asian_width(mark) in "WF" else 1.0 for mark in short(text))
    return wide * TEXT_PX * 0.56


def short(text: str, most: int = MAX_NAME) -> str:
    """Return a name that may stand in a figure, its end cut off where it is too long."""
    text = printable(text)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


# --- from matplotlib's SVG to one that may stand in a page ------------------------------------------------------------

SVG = "http://www.w3.org/2000/svg"
XLINK_HREF = "{http://www.w3.org/1999/xlink}href"


def svg(figure: Figure, name: str, title: str, description: str, *, scale: tuple[float, float] = (0, 1.3)) -> str:
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
