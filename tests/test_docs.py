"""The docs keep up with the program: every verb has help, a paragraph, and an example that runs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path

import pytest
import typer

from sleevenotes import cli

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))
from make_reference import verbs  # noqa: E402

VERBS = verbs(typer.main.get_command(cli.app))
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")

# what makes an example small enough for a test; it is run as it stands but for these
SMALLER = {
    "demo": ["--covers", "30", "--genres", "3"],
    "train": ["--epochs", "2"],
    "run": ["--epochs", "2", "--model", "small"],
    "curve": ["--steps", "2", "--repeats", "1"],
    "audit": ["--check", "1", "--check", "6"],
}
ELSEWHERE = {
    "study prog",  # needs a second dataset, and takes its time: tests/test_prog.py runs it
    "serve",  # runs until it is stopped: tests/test_serve_process.py runs it
    "people",  # needs a game that was played: tests/test_people.py runs it
}


def section(verb: str) -> str:
    """The guide's section on a verb."""
    found = re.search(rf"^## {verb}\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""


def example_of(verb: str) -> str:
    return cleandoc(VERBS[verb].callback.__doc__).partition("\n\nExample: ")[2].strip()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_for_itself_and_all_its_options(verb):
    assert VERBS[verb].help
    assert all(parameter.help for parameter in VERBS[verb].params)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_paragraph_in_the_guide_with_the_example_of_its_help(verb):
    words = section(verb)
    assert len(words.split()) > 25
    assert f"    {example_of(verb)}\n" in words


def test_the_guide_has_no_verb_that_is_not_there():
    assert re.findall(r"^## (.+)$", GUIDE, re.MULTILINE) == list(VERBS)


def test_the_examples_run_one_after_the_other(tmp_path):
    for verb in (verb for verb in VERBS if verb not in ELSEWHERE):
        words = shlex.split(example_of(verb))
        assert words[0] == "sleevenotes"
        if verb == "explain":
            shutil.copy(
                next(iter(sorted((tmp_path / "out" / "dataset" / "images").rglob("*.jpg")))), tmp_path / "cover.jpg"
            )
        if verb == "compare":  # the colour baseline, which has no evaluation of its own
            first = [sys.executable, "-m", "sleevenotes", "evaluate", "out/model/color", "out/dataset"]
            subprocess.run(first, cwd=tmp_path, capture_output=True, check=True)
        command = [sys.executable, "-m", "sleevenotes", *words[1:], *SMALLER.get(verb, [])]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        broken_covers_are_told = verb == "predict" and "could not be read" in done.stderr
        assert done.returncode == 0 or broken_covers_are_told, f"{verb}: {done.stderr}"
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_command_line_reference_is_current():
    check = subprocess.run([sys.executable, ROOT / "docs" / "make_reference.py", "--check"], check=False)
    assert check.returncode == 0


@pytest.mark.parametrize(
    "page", sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("**/*.md") if ".venv" not in path.parts)
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert ((ROOT / page).parent / target).exists(), target
