"""A frozen backbone as an extractor of features, and its ONNX form as a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.files import replacing
from sleevenotes.errors import WeightsError
from sleevenotes.learn.backbones.foreign import manner_of
from sleevenotes.learn.backbones.registry import Backbone, backbone_named
from sleevenotes.learn.backbones.weights import ONNX, Weights, find, load
from sleevenotes.learn.backbones.wrapping import Form, wrapped
from sleevenotes.learn.onnx import OnnxNetwork

if TYPE_CHECKING:
    from sleevenotes.learn.cover_network import CoverNetwork


@dataclass(frozen=True)
class Look:
    """How a backbone is read.

    Parameters
    ----------
    layers
        Names of layers, whose maps are taken one after the other (`layers_of`); the last map where empty.
    grid
        Cells along each side of a map; 1 is the mean of the whole map.
    normalise
        How an ONNX file wants its pixels, where it has no JSON file beside it that says so.
    """

    layers: tuple[str, ...] = ()
    grid: int = 1
    normalise: str = ""


PLAIN = Look()


class BackboneExtractor:
    """A frozen backbone as an extractor of features (`learn.features`): the weights are read when it is first asked.

    Parameters
    ----------
    found
        The weights.
    size_px
        Width and height of the covers that it gets.
    look
        How it is read.
    """

    def __init__(self, found: Weights, size_px: int, look: Look = PLAIN) -> None:
        self.found, self.size_px, self.look = found, size_px, look

    @property
    def key(self) -> str:
        """Name of the backbone, its weights, the covers' size, and how it is read where that is not plain."""
        plain = f"{self.found.backbone.name}-{self.found.sha256[:16]}-{self.size_px}px"
        if self.look == PLAIN:
            return plain
        return "-".join([plain, *self.look.layers, f"grid{self.look.grid}", self.look.normalise]).rstrip("-")

    @property
    def card(self) -> dict[str, Any]:
        """What a model that uses it records of it, as JSON holds it."""
        backbone = self.found.backbone
        return {
            "name": backbone.name,
            "training": self.found.training,
            "sha256": self.found.sha256,
            "licence": backbone.licence,
            "layers": list(self.look.layers),
            "grid": self.look.grid,
        }

    def write(self, path: Path) -> float:
        """Write its ONNX form, `covers` to `features`; return the largest relative difference from the original.

        Raises
        ------
        WeightsError
            Where a layer is not there, or an ONNX file can't be put into that form.
        ModelError
            Where the two differ by more than 1e-4.
        """
        if self._form is not None:
            with replacing(path) as partial:
                partial.write_bytes(self._form.content)
            return self._form.difference
        from sleevenotes.learn.readings import write_form

        network = load(self.found)
        return write_form(network, path, size_px=self.size_px, layers=self.look.layers, grid=self.look.grid)

    @cached_property
    def _form(self) -> Form | None:
        """The form of an ONNX file; None for what torch computes."""
        path = self.found.path
        if path.suffix != ONNX:
            return None
        manner = manner_of(path, self.look.normalise or self.found.backbone.normalise)
        return wrapped(path, manner, layers=self.look.layers, grid=self.look.grid)

    @cached_property
    def _features(self) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
        if self._form is not None:
            return OnnxNetwork(self._form.content).features
        network = load(self.found)
        if self.look == PLAIN:
            return _inferring(network)
        from sleevenotes.learn.readings import Reading

        return _inferring(Reading(network, self.look.layers, self.look.grid))

    def features(self, covers: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features, (n, D), of covers, (n, S, S, 3)."""
        return self._features(covers)


def extractor(
    name: str,
    size_px: int | None = None,
    *,
    weights: Path | None = None,
    look: Look = PLAIN,
    say: Callable[[str], None] = lambda line: None,
) -> BackboneExtractor:
    """Return a backbone as an extractor of features, its weights found as by `find`.

    Parameters
    ----------
    name
        Of the backbone, or of an ONNX file.
    size_px
        Width and height of the covers; those it was trained for where None.
    weights
        A file, or for a model of the hub a folder, to use whatever else there is.
    look
        How it is read.
    say
        Is told of a download before it starts.

    Raises
    ------
    WeightsError
        Where it does not take covers of that size; where there are no weights, or they are not what their name says.
    """
    if not name.endswith(ONNX):
        _refuse_size(backbone_named(name), size_px)  # before anything is fetched
    found = find(name, weights=weights, say=say, normalise=look.normalise)
    _refuse_size(found.backbone, size_px)
    return BackboneExtractor(found, size_px or found.backbone.size_px, look)


def _refuse_size(backbone: Backbone, size_px: int | None) -> None:
    """Refuse covers of a size that a backbone can't take."""
    smallest, largest = backbone.sizes_px
    if size_px is None or smallest <= size_px <= (largest or size_px):
        return
    found = f"{size_px} px leave it nothing to pool" if size_px < smallest and not largest else f"{size_px} px"
    expected = f"covers of {smallest} px" if largest else f"covers of {smallest} px or more"
    raise WeightsError(f"backbone {backbone.name}", found, expected)


def _inferring(network: CoverNetwork) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Return what gives a network's features, and nothing for it to learn by."""
    import torch

    network.eval()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # SqueezeNet: 108 covers/s, not 38

    @torch.inference_mode()
    def features(covers: NDArray[np.uint8]) -> NDArray[np.float32]:
        return network(torch.from_numpy(np.ascontiguousarray(covers))).numpy()  # type: ignore[no-any-return]

    return features
