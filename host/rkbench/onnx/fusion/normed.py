"""Norms over groups of channels and over maps: how many the NPU computes, and the tables of each.

Read from files of toolkit 2.5.0: 32 to 64 channels of 8 x 8 to 56 x 56 in 1, 4 and 8 groups, MobileViTv2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx_ir as ir

from rkbench.onnx.values import static_shape
from rkbench.rknn import targets
from rkbench.rknn.targets import Dtype


@dataclass(frozen=True)
class Norm:
    """One of the norms that a layer computes: how the NPU sees what it is taken over."""

    count: int
    channels: int
    elements: int


CHANNEL_BYTES = {True: 16, False: 32}
"""Tables a channel, by whether the NPU is the rk3566's."""
ELEMENT_BYTES = 4
MOST_ELEMENTS = {True: 8_192, False: 16_368}
MOST_CHANNELS = {True: 2**31, False: 8_160}
"""Tables are no longer than for so many; a norm over more reads them again."""


def table_bytes(norm: Norm, *, lite: bool) -> int:
    """Return the tables of a norm: 36 bytes an element of a vector (20 where it is lite), less of a map."""
    channels = CHANNEL_BYTES[lite] * min(norm.channels, MOST_CHANNELS[lite])
    size = channels + ELEMENT_BYTES * min(norm.elements, MOST_ELEMENTS[lite])
    line = 32 if lite else 64
    return -(-size // line) * line


def group_norm(node: ir.Node, target: str, dtype: Dtype) -> Norm | None:
    """Return the norms over groups of channels that a node computes; None where it computes others.

    A GroupNormalization, or an InstanceNormalization of a map in groups. Groups that are no whole blocks of
    channels are made vectors first.
    """
    found = _groups(node)
    if found is None:
        return None
    groups, channels, pixels = found
    each = channels // groups
    block = targets.kept_group_alignment(target, dtype)
    whole = groups == 1 or (block is not None and each % block == 0)
    return Norm(groups, each if whole else each * pixels, each * pixels)


def _groups(node: ir.Node) -> tuple[int, int, int] | None:
    """Return groups, channels and pixels of a norm over groups."""
    if node.op_type == "GroupNormalization":
        shape, groups = static_shape(node.inputs[0]), node.attributes.get_int("num_groups", 0)
    elif node.op_type == "InstanceNormalization":
        grouped = static_shape(node.inputs[0])
        maker = node.inputs[0].producer() if node.inputs[0] is not None else None
        flat = maker is not None and maker.op_type == "Reshape" and grouped is not None and len(grouped) == 3
        shape = static_shape(maker.inputs[0]) if maker is not None and flat else None
        groups = grouped[1] if grouped is not None and flat else 0
    else:
        return None
    if shape is None or len(shape) != 4 or shape[0] != 1 or groups < 1 or shape[1] % groups:
        return None
    return groups, shape[1], math.prod(shape[2:])
