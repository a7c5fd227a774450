"""The command line: verbs, each a few lines over a library call.

Nothing heavy is imported until a verb needs it, so that `--help` and `predict` answer at once.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from sleevenotes import __version__
from sleevenotes.errors import SleevenotesError, SleevenotesWarning

INTERRUPTED = 130  # the exit code after Ctrl-C

app = typer.Typer(
    name="sleevenotes",
    help="Judges albums by their covers, and says honestly how far that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

DatasetArgument = Annotated[Path, typer.Argument(metavar="DATASET", help="A folder that `collect` made.")]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="A folder that `train` made.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of all randomness; the same seed gives the same result.")]
NameOption = Annotated[str, typer.Option("--model", help="color, small or mobilenet.")]
WeightsOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Pretrained weights for mobilenet, .safetensors or .pth.")
]
TaskOption = Annotated[
    str | None, typer.Option(help="single, binary or multi; inferred from the table where not given.")
]
GenreOption = Annotated[str | None, typer.Option(help="The genre that `binary` asks for, against all others.")]
CoversGenreOption = Annotated[
    str | None, typer.Option("--genre", help="One genre for all covers, where the source names none.")
]
LayoutOption = Annotated[
    str | None,
    typer.Option(metavar="PATTERN", help="What the folders' names are: genre, artist/album, genre/artist, …"),
]
SeparatorOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What stands between genres in a cell: ';', ',', ' ', …")
]


# from covers to data
# ------------------------------------------------------------------------------


@app.command()
def demo(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where to draw them.")],
    covers: Annotated[int, typer.Option(min=1, help="Covers a genre.")] = 60,
    genres: Annotated[int, typer.Option(min=2, max=10, help="How many invented genres.")] = 10,
    signal: Annotated[float, typer.Option(min=0, max=1, help="How much a cover tells of its genre, 0 to 1.")] = 0.8,
    shortcut: Annotated[
        list[str] | None, typer.Option(help="Plant a shortcut: size, quality, border or watermark (repeatable).")
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Draw demo covers of invented genres, with known flaws, to try everything on.

    Example: sleevenotes demo -o covers
    """
    from sleevenotes.collect.demo import DemoSettings, draw_demo

    settings = DemoSettings(genres=genres, covers_per_genre=covers, signal=signal, shortcuts=frozenset(shortcut or ()))
    with progress_bar("drawing covers") as progress:
        drawn = draw_demo(out, settings, seed=seed, progress=progress)
    say(f"{len(drawn):,} covers drawn in {out}; what is true of each stands in {out / 'truth.csv'}")


@app.command()
def collect(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A folder per genre, a table beside its covers, or one of URLs.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DATASET", help="The dataset to make.")],
    layout: LayoutOption = None,
    genre: CoversGenreOption = None,
    file_column: Annotated[str | None, typer.Option(metavar="NAME", help="The table's column of file names.")] = None,
    genres_column: Annotated[str | None, typer.Option(metavar="NAME", help="The table's column of genres.")] = None,
    separator: SeparatorOption = None,
    genres: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Your own rules for genre names: columns from, to.")
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="Hard-link covers instead of copying them.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at covers that can't be read.")] = False,
    per_genre: Annotated[int | None, typer.Option(min=1, help="Draw so many covers of each genre.")] = None,
    test_per_genre: Annotated[int, typer.Option(min=0, help="How many of a genre's drawn covers are test.")] = 0,
    concurrent: Annotated[int, typer.Option(min=1, help="URLs: fetched at once.")] = 8,
    per_host: Annotated[
        int, typer.Option(min=1, help="URLs: fetched at once from one host; more than --concurrent raises that.")
    ] = 4,
    rate: Annotated[float, typer.Option(min=0, help="URLs: requests a second to one host; 0 for no limit.")] = 4.0,
    timeout: Annotated[float, typer.Option(help="URLs: seconds of silence; a cover may take four times as long.")] = 15,
    max_bytes: Annotated[int, typer.Option(min=1, help="URLs: the most bytes of a cover.")] = 32_000_000,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="URLs: also of this machine and the local net.")
    ] = False,
    terms: Annotated[str, typer.Option(metavar="TEXT", help="URLs: noted in sources.csv, such as 'CC BY 4.0'.")] = "",
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="URLs: fetch those again that failed before.")
    ] = False,
    seed: SeedOption = 0,
) -> None:
    """Collect covers and their genres, from folders, a table or a list of URLs, into a dataset.

    Example: sleevenotes collect covers -o out/dataset
    """
    from sleevenotes.collect.collecting import CollectSettings, collect as collect_covers
    from sleevenotes.collect.draws import Draw
    from sleevenotes.collect.politeness import FetchSettings

    if test_per_genre and per_genre is None:
        raise typer.BadParameter("--test-per-genre goes with --per-genre")

    settings = CollectSettings(
        layout=layout,
        genre=genre,
        file_column=file_column,
        genres_column=genres_column,
        separator=separator,
        genre_map=genres,
        link=link,
        strict=strict,
        draw=None if per_genre is None else Draw(per_genre, test_per_genre, seed),
        fetch=FetchSettings(
            concurrent=concurrent,
            per_host=per_host,
            rate=rate,
            timeout_s=timeout,
            max_bytes=max_bytes,
            allow_private=allow_private,
            terms=terms,
            retry_failed=retry_failed,
            seed=seed,
        ),
    )
    with progress_bar("collecting") as progress:
        result = collect_covers(source, out, settings=settings, progress=progress)
    say(*result.lines)


