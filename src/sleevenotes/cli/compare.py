"""The verb that sets models beside each other: compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sleevenotes.cli.options import SeedOption
from sleevenotes.cli.program import app
from sleevenotes.cli.terminal import print_table, progress_bar, say


@app.command()
def compare(
    evaluations: Annotated[
        list[str],
        typer.Argument(
            metavar="EVALUATION...",
            help="Folders that `evaluate` wrote into; several of one model, such as a/0,a/1,a/2, are pooled.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FOLDER", help="For compare.json, two tables as CSV, and compare.tex."),
    ] = None,
    names: Annotated[
        str, typer.Option(metavar="A,B,…", help="What to call the models; by default their own names.")
    ] = "",
    figure: Annotated[
        str, typer.Option(help="The figure to tell them by: accuracy, roc_auc, log_loss, …; all are compared.")
    ] = "",
    against: Annotated[str, typer.Option(metavar="NAME", help="Compare this model with each other one only.")] = "",
    folds: Annotated[bool, typer.Option("--folds", help="Compare the answers pooled over folds.")] = False,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples for calibration errors.")] = 2000,
    seed: SeedOption = 0,
) -> None:
    """Set models side by side on the same covers, and say which is better, by how much, and which can't be told apart.

    Example: sleevenotes compare out out/model/color -o out/compared
    """
    from sleevenotes.judge.compare import compare as compare_models
    from sleevenotes.publish.comparison import sentences, table, write_comparison

    with progress_bar("comparing") as progress:
        found = compare_models(
            [_paths(each) for each in evaluations],
            names=[name.strip() for name in names.split(",")] if names else (),
            figure=figure,
            against=against,
            folds=folds,
            resamples=resamples,
            seed=seed,
            progress=progress,
        )
    print_table(*table(found))
    say("", *sentences(found))
    if out is not None:
        say(f"Files: {', '.join(str(path) for path in write_comparison(found, out))}")


def _paths(argument: str) -> Path | list[Path]:
    """Return the evaluation that an argument names, or the several that it names with commas between them."""
    if "," not in argument or Path(argument).exists():
        return Path(argument)
    return [Path(part.strip()) for part in argument.split(",") if part.strip()]
