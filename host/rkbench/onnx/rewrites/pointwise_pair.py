"""Merge a 1x1 convolution into the 1x1 behind it, where nothing stands between them but a Concat.

Exact up to rounding: the product of the two matrices. Only where the product is no larger than the two (else
the network would compute more), and the prediction says that it pays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
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
from rkbench.onnx.values import static_shape

NAME = "pointwise_pair"
BLOCK = 16
"""Channels of a Concat's part are a multiple of this: another number asks for a convolution that realigns."""


class _FirstOfTwo(NamedTuple):
    """A 1x1 convolution before another, and where the other reads it."""

    first: ir.Node
    joined: ir.Node | None
    """The Concat between them; None where they touch."""
    number: int
    """Of the input of the Concat."""
    start: int
    """Of its channels among those that the other reads."""


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the merged 1x1 for the second of two."""
    two = pointwise_of(node)
    if two is None:
        return None
    return next(filter(None, (_proposal(node, two, place, context) for place in _places(node))), None)


def _places(node: ir.Node) -> Iterator[_FirstOfTwo]:
    """Yield the nodes whose channels a 1x1 reads directly or out of a Concat that nothing else reads."""
    before = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
    if before is None or not only_feeds(before, node):
        return
    if before.op_type != "Concat":
        yield _FirstOfTwo(before, None, 0, 0)
        return
    shapes = [static_shape(value) for value in (*before.inputs, before.outputs[0])]
    if before.attributes.get_int("axis", 0) != 1 or any(shape is None for shape in shapes):
        return
    sizes = [shape[1] for shape in shapes if shape is not None]
    for number, value in enumerate(before.inputs):
        first = value.producer() if value is not None else None
        if first is not None and only_feeds(first, before) and len(first.outputs[0].uses()) == 1:
            yield _FirstOfTwo(first, before, number, sum(sizes[:number]))


def _proposal(
    node: ir.Node, two: Convolution, place: _FirstOfTwo, context: RewriteContext
) -> Proposal | None:
    one = pointwise_of(place.first)
    if one is None or set(one.strides) != {1}:
        return None
    if place.joined is not None and one.input_channels % BLOCK and one.input_channels != one.output_channels:
        return None
    inputs = two.input_channels - one.output_channels + one.input_channels
    merged = replace(two, input_channels=inputs, has_bias=one.has_bias or two.has_bias)
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
        lambda: _apply(place, node, context.graph),
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


def _apply(place: _FirstOfTwo, second: ir.Node, graph: ir.Graph) -> None:
    first = place.first
    one, two = constant_array(first.inputs[1]), constant_array(second.inputs[1])
    assert one is not None and two is not None
    a, b = one.reshape(one.shape[:2]).astype("float64"), two.reshape(two.shape[:2]).astype("float64")
    part = slice(place.start, place.start + len(a))
    biases = [constant_array(node.inputs[2]) if len(node.inputs) > 2 else None for node in (first, second)]
    if biases[0] is not None:
        total = b[:, part] @ biases[0] + (0 if biases[1] is None else biases[1])
        second.resize_inputs(3)
        second.replace_input_with(2, add_constant(graph, f"{second.name}_bias", total.astype(two.dtype)))
    product = np.hstack([b[:, : part.start], b[:, part] @ a, b[:, part.stop :]]).astype(two.dtype)
    replace_constant(second, 1, product.reshape(*product.shape, *two.shape[2:]), graph)
    reader = second if place.joined is None else place.joined
    reader.replace_input_with(place.number, first.inputs[0])
    if place.joined is not None:
        shape = static_shape(second.inputs[0])
        assert shape is not None and second.inputs[0] is not None
        second.inputs[0].shape = ir.Shape((shape[0], product.shape[1], *shape[2:]))
    drop_unused(graph)


REWRITE = Rewrite(
    NAME,
    "a 1x1 convolution is multiplied into the 1x1 behind it, also through a Concat",
    "64 -> 256 -> 64 channels: 92,272 -> 24,816 bytes (rk3588 fp16), 61,834 -> 22,730 (int8), "
    "94,448 -> 33,968 (rk3568 fp16), 65,162 -> 31,690 (int8)",
    propose,
)
