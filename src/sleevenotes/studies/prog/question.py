"""The study's own question, whether its network learnt what scaling leaves instead of the art, and the answer.

The study could only look at its maps. The audit measures: what the model scores, what files score without their
pixels, what the model scores once both collections went through one path, and what it scores where both kinds come
from one source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.judge.audit.control import KEPT
from sleevenotes.judge.audit.findings import SIGNIFICANT
from sleevenotes.judge.audit.scores import CHANCE, Ruler, above_chance, in_words
from sleevenotes.judge.figures import Answers
from sleevenotes.learn.calibration import proba_of
from sleevenotes.learn.features import dataset_features
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.prog.asking import Asked, OnePath, fitted, frozen
from sleevenotes.studies.prog.both import Both
from sleevenotes.studies.prog.data import common_size
from sleevenotes.studies.prog.networks import MODEL_FOLDER, curves, history
from sleevenotes.studies.record import Column, Estimate, Figure, Section, Table, listed

if TYPE_CHECKING:
    from sleevenotes.judge.audit.control import Control

AUDIT_FOLDER = "audit"
HARMONISED_DATASET = f"{AUDIT_FOLDER}/harmonised"
HARMONISED_MODEL = f"{AUDIT_FOLDER}/harmonised-model"
FILES, TRACES, HARMONISED, SWAPPED, CONTROL = 1, 2, 3, 4, 5
CLEAN = "clean"

SHORT = {
    "model": "the network",
    "files": "files alone",
    "traces": "traces alone",
    "harmonised": "network, one path",
    "properties_after": "files, one path",
    "traces_after": "traces, one path",
    "control": "network, one source",
    "control-harmonised": "… after one path",
    "control-trained_there": "trained there",
    "too": "features",
    "too-after": "features, one path",
    "too-control": "features, one source",
}
"""The lines of the answer as a figure and a headline have them."""

Finding = Mapping[str, Any]


def audited(both: Both, parts: Parts, out: Path, control: Control | None, network: Mapping[str, Any]) -> dict[str, Any]:
    """Return the audit of the trained model, made now or found; its own files lie in `OUT/audit`."""
    from sleevenotes.judge.audit.audit import AuditSettings, audit

    settings = AuditSettings(
        trained=out / MODEL_FOLDER,
        control=control,
        size_px=common_size(both.dataset),
        seed=both.seed,
        say=parts.say,
        progress=both.progress,
    )
    told: dict[str, Any] = {"model": network["test"], "size_px": settings.size_px}
    if control is not None:
        told["control"] = [control.dataset.fingerprint, control.genre, control.among, control.years]
    if not (out / AUDIT_FOLDER / "audit.json").exists():
        parts.path("audit").unlink(missing_ok=True)
    return parts.part(
        "audit",
        lambda: audit(Dataset.open(both.dataset.folder), out / AUDIT_FOLDER, settings),
        settings=told,
        words=lambda value: value["verdict"],
    )


def asked_too(both: Both, parts: Parts, out: Path, control: Control | None) -> dict[str, Any]:
    """Return what a second model gets: logistic regression on frozen features, which needs few covers and no hours.

    A network that has learnt little loses little, so that it alone could not answer.

    Returns
    -------
    ROC AUC `own` and, where they could be asked, `after` one path and on the `control`, with the `verdict` on the
    control by the audit's rule.
    """
    key = {"extractor": frozen()[0].key, "audit": parts.values["audit"]["dataset"]["fingerprint"]}
    if control is not None:
        key["control"] = json.dumps([control.dataset.fingerprint, control.genre, control.among, control.years])
    return parts.part("asked-too", lambda: _asked_too(both, out, control), settings=key)


def _asked_too(both: Both, out: Path, control: Control | None) -> dict[str, Any]:
    asked = Asked.about(both, "prog", both.task.genres, both.all_truth)
    features = dataset_features(both.dataset, frozen()[0], progress=both.progress)
    head = fitted(features, asked, "none", both.seed)
    own = _answers(head.logits(features[both.rows["test"]]), both.truth("test"), both.groups("test"))
    ruler = Ruler(both.seed)
    told: dict[str, Any] = {"own": ruler.estimate(own)}
    path = OnePath.of(both, out / HARMONISED_DATASET)
    if path is not None:
        rows = path.kept(asked).rows["test"]
        proba = np.array(path.said(both, asked))
        groups = [both.dataset.groups[row] for row in rows]
        told["after"] = ruler.estimate(Answers(both.all_truth[rows], proba, groups))
    if control is not None:
        covers, truth = control.covers()
        logits = head.logits(dataset_features(covers, frozen()[0], progress=both.progress))
        there = _answers(logits, truth, covers.groups)
        told["control"] = ruler.estimate(there)
        told["verdict"] = judged(own, there, ruler)
    return told


def judged(own: Answers, there: Answers, ruler: Ruler) -> str:
    """Return what the audit's rule for a control calls a model with these answers at home and there."""
    difference, p = ruler.unpaired(own, there)
    if p is None or p > SIGNIFICANT or float(difference["value"] or 0) <= 0:
        return CLEAN
    kept = above_chance(ruler.estimate(there)) >= KEPT * above_chance(ruler.estimate(own))
    return "suspicious" if kept else "broken"


