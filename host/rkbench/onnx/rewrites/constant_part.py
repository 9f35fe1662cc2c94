"""Put the constant channels of a Concat into the bias of the convolution that reads it.

Exact where each constant channel has one value all over the map and the convolution does not pad. Pays
wherever it applies: the compiler stores the whole map, and a convolution that joins it (4 of 4 cases).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import convolution_of
from rkbench.onnx.rewrites.geometry import axes_of
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    is_stored,
    measured,
    replace_constant,
)
from rkbench.onnx.rewrites.surgery import add_constant, drop_unused, sole_user
from rkbench.onnx.values import static_shape

NAME = "constant_part"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose a Concat without its constant parts."""
    if node.op_type != "Concat" or node.attributes.get_int("axis", 0) != 1:
        return None
    user, parts = sole_user(node.outputs[0]), [_uniform(value) for value in node.inputs]
    if user is None or all(part is None for part in parts) or all(part is not None for part in parts):
        return None
    if not context.has_fixed_sizes or not _takes_bias(user):
        return None
    constant = sum(len(part) for part in parts if part is not None)
    return measured(
        node,
        NAME,
        say("{constant} constant channels -> the bias of {name}", constant=constant, name=user.name),
        lambda: _apply(node, user, parts, context.graph),
    )


def _takes_bias(user: ir.Node) -> bool:
    """Return whether a constant channel adds the same to every output of a layer: it pads nothing."""
    axes = axes_of(user)
    geometry = convolution_of(user) if axes is not None else None
    if axes is None or geometry is None or geometry.groups != 1 or any(a.before + a.after for a in axes):
        return False
    return all(is_stored(value) for value in user.inputs[1:] if value is not None)


def _uniform(value: ir.Value | None) -> np.ndarray | None:
    """Return the value of each channel of a map that is constant and the same all over; else None."""
    shape = static_shape(value)
    if value is None or shape is None or len(shape) < 3 or shape[0] != 1:
        return None
    producer = value.producer()
    if producer is not None and producer.op_type == "ConstantOfShape":
        fill = producer.attributes.get_tensor("value")
        return np.full(shape[1], 0 if fill is None else fill.numpy().item(), "float32")
    if producer is not None and producer.op_type in ("Expand", "Tile") and value.dtype == ir.DataType.FLOAT:
        spread = constant_array(producer.inputs[0])
        flat = spread is not None and (
            spread.size == 1 or spread.shape == (1, shape[1], *(1,) * len(shape[2:]))
        )
        return np.broadcast_to(spread.ravel(), shape[1]) if spread is not None and flat else None
    array = constant_array(value)
    if array is None or not array.size:
        return None
    channels = array.reshape(shape[1], -1)
    return channels[:, 0] if (channels == channels[:, :1]).all() else None


def _apply(concat: ir.Node, user: ir.Node, parts: list[np.ndarray | None], graph: ir.Graph) -> None:
    weights = constant_array(user.inputs[1])
    assert weights is not None
    sizes = [(static_shape(value) or (0, 0))[1] for value in concat.inputs]
    pieces = np.split(weights, np.cumsum(sizes)[:-1], axis=1)
    bias = constant_array(user.inputs[2]) if len(user.inputs) > 2 else None
    total = np.zeros(len(weights)) if bias is None else bias.astype("float64")
    for piece, part in zip(pieces, parts, strict=True):
        if part is not None:
            total += piece.astype("float64").reshape(*piece.shape[:2], -1).sum(axis=2) @ part
    stored = add_constant(graph, f"{user.name}_bias", total.astype(weights.dtype))
    user.resize_inputs(3)
    user.replace_input_with(2, stored)
    kept = [place for place, part in enumerate(parts) if part is None]
    replace_constant(user, 1, np.concatenate([pieces[place] for place in kept], axis=1), graph)
    _keep(concat, user, kept, sum(sizes[place] for place in kept))
    drop_unused(graph)


def _keep(concat: ir.Node, user: ir.Node, kept: list[int], channels: int) -> None:
    """Leave a Concat these inputs; a single one needs none."""
    values = [concat.inputs[place] for place in kept]
    if len(values) == 1:
        user.replace_input_with(0, values[0])
        return
    concat.resize_inputs(len(values))
    for place, value in enumerate(values):
        concat.replace_input_with(place, value)
    shape = static_shape(concat.outputs[0])
    assert shape is not None
    concat.outputs[0].shape = ir.Shape([shape[0], channels, *shape[2:]])


REWRITE = Rewrite(
    NAME,
    "constant channels that a Concat adds go into the bias of the convolution behind it",
    "32 of 64 channels, 56x56: 263,921 -> 42,865 bytes (rk3588 fp16), 154,315 -> 39,627 (int8), "
    "302,321 -> 95,089 (rk3568 fp16), 206,987 -> 102,859 (int8)",
    propose,
)
