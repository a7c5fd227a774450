"""The main job, from covers to the report: every verb in its order, each skipped where it is done already.

`OUT` ends with `dataset/`, `model/`, `evaluation.json`, `predictions.csv`, `explanations/`, `map.json`, `map.csv` and
`report.html`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sleevenotes.covers.dataset import Dataset
from sleevenotes.errors import DatasetError
from sleevenotes.learn.model import Model

if TYPE_CHECKING:
    from sleevenotes.collect.collecting import CollectResult
    from sleevenotes.learn.heads import HeadKind

EXPLAINED_COVERS = 6  # most confident hits, and as many most confident misses

ProgressBar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]


@dataclass(frozen=True)
class Journey:
    """What to run the main job on, and how.

    Parameters
    ----------
    source
        A folder per genre, or a table beside its covers; None draws demo covers into `OUT/demo`.
    out
        Where everything goes.
    title
        What the covers are called in the report; by default they are called after their source.
    model
        `color`, `small`, `mobilenet`, `backbone` or `best`; empty picks one.
    backbone, normalise, head
        Of the model `backbone`: a name or an ONNX file, how that wants its pixels, and `logistic` or `linear`.
    budget_s
        Seconds for the ladder of `best`.
    folds
        How often to train anew for pooled figures, beside the one split.
    covers
        Whether the report shows covers.
    without_known
        Whether test covers that the model knows are left out, instead of refused.
    """

    source: Path | None
    out: Path
    model: str = ""
    weights: Path | None = None
    layout: str | None = None
    title: str = ""
    separator: str | None = None
    split_column: str | None = None
    task: str | None = None
    genre: str | None = None
    min_covers: int | None = None
    genre_tree: Path | None = None
    epochs: int | None = None
    backbone: str = "mobilenet_v2"
    normalise: str = ""
    head: str = "logistic"
    budget_s: float = 600.0
    folds: int = 0
    covers: bool = True
    without_known: bool = False
    seed: int = 0


def run(journey: Journey, *, say: Callable[..., None], progress_bar: ProgressBar) -> list[str]:
    """Do the whole job, and return its last lines: the figures that matter, and where the report is.

    Parameters
    ----------
    say
        Is told what each step did.
    progress_bar
        Gives for a step's name a context whose value is a function of (done, total).

    Raises
    ------
    SleevenotesError
        Whatever a step found wrong.
    """
    out = journey.out
    out.mkdir(parents=True, exist_ok=True)
    collected = _collect(journey, progress_bar)
    first, *notes, _ = collected.lines
    say(f"1. collect   {first}", *(f"             {note}" for note in notes))
    dataset = Dataset.open(out / "dataset", files=False)
    say(f"2. check     {_check(dataset, progress_bar)}")
    first, *notes = _split(journey)
    say(f"3. split     {first}", *(f"             {note}" for note in notes))
    dataset = Dataset.open(out / "dataset")
    model = _train(journey, dataset, say, progress_bar)
    found = model.card["calibration"]
    say(f"4. train     {model.name}, {found['valid_hit_rate']:.1%} of {found['n']:,} covers in valid right")
    evaluation = _evaluate(journey, model, dataset, progress_bar)
    say(f"5. evaluate  {evaluation['n']:,} covers of the test split, in {evaluation['groups']:,} groups")
    say(f"6. explain   {_explain(model, dataset, out)}")
    say(f"7. map       {_map(journey, model, dataset, progress_bar)}")
    return [*_last_lines(evaluation), f"Collected: {collected.closing}", f"Report: {_report(journey)}"]


def _collect(journey: Journey, progress_bar: ProgressBar) -> CollectResult:
    from sleevenotes.collect.collecting import CollectSettings, collect

    source = journey.source or _demo(journey, progress_bar)
    layout = journey.layout if journey.source else "genre/artist/album"
    settings = CollectSettings(
        layout=layout, title=journey.title, separator=journey.separator, split_column=journey.split_column
    )
    command = f"sleevenotes run {shlex.quote(str(source))} -o {shlex.quote(str(journey.out))}"
    with progress_bar("collecting") as progress:
        return collect(source, journey.out / "dataset", settings=settings, progress=progress, command=command)


def _demo(journey: Journey, progress_bar: ProgressBar) -> Path:
    from sleevenotes.collect.demo import DemoSettings, draw_demo

    folder = journey.out / "demo"
    with progress_bar("drawing covers") as progress:
        draw_demo(folder, DemoSettings(layout="artist/album"), seed=journey.seed, progress=progress)
    return folder


def _check(dataset: Dataset, progress_bar: ProgressBar) -> str:
    from sleevenotes.covers.check import check, fingerprint
    from sleevenotes.covers.reports import CHECK_NAME, read_check

    path = dataset.folder / CHECK_NAME
    try:
        report = read_check(path)
    except DatasetError:  # none, or a damaged one: the covers are checked again
        report = {}
    if report.get("fingerprint") != fingerprint(dataset):
        with progress_bar("checking") as progress:
            report = check(dataset, progress=progress)
    pairs, broken = len(report["near_duplicates"]["pairs"]), len(report["broken"])
    return f"{pairs:,} pairs of near-duplicates, {broken:,} broken files: {path}"


def _split(journey: Journey) -> list[str]:
    from sleevenotes.covers.splits import split

    dataset = Dataset.open(journey.out / "dataset")
    result = split(
        dataset,
        task=journey.task,
        genre=journey.genre,
        min_covers=journey.min_covers,
        genre_tree=journey.genre_tree,
        seed=journey.seed,
    )
    return result.lines


def _train(journey: Journey, dataset: Dataset, say: Callable[..., None], progress_bar: ProgressBar) -> Model:
    from sleevenotes.learn.recipes import Options, default_name, settings_of, train

    name = journey.model or default_name()
    if not journey.model:
        why = "its weights are at hand" if name == "mobilenet" else "no weights for mobilenet are at hand"
        say(f"             model {name}, as {why}; --model picks another")
    with progress_bar(f"training {name}") as progress:
        options = Options(
            seed=journey.seed,
            weights=journey.weights,
            resume=True,
            training=settings_of(name, journey.epochs) if journey.epochs else None,
            backbone=journey.backbone,
            normalise=journey.normalise,
            head=cast("HeadKind", journey.head),
            budget_s=journey.budget_s,
            say=say,
            progress=progress,
        )
        return train(dataset, name, journey.out / "model", options)


def _evaluate(journey: Journey, model: Model, dataset: Dataset, progress_bar: ProgressBar) -> dict[str, Any]:
    from sleevenotes.judge.evaluation import evaluate, still_true

    done = still_true(journey.out, model, dataset, folds=journey.folds)
    if done is not None:
        return done
    with progress_bar("evaluating") as progress:
        return evaluate(
            model,
            dataset,
            journey.out,
            folds=journey.folds,
            seed=journey.seed,
            without_known=journey.without_known,
            progress=progress,
        )


def _explain(model: Model, dataset: Dataset, out: Path) -> str:
    folder = out / "explanations"
    if not model.has_places:
        return "left out: the model has no network that could be asked where it looks"
    written = folder / "explanations.json"
    if written.exists() and written.stat().st_mtime_ns > (out / "evaluation.json").stat().st_mtime_ns:
        return "the maps are there already"
    from sleevenotes.judge.explain import explain

    rows = telling_rows(out / "predictions.csv")
    explanations, _ = explain(
        model,
        [dataset.folder / row["file_name"] for row in rows],
        folder,
        truths=[row["truth"] for row in rows],
        names=[row["file_name"] for row in rows],
    )
    return f"{len(explanations)} maps in {folder}"


def _map(journey: Journey, model: Model, dataset: Dataset, progress_bar: ProgressBar) -> str:
    from sleevenotes.judge.cover_map import cover_map, still_true

    done = still_true(journey.out, model, dataset, seed=journey.seed)
    if done is not None:
        return str(done["words"])
    with progress_bar("laying covers out") as progress:
        return str(cover_map(model, dataset, journey.out, seed=journey.seed, progress=progress)["words"])


def telling_rows(predictions: Path, count: int = EXPLAINED_COVERS) -> list[dict[str, Any]]:
    """Return the rows of `predictions.csv` whose covers are worth a look: the surest hits, then the surest misses."""
    from sleevenotes.judge.schemas import read_predictions

    rows = sorted(read_predictions(predictions), key=lambda row: -row["confidence"])
    hits = [row for row in rows if set(row["predicted"].split(";")) & set(row["truth"].split(";"))]
    misses = [row for row in rows if not set(row["predicted"].split(";")) & set(row["truth"].split(";"))]
    return hits[:count] + misses[:count]


def _report(journey: Journey) -> Path:
    from sleevenotes.publish.report import write_report

    out = journey.out
    return write_report(
        out,
        dataset=out / "dataset",
        model=out / "model",
        evaluation=out,
        predictions=out / "predictions.csv",
        explanations=out / "explanations",
        covers=journey.covers,
    )


def _last_lines(evaluation: dict[str, Any]) -> list[str]:
    from sleevenotes.judge.evaluation import three_figures

    rows = three_figures(evaluation)
    width = max(len(what) for what, _ in rows)
    return ["", evaluation["verdict"], *(f"  {what:<{width}}  {figure}" for what, figure in rows)]
