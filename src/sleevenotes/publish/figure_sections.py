"""The sections of the report that are made of figures: what each figure is called, what it means, and its chart.

Every function takes the results and returns what the template needs: mappings, lists, text, and charts as Markup.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from sleevenotes.publish import plots
from sleevenotes.publish.plots import Row, estimate_words, share_words
from sleevenotes.publish.results import Results, estimate, number

MISTAKES = 8
DRAWN_GENRES = 40  # a confusion matrix of more is a cloud of dots
TABLED_GENRES = 24  # a confusion matrix as a table of more would be a page of its own

# key: name, whether it is a percentage, what it means
FIGURES: dict[str, tuple[str, bool, str]] = {
    "accuracy": ("Accuracy", True, "Of all covers, how many it named rightly."),
    "balanced_accuracy": (
        "Balanced accuracy",
        True,
        "The same, but every genre counts alike, however many covers it has.",
    ),
    "precision": ("Precision", True, "When it says “{first}”, how often that is right."),
    "recall": ("Recall", True, "Of the covers of {first}, how many it finds."),
    "f1": ("F1", True, "Precision and recall in one figure (their harmonic mean)."),
    "macro_f1": ("Macro F1", True, "Precision and recall in one figure, averaged over the genres."),
    "f1_macro": ("Macro F1", True, "Precision and recall in one figure, averaged over the genres."),
    "f1_micro": ("Micro F1", True, "The same over all answers at once: common genres count for more."),
    "top2_accuracy": ("Top 2", True, "How often the right genre is among its first two."),
    "top3_accuracy": ("Top 3", True, "How often the right genre is among its first three."),
    "label_ranking_ap": (
        "Ranking precision",
        False,
        "How far up its list of genres the right ones stand: 1 where they are all on top.",
    ),
    "roc_auc": (
        "ROC AUC",
        False,
        "Shown one cover of {first} and one other, how often it ranks them rightly: 0.5 is guessing, 1 is always.",
    ),
    "roc_auc_macro": (
        "ROC AUC, mean",
        False,
        "Shown one cover of a genre and one other, how often it ranks them rightly: 0.5 is guessing, 1 is always.",
    ),
    "roc_auc_micro": (
        "ROC AUC, all answers",
        False,
        "The same over all pairs of a cover and a genre at once, which rewards knowing how common each genre is.",
    ),
    "average_precision": (
        "Average precision",
        False,
        "How clean its list is when sorted by how sure it is: 1 is best; guessing gets the genre's share.",
    ),
    "average_precision_macro": (
        "Average precision, mean",
        False,
        "How clean each genre's list is when sorted by how sure it is: 1 is best; guessing gets the genre's share.",
    ),
    "average_precision_micro": (
        "Average precision, all answers",
        False,
        "How clean the one list of all pairs of a cover and a genre is: common genres count for more.",
    ),
    "surest_fifth": ("Right on the surest fifth", True, "If it answered only the fifth of covers it is surest of."),
    "surest_half": ("Right on the surest half", True, "If it answered only the half of covers it is surest of."),
    "aurc": (
        "Area under risk",
        False,
        "How often it is wrong, averaged over answering few covers to all, the surest first. 0 is best.",
    ),
    "log_loss": ("Log loss", False, "How surprised it is by the truth. 0 is best{even}."),
    "brier": ("Brier score", False, "How far its percentages are from the truth, squared. 0 is best."),
    "ece": ("Calibration error (ECE)", True, "How far its percentages are from what happens, on average. 0 is best."),
    "ece_uncalibrated": ("… before calibration", True, "The same, before the percentages were corrected."),
}
BASELINES = {"color": "Colours alone", "share": "Guessing by share", "commonest": "Always the commonest"}
BASELINE_MEANINGS = {
    "color": "a simple model that sees how much of which colour is on a cover, and nothing else",
    "share": "naming genres by chance, each as often as it occurs",
    "commonest": "always naming the genre with the most covers",
}
MODELS = {
    "color": "A histogram of 8 × 8 × 8 colours and a logistic regression: it sees no shapes at all.",
    "small": "A small neural network, trained from scratch on these covers alone.",
    "mobilenet": "MobileNetV2, a network that has learnt to see from photographs, is left as it is; only a simple "
    "last step (a logistic regression) is learnt from these covers.",
    "prog_cnn": "The network of a study of prog covers, of seven convolutions, trained from scratch on these covers.",
    "distilled": "A small neural network, trained from scratch on these covers; besides their genres it learnt what "
    "MobileNetV2, which has learnt to see from photographs, sees of them.",
    "backbone": "A pretrained network is left as it is, or goes on learning a little; a simple last step is learnt "
    "from these covers.",
    "best": "What did best of many ways that were tried on covers kept aside: pretrained networks, colours, gradients, "
    "and blends of them.",
}


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "cover"), counted(3785, "cover")
    ('1 cover', '3,785 covers')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def headline(results: Results) -> list[dict[str, Any]]:
    """Return the three figures that matter: the model, guessing, and colours alone."""
    key, evaluation = results.main_figure, results.evaluation
    percent, n = FIGURES[key][1], counted(int(evaluation["n"]), "cover")
    guesses = [(name, estimate(_baseline(results, name).get(key))) for name in ("commonest", "share")]
    best = max(guesses, key=lambda guess: guess[1]["value"] or 0.0)
    guessing = {
        "name": "Guessing",
        "figure": figure_parts(best[1], percent),
        "words": f"by {BASELINE_MEANINGS[best[0]]}",
    }
    color = _baseline(results, "color")
    words = str(color.get("words") or "not measured")
    colors = {"name": "Colours alone", "figure": figure_parts(estimate(color.get(key)), percent), "words": words}
    if results.task == "binary":
        usual = estimate_words({"value": best[1]["value"]})
        ranks = (
            f"shown one {results.genres[0]} cover and one other, how often it picks the right one; guessing gets 0.50"
        )
        right = f"right answers on {n} it has never seen (accuracy); {BASELINE_MEANINGS[best[0]]} gets {usual}"
        right += _without_known(results) + _before_edits(results)
        return [
            {"name": "ROC AUC", "figure": figure_parts(estimate(evaluation.get("roc_auc")), False), "words": ranks},
            {"name": "Right answers", "figure": figure_parts(estimate(evaluation[key])), "words": right},
            colors,
        ]
    if results.task == "multi":
        words = f"on {n} it has never seen, how far up its list the right genres stand; 1 is all on top"
    else:
        words = f"of {n} it has never seen (accuracy)"
    name = "Ranking precision" if results.task == "multi" else "Right answers"
    return [
        {
            "name": name,
            "figure": figure_parts(estimate(evaluation[key]), percent),
            "words": words + _without_known(results) + _before_edits(results),
        },
        guessing,
        colors,
    ]


def _without_known(results: Results) -> str:
    """Return the main figure without covers that share an artist, release or source with training; else nothing."""
    without = results.evaluation.get("without_known")
    if not without or not without.get("n"):
        return ""
    figure = estimate_words(estimate(without.get(results.main_figure)), percent=FIGURES[results.main_figure][1])
    return f"; {figure} on the {counted(int(without['n']), 'cover')} without an artist, release or source of training"


def _before_edits(results: Results) -> str:
    """Return the main figure with the genres that covers had before they were changed; empty if none were."""
    key = results.main_figure
    before = (results.evaluation.get("edits") or {}).get("with_genres_before")
    if not before:
        return ""
    figure = estimate_words(estimate(before.get(key)), percent=FIGURES[key][1])
    return f"; {figure} with the genres of before they were changed"


def figures(results: Results) -> dict[str, Any]:
    """Return all figures, the baselines beside the model, and the chart of both."""
    evaluation = results.evaluation
    # of two genres, the right one is always among the first two
    trivial = [f"top{k}_accuracy" for k in (2, 3) if k >= len(results.genres)]
    keys = [key for key in FIGURES if key in evaluation and key not in trivial]
    main, percent = results.main_figure, FIGURES[results.main_figure][1]
    rows = [
        {
            "name": FIGURES[key][0],
            "figure": figure_parts(estimate(evaluation[key]), FIGURES[key][1]),
            "words": meaning(results, FIGURES[key][2]),
        }
        for key in keys
    ]
    known = [key for key in [*BASELINES, *sorted(evaluation.get("baselines") or {})] if _baseline(results, key)]
    baselines = [
        {
            "name": BASELINES.get(key, key),
            "meaning": BASELINE_MEANINGS.get(key, ""),
            "figure": figure_parts(estimate(_baseline(results, key).get(main)), percent),
            "words": str(_baseline(results, key).get("words") or ""),
        }
        for key in dict.fromkeys(known)
    ]
    charted = [Row("This model", estimate(evaluation[main]), "model")]
    charted += [
        Row(BASELINES.get(key, key), estimate(_baseline(results, key).get(main)), "baseline")
        for key in dict.fromkeys(known)
    ]
    name = FIGURES[main][0]
    chart = plots.intervals(
        charted, name="figure-baselines", title=f"{name} of the model and of three ways to guess", percent=percent
    )
    return {"rows": rows, "baselines": baselines, "chart": Markup(chart), "name": name, "curve": _roc(results)}


def _roc(results: Results) -> Markup | None:
    if results.task != "binary" or not results.answers:
        return None
    known = [(answer.truth == results.genres[0], answer.first_proba) for answer in results.answers]
    points = [(truth, proba) for truth, proba in known if proba is not None]
    if not any(truth for truth, _ in points) or all(truth for truth, _ in points):
        return None
    title = f"How many covers of {results.genres[0]} are found, and how many others are taken for it"
    return Markup(
        plots.roc([truth for truth, _ in points], [proba for _, proba in points], name="figure-roc", title=title)
    )


def confusion(results: Results) -> dict[str, Any] | None:
    """Return the confusion matrix as a chart and as tables; None where there is none."""
    matrix = results.evaluation.get("confusion")
    if results.task == "multi" or not isinstance(matrix, Mapping):
        return None
    genres, counts = list(matrix["genres"]), [[int(cell) for cell in row] for row in matrix["counts"]]
    totals = [sum(row) for row in counts]
    pairs = [(counts[i][j], i, j) for i in range(len(genres)) for j in range(len(genres)) if i != j and counts[i][j]]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    mistakes = [
        {"truth": genres[i], "said": genres[j], "covers": covers, "share": share_words(covers / totals[i])}
        for covers, i, j in pairs[:MISTAKES]
    ]
    drawn = len(genres) <= DRAWN_GENRES
    title = "What the model said of the covers of each genre"
    svg = plots.confusion(counts, genres, name="figure-confusion", title=title) if drawn else ""
    table = [{"genre": genre, "counts": row} for genre, row in zip(genres, counts, strict=True)]
    return {
        "svg": Markup(svg),
        "genres": genres,
        "mistakes": mistakes if len(genres) > 2 else [],
        "table": table if len(genres) <= TABLED_GENRES else [],
        "numbered": len(genres) <= plots.NUMBERED_GENRES,
    }


def reliability(results: Results) -> dict[str, Any] | None:
    """Return how far the percentages can be believed, before and after calibration; None where nobody measured."""
    bins = results.evaluation.get("reliability")
    if not isinstance(bins, Mapping) or not bins.get("calibrated"):
        return None
    method = results.evaluation.get("calibration") or {}
    charts = []
    for key, words in (("uncalibrated", "before calibration"), ("calibrated", "after calibration")):
        if not bins.get(key):
            continue
        error = estimate(results.evaluation.get("ece" if key == "calibrated" else "ece_uncalibrated"))
        svg = plots.reliability(bins[key], name=f"figure-{key}", title=f"How often it was right, {words}")
        few = any(row.get("too_few") for row in bins[key])
        charts.append({"svg": Markup(svg), "words": words.capitalize(), "ece": estimate_words(error), "few": few})
    mapped = method.get("maps")
    temperature = None if mapped else number(method.get("temperature"))
    return {
        "charts": charts,
        "maps": [(kind, counted(int(mapped[kind]), "genre")) for kind in mapped if mapped[kind]] if mapped else [],
        "risk": _risk(results),
        "sets": _sets(results),
        "temperature": None if temperature is None else f"{temperature:.2f}",
        "notes": [str(note) for note in method.get("notes") or ()],
        "doing": "" if temperature is None or abs(temperature - 1) < 0.02 else "less" if temperature > 1 else "more",
    }


def _risk(results: Results) -> dict[str, Any] | None:
    """Return the risk-coverage curve, and what it says; None where nobody measured."""
    told = results.evaluation.get("abstention")
    rows = [row for row in (told or {}).get("curve") or () if number(row.get("value")) is not None]
    if not isinstance(told, Mapping) or len(rows) < 2:
        return None
    svg = plots.lines(
        [100 * (number(row.get("answered")) or 0.0) for row in rows],
        {"promised": [estimate({"value": row.get("promised")}) for row in rows], "wrong": [estimate(r) for r in rows]},
        name="figure-risk",
        title="How often it is wrong where it answers only so many covers, the surest first",
        axis="of 100 covers answered",
    )
    return {
        "svg": Markup(svg),
        "words": str(told.get("words") or ""),
        "n": int(number(told.get("n")) or 0),
        "few": any(row.get("too_few") for row in rows),
    }


def _sets(results: Results) -> dict[str, Any] | None:
    """Return how often sets of genres hold the truth, of all covers and of each genre; None where there are none."""
    told = results.evaluation.get("sets")
    if not isinstance(told, Mapping):
        return None
    by_genre = told.get("by_genre") or {}
    known = [(genre, estimate(by_genre.get(genre))) for genre in results.genres]
    known = [(genre, each) for genre, each in known if each["value"] is not None]
    known.sort(key=lambda row: (row[1]["value"] or 0.0, row[0]))
    return {
        "words": str(told.get("words") or ""),
        "rows": [{"genre": genre, "figure": figure_parts(each)} for genre, each in known],
    }


def training(results: Results) -> dict[str, Any]:
    """Return how the model learnt: the curves of its epochs, or the settings that were tried."""
    head = results.card.get("head") or {}
    return {
        "blind": results.card.get("network") is None,
        "words": MODELS.get(str(results.evaluation["model"]), ""),
        "charts": _training_charts(results),
        "best": number(head.get("best_epoch")),
        "trials": [
            {"figures": [number(trial.get(key)) for key in ("strength", "train_loss", "valid_loss", "valid_accuracy")],
             "chosen": trial.get("strength") == head.get("strength")}
            for trial in head.get("trials") or () if isinstance(trial, Mapping)
        ],
        "settings": sorted(
            (str(key).replace("_", " "), _plain(value)) for key, value in (head.get("settings") or {}).items()
        ),
    }  # fmt: skip


def _training_charts(results: Results) -> list[dict[str, Any]]:
    rows = [row for row in results.history if number(row.get("epoch")) is not None]
    if len(rows) < 2:
        return []
    epochs = [number(row["epoch"]) or 0.0 for row in rows]
    best = number((results.card.get("head") or {}).get("best_epoch"))
    charts = []
    for key, name, percent in (("loss", "Loss", False), ("accuracy", "Accuracy", True)):
        sides = {"training": f"train_{key}", "valid": f"valid_{key}"}
        series = {side: [estimate(row.get(column)) for row in rows] for side, column in sides.items()}
        svg = plots.lines(
            epochs,
            series,
            name=f"figure-{key}",
            title=f"{name} after each epoch",
            axis="epochs",
            percent=percent,
            marked=best,
        )
        charts.append({"svg": Markup(svg), "caption": name})
    return charts


def _plain(value: object) -> str:
    """Return a setting as a person would write it."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def folds(results: Results) -> dict[str, Any] | None:
    """Return what came of training again on folds; None where that was not done."""
    pooled, key = results.evaluation.get("folds"), results.main_figure
    if not isinstance(pooled, Mapping):
        return None
    percent = FIGURES[key][1]
    single = pooled.get(f"{key}_per_training") or pooled.get("accuracy_per_training") or []
    rows = [
        Row("All folds together", estimate(pooled.get(key)), "model"),
        Row("The one test split", estimate(results.evaluation[key])),
    ]
    rows += [Row(f"Training {at}", {"value": number(value)}) for at, value in enumerate(single, 1)]
    spread = number(pooled.get("spread"))
    svg = plots.intervals(rows, name="figure-folds", title=f"{FIGURES[key][0]} of each training", percent=percent)
    scale, unit = (100, "points") if percent else (1, "")
    return {
        "svg": Markup(svg),
        "k": pooled.get("k"),
        "n": pooled.get("n"),
        "figure": estimate_words(estimate(pooled.get(key)), percent=percent),
        "spread": None if spread is None else f"{spread * scale:.2g} {unit}".strip(),
        "name": FIGURES[key][0],
        "rows": [
            {"name": FIGURES[each][0], "figure": figure_parts(estimate(pooled[each]), FIGURES[each][1])}
            for each in FIGURES if each in pooled
        ],
    }  # fmt: skip


