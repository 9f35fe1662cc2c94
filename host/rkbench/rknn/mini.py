"""The payload of container 0x1004: RV1103, RV1106, and `mini_rknn=True` for other SoCs.

::

    +0   u32 config_len   +4  u32 task_len (padded to 64)  +8  u32 n_tasks
    +12  u32 regcmd_len   +16 u32 internal_memory          +20 u32 weight_len
    +64  tasks (40 B each) | register commands | weights | FlatBuffer of config_len

The FlatBuffer holds the same graph with fewer slots: no buffers, no metadata. A constant tensor names its
place in the weights (slot 9) and its size (slot 8), an activation its place in the arena.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from rkbench.errors import ModelError
from rkbench.rknn.contents import Buffer, Memory, Tensor
from rkbench.rknn.file_format import TASK_BYTES
from rkbench.rknn.flatbuffer import HINT, FlatBuffer, Table
from rkbench.rknn.payload import (
    NO_SLOT,
    NodeSlots,
    Payload,
    TensorSlots,
    make_tensor,
    read_graphs,
    refuse_overlaps,
)

HEADER = struct.Struct("<6I")
HEADER_BYTES = 64
_TENSOR_SLOTS = TensorSlots(scale=6, zero_point=7, size=8, arena_offset=9)
# A mini node has no list of command tensors: what follows it in the full schema stands one slot lower.
_NODE_SLOTS = NodeSlots(tasks=NO_SLOT, options_type=6, options=7, task_counts=9)
_CONSTANT_KINDS = ("weight", "cpu_constant", "lookup_table", "compiler_constant")


@dataclass(frozen=True)
class Parts:
    """Where the parts of the payload lie, as offsets in the file; sizes in bytes."""

    tasks: Buffer
    register_commands: Buffer
    weights: Buffer
    config: Buffer
    internal_bytes: int


def read_mini_payload(view: memoryview, base: int, budget_bytes: int) -> Payload:
    """Return what the mini payload at byte `base` of its file holds; raises ModelError on a damaged one."""
    parts = _read_parts(view, base)
    start = parts.config.offset - base
    with view[start : start + parts.config.size_bytes] as config:
        flat = FlatBuffer(config, parts.config.offset, budget_bytes)
        return _read_config(flat, parts)


def _read_parts(view: memoryview, base: int) -> Parts:
    if len(view) < HEADER_BYTES:
        raise _damaged(f"the header needs {HEADER_BYTES} bytes, the payload has {len(view)}", base)
    config, tasks, task_count, commands, internal, weights = HEADER.unpack_from(view, 0)
    total = HEADER_BYTES + tasks + commands + weights + config
    if total != len(view):
        raise _damaged(f"its parts take {total} bytes, the payload has {len(view)}", base)
    if task_count * TASK_BYTES > tasks:
        raise _damaged(f"{task_count} tasks of {TASK_BYTES} bytes do not fit {tasks} bytes", base + 8)
    at = base + HEADER_BYTES
    return Parts(
        tasks=Buffer(at, task_count * TASK_BYTES),
        register_commands=Buffer(at + tasks, commands),
        weights=Buffer(at + tasks + commands, weights),
        config=Buffer(at + tasks + commands + weights, config),
        internal_bytes=internal,
    )


def _damaged(problem: str, offset: int) -> ModelError:
    return ModelError(
        f"mini header at byte {offset}: {problem}", hint=HINT, offset=offset, field="mini header"
    )


def _read_config(flat: FlatBuffer, parts: Parts) -> Payload:
    root = flat.root("model")
    buffers = [Buffer(parts.config.offset, 0)]
    graphs = read_graphs(
        root, lambda table, i, graph: _read_tensor(table, i, graph, parts, buffers), _NODE_SLOTS
    )
    refuse_overlaps(flat, tuple(buffers))
    compiler_constants = sum(
        t.buffer_bytes for g in graphs for t in g.tensors if t.kind == "compiler_constant"
    )
    return Payload(
        npu_generation=root.string(1, "model.npu_generation"),
        description=root.string(3, "model.description"),
        compiler_version=root.string(5, "model.compiler_version"),
        target=root.string(6, "model.target"),
        framework=root.string(7, "model.framework"),
        framework_layout=0,
        custom_string="",
        inference_type="",
        memory=Memory(parts.weights.size_bytes, parts.internal_bytes, compiler_constants),
        buffers=tuple(buffers),
        graphs=graphs,
    )


def _read_tensor(table: Table, index: int, graph: int, parts: Parts, buffers: list[Buffer]) -> Tensor:
    tensor = make_tensor(table, index, graph, _TENSOR_SLOTS)
    buffer = _buffer_of(table, tensor, parts)
    if buffer is None:
        return tensor
    buffers.append(buffer)
    return replace(
        tensor,
        arena_offset=0 if tensor.kind in _CONSTANT_KINDS else tensor.arena_offset,
        buffer_index=len(buffers) - 1,
        buffer_bytes=buffer.size_bytes,
    )


def _buffer_of(table: Table, tensor: Tensor, parts: Parts) -> Buffer | None:
    """Return the bytes of a tensor that lies in the file, None of one that does not.

    What is an offset in the arena for others is one in the weights for a constant.
    """
    if tensor.kind == "tasks":
        return parts.tasks
    if tensor.kind == "register_commands":
        return parts.register_commands
    if tensor.kind not in _CONSTANT_KINDS:
        return None
    if tensor.arena_offset + tensor.size_bytes > parts.weights.size_bytes:
        table.buffer.fail(table.position, "tensor.offset", "points past the end of the weights")
    return Buffer(parts.weights.offset + tensor.arena_offset, tensor.size_bytes)
