"""Which parts of a cover speak for a genre: Grad-CAM.

Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based localization",
https://arxiv.org/abs/1610.02391. Each channel of the last feature map is weighted by how much the genre's logit would
rise with it, the channels are added up, and what speaks against the genre is cut off. Where a linear head sees the mean
of that map, as in `mobilenet`, this is the exact share of each place in the logit; in `small`, whose network pools by
the cubic mean, it is an approximation.

The map of a composed model is the sum of those of its networks, each for its slice of the head, each view put back
where it was cut. Of a likeness to covers it is that of how the logit rises from here on. Parts without places, such as
colours, and graphs that are not known in torch have none; how much of the model the map shows is told with it.

A map says where the network looked, not that it was right to look there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from sleevenotes.covers.files import replacing, write_json
from sleevenotes.covers.images import Pixels, decode, encode, resize
from sleevenotes.errors import CoverError, ModelError, did_you_mean
from sleevenotes.learn.bundles import Bundle
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.extractors import BOXES, MIRRORED, LikenessExtractor, seen
from sleevenotes.learn.likeness import ARRAYS
from sleevenotes.learn.model import WEIGHTS_NAME, Model, read_weights
from sleevenotes.learn.networks import rebuilt
from sleevenotes.learn.readings import Reading

EXPLANATIONS_NAME = "explanations.json"
SHOWN_PX = 448
SMALLEST = 1e-12  # the square root has no slope at 0
PLACES = 32  # along each side of a composed model's map

# dark to bright with rising lightness, so that it reads in grey, too: position, red, green, blue
HEAT_ANCHORS = (
    (0.00, 20, 10, 60),
    (0.25, 110, 25, 110),
    (0.50, 215, 65, 70),
    (0.75, 255, 150, 40),
    (1.00, 255, 245, 150),
)


@dataclass(frozen=True)
class Explanation:
    """One cover, one genre, and where on the cover the model saw it.

    Parameters
    ----------
    file_name
        The cover as it was named.
    genre, proba
        Which genre the map is for, and how likely the model finds it.
    predicted
        The genre that the model finds likeliest.
    cover, heat, overlay
        Names of the pictures in the folder: the cover, the map, and the map laid over the cover.
    truth
        What the dataset says, `;` between several; empty where nothing is known.
    correct
        Whether `predicted` is what the dataset says; None where nothing is known.
    mapped
        How much of what makes the model's logits differ between covers comes from networks that the map shows, 0..1.
    """

    file_name: str
    genre: str
    proba: float
    predicted: str
    cover: str
    heat: str
    overlay: str
    truth: str = ""
    correct: bool | None = None
    mapped: float = 1.0


Weight = Callable[[NDArray[np.uint8], Tensor], Tensor]


@dataclass(frozen=True)
class Slice:
    """A network of a composed model, and what its features weigh.

    Parameters
    ----------
    network, size_px, views, rooted
        The network, and how it is asked.
    weight
        Gives, of covers and a row of the head, what each feature weighs: (D,), or (n, D) where it depends on the cover.
    """

    network: CoverNetwork
    size_px: int
    views: tuple[str, ...]
    rooted: bool
    weight: Weight


class Explainer:
    """A model's network in torch, ready to be asked where it looks.

    Parameters
    ----------
    model
        One with a network.

    Raises
    ------
    ModelError
        For a model without a network, which looks at no place more than at another, or whose network is not known
        here.
    """

    def __init__(self, model: Model) -> None:
        if not model.has_places:
            sees_colors = not model.parts and model.card["network"] is None
            found = "sees colours without their places" if sees_colors else "has no network that is known in torch"
            raise ModelError(
                str(model.folder),
                f"the model '{model.name}' {found}",
                "a model with a network",
                "Name the model that it was exported from"
                if isinstance(model, Bundle)
                else "Train one with --model small or --model mobilenet",
            )
        self.model = model
        self.tensors = read_weights(model.folder)
        self.slices = self._slices() if model.parts else []
        self.mapped = sum(part["share"] * _known_share(part) for part in model.parts) if model.parts else 1.0
        if not model.parts:
            self.network = self._rebuilt(model.card["network"]["architecture"], "network.")

    def _slices(self) -> list[Slice]:
        """Return the networks that have maps, once for each part of which they are."""
        found, start = [], 0
        for part, extractor in zip(self.model.parts, self.model.extractor.parts, strict=True):  # type: ignore[union-attr]
            columns = slice(start, start + part["features"])
            start = columns.stop
            if not isinstance(extractor, LikenessExtractor):
                found += [self._slice(part, _row(columns))] if _known(part) else []
                continue
            first = 0
            for ground, width in zip(part["of"], extractor.widths, strict=True):
                block = slice(first, first + width)
                first = block.stop
                found += [self._slice(ground, _slope(extractor, columns, block))] if _known(ground) else []
        return found

    def _slice(self, part: Mapping[str, Any], weight: Weight) -> Slice:
        network = self._rebuilt(part["network"]["architecture"], f"{part['name']}.network.")
        if part["layers"] or part["grid"] > 1:
            network = Reading(network, part["layers"], part["grid"])
        return Slice(network, part["size_px"], tuple(part["views"]), part["rooted"], weight)

    def _rebuilt(self, architecture: str, prefix: str) -> CoverNetwork:
        parameters = {
            name.removeprefix(prefix): value for name, value in self.tensors.items() if name.startswith(prefix)
        }
        try:
            return rebuilt(architecture, parameters)
        except (KeyError, RuntimeError) as cause:
            found = f"not the parameters of the network '{architecture}' as it is here"
            raise ModelError(str(self.model.folder / WEIGHTS_NAME), found, cure="Train the model again") from cause

    def maps(self, covers: NDArray[np.uint8], genre: str) -> NDArray[np.float32]:
        """Return the maps, (n, h, w) in 0..1, of covers, (n, S, S, 3), for one genre.

        Each map's largest value is 1; a map in which nothing speaks for the genre is 0 everywhere.
        """
        index = self.index(genre)
        head = self.model.head
        weight = torch.from_numpy(head.weight[index].copy())
        if self.slices:
            return normalised(torch.stack([self._spoken(covers, part, weight) for part in self.slices]).sum(dim=0))
        bias = float(head.bias[index])
        return grad_cam(self.network, lambda features: features @ weight + bias, torch.from_numpy(covers))

    def _spoken(self, covers: NDArray[np.uint8], part: Slice, weight: Tensor) -> Tensor:
        """Return what each place of covers adds to the logit through one part, (n, PLACES, PLACES)."""
        own = part.weight(covers, weight) / len(part.views)
        whole = torch.zeros(len(covers), PLACES, PLACES)
        for view in part.views:
            pixels = torch.from_numpy(seen(covers, view, part.size_px))
            spoken = spoken_for(part.network, lambda features: (_as_asked(features, part) * own).sum(dim=1), pixels)
            spoken = spoken.flip(2) if view.endswith(MIRRORED) else spoken
            left, top, right, bottom = (round(share * PLACES) for share in BOXES[view.removesuffix(MIRRORED)])
            box = spoken.shape[1] * spoken.shape[2] / ((right - left) * (bottom - top))  # the sum over places stays
            laid = F.interpolate(spoken[:, None], size=(bottom - top, right - left), mode="bilinear")[:, 0]
            whole[:, top:bottom, left:right] += box * laid
        return whole

    def index(self, genre: str) -> int:
        """Return a genre's place among the model's genres."""
        genres = self.model.genres
        if genre not in genres:
            found, known = f"genre '{genre}' is unknown to this model", f"Its genres are {', '.join(genres)}"
            raise ModelError(str(self.model.folder), found, known, did_you_mean(genre, genres))
        return genres.index(genre)


def _as_asked(features: Tensor, part: Slice) -> Tensor:
    """Return a network's features as the head gets them; the smallest root keeps a slope."""
    return features.sign() * (features.abs() + SMALLEST).sqrt() if part.rooted else features


