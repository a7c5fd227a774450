"""Section 5.1 of the paper: networks trained from scratch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.sampling import Sampling
from sleevenotes.studies.bandcamp.paper import column_mean, of_genre, paper, rows_of_genres, tested
from sleevenotes.studies.material import Material
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.record import Cell, Column, Estimate, Figure, Section, Table, bare, listed, of_paper, percent

if TYPE_CHECKING:
    from sleevenotes.learn.cover_network import CoverNetwork
    from sleevenotes.learn.training import Trained, TrainingSettings

RATE = 0.01
MOMENTUM = 0.9
BATCH = 10
LARGE_PX = 100  # networks that see more take their time
SWEEP_RATES = (0.001, 0.003, 0.01, 0.03)
SWEEP_BATCHES = (10, 32, 100)
SWEEP_EPOCHS = 10


@dataclass(frozen=True)
class Scratch:
    """A network of the paper that is trained from scratch.

    Parameters
    ----------
    name
        As the page has it.
    column
        Its column in the paper's Table 3.
    architecture
        Its name in `learn.networks.ARCHITECTURES`.
    epochs, quick_epochs
        At most so many; fewer where valid has not become better for `patience` epochs.
    """

    name: str
    column: str
    architecture: str
    size_px: int
    sampling: Sampling
    epochs: int
    quick_epochs: int
    patience: int


SCRATCH = (
    Scratch("small CNN, random", "small CNN", "study_cnn", 32, "random", 40, 10, 10),
    Scratch("small CNN, resize", "small CNN", "study_cnn", 32, "cubic", 40, 10, 10),
    Scratch("AlexNet", "AlexNet", "alexnet", 224, "antialiased", 10, 2, 3),
)


def section(material: Material, parts: Parts) -> Section:
    """Return Table 3, how each network learnt, how its answers spread, and the sweep."""
    told = Section("networks", "Networks from scratch")
    answers = {each.name: trained(material, parts, each) for each in SCRATCH}
    told.tables = [_table_3(material, answers), _sweep(material, parts)]
    told.figures = [*_histories(material, answers), spread_figure(material, answers, "spread-scratch")]
    told.words = [_words(material, answers), _sweep_words(told.tables[1])]
    patience = listed(f"{each.patience} epochs ({each.name})" for each in SCRATCH)
    told.notes = [
        (
            f"Plain SGD with rate {RATE}, momentum {MOMENTUM}, batch {BATCH} and cross-entropy, as in the paper, which "
            "does not say when it stops: here the epoch with the smallest loss on valid is kept, and training ends "
            f"when valid has not become better for {patience}."
        ),
        (
            "The small CNN's first dense layer gets 10 × 6 × 6 = 360 numbers, as follows from its layers; the paper "
            "writes 32 × 6²."
        ),
        "AlexNet sees 224 px: at 32 px nothing is left for its last layers to pool.",
    ]
    return told


def trained(material: Material, parts: Parts, scratch: Scratch) -> dict[str, Any]:
    """Return what a network said of train and test, and how it learnt; a killed training goes on."""
    settings = sgd(scratch.epochs if material.quick is None else scratch.quick_epochs, patience=scratch.patience)
    rows = _learnt_rows(material, scratch)

    def make() -> dict[str, Any]:
        return _train(material, parts, scratch, settings, rows)

    def words(value: Mapping[str, Any]) -> str:
        return f"{percent(material.accuracy(value['test']))} right on test after {value['epochs']} epochs"

    name = scratch.name.replace(", ", "-").replace(" ", "-").lower()
    return parts.part(f"scratch-{name}", make, settings=asdict(settings), words=words)


def sgd(epochs: int, *, patience: int, rate: float = RATE, batch: int = BATCH) -> TrainingSettings:
    """Return the paper's way to train."""
    from sleevenotes.learn.training import TrainingSettings

    return TrainingSettings(
        epochs=epochs, batch=batch, rate=rate, warm_up=0, decay=0.0, dropout=0.0, patience=patience,
        optimizer="sgd", momentum=MOMENTUM, schedule="constant", augmented=False,
    )  # fmt: skip


def _learnt_rows(material: Material, scratch: Scratch) -> dict[str, NDArray[np.intp]]:
    """Return the rows of train and valid: in a quick run only a few for a network that takes its time."""
    if material.quick is None or scratch.size_px < LARGE_PX:
        return {side: material.rows[side] for side in ("train", "valid")}
    few = material.reduced(material.quick.large_covers)
    row = {name: index for index, name in enumerate(material.dataset.file_names)}
    return {
        side: np.array([row[few.dataset.file_names[index]] for index in few.rows[side]]) for side in ("train", "valid")
    }


