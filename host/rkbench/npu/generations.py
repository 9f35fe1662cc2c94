"""What differs between the NPUs whose commands we know: sizes, strides, and where fields stand.

RK3588 (`RKNPU v2`): the TRM. RK3566 and RK3568 (`RKNPU lite`): no document of its registers was found; all of
it comes from comparing what the compiler writes for one ONNX on both, and was confirmed by execution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", int, NDArray[np.int64])
Columns = dict[int, NDArray[np.uint32]]
"""Register -> its value in every task, 0 where the task's blocks do not read it."""


@dataclass(frozen=True)
class Generation:
    """One NPU design as the decoder needs it; sizes in bytes."""

    name: str
    """As .rknn files spell it."""
    atom_bytes: int
    """One pixel of one surface of NC1HWC2 (C2), but of 32-bit values, which take 16 bytes on both."""
    group_bytes: int
    """What the convolution reads of a pixel at a time."""
    real_group: int
    """Channels of which `DATAIN_CHANNEL_REAL` counts the last group, in any precision; 0: it counts all."""
    kernels_int8: int
    """Kernels of one block of weights and of one MAC cycle, in int8; half as many in fp16."""
    channels_int8: int
    """Input channels of one MAC cycle, int8 and fp16."""
    bank_count: int
    """Banks of the convolution buffer."""
    bank_bytes: int
    to_v2: Callable[[Columns, int], None]
    """Bring the registers of so many tasks into the places of the RK3588, in place."""
    moved_bits: dict[int, int]
    """Bits of documented registers that mean here what other bits mean on the RK3588."""
    own_registers: dict[int, str]
    """Registers that the RK3588's map lacks or names otherwise, and what they are."""
    unknown_registers: tuple[int, ...]
    """Registers that real files set and nobody has explained: kept, so that what runs them can look."""

    def real_channels(self, channels: Number, counted: Number) -> Number:
        """Return how many of the channels that a convolution fetches are features: the others fill a block.

        `channels` as DATAIN_CHANNEL has them, `counted` as DATAIN_CHANNEL_REAL; numbers, or arrays of them.
        """
        if not self.real_group:
            return counted + 1
        return (channels - 1) // self.real_group * self.real_group + counted + 1


def _same(_: Columns, __: int) -> None:
    """The RK3588's registers are where they are."""


def _lite_to_v2(columns: Columns, tasks: int) -> None:
    """Move what the RK3568 has elsewhere: the CORE block one up, algorithms, pad value, a switch, sizes."""
    zero = np.zeros(tasks, np.uint32)

    def get(register: int) -> NDArray[np.uint32]:
        return columns.get(register, zero)

    core, height_width, channel = get(0x200C), get(0x3010), get(0x3014)
    columns[0x3010] = core & np.uint32(3) | (core >> 12 & np.uint32(3)) << np.uint32(8)
    columns[0x3014], columns[0x3018] = height_width, channel
    columns[0x104C] = get(0x104C) ^ np.uint32(
        1
    )  # the input's conversion: here the bit says that there is one
    pad = (get(0x1068) >> 16).astype(np.uint16).view(np.int16)
    columns[0x1184] = pad.astype(np.int32).view(np.uint32)
    for config in (0x4040, 0x4060):
        # What the RK3568 may mean by bits 16 and 17 goes where the RK3588 has nothing, so that it is seen.
        columns[config] = (
            get(config) & ~np.uint32(0x3000C) | (get(config) >> 2 & 3) << 16 | (get(config) >> 16 & 3) << 2
        )
    average = get(0x6044)  # a pad value has 19 bits
    columns[0x6044] = np.where(average >> 18 == 1, average | np.uint32(0xFFF8_0000), average)
    elementwise = get(0x4070)
    columns[0x4070] = (
        elementwise & ~np.uint32(0x30018) | (elementwise >> 3 & 3) << 16 | (elementwise >> 16 & 3) << 3
    )
    _sizes_written(columns, zero)
    # The operand has the size that is computed in; bit 2 goes with 16-bit ones, what else is set is seen.
    bytes_computed = get(0x4010) & 7 == 0
    operand_size = np.where(bytes_computed, 1, 2).astype(np.uint32)
    unknown = get(0x5034) >> 2 & np.where(bytes_computed, 3, 2).astype(np.uint32)
    columns[0x5034] = get(0x5034) & ~np.uint32(0xC) | operand_size << 2 | unknown << 4


def _sizes_written(columns: Columns, zero: NDArray[np.uint32]) -> None:
    """Let WDMA_SIZE say what is written, and the cube what was computed.

    The RK3568 has one register for both. They differ where a linear enlargement writes pixels apart: its
    lines count as channels there.
    """
    width, height, channel = (columns.get(register, zero) for register in (0x4030, 0x4034, 0x403C))
    columns[0x4058], columns[0x405C] = channel & np.uint32(0x1FFF), height << np.uint32(16) | width
    size, channels = columns[0x3014], columns[0x3018] & np.uint32(0x1FFF)
    lines, columns_made = size >> 16, size & np.uint32(0xFFFF)
    spread = (lines > 0) & (width == 0) & (height == columns_made)
    spread &= (channel & np.uint32(0x1FFF)) + 1 == (channels + 1) * (lines + 1)
    columns[0x4030] = np.where(spread, columns_made, width)
    columns[0x4034] = np.where(spread, lines, height)
    columns[0x403C] = np.where(spread, channel & ~np.uint32(0x1FFF) | channels, channel)


#: 0x200C was found by execution; the others: Mesa's review of RK3568 support (mesa-dev, June 2026).
_LITE_REGISTERS = {
    0x2004: "CORE.S_POINTER",
    0x200C: "CORE.MISC_CFG (depthwise, sum of features)",
    0x3010: "CORE.DATAOUT_SIZE_0",
    0x3014: "CORE.DATAOUT_SIZE_1",
    0x1018: "CNA.CONV_CON4",
    **{0x1110 + 4 * i: f"CNA.DCOMP_ADDR{i}" for i in range(8)},
    **{0x1130 + 4 * i: f"CNA.DCOMP_AMOUNT{i}" for i in range(8)},
}
#: Values of two's complement, written with their sign.
_SIGNED = {0x4054: 0xFFFF_0000, 0x4104: 0xFFFF_0000}
#: Pad value and algorithms stand elsewhere; addresses and strides are multiples of 8, not of 16.
_LITE_MOVED = {
    **_SIGNED,
    0x1068: 0xFFFF_0000,
    0x4040: 0xC,
    0x4060: 0xC,
    0x4070: 0x18,
    **dict.fromkeys((0x4024, 0x40C0, 0x5040, 0x504C, 0x607C), 0x8),
}
_LITE_UNKNOWN = (0x5024, 0x5030, 0x503C, 0x604C, 0x6050, 0x7018)

V2 = Generation("RKNPU v2", 16, 64, 64, 32, 32, 12, 32 * 1024, _same, _SIGNED, {}, ())
LITE = Generation(
    "RKNPU lite", 8, 32, 0, 16, 32, 8, 32 * 1024, _lite_to_v2, _LITE_MOVED, _LITE_REGISTERS, _LITE_UNKNOWN
)
GENERATIONS = {generation.name: generation for generation in (V2, LITE)}
