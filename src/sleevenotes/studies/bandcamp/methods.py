"""Section 4 of the paper: ten classical methods on pixels, and, beyond it, on better features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.sampling import Sampling
from sleevenotes.learn import classical
from sleevenotes.learn.color import histogram
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.gradients import hog
from sleevenotes.studies.bandcamp.paper import paper, tested
from sleevenotes.studies.bandcamp.transfer import features_key, strongest
from sleevenotes.studies.material import Material
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.record import Cell, Column, Figure, Section, Table, bare, of_paper, percent

GRID_PX = 32
GRIDS_PX = (32, 35, 70, 100)
QUICK_GRIDS_PX = (32, 35)
HISTOGRAM_PX = 32
HOG_PX = 64
FOLDS = 3
REGRESSIONS: tuple[Literal["ridge", "lasso"], ...] = ("ridge", "lasso")
SAMPLINGS: dict[str, Sampling] = {"random": "random", "resize": "cubic"}
"""The paper's two ways to few pixels, and what they are called here."""


def section(material: Material, parts: Parts) -> Section:
    """Return Table 2, ridge and LASSO over the grid's size, and the same methods on other features."""
    told = Section("classical", "Classical methods on pixels")
    table, answers = _table_2(material, parts)
    told.words = [_table_2_words(material, answers), _rounding_words()]
    grids = _grids(material, parts)
    told.tables = [table, _grid_table(material, grids), _beyond(material, parts, answers)]
    told.figures = [_grid_figure(material, grids)]
    told.notes = [
        (
            "Pixels are 0..1. Each method has the paper's settings where it tells them and scikit-learn's own "
            "elsewhere, and learns from train and valid together, as nothing is chosen. Training accuracy is on what "
            "it learnt from."
        ),
        (
            "`random` picks 32 rows and 32 columns of the full grid, once, the same for every cover, and keeps the "
            "pixels where they cross; `resize` is OpenCV's cubic interpolation, which hardly differs from picking, as "
            "it looks at 4 × 4 pixels of some 100."
        ),
        _settings_words(answers),
    ]
    return told


def _table_2(material: Material, parts: Parts) -> tuple[Table, dict[str, dict[str, Any]]]:
    """Return the table, and what each method said, by `METHOD, SAMPLING`."""
    headings = [f"{how} {side}" for how in SAMPLINGS for side in ("train", "test")]
    columns = [*(Column(heading, "paper") for heading in headings), *(Column(heading, "ours") for heading in headings)]
    note = f"{material.covers_words}; {GRID_PX} px, so {3 * GRID_PX**2:,} features. The paper: 8,800 and {tested():,}"
    table = Table("table-2", "Table 2: ten classical methods, train and test accuracy", note, columns)
    answers: dict[str, dict[str, Any]] = {}
    for how, sampling in SAMPLINGS.items():
        covers = covers_of(material, flat(material.pixels(GRID_PX, sampling)))
        for name in classical.METHODS:
            answers[f"{name}, {how}"] = fitted_part(
                material,
                parts,
                f"pixels-{how}-{name}",
                f"{name}, {GRID_PX} px, {how}",
                partial(classical.run, name, covers, seed=material.seed),
                settings=classical.study_settings(name),
            )
        for name in REGRESSIONS:
            answers[f"{name} rounded, {how}"] = fitted_part(
                material,
                parts,
                f"pixels-{how}-{name}-rounded",
                f"{name} rounded, {GRID_PX} px, {how}",
                partial(classical.rounded, name, covers),
                settings=classical.study_settings(name),
            )
    rows = [*classical.METHODS[:2], "ridge rounded", "lasso rounded", *classical.METHODS[2:]]
    for name in rows:
        printed = paper()["table_2"].get(name)
        cells: list[Cell] = []
        for how in SAMPLINGS:
            cells += [None, None] if printed is None else [bare(printed[how][0]), of_paper(printed[how][1], tested())]
        for how in SAMPLINGS:
            cells += both_sides(material, answers[f"{name}, {how}"])
        remark = "the genre's number as a regression, rounded" if printed is None else None
        table.add(name, *cells, remark=remark)
    chance = bare(1 / len(paper()["genres"]))
    table.add("guessing", None, chance, None, chance, None, material.guessing, None, material.guessing, strong=True)
    return table, answers


