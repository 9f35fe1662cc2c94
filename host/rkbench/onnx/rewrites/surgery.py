"""What rewrites do to a graph: new nodes and constants with names and shapes, in the place of old ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from rkbench.onnx.rewrites.proposal import free_name, new_constant
from rkbench.onnx.values import static_shape


def sole_user(value: ir.Value) -> ir.Node | None:
    """Return the one node that reads a value; None if the graph returns it, or several read it."""
    uses = value.uses()
    if value.is_graph_output() or len(uses) != 1:
        return None
    (use,) = uses
    user = use.node
    producer = value.producer()
    return user if producer is None or user.graph is producer.graph else None


def only_feeds(node: ir.Node | None, user: ir.Node) -> bool:
    """Return whether a node has one output, and `user` is all that reads it."""
    return node is not None and len(node.outputs) == 1 and sole_user(node.outputs[0]) is user


def add_constant(graph: ir.Graph, name: str, array: np.ndarray) -> ir.Value:
    """Store a constant in the graph, under `name` or one near it."""
    value = new_constant(free_name(graph, name), array)
    graph.register_initializer(value)
    return value


def make_node(
    graph: ir.Graph,
    op_type: str,
    inputs: Sequence[ir.Value | None],
    attributes: dict[str, int | float | str | list[int]] | None = None,
    *,
    name: str,
    shape: Sequence[int] | None,
    like: ir.Value,
) -> ir.Node:
    """Return a node, not yet in the graph, with one output of `shape` and of the type of `like`."""
    free = free_name(graph, name)
    node = ir.node(op_type, list(inputs), attributes or {}, name=free)
    out = node.outputs[0]
    out.name, out.type, out.shape = free, like.type, None if shape is None else ir.Shape(shape)
    return node


def replace(
    graph: ir.Graph, old: Sequence[ir.Node], new: Sequence[ir.Node], value: ir.Value | None = None
) -> None:
    """Put `new` where the last of `old` stands; the last new output takes over name and users of `value`.

    `value` is the output of the last old node, where nothing is said. Nodes and constants that nothing reads
    any more go.
    """
    value = old[-1].outputs[0] if value is None else value
    result, name = new[-1].outputs[0], value.name
    if result.shape is None:
        result.shape = value.shape
    graph.insert_after(old[-1], list(new))
    ir.convenience.replace_all_uses_with(value, result, replace_graph_outputs=True)
    value.name = free_name(graph, f"{name}_before") if name else None
    result.name = name
    drop_unused(graph)


def bypass(graph: ir.Graph, node: ir.Node, by: ir.Value) -> None:
    """Let the users of a node's output read `by`; the node and what only it needed go.

    The output must not be one of the graph's.
    """
    ir.convenience.replace_all_uses_with(node.outputs[0], by)
    drop_unused(graph)


def drop_unused(graph: ir.Graph) -> None:
    """Remove nodes, last first, and constants that nothing reads."""
    for node in reversed(list(graph)):
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            graph.remove(node, safe=True)
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_input() and not value.is_graph_output():
            graph.initializers.pop(name)


def rank(value: ir.Value | None) -> int | None:
    """Return how many dimensions a value has; None where they are not all known."""
    shape = static_shape(value)
    return None if shape is None else len(shape)
