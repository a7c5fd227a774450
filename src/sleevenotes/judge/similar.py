"""Similar covers: which covers of a dataset are nearest to one that is asked about, as a model sees them.

Near is what has features alike (`sleevenotes.learn.nearest` says how the distance is made): often the same colours,
type and composition, not the same genre. The very same picture would always be nearest, so it is told apart: `same
file`, or `near-duplicate` by the rules of `sleevenotes.covers.duplicates`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.duplicates import SIZE_PX, clusters, find
from sleevenotes.covers.images import Pixels, sha256
from sleevenotes.covers.pixels import iter_covers
from sleevenotes.errors import CoverError, ModelError
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.model import Model
from sleevenotes.learn.nearest import EXACT_COVERS, Nearest, index_at_hand

TOP = 10
BATCH = 16
SPARE = 6  # more than are wanted, so that a few near-duplicates can be left out without asking again
SAME_FILE, NEAR_DUPLICATE = "same file", "near-duplicate"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Neighbor:
    """A cover of the dataset near to one asked about.

    Parameters
    ----------
    file_name
        Its path in the dataset.
    distance
        0 for the same features, about 1 for nothing in common, 2 at most.
    genres, artist, album, split
        As the dataset has them; empty where it does not know.
    relation
        `same file` or `near-duplicate` of the cover asked about; empty for another cover.
    """

    file_name: str
    distance: float
    genres: tuple[str, ...]
    artist: str
    album: str
    split: str
    relation: str = ""


@dataclass(frozen=True)
class Similar:
    """A cover asked about, and its neighbours.

    Parameters
    ----------
    file
        The cover, as it was given.
    neighbors
        The nearest first; none where the cover can't be read.
    error
        Why it can't be read; None where it can.
    """

    file: str
    neighbors: tuple[Neighbor, ...]
    error: str | None = None


class CoverIndex:
    """A dataset's covers as a model sees them, made once and asked as often as one likes.

    Parameters
    ----------
    model
        Whose features count.
    dataset
        The covers that are searched.
    index
        Whether to ask an index rather than compare all; None leaves it to the number of covers (over 100,000), and to
        whether its library is there.
    quick
        Whether to spend a few seconds now, so that one cover is answered faster: for whoever asks one at a time.
    progress
        Called with (done, total) while features are computed; they are kept in the dataset's cache.

    Raises
    ------
    CoverError
        Where a cover of the dataset can't be decoded.
    ModelError
        Where the dataset is empty, or an index is asked for and its library is not installed.
    """

    def __init__(
        self,
        model: Model,
        dataset: Dataset,
        *,
        index: bool | None = None,
        quick: bool = False,
        progress: Progress | None = None,
    ) -> None:
        if not len(dataset):
            raise ModelError(str(dataset.folder), "no cover to search", "a dataset with covers")
        self.model, self.dataset = model, dataset
        features = dataset_features(dataset, model.extractor, progress=progress)
        self.nearest = Nearest(features, index=index, kept=_kept(model, dataset), quick=quick)
        self._told = {name: dataset.column(name) for name in ("artist", "album", "split")}

    @property
    def words(self) -> str:
        """How the covers are searched, in a sentence."""
        count = f"{len(self.dataset):,} covers"
        if self.nearest.by_index:
            return f"An index of {count} was asked: it finds nearly all of the nearest; distances are exact."
        if len(self.dataset) > EXACT_COVERS and not index_at_hand():
            return f'All {count} were compared; `pip install "sleevenotes[index]"` adds an index, which is faster.'
        return f"All {count} were compared."

    def ask(
        self,
        covers: Iterable[Path | bytes],
        *,
        names: Sequence[str] | None = None,
        top: int = TOP,
        duplicates: bool = True,
    ) -> Iterator[Similar]:
        """Yield the nearest covers of each cover, in order; memory stays flat.

        Parameters
        ----------
        covers
            Files, or their bytes.
        names
            What to call them; where none are given, the path, or "cover 1" for the first one's bytes.
        top
            How many neighbours.
        duplicates
            Whether the cover itself and its near-duplicates are among them, marked, or are left out.
        """
        sources = list(covers)
        called = list(names) if names is not None else [_called(one, at) for at, one in enumerate(sources, start=1)]
        waiting: list[tuple[int, Pixels | CoverError]] = []
        for at, pixels in iter_covers(sources, size_px=self.model.extractor.size_px):
            waiting.append((at, pixels))
            if len(waiting) == BATCH or at == len(sources) - 1:
                yield from self._answers(waiting, sources, called, (top, duplicates))
                waiting = []

    def near(self, features: NDArray[np.float32], count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return rows of the dataset and their distances, (m, count) each, nearest first, for features, (m, D)."""
        return self.nearest.search(features, count)

    def _answers(
        self,
        waiting: Sequence[tuple[int, Pixels | CoverError]],
        sources: Sequence[Path | bytes],
        called: Sequence[str],
        wanted: tuple[int, bool],
    ) -> Iterator[Similar]:
        readable = [pixels for _, pixels in waiting if not isinstance(pixels, CoverError)]
        rows = iter(self.model.extractor.features(np.stack(readable)) if readable else ())
        for at, pixels in waiting:
            if isinstance(pixels, CoverError):
                yield Similar(called[at], (), pixels.about(called[at]).sentence)
            else:
                yield Similar(called[at], self._neighbors(next(rows), sources[at], *wanted))

    def _neighbors(
        self, features: NDArray[np.float32], source: Path | bytes, top: int, duplicates: bool
    ) -> tuple[Neighbor, ...]:
        """Return the neighbours of one cover; where duplicates go, ask for more until there are enough."""
        count = top if duplicates else top + SPARE
        while True:
            rows, distances = self.near(features[None], count)
            marked = relations(source, self.dataset, rows[0])
            kept = [at for at, relation in enumerate(marked) if duplicates or not relation][:top]
            if len(kept) == top or len(rows[0]) < count or count >= len(self.dataset):
                return tuple(self._neighbor(int(rows[0][at]), float(distances[0][at]), marked[at]) for at in kept)
            count *= 2

    def _neighbor(self, row: int, distance: float, relation: str) -> Neighbor:
        told = {name: cells[row] for name, cells in self._told.items()}
        return Neighbor(
            self.dataset.file_names[row], round(distance, 6), self.dataset.genre_lists[row], **told, relation=relation
        )


