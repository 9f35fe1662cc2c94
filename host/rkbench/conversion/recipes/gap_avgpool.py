"""`gap=avgpool`: GlobalAveragePool as one AveragePool over the whole map; popular advice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx_ir as ir

from rkbench.conversion.draft import Draft, GraphChange, Recipe
from rkbench.conversion.graphs import change_nodes
from rkbench.onnx.rewrites.surgery import make_node
from rkbench.onnx.rewrites.surgery import replace as replace_nodes
from rkbench.onnx.values import static_shape

WORD = "gap=avgpool"


def _change(source: Path, _: Draft, target: Path) -> tuple[str, ...]:
    return change_nodes(source, target, lambda node, graph: pooled(node, graph, lambda side: [side]))


def pooled(node: ir.Node, graph: ir.Graph, steps_of: Callable[[int], list[int]]) -> str:
    """Replace a GlobalAveragePool by AveragePools, one for each step that `steps_of(side)` names; say so."""
    shape = static_shape(node.inputs[0]) if node.op_type == "GlobalAveragePool" else None
    if shape is None or len(shape) != 4:
        return ""
    ways = [steps_of(side) for side in shape[2:]]
    length = max(len(way) for way in ways)
    high, wide = ([*way, *[1] * (length - len(way))] for way in ways)
    value, new, now = node.inputs[0], [], list(shape)
    for place, kernel in enumerate(zip(high, wide, strict=True)):
        now = [*now[:2], now[2] // kernel[0], now[3] // kernel[1]]
        square: dict[str, int | float | str | list[int]] = {"kernel_shape": [*kernel], "strides": [*kernel]}
        name = f"{node.name or 'gap'}_pool{place}"
        new.append(
            make_node(graph, "AveragePool", [value], square, name=name, shape=now, like=node.outputs[0])
        )
        value = new[-1].outputs[0]
    told, kernels = node.name or node.outputs[0].name, zip(high, wide, strict=True)
    replace_nodes(graph, [node], new)
    return f"{told}: GlobalAveragePool became {', '.join(f'AveragePool {a}x{b}' for a, b in kernels)}"


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, changes=(*draft.changes, GraphChange(WORD, _change)))


RECIPE = Recipe(WORD, "popular advice: GlobalAveragePool as one AveragePool over the whole map", _apply)
