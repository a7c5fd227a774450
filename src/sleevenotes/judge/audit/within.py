"""One collection of a joined dataset, and a model as far as that collection knows its genres.

Where a collection never names a genre, its covers are no examples against it, and files tell collections apart
anyway (docs/prog.md). So a joined dataset is audited within one collection at a time.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np

from sleevenotes.covers.dataset import SETTINGS_NAME, Dataset
from sleevenotes.covers.files import write_json
from sleevenotes.covers.images import sha256
from sleevenotes.covers.questions import MIN_COVERS
from sleevenotes.covers.tasks import COLLECTION, Task
from sleevenotes.errors import AuditError, did_you_mean
from sleevenotes.learn.model import BASELINE_NAME, CARD_NAME, WEIGHTS_NAME, Model, read_card, read_weights


def within(dataset: Dataset, collection: str, out: Path, *, min_covers: int = MIN_COVERS["multi"]) -> Dataset:
    """Write the covers of one collection as a dataset of their own, and return it.

    Parameters
    ----------
    dataset
        A join, split.
    collection
        Its name in the column `collection`.
    out
        The folder; the pictures stay where they are.
    min_covers
        Genres on fewer covers of the collection are not asked about.

    Raises
    ------
    AuditError
        Where there is no such collection, or it has no two genres that can be asked about.
    SplitError
        Where the dataset is not split.
    """
    task, where = Task.of(dataset), str(dataset.folder)
    names = sorted(set(filter(None, dataset.column(COLLECTION))))
    if collection not in names:
        expected = f"One of {', '.join(names)}" if names else "A dataset that `sleevenotes join` made"
        raise AuditError(where, f"no collection '{collection}'", expected, did_you_mean(collection, names))
    part = dataset.where([each == collection for each in dataset.column(COLLECTION)])
    known = set(dataset.settings.get("known", {}).get(collection, task.genres))
    counts = Counter(genre for genres in part.genre_lists for genre in set(genres))
    genres = [genre for genre in task.genres if genre in known and counts[genre] >= min_covers]
    if len(genres) < 2:
        found = f"{len(genres)} of its genres are on {min_covers} covers of '{collection}' or more"
        raise AuditError(where, found, "Two or more genres", "Audit another collection, or the collection by itself")
    return _written(part, genres, out)


def narrowed(model: Model, genres: list[str], folder: Path) -> Path:
    """Write a model that is asked about some of its genres only, and return its folder."""
    from safetensors.numpy import save_file

    shutil.copytree(model.folder, folder, dirs_exist_ok=True)
    rows = [model.genres.index(genre) for genre in genres]
    for path in (folder, folder / BASELINE_NAME):
        card = read_card(path)
        calibration = card["calibration"]
        calibration |= {key: [calibration[key][row] for row in rows] for key in ("maps", "thresholds")}
        shares = {
            name: {genre: card["dataset"][name][genre] for genre in genres} for name in ("train_covers", "train_shares")
        }
        tensors = read_weights(path)
        tensors |= {name: np.ascontiguousarray(tensors[name][rows]) for name in ("head.weight", "head.bias")}
        save_file(tensors, path / WEIGHTS_NAME)
        card |= {"genres": genres, "dataset": card["dataset"] | shares}
        write_json(path / CARD_NAME, card | {"weights": {"sha256": sha256((path / WEIGHTS_NAME).read_bytes())}})
    return folder


def refuse_unknown(dataset: Dataset, task: Task) -> None:
    """Refuse a dataset in which some genres of some covers are unknown.

    Raises
    ------
    AuditError
        Naming its collections.
    """
    unknown = int((task.truth_of(dataset) < 0).any(axis=1).sum()) if task.kind == "multi" else 0
    if unknown:
        names = ", ".join(sorted(set(dataset.column(COLLECTION))))
        raise AuditError(
            str(dataset.folder),
            f"a join in which not every genre is known of {unknown:,} of {len(dataset):,} covers",
            f"one of its collections at a time: {names}",
            "Name it with --collection",
        )


def _written(part: Dataset, genres: list[str], folder: Path) -> Dataset:
    """Write some covers of a dataset, by the names of the others' files, as a dataset that knows certain genres."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "images").exists():
        (folder / "images").symlink_to((part.folder / "images").resolve())
    Dataset(folder, part.covers).write()
    settings = {key: value for key, value in part.settings.items() if key != "known"}
    write_json(folder / SETTINGS_NAME, settings | {"genres": genres})
    return Dataset.open(folder)
