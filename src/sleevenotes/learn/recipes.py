"""Recipes: how each model that has a name is made of a dataset.

============ ========================================== =====================================================
name         features                                   head
============ ========================================== =====================================================
`color`      histogram of 8 × 8 × 8 bins of colour       logistic regression, its strength chosen on valid
`small`      our own network, trained from scratch       linear, trained with the network; stops early on valid
`mobilenet`  MobileNetV2, pretrained on ImageNet, frozen logistic regression, its strength chosen on valid
`prog_cnn`   the network of a study of prog covers, from  linear, trained with the network; the epoch with the
             scratch, 260 px                            smallest loss on valid is kept
============ ========================================== =====================================================

Every model is calibrated on valid. Nothing here looks at the test split; only `judge.evaluation` does.
"""

from __future__ import annotations

import csv
import platform
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import SEPARATOR, Dataset
from sleevenotes.covers.files import replacing, write_json
from sleevenotes.covers.groups import artists_of
from sleevenotes.covers.pixels import PixelRows, packed_pixels
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import ModelError, SleevenotesWarning, SplitError, did_you_mean
from sleevenotes.learn import backbones, heads
from sleevenotes.learn.calibration import fit_temperature, fit_thresholds, log_loss, proba_of
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.heads import Head
from sleevenotes.learn.model import (
    BASELINE_NAME,
    CARD_NAME,
    CHECKPOINT_NAME,
    FORMAT,
    HISTORY_NAME,
    LEARNT_NAME,
    NETWORK_NAME,
    SCORINGS_NAME,
    WEIGHTS_NAME,
    ColorExtractor,
    Model,
    NetworkExtractor,
    read_card,
    read_weights,
)

if TYPE_CHECKING:
    from sleevenotes.learn.cover_network import CoverNetwork
    from sleevenotes.learn.training import TrainingSettings

NAMES = ("color", "small", "mobilenet", "prog_cnn")
SCRATCH = ("small", "prog_cnn")  # networks that are trained from scratch, and have epochs
FEW_VALID_COVERS = 30
PROG_EPOCHS = 50
PREFIX = "network."  # of the network's parameters among a model's weights


def _quiet(line: str) -> None:
    """Say nothing."""


