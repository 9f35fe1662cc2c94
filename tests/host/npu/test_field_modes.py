"""A field that holds in some mode what it never does there is refused by its name, not ignored."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from made_nets import Net
from net_cores import core_of
from rkbench.npu.execute.core import NpuCore
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.execute.modes import MODES, refuse_other_modes
from rkbench.npu.generations import LITE, V2, Generation
from rkbench.npu.registers import Field, named_fields
from rkbench.npu.tasks import Task

NETS = (
    ("pools", "int8"),
    ("depthwise", "int8"),
    ("residual", "int8"),
    ("residual", "fp16"),
    ("repeated", "int8"),
    ("swishes", "int8"),
    ("transformer", "int8"),
)


@cache
def tasks_of(soc: str) -> tuple[NpuCore, list[Task]]:
    found: list[Task] = []
    for name, dtype in NETS:
        net = Net(name, soc, dtype)
        if not net.path.is_file():
            continue  # transformers are for the RK3588
        core, tasks = core_of(net)
        found += tasks
    return core, found


NAMES = {
    (generation.name, name): generation
    for generation, name in (
        *((generation, mode.name) for mode in MODES for generation in mode.generations),
        *((generation, "PPU.OPERATION_MODE_CFG.FLYING_MODE") for generation in (V2, LITE)),
    )
}
CASES = [
    pytest.param(generation, name, id=f"{generation.name}-{name}") for (_, name), generation in NAMES.items()
]


@pytest.mark.parametrize(("generation", "name"), CASES)
def test_a_field_of_another_mode_is_refused_by_its_name(generation: Generation, name: str) -> None:
    core, tasks = tasks_of("rk3568" if generation is LITE else "rk3588")
    span = Field(name, int(name, 16), 0, 31) if name.startswith("0x") else named_fields()[name]
    for task in tasks:
        refuse_other_modes(TaskRegisters(task.registers), task.enable, generation)
    assert any(
        is_refused(core, changed, name)
        for task in tasks
        for bit in range(span.low, span.high + 1)
        for changed in [turned(task, span.register, bit)]
    )


def turned(task: Task, register: int, bit: int) -> Task:
    return replace(task, registers={**task.registers, register: task.registers.get(register, 0) ^ 1 << bit})


def is_refused(core: NpuCore, changed: Task, name: str) -> bool:
    """Say whether the modes refuse a task by this name; the core has to refuse it then."""
    try:
        refuse_other_modes(TaskRegisters(changed.registers), changed.enable, core.generation)
    except UnmodelledError as error:
        if name not in str(error):
            return False
        with pytest.raises(UnmodelledError):
            core.run(changed)
        return True
    return False
