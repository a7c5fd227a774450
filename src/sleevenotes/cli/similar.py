"""Verbs on how covers lie to one another as a model sees them: similar and map."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sleevenotes.cli.options import DatasetArgument, ModelArgument, NoCoversOption, SeedOption
from sleevenotes.cli.program import app
from sleevenotes.cli.terminal import progress_bar, say, tell


@app.command()
def similar(
    model: ModelArgument,
    covers: Annotated[
        list[str],
        typer.Argument(metavar="FILE|FOLDER|-", help="Covers; `-` reads one, or a list of files, from stdin."),
    ],
    dataset: Annotated[Path, typer.Option("--in", metavar="DATASET", help="Whose covers are searched.")],
    top: Annotated[int, typer.Option(min=1, help="How many of the nearest.")] = 10,
    no_duplicates: Annotated[
        bool, typer.Option("--no-duplicates", help="Leave out the cover itself and its near-duplicates.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON a cover.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A line of CSV a neighbour.")] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FOLDER", help="Also write a page of the covers there.")
    ] = None,
    no_covers: NoCoversOption = False,
) -> None:
    """Find the covers of a dataset that are nearest to others, as a model sees them.

    The exit code is 1 when a cover could not be read; its line says why.

    Example: sleevenotes similar out/model cover.jpg --in out/dataset --top 5 -o out/similar
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.judge.similar import CoverIndex
    from sleevenotes.learn.model import Model
    from sleevenotes.publish.predictions import covers_named
    from sleevenotes.publish.similar_page import write_csv, write_json_lines, write_similar_page, write_table

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    sources, names = covers_named(covers, sys.stdin.buffer)
    with progress_bar("looking at the dataset") as progress:
        index = CoverIndex(Model.load(model), Dataset.open(dataset), progress=progress)
    answers = list(index.ask(sources, names=names, top=top, duplicates=not no_duplicates))
    write = write_json_lines if as_json else write_csv if as_csv else write_table
    failed = write(answers, sys.stdout)
    tell(index.words)
    if out is not None:
        page = write_similar_page(out, answers, sources, dataset=dataset, covers=not no_covers)
        tell(f"Page: {page}")
    if failed:
        tell(f"{failed:,} of {len(names):,} covers could not be read")
        raise typer.Exit(1)


@app.command(name="map")
def map_covers(
    model: ModelArgument,
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="For map.json and map.csv.")],
    most: Annotated[
        int, typer.Option(min=3, max=10_000, help="Covers on the map; where there are more, some are drawn.")
    ] = 3000,
    seed: SeedOption = 0,
) -> None:
    """Lay all covers out in two dimensions, so that those lie together that the model sees alike.

    A report shows the map that lies beside its evaluation.

    Example: sleevenotes map out/model out/dataset -o out
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.judge.cover_map import cover_map
    from sleevenotes.learn.model import Model

    with progress_bar("looking at the dataset") as progress:
        found = cover_map(Model.load(model), Dataset.open(dataset), out, most=most, seed=seed, progress=progress)
    say(found["words"], f"Map: {out / 'map.json'}, {out / 'map.csv'}")
