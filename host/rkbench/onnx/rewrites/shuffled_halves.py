"""Make the pieces of a shuffled map of the maps before it: no Concat, no shuffle, no Split (ShuffleNetV2).

Such a unit joins two maps, shuffles their channels and cuts the result. Each piece is a choice of channels of
every map that was joined: a 1x1 of each, summed, makes it, and a 1x1 that reads it takes the choice into its
filters. Exact. Of twice c channels the compiler stores 6 c*c weights for joining, cutting and reading; here
it is 4 c*c. Only where the prediction says that it pays, and where a piece is no whole blocks of channels:
else the compiler does it itself (232 channels: 320,628 -> 324,596 bytes on the rk3588 in fp16, 179,982 ->
185,870 on the rk3568 in int8). A block has 8 channels, and 16 on the rk3588 in int8, where 232 are no whole
ones (510,798 -> 289,870).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import Convolution, convolution_of
from rkbench.onnx.fusion.apart import CUT_BLOCK
from rkbench.onnx.rewrites.channel_shuffle import shuffle_of
from rkbench.onnx.rewrites.cuts import cuts_of
from rkbench.onnx.rewrites.geometry import axes_of
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    estimated,
    is_stored,
)
from rkbench.onnx.rewrites.surgery import add_constant, make_node, only_feeds, replace
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets

NAME = "shuffled_halves"


@dataclass(frozen=True)
class Piece:
    """What a Split or a Slice makes of the shuffled map."""

    value: ir.Value
    maker: ir.Node
    order: np.ndarray
    """For each of its channels the place in the joined map."""
    readers: tuple[ir.Node, ...]
    """The 1x1 convolutions that take the choice into their filters."""
    stays: bool
    """Whether others read it too."""


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose to read the maps before a Concat whose channels are shuffled and cut."""
    found = shuffle_of(node)
    joined = found[0].inputs[0].producer() if found is not None and found[0].inputs[0] is not None else None
    if found is None or joined is None or joined.op_type != "Concat" or not only_feeds(joined, found[0]):
        return None
    parts = _parts(joined)
    pieces = _pieces(node, found[1], context)
    if sum(parts) != len(found[1]) or not any(piece.readers for piece in pieces):
        return None
    block = targets.kept_group_alignment(context.target, context.dtype, context.toolkit_version) or CUT_BLOCK
    if all(len(piece.order) % max(block, CUT_BLOCK) == 0 for piece in pieces):
        return None
    return estimated(
        node,
        NAME,
        say(
            "Concat, shuffle and Split of {channels} channels -> 1x1 convolutions of the joined maps",
            channels=len(found[1]),
        ),
        _bytes_now(parts, pieces, context),
        _bytes_then(parts, pieces, context),
        lambda: _apply(joined, pieces, context.graph),
    )


def _parts(joined: ir.Node) -> list[int]:
    """Return the channels of the maps that a Concat joins; [] where it joins something else."""
    shapes = [static_shape(value) for value in joined.inputs]
    if joined.attributes.get_int("axis", 0) != 1 or any(shape is None or len(shape) != 4 for shape in shapes):
        return []
    return [shape[1] for shape in shapes if shape is not None]


def _pieces(node: ir.Node, order: np.ndarray, context: RewriteContext) -> list[Piece]:
    """Return all pieces that are made of the shuffled map; [] where something else reads it."""
    cuts = cuts_of(node.outputs[0], context)
    found = [_piece(cut.value, cut.maker, order[cut.start : cut.start + cut.count]) for cut in cuts]
    fits = all(len(piece.order) == cut.count for piece, cut in zip(found, cuts, strict=True))
    return found if fits else []


def _piece(value: ir.Value, maker: ir.Node, order: np.ndarray) -> Piece:
    users = list(value.consumers())
    readers = tuple(user for user in users if _reads_pointwise(user) and user.graph is maker.graph)
    stays = len(readers) < len(users) or value.is_graph_output()
    return Piece(value, maker, order, readers, stays)


