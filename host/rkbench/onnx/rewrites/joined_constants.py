"""Join the constant maps of a Concat to one before it, as a CoordConv's two or three are.

Exact: a Concat of constants alone, which the compiler folds. It stores each constant map with its channels
filled up to a whole block (`joined_maps.py`), so that three of one channel take three blocks.
"""

from __future__ import annotations

from itertools import groupby

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.constants import stored_values
from rkbench.onnx.joined_maps import map_bytes, stored_map_bytes, stored_maps
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, estimated
from rkbench.onnx.rewrites.surgery import make_node
from rkbench.onnx.values import static_shape

NAME = "joined_constants"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose one constant map for each run of them among the parts of a Concat."""
    if node.op_type != "Concat" or not context.has_fixed_sizes:
        return None
    maps = set(stored_maps(node, stored_values(context.graph)))
    runs = _runs(node, maps)
    if not runs or len(maps) == len(set(node.inputs)):
        return None
    before = sum(stored_map_bytes(run, context.target, context.dtype) for run in runs)
    after = sum(map_bytes(_joined(run), context.target, context.dtype) for run in runs)
    description = say(
        "{count} constant maps, each filled up to a block of channels -> {runs} joined before",
        count=sum(map(len, runs)),
        runs=len(runs),
    )
    return estimated(node, NAME, description, before, after, lambda: _apply(node, runs, context.graph))


def _runs(node: ir.Node, maps: set[ir.Value]) -> list[list[ir.Value]]:
    """Return the constant maps that stand beside each other, where several do."""
    grouped = groupby(node.inputs, key=lambda value: value in maps)
    runs = [[value for value in run if value is not None] for is_map, run in grouped if is_map]
    return [run for run in runs if len(run) > 1]


def _joined(run: list[ir.Value]) -> tuple[int, ...]:
    shapes = [static_shape(value) or (0, 0) for value in run]
    return (shapes[0][0], sum(shape[1] for shape in shapes), *shapes[0][2:])


def _apply(node: ir.Node, runs: list[list[ir.Value]], graph: ir.Graph) -> None:
    values = list(node.inputs)
    for run in runs:
        name = f"{node.name or 'concat'}_constants"
        inner = make_node(graph, "Concat", run, {"axis": 1}, name=name, shape=_joined(run), like=run[0])
        graph.insert_before(node, [inner])
        place = next(at for at in range(len(values)) if values[at : at + len(run)] == run)
        values[place : place + len(run)] = [inner.outputs[0]]
    node.resize_inputs(len(values))
    for place, value in enumerate(values):
        node.replace_input_with(place, value)


REWRITE = Rewrite(
    NAME,
    "constant maps that a Concat joins beside each other are joined before it, to one block of channels",
    "face_alignment's FAN, two CoordConvs: 28,115,286 -> 19,159,894 bytes (rk3588 fp16), "
    "14,746,493 -> 10,243,325 (int8), 20,263,062 -> 15,796,566 (rk3568 fp16), 13,906,621 -> 9,438,781 (int8)",
    propose,
)
