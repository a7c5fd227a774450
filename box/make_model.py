"""Make the model in the box: learn it from public covers, measure it over five seeds, and put it into the package.

    python box/make_model.py COVERS -o out/box          (or: make model COVERS=…)

COVERS has three collections: `five-genres` (a folder a genre), `styles` (a table, several genres a cover) and `prog`
(a table, one genre). For each seed they become one dataset in which a genre that a collection never names is unknown
there; `distilled` learns from its train, and is measured on its test, each collection by itself. The model of the
first seed goes into the package, with a card and with the digests and perceptual hashes of its training covers.
Everything is seeded, and goes on where it was stopped; a GPU is used where there is one.

    python box/make_model.py COVERS --hashes

writes only those hashes again, for the covers whose digests are in the package already.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from sleevenotes.collect.collecting import CollectSettings, collect
from sleevenotes.collect.joining import join
from sleevenotes.covers.check import check
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import write_json
from sleevenotes.covers.hashing import kept_hashes
from sleevenotes.covers.images import sha256
from sleevenotes.covers.splits import split
from sleevenotes.covers.tasks import COLLECTION, COLLECTIONS_NAME, Task
from sleevenotes.errors import SleevenotesWarning
from sleevenotes.judge import metrics
from sleevenotes.judge.audit.audit import AuditSettings, audit
from sleevenotes.judge.audit.within import narrowed, within
from sleevenotes.judge.rulers import Measured, Ruler, average_of
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.known import LEARNT_NAME, LearntCovers, learnt_covers
from sleevenotes.learn.model import BOX, CARD_NAME, Model
from sleevenotes.learn.recipes import Options, train
from sleevenotes.learn.saving import write_learnt
from sleevenotes.learn.scoring_log import record_elsewhere

MODEL = "distilled"
MIN_COVERS = 100
FEWEST = 20  # test covers of a genre, over all seeds, from which a figure says something
# told by its source: file properties alone tell prog from the other collections with ROC AUC 0.997 (docs/prog.md)
LEFT_OUT = ("progressive rock",)
COLLECTIONS = {"five": "One genre a cover, 300 px", "styles": "Several genres a cover, 150 px"}
SOURCES = {
    "five": ("five-genres", CollectSettings()),
    "styles": ("styles/albumlabel.csv", CollectSettings(separator=" ")),
    "prog": ("prog/albums.csv", CollectSettings(genre="progressive rock")),
}
CHECKS = frozenset({1, 2, 4, 6, 7, 9})
KEPT = ("model.json", "weights.safetensors", "network.onnx")


def joined(covers: Path, out: Path, seed: int) -> Dataset:
    """Return the three collections as one dataset, split by a seed; what is there already is kept."""
    folder = out / f"seed-{seed}"
    if (folder / "joined" / "split.json").exists():
        return Dataset.open(folder / "joined")
    parts = []
    for name, (source, settings) in SOURCES.items():
        part = collect(covers / source, folder / name, settings=settings).dataset
        parts.append(part)
        if name != "prog":
            split(part, task="single" if name == "five" else "multi", seed=seed)
    shutil.rmtree(folder / "joined", ignore_errors=True)
    together = join([Dataset.open(part.folder) for part in parts], folder / "joined", link=True).dataset
    told = json.loads((together.folder / COLLECTIONS_NAME).read_text(encoding="utf-8"))
    for collection in told["collections"].values():
        collection["genres"] = [genre for genre in collection["genres"] if genre not in LEFT_OUT]
    write_json(together.folder / COLLECTIONS_NAME, told)
    check(together)
    return split(together, task="multi", min_covers=MIN_COVERS, keep_test=True, seed=seed).dataset


def answers(model: Model, dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Return the model's answers about the test covers of each collection: truth, proba and groups."""
    told: dict[str, dict[str, Any]] = {}
    test = dataset.in_split("test")
    proba = model.proba(model.head.logits(dataset_features(test, model.extractor)))
    truth, collections = Task.of(dataset).truth_of(test), np.array(test.column(COLLECTION))
    for name in COLLECTIONS:
        rows = np.flatnonzero(collections == name)
        told[name] = {
            "truth": truth[rows],
            "proba": proba[rows],
            "groups": [test.groups[row] for row in rows],
            "alone": np.array([len(test.genre_lists[row]) == 1 for row in rows]),
        }
    return told


