"""Which constants share the channels of a value: what must change together where channels move or are added.

A value's channels are those of its neighbours through every layer that works channel by channel, up to the
layers that mix channels: those take the change into their weights, on one side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from rkbench.onnx.convolution import convolution_of
from rkbench.onnx.rewrites.proposal import constant_array, is_stored, replace_constant
from rkbench.onnx.values import static_shape

CHANNELWISE = {
    *("Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Mish", "Softplus"),
    *("Identity", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Sqrt", "Abs"),
}
BINARY = {"Add", "Mul", "Sub", "Div", "PRelu"}


@dataclass(frozen=True)
class Edit:
    """One constant whose channels along `axis` must change with the value's."""

    node: ir.Node
    index: int
    axis: int


@dataclass
class _Walk:
    """A walk through all values that have the same channels."""

    channels: int
    boundary: tuple[ir.Node, ...]
    edits: dict[Edit, None] = field(default_factory=dict)
    seen: dict[ir.Value, None] = field(default_factory=dict)
    open: list[ir.Value] = field(default_factory=list)
    fails: bool = False

    def visit(self, value: ir.Value | None) -> None:
        """Have a value looked at, once; one that nodes of the graph neither make nor only read ends it."""
        if value is None or value in self.seen:
            return
        self.seen[value] = None
        self.open.append(value)

    def edit(self, node: ir.Node, index: int, axis: int) -> None:
        """Note a constant; one that is not stored ends the walk."""
        self.fails |= not is_stored(node.inputs[index])
        self.edits[Edit(node, index, axis)] = None


@dataclass(frozen=True)
class ChannelClass:
    """Everything that changes where the channels of one value do."""

    edits: tuple[Edit, ...]
    values: tuple[ir.Value, ...]

    @property
    def takes_zeros(self) -> bool:
        """Whether channels of zeros may be added: nothing would divide by one."""
        return not any(
            edit.node.op_type == "Div" or edit.node.attributes.get_float("epsilon", 1.0) == 0
            for edit in self.edits
        )

    def change(self, graph: ir.Graph, make: Callable[[np.ndarray, int], np.ndarray], channels: int) -> None:
        """Give every constant the channels that `make(array, axis)` returns, `channels` of them."""
        for edit in self.edits:
            array = constant_array(edit.node.inputs[edit.index])
            assert array is not None
            replace_constant(edit.node, edit.index, make(array, edit.axis), graph)
            if edit.node.op_type == "Conv" and edit.node.attributes.get_int("group", 1) > 1:
                edit.node.attributes["group"] = ir.AttrInt64("group", channels)
        for value in self.values:
            shape = static_shape(value)
            if shape is not None:
                value.shape = ir.Shape([shape[0], channels, *shape[2:]])


def channel_class(value: ir.Value, channels: int, *boundary: ir.Node) -> ChannelClass | None:
    """Return what shares the channels of `value`, the uses by the nodes of `boundary` left out.

    None where something does that cannot change: an input or output of the graph, a layer that is not known.
    """
    walk = _Walk(channels, boundary)
    walk.visit(value)
    while walk.open and not walk.fails:
        _step(walk.open.pop(), walk)
    if walk.fails:
        return None
    return ChannelClass(tuple(walk.edits), tuple(walk.seen))


def _step(value: ir.Value, walk: _Walk) -> None:
    shape, producer = static_shape(value), value.producer()
    if shape is None or len(shape) < 2 or shape[1] != walk.channels or value.is_graph_output():
        walk.fails = True
        return
    if producer not in walk.boundary:
        if producer is None or len(producer.outputs) != 1:
            walk.fails = True
            return
        _through(producer, -1, walk)
    for node, index in value.uses():
        if node not in walk.boundary:
            walk.fails |= producer is not None and node.graph is not producer.graph
            _through(node, index, walk)


