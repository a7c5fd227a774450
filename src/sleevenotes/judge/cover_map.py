"""A map of all covers in two dimensions: those lie together that a model sees alike.

Conventions
-----------
``features``
    ``(n, D)``, those of the covers on the map, of every split.
``places``
    ``(n, 2)``, 0 to 1, wider than high; up is larger.
``shares``
    ``(n, n)`` bool, whether two covers have a genre in common.

The layout is t-SNE: it keeps who is near to whom, and nothing else. How far apart two heaps of covers are, how large
one is and where on the map it lies mean nothing. So how well neighbours share a genre is not measured on the map, but
among the features it is made of (`purity`).

Source of the layout: L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", J. Machine Learning Research 9
(2008), begun from the first two principal components as D. Kobak and P. Berens, "The art of using t-SNE for single-cell
transcriptomics", Nature Communications 10 (2019), advise.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import SPLITS, Dataset
from sleevenotes.covers.files import replacing, write_json
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import EvaluationError
from sleevenotes.judge.rulers import average_of, figure_of, plain
from sleevenotes.judge.schemas import read_map
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.model import Model
from sleevenotes.learn.nearest import Nearest

FORMAT = 1
MAP_NAME = "map.json"
PLACES_NAME = "map.csv"
COLUMNS = ("file_name", "x", "y", "genres", "split")
MOST = 3000
FEWEST = 3
NEIGHBORS = 10
COMPONENTS = 50  # what t-SNE is asked to keep: more are noise, and take time
PERPLEXITY = 30.0
RESAMPLES = 1000

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]


class Purity(NamedTuple):
    """How often a cover's nearest share a genre with it, and how often any cover does.

    Attributes
    ----------
    value, chance
        Means over the covers asked about, 0 to 1.
    low, high
        The 95 % interval of the value.
    gain, gain_low, gain_high
        Value less chance, with its interval.
    n
        Covers asked about.
    """

    value: float
    low: float
    high: float
    chance: float
    gain: float
    gain_low: float
    gain_high: float
    n: int


def cover_map(
    model: Model,
    dataset: Dataset,
    out: Path,
    *,
    most: int = MOST,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Lay a dataset's covers out, and write `map.json` and `map.csv`.

    Parameters
    ----------
    model
        Whose features count.
    dataset
        The covers of every split that have a genre under the model's task.
    out
        The folder to write to.
    most
        Covers on the map; where there are more, so many are drawn.
    seed
        Of the draw and the layout; the same seed gives the same bytes of `map.csv`.
    progress
        Called with (done, total) while features are computed.

    Returns
    -------
    The contents of `map.json`.

    Raises
    ------
    EvaluationError
        Where fewer than three covers have a genre that the model knows.
    """
    started = time.perf_counter()
    covers = _drawn(model, dataset, most, seed)
    features = dataset_features(covers, model.extractor, progress=progress)
    nearest = Nearest(features, index=False)
    places = laid_out(nearest.rows, seed=seed)
    task = Task(model.task, model.genres)
    truth = task.truth(covers.genre_lists)
    shares = common(truth)
    splits = covers.column("split")
    found = _described(model, dataset, seed, most) | {
        "n": len(covers),
        "splits": {split: splits.count(split) for split in SPLITS},
        "layout": "t-SNE" if len(covers) > 2 * FEWEST else "principal components",
        "neighbors": NEIGHBORS,
        "purity": {
            split: told(purity(nearest.rows, shares, covers.groups, _asked(splits, split), seed=seed))
            for split in _measured(splits)
        },
        "seconds": round(time.perf_counter() - started, 2),
    }
    found["words"] = words(found)
    out.mkdir(parents=True, exist_ok=True)
    (out / MAP_NAME).unlink(missing_ok=True)  # so that no earlier one speaks for these places
    _write_places(out / PLACES_NAME, covers, places, task.named(truth))
    write_json(out / MAP_NAME, found)
    return found


def still_true(out: Path, model: Model, dataset: Dataset, *, most: int = MOST, seed: int = 0) -> dict[str, Any] | None:
    """Return the map in a folder, where it is of this very model, dataset, number and seed; else None."""
    path = out / MAP_NAME
    if not path.exists() or not (out / PLACES_NAME).exists():
        return None
    try:
        found = read_map(path)
    except EvaluationError:  # a damaged one is made again
        return None
    expected = _described(model, dataset, seed, most)
    return found if all(found.get(name) == expected[name] for name in expected) else None


