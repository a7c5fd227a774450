"""Sections of a study's page: its words, tables and figures, made ready for the template.

A section comes as a study's JSON has it. What can't be drawn is an error that names it; a cover that can't be read is
only counted. Ids come from outside and become anchors: they are brought to letters, digits and dashes, and no two are
the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from sleevenotes.covers.schema import quoted
from sleevenotes.errors import EvaluationError
from sleevenotes.publish import plots
from sleevenotes.publish.matrices import Heat, heat
from sleevenotes.publish.pictures import Pictures
from sleevenotes.publish.plots import Row, share_words
from sleevenotes.publish.results import estimate, number
from sleevenotes.publish.tables import shown_table
from sleevenotes.publish.trends import trends

__all__ = ["Exhibits", "heat_of"]

TILE_PX = 200
HEX = re.compile(r"#[0-9a-fA-F]{6}")
SMALL_KINDS = {"heat", "lines", "intervals"}  # what may stand beside another
GAP = "\N{NO-BREAK SPACE}"


@dataclass
class Exhibits:
    """Everything that a study shows.

    Parameters
    ----------
    folder
        Where files of covers lie.
    source
        What an error names: the study's file.
    pictures
        The door through which covers get into the page.
    """

    folder: Path
    source: Path
    pictures: Pictures
    ids: set[str] = field(default_factory=set)  # those that are taken
    drawn: int = 0  # figures so far
    heats: dict[str, str] = field(default_factory=dict)  # heat maps so far, by their ids

    def section(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Return one section as the template wants it.

        Raises
        ------
        EvaluationError
            Where a part of it is missing or is none of what is shown here.
        """
        title = str(told.get("title") or "")
        tables = [self._shown("table", table, shown_table) for table in told.get("tables") or ()]
        figures = [self._shown("figure", figure, self._figure) for figure in told.get("figures") or ()]
        return {
            "id": self.anchor(str(told.get("id") or title or "section")),
            "title": title,
            "words": [str(words) for words in told.get("words") or ()],
            "tables": tables,
            "figures": _beside(figures),
            "notes": [str(note) for note in told.get("notes") or ()],
            "seconds": number(told.get("seconds")),
            "entries": [{"id": each["id"], "title": each["title"]} for each in (*tables, *figures)],
        }

    def anchor(self, wanted: str) -> str:
        """Return an id that no other has, as near to the wanted one as an anchor may be.

        Examples
        --------
        >>> exhibits = Exhibits(Path(), Path(), Pictures(covers=False))
        >>> exhibits.anchor("Table 1 <b>"), exhibits.anchor("table-1-b"), exhibits.anchor("日本")
        ('table-1-b', 'table-1-b-2', 'part')
        """
        name = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-") or "part"
        known, at = name, 2
        while known in self.ids:
            known, at = f"{name}-{at}", at + 1
        self.ids.add(known)
        return known

    def _shown(
        self, what: str, told: Mapping[str, Any], make: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> dict[str, Any]:
        name = str(told.get("id") or told.get("title") or "without a title")
        try:
            shown = make(told) | {"id": self.anchor(name)}
        except (AttributeError, LookupError, TypeError, ValueError) as cause:
            why = f", as {cause}" if type(cause) is ValueError else ""
            found = f"the {what} {quoted(name)} can't be shown{why}"
            raise EvaluationError(str(self.source), found, "", "Make it again") from cause
        if shown.get("kind") == "heat":
            self.heats[shown["id"]] = str(shown["svg"])
        return shown

    def _figure(self, told: Mapping[str, Any]) -> dict[str, Any]:
        kind = str(told["kind"])
        self.drawn += 1
        # no anchor has an underscore, so no part of a figure has an anchor's name
        name, title = f"figure_{self.drawn}", str(told["title"])
        makers: dict[str, Callable[..., dict[str, Any]]] = {
            "heat": _heat,
            "lines": _lines,
            "intervals": _intervals,
            "spread": _spread,
            "confusion": _confusion,
            "palette": _palette,
        }
        note = str(told.get("note") or "").strip()
        note += "." if note and note[-1] not in ".?!" else ""  # how it is read comes after it
        shown: dict[str, Any] = {"kind": kind, "title": title, "note": note, "reading": ""}
        if kind == "covers":
            items = [self._cover(item) for item in told["items"]]
            return shown | {"small": False, "items": items, "across": int(told.get("across") or 0)}
        if kind not in makers:
            raise ValueError(f"kind {kind!r} is none of {', '.join([*makers, 'covers'])}")
        return shown | {"small": kind in SMALL_KINDS} | makers[kind](told, name=name, title=title)

    def _cover(self, item: Mapping[str, Any]) -> dict[str, Any]:
        caption = str(item.get("caption") or "")
        path = self._path(item.get("file"))
        return {
            "uri": self.pictures.tile(path, TILE_PX),
            "caption": caption,
            "lines": [str(line) for line in item.get("lines") or ()],
        }

    def _path(self, name: object) -> Path | None:
        if not isinstance(name, str) or not name or "\x00" in name:
            return None
        return self.folder / name


def heat_of(told: Mapping[str, Any]) -> Heat:
    """Return what a heat map shows, out of a figure of kind `heat`, `spread` or `confusion`."""
    if told["kind"] == "spread":
        rows = told["rows"]
        shares = _matrix([row["shares"] for row in rows], (len(rows), len(told["columns"])))
        names = [str(row["name"]) for row in rows]
        return Heat(shares, names, _texts(told["columns"]), form=".0%", ends=("", "of all answers"))
    if told["kind"] == "confusion":
        genres = _texts(told["genres"])
        return Heat(_matrix(told["counts"], (len(genres), len(genres))), genres, genres, form=".0f")
    rows, columns = _texts(told["rows"]), _texts(told["columns"])
    matrix = _matrix(told["matrix"], (len(rows), len(columns)))
    alike: Literal["large", "small"] = "small" if told.get("alike") == "small" else "large"
    return Heat(matrix, rows, columns, alike=alike, form=str(told.get("format") or ".2f"))


def _heat(told: Mapping[str, Any], *, name: str, title: str) -> dict[str, Any]:
    shown = heat_of(told)
    reading = "Deep is alike. "
    if shown.alike == "small":
        reading = "A distance: small is alike, so the colours are turned, and deep is alike. "
    if shown.square:
        most = "; bold is what each row is most like" if shown.numbered else ""
        reading += f"Framed: each genre with itself{most}."
    svg = Markup(heat(shown, name=name, title=title))
    return {"svg": svg, "small": shown.numbered, "reading": reading.strip()}


def _spread(told: Mapping[str, Any], *, name: str, title: str) -> dict[str, Any]:
    shown = heat_of(told)
    even = share_words(1 / max(1, len(shown.columns)))
    reading = f"Each row holds a model's answers, in percent; dealt out evenly, each genre would get {even}."
    return {"svg": Markup(heat(shown, name=name, title=title)), "reading": reading}


def _lines(told: Mapping[str, Any], *, name: str, title: str) -> dict[str, Any]:
    known = [number(each) for each in told["x"]]
    series = {str(key): [estimate(each) for each in row] for key, row in told["series"].items()}
    if any(each is None for each in known) or any(len(row) != len(known) for row in series.values()):
        raise ValueError("each series needs one estimate for each x")
    order = sorted(range(len(known)), key=lambda at: known[at] or 0.0)
    svg = trends(
        [known[at] or 0.0 for at in order],
        {key: [row[at] for at in order] for key, row in series.items()},
        name=name,
        title=title,
        axis=str(told.get("axis") or ""),
        percent=bool(told.get("percent", True)),
    )
    return {"svg": Markup(svg)}


def _intervals(told: Mapping[str, Any], *, name: str, title: str) -> dict[str, Any]:
    kinds: dict[object, Literal["model", "baseline"]] = {"model": "model", "baseline": "baseline"}
    rows = [Row(str(row["name"]), estimate(row), kinds.get(row.get("kind"), "other")) for row in told["rows"]]
    chance = number(told.get("chance"))
    percent = bool(told.get("percent", True))
    svg = plots.intervals(rows, name=name, title=title, percent=percent, chance=chance)
    reading = "" if chance is None else "The dashed line is chance."
    return {"svg": Markup(svg), "reading": reading}


def _confusion(told: Mapping[str, Any], *, name: str, title: str) -> dict[str, Any]:
    genres = _texts(told["genres"])
    counts = np.nan_to_num(_matrix(told["counts"], (len(genres), len(genres)))).astype(int).tolist()
    svg = plots.confusion(counts, genres, name=name, title=title)
    numbered = len(genres) <= plots.NUMBERED_GENRES
    below = "share of the row, and number of covers below it" if numbered else "the deeper, the larger its share"
    return {"svg": Markup(svg), "reading": f"Rows are the truth, columns what was said: {below}."}


def _palette(told: Mapping[str, Any], **_: str) -> dict[str, Any]:
    rows = []
    for row in told["rows"]:
        colors = [
            {
                "hex": color["hex"].lower(),
                "share": max(0.0, number(color.get("share")) or 0.0),
                "words": share_words(max(0.0, number(color.get("share")) or 0.0)),
                "lab": _lab(color.get("lab")),
            }
            for color in row["colors"]
            if HEX.fullmatch(str(color.get("hex")))
        ]
        rows.append({"name": str(row["name"]), "colors": colors})
    return {"rows": rows, "reading": "Lab: lightness 0 to 100, then green to red, then blue to yellow."}


def _lab(lab: object) -> str:
    r"""Return a color's place in CIE Lab.

    Examples
    --------
    >>> _lab([41.26, -3.4, 0.2])
    '41\xa0−3\xa00'
    """
    known = [number(each) for each in lab] if isinstance(lab, Sequence) and not isinstance(lab, str) else []
    told = ["—" if each is None else f"{each:.0f}".replace("-0", "0") for each in known]
    return GAP.join(each.replace("-", "\N{MINUS SIGN}") for each in told)


def _beside(figures: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return figures in groups: small ones of one kind stand beside each other, and one note does for all of them."""
    groups = []
    for (_, small), run in groupby(figures, key=lambda figure: (figure["kind"], figure["small"])):
        members = list(run)
        for each in [members] if small else [[member] for member in members]:
            told = {}
            for key in ("note", "reading"):
                words = {figure[key] for figure in each}
                told[key] = words.pop() if len(words) == 1 and len(each) > 1 else ""
            shown = [figure | {key: "" for key, words in told.items() if words} for figure in each]
            groups.append({"small": small, "figures": shown, **told})
    return groups


def _matrix(cells: Sequence[Sequence[object]], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return numbers as a table, nan where there is none."""
    if len(cells) != shape[0] or any(len(row) != shape[1] for row in cells):
        raise ValueError(f"its matrix is not {shape[0]} × {shape[1]}")
    known = [[number(estimate(cell)["value"]) for cell in row] for row in cells]
    return np.array([[np.nan if cell is None else cell for cell in row] for row in known]).reshape(shape)


def _texts(names: Sequence[object]) -> list[str]:
    return [str(name) for name in names]
