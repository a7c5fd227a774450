"""The house rules: imports go down only, each library has one door, and starting is quick."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "sleevenotes"
FLOORS = ("errors", "covers", "collect", "learn", "judge", "studies", "publish", "journey", "cli", "__main__")
DOORS = {
    "PIL": {"covers/images.py", "covers/sheets.py", "collect/drawing/artwork.py"},
    "simplejpeg": {"covers/images.py"},
    "matplotlib": {"publish/canvas.py", "publish/plots.py", "publish/matrices.py", "publish/trends.py"},
    "typer": {
        f"cli/{name}.py"
        for name in (
            "compare",
            "data",
            "exporting",
            "judging",
            "models",
            "options",
            "people",
            "program",
            "serving",
            "similar",
            "studies",
        )
    },
    "rich": {"cli/terminal.py"},
    "msgspec": {"covers/schema.py"},
    "onnxruntime": {"learn/onnx.py"},
    "torch": {
        "learn/augmentation.py",
        "learn/backbones/extracting.py",
        "learn/backbones/hub_network.py",
        "learn/backbones/weights.py",
        "learn/compact.py",
        "learn/cover_network.py",
        "learn/descent.py",
        "learn/distillation.py",
        "learn/exporting.py",
        "learn/imagenet.py",
        "learn/losses.py",
        "learn/networks.py",
        "learn/onnx.py",
        "learn/precision.py",
        "learn/readings.py",
        "learn/recipes.py",
        "learn/training.py",
        "judge/audit/explanations.py",
        "judge/explain.py",
        "studies/bandcamp/networks.py",
        "studies/prog/asking.py",
    },
    "sklearn": {
        "learn/heads.py",
        "learn/classical.py",
        "learn/linear.py",
        "learn/neighbors.py",
        "judge/audit/probe.py",
        "judge/cover_map.py",
    },
    "aiohttp": {"collect/downloads.py"},
    "urllib": {"learn/backbones/resuming.py", "collect/addresses.py", "collect/politeness.py"},
    "usearch": {"learn/nearest.py"},
    "jinja2": {"publish/templates.py"},
    "rapidocr": {"covers/lettering.py"},
    "transformers": {"learn/backbones/hub.py"},
    "huggingface_hub": {"learn/backbones/hub.py"},
    "sqlite3": {"collect/guesses.py"},
    "pickle": set(),
}
WEB = {path.relative_to(SOURCE).as_posix() for path in (SOURCE / "publish" / "web").glob("*.py")}
DOORS |= dict.fromkeys(("fastapi", "starlette", "uvicorn", "pydantic", "python_multipart"), WEB)
MODULES = sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def floor_of(dotted: str) -> int:
    """Height of the floor on which `sleevenotes.X…` lies; the package itself holds nothing but its version."""
    part = dotted.split(".")[1]
    return FLOORS.index(part) if part in FLOORS else -1


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down_only(path: Path):
    here = floor_of("sleevenotes." + name_of(path).removesuffix(".py").replace("/", "."))
    above = [name for name in imported(path) if name.startswith("sleevenotes.") and floor_of(name) > here]
    assert not above, f"{name_of(path)} reaches up to {above}"


@pytest.mark.parametrize("library", DOORS)
def test_each_library_has_its_door(library: str):
    through = {name_of(path) for path in MODULES if any(name.split(".")[0] == library for name in imported(path))}
    assert through <= DOORS[library]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_room_is_too_large(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 700


@pytest.mark.parametrize("name", ["utils", "helpers", "base", "common", "config", "misc"])
def test_no_room_is_named_after_nothing(name: str):
    assert not list(SOURCE.rglob(f"{name}.py"))


@pytest.mark.parametrize("module", ["sleevenotes.cli", "sleevenotes.learn.model", "sleevenotes.publish.predictions"])
def test_predicting_loads_nothing_heavy(module: str):
    heavy = "{'torch', 'sklearn', 'scipy', 'matplotlib', 'onnxscript', 'polars'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
