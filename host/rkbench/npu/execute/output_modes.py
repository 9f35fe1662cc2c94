"""Fields of the output stage that the model does not compute with, and what they follow from."""

from __future__ import annotations

from collections.abc import Callable

from rkbench.npu.execute.fields import TaskRegisters
from rkbench.npu.execute.mode import (
    FLOATS,
    ON_BOTH,
    InMode,
    combines_two,
    computes_halves,
    convolves_depthwise,
    is_flying,
    reads_an_operand,
)
from rkbench.npu.execute.rearranged import is_edge, is_rearranged, is_spread
from rkbench.npu.fields import BF16, DEPTHWISE, FP16
from rkbench.npu.generations import LITE, V2, Generation
from rkbench.npu.tasks import CNA, DPU

COMBINATIONS = ((0, 0), (1, 3), (0, 5))
"""COMB_USE of the output stage and of its reader, on the RK3588; on the RK3568 both are 0."""
CHOSEN_TABLE = 2
TO_POOLING = 1
ROUNDINGS = (1, 2, 4, 8, 16, 32, 64)
"""Channels are filled up to a multiple of one of these."""


def _takes_what_comes(r: TaskRegisters) -> bool:
    """Whether the output stage expects what is computed before it, or what its reader reads."""
    taken, computed = r["DPU.DATA_FORMAT.IN_PRECISION"], r["DPU.DATA_FORMAT.PROC_PRECISION"]
    read = r["DPU_RDMA.FEATURE_MODE_CFG.IN_PRECISION"]
    if not is_flying(r):
        return taken == computed
    return taken == (computed if {computed, read} == {FP16, BF16} else read)


def _combines(r: TaskRegisters) -> bool:
    return (r["DPU.FEATURE_MODE_CFG.COMB_USE"], r["DPU_RDMA.FEATURE_MODE_CFG.COMB_USE"]) in COMBINATIONS


def _chooses_the_table(r: TaskRegisters) -> bool:
    idle = r["DPU.EW_CFG.EW_BYPASS"] or r["DPU.EW_CFG.EW_LUT_BYPASS"]
    return bool(idle) or r["DPU.LUT_CFG.LUT_LO_LE_MUX"] == CHOSEN_TABLE


def _is_the_readers(name: str, of_reader: str, *others: int) -> Callable[[TaskRegisters], bool]:
    return lambda r: not reads_an_operand(r) or r[name] in (r[of_reader], *others)


def _is_zero_in_floats(name: str) -> Callable[[TaskRegisters], bool]:
    return lambda r: r["DPU.DATA_FORMAT.PROC_PRECISION"] not in FLOATS or not r[name]


def _convolves_as_fed(r: TaskRegisters) -> bool:
    """Whether the RK3568's output stage is told of a depthwise convolution where there is one."""
    mode = r["DPU.FEATURE_MODE_CFG.CONV_MODE"]
    if convolves_depthwise(r):
        return mode == DEPTHWISE
    return mode == (r["DPU.FEATURE_MODE_CFG.OUTPUT_MODE"] != TO_POOLING)


def _truncates_products(r: TaskRegisters) -> bool:
    idle = not combines_two(r) or r["DPU.EW_CFG.EW_OP_TYPE"]
    return bool(idle) or not r["DPU.EW_CVT_SCALE_VALUE.EW_TRUNCATE"]


def _is_one_of_three(r: TaskRegisters) -> bool:
    sizes = {r[f"DPU.BS_OW_CFG.SIZE_E_{i}"] for i in range(3)}
    return len(sizes) == 1


