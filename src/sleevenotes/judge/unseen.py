"""Which covers of a test a model knows already, and what follows from that.

A cover is known if it is the same file as a training cover, a near-duplicate of one, or has an artist, a release or a
key of its source in common with one. Near-duplicates of training covers whose files are at hand (in the dataset that is
judged, or in `dataset/` beside the model) are found as `check` does, by hash and pixel comparison; of the others there
is only the hash that the model kept, so that they have to be more alike (`covers.hashing`).

A known cover is no test. `evaluate` refuses it, or leaves it out and counts it. On the split with which the model was
trained, a match of artist, release or source alone does not refuse: that split was chosen knowingly. There the figures
are given on all covers, and on those without a match.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import CSV_NAME, PARQUET_NAME, Dataset
from sleevenotes.covers.duplicates import SIZE_PX, clusters, find
from sleevenotes.covers.hashing import MAX_DISTANCE, candidates, distances, kept_hashes
from sleevenotes.covers.pixels import iter_covers
from sleevenotes.errors import CoverError, EvaluationError, SleevenotesError
from sleevenotes.judge.intervals import TOO_FEW
from sleevenotes.learn.known import NEAR_DUPLICATE, SAME_FILE, SEPARATOR, artist_cell, release_keys_of, source_key
from sleevenotes.learn.model import Model

Mask = NDArray[np.bool_]  # (n,)

WORDS = {
    "same_file": SAME_FILE,
    "near_duplicate": NEAR_DUPLICATE,
    "source": "from the same page of its source as a training cover",
    "release": "of the same release as a training cover",
    "artist": "by an artist of a training cover",
}
NAMED = 3  # covers of each kind in a message
PICTURES = ("same_file", "near_duplicate")  # matches that refuse in any case


@dataclass(frozen=True)
class Matches:
    """Which of n covers a model knows.

    Parameters
    ----------
    by
        For each way to know a cover, in the order of `WORDS`, which covers are known by it, (n,).
    own_split
        Whether the dataset has the split that the model was trained with.
    training_covers
        How many covers the model learnt from.
    at_hand
        How many of them could be compared pixel by pixel.
    """

    by: Mapping[str, Mask] = field(repr=False)
    own_split: bool
    training_covers: int
    at_hand: int

    @property
    def known(self) -> Mask:
        """Covers that are known in any way, (n,)."""
        known: Mask = np.any(list(self.by.values()), axis=0)
        return known

    @property
    def refused(self) -> Mask:
        """Covers that are no test, (n,)."""
        if not self.own_split:
            return self.known
        refused: Mask = np.any([self.by[name] for name in PICTURES], axis=0)
        return refused

    def counts(self, among: Mask) -> dict[str, int]:
        """Return by what covers are known, each counted once, by the first match in the order of `WORDS`."""
        left = among.copy()
        found = {}
        for name in WORDS:
            found[name] = int((left & self.by[name]).sum())
            left &= ~self.by[name]
        return found


def matches(model: Model, dataset: Dataset, covers: Dataset) -> Matches:
    """Return which covers of a dataset a model knows.

    Parameters
    ----------
    model
        A model that knows what it learnt from.
    dataset
        The whole dataset.
    covers
        Some of its covers.

    Raises
    ------
    ModelError
        If the model's `learnt_from.csv` is missing or damaged.
    """
    known = model.known
    files = _at_hand(model, dataset)
    by = {
        "same_file": _same(model, covers),
        "near_duplicate": _near(model, covers, files),
        "source": _shares(known.keys("source"), map(source_key, covers.column("source"), covers.file_names)),
        "release": _shares(known.keys("release"), release_keys_of(*map(covers.column, ("artist", "album", "release")))),
        "artist": _shares(known.keys("artist"), map(artist_cell, covers.column("artist"))),
    }
    return Matches(by, has_own_split(model, dataset), len(known.rows), len(files))


def known_pictures(model: Model, dataset: Dataset, covers: Dataset) -> Mask:
    """Return which covers of a dataset are, or nearly are, training covers of a model, (n,); as `matches`."""
    return _same(model, covers) | _near(model, covers, _at_hand(model, dataset))


def has_own_split(model: Model, dataset: Dataset) -> bool:
    """Return whether a dataset has the split with which a model was trained, if only for a part of the covers."""
    learnt = {(row["sha256"], row["split"]) for row in model.known.rows}
    here = set(zip(dataset.digests, dataset.column("split"), strict=True))
    sides = {pair for pair in here if pair[1] in ("train", "valid")}
    return bool(sides) and (learnt <= here or sides <= learnt)


def refuse(found: Matches, covers: Dataset, *, whole: bool) -> None:
    """Refuse a test that has covers which the model knows.

    Parameters
    ----------
    found
        What it knows.
    covers
        The test.
    whole
        Whether it is all covers of a dataset, so that another split of it may be a test.

    Raises
    ------
    EvaluationError
        Naming the first few of each kind.
    """
    refused = found.refused
    if not refused.any():
        return
    again = "Judge it with --split test" if whole and found.own_split else "Train the model again on this split"
    raise EvaluationError(
        str(covers.folder),
        f"the model learnt from {refused.sum():,} of these {len(covers):,} covers: {_named(found, refused, covers)}",
        "covers it has never seen",
        f"{again}, or leave these covers out with --without-known",
    )


def _named(found: Matches, among: Mask, covers: Dataset) -> str:
    """Return how many covers are known by what, with the first few of each kind by name."""
    parts, left = [], among.copy()
    for name, mask in found.by.items():
        rows = np.flatnonzero(left & mask).tolist()
        left &= ~mask
        if rows:
            names = ", ".join(covers.file_names[row] for row in rows[:NAMED])
            more = ", …" if len(rows) > NAMED else ""
            parts.append(f"{len(rows):,} {_plural(name, len(rows))} ({names}{more})")
    return "; ".join(parts)


def described(found: Matches, left_out: Mask) -> dict[str, Any]:
    """Return what `evaluation.json` says of covers that the model knows, under `known`."""
    kept = found.known & ~left_out
    return {
        "training_covers": found.training_covers,
        "compared_by_pixels": found.at_hand,
        "left_out": int(left_out.sum()),
        "left_out_by": found.counts(left_out),
        "kept": int(kept.sum()),
        "kept_by": found.counts(kept),
    }


def words(known: Mapping[str, Any], without: Mapping[str, Any] | None, headline: str) -> str:
    """Return what to say of known covers beside the verdict; nothing if there are none.

    Parameters
    ----------
    known
        As `described` returns it.
    without
        The figures on covers without a match: `n`, and the headline as value, low and high.
    headline
        Name of the figure to tell.
    """
    sentences = []
    if known["left_out"]:
        parts = ", ".join(f"{count:,} {_plural(name, count)}" for name, count in known["left_out_by"].items() if count)
        verb = "was" if known["left_out"] == 1 else "were"
        sentences.append(f"{known['left_out']:,} covers that the model knows {verb} left out ({parts}).")
    if known["kept"]:
        parts = ", ".join(f"{count:,} {_plural(name, count)}" for name, count in known["kept_by"].items() if count)
        rest = f"On the {without['n']:,} others" if without and without["n"] else "No cover is left without them"
        figure = f", {_told(headline, without[headline])}" if without and without["n"] else ""
        sentences.append(f"Among these covers are {known['kept']:,} that the model may know ({parts}). {rest}{figure}.")
    return " ".join(sentences)


def _told(headline: str, figure: Mapping[str, float | None]) -> str:
    name = {"accuracy": "it is right", "label_ranking_ap": "its label-ranking average precision is"}[headline]
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    if value is None:
        return f"{name} can't be told"
    ends = f" ({TOO_FEW})" if low is None or high is None else f" ({100 * low:.0f}–{100 * high:.0f})"
    return f"{name} {100 * value:.0f} %{ends} of the time" if headline == "accuracy" else f"{name} {value:.2f}"


def _plural(name: str, count: int) -> str:
    if count == 1:
        return WORDS[name]
    return {
        "same_file": "same files as training covers",
        "near_duplicate": "near-duplicates of training covers",
        "source": "from the same pages of their source as training covers",
        "release": "of the same releases as training covers",
        "artist": "by artists of training covers",
    }[name]


def _shares(learnt: frozenset[str], cells: Iterable[str]) -> Mask:
    """Return which cells, with `;` between their keys, have a key that the model knows."""
    return np.array([not learnt.isdisjoint(filter(None, cell.split(SEPARATOR))) for cell in cells], dtype=bool)


# -- near-duplicates ---------------------------------------------------------------------------------------------------


def _same(model: Model, covers: Dataset) -> Mask:
    return np.array([digest in model.known.digests for digest in covers.digests], dtype=bool)


def _at_hand(model: Model, dataset: Dataset) -> dict[str, Path]:
    """Return the files of training covers that are in the dataset, or in the one beside the model, by their SHA-256."""
    learnt = model.known.digests
    files = dict(zip(dataset.digests, dataset.paths, strict=True))
    beside = model.folder.resolve().parent / "dataset"
    if beside != dataset.folder.resolve() and any((beside / name).is_file() for name in (CSV_NAME, PARQUET_NAME)):
        with suppress(SleevenotesError):  # what lies there is not judged; without it, there are still the hashes
            other = Dataset.open(beside, files=False)
            files = dict(zip(other.column("sha256"), other.paths, strict=True)) | files
    return {digest: path for digest, path in files.items() if digest in learnt and path.is_file()}


def _near(model: Model, covers: Dataset, files: Mapping[str, Path]) -> Mask:
    """Return which covers are near-duplicates of a training cover, (n,)."""
    known = model.known
    asked = kept_hashes(covers.cache, covers.digests, covers.paths)
    apart = distances(asked, known.hashes)  # (n, training covers)
    paths = [files.get(row["sha256"]) for row in known.rows]
    by_hash = np.array([path is None for path in paths], dtype=bool)
    near: Mask = np.any(apart[:, by_hash] <= MAX_DISTANCE, axis=1)
    pairs = candidates(asked, known.hashes) & ~by_hash
    rows, columns = pairs.any(axis=1).nonzero()[0], pairs.any(axis=0).nonzero()[0]
    training = [path for path in (paths[column] for column in columns) if path is not None]
    near[_near_by_pixels(covers, rows, training)] = True
    return near


def _near_by_pixels(covers: Dataset, rows: NDArray[np.intp], training: list[Path]) -> Mask:
    """Return which of some covers are in a cluster of near-duplicates with a training cover, (n,), `rows` at most."""
    near = np.zeros(len(covers), dtype=bool)
    paths = [*(covers.path(row) for row in rows.tolist()), *training]
    read = {at: pixels for at, pixels in iter_covers(paths, size_px=SIZE_PX) if not isinstance(pixels, CoverError)}
    if not read:
        return near
    for members in clusters(len(read), find(np.stack(list(read.values())))):
        places = np.array(list(read))[members]
        if (places >= len(rows)).any():  # a training cover is among them
            near[rows[places[places < len(rows)]]] = True
    return near
