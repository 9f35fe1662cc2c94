"""Fields that this model does not read in some mode, and what they hold there in every task of every file at
hand.

Another value would mean what nobody has seen: it is refused, not ignored.
"""

from __future__ import annotations

from rkbench.npu.execute.convolution_modes import OF_CONVOLUTION
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.execute.output_modes import OF_OUTPUT
from rkbench.npu.execute.pooling_modes import OF_POOLING
from rkbench.npu.execute.reader_modes import OF_READERS
from rkbench.npu.generations import Generation
from rkbench.npu.tasks import DPU, PPU

MODES = (*OF_CONVOLUTION, *OF_OUTPUT, *OF_READERS, *OF_POOLING)


def refuse_other_modes(registers: TaskRegisters, enable: int, generation: Generation) -> None:
    """Raise UnmodelledError for the first field that holds what it never does in the task's mode."""
    for generations, blocks, name, holds in MODES:
        if generation in generations and enable & blocks == blocks and not holds(registers):
            raise UnmodelledError(f"{name} = {_value(registers, name):#x} in this mode")
    if enable & PPU and registers["PPU.OPERATION_MODE_CFG.FLYING_MODE"] == bool(enable & DPU):
        name = "PPU.OPERATION_MODE_CFG.FLYING_MODE"
        raise UnmodelledError(f"{name} = {registers[name]} of blocks {enable:#x}")


def _value(registers: TaskRegisters, name: str) -> int:
    return registers.bits(int(name, 16)) if name.startswith("0x") else registers[name]
