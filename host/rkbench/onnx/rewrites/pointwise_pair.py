"""Merge a 1x1 convolution into the 1x1 behind it, where nothing stands between them.

Exact up to rounding: the product of the two matrices. Only where the product is no larger than the two (else
the network would compute more), and the prediction says that it pays.
"""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import Convolution, convolution_of
from rkbench.onnx.rewrites.geometry import axes_of
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    estimated,
    is_stored,
    replace_constant,
)
from rkbench.onnx.rewrites.surgery import add_constant, drop_unused, only_feeds

NAME = "pointwise_pair"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the merged 1x1 for the second of two."""
    first = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
    two, one = pointwise_of(node), pointwise_of(first)
    if first is None or one is None or two is None or not only_feeds(first, node):
        return None
    if set(one.strides) != {1}:
        return None
    merged = replace(two, input_channels=one.input_channels, has_bias=one.has_bias or two.has_bias)
    if merged.elements > one.elements + two.elements:
        return None
    return estimated(
        node,
        NAME,
        say(
            "1x1 of {input_channels} -> {output_channels} -> {last_channels} channels "
            "-> one of {input_channels} -> {last_channels}",
            input_channels=one.input_channels,
            output_channels=one.output_channels,
            last_channels=two.output_channels,
        ),
        context.predicted_bytes(one) + context.predicted_bytes(two),
        context.predicted_bytes(merged),
        lambda: _apply(first, node, context.graph),
    )


def pointwise_of(node: ir.Node | None) -> Convolution | None:
    """Return the 1x1 convolution by stored weights that a node is, of one group and no pads, else None."""
    axes = axes_of(node) if node is not None else None
    geometry = convolution_of(node) if node is not None and axes is not None else None
    if node is None or axes is None or geometry is None or geometry.groups != 1:
        return None
    single = all(axis.kernel == 1 and axis.before == axis.after == 0 for axis in axes)
    stored = all(is_stored(value) for value in node.inputs[1:] if value is not None)
    return geometry if single and stored else None


def _apply(first: ir.Node, second: ir.Node, graph: ir.Graph) -> None:
    one, two = constant_array(first.inputs[1]), constant_array(second.inputs[1])
    assert one is not None and two is not None
    a, b = one.reshape(one.shape[:2]).astype("float64"), two.reshape(two.shape[:2]).astype("float64")
    biases = [constant_array(node.inputs[2]) if len(node.inputs) > 2 else None for node in (first, second)]
    if biases[0] is not None:
        total = b @ biases[0] + (0 if biases[1] is None else biases[1])
        second.resize_inputs(3)
        second.replace_input_with(2, add_constant(graph, f"{second.name}_bias", total.astype(two.dtype)))
    product = (b @ a).astype(two.dtype)
    replace_constant(second, 1, product.reshape(*product.shape, *two.shape[2:]), graph)
    second.replace_input_with(0, first.inputs[0])
    drop_unused(graph)


REWRITE = Rewrite(
    NAME,
    "a 1x1 convolution is multiplied into the 1x1 behind it",
    "64 -> 256 -> 64 channels: 92,272 -> 24,816 bytes (rk3588 fp16), 61,834 -> 22,730 (int8), "
    "94,448 -> 33,968 (rk3568 fp16), 65,162 -> 31,690 (int8)",
    propose,
)