@app.command()
def check(dataset: DatasetArgument) -> None:
    """Check a dataset: counts, sizes, broken files, duplicates, the same cover under two genres.

    Example: sleevenotes check out/dataset
    """
    from sleevenotes.covers.check import check as check_dataset, rows
    from sleevenotes.covers.dataset import Dataset

    with progress_bar("checking") as progress:
        report = check_dataset(Dataset.open(dataset, files=False), progress=progress)
    print_table(("what", "figure", "note"), rows(report))
    say(f"All of it: {dataset / 'check.json'}; suspicious pairs: {dataset / 'check.png'}")


@app.command()
def split(
    dataset: DatasetArgument,
    task: TaskOption = None,
    genre: GenreOption = None,
    by: Annotated[
        str, typer.Option(help="What keeps covers together: of artist, release, duplicates; commas between.")
    ] = "artist,release,duplicates",
    fractions: Annotated[str, typer.Option(help="Shares of train, valid and test.")] = "0.7,0.1,0.2",
    seed: SeedOption = 0,
    again: Annotated[bool, typer.Option("--again", help="Replace an existing split.")] = False,
) -> None:
    """Split a dataset into train, valid and test, no artist, release or near-duplicate on two sides.

    Example: sleevenotes split out/dataset
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.covers.splits import parse_fractions, split as split_dataset

    result = split_dataset(
        Dataset.open(dataset),
        task=task,
        genre=genre,
        by=by,
        fractions=parse_fractions(fractions),
        seed=seed,
        again=again,
    )
    say(*result.lines)


# from data to a model
# ------------------------------------------------------------------------------


@app.command()
def train(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MODEL", help="The model's folder.")],
    model: NameOption = "",
    weights: WeightsOption = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many, for `small`.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a stopped training left off.")] = False,
    seed: SeedOption = 0,
) -> None:
    """Train a model on train, with its settings chosen and its percentages calibrated on valid.

    Example: sleevenotes train out/dataset --model small -o out/model
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.learn.recipes import default_name, train as train_model

    name = model or default_name()
    with progress_bar(f"training {name}") as progress:
        trained = train_model(
            Dataset.open(dataset), name, out, _options(seed, weights, epochs, resume=resume, progress=progress)
        )
    found = trained.card["calibration"]
    say(
        f"{trained.name} is in {out}: {trained.task}, {len(trained.genres)} genres",
        f"{found['valid_hit_rate']:.1%} of the {found['n']:,} covers in valid are named right; its settings were "
        "chosen there, so `evaluate` tells what to expect",
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
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap over groups.")] = 2000,
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
            progress=progress,
        )
    print_table(("figure", "value", "95 % interval"), figure_rows(evaluation))
    say(evaluation["verdict"], *(baseline["words"] for baseline in evaluation["baselines"].values()))