def _reads_pointwise(node: ir.Node) -> bool:
    axes, geometry = axes_of(node), convolution_of(node) if node.op_type == "Conv" else None
    if axes is None or geometry is None or geometry.groups != 1:
        return False
    single = all(axis.kernel == 1 and axis.before == axis.after == 0 for axis in axes)
    return single and all(is_stored(value) for value in node.inputs[1:] if value is not None)


def _bytes_now(parts: list[int], pieces: list[Piece], context: RewriteContext) -> int:
    """Return what a 1x1 of each part to all channels takes, one that fetches every later piece, the
    readers."""
    total = sum(parts)
    joining = [Convolution(total, count, has_bias=False) for count in parts]
    fetching = [Convolution(len(piece.order), len(piece.order), has_bias=False) for piece in pieces[1:]]
    reading = [convolution_of(reader) for piece in pieces for reader in piece.readers]
    return sum(context.predicted_bytes(each) for each in (*joining, *fetching, *reading) if each is not None)


def _bytes_then(parts: list[int], pieces: list[Piece], context: RewriteContext) -> int:
    outputs = [(static_shape(reader.inputs[1]) or (0,))[0] for piece in pieces for reader in piece.readers]
    outputs += [len(piece.order) for piece in pieces if piece.stays]
    made = [Convolution(count, part, has_bias=False) for count in outputs for part in parts]
    return sum(context.predicted_bytes(each) for each in made)


def _apply(joined: ir.Node, pieces: list[Piece], graph: ir.Graph) -> None:
    sources = [value for value in joined.inputs if value is not None]
    for piece in pieces:
        for reader in piece.readers:
            weights = constant_array(reader.inputs[1])
            assert weights is not None
            bias = reader.inputs[2] if len(reader.inputs) > 2 else None
            strides = list(reader.attributes.get_ints("strides", (1, 1)))
            new = _summed(sources, piece.order, weights, bias, strides, reader.outputs[0], graph)
            replace(graph, [reader], new)
        if piece.stays:
            count = len(piece.order)
            kind = piece.value.dtype.numpy() if piece.value.dtype is not None else np.float32
            chosen = np.eye(count, dtype=kind).reshape(count, count, 1, 1)
            new = _summed(sources, piece.order, chosen, None, [1, 1], piece.value, graph)
            replace(graph, [piece.maker], new, piece.value)


def _summed(
    sources: list[ir.Value],
    order: np.ndarray,
    weights: np.ndarray,
    bias: ir.Value | None,
    strides: list[int],
    out: ir.Value,
    graph: ir.Graph,
) -> list[ir.Node]:
    """Return the 1x1 of every source that has a channel in `order`, and their sums; the last one has the
    bias."""
    nodes: list[ir.Node] = []
    total: ir.Value | None = None
    start, name, shape = 0, out.name or "shuffled", static_shape(out)
    used = []
    for source in sources:
        count = (static_shape(source) or (0, 0))[1]
        inside = (order >= start) & (order < start + count)
        if inside.any():
            wide = np.zeros((len(weights), count, *weights.shape[2:]), weights.dtype)
            wide[:, order[inside] - start] = weights[:, inside]
            used.append((source, wide))
        start += count
    for place, (source, wide) in enumerate(used):
        inputs = [source, add_constant(graph, f"{name}_of_part{place}", wide)]
        inputs += [bias] if bias is not None and place == len(used) - 1 else []
        made = make_node(
            graph, "Conv", inputs, {"strides": strides}, name=f"{name}_from{place}", shape=shape, like=out
        )
        nodes.append(made)
        if total is not None:
            both = [total, made.outputs[0]]
            nodes.append(make_node(graph, "Add", both, name=f"{name}_sum{place}", shape=shape, like=out))
        total = nodes[-1].outputs[0]
    return nodes


REWRITE = Rewrite(
    NAME,
    "the pieces of a shuffled map are made by 1x1 convolutions of the maps that were joined (ShuffleNetV2)",
    "ShuffleNetV2 1.0, with what else is found there: 7,819,695 -> 6,928,239 bytes (rk3588 fp16), "
    "5,409,545 -> 4,469,257 (int8), 6,915,375 -> 6,195,823 (rk3568 fp16), 3,906,249 -> 3,573,321 (int8)",
    propose,
)