def _table_2_words(material: Material, answers: Mapping[str, Mapping[str, Any]]) -> str:
    scores = {name: material.accuracy(value["test"]) for name, value in answers.items()}
    ordered = sorted(scores, key=lambda name: -(scores[name]["value"] or 0))
    better = [name for name in ordered if material.difference(answers[name]["test"], material.commonest).low > 0]
    return (
        f"The best of them on our covers is {ordered[0]} with {percent(scores[ordered[0]])}, the worst {ordered[-1]} "
        f"with {percent(scores[ordered[-1]])}; always naming the commonest genre gets {percent(material.guessing)}. "
        f"{len(better)} of {len(ordered)} rows are better than that by their interval. The paper: from 9 % (ridge) to "
        f"{max(both[1] for row in paper()['table_2'].values() for both in row.values()):.1%} (random forest), where "
        "guessing is 10 %."
    )


def _rounding_words() -> str:
    return (
        "How the paper turned a regression into a genre it does not say. Here ridge and LASSO are one regression a "
        "genre, and the largest wins. The rows `rounded` are the other reading, one regression on the genre's number; "
        "a strongly penalised one then names the middle of the list for every cover, which would explain the paper's "
        "LASSO, with 10 % on the very covers that it learnt from."
    )


def _settings_words(answers: Mapping[str, Mapping[str, Any]]) -> str:
    told = []
    for name in classical.METHODS:
        settings = answers[f"{name}, resize"]["settings"]
        words = [f"{key} {value:.3g}" if type(value) is float else f"{key} {value}" for key, value in settings.items()]
        told.append(f"{name}: {', '.join(words)}")
    return "Settings on `resize`. " + "; ".join(told) + "."


def _grids(material: Material, parts: Parts) -> dict[int, dict[str, dict[str, Any]]]:
    """Return what ridge and LASSO said at each size of the grid, by `resize`."""
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for size_px in GRIDS_PX if material.quick is None else QUICK_GRIDS_PX:
        covers: list[classical.Covers] = []  # made only where a part has to be

        def fit(name: str, size_px: int = size_px, covers: list[classical.Covers] = covers) -> classical.Fitted:
            if not covers:
                covers.append(covers_of(material, flat(material.pixels(size_px, "cubic"))))
            return classical.run(name, covers[0], seed=material.seed)

        found[size_px] = {
            name: fitted_part(
                material,
                parts,
                f"pixels-resize-{name}" + (f"-{size_px}" if size_px != GRID_PX else ""),
                f"{name}, {size_px} px, resize",
                partial(fit, name),
                settings=classical.study_settings(name),
            )
            for name in ("ridge", "lasso")
        }
    return found


def _grid_table(material: Material, grids: Mapping[int, Mapping[str, Mapping[str, Any]]]) -> Table:
    headings = [f"{name} {side}" for name in ("ridge", "lasso") for side in ("train", "test")]
    columns = [*(Column(heading, "paper") for heading in headings), *(Column(heading, "ours") for heading in headings)]
    left = (
        "" if material.quick is None else f"; left out: {', '.join(f'{px} px' for px in GRIDS_PX if px not in grids)}"
    )
    table = Table(
        "grid", "Ridge and LASSO over the size of the grid", f"{material.covers_words}; `resize`{left}", columns
    )
    for size_px, row in grids.items():
        cells: list[Cell] = []
        for name in ("ridge", "lasso"):
            said = paper()["grid_in_words"][name].get(str(size_px))
            cells += [None, None] if said is None else [bare(said[0]), of_paper(said[1], tested())]
        for name in ("ridge", "lasso"):
            cells += both_sides(material, row[name])
        table.add(f"{size_px} px", *cells)
    return table


def _grid_figure(material: Material, grids: Mapping[int, Mapping[str, Mapping[str, Any]]]) -> Figure:
    series: dict[str, list[Any]] = {}
    for name in ("ridge", "lasso"):
        sides = [both_sides(material, row[name]) for row in grids.values()]
        series[f"{name}, train"] = [side[0] for side in sides]
        series[f"{name}, test"] = [side[1] for side in sides]
    data = {"x": list(grids), "axis": "px a side", "series": series, "percent": True}
    title = "More pixels: learnt by heart, not learnt"
    return Figure("grid-figure", title, f"{material.covers_words}; `resize`", "lines", data)


