"""Section 3 of the paper: whether a genre's covers share their colours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from sleevenotes.judge.colors import colors as compare_colors
from sleevenotes.learn import classical
from sleevenotes.learn.color import histogram
from sleevenotes.studies.bandcamp.methods import covers_of, fitted_part
from sleevenotes.studies.bandcamp.paper import paper, rows_of_genres, same_genre
from sleevenotes.studies.material import Material
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.record import Column, Figure, Section, Table, listed, percent

DRAWS = 100
FOLDER = "colors"
HISTOGRAM_PX = 32


def section(material: Material, parts: Parts, out: Path) -> Section:
    """Return Figure 2, Table 1, Figure 3 and the two classifiers on histograms."""
    draws = DRAWS if material.quick is None else material.quick.draws

    def make() -> dict[str, Any]:
        return compare_colors(material.dataset, out / FOLDER, draws=draws, seed=material.seed)

    found = parts.part("colors", make, settings={"draws": draws})
    measures = found["by"]["cubic"]["measures"]
    told = Section("colors", "Colour: is a genre most like itself?")
    told.words = [_verdict(found), _measures_words(measures)]
    covers = f"{sum(found['n'])} covers of all sides" if isinstance(found["n"], list) else "covers of all sides"
    note = f"{material.covers_words}; {covers}, {draws} draws"
    told.tables = [_table_1(found, note), *_classifiers(material, parts)]
    told.figures = [*_heats(found, note), _means(found, out, note), _palettes(found, note)]
    told.notes = [
        (
            "The paper takes one draw and prints one rank; an interval over draws says how much of that is luck. It "
            "holds the covers at hand for granted: other covers of the same genres would vary more."
        ),
        (
            "Covers are brought to 32 px by OpenCV's cubic interpolation, which looks at 4 × 4 of their pixels only, "
            "as in the paper; beside it by our own, which looks at all (antialiased)."
        ),
    ]
    return told


def _verdict(found: Mapping[str, Any]) -> str:
    genres, compared = found["genres"], found["by"]["cubic"]["measures"]["intersection"]
    ranks = dict(zip(genres, compared["exact_self_rank"], strict=True))
    first = [genre for genre, rank in ranks.items() if rank == 1]
    low, high = paper()["self_rank_in_words"]["low"], paper()["self_rank_in_words"]["high"]
    k = len(genres)
    average = mean(each["value"] for each in compared["self_rank"])
    return (
        f"Over all pairs of covers, {len(first)} of {k} genres are most like themselves by intersection"
        f"{' (' + listed(first) + ')' if first else ''}. Over the paper's draws of {min(compared_covers(found))} "
        f"covers, the mean rank of a genre with itself is {average:.1f} of {k}, where genres without any colour of "
        f"their own would have {(k + 1) / 2:.1f}. The paper: between {low} and {high} of 10, where that is 5.5, for "
        f"every genre but {paper()['self_rank_in_words']['but_for']}."
    )


def compared_covers(found: Mapping[str, Any]) -> list[int]:
    """Return how many covers of each genre a draw took."""
    return [int(count) for count in found["by"]["cubic"]["drawn"]]


def _measures_words(measures: Mapping[str, Any]) -> str:
    distances = [name for name, measure in measures.items() if measure["alike"] == "small"]
    lopsided = [name for name, measure in measures.items() if not measure["symmetric"]]
    return (
        f"Of the four measures {listed(distances)} are distances, where small means alike: there rank 1 is the "
        f"smallest, and heat maps are turned so that deep always means alike. {listed(lopsided).capitalize()} is not "
        "symmetric: which cover comes first matters."
    )


def _table_1(found: Mapping[str, Any], note: str) -> Table:
    genres = tuple(found["genres"])
    columns = [Column(f"intersection, of {len(paper()['genres'])}", "paper", "rank")]
    cubic, ours = found["by"]["cubic"]["measures"], found["by"]["antialiased"]["measures"]
    k = len(genres)
    columns += [Column(f"one draw, of {k}", "ours", "rank"), Column("mean of draws", "ours", "rank")]
    columns += [Column(f"{name}, all pairs", "ours", "rank") for name in cubic]
    columns += [Column("intersection, all pairs, antialiased", "ours", "rank")]
    table = Table("table-1", "Table 1: rank of each genre's similarity to itself", note, columns)
    for genre, index in rows_of_genres(genres):
        printed = paper()["table_1"].get(same_genre(genre) or genre)
        if index is None:
            table.add(genre, printed, *[None] * (len(columns) - 1))
            continue
        intersection = cubic["intersection"]
        table.add(
            genre,
            printed,
            intersection["first_draw_self_rank"][index],
            intersection["self_rank"][index],
            *(measure["exact_self_rank"][index] for measure in cubic.values()),
            ours["intersection"]["exact_self_rank"][index],
        )
    cells = [mean(paper()["table_1"].values()), mean(cubic["intersection"]["first_draw_self_rank"])]
    cells += [mean(each["value"] for each in cubic["intersection"]["self_rank"])]
    cells += [mean(measure["exact_self_rank"]) for measure in cubic.values()]
    table.add("mean", *cells, mean(ours["intersection"]["exact_self_rank"]), strong=True)
    return table


def _heats(found: Mapping[str, Any], note: str) -> list[Figure]:
    figures = []
    genres = found["genres"]
    for name, measure in found["by"]["cubic"]["measures"].items():
        data = {"rows": genres, "columns": genres, "alike": measure["alike"], "format": ".3f"}
        for which, words in (("mean", "the paper's draws"), ("exact", "all pairs of covers")):
            title = f"Figure 2: {name}, {words}"
            figures.append(Figure(f"figure-2-{name}-{which}", title, note, "heat", {"matrix": measure[which], **data}))
    return figures


def _means(found: Mapping[str, Any], out: Path, note: str) -> Figure:
    items = [
        {"file": str(Path(FOLDER) / found["means"][genre]), "caption": genre, "lines": []} for genre in found["genres"]
    ]
    words = f"{note}. Every cover of the genre, where the paper took a part: the more covers, the more alike the means."
    return Figure("figure-3", "Figure 3: the mean cover of each genre", words, "covers", {"items": items})


def _palettes(found: Mapping[str, Any], note: str) -> Figure:
    rows = [{"name": genre, "colors": found["palettes"][genre]} for genre in found["genres"]]
    words = f"{note}. k-means in CIE Lab, widest where most pixels are."
    return Figure("palettes", "The palette of each genre", words, "palette", {"rows": rows})


def _classifiers(material: Material, parts: Parts) -> list[Table]:
    columns = [Column("in words", "paper", "text"), Column("train", "ours"), Column("test", "ours")]
    columns += [Column("commonest answer", "ours", "text")]
    said = {"svm": "puts every cover into one or a few genres", "random forest": "amounts to guessing"}
    table = Table("histograms", "Two classifiers on the histograms", material.covers_words, columns)
    features = histogram(material.pixels(HISTOGRAM_PX, "cubic")).astype(np.float32)
    covers = covers_of(material, features)
    for name, words in said.items():
        fitted = fitted_part(
            material,
            parts,
            f"histogram-{name}",
            f"{name} on colour histograms",
            partial(classical.run, name, covers, seed=material.seed),
            settings=classical.study_settings(name),
        )
        spread = material.spread(fitted["test"])
        most = int(np.argmax(spread))
        told = f"{material.genres[most]}, for {percent(spread[most])} of the covers"
        table.add(name, words, material.learnt(fitted["train"]), material.accuracy(fitted["test"]), told)
    table.add("guessing", "", None, material.guessing, f"{material.genres[material.commonest[0]]}, for all")
    return [table]
