"""What accuracy hides where one kind is rare: how much of prog is found, and how much of what is called prog is it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sleevenotes.learn.calibration import fit_thresholds
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.prog.asking import Asked, ask, first_of, how_words
from sleevenotes.studies.prog.both import Both, precision_at
from sleevenotes.studies.prog.networks import never_prog
from sleevenotes.studies.prog.paper import PAPER
from sleevenotes.studies.record import Cell, Column, Estimate, Figure, Section, Table, bare, percent

SHOWN = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "average_precision", "roc_auc")
NAMES = ("accuracy", "balanced accuracy", "precision", "recall", "F1", "average precision", "ROC AUC")
RECALLS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
BALANCES = (("class weights", "weights"), ("balanced draws", "draws"))


def section(both: Both, parts: Parts, network: Mapping[str, Any]) -> Section:
    """Return the shares, the figures of prog, the ways to balance them, and the curve of precision over recall."""
    told = Section("hidden", "What accuracy hides")
    asked = Asked.about(both, "prog", both.task.genres, both.all_truth)
    as_it_is = ask(both, parts, asked)
    weighed = {name: ask(both, parts, asked, balance=balance) for name, balance in BALANCES}  # type: ignore[arg-type]
    threshold = chosen_threshold(both, network["valid"])
    at_half, moved = both.figures(network["test"]), both.at_threshold(network["test"], threshold)
    told.tables = [
        _shares(both),
        _figures(both, {"as it is, from 0.5": at_half, f"from {threshold:.2f}, chosen on valid": moved}),
        _balanced(both, {"as it is": as_it_is, **weighed}),
    ]
    told.figures = [_curve(both, {"their network": network["test"]})]
    balanced = {name: first_of(said["test"]) for name, said in {"as it is": as_it_is, **weighed}.items()}
    told.figures.append(_curve(both, balanced, id="balanced-curve", note=how_words(both)))
    told.words = _words(both, at_half, moved, threshold)
    told.notes = [
        (
            "Precision, recall, F1 and average precision are those of prog. Average precision of a random order is "
            "about the share of prog; ROC AUC of one is 0.5, whatever the shares."
        )
    ]
    return told


def chosen_threshold(both: Both, proba: Sequence[float]) -> float:
    """Return the proba of prog with the best F1 on valid."""
    is_prog = (both.truth("valid") == 0).astype(np.int64)
    return fit_thresholds(np.asarray(proba)[:, None], is_prog[:, None])[0]


def _shares(both: Both) -> Table:
    columns = [
        Column("prog", "", "count"),
        Column("others", "", "count"),
        Column("share of prog"),
        Column("never prog"),
    ]
    table = Table("shares", "How rare prog is, and what never saying it scores", both.covers_words, columns)
    table.add("the study, all covers", PAPER.prog, PAPER.others, bare(1 - PAPER.never_prog), bare(PAPER.never_prog))
    for side in ("train", "valid", "test"):
        of_prog = int((both.truth(side) == 0).sum())
        others = both.count(side) - of_prog
        never: Estimate = never_prog(both) if side == "test" else bare(others / both.count(side))
        table.add(f"ours, {side}", of_prog, others, bare(of_prog / both.count(side)), never)
    return table


def _figures(both: Both, told: Mapping[str, Mapping[str, Estimate]]) -> Table:
    note = f"{both.covers_words}; {both.epochs} epochs"
    columns = [Column(name, "ours") for name in NAMES]
    table = Table("figures", "Their network by more than its accuracy", note, columns)
    nothing: list[Cell] = [None] * (len(NAMES) - 3)
    table.add("never prog", never_prog(both), bare(0.5), *nothing, bare(0.5))
    for name, figures in told.items():
        table.add(name, *(figures[key] for key in SHOWN), strong=name.startswith("as it is"))
    return table


def _balanced(both: Both, answers: Mapping[str, Mapping[str, Any]]) -> Table:
    columns = [Column(name, "ours") for name in NAMES]
    note = f"{both.covers_words}; {how_words(both)}"
    table = Table("balanced", "The same with both kinds made to weigh alike", note, columns)
    for name, said in answers.items():
        figures = both.figures(first_of(said["test"]))
        table.add(name, *(figures[key] for key in SHOWN))
    return table


def _curve(both: Both, answers: Mapping[str, Sequence[float]], id: str = "curve", note: str = "") -> Figure:
    series = {
        name: [bare(each) for each in precision_at(both.is_prog, proba, RECALLS)] for name, proba in answers.items()
    }
    series["any order"] = [bare(float(both.is_prog.mean()))] * len(RECALLS)
    data = {"x": [100 * each for each in RECALLS], "axis": "share of prog that is found, in %", "series": series}
    told = "; ".join(filter(None, [both.covers_words, note]))
    return Figure(id, "Precision over recall", told, "lines", data | {"percent": True})


def _words(both: Both, at_half: Mapping[str, Estimate], moved: Mapping[str, Estimate], threshold: float) -> list[str]:
    return [
        (
            f"Of the study's covers {PAPER.prog / (PAPER.prog + PAPER.others):.1%} are prog, so always saying “not "
            f"prog” scores {PAPER.never_prog:.1%}. Its {PAPER.accuracy:.0%} are {percent(PAPER.right)} with the "
            f"interval of the {PAPER.tested:,} covers that its test must have had. All of its errors may be prog: it "
            f"found at least {PAPER.least_recall:.0%} of it, and at least {PAPER.least_precision:.0%} of what it "
            "called prog was; more can't be told from an accuracy."
        ),
        (
            f"Of ours {percent(float(both.is_prog.mean()))} of test are prog, and never saying so scores "
            f"{percent(never_prog(both))}. The network scores {percent(at_half['accuracy'])}: it finds "
            f"{percent(at_half['recall'])} of prog, and of what it calls prog {percent(at_half['precision'])} is. "
            f"Its average precision is {percent(at_half['average_precision'])}, its balanced accuracy "
            f"{percent(at_half['balanced_accuracy'])}."
        ),
        (
            f"Called prog from {threshold:.2f} on, which was best by F1 on valid, F1 on test is "
            f"{percent(moved['f1'])} instead of {percent(at_half['f1'])}."
        ),
    ]
