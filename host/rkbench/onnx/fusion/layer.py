"""One layer as the compiler makes it: several nodes of the ONNX that it computes at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import onnx_ir as ir

from rkbench.onnx.convolution import Convolution

Kind = Literal[
    "convolution",
    "map",  # arithmetic over whole maps, cut for several cores
    "narrow",  # arithmetic that one core does
    "table",  # an activation alone, by a lookup table
    "pool",
    "norm",
    "length",  # vectors divided by their lengths
    "softmax",
    "attention",
    "concat",
    "split",
    "resize",
    "pad",
    "turn",  # a Transpose of positions and channels of every head, position by position
    "means",  # what turns a map for means over its rows or columns
    "back",  # what turns the means back
    "sums",  # what turns a map for sums over its last axis
    "order",  # a map that becomes a vector in another order: a dense kernel, or copies
    "rows",  # rows or columns of a map, fetched one by one
    "picked",  # every row times a matrix of its own, which picks values
    "unfold",  # a Transpose of a map's pixels by phase, position by position
    "fold",  # the way back
    "recurrent",
    "free",  # a new shape: no commands
    "cpu",  # what the CPU computes: no commands, but lists of commands end before it
]


@dataclass
class FusedLayer:
    """What becomes one layer; filled in while a graph is fused."""

    node: ir.Node
    """The node that the layer bears the name of."""
    kind: Kind
    source: ir.Value | None = None
    """The map that it reads first."""
    convolution: Convolution | None = None
    parts: int = 1
    """Pieces that a Concat joins, a Split makes, a recurrent layer steps through."""
    table: str = ""
    """The activation that needs a lookup table; "" if none does."""
    activated: bool = False
    """Whether an activation has been fused in: nothing that changes values can follow into a convolution."""
    joins: bool = False
    """Whether the sum or product with another map has been fused in."""
    nodes: list[ir.Node] = field(default_factory=list)
    """All nodes that it computes."""
    vectors: int = 0
    """Constants that it reads beside its weights."""
    pieces: tuple[Convolution, ...] = ()
    """The convolutions of all parts of a Concat, at the last of them; () if its own is the whole one."""

    @property
    def is_linear(self) -> bool:
        """Whether nothing but a convolution, or a scale and shift of each channel, happens in it."""
        scales = self.kind == "narrow" and self.node.op_type == "BatchNormalization"
        return (self.kind == "convolution" or scales) and not (self.activated or self.joins or self.table)

    @property
    def is_depthwise(self) -> bool:
        """Whether it is a convolution of each channel by itself: no sum is fused into one."""
        geometry = self.convolution
        return geometry is not None and geometry.groups == geometry.output_channels > 1

    @property
    def is_biased(self) -> bool:
        """Whether a bias, or a norm that becomes one, is in it."""
        norms = any(node.op_type == "BatchNormalization" for node in self.nodes)
        return norms or (len(self.node.inputs) > 2 and self.node.inputs[2] is not None)

    def kernel_area(self) -> int:
        """Return the elements of its kernel; 0 for a scale."""
        return self.convolution.kernel_area if self.convolution is not None else 0

    def takes_in(self, other: FusedLayer) -> bool:
        """Return whether the compiler writes another layer of the same map into this one's kernel.

        It does where both are convolutions of stride 1 with a bias; else they stay apart (toolkit 2.5.0).
        """
        one, two = self.convolution, other.convolution
        if one is None or two is None or not self.is_biased or not other.is_biased:
            return False
        nests = all(mine >= its for mine, its in zip(one.kernel, two.kernel, strict=False))
        return (
            max(one.strides) == 1
            and nests
            and (
                one.groups,
                one.strides,
                one.output_channels,
                max(one.dilations),
            )
            == (*(two.groups, two.strides, two.output_channels, max(two.dilations)),)
        )
