"""Fields of the convolution that the model does not compute with, and what they follow from."""

from __future__ import annotations

from collections.abc import Callable

from rkbench.npu.execute.features import FIRST_ARGB
from rkbench.npu.execute.fields import TaskRegisters
from rkbench.npu.execute.mode import FLOATS, ON_BOTH, InMode
from rkbench.npu.fields import DEPTHWISE, FP16, INT8
from rkbench.npu.generations import LITE, V2, Generation
from rkbench.npu.tasks import CNA

ATOMS_OF_AN_ENTRY = 4
"""The buffer keeps features in entries of four atoms; three at the end of a pixel take a whole one."""
EACH_CHANNEL = 0xFFFF
EACH_OF_PIXELS = 0xFFF


def _is_depthwise(r: TaskRegisters) -> bool:
    return r["CNA.CONV_CON1.CONV_MODE"] == DEPTHWISE


def _counts_pixels(r: TaskRegisters) -> bool:
    width, height = (r[f"CORE.DATAOUT_SIZE_0.DATAOUT_{side}"] + 1 for side in ("WIDTH", "HEIGHT"))
    return r["CNA.DATA_SIZE3.DATAOUT_ATOMICS"] == width * height


def _pads_with_a_byte(r: TaskRegisters) -> bool:
    """Whether the padding of integers is a byte with its sign, or that byte twice with its sign."""
    value = r["CNA.PAD_CON1.PAD_VALUE"]
    signed = value - (1 << 32) if value >> 31 else value
    twice = (value & 0xFF) * 0x101
    twice -= (twice >> 15) << 16
    if r["CNA.CONV_CON1.IN_PRECISION"] in FLOATS:
        return value <= 0xFFFF or -0x8000 <= signed < 0
    return -128 <= signed < 128 or signed == twice


def _converts_signed(r: TaskRegisters) -> bool:
    idle = r["CNA.CVT_CON0.CVT_BYPASS"] or r["CNA.CONV_CON1.ARGB_IN"]
    return bool(idle) or r["CNA.CVT_CON0.DATA_SIGN"] == 1


def _converts_each_channel(r: TaskRegisters) -> bool:
    """Whether each channel has a bit, of 16, or of 12 where the runtime has packed pixels converted."""
    enabled = r["CNA.CVT_CON5.PER_CHANNEL_CVT_EN"]
    if r["CNA.CONV_CON1.ARGB_IN"]:
        return enabled in (0, EACH_OF_PIXELS)
    return enabled == (0 if r["CNA.CVT_CON0.CVT_BYPASS"] else EACH_CHANNEL)


