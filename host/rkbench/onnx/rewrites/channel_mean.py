"""Take a mean over channels that gates a map by a 1x1 convolution of equal weights.

Exact up to rounding. The compiler lays a mean over channels out as one row of positions; what is made of it
is no map in blocks, and in float16 each product of it with a map of several channels takes a task for every
8 positions. A convolution keeps the blocks. Measured with toolkit 2.5.0, 7 to 128 pixels a side, 8 to 512
channels, with a convolution and a Sigmoid between or not: within `LEAST_POSITIONS` 45 of 45 conversions got
smaller, by .4 to 83 %; of the 6 outside all but one grew, by 1 to 4 %. The limits were set on these.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, measured
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace
from rkbench.onnx.shapes import axes_of
from rkbench.onnx.values import static_shape

NAME = "channel_mean"
LEAST_POSITIONS = {"fp16": {True: 400, False: 196}, "int8": {True: 1600, False: 0}}
"""Pixels of the map, by dtype and by whether the SoC has several cores."""
SINGLE = {"Sigmoid", "HardSigmoid", "Relu", "Clip", "Tanh", "Identity"}
SPREAD = {"Mul", "Add"}


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose a convolution for a mean over channels of a map, if it ends in a product with a map."""
    shape, out = static_shape(node.inputs[0]) if node.inputs else None, node.outputs[0]
    if node.op_type != "ReduceMean" or shape is None or len(shape) != 4 or out.is_graph_output():
        return None
    if tuple(axis % 4 for axis in axes_of(node)) != (1,) or static_shape(out) != (shape[0], 1, *shape[2:]):
        return None
    positions = shape[2] * shape[3]
    is_small = positions < LEAST_POSITIONS[context.dtype][context.cores > 1]
    if is_small or shape[1] == 1 or not _is_spread(out):
        return None
    description = say(
        "mean over {channels} channels of {height}x{width} -> a 1x1 convolution",
        channels=shape[1],
        height=shape[2],
        width=shape[3],
    )
    return measured(node, NAME, description, lambda: _apply(node, shape[1], context.graph))


def _is_spread(value: ir.Value) -> bool:
    """Return whether all that reads a map of one channel works on it alone, up to products with wider maps.

    A difference is left alone: it begins a normalization, which the compiler knows as a whole.
    """
    ends, ahead, seen = 0, [value], {value}
    while ahead:
        for user in ahead.pop().consumers():
            shape = static_shape(user.outputs[0])
            if shape is None or len(shape) != 4 or user.outputs[0].is_graph_output():
                return False
            if user.op_type in SPREAD and shape[1] > 1:
                ends += 1
            elif user.op_type in SINGLE or (user.op_type == "Conv" and shape[1] == 1):
                if user.outputs[0] not in seen:
                    seen.add(user.outputs[0])
                    ahead.append(user.outputs[0])
            else:
                return False
    return ends > 0


def _apply(node: ir.Node, channels: int, graph: ir.Graph) -> None:
    out, name = node.outputs[0], node.name or "mean"
    kind = out.dtype.numpy() if out.dtype is not None else np.float32
    weights = add_constant(graph, f"{name}_weights", np.full((1, channels, 1, 1), 1 / channels, kind))
    single: dict[str, int | float | str | list[int]] = {"kernel_shape": [1, 1]}
    inputs = [node.inputs[0], weights]
    made = make_node(graph, "Conv", inputs, single, name=name, shape=static_shape(out), like=out)
    replace(graph, [node], [made])


REWRITE = Rewrite(
    NAME,
    "a mean over channels that a map is multiplied by becomes a 1x1 convolution of equal weights",
    "32 channels, 64x128: 366,450 -> 60,722 bytes (rk3588 fp16), 69,772 -> 63,244 (int8), "
    "433,458 -> 230,066 (rk3568 fp16), 250,188 -> 242,124 (int8)",
    propose,
)
