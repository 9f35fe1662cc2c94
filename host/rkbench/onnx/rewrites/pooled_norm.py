"""Write an InstanceNormalization as averages: mean, difference, mean of squares, root, quotient.

Exact up to rounding. The squares of an fp16 file overflow beyond a deviation of 255 from the mean.
Measured on 64 channels of 56x56: smaller on rk3588 and rk3568, fp16 and int8 (8 to 74 %). So are norms of
signals and of maps that an exporter made one row (one conversion each: MedNeXt 7,553,775 -> 5,252,911
bytes, SegResNet 3,476,749 -> 1,770,125, SEW 1,493,483 -> 1,420,395); one channel of 32x32 grew (SOSNet,
by 3 kB). Small maps of many channels grew: 15 maps of 8x8 to 128x128, 16 to 256 channels, on both SoCs
and dtypes: by 3 to 30 % where the limits below leave them alone, DISK for the rk3568 in fp16 by 23 kB.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    is_stored,
    measured,
)
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace
from rkbench.onnx.values import static_shape

NAME = "pooled_norm"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the averages for an InstanceNormalization of a map."""
    shape = static_shape(node.inputs[0]) if node.op_type == "InstanceNormalization" else None
    if shape is None or not _is_worth_it(shape, context) or not context.has_fixed_sizes:
        return None
    if not all(is_stored(value) for value in node.inputs[1:]):
        return None
    description = say(
        "normalization of {channels} channels -> two global averages and a quotient",
        channels=shape[1],
    )
    return measured(node, NAME, description, lambda: _apply(node, shape, context.graph))


LEAST_OF_ONE_CHANNEL = 4_096
LONGEST_ROW = 16_384
"""Pixels: of a single channel, from which on it pays; of a row, up to which it was measured."""


LEAST_PIXELS, LEAST_RATIO = 1_024, 16
"""Pixels of a map, and pixels for each channel, from which on it pays."""
SMALL_PIXELS, SMALL_RATIO = 64, 8
"""In int8 on several cores: pixels up to which it pays too, and pixels for each channel from which on."""


def _is_worth_it(shape: tuple[int, ...], context: RewriteContext) -> bool:
    if len(shape) not in (3, 4):
        return False
    channels, pixels = shape[1], prod(shape[2:])
    if channels == 1:
        return len(shape) == 4 and pixels >= LEAST_OF_ONE_CHANNEL
    if context.cores > 1 and context.dtype == "int8":
        pays = pixels <= SMALL_PIXELS or pixels >= SMALL_RATIO * channels
    else:
        pays = pixels >= LEAST_PIXELS and pixels >= LEAST_RATIO * channels
    return pays and (len(shape) == 4 or (shape[0] == 1 and pixels <= LONGEST_ROW))


def _apply(node: ir.Node, shape: tuple[int, ...], graph: ir.Graph) -> None:
    name, out, new = node.name or "norm", node.outputs[0], list[ir.Node]()

    def add(op_type: str, inputs: Sequence[ir.Value | None], size: tuple[int, ...]) -> ir.Value:
        called = f"{name}_{len(new)}"
        new.append(make_node(graph, op_type, inputs, name=called, shape=size, like=out))
        return new[-1].outputs[0]

    dtype = out.dtype.numpy() if out.dtype is not None else np.dtype("float32")

    def constant(array: np.ndarray | float, called: str) -> ir.Value:
        return add_constant(
            graph,
            f"{name}_{called}",
            np.asarray(array, dtype),
        )

    scale, bias = (constant_array(value) for value in node.inputs[1:3])
    assert scale is not None and bias is not None
    single = (*shape[:2], 1, 1)
    source, whole = node.inputs[0], shape
    if len(whole) == 3:  # an average is taken over a map of one row
        shape = (*whole[:2], 1, whole[2])
        source = add("Reshape", [source, add_constant(graph, f"{name}_row", np.array(shape))], shape)
    mean = add("GlobalAveragePool", [source], single)
    difference = add("Sub", [source, mean], shape)
    squares = add("Mul", [difference, difference], shape)
    variance = add("GlobalAveragePool", [squares], single)
    epsilon = constant(node.attributes.get_float("epsilon", 1e-5), "epsilon")
    root = add("Sqrt", [add("Add", [variance, epsilon], single)], single)
    quotient = add("Mul", [difference, add("Reciprocal", [root], single)], shape)
    if not (scale == 1).all():
        quotient = add("Mul", [quotient, constant(scale.reshape(1, -1, 1, 1), "scale")], shape)
    if bias.any():
        quotient = add("Add", [quotient, constant(bias.reshape(1, -1, 1, 1), "bias")], shape)
    if len(whole) == 3:
        add("Reshape", [quotient, add_constant(graph, f"{name}_back", np.array(whole))], whole)
    replace(graph, [node], new)


REWRITE = Rewrite(
    NAME,
    "an InstanceNormalization is written as global averages",
    "64 channels, 56x56: 181,041 -> 132,977 bytes (rk3588 fp16), 357,835 -> 94,667 (int8), "
    "175,857 -> 161,649 (rk3568 fp16), 181,003 -> 144,267 (int8)",
    propose,
)
