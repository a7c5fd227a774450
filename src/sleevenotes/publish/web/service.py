"""What is served: a model, and the dataset beside it where there is one.

A `Service` is made once, before the server starts, and handed to the app; routes get it by `ServiceHere`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from sleevenotes.covers.dataset import CSV_NAME, PARQUET_NAME, Dataset
from sleevenotes.covers.mending import finish
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import SleevenotesError
from sleevenotes.judge.similar import CoverIndex
from sleevenotes.learn import bundles
from sleevenotes.learn.abstention import MAX_RISK, Caution
from sleevenotes.learn.model import Model
from sleevenotes.publish.web.problems import Problem, busy

if TYPE_CHECKING:
    from sleevenotes.judge.explain import Explainer

TABLES = (CSV_NAME, PARQUET_NAME)
RESULT_NAME = "evaluation.json"
PATIENCE_S = 2.0  # for something that another request is having made


class Service:
    """A model, and what can be asked of it.

    Parameters
    ----------
    model
        Whom covers are shown to.
    dataset
        Covers to browse, to search for similar ones and to play with; None where there are none.
    results
        The folder with evaluation.json, audit.json and map.json; that of the model where none is named.
    max_risk
        Of an answer; over it the page and the API say that they can't tell.

    Attributes
    ----------
    model_sha256
        By which evaluations, maps and answers of the game know the model again.
    """

    def __init__(
        self, model: Model, dataset: Dataset | None, results: Path | None = None, *, max_risk: float = MAX_RISK
    ) -> None:
        self.model, self.max_risk = model, max_risk
        self.results = results or model.folder
        self.model_sha256 = model.sha256  # now: another model may take its folder later
        self._dataset = dataset
        self._making, self._explaining, self._indexing = threading.Lock(), threading.Lock(), threading.Lock()

    @classmethod
    def found(cls, model: Path | None, dataset: Path | None, *, max_risk: float = MAX_RISK) -> Service:
        """Return the service of a model's folder, and of what `run` leaves beside it.

        Parameters
        ----------
        model
            None for the one in the box, beside which there is nothing.
        dataset
            None for `dataset/` beside the model, where it is there.

        Raises
        ------
        SleevenotesError
            Where either can't be opened.
        """
        loaded = Model.in_the_box() if model is None else bundles.loaded(model)
        _ = loaded.known  # a damaged list of training covers is an error now, not at every request
        beside = None if model is None else model.resolve().parent
        if dataset is None and beside and any((beside / "dataset" / name).is_file() for name in TABLES):
            dataset = beside / "dataset"
        if dataset is not None:
            finish(dataset)  # what a killed server had begun to mend
        results = beside if beside and (beside / RESULT_NAME).is_file() else None
        return cls(loaded, None if dataset is None else Dataset.open(dataset), results, max_risk=max_risk)

    @property
    def dataset(self) -> Dataset:
        """The dataset.

        Raises
        ------
        Problem
            `unknown`, where the server was started without one.
        """
        if self._dataset is None:
            found = "no dataset is served"
            raise Problem("unknown", SleevenotesError("serve", found, cure="Start it with --dataset DATASET"))
        return self._dataset

    @property
    def task(self) -> Task:
        """What the model asks of a cover."""
        tree = tuple((str(child), str(parent)) for child, parent in self.model.card.get("tree") or ())
        return Task(self.model.task, self.model.genres, tree)

    @property
    def has_dataset(self) -> bool:
        """Whether there is a dataset."""
        return self._dataset is not None

    def replace(self, dataset: Dataset) -> None:
        """Serve a dataset in place of the one before, after a cover's genres were mended."""
        self._dataset = dataset

    @staticmethod
    def id_of(file_name: str) -> str:
        """Return what a cover of the dataset is called in addresses: nothing that could lead anywhere on a disk."""
        return hashlib.sha256(file_name.encode()).hexdigest()[:16]

    def caution(self, max_risk: float | None = None, coverage: float | None = None) -> Caution:
        """Return how careful answers are; the server's greatest risk where none is named.

        A model that was trained before there were risks answers always.
        """
        return self.model.caution(max_risk=self.max_risk if max_risk is None else max_risk, coverage=coverage)

    @cached_property
    def _explainer(self) -> Explainer:
        from sleevenotes.judge.explain import Explainer  # it brings torch, which takes seconds

        return Explainer(self.model)

    @cached_property
    def _index(self) -> CoverIndex:
        return CoverIndex(self.model, self.dataset, quick=True)

    def explainer(self) -> Explainer:
        """Return what draws maps, made when it is first asked for, once whoever asks.

        It listens inside of the network, so only one map at a time may be drawn: within `explaining`.
        """
        with self._making:
            return self._explainer

    @contextmanager
    def explaining(self) -> Iterator[Explainer]:
        """Give what draws maps, to one at a time.

        Raises
        ------
        Problem
            `busy`, where others have it for too long.
        ModelError
            Where the model has no network that can be asked where it looks.
        """
        with _turn(self._explaining, "another map is being drawn"):
            yield self.explainer()

    def index(self) -> CoverIndex:
        """Return what finds similar covers, made when it is first asked for, once whoever asks.

        Raises
        ------
        Problem
            `unknown` without a dataset; `busy` while the index is being made for somebody else.
        """
        self.dataset  # noqa: B018  (to say so where there is none)
        with _turn(self._indexing, "the covers of the dataset are being looked at, which takes a while once"):
            index = self._index
            if index.dataset is not self.dataset:  # a cover's genres were mended since, which moves no cover
                index.dataset = self.dataset
            return index

    def look_ahead(self) -> None:
        """Begin to make the index of similar covers, so that whoever asks first need not wait for all of it."""
        if self.has_dataset:
            threading.Thread(target=self._looked, daemon=True, name="sleevenotes").start()

    def _looked(self) -> None:
        with suppress(SleevenotesError, Problem):  # whoever asks for similar covers is told
            self.index()


@contextmanager
def _turn(lock: threading.Lock, found: str) -> Iterator[None]:
    """Hold a lock, or say what it is held for."""
    if not lock.acquire(timeout=PATIENCE_S):
        raise busy(found, retry_after=5)
    try:
        yield
    finally:
        lock.release()


async def the_service(request: Request) -> Service:
    """Return the service of the app that a request came to.

    It is a coroutine, as FastAPI sends any other function to a thread and back, which takes longer than all else here.
    """
    found: Service = request.app.state.service
    return found


ServiceHere = Annotated[Service, Depends(the_service)]
