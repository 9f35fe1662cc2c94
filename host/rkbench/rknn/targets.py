"""What the compiler of each SoC does with convolution weights: constants and sizes, all measured.

Sources: conversions of synthetic convolutions with rknn-toolkit2 2.5.0 (2.3.0 and 2.3.2 where named), sizes
read back from the files: of 246, all weights agree but those of five dense int8 layers on the rk3576 (twice
the bytes). `tests/toolkit` repeats the ones that matter. Sizes are in bytes; None means "not measured".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rkbench_agent.wire.socs import find_soc

from rkbench.errors import UsageError
from rkbench.versions import parse_version

Dtype = Literal["fp16", "int8"]
Precision = Literal["fp16", "int8", "int16", "w4a16"]
"""What a file is called; `w4a16` (rk3576) has weights of 4 bits and computes in float."""

DTYPES: tuple[Dtype, ...] = ("fp16", "int8")
ELEMENT_BYTES: dict[Dtype, int] = {"fp16": 2, "int8": 1}


@dataclass(frozen=True)
class WeightLayout:
    """How one NPU stores weights of one dtype (facts: `native_shape` of the weights in the file).

    Input channels lie in blocks of `input_block`; what is left over is padded to the smallest power-of-two
    part of a block that holds it, `minimum_input` at the least. `minimum_input` is also the alignment of
    grouped convolutions: a group whose input channels are no multiple of it makes the convolution dense.
    """

    input_block: int
    minimum_input: int
    output_multiple: int
    """Output channels are padded to a multiple of this: 2 in int8 of all but the rk3566/rk3568, else 1."""
    depthwise_block: int
    """As `input_block`, for depthwise weights, which have one output block."""
    depthwise_minimum: int
    depthwise_element_bytes: int
    """The rk3562, rk3576 and rv1126b store int8 depthwise weights in 2 bytes each."""
    bias_multiple: int
    """The bias is padded to a multiple of this many channels; of `depthwise_block` in depthwise layers."""
    bias_bytes_per_channel: int
    """4 in fp16 (one float32), 8 in int8 (two int32)."""


@dataclass(frozen=True)
class CompileTarget:
    """One SoC as the converter knows it (`target_platform`)."""

    name: str
    generation: str
    """The NPU's name in the file's root field 1; "" where no file was seen."""
    npu_cores: int
    """The compiler stores a list of register commands for each number of cores: 1, 2 and 3 on the rk3588."""
    layouts: dict[Dtype, WeightLayout]
    """Empty for a SoC whose layout nobody has measured."""
    fixed_constant_bytes: int = 0
    """Constants of every file with a convolution: two buffers of 1,024 bytes named `tempMC...` on the rk3588;
    on the rk3576 `tempMC...` 8,192 + 2 x 4,096, `fenceConv` 256 + 2 x 512 + 1,024 (the same in 214 files
    of toolkits 2.3.0 and 2.3.2), and 512 of `...BScfgTensor`, the least for a quantized output; none in
    fp16."""


_LITE: dict[Dtype, WeightLayout] = {
    "fp16": WeightLayout(16, 4, 1, 16, 4, 2, 8, 4),
    "int8": WeightLayout(32, 8, 1, 32, 8, 1, 16, 8),
}
_V2: dict[Dtype, WeightLayout] = {
    "fp16": WeightLayout(32, 8, 1, 32, 8, 2, 16, 4),
    "int8": WeightLayout(32, 16, 2, 64, 16, 1, 32, 8),
}
_T4: dict[Dtype, WeightLayout] = {
    "fp16": WeightLayout(32, 8, 1, 16, 16, 2, 8, 4),
    "int8": WeightLayout(32, 16, 2, 32, 32, 2, 16, 8),
}
_F2: dict[Dtype, WeightLayout] = {
    "fp16": WeightLayout(32, 8, 1, 32, 8, 2, 16, 4),
    "int8": WeightLayout(32, 16, 2, 16, 16, 2, 32, 8),
}

TARGETS: dict[str, CompileTarget] = {
    target.name: target
    for target in (
        CompileTarget("rk3566", "RKNPU lite", 1, _LITE),
        CompileTarget("rk3568", "RKNPU lite", 1, _LITE),
        CompileTarget("rk3588", "RKNPU v2", 3, _V2, 2048),
        CompileTarget("rk3562", "RKNPU t4", 1, _T4),
        CompileTarget("rk3576", "RKNPU f2", 2, _F2, 19_200),
        CompileTarget("rv1126b", "RKNPU f3", 1, _F2),
        CompileTarget("rv1103", "", 1, {}),
        CompileTarget("rv1106", "", 1, {}),
    )
}

# Toolkits before this one made every grouped convolution of rk3566/rk3568 fp16 dense that is no multiple of 8
# (measured: 2.3.0 has 4, 12 and 20 channels dense, 2.3.2 keeps them; 2.3.1 was never on PyPI).
LITE_FP16_KEEPS_FOUR_SINCE = (2, 3, 2)


def kept_group_alignment(target: str, dtype: Dtype, toolkit_version: str | None = None) -> int | None:
    """Return A: a grouped convolution stays grouped if its input channels per group are a multiple of A.

    rk3566/rk3568: 4 in fp16 (8 with toolkits before 2.3.2), 8 in int8; all others measured: 8 and 16.
    None where it is not known. `toolkit_version` None means the newest.
    """
    layout = weight_layout(target, dtype)
    if layout is None:
        return None
    version = parse_version(toolkit_version)
    lite = TARGETS[target].generation == "RKNPU lite"
    if lite and dtype == "fp16" and version is not None and version < LITE_FP16_KEEPS_FOUR_SINCE:
        return 8
    return layout.minimum_input


def becomes_dense(
    channels_per_group: int, target: str, dtype: Dtype, toolkit_version: str | None = None
) -> bool | None:
    """Return whether a grouped convolution (more than one group, more than one channel each) is made dense.

    Right in 80 of 80 conversions (C=480, 20 group sizes, rk3588 and rk3568, fp16 and int8), 1-D
    convolutions too. Transposed ones are always kept. None where A is not known.
    """
    alignment = kept_group_alignment(target, dtype, toolkit_version)
    return None if alignment is None else channels_per_group % alignment != 0


def weight_layout(target: str, dtype: Dtype) -> WeightLayout | None:
    """Return the weight layout, or None for a SoC that nobody has measured."""
    known = TARGETS.get(target)
    return known.layouts.get(dtype) if known else None


def convolution_weight_bytes(
    output_channels: int, input_channels: int, kernel_area: int, layout: WeightLayout, dtype: Dtype
) -> int:
    """Return the bytes of one dense convolution's weights as stored, padding included."""
    inputs = padded_channels(input_channels, layout.input_block, layout.minimum_input)
    outputs = -(-output_channels // layout.output_multiple) * layout.output_multiple
    return outputs * inputs * kernel_area * ELEMENT_BYTES[dtype]


def depthwise_weight_bytes(channels: int, kernel_area: int, layout: WeightLayout) -> int:
    """Return the bytes of plain depthwise weights (one filter a channel) as stored."""
    stored = padded_channels(channels, layout.depthwise_block, layout.depthwise_minimum)
    return stored * kernel_area * layout.depthwise_element_bytes


def bias_bytes(output_channels: int, layout: WeightLayout, *, depthwise: bool = False) -> int:
    """Return the bytes of a convolution's bias; in int8 the compiler adds one where there is none."""
    multiple = layout.depthwise_block if depthwise else layout.bias_multiple
    return -(-output_channels // multiple) * multiple * layout.bias_bytes_per_channel


def padded_channels(channels: int, block: int, minimum: int) -> int:
    """Return `channels` in whole blocks, the rest padded to the smallest block / 2**n that holds it.

    Block 32, minimum 8: 17 and 24 become 32, 40 stays 40, 100 becomes 104.
    """
    whole, rest = divmod(channels, block)
    tail = 0
    if rest:
        tail = minimum
        while tail < rest:
            tail *= 2
    return whole * block + tail


def npu_generation(soc: str | None) -> str | None:
    """Return the NPU generation of a SoC name, as .rknn files spell it; None for one we do not know."""
    known = find_soc(soc)
    target = TARGETS.get(known.name) if known else None
    return target.generation if target and target.generation else None


def check_target(target: str, dtype: str) -> Dtype:
    """Return the dtype; raise UsageError unless it and the target are ones that we know."""
    if target not in TARGETS:
        raise UsageError(f"unknown target {target!r}", hint=f"known: {', '.join(TARGETS)}")
    for known in DTYPES:
        if dtype == known:
            return known
    raise UsageError(f"unknown dtype {dtype!r}", hint=f"known: {', '.join(DTYPES)}")
