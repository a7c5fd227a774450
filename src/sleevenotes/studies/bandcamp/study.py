"""The Bandcamp study from its first section to its last, ours beside the paper's.

Lee and Baraldi, "Predicting Musical Genre from Album Cover Art": ten genres, colours, ten classical methods, networks
from scratch, transfer. Each table and figure of it is made anew here on any dataset of one genre a cover, with the
paper's own settings, and every figure of ours has an interval by a bootstrap over groups.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from sleevenotes import __version__
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import write_json
from sleevenotes.covers.images import Pixels, decode, encode, resize
from sleevenotes.covers.sampling import cubic, pick
from sleevenotes.errors import EvaluationError
from sleevenotes.learn import backbones
from sleevenotes.studies.bandcamp import colors, leaks, methods, networks, order, transfer, wishes
from sleevenotes.studies.bandcamp.paper import paper, put_right, same_genre
from sleevenotes.studies.material import Material, Progress, Quick, called
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.record import Column, Figure, Section, Table

FORMAT = 1
STUDY_NAME = "study.json"
SAMPLES = 16  # covers in Figure 1, or a few more: as many of each genre
SIZES_PX = (32, 35, 70, 100)
SHOWN_PX = 140  # on the page, a pixel of the small grid being a square


@dataclass(frozen=True)
class Settings:
    """How to run the study.

    Parameters
    ----------
    quick
        Leave most of it out, to see within minutes what it is; its figures are good for nothing else.
    backbones
        Further backbones for Table 4, by name.
    fetch
        Fetch published weights that are not at hand, 20 to 240 MB each.
    several
        A dataset in which covers have several genres, for what the paper wished for.
    seed
        Of all randomness.
    """

    quick: bool = False
    backbones: Sequence[str] = ()
    fetch: bool = False
    several: Dataset | None = None
    seed: int = 0
    say: Callable[[str], None] = field(default=lambda line: None, repr=False)
    progress: Progress = field(default=lambda done, total: None, repr=False)


def run(dataset: Dataset, out: Path, settings: Settings | None = None) -> dict[str, Any]:
    """Run the study, or what is left of it, and write `study.json`.

    Parameters
    ----------
    dataset
        Split for the task `single`.
    out
        Where results go. Parts that are there already, of the same covers, seed and settings, are not made again.

    Returns
    -------
    What stands in `study.json`.

    Raises
    ------
    SplitError
        Where the dataset is not split, or for another task.
    WeightsError
        Where a further backbone is unknown; one whose weights are not at hand is told in its row.
    EvaluationError
        Where `out` is a file.
    """
    settings = settings or Settings()
    out = Path(out)
    if out.is_file():
        raise EvaluationError(str(out), "a file", "a folder for the study", "Name another with -o")
    for name in settings.backbones:
        backbones.backbone_named(name)
    quick = Quick() if settings.quick else None
    material = Material.of(dataset, seed=settings.seed, quick=quick, progress=settings.progress)
    identity = {"dataset": material.dataset.fingerprint, "seed": settings.seed, "quick": settings.quick}
    parts = Parts(out, identity, settings.say)
    sections = _sections(material, dataset, parts, out, settings)
    study = {
        "format": FORMAT,
        "study": "bandcamp",
        "title": "The Bandcamp study, rerun and put right",
        "subtitle": f"{paper()['title']} ({paper()['authors']}; {paper()['where']})",
        "verdict": order.verdict(material, sections),
        "quick": settings.quick,
        "dataset": _dataset_told(material, dataset),
        "seed": settings.seed,
        "seconds": round(sum(parts.seconds.values()), 1),
        "versions": {name: version(name) for name in ("sleevenotes", "numpy", "scikit-learn", "torch")},
        "command": _command(settings),
        "notes": _notes(material),
        "sections": [each.plain() for each in sections],
    }
    read: dict[str, Any] = json.loads(write_json(out / STUDY_NAME, study).read_text(encoding="utf-8"))
    return read


def _sections(material: Material, dataset: Dataset, parts: Parts, out: Path, settings: Settings) -> list[Section]:
    makers: list[Callable[[], Section]] = [
        lambda: _data(material, dataset),
        lambda: _sampling(material, out),
        lambda: colors.section(material, parts, out),
        lambda: methods.section(material, parts),
        lambda: networks.section(material, parts),
        lambda: transfer.section(material, parts, settings.backbones, fetch=settings.fetch),
        lambda: wishes.section(material, parts, settings.several),
        lambda: leaks.section(material, parts),
        lambda: order.section(material, parts),
        put_right,
    ]
    sections = []
    for make in makers:
        before = sum(parts.seconds.values())
        section = make()
        section.seconds = round(sum(parts.seconds.values()) - before, 1)
        sections.append(section)
    return sections


def _data(material: Material, dataset: Dataset) -> Section:
    told = Section("data", "The covers")
    covers, k = paper()["covers"], len(material.genres)
    low, high = covers["train_a_genre"]
    columns = [Column("Bandcamp", "paper", "text"), Column(called(dataset), "ours", "text")]
    table = Table("data-table", "The paper's covers, and these", material.covers_words, columns)
    counts = np.bincount(material.truth("learn"), minlength=k)
    tests = np.bincount(material.truth("test"), minlength=k)
    table.add("genres", str(len(paper()["genres"])), str(k))
    table.add(
        "covers to learn from",
        f"{covers['train']:,}",
        f"{material.count('learn'):,}, of these {material.count('valid'):,} for valid",
    )
    table.add("a genre", f"{low} to {high}", f"{counts.min():,} to {counts.max():,}")
    table.add("covers to test on", f"{covers['test']:,}", f"{material.count('test'):,}")
    table.add("a genre", f"{covers['test_a_genre']}", f"{tests.min():,} to {tests.max():,}")
    table.add("native size", f"{covers['size_px']} × {covers['size_px']} px", _native(material))
    table.add("what is kept apart", "nothing is said of it", "groups: same artist, same release, near-duplicates")
    table.add(
        "named rightly by guessing",
        f"{1 / len(paper()['genres']):.0%}",
        f"{material.guessing['value']:.1%}, always the commonest",
    )
    told.tables = [table, _genre_table(material)]
    told.figures = [_samples(material)]
    told.words = [
        (
            f"The paper has {covers['train'] + covers['test']:,} covers of {len(paper()['genres'])} Bandcamp genres, "
            "with none of which it may be rerun: they were scraped, and are not published. What can be rerun is all "
            f"that was done with them, on these {len(material.dataset):,} covers. Other covers and other genres give "
            "other figures; what should carry over is the order of the methods, and what it takes to beat guessing."
        )
    ]
    return told


def _native(material: Material) -> str:
    sizes = sorted(zip(material.dataset.column("width"), material.dataset.column("height"), strict=True))
    common = max(set(sizes), key=sizes.count)
    share = sizes.count(common) / len(sizes)
    return f"{common[0]} × {common[1]} px for {share:.0%} of the covers" if all(common) else "not known"


def _genre_table(material: Material) -> Table:
    columns = [Column(side, "ours", "count") for side in ("train", "valid", "test")] + [
        Column("in the paper, too", "", "text")
    ]
    table = Table("genres", "Covers of each genre", material.covers_words, columns)
    for index, genre in enumerate(material.genres):
        counts = [int((material.truth(side) == index).sum()) for side in ("train", "valid", "test")]
        table.add(genre, *counts, "yes" if same_genre(genre) else "no")
    return table


def _samples(material: Material) -> Figure:
    rng = np.random.default_rng(material.seed)
    each = max(2, -(-SAMPLES // len(material.genres)))  # rounded up
    items = []
    for index, genre in enumerate(material.genres):
        rows = np.flatnonzero(material.all_truth == index)
        for row in rng.permutation(rows)[:each]:
            items.append({"file": str(material.dataset.path(int(row)).resolve()), "caption": genre, "lines": []})
    note = f"{each} of each genre, drawn at random"
    return Figure("figure-1", "Figure 1: what the covers look like", note, "covers", {"items": items})


def _sampling(material: Material, out: Path) -> Section:
    """Return the ways to few pixels, on one cover."""
    told = Section("sampling", "From a cover to few pixels")
    told.words = [
        (
            "The paper works on 32 × 32 px, got in two ways: `random`, a random choice of 32 rows and 32 columns of "
            "the full grid, and `resize`, OpenCV's cubic interpolation. Neither looks at more than a few of the "
            "cover's pixels. The last row is how covers are brought down everywhere else here: antialiased, so that "
            "every pixel has its say."
        )
    ]
    row = int(np.random.default_rng(material.seed).integers(len(material.dataset)))
    pixels = decode(material.dataset.path(row))
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    ways: dict[str, Callable[[int], Pixels]] = {
        "random": lambda size: pick(pixels, size, seed=material.seed),
        "resize": lambda size: cubic(pixels, size),
        "antialiased": lambda size: resize(pixels, size),
    }
    items = []
    for name, way in ways.items():
        for size in SIZES_PX:
            small = way(size)
            shown = small.repeat(-(-SHOWN_PX // size), axis=0).repeat(-(-SHOWN_PX // size), axis=1)
            path = folder / f"sampling-{name}-{size}.png"
            path.write_bytes(encode(np.ascontiguousarray(shown), "png"))
            items.append({"file": f"figures/{path.name}", "caption": f"{name}, {size} px", "lines": []})
    told.figures = [
        Figure(
            "sampling-figure",
            "One cover, in each way and size",
            "Drawn at random from the seed",
            "covers",
            {"items": items, "across": len(SIZES_PX)},
        )
    ]
    return told


def _dataset_told(material: Material, dataset: Dataset) -> dict[str, Any]:
    counts = np.bincount(material.all_truth, minlength=len(material.genres)).tolist()
    return {
        "name": called(dataset),
        "fingerprint": material.dataset.fingerprint,
        "genres": list(material.genres),
        "covers": {side: material.count(side) for side in ("train", "valid", "test")},
        "n_genre": dict(zip(material.genres, counts, strict=True)),
    }


def _command(settings: Settings) -> str:
    command = "sleevenotes study bandcamp DATASET -o OUT"
    command += " --quick" if settings.quick else ""
    command += "".join(f" --backbones {name}" for name in settings.backbones)
    command += " --fetch" if settings.fetch else ""
    command += " --several DATASET" if settings.several is not None else ""
    return command + (f" --seed {settings.seed}" if settings.seed else "")


def _notes(material: Material) -> list[str]:
    notes = [
        (
            "Intervals of ours are 95 %, by a bootstrap over groups of the test covers: they hold for other covers of "
            "these genres, not for another training. Intervals of the paper's are Wilson's at its n, which the paper "
            "does not give."
        ),
        (
            "The test side was scored, and nothing was chosen on it: settings are the paper's, or come from valid, or "
            "from cross-validation within the covers to learn from."
        ),
    ]
    if material.quick is not None:
        notes.insert(0, f"A quick run: {material.covers_words}. None of its figures is worth citing.")
    return [*notes, f"sleevenotes {__version__}."]