def words(found: dict[str, Any]) -> str:
    """Return the map in a sentence or two.

    Examples
    --------
    >>> purity = {"value": 0.31, "low": 0.28, "high": 0.34, "chance": 0.2, "gain": {"low": 0.08}, "n": 250}
    >>> words({"n": 1200, "neighbors": 10, "purity": {"test": purity}})
    '1,200 covers. Of the 10 nearest to a cover of test, 31% share a genre with it, where any cover does in 20%.'
    """
    split, purity = next(iter(found["purity"].items()))
    whose = "a cover" if split == "all" else f"a cover of {split}"
    beyond = purity["gain"]["low"]
    doubt = "" if beyond is not None and beyond > 0 else " That can't be told from chance."
    return (
        f"{found['n']:,} covers. Of the {found['neighbors']} nearest to {whose}, {purity['value']:.0%} share a genre "
        f"with it, where any cover does in {purity['chance']:.0%}.{doubt}"
    )


# --- what is on the map -----------------------------------------------------------------------------------------------


def _drawn(model: Model, dataset: Dataset, most: int, seed: int) -> Dataset:
    """Return the covers on the map: all that are in a split and have a genre, or as many as are wanted, drawn."""
    splits = dataset.column("split")
    known = Task(model.task, model.genres).answerable(dataset.genre_lists)
    told = known & np.array([split in SPLITS for split in splits], dtype=bool)
    told = told if told.any() else known  # a dataset that was never split, such as a foreign one
    rows = np.flatnonzero(told)
    if len(rows) < FEWEST:
        found = f"{len(rows)} covers with a genre that the model knows"
        raise EvaluationError(str(dataset.folder), found, f"{FEWEST} or more, to make a map")
    if len(rows) > most:
        rows = np.random.default_rng(seed).choice(rows, most, replace=False)
    drawn = np.zeros(len(dataset), dtype=bool)
    drawn[rows] = True
    return dataset.where(drawn)


def _described(model: Model, dataset: Dataset, seed: int, most: int) -> dict[str, Any]:
    """Return what a map is of, which tells whether one that is there is still true."""
    return {
        "format": FORMAT,
        "model": model.name,
        "model_sha256": model.sha256,
        "dataset": {
            "name": dataset.name, "fingerprint": dataset.fingerprint, "covers": len(dataset),
        },
        "task": model.task,
        "genres": list(model.genres),
        "most": most,
        "seed": seed,
    }  # fmt: skip


def _measured(splits: Sequence[str]) -> list[str]:
    """Return the splits whose covers are asked about: test, and train beside it, which was learnt from."""
    return [split for split in ("test", "train") if split in splits] or ["all"]


def _asked(splits: Sequence[str], split: str) -> NDArray[np.intp]:
    return np.flatnonzero([split in (name, "all") for name in splits])


def told(purity: Purity) -> dict[str, Any]:
    """Return a purity as JSON has it: null for an end that can't be told."""
    rounded = {name: round(float(number), 6) for name, number in purity._asdict().items()}
    value, gain = (
        figure_of(*(rounded[name] for name in names))
        for names in (("value", "low", "high"), ("gain", "gain_low", "gain_high"))
    )
    return {**value, "chance": plain(rounded["chance"]), "gain": gain, "n": purity.n}


def _write_places(path: Path, covers: Dataset, places: Floats, genres: Sequence[str]) -> None:
    rows = zip(covers.file_names, places, genres, covers.column("split"), strict=True)
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows([name, f"{x:.4f}", f"{y:.4f}", named, split] for name, (x, y), named, split in rows)


# --- pure functions on arrays -----------------------------------------------------------------------------------------


