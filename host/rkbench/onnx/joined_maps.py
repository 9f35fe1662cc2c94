"""Constant maps that a Concat joins to others: the compiler stores each with all channels of its blocks.

Read from files of toolkit 2.5.0: 15 graphs of 1 to 40 constant channels, two CoordConvs and a residual that
is filled up with zeros.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import onnx_ir as ir

from rkbench.onnx.convolution import MAP_AXES
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets
from rkbench.rknn.targets import ELEMENT_BYTES, Dtype


def stored_maps(node: ir.Node, constants: set[ir.Value]) -> list[ir.Value]:
    """Return the constants of four axes that a Concat along channels joins."""
    if node.op_type != "Concat" or node.attributes.get_int("axis", 0) != 1:
        return []
    given = [value for value in node.inputs if value is not None and value in constants]
    return [value for value in given if len(static_shape(value) or ()) == MAP_AXES]


def stored_map_bytes(values: Iterable[ir.Value], target: str, dtype: Dtype) -> int:
    """Return what constant maps take in the file, each filled up to whole blocks of channels."""
    return sum(map_bytes(static_shape(value) or (0, 0), target, dtype) for value in values)


def map_bytes(shape: tuple[int, ...], target: str, dtype: Dtype) -> int:
    """Return what one constant map of this shape takes; a target without a known layout pads nothing."""
    layout = targets.weight_layout(target, dtype)
    block = layout.input_block if layout is not None else 1
    channels = -(-shape[1] // block) * block
    return math.prod((shape[0], channels, *shape[2:])) * ELEMENT_BYTES[dtype]
