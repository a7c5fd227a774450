"""The page of a study: `study.json` in, one HTML file out, in the same dress as the report.

The page carries everything with it: style, figures (SVG) and covers (small JPEGs). It runs no script and asks for
nothing. What a study says is input: every text of it is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from markupsafe import Markup

from sleevenotes import __version__
from sleevenotes.covers.files import replacing
from sleevenotes.covers.schema import read_json
from sleevenotes.errors import EvaluationError
from sleevenotes.publish.exhibits import Exhibits, heat_of
from sleevenotes.publish.figure_sections import counted
from sleevenotes.publish.matrices import mosaic
from sleevenotes.publish.pictures import SLEEVE_ACROSS, Pictures
from sleevenotes.publish.results import number
from sleevenotes.publish.tables import duration
from sleevenotes.publish.templates import template

__all__ = ["write_page", "write_study_page"]

STUDY_NAME = "study.json"
PAGE_NAME = "study.html"
TEMPLATE_NAME = "study.html.jinja"
NEWEST_FORMAT = 1
CURE = "Run `sleevenotes study` again"


class SectionEntry(TypedDict):
    """A section of a study; its tables and figures are checked when they are drawn."""

    id: NotRequired[str]
    title: NotRequired[str]
    words: NotRequired[list[str]]
    notes: NotRequired[list[str]]
    tables: NotRequired[list[dict[str, Any]]]
    figures: NotRequired[list[dict[str, Any]]]
    seconds: NotRequired[float | None]


class StudiedDataset(TypedDict):
    """The dataset that a study was made on."""

    name: NotRequired[str]
    fingerprint: NotRequired[str]
    genres: NotRequired[list[str]]
    covers: NotRequired[Any]
    n_genre: NotRequired[Any]


class StudyFile(TypedDict):
    """The contents of `study.json`."""

    format: NotRequired[int]
    study: NotRequired[str]
    title: NotRequired[str]
    subtitle: NotRequired[str]
    verdict: NotRequired[str]
    dataset: NotRequired[StudiedDataset]
    seconds: NotRequired[float | None]
    command: NotRequired[str]
    notes: NotRequired[list[str]]
    versions: NotRequired[dict[str, str]]
    sections: list[SectionEntry]


def write_study_page(out: Path, *, covers: bool = True) -> Path:
    """Write the page of a finished study beside its `study.json`.

    Parameters
    ----------
    out
        The study's folder.
    covers
        Whether covers may be shown. Without, no pixel of other people's artwork is in the page.

    Returns
    -------
    Path
        Of `study.html`.

    Raises
    ------
    EvaluationError
        Where `study.json` is missing or broken.
    """
    out = Path(out)
    study: Any = read_json(out / STUDY_NAME, StudyFile, EvaluationError, CURE, newest=NEWEST_FORMAT)
    return write_page(out / PAGE_NAME, study, Exhibits(out, out / STUDY_NAME, Pictures(covers=covers)))


def write_page(page: Path, study: Mapping[str, Any], exhibits: Exhibits) -> Path:
    """Write a page of sections, whole or not at all; the same study gives the same bytes.

    Parameters
    ----------
    page
        The file to write.
    study
        As `study.json` has it.
    exhibits
        New ones: they draw what the study has, and remember it.
    """
    sections = study["sections"]
    pictures = exhibits.pictures
    exhibits.anchor("making")
    shown = [exhibits.section(section) for section in sections]
    context = {
        "version": __version__,
        "title": str(study.get("title") or study.get("study") or "A study"),
        "subtitle": str(study.get("subtitle") or ""),
        "verdict": str(study.get("verdict") or ""),
        "quick": bool(study.get("quick")),
        "catalogue": _catalogue(study),
        "front": _front(study, exhibits),
        "headline": _headline(study),
        "notes": [str(note) for note in study.get("notes") or ()],
        "sections": shown,
        "facts": _facts(study, shown),
        "command": str(study.get("command") or ""),
        "covers": pictures.covers,
        "interval": any(cell["interval"] for section in shown for cell in _cells(section)),
        # last, when all covers have been asked for
        "unreadable": pictures.unreadable,
    }
    content = template(TEMPLATE_NAME).render(context)
    with replacing(page) as partial:
        partial.write_text(content, encoding="utf-8", newline="\n")
    return page


def _cells(section: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [cell for table in section["tables"] for row in table["rows"] for cell in row["cells"]]


def _dataset(study: Mapping[str, Any]) -> Mapping[str, Any]:
    found = study.get("dataset")
    return found if isinstance(found, Mapping) else {}


def _catalogue(study: Mapping[str, Any]) -> str:
    """Return a catalogue number, as on a record's spine: it changes with the dataset."""
    dataset = _dataset(study)
    return f"ST {str(dataset.get('fingerprint') or '0000')[:4].upper()}-{len(dataset.get('genres') or ()):02d}"


