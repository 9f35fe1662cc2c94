"""Put the branch that is always taken in the place of an If.

Exact. Where the condition follows from sizes, the converter computes an If once, on a map of its own,
although its branches read maps: what it hands on is stored as a constant, and the network no longer depends
on its input there. So torch exports LocalResponseNorm (toolkit 2.5.0; ZFNet's first stage in fp16 for the
rk3588: 2,467,414 bytes with a divisor that is the same for all images, 211,734 with the branch alone).
"""

from __future__ import annotations

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, free_name, measured
from rkbench.onnx.rewrites.surgery import drop_unused

NAME = "taken_branch"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the branch of an If whose condition is one number that follows from constants and sizes."""
    answer = context.number(node.inputs[0]) if node.op_type == "If" and context.has_fixed_sizes else None
    if answer is None or any(value.is_graph_output() for value in node.outputs):
        return None
    branch = node.attributes["then_branch" if answer else "else_branch"].as_graph()
    words = say("an If whose condition never changes -> its branch of {nodes} nodes", nodes=len(branch))
    return measured(node, NAME, words, lambda: _apply(node, branch, context.graph))


def _apply(node: ir.Node, branch: ir.Graph, graph: ir.Graph) -> None:
    outputs = list(branch.outputs)
    branch.outputs.clear()
    for other in ("then_branch", "else_branch"):  # whose names are free now
        node.attributes.pop(other)
    _move_constants(branch, graph)
    for inner in list(branch):
        branch.remove(inner)
        inner.name = free_name(graph, inner.name or f"{node.name or 'if'}_{inner.op_type}")
        for value in inner.outputs:
            value.name = free_name(graph, value.name or inner.name)
        graph.insert_before(node, inner)
    for old, new in zip(node.outputs, outputs, strict=True):
        new.shape = new.shape or old.shape
        ir.convenience.replace_all_uses_with(old, new)
    drop_unused(graph)


def _move_constants(branch: ir.Graph, graph: ir.Graph) -> None:
    for name, value in list(branch.initializers.items()):
        branch.initializers.pop(name)
        value.name = free_name(graph, name)
        graph.register_initializer(value)


REWRITE = Rewrite(
    NAME,
    "an If whose condition never changes is replaced by the branch that it takes",
    "ZFNet's first stage: 2,467,414 -> 211,734 bytes (rk3588 fp16), and its outputs follow the input again",
    propose,
)
