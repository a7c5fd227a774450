"""Writing a model's folder: what a recipe made, its card last, as a folder with a card is a whole model."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.files import replacing, sweep, write_json
from sleevenotes.covers.hashing import kept_hashes
from sleevenotes.covers.images import sha256
from sleevenotes.errors import ModelError
from sleevenotes.learn.calibration import calibrate
from sleevenotes.learn.card import FORMAT
from sleevenotes.learn.extractors import NetworkExtractor
from sleevenotes.learn.heads import Head
from sleevenotes.learn.known import LEARNT_NAME, LearntCovers, artist_cell, learnt_covers, release_keys_of, source_key
from sleevenotes.learn.model import (
    BASELINE_NAME,
    CARD_NAME,
    CHECKPOINT_NAME,
    FIRST_GENRES_NAME,
    HISTORY_NAME,
    NETWORK_NAME,
    SCORINGS_NAME,
    WEIGHTS_NAME,
    read_card,
)
from sleevenotes.learn.parts import PARTS, TUNING

if TYPE_CHECKING:
    from sleevenotes.learn.cover_network import CoverNetwork
    from sleevenotes.learn.recipes import Options, Sides

PREFIX = "network."  # of the network's parameters among a model's weights


@dataclass
class Made:
    """What a recipe hands over.

    Parameters
    ----------
    head
        On all features.
    logits
        (n, K), of covers that the head did not learn from: those of valid.
    size_px
        Width and height of the covers that the model gets.
    how
        What the card says of the head.
    network, backbone
        What it says of a plain model's network; None where it has none.
    parameters
        All of a network, by the names under which they are kept.
    out_of_fold
        Whether `logits` are those of train and then of valid, each cover's by a head of another fold.
    further
        Keys that the card has besides: `parts` and `ladder`.
    """

    head: Head
    logits: NDArray[np.floating]
    size_px: int
    how: dict[str, Any]
    network: dict[str, Any] | None = None
    backbone: dict[str, Any] | None = None
    parameters: dict[str, NDArray[np.floating]] = field(default_factory=dict)
    out_of_fold: bool = False
    further: dict[str, Any] = field(default_factory=dict)


def save(made: Made, name: str, sides: Sides, out: Path, options: Options) -> None:
    """Write all of a model but what its recipe wrote, and calibrate it."""
    from safetensors.numpy import save_file

    tensors = {"head.weight": made.head.weight, "head.bias": made.head.bias}
    tensors |= made.parameters
    with replacing(out / WEIGHTS_NAME) as partial:
        save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, partial)
    learnt = learnt_from(sides)
    write_learnt(out, learnt)
    card = {
        "format": FORMAT,
        "name": name,
        "task": sides.task.kind,
        "genres": list(sides.task.genres),
        "tree": [list(pair) for pair in sides.task.tree],
        "preprocessing": {
            "size_px": made.size_px,
            "resize": "the whole cover squeezed to a square, bicubic, antialiased",
            "color": "sRGB, uint8, 0..255; normalised inside of the network",
        },
        "network": made.network,
        "backbone": made.backbone,
        "head": made.how,
        **made.further,
        "calibration": _calibration(made, sides),
        "weights": {"sha256": sha256((out / WEIGHTS_NAME).read_bytes())},
        "seed": options.seed,
        "versions": _versions(),
        "dataset": _dataset_card(sides),
        "learnt_from": learnt.card,
    }
    write_json(out / CARD_NAME, card)  # last: a folder with a card is a whole model


def _calibration(made: Made, sides: Sides) -> dict[str, Any]:
    if not made.out_of_fold:
        return calibrate(made.logits, sides.truth[1], task=sides.task, groups=sides.valid.groups)
    groups = [*sides.train.groups, *sides.valid.groups]
    truth = np.concatenate(sides.truth)
    return calibrate(made.logits, truth, task=sides.task, groups=groups, source="out of fold")


def learnt_from(sides: Sides) -> LearntCovers:
    """Return what a model is to remember of the covers in train and valid."""
    digests, hashes, splits = [], [], []
    names: dict[str, list[str]] = {"artist": [], "release": [], "source": []}
    for side in (sides.train, sides.valid):
        digests += side.digests
        hashes.append(kept_hashes(side.cache, side.digests, side.paths)[:, 0])
        splits += side.column("split")
        artists, albums, releases, sources = map(side.column, ("artist", "album", "release", "source"))
        names["artist"] += map(artist_cell, artists)
        names["release"] += release_keys_of(artists, albums, releases)
        names["source"] += map(source_key, sources, side.file_names)
    return learnt_covers(digests, np.concatenate(hashes), splits, names)


def write_learnt(out: Path, learnt: LearntCovers) -> None:
    """Write `learnt_from.csv` into a model's folder."""
    with replacing(out / LEARNT_NAME) as partial:
        partial.write_bytes(learnt.data)


