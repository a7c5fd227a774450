"""Section 6 of the paper, what it wished for: the top three genres with percentages, and several genres a cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.groups import assign
from sleevenotes.covers.pixels import packed_pixels
from sleevenotes.covers.tasks import Task
from sleevenotes.judge.figures import Answers, figures, guesses
from sleevenotes.learn import color, heads
from sleevenotes.learn.calibration import fit_temperature, fit_thresholds, proba_of
from sleevenotes.learn.features import dataset_features
from sleevenotes.studies.bandcamp.transfer import features_key, strongest
from sleevenotes.studies.material import Material
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.record import Column, Figure, Section, Table, percent

SHOWN = 8  # covers with their top three
FEW = 30  # covers of a genre, in train, below which it is left out where covers have several genres
SIDES = {"train": 0.7, "valid": 0.1, "test": 0.2}


def section(material: Material, parts: Parts, several: Dataset | None = None) -> Section:
    """Return the three wishes; `several` is a dataset in which covers have several genres."""
    told = Section("wishes", "What it wished for")
    top = parts.part("top-three", lambda: _top_three(material), settings={"features": features_key()})
    proba = np.array(top["proba"])
    told.tables = [_top_table(material, proba, top["features"])]
    told.figures = [_top_figure(material, proba)]
    best = [material.mean(_within(proba, material.truth("test"), k)) for k in (1, 2, 3)]
    told.words = [
        (
            f"The top three genres with percentages: the right one is the first of them for {percent(best[0])} of the "
            f"covers, within the first two for {percent(best[1])} and within the first three for {percent(best[2])}, "
            f"by logistic regression on {top['features']}. The percentages are calibrated on valid."
        ),
        "Gradients as features, in the way of colour histograms: see the table of methods on better features.",
    ]
    settings = {"dataset": _fingerprint(several), "features": features_key()}
    many = parts.part("several", lambda: _several(material, several), settings=settings)
    told.words.append(many["words"])
    if many["genres"]:
        told.tables.append(_several_table(many))
    return told


def _fingerprint(dataset: Dataset | None) -> str:
    return "" if dataset is None else dataset.fingerprint


# -------------------------------------------------------------------------------- the top three


def _top_three(material: Material) -> dict[str, Any]:
    name, features = _features(material.dataset, material)
    rows = material.rows
    head, _ = heads.choose(
        (features[rows["train"]], material.truth("train")),
        (features[rows["valid"]], material.truth("valid")),
        task="single",
        genres=len(material.genres),
    )
    temperature = fit_temperature(head.logits(features[rows["valid"]]), material.truth("valid"), task="single")
    proba = proba_of(head.logits(features[rows["test"]]), task="single", temperature=temperature)
    return {"features": name, "proba": np.round(proba, 5).tolist()}


def _features(dataset: Dataset, material: Material) -> tuple[str, NDArray[np.float32]]:
    """Return the best features at hand, (n, D), and what they are called."""
    found = strongest()
    if found is not None:
        return found.name, dataset_features(dataset, found.extractor(), progress=material.progress)
    pixels = packed_pixels(dataset.paths, dataset.digests, color.COLOR_PX, folder=dataset.cache)
    return "colour histograms", color.features(np.asarray(pixels))


def _within(proba: NDArray[np.float64], truth: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Return whether the true genre of each cover, (n,), is among its k likeliest."""
    first: NDArray[np.bool_] = (np.argsort(-proba, axis=1, kind="stable")[:, :k] == truth[:, None]).any(axis=1)
    return first


def _top_table(material: Material, proba: NDArray[np.float64], features: str) -> Table:
    columns = [Column("right within", "ours"), Column("guessing", "ours")]
    note = f"{material.covers_words}; logistic regression on {features}"
    table = Table("top-three", "The top three genres", note, columns)
    shares = np.bincount(material.truth("learn"), minlength=len(material.genres)).astype(float)
    common = np.tile(shares, (material.count("test"), 1))
    for k in range(1, min(3, len(material.genres) - 1) + 1):
        found, guessed = (material.mean(_within(given, material.truth("test"), k)) for given in (proba, common))
        table.add(f"the first {k}" if k > 1 else "the first", found, guessed)
    return table


def _top_figure(material: Material, proba: NDArray[np.float64]) -> Figure:
    rng = np.random.default_rng(material.seed)
    rows = np.sort(rng.permutation(len(proba))[:SHOWN])
    items = []
    for row in rows:
        likeliest = np.argsort(-proba[row], kind="stable")[:3]
        lines = [f"{percent(float(proba[row, genre]))} {material.genres[genre]}" for genre in likeliest]
        place = int(material.rows["test"][row])
        truth = material.genres[material.truth("test")[row]]
        items.append({"file": str(material.dataset.path(place).resolve()), "caption": f"it is {truth}", "lines": lines})
    note = f"{material.covers_words}; {len(items)} test covers drawn at random, not picked"
    return Figure("top-three-covers", "What it says of a cover", note, "covers", {"items": items})


