"""The card of a model that travels: what it learnt from, how well it does, and what it is not for.

Markdown, as the Hugging Face hub shows it, with the block before it that programs read. Every figure comes from an
evaluation, and is given with its interval; without one the card says "not measured". Names of genres and datasets are
other people's, and stand here so that no Markdown, HTML or YAML in them has an effect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sleevenotes.judge.evaluation import TOLD, figure_rows
from sleevenotes.judge.intervals import TOO_FEW
from sleevenotes.publish.results import estimate, number

NOT_MEASURED = "not measured"
MEANT = ("`", "*", "_", "[", "]", "#", "|", "\\", "~")  # what means something in Markdown
EVALUATE = "`sleevenotes evaluate MODEL DATASET`"
AUDIT = "`sleevenotes audit DATASET -o FOLDER --trained MODEL`"
PER_GENRE = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "average_precision": "average precision",
    "roc_auc": "ROC AUC",
}
ASKS = {
    "single": "which one of {k} genres a cover has",
    "binary": "whether a cover is of one genre, or not",
    "multi": "which of {k} genres a cover has, any number of them",
}


@dataclass(frozen=True)
class Sources:
    """What a card is written from.

    Parameters
    ----------
    told
        What the bundle tells (`learn.bundles`).
    model
        The contents of `model.json`.
    evaluation
        Those of `evaluation.json`; None where the model was not measured.
    audit
        Those of `audit.json`; None where there is none of the same covers.
    licence
        Under which it is given away; empty where nobody said.
    """

    told: Mapping[str, Any]
    model: Mapping[str, Any]
    evaluation: Mapping[str, Any] | None = None
    audit: Mapping[str, Any] | None = None
    licence: str = ""


def model_card(sources: Sources) -> str:
    """Return the card, a README.md."""
    sections = (
        ("", _opening(sources)),
        ("How to use it", _use(sources)),
        ("What it learnt from", _data(sources)),
        ("Figures", _figures(sources)),
        ("Against its baselines", _baselines(sources)),
        ("Its audit", _audit(sources)),
        ("What it is not for", _limits(sources)),
        ("How the graph was checked", _checked(sources)),
    )
    about = (sources.model.get("dataset") or {}).get("name") or "unknown covers"
    told = [f"# Genres of album covers: {plain(sources.told['name'])}, trained on {plain(about)}"]
    for title, lines in sections:
        told += ["", f"## {title}"] * bool(title) + ["", *lines]
    return front_matter(sources) + "\n".join(told).rstrip() + "\n"


# -- for programs ------------------------------------------------------------------------------------------------------


def front_matter(sources: Sources) -> str:
    """Return the block of YAML that the hub reads; what comes from outside is quoted as JSON, which is YAML, too."""
    lines = ["library_name: sleevenotes", "pipeline_tag: image-classification"]
    lines += [
        "tags:",
        *(f"- {tag}" for tag in ("onnx", "image-classification", "album-covers", "music", "sleevenotes")),
    ]
    lines += [f"license: {_quoted(sources.licence)}"] if sources.licence else []
    metrics = _metrics(sources.evaluation)
    if sources.evaluation and metrics:
        dataset = sources.evaluation.get("dataset") or {}
        lines += ["model-index:", f"- name: {_quoted(sources.told['name'])}", "  results:", "  - task:"]
        lines += ["      type: image-classification", "    dataset:", "      type: imagefolder"]
        lines += [f"      name: {_quoted(dataset.get('name') or 'covers')}"]
        lines += [f"      split: {_quoted(sources.evaluation.get('split', 'test'))}", "    metrics:"]
        for key, value, name in metrics:
            lines += [f"    - type: {key}", f"      value: {json.dumps(value)}", f"      name: {_quoted(name)}"]
    return "\n".join(["---", *lines, "---", "", ""])


def _metrics(evaluation: Mapping[str, Any] | None) -> list[tuple[str, float, str]]:
    """Return key, value and words of each figure that is a number; its interval stands among the words."""
    found = []
    for key, words in TOLD.items():
        figure = estimate((evaluation or {}).get(key))
        value, low, high = figure["value"], figure["low"], figure["high"]
        if value is not None:
            between = f" (95 % interval {low:.3f} to {high:.3f})" if low is not None and high is not None else ""
            between = f" ({TOO_FEW} for an interval)" if figure.get("too_few") else between
            found.append((key, value, words + between))
    return found


def _quoted(text: object) -> str:
    return json.dumps(_tidied(str(text)), ensure_ascii=False)


# -- for people --------------------------------------------------------------------------------------------------------


def _opening(sources: Sources) -> list[str]:
    told, measured = sources.told, sources.evaluation
    asks = ASKS[told["task"]].format(k=len(told["genres"]))
    lines = [f"Tells from its cover alone {asks}: {', '.join(map(plain, told['genres']))}.", ""]
    return [*lines, plain(measured["verdict"]) if measured else f"How well it does that is {NOT_MEASURED}."]


def _use(sources: Sources) -> list[str]:
    size = sources.told["preprocessing"]["size_px"]
    sets = " --coverage 0.9" if sources.told["calibration"].get("sets") else ""  # early models have none
    return [
        f"    sleevenotes predict FOLDER cover.jpg --max-risk 0.4{sets}",
        "",
        "where FOLDER is this one. Or with nothing but ONNX Runtime, NumPy and Pillow:",
        "",
        "```python",
        "import json",
        "import numpy as np",
        "import onnxruntime",
        "from PIL import Image, ImageOps",
        "",
        'cover = ImageOps.exif_transpose(Image.open("cover.jpg")).convert("RGB")',
        f"covers = np.asarray(cover.resize(({size}, {size}), Image.Resampling.BICUBIC))[None]",
        '(proba,) = onnxruntime.InferenceSession("model.onnx").run(["proba"], {"covers": covers})',
        'print(dict(zip(json.load(open("config.json"))["genres"], proba[0])))',
        "```",
        "",
        "What is transparent, or has a colour profile, needs a step more: `preprocessor_config.json` tells each.",
        "",
        "sleevenotes reports to nobody; ONNX Runtime by itself does, unless `ORT_DISABLE_TELEMETRY=1` is set.",
    ]


def _data(sources: Sources) -> list[str]:
    told = sources.model.get("dataset") or {}
    if not told:
        return ["The model does not say."]
    rows = [
        ("dataset", plain(told.get("name", "unknown"))),
        ("covers it learnt from (train)", _count(told.get("train"))),
        ("covers its settings and percentages were found on (valid)", _count(told.get("valid"))),
        ("fingerprint of train", f"`{plain(told.get('fingerprint', 'unknown'))}`"),
        ("fingerprint of valid", f"`{plain(told.get('valid_fingerprint', 'unknown'))}`"),
        ("seed", plain(sources.model.get("seed", "unknown"))),
    ]
    lines = [*_table(("", ""), rows), ""]
    covers = told.get("train_covers") or {}
    lines += _table(("genre", "covers in train"), [(plain(name), _count(n)) for name, n in covers.items()])
    networks = _backbones(sources.model)
    lines += ["", f"It is built on {'; '.join(networks)}."] if networks else []
    return [*lines, "", "No cover is in this folder."]


def _backbones(model: Mapping[str, Any]) -> list[str]:
    """Return each pretrained network that a model uses, with its training and licence."""
    grounds = [ground for part in model.get("parts") or () for ground in part.get("of", [part])]
    found = []
    for of in [model, *grounds]:
        told = of.get("backbone")
        if told:
            found.append(f"{plain(told['name'])} ({plain(told['training'])}; licence: {plain(told['licence'])})")
    return list(dict.fromkeys(found))


def _figures(sources: Sources) -> list[str]:
    measured = sources.evaluation
    if measured is None:
        return [f"Accuracy and all else: {NOT_MEASURED}. {EVALUATE} measures it."]
    dataset = measured.get("dataset") or {}
    on = f"{_count(measured['n'])} covers of the split “{plain(measured.get('split', 'test'))}”"
    on += f" of {plain(dataset.get('name', 'a dataset'))}, in {_count(measured.get('groups'))} groups"
    how = plain((measured.get("intervals") or {}).get("method", "unknown"))
    lines = [f"On {on} (fingerprint `{plain(dataset.get('fingerprint', 'unknown'))}`).", ""]
    lines += [f"95 % intervals: {how}. Artists of test and training: {plain(measured.get('artists', 'unknown'))}.", ""]
    rows = figure_rows({"folds": None, "baselines": {}, "per_genre": {}, **measured})
    lines += _table(("figure", "value", "95 % interval"), [tuple(map(plain, row)) for row in rows])
    lines += ["", *_per_genre(measured.get("per_genre") or {})]
    words = [(measured.get(key) or {}).get("words") for key in ("abstention", "sets")]
    return [*lines, "", *(plain(told) for told in words if told)]


def _per_genre(told: Mapping[str, Mapping[str, Any]]) -> list[str]:
    columns = {key: name for key, name in PER_GENRE.items() if any(key in genre for genre in told.values())}
    rows = [
        (plain(name), _count(genre.get("support")), *(_with_interval(genre.get(key)) for key in columns))
        for name, genre in told.items()
    ]
    return _table(("genre", "covers", *columns.values()), rows) if rows else []


def _baselines(sources: Sources) -> list[str]:
    told = (sources.evaluation or {}).get("baselines") or {}
    return [f"- {plain(each['words'])}" for each in told.values() if each.get("words")] or [
        f"{NOT_MEASURED.capitalize()}. {EVALUATE} sets the model beside guessing and beside colours alone."
    ]


def _audit(sources: Sources) -> list[str]:
    audit = sources.audit
    if audit is None:
        return [f"{NOT_MEASURED.capitalize()}. {AUDIT} hunts for leaks and shortcuts."]
    rows = [
        (plain(found.get("title", "")), f"**{plain(found['verdict'])}**", plain(found.get("words", "")))
        for found in audit["findings"]
    ]
    return [f"**{plain(audit['verdict'])}**: {plain(audit.get('words', ''))}", "", *_table(("", "verdict", ""), rows)]


def _limits(sources: Sources) -> list[str]:
    told, measured = sources.told, sources.evaluation
    lines = [
        f"- It knows the {len(told['genres'])} genres above and no others; a cover of any other gets percentages, too.",
        "- Its percentages, and its sets of genres, are calibrated on covers like those it learnt from. On covers of",
        "  another source, time or taste they are a hint.",
        "- A cover tells little about the music. Nobody's work should be filed, priced, paid or passed over by it.",
        "- It says nothing of who made a cover, who is on it, or whether a person or a machine drew it.",
    ]
    if measured is None:
        lines.append(
            "- It was not measured on covers that it has not seen, so nothing is known of how often it is right."
        )
    elif measured.get("split") != "test" or measured.get("artists") != "apart":
        lines.append("- Its figures are not from a test whose artists are all new to it, and may flatter it.")
    worse = [found for found in (sources.audit or {}).get("findings", ()) if found["verdict"] != "clean"]
    if worse:
        titles = ", ".join(plain(found.get("title", "")) for found in worse)
        lines.append(f"- Its audit is not clean ({titles}): some of its figures may speak of files, not of art.")
    return lines


def _checked(sources: Sources) -> list[str]:
    words = plain(sources.told["checked"]["words"])
    return [words[0].upper() + words[1:] + ".", "", f"Written by sleevenotes {plain(sources.told['version'])}."]


# -- words -------------------------------------------------------------------------------------------------------------


def plain(text: object) -> str:
    r"""Return a text of others so that it reads in Markdown as it is written, in one line.

    Examples
    --------
    >>> print(plain("drum & <b>bass</b> | *live*"))
    drum &amp; &lt;b&gt;bass&lt;/b&gt; \| \*live\*
    """
    told = _tidied(str(text))
    for mark in ("\\", *(mark for mark in MEANT if mark != "\\")):
        told = told.replace(mark, f"\\{mark}")
    return told.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _tidied(text: str) -> str:
    """Return a text without what controls a terminal, a line or the direction of writing."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+", " ", text).strip()


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _count(value: object) -> str:
    found = number(value)
    return "unknown" if found is None else f"{found:,.0f}"


def _with_interval(figure: object) -> str:
    told = estimate(figure)
    value, low, high = told["value"], told["low"], told["high"]
    if value is None:
        return "unknown"
    if low is None or high is None:
        return f"{value:.2f}" + (f" ({TOO_FEW})" if told.get("too_few") else "")
    return f"{value:.2f} ({low:.2f} to {high:.2f})"
