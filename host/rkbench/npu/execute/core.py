"""`NpuCore`: runs tasks of an NPU over its memory.

memory = AddressSpace(layout.memory(), layout.generation.atom_bytes, BASE)
core = NpuCore(layout.generation, memory, tasks.tables)
for task in tasks:
    core.run(task)          # UnmodelledError names what this model of the NPU does not do
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rkbench.npu.activation_tables import ActivationTables
from rkbench.npu.execute.convolution import Accumulators, read_accumulators, read_kind
from rkbench.npu.execute.cubes import AddressSpace, Cube, Values, atoms, store
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.execute.modelled import refuse_unmodelled, refuse_unread
from rkbench.npu.execute.modes import refuse_other_modes
from rkbench.npu.execute.output import (
    TO_MEMORY,
    TO_POOLING,
    OutputStage,
    destination,
    output_shape,
    read_output_stage,
    store_maxima,
)
from rkbench.npu.execute.pooling import pool
from rkbench.npu.execute.rearranged import (
    is_rearranged,
    is_recounted,
    refuse_incoherent,
    store_rearranged,
)
from rkbench.npu.execute.repeated import refuse_contradictions
from rkbench.npu.execute.reuse import Fetched, fetch
from rkbench.npu.execute.source import read_source
from rkbench.npu.generations import LITE, Generation
from rkbench.npu.tasks import CNA, DPU, PPU, Task

CHUNK_BYTES = 1 << 19
"""What is computed at a time: a few lines whose intermediate values fit the cache."""


class NpuCore:
    """One NPU core: its generation, its memory, and the activation tables that its tasks fill."""

    def __init__(self, generation: Generation, memory: AddressSpace, tables: ActivationTables) -> None:
        self.generation = generation
        self.memory = memory
        self._tables = tables
        self._fetched: Fetched | None = None

    def run(self, task: Task) -> None:
        """Run one task: its result is in memory then. Raises UnmodelledError, with memory as it was or partly
        written."""
        registers = TaskRegisters(task.registers)
        refuse_unmodelled(task, self.generation)
        if task.enable & CNA:
            read_kind(registers)
        refuse_contradictions(registers, task.enable, self.generation)
        refuse_other_modes(registers, task.enable, self.generation)
        if task.enable & CNA:
            self._fetched = fetch(registers, task.node, self._fetched)
        with np.errstate(all="ignore"):  # the NPU knows no exceptions: infinities and NaNs go their way
            if task.enable & DPU:
                self._output(task, registers)
            elif task.enable & PPU and not task.enable & CNA:
                pool(registers, self.memory, None)
            else:
                raise UnmodelledError(f"a task of blocks {task.enable:#x}")
        refuse_unread(registers, task.enable, self.generation)

    def _output(self, task: Task, registers: TaskRegisters) -> None:
        entries = self._tables.entries[task.table] if task.table >= 0 else None
        stage = read_output_stage(registers, self.memory, entries)
        source = self._source(task, registers)
        refuse_incoherent(registers, self.memory.atom_bytes // stage.conversion.dtype.itemsize)
        lines = _lines_of(registers, source)
        chunks = _chunks(source, stage, lines)
        where = registers["DPU.FEATURE_MODE_CFG.OUTPUT_MODE"]
        to_memory = where == (0 if self.generation is LITE else TO_MEMORY)
        if to_memory and not task.enable & PPU:
            self._store(registers, stage, lines, chunks)
        elif where == TO_POOLING and task.enable & PPU:
            pool(registers, self.memory, np.concatenate([values for _, values in chunks]))
        else:
            raise UnmodelledError(f"DPU.FEATURE_MODE_CFG.OUTPUT_MODE = {where} of blocks {task.enable:#x}")

    def _store(
        self, registers: TaskRegisters, stage: OutputStage, lines: int, chunks: Iterator[tuple[int, Values]]
    ) -> None:
        if is_rearranged(registers):
            store_rearranged(registers, self.memory, np.concatenate([values for _, values in chunks]))
            return
        if registers["DPU.DATA_CUBE_HEIGHT.MINMAX_CTL"]:
            store_maxima(registers, self.memory, np.concatenate([values for _, values in chunks]))
            return
        cube = destination(registers, self.memory, stage.conversion.dtype, lines)
        atoms(self.memory, cube)  # refused before it is computed
        fill = _fill(registers, cube, self.memory)
        for first, values in chunks:
            store(self.memory, cube, first, values, fill)

    def _source(self, task: Task, registers: TaskRegisters) -> Values | Accumulators:
        flying = bool(registers["DPU.FEATURE_MODE_CFG.FLYING_MODE"])
        if flying == bool(task.enable & CNA):
            raise UnmodelledError("an output stage that is not fed")
        if flying:
            return read_source(registers, self.memory)
        return read_accumulators(registers, self.memory, self.generation)


def _fill(registers: TaskRegisters, cube: Cube, memory: AddressSpace) -> int:
    """Return what is written behind the last channel, to the end of its atom."""
    if cube.channels * cube.dtype.itemsize % memory.unit_bytes(cube.dtype.itemsize) == 0:
        return 0
    return registers["DPU.OFFSET_PEND.OFFSET_PEND"] & (1 << 8 * cube.dtype.itemsize) - 1


def _lines_of(registers: TaskRegisters, source: Values | Accumulators) -> int:
    """Return the lines of the output; refuse a source of another size than the output stage's cube."""
    height, width, _ = output_shape(registers)
    lines, columns = source.shape[:2] if isinstance(source, np.ndarray) else (source.height, source.width)
    if is_recounted(registers) and lines * columns == height * width:
        return int(lines)
    if isinstance(source, Accumulators) and (lines, columns) == (height * width, 1):
        return height  # pixels come one after the other: the output stage counts lines of its own
    upsampled = isinstance(source, np.ndarray) and registers["DPU_RDMA.SRC_DMA_CFG.UNPOOLING_EN"]
    alone = registers["DPU.EW_CFG.EW_BYPASS"] or registers["DPU.EW_CFG.EW_OP_BYPASS"]
    if columns != width or (lines != height and not (upsampled and alone)):
        raise UnmodelledError(f"{lines}x{columns} into an output stage of {height}x{width}")
    return int(lines)


def _chunks(source: Values | Accumulators, stage: OutputStage, lines: int) -> Iterator[tuple[int, Values]]:
    """Yield the first line of every few, and what the output stage makes of them."""
    if isinstance(source, np.ndarray):
        count = max(1, CHUNK_BYTES // (8 * source.shape[1] * stage.channels))
        for first in range(0, lines, count):
            yield first, stage.apply(source[first : first + count], first, None)
        return
    folded = source.height // lines  # lines of the convolution that make one of the output stage
    width = source.width * folded
    count = max(1, CHUNK_BYTES // max(8 * width * stage.channels, folded * source.line_bytes))
    for first in range(0, lines, count):
        taken = min(count, lines - first)
        part = first * folded, taken * folded
        found, sums = source.lines(*part, with_sums=stage.weight_offset is not None)
        shape = (taken, width, -1)
        yield first, stage.apply(found.reshape(shape), first, None if sums is None else sums.reshape(shape))
