"""Asking what covers tell: by the study's network on a part of the covers, or, in a quick run, on frozen features.

The study's network takes an hour for fifty epochs of a few thousand covers. It is given that time once, on all of
them (`networks`). What is asked besides is asked of the same network at fewer pixels and epochs, and of a part of the
covers; in a quick run of logistic regression on the features of a pretrained backbone, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.tasks import Kind
from sleevenotes.learn import backbones, heads
from sleevenotes.learn.calibration import proba_of
from sleevenotes.learn.extractors import ColorExtractor
from sleevenotes.learn.features import Extractor, dataset_features
from sleevenotes.learn.heads import Head
from sleevenotes.learn.model import CHECKPOINT_NAME
from sleevenotes.learn.recipes import settings_of
from sleevenotes.studies.bandcamp.transfer import strongest
from sleevenotes.studies.material import Indices
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.prog.both import Both
from sleevenotes.studies.prog.data import stratified

if TYPE_CHECKING:
    from sleevenotes.learn.training import TrainingSettings

Balance = Literal["none", "weights", "draws"]

NETWORK = "prog_cnn"
PART_PX = 128
PART_COVERS = 2000  # to learn from
PART_EPOCHS = 20


@dataclass(frozen=True)
class Asked:
    """What is asked of covers.

    Parameters
    ----------
    id
        Unlike that of anything else that is asked.
    genres
        K of them; of two, the first is the one that is looked for.
    truth
        Of every cover of the dataset, (n,): a number of `genres`.
    rows
        Of train, valid and test, those that are asked about.
    """

    id: str
    genres: tuple[str, ...]
    truth: NDArray[np.int64]
    rows: dict[str, Indices]

    @classmethod
    def about(cls, both: Both, id: str, genres: Sequence[str], truth: NDArray[np.int64]) -> Asked:
        """Ask about all covers whose truth is 0 or more."""
        rows = {side: both.rows[side] for side in ("train", "valid", "test")}
        return cls(id, tuple(genres), truth, {side: each[truth[each] >= 0] for side, each in rows.items()})

    @property
    def kind(self) -> Kind:
        """The task."""
        return "binary" if len(self.genres) == 2 else "single"

    def reduced(self, most: int, seed: int) -> Asked:
        """Return it with at most so many covers to learn from, each genre of each side in its share; test stays."""
        learn = {side: self.rows[side] for side in ("train", "valid")}
        total = sum(map(len, learn.values()))
        if total <= most:
            return self
        few = {
            side: rows[stratified(self.truth[rows].tolist(), most * len(rows) // total, seed)]
            for side, rows in learn.items()
        }
        return replace(self, rows=self.rows | few)


def ask(
    both: Both, parts: Parts, asked: Asked, *, architecture: str = NETWORK, balance: Balance = "none"
) -> dict[str, Any]:
    """Return what a model says of valid and test, `{"valid", "test"}`, (m, K) probas, and how it was made."""
    name = "-".join(filter(None, ("asked", asked.id, architecture.replace("_", "-"), balance.replace("none", ""))))
    if both.quick is not None:
        extractor, _ = frozen()
        settings: dict[str, Any] = {"extractor": extractor.key, "covers": len(asked.rows["test"]), "on": asked.genres}
        return parts.part(name, lambda: on_features(both, both.dataset, asked, balance=balance), settings=settings)
    few = asked.reduced(PART_COVERS, both.seed)
    settings = asdict(part_settings(balance)) | {"px": PART_PX, "covers": PART_COVERS, "on": asked.genres}
    folder = parts.path(name).with_suffix("")
    return parts.part(name, lambda: _by_network(both, few, architecture, balance, folder), settings=settings)


def how_words(both: Both) -> str:
    """Return how `ask` asks, for the note of a table."""
    if both.quick is not None:
        return f"logistic regression on {frozen()[1]} instead of the network"
    return (
        f"the network at {PART_PX} px, {PART_EPOCHS} epochs, on at most {PART_COVERS:,} of the covers to learn from, "
        "each kind in its share"
    )


def part_settings(balance: Balance) -> TrainingSettings:
    """Return how the network is trained on a part of the covers: as ever, for fewer epochs."""
    return replace(settings_of(NETWORK, PART_EPOCHS), balance=balance)


def frozen() -> tuple[Extractor, str]:
    """Return features that were learnt from other pictures, and what they are called; colours where none is at hand."""
    found = strongest()
    if found is None:
        return ColorExtractor(), "colour histograms, as no weights of a backbone are at hand"
    return backbones.extractor(found.backbone, found.size_px), f"features of {found.name}"


def on_features(both: Both, dataset: Dataset, asked: Asked, *, balance: Balance = "none") -> dict[str, Any]:
    """Return what logistic regression on frozen features says of a dataset whose rows are those that were asked about.

    With class weights the rarer kind counts as often more as it is rarer, in whole numbers; of balanced draws as many
    covers are drawn of either kind, with replacement.
    """
    features = dataset_features(dataset, frozen()[0], progress=both.progress)
    head = fitted(features, asked, balance, both.seed)
    logits = {side: head.logits(features[asked.rows[side]]) for side in ("valid", "test")}
    return {side: _rounded(proba_of(each, task=asked.kind)) for side, each in logits.items()}


def fitted(features: NDArray[np.float32], asked: Asked, balance: Balance, seed: int) -> Head:
    """Return logistic regression on features, (n, D), its strength chosen on valid."""
    learn = {side: balanced(asked, side, balance, seed) for side in ("train", "valid")}
    train, valid = ((features[rows], asked.truth[rows]) for rows in learn.values())
    head, _ = heads.choose(train, valid, task=asked.kind, genres=len(asked.genres))
    return head


@dataclass(frozen=True)
class OnePath:
    """The covers of a study and the same after one path, where some may have been left out.

    Parameters
    ----------
    harmonised
        The covers after it.
    place
        The row there of each of the study's covers, (n,); -1 of those that were left out.
    """

    harmonised: Dataset
    place: NDArray[np.intp]

    @classmethod
    def of(cls, both: Both, folder: Path) -> OnePath | None:
        """Find the harmonised dataset of an audit; None where there is none."""
        if not (folder / "metadata.csv").exists():
            return None
        harmonised = Dataset.open(folder)
        rows = {name: row for row, name in enumerate(_names_before(harmonised))}
        return cls(harmonised, np.array([rows.get(name, -1) for name in _names_before(both.dataset)]))

    def kept(self, asked: Asked) -> Asked:
        """Return what is asked without the covers that were left out."""
        return replace(asked, rows={side: rows[self.place[rows] >= 0] for side, rows in asked.rows.items()})

    def said(self, both: Both, asked: Asked) -> list[list[float]]:
        """Return what frozen features after the path tell of the kept covers of test, (m, K) probas."""
        truth = np.full(len(self.harmonised), -1)
        truth[self.place[self.place >= 0]] = asked.truth[self.place >= 0]
        rows = {side: self.place[each] for side, each in self.kept(asked).rows.items()}
        told: list[list[float]] = on_features(both, self.harmonised, replace(asked, truth=truth, rows=rows))["test"]
        return told


def _names_before(dataset: Dataset) -> list[str]:
    told = zip(dataset.column("collection"), dataset.column("file_before"), strict=True)
    return [f"{collection}/{name}" for collection, name in told]


def balanced(asked: Asked, side: str, balance: Balance, seed: int) -> Indices:
    """Return the rows of a side, some of them several times so that all genres weigh alike."""
    rows = asked.rows[side]
    if balance == "none":
        return rows
    by_genre = [rows[asked.truth[rows] == genre] for genre in range(len(asked.genres))]
    by_genre = [each for each in by_genre if len(each)]
    if balance == "weights":
        most = max(map(len, by_genre))
        return np.concatenate([np.repeat(each, round(most / len(each))) for each in by_genre])
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.choice(each, len(rows) // len(by_genre)) for each in by_genre])


def _by_network(both: Both, asked: Asked, architecture: str, balance: Balance, folder: Path) -> dict[str, Any]:
    """Train a network, going on from its checkpoint where there is one, and ask it."""
    import torch

    from sleevenotes.learn.networks import ARCHITECTURES
    from sleevenotes.learn.training import Side, logits_of, train_network

    pixels = both.pixels(PART_PX, "antialiased")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(both.seed)
    train, valid = (Side(pixels[asked.rows[side]], asked.truth[asked.rows[side]]) for side in ("train", "valid"))
    trained = train_network(
        ARCHITECTURES[architecture](),
        (train, valid),
        task=asked.kind,
        genres=len(asked.genres),
        settings=part_settings(balance),
        seed=both.seed,
        folder=folder,
        resume=True,
        fingerprint=f"{both.dataset.fingerprint} {asked.id} {architecture}",
        report=lambda epoch, epochs: both.progress(epoch.epoch, epochs),
    )
    (folder / CHECKPOINT_NAME).unlink(missing_ok=True)
    logits = {side: logits_of(trained, pixels[asked.rows[side]]) for side in ("valid", "test")}
    said = {side: _rounded(proba_of(each, task=asked.kind)) for side, each in logits.items()}
    best = min(trained.history, key=lambda epoch: epoch.valid_loss)
    return said | {"history": [asdict(epoch) for epoch in trained.history], "best_epoch": best.epoch}


def _rounded(proba: NDArray[np.floating]) -> list[list[float]]:
    told: list[list[float]] = np.round(proba, 6).tolist()
    return told


def first_of(proba: Sequence[Sequence[float]]) -> list[float]:
    """Return the probas of the first genre."""
    return [float(row[0]) for row in proba]
