"""What each register holds when each task runs. Vectorised over all words of a list of tasks.

Every block has two groups of registers. Writes go to the group that its pointer names; when the block runs,
the pointer goes to the other one. So a task that writes few registers inherits from the task before the last.
Writing S_POINTER can put the pointer back to group 0 and stop it from moving. Found by execution: without it
every tiled, channel-split layer is computed wrongly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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


def is_among(values: NDArray[Any], chosen: Iterable[int]) -> NDArray[np.bool_]:
    """Return which of `values`, all below 2 ** 16, are chosen: by a table, for that sorts nothing."""
    table = np.zeros(1 << 16, bool)
    table[list(chosen)] = True
    found: NDArray[np.bool_] = table[values]
    return found


def split_words(task: Ints, words: NDArray[np.uint64]) -> Writes:
    """Return the writes among command words (`block | value | register` in 16, 32 and 16 bits)."""
    target = words >> np.uint64(48)
    kept = ~is_among(target, SEQUENCER)
    words = words[kept]
    register = (words & np.uint64(0xFFFF)).astype(np.int64)
    return Writes(task[kept], register, (words >> np.uint64(16) & np.uint64(0xFFFF_FFFF)).astype(np.uint32))


@dataclass(frozen=True)
class BlockState:
    """What one block's two groups of registers hold between two lists of tasks."""

    pointer: int
    """The group that is written to, and that the block runs with next."""
    advances: bool
    """Whether it changes when the block runs."""
    values: dict[int, tuple[int, int]]
    """Register -> its value in both groups, 0 where nobody wrote it."""


AT_POWER_ON = BlockState(0, True, {})
States = Mapping[int, BlockState]
"""By block; a block that is not there is as it was at power on."""


def follow(
    writes: Writes, enable: Ints, before: States | None = None
) -> tuple[Columns, dict[int, BlockState]]:
    """Return register -> its value when each task runs, and what the registers hold after the last.

    A value is 0 where its block does not run or nobody wrote it. `before` is what the list of tasks before
    this one, on the same core, has left.
    """
    columns: Columns = {}
    after = dict(before or {})
    for bit, block in BLOCKS.items():
        mine = np.flatnonzero(writes.register >> 12 == block)
        if mine.size or block in after:
            own = Writes(writes.task[mine], writes.register[mine], writes.value[mine])
            state = after.get(block, AT_POWER_ON)
            found, after[block] = _follow_block(own, (enable & bit) != 0, state)
            columns.update(found)
    return columns, after


def _follow_block(writes: Writes, runs: NDArray[np.bool_], before: BlockState) -> tuple[Columns, BlockState]:
    control = (writes.register & 0xFFF) == S_POINTER
    pointers = _pointers(writes, control, runs, before)
    plain = ~control
    written = np.zeros(1 << 16, bool)
    written[writes.register[plain]] = True
    written[list(before.values)] = True
    registers = np.flatnonzero(written)
    number = np.searchsorted(registers, writes.register[plain])
    cell = 2 * number + pointers.at_write[plain]
    last = _last_writes(writes.task[plain], cell, len(runs), 2 * len(registers))
    values = writes.value[plain]
    columns: Columns = {}
    after: dict[int, tuple[int, int]] = {}
    for index, register in enumerate(registers.tolist()):
        held = before.values.get(register, (0, 0))
        groups = [_values_of(last[:, 2 * index + group], values, held[group]) for group in (0, 1)]
        columns[register] = np.where(runs, np.where(pointers.at_run == 0, *groups), 0).astype(np.uint32)
        after[register] = (int(groups[0][-1]), int(groups[1][-1])) if len(runs) else held
    return columns, BlockState(pointers.at_end, pointers.advances_at_end, after)


def _values_of(write: NDArray[np.int32], values: NDArray[np.uint32], held: int) -> NDArray[np.uint32]:
    """Return what a register of one group holds at the end of each task."""
    if not len(values):
        return np.full(len(write), held, np.uint32)
    return np.where(write >= 0, values[np.maximum(write, 0)], np.uint32(held))


@dataclass(frozen=True)
class _Pointers:
    at_write: Ints
    """The group that each write goes to."""
    at_run: Ints
    """The group that each task runs with."""
    at_end: int
    advances_at_end: bool


def _pointers(
    writes: Writes, control: NDArray[np.bool_], runs: NDArray[np.bool_], before: BlockState
) -> _Pointers:
    """Return where the pointer stands: the parity of the runs since it was last cleared; runs count while it
    advances."""
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
    advances = np.where(setting >= 0, value[np.maximum(setting, 0)] & POINTER_ADVANCES != 0, before.advances)
    steps = before.pointer + np.cumsum(is_run & advances)
    cleared = np.maximum.accumulate(np.where(~is_run & (value & POINTER_CLEAR != 0), steps, 0))
    pointer = np.concatenate([[before.pointer], (steps - cleared) & 1])
    at_write = pointer[np.searchsorted(time, time_of_write, "right")]
    at_run = np.zeros(len(runs), np.int64)
    at_run[run_task] = pointer[np.searchsorted(time, time_of_run, "left")]
    advances_at_end = bool(advances[-1]) if len(advances) else before.advances
    return _Pointers(at_write, at_run, int(pointer[-1]), advances_at_end)


def _last_writes(task: Ints, cell: Ints, tasks: int, cells: int) -> NDArray[np.int32]:
    """Return for every task and cell the last write up to the task's end, -1 before the first."""
    last = np.full((tasks, cells), -1, np.int32)
    last[task, cell] = np.arange(len(task), dtype=np.int32)
    np.maximum.accumulate(last, axis=0, out=last)
    return last
