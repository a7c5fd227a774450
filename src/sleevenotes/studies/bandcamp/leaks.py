"""What leaks: the same models on a random split, and with groups kept apart.

Both kinds of split are dealt anew, several times, with as many covers to learn from and to test on. In a random split a
cover may be tested on while another of its group (a near-duplicate, the same release or artist) was learnt from.
"""

from __future__ import annotations

from functools import partial
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.groups import assign
from sleevenotes.learn import classical, heads
from sleevenotes.learn.color import histogram
from sleevenotes.learn.features import dataset_features
from sleevenotes.studies.bandcamp.methods import GRID_PX, flat
from sleevenotes.studies.bandcamp.transfer import features_key, strongest
from sleevenotes.studies.material import Material
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.record import Column, Estimate, Section, Table, bare, listed, percent

REPEATS = 10
QUICK_REPEATS = 3
STRENGTH = 1e-3  # of the logistic regression on a backbone; what `learn.heads` usually chooses
TEST_SHARE = 0.2


def section(material: Material, parts: Parts) -> Section:
    """Return how much of each model's accuracy comes from group-mates on the other side."""
    repeats = REPEATS if material.quick is None else QUICK_REPEATS
    told = Section("leaks", "What leaks: a random split against groups apart")
    settings = {"repeats": repeats, "features": features_key()}
    found = parts.part("leaks", partial(_leaks, material, repeats), settings=settings)
    columns = [
        Column("random split", "ours"),
        Column("groups apart", "ours"),
        Column("gain by leaking", "ours", "text"),
    ]
    columns += [Column("with a mate in train", "ours"), Column("without", "ours")]
    note = f"{material.covers_words}, dealt anew {repeats} times each way, a fifth to test on; intervals over the deals"
    table = Table("leaks-table", "The same models, with and without group-mates on the other side", note, columns)
    for name, row in found["models"].items():
        gains = np.array(row["random"]) - np.array(row["apart"])
        table.add(
            name, _over(row["random"]), _over(row["apart"]), _points(_over(gains.tolist())), _over(row["mates"]),
            _over(row["alone"]),
        )  # fmt: skip
    told.tables = [table]
    leaking = [
        name
        for name, row in found["models"].items()
        if (_over((np.array(row["random"]) - np.array(row["apart"])).tolist())["low"] or 0) > 0
    ]
    gain = f"That helps {listed(leaking)}." if leaking else "No model gains by it beyond what the deals vary by."
    told.words = [
        (
            f"In a random split of these covers, {percent(mean(found['share_with_mates']))} of those to test on have a "
            f"group-mate among those learnt from. {gain} The paper drew its 1,000 test covers at random, from albums "
            "of artists who may have several, and says nothing of duplicates; how much that gave it can't be told "
            "without its covers."
        )
    ]
    if not any(material.dataset.column("artist")):
        told.notes.append(
            "No artist of these covers is known, so groups hold near-duplicates and releases only: covers of one "
            "artist may lie on both sides even where groups are apart, and the true gain by leaking is larger."
        )
    return told


def _leaks(material: Material, repeats: int) -> dict[str, Any]:
    models = _models(material)
    groups, truth = material.dataset.groups, material.all_truth
    alone = [str(number) for number in range(len(groups))]  # each cover a group of its own
    shares: list[float] = []
    rows: dict[str, dict[str, list[float]]] = {
        name: {"random": [], "apart": [], "mates": [], "alone": []} for name in models
    }
    for repeat in range(repeats):
        for kind, members in (("random", alone), ("apart", groups)):
            test = assign(members, truth, [1 - TEST_SHARE, TEST_SHARE], seed=material.seed + 1 + repeat) == 1
            learnt_from = {groups[row] for row in np.flatnonzero(~test)}
            mates = np.array([groups[row] in learnt_from for row in np.flatnonzero(test)])
            if kind == "random":
                shares.append(float(mates.mean()))
            for name, (features, fit) in models.items():
                hits = fit(features[~test], truth[~test], features[test]) == truth[test]
                rows[name][kind].append(float(hits.mean()))
                if kind == "random" and 0 < mates.sum() < len(mates):
                    rows[name]["mates"].append(float(hits[mates].mean()))
                    rows[name]["alone"].append(float(hits[~mates].mean()))
        material.progress(repeat + 1, repeats)
    return {"models": rows, "share_with_mates": shares}


def _models(material: Material) -> dict[str, tuple[NDArray[np.float32], Any]]:
    """Return features, (n, D), and how to fit and ask, by the model's name."""
    count, seed = len(material.genres), material.seed

    def method(name: str) -> Any:
        def fit(train: NDArray[Any], truth: NDArray[np.int64], test: NDArray[Any]) -> NDArray[np.int64]:
            return classical.run(name, classical.Covers(train, truth, test, count), seed=seed).test_guess

        return fit

    def logistic(train: NDArray[Any], truth: NDArray[np.int64], test: NDArray[Any]) -> NDArray[np.int64]:
        guess: NDArray[np.int64] = (
            heads.fit(train, truth, task="single", strength=STRENGTH, genres=count).logits(test).argmax(axis=1)
        )
        return guess

    pixels = material.pixels(GRID_PX, "cubic")
    colors = histogram(pixels).astype(np.float32)
    models: dict[str, tuple[NDArray[np.float32], Any]] = {
        "5-nn on pixels": (flat(pixels), method("5-nn")),
        "5-nn on colour histograms": (colors, method("5-nn")),
        "random forest on colour histograms": (colors, method("random forest")),
    }
    found = strongest()
    if found is not None:
        features = dataset_features(material.dataset, found.extractor(), progress=material.progress)
        models[f"5-nn on {found.name}"] = (features, method("5-nn"))
        models[f"logistic regression on {found.name}"] = (features, logistic)
    return models


def _over(values: list[float]) -> Estimate:
    """Return the mean over deals, with Student's interval; deals share covers, so it is somewhat too narrow."""
    from scipy.stats import t as student

    if len(set(values)) < 2:  # deals that all agree say nothing of others
        return bare(values[0] if values else None)
    reach = float(student.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return {"value": mean(values), "low": mean(values) - reach, "high": mean(values) + reach}


def _points(gain: Estimate) -> str:
    value, low, high = (100 * float(gain[name] or 0) for name in ("value", "low", "high"))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"
