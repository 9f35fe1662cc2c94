"""PPU: maximum, minimum and average over windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rkbench.npu.execute.cubes import AddressSpace, Cube, Values, load, store
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError, dtype_of, precision_name
from rkbench.npu.fields import FP16, INT8

AVERAGE, MAXIMUM, MINIMUM = 0, 1, 2
COMBINE: dict[int, Callable[..., Any]] = {AVERAGE: np.add, MAXIMUM: np.maximum, MINIMUM: np.minimum}
RECIPROCAL_BITS = 16
LARGEST_HALF = 0xFFFF
PART_BYTES = 1 << 20


def pool(registers: TaskRegisters, memory: AddressSpace, source: Values | None) -> None:
    """Pool `source`, (height, width, channels), or what the task reads itself, and write the result.

    Raises UnmodelledError for what is not modelled.
    """
    precision, method = (
        registers["PPU.DATA_FORMAT.PROC_PRECISION"],
        registers["PPU.OPERATION_MODE_CFG.POOLING_METHOD"],
    )
    if precision not in (INT8, FP16):
        raise UnmodelledError(f"pooling in {precision_name(precision)}")
    if method not in COMBINE:
        raise UnmodelledError(f"pooling method {method}")
    dtype = dtype_of(precision, "pooling")
    features = _read(registers, memory, dtype) if source is None else source
    if features.shape != _shape(registers, "IN"):
        raise UnmodelledError(f"pooling of {_shape(registers, 'IN')} fed with {features.shape}")
    if features.dtype != dtype:
        raise UnmodelledError(f"pooling in {dtype} of what the output stage hands over in {features.dtype}")
    result = _pooled(registers, features, method)
    atom = memory.atom_bytes
    height, width, channels = result.shape
    line = (width + registers["PPU.OPERATION_MODE_CFG.NOTCH_ADDR"]) * atom
    base, surface = (registers.aligned(f"PPU.DST_{name}", atom) for name in ("BASE_ADDR", "SURF_STRIDE"))
    store(memory, Cube(base, channels, height, width, dtype, line, surface), 0, result)


def _pooled(registers: TaskRegisters, features: Values, method: int) -> Values:
    """Return the result in the features' dtype; channels in parts, for what lies between is wider."""
    _refuse_size(registers, features)
    size, channels = _shape(registers, "OUT")[:2], features.shape[2]
    result = np.empty((*size, channels), features.dtype)
    count = max(1, PART_BYTES // (8 * features.shape[0] * features.shape[1]))
    for first in range(0, channels, count):
        total = _windows(registers, features[..., first : first + count], method)
        if method == AVERAGE:
            total = _average(registers, total, features.dtype)
        result[..., first : first + count] = total
    return result


def _read(registers: TaskRegisters, memory: AddressSpace, dtype: np.dtype[np.generic]) -> Values:
    height, width, channels = _shape(registers, "IN")
    atom = memory.atom_bytes
    line, surface = (registers.aligned(f"PPU_RDMA.SRC_{name}_STRIDE", atom) for name in ("LINE", "SURF"))
    address = registers["PPU_RDMA.SRC_BASE_ADDR"]
    return load(memory, Cube(address, channels, height, width, dtype, line, surface))


def _shape(registers: TaskRegisters, side: str) -> tuple[int, int, int]:
    height, width, channels = (
        registers[f"PPU.DATA_CUBE_{side}_{name}.CUBE_{side}_{name}"] + 1
        for name in ("HEIGHT", "WIDTH", "CHANNEL")
    )
    return height, width, channels


def _refuse_size(registers: TaskRegisters, features: Values) -> None:
    """Refuse windows that lie farther out than one whole one."""
    (_, stride), output = _steps(registers), _shape(registers, "OUT")
    padding = [registers[f"PPU.POOLING_PADDING_CFG.PAD_{side}"] for side in ("TOP", "LEFT")]
    if any((output[i] - 1) * stride[i] > padding[i] + features.shape[i] for i in range(2)):
        height, width = features.shape[:2]
        raise UnmodelledError(f"{output[0]}x{output[1]} windows of {height}x{width} features")


def _steps(registers: TaskRegisters) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the kernel's and the stride's height and width."""
    config = "PPU.POOLING_KERNEL_CFG.KERNEL_"
    kernel = registers[f"{config}HEIGHT"] + 1, registers[f"{config}WIDTH"] + 1
    return kernel, (registers[f"{config}STRIDE_HEIGHT"] + 1, registers[f"{config}STRIDE_WIDTH"] + 1)


def _windows(registers: TaskRegisters, features: Values, method: int) -> Any:
    """Return the combined windows: first over lines, then over columns."""
    (kernel, stride), output = _steps(registers), _shape(registers, "OUT")[:2]
    height, width, channels = features.shape
    top, left = (registers[f"PPU.POOLING_PADDING_CFG.PAD_{side}"] for side in ("TOP", "LEFT"))
    needs = [(output[i] - 1) * stride[i] + kernel[i] for i in range(2)]
    fill = _fill(registers, features.dtype, method)
    working = features.dtype
    if working == np.float16:
        working = np.dtype(np.float32)  # numpy computes in it faster
    elif method == AVERAGE:
        working = np.dtype(np.int32)
    padded = np.full((max(needs[0], top + height), max(needs[1], left + width), channels), fill, working)
    padded[top : top + height, left : left + width] = features
    lines = _combine(padded, kernel[0], stride[0], output[0], method)
    return _combine(lines.swapaxes(0, 1), kernel[1], stride[1], output[1], method).swapaxes(0, 1)


def _combine(values: Any, kernel: int, stride: int, count: int, method: int) -> Any:
    """Combine `kernel` neighbours along the first axis, `stride` apart from one result to the next."""
    last = (count - 1) * stride + 1
    result = values[:last:stride].copy()
    for step in range(1, kernel):
        COMBINE[method](result, values[step : step + last : stride], out=result)
    return result


def _fill(registers: TaskRegisters, dtype: np.dtype[np.generic], method: int) -> float:
    """Return the padding: what no maximum or minimum takes; averages count the register's value."""
    if method == AVERAGE:
        return registers.number("PPU.PADDING_VALUE_1_CFG", integer=dtype == np.int8)
    sign = -1 if method == MAXIMUM else 1
    if dtype == np.int8:
        return -128 if sign < 0 else 127
    return sign * float("inf")


def _average(registers: TaskRegisters, total: Any, dtype: np.dtype[np.generic]) -> Any:
    """Return totals times the two reciprocals of the window's sides; integers rounded to even."""
    names = [f"PPU.RECIP_KERNEL_{side}.RECIP_KERNEL_{side}" for side in ("WIDTH", "HEIGHT")]
    width, height = (registers[name] for name in names)
    down = 2.0 ** -(2 * RECIPROCAL_BITS)
    if dtype == np.int8:
        return np.clip(np.rint(total * (width * height * down)), -128, 127)
    if max(width, height) > LARGEST_HALF:
        raise UnmodelledError(f"{names[0]} = {width:#x} and {height:#x} of fp16")
    sides = np.array([width, height], np.uint16).view(np.float16).astype(np.float64)
    return total * (sides[0] * sides[1] * down)
