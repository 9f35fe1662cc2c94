"""A model laid out in one flat address space, as the runtime lays it out in NPU memory.

Register commands hold offsets where addresses belong; graph slot 7 lists for each tensor which command words
get its address added: `word index << 32 | offset in the tensor` (found by execution, see docs/npu.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rkbench.errors import ModelError
from rkbench.language.said import Said, say
from rkbench.npu.generations import GENERATIONS, Generation
from rkbench.rknn.contents import Graph, Tensor
from rkbench.rknn.file_format import TASK_BYTES
from rkbench.rknn.model import RknnModel
from rkbench.rknn.structure import payload_tables

#: An address below it means that nobody relocated the word.
BASE = 0x10000
ALIGNMENT = 64
GAP_BYTES = 64
ARENA_GAP_BYTES = 0x10000
ADDRESS_LIMIT = 1 << 32
WRITTEN = ("output", "activation")
IN_ARENA = ("input", *WRITTEN)
COMMANDS = ("register_commands", "tasks")
RECORD = np.dtype(
    [
        ("flags", "<u4"),
        ("node", "<u4"),
        ("enable", "<u4"),
        ("interrupt_mask", "<u4"),
        ("interrupt_clear", "<u4"),
        ("interrupt_status", "<u4"),
        ("amount", "<u4"),
        ("offset", "<u4"),
        ("address", "<u8"),
    ]
)
"""A task record: the `struct rknpu_task` of Rockchip's kernel driver; `address` is in bytes."""
DAMAGED = "the file is damaged: convert it again"
RELOCATION_SLOT = 7
#: Real files hold up to 810,000 (RegNet, MobileViT).
MOST_WORDS = 1 << 24
Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Layout:
    """One graph of a model in NPU memory: where each tensor lies, and the command words made ready for it."""

    model: RknnModel
    graph: Graph
    generation: Generation
    addresses: dict[int, int]
    """Address of every tensor that has one, by its index in `model.tensors`."""
    words: Words
    """Register commands: `block | value | register` in 16, 32 and 16 bits; addresses are in."""
    records: NDArray[np.void]
    """The task records, of `RECORD`, over all core modes."""
    size_bytes: int
    """End of the address space; it begins at 0, and nothing lies below `BASE`."""

    def memory(self) -> NDArray[np.uint8]:
        """Return the address space as bytes, with all constants in place and the arena zero.

        Raises ModelError where a constant has more bytes than its place.
        """
        memory = np.zeros(self.size_bytes, np.uint8)
        for index, address in self.addresses.items():
            tensor = self.model.tensors[index]
            if tensor.kind not in IN_ARENA:
                with self.model.read_buffer(holder(self.model, tensor).buffer_index) as view:
                    self._check_room(tensor, len(view))
                    memory[address : address + len(view)] = np.frombuffer(view, np.uint8)
        return memory

    def _check_room(self, tensor: Tensor, held_bytes: int) -> None:
        """Raise ModelError where a constant's bytes, perhaps another graph's, exceed its place."""
        reserved_bytes = max(tensor.buffer_bytes, tensor.size_bytes)
        if held_bytes > reserved_bytes:
            raise ModelError(
                f"{self.model.file.path}: {tensor.name!r} takes {reserved_bytes} bytes in graph "
                f"{tensor.graph}, and the graph that holds it has {held_bytes}",
                hint=DAMAGED,
            )


def holder(model: RknnModel, tensor: Tensor) -> Tensor:
    """Return the tensor that holds the bytes of this one: graphs after the first share its weights."""
    if tensor.buffer_bytes or not tensor.graph or tensor.kind != "weight":
        return tensor
    shared = (each for each in model.graphs[0].tensors if each.name == tensor.name)
    return next((each for each in shared if each.size_bytes == tensor.size_bytes), tensor)