def _train(
    material: Material,
    parts: Parts,
    scratch: Scratch,
    settings: TrainingSettings,
    rows: Mapping[str, NDArray[np.intp]],
) -> dict[str, Any]:
    from sleevenotes.learn.training import logits_of

    pixels = material.pixels(scratch.size_px, scratch.sampling)
    result = _fit(material, scratch, settings, (pixels, rows), parts.path(f"training-{scratch.name}").with_suffix(""))
    said = {side: logits_of(result, pixels[rows.get(side, material.rows[side])]) for side in ("train", "test")}
    best = min(result.history, key=lambda epoch: epoch.valid_loss)
    return {
        "title": scratch.name,
        "test": said["test"].argmax(axis=1).tolist(),
        "train_accuracy": float((said["train"].argmax(axis=1) == material.all_truth[rows["train"]]).mean()),
        "train_covers": len(rows["train"]),
        "epochs": len(result.history),
        "best_epoch": best.epoch,
        "history": [asdict(epoch) for epoch in result.history],
    }


def _fit(
    material: Material,
    scratch: Scratch,
    settings: TrainingSettings,
    pixels_and_rows: tuple[NDArray[np.uint8], Mapping[str, NDArray[np.intp]]],
    folder: Path,
) -> Trained:
    """Train a network, going on from its checkpoint where there is one, and remove the checkpoint when all is done."""
    import torch

    from sleevenotes.learn.model import CHECKPOINT_NAME
    from sleevenotes.learn.networks import ARCHITECTURES

    pixels, rows = pixels_and_rows
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(material.seed)
    network = ARCHITECTURES[scratch.architecture]()
    threads = torch.get_num_threads()
    if scratch.size_px < LARGE_PX:
        torch.set_num_threads(1)  # steps so small that threads only wait for each other
    try:
        result = _trained(network, material, (pixels, rows), settings, folder)
    finally:
        torch.set_num_threads(threads)
    (folder / CHECKPOINT_NAME).unlink(missing_ok=True)
    return result


def _trained(
    network: CoverNetwork,
    material: Material,
    pixels_and_rows: tuple[NDArray[np.uint8], Mapping[str, NDArray[np.intp]]],
    settings: TrainingSettings,
    folder: Path,
) -> Trained:
    from sleevenotes.learn.training import Side, train_network

    pixels, rows = pixels_and_rows
    train, valid = (Side(pixels[rows[side]], material.all_truth[rows[side]]) for side in ("train", "valid"))
    return train_network(
        network,
        (train, valid),
        task="single",
        genres=len(material.genres),
        settings=settings,
        seed=material.seed,
        folder=folder,
        resume=True,
        fingerprint=f"{material.dataset.fingerprint} {len(rows['train'])}",
        report=lambda epoch, epochs: material.progress(epoch.epoch, epochs),
    )


def _table_3(material: Material, answers: Mapping[str, Mapping[str, Any]]) -> Table:
    columns = [Column(name, "paper") for name in paper()["table_3"]]
    columns += [Column(name, "ours") for name in answers]
    note = f"{material.covers_words}; " + ", ".join(
        f"{name}: {value['epochs']} epochs, the best {value['best_epoch']}" for name, value in answers.items()
    )
    if material.quick is not None:
        note += f"; AlexNet learnt from {answers['AlexNet']['train_covers']} covers only"
    table = Table("table-3", "Table 3: networks from scratch, share of each genre named rightly", note, columns)
    recalls = {name: material.recalls(value["test"]) for name, value in answers.items()}
    for genre, index in rows_of_genres(material.genres):
        cells: list[Cell] = [of_genre("table_3", name, genre) for name in paper()["table_3"]]
        cells += [None if index is None else recalls[name][index] for name in answers]
        table.add(genre, *cells)
    means: list[Cell] = [of_paper(column_mean("table_3", name), tested()) for name in paper()["table_3"]]
    table.add("all covers", *means, *(material.accuracy(value["test"]) for value in answers.values()), strong=True)
    said: list[Cell] = [bare(share) for share in paper()["table_3_in_words"].values()]
    table.add("all covers, in the paper's words", *said, *[None] * len(answers))
    table.add("train", *[None] * len(said), *(bare(value["train_accuracy"]) for value in answers.values()))
    return table


