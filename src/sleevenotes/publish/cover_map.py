"""The section of the report that is a map of the covers: a dot a cover, a cover a patch, and each genre by itself.

The map is drawn by hand as SVG, as each dot says in words which cover it is. Colours are of about one lightness, which
can be told from paper and from ink, so that they hold in light and dark; who can't tell them apart has a small map a
genre.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup, escape

from sleevenotes.judge.intervals import standing
from sleevenotes.publish.canvas import SVG, printable
from sleevenotes.publish.figure_sections import counted, figure_parts
from sleevenotes.publish.pictures import Pictures
from sleevenotes.publish.plots import share_words
from sleevenotes.publish.results import Results, estimate, number

WIDTH = 640  # of the map, in its own units
EDGE = 10
COLORS = ("#2f7fd0", "#d2562b", "#1f8f5f", "#a05fc0", "#a87b00", "#d0518c", "#1a8c99", "#6f8a1f")
OTHERS = "var(--muted)"
GENRE_MAPS = 12
PATCHES = 12  # across
PATCH_PX = 72


class Dot(NamedTuple):
    """A cover on the map, x and y in the map's units."""

    name: str
    x: float
    y: float
    genres: tuple[str, ...]
    split: str


def section(results: Results, pictures: Pictures) -> dict[str, Any]:
    """Return the map with its legend, its small maps and its figure; `state` is `missing`, `other` or `shown`."""
    if results.map is None:
        return {"state": "missing"}
    if not results.map.fits:
        return {"state": "other"}
    told, dots, height = results.map.told, *_dots(results.map.places)
    colors = _colors(dots)
    return {
        "state": "shown",
        "n": len(dots),
        "of": int(number((told.get("dataset") or {}).get("covers")) or len(dots)),
        "tsne": told.get("layout") == "t-SNE",
        "dots": _dots_svg(results, dots, colors, height),
        "legend": _legend(dots, colors),
        "rings": any(dot.split == "test" for dot in dots),
        "patches": _patches_svg(results, dots, height, pictures) if pictures.covers else None,
        "small": _small_maps(dots, height),
        "genres": len(_counts(dots)),
        "neighbors": int(number(told.get("neighbors")) or 10),
        "rows": _rows(told),
        "verdict": _verdict(told),
    }


def _dots(places: Sequence[Mapping[str, str]]) -> tuple[list[Dot], int]:
    """Return the dots in the map's units, down the page, and the height of the map."""
    at = [(number(row.get("x")) or 0.0, number(row.get("y")) or 0.0) for row in places]
    low, high = min(y for _, y in at), max(y for _, y in at)
    inner = WIDTH - 2 * EDGE
    dots = [
        Dot(
            row.get("file_name", ""),
            round(EDGE + min(1.0, max(0.0, x)) * inner, 1),
            round(EDGE + (high - y) * inner, 1),
            tuple(genre for genre in row.get("genres", "").split(";") if genre),
            row.get("split", ""),
        )
        for row, (x, y) in zip(places, at, strict=True)
    ]
    return dots, round((high - low) * inner + 2 * EDGE)


def _counts(dots: Sequence[Dot]) -> Counter[str]:
    return Counter(genre for dot in dots for genre in dot.genres)


def _colors(dots: Sequence[Dot]) -> dict[str, str]:
    """Return the colours of the commonest genres, as covers are drawn by their first one."""
    first = Counter(dot.genres[0] for dot in dots if dot.genres)
    commonest = sorted(first, key=lambda genre: (-first[genre], genre))[: len(COLORS)]
    return dict(zip(sorted(commonest), COLORS, strict=False))


def _legend(dots: Sequence[Dot], colors: Mapping[str, str]) -> list[dict[str, Any]]:
    first = Counter(dot.genres[0] if dot.genres else "" for dot in dots)
    rows: list[dict[str, Any]] = [
        {"genre": genre, "color": color, "covers": first[genre]} for genre, color in colors.items()
    ]
    rest = len(dots) - sum(first[genre] for genre in colors)
    return [*rows, {"genre": "other genres", "color": OTHERS, "covers": rest}] if rest else rows


def _dots_svg(results: Results, dots: Sequence[Dot], colors: Mapping[str, str], height: int) -> Markup:
    """Return the map, a dot a cover; those of test are rings, and lie on top."""
    radius = round(min(6.0, max(2.6, 110 / len(dots) ** 0.5)), 1)
    marks = []
    for dot in sorted(dots, key=lambda dot: dot.split == "test"):
        color = colors.get(dot.genres[0] if dot.genres else "", OTHERS)
        paint = f'fill="var(--paper)" stroke="{color}"' if dot.split == "test" else f'fill="{color}"'
        marks.append(f'<circle cx="{dot.x:g}" cy="{dot.y:g}" {paint}>{_title(results, dot)}</circle>')
    inner = f'<g stroke-width="{radius * 0.45:.1f}">{"".join(marks)}</g>'.replace("<circle ", f'<circle r="{radius}" ')
    return _svg("cover-map", "A map of the covers", f"{counted(len(dots), 'dot')}, coloured by genre.", inner, height)


