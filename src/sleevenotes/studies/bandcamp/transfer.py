"""Section 5.2 of the paper: networks that know ImageNet, of which only the last layer is trained anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sleevenotes.errors import WeightsError
from sleevenotes.learn import backbones
from sleevenotes.learn.features import Extractor, dataset_features
from sleevenotes.studies.bandcamp.networks import BATCH, MOMENTUM, RATE, spread_figure
from sleevenotes.studies.bandcamp.paper import column_mean, of_genre, paper, rows_of_genres, tested
from sleevenotes.studies.material import Material
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.record import Cell, Column, Section, Table, bare, listed, of_paper, percent

EPOCHS = 10
PATIENCE = 3


@dataclass(frozen=True)
class Pretrained:
    """A backbone at one size, and the paper's name of it where it is one of the paper's."""

    backbone: str
    size_px: int
    paper: str | None = None

    @property
    def name(self) -> str:
        """As the page has it."""
        return f"{self.paper or self.backbone}, {self.size_px} px"

    def extractor(self) -> Extractor:
        """Return what turns covers into its features.

        Raises
        ------
        WeightsError
            Where its weights can't be read, or be had.
        """
        return backbones.extractor(self.backbone, self.size_px)

    @property
    def lacking(self) -> str:
        """How to get its weights where they are not at hand; nothing where they are."""
        if backbones.at_hand(self.backbone):
            return ""
        training = backbones.backbone_named(self.backbone).trainings[0]
        where = f"lay {training.file_name} (SHA-256 {training.sha256_prefix}…) where {backbones.WEIGHTS_VARIABLE} says"
        if training.url is None:
            return f"its weights are not at hand: {where}"
        return f"its weights are not at hand: `--fetch` gets them from {training.url}, or {where}"


OF_PAPER = (
    Pretrained("alexnet", 224, "AlexNet"),
    Pretrained("resnet34", 224, "ResNet-34"),
    Pretrained("resnet18", 224, "ResNet-18"),
    Pretrained("resnet152", 224, "ResNet-152"),
    Pretrained("resnet34", 32, "ResNet-34"),
    Pretrained("resnet18", 32, "ResNet-18"),
    Pretrained("resnet152", 32, "ResNet-152"),
)
STAND_INS = (
    Pretrained("mobilenet_v2", 224),
    Pretrained("squeezenet1_1", 224),
    Pretrained("mobilenet_edgetpu", 224),
    Pretrained("mobilenet_v2", 32),
    Pretrained("squeezenet1_1", 32),
)
"""Backbones that are asked where the paper's may be missing, the strongest first."""


def strongest() -> Pretrained | None:
    """Return the backbone on whose features other parts of the study rest: the first at hand, stand-ins first."""
    candidates = [each for each in (*STAND_INS, *OF_PAPER) if each.size_px == 224]
    return next((each for each in candidates if backbones.at_hand(each.backbone)), None)


def features_key() -> str:
    """Return what features of the strongest backbone at hand are kept under; nothing where none is at hand."""
    found = strongest()
    return "" if found is None else found.extractor().key


def section(material: Material, parts: Parts, further: Sequence[str] = (), *, fetch: bool = False) -> Section:
    """Return Table 4: by genre, and every model's accuracy, with those whose weights are not at hand.

    Parameters
    ----------
    further
        Names of backbones to ask besides the paper's and their stand-ins.
    fetch
        Whether weights that are not at hand are fetched from where they are published.
    """
    told = Section("transfer", "Pretrained networks")
    asked = [*OF_PAPER, *STAND_INS]
    for name in further:
        new = Pretrained(name, backbones.backbone_named(name).size_px)
        asked += [new] if (new.backbone, new.size_px) not in {(each.backbone, each.size_px) for each in asked} else []
    answers: dict[str, dict[str, Any]] = {}
    missing: dict[str, str] = {}
    for each in asked:
        if each.lacking and not fetch:
            missing[each.name] = each.lacking
            continue
        try:
            answers[each.name] = trained(material, parts, each)
        except WeightsError as error:
            missing[each.name] = str(error)
    told.tables = [_table_4(material, asked, answers), _models(material, asked, answers, missing)]
    told.figures = [spread_figure(material, answers, "spread-pretrained")] if answers else []
    told.words = _words(material, asked, answers, missing)
    told.notes = [
        (
            "Each backbone is frozen and asked once; on its features a new last layer is trained by SGD with rate "
            f"{RATE}, momentum {MOMENTUM}, batch {BATCH} for at most {EPOCHS} epochs, and the epoch with the smallest "
            "loss on valid is kept. That is what the paper does, but that it feeds every cover through the whole "
            "network in every epoch, which changes nothing for ResNets, and for AlexNet only the dropout before its "
            "last layer."
        ),
    ]
    return told


