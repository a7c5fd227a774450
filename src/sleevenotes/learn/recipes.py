"""Recipes: how each model that has a name is made of a dataset.

============ ========================================== =====================================================
name         features                                   head
============ ========================================== =====================================================
`color`      histogram of 8 × 8 × 8 bins of colour       logistic regression, its strength chosen on valid
`small`      our own network, trained from scratch       linear, trained with the network; stops early on valid
`mobilenet`  MobileNetV2, pretrained on ImageNet, frozen logistic regression, its strength chosen on valid
`prog_cnn`   the network of a study of prog covers, from  linear, trained with the network; the epoch with the
             scratch, 260 px                            smallest loss on valid is kept
`distilled`  our own network, trained from scratch, that logistic regression, its strength chosen on valid
             learns what MobileNetV2 sees as well
`backbone`   any backbone or ONNX graph, frozen          logistic or linear, its strength chosen on valid
`best`       parts of all kinds (`learn.ladder`)         a blend of heads, chosen out of fold in train and valid
============ ========================================== =====================================================

Every model is calibrated on valid; `best` on its answers to train and valid out of fold. Nothing here looks at the test
split; only `judge.evaluation` does.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.locks import writing
from sleevenotes.covers.pixels import PixelRows, packed_pixels
from sleevenotes.covers.swapping import finish_swap, rebuilding
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import ModelError, SleevenotesWarning, SplitError, did_you_mean
from sleevenotes.learn import backbones, blends, heads, ladder
from sleevenotes.learn.extractors import COMPOSED_PX, ColorExtractor, NetworkExtractor
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.heads import HEADS, Head, HeadKind, centred
from sleevenotes.learn.model import (
    BASELINE_NAME,
    CARD_NAME,
    CHECKPOINT_NAME,
    NETWORK_NAME,
    Model,
    read_card,
    read_weights,
)
from sleevenotes.learn.parts import PARTS, TUNING, Part, borrowed_part, write_network
from sleevenotes.learn.saving import (
    CARDS,
    MADE,
    OWNED,
    PREFIX,
    Made,
    clear,
    finished_model,
    named,
    network_card,
    parameters_of,
    refuse_foreign,
    restore_learnt,
    save,
)
from sleevenotes.learn.scoring_log import TRAINING, record_first
from sleevenotes.learn.tuning import Tuning

if TYPE_CHECKING:
    from sleevenotes.learn.cover_network import CoverNetwork
    from sleevenotes.learn.distillation import Teacher
    from sleevenotes.learn.training import TrainingSettings

NAMES = ("color", "small", "mobilenet", "prog_cnn", "distilled", "backbone", "best")
SCRATCH = ("small", "prog_cnn", "distilled")  # networks that are trained from scratch, and have epochs
TUNABLE = ("mobilenet", "backbone")
FEW_VALID_COVERS = 30
PROG_EPOCHS = 50
DISTILLED_EPOCHS = 80
TEACHER, TEACHER_PX = "mobilenet_v2", 160
BUDGET_S = 600.0


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
        Go on where a training that was stopped left off; otherwise what that left is removed.
    training
        For networks that are trained from scratch; the recipe's own where None.
    backbone_of
        Folder of a model whose backbone is used as it is, instead of looking for weights: that of another fold. Of a
        model `best`, it is all parts but those that learnt from covers, with the same heads; only strengths and weights
        are chosen anew.
    backbone, normalise, head
        For the model `backbone`: the name of a backbone or an ONNX file; how that wants its pixels, where it does not
        say so itself; and the head on its features.
    finetune
        For a model on one backbone: whether that goes on learning (`learn.finetuning`), or stays as it was published.
    budget_s
        For the model `best`: seconds for its ladder.
    say, progress
        Are told what happens: a line, and covers or epochs done of how many.
    """

    seed: int = 0
    weights: Path | None = None
    resume: bool = False
    training: TrainingSettings | None = None
    backbone_of: Path | None = None
    backbone: str = "mobilenet_v2"
    normalise: str = ""
    head: HeadKind = "logistic"
    finetune: bool = False
    budget_s: float = BUDGET_S
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
        return self.task.truth_of(self.train), self.task.truth_of(self.valid)


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
    StoreBusy
        If another process is training a model into `out`.

    Notes
    -----
    A model that `out` holds already stays as it is until the new one is whole, and then gives way to it. The log of
    its scorings stays, as do evaluations and whatever else lies there.
    """
    options = options or Options()
    if name not in NAMES:
        raise ModelError(f"model '{name}'", "unknown", f"Known are {', '.join(NAMES)}", did_you_mean(name, NAMES))
    if options.finetune and name not in TUNABLE:
        cure = "Leave --finetune out, or name a backbone with --backbone"
        raise ModelError(f"model '{name}'", "nothing that could be fine-tuned", f"One of {', '.join(TUNABLE)}", cure)
    if options.finetune and options.head != "logistic":
        cure = "Leave --finetune out, or --head"
        raise ModelError(f"head '{options.head}'", "a backbone goes on learning with a logistic head only", cure=cure)
    if options.head not in HEADS:
        raise ModelError(f"head '{options.head}'", "unknown", f"Known are {', '.join(HEADS)}")
    sides = Sides.of(dataset)
    dataset.report_replaced()
    out = Path(out)
    finish_swap(out)
    refuse_foreign(out)
    with writing(out, "train"):
        if options.resume and _is_trained(out, name, sides, options):
            for path in restore_learnt(out, sides):
                options.say(f"{path} was missing or damaged, and is written again")
            options.say(f"{out} is trained already")
            return Model.load(out)
        if name in ("mobilenet", "backbone", "distilled") and not options.backbone_of:
            _found(name, options)  # it may be missing, and nothing shall be lost by that
        before = finished_model(out)
        if before:
            options.say(f"{out} holds {before}; it stays until the new one, {name}, is whole")
        with rebuilding(out, "train", owned=OWNED, last=CARDS, resume=options.resume, keep=True) as building:
            _build(name, sides, building, options)
            _record_genres(name, sides, out)
        if before:
            options.say(f"replaced {before}")
    return Model.load(out)


def _build(name: str, sides: Sides, out: Path, options: Options) -> None:
    """Train a model into a folder of its own, or go on with what lies there."""
    if not _is_trained(out, name, sides, options):  # else it was killed before it could be moved into place
        begun = options.resume and (name in SCRATCH or options.finetune) and not (out / CARD_NAME).exists()
        clear(out, () if begun else MADE)
        made = _RECIPES[name](sides, out, options)
        if name == BASELINE_NAME:
            shutil.rmtree(out / BASELINE_NAME, ignore_errors=True)  # of another model that was begun
        else:
            (out / BASELINE_NAME).mkdir(exist_ok=True)
            _build(BASELINE_NAME, sides, out / BASELINE_NAME, replace(options, finetune=False))
        save(made, name, sides, out, options)
    (out / CHECKPOINT_NAME).unlink(missing_ok=True)
    shutil.rmtree(out / TUNING, ignore_errors=True)


def _record_genres(name: str, sides: Sides, out: Path) -> None:
    """Record the genres of all covers, for a model and its baseline, before either can be asked about them."""
    whole = sides.whole
    asked = sides.task.answerable(whole.genre_lists)
    splits = [split if has else "" for split, has in zip(whole.column("split"), asked, strict=True)]
    for folder in {out, out if name == BASELINE_NAME else out / BASELINE_NAME}:
        record_first(folder, zip(whole.digests, whole.genre_lists, splits, strict=True), at=TRAINING)


def _color(sides: Sides, out: Path, options: Options) -> Made:
    extractor = ColorExtractor()
    head, valid_logits, how = _fit_head(sides, extractor, options)
    return Made(head, valid_logits, extractor.size_px, how)


def _on_backbone(sides: Sides, out: Path, options: Options, name: str = "mobilenet") -> Made:
    """Put a head on the features of a frozen backbone."""
    lender = options.backbone_of
    kind: HeadKind = "logistic" if name == "mobilenet" or options.finetune else options.head
    if lender:
        card, parameters = _borrowed_backbone(lender, out)
        kind = read_card(lender)["head"].get("form", "logistic")
    else:
        card, plain = write_network(_found(name, options), out / NETWORK_NAME)
        parameters = named(plain)
    extractor = NetworkExtractor(out / NETWORK_NAME, card["size_px"])
    head, valid_logits, how = _fit_head(sides, extractor, options, kind)
    frozen = Made(head, valid_logits, card["size_px"], how, card["network"], card["backbone"], parameters)
    return _finetuned(frozen, _found(name, options), sides, out, options) if options.finetune else frozen


def _finetuned(frozen: Made, found: backbones.Weights, sides: Sides, out: Path, options: Options) -> Made:
    """Let a backbone go on learning from where the head on its frozen features left it."""
    from sleevenotes.learn.finetuning import finetune, finetuning_settings
    from sleevenotes.learn.readings import write_form
    from sleevenotes.learn.training import Side

    settings, size_px = options.training or finetuning_settings(), frozen.size_px
    train_side, valid_side = (Side(*both) for both in zip(_pixels(sides, size_px, options), sides.truth, strict=True))
    trained = finetune(
        backbones.load(found),
        frozen.head,
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
    write_form(trained.network, out / NETWORK_NAME, size_px=size_px)
    extractor = NetworkExtractor(out / NETWORK_NAME, size_px)
    head = centred(trained.head) if sides.task.kind == "binary" else trained.head
    how = {
        "kind": "linear, fine-tuned with the network",
        "settings": settings.told(),
        "precision": trained.precision,
        "epochs": len(trained.history),
        "best_epoch": trained.best_epoch,
        "frozen": frozen.how,
    }
    return replace(
        frozen,
        head=head,
        logits=head.logits(dataset_features(sides.valid, extractor)),
        how=how,
        network=network_card(found.backbone.name, trained.network, extractor),
        backbone=(frozen.backbone or {}) | {"finetuned": True},
        parameters=parameters_of(trained.network),
    )


def _backbone(sides: Sides, out: Path, options: Options) -> Made:
    return _on_backbone(sides, out, options, "backbone")


def _found(name: str, options: Options) -> backbones.Weights:
    """Return the backbone of a model that has one, and its weights."""
    backbone = {"mobilenet": "mobilenet_v2", "distilled": TEACHER}.get(name, options.backbone)
    return backbones.find(backbone, weights=options.weights, normalise=options.normalise, say=options.say)


def _borrowed_backbone(folder: Path, out: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """Copy the backbone of another model; return what its card says of it, and its parameters as they are kept."""
    card, weights = read_card(folder), read_weights(folder)
    shutil.copyfile(folder / NETWORK_NAME, out / NETWORK_NAME)
    told = {"size_px": card["preprocessing"]["size_px"], "network": card["network"], "backbone": card["backbone"]}
    return told, {name: value for name, value in weights.items() if name.startswith(PREFIX)}


def _best(sides: Sides, out: Path, options: Options) -> Made:
    """Climb the ladder, and compose the model of what won; its heads learn from train and valid."""
    import polars as pl

    both = Dataset(sides.whole.folder, pl.concat([sides.train.covers, sides.valid.covers]))
    truth = np.concatenate(sides.truth)
    climbed = ladder.Ladder(
        both, sides.task, truth, out, options.budget_s, seed=options.seed, say=options.say, progress=options.progress
    )
    winner = _alike(climbed, options.backbone_of) if options.backbone_of else climbed.climb(ladder.steps_at_hand())
    parts, part_heads, told = ladder.composed(winner, truth, sides.task)
    head = blends.joined([(1.0, part) for part in part_heads])
    cards: list[dict[str, Any]] = []
    parameters: dict[str, NDArray[np.float32]] = {}
    for part, part_head, of_part in zip(parts, part_heads, told, strict=True):
        part.finish()
        cards.append(part.card | {"features": part_head.weight.shape[1], **of_part})
        for name, of_network in part.all_parameters.items():
            parameters |= named(of_network, f"{name}.{PREFIX}")
    _keep_only(out, set().union(*(part.files for part in parts)))
    further = {"parts": cards, "ladder": _ladder_card(winner, len(truth), options)}
    how = {"kind": "blend of heads on parts", "members": len(winner.members)}
    return Made(head, winner.answers, COMPOSED_PX, how, parameters=parameters, out_of_fold=True, further=further)


def _alike(climbed: ladder.Ladder, lender: Path) -> ladder.Winner:
    """Return what the parts and heads of another model come to on these covers.

    Parts that learnt from covers are left out, as those that are asked may be among them; where a model has no others,
    they are trained anew.
    """
    model, weights = Model.load(lender), read_weights(lender)

    def borrowed(told: dict[str, Any]) -> Part:
        prefix = f"{told['name']}.{PREFIX}"
        parameters = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        plain = {key: value for key, value in told.items() if key not in ("features", "share", "members")}
        return borrowed_part(plain, lender, climbed.folder, parameters)

    for told in model.parts:
        if told["name"] in model.kept_back:
            why = "its network learnt from covers that may be asked about here"
            climbed.leave_out(told["members"][0]["what"], 0.0, why)
            continue
        if told.get("tuned"):
            climbed.try_tuning(climbed.tuner(Tuning.of_card(told)))
            continue
        parts = tuple(borrowed(each) for each in told.get("of", [told]))
        for member in told["members"]:
            climbed.try_parts(member["what"], parts, member["head"])
    return climbed.all_together()


def _keep_only(out: Path, kept: set[Path]) -> None:
    """Remove networks of rungs that were not taken."""
    for path in (out / PARTS).glob("*"):
        if path not in kept:
            path.unlink()


def _ladder_card(winner: ladder.Winner, covers: int, options: Options) -> dict[str, Any]:
    return {
        "measured_on": "answers to train and valid out of fold",
        "covers": covers,
        "folds": blends.FOLDS,
        "budget_s": options.budget_s,
        "rungs": [rung.told() for rung in winner.rungs],
    }


def _small(sides: Sides, out: Path, options: Options) -> Made:
    from sleevenotes.learn.networks import SMALL_PX

    return _from_scratch("small", SMALL_PX, sides, out, options)


def _prog_cnn(sides: Sides, out: Path, options: Options) -> Made:
    from sleevenotes.learn.networks import PROG_PX

    return _from_scratch("prog_cnn", PROG_PX, sides, out, options)


def _distilled(sides: Sides, out: Path, options: Options) -> Made:
    """Train `distilled`, and put another head on it than the one that it learnt with, which knows train too well."""
    from sleevenotes.learn.networks import DISTILLED_PX

    made = _from_scratch("distilled", DISTILLED_PX, sides, out, options)
    head, valid_logits, how = _fit_head(sides, NetworkExtractor(out / NETWORK_NAME, DISTILLED_PX), options)
    return replace(made, head=head, logits=valid_logits, how=made.how | how)


def _teacher(network: CoverNetwork, options: Options) -> tuple[Teacher, str]:
    """Return what `distilled` learns from besides the genres, and the SHA-256 of its weights."""
    from sleevenotes.learn.distillation import taught_by

    found = _found("distilled", options)
    return taught_by([backbones.load(found)], network, [TEACHER_PX]), found.sha256


def _from_scratch(name: str, size_px: int, sides: Sides, out: Path, options: Options) -> Made:
    """Train the network of `learn.networks.ARCHITECTURES` that bears the recipe's name."""
    import torch

    from sleevenotes.learn.networks import ARCHITECTURES
    from sleevenotes.learn.training import Side, train_network

    settings = _training_settings(name, options)
    pixels = _pixels(sides, size_px, options)
    train_side, valid_side = (Side(*both) for both in zip(pixels, sides.truth, strict=True))
    torch.manual_seed(options.seed)
    network = ARCHITECTURES[name]()
    teacher, taught = _teacher(network, options) if settings.distillation else (None, "")
    trained = train_network(
        network,
        (train_side, valid_side),
        task=sides.task.kind,
        genres=len(sides.task.genres),
        settings=settings,
        seed=options.seed,
        folder=out,
        resume=options.resume,
        fingerprint=sides.train.fingerprint + sides.valid.fingerprint + taught,
        teacher=teacher,
        report=lambda epoch, epochs: options.progress(epoch.epoch, epochs),
    )
    network, architecture, parameters = _kept(name, trained.network, out / NETWORK_NAME, size_px)
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
    told = network_card(architecture, network, extractor)
    return Made(head, valid_logits, size_px, how, network=told, parameters=parameters)