def lay_out(model: RknnModel, graph_index: int = 0) -> Layout:
    """Return the layout of one graph; the bytes of constants are not copied (see `Layout.memory`).

    Raises ModelError where the file holds no commands that we read (old containers, mini files, other NPUs),
    and where records or relocations point outside of what they speak of.
    """
    generation = readable_generation(model)
    if not 0 <= graph_index < len(model.graphs):
        raise _no_such_graph(model, graph_index)
    graph = model.graphs[graph_index]
    addresses, size_bytes = _place(model, graph)
    words, records = read_commands(model, graph)
    _relocate(model, graph, addresses, words)
    return Layout(model, graph, generation, addresses, words, records, size_bytes)


def read_commands(model: RknnModel, graph: Graph) -> tuple[Words, NDArray[np.void]]:
    """Return a graph's command words as the file has them, to be written to, and its task records.

    Raises ModelError where it has none, and where a record points outside of them.
    """
    words = np.frombuffer(_bytes_of(model, graph, "register_commands"), "<u8").copy()
    raw = _bytes_of(model, graph, "tasks")
    records = np.frombuffer(raw[: len(raw) // TASK_BYTES * TASK_BYTES], RECORD)
    _check_records(records, len(words), len(graph.nodes))
    return words, records


def readable_generation(model: RknnModel) -> Generation:
    """Return the NPU generation of a model whose commands can be decoded; raises ModelError elsewhere."""
    refuse_old_or_mini(model)
    file = model.file
    generation = GENERATIONS.get(file.npu_generation)
    if generation is None:
        soc = file.target or say("an unnamed SoC")
        raise _unread(model, say("it is for {soc} ({generation})", soc=soc, generation=file.npu_generation))
    return generation


def refuse_old_or_mini(model: RknnModel) -> None:
    """Raise ModelError where tasks are not laid down as in container 6."""
    if model.file.mini:
        raise _unread(model, say("its payload is of the RV1103/RV1106 kind"))
    version = model.file.container_version
    if version != 6:
        why = say("its container is version {version}, tasks are read of 6", version=version)
        raise _unread(model, why)


def _no_such_graph(model: RknnModel, asked: int) -> ModelError:
    count = len(model.graphs)
    if not count:
        return _unread(model, say("it holds 0 graphs"))
    held = f"graphs 0 to {count - 1}, one for each input shape" if count > 1 else "graph 0 alone"
    return ModelError(f"{model.file.path}: there is no graph {asked}; it holds {held}")


def _unread(model: RknnModel, why: Said) -> ModelError:
    known = "rk3588, and rk3566/rk3568"
    return ModelError(
        say("{path}: its NPU commands cannot be decoded: {why}", path=model.file.path, why=why),
        hint=f"they can for {known}, converted with rknn-toolkit2 1.6 or newer",
    )


def _place(model: RknnModel, graph: Graph) -> tuple[dict[int, int], int]:
    """Give arena, then constants an address; tensors of one buffer have the same."""
    in_arena = [tensor for tensor in graph.tensors if tensor.kind in IN_ARENA]
    addresses = {tensor.index: BASE + tensor.arena_offset for tensor in in_arena}
    arena_bytes = max((t.arena_offset + t.size_bytes for t in in_arena), default=0)
    end = BASE + -(-arena_bytes // 4096) * 4096 + ARENA_GAP_BYTES
    for tensors in _constants(graph):
        # A file without its weights states their size.
        taken = max(max(tensor.buffer_bytes, tensor.size_bytes) for tensor in tensors)
        if taken:
            addresses |= dict.fromkeys((tensor.index for tensor in tensors), end)
            end += -(-(taken + GAP_BYTES) // ALIGNMENT) * ALIGNMENT
    if end >= ADDRESS_LIMIT:
        raise ModelError(
            f"{model.file.path}: claims {end} bytes of NPU memory, more than its 32-bit addresses reach",
            hint=DAMAGED,
        )
    return addresses, end + 4096


def _constants(graph: Graph) -> Iterable[list[Tensor]]:
    """Return the constants, those of one buffer together; one without a buffer is by itself."""
    shared: dict[tuple[bool, int], list[Tensor]] = {}
    for tensor in graph.tensors:
        if tensor.kind not in (*IN_ARENA, *COMMANDS):
            key = (True, tensor.buffer_index) if tensor.buffer_bytes else (False, tensor.index)
            shared.setdefault(key, []).append(tensor)
    return shared.values()


def _bytes_of(model: RknnModel, graph: Graph, kind: str) -> bytes:
    """Return the first buffer of `kind`; raises ModelError where the graph has none, or more than we read."""
    for tensor in graph.tensors:
        if tensor.kind == kind and tensor.buffer_bytes:
            if tensor.buffer_bytes > 8 * MOST_WORDS:
                raise ModelError(
                    f"{model.file.path}: {tensor.buffer_bytes} bytes of {kind.replace('_', ' ')}, read are "
                    f"up to {8 * MOST_WORDS}",
                    hint="real files hold some million bytes of them: it is damaged, convert it again",
                )
            with model.read_buffer(tensor.buffer_index) as view:
                return bytes(view[: len(view) // 8 * 8])
    if not model.task_count:
        raise ModelError(
            say("{path}: it holds no NPU tasks: all its layers compute on the CPU", path=model.file.path),
            hint="what the CPU computes is not foretold; a board measures it: bench push",
        )
    raise _unread(model, say("it holds no {kind}", kind=kind.replace("_", " ")))


def _check_records(records: NDArray[np.void], word_count: int, node_count: int) -> None:
    ends = records["address"] // 8 + records["amount"]
    wrong = np.flatnonzero(
        (ends > word_count) | (records["address"] > 8 * word_count) | (records["node"] >= node_count)
    )
    if wrong.size:
        first = records[wrong[0]]
        raise ModelError(
            f"task {wrong[0]} of {len(records)}: node {first['node']} of {node_count}, commands "
            f"{first['address'] // 8} to {first['address'] // 8 + first['amount']} of {word_count}",
            hint=DAMAGED,
        )
    between = np.flatnonzero(records["address"] % 8)
    if between.size:
        raise ModelError(
            f"task {between[0]} of {len(records)}: its commands begin at byte "
            f"{records['address'][between[0]]}, which is inside a word of 8",
            hint=DAMAGED,
        )


def _relocate(model: RknnModel, graph: Graph, addresses: dict[int, int], words: Words) -> None:
    """Put addresses into `words`, in place; raises ModelError for what is not there.

    What a layer writes and the graph leaves out (states of an LSTM) is the nameless tensor: it gets no
    memory, so what goes there is not computed (`BASE`), and the rest can be read.
    """
    by_name = {t.name: (t, addresses[t.index]) for t in graph.tensors if t.index in addresses}
    by_name |= {t.name: (t, 0) for t in graph.tensors if (t.kind, t.name) == ("null", "")}
    with payload_tables(model) as tables:
        entries = list(tables)[graph.index].tables(RELOCATION_SLOT, "graph.relocations")
        for entry in entries:
            name = entry.string(0, "relocation.tensor")
            positions = np.frombuffer(entry.raw(1, 8, "relocation.positions"), "<u8")
            at, offset = positions >> np.uint64(32), positions & np.uint64(0xFFFF_FFFF)
            tensor, address = by_name.get(name, (None, 0))
            if tensor is None or _beyond(at, len(words)) or _beyond(offset, _reach(tensor)):
                raise ModelError(
                    f"{model.file.path}: relocations of {name!r} point outside of the model",
                    hint=DAMAGED,
                )
            value = (offset + np.uint64(address)) & np.uint64(0xFFFF_FFFF)
            words[at] = words[at] & ~np.uint64(0xFFFF_FFFF_0000) | value << np.uint64(16)


def _beyond(values: Words, limit: int) -> bool:
    return bool(values.size) and int(values.max()) >= limit


def _reach(tensor: Tensor) -> int:
    """Return the bytes in which a fetch of a tensor may begin: of inputs and constants, its own in all files.

    What layers write may go beyond the size that is stated: parts of a dilated convolution, floats of int8.
    """
    if tensor.kind == "null":
        return BASE
    return ADDRESS_LIMIT if tensor.kind in WRITTEN else max(tensor.size_bytes, tensor.buffer_bytes)
