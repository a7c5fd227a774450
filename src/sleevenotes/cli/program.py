"""The program: its name, its version, and how it ends."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from typing import Annotated

import typer

from sleevenotes import __version__
from sleevenotes.cli.terminal import tell, tell_warning, write_any_character
from sleevenotes.errors import SleevenotesError, SleevenotesWarning

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
INTERRUPTED = 130  # the exit code after Ctrl-C

app = typer.Typer(
    name="sleevenotes",
    help="Judges albums by their covers, and says honestly how far that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sleevenotes {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Judges albums by their covers, and says honestly how far that can be trusted."""


def main() -> None:
    """Run the command line; an error is one sentence and exit code 1, wrong usage is 2."""
    write_any_character()
    warnings.showwarning = tell_warning
    warnings.simplefilter("default", SleevenotesWarning)  # each once
    try:
        app()
    except SleevenotesError as error:
        tell(f"error: {error}")
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            tell("stopped; the same command goes on from here (`train` with --resume)")
        raise
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = error.filename or "this machine"
        cure = " Make room or give yourself the right to write there, then run the same command again."
        tell(f"error: {where}: {error.strerror or error}.{cure if error.errno in UNWRITABLE else ''}")
        sys.exit(1)
