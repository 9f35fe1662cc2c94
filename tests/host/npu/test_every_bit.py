"""Each bit of each register that occurs: refused, or seen in what is written, or known to have no effect."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from made_nets import ENLARGED, NETS, OF_TRANSFORMERS, SOCS, Array
from rkbench.npu.activation_tables import ActivationTables
from rkbench.npu.execute.core import NpuCore
from rkbench.npu.execute.cubes import AddressSpace
from rkbench.npu.execute.executor import OF_THE_RUNTIME
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.execute.modelled import effectless_bits
from rkbench.npu.layout import BASE, IN_ARENA, Layout, lay_out
from rkbench.npu.registers import register_map, register_name
from rkbench.npu.tasks import Task, decode_tasks
from rkbench.rknn import open_model

WHOLE = bool(os.environ.get("RKBENCH_ALL_NETS"))
KINDS = (
    0x100C,
    0x104C,
    0x400C,
    0x4010,
    0x4040,
    0x4050,
    0x4060,
    0x4070,
    0x5044,
    0x501C,
    0x5034,
    0x6024,
    0x6084,
)
"""Registers that decide how a task is computed: tasks that have them alike are of one kind."""
BY_VALUE = {
    "ALU_OPERAND": "added to far larger numbers, or cut off by what follows",
    "MUL_OPERAND": "of products that are rounded away",
    "RELUX_CMP_DAT": "a limit that no value reaches",
    "SHIFT_VALUE_NEG": "of negative values, where there are none or a ReLU follows",
    "RELU_BYPASS": "a ReLU of what is not negative, or before another",
    "CVT_SCALE": "differences that are rounded away",
    "PRELU": "of what is not negative",
    "BYPASS": "a stage whose parts are all bypassed",
    "CVT_TYPE": "which is first, of an offset of 0",
    "OUT_CVT": "differences that are rounded away",
    "EW_OP_CVT_SCALE": "0 or 1, of floats that are not converted",
    "LUT_": "places of the tables that no value falls on",
    "PAD_VALUE": "a float too small to be seen",
    "FEATURE_DATA_ADDR": "kernels that are zero there",
    "BS_BASE_ADDR": "the same numbers at another place",
    "OFFSET_PEND": "behind the last channel of values of other sizes",
    "RECIP_KERNEL": "differences that are rounded away",
}
"""Parts of names of fields that only some values show, and why they may not show here."""


@dataclass(frozen=True)
class Case:
    """A task, and the memory before and after it."""

    core: NpuCore
    tables: ActivationTables
    task: Task
    before: Array
    after: Array

    def outcome(self, register: int, bit: int) -> str:
        """Run the task with one bit turned over."""
        self.core.memory.data[:] = self.before
        turned = {**self.task.registers, register: self.task.registers[register] ^ 1 << bit}
        fresh = NpuCore(self.core.generation, self.core.memory, self.tables)
        try:
            fresh.run(replace(self.task, registers=turned))
        except UnmodelledError:
            return "refused"
        return "equal" if np.array_equal(self.core.memory.data, self.after) else "seen"


def cases_of(soc: str) -> Iterator[Case]:
    """Yield a task of each kind, over memory of small numbers."""
    seen = set()
    for net in (net for net in (*NETS, *ENLARGED, *OF_TRANSFORMERS) if net.soc == soc):
        with open_model(net.path) as model:
            layout = lay_out(model)
            tasks = decode_tasks(layout)
            memory = AddressSpace(layout.memory(), layout.generation.atom_bytes, BASE)
        nodes, core = layout.graph.nodes, NpuCore(layout.generation, memory, tasks.tables)
        for task in tasks:
            kind = (task.enable, *(task.registers.get(register, 0) for register in KINDS))
            if kind not in seen and nodes[task.node].type not in OF_THE_RUNTIME:
                seen.add(kind)
                yield case_of(core, tasks.tables, task, end_of_arena(layout))


def end_of_arena(layout: Layout) -> int:
    """Return where the features end."""
    tensors = {tensor.index: tensor for tensor in layout.graph.tensors}
    constants = (at for index, at in layout.addresses.items() if tensors[index].kind not in IN_ARENA)
    return min(constants, default=layout.size_bytes)


def case_of(core: NpuCore, tables: ActivationTables, task: Task, arena_end: int) -> Case:
    """Return the task over an arena whose bytes are numbers, and whose halves are below 2."""
    seeded = np.random.default_rng(task.index)
    halves = seeded.integers(0, 1 << 16, (arena_end - BASE) // 2, np.uint16) & 0xBBFF
    core.memory.data[BASE : BASE + halves.nbytes] = halves.view(np.uint8)
    before = core.memory.data.copy()
    core.run(replace(task, registers=without_reuse(task)))
    return Case(core, tables, replace(task, registers=without_reuse(task)), before, core.memory.data.copy())


def without_reuse(task: Task) -> dict[int, int]:
    """Return the registers of a task that fetches all by itself."""
    reuse = 0x3000  # CNA.CBUF_CON0.WEIGHT_REUSE, DATA_REUSE
    return {
        register: value & ~reuse if register == 0x1040 else value
        for register, value in task.registers.items()
    }


@pytest.mark.parametrize("soc", SOCS)
def test_no_bit_is_ignored_but_those_of_the_lists(soc: str) -> None:
    cases = list(cases_of(soc))
    ignored = set()
    counted = {"refused": 0, "equal": 0, "seen": 0}
    for number, (register, bit) in enumerate(every_bit(cases)):
        having = [case for case in cases if register in case.task.registers]
        for case in having if WHOLE else [having[number % len(having)]]:
            registers, generation = TaskRegisters(case.task.registers), case.core.generation
            asked = {register: 1 << bit}
            if effectless_bits(registers, case.task.enable, generation, asked).get(register, 0) >> bit & 1:
                continue
            outcome = case.outcome(register, bit)
            counted[outcome] += 1
            name = field_name(register, bit)
            if outcome == "equal" and not any(part in name for part in BY_VALUE):
                ignored.add(name)
    assert not ignored
    assert counted["refused"] > 2000
    assert counted["seen"] > 100


def every_bit(cases: list[Case]) -> Iterator[tuple[int, int]]:
    """Yield every register that one of the tasks has, with each of its bits."""
    for register in sorted({register for case in cases for register in case.task.registers}):
        for bit in range(32):
            yield register, bit


def field_name(register: int, bit: int) -> str:
    """Return the name of the field of a bit."""
    known = register_map().get(register)
    for field in known.fields if known else ():
        if field.low <= bit <= field.high:
            return f"{register_name(register)}.{field.name}"
    return f"{register_name(register)} bit {bit}"
