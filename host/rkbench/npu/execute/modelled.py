"""Which fields of which registers this model of the NPU knows. Every other bit has to be 0.

A list of fields, not of registers: an ignored bit once gave silently wrong outputs on an RK3568. What is in
no list is refused by its name. Real files were the measure of what is `SILENT`: fields that only say how
something is done (banks of the buffer, bursts, clocks), or say again what another field says.
"""

from __future__ import annotations

from functools import cache

from rkbench.npu.execute.fields import UnmodelledError
from rkbench.npu.generations import LITE, Generation
from rkbench.npu.registers import named_fields, register_map, register_name
from rkbench.npu.tasks import Task

READ = """
CNA.CONV_CON1        GROUP_LINE_OFF DECONV ARGB_IN IN_PRECISION CONV_MODE
CNA.CONV_CON3 ATROUS_Y_DILATION ATROUS_X_DILATION DECONV_Y_STRIDE DECONV_X_STRIDE CONV_Y_STRIDE
CNA.CONV_CON3 CONV_X_STRIDE
CNA.DATA_SIZE0       DATAIN_WIDTH DATAIN_HEIGHT
CNA.DATA_SIZE1       DATAIN_CHANNEL_REAL DATAIN_CHANNEL
CNA.WEIGHT_SIZE0     WEIGHT_BYTES
CNA.WEIGHT_SIZE1     WEIGHT_BYTES_PER_KERNEL
CNA.WEIGHT_SIZE2     WEIGHT_WIDTH WEIGHT_HEIGHT WEIGHT_KERNELS
CNA.CVT_CON0         CVT_TRUNCATE_3 CVT_TRUNCATE_2 CVT_TRUNCATE_1 CVT_TRUNCATE_0 DATA_SIGN CVT_TYPE CVT_BYPASS
CNA.CVT_CON1         *
CNA.CVT_CON2         *
CNA.CVT_CON3         *
CNA.CVT_CON4         *
CNA.PAD_CON0         PAD_LEFT PAD_TOP
CNA.PAD_CON1         PAD_VALUE
CNA.FEATURE_DATA_ADDR FEATURE_BASE_ADDR
CNA.DMA_CON1         LINE_STRIDE
CNA.DMA_CON2         SURF_STRIDE
CNA.FC_DATA_SIZE0    DMA_WIDTH
CNA.DCOMP_ADDR0      DECOMPRESS_ADDR0
CORE.MISC_CFG        QD_EN
CORE.DATAOUT_SIZE_0  DATAOUT_HEIGHT DATAOUT_WIDTH
DPU.FEATURE_MODE_CFG NONALIGN SURF_LEN OUTPUT_MODE FLYING_MODE
DPU.DATA_FORMAT      OUT_PRECISION BN_MUL_SHIFT_VALUE_NEG BS_MUL_SHIFT_VALUE_NEG PROC_PRECISION
DPU.DST_BASE_ADDR    DST_BASE_ADDR
DPU.DST_SURF_STRIDE  *
DPU.DATA_CUBE_WIDTH  WIDTH
DPU.DATA_CUBE_HEIGHT HEIGHT
DPU.DATA_CUBE_NOTCH_ADDR NOTCH_ADDR_0
DPU.DATA_CUBE_CHANNEL CHANNEL
DPU.BS_CFG BS_ALU_ALGO BS_ALU_SRC BS_RELUX_EN BS_RELU_BYPASS BS_MUL_PRELU BS_MUL_BYPASS BS_ALU_BYPASS
DPU.BS_CFG BS_BYPASS
DPU.BS_ALU_CFG       BS_ALU_OPERAND
DPU.BS_MUL_CFG       BS_MUL_OPERAND BS_MUL_SHIFT_VALUE BS_MUL_SRC
DPU.BS_RELUX_CMP_VALUE BS_RELUX_CMP_DAT
DPU.BS_OW_CFG        OD_BYPASS OW_SRC
DPU.BS_OW_OP         OW_OP
DPU.BN_CFG BN_ALU_ALGO BN_ALU_SRC BN_RELUX_EN BN_RELU_BYPASS BN_MUL_PRELU BN_MUL_BYPASS BN_ALU_BYPASS
DPU.BN_CFG BN_BYPASS
DPU.BN_ALU_CFG       BN_ALU_OPERAND
DPU.BN_MUL_CFG       BN_MUL_OPERAND BN_MUL_SHIFT_VALUE BN_MUL_SRC
DPU.BN_RELUX_CMP_VALUE BN_RELUX_CMP_DAT
DPU.EW_CFG EW_CVT_TYPE EW_ALU_ALGO EW_RELUX_EN EW_RELU_BYPASS EW_OP_CVT_BYPASS EW_LUT_BYPASS EW_OP_SRC
DPU.EW_CFG EW_OP_TYPE EW_OP_BYPASS EW_BYPASS
DPU.EW_CVT_OFFSET_VALUE EW_OP_CVT_OFFSET
DPU.EW_CVT_SCALE_VALUE EW_TRUNCATE EW_OP_CVT_SHIFT EW_OP_CVT_SCALE
DPU.OUT_CVT_OFFSET   OUT_CVT_OFFSET
DPU.OUT_CVT_SCALE    OUT_CVT_SCALE
DPU.OUT_CVT_SHIFT    CVT_TYPE MINUS_EXP OUT_CVT_SHIFT
DPU.WDMA_SIZE_0      CHANNEL_WDMA
DPU.WDMA_SIZE_1      HEIGHT_WDMA WIDTH_WDMA
DPU.EW_OP_VALUE_0    EW_OPERAND_0
DPU.LUT_ACCESS_CFG   LUT_ACCESS_TYPE LUT_TABLE_ID LUT_ADDR
DPU.LUT_ACCESS_DATA  *
DPU.LUT_CFG          LUT_HYBRID_PRIORITY LUT_OFLOW_PRIORITY LUT_UFLOW_PRIORITY LUT_EXPAND_EN LUT_ROAD_SEL
DPU.LUT_INFO         LUT_LO_INDEX_SELECT LUT_LE_INDEX_SELECT
DPU.LUT_LE_START     LUT_LE_START
DPU.LUT_LE_END       LUT_LE_END
DPU.LUT_LO_START     LUT_LO_START
DPU.LUT_LO_END       LUT_LO_END
DPU.LUT_LE_SLOPE_SCALE LUT_LE_SLOPE_OFLOW_SCALE LUT_LE_SLOPE_UFLOW_SCALE
DPU.LUT_LE_SLOPE_SHIFT LUT_LE_SLOPE_OFLOW_SHIFT LUT_LE_SLOPE_UFLOW_SHIFT
DPU.LUT_LO_SLOPE_SCALE LUT_LO_SLOPE_OFLOW_SCALE LUT_LO_SLOPE_UFLOW_SCALE
DPU.LUT_LO_SLOPE_SHIFT LUT_LO_SLOPE_OFLOW_SHIFT LUT_LO_SLOPE_UFLOW_SHIFT
DPU_RDMA.DATA_CUBE_WIDTH WIDTH
DPU_RDMA.DATA_CUBE_HEIGHT EW_LINE_NOTCH_ADDR HEIGHT
DPU_RDMA.DATA_CUBE_CHANNEL CHANNEL
DPU_RDMA.SRC_BASE_ADDR SRC_BASE_ADDR
DPU_RDMA.BRDMA_CFG   BRDMA_DATA_USE
DPU_RDMA.BS_BASE_ADDR BS_BASE_ADDR
DPU_RDMA.NRDMA_CFG   NRDMA_DATA_USE
DPU_RDMA.BN_BASE_ADDR BN_BASE_ADDR
DPU_RDMA.ERDMA_CFG   ERDMA_DATA_MODE ERDMA_DATA_SIZE ERDMA_DISABLE
DPU_RDMA.EW_BASE_ADDR EW_BASE_ADDR
DPU_RDMA.EW_SURF_STRIDE *
DPU_RDMA.FEATURE_MODE_CFG IN_PRECISION COMB_USE
DPU_RDMA.SRC_DMA_CFG LINE_NOTCH_ADDR UNPOOLING_EN KERNEL_STRIDE_HEIGHT KERNEL_STRIDE_WIDTH KERNEL_HEIGHT
DPU_RDMA.SRC_DMA_CFG KERNEL_WIDTH
DPU_RDMA.SURF_NOTCH  *
PPU.DATA_CUBE_IN_WIDTH CUBE_IN_WIDTH
PPU.DATA_CUBE_IN_HEIGHT CUBE_IN_HEIGHT
PPU.DATA_CUBE_IN_CHANNEL CUBE_IN_CHANNEL
PPU.DATA_CUBE_OUT_WIDTH CUBE_OUT_WIDTH
PPU.DATA_CUBE_OUT_HEIGHT CUBE_OUT_HEIGHT
PPU.OPERATION_MODE_CFG NOTCH_ADDR POOLING_METHOD
PPU.POOLING_KERNEL_CFG KERNEL_STRIDE_HEIGHT KERNEL_STRIDE_WIDTH KERNEL_HEIGHT KERNEL_WIDTH
PPU.RECIP_KERNEL_WIDTH RECIP_KERNEL_WIDTH
PPU.RECIP_KERNEL_HEIGHT RECIP_KERNEL_HEIGHT
PPU.POOLING_PADDING_CFG PAD_TOP PAD_LEFT
PPU.PADDING_VALUE_1_CFG PAD_VALUE_0
PPU.DST_BASE_ADDR    *
PPU.DST_SURF_STRIDE  *
PPU.DATA_FORMAT      PROC_PRECISION
PPU_RDMA.SRC_BASE_ADDR SRC_BASE_ADDR
PPU_RDMA.SRC_LINE_STRIDE *
PPU_RDMA.SRC_SURF_STRIDE *
"""
"""Fields that decide what is computed."""

