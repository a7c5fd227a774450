"""Exporting: a whole model as one ONNX graph, from the pixels of covers to calibrated proba, checked against torch.

The graph holds all that a model does after a cover was decoded and squeezed: its networks with their normalising and
pooling, colours, gradients, views and likeness where it is composed, the head, the calibration, and the genre tree. So
whatever runs it gives our percentages, and no program has to be told how they come about.

**The check.** Covers are shown to the graph, and to the model with every network computed by torch, its parameters
read anew from the model's weights, and head and calibration by NumPy. No proba may differ by more than 1e-4. A network
that torch does not know here (a graph of others) is asked in the model's own ONNX form on both sides, which is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sleevenotes import __version__
from sleevenotes.collect.demo import NAMES, DemoSettings, draw_cover
from sleevenotes.collect.folders import is_cover, walk
from sleevenotes.covers.dataset import CSV_NAME, Dataset
from sleevenotes.covers.images import MAX_PIXELS, resize, sha256
from sleevenotes.covers.pixels import iter_covers
from sleevenotes.errors import CoverError, ModelError, SourceError
from sleevenotes.learn import graphs
from sleevenotes.learn.bundles import FEATURES, GRAPH_NAME, LOGITS, PROBA
from sleevenotes.learn.calibration import Floats
from sleevenotes.learn.card import FORMAT
from sleevenotes.learn.cover_network import CoverNetwork
from sleevenotes.learn.extractors import (
    ColorExtractor,
    ComposedExtractor,
    GradientExtractor,
    LikenessExtractor,
    NetworkExtractor,
    ViewedExtractor,
)
from sleevenotes.learn.graphs import Graph
from sleevenotes.learn.known import LEARNT_NAME
from sleevenotes.learn.model import BATCH, WEIGHTS_NAME, Model, read_weights
from sleevenotes.learn.networks import rebuilt
from sleevenotes.learn.onnx import INPUT, OnnxNetwork, first_line
from sleevenotes.learn.readings import Reading

TOLERANCE = 1e-4
CHECKED_COVERS = 100
DRAWN_PX = 128  # of covers that are drawn for the check

PREPROCESSING = {
    "formats": "JPEG, PNG, WebP, GIF (first frame), BMP, TIFF (first page), AVIF; told by their bytes",
    "max_pixels": MAX_PIXELS,
    "orientation": "turned upright as EXIF says",
    "color_profile": "an embedded ICC profile is converted to sRGB (Pillow's ImageCms, perceptual); CMYK, grey and "
    "palettes become sRGB",
    "transparency": "laid on white",
    "crop": "none: the whole cover is squeezed to a square, whatever its sides",
    "resize": "Pillow's BICUBIC (a = -0.5, antialiased where covers get smaller), in one step; not OpenCV's or torch's",
    "color": "sRGB; red, green, blue",
    "dtype": "uint8, 0 to 255, not normalised: that is inside of the graph",
    "layout": "NHWC",
}


@dataclass(frozen=True)
class Checked:
    """How far a graph was found to be from what it was made of.

    Parameters
    ----------
    covers, own
        How many covers it was shown, and how many of them were the user's; the others were drawn.
    from_torch
        The largest difference of a proba from torch and NumPy; None where no network is known in torch, or none is
        there.
    from_model
        The largest difference from what the model says itself, by its own ONNX forms.
    unknown
        Networks that torch does not know here; they count in `from_model` alone.
    """

    covers: int
    own: int
    from_torch: float | None
    from_model: float
    unknown: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """All this in a sentence."""
        drawn = self.covers - self.own
        told = [f"{self.own:,} of yours"] * (self.own > 0) + [f"{drawn:,} drawn"] * (drawn > 0)
        against = "the model itself" if self.from_torch is None else "torch"
        difference = self.from_model if self.from_torch is None else self.from_torch
        words = f"checked on {self.covers:,} covers ({', '.join(told)}): no proba differs by more than "
        words += f"{at_most(difference)} from {against} ({TOLERANCE:g} is allowed)"
        return words + (f"; torch does not know {', '.join(self.unknown)}" if self.unknown else "")


@dataclass(frozen=True)
class Exported:
    """A model as one graph.

    Parameters
    ----------
    graph
        The ONNX file.
    told
        What `sleevenotes.json` tells of it.
    checked
        How far it is from the model.
    """

    graph: bytes
    told: dict[str, Any]
    checked: Checked


def exported(model: Model, covers: Path | None = None) -> Exported:
    """Return a model as one graph, checked.

    Parameters
    ----------
    model
        A model, not a bundle.
    covers
        A dataset, or a folder with covers, to check it on; where it has fewer than 100, others are drawn.

    Raises
    ------
    ModelError
        Where something of the model can't be said in ONNX, or a proba differs by more than 1e-4.
    SourceError, DatasetError
        Where there is no cover in the folder, or its table can't be read.
    """
    told = card_of(model)
    graph = graph_of(model, told)
    pixels, own = pixels_to_check(covers, model.size_px)
    checked = check(model, graph, pixels, own)
    told["graph"] |= {"sha256": sha256(graph)}
    told["checked"] = asdict(checked) | {"tolerance": TOLERANCE, "words": checked.words}
    return Exported(graph, told, checked)


def card_of(model: Model) -> dict[str, Any]:
    """Return what a bundle tells of a model, but for its graph's SHA-256."""
    k = len(model.genres)
    numbers = {"dtype": "float32", "shape": ["n", k]}
    pixels = {"dtype": "uint8", "shape": ["n", model.size_px, model.size_px, 3]}
    features = {"dtype": "float32", "shape": ["n", model.head.weight.shape[1]]}
    dataset = model.card.get("dataset") or {}
    return {
        "format": FORMAT,
        "name": model.name,
        "version": __version__,
        "task": model.task,
        "genres": list(model.genres),
        "tree": list(model.card.get("tree") or ()),
        "preprocessing": {"size_px": model.size_px, **PREPROCESSING},
        "calibration": model.card["calibration"],
        "learnt_from": {"file": LEARNT_NAME, **model.known.without_names().card},
        "graph": {
            "file": GRAPH_NAME,
            "inputs": {INPUT: pixels},
            "outputs": {PROBA: numbers, LOGITS: numbers, FEATURES: features},
        },
        "model": {
            "sha256": model.sha256,
            "dataset": {key: dataset[key] for key in ("name", "fingerprint") if key in dataset},
            "seed": model.card.get("seed"),
        },
    }


