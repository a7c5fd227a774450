"""The command line: verbs, each a few lines over a library call.

Nothing heavy is imported until a verb needs it, so that `--help` and `predict` answer at once.
"""

from sleevenotes.cli import data, models, backbones, similar, judging, compare, studies, serving, people, exporting  # isort: skip  # noqa: F401  (the order of verbs in `--help`)
from sleevenotes.cli.program import app, main

__all__ = ["app", "main"]