SILENT = """
CNA.CONV_CON1        NONALIGN_DMA PROC_PRECISION
CNA.CONV_CON2        KERNEL_GROUP FEATURE_GRAINS 28-30
CNA.DATA_SIZE2       DATAOUT_WIDTH
CNA.DATA_SIZE3       DATAOUT_ATOMICS
CNA.CBUF_CON0        WEIGHT_REUSE DATA_REUSE WEIGHT_BANK DATA_BANK
CNA.CBUF_CON1        DATA_ENTRIES 14-14
CNA.DMA_CON0         WEIGHT_BURST_LEN DATA_BURST_LEN
CNA.FC_DATA_SIZE0    DMA_HEIGHT
CNA.FC_DATA_SIZE1    DMA_CHANNEL
CNA.CLK_GATE CBUF_CS_DISABLE_CLKGATE CSC_DISABLE_CLKGATE CNA_WEIGHT_DISABLE_CLKGATE
CNA.CLK_GATE CNA_FEATURE_DISABLE_CLKGATE
CORE.MAC_GATING      SLCG_OP_EN
CORE.MISC_CFG        SOFT_GATING PROC_PRECISION DW_EN
CORE.DATAOUT_SIZE_1  DATAOUT_CHANNEL
DPU.FEATURE_MODE_CFG COMB_USE BURST_LEN CONV_MODE
DPU.DATA_FORMAT      IN_PRECISION
DPU.DATA_CUBE_NOTCH_ADDR NOTCH_ADDR_1
DPU.DATA_CUBE_CHANNEL ORIG_CHANNEL
DPU.BS_OW_CFG        SIZE_E_2 SIZE_E_1 SIZE_E_0
DPU.EW_CFG           EW_DATA_MODE EDATA_SIZE
DPU.OUT_CVT_SCALE    FP32TOFP16_EN
DPU.SURFACE_ADD      *
DPU.LUT_CFG          LUT_LO_LE_MUX
DPU_RDMA.ERDMA_CFG   OV4K_BYPASS
DPU_RDMA.FEATURE_MODE_CFG BURST_LEN PROC_PRECISION MRDMA_DISABLE MRDMA_FP16TOFP32_EN CONV_MODE FLYING_MODE
DPU_RDMA.WEIGHT      E_WEIGHT N_WEIGHT B_WEIGHT M_WEIGHT
DPU_RDMA.EW_SURF_NOTCH EW_SURF_NOTCH
PPU.DATA_CUBE_OUT_CHANNEL CUBE_OUT_CHANNEL
PPU.OPERATION_MODE_CFG FLYING_MODE
PPU.POOLING_PADDING_CFG PAD_BOTTOM PAD_RIGHT
PPU.DATA_FORMAT      INDEX_ADD DPU_FLYIN
PPU.MISC_CTRL        BURST_LEN
PPU_RDMA.CUBE_IN_WIDTH CUBE_IN_WIDTH
PPU_RDMA.CUBE_IN_HEIGHT CUBE_IN_HEIGHT
PPU_RDMA.CUBE_IN_CHANNEL CUBE_IN_CHANNEL
PPU_RDMA.DATA_FORMAT IN_PRECISION
"""
"""Fields that do not."""