def _kept(
    name: str, network: CoverNetwork, path: Path, size_px: int
) -> tuple[CoverNetwork, str, dict[str, NDArray[np.floating]]]:
    """Write the ONNX form of a trained network; return what is kept of it, of which architecture, and its parameters.

    `distilled` is kept in few bytes, and its head is fitted on what these give.
    """
    from sleevenotes.learn.compact import folded, halve, rounded
    from sleevenotes.learn.onnx import export

    if name != "distilled":
        export(network, path, size_px=size_px)
        return network, name, parameters_of(network)
    network = rounded(folded(network))
    export(network, path, size_px=size_px)
    halve(path)
    return network, f"{name}_folded", {key: value.astype(np.float16) for key, value in parameters_of(network).items()}


_RECIPES: dict[str, Callable[[Sides, Path, Options], Made]] = {
    "color": _color,
    "small": _small,
    "mobilenet": _on_backbone,
    "prog_cnn": _prog_cnn,
    "distilled": _distilled,
    "backbone": _backbone,
    "best": _best,
}


def _fit_head(
    sides: Sides, extractor: ColorExtractor | NetworkExtractor, options: Options, kind: HeadKind = "logistic"
) -> tuple[Head, NDArray[np.float32], dict[str, Any]]:
    """Return a head whose strength was chosen on valid, its logits of valid, and what the card says of it."""
    train_features = dataset_features(sides.train, extractor, progress=options.progress)
    valid_features = dataset_features(sides.valid, extractor)
    train_truth, valid_truth = sides.truth
    both = (train_features, train_truth), (valid_features, valid_truth)
    genres = len(sides.task.genres)
    if kind == "linear":
        head, penalty, losses = blends.chosen_on_valid(*both, task=sides.task.kind, genres=genres)
        tried = [{"strength": each, "valid_loss": round(loss, 6)} for each, loss in losses.items()]
        how = {"kind": "linear regression", "form": "linear", "strength": penalty, "trials": tried}
        return head, head.logits(valid_features), how
    head, trials = heads.choose(*both, task=sides.task.kind, genres=genres)
    best = min(trials, key=lambda trial: trial.valid_loss)
    how = {
        "kind": "logistic regression",
        "strength": best.strength,
        "trials": [{name: round(value, 6) for name, value in asdict(trial).items()} for trial in trials],
    }
    return head, head.logits(valid_features), how