def _beyond(material: Material, parts: Parts, pixels: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return all twelve methods on histograms, gradients and backbone features, tuned within what they learn from."""
    sets = {"histogram": "histogram", "gradients": "HOG"}
    features: dict[str, Callable[[], NDArray[np.float32]]] = {
        "histogram": lambda: histogram(material.pixels(HISTOGRAM_PX, "antialiased")).astype(np.float32),
        "gradients": lambda: hog(material.pixels(HOG_PX, "antialiased")),
    }
    found = strongest()
    if found is not None:
        sets["backbone"] = found.name
        features["backbone"] = lambda: dataset_features(material.dataset, found.extractor(), progress=material.progress)
    columns = [Column("pixels test", "ours")]
    columns += [Column(f"{words} {side}", "ours") for words in sets.values() for side in ("train", "test")]
    note = f"{material.covers_words}; settings chosen by cross-validation with groups apart, within those to learn from"
    if found is None:
        note += "; left out: features of a backbone, as no weights are at hand"
    table = Table("beyond", "Beyond the paper: the same methods on better features, tuned", note, columns)
    names = (*classical.METHODS, *classical.MORE)
    said: dict[str, dict[str, dict[str, Any]]] = {}
    for key in sets:
        said[key] = _tuned(material, parts, key, sets[key], features[key])
    for name in names:
        cells: list[Cell] = [
            material.accuracy(pixels[f"{name}, resize"]["test"]) if name in classical.METHODS else None
        ]
        for key in sets:
            cells += both_sides(material, said[key][name])
        table.add(name, *cells)
    table.add("guessing", material.guessing, *[None, material.guessing] * len(sets), strong=True)
    return table


def _tuned(
    material: Material, parts: Parts, key: str, words: str, features: Callable[[], NDArray[np.float32]]
) -> dict[str, dict[str, Any]]:
    covers: list[classical.Covers] = []

    def fit(name: str) -> classical.Fitted:
        if not covers:
            covers.append(covers_of(material, features()))
        return classical.tuned(name, covers[0], groups=material.groups("learn"), folds=FOLDS, seed=material.seed)

    of_backbone = {"features": features_key()} if key == "backbone" else {}
    return {
        name: fitted_part(
            material,
            parts,
            f"tuned-{key}-{name}",
            f"{name}, tuned, on {words}",
            partial(fit, name),
            settings={"grid": classical.GRIDS[name], "folds": FOLDS, **of_backbone},
        )
        for name in (*classical.METHODS, *classical.MORE)
    }


def flat(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return pixels, (n, S, S, 3), as features, (n, 3 S²), 0..1."""
    return pixels.reshape(len(pixels), -1).astype(np.float32) / np.float32(255)


def covers_of(material: Material, features: NDArray[np.float32]) -> classical.Covers:
    """Return what the classical methods are fitted to, out of the features of every cover, (n, D)."""
    learn, test = material.rows["learn"], material.rows["test"]
    return classical.Covers(features[learn], material.truth("learn"), features[test], len(material.genres))


def fitted_part(
    material: Material,
    parts: Parts,
    name: str,
    title: str,
    fit: Callable[[], classical.Fitted],
    *,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a method said of both sides, `{"title", "train", "test", "settings"}`, fitted now or found.

    `settings` are those that it is asked to take: under others it is fitted again.
    """

    def make() -> dict[str, Any]:
        fitted = fit()
        train, test = ([int(guess) for guess in side] for side in (fitted.train_guess, fitted.test_guess))
        return {"title": title, "train": train, "test": test, "settings": dict(fitted.settings)}

    words = lambda value: f"{percent(material.accuracy(value['test']))} right on test"  # noqa: E731
    return parts.part(name.replace(" ", "-"), make, settings=settings, words=words)


def both_sides(material: Material, said: Mapping[str, Any]) -> list[Cell]:
    """Return accuracy on the covers that a method learnt from, and on test with its interval."""
    return [bare(material.learnt(said["train"])), material.accuracy(said["test"])]
