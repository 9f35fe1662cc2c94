"""Pad what Concats of Concats join to whole blocks of channels, all of them together (dense connections).

Exact: the added channels are filters of zeros, read with zeros. `padded_concat` pads the parts of one Concat;
where a joined map is a part of the next Concat, and a part goes into several, none can be padded alone.
Converted (toolkit 2.5.0): MSDNet four times, 10 to 36 % smaller; ESPCNet for the rk3588 in fp16 2,204,020 ->
2,101,620 bytes; HarDNet 39DS for the rk3568 in int8, where `padded_concat` finds two of three, 4,040,264 ->
4,020,616. None grew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import Convolution, convolution_of
from rkbench.onnx.fusion.apart import taken_apart
from rkbench.onnx.rewrites.channels import ChannelClass, channel_class
from rkbench.onnx.rewrites.padded_groups import widened
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, estimated
from rkbench.onnx.rewrites.surgery import sole_user
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets

NAME = "padded_chain"
Layout = tuple[tuple[int, int], ...]
"""The pieces of a map in their order: channels of each, and channels that it is padded to."""


@dataclass
class _Chain:
    """Concats that share maps, and the classes of channels that change together."""

    block: int
    ends: tuple[ir.Node, ...]
    """All Concats of channels: no class goes through one."""
    members: dict[ir.Node, None] = field(default_factory=dict)
    classes: dict[ir.Value, ChannelClass | None] = field(default_factory=dict)
    layouts: dict[ir.Node, Layout] = field(default_factory=dict)

    def shared(self, value: ir.Value) -> ChannelClass | None:
        """Return what shares the channels of a value; None where something does that cannot change."""
        if value not in self.classes:
            shape = static_shape(value)
            found = channel_class(value, shape[1], *self.ends) if shape is not None else None
            for each in found.values if found is not None else (value,):
                self.classes[each] = found
        return self.classes[value]

    def makers(self, value: ir.Value) -> list[ir.Node]:
        """Return the Concats that make the channels of a value; none where it is a part that none makes."""
        shared = self.shared(value)
        values = shared.values if shared is not None else (value,)
        found = {each.producer() for each in values}
        return [node for node in self.ends if node in found]

    def grow(self, concat: ir.Node) -> None:
        """Take in a Concat, and every other one that its maps are made by or go into."""
        waiting = [concat]
        while waiting:
            each = waiting.pop()
            if each in self.members:
                continue
            self.members[each] = None
            for value in (*each.inputs, *each.outputs):
                shared = self.shared(value) if value is not None else None
                for known in shared.values if shared is not None else ():
                    around = {known.producer(), *(node for node, _ in known.uses())}
                    waiting.extend(node for node in around if node in set(self.ends))

    def layout(self, value: ir.Value | None) -> Layout | None:
        """Return the pieces of a part; None where it can neither stay nor be padded."""
        shape = static_shape(value)
        if value is None or shape is None or len(shape) != 4:
            return None
        shared, makers = self.shared(value), self.makers(value)
        if makers:
            found = {self.layouts.get(maker) for maker in makers}
            return found.pop() if len(found) == 1 else None
        if shape[1] % self.block == 0:
            return ((shape[1], shape[1]),)
        if shared is None or not shared.takes_zeros:
            return None
        return ((shape[1], -(-shape[1] // self.block) * self.block),)

    def lay_out(self, graph: ir.Graph) -> bool:
        """Find the pieces of what every Concat joins, in the order of the graph; False where that fails."""
        for concat in [node for node in graph if node in self.members]:
            parts = [self.layout(value) for value in concat.inputs]
            joined = tuple(piece for part in parts for piece in part or ())
            shared = self.shared(concat.outputs[0])
            changes = any(padded > channels for channels, padded in joined)
            if None in parts or (changes and (shared is None or not shared.takes_zeros)):
                return False
            self.layouts[concat] = joined
        return True

    def padded(self) -> list[tuple[ChannelClass, Layout]]:
        """Return the classes that change, each once, with their pieces."""
        found: dict[int, tuple[ChannelClass, Layout]] = {}
        for concat in self.members:
            for value in (*concat.inputs, *concat.outputs):
                shared, layout = self.shared(value) if value is not None else None, self.layout(value)
                if shared is not None and layout is not None and _width(layout) > sum(n for n, _ in layout):
                    found[id(shared)] = (shared, layout)
        return list(found.values())


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose whole blocks for all parts of a chain of Concats, at its first one."""
    block = targets.kept_group_alignment(context.target, context.dtype, context.toolkit_version)
    if block is None or not _joins_channels(node):
        return None
    chain = _Chain(block, tuple(each for each in context.graph if _joins_channels(each)))
    if any(value is None or chain.makers(value) for value in node.inputs):
        return None
    chain.grow(node)
    order = [each for each in context.graph if each in chain.members]
    if len(order) < LEAST_CONCATS or order[0] is not node or not chain.lay_out(context.graph):
        return None
    joints = [_joint(concat) for concat in order if _is_realigned(concat, block)]
    changed = chain.padded()
    if not joints or not changed:
        return None
    return estimated(
        node,
        NAME,
        say(
            "{count} Concats of Concats, parts of whole blocks of {block} channels",
            count=len(order),
            block=block,
        ),
        sum(context.predicted_bytes(joint) for joint in joints),
        sum(_widening(shared, layout, context) for shared, layout in changed),
        lambda: _apply(changed, context.graph),
    )


