"""Networks: torch modules that turn the pixels of covers into features.

Every network here takes covers as `covers.images` gives them, uint8 (B, S, S, 3), and normalises them inside, so that
its ONNX form can't be fed wrongly prepared pixels. It gives the mean of its last feature map, float32 (B, D); the
genres are told from that by a head (`learn.heads`).

Parameters of `MobileNetV2` bear the names that torchvision gives them, so that its published weights load.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)

SMALLEST = 1e-6  # the generalised mean has no slope at 0

SMALL_PX = 96
SMALL_POWER = 3.0
MOBILENET_PX = 224


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
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        features: nn.Module,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        deviation: tuple[float, float, float] = IMAGENET_DEVIATION,
        power: float = 1.0,
    ) -> None:
        super().__init__()
        self.features, self.power = features, power
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", 255 * torch.tensor(deviation).view(1, 3, 1, 1), persistent=False)

    def normalise(self, covers: Tensor) -> Tensor:
        """Return covers, (B, S, S, 3) in 0..255, as the features want them, (B, 3, S, S)."""
        return (covers.permute(0, 3, 1, 2).float() - self.mean) / self.deviation

    def pooled(self, normalised: Tensor) -> Tensor:
        """Return the features, (B, D), of covers that are normalised already."""
        maps: Tensor = self.features(normalised)  # (B, D, h, w)
        if self.power == 1:
            return maps.mean(dim=(2, 3))
        return maps.clamp_min(SMALLEST).pow(self.power).mean(dim=(2, 3)).pow(1 / self.power)

    def forward(self, covers: Tensor) -> Tensor:
        """Return the features, (B, D), of covers, uint8 (B, S, S, 3)."""
        return self.pooled(self.normalise(covers))


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


class InvertedResidual(nn.Module):
    """Widen by 1 × 1, filter each channel by 3 × 3, narrow by 1 × 1; add what went in where shapes agree."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, widening: int) -> None:
        super().__init__()
        hidden = channels_in * widening
        layers: list[nn.Module] = [] if widening == 1 else [_relu6(channels_in, hidden, size=1)]
        layers += [
            _relu6(hidden, hidden, size=3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        ]
        self.conv = nn.Sequential(*layers)
        self.adds = stride == 1 and channels_in == channels_out

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps, (B, C', h / stride, w / stride)."""
        narrow: Tensor = self.conv(maps)
        return maps + narrow if self.adds else narrow


def _relu6(channels_in: int, channels_out: int, *, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, size, stride, padding=size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU6(inplace=True),
    )


# widening, channels, blocks, stride of the first block: Table 2 of the paper
MOBILENET_V2_STAGES = (
    (1, 16, 1, 1),  # (B,  16, 112, 112)
    (6, 24, 2, 2),  # (B,  24,  56,  56)
    (6, 32, 3, 2),  # (B,  32,  28,  28)
    (6, 64, 4, 2),  # (B,  64,  14,  14)
    (6, 96, 3, 1),  # (B,  96,  14,  14)
    (6, 160, 3, 2),  # (B, 160,  7,   7)
    (6, 320, 1, 1),  # (B, 320,  7,   7)
)


def mobilenet_v2() -> CoverNetwork:
    """Return MobileNetV2 without its classifier: 2.2 M parameters, D = 1,280, covers of 224 px.

    Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", https://arxiv.org/abs/1801.04381.
    Its weights are random until some are loaded.
    """
    layers: list[nn.Module] = [_relu6(3, 32, size=3, stride=2)]
    channels = 32
    for widening, channels_out, blocks, stride in MOBILENET_V2_STAGES:
        for block in range(blocks):
            layers.append(InvertedResidual(channels, channels_out, stride if block == 0 else 1, widening))
            channels = channels_out
    layers.append(_relu6(channels, 1280, size=1))
    return CoverNetwork(nn.Sequential(*layers))


ARCHITECTURES: dict[str, Callable[[], CoverNetwork]] = {"small": small_network, "mobilenet_v2": mobilenet_v2}


def rebuilt(architecture: str, parameters: Mapping[str, NDArray[np.float32]]) -> CoverNetwork:
    """Return a network of `ARCHITECTURES` with the parameters that a model kept, ready to be asked."""
    network = ARCHITECTURES[architecture]()
    network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in parameters.items()})
    return network.eval()
