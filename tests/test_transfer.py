"""A head trained on features by plain gradient descent: what torch's own does, and the best epoch of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sleevenotes.learn.calibration import log_loss, proba_of
from sleevenotes.learn.transfer import train_head


def told(n: int, *, seed: int = 0, distance: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Features of three genres that lie apart, and their truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    return (rng.normal(size=(n, 8)) + distance * np.eye(3, 8)[truth]).astype(np.float32), truth


def test_it_goes_the_way_of_torchs_own_descent():
    (features, truth), valid = told(47), told(30, seed=1)
    head, history = train_head(features, truth, *valid, genres=3, epochs=3, patience=9, rate=0.02, seed=4)
    rng = np.random.default_rng(4)
    layer = torch.nn.Linear(8, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(rng.uniform(-(8**-0.5), 8**-0.5, (3, 8))))
        layer.bias.copy_(torch.from_numpy(rng.uniform(-(8**-0.5), 8**-0.5, 3)))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.02, momentum=0.9)
    for epoch in history:
        order = torch.from_numpy(rng.permutation(47))
        losses = 0.0
        for rows in order.split(10):
            loss = torch.nn.functional.cross_entropy(
                layer(torch.from_numpy(features)[rows]), torch.from_numpy(truth)[rows]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += float(loss.detach()) * len(rows)
        assert epoch.train_loss == pytest.approx(losses / 47, rel=1e-5)
    assert min(history, key=lambda epoch: epoch.valid_loss) is history[-1]
    assert np.allclose(head.weight, layer.weight.detach().numpy(), atol=1e-5)
    assert np.allclose(head.bias, layer.bias.detach().numpy(), atol=1e-5)


def test_one_step_is_worked_by_hand():
    head, history = train_head(
        np.array([[1.0]], np.float32), np.array([0]), np.array([[1.0]], np.float32), np.array([0]),
        genres=2, epochs=1, rate=0.5, seed=0,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    weight, bias = rng.uniform(-1, 1, (2, 1)), rng.uniform(-1, 1, 2)
    logits = weight[:, 0] + bias
    proba = np.exp(logits) / np.exp(logits).sum()
    slope = proba - [1, 0]
    assert history[0].train_loss == pytest.approx(-np.log(proba[0]), rel=1e-5)
    assert np.allclose(head.weight[:, 0], weight[:, 0] - 0.5 * slope, atol=1e-6)
    assert np.allclose(head.bias, bias - 0.5 * slope, atol=1e-6)


def test_what_is_kept_is_the_epoch_with_the_smallest_loss_on_valid_and_it_stops_after_patience():
    features, truth = told(60)
    valid, other = told(30, seed=1)
    contrary = (other + 1) % 3  # nothing of it is what train teaches
    head, history = train_head(features, truth, valid, contrary, genres=3, epochs=50, patience=4)
    losses = [epoch.valid_loss for epoch in history]
    assert len(history) == int(np.argmin(losses)) + 5 < 50
    assert log_loss(contrary, proba_of(head.logits(valid), task="single")) == pytest.approx(min(losses), rel=1e-4)
    best = history[int(np.argmin(losses))]
    assert (head.logits(valid).argmax(axis=1) == contrary).mean() == pytest.approx(best.valid_accuracy)


def test_it_learns_what_the_features_tell():
    history = train_head(*told(300, distance=4), *told(100, seed=1, distance=4), genres=3)[1]
    assert history[-1].valid_accuracy > 0.95
    assert history[-1].train_loss < history[0].train_loss


def test_the_same_seed_gives_the_same_head_and_another_seed_another():
    sides = (*told(60), *told(30, seed=1))
    first, again, other = (train_head(*sides, genres=3, seed=seed)[0] for seed in (1, 1, 2))
    assert first.weight.tobytes() == again.weight.tobytes()
    assert first.bias.tobytes() == again.bias.tobytes()
    assert first.weight.tobytes() != other.weight.tobytes()


def test_large_features_do_not_end_in_infinity():
    features, truth = told(60)
    head, history = train_head(1000 * features, truth, 1000 * features, truth, genres=3, epochs=3)
    assert np.isfinite([epoch.valid_loss for epoch in history]).all()
    assert np.isfinite(head.weight).all()


def test_the_history_counts_from_1_and_measures_shares():
    history = train_head(*told(33), *told(30, seed=1), genres=3, epochs=4, patience=9)[1]
    assert [epoch.epoch for epoch in history] == [1, 2, 3, 4]
    for epoch in history:
        assert epoch.train_accuracy * 33 == pytest.approx(round(epoch.train_accuracy * 33))
        assert epoch.valid_accuracy * 30 == pytest.approx(round(epoch.valid_accuracy * 30))
