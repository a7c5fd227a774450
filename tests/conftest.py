"""What several files of tests share: datasets whose genres show, and models trained on them."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

# the networks here are too small to gain by threads, and lose much where others use the cores
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest
import torch

from covers_for_tests import make_dataset
from page_for_tests import browser, opened  # noqa: F401
from sleevenotes import cli
from sleevenotes.covers.dataset import Dataset
from sleevenotes.errors import SleevenotesWarning
from sleevenotes.learn.imagenet import mobilenet_v2
from sleevenotes.learn.model import Model
from sleevenotes.learn.recipes import Options, train
from training_for_tests import train_quickly

hypothesis.settings.register_profile("house", deadline=None)  # other work on the machine is no fault of the code
hypothesis.settings.load_profile("house")

ENOUGH = 200  # covers, of which 30 are in valid: with fewer, training warns


@dataclass
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def sleevenotes(capsys, monkeypatch) -> Run:
    """Run the command line in this process."""

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["sleevenotes", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is made once and not changed by any test."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def single(shared: Path) -> Dataset:
    """A dataset of three genres that show in the colours."""
    return make_dataset(shared / "single", covers=ENOUGH)


@pytest.fixture(scope="session")
def binary(shared: Path) -> Dataset:
    return make_dataset(shared / "binary", task="binary", covers=ENOUGH)


@pytest.fixture(scope="session")
def multi(shared: Path) -> Dataset:
    return make_dataset(shared / "multi", task="multi", covers=ENOUGH)


@pytest.fixture(scope="session")
def color_model(single: Dataset, shared: Path) -> Model:
    return train_quickly(single, "color", shared / "color-model")


@pytest.fixture(scope="session")
def small_model(single: Dataset, shared: Path) -> Model:
    """A model of the recipe `small`, whose network is a tiny one."""
    return train_quickly(single, "small", shared / "small-model")


@pytest.fixture(scope="session")
def binary_model(binary: Dataset, shared: Path) -> Model:
    return train_quickly(binary, "small", shared / "binary-model")


@pytest.fixture(scope="session")
def multi_model(multi: Dataset, shared: Path) -> Model:
    return train_quickly(multi, "small", shared / "multi-model")


@pytest.fixture(scope="session")
def pretrained(shared: Path) -> Path:
    """A file of weights of MobileNetV2 as torchvision publishes them, classifier included, but random."""
    torch.manual_seed(0)
    parameters = mobilenet_v2().state_dict()
    parameters |= {"classifier.1.weight": torch.zeros(1000, 1280), "classifier.1.bias": torch.zeros(1000)}
    partial = shared / "mobilenet.pth"
    torch.save(parameters, partial)
    digest = hashlib.sha256(partial.read_bytes()).hexdigest()
    return partial.rename(shared / f"mobilenet_v2-{digest[:8]}.pth")


@pytest.fixture(scope="session")
def few(shared: Path) -> Dataset:
    """A dataset of few covers, for a network that takes its time."""
    return make_dataset(shared / "few", covers=60)


@pytest.fixture(scope="session")
def mobilenet_model(few: Dataset, shared: Path, pretrained: Path) -> Model:
    """A model on a MobileNetV2 of random weights, in the ONNX form that users get."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SleevenotesWarning)  # few covers in valid
        return train(few, "mobilenet", shared / "mobilenet-model", Options(weights=pretrained))


@pytest.fixture
def copied(single: Dataset, tmp_path: Path) -> Dataset:
    """The dataset of three genres once more, to be changed."""
    return copy_of(single, tmp_path / "copied")


def copy_of(dataset: Dataset, folder: Path) -> Dataset:
    """A dataset with the same files in another folder; nothing that was packed or worked out comes along."""
    shutil.copytree(dataset.folder / "images", folder / "images")
    (folder / "split.json").write_bytes((dataset.folder / "split.json").read_bytes())
    copy = replace(dataset, folder=folder)
    copy.write()
    return Dataset.open(folder)
