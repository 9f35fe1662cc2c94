"""The tasks of a model, decoded: what each of them finds in its registers when it runs.

layout = lay_out(open_model("model.rknn"))
for task in decode_tasks(layout):           # the list for one core
    task.node, task.enable                  # which node of the graph, which blocks run
    task.bits(0x1024, 0, 15)                # input channels, in the RK3588's places on any NPU
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rkbench.errors import ModelError
from rkbench.npu.activation_tables import ActivationTables, follow_tables
from rkbench.npu.generations import Columns, Generation
from rkbench.npu.inheritance import BLOCKS, Ints, States, Writes, follow, is_among, split_words
from rkbench.npu.layout import DAMAGED, Layout
from rkbench.npu.registers import Field, register_map
from rkbench.npu.unexplained import Unexplained, first_unexplained

CNA, CORE, DPU, DPU_RDMA, PPU, PPU_RDMA = 0x01, 0x04, 0x08, 0x10, 0x20, 0x40
"""Enable bits of the blocks: fetch and convolution, MAC array, output stage and its reader, pooling."""
#: Of each list in the order of TaskCounts: how many cores share the work, and the first list of that mode.
CORES, FIRST_LIST = (1, 2, 2, 3, 3, 3), (0, 1, 1, 3, 3, 3)
#: Of one list: real files hold up to 27,500 (MobileViT-XXS).
MOST_TASKS = 200_000


@dataclass(frozen=True)
class Task:
    """One task as the NPU runs it."""

    index: int
    """In the records of the file, over all core modes."""
    node: int
    """In `graph.nodes`."""
    enable: int
    """Which blocks run: `CNA`, `CORE`, `DPU`, `DPU_RDMA`, `PPU`, `PPU_RDMA`."""
    registers: dict[int, int]
    """Registers of those blocks, inherited ones included, in the RK3588's places."""
    table: int
    """Which state of the activation tables it runs with, in `TaskList.tables`; -1 before any is filled."""
    words: int
    """Command words of its own."""
    table_words: int = 0
    """Those of them that fill the activation tables."""
    unexplained: str = ""
    """The first word up to its own that nobody can explain; empty where there is none."""

    def bits(self, register: int, low: int = 0, high: int = 31) -> int:
        """Return bits `low` to `high` of a register, 0 where nobody wrote it."""
        return self.registers.get(register, 0) >> low & ((1 << (high - low + 1)) - 1)

    def signed(self, register: int, low: int = 0, high: int = 31) -> int:
        """Return bits `low` to `high` as a number of two's complement."""
        value = self.bits(register, low, high)
        return value - (1 << (high - low + 1)) if value >> (high - low) else value

    def get(self, field: Field) -> int:
        """Return a field of the register map."""
        return self.bits(field.register, field.low, field.high)


@dataclass(frozen=True)
class CoreState:
    """What a core keeps between two lists of tasks."""

    registers: States
    tables: NDArray[np.int16] | None
    """(2, 513): the activation tables; None before they are filled."""


AT_POWER_ON = CoreState({}, None)


@dataclass(frozen=True)
class TaskList:
    """The tasks that one core runs, in order; every array has an entry for each."""

    generation: Generation
    index: Ints
    node: Ints
    enable: Ints
    words: Ints
    columns: Columns
    """Register -> value in every task, in the RK3588's places; 0 where the task's blocks do not read it."""
    tables: ActivationTables
    after: CoreState
    """What the tasks leave to those after them."""
    unexplained: Unexplained | None = None
    """The first word that nobody can explain."""

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Task]:
        return (self.task(i) for i in range(len(self)))

    def task(self, i: int) -> Task:
        """Return the i-th task of this list."""
        enable = int(self.enable[i])
        blocks = {block for bit, block in BLOCKS.items() if enable & bit}
        registers = {r: int(values[i]) for r, values in self.columns.items() if r >> 12 in blocks}
        return Task(
            int(self.index[i]),
            int(self.node[i]),
            enable,
            registers,
            int(self.tables.state[i]),
            int(self.words[i]),
            int(self.tables.fill_words[i]),
            self.unexplained.what if self.unexplained and self.unexplained.position <= i else "",
        )

    def bits(self, register: int, low: int = 0, high: int = 31) -> Ints:
        """Return bits `low` to `high` of a register in every task."""
        values = self.columns.get(register)
        if values is None:
            return np.zeros(len(self), np.int64)
        return values.astype(np.int64) >> low & ((1 << (high - low + 1)) - 1)

    def get(self, field: Field) -> Ints:
        """Return a field of the register map in every task."""
        return self.bits(field.register, field.low, field.high)

    def runs(self, block: int) -> NDArray[np.bool_]:
        """Return in which tasks a block runs."""
        running: NDArray[np.bool_] = (self.enable & block) != 0
        return running

    @cached_property
    def nodes(self) -> dict[int, Ints]:
        """The positions of each node's tasks in this list."""
        order = np.argsort(self.node, kind="stable")
        if not len(order):
            return {}
        numbers = self.node[order]
        starts = np.flatnonzero(np.diff(numbers)) + 1
        groups = np.split(order, starts)
        return dict(zip(numbers[np.append(0, starts)].tolist(), groups, strict=True))


