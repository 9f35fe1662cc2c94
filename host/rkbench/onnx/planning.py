"""What the compiler's layers add to the shares of nodes: commands, and constants that it makes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import onnx_ir as ir

from rkbench.onnx.fusion import Fuser
from rkbench.onnx.fusion.added import added_constant_bytes, table_bytes
from rkbench.onnx.fusion.effort import (
    FILE_BYTES,
    FILE_TENSORS,
    HEADER_BYTES,
    TABLE_BYTES,
    efforts,
)
from rkbench.onnx.fusion.layer import Kind
from rkbench.onnx.fusion.one_core import STAGE_BYTES
from rkbench.onnx.fusion.outputs import output_effort, output_table_bytes
from rkbench.onnx.fusion.taken import TENSOR_BYTES
from rkbench.onnx.fusion.turned_rows import input_order_bytes, output_order_bytes
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets
from rkbench.rknn.targets import Dtype

UNSURE: dict[str, float] = {
    "attention": 1.0,
    "recurrent": 0.9,
    "resize": 1.0,
    "softmax": 1.0,
    "norm": 0.9,
    "pad": 0.9,
    "narrow": 1.0,
    "split": 0.9,
}
UNSURE_ELSE = 0.42
"""By how much the commands of a layer may be off, by its kind.

Those that were chosen on all families but one, in turn, for 93 % held for 89 % of the second set of families,
which no rule knew; a quarter more would have held for 92 %, and that is what they are since.
"""


USUAL_NAME_LENGTH = 30
NAME_BYTES = 2
"""Structure for each character of a name: a tensor's own and its layer's."""


@dataclass(frozen=True)
class LayerPlan:
    """The layers of a graph on one target at one dtype, in bytes."""

    commands: dict[ir.Node, int]
    """Commands, task records and structure, at the node that a layer is named after."""
    constants: dict[ir.Node, int]
    """Constants that the compiler adds, beside weights."""
    kinds: dict[ir.Node, Kind]
    """What the layers are, by the node that each is named after."""
    table_layers: int
    """Layers that fill the table of an activation before they run ..."""
    table_command_bytes: int
    """... and the register commands that this takes."""
    turned: frozenset[ir.Node]
    """Layers beside which rows of an input or output become channels, or the reverse, by tables."""
    merged: frozenset[ir.Node]
    """Convolutions whose weights go into a parallel one, and cost nothing."""
    unsure_bytes: int
    """By how much the commands of all layers may be off, either way."""
    file_bytes: int
    """What belongs to no layer: header, JSON, root tables, what its outputs take."""


def plan_layers(
    graph: ir.Graph, constants: set[ir.Value], target: str, dtype: Dtype, toolkit_version: str | None = None
) -> LayerPlan:
    """Return what the compiler makes of a graph."""
    fuser = Fuser(graph, constants).run()
    layers = fuser.layers
    commands: dict[ir.Node, int] = defaultdict(int)
    added: dict[ir.Node, int] = defaultdict(int)
    turned: dict[ir.Node, int] = defaultdict(int)
    tables, unsure = set(), 0.0
    for layer, effort in zip(layers, efforts(layers, target, dtype, toolkit_version), strict=True):
        size = effort.file_bytes + _names_bytes(layer.node, effort.tensors)
        commands[layer.node] += size
        unsure += UNSURE.get(layer.kind, UNSURE_ELSE) * size
        added[layer.node] += added_constant_bytes(layer, target, dtype)
        if layer.table and layer.table not in tables:
            tables.add(layer.table)
            added[layer.node] += table_bytes(target)
    for value in graph.outputs:
        maker = fuser.maker(value)
        if maker is not None:
            added[maker.node] += output_table_bytes(static_shape(value), target, dtype)
            turned[maker.node] += output_order_bytes(value, constants, target, dtype)
    for value in graph.inputs:
        reader = next((layer.node for layer in layers if layer.source is value), None)
        if reader is not None:
            turned[reader] += input_order_bytes(value, constants, target, dtype)
    for node, size in turned.items():
        added[node] += size
    outputs = sum(output_effort(static_shape(value), target, dtype).file_bytes for value in graph.outputs)
    convolves = any(layer.kind == "convolution" for layer in layers)
    own = 2 if convolves and targets.TARGETS[target].fixed_constant_bytes else 0
    cores = targets.TARGETS[target].npu_cores
    around = FILE_BYTES[cores] + HEADER_BYTES + (FILE_TENSORS + own) * TENSOR_BYTES + outputs
    constants_made = {node: size for node, size in added.items() if size}
    merged = frozenset(fuser.merged)
    filled = sum(bool(layer.table) for layer in layers)
    return LayerPlan(
        commands=dict(commands),
        constants=constants_made,
        kinds={layer.node: layer.kind for layer in layers},
        table_layers=filled,
        table_command_bytes=filled * (TABLE_BYTES + (cores == 1) * STAGE_BYTES),
        turned=frozenset(node for node, size in turned.items() if size),
        merged=merged,
        unsure_bytes=round(unsure),
        file_bytes=around,
    )


def _names_bytes(node: ir.Node, tensors: int) -> int:
    """Return by how much the names of a layer's tensors are longer than usual, as they stand in the file."""
    return tensors * NAME_BYTES * (len(node.outputs[0].name or "") - USUAL_NAME_LENGTH)
