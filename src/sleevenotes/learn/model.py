"""A model: a folder with everything that is needed to name the genres of a cover.

=================== =====================================================================================
file                what
=================== =====================================================================================
model.json          task, genres in order, preprocessing, network, calibration, seed, versions, figures
weights.safetensors `head.weight` (K, D), `head.bias` (K,), and the network's parameters as `network.…`
network.onnx        the network as it predicts: covers, uint8 (n, S, S, 3), to features (n, D)
parts/              the networks of a composed model, `NAME.onnx` each, instead of one
history.csv         loss and accuracy of both sides after each epoch, where there were epochs
learnt_from.csv     what is remembered of every cover in train and valid, by which it is recognised (`learn.known`)
scorings.jsonl      a line for each time that a split was scored with it, written before it was
first_genres.csv    genres of each cover before the model could be asked about it (`learn.scoring_log`)
color/              the colour baseline, a model of its own, trained on the same covers
=================== =====================================================================================

`color` has no network, and `best` is composed of parts (`learn.extractors`). Nothing here imports torch or
scikit-learn, so that predicting starts quickly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.genre_tree import respect
from sleevenotes.covers.images import sha256
from sleevenotes.covers.pixels import iter_covers
from sleevenotes.covers.schema import read_json
from sleevenotes.covers.swapping import finish_swap
from sleevenotes.covers.tasks import Kind
from sleevenotes.errors import CoverError, ModelError
from sleevenotes.learn.abstention import Caution
from sleevenotes.learn.calibration import Floats, calibrated as calibrated_proba
from sleevenotes.learn.card import read_model_card
from sleevenotes.learn.extractors import ColorExtractor, ComposedExtractor, NetworkExtractor, built
from sleevenotes.learn.heads import Head
from sleevenotes.learn.known import LEARNT_NAME, LearntCovers
from sleevenotes.learn.onnx import OnnxNetwork
from sleevenotes.learn.tensors import TRAIN_AGAIN, Arrays, read_tensors, refuse_infinite

CARD_NAME = "model.json"
WEIGHTS_NAME = "weights.safetensors"
NETWORK_NAME = "network.onnx"
HISTORY_NAME = "history.csv"
CHECKPOINT_NAME = "checkpoint.safetensors"
SCORINGS_NAME = "scorings.jsonl"
FIRST_GENRES_NAME = "first_genres.csv"
EVALUATION_NAME = "evaluation.json"  # what `evaluate` writes beside a model, or in the folder around it
BASELINE_NAME = "color"
BUNDLE_NAME = "sleevenotes.json"  # in place of a card, in a folder that `export` made (`learn.bundles`)
CONFIG_NAME = "config.json"  # in place of that, in a folder for the Hugging Face hub, where many have one
MODEL_TYPE = "sleevenotes"  # what it says there
BOX = Path(__file__).parents[1] / "box"  # the model that comes with the package (box/make_model.py)
BATCH = 16


@dataclass(frozen=True)
class Prediction:
    """What a model says of one cover.

    Parameters
    ----------
    file
        The cover, as it was given.
    proba
        (K,), in the order of the model's genres; None where the cover can't be read.
    error
        Why it can't be read; None where it can.
    known
        `same file as a training cover` or `near-duplicate of a training cover`, about which the model's answer proves
        nothing; None for a cover that the model does not know.
    """

    file: str
    proba: Floats | None
    error: str | None
    known: str | None = None

    def top(self, genres: tuple[str, ...], count: int = 3) -> list[tuple[str, float]]:
        """Return the likeliest genres and their proba, likeliest first."""
        if self.proba is None:
            return []
        order = np.argsort(-self.proba, kind="stable")[:count]
        return [(genres[index], float(self.proba[index])) for index in order]


class Model:
    """A trained model, loaded from its folder.

    Parameters
    ----------
    folder
        The model's folder.
    card
        The contents of `model.json`.
    head
        The head on its features.
    """

    def __init__(self, folder: Path, card: Mapping[str, Any], head: Head) -> None:
        self.folder, self.card, self._head = folder, card, head
        self.name: str = card["name"]
        self.task: Kind = cast(Kind, card["task"])
        self.genres: tuple[str, ...] = tuple(card["genres"])
        self.temperature: float = card["calibration"]["temperature"]
        self.thresholds: list[float] | None = card["calibration"].get("thresholds")
        self.size_px: int = card["preprocessing"]["size_px"]

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Load a model.

        Raises
        ------
        ModelError
            Where the folder holds none, or one that this version can't read.
        """
        folder = Path(folder)
        card = read_card(folder)
        tensors = read_tensors(folder / WEIGHTS_NAME, card["weights"]["sha256"])
        return cls(folder, card, _head_of(tensors, len(card["genres"]), folder / WEIGHTS_NAME))

    @classmethod
    def in_the_box(cls) -> Model:
        """Load the model that comes with sleevenotes; `box/CARD.md` beside it says what it can do, and what not."""
        return cls.load(BOX)

    @property
    def head(self) -> Head:
        """The head on its features."""
        return self._head

    @property
    def parts(self) -> list[dict[str, Any]]:
        """What a composed model is made of, as its card tells it; nothing for a plain one."""
        return self.card.get("parts") or []

    @property
    def kept_back(self) -> list[str]:
        """Names of parts that are lent to no other model, as they learnt from covers that it may be asked about.

        None where there are no other parts: then their like is trained anew.
        """
        tuned = [part["name"] for part in self.parts if part.get("tuned")]
        return tuned if len(tuned) < len(self.parts) else []

    @property
    def has_learnt_features(self) -> bool:
        """Whether its features, or some of them, were learnt from covers that the model learnt from."""
        if self.parts:
            return any(part.get("tuned") for part in self.parts)
        return self.card["network"] is not None and (not self.card["backbone"] or self.finetuned)

    @property
    def has_places(self) -> bool:
        """Whether it has a network that can be asked where on a cover it looks: one that is known in torch."""
        grounds = [ground for part in self.parts for ground in part.get("of", [part])]
        networks = [part["network"] for part in grounds] or [self.card["network"]]
        return any(network and network["architecture"] for network in networks)

    @property
    def lends(self) -> Path | None:
        """The folder, where it has pretrained networks that another model can use as they are; else None.

        Of a composed model, another can have all parts but those that are `kept_back`.
        """
        return self.folder if (self.card["backbone"] and not self.finetuned) or self.parts else None

    @property
    def finetuned(self) -> bool:
        """Whether its backbone went on learning, from the covers that the model learnt from."""
        return bool((self.card["backbone"] or {}).get("finetuned"))

    @cached_property
    def extractor(self) -> ColorExtractor | NetworkExtractor | ComposedExtractor:
        """What turns pixels into this model's features."""
        if self.parts:
            return built(self.parts, self.folder, self.size_px)
        if self.card["network"] is None:
            return ColorExtractor()
        network = OnnxNetwork(self.folder / NETWORK_NAME, sha256=self.card["network"]["sha256"])
        return NetworkExtractor(network, self.size_px)

    @cached_property
    def baseline(self) -> Model | None:
        """The colour baseline that was trained beside this model; None for the baseline itself."""
        return None if self.name == BASELINE_NAME else Model.load(self.folder / BASELINE_NAME)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of its card, by which evaluations, maps and answers of the game know it again."""
        return sha256((self.folder / CARD_NAME).read_bytes())

    @cached_property
    def known(self) -> LearntCovers:
        """The covers that it learnt from, to recognise one of them.

        Raises
        ------
        ModelError
            If `learnt_from.csv` is not the file that was written with the model.
        """
        return LearntCovers.read(self.folder / LEARNT_NAME, self.card, cure=self._how_to_get_back(LEARNT_NAME))

    @property
    def learnt_from(self) -> list[dict[str, str]]:
        """A row for each cover of train and valid, with the columns of `learnt_from.csv` (`learn.known`)."""
        return self.known.rows

    def _how_to_get_back(self, name: str) -> str:
        if self.folder == BOX:
            return "Install sleevenotes again"
        train = " ".join(["sleevenotes train DATASET", *self._options, "-o", str(self.folder)])
        return (
            f"Copy {name} back from where you have it, or run `{train} --resume` with the dataset that the model was "
            "trained on, which writes the file again if that dataset is unchanged; otherwise train the model again"
        )

    @property
    def _options(self) -> list[str]:
        """The options of `train` that give a model of its kind."""
        backbone, ladder = self.card.get("backbone") or {}, self.card.get("ladder") or {}
        named = ["--backbone", str(backbone.get("name"))] if self.name == "backbone" else ["--model", self.name]
        if ladder.get("budget_s"):
            named += ["--budget", f"{ladder['budget_s']:g}s"]
        named += ["--finetune"] if self.finetuned else []
        return named + (["--seed", str(self.card["seed"])] if self.card.get("seed") else [])

    def logits(self, covers: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return logits, (n, K), of covers, (n, S, S, 3) at the model's size."""
        features = self.extractor.features(covers)
        if features.shape[1] != self.head.weight.shape[1]:
            found = f"{features.shape[1]:,} features of a cover, where the head takes {self.head.weight.shape[1]:,}"
            raise ModelError(str(self.folder), found, cure=TRAIN_AGAIN)
        return self.head.logits(features)

    def proba(self, logits: NDArray[np.floating], *, calibrated: bool = True) -> Floats:
        """Return proba, (n, K), of logits, with the calibration found on valid or without; they respect the tree."""
        card = self.card["calibration"] if calibrated else {"temperature": 1.0}
        proba = calibrated_proba(logits, card, task=self.task)
        if not np.isfinite(proba).all():
            raise ModelError(str(self.folder), "it answers with numbers that are not finite", cure=TRAIN_AGAIN)
        return respect(proba, self.genres, self.card.get("tree") or ())

    def asked(self, covers: NDArray[np.uint8]) -> Floats:
        """Return calibrated proba, (n, K), of covers, (n, S, S, 3) at the model's size."""
        return self.proba(self.logits(covers))

    def caution(self, *, max_risk: float | None = None, coverage: float | None = None) -> Caution:
        """Return how careful its answers have to be: none of a greater risk, and sets that so often hold the truth.

        Raises
        ------
        ModelError
            Where a share is none, or the model was trained before there were sets.
        """
        return Caution.of(self.card["calibration"], max_risk=max_risk, coverage=coverage)

    def predict(self, covers: Iterable[Path | bytes], *, names: Iterable[str] | None = None) -> Iterator[Prediction]:
        """Yield one prediction a cover, in order, however many there are; memory stays flat.

        Parameters
        ----------
        covers
            Files, or their bytes.
        names
            What the predictions call them; where none are given, the path, or "cover 1" for the first one's bytes.
        """
        sources = list(covers)
        if names is not None:
            told = list(names)
        else:
            told = [str(one) if isinstance(one, Path) else f"cover {at}" for at, one in enumerate(sources, start=1)]
        waiting: list[_Waiting] = []
        for index, pixels in iter_covers(sources, size_px=self.size_px):
            waiting.append(_Waiting(told[index], sources[index], pixels))
            if len(waiting) == BATCH:
                yield from self._answers(waiting)
                waiting = []
        yield from self._answers(waiting)

    def _answers(self, waiting: list[_Waiting]) -> Iterator[Prediction]:
        readable = [(one.pixels, one.source) for one in waiting if not isinstance(one.pixels, CoverError)]
        covers, sources = [pixels for pixels, _ in readable], [source for _, source in readable]
        rows = iter(self.asked(np.stack(covers))) if readable else iter(())
        marks = iter(self.known.marks(covers, sources))
        for name, _, pixels in waiting:
            if isinstance(pixels, CoverError):
                yield Prediction(name, None, pixels.about(name).sentence)
            else:
                yield Prediction(name, next(rows), None, next(marks))


