"""`relu=kept`: a ReLU behind every convolution that has none; popular advice against "float fallback".

It changes what the network computes, so its outputs are wrong; what it is for is the size and the dtype of
layers.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx_ir as ir

from rkbench.conversion.draft import Draft, GraphChange, Recipe
from rkbench.conversion.graphs import change_nodes
from rkbench.onnx.rewrites.proposal import free_name
from rkbench.onnx.rewrites.surgery import make_node
from rkbench.onnx.values import static_shape

WORD = "relu=kept"
#: What is an activation already.
ACTIVATIONS = frozenset(
    ("Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Elu", "Tanh", "Mul")
)


def _change(source: Path, _: Draft, target: Path) -> tuple[str, ...]:
    return change_nodes(source, target, _with_relu)


def _with_relu(node: ir.Node, graph: ir.Graph) -> str:
    value = node.outputs[0]
    users = [use.node.op_type for use in value.uses()]
    if node.op_type != "Conv" or value.is_graph_output() or any(user in ACTIVATIONS for user in users):
        return ""
    new = make_node(
        graph, "Relu", [value], name=f"{node.name or value.name}_relu", shape=static_shape(value), like=value
    )
    out = new.outputs[0]
    ir.convenience.replace_all_uses_with(value, out)
    new.replace_input_with(0, value)
    out.name = free_name(graph, f"{value.name}_relu_out")
    graph.insert_after(node, [new])
    return f"{node.name or value.name}: a ReLU behind it, which changes the outputs"


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, changes=(*draft.changes, GraphChange(WORD, _change, is_exact=False)))


RECIPE = Recipe(
    WORD, "popular advice: a ReLU behind every convolution without one; changes the outputs", _apply
)
