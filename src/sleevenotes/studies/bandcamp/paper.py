"""What the paper reports, and where it disagrees with itself.

The numbers lie in `paper.json`, as they stand in the paper's tables and text; every other figure about the paper is
worked out from them here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import combinations
from statistics import mean
from typing import Any

from sleevenotes.judge.proportions import holm, two_shares
from sleevenotes.studies.record import Column, Estimate, Figure, Section, Table, listed, of_paper, percent

SIGNIFICANT = 0.05


@cache
def paper() -> dict[str, Any]:
    """Return the paper's numbers: shares 0..1, but for the percentages of Tables 3 and 4, which stand as printed."""
    read: dict[str, Any] = json.loads(files(__package__).joinpath("paper.json").read_text(encoding="utf-8"))
    return read


def tested() -> int:
    """Return n, how many covers the paper tested on."""
    return int(paper()["covers"]["test"])


def same_genre(name: str) -> str | None:
    """Return the paper's genre of the same name, or None.

    Examples
    --------
    >>> same_genre("Hip-Hop"), same_genre("country")
    ('hiphop/rap', None)
    """
    plain = {re.sub(r"[^a-z]", "", part): genre for genre in paper()["genres"] for part in genre.split("/")}
    return plain.get(re.sub(r"[^a-z]", "", name.lower()))


def of_genre(table: str, column: str, genre: str) -> Estimate | None:
    """Return the percentage of one genre in Table 3 or 4, with the Wilson interval of its 100 covers."""
    share = paper()[table][column].get(same_genre(genre) or genre)
    return None if share is None else of_paper(share / 100, int(paper()["covers"]["test_a_genre"]))


def column_mean(table: str, column: str) -> float:
    """Return the mean of a column of Table 3 or 4: the accuracy, as every genre has as many test covers.

    Examples
    --------
    >>> round(column_mean("table_4", "ResNet-34"), 3)
    0.173
    """
    return float(mean(paper()[table][column].values())) / 100


def models() -> dict[str, float]:
    """Return each of the paper's models with its test accuracy: by its tables, never by its text."""
    found: dict[str, float] = {}
    for method, samplings in paper()["table_2"].items():
        found |= {f"{method}, {how}": both[1] for how, both in samplings.items()}
    found |= {f"{name}, from scratch": column_mean("table_3", name) for name in paper()["table_3"]}
    return found | {f"{name}, pretrained": column_mean("table_4", name) for name in paper()["table_4"]}


def rows_of_genres(genres: tuple[str, ...]) -> Iterator[tuple[str, int | None]]:
    """Yield the rows of a table by genre: ours with their number, then those that only the paper has."""
    yield from ((genre, index) for index, genre in enumerate(genres))
    known = {same_genre(genre) for genre in genres}
    yield from ((genre, None) for genre in paper()["genres"] if genre not in known)


def differing() -> tuple[list[tuple[str, str, float]], int]:
    """Return the pairs of the paper's models that differ, with Holm's p, and how many pairs there are."""
    pairs = list(combinations(models().items(), 2))
    ps = holm([two_shares(first[1], second[1], tested()) for first, second in pairs])
    told = [(first[0], second[0], p) for (first, second), p in zip(pairs, ps, strict=True) if p < SIGNIFICANT]
    return told, len(pairs)


