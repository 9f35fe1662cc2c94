"""Write synthetic .rknn files of every container, small enough to read: the tests' own ground truth."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from flat_writer import FlatWriter, Scalar, Table, Value, Vector, Wide
from rkbench.rknn import RknnModel, open_model

MODELS = Path(__file__).parents[1] / "data" / "models"
SHARED_MODELS = Path(__file__).parents[3] / "shared" / "data" / "models"
TASK = struct.Struct("<8IQ")
KIND_NUMBERS = {
    "null": 0,
    "input": 1,
    "output": 2,
    "activation": 3,
    "weight": 4,
    "cpu_constant": 5,
    "lookup_table": 6,
    "command": 7,
    "compiler_constant": 8,
    "register_commands": 9,
    "tasks": 10,
}
DTYPE_NUMBERS = {"": 0, "FLOAT32": 1, "INT8": 3, "INT32": 6, "INT64": 7, "FLOAT16": 10, "OPAQUE": 13}
DTYPE_NUMBERS["INT4"] = 64
CONVOLUTION, CONCAT, PAD = 1, 0x13, 30
"""Types of the options of a node."""


@dataclass(frozen=True)
class TensorSpec:
    """A tensor to write; `data` is what it holds in the file."""

    name: str
    kind: str = "activation"
    dtype: str = "FLOAT16"
    shape: tuple[int, ...] = (1, 8, 4, 4)
    data: bytes = b""
    size_bytes: int = 0
    arena_offset: int = 0
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    same_buffer_as: int | None = None
    native_shape: tuple[int, ...] = ()
    """As stored for the NPU; () is the plain shape."""
    layout: int = 0
    """64: blocks of channels."""
    range: tuple[float, ...] = ()
    """Least and most value, as calibration saw them; containers whose scale is in slot 10."""


@dataclass(frozen=True)
class NodeSpec:
    """A node to write; `commands` are tensors of kind `command` (containers 1 and 2)."""

    name: str
    type: str = "Conv"
    target: int = 2
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    task_counts: tuple[int, ...] = ()
    commands: tuple[int, ...] = ()
    options_type: int = 0
    dilations: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    groups: int = 0
    padding_mode: str = ""


@dataclass(frozen=True)
class GraphSpec:
    """A graph to write; inputs and outputs are tensor indices."""

    tensors: tuple[TensorSpec, ...] = ()
    nodes: tuple[NodeSpec, ...] = ()
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    relocations: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Tensor by name, and of each command word that gets its address `word << 32 | offset`."""


@dataclass(frozen=True)
class FileSpec:
    """A file to write: `version` is the header's word (1, 2, 4, 6 or 0x1004)."""

    graphs: tuple[GraphSpec, ...] = (GraphSpec(),)
    version: int = 6
    target: str = "rk3588"
    npu_generation: str = "RKNPU v2"
    memory: tuple[int, int, int] | None = None
    document: dict[str, object] = field(
        default_factory=lambda: {"version": "2.5.0", "target_platform": ["rk3588"]}
    )
    trailing: bytes = b""
    description: str = "{'attrs': {}}"


def write_model(spec: FileSpec) -> bytes:
    """Return the bytes of the whole file."""
    payload = _mini_payload(spec) if spec.version & 0x1000 else _payload(spec)
    return write_container(spec.version, payload, json.dumps(spec.document).encode(), spec.trailing)


def write_container(version: int, payload: bytes, document: bytes, trailing: bytes = b"") -> bytes:
    """Return header, payload, JSON and trailing bytes; 0x1004 gets garbage in its header, as real ones."""
    header = b"RKNN" + struct.pack("<IQQ", 0, version, len(payload))
    if version & 0xFF > 1 and payload:
        header += (b"\xa5" if version & 0x1000 else b"\0") * 40
    return header + payload + struct.pack("<Q", len(document)) + document + trailing


