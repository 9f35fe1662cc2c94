"""State the newest opset that the converter reads, where no operator differs in it (toolkit 2.5.0: 19).

Newer opsets changed most operators in the types that they take alone; a Gelu, which is new, is taken to
pieces. Exact, and run against the original as everything is. The file as it is does not convert: there is no
size before.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.refused_files import NEWEST_OPSET
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, measured
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace

NAME = "older_opset"
CHANGED = frozenset({"GroupNormalization", "GridSample", "DFT"})
"""Operators of older opsets that mean something else in newer ones."""


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose an older opset, once, at the first node."""
    stated = context.graph.opset_imports.get("", 1)
    if stated <= NEWEST_OPSET or node is not context.graph[0]:
        return None
    nodes = list(ir.traversal.RecursiveGraphIterator(context.graph))
    if not all(_is_older(each) or (_is_gelu(each) and each.graph is context.graph) for each in nodes):
        return None
    return measured(
        node,
        NAME,
        say(
            "opset {stated} -> {newest}, in which its operators are the same",
            stated=stated,
            newest=NEWEST_OPSET,
        ),
        lambda: _apply(nodes, context.graph),
    )


def _is_older(node: ir.Node) -> bool:
    """Return whether an operator was in the older opset already, with all that this node says."""
    if node.domain not in ("", "ai.onnx"):
        return True
    try:
        schema = onnx.defs.get_schema(node.op_type, NEWEST_OPSET)
    except onnx.defs.SchemaError:
        return False
    known = set(node.attributes) <= set(schema.attributes) and len(node.inputs) <= schema.max_input
    return known and not schema.deprecated and node.op_type not in CHANGED


def _is_gelu(node: ir.Node) -> bool:
    return node.op_type == "Gelu" and node.attributes.get_string("approximate", "none") == "none"


def _apply(nodes: list[ir.Node], graph: ir.Graph) -> None:
    for node in nodes:
        node.version = None
        if _is_gelu(node):
            _spell_out(node, graph)
    graph.opset_imports[""] = NEWEST_OPSET


def _spell_out(node: ir.Node, graph: ir.Graph) -> None:
    """x * (erf(x / sqrt 2) + 1) / 2, as exporters wrote it before there was a Gelu."""
    source, out, name = node.inputs[0], node.outputs[0], node.name or "gelu"
    kind = out.dtype.numpy() if out.dtype is not None else np.float32
    made: list[ir.Node] = []

    def step(op_type: str, *inputs: ir.Value | None) -> ir.Value:
        made.append(make_node(graph, op_type, inputs, name=f"{name}_{len(made)}", shape=None, like=out))
        made[-1].outputs[0].shape = out.shape
        return made[-1].outputs[0]

    root, one, half = (
        add_constant(graph, f"{name}_{word}", np.array(number, kind))
        for word, number in (("root", math.sqrt(2)), ("one", 1), ("half", 0.5))
    )
    step("Mul", step("Mul", source, step("Add", step("Erf", step("Div", source, root)), one)), half)
    replace(graph, [node], made)


REWRITE = Rewrite(
    NAME,
    "an opset that the converter is too old for is restated as 19, where all operators are the same in it",
    "any of opset 20 on: refused -> converts as its twin of opset 19",
    propose,
    lifts_refusal=True,
)
