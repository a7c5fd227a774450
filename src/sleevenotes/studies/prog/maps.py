"""Where the network looks: cover, map and overlay beside each other, as the study shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sleevenotes.learn.model import Model
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.prog.both import Both
from sleevenotes.studies.prog.data import OTHERS, PROG
from sleevenotes.studies.prog.networks import MODEL_FOLDER
from sleevenotes.studies.record import Figure, Section

FOLDER = "maps"
EACH = 3  # covers of each kind that are named rightly, and as many that are named wrongly
NAMES = {PROG: "prog", OTHERS: "not prog"}


def section(both: Both, parts: Parts, out: Path, network: Mapping[str, Any], findings: Sequence[Any]) -> Section:
    """Return the maps, with what the audit says of their worth.

    Parameters
    ----------
    findings
        Those of the audit.
    """
    told = Section("maps", "Where the network looks")
    settings = {"test": network["test"], "genre": PROG}
    shown = parts.part("maps", lambda: {"maps": drawn_maps(both, out, network["test"])}, settings=settings)
    wrong = [each for each in shown["maps"] if not each["correct"]]
    told.words = [
        (
            f"Grad-CAM on covers of test, drawn from the seed: {len(shown['maps']) - len(wrong)} that the network "
            f"names rightly and {len(wrong)} that it names wrongly, of either kind where there are some. Bright is "
            "what speaks for prog, the network's one output, whatever it took the cover for. A map says where it "
            "looked, not that it was right to look there: a map of a cover told by its compression looks like any."
        ),
        *(f"The audit of the maps: {each['words']}" for each in findings if each["check"] == 9),
    ]
    told.figures = [_figure(shown["maps"], kind) for kind in (PROG, OTHERS)]
    told.figures = [figure for figure in told.figures if figure.data["items"]]
    told.notes = [f"For any other cover: `sleevenotes explain OUT/{MODEL_FOLDER} COVER -o FOLDER`."]
    return told


def drawn_maps(both: Both, out: Path, proba: Sequence[float]) -> list[dict[str, Any]]:
    """Write maps of some covers of test, drawn from the seed, and return what they show."""
    from sleevenotes.judge.explain import explain

    rows = chosen(both, proba)
    covers = both.dataset.in_split("test")
    explanations, _ = explain(
        Model.load(out / MODEL_FOLDER),
        [covers.path(row) for row in rows],
        out / FOLDER,
        genres=[PROG],
        truths=[covers.column("genres")[row] for row in rows],
        names=[covers.column("file_before")[row] for row in rows],
    )
    return [asdict(each) for each in explanations if each.genre == PROG]


def chosen(both: Both, proba: Sequence[float]) -> list[int]:
    """Return rows of test: of each kind some that are named rightly, then some that are named wrongly."""
    called = np.asarray(proba) > 0.5
    rng = np.random.default_rng(both.seed)
    rows: list[int] = []
    for kind in (True, False):
        for right in (True, False):
            found = np.flatnonzero((both.is_prog == kind) & ((called == kind) == right))
            rows += rng.permutation(found)[:EACH].tolist()
    return rows


def _figure(shown: Sequence[Mapping[str, Any]], kind: str) -> Figure:
    items = []
    for each in shown:
        if each["truth"] != kind:
            continue
        said = f"taken for {NAMES[each['predicted']]}; prog {each['proba']:.0%}"
        for what, caption in (("cover", NAMES[kind]), ("heat", "map"), ("overlay", said)):
            items.append({"file": f"{FOLDER}/{each[what]}", "caption": caption, "lines": []})
    title = f"Covers that are {NAMES[kind]}: cover, map, and the map laid over it"
    return Figure(f"maps-{kind.replace('_', '-')}", title, "Drawn from test", "covers", {"items": items, "across": 3})
