"""Merge patches whose channels stand last (Swin) by one SpaceToDepth between two Transposes.

Exact: Slices and a Concat along the last axis move the same numbers to the same places, but for the order of
the channels, which the norm's scale and offset and the rows of the weights behind take. The compiler makes a
dense k x k convolution with a single 1 for each channel of them (`fusion/merged.py`). Measured with toolkit
2.5.0 on patches of 2 and 4, 8 to 128 channels, with and without a norm and a Reshape behind: 40 of 40 files
smaller, by 9 to 94 %, and MaskFormer 6,589,095 -> 5,897,063 bytes (rk3568 fp16). Without another order of the
weights, between Transposes (0, 3, 2, 1), 3 of 4 grew where no Reshape follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt, prod

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.rewrites.flattened_order import SAME_FOR_ALL, Reordered
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    is_stored,
    measured,
    replace_constant,
)
from rkbench.onnx.rewrites.space_to_depth import (
    MOST_ELEMENTS,
    Stacked,
    are_read_elsewhere,
    block_order,
    moved_by,
    places_of,
)
from rkbench.onnx.rewrites.surgery import make_node, replace
from rkbench.onnx.values import static_shape

NAME = "merged_patches"
ALIKE = SAME_FOR_ALL | {"Sqrt", "Erf", "Abs", "Neg", "Exp", "Identity", "Cast", "Gelu"}
"""What does the same to every channel."""
OF_EACH_CHANNEL = frozenset({"Add", "Mul", "Sub", "Div", "Pow"})
TO_FRONT, TO_BACK = [0, 3, 1, 2], [0, 2, 3, 1]


@dataclass(frozen=True)
class Taken:
    """How a node takes the order of its input's last axis: constants that follow it, a value that has it
    too, and another that must have it."""

    constants: tuple[Reordered, ...] = ()
    behind: ir.Value | None = None
    beside: ir.Value | None = None


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose one SpaceToDepth for the pieces of a map [1, H, W, C] that a Concat joins."""
    merged = _merged(node, context) if node.op_type == "Concat" and context.has_fixed_sizes else None
    if merged is None:
        return None
    in_order = bool((merged.order == np.arange(len(merged.order))).all())
    edits = () if in_order else _edits(node.outputs[0])
    if edits is None:
        return None
    description = say(
        "{nodes} nodes that merge patches of {block}x{block}, channels last -> SpaceToDepth between two "
        "Transposes, with the weights behind in its order",
        nodes=len(merged.nodes),
        block=merged.block,
    )
    return measured(node, NAME, description, lambda: _apply(node, merged, edits, context.graph))


