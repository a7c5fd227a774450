"""Backbones: pretrained networks by name, and where their weights come from.

Weights are looked for in this order, and the first found are taken:

1. the file given with `--weights`;
2. the folder that `SLEEVENOTES_WEIGHTS` names;
3. the cache, `~/.cache/sleevenotes/weights` (or below `XDG_CACHE_HOME`);
4. the address at which torchvision's authors publish them.

Nothing is ever replaced by random weights. A published file bears the beginning of its SHA-256 in its name, and that
is checked; it is read with `torch.load(weights_only=True)`, which runs no code from the file, and kept as safetensors.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sleevenotes.covers.files import replacing
from sleevenotes.errors import WeightsError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

    from sleevenotes.learn.networks import CoverNetwork

WEIGHTS_VARIABLE = "SLEEVENOTES_WEIGHTS"
TIMEOUT_S = 30
CHUNK_BYTES = 1 << 20
WEIGHTS_EXPECTED = "a file of weights, .safetensors or .pth"


@dataclass(frozen=True)
class Training:
    """One training of a backbone: a file of weights that somebody published.

    Parameters
    ----------
    name
        What a model that uses it records.
    file_name
        What the file is called.
    sha256_prefix
        The first eight or more digits of the file's SHA-256.
    url
        Where it is published; None where only the file itself goes round.
    """

    name: str
    file_name: str
    sha256_prefix: str
    url: str | None = None


@dataclass(frozen=True)
class Backbone:
    """A pretrained network: how it is built, and the trainings of it that are known, the preferred one first."""

    name: str
    size_px: int
    features: int
    licence: str
    trainings: tuple[Training, ...]


@dataclass(frozen=True)
class Weights:
    """A file of weights that was found and checked."""

    backbone: Backbone
    training: str
    path: Path
    sha256: str


_PUBLISHED = "https://download.pytorch.org/models/"

BACKBONES = {
    "mobilenet_v2": Backbone(
        name="mobilenet_v2",
        size_px=224,
        features=1280,
        licence="BSD-3-Clause (torchvision), Apache-2.0 (WebNN)",
        trainings=(
            Training(
                "torchvision IMAGENET1K_V2",
                "mobilenet_v2-7ebf99e0.pth",
                "7ebf99e0",
                _PUBLISHED + "mobilenet_v2-7ebf99e0.pth",
            ),
            Training(
                "torchvision IMAGENET1K_V1",
                "mobilenet_v2-b0353104.pth",
                "b0353104",
                _PUBLISHED + "mobilenet_v2-b0353104.pth",
            ),
            Training("WebNN ImageNet", "mobilenet_v2.safetensors", "504155f5"),
        ),
    )
}


def backbone_named(name: str) -> Backbone:
    """Return a backbone by its name.

    Raises
    ------
    WeightsError
        Where there is none of that name.
    """
    if name not in BACKBONES:
        raise WeightsError(
            f"backbone '{name}'", "unknown", f"Known are {', '.join(BACKBONES)}", did_you_mean(name, list(BACKBONES))
        )
    return BACKBONES[name]


def cache_folder() -> Path:
    """Return the folder in which weights are kept, whether or not it is there yet."""
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or str(Path.home() / ".cache")
    return Path(home) / "sleevenotes" / "weights"


def at_hand(name: str) -> bool:
    """Return whether a backbone's weights are on this machine already."""
    return _on_disk(backbone_named(name)) is not None


def find(name: str, *, weights: Path | None = None, say: Callable[[str], None] = lambda line: None) -> Weights:
    """Find a backbone's weights, fetching them where they are not on this machine, and check them.

    Parameters
    ----------
    name
        Of the backbone.
    weights
        A file to use whatever else there is.
    say
        Is told of a download before it starts.

    Raises
    ------
    WeightsError
        Where there are none, or they are not what their name says.
    """
    backbone = backbone_named(name)
    path = weights or _on_disk(backbone) or _fetch(backbone, say)
    if not path.is_file():
        raise WeightsError(str(path), "no such file", f"weights of {name}", "Name the file with --weights FILE")
    sha256 = _sha256(path)
    return Weights(backbone, _training_of(backbone, path, sha256), path, sha256)


