"""Extractors: what turns the pixels of covers into features, one by one or several as one.

A plain model has one of them. A composed model has several **parts**, and each part may look at several **views** of a
cover: the whole of it, its middle, its corners, and all of these mirrored. The features of the views are averaged, and
the features of the parts stand one after the other; so the head on all of them stays linear, and its logits are the
sum of what each part says. A part may also be a likeness (`learn.likeness`), of which further parts are the ground.

A composed model gets its covers at one size, from which every view of every part is cut and squeezed. Nothing here
imports torch or scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.images import resize
from sleevenotes.errors import ModelError
from sleevenotes.learn import color, gradients
from sleevenotes.learn.likeness import ARRAYS, Likeness
from sleevenotes.learn.onnx import OnnxNetwork

if TYPE_CHECKING:  # what keeps features opens tables, and predicting needs none
    from sleevenotes.learn.features import Extractor

COMPOSED_PX = 256  # of the covers that a composed model gets
CROP = 5 / 8  # of a cover's side; the middle and the corners overlap

Features = NDArray[np.float32]
Covers = NDArray[np.uint8]
Box = tuple[float, float, float, float]
Known = dict[tuple[str, str], Features]
"""Features of single views, by the key of an extractor and the name of the view."""

_MARGIN = (1 - CROP) / 2
BOXES: dict[str, Box] = {  # left, top, right, bottom, as shares of the side
    "whole": (0, 0, 1, 1),
    "middle": (_MARGIN, _MARGIN, _MARGIN + CROP, _MARGIN + CROP),
    "top left": (0, 0, CROP, CROP),
    "top right": (1 - CROP, 0, 1, CROP),
    "bottom left": (0, 1 - CROP, CROP, 1),
    "bottom right": (1 - CROP, 1 - CROP, 1, 1),
}
MIRRORED = ", mirrored"
VIEWS = (*BOXES, *(name + MIRRORED for name in BOXES))
WHOLE = ("whole",)


class ColorExtractor:
    """The colour histogram as an extractor of features."""

    size_px = color.COLOR_PX
    key = f"color-{color.BINS}x{color.BINS}x{color.BINS}-{color.COLOR_PX}px"

    def features(self, covers: Covers) -> Features:
        """Return features, (n, 512), of covers, (n, 64, 64, 3)."""
        return color.features(covers)


class GradientExtractor:
    """Histograms of oriented gradients as an extractor of features."""

    size_px = gradients.HOG_PX
    cell_px = 16  # of 8 px, four times as many numbers told no more
    key = f"gradients-{cell_px}-{gradients.HOG_PX}px"

    def features(self, covers: Covers) -> Features:
        """Return features, (n, 324), of covers, (n, 64, 64, 3)."""
        return gradients.hog(covers, cell_px=self.cell_px)


class NetworkExtractor:
    """A network in its ONNX form as an extractor of features."""

    def __init__(self, form: Path | OnnxNetwork, size_px: int) -> None:
        self.network = form if isinstance(form, OnnxNetwork) else OnnxNetwork(form)
        self.size_px = size_px

    @property
    def key(self) -> str:
        """Name by the contents of the network."""
        return f"{self.network.sha256[:16]}-{self.size_px}px"

    def features(self, covers: Covers) -> Features:
        """Return features, (n, D), of covers, (n, S, S, 3)."""
        return self.network.features(covers)


class ViewedExtractor:
    """What an extractor says of several views of a cover, averaged.

    Parameters
    ----------
    part
        The extractor.
    views
        Some of `VIEWS`.
    size_px
        Width and height of the covers of which the views are taken.
    is_rooted
        Whether the square root of features is taken before they are averaged (`rooted`).
    """

    def __init__(
        self, part: Extractor, views: Sequence[str] = WHOLE, size_px: int = COMPOSED_PX, *, is_rooted: bool = False
    ) -> None:
        self.part, self.views, self.size_px, self.is_rooted = part, tuple(views), size_px, is_rooted

    @property
    def key(self) -> str:
        """Name by the extractor, the views and the size of the covers."""
        told = "+".join(view.replace(", ", "-").replace(" ", "-") for view in self.views)
        return f"{self.part.key}-{told}-of-{self.size_px}px{'-rooted' if self.is_rooted else ''}"

    def features(self, covers: Covers, known: Known | None = None) -> Features:
        """Return features, (n, D), of covers, (n, S, S, 3).

        Parameters
        ----------
        covers
            The covers.
        known
            What is known of single views of these covers already, and is added to.
        """
        known = {} if known is None else known
        for view in self.views:
            if (self.part.key, view) not in known:
                known[self.part.key, view] = self.part.features(seen(covers, view, self.part.size_px))
        each = [known[self.part.key, view] for view in self.views]
        return averaged([rooted(features) for features in each] if self.is_rooted else each)


@dataclass(frozen=True)
class LikenessExtractor:
    """Likeness to covers, by the features of several extractors, as an extractor itself.

    Parameters
    ----------
    of
        Extractors; all take covers of one size.
    likeness
        The covers to compare with.
    """

    of: Sequence[ViewedExtractor]
    likeness: Likeness = field(repr=False)

    @property
    def size_px(self) -> int:
        """Width and height of the covers."""
        return self.of[0].size_px

    @cached_property
    def key(self) -> str:
        """Name by all that its numbers depend on."""
        import hashlib

        told = hashlib.sha256("\n".join(part.key for part in self.of).encode())
        for name in ARRAYS:
            told.update(np.ascontiguousarray(getattr(self.likeness, name)).tobytes())
        return f"likeness-{told.hexdigest()[:16]}-{self.likeness.width:g}-of-{self.size_px}px"

    def features(self, covers: Covers, known: Known | None = None) -> Features:
        """Return likenesses, (m, n), of covers, (m, S, S, 3)."""
        return self.likeness.features(self.base(covers, known))

    @property
    def widths(self) -> list[int]:
        """How many features each extractor gives."""
        covers = np.zeros((1, self.size_px, self.size_px, 3), dtype=np.uint8)
        return [part.features(covers).shape[1] for part in self.of]

    def base(self, covers: Covers, known: Known | None = None) -> Features:
        """Return the features by which covers are compared, (m, D)."""
        return np.concatenate([part.features(covers, known) for part in self.of], axis=1)


class ComposedExtractor:
    """Several extractors as one: their features stand one after the other.

    Parameters
    ----------
    parts
        At least one; all take covers of one size.
    """

    def __init__(self, parts: Sequence[ViewedExtractor | LikenessExtractor]) -> None:
        self.parts = tuple(parts)
        (self.size_px,) = {part.size_px for part in parts}

    @property
    def key(self) -> str:
        """Name by all parts, short enough for a file's name."""
        import hashlib

        told = "\n".join(part.key for part in self.parts)
        return f"composed-{hashlib.sha256(told.encode()).hexdigest()[:16]}-{self.size_px}px"

    def features(self, covers: Covers) -> Features:
        """Return features, (n, D of all parts), of covers, (n, S, S, 3)."""
        known: Known = {}  # a network that several parts ask is asked once
        return np.concatenate([part.features(covers, known) for part in self.parts], axis=1)


