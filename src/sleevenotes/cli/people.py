"""The verb about the game: people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sleevenotes.cli.options import DatasetArgument, SeedOption
from sleevenotes.cli.program import app
from sleevenotes.cli.terminal import print_table, say


@app.command()
def people(
    dataset: DatasetArgument,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FOLDER", help="For people.json and people.csv.")
    ] = None,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Set this model beside people, too: what `evaluate` wrote (repeatable)."),
    ] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples for agreement (alpha).")] = 2000,
    seed: SeedOption = 0,
) -> None:
    """Say how good people were in the game, how far they agree, and how they stand beside each model.

    Example: sleevenotes people out/dataset -o out
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.judge.people import people as judge_people
    from sleevenotes.publish.people import sentences, table, write_people

    opened = Dataset.open(dataset, files=False)
    found = judge_people(opened, evaluation or (), resamples=resamples, seed=seed)
    print_table(*table(found.told))
    say("", *sentences(found.told))
    if out is not None:
        say(f"Files: {', '.join(str(path) for path in write_people(found, out))}")
