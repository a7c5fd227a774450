"""Tuning: the rung of the ladder on which a backbone does not stay as it was published, but goes on learning.

Its out-of-fold answers are those of as many networks as there are folds, each fine-tuned (`learn.finetuning`) on the
covers of the other folds. A tenth of these, groups apart, says which epoch is kept; so the covers of a fold are looked
at once, when they are asked. The network that the model keeps learns from all folds, less such a tenth, and brings its
own head along: any other would be fitted on features that know the genres of these very covers by now.

What is done lies in `tuning/` within the model's folder while the ladder is climbed: pixels, the checkpoint of the
training that runs, and what was said of each fold that is done. So a ladder that was stopped goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import replacing
from sleevenotes.covers.groups import folds
from sleevenotes.covers.images import Pixels, resize
from sleevenotes.covers.pixels import PixelRows, Squeeze, packed_pixels
from sleevenotes.covers.tasks import Task
from sleevenotes.learn import backbones, blends
from sleevenotes.learn.blends import Features, Truth
from sleevenotes.learn.extractors import COMPOSED_PX, MIRRORED, NetworkExtractor, seen
from sleevenotes.learn.features import DAMAGED
from sleevenotes.learn.heads import Head, centred
from sleevenotes.learn.parts import PARTS, TUNING, Part, PartForm

if TYPE_CHECKING:
    from sleevenotes.learn.training import Trained, TrainingSettings

CANDIDATES = ("mobilenet_v2",)  # small enough to learn within an hour of two cores, and large enough to gain by it
TUNED_PX = 128  # an epoch takes a third of what it takes at the size that it was published for
EPOCHS = 6
VIEWS = ("whole", "whole" + MIRRORED)
INNER = 10  # one of so many parts of what is learnt from says which epoch is kept
PROBED_STEPS = 2  # the first one also pays for what is made once
BATCH = 64  # covers that are asked at once
TWICE_SQUEEZED = Squeeze(
    f"squeezed into a square of {COMPOSED_PX} px, as a composed model gets it, and once more by antialiased bicubic",
    lambda pixels, size_px: resize(resize(pixels, COMPOSED_PX), size_px),
)


@dataclass(frozen=True)
class Tuning:
    """A rung that is to be tried: a backbone that goes on learning.

    Parameters
    ----------
    backbone
        Its name; one that torch computes.
    size_px
        Width and height of the covers that it learns from, and gets.
    settings
        How it learns; those of fine-tuning, for few epochs, where None.
    """

    backbone: str
    size_px: int = TUNED_PX
    settings: TrainingSettings | None = None

    @classmethod
    def of_card(cls, told: Mapping[str, Any]) -> Tuning:
        """Return the rung that a part was made by."""
        from sleevenotes.learn.training import TrainingSettings

        return cls(told["backbone"]["name"], told["size_px"], TrainingSettings(**told["settings"]))

    @property
    def form(self) -> PartForm:
        """What the part is made of."""
        return PartForm("network", self.backbone, views=VIEWS)

    @property
    def name(self) -> str:
        """What the part is called, and its file."""
        return f"{self.form.name}-tuned"

    @property
    def what(self) -> str:
        """The rung in words."""
        return f"{self.backbone}, fine-tuned at {self.size_px} px, {len(VIEWS)} views"

    @property
    def learning(self) -> TrainingSettings:
        """How it learns."""
        from sleevenotes.learn.finetuning import finetuning_settings

        return self.settings or finetuning_settings(EPOCHS)


def tunings_at_hand() -> list[Tuning]:
    """Return the rungs that this machine's weights allow."""
    return [Tuning(name) for name in CANDIDATES if backbones.at_hand(name)]


