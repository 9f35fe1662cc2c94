"""Join a 1x1 convolution and the DepthToSpace behind it to one transposed convolution.

Exact: the pixels of a block are the channels that the 1x1 makes for it. The compiler makes a transposed
convolution of a DepthToSpace anyway, with a kernel of ones and zeros as large as the square of its channels.
Blocks of 2x2, 12 to 512 channels, both orders, toolkit 2.5.0: 20 of 20 conversions smaller, by 3 to 60 %. All
four pixels need the same bias.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from rkbench.language.said import say
from rkbench.onnx.rewrites.pointwise_pair import pointwise_of
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, constant_array, measured
from rkbench.onnx.rewrites.surgery import add_constant, drop_unused, make_node, only_feeds, replace
from rkbench.onnx.values import static_shape

NAME = "pixel_shuffle"
BLOCK = 2
SIDES: dict[str, int | float | str | list[int]] = {"kernel_shape": [BLOCK, BLOCK], "strides": [BLOCK, BLOCK]}


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the transposed convolution for a DepthToSpace behind a 1x1 convolution."""
    if node.op_type != "DepthToSpace" or node.attributes.get_int("blocksize", 0) != BLOCK:
        return None
    first = node.inputs[0].producer() if node.inputs[0] is not None else None
    geometry = pointwise_of(first)
    if first is None or geometry is None or set(geometry.strides) != {1} or not only_feeds(first, node):
        return None
    bias = constant_array(first.inputs[2]) if len(first.inputs) > 2 else None
    apart = bias is not None and np.ptp(_blocks(bias, node), axis=0).any()
    if apart or static_shape(node.outputs[0]) is None:
        return None
    description = say(
        "1x1 of {input_channels} -> {output_channels} channels and DepthToSpace -> a transposed convolution",
        input_channels=geometry.input_channels,
        output_channels=geometry.output_channels,
    )
    return measured(node, NAME, description, lambda: _apply(first, node, bias, context.graph))


def _blocks(array: NDArray[Any], node: ir.Node) -> NDArray[Any]:
    """Return an array of the 1x1's output channels as [pixel of the block, channel, ...]."""
    channels, rest = len(array) // BLOCK**2, array.shape[1:]
    if node.attributes.get_string("mode", "DCR") == "CRD":
        return np.swapaxes(array.reshape(channels, BLOCK**2, *rest), 0, 1)
    return array.reshape(BLOCK**2, channels, *rest)


def _apply(first: ir.Node, node: ir.Node, bias: NDArray[Any] | None, graph: ir.Graph) -> None:
    weights = constant_array(first.inputs[1])
    assert weights is not None
    blocks = _blocks(weights.reshape(weights.shape[:2]), node)  # pixel, output channel, input channel
    kernel = blocks.transpose(2, 1, 0).reshape(*blocks.shape[:0:-1], BLOCK, BLOCK)
    inputs = [first.inputs[0], add_constant(graph, f"{node.name}_kernel", np.ascontiguousarray(kernel))]
    if bias is not None:
        inputs.append(add_constant(graph, f"{node.name}_bias", _blocks(bias, node)[0].copy()))
    out, shape = node.outputs[0], static_shape(node.outputs[0])
    assert shape is not None
    new = make_node(
        graph, "ConvTranspose", inputs, dict(SIDES), name=f"{node.name}_joined", shape=shape, like=out
    )
    replace(graph, [node], [new])
    drop_unused(graph)


REWRITE = Rewrite(
    NAME,
    "a 1x1 convolution and the DepthToSpace behind it become one transposed convolution",
    "256 channels, 16x16: 273,716 -> 135,412 bytes (rk3588 fp16), 161,358 -> 85,262 (int8), "
    "274,932 -> 141,620 (rk3568 fp16), 172,302 -> 101,966 (int8)",
    propose,
)
