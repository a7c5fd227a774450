"""The nearest of many covers by a model's features: every cover compared, or found by an index where they are too many.

Each feature is **standardised** over the covers that are searched (less its mean, divided by its deviation), and a
cover becomes the direction of what is left, a vector of length 1. The **distance** of two covers is 1 less the cosine
between their directions: 0 for the same features, about 1 for covers that have nothing in common, 2 at most.

Why so: features of several networks stand side by side in one model, each on a scale of its own, and without
standardising the largest would decide alone. What lies in the length of the features (contrast, how busy a cover is)
tells less of the genre than their direction does, so that Euclidean distance is worse; and whitening, which makes small
differences as large as great ones, is worse, too. The figures stand in docs/experiments.md.

Parameters that all functions share
-----------------------------------
``rows``, ``asked``
    ``(N, D)`` and ``(m, D)`` float32, each row of length 1: the covers that are searched, and those asked about.
``count``
    How many of the nearest; all there are where there are fewer.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.files import replacing
from sleevenotes.errors import ModelError

Floats = NDArray[np.float32]
Places = NDArray[np.intp]

EXACT_COVERS = 100_000  # up to so many, all are compared
SCORES = 1 << 21  # cosines in memory at a time: 8 MB
BLOCK = 4096  # covers standardised at a time
ASKED = 256  # covers asked about at a time
CONSTANT = 1e-6  # a feature that deviates less, as a share of the largest deviation, tells nothing

SKETCH = 256  # directions of a sketch
SKETCHED = 2000  # covers, fewer of which need none
SAMPLE = 4096  # covers that a sketch's directions are found on
ROUNDING = 1e-5  # of a cosine in float32

LINKS, CARE_BUILT, CARE_ASKED = 16, 128, 256  # of the index: neighbours kept a cover, and how widely it looks
SPARE = 4  # so many times the covers wanted are taken from the index, and compared exactly


class Nearest:
    """Covers laid out by their features, to be asked for the nearest of any others.

    Parameters
    ----------
    features
        (N, D), those of the covers that are searched; they are not changed.
    index
        Whether to ask an index rather than compare all; None leaves it to their number, and to whether the library is
        there.
    kept
        Where the index is kept, so that it is built once; None keeps it nowhere. Must tell one set of covers from
        another.
    quick
        Whether to spend a few seconds and a fifth more memory now, so that one cover is answered some four times as
        fast, and the same: for whoever asks about covers one at a time.

    Attributes
    ----------
    rows
        (N, D), the directions of the covers: as much memory as the features take.
    by_index
        Whether an index is asked.

    Raises
    ------
    ModelError
        Where there is no cover to search, or an index is asked for and its library is not there.

    Examples
    --------
    >>> features = np.array([[0, 4], [1, 4], [4, 1], [3, 0]], dtype=np.float32)
    >>> places, distances = Nearest(features).search(features[:1], 3)
    >>> places.tolist(), distances.astype(float).round(2).tolist()
    ([[0, 1, 3]], [[0.0, 0.06, 1.9]])
    """

    def __init__(
        self, features: Floats, *, index: bool | None = None, kept: Path | None = None, quick: bool = False
    ) -> None:
        if not len(features):
            raise ModelError("similar covers", "no cover to search", "a dataset with covers")
        self.mean, self.spread = moments(features)
        self.rows = self.directions(features)
        self.by_index = index if index is not None else len(features) > EXACT_COVERS and index_at_hand()
        self._graph = graph(self.rows, kept) if self.by_index else None
        worthwhile = len(features) >= SKETCHED and features.shape[1] >= 2 * SKETCH
        self._sketch = sketch(self.rows) if quick and worthwhile and not self.by_index else None

    def directions(self, features: Floats) -> Floats:
        """Return features, (m, D), standardised as those of the covers searched, and of length 1."""
        found = np.empty(features.shape, dtype=np.float32)
        for start in range(0, len(features), BLOCK):
            part = (features[start : start + BLOCK] - self.mean) / self.spread
            length = np.linalg.norm(part, axis=1, keepdims=True)
            found[start : start + BLOCK] = part / np.maximum(length, np.finfo(np.float32).tiny)
        return found

    def search(self, features: Floats, count: int) -> tuple[Places, Floats]:
        """Return places of the nearest covers and their distances, (m, count) each, nearest first.

        Covers equally near come in the order of the table.
        """
        asked = self.directions(features)
        if self._graph is None and self._sketch is not None and len(asked) == 1:
            return sketched(asked[0], self.rows, self._sketch, count)
        if self._graph is None:
            return nearest(asked, self.rows, count)
        return indexed(asked, self.rows, self._graph, count)


def index_at_hand() -> bool:
    """Return whether the library of the index is installed."""
    return find_spec("usearch") is not None


# --- pure functions on arrays -----------------------------------------------------------------------------------------


def moments(features: Floats) -> tuple[Floats, Floats]:
    """Return mean and deviation of each feature, (D,) each; 1 for the deviation of one that does not vary.

    In blocks, so that no second copy of the features is ever in memory.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    squares = np.zeros_like(mean)
    for start in range(0, len(features), BLOCK):
        squares += np.square(features[start : start + BLOCK] - mean).sum(axis=0)
    spread = np.sqrt(squares / len(features))
    spread[spread <= CONSTANT * spread.max(initial=0.0)] = 1.0
    return mean.astype(np.float32), spread.astype(np.float32)


