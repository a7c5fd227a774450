"""The ledger of what was fetched: `sources.csv`, a row a URL, written as it happens and put in order at the end.

Its columns are `url, when, status, bytes, sha256, file, problem, terms`: when is in UTC, status is that of the last
answer (0 where there was none), file lies in the dataset, and terms are those that were noted when it was fetched. A
row with a problem is a URL that failed. While fetching goes on a row is added behind the others, and the last one of a
URL counts; so whenever it is killed, all that came before is known.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from types import TracebackType

from sleevenotes.covers.files import replacing
from sleevenotes.errors import SourceError

LEDGER_NAME = "sources.csv"
DOWNLOADS_NAME = ".downloads"


@dataclass(frozen=True)
class Row:
    """What became of one URL; a problem is a sentence, or empty where its file is whole."""

    url: str
    when: str
    status: int = 0
    bytes: int = 0
    sha256: str = ""
    file: str = ""
    problem: str = ""
    terms: str = ""


COLUMNS = tuple(field.name for field in fields(Row))


def file_for(url: str) -> str:
    """Return where in the dataset the file of a URL lies, by the hash of the URL.

    Examples
    --------
    >>> file_for("https://example.org/a.jpg")
    '.downloads/700caca5ae8f856fc70b39312664d5c9'
    """
    return f"{DOWNLOADS_NAME}/{hashlib.sha256(url.encode('utf-8', 'replace')).hexdigest()[:32]}"


class Ledger:
    """What is known of each URL.

    Parameters
    ----------
    folder
        The dataset.
    read
        Whether to read what is there; where nothing is fetched, a file of that name is none of our business.

    Raises
    ------
    SourceError
        Where there is a ledger that is none of ours.
    """

    def __init__(self, folder: Path, *, read: bool = True) -> None:
        self.folder, self.path = folder, folder / LEDGER_NAME
        self.rows: dict[str, Row] = _read(self.path) if read else {}
        self._file: io.TextIOWrapper | None = None

    def __enter__(self) -> Ledger:
        """Open it for adding rows, behind the last one that is whole."""
        (self.folder / DOWNLOADS_NAME).mkdir(parents=True, exist_ok=True)
        self._rewrite(self.rows.values())
        self._file = self.path.open("a", encoding="utf-8", errors="backslashreplace", newline="")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def add(self, row: Row) -> None:
        """Note what became of a URL, at once."""
        self.rows[row.url] = row
        if self._file is None:
            raise ValueError("the ledger is not open")
        csv.writer(self._file, lineterminator="\n").writerow(astuple(row))
        self._file.flush()

    def has(self, url: str) -> bool:
        """Return whether a URL's file was fetched and lies there as it came."""
        row = self.rows.get(url)
        if row is None or not row.file:
            return False
        try:
            return (self.folder / row.file).stat().st_size == row.bytes
        except OSError:
            return False

    def failed(self, url: str) -> Row | None:
        """Return the row of a URL that failed before anything was kept of it."""
        row = self.rows.get(url)
        return row if row is not None and row.problem and not row.file else None

    def forget_failed(self) -> int:
        """Forget all URLs that failed, so that they are fetched again; return how many there were."""
        failed = [url for url, row in self.rows.items() if row.problem]
        for url in failed:
            del self.rows[url]
        return len(failed)

    def judge(self, urls: Iterable[str], problems: Mapping[str, str]) -> None:
        """Note of fetched files, which were looked at, whether they can be used as covers."""
        for url in urls:
            self.rows[url] = replace(self.rows[url], problem=problems.get(url, ""))

    def finish(self, order: Iterable[str]) -> None:
        """Write it anew, a row a URL, in the order of the table, and behind that what other tables named."""
        listed = [self.rows[url] for url in dict.fromkeys(order) if url in self.rows]
        known = {row.url for row in listed}
        self._rewrite([*listed, *(row for url, row in self.rows.items() if url not in known)])

    def _rewrite(self, rows: Iterable[Row]) -> None:
        with (
            replacing(self.path) as partial,
            partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(astuple(row) for row in rows)


def _read(path: Path) -> dict[str, Row]:
    """Read the ledger up to the first row that is not whole: killed, it may end in half a row."""
    if not path.exists():
        return {}
    text = path.read_bytes().decode("utf-8", "replace")
    whole = text[: text.rfind("\n") + 1]
    cure = "Collect into another folder with `-o`"
    try:
        header, *lines = list(csv.reader(io.StringIO(whole, newline=""))) or [[]]
    except csv.Error as cause:
        raise SourceError(str(path), "no CSV table", "", cure) from cause
    if tuple(header) != COLUMNS:
        raise SourceError(str(path), "no ledger of `collect`", f"the columns {', '.join(COLUMNS)}", cure)
    rows = {}
    for line in lines:
        try:
            url, when, status, size, *texts = line
            row = Row(url, when, int(status), int(size), *texts)
        except (ValueError, TypeError):
            continue
        rows[url] = row
    return rows
