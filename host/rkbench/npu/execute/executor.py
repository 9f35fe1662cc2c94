"""`Executor`: a .rknn computed on this computer, node by node."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from rkbench.errors import ModelError, NotModelledError
from rkbench.npu.execute.convolution import read_kind
from rkbench.npu.execute.core import NpuCore
from rkbench.npu.execute.cpu import run_on_cpu
from rkbench.npu.execute.cubes import AddressSpace
from rkbench.npu.execute.features import Fetch
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError, dtype_of
from rkbench.npu.execute.pixels import fetched_tensor, line_stride, pitch_of
from rkbench.npu.execute.tensors import Array, Tensors
from rkbench.npu.layout import BASE, Layout, holder, lay_out
from rkbench.npu.tasks import CNA, TaskList, decode_tasks
from rkbench.rknn.contents import Node, Tensor
from rkbench.rknn.model import RknnModel
from rkbench.rknn.placement import is_int16

OF_THE_RUNTIME = ("InputOperator", "OutputOperator")
"""What the runtime does between a model and its caller: here the host quantizes, lays out, and back."""
ARGB_IN = (0x100C, 12, 15)
LINE_STRIDE = 0x107C
CONVERSION, BYPASS = 0x104C, 1
WEIGHTS = ("weight", "compiler_constant")
Watch = Callable[[Node, Mapping[str, Array]], None]


class Executor:
    """A model ready to be computed, with its memory; one case at a time.

    Raises ModelError where the commands cannot be decoded, NotModelledError where a task, tensor or operator
    asks for what rkbench's model of the NPU does not do.
    """

    def __init__(self, model: RknnModel, graph_index: int = 0) -> None:
        self.model = model
        self._layout: Layout = lay_out(model, graph_index)
        _refuse_int16(model)
        _refuse_missing_weights(self._layout)
        _refuse_endless_inputs(self._layout)
        self._tasks: TaskList = decode_tasks(self._layout)
        if CONVERSION in self._tasks.columns:  # inputs are quantized here: as the runtime says it then
            pictures = self._tasks.bits(*ARGB_IN) > 0
            self._tasks.columns[CONVERSION][pictures] |= np.uint32(BYPASS)
        generation = self._layout.generation
        memory = AddressSpace(self._layout.memory(), generation.atom_bytes, BASE)
        self._core = NpuCore(generation, memory, self._tasks.tables)
        lines = self._input_lines()
        self._tensors = Tensors(self._core.memory, self._layout.addresses, lines)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The graph's inputs."""
        return self._layout.graph.inputs

    def run(self, values: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Return the outputs of one case by name, float32 in the source model's shapes.

        `values` are the inputs by name, in the source model's shapes (NCHW), as the network takes them: after
        mean and standard deviation. `watch` is called after each node with what it wrote.
        """
        for tensor in self.inputs:
            with self._naming(f"input {tensor.name!r}"):
                self._tensors.write(tensor, values[tensor.name])
        for node in self._layout.graph.nodes:
            with self._naming(f"layer {node.name!r}"):
                self._run_node(node)
            if watch is not None and node.type not in OF_THE_RUNTIME:
                watch(node, self._read(self._of(node.outputs)))
        return self._read(self._layout.graph.outputs)

    def _run_node(self, node: Node) -> None:
        if node.type in OF_THE_RUNTIME:
            return
        at = self._tasks.nodes.get(node.index - self._first_node)
        if at is None:
            run_on_cpu(node, self._tensors, self._of(node.inputs), self._of(node.outputs))
            return
        for position in at:
            self._core.run(self._tasks.task(int(position)))

    def _read(self, tensors: Sequence[Tensor]) -> dict[str, Array]:
        found = {}
        for tensor in tensors:
            with self._naming(f"tensor {tensor.name!r}"):
                found[tensor.name] = self._tensors.read(tensor)
        return found

    def _of(self, indices: Sequence[int]) -> list[Tensor]:
        return [self.model.tensors[index] for index in indices]

    @property
    def _first_node(self) -> int:
        nodes = self._layout.graph.nodes
        return nodes[0].index if nodes else 0

    def _input_lines(self) -> dict[int, int]:
        """Return the pitch of each input of packed pixels; tasks fetch with it then, as at the runtime's."""
        lines: dict[int, int] = {}
        for position in np.flatnonzero(self._tasks.runs(CNA) & (self._tasks.bits(*ARGB_IN) > 0)):
            task = self._tasks.task(int(position))
            node = self._layout.graph.nodes[task.node]
            if node.type not in OF_THE_RUNTIME:
                with self._naming(f"layer {node.name!r}"):
                    stride = self._add_line(lines, node, TaskRegisters(task.registers))
                self._tasks.columns[LINE_STRIDE][position] = stride
        return lines

    def _add_line(self, lines: dict[int, int], node: Node, registers: TaskRegisters) -> int:
        dtype, addresses = dtype_of(read_kind(registers)[1], "convolution"), self._layout.addresses
        fetch = Fetch(registers, self._core.memory, self._layout.generation, dtype)
        tensor = fetched_tensor(fetch, self._of(node.inputs), addresses)
        if tensor.kind != "input":
            return registers["CNA.DMA_CON1.LINE_STRIDE"]
        pitch = pitch_of(fetch, tensor, addresses[tensor.index])
        if lines.setdefault(tensor.index, pitch) != pitch:
            raise UnmodelledError(f"packed pixels {lines[tensor.index]} and {pitch} bytes apart")
        return line_stride(fetch, pitch)

    @contextmanager
    def _naming(self, what: str) -> Iterator[None]:
        try:
            yield
        except UnmodelledError as error:
            raise NotModelledError(
                f"{self.model.file.path}: {what} cannot be computed here: {error} is not modelled",
                hint="docs/npu.md lists what is; a board, or the vendor's simulator, computes the rest",
            ) from error


def _refuse_int16(model: RknnModel) -> None:
    if is_int16(model.contents):
        raise NotModelledError(
            f"{model.file.path}: it computes in int16, which is not modelled",
            hint="int8 and fp16 are: convert it so; a board, or the vendor's simulator, computes this one",
        )


def _refuse_missing_weights(layout: Layout) -> None:
    weights = [t for t in layout.graph.tensors if t.kind in WEIGHTS and t.size_bytes]
    missing = [t for t in weights if not holder(layout.model, t).buffer_bytes]
    if missing:
        raise NotModelledError(
            f"{layout.model.file.path}: it does not hold {len(missing)} of its weights",
            hint="convert it without remove_weight",
        )


def _refuse_endless_inputs(layout: Layout) -> None:
    """Raise ModelError where an input's shape claims more values than its memory has bytes: before anybody
    makes values of that shape."""
    for tensor in layout.graph.inputs:
        if math.prod(tensor.shape) > max(tensor.size_bytes, tensor.buffer_bytes):
            raise ModelError(
                f"{layout.model.file.path}: input {tensor.name!r} of {tensor.shape} in {tensor.size_bytes} B",
                hint="the file is damaged: copy it again, or convert again",
            )
