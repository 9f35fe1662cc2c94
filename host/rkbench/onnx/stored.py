"""What nodes compute is computed once and stored, so that rewrites can read it: weights, and sizes.

Of weights only those of grouped convolutions: what the converter makes of the others does not depend on it.
Of sizes those of a Resize or a Pad, which exporters compute from the Shape of a map whose size is known.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from rkbench.onnx.constants import constant_values
from rkbench.onnx.folding import Numbers
from rkbench.onnx.rewrites.surgery import add_constant
from rkbench.onnx.values import static_shape

LARGEST_WEIGHT = 2**26
"""Elements of a weight that is computed."""
MOST_NODES = 32
"""Nodes that one weight is computed by."""
SIZED = ("Resize", "Pad")
"""What asks for a size that nodes may compute, and has rewrites that read it."""


def store_computed_weights(graph: ir.Graph, opset_imports: dict[str, int]) -> None:
    """Replace the weights of grouped convolutions that follow from constants alone by stored ones, in place.

    What cannot be computed stays as it is.
    """
    constants = constant_values(graph)
    for node in graph:
        weight = node.inputs[1] if node.op_type == "Conv" and len(node.inputs) > 1 else None
        if weight is None or node.attributes.get_int("group", 1) == 1 or weight not in constants:
            continue
        makers = _makers(weight) if ir.convenience.get_const_tensor(weight) is None else []
        if makers and math.prod(static_shape(weight) or (0,)) <= LARGEST_WEIGHT:
            _store(node, weight, makers, graph, opset_imports)


def store_computed_sizes(graph: ir.Graph, numbers: Numbers) -> None:
    """Give a Resize and a Pad the sizes that follow from the Shapes of maps as numbers, in place.

    Only that: a Reshape is known by its shapes, and the prediction asks who reads a map.
    """
    stored: dict[ir.Value, ir.Value] = {}
    for node in [node for node in graph if node.op_type in SIZED]:
        for place, value in enumerate(node.inputs):
            if value is None or value not in numbers or ir.convenience.get_const_tensor(value) is not None:
                continue
            if value not in stored:
                stored[value] = add_constant(graph, f"{value.name}_stored", numbers[value])
            node.replace_input_with(place, stored[value])


def _makers(value: ir.Value) -> list[ir.Node]:
    """Return the nodes that a constant is computed by, in their order; [] where they are too many."""
    found: dict[ir.Node, None] = {}
    waiting = [value.producer()]
    while waiting and len(found) <= MOST_NODES:
        node = waiting.pop()
        if node is not None and node not in found:
            found[node] = None
            waiting += [one.producer() for one in node.inputs if one is not None]
    order = {node: place for place, node in enumerate(value.graph or ())}
    return sorted(found, key=lambda node: order.get(node, 0)) if len(found) <= MOST_NODES else []


def _store(
    node: ir.Node, weight: ir.Value, makers: list[ir.Node], graph: ir.Graph, opset_imports: dict[str, int]
) -> None:
    stored = {value.name: value for maker in makers for value in maker.inputs if value is not None}
    tensors = [ir.serde.serialize_tensor(value.const_value) for value in stored.values() if value.const_value]
    made = onnx.helper.make_empty_tensor_value_info(weight.name or "")
    nodes = [ir.serde.serialize_node(maker) for maker in makers]
    inner = onnx.helper.make_graph(nodes, "weight", [], [made], tensors)
    imports = [onnx.helper.make_opsetid(domain, number) for domain, number in opset_imports.items()]
    try:
        made_here = ReferenceEvaluator(onnx.helper.make_model(inner, opset_imports=imports)).run(None, {})
    except (ValueError, TypeError, IndexError, RuntimeError, AttributeError, FileNotFoundError):
        return  # it stays computed, and no rewrite touches it
    array, name = np.asarray(next(iter(made_here))), f"{weight.name}_stored"
    value = ir.Value(
        name=name,
        shape=ir.Shape(array.shape),
        type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
        const_value=ir.tensor(array, name=name),
    )
    graph.register_initializer(value)
    node.replace_input_with(1, value)
