"""The bits of a task that may be set though nobody reads them, each with its reason.

`FREE`: they never decide anything about values. `IDLE`: they belong to what is switched off. `modelled.py`
refuses every other bit that is set and was not read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rkbench.npu.execute.features import FIRST_ARGB, read_window
from rkbench.npu.execute.fields import TaskRegisters
from rkbench.npu.execute.mode import combines_two, reads_an_operand
from rkbench.npu.execute.rearranged import is_recounted
from rkbench.npu.fields import BF16, FP16, FP32, INT8, INT16, INT32
from rkbench.npu.generations import LITE, V2, Generation
from rkbench.npu.tasks import CNA, DPU, DPU_RDMA, PPU

ON_BOTH = (V2, LITE)
ITEM_BYTES = {INT8: 1, INT16: 2, FP16: 2, BF16: 2, INT32: 4, FP32: 4}
Condition = Callable[[TaskRegisters, Generation], bool]


class Free(NamedTuple):
    """Bits that decide nothing about values, and why."""

    generations: tuple[Generation, ...]
    bits: str
    """A register and its fields, or first and last bit; `*`: all of them."""
    why: str


class Idle(NamedTuple):
    """Bits of what does not take part where `idle` is true."""

    block: int
    """That runs; others have no such bits."""
    idle: Condition
    bits: tuple[str, ...]
    """Each as in `Free`."""
    why: str


FREE = (
    Free(ON_BOTH, "CNA.CONV_CON2 FEATURE_GRAINS", "lines fetched before the first is computed"),
    Free((V2,), "CNA.CONV_CON2 28-30", "cores that share the layer: 0 one, 1 and 4 two, 2 and 5 three"),
    Free(ON_BOTH, "CNA.CBUF_CON0 WEIGHT_BANK DATA_BANK", "how the buffer is split"),
    Free((V2,), "CNA.DMA_CON0 WEIGHT_BURST_LEN DATA_BURST_LEN", "bursts"),
    Free((LITE,), "CNA.DMA_CON0 WEIGHT_BURST_LEN DATA_BURST_LEN 10-12 20-20", "bursts"),
    Free((LITE,), "CORE.MAC_GATING SLCG_OP_EN", "clocks"),
    Free((LITE,), "CNA.PAD_CON0 16-31", "the pad value, which is read where the RK3588 has it"),
    Free((LITE,), "0x200c 0-1 12-13", "CORE.MISC_CFG, which is read where the RK3588 has it"),
    Free(ON_BOTH, "DPU.FEATURE_MODE_CFG BURST_LEN", "bursts"),
    Free(ON_BOTH, "DPU.DATA_CUBE_CHANNEL ORIG_CHANNEL", "of the tensor; all up to CHANNEL are written"),
    Free((V2,), "DPU.EW_CFG EDATA_SIZE", "0, or what the operand's reader says, which is read"),
    Free(ON_BOTH, "DPU.LUT_ACCESS_CFG LUT_ACCESS_TYPE LUT_TABLE_ID LUT_ADDR", "filling of tables: decoded"),
    Free(ON_BOTH, "DPU.LUT_ACCESS_DATA LUT_ACCESS_DATA", "filling of tables: decoded"),
    Free(ON_BOTH, "DPU_RDMA.FEATURE_MODE_CFG BURST_LEN", "bursts"),
    Free((V2,), "DPU_RDMA.ERDMA_CFG OV4K_BYPASS", "bursts across 4 KB"),
    Free(ON_BOTH, "DPU_RDMA.WEIGHT E_WEIGHT N_WEIGHT B_WEIGHT M_WEIGHT", "which reader goes first"),
    Free((LITE,), "0x503c *", "bytes of the operand's surfaces: 0, or as their distance says"),
    Free((LITE,), "PPU.DATA_FORMAT INDEX_ADD", "0, or the distance of surfaces; positions are not asked for"),
    Free((LITE,), "PPU.DATA_FORMAT DPU_FLYIN", "says FLYING_MODE again in most tasks, and that is read"),
    Free(ON_BOTH, "PPU.MISC_CTRL BURST_LEN", "bursts"),
)
"""Whatever the task does."""


def _is_set(name: str) -> Condition:
    return lambda r, _: bool(r[name])


def _computes_no_operation(r: TaskRegisters, _: Generation) -> bool:
    return not combines_two(r)


def _fetches_no_operand(r: TaskRegisters, _: Generation) -> bool:
    return not reads_an_operand(r)


def _fetches_one_for_all(r: TaskRegisters, _: Generation) -> bool:
    return r["DPU_RDMA.ERDMA_CFG.ERDMA_DATA_MODE"] == 0


def _converts_at_most(channels: int) -> Condition:
    return lambda r, _: FIRST_ARGB <= r["CNA.CONV_CON1.ARGB_IN"] < FIRST_ARGB + channels


def _packs_or_recounts(r: TaskRegisters, _: Generation) -> bool:
    return bool(r["DPU.DATA_CUBE_HEIGHT.MINMAX_CTL"]) or is_recounted(r)


def _turns_one_row_of_tiles(r: TaskRegisters, _: Generation) -> bool:
    return bool(r["DPU.BS_OW_CFG.TP_ORG_EN"]) and not r["DPU.WDMA_SIZE_0.SIZE_C_WDMA"]


def _feeds_pooling(r: TaskRegisters, _: Generation) -> bool:
    return r["DPU.FEATURE_MODE_CFG.OUTPUT_MODE"] == 1


def _fills_whole_atoms(r: TaskRegisters, generation: Generation) -> bool:
    item_bytes = ITEM_BYTES.get(r["DPU.DATA_FORMAT.OUT_PRECISION"], 1)
    return (r["DPU.DATA_CUBE_CHANNEL.CHANNEL"] + 1) * item_bytes % generation.atom_bytes == 0


def _is_within_an_atom(channels: str, more: int, precision: str) -> Condition:
    def idle(r: TaskRegisters, generation: Generation) -> bool:
        return (r[channels] + more) * ITEM_BYTES.get(r[precision], 4) <= generation.atom_bytes

    return idle


def _is(name: str, value: int) -> Condition:
    return lambda r, _: r[name] == value


def _reads_packed_pixels(r: TaskRegisters, _: Generation) -> bool:
    return bool(r["CNA.CONV_CON1.ARGB_IN"])


def _keeps_packed_pixels(r: TaskRegisters, generation: Generation) -> bool:
    return generation is LITE and bool(r["CNA.CONV_CON1.ARGB_IN"])


def _pads_nothing(r: TaskRegisters, _: Generation) -> bool:
    """Whether every window lies within the features."""
    window, size = read_window(r), "CORE.DATAOUT_SIZE_0.DATAOUT_"
    needs = window.needs((r[f"{size}HEIGHT"] + 1, r[f"{size}WIDTH"] + 1))
    spread = r["CNA.CONV_CON1.DECONV"]
    padding = r["CNA.PAD_CON0.PAD_TOP"] or r["CNA.PAD_CON0.PAD_LEFT"]
    features = r["CNA.DATA_SIZE0.DATAIN_HEIGHT"], r["CNA.DATA_SIZE0.DATAIN_WIDTH"]
    return not (spread or padding or needs[0] > features[0] or needs[1] > features[1])


def _conversion_of(channel: int) -> tuple[str, str]:
    return (
        f"CNA.CVT_CON0 CVT_TRUNCATE_{channel}",
        f"CNA.CVT_CON{channel + 1} CVT_SCALE{channel} CVT_OFFSET{channel}",
    )


def _scaling(stage: str) -> tuple[str, ...]:
    switches = ("ALU_ALGO", "ALU_SRC", "RELUX_EN", "RELU_BYPASS", "MUL_PRELU", "MUL_BYPASS", "ALU_BYPASS")
    return (
        f"DPU.{stage}_CFG " + " ".join(f"{stage}_{name}" for name in switches),
        f"DPU.{stage}_ALU_CFG {stage}_ALU_OPERAND",
        f"DPU.{stage}_MUL_CFG {stage}_MUL_OPERAND {stage}_MUL_SHIFT_VALUE {stage}_MUL_SRC",
        f"DPU_RDMA.{stage}_BASE_ADDR *",
    )


OF_EACH_CHANNEL = tuple(bits for channel in range(4) for bits in _conversion_of(channel))
OPERANDS_READER = (
    "DPU_RDMA.ERDMA_CFG ERDMA_DATA_MODE ERDMA_DATA_SIZE ERDMA_DISABLE",
    "DPU_RDMA.EW_BASE_ADDR *",
    "DPU_RDMA.EW_SURF_STRIDE 3-31",
    "DPU.EW_CFG EW_DATA_MODE EDATA_SIZE",
)
IDLE = (
    Idle(
        CNA,
        _is_set("CNA.CVT_CON0.CVT_BYPASS"),
        ("CNA.CVT_CON0 DATA_SIGN CVT_TYPE", *OF_EACH_CHANNEL),
        "features are not converted",
    ),
    *(
        Idle(CNA, _converts_at_most(channel), _conversion_of(channel), "pixels have no such channel")
        for channel in (1, 2, 3)
    ),
    *(
        Idle(DPU, _is_set(f"DPU.{stage}_CFG.{stage}_BYPASS"), _scaling(stage), f"{stage} is bypassed")
        for stage in ("BS", "BN")
    ),
    Idle(
        DPU,
        _is_set("DPU.EW_CFG.EW_BYPASS"),
        ("DPU.EW_CFG EW_ALU_ALGO EW_RELU_BYPASS EW_LUT_BYPASS EW_OP_TYPE EW_OP_BYPASS",),
        "EW is bypassed",
    ),
    Idle(
        DPU,
        _computes_no_operation,
        (
            "DPU.EW_CFG EW_CVT_TYPE EW_ALU_ALGO EW_OP_CVT_BYPASS EW_OP_SRC EW_OP_TYPE",
            "DPU.EW_CVT_SCALE_VALUE EW_OP_CVT_SCALE",
        ),
        "EW makes nothing of two",
    ),
    Idle(
        DPU,
        _is_set("DPU.EW_CFG.EW_OP_CVT_BYPASS"),
        ("DPU.EW_CVT_SCALE_VALUE EW_OP_CVT_SCALE EW_OP_CVT_SHIFT",),
        "the operand is not converted",
    ),
    Idle(DPU, _fetches_no_operand, OPERANDS_READER, "what the operand's reader fetches is not taken"),
    Idle(
        DPU_RDMA,
        _fetches_one_for_all,
        ("DPU_RDMA.EW_SURF_STRIDE 3-31",),
        "the operand is one pixel",
    ),
    Idle(
        DPU,
        _packs_or_recounts,
        ("DPU.DST_SURF_STRIDE DST_SURF_STRIDE",),
        "surfaces lie SURFACE_ADD apart, or there is only one",
    ),
    Idle(DPU, _turns_one_row_of_tiles, ("DPU.SURFACE_ADD *",), "one row of tiles"),
    Idle(DPU, _feeds_pooling, ("DPU.DST_BASE_ADDR *", "DPU.DST_SURF_STRIDE *"), "nothing is written"),
    Idle(DPU, _fills_whole_atoms, ("DPU.OFFSET_PEND OFFSET_PEND",), "no channels behind the last one"),
    Idle(CNA, _pads_nothing, ("CNA.PAD_CON1 PAD_VALUE",), "nothing is padded"),
    Idle(
        CNA,
        _keeps_packed_pixels,
        ("0x1018 *", "CNA.CBUF_CON1 16-31"),
        "how packed pixels are kept in the buffer",
    ),
    Idle(
        CNA,
        _reads_packed_pixels,
        ("CNA.CBUF_CON1 0-14", "CNA.FC_DATA_SIZE0 DMA_WIDTH"),
        "how packed pixels are kept in the buffer: the runtime writes its own",
    ),
    Idle(
        CNA,
        _reads_packed_pixels,
        ("CNA.CVT_CON5 PER_CHANNEL_CVT_EN",),
        "a bit for each channel, of a conversion that is read",
    ),
    Idle(CNA, _reads_packed_pixels, ("CNA.DMA_CON2 SURF_STRIDE",), "packed pixels have no surfaces"),
    Idle(
        CNA,
        _is_within_an_atom("CNA.DATA_SIZE1.DATAIN_CHANNEL", 0, "CNA.CONV_CON1.IN_PRECISION"),
        ("CNA.DMA_CON2 SURF_STRIDE",),
        "one surface",
    ),
    Idle(CNA, _is("CNA.DATA_SIZE0.DATAIN_HEIGHT", 1), ("CNA.DMA_CON1 LINE_STRIDE",), "one line"),
    Idle(CNA, _is("CORE.DATAOUT_SIZE_0.DATAOUT_WIDTH", 0), ("CNA.CONV_CON3 CONV_X_STRIDE",), "one step"),
    Idle(CNA, _is("CORE.DATAOUT_SIZE_0.DATAOUT_HEIGHT", 0), ("CNA.CONV_CON3 CONV_Y_STRIDE",), "one step"),
    Idle(
        DPU_RDMA,
        _is_within_an_atom("DPU_RDMA.DATA_CUBE_CHANNEL.CHANNEL", 1, "DPU_RDMA.FEATURE_MODE_CFG.IN_PRECISION"),
        ("DPU_RDMA.SURF_NOTCH *",),
        "one surface",
    ),
    Idle(
        DPU_RDMA,
        _is("DPU_RDMA.DATA_CUBE_HEIGHT.HEIGHT", 0),
        ("DPU_RDMA.SRC_DMA_CFG LINE_NOTCH_ADDR", "DPU_RDMA.DATA_CUBE_HEIGHT EW_LINE_NOTCH_ADDR"),
        "one line",
    ),
    Idle(
        PPU,
        _is("PPU.DATA_CUBE_OUT_HEIGHT.CUBE_OUT_HEIGHT", 0),
        ("PPU.OPERATION_MODE_CFG NOTCH_ADDR", "PPU.POOLING_KERNEL_CFG KERNEL_STRIDE_HEIGHT"),
        "one line",
    ),
    Idle(
        PPU,
        _is("PPU.DATA_CUBE_OUT_WIDTH.CUBE_OUT_WIDTH", 0),
        ("PPU.POOLING_KERNEL_CFG KERNEL_STRIDE_WIDTH",),
        "one column",
    ),
    Idle(
        PPU,
        _is("PPU.POOLING_PADDING_CFG", 0),
        ("PPU.PADDING_VALUE_1_CFG PAD_VALUE_0", "PPU.PADDING_VALUE_2_CFG PAD_VALUE_1"),
        "nothing is padded",
    ),
    Idle(
        PPU,
        _is_within_an_atom("PPU.DATA_CUBE_IN_CHANNEL.CUBE_IN_CHANNEL", 1, "PPU.DATA_FORMAT.PROC_PRECISION"),
        ("PPU_RDMA.SRC_SURF_STRIDE SRC_SURF_STRIDE", "PPU.DST_SURF_STRIDE DST_SURF_STRIDE"),
        "one surface",
    ),
    Idle(
        PPU,
        _is("PPU.DATA_CUBE_IN_HEIGHT.CUBE_IN_HEIGHT", 0),
        ("PPU_RDMA.SRC_LINE_STRIDE SRC_LINE_STRIDE",),
        "one line",
    ),
)
"""Where something is switched off."""
