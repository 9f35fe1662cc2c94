"""EW of the output stage: the activation table, an operation with a second tensor or a number, then ReLU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rkbench.npu.execute import bfloat16
from rkbench.npu.execute.cubes import AddressSpace, Cube, Values, load
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError, dtype_of
from rkbench.npu.execute.scaling import Floats
from rkbench.npu.execute.tables import Lookup
from rkbench.npu.fields import BF16, FP16, FP32, INT8, INT16, INT32

DIVIDE = 3


def _quotient(x: Floats, divisor: Floats | float) -> Floats:
    """Return x / divisor; 0 / 0 is 0: a softmax divides so beside its channels, and sums what comes of it."""
    found: Floats = np.divide(x, divisor)
    return np.where((x == 0) & (divisor == 0), 0, found)


OPERATIONS: dict[int, Callable[..., Floats]] = {
    0: np.maximum,
    1: np.minimum,
    2: np.add,
    DIVIDE: _quotient,
    4: np.subtract,
}
OF_CHANNELS, OF_CUBE = 0, 1
COMBINED_OPERAND = 5
"""COMB_USE where both readers fetch the operand, every other surface each."""


@dataclass(frozen=True)
class OperandConversion:
    """(x + offset) * scale * down, or x * scale * down with the offset added before the shift."""

    offset: int
    scale: int
    down: float
    offset_first: bool

    def apply(self, x: Floats) -> Floats:
        """Return the operand as the operation takes it, rounded to even."""
        value = (x + self.offset) * self.scale if self.offset_first else x * self.scale + self.offset
        rounded: Floats = np.rint(value * self.down)
        return rounded


@dataclass(frozen=True)
class Elementwise:
    """What EW does to (lines, width, channels)."""

    lookup: Lookup | None
    operation: Callable[..., Floats] | None
    """None: the operation is bypassed."""
    operand: Values | float
    """(height, width, channels) as it lies in memory, or (1, 1, channels), or one number."""
    conversion: OperandConversion | None
    down: float
    """Of integer products: 2 ** -shift, then rounded to even; 1 else."""
    relu: bool
    integer: bool

    @property
    def pointwise(self) -> bool:
        """Say whether a value decides alone, and not its place."""
        return self.operation is None or isinstance(self.operand, float)

    def apply(self, x: Floats, first_line: int) -> Floats:
        """Return the result of lines from `first_line` on."""
        if self.lookup is not None:
            x = self.lookup.apply(x)
        if self.operation is not None:
            x = self.operation(x, self._operand(first_line, x))
            if self.integer and self.down != 1:
                x = np.rint(x * self.down)
        return np.maximum(x, 0) if self.relu else x

    def _operand(self, first_line: int, x: Floats) -> Floats | float:
        operand = self.operand
        if isinstance(operand, float):
            return operand if self.conversion is None else float(self.conversion.apply(np.array(operand)))
        if operand.shape[0] > 1:
            operand = operand[first_line : first_line + x.shape[0]]
        if operand.dtype == bfloat16.STORED:
            operand = bfloat16.widened(operand)
        values: Floats = operand.astype(x.dtype)
        return values if self.conversion is None else self.conversion.apply(values)


def read_elementwise(
    registers: TaskRegisters,
    memory: AddressSpace,
    lookup: Lookup | None,
    shape: tuple[int, int, int],
    *,
    integer: bool,
) -> Elementwise:
    """Return what EW does in a task whose output stage is (height, width, channels)."""
    if registers["DPU.EW_CFG.EW_OP_BYPASS"]:
        return Elementwise(lookup, None, 0.0, None, 1.0, _relu(registers), integer)
    multiplies = registers["DPU.EW_CFG.EW_OP_TYPE"]
    return Elementwise(
        lookup,
        np.multiply if multiplies else _operation(registers["DPU.EW_CFG.EW_ALU_ALGO"], integer=integer),
        _operand(registers, memory, shape, integer=integer),
        _conversion(registers, integer=integer),
        2.0 ** -registers["DPU.EW_CVT_SCALE_VALUE.EW_TRUNCATE"] if multiplies and integer else 1.0,
        _relu(registers),
        integer,
    )


def _relu(registers: TaskRegisters) -> bool:
    relu = not registers["DPU.EW_CFG.EW_RELU_BYPASS"]
    if relu and registers["DPU.EW_CFG.EW_RELUX_EN"]:
        raise UnmodelledError("EW with a limit")
    return relu


def _operation(algorithm: int, *, integer: bool) -> Callable[..., Floats]:
    if algorithm == DIVIDE and integer:
        raise UnmodelledError("EW division of integers")
    if algorithm not in OPERATIONS:
        raise UnmodelledError(f"EW with ALU operation {algorithm}")
    return OPERATIONS[algorithm]


def _operand(
    registers: TaskRegisters, memory: AddressSpace, shape: tuple[int, int, int], *, integer: bool
) -> Values | float:
    if not registers["DPU.EW_CFG.EW_OP_SRC"]:
        return _number(registers, integer=integer)
    height, width, channels = shape
    floats = BF16 if registers.computes_bf16 else FP16
    sizes = {1: INT8, 2: INT16 if integer else floats, 3: INT32 if integer else FP32}
    size, mode = (
        registers["DPU_RDMA.ERDMA_CFG.ERDMA_DATA_SIZE"],
        registers["DPU_RDMA.ERDMA_CFG.ERDMA_DATA_MODE"],
    )
    if size not in sizes or registers["DPU_RDMA.ERDMA_CFG.ERDMA_DISABLE"]:
        raise UnmodelledError(f"an EW operand of data size {size} that is not fetched")
    dtype, atom, base = (
        dtype_of(sizes[size], "EW operand"),
        memory.atom_bytes,
        registers["DPU_RDMA.EW_BASE_ADDR"],
    )
    if mode == OF_CHANNELS:
        whole = -(-channels * dtype.itemsize // atom) * atom
        return memory.read(base, whole).view(dtype)[:channels].reshape(1, 1, channels)
    if mode != OF_CUBE:
        raise UnmodelledError(f"EW data mode {mode}")
    line = (width + registers["DPU_RDMA.DATA_CUBE_HEIGHT.EW_LINE_NOTCH_ADDR"]) * atom
    surface = registers.aligned("DPU_RDMA.EW_SURF_STRIDE", atom)
    if registers["DPU_RDMA.FEATURE_MODE_CFG.COMB_USE"] == COMBINED_OPERAND:
        first = registers["DPU_RDMA.SRC_BASE_ADDR"]
        base, surface = first, base - first
    return load(memory, Cube(base, channels, height, width, dtype, line, surface))


def _number(registers: TaskRegisters, *, integer: bool) -> float:
    """Return the one number for all channels, which may stand in the seven registers behind it as well."""
    first, *others = (registers[f"DPU.EW_OP_VALUE_{i}.EW_OPERAND_{i}"] for i in range(8))
    if set(others) not in ({0}, {first}):
        raise UnmodelledError("EW with several numbers")
    return registers.number("DPU.EW_OP_VALUE_0.EW_OPERAND_0", integer=integer)


def _conversion(registers: TaskRegisters, *, integer: bool) -> OperandConversion | None:
    if registers["DPU.EW_CFG.EW_OP_CVT_BYPASS"]:
        return None
    offset = registers.signed("DPU.EW_CVT_OFFSET_VALUE.EW_OP_CVT_OFFSET")
    scale = registers.signed("DPU.EW_CVT_SCALE_VALUE.EW_OP_CVT_SCALE")
    shift = registers["DPU.EW_CVT_SCALE_VALUE.EW_OP_CVT_SHIFT"]
    if not integer:
        if (offset, scale, shift) not in ((0, 1, 0), (0, 0, 0)):
            raise UnmodelledError("EW conversion of a float operand")
        return None
    return OperandConversion(offset, scale, 2.0**-shift, bool(registers["DPU.EW_CFG.EW_CVT_TYPE"]))
