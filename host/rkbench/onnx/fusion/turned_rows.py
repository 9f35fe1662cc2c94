"""Rows of features that a network is given or hands out: for the NPU rows are pixels, features channels.

What is [1, rows, features] for the host becomes a map by a product with tables, where both are whole blocks.
Read from files of toolkit 2.5.0: 8 to 4,096 rows of 32 to 2,048 features, and six encoders of texts.
"""

from __future__ import annotations

import onnx_ir as ir

from rkbench.onnx.fusion.normed import ORDER_BYTES, TURNED_BLOCK
from rkbench.onnx.fusion.patterns import users
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets
from rkbench.rknn.targets import Dtype

BY_ELEMENT = frozenset(
    {
        *("Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Cast", "Identity", "Dropout"),
        *("Relu", "LeakyRelu", "Sigmoid", "Tanh", "Erf", "Gelu", "HardSwish", "Elu", "Clip"),
    }
)
"""What leaves rows as they lie."""


def input_order_bytes(value: ir.Value, constants: set[ir.Value], target: str, dtype: Dtype) -> int:
    """Return the tables by which the rows of an input become channels; 0 where they stay as they are."""
    size = _table_bytes(value, target, dtype)
    return size if size and _meets_product(value, constants) else 0


def output_order_bytes(value: ir.Value, constants: set[ir.Value], target: str, dtype: Dtype) -> int:
    """Return the tables by which channels become the rows of an output; 0 where they are rows already."""
    size = _table_bytes(value, target, dtype)
    return size if size and _comes_from_product(value, constants) else 0


def _table_bytes(value: ir.Value, target: str, dtype: Dtype) -> int:
    known, shape = targets.TARGETS.get(target), static_shape(value)
    if known is None or shape is None or len(shape) != 3 or shape[0] != 1:
        return 0
    lite = known.generation == "RKNPU lite"
    block = TURNED_BLOCK[lite][dtype == "fp16"]
    return 0 if any(side % block for side in shape[1:]) else ORDER_BYTES[lite][dtype == "fp16"]


def _meets_product(value: ir.Value, constants: set[ir.Value]) -> bool:
    """Return whether rows are multiplied by stored weights or normed, with arithmetic before at most."""
    waiting, seen = [value], {value}
    while waiting:
        read = waiting.pop()
        for node in users(read):
            if _multiplies(node, constants) or _norms(node):
                return True
            if node.op_type in BY_ELEMENT and node.outputs[0] not in seen:
                seen.add(node.outputs[0])
                waiting.append(node.outputs[0])
    return False


def _comes_from_product(value: ir.Value, constants: set[ir.Value]) -> bool:
    """The same of what makes them, with arithmetic behind at most."""
    waiting, seen = [value], {value}
    while waiting:
        node = waiting.pop().producer()
        if node is not None and (_multiplies(node, constants) or node.op_type == "LayerNormalization"):
            return True
        for source in node.inputs if node is not None and node.op_type in BY_ELEMENT else ():
            if source is not None and source not in seen and source not in constants:
                seen.add(source)
                waiting.append(source)
    return False


def _multiplies(node: ir.Node, constants: set[ir.Value]) -> bool:
    weight = node.inputs[1] if node.op_type == "MatMul" else None
    return weight is not None and weight in constants and len(static_shape(weight) or ()) == 2


def _norms(node: ir.Node) -> bool:
    """Return whether a node norms each row, or begins to."""
    if node.op_type == "LayerNormalization":
        return True
    shape, after = static_shape(node.inputs[0]) if node.inputs else None, static_shape(node.outputs[0])
    return node.op_type == "ReduceMean" and shape is not None and after == (*shape[:-1], 1)
