"""Any ONNX file as a backbone: how a graph that others made is fed, and what of it is taken for features.

The graph is looked at, never guessed about:

- its **entrance**: one input of four dimensions, one of which has the three channels; its order, size and type;
- its **normalising**: by name, or from a small JSON file beside it, `NAME.json` for `NAME.onnx`:
  `normalise` (a name of `NORMALISATIONS`) or `mean` and `deviation` of channels in 0..1; and where the graph leaves
  them open, `size_px`, `output` (any tensor's name) and `licence`. A graph that takes bytes needs none;
- its **exit**: the pooled features where they are an output; else a map, which is pooled; else the mean over tokens;
  else the pooled features inside, through which all else that it gives was told; else the logits of its last layer.

`wrapping` then writes the form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from sleevenotes.covers.schema import quoted, read_json
from sleevenotes.errors import WeightsError, did_you_mean
from sleevenotes.learn.backbones.registry import NORMALISATIONS, Channels
from sleevenotes.learn.onnx import first_line

USUAL_PX = 224  # where a graph takes covers of any size
TYPES: dict[int, type[np.generic]] = {
    1: np.float32,
    10: np.float16,
    2: np.uint8,
}  # of an entrance, by their number in ONNX
PASSING = {"Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Cast", "Dropout", "Transpose"}
POOLING = {"GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax", "AveragePool"}
TELLING = {"Softmax", "LogSoftmax", "Sigmoid"}  # what makes percentages of logits
FEATURE_WORDS = ("feature", "embed", "pool")
NORMALISING_CURE = "Say it with --normalise imagenet, minus-one-one or zero-one, or in {beside} beside it"


@dataclass(frozen=True)
class Manner:
    """How a graph wants to be fed and read, as far as it does not say so itself.

    Parameters
    ----------
    normalise
        A name of `NORMALISATIONS`.
    mean, deviation
        Of channels in 0..1, where none of these fits.
    size_px
        Width and height of the covers, where the graph leaves them open; 0 where the graph says it.
    output
        Name of the tensor to take; empty for the one that is found.
    licence
        Of the weights.
    """

    normalise: str = ""
    mean: Channels | None = None
    deviation: Channels | None = None
    size_px: int = 0
    output: str = ""
    licence: str = "unknown"

    @property
    def channels(self) -> tuple[Channels, Channels] | None:
        """Mean and deviation; None where nothing tells them."""
        if self.mean and self.deviation:
            return self.mean, self.deviation
        return NORMALISATIONS.get(self.normalise)


@dataclass(frozen=True)
class Entrance:
    """The input of a graph: its name, the order of its dimensions, its size (0: any), its type, its covers (0: any)."""

    name: str
    channels_last: bool
    size_px: int
    kind: type[np.generic]
    covers: int


@dataclass(frozen=True)
class Graph:
    """A graph that others made, with all that is needed to feed it.

    Parameters
    ----------
    path
        The ONNX file.
    model
        Its contents.
    entrance
        Its input.
    manner
        How it is fed and read, its size and its normalising told.
    """

    path: Path
    model: Any
    entrance: Entrance
    manner: Manner


def manner_of(path: Path, normalise: str = "") -> Manner:
    """Return how a graph is to be fed and read: what the JSON file beside it says, and a name that goes before it.

    Raises
    ------
    WeightsError
        Where that file says something else than a manner, or there is no normalising of that name.
    """
    beside = path.with_suffix(".json")
    told = _read_beside(beside) if beside.is_file() else {}
    if normalise:
        told = {key: value for key, value in told.items() if key not in ("mean", "deviation")} | {
            "normalise": normalise
        }
    name = told.get("normalise", "")
    if name and name not in NORMALISATIONS:
        expected = ", ".join(NORMALISATIONS)
        raise WeightsError(
            f"normalise '{name}'", "unknown", f"Known are {expected}", did_you_mean(name, list(NORMALISATIONS))
        )
    return Manner(**told)


def _read_beside(path: Path) -> dict[str, Any]:
    known = [field.name for field in fields(Manner)]
    told = read_json(path, dict[str, Any], WeightsError, "Correct it: it says how the graph beside it is fed")
    for key, value in told.items():
        if key not in known:
            raise WeightsError(str(path), f"unknown '{key}'", f"Known are {', '.join(known)}", did_you_mean(key, known))
        fits, expected = _fits(key, value)
        if not fits:
            raise WeightsError(str(path), f"{key} is {quoted(value)}", expected)
        if key in ("mean", "deviation"):
            told[key] = tuple(float(one) for one in value)
    return told


# How a graph is looked at ---------------------------------------------------------------------------------------------


def _fits(key: str, value: Any) -> tuple[bool, str]:
    """Return whether a value is one of its key, and what would be."""
    if key in ("mean", "deviation"):
        three = isinstance(value, list) and len(value) == 3 and all(type(one) in (int, float) for one in value)
        fits = three and all(0 <= one <= 1 and (one > 0 or key == "mean") for one in value)
        return fits, "three numbers, of red, green and blue in 0..1"
    if key == "size_px":
        return type(value) is int and 0 < value <= 4096, "a size in pixels"
    return isinstance(value, str), "a name"


def opened(path: Path, manner: Manner) -> Graph:
    """Open a graph, and complete how it is fed by what it says itself.

    Raises
    ------
    WeightsError
        Where it can't be read; where its entrance or its normalising can't be told.
    """
    model = _loaded(path)
    entrance = entrance_of(model, path)
    return Graph(path, model, entrance, _completed(manner, entrance, path))


def _loaded(path: Path) -> Any:
    import onnx

    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except FileNotFoundError as cause:
        raise WeightsError(
            str(path), f"not there ({first_line(cause)})", "an ONNX file with all that belongs to it"
        ) from cause
    except Exception as cause:  # protobuf and onnx raise classes of their own making
        raise WeightsError(str(path), f"can't be read ({first_line(cause)})", "an ONNX file") from cause
    return model


def entrance_of(model: Any, path: Path) -> Entrance:
    """Return the input of a graph that takes covers.

    Raises
    ------
    WeightsError
        Where it has several inputs, or one that takes no covers.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in weights]
    if len(inputs) != 1:
        found = f"{len(inputs)} inputs ({', '.join(one.name for one in inputs)})"
        raise WeightsError(str(path), found, "one input that takes covers", "Export the part of it that sees pictures")
    tensor = inputs[0].type.tensor_type
    sides = [dimension.dim_value for dimension in tensor.shape.dim]
    told = " × ".join(str(side or "any") for side in sides) or "nothing"
    if len(sides) != 4 or (sides[1] == 3) == (sides[3] == 3):
        found = f"its input '{inputs[0].name}' takes {told}"
        raise WeightsError(str(path), found, "n × 3 × height × width or n × height × width × 3")
    if tensor.elem_type not in TYPES:
        found = f"its input '{inputs[0].name}' takes numbers of type {tensor.elem_type}"
        raise WeightsError(str(path), found, "float32, float16 or uint8")
    last = sides[3] == 3
    height, width = sides[1:3] if last else sides[2:4]
    if height and width and height != width:
        raise WeightsError(str(path), f"it takes pictures of {width} × {height} px", "square ones, as covers are")
    return Entrance(inputs[0].name, last, height or width, TYPES[tensor.elem_type], sides[0])


