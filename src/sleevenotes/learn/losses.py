"""Losses: what a network is told of its answers, where some truth is unknown, rare, smoothed or mixed.

Truth is (B,), or (B, K) in `multi`, where -1 means unknown: of a cover that comes from a collection that never names
a genre, nobody knows whether it has it. Such an entry leaves no trace in loss, hits or weights.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from sleevenotes.covers.tasks import Kind
from sleevenotes.learn.augmentation import Mix

SMALLEST = 1e-6  # of what is known in a batch


def loss_of(
    logits: Tensor,
    truth: Tensor,
    task: Kind,
    weight: Tensor | None = None,
    *,
    smoothing: float = 0.0,
    mix: Mix | None = None,
) -> Tensor:
    """Return the mean cross-entropy in nats: of the genres, or of each genre by itself in `multi`.

    Parameters
    ----------
    logits
        (B, K).
    truth
        (B,), or (B, K) in `multi`; what is -1 there is left out of the mean.
    weight
        Of the same shape as truth, by which each cross-entropy is multiplied before the mean is taken.
    smoothing
        Share of the truth that is spread evenly over all answers (Szegedy et al. 2016,
        https://arxiv.org/abs/1512.00567): over K genres, or over yes and no in `multi`.
    mix
        How covers were mixed: the loss is mixed alike.
    """
    whole = mix is None and not smoothing and not (truth < 0).any()
    truth = truth.to(logits.device)
    weight = None if weight is None else weight.to(logits.device)
    if whole:
        each = _cross_entropy(logits, truth, task, reduction="mean" if weight is None else "none")
        return each if weight is None else (each * weight).mean()
    parts = [(truth, weight, None if mix is None else mix.share)]
    if mix is not None:
        parts.append((truth[mix.partner], None if weight is None else weight[mix.partner], 1 - mix.share))
    total, known = logits.new_zeros(()), logits.new_zeros(())
    for asked, by, share in parts:
        counts = _counts(asked, share)
        each = _cross_entropy(logits, asked, task, smoothing=smoothing) * counts
        total, known = total + (each if by is None else each * by).sum(), known + counts.sum()
    return total / known.clamp_min(SMALLEST)  # of nothing known, the loss is 0


def _cross_entropy(
    logits: Tensor, truth: Tensor, task: Kind, *, reduction: str = "none", smoothing: float = 0.0
) -> Tensor:
    if task == "multi":
        asked = truth.clamp_min(0).float()
        asked = asked * (1 - smoothing) + smoothing / 2 if smoothing else asked
        return F.binary_cross_entropy_with_logits(logits, asked, reduction=reduction)
    return F.cross_entropy(logits, truth, reduction=reduction, label_smoothing=smoothing)


def _counts(truth: Tensor, share: Tensor | None) -> Tensor:
    """Return how much each entry of truth counts: 0 where unknown, else 1, or the cover's share."""
    known = (truth >= 0).float()
    if share is None:
        return known
    return known * (share[:, None] if truth.ndim == 2 else share)


def known_covers(truth: Tensor) -> float:
    """Return how many covers' worth of truth is known: the entries that are, by genres where there are several."""
    return len(truth) if truth.ndim == 1 else int((truth >= 0).sum()) / truth.shape[1]


def hits_of(logits: Tensor, truth: Tensor, mix: Mix | None = None) -> tuple[int, int]:
    """Return how many covers have their first-placed genre right, and of how many that is known.

    Where a cover's truth is unknown in part, the first among the known genres is meant; of two mixed covers, the one
    that more is seen of.
    """
    logits = logits.detach().cpu()
    if mix is not None:
        own = mix.share.cpu() >= 0.5
        truth = torch.where(own if truth.ndim == 1 else own[:, None], truth, truth[mix.partner.cpu()])
    if truth.ndim == 1:
        return int((truth == logits.argmax(dim=1)).sum()), len(truth)
    known = truth >= 0
    first = logits.masked_fill(~known, -torch.inf).argmax(dim=1)
    return int((truth[torch.arange(len(truth)), first] == 1).sum()), int(known.any(dim=1).sum())


def balancing_weights(truth: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return weights of mean 1, of the shape of truth, under which all genres weigh the same.

    A cover of a genre that n_k of n covers have weighs n / (K · n_k), K being how many genres there are covers of. In
    `multi`, truth (n, K), the covers that have a genre together weigh as much as those that have it not; those of
    which that is unknown weigh nothing, and the mean is that of the others.

    Examples
    --------
    >>> balancing_weights(np.array([0, 1, 1, 1, 1])).tolist()
    [2.5, 0.625, 0.625, 0.625, 0.625]
    >>> balancing_weights(np.array([[0], [1], [1], [-1]])).ravel().tolist()
    [1.5, 0.75, 0.75, 0.0]
    """
    if truth.ndim == 2:
        weights = np.zeros(truth.shape, np.float32)
        for column, known, weight in zip(truth.T, truth.T >= 0, weights.T, strict=True):
            weight[known] = balancing_weights(column[known])
        return weights
    counts = np.bincount(truth)
    return np.asarray(len(truth) / (np.count_nonzero(counts) * counts[truth]), dtype=np.float32)


def balanced_draws(truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return rows in a random order, about as many as there are covers, those of each genre equally often.

    Within a genre, no cover comes more than once more often than another. In `multi` a cover may be drawn for each of
    its genres.
    """
    genres = range(truth.shape[1] if truth.ndim == 2 else int(truth.max()) + 1)
    members = [np.flatnonzero(truth[:, genre] == 1 if truth.ndim == 2 else truth == genre) for genre in genres]
    members = [rows for rows in members if len(rows)]
    share = max(1, len(truth) // max(1, len(members)))
    drawn = []
    for rows in members:
        times = -(-share // len(rows))  # once over all of them, and over again, as often as it takes
        order = torch.cat([torch.randperm(len(rows)) for _ in range(times)])[:share]
        drawn.append(rows[order.numpy()])
    mixed = torch.randperm(share * len(members)).numpy()
    return np.asarray(np.concatenate(drawn)[mixed])
