"""The verb that makes a model ready to travel: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sleevenotes.cli.options import ModelArgument
from sleevenotes.cli.program import app
from sleevenotes.cli.terminal import say


@app.command()
def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where to put it.")],
    onnx: Annotated[bool, typer.Option("--onnx", help="One ONNX graph, and a JSON file that tells all else.")] = False,
    hub: Annotated[
        bool, typer.Option("--hub", help="A folder for the Hugging Face hub, with a model card; nothing is uploaded.")
    ] = False,
    covers: Annotated[
        Path | None,
        typer.Option(metavar="DATASET|FOLDER", help="Covers to check the graph on; else some are drawn."),
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="With --hub: whose figures the card tells; else those beside MODEL."),
    ] = None,
    license: Annotated[
        str, typer.Option("--license", metavar="NAME", help="With --hub: such as mit or cc-by-4.0; none if not given.")
    ] = "",
) -> None:
    """Export a model: as an ONNX graph from pixels to percentages, or as a folder for the Hugging Face hub.

    The graph is checked against torch on 100 covers, and nothing is written where it differs by more than 1e-4.
    `predict` takes what comes of it in place of a model.

    Example: sleevenotes export out/model --onnx -o out/bundle
    """
    from sleevenotes.learn.model import Model
    from sleevenotes.publish.export import export_bundle, export_hub

    if onnx == hub:
        raise typer.BadParameter("say --onnx or --hub" + (", not both" if onnx else ""))
    if onnx and (evaluation or license):
        raise typer.BadParameter("--evaluation and --license go with --hub")
    whole = Model.load(model)
    if onnx:
        written = export_bundle(whole, out, covers=covers)
    else:
        written = export_hub(whole, out, covers=covers, evaluation=evaluation, licence=license)
        say(f"Figures: {written.evaluation or 'none found, so the card says that nothing was measured'}")
        say(f"Audit: {written.audit or 'none found of the same covers'}")
    words = written.checked.words
    say(f"{words[0].upper()}{words[1:]}", f"{written.graph_bytes / 1e6:,.1f} MB of ONNX in {written.folder}")
