"""Write an InstanceNormalization as averages: mean, difference, mean of squares, root, quotient.

Exact up to rounding. The squares of an fp16 file overflow beyond a deviation of 255 from the mean.
The compiler norms a map as vectors, or, where rows are no whole blocks of pixels, as a map for each channel
(the second of two norms of 64 channels of 12x12 took 1.1 MB on the rk3588 in fp16). Averages are pools of up
to seven pixels (`averaging.py`). Measured with toolkit 2.5.0 on 28 sizes of 1 to 256 channels and 4 to 56
pixels each way, rk3588 and rk3568, fp16 and int8: within `LEAST` they got smaller, by up to 96 % (64 channels
of 56x56 in int8 on the rk3588, twice: 2,080,582 -> 96,966 bytes), beside it small maps of many channels grew,
by 1 to 30 %. Norms over groups of channels, which exporters write as rows, average the averages of their
channels: of 17 sizes of 1 to 32 groups all got smaller where `_pays_in_groups` says yes (32 groups of 128
channels, 28x28, twice, rk3588 fp16: 1,462,573 -> 270,125; 1,050,669 while the rows were kept). So do rows of
one channel each (MedNeXt, four conversions: rk3588 fp16 4,576,815 bytes, 5,252,911 while they were rows,
7,553,775 before). Other rows keep their averages whole: so were norms of signals measured (SEW 1,493,483 ->
1,420,395).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import LARGEST_WINDOW
from rkbench.onnx.fusion.normed import TURNED_BLOCK
from rkbench.onnx.rewrites.averaging import averaged, windows_of
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    is_stored,
    measured,
)
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace, sole_user
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import Dtype

NAME = "pooled_norm"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the averages for an InstanceNormalization of a map, or of groups of a map's channels."""
    shape = static_shape(node.inputs[0]) if node.op_type == "InstanceNormalization" else None
    if shape is None or len(shape) not in (3, 4) or not context.has_fixed_sizes:
        return None
    if not all(is_stored(value) for value in node.inputs[1:]):
        return None
    grouped = _grouped_map(node)
    if grouped is not None and _pays_in_groups(grouped, shape[1], context):
        words = say(
            "normalization of {channels} channels in {groups} groups -> averages and a quotient; the CPU "
            "computes {what}",
            channels=grouped[1],
            groups=shape[1],
            what=_ON_CPU[context.dtype],
        )
        return measured(node, NAME, words, lambda: _Norm(node, grouped, context.graph).write_groups(shape[1]))
    if not (_pays(shape, context) or _is_cut_apart(node, shape, context)):
        return None
    words = say(
        "normalization of {channels} channels -> two global averages and a quotient; the CPU computes {what}",
        channels=shape[1],
        what=_ON_CPU[context.dtype],
    )
    return measured(node, NAME, words, lambda: _Norm(node, shape, context.graph).write())


_ON_CPU = {"fp16": say("that"), "int8": say("that and its root")}
"""4 of 4 conversions of one norm, rk3588 and rk3568: Div, in int8 Sqrt too, of one number a channel."""
LEAST_OF_ONE_CHANNEL = 1_024
LONGEST_ROW = 16_384
"""Pixels: of a single channel, from which on it pays; of a row, up to which it was measured."""
LEAST: dict[tuple[bool, Dtype], tuple[int, float]] = {
    (True, "fp16"): (200, 1.0),
    (True, "int8"): (1, 0.0),
    (False, "fp16"): (384, 1.0),
    (False, "int8"): (160, 2.0),
}
"""Pixels of a map, and pixels more for each of its channels, from which on it pays where pools average it, by
whether there are several cores."""
LEAST_OF_A_ROW, LEAST_RATIO = 1_024, 16
SHORT_ROW, SHORT_RATIO = 64, 8
"""The same of rows, and of maps that no pools tile. In int8 on several cores up to so many pixels too, and
from so many for each channel on."""
EXPAND_OPSET = 8
LEAST_OF_A_CHANNEL, LEAST_ON_ONE_CORE = 100, 36
"""Pixels from which on rows of one channel each pay as a map, and on one core in fp16: three norms of 6x6 in
MedNeXt save 64 kB there, and cost 50 kB on the rk3588 in fp16 and 37 kB on the rk3568 in int8; those of 12x12
saved 159 kB on the rk3568, 173 kB and 1.36 MB (int8) on the rk3588."""
LEAST_OF_ALL = {True: 256, False: 3_136}
"""Pixels from which on one norm of all channels pays, by whether there are several cores: 64 channels of
4x256 (rk3588 in fp16 127,028 -> 116,724 bytes, in int8 120,590 -> 100,110; rk3568 99,572 -> 105,844 and
107,406 -> 107,534), 128 of 4x16 grew in all four (MobileViTv2 by 1 to 3 %)."""
MANY_GROUPS, LARGE_MAP = 8, 1_024
"""Groups, or else pixels, from which on norms over groups of channels pay on one core."""


