"""BS and BN of the output stage: bias, factor and ReLU, per channel or one for all.

Integers are kept in float64, which is exact up to 2**53, and rounded to even: others measured on hardware
that OUT_CVT and the pooling average do so, and against the vendor's simulator it fits best (docs/npu.md).
BS adds, multiplies and shifts; BN multiplies, adds and shifts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rkbench.npu.execute.cubes import AddressSpace
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError

Floats = NDArray[np.floating]
Operand = Floats | float
ADD, SUBTRACT = 2, 4
MOST_SHIFT = 31
LARGEST = (float(2**31 - 1), float(np.finfo(np.float32).max), float(np.finfo(np.float16).max))
"""What a Clip without a lower limit adds: the sums would leave 32 bits, and nobody knows how; in fp16
they would lose all small digits, which the simulator's do not."""
KINDS = {"add": (1, 4), "weight_offset": (2, 2), "multiply": (4, 2), "unused": (8, 2)}
"""Operands that follow each other in each group of channels: bit of DATA_USE, bytes of one channel."""


@dataclass(frozen=True)
class Scaling:
    """What BS or BN does to (..., channels)."""

    before: Operand | None = None
    """Added before anything else; None: nothing."""
    factor: Operand | None = None
    """None: no product is made, and no shift."""
    after: Operand | None = None
    """Added to the product, before the shift."""
    down: float = 1.0
    """2 ** -shift."""
    down_negative: float = 1.0
    """That of negative products: another one is a leaky ReLU."""
    negative_only: bool = False
    """Positive values pass without the product (PReLU)."""
    relu: bool = False
    limit: float = np.inf
    integer: bool = True

    def apply(self, x: Floats) -> Floats:
        """Return the result; works in place where it can."""
        if self.before is not None:
            x += self.before
        if self.factor is not None:
            x = self._multiply(x)
        if self.relu:
            np.maximum(x, 0, out=x)
            if self.limit < np.inf:
                np.minimum(x, self.limit, out=x)
        return x

    def _multiply(self, x: Floats) -> Floats:
        positive = np.maximum(x, 0) if self.negative_only else None
        if self.negative_only:
            np.minimum(x, 0, out=x)
        if self.down == self.down_negative:
            x *= self.factor * self.down  # type: ignore[operator] # exact: down is a power of two
            if self.after is not None:
                x += self.after * self.down
        else:
            x *= self.factor  # type: ignore[arg-type]
            if self.after is not None:
                x += self.after
            x *= np.where(x < 0, self.down_negative, self.down)
        if self.integer:
            np.rint(x, out=x)
        if positive is not None:
            x += positive
        return x


def read_scaling(
    stage: str, registers: TaskRegisters, operands: dict[str, Floats], *, integer: bool
) -> Scaling | None:
    """Return what `BS` or `BN` does, None where it is bypassed; raises UnmodelledError."""
    config = f"DPU.{stage}_CFG.{stage}_"
    if registers[f"{config}BYPASS"]:
        return None
    added = _added(stage, registers, operands, integer=integer)
    multiplies = not registers[f"{config}MUL_BYPASS"]
    late = stage == "BN" and multiplies
    shifts = multiplies and integer
    shift = registers[f"DPU.{stage}_MUL_CFG.{stage}_MUL_SHIFT_VALUE"] if shifts else 0
    negative = registers[f"DPU.DATA_FORMAT.{stage}_MUL_SHIFT_VALUE_NEG"] if shifts else 0
    if max(shift, negative) > MOST_SHIFT:
        raise UnmodelledError(f"{stage} with a shift of {max(shift, negative)} places")
    relu = not registers[f"{config}RELU_BYPASS"]
    limit = np.inf
    if relu and registers[f"{config}RELUX_EN"]:
        limit = registers.number(f"DPU.{stage}_RELUX_CMP_VALUE.{stage}_RELUX_CMP_DAT", integer=integer)
    return Scaling(
        before=None if late else added,
        factor=_factor(stage, registers, operands, integer=integer) if multiplies else None,
        after=added if late else None,
        down=2.0**-shift,
        down_negative=2.0**-negative,
        negative_only=multiplies and bool(registers[f"{config}MUL_PRELU"]),
        relu=relu,
        limit=limit,
        integer=integer,
    )


def _added(
    stage: str, registers: TaskRegisters, operands: dict[str, Floats], *, integer: bool
) -> Operand | None:
    config = f"DPU.{stage}_CFG.{stage}_ALU_"
    if registers[f"{config}BYPASS"]:
        return None
    algorithm = registers[f"{config}ALGO"]
    if algorithm not in (ADD, SUBTRACT):
        raise UnmodelledError(f"{stage} with ALU operation {algorithm}")
    if registers[f"{config}SRC"]:
        value: Operand = _fetched(stage, operands, "add")
    else:
        value = registers.number(f"DPU.{stage}_ALU_CFG.{stage}_ALU_OPERAND", integer=integer)
        if value in LARGEST:
            raise UnmodelledError(f"{stage} with a sum beyond 32 bits (a Clip without a lower limit)")
    return value if algorithm == ADD else -value


def _factor(stage: str, registers: TaskRegisters, operands: dict[str, Floats], *, integer: bool) -> Operand:
    if registers[f"DPU.{stage}_MUL_CFG.{stage}_MUL_SRC"]:
        return _fetched(stage, operands, "multiply")
    return registers.number(f"DPU.{stage}_MUL_CFG.{stage}_MUL_OPERAND", integer=integer)


def _fetched(stage: str, operands: dict[str, Floats], kind: str) -> Floats:
    if kind not in operands:
        raise UnmodelledError(f"{stage} with an operand of each channel that is not fetched")
    return operands[kind]


def read_operands(
    stage: str, registers: TaskRegisters, memory: AddressSpace, channels: int, *, integer: bool
) -> dict[str, Floats]:
    """Return the operands of each channel that BRDMA (`BS`) or NRDMA (`BN`) fetches, by `KINDS`.

    They lie in groups of channels, half as many as an atom has bytes, each kind in turn.
    """
    reader = {"BS": "BRDMA", "BN": "NRDMA"}[stage]
    use = registers[f"DPU_RDMA.{reader}_CFG.{reader}_DATA_USE"]
    kinds = [(kind, size) for kind, (bit, size) in KINDS.items() if use & bit]
    if not kinds:
        return {}
    if registers.computes_bf16:
        raise UnmodelledError(f"{stage} with operands of each channel in bf16")
    per_group = memory.atom_bytes // 2
    groups, stride = -(-channels // per_group), per_group * sum(size for _, size in kinds)
    address = registers[f"DPU_RDMA.{stage}_BASE_ADDR"]
    raw = memory.read(address, groups * stride).reshape(groups, stride)
    found: dict[str, Floats] = {}
    at = 0
    for kind, size in kinds:
        part = np.ascontiguousarray(raw[:, at : at + size * per_group])
        integers, floats = ("<i4", "<f4") if size == 4 else ("<i2", "<f2")
        values = part.view(integers if integer else floats).reshape(-1)[:channels]
        found[kind] = values.astype(np.float64 if integer else np.float32)
        at += size * per_group
    return found
