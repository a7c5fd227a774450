"""More genres than two: prog against one other, prog among many, and what the others hold, whose genre nobody told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.genres import tidy
from sleevenotes.covers.groups import artists_of
from sleevenotes.errors import EvaluationError, did_you_mean
from sleevenotes.judge.audit.scores import in_words
from sleevenotes.judge.metrics import roc_auc
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.prog.asking import Asked, OnePath, ask, first_of, frozen, how_words, on_features
from sleevenotes.studies.prog.both import Both
from sleevenotes.studies.prog.data import genre_before
from sleevenotes.studies.prog.question import HARMONISED_DATASET
from sleevenotes.studies.record import Cell, Column, Estimate, Figure, Section, Table, bare, listed, percent

MAY_HOLD = re.compile(r"rock|prog|psych|metal|art pop|fusion|krautrock", re.IGNORECASE)
FEWEST = 12  # covers of a genre to learn from, and to be asked about
MOST = 12  # genres at once
LIKELIEST = 30


def refuse_unknown(others: Dataset, genre: str | None) -> str | None:
    """Return a genre as the others spell it.

    Raises
    ------
    EvaluationError
        Where they have no such genre.
    """
    if genre is None:
        return None
    known = others.genres
    found = next((name for name in (genre, tidy(genre)) if name in known), None)
    if found is None:
        told = f"Genres there: {', '.join(known[:12])}{', …' if len(known) > 12 else ''}" if known else "It has none"
        raise EvaluationError(str(others.folder), f"no cover of genre '{genre}'", told, did_you_mean(genre, known))
    return found


def section(both: Both, parts: Parts, out: Path, network: Mapping[str, Any], versus: str | None) -> Section:
    """Return what more genres do, and what is among the covers that were taken for prog and are not."""
    told = Section("genres", "More genres, and what the others hold")
    before = genre_before(both.dataset)
    common = _common(both, before)
    if versus is not None:
        told.tables.append(_versus(both, parts, before, versus, told.words))
    if len(common) > 1:
        table, figure = _many(both, parts, before, common, told.words)
        told.tables.append(table)
        told.figures.append(figure)
    one_path = _one_path(both, parts, out, before, [versus] if versus else common)
    told.tables += [one_path] if one_path is not None else []
    told.tables.append(_false(both, network["test"], before, told.words))
    told.notes = [
        (
            "Prog is from one collection and every other genre from the other, so that what tells the collections "
            "apart tells prog from each of them; the other genres, which are from one source, show what art alone can."
        )
    ]
    return told


def _common(both: Both, before: Sequence[str]) -> list[str]:
    """Return the others' genres that have enough covers on every side, the commonest first."""
    counts = {
        side: Counter(before[row] for row in rows if both.all_truth[row] == 1 and before[row])
        for side, rows in both.rows.items()
    }
    enough = [genre for genre, count in counts["learn"].items() if count >= FEWEST and counts["test"][genre] > 1]
    enough = [genre for genre in enough if counts["valid"][genre] and counts["train"][genre]]
    return sorted(enough, key=lambda genre: (-counts["learn"][genre], genre))[:MOST]


def _versus(both: Both, parts: Parts, before: Sequence[str], genre: str, words: list[str]) -> Table:
    """Return how well prog is told from one other genre."""
    asked = _against(both, before, genre)
    note = f"{both.covers_words}; of these only prog and {genre}; {how_words(both)}"
    names = ("ROC AUC", "average precision", "balanced accuracy", "accuracy")
    keys = ("roc_auc", "average_precision", "balanced_accuracy", "accuracy")
    columns = [Column("prog on test", "", "count"), Column(f"{genre} on test", "", "count")]
    table = Table("versus", f"Prog against {genre} alone", note, [*columns, *(Column(name, "ours") for name in names)])
    on_test = asked.truth[asked.rows["test"]]
    counts = [int((on_test == kind).sum()) for kind in (0, 1)]
    if min(counts) < 2 or min(np.bincount(asked.truth[asked.rows["train"]], minlength=2)) < 2:
        table.add(f"prog against {genre}", *counts, None, None, None, None, remark="too few covers to ask")
        return table
    said = ask(both, parts, asked)
    groups = [both.dataset.groups[row] for row in asked.rows["test"]]
    told = both.figures_of(on_test, first_of(said["test"]), groups)
    table.add(f"prog against {genre}", *counts, *(told[key] for key in keys))
    words.append(f"Against {genre} alone, prog is told with a ROC AUC of {in_words(told['roc_auc'])}.")
    return table


