"""What people guessed about covers: a store in the dataset's folder that many can write to at once.

`people.sqlite` has a table of players, of their rounds, of the covers dealt in each, and of the answers:

======= =============================================================================================================
table   columns
======= =============================================================================================================
players `player`, `nickname` as typed, `folded` (the same in small letters, by which a player is known again)
rounds  `round`, `player`, `started`, `genres` to choose from (`;` between them), `commonest` genre of train
dealt   `round`, `number` from 1, `file_name`, `sha256`
answers `round`, `number`, `truth` at that time, `guess`, `answered`, `model`, `model_sha256`, `model_genre`,
        `model_proba`
======= =============================================================================================================

Times are UTC, to the minute. Nothing else of a person is kept. An answer is one short transaction that is on the disk
before it is acknowledged (write-ahead log, `synchronous=FULL`), so that a process that is killed takes none with it; a
cover of a round has one answer and no other, as the tables themselves see to.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sleevenotes.covers.dataset import SEPARATOR
from sleevenotes.covers.files import one_line
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import DatasetError, SleevenotesError, StoreBusy

STORE_NAME = "people.sqlite"
FORMAT = 1
MAX_NICKNAME = 40  # letters
BUSY_S = 10.0  # how long a writer waits for others; each is done within milliseconds
_RETRY_S = 0.02
NOBODY = "nobody has played yet"
TABLES = (
    """CREATE TABLE players (
        player INTEGER PRIMARY KEY,
        nickname TEXT NOT NULL,
        folded TEXT NOT NULL UNIQUE
    )""",
    """CREATE TABLE rounds (
        round TEXT PRIMARY KEY,
        player INTEGER NOT NULL REFERENCES players,
        started TEXT NOT NULL,
        genres TEXT NOT NULL,
        commonest TEXT NOT NULL
    )""",
    """CREATE TABLE dealt (
        round TEXT NOT NULL REFERENCES rounds,
        number INTEGER NOT NULL CHECK (number > 0),
        file_name TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        PRIMARY KEY (round, number),
        UNIQUE (round, sha256)
    ) WITHOUT ROWID""",
    """CREATE TABLE answers (
        round TEXT NOT NULL,
        number INTEGER NOT NULL,
        truth TEXT NOT NULL,
        guess TEXT NOT NULL,
        answered TEXT NOT NULL,
        model TEXT NOT NULL,
        model_sha256 TEXT NOT NULL,
        model_genre TEXT,
        model_proba REAL,
        PRIMARY KEY (round, number),
        FOREIGN KEY (round, number) REFERENCES dealt (round, number)
    ) WITHOUT ROWID""",
)
_ALL = """SELECT player, rounds.round, number, file_name, sha256, genres, commonest, truth, guess, model, model_sha256,
    model_genre, model_proba FROM answers JOIN dealt USING (round, number) JOIN rounds USING (round)
    ORDER BY answered, rounds.rowid, number"""


class Dealt(NamedTuple):
    """A cover that is shown in a round."""

    file_name: str
    sha256: str


class Answer(NamedTuple):
    """What was said of a cover of a round, by a player and by the model.

    Attributes
    ----------
    truth
        The cover's genres when the answer was given.
    guess
        What the player said.
    model, model_sha256
        The model that was asked beside the player, and the SHA-256 of its card.
    model_genre, model_proba
        What it said, and how likely it held that; None where it knows none of the genres, or can't read the cover.
    """

    truth: tuple[str, ...]
    guess: str
    model: str
    model_sha256: str
    model_genre: str | None
    model_proba: float | None


@dataclass(frozen=True)
class Round:
    """A round of the game.

    Attributes
    ----------
    round
        Its name, 16 hexadecimal digits.
    nickname
        Of the player.
    genres
        To choose from, in order.
    commonest
        The genre of most covers in train: what guessing says.
    covers
        In the order in which they are shown.
    answers
        By the cover's number, from 1.
    """

    round: str
    nickname: str
    genres: tuple[str, ...]
    commonest: str
    covers: tuple[Dealt, ...]
    answers: Mapping[int, Answer]


class Guess(NamedTuple):
    """An answer, with whose it is and of what; the fields of `Answer` and `Round`, player and round numbered from 1."""

    player: int
    round: int
    number: int
    file_name: str
    sha256: str
    genres: tuple[str, ...]
    commonest: str
    answer: Answer


class Guesses:
    """The store of one dataset, for any number of threads; other processes may have it open, too.

    Parameters
    ----------
    path
        Of the store.
    connection
        To it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path) -> Guesses:
        """Open the store in a dataset's folder, and make it where there is none.

        Raises
        ------
        DatasetError
            Where it can't be written to, is none, or is of a newer version.
        """
        path = folder / STORE_NAME
        with _told(path):
            connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            try:
                _prepare(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    def close(self) -> None:
        """Let the store go; what was answered is in it."""
        with self._lock:
            self._connection.close()

    def start(
        self,
        nickname: str,
        genres: Sequence[str],
        *,
        commonest: str,
        choose: Callable[[str, Mapping[str, int]], Sequence[Dealt]],
    ) -> Round:
        """Begin a round.

        Parameters
        ----------
        nickname
            As `cleaned` returns it.
        genres
            To choose from.
        commonest
            The genre of most covers in train.
        choose
            Of the round's name, and of how often this player was dealt each cover (by SHA-256), the covers to show. It
            is called while nobody else can write, so that two rounds begun at once do not get the same covers.
        """
        name = secrets.token_hex(8)
        with self._writing() as connection:
            folded = nickname.casefold()
            connection.execute("INSERT OR IGNORE INTO players (nickname, folded) VALUES (?, ?)", (nickname, folded))
            (player,) = connection.execute("SELECT player FROM players WHERE folded = ?", (folded,)).fetchone()
            seen = "SELECT sha256, COUNT(*) FROM dealt JOIN rounds USING (round) WHERE player = ? GROUP BY sha256"
            covers = tuple(choose(name, dict(connection.execute(seen, (player,)).fetchall())))
            row = (name, player, _now(), SEPARATOR.join(genres), commonest)
            connection.execute("INSERT INTO rounds VALUES (?, ?, ?, ?, ?)", row)
            rows = [(name, number, *cover) for number, cover in enumerate(covers, start=1)]
            connection.executemany("INSERT INTO dealt VALUES (?, ?, ?, ?)", rows)
        return Round(name, nickname, tuple(genres), commonest, covers, {})

    def round(self, name: str) -> Round | None:
        """Return a round as it stands; None where there is none of that name."""
        with self._reading() as connection:
            asked = "SELECT nickname, genres, commonest FROM rounds JOIN players USING (player) WHERE round = ?"
            found = connection.execute(asked, (name,)).fetchone()
            if found is None:
                return None
            dealt = "SELECT file_name, sha256 FROM dealt WHERE round = ? ORDER BY number"
            covers = tuple(Dealt(*row) for row in connection.execute(dealt, (name,)))
            answers = {number: _answer(row) for number, *row in connection.execute(_answers_of("round = ?"), (name,))}
        return Round(name, found[0], _split(found[1]), found[2], covers, answers)

    def answer(self, name: str, number: int, answer: Answer) -> Answer:
        """Keep an answer, unless that cover has one; return the one that is kept.

        When this returns, the answer is on the disk.

        Raises
        ------
        DatasetError
            Where the round has no such cover.
        StoreBusy
            Where others write for longer than anybody should have to wait.
        """
        row = (name, number, SEPARATOR.join(answer.truth), answer.guess, _now(), *answer[2:])
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (round, number) DO NOTHING", row
            )
            kept = connection.execute(_answers_of("round = ? AND number = ?"), (name, number)).fetchone()
        return _answer(kept[1:])

    def all(self) -> list[Guess]:
        """Return every answer in the order of their minutes, those of one minute in the order of rounds."""
        with self._reading() as connection:
            return _guesses(connection.execute(_ALL).fetchall())

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _told(self.path), _transaction(self._connection, "IMMEDIATE"):
            yield self._connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give a view of one moment, however many are writing."""
        with self._lock, _told(self.path), _transaction(self._connection, "DEFERRED"):
            yield self._connection


def read_guesses(folder: Path) -> list[Guess]:
    """Return all that people guessed about a dataset's covers, as `Guesses.all` does.

    Raises
    ------
    DatasetError
        Where nobody has played yet, or the store can't be read.
    """
    path = folder / STORE_NAME
    cure = (
        f"Start `sleevenotes serve MODEL --dataset {folder}`, open the address that it prints with `#/play` at its end"
    )
    nobody = DatasetError(str(folder), NOBODY, cure=f"{cure}, and play a round")
    if not path.is_file():
        raise nobody
    with _told(path), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as found:
        if _version(found, path):
            guesses = _guesses(found.execute(_ALL).fetchall())
        else:  # made, and its maker was killed before there was a table
            guesses = []
    if not guesses:
        raise nobody
    return guesses


# -------------------------------------------------------------------------------- what is kept


def cleaned(nickname: str) -> str:
    r"""Return a nickname as it is kept: one line, no space around it, nothing that can't be seen.

    Raises
    ------
    SleevenotesError
        Where nothing is left, or more than 40 letters.

    Examples
    --------
    >>> cleaned("  Ada \n Lovelace ")
    'Ada Lovelace'
    """
    kept = one_line(nickname)
    if not kept:
        raise SleevenotesError(
            "nickname", "nothing in it", "a name of your choice", "Any will do; it need not be yours"
        )
    if len(kept) > MAX_NICKNAME:
        raise SleevenotesError("nickname", f"{len(kept)} letters", f"At most {MAX_NICKNAME} are kept", "Shorten it")
    return kept


def truth_in_words(task: Task, genres: Sequence[str]) -> tuple[str, ...]:
    """Return what is right to say of a cover under a task; its genres as they stand where the task has no answer.

    Examples
    --------
    >>> truth_in_words(Task("binary", ("prog", "not prog")), ("folk", "jazz"))
    ('not prog',)
    >>> truth_in_words(Task("multi", ("folk", "rock"), (("grunge", "rock"),)), ("grunge", "drone"))
    ('rock',)
    """
    if not task.answerable([genres])[0]:
        return tuple(genres)
    named = task.named(task.truth([genres]))[0]
    return _split(named)


# -------------------------------------------------------------------------------- the file


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Set how the store is written, and make its tables where it has none."""
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    if _version(connection, path):
        return
    with _transaction(connection, "IMMEDIATE"):
        if not _version(connection, path):  # no other process was faster
            for table in TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA user_version = {FORMAT}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn the write-ahead log on; SQLite itself does not wait where two processes do that at once."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(_RETRY_S)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a store, 0 where it has no tables yet; refuse a newer one."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > FORMAT:
        raise DatasetError(
            str(path), f"format {version}", f"At most format {FORMAT} is read here", "Update sleevenotes"
        )
    return int(version)


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    """Do all or nothing."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what is wrong with a store in a sentence."""
    try:
        yield
    except sqlite3.IntegrityError as cause:
        raise DatasetError(str(path), f"an answer to what was never asked ({cause})", "a cover of a round") from cause
    except sqlite3.OperationalError as cause:
        if _is_busy(cause):
            waited = f"others have been writing for {BUSY_S:.0f} s"
            raise StoreBusy(str(path), waited, cure="Try again in a moment") from cause
        cure = "Make its folder writable, on a disk of this machine with room left"
        raise DatasetError(str(path), f"can't be read or written ({cause})", cure=cure) from cause
    except sqlite3.DatabaseError as cause:
        raise DatasetError(
            str(path), f"no store of answers ({cause})", cure="Move it away; a new one is made"
        ) from cause


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _answers_of(which: str) -> str:
    columns = "number, truth, guess, model, model_sha256, model_genre, model_proba"
    return f"SELECT {columns} FROM answers WHERE {which} ORDER BY number"


def _answer(row: Sequence[Any]) -> Answer:
    return Answer(_split(row[0]), *row[1:])


def _guesses(rows: Sequence[Sequence[Any]]) -> list[Guess]:
    rounds: dict[str, int] = {}
    players: dict[int, int] = {}
    found = []
    for player, name, number, file_name, sha256, genres, commonest, *answer in rows:
        who = players.setdefault(player, len(players) + 1)
        which = rounds.setdefault(name, len(rounds) + 1)
        found.append(Guess(who, which, number, file_name, sha256, _split(genres), commonest, _answer(answer)))
    return found


def _split(cell: str) -> tuple[str, ...]:
    return tuple(part for part in cell.split(SEPARATOR) if part)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
