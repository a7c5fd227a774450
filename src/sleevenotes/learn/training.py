"""Training a network from scratch: one loop, cut into steps.

Each epoch draws its order, its augmentation and its dropout from a generator seeded by (seed, epoch). So nothing of
the randomness has to be saved, and training that was killed and resumed ends with the same weights, bit for bit, as
training that was left alone on the same machine.

A `binary` task has one logit to learn, a sigmoid's; the head that is kept has a second row of zeros, so that the
softmax over both genres is that sigmoid.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from sleevenotes.covers.files import replacing
from sleevenotes.covers.pixels import PixelRows
from sleevenotes.covers.tasks import Kind
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.heads import Head
from sleevenotes.learn.model import CHECKPOINT_NAME, HISTORY_NAME
from sleevenotes.learn.precision import Precision, computing, memory_kept, precision_used


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

    def told(self) -> dict[str, Any]:
        """Return the settings by name, for a card or a checkpoint.

        The last six are told only where they are not the default: they came later, and what was trained before
        them shall be known again.
        """
        default = TrainingSettings()
        later = ("optimizer", "momentum", "schedule", "augmented", "balance", "precision")
        return {
            name: value for name, value in asdict(self).items() if name not in later or value != getattr(default, name)
        }


@dataclass(frozen=True)
class Side:
    """The covers of one side of a split.

    Parameters
    ----------
    covers
        uint8 (n, S, S, 3), or rows of such that stay on the disk.
    truth
        (n,), or (n, K) in `multi`.
    """

    covers: NDArray[np.uint8] | PixelRows
    truth: NDArray[np.int64]


@dataclass
class Epoch:
    """One line of `history.csv`."""

    epoch: int
    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


@dataclass
class Trained:
    """What training leaves: the network and head of the epoch with the smallest loss on valid.

    `precision` is what was really used, whatever the settings asked for.
    """

    network: CoverNetwork
    head: Head
    history: list[Epoch] = field(default_factory=list)
    precision: Precision = "float32"


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
) -> Trained:
    """Train a network and a linear head on it.

    Parameters
    ----------
    network
        Freshly made under `seed`; it is changed.
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
    """
    run = _Run(network, task, genres, settings, seed, sides[0].covers.shape)
    identity = json.dumps([fingerprint, run.told(), task, run.head.out_features, seed])
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
        _lay_out(self.module, torch.channels_last)  # as covers come, so that no map is turned round on its way
        self.optimizer = _optimizer(self.module, settings)
        self.steps = -(-covers // settings.batch)  # an epoch, rounded up
        self.history: list[Epoch] = []
        self.best, self.now_is_best = self._state(), False

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
        losses, hits, seen = 0.0, 0, 0
        for step, (covers, truth, weight) in enumerate(self._batches(train)):
            self._set_rate(number * self.steps + step)
            logits = self._logits(self._seen_as(covers), dropout=self.settings.dropout)
            loss = loss_of(logits, truth, self.task, weight)
            self.optimizer.zero_grad()
            torch.autograd.backward(loss)
            self.optimizer.step()
            losses += float(loss.detach()) * len(covers)
            hits += _hits(logits, truth)
            seen += len(covers)
        valid_loss, valid_accuracy = self._measure(valid)
        best_before = min((epoch.valid_loss for epoch in self.history), default=np.inf)
        took = time.perf_counter() - began
        self.history.append(Epoch(number + 1, losses / seen, hits / seen, valid_loss, valid_accuracy, took))
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
        return Trained(self.network, Head(weight, bias), self.history, self.precision)

    def save(self, path: Path, identity: str) -> None:
        """Write all state to the checkpoint, whole or not at all."""
        from safetensors.torch import save_file

        tensors = {f"now.{name}": value for name, value in self.module.state_dict().items()}
        if not self.now_is_best:  # AlexNet's 228 MB need not be written twice
            tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{slot}": value for slot, value in slots.items()}
        history = json.dumps([asdict(epoch) for epoch in self.history])
        tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        with replacing(path) as partial:
            save_file(tensors, partial, metadata={"identity": identity, "history": history})

    def restore(self, path: Path, identity: str) -> None:
        """Read all state back, where the checkpoint is of this very training."""
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            if metadata["identity"] != identity:
                return
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        self.history = [Epoch(**epoch) for epoch in json.loads(metadata["history"])]
        self.module.load_state_dict(_below("now.", tensors))
        self.best = _below("best.", tensors) or _below("now.", tensors)
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
                yield torch.from_numpy(side.covers[rows]), torch.from_numpy(side.truth[rows]), weights

    def _seen_as(self, covers: Tensor) -> Tensor:
        """Return covers as the network learns from them, (B, 3, S, S), their channels last in memory."""
        seen_as = self.network.normalise(covers.to(self.device))
        if self.settings.augmented:
            seen_as = augment(seen_as)
        return seen_as.contiguous(memory_format=torch.channels_last)

    def _logits(self, normalised: Tensor, *, dropout: float) -> Tensor:
        """Return logits, (B, K), of covers that are normalised already; in `binary` the second is 0."""
        with computing(self.precision, self.device):
            features = self.network.pooled(normalised)
        logits: Tensor = self.head(F.dropout(features, dropout))
        return F.pad(logits, (0, 1)) if self.task == "binary" else logits

    def _set_rate(self, step: int) -> None:
        total, warm_up = self.settings.epochs * self.steps, self.settings.warm_up * self.steps
        rising = min(1.0, (step + 1) / max(warm_up, 1))
        falling = 0.5 * (1 + np.cos(np.pi * max(0, step - warm_up) / max(total - warm_up, 1)))
        if self.settings.schedule == "constant":
            falling = 1.0
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate * rising * falling

    @torch.inference_mode()
    def _measure(self, side: Side) -> tuple[float, float]:
        """Return loss and accuracy of the network as it will be asked: in float32."""
        self.module.eval()
        loss, hits = 0.0, 0
        weight = None if self.settings.balance == "none" else torch.from_numpy(balancing_weights(side.truth))
        for start in range(0, len(side.covers), self.settings.batch):
            rows = slice(start, start + self.settings.batch)
            # copied, as packed covers are mapped into memory where nobody may write
            covers, truth = torch.from_numpy(np.array(side.covers[rows])), torch.from_numpy(side.truth[rows])
            logits = self.head(self.network.pooled(self.network.normalise(covers.to(self.device))))
            logits = F.pad(logits, (0, 1)) if self.task == "binary" else logits
            loss += float(loss_of(logits, truth, self.task, None if weight is None else weight[rows])) * len(covers)
            hits += _hits(logits, truth)
        return loss / len(side.covers), hits / len(side.covers)

    def _state(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self.module.state_dict().items()}


@torch.inference_mode()
def logits_of(trained: Trained, covers: NDArray[np.uint8], *, batch: int = 64) -> NDArray[np.float32]:
    """Return the logits, (n, K), of covers, uint8 (n, S, S, 3), so many at a time."""
    trained.network.eval()
    rows = [slice(start, start + batch) for start in range(0, len(covers), batch)]
    features = [trained.network(torch.from_numpy(np.array(covers[part]))).numpy() for part in rows]
    return trained.head.logits(np.concatenate(features))


def loss_of(logits: Tensor, truth: Tensor, task: Kind, weight: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy in nats: of the genres, or of each genre by itself in `multi`.

    Parameters
    ----------
    logits
        (B, K).
    truth
        (B,), or (B, K) in `multi`.
    weight
        Of the same shape as truth, by which each cross-entropy is multiplied before the mean is taken.
    """
    truth = truth.to(logits.device)
    reduction = "mean" if weight is None else "none"
    if task == "multi":
        loss = F.binary_cross_entropy_with_logits(logits, truth.float(), reduction=reduction)
    else:
        loss = F.cross_entropy(logits, truth, reduction=reduction)
    return loss if weight is None else (loss * weight.to(loss.device)).mean()


