"""What a rule of one node may ask, and what it answers: the node's share of the file."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from rkbench.language.said import NOTHING, Said
from rkbench.onnx.constants import float_elements


@dataclass(frozen=True)
class Context:
    """What every rule may ask: the target, the constants of the graph, and who owns a shared weight."""

    target: str
    toolkit_version: str | None
    constants: set[ir.Value]
    owners: dict[ir.Value, ir.Node]

    def constant_inputs(self, node: ir.Node) -> list[ir.Value]:
        """Return the float constants that this node is the first to use."""
        found = [value for value in node.inputs if value is not None and value in self.constants]
        return [value for value in found if self.owners[value] is node and float_elements(value)]


@dataclass(frozen=True)
class Share:
    """What a node owns at one dtype, in bytes; `commands` None means that no estimate can be made."""

    becomes: Said
    weights: int
    needed: int
    commands: int | None
    note: Said = NOTHING
