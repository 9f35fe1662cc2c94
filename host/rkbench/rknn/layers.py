"""Give the bytes of a file to its layers: constants, commands and tasks, each byte once."""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rkbench.rknn.contents import (
    Buffer,
    Contents,
    Graph,
    Layer,
    Node,
    Sections,
    Tensor,
)
from rkbench.rknn.file_format import SECTION_OF_KIND, TASK_BYTES
from rkbench.rknn.names import NodeOrigin, origin_of
from rkbench.rknn.placement import layer_dtype
from rkbench.rknn.table_fills import fills_table

_TASK = struct.Struct("<8IQ")
CONSTANT_SECTIONS = ("weights", "cpu_constants", "lookup_tables", "kind7", "compiler_constants")
LONGEST_NAME = 512
"""Longer names are not taken apart: real ones have some hundred characters at most."""
RECURRENT = ("exLSTM", "exGRU")
PARTED = ("group", "dense_tile")
MOST_TABLES = 64
"""More lookup tables than this are not matched to layers: the runtime knows about ten activations."""


@dataclass
class NodeBytes:
    """What one node owns, while it is being counted; sizes in bytes."""

    sections: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    commands_by_core: list[int] = field(default_factory=lambda: [0] * 6)
    table_fills_by_core: list[int] = field(default_factory=lambda: [0] * 6)
    table_fill_tasks: int = 0
    constants: list[int] = field(default_factory=list)
    task_counts: tuple[int, ...] = ()


def sections_of_buffers(graphs: Iterable[Graph], buffers: tuple[Buffer, ...]) -> dict[int, str]:
    """Return the section of every buffer that a tensor names, by its offset in the file.

    A buffer that several tensors share counts once, for the first of them.
    """
    sections: dict[int, str] = {}
    for graph in graphs:
        for tensor in graph.tensors:
            section = SECTION_OF_KIND.get(tensor.kind)
            if section and tensor.buffer_bytes:
                sections.setdefault(buffers[tensor.buffer_index].offset, section)
    return sections


def make_layers(contents: Contents) -> tuple[Layer, ...]:
    """Return one layer for each node, in the order of `contents.nodes`."""
    shares = [NodeBytes() for _ in contents.nodes]
    unclaimed = sections_of_buffers(contents.graphs, contents.buffers)
    _share_constants(contents, shares, unclaimed)
    for graph in contents.graphs:
        if graph.nodes:
            first = graph.nodes[0].index
            _share_commands(contents, graph, shares[first : first + len(graph.nodes)], unclaimed)
    producers, consumers = _neighbours(contents)
    origins = _origins(contents, consumers)
    return tuple(
        _layer(contents, node, shares[node.index], origins[node.index], producers, consumers)
        for node in contents.nodes
    )


def unattributed_sections(sections: Sections, layers: Iterable[Layer]) -> Sections:
    """Return what of each section belongs to no layer; layers and this sum to `sections`."""
    rest = dict(vars(sections))
    for layer in layers:
        for section, size_bytes in layer.sections().items():
            rest[section] -= size_bytes
    return replace(sections, **rest)


def _share_constants(contents: Contents, shares: list[NodeBytes], unclaimed: dict[int, str]) -> None:
    """Give each constant to the first node that reads it, else to the node that its name speaks of."""
    for node in contents.nodes:
        for index in (*node.inputs, *node.commands):
            _claim(contents, contents.tensors[index], shares[node.index], unclaimed)
    for graph in contents.graphs:
        named = _names_of_nodes(contents, graph)
        tables = _table_owners(graph)
        for tensor in graph.tensors:
            owners = tables if tensor.kind == "lookup_table" else named
            owner = _named_owner(tensor, owners)
            if owner is not None:
                _claim(contents, tensor, shares[owner], unclaimed)


def _claim(contents: Contents, tensor: Tensor, share: NodeBytes, unclaimed: dict[int, str]) -> None:
    offset = contents.buffers[tensor.buffer_index].offset
    if tensor.buffer_bytes and unclaimed.get(offset) in CONSTANT_SECTIONS:
        share.sections[unclaimed.pop(offset)] += tensor.buffer_bytes
        share.constants.append(tensor.index)


