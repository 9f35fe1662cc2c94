"""Patches that Slices and a Concat along the last axis merge to channels (Swin): a dense strided convolution.

Read from files of toolkit 2.5.0: MaskFormer, and 40 of small graphs of 8 to 128 channels. Patches of 4 take
more commands than are counted here (1.37 MB; 231 kB predicted, 207 of them beside the kernel).
"""

from __future__ import annotations

from math import isqrt

import onnx_ir as ir

from rkbench.onnx.convolution import Convolution
from rkbench.onnx.fusion.patterns import users
from rkbench.onnx.values import data_of, static_shape

MOST_CUTS = 4
"""Slices that one piece is made by: one takes both sides, or two a side each."""


def merged_patches(node: ir.Node) -> Convolution | None:
    """Return the convolution of zeros and ones that a Concat of every k-th pixel becomes; None for others."""
    shape, side = static_shape(node.outputs[0]), isqrt(len(node.inputs))
    if node.op_type != "Concat" or shape is None or len(shape) != 4 or shape[0] != 1:
        return None
    is_last = node.attributes.get_int("axis", 0) in (-1, 3)
    if not is_last or side < 2 or side**2 != len(node.inputs) or shape[3] % side**2:
        return None
    before = (1, shape[1] * side, shape[2] * side, shape[3] // side**2)
    sources = {_source(value, before, side) for value in node.inputs}
    if len(sources) > 1 or None in sources:
        return None
    return Convolution(
        shape[3],
        before[3],
        kernel=(side, side),
        strides=(side, side),
        input_size=before[1:3],
        output_size=shape[1:3],
        has_bias=False,
    )


def cuts_a_patch(node: ir.Node) -> bool:
    """Return whether all that a Slice cuts goes into such a Concat, perhaps through other Slices."""
    behind, left = [node], MOST_CUTS
    while left and (behind := [user for each in behind for user in users(each.outputs[0])]):
        if {each.op_type for each in behind} != {"Slice"}:
            return node.op_type == "Slice" and all(merged_patches(each) is not None for each in behind)
        left -= 1
    return False


def _source(value: ir.Value | None, before: tuple[int, ...], side: int) -> ir.Value | None:
    """Return the map of the shape `before` of which a piece is every `side`-th pixel; None for others."""
    for _ in range(MOST_CUTS):
        maker = value.producer() if value is not None else None
        if (
            maker is None
            or maker.op_type != "Slice"
            or len(maker.inputs) < len(("x", "from", "to", "of", "by"))
        ):
            return None
        value, given = maker.inputs[0], maker.inputs[4]
        steps = data_of(ir.convenience.get_const_tensor(given)) if given is not None else None
        if steps is None or side not in steps:
            return None
        if static_shape(value) == before:
            return value
    return None
