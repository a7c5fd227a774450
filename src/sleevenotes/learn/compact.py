"""A network in few bytes, so that a model can come with the package: batch norm folded, and numbers of 16 bits.

A trained convolution and the batch norm behind it are one linear map, and become one convolution. What is left is
rounded to float16, which has eleven digits of two: a hundred times finer than what a cover's genre hangs on. It is
still computed with in float32. Both the parameters and the ONNX form then take half of the bytes, and give the same
numbers, as they hold the same ones.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sleevenotes.learn.cover_network import CoverNetwork

FEWEST = 16  # numbers; what is smaller is left as it is, as are indices and shapes


def folded(network: CoverNetwork) -> CoverNetwork:
    """Return a copy in evaluation mode in which each batch norm behind a convolution is part of it.

    The two stand next to each other in a `Sequential`. What was batch norm hands through, so that all other layers
    keep their names.
    """
    network = copy.deepcopy(network).eval()
    for part in network.modules():
        if isinstance(part, nn.Sequential):
            for index in range(len(part) - 1):
                layer, norm = part[index], part[index + 1]
                if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    part[index], part[index + 1] = fuse_conv_bn_eval(layer, norm), nn.Identity()
    return network


def rounded(network: CoverNetwork) -> CoverNetwork:
    """Return a copy whose parameters are float32 still, and each the nearest float16."""
    network = copy.deepcopy(network)
    for parameter in network.parameters():
        parameter.data = parameter.data.half().float()
    return network


def halve(path: Path) -> None:
    """Keep the numbers of an ONNX form as float16, to be turned into float32 where it is loaded.

    Parameters
    ----------
    path
        Of a network that was `rounded`: others would lose digits.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    casts = []
    for number in model.graph.initializer:
        values = numpy_helper.to_array(number)
        if values.dtype != np.float32 or values.size < FEWEST:
            continue
        name = number.name
        number.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    path.write_bytes(model.SerializeToString(deterministic=True))