READ_V2 = """
DPU.FEATURE_MODE_CFG TP_EN
DPU.OFFSET_PEND      OFFSET_PEND
DPU.DATA_CUBE_HEIGHT MINMAX_CTL
DPU.BS_OW_CFG        TP_ORG_EN
DPU.WDMA_SIZE_0      TP_PRECISION SIZE_C_WDMA
DPU.OUT_CVT_SHIFT    CVT_ROUND
"""
"""Fields that decide what is computed, on the RK3588; what the RK3568 means by them is not known."""

SILENT_V2 = {
    0x1180: 0xFFFF_FFFF,  # CVT_CON5, a bit for each channel of the input's conversion, where there is one
}

SILENT_LITE = {
    0x1018: 0xFFFF_FFFF,  # features of the whole layer in the buffer: kernel bytes or entries
    0x1044: 0x3FFF_FFFF,  # DATA_ENTRIES of the second half, in the upper 16 bits
    0x1068: 0xFFFF_0000,  # the pad value, which is read where the RK3588 has it
    0x1078: 0xFFFF_FFFF,  # bursts
    0x200C: 0x0000_3003,  # read where the RK3588 has it
    0x3018: 0xFFFF_FFFF,
    0x501C: 0x1,  # no operand is fetched
    0x5024: 0xFFFF,  # channels of BRDMA, as CHANNEL says
    0x5028: 0x1,
    0x5044: 1 << 18,  # both readers take turns; held to reading one cube
    0x5030: 0xFFFF,  # the same of NRDMA
    0x503C: 0xFFFF_FFFF,  # bytes of the EW operand's surfaces
    0x6048: 0xFFFF_FFFF,  # two, three and four times PAD_VALUE_0
    0x604C: 0xFFFF_FFFF,
    0x6050: 0xFFFF_FFFF,
    0x7018: 0x1,
}
"""Bits of the RK3566/68 that decide nothing, where its registers differ. Found by comparing files."""