def _merged(node: ir.Node, context: RewriteContext) -> Stacked | None:
    """Return the nodes that make channels of each block's pixels, and the order of those channels."""
    shape, block = static_shape(node.outputs[0]), isqrt(len(node.inputs))
    if shape is None or len(shape) != 4 or shape[0] != 1 or prod(shape) > MOST_ELEMENTS:
        return None
    if block < 2 or block**2 != len(node.inputs) or shape[3] % block**2:
        return None
    before = (1, shape[1] * block, shape[2] * block, shape[3] // block**2)
    nodes, source = moved_by(node, before)
    if source is None or static_shape(source) != before or are_read_elsewhere(nodes, node):
        return None
    first = (1, before[3], *before[1:3])
    numbered = np.arange(prod(first)).reshape(first).transpose(TO_BACK)
    places = places_of(nodes, source, numbered, context)
    if places is None or places.shape != shape:
        return None
    order = block_order(places.transpose(TO_FRONT), first, block)
    return None if order is None else Stacked(tuple(nodes), source, shape, block, order)


def _edits(value: ir.Value) -> tuple[Reordered, ...] | None:
    """Return the constants that take the order of a value's last axis; None where something cannot."""
    channels = (static_shape(value) or (0,))[-1]
    found, seen, asked, beside = dict[Reordered, None](), {value}, [value], set[ir.Value]()
    while asked:
        each = asked.pop()
        if each.is_graph_output() or (static_shape(each) or (0,))[-1] != channels:
            return None
        for user, index in each.uses():
            taken = _taken(user, index, channels) if user.graph is value.graph else None
            if taken is None:
                return None
            found.update(dict.fromkeys(taken.constants))
            beside |= set() if taken.beside is None else {taken.beside}
            if taken.behind is not None and taken.behind not in seen:
                seen.add(taken.behind)
                asked.append(taken.behind)
    return tuple(found) if beside <= seen else None


def _taken(node: ir.Node, index: int, channels: int) -> Taken | None:
    """Return how a node takes the order of its input `index`; None for a node that cannot."""
    behind = node.outputs[0]
    if node.op_type in OF_EACH_CHANNEL:
        return _beside(node, 1 - index, channels)
    if index != 0:
        return None
    if node.op_type == "MatMul":
        weight = static_shape(node.inputs[1])
        fits = is_stored(node.inputs[1]) and weight is not None and len(weight) == 2
        return Taken((Reordered(node, 1, 0),)) if fits else None
    if node.op_type == "ReduceMean":
        return Taken() if _is_over_channels(node) else None
    if node.op_type == "LayerNormalization":
        given = [place for place in (1, 2) if place < len(node.inputs) and node.inputs[place] is not None]
        if not _is_last(node.attributes.get_int("axis", -1), node) or not all(
            is_stored(node.inputs[place]) and static_shape(node.inputs[place]) == (channels,)
            for place in given  # onnxruntime takes one number for all channels too
        ):
            return None
        return Taken(tuple(Reordered(node, place, 0) for place in given), behind)
    return Taken((), behind) if node.op_type in ALIKE or node.op_type == "Reshape" else None


def _beside(node: ir.Node, place: int, channels: int) -> Taken | None:
    """Return how a sum or product takes it, by the input at `place`."""
    other = node.inputs[place]
    size, behind = static_shape(other), node.outputs[0]
    if size is None or (size and size[-1] not in (1, channels)):
        return None
    if not size or size[-1] == 1:
        return Taken((), behind)
    if is_stored(other):
        return Taken((Reordered(node, place, len(size) - 1),), behind)
    return Taken((), behind, other)


def _is_over_channels(node: ir.Node) -> bool:
    """Return whether a node reduces the last axis alone."""
    axes = node.attributes.get_ints("axes", ()) if "axes" in node.attributes else ()
    stored = constant_array(node.inputs[1]) if len(node.inputs) > 1 else None
    given = [int(axis) for axis in (axes if stored is None else stored.ravel())]
    return len(given) == 1 and _is_last(given[0], node)


def _is_last(axis: int, node: ir.Node) -> bool:
    return axis in (-1, len(static_shape(node.inputs[0]) or ()) - 1)


def _apply(node: ir.Node, merged: Stacked, edits: tuple[Reordered, ...], graph: ir.Graph) -> None:
    behind = np.argsort(merged.order)
    for edit in edits:
        array = constant_array(edit.node.inputs[edit.index])
        assert array is not None
        replace_constant(edit.node, edit.index, np.take(array, behind, axis=edit.axis), graph)
    name, out, new = node.name or "merge", node.outputs[0], list[ir.Node]()
    _, height, width, channels = merged.shape
    block = merged.block
    sizes = (1, channels // block**2, height * block, width * block), (1, channels, height, width)
    value = merged.source
    for kind, given, size in (
        ("Transpose", {"perm": TO_FRONT}, sizes[0]),
        ("SpaceToDepth", {"blocksize": block}, sizes[1]),
        ("Transpose", {"perm": TO_BACK}, merged.shape),
    ):
        called = f"{name}_{kind.lower()}{len(new)}"
        new.append(make_node(graph, kind, [value], {**given}, name=called, shape=size, like=out))
        value = new[-1].outputs[0]
    replace(graph, merged.nodes, new, out)


REWRITE = Rewrite(
    NAME,
    "Slices and a Concat that merge patches of channels that stand last become SpaceToDepth",
    "96 channels, 32x32: 557,239 -> 254,071 bytes (rk3588 fp16), 337,361 -> 177,361 (int8), "
    "500,855 -> 204,279 (rk3568 fp16), 286,417 -> 133,585 (int8)",
    propose,
)
