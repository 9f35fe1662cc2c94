"""Norms over groups of channels and over maps: how many the NPU computes, and the tables of each.

Read from files of toolkit 2.5.0: 32 to 64 channels of 8 x 8 to 56 x 56 in 1, 4 and 8 groups, MobileViTv2;
norms of each channel over 36 to 16,384 pixels (networks of MONAI), of one channel, of vectors (ConvTasNet).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx_ir as ir

from rkbench.onnx.fusion.batch import are_rows
from rkbench.onnx.fusion.kinds import PLAIN_ACTIVATIONS
from rkbench.onnx.fusion.patterns import TABLES, users
from rkbench.onnx.values import data_of, static_shape
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
MOST_CHANNELS = {True: 4_096, False: 8_160}
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
    channels are made vectors first; a group of one channel is a norm over pixels (`pixel_norm`).
    """
    found = _groups(node)
    if found is None or 1 < found[0] == found[1]:
        return None
    groups, channels, pixels = found
    each = channels // groups
    block = targets.kept_group_alignment(target, dtype)
    if block is not None and channels == 1:
        each = block  # a map of one channel is computed as a block of them
    whole = groups == 1 or (block is not None and each % block == 0)
    return Norm(groups, each if whole else each * pixels, each * pixels)


ACTIVATIONS = (PLAIN_ACTIVATIONS | set(TABLES)) - {"PRelu"}


@dataclass(frozen=True)
class PixelNorm:
    """Norms of each channel over its pixels, of a map with rows or of pixels in one row."""

    pixels: int
    width: int | None
    """None where the map was made one row for the norm, and is a map again behind it."""
    vectors: int = 0
    """Scales that are not all 1, and offsets that are not all 0."""
    is_activated: bool = False
    is_read_again: bool = False
    """Whether something else reads the map that is normed, as a sum around it does."""

    def turns(self, target: str, dtype: Dtype) -> int:
        """Return how often the map is multiplied by tables, for pixels and channels to change places.

        Rows of whole blocks keep their order unless the map is read again, as do maps that are no whole
        blocks at all or that the tables are too short for. Read from 8 x 8 to 64 x 64.
        """
        block = TURNED_BLOCK[_is_lite(target)][dtype == "fp16"]
        if self.pixels % block or self.pixels > MOST_CHANNELS[False]:
            return 0
        return 2 if self.width is None else int(self.is_read_again or self.width % block != 0)

    def turn_bytes(self, target: str, dtype: Dtype) -> int:
        """Return the commands of that, before the norm and behind it (the rk3566's: behind), and of vectors.

        In int8 several cores turn maps of whole rows that an activation reads too, without tables."""
        lite, fp16 = _is_lite(target), dtype == "fp16"
        block, vector = TURNED_BLOCK[lite][fp16], VECTOR_BYTES[lite][fp16]
        each = self.pixels // block * TURNED_BYTES[lite][fp16]
        copied = self.is_activated and not (lite or fp16 or self.pixels % block)
        turned = (1 if lite else 2) * each if copied or self.turns(target, dtype) else 0
        return turned + self.vectors * round(vector * self.pixels + VECTOR_START_BYTES[lite])

    def table_bytes(self, target: str, dtype: Dtype) -> int:
        """Return the tables of the norm and those that turn the map."""
        lite = _is_lite(target)
        orders = self.turns(target, dtype) * ORDER_BYTES[lite][dtype == "fp16"]
        return table_bytes(Norm(1, self.pixels, self.pixels), lite=lite) + orders


TURNED_BLOCK = {True: {True: 4, False: 8}, False: {True: 8, False: 16}}
TURNED_BYTES = {True: {True: 617, False: 235}, False: {True: 134, False: 140}}
VECTOR_BYTES = {True: {True: 7.5, False: 11}, False: {True: 14.5, False: 18}}
VECTOR_START_BYTES = {True: 2_000, False: 600}
ORDER_BYTES = {True: {True: 512, False: 4_096}, False: {True: 16_384, False: 131_072}}
"""By whether the NPU is the rk3566's and whether it computes in fp16: pixels that one task turns, its
commands, those of a scale or an offset for each pixel and beside them, and the two tables that a map is
multiplied by to be put into another order."""


