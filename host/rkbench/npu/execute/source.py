"""The main reader of the output stage: a tensor that passes it without a convolution ("flying")."""

from __future__ import annotations

import numpy as np

from rkbench.npu.execute.cubes import AddressSpace, Cube, Values, load
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError, dtype_of
from rkbench.npu.fields import FP16, INT8, INT16

BOTH_ON_RK3568 = (0x5044, 18, 18)
"""Both readers feed the main path, surface by surface; seen only where they read one cube."""


def read_source(registers: TaskRegisters, memory: AddressSpace) -> Values:
    """Return (height, width, channels), up-sampled where the task says so; raises UnmodelledError."""
    size = "DPU_RDMA.DATA_CUBE_"
    width, height = registers[f"{size}WIDTH.WIDTH"] + 1, registers[f"{size}HEIGHT.HEIGHT"] + 1
    channels, precision = registers[f"{size}CHANNEL.CHANNEL"] + 1, _precision(registers)
    if precision == INT8 and registers["DPU_RDMA.FEATURE_MODE_CFG.IN_PRECISION"] == INT16:
        channels *= 2  # bytes pass two at a time
    dtype = dtype_of(precision, "source")
    unit = memory.unit_bytes(dtype.itemsize)
    line = (width + registers["DPU_RDMA.SRC_DMA_CFG.LINE_NOTCH_ADDR"]) * unit
    registers.aligned("DPU_RDMA.SURF_NOTCH", memory.atom_bytes)
    notch = registers.signed("DPU_RDMA.SURF_NOTCH")
    # The notch of a surface counts from the end of its last line.
    surface = (height - 1) * line + width * unit + notch
    base = registers["DPU_RDMA.SRC_BASE_ADDR"]
    if registers.bits(*BOTH_ON_RK3568):
        other = registers["DPU_RDMA.EW_BASE_ADDR"], registers["DPU_RDMA.EW_SURF_STRIDE"]
        if other != (base, surface):
            raise UnmodelledError(f"both readers at {base:#x} and {other[0]:#x}")
    combined = registers["DPU_RDMA.FEATURE_MODE_CFG.COMB_USE"] & 3 == 3
    if combined:
        # Both readers feed the main path: even surfaces come from one, odd ones from the other.
        step = registers["DPU_RDMA.EW_BASE_ADDR"] - base
        if surface != 2 * step:
            raise UnmodelledError(f"both readers on surfaces of {surface} bytes, {step} apart")
        surface = step
    return _upsampled(registers, load(memory, Cube(base, channels, height, width, dtype, line, surface)))


def _precision(registers: TaskRegisters) -> int:
    """Return what the bytes are: as int16 they pass unchanged, whatever they mean."""
    precision, computes = (
        registers["DPU_RDMA.FEATURE_MODE_CFG.IN_PRECISION"],
        registers["DPU.DATA_FORMAT.PROC_PRECISION"],
    )
    return computes if precision == INT16 and computes in (INT8, FP16) else precision


def _upsampled(registers: TaskRegisters, source: Values) -> Values:
    config = "DPU_RDMA.SRC_DMA_CFG."
    if not registers[f"{config}UNPOOLING_EN"]:
        return source
    size = registers[f"{config}KERNEL_HEIGHT"] + 1, registers[f"{config}KERNEL_WIDTH"] + 1
    stride = registers[f"{config}KERNEL_STRIDE_HEIGHT"] + 1, registers[f"{config}KERNEL_STRIDE_WIDTH"] + 1
    if size != stride or size == (1, 1):
        raise UnmodelledError(f"un-pooling of {size[0]}x{size[1]}, stride {stride[0]}x{stride[1]}")
    return np.repeat(np.repeat(source, size[0], axis=0), size[1], axis=1)