def put_right() -> Section:
    """Return the section on the paper by itself: its intervals, and where its text and its tables differ."""
    section = Section("paper", "Put right: what the paper's own numbers say")
    pairs, among = differing()
    deep = {name: share for name, share in models().items() if "scratch" in name or "pretrained" in name}
    deep_pairs = [pair for pair in pairs if pair[0] in deep and pair[1] in deep]
    chance = 1 / len(paper()["genres"])
    above = [name for name, share in models().items() if (of_paper(share, tested())["low"] or 0) > chance]
    section.words = [
        (
            f"The paper tests on {tested():,} covers and gives no interval. With Wilson's, its {len(models())} models "
            f"lie within a few points of each other: of {among} pairs, {len(pairs)} differ once Holm's correction is "
            f"made for their number, and of the {len(list(combinations(deep, 2)))} pairs of its networks, "
            f"{len(deep_pairs)}. {len(above)} of the {len(models())} are better than guessing ({percent(chance)}) by "
            "their interval."
        ),
        "Accuracies of networks are the means of the paper's columns, as it tests on as many covers of each genre.",
    ]
    if deep_pairs:
        section.words.append(
            "Networks that differ: " + listed(f"{one} from {two} (p = {p:.3f})" for one, two, p in deep_pairs) + "."
        )
    section.tables = [_disagreements(), _all_models()]
    ordered = sorted(models().items(), key=lambda item: -item[1])
    rows = [{"name": name, **of_paper(share, tested()), "kind": "other"} for name, share in ordered]
    note = f"Wilson intervals at n = {tested():,}. The dashed line is guessing."
    section.figures = [
        Figure(
            "paper-models", "The paper's models, with intervals", note, "intervals", {"rows": rows, "chance": chance}
        )
    ]
    return section


def _all_models() -> Table:
    note = f"n = {tested():,} test covers of the paper, taken for independent. Test accuracy by its tables."
    columns = [Column("accuracy", "paper"), Column("differs from", "", "text")]
    table = Table("paper-accuracies", "Every model of the paper, with the interval that it lacks", note, columns)
    pairs, _ = differing()
    apart: dict[str, int] = dict.fromkeys(models(), 0)
    for one, two, _ in pairs:
        apart[one] += 1
        apart[two] += 1
    for name, share in sorted(models().items(), key=lambda item: -item[1]):
        told = f"{apart[name]} of the {len(models()) - 1} others" if apart[name] else "none of the others"
        table.add(name, of_paper(share, tested()), told)
    return table


def _disagreements() -> Table:
    numbers, covers = paper(), paper()["covers"]
    columns = [Column("in one place", "paper", "text"), Column("in another", "paper", "text")]
    note = "Each row is two places of the paper. Means of columns are worked out from its tables."
    table = Table("disagreements", "Where the paper disagrees with itself", note, columns)
    for name, share in numbers["table_4_in_words"].items():
        told = f"{column_mean('table_4', name):.1%} mean of its column (Table 4)"
        table.add(f"{name}, pretrained", f"{share:.1%} in words (5.2)", told)
    share = numbers["table_3_in_words"]["AlexNet"]
    table.add(
        "AlexNet, from scratch",
        f"{share:.0%} in words (5.1)",
        f"{column_mean('table_3', 'AlexNet'):.1%} mean of its column (Table 3)",
        remark="the words call it the best model's error",
    )
    low, high = covers["train_a_genre"]
    count = len(numbers["genres"])
    table.add(
        "covers in train",
        f"{covers['train']:,} in all (1)",
        f"{low} to {high} a genre, so {low * count:,} to {high * count:,} (1)",
        remark=f"less the test covers: {low * count - covers['test']:,} to {high * count - covers['test']:,}",
    )
    words, ridge = numbers["grid_in_words"], numbers["table_2"]
    for name, size in (("ridge", "32"), ("lasso", "35")):
        said, printed = words[name][size], ridge[name]
        table.add(
            f"{name}, train and test",
            f"{said[0]:.1%} and {said[1]:.1%} in words, {size} px (4)",
            " or ".join(f"{both[0]:.1%} and {both[1]:.1%} {how}" for how, both in printed.items())
            + ", 32 px (Table 2)",
        )
    share = numbers["table_3_in_words"]["small CNN"]
    table.add(
        "small CNN",
        f"an overall error of {share:.1%} in words (5.1)",
        f"{column_mean('table_3', 'small CNN'):.1%} right, mean of its column (Table 3)",
        remark="an accuracy, not an error",
    )
    table.add(
        "pop and its own colours",
        "not similar to anything, itself included (3)",
        f"rank {numbers['table_1']['pop']} with itself (Table 1)",
    )
    table.add(
        "the small CNN's first dense layer",
        "32 × 6² inputs (5.1)",
        "10 × 6², as its second convolution has 10 filters (5.1)",
        remark="built here as its layers say",
    )
    return table