def _answers(logits: NDArray[np.float32], truth: NDArray[np.int64], groups: Sequence[str]) -> Answers:
    return Answers(truth, proba_of(logits, task="binary"), groups)


def found(audit: Mapping[str, Any], check: int, id: str | None = None) -> Finding | None:
    """Return the first finding of a check, or the one of an id; None where it was left out."""
    findings: Sequence[Finding] = audit["findings"]
    return next((each for each in findings if each["check"] == check and id in (None, each["id"])), None)


@dataclass(frozen=True)
class Line:
    """One line of the answer: what was asked, the ROC AUC, and what the audit calls it."""

    name: str
    auc: Estimate | None
    verdict: str
    remark: str | None = None

    @property
    def words(self) -> str:
        """The ROC AUC as a sentence has it."""
        return in_words(self.auc) if self.auc is not None else "–"

    @property
    def low(self) -> float:
        """The lower end of its interval, 0 where it has none."""
        return float((self.auc or {}).get("low") or 0.0)


def lines(both: Both, network: Mapping[str, Any], audit: Mapping[str, Any], too: Mapping[str, Any]) -> dict[str, Line]:
    """Return the lines of the answer, those that could be asked and those that could not."""
    told = {"model": Line("the network, on its own test side", both.figures(network["test"])["roc_auc"], "")}
    told["files"] = _line(audit, FILES, "file properties alone, no pixel looked at", "file-properties")
    told["traces"] = _line(audit, TRACES, "traces of processing in the pixels alone", "pixel-traces")
    harmonised = found(audit, HARMONISED)
    told["harmonised"] = _line(audit, HARMONISED, "the network, both collections through one path")
    if harmonised is not None and "after" in harmonised["details"]:
        after = harmonised["details"]["after"]
        told["harmonised"] = Line(told["harmonised"].name, _estimate(after), harmonised["verdict"])
        for key, name in (
            ("properties_after", "… file properties, then"),
            ("traces_after", "… traces in the pixels, then"),
        ):
            if key in harmonised["details"]:
                told[key] = Line(name, _estimate(harmonised["details"][key]), "")
    told["control"] = _line(audit, CONTROL, "the network, where both kinds come from one source")
    control = found(audit, CONTROL)
    if control is not None:
        for key, name in (
            ("harmonised", "… after it learnt from covers of one path"),
            ("trained_there", "a model trained on such covers themselves"),
        ):
            if key in control["details"]:
                told[f"control-{key}"] = Line(name, _estimate(control["details"][key]), "")
    if too:
        told["too"] = Line(f"logistic regression on {frozen()[1]}", too["own"], "")
        for key, name in (("after", "… both collections through one path"), ("control", "… one source")):
            if key in too:
                told[f"too-{key}"] = Line(name, too[key], too["verdict"] if key == "control" else "")
    return told


def section(
    both: Both, out: Path, network: Mapping[str, Any], audit: Mapping[str, Any], too: Mapping[str, Any]
) -> Section:
    """Return the question, the four lines of the answer, what each finding says, and the curves after one path."""
    told = Section("question", "Their question: does the network see the art, or what scaling left?")
    answer = lines(both, network, audit, too)
    told.words = [
        (
            "The study ends on a doubt of its own: whether the network saw the art, or what scaling had left on the "
            "covers of one collection. It had its maps to look at, and found no sign of it there; but a map shows "
            "where a network looks, and not what it looks for. This is what can be measured."
        ),
        verdict(answer),
        *(
            f"{each['title']}: {each['words']}"
            for check in (FILES, TRACES, HARMONISED, SWAPPED, CONTROL)
            for each in audit["findings"]
            if each["check"] == check
        ),
    ]
    told.tables = [_table(both, answer), _findings(both, audit)]
    rows = [
        {"name": SHORT[key], **line.auc, "kind": "model" if key == "model" else "other"}
        for key, line in answer.items()
        if line.auc is not None
    ]
    data = {"rows": rows, "chance": CHANCE}
    told.figures = [Figure("question-figure", "The answer: ROC AUC of each", both.covers_words, "intervals", data)]
    if found(audit, HARMONISED) is not None:
        epochs = history(out / HARMONISED_MODEL)
        told.figures += curves(both, epochs, "harmonised", "their network on covers of one path")
    told.notes = [
        f"All of the audit, with its pictures: `OUT/{AUDIT_FOLDER}`. Its rules are in docs/audit.md.",
        *(f"{each['title']} was left out: {each['why'].rstrip('.')}." for each in audit["left_out"]),
    ]
    return told


