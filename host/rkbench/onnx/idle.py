"""Arithmetic that changes nothing: a sum or difference with 0, a product or quotient with 1.

So torch writes `out = 0` before `out += branch` (MobileOne, FastViT). Of one number alone: ones and zeros for
each channel are scales and shifts that training begins with, and part of a normalization.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from rkbench.onnx.rewrites.proposal import constant_array, is_stored
from rkbench.onnx.values import static_shape

NEUTRAL = {"Add": 0, "Sub": 0, "Mul": 1, "Div": 1}
EITHER_SIDE = ("Add", "Mul")


def left_as_it_is(node: ir.Node) -> ir.Value | None:
    """Return the map that a node's arithmetic leaves as it is, shape and all; None for all else."""
    if node.op_type not in NEUTRAL or len(node.inputs) != 2:
        return None
    first, second = node.inputs
    if _is_neutral(second, node.op_type, first):
        return first
    return second if node.op_type in EITHER_SIDE and _is_neutral(first, node.op_type, second) else None


def _is_neutral(number: ir.Value | None, op_type: str, other: ir.Value | None) -> bool:
    own, shape = static_shape(number), static_shape(other)
    if not is_stored(number) or own is None or shape is None or is_stored(other):
        return False
    if len(own) > len(shape) or any(size != 1 for size in own):
        return False
    array = constant_array(number)
    return array is not None and bool(np.all(array == NEUTRAL[op_type]))
