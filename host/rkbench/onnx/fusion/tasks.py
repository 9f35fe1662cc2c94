"""Into how many tasks the compiler cuts a convolution: rows and weights share the on-chip buffer."""

from __future__ import annotations

import math

from rkbench.onnx import convolution as conv
from rkbench.onnx.convolution import Convolution
from rkbench.rknn.targets import ELEMENT_BYTES, Dtype

BANK_BYTES = 32 * 1024
BANKS = {1: 8, 2: 8, 3: 12}
"""Banks of the convolution buffer by number of cores: rk3566/rk3568, rk3576, rk3588."""


STREAM_BANKS = 2
"""Banks through which weights go that do not fit."""
MAP_SHARE = 2 / 3
"""A map that takes at most this share of the banks stays there whole, and the weights go through the rest."""
LINE_BYTES = {1: 6144, 2: 3072, 3: 3072}
"""Weights of one output channel: a convolution with more is cut along its input channels."""
PART_CHANNELS = 16
ROW_BANKS = {1: 2, 2: 2, 3: 4}
"""A map of one row (a sequence) is cut along it into pieces that are smaller than so many banks."""


def row_tasks(convolution: Convolution, becomes: str, cores: int, dtype: Dtype) -> int:
    """Return how many tasks one core needs: rows of the map that lie in the buffer at once.

    Checked on 75 geometries of 3 to 1,280 channels and 7 to 224 pixels: nine in ten agree.
    """
    if convolution.input_size is None or convolution.output_size is None:
        return 1
    height, width = (1, *convolution.input_size)[-2:]
    rows_out = (1, *convolution.output_size)[-2]
    kernel, stride = (1, *convolution.kernel)[-2], (1, *convolution.strides)[-2]
    row_bytes = width * convolution.input_channels * ELEMENT_BYTES[dtype]
    if becomes == conv.KEPT:
        row_bytes //= convolution.groups
    if height == 1:
        return math.ceil(row_bytes / (ROW_BANKS[cores] * BANK_BYTES - 1))
    free = BANKS[cores] - _weight_banks(convolution, becomes, cores, dtype)
    if math.ceil(height * row_bytes / BANK_BYTES) <= max(free, MAP_SHARE * BANKS[cores]):
        return 1
    rows = max(free * BANK_BYTES // max(row_bytes, 1), kernel)
    return math.ceil(rows_out / max((rows - kernel) // stride + 1, 1))


def _weight_banks(convolution: Convolution, becomes: str, cores: int, dtype: Dtype) -> int:
    """Return the banks that weights take: whole, or a stream where one bank at least would not be left."""
    banks = math.ceil(convolution.elements * ELEMENT_BYTES[dtype] / BANK_BYTES)
    streams = becomes in (conv.DENSE, conv.MULTIPLIER) or banks > BANKS[cores] - 1
    return STREAM_BANKS if streams else banks


def input_parts(convolution: Convolution, becomes: str, cores: int, dtype: Dtype) -> int:
    """Return into how many convolutions over fewer input channels one is cut: their sum is it.

    Parts are equal, in multiples of 16 channels. Measured on 1x1 to 5x5 kernels over 64 to 2,048 channels.
    """
    dense = becomes in (conv.ORDINARY, conv.DENSE, conv.MULTIPLIER) and not convolution.transposed
    line = convolution.input_channels * convolution.kernel_area * ELEMENT_BYTES[dtype]
    if not dense or line <= LINE_BYTES[cores]:
        return 1
    count = math.ceil(line / LINE_BYTES[cores])
    part = math.ceil(convolution.input_channels / count / PART_CHANNELS) * PART_CHANNELS
    return math.ceil(convolution.input_channels / part)


def shared_tasks(count: int, convolution: Convolution, cores: int, dtype: Dtype) -> int:
    """Return the tasks of each of several cores: they share channels where those divide evenly, else rows."""
    if convolution.groups > 1:
        return math.ceil(count / 3)
    if (1, *(convolution.input_size or (1,)))[-2] == 1:
        return count
    block = 16 if dtype == "fp16" else 32
    return count if convolution.output_channels % (cores * block) == 0 else math.ceil(count / cores)
