"""Published studies, rerun."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sleevenotes.cli.options import (
    ControlAmongOption,
    ControlGenreOption,
    ControlOption,
    ControlYearsOption,
    DatasetArgument,
    NoCoversOption,
    QuickOption,
    SeedOption,
    StudyOption,
    control_of,
)
from sleevenotes.cli.program import app
from sleevenotes.cli.terminal import print_table, progress_bar, say

study = typer.Typer(
    help="Rerun a published study, ours beside the paper's, with what it left out.", no_args_is_help=True
)
app.add_typer(study, name="study")


@study.command("bandcamp")
def study_bandcamp(
    dataset: DatasetArgument,
    out: StudyOption,
    quick: QuickOption = False,
    backbones: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A further pretrained network for Table 4 (repeatable).")
    ] = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch published weights, 20 to 240 MB each.")] = False,
    several: Annotated[
        Path | None, typer.Option(metavar="DATASET", help="A dataset in which covers have several genres.")
    ] = None,
    no_covers: NoCoversOption = False,
    seed: SeedOption = 0,
) -> None:
    """Rerun the Bandcamp study: colours, ten classical methods, networks, transfer. What is done already is skipped.

    Example: sleevenotes study bandcamp out/dataset -o out/study --quick
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.studies.bandcamp.study import Settings, run as run_study

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
    _show(found, out, covers=not no_covers)


@study.command("prog")
def study_prog(
    prog: Annotated[Path, typer.Argument(metavar="PROG_DATASET", help="Covers of prog, collected.")],
    others: Annotated[Path, typer.Argument(metavar="OTHERS_DATASET", help="Other covers, collected from elsewhere.")],
    out: StudyOption,
    quick: QuickOption = False,
    control: ControlOption = None,
    control_genre: ControlGenreOption = "",
    control_among: ControlAmongOption = "",
    control_years: ControlYearsOption = "",
    versus: Annotated[
        str | None, typer.Option(metavar="GENRE", help="Also tell prog from this genre of the others alone.")
    ] = None,
    export_folders: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Also write train/is_prog and so on, as the study had it.")
    ] = None,
    no_covers: NoCoversOption = False,
    seed: SeedOption = 0,
) -> None:
    """Rerun the prog study, and tell what it asked itself: whether its network saw the art, or what scaling left of it.

    Example: sleevenotes study prog out/prog out/dataset -o out/progstudy --quick
    """
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.studies.prog.both import ProgQuick
    from sleevenotes.studies.prog.study import Settings, run as run_study

    with progress_bar("studying") as progress:
        settings = Settings(
            quick=ProgQuick() if quick else None,
            control=control_of(control, control_genre, control_among, control_years),
            versus=versus,
            export=export_folders,
            seed=seed,
            say=say,
            progress=progress,
        )
        found = run_study(Dataset.open(prog), Dataset.open(others), out, settings)
    _show(found, out, covers=not no_covers)


def _show(found: Mapping[str, Any], out: Path, *, covers: bool) -> None:
    """Print a study's tables and verdict, and write its page."""
    from sleevenotes.publish.study_page import write_study_page
    from sleevenotes.studies.record import table_rows

    for section in found["sections"]:
        for table in section["tables"]:
            say("", table["title"], table["note"])
            print_table(*table_rows(table))
    say("", found["verdict"], f"Page: {write_study_page(out, covers=covers)}")
