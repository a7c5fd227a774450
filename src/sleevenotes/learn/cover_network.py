"""What every network here is: covers in, features out.

A network takes covers as `covers.images` gives them, uint8 (B, S, S, 3), and normalises them inside, so that its ONNX
form can't be fed wrongly prepared pixels. It gives the mean of its last feature map, float32 (B, D); the genres are
told from that by a head (`learn.heads`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)

SMALLEST = 1e-6  # the generalised mean has no slope at 0


class CoverNetwork(nn.Module):
    """Covers in, features out.

    Parameters
    ----------
    features
        Takes normalised covers, float (B, 3, S, S), gives a feature map, float (B, D, h, w).
    mean, deviation
        Of the red, green and blue channel, in 0..1, by which the features' input is normalised.
    power
        How the map is pooled, by the generalised mean `mean(map ** power) ** (1 / power)` (Radenović et al. 2018,
        https://arxiv.org/abs/1711.02512): 1 is the mean, and the larger, the more a single place can say.
    explained
        Name of the layer among the network's modules whose map is looked at where it is asked what speaks for a genre,
        as in "features.19"; where it is empty, the last layer whose map has several places.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        features: nn.Module,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        deviation: tuple[float, float, float] = IMAGENET_DEVIATION,
        power: float = 1.0,
        explained: str = "",
    ) -> None:
        super().__init__()
        self.features, self.power, self.explained = features, power, explained
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", 255 * torch.tensor(deviation).view(1, 3, 1, 1), persistent=False)

    def normalise(self, covers: Tensor) -> Tensor:
        """Return covers, (B, S, S, 3) in 0..255, as the features want them, (B, 3, S, S)."""
        return (covers.permute(0, 3, 1, 2).float() - self.mean) / self.deviation

    def maps(self, normalised: Tensor) -> Tensor:
        """Return the last feature map, (B, D, h, w), of covers that are normalised already."""
        last: Tensor = self.features(normalised)
        return last

    def as_map(self, given: Tensor) -> Tensor:
        """Return what a layer inside gives as a map, (B, C, h, w); numbers without a place have one of their own."""
        return given if given.ndim == 4 else given.flatten(1)[:, :, None, None]

    def pooled(self, normalised: Tensor) -> Tensor:
        """Return the features, float32 (B, D), of covers that are normalised already."""
        maps = self.maps(normalised).float()  # (B, D, h, w), whatever it was computed with
        if self.power == 1:
            return maps.mean(dim=(2, 3))
        return maps.clamp_min(SMALLEST).pow(self.power).mean(dim=(2, 3)).pow(1 / self.power)

    def forward(self, covers: Tensor) -> Tensor:
        """Return the features, (B, D), of covers, uint8 (B, S, S, 3)."""
        return self.pooled(self.normalise(covers))
