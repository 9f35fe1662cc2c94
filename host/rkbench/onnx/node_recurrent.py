"""What recurrent layers take of a file."""

from __future__ import annotations

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.constants import float_elements
from rkbench.onnx.node_share import Context, Share
from rkbench.onnx.prediction import OTHER, RECURRENT, UNPROJECTED
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import ELEMENT_BYTES, Dtype

FLOAT_BYTES = 4
LINE_BYTES = 4
"""For each value of a time step."""


def recurrent(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """A GRU stays FLOAT16 in an int8 model; its commands grow with the sequence.

    An LSTM is quantized, and holds zeros where a projection would be, four times the square of its width, and
    a line of zeros for every time step.
    """
    elements = sum(float_elements(value) for value in context.constant_inputs(node))
    width, steps = node.attributes.get_int("hidden_size", 0), (static_shape(node.inputs[0]) or (1,))[0]
    if node.op_type == "LSTM":
        weights = elements * ELEMENT_BYTES[dtype]
        note = say("tasks for every time step; from the third on they share their commands")
        return Share(UNPROJECTED, weights + 4 * width**2 + LINE_BYTES * width * steps, weights, 0, note)
    return Share(RECURRENT, 2 * elements, 2 * elements, 0, say("commands for every time step; stays FLOAT16"))


def on_cpu_recurrent(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """An RNN is the CPU's, with its matrices in float32 (DeepSpeech)."""
    elements = sum(float_elements(value) for value in context.constant_inputs(node))
    needed = elements * ELEMENT_BYTES[dtype]
    return Share(OTHER, elements * FLOAT_BYTES, needed, 0, say("the CPU computes it, in float32"))