def _against(both: Both, before: Sequence[str], genre: str) -> Asked:
    own = np.array([name == genre for name in before])
    truth = np.where(both.all_truth == 0, 0, np.where(own, 1, -1))
    return Asked.about(both, f"versus-{plain(genre)}", ("prog", genre), truth)


def plain(genre: str) -> str:
    """Return a genre as the name of a file may have it.

    Examples
    --------
    >>> plain("Drum & Bass")
    'drum-bass'
    """
    return re.sub(r"[^a-z0-9]+", "-", genre.lower()).strip("-") or "genre"


def _one_path(both: Both, parts: Parts, out: Path, before: Sequence[str], genres: Sequence[str]) -> Table | None:
    """Return what is left of prog against each genre once all covers went through one path, on frozen features."""
    path = OnePath.of(both, out / HARMONISED_DATASET)
    if path is None:
        return None
    columns = [Column("as they are", "ours"), Column("after one path", "ours")]
    note = f"{both.covers_words}; logistic regression on {frozen()[1]}; ROC AUC on test"
    table = Table("one-path", "Prog against each genre alone, before and after one path for all covers", note, columns)
    settings = {"extractor": frozen()[0].key, "harmonised": path.harmonised.fingerprint}
    for genre in genres:
        asked = path.kept(_against(both, before, genre))
        if any(len(np.unique(asked.truth[rows])) < 2 for rows in asked.rows.values()):
            continue
        make = partial(_before_and_after, both, path, asked)
        said = parts.part(f"one-path-{plain(genre)}", make, settings=settings | {"genre": genre})
        on_test, groups = asked.truth[asked.rows["test"]], [both.dataset.groups[row] for row in asked.rows["test"]]
        aucs = [both.figures_of(on_test, said[when], groups)["roc_auc"] for when in ("before", "after")]
        table.add(f"prog against {genre}", *aucs)
    return table if table.rows else None


def _before_and_after(both: Both, path: OnePath, asked: Asked) -> dict[str, list[float]]:
    """Return the probas of prog on test, on frozen features of the covers as they are and after one path."""
    before = on_features(both, both.dataset, asked)["test"]
    return {"before": first_of(before), "after": first_of(path.said(both, asked))}


def _many(
    both: Both, parts: Parts, before: Sequence[str], common: Sequence[str], words: list[str]
) -> tuple[Table, Figure]:
    """Return how well each of many genres is found when all are asked about at once."""
    genres = ["prog", *common]
    number = {genre: index for index, genre in enumerate(common, start=1)}
    truth = np.array(
        [0 if kind == 0 else number.get(name, -1) for kind, name in zip(both.all_truth, before, strict=True)]
    )
    asked = Asked.about(both, "many", genres, truth)
    proba = np.asarray(ask(both, parts, asked)["test"])
    on_test, guess, auc = asked.truth[asked.rows["test"]], proba.argmax(axis=1), _aucs(asked, proba)
    rows = np.isin(both.rows["test"], asked.rows["test"])
    right, genre_of = np.zeros(both.count("test")), np.full(both.count("test"), -1)
    right[rows], genre_of[rows] = guess == on_test, on_test
    columns = [Column("covers on test", "", "count"), Column("named rightly", "ours"), Column("ROC AUC", "ours")]
    note = f"{both.covers_words}; of these {len(on_test):,} on test; {how_words(both)}"
    table = Table("many", f"{len(genres)} genres at once", note, columns)
    for index, genre in enumerate(genres):
        found = both.mean(right, genre_of == index)
        table.add(genre, int((on_test == index).sum()), found, bare(auc[index]), strong=not index)
    counts = [[int(((on_test == a) & (guess == b)).sum()) for b in range(len(genres))] for a in range(len(genres))]
    words.append(
        f"Among {len(genres)} genres at once, prog is named rightly {percent(both.mean(right, genre_of == 0))} of "
        f"the time, the other genres {percent(both.mean(right, genre_of > 0))}; the ROC AUC is {auc[0]:.3f} for prog "
        f"and {float(np.nanmean(auc[1:])):.3f} for the others on average. The others share a source with each other."
    )
    title = "Who is taken for whom, all genres at once"
    return table, Figure("many-confusion", title, note, "confusion", {"genres": genres, "counts": counts})


