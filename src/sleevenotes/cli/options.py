"""Arguments and options that several verbs have."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from sleevenotes.cli.terminal import say


def share(text: str | float) -> float:
    """Return a share of a whole, 0 to 1, that was given as a number or as a percentage.

    Examples
    --------
    >>> share("0.4"), share("40%"), share("12,5 %")
    (0.4, 0.4, 0.125)
    """
    written = str(text).strip().replace(",", ".")
    try:
        number = float(written.removesuffix("%")) / (100 if written.endswith("%") else 1)
    except ValueError:
        raise typer.BadParameter(f"{text}: not a number. A share such as 0.4 or 40% was expected.") from None
    if 1 < number <= 100 and not written.endswith("%"):
        raise typer.BadParameter(f"{text}: more than 1. Write {written}% or {number / 100:g}.")
    if not 0 <= number <= 1:
        raise typer.BadParameter(f"{text}: a share from 0 to 1, or from 0% to 100%, was expected.")
    return number


DatasetArgument = Annotated[Path, typer.Argument(metavar="DATASET", help="A folder that `collect` made.")]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="A folder that `train` made.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of all randomness; the same seed gives the same result.")]
NameOption = Annotated[
    str, typer.Option("--model", help="color, small, mobilenet, prog_cnn, distilled, backbone or best.")
]
BackboneOption = Annotated[
    str, typer.Option("--backbone", metavar="NAME|FILE", help="Makes a head on this backbone, or on an ONNX file.")
]
FinetuneOption = Annotated[
    bool, typer.Option("--finetune", help="The backbone goes on learning from the covers, from its top.")
]
NormaliseOption = Annotated[
    str,
    typer.Option("--normalise", metavar="NAME", help="How an ONNX file wants its pixels: imagenet, minus-one-one, …"),
]
HeadOption = Annotated[str, typer.Option("--head", help="With --backbone: logistic or linear.")]
BudgetOption = Annotated[
    str,
    typer.Option("--budget", metavar="TIME", help="For `best`: how long it may take, such as 90s, 10m or 1h."),
]
WeightsOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Pretrained weights for mobilenet, .safetensors or .pth.")
]
TaskOption = Annotated[
    str | None, typer.Option(help="single, binary or multi; inferred from the table where not given.")
]
GenreOption = Annotated[str | None, typer.Option(help="The genre that `binary` asks for, against all others.")]
MinCoversOption = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Leave out genres on fewer covers; 30 in multi where not given, none in single."
    ),
]
GenreTreeOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|none", help="For multi: rows child, parent before our own; else genre-tree.csv in DATASET."
    ),
]
CoversGenreOption = Annotated[
    str | None, typer.Option("--genre", help="One genre for all covers, where the source names none.")
]
TitleOption = Annotated[
    str, typer.Option("--title", metavar="TEXT", help="What the covers are called in reports; else after the source.")
]
LayoutOption = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN",
        help="What folders are: genre/artist/album, split/genre, 'genre/artist - album.*', …; recognised if not given.",
    ),
]
SeparatorOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What stands between genres in a cell: ';', ',', ' ', …")
]
SplitColumnOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="The table's column of train, valid, test: a split to keep.")
]


MaxRiskOption = Annotated[
    float | None,
    typer.Option(
        parser=share,
        metavar="SHARE",
        help="Say `can't tell` if the answer is likelier wrong than this; default 0.5, 1 for never.",
    ),
]
MeasuredRiskOption = Annotated[
    float | None,
    typer.Option(parser=share, metavar="SHARE", help="Also measure the answers up to this risk, such as 0.4 or 40%."),
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


WithoutKnownOption = Annotated[
    bool, typer.Option("--without-known", help="Leave out test covers that the model knows, and count them.")
]
EpochsOption = Annotated[int | None, typer.Option(min=1, help="At most so many, of networks that learn.")]


def training_options(
    name: str,
    seed: int,
    weights: Path | None,
    epochs: int | None,
    *,
    resume: bool = False,
    finetune: bool = False,
    progress: Any = None,
) -> Any:
    """Return how to train the model of a name, as options say."""
    from sleevenotes.learn.recipes import Options, settings_of

    training = settings_of(name, epochs, finetune=finetune) if epochs else None
    listening = {"progress": progress} if progress else {}
    return Options(
        seed=seed, weights=weights, resume=resume, training=training, finetune=finetune, say=say, **listening
    )


def chosen(options: Any, model: str, backbone: tuple[str, str], head: str, budget: str) -> tuple[str, Any]:
    """Return the name of the model that is asked for, empty where none is, and how to train it.

    Parameters
    ----------
    options
        How to train, as all other options say.
    backbone
        Its name, and how it wants its pixels.
    """
    name, normalise = backbone
    if name:
        if model not in ("", "backbone"):
            raise typer.BadParameter(f"--backbone makes the model `backbone`; leave out --model {model}")
        model, options = "backbone", replace(options, backbone=name, normalise=normalise)
    elif normalise:
        raise typer.BadParameter("--normalise goes with --backbone")
    if head and model != "backbone":
        raise typer.BadParameter("--head goes with --backbone")
    if budget and model != "best":
        raise typer.BadParameter("--budget goes with --model best")
    options = replace(options, head=head) if head else options
    return model, replace(options, budget_s=seconds_of(budget)) if budget else options


def seconds_of(text: str) -> float:
    """Return how many seconds a text such as `90s`, `10m` or `1h` means.

    Examples
    --------
    >>> seconds_of("90s"), seconds_of("1.5h")
    (90.0, 5400.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip().lower())
    if not match or not float(match[1]):
        raise typer.BadParameter(f"--budget {text}: no time. A number and s, m or h was expected, such as 90s or 10m.")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


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


def model_first(arguments: list[str], *, bundles: bool = False) -> tuple[Any, list[str]]:
    """Return the model that arguments begin with, or the bundled one, and the covers that follow.

    Parameters
    ----------
    bundles
        Whether what `export` made of a model will do in its place.
    """
    from sleevenotes.learn.bundles import loaded
    from sleevenotes.learn.model import Model
    from sleevenotes.publish.predictions import model_and_covers

    folder, covers = model_and_covers(arguments)
    if not covers:
        raise typer.BadParameter(f"{folder} is a model. Name covers after it.")
    if folder is None:
        return Model.in_the_box(), covers
    return (loaded(folder) if bundles else Model.load(folder)), covers
