"""Fields that this model does not read in some mode, and what they hold there in every task of every file at
hand.

Another value would mean what nobody has seen: it is refused, not ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.fields import BF16, DEPTHWISE, FP16, FP32
from rkbench.npu.generations import LITE, V2, Generation
from rkbench.npu.tasks import CNA, DPU, DPU_RDMA, PPU

FLOATS = (FP16, BF16, FP32)
ON_BOTH = (V2, LITE)
COMBINATIONS = ((0, 0), (1, 3), (0, 5))
"""COMB_USE of the output stage and of its reader, on the RK3588; on the RK3568 both are 0."""
CHOSEN_TABLE = 2
MAX_POOLING = 1
MAX_PADDING = (0, 0x7FF80, 0xFBFF)
"""What is below every value: of int8 and of fp16 on the RK3568; the RK3588 has 0 and does not look."""


class InMode(NamedTuple):
    """`name` is as `holds` says wherever all of `blocks` run."""

    generations: tuple[Generation, ...]
    blocks: int
    name: str
    holds: Callable[[TaskRegisters], bool]


def _counts_pixels(r: TaskRegisters) -> bool:
    width, height = (r[f"CORE.DATAOUT_SIZE_0.DATAOUT_{side}"] + 1 for side in ("WIDTH", "HEIGHT"))
    return r["CNA.DATA_SIZE3.DATAOUT_ATOMICS"] == width * height


def _pads_with_a_byte(r: TaskRegisters) -> bool:
    """Whether the padding of integers is a byte with its sign, or that byte twice with its sign."""
    value = r["CNA.PAD_CON1.PAD_VALUE"]
    signed = value - (1 << 32) if value >> 31 else value
    twice = (value & 0xFF) * 0x101
    twice -= (twice >> 15) << 16
    return r["CNA.CONV_CON1.IN_PRECISION"] in FLOATS or -128 <= signed < 128 or signed == twice


def _converts_signed(r: TaskRegisters) -> bool:
    idle = r["CNA.CVT_CON0.CVT_BYPASS"] or r["CNA.CONV_CON1.ARGB_IN"]
    return bool(idle) or r["CNA.CVT_CON0.DATA_SIGN"] == 1


def _is_flying(r: TaskRegisters) -> bool:
    return bool(r["DPU.FEATURE_MODE_CFG.FLYING_MODE"])


def _takes_what_comes(r: TaskRegisters) -> bool:
    """Whether the output stage expects what is computed before it, or what its reader reads."""
    taken, computed = r["DPU.DATA_FORMAT.IN_PRECISION"], r["DPU.DATA_FORMAT.PROC_PRECISION"]
    read = r["DPU_RDMA.FEATURE_MODE_CFG.IN_PRECISION"]
    if not _is_flying(r):
        return taken == computed
    return taken == read or (taken == computed and {taken, read} == {FP16, BF16})


def _combines(r: TaskRegisters) -> bool:
    return (r["DPU.FEATURE_MODE_CFG.COMB_USE"], r["DPU_RDMA.FEATURE_MODE_CFG.COMB_USE"]) in COMBINATIONS


def _chooses_the_table(r: TaskRegisters) -> bool:
    idle = r["DPU.EW_CFG.EW_BYPASS"] or r["DPU.EW_CFG.EW_LUT_BYPASS"]
    return bool(idle) or r["DPU.LUT_CFG.LUT_LO_LE_MUX"] == CHOSEN_TABLE


def _combines_two(r: TaskRegisters) -> bool:
    return not (r["DPU.EW_CFG.EW_BYPASS"] or r["DPU.EW_CFG.EW_OP_BYPASS"])


def _reads_an_operand(r: TaskRegisters) -> bool:
    return _combines_two(r) and bool(r["DPU.EW_CFG.EW_OP_SRC"])


def _is_the_readers(name: str, of_reader: str, *others: int) -> Callable[[TaskRegisters], bool]:
    return lambda r: not _reads_an_operand(r) or r[name] in (r[of_reader], *others)


def _is_zero_in_floats(name: str) -> Callable[[TaskRegisters], bool]:
    return lambda r: r["DPU.DATA_FORMAT.PROC_PRECISION"] not in FLOATS or not r[name]


def _convolves_as_fed(r: TaskRegisters) -> bool:
    """Whether the RK3568's output stage is told of a depthwise convolution where there is one."""
    depthwise = r["CNA.CONV_CON1.CONV_MODE"] == DEPTHWISE
    return (r["DPU.FEATURE_MODE_CFG.CONV_MODE"] == DEPTHWISE) == depthwise


def _pads_below_all(r: TaskRegisters) -> bool:
    method, value = r["PPU.OPERATION_MODE_CFG.POOLING_METHOD"], r["PPU.PADDING_VALUE_1_CFG.PAD_VALUE_0"]
    return method != MAX_POOLING or value in MAX_PADDING


