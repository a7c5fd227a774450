"""Networks by name: our own, those that a study built, and those that others published (`learn.imagenet`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.imagenet import PUBLISHED

SMALL_PX = 96
SMALL_POWER = 3.0
STUDY_PX = 32


def convolution(channels_in: int, channels_out: int, *, stride: int = 1) -> nn.Sequential:
    """Return a 3 × 3 convolution with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two convolutions whose result is added to what went in (He et al. 2016, https://arxiv.org/abs/1512.03385)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape, (B, C, h, w)."""
        return torch.relu(maps + self.body(maps))


def small_network() -> CoverNetwork:
    """Return our own small network, to be trained from scratch: 0.68 M parameters, D = 192.

    It keeps a 12 × 12 map to its end and pools it by the cubic mean, so that something as small as a logo counts, and
    an explanation can point at it.
    """
    return CoverNetwork(
        nn.Sequential(
            convolution(3, 32, stride=2),  # (B,  32, 48, 48)
            nn.MaxPool2d(2),  #              (B,  32, 24, 24)
            convolution(32, 64),  #          (B,  64, 24, 24)
            Residual(64),
            nn.MaxPool2d(2),  #              (B,  64, 12, 12)
            convolution(64, 128),  #         (B, 128, 12, 12)
            Residual(128),
            convolution(128, 192),  #        (B, 192, 12, 12)
        ),
        mean=(0.5, 0.5, 0.5),
        deviation=(0.25, 0.25, 0.25),
        power=SMALL_POWER,
    )


def study_cnn() -> CoverNetwork:
    """Return the small network of a study of Bandcamp's covers, to be trained from scratch: 0.06 M parameters, D = 84.

    Lee and Baraldi, "Predicting Musical Genre from Album Cover Art", section 5.1, without its last layer, which is the
    head. Covers have 32 px and no other size. They write that the first dense layer takes 32 × 6² numbers; but the
    second convolution has 10 filters, so it takes 10 × 6². Pixels are normalised to -1..1, as in the example of
    torch's documentation that they say they changed.
    """
    return CoverNetwork(
        nn.Sequential(
            nn.Conv2d(3, 50, 5),  #   (B, 50, 28, 28)
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),  #       (B, 50, 14, 14)
            nn.Conv2d(50, 10, 3),  #  (B, 10, 12, 12)
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),  #       (B, 10, 6, 6)
            nn.Flatten(),  #          (B, 360)
            nn.Linear(360, 120),
            nn.ReLU(inplace=True),
            nn.Linear(120, 84),
            nn.ReLU(inplace=True),
            nn.Unflatten(1, (84, 1, 1)),
        ),
        mean=(0.5, 0.5, 0.5),
        deviation=(0.5, 0.5, 0.5),
    )


ARCHITECTURES: dict[str, Callable[[], CoverNetwork]] = {
    "small": small_network,
    "study_cnn": study_cnn,
    **PUBLISHED,
}


def rebuilt(architecture: str, parameters: Mapping[str, NDArray[np.float32]]) -> CoverNetwork:
    """Return a network of `ARCHITECTURES` with the parameters that a model kept, ready to be asked."""
    network = ARCHITECTURES[architecture]()
    network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in parameters.items()})
    return network.eval()