def _row(columns: slice) -> Weight:
    """Return what gives a slice of the head."""
    return lambda covers, row: row[columns]


def _slope(extractor: LikenessExtractor, columns: slice, block: slice) -> Weight:
    """Return what gives how much a logit rises with each feature of a block, (n, D), through the likeness to covers."""

    def weight(covers: NDArray[np.uint8], row: Tensor) -> Tensor:
        known = extractor.likeness
        base = torch.from_numpy(extractor.base(covers)).requires_grad_()
        mean, scale, directions, landmarks, squares = (torch.from_numpy(getattr(known, name)) for name in ARRAYS)
        points = (base - mean) * scale
        crossed = points @ directions @ landmarks.T
        # (n, covers to compare with)
        apart = (squares - 2 * crossed + points.square().sum(dim=1, keepdim=True)).clamp_min(0)
        torch.autograd.backward((torch.exp(-known.width * apart) @ row[columns]).sum())
        assert base.grad is not None  # the logit was made of it
        return base.grad[:, block]

    return weight


def _known(part: Mapping[str, Any]) -> bool:
    """Return whether a part of a composed model has a network that is known in torch."""
    return bool(part["network"] and part["network"]["architecture"])


def _known_share(part: Mapping[str, Any]) -> float:
    """Return of how much of a part there are maps, 0..1; in a likeness all grounds count alike."""
    grounds = part.get("of", [part])
    return sum(_known(ground) for ground in grounds) / len(grounds)


