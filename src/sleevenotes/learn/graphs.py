"""How a model's own arithmetic is said in ONNX, so that one graph takes covers and gives proba, wherever it runs.

A network's form (`learn.onnx`) is taken into a graph as it is. What stands around it here is written in Python and
NumPy else: views of a cover, colours, gradients, likeness, the head, calibration and the genre tree. Each is built of
plain operators on float32, whose meaning has not changed since opset 16.

The views that a composed model squeezes (`learn.extractors.seen`) are those of Pillow to the bit. Pillow multiplies
pixels with weights of 22 binary digits, as integers, and rounds between its two passes. Here each weight is cut into
its upper and its lower half, so that float32 holds all sums exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.genre_tree import respect
from sleevenotes.covers.tasks import Kind
from sleevenotes.errors import ModelError
from sleevenotes.learn import color, gradients
from sleevenotes.learn.calibration import LEAST_SLOPE
from sleevenotes.learn.extractors import BOXES, MIRRORED
from sleevenotes.learn.heads import Head
from sleevenotes.learn.likeness import Likeness
from sleevenotes.learn.onnx import INPUT, OUTPUT

if TYPE_CHECKING:  # it takes a third of a second, and predicting needs none of it
    import onnx

LEAST_OPSET = 16  # the first in which a histogram can be counted
LEAST_IR = 8
DIGITS = 22  # binary ones of Pillow's weights
HALF = 11
EXACT = 2**24  # up to which float32 holds every integer
ENDLESS = np.iinfo(np.int64).max
NEVER = float(np.finfo(np.float32).max)  # a border that no logit reaches


class Graph:
    """A graph that is being built, node after node.

    Parameters
    ----------
    opset
        Of its operators; forms that are taken in are brought to it.
    """

    def __init__(self, opset: int = LEAST_OPSET) -> None:
        self.opset, self.ir_version = opset, LEAST_IR
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.functions: list[Any] = []
        self.domains: dict[str, int] = {"": opset}
        self.count = 0

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node of one output, and return the output's name."""
        from onnx import helper

        output = name or self._fresh(operator.lower())
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, value: Any, kind: type = np.float32) -> str:
        """Add an array, and return its name."""
        from onnx import numpy_helper

        name = self._fresh("constant")
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind, order="C"), name))
        return name

    def cast(self, value: str, kind: type = np.float32) -> str:
        """Return a value as numbers of another kind."""
        from onnx import helper

        return self.add("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(kind)))

    def shaped(self, value: str, *shape: int) -> str:
        """Return a value in another shape, in which -1 is what is left."""
        return self.add("Reshape", value, self.constant(shape, np.int64))

    def summed(self, value: str, *axes: int, keep: bool = False) -> str:
        """Return the sums over some axes."""
        return self.add("ReduceSum", value, self.constant(axes, np.int64), keepdims=int(keep))

    def cut(self, value: str, axes: Sequence[int], starts: Sequence[int], ends: Sequence[int], step: int = 1) -> str:
        """Return a part of a value."""
        told = [self.constant(numbers, np.int64) for numbers in (starts, ends, axes, [step] * len(axes))]
        return self.add("Slice", value, *told)

    def taken_in(self, form: onnx.ModelProto, covers: str) -> str:
        """Take a network's form in, let it see covers, and return its features.

        Raises
        ------
        ModelError
            Where it uses operators that do not go together with those of another.
        """
        import onnx

        prefix = f"network_{self.count}/"
        inner = onnx.compose.add_prefix(brought_to(form, self.opset), prefix)
        for used in inner.opset_import:
            if self.domains.setdefault(used.domain, used.version) != used.version:
                found = f"operators '{used.domain}' of two versions, {self.domains[used.domain]} and {used.version}"
                raise ModelError("export", found, "networks whose operators go together")
        self.count += 1
        self.add("Identity", covers, name=prefix + INPUT)
        self.nodes += inner.graph.node
        self.constants += inner.graph.initializer
        self.functions += inner.functions
        self.ir_version = max(self.ir_version, inner.ir_version)
        return prefix + OUTPUT

    def built(self, size_px: int, outputs: Mapping[str, int | None], told: Mapping[str, str]) -> bytes:
        """Return the ONNX file.

        Parameters
        ----------
        size_px
            Width and height of the covers that it takes.
        outputs
            How many numbers of a cover each output has, by name; None where that is not known.
        told
            What the file tells of itself.
        """
        from onnx import TensorProto, helper

        graph = helper.make_graph(
            self.nodes,
            "covers to genres",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", size_px, size_px, 3])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in outputs.items()],
            self.constants,
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in self.domains.items()]
        model = helper.make_model(graph, opset_imports=opsets, functions=self.functions, producer_name="sleevenotes")
        model.ir_version = self.ir_version
        helper.set_model_props(model, dict(told))
        return bytes(model.SerializeToString(deterministic=True))

    def _fresh(self, word: str) -> str:
        self.count += 1
        return f"{word}_{self.count}"


def opset_of(form: onnx.ModelProto) -> int:
    """Return the opset of a form's plain operators."""
    return max((used.version for used in form.opset_import if used.domain in ("", "ai.onnx")), default=LEAST_OPSET)


def brought_to(form: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """Return a form whose plain operators are of another opset.

    Raises
    ------
    ModelError
        Where some of them have no form there.
    """
    from onnx import version_converter

    if opset_of(form) == opset:
        return form
    try:
        return version_converter.convert_version(form, opset)
    except Exception as cause:  # the converter raises whatever its C++ does
        found = f"a network of opset {opset_of(form)}, which can't be brought to opset {opset}"
        raise ModelError("export", found, cure="Train the model again, on a newer form of this network") from cause


# -- pixels to features ------------------------------------------------------------------------------------------------


def view(graph: Graph, covers: str, name: str, *, from_px: int, to_px: int) -> str:
    """Return one view of covers, uint8 (n, to_px, to_px, 3), as `learn.extractors.seen` does."""
    left, top, right, bottom = (round(share * from_px) for share in BOXES[name.removesuffix(MIRRORED)])
    if (left, top, right, bottom) != (0, 0, from_px, from_px):
        covers = graph.cut(covers, (1, 2), (top, left), (bottom, right))
    if right - left != to_px:
        covers = _squeezed(graph, covers, right - left, to_px)
    return graph.cut(covers, (2,), (-1,), (-ENDLESS,), -1) if name.endswith(MIRRORED) else covers


def _squeezed(graph: Graph, covers: str, from_px: int, to_px: int) -> str:
    """Return covers, uint8 (n, S, S, 3), resized as Pillow resizes them."""
    upper, lower = _halves(from_px, to_px)
    now = graph.add("Transpose", graph.cast(covers), perm=[0, 3, 1, 2])  # (n, 3, S, S)
    for across in (True, False):
        coarse, fine = (
            graph.add("MatMul", now, graph.constant(half.T))
            if across
            else graph.add("MatMul", graph.constant(half), now)
            for half in (upper, lower)
        )
        # floor((coarse · 2^11 + fine + 2^21) / 2^22), of which each step is exact
        rounding = graph.add("Add", fine, graph.constant(2.0 ** (DIGITS - 1)))
        shift = graph.constant(2.0**-HALF)
        carried = graph.add("Floor", graph.add("Mul", rounding, shift))
        whole = graph.add("Floor", graph.add("Mul", graph.add("Add", coarse, carried), shift))
        now = graph.add("Clip", whole, graph.constant(0.0), graph.constant(255.0))
    return graph.cast(graph.add("Transpose", now, perm=[0, 2, 3, 1]), np.uint8)


def _halves(from_px: int, to_px: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the upper and the lower half of Pillow's weights; together they are upper · 2^11 + lower."""
    weights = pillow_weights(from_px, to_px)
    upper = (weights + 2 ** (HALF - 1)) >> HALF
    lower = weights - (upper << HALF)
    largest = 255 * max(np.abs(half).sum(axis=1).max() for half in (upper, lower)) + 2 ** (DIGITS - 1)
    if largest > EXACT:
        found = f"views of {from_px} px are squeezed to {to_px} px, which ONNX can't say exactly"
        raise ModelError("export", found, cure="Export a model on a network that takes larger covers")
    return upper, lower


def pillow_weights(from_px: int, to_px: int) -> NDArray[np.int64]:
    """Return the weight of each old pixel in each new one, (to_px, from_px), in 1/2^22, as Pillow's bicubic has them.

    The cubic kernel of a = -0.5, as wide as a new pixel where covers get smaller (Keys 1981, as in `covers.sampling`).

    Examples
    --------
    >>> pillow_weights(4, 2).sum(axis=1).tolist() == [2**22, 2**22]
    True
    """
    scale = from_px / to_px
    width = max(scale, 1.0)
    table = np.zeros((to_px, from_px), dtype=np.int64)
    for new in range(to_px):
        centre = (new + 0.5) * scale
        first, end = max(int(centre - 2 * width + 0.5), 0), min(int(centre + 2 * width + 0.5), from_px)
        taps = [_kernel((old - centre + 0.5) * (1 / width)) for old in range(first, end)]
        total = 0.0
        for tap in taps:
            total += tap
        shares = [tap / total for tap in taps]
        table[new, first:end] = [int(math.copysign(0.5, share) + share * 2**DIGITS) for share in shares]
    return table


def _kernel(x: float, a: float = -0.5) -> float:
    x = abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


def colors(graph: Graph, covers: str) -> str:
    """Return the features of `learn.color`, (n, 512)."""
    size = color.BINS**3
    bins = graph.add("Div", graph.cast(covers, np.int32), graph.constant(256 // color.BINS, np.int32))
    places = graph.constant((color.BINS**2, color.BINS, 1), np.int32)
    flat = graph.shaped(graph.summed(graph.add("Mul", bins, places), 3), -1, color.COLOR_PX**2)
    index = graph.cast(flat, np.int64)
    n = graph.cut(graph.add("Shape", index), (0,), (0,), (1,))
    zero, one = graph.constant([0.0]), graph.constant([1.0])
    empty = graph.add("Expand", zero, graph.add("Concat", n, graph.constant([size], np.int64), axis=0))
    ones = graph.add("Expand", one, graph.add("Shape", index))
    counts = graph.add("ScatterElements", empty, index, ones, axis=1, reduction="add")
    return graph.add("Sqrt", graph.add("Div", counts, graph.constant(color.COLOR_PX**2)))


def edges(graph: Graph, covers: str, *, cell_px: int, bins: int = 9) -> str:
    """Return the features of `learn.gradients`, (n, D)."""
    size = gradients.HOG_PX
    cells = size // cell_px
    turn, length = _gradients(graph, covers, bins)
    # a vote is shared between the two nearest orientations: each gets what it is nearer than one whole step
    apart = graph.add("Abs", graph.add("Sub", graph.shaped(turn, -1, size, size, 1), graph.constant(np.arange(bins))))
    around = graph.add("Min", apart, graph.add("Sub", graph.constant(float(bins)), apart))
    share = graph.add("Relu", graph.add("Sub", graph.constant(1.0), around))  # (n, S, S, bins)
    votes = graph.add("Mul", share, graph.shaped(length, -1, size, size, 1))
    now = graph.summed(graph.shaped(votes, -1, cells, cell_px, cells, cell_px, bins), 2, 4)
    spans = ((0, cells - 1), (1, cells))
    corners = [graph.cut(now, (1, 2), (y[0], x[0]), (y[1], x[1])) for y in spans for x in spans]
    blocks = graph.add("Concat", *corners, axis=3)
    for clip in (gradients.CLIPPED, 1.0):
        square = graph.summed(graph.add("Mul", blocks, blocks), 3, keep=True)
        norm = graph.add("Sqrt", graph.add("Add", square, graph.constant(gradients.SMALL**2)))
        blocks = graph.add("Min", graph.add("Div", blocks, norm), graph.constant(clip))
    return graph.shaped(blocks, -1, (cells - 1) ** 2 * 4 * bins)


def _gradients(graph: Graph, covers: str, bins: int) -> tuple[str, str]:
    """Return of each pixel the orientation of its gradient in 0 to `bins`, and its length, (n, S, S) both."""
    size = gradients.HOG_PX
    padded = graph.add("Pad", graph.cast(covers), graph.constant([0, 1, 1, 0] * 2, np.int64), mode="edge")
    ways = {}
    for axis, other in ((1, 2), (2, 1)):
        after, before = (graph.cut(padded, (axis, other), (start, 1), (start + size, size + 1)) for start in (2, 0))
        ways[axis] = graph.add("Sub", after, before)
    squares = graph.add("Add", *(graph.add("Mul", way, way) for way in ways.values()))
    channel = graph.add("ArgMax", squares, axis=3, keepdims=1)
    down, across, square = (
        graph.shaped(graph.add("GatherElements", of, channel, axis=3), -1, size, size)
        for of in (ways[1], ways[2], squares)
    )
    upright = graph.add("Equal", across, graph.constant(0.0))
    slope = graph.add("Div", down, graph.add("Where", upright, graph.constant(1.0), across))
    angle = graph.add("Where", upright, graph.constant(np.pi / 2), graph.add("Atan", slope))
    turn = graph.add("Mul", angle, graph.constant(bins / np.pi))
    below = graph.add("Less", turn, graph.constant(0.0))
    turn = graph.add("Where", below, graph.add("Add", turn, graph.constant(float(bins))), turn)
    return turn, graph.add("Sqrt", square)


def rooted(graph: Graph, features: str) -> str:
    """Return the square roots of features, negative where one is below 0."""
    return graph.add("Mul", graph.add("Sign", features), graph.add("Sqrt", graph.add("Abs", features)))


def likenesses(graph: Graph, features: str, known: Likeness) -> str:
    """Return the features of `learn.likeness`, (m, n), of those by which covers are compared, (m, D)."""
    centred = graph.add("Sub", features, graph.constant(known.mean))
    points = graph.add("Mul", centred, graph.constant(known.scale))  # (m, D)
    turned = graph.add("MatMul", points, graph.constant(known.directions))
    crossed = graph.add("MatMul", turned, graph.constant(-2 * known.landmarks.T))
    own = graph.summed(graph.add("Mul", points, points), 1, keep=True)
    apart = graph.add("Relu", graph.add("Add", graph.add("Add", graph.constant(known.squares), crossed), own))
    return graph.add("Exp", graph.add("Mul", apart, graph.constant(-known.width)))


# -- features to proba -------------------------------------------------------------------------------------------------


def logits(graph: Graph, features: str, head: Head, name: str) -> str:
    """Return the logits of a head, (n, K)."""
    return graph.add("Gemm", features, graph.constant(head.weight), graph.constant(head.bias), transB=1, name=name)


def proba(graph: Graph, given: str, calibration: Mapping[str, Any], *, task: Kind) -> str:
    """Return calibrated proba, (n, K), of logits, as `learn.calibration.calibrated` does."""
    if "maps" in calibration:
        mapped = _mapped(graph, given, calibration["maps"])
    else:
        mapped = graph.add("Div", given, graph.constant(calibration["temperature"]))
    if task != "multi":
        return graph.add("Softmax", mapped, axis=1)
    # in place of Sigmoid, which some runtimes round where a genre is unlikely
    against = graph.add("Exp", graph.add("Neg", mapped))
    return graph.add("Reciprocal", graph.add("Add", graph.constant(1.0), against))


def _mapped(graph: Graph, given: str, maps: Sequence[Mapping[str, Any]]) -> str:
    """Return logits, (n, K), after each genre's map: the line of its piece in which a logit lies."""
    tables = [pieces(how) for how in maps]
    most = max(len(table) for table in tables)
    whole = np.stack([np.pad(table, ((0, most - len(table)), (0, 0)), mode="edge") for table in tables])
    borders = np.full((len(maps), most), NEVER)
    for genre, table in enumerate(tables):
        borders[genre, : len(table) - 1] = table[1:, 0]
    reached = graph.add("GreaterOrEqual", graph.shaped(given, -1, len(maps), 1), graph.constant(borders))
    place = graph.summed(graph.cast(reached, np.int64), 2)  # (n, K)
    index = graph.add("Add", place, graph.constant(np.arange(len(maps)) * most, np.int64))
    coarse = whole[..., 0].astype(np.float32)
    parts = (coarse, whole[..., 0] - coarse, whole[..., 1], whole[..., 2])  # two numbers tell where a piece begins
    start, rest, value, slope = (graph.add("Gather", graph.constant(part.ravel()), index) for part in parts)
    beyond = graph.add("Sub", graph.add("Sub", given, start), rest)
    return graph.add("Add", value, graph.add("Mul", slope, beyond))


def pieces(how: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return a genre's map as straight pieces, (m, 3): a logit, what it becomes, and the slope from there on.

    The first piece also holds for all logits below.

    Examples
    --------
    >>> pieces({"kind": "platt", "scale": 2.0, "shift": -1.0}).tolist()
    [[0.0, -1.0, 2.0]]
    >>> pieces({"kind": "isotonic", "logits": [0.0, 1.0], "calibrated": [-1.0, 1.0]}).tolist()
    [[0.0, -1.0, 0.05], [0.0, -1.0, 2.0], [1.0, 1.0, 0.05]]
    """
    if how["kind"] != "isotonic":
        return np.array([[0.0, how["shift"], how["scale"]]])
    points, values = np.array(how["logits"]), np.array(how["calibrated"])
    slopes = [LEAST_SLOPE, *np.diff(values) / np.diff(points), LEAST_SLOPE]
    return np.column_stack([np.append(points[0], points), np.append(values[0], values), slopes])


def lifted(graph: Graph, given: str, genres: Sequence[str], tree: Sequence[Sequence[str]]) -> str:
    """Return proba, (n, K), in which no genre is less likely than one below it, as `genre_tree.respect` does."""
    above = respect(np.eye(len(genres)), genres, tree)  # (K, K): 1 where the column is the row's genre, or above it
    if (above.sum(axis=1) == 1).all():
        return given
    columns = [graph.cut(given, (1,), (genre,), (genre + 1,)) for genre in range(len(genres))]
    largest = []
    for genre, column in enumerate(columns):
        below = [columns[row] for row in np.flatnonzero(above[:, genre]) if row != genre]
        largest.append(graph.add("Max", column, *below) if below else column)
    return graph.add("Concat", *largest, axis=1)