def measured(found: list[dict[str, dict[str, Any]]], genres: tuple[str, ...]) -> dict[str, Any]:
    """Return figures over seeds, with intervals over groups: each seed's covers are drawn by themselves."""
    own = [index for index, genre in enumerate(genres) if (found[0]["five"]["truth"][:, index] >= 0).all()]
    hits, groups = [], []
    for one in found:
        five = one["five"]
        alone = five["alone"]
        first = five["proba"][alone][:, own].argmax(axis=1)
        hits.append(five["truth"][alone][:, own][np.arange(len(first)), first] == 1)
        groups += [group for group, single in zip(five["groups"], alone, strict=True) if single]
    right = np.concatenate(hits).astype(float)
    told: dict[str, Any] = {
        "five_genres": {
            "genres": [genres[index] for index in own],
            "accuracy": _figure(average_of(right, groups)),
            "accuracy_per_seed": [float(each.mean()) for each in hits],
            "answers": len(right),
            "covers": len(set(groups)),
        }
    }
    for name in COLLECTIONS:
        truth = np.concatenate([one[name]["truth"] for one in found])
        proba = np.concatenate([one[name]["proba"] for one in found])
        groups = [group for one in found for group in one[name]["groups"]]
        known = np.flatnonzero((truth >= 0).all(axis=0) & ((truth == 1).sum(axis=0) >= FEWEST))
        told.setdefault("collections", {})[name] = _ranked(truth[:, known], proba[:, known], groups, genres, known)
    return told


def _ranked(truth: Any, proba: Any, groups: list[str], genres: tuple[str, ...], known: Any) -> dict[str, Any]:
    ruler = Ruler.of(truth, groups)
    aucs, aps = ruler.measure(metrics.roc_auc, proba), ruler.measure(metrics.average_precision, proba)

    def mean(of: Measured) -> dict[str, Any]:
        return _figure(ruler.figure(Measured(*map(metrics.over_genres, of))))

    def one(of: Measured, place: int) -> dict[str, Any]:
        return _figure(ruler.figure(Measured(of.value[place], of.left_out[:, place])))

    return {
        "answers": len(truth),
        "roc_auc_macro": mean(aucs),
        "average_precision_macro": mean(aps),
        "genres": {
            genres[index]: {
                "covers": int((truth[:, place] == 1).sum()),
                "roc_auc": one(aucs, place),
                "average_precision": one(aps, place),
            }
            for place, index in enumerate(known)
        },
    }


def _figure(figure: dict[str, Any]) -> dict[str, Any]:
    return {name: round(number, 4) if isinstance(number, float) else number for name, number in figure.items()}


def words(figure: dict[str, float], digits: int = 2) -> str:
    """Return a figure and its interval."""
    return f"{figure['value']:.{digits}f} ({figure['low']:.{digits}f} to {figure['high']:.{digits}f})"


def audited(model: Model, dataset: Dataset, collection: str, out: Path) -> dict[str, Any]:
    """Audit the model within a collection, about the genres that it knows; what would train the model anew is left out.

    Between collections nothing needs an audit: files tell them apart (docs/prog.md), which is why no figure is taken
    across them, and why a genre that one of them hardly lacks or hardly has is left out.
    """
    if (out / "audit.json").exists():
        return dict(json.loads((out / "audit.json").read_text(encoding="utf-8")))
    part = within(dataset, collection, out / "dataset", min_covers=MIN_COVERS)
    narrow = narrowed(model, list(Task.of(part).genres), out / "model")
    settings = AuditSettings(trained=narrow, checks=CHECKS, price=False, seed=model.card["seed"], say=print)
    return audit(part, out, settings)


CARD = """# The model in the box

What `sleevenotes predict cover.jpg` asks where no model is named: a small network of ours, trained from scratch by
`box/make_model.py` on the covers of three public collections. Besides the genres it was shown what MobileNetV2 sees of
them. None of the covers is in it.

    make model COVERS=$SLEEVENOTES_COVERS

| | |
| --- | --- |
| covers | {train:,} to learn from, {valid:,} to choose and calibrate on, groups apart |
| fingerprint of the former | `{fingerprint}` |
| seed | {seed} |
| genres | {count}, any number a cover |
| network | {parameters:.2f} M parameters as float16, covers of {size_px} px |
| training | {epochs} epochs, the best {best}; {precision} |

## What it can do: {seeds} seeds, each with a test of its own

**Which of {five} genres** ({names}), one a cover: right for **{accuracy}**
of {answers:,} answers; seed by seed {each}. Guessing gets 0.20 to 0.22.
"""

TABLE = """
{where}: mean ROC AUC {auc}, mean average precision {ap}, {answers:,} answers.

| genre | covers in test, all seeds | ROC AUC (chance 0.5) | average precision |
| --- | ---: | --- | --- |
{rows}
"""


AUDITED = """
{where}: **{verdict}**. {words}

{findings}
"""


def _briefly(told: dict[str, Any]) -> str:
    """Return the findings that are not clean, as a list."""
    found = [each for each in told["findings"] if each["verdict"] != "clean"]
    return "\n".join(f"- {each['title']} ({each['verdict']}): {each['words']}" for each in found)