def _atoms(r: TaskRegisters, generation: Generation) -> int:
    """Return the atoms of one pixel."""
    item_bytes = 1 if r["CNA.CONV_CON1.IN_PRECISION"] == INT8 else 2
    return -(-r["CNA.DATA_SIZE1.DATAIN_CHANNEL"] * item_bytes // generation.atom_bytes)


def _fills_the_buffer(generation: Generation) -> Callable[[TaskRegisters], bool]:
    def holds(r: TaskRegisters) -> bool:
        entries, width = r.bits(0x1044, 0, 14), r["CNA.DATA_SIZE0.DATAIN_WIDTH"]
        if r["CNA.CONV_CON1.ARGB_IN"]:
            return True  # the runtime writes its own
        whole, rest = divmod(_atoms(r, generation), ATOMS_OF_AN_ENTRY)
        last = width if rest == ATOMS_OF_AN_ENTRY - 1 else -(-rest * width // ATOMS_OF_AN_ENTRY)
        one_pixel = _is_depthwise(r) and width == 1
        return entries == whole * width + last or (one_pixel and not entries)

    return holds


def _counts_a_kernel(generation: Generation) -> Callable[[TaskRegisters], bool]:
    def holds(r: TaskRegisters) -> bool:
        size = "CNA.WEIGHT_SIZE2.WEIGHT_"
        atoms, taps = _atoms(r, generation), r[f"{size}HEIGHT"] * r[f"{size}WIDTH"]
        whole = atoms + (atoms % ATOMS_OF_AN_ENTRY == ATOMS_OF_AN_ENTRY - 1)
        counted = r["CNA.WEIGHT_SIZE1.WEIGHT_BYTES_PER_KERNEL"]
        exact = generation is V2 and not _is_depthwise(r) and r["CNA.CONV_CON1.IN_PRECISION"] == INT8
        return counted == taps * whole * generation.atom_bytes or (
            exact and counted == taps * atoms * generation.atom_bytes
        )

    return holds


def _counts_channels(generation: Generation) -> Callable[[TaskRegisters], bool]:
    def holds(r: TaskRegisters) -> bool:
        code, counted = r["CNA.CONV_CON1.ARGB_IN"], r["CNA.DATA_SIZE1.DATAIN_CHANNEL_REAL"]
        channels = r["CNA.DATA_SIZE1.DATAIN_CHANNEL"]
        if code:
            return counted == code - FIRST_ARGB
        return generation.real_channels(channels, counted) <= channels

    return holds


def _counts_weights(r: TaskRegisters) -> bool:
    kernels = 1 if _is_depthwise(r) else r["CNA.WEIGHT_SIZE2.WEIGHT_KERNELS"]
    return r["CNA.WEIGHT_SIZE0"] == kernels * r["CNA.WEIGHT_SIZE1.WEIGHT_BYTES_PER_KERNEL"]


def _spreads(side: str) -> Callable[[TaskRegisters], bool]:
    name = f"CNA.CONV_CON3.DECONV_{side}_STRIDE"
    return lambda r: bool(r[name]) == bool(r["CNA.CONV_CON1.DECONV"])


def _dilates(side: str, kernel: str) -> Callable[[TaskRegisters], bool]:
    name = f"CNA.CONV_CON3.ATROUS_{side}_DILATION"
    return lambda r: r[f"CNA.WEIGHT_SIZE2.WEIGHT_{kernel}"] != 1 or not r[name]


def _fetches_pixels_by_line(r: TaskRegisters) -> bool:
    return not r["CNA.CONV_CON1.ARGB_IN"] or r["CNA.CONV_CON1.GROUP_LINE_OFF"] == 1


def _fetches_whole_lines(generation: Generation) -> Callable[[TaskRegisters], bool]:
    """Return whether lines are fetched as they are; the RK3568 counts pixels of four halves by fours."""

    def holds(r: TaskRegisters) -> bool:
        fetched, width = r["CNA.FC_DATA_SIZE0.DMA_WIDTH"], r["CNA.DATA_SIZE0.DATAIN_WIDTH"]
        halves = r["CNA.CONV_CON1.IN_PRECISION"] == FP16 and r["CNA.DATA_SIZE1.DATAIN_CHANNEL"] == 4
        by_fours = generation is LITE and halves and fetched == -(-width // 4) * 4
        return bool(r["CNA.CONV_CON1.ARGB_IN"]) or fetched == width or by_fours

    return holds


def _keeps_whole_lines(r: TaskRegisters) -> bool:
    kept = r.bits(0x1044, 16)
    return bool(r["CNA.CONV_CON1.ARGB_IN"]) or kept == r["CNA.FC_DATA_SIZE0.DMA_WIDTH"]


def _counts_packed_pixels(r: TaskRegisters) -> bool:
    return bool(r["CNA.CONV_CON1.ARGB_IN"]) or not r.bits(0x1018)


OF_CONVOLUTION = (
    InMode(ON_BOTH, CNA, "CORE.MISC_CFG.DW_EN", lambda r: r["CORE.MISC_CFG.DW_EN"] == _is_depthwise(r)),
    InMode(ON_BOTH, CNA, "CNA.DATA_SIZE3.DATAOUT_ATOMICS", _counts_pixels),
    InMode((V2,), CNA, "CNA.DATA_SIZE1.DATAIN_CHANNEL_REAL", _counts_channels(V2)),
    InMode((LITE,), CNA, "CNA.DATA_SIZE1.DATAIN_CHANNEL_REAL", _counts_channels(LITE)),
    InMode(
        ON_BOTH,
        CNA,
        "CNA.WEIGHT_SIZE2.WEIGHT_KERNELS",
        lambda r: not _is_depthwise(r) or r["CNA.WEIGHT_SIZE2.WEIGHT_KERNELS"] == 1,
    ),
    *(InMode(ON_BOTH, CNA, f"CNA.CONV_CON3.DECONV_{side}_STRIDE", _spreads(side)) for side in "XY"),
    InMode(ON_BOTH, CNA, "CNA.CONV_CON3.ATROUS_X_DILATION", _dilates("X", "WIDTH")),
    InMode(ON_BOTH, CNA, "CNA.CONV_CON3.ATROUS_Y_DILATION", _dilates("Y", "HEIGHT")),
    InMode((V2,), CNA, "CNA.CONV_CON1.GROUP_LINE_OFF", _fetches_pixels_by_line),
    InMode(
        (LITE,),
        CNA,
        "CNA.CONV_CON1.GROUP_LINE_OFF",
        lambda r: not r["CNA.CONV_CON1.GROUP_LINE_OFF"],
    ),
    InMode(ON_BOTH, CNA, "CNA.PAD_CON1.PAD_VALUE", _pads_with_a_byte),
    InMode((V2,), CNA, "CNA.CBUF_CON1.DATA_ENTRIES", _fills_the_buffer(V2)),
    InMode((LITE,), CNA, "CNA.CBUF_CON1.DATA_ENTRIES", _fills_the_buffer(LITE)),
    InMode((V2,), CNA, "CNA.WEIGHT_SIZE1.WEIGHT_BYTES_PER_KERNEL", _counts_a_kernel(V2)),
    InMode((LITE,), CNA, "CNA.WEIGHT_SIZE1.WEIGHT_BYTES_PER_KERNEL", _counts_a_kernel(LITE)),
    InMode(ON_BOTH, CNA, "CNA.WEIGHT_SIZE0.WEIGHT_BYTES", _counts_weights),
    InMode(
        (V2,),
        CNA,
        "CNA.CONV_CON1.NONALIGN_DMA",
        lambda r: r["CNA.CONV_CON1.NONALIGN_DMA"] == bool(r["CNA.CONV_CON1.ARGB_IN"]),
    ),
    InMode((V2,), CNA, "CNA.CVT_CON0.DATA_SIGN", _converts_signed),
    InMode((V2,), CNA, "CNA.CVT_CON5.PER_CHANNEL_CVT_EN", _converts_each_channel),
    InMode(
        (V2,),
        CNA,
        "CORE.MISC_CFG.QD_EN",
        lambda r: r["CORE.MISC_CFG.QD_EN"] != r["DPU.BS_OW_CFG.OD_BYPASS"],
    ),
    InMode((LITE,), CNA, "CORE.MISC_CFG.QD_EN", lambda r: r["CORE.MISC_CFG.QD_EN"] == 1),
    InMode(
        (LITE,),
        CNA,
        "CNA.CONV_CON1.PROC_PRECISION",
        lambda r: r["CNA.CONV_CON1.PROC_PRECISION"] == 2 * r["CNA.CONV_CON1.IN_PRECISION"],
    ),
    InMode((V2,), CNA, "CNA.FC_DATA_SIZE0.DMA_WIDTH", _fetches_whole_lines(V2)),
    InMode((LITE,), CNA, "CNA.FC_DATA_SIZE0.DMA_WIDTH", _fetches_whole_lines(LITE)),
    InMode((LITE,), CNA, "CNA.CBUF_CON1", _keeps_whole_lines),
    InMode((LITE,), CNA, "0x1018", _counts_packed_pixels),
)
