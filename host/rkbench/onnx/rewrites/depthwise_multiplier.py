"""Turn a depthwise convolution with m outputs a channel into m plain depthwise convolutions and a Concat.

The Concat has another channel order (all first outputs, then all second ones), and putting the channels back
would be a channel shuffle, which the compiler stores as a dense 1x1. So the order is carried on instead,
through layers that work channel by channel into the weights of the layers that mix them. Where it cannot be
carried to such an end (a graph output) there is no proposal; `regroup` may have one.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx import commands
from rkbench.onnx import convolution as conv
from rkbench.onnx.convolution import Convolution, convolution_of
from rkbench.onnx.rewrites.channels import ChannelClass, channel_class
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    estimated,
    free_name,
    is_stored,
    new_constant,
)
from rkbench.onnx.rewrites.surgery import drop_unused
from rkbench.onnx.values import static_shape

NAME = "depthwise_multiplier"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the split of a depthwise convolution with a multiplier whose new order can be carried on."""
    geometry = convolution_of(node) if node.op_type == "Conv" else None
    if geometry is None or conv.fate(geometry, context.target, context.dtype) != conv.MULTIPLIER:
        return None
    constants = [value for value in node.inputs[1:] if value is not None]
    carried = channel_class(node.outputs[0], geometry.output_channels, node)
    if carried is None or not all(is_stored(value) for value in constants):
        return None
    channels, factor = geometry.input_channels, geometry.output_channels // geometry.input_channels
    plain = Convolution(**{**vars(geometry), "output_channels": channels})
    after = factor * context.predicted_bytes(plain) + commands.other_bytes(context.target)
    return estimated(
        node,
        NAME,
        say(
            "depthwise {channels} -> {output_channels} channels as {factor} plain ones",
            channels=channels,
            output_channels=geometry.output_channels,
            factor=factor,
        ),
        context.predicted_bytes(geometry),
        after,
        lambda: apply(node, factor, carried, context.graph),
    )


def apply(node: ir.Node, factor: int, carried: ChannelClass, graph: ir.Graph) -> None:
    """Split the node, in place: its output value becomes the Concat's, its name the first part's."""
    outputs = int(static_shape(node.inputs[1])[0])  # type: ignore[index] # propose has seen the shape
    order = np.arange(outputs).reshape(-1, factor).T.ravel()
    carried.change(graph, lambda array, axis: np.take(array, order, axis=axis), outputs)
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
    drop_unused(graph)


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


REWRITE = Rewrite(
    NAME,
    "a depthwise convolution with m outputs a channel becomes m plain ones, in another channel order",
    "512 -> 1,024 channels: 9.66 MB before (rk3588 fp16), 4.85 MB (int8); plain ones are not stored dense",
    propose,
)
