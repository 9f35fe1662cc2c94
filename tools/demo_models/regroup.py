"""Merge neighbouring groups of a grouped convolution into block-diagonal ones: exact, and not made dense.

The converter stores a grouped convolution densely unless its channels per group are a multiple of 8 (rk3588
fp16) or 16 (rk3588 int8). Merging four groups of 4 adds zeros once, in the ONNX, instead of 128-fold.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

CHANNELS_PER_GROUP = 16


def regrouped(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of `model` whose grouped convolutions have CHANNELS_PER_GROUP channels per group."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    weights = {tensor.name: tensor for tensor in result.graph.initializer}
    for node in result.graph.node:
        group = next((attribute for attribute in node.attribute if attribute.name == "group"), None)
        if node.op_type != "Conv" or group is None or group.i == 1:
            continue
        tensor = weights[node.input[1]]
        weight = numpy_helper.to_array(tensor)
        factor = CHANNELS_PER_GROUP // weight.shape[1]
        tensor.CopyFrom(numpy_helper.from_array(merged(weight, group.i, factor), tensor.name))
        group.i //= factor
    onnx.checker.check_model(result, full_check=True)
    return result


def merged(weight: np.ndarray, groups: int, factor: int) -> np.ndarray:
    """Return the weight (outputs, inputs per group, h, w) with `factor` groups merged into one."""
    outputs, inputs, height, width = weight.shape
    per_group = outputs // groups
    wide = np.zeros((outputs, inputs * factor, height, width), weight.dtype)
    for output in range(outputs):
        first = (output // per_group) % factor * inputs
        wide[output, first : first + inputs] = weight[output]
    return wide