def _block(context: RewriteContext) -> int:
    return TURNED_BLOCK[context.cores == 1][context.dtype == "fp16"]


def _is_pooled(shape: tuple[int, ...]) -> bool:
    """Return whether pools average a map but for a few pixels."""
    return len(shape) == 4 and prod(windows_of(*shape[2:]).left) <= LARGEST_WINDOW


def _pays(shape: tuple[int, ...], context: RewriteContext) -> bool:
    channels, pixels = shape[1], prod(shape[2:])
    if channels == 1:
        return len(shape) == 4 and pixels >= LEAST_OF_ONE_CHANNEL
    if _is_pooled(shape):
        least, ratio = LEAST[context.cores > 1, context.dtype]
        return pixels >= least + ratio * channels
    if context.cores > 1 and context.dtype == "int8":
        pays = pixels <= SHORT_ROW or pixels >= SHORT_RATIO * channels
    else:
        pays = pixels >= LEAST_OF_A_ROW and pixels >= LEAST_RATIO * channels
    return pays and (len(shape) == 4 or (shape[0] == 1 and pixels <= LONGEST_ROW))


def _is_cut_apart(node: ir.Node, shape: tuple[int, ...], context: RewriteContext) -> bool:
    """Return whether rows are no whole blocks of pixels: then each channel is a map, where the pixels are
    whole blocks or a norm of the same size turned the map before."""
    block = _block(context)
    if not _is_pooled(shape) or shape[1] == 1 or shape[3] % block == 0:
        return False
    norms = (other for other in context.graph if other.op_type == node.op_type and other is not node)
    return prod(shape[2:]) % block == 0 or any(static_shape(other.inputs[0]) == shape for other in norms)


def _grouped_map(node: ir.Node) -> tuple[int, ...] | None:
    """Return the shape of the map whose groups of channels a norm norms as rows, one of each, without scale
    or offset, and that is a map again behind it; None for other norms."""
    before, behind = node.inputs[0].producer() if node.inputs[0] else None, sole_user(node.outputs[0])
    if before is None or behind is None or {before.op_type, behind.op_type} != {"Reshape"}:
        return None
    values = (before.inputs[0], node.inputs[0], behind.outputs[0])
    shape, rows, again = (static_shape(value) for value in values)
    if shape is None or rows is None or shape != again or (len(shape), len(rows)) != (4, 3):
        return None
    scale, offset = (constant_array(value) for value in node.inputs[1:3])
    plain = scale is not None and offset is not None and bool((scale == 1).all()) and not offset.any()
    return shape if plain and shape[0] == rows[0] == 1 and shape[1] % rows[1] == 0 else None


def _pays_in_groups(shape: tuple[int, ...], groups: int, context: RewriteContext) -> bool:
    pixels, fits = prod(shape[2:]), _is_pooled(shape) and context.opset >= EXPAND_OPSET
    if groups == shape[1]:
        is_light = context.cores == 1 and context.dtype == "fp16"
        return fits and pixels >= (LEAST_ON_ONE_CORE if is_light else LEAST_OF_A_CHANNEL)
    if not fits or shape[1] // groups * pixels % _block(context):
        return False
    if groups == 1:
        return pixels >= LEAST_OF_ALL[context.cores > 1]
    return context.cores > 1 or groups >= MANY_GROUPS or pixels >= LARGE_MAP


