"""What a .rknn file holds: its sections, graphs, tensors, nodes, layers and buffers.

All sizes are in bytes; None, "" or () means that the file does not say.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

TaskCounts = tuple[int, ...]
"""NPU tasks of a node: (1-core, 2-core c0, 2-core c1, 3-core c0, 3-core c1, 3-core c2).

Empty where the file does not say (containers 1 and 2). SoCs with one NPU core have the first number only;
zeros for three cores on an rk3588 mean that the compiler kept the layer on fewer."""


@dataclass(frozen=True)
class FileInfo:
    """What the file says about itself; "" where it says nothing."""

    path: Path
    size_bytes: int
    container_version: int
    """Low byte of the version word: 1, 2, 4 or 6."""
    mini: bool
    """Payload of RV1103/RV1106 and of `mini_rknn=True` (version word 0x1004)."""
    target: str
    """SoC that the file names, such as `rk3588`; family binaries name one of the family."""
    toolkit_version: str
    compiler_version: str
    framework: str
    framework_layout: int
    """Number of the source framework's tensor layout; 2 in every ONNX conversion seen."""
    npu_generation: str
    """`RKNPU lite` (rk3566/rk3568), `RKNPU v2` (rk3588), `RKNPU t4`, `RKNPU f2`, `RKNPU f3`."""
    custom_string: str
    inference_type: str
    """`static_shape` or `dynamic_shape`; "" in old containers."""
    description: str
    """Root field 3: since toolkit 1.3 the repr of a Python dict: mean, std, ranges per input and output."""

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the file; read once, on first use, in pieces (not through the map)."""
        import hashlib  # not at the top: OpenSSL costs milliseconds that `push` and a refusal need not pay

        digest = hashlib.sha256()
        with self.path.open("rb", buffering=0) as stream:
            while piece := stream.read(1 << 18):
                digest.update(piece)
        return digest.hexdigest()


@dataclass(frozen=True)
class Sections:
    """Every byte of the file in exactly one section: the sum is the size of the file."""

    header: int = 0
    structure: int = 0
    """The payload without its buffers: graph, names, quantization, relocation lists, alignment."""
    weights: int = 0
    cpu_constants: int = 0
    lookup_tables: int = 0
    kind7: int = 0
    """Register commands and tasks of containers 1 to 4: several buffers for each operator."""
    compiler_constants: int = 0
    register_commands: int = 0
    tasks: int = 0
    json: int = 0
    """The JSON at the end, its 8-byte length included."""
    trailing: int = 0

    @property
    def total(self) -> int:
        """The sum of all sections."""
        return sum(vars(self).values())


@dataclass(frozen=True)
class Memory:
    """NPU memory that loading the model takes (what RKNN_QUERY_MEM_SIZE reports).

    None where the file does not say: containers 1 and 2 state only what their arena shows.
    """

    weight_bytes: int | None
    internal_bytes: int | None
    compiler_constant_bytes: int | None


#: Types of whole numbers that stand for real ones, by a scale and a zero point.
QUANTIZED = ("INT8", "UINT8", "INT16")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: an activation, an input or output, a constant, or a block of NPU commands."""

    index: int
    """Index in `RknnModel.tensors`."""
    graph: int
    name: str
    dtype: str
    """`INT8`, `FLOAT16`, ...; "" where the file leaves it out (compressed weights)."""
    kind: str
    """One of `KINDS`."""
    layout: str
    """`NC1HWC2`, `WEIGHT_BLOCKS`, or "" for a plain layout."""
    native_shape: tuple[int, ...]
    """Shape as the NPU stores it; of weights, one to four blocks of six numbers."""
    shape: tuple[int, ...]
    """Shape in the source model: NCHW for four dimensions."""
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    quantization_method: str
    quantization_type: str
    size_bytes: int
    """Bytes in NPU memory."""
    arena_offset: int
    """Offset in the internal-memory arena; of meaning for inputs, outputs and activations."""
    buffer_index: int
    """Index in `RknnModel.buffers`; 0 is the empty buffer."""
    buffer_bytes: int
    """Bytes in the file."""

    @property
    def step(self) -> float | None:
        """Return the step of the one scale that it is quantized with; None for floats and many scales."""
        return self.scale[0] if len(self.scale) == 1 and self.dtype in QUANTIZED else None


