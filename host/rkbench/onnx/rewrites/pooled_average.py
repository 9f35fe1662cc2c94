"""Average a whole map by pools of at most seven pixels, as far as its sides have such divisors.

Exact up to rounding. A global average becomes depthwise convolutions, whose kernels and biases take 57 bytes
a channel in int8 for a map of 7 pixels each way, and on several cores lists for each of them; a pool with a
smaller window is one task of the pooling unit and stores nothing. Measured with toolkit 2.5.0, 16 to 1,280
channels, 7 to 112 pixels each way, a classifier's head and squeeze and excite, rk3588 and rk3568, fp16 and
int8: smaller in 176 of 176 conversions, by .2 to 57 % (1,280 channels of 7x7, rk3588 fp16: 225,768 ->
119,462 bytes; `two_means` 156,904). With one core `two_means` is smaller from so many channels on as
`FEWER_ON_ONE_CORE` says. In norms too, where two means grew.
"""

from __future__ import annotations

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx import convolution as conv
from rkbench.onnx.fusion.geometry import steps
from rkbench.onnx.rewrites.averaging import (
    averaged,
    flattened,
    is_global,
    is_of_a_norm,
    sides_of,
    windows_of,
)
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, measured
from rkbench.onnx.rewrites.surgery import replace
from rkbench.onnx.values import static_shape

NAME = "pooled_average"
FEWER_ON_ONE_CORE = {"fp16": 128, "int8": 256}
POOL_BYTES = 1_250
"""What a pool takes, and its structure."""
LEAST_SAVED_BYTES = 1_024


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose pools for a global average of a map or a signal."""
    shape = static_shape(node.inputs[0]) if is_global(node) else None
    if shape is None or len(shape) not in (3, 4) or not context.has_fixed_sizes:
        return None
    if context.cores == 1 and shape[1] >= FEWER_ON_ONE_CORE[context.dtype] and not is_of_a_norm(node):
        return None
    height, width = sides_of(shape)
    windows = windows_of(height, width)
    is_one_kernel = max(height, width) <= conv.LARGEST_WINDOW  # of more than one each saves commands
    if not windows.pools or (is_one_kernel and _saved_bytes(shape, context) < LEAST_SAVED_BYTES):
        return None
    description = say(
        "average over {height}x{width} -> {pools}, then the rest",
        height=height,
        width=width,
        pools=" ".join(f"{one}x{two}" for one, two in windows.pools),
    )
    return measured(node, NAME, description, lambda: _apply(node, shape, context.graph))


def _saved_bytes(shape: tuple[int, ...], context: RewriteContext) -> int:
    """Return the constants that pools save, without the commands that go with them, less what pools take."""
    windows = windows_of(*sides_of(shape))

    def constants(size: tuple[int, int]) -> int:
        asked = (context.target, context.dtype, context.toolkit_version)
        return sum(conv.constant_bytes(step, *asked) for step in steps(size, shape[1]))

    before, after = constants(sides_of(shape)), constants(windows.left)
    return before - after - POOL_BYTES * len(windows.pools)


def _apply(node: ir.Node, shape: tuple[int, ...], graph: ir.Graph) -> None:
    new = averaged(graph, node.inputs[0], shape, node.name or "average", node.outputs[0])
    replace(graph, [node], [*new, *flattened(graph, node, new[-1].outputs[0])])


REWRITE = Rewrite(
    NAME,
    "a global average is taken by pools of at most seven pixels as far as they tile the map",
    "head of 1,280 channels, 7x7: 225,768 -> 119,462 bytes (rk3588 fp16), 140,482 -> 87,938 (int8); "
    "64 channels, 14x14: 27,114 -> 18,922 (rk3568 fp16), 23,492 -> 18,180 (int8)",
    propose,
)
