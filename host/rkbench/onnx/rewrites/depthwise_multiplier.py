"""Turn a depthwise convolution with m outputs a channel into m plain depthwise convolutions and a Concat.

The Concat has another channel order (all first outputs, then all second ones), and putting the channels back
would be a channel shuffle, which the compiler stores as a dense 1x1. So the order is carried on instead,
through layers that work channel by channel into the weights of the layers that mix them. Where it cannot be
carried to such an end (a graph output, an Add of two maps) there is no proposal; `regroup` may have one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from rkbench.onnx import commands
from rkbench.onnx import convolution as conv
from rkbench.onnx.convolution import Convolution, convolution_of
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    RewriteContext,
    constant_array,
    free_name,
    is_stored,
    new_constant,
    replace_constant,
)
from rkbench.onnx.values import static_shape

NAME = "depthwise_multiplier"

CHANNELWISE = {
    *("Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Mish", "Softplus"),
    *("Identity", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"),
}
BINARY = {"Add", "Mul", "Sub", "Div", "PRelu"}


@dataclass(frozen=True)
class Edit:
    """One constant whose channels along `axis` must follow the new order."""

    node: ir.Node
    index: int
    axis: int


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the split of a depthwise convolution with a multiplier whose new order can be carried on."""
    geometry = convolution_of(node) if node.op_type == "Conv" else None
    if geometry is None or conv.fate(geometry, context.target, context.dtype) != conv.MULTIPLIER:
        return None
    constants = [value for value in node.inputs[1:] if value is not None]
    edits = carried_edits(node.outputs[0], geometry.output_channels)
    if edits is None or not all(is_stored(value) for value in constants):
        return None
    channels, factor = geometry.input_channels, geometry.output_channels // geometry.input_channels
    plain = Convolution(**{**vars(geometry), "output_channels": channels})
    after = factor * context.predicted_bytes(plain) + commands.other_bytes(context.target)
    return Proposal(
        node=node.name or "",
        rewrite=NAME,
        description=f"depthwise {channels} -> {geometry.output_channels} channels as {factor} plain ones",
        before_bytes=context.predicted_bytes(geometry),
        after_bytes=after,
        apply=lambda: apply(node, factor, edits, context.graph),
    )


def carried_edits(value: ir.Value, channels: int) -> list[Edit] | None:
    """Return the constants behind `value` that must follow a new channel order; None if they cannot."""
    if value.is_graph_output():
        return None
    found: list[Edit] = []
    for node, index in value.uses():
        edits = _edits_of(node, index, channels)
        if edits is None:
            return None
        found += edits
    return found


def _edits_of(node: ir.Node, index: int, channels: int) -> list[Edit] | None:
    if node.op_type == "Conv" and index == 0:
        return _convolution_edits(node, channels)
    if node.op_type in ("Gemm", "MatMul") and index == 0:
        return _product_edits(node)
    own: list[Edit] | None = None
    if index == 0 and (node.op_type in CHANNELWISE or _drops_single_pixels(node)):
        own = [] if len(node.outputs) == 1 else None
    elif node.op_type == "BatchNormalization" and index == 0:
        own = [Edit(node, place, 0) for place in range(1, 5)]
    elif node.op_type in BINARY:
        own = _binary_edits(node, 1 - index, channels)
    if own is None or not _are_constant(own):
        return None
    rest = carried_edits(node.outputs[0], channels)
    return None if rest is None else own + rest


def _convolution_edits(node: ir.Node, channels: int) -> list[Edit] | None:
    """An ordinary convolution takes the order into its weights; a plain depthwise one hands it on."""
    geometry = convolution_of(node)
    if geometry is None or not is_stored(node.inputs[1]):
        return None
    if geometry.groups == 1:
        return [Edit(node, 1, 1)]
    if geometry.groups != channels or geometry.output_channels != channels:
        return None
    own = [Edit(node, place, 0) for place in range(1, len(node.inputs)) if node.inputs[place] is not None]
    rest = carried_edits(node.outputs[0], channels) if _are_constant(own) else None
    return None if rest is None else own + rest


