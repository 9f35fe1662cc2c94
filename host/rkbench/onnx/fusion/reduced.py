"""Sums and means over one axis of a map, chosen channels, rows and columns: convolutions, and maps turned.

Read from files of toolkit 2.5.0: graphs of one operator over 64 channels of 16 x 16, and MobileViTv2.
"""

from __future__ import annotations

import onnx_ir as ir

from rkbench.onnx.convolution import Convolution
from rkbench.onnx.shapes import axes_of
from rkbench.onnx.values import static_shape

SUM_TABLE_BYTES = {True: {"fp16": 16_384, "int8": 131_072}, False: {"fp16": 512, "int8": 4_096}}
"""Tables that turn a map for a sum over its last axis, by whether there are several cores."""
TURNED_TASKS = 4
"""Tasks that turn a map for a mean over a row or a column, and turn the means back."""


def reduction(node: ir.Node) -> Convolution | None:
    """Return the convolution that sums or averages one axis of a map is; None for other reductions.

    Over the channels it reads the map as it is; over the rows or columns those are its channels.
    """
    shape = static_shape(node.inputs[0]) if node.inputs else None
    axes = axes_of(node) if node.op_type in ("ReduceMean", "ReduceSum") else ()
    if shape is None or len(shape) != 4 or shape[0] != 1 or len(axes) != 1:
        return None
    axis = axes[0] % 4
    if axis == 0 or (node.op_type == "ReduceSum" and axis == 2):
        return None
    channels, height, width = shape[1:]
    size = {1: (height, width), 2: (channels, width), 3: (height, channels)}[axis]
    return Convolution(1, shape[axis], input_size=size, output_size=size, has_bias=False)


def is_turned(node: ir.Node) -> bool:
    """Return whether a reduction reads a map that is turned first: over its rows or columns."""
    return axes_of(node)[0] % 4 != 1


def picked_channels(node: ir.Node, constants: set[ir.Value]) -> Convolution | None:
    """Return the dense 1x1 that a Gather of channels by stored places becomes; None for others."""
    shape, count = _gathered(node, constants, axes=(1,))
    if shape is None:
        return None
    return Convolution(count, shape[1], input_size=shape[2:], output_size=shape[2:], has_bias=False)


def picked_rows(node: ir.Node, constants: set[ir.Value]) -> int:
    """Return how many rows or columns of a map a Gather by stored places fetches one by one, else 0."""
    return _gathered(node, constants, axes=(2, 3))[1]


def _gathered(
    node: ir.Node, constants: set[ir.Value], axes: tuple[int, ...]
) -> tuple[tuple[int, ...] | None, int]:
    if node.op_type != "Gather" or node.inputs[1] not in constants or node.inputs[0] in constants:
        return None, 0
    shape, places = static_shape(node.inputs[0]), static_shape(node.inputs[1])
    if shape is None or len(shape) != 4 or shape[0] != 1 or places is None or len(places) != 1:
        return None, 0
    return (shape, places[0]) if node.attributes.get_int("axis", 0) % 4 in axes else (None, 0)
