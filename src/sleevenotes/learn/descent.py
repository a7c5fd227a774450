"""The way down: which parameters learn at which rate, by which optimiser, and the average of where they have been."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from sleevenotes.learn.training import TrainingSettings

AVERAGE_WARM_UP = 10  # steps: before the tenth, the average is hardly more than where the parameters are now


def optimizer_of(module: nn.Module, groups: list[dict[str, Any]], settings: TrainingSettings) -> torch.optim.Optimizer:
    """Return the optimiser that the settings name.

    Parameters
    ----------
    module
        All of its parameters learn where there are no groups.
    groups
        Of parameters (`groups_of`), each with a `factor` of the rate.
    """
    parameters: Any = groups or module.parameters()
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=settings.decay)
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=settings.rate, fused=True)
    return torch.optim.SGD(
        parameters,
        lr=settings.rate,
        momentum=settings.momentum,
        weight_decay=settings.decay,
        fused=True,  # reads AlexNet's 57 M parameters once a step, not three times
    )


def rate_at(step: int, settings: TrainingSettings, *, steps: int) -> float:
    """Return the learning rate of a step, there being so many steps in an epoch."""
    total, warm_up = settings.epochs * steps, settings.warm_up * steps
    rising = min(1.0, (step + 1) / max(warm_up, 1))
    falling = 0.5 * (1 + np.cos(np.pi * max(0, step - warm_up) / max(total - warm_up, 1)))
    return float(settings.rate * rising * (1.0 if settings.schedule == "constant" else falling))


def stages_of(network: nn.Module) -> list[list[nn.Module]]:
    """Return the stages of a network, from the bottom up: blocks that learn, or stay, as one.

    Those are the members of the first lists of modules that one meets on the way from the network into its parts, and
    what stands alone beside such lists. A layer of normalisation goes with what comes before it; what has no
    parameters is no stage.
    """
    stages: list[list[nn.Module]] = []
    for part in _parts(network):
        if stages and not list(part.children()) and "Norm" in type(part).__name__:
            stages[-1].append(part)
        elif any(True for _ in part.parameters()):
            stages.append([part])
    return stages


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    lists = (nn.Sequential, nn.ModuleList)
    if isinstance(module, lists):
        yield from module.children()
    elif any(isinstance(part, lists) for part in module.modules()):
        for child in module.children():
            yield from _parts(child)
    else:
        yield module


def groups_of(module: nn.ModuleDict, settings: TrainingSettings) -> list[dict[str, Any]]:
    """Return the parameters that learn, in groups, with the factor of the rate of each; none where all learn alike.

    Parameters
    ----------
    module
        A `network`, and whatever stands above it, such as a head.
    settings
        Of which `unfrozen` and `layer_rate` count here. The parameters of stages below the top `unfrozen` ones, and
        those that belong to no stage, are told that they need no slope.
    """
    if settings.unfrozen is None and settings.layer_rate == 1:
        return []
    above = [parameter for name, part in module.items() if name != "network" for parameter in part.parameters()]
    groups: list[dict[str, Any]] = [{"params": above, "factor": 1.0}]
    for parameter in module["network"].parameters():
        parameter.requires_grad_(False)
    stages = stages_of(module["network"])
    learning = len(stages) if settings.unfrozen is None else min(settings.unfrozen, len(stages))
    for depth, stage in enumerate(reversed(stages[len(stages) - learning :]), start=1):
        parameters = [parameter.requires_grad_(True) for part in stage for parameter in part.parameters()]
        groups.append({"params": parameters, "factor": settings.layer_rate**depth})
    return groups


def keep_frozen(network: nn.Module, *, statistics: bool = False) -> None:
    """Put what does not learn back into evaluation mode, so that its batch norm keeps its statistics.

    Parameters
    ----------
    statistics
        Whether batch norm keeps them everywhere. What it scales and shifts by may learn all the same.
    """
    for part in network.modules():
        own = list(part.parameters())
        frozen = bool(own) and not any(parameter.requires_grad for parameter in own)
        if frozen or (statistics and isinstance(part, nn.modules.batchnorm._BatchNorm)):
            part.eval()


class Average:
    """The exponential moving average of a module's parameters and buffers, as a module of its own.

    Parameters
    ----------
    module
        What is averaged.
    decay
        What a step leaves of the average, at most: in step t it is (1 + t) / (10 + t), so that the random beginning
        is soon forgotten.
    """

    def __init__(self, module: nn.ModuleDict, decay: float) -> None:
        self.module, self.decay = copy.deepcopy(module), decay
        self.module.requires_grad_(False)

    @torch.no_grad()
    def follow(self, module: nn.Module, step: int) -> None:
        """Take a step towards what the module is now; whole numbers, such as counts of batches, are copied."""
        left = min(self.decay, (1 + step) / (AVERAGE_WARM_UP + step))
        for mine, now in zip(_values(self.module), _values(module), strict=True):
            if mine.is_floating_point():
                mine.lerp_(now, 1 - left)
            else:
                mine.copy_(now)


def _values(module: nn.Module) -> Iterator[Tensor]:
    yield from module.state_dict().values()