def balancing_weights(truth: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return weights of mean 1, of the shape of truth, under which all genres weigh the same.

    A cover of a genre that n_k of n covers have weighs n / (K · n_k), K being how many genres there are covers of. In
    `multi`, truth (n, K), the covers that have a genre together weigh as much as those that have it not.

    Examples
    --------
    >>> balancing_weights(np.array([0, 1, 1, 1, 1])).tolist()
    [2.5, 0.625, 0.625, 0.625, 0.625]
    """
    if truth.ndim == 2:
        return np.stack([balancing_weights(column) for column in truth.T], axis=1)
    counts = np.bincount(truth)
    return np.asarray(len(truth) / (np.count_nonzero(counts) * counts[truth]), dtype=np.float32)


def balanced_draws(truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return rows in a random order, about as many as there are covers, those of each genre equally often.

    Within a genre, no cover comes more than once more often than another. In `multi` a cover may be drawn for each of
    its genres.
    """
    genres = range(truth.shape[1] if truth.ndim == 2 else int(truth.max()) + 1)
    members = [np.flatnonzero(truth[:, genre] if truth.ndim == 2 else truth == genre) for genre in genres]
    members = [rows for rows in members if len(rows)]
    share = max(1, len(truth) // max(1, len(members)))
    drawn = []
    for rows in members:
        times = -(-share // len(rows))  # once over all of them, and over again, as often as it takes
        order = torch.cat([torch.randperm(len(rows)) for _ in range(times)])[:share]
        drawn.append(rows[order.numpy()])
    mixed = torch.randperm(share * len(members)).numpy()
    return np.asarray(np.concatenate(drawn)[mixed])


# ranges of the augmentation: what a photograph or another pressing does to a cover
ZOOM = (0.8, 1.05)
SHIFT = 0.08
BRIGHTNESS = 0.25
CONTRAST = (0.8, 1.25)
TINT = 0.08


def augment(covers: Tensor) -> Tensor:
    """Return covers, (B, 3, S, S), zoomed, shifted, mirrored left to right for half of them, and mildly recoloured.

    Never upside down, and never in another hue: type has an upright, and colour speaks for a genre.
    """
    count, device = len(covers), covers.device
    zoom = torch.empty(count).uniform_(*ZOOM)
    mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    shift = torch.empty(count, 2).uniform_(-SHIFT, SHIFT)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = zoom * mirror, zoom, shift
    grid = F.affine_grid(theta.to(device), list(covers.shape), align_corners=False)
    moved = F.grid_sample(covers, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    contrast = torch.empty(count, 1, 1, 1).uniform_(*CONTRAST).to(device)
    shade = torch.empty(count, 1, 1, 1).uniform_(-BRIGHTNESS, BRIGHTNESS).to(device)
    tint = torch.empty(count, 3, 1, 1).uniform_(-TINT, TINT).to(device)
    return moved * contrast + shade + tint


def write_history(path: Path, history: list[Epoch]) -> None:
    """Write `history.csv`, a line an epoch."""
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(Epoch.__dataclass_fields__))
        table.writeheader()
        for epoch in history:
            row: dict[str, Any] = asdict(epoch)
            table.writerow({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()})


def _hits(logits: Tensor, truth: Tensor) -> int:
    first = logits.detach().argmax(dim=1).cpu()
    return int((truth[torch.arange(len(truth)), first] if truth.ndim == 2 else truth == first).sum())


def _optimizer(module: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(module.parameters(), lr=settings.rate, weight_decay=settings.decay)
    if settings.optimizer == "adam":
        return torch.optim.Adam(module.parameters(), lr=settings.rate, fused=True)
    return torch.optim.SGD(
        module.parameters(),
        lr=settings.rate,
        momentum=settings.momentum,
        weight_decay=settings.decay,
        fused=True,  # reads AlexNet's 57 M parameters once a step, not three times
    )


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