# -- the graph ---------------------------------------------------------------------------------------------------------


def graph_of(model: Model, told: Mapping[str, Any]) -> bytes:
    """Return a model as an ONNX file, which also tells what `told` says.

    Raises
    ------
    ModelError
        Where something of it can't be said in ONNX.
    """
    forms = {key: _read(network) for key, network in _forms(model)}
    graph = Graph(max([graphs.LEAST_OPSET, *map(graphs.opset_of, forms.values())]))
    features = graph.add("Identity", _features(graph, model, forms), name=FEATURES)
    logits = graphs.logits(graph, features, model.head, LOGITS)
    proba = graphs.proba(graph, logits, model.card["calibration"], task=model.task)
    graph.add("Identity", graphs.lifted(graph, proba, model.genres, told["tree"]), name=PROBA)
    outputs = {name: side["shape"][1] for name, side in told["graph"]["outputs"].items()}
    kept = ("format", "name", "version", "task", "genres", "tree", "preprocessing", "calibration")
    return graph.built(model.size_px, outputs, {f"sleevenotes.{key}": _text(told[key]) for key in kept})


def _read(network: OnnxNetwork) -> Any:
    import onnx

    path, content = network.where, network.read()
    try:
        form = onnx.load_from_string(content)
    except Exception as cause:  # protobuf raises classes of its own making
        found = f"no ONNX file that can be read ({first_line(cause)})"
        raise ModelError(path, found, cure="Train the model again") from cause
    if not form.graph.output:  # as of an empty file, in which protobuf sees nothing wrong
        raise ModelError(path, "no network in it", cure="Train the model again")
    return form


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _forms(model: Model) -> Iterator[tuple[str, OnnxNetwork]]:
    """Yield the key and the form of each network of a model, once each."""
    seen: set[str] = set()
    for _, extractor in _networks(model):
        if extractor.key not in seen:
            seen.add(extractor.key)
            yield extractor.key, extractor.network


def _features(graph: Graph, model: Model, forms: Mapping[str, Any]) -> str:
    """Return the features of covers, (n, D)."""
    extractor = model.extractor
    if not isinstance(extractor, ComposedExtractor):
        return _plain(graph, extractor, INPUT, forms)
    views = _views(graph, extractor, forms)
    told = []
    for part in extractor.parts:
        if isinstance(part, LikenessExtractor):
            ground = graph.add("Concat", *(_viewed(graph, each, views) for each in part.of), axis=1)
            told.append(graphs.likenesses(graph, ground, part.likeness))
        else:
            told.append(_viewed(graph, part, views))
    return graph.add("Concat", *told, axis=1)


