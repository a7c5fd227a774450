"""Fine-tuning: a pretrained network goes on learning, from the top down, and begins as good as it was frozen.

It starts from the head that logistic regression found on the frozen features (`learn.heads`); otherwise a random head
would shake what the network knows before it has learnt anything itself. Only the top stages learn, each at a smaller
rate than the one above it (Howard and Ruder 2018, https://arxiv.org/abs/1801.06146, section 3.2); those below keep
their parameters. Batch norm keeps the statistics of all that it was pretrained on, in the stages that learn, too: those
of a few covers at a time cost more than fine-tuning gains (docs/experiments.md). Valid is measured before the first
epoch, too: where no epoch does better, the frozen network is what is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sleevenotes.covers.tasks import Kind
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.descent import stages_of
from sleevenotes.learn.heads import Head
from sleevenotes.learn.training import Epoch, Side, Trained, TrainingSettings, train_network

SETTINGS = TrainingSettings(
    epochs=10, batch=32, rate=3e-4, warm_up=1, decay=0.01, dropout=0.2, patience=5, precision="auto",
    mixup=0.2, smoothing=0.1, average=0.998, unfrozen=6, layer_rate=0.7, statistics_kept=True,
)  # fmt: skip


def finetuning_settings(epochs: int | None = None, *, unfrozen: int | None = None) -> TrainingSettings:
    """Return how a network is fine-tuned where nothing else is asked.

    Parameters
    ----------
    epochs
        At most so many, if they are given.
    unfrozen
        How many stages learn, if that is given.
    """
    asked = {"epochs": epochs, "unfrozen": unfrozen}
    return replace(SETTINGS, **{name: value for name, value in asked.items() if value is not None})  # type: ignore[arg-type]


def finetune(
    network: CoverNetwork,
    head: Head,
    sides: tuple[Side, Side],
    *,
    task: Kind,
    genres: int,
    settings: TrainingSettings = SETTINGS,
    seed: int,
    folder: Path,
    resume: bool = False,
    fingerprint: str = "",
    report: Callable[[Epoch, int], None] = lambda epoch, epochs: None,
) -> Trained:
    """Let a pretrained network and the head on it go on learning.

    Parameters
    ----------
    network
        With its pretrained parameters; it is changed.
    head
        Fitted on the features that the network gives as it is, (K, D).
    sides
        Train and valid, covers of any size that the network takes.
    genres
        K; 2 in `binary`.
    settings
        Of which `unfrozen` and `layer_rate` say what learns, and how fast.
    folder, resume, fingerprint, report
        As in `train_network`; a checkpoint of another network or head is not resumed either.

    Returns
    -------
    Network and head of the epoch with the smallest loss on valid, or as they were where none was smaller than
    `start_loss`. In `binary`, the head has a row of zeros, as `train_network` gives it.

    Raises
    ------
    ValueError
        Where the network has no stage to learn.
    """
    if not stages_of(network):
        raise ValueError("finetune: a network without parameters in any of its parts. Expected a pretrained network.")
    return train_network(
        network,
        sides,
        task=task,
        genres=genres,
        settings=settings,
        seed=seed,
        folder=folder,
        resume=resume,
        fingerprint=fingerprint + _fingerprint(network, head),
        report=report,
        start=head,
    )


def _fingerprint(network: CoverNetwork, head: Head) -> str:
    """Return the SHA-256 of all that fine-tuning begins with."""
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        digest.update(value.detach().cpu().numpy().tobytes())
    for array in (head.weight, head.bias):
        digest.update(array.tobytes())
    return digest.hexdigest()
