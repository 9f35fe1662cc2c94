"""DPU: accumulators or a tensor in; bias, scaling, table, second tensor, conversion; a cube in memory out.

Lines are taken a few at a time, so that what lies between two steps stays in the processor's cache. Of
integers that go through an activation table, everything from there on is one table of results.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rkbench.npu.execute import bfloat16
from rkbench.npu.execute.conversion import Conversion, read_conversion
from rkbench.npu.execute.cubes import AddressSpace, Cube, Values
from rkbench.npu.execute.elementwise import Elementwise, read_elementwise
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError, dtype_of, precision_name
from rkbench.npu.execute.rearranged import is_edge
from rkbench.npu.execute.scaling import Floats, Scaling, read_operands, read_scaling
from rkbench.npu.execute.tables import read_lookup
from rkbench.npu.fields import BF16, FP16, FP32, INT8, INT16, INT32

LARGEST_RESULT_TABLE = 1 << 17
TO_POOLING, TO_MEMORY = 1, 2
MAXIMUM_OF_CHANNELS = 7
"""The one MINMAX_CTL seen, in softmax."""


@dataclass(frozen=True)
class OutputStage:
    """The output stage of one task, ready for lines."""

    channels: int
    integer: bool
    weight_offset: Floats | None
    """Of each channel, times the sum of the features under the kernel; None: no zero point of weights."""
    scalings: tuple[Scaling, ...]
    elementwise: Elementwise | None
    conversion: Conversion

    def apply(self, x: Values, first_line: int, sums: Floats | None) -> Values:
        """Return lines in the destination's dtype; (lines, width, channels) in and out."""
        values = self._widened(x)
        if self.weight_offset is not None and sums is not None:
            values += self.weight_offset * (sums if sums.shape[2] == 1 else self._widened(sums))
        for scaling in self.scalings:
            values = scaling.apply(values)
        if self.results is not None:
            first, table = self.results
            values -= first
            return table.take(values.astype(np.intp), mode="clip")
        if self.elementwise is not None:
            values = self.elementwise.apply(values, first_line)
        return self.conversion.apply(values)

    def _widened(self, x: Values) -> Floats:
        if x.dtype == bfloat16.STORED:
            x = bfloat16.widened(x)
        dtype = np.float64 if self.integer else np.float32
        if x.shape[2] >= self.channels:
            return x[..., : self.channels].astype(dtype)
        values = np.zeros((*x.shape[:2], self.channels), dtype)
        values[..., : x.shape[2]] = x
        return values

    @cached_property
    def results(self) -> tuple[int, Values] | None:
        """Return the first integer and, from there on, what becomes of each; None where places matter too."""
        if not self.integer or self.elementwise is None or self.elementwise.lookup is None:
            return None
        domain = self.elementwise.lookup.domain
        if domain is None or not self.elementwise.pointwise or domain[1] - domain[0] > LARGEST_RESULT_TABLE:
            return None
        values = np.arange(domain[0], domain[1] + 1, dtype=np.float64)
        return domain[0], self.conversion.apply(self.elementwise.apply(values, 0))


def read_output_stage(
    registers: TaskRegisters, memory: AddressSpace, entries: NDArray[np.int16] | None
) -> OutputStage:
    """Return the output stage of a task; raises UnmodelledError for what is not modelled."""
    computes = registers["DPU.DATA_FORMAT.PROC_PRECISION"]
    if computes not in (INT8, INT16, FP16, BF16, INT32, FP32):
        raise UnmodelledError(f"an output stage that computes in {precision_name(computes)}")
    integer = computes not in (FP16, BF16, FP32)
    height, width, channels = output_shape(registers)
    operands = {
        stage: read_operands(stage, registers, memory, channels, integer=integer) for stage in ("BS", "BN")
    }
    scalings = [read_scaling(stage, registers, operands[stage], integer=integer) for stage in ("BS", "BN")]
    elementwise = None
    if not registers["DPU.EW_CFG.EW_BYPASS"]:
        lookup = None if registers["DPU.EW_CFG.EW_LUT_BYPASS"] else read_lookup(registers, entries)
        elementwise = read_elementwise(registers, memory, lookup, (height, width, channels), integer=integer)
    return OutputStage(
        channels,
        integer,
        _weight_offset(registers, operands["BS"], channels),
        tuple(scaling for scaling in scalings if scaling is not None),
        elementwise,
        read_conversion(registers, dtype_of(_precision(registers), "output")),
    )


