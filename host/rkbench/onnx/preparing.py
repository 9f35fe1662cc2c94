"""What is done to a graph before any rewrite looks at it: no size changes, but rewrites see through.

Weights that nodes compute are stored, and so are the sizes of a Resize. Nodes that do nothing go, and
normalizations go into the convolutions before them, as the compiler does anyway. An Identity that hands zeros
to a product stays: that changes a size (`rewrites/zero_product.py`). A graph in which no rewrite pays is not
written: it stays as it was.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from rkbench.onnx.constants import zeros_of
from rkbench.onnx.convolution import convolution_of
from rkbench.onnx.folding import Numbers
from rkbench.onnx.idle import left_as_it_is
from rkbench.onnx.rewrites.proposal import constant_array, is_stored, replace_constant
from rkbench.onnx.rewrites.shared_weights import LEAST_ELEMENTS, WEIGHED
from rkbench.onnx.rewrites.surgery import add_constant, drop_unused, only_feeds
from rkbench.onnx.stored import store_computed_sizes, store_computed_weights
from rkbench.onnx.values import static_shape


def prepare(model: ir.Model, numbers: Numbers) -> None:
    """Store computed weights and sizes of Resizes, drop what does nothing, fold normalizations; in place.

    `numbers` are the short values that follow from sizes; none where the file leaves a size open.
    """
    graph = model.graph
    store_computed_weights(graph, dict(model.opset_imports))
    store_computed_sizes(graph, numbers)
    for node in list(graph):
        source = _own_copy(node, graph) or _handed_on(node)
        if source is not None and not node.outputs[0].is_graph_output():
            ir.convenience.replace_all_uses_with(node.outputs[0], source)
        elif node.op_type == "BatchNormalization":
            _fold_norm(node, graph)
    drop_unused(graph)


def _handed_on(node: ir.Node) -> ir.Value | None:
    """Return the value that a node hands on as it is; None for a node that does something."""
    if node.op_type == "Identity":
        return (
            None
            if any(zeros_of(user) is node.outputs[0] for user in node.outputs[0].consumers())
            else node.inputs[0]
        )
    if _is_idle_dropout(node):
        return node.inputs[0]
    if (source := left_as_it_is(node)) is not None:
        return source
    return _rejoined(node) if node.op_type == "Concat" else None


def _own_copy(node: ir.Node, graph: ir.Graph) -> ir.Value | None:
    """Return a copy of the weights that an Identity hands on: the compiler stores them again.

    So torch writes a module that is called twice; `rewrites/shared_weights.py` finds the twin.
    """
    source = node.inputs[0] if node.op_type == "Identity" else None
    weighs = {(user.op_type, at) for user, at in node.outputs[0].uses()} <= {(op, 1) for op in WEIGHED}
    array = constant_array(source) if weighs else None
    if source is None or array is None or array.size < LEAST_ELEMENTS:
        return None
    return add_constant(graph, f"{source.name}_again", array)


def _is_idle_dropout(node: ir.Node) -> bool:
    """Return whether a node is a Dropout that hands its input on; one with a mask is a matter of its own."""
    training = node.inputs[2] if len(node.inputs) > 2 else None
    off = training is None or (is_stored(training) and not np.any(constant_array(training)))
    return node.op_type == "Dropout" and len(node.outputs) == 1 and off


def _rejoined(node: ir.Node) -> ir.Value | None:
    """Return the map that a Split cuts and this Concat joins again, all parts in their order."""
    first = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
    if first is None or first.op_type != "Split" or list(node.inputs) != list(first.outputs):
        return None
    axes = node.attributes.get_int("axis", 0), first.attributes.get_int("axis", 0)
    return first.inputs[0] if axes[0] == axes[1] else None


def _fold_norm(norm: ir.Node, graph: ir.Graph) -> None:
    """Scale the filters of the convolution before a normalization and shift its bias, where all is here."""
    convolution = norm.inputs[0].producer() if norm.inputs[0] is not None else None
    if convolution is None or not _takes_norm(convolution, norm):
        return
    numbers = [constant_array(value) for value in norm.inputs[1:5]]
    weights = constant_array(convolution.inputs[1])
    bias = constant_array(convolution.inputs[2]) if len(convolution.inputs) > 2 else None
    if weights is None or any(array is None for array in numbers):
        return
    scale, offset, mean, variance = (np.asarray(array, "float64") for array in numbers)
    factor = scale / np.sqrt(variance + norm.attributes.get_float("epsilon", 1e-5))
    shift = offset - mean * factor + (0 if bias is None else bias * factor)
    scaled = weights * factor.reshape(-1, *(1,) * (weights.ndim - 1))
    replace_constant(convolution, 1, scaled.astype(weights.dtype), graph)
    convolution.resize_inputs(3)
    name = f"{convolution.name or 'convolution'}_shift"
    convolution.replace_input_with(2, add_constant(graph, name, shift.astype(weights.dtype)))
    ir.convenience.replace_all_uses_with(norm.outputs[0], convolution.outputs[0])


def _takes_norm(convolution: ir.Node, norm: ir.Node) -> bool:
    geometry = convolution_of(convolution) if convolution.op_type == "Conv" else None
    constants = (*convolution.inputs[1:], *norm.inputs[1:])
    return (
        geometry is not None
        and only_feeds(convolution, norm)
        and not norm.outputs[0].is_graph_output()
        and len(norm.outputs) == 1
        and norm.attributes.get_int("training_mode", 0) == 0
        and all(value is None or is_stored(value) for value in constants)
        and static_shape(norm.inputs[1]) == (geometry.output_channels,)
    )
