"""Verbs from data to a model, and from a model to words: train to run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sleevenotes.cli.options import (
    BackboneOption,
    BudgetOption,
    DatasetArgument,
    EpochsOption,
    FinetuneOption,
    GenreOption,
    GenreTreeOption,
    HeadOption,
    LayoutOption,
    MaxRiskOption,
    MeasuredRiskOption,
    MinCoversOption,
    ModelArgument,
    NameOption,
    NormaliseOption,
    SeedOption,
    SeparatorOption,
    SplitColumnOption,
    TaskOption,
    TitleOption,
    WeightsOption,
    WithoutKnownOption,
    chosen,
    model_first,
    share,
    training_options,
)
from sleevenotes.cli.program import app
from sleevenotes.cli.terminal import print_table, progress_bar, say, tell


@app.command()
def train(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MODEL", help="The model's folder.")],
    model: NameOption = "",
    backbone: BackboneOption = "",
    normalise: NormaliseOption = "",
    head: HeadOption = "",
    budget: BudgetOption = "",
    weights: WeightsOption = None,
    epochs: EpochsOption = None,
    finetune: FinetuneOption = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a stopped training left off.")] = False,
    seed: SeedOption = 0,
) -> None:
    """Train a model on train, with its settings chosen and its percentages calibrated on valid.

    Example: sleevenotes train out/dataset --model small -o out/model
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.learn.recipes import default_name, train as train_model

    name = model or ("backbone" if backbone else default_name())
    with progress_bar(f"training {name}") as progress:
        options = training_options(name, seed, weights, epochs, resume=resume, finetune=finetune, progress=progress)
        name, options = chosen(options, name, (backbone, normalise), head, budget)
        trained = train_model(Dataset.open(dataset), name, out, options)
    found = trained.card["calibration"]
    where = "in valid" if found.get("source", "valid") == "valid" else "in train and valid, out of fold,"
    say(
        f"{trained.name} is in {out}: {trained.task}, {len(trained.genres)} genres",
        f"{found['valid_hit_rate']:.1%} of the {found['n']:,} covers {where} are named right; its settings were "
        "chosen there, so `evaluate` tells what to expect",
        *(f"Note: {note}" for note in found.get("notes", ())),
    )


@app.command()
def evaluate(
    model: ModelArgument,
    dataset: DatasetArgument,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FOLDER", help="Default: the model's folder.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, valid, test, or all for a foreign dataset.")] = "test",
    folds: Annotated[int, typer.Option(min=0, help="Also train so many times anew, and pool the answers.")] = 0,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples for calibration errors.")] = 2000,
    max_risk: MeasuredRiskOption = None,
    coverage: Annotated[
        float | None,
        typer.Option(parser=share, metavar="SHARE", help="Coverage of the sets of genres, default 0.9."),
    ] = None,
    without_known: WithoutKnownOption = False,
    seed: SeedOption = 0,
) -> None:
    """Measure a model on covers it has never seen, with intervals and beside its baselines.

    Example: sleevenotes evaluate out/model out/dataset -o out
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.judge.evaluation import evaluate as evaluate_model, figure_rows
    from sleevenotes.learn.model import Model

    with progress_bar("evaluating") as progress:
        evaluation = evaluate_model(
            Model.load(model),
            Dataset.open(dataset),
            out or model,
            split=split,
            folds=folds,
            resamples=resamples,
            seed=seed,
            max_risk=max_risk,
            coverage=coverage,
            without_known=without_known,
            progress=progress,
        )
    print_table(("figure", "value", "95 % interval"), figure_rows(evaluation))
    say(evaluation["verdict"], *(baseline["words"] for baseline in evaluation["baselines"].values()))
    say(evaluation["abstention"]["words"], *([evaluation["sets"]["words"]] if evaluation["sets"] else []))


@app.command()
def curve(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="For curve.json and curve.svg.")],
    model: NameOption = "",
    weights: WeightsOption = None,
    epochs: EpochsOption = None,
    steps: Annotated[int, typer.Option(min=2, max=8, help="How often train is halved, and one.")] = 4,
    repeats: Annotated[int, typer.Option(min=1, help="Draws of covers a step.")] = 3,
    seed: SeedOption = 0,
) -> None:
    """Draw accuracy over the number of covers, to see whether more of them would help.

    It is measured on valid; the test split is left alone.

    Example: sleevenotes curve out/dataset --model color -o out/curve
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.covers.files import replacing
    from sleevenotes.judge.curve import curve as draw_curve
    from sleevenotes.learn.recipes import default_name
    from sleevenotes.publish.plots import lines

    name = model or default_name()
    with progress_bar("training") as progress:
        result = draw_curve(
            Dataset.open(dataset),
            name,
            out,
            steps=steps,
            repeats=repeats,
            options=training_options(name, seed, weights, epochs),
            progress=progress,
        )
    points, metric = result["points"], result["metric"].replace("_", " ")
    covers = [point["covers"] for point in points]
    figure = lines(
        covers, {metric: points}, name="curve", title=f"{result['model']}: {metric} on valid", axis="covers in train"
    )
    with replacing(out / "curve.svg") as partial:
        partial.write_text(figure, encoding="utf-8")
    rows = [
        (
            f"{point['covers']:,}",
            f"{point['value']:.3f}",
            "too few covers" if point["low"] is None else f"{point['low']:.3f} to {point['high']:.3f}",
        )
        for point in points
    ]
    print_table(("covers in train", metric, "95 % interval"), rows)
    say(result["words"], f"Figure: {out / 'curve.svg'}")