def decode_tasks(layout: Layout, core_list: int = 0) -> TaskList:
    """Return the tasks of one list: 0 for one core, 1 and 2 for two, 3 to 5 for three (RK3588 only).

    Raises ModelError where there is no such list, and for files beyond the bounds of real ones.
    """
    lists = core_lists(layout)
    if not len(lists[FIRST_LIST[core_list]]):
        raise ModelError(
            f"{layout.model.file.path}: it holds no tasks for {CORES[core_list]} cores",
            hint="files for one core, and for SoCs whose NPU has one, hold one list of tasks",
        )
    chosen = lists[core_list]
    records = layout.records[chosen]
    start = (records["address"] // 8).astype(np.int64)
    return decode(
        layout.generation,
        layout.words,
        start,
        records["amount"].astype(np.int64),
        records["enable"].astype(np.int64),
        node=records["node"].astype(np.int64),
        index=chosen,
    )


def core_lists(layout: Layout) -> list[Ints]:
    """Return the record indices of the six lists, in the order of TaskCounts; a list may be empty.

    The records stand list by list. Nodes count the tasks of each, but for uploads of activation tables in the
    first one. Raises ModelError where the records are not those that the nodes count: which list is whose
    cannot be told then.
    """
    counts = np.array([node.task_counts or (0,) * 6 for node in layout.graph.nodes], np.int64).reshape(-1, 6)
    lengths = counts.sum(axis=0)
    total = len(layout.records)
    lengths[0] = total - lengths[1:].sum()
    if counts.min(initial=0) < 0 or lengths[0] < 0:
        raise _miscounted(layout, f"{counts.sum()} tasks, and it holds {total}")
    lists = np.split(np.arange(total), np.cumsum(lengths)[:-1])
    for number, chosen in enumerate(lists):
        held = np.bincount(layout.records["node"][chosen].astype(np.int64), minlength=len(counts))
        wrong = np.flatnonzero(held < counts[:, 0] if number == 0 else held != counts[:, number])
        if wrong.size:
            node = int(wrong[0])
            told = f"{counts[node, number]} tasks of {layout.graph.nodes[node].name!r} in list {number + 1}"
            raise _miscounted(layout, f"{told}, and it holds {held[node]}")
    return lists


def _miscounted(layout: Layout, what: str) -> ModelError:
    return ModelError(
        f"{layout.model.file.path}: it counts {what}: which cores run what cannot be told", hint=DAMAGED
    )


def decode(
    generation: Generation,
    words: NDArray[np.uint64],
    start: Ints,
    amount: Ints,
    enable: Ints,
    *,
    node: Ints | None = None,
    index: Ints | None = None,
    before: CoreState = AT_POWER_ON,
) -> TaskList:
    """Decode tasks whose commands are `words[start : start + amount]`, with addresses in.

    For commands that a runtime laid out itself; of a file, `decode_tasks` is the way. `node` and `index` say
    what the tasks are called, 0 and their place without; `before` is what the core has kept. Raises
    ModelError beyond the bounds of real files.
    """
    count = len(start)
    if count > MOST_TASKS or int(amount.sum()) > 2 * len(words) + MOST_TASKS:
        raise ModelError(
            f"{count} tasks of {int(amount.sum())} command words, of {len(words)} in the file",
            hint=f"real files hold up to 27,500, and each word once; read are up to {MOST_TASKS}",
        )
    task = np.repeat(np.arange(count), amount)
    place = np.repeat(start - (np.cumsum(amount) - amount), amount) + np.arange(len(task))
    own = words[place]
    writes = split_words(task, own)
    known = {*register_map(), *generation.own_registers, *generation.unknown_registers}
    columns, registers = follow(_among(known, writes), enable, before.registers)
    generation.to_v2(columns, count)
    tables = follow_tables(writes, count, before.tables)
    return TaskList(
        generation,
        np.arange(count) if index is None else index,
        np.zeros(count, np.int64) if node is None else node,
        enable,
        amount,
        columns,
        tables,
        CoreState(registers, tables.after),
        first_unexplained(own, task, known, start + amount, enable, words),
    )


def _among(known: set[int], writes: Writes) -> Writes:
    """Leave out registers that no real file has: there may be any number, and what runs them is told."""
    kept = is_among(writes.register, known)
    return Writes(writes.task[kept], writes.register[kept], writes.value[kept])
