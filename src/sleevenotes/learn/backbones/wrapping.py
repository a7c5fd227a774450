"""A graph that others made, put into the form of our own.

What comes out takes `covers`, uint8 (n, S, S, 3), and gives `features`, (n, D), like the forms that `learn.onnx`
writes: normalising, what of the graph is needed, and pooling, as one ONNX file. It is checked against the graph itself,
fed by hand, for several covers at once and for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.errors import WeightsError
from sleevenotes.learn.backbones.foreign import Entrance, Graph, Manner, needed_by, opened, taken_of
from sleevenotes.learn.onnx import CHECKED_COVERS, INPUT, OUTPUT, TOLERANCE, cells, first_line, run_graph

OLDEST_IR = 4  # in which weights need not be inputs
PREFIX = "foreign/"  # of all names of the graph, so that none is one of ours


@dataclass(frozen=True)
class Taken:
    """A tensor of a graph that is taken for features: its name, its shape, whether its channels come last."""

    name: str
    shape: tuple[int, ...]
    channels_last: bool


@dataclass(frozen=True)
class Form:
    """A graph in the form of our own.

    Parameters
    ----------
    content
        The ONNX file, whole.
    size_px
        Width and height of the covers that it takes.
    features
        D.
    taken
        Which tensors of the graph its features are.
    difference
        The largest difference of a feature from the graph itself, relative to the largest feature.
    """

    content: bytes
    size_px: int
    features: int
    taken: tuple[str, ...]
    difference: float


def wrapped(path: Path, manner: Manner, *, layers: Sequence[str] = (), grid: int = 1) -> Form:
    """Return a graph in the form of our own, checked against the graph itself.

    Parameters
    ----------
    path
        The ONNX file.
    manner
        How it is fed and read (`manner_of`).
    layers
        Names of tensors inside to take instead of its exit, one after the other.
    grid
        Cells along each side of a map.

    Raises
    ------
    WeightsError
        Where the graph can't be read; where its entrance, its normalising or its exit can't be told; where it takes a
        fixed number of covers; where the form differs from the graph by more than 1e-4.
    """
    graph = opened(path, manner)
    names, size_px = taken_of(graph, layers), graph.manner.size_px
    covers = np.random.default_rng(0).integers(0, 256, (CHECKED_COVERS, size_px, size_px, 3), dtype=np.uint8)
    arrays = _by_hand(graph, names, covers)
    taken = [_taken(graph, name, array.shape) for name, array in zip(names, arrays, strict=True)]
    expected = np.concatenate(
        [_pooled(array, one.channels_last, grid) for array, one in zip(arrays, taken, strict=True)], axis=1
    )
    content = _built(graph, taken, grid)
    return Form(content, size_px, expected.shape[1], names, _checked(content, covers, expected, path))


# How it is fed by hand ------------------------------------------------------------------------------------------------


def _by_hand(graph: Graph, names: Sequence[str], covers: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Return what the graph itself gives for covers at tensors inside, whatever number of covers it is made for."""
    import onnx

    whole = onnx.ModelProto()
    whole.CopyFrom(graph.model)
    there = {output.name for output in whole.graph.output}
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in there)
    fed, at_once = normalised(covers, graph.entrance, graph.manner), graph.entrance.covers or len(covers)
    if len(covers) % at_once:
        told = f"it takes {at_once} covers at once"
        raise WeightsError(str(graph.path), told, "any number of covers", "Export it with a dynamic first dimension")
    try:
        content = whole.SerializeToString()
        parts = [
            run_graph(content, {graph.entrance.name: fed[start : start + at_once]}, names)
            for start in range(0, len(fed), at_once)
        ]
    except Exception as cause:  # onnxruntime raises classes of its own making, with no common parent but this
        found = f"onnxruntime can't run it ({first_line(cause)})"
        raise WeightsError(str(graph.path), found, "an ONNX file that runs") from cause
    return [np.concatenate(arrays).astype(np.float32) for arrays in zip(*parts, strict=True)]


def normalised(covers: NDArray[np.uint8], entrance: Entrance, manner: Manner) -> NDArray[Any]:
    """Return covers, (n, S, S, 3), as a graph wants them: its order of dimensions, its type, its normalising."""
    ordered = covers if entrance.channels_last else covers.transpose(0, 3, 1, 2)
    if entrance.kind is np.uint8 or manner.channels is None:
        return np.ascontiguousarray(ordered)
    shape = (1, 1, 1, 3) if entrance.channels_last else (1, 3, 1, 1)
    mean, deviation = (255 * np.array(channels, dtype=np.float32).reshape(shape) for channels in manner.channels)
    return np.ascontiguousarray((ordered - mean) / deviation).astype(entrance.kind)


def _taken(graph: Graph, name: str, shape: tuple[int, ...]) -> Taken:
    """Return a tensor as it is taken; refuse one that has no numbers of each cover."""
    if len(shape) not in (2, 3, 4) or shape[0] != CHECKED_COVERS:
        found = f"'{name}' has {' × '.join(map(str, shape)) or 'one number'} for {CHECKED_COVERS} covers"
        raise WeightsError(str(graph.path), found, "numbers, a map or tokens of each cover")
    if len(shape) == 4 and (shape[1] == shape[2]) != (shape[2] == shape[3]):
        return Taken(name, shape, shape[1] == shape[2])  # the two sides of a square map are equal
    return Taken(name, shape, graph.entrance.channels_last)


def _pooled(array: NDArray[np.float32], channels_last: bool, grid: int) -> NDArray[np.float32]:
    """Return numbers, tokens or maps of covers as features, (n, D)."""
    if array.ndim == 2:
        return array
    if array.ndim == 3:
        return np.asarray(array.mean(axis=1))
    maps = array.transpose(0, 3, 1, 2) if channels_last else array
    rows, columns = (cells(side, min(grid, side)) for side in maps.shape[2:])
    return np.asarray(rows @ maps @ columns.T, dtype=np.float32).reshape(len(maps), -1)