def _words(material: Material, answers: Mapping[str, Mapping[str, Any]]) -> str:
    told = []
    for name, value in answers.items():
        spread = material.spread(value["test"])
        used = sum(share >= 0.05 for share in spread)
        told.append(
            f"{name} names {percent(material.accuracy(value['test']))} rightly ({percent(value['train_accuracy'])} of "
            f"what it learnt from), and gives {used} of {len(material.genres)} genres to 5 % of the covers or more"
        )
    return (
        "; ".join(told) + f". Guessing gets {percent(material.guessing)}. The paper suspected that its AlexNet guessed "
        "between three genres; its Table 3 has 40 % or more for three, and 3 % or less for the seven others."
    )


def _histories(material: Material, answers: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    figures = []
    for name, value in answers.items():
        epochs = value["history"]
        series = {f"{side}": [bare(epoch[f"{side}_accuracy"]) for epoch in epochs] for side in ("train", "valid")}
        data = {"x": [epoch["epoch"] for epoch in epochs], "axis": "epochs", "series": series, "percent": True}
        id = "history-" + name.replace(", ", "-").replace(" ", "-").lower()
        figures.append(Figure(id, f"{name}: accuracy while it learns", material.covers_words, "lines", data))
    return figures


def spread_figure(material: Material, answers: Mapping[str, Mapping[str, Any]], id: str) -> Figure:
    """Return how the answers of each model spread over the genres."""
    rows = [{"name": name, "shares": material.spread(value["test"])} for name, value in answers.items()]
    truth = np.bincount(material.truth("test"), minlength=len(material.genres)) / material.count("test")
    rows.append({"name": "the truth", "shares": truth.tolist()})
    data = {"rows": rows, "columns": list(material.genres)}
    return Figure(id, "How each model's answers spread over the genres", material.covers_words, "spread", data)


# -------------------------------------------------------------------------------- the sweep


def _sweep(material: Material, parts: Parts) -> Table:
    """Return how little the learning rate and the batch matter, measured on valid."""
    rates: tuple[float, ...] = SWEEP_RATES
    batches: tuple[int, ...] = SWEEP_BATCHES
    epochs = SWEEP_EPOCHS
    left = ""
    if material.quick is not None:
        rates, batches, epochs = (0.003, RATE), (BATCH, 100), 2
        left = (
            f"; left out: {len(SWEEP_RATES) * len(SWEEP_BATCHES) - 4} of {len(SWEEP_RATES) * len(SWEEP_BATCHES)} runs"
        )
    note = (
        f"{material.covers_words}; small CNN on `resize`, {epochs} epochs a run{left}. "
        f"Best accuracy on the {material.count('valid')} covers of valid, never on test"
    )
    columns = [Column(f"batch {batch}", "ours") for batch in batches]
    table = Table("sweep", "A sweep over learning rate and batch", note, columns)
    for rate in rates:
        cells = [_swept(material, parts, sgd(epochs, patience=epochs, rate=rate, batch=batch)) for batch in batches]
        table.add(f"rate {rate:g}", *cells)
    return table


def _swept(material: Material, parts: Parts, settings: TrainingSettings) -> Estimate:
    scratch = SCRATCH[1]
    rows = {side: material.rows[side] for side in ("train", "valid")}
    name = f"sweep-{settings.rate:g}-{settings.batch}"

    def make() -> dict[str, Any]:
        pixels = material.pixels(scratch.size_px, scratch.sampling)
        result = _fit(material, scratch, settings, (pixels, rows), parts.path(name).with_suffix(""))
        return {"accuracy": max(epoch.valid_accuracy for epoch in result.history), "epochs": len(result.history)}

    words: Callable[[Mapping[str, Any]], str] = lambda value: f"{percent(value['accuracy'])} right on valid"  # noqa: E731
    found = parts.part(name, make, settings=asdict(settings), words=words)
    return of_paper(found["accuracy"], material.count("valid"))


def _sweep_words(table: Table) -> str:
    cells = [cell for row in table.rows for cell in row.cells if isinstance(cell, dict)]
    values = [float(cell["value"] or 0) for cell in cells]
    best = cells[int(np.argmax(values))]
    inside = sum(value >= float(best["low"] or 0) for value in values)
    return (
        f"Over {len(cells)} choices of learning rate and batch, the best accuracy on valid runs from "
        f"{percent(min(values))} to {percent(max(values))}; {inside} of them lie within the interval of the best, "
        f"{percent(best)}. The paper saw no significant increase either."
    )