def _pixels(sides: Sides, size_px: int, options: Options) -> list[PixelRows]:
    """Return the pixels of train and of valid, read from those of the whole dataset, which are packed once."""
    whole = sides.whole
    packed = packed_pixels(whole.paths, whole.digests, size_px, folder=whole.cache, progress=options.progress)
    row = {name: index for index, name in enumerate(whole.file_names)}
    return [PixelRows(packed, [row[name] for name in side.file_names]) for side in (sides.train, sides.valid)]


def _is_trained(out: Path, name: str, sides: Sides, options: Options) -> bool:
    """Return whether the folder holds this very model, whole: of the same covers, seed, settings and weights."""
    if not (out / CARD_NAME).exists():
        return False
    try:
        card = read_card(out)
    except ModelError:  # of another version, or damaged: it is trained again
        return False
    if card["name"] != name:
        return False
    same = {
        "learnt_from": "learnt_from" in card,
        "seed": card["seed"] == options.seed,
        "task": (card["task"], tuple(card["genres"])) == (sides.task.kind, sides.task.genres),
        "tree": card.get("tree", []) == [list(pair) for pair in sides.task.tree],
        "train": card["dataset"]["fingerprint"] == sides.train.fingerprint,
        "valid": card["dataset"]["valid_fingerprint"] == sides.valid.fingerprint,
        "finetuned": bool((card["backbone"] or {}).get("finetuned")) == options.finetune,
        "settings": not (name in SCRATCH or options.finetune)
        or _same_settings(card["head"].get("settings", {}), _training_settings(name, options)),
        "backbone": _same_backbone(card, name, options),
        "budget": name != "best" or options.backbone_of or card["ladder"]["budget_s"] == options.budget_s,
    }
    return all(same.values())


