"""Check 9 of the audit: whether a model's Grad-CAM maps may be trusted.

*Randomisation.* The weights are made random layer by layer from the top, the head first; maps that stay as they were do
not depend on what the model has learnt (Adebayo et al. 2018, "Sanity checks for saliency maps",
https://arxiv.org/abs/1810.03292, cascading randomisation). How alike two maps are is the rank correlation (Spearman) of
their places, -1 to 1; 1 is no change, and chance is what maps of different covers have, which is more than 0 where all
of them favour the middle. A layer is made random by shuffling each of its tensors, so that its numbers are of the same
size as before; what batch norms know of their input's spread is then measured anew on the covers.

*Deletion and insertion.* Places are taken from a cover in the order of its map, the strongest first, and filled with
the cover's mean colour; or they are put back on a blurred cover, whose details are not there to be deleted sharply. The
proba of the genre that was predicted should fall fast, and rise fast: the area under each curve, 0 to 1, is compared
with that of a random order and of the order from the middle outwards (Petsiuk, Das and Saenko 2018, "RISE: randomized
input sampling for explanation of black-box models", https://arxiv.org/abs/1806.07421, section 4.3). The random order is
that of a map of random numbers on the same grid, as coarse as the model's: single pixels would spoil a cover by their
edges.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import decode, resize
from sleevenotes.judge.audit.findings import SIGNIFICANT, Finding, LeftOut, Measured, Verdict
from sleevenotes.judge.audit.subject import Subject
from sleevenotes.judge.explain import Explainer, enlarged, grad_cam
from sleevenotes.judge.intervals import paired_test
from sleevenotes.judge.rulers import average_of, figure_of, plain
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.model import Model

CHECK = 9
TITLE = "Explanations"
CHANGED = 0.5
MOST_BLANK = 0.5
RULE = (
    "Explanations: maps change where, with all weights random, the upper end of their likeness is below the middle "
    "between 1 and that of different covers' maps. Clean where they change and both curves beat random order with p "
    "below 0.05; broken where they do not change, neither curve does, or half of the maps are blank; else suspicious."
)
RULES = {"explanations": RULE}
NOT_TRUSTED = "Its maps are not to be trusted"

COVERS = 40
FEWEST = 30  # with fewer, curves of good maps do not always beat random order significantly
STEPS = 8  # parts in which a cover is deleted
BLURRED_PX = 8  # a cover is blurred by shrinking it to so many px and enlarging it again
BATCH = 8
ORDERS = ("map", "random", "middle")
CURVES = ("deletion", "insertion")

Pixels = NDArray[np.uint8]  # (n, S, S, 3)
Floats = NDArray[np.float64]
Maps = NDArray[np.float32]  # (n, h, w)


@dataclass(frozen=True)
class Explained:
    """How a model's maps fared; `finding` judges them.

    Parameters
    ----------
    stages
        What was made random, from the head alone to all layers: {"name", "value", "low", "high"} of the likeness.
    chance
        How alike maps of different covers are.
    curves
        For each curve, the area under it in the order of the map, of a random one, and from the middle: {"value",
        "low", "high"}; and the map's less those of a random order, "difference", and from the middle,
        "difference_middle", with a "p".
    n, groups
        Covers and groups.
    blank
        Share of maps on which nothing speaks for the genre.
    """

    stages: list[dict[str, Any]]
    chance: float
    curves: dict[str, dict[str, dict[str, float | None]]]
    n: int
    groups: int
    blank: float = 0.0

    @property
    def changes(self) -> bool:
        """Whether maps change when all weights are random."""
        last = self.stages[-1]
        end = last["high"] if last["high"] is not None else last["value"]
        return bool(end < 1 - CHANGED * (1 - self.chance))

    def beats(self, curve: str) -> bool:
        """Whether a curve beats random order: less area by deletion, more by insertion."""
        gain, p = self.curves[curve]["difference"]["value"], self.curves[curve]["difference"]["p"]
        if gain is None or p is None:
            return False
        return (gain < 0 if curve == "deletion" else gain > 0) and p < SIGNIFICANT

    @property
    def verdict(self) -> Verdict:
        """The verdict by the rule."""
        won = [self.beats(curve) for curve in CURVES]
        if not self.changes or not any(won) or self.blank >= MOST_BLANK:
            return "broken"
        return "clean" if all(won) else "suspicious"

    def finding(self) -> Finding:
        """Judge; there is no p to be corrected, as here it is clean maps that are told from chance."""
        last = self.stages[-1]
        name = "rank correlation of maps before and after all weights are random"
        return Finding(
            id="explanations",
            check=CHECK,
            title=TITLE,
            tested=f"Whether Grad-CAM maps of {self.n:,} covers depend on what the model has learnt, and name the "
            "places that its answer depends on.",
            measured=Measured(name, last["value"], last["low"], last["high"], self.chance, None, self.n, self.groups),
            verdict=self.verdict,
            words=self._words(),
            advice="" if self.verdict == "clean" else "Don't show its maps as reasons for what it says.",
            details=self._details(),
        )

    def _words(self) -> str:
        head, last = self.stages[0]["value"], self.stages[-1]["value"]
        moved = "change" if self.changes else "hardly change"
        words = f"The maps {moved} when its weights are made random: their likeness falls from 1 to {head:.2f} with a "
        words += (
            f"random head and to {last:.2f} with nothing left, where maps of different covers have {self.chance:.2f}. "
        )
        lost = [curve for curve in CURVES if not self.beats(curve)]
        if not lost:
            words += "Deleting and inserting places by the map moves its answer faster than in random order."
        else:
            words += f"By {' and '.join(lost)}, the map's order can't be told from a random one."
        if self.blank:
            words += (
                f" {self.blank:.0%} of the maps are blank, as nothing in the last map of its network speaks for it."
            )
        return words if self.verdict == "clean" else f"{NOT_TRUSTED}. {words}"

    def _details(self) -> dict[str, Any]:
        filled = {"deletion": "the cover's mean colour", "insertion": "the blurred cover"}
        return {
            "layers": self.stages, "chance": self.chance, **self.curves, "filled_with": filled, "blank": self.blank
        }  # fmt: skip


def trusted(subject: Subject) -> list[Finding | LeftOut]:
    """Judge the maps of a subject's model on covers of its test side; see `explanations`."""
    told = explanations(subject.trusted, subject.test, seed=subject.seed)
    return [told if isinstance(told, LeftOut) else told.finding()]