def _precision(registers: TaskRegisters) -> int:
    """Return what is written: "int16" from "int16" is halves where halves are computed, as it is read."""
    read, computed, written = (
        registers[f"DPU.DATA_FORMAT.{name}_PRECISION"] for name in ("IN", "PROC", "OUT")
    )
    return computed if (read, computed, written) == (INT16, FP16, INT16) else written


def output_shape(registers: TaskRegisters) -> tuple[int, int, int]:
    """Return height, width and channels of the output stage's cube."""
    cube = "DPU_RDMA.DATA_CUBE_" if is_edge(registers) else "DPU.DATA_CUBE_"
    return (
        registers[f"{cube}HEIGHT.HEIGHT"] + 1,
        registers[f"{cube}WIDTH.WIDTH"] + 1,
        registers["DPU.DATA_CUBE_CHANNEL.CHANNEL"] + 1,
    )


def _weight_offset(registers: TaskRegisters, operands: dict[str, Floats], channels: int) -> Floats | None:
    """Return CPEND: minus the weights' zero point, of each channel."""
    if registers["DPU.BS_OW_CFG.OD_BYPASS"]:
        return None
    if registers["DPU.BS_OW_CFG.OW_SRC"]:
        offset = operands.get("weight_offset")
    else:
        offset = np.full(channels, float(registers.signed("DPU.BS_OW_OP.OW_OP")))
    if offset is None or not offset.any():
        return None
    if not registers["CORE.MISC_CFG.QD_EN"]:
        raise UnmodelledError("zero points of weights without the sum of features")
    return offset


def destination(
    registers: TaskRegisters, memory: AddressSpace, dtype: np.dtype[np.generic], lines: int
) -> Cube:
    """Return where the output goes; `lines` are those that are written."""
    height, width, channels = output_shape(registers)
    atom = memory.atom_bytes
    # Up-sampled, the cube's height counts the lines read, and the notch is the way to the second one.
    notch = registers["DPU.DATA_CUBE_NOTCH_ADDR.NOTCH_ADDR_0"] if lines == height else 0
    line = (width + notch) * memory.unit_bytes(dtype.itemsize)
    base, surface = (registers.aligned(f"DPU.DST_{name}", atom) for name in ("BASE_ADDR", "SURF_STRIDE"))
    cube = Cube(base, channels, lines, width, dtype, line, surface)
    _refuse_parts(registers, memory, cube)
    return cube


def store_maxima(registers: TaskRegisters, memory: AddressSpace, values: Values) -> None:
    """Write the largest channel of each pixel, one value behind the other: a softmax's."""
    control, packed = (
        registers[f"DPU.{name}"] for name in ("DATA_CUBE_HEIGHT.MINMAX_CTL", "FEATURE_MODE_CFG.NONALIGN")
    )
    largest = values.max(axis=2).reshape(-1)
    whole = -(-largest.nbytes // memory.atom_bytes)
    if control != MAXIMUM_OF_CHANNELS or not packed or len(values) > 1 or values.dtype != np.float16:
        raise UnmodelledError(
            f"DPU.DATA_CUBE_HEIGHT.MINMAX_CTL = {control} with {len(values)} lines of {values.dtype}"
        )
    if registers["DPU.FEATURE_MODE_CFG.SURF_LEN"] != whole:
        raise UnmodelledError(f"DPU.FEATURE_MODE_CFG.SURF_LEN = {registers['DPU.FEATURE_MODE_CFG.SURF_LEN']}")
    base = registers.aligned("DPU.DST_BASE_ADDR", memory.atom_bytes)
    memory.read(base, largest.nbytes)[:] = largest.view(np.uint8)


def _refuse_parts(registers: TaskRegisters, memory: AddressSpace, cube: Cube) -> None:
    """Refuse an output without alignment, unless it is one whole surface, where nothing is to be aligned."""
    packed, length = (registers[f"DPU.FEATURE_MODE_CFG.{name}"] for name in ("NONALIGN", "SURF_LEN"))
    if not packed and not length:
        return
    unit = memory.unit_bytes(cube.dtype.itemsize)
    whole = cube.channels * cube.dtype.itemsize == unit and cube.line == cube.width * unit
    if not packed or not whole or length * memory.atom_bytes != cube.pixels * unit:
        raise UnmodelledError(
            f"DPU.FEATURE_MODE_CFG.SURF_LEN = {length} with {cube.pixels} pixels of {cube.channels} channels"
        )
