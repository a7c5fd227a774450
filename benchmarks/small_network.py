"""What a small network gains by each augmentation, by averaged weights, and by more pixels.

python benchmarks/small_network.py JOINED OUT --size 64 --epochs 12 --seeds 2
python benchmarks/small_network.py JOINED OUT --size 96 --epochs 12 --seeds 2 --only "as it is"

JOINED is what `box/make_model.py` makes of three collections (OUT/seed-0/joined), or any split dataset; it is only
read. The network of `distilled` learns the genres of train, without a teacher: as it is set, and with one thing changed
at a time. Printed is the smallest loss on valid and the accuracy in that epoch. Test is never looked at.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from warm_up import Covers

from sleevenotes.covers.dataset import Dataset
from sleevenotes.learn.networks import distilled_network
from sleevenotes.learn.recipes import settings_of
from sleevenotes.learn.training import train_network

AS_IT_IS = "as it is"
CHANGES: Mapping[str, Mapping[str, Any]] = {
    AS_IT_IS: {},
    "weights of the last step, not averaged": {"average": 0.0},
    "no mixup": {"mixup": 0.0},
    "cutmix for mixup": {"mixup": 0.0, "cutmix": 1.0},
    "a quarter of covers partly erased": {"erasing": 0.25},
    "colours as they are": {"color": 0.0},
    "frames mildly zoomed, not cropped": {"crop": 1.0},
    "no change of covers at all": {"mixup": 0.0, "color": 0.0, "crop": 1.0, "augmented": False},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", choices=list(CHANGES), default=None)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    covers = Covers.of(Dataset.open(asked.dataset), asked.size, asked.out)
    print(covers.told)
    found = []
    for seed in range(asked.seeds):
        for number, (name, changes) in enumerate(CHANGES.items()):
            if asked.only not in (None, name):
                continue
            torch.manual_seed(seed)
            settings = replace(settings_of("distilled", asked.epochs), distillation=0.0, **changes)
            folder = asked.out / f"{asked.size}-{seed}-{number}"
            folder.mkdir(exist_ok=True)
            trained = train_network(
                distilled_network(), (covers.train, covers.valid), task=covers.task.kind,
                genres=len(covers.task.genres), settings=settings, seed=seed, folder=folder,
            )  # fmt: skip
            best = trained.history[trained.best_epoch - 1]
            row = {"size": asked.size, "seed": seed, "settings": name, "epoch": trained.best_epoch}
            found.append(row | {"valid_loss": best.valid_loss, "valid_accuracy": best.valid_accuracy})
            print(json.dumps(found[-1]), flush=True)
    (asked.out / f"small_network-{asked.size}.json").write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
