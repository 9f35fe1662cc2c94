"""How many maps of a batch a layer computes one after the other.

Read from files of toolkit 2.5.0. A few sequences are a map each, many are the rows of one map: of products
by stored weights, norms, lengths and sums over [sequences, steps, features] 2 to 16 stay apart, 27, 32,
64, 128 and 196 of 8 to 128 steps are one map.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.fusion.patterns import next_node
from rkbench.onnx.values import static_shape

MOST_APART = 16
"""More sequences than this become the rows of one map."""
SEQUENCE_AXES = 3


def are_rows(shape: tuple[int, ...] | None) -> bool:
    """Return whether the sequences of [sequences, steps, features] are the rows of one map.

    Where the first axis holds the steps (SepFormer: 250 of 10 sequences) there are 10 maps: not told apart
    here.
    """
    return shape is not None and len(shape) == SEQUENCE_AXES and shape[0] > MOST_APART and shape[1] > 1


def batch_of(layer: FusedLayer) -> int:
    """Return how many maps a layer computes one after the other: the first size of three or four.

    What goes into a product has one for each head; in [steps, 1, features] the steps are one map's rows."""
    value = layer.node.outputs[0]
    shape = static_shape(value)
    if shape is None or len(shape) not in (3, 4) or shape[1:-1] == (1,) or are_rows(shape):
        return 1
    heads = shape[1] if len(shape) == 4 and layer.kind == "map" and is_multiplied(value) else 1
    return max(shape[0], 1) * heads


def batches(node: ir.Node) -> int:
    """Return how many times a Concat or Split copies each part: once for every map of a batch.

    A map is what the last three axes are.
    """
    shape, axis = static_shape(node.outputs[0]), node.attributes.get_int("axis", 0)
    if shape is None or len(shape) < 4 or axis % len(shape) < len(shape) - 3:
        return 1
    if len(shape) > 4 and node.op_type == "Concat" and axis % len(shape) == len(shape) - 1:
        return 1  # maps stacked behind their pixels, which a Gather puts there
    return max(math.prod(shape[:-3]), 1)


def is_multiplied(value: ir.Value) -> bool:
    """Return whether a map goes into a product with another map, in another order at most."""
    for _ in range(2):
        found = next_node(value, "Cast", "Transpose", "MatMul")
        if found is None or found.op_type == "MatMul":
            return found is not None and all(one is None or one.const_value is None for one in found.inputs)
        value = found.outputs[0]
    return False