def _product_edits(node: ir.Node) -> list[Edit] | None:
    """A matrix product of (N, channels) takes the order into the rows of its constant matrix."""
    maps, matrix = static_shape(node.inputs[0]), static_shape(node.inputs[1])
    if maps is None or len(maps) != 2 or matrix is None or len(matrix) != 2:
        return None
    if not is_stored(node.inputs[1]) or node.attributes.get_int("transA", 0) != 0:
        return None
    return [Edit(node, 1, node.attributes.get_int("transB", 0))]


def _drops_single_pixels(node: ir.Node) -> bool:
    """Return whether a Flatten or Reshape turns (N, C, 1, 1) into (N, C): the channels stay in order."""
    if node.op_type not in ("Flatten", "Reshape"):
        return False
    before, after = static_shape(node.inputs[0]), static_shape(node.outputs[0])
    return before is not None and len(before) > 2 and after == before[:2] and set(before[2:]) == {1}


def _binary_edits(node: ir.Node, other: int, channels: int) -> list[Edit] | None:
    """A constant operand of one element has no order; one with a channel axis follows it there."""
    shape, map_shape = static_shape(node.inputs[other]), static_shape(node.outputs[0])
    if shape is None or map_shape is None or not is_stored(node.inputs[other]):
        return None
    if int(np.prod(shape)) == 1:
        return []
    axis = len(shape) - len(map_shape) + 1
    return [Edit(node, other, axis)] if axis >= 0 and shape[axis] == channels else None


def _are_constant(edits: list[Edit]) -> bool:
    return all(is_stored(edit.node.inputs[edit.index]) for edit in edits)


def apply(node: ir.Node, factor: int, edits: list[Edit], graph: ir.Graph) -> None:
    """Split the node, in place: its output value becomes the Concat's, its name the first part's."""
    outputs = int(static_shape(node.inputs[1])[0])  # type: ignore[index] # propose has seen the shape
    order = np.arange(outputs).reshape(-1, factor).T.ravel()
    for edit in edits:
        array = constant_array(edit.node.inputs[edit.index])
        assert array is not None
        replace_constant(edit.node, edit.index, np.take(array, order, axis=edit.axis), graph)
    parts = [_part(node, part, factor, graph) for part in range(factor)]
    concat_name = free_name(graph, f"{node.name}_concat")
    concat = ir.node("Concat", [part.outputs[0] for part in parts], {"axis": 1}, name=concat_name)
    concat.outputs[0].shape, concat.outputs[0].type = node.outputs[0].shape, node.outputs[0].type
    name = node.outputs[0].name
    ir.convenience.replace_nodes_and_values(
        graph, node, [node], [*parts, concat], node.outputs, concat.outputs
    )
    concat.outputs[0].name = name
    parts[0].name = node.name
    _drop_unused(graph)


def _part(node: ir.Node, part: int, factor: int, graph: ir.Graph) -> ir.Node:
    """Return one plain depthwise convolution: every `factor`-th filter, from the `part`-th on."""
    inputs: list[ir.Value | None] = [node.inputs[0]]
    for value in node.inputs[1:]:
        array = constant_array(value)
        if value is None or array is None:
            inputs.append(None)
            continue
        new = new_constant(free_name(graph, f"{value.name}_part{part}"), array[part::factor])
        graph.register_initializer(new)
        inputs.append(new)
    name = free_name(graph, f"{node.name}_part{part}")
    copy = ir.Node(node.domain, node.op_type, inputs, list(node.attributes.values()), name=name)
    copy.outputs[0].name = free_name(graph, f"{node.outputs[0].name}_part{part}")
    return copy


def _drop_unused(graph: ir.Graph) -> None:
    """Remove the weights that only the replaced node used."""
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_input() and not value.is_graph_output():
            graph.initializers.pop(name)
