"""Constant maps that arithmetic reads: the compiler stores each as it stores a map.

Its channels are filled up to whole blocks, and the pixels of each block to whole fours. Read from 150 forms
in files of toolkit 2.5.0: both SoCs and dtypes, 1 to 1,344 channels, 9 to 147,456 pixels.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from rkbench.onnx.constants import float_elements
from rkbench.onnx.convolution import MAP_AXES
from rkbench.onnx.fusion.attended import is_softened
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets
from rkbench.rknn.targets import Dtype

PIXELS = 4
"""The pixels of a block of channels are filled up to a multiple of this."""
LEAST_AXES = 2


def stored_elements(node: ir.Node, value: ir.Value, target: str, dtype: Dtype) -> int:
    """Return the elements that a constant takes in the file, with all that fills it up; 0 for no float.

    A vector is no map, a target without a known layout fills nothing up, and scores of an attention lie as
    they are, but for those of several windows on one core, to which one map of each head is added. So do
    angles by which all heads are turned.
    """
    elements, shape = float_elements(value), static_shape(value) or ()
    layout = targets.weight_layout(target, dtype)
    if not elements or layout is None or sum(size > 1 for size in shape) < LEAST_AXES:
        return elements
    if _lies_as_it_is(shape, node, targets.TARGETS[target].npu_cores):
        return elements
    maps, channels, pixels = _as_map(shape)
    return maps * _lines(channels, layout.minimum_input) * _lines(pixels, PIXELS)


def _lies_as_it_is(shape: tuple[int, ...], node: ir.Node, cores: int) -> bool:
    made, (maps, channels, _) = static_shape(node.outputs[0]) or (1,), _as_map(shape)
    if len(shape) == len(made) == MAP_AXES and made[0] == channels == 1 < made[1]:
        return True
    return (maps > 1 or made[0] == 1 or cores > 1) and is_softened(node.outputs[0])


def _lines(count: int, line: int) -> int:
    return -(-count // line) * line


def _as_map(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the maps, channels and pixels of a constant: of up to three axes the last is channels."""
    if len(shape) >= MAP_AXES:
        return math.prod(shape[:-3]), shape[-3], math.prod(shape[-2:])
    return math.prod(shape[:-2]), shape[-1], shape[-2]
