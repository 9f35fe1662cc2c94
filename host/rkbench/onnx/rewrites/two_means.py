"""Average a whole map in two steps: over its height, then over its width, or the other way round.

Exact up to rounding. What pays was measured with toolkit 2.5.0, the map read by nothing else (a classifier's
head), or by a product too (squeeze and excite), 4 to 128 pixels wide, 24 to 1,280 channels; an AveragePool
of one window, which is such an average, shrank as much (HarDNet, NASNet, rk3568):

- on SoCs with one core the height first (the width first is up to 4 % larger where the map is read again),
  from so many channels on as `LEAST_ON_ONE_CORE` says: a map of 7 pixels each way is one kernel, larger
  ones are more (240 conversions; 10 channels of 8x8 had grown NiN by 1,088 bytes). Below 7 pixels nothing
  is saved;
- on the rk3588 the width first where the map is read again, both its sides fill whole blocks of channels and
  it is as large as `LEAST_FILLING` says (70 conversions), else the height first from so many channels on as
  `LEAST_CHANNELS` says (48 of 48). Of what is left, 30 of 32 grew either way, by up to 150 %. The limits were
  set on these;
- on SoCs with one core never of a sum of branches that are stacked, as selective kernels are (SK-ResNet-18,
  eight such averages, rk3568 in fp16: 25,085,102 -> 25,115,630 bytes);
- a ReduceMean over both axes is such an average to the byte (30 conversions, four SoCs and dtypes);
- in int8 never where the average is subtracted or rooted, as in a norm: four networks of norms grew by it, to
  two times (SegResNet 1,339,021 -> 2,745,677 bytes, rk3568), in fp16 four of five shrank, by up to 10 %; nor
  where a PReLU reads the normed map without a scale: 8 of 8 grew, up to five times (120 -> 486 kB, rk3568).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.rewrites.averaging import HEIGHT, WIDTH, flattened, is_global, is_of_a_norm
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, measured
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace
from rkbench.onnx.values import static_shape

NAME = "two_means"
AXES_AS_INPUT_OPSET = 18
LEAST_SIDE = 7
LEAST_CHANNELS = {
    "fp16": ((784, 128), (196, 192), (49, 320)),
    "int8": ((3136, 64), (1600, 128), (784, 160), (196, 256), (49, 512)),
}
"""On several cores: from so many pixels on, so many channels."""
BLOCK_CHANNELS = {"fp16": 8, "int8": 16}
"""Of the RK3588: what its NPU takes at once."""
LEAST_FILLING = {"fp16": ((4096, 16), (256, 32), (0, 48)), "int8": ((4096, 48), (0, 96))}
"""Of maps that fill whole blocks and are read again: from so many pixels on, so many channels. Below, files
grew: 16 channels of 16x16 by 8.6 %, 64 of 32x32 in int8 by 2.5 %."""
LEAST_ON_ONE_CORE = {"fp16": ((50, 24), (49, 32)), "int8": ((50, 24), (49, 80))}
"""The same of SoCs with one core."""
LEAST_IN_NORMS = 32
"""Channels of a norm on one core in fp16: with 16 the file grew, to twice (75,700 -> 181,428 bytes)."""
LONGEST_NORM = 6
NORMING = frozenset({"Sub", "Add", "Sqrt", "Div", "Reciprocal", "Mul"})


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose two ReduceMean for a GlobalAveragePool of seven pixels and more each way."""
    shape = static_shape(node.inputs[0]) if is_global(node) else None
    axes = None if shape is None or len(shape) != 4 else _axes(node, shape, context)
    if shape is None or axes is None:
        return None
    order = say("the height, then the width") if axes[0] == HEIGHT else say("the width, then the height")
    description = say(
        "average over {height}x{width} -> over {order}",
        height=shape[2],
        width=shape[3],
        order=order,
    )
    return measured(node, NAME, description, lambda: _apply(node, shape, axes, context))


def _axes(node: ir.Node, shape: tuple[int, ...], context: RewriteContext) -> tuple[int, int] | None:
    """Return the axes in the order that was measured to pay; None where neither does."""
    _, channels, height, width = shape
    if min(height, width) < LEAST_SIDE:
        return None
    if is_of_a_norm(node) and not _pays_in_norms(node, channels, context):
        return None
    source = node.inputs[0]
    is_read_again = source is not None and len(source.uses()) > 1
    block, pixels = BLOCK_CHANNELS[context.dtype], height * width
    if context.cores == 1:
        enough = _is_enough(LEAST_ON_ONE_CORE[context.dtype], pixels, channels)
        return (HEIGHT, WIDTH) if enough and not _is_stacked(source) else None
    fills = height % block == width % block == 0
    if is_read_again and fills and _is_enough(LEAST_FILLING[context.dtype], pixels, channels):
        return WIDTH, HEIGHT
    return (HEIGHT, WIDTH) if _is_enough(LEAST_CHANNELS[context.dtype], pixels, channels) else None


def _is_stacked(value: ir.Value | None) -> bool:
    """Return whether a map is the sum of branches that were stacked, as of selective kernels."""
    maker = value.producer() if value is not None else None
    return maker is not None and maker.op_type == "ReduceSum"


def _is_enough(least: tuple[tuple[int, int], ...], pixels: int, channels: int) -> bool:
    return any(pixels >= some and channels >= many for some, many in least)


def _pays_in_norms(node: ir.Node, channels: int, context: RewriteContext) -> bool:
    if context.dtype == "int8" or (context.cores == 1 and channels < LEAST_IN_NORMS):
        return False
    return not _meets_slopes(node)


def _meets_slopes(node: ir.Node) -> bool:
    """Return whether a PReLU reads what a norm makes of its averages, and no scale or offset is between."""
    found = [node]
    for _ in range(LONGEST_NORM):
        users = [use.node for each in found for use in each.outputs[0].uses()]
        if any(user.op_type == "PRelu" for user in users):
            return True
        found = [user for user in users if user.op_type in NORMING and not _reads_a_vector(user)]
    return False


def _reads_a_vector(node: ir.Node) -> bool:
    stored = [ir.convenience.get_const_tensor(value) for value in node.inputs if value is not None]
    return any(tensor is not None and tensor.size > 1 for tensor in stored)


def _apply(node: ir.Node, shape: tuple[int, ...], axes: tuple[int, int], context: RewriteContext) -> None:
    graph, name, out, value = context.graph, node.name or "average", node.outputs[0], node.inputs[0]
    new, size = [], list(shape)
    for axis in axes:
        size[axis] = 1
        inputs, attributes = [value], dict[str, int | float | str | list[int]](keepdims=1)
        if context.opset >= AXES_AS_INPUT_OPSET:
            inputs.append(add_constant(graph, f"{name}_axis{axis}", np.array([axis], "int64")))
        else:
            attributes["axes"] = [axis]
        called = f"{name}_axis{axis}_mean"
        new.append(make_node(graph, "ReduceMean", inputs, attributes, name=called, shape=size, like=out))
        value = new[-1].outputs[0]
    replace(graph, [node], [*new, *flattened(graph, node, value)])


REWRITE = Rewrite(
    NAME,
    "a global average is taken over the height, then over the width, or the other way round",
    "head of 1,280 channels, 7x7: 464,745 -> 395,881 bytes (rk3588 fp16), 264,707 -> 229,955 (int8), "
    "447,465 -> 318,633 (rk3568 fp16), 245,315 -> 176,643 (int8)",
    propose,
)
