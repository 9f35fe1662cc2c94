"""Fields of the output stage's readers that the model does not compute with, and what they follow from."""

from __future__ import annotations

from collections.abc import Callable

from rkbench.npu.execute.fields import TaskRegisters
from rkbench.npu.execute.mode import (
    FLOATS,
    ON_BOTH,
    InMode,
    computes_halves,
    convolves_depthwise,
    is_flying,
    reads_an_operand,
)
from rkbench.npu.fields import DEPTHWISE, FP16, FP32, INT8, INT16
from rkbench.npu.generations import LITE, V2, Generation
from rkbench.npu.tasks import DPU_RDMA

BOTH_READ_THE_OPERAND = 5
OF_CUBE = 1
READ_BYTES = {0: 0, 1: 4, 4: 2, 5: 6, 7: 8}
"""DATA_USE of BRDMA and NRDMA: bytes of one channel."""


def _widens(r: TaskRegisters) -> bool:
    """Whether 16 bits become 32 for a computation in floats, or nowhere, where they pass as they are."""
    name = "DPU_RDMA.FEATURE_MODE_CFG.MRDMA_FP16TOFP32_EN"
    floats = r["DPU.DATA_FORMAT.PROC_PRECISION"] in FLOATS
    if is_flying(r) and computes_halves(r):
        return r[name] == r["DPU.OUT_CVT_SCALE.FP32TOFP16_EN"]
    return r[name] == (floats and is_flying(r))


def _reads_the_same_cube(side: str) -> Callable[[TaskRegisters], bool]:
    read, made = (f"{block}.DATA_CUBE_{side}.{side}" for block in ("DPU_RDMA", "DPU"))
    return lambda r: is_flying(r) or r[read] == r[made]


def _reads_all_channels(r: TaskRegisters) -> bool:
    """Whether all channels are read; bytes that pass as int16 count half."""
    read, made = (r[f"{block}.DATA_CUBE_CHANNEL.CHANNEL"] + 1 for block in ("DPU_RDMA", "DPU"))
    stored, computed = r["DPU_RDMA.FEATURE_MODE_CFG.IN_PRECISION"], r["DPU.DATA_FORMAT.PROC_PRECISION"]
    return made == read * (2 if is_flying(r) and (stored, computed) == (INT16, INT8) else 1)


def _is_read_where_flying(generation: Generation) -> Callable[[TaskRegisters], bool]:
    def holds(r: TaskRegisters) -> bool:
        read, computed = r["DPU_RDMA.FEATURE_MODE_CFG.IN_PRECISION"], r["DPU.DATA_FORMAT.PROC_PRECISION"]
        wide = generation is LITE and (read, computed) == (FP32, FP16)
        return is_flying(r) or read == computed or wide

    return holds


def _disables_the_main_reader(r: TaskRegisters) -> bool:
    needed = is_flying(r) or r["DPU_RDMA.FEATURE_MODE_CFG.COMB_USE"] == BOTH_READ_THE_OPERAND
    return r["DPU_RDMA.FEATURE_MODE_CFG.MRDMA_DISABLE"] != needed


def _bytes_of_a_surface(r: TaskRegisters, generation: Generation) -> int:
    cube = "DPU.DATA_CUBE_"
    return (r[f"{cube}WIDTH.WIDTH"] + 1) * (r[f"{cube}HEIGHT.HEIGHT"] + 1) * generation.atom_bytes


def _gap(r: TaskRegisters, generation: Generation) -> int:
    """Return the bytes from the end of one surface of the operand to the next."""
    stride = r["DPU_RDMA.EW_SURF_STRIDE.EW_SURF_STRIDE"] * 16 + r.bits(0x5040, 3, 3) * 8
    return (stride - _bytes_of_a_surface(r, generation)) & 0xFFFF_FFFF


def _leaves_the_operands_gap(r: TaskRegisters) -> bool:
    """Whether the operand's notch is what lies between its surfaces, or that of the main reader."""
    notch, combined = r["DPU_RDMA.EW_SURF_NOTCH"], r["DPU_RDMA.FEATURE_MODE_CFG.COMB_USE"]
    if combined == BOTH_READ_THE_OPERAND:
        return notch == r["DPU_RDMA.SURF_NOTCH"]
    if not combined and not reads_an_operand(r):
        return not notch
    one_pixel = r["DPU_RDMA.ERDMA_CFG.ERDMA_DATA_MODE"] != OF_CUBE
    return (one_pixel and not notch) or notch == _gap(r, V2)


