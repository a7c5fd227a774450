"""Verbs that judge genres and models beyond the main job: colors, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sleevenotes.cli.options import (
    ControlAmongOption,
    ControlGenreOption,
    ControlOption,
    ControlYearsOption,
    DatasetArgument,
    EpochsOption,
    NoCoversOption,
    SeedOption,
    WeightsOption,
    control_of,
    training_options,
)
from sleevenotes.cli.program import app
from sleevenotes.cli.terminal import print_table, progress_bar, say


@app.command()
def colors(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="For colors.html and colors.json.")],
    draws: Annotated[int, typer.Option(min=2, help="Draws of 50 against 50 covers of each pair of genres.")] = 100,
    no_covers: NoCoversOption = False,
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


@app.command()
def audit(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="For audit.html and audit.json.")],
    model: Annotated[
        str, typer.Option("--model", help="Train and audit a model of this name; by default as `train` does.")
    ] = "",
    trained: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Audit a model that was trained on this dataset.")
    ] = None,
    collection: Annotated[
        str,
        typer.Option("--collection", metavar="NAME", help="Of a joined dataset: audit this one of its collections."),
    ] = "",
    no_model: Annotated[bool, typer.Option("--no-model", help="Audit the dataset alone.")] = False,
    check: Annotated[
        list[int] | None, typer.Option(min=1, max=9, help="Make this check only (repeatable); docs/audit.md has them.")
    ] = None,
    control: ControlOption = None,
    control_genre: ControlGenreOption = "",
    control_among: ControlAmongOption = "",
    control_years: ControlYearsOption = "",
    size: Annotated[int | None, typer.Option(help="Side of harmonised covers, px; found by itself.")] = None,
    weights: WeightsOption = None,
    epochs: EpochsOption = None,
    no_covers: NoCoversOption = False,
    seed: SeedOption = 0,
) -> None:
    """Hunt for leaks and shortcuts: whether the genre can be told without the art, and whether the model does that.

    Example: sleevenotes audit out/dataset --trained out/model -o out/audit
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.judge.audit.audit import CHECKS, AuditSettings, audit as audit_dataset
    from sleevenotes.learn.recipes import default_name
    from sleevenotes.publish.audit_page import closing, rows, write_audit_page

    if sum((bool(model), trained is not None, no_model)) > 1:
        raise typer.BadParameter("--model, --trained and --no-model exclude each other")
    name = model or default_name()
    with progress_bar("auditing") as progress:
        settings = AuditSettings(
            model=None if no_model or trained else name,
            trained=trained,
            collection=collection,
            checks=frozenset(check or CHECKS),
            control=control_of(control, control_genre, control_among, control_years),
            size_px=size,
            seed=seed,
            options=training_options(name, seed, weights, epochs),
            say=say,
            progress=progress,
        )
        found = audit_dataset(Dataset.open(dataset), out, settings)
    print_table(*rows(found))
    say("", closing(found), f"Page: {write_audit_page(out, covers=not no_covers)}")
