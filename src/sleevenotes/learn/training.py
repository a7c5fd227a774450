"""Training a network, from scratch or from where it was pretrained: one loop, cut into steps.

What a batch looks like is in `learn.augmentation`, what a network is told of its answers in `learn.losses`, and how it
goes down from there in `learn.descent`.

Each epoch draws its order, its augmentation and its dropout from a generator seeded by (seed, epoch). So nothing of
the randomness has to be saved, and training that was killed and resumed ends with the same weights, bit for bit, as
training that was left alone on the same machine.

A `binary` task has one logit to learn, a sigmoid's; the head that is kept has a second row of zeros, so that the
softmax over both genres is that sigmoid.
"""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from sleevenotes.covers.files import replacing
from sleevenotes.covers.pixels import PixelRows
from sleevenotes.covers.schema import parse_json
from sleevenotes.covers.tasks import Kind
from sleevenotes.errors import ModelError
from sleevenotes.learn.augmentation import Mix, as_seen
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.descent import Average, groups_of, keep_frozen, optimizer_of, rate_at
from sleevenotes.learn.distillation import Projection, Teacher, spread_of
from sleevenotes.learn.heads import Head
from sleevenotes.learn.losses import balanced_draws, balancing_weights, hits_of, known_covers, loss_of
from sleevenotes.learn.model import CHECKPOINT_NAME, HISTORY_NAME
from sleevenotes.learn.precision import Precision, computing, memory_kept, precision_used

