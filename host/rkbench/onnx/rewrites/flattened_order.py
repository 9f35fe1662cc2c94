"""Make a vector of a map in the order in which the map lies, and bring the weights behind it into that order.

Exact: the Transpose before the Reshape goes (of rows of channels, one comes), and the rows of the Gemm's
weight change places, as do scales of each value between. The compiler makes a dense N x N kernel of the order
(`fusion/flattened.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.constants import stored_values
from rkbench.onnx.fusion.flattened import flattened, is_dense, lies_in_rows, ordered_axes
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    estimated,
    is_stored,
    replace_constant,
)
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace, sole_user
from rkbench.onnx.values import static_shape

NAME = "flattened_order"
SAME_FOR_ALL = frozenset({"Relu", "LeakyRelu", "Clip", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "Elu"})
"""What does the same to every value of a vector."""
OF_EACH_VALUE = frozenset({"Add", "Mul", "Sub", "Div", "PRelu", "BatchNormalization"})
"""What takes a number of its own for each."""


@dataclass(frozen=True)
class Reordered:
    """A constant that has to follow the vector's order along an axis."""

    node: ir.Node
    index: int
    axis: int


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the order in which a map lies for a vector that is made of it in another one."""
    if node.op_type not in ("Reshape", "Flatten") or not context.has_fixed_sizes:
        return None
    order = flattened(node, stored_values(context.graph))
    edits = _edits(node.outputs[0]) if order is not None else None
    if order is None or edits is None or not is_dense(order, context.target, context.dtype):
        return None
    if any(value.is_graph_output() for value in (node.inputs[0], node.outputs[0]) if value is not None):
        return None
    description = say(
        "a map of {count} values, turned and made a vector -> made one as it lies, with the rows of "
        "{name} in that order",
        count=order.output_channels,
        name=edits[-1].node.name,
    )
    size = context.predicted_bytes(order)
    return estimated(node, NAME, description, size, 0, lambda: _apply(node, edits, context.graph))


def _edits(value: ir.Value) -> tuple[Reordered, ...] | None:
    """Return the constants that follow a vector's order up to a product by stored weights; None if one
    cannot."""
    found: list[Reordered] = []
    while (node := sole_user(value)) is not None:
        if node.op_type in ("Gemm", "MatMul", "Conv"):
            axis = _weight_axis(node, value)
            return None if axis is None else (*found, Reordered(node, 1, axis))
        if node.op_type not in SAME_FOR_ALL and (more := _beside(node, value)) is None:
            return None
        found += [] if node.op_type in SAME_FOR_ALL else more or []
        value = node.outputs[0]
    return None


def _beside(node: ir.Node, value: ir.Value) -> list[Reordered] | None:
    """Return the constants of a node that are one number a value; None for a node that is not known."""
    shape = static_shape(value)
    if node.op_type in ("Reshape", "Flatten"):
        after = static_shape(node.outputs[0]) or (0,)
        return [] if max(after) == prod(after) else None  # a map again has no axis that is the vector
    if shape is None or len(node.outputs) > 1 or node.op_type not in OF_EACH_VALUE:
        return None
    others = [(index, other) for index, other in enumerate(node.inputs) if other is not value]
    found = [_along(node, index, other, shape) for index, other in others]
    known = [each for each in found if each is not None]
    return [each for each in known if each.axis >= 0] if len(known) == len(found) else None


def _along(node: ir.Node, index: int, value: ir.Value | None, vector: tuple[int, ...]) -> Reordered | None:
    """Return a constant and its axis that is the vector, -1 where it is one number; None for all else."""
    size = static_shape(value)
    if size is None or not is_stored(value):
        return None
    if prod(size) == 1:
        return Reordered(node, index, -1)
    aligned = len(size) - len(vector) + vector.index(max(vector))
    axis = 0 if node.op_type == "BatchNormalization" else aligned
    whole = 0 <= axis < len(size) and size[axis] == prod(size) == max(vector)
    return Reordered(node, index, axis) if whole else None


def _weight_axis(node: ir.Node, value: ir.Value) -> int | None:
    """Return the axis of a product's weight that is the vector; None where it is not one of the weight
    alone."""
    weight, shape = static_shape(node.inputs[1]), static_shape(value)
    if weight is None or shape is None or node.inputs[0] is not value or not is_stored(node.inputs[1]):
        return None
    if node.op_type == "Conv":
        whole = shape[1] == max(shape) == weight[1] and max(weight[2:]) == 1
        return 1 if whole else None
    transposed = node.attributes.get_int("transB", 0)
    fits = len(weight) == 2 and not node.attributes.get_int("transA", 0) and shape[-1] == max(shape)
    axis = transposed if node.op_type == "Gemm" else 0
    return axis if fits and weight[axis] == max(shape) else None


def _apply(node: ir.Node, edits: tuple[Reordered, ...], graph: ir.Graph) -> None:
    source, axes = ordered_axes(node)
    before, after = static_shape(source), static_shape(node.outputs[0])
    assert source is not None and before is not None and after is not None
    rows = lies_in_rows(source)
    lying = (before[0], *before[:0:-1]) if rows else before
    moved = [axis for axis in range(len(lying)) if lying[axis] == 1]
    places = np.arange(prod(lying)).reshape(lying).transpose(*moved, *axes).ravel()
    for edit in edits:
        array = constant_array(edit.node.inputs[edit.index])
        assert array is not None
        replace_constant(edit.node, edit.index, np.take(array, np.argsort(places), axis=edit.axis), graph)
    replace(graph, [node], _made(node, source, lying if rows else None, graph))


def _made(node: ir.Node, source: ir.Value, turned: tuple[int, ...] | None, graph: ir.Graph) -> list[ir.Node]:
    """Return the nodes that make a vector of a map as it lies: of rows, a Transpose first."""
    name, after, new = node.name or "vector", static_shape(node.outputs[0]) or (), list[ir.Node]()
    if turned is not None:
        perm: dict[str, int | float | str | list[int]] = {"perm": [0, 2, 1]}
        new.append(
            make_node(graph, "Transpose", [source], perm, name=f"{name}_turned", shape=turned, like=source)
        )
        source = new[-1].outputs[0]
    shape = add_constant(graph, f"{name}_shape", np.array([0, *after[1:]], "int64"))  # 0: any batch
    new.append(make_node(graph, "Reshape", [source, shape], name=name, shape=after, like=node.outputs[0]))
    return new


REWRITE = Rewrite(
    NAME,
    "a map becomes a vector in the order in which it lies, and the weights behind it take that order",
    "MTCNN's ONet: 3,525,987 -> 864,035 bytes (rk3588 fp16), 1,827,530 -> 482,122 (int8), "
    "3,471,779 -> 814,819 (rk3568 fp16), 1,771,978 -> 432,266 (int8)",
    propose,
)
