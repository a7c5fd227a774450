"""The docs keep up with the program: every verb has help, a paragraph, and an example that runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from functools import partial
from inspect import cleandoc
from pathlib import Path

import httpx
import pytest
import typer

from sleevenotes import cli
from sleevenotes.collect.demo import DemoSettings, draw_demo

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))
from make_reference import verbs  # noqa: E402

VERBS = verbs(typer.main.get_command(cli.app))
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")

# what makes an example small enough for a test, by the words that it begins with; it runs as printed but for these
SMALLER = {
    "demo -o covers": ["--covers", "30", "--genres", "3"],
    "demo -o prog-covers": ["--covers", "30"],
    "train out/dataset --model small": ["--epochs", "2"],
    "train out/dataset --backbone mobilenet_v2": ["--weights", "WEIGHTS"],
    "train out/dataset --model mobilenet --finetune": ["--weights", "WEIGHTS", "--epochs", "1"],
    "train out/dataset --model best": ["--budget", "1s"],
    "run covers": ["--epochs", "2", "--model", "small"],
    "curve": ["--steps", "2", "--repeats", "1"],
    "audit": ["--check", "1", "--check", "6"],
    "study bandcamp out/dataset -o out/study": ["--quick"],
    "study prog out/prog out/dataset -o out/progstudy": ["--quick"],
}
PLAYERS = ("Ada", "Bix")


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


def test_guide_and_readme_run_from_top_to_bottom(pretrained: Path, tmp_path: Path):
    environment = os.environ | {"SLEEVENOTES_WEIGHTS": str(tmp_path / "no-weights")}
    ran = partial(subprocess.run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    drawn = draw_demo(tmp_path / "own", DemoSettings(genres=3, covers_per_genre=30), seed=3)
    shutil.copy(tmp_path / "own" / next(cover.file_name for cover in drawn if not cover.broken), tmp_path / "cover.jpg")
    draw_demo(tmp_path / "prog", DemoSettings(genres=2, covers_per_genre=30), seed=1)
    done_before = set()
    for words in [*commands_of("docs/guide.md"), *commands_of("README.md")]:
        smaller = next((more for begin, more in SMALLER.items() if " ".join(words).startswith(begin)), [])
        if not set(smaller) <= set(words):
            words = [*words, *(str(pretrained) if each == "WEIGHTS" else each for each in smaller)]
        if tuple(words) in done_before:
            continue
        done_before.add(tuple(words))
        command = [sys.executable, "-m", "sleevenotes", *words]
        if words[0] == "serve":
            played(command, tmp_path, environment)
            continue
        done = ran(command)
        broken_covers_are_counted = words[0] == "predict" and "could not be read" in done.stderr
        assert done.returncode == 0 or broken_covers_are_counted, f"{shlex.join(command)}: {done.stderr}"
    assert (tmp_path / "out" / "report.html").is_file()


def commands_of(page: str) -> list[list[str]]:
    """The commands of `sleevenotes` that a page prints, in order, without its name."""
    lines = re.findall(r"^    (?:sleevenotes) (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def played(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Start the server as printed, let two people play a round, and stop it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        lines = iter(server.stdout.readline, "")  # type: ignore[union-attr]
        assert any(f"http://127.0.0.1:{port}" in line for line in lines)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1/game", timeout=60) as client:
            for player in PLAYERS:
                game = client.post("/rounds", json={"nickname": player}).raise_for_status().json()
                for number in range(1, game["covers"] + 1):
                    answer = {"number": number, "genre": game["genres"][0]}
                    client.post(f"/rounds/{game['round']}/answers", json=answer).raise_for_status()
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0
    finally:
        server.kill()
        server.communicate()


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
