"""Stored conditions of a Where: the compiler makes of each a map with all channels of its blocks.

Read from files of toolkit 2.5.0: 6 graphs of masks of 1 to 40 channels, of three axes and four, both SoCs and
dtypes; SCUNet's shifted windows, of five axes. A mask of several maps, or that is repeated over positions or
over three axes (ECAPA-TDNN), is stored otherwise or not at all: none is counted.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from rkbench.onnx.joined_maps import map_bytes
from rkbench.onnx.values import data_of, static_shape
from rkbench.rknn.targets import Dtype

CHANNEL_AXIS = {3: 1, 4: 1, 5: 2}
"""By the number of axes of what a Where makes."""
LARGEST_MASK = 2**22
"""Elements of a mask that is looked at."""
PIXELS = 4
"""Positions are filled up to a multiple of this."""


def mask_bytes(node: ir.Node, constants: set[ir.Value], target: str, dtype: Dtype) -> int:
    """Return what the constant that a Where chooses by takes in the file; 0 where that is not known."""
    condition = node.inputs[0] if node.op_type == "Where" else None
    mask, made = static_shape(condition), static_shape(node.outputs[0])
    if condition not in constants or mask is None or made is None or len(made) not in CHANNEL_AXIS:
        return 0
    aligned, place = (1,) * (len(made) - len(mask)) + mask, CHANNEL_AXIS[len(made)]
    positions = aligned[place + 1 :]
    is_whole = positions == made[place + 1 :] and math.prod(positions) > 1
    if not is_whole or math.prod(aligned[:place]) != 1 or (len(made) == 3 and aligned != made):
        return 0
    if math.prod(mask) <= LARGEST_MASK and _always_takes(condition):
        return 0
    return map_bytes((1, aligned[place], math.ceil(math.prod(positions) / PIXELS) * PIXELS), target, dtype)


def _always_takes(condition: ir.Value | None) -> bool:
    """Return whether a mask that the ONNX stores is true throughout: such a Where is left out."""
    numbers = data_of(ir.convenience.get_const_tensor(condition)) if condition is not None else None
    return numbers is not None and bool(numbers.all())