def explanations(model: Model, covers: Dataset, *, most: int = COVERS, seed: int = 0) -> Explained | LeftOut:
    """Put a model's maps to the test: those of the genre that it names first or, in `binary`, of the one asked for.

    Parameters
    ----------
    model
        One with a network; any other is left out, in words.
    covers
        Of a test, or any others.
    most
        How many of them are taken, at random.
    seed
        Of covers, random weights, random orders and intervals.
    """
    if model.parts:
        return LeftOut(CHECK, TITLE, f"The model '{model.name}' is composed of parts: no one network makes its maps.")
    if not model.has_places:
        return LeftOut(CHECK, TITLE, f"The model '{model.name}' sees colours without their places: it has no maps.")
    rng = np.random.default_rng(seed)
    chosen = np.isin(np.arange(len(covers)), rng.permutation(len(covers))[:most])
    covers = covers.where(chosen)
    if len(covers) < FEWEST:
        return LeftOut(CHECK, TITLE, f"There are only {len(covers):,} covers; {FEWEST} or more are needed.")
    pixels = np.stack([resize(decode(path), model.size_px) for path in covers.paths])  # (n, S, S, 3)
    explainer = Explainer(model)
    named = model.logits(pixels).argmax(axis=1)  # (n,)
    if model.task == "binary":  # one output, which speaks for the genre or does not
        named[:] = 0
    weight = torch.from_numpy(model.head.weight[named].copy())  # (n, D)
    maps = maps_of(explainer.network, weight, pixels)
    if maps.shape[1] * maps.shape[2] < 4:
        return LeftOut(CHECK, TITLE, "The network keeps no places to its end, so that it has no maps.")
    stages = list(_randomised(explainer, weight, pixels, maps=maps, groups=covers.groups, seed=seed))
    areas = _areas(model, pixels, maps, named, rng)
    curves = {curve: _curve(areas[curve], covers.groups, seed) for curve in CURVES}
    blank = float((maps.max(axis=(1, 2)) == 0).mean())
    return Explained(stages, unlike(maps), curves, len(covers), len(set(covers.groups)), blank)


