"""Whether a small network does better for having looked at all covers before it is told any genre.

python benchmarks/warm_up.py JOINED OUT --size 128 --view 64 --looks 30 --epochs 12 --seeds 2

JOINED is what `box/make_model.py` makes of three collections (OUT/seed-0/joined), or any split dataset; it is only
read.
The network of `distilled` first learns to tell two views of a cover from those of others (Chen et al. 2020, "A simple
framework for contrastive learning of visual representations", https://arxiv.org/abs/2002.05709) on every cover outside
of test, those without a known genre among them. Then it learns the genres of train, from there and, beside it, from
scratch: the same seeds, covers and settings, once from the genres alone and once taught by MobileNetV2 as well. Printed
is the smallest loss on valid and the accuracy in that epoch. Test is never looked at. Views may be smaller than covers
(--view): a look costs less then, and the closest crop, a quarter of a cover, keeps its pixels as they are.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.pixels import PixelRows, packed_pixels
from sleevenotes.covers.tasks import Task
from sleevenotes.learn import backbones
from sleevenotes.learn.augmentation import jittered, moved
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.distillation import taught_by
from sleevenotes.learn.networks import distilled_network
from sleevenotes.learn.precision import memory_kept
from sleevenotes.learn.recipes import TEACHER, settings_of
from sleevenotes.learn.training import Side, train_network

BATCH = 256
TEMPERATURE = 0.2
RATE, DECAY = 1e-3, 0.05
CROP, COLOR = 0.25, 0.6  # the smallest share of a cover in a view, and how much its colours change
PROJECTED = 128  # what two views are compared in


@dataclass(frozen=True)
class Covers:
    """Covers of a split dataset, as a network sees them: those of train and valid that answer, and all but test's."""

    task: Task
    train: Side
    valid: Side
    seen: PixelRows

    @classmethod
    def of(cls, dataset: Dataset, size: int, folder: Path) -> Covers:
        """Return them in so many pixels a side, which are kept in a folder."""
        task, sides = Task.of(dataset), np.array(dataset.column("split"))
        packed = packed_pixels(dataset.paths, dataset.digests, size, folder=folder)
        answerable = task.answerable(dataset.genre_lists)

        def side(name: str) -> Side:
            own = (sides == name) & answerable
            return Side(PixelRows(packed, np.flatnonzero(own).tolist()), task.truth_of(dataset.where(own)))

        seen = PixelRows(packed, np.flatnonzero(sides != "test").tolist())
        return cls(task, side("train"), side("valid"), seen)

    @property
    def told(self) -> str:
        """How many there are, in words."""
        return f"{len(self.train.covers):,} in train, {len(self.valid.covers):,} in valid"


def viewed(covers: Tensor, network: CoverNetwork, size: int) -> Tensor:
    """Return another view, (B, 3, size, size), of covers, uint8 (B, S, S, 3)."""
    frames = F.interpolate(moved(network.normalise(covers), crop=CROP), size=(size, size), mode="area")
    return jittered(frames, network.mean, network.deviation, strength=COLOR)


def contrast(one: Tensor, other: Tensor) -> Tensor:
    """Return how badly two views of each cover, (B, P) each, are told to belong together: NT-Xent, in nats."""
    both = F.normalize(torch.cat([one, other]), dim=1)  # (2B, P)
    alike = both @ both.T / TEMPERATURE
    alike.fill_diagonal_(-torch.inf)  # no view is compared with itself
    partner = torch.arange(len(both)).roll(len(one))
    return F.cross_entropy(alike, partner)


def warmed(network: CoverNetwork, covers: PixelRows, *, looks: int, view: int, seed: int) -> CoverNetwork:
    """Return the network after it has looked at all covers so often, in views of so many pixels a side."""
    torch.manual_seed(seed)
    width = network(torch.from_numpy(covers[:1])).shape[1]
    project = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, PROJECTED))
    parameters = [*network.parameters(), *project.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY)
    steps = looks * (len(covers) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    network.train()
    with memory_kept():
        for look in range(looks):
            began, losses = time.perf_counter(), []
            for rows in torch.randperm(len(covers)).numpy()[: len(covers) // BATCH * BATCH].reshape(-1, BATCH):
                batch = torch.from_numpy(covers[rows])
                views = torch.cat([viewed(batch, network, view), viewed(batch, network, view)])
                projected = project(network.pooled(views.contiguous(memory_format=torch.channels_last)))
                loss = contrast(*projected.chunk(2))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
            print(f"look {look + 1}: loss {np.mean(losses):.3f}, {time.perf_counter() - began:.0f} s", flush=True)
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--view", type=int, default=0, metavar="PX", help="of a view's side; default: that of a cover")
    parser.add_argument("--looks", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--taught", action="store_true", help="also with a teacher, which takes several times as long")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    covers = Covers.of(Dataset.open(asked.dataset), asked.size, asked.out)
    print(f"{len(covers.seen):,} covers to look at, {covers.told}")
    found = []
    for seed in range(asked.seeds):
        torch.manual_seed(seed)
        scratch = distilled_network()
        warm = warmed(copy.deepcopy(scratch), covers.seen, looks=asked.looks, view=asked.view or asked.size, seed=seed)
        for taught in (False, True) if asked.taught else (False,):
            settings = replace(settings_of("distilled", asked.epochs), distillation=4.0 if taught else 0.0)
            for start, network in (("scratch", scratch), ("warm", warm)):
                network = copy.deepcopy(network)
                teacher = taught_by([backbones.load(backbones.find(TEACHER))], network) if taught else None
                folder = asked.out / f"{seed}-{start}-{taught}"
                folder.mkdir(exist_ok=True)
                trained = train_network(
                    network, (covers.train, covers.valid), task=covers.task.kind, genres=len(covers.task.genres),
                    settings=settings, seed=seed,
                    folder=folder, teacher=teacher, report=lambda epoch, epochs: print(epoch, flush=True),
                )  # fmt: skip
                best = trained.history[trained.best_epoch - 1]
                row = {"seed": seed, "start": start, "taught": taught, "epoch": trained.best_epoch}
                found.append(row | {"valid_loss": best.valid_loss, "valid_accuracy": best.valid_accuracy})
                print(json.dumps(found[-1]), flush=True)
    (asked.out / "warm_up.json").write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