def trained(material: Material, parts: Parts, pretrained: Pretrained) -> dict[str, Any]:
    """Return what a backbone with a new last layer said of train and test.

    Raises
    ------
    WeightsError
        Where its weights are not at hand.
    """
    from sleevenotes.learn.transfer import train_head

    extractor = pretrained.extractor()

    def make() -> dict[str, Any]:
        features = dataset_features(material.dataset, extractor, progress=material.progress)
        rows = material.rows
        head, history = train_head(
            features[rows["train"]],
            material.truth("train"),
            features[rows["valid"]],
            material.truth("valid"),
            genres=len(material.genres),
            rate=RATE,
            momentum=MOMENTUM,
            batch=BATCH,
            epochs=EPOCHS,
            patience=PATIENCE,
            seed=material.seed,
        )
        said = {side: head.logits(features[rows[side]]).argmax(axis=1) for side in ("train", "test")}
        return {
            "title": pretrained.name,
            "test": said["test"].tolist(),
            "train_accuracy": float((said["train"] == material.truth("train")).mean()),
            "epochs": len(history),
            "history": [asdict(epoch) for epoch in history],
            "features": int(features.shape[1]),
        }

    name = f"pretrained-{pretrained.backbone}-{pretrained.size_px}"
    return parts.part(
        name,
        make,
        settings={"extractor": extractor.key},
        words=lambda value: f"{percent(material.accuracy(value['test']))} right on test",
    )


def _table_4(material: Material, asked: Sequence[Pretrained], answers: Mapping[str, Mapping[str, Any]]) -> Table:
    shown = [each for each in asked if each.name in answers]
    columns = [Column(name, "paper") for name in paper()["table_4"]]
    columns += [Column(each.name + ("" if each.paper else " (stand-in)"), "ours") for each in shown]
    note = f"{material.covers_words}; at most {EPOCHS} epochs for the last layer"
    if not shown:
        note += "; no weights of any backbone are at hand, so nothing stands beside the paper's"
    table = Table("table-4", "Table 4: pretrained networks, share of each genre named rightly", note, columns)
    recalls = {each.name: material.recalls(answers[each.name]["test"]) for each in shown}
    for genre, index in rows_of_genres(material.genres):
        cells: list[Cell] = [of_genre("table_4", name, genre) for name in paper()["table_4"]]
        cells += [None if index is None else recalls[each.name][index] for each in shown]
        table.add(genre, *cells)
    means: list[Cell] = [of_paper(column_mean("table_4", name), tested()) for name in paper()["table_4"]]
    means += [material.accuracy(answers[each.name]["test"]) for each in shown]
    table.add("all covers", *means, strong=True)
    said: list[Cell] = [bare(share) for share in paper()["table_4_in_words"].values()]
    table.add("all covers, in the paper's words", *said, *[None] * len(shown))
    table.add("train", *[None] * len(said), *(bare(answers[each.name]["train_accuracy"]) for each in shown))
    return table


def _models(
    material: Material,
    asked: Sequence[Pretrained],
    answers: Mapping[str, Mapping[str, Any]],
    missing: Mapping[str, str],
) -> Table:
    columns = [
        Column("train", "paper", "text"),
        Column("test, its column's mean", "paper"),
        Column("train", "ours"),
        Column("test", "ours"),
        Column("epochs", "ours", "count"),
    ]
    note = f"{material.covers_words}; at most {EPOCHS} epochs for the last layer"
    table = Table("table-4-models", "Table 4, all of it: every pretrained network", note, columns)
    said = paper()["train_in_words"]
    words = {
        "AlexNet": f"about {said['AlexNet'][0]:.0%}",
        "ResNets": f"{said['ResNets'][0]:.0%} to {said['ResNets'][1]:.0%}",
    }
    for each in asked:
        printed: list[Cell] = [None, None]
        if each.paper and each.size_px == 224:
            told = words["AlexNet" if each.paper == "AlexNet" else "ResNets"]
            printed = [told, of_paper(column_mean("table_4", each.paper), tested())]
        if each.name in missing:
            table.add(each.name, *printed, None, None, None, remark=missing[each.name])
            continue
        value = answers[each.name]
        cells: list[Cell] = [bare(value["train_accuracy"]), material.accuracy(value["test"]), value["epochs"]]
        table.add(each.name, *printed, *cells, remark=None if each.paper else "stands in: not one of the paper's")
    table.add("guessing", None, bare(1 / len(paper()["genres"])), None, material.guessing, None, strong=True)
    return table


def _words(
    material: Material,
    asked: Sequence[Pretrained],
    answers: Mapping[str, Mapping[str, Any]],
    missing: Mapping[str, str],
) -> list[str]:
    words = []
    if answers:
        ordered = sorted(answers, key=lambda name: -(material.accuracy(answers[name]["test"])["value"] or 0))
        told = [f"{name} {percent(material.accuracy(answers[name]['test']))}" for name in ordered]
        words.append(f"On our covers: {listed(told)}; guessing gets {percent(material.guessing)}.")
        gaps = [
            value["train_accuracy"] - float(np.mean(value["test"] == material.truth("test")))
            for value in answers.values()
        ]
        words.append(
            f"Accuracy on train is {percent(min(gaps))} to {percent(max(gaps))} above that on test. The paper saw 49 % "
            "on train with AlexNet and 20 to 25 % with ResNets, where test was 15 to 17 % by its Table 4."
        )
    if missing:
        words.append(
            f"Weights of {listed(missing)} are not at hand; the table says how to get them, and the same command then "
            "fills in their rows. Stand-ins are other networks that learnt from ImageNet: they answer the paper's "
            "question, whether ImageNet helps, and not which of its four networks is best."
        )
    return words
