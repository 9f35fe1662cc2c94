"""Sums and means over one axis of a map, chosen channels, rows and columns: convolutions, and maps turned.

Read from files of toolkit 2.5.0: graphs of one operator over 64 channels of 16 x 16, and MobileViTv2.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from rkbench.onnx.convolution import Convolution
from rkbench.onnx.fusion.layer import Kind
from rkbench.onnx.shapes import axes_of
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import Dtype

SUM_TABLE_BYTES = {True: {"fp16": 16_384, "int8": 131_072}, False: {"fp16": 512, "int8": 4_096}}
"""Tables that turn a map for a sum over its last axis, by whether there are several cores."""
HEIGHT, WIDTH = 2, 3
FP16_LANES = 8


def reduction(node: ir.Node) -> Convolution | None:
    """Return the convolution that sums or averages one axis of a map is; None for other reductions.

    Over the channels it reads the map as it is; over the rows or columns those are its channels.
    """
    shape = static_shape(node.inputs[0]) if node.inputs else None
    axes = axes_of(node) if node.op_type in ("ReduceMean", "ReduceSum") else ()
    if shape is not None and len(shape) == 5 and shape[0] == 1 and axes in ((2,), (-3,)):
        size = shape[3:]  # each few channels in turn: those are a map each
        return Convolution(1, shape[2], input_size=size, output_size=size, has_bias=False, batch=shape[1])
    if shape is not None and len(shape) == 5 and shape[0] == 1 and axes in ((4,), (-1,)):
        size = shape[2:4]  # maps stacked behind their pixels: each channel is a map of its own
        return Convolution(1, shape[4], input_size=size, output_size=size, has_bias=False, batch=shape[1])
    if shape is None or len(shape) != 4 or shape[0] != 1 or len(axes) != 1:
        return None
    axis = axes[0] % 4
    if axis == 0 or (node.op_type == "ReduceSum" and axis == 2):
        return None
    channels, height, width = shape[1:]
    size = {1: (height, width), 2: (channels, width), 3: (height, channels)}[axis]
    return Convolution(1, shape[axis], input_size=size, output_size=size, has_bias=False)


def mean_pieces(node: ir.Node, lanes: int) -> int:
    """Return the pieces in which several cores turn a map for a mean over its rows or columns.

    For its rows that is one for each block of channels; for its columns hardly any in fp16 (`lanes` 8). Rows
    after columns take one for each channel. Measured on 16 to 2,048 channels, maps of 4 to 56 pixels.
    """
    _, channels, height, _ = static_shape(node.inputs[0]) or (1, 1, 1, 1)
    first, blocks = _mean_before(node), -(-channels // lanes)
    if axes_of(node)[0] % 4 == HEIGHT:
        return blocks if first is None else channels * (not stays_in_a_row(first, lanes))
    return blocks if first is None and height > 1 and lanes > FP16_LANES else 0


def pieces_back(node: ir.Node, lanes: int) -> int:
    """Return the pieces in which means are turned back: in int8 those over columns, one for each row."""
    _, channels, height, _ = static_shape(node.inputs[0]) or (1, 1, 1, 1)
    many = lanes > FP16_LANES and axes_of(node)[0] % 4 != HEIGHT and _mean_before(node) is None
    return min(height, -(-channels // lanes)) if many else 0


def turns_of(node: ir.Node) -> tuple[tuple[Kind, ...], tuple[Kind, ...]]:
    """Return what turns a map before a reduction over its rows or columns, and what comes behind it.

    A lone column is read as it is, and a mean over the other axis takes means as they are.
    """
    if not is_turned(node):
        return (), ()
    if node.op_type == "ReduceSum":
        return (), ("sums",)
    lone = (static_shape(node.inputs[0]) or (1,))[-1] == 1 and axes_of(node)[0] % 4 == HEIGHT
    if lone and _mean_before(node) is None:
        return (), ()
    following = [use.node for use in node.outputs[0].uses()]
    return ("means",), () if len(following) == 1 and _mean_before(following[0]) is node else ("back",)


def stays_in_a_row(node: ir.Node, lanes: int) -> bool:
    """Return whether a mean over the columns reads a map as one row: whole blocks, read again too."""
    value = node.inputs[0]
    shape = static_shape(value) or ()
    if node.op_type != "ReduceMean" or value is None or len(shape) != 4 or axes_of(node)[0] % 4 != WIDTH:
        return False
    return all(side % lanes == 0 for side in shape[2:]) and len(value.uses()) > 1


def _mean_before(node: ir.Node) -> ir.Node | None:
    """Return the mean over the other axis that a mean reads; None where it reads a map."""
    before = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
    if before is None or {before.op_type, node.op_type} != {"ReduceMean"}:
        return None
    both = reduction(before) is not None and reduction(node) is not None
    return before if both and is_turned(before) and is_turned(node) else None


STACK_PIXELS = 2047
"""Elements of a map that one task of a sum over stacked maps reads."""
STACKED_BYTES: dict[bool, dict[Dtype, tuple[int, int]]] = {
    True: {"fp16": (1_728, 128), "int8": (2_048, 192)},
    False: {"fp16": (1_344, 576), "int8": (2_112, 256)},
}
"""Commands of the first of these tasks and of each after it, by whether there are several cores. Measured on
two and three maps of 6,400 to 262,144 elements."""


def stacked_pieces(node: ir.Node) -> int:
    """Return the tasks of a sum or mean over maps that a Concat stacks on an axis of their own, else 0.

    It is a 1x1 from the stack to one channel, over the elements of a map in one row.
    """
    shape = static_shape(node.inputs[0]) if node.inputs else None
    if node.op_type not in ("ReduceMean", "ReduceSum") or shape is None or len(shape) != 5 or shape[0] != 1:
        return 0
    return -(-math.prod(shape[2:]) // STACK_PIXELS) if axes_of(node) in ((1,), (-4,)) else 0


SPREAD_PIXELS = 8
SPREAD_BYTES = 1_024


def spread_tasks(node: ir.Node, dtype: Dtype) -> int:
    """Return the tasks in which a map meets one of a single channel that was reduced to it, else 0.

    In fp16 every eight pixels are a task, where nothing but 1x1 convolutions and activations lies between the
    reduction over the channels and this; any larger kernel between, or int8, makes it two.
    """
    narrow = _one_channel(node)
    if narrow is None:
        return 0
    pixels = math.prod((static_shape(narrow) or ())[2:])
    return 2 if dtype == "int8" or not _is_reduced(narrow) else -(-pixels // SPREAD_PIXELS)


def _one_channel(node: ir.Node) -> ir.Value | None:
    """Return the operand of one channel that a map of several is combined with, pixel by pixel."""
    shapes = [static_shape(value) for value in node.inputs]
    sizes = [shape for shape in shapes if shape is not None and len(shape) == 4]
    if node.op_type not in ("Add", "Mul", "Sub", "Div") or len(shapes) != 2 or len(sizes) != 2:
        return None
    one, two = sizes
    if one[2:] != two[2:] or math.prod(one[2:]) == 1 or (one[1] == 1) == (two[1] == 1):
        return None
    return node.inputs[0] if one[1] == 1 else node.inputs[1]


LONGEST_CHAIN = 8
POINTWISE = frozenset({"Sigmoid", "Relu", "LeakyRelu", "HardSigmoid", "Tanh", "Clip", "BatchNormalization"})


def _is_reduced(value: ir.Value | None) -> bool:
    """Return whether a map of one channel comes from a reduction over the channels, pixel by pixel."""
    for _ in range(LONGEST_CHAIN):
        node = value.producer() if value is not None else None
        if node is None:
            return False
        if reduction(node) is not None:
            return not is_turned(node)
        kernel = static_shape(node.inputs[1]) if node.op_type == "Conv" else (1, 1, 1, 1)
        if node.op_type not in (*POINTWISE, "Conv") or kernel is None or math.prod(kernel[1:]) > 1:
            return False
        value = node.inputs[0]
    return False


def is_turned(node: ir.Node) -> bool:
    """Return whether a reduction reads a map that is turned first: over its rows or columns."""
    return len(static_shape(node.inputs[0]) or ()) == 4 and axes_of(node)[0] % 4 != 1


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
