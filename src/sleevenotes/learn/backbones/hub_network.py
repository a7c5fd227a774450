"""A network of transformers as one that takes covers and gives features."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from sleevenotes.learn.backbones.registry import Channels
from sleevenotes.learn.cover_network import CoverNetwork


class HubNetwork(CoverNetwork):
    """A network that sees, as transformers builds it, with its own pooling.

    Parameters
    ----------
    network
        Takes `pixel_values`, (B, 3, S, S), and gives `pooler_output`, (B, D), and `last_hidden_state`, a map
        (B, D, h, w) or tokens (B, T, D), of which the last are the patches, row by row.
    mean, deviation
        By which it wants its pixels normalised.
    """

    def __init__(self, network: nn.Module, mean: Channels, deviation: Channels) -> None:
        super().__init__(nn.Identity(), mean, deviation)
        self.network = network
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        config: Any = network.config
        self.patch_px = int(getattr(config, "patch_size", 0) or 0)
        self.patches = 0  # along each side, of the covers that were seen last

    def maps(self, normalised: Tensor) -> Tensor:
        """Return the last map, (B, D, h, w)."""
        return self.as_map(self._seen(normalised).last_hidden_state)

    def as_map(self, given: Any) -> Tensor:
        """Return what a layer inside gives as a map, (B, C, h, w), of tokens those of the patches alone."""
        tensor: Tensor = given[0] if isinstance(given, tuple) else given
        if tensor.ndim != 3:
            return super().as_map(tensor)
        side = self.patches
        patches = tensor[:, tensor.shape[1] - side * side :]  # (B, h w, C); a class token stands before them
        return patches.transpose(1, 2).reshape(tensor.shape[0], tensor.shape[2], side, side)

    def pooled(self, normalised: Tensor) -> Tensor:
        """Return the pooled output of the network, float32 (B, D)."""
        features: Tensor = self._seen(normalised).pooler_output
        return features.float()

    def _seen(self, normalised: Tensor) -> Any:
        self.patches = normalised.shape[-1] // self.patch_px if self.patch_px else 0
        wanted = {"interpolate_pos_encoding": True} if self._resizes(normalised.shape[-1]) else {}
        return self.network(pixel_values=normalised, **wanted)

    def _resizes(self, size_px: int) -> bool:
        """Return whether places have to be told anew, as covers are not of the size that CLIP or SigLIP learnt at."""
        config: Any = self.network.config
        return "clip" in config.model_type and size_px != config.image_size
