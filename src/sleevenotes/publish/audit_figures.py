"""The small figures of an audit: a dot with its interval against chance, and a map of places on a cover.

They are drawn by hand rather than by matplotlib, as a page has dozens of them: each is a line of SVG, as wide as the
cell it stands in. What `canvas` keeps to holds here too: colours are the page's own (`audit.css`), the background is
transparent, a `<title>` and a `<desc>` say in words what is drawn, and the same numbers give the same bytes. There are
no ids, so that none can stand twice on a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from sleevenotes.publish.canvas import Estimate, finite, printable

__all__ = ["Axis", "axis_of", "boxes", "dots", "square_map", "where"]

Axis = tuple[float, float]
Box = tuple[float, float, float, float]

DOTS_PX = 18
MAP = 100  # units across; the style says how large it is shown
FULL_AXIS = 0.5  # a largest number above this makes the axis go up to 1
ROOM = 1.06


def axis_of(estimates: Sequence[Estimate], chance: float | None = None) -> Axis:
    """Return where an axis begins and ends on which all of some estimates can be drawn.

    It holds 0, and goes up to 1 where the largest number is in the upper half of 0..1, so that shares and ROC AUC
    that stand below each other can be compared.

    Examples
    --------
    >>> axis_of([{"value": 0.9, "low": 0.8, "high": 0.95}], 0.5), axis_of([{"value": 50.0}])
    ((0.0, 1.0), (0.0, 53.0))
    """
    found = [finite(each.get(key)) for each in estimates for key in ("value", "low", "high")]
    known = [0.0, *(number for number in (*found, chance) if number is not None)]
    low, high = min(known), max(known)
    if FULL_AXIS < high <= 1:
        return low * ROOM, 1.0
    return low * ROOM, high * ROOM if high > low or low < 0 else 1.0


def dots(estimate: Estimate, axis: Axis, *, title: str, chance: float | None = None, kind: str = "") -> str:
    """Draw a dot with its 95 % interval, and a dashed mark where chance is.

    Parameters
    ----------
    estimate
        `{"value", "low", "high"}`; without a value nothing but the axis is drawn.
    axis
        Where it begins and ends.
    title
        What the figure says, in words.
    chance
        A number to mark; None for none.
    kind
        A class for the style: a verdict.

    Returns
    -------
    str
        One `<svg>` element, as wide as what it stands in.
    """
    value, low, high = (finite(estimate.get(key)) for key in ("value", "low", "high"))
    middle = DOTS_PX / 2
    drawn = [f'<line class="axis" x1="0%" x2="100%" y1="{middle:g}" y2="{middle:g}"/>']
    if chance is not None:
        at = _at(chance, axis)
        drawn.append(f'<line class="chance" x1="{at}" x2="{at}" y1="1" y2="{DOTS_PX - 1}"/>')
    if value is not None and low is not None and high is not None:
        ends = f'x1="{_at(low, axis)}" x2="{_at(high, axis)}"'
        drawn.append(f'<line class="span" {ends} y1="{middle:g}" y2="{middle:g}"/>')
    if value is not None:
        drawn.append(f'<circle cx="{_at(value, axis)}" cy="{middle:g}" r="4"/>')
    desc = f"On an axis from {axis[0]:.3g} to {axis[1]:.3g}."
    look = f'class="dots{" " + escape(kind) if kind else ""}"'
    return f'<svg {look} role="img" width="100%" height="{DOTS_PX}">{_told(title, desc)}{"".join(drawn)}</svg>'


def square_map(places: Sequence[tuple[Box, float]], *, title: str) -> str:
    """Draw places of a cover on a square: the deeper, the higher its score; the highest has a frame.

    Parameters
    ----------
    places
        Each a box (left, top, right, bottom) in shares of the cover's sides, and its score, a ROC AUC: 0.5, chance, is
        no colour at all.
    title
        What the figure says, in words.
    """
    best = max(range(len(places)), key=lambda at: places[at][1])
    drawn = [
        f'<rect class="place" {_rect(box)} fill-opacity="{min(1.0, max(0.0, 2 * score - 1)):.2f}"/>'
        for box, score in places
    ]
    drawn.append(f'<rect class="best" {_rect(places[best][0])}/>')
    told = "; ".join(f"{where(box)} {score:.2f}" for box, score in sorted(places, key=lambda place: -place[1])[:5])
    whole = f'<rect class="cover" width="{MAP}" height="{MAP}"/>'
    look = f'class="places" role="img" viewBox="-1 -1 {MAP + 2} {MAP + 2}"'
    return f"<svg {look}>{_told(title, f'The highest first: {told}.')}{whole}{''.join(drawn)}</svg>"


def where(box: Box) -> str:
    """Say where on a cover a box is.

    Examples
    --------
    >>> where((0.8, 0.8, 1, 1)), where((0.4, 0.4, 0.6, 0.6)), where((0, 0.3, 0.2, 0.6))
    ('bottom right', 'the middle', 'left')
    """
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    across = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    down = "top" if y < 1 / 3 else "bottom" if y > 2 / 3 else ""
    return f"{down} {across}".strip() or "the middle"


def boxes(places: Sequence[Mapping[str, object]]) -> list[tuple[Box, float]]:
    """Return what can be drawn of places as a file has them; boxes in pixels become shares of the farthest edge."""
    found: list[tuple[Box, float]] = []
    for place in places:
        sides, score = place.get("box"), _number(place.get("score"))
        if score is not None and isinstance(sides, Sequence) and len(sides) == 4:
            edges = [edge for side in sides if (edge := _number(side)) is not None]
            if len(edges) == 4:
                found.append(((edges[0], edges[1], edges[2], edges[3]), score))
    largest = max((max(box) for box, _ in found), default=1.0)
    scale = 1 / largest if largest > 1 else 1.0
    return [((box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale), score) for box, score in found]


def _number(value: object) -> float | None:
    return finite(value) if isinstance(value, (int, float)) else None


def _at(number: float, axis: Axis) -> str:
    """Return a place on an axis in percent, never beyond its ends."""
    low, high = axis
    share = (number - low) / (high - low) if high > low else 0.5
    return f"{100 * min(1.0, max(0.0, share)):.2f}%"


def _rect(box: Box) -> str:
    left, top, right, bottom = (MAP * min(1.0, max(0.0, side)) for side in box)
    size = f'width="{max(0.0, right - left):.1f}" height="{max(0.0, bottom - top):.1f}"'
    return f'x="{left:.1f}" y="{top:.1f}" {size}'


def _told(title: str, desc: str) -> str:
    return f"<title>{escape(printable(title))}</title><desc>{escape(printable(desc))}</desc>"
