"""Layers that are float in a quantized model or run on the CPU, and why, as far as the file shows it."""

from __future__ import annotations

import struct
from math import prod

from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import dims, listing
from rkbench.language.said import Said, say
from rkbench.rknn.placement import INTEGERS, RENAMING

_TRANSPOSED_POSITIONS = 8192
"""H x W of a Transpose that the NPU still does: the operator list of rknn-toolkit2 2.3.2.

Files agree for the rk3568 (474 of 3,297 smaller ones are on the NPU, of 88 larger ones none) and not for the
rk3588, whose NPU does 65,536 and more: nothing is said of that one.
"""

_INTEGER = struct.Struct("<q")
_WHO = say("named in custom_quantize_layers, chosen by auto_hybrid, or left float by the toolkit")
_ALL = ("rk3566", "rk3568", "rk3576", "rk3588")
SEEN_ON_NPU: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("Add", "AveragePool", "Concat", "Conv", "Mul", "Pad", "Reshape", "Resize"), _ALL),
    **dict.fromkeys(("Cast", "Expand", "MatMul", "Slice", "Split", "Sqrt", "Sub", "Transpose"), _ALL),
    "Div": ("rk3568", "rk3588"),
    **dict.fromkeys(("ConvTranspose", "Gather", "Max", "Pow", "Tile"), ("rk3568", "rk3588")),
    **dict.fromkeys(("exSDPAttention", "exSoftmax13"), ("rk3588",)),
}
"""Operators that ran on the NPU of these SoCs in some file (toolkits 1.6 to 2.5, some 1,500 files)."""
FLOAT_ONLY = ("Div", "Sqrt")
"""On the NPU in float16 and on the CPU in int8, of one graph (rk3568 and rk3588, toolkit 2.5.0)."""


def cpu_reason(facts: ModelFacts, site: Site) -> Said:
    """Return why a layer runs on the CPU where its shape tells, else that it is not known."""
    kind, target = site.node.type, facts.model.file.target
    positions = prod(site.output_shape[2:])
    if kind == "Transpose" and positions > _TRANSPOSED_POSITIONS and target != "rk3588":
        return say(
            "a transpose of {positions:,} positions ({output_shape}): the vendor's list of the NPU ends at "
            "{most:,}, and of smaller ones it did one in seven in the files seen",
            positions=positions,
            output_shape=dims(site.output_shape[2:]),
            most=_TRANSPOSED_POSITIONS,
        )
    if kind == "Slice" and (step := _step(facts, site)) not in (None, 1):
        return say(
            "its step of {step}: the NPU ran Slices of step 1 in the files seen, and no other", step=step
        )
    if kind == "Div" and _divides_a_constant(site):
        return say("not known: no file seen divides a stored number by a map on an NPU, float16 or int8")
    if kind in FLOAT_ONLY and site.layer.dtype in INTEGERS:
        return say("its dtype: the NPU runs {kind} in float16, not in int8", kind=kind)
    seen = SEEN_ON_NPU.get(kind, ())
    if target in seen:
        return say(
            "not known: the NPU runs {kind} in other files, so it is an attribute, the shape, order or dtype",
            kind=kind,
        )
    if seen:
        return say(
            "not known: {seen} runs {kind} on its NPU, no file seen does for {target}",
            seen=listing(seen, 4),
            kind=kind,
            target=target,
        )
    return say("not known: no file seen has a layer of kind {kind} on its NPU", kind=kind)


def _step(facts: ModelFacts, site: Site) -> int | None:
    """Return the largest step of a Slice, the last of its four stored operands; None where it has none.

    Of 188 Slices in files that have some on the CPU those with a step of 1 are on the NPU (132), all others
    (56, steps of 2 and 3) are not: rk3568 and rk3588, toolkit 2.5.0.
    """
    stored = [tensor for tensor in site.inputs if tensor.kind == "cpu_constant" and tensor.dtype == "INT64"]
    if len(stored) < len(("starts", "ends", "axes", "steps")):
        return None
    with facts.model.read_buffer(stored[-1].buffer_index) as view:
        whole = len(view) // _INTEGER.size * _INTEGER.size
        return max((step for (step,) in _INTEGER.iter_unpack(view[:whole])), key=abs, default=None)


def _divides_a_constant(site: Site) -> bool:
    return bool(site.inputs) and site.inputs[0].kind not in ("input", "activation", "output")


def float_reason(facts: ModelFacts, site: Site) -> Said:
    """Return why a layer of an int8 model is float, as far as the layers around it show it."""
    if site.node.type == "exDataConvert":
        return say("the conversion between float and int8 layers itself")
    if "Softmax" in site.node.type and _ends_network(facts, site):
        return say("the toolkit leaves a softmax at the end float by itself")
    if _dilated_part(facts, site):
        return say("a part of a dilated convolution, which the toolkit sums in float by itself")
    if "GRU" in site.node.type:
        return say("the compiler has no int8 form of a GRU")
    before = facts.before(site)
    if any(other.node.type == "exDataConvert" for other in before):
        return say("a conversion to float stands before it; not known why: {who}", who=_WHO)
    if any(other.layer.dtype == "FLOAT16" for other in before):
        return say("it follows a float layer")
    return say("not known: {who}", who=_WHO)


def chosen_by_toolkit(facts: ModelFacts, site: Site) -> bool:
    """Return whether no setting made the layer float: nothing there can be taken back."""
    return "by itself" in float_reason(facts, site) or "GRU" in site.node.type


def _ends_network(facts: ModelFacts, site: Site) -> bool:
    """Return whether only moves and conversions stand between a layer and the outputs."""
    ahead, seen = list(facts.after(site)), set[int]()
    while ahead:
        other = ahead.pop()
        if other.index in seen:
            continue
        seen.add(other.index)
        if other.node.type not in (*RENAMING, "exDataConvert", "Transpose"):
            return False
        ahead += facts.after(other)
    return True


def _dilated_part(facts: ModelFacts, site: Site) -> bool:
    """Return whether a convolution is dilated, or one of several that one dilated convolution became."""
    return site.is_convolution and site.layer.onnx_node in {
        other.layer.onnx_node for other in facts.sites if other.dilation > 1 and other.layer.onnx_node
    }