def averaged(features: Sequence[Features]) -> Features:
    """Return the mean of features of several views, each (n, D).

    Examples
    --------
    >>> averaged([np.array([[1.0, 2.0]], np.float32), np.array([[3.0, 2.0]], np.float32)]).tolist()
    [[2.0, 2.0]]
    """
    return np.asarray(sum(features[1:], start=features[0]) / np.float32(len(features)))


def rooted(features: Features) -> Features:
    """Return the square root of features; that of the opposite, negative, where one is below 0.

    Means of maps have few large values and many small ones; their roots are more alike, so that a head hears more of
    them.

    Examples
    --------
    >>> rooted(np.array([4.0, -9.0], np.float32)).tolist()
    [2.0, -3.0]
    """
    return np.asarray(np.copysign(np.sqrt(np.abs(features)), features))


def seen(covers: Covers, view: str, size_px: int) -> Covers:
    """Return one view of covers, (n, size_px, size_px, 3).

    Parameters
    ----------
    covers
        (n, S, S, 3).
    view
        One of `VIEWS`.

    Examples
    --------
    >>> cover = np.arange(4, dtype=np.uint8)[None, None, :, None] * np.ones((1, 4, 1, 3), dtype=np.uint8)
    >>> seen(cover, "whole, mirrored", 4)[0, 0, :, 0].tolist()
    [3, 2, 1, 0]
    """
    side = covers.shape[1]
    left, top, right, bottom = (round(share * side) for share in BOXES[view.removesuffix(MIRRORED)])
    cut = covers[:, top:bottom, left:right]
    if cut.shape[1:3] != (size_px, size_px):
        cut = np.stack([resize(np.ascontiguousarray(cover), size_px) for cover in cut])
    return np.ascontiguousarray(cut[:, :, ::-1] if view.endswith(MIRRORED) else cut)


def built(parts: Sequence[Mapping[str, Any]], folder: Path, size_px: int) -> ComposedExtractor:
    """Return the extractor that a model's card tells.

    Parameters
    ----------
    parts
        `parts` of the card: of each its `kind` (`color`, `gradients` or `network`), its `views`, whether it is
        `rooted`, and of a network its `file` and `size_px`; or the kind `likeness`, its `file`, and `of`: such parts.
    folder
        The model's folder.
    size_px
        Width and height of the covers that the model gets.

    Raises
    ------
    ModelError
        Where a part is of no known kind, or its file is not there.
    """
    return ComposedExtractor([_one(part, folder, size_px) for part in parts])


def _one(part: Mapping[str, Any], folder: Path, size_px: int) -> ViewedExtractor | LikenessExtractor:
    if part["kind"] == "likeness":
        ground = [_viewed(each, folder, size_px) for each in part["of"]]
        return LikenessExtractor(ground, Likeness.load(folder / part["file"], part["sha256"]))
    return _viewed(part, folder, size_px)


def _viewed(part: Mapping[str, Any], folder: Path, size_px: int) -> ViewedExtractor:
    return ViewedExtractor(_plain(part, folder), part["views"], size_px, is_rooted=part["rooted"])


def _plain(part: Mapping[str, Any], folder: Path) -> Extractor:
    if part["kind"] == "network":
        network = OnnxNetwork(folder / part["file"], sha256=part["network"]["sha256"])
        return NetworkExtractor(network, part["size_px"])
    kinds: dict[str, Callable[[], Extractor]] = {"color": ColorExtractor, "gradients": GradientExtractor}
    if part["kind"] not in kinds:
        raise ModelError(
            str(folder),
            f"a part of the kind '{part['kind']}'",
            f"a network, {' or '.join(kinds)}",
            "Train the model again",
        )
    return kinds[part["kind"]]()
