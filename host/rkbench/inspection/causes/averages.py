"""Convolutions whose weights are all the same: averages, whatever they are called."""

from __future__ import annotations

from array import array
from math import prod

from rkbench.inspection.causes.site import Site
from rkbench.rknn.contents import Tensor
from rkbench.rknn.model import RknnModel

ELEMENT_CODES = {"FLOAT16": "H", "INT8": "b"}
FILLERS = {0, -128}
"""What a block is filled up with; symmetric int8 weights end at -127."""
SAMPLE = 64
MOST_DEAD = 8
"""Of so many channels one may be zeros: of a learned kernel that is all the same hardly any is."""
ONE_IN_HALF = 0x3C00
ROUNDED = 0.01
WIDEST_POOL = 7
"""Windows up to this the NPU pools as they are; wider ones become convolutions."""
COMPRESSED = 20
"""Compressed this many times (`compress_weight`), a kernel has one value: learned ones reach 2."""


def is_average(model: RknnModel, site: Site) -> bool:
    """Return whether a layer averages: one output channel from each, or from all, with one weight throughout.

    A depthwise kernel of one position only scales its map, and a small one that slides over it is the
    network's own, with weights that began all the same: the NPU averages such windows by itself.
    """
    kernel = site.kernel
    if not site.is_convolution or kernel is None or kernel.shape[0] != 1 or not kernel.buffer_bytes:
        return False
    if kernel.shape[2:] == (1, 1) and (_is_depthwise(site) or kernel.shape[1] == 1):
        return False
    if _slides(site, kernel):
        return False
    if not kernel.dtype:
        return kernel.buffer_bytes * COMPRESSED < prod(kernel.shape)
    return kernel.dtype in ELEMENT_CODES and _has_one_value(model, kernel)


def _slides(site: Site, kernel: Tensor) -> bool:
    """Return whether a small window moves on by less than its width, over a map that has more positions."""
    steps = site.node.convolution.strides if site.node.convolution else ()
    small = max(kernel.shape[2:]) <= WIDEST_POOL
    return small and prod(site.output_shape[2:]) > 1 and max(steps, default=0) < max(kernel.shape[2:])


def _is_depthwise(site: Site) -> bool:
    return site.node.convolution is not None and site.node.convolution.groups > 1


def _has_one_value(model: RknnModel, kernel: Tensor) -> bool:
    """Return whether every weight is the same and no one, but of channels that nothing reads: they are zeros.

    Ones are a sum.
    """
    values = array(ELEMENT_CODES[kernel.dtype])
    with model.file.path.open("rb", buffering=0) as stream:
        stream.seek(model.buffers[kernel.buffer_index].offset)
        values.frombytes(stream.read(SAMPLE * values.itemsize))
        if len(set(values) - FILLERS) != 1:
            return False
        rest = kernel.buffer_bytes // values.itemsize - SAMPLE
        values.frombytes(stream.read(max(0, rest) * values.itemsize))
    found = set(values) - FILLERS
    if len(found) != 1:
        return False
    value = found.pop()
    missing = prod(kernel.shape) - values.count(value)
    in_whole_channels = missing % prod(kernel.shape[2:]) == 0
    return in_whole_channels and 0 <= MOST_DEAD * missing <= prod(kernel.shape) and not _is_one(kernel, value)


def _is_one(kernel: Tensor, value: int) -> bool:
    if kernel.dtype == "FLOAT16":
        return value == ONE_IN_HALF
    return bool(kernel.scale) and abs(value * kernel.scale[0] - 1) < ROUNDED