def pixel_norm(node: ir.Node) -> PixelNorm | None:
    """Return how a node norms each channel over its pixels; None where it computes another norm."""
    if node.op_type not in ("GroupNormalization", "InstanceNormalization"):
        return None
    found, shape, vectors = _groups(node), static_shape(node.inputs[0]), _vectors(node)
    if found is not None:
        return PixelNorm(found[2], None, vectors) if 1 < found[0] == found[1] else None
    if shape is None or len(shape) < 3:
        return PixelNorm(1, 1)
    activated = any(user.op_type in ACTIVATIONS for user in node.outputs[0].consumers())
    again = len(users(node.inputs[0])) > 1
    return PixelNorm(math.prod(shape[2:]), shape[-1], vectors, activated, again)


def _vectors(node: ir.Node) -> int:
    """Return how many of a norm's scale and offset change its result, of those whose numbers are at hand."""
    stored = [None if value is None else ir.convenience.get_const_tensor(value) for value in node.inputs[1:3]]
    pairs = zip(map(data_of, stored), (1, 0), strict=False)
    return sum(data is not None and bool((data != neutral).any()) for data, neutral in pairs)


def _is_lite(target: str) -> bool:
    known = targets.TARGETS.get(target)
    return known is not None and known.generation == "RKNPU lite"


def _groups(node: ir.Node) -> tuple[int, int, int] | None:
    """Return groups, channels and pixels of a norm over groups of a map, or of channels of vectors."""
    source = node.inputs[0] if node.inputs else None
    if node.op_type == "GroupNormalization":
        shape, groups = static_shape(source), node.attributes.get_int("num_groups", 0)
    elif node.op_type == "InstanceNormalization":
        grouped = static_shape(source)
        maker = source.producer() if source is not None else None
        flat = maker is not None and maker.op_type == "Reshape" and grouped is not None and len(grouped) == 3
        shape = static_shape(maker.inputs[0]) if maker is not None and flat else None
        groups = grouped[1] if grouped is not None and flat else 0
        if grouped is not None and len(grouped) == 4 and grouped[1] == 1:
            shape, groups = grouped, 1
    else:
        return None
    if shape is None or len(shape) not in (3, 4) or shape[0] != 1 or groups < 1 or shape[1] % groups:
        return None
    return groups, shape[1], math.prod(shape[2:])


def normed_maps(node: ir.Node, sequences: int) -> int:
    """Return how many maps a norm over channels takes one after the other, of so many sequences.

    Where a Reshape joined the positions of patches to their channels, and a convolution made the patches
    (TNT), each still lies as a map of its own: its norm is over the whole of it.
    """
    shape = static_shape(node.inputs[0])
    maker = node.inputs[0].producer() if node.inputs[0] is not None else None
    before = static_shape(maker.inputs[0]) if maker is not None and maker.op_type == "Reshape" else None
    if shape is not None and before is not None and len(shape) == len(before) == 3:
        patches, positions, channels = before
        joined = shape == (1, patches, positions * channels) and patches > 1 < positions
        if joined and _lies_as_convolved(maker, patches):
            return patches
    return 1 if are_rows(shape) else sequences


def _lies_as_convolved(node: ir.Node | None, maps: int) -> bool:
    """Return whether a convolution over so many maps made what a node hands on in another shape."""
    for _ in range(LONGEST_WAY):
        value = node.inputs[0] if node is not None else None
        node = value.producer() if value is not None else None
        if node is None or node.op_type not in ("Add", "Reshape", "Transpose", "Conv"):
            return False
        if node.op_type == "Add" and all(one is not None and one.producer() for one in node.inputs):
            return False  # of two maps: it is the stream behind a layer
        if node.op_type == "Conv":
            return (static_shape(node.outputs[0]) or (0,))[0] == maps
    return False


LONGEST_WAY = 6