def load(found: Weights) -> CoverNetwork:
    """Build the backbone and load its weights, every parameter of it.

    Raises
    ------
    WeightsError
        Where the file can't be read, or does not hold this network.
    """
    from sleevenotes.learn.networks import mobilenet_v2

    parameters = {name: value for name, value in _read(found.path).items() if not name.startswith("classifier.")}
    network = mobilenet_v2()
    expected = set(network.state_dict())
    lacking, foreign = expected - set(parameters), set(parameters) - expected
    if lacking or foreign:
        raise WeightsError(
            str(found.path),
            f"of {found.backbone.name}'s parameters {len(lacking)} missing, and {len(foreign)} that are foreign to it",
            f"weights of {found.backbone.name} under torchvision's names",
            "Name another file with --weights FILE",
        )
    try:
        network.load_state_dict(parameters)
    except RuntimeError as cause:
        raise WeightsError(
            str(found.path), "parameters of other shapes", f"weights of {found.backbone.name}"
        ) from cause
    return network


def _on_disk(backbone: Backbone) -> Path | None:
    folders = [cache_folder()]
    if named := os.environ.get(WEIGHTS_VARIABLE):
        folders.insert(0, Path(named))
    for folder in folders:
        for training in backbone.trainings:
            for file_name in (training.file_name, _kept_name(training)):
                if (folder / file_name).is_file():
                    return folder / file_name
    return None


def _kept_name(training: Training) -> str:
    return str(Path(training.file_name).with_suffix(".safetensors"))


def _training_of(backbone: Backbone, path: Path, sha256: str) -> str:
    """Return which training a file is; one that claims to be a known training has to be it."""
    for training in backbone.trainings:
        if sha256.startswith(training.sha256_prefix):
            return training.name
        if path.name == _kept_name(training) and (source := _source_of(path)):
            return _training_of(backbone, path.with_name(training.file_name), source)
        if path.name == training.file_name:
            raise WeightsError(
                str(path),
                f"its SHA-256 begins with {sha256[:8]}",
                f"{training.sha256_prefix}, as {training.name} has",
                "Delete the file and fetch it again, or rename it if it is a training of your own",
            )
    return f"{path.stem} (unpublished)"


def _source_of(path: Path) -> str:
    """Return the SHA-256 of the published file that a kept one was made of."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return str((file.metadata() or {}).get("source_sha256", ""))
    except (SafetensorError, OSError) as cause:
        raise _unreadable(path, cause) from cause


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(backbone: Backbone, say: Callable[[str], None]) -> Path:
    training = next((training for training in backbone.trainings if training.url), None)
    cure = f"name a file of weights with --weights FILE (or its folder with {WEIGHTS_VARIABLE})"
    if training is None:
        found = "its weights are not on this machine, and none are published"
        raise WeightsError(f"backbone {backbone.name}", found, cure=cure.replace("name", "Name", 1))
    url = str(training.url)
    folder = cache_folder()
    say(f"fetching {backbone.name} from {url}")
    fetched = folder / training.file_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _download(url, fetched)
    except (OSError, http.client.HTTPException) as cause:  # an URLError is an OSError
        raise WeightsError(
            f"backbone {backbone.name}",
            f"its weights are not on this machine, and {url} can't be fetched ({cause})",
            cure=f"Connect to the network, or {cure}",
        ) from cause
    sha256 = _sha256(fetched)
    if not sha256.startswith(training.sha256_prefix):
        fetched.unlink()
        raise WeightsError(
            url,
            f"what came has a SHA-256 that begins with {sha256[:8]}",
            training.sha256_prefix,
            "Try again later, or name a file of weights with --weights FILE",
        )
    return _keep(fetched, sha256, folder / _kept_name(training))


def _download(url: str, path: Path) -> None:
    """Write what is at an address to a file, whole or not at all."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, replacing(path) as partial:
        with partial.open("wb") as file:
            shutil.copyfileobj(answer, file, CHUNK_BYTES)
        length, came = answer.headers["Content-Length"], partial.stat().st_size
        if length and came != int(length):
            raise OSError(f"cut off after {came:,} of {int(length):,} bytes")


def _keep(fetched: Path, sha256: str, kept: Path) -> Path:
    from safetensors.torch import save_file

    parameters = {name: value.contiguous() for name, value in _read(fetched).items()}
    with replacing(kept) as partial:
        save_file(parameters, partial, metadata={"source_sha256": sha256})
    fetched.unlink()
    return kept


def _read(path: Path) -> dict[str, Tensor]:
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # what a damaged file raises depends on the byte that is damaged
        raise _unreadable(path, cause) from cause
    if not isinstance(held, dict) or not all(isinstance(value, torch.Tensor) for value in held.values()):
        raise WeightsError(str(path), "something else than parameters by name", WEIGHTS_EXPECTED)
    return held


def _unreadable(path: Path, cause: Exception) -> WeightsError:
    first_line = (str(cause).splitlines() or [type(cause).__name__])[0]
    return WeightsError(str(path), f"can't be read ({first_line})", WEIGHTS_EXPECTED)