def _payload(spec: FileSpec) -> bytes:
    wide = spec.version == 6
    buffers: list[Table] = [Table({})]
    graphs = [_graph(graph, spec.version, buffers, wide) for graph in spec.graphs]
    slots: dict[int, Value] = {
        0: Scalar("i", 6 if wide else 1),
        1: spec.npu_generation,
        2: graphs,
        3: spec.description,
        7: "2.5.0(compiler version: 2.5.0)",
        8: spec.target,
        9: "ONNX",
        10: Scalar("B", 2),
        16: "static_shape",
        20 if wide else 4: buffers,
    }
    if spec.memory:
        slots[19] = Table({i: Scalar("Q", size) for i, size in enumerate(spec.memory)})
    return bytes(FlatWriter(Table(slots)))


def _graph(graph: GraphSpec, version: int, buffers: list[Table], wide: bool) -> Table:
    indices: list[int] = []
    for tensor in graph.tensors:
        if tensor.same_buffer_as is not None:
            indices.append(indices[tensor.same_buffer_as])
        elif tensor.data:
            buffers.append(Table({0: Wide(tensor.data) if wide else tensor.data}))
            indices.append(len(buffers) - 1)
        else:
            indices.append(0)
    tensors = [
        _tensor(t, {12: t.size_bytes, 13: t.arena_offset, 18: i}, 10)
        for t, i in zip(graph.tensors, indices, strict=True)
    ]
    return _graph_table(graph, tensors, version)


def _graph_table(graph: GraphSpec, tensors: list[Table], version: int) -> Table:
    return Table(
        {
            0: tensors,
            1: [_node(node, version) for node in graph.nodes],
            2: Vector("i", graph.inputs),
            3: Vector("i", graph.outputs),
            7: [Table({0: name, 1: Vector("Q", places)}) for name, places in graph.relocations],
        }
    )


def _tensor(tensor: TensorSpec, numbers: dict[int, int], scale_slot: int) -> Table:
    slots: dict[int, Value] = {
        0: Scalar("B", DTYPE_NUMBERS[tensor.dtype]),
        1: Scalar("B", tensor.layout & 0xFF),  # a fuzz may ask for more than a byte holds
        2: Scalar("B", KIND_NUMBERS[tensor.kind]),
        3: Vector("i", tensor.native_shape or tensor.shape),
        4: Vector("i", tensor.shape),
        5: tensor.name,
        scale_slot: Vector("f", tensor.scale),
        scale_slot + 1: Vector("i", tensor.zero_point),
    }
    if tensor.range and scale_slot == 10:
        slots[8], slots[9] = Vector("f", tensor.range[:1]), Vector("f", tensor.range[1:2])
    slots.update({slot: Scalar("I", number) for slot, number in numbers.items()})
    return Table(slots)


def _node(node: NodeSpec, version: int) -> Table:
    slots: dict[int, Value] = {
        1: node.type,
        2: node.name,
        3: Scalar("B", node.target),
        4: Vector("i", node.inputs),
        5: Vector("i", node.outputs),
    }
    # A mini node has no list of command tensors: the rest stands one slot lower.
    shift = 1 if version & 0x1000 else 0
    slots[10 - shift] = Vector("i", node.task_counts)
    if node.options_type:
        slots[7 - shift] = Scalar("B", node.options_type)
        slots[8 - shift] = Table(
            {1: Vector("i", node.dilations), 2: Scalar("I", node.groups), 5: Vector("i", node.strides)}
        )
    if node.padding_mode:
        slots[7 - shift], slots[8 - shift] = Scalar("B", PAD), Table({0: node.padding_mode})
    if version <= 2:
        slots[6] = [Table({0: Scalar("I", tensor), 3: Scalar("I", 31)}) for tensor in node.commands]
    return Table(slots)


