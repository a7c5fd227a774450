"""Verbs from covers to data: demo, collect, check, split, harmonise, join."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sleevenotes.cli.options import (
    CoversGenreOption,
    DatasetArgument,
    GenreOption,
    GenreTreeOption,
    LayoutOption,
    MinCoversOption,
    SeedOption,
    SeparatorOption,
    SplitColumnOption,
    TaskOption,
    TitleOption,
)
from sleevenotes.cli.program import app
from sleevenotes.cli.terminal import print_table, progress_bar, say


@app.command()
def demo(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where to draw them.")],
    covers: Annotated[int, typer.Option(min=1, help="Covers a genre.")] = 60,
    genres: Annotated[int, typer.Option(min=2, max=10, help="How many invented genres.")] = 10,
    signal: Annotated[float, typer.Option(min=0, max=1, help="How much a cover tells of its genre, 0 to 1.")] = 0.8,
    shortcut: Annotated[
        list[str] | None, typer.Option(help="Plant a shortcut: size, quality, border or watermark (repeatable).")
    ] = None,
    shortcut_strength: Annotated[
        float, typer.Option(min=0, max=1, help="Share of covers whose shortcut tells their own genre, 0 to 1.")
    ] = 1.0,
    seed: SeedOption = 0,
) -> None:
    """Draw demo covers of invented genres, with known flaws, to try everything on.

    Example: sleevenotes demo -o covers
    """
    from sleevenotes.collect.demo import DemoSettings, draw_demo

    settings = DemoSettings(
        genres=genres,
        covers_per_genre=covers,
        signal=signal,
        shortcuts=frozenset(shortcut or ()),
        shortcut_strength=shortcut_strength,
    )
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
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="A folder of covers without genres, to predict or compare.")
    ] = False,
    title: TitleOption = "",
    file_column: Annotated[str | None, typer.Option(metavar="NAME", help="The table's column of file names.")] = None,
    genres_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The table's column of genres; several with commas between.")
    ] = None,
    split_column: SplitColumnOption = None,
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
        unlabelled=unlabelled,
        title=title,
        file_column=file_column,
        genres_column=genres_column,
        split_column=split_column,
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
    min_covers: MinCoversOption = None,
    genre_tree: GenreTreeOption = None,
    keep_test: Annotated[
        bool, typer.Option("--keep-test", help="For a join: covers that were test stay so, and their groups with them.")
    ] = False,
    seed: SeedOption = 0,
    again: Annotated[bool, typer.Option("--again", help="Replace an existing split.")] = False,
) -> None:
    """Split a dataset into train, valid and test; known artists, releases and near-duplicates stay on one side.

    Near-duplicates are those that `check` finds: on real covers 99 % of the pairs of one design that an independent
    hash finds. Covers that were altered more can still be on two sides; docs/results.md says how many.

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
        min_covers=min_covers,
        genre_tree=genre_tree,
        keep_test=keep_test,
        seed=seed,
        again=again,
    )
    say(*result.lines)


@app.command()
def harmonise(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="NEW", help="The new dataset to make.")],
    size: Annotated[
        int | None, typer.Option(metavar="PX", help="Side of every cover; the largest that suits all, where not given.")
    ] = None,
    quality: Annotated[int, typer.Option(help="Of every JPEG, 1 to 100.")] = 85,
    seed: SeedOption = 0,
) -> None:
    """Send every cover of a dataset through one identical path, so that files tell nothing but art.

    Example: sleevenotes harmonise out/dataset -o out/harmonised
    """
    from sleevenotes.collect.harmonising import HarmoniseSettings, harmonise as harmonise_dataset
    from sleevenotes.covers.dataset import Dataset

    settings = HarmoniseSettings(size_px=size, quality=quality, seed=seed)
    with progress_bar("harmonising") as progress:
        result = harmonise_dataset(Dataset.open(dataset), out, settings, progress=progress)
    say(*result.lines)


@app.command()
def join(
    datasets: Annotated[list[Path], typer.Argument(metavar="DATASET...", help="Two or more, each of its own source.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="NEW", help="The new dataset to make.")],
    link: Annotated[bool, typer.Option("--link", help="Hard-link covers instead of copying them.")] = False,
) -> None:
    """Join datasets into one of several genres a cover, where a genre that a dataset never names is unknown in it.

    Example: sleevenotes join out/dataset out/prog -o out/joined
    """
    from sleevenotes.collect.joining import join as join_datasets
    from sleevenotes.covers.dataset import Dataset

    with progress_bar("joining") as progress:
        result = join_datasets([Dataset.open(each) for each in datasets], out, link=link, progress=progress)
    say(*result.lines)