# How the form is built ------------------------------------------------------------------------------------------------


def _built(source: Graph, taken: Sequence[Taken], grid: int) -> bytes:
    """Return the form: normalising, what of the graph is needed, and pooling."""
    import onnx
    from onnx import TensorProto, helper

    inner = onnx.compose.add_prefix(source.model, PREFIX)
    needed = set(needed_by(inner, [PREFIX + one.name for one in taken]))
    before, constants = _entering(source.entrance, source.manner)
    after, pooling = _leaving(taken, grid)
    size_px = source.manner.size_px
    graph = helper.make_graph(
        [*before, *(node for node in inner.graph.node if needed & set(node.output)), *after],
        "covers to features",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", size_px, size_px, 3])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", None])],
        [*constants, *(tensor for tensor in inner.graph.initializer if tensor.name in needed), *pooling],
    )
    built = helper.make_model(graph, opset_imports=source.model.opset_import, functions=inner.functions)
    built.ir_version = max(source.model.ir_version, OLDEST_IR)
    for node in built.graph.node:  # where and by what it was made, on whose machine
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    return bytes(built.SerializeToString(deterministic=True))


def _entering(entrance: Entrance, manner: Manner) -> tuple[list[Any], list[Any]]:
    """Return nodes and constants that make the graph's input of covers."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, now = [], [], INPUT
    if entrance.kind is not np.uint8 and manner.channels is not None:
        for name, channels in zip(("mean", "deviation"), manner.channels, strict=True):
            constants.append(numpy_helper.from_array(255 * np.array(channels, dtype=np.float32), name))
        nodes = [
            helper.make_node("Cast", [now], ["covers_as_numbers"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["covers_as_numbers", "mean"], ["covers_from_mean"]),
            helper.make_node("Div", ["covers_from_mean", "deviation"], ["covers_normalised"]),
        ]
        now = "covers_normalised"
    if not entrance.channels_last:
        nodes.append(helper.make_node("Transpose", [now], ["covers_ordered"], perm=[0, 3, 1, 2]))
        now = "covers_ordered"
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(entrance.kind))
    nodes.append(helper.make_node("Cast", [now], [PREFIX + entrance.name], to=kind))
    return nodes, constants


def _leaving(taken: Sequence[Taken], grid: int) -> tuple[list[Any], list[Any]]:
    """Return nodes and constants that make features, (n, D), of the tensors taken."""
    from onnx import TensorProto, helper

    nodes, constants = [], []
    for at, one in enumerate(taken):
        nodes.append(helper.make_node("Cast", [PREFIX + one.name], [f"taken_{at}"], to=TensorProto.FLOAT))
        steps, made = _pooling(one, f"taken_{at}", grid)
        nodes += steps
        constants += made
        nodes.append(helper.make_node("Flatten", [steps[-1].output[0] if steps else f"taken_{at}"], [f"flat_{at}"]))
    nodes.append(helper.make_node("Concat", [f"flat_{at}" for at in range(len(taken))], [OUTPUT], axis=1))
    return nodes, constants


def _pooling(taken: Taken, now: str, grid: int) -> tuple[list[Any], list[Any]]:
    """Return nodes and constants that pool tokens by their mean and a map on a grid; nothing for plain numbers."""
    from onnx import helper, numpy_helper

    if len(taken.shape) == 2:
        return [], []
    ordered, rows, columns = now + "_ordered", now + "_rows", now + "_columns"
    if len(taken.shape) == 3:  # a row of each channel's tokens times a column of equal weights
        weights = np.full((taken.shape[1], 1), 1 / taken.shape[1], dtype=np.float32)
        turned = helper.make_node("Transpose", [now], [ordered], perm=[0, 2, 1])
        pooled = helper.make_node("MatMul", [ordered, columns], [now + "_pooled"])
        return [turned, pooled], [numpy_helper.from_array(weights, columns)]
    height, width = taken.shape[1:3] if taken.channels_last else taken.shape[2:4]
    across = np.ascontiguousarray(cells(width, min(grid, width)).T)
    constants = [numpy_helper.from_array(cells(height, min(grid, height)), rows)]
    constants.append(numpy_helper.from_array(across, columns))
    turned = helper.make_node("Transpose", [now], [ordered], perm=[0, 3, 1, 2] if taken.channels_last else [0, 1, 2, 3])
    by_row = helper.make_node("MatMul", [rows, ordered], [now + "_by_row"])
    return [turned, by_row, helper.make_node("MatMul", [now + "_by_row", columns], [now + "_pooled"])], constants


def _checked(content: bytes, covers: NDArray[np.uint8], expected: NDArray[np.float32], path: Path) -> float:
    """Return how far the form differs from the graph, for several covers at once and for one."""
    try:
        at_once, alone = (run_graph(content, {INPUT: some}, [OUTPUT])[0] for some in (covers, covers[:1]))
    except Exception as cause:  # onnxruntime raises classes of its own making, with no common parent but this
        found = f"it can't take several covers at once ({first_line(cause)})"
        raise WeightsError(str(path), found, cure="Export it with a dynamic first dimension") from cause
    largest = max(float(np.abs(expected).max()), 1e-12)
    difference = max(float(np.abs(at_once - expected).max()), float(np.abs(alone - expected[:1]).max())) / largest
    if not difference <= TOLERANCE:  # nor where it is not a number
        raise WeightsError(
            str(path),
            f"its form differs from the graph itself by {difference:.2g}",
            f"at most {TOLERANCE:g} of difference",
        )
    return difference
