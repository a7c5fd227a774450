"""All models in their order: which is better than guessing, and which than which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from sleevenotes.judge.intervals import SIGNIFICANT, TOO_FEW, Paired, level_after
from sleevenotes.judge.proportions import holm
from sleevenotes.studies.bandcamp.paper import column_mean, models, paper, tested
from sleevenotes.studies.material import Material
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.record import Column, Figure, Section, Table, listed, of_paper, percent

FAMILIES = {
    "pixels-": "single pixels",
    "histogram-": "colours and gradients",
    "tuned-histogram-": "colours and gradients",
    "tuned-gradients-": "colours and gradients",
    "scratch-": "networks from scratch",
    "tuned-backbone-": "pretrained networks",
    "pretrained-": "pretrained networks",
}
"""By what a part's name begins with."""


def section(material: Material, parts: Parts) -> Section:
    """Return all models by accuracy, beside the paper's order of its own."""
    answers = _answers(parts)
    titles = {name: parts.values[name]["title"] for name in answers}
    told = Section("order", "The order of the methods")
    scores = {name: material.accuracy(guess) for name, guess in answers.items()}
    ordered = sorted(answers, key=lambda name: -float(scores[name]["value"] or 0))
    best = _best_of_families(ordered)
    table, told.words = _families(material, answers, best, titles)
    told.tables = [table, _everything(material, answers, ordered, titles)]
    rows: list[dict[str, Any]] = [
        {"name": name, **scores[best[name]], "kind": "model" if place == 0 else "other"}
        for place, name in enumerate(best)
    ]
    rows.append({"name": "guessing", **material.guessing, "kind": "baseline"})
    data = {"rows": rows, "chance": material.guessing["value"]}
    title = "The best of each family, on our covers"
    told.figures = [Figure("order-figure", title, material.covers_words, "intervals", data)]
    told.notes = [
        (
            "The best of a family is the best on test, so its figure is a little too good: of many rows, the luckiest "
            "is shown. p values are of paired tests on the very same covers, corrected by Holm's method for their "
            "number."
        ),
    ]
    return told


def verdict(material: Material, sections: Sequence[Section]) -> str:
    """Return the study in two sentences."""
    told = next(section for section in sections if section.id == "order")
    return told.words[0]


def _answers(parts: Parts) -> dict[str, list[int]]:
    """Return what every model that was asked said of the test covers, by its part's name."""
    return {name: value["test"] for name, value in parts.values.items() if name.startswith(tuple(FAMILIES))}


def _best_of_families(ordered: Sequence[str]) -> dict[str, str]:
    """Return the best model of each family, best family first."""
    best: dict[str, str] = {}
    for name in ordered:
        best.setdefault(_family(name), name)
    return best


def _family(name: str) -> str:
    return next(words for start, words in FAMILIES.items() if name.startswith(start))


def _paper_family(name: str) -> str:
    return (
        "networks from scratch"
        if "scratch" in name
        else "pretrained networks"
        if "pretrained" in name
        else "single pixels"
    )


def _families(
    material: Material, answers: Mapping[str, list[int]], best: Mapping[str, str], titles: Mapping[str, str]
) -> tuple[Table, list[str]]:
    columns = [
        Column("its best", "paper", "text"),
        Column("test", "paper"),
        Column("our best", "ours", "text"),
        Column("test", "ours"),
        Column("better than guessing by", "ours", "text"),
        Column("p", "ours", "text"),
        Column("better than the next by", "ours", "text"),
        Column("p", "ours", "text"),
    ]
    table = Table("families", "The best of each family, ours and the paper's", material.covers_words, columns)
    names = list(best)
    over = {name: material.difference(answers[best[name]], material.commonest) for name in names}
    after = {name: material.difference(answers[best[name]], answers[best[next]]) for name, next in pairwise(names)}
    compared = [*over.values(), *after.values()]
    known = iter(holm([each.p for each in compared if each.student is not None]))
    ps = [None if each.student is None else next(known) for each in compared]
    p_over = dict(zip(names, ps, strict=False))
    p_after = dict(zip(after, ps[len(names) :], strict=True))
    printed = _paper_best()
    for name in names:
        paper_name, share = printed.get(name, (None, None))
        table.add(
            name,
            paper_name,
            None if share is None else of_paper(share, tested()),
            titles[best[name]],
            material.accuracy(answers[best[name]]),
            _points(over[name], p_over[name], len(ps)),
            _p(p_over[name]),
            _points(after[name], p_after[name], len(ps)) if name in after else None,
            _p(p_after[name]) if name in p_after else None,
        )
    scores = [f"{name} {percent(material.accuracy(answers[best[name]]))}" for name in names]
    sure = [name for name in names if _sure(p_over[name]) and over[name].difference > 0]
    steps = [f"{name} over {next}" for name, next in pairwise(names) if _sure(p_after[name])]
    words = [
        (
            f"On these covers the order is {listed(scores)}, where guessing gets {percent(material.guessing)}; beyond "
            f"chance {'lie ' + listed(sure) if sure else 'lies none of them'}."
        ),
        "Steps of that order that are more than chance: " + (listed(steps) if steps else "none") + ".",
        _paper_order(),
    ]
    return table, words


def _paper_best() -> dict[str, tuple[str, float]]:
    best: dict[str, tuple[str, float]] = {}
    for name, share in sorted(models().items(), key=lambda item: -item[1]):
        best.setdefault(_paper_family(name), (name, share))
    return best


def _paper_order() -> str:
    best = _paper_best()
    told = [f"{family} {percent(of_paper(share, tested()))}" for family, (_, share) in best.items()]
    pixels = [name for name in models() if _paper_family(name) == "single pixels"]
    low, high = min(models()[name] for name in pixels), max(models()[name] for name in pixels)
    return (
        f"The paper's order, by its own tables: {listed(told)}, where guessing gets "
        f"{percent(1 / len(paper()['genres']))}: single pixels from {percent(low)} to {percent(high)}, networks a "
        f"little above, and its AlexNet from scratch ({percent(column_mean('table_3', 'AlexNet'))}) no better than a "
        "forest."
    )


def _everything(
    material: Material, answers: Mapping[str, list[int]], ordered: Sequence[str], titles: Mapping[str, str]
) -> Table:
    columns = [Column("family", "", "text"), Column("test", "ours")]
    table = Table("everything", "Every model of this study, best first", material.covers_words, columns)
    for name in ordered:
        table.add(titles[name], _family(name), material.accuracy(answers[name]))
    table.add("guessing", "", material.guessing, strong=True)
    return table


def _points(difference: Paired, p: float | None, tests: int) -> str:
    """Return a difference with the interval that belongs to its p after the correction."""
    points = f"{100 * difference.difference:+.1f} points"
    if p is None:
        return f"{points} ({TOO_FEW})"
    low, high = difference.at(level_after(difference.p, p, tests))
    return f"{points} ({100 * low:+.1f} to {100 * high:+.1f})"


def _sure(p: float | None) -> bool:
    return p is not None and p < SIGNIFICANT


def _p(p: float | None) -> str:
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