ALGORITHMS = (0x4040, 0x4060, 0x4070)
"""Registers whose field of the algorithm has 2 bits on the RK3566/68, 4 on the RK3588."""

TOGETHER_V2 = (0x0D, 0x1D, 0x18, 0x60)
TOGETHER_LITE = (0x0F, 0x1F, 0x18, 0x60, 0x3F)
"""Blocks that run together in the tasks of all files at hand: others would do what nobody has seen."""


def refuse_unmodelled(task: Task, generation: Generation) -> None:
    """Raise UnmodelledError, with the name of a field, for the first bit of `task` that is not modelled."""
    if task.unexplained:
        raise UnmodelledError(task.unexplained)
    if task.enable not in (TOGETHER_LITE if generation is LITE else TOGETHER_V2):
        raise UnmodelledError(f"blocks {task.enable:#x} together")
    known = known_bits(lite=generation is LITE)
    for register, value in task.registers.items():
        unknown = value & ~known.get(register, 0)
        if unknown:
            raise UnmodelledError(f"{_field_name(register, unknown)} = {value:#x}")


@cache
def known_bits(*, lite: bool) -> dict[int, int]:
    """Return the bits that may be set, by register."""
    known: dict[int, int] = {}
    for line in (READ + SILENT + ("" if lite else READ_V2)).split("\n"):
        name, *fields = line.split() or [""]
        for field in fields:
            register, mask = _bits(name, field)
            known[register] = known.get(register, 0) | mask
    for register, mask in (SILENT_LITE if lite else SILENT_V2).items():
        known[register] = known.get(register, 0) | mask
    if lite:
        for register in ALGORITHMS:
            known[register] &= ~0xC0000
    return known


def _bits(register: str, field: str) -> tuple[int, int]:
    if field == "*":
        return named_fields()[register].register, 0xFFFF_FFFF
    if field[0].isdigit():
        low, high = (int(text) for text in field.split("-"))
        return named_fields()[register].register, (1 << (high + 1)) - (1 << low)
    span = named_fields()[f"{register}.{field}"]
    return span.register, span.mask << span.low


def _field_name(register: int, unknown: int) -> str:
    """Return the name of the field that the lowest unknown bit belongs to."""
    lowest = (unknown & -unknown).bit_length() - 1
    known = register_map().get(register)
    name = register_name(register)
    for field in known.fields if known else ():
        if field.low <= lowest <= field.high:
            return f"{name}.{field.name}"
    return f"{name} bit {lowest}"
