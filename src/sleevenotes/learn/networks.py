"""Networks by name: our own, those that a study built, and those that others published (`learn.imagenet`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sleevenotes.learn.compact import folded
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.imagenet import PUBLISHED

SMALL_PX = 96
SMALL_POWER = 3.0
STUDY_PX = 32
DISTILLED_PX = 128

PROG_PX = 260
PROG_CHANNELS = (32, 32, 64, 64, 128, 128, 128)
PROG_DENSE = 100
PROG_DROPOUT = 0.25  # the prog study doesn't tell its own; this one is usual in Keras' examples of convolutions
PLAIN_MEAN, PLAIN_DEVIATION = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)  # pixels in 0..1, as students of Keras feed them


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


def distilled_network() -> CoverNetwork:
    """Return our own network that is taught by a stronger one, to be trained from scratch: 0.95 M parameters, D = 320.

    Small enough to come with the package twice, as parameters and in its ONNX form (`learn.compact`). Its covers have
    128 px, as what is at hand for many genres has little more than that.
    """
    return CoverNetwork(
        nn.Sequential(
            convolution(3, 32, stride=2),  # (B,  32, 64, 64)
            nn.MaxPool2d(2),  #              (B,  32, 32, 32)
            convolution(32, 64),  #          (B,  64, 32, 32)
            Residual(64),
            nn.MaxPool2d(2),  #              (B,  64, 16, 16)
            convolution(64, 128),  #         (B, 128, 16, 16)
            Residual(128),
            nn.MaxPool2d(2),  #              (B, 128, 8, 8)
            convolution(128, 128),
            Residual(128),
            nn.Conv2d(128, 320, 1, bias=False),
            nn.BatchNorm2d(320),
            nn.ReLU(inplace=True),  #        (B, 320, 8, 8)
        ),
        mean=(0.5, 0.5, 0.5),
        deviation=(0.25, 0.25, 0.25),
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


def prog_network(*, batch_norm: bool = True, dropout: bool = True) -> CoverNetwork:
    """Return the network of a study of prog rock's covers, to be trained from scratch: 0.49 M parameters, D = 100.

    Fieck and Vadlamudi, "Final Project" (the prog study), Methods, without its last layer, one sigmoid output, which is
    the head. Covers have 260 px; of 128 px and more others go in, too, whose last map is brought to 2 × 2. What follows
    is not told there, and is our reading: that convolutions are padded by 1, which makes seven poolings possible;
    that batch norm and dropout take turns after the eight layers, batch norm first; `PROG_DROPOUT`; and that pixels
    are scaled to 0..1.

    ReLU and pooling may change places, as the larger of two numbers stays the larger: the same results, for a quarter
    of the work. Only the last convolution has them in the study's order, as its map, 4 × 4, is the one that is
    explained.

    Parameters
    ----------
    batch_norm, dropout
        Whether it has them; without one of them, the other stays where it is.
    """
    layers: list[nn.Module] = []
    for index, (channels_in, channels) in enumerate(pairwise((3, *PROG_CHANNELS))):
        layer, relu, pooling = nn.Conv2d(channels_in, channels, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        last = index + 1 == len(PROG_CHANNELS)
        layers += [layer, relu, pooling] if last else [layer, pooling, relu]
        # (B, 32, 130, 130), (B, 32, 65, 65), (B, 64, 32, 32), (B, 64, 16, 16), (B, 128, 8, 8), (B, 128, 4, 4),
        # (B, 128, 2, 2)
        if index % 2 == 0 and batch_norm:
            layers.append(nn.BatchNorm2d(channels))
        if index % 2 == 1 and dropout:
            layers.append(nn.Dropout(PROG_DROPOUT))
    rectified = [index for index, layer in enumerate(layers) if isinstance(layer, nn.ReLU)]
    layers += [
        nn.AdaptiveAvgPool2d(2),  # changes nothing at 260 px
        nn.Flatten(),  #            (B, 512)
        nn.Linear(512, PROG_DENSE),
        nn.ReLU(inplace=True),
        *([nn.Dropout(PROG_DROPOUT)] if dropout else []),
        nn.Unflatten(1, (PROG_DENSE, 1, 1)),
    ]
    return CoverNetwork(nn.Sequential(*layers), PLAIN_MEAN, PLAIN_DEVIATION, explained=f"features.{rectified[-1]}")


def prog_first() -> CoverNetwork:
    """Return what may have been the prog study's first network, lightly regularised: 0.30 M parameters, D = 100.

    It is not described there; this is our reading of "a simple model with little regularization layers": less than
    half as deep, pooled more coarsely, and with a single dropout. Covers have 260 px, or 64 px and more.
    """
    return CoverNetwork(
        nn.Sequential(  # at 260 px
            nn.Conv2d(3, 32, 3, padding=1),
            nn.MaxPool2d(4),  #           (B,  32, 65, 65)
            nn.ReLU(inplace=True),  #     after pooling, as in `prog_network`
            nn.Conv2d(32, 64, 3, padding=1),
            nn.MaxPool2d(4),  #           (B,  64, 16, 16)
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 128, 3, padding=1),
            nn.ReLU(inplace=True),  #     (B, 128, 16, 16)
            nn.MaxPool2d(4),  #           (B, 128, 4, 4)
            nn.AdaptiveAvgPool2d(4),  #   changes nothing at 260 px
            nn.Flatten(),  #              (B, 2048)
            nn.Linear(2048, PROG_DENSE),
            nn.ReLU(inplace=True),
            nn.Dropout(PROG_DROPOUT),
            nn.Unflatten(1, (PROG_DENSE, 1, 1)),
        ),
        PLAIN_MEAN,
        PLAIN_DEVIATION,
        explained="features.7",
    )


ARCHITECTURES: dict[str, Callable[[], CoverNetwork]] = {
    "small": small_network,
    "distilled": distilled_network,
    "distilled_folded": lambda: folded(distilled_network()),
    "study_cnn": study_cnn,
    "prog_cnn": prog_network,
    "prog_cnn_plain": partial(prog_network, batch_norm=False, dropout=False),
    "prog_cnn_dropout": partial(prog_network, batch_norm=False),
    "prog_cnn_batchnorm": partial(prog_network, dropout=False),
    "prog_first": prog_first,
    **PUBLISHED,
}


def rebuilt(architecture: str, parameters: Mapping[str, NDArray[np.float32]]) -> CoverNetwork:
    """Return a network of `ARCHITECTURES` with the parameters that a model kept, ready to be asked."""
    network = ARCHITECTURES[architecture]()
    network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in parameters.items()})
    return network.eval()
