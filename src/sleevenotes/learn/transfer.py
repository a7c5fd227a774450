"""Transfer: the last layer of a pretrained network replaced, and only that trained, by plain gradient descent.

As all other layers stay as they are, each cover's features are the same in every epoch: they are computed once
(`learn.features`), and a head learns from them in seconds. What that leaves out is AlexNet's dropout, which would hide
other features in each epoch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sleevenotes.learn.heads import Head, hit_rate
from sleevenotes.learn.training import Epoch

Floats = NDArray[np.float32]


def train_head(
    train: Floats,
    truth: NDArray[np.int64],
    valid: Floats,
    valid_truth: NDArray[np.int64],
    *,
    genres: int,
    rate: float = 0.01,
    momentum: float = 0.9,
    batch: int = 10,
    epochs: int = 10,
    patience: int = 3,
    seed: int = 0,
) -> tuple[Head, list[Epoch]]:
    """Train a linear head on features, by the cross-entropy, as `torch.optim.SGD` does.

    It begins as `torch.nn.Linear` does, uniformly within ±1 / √D, and sees train in another order each epoch.

    Parameters
    ----------
    train, valid
        Features, (n, D) and (m, D), as they are.
    truth, valid_truth
        (n,) and (m,), in 0..K-1.
    genres
        K.
    rate, momentum, batch
        Of the descent; the rate stays what it is.
    epochs
        At most so many.
    patience
        Epochs without a smaller loss on valid after which it stops.

    Returns
    -------
    The head of the epoch with the smallest loss on valid, and all epochs.
    """
    rng = np.random.default_rng(seed)
    reach = 1 / np.sqrt(train.shape[1])
    descent = _Descent(
        Head(
            rng.uniform(-reach, reach, (genres, train.shape[1])).astype(np.float32),
            rng.uniform(-reach, reach, genres).astype(np.float32),
        ),
        rate,
        momentum,
    )
    history: list[Epoch] = []
    best, since_best = descent.head, 0
    while len(history) < epochs and since_best < patience:
        order = rng.permutation(len(train))
        parts = [order[start : start + batch] for start in range(0, len(order), batch)]
        loss, hits = np.sum([descent.step(train[rows], truth[rows]) for rows in parts], axis=0).tolist()
        logits = descent.head.logits(valid)
        valid_loss = float(_surprise(logits, valid_truth)[0].mean())
        since_best += 1
        if valid_loss < min((epoch.valid_loss for epoch in history), default=np.inf):
            best, since_best = Head(descent.head.weight.copy(), descent.head.bias.copy()), 0
        valid_accuracy = hit_rate(logits, valid_truth)
        history.append(Epoch(len(history) + 1, loss / len(train), hits / len(train), valid_loss, valid_accuracy))
    return best, history


class _Descent:
    """A head on its way down, and the momentum it has: v = momentum · v + slope, then w = w - rate · v."""

    def __init__(self, head: Head, rate: float, momentum: float) -> None:
        self.head, self.rate, self.momentum = head, np.float32(rate), np.float32(momentum)
        self._speed = (np.zeros_like(head.weight), np.zeros_like(head.bias))

    def step(self, features: Floats, truth: NDArray[np.int64]) -> tuple[float, float]:
        """Go one step; return the loss and the hits before it, both summed over the batch."""
        logits = self.head.logits(features)  # (B, K)
        surprise, proba = _surprise(logits, truth)
        proba[np.arange(len(truth)), truth] -= 1
        proba /= len(truth)  # now the slope of the mean loss by the logits
        for value, speed, slope in zip(
            (self.head.weight, self.head.bias), self._speed, (proba.T @ features, proba.sum(axis=0)), strict=True
        ):
            speed *= self.momentum
            speed += slope
            value -= self.rate * speed
        return float(surprise.sum()), float((logits.argmax(axis=1) == truth).sum())


def _surprise(logits: Floats, truth: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the cross-entropy in nats, (n,), and the proba, (n, K), of logits, (n, K)."""
    logits = logits - logits.max(axis=1, keepdims=True)
    proba = np.exp(logits)
    total = proba.sum(axis=1)
    return np.log(total) - logits[np.arange(len(truth)), truth], proba / total[:, None]
