"""A field that holds in some mode what it never does there is refused by its name, not ignored."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from made_nets import Net
from rkbench.npu.execute.core import NpuCore
from rkbench.npu.execute.cubes import AddressSpace
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.execute.modes import MODES, refuse_other_modes
from rkbench.npu.generations import LITE, V2, Generation
from rkbench.npu.layout import BASE, lay_out
from rkbench.npu.registers import named_fields
from rkbench.npu.tasks import Task, decode_tasks
from rkbench.rknn import open_model

NETS = (
    ("pools", "int8"),
    ("depthwise", "int8"),
    ("residual", "int8"),
    ("residual", "fp16"),
    ("swishes", "int8"),
    ("transformer", "int8"),
)
#: Which bit of a field to turn over; the lowest of the others.
BITS = {"CNA.PAD_CON1.PAD_VALUE": 8}


@cache
def tasks_of(soc: str) -> tuple[NpuCore, list[Task]]:
    found: list[Task] = []
    for name, dtype in NETS:
        path = Net(name, soc, dtype).path
        if not path.is_file():
            continue  # transformers are for the RK3588
        with open_model(path) as model:
            layout = lay_out(model)
            tasks = decode_tasks(layout)
            memory = AddressSpace(layout.memory(), layout.generation.atom_bytes, BASE)
            found += list(tasks)
    return NpuCore(layout.generation, memory, tasks.tables), found


CASES = [
    pytest.param(generation, mode.name, id=f"{generation.name}-{mode.name}")
    for mode in MODES
    for generation in mode.generations
] + [
    pytest.param(generation, "PPU.OPERATION_MODE_CFG.FLYING_MODE", id=f"{generation.name}-PPU.FLYING_MODE")
    for generation in (V2, LITE)
]


@pytest.mark.parametrize(("generation", "name"), CASES)
def test_a_field_of_another_mode_is_refused_by_its_name(generation: Generation, name: str) -> None:
    core, tasks = tasks_of("rk3568" if generation is LITE else "rk3588")
    span = named_fields()[name]
    refused = 0
    for task in tasks:
        refuse_other_modes(TaskRegisters(task.registers), task.enable, generation)
        turned = task.registers.get(span.register, 0) ^ 1 << span.low + BITS.get(name, 0)
        changed = replace(task, registers={**task.registers, span.register: turned})
        try:
            refuse_other_modes(TaskRegisters(changed.registers), task.enable, generation)
        except UnmodelledError as error:
            assert name in str(error)
            with pytest.raises(UnmodelledError):
                core.run(changed)
            refused += 1
    assert refused
