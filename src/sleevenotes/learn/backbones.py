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
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.files import replacing
from sleevenotes.errors import WeightsError, did_you_mean
from sleevenotes.learn.onnx import ForeignOnnxNetwork

if TYPE_CHECKING:
    from torch import Tensor

    from sleevenotes.learn.cover_network import CoverNetwork

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
    """A pretrained network: how it is built, and the trainings of it that are known, the preferred one first.

    Parameters
    ----------
    name
        As in `learn.imagenet`, or that of an ONNX file.
    size_px
        Width and height of the covers that it was trained for.
    features
        D.
    licence
        Of the weights.
    trainings
        Files of weights.
    last_layer
        How the names of those parameters begin that are left out.
    sizes_px
        The smallest and the largest covers that it takes; None where there is no largest.
    """

    name: str
    size_px: int
    features: int
    licence: str
    trainings: tuple[Training, ...]
    last_layer: str = "classifier."
    sizes_px: tuple[int, int | None] = (32, None)


@dataclass(frozen=True)
class Weights:
    """A file of weights that was found and checked."""

    backbone: Backbone
    training: str
    path: Path
    sha256: str


_ADDRESS = "https://download.pytorch.org/models/"
_TORCHVISION = "BSD-3-Clause (torchvision)"


def _published(name: str, prefix: str, version: int = 1) -> Training:
    """Return a training that torchvision publishes."""
    file_name = f"{name}-{prefix}.pth"
    return Training(f"torchvision IMAGENET1K_V{version}", file_name, prefix, _ADDRESS + file_name)


BACKBONES = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            "alexnet",
            224,
            4096,
            _TORCHVISION,
            (_published("alexnet-owt", "7be5be79"),),
            last_layer="classifier.6.",
            sizes_px=(63, None),  # of smaller ones its third pooling has nothing left
        ),
        Backbone("resnet18", 224, 512, _TORCHVISION, (_published("resnet18", "f37072fd"),), last_layer="fc."),
        Backbone("resnet34", 224, 512, _TORCHVISION, (_published("resnet34", "b627a593"),), last_layer="fc."),
        Backbone(
            "resnet152",
            224,
            2048,
            _TORCHVISION,
            (_published("resnet152", "394f9c45"), _published("resnet152", "f82ba261", 2)),
            last_layer="fc.",
        ),
        Backbone(
            "squeezenet1_1",
            224,
            512,
            "BSD-3-Clause (torchvision), Apache-2.0 (WebNN)",
            (
                _published("squeezenet1_1", "b8a52dc0"),
                Training("WebNN ImageNet", "squeezenet1_1.safetensors", "c64ee0f7"),
            ),
        ),
        Backbone(
            "mobilenet_v2",
            224,
            1280,
            "BSD-3-Clause (torchvision), Apache-2.0 (WebNN)",
            (
                _published("mobilenet_v2", "7ebf99e0", 2),
                _published("mobilenet_v2", "b0353104"),
                Training("WebNN ImageNet", "mobilenet_v2.safetensors", "504155f5"),
            ),
        ),
        Backbone(
            "mobilenet_edgetpu",
            224,
            1280,
            "Apache-2.0 (MLCommons)",
            (Training("MLCommons ImageNet", "mobilenet_edgetpu.onnx", "11b92627"),),
            sizes_px=(224, 224),  # as its graph has it
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
    from sleevenotes.learn.imagenet import PUBLISHED

    last_layer = found.backbone.last_layer
    parameters = {name: value for name, value in _read(found.path).items() if not name.startswith(last_layer)}
    network = PUBLISHED[found.backbone.name]()
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


class BackboneExtractor:
    """A frozen backbone as an extractor of features (`learn.features`): the weights are read when it is first asked.

    Parameters
    ----------
    found
        The weights: of a network of `learn.imagenet`, or a graph, `.onnx`, that takes covers of one size and
        normalises them to -1..1.
    size_px
        Width and height of the covers that it gets.
    """

    def __init__(self, found: Weights, size_px: int) -> None:
        self.found, self.size_px = found, size_px

    @property
    def key(self) -> str:
        """Name of the backbone, its weights and the covers' size."""
        return f"{self.found.backbone.name}-{self.found.sha256[:16]}-{self.size_px}px"

    @cached_property
    def _features(self) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
        if self.found.path.suffix == ".onnx":
            return ForeignOnnxNetwork(self.found.path).features
        return _inferring(load(self.found))

    def features(self, covers: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features, (n, D), of covers, (n, S, S, 3)."""
        return self._features(covers)


def extractor(
    name: str,
    size_px: int | None = None,
    *,
    weights: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> BackboneExtractor:
    """Return a backbone as an extractor of features, its weights found as by `find`.

    Parameters
    ----------
    name
        Of the backbone.
    size_px
        Width and height of the covers; those it was trained for where None.
    weights
        A file to use whatever else there is.
    say
        Is told of a download before it starts.

    Raises
    ------
    WeightsError
        Where it does not take covers of that size; where there are no weights, or they are not what their name says.
    """
    backbone = backbone_named(name)
    size_px = size_px or backbone.size_px
    smallest, largest = backbone.sizes_px
    if not smallest <= size_px <= (largest or size_px):
        taken = f"covers of {smallest} px" if largest else f"covers of {smallest} px or more"
        found = f"{size_px} px leave it nothing to pool" if size_px < smallest and not largest else f"{size_px} px"
        raise WeightsError(f"backbone {name}", found, taken)
    return BackboneExtractor(find(name, weights=weights, say=say), size_px)


def _inferring(network: CoverNetwork) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Return what gives a network's features, and nothing for it to learn by."""
    import torch

    network.eval()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # SqueezeNet: 108 covers/s, not 38

    @torch.inference_mode()
    def features(covers: NDArray[np.uint8]) -> NDArray[np.float32]:
        return network(torch.from_numpy(np.ascontiguousarray(covers))).numpy()  # type: ignore[no-any-return]

    return features


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
    if training.file_name.endswith(".onnx"):
        return training.file_name
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
