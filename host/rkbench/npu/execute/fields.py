"""The registers of one task by their documented names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rkbench.npu.execute import bfloat16
from rkbench.npu.fields import BF16, FP16, FP32, INT8, INT16, INT32, PRECISIONS
from rkbench.npu.registers import named_fields

DTYPES: dict[int, type[np.generic]] = {
    INT8: np.int8,
    INT16: np.int16,
    FP16: np.float16,
    BF16: bfloat16.STORED.type,
    INT32: np.int32,
    FP32: np.float32,
}
"""What the NPU's precisions are kept in; the others are not modelled."""


class UnmodelledError(Exception):
    """A task asks for what this model of the NPU does not do; the message names it."""


class TaskRegisters:
    """What one task's registers hold, in the places of the RK3588; a register that nobody wrote is 0.

    It remembers which bits were read: what is set and was never read must have no effect (`modelled.py`).
    """

    def __init__(self, values: Mapping[int, int]) -> None:
        self._values = values
        self._fields = named_fields()
        self._read: dict[int, int] = {}

    def __getitem__(self, name: str) -> int:
        """Return a field by `BLOCK.REGISTER.FIELD`, unsigned; KeyError for a name that does not exist."""
        field = self._fields[name]
        self._read[field.register] = self._read.get(field.register, 0) | field.mask << field.low
        return self._values.get(field.register, 0) >> field.low & field.mask

    def bits(self, register: int, low: int = 0, high: int = 31) -> int:
        """Return bits of a register that has no name, or other bits than its fields."""
        mask = (1 << (high + 1 - low)) - 1
        self._read[register] = self._read.get(register, 0) | mask << low
        return self._values.get(register, 0) >> low & mask

    def aligned(self, name: str, unit: int) -> int:
        """Return an address or a stride; UnmodelledError where it is no multiple of `unit`."""
        value = self[name]
        if value % unit:
            raise UnmodelledError(f"{name} = {value:#x}, no multiple of {unit},")
        return value

    def unread(self) -> dict[int, int]:
        """Return the bits that are set and that nobody has read, by register."""
        left = {
            register: value & ~self._read.get(register, 0)
            for register, value in self._values.items()
            if value
        }
        return {register: bits for register, bits in left.items() if bits}

    def signed(self, name: str) -> int:
        """Return a field as a number in two's complement of the field's width."""
        value, mask = self[name], self._fields[name].mask
        return value - mask - 1 if value > mask >> 1 else value

    @property
    def computes_bf16(self) -> bool:
        """Whether the output stage's 16-bit floats are bf16."""
        return self["DPU.DATA_FORMAT.PROC_PRECISION"] == BF16

    def number(self, name: str, *, integer: bool) -> float:
        """Return an operand field: a signed integer, or a float of the field's width (16 or 32 bits)."""
        if integer:
            return float(self.signed(name))
        if self.computes_bf16 and self._fields[name].mask <= 0xFFFF:
            return float(bfloat16.widened(np.array([self[name]], np.uint16))[0])
        kind = (np.uint16, np.float16) if self._fields[name].mask <= 0xFFFF else (np.uint32, np.float32)
        return float(np.array([self[name]], kind[0]).view(kind[1])[0])


def precision_name(precision: int) -> str:
    """Return `int8`, `fp16`, ..."""
    return PRECISIONS[precision][0]


def dtype_of(precision: int, what: str) -> np.dtype[np.generic]:
    """Return the dtype of a precision; UnmodelledError names `what` where it is not modelled."""
    if precision not in DTYPES:
        raise UnmodelledError(f"{precision_name(precision)} {what}")
    return np.dtype(DTYPES[precision])
