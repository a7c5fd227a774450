"""What a study leaves, in one shape for every study: sections of words, tables and figures, ready for JSON.

A page or a terminal shows these without knowing what was studied. A table's cells are None, a text, a number, or an
estimate `{"value", "low", "high"}`; what is from the paper and what is ours stands in columns of those two groups.
Shares are 0..1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sleevenotes.judge.intervals import TOO_FEW
from sleevenotes.judge.proportions import wilson

Group = Literal["paper", "ours", ""]
Kind = Literal["text", "percent", "number", "rank", "seconds", "count"]
Estimate = dict[str, float | None]
Cell = None | str | float | Estimate


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    group: Group = ""
    kind: Kind = "percent"


@dataclass(frozen=True)
class Row:
    """One row: a cell for each column but the first, which is the name."""

    name: str
    cells: Sequence[Cell]
    remark: str | None = None
    strong: bool = False


@dataclass
class Table:
    """A table, and a note of how many covers and epochs are behind it.

    Parameters
    ----------
    id
        Unlike that of any other table or figure of the study.
    columns
        Without that of the rows' names.
    """

    id: str
    title: str
    note: str
    columns: Sequence[Column]
    rows: list[Row] = field(default_factory=list)

    def add(self, name: str, *cells: Cell, remark: str | None = None, strong: bool = False) -> None:
        """Add a row.

        Raises
        ------
        ValueError
            Where there are more or fewer cells than columns.
        """
        if len(cells) != len(self.columns):
            raise ValueError(f"row '{name}' has {len(cells)} cells. Expected {len(self.columns)}, one a column.")
        self.rows.append(Row(name, cells, remark, strong))


@dataclass
class Figure:
    """A figure: its kind says which data it has."""

    id: str
    title: str
    note: str
    kind: str
    data: Mapping[str, Any]


@dataclass
class Section:
    """A part of the study: words first, then tables, then figures, then quiet remarks."""

    id: str
    title: str
    words: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def plain(self) -> dict[str, Any]:
        """Return the section as JSON has it, a figure's data beside its title."""
        told = asdict(self)
        told["figures"] = [
            {name: value for name, value in figure.items() if name != "data"} | dict(figure["data"])
            for figure in told["figures"]
        ]
        return told


def of_paper(share: float, n: int) -> Estimate:
    """Return a share that a paper reports of n covers, with the Wilson interval that it lacks."""
    low, high = wilson(share, n)
    return {"value": share, "low": low, "high": high}


def bare(value: float | None) -> Estimate:
    """Return a figure without an interval."""
    return {"value": value, "low": None, "high": None}


def percent(estimate: Estimate | float | None) -> str:
    """Return a share, with its interval where it has one, in the words of a sentence or a terminal.

    Examples
    --------
    >>> percent({"value": 0.384, "low": 0.351, "high": 0.412}), percent(0.1)
    ('38.4 % (35.1–41.2)', '10.0 %')
    """
    if estimate is None:
        return "–"
    given = estimate if isinstance(estimate, dict) else bare(estimate)
    if given["value"] is None:
        return "–"
    told = f"{given['value']:.1%}".replace("%", " %")
    if given["low"] is None or given["high"] is None:
        return told + (f" ({TOO_FEW})" if given.get("too_few") else "")
    return f"{told} ({100 * given['low']:.1f}–{100 * given['high']:.1f})"


def cell_words(cell: Any, kind: str) -> str:
    """Return a cell as a terminal shows it.

    Examples
    --------
    >>> cell_words({"value": 5.5, "low": 3, "high": 8}, "rank"), cell_words(None, "text"), cell_words(12.34, "seconds")
    ('5.5 (3.0–8.0)', '–', '12 s')
    """
    if cell is None or (isinstance(cell, Mapping) and cell["value"] is None):
        return "–"
    if kind == "percent" and not isinstance(cell, str):
        return percent(cell)
    if isinstance(cell, Mapping):
        span = f" ({TOO_FEW})" if cell.get("too_few") else ""
        span = span if cell["low"] is None else f" ({_short(cell['low'])}–{_short(cell['high'])})"
        return f"{_short(cell['value'])}{span}"
    if kind == "seconds":
        return f"{cell:,.0f} s"
    return cell if isinstance(cell, str) else f"{cell:,.0f}" if kind == "count" else _short(cell)


def table_rows(table: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a table, as JSON has it, for a terminal."""
    header = ["", *(f"{column['group']} {column['name']}".strip() for column in table["columns"])]
    kinds = [column["kind"] for column in table["columns"]]
    rows = [
        [row["name"], *(cell_words(cell, kind) for cell, kind in zip(row["cells"], kinds, strict=True))]
        for row in table["rows"]
    ]
    if any(row["remark"] for row in table["rows"]):
        header.append("remark")
        rows = [[*cells, row["remark"] or ""] for cells, row in zip(rows, table["rows"], strict=True)]
    return header, rows


def listed(words: Iterable[str]) -> str:
    """Return words as a sentence lists them.

    Examples
    --------
    >>> listed(["folk", "jazz", "rock"]), listed(["folk"])
    ('folk, jazz and rock', 'folk')
    """
    *first, last = list(words) or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last


def _short(number: float) -> str:
    return f"{number:.1f}" if abs(number) < 100 else f"{number:,.0f}"
