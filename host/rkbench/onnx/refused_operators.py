"""What the converter refuses of one operator's attributes: cubic sizes, chance, letters, long transposes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.foreseen import Asked, ForeseenRefusal, name_of
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets

RANDOM = frozenset({"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"})
ENDS = "the converter's process ends without a word (signal 11)"
OVERFLOWS = (
    "REGTASK: The bit width of field value exceeds the limit ... buffer overflow!, at which the converter's "
    "process ends"
)
MOST_TAPS = 56
"""Of a transposed convolution over one axis that converts at any length; 62 are refused."""
MOST_OUTPUTS = 2048
"""Of such a one that is longer: 2048 convert, 2080 do not."""
RESIZED_OTHERWISE = say(
    "enlarge the picture before the network; or two MatMuls by stored matrices (one for each axis), "
    "which give the same outputs; or exclude_outside=1, which differs at the borders alone"
)
TRANSPOSED_OTHERWISE = say(
    "where the kernel is a multiple of the stride: a 1x1 convolution to as many channels as "
    "taps, cut into parts of the stride that are shifted and added, which gives the same outputs"
)


def _cubic(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """A cubic Resize ends the converter's process.

    17 of 17 conversions: scales 0.5 to 4, one axis or two, 3 to 8 channels, opsets 11 to 18, each
    coordinate transformation but align_corners (which dies of small maps alone). With exclude_outside
    it converts, 5 of 5.
    """
    if node.op_type == "Resize" and _reads_outside(node) and node.outputs[0] not in asked.constants:
        before, after = static_shape(node.inputs[0]), static_shape(node.outputs[0])
        if before is None or before != after:
            reason = say("a cubic Resize, which reads beyond the borders of its map")
            yield ForeseenRefusal(name_of(node), ENDS, reason, RESIZED_OTHERWISE)


def _reads_outside(node: ir.Node) -> bool:
    aligned = node.attributes.get_string("coordinate_transformation_mode", "half_pixel") == "align_corners"
    inside = node.attributes.get_int("exclude_outside", 0) != 0
    return node.attributes.get_string("mode", "nearest") == "cubic" and not aligned and not inside


def _chance(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    if node.op_type in RANDOM:
        yield ForeseenRefusal(
            name_of(node),
            f"ValueError: Found Random node '{name_of(node)}', which is not supported, please remove it "
            "manually and try again!",
            say("it draws random numbers, as noise does that a network adds to its features"),
            say("export the network without them, or make an input of the network of what they draw"),
        )


def _ellipsis(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """An Einsum of a map and a vector whose equation leaves axes out (`...`), but of four dimensions.

    4 of 4 conversions of 3 and 5 dimensions; of 4 dimensions it converts, as do products of two maps, and
    equations that name every axis, and what is computed of stored numbers alone (Beat This).
    """
    if node.outputs[0] in asked.constants:
        return
    equation = node.attributes.get_string("equation", "") if node.op_type == "Einsum" else ""
    shapes = [static_shape(value) for value in node.inputs]
    first, vector = shapes if len(shapes) == 2 else (None, None)
    if "..." in equation and first is not None and len(first) != 4 and len(vector or ()) == 1:
        yield ForeseenRefusal(
            name_of(node),
            _said_of_ranks(name_of(node), equation, len(first)),
            say("an Einsum by a vector that leaves axes out (...), of a map of other than 4 dimensions"),
            say("name every axis by a letter, as in bcfhw,c->bcfhw, or multiply by the vector in that shape"),
        )


def _said_of_ranks(name: str, equation: str, rank: int) -> str:
    """Return what is said: the converter takes `...` for one axis."""
    indices = len(equation.split(",", maxsplit=1)[0].replace(".", "").replace(" ", "")) + 1
    if indices == rank:
        return ENDS
    return (
        f"[ONNXRuntimeError] : 1 : FAIL : Node ({name}) Op (Einsum) [ShapeInferenceError] Rank of "
        f"input 0 ({rank}) does not match the equation indices ({indices})."
    )


def _long_transpose(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """A transposed convolution of many taps over one axis, on several cores.

    20 of 20 conversions that are longer than 2048: 62 to 512 taps, 1 to 514 channels, strides 8 to 512. Up
    to that length, of 56 taps or fewer, or on the rk3568 it converts.
    """
    if node.op_type != "ConvTranspose" or targets.TARGETS[asked.target].npu_cores == 1:
        return
    weights, outputs = static_shape(node.inputs[1]) or (), static_shape(node.outputs[0]) or ()
    if len(weights) == len(outputs) == 3 and weights[2] > MOST_TAPS and outputs[2] > MOST_OUTPUTS:
        reason = say("a transposed convolution of {taps} taps over one long axis", taps=weights[2])
        yield ForeseenRefusal(name_of(node), OVERFLOWS, reason, TRANSPOSED_OTHERWISE)


RULES: tuple[Callable[[ir.Node, Asked], Iterator[ForeseenRefusal]], ...] = (
    _cubic,
    _chance,
    _ellipsis,
    _long_transpose,
)