def grad_cam(network: CoverNetwork, logit: Any, covers: Tensor) -> NDArray[np.float32]:
    """Return Grad-CAM maps, (n, h, w) in 0..1.

    Parameters
    ----------
    network
        Gives features, (n, D), of covers.
    logit
        Gives the genre's logit, (n,), of features.
    covers
        uint8 (n, S, S, 3).
    """
    return normalised(spoken_for(network, logit, covers))


def spoken_for(network: CoverNetwork, logit: Any, covers: Tensor) -> Tensor:
    """Return what each place of a network's last map adds to a logit, (n, h, w), below 0 where it speaks against it.

    Parameters are those of `grad_cam`.
    """
    maps: list[Tensor] = []

    def keep(module: nn.Module, given: Any, returned: Tensor) -> None:
        returned.retain_grad()
        maps.append(returned)

    hook = last_map_layer(network, covers[:1]).register_forward_hook(keep)
    try:
        logit(network(covers)).sum().backward()
    finally:
        hook.remove()
    gradient = maps[0].grad
    assert gradient is not None  # the logit was made of it
    importance = gradient.mean(dim=(2, 3), keepdim=True)  # (n, D, 1, 1)
    return (importance * maps[0]).sum(dim=1).detach()


def normalised(spoken: Tensor) -> NDArray[np.float32]:
    """Return maps, (n, h, w) in 0..1, of what places add to a logit: what speaks against it is cut off."""
    kept = F.relu(spoken)
    largest = kept.amax(dim=(1, 2), keepdim=True)
    return (kept / largest.clamp_min(1e-12)).numpy()


def last_map_layer(network: nn.Module, cover: Tensor) -> nn.Module:
    """Return the layer that a network names to be explained, or its last whose output still has places.

    That is one of 4 dimensions and more than one pixel.

    Parameters
    ----------
    cover
        uint8 (1, S, S, 3), to be sent through the network once.
    """
    if isinstance(network, CoverNetwork) and network.explained:
        return network.get_submodule(network.explained)
    found: list[nn.Module] = []

    def look(module: nn.Module, given: Any, returned: Any) -> None:
        if isinstance(returned, Tensor) and returned.ndim == 4 and returned.shape[2] > 1:
            found.append(module)

    hooks = [module.register_forward_hook(look) for module in network.modules() if not list(module.children())]
    try:
        with torch.inference_mode():
            network(cover)
    finally:
        for hook in hooks:
            hook.remove()
    return found[-1]