def _same_backbone(card: dict[str, Any], name: str, options: Options) -> bool:
    """Return whether a card's backbone, and the head on it, are those that are asked for."""
    if not card["backbone"] or options.backbone_of:
        return True
    if name == "backbone":
        same_head = card["head"].get("form", "logistic") == options.head
        return bool(same_head and _found(name, options).sha256 == card["backbone"]["sha256"])
    return bool(not options.weights or _found(name, options).sha256 == card["backbone"]["sha256"])


def _same_settings(told: dict[str, Any], asked: TrainingSettings) -> bool:
    """Return whether a card tells the settings that are asked for; where any precision will do, any was right."""
    told = told | {"precision": "auto"} if asked.precision == "auto" else told
    return told == asked.told()


def _training_settings(name: str, options: Options) -> TrainingSettings:
    return options.training or settings_of(name, None, finetune=options.finetune)


def settings_of(name: str, epochs: int | None, *, finetune: bool = False) -> TrainingSettings:
    """Return how a network is trained where nothing else is asked, for so many epochs if they are given.

    `prog_cnn` as its study has it: Adam at one rate, no cover changed, and all of its epochs. `distilled` follows its
    teacher far more than the genres, of which it soon knows those of train by heart (docs/experiments.md).
    """
    from sleevenotes.learn.finetuning import finetuning_settings
    from sleevenotes.learn.training import TrainingSettings

    if finetune:
        return finetuning_settings(epochs)
    if name == "distilled":
        return TrainingSettings(
            epochs=epochs or DISTILLED_EPOCHS, batch=128, warm_up=3, patience=25, precision="auto",
            mixup=0.2, average=0.998, crop=0.4, color=0.2, distillation=4.0,
        )  # fmt: skip
    if name != "prog_cnn":
        return TrainingSettings() if epochs is None else TrainingSettings(epochs=epochs)
    all_epochs = epochs or PROG_EPOCHS
    return TrainingSettings(
        epochs=all_epochs, batch=32, rate=1e-3, warm_up=0, decay=0.0, dropout=0.0, patience=all_epochs,
        optimizer="adam", schedule="constant", augmented=False, precision="auto",
    )  # fmt: skip
