"""`RknnModel`: what `open_model` returns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rkbench.rknn.contents import (
    Buffer,
    Contents,
    FileInfo,
    Graph,
    Layer,
    Memory,
    Node,
    Sections,
    Tensor,
)
from rkbench.rknn.layers import make_layers, unattributed_sections


@dataclass(frozen=True)
class RknnModel:
    """An opened .rknn file. It stays mapped until `close()` or the end of a `with` block."""

    file: FileInfo
    sections: Sections
    memory: Memory
    contents: Contents
    task_count: int
    """NPU task records in the file, over all core modes and graphs."""

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """Models with dynamic inputs hold one for each shape."""
        return self.contents.graphs

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """The runs of bytes that tensors refer to by index."""
        return self.contents.buffers

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Tensors of all graphs; `tensors[i].index == i`."""
        return self.contents.tensors

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Nodes of all graphs; `nodes[i].index == i`."""
        return self.contents.nodes

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Inputs of the first graph, in the order in which they are fed."""
        return self.graphs[0].inputs if self.graphs else ()

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Outputs of the first graph."""
        return self.graphs[0].outputs if self.graphs else ()

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """One layer for each node, with the bytes that it owns; made on first use, before `close()`."""
        return make_layers(self.contents)

    @cached_property
    def unattributed(self) -> Sections:
        """What of each section belongs to no layer; with the layers it sums to `sections`."""
        return unattributed_sections(self.sections, self.layers)

    def read_weights(self, buffer_index: int) -> memoryview:
        """Return the bytes of a constant tensor, as it is packed for the NPU, without copying."""
        return self.read_buffer(buffer_index)

    def read_buffer(self, buffer_index: int) -> memoryview:
        """Return the bytes of a buffer of any kind without copying; release the view before `close()`."""
        return self.contents.read_buffer(buffer_index)

    def close(self) -> None:
        """Unmap the file."""
        self.contents.mapping.close()

    def __enter__(self) -> RknnModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