class _Waiting(NamedTuple):
    """A cover that is to be shown to a model: its name, its file or bytes, and its pixels or why there are none."""

    name: str
    source: Path | bytes
    pixels: NDArray[np.uint8] | CoverError


def read_card(folder: Path) -> dict[str, Any]:
    """Return the contents of a model's `model.json`.

    Raises
    ------
    ModelError
        If there is none, or one that is damaged, of another format or contradicts itself.
    """
    finish_swap(Path(folder))
    path = Path(folder) / CARD_NAME
    if not path.is_file():
        raise _no_model(Path(folder))
    return read_model_card(path)


def model_beside(folder: Path) -> Path | None:
    """Return the model that belongs to a folder which is none itself; None if there is none.

    A folder that `run` made has its model in `model/`; a dataset in such a folder has it next to itself.
    """
    for path in (folder / "model", folder.parent / "model"):
        finish_swap(path)
        if (path / CARD_NAME).is_file() and (path.parent == folder or folder.name == "dataset"):
            return path
    return None


def _no_model(folder: Path) -> ModelError:
    """Return the error for a folder without a card, with the path that was probably meant."""
    train = f"Train one: `sleevenotes train DATASET -o {folder}`"
    beside = model_beside(folder)
    cure = f"Its model is {beside}" if beside else train
    if bundle_in(folder):
        found = "an exported model, which only `predict` and `serve` can use"
        return ModelError(str(folder), found, "a model", "Name the model that it was exported from")
    if (folder / "metadata.csv").is_file() or (folder / "metadata.parquet").is_file():
        found = "a dataset, not a model"
    elif beside:
        found = "a folder that `run` made, not a model"
    elif folder.is_dir():
        found = f"no {CARD_NAME} in this folder"
    else:
        found = "not a folder" if folder.is_file() else "no such folder"
    return ModelError(str(folder), found, "" if beside else "a model", cure)


