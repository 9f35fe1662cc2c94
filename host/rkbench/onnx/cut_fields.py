"""Transposed convolutions whose numbers do not fit the NPU's registers: the converter cuts them off.

Read from the logs and register commands of 25 conversions by toolkit 2.5.0, each bound from both sides: where
one is passed the converter logs `REGTASK: The bit width of field value exceeds the limit`, ends well, and the
commands hold the value modulo the field (a stride of 20 as 4, 40 taps as 8, 32 as 0).
"""

from __future__ import annotations

import onnx_ir as ir

from rkbench.language.said import Said, say
from rkbench.onnx.values import static_shape

WIDEST_STRIDE, MOST_TAPS, WIDEST_RIM = 8, 31, 15
"""Three, five and four bits: DECONV_X_STRIDE (less one), WEIGHT_WIDTH and PAD_LEFT, as for the height."""
_READ = {"rk3588": False, "rk3566": True, "rk3568": True}
"""The SoCs that are known (rk3566 and rk3568 have one NPU), and whether wider strides are the CPU's there."""


def note_of_cut_fields(graph: ir.Graph, target: str) -> list[Said]:
    """Return what is said of such nodes: nothing where there are none."""
    cut = [node.name or node.op_type for node in graph if _has_cut_fields(node, target)]
    note = say(
        "{cut}: for a transposed convolution the NPU's registers hold strides to {stride}, {taps} taps and a "
        "rim of {rim}; the converter logs `The bit width of field value exceeds the limit`, cuts the value "
        "off and writes the file all the same: what the NPU computes then is not known",
        cut=", ".join(cut),
        stride=WIDEST_STRIDE,
        taps=MOST_TAPS,
        rim=WIDEST_RIM,
    )
    return [note] if cut else []


def _has_cut_fields(node: ir.Node, target: str) -> bool:
    """Return whether a transposed convolution has more taps, a wider stride or rim than its registers hold.

    The rim is what the converter pads it with: the taps that reach beyond the map, less its own padding.
    Where that is left to SAME there is no file to look into (`refused_kernels.padded_alike`).
    """
    weights = static_shape(node.inputs[1]) if node.op_type == "ConvTranspose" else None
    if weights is None or target not in _READ:
        return False
    taps = weights[2:]
    strides = node.attributes.get_ints("strides", (1,) * len(taps))
    pads = node.attributes.get_ints("pads", (0,) * (2 * len(taps)))
    if node.attributes.get_string("auto_pad", "").startswith("SAME"):
        return False
    if max(strides, default=1) > WIDEST_STRIDE:
        return not _READ[target]
    rims = (count - 1 - pad for count, pad in zip(taps, pads, strict=False))
    return max(taps, default=1) > MOST_TAPS or max(rims, default=0) > WIDEST_RIM
