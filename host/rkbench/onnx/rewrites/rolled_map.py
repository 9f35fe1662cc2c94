"""Roll a map whose channels stand last (shifted windows rolled back) with its channels on axis 1.

Exact: the same Slices and Concats, between two Transposes. The compiler makes a dense N x N convolution of a
roll over H and W where windows were put together and a Reshape to N = H x W positions follows
(`fusion/rolled.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.fusion.rolled import rolled_positions
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, measured
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace, sole_user
from rkbench.onnx.values import static_shape

NAME = "rolled_map"
SLICE_OPSET = 10
"""From which on a Slice takes its ends as inputs."""
TO_FRONT, TO_BACK = [0, 3, 1, 2], [0, 2, 3, 1]
END = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Roll:
    """A Concat of the end of a map and its beginning: `start` is where the end begins."""

    source: ir.Value
    axis: int
    start: int
    nodes: tuple[ir.Node, ...]


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose channels on axis 1 for the rolls that end here."""
    if node.op_type != "Concat" or context.opset < SLICE_OPSET or not context.has_fixed_sizes:
        return None
    shape = static_shape(node.outputs[0])
    rolls = _rolls(node, context) if rolled_positions(node) else ()
    if shape is None or len(rolls) != 2:
        return None
    description = say(
        "roll of {height}x{width} positions, channels last -> channels on axis 1",
        height=shape[1],
        width=shape[2],
    )
    return measured(node, NAME, description, lambda: _apply(node, shape, rolls, context.graph))


def _rolls(node: ir.Node, context: RewriteContext) -> tuple[Roll, ...]:
    """Return the roll that ends in a node and the one before it, over the other axis; or none."""
    last = _roll(node, context)
    maker = last.source.producer() if last is not None else None
    first = _roll(maker, context) if maker is not None else None
    if last is None or first is None or first.axis == last.axis:
        return ()
    return (first, last) if {use.node for use in last.source.uses()} == set(last.nodes[:2]) else ()


def _roll(node: ir.Node, context: RewriteContext) -> Roll | None:
    """Return the roll of a map [1, H, W, C] over H or W that a Concat is."""
    axis = node.attributes.get_int("axis", 0) if node.op_type == "Concat" else 0
    pieces = [value.producer() for value in node.inputs if value is not None]
    if axis not in (1, 2) or len(pieces) != 2:
        return None
    end, begin = pieces
    if end is None or begin is None or {end.op_type, begin.op_type} != {"Slice"}:
        return None
    source, size = end.inputs[0], static_shape(end.inputs[0])
    if source is None or begin.inputs[0] is not source or size is None or len(size) != 4:
        return None
    tail, head = _span(end, axis, size[axis], context), _span(begin, axis, size[axis], context)
    if tail is None or head is None or tail[1] != size[axis] or head != (0, tail[0]):
        return None
    if any(sole_user(piece.outputs[0]) is not node for piece in (end, begin)):
        return None
    return Roll(source, axis, tail[0], (end, begin, node))


def _span(node: ir.Node, axis: int, size: int, context: RewriteContext) -> tuple[int, int] | None:
    """Return where a Slice of one axis begins and ends; None for another axis or step."""
    given = [context.number(value) for value in node.inputs[1:]]
    if len(given) < 3 or given[2] is None or given[2] % 4 != axis or given[3:] not in ([], [1]):
        return None
    start, stop, _ = slice(given[0], given[1]).indices(size)
    return (start, stop) if given[0] is not None and given[1] is not None else None


def _apply(node: ir.Node, shape: tuple[int, ...], rolls: tuple[Roll, ...], graph: ir.Graph) -> None:
    name, out, new = node.name or "roll", node.outputs[0], list[ir.Node]()
    turned = (shape[0], shape[3], *shape[1:3])

    def add(
        kind: str, inputs: list[ir.Value], size: tuple[int, ...], **attributes: int | list[int]
    ) -> ir.Value:
        called = f"{name}_{kind.lower()}{len(new)}"
        new.append(make_node(graph, kind, inputs, {**attributes}, name=called, shape=size, like=out))
        return new[-1].outputs[0]

    def constant(number: int) -> ir.Value:
        return add_constant(graph, f"{name}_{len(new)}_at", np.array([number], "int64"))

    value = add("Transpose", [rolls[0].source], turned, perm=TO_FRONT)
    for roll in rolls:
        axis, pieces = roll.axis + 1, []
        for start, stop, length in (
            (roll.start, END, turned[axis] - roll.start),
            (0, roll.start, roll.start),
        ):
            size = (*turned[:axis], length, *turned[axis + 1 :])
            pieces.append(add("Slice", [value, constant(start), constant(stop), constant(axis)], size))
        value = add("Concat", pieces, turned, axis=axis)
    add("Transpose", [value], shape, perm=TO_BACK)
    replace(graph, [each for roll in rolls for each in roll.nodes], new)


REWRITE = Rewrite(
    NAME,
    "a map that is rolled with its channels last is rolled with them on axis 1",
    "SwinIR, 64x64: 97.4 -> 30.0 MB (rk3568 fp16)",
    propose,
)