SHIFTS = (
    "DPU.BS_MUL_CFG.BS_MUL_SHIFT_VALUE",
    "DPU.BN_MUL_CFG.BN_MUL_SHIFT_VALUE",
    "DPU.DATA_FORMAT.BS_MUL_SHIFT_VALUE_NEG",
    "DPU.DATA_FORMAT.BN_MUL_SHIFT_VALUE_NEG",
)
MODES = (
    InMode(
        ON_BOTH,
        CNA,
        "CORE.MISC_CFG.DW_EN",
        lambda r: r["CORE.MISC_CFG.DW_EN"] == (r["CNA.CONV_CON1.CONV_MODE"] == DEPTHWISE),
    ),
    InMode(ON_BOTH, CNA, "CNA.DATA_SIZE3.DATAOUT_ATOMICS", _counts_pixels),
    InMode(ON_BOTH, CNA, "CNA.PAD_CON1.PAD_VALUE", _pads_with_a_byte),
    InMode((V2,), CNA, "CNA.CVT_CON0.DATA_SIGN", _converts_signed),
    InMode(
        (LITE,),
        CNA,
        "CNA.CONV_CON1.PROC_PRECISION",
        lambda r: r["CNA.CONV_CON1.PROC_PRECISION"] == 2 * r["CNA.CONV_CON1.IN_PRECISION"],
    ),
    InMode((LITE,), CNA | DPU, "DPU.FEATURE_MODE_CFG.CONV_MODE", _convolves_as_fed),
    InMode(
        (V2,),
        DPU,
        "DPU.FEATURE_MODE_CFG.CONV_MODE",
        lambda r: not _is_flying(r) or not r["DPU.FEATURE_MODE_CFG.CONV_MODE"],
    ),
    InMode(ON_BOTH, DPU, "DPU.DATA_FORMAT.IN_PRECISION", _takes_what_comes),
    InMode((V2,), DPU, "DPU.FEATURE_MODE_CFG.COMB_USE", _combines),
    InMode((LITE,), DPU, "DPU.FEATURE_MODE_CFG.COMB_USE", lambda r: not r["DPU.FEATURE_MODE_CFG.COMB_USE"]),
    InMode(
        (LITE,),
        DPU_RDMA,
        "DPU_RDMA.FEATURE_MODE_CFG.COMB_USE",
        lambda r: not r["DPU_RDMA.FEATURE_MODE_CFG.COMB_USE"],
    ),
    InMode(
        ON_BOTH,
        DPU | DPU_RDMA,
        "DPU_RDMA.FEATURE_MODE_CFG.MRDMA_DISABLE",
        lambda r: not _is_flying(r) or not r["DPU_RDMA.FEATURE_MODE_CFG.MRDMA_DISABLE"],
    ),
    InMode(ON_BOTH, DPU, "DPU.LUT_CFG.LUT_LO_LE_MUX", _chooses_the_table),
    InMode(
        ON_BOTH,
        DPU,
        "DPU.EW_CFG.EW_DATA_MODE",
        _is_the_readers("DPU.EW_CFG.EW_DATA_MODE", "DPU_RDMA.ERDMA_CFG.ERDMA_DATA_MODE"),
    ),
    InMode(
        ON_BOTH,
        DPU,
        "DPU.EW_CFG.EDATA_SIZE",
        _is_the_readers("DPU.EW_CFG.EDATA_SIZE", "DPU_RDMA.ERDMA_CFG.ERDMA_DATA_SIZE", 0),
    ),
    InMode(
        ON_BOTH,
        DPU,
        "DPU.EW_CVT_SCALE_VALUE.EW_TRUNCATE",
        lambda r: (
            not _combines_two(r)
            or bool(r["DPU.EW_CFG.EW_OP_TYPE"])
            or not r["DPU.EW_CVT_SCALE_VALUE.EW_TRUNCATE"]
        ),
    ),
    *(InMode(ON_BOTH, DPU, name, _is_zero_in_floats(name)) for name in SHIFTS),
    InMode(
        ON_BOTH,
        DPU,
        "DPU.OUT_CVT_SHIFT.MINUS_EXP",
        lambda r: r["DPU.DATA_FORMAT.OUT_PRECISION"] == FP16 or not r["DPU.OUT_CVT_SHIFT.MINUS_EXP"],
    ),
    InMode(ON_BOTH, PPU, "PPU.PADDING_VALUE_1_CFG.PAD_VALUE_0", _pads_below_all),
)


def refuse_other_modes(registers: TaskRegisters, enable: int, generation: Generation) -> None:
    """Raise UnmodelledError for the first field that holds what it never does in the task's mode."""
    for generations, blocks, name, holds in MODES:
        if generation in generations and enable & blocks == blocks and not holds(registers):
            raise UnmodelledError(f"{name} = {registers[name]:#x} in this mode")
    if enable & PPU and registers["PPU.OPERATION_MODE_CFG.FLYING_MODE"] == bool(enable & DPU):
        name = "PPU.OPERATION_MODE_CFG.FLYING_MODE"
        raise UnmodelledError(f"{name} = {registers[name]} of blocks {enable:#x}")