def _front(study: Mapping[str, Any], exhibits: Exhibits) -> dict[str, Any]:
    """Return what is on the front: sixteen covers of the study, or else its first matrix, or else its title."""
    figures = [figure for section in study["sections"] for figure in section.get("figures") or ()]
    files = [item.get("file") for figure in figures if figure["kind"] == "covers" for item in figure["items"]]
    if len(files) >= SLEEVE_ACROSS**2 and exhibits.pictures.covers:
        # its own door: what can't be read was counted where it is shown
        sleeve = Pictures(covers=True).sleeve([exhibits.folder / file for file in files if isinstance(file, str)])
        if sleeve:
            return {"uri": sleeve, "svg": None}
    for figure in figures:
        if figure["kind"] in ("heat", "confusion", "spread"):
            shown = heat_of(figure)
            if len(shown.rows) > 1 and len(shown.columns) > 1:
                title = f"The front of the sleeve: the figure “{figure['title']}” without its numbers"
                return {"uri": None, "svg": Markup(mosaic(shown, title=title))}
    return {"uri": None, "svg": None}


def _headline(study: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the three numbers of the sleeve: covers, genres, time."""
    dataset = _dataset(study)
    covers = dataset.get("covers")
    splits = covers if isinstance(covers, Mapping) else {}
    known = {str(split): int(number(count) or 0) for split, count in splits.items()}
    headline = []
    if known:
        words = ", ".join(f"{count:,} {split}" if len(known) > 1 else split for split, count in known.items())
        headline.append({"name": "Covers", "value": f"{sum(known.values()):,}", "words": words})
    genres = [str(genre) for genre in dataset.get("genres") or ()]
    if genres:
        more = f" and {len(genres) - 12} more" if len(genres) > 12 else ""
        headline.append({"name": "Genres", "value": str(len(genres)), "words": ", ".join(genres[:12]) + more})
    seconds = number(study.get("seconds"))
    if seconds is not None:
        words = "a quick run, not for citing" if study.get("quick") else "for all of it, parts done before included"
        headline.append({"name": "Time", "value": duration(seconds), "words": words})
    return headline


def _facts(study: Mapping[str, Any], sections: list[dict[str, Any]]) -> list[tuple[str, str]]:
    dataset = _dataset(study)
    name, fingerprint = str(dataset.get("name") or ""), str(dataset.get("fingerprint") or "")[:16]
    facts = [("Dataset", ", ".join(filter(None, (name, f"fingerprint {fingerprint}" if fingerprint else ""))))]
    covers = dataset.get("n_genre")
    if isinstance(covers, Mapping):
        told = (f"{genre} {int(number(count) or 0):,}" for genre, count in covers.items())
        facts.append(("Covers a genre", ", ".join(told)))
    facts.append(("Seed", str(study.get("seed", "unknown"))))
    times = [f"{each['title']} {duration(each['seconds'])}" for each in sections if each["seconds"]]
    facts.append(("Time by section", "; ".join(times)))
    versions = study.get("versions")
    if isinstance(versions, Mapping):
        facts.append(("Versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    facts.append(("In it", _contents(sections)))
    return [(name, words) for name, words in facts if words]


def _contents(sections: list[dict[str, Any]]) -> str:
    tables = sum(len(section["tables"]) for section in sections)
    figures = sum(len(group["figures"]) for section in sections for group in section["figures"])
    return f"{counted(tables, 'table')}, {counted(figures, 'figure')}"
