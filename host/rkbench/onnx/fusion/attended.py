"""Stored maps that are added to the scores of an attention: position biases and masks.

Read from files of toolkit 2.5.0 for the rk3588 (GCViT, Swin, SwinIR): the NPU takes the scores one map at a
time, each with an operand of its own, so a bias that broadcasts over windows is stored once for every window
and head, its positions filled up to whole blocks of channels and of pixels. On one core a part of them is
stored so, by a rule that is not known; scores of three axes have none (EfficientViT).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx_ir as ir

from rkbench.onnx.fusion.patterns import next_node, other_input
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets
from rkbench.rknn.targets import Dtype

BEHIND = ("Reshape", "Add", "Mul", "Div")
"""What may stand between the bias and the softmax: a mask of shifted windows is added to another view."""
MOST_BEHIND = 4
PIXELS = 4
"""A row of a stored map is filled up to a multiple of this."""


@dataclass(frozen=True)
class ScoreBias:
    """A stored operand of the scores: queries x keys, over so many maps."""

    value: ir.Value
    maps: int
    stored_maps: int
    """Those of the ONNX: they broadcast."""
    queries: int
    keys: int

    def stored_bytes(self, target: str, dtype: Dtype) -> int | None:
        """Return the bytes in the file: keys are channels, queries the pixels of a row; None if not known."""
        layout = targets.weight_layout(target, dtype)
        if layout is None or targets.TARGETS[target].npu_cores == 1:
            return None
        keys = -(-self.keys // layout.minimum_input) * layout.minimum_input
        return self.maps * keys * -(-self.queries // PIXELS) * PIXELS * targets.ELEMENT_BYTES[dtype]


def score_bias(node: ir.Node, constants: set[ir.Value]) -> ScoreBias | None:
    """Return the stored bias of fewer maps that an Add between a product and its softmax reads, else None."""
    if node.op_type != "Add":
        return None
    bias = next((value for value in node.inputs if value in constants), None)
    scores = other_input(node, bias) if bias is not None else None
    made, held = static_shape(node.outputs[0]), static_shape(bias)
    if bias is None or scores is None or made is None or held is None or len(made) < len("NHQK"):
        return None
    if made[-2:] != held[-2:] or not _is_product(scores) or not is_softened(node.outputs[0]):
        return None
    maps, given = math.prod(made[:-2]), math.prod(held[:-2])
    return ScoreBias(bias, maps, given, *made[-2:]) if given < maps else None


def masks_a_bias(node: ir.Node, constants: set[ir.Value], target: str) -> bool:
    """Return whether the stored mask of an Add goes into the bias that another view of its scores has been
    added to: several cores read one operand of the scores (Swin, SwinIR, HAT; both dtypes)."""
    mask = next((value for value in node.inputs if value in constants), None)
    scores = other_input(node, mask) if mask is not None else None
    view = scores.producer() if scores is not None else None
    made = (
        view.inputs[0].producer()
        if view is not None and view.op_type == "Reshape" and view.inputs[0]
        else None
    )
    bias = score_bias(made, constants) if made is not None else None
    return bias is not None and targets.TARGETS[target].npu_cores > 1


def _is_product(value: ir.Value) -> bool:
    """Return whether a product makes this, scaled by one number at most: others are layers of their own."""
    maker = value.producer()
    if maker is not None and maker.op_type in ("Mul", "Div"):
        scores = next((one for one in maker.inputs if one is not None and one.producer() is not None), None)
        factor = static_shape(other_input(maker, scores)) if scores is not None else None
        maker = (
            scores.producer()
            if scores is not None and factor is not None and math.prod(factor) == 1
            else None
        )
    return maker is not None and maker.op_type == "MatMul"


def is_softened(value: ir.Value) -> bool:
    """Return whether a softmax follows, behind a few views and sums."""
    for _ in range(MOST_BEHIND + 1):
        if next_node(value, "Softmax") is not None:
            return True
        further = next_node(value, *BEHIND)
        if further is None:
            return False
        value = further.outputs[0]
    return False