def _fills_up(r: TaskRegisters) -> bool:
    size = "DPU.DATA_CUBE_CHANNEL."
    computed, real = r[f"{size}CHANNEL"] + 1, r[f"{size}ORIG_CHANNEL"] + 1
    return any(-(-real // unit) * unit == computed for unit in ROUNDINGS)


def _writes_the_real_channels(r: TaskRegisters) -> bool:
    idle = not is_rearranged(r) or is_spread(r)
    return idle or r["DPU.WDMA_SIZE_0.CHANNEL_WDMA"] == r["DPU.DATA_CUBE_CHANNEL.ORIG_CHANNEL"]


def _spaces_surfaces(generation: Generation) -> Callable[[TaskRegisters], bool]:
    """Return whether SURFACE_ADD follows from the distance of surfaces where output keeps its order."""

    def holds(r: TaskRegisters) -> bool:
        if is_rearranged(r) and not r["DPU.FEATURE_MODE_CFG.TP_EN"]:
            return True
        step, every = r["DPU.DST_SURF_STRIDE"], r["DPU.BS_OW_CFG.SIZE_E_2"] + 1
        expected = [every * step]
        if not is_flying(r):
            packed, lines = every * generation.atom_bytes, r["DPU.DATA_CUBE_HEIGHT.HEIGHT"] + 1
            expected += [packed, packed * lines]
        elif is_edge(r):
            expected.append(step * r["DPU.DATA_CUBE_NOTCH_ADDR.NOTCH_ADDR_0"])
        elif r["DPU_RDMA.SRC_DMA_CFG.UNPOOLING_EN"]:
            written, whole = every * step * (r["DPU.DATA_CUBE_HEIGHT.HEIGHT"] + 1), 4 * generation.atom_bytes
            expected = [written, -(-written // whole) * whole]  # surfaces hold a multiple of four pixels
        return r["DPU.SURFACE_ADD"] in expected

    return holds


def _repeats_lines(r: TaskRegisters) -> bool:
    """Whether the writer repeats a line as often as the reader says: the copies next to each other."""
    if not (is_flying(r) and r["DPU_RDMA.SRC_DMA_CFG.UNPOOLING_EN"]):
        return True
    copies, width = r["DPU_RDMA.SRC_DMA_CFG.KERNEL_STRIDE_HEIGHT"], r["DPU.DATA_CUBE_WIDTH.WIDTH"] + 1
    every, skipped = r["DPU.BS_OW_CFG.SIZE_E_2"], r["DPU.DATA_CUBE_NOTCH_ADDR.NOTCH_ADDR_0"]
    return (every, skipped) == (copies, copies * width)


def _narrows(r: TaskRegisters) -> bool:
    if is_flying(r) and computes_halves(r):
        return True  # as the reader widens
    floats = r["DPU.DATA_FORMAT.PROC_PRECISION"] in FLOATS or r["DPU.DATA_FORMAT.OUT_PRECISION"] == FP16
    return r["DPU.OUT_CVT_SCALE.FP32TOFP16_EN"] == floats


def _extends_the_sign(register: int) -> Callable[[TaskRegisters], bool]:
    """Return whether 16 bits stand with nothing above them, or with copies of their sign."""

    def holds(r: TaskRegisters) -> bool:
        high = r.bits(register, 16)
        return not high or (high == 0xFFFF and bool(r.bits(register, 15, 15)))

    return holds


SHIFTS = (
    "DPU.BS_MUL_CFG.BS_MUL_SHIFT_VALUE",
    "DPU.BN_MUL_CFG.BN_MUL_SHIFT_VALUE",
    "DPU.DATA_FORMAT.BS_MUL_SHIFT_VALUE_NEG",
    "DPU.DATA_FORMAT.BN_MUL_SHIFT_VALUE_NEG",
)
ONLY_ON_RK3588 = (
    "DPU.FEATURE_MODE_CFG.TP_EN",
    "DPU.BS_OW_CFG.TP_ORG_EN",
    "DPU.WDMA_SIZE_0.TP_PRECISION",
    "DPU.WDMA_SIZE_0.SIZE_C_WDMA",
    "DPU.DATA_CUBE_HEIGHT.MINMAX_CTL",
    "DPU.OUT_CVT_SHIFT.CVT_ROUND",
)
"""What the RK3568 means by these was not found out."""


def _is_zero(name: str) -> Callable[[TaskRegisters], bool]:
    return lambda r: not r[name]


def _fills_nothing(r: TaskRegisters) -> bool:
    size = "DPU.DATA_CUBE_CHANNEL."
    return r[f"{size}CHANNEL"] == r[f"{size}ORIG_CHANNEL"] or not r["DPU.OFFSET_PEND.OFFSET_PEND"]


ALGORITHMS = {"BS": 0x4040, "BN": 0x4060, "EW": 0x4070}


def _has_two_bits(register: int) -> Callable[[TaskRegisters], bool]:
    """Return whether an algorithm is below 4, as all that the RK3568's field holds."""
    return lambda r: not r.bits(register, 18, 19)


OF_OUTPUT = (
    *(
        InMode((LITE,), DPU, f"DPU.{stage}_CFG.{stage}_ALU_ALGO", _has_two_bits(register))
        for stage, register in ALGORITHMS.items()
    ),
    InMode((LITE,), DPU, "DPU.OFFSET_PEND.OFFSET_PEND", _fills_nothing),
    *(InMode((LITE,), DPU, name, _is_zero(name)) for name in ONLY_ON_RK3588),
    InMode((LITE,), CNA | DPU, "DPU.FEATURE_MODE_CFG.CONV_MODE", _convolves_as_fed),
    InMode(
        (LITE,),
        DPU,
        "DPU.FEATURE_MODE_CFG.CONV_MODE",
        lambda r: not is_flying(r) or r["DPU.FEATURE_MODE_CFG.CONV_MODE"] == 1,
    ),
    InMode(
        (V2,),
        DPU,
        "DPU.FEATURE_MODE_CFG.CONV_MODE",
        lambda r: not is_flying(r) or not r["DPU.FEATURE_MODE_CFG.CONV_MODE"],
    ),
    InMode(ON_BOTH, DPU, "DPU.DATA_FORMAT.IN_PRECISION", _takes_what_comes),
    InMode((V2,), DPU, "DPU.FEATURE_MODE_CFG.COMB_USE", _combines),
    InMode((V2,), DPU, "DPU.OUT_CVT_SCALE.FP32TOFP16_EN", _narrows),
    InMode(
        ON_BOTH,
        DPU,
        "DPU.BS_OW_CFG.OD_BYPASS",
        lambda r: not is_flying(r) or r["DPU.BS_OW_CFG.OD_BYPASS"] == 1,
    ),
    InMode(ON_BOTH, DPU, "DPU.BS_OW_CFG.SIZE_E_0", _is_one_of_three),
    InMode(ON_BOTH, DPU, "DPU.DATA_CUBE_CHANNEL.ORIG_CHANNEL", _fills_up),
    InMode((V2,), DPU, "DPU.WDMA_SIZE_0.CHANNEL_WDMA", _writes_the_real_channels),
    InMode(ON_BOTH, DPU, "DPU.DATA_CUBE_NOTCH_ADDR.NOTCH_ADDR_0", _repeats_lines),
    InMode((V2,), DPU, "DPU.SURFACE_ADD", _spaces_surfaces(V2)),
    InMode((LITE,), DPU, "DPU.SURFACE_ADD", _spaces_surfaces(LITE)),
    InMode(ON_BOTH, DPU, "DPU.LUT_CFG.LUT_LO_LE_MUX", _chooses_the_table),
    InMode((LITE,), DPU, "DPU.LUT_ACCESS_DATA", _extends_the_sign(0x4104)),
    InMode((LITE,), DPU, "DPU.BS_OW_OP", _extends_the_sign(0x4054)),
    InMode(
        ON_BOTH,
        DPU,
        "DPU.EW_CFG.EW_DATA_MODE",
        _is_the_readers("DPU.EW_CFG.EW_DATA_MODE", "DPU_RDMA.ERDMA_CFG.ERDMA_DATA_MODE"),
    ),
    InMode(
        (V2,),
        DPU,
        "DPU.EW_CFG.EDATA_SIZE",
        _is_the_readers("DPU.EW_CFG.EDATA_SIZE", "DPU_RDMA.ERDMA_CFG.ERDMA_DATA_SIZE", 0),
    ),
    InMode(ON_BOTH, DPU, "DPU.EW_CVT_SCALE_VALUE.EW_TRUNCATE", _truncates_products),
    *(InMode(ON_BOTH, DPU, name, _is_zero_in_floats(name)) for name in SHIFTS),
    InMode(
        ON_BOTH,
        DPU,
        "DPU.OUT_CVT_SHIFT.MINUS_EXP",
        lambda r: r["DPU.DATA_FORMAT.OUT_PRECISION"] == FP16 or not r["DPU.OUT_CVT_SHIFT.MINUS_EXP"],
    ),
)
