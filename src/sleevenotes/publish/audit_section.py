"""An audit as a page shows it: its verdict, a table of all findings, and whatever is not clean, opened.

Everything here takes what `audit.json` holds and returns what the template needs. Which figures a finding has besides
its first depends on its check; `_details` has them. A key that is not known is left alone, and one that is not there
shows nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from markupsafe import Markup

from sleevenotes.judge.audit.findings import VERDICTS
from sleevenotes.publish.audit_figures import Axis, axis_of, boxes, dots, square_map, where
from sleevenotes.publish.figure_sections import counted, figure_parts
from sleevenotes.publish.pictures import Pictures
from sleevenotes.publish.plots import estimate_words, share_words
from sleevenotes.publish.results import Results, estimate, inside, number

__all__ = ["by_verdict", "chance_of", "figure_of", "p_words", "ruling", "section", "shown"]

RANKED = 8  # properties and traces that are shown
SUSPECTS = 10
PICTURE_PX = 900  # a contact sheet must still be readable
SHARES = ("accuracy", "share", "flip", "noise", "right answers", "percent")  # what is told as a percentage
MEANINGS = {
    "clean": "Nothing that the audit looks for is beyond chance, or too little to matter.",
    "suspicious": "There is more than chance explains: read the figures with that in mind.",
    "broken": "So much was found that a figure on these covers says nothing about art.",
}
# what is compared, by check: key in the details, and what it is called
COMPARED: dict[int, tuple[str, dict[str, str]]] = {
    3: ("The same model, before and after", {"before": "As collected", "after": "Harmonised"}),
    4: ("Answers that move to the other genre",
        {"flipped": "In the other's properties", "neutral": "In those of their own"}),
    5: ("The same question, two sources or one", {"before": "Own test side", "after": "Both kinds from one source"}),
    8: ("With and without lettering",
        {"as_is": "As it is", "masked": "Lettering masked", "control": "As much masked elsewhere"}),
}  # fmt: skip
STILL_TOLD = {"properties_after": "File properties", "traces_after": "Traces in the pixels"}
SHARED = {"near-duplicates": "Near-duplicates", "artists": "Artists", "releases": "Releases"}
PRICE = {"random": "Split at random", "apart": "Groups kept apart"}
CURVES = {"map": "In the order of the map", "random": "At random", "middle": "From the middle outwards"}


def section(results: Results, pictures: Pictures) -> dict[str, Any]:
    """Return the audit's part of the report: what it found, or why nothing of it is shown."""
    audit = results.audit
    if audit is None:
        return {"state": "missing", "command": results.at.audit}
    if not audit.fits:
        return {"state": "other", "command": results.at.audit}
    model = audit.told.get("model")
    judged = str(results.evaluation["model"])
    note = ""
    if not model:
        note = f"Only the dataset was audited. `{results.at.audit}` asks this model, too."
    elif str(model) != judged:
        note = f"The model that was audited is {model}; this report is of {judged}."
    return {"state": "shown", "note": note} | shown(audit.told, audit.folder, pictures)


def shown(audit: Mapping[str, Any], folder: Path, pictures: Pictures) -> dict[str, Any]:
    """Return an audit as the template wants it.

    Parameters
    ----------
    audit
        As `audit.json` has it.
    folder
        Where its pictures lie.
    pictures
        The door through which they get into the page.

    Returns
    -------
    `verdict`, `words`, `rows` (the worst first), `opened` (those that are not clean), `clean`, `left_out`, `covers`
    """
    rows = [_finding(told, f"finding-{at}") for at, told in enumerate(by_verdict(audit), 1)]
    opened = [row | _opened(row["told"], folder, pictures) for row in rows if row["verdict"] != "clean"]
    return {
        "verdict": audit["verdict"],
        "words": ruling(audit),
        "rows": rows,
        "opened": opened,
        "clean": [row | _pictured(row["told"], folder, pictures) for row in rows if row["verdict"] == "clean"],
        "left_out": _left_out(audit),
        "covers": pictures.covers,
    }