def _still(done: int, total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Options:
    """How to train.

    Parameters
    ----------
    seed
        Of all randomness.
    weights
        A file of weights for the backbone, whatever else is at hand.
    resume
        Go on where a training that was stopped left off.
    training
        For networks that are trained from scratch; the recipe's own where None.
    backbone_of
        Folder of a model whose backbone is used as it is, instead of looking for weights: that of another fold.
    say, progress
        Are told what happens: a line, and covers or epochs done of how many.
    """

    seed: int = 0
    weights: Path | None = None
    resume: bool = False
    training: TrainingSettings | None = None
    backbone_of: Path | None = None
    say: Callable[[str], None] = field(default=_quiet, repr=False)
    progress: Callable[[int, int], None] = field(default=_still, repr=False)


@dataclass(frozen=True)
class Sides:
    """Train and valid of a dataset, and the truth of both under its task."""

    task: Task
    whole: Dataset
    train: Dataset
    valid: Dataset

    @classmethod
    def of(cls, dataset: Dataset) -> Sides:
        """Return the two sides, without covers that have no truth.

        Raises
        ------
        SplitError
            Where the dataset is not split, or a side is empty.
        """
        task = Task.of(dataset)
        sides = []
        for name in ("train", "valid"):
            side = dataset.in_split(name)
            side = side.where(task.answerable(side.genre_lists))
            if not len(side):
                cure = f"Run `sleevenotes split {dataset.folder} --again`"
                raise SplitError(str(dataset.folder), f"no cover in {name}", "covers in train and valid", cure)
            sides.append(side)
        if len(sides[1]) < FEW_VALID_COVERS:
            warnings.warn(
                f"{dataset.folder}: only {len(sides[1])} covers in valid, from which settings and percentages come",
                SleevenotesWarning,
                stacklevel=2,
            )
        return cls(task, dataset, *sides)

    @property
    def truth(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Truth of train and of valid."""
        return self.task.truth(self.train.genre_lists), self.task.truth(self.valid.genre_lists)


def default_name() -> str:
    """Return the model that is picked where none is named: `mobilenet` where its weights are at hand, else `small`."""
    return "mobilenet" if backbones.at_hand("mobilenet_v2") else "small"


def train(dataset: Dataset, name: str, out: Path, options: Options | None = None) -> Model:
    """Train a model, and the colour baseline beside it, on a dataset that is split.

    Parameters
    ----------
    dataset
        Split by `sleevenotes split`.
    name
        One of `NAMES`.
    out
        The model's folder.
    options
        How to train; the defaults where None.

    Returns
    -------
    The model, as it was loaded back from its folder.

    Raises
    ------
    ModelError
        Where there is no recipe of that name, or `out` holds something else.
    SplitError
        Where the dataset is not split.
    WeightsError
        Where the backbone's weights are not to be had.
    """
    options = options or Options()
    if name not in NAMES:
        raise ModelError(f"model '{name}'", "unknown", f"Known are {', '.join(NAMES)}", did_you_mean(name, NAMES))
    sides = Sides.of(dataset)
    out = Path(out)
    _refuse_foreign(out)
    if options.resume and _is_trained(out, name, sides, options):
        options.say(f"{out} is trained already")
        return Model.load(out)
    if name == "mobilenet" and not options.backbone_of:
        # they may be missing, and nothing shall be lost by that
        backbones.find("mobilenet_v2", weights=options.weights, say=options.say)
    goes_on = options.resume and name in SCRATCH and not (out / CARD_NAME).exists()
    _clear(out, () if goes_on else MADE)
    out.mkdir(parents=True, exist_ok=True)
    made = _RECIPES[name](sides, out, options)
    if name != BASELINE_NAME:
        train(dataset, BASELINE_NAME, out / BASELINE_NAME, options)
    _save(made, name, sides, out, options)
    (out / CHECKPOINT_NAME).unlink(missing_ok=True)
    return Model.load(out)


@dataclass
class _Made:
    """What a recipe hands over: a head, the logits of valid, and what the card says of both."""

    head: Head
    valid_logits: NDArray[np.float32]
    size_px: int
    how: dict[str, Any]
    network: dict[str, Any] | None = None
    backbone: dict[str, Any] | None = None
    parameters: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def _color(sides: Sides, out: Path, options: Options) -> _Made:
    extractor = ColorExtractor()
    head, valid_logits, how = _fit_head(sides, extractor, options)
    return _Made(head, valid_logits, extractor.size_px, how)


def _mobilenet(sides: Sides, out: Path, options: Options) -> _Made:
    card, parameters = _borrowed_backbone(options.backbone_of, out) if options.backbone_of else _backbone(out, options)
    extractor = NetworkExtractor(out / NETWORK_NAME, card["size_px"])
    head, valid_logits, how = _fit_head(sides, extractor, options)
    return _Made(head, valid_logits, card["size_px"], how, card["network"], card["backbone"], parameters)


def _backbone(out: Path, options: Options) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """Put the ONNX form of the backbone into a model's folder; return what its card says of it, and its parameters."""
    found = backbones.find("mobilenet_v2", weights=options.weights, say=options.say)
    network, size_px = backbones.load(found), found.backbone.size_px
    _export(network, out, size_px)
    backbone = {
        "name": found.backbone.name,
        "training": found.training,
        "sha256": found.sha256,
        "licence": found.backbone.licence,
    }
    network_card = _network_card(found.backbone.name, network, NetworkExtractor(out / NETWORK_NAME, size_px))
    return {"size_px": size_px, "network": network_card, "backbone": backbone}, _parameters(network)


def _borrowed_backbone(folder: Path, out: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """Do as `_backbone`, with that of another model."""
    card, weights = read_card(folder), read_weights(folder / WEIGHTS_NAME)
    shutil.copyfile(folder / NETWORK_NAME, out / NETWORK_NAME)
    told = {"size_px": card["preprocessing"]["size_px"], "network": card["network"], "backbone": card["backbone"]}
    return told, {name.removeprefix(PREFIX): value for name, value in weights.items() if name.startswith(PREFIX)}


def _small(sides: Sides, out: Path, options: Options) -> _Made:
    from sleevenotes.learn.networks import SMALL_PX

    return _from_scratch("small", SMALL_PX, sides, out, options)


def _prog_cnn(sides: Sides, out: Path, options: Options) -> _Made:
    from sleevenotes.learn.networks import PROG_PX

    return _from_scratch("prog_cnn", PROG_PX, sides, out, options)


def _from_scratch(name: str, size_px: int, sides: Sides, out: Path, options: Options) -> _Made:
    """Train the network of `learn.networks.ARCHITECTURES` that bears the recipe's name."""
    import torch

    from sleevenotes.learn.networks import ARCHITECTURES
    from sleevenotes.learn.training import Side, train_network

    settings = _training_settings(name, options)
    pixels = _pixels(sides, size_px, options)
    train_side, valid_side = (Side(*both) for both in zip(pixels, sides.truth, strict=True))
    torch.manual_seed(options.seed)
    trained = train_network(
        ARCHITECTURES[name](),
        (train_side, valid_side),
        task=sides.task.kind,
        genres=len(sides.task.genres),
        settings=settings,
        seed=options.seed,
        folder=out,
        resume=options.resume,
        fingerprint=sides.train.fingerprint + sides.valid.fingerprint,
        report=lambda epoch, epochs: options.progress(epoch.epoch, epochs),
    )
    _export(trained.network, out, size_px)
    extractor = NetworkExtractor(out / NETWORK_NAME, size_px)
    head = centred(trained.head) if sides.task.kind == "binary" else trained.head
    valid_logits = head.logits(dataset_features(sides.valid, extractor))
    best = min(trained.history, key=lambda epoch: epoch.valid_loss)
    how = {
        "kind": "linear, trained with the network",
        "settings": settings.told(),
        "precision": trained.precision,  # what it learnt with; it predicts with float32 in any case
        "epochs": len(trained.history),
        "best_epoch": best.epoch,
    }
    network = _network_card(name, trained.network, extractor)
    return _Made(head, valid_logits, size_px, how, network=network, parameters=_parameters(trained.network))


_RECIPES: dict[str, Callable[[Sides, Path, Options], _Made]] = {
    "color": _color,
    "small": _small,
    "mobilenet": _mobilenet,
    "prog_cnn": _prog_cnn,
}


def centred(head: Head) -> Head:
    """Return a head of two genres with half of the difference for one and against the other, and the same proba.

    A network learns one logit of two genres, and the other's is 0 whatever the cover: no map could be drawn of what
    speaks for it.

    Examples
    --------
    >>> centred(Head(np.array([[2.0], [0.0]], np.float32), np.array([1.0, 0.0], np.float32))).weight.tolist()
    [[1.0], [-1.0]]
    """
    return Head(head.weight - head.weight.mean(axis=0), head.bias - head.bias.mean())


def _fit_head(
    sides: Sides, extractor: ColorExtractor | NetworkExtractor, options: Options
) -> tuple[Head, NDArray[np.float32], dict[str, Any]]:
    train_features = dataset_features(sides.train, extractor, progress=options.progress)
    valid_features = dataset_features(sides.valid, extractor)
    train_truth, valid_truth = sides.truth
    head, trials = heads.choose(
        (train_features, train_truth),
        (valid_features, valid_truth),
        task=sides.task.kind,
        genres=len(sides.task.genres),
    )
    best = min(trials, key=lambda trial: trial.valid_loss)
    how = {
        "kind": "logistic regression",
        "strength": best.strength,
        "trials": [{name: round(value, 6) for name, value in asdict(trial).items()} for trial in trials],
    }
    return head, head.logits(valid_features), how


def _save(made: _Made, name: str, sides: Sides, out: Path, options: Options) -> None:
    from safetensors.numpy import save_file

    tensors = {"head.weight": made.head.weight, "head.bias": made.head.bias}
    tensors |= {f"{PREFIX}{parameter}": value for parameter, value in made.parameters.items()}
    with replacing(out / WEIGHTS_NAME) as partial:
        save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, partial)
    _write_learnt(out / LEARNT_NAME, sides)
    card = {
        "format": FORMAT,
        "name": name,
        "task": sides.task.kind,
        "genres": list(sides.task.genres),
        "preprocessing": {
            "size_px": made.size_px,
            "resize": "the whole cover squeezed to a square, bicubic, antialiased",
            "color": "sRGB, uint8, 0..255; normalised inside of the network",
        },
        "network": made.network,
        "backbone": made.backbone,
        "head": made.how,
        "calibration": _calibrate(made.valid_logits, sides),
        "seed": options.seed,
        "versions": _versions(),
        "dataset": _dataset_card(sides),
    }
    write_json(out / CARD_NAME, card)  # last: a folder with a card is a whole model


def _write_learnt(path: Path, sides: Sides) -> None:
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["sha256", "artist", "split"])
        for side in (sides.train, sides.valid):
            for digest, artist, split in zip(side.digests, side.column("artist"), side.column("split"), strict=True):
                table.writerow([digest, SEPARATOR.join(artists_of(artist)), split])


def _calibrate(valid_logits: NDArray[np.float32], sides: Sides) -> dict[str, Any]:
    kind, (_, truth) = sides.task.kind, sides.truth
    temperature = fit_temperature(valid_logits, truth, task=kind)
    before = proba_of(valid_logits, task=kind)
    after = proba_of(valid_logits, task=kind, temperature=temperature)
    card: dict[str, Any] = {
        "method": "temperature",
        "temperature": temperature,
        "n": len(truth),
        "valid_log_loss": {"before": log_loss(truth, before), "after": log_loss(truth, after)},
        "valid_hit_rate": heads.hit_rate(valid_logits, truth),
    }
    if kind == "multi":
        card["thresholds"] = fit_thresholds(after, truth)
    return card


def _dataset_card(sides: Sides) -> dict[str, Any]:
    truth = sides.truth[0]
    genres = len(sides.task.genres)
    counts = truth.sum(axis=0) if sides.task.kind == "multi" else np.bincount(truth, minlength=genres)
    return {
        "name": sides.train.folder.resolve().name,
        "fingerprint": sides.train.fingerprint,
        "valid_fingerprint": sides.valid.fingerprint,
        "train": len(sides.train),
        "valid": len(sides.valid),
        "train_covers": dict(zip(sides.task.genres, counts.tolist(), strict=True)),
        "train_shares": dict(zip(sides.task.genres, (counts / len(truth)).tolist(), strict=True)),
    }


def _versions() -> dict[str, str]:
    names = ("sleevenotes", "numpy", "pillow", "torch", "onnxruntime", "scikit-learn")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def _pixels(sides: Sides, size_px: int, options: Options) -> list[PixelRows]:
    """Return the pixels of train and of valid, read from those of the whole dataset, which are packed once."""
    whole = sides.whole
    packed = packed_pixels(whole.paths, whole.digests, size_px, folder=whole.cache, progress=options.progress)
    row = {name: index for index, name in enumerate(whole.file_names)}
    return [PixelRows(packed, [row[name] for name in side.file_names]) for side in (sides.train, sides.valid)]


def _export(network: CoverNetwork, out: Path, size_px: int) -> None:
    from sleevenotes.learn.onnx import export

    export(network, out / NETWORK_NAME, size_px=size_px)


def _network_card(architecture: str, network: CoverNetwork, extractor: NetworkExtractor) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "file": NETWORK_NAME,
        "sha256": extractor.network.sha256,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "precision": "float32",
    }


