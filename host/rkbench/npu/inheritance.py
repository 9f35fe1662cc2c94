"""What each register holds when each task runs. Vectorised over all words of a list of tasks.

Every block has two groups of registers. Writes go to the group that its pointer names; when the block runs,
the pointer goes to the other one. So a task that writes few registers inherits from the task before the last.
Writing S_POINTER can put the pointer back to group 0 and stop it from moving. Found by execution: without it
every tiled, channel-split layer is computed wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rkbench.npu.generations import Columns

#: Enable bit of a task -> block, which is the highest hexadecimal digit of its registers.
BLOCKS = {1 << (block - 1): block for block in range(1, 8)}
S_POINTER = 0x004
POINTER_ADVANCES, POINTER_CLEAR = 0x2, 0x10
#: Words for the sequencer: padding, waiting, starting the blocks, chaining to the next task.
SEQUENCER = (0x0000, 0x0041, 0x0081, 0x0101)
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Writes:
    """The register writes of a list of tasks, in order, without the sequencer's words."""

    task: Ints
    """Which task of the list each write belongs to; never goes down."""
    register: Ints
    value: NDArray[np.uint32]

    def of(self, register: int) -> Ints:
        """Return the indices of the writes of one register."""
        return np.flatnonzero(self.register == register)


def split_words(task: Ints, words: NDArray[np.uint64]) -> Writes:
    """Return the writes among command words (`block | value | register` in 16, 32 and 16 bits)."""
    target = words >> np.uint64(48)
    kept = ~np.isin(target, np.array(SEQUENCER, np.uint64))
    words = words[kept]
    register = (words & np.uint64(0xFFFF)).astype(np.int64)
    return Writes(task[kept], register, (words >> np.uint64(16) & np.uint64(0xFFFF_FFFF)).astype(np.uint32))


def follow(writes: Writes, enable: Ints) -> Columns:
    """Return register -> its value when each task runs; 0 where its block does not run or nobody wrote it."""
    columns: Columns = {}
    for bit, block in BLOCKS.items():
        runs = (enable & bit) != 0
        mine = np.flatnonzero(writes.register >> 12 == block)
        if mine.size and runs.any():
            own = Writes(writes.task[mine], writes.register[mine], writes.value[mine])
            columns.update(_follow_block(own, runs))
    return columns


def _follow_block(writes: Writes, runs: NDArray[np.bool_]) -> Columns:
    control = (writes.register & 0xFFF) == S_POINTER
    at_write, at_run = _pointers(writes, control, runs)
    plain = ~control
    registers, number = np.unique(writes.register[plain], return_inverse=True)
    cell = 2 * number + at_write[plain]
    last = _last_writes(writes.task[plain], cell, len(runs), 2 * len(registers))
    values = writes.value[plain]
    columns: Columns = {}
    for index, register in enumerate(registers.tolist()):
        write = np.where(at_run == 0, last[:, 2 * index], last[:, 2 * index + 1])
        valid = runs & (write >= 0)
        columns[register] = np.where(valid, values[np.maximum(write, 0)], 0).astype(np.uint32)
    return columns


def _pointers(writes: Writes, control: NDArray[np.bool_], runs: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return the group that each write goes to, and the group that each task runs with.

    The pointer is the parity of the runs since it was last cleared; runs count while it advances.
    """
    count = len(writes.task)
    # A task's writes come one after the other, then it runs: room for all of them between two tasks.
    time_of_write = writes.task * (count + 1) + np.arange(count)
    run_task = np.flatnonzero(runs)
    time_of_run = (run_task + 1) * (count + 1) - 1
    time = np.concatenate([time_of_write[control], time_of_run])
    value = np.concatenate([writes.value[control].astype(np.int64), np.full(len(run_task), -1)])
    order = np.argsort(time, kind="stable")
    time, value = time[order], value[order]
    is_run = value < 0
    setting = np.maximum.accumulate(np.where(is_run, -1, np.arange(len(value))))
    advances = np.where(setting >= 0, value[np.maximum(setting, 0)] & POINTER_ADVANCES != 0, True)
    steps = np.cumsum(is_run & advances)
    cleared = np.maximum.accumulate(np.where(~is_run & (value & POINTER_CLEAR != 0), steps, 0))
    pointer = np.concatenate([[0], (steps - cleared) & 1])
    at_write = pointer[np.searchsorted(time, time_of_write, "right")]
    at_run = np.zeros(len(runs), np.int64)
    at_run[run_task] = pointer[np.searchsorted(time, time_of_run, "left")]
    return at_write, at_run


def _last_writes(task: Ints, cell: Ints, tasks: int, cells: int) -> NDArray[np.int32]:
    """Return for every task and cell the last write up to the task's end, -1 before the first."""
    last = np.full((tasks, cells), -1, np.int32)
    last[task, cell] = np.arange(len(task), dtype=np.int32)
    np.maximum.accumulate(last, axis=0, out=last)
    return last
