"""Reading what `collect` and `check` report of a dataset: `problems.csv` and `check.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

from sleevenotes.covers.schema import Count, Meta, read_json, read_rows
from sleevenotes.errors import DatasetError

CHECK_NAME = "check.json"
PROBLEMS_NAME = "problems.csv"
FORMAT = 2  # of check.json


class PairReport(TypedDict):
    """Two near-duplicates."""

    a: str
    b: str
    distance: Count
    similarity: Annotated[float, Meta(ge=-1, le=1)]
    differ: NotRequired[bool]


class ClusterReport(TypedDict):
    """Covers of one design."""

    covers: list[str]
    differ: NotRequired[bool]


class NearReport(TypedDict):
    """All near-duplicates."""

    pairs: list[PairReport]
    clusters: NotRequired[list[ClusterReport]]
    covers: NotRequired[Count]


class AcrossReport(TypedDict):
    """Near-duplicates whose genres differ."""

    clusters: Count
    covers: Count


class BrokenReport(TypedDict):
    """A cover that can't be read."""

    file_name: str
    problem: str


class CheckReport(TypedDict):
    """The contents of `check.json`."""

    format: int
    covers: Count
    broken: list[BrokenReport]
    near_duplicates: NearReport
    fingerprint: NotRequired[str]
    few_covers: NotRequired[dict[str, Count]]
    without_genre: NotRequired[Count]
    several_genres: NotRequired[Count]
    changed: NotRequired[list[str]]
    collected: NotRequired[dict[str, Count | None]]
    exact_duplicates: NotRequired[list[list[str]]]
    across_genres: NotRequired[AcrossReport]


class ProblemRow(TypedDict):
    """A row of `problems.csv`."""

    source: str
    problem: str


def read_check(path: Path) -> dict[str, Any]:
    """Return the contents of a `check.json`.

    Raises
    ------
    DatasetError
        If the file is missing or damaged.
    """
    cure = f"Run `sleevenotes check {path.parent}`"
    report: Any = read_json(path, CheckReport, DatasetError, cure, newest=FORMAT)
    return report  # type: ignore[no-any-return]


def read_problems(path: Path) -> list[ProblemRow]:
    """Return the rows of a `problems.csv`.

    Raises
    ------
    DatasetError
        If the file is missing or damaged.
    """
    return list(read_rows(path, ProblemRow, DatasetError, "Delete it, and make the dataset again"))
