"""Augmentation: what a network sees of a batch of covers, another way each time.

Covers are normalised already, (B, 3, S, S), on whatever device. All randomness is drawn on the CPU and then moved, so
that a GPU sees the same covers; what is switched off draws nothing. Never is a cover turned upside down, nor its hue
changed: type has an upright, and colour speaks for a genre.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from sleevenotes.learn.cover_network import CoverNetwork
    from sleevenotes.learn.training import TrainingSettings

# what a photograph or another pressing does to a cover
ZOOM = (0.8, 1.05)
SHIFT = 0.08
BRIGHTNESS = 0.25
CONTRAST = (0.8, 1.25)
TINT = 0.08

CROP_RATIO = 4 / 3  # of a crop's sides, at most
ERASED_AREA = (0.02, 0.25)
ERASED_RATIO = 10 / 3
JITTER = 0.4  # of brightness and contrast, at full strength
GREY_SHARE = 0.2  # of covers without any colour, at full strength
LUMA = (0.299, 0.587, 0.114)  # what red, green and blue add to grey (ITU-R BT.601)


@dataclass(frozen=True)
class Mix:
    """Which cover of a batch each was mixed with, and how much of its own is left.

    Parameters
    ----------
    partner
        (B,) places within the batch.
    share
        (B,) in 0..1, of the cover itself; the rest is the partner's.
    """

    partner: Tensor
    share: Tensor


def as_seen(normalised: Tensor, network: CoverNetwork, settings: TrainingSettings) -> tuple[Tensor, Mix | None]:
    """Return covers as the network learns from them, and how they were mixed, where they were.

    Parameters
    ----------
    normalised
        (B, 3, S, S), as `network` normalises.
    settings
        Of which `augmented`, `crop`, `color`, `erasing`, `mixup` and `cutmix` count here.
    """
    covers = normalised
    if settings.color:
        covers = jittered(covers, network.mean, network.deviation, strength=settings.color)
    if settings.augmented:
        covers = augment(covers) if settings.crop == 1 else recoloured(moved(covers, crop=settings.crop))
    elif settings.crop != 1:
        covers = moved(covers, crop=settings.crop)
    if settings.erasing:
        covers = erased(covers, share=settings.erasing)
    if settings.mixup or settings.cutmix:
        return mixed(covers, mixup=settings.mixup, cutmix=settings.cutmix)
    return covers, None


def augment(covers: Tensor) -> Tensor:
    """Return covers, (B, 3, S, S), zoomed, shifted, mirrored left to right for half of them, and mildly recoloured."""
    return recoloured(moved(covers))


def moved(covers: Tensor, *, crop: float = 1.0) -> Tensor:
    """Return covers, (B, 3, S, S), half of them mirrored left to right, each from another frame.

    Parameters
    ----------
    crop
        The smallest share of the cover's area that a frame has, its sides at most 4 to 3; where it is 1, the frame is
        mildly zoomed and shifted instead, and may reach over the edge, which is mirrored there.
    """
    count = len(covers)
    if crop == 1:
        wide = high = torch.empty(count).uniform_(*ZOOM)
        mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
        shift = torch.empty(count, 2).uniform_(-SHIFT, SHIFT)
    else:
        area = torch.empty(count).uniform_(crop, 1)
        ratio = _ratios(count, CROP_RATIO)
        wide, high = (area * ratio).sqrt().clamp_max(1), (area / ratio).sqrt().clamp_max(1)
        mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
        shift = torch.empty(count, 2).uniform_(-1, 1) * (1 - torch.stack([wide, high], dim=1))
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = wide * mirror, high, shift
    grid = F.affine_grid(theta.to(covers.device), list(covers.shape), align_corners=False)
    return F.grid_sample(covers, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def recoloured(covers: Tensor) -> Tensor:
    """Return covers, (B, 3, S, S), with a little more or less contrast and light, and a slight tint."""
    count, device = len(covers), covers.device
    contrast = torch.empty(count, 1, 1, 1).uniform_(*CONTRAST).to(device)
    shade = torch.empty(count, 1, 1, 1).uniform_(-BRIGHTNESS, BRIGHTNESS).to(device)
    tint = torch.empty(count, 3, 1, 1).uniform_(-TINT, TINT).to(device)
    return covers * contrast + shade + tint


def jittered(covers: Tensor, mean: Tensor, deviation: Tensor, *, strength: float) -> Tensor:
    """Return covers, (B, 3, S, S), of other saturation, contrast and brightness, some of them grey.

    Parameters
    ----------
    mean, deviation
        (1, 3, 1, 1), by which the covers were normalised, in 0..255.
    strength
        In 0..1. At 1, colours come 0 to 2 times as strong, and a fifth of the covers have none.
    """
    count, device = len(covers), covers.device
    saturation = torch.empty(count, 1, 1, 1).uniform_(1 - strength, 1 + strength)
    saturation[torch.rand(count) < GREY_SHARE * strength] = 0
    reach = JITTER * strength
    contrast = torch.empty(count, 1, 1, 1).uniform_(1 - reach, 1 + reach).to(device)
    brightness = torch.empty(count, 1, 1, 1).uniform_(1 - reach, 1 + reach).to(device)
    pixels = covers * deviation + mean
    grey = (pixels * pixels.new_tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)  # (B, 1, S, S)
    middle = grey.mean(dim=(2, 3), keepdim=True)
    pixels = grey + saturation.to(device) * (pixels - grey)
    pixels = (middle + contrast * (pixels - middle)) * brightness
    return (pixels.clamp(0, 255) - mean) / deviation


def erased(covers: Tensor, *, share: float) -> Tensor:
    """Return covers, (B, 3, S, S), in a share of which a rectangle is painted over with one random colour.

    Zhong et al. 2020, "Random Erasing Data Augmentation", https://arxiv.org/abs/1708.04896, with a colour for the
    rectangle instead of noise, and at most a quarter of the cover.
    """
    count = len(covers)
    area, ratio = torch.empty(count).uniform_(*ERASED_AREA), _ratios(count, ERASED_RATIO)
    extent = torch.stack([(area / ratio).sqrt(), (area * ratio).sqrt()], dim=1).clamp_max(1)  # (B, 2): high, wide
    middle = extent / 2 + torch.rand(count, 2) * (1 - extent)
    extent[torch.rand(count) >= share] = 0
    color = torch.randn(count, 3, 1, 1).to(covers.device)
    return torch.where(_within(middle, extent, covers), color, covers)


def mixed(covers: Tensor, *, mixup: float, cutmix: float) -> tuple[Tensor, Mix]:
    """Return covers, (B, 3, S, S), each mixed with another of the batch, and how.

    Parameters
    ----------
    mixup
        Covers are blended, by shares drawn from Beta(mixup, mixup) (Zhang et al. 2018, https://arxiv.org/abs/1710.09412).
    cutmix
        A rectangle of the other is pasted in, its area drawn from Beta(cutmix, cutmix) (Yun et al. 2019,
        https://arxiv.org/abs/1905.04899). Where both are asked for, each batch has one of them, by chance.
    """
    count, device = len(covers), covers.device
    cut = bool(cutmix) and (not mixup or bool(torch.rand(()) < 0.5))
    alpha = cutmix if cut else mixup
    share = torch.distributions.Beta(alpha, alpha).sample((count,)).float().to(device)
    partner = torch.randperm(count).to(device)
    if not cut:
        own = share.view(-1, 1, 1, 1)
        return own * covers + (1 - own) * covers[partner], Mix(partner, share)
    extent = (1 - share.cpu()).sqrt()[:, None].expand(count, 2)
    pasted = _within(torch.rand(count, 2), extent, covers)
    share = 1 - pasted.float().mean(dim=(1, 2, 3))  # less is pasted where the rectangle reaches over the edge
    return torch.where(pasted, covers[partner], covers), Mix(partner, share)


def _ratios(count: int, largest: float) -> Tensor:
    """Return how much wider than high, (B,), between 1 / largest and largest, both ways alike."""
    return torch.empty(count).uniform_(-math.log(largest), math.log(largest)).exp()


def _within(middle: Tensor, extent: Tensor, covers: Tensor) -> Tensor:
    """Return which pixels, (B, 1, S, S), lie in a rectangle.

    Parameters
    ----------
    middle, extent
        (B, 2), down and across, in shares of the cover's side.
    """
    centres = [(torch.arange(size) + 0.5) / size for size in covers.shape[2:]]
    down, across = (
        ((centre - middle[:, axis, None]).abs() < extent[:, axis, None] / 2).to(covers.device)
        for axis, centre in enumerate(centres)
    )
    return (down[:, :, None] & across[:, None, :])[:, None]