# -------------------------------------------------------------------------------- randomisation


def maps_of(network: CoverNetwork, weight: Tensor, covers: Pixels) -> Maps:
    """Return maps, (n, h, w), of covers, (n, S, S, 3), each for the logit whose weights, (n, D), are its own."""
    found = []
    for start in range(0, len(covers), BATCH):
        part = slice(start, start + BATCH)
        found.append(grad_cam(network, _logit(weight[part]), torch.from_numpy(covers[part])))
        network.zero_grad()
    return np.concatenate(found)


def _logit(weight: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda features: (features * weight).sum(dim=1)


def _randomised(
    explainer: Explainer, weight: Tensor, covers: Pixels, *, maps: Maps, groups: Sequence[str], seed: int
) -> Iterator[dict[str, Any]]:
    """Yield how alike maps are when the head, then also the topmost 1, 2, 4, … blocks, then all are random."""
    network = copy.deepcopy(explainer.network)
    random = torch.Generator().manual_seed(seed)
    weight = torch.stack([row[torch.randperm(len(row), generator=random)] for row in weight])
    blocks = blocks_of(network)[::-1]
    yield _stage("head", alike(maps, maps_of(network, weight, covers)), groups, seed)
    done, until = 0, 1
    while done < len(blocks):
        until = min(until, len(blocks))
        for block in blocks[done:until]:
            shuffle(block, random)
        settle(network, blocks[:until], torch.from_numpy(covers))
        done, until = until, 2 * until
        name = "all" if done == len(blocks) else f"head and {done} of {len(blocks)} blocks"
        yield _stage(name, alike(maps, maps_of(network, weight, covers)), groups, seed)


def _stage(name: str, likeness: Floats, groups: Sequence[str], seed: int) -> dict[str, Any]:
    return {"name": name, **_estimate(likeness, groups, seed)}


def _estimate(values: Floats, groups: Sequence[str], seed: int) -> dict[str, float | None]:
    """Return the mean of a figure of covers, (n,), with its interval."""
    return average_of(values, groups, scale="plain", seed=seed)


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """Return a network's blocks from its bottom to its top: its parts that have parameters, sequences taken apart."""
    blocks: list[nn.Module] = []
    for part in network.children():
        inner = list(part.children()) if isinstance(part, nn.Sequential) else [part]
        blocks += [block for block in inner if next(block.parameters(), None) is not None]
    return blocks


def shuffle(block: nn.Module, random: torch.Generator) -> None:
    """Shuffle the numbers of each of a block's parameters among themselves."""
    with torch.no_grad():
        for parameter in block.parameters():
            flat = parameter.flatten()
            parameter.copy_(flat[torch.randperm(len(flat), generator=random)].view_as(parameter))


def settle(network: CoverNetwork, blocks: Sequence[nn.Module], covers: Tensor) -> None:
    """Measure anew, on covers, (n, S, S, 3), what the batch norms of some blocks know of the spread of their input."""
    norms = [layer for block in blocks for layer in block.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    with torch.inference_mode():
        for start in range(0, len(covers), BATCH):
            network(covers[start : start + BATCH])
    for norm in norms:
        norm.eval()


def alike(first: Maps, second: Maps) -> Floats:
    """Return the rank correlation of each map, (n, h, w), with its fellow, (n,), -1 to 1.

    A map that is the same everywhere ranks no place above another, and is like no other: 0.

    Examples
    --------
    >>> alike(np.float32([[[0, 1], [2, 3]]]), np.float32([[[0, 10], [20, 500]]])).tolist()
    [1.0]
    """
    a, b = standardised(first), standardised(second)  # (n, h w)
    likeness: Floats = (a * b).sum(axis=1)
    return likeness


def unlike(maps: Maps) -> float:
    """Return the mean rank correlation of maps, (n, h, w), of different covers."""
    ranks = standardised(maps)
    table = ranks @ ranks.T
    n = len(maps)
    return float((table.sum() - np.trace(table)) / (n * (n - 1)))


def standardised(maps: Maps) -> Floats:
    """Return the places' ranks in each map, (n, h w), with mean 0 and length 1; equal places share their mean rank.

    Examples
    --------
    >>> standardised(np.float32([[[5, 5], [5, 9]]])).round(3).tolist()
    [[-0.289, -0.289, -0.289, 0.866]]
    """
    ranks = np.empty((len(maps), maps[0].size))
    for index, heat in enumerate(maps):
        _, place, count = np.unique(heat.ravel(), return_inverse=True, return_counts=True)
        ranks[index] = (count.cumsum() - (count - 1) / 2)[place]
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.sqrt((ranks**2).sum(axis=1, keepdims=True))
    return ranks / np.where(length > 0, length, 1.0)


# -------------------------------------------------------------------------------- deletion and insertion


def _curve(areas: dict[str, Floats], groups: Sequence[str], seed: int) -> dict[str, dict[str, float | None]]:
    """Return the mean areas by order, and the map's less the others."""
    told = {order: _estimate(areas[order], groups, seed) for order in ORDERS}
    for order, name in (("random", "difference"), ("middle", "difference_middle")):
        gain = paired_test(areas["map"], areas[order], groups)
        told[name] = {**figure_of(gain.difference, gain.low, gain.high), "p": plain(gain.p)}
    return told


def _areas(
    model: Model, covers: Pixels, maps: Maps, named: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, dict[str, Floats]]:
    """Return the area under each curve of each order and cover, (n,)."""
    areas = {curve: {order: np.zeros(len(covers)) for order in ORDERS} for curve in CURVES}
    size = covers.shape[1:3]
    for index, cover in enumerate(covers):
        heats = {"map": maps[index], "random": rng.random(maps.shape[1:], dtype=np.float32), "middle": nearness(size)}
        flat = np.broadcast_to(cover.mean(axis=(0, 1)).round().astype(np.uint8), cover.shape)
        blurred = resize(resize(cover, BLURRED_PX), size)
        for order, heat in heats.items():
            first = order_of(enlarged(heat, size))
            for curve, (gone, fresh) in {"deletion": (cover, flat), "insertion": (blurred, cover)}.items():
                states = np.stack(list(changed(gone, fresh, first)))  # (STEPS + 1, S, S, 3)
                proba = model.proba(model.logits(states))[:, named[index]]
                areas[curve][order][index] = area(proba)
    return areas


def changed(gone: NDArray[np.uint8], fresh: NDArray[np.uint8], first: NDArray[np.intp]) -> Iterator[NDArray[np.uint8]]:
    """Yield a cover, (S, S, 3), as it goes over into another: none of it first, then a part more each time."""
    state = gone.copy()
    yield state.copy()
    for part in np.array_split(first, STEPS):
        state.reshape(-1, 3)[part] = fresh.reshape(-1, 3)[part]
        yield state.copy()


def order_of(heat: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
    """Return the places of a map, (S, S), the strongest first, as indices (S S,)."""
    return np.argsort(-heat.ravel(), kind="stable")


def nearness(size: tuple[int, ...]) -> NDArray[np.float32]:
    """Return how near to the middle each place is, (S, S): minus its distance, in shares of a side."""
    rows, columns = ((np.arange(side) + 0.5) / side - 0.5 for side in size)
    return -np.hypot(rows[:, None], columns[None, :]).astype(np.float32)


def area(proba: NDArray[np.floating[Any]]) -> float:
    """Return the area under a curve of evenly spaced probas, 0 to 1, by the trapezoid rule.

    Examples
    --------
    >>> area(np.array([1.0, 0.5, 0.0]))
    0.5
    """
    return float((proba[:-1] + proba[1:]).mean() / 2)
