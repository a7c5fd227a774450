"""Networks that others published with weights of ImageNet, as torchvision defines them, without their last layer.

Parameters bear the names that torchvision gives them, so that the published files load; what a file has of the last
layer, which tells ImageNet's thousand categories apart, is left out (`learn.backbones`). Weights are random until some
are loaded.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sleevenotes.learn.cover_network import CoverNetwork

MOBILENET_PX = 224


class AlexNet(CoverNetwork):
    """AlexNet: five convolutions, then two dense layers whose numbers are its features."""

    def __init__(self) -> None:
        super().__init__(
            nn.Sequential(  # at 224 px
                nn.Conv2d(3, 64, 11, stride=4, padding=2),  # (B,  64, 55, 55)
                nn.ReLU(inplace=True),
                nn.MaxPool2d(3, 2),  #                        (B,  64, 27, 27)
                nn.Conv2d(64, 192, 5, padding=2),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(3, 2),  #                        (B, 192, 13, 13)
                nn.Conv2d(192, 384, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(384, 256, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(256, 256, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(3, 2),  #                        (B, 256,  6,  6)
            )
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))  # other sizes than 224 px end in another map
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
        )

    def maps(self, normalised: Tensor) -> Tensor:
        """Return the numbers of the second dense layer as a map, (B, 4096, 1, 1)."""
        numbers: Tensor = self.classifier(self.avgpool(self.features(normalised)).flatten(1))
        return numbers[:, :, None, None]


def alexnet() -> CoverNetwork:
    """Return AlexNet: 57 M parameters, D = 4,096, covers of 224 px, or of 63 px and more.

    Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks",
    https://arxiv.org/abs/1404.5997: the form that torchvision has.
    """
    return AlexNet()


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions whose result is added to what went in."""

    widening = 1

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(channels_in, channels, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps, (B, C, h / stride, w / stride)."""
        body = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(maps)))))
        return torch.relu(body + self.downsample(maps))


class Bottleneck(nn.Module):
    """Narrow by 1 × 1, filter by 3 × 3, widen fourfold by 1 × 1; add what went in.

    The stride is that of the 3 × 3, as in torchvision, not of the first 1 × 1, as in the paper.
    """

    widening = 4

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.downsample = _shortcut(channels_in, 4 * channels, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps, (B, 4 C, h / stride, w / stride)."""
        narrow = torch.relu(self.bn1(self.conv1(maps)))
        body = self.bn3(self.conv3(torch.relu(self.bn2(self.conv2(narrow)))))
        return torch.relu(body + self.downsample(maps))


def _shortcut(channels_in: int, channels_out: int, stride: int) -> nn.Module:
    """Return what brings a block's input to the shape of its result."""
    if stride == 1 and channels_in == channels_out:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out))


class ResNet(CoverNetwork):
    """A residual network: four stages of blocks, each half as large and twice as wide as the one before.

    Parameters
    ----------
    block
        What it is built of.
    blocks
        How many of them each stage has.
    """

    def __init__(self, block: type[BasicBlock | Bottleneck], blocks: tuple[int, int, int, int]) -> None:
        super().__init__(nn.Identity())  # torchvision has the layers beside each other, and no `features` above them
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        wide = block.widening
        self.layer1 = _stage(block, 64, 64, blocks=blocks[0], stride=1)
        self.layer2 = _stage(block, 64 * wide, 128, blocks=blocks[1], stride=2)
        self.layer3 = _stage(block, 128 * wide, 256, blocks=blocks[2], stride=2)
        self.layer4 = _stage(block, 256 * wide, 512, blocks=blocks[3], stride=2)

    def maps(self, normalised: Tensor) -> Tensor:
        """Return the last feature map, (B, D, S / 32, S / 32)."""
        maps = self.maxpool(torch.relu(self.bn1(self.conv1(normalised))))
        last: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return last


def _stage(
    block: type[BasicBlock | Bottleneck], channels_in: int, channels: int, *, blocks: int, stride: int
) -> nn.Sequential:
    first = block(channels_in, channels, stride)
    others = [block(channels * block.widening, channels, 1) for _ in range(blocks - 1)]
    return nn.Sequential(first, *others)


def resnet18() -> CoverNetwork:
    """Return ResNet-18: 11.2 M parameters, D = 512, covers of 224 px.

    He et al. 2016, "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385, Table 1.
    """
    return ResNet(BasicBlock, (2, 2, 2, 2))


def resnet34() -> CoverNetwork:
    """Return ResNet-34: 21.3 M parameters, D = 512, covers of 224 px (He et al. 2016, as `resnet18`)."""
    return ResNet(BasicBlock, (3, 4, 6, 3))


def resnet152() -> CoverNetwork:
    """Return ResNet-152: 58.1 M parameters, D = 2,048, covers of 224 px (He et al. 2016, as `resnet18`)."""
    return ResNet(Bottleneck, (3, 8, 36, 3))


class Fire(nn.Module):
    """Narrow by 1 × 1, then widen by 1 × 1 and by 3 × 3, half of the channels each."""

    def __init__(self, channels_in: int, narrow: int, half: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels_in, narrow, 1)
        self.expand1x1 = nn.Conv2d(narrow, half, 1)
        self.expand3x3 = nn.Conv2d(narrow, half, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps, (B, 2 half, h, w)."""
        narrow = torch.relu(self.squeeze(maps))
        return torch.cat([torch.relu(self.expand1x1(narrow)), torch.relu(self.expand3x3(narrow))], dim=1)


def squeezenet1_1() -> CoverNetwork:
    """Return SqueezeNet 1.1: 0.72 M parameters, D = 512, covers of 224 px.

    Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
    https://arxiv.org/abs/1602.07360, in the form 1.1 of its authors' repository.
    """
    return CoverNetwork(
        nn.Sequential(  # at 224 px
            nn.Conv2d(3, 64, 3, stride=2),  #     (B,  64, 111, 111)
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, ceil_mode=True),  # (B,  64,  55,  55)
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            nn.MaxPool2d(3, 2, ceil_mode=True),  # (B, 128,  27,  27)
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            nn.MaxPool2d(3, 2, ceil_mode=True),  # (B, 256,  13,  13)
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),  #                 (B, 512,  13,  13)
        )
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
    """
    layers: list[nn.Module] = [_relu6(3, 32, size=3, stride=2)]
    channels = 32
    for widening, channels_out, blocks, stride in MOBILENET_V2_STAGES:
        for block in range(blocks):
            layers.append(InvertedResidual(channels, channels_out, stride if block == 0 else 1, widening))
            channels = channels_out
    layers.append(_relu6(channels, 1280, size=1))
    return CoverNetwork(nn.Sequential(*layers))


PUBLISHED: dict[str, Callable[[], CoverNetwork]] = {
    "alexnet": alexnet,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet152": resnet152,
    "squeezenet1_1": squeezenet1_1,
    "mobilenet_v2": mobilenet_v2,
}