LEAST_CONCATS = 2


def _joins_channels(node: ir.Node) -> bool:
    shape = static_shape(node.outputs[0]) if node.op_type == "Concat" and len(node.inputs) > 1 else None
    return shape is not None and len(shape) == 4 and node.attributes.get_int("axis", 0) in (1, -3)


def _is_realigned(concat: ir.Node, block: int) -> bool:
    """Return whether a dense 1x1 joins the parts: one of them is no whole blocks, and the Concat stays."""
    shapes = [static_shape(value) for value in concat.inputs]
    if all(shape is not None and shape[1] % block == 0 for shape in shapes):
        return False
    user = sole_user(concat.outputs[0])
    geometry = convolution_of(user) if user is not None and user.op_type == "Conv" else None
    if geometry is None or geometry.groups > 1:
        return True
    return not taken_apart(concat.outputs[0], geometry.output_channels, prod(geometry.kernel))


def _joint(concat: ir.Node) -> Convolution:
    channels = (static_shape(concat.outputs[0]) or (0, 0))[1]
    return Convolution(channels, channels, has_bias=False)


def _width(layout: Layout) -> int:
    return sum(padded for _, padded in layout)


def _widening(shared: ChannelClass, layout: Layout, context: RewriteContext) -> int:
    """Return the bytes that constants grow by, without the filling of blocks that they have already."""
    ratio = _width(layout) / sum(channels for channels, _ in layout) - 1
    constants = [edit.node.inputs[edit.index] for edit in shared.edits]
    tensors = [ir.convenience.get_const_tensor(value) for value in constants if value is not None]
    elements = sum(tensor.size for tensor in tensors if tensor is not None)
    return int(elements * ratio) * targets.ELEMENT_BYTES[context.dtype]


def _apply(changed: list[tuple[ChannelClass, Layout]], graph: ir.Graph) -> None:
    for shared, layout in changed:
        ends = np.cumsum([channels for channels, _ in layout])[:-1].tolist()
        more = [padded - channels for channels, padded in layout]

        def spread(
            array: np.ndarray, axis: int, ends: list[int] = ends, more: list[int] = more
        ) -> np.ndarray:
            pieces = zip(np.split(array, ends, axis), more, strict=True)
            return np.concatenate([widened(piece, axis, added) for piece, added in pieces], axis)

        shared.change(graph, spread, _width(layout))


REWRITE = Rewrite(
    NAME,
    "Concats of Concats: all their parts are padded to whole blocks of channels, together",
    "MSDNet of 22 layers: 6,895,083 -> 4,706,987 bytes (rk3588 fp16), 4,741,957 -> 3,551,685 (int8), "
    "3,303,083 -> 2,969,771 (rk3568 fp16), 3,014,469 -> 1,924,997 (int8)",
    propose,
)