def by_verdict(audit: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the findings, the worst verdict first, and within one by the number of their check."""
    return sorted(
        audit["findings"], key=lambda told: (-VERDICTS.index(told["verdict"]), number(told.get("check")) or 0)
    )


def ruling(audit: Mapping[str, Any]) -> str:
    """Return the sentence of the verdict; the verdict itself, which stands before it, is not said twice.

    Examples
    --------
    >>> ruling({"verdict": "broken", "words": "Broken: file properties. 5 of 6 findings are clean."})
    'File properties. 5 of 6 findings are clean.'
    """
    words = str(audit.get("words") or "").strip() or MEANINGS[audit["verdict"]]
    first, _, rest = words.partition(" ")
    if first.lower() in (f"{audit['verdict']}:", f"{audit['verdict']}.") and rest:
        return rest[0].upper() + rest[1:]
    return words


def figure_of(told: Mapping[str, Any]) -> dict[str, str]:
    """Return the figure of a finding and its interval, as a person reads them.

    Examples
    --------
    >>> figure_of({"measured": {"metric": "ROC AUC", "value": 0.98, "low": 0.95, "high": 0.99}})
    {'value': '0.98', 'interval': '0.95–0.99'}
    >>> figure_of({"measured": {"metric": "covers on both sides", "value": 1204}})
    {'value': '1,204', 'interval': ''}
    """
    measured = _mapping(told.get("measured"))
    return _parts(estimate(measured), _is_share(str(measured.get("metric") or "")))


def chance_of(told: Mapping[str, Any]) -> str:
    """Return what the figure of a finding would be if all were well."""
    measured = _mapping(told.get("measured"))
    return _parts({"value": number(measured.get("chance"))}, _is_share(str(measured.get("metric") or "")))["value"]


def p_words(p: object) -> str:
    """Return how often chance alone would give as much.

    Examples
    --------
    >>> p_words(0.0004), p_words(0.0312), p_words(0.4), p_words(1.0), p_words(None)
    ('< 0.001', '0.031', '0.40', '1.00', '—')
    """
    known = number(p)
    if known is None:
        return "—"
    return "< 0.001" if known < 0.001 else f"{known:.3f}" if known < 0.1 else f"{known:.2f}"


# --- one finding ------------------------------------------------------------------------------------------------------


def _finding(told: Mapping[str, Any], anchor: str) -> dict[str, Any]:
    """Return the line of a finding in the table."""
    measured = _mapping(told.get("measured"))
    metric, chance = str(measured.get("metric") or ""), number(measured.get("chance"))
    known, figure, percent = estimate(measured), figure_of(told), _is_share(metric)
    against = "" if chance is None else f"chance {chance_of(told)}"
    title = ", ".join(filter(None, (f"{metric} {' '.join(filter(None, figure.values()))}", against)))
    share = known["value"] is not None and 0 <= known["value"] <= 1
    drawn = known["low"] is not None or (chance is not None and share)  # a bare count has no axis
    axis = (0.0, 1.0) if percent and (known["low"] or 0.0) >= 0 else axis_of([known], chance)
    return {
        "told": told,
        "anchor": anchor,
        "verdict": told["verdict"],
        "check": str(told.get("check") or ""),
        "title": str(told.get("title") or told.get("id") or "Untitled"),
        "words": str(told.get("words") or ""),
        "metric": metric,
        "figure": figure,
        "against": against,
        "p": p_words(told.get("p_holm")),
        "dots": Markup(dots(known, axis, title=title, chance=chance, kind=told["verdict"])) if drawn else "",
    }


def _opened(told: Mapping[str, Any], folder: Path, pictures: Pictures) -> dict[str, Any]:
    """Return what a finding that is not clean has besides its line."""
    measured, details = _mapping(told.get("measured")), _mapping(told.get("details"))
    return _pictured(told, folder, pictures) | {
        "tested": str(told.get("tested") or ""),
        "behind": _behind(measured),
        "advice": str(told.get("advice") or ""),
        "command": str(told.get("command") or ""),
        "tables": _details(told, measured, details),
        "map": _map(details.get("places")),
        "shared": _shared(details.get("shared")),
        "suspects": _suspects(details.get("suspects")),
    }


def _pictured(told: Mapping[str, Any], folder: Path, pictures: Pictures) -> dict[str, Any]:
    files = _mappings(told.get("files"))
    tiles = [(pictures.tile(inside(folder, each.get("file")), PICTURE_PX), each) for each in files]
    known = [(uri, str(each.get("caption") or "A picture of the audit")) for uri, each in tiles if uri]
    return {"pictures": [{"uri": uri, "caption": caption} for uri, caption in known]}


def _behind(measured: Mapping[str, Any]) -> str:
    covers, groups = (int(number(measured.get(key)) or 0) for key in ("n", "groups"))
    if not covers:
        return ""
    return counted(covers, "cover") + (f" in {counted(groups, 'group')}" if groups else "")


def _left_out(audit: Mapping[str, Any]) -> list[dict[str, str]]:
    keys = ("check", "title", "why", "command")
    return [{key: str(each.get(key) or "") for key in keys} for each in _mappings(audit.get("left_out"))]


# --- figures besides the first ----------------------------------------------------------------------------------------


def _details(told: Mapping[str, Any], measured: Mapping[str, Any], details: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return small tables of figures with their dots: those of the finding's check."""
    check = int(number(told.get("check")) or 0)
    metric = str(measured.get("metric") or "")
    percent, chance = check == 4 or _is_share(metric), number(details.get("chance"))
    if chance is None and "roc auc" in metric.lower():
        chance = 0.5
    found = []
    if check == 1:
        found.append(_ranked("Properties that give it away, each by itself", details.get("properties")))
    if check == 2:
        found.append(_ranked("Traces that give it away, each by itself", details.get("traces")))
    if check in COMPARED:
        caption, names = COMPARED[check]
        found.append(_compared(caption, details, names, percent=percent, chance=chance))
    if check == 3:
        left = {key: details.get(key) for key in STILL_TOLD}
        found.append(_compared("What still tells the genre, harmonised", left, STILL_TOLD, chance=0.5))
    if check == 6:
        found.append(_compared("The price of leakage", details.get("price"), PRICE, percent=percent, chance=chance))
    if check == 7:
        noise = _mapping(details.get("noise"))
        names = {genre: str(genre) for genre in noise}
        found.append(_compared("Wrong labels of each genre, estimated", noise, names, percent=True))
    if check == 9:
        found.append(_layers(details.get("layers"), chance))
        found.append(_compared("Taking out the pixels that speak for the genre", details.get("deletion"), CURVES))
        found.append(_compared("Putting them in, pixel by pixel", details.get("insertion"), CURVES))
    return [table for table in found if table["rows"]]


def _ranked(caption: str, values: object) -> dict[str, Any]:
    """Return the highest of some ROC AUC."""
    known = [(str(each.get("name") or "?"), number(each.get("auc"))) for each in _mappings(values)]
    best = sorted(((name, auc) for name, auc in known if auc is not None), key=lambda each: -each[1])
    rest = len(best) - RANKED
    note = f" The highest {RANKED} of {len(best)}." if rest > 0 else ""
    rows = [(name, estimate(auc)) for name, auc in best[:RANKED]]
    return _table(f"{caption} (ROC AUC).{note}", rows, chance=0.5)


def _compared(
    caption: str,
    values: object,
    names: Mapping[str, str],
    *,
    percent: bool = False,
    chance: float | None = None,
) -> dict[str, Any]:
    """Return some estimates below each other, and their difference where it is told."""
    known = _mapping(values)
    rows = [(names[key], estimate(known.get(key))) for key in names if estimate(known.get(key))["value"] is not None]
    table = _table(caption, rows, percent=percent, chance=chance)
    difference = estimate(known.get("difference"))
    if difference["value"] is not None and len(rows) > 1:
        table["rows"].append({"name": "Difference", "figure": _parts(difference, percent), "dots": ""})
    return table


def _layers(values: object, chance: float | None) -> dict[str, Any]:
    rows = [(str(each.get("name") or "?"), estimate(each)) for each in _mappings(values)]
    rows = [(name, known) for name, known in rows if known["value"] is not None]
    return _table("How alike the maps stay as layers are made random, from the last one up", rows, chance=chance)


def _table(
    caption: str,
    rows: Sequence[tuple[str, Mapping[str, float | None]]],
    *,
    percent: bool = False,
    chance: float | None = None,
) -> dict[str, Any]:
    axis: Axis = axis_of([known for _, known in rows], chance)
    told = []
    for name, known in rows:
        title = f"{name}: {estimate_words(known, percent=percent, between=' to ')}"
        drawn = Markup(dots(known, axis, title=title, chance=chance))
        told.append({"name": name, "figure": _parts(known, percent), "dots": drawn})
    return {"caption": caption, "rows": told}


def _map(values: object) -> dict[str, Any] | None:
    """Return the map of places on a cover; None where there are none."""
    places = boxes(_mappings(values))
    if not places:
        return None
    box, score = max(places, key=lambda place: place[1])
    caption = f"Where on a cover it can be told: most from the framed place ({where(box)}, ROC AUC {score:.2f})."
    return {"svg": Markup(square_map(places, title="What single places of a cover tell")), "caption": caption}


def _shared(values: object) -> list[dict[str, str]]:
    known = _mapping(values)
    counts = [(words, number(known.get(key))) for key, words in SHARED.items()]
    return [{"name": words, "count": f"{count:,.0f}"} for words, count in counts if count is not None]


def _suspects(values: object) -> list[dict[str, str]]:
    """Return covers whose genre the model contradicts; of a path, only its last part."""
    told = []
    for each in _mappings(values)[:SUSPECTS]:
        proba = number(each.get("proba"))
        name = PurePosixPath(str(each.get("file_name") or "?").replace("\\", "/")).name
        said, model = str(each.get("said") or "—"), str(each.get("model") or "—")
        told.append({"name": name, "said": said, "model": model, "proba": "—" if proba is None else share_words(proba)})
    return told


# --- numbers and their words ------------------------------------------------------------------------------------------


def _is_share(metric: str) -> bool:
    return any(word in metric.lower() for word in SHARES)


def _parts(known: Mapping[str, Any], percent: bool) -> dict[str, str]:
    """Return a figure in two parts; a whole number above 1 without an interval is a count."""
    value = known.get("value")
    bare = known.get("low") is None and not known.get("too_few")
    if bare and value is not None and not percent and float(value).is_integer() and value != 1:
        return {"value": f"{value:,.0f}", "interval": ""}
    return figure_parts(known, percent)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
