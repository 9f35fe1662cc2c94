"""Values that are picked by stored places: products with matrices of zeros and ones.

Read from files of toolkit 2.5.0: SEW-D, V-JEPA 2, TRN and seven small graphs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import onnx_ir as ir

from rkbench.onnx.convolution import Convolution
from rkbench.onnx.fusion.patterns import next_node, users
from rkbench.onnx.fusion.reduced import picked_channels
from rkbench.onnx.values import data_of, static_shape
from rkbench.rknn import targets
from rkbench.rknn.targets import ELEMENT_BYTES, Dtype


@dataclass(frozen=True)
class PickedRows:
    """A GatherElements by stored places: every row is multiplied by a matrix of its own."""

    rows: int
    read: int
    made: int

    def constant_bytes(self, target: str, dtype: Dtype) -> int:
        """Return the bytes of all matrices, padded as a kernel is."""
        layout = targets.weight_layout(target, dtype)
        read = self.read
        if layout is not None:
            read = targets.padded_channels(read, layout.input_block, layout.minimum_input)
        made = math.ceil(self.made / MADE_MULTIPLE) * MADE_MULTIPLE
        return self.rows * read * made * ELEMENT_BYTES[dtype]

    def effort(self, cores: int, *, fp16: bool) -> tuple[int, int]:
        """Return tasks of one core and their commands."""
        tasks = self.rows * ROW_TASKS[cores > 1][fp16]
        return tasks, tasks * ROW_TASK_BYTES[cores > 1] + START_BYTES


MADE_MULTIPLE = 4
ROW_TASKS = {True: {True: 3, False: 3}, False: {True: 4, False: 6}}
ROW_TASK_BYTES = {True: 128, False: 142}
START_BYTES = 2_400


def is_picked(node: ir.Node, constants: set[ir.Value]) -> bool:
    """Return whether a node picks values of a map by places that are stored for each of them."""
    return (
        node.op_type == "GatherElements" and node.inputs[1] in constants and node.inputs[0] not in constants
    )


def picked_rows_of(node: ir.Node) -> PickedRows | None:
    """Return the rows that a GatherElements picks from; None of none, or where sizes are not known."""
    before, after = static_shape(node.inputs[0]), static_shape(node.outputs[0])
    if before is None or after is None or len(before) != len(after):
        return None
    axis = node.attributes.get_int("axis", 0) % len(before)
    return PickedRows(math.prod(after) // after[axis], before[axis], after[axis]) if all(after) else None


def dense_pick(node: ir.Node, constants: set[ir.Value]) -> Convolution | None:
    """Return the dense 1x1 that a Gather of channels, or of rows of a vector, becomes; None for others."""
    return picked_channels(node, constants) or picked_vector(node)


def picked_vector(node: ir.Node) -> Convolution | None:
    """Return the dense kernel that a Gather of rows becomes which alone are made one vector; None for others.

    It reads all rows as one vector too, where another such Gather reads them; rows that follow one another
    are a Slice.
    """
    rows = _rows_for_a_vector(node)
    others = [each for each in users(node.inputs[0]) if each is not node] if rows else []
    if not any(_rows_for_a_vector(each) for each in others):
        return None
    if all(two == one + 1 for one, two in pairwise(rows)):
        return None
    _, count, features = static_shape(node.inputs[0]) or (1, 1, 1)
    read, made = count * features, len(rows) * features
    return Convolution(made, read, input_size=(1, 1), output_size=(1, 1), has_bias=False)


def _rows_for_a_vector(node: ir.Node) -> list[int]:
    """Return the stored places of the rows of [1, rows, features] that a Gather picks for one vector."""
    picks = node.inputs[1] if node.op_type == "Gather" else None
    if picks is None or node.attributes.get_int("axis", 0) != 1:
        return []
    shape, places = static_shape(node.inputs[0]), data_of(ir.convenience.get_const_tensor(picks))
    if shape is None or len(shape) != 3 or shape[0] != 1 or places is None or len(places.shape) != 1:
        return []
    made = next_node(node.outputs[0], "Reshape", "Flatten")
    flat = static_shape(made.outputs[0]) if made is not None else None
    return [int(place) for place in places] if flat == (1, len(places) * shape[2]) else []
