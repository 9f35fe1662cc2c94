"""Each task in words: what it computes on what, where its buffers lie, and what becomes of the values."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench.language.said import NOTHING, Said, listed, say
from rkbench.npu import fields as f
from rkbench.npu.generations import Generation
from rkbench.npu.registers import Field
from rkbench.npu.tasks import CNA, DPU, DPU_RDMA, PPU, Task
from rkbench.units import format_bytes

#: A task that only selects a table writes a word or two of its registers.
SELECTION_WORDS = 64


def describe_task(task: Task, generation: Generation) -> Said:
    """Return what a task does, as one line; it says `nothing that is known` of blocks that we do not read."""
    parts = []
    if task.table_words > SELECTION_WORDS:
        return say("fills the activation table with {words:,} words", words=task.table_words)
    if task.enable & CNA:
        parts.append(_convolution(task, generation))
    if task.enable & DPU:
        parts.append(_output(task))
    if task.enable & PPU:
        parts.append(_pooling(task))
    return listed(parts, "; ") or say("nothing that is known (blocks {blocks:#x})", blocks=task.enable)


def input_channels(task: Task, generation: Generation) -> int:
    """Return the channels that a convolution reads, without those that only fill a block."""
    packed, channels = task.get(f.PIXEL_CHANNELS), task.get(f.IN_CHANNELS)
    if packed:
        return packed - f.FIRST_PIXEL_MODE
    return min(generation.real_channels(channels, task.get(f.LAST_CHANNELS)), channels)


def _convolution(task: Task, generation: Generation) -> Said:
    depthwise = task.get(f.CONV_MODE) == f.DEPTHWISE
    shape = f"{input_channels(task, generation)} x {task.get(f.IN_HEIGHT)} x {task.get(f.IN_WIDTH)}"
    return say(
        "{kind} {size} convolution{steps} in {precision} of {shape}{kernels}, {bytes} of {stored}, {features}"
        " + {weights} banks of {bank} KiB{kept}",
        kind=_kind(task, depthwise=depthwise),
        size=_pair(task, f.KERNEL_HEIGHT, f.KERNEL_WIDTH),
        steps=_steps(task),
        precision=_precision(task, f.CONV_PRECISION),
        shape=shape,
        kernels=NOTHING if depthwise else say(" to {kernels} kernels", kernels=task.get(f.KERNELS)),
        bytes=format_bytes(task.get(f.WEIGHT_BYTES)),
        stored=say("compressed weights") if task.get(f.DECOMPRESSION) else say("weights"),
        features=task.get(f.DATA_BANKS),
        weights=task.get(f.WEIGHT_BANKS),
        bank=generation.bank_bytes // 1024,
        kept=_kept(task),
    )


def _kind(task: Task, *, depthwise: bool) -> Said:
    if depthwise:
        return say("depthwise")
    return say("transposed") if task.get(f.TRANSPOSED) else say("dense")


def _steps(task: Task) -> str:
    """Return stride and dilation by their names in ONNX; "" of neither."""
    stride, dilation = _pair(task, f.STRIDE_Y, f.STRIDE_X), _pair(task, f.DILATION_Y, f.DILATION_X, 1)
    told = (("stride", stride), ("dilation", dilation))
    return "".join(f" {name} {pair}" for name, pair in told if pair != "1x1")


def _kept(task: Task) -> Said:
    if task.get(f.FEATURES_KEPT):
        both = say(", features kept and weights kept")
        return both if task.get(f.WEIGHTS_KEPT) else say(", features kept")
    return say(", weights kept") if task.get(f.WEIGHTS_KEPT) else NOTHING


def _output(task: Task) -> Said:
    shape = f"{task.get(f.OUT_CHANNELS) + 1} x {task.get(f.OUT_HEIGHT) + 1} x {task.get(f.OUT_WIDTH) + 1}"
    precision = _precision(task, f.OUT_PRECISION)
    if task.enable & PPU and task.get(f.OUTPUT_MODE) == f.TO_POOLING:
        last = say("hands on {shape} {precision}", shape=shape, precision=precision)
    else:
        last = say("writes {shape} {precision}", shape=shape, precision=precision)
        if task.get(f.READS_MEMORY):
            repeats = task.get(f.UPSAMPLES)
            read = say("reads a tensor and repeats its pixels") if repeats else say("reads a tensor")
            last = listed([read, last])
    return listed([*_stage(task), *_elementwise(task), *_conversion(task), last])


def _stage(task: Task) -> Iterator[Said]:
    """Yield what the two scaling stages do."""
    bias = (f.BS_BYPASS, f.BS_ADD_BYPASS, f.BS_MUL_BYPASS, f.BS_RELU_BYPASS, f.BS_CLIPS)
    norm = (f.BN_BYPASS, f.BN_ADD_BYPASS, f.BN_MUL_BYPASS, f.BN_RELU_BYPASS, f.BN_CLIPS)
    for name, (bypass, add, multiply, relu, clips) in (("bias", bias), ("scale", norm)):
        if task.get(bypass):
            continue
        if not task.get(add):
            yield say("adds a bias") if name == "bias" else say("adds")
        if not task.get(multiply):
            yield say("scales")
        if not task.get(relu):
            yield say("clips") if task.get(clips) else say("relu")


def _elementwise(task: Task) -> Iterator[Said]:
    if task.get(f.EW_BYPASS):
        return
    if not task.get(f.EW_TABLE_BYPASS):
        yield say("looks up the activation table")
    if not task.get(f.EW_OP_BYPASS):
        algorithm = task.get(f.EW_ALGORITHM)
        verb = f.EW_ALGORITHMS.get(algorithm, f"operator {algorithm}")
        other = task.get(f.EW_FROM_MEMORY) and task.enable & DPU_RDMA
        yield say(
            "{verb} with {other}",
            verb="multiply" if task.get(f.EW_MULTIPLIES) else verb,
            other=say("a tensor") if other else say("a constant"),
        )
    if not task.get(f.EW_RELU_BYPASS):
        yield say("relu")


def _conversion(task: Task) -> Iterator[Said]:
    """Yield the requantization of an integer output."""
    scale, shift, offset = task.get(f.OUT_SCALE), task.get(f.OUT_SHIFT), task.signed(f.OUT_OFFSET.register)
    if task.get(f.OUT_PRECISION) == 0 and (scale, shift, offset) != (1, 0, 0):
        shifted = f" {'-' if offset < 0 else '+'} {abs(offset)}" if offset else ""
        yield say("requantizes x {scale} / 2^{shift}{shifted}", scale=scale, shift=shift, shifted=shifted)


def _pooling(task: Task) -> Said:
    height, width = task.get(f.POOL_OUT_HEIGHT) + 1, task.get(f.POOL_OUT_WIDTH) + 1
    return say(
        "{method} pooling {size} stride {stride}, writes {shape} {precision}",
        method=f.POOLS.get(task.get(f.POOL_METHOD), "unknown"),
        size=_pair(task, f.POOL_KERNEL_HEIGHT, f.POOL_KERNEL_WIDTH, 1),
        stride=_pair(task, f.POOL_STRIDE_Y, f.POOL_STRIDE_X, 1),
        shape=f"{task.get(f.POOL_CHANNELS) + 1} x {height} x {width}",
        precision=_precision(task, f.POOL_PRECISION),
    )


def _pair(task: Task, vertical: Field, horizontal: Field, more: int = 0) -> str:
    return f"{task.get(vertical) + more}x{task.get(horizontal) + more}"


def _precision(task: Task, at: Field) -> str:
    return f.PRECISIONS[task.get(at)][0]