# -------------------------------------------------------------------------------- several genres a cover


@dataclass(frozen=True)
class _Many:
    """Covers with any number of genres, on three sides."""

    dataset: Dataset
    genres: tuple[str, ...]
    truth: NDArray[np.int64]
    side: NDArray[np.str_]


def _several(material: Material, several: Dataset | None) -> dict[str, Any]:
    whole = Dataset.open(material.dataset.folder) if several is None else several
    many = _many(whole, material)
    if many is None:
        words = (
            "Several genres a cover: no cover here has more than one. `--several DATASET` names a dataset in which "
            "they have."
        )
        return {"words": words, "genres": []}
    name, features = _features(many.dataset, material)
    sides = {side: many.side == side for side in SIDES}
    head, _ = heads.choose(
        (features[sides["train"]], many.truth[sides["train"]]),
        (features[sides["valid"]], many.truth[sides["valid"]]),
        task="multi",
        genres=len(many.genres),
    )
    valid_logits = head.logits(features[sides["valid"]])
    temperature = fit_temperature(valid_logits, many.truth[sides["valid"]], task="multi")
    thresholds = fit_thresholds(
        proba_of(valid_logits, task="multi", temperature=temperature), many.truth[sides["valid"]]
    )
    proba = proba_of(head.logits(features[sides["test"]]), task="multi", temperature=temperature)
    groups = np.array(many.dataset.groups)[sides["test"]]
    shares = np.maximum(many.truth[sides["train"]].mean(axis=0), 1e-6)
    found = figures(
        Answers(many.truth[sides["test"]], proba, groups),
        task="multi",
        genres=many.genres,
        baselines=guesses(many.truth[sides["test"]], shares, seed=material.seed),
        thresholds=thresholds,
        seed=material.seed,
    )
    return _several_told(many, found, name, whose=several)


def _several_told(many: _Many, found: dict[str, Any], features: str, *, whose: Dataset | None) -> dict[str, Any]:
    auc, own = found["roc_auc_macro"], found["label_ranking_ap"]
    several = int((many.truth.sum(axis=1) > 1).sum())
    where = "these covers" if whose is None else whose.folder.resolve().parent.name or "the named dataset"
    words = (
        f"Several genres a cover: of the {len(many.truth):,} covers in {where}, {several:,} have more than one of "
        f"{len(many.genres)} genres. Of two covers, one with a genre and one without, it ranks them rightly "
        f"{percent(auc)} of the time in the mean over genres, where guessing gets 50 %; its list of genres is "
        f"right to {percent(own)} (label-ranking average precision), where the commonest genres first get "
        f"{percent(found['baselines']['commonest']['label_ranking_ap'])}."
    )
    shown = ("support", "roc_auc", "average_precision", "f1")
    rows = [{"genre": genre, **{name: found["per_genre"][genre][name] for name in shown}} for genre in many.genres]
    return {"words": words, "genres": rows, "n": found["n"], "features": features, "roc_auc": auc}


def _many(dataset: Dataset, material: Material) -> _Many | None:
    """Return covers with their genres, all that enough of them have; None where none has several."""
    lists = dataset.genre_lists
    task_is_many = dataset.settings.get("task") == "multi"
    genres = Task.of(dataset).genres if task_is_many else tuple(g for g in dataset.genres if g in material.genres)
    if not any(sum(genre in genres for genre in each) > 1 for each in lists):
        return None
    dataset = dataset.where([any(genre in genres for genre in each) for each in lists])
    side = np.array(dataset.column("split"))
    truth = Task("multi", genres).truth(dataset.genre_lists)
    if not task_is_many:  # covers of several genres have no side in `single`: all are dealt anew, groups apart
        dealt = assign(dataset.groups, truth, list(SIDES.values()), seed=material.seed)
        side = np.array(list(SIDES))[dealt]
    common = [index for index in range(len(genres)) if truth[side == "train", index].sum() >= FEW or not task_is_many]
    kept = tuple(genres[index] for index in common)
    return _Many(dataset, kept, truth[:, common], side)


def _several_table(many: dict[str, Any]) -> Table:
    columns = [Column("test covers", "ours", "count"), Column("ROC AUC", "ours", "percent")]
    columns += [Column("average precision", "ours"), Column("F1", "ours")]
    note = f"{many['n']:,} covers to test on; logistic regression on {many['features']}, thresholds chosen on valid"
    table = Table("several", "Several genres a cover", note, columns)
    rows: Sequence[dict[str, Any]] = sorted(many["genres"], key=lambda row: -(row["roc_auc"]["value"] or 0))
    for row in rows:
        table.add(row["genre"], row["support"], row["roc_auc"], row["average_precision"], row["f1"])
    return table