CHECKPOINT_FORMAT = 2  # a checkpoint of another one is not gone on with
HELD_BYTES = 4 << 30  # of pixels that are put on a GPU as a whole


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained.

    Parameters
    ----------
    epochs
        At most so many.
    batch
        Covers a step.
    rate
        The largest learning rate, reached after `warm_up` epochs.
    decay
        Weight decay; "adam" has none.
    dropout
        Share of the features that the head does not see.
    patience
        Epochs without a smaller loss on valid after which it stops.
    optimizer
        "adamw" (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101), "adam" (Kingma and Ba 2015,
        https://arxiv.org/abs/1412.6980), or "sgd": plain gradient descent.
    momentum
        Of "sgd".
    schedule
        What the rate does after the warm-up: falls along a half cosine to the last of `epochs`, or stays.
    augmented
        Whether train is seen zoomed, shifted, mirrored and recoloured, another way each epoch.
    balance
        How rare genres are made to count as much as frequent ones: not at all ("none"); by the weight of each cover in
        the loss (`balancing_weights`, "weights"); or by drawing covers of each genre equally often in an epoch
        (`balanced_draws`, "draws"). With either of the last two, the loss on valid is weighted, too.
    precision
        What the network computes with while it learns: "float32", "bfloat16", or "auto", which is bfloat16 where the
        processor has it (`learn.precision`). Valid is measured in float32 whatever it is.
    mixup, cutmix
        How much covers of a batch are mixed (`augmentation.mixed`): alpha of the Beta distribution of the shares; 0 is
        not at all.
    erasing
        Share of covers of which a rectangle is painted over (`augmentation.erased`).
    smoothing
        Share of the truth that the loss spreads over all answers (`losses.loss_of`); valid's is as it is.
    average
        Decay of the moving average of the network (`descent.Average`), which then is what valid measures and what is
        kept; 0 is none.
    crop
        The smallest share of a cover's area that is seen of it at once; 1 is the whole, moved as `augmented` has it.
    color
        Strength of the change of saturation, contrast and brightness (`augmentation.jittered`), in 0..1.
    distillation
        Weight in the loss of what a teacher sees (`learn.distillation`).
    unfrozen
        How many of the network's stages learn, from its top (`descent.stages_of`); all of it where None.
    layer_rate
        By which the rate is multiplied from one stage to the next below; the head has the full one.
    statistics_kept
        Whether batch norm keeps its statistics of earlier covers where its stage learns, too.
    """

    epochs: int = 30
    batch: int = 32
    rate: float = 2e-3
    warm_up: int = 2
    decay: float = 0.05
    dropout: float = 0.2
    patience: int = 10
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    momentum: float = 0.9
    schedule: Literal["cosine", "constant"] = "cosine"
    augmented: bool = True
    balance: Literal["none", "weights", "draws"] = "none"
    precision: Literal["auto"] | Precision = "float32"
    mixup: float = 0.0
    cutmix: float = 0.0
    erasing: float = 0.0
    smoothing: float = 0.0
    average: float = 0.0
    crop: float = 1.0
    color: float = 0.0
    distillation: float = 0.0
    unfrozen: int | None = None
    layer_rate: float = 1.0
    statistics_kept: bool = False

    def told(self) -> dict[str, Any]:
        """Return the settings by name, for a card or a checkpoint.

        From `optimizer` on they are told only where they are not the default: they came later, and what was trained
        before them shall be known again.
        """
        default = TrainingSettings()
        first = ("epochs", "batch", "rate", "warm_up", "decay", "dropout", "patience")
        return {name: value for name, value in asdict(self).items() if name in first or value != getattr(default, name)}


@dataclass(frozen=True)
class Side:
    """The covers of one side of a split.

    Parameters
    ----------
    covers
        uint8 (n, S, S, 3), or rows of such that stay on the disk, or a tensor on the device that learns.
    truth
        (n,), or (n, K) in `multi`, where -1 is unknown.
    """

    covers: NDArray[np.uint8] | PixelRows | Tensor
    truth: NDArray[np.int64]


@dataclass
class Epoch:
    """One line of `history.csv`."""

    epoch: int
    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float


class EpochEntry(TypedDict):
    """An epoch, as a checkpoint keeps it."""

    epoch: int
    train_loss: float | None
    train_accuracy: float | None
    valid_loss: float | None
    valid_accuracy: float | None


def _finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """Return numbers by name, None for one that is not finite: what neither JSON nor a table has a number for."""
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def _epoch(entry: EpochEntry) -> Epoch:
    numbers: dict[str, Any] = {name: math.nan if value is None else value for name, value in entry.items()}
    return Epoch(**numbers)


@dataclass
class Trained:
    """What training leaves: the network and head of the epoch with the smallest loss on valid.

    `precision` is what was really used, whatever the settings asked for. `start_loss` is that on valid before
    anything was learnt, where training started from a head; where no epoch's is smaller, the start is what is kept.
    `seconds` are those of each epoch that this process trained; they are no part of the history, which is the same
    whether a training was interrupted or not.
    """

    network: CoverNetwork
    head: Head
    history: list[Epoch] = field(default_factory=list)
    precision: Precision = "float32"
    start_loss: float | None = None
    seconds: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The epoch that is kept; 0 is the start."""
        losses = [np.inf if self.start_loss is None else self.start_loss, *(one.valid_loss for one in self.history)]
        return int(np.nanargmin(losses))


def train_network(
    network: CoverNetwork,
    sides: tuple[Side, Side],
    *,
    task: Kind,
    genres: int,
    settings: TrainingSettings,
    seed: int,
    folder: Path,
    resume: bool = False,
    fingerprint: str = "",
    report: Callable[[Epoch, int], None] = lambda epoch, epochs: None,
    start: Head | None = None,
    teacher: Teacher | None = None,
) -> Trained:
    """Train a network and a linear head on it.

    Parameters
    ----------
    network
        Freshly made under `seed`, or pretrained; it is changed.
    sides
        Train and valid.
    genres
        K; 2 in `binary`.
    folder
        Where the checkpoint and `history.csv` are kept.
    resume
        Go on from the checkpoint, where there is one of the same covers, settings and seed.
    fingerprint
        Of the covers; a checkpoint of other covers is not resumed.
    report
        Is told of each epoch, and how many there are at most.
    start
        The head to start from, (K, D); a random one where None.
    teacher
        Whose features the network learns to give as well, with the weight of `settings.distillation`. Who resumes with
        another teacher tells so by the fingerprint.
    """
    if (teacher is None) != (settings.distillation == 0):
        raise ValueError("settings.distillation and a teacher go together: give both, or neither.")
    run = _Run(network, task, genres, settings, seed, sides[0].covers.shape)
    sides = (held(sides[0], run.device), held(sides[1], run.device))
    run.prepare(*sides, start=start, teacher=teacher)
    identity = json.dumps([CHECKPOINT_FORMAT, fingerprint, run.told(), task, run.head.out_features, seed])
    checkpoint = folder / CHECKPOINT_NAME
    if resume and checkpoint.exists():
        run.restore(checkpoint, identity)
    with memory_kept():
        while not run.finished:
            run.epoch(*sides)
            run.save(checkpoint, identity)
            write_history(folder / HISTORY_NAME, run.history)
            report(run.history[-1], settings.epochs)
    return run.result()


class _Run:
    """The state of one training, between epochs all of it in the checkpoint."""

    def __init__(
        self,
        network: CoverNetwork,
        task: Kind,
        genres: int,
        settings: TrainingSettings,
        seed: int,
        shape: tuple[int, ...],
    ) -> None:
        self.network, self.task, self.settings, self.seed = network, task, settings, seed
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.precision = precision_used(settings.precision, self.device)
        torch.manual_seed(seed)
        covers, size_px = shape[:2]
        self.head = nn.Linear(_width(network, size_px), 1 if task == "binary" else genres)
        self.module = nn.ModuleDict({"network": network, "head": self.head}).to(self.device)
        self.teacher: Teacher | None = None
        self.projection: Projection | None = None
        self.steps = -(-covers // settings.batch)  # an epoch, rounded up
        self.history: list[Epoch] = []
        self.seconds: list[float] = []  # of each epoch, but for those before it was resumed
        self.start_loss: float | None = None
        self._settle()

    def _settle(self) -> None:
        """Make what hangs on the module's parameters, once these are what training begins with."""
        _lay_out(self.module, torch.channels_last)  # as covers come, so that no map is turned round on its way
        self.optimizer = optimizer_of(self.module, groups_of(self.module, self.settings), self.settings)
        self.average = Average(self.module, self.settings.average) if self.settings.average else None
        self.best, self.now_is_best = self._state(), False

    def prepare(self, train: Side, valid: Side, *, start: Head | None, teacher: Teacher | None) -> None:
        """Start from a head, where there is one, and get to know the teacher, where there is one."""
        if start is not None:
            arrays = [start.weight, start.bias]
            if self.task == "binary":  # one logit is the difference of two
                arrays = [array[:1] - array[1:] for array in arrays]
            with torch.no_grad():
                for parameter, array in zip((self.head.weight, self.head.bias), arrays, strict=True):
                    parameter.copy_(torch.from_numpy(array))
        if teacher is not None:
            self.teacher = teacher
            mean, deviation = spread_of(self._taught, self._normalised(train))
            self.projection = Projection(self.head.in_features, mean, deviation).to(self.device)
            self.module["projection"] = self.projection
        if start is not None or teacher is not None:
            self._settle()
        if start is not None:
            self.start_loss = self._measure(valid)[0]

    @property
    def measured(self) -> nn.ModuleDict:
        """What valid measures and what is kept: the average, where there is one."""
        return self.module if self.average is None else self.average.module

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or valid has not become better for too long."""
        losses = [epoch.valid_loss for epoch in self.history]
        since_best = len(losses) - 1 - int(np.argmin(losses)) if losses else 0
        return len(losses) >= self.settings.epochs or since_best >= self.settings.patience

    def told(self) -> dict[str, Any]:
        """Return the settings by name, with the precision that is used: its last bits hang on it."""
        told = self.settings.told() | {"precision": self.precision}
        return {name: value for name, value in told.items() if (name, value) != ("precision", "float32")}

    def epoch(self, train: Side, valid: Side) -> None:
        """Go once over train, measure both sides, and keep the state where valid is better than ever."""
        began = time.perf_counter()
        number = len(self.history)
        torch.manual_seed(_stream(self.seed, number))
        self.module.train()
        keep_frozen(self.module, statistics=self.settings.statistics_kept)
        tally = _Tally()
        for step, (covers, truth, weight) in enumerate(self._batches(train)):
            self._set_rate(number * self.steps + step)
            seen_as, mix = self._seen_as(covers)
            features, logits = self._answers(seen_as)
            loss = loss_of(logits, truth, self.task, weight, smoothing=self.settings.smoothing, mix=mix)
            if self.projection is not None:
                lesson = self.projection.loss(features, self._taught(seen_as))
            self._step(loss if self.projection is None else loss + self.settings.distillation * lesson)
            if self.average is not None:
                self.average.follow(self.module, number * self.steps + step)
            tally.add(loss.detach(), logits, truth, mix)
        valid_loss, valid_accuracy = self._measure(valid)
        start_loss = np.inf if self.start_loss is None else self.start_loss
        best_before = min((start_loss, *(epoch.valid_loss for epoch in self.history)))
        self.seconds.append(time.perf_counter() - began)
        self.history.append(Epoch(number + 1, tally.loss, tally.accuracy, valid_loss, valid_accuracy))
        self.now_is_best = valid_loss < best_before  # never where the loss is not a number
        if self.now_is_best:
            self.best = self._state()

    def result(self) -> Trained:
        """Return network and head as they were when valid was best."""
        self.module.load_state_dict(self.best)
        self.module.cpu().eval()
        _lay_out(self.module, torch.contiguous_format)
        weight, bias = self.head.weight.detach().numpy().copy(), self.head.bias.detach().numpy().copy()
        if self.task == "binary":  # the softmax of (z, 0) is the sigmoid of z
            weight, bias = np.concatenate([weight, np.zeros_like(weight)]), np.append(bias, np.zeros_like(bias))
        head = Head(weight, bias)
        return Trained(self.network, head, self.history, self.precision, self.start_loss, self.seconds)

    def save(self, path: Path, identity: str) -> None:
        """Write all state to the checkpoint, whole or not at all."""
        from safetensors.torch import save_file

        tensors = {f"now.{name}": value for name, value in self.module.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{name}": value for name, value in self.average.module.state_dict().items()}
        if not self.now_is_best:  # AlexNet's 228 MB need not be written twice
            tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{slot}": value for slot, value in slots.items()}
        history = json.dumps([_finite(asdict(epoch)) for epoch in self.history])
        tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        with replacing(path) as partial:
            save_file(tensors, partial, metadata={"identity": identity, "history": history})

    def restore(self, path: Path, identity: str) -> None:
        """Read all state back, where the checkpoint is of this very training."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("identity") != identity:
                    return
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        except SafetensorError:  # damaged: training begins at its start
            return
        cure = "Delete it, and train again"
        history = parse_json(metadata.get("history", ""), str(path), list[EpochEntry], ModelError, cure)
        self.history = [_epoch(entry) for entry in history]
        self.module.load_state_dict(_below("now.", tensors))
        if self.average is not None:
            self.average.module.load_state_dict(_below("average.", tensors))
        self.best = _below("best.", tensors) or _below("average.", tensors) or _below("now.", tensors)
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in _below("optimizer.", tensors).items():
            index, slot = name.split(".", 1)
            # fused optimisers go through memory as it lies, so this has to lie as the parameters do
            layout = torch.channels_last if value.ndim == 4 else torch.contiguous_format
            slots.setdefault(int(index), {})[slot] = value.contiguous(memory_format=layout)
        self.optimizer.load_state_dict({"state": slots, "param_groups": self.optimizer.state_dict()["param_groups"]})

    def _batches(self, side: Side) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """Yield covers, truth, and weights where covers have some."""
        n = len(side.covers)
        order = balanced_draws(side.truth) if self.settings.balance == "draws" else torch.randperm(n).numpy()
        weight = balancing_weights(side.truth) if self.settings.balance == "weights" else None
        for start in range(0, len(order), self.settings.batch):
            rows = order[start : start + self.settings.batch]
            if len(rows) > 1 or len(order) == 1:  # batch norm can't learn from a single cover
                weights = None if weight is None else torch.from_numpy(weight[rows])
                yield pixels_of(side, rows), torch.from_numpy(side.truth[rows]), weights

    def _normalised(self, side: Side) -> Iterator[Tensor]:
        """Yield covers in their order, as the network normalises them."""
        for rows in _in_order(side, self.settings.batch):
            yield self.network.normalise(pixels_of(side, rows).to(self.device))

    def _seen_as(self, covers: Tensor) -> tuple[Tensor, Mix | None]:
        """Return covers as the network learns from them, (B, 3, S, S), their channels last in memory."""
        seen_as, mix = as_seen(self.network.normalise(covers.to(self.device)), self.network, self.settings)
        return seen_as.contiguous(memory_format=torch.channels_last), mix

    def _answers(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and logits, (B, D) and (B, K), of covers as seen; in `binary` the second logit is 0."""
        with computing(self.precision, self.device):
            features = self.network.pooled(normalised)
        logits: Tensor = self.head(F.dropout(features, self.settings.dropout))
        return features, F.pad(logits, (0, 1)) if self.task == "binary" else logits

    @torch.no_grad()
    def _taught(self, normalised: Tensor) -> Tensor:
        assert self.teacher is not None
        with computing(self.precision, self.device):
            return self.teacher(normalised)

    def _step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()

    def _set_rate(self, step: int) -> None:
        rate = rate_at(step, self.settings, steps=self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1.0)

    @torch.inference_mode()
    def _measure(self, side: Side) -> tuple[float, float]:
        """Return loss and accuracy of the network as it will be asked: in float32."""
        self.measured.eval()
        network, head = cast("CoverNetwork", self.measured["network"]), self.measured["head"]
        tally = _Tally()
        weight = None if self.settings.balance == "none" else torch.from_numpy(balancing_weights(side.truth))
        for rows in _in_order(side, self.settings.batch):
            truth = torch.from_numpy(side.truth[rows])
            logits = head(network.pooled(network.normalise(pixels_of(side, rows).to(self.device))))
            logits = F.pad(logits, (0, 1)) if self.task == "binary" else logits
            tally.add(loss_of(logits, truth, self.task, None if weight is None else weight[rows]), logits, truth)
        return tally.loss, tally.accuracy

    def _state(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self.measured.state_dict().items()}


@dataclass
class _Tally:
    """Loss and hits of an epoch, batch by batch: each counts as much as is known of it."""

    losses: float = 0.0
    known: float = 0.0
    hits: int = 0
    seen: int = 0

    def add(self, loss: Tensor, logits: Tensor, truth: Tensor, mix: Mix | None = None) -> None:
        """Count a batch in."""
        known = known_covers(truth)
        hits, seen = hits_of(logits, truth, mix)
        self.losses, self.known = self.losses + float(loss) * known, self.known + known
        self.hits, self.seen = self.hits + hits, self.seen + seen

    @property
    def loss(self) -> float:
        """Mean over what is known."""
        return self.losses / self.known

    @property
    def accuracy(self) -> float:
        """Share of covers whose first-placed genre is right."""
        return self.hits / self.seen


def held(side: Side, device: torch.device, *, limit_bytes: int = HELD_BYTES) -> Side:
    """Return a side whose pixels lie on a GPU as a whole, where that is what learns, and they fit.

    Elsewhere the side is as it was: a CPU has its pixels at hand.
    """
    if device.type == "cpu" or isinstance(side.covers, Tensor) or np.prod(side.covers.shape) > limit_bytes:
        return side
    covers = torch.empty(side.covers.shape, dtype=torch.uint8, device=device)
    for rows in _in_order(side, 256):  # packed covers need not fit into memory twice
        covers[rows[0] : rows[-1] + 1] = pixels_of(side, rows)
    return Side(covers, side.truth)


def pixels_of(side: Side, rows: NDArray[np.int64]) -> Tensor:
    """Return some covers of a side, uint8 (B, S, S, 3), from wherever they lie."""
    if isinstance(side.covers, Tensor):
        return side.covers[torch.from_numpy(rows).to(side.covers.device)]
    return torch.from_numpy(side.covers[rows])  # a copy, as packed covers are mapped where nobody may write


def _in_order(side: Side, batch: int) -> list[NDArray[np.int64]]:
    return [np.arange(start, min(start + batch, len(side.truth))) for start in range(0, len(side.truth), batch)]


@torch.inference_mode()
def logits_of(trained: Trained, covers: NDArray[np.uint8], *, batch: int = 64) -> NDArray[np.float32]:
    """Return the logits, (n, K), of covers, uint8 (n, S, S, 3), so many at a time."""
    trained.network.eval()
    rows = [slice(start, start + batch) for start in range(0, len(covers), batch)]
    features = [trained.network(torch.from_numpy(np.array(covers[part]))).numpy() for part in rows]
    return trained.head.logits(np.concatenate(features))


def write_history(path: Path, history: list[Epoch]) -> None:
    """Write `history.csv`, a line an epoch."""
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(Epoch.__dataclass_fields__))
        table.writeheader()
        for epoch in history:
            row = _finite(asdict(epoch))
            table.writerow({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()})


def _lay_out(module: nn.Module, layout: torch.memory_format) -> None:
    """Put the weights of convolutions into another order in memory; their values stay."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=layout)


def _width(network: CoverNetwork, size_px: int) -> int:
    """Return D, the number of features."""
    network.eval()
    with torch.inference_mode():
        return int(network(torch.zeros(1, size_px, size_px, 3, dtype=torch.uint8)).shape[1])


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _stream(seed: int, epoch: int) -> int:
    """Return a seed for one epoch, unlike that of any other epoch or seed."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, dtype=np.uint32)[0])
