"""Arguments and options that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sleevenotes.cli.terminal import say

DatasetArgument = Annotated[Path, typer.Argument(metavar="DATASET", help="A folder that `collect` made.")]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="A folder that `train` made.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of all randomness; the same seed gives the same result.")]
NameOption = Annotated[str, typer.Option("--model", help="color, small, mobilenet or prog_cnn.")]
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


ControlOption = Annotated[
    Path | None, typer.Option(metavar="DATASET", help="Covers of one source, some of them of the genre.")
]
ControlGenreOption = Annotated[str, typer.Option(metavar="GENRE", help="What the genre is called there.")]
ControlAmongOption = Annotated[str, typer.Option(metavar="GENRE", help="The genre of the others there.")]
ControlYearsOption = Annotated[str, typer.Option(metavar="YEARS", help="Of the covers there, such as 1966-1985.")]
QuickOption = Annotated[bool, typer.Option("--quick", help="Few covers and epochs: to look at, not to cite.")]
StudyOption = Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="For study.html and study.json.")]
NoCoversOption = Annotated[bool, typer.Option("--no-covers", help="Leave other people's artwork out of the page.")]


EpochsOption = Annotated[int | None, typer.Option(min=1, help="At most so many, for `small` and `prog_cnn`.")]


def training_options(
    name: str, seed: int, weights: Path | None, epochs: int | None, *, resume: bool = False, progress: Any = None
) -> Any:
    """Return how to train the model of a name, as options say."""
    from sleevenotes.learn.recipes import Options, settings_of

    training = settings_of(name, epochs) if epochs else None
    listening = {"progress": progress} if progress else {}
    return Options(seed=seed, weights=weights, resume=resume, training=training, say=say, **listening)


def control_of(dataset: Path | None, genre: str, among: str, years: str) -> Any:
    """Return the control that options name, or None."""
    if dataset is None:
        if genre or among or years:
            raise typer.BadParameter("--control-genre, --control-among and --control-years go with --control")
        return None
    if not genre:
        raise typer.BadParameter("--control needs --control-genre")
    from sleevenotes.covers.dataset import Dataset
    from sleevenotes.judge.audit.control import Control, parse_years

    return Control(Dataset.open(dataset), genre, among, parse_years(years) if years else None)
