"""`NpuDevice`: runs the jobs that a driver of the NPU is given, in memory that somebody else has laid out.

device = NpuDevice(V2, memory)                  # addresses are offsets in `memory`
device.submit(Job(task_address, start, count, core_mask, ranges))

A job is what `struct rknpu_submit` of Rockchip's kernel driver holds. Each core keeps its registers and its
activation tables from job to job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rkbench.npu.execute.core import NpuCore
from rkbench.npu.execute.cubes import AddressSpace
from rkbench.npu.execute.fields import UnmodelledError
from rkbench.npu.generations import LITE, Generation
from rkbench.npu.layout import MOST_WORDS, RECORD
from rkbench.npu.tasks import AT_POWER_ON, MOST_TASKS, CoreState, TaskList, decode
from rkbench.rknn.file_format import TASK_BYTES

CORE_COUNT = 3
FIRST_OF_THREE = 2
"""A job for three cores has its ranges behind those of one and two cores."""
Range = tuple[int, int]
"""First task and number of tasks."""


@dataclass(frozen=True)
class Job:
    """Tasks to run: where their records lie, and which of them each core takes."""

    task_address: int
    start: int
    count: int
    core_mask: int
    """0: any core."""
    ranges: tuple[Range, ...]
    """Five: of cores 0 and 1, then of cores 0 to 2 where all three work together."""


class NpuDevice:
    """An NPU of one or three cores over `memory`; nothing below `lowest` may be used."""

    def __init__(self, generation: Generation, memory: NDArray[np.uint8], lowest: int = 0) -> None:
        self._generation = generation
        self._memory = AddressSpace(memory, generation.atom_bytes, lowest)
        self._states = [AT_POWER_ON] * CORE_COUNT

    def submit(self, job: Job) -> int:
        """Run a job and return the number of its tasks.

        Raises UnmodelledError with the task's number, ModelError for what is beyond the bounds of real jobs.
        The cores are then as after a reset, and memory may be partly written.
        """
        states, self._states = self._states, [AT_POWER_ON] * CORE_COUNT
        lists = [self._decode(share, job, states[core]) for core, share in shares(job, self._generation)]
        cores = {id(tasks): NpuCore(self._generation, self._memory, tasks.tables) for tasks in lists}
        for tasks, position in _together(lists):
            task = tasks.task(position)
            try:
                cores[id(tasks)].run(task)
            except UnmodelledError as error:
                raise UnmodelledError(f"task {task.index} of layer {task.node}: {error}") from error
        for (core_number, _), tasks in zip(shares(job, self._generation), lists, strict=True):
            states[core_number] = tasks.after
        self._states = states
        return sum(map(len, lists))

    def _decode(self, share: Range, job: Job, state: CoreState) -> TaskList:
        first, count = share
        if count > MOST_TASKS:
            raise UnmodelledError(f"a job of {count} tasks")
        raw = self._memory.read(job.task_address + first * TASK_BYTES, count * TASK_BYTES)
        records = raw.view(RECORD)
        amount = records["amount"].astype(np.int64)
        if int(amount.sum()) > MOST_WORDS:
            raise UnmodelledError(f"a job of {int(amount.sum())} command words")
        parts = [
            self._memory.read(int(address), 8 * int(size)).view("<u8")
            for address, size in zip(records["address"], amount, strict=True)
        ]
        return decode(
            self._generation,
            np.concatenate(parts) if parts else np.zeros(0, np.uint64),
            np.cumsum(amount) - amount,
            amount,
            records["enable"].astype(np.int64),
            node=records["node"].astype(np.int64),
            index=first + np.arange(count),
            before=state,
        )


def shares(job: Job, generation: Generation) -> list[tuple[int, Range]]:
    """Return the cores that take part, and the tasks of each."""
    whole = (job.start, job.count)
    if generation is LITE:
        return [(0, whole)]
    cores = [core for core in range(CORE_COUNT) if job.core_mask >> core & 1] or [0]
    skipped = FIRST_OF_THREE if len(cores) == CORE_COUNT else 0
    return [(core, job.ranges[skipped + core]) for core in cores]


def _together(lists: Sequence[TaskList]) -> list[tuple[TaskList, int]]:
    """Return the tasks of all cores layer by layer, and in a layer step by step: the first of each core, ...

    Cores that work on a layer write different parts of it, and some layers have steps of their own: a
    concatenation first copies, a third of the lines on each core, then each core reads all lines.
    """
    order = []
    for number, tasks in enumerate(lists):
        layers = np.maximum.accumulate(tasks.node)
        first = np.searchsorted(layers, layers)
        steps = zip(layers.tolist(), (np.arange(len(tasks)) - first).tolist(), strict=True)
        order += [(layer, step, number, position) for position, (layer, step) in enumerate(steps)]
    return [(lists[number], position) for _, _, number, position in sorted(order)]
