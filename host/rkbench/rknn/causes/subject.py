"""The file as the rules see it: layers, the bytes that each one owns, and what feeds what."""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from rkbench.rknn.causes.ledger import Ledger
from rkbench.rknn.model import TASK_BYTES, Node, RknnModel, Tensor

CONSTANT_KINDS = ("weight", "cpu_constant", "lookup_table", "command", "compiler_constant")
SECTION_OF = {
    "weight": "weights",
    "cpu_constant": "cpu_constants",
    "lookup_table": "lookup_tables",
    "command": "kind7",
    "compiler_constant": "compiler_constants",
}
ELEMENT_BYTES = {
    "FLOAT32": 4,
    "FLOAT16": 2,
    "BFLOAT16": 2,
    "INT8": 1,
    "UINT8": 1,
    "INT16": 2,
    "INT32": 4,
    "INT64": 8,
}
COMMAND_SECTIONS = ("register_commands", "tasks", "structure", "kind7")

# Structure bytes of a file, fitted on 28 files of four SoC x dtype (within 12 % on all but one, 22 %):
# 2.0 kB + 290 a tensor + 410 a node + 10 a task + 53 a kB of commands (relocation entries). Only the
# proportions are used: the structure bytes that a file really has are shared out by them.
STRUCTURE_BASE, STRUCTURE_TENSOR, STRUCTURE_NODE, STRUCTURE_TASK, STRUCTURE_COMMAND = (
    2036,
    290,
    410,
    10,
    0.0526,
)

_FUSED = re.compile(r"_(?:Conv|BatchNormalization|Add|Mul)[A-Z]\w*$")


@dataclass(frozen=True)
class Layer:
    """One node of the graph with the bytes that are there because of it."""

    node: Node
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    constants: tuple[Tensor, ...]
    """Constants whose buffer this layer is the first to use."""
    commands: tuple[int, int, int]
    """Bytes of register commands that the lists for 1, 2 and 3 cores were the first to need."""
    tasks: tuple[int, int, int]
    """NPU task records in the same three lists."""

    @property
    def index(self) -> int:
        """The node's index."""
        return self.node.index

    @property
    def name(self) -> str:
        """The name without the type that the compiler puts before it: `Conv_19#1_tile0_ConvAdd`."""
        return self.node.name.split(":", 1)[-1]

    @property
    def base(self) -> str:
        """The name without what fusion appended: `Conv_19#1_tile0`."""
        return _FUSED.sub("", self.name)

    @property
    def kernel(self) -> Tensor | None:
        """The weight tensor with four dimensions, or None."""
        for tensor in self.inputs:
            if tensor.kind in ("weight", "compiler_constant") and len(tensor.shape) == 4:
                return tensor
        return None

    @property
    def dtype(self) -> str:
        """The dtype of its first output, which is the one that it computes in."""
        return self.outputs[0].dtype if self.outputs else (self.inputs[0].dtype if self.inputs else "")

    @property
    def is_convolution(self) -> bool:
        """Whether it is a convolution, transposed ones left aside."""
        return self.node.type.startswith("Conv") and not self.node.type.startswith("ConvTranspose")