def heat_colors(heat: NDArray[np.floating]) -> Pixels:
    """Return the colours, (H, W, 3), of a map, (H, W) in 0..1."""
    anchors = np.array(HEAT_ANCHORS)
    channels = [np.interp(heat, anchors[:, 0], anchors[:, channel]) for channel in (1, 2, 3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def enlarged(heat: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a map, (h, w), bilinearly enlarged to (H, W)."""
    batch = torch.from_numpy(np.ascontiguousarray(heat))[None, None]
    return F.interpolate(batch, size=size, mode="bilinear", align_corners=False)[0, 0].numpy()


def overlay(cover: Pixels, heat: NDArray[np.float32]) -> Pixels:
    """Return the cover, (H, W, 3), quiet where the map, (H, W) in 0..1, is small, and glowing where it is large."""
    grey = cover.mean(axis=-1, keepdims=True)
    glow = heat[..., None]
    quiet = 0.3 * grey + 0.3 * cover
    lit = quiet + glow * (cover - quiet)
    strength = 0.5 * glow
    return np.asarray((1 - strength) * lit + strength * heat_colors(heat)).astype(np.uint8)


def peak_is_inside(heat: NDArray[np.floating], box: tuple[float, float, float, float]) -> bool:
    """Return whether the place of a map's largest value, (H, W), lies in a box: the pointing game.

    Zhang et al. 2016, "Top-down neural attention by excitation backprop", https://arxiv.org/abs/1608.00507.

    Parameters
    ----------
    box
        Left, top, right, bottom, as shares of width and height.
    """
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    x, y = (column + 0.5) / heat.shape[1], (row + 0.5) / heat.shape[0]
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def explain(
    model: Model,
    covers: Sequence[Path],
    folder: Path,
    *,
    genres: Sequence[str] = (),
    truths: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> tuple[list[Explanation], list[CoverError]]:
    """Write maps of where a model sees its predicted genre, and any named ones, on covers.

    Parameters
    ----------
    model
        One with a network.
    covers
        Their files; one that can't be read is told of, and the others go on.
    folder
        Where the pictures and `explanations.json` are written.
    genres
        Named genres, for each of which a further map is drawn.
    truths, names
        What the dataset says of each cover, and calls it.

    Returns
    -------
    The explanations, and what was wrong with covers that could not be read.
    """
    explainer = Explainer(model)
    for genre in genres:
        explainer.index(genre)
    folder.mkdir(parents=True, exist_ok=True)
    explanations: list[Explanation] = []
    unreadable: list[CoverError] = []
    for number, path in enumerate(covers):
        try:
            pixels = decode(path)
        except CoverError as error:
            unreadable.append(error.about(str(path)))
            continue
        name = names[number] if names else str(path)
        truth = truths[number] if truths else ""
        explanations += _explain_one(explainer, pixels, folder, name, truth, f"{number + 1:03d}", genres)
    write_json(folder / EXPLANATIONS_NAME, [asdict(explanation) for explanation in explanations])
    return explanations, unreadable


def _explain_one(
    explainer: Explainer, pixels: Pixels, folder: Path, name: str, truth: str, number: str, genres: Iterable[str]
) -> list[Explanation]:
    model = explainer.model
    covers = resize(pixels, model.size_px)[None]
    proba = model.proba(model.logits(covers))[0]  # (K,)
    predicted = model.genres[int(proba.argmax())]
    correct = predicted in truth.split(";") if truth else None
    height, width = pixels.shape[:2]
    scale = SHOWN_PX / max(height, width)
    shown = resize(pixels, (max(1, round(height * scale)), max(1, round(width * scale))))
    stem = f"{number}-{_plain(Path(name).stem)}"
    _write(folder / f"{stem}.cover.jpg", shown, "jpeg")
    explanations = []
    for genre in dict.fromkeys([predicted, *genres]):
        heat = enlarged(explainer.maps(covers, genre)[0], shown.shape[:2])
        # with its number, as names of two genres may be alike once they are plain
        told = f"{stem}.{model.genres.index(genre) + 1}-{_plain(genre)}"
        heat_name, overlay_name = f"{told}.heat.png", f"{told}.overlay.jpg"
        _write(folder / heat_name, heat_colors(heat), "png")
        _write(folder / overlay_name, overlay(shown, heat), "jpeg")
        explanations.append(
            Explanation(
                file_name=name,
                genre=genre,
                proba=float(proba[model.genres.index(genre)]),
                predicted=predicted,
                cover=f"{stem}.cover.jpg",
                heat=heat_name,
                overlay=overlay_name,
                truth=truth,
                correct=correct,
                mapped=round(explainer.mapped, 4),
            )
        )
    return explanations


def _plain(text: str) -> str:
    """Return text that is safe in any file system's names."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:60] or "cover"


def _write(path: Path, pixels: Pixels, format_name: str) -> None:
    with replacing(path) as partial:
        partial.write_bytes(encode(pixels, format_name))