def _leaves_the_gap(r: TaskRegisters) -> bool:
    """The same of the RK3568's main notch where a convolution feeds the output stage."""
    if is_flying(r):
        return True
    of_cube = reads_an_operand(r) and r["DPU_RDMA.ERDMA_CFG.ERDMA_DATA_MODE"] == OF_CUBE
    return r["DPU_RDMA.SURF_NOTCH"] == (_gap(r, LITE) if of_cube else 0)


def _strides_by_both(r: TaskRegisters) -> bool:
    """Whether readers that take turns say how far their surfaces are apart, as their addresses do."""
    combined = r["DPU_RDMA.FEATURE_MODE_CFG.COMB_USE"]
    if not combined:
        return True
    apart = r["DPU_RDMA.EW_BASE_ADDR"] - r["DPU_RDMA.SRC_BASE_ADDR"]
    return r["DPU_RDMA.EW_SURF_STRIDE"] == (apart if combined == BOTH_READ_THE_OPERAND else 2 * apart)


def _counts_operands(reader: str, register: int) -> Callable[[TaskRegisters], bool]:
    """Return whether the RK3568 counts what BRDMA or NRDMA fetches, in units of 8 bytes."""

    def holds(r: TaskRegisters) -> bool:
        use = r[f"DPU_RDMA.{reader}_CFG.{reader}_DATA_USE"]
        channels = r["DPU.DATA_CUBE_CHANNEL.CHANNEL"] + 1
        fetched = -(-channels // 4) * 4 * READ_BYTES.get(use, 0) // 8
        return r.bits(register) == max(0, fetched - 1)

    return holds


def _says_no_operand(reader: str, register: int) -> Callable[[TaskRegisters], bool]:
    return lambda r: r.bits(register, 0, 0) == (not r[f"DPU_RDMA.{reader}_CFG.{reader}_DATA_USE"])


def _ends_before_the_next_surface(r: TaskRegisters) -> bool:
    """Whether the operand's surfaces begin at the next multiple of four pixels behind its last pixel."""
    last = r.bits(0x503C)
    return not last or r["DPU_RDMA.EW_SURF_STRIDE"] - last in (8, 16, 24, 32)


OF_READERS = (
    *(
        InMode(ON_BOTH, DPU_RDMA, f"DPU_RDMA.DATA_CUBE_{side}.{side}", _reads_the_same_cube(side))
        for side in ("WIDTH", "HEIGHT")
    ),
    InMode(ON_BOTH, DPU_RDMA, "DPU_RDMA.DATA_CUBE_CHANNEL.CHANNEL", _reads_all_channels),
    InMode(
        ON_BOTH,
        DPU_RDMA,
        "DPU_RDMA.FEATURE_MODE_CFG.CONV_MODE",
        lambda r: r["DPU_RDMA.FEATURE_MODE_CFG.CONV_MODE"] == convolves_depthwise(r) * DEPTHWISE,
    ),
    InMode((V2,), DPU_RDMA, "DPU_RDMA.FEATURE_MODE_CFG.MRDMA_FP16TOFP32_EN", _widens),
    InMode((V2,), DPU_RDMA, "DPU_RDMA.FEATURE_MODE_CFG.MRDMA_DISABLE", _disables_the_main_reader),
    InMode((V2,), DPU_RDMA, "DPU_RDMA.FEATURE_MODE_CFG.IN_PRECISION", _is_read_where_flying(V2)),
    InMode((LITE,), DPU_RDMA, "DPU_RDMA.FEATURE_MODE_CFG.IN_PRECISION", _is_read_where_flying(LITE)),
    InMode((V2,), DPU_RDMA, "DPU_RDMA.EW_SURF_NOTCH", _leaves_the_operands_gap),
    InMode((V2,), DPU_RDMA, "DPU_RDMA.EW_SURF_STRIDE", _strides_by_both),
    InMode((LITE,), DPU_RDMA, "DPU_RDMA.SURF_NOTCH", _leaves_the_gap),
    InMode(
        (LITE,),
        DPU_RDMA,
        "DPU_RDMA.FEATURE_MODE_CFG.COMB_USE",
        lambda r: not r["DPU_RDMA.FEATURE_MODE_CFG.COMB_USE"],
    ),
    InMode((LITE,), DPU_RDMA, "0x5024", _counts_operands("BRDMA", 0x5024)),
    InMode((LITE,), DPU_RDMA, "0x5030", _counts_operands("NRDMA", 0x5030)),
    InMode((LITE,), DPU_RDMA, "DPU_RDMA.BRDMA_CFG", _says_no_operand("BRDMA", 0x501C)),
    InMode((LITE,), DPU_RDMA, "DPU_RDMA.NRDMA_CFG", _says_no_operand("NRDMA", 0x5028)),
    InMode((LITE,), DPU_RDMA, "0x503c", _ends_before_the_next_surface),
)
