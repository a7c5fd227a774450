"""What the page shows of a dataset, worked out once: its shelf, its pictures, its map; and the mending of its genres.

A shelf is made anew when the dataset is another, such as after a cover's genres were mended. The map is read from the
results, or made in the background, where it stays in the dataset's cache.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import Depends, Request

from sleevenotes.covers.dataset import SEPARATOR, Dataset
from sleevenotes.covers.mending import Change, finish, mend, undo
from sleevenotes.errors import ChangedMeanwhile, EvaluationError, SleevenotesError, StoreBusy
from sleevenotes.judge.schemas import read_map, read_places
from sleevenotes.learn.model import EVALUATION_NAME
from sleevenotes.publish.results import MAP_NAME, PLACES_NAME
from sleevenotes.publish.web.browsing import Said, Shelf, shelved
from sleevenotes.publish.web.figures import fits, results_of
from sleevenotes.publish.web.problems import Problem, busy, unknown
from sleevenotes.publish.web.service import Service
from sleevenotes.publish.web.thumbs import Thumbs

CACHED_MAP = "map"  # the folder in the dataset's cache
RETRY_S = 5  # until a map that is being made is worth asking for again


@dataclass(frozen=True)
class Places:
    """Where covers lie on the map.

    Parameters
    ----------
    at
        x and y, 0 to 1, up is larger, by file name.
    method
        How they were laid out.
    words
        What the map is worth.
    """

    at: Mapping[str, tuple[float, float]]
    method: str
    words: str


class Holdings:
    """A service's dataset, as the page shows it.

    Parameters
    ----------
    service
        With a dataset.
    """

    def __init__(self, service: Service) -> None:
        self.service, self.thumbs = service, Thumbs()
        self._shelf: Shelf | None = None
        self._said: tuple[int, Said] = (0, {})  # when the evaluation was written, and what it says
        self._places: Places | None = None
        self._failure: SleevenotesError | None = None
        self._maker: threading.Thread | None = None
        self._shelving, self._mending, self._mapping = threading.Lock(), threading.Lock(), threading.Lock()

    def shelf(self) -> Shelf:
        """Return the covers, ready to be browsed."""
        with self._shelving:
            dataset, before = self.service.dataset, self._said
            said = self._said_by_now()
            if self._shelf is None or self._shelf.dataset is not dataset or self._said is not before:
                ids = [Service.id_of(name) for name in dataset.file_names]
                self._shelf = shelved(dataset, ids, said, self.service.task)
            return self._shelf

    def row(self, name: str) -> int:
        """Return the row of a cover that is called so in addresses.

        Raises
        ------
        Problem
            `unknown`, where none is.
        """
        row = self.shelf().rows.get(name)
        if row is None:
            raise unknown(f"cover {name}", "not in this dataset", "Look at the dataset again")
        return row

    def _said_by_now(self) -> Said:
        """Return what the model said of covers when it was evaluated, read anew when that was done again."""
        path = results_of(self.service) / EVALUATION_NAME
        written = path.stat().st_mtime_ns if path.is_file() else 0
        if written != self._said[0]:
            self._said = (written, said_by(self.service))
        return self._said[1]

    # ---------------------------------------------------------------------------- mending

    def mend(self, row: int, genres: list[str], *, who: str, before: list[str] | None = None) -> Change:
        """Give a cover other genres, and serve the dataset with it.

        Parameters
        ----------
        row
            Of the cover.
        genres
            The first one primary.
        who
            A nickname.
        before
            The genres that whoever mends has seen; None where that is not told.

        Raises
        ------
        Problem
            `conflict` where the cover is another by now; `forbidden` where the dataset can't be written; `busy` while
            another program writes to it.
        SleevenotesError
            Where it can't be done.
        """
        name = self.shelf().dataset.file_names[row]

        def change(dataset: Dataset) -> tuple[Dataset, Change]:
            now = dataset.genre_lists[dataset.file_names.index(name)] if name in dataset.file_names else ()
            if before is not None and tuple(before) != now:
                found = f"its genres are {SEPARATOR.join(now) or 'none'} by now"
                raise ChangedMeanwhile(name, found, cure="Look at it again")
            return mend(dataset, name, genres=genres, who=who)

        return self._changed(change)

    def undo(self, number: int, *, who: str) -> Change:
        """Undo a change, and serve the dataset with it; problems are those of `mend`."""
        return self._changed(lambda dataset: undo(dataset, number, who=who))

    def settle(self) -> None:
        """Finish what another process on the same dataset left of a change, where it was killed meanwhile."""
        with self._mending:
            if finish(self.service.dataset.folder):
                self._reopen()

    def _changed(self, change: Callable[[Dataset], tuple[Dataset, Change]]) -> Change:
        with self._mending:  # so that no older dataset is served after a newer one
            try:
                dataset, made = change(self.service.dataset)
            except ChangedMeanwhile as error:
                self._reopen()
                raise Problem("conflict", error) from error
            except StoreBusy as error:  # without the process and the host, which are no business of whoever asks
                raise busy("another program is changing the dataset, which takes a while") from error
            except SleevenotesError as error:
                if isinstance(error.__cause__, OSError):
                    raise Problem("forbidden", error) from error
                raise
            self.service.replace(dataset)
            return made

    def _reopen(self) -> None:
        self.service.replace(Dataset.open(self.service.dataset.folder, files=False))

    # ---------------------------------------------------------------------------- the map

    def places(self) -> Places:
        """Return where covers lie on the map: that of the results where it is of these covers, else one made now.

        Raises
        ------
        Problem
            `busy`, while it is being made.
        EvaluationError
            Where there are too few covers for a map.
        """
        with self._mapping:
            if self._places is None and self._maker is None:
                cached = self.service.dataset.cache / CACHED_MAP
                self._places = self._read_map(results_of(self.service)) or self._read_map(cached)
            if self._places is not None:
                return self._places
            if self._failure is not None:
                raise self._failure
            if self._maker is None:
                self._maker = threading.Thread(target=self._make_map, daemon=True, name="sleevenotes map")
                self._maker.start()
        raise busy("the map is being made, which takes a while once", retry_after=RETRY_S)

    def _read_map(self, folder: Path) -> Places | None:
        """Return the map in a folder, where it is of this model and of covers of this dataset; else None."""
        path, table = folder / MAP_NAME, folder / PLACES_NAME
        if not path.is_file() or not table.is_file():
            return None
        told = read_map(path)
        same_model = told["model_sha256"] == self.service.model_sha256
        covers = told["dataset"].get("covers")
        at = {row["file_name"]: (row["x"], row["y"]) for row in read_places(table)}
        # where covers lie has nothing to do with their genres, which may have been mended since
        if (
            not same_model
            or told.get("n", len(at)) != len(at)
            or covers != len(self.service.dataset)
            or not at.keys() <= set(self.service.dataset.file_names)
        ):
            return None
        return Places(at, str(told.get("layout") or ""), str(told.get("words") or ""))

    def _make_map(self) -> None:
        from sleevenotes.judge.cover_map import cover_map  # it brings scikit-learn

        dataset = self.service.dataset
        writable = os.access(dataset.cache if dataset.cache.exists() else dataset.folder, os.W_OK)
        try:
            with TemporaryDirectory() as elsewhere:
                folder = dataset.cache / CACHED_MAP if writable else Path(elsewhere)
                cover_map(self.service.model, dataset, folder)
                self._places = self._read_map(folder)
            if self._places is None:  # else it would be made again, and again
                found = "it is not of the model and the covers that are served, as these changed while it was made"
                raise EvaluationError("map", found, cure="Start the server again")
        except SleevenotesError as error:
            self._failure = error
        except Exception as error:  # a bug: whoever asks is told, and the log gets the traceback
            self._failure = EvaluationError("map", f"it can't be made ({error!r})")
            raise
        finally:
            self._maker = None


def said_by(service: Service) -> Said:
    """Return what a model said of covers when it was evaluated; nothing where it was not, or another model was."""
    from sleevenotes.judge.recorded import read_recorded

    try:
        recorded = read_recorded(results_of(service))
    except EvaluationError:  # the model's page tells of it
        return {}
    if not fits(recorded.evaluation, service):
        return {}
    genres, best = recorded.task.genres, recorded.proba.argmax(axis=1).tolist()
    highest = recorded.proba.max(axis=1).clip(0, 1).round(6).tolist()
    now = dict(zip(service.dataset.file_names, service.dataset.digests, strict=True))
    answers = zip(recorded.file_names, recorded.digests, best, highest, strict=True)
    return {name: (genres[at], proba) for name, digest, at, proba in answers if now.get(name) == digest}


_MAKING = threading.Lock()


def the_holdings(request: Request) -> Holdings:
    """Return the holdings of the app that a request came to, made when they are first asked for."""
    state = request.app.state
    with _MAKING:
        if not hasattr(state, "holdings"):
            state.holdings = Holdings(state.service)
        found: Holdings = state.holdings
        return found


HoldingsHere = Annotated[Holdings, Depends(the_holdings)]