def curve(results: Results) -> dict[str, Any] | None:
    """Return what more covers would bring; None where that was not measured."""
    key = results.main_figure
    points = (results.curve or {}).get("points") or []
    known = [(number(point.get("covers")), estimate(point)) for point in points if isinstance(point, Mapping)]
    drawn = sorted(((x, y) for x, y in known if x is not None and y["value"] is not None), key=lambda point: point[0])
    if len(drawn) < 2:
        return None
    svg = plots.lines(
        [x for x, _ in drawn],
        {FIGURES[key][0]: [y for _, y in drawn]},
        name="figure-curve",
        title=f"{FIGURES[key][0]} over the number of covers to learn from",
        axis="covers to learn from",
        percent=FIGURES[key][1],
    )
    return {"svg": Markup(svg), "words": str((results.curve or {}).get("words") or ""), "name": FIGURES[key][0]}


def figure_parts(value: Mapping[str, Any], percent: bool = True) -> dict[str, str]:
    """Return a figure in two parts, so that a table can set them apart: the value, and its interval.

    Examples
    --------
    >>> figure_parts({"value": 0.4, "low": 0.3, "high": 0.5}, percent=False)
    {'value': '0.40', 'interval': '0.30–0.50'}
    """
    shown, _, interval = estimate_words(value, percent=percent).partition(" (")
    return {"value": shown, "interval": interval.removesuffix(")")}


def meaning(results: Results, text: str) -> str:
    """Return what a figure means, of the third text in `FIGURES`."""
    genres = results.genres
    even = "" if results.task == "multi" else f"; {math.log(len(genres)):.2f} is knowing nothing"
    return text.format(first=genres[0], K=len(genres), even=even)


def _baseline(results: Results, key: str) -> Mapping[str, Any]:
    found = (results.evaluation.get("baselines") or {}).get(key)
    return found if isinstance(found, Mapping) else {}
