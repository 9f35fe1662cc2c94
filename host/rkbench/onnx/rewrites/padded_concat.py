"""Pad the parts of a Concat to whole blocks of channels, so that no convolution has to realign them.

Exact: the added channels are filters of zeros, read with zeros. The compiler adds a dense 1x1 over all
channels exactly where a part's channels are no multiple of the block (rk3588: 8 fp16, 16 int8; rk3568: 4, 8)
and a depthwise convolution or a pool follows (56 of 56 cases), or one ordinary convolution that it does not
take apart by the parts (8 of 8 conversions smaller, by 17 to 20 %), or several, or any behind an activation
or a Pad, of maps and of signals (31 of 31, by 7 to 51 %). A signal that one convolution reads itself is taken
apart (two parts of 44: 75,376 -> 86,768 bytes, rk3588 fp16). The rule here is that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import Convolution, convolution_of
from rkbench.onnx.fusion.added import is_signal
from rkbench.onnx.fusion.apart import taken_apart
from rkbench.onnx.rewrites.channels import CHANNELWISE, ChannelClass, channel_class, pads_pixels
from rkbench.onnx.rewrites.padded_groups import widened
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, estimated
from rkbench.onnx.rewrites.surgery import sole_user
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets

NAME = "padded_concat"
MOST_READERS = 64
POOLS = {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"}


@dataclass(frozen=True)
class ConcatPart:
    """One input of the Concat: its channels, and what shares them."""

    channels: int
    padded: int
    shared: ChannelClass | None
    """None for one that is whole blocks already."""


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose whole blocks for a Concat of channels that the compiler joins by a convolution."""
    if node.op_type != "Concat" or node.attributes.get_int("axis", 0) != 1 or len(node.inputs) < 2:
        return None
    block = targets.kept_group_alignment(context.target, context.dtype, context.toolkit_version)
    if block is None or not (_feeds_channelwise(node) or _feeds_whole(node)):
        return None
    parts = _parts(node, block)
    joined = _joined(node, parts) if parts else None
    if joined is None:
        return None
    channels, padded = sum(part.channels for part in parts), sum(part.padded for part in parts)
    sizes = " + ".join(str(part.channels) for part in parts), " + ".join(str(part.padded) for part in parts)
    return estimated(
        node,
        NAME,
        say(
            "Concat of {before} channels -> {after}, whole blocks of {block}",
            before=sizes[0],
            after=sizes[1],
            block=block,
        ),
        context.predicted_bytes(Convolution(channels, channels, has_bias=False)),
        _widening([*_shared(parts), joined], padded / channels - 1, context),
        lambda: _apply(parts, joined, context.graph),
    )


def _joined(concat: ir.Node, parts: list[ConcatPart]) -> ChannelClass | None:
    """Return what shares the channels behind the Concat; None where that cannot be padded."""
    joined = channel_class(concat.outputs[0], sum(part.channels for part in parts), concat)
    if joined is None or not joined.takes_zeros or _overlap([*_shared(parts), joined]):
        return None
    return joined


def _shared(parts: list[ConcatPart]) -> list[ChannelClass]:
    return [part.shared for part in parts if part.shared is not None]


def _feeds_channelwise(concat: ir.Node) -> bool:
    """Return whether a depthwise convolution or a pool reads the Concat, perhaps through an activation."""
    open_values, seen = [concat.outputs[0]], 0
    while open_values and seen < 16:
        seen += 1
        for user in open_values.pop().consumers():
            geometry = convolution_of(user) if user.op_type == "Conv" else None
            if user.op_type in POOLS or (geometry is not None and geometry.groups == geometry.input_channels):
                return True
            if user.op_type in CHANNELWISE or user.op_type == "BatchNormalization":
                open_values.append(user.outputs[0])
    return False


def _feeds_whole(concat: ir.Node) -> bool:
    """Return whether ordinary convolutions alone read the Concat, perhaps through activations and Pads, and
    it is not taken apart for one that reads it itself: signals always are."""
    whole = concat.outputs[0]
    open_values, found = [whole], list[Convolution]()
    while open_values and len(found) < MOST_READERS:
        value = open_values.pop()
        for user in value.consumers():
            geometry = convolution_of(user) if user.op_type == "Conv" else None
            if user.op_type in CHANNELWISE or pads_pixels(user):
                open_values.append(user.outputs[0])
            elif geometry is None or geometry.groups != 1:
                return False
            else:
                found.append(geometry)
    first = sole_user(whole)
    if first is None or first.op_type != "Conv":
        return bool(found)
    if not found or len(static_shape(whole) or ()) != 4:
        return False
    return not taken_apart(whole, found[0].output_channels, prod(found[0].kernel))


def _parts(concat: ir.Node, block: int) -> list[ConcatPart]:
    """Return the parts of a Concat; none where no part has to be padded, or one cannot be."""
    found = []
    for value in concat.inputs:
        shape = static_shape(value)
        if shape is None or not (len(shape) == 4 or (len(shape) == 3 and is_signal(value))):
            return []
        assert value is not None
        shared = channel_class(value, shape[1], concat) if shape[1] % block else None
        if shape[1] % block and (shared is None or not shared.takes_zeros):
            return []
        found.append(ConcatPart(shape[1], -(-shape[1] // block) * block, shared))
    return found if any(part.padded > part.channels for part in found) else []


def _overlap(classes: list[ChannelClass]) -> bool:
    """Return whether a value is in two of the classes: it would be padded in two ways."""
    values = [value for each in classes for value in each.values]
    return len(values) > len(set(values))


def _widening(classes: list[ChannelClass], ratio: float, context: RewriteContext) -> int:
    element = targets.ELEMENT_BYTES[context.dtype]
    constants = [edit.node.inputs[edit.index] for each in classes for edit in each.edits]
    tensors = [ir.convenience.get_const_tensor(value) for value in constants if value is not None]
    return int(sum(tensor.size for tensor in tensors if tensor is not None) * ratio) * element


def _apply(parts: list[ConcatPart], joined: ChannelClass, graph: ir.Graph) -> None:
    for part in parts:
        more = part.padded - part.channels
        if part.shared is not None:
            part.shared.change(graph, partial(widened, more=more), part.padded)
    ends = np.cumsum([part.channels for part in parts])[:-1].tolist()

    def spread(array: np.ndarray, axis: int) -> np.ndarray:
        pieces = np.split(array, ends, axis)
        added = [part.padded - part.channels for part in parts]
        wide = [widened(piece, axis, more) for piece, more in zip(pieces, added, strict=True)]
        return np.concatenate(wide, axis)

    joined.change(graph, spread, sum(part.padded for part in parts))


REWRITE = Rewrite(
    NAME,
    "the parts of a Concat are padded to whole blocks of channels, so that no dense 1x1 realigns them",
    "116 + 116 channels: 531,889 -> 447,025 bytes (rk3588 fp16), 304,587 -> 254,411 (int8), "
    "275,595 -> 235,339 (rk3568 int8); not needed on rk3568 fp16",
    propose,
)
