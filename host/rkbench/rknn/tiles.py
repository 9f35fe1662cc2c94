"""What the convolution tasks of a layer fetch: which part of the map, and how many kernels, at a time.

Fetching (CNA) has its registers where the RK3588's TRM has them on RK3566 and RK3568 too; of other NPUs
nobody knows them.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass

from rkbench.rknn.contents import Contents, Graph, Node
from rkbench.rknn.file_format import TASK_BYTES
from rkbench.rknn.table_fills import COMMAND_BYTES, MOST_BYTES

GENERATIONS = ("RKNPU v2", "RKNPU lite")
"""As .rknn files spell them."""
_FETCHES = 1
"""Bit of a record's `enable`."""
_SIZE, _CHANNELS, _KERNELS = 0x1020, 0x1024, 0x1038
_COMMAND = struct.Struct("<HIH")
_TASK = struct.Struct("<8IQ")


@dataclass(frozen=True, slots=True)
class Tile:
    """What one task fetches."""

    height: int
    width: int
    channels: int
    """Filled up to whole blocks."""
    kernels: int

    @property
    def positions(self) -> int:
        """Height x width."""
        return self.height * self.width


class Tiles:
    """The tiles of the layers of a mapped file, read when they are first asked for."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._records: dict[int, dict[int, list[tuple[int, int]]]] = {}
        self._known: dict[int, tuple[Tile, ...] | None] = {}

    def of(self, node: Node) -> tuple[Tile, ...] | None:
        """Return what a node's tasks fetch in the list for one core; None where that cannot be read.

        () of a layer without a task that fetches: it only combines or copies maps.
        """
        if node.index not in self._known:
            self._known[node.index] = self._read(node)
        return self._known[node.index]

    def _read(self, node: Node) -> tuple[Tile, ...] | None:
        graph = self._contents.graphs[node.graph]
        if node.graph not in self._records:
            self._records[node.graph] = _fetching(self._contents, graph)
        commands = _tensor(graph, "register_commands")
        records = self._records[node.graph].get(node.index - graph.nodes[0].index, [])
        if commands is None:
            return None
        own = records[: node.task_counts[0]] if node.task_counts else records
        with self._contents.read_buffer(commands) as view:
            tiles = _tiles(view, own)
        return tiles if len(tiles) == len(own) else None


def _tensor(graph: Graph, kind: str) -> int | None:
    """Return the buffer of the only tensor of a kind; None where there are none or several."""
    found = [tensor.buffer_index for tensor in graph.tensors if tensor.kind == kind and tensor.buffer_bytes]
    return found[0] if len(found) == 1 else None


def _fetching(contents: Contents, graph: Graph) -> dict[int, list[tuple[int, int]]]:
    """Return where the commands of each node's tasks begin that fetch a map, and how many there are."""
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    tasks = _tensor(graph, "tasks")
    if tasks is not None:
        with contents.read_buffer(tasks) as view:
            for record in _TASK.iter_unpack(view[: len(view) // TASK_BYTES * TASK_BYTES]):
                if record[2] & _FETCHES:
                    found[record[1]].append((record[8], record[6]))
    return found


def _tiles(view: memoryview, tasks: list[tuple[int, int]]) -> tuple[Tile, ...]:
    """Return what tasks set; each keeps what it does not set of the last but one, as the NPU has two sets."""
    sets: tuple[dict[int, int], dict[int, int]] = ({}, {})
    tiles = []
    for number, (start, words) in enumerate(tasks):
        end, values = start + min(words * COMMAND_BYTES, MOST_BYTES), sets[number % 2]
        if end <= len(view) and start % COMMAND_BYTES == 0:
            values |= {register: value for register, value, _ in _COMMAND.iter_unpack(view[start:end])}
        if values.keys() >= {_SIZE, _CHANNELS, _KERNELS}:
            tiles.append(_tile(values))
    return tuple(tiles)


def _tile(values: dict[int, int]) -> Tile:
    size = values[_SIZE]
    return Tile(size & 0x7FF, size >> 16 & 0x7FF, values[_CHANNELS] & 0xFFFF, values[_KERNELS] & 0x3FFF)