def _parameters(network: CoverNetwork) -> dict[str, NDArray[np.float32]]:
    return {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}


def _refuse_foreign(out: Path) -> None:
    """Refuse a folder that holds something else than a model, whole or begun."""
    if out.is_file():
        raise ModelError(str(out), "a file", "a folder for the model", "Name another with -o")
    known = (*MADE, LEARNT_NAME, SCORINGS_NAME, f"{BASELINE_NAME}/{CARD_NAME}")
    foreign = out.is_dir() and any(path.suffix != ".partial" for path in out.iterdir())
    if foreign and not any((out / name).exists() for name in known):
        raise ModelError(
            str(out), "a folder that holds something else", "an empty folder, or a model", "Name another with -o"
        )


def _is_trained(out: Path, name: str, sides: Sides, options: Options) -> bool:
    """Return whether the folder holds this very model, whole: of the same covers, seed, settings and weights."""
    if not (out / CARD_NAME).exists():
        return False
    card = read_card(out)
    same = {
        "name": card["name"] == name,
        "seed": card["seed"] == options.seed,
        "task": (card["task"], tuple(card["genres"])) == (sides.task.kind, sides.task.genres),
        "train": card["dataset"]["fingerprint"] == sides.train.fingerprint,
        "valid": card["dataset"]["valid_fingerprint"] == sides.valid.fingerprint,
        "settings": name not in SCRATCH or _same_settings(card["head"]["settings"], _training_settings(name, options)),
        "weights": not (card["backbone"] and options.weights)
        or backbones.find(card["backbone"]["name"], weights=options.weights).sha256 == card["backbone"]["sha256"],
    }
    return all(same.values())


