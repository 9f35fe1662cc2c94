"""What recurrent layers take of a file."""

from __future__ import annotations

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.constants import float_elements
from rkbench.onnx.node_share import Context, Share
from rkbench.onnx.prediction import OTHER, RECURRENT
from rkbench.rknn.targets import ELEMENT_BYTES, Dtype

FLOAT_BYTES = 4


def recurrent(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """A GRU stays FLOAT16 in an int8 model; commands grow with the sequence.

    An LSTM is quantized, and holds a matrix of its own of four times the square of its width.
    """
    elements = sum(float_elements(value) for value in context.constant_inputs(node))
    lstm = node.op_type == "LSTM"
    weights = elements * (ELEMENT_BYTES[dtype] if lstm else 2)
    width = node.attributes.get_int("hidden_size", 0)
    stays = "" if lstm else say("; stays FLOAT16")
    note = say("one list of commands a time step{stays}", stays=stays)
    return Share(RECURRENT, weights + 4 * lstm * width**2, weights, 0, note)


def on_cpu_recurrent(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """An RNN is the CPU's, with its matrices in float32 (DeepSpeech)."""
    elements = sum(float_elements(value) for value in context.constant_inputs(node))
    needed = elements * ELEMENT_BYTES[dtype]
    return Share(OTHER, elements * FLOAT_BYTES, needed, 0, say("the CPU computes it, in float32"))