def _completed(manner: Manner, entrance: Entrance, path: Path) -> Manner:
    """Return a manner with the size of covers and the normalising that hold for this graph."""
    if manner.size_px and entrance.size_px and manner.size_px != entrance.size_px:
        raise WeightsError(str(path), f"{manner.size_px} px", f"covers of {entrance.size_px} px, as its graph has it")
    size_px = entrance.size_px or manner.size_px or USUAL_PX
    if entrance.kind is np.uint8:
        return replace(manner, size_px=size_px, normalise="none", mean=None, deviation=None)
    if manner.channels is None:
        cure = NORMALISING_CURE.format(beside=path.with_suffix(".json").name)
        raise WeightsError(str(path), "nothing tells how it wants its pixels normalised", cure=cure)
    return replace(manner, size_px=size_px)


def exit_of(graph: Graph) -> str:
    """Return the name of the tensor that is taken for the features of a graph (see above, in which order).

    Raises
    ------
    WeightsError
        Where there is none.
    """
    model, ranks = graph.model, _ranks(graph.model)
    outputs = [output.name for output in model.graph.output if ranks.get(output.name, 0) in (0, 2, 3, 4)]
    numbers = [name for name in outputs if ranks.get(name) != 3]
    pooled = [name for name in numbers if _speaks(model, name).op_type in POOLING]
    named = [name for name in numbers if any(word in name.lower() for word in FEATURE_WORDS)]
    maps, tokens = ([name for name in outputs if ranks.get(name) == rank] for rank in (4, 3))
    candidates = (*pooled, *named, *maps[-1:], *tokens[:1])
    if candidates:
        return str(candidates[0])
    if outputs:
        return _pooled_inside(model, ranks) or _logits(model, outputs[0])
    raise WeightsError(
        str(graph.path),
        f"none of its outputs ({', '.join(output.name for output in model.graph.output)}) can be features",
        "numbers, a map or tokens of each cover",
        f'Name a tensor inside as "output" in {graph.path.with_suffix(".json").name} beside it',
    )


