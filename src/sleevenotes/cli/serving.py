"""The verb that opens a page and an API: serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sleevenotes.cli.options import MaxRiskOption
from sleevenotes.cli.program import app
from sleevenotes.cli.terminal import say

MEGA = 1_000_000


@app.command()
def serve(
    model: Annotated[
        Path | None, typer.Argument(metavar="[MODEL]", help="A folder that `train` made; default: the bundled model.")
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(metavar="DATASET", help="Covers to browse; else the dataset beside MODEL, if any.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens; 0 for any that is free.")] = 8000,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets others in: add --token then.")] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(metavar="TEXT", envvar="SLEEVENOTES_TOKEN", help="What every request must know.")
    ] = None,
    max_risk: MaxRiskOption = None,
    max_mb: Annotated[float, typer.Option(min=0.001, help="Megabytes of a cover.")] = 16,
    max_megapixels: Annotated[float, typer.Option(min=0.001, help="Megapixels of a cover.")] = 64,
    max_files: Annotated[int, typer.Option(min=1, help="Covers of a request.")] = 64,
    concurrent: Annotated[int, typer.Option(min=1, help="Requests with covers at once; more get 429.")] = 64,
    waiting: Annotated[int, typer.Option(min=1, help="Covers that wait for the model; more get 503.")] = 256,
    body_timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to send a request.")] = 30,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to answer one.")] = 30,
    grace: Annotated[int, typer.Option(min=0, help="Seconds for what runs to finish after SIGTERM.")] = 20,
) -> None:
    """Open a page and a REST API on this machine: drop a cover, browse the dataset, see how far to trust the model.

    It says its address once it answers, and runs until Ctrl-C or SIGTERM.

    Example: sleevenotes serve out/model
    """
    from sleevenotes.learn.abstention import MAX_RISK
    from sleevenotes.publish.provenance import provenance
    from sleevenotes.publish.web.limits import Limits
    from sleevenotes.publish.web.running import run
    from sleevenotes.publish.web.service import Service

    limits = Limits(
        max_bytes=round(max_mb * MEGA),
        max_pixels=round(max_megapixels * MEGA),
        max_files=max_files,
        concurrent=concurrent,
        waiting=waiting,
        body_s=body_timeout,
        answer_s=timeout,
        grace_s=grace,
    )
    service = Service.found(model, dataset, max_risk=MAX_RISK if max_risk is None else max_risk)
    if service.has_dataset and dataset is None:
        say(f"The dataset is {service.dataset.folder}, as it lies beside the model; --dataset names another")
    say(provenance(service.model))
    run(service, limits, address=(host, port), token=token, say=say)
