"""Small patterns of an ONNX graph that the compiler rewrites: pooling to one pixel, channel shuffle."""

from __future__ import annotations

import math

import onnx_ir as ir

from rkbench.onnx.convolution import LARGEST_WINDOW
from rkbench.onnx.values import data_of, static_shape


def pooled_size(node: ir.Node) -> tuple[int, int] | None:
    """Return height and width if the node pools a whole 4-D map to one pixel, else None."""
    shape = static_shape(node.inputs[0])
    if shape is None or len(shape) != 4:
        return None
    if node.op_type in ("ReduceMean", "ReduceSum"):
        axes = axes_of(node)
        if {axis % 4 for axis in axes} != {2, 3}:
            return None
    return shape[2], shape[3]


def axes_of(node: ir.Node) -> tuple[int, ...]:
    """Return the axes that a reduction is over, as the node says them; () where they are not stored."""
    if "axes" in node.attributes:
        return tuple(node.attributes["axes"].as_ints())
    value = node.inputs[1] if len(node.inputs) > 1 else None
    stored = data_of(ir.convenience.get_const_tensor(value)) if value is not None else None
    return () if stored is None else tuple(int(axis) for axis in stored.ravel())


MOST_ORDERED = 2048
"""More positions are no convolution's channels. Seen at 1,568 and at 3,136."""


def moved_positions(node: ir.Node) -> int:
    """Return how many positions an Einsum of two maps has to put in order behind its product, else 0.

    A product comes out with the labels first that both maps have; where the equation wants others before
    them, its rows (all labels but the one that is summed over the second map's own) change places.
    Seen on attention with relative positions, such as `byhwc,hkc->byhwk` (MViTv2). Of four dimensions, as in
    SAM's `bhwc,hkc->bhwk`, it is a Transpose, which stores nothing.
    """
    shape = static_shape(node.inputs[0])
    first, second, result = _labels(node)
    if shape is None or not 4 < len(first) == len(shape):
        return 0
    sizes = dict(zip(first, shape, strict=True))
    rows = [label for label in result if label in first]
    shared = {label for label in rows if label in second}
    real = [label for label in rows if sizes[label] > 1]
    if not shared or shared.issuperset(real[: len(shared.intersection(real))]):
        return 0
    count = math.prod(sizes[label] for label in rows)
    return count if count <= MOST_ORDERED else 0


def _labels(node: ir.Node) -> tuple[str, str, str]:
    """Return the labels of an Einsum's two operands and its result; "" three times for any other."""
    equation = node.attributes["equation"].as_string() if "equation" in node.attributes else ""
    left, arrow, result = equation.replace(" ", "").partition("->")
    first, comma, second = left.partition(",")
    plain = node.op_type == "Einsum" and arrow and comma and "." not in left and "," not in second
    return (first, second, result) if plain else ("", "", "")


def pooling_kernels(size: tuple[int, int]) -> list[int]:
    """Return the kernel areas of the depthwise cascade that replaces a global pool.

    Kernels are 7 wide (or what is left) and step by 7: 28 is 7 then 4, 56 is 7, 7 and 2, 10 is 7 and 2.
    Measured on 11 sizes from 7 to 56 pixels.
    """
    areas, sides = [], list(size)
    while max(sides) > 1:
        areas.append(math.prod(min(side, LARGEST_WINDOW) for side in sides))
        sides = [math.ceil(side / LARGEST_WINDOW) for side in sides]
    return areas


def is_channel_shuffle(node: ir.Node) -> bool:
    """Return whether a Reshape ends reshape (N,g,c,H,W) - transpose (0,2,1,3,4) - reshape (N,g*c,H,W)."""
    transpose = _producer(node, "Transpose")
    first = _producer(transpose, "Reshape")
    if transpose is None or first is None:
        return False
    before, after = static_shape(first.inputs[0]), static_shape(node.outputs[0])
    order = tuple(transpose.attributes.get_ints("perm", ()))
    middle = static_shape(first.outputs[0])
    return (
        before is not None
        and before == after
        and len(before) == 4
        and order == (0, 2, 1, 3, 4)
        and middle is not None
        and middle[1] * middle[2] == before[1]
    )


def _producer(node: ir.Node | None, op_type: str) -> ir.Node | None:
    value = node.inputs[0] if node is not None and node.inputs else None
    producer = value.producer() if value is not None else None
    return producer if producer is not None and producer.op_type == op_type else None