def nearest(asked: Floats, rows: Floats, count: int) -> tuple[Places, Floats]:
    """Return places of the nearest rows and their distances, (m, count) each, with all of them compared.

    Goes through products of blocks, so that the whole (m, N) is never in memory.
    """
    count = min(count, len(rows))
    places = np.empty((len(asked), count), dtype=np.intp)
    distances = np.empty((len(asked), count), dtype=np.float32)
    for start in range(0, len(asked), ASKED):
        part = slice(start, start + ASKED)
        places[part], distances[part] = _nearest(asked[part], rows, count)
    return places, distances


def _nearest(asked: Floats, rows: Floats, count: int) -> tuple[Places, Floats]:
    step = max(1, SCORES // len(asked))
    best = np.zeros((len(asked), 0), dtype=np.intp)
    scores = np.zeros((len(asked), 0), dtype=np.float32)
    for start in range(0, len(rows), step):
        cosines = asked @ rows[start : start + step].T  # (m, step)
        here = largest(cosines, count)
        best = np.concatenate([best, here + start], axis=1)
        scores = np.concatenate([scores, np.take_along_axis(cosines, here, axis=1)], axis=1)
        kept = largest(scores, count)
        best, scores = np.take_along_axis(best, kept, axis=1), np.take_along_axis(scores, kept, axis=1)
    return _sorted(best, scores)


def largest(scores: Floats, count: int) -> Places:
    """Return the places of the largest scores of each row, (m, count), in no order."""
    if scores.shape[1] <= count:
        return np.broadcast_to(np.arange(scores.shape[1]), scores.shape).copy()
    return np.argpartition(scores, -count, axis=1)[:, -count:]


def _sorted(places: Places, cosines: Floats) -> tuple[Places, Floats]:
    """Return places and distances, nearest first."""
    order = np.lexsort((places, -cosines), axis=1)
    distances = np.maximum(0, 1 - np.take_along_axis(cosines, order, axis=1))
    return np.take_along_axis(places, order, axis=1), distances.astype(np.float32)


class Sketch(NamedTuple):
    """What rows are roughly, so that most need not be looked at.

    Attributes
    ----------
    axes
        (D, R), directions at right angles to each other.
    along
        (N, R), each row along these.
    rest
        (N,), the length of what is left of each row beside them.
    """

    axes: Floats
    along: Floats
    rest: Floats


def sketch(rows: Floats) -> Sketch:
    """Return a sketch of rows: along the directions in which they are longest, by a few steps of a power iteration."""
    sample = rows[:: -(-len(rows) // SAMPLE)]
    axes = np.random.default_rng(0).standard_normal((rows.shape[1], SKETCH), dtype=np.float32)
    for _ in range(4):
        axes = np.linalg.qr(sample.T @ (sample @ axes))[0]
    along = rows @ axes
    return Sketch(axes, along, np.sqrt(np.maximum(0, 1 - np.square(along).sum(axis=1))))


def sketched(asked: Floats, rows: Floats, sketch: Sketch, count: int) -> tuple[Places, Floats]:
    """Return what `nearest` does for one direction, (D,), without looking at most of the rows.

    What a cosine gains beside the sketch's axes is at most the product of the two lengths that are left (the inequality
    of Cauchy and Schwarz). So a row whose cosine along them, and that, stay below the cosine of as many rows as are
    wanted can't be among the nearest.
    """
    count = min(count, len(rows))
    along = asked @ sketch.axes  # (R,)
    rough = sketch.along @ along  # (N,)
    hopeful = largest(rough[None], min(len(rows), SPARE * count))[0]
    least = np.partition(rows[hopeful] @ asked, -count)[-count] - ROUNDING
    left = np.sqrt(max(0.0, 1 - float(along @ along)))
    candidates = np.flatnonzero(rough + sketch.rest * np.float32(left) >= least)
    if len(candidates) > len(rows) // 4:  # picking them out would take longer than comparing all
        return nearest(asked[None], rows, count)
    places, distances = nearest(asked[None], rows[candidates], count)
    return candidates[places], distances


# --- the index --------------------------------------------------------------------------------------------------------


def graph(rows: Floats, kept: Path | None = None) -> Any:
    """Return an index of rows: found where it is kept, or built now, which takes minutes, and kept there.

    It is a graph of near covers, walked from far to near; built on all cores, it may differ from one time to the next.

    Notes
    -----
    Malkov and Yashunin, Efficient and robust approximate nearest neighbor search using hierarchical navigable small
    world graphs, IEEE Trans. Pattern Analysis and Machine Intelligence 42 (2020).

    Raises
    ------
    ModelError
        Where its library is not installed.
    """
    try:
        from usearch.index import Index
    except ImportError as cause:
        cure = 'Install it: `pip install "sleevenotes[index]"`; or compare all covers, which is exact and takes longer'
        raise ModelError("index of covers", "usearch is not installed", cure=cure) from cause
    found = _kept(Index, kept, rows.shape)
    if found is not None:
        return found
    built = Index(
        ndim=rows.shape[1], metric="cos", dtype="f16", connectivity=LINKS, expansion_add=CARE_BUILT,
        expansion_search=CARE_ASKED,
    )  # fmt: skip
    built.add(np.arange(len(rows)), rows)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as partial:
            built.save(partial)
    return built


def _kept(index: Any, path: Path | None, shape: tuple[int, ...]) -> Any:
    """Return the index that a file holds; None where there is none of this shape."""
    if path is None or not path.is_file():
        return None
    try:
        found = index.restore(path)
    except (RuntimeError, ValueError, OSError):  # one that can't be read is built again
        return None
    if found is None or (len(found), found.ndim) != shape:
        return None
    found.expansion_search = CARE_ASKED
    return found


def indexed(asked: Floats, rows: Floats, index: Any, count: int) -> tuple[Places, Floats]:
    """Return places of about the nearest rows and their distances, (m, count) each, by an index.

    The index names more than are wanted; these are compared exactly, so that distances are true and only a cover that
    the index has not named can be missing.
    """
    count = min(count, len(rows))
    named = index.search(asked, min(len(rows), SPARE * count))
    candidates = np.asarray(named.keys, dtype=np.intp).reshape(len(asked), -1)
    cosines = np.einsum("md,mcd->mc", asked, rows[candidates], optimize=True).astype(np.float32)
    kept = largest(cosines, count)
    return _sorted(np.take_along_axis(candidates, kept, axis=1), np.take_along_axis(cosines, kept, axis=1))
