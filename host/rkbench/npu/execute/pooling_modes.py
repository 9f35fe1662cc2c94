"""Fields of pooling that the model does not compute with, and what they follow from."""

from __future__ import annotations

from collections.abc import Callable

from rkbench.npu.execute.fields import TaskRegisters
from rkbench.npu.execute.mode import ON_BOTH, InMode
from rkbench.npu.execute.pooling import AVERAGE, MAXIMUM
from rkbench.npu.fields import INT8, INT16
from rkbench.npu.generations import LITE, V2
from rkbench.npu.tasks import PPU, PPU_RDMA

MAX_PADDING = (0, 0xFFFF_FF80, 0xFBFF)
"""What is below every value: of int8 and of fp16 on the RK3568; the RK3588 has 0 and does not look."""
PAD_BITS = 19
"""Of a pad value on the RK3568."""
MULTIPLES = {0x6048: 2, 0x604C: 3, 0x6050: 4}
"""Registers of the RK3568 that hold so many times an average's pad value."""


def _pads_below_all(r: TaskRegisters) -> bool:
    method, value = r["PPU.OPERATION_MODE_CFG.POOLING_METHOD"], r["PPU.PADDING_VALUE_1_CFG.PAD_VALUE_0"]
    return method != MAXIMUM or value in MAX_PADDING


def _pads_in_range(r: TaskRegisters) -> bool:
    value, half = r["PPU.PADDING_VALUE_1_CFG.PAD_VALUE_0"], 1 << PAD_BITS - 1
    return value < half or value >= (1 << 32) - half


def _signs_the_padding(r: TaskRegisters) -> bool:
    negative = r["PPU.PADDING_VALUE_1_CFG.PAD_VALUE_0"] >> 31
    return r["PPU.PADDING_VALUE_2_CFG.PAD_VALUE_1"] == 7 * negative


def _repeats_the_padding(register: int) -> Callable[[TaskRegisters], bool]:
    def holds(r: TaskRegisters) -> bool:
        average = r["PPU.OPERATION_MODE_CFG.POOLING_METHOD"] == AVERAGE
        padding = r["PPU.PADDING_VALUE_1_CFG.PAD_VALUE_0"] * (MULTIPLES[register] if average else 1)
        return r.bits(register) == padding & (1 << PAD_BITS) - 1

    return holds


def _pads_what_windows_see(side: str, other: str, before: str) -> Callable[[TaskRegisters], bool]:
    """Return whether the padding behind the features is what the last window sees there."""

    def holds(r: TaskRegisters) -> bool:
        size, kernel = "PPU.DATA_CUBE_", "PPU.POOLING_KERNEL_CFG.KERNEL_"
        last = r[f"{size}OUT_{side}.CUBE_OUT_{side}"] * (r[f"{kernel}STRIDE_{side}"] + 1)
        seen = last + r[f"{kernel}{side}"] - r[f"{size}IN_{side}.CUBE_IN_{side}"]
        padding = "PPU.POOLING_PADDING_CFG.PAD_"
        return r[f"{padding}{other}"] == max(0, seen - r[f"{padding}{before}"])

    return holds


def _adds_no_index(r: TaskRegisters) -> bool:
    """Whether INDEX_ADD is the distance of surfaces, or 0; positions of maxima are never asked for."""
    distance = r["PPU.DST_SURF_STRIDE.DST_SURF_STRIDE"]
    return r["PPU.DATA_FORMAT.INDEX_ADD"] in (0, distance)


def _reads_what_it_pools(r: TaskRegisters) -> bool:
    pooled, read = r["PPU.DATA_FORMAT.PROC_PRECISION"], r["PPU_RDMA.DATA_FORMAT.IN_PRECISION"]
    return read == (INT16 if pooled == INT8 else pooled)


OF_POOLING = (
    InMode(ON_BOTH, PPU, "PPU.PADDING_VALUE_1_CFG.PAD_VALUE_0", _pads_below_all),
    InMode(
        ON_BOTH,
        PPU,
        "PPU.POOLING_PADDING_CFG.PAD_RIGHT",
        _pads_what_windows_see("WIDTH", "RIGHT", "LEFT"),
    ),
    InMode(
        ON_BOTH,
        PPU,
        "PPU.POOLING_PADDING_CFG.PAD_BOTTOM",
        _pads_what_windows_see("HEIGHT", "BOTTOM", "TOP"),
    ),
    InMode(ON_BOTH, PPU, "PPU.DATA_FORMAT.INDEX_ADD", _adds_no_index),
    InMode((V2,), PPU, "PPU.PADDING_VALUE_2_CFG.PAD_VALUE_1", _signs_the_padding),
    InMode((V2,), PPU_RDMA, "PPU_RDMA.DATA_FORMAT.IN_PRECISION", _reads_what_it_pools),
    InMode(
        (LITE,),
        PPU_RDMA,
        "PPU_RDMA.DATA_FORMAT.IN_PRECISION",
        lambda r: r["PPU_RDMA.DATA_FORMAT.IN_PRECISION"] == r["PPU.DATA_FORMAT.PROC_PRECISION"],
    ),
    InMode((LITE,), PPU_RDMA, "0x7018", lambda r: r.bits(0x7018) == 1),
    InMode((LITE,), PPU, "PPU.PADDING_VALUE_1_CFG.PAD_VALUE_0", _pads_in_range),
    *(InMode((LITE,), PPU, f"{each:#x}", _repeats_the_padding(each)) for each in MULTIPLES),
)