def _patches_svg(results: Results, dots: Sequence[Dot], height: int, pictures: Pictures) -> Markup | None:
    """Return the map cut into squares, with one cover of each: the one nearest to its middle."""
    side = WIDTH / PATCHES
    nearest: dict[tuple[int, int], tuple[float, Dot]] = {}
    for dot in dots:
        cell = (min(PATCHES - 1, int(dot.x / side)), int(dot.y / side))
        away = float(np.hypot(dot.x - (cell[0] + 0.5) * side, dot.y - (cell[1] + 0.5) * side))
        if cell not in nearest or (away, dot.name) < (nearest[cell][0], nearest[cell][1].name):
            nearest[cell] = (away, dot)
    marks, inner = [], side - 2
    for (column, row), (_, dot) in sorted(nearest.items()):
        at = results.rows.get(dot.name)
        uri = pictures.tile(results.dataset.path(at), PATCH_PX) if at is not None else None
        if uri:
            place = f'x="{column * side + 1:.1f}" y="{row * side + 1:.1f}" width="{inner:.1f}" height="{inner:.1f}"'
            marks.append(f'<image {place} href="{uri}">{_title(results, dot)}</image>')
    if not marks:
        return None
    down = (1 + max(row for _, row in nearest)) * side
    words = f"{counted(len(marks), 'cover')}, each from its place on the map."
    return _svg("cover-patches", "The same map in covers", words, "".join(marks), max(height, round(down)))


def _small_maps(dots: Sequence[Dot], height: int) -> list[dict[str, Any]]:
    """Return a small map for each of the commonest genres: its covers before all others."""
    counts = _counts(dots)
    commonest = sorted(counts, key=lambda genre: (-counts[genre], genre))[:GENRE_MAPS]
    every = _path(dots)
    shown: list[dict[str, Any]] = []
    for at, genre in enumerate(sorted(commonest)):
        own = _path([dot for dot in dots if genre in dot.genres])
        # all covers are drawn once, and shown again behind each genre
        behind = f'<path id="map-all" d="{every}"/>' if at == 0 else '<use href="#map-all"/>'
        strokes = f'<g class="all">{behind}</g><path class="own" d="{own}"/>'
        inner = f'<g fill="none" stroke-linecap="round">{strokes}</g>'
        words = f"{counted(counts[genre], 'cover')} of {genre} among all."
        svg = _svg(f"genre-map-{at}", genre, words, inner, height)
        shown.append({"genre": genre, "covers": counts[genre], "svg": svg})
    return shown


def _path(dots: Sequence[Dot]) -> str:
    """Return dots as one path of strokes without length, whose round ends are the dots."""
    return "".join(f"M{dot.x:.0f} {dot.y:.0f}h0" for dot in dots)


def _title(results: Results, dot: Dot) -> str:
    row = results.rows.get(dot.name)
    known = () if row is None else (results.dataset.covers[name][row] for name in ("artist", "album"))
    named = " – ".join(word for word in known if word) or dot.name.rpartition("/")[2]
    split = f" ({dot.split})" if dot.split else ""
    return f"<title>{escape(printable(named + ': ' + ', '.join(dot.genres) + split))}</title>"


def _svg(name: str, title: str, words: str, inner: str, height: int) -> Markup:
    told = f'<title id="{name}-title">{escape(printable(title))}</title>'
    told += f'<desc id="{name}-desc">{escape(printable(words))}</desc>'
    called = f'id="{name}" role="img" aria-labelledby="{name}-title {name}-desc"'
    return Markup(f'<svg xmlns="{SVG}" {called} viewBox="0 0 {WIDTH} {height}">{told}{inner}</svg>')


def _rows(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how often the nearest share a genre, a row a split."""
    rows = []
    for split, purity in (told.get("purity") or {}).items():
        if isinstance(purity, Mapping):
            chance = number(purity.get("chance"))
            rows.append(
                {
                    "split": "all covers" if split == "all" else split,
                    "covers": int(number(purity.get("n")) or 0),
                    "figure": figure_parts(estimate(purity), True),
                    "chance": "—" if chance is None else share_words(chance),
                }
            )
    return rows


def _verdict(told: Mapping[str, Any]) -> str:
    """Return in a sentence whether neighbours share a genre more often than any two covers do."""
    purity = next((each for each in (told.get("purity") or {}).values() if isinstance(each, Mapping)), {})
    gain = estimate(purity.get("gain"))
    low, high = gain["low"], gain["high"]
    if low is None or high is None:
        return "Whether that is more than chance can't be told from so few covers."
    if low > 0:
        return "Covers near to one another share a genre more often than any two covers do."
    if high < 0:
        return "Covers near to one another share a genre less often than any two covers do."
    if standing(low, high) == "same":
        return "Covers near to one another share a genre no more often than chance allows, give or take 5 points."
    return "Whether covers near to one another share a genre more often than any two can't be told from these covers."
