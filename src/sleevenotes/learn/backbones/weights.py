"""Where the weights of a backbone come from, and that they are the ones named.

Weights are looked for in this order, and the first found are taken:

1. the file given with `--weights`;
2. the folder that `SLEEVENOTES_WEIGHTS` names;
3. the cache, `~/.cache/sleevenotes/weights` (or below `XDG_CACHE_HOME`);
4. the address at which torchvision's authors publish them.

Nothing is ever replaced by random weights. A published file bears the beginning of its SHA-256 in its name, and that
is checked; it is read with `torch.load(weights_only=True)`, which runs no code from the file, and kept as safetensors.
A download that breaks off goes on the next time (`resuming`).

A network of the hub (`hub`) is a folder where the others are a file, and has the hub's own cache in the third place.
An ONNX file is its own weights: it is named by its path.
"""

from __future__ import annotations

import hashlib
import http.client
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sleevenotes.covers.files import replacing
from sleevenotes.errors import WeightsError
from sleevenotes.learn.backbones import hub, resuming
from sleevenotes.learn.backbones.foreign import manner_of, opened
from sleevenotes.learn.backbones.registry import Backbone, Training, backbone_named
from sleevenotes.learn.onnx import first_line

if TYPE_CHECKING:
    from torch import Tensor

    from sleevenotes.learn.cover_network import CoverNetwork

WEIGHTS_VARIABLE = "SLEEVENOTES_WEIGHTS"
ONNX = ".onnx"
WEIGHTS_EXPECTED = "a file of weights, .safetensors or .pth"


@dataclass(frozen=True)
class Weights:
    """A file of weights that was found and checked."""

    backbone: Backbone
    training: str
    path: Path
    sha256: str


def cache_folder() -> Path:
    """Return the folder in which weights are kept, whether or not it is there yet."""
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or str(Path.home() / ".cache")
    return Path(home) / "sleevenotes" / "weights"


def at_hand(name: str) -> bool:
    """Return whether a backbone's weights are on this machine already."""
    return _on_disk(backbone_named(name)) is not None


def find(
    name: str,
    *,
    weights: Path | None = None,
    normalise: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> Weights:
    """Find a backbone's weights, fetching them where they are not on this machine, and check them.

    Parameters
    ----------
    name
        Of the backbone, or the path of an ONNX file.
    weights
        A file, or the folder of a network of the hub, to use whatever else there is.
    normalise
        How an ONNX file that is named by its path wants its pixels.
    say
        Is told of a download before it starts.

    Raises
    ------
    WeightsError
        Where there are none, or they are not what their name says.
    """
    if name.endswith(ONNX):
        return _foreign(Path(name), normalise)
    backbone = backbone_named(name)
    path = weights or _on_disk(backbone) or (hub.fetch(backbone, say) if backbone.hub else _fetch(backbone, say))
    if backbone.hub:
        sha256 = _sha256(hub.weights_file(path, backbone))
        published = weights is None
        training = f"{backbone.hub} {backbone.revision[:12]}" if published else f"{path.resolve().name} (unpublished)"
        return Weights(backbone, training, path, sha256)
    if not path.is_file():
        raise WeightsError(str(path), "no such file", f"weights of {name}", "Name the file with --weights FILE")
    sha256 = _sha256(path)
    return Weights(backbone, _training_of(backbone, path, sha256), path, sha256)


def _foreign(path: Path, normalise: str) -> Weights:
    """Return an ONNX file as a backbone of its own."""
    if not path.is_file():
        raise WeightsError(str(path), "no such file", "an ONNX file", "Name another with --backbone FILE.onnx")
    graph = opened(path, manner_of(path, normalise))
    size_px, licence = graph.manner.size_px, graph.manner.licence
    # of any size but that of its graph only the graph itself could tell whether it takes it
    backbone = Backbone(
        path.stem, size_px, 0, licence, (), sizes_px=(size_px, size_px), normalise=graph.manner.normalise
    )
    return Weights(backbone, f"{path.name} (a graph of others)", path, _sha256(path))


def load(found: Weights) -> CoverNetwork:
    """Build the backbone and load its weights, every parameter of it.

    Raises
    ------
    WeightsError
        Where the file can't be read, or does not hold this network.
    """
    if found.path.suffix == ONNX:
        told = "an ONNX file, which can be asked but not taught"
        raise WeightsError(str(found.path), told, "weights of a network that torch computes")
    if found.backbone.hub:
        return hub.load(found.path, found.backbone)
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


def _on_disk(backbone: Backbone) -> Path | None:
    folders = [cache_folder()]
    if named := os.environ.get(WEIGHTS_VARIABLE):
        folders.insert(0, Path(named))
    if backbone.hub:
        return hub.on_disk(backbone, folders)
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
        resuming.fetch(url, fetched)
    except (OSError, http.client.HTTPException) as cause:  # an URLError is an OSError
        came = resuming.part_of(fetched).exists()
        raise WeightsError(
            f"backbone {backbone.name}",
            f"its weights are not on this machine, and {url} can't be fetched ({cause})",
            cure=f"Connect to the network, or {cure}" + (". What came is kept, and goes on from there" if came else ""),
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
    return WeightsError(str(path), f"can't be read ({first_line(cause)})", WEIGHTS_EXPECTED)
