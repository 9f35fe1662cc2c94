"""What any layer stores that has no rule of its own: its float constants."""

from __future__ import annotations

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx import commands
from rkbench.onnx import convolution as conv
from rkbench.onnx.constants import channel_elements, float_elements, is_generated
from rkbench.onnx.node_share import Context, Share
from rkbench.onnx.prediction import FILLED, FOLDED, OTHER
from rkbench.onnx.stored_operands import stored_elements
from rkbench.rknn.targets import ELEMENT_BYTES, Dtype

# Layers that the compiler fuses into a neighbour or that only rename bytes: no commands of their own.
FUSED = {
    *("Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Mish"),
    *("BatchNormalization", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast"),
    *("Transpose", "Softplus"),
}

MOST_FILLED = 1.2
"""An operand that takes more than so many times its elements is said to be filled up."""
_BROADCASTING = frozenset({"Add", "Sub", "Mul", "Div"})


def other_share(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """Any other layer: its float constants are stored element by element, its commands are one layer's."""
    values = context.constant_inputs(node)
    is_sum = node.op_type in _BROADCASTING
    whole, flat = _whole_and_flat(values) if is_sum else (values, 0)
    generated = sum(float_elements(value) for value in whole if is_generated(value))
    given = sum(map(float_elements, whole)) - generated + flat
    size = 0 if node.op_type in FUSED else commands.other_bytes(context.target)
    element = ELEMENT_BYTES[dtype]
    sizes = (stored_elements(node, each, context.target, dtype) for each in whole) if is_sum else None
    stored = (sum(map(float_elements, whole)) if sizes is None else sum(sizes)) + flat
    stored *= element
    if generated > given:
        note = say(
            "{generated} constants are computed by nodes: stored in full in the .rknn, not in the ONNX",
            generated=generated,
        )
        return Share(FOLDED, stored, given * element, size, note)
    if given == 0 and size == 0:
        return None
    becomes = FILLED if stored > MOST_FILLED * given * element else OTHER
    return Share(becomes if given else conv.ORDINARY, stored, given * element, size)


def _whole_and_flat(values: list[ir.Value]) -> tuple[list[ir.Value], int]:
    """Return the constants that are stored as they are, and the channels of those of one number each."""
    channels = {value: channel_elements(value) for value in values}
    return [value for value in values if channels[value] is None], sum(filter(None, channels.values()))
