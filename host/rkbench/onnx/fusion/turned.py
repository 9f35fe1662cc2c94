"""Transposes of which it is known how the map lies that they turn: positions where channels are, or not.

Read from files of toolkit 2.5.0: a speech network whose frames are cut out of a signal, and EfficientViT's
linear attention, of 8 and 16 heads.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from rkbench.onnx.fusion.geometry import turns_positions
from rkbench.onnx.fusion.patterns import next_node, users
from rkbench.onnx.values import static_shape

_SWAPPED = {3: (0, 2, 1), 4: (0, 1, 3, 2)}
"""Orders that let the last two axes change places, by the number of axes."""
_ON_THE_WAY = frozenset({"Cast", "Div", "Mul", "Slice"})
LONGEST_WAY = 6


def is_turned(node: ir.Node) -> bool:
    """Return whether a Transpose is a layer of its own that moves a map position by position."""
    return turns_positions(node) or _turns_frames(node) or _turns_back(node)


def turned_tasks(node: ir.Node, lanes: int, cores: int) -> int | None:
    """Return the tasks of a turn whose map is known to lie so; None of others.

    What lies where channels do is taken `lanes` at a time, for each head; of one map that is few tasks on
    several cores. The values that the keys of a linear attention meet are turned as those are.
    """
    shape = static_shape(node.inputs[0])
    if shape is None:
        return None
    if _turns_frames(node):
        return shape[0] * shape[1] // lanes if cores == 1 else 0
    heads, sides = math.prod(shape[:-2]), shape[-2:]
    if _is_summed_over_positions(node):
        return 2 * heads * min(sides) // lanes
    return heads * max(sides) // lanes if _turns_back(node) else None


def _swaps_last(node: ir.Node) -> bool:
    shape = static_shape(node.inputs[0])
    order = tuple(node.attributes.get_ints("perm", ()))
    return shape is not None and node.op_type == "Transpose" and order == _SWAPPED.get(len(shape))


def _turns_frames(node: ir.Node) -> bool:
    """Return whether frames that were joined end to end, one a row, become the channels of a convolution.

    The converter computes once what several Transposes make alike.
    """
    value = node.inputs[0]
    maker = value.producer() if value is not None else None
    if value is None or maker is None or maker.op_type != "Concat" or not _swaps_last(node):
        return False
    shape = static_shape(value) or ()
    along = maker.attributes.get_int("axis", 0) % max(len(shape), 1)
    alike = [user for user in users(value) if user.op_type == "Transpose" and _swaps_last(user)]
    reads = {user.op_type for user in users(node.outputs[0])}
    return len(shape) == 3 and along == 2 and reads == {"Conv"} and alike[0] is node


def _is_summed_over_positions(node: ir.Node) -> bool:
    """Return whether keys meet values before the queries meet both: attention without a softmax."""
    product = next_node(node.outputs[0], "MatMul")
    if product is None or not _swaps_last(node) or product.inputs[0] is not node.outputs[0]:
        return False
    second = next_node(product.outputs[0], "MatMul")
    return second is not None and second.inputs[1] is product.outputs[0] and _comes_back(second)


def _comes_back(product: ir.Node) -> bool:
    """Return whether positions and channels change places once more behind a product; not so in CoaT."""
    values = list(product.outputs)
    for _ in range(LONGEST_WAY):
        readers = [user for value in values for user in users(value)]
        if any(_swaps_last(user) for user in readers):
            return True
        values = [user.outputs[0] for user in readers if user.op_type in _ON_THE_WAY]
    return False


def _turns_back(node: ir.Node) -> bool:
    """Return whether what such an attention makes is turned, to become a map again.

    Only where the sum of the keys was a channel more, which a Slice cuts off. Without one the products are
    computed the other way around (8 heads of 16 and 64 channels, of three axes and of four), and the queries
    are turned for them if they were cut from positions: as many tasks, counted here.
    """
    if not _swaps_last(node) or next_node(node.outputs[0], "Reshape") is None:
        return False
    value, is_cut = node.inputs[0], False
    for _ in range(LONGEST_WAY):
        maker = value.producer() if value is not None else None
        if maker is None or maker.op_type not in (*_ON_THE_WAY, "MatMul"):
            return False
        is_cut = is_cut or maker.op_type == "Slice"
        if maker.op_type == "MatMul":
            summed = maker.inputs[1].producer() if maker.inputs[1] is not None else None
            keys = summed.inputs[0] if summed is not None and summed.op_type == "MatMul" else None
            turned = keys.producer() if keys is not None else None
            is_linear = turned is not None and _is_summed_over_positions(turned)
            return is_linear and (is_cut or _is_cut_from_positions(maker.inputs[0]))
        value = maker.inputs[0]
    return False


def _is_cut_from_positions(value: ir.Value | None) -> bool:
    """Return whether queries are a part of a map that was turned before, an activation between at most."""
    for _ in range(2):
        maker = value.producer() if value is not None else None
        if maker is None or not maker.inputs or maker.inputs[0] is None:
            return False
        value = maker.inputs[0]
        if maker.op_type in ("Split", "Slice"):
            turned = value.producer()
            return turned is not None and _swaps_last(turned)
    return False