def verdict(answer: Mapping[str, Line]) -> str:
    """Return the answer in a few sentences."""
    parts = [f"The network tells prog from the others with a ROC AUC of {answer['model'].words}."]
    files, harmonised, control = answer["files"], answer["harmonised"], answer["control"]
    if files.auc is not None:
        beyond = ", which can't be told from chance" if files.verdict == CLEAN else ""
        parts.append(f"File properties alone, without a pixel, tell it with {files.words}{beyond}.")
    if harmonised.auc is not None:
        after, traces = harmonised.words, answer.get("traces_after")
        parts.append(f"Trained and asked anew after both collections went through one path, it gets {after}.")
        if traces is not None and traces.low > CHANCE:
            parts.append(f"That path leaves traces in the pixels, which tell it with {traces.words} by themselves.")
    if control.auc is not None:
        parts.append(f"Where both kinds come from one source, it gets {control.words}; chance is {CHANCE}.")
    if "too" in answer:
        told = [f"gets {answer['too'].words}"]
        told += [f"{answer['too-after'].words} after one path"] if "too-after" in answer else []
        told += [f"{answer['too-control'].words} where both come from one source"] if "too-control" in answer else []
        parts.append(f"{answer['too'].name[0].upper()}{answer['too'].name[1:]} {listed(told)}.")
    return " ".join([*parts, _conclusion(answer)])


def headline(answer: Mapping[str, Line]) -> str:
    """Return the answer in a sentence, and its figures without their intervals."""
    shown = [key for key in ("model", "files", "harmonised", "control", "too-control") if key in answer]
    told = [(SHORT[key], (answer[key].auc or {}).get("value")) for key in shown]
    figures = "; ".join(f"{name} {value:.2f}" for name, value in told if value is not None)
    return f"{_conclusion(answer)} ROC AUC: {figures}."


def _conclusion(answer: Mapping[str, Line]) -> str:
    control = answer["control"]
    telling = (("files", "files"), ("traces", "traces in the pixels"))
    told_by = " and ".join(name for key, name in telling if answer[key].verdict not in ("", CLEAN))
    verdicts = [line.verdict for key, line in answer.items() if key in ("control", "too-control")]
    if "broken" in verdicts:
        return "The worry was right: what is learnt here is where a cover comes from, and little of the art."
    if "suspicious" in verdicts:
        return "The worry was right in part: where both kinds come from one source, less is known of them."
    if not told_by:
        return "Nothing that was measured here bears the worry out."
    given_away = f"The worry was right to have: the {told_by} give prog away"
    if control.auc is None:
        more = (
            "so that no score on these covers says how much of it is art. Covers of one source, with --control, would."
        )
        return f"{given_away}, {more}"
    if control.low > CHANCE:
        return f"{given_away}; but what the network knows it keeps where both kinds come from one source."
    lost = "the network can't be told from chance, though these covers are too few to call that a loss"
    return f"{given_away}; where both kinds come from one source, {lost}."


def _line(audit: Mapping[str, Any], check: int, name: str, id: str | None = None) -> Line:
    finding = found(audit, check, id)
    if finding is None:
        why = next((each["why"] for each in audit["left_out"] if each["check"] == check), "it was not asked")
        return Line(name, None, "", why)
    measured = finding["measured"]
    return Line(name, _estimate(measured), finding["verdict"])


def _estimate(told: Mapping[str, Any]) -> Estimate:
    return {key: told[key] for key in ("value", "low", "high", "too_few") if key in told}


def _table(both: Both, answer: Mapping[str, Line]) -> Table:
    columns = [Column("ROC AUC", "ours"), Column("the audit calls it", "", "text")]
    table = Table("answer", "The answer in four lines, and what belongs to them", both.covers_words, columns)
    strong = ("model", "files", "harmonised", "control")
    for key, line in answer.items():
        table.add(line.name, line.auc, line.verdict or None, remark=line.remark, strong=key in strong)
    return table


def _findings(both: Both, audit: Mapping[str, Any]) -> Table:
    columns = [Column("check", "", "count"), Column("verdict", "", "text"), Column("what to do", "", "text")]
    table = Table("findings", f"All of the audit: {audit['verdict']}", both.covers_words, columns)
    for each in audit["findings"]:
        table.add(each["title"], each["check"], each["verdict"], each["advice"] or None)
    for each in audit["left_out"]:
        table.add(each["title"], each["check"], "left out", None, remark=each["why"])
    return table
