"""`gap=mean`: GlobalAveragePool as ReduceMean; popular advice, for those who want to see what it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir

from rkbench.conversion.draft import Draft, GraphChange, Recipe
from rkbench.conversion.graphs import change_nodes
from rkbench.onnx.rewrites.surgery import add_constant, make_node
from rkbench.onnx.rewrites.surgery import replace as replace_nodes
from rkbench.onnx.values import static_shape

WORD = "gap=mean"
AXES_ARE_INPUT_FROM = 18
"""The opset from which ReduceMean takes its axes as an input."""


def _change(source: Path, _: Draft, target: Path) -> tuple[str, ...]:
    return change_nodes(source, target, _to_mean)


def _to_mean(node: ir.Node, graph: ir.Graph) -> str:
    shape = static_shape(node.inputs[0]) if node.op_type == "GlobalAveragePool" else None
    if shape is None:
        return ""
    axes = list(range(2, len(shape)))
    inputs = [node.inputs[0]]
    attributes: dict[str, int | float | str | list[int]] = {"keepdims": 1, "axes": axes}
    if graph.opset_imports.get("", 0) >= AXES_ARE_INPUT_FROM:
        del attributes["axes"]
        inputs.append(add_constant(graph, f"{node.name or 'gap'}_axes", np.array(axes, np.int64)))
    name, out = f"{node.name or 'gap'}_mean", static_shape(node.outputs[0])
    new = make_node(graph, "ReduceMean", inputs, attributes, name=name, shape=out, like=node.outputs[0])
    told = node.name or node.outputs[0].name
    replace_nodes(graph, [node], [new])
    return f"{told}: GlobalAveragePool became ReduceMean"


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, changes=(*draft.changes, GraphChange(WORD, _change)))


RECIPE = Recipe(
    WORD, "popular advice: GlobalAveragePool as ReduceMean (the compiler makes the same of both)", _apply
)