@app.command()
def curve(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="For curve.json and curve.svg.")],
    model: NameOption = "",
    weights: WeightsOption = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many, for `small`.")] = None,
    steps: Annotated[int, typer.Option(min=2, max=8, help="How often train is halved, and one.")] = 4,
    repeats: Annotated[int, typer.Option(min=1, help="Draws of covers a step.")] = 3,
    seed: SeedOption = 0,
) -> None:
    """Draw accuracy over the number of covers, to see whether more of them would help.

    It is measured on valid; the test split is left alone.

    Example: sleevenotes curve out/dataset --model color -o out/curve
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.judge.curve import curve as draw_curve
    from sleevenotes.learn.recipes import default_name
    from sleevenotes.publish.plots import lines

    with progress_bar("training") as progress:
        result = draw_curve(
            Dataset.open(dataset),
            model or default_name(),
            out,
            steps=steps,
            repeats=repeats,
            options=_options(seed, weights, epochs),
            progress=progress,
        )
    points, metric = result["points"], result["metric"].replace("_", " ")
    covers = [point["covers"] for point in points]
    figure = lines(
        covers, {metric: points}, name="curve", title=f"{result['model']}: {metric} on valid", axis="covers in train"
    )
    (out / "curve.svg").write_text(figure, encoding="utf-8")
    rows = [
        (f"{point['covers']:,}", f"{point['value']:.3f}", f"{point['low']:.3f} to {point['high']:.3f}")
        for point in points
    ]
    print_table(("covers in train", metric, "95 % interval"), rows)
    say(result["words"], f"Figure: {out / 'curve.svg'}")


# from model to words
# ------------------------------------------------------------------------------


@app.command()
def predict(
    model: ModelArgument,
    covers: Annotated[
        list[str],
        typer.Argument(metavar="FILE|FOLDER|-", help="Covers; `-` reads one, or a list of files, from stdin."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON a cover.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A line of CSV a cover.")] = False,
    top: Annotated[int, typer.Option(min=1, help="How many genres.")] = 3,
) -> None:
    """Name the likeliest genres of covers, one line each, in the order given.

    The exit code is 1 when a cover could not be read; its line says why.

    Example: sleevenotes predict out/model covers --csv
    """
    from sleevenotes.learn.model import Model
    from sleevenotes.publish.predictions import covers_named, write_csv, write_json_lines, write_table

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    loaded = Model.load(model)
    sources, names = covers_named(covers, sys.stdin.buffer)
    predictions = loaded.predict(sources, names=names)
    write = write_json_lines if as_json else write_csv if as_csv else write_table
    failed = write(predictions, loaded.genres, sys.stdout, top)
    if failed:
        print(f"{failed:,} of {len(names):,} covers could not be read", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def explain(
    model: ModelArgument,
    covers: Annotated[list[Path], typer.Argument(metavar="COVER...", help="Covers to look at.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where to put the maps.")],
    genre: Annotated[list[str] | None, typer.Option(help="Also draw a map for this genre (repeatable).")] = None,
) -> None:
    """Draw where on a cover the model saw the predicted genre, and any named one (Grad-CAM).

    Example: sleevenotes explain out/model cover.jpg -o out/maps
    """
    from sleevenotes.judge.explain import explain as explain_covers
    from sleevenotes.learn.model import Model

    explanations, unreadable = explain_covers(Model.load(model), covers, out, genres=genre or ())
    rows = [(each.file_name, each.genre, f"{each.proba:.1%}", str(out / each.overlay)) for each in explanations]
    print_table(("cover", "genre", "proba", "map"), rows)
    if unreadable:
        for error in unreadable:
            print(error, file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that `run` made.")],
    dataset: Annotated[Path | None, typer.Option(help="Default: OUT/dataset.")] = None,
    model: Annotated[Path | None, typer.Option(help="Default: OUT/model.")] = None,
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
    weights: WeightsOption = None,
    layout: LayoutOption = None,
    separator: SeparatorOption = None,
    task: TaskOption = None,
    genre: GenreOption = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many, for `small`.")] = None,
    folds: Annotated[int, typer.Option(min=0, help="Also train so many times anew, and pool the answers.")] = 0,
    no_covers: Annotated[bool, typer.Option("--no-covers", help="Leave artwork out of the report.")] = False,
    seed: SeedOption = 0,
) -> None:
    """Do the whole job: collect, check, split, train, evaluate, explain, report. What is done already is skipped.

    Example: sleevenotes run covers -o out
    """
    from sleevenotes.journey import Journey, run as run_journey

    if (source is None) != draw:
        raise typer.BadParameter("give covers, or --demo to draw some" + (", not both" if draw else ""))
    journey = Journey(
        source=source,
        out=out,
        model=model,
        weights=weights,
        layout=layout,
        separator=separator,
        task=task,
        genre=genre,
        epochs=epochs,
        folds=folds,
        covers=not no_covers,
        seed=seed,
    )
    say(*run_journey(journey, say=say, progress_bar=progress_bar))


# beyond the main job
# ------------------------------------------------------------------------------


@app.command()
def colors(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="For colors.html and colors.json.")],
    draws: Annotated[int, typer.Option(min=2, help="Draws of 50 against 50 covers of each pair of genres.")] = 100,
    no_covers: Annotated[bool, typer.Option("--no-covers", help="Leave mean covers out of the page.")] = False,
    seed: SeedOption = 0,
) -> None:
    """Compare genres by their colours: four similarities of histograms, palettes, and the mean cover of each genre.

    Example: sleevenotes colors out/dataset -o out/colors
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.judge.colors import colors as compare_colors
    from sleevenotes.publish.colors_page import header, rows, write_colors_page

    with progress_bar("comparing") as progress:
        found = compare_colors(Dataset.open(dataset), out, draws=draws, seed=seed, progress=progress)
    print_table(header(found), rows(found))
    say(f"Page: {write_colors_page(out, covers=not no_covers)}")


