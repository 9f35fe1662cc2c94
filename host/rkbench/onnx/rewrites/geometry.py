"""Padding of convolutions and pools, in numbers, whichever way the node says it."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from rkbench.onnx.convolution import Convolution, convolution_of
from rkbench.onnx.values import static_shape


@dataclass(frozen=True)
class Axis:
    """One spatial axis of a convolution; sizes in pixels."""

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    """Padding in front of the map; `after` stands behind it."""
    after: int

    @property
    def outputs(self) -> int:
        """Return the size of the output."""
        return (
            self.size + self.before + self.after - self.dilation * (self.kernel - 1) - 1
        ) // self.stride + 1

    def end_padding(self, kernel: int, dilation: int, before: int) -> int:
        """Return the padding behind the map with which another kernel gives as many outputs."""
        needed = (self.outputs - 1) * self.stride + dilation * (kernel - 1) + 1
        return max(needed - self.size - before, 0)


def axes_of(node: ir.Node) -> tuple[Axis, ...] | None:
    """Return the spatial axes of a Conv; None where a size is not known, or left to SAME.

    None too where its geometry is one of two axes that three were laid flat to: its weights have three.
    """
    geometry = convolution_of(node) if node.op_type == "Conv" else None
    if geometry is None or geometry.input_size is None or geometry.output_size is None:
        return None
    if len(static_shape(node.inputs[1]) or ()) != 2 + len(geometry.kernel):
        return None
    pads = _pads(node, geometry)
    if pads is None:
        return None
    count = len(geometry.kernel)
    found = tuple(
        Axis(size, kernel, stride, dilation, pads[place], pads[place + count])
        for place, (size, kernel, stride, dilation) in enumerate(
            zip(geometry.input_size, geometry.kernel, geometry.strides, geometry.dilations, strict=True)
        )
    )
    sound = tuple(axis.outputs for axis in found) == geometry.output_size
    return found if sound else None


def _pads(node: ir.Node, geometry: Convolution) -> tuple[int, ...] | None:
    """Return the padding, all fronts, then all ends."""
    zeros = (0,) * (2 * len(geometry.kernel))
    how = node.attributes.get_string("auto_pad", "NOTSET")
    if how == "VALID":
        return zeros
    return tuple(node.attributes.get_ints("pads", zeros)) if how == "NOTSET" else None


def set_axes(node: ir.Node, axes: tuple[Axis, ...]) -> None:
    """Write kernel, dilation and padding of every axis to a Conv."""
    node.attributes.pop("auto_pad", None)
    values = {
        "kernel_shape": [axis.kernel for axis in axes],
        "dilations": [axis.dilation for axis in axes],
        "pads": [axis.before for axis in axes] + [axis.after for axis in axes],
    }
    for name, numbers in values.items():
        node.attributes[name] = ir.AttrInt64s(name, numbers)