@app.command()
def predict(
    covers: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL] FILE|FOLDER|-",
            help="A model, if not the bundled one; then covers. `-`: one, or a list of files, on stdin.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON a cover.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A line of CSV a cover.")] = False,
    top: Annotated[int, typer.Option(min=1, help="How many genres.")] = 3,
    max_risk: MaxRiskOption = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            parser=share,
            metavar="SHARE",
            help="Also give the set of genres that holds the right one this often, such as 0.9.",
        ),
    ] = None,
) -> None:
    """Name the likeliest genres of covers, one line each, in the order given.

    Without a model, the bundled one answers: a small network that knows twenty genres. Stderr says which model answers
    and what its evaluation found. If the first genre is likelier wrong than --max-risk, the line says `can't tell`. The
    exit code is 1 if a cover could not be read; its line says why.

    Example: sleevenotes predict out/model covers --csv
    """
    from sleevenotes.learn.abstention import MAX_RISK
    from sleevenotes.publish.predictions import covers_named, write_csv, write_json_lines, write_table
    from sleevenotes.publish.provenance import provenance

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    loaded, given = model_first(covers, bundles=True)
    sources, names = covers_named(given, sys.stdin.buffer)
    predictions = loaded.predict(sources, names=names)
    write = write_json_lines if as_json else write_csv if as_csv else write_table
    caution = loaded.caution(max_risk=MAX_RISK if max_risk is None else max_risk, coverage=coverage)
    tell(provenance(loaded))
    failed = write(predictions, loaded.genres, sys.stdout, top, caution)
    if failed:
        tell(f"{failed:,} of {len(names):,} covers could not be read")
        raise typer.Exit(1)


@app.command()
def explain(
    covers: Annotated[
        list[str],
        typer.Argument(metavar="[MODEL] COVER...", help="A model, if not the bundled one; then covers to look at."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where to put the maps.")],
    genre: Annotated[list[str] | None, typer.Option(help="Also draw a map for this genre (repeatable).")] = None,
) -> None:
    """Draw where on a cover the model saw the predicted genre, and any named one (Grad-CAM).

    Example: sleevenotes explain out/model cover.jpg -o out/maps
    """
    from sleevenotes.judge.explain import explain as explain_covers
    from sleevenotes.publish.provenance import provenance

    model, given = model_first(covers)
    tell(provenance(model))
    explanations, unreadable = explain_covers(model, [Path(cover) for cover in given], out, genres=genre or ())
    rows = [(each.file_name, each.genre, f"{each.proba:.1%}", str(out / each.overlay)) for each in explanations]
    print_table(("cover", "genre", "proba", "map"), rows)
    if unreadable:
        for error in unreadable:
            tell(error)
        raise typer.Exit(1)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that `run` made.")],
    dataset: Annotated[Path | None, typer.Option(help="Default: OUT/dataset.")] = None,
    model: Annotated[Path | None, typer.Option(help="Default: OUT/model.")] = None,
    title: TitleOption = "",
    no_covers: Annotated[bool, typer.Option("--no-covers", help="Leave other people's artwork out.")] = False,
) -> None:
    """Write report.html of results that are there already.

    Example: sleevenotes report out --no-covers
    """
    from sleevenotes.publish.report import write_report

    path = write_report(
        folder,
        dataset=dataset or folder / "dataset",
        model=model or folder / "model",
        evaluation=folder,
        predictions=folder / "predictions.csv",
        explanations=folder / "explanations",
        covers=not no_covers,
        title=title or None,
    )
    say(f"Report: {path}")


@app.command()
def run(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Where everything goes.")],
    source: Annotated[
        Path | None, typer.Argument(metavar="[SOURCE]", help="A folder per genre, or a table beside its covers.")
    ] = None,
    draw: Annotated[bool, typer.Option("--demo", help="Draw demo covers first, and use them.")] = False,
    model: NameOption = "",
    backbone: BackboneOption = "",
    normalise: NormaliseOption = "",
    head: HeadOption = "",
    budget: BudgetOption = "",
    weights: WeightsOption = None,
    layout: LayoutOption = None,
    title: TitleOption = "",
    separator: SeparatorOption = None,
    split_column: SplitColumnOption = None,
    task: TaskOption = None,
    genre: GenreOption = None,
    min_covers: MinCoversOption = None,
    genre_tree: GenreTreeOption = None,
    epochs: EpochsOption = None,
    folds: Annotated[int, typer.Option(min=0, help="Also train so many times anew, and pool the answers.")] = 0,
    no_covers: Annotated[bool, typer.Option("--no-covers", help="Leave artwork out of the report.")] = False,
    without_known: WithoutKnownOption = False,
    seed: SeedOption = 0,
) -> None:
    """Do the whole job: collect, check, split, train, evaluate, explain, report. What is done already is skipped.

    Example: sleevenotes run covers -o out
    """
    from sleevenotes.journey import Journey, run as run_journey

    if (source is None) != draw:
        raise typer.BadParameter("give covers, or --demo to draw some" + (", not both" if draw else ""))
    name, options = chosen(training_options(model, seed, weights, None), model, (backbone, normalise), head, budget)
    journey = Journey(
        source=source,
        out=out,
        model=name,
        backbone=options.backbone,
        normalise=normalise,
        head=options.head,
        budget_s=options.budget_s,
        weights=weights,
        layout=layout,
        title=title,
        separator=separator,
        split_column=split_column,
        task=task,
        genre=genre,
        min_covers=min_covers,
        genre_tree=genre_tree,
        epochs=epochs,
        folds=folds,
        covers=not no_covers,
        without_known=without_known,
        seed=seed,
    )
    say(*run_journey(journey, say=say, progress_bar=progress_bar))