def similar(
    model: Model,
    dataset: Dataset,
    covers: Iterable[Path | bytes],
    *,
    top: int = TOP,
    duplicates: bool = True,
    progress: Progress | None = None,
) -> list[Similar]:
    """Return the nearest covers of each cover among those of a dataset.

    Parameters
    ----------
    model
        Whose features count.
    dataset
        The covers that are searched; all of them, whatever their split.
    covers
        Files, or their bytes.
    top
        How many neighbours.
    duplicates
        Whether the cover itself and its near-duplicates are among them, marked, or are left out.
    progress
        Called with (done, total) while the dataset's features are computed.

    Raises
    ------
    CoverError
        Where a cover of the dataset can't be decoded; one asked about gets its error into its answer.
    ModelError
        Where the dataset is empty.
    """
    return list(CoverIndex(model, dataset, progress=progress).ask(covers, top=top, duplicates=duplicates))


def as_mapping(answer: Similar) -> dict[str, Any]:
    """Return an answer as JSON has it."""
    told = [
        {"file_name": each.file_name, "distance": each.distance, "genres": list(each.genres), "artist": each.artist,
         "album": each.album, "split": each.split, "relation": each.relation}
        for each in answer.neighbors
    ]  # fmt: skip
    return {"file": answer.file, "similar": told, "error": answer.error}


def relations(source: Path | bytes, dataset: Dataset, rows: Sequence[int] | NDArray[np.intp]) -> list[str]:
    """Return what each of some covers of a dataset is to a cover: `same file`, `near-duplicate`, or empty.

    A cover of the dataset that can't be read any more is neither.
    """
    digest = sha256(source.read_bytes() if isinstance(source, Path) else source)
    pictures = [source, *(dataset.path(int(row)) for row in rows)]
    read = [(at, pixels) for at, pixels in iter_covers(pictures, size_px=SIZE_PX) if not isinstance(pixels, CoverError)]
    pairs = find(np.stack([pixels for _, pixels in read]))
    alike = {read[at][0] for members in clusters(len(read), pairs) if 0 in members for at in members}
    same = [dataset.digests[int(row)] == digest for row in rows]
    return [SAME_FILE if equal else NEAR_DUPLICATE if at in alike else "" for at, equal in enumerate(same, start=1)]


def _called(source: Path | bytes, at: int) -> str:
    return str(source) if isinstance(source, Path) else f"cover {at}"


def _kept(model: Model, dataset: Dataset) -> Path:
    """Return where an index of these covers as this model sees them is kept."""
    covers = hashlib.sha256("\n".join(dataset.digests).encode()).hexdigest()[:16]
    return dataset.cache / f"index-{model.extractor.key}-{covers}.usearch"