def restore_learnt(out: Path, sides: Sides) -> list[Path]:
    """Write `learnt_from.csv` again where it is missing or damaged, and return the files that were written.

    A model's folder and that of its baseline are looked at. The file is written only if these covers give the very one
    that belongs to the model.
    """
    restored: list[Path] = []
    learnt: LearntCovers | None = None
    for folder in (out, out / BASELINE_NAME):
        path = folder / LEARNT_NAME
        if not (folder / CARD_NAME).is_file():
            continue
        card = read_card(folder)
        try:
            LearntCovers.read(path, card, cure="")
        except ModelError:
            learnt = learnt or learnt_from(sides)
            if learnt.card == card.get("learnt_from"):
                write_learnt(folder, learnt)
                restored.append(path)
    return restored


def _dataset_card(sides: Sides) -> dict[str, Any]:
    truth = sides.truth[0]
    genres = len(sides.task.genres)
    counts = (truth == 1).sum(axis=0) if sides.task.kind == "multi" else np.bincount(truth, minlength=genres)
    told = np.maximum((truth >= 0).sum(axis=0), 1)  # of as many covers it is known
    return {
        "name": sides.train.name,
        "fingerprint": sides.train.fingerprint,
        "valid_fingerprint": sides.valid.fingerprint,
        "train": len(sides.train),
        "valid": len(sides.valid),
        "train_covers": dict(zip(sides.task.genres, counts.tolist(), strict=True)),
        "train_shares": dict(zip(sides.task.genres, (counts / told).tolist(), strict=True)),
    }


def _versions() -> dict[str, str]:
    names = ("sleevenotes", "numpy", "pillow", "torch", "onnxruntime", "scikit-learn")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def network_card(architecture: str, network: CoverNetwork, extractor: NetworkExtractor) -> dict[str, Any]:
    """Return what a card says of the network of a model."""
    return {
        "architecture": architecture,
        "file": NETWORK_NAME,
        "sha256": extractor.network.sha256,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "precision": "float32",
    }


def parameters_of(network: CoverNetwork) -> dict[str, NDArray[np.float32]]:
    """Return a network's parameters by the names under which a model keeps them."""
    return named({name: value.detach().cpu().numpy() for name, value in network.state_dict().items()})


def named(parameters: dict[str, NDArray[np.float32]], prefix: str = PREFIX) -> dict[str, NDArray[np.float32]]:
    """Return a network's parameters by the names under which a model keeps them.

    Examples
    --------
    >>> list(named({"features.0.weight": np.zeros(1, np.float32)}))
    ['network.features.0.weight']
    """
    return {f"{prefix}{name}": value for name, value in parameters.items()}


# What a training makes. `scorings.jsonl` and `first_genres.csv` stay: the answers of earlier models were seen.
MADE = (CARD_NAME, WEIGHTS_NAME, HISTORY_NAME, NETWORK_NAME, CHECKPOINT_NAME)
_ALL = (*MADE, LEARNT_NAME)
OWNED = (*_ALL, PARTS, TUNING, *(f"{BASELINE_NAME}/{name}" for name in _ALL))
CARDS = (f"{BASELINE_NAME}/{CARD_NAME}", CARD_NAME)  # a folder with a card is a whole model


def refuse_foreign(out: Path) -> None:
    """Refuse a folder that holds something else than a model, whole or begun."""
    if out.is_file():
        raise ModelError(str(out), "a file", "a folder for the model", "Name another with -o")
    known = (*_ALL, SCORINGS_NAME, FIRST_GENRES_NAME, f"{BASELINE_NAME}/{CARD_NAME}")
    foreign = out.is_dir() and any(not path.name.startswith(".") for path in out.iterdir())
    if foreign and not any((out / name).exists() for name in known):
        raise ModelError(
            str(out), "a folder that holds something else", "an empty folder, or a model", "Name another with -o"
        )


def finished_model(out: Path) -> str:
    """Return what is said of the whole model that a folder holds, such as `the model color, trained 2026-11-30`.

    Returns
    -------
    str
        Empty if there is none.
    """
    path = out / CARD_NAME
    if not path.is_file():
        return ""
    trained = datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%d")
    try:
        name = f"the model {read_card(out)['name']}"
    except ModelError:  # of another version, or damaged: it is replaced in any case
        name = "a model that can't be read"
    return f"{name}, trained {trained}"


def clear(out: Path, names: Sequence[str]) -> None:
    """Remove files of an earlier training that is not gone on with, and what was half-written when it was killed."""
    for name in names:
        (out / name).unlink(missing_ok=True)
    if CARD_NAME in names:
        shutil.rmtree(out / PARTS, ignore_errors=True)
    for folder in (out, out / PARTS):
        sweep(folder)