def bundle_in(folder: Path) -> Path | None:
    """Return the file in which a bundle tells what it is; None where a folder holds no bundle."""
    path = Path(folder) / BUNDLE_NAME
    if path.is_file():
        return path
    path = Path(folder) / CONFIG_NAME
    try:
        told = read_json(path, dict[str, Any], ModelError, "") if path.is_file() else {}
    except ModelError:  # somebody else's file, about which there is nothing to say
        return None
    return path if told.get("model_type") == MODEL_TYPE else None


def read_weights(folder: Path) -> Arrays:
    """Return all arrays of a model's weights: those of the head and of the networks that are known in torch.

    Raises
    ------
    ModelError
        If the file is missing, damaged, not the one of the model's card, or has numbers that are not finite.
    """
    path = Path(folder) / WEIGHTS_NAME
    arrays = read_tensors(path, read_card(folder)["weights"]["sha256"])
    refuse_infinite(path, arrays)
    return arrays


def _head_of(arrays: Arrays, genres: int, path: Path) -> Head:
    """Return the head among a model's arrays."""
    weight, bias = arrays.get("head.weight"), arrays.get("head.bias")
    if weight is None or bias is None:
        raise ModelError(str(path), "no head in it", cure=TRAIN_AGAIN)
    if weight.ndim != 2 or bias.shape != weight.shape[:1] or len(bias) != genres:
        found = f"a head of the shapes {_shape(weight)} and {_shape(bias)}"
        raise ModelError(str(path), found, f"{genres:,} rows, as the card names {genres:,} genres", TRAIN_AGAIN)
    refuse_infinite(path, {"head.weight": weight, "head.bias": bias})
    return Head(weight, bias)


def _shape(array: NDArray[Any]) -> str:
    return " × ".join(map(str, array.shape)) or "none"
