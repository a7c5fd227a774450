"""How many covers a second a network learns from: a plain loop over an image folder, and ours, step by step.

python benchmarks/training.py [FOLDER] [COVERS] [ROUNDS]     256 covers, 3 rounds; demo covers without a FOLDER

The network is that of the prog study at 260 px, batches have 32 covers. "plain" is what one writes first: a Dataset
that opens each file with Pillow and resizes it, a DataLoader with a worker a core, float32, Adam. Each line below it
adds one thing to the line above. "ours" is `train_network` as it comes, "ours, float32" the same without bfloat16.
All are timed in turn, round after round, after one pass that is not counted, on as many threads as torch takes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from sleevenotes.collect.demo import DemoSettings, draw_demo
from sleevenotes.covers.images import sha256
from sleevenotes.covers.pixels import cores, packed_pixels
from sleevenotes.learn.networks import ARCHITECTURES, PROG_PX
from sleevenotes.learn.precision import computing, cpu_has_bfloat16, memory_kept, precision_used
from sleevenotes.learn.training import Side, TrainingSettings, train_network

BATCH, RATE = 32, 1e-3
DRAWN = DemoSettings(
    genres=2, size_px=300, near_duplicates=0.0, exact_duplicates=0.0, broken=0, shortcuts=("quality",)
)  # of that shortcut all files are JPEG
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Batches = Iterable[tuple[Tensor, Tensor]]


class Folder(Dataset[tuple[Tensor, float]]):
    """Covers as they lie in a folder, opened whenever they are asked for."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, float]:
        with Image.open(self.paths[index]) as image:
            resized = image.convert("RGB").resize((PROG_PX, PROG_PX), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1).contiguous()  # (3, S, S)
        return pixels.float() / 255, float(index % 2)


@dataclass(frozen=True)
class Way:
    """A way to train: what a loop gets its batches from, and what is done to make it fast."""

    name: str
    batches: Callable[[], Batches]
    channels_last: bool = False
    keeps_memory: bool = False
    low_precision: bool = False

    def passes(self, covers: int) -> Iterator[float]:
        """Go over all covers whenever the next figure is asked for: covers a second."""
        torch.manual_seed(0)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        network = ARCHITECTURES["prog_cnn"]()
        module = nn.ModuleDict({"network": network, "head": nn.Linear(100, 1)}).to(DEVICE).train()
        module.to(memory_format=layout)
        optimizer = torch.optim.Adam(module.parameters(), lr=RATE)
        precision = precision_used("auto" if self.low_precision else "float32", DEVICE)
        while True:
            began = time.perf_counter()
            with memory_kept() if self.keeps_memory else nullcontext():
                for seen_as, truth in self.batches():
                    with computing(precision, DEVICE):
                        features = network.pooled(seen_as.to(DEVICE).contiguous(memory_format=layout))
                    logits = module["head"](features)[:, 0]
                    loss = F.binary_cross_entropy_with_logits(logits, truth.float().to(DEVICE))
                    optimizer.zero_grad()
                    torch.autograd.backward(loss)
                    optimizer.step()
                    float(loss.detach())  # both loops look at it each step
            yield covers / (time.perf_counter() - began)


def from_cache(packed: NDArray[np.uint8]) -> Iterator[tuple[Tensor, Tensor]]:
    for rows in torch.randperm(len(packed)).split(BATCH):
        covers = torch.from_numpy(packed[rows.numpy()]).permute(0, 3, 1, 2)  # (B, 3, S, S), channels last
        yield covers.float() / 255, rows % 2


def ours(packed: NDArray[np.uint8], precision: str) -> Iterator[float]:
    """Train by `train_network`, the second of two epochs being timed: covers a second."""
    train = Side(packed, np.arange(len(packed)) % 2)
    valid = Side(packed[:2], np.arange(2))
    settings = TrainingSettings(
        epochs=2, batch=BATCH, rate=RATE, dropout=0.0, optimizer="adam", schedule="constant", augmented=False,
        precision=precision,
    )  # fmt: skip
    while True:
        torch.manual_seed(0)
        network = ARCHITECTURES["prog_cnn"]()
        with tempfile.TemporaryDirectory() as folder:
            result = train_network(
                network, (train, valid), task="binary", genres=2, settings=settings, seed=0, folder=Path(folder)
            )
        yield len(packed) / result.seconds[-1]


def covers_of(folder: Path, most: int) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    if len(found) < 2 * BATCH:
        sys.exit(f"{folder}: {len(found)} JPEG files. At least {2 * BATCH} were expected.")
    every = max(1, len(found) // most)
    return found[::every][:most]


def measured(ways: dict[str, Iterator[float]], rounds: int) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for done in range(rounds + 1):
        for name, passes in ways.items():
            figure = next(passes)
            if done:  # the first pass is not counted
                figures[name].append(figure)
    return figures


def main() -> None:
    most = int(sys.argv[2]) if len(sys.argv) > 2 else 256
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    with tempfile.TemporaryDirectory() as scratch:
        given = Path(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] != "-" else Path(scratch) / "drawn"
        if not given.exists():
            draw_demo(given, DemoSettings(**{**vars(DRAWN), "covers_per_genre": max(BATCH, -(-most // 2))}))
        paths = covers_of(given, most)
        began = time.perf_counter()
        hashes = [sha256(path.read_bytes()) for path in paths]
        packed = packed_pixels(paths, hashes, PROG_PX, folder=Path(scratch) / "cache")
        packing = len(paths) / (time.perf_counter() - began)
        compare(paths, packed, rounds)
        print(f"packing them once: {packing:,.0f} covers a second")


def compare(paths: list[Path], packed: NDArray[np.uint8], rounds: int) -> None:
    loader = DataLoader(Folder(paths), batch_size=BATCH, shuffle=True, num_workers=cores(), persistent_workers=True)

    def cached() -> Batches:
        return from_cache(packed)

    steps = (
        Way("plain", lambda: loader),
        Way("+ packed cache", cached),
        Way("+ channels last", cached, channels_last=True),
        Way("+ memory kept", cached, channels_last=True, keeps_memory=True),
        Way("+ bfloat16", cached, channels_last=True, keeps_memory=True, low_precision=True),
    )
    ways = {way.name: way.passes(len(paths)) for way in steps}
    ways |= {"ours": ours(packed, "auto"), "ours, bfloat16": ours(packed, "bfloat16")}
    figures = measured(ways, rounds)
    for passes in ways.values():
        with closing(passes):
            pass
    features = f"{torch.backends.cpu.get_cpu_capability()}, amx_bf16: {'yes' if cpu_has_bfloat16() else 'no'}"
    print(f"{len(paths)} covers, {rounds} rounds, {cores()} cores, {torch.get_num_threads()} threads, torch", end=" ")
    print(f"{torch.__version__} on {DEVICE.type}; CPU: {features}; ours computes in {precision_used('auto', DEVICE)}")
    plain = float(np.median(figures["plain"]))
    print(f"{'':16}  covers/s     lowest to highest  × plain, the median of the rounds")
    for name, found in figures.items():
        ratio = float(np.median(np.array(found) / np.array(figures["plain"])))
        middle = float(np.median(found))
        print(f"{name:16}  {middle:8.1f}  {min(found):8.1f} to {max(found):6.1f}  {ratio:5.2f}")
    print(f"a step of the plain loop takes {BATCH / plain:.2f} s")


if __name__ == "__main__":
    main()