def _names_of_nodes(contents: Contents, graph: Graph) -> dict[str, int]:
    """Return tensor name -> node: the node that writes the tensor, else the first that reads it."""
    named: dict[str, int] = {}
    for node in graph.nodes:
        for index in node.inputs:
            named.setdefault(contents.tensors[index].name, node.index)
    named.update((contents.tensors[i].name, node.index) for node in graph.nodes for i in node.outputs)
    for node in graph.nodes:  # tables of an output that the NPU puts in order: `boxes_weight_0`
        if node.type == "OutputOperator" and node.target == "NPU":
            named.update((f"{contents.tensors[i].name}_weight", node.index) for i in node.inputs[:1])
    return named


def _table_owners(graph: Graph) -> dict[str, int]:
    """Return the first node that each lookup table serves.

    A table bears the name of an activation; it serves the layers whose type ends with it (`ConvHardSwish`),
    but not where another table's longer name fits (`Sigmoid` does not serve `ConvHardSigmoid`). One of the
    compiler's own has a capital where it is fused (`exGelu` serves `ConvExGelu`). The tables of recurrent
    layers are called `sigmoid` and `tanh`.
    """
    names = sorted((t.name for t in graph.tensors if t.kind == "lookup_table" and t.name), key=len)
    owners: dict[str, int] = {}
    for node in graph.nodes[::-1] if len(names) <= MOST_TABLES else ():
        if node.type in RECURRENT:
            owners.update({"sigmoid": node.index, "tanh": node.index})
        fitting = [name for name in names if node.type.endswith((name, re.sub("^ex", "Ex", name)))]
        if fitting:
            owners[fitting[-1]] = node.index
    return owners


def _named_owner(tensor: Tensor, owners: dict[str, int]) -> int | None:
    """Return the node of a constant that no node reads: by its name, or what its name begins with.

    Inner constants of fused operators (`MatMul_39_sdpa_softmax_...`) begin with the name of the node's
    output, scales of weights (`w1_w4a16_weight`) with that of the weight.
    """
    name = tensor.name
    if not tensor.buffer_bytes or len(name) > LONGEST_NAME:
        return None
    while name and name not in owners:
        name = name.rpartition("_")[0]
    return owners.get(name) if name else None


def _share_commands(
    contents: Contents, graph: Graph, shares: list[NodeBytes], unclaimed: dict[int, str]
) -> None:
    """Give tasks and register commands to the nodes of `graph`, whose shares `shares` are.

    A task's commands reach from its address to the next higher address of any task of the graph.
    """
    all_commands = _take(contents, graph, "register_commands", unclaimed)
    for commands, tasks in zip(all_commands, _take(contents, graph, "tasks", unclaimed), strict=False):
        owners = _count_tasks(contents, graph, tasks, shares)
        addresses = sorted(address for address in owners if address < commands.buffer_bytes)
        with contents.read_buffer(commands.buffer_index) as view:
            for start, end in zip(addresses, [*addresses[1:], commands.buffer_bytes], strict=False):
                node, core = owners[start]
                shares[node].sections["register_commands"] += end - start
                shares[node].commands_by_core[core] += end - start
                if fills_table(view[start:end]):
                    shares[node].table_fills_by_core[core] += end - start
                    shares[node].table_fill_tasks += core == 0


def _take(contents: Contents, graph: Graph, kind: str, unclaimed: dict[int, str]) -> list[Tensor]:
    """Return the tensors of `kind` (named like its section) whose buffers count in it, each buffer once."""
    taken = []
    for tensor in graph.tensors:
        offset = contents.buffers[tensor.buffer_index].offset if tensor.buffer_bytes else -1
        if tensor.kind == kind and unclaimed.get(offset) == kind:
            del unclaimed[offset]
            taken.append(tensor)
    return taken


def _count_tasks(
    contents: Contents, graph: Graph, tasks: Tensor, shares: list[NodeBytes]
) -> dict[int, tuple[int, int]]:
    """Give the records to their nodes; return address -> (node, place in TaskCounts) of its first task."""
    by_node: dict[int, list[int]] = defaultdict(list)
    with contents.read_buffer(tasks.buffer_index) as view:
        whole = len(view) // TASK_BYTES * TASK_BYTES
        for record in _TASK.iter_unpack(view[:whole]):
            by_node[record[1]].append(record[8])
    owners: dict[int, tuple[int, int]] = {}
    for node, addresses in by_node.items():
        if node >= len(graph.nodes):
            continue
        share = shares[node]
        share.sections["tasks"] += len(addresses) * TASK_BYTES
        share.task_counts = _count_by_core(graph.nodes[node], len(addresses))
        cores = (core for core, count in enumerate(share.task_counts) for _ in range(count))
        for address, core in zip(addresses, cores, strict=False):
            owners.setdefault(address, (node, core))
    return owners