def _through(node: ir.Node, index: int, walk: _Walk) -> None:
    """Follow the channels into a node: at its input `index`, or at its output (-1)."""
    kind = node.op_type
    if kind == "Conv":
        _convolution(node, index, walk)
    elif kind in ("Gemm", "MatMul"):
        _product(node, index, walk)
    elif len(node.outputs) != 1:
        walk.fails = True
    elif kind in BINARY:
        _binary(node, walk)
    elif kind == "BatchNormalization" and index <= 0:
        for place in range(1, 5):
            walk.edit(node, place, 0)
        _both(node, walk)
    elif index <= 0 and (kind in CHANNELWISE or _drops_single_pixels(node) or pads_pixels(node)):
        _both(node, walk)
    else:
        walk.fails = True


def _both(node: ir.Node, walk: _Walk) -> None:
    walk.visit(node.inputs[0])
    walk.visit(node.outputs[0])


def _convolution(node: ir.Node, index: int, walk: _Walk) -> None:
    """An ordinary convolution takes the change into its weights; a plain depthwise one hands it on."""
    geometry = convolution_of(node)
    if geometry is None or index > 0:
        walk.fails = True
        return
    constants = [place for place in (1, 2) if place < len(node.inputs) and node.inputs[place] is not None]
    plain = geometry.groups == geometry.output_channels == geometry.input_channels
    if geometry.groups == 1 and index == 0:
        walk.edit(node, 1, 1)
    elif geometry.groups == 1 or plain:
        for place in constants:
            walk.edit(node, place, 0)
        if geometry.groups > 1:
            _both(node, walk)
    else:
        walk.fails = True


def _product(node: ir.Node, index: int, walk: _Walk) -> None:
    """A product of (N, channels) by a constant matrix takes the change into the matrix, and the bias."""
    maps, matrix = static_shape(node.inputs[0]), static_shape(node.inputs[1])
    known = maps is not None and len(maps) == 2 and matrix is not None and len(matrix) == 2
    if not known or index > 0 or node.attributes.get_int("transA", 0) != 0:
        walk.fails = True
        return
    transposed = node.attributes.get_int("transB", 0)
    if index == 0:
        walk.edit(node, 1, transposed)
        return
    walk.edit(node, 1, 1 - transposed)
    bias = static_shape(node.inputs[2]) if len(node.inputs) > 2 else None
    if bias is not None and bias[-1:] == (walk.channels,):
        walk.edit(node, 2, len(bias) - 1)


def _drops_single_pixels(node: ir.Node) -> bool:
    """Return whether a Flatten or Reshape turns (N, C, 1, 1) into (N, C): the channels stay in order."""
    if node.op_type not in ("Flatten", "Reshape"):
        return False
    before, after = static_shape(node.inputs[0]), static_shape(node.outputs[0])
    return before is not None and len(before) > 2 and after == before[:2] and set(before[2:]) == {1}


def pads_pixels(node: ir.Node) -> bool:
    """Return whether a Pad adds nothing to batch and channels, or takes nothing away there."""
    if node.op_type != "Pad" or len(node.inputs) not in (2, 3):
        return False
    pads, shape = constant_array(node.inputs[1]), static_shape(node.inputs[0])
    if pads is None or shape is None or pads.size != 2 * len(shape):
        return False
    return not pads.reshape(2, -1)[:, :2].any()


def _binary(node: ir.Node, walk: _Walk) -> None:
    """Both maps share the channels; a constant of one element has none, one with a channel axis has."""
    out = static_shape(node.outputs[0])
    for place, value in enumerate(node.inputs):
        shape = static_shape(value)
        if shape is None or out is None:
            walk.fails = True
        elif is_stored(value):
            axis = len(shape) - len(out) + 1
            if int(np.prod(shape)) == 1 or axis < 0 or shape[axis] == 1:
                continue
            walk.fails |= shape[axis] != walk.channels
            walk.edit(node, place, axis)
        elif len(shape) == len(out) and shape[1] == walk.channels:
            walk.visit(value)
        elif len(shape) != len(out) or shape[1] != 1:
            walk.fails = True
    walk.visit(node.outputs[0])
