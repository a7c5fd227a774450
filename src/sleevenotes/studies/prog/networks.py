"""The study's network, its curves beside those that the study drew, and the lesson on regularisation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sleevenotes.covers.dataset import Dataset
from sleevenotes.judge.audit.scores import in_words
from sleevenotes.judge.schemas import read_history
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.model import CARD_NAME, HISTORY_NAME, Model
from sleevenotes.learn.recipes import Options, settings_of, train
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.prog.asking import NETWORK, Asked, ask, first_of, how_words
from sleevenotes.studies.prog.both import Both
from sleevenotes.studies.prog.paper import PAPER
from sleevenotes.studies.record import Column, Figure, Section, Table, bare, percent

MODEL_FOLDER = "model"
VARIANTS = (
    ("their first network", "prog_first"),
    ("no regularisation", "prog_cnn_plain"),
    ("Dropout", "prog_cnn_dropout"),
    ("BatchNorm", "prog_cnn_batchnorm"),
    ("both in turn, as they ended", NETWORK),
)
MARKS = 25  # epochs that a curve shows at most, as each has a mark of its own


def trained(both: Both, parts: Parts, out: Path) -> dict[str, Any]:
    """Return how the study's network learnt from all covers, and its probas of prog on valid and test.

    The model stays in `OUT/model`, for `predict`, `explain` and `audit`; a killed training goes on.
    """
    settings = settings_of(NETWORK, both.epochs)
    folder = out / MODEL_FOLDER

    def make() -> dict[str, Any]:
        options = Options(seed=both.seed, resume=True, training=settings, progress=both.progress)
        model = train(both.dataset, NETWORK, folder, options)
        said = {side: asked_of(model, both.dataset.in_split(side)) for side in ("valid", "test")}
        return {**said, "history": history(folder), "parameters": model.card["network"]["parameters"]}

    if not (folder / CARD_NAME).exists():
        parts.path("network").unlink(missing_ok=True)
    return parts.part("network", make, settings=settings.told(), words=lambda value: _learnt_words(both, value))


def asked_of(model: Model, covers: Dataset) -> list[float]:
    """Return a model's probas of prog, (n,)."""
    logits = model.head.logits(dataset_features(covers, model.extractor))
    return [round(float(proba), 6) for proba in model.proba(logits)[:, 0]]


def history(folder: Path) -> list[dict[str, float]]:
    """Return the epochs of a model."""
    return [{name: float(str(cell)) for name, cell in row.items()} for row in read_history(folder / HISTORY_NAME)]


def section(both: Both, parts: Parts, network: Mapping[str, Any]) -> Section:
    """Return the section on the network: its figures beside the study's, its curves, and the ablation."""
    told = Section("network", "Their network, and how it learns")
    told.tables = [_beside(both, network)]
    told.figures = curves(both, network["history"], "network", "their network")
    told.words = _words(both, network)
    if both.quick is None:
        told.tables.append(_ablation(both, parts))
        told.words.append(_lesson(told.tables[1]))
    else:
        told.notes.append("Left out of this quick run: their first network, and the ablation of its regularisation.")
    filters = ", ".join(map(str, PAPER.filters))
    told.notes += [
        (
            f"Seven convolutions of 3 × 3 ({filters} filters, ReLU), each followed by 2 × 2 max pooling, BatchNorm and "
            f"Dropout in turn, a dense layer of {PAPER.dense} with ReLU, one sigmoid: {network['parameters']:,} "
            "parameters without the last layer. Where each of BatchNorm and Dropout stands is not told, nor how much "
            "is dropped, nor rate and batch. Here a quarter is dropped, Adam goes at 0.001 in batches of 32, and the "
            "epoch with the smallest loss on valid is kept."
        ),
        (
            "The study's second curve is of its test side, which it watched while it trained. Ours is of valid; the "
            "test side is asked once, at the end."
        ),
    ]
    return told


def curves(both: Both, epochs: list[dict[str, float]], id: str, name: str) -> list[Figure]:
    """Return loss and accuracy of both sides over the epochs."""
    rows = _spread(epochs)
    figures = []
    for what, is_share in (("loss", False), ("accuracy", True)):
        series = {side: [bare(row[f"{side}_{what}"]) for row in rows] for side in ("train", "valid")}
        data = {"x": [row["epoch"] for row in rows], "axis": "epochs", "series": series, "percent": is_share}
        note = (
            both.covers_words if len(rows) == len(epochs) else f"{both.covers_words}; {len(rows)} of the epochs shown"
        )
        figures.append(Figure(f"{id}-{what}", f"{what.capitalize()} of {name} while it learns", note, "lines", data))
    return figures


def _spread(epochs: list[dict[str, float]]) -> list[dict[str, float]]:
    """Return at most so many epochs: from the second on, those where valid went farthest astray, and others evenly."""
    if len(epochs) <= MARKS:
        return epochs
    epochs = epochs[1:]
    losses, shares = ([row[f"valid_{what}"] for row in epochs] for what in ("loss", "accuracy"))
    astray = {int(np.argmax(losses)), int(np.argmin(losses)), int(np.argmin(shares))}
    even = set(np.linspace(0, len(epochs) - 1, MARKS - len(astray)).round().astype(int).tolist())
    return [epochs[row] for row in sorted(astray | even)]


