"""Each bit of each register that occurs: refused, or seen in what is written, or known to have no effect."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from made_nets import NETS, OF_SHAPES, OF_TRANSFORMERS, ON_CPU, SOCS, Array
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
    "of one line, which is fetched alike": ("CNA.CONV_CON1.GROUP_LINE_OFF",),
    "differences that are rounded away": (
        "CNA.CVT_CON1.CVT_SCALE0",
        "CNA.CVT_CON2.CVT_SCALE1",
        "CNA.CVT_CON3.CVT_SCALE2",
        "CNA.CVT_CON4.CVT_SCALE3",
        "DPU.BN_MUL_CFG.BN_MUL_OPERAND",
        "DPU.BS_MUL_CFG.BS_MUL_OPERAND",
        "DPU.OUT_CVT_SCALE.OUT_CVT_SCALE",
    ),
    "a column that no window reaches": ("CNA.DATA_SIZE0.DATAIN_WIDTH",),
    "channels whose weights are zero": ("CNA.DATA_SIZE1.DATAIN_CHANNEL_REAL",),
    "a float too small to be seen, or behind zeros of the kernel": ("CNA.PAD_CON1.PAD_VALUE",),
    "added to far larger numbers, or cut off by what follows": (
        "DPU.BN_ALU_CFG.BN_ALU_OPERAND",
        "DPU.BS_ALU_CFG.BS_ALU_OPERAND",
    ),
    "a limit that no value reaches": ("DPU.BN_RELUX_CMP_VALUE.BN_RELUX_CMP_DAT",),
    "of negative values, where there are none or a ReLU follows": (
        "DPU.BN_CFG.BN_RELU_BYPASS",
        "DPU.BS_CFG.BS_RELU_BYPASS",
        "DPU.EW_CFG.EW_RELU_BYPASS",
        "DPU.BS_CFG.BS_MUL_PRELU",
        "DPU.DATA_FORMAT.BS_MUL_SHIFT_VALUE_NEG",
    ),
    "shifted to zero before and after": (
        "DPU.BN_MUL_CFG.BN_MUL_SHIFT_VALUE",
        "DPU.BS_MUL_CFG.BS_MUL_SHIFT_VALUE",
        "DPU.OUT_CVT_SHIFT.OUT_CVT_SHIFT",
    ),
    "a stage whose parts are all bypassed, or add 0 and multiply by 1": (
        "DPU.BN_CFG.BN_BYPASS",
        "DPU.BN_CFG.BN_MUL_BYPASS",
        "DPU.BS_CFG.BS_BYPASS",
        "DPU.EW_CFG.EW_BYPASS",
        "DPU.EW_CFG.EW_OP_BYPASS",
    ),
    "operands that are alike: zeros, or one number for all": (
        "DPU.BS_CFG.BS_ALU_SRC",
        "DPU.BS_OW_CFG.OW_SRC",
        "DPU_RDMA.BRDMA_CFG.BRDMA_DATA_USE",
        "DPU_RDMA.BS_BASE_ADDR.BS_BASE_ADDR",
    ),
    "features that are multiplied by zero": (
        "DPU_RDMA.SRC_BASE_ADDR.SRC_BASE_ADDR",
        "DPU_RDMA.SRC_DMA_CFG.LINE_NOTCH_ADDR",
        "DPU_RDMA.SURF_NOTCH.SURF_NOTCH_ADDR",
        "DPU_RDMA.SURF_NOTCH bit 3",
    ),
    "which is first, of an offset of 0": ("DPU.OUT_CVT_SHIFT.CVT_TYPE", "DPU.EW_CFG.EW_CVT_TYPE"),
    "0 or 1, of floats that are not converted": ("DPU.EW_CVT_SCALE_VALUE.EW_OP_CVT_SCALE",),
    "fp16 or bf16, of what is only copied": ("DPU.DATA_FORMAT.PROC_PRECISION",),
    "a side of the tables that no value falls on": (
        "DPU.LUT_CFG.LUT_OFLOW_PRIORITY",
        "DPU.LUT_CFG.LUT_UFLOW_PRIORITY",
        "DPU.LUT_LE_END.LUT_LE_END",
        "DPU.LUT_LO_END.LUT_LO_END",
        "DPU.LUT_LE_SLOPE_SCALE.LUT_LE_SLOPE_UFLOW_SCALE",
        "DPU.LUT_LO_SLOPE_SCALE.LUT_LO_SLOPE_OFLOW_SCALE",
        "DPU.LUT_LO_SLOPE_SHIFT.LUT_LO_SLOPE_OFLOW_SHIFT",
    ),
}
"""Fields that only some values show, by the reason why they may not show in one task. In another they do:
`make test-npu` sees each of them."""
IN_NO_TASK = {
    "the inner sides of two tables that meet": (
        "DPU.LUT_CFG.LUT_HYBRID_PRIORITY",
        "DPU.LUT_LE_SLOPE_SCALE.LUT_LE_SLOPE_OFLOW_SCALE",
        "DPU.LUT_LE_SLOPE_SHIFT.LUT_LE_SLOPE_OFLOW_SHIFT",
        "DPU.LUT_LE_SLOPE_SHIFT.LUT_LE_SLOPE_UFLOW_SHIFT",
        "DPU.LUT_LO_SLOPE_SCALE.LUT_LO_SLOPE_UFLOW_SCALE",
        "DPU.LUT_LO_SLOPE_SHIFT.LUT_LO_SLOPE_UFLOW_SHIFT",
    ),
    "a conversion of the operand by 1": ("DPU.EW_CFG.EW_OP_CVT_BYPASS",),
    "an offset of weights of 0": ("DPU.BS_OW_CFG.OD_BYPASS",),
    "the order of weights, where it is that of the features": ("DPU.WDMA_SIZE_0.SIZE_C_WDMA",),
    "two readers of one tensor in turn": ("DPU_RDMA.FEATURE_MODE_CFG bit 18",),
    "surfaces of an operand that has one": (
        "DPU_RDMA.EW_SURF_STRIDE.EW_SURF_STRIDE",
        "DPU_RDMA.EW_SURF_STRIDE bit 3",
    ),
}
"""Fields whose turned bits are refused or leave the same in every task at hand, and why."""
MAY_NOT_SHOW = frozenset(
    name for table in (BY_VALUE, IN_NO_TASK) for names in table.values() for name in names
)


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
    for net in (net for net in (*NETS, *OF_SHAPES, *ON_CPU, *OF_TRANSFORMERS) if net.soc == soc):
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
    found: dict[str, set[str]] = {"refused": set(), "equal": set(), "seen": set()}
    counted = dict.fromkeys(found, 0)
    for number, (register, bit) in enumerate(every_bit(cases)):
        having = [case for case in cases if register in case.task.registers]
        for case in having if WHOLE else [having[number % len(having)]]:
            registers, generation = TaskRegisters(case.task.registers), case.core.generation
            asked = {register: 1 << bit}
            if effectless_bits(registers, case.task.enable, generation, asked).get(register, 0) >> bit & 1:
                continue
            outcome = case.outcome(register, bit)
            counted[outcome] += 1
            found[outcome].add(field_name(register, bit))
    assert not found["equal"] - MAY_NOT_SHOW
    assert counted["refused"] > 2000
    assert counted["seen"] > 100
    if WHOLE:
        shown = found["seen"] | {name for names in IN_NO_TASK.values() for name in names}
        assert not found["equal"] - shown


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
