"""Into how many tasks the compiler cuts a convolution: rows and weights share the on-chip buffer."""

from __future__ import annotations

import math

from rkbench.onnx import convolution as conv
from rkbench.onnx.convolution import Convolution
from rkbench.rknn.targets import ELEMENT_BYTES, Dtype

BANK_BYTES = 32 * 1024
BANKS = {1: 8, 2: 8, 3: 12}
"""Banks of the convolution buffer by number of cores: rk3566/rk3568, rk3576, rk3588."""


FILTERS = {"fp16": 8, "int8": 16}
"""Filters that are in the buffer at least (rk3566/rk3568)."""
STREAM_BANKS = 2
"""Banks through which weights go that do not fit."""
MAP_SHARE = 10 / 12
"""A map that takes at most this share of the banks stays there whole, and the weights go through the rest."""
LINE_BYTES = {1: 6144, 2: 3072, 3: 3072}
"""Weights of one output channel: a convolution with more is cut along its input channels."""
PART_CHANNELS = 16
ROW_BANKS = {1: 2, 2: 2, 3: 4}
"""A map of one row (a sequence) is cut along it into pieces that are smaller than so many banks; a signal of
one channel into such of one bank."""
KERNEL_CHANNELS = 8
"""Filters of a 1x1 are cut into multiples of these (rk3566/rk3568)."""


def row_tasks(convolution: Convolution, becomes: str, cores: int, dtype: Dtype) -> int:
    """Return how many tasks one core needs: rows of the map that lie in the buffer at once.

    Each item of a batch has tasks of its own. Checked on 1,300 layers of 1 to 2,048 channels and 7 to 901
    pixels: 19 in 20 agree.
    """
    if convolution.input_size is None or convolution.output_size is None:
        return convolution.batch
    return convolution.batch * _tasks_of_one(convolution, becomes, cores, dtype)


def _tasks_of_one(convolution: Convolution, becomes: str, cores: int, dtype: Dtype) -> int:
    height, width = (1, *(convolution.input_size or ()))[-2:]
    row_bytes = width * _pixel_bytes(convolution, becomes, cores, dtype)
    if height == 1:
        lone = convolution.input_channels == 1 and convolution.kernel_area > 1
        return math.ceil(row_bytes / ((1 if lone else ROW_BANKS[cores]) * BANK_BYTES - 1))
    if cores == 1 and becomes != conv.KEPT:
        return _tasks_beside_stream(convolution, height, row_bytes, dtype)
    free = BANKS[cores] - _weight_banks(convolution, becomes, cores, dtype)
    if math.ceil(height * row_bytes / BANK_BYTES) <= max(free, MAP_SHARE * BANKS[cores]):
        return 1
    return _cuts(convolution, height, free * BANK_BYTES // max(row_bytes, 1))


def _pixel_bytes(convolution: Convolution, becomes: str, cores: int, dtype: Dtype) -> int:
    """Return what one pixel takes in the buffer: images of up to four channels have a layout of their own."""
    channels = convolution.input_channels
    if becomes == conv.KEPT:
        return channels * ELEMENT_BYTES[dtype] // convolution.groups
    if channels == 1:
        return LONE_PIXEL_BYTES[cores]
    if channels <= LARGEST_IMAGE:
        return IMAGE_PIXEL_BYTES[cores] * (ELEMENT_BYTES[dtype] if cores > 1 else 1)
    return math.ceil(channels * ELEMENT_BYTES[dtype] / ATOM_BYTES[cores]) * ATOM_BYTES[cores]


LARGEST_IMAGE = 4
"""Channels of an image."""
LONE_PIXEL_BYTES = {1: 8, 2: 16, 3: 16}
IMAGE_PIXEL_BYTES = {1: 8, 2: 16, 3: 16}
"""Bytes of a pixel of 2 to 4 channels; on the rk3576 and rk3588 times the bytes of an element."""
ATOM_BYTES = {1: 8, 2: 16, 3: 16}
"""Bytes in whose multiples the channels of a pixel are stored."""


def _cuts(convolution: Convolution, height: int, rows: int) -> int:
    """Return into how many parts a map is cut of which so many rows fit; the rim of zeros takes no room."""
    rows_out = (1, *(convolution.output_size or ()))[-2]
    kernel, stride = (1, *convolution.kernel)[-2], (1, *convolution.strides)[-2]
    each = (max(rows, kernel) - kernel) // stride + 1
    rim = max((rows_out - 1) * stride + kernel - height, 0)
    return max(math.ceil((rows_out - rim) / each), 1)


def _tasks_beside_stream(convolution: Convolution, height: int, row_bytes: int, dtype: Dtype) -> int:
    """Return the tasks of the rk3566/rk3568: the map takes all banks but one, filters come through the rest.

    Filters of a 1x1 stay for a task: what does not fit beside the map is another task.
    """
    banks, element = BANKS[1], ELEMENT_BYTES[dtype]
    depth = 1 if convolution.groups > 1 else convolution.input_channels
    stream = math.ceil(FILTERS[dtype] * depth * convolution.kernel_area * element / BANK_BYTES)
    most = max(banks - stream, 1)
    taken = min(math.ceil(height * row_bytes / BANK_BYTES), most)
    whole = height * row_bytes <= most * BANK_BYTES
    count = 1 if whole else _cuts(convolution, height, taken * BANK_BYTES // max(row_bytes, 1))
    if convolution.kernel_area > 1 or convolution.groups > 1:
        return count
    filters = (banks - taken) * BANK_BYTES // (convolution.input_channels * element)
    filters = max(filters // KERNEL_CHANNELS, 1) * KERNEL_CHANNELS
    return count * math.ceil(convolution.output_channels / filters)


def _weight_banks(convolution: Convolution, becomes: str, cores: int, dtype: Dtype) -> int:
    """Return the banks that weights take: whole, or a stream where one bank at least would not be left."""
    element = ELEMENT_BYTES[dtype]
    size = convolution.elements * element
    if 1 < convolution.input_channels <= LARGEST_IMAGE:  # filters are padded, which matters for an image
        size = convolution.output_channels * convolution.kernel_area * ATOM_BYTES[cores]
    banks = math.ceil(size / BANK_BYTES)
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
    if convolution.batch > 1 or (1, *(convolution.input_size or (1,)))[-2] == 1:
        return count
    block = 16 if dtype == "fp16" else 32
    blocks = math.ceil(convolution.output_channels / block)
    return count if blocks % cores == 0 else math.ceil(count / cores)