study = typer.Typer(
    help="Rerun a published study, ours beside the paper's, with what it left out.", no_args_is_help=True
)
app.add_typer(study, name="study")


@study.command("bandcamp")
def study_bandcamp(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="For study.html and study.json.")],
    quick: Annotated[bool, typer.Option("--quick", help="Few covers and epochs: to look at, not to cite.")] = False,
    backbones: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A further pretrained network for Table 4 (repeatable).")
    ] = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch published weights, 20 to 240 MB each.")] = False,
    several: Annotated[
        Path | None, typer.Option(metavar="DATASET", help="A dataset in which covers have several genres.")
    ] = None,
    no_covers: Annotated[bool, typer.Option("--no-covers", help="Leave artwork out of the page.")] = False,
    seed: SeedOption = 0,
) -> None:
    """Rerun the Bandcamp study: colours, ten classical methods, networks, transfer. What is done already is skipped.

    Example: sleevenotes study bandcamp out/dataset -o out/study --quick
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.publish.study_page import write_study_page
    from sleevenotes.studies.bandcamp.study import Settings, run as run_study
    from sleevenotes.studies.record import table_rows

    with progress_bar("studying") as progress:
        settings = Settings(
            quick=quick,
            backbones=backbones or (),
            fetch=fetch,
            several=None if several is None else Dataset.open(several),
            seed=seed,
            say=say,
            progress=progress,
        )
        found = run_study(Dataset.open(dataset), out, settings)
    for section in found["sections"]:
        for table in section["tables"]:
            say("", table["title"], table["note"])
            print_table(*table_rows(table))
    say("", found["verdict"], f"Page: {write_study_page(out, covers=not no_covers)}")


# how it is said
# ------------------------------------------------------------------------------


def _options(seed: int, weights: Path | None, epochs: int | None, *, resume: bool = False, progress: Any = None) -> Any:
    from sleevenotes.learn.recipes import Options

    training = None
    if epochs:
        from sleevenotes.learn.training import TrainingSettings

        training = TrainingSettings(epochs=epochs)
    listening = {"progress": progress} if progress else {}
    return Options(seed=seed, weights=weights, resume=resume, training=training, say=say, **listening)


def say(*lines: str) -> None:
    """Print lines for people."""
    for line in lines:
        print(line)
    sys.stdout.flush()


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as their widest cell; the same text in a terminal and in a file."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for number, row in enumerate(cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            print("  ".join("─" * width for width in widths))


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function of (done, total) that draws a bar with rate and time left; quiet when not in a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, rate="")

        def show(done: int, total: int) -> None:
            speed = bar.tasks[task].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:,.0f}/s" if speed else "")

        yield show


def _tell_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Say a warning of ours in a line; others are about the innards of libraries, and of no use to a reader."""
    if issubclass(category, SleevenotesWarning):
        print(f"note: {message}", file=sys.stderr)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sleevenotes {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Judges albums by their covers, and says honestly how far that can be trusted."""


def main() -> None:
    """Run the command line; an error is one sentence and exit code 1, wrong usage is 2."""
    warnings.showwarning = _tell_warning
    warnings.simplefilter("default", SleevenotesWarning)  # each once
    try:
        app()
    except SleevenotesError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            print("stopped; the same command goes on from here (`train` with --resume)", file=sys.stderr)
        raise
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = error.filename or "this machine"
        print(f"error: {where}: {error.strerror or error}.", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