def card_of(model: Model, figures: dict[str, Any], seeds: list[int]) -> str:
    """Return the model card, as Markdown."""
    five, head, learnt = figures["five_genres"], model.card["head"], model.card["dataset"]
    told = CARD.format(
        train=learnt["train"],
        valid=learnt["valid"],
        fingerprint=learnt["fingerprint"],
        seed=model.card["seed"],
        count=len(model.genres),
        parameters=model.card["network"]["parameters"] / 1e6,
        size_px=model.size_px,
        epochs=head["epochs"],
        best=head["best_epoch"],
        precision=head["precision"],
        seeds=len(seeds),
        five=len(five["genres"]),
        names=", ".join(five["genres"]),
        accuracy=words(five["accuracy"], 3),
        answers=five["answers"],
        each=", ".join(f"{each:.3f}" for each in five["accuracy_per_seed"]),
    )
    for name, where in COLLECTIONS.items():
        found = figures["collections"][name]
        rows = [
            f"| {genre} | {each['covers']:,} | {words(each['roc_auc'])} | {words(each['average_precision'])} |"
            for genre, each in found["genres"].items()
        ]
        auc, ap = words(found["roc_auc_macro"]), words(found["average_precision_macro"])
        told += TABLE.format(where=where, auc=auc, ap=ap, answers=found["answers"], rows="\n".join(rows))
    told += "\n## Its audit, within each collection\n"
    for name, where in COLLECTIONS.items():
        told += AUDITED.format(where=where, **figures["audit"][name])
    return told + CAVEATS


CAVEATS = """
## What it is not for

- It knows these genres and no others; a cover of jazz gets percentages for them all the same.
- Its percentages are calibrated on covers of the collections it learnt from. On others they are a hint.
- **Progressive rock is left out.** One collection has hardly anything else, and its files alone tell it from the others
  (`docs/prog.md`): what a model learns there is the collection. Genres on fewer than 100 covers are left out as well.
- Country comes from one collection, most styles from the other. Figures are therefore given within each; what
  compression left in the pixels may still help it between them.
- Judging music by its cover is a game of chance with a little skill. Nobody's work should be filed by it.
"""


def hashed_again(covers: Path) -> None:
    """Write `learnt_from.csv` of the packaged model again: the hashes of the covers whose digests it has.

    Raises
    ------
    SystemExit
        If some of them are not among the covers.
    """
    with (BOX / LEARNT_NAME).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = {row["sha256"] for row in rows}
    paths = {sha256(path.read_bytes()): path for path in sorted(covers.rglob("*")) if path.is_file()}
    missing = len(wanted - set(paths))
    if missing:
        raise SystemExit(f"{covers}: {missing:,} of {len(wanted):,} covers that the model learnt from are not there.")
    digests = [row["sha256"] for row in rows]
    with tempfile.TemporaryDirectory() as cache:
        hashes = kept_hashes(Path(cache), digests, [paths[digest] for digest in digests])[:, 0]
    nobody = [""] * len(rows)
    names = {"artist": nobody, "release": nobody, "source": nobody}
    remember(learnt_covers(digests, hashes, [row["split"] for row in rows], names))


def remember(learnt: LearntCovers) -> None:
    """Put into the package what the model remembers of its training covers, without artists and releases."""
    learnt = learnt.without_names()
    write_learnt(BOX, learnt)
    told = json.loads((BOX / CARD_NAME).read_text(encoding="utf-8"))
    write_json(BOX / CARD_NAME, told | {"learnt_from": learnt.card})


def main() -> None:
    """Do all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("covers", type=Path)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--hashes", action="store_true", help="only write the hashes of its training covers again")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--no-pack", action="store_true", help="leave the package as it is")
    asked = parser.parse_args()
    if asked.hashes:
        hashed_again(asked.covers)
        return
    if asked.out is None:
        parser.error("-o is needed")
    warnings.simplefilter("ignore", SleevenotesWarning)
    models, found = [], []
    for seed in asked.seeds:
        began = time.perf_counter()
        dataset = joined(asked.covers, asked.out, seed)
        folder = asked.out / f"seed-{seed}" / "model"
        model = train(dataset, MODEL, folder, Options(seed=seed, resume=True, say=print))
        models.append(model)
        found.append(answers(model, dataset))
        print(f"seed {seed}: {time.perf_counter() - began:,.0f} s", flush=True)
    figures = measured(found, models[0].genres)
    first = Dataset.open(asked.out / f"seed-{asked.seeds[0]}" / "joined")
    figures["audit"] = {
        name: {key: told[key] for key in ("verdict", "words")} | {"findings": _briefly(told)}
        for name in COLLECTIONS
        if (told := audited(models[0], first, name, asked.out / f"audit-{name}"))
    }
    write_json(asked.out / "figures.json", figures)
    card = card_of(models[0], figures, asked.seeds)
    (asked.out / "CARD.md").write_text(card, encoding="utf-8")
    print(card)
    if not asked.no_pack:
        BOX.mkdir(exist_ok=True)
        for name in KEPT:
            shutil.copyfile(models[0].folder / name, BOX / name)
        record_elsewhere(BOX)
        (BOX / "color").mkdir(exist_ok=True)
        for name in KEPT[:2]:
            shutil.copyfile(models[0].folder / "color" / name, BOX / "color" / name)
        told = json.loads((BOX / CARD_NAME).read_text(encoding="utf-8"))
        write_json(BOX / CARD_NAME, told | {"figures": figures})
        remember(models[0].known)
        (BOX / "CARD.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
