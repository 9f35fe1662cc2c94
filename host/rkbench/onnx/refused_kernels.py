"""What the converter refuses for the size of a kernel: transposed convolutions that it cuts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.foreseen import Asked, ForeseenRefusal, name_of
from rkbench.onnx.fusion.tasks import LINE_BYTES, PART_CHANNELS
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets
from rkbench.rknn.targets import ELEMENT_BYTES


def lost_padding(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """A transposed convolution that is cut along its input channels loses its output_padding.

    Measured on kernels of 3 and 5, 32 to 512 channels, toolkit 2.5.0: it is refused from that number of
    channels on from which a dense convolution is cut.
    """
    padding = node.attributes.get_ints("output_padding", ()) if node.op_type == "ConvTranspose" else ()
    weights, known = static_shape(node.inputs[1]) if any(padding) else None, targets.TARGETS.get(asked.target)
    if weights is None or known is None or node.attributes.get_int("group", 1) != 1:
        return
    channels = math.ceil(weights[0] / PART_CHANNELS) * PART_CHANNELS
    line = channels * math.prod(weights[2:]) * ELEMENT_BYTES[asked.dtype]
    if line <= LINE_BYTES[known.npu_cores]:
        return
    yield ForeseenRefusal(
        name_of(node),
        "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: "
        f"{node.outputs[0].name} for the following indices",
        say("a transposed convolution so large that it is cut, which loses its output_padding"),
        say(
            "make the kernel larger by the output_padding, with zeros at its end, which gives the same "
            "outputs (bench fix does)"
        ),
    )


RULES: tuple[Callable[[ir.Node, Asked], Iterator[ForeseenRefusal]], ...] = (lost_padding,)
