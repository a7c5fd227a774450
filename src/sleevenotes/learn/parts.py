"""Parts of models: how a backbone, colours or gradients are written into a model's folder as what gives its features.

A part has a **form**, told by what it is made of (a backbone, its layers, its grid, the views it is shown), and once it
is written, a card: what `model.json` says of it, and what `learn.extractors` builds it from.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.images import sha256
from sleevenotes.learn import backbones
from sleevenotes.learn.extractors import COMPOSED_PX, WHOLE, NetworkExtractor, ViewedExtractor, built
from sleevenotes.learn.likeness import Likeness

PARTS = "parts"  # the folder of a composed model's networks
TUNING = "tuning"  # that of what was tuned so far, while a ladder is climbed (`learn.tuning`)

Parameters = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class PartForm:
    """What a part is made of.

    Parameters
    ----------
    kind
        `color`, `gradients` or `network`.
    backbone
        Of a network: the name of a backbone.
    layers, grid
        Of a network: what is read of it (`learn.readings`); the last map as the network pools it where there are none.
    views
        Some of `learn.extractors.VIEWS`.
    rooted
        Whether the square root is taken of features: a few large ones say less then, and many small ones more.
    """

    kind: Literal["color", "gradients", "network"]
    backbone: str = ""
    layers: tuple[str, ...] = ()
    grid: int = 1
    views: tuple[str, ...] = WHOLE
    rooted: bool = False

    @property
    def name(self) -> str:
        """What the part is called, and its file: alike for the same network read alike, whatever it is shown."""
        if self.kind != "network":
            return self.kind
        told = [self.backbone]
        told += [f"{len(self.layers)}-layers"] if len(self.layers) > 1 else list(self.layers)
        told += [f"grid-{self.grid}"] if self.grid > 1 else []
        return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(told))


@dataclass(frozen=True)
class Part:
    """A part that was written.

    Parameters
    ----------
    card
        What the model's card says of it.
    folder
        Of the model.
    parameters
        Of its network in torch; nothing where it has none.
    of, likeness
        Of a likeness: the parts that are its ground, and the covers to compare with.
    """

    card: dict[str, Any]
    folder: Path
    parameters: Parameters = field(default_factory=dict, repr=False)
    of: tuple[Part, ...] = ()
    likeness: Likeness | None = field(default=None, repr=False)

    @property
    def extractor(self) -> ViewedExtractor:
        """What gives the features of a part that is no likeness, all of its views averaged."""
        (extractor,) = built([self.card], self.folder, COMPOSED_PX).parts
        assert isinstance(extractor, ViewedExtractor)
        return extractor

    @property
    def key(self) -> str:
        """Alike for parts whose features are alike."""
        return self.card["name"] if self.likeness else self.extractor.key

    def finish(self) -> None:
        """Write what is not written yet: the covers that a likeness compares with, whose SHA-256 the card gets."""
        if self.likeness:
            (self.folder / PARTS).mkdir(parents=True, exist_ok=True)
            self.likeness.save(self.folder / self.card["file"])
            self.card["sha256"] = sha256((self.folder / self.card["file"]).read_bytes())

    @property
    def files(self) -> set[Path]:
        """The files that it needs."""
        own = {self.folder / self.card["file"]} if "file" in self.card else set()
        return own.union(*(part.files for part in self.of))

    @property
    def all_parameters(self) -> dict[str, Parameters]:
        """Parameters of each network that it needs, by the name of its part."""
        own = {self.card["name"]: self.parameters} if self.parameters else {}
        for part in self.of:
            own |= part.all_parameters
        return own


def write_network(
    found: backbones.Weights, path: Path, *, layers: tuple[str, ...] = (), grid: int = 1
) -> tuple[dict[str, Any], Parameters]:
    """Write the ONNX form of a backbone, and return what a card says of it, and its parameters.

    Parameters
    ----------
    found
        The backbone and its weights, of a network that is known here or of any ONNX graph.
    path
        The file to write.
    layers, grid
        As in `learn.readings`.

    Returns
    -------
    `size_px, network, backbone`; `network.architecture` is None for a graph that has no form in torch.
    """
    read = backbones.BackboneExtractor(found, found.backbone.size_px, backbones.Look(layers, grid))
    read.write(path)
    parameters: Parameters = {}
    count = None
    if found.path.suffix != ".onnx" and not found.backbone.hub:  # those have no form in torch that is known here
        network = backbones.load(found)
        parameters = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
        count = sum(parameter.numel() for parameter in network.parameters())
    network_card = {
        "architecture": found.backbone.name if parameters else None,
        "file": path.name,
        "sha256": NetworkExtractor(path, read.size_px).network.sha256,
        "parameters": count,
        "precision": "float32",
    }
    return {"size_px": read.size_px, "network": network_card, "backbone": read.card}, parameters


def write_part(form: PartForm, folder: Path, *, say: Callable[[str], None] = lambda line: None) -> Part:
    """Write a part into a model's folder; a network that is there already is taken as it is.

    Raises
    ------
    WeightsError
        Where a backbone's weights are not to be had.
    """
    card: dict[str, Any] = {"name": form.name, "kind": form.kind, "views": list(form.views), "rooted": form.rooted}
    if form.kind != "network":
        return Part(card | {"network": None, "backbone": None}, folder)
    (folder / PARTS).mkdir(parents=True, exist_ok=True)
    found = backbones.find(form.backbone, say=say)
    path = folder / PARTS / f"{form.name}.onnx"
    told, parameters = write_network(found, path, layers=form.layers, grid=form.grid)
    reading = {"layers": list(form.layers), "grid": form.grid, "file": f"{PARTS}/{path.name}"}
    return Part(card | told | reading, folder, parameters)


def likeness_part(number: int, of: tuple[Part, ...], likeness: Likeness) -> Part:
    """Return the part of a likeness, which is not written before it is finished."""
    name = f"likeness-{number}"
    card = {"name": name, "kind": "likeness", "file": f"{PARTS}/{name}.safetensors", "network": None, "backbone": None}
    return Part(card | {"of": [part.card for part in of]}, of[0].folder, of=of, likeness=likeness)


def borrowed_part(card: dict[str, Any], lender: Path, folder: Path, parameters: Parameters) -> Part:
    """Return a part of another model, its network copied into a model's folder."""
    if card["kind"] == "network":
        (folder / PARTS).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(lender / card["file"], folder / card["file"])
    return Part(card, folder, parameters)