def _aucs(asked: Asked, proba: NDArray[np.float64]) -> list[float]:
    return [float(each) for each in roc_auc(asked.truth[asked.rows["test"]], proba)]


def _false(both: Both, proba: Sequence[float], before: Sequence[str], words: list[str]) -> Table:
    """Return of which genres those others are that the network takes for prog, against all others on test."""
    names = np.array([before[row] or "no genre" for row in both.rows["test"]])
    others = ~both.is_prog
    false, what = taken_for_prog(both, proba)
    columns = [
        Column("of all others", "ours"),
        Column("of those taken for prog", "ours"),
        Column("may hold prog", "", "text"),
    ]
    note = f"{both.covers_words}; {what}"
    table = Table("false-prog", "Of which genre the others are that are taken for prog", note, columns)
    for name in [genre for genre, _ in Counter(names[others].tolist()).most_common(MOST)]:
        may = "yes" if MAY_HOLD.search(name) else "not known" if name == "no genre" else "no"
        table.add(name, both.share(names == name, others), both.share(names == name, false), may)
    words += _false_words(both, names, others, false, what)
    words.append(_artists_words(both, false))
    return table


def taken_for_prog(both: Both, proba: Sequence[float]) -> tuple[NDArray[np.bool_], str]:
    """Return which covers of test are no prog and taken for it, and how many in words.

    Where these are few, the likeliest of the others stand in for them.
    """
    scores, others = np.asarray(proba), ~both.is_prog
    false = others & (scores > 0.5)
    if false.sum() >= LIKELIEST:
        return false, f"{counted(false)} taken for prog"
    most = min(LIKELIEST, int(others.sum()) // 4)
    likeliest = np.zeros(len(scores), dtype=bool)
    likeliest[np.flatnonzero(others)[np.argsort(-scores[others], kind="stable")[:most]]] = True
    return likeliest, f"{counted(false)} taken for prog, so the {most} likeliest of them are looked at"


def counted(others: NDArray[np.bool_]) -> str:
    """Return how many others, with the verb.

    Examples
    --------
    >>> counted(np.array([True, False])), counted(np.array([True, True]))
    ('1 of the others is', '2 of the others are')
    """
    count = int(others.sum())
    return f"{count:,} of the others {'is' if count == 1 else 'are'}"


def _false_words(
    both: Both, names: NDArray[Any], others: NDArray[np.bool_], false: NDArray[np.bool_], what: str
) -> list[str]:
    may = np.array([bool(MAY_HOLD.search(name)) for name in names.tolist()])
    if not (may & others).any():
        told = (
            f"The others are not labelled as free of prog, as the study's were not: {what}. None of them has a genre "
            "that is known to hold prog, so how many are prog after all can't be told."
        )
        return [told]
    usual: Estimate = both.share(may, others)
    among: Estimate = both.share(may, false)
    held = sorted(set(names[may & others].tolist()))
    more = _value(among) > (usual["high"] or 0)
    end = (
        "more than by chance: some of its errors may be prog"
        if more
        else "no more than their share: its errors do not look like prog that nobody labelled"
    )
    return [
        (
            f"The others are not labelled as free of prog, as the study's were not: {what}. Of these {percent(among)} "
            f"are of {listed(held)}, which may hold some, against {percent(usual)} of all others; {end}."
        )
    ]


def _artists_words(both: Both, false: NDArray[np.bool_]) -> str:
    artists = [set(artists_of(cell)) for cell in both.dataset.column("artist")]
    of_prog = set().union(*(each for each, kind in zip(artists, both.all_truth, strict=True) if kind == 0))
    known = [bool(each) for each, kind in zip(artists, both.all_truth, strict=True) if kind == 1]
    if not of_prog or not any(known):
        side = "prog" if not of_prog else "the others"
        return f"Artists of {side} are not known, so that covers of one artist in both can't be found by name."
    shared = np.array([bool(each & of_prog) and kind == 1 for each, kind in zip(artists, both.all_truth, strict=True)])
    on_test = shared[both.rows["test"]]
    return (
        f"Of the {sum(known):,} others whose artist is known, {int(shared.sum()):,} share one with the prog "
        f"collection; {int(on_test.sum()):,} of these on test, where {int((on_test & false).sum()):,} may be taken for "
        "prog rightly."
    )


def _value(cell: Cell) -> float:
    return float(cell["value"] or 0.0) if isinstance(cell, dict) else 0.0