def _mini_payload(spec: FileSpec) -> bytes:
    graph = spec.graphs[0]
    parts = {
        kind: b"".join(t.data for t in graph.tensors if t.kind == kind)
        for kind in ("tasks", "register_commands")
    }
    weights, tensors = bytearray(), []
    for tensor in graph.tensors:
        constant = tensor.kind in ("weight", "cpu_constant", "lookup_table", "compiler_constant")
        offset = len(weights) if constant else tensor.arena_offset
        weights += tensor.data if constant else b""
        tensors.append(
            _tensor(tensor, {8: len(tensor.data) if constant else tensor.size_bytes, 9: offset}, 6)
        )
    root = Table(
        {
            0: Scalar("i", 6),
            1: "RKNPU v2",
            2: [_graph_table(graph, tensors, spec.version)],
            3: spec.description,
            5: "2.5.0(compiler version: 2.5.0)",
            6: spec.target,
            7: "ONNX",
        }
    )
    config, tasks = bytes(FlatWriter(root)), parts["tasks"]
    padded = tasks + bytes(-len(tasks) % 64)
    internal = spec.memory[1] if spec.memory else 0
    lengths = (
        len(config),
        len(padded),
        len(tasks) // 40,
        len(parts["register_commands"]),
        internal,
        len(weights),
    )
    return (
        struct.pack("<6I", *lengths).ljust(64, b"\0") + padded + parts["register_commands"] + weights + config
    )


def write_tasks(tasks: list[tuple[int, int]]) -> bytes:
    """Return 40-byte task records of (node, register command address)."""
    return b"".join(TASK.pack(0, node, 0x1D, 0x300, 0x1FFFF, 0, 126, 0, address) for node, address in tasks)


def small_spec(version: int = 6) -> FileSpec:
    """Return a convolution and a pooling made convolution, with constants of every kind of that container."""
    tensors = (
        TensorSpec("", kind="null", dtype="", shape=()),
        TensorSpec("x", kind="input", size_bytes=256, scale=(0.5,), zero_point=(-3,)),
        TensorSpec("w", kind="weight", shape=(8, 8, 1, 1), data=bytes(range(128)), size_bytes=128),
        TensorSpec("b", kind="weight", dtype="FLOAT32", shape=(8,), data=b"b" * 32, size_bytes=64),
        TensorSpec("y", size_bytes=256, arena_offset=256),
        TensorSpec("k", kind="compiler_constant", shape=(8, 1, 4, 4), data=b"k" * 256, size_bytes=256),
        TensorSpec("axes", kind="cpu_constant", dtype="INT64", shape=(2,), data=b"a" * 16, size_bytes=16),
        TensorSpec("z", kind="output", shape=(1, 8, 1, 1), size_bytes=16, arena_offset=512),
        *_command_tensors(version),
    )
    nodes = (
        NodeSpec("InputOperator:x", "InputOperator", 0, (), (1,)),
        NodeSpec("Conv:stem", "ConvRelu", 2, (1, 2, 3), (4,), (2, 1, 1, 0, 0, 0), (8,)),
        NodeSpec("Conv:pool_2conv0", "Conv", 2, (4, 5, 6), (7,), (1, 0, 0, 0, 0, 0), (9, 10)),
        NodeSpec("OutputOperator:z", "OutputOperator", 0, (7,), ()),
    )
    graph = GraphSpec(tensors, nodes, (1,), (7,))
    memory = None if version <= 2 else (512, 528, 256)
    return FileSpec((graph,), version=version, memory=memory)


def _command_tensors(version: int) -> tuple[TensorSpec, ...]:
    commands = TensorSpec("regcmd", kind="register_commands", dtype="OPAQUE", shape=(), data=b"c" * 1000)
    if version <= 2:
        old = replace(commands, name="", kind="command")
        return tuple(replace(old, data=b"c" * size) for size in (100, 200, 300))
    records = write_tasks([(1, 0), (1, 100), (2, 300), (1, 600), (1, 700)])
    return commands, TensorSpec("task", kind="tasks", dtype="OPAQUE", shape=(), data=records)


@contextmanager
def opened(data: bytes) -> Iterator[RknnModel]:
    """Open `data` as a model file, and remove it afterwards."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.rknn"
        path.write_bytes(data)
        with open_model(path) as model:
            yield model
