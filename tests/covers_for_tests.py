"""Small datasets for tests: covers whose colour and shape tell their genre, or tell nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.files import write_json
from sleevenotes.covers.images import encode, sha256

GENRES = ("folk", "jazz", "metal")
HUES = np.array([(190, 150, 60), (60, 90, 180), (60, 50, 55)])
SIDE = 48


def draw(genre: int, rng: np.random.Generator, *, signal: bool = True) -> NDArray[np.uint8]:
    """One cover, (48, 48, 3): its genre's colour under heavy noise, or any genre's without signal."""
    hue = HUES[genre if signal else rng.integers(len(HUES))]
    noisy = hue + rng.normal(0, 25, 3) + rng.normal(0, 40, (SIDE, SIDE, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def make_dataset(
    folder: Path, *, task: str = "single", covers: int = 120, seed: int = 0, signal: bool = True
) -> Dataset:
    """A dataset that is split 70/15/15, a third of it of each genre; in `multi` half of the covers have two genres."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    rows: dict[str, list[str]] = {name: [] for name in ("file_name", "genres", "artist", "group", "split", "sha256")}
    for index in range(covers):
        genre = index % 3
        data = encode(draw(genre, rng, signal=signal), "png")
        name = f"images/{index:04d}.png"
        (folder / name).write_bytes(data)
        second = GENRES[(genre + 1) % 3] if task == "multi" and index % 2 else ""
        rows["file_name"].append(name)
        rows["genres"].append(";".join(filter(None, (GENRES[genre], second))))
        rows["artist"].append(f"artist {index // 2}")
        rows["group"].append(f"g{index // 2:04d}")
        rows["sha256"].append(sha256(data))
        place = index // 2 % 20  # of the group, so that no group is on two sides
        rows["split"].append("train" if place < 14 else "valid" if place < 17 else "test")
    dataset = from_columns(folder, rows)
    dataset.write()
    genres = [GENRES[2], f"not {GENRES[2]}"] if task == "binary" else list(GENRES)
    write_json(folder / "split.json", {"format": 1, "task": task, "genres": genres, "artists": "apart"})
    return Dataset.open(folder)