def _count_by_core(node: Node, records: int) -> tuple[int, ...]:
    """Return the six counts so that they sum to `records`.

    A node's own first count leaves out the task that uploads a lookup table; mini files, and SoCs with
    one core, count no other mode.
    """
    counts = node.task_counts or (0,) * 6
    missing = records - sum(counts)
    if missing < 0 or min(counts) < 0:
        return (records, 0, 0, 0, 0, 0)
    return (counts[0] + missing, *counts[1:])


Links = dict[int, tuple[int, ...]]


def _neighbours(contents: Contents) -> tuple[Links, Links]:
    """Return who feeds whom: node -> nodes whose outputs it reads, and the reverse."""
    maker = {tensor: node.index for node in contents.nodes for tensor in node.outputs}
    fed_by: Links = {}
    feeds: dict[int, dict[int, None]] = defaultdict(dict)
    for node in contents.nodes:
        sources = dict.fromkeys(maker[tensor] for tensor in node.inputs if tensor in maker)
        fed_by[node.index] = tuple(sources)
        for source in sources:
            feeds[source][node.index] = None
    return fed_by, {node: tuple(readers) for node, readers in feeds.items()}


def _origins(contents: Contents, feeds: Links) -> list[NodeOrigin]:
    """Return the origin of every node; what was made for a rewritten neighbour takes that one's.

    `Pad:Relu_6_pad` and `Split:Relu_6_split` bear the name of the tensor that they read, but were made for
    the convolution that they feed; `Split:Conv_7` and `Concat:Conv_7` stand around the parts of Conv_7.
    """
    origins = [origin_of(node.name, node.type) for node in contents.nodes]
    parts = {o.onnx_node: o.rewrite for o in origins if o.rewrite in PARTED}
    for node in contents.nodes:
        origin = origins[node.index]
        fed = [origins[i] for i in feeds.get(node.index, ())]
        if origin.rewrite == "padding" and fed:
            origins[node.index] = replace(origin, onnx_node=fed[0].onnx_node)
        elif origin.rewrite == "split" and fed and fed[0].rewrite in PARTED:
            origins[node.index] = fed[0]
        elif node.type in ("Split", "Concat") and origin.onnx_node in parts:
            origins[node.index] = replace(origin, rewrite=parts[origin.onnx_node])
    return origins


def _layer(
    contents: Contents, node: Node, share: NodeBytes, origin: NodeOrigin, producers: Links, consumers: Links
) -> Layer:
    inputs = [contents.tensors[i] for i in node.inputs]
    data = [t for t in inputs if t.kind in ("input", "activation", "output") and "_exSecondary" not in t.name]
    outputs = [contents.tensors[i] for i in node.outputs]
    sizes = share.sections
    return Layer(
        index=node.index,
        graph=node.graph,
        name=node.name,
        type=node.type,
        dtype=layer_dtype(node, contents.tensors),
        target=node.target,
        onnx_node=origin.onnx_node,
        rewrite=origin.rewrite,
        weight_bytes=sizes["weights"],
        cpu_constant_bytes=sizes["cpu_constants"],
        lookup_table_bytes=sizes["lookup_tables"],
        constants=tuple(share.constants),
        kind7_bytes=sizes["kind7"],
        compiler_constant_bytes=sizes["compiler_constants"],
        register_command_bytes=sizes["register_commands"],
        task_bytes=sizes["tasks"],
        task_counts=_task_counts(node, share),
        register_command_bytes_by_core=tuple(share.commands_by_core),
        table_fill_bytes_by_core=tuple(share.table_fills_by_core),
        table_fill_tasks=share.table_fill_tasks,
        input_shapes=tuple(t.shape for t in data),
        input_dtypes=tuple(t.dtype for t in data),
        output_shapes=tuple(t.shape for t in outputs),
        output_dtypes=tuple(t.dtype for t in outputs),
        fed_by=producers.get(node.index, ()),
        feeds=consumers.get(node.index, ()),
    )


def _task_counts(node: Node, share: NodeBytes) -> tuple[int, ...]:
    if node.commands:
        return (len(node.commands), 0, 0, 0, 0, 0)
    return share.task_counts or node.task_counts
