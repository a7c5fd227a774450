"""Readings: which of a network's maps are taken for features, and how finely.

The mean of a network's last map is one reading among many. What a layer further down sees is less about things and
more about texture, and a map that is pooled on a grid keeps where on a cover something is. A reading is written as an
ONNX form like any other (`learn.onnx`), so that whatever takes features takes these: the numbers of its layers one
after the other, and of each layer those of a channel's cells, row by row, before those of the next channel.

**Grid**: a map of h × w places is pooled into g × g cells by the mean (`learn.onnx.cells`). A layer that has fewer
places than cells gives each of them once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sleevenotes.errors import WeightsError, did_you_mean
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.onnx import cells, export

LARGEST_GRID = 16


class Reading(CoverNetwork):
    """A network that is read at chosen layers, on a grid.

    Parameters
    ----------
    network
        What is read; its own normalising is kept.
    layers
        Names of its modules, as in "features.13", in the order in which their numbers come; its last map, pooled as
        the network pools it, where there are none.
    grid
        Cells along each side of a map.

    Raises
    ------
    WeightsError
        Where the network has no layer of a name, or the grid is not of 1 to 16 cells a side.
    """

    def __init__(self, network: CoverNetwork, layers: Sequence[str] = (), grid: int = 1) -> None:
        super().__init__(nn.Identity())
        if not 1 <= grid <= LARGEST_GRID:
            raise WeightsError(f"grid {grid}", "no such grid", f"1 to {LARGEST_GRID} cells a side")
        known = [name for name, _ in network.named_modules() if name]
        for layer in layers:
            if layer not in known:
                found = f"the network has no layer of that name, but {len(known)} others"
                raise WeightsError(f"layer '{layer}'", found, cure=did_you_mean(layer, known))
        self.network, self.layers, self.grid = network, tuple(layers), grid

    def normalise(self, covers: Tensor) -> Tensor:
        """Return covers, (B, S, S, 3) in 0..255, as the network wants them, (B, 3, S, S)."""
        return self.network.normalise(covers)

    def maps(self, normalised: Tensor) -> Tensor:
        """Return the network's last map, (B, D, h, w)."""
        return self.network.maps(normalised)

    def pooled(self, normalised: Tensor) -> Tensor:
        """Return the features, (B, D): of each layer its channels times its cells."""
        if self.layers:
            return torch.cat(self._read_inside(normalised), dim=1)
        if self.grid == 1:
            return self.network.pooled(normalised)
        return on_grid(self.network.maps(normalised).float(), self.grid)

    def _read_inside(self, normalised: Tensor) -> list[Tensor]:
        """Return what each layer tells, each (B, D of it), from one way through the network."""
        told: dict[str, Tensor] = {}
        modules = dict(self.network.named_modules())

        def reading(name: str) -> Callable[[nn.Module, Any, Any], None]:
            def read(module: nn.Module, taken: Any, given: Any) -> None:
                # at once: the layer behind may write its own numbers over these
                told[name] = on_grid(self.network.as_map(given).float(), self.grid)

            return read

        hooks = [modules[name].register_forward_hook(reading(name)) for name in dict.fromkeys(self.layers)]
        try:
            self.network.pooled(normalised)
        finally:
            for hook in hooks:
                hook.remove()
        return [told[name] for name in self.layers]


def write_form(network: CoverNetwork, path: Path, *, size_px: int, layers: Sequence[str] = (), grid: int = 1) -> float:
    """Write the ONNX form of a network that is read at chosen layers, on a grid, and check it against torch.

    Parameters
    ----------
    network
        The network; it is put into evaluation mode.
    path
        The file to write.
    size_px
        The covers' width and height.
    layers
        Names of modules, such as "features.13"; the last map where empty. `backbones.layers_of` has some for each
        backbone.
    grid
        Cells along each side of a map; 1 is the mean of the whole map.

    Returns
    -------
    The largest difference of a feature between the two forms, relative to the largest feature.

    Raises
    ------
    WeightsError
        Where the network has no layer of a name, or the grid is not of 1 to 16 cells a side.
    ModelError
        Where the two forms differ by more than 1e-4.
    """
    plain = not layers and grid == 1
    return export(network if plain else Reading(network, layers, grid), path, size_px=size_px)


def on_grid(maps: Tensor, grid: int) -> Tensor:
    """Return maps, (B, D, h, w), pooled into cells, (B, D g²); where a side has fewer places than cells, its places."""
    rows, columns = (cells(side, min(grid, side)) for side in maps.shape[2:])
    pooled = torch.from_numpy(rows).to(maps) @ maps @ torch.from_numpy(columns.T.copy()).to(maps)  # (B, D, g, g)
    return pooled.flatten(1)
