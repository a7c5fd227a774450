"""The prog study from its data to the question on which it ended, and the answer.

Fieck and Vadlamudi told covers of progressive rock from others with a network of seven convolutions, and reported
99 %. Here it is run again on any two collections, beside what accuracy hides, and the audit answers what they asked.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sleevenotes import __version__
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import write_json
from sleevenotes.errors import EvaluationError
from sleevenotes.studies.material import Progress
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.prog import genres, hidden, maps, networks, question
from sleevenotes.studies.prog.both import Both, ProgQuick
from sleevenotes.studies.prog.data import Collections, Combined, combine, common_size, export_folders
from sleevenotes.studies.prog.paper import PAPER
from sleevenotes.studies.record import Column, Figure, Section, Table, listed

if TYPE_CHECKING:
    from sleevenotes.judge.audit.control import Control

FORMAT = 1
STUDY_NAME = "study.json"
DATASET_FOLDER = "dataset"
SAMPLES = 8  # covers of each kind that are shown
SHOWN_SAME = 6


@dataclass(frozen=True)
class Settings:
    """How to run the study.

    Parameters
    ----------
    quick
        What a quick run leaves out, to see within minutes what the study is; None for all of it.
    control
        Covers of one source, some prog and some not.
    versus
        One genre of the others, to tell prog from it alone.
    export
        Where to write the tree of folders that the study used.
    seed
        Of all randomness.
    """

    quick: ProgQuick | None = None
    control: Control | None = None
    versus: str | None = None
    export: Path | None = None
    seed: int = 0
    say: Callable[[str], None] = field(default=lambda line: None, repr=False)
    progress: Progress = field(default=lambda done, total: None, repr=False)


def run(prog: Dataset, others: Dataset, out: Path, settings: Settings | None = None) -> dict[str, Any]:
    """Run the study, or what is left of it, and write `study.json`.

    Parameters
    ----------
    prog, others
        Two collected datasets; whether they are split does not matter.
    out
        Where results go. Parts that are there already, of the same covers, seed and settings, are not made again.

    Returns
    -------
    What stands in `study.json`.

    Raises
    ------
    EvaluationError
        Where both collections are one folder, one is empty, a genre to compare with is unknown, or `out` is a file.
    DatasetError
        Where `out/dataset` holds something else, or covers are too small for one path.
    AuditError
        Where the control has too few covers of either kind.
    """
    settings = settings or Settings()
    out = Path(out)
    if out.is_file():
        raise EvaluationError(str(out), "a file", "a folder for the study", "Name another with -o")
    collections = Collections.of(prog, others)
    settings = replace(settings, versus=genres.refuse_unknown(others, settings.versus))
    if settings.control is not None:
        settings.control.covers()  # what is wrong with it is said before anything takes its time
    most = None if settings.quick is None else settings.quick.covers
    combined = combine(collections, out / DATASET_FOLDER, most=most, seed=settings.seed, progress=settings.progress)
    common_size(combined.dataset)  # refused here where it is too small, before anything takes its time
    both = Both.of(combined.dataset, seed=settings.seed, quick=settings.quick, progress=settings.progress)
    identity = {
        "dataset": combined.dataset.fingerprint,
        "collections": collections.fingerprints,
        "seed": settings.seed,
        "quick": None if settings.quick is None else asdict(settings.quick),
    }
    parts = Parts(out, identity, settings.say)
    data = _data(both, collections, combined, settings)
    sections, audit, headline = _sections(both, data, parts, out, settings)
    study = _told(both, combined, parts, settings, sections) | {"verdict": headline, "audit": audit}
    read: dict[str, Any] = json.loads(write_json(out / STUDY_NAME, study).read_text(encoding="utf-8"))
    return read


def _sections(
    both: Both, data: Section, parts: Parts, out: Path, settings: Settings
) -> tuple[list[Section], dict[str, Any], str]:
    """Return all sections, the answer first, the audit that it rests on, and the answer in a sentence."""
    network = networks.trained(both, parts, out)
    audit = question.audited(both, parts, out, settings.control, network)
    too = question.asked_too(both, parts, out, settings.control)
    makers: list[Callable[[], Section]] = [
        lambda: networks.section(both, parts, network),
        lambda: maps.section(both, parts, out, network, audit["findings"]),
        lambda: hidden.section(both, parts, network),
        lambda: genres.section(both, parts, out, network, settings.versus),
    ]
    answered = question.section(both, out, network, audit, too)
    answered.seconds = round(parts.seconds["audit"] + parts.seconds["asked-too"], 1)
    sections = [answered, data]
    for make in makers:
        before = sum(parts.seconds.values())
        section = make()
        section.seconds = round(sum(parts.seconds.values()) - before, 1)
        sections.append(section)
    sections[2].seconds = round(sections[2].seconds + parts.seconds["network"], 1)
    return sections, audit, question.headline(question.lines(both, network, audit, too))


def _told(both: Both, combined: Combined, parts: Parts, settings: Settings, sections: list[Section]) -> dict[str, Any]:
    """Return `study.json` without the verdict and the audit."""
    counts = np.bincount(both.all_truth, minlength=2).tolist()
    return {
        "format": FORMAT,
        "study": "prog",
        "title": "The prog study, rerun, and its question answered",
        "subtitle": f"{PAPER.title} ({PAPER.authors})",
        "verdict": "",
        "quick": settings.quick is not None,
        "dataset": {
            "name": " and ".join(dict.fromkeys(combined.dataset.column("collection"))),
            "fingerprint": both.dataset.fingerprint,
            "genres": list(both.genres),
            "covers": {side: both.count(side) for side in ("train", "valid", "test")},
            "n_genre": dict(zip(both.genres, counts, strict=True)),
        },
        "seed": settings.seed,
        "seconds": round(sum(parts.seconds.values()), 1),
        "versions": {name: version(name) for name in ("sleevenotes", "numpy", "scikit-learn", "torch")},
        "command": _command(settings),
        "notes": _notes(both),
        "sections": [each.plain() for each in sections],
    }


def _data(both: Both, collections: Collections, combined: Combined, settings: Settings) -> Section:
    """Return the section on the covers; with `--export-folders` write the study's tree, too."""
    told = Section("data", "The covers of two collections")
    columns = [Column("the study", "paper", "text"), Column(" and ".join(collections.names), "ours", "text")]
    table = Table("data-table", "Their covers, and these", both.covers_words, columns)
    shape = f"{PAPER.prog_px} × {PAPER.prog_px} px"
    table.add("prog", f"{PAPER.prog:,}", f"{combined.counts[0]:,}")
    table.add("others", f"over {PAPER.others:,}", f"{combined.counts[1]:,}")
    table.add("native size of prog", shape, _native(collections.prog))
    table.add("native size of the others", f"{PAPER.others_px} × {PAPER.others_px} px", _native(collections.others))
    table.add("what the network sees", shape, f"{shape}, squeezed by antialiased bicubic")
    table.add(
        "to learn from, and to test on",
        f"{PAPER.train_share:.0%} and {1 - PAPER.train_share:.0%}",
        f"{both.count('learn'):,} and {both.count('test'):,}; of the former {both.count('valid'):,} for choosing",
    )
    table.add("what is kept apart", "nothing is said of it", "groups: same artist, same release, near-duplicates")
    table.add("genres of the others", "none known", _genres(collections.others))
    table.add("the same covers in both", "nothing is said of it", _same(combined))
    told.tables, told.figures = [table], [_samples(both)]
    told.words = [
        (
            f"The study has {PAPER.prog:,} covers of prog that were {PAPER.prog_px} px large when it got them, and "
            f"over {PAPER.others:,} others of {PAPER.others_px} px, which it scaled down: whatever tells the files of "
            "one from those of the other tells prog. Here as there two collections become one dataset, `is_prog` and "
            "`not_prog`, under numbers instead of names."
        )
    ]
    if combined.same:
        shown = listed(" = ".join(each) for each in combined.same[:SHOWN_SAME])
        more = f", and {len(combined.same) - SHOWN_SAME:,} more" if len(combined.same) > SHOWN_SAME else ""
        told.notes.append(
            f"The same cover in both collections, left out of every side: {shown}{more}. So some "
            "of the others are prog, whatever they are filed under."
        )
    if settings.export is not None:
        size_px = PAPER.prog_px
        counts = export_folders(both.dataset, settings.export, size_px, progress=settings.progress)
        words = listed(f"{count:,} in {place}" for place, count in counts.items())
        told.notes.append(f"Their tree of folders, JPEGs of {shape}: {words}.")
    return told