def _same_settings(told: dict[str, Any], asked: TrainingSettings) -> bool:
    """Return whether a card tells the settings that are asked for; where any precision will do, any was right."""
    told = told | {"precision": "auto"} if asked.precision == "auto" else told
    return told == asked.told()


def _training_settings(name: str, options: Options) -> TrainingSettings:
    return options.training or settings_of(name, None)


def settings_of(name: str, epochs: int | None) -> TrainingSettings:
    """Return how a network is trained from scratch where nothing else is asked, for so many epochs if they are given.

    `prog_cnn` as its study has it: Adam at one rate, no cover changed, and all of its epochs.
    """
    from sleevenotes.learn.training import TrainingSettings

    if name != "prog_cnn":
        return TrainingSettings() if epochs is None else TrainingSettings(epochs=epochs)
    all_epochs = epochs or PROG_EPOCHS
    return TrainingSettings(
        epochs=all_epochs, batch=32, rate=1e-3, warm_up=0, decay=0.0, dropout=0.0, patience=all_epochs,
        optimizer="adam", schedule="constant", augmented=False, precision="auto",
    )  # fmt: skip


# what a training makes, but for the log of its scorings: who tunes on the test split shall see it
MADE = (CARD_NAME, WEIGHTS_NAME, HISTORY_NAME, NETWORK_NAME, CHECKPOINT_NAME)


def _clear(out: Path, names: Sequence[str]) -> None:
    """Remove files of an earlier training; the card comes first, as a folder with a card is a whole model."""
    for name in names:
        (out / name).unlink(missing_ok=True)
    for leftover in out.glob(".*.partial"):  # of a training that was killed while it wrote
        leftover.unlink()