def _plain(graph: Graph, extractor: Any, covers: str, forms: Mapping[str, Any]) -> str:
    """Return the features that one extractor gives of covers at its size."""
    if isinstance(extractor, NetworkExtractor):
        return graph.taken_in(forms[extractor.key], covers)
    if isinstance(extractor, ColorExtractor):
        return graphs.colors(graph, covers)
    if isinstance(extractor, GradientExtractor):
        return graphs.edges(graph, covers, cell_px=extractor.cell_px)
    raise ModelError("export", f"features of the kind '{extractor.key}', which have no form in ONNX", "a network")


def _views(graph: Graph, extractor: ComposedExtractor, forms: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return the features of every view that some part asks for, by the extractor's key and the view's name.

    An extractor sees all its views at once, as if they were so many covers: its weights are then in the file once.
    """
    asked: dict[str, tuple[Any, dict[str, None]]] = {}
    for part in _viewers(extractor):
        asked.setdefault(part.part.key, (part.part, {}))[1].update(dict.fromkeys(part.views))
    found = {}
    for key, (plain, names) in asked.items():
        size = plain.size_px
        seen = [graphs.view(graph, INPUT, name, from_px=extractor.size_px, to_px=size) for name in names]
        if len(seen) == 1:
            found[key, next(iter(names))] = _plain(graph, plain, seen[0], forms)
            continue
        features = _plain(graph, plain, graph.add("Concat", *seen, axis=0), forms)
        width = plain.features(np.zeros((1, size, size, 3), dtype=np.uint8)).shape[1]
        each = graph.shaped(features, len(seen), -1, width)  # (views, n, D)
        for at, name in enumerate(names):
            found[key, name] = graph.add("Gather", each, graph.constant(at, np.int64), axis=0)
    return found


def _viewers(extractor: ComposedExtractor) -> list[ViewedExtractor]:
    """Return all parts that look at covers themselves."""
    found: list[ViewedExtractor] = []
    for part in extractor.parts:
        found += part.of if isinstance(part, LikenessExtractor) else [part]
    return found


def _viewed(graph: Graph, part: ViewedExtractor, views: Mapping[tuple[str, str], str]) -> str:
    """Return the mean of the features of a part's views, or of their square roots."""
    each = [views[part.part.key, name] for name in part.views]
    each = [graphs.rooted(graph, features) for features in each] if part.is_rooted else each
    return each[0] if len(each) == 1 else graph.add("Div", graph.add("Sum", *each), graph.constant(len(each)))


# -- the check ---------------------------------------------------------------------------------------------------------


class TorchNetwork(OnnxNetwork):
    """A network that is computed by torch, in the place of its ONNX form."""

    def __init__(self, form: OnnxNetwork, network: CoverNetwork) -> None:
        super().__init__(form.source, sha256=form.expected)
        self.network = network

    @torch.inference_mode()
    def features(self, covers: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features, (n, D), of covers, (n, S, S, 3)."""
        return self.network(torch.from_numpy(np.ascontiguousarray(covers))).numpy()  # type: ignore[no-any-return]


def in_torch(model: Model) -> tuple[Model, list[str], list[str]]:
    """Return a model once more, its networks computed by torch, which of them those are, and which torch doesn't know.

    Raises
    ------
    ModelError
        Where parameters do not fit their network.
    """
    twin = Model.load(model.folder)
    tensors = read_weights(model.folder)
    known, unknown = [], []
    for card, extractor in _networks(twin):
        architecture, name = card["network"]["architecture"], card["name"]
        if not architecture:
            unknown.append(name)
            continue
        prefix = f"{name}.network." if twin.parts else "network."
        parameters = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        try:
            network = rebuilt(architecture, parameters)
        except (KeyError, RuntimeError) as cause:
            found = f"not the parameters of the network '{architecture}' as it is here"
            raise ModelError(str(model.folder / WEIGHTS_NAME), found, cure="Train the model again") from cause
        if card.get("layers") or card.get("grid", 1) > 1:
            network = Reading(network, card["layers"], card["grid"])
        extractor.network = TorchNetwork(extractor.network, network)
        known.append(name)
    return twin, list(dict.fromkeys(known)), list(dict.fromkeys(unknown))


def _networks(model: Model) -> Iterator[tuple[Mapping[str, Any], NetworkExtractor]]:
    """Yield what the card tells of each network, and what asks it."""
    extractor = model.extractor
    if isinstance(extractor, NetworkExtractor):
        read = model.card["backbone"] or {}
        yield {**read, "name": model.name, "network": model.card["network"]}, extractor
    if isinstance(extractor, ComposedExtractor):
        cards = [ground for part in model.parts for ground in part.get("of", [part])]
        for card, viewer in zip(cards, _viewers(extractor), strict=True):
            if isinstance(viewer.part, NetworkExtractor):
                yield card, viewer.part


def check(model: Model, graph: bytes, pixels: NDArray[np.uint8], own: int = 0) -> Checked:
    """Show covers to a graph and to the model that it was made of, by torch and as the model answers itself.

    Parameters
    ----------
    pixels
        (n, S, S, 3), at the model's size.
    own
        How many of them are the user's.

    Raises
    ------
    ModelError
        Where a proba differs by more than 1e-4.
    """
    form = OnnxNetwork(graph)
    found = _in_batches(lambda covers: np.asarray(form.output(PROBA, covers), dtype=np.float64), pixels)
    twin, known, unknown = in_torch(model)
    from_model = _difference(found, _in_batches(model.asked, pixels), "the model itself")
    by_torch = _difference(found, _in_batches(twin.asked, pixels), "torch") if known else None
    return Checked(len(pixels), own, by_torch, from_model, tuple(unknown))


def at_most(difference: float) -> str:
    """Return a difference in words, rounded up to one digit, so that what is said of it holds.

    Examples
    --------
    >>> at_most(3.1e-7), at_most(0.0)
    ('4e-07', '0')
    """
    if not difference:
        return "0"
    power = 10.0 ** np.floor(np.log10(difference))
    return f"{np.ceil(difference / power) * power:.1g}"


def _in_batches(asked: Any, pixels: NDArray[np.uint8]) -> Floats:
    """Return proba, (n, K), asked for as many covers at once as `predict` does."""
    return np.concatenate([asked(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)])


def _difference(found: Floats, expected: Floats, what: str) -> float:
    """Return the largest difference of a proba; refuse one that is too large."""
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:  # nor where it is not a number
        told = f"the graph differs from {what} by {difference:.2g} on {len(found):,} covers"
        raise ModelError("export", told, f"at most {TOLERANCE:g} of difference")
    return difference


def pixels_to_check(source: Path | None, size_px: int) -> tuple[NDArray[np.uint8], int]:
    """Return 100 covers, (100, size_px, size_px, 3), and how many of them come from a source; the others are drawn.

    Parameters
    ----------
    source
        A dataset or a folder; of more covers than enough those are taken that lie evenly in its order. Covers that
        can't be read are passed over.

    Raises
    ------
    SourceError, DatasetError
        Where no cover of it can be read, or its table can't be.
    """
    own = [] if source is None else _readable(Path(source), size_px)
    drawn = [resize(_drawn(number), size_px) for number in range(CHECKED_COVERS - len(own))]
    return np.stack([*own, *drawn]), len(own)


def _readable(source: Path, size_px: int) -> list[NDArray[np.uint8]]:
    if not source.is_dir():
        lacking = "a file" if source.is_file() else "no such folder"
        raise SourceError(str(source), lacking, "a dataset, or a folder with covers")
    if (source / CSV_NAME).is_file():
        paths: Sequence[Path] = Dataset.open(source, files=False).paths
    else:
        paths = [path for path in walk(source)[0] if is_cover(path)]
    chosen = (
        [paths[at] for at in np.unique(np.linspace(0, len(paths) - 1, CHECKED_COVERS).astype(int))] if paths else []
    )
    found = [pixels for _, pixels in iter_covers(chosen, size_px=size_px) if not isinstance(pixels, CoverError)]
    if not found:
        raise SourceError(str(source), "no cover in it that can be read", "a dataset, or a folder with covers")
    return found


def _drawn(number: int) -> NDArray[np.uint8]:
    """Return a demo cover; the same number is the same cover."""
    settings = DemoSettings(size_px=DRAWN_PX)
    return draw_cover(np.random.default_rng((0, number)), genre=NAMES[number % len(NAMES)], settings=settings).pixels