def laid_out(rows: NDArray[np.float32], *, seed: int = 0) -> Floats:
    """Return places, (n, 2), of directions, (n, D): t-SNE of their principal components.

    On one core, as sums on several come in any order, and a map would differ from one time to the next. So few covers
    that they have no neighbourhoods are laid out by their first two principal components.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        parts = components(rows, COMPONENTS)  # (n, ≤ 50)
        if len(rows) <= 2 * FEWEST or not parts[:, 0].std():
            return spread_out(parts[:, :2])
        begin = parts[:, :2] / parts[:, 0].std() * 1e-4
        perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
        layout = TSNE(init=begin.astype(np.float32), perplexity=perplexity, random_state=seed)
        return spread_out(layout.fit_transform(parts.astype(np.float32)))


def components(rows: NDArray[np.float32], count: int) -> Floats:
    """Return the first principal components of n covers, (n, count), at least two; zeros where there are no more.

    The sign of each is such that its largest entry is positive.
    """
    centred = np.asarray(rows, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    kept = min(count, *centred.shape)
    if centred.shape[1] <= len(centred):  # whichever matrix of products is smaller
        parts = centred @ np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :kept]
    else:
        squares, axes = np.linalg.eigh(centred @ centred.T)
        parts = axes[:, ::-1][:, :kept] * np.sqrt(np.maximum(0, squares[::-1][:kept]))
    peaks = parts[np.abs(parts).argmax(axis=0), np.arange(kept)]
    parts = np.asarray(parts * np.where(peaks < 0, -1.0, 1.0), dtype=np.float64)
    return np.pad(parts, ((0, 0), (0, max(0, 2 - kept))))


def spread_out(places: NDArray[np.floating[Any]]) -> Floats:
    """Return places turned so that they are wider than high, and scaled so that they go from 0 to 1 across.

    Examples
    --------
    >>> spread_out(np.array([[2.0, 5.0], [6.0, 7.0]])).tolist()
    [[0.0, 0.25], [1.0, 0.75]]
    """
    moved = np.asarray(places, dtype=np.float64)
    if np.ptp(moved[:, 1]) > np.ptp(moved[:, 0]):
        moved = moved[:, ::-1]
    low, high = moved.min(axis=0), moved.max(axis=0)
    extent = float((high - low).max()) or 1.0
    spread: Floats = (moved - (low + high) / 2) / extent + 0.5
    return spread


def common(truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether two covers have a genre in common, (n, n), of the truth as `Task.truth` gives it.

    Examples
    --------
    >>> common(np.array([0, 1, 0])).astype(int).tolist()
    [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    """
    if truth.ndim == 1:
        return np.asarray(truth[:, None] == truth[None])
    held = (truth == 1).astype(np.float32)
    return np.asarray(held @ held.T > 0)


def purity(
    rows: NDArray[np.float32],
    shares: NDArray[np.bool_],
    groups: Sequence[str],
    asked: NDArray[np.intp],
    *,
    neighbors: int = NEIGHBORS,
    seed: int = 0,
) -> Purity:
    """Return how often a cover's nearest share a genre with it, of covers that are not of its own group.

    Covers of one artist or release look alike for another reason than their genre, hence they are left out, on both
    sides of the comparison. The interval is over the groups of the covers asked about.

    Parameters
    ----------
    rows
        Directions, (n, D).
    shares
        Whether two have a genre in common, (n, n).
    groups
        The group of each cover, n of them.
    asked
        Which covers are asked about, (m,).
    neighbors
        How many of the nearest; all of other groups where there are fewer.
    """
    member = np.unique(np.asarray(groups), return_inverse=True)[1]
    foreign = member[asked, None] != member[None]  # (m, n)
    alike = shares[asked] & foreign
    others = foreign.sum(axis=1)
    cosines = np.where(foreign, rows[asked] @ rows.T, -np.inf)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :neighbors]
    counted = np.minimum(others, neighbors)
    place = np.arange(order.shape[1])[None] < counted[:, None]  # nearest of the own group are none
    found = (np.take_along_axis(alike, order, axis=1) & place).sum(axis=1) / np.maximum(1, counted)
    chance = alike.sum(axis=1) / np.maximum(1, others)
    value = average_of(found, member[asked], seed=seed)
    gain = average_of(found - chance, member[asked], scale="plain", seed=seed)
    ends = (np.nan if each is None else each for each in (value["low"], value["high"], gain["low"], gain["high"]))
    low, high, gain_low, gain_high = ends
    shared, expected = float(found.mean()), float(chance.mean())
    return Purity(shared, low, high, expected, shared - expected, gain_low, gain_high, len(asked))