@dataclass(frozen=True, slots=True)
class ConvolutionAttributes:
    """Attributes of a convolution as the compiler runs it; what is absent in the file is 1, or 0 for pads."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    groups: int
    """Channels of a depthwise convolution; 1 of a dense one, also of one that was grouped in the ONNX."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operator of the compiled graph, in execution order."""

    index: int
    """Index in `RknnModel.nodes`."""
    graph: int
    name: str
    type: str
    target: str
    """`NPU`, `CPU`, or `TARGET_n` for a number not seen yet."""
    inputs: tuple[int, ...]
    """Indices in `RknnModel.tensors`."""
    outputs: tuple[int, ...]
    """As `inputs`; an output that nothing reads is left out."""
    commands: tuple[int, ...]
    """Tensors of kind `command`, one for each NPU task; containers 1 to 4 only."""
    task_counts: TaskCounts
    convolution: ConvolutionAttributes | None = None
    """Attributes of a convolution; None for every other type."""
    padding_mode: str = ""
    """Of a Pad: `constant`, `reflect` or `edge`; "" where that is not known, and for every other type."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A node with the bytes that it owns. Shared constants belong to the first layer that reads them."""

    index: int
    """Index in `RknnModel.layers` and of the same node in `RknnModel.nodes`."""
    graph: int
    name: str
    type: str
    dtype: str
    """What it computes in: dtype of its weights, else of what it reads, else of what it writes."""
    target: str
    onnx_node: str | None
    """Name of the node of the source model, as far as `names.py` can tell."""
    rewrite: str | None
    """What the compiler made of that node, such as `pool_to_conv`; None: nothing that the name tells."""
    weight_bytes: int
    cpu_constant_bytes: int
    lookup_table_bytes: int
    kind7_bytes: int
    compiler_constant_bytes: int
    register_command_bytes: int
    task_bytes: int
    task_counts: TaskCounts
    """As the task records say; a node's own counts leave out the upload of a lookup table."""
    constants: tuple[int, ...]
    """The tensors whose bytes in the file it owns, those that no node reads among them."""
    register_command_bytes_by_core: tuple[int, ...]
    """Register commands in the order of TaskCounts."""
    table_fill_bytes_by_core: tuple[int, ...]
    """Those of them that fill the activation table, in the same order."""
    table_fill_tasks: int
    """Tasks of the list for one core that fill the activation table."""
    input_shapes: tuple[tuple[int, ...], ...]
    """Shapes of the activations that it reads (NCHW), without constants."""
    input_dtypes: tuple[str, ...]
    output_shapes: tuple[tuple[int, ...], ...]
    output_dtypes: tuple[str, ...]
    fed_by: tuple[int, ...]
    """Layers whose outputs it reads."""
    feeds: tuple[int, ...]

    def sections(self) -> dict[str, int]:
        """Return its bytes by the names of `Sections`."""
        return {
            "weights": self.weight_bytes,
            "cpu_constants": self.cpu_constant_bytes,
            "lookup_tables": self.lookup_table_bytes,
            "kind7": self.kind7_bytes,
            "compiler_constants": self.compiler_constant_bytes,
            "register_commands": self.register_command_bytes,
            "tasks": self.task_bytes,
        }

    @property
    def size_bytes(self) -> int:
        """All bytes that it owns."""
        return sum(self.sections().values())


@dataclass(frozen=True)
class Graph:
    """One graph; models with dynamic inputs hold one for each shape."""

    index: int
    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Buffer:
    """A run of bytes in the file that tensors refer to."""

    offset: int
    """Offset in the file."""
    size_bytes: int


@dataclass(frozen=True)
class Contents:
    """Graphs and buffers of a mapped file."""

    graphs: tuple[Graph, ...]
    buffers: tuple[Buffer, ...]
    mapping: mmap.mmap = field(repr=False, compare=False)

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """Tensors of all graphs; `tensors[i].index == i`."""
        return tuple(tensor for graph in self.graphs for tensor in graph.tensors)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Nodes of all graphs; `nodes[i].index == i`."""
        return tuple(node for graph in self.graphs for node in graph.nodes)

    def read_buffer(self, buffer_index: int) -> memoryview:
        """Return the bytes of a buffer of any kind without copying; release the view before unmapping."""
        buffer = self.buffers[buffer_index]
        return memoryview(self.mapping)[buffer.offset : buffer.offset + buffer.size_bytes]