class _Norm:
    """Writes one norm of a map anew; `new` are the nodes in their order."""

    def __init__(self, node: ir.Node, shape: tuple[int, ...], graph: ir.Graph) -> None:
        self.node, self.shape, self.graph = node, shape, graph
        self.name, self.out, self.new = node.name or "norm", node.outputs[0], list[ir.Node]()
        self.dtype = self.out.dtype.numpy() if self.out.dtype is not None else np.dtype("float32")
        self.epsilon = self._constant(node.attributes.get_float("epsilon", 1e-5), "epsilon")

    def write(self) -> None:
        """Put averages in the place of a norm of each channel; one row is a map for it."""
        scale, bias = (constant_array(value) for value in self.node.inputs[1:3])
        assert scale is not None and bias is not None
        source, whole = self.node.inputs[0], self.shape
        if len(whole) == 3:
            self.shape = (*whole[:2], 1, whole[2])
            source = self._viewed(source, self.shape)
        difference = self._add("Sub", [source, self._average(source)], self.shape)
        variance = self._average(self._add("Mul", [difference, difference], self.shape))
        quotient = self._add("Mul", [difference, self._inverse_root(variance)], self.shape)
        if not (scale == 1).all():
            factors = self._constant(scale.reshape(1, -1, 1, 1), "scale")
            quotient = self._add("Mul", [quotient, factors], self.shape)
        if bias.any():
            shift = self._constant(bias.reshape(1, -1, 1, 1), "bias")
            quotient = self._add("Add", [quotient, shift], self.shape)
        if len(whole) == 3:
            self._viewed(quotient, whole)
        replace(self.graph, [self.node], self.new)

    def write_groups(self, groups: int) -> None:
        """Put averages in the place of a norm over groups of channels, without the rows around it."""
        before, behind = self.node.inputs[0], sole_user(self.node.outputs[0])
        rows = before.producer() if before is not None else None
        assert rows is not None and behind is not None
        source = rows.inputs[0]
        mean = self._spread(self._together(self._average(source), groups))
        difference = self._add("Sub", [source, mean], self.shape)
        squares = self._average(self._add("Mul", [difference, difference], self.shape))
        root = self._spread(self._inverse_root(self._together(squares, groups)))
        self._add("Mul", [difference, root], self.shape)
        replace(self.graph, [self.node, behind], self.new)

    def _together(self, value: ir.Value, groups: int) -> ir.Value:
        """Return the mean of each group of channels, of the means of channels."""
        if groups == self.shape[1]:
            return value
        rows = self._viewed(value, (1, groups, 1, self.shape[1] // groups))
        return self._add("GlobalAveragePool", [rows], (1, groups, 1, 1))

    def _spread(self, value: ir.Value) -> ir.Value:
        """Return a number of each group for each of its channels."""
        groups = (static_shape(value) or ())[1]
        if groups == self.shape[1]:
            return value
        size = (1, groups, 1, self.shape[1] // groups)
        wide = self._add("Expand", [value, self._size(size)], size)
        return self._viewed(wide, (1, self.shape[1], 1, 1))

    def _average(self, value: ir.Value | None) -> ir.Value:
        if self.shape[2] == 1:  # a row
            return self._add("GlobalAveragePool", [value], (*self.shape[:2], 1, 1))
        called = f"{self.name}_{len(self.new)}"
        self.new += averaged(self.graph, value, self.shape, called, self.out)
        return self.new[-1].outputs[0]

    def _inverse_root(self, variance: ir.Value) -> ir.Value:
        size = static_shape(variance) or ()
        root = self._add("Sqrt", [self._add("Add", [variance, self.epsilon], size)], size)
        return self._add("Reciprocal", [root], size)

    def _add(self, op_type: str, inputs: Sequence[ir.Value | None], size: tuple[int, ...]) -> ir.Value:
        called = f"{self.name}_{len(self.new)}"
        self.new.append(make_node(self.graph, op_type, inputs, name=called, shape=size, like=self.out))
        return self.new[-1].outputs[0]

    def _viewed(self, value: ir.Value | None, size: tuple[int, ...]) -> ir.Value:
        return self._add("Reshape", [value, self._size((0, *size[1:]))], size)  # 0: any batch

    def _size(self, size: tuple[int, ...]) -> ir.Value:
        return add_constant(self.graph, f"{self.name}_size{len(self.new)}", np.array(size))

    def _constant(self, array: np.ndarray | float, called: str) -> ir.Value:
        return add_constant(self.graph, f"{self.name}_{called}", np.asarray(array, self.dtype))


REWRITE = Rewrite(
    NAME,
    "an InstanceNormalization, also over groups of channels, is written as averages by pools",
    "64 channels, 56x56: 181,041 -> 80,945 bytes (rk3588 fp16), 357,835 -> 56,523 (int8), "
    "175,857 -> 126,769 (rk3568 fp16), 181,003 -> 123,339 (int8)",
    propose,
)
