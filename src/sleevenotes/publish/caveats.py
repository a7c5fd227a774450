"""What the numbers of a report do not say: caveats that are computed from the results, not recited.

Each is a heading and a few sentences, in the order in which they matter. One that does not apply is not said.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from sleevenotes.covers.tasks import KINDS, Task
from sleevenotes.publish.plots import estimate_words, share_words
from sleevenotes.publish.results import Results, estimate

FEW_COVERS = 30  # of a genre in the test: an interval of a share is then some 35 points wide
NAMED = 6
TELLING = 0.05  # that much better than the commonest genre: size and file type give genres away …
NOISE = 1.5  # … and better by this over √n, two standard deviations of such a difference
WIDE = 0.10
MAPS = 9  # the check of the audit that is about explanations alone


class Caveat(NamedTuple):
    """One thing that a reader should know before quoting a figure."""

    heading: str
    words: str


def caveats(results: Results) -> list[Caveat]:
    """Return everything that limits what the figures mean."""
    found = [
        audited(results),
        _stale(results),
        _not_test(results),
        _known(results),
        _edited(results),
        _replaced(results),
        _artists(results),
        _shortcuts(results),
        _test_size(results),
        _small_genres(results),
        _several_genres(results),
        _mix(results),
        _scorings(results),
        _one_training(results),
        _one_collection(results),
    ]
    return [caveat for caveat in found if caveat is not None]


def audited(results: Results) -> Caveat | None:
    """Return what the audit thinks of all figures: None where it found nothing, or was not made of these covers."""
    if results.audit is None or not results.audit.fits:
        return None
    verdict = results.audit.told["verdict"]
    at_fault = [each for each in results.audit.told["findings"] if each["verdict"] == verdict]
    titles = [str(each.get("title") or each.get("id") or "?") for each in at_fault]
    named = "; ".join(titles[:NAMED]) + (f" and {len(titles) - NAMED} more" if len(titles) > NAMED else "")
    found = f"It found: {named}." if named else "It does not say why."
    if verdict == "broken" and {each.get("check") for each in at_fault} == {MAPS}:
        words = f"{found} The heat maps of this report do not show what the model goes by."
        return Caveat("The audit calls its maps broken.", words)
    if verdict == "broken":
        words = f"{found} Until that is mended, the figures of this report say nothing that can be relied on."
        return Caveat("The audit calls this broken.", words)
    if verdict == "suspicious":
        return Caveat("The audit calls this suspicious.", f"{found} Read the figures with that in mind.")
    return None


def telling_files(values: Sequence[str], genres: Sequence[str]) -> tuple[float, float]:
    """Return how often a file's outside (its size, its type) gives the genre away, and how often guessing is right.

    Every other cover is learnt from, and the rest is asked about; then the other way round. What is learnt is the
    commonest genre of each value; guessing always names the commonest genre of all.

    Parameters
    ----------
    values
        What is seen of each file, n of them.
    genres
        The genre of each, n of them.

    Returns
    -------
    Two shares, 0..1.

    Examples
    --------
    >>> telling_files(["300", "300", "600", "600"], ["rock", "rock", "folk", "folk"])
    (1.0, 0.5)
    """
    covers = list(zip(values, genres, strict=True))
    telling = guessing = 0
    for half in (0, 1):
        by_value: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for value, genre in covers[1 - half :: 2]:
            by_value[value][genre] += 1
        commonest = _first(Counter(genre for _, genre in covers[1 - half :: 2]))
        telling += sum((_first(by_value[value]) or commonest) == genre for value, genre in covers[half::2])
        guessing += sum(commonest == genre for _, genre in covers[half::2])
    return telling / max(1, len(covers)), guessing / max(1, len(covers))


def _first(counts: Counter[str]) -> str:
    return min(counts, key=lambda genre: (-counts[genre], genre), default="")


def _stale(results: Results) -> Caveat | None:
    dataset, evaluation = results.dataset, results.evaluation
    known = (evaluation.get("dataset") or {}).get("fingerprint")
    part = dataset.in_split(str(evaluation.get("split", "test")))
    if known and known not in (dataset.fingerprint, part.fingerprint):
        words = (
            "The dataset has changed since the model was evaluated on it, so covers shown here may not be those that "
            "were counted. Run `sleevenotes evaluate` again."
        )
        return Caveat("The figures are older than the dataset.", words)
    judged = evaluation.get("model_sha256")
    if judged and results.model_sha256 and judged != results.model_sha256:
        words = "The model was trained again since it was evaluated. Run `sleevenotes evaluate` again."
        return Caveat("The figures are of an earlier model.", words)
    trained = (results.card.get("dataset") or {}).get("fingerprint")
    kind = next(kind for kind in KINDS if kind == results.task)
    train = dataset.in_split("train")
    train = train.where(Task(kind, tuple(results.genres)).answerable(train.genre_lists)) if len(train) else train
    if trained and trained not in (dataset.fingerprint, train.fingerprint):
        words = "The model learnt from other covers than those that are in this dataset for training."
        return Caveat("The model comes from elsewhere.", words)
    return None


def _not_test(results: Results) -> Caveat | None:
    split = str(results.evaluation.get("split", "test"))
    if split == "test":
        return None
    words = f"The figures are for the covers of “{split}”, not for a test split that was kept aside."
    return Caveat("This is not the test split.", words)


def _known(results: Results) -> Caveat | None:
    known = results.evaluation.get("known")
    if not isinstance(known, Mapping) or not known.get("words"):
        return None
    title = "It may know some of these covers." if known["kept"] else "Covers that it knows were left out."
    return Caveat(title, str(known["words"]))


def _edited(results: Results) -> Caveat | None:
    edits = results.evaluation.get("edits")
    if not isinstance(edits, Mapping) or not edits.get("words"):
        return None
    words = (
        f"{edits['words']} Whoever corrects genres in sight of a model's answers corrects those that contradict it, so "
        "the figure rises though the model is the same."
    )
    return Caveat("The test was edited.", words)


def _replaced(results: Results) -> Caveat | None:
    replaced = int(results.evaluation.get("replaced") or 0)
    if not replaced:
        return None
    words = (
        f"{replaced:,} of the {int(results.evaluation['n']):,} covers that were judged are other files than when they "
        "were collected. The files were judged as they are; `sleevenotes check` names them."
    )
    return Caveat("Covers were replaced.", words)


def _artists(results: Results) -> Caveat | None:
    artists = results.evaluation.get("artists", "unknown")
    if artists == "apart":
        return None
    if artists == "shared":
        words = (
            "Some artists are both in training and in the test. A model can then know an artist's style, not the genre."
        )
        return Caveat("It has seen some of the artists.", words)
    few = "most of the covers" if any(results.dataset.column("artist")) else "the covers"
    words = (
        f"The table does not say who made {few}, so one artist's covers may be in training and in the test. "
        "A model can then know an artist's style, not the genre, and the figures flatter it."
    )
    return Caveat("Artists are unknown.", words)


def _shortcuts(results: Results) -> Caveat | None:
    if results.audit is not None and results.audit.fits:
        findings = results.audit.told["findings"]
        if {1, 2} <= {each.get("check") for each in findings}:
            return _known_shortcuts(findings)
    sizes = zip(results.dataset.column("width"), results.dataset.column("height"), strict=True)
    types = [PurePosixPath(name).suffix.lower() for name in results.dataset.file_names]
    outsides = [f"{width}×{height} {ending}" for (width, height), ending in zip(sizes, types, strict=True)]
    seen = [(outside, genres[0]) for outside, genres in zip(outsides, results.truths(), strict=True) if genres]
    telling, guessing = telling_files([outside for outside, _ in seen], [genre for _, genre in seen])
    rest = (
        "Compression, borders, scanners and watermarks were not looked into: each may differ by genre too. "
        "`sleevenotes audit` looks."
    )
    if telling > guessing + max(TELLING, NOISE / math.sqrt(max(1, len(seen)))):
        words = (
            f"From size and type of the files alone, without a look at the covers, {share_words(telling)} of the "
            f"genres can be named; always saying the commonest gets {share_words(guessing)}. The model may have learnt "
            f"that. {rest}"
        )
        return Caveat("The files give the genres away.", words)
    words = f"The size and the type of the files alone do not tell the genres apart, which is good. {rest}"
    return Caveat("Shortcuts are not ruled out.", words)


def _known_shortcuts(findings: Sequence[Mapping[str, Any]]) -> Caveat | None:
    """Return what is left to say once files and pixels were audited; None where they were not clean: that is told."""
    if any(each["verdict"] != "clean" for each in findings if each.get("check") in (1, 2)):
        return None
    words = (
        "The audit looked at the files and for their traces in the pixels, and found nothing that tells the genres "
        "apart. It finds the shortcuts that it knows; there may be others."
    )
    return Caveat("Shortcuts are not ruled out.", words)


def _test_size(results: Results) -> Caveat | None:
    main = estimate(results.evaluation[results.main_figure])
    low, high, n = main["low"], main["high"], int(results.evaluation["n"])
    if low is None or high is None:
        words = f"The figures come from {n:,} covers, too few to say how much luck is in them."
        return Caveat("The test is small.", words)
    ends = [estimate_words({"value": end}, percent=results.task != "multi") for end in (low, high)]
    words = (
        f"The figures come from {n:,} covers. Other covers of the same kind could as well have given "
        f"{ends[0]} or {ends[1]}; that is what the interval says."
    )
    return Caveat("The test is small." if high - low > WIDE else "Luck is in every figure.", words)


def _small_genres(results: Results) -> Caveat | None:
    per_genre = results.evaluation.get("per_genre") or {}
    small = [(genre, int(each.get("support") or 0)) for genre, each in per_genre.items() if isinstance(each, dict)]
    small = sorted((each for each in small if each[1] < FEW_COVERS), key=lambda each: (each[1], each[0]))
    if not small:
        return None
    named = ", ".join(f"{genre} ({support})" for genre, support in small[:NAMED])
    more = f" and {len(small) - NAMED} more" if len(small) > NAMED else ""
    words = f"Fewer than {FEW_COVERS} covers in the test: {named}{more}. Read their figures as hints."
    return Caveat("Some genres are hardly there.", words)


def _several_genres(results: Results) -> Caveat:
    several = sum(len(genres) > 1 for genres in results.dataset.genre_lists)
    several += int(((results.check or {}).get("across_genres") or {}).get("covers") or 0)
    words = (
        "A genre is what somebody filed the album under; others would file it elsewhere, and no cover can settle that. "
    )
    if several and results.task == "single":
        covers = "1 cover stands" if several == 1 else f"{several:,} covers stand"
        words += f"Here {covers} under several genres, nearly equal ones included. "
        words += "Not even a perfect model could be always right."
    else:
        words += "Not even a perfect model could be always right."
    return Caveat("Genres are opinions.", words)


def _mix(results: Results) -> Caveat | None:
    per_genre = results.evaluation.get("per_genre") or {}
    support = {genre: int(each.get("support") or 0) for genre, each in per_genre.items() if isinstance(each, dict)}
    n = int(results.evaluation["n"])
    if results.task == "multi" or not support or not n:
        words = "Elsewhere, where genres are more or less common than here, the same model has other figures."
        return Caveat("The figures are for this mix of genres.", words)
    first = max(support, key=lambda genre: support[genre])
    words = (
        f"In this test the commonest genre, {first}, has {share_words(support[first] / n)} of the covers. In a shop "
        "with another mix, or with genres that are not in the list, the same model has other figures, and its "
        "percentages are off."
    )
    return Caveat("The figures are for this mix of genres.", words)


def _scorings(results: Results) -> Caveat | None:
    if results.scorings < 3:
        return None
    words = (
        f"This model folder was scored {results.scorings} times. Who tunes a model, looks at the test, and tunes "
        "again, ends with a figure that flatters."
    )
    return Caveat("The test has been looked at before.", words)


def _one_training(results: Results) -> Caveat | None:
    if results.evaluation.get("folds"):
        return None
    words = (
        "The intervals tell how much luck is in the choice of test covers, not how much is in the training. "
        "`sleevenotes evaluate --folds 5` trains again and tells."
    )
    return Caveat("It was trained once.", words)


def _one_collection(results: Results) -> Caveat:
    words = (
        f"All {len(results.dataset):,} covers come from one dataset. How the model does on covers that somebody else "
        "collected was not measured; it is usually worse."
    )
    return Caveat("One collection.", words)