@dataclass(frozen=True)
class Subject:
    """A model with its layers; `layers[i].index == i`."""

    model: RknnModel
    layers: tuple[Layer, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of the file."""
        return self.model.file.size_bytes

    @cached_property
    def dtype(self) -> str:
        """`int8` if any layer computes in INT8 (or another integer), else `fp16`."""
        integers = {"INT8", "UINT8", "INT16"}
        return "int8" if any(layer.dtype in integers for layer in self.layers) else "fp16"

    @cached_property
    def producers(self) -> dict[int, int]:
        """Tensor index to the index of the node that makes it."""
        return {tensor: layer.index for layer in self.layers for tensor in layer.node.outputs}

    @cached_property
    def consumers(self) -> dict[int, tuple[int, ...]]:
        """Tensor index to the indices of the nodes that read it."""
        found: dict[int, list[int]] = defaultdict(list)
        for layer in self.layers:
            for tensor in layer.node.inputs:
                found[tensor].append(layer.index)
        return {tensor: tuple(nodes) for tensor, nodes in found.items()}

    def before(self, layer: Layer) -> tuple[Layer, ...]:
        """Return the layers that feed `layer`."""
        nodes = [self.producers[tensor] for tensor in layer.node.inputs if tensor in self.producers]
        return tuple(self.layers[index] for index in dict.fromkeys(nodes))

    def after(self, layer: Layer) -> tuple[Layer, ...]:
        """Return the layers that `layer` feeds."""
        nodes = [index for tensor in layer.node.outputs for index in self.consumers.get(tensor, ())]
        return tuple(self.layers[index] for index in dict.fromkeys(nodes))

    def ledger(self) -> Ledger:
        """Return every byte of the file by section and layer; structure is shared out by proportion."""
        sections = dict(vars(self.model.sections))
        keys: dict[tuple[str, int | None], int] = {}
        for layer in self.layers:
            for tensor in layer.constants:
                key = (SECTION_OF[tensor.kind], layer.index)
                keys[key] = keys.get(key, 0) + tensor.buffer_bytes
            keys["register_commands", layer.index] = sum(layer.commands)
            keys["tasks", layer.index] = sum(layer.tasks) * TASK_BYTES
        for index, size in _share_structure(self.layers, sections["structure"]).items():
            keys["structure", index] = size
        owned: dict[str, int] = defaultdict(int)
        for (section, _), size in keys.items():
            owned[section] += size
        keys.update({(section, None): size - owned[section] for section, size in sections.items()})
        return Ledger(keys)


def read_subject(model: RknnModel) -> Subject:
    """Return the layers of a model, each constant and each run of commands with the first layer that uses it."""
    commands, tasks = _commands_by_node(model)
    seen: set[int] = set()
    layers = []
    for node in model.nodes:
        inputs = tuple(model.tensors[index] for index in node.inputs)
        own = []
        for tensor in inputs:
            buffer = model.buffers[tensor.buffer_index] if tensor.buffer_index else None
            if buffer and tensor.kind in CONSTANT_KINDS and buffer.size_bytes and buffer.offset not in seen:
                seen.add(buffer.offset)
                own.append(tensor)
        layers.append(
            Layer(
                node,
                inputs,
                tuple(model.tensors[index] for index in node.outputs),
                tuple(own),
                commands.get(node.index, (0, 0, 0)),
                tasks.get(node.index, (0, 0, 0)),
            )
        )
    return Subject(model, tuple(layers))


Triples = dict[int, tuple[int, int, int]]


def _commands_by_node(model: RknnModel) -> tuple[Triples, Triples]:
    """Return bytes of commands and numbers of tasks by node, split into the lists for 1, 2 and 3 cores."""
    sizes: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for graph in model.graphs:
        records = _task_records(model, graph.index)
        ends = _command_ends(model, graph.index, records)
        totals = [0] * 6
        for node in graph.nodes:
            for position, count in enumerate(node.task_counts):
                totals[position] += count
        lists = [0] * totals[0] + [1] * (totals[1] + totals[2]) + [2] * sum(totals[3:])
        for position, (operator, address) in enumerate(records):
            if operator >= len(graph.nodes):
                continue
            index = graph.nodes[operator].index
            cores = lists[position] if position < len(lists) else 0
            counts[index][cores] += 1
            sizes[index][cores] += ends.pop(address, address) - address
    return _triples(sizes), _triples(counts)


def _triples(values: dict[int, list[int]]) -> Triples:
    return {index: (one, two, three) for index, (one, two, three) in values.items()}


def _task_records(model: RknnModel, graph: int) -> list[tuple[int, int]]:
    """Return (operator, address of its commands) of every task record of a graph (struct rknpu_task)."""
    records: list[tuple[int, int]] = []
    for tensor in model.graphs[graph].tensors:
        if tensor.kind == "tasks" and tensor.buffer_bytes:
            with model.read_buffer(tensor.buffer_index) as view:
                usable = len(view) // TASK_BYTES * TASK_BYTES
                records += [
                    (row[1], row[8]) for row in struct.iter_unpack("<8IQ", view[:usable].tobytes())
                ]
    return records


def _command_ends(model: RknnModel, graph: int, records: list[tuple[int, int]]) -> dict[int, int]:
    """Return where each run of commands ends: runs lie one behind the other, tasks may share one."""
    total = sum(
        tensor.buffer_bytes for tensor in model.graphs[graph].tensors if tensor.kind == "register_commands"
    )
    starts = sorted({address for _, address in records if address < total})
    return dict(zip(starts, [*starts[1:], total], strict=True))


def _share_structure(layers: tuple[Layer, ...], structure_bytes: int) -> dict[int, int]:
    weights = {layer.index: _structure_weight(layer) for layer in layers}
    whole = STRUCTURE_BASE + sum(weights.values())
    return {index: int(structure_bytes * weight / whole) for index, weight in weights.items()}


def _structure_weight(layer: Layer) -> float:
    tensors = len(layer.outputs) + len(layer.constants)
    commands = STRUCTURE_TASK * sum(layer.tasks) + STRUCTURE_COMMAND * sum(layer.commands)
    return STRUCTURE_NODE + STRUCTURE_TENSOR * tensors + commands
