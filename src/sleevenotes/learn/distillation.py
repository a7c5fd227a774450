"""Distillation: a network learns to see what stronger ones see, besides the genres.

The teacher is shown each cover exactly as the network sees it, cropped and mixed alike, as often as the network is
(Beyer et al. 2022, "Knowledge distillation: A good teacher is patient and consistent",
https://arxiv.org/abs/2106.05237). What is to be met are its features, standardised over train, by a linear map of the
network's own features; the map is learnt along and dropped in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sleevenotes.learn.cover_network import CoverNetwork

Teacher = Callable[[Tensor], Tensor]
"""Gives features, (B, T), of covers, (B, 3, S, S), as the network normalises them, on the same device."""

SMALLEST_DEVIATION = 1e-6


class Projection(nn.Module):
    """A linear map from a network's features, (B, D), to a teacher's standardised ones, (B, T).

    Parameters
    ----------
    width
        D.
    mean, deviation
        (T,), of the teacher's features over train.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.map = nn.Linear(width, len(mean))
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def loss(self, features: Tensor, taught: Tensor) -> Tensor:
        """Return the mean squared error of mapped features, (B, D), to those of the teacher, (B, T)."""
        standardised = (taught.float() - self.mean) / self.deviation
        return F.mse_loss(self.map(features), standardised)


@torch.no_grad()
def spread_of(teacher: Teacher, batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and deviation, (T,) each, of a teacher's features over batches of normalised covers."""
    total, squares, count = torch.zeros(()), torch.zeros(()), 0
    for batch in batches:
        features = teacher(batch).double().cpu()  # (B, T)
        total, squares = total + features.sum(dim=0), squares + features.square().sum(dim=0)
        count += len(features)
    mean = total / count
    deviation = (squares / count - mean.square()).clamp_min(0).sqrt()
    deviation[deviation < SMALLEST_DEVIATION] = 1  # a feature that never changes is met by the bias
    return mean.float(), deviation.float()


def taught_by(
    teachers: Sequence[CoverNetwork], network: CoverNetwork, sizes_px: Sequence[int | None] | None = None
) -> Teacher:
    """Return pretrained networks as one teacher of another: their features, one after the other.

    Parameters
    ----------
    teachers
        Each with a normalisation of its own; they are put into evaluation mode, and to the device of the covers.
    network
        The one that learns, and whose normalisation the covers have.
    sizes_px
        Width and height that each teacher gets covers in; where None, those that the network sees.
    """
    sizes = list(sizes_px) if sizes_px is not None else [None] * len(teachers)

    @torch.no_grad()
    def features(normalised: Tensor) -> Tensor:
        mean, deviation = (value.to(normalised.device) for value in (network.mean, network.deviation))
        pixels = normalised.float() * deviation + mean
        return torch.cat([_seen_by(one, pixels, size) for one, size in zip(teachers, sizes, strict=True)], dim=1)

    return features


def _seen_by(teacher: CoverNetwork, pixels: Tensor, size_px: int | None) -> Tensor:
    """Return a teacher's features, (B, D), of pixels, (B, 3, S, S) in 0..255."""
    teacher.to(pixels.device).eval()
    if size_px is not None and size_px != pixels.shape[-1]:
        pixels = F.interpolate(pixels, (size_px, size_px), mode="bilinear", antialias=True, align_corners=False)
    return teacher(pixels.permute(0, 2, 3, 1)).float()  # type: ignore[no-any-return]