def _ranks(model: Any) -> dict[str, int]:
    """Return how many dimensions tensors have, as far as that can be inferred."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph
    known = (*inferred.value_info, *inferred.output, *inferred.input)
    return {one.name: len(one.type.tensor_type.shape.dim) for one in known if one.type.tensor_type.HasField("shape")}


def _speaks(model: Any, tensor: str) -> Any:
    """Return the node that makes what a tensor says: that behind all that only reshape it."""
    makers = {name: node for node in model.graph.node for name in node.output}
    node = makers[tensor]
    while node.op_type in PASSING and node.input[0] in makers:
        node = makers[node.input[0]]
    return node


def _logits(model: Any, output: str) -> str:
    """Return the logits of an output that may hold percentages made of them."""
    node = _speaks(model, output)
    return str(node.input[0]) if node.op_type in TELLING else output


def _pooled_inside(model: Any, ranks: dict[str, int]) -> str | None:
    """Return the last pooled map through which all of a graph's outputs were told, so that nothing goes around it."""
    for node in reversed(model.graph.node):
        over_places = node.op_type in ("GlobalAveragePool", "GlobalMaxPool") or (
            node.op_type in ("ReduceMean", "AveragePool") and ranks.get(node.input[0]) == 4
        )
        if over_places and not _reaches_entrance(model, without=node.output[0]):
            return str(node.output[0])
    return None


def _reaches_entrance(model: Any, *, without: str) -> bool:
    """Return whether an output depends on the graph's input by a way that leaves a tensor aside."""
    needed = set(needed_by(model, [output.name for output in model.graph.output], stop=without))
    return any(one.name in needed for one in model.graph.input)


def needed_by(model: Any, tensors: Sequence[str], stop: str = "") -> Iterator[str]:
    """Yield the names of all tensors that these ones are made of, themselves among them."""
    makers = {name: node for node in model.graph.node for name in node.output}
    seen, waiting = {stop}, list(tensors)
    while waiting:
        name = waiting.pop()
        if name and name not in seen:
            seen.add(name)
            yield name
            waiting += makers[name].input if name in makers else ()


def taken_of(graph: Graph, layers: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the tensors that are taken for features: layers, or what is named as output, or the exit.

    Raises
    ------
    WeightsError
        Where the graph has no tensor of a name, or no exit.
    """
    taken = tuple(layers) or (graph.manner.output or exit_of(graph),)
    known = [name for node in graph.model.graph.node for name in node.output]
    for name in taken:
        if name not in known:
            found = f"the graph has no tensor of that name, but {len(known):,} others"
            raise WeightsError(f"{graph.path}, '{name}'", found, cure=did_you_mean(name, known))
    return taken
