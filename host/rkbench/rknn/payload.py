"""From the FlatBuffer of a payload to graphs and buffers. Slot numbers are those of the compiler's schema.

The numbers of the slots were found by measurement on ~700 files; netron's `rknn.fbs` names some of them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from rkbench.rknn.contents import (
    Buffer,
    ConvolutionAttributes,
    Graph,
    Memory,
    Node,
    Tensor,
)
from rkbench.rknn.file_format import DTYPES, KINDS, LAYOUTS, TARGETS
from rkbench.rknn.flatbuffer import FlatBuffer, Table

#: Beyond the slots that any table has: what stands there is never stored.
NO_SLOT = 1 << 16
#: An output that nothing reads: the values of a TopK, half of a Split, Y of an LSTM.
UNUSED_OUTPUT = -1


@dataclass(frozen=True)
class Payload:
    """What the FlatBuffer holds."""

    npu_generation: str
    description: str
    compiler_version: str
    target: str
    framework: str
    framework_layout: int
    custom_string: str
    inference_type: str
    memory: Memory | None
    buffers: tuple[Buffer, ...]
    graphs: tuple[Graph, ...]


def read_payload(view: memoryview, base: int, budget_bytes: int) -> Payload:
    """Return all of the payload at byte `base` of its file but the bytes of its buffers.

    `budget_bytes` bounds what may be decoded; raises ModelError on a damaged payload.
    """
    flat = FlatBuffer(view, base, budget_bytes)
    root = flat.root("model")
    buffers = _read_buffers(flat, root)
    return Payload(
        npu_generation=root.string(1, "model.npu_generation"),
        description=root.string(3, "model.description"),
        compiler_version=root.string(7, "model.compiler_version"),
        target=root.string(8, "model.target"),
        framework=root.string(9, "model.framework"),
        framework_layout=root.u8(10, "model.framework_layout"),
        custom_string=root.string(11, "model.custom_string"),
        inference_type=root.string(16, "model.inference_type"),
        memory=_read_memory(flat, root),
        buffers=buffers,
        graphs=read_graphs(root, lambda table, i, graph: _read_tensor(table, i, graph, buffers)),
    )


def _read_memory(flat: FlatBuffer, root: Table) -> Memory | None:
    position = root.at(19)
    if not position:
        return None
    table = flat.table(flat.follow(position, "model.memory"), "model.memory")
    return Memory(
        weight_bytes=table.u64(0, "memory.weight"),
        internal_bytes=table.u64(1, "memory.internal"),
        compiler_constant_bytes=table.u64(2, "memory.compiler_constant"),
    )


def _read_buffers(flat: FlatBuffer, root: Table) -> tuple[Buffer, ...]:
    wide = bool(root.at(20))
    tables = root.tables(20 if wide else 4, "model.buffers")
    buffers = tuple(_read_buffer(flat, table, wide) for table in tables)
    refuse_overlaps(flat, buffers)
    return buffers


def refuse_overlaps(flat: FlatBuffer, buffers: tuple[Buffer, ...]) -> None:
    """Raise ModelError where two buffers overlap without being the same: no byte may count twice."""
    end = 0
    for offset, size_bytes in sorted({(item.offset, item.size_bytes) for item in buffers if item.size_bytes}):
        if offset < end:
            flat.fail(offset - flat.base, "buffer.data", "overlaps another buffer")
        end = offset + size_bytes


def _read_buffer(flat: FlatBuffer, table: Table, wide: bool) -> Buffer:
    """Containers 1 to 4 hold 32-bit offsets, container 6 64-bit ones to a vector with a 32-bit count."""
    position = table.at(0)
    if not position:
        return Buffer(flat.base, 0)
    if not wide:
        start, count = flat.vector(position, 1, "buffer.data")
        return Buffer(flat.base + start, count)
    if position + 8 > flat.size:
        flat.fail(position, "buffer.data", "lies outside the model")
    start = position + struct.unpack_from("<Q", flat.view, position)[0]
    if start + 4 > flat.size:
        flat.fail(position, "buffer.data", "points past the end of the model")
    count = struct.unpack_from("<I", flat.view, start)[0]
    if start + 4 + count > flat.size:
        flat.fail(start, "buffer.data", f"claims {count} bytes, past the end of the model")
    return Buffer(flat.base + start + 4, count)


class TensorSlots(NamedTuple):
    """Where a tensor keeps what the containers number differently."""

    scale: int
    zero_point: int
    size: int
    arena_offset: int
    minimum: int = NO_SLOT
    maximum: int = NO_SLOT
    quantization_method: int = NO_SLOT
    quantization_type: int = NO_SLOT


_TENSOR_SLOTS = TensorSlots(
    scale=10,
    zero_point=11,
    size=12,
    arena_offset=13,
    minimum=8,
    maximum=9,
    quantization_method=6,
    quantization_type=7,
)
ReadTensor = Callable[[Table, int, int], Tensor]


class NodeSlots(NamedTuple):
    """Where a node keeps what the containers number differently; slots 1 to 5 are the same in every one."""

    tasks: int = 6
    options_type: int = 7
    options: int = 8
    task_counts: int = 10


NODE_SLOTS = NodeSlots()


def read_graphs(
    root: Table, read_tensor: ReadTensor, node_slots: NodeSlots = NODE_SLOTS
) -> tuple[Graph, ...]:
    """Return the graphs of root slot 2; `read_tensor(table, index, graph)` makes each tensor."""
    graphs: list[Graph] = []
    tensor_base = node_base = 0
    for index, table in enumerate(root.tables(2, "model.graphs")):
        graph = _read_graph(table, index, (tensor_base, node_base), read_tensor, node_slots)
        graphs.append(graph)
        tensor_base += len(graph.tensors)
        node_base += len(graph.nodes)
    return tuple(graphs)


def _read_graph(
    table: Table, index: int, bases: tuple[int, int], read_tensor: ReadTensor, node_slots: NodeSlots
) -> Graph:
    tensor_base, node_base = bases
    tensors = tuple(
        read_tensor(item, tensor_base + i, index) for i, item in enumerate(table.tables(0, "graph.tensors"))
    )
    nodes = tuple(
        _read_node(item, (node_base + i, index), (tensor_base, len(tensors)), node_slots)
        for i, item in enumerate(table.tables(1, "graph.nodes"))
    )
    return Graph(
        index=index,
        tensors=tensors,
        nodes=nodes,
        inputs=tuple(tensors[i] for i in _tensor_indices(table, 2, "graph.inputs", len(tensors))),
        outputs=tuple(tensors[i] for i in _tensor_indices(table, 3, "graph.outputs", len(tensors))),
    )


def _tensor_indices(
    table: Table, slot: int, field: str, count: int, *, unused: bool = False
) -> tuple[int, ...]:
    """Return the indices that a slot lists; `unused`: it may say -1 for what nothing reads, left out here."""
    indices = table.numbers(slot, "i", field)
    if unused:
        indices = tuple(index for index in indices if index != UNUSED_OUTPUT)
    if indices and not (min(indices) >= 0 and max(indices) < count):
        table.buffer.fail(table.at(slot), field, f"names a tensor outside 0 to {count - 1}")
    return indices


def _read_tensor(table: Table, index: int, graph: int, buffers: tuple[Buffer, ...]) -> Tensor:
    buffer_index = table.u32(18, "tensor.buffer")
    if buffer_index and buffer_index >= len(buffers):
        table.buffer.fail(table.at(18), "tensor.buffer", f"is {buffer_index} of {len(buffers)} buffers")
    buffer_bytes = buffers[buffer_index].size_bytes if buffer_index else 0
    return make_tensor(table, index, graph, _TENSOR_SLOTS, buffer_index, buffer_bytes)


def make_tensor(
    table: Table, index: int, graph: int, slots: TensorSlots, buffer_index: int = 0, buffer_bytes: int = 0
) -> Tensor:
    """Return the tensor of `table`; slots 0 to 5 are the same in every container."""
    dtype, layout = table.u8(0, "tensor.dtype"), table.u8(1, "tensor.layout")
    kind = table.u8(2, "tensor.kind")
    return Tensor(
        index=index,
        graph=graph,
        name=table.string(5, "tensor.name"),
        dtype=DTYPES.get(dtype, f"DTYPE_{dtype}" if dtype else ""),
        kind=KINDS.get(kind, f"kind_{kind}"),
        layout=LAYOUTS.get(layout, f"LAYOUT_{layout}" if layout else ""),
        native_shape=table.numbers(3, "i", "tensor.native_shape"),
        shape=table.numbers(4, "i", "tensor.shape"),
        scale=table.floats(slots.scale, "tensor.scale"),
        zero_point=table.numbers(slots.zero_point, "i", "tensor.zero_point"),
        minimum=table.floats(slots.minimum, "tensor.minimum"),
        maximum=table.floats(slots.maximum, "tensor.maximum"),
        quantization_method=table.string(slots.quantization_method, "tensor.quantization_method"),
        quantization_type=table.string(slots.quantization_type, "tensor.quantization_type"),
        size_bytes=table.u32(slots.size, "tensor.size"),
        arena_offset=table.u32(slots.arena_offset, "tensor.arena_offset"),
        buffer_index=buffer_index,
        buffer_bytes=buffer_bytes,
    )


def _read_node(table: Table, place: tuple[int, int], tensors: tuple[int, int], slots: NodeSlots) -> Node:
    """Return the node at `place` (index, graph); `tensors` are the graph's first and how many it has."""
    base, tensor_count = tensors
    target = table.u8(3, "node.target")
    inputs = _tensor_indices(table, 4, "node.inputs", tensor_count)
    outputs = _tensor_indices(table, 5, "node.outputs", tensor_count, unused=True)
    counts = table.numbers(slots.task_counts, "i", "node.task_counts")
    commands = _command_tensors(table, slots.tasks, tensor_count)
    return Node(
        index=place[0],
        graph=place[1],
        name=table.string(2, "node.name"),
        type=table.string(1, "node.type"),
        target=TARGETS.get(target, f"TARGET_{target}"),
        inputs=tuple(base + i for i in inputs),
        outputs=tuple(base + i for i in outputs),
        commands=tuple(base + i for i in commands),
        task_counts=(counts + (0,) * 6)[:6] if counts else (),
        convolution=_read_convolution(table, slots),
        padding_mode=_read_padding_mode(table, slots),
    )