def astray(epochs: list[dict[str, float]]) -> dict[str, float]:
    """Return how it ended and how far it went astray: the least accuracy and the largest loss after the first epoch."""
    later = epochs[1:] or epochs
    return {
        "loss": epochs[-1]["valid_loss"],
        "accuracy": epochs[-1]["valid_accuracy"],
        "train_accuracy": epochs[-1]["train_accuracy"],
        "spike": max(row["valid_loss"] for row in later),
        "dip": min(row["valid_accuracy"] for row in later),
    }


def _beside(both: Both, network: Mapping[str, Any]) -> Table:
    note = f"{both.covers_words}; {len(network['history'])} epochs"
    note += f" instead of {PAPER.epochs}" if both.quick is not None else ""
    table = Table("beside", "Their figures, and ours", note, [Column("", "paper", "text"), Column("", "ours", "text")])
    ours, test = astray(network["history"]), both.figures(network["test"])
    table.add("epochs", f"{PAPER.epochs}", f"{len(network['history'])}")
    table.add("accuracy on train at the end", f"above {PAPER.train_accuracy:.0%}", f"{ours['train_accuracy']:.1%}")
    table.add("accuracy of the second curve at the end", f"about {PAPER.accuracy:.0%}", f"{ours['accuracy']:.1%}")
    table.add("its lowest dip", f"about {PAPER.dip:.0%}", f"{ours['dip']:.1%}")
    table.add("loss at the end", f"about {PAPER.loss}", f"{ours['loss']:.3f}")
    table.add("its highest spike", f"{PAPER.spike}", f"{ours['spike']:.3f}")
    table.add("accuracy on test, asked once", None, percent(test["accuracy"]), strong=True)
    table.add("always saying not prog, on test", f"{PAPER.never_prog:.1%}", percent(never_prog(both)))
    return table


def never_prog(both: Both) -> dict[str, float | None]:
    """Return what always saying "not prog" scores on our test side."""
    return both.share(~both.is_prog, np.ones(both.count("test"), dtype=bool))


def _words(both: Both, network: Mapping[str, Any]) -> list[str]:
    ours = astray(network["history"])
    words = [
        (
            f"After {len(network['history'])} epochs their network names {percent(ours['train_accuracy'])} of train "
            f"rightly and {percent(ours['accuracy'])} of valid, with a loss of {ours['loss']:.3f} there; on its way it "
            f"fell to {percent(ours['dip'])} and rose to {ours['spike']:.3f}. On test it names "
            f"{percent(both.figures(network['test'])['accuracy'])} rightly. The study has {PAPER.accuracy:.0%}, "
            f"{PAPER.loss}, {PAPER.dip:.0%} and {PAPER.spike}."
        ),
        (
            f"The study calls a dip to {PAPER.dip:.0%} mild. Always saying “not prog” scores {PAPER.never_prog:.1%} "
            f"on its covers, so at that epoch its network was {100 * (PAPER.never_prog - PAPER.dip):.0f} points worse "
            "than saying nothing at all."
        ),
    ]
    return words


def _ablation(both: Both, parts: Parts) -> Table:
    columns = [
        Column("ROC AUC", "ours"),
        Column("average precision", "ours"),
        Column("accuracy", "ours"),
        Column("accuracy on train", "ours"),
        Column("best epoch", "ours", "count"),
    ]
    note = f"{both.covers_words}; {how_words(both)}"
    table = Table("ablation", "What regularisation does", note, columns)
    asked = Asked.about(both, "prog", both.task.genres, both.all_truth)
    for name, architecture in VARIANTS:
        said = ask(both, parts, asked, architecture=architecture)
        told = both.figures(first_of(said["test"]))
        best = said["history"][said["best_epoch"] - 1]
        table.add(
            name, told["roc_auc"], told["average_precision"], told["accuracy"], bare(best["train_accuracy"]),
            said["best_epoch"], remark=architecture,
        )  # fmt: skip
    return table


def _lesson(table: Table) -> str:
    best = max(table.rows, key=lambda row: _value(row.cells[0]))
    plain = next(row for row in table.rows if row.name == "no regularisation")
    apart = _ends(best.cells[0])[0] > _ends(plain.cells[0])[1]
    more = (
        "their intervals are apart" if apart else "their intervals overlap, so that these covers can't tell them apart"
    )
    return (
        f"The study's lesson was that regularisation and depth were what it took. Here {best.name} does best by ROC "
        f"AUC ({in_words(_estimate(best.cells[0]))}), no regularisation gets {in_words(_estimate(plain.cells[0]))}; "
        f"{more}."
    )


def _estimate(cell: Any) -> dict[str, float | None]:
    return dict(cell)


def _value(cell: Any) -> float:
    return float(cell["value"] or 0.0)


def _ends(cell: Any) -> tuple[float, float]:
    return float(cell["low"] or 0.0), float(cell["high"] or 0.0)


def _learnt_words(both: Both, value: Mapping[str, Any]) -> str:
    return f"{percent(both.figures(value['test'])['accuracy'])} right on test after {len(value['history'])} epochs"
