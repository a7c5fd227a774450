"""How the small network pools its last map: the mean, the cubic mean, or higher powers, on demo covers.

python benchmarks/pooling.py [EPOCHS]     two or three minutes a power on 2 cores

Trains on 425 demo covers, stops on 61, and measures on 800 covers drawn with another seed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from sleevenotes.collect.demo import DemoSettings, draw_demo
from sleevenotes.covers.images import decode, resize
from sleevenotes.learn.networks import SMALL_PX, small_network
from sleevenotes.learn.training import Side, TrainingSettings, train_network

PLAIN = {"near_duplicates": 0.0, "exact_duplicates": 0.0, "broken": 0}


def drawn(folder: Path, covers_per_genre: int, seed: int) -> Side:
    covers = draw_demo(folder, DemoSettings(covers_per_genre=covers_per_genre, **PLAIN), seed=seed)
    genres = sorted({cover.genre for cover in covers})
    pixels = np.stack([resize(decode(folder / cover.file_name), SMALL_PX) for cover in covers])
    return Side(pixels, np.array([genres.index(cover.genre) for cover in covers]))


def main() -> None:
    settings = TrainingSettings(epochs=int(sys.argv[1]) if len(sys.argv) > 1 else 30)
    with tempfile.TemporaryDirectory() as scratch:
        seen, fresh = drawn(Path(scratch) / "seen", 60, 0), drawn(Path(scratch) / "fresh", 80, 77)
        order = np.random.default_rng(0).permutation(len(seen.truth))
        train, valid = (Side(seen.covers[rows], seen.truth[rows]) for rows in (order[:425], order[425:486]))
        for power in (1.0, 3.0, 6.0):
            torch.manual_seed(0)
            network = small_network()
            network.power = power
            folder = Path(scratch) / f"power-{power}"
            folder.mkdir()
            trained = train_network(
                network, (train, valid), task="single", genres=10, settings=settings, seed=0, folder=folder
            )
            with torch.inference_mode():
                parts = [trained.network(torch.from_numpy(part)).numpy() for part in np.array_split(fresh.covers, 16)]
            accuracy = (trained.head.logits(np.concatenate(parts)).argmax(axis=1) == fresh.truth).mean()
            loss = min(epoch.valid_loss for epoch in trained.history)
            print(
                f"power {power:g}: accuracy {accuracy:.3f} on {len(fresh.truth)}, loss on valid {loss:.2f}", flush=True
            )


if __name__ == "__main__":
    main()
