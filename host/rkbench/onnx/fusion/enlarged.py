"""Linear enlargements: tasks by blocks of channels and phases of the pixels between, and their kernels.

Read from files of toolkit 2.5.0: 19 to 128 channels by 2 and 8 between half pixels, by 12 between corners.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import Dtype

ATOM_CHANNELS: dict[bool, dict[Dtype, int]] = {True: {"fp16": 8, "int8": 16}, False: {"fp16": 4, "int8": 8}}
"""Channels that one task enlarges, by whether there are several cores."""
LEAST_CHANNELS = 32
TASK_BYTES: dict[bool, dict[Dtype, int]] = {
    True: {"fp16": 128, "int8": 128},
    False: {"fp16": 192, "int8": 256},
}
FIRST_BYTES = 2240
KERNEL_BYTES: dict[bool, dict[Dtype, int]] = {
    True: {"fp16": 256, "int8": 512},
    False: {"fp16": 128, "int8": 256},
}
"""Constants for each pixel that one becomes."""
CORNERS_BYTES = 40
"""The same where corners are aligned."""


def factor_of(node: ir.Node) -> float | None:
    """Return how many times larger a linear Resize makes its map; None for others."""
    before, after = static_shape(node.inputs[0]), static_shape(node.outputs[0])
    if node.op_type != "Resize" or node.attributes.get_string("mode", "nearest") != "linear":
        return None
    if before is None or after is None or len(before) != 4 or len(after) != 4 or before[2] < 2:
        return None
    return after[2] / before[2] if after[2] > before[2] else None


def is_enlarged_on_cpu(node: ir.Node) -> bool:
    """Return whether the CPU enlarges a map linearly: between corners, unless each pixel becomes as many.

    Right for all 25 sizes of six networks, in fp16 and int8, on the rk3588 and the rk3568.
    """
    if node.op_type != "Resize" or factor_of(node) is None or not _keeps_corners(node):
        return False
    before, after = static_shape(node.inputs[0]) or (), static_shape(node.outputs[0]) or ()
    return any((there - 1) % max(here - 1, 1) for here, there in zip(before[2:], after[2:], strict=True))


def enlarged_tasks(node: ir.Node, factor: float, cores: int, dtype: Dtype) -> tuple[int, int]:
    """Return tasks and bytes of all commands of a linear enlargement on one core."""
    channels = max((static_shape(node.inputs[0]) or (1, 1))[1], LEAST_CHANNELS)
    atoms = math.ceil(channels / ATOM_CHANNELS[cores > 1][dtype])
    phases = round(factor) if _keeps_corners(node) else max(round(factor / 2) ** 2, 1)
    tasks = atoms * phases + 5
    return tasks, tasks * TASK_BYTES[cores > 1][dtype] + FIRST_BYTES


def enlarged_constants(node: ir.Node, factor: float, cores: int, dtype: Dtype) -> int:
    """Return the bytes of the kernels that a linear enlargement is computed with."""
    each = CORNERS_BYTES if _keeps_corners(node) else KERNEL_BYTES[cores > 1][dtype]
    return round(factor) ** 2 * each


def _keeps_corners(node: ir.Node) -> bool:
    mode = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    return mode == "align_corners"