def _same(combined: Combined) -> str:
    if not combined.same:
        return "none found"
    covers = sum(map(len, combined.same))
    return f"{len(combined.same):,} ({covers:,} files), left out of every side"


def _native(dataset: Dataset) -> str:
    sizes = Counter(zip(dataset.column("width"), dataset.column("height"), strict=True))
    ((common, count),) = sizes.most_common(1)
    return f"{common[0]} × {common[1]} px for {count / len(dataset):.0%} of the covers" if all(common) else "not known"


def _genres(dataset: Dataset) -> str:
    known = dataset.genres
    if not known:
        return "none known"
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""
    return ", ".join(known[:8]) + more


def _samples(both: Both) -> Figure:
    rng = np.random.default_rng(both.seed)
    items = []
    for kind, caption in enumerate(("prog", "not prog")):
        for row in rng.permutation(np.flatnonzero(both.all_truth == kind))[:SAMPLES]:
            file = f"{DATASET_FOLDER}/{both.dataset.file_names[int(row)]}"
            items.append({"file": file, "caption": caption, "lines": []})
    note = f"{SAMPLES} of each kind, drawn at random"
    return Figure("samples", "What the covers look like", note, "covers", {"items": items})


def _command(settings: Settings) -> str:
    command = "sleevenotes study prog PROG_DATASET OTHERS_DATASET -o OUT"
    command += " --quick" if settings.quick is not None else ""
    if settings.control is not None:
        command += f" --control DATASET --control-genre {settings.control.genre}"
        command += f" --control-among {settings.control.among}" if settings.control.among else ""
        years = settings.control.years
        command += f" --control-years {years[0]}-{years[1]}" if years else ""
    command += f" --versus {settings.versus}" if settings.versus else ""
    command += " --export-folders FOLDER" if settings.export is not None else ""
    return command + (f" --seed {settings.seed}" if settings.seed else "")


def _notes(both: Both) -> list[str]:
    notes = [
        (
            "Intervals of ours are 95 %, by a bootstrap over groups of the test covers: they hold for other covers of "
            "these collections, not for another training."
        ),
        (
            "The test side was scored, and nothing was chosen on it: the epoch, the threshold and the percentages come "
            "from valid."
        ),
    ]
    if both.quick is not None:
        notes.insert(0, f"A quick run: {both.covers_words}. None of its figures is worth citing.")
    return [*notes, f"sleevenotes {__version__}."]