CONVOLUTION_OPTIONS = 1
PAD_OPTIONS = 30


def _read_options(table: Table, slots: NodeSlots, kind: int) -> Table | None:
    """Return the options of a node, a union of a type and a table; None where they are of another type."""
    position = table.at(slots.options)
    if table.u8(slots.options_type, "node.options_type") != kind or not position:
        return None
    flat = table.buffer
    return flat.table(flat.follow(position, "node.options"), "node.options")


def _read_padding_mode(table: Table, slots: NodeSlots) -> str:
    options = _read_options(table, slots, PAD_OPTIONS)
    return options.string(0, "pad.mode") if options else ""


def _read_convolution(table: Table, slots: NodeSlots) -> ConvolutionAttributes | None:
    options = _read_options(table, slots, CONVOLUTION_OPTIONS)
    if options is None:
        return None
    return ConvolutionAttributes(
        kernel=options.numbers(3, "i", "convolution.kernel"),
        strides=options.numbers(5, "i", "convolution.strides"),
        dilations=options.numbers(1, "i", "convolution.dilations"),
        pads=options.numbers(4, "i", "convolution.pads"),
        groups=options.u32(2, "convolution.groups") or 1,
    )


def _command_tensors(table: Table, slot: int, tensor_count: int) -> tuple[int, ...]:
    """Return the tensors that a node names, one for each NPU task (containers 1 and 2)."""
    indices = tuple(task.u32(0, "task.tensor") for task in table.tables(slot, "node.tasks"))
    if indices and max(indices) >= tensor_count:
        table.buffer.fail(table.at(slot), "node.tasks", f"names a tensor outside 0 to {tensor_count - 1}")
    return indices
