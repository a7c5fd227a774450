"""Write docs/cli.md from the command line itself, or say whether it is current.

python docs/make_reference.py            writes it
python docs/make_reference.py --check    exit code 1 where it is out of date
"""

from __future__ import annotations

import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer

from sleevenotes.cli import app

PAGE = Path(__file__).parent / "cli.md"
OPENING = """\
# The command line

Made by `make docs` from the program itself. `sleevenotes VERB --help` says the same.

Exit codes: 0 fine, 1 a problem, said in a sentence, 2 wrong usage. A traceback is a bug.
"""


def reference() -> str:
    """Return the page."""
    return "\n".join([OPENING, *(_verb(name, command) for name, command in verbs(typer.main.get_command(app)).items())])


def verbs(group: Any, above: str = "") -> dict[str, Any]:
    """Return every command by its full name, those of a group under the group's name."""
    found = {}
    for name, command in group.commands.items():
        full = f"{above}{name}"
        found |= verbs(command, f"{full} ") if hasattr(command, "commands") else {full: command}
    return found


def _verb(name: str, command: Any) -> str:
    words, _, example = cleandoc(command.callback.__doc__).partition("\n\nExample: ")
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    usage = " ".join(["sleevenotes", name, *(argument.metavar or argument.name.upper() for argument in arguments)])
    rows = [f"| `{argument.metavar or argument.name.upper()}` | {argument.help} | |" for argument in arguments]
    rows += [f"| `{', '.join(option.opts)}` | {option.help} | {_default(option)} |" for option in options]
    table = "\n".join(["| | | default |", "| --- | --- | --- |", *rows])
    return f"## {name}\n\n`{usage}`\n\n{words}\n\n{table}\n\n```\n{example}\n```\n"


def _default(option: Any) -> str:
    if option.required:
        return "needed"
    if option.default is None or option.default is False or option.default == "":
        return ""
    return f"`{option.default}`"


def main() -> None:
    """Write or check the page."""
    page = reference()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        sys.exit("docs/cli.md: out of date. Run `make docs`.")


if __name__ == "__main__":
    main()
