"""The verb about pretrained networks."""

from __future__ import annotations

from sleevenotes.cli.program import app
from sleevenotes.cli.terminal import print_table, say


@app.command()
def backbones() -> None:
    """List the pretrained networks that a model can be built on, and which of them are at hand.

    Example: sleevenotes backbones
    """
    from sleevenotes.learn.backbones.listing import HEADER, WORDS, cure, rows

    listed = rows(with_presence=True)
    print_table(("at hand", *HEADER), listed)
    say(WORDS, cure())
