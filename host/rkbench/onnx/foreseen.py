"""What a rule that foresees refusals is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from rkbench.language.said import Said
from rkbench.rknn.targets import Dtype

FUNCTIONS = "functions"
ORDER = "order"
"""What reading puts right: functions that a model defines itself, nodes that are not in order."""


@dataclass(frozen=True)
class ForeseenRefusal:
    """One reason why the converter will stop."""

    node: str
    sentence: str
    """What the converter will say."""
    reason: Said
    """What it stumbles over."""
    way_around: Said


@dataclass(frozen=True)
class Asked:
    """What a rule may ask about: the graph, its constants, and what it will be converted for."""

    graph: ir.Graph
    opset: int
    constants: set[ir.Value]
    target: str
    quantizes_again: bool = False
    """Whether int8 is asked for, and the graph is quantized already."""
    dtype: Dtype = "fp16"
    mended: frozenset[str] = frozenset()
    """What reading the file has put right, and the converter does not: `FUNCTIONS`, `ORDER`."""


def name_of(node: ir.Node) -> str:
    """Return what to call a node by."""
    return node.name or node.outputs[0].name or node.op_type