@dataclass
class Tuner:
    """A backbone, and the covers that it learns from.

    Parameters
    ----------
    tuning
        What is tried.
    covers
        Of train and valid, all with a truth.
    task, truth
        What is asked of them.
    fold
        (n,), the fold of each cover; groups are apart.
    folder
        Of the model.
    seed
        Of all randomness.
    say
        Is told of each training.
    """

    tuning: Tuning
    covers: Dataset
    task: Task
    truth: Truth
    fold: NDArray[np.intp]
    folder: Path
    seed: int = 0
    say: Callable[[str], None] = field(default=lambda line: None, repr=False)

    @property
    def has_enough_groups(self) -> bool:
        """Whether there is an inner valid, groups apart, whichever fold is left out."""
        groups = np.asarray(self.covers.groups)
        return all(len(np.unique(groups[self.fold != number])) > 1 for number in np.unique(self.fold))

    def seconds(self) -> float:
        """Return about how long the trainings that are not done yet will take, as told by a step of one batch."""
        from sleevenotes.learn.finetuning import finetune
        from sleevenotes.learn.training import Side

        settings = self.tuning.learning
        covers = np.zeros((settings.batch, self.tuning.size_px, self.tuning.size_px, 3), dtype=np.uint8)
        truth = np.maximum(self.truth[np.arange(settings.batch) % len(self.truth)], 0)
        measured = max(1, settings.batch // INNER)
        genres, width = len(self.task.genres), self._extractor.features(covers[:1]).shape[1]
        with TemporaryDirectory() as scratch:
            probe = finetune(
                backbones.load(self.found),
                Head(np.zeros((genres, width), np.float32), np.zeros(genres, np.float32)),
                (Side(covers, truth), Side(covers[:measured], truth[:measured])),
                task=self.task.kind,
                genres=genres,
                settings=replace(settings, epochs=PROBED_STEPS, patience=PROBED_STEPS),
                seed=self.seed,
                folder=Path(scratch),
            )
        missing = [number for number in np.unique(self.fold) if self._known(int(number)) is None]
        learnt = [(self.fold != number).sum() for number in missing] + [len(self.fold)]
        steps = sum(-(-int(count) * (INNER - 1) // (INNER * settings.batch)) for count in learnt)
        return probe.seconds[-1] * steps * settings.epochs

    def answers(self) -> Features:
        """Return what networks that learnt from the other folds say of each cover, (n, K)."""
        scores = np.zeros((len(self.covers), len(self.task.genres)), np.float32)
        for number in np.unique(self.fold):
            scores[self.fold == number] = self._answers_of(int(number))
        return scores

    def kept(self) -> tuple[Part, Head]:
        """Return the part and the head that learnt from all folds; its network is written into the model's folder."""
        from sleevenotes.learn.readings import write_form
        from sleevenotes.learn.saving import network_card

        trained = self._trained(np.arange(len(self.covers)), "whole")
        (self.folder / PARTS).mkdir(parents=True, exist_ok=True)
        path = self.folder / PARTS / f"{self.tuning.name}.onnx"
        write_form(trained.network, path, size_px=self.tuning.size_px)
        written = NetworkExtractor(path, self.tuning.size_px)
        network = network_card(self.tuning.backbone, trained.network, written) | {"file": path.name}
        parameters = {name: value.detach().cpu().numpy() for name, value in trained.network.state_dict().items()}
        card = {
            "name": self.tuning.name,
            "kind": "network",
            "views": list(VIEWS),
            "rooted": False,
            "layers": [],
            "grid": 1,
            "size_px": self.tuning.size_px,
            "file": f"{PARTS}/{path.name}",
            "network": network,
            "backbone": self._extractor.card | {"finetuned": True},
            "tuned": True,
            "settings": self.tuning.learning.told(),
            "precision": trained.precision,
            "epochs": len(trained.history),
            "best_epoch": trained.best_epoch,
        }
        return Part(card, self.folder, parameters), self._head(trained)

    @cached_property
    def found(self) -> backbones.Weights:
        """The backbone and its weights."""
        return backbones.find(self.tuning.backbone, say=self.say)

    @cached_property
    def _extractor(self) -> backbones.BackboneExtractor:
        """The backbone as it was published."""
        return backbones.BackboneExtractor(self.found, self.tuning.size_px)

    @property
    def _scratch(self) -> Path:
        return self.folder / TUNING / self.tuning.name

    @cached_property
    def _pixels(self) -> Pixels:
        """All covers, (n, S, S, 3), as the composed model will see them."""
        return packed_pixels(
            self.covers.paths, self.covers.digests, self.tuning.size_px, folder=self._scratch, squeeze=TWICE_SQUEEZED
        )

    @cached_property
    def _frozen(self) -> Features:
        """What the backbone says of all covers as it was published, (n, D)."""
        chunks = _chunks(np.arange(len(self.covers)))
        return np.concatenate([self._extractor.features(self._pixels[rows]) for rows in chunks])

    @cached_property
    def _lesson(self) -> str:
        """The SHA-256 of all that the trainings depend on, but for which of the covers they learn from."""
        settings = self.tuning.learning.told()
        told = [self.found.sha256, self.tuning.size_px, settings, self.task.kind, list(self.task.genres), self.seed]
        digest = hashlib.sha256(json.dumps([*told, self.covers.digests, self.covers.groups]).encode())
        digest.update(self.truth.tobytes())
        return digest.hexdigest()

    def _answers_of(self, number: int) -> Features:
        """Return what a network that learnt from the other folds says of the covers of one, (n of it, K)."""
        told = self._known(number)
        if told is None:
            name = f"fold-{number}"
            trained = self._trained(np.flatnonzero(self.fold != number), name)
            told = self._told(trained, np.flatnonzero(self.fold == number))
            with replacing(self._answers_path(number)) as partial, partial.open("wb") as file:
                np.savez(file, identity=np.array(self._identity(number)), answers=told)
            shutil.rmtree(self._scratch / name)  # its checkpoint has four times the network
        return told

    def _known(self, number: int) -> Features | None:
        """Return the answers to a fold that an earlier climb has left, where they are those of this very training."""
        path = self._answers_path(number)
        if not path.is_file():
            return None
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                answers, identity = np.asarray(kept["answers"]), str(kept["identity"])
        except DAMAGED:  # it is computed again
            return None
        fits = answers.dtype.kind == "f" and len(answers) == (self.fold == number).sum() and np.isfinite(answers).all()
        return answers if fits and identity == self._identity(number) else None

    def _answers_path(self, number: int) -> Path:
        return self._scratch / f"fold-{number}.npz"

    def _identity(self, number: int) -> str:
        """Return what tells a training from any other."""
        return self._lesson + hashlib.sha256((self.fold == number).tobytes()).hexdigest()

    def _trained(self, rows: NDArray[np.intp], name: str) -> Trained:
        """Let the backbone learn from some of the covers, a tenth of which says which epoch is kept."""
        from sleevenotes.learn.finetuning import finetune
        from sleevenotes.learn.training import Side

        groups = np.asarray(self.covers.groups)[rows]
        # in `multi`, what is unknown is dealt out as what is absent
        part = folds(groups, np.maximum(self.truth[rows], 0), min(INNER, len(np.unique(groups))), self.seed)
        both = rows[part != 0], rows[part == 0]
        genres, kind = len(self.task.genres), self.task.kind
        on_frozen = [(self._frozen[side], self.truth[side]) for side in both]
        start, *_ = blends.chosen_on_valid(*on_frozen, task=kind, genres=genres)
        folder = self._scratch / name
        folder.mkdir(parents=True, exist_ok=True)
        learnt, asked = (Side(PixelRows(self._pixels, side.tolist()), self.truth[side]) for side in both)
        trained = finetune(
            backbones.load(self.found),
            start,
            (learnt, asked),
            task=kind,
            genres=genres,
            settings=self.tuning.learning,
            seed=self.seed,
            folder=folder,
            resume=True,
            fingerprint=self._lesson + hashlib.sha256(rows.tobytes()).hexdigest(),
        )
        self.say(f"    {self.tuning.name}, {name}: epoch {trained.best_epoch} of {len(trained.history)} is kept")
        return trained

    def _told(self, trained: Trained, rows: NDArray[np.intp]) -> Features:
        """Return what a network says of some of the covers, (n of them, K), its views averaged."""
        from sleevenotes.learn.training import logits_of

        asked = replace(trained, head=self._head(trained))
        told = []
        for chunk in _chunks(rows):
            # a head of averaged features says the average of what it says of each
            each = [logits_of(asked, seen(self._pixels[chunk], view, self.tuning.size_px)) for view in VIEWS]
            told.append(np.mean(each, axis=0))
        return np.concatenate(told)

    def _head(self, trained: Trained) -> Head:
        return centred(trained.head) if self.task.kind == "binary" else trained.head


def _chunks(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
