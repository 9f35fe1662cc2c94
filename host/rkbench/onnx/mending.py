"""What reading an ONNX puts right: functions go where they are called, nodes in order."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from rkbench.onnx.foreseen import FUNCTIONS, ORDER

MOST_NODES = 1_000_000
"""A graph that its functions make larger than that is not written out: thirty that call the next one twice
would be 10^9 nodes."""


def mend(model: ir.Model) -> frozenset[str]:
    """Put the functions of a model where they are called, and its nodes in order; return what was done.

    Raises ValueError for a cycle, and for functions that would make too many nodes.
    """
    done = set()
    if model.functions:
        _check_growth(model)
        try:
            InlinePass()(model)
        except ir.passes.InvariantError as error:  # no ValueError, though that is what it is
            raise ValueError(str(error)) from None
        done.add(FUNCTIONS)
    made: set[ir.Value] = set()
    for node in model.graph:
        if any(
            value is not None and value.producer() is not None and value not in made for value in node.inputs
        ):
            model.graph.sort()
            return frozenset((*done, ORDER))
        made.update(node.outputs)
    return frozenset(done)


def _check_growth(model: ir.Model) -> None:
    """Raise ValueError where too many nodes would come of the functions."""
    called = {key: _operators(function) for key, function in model.functions.items()}
    counts: dict[ir.OperatorIdentifier, int] = {}
    try:
        for key in TopologicalSorter(
            {key: called.keys() & set(own) for key, own in called.items()}
        ).static_order():
            counts[key] = sum(counts.get(name, 1) for name in called[key])
    except CycleError:
        return  # the pass that writes them out names the circle
    total = sum(counts.get(name, 1) for name in _operators(model.graph))
    if total > MOST_NODES:
        raise ValueError(f"its functions call one another so often that they make {total:,} nodes")


def _operators(graph: ir.Graph | ir.Function) -> list[ir.OperatorIdentifier]:
    """Return the operator, or the function, of each node, those of subgraphs included."""
    return [node.op_identifier() for node in ir.traversal.RecursiveGraphIterator(graph)]
