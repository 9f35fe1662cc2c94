"""Make the kernel of a transposed convolution larger by its output_padding, with zeros at the end.

Exact: what output_padding adds is where the kernel would have gone on. The converter loses it where it cuts a
transposed convolution along its input channels, and stops (toolkit 2.5.0, `refused_kernels.py`). Only there:
smaller ones grow by it (32 channels: 78,860 -> 85,964 bytes). The file as it is does not convert, so there is
no size before.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.foreseen import Asked
from rkbench.onnx.refused_kernels import lost_padding
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    measured,
    replace_constant,
)

NAME = "output_padding"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the larger kernel where the converter would stop."""
    asked = Asked(context.graph, context.opset, set(), context.target, dtype=context.dtype)
    weights = constant_array(node.inputs[1]) if any(True for _ in lost_padding(node, asked)) else None
    if weights is None or "output_shape" in node.attributes or "auto_pad" in node.attributes:
        return None
    added = node.attributes.get_ints("output_padding", ())
    kernel = [size + more for size, more in zip(weights.shape[2:], added, strict=True)]
    description = say(
        "kernel {before} with output_padding -> {after}, zeros at its end",
        before="x".join(map(str, weights.shape[2:])),
        after="x".join(map(str, kernel)),
    )
    return measured(node, NAME, description, lambda: _apply(node, weights, tuple(added), context.graph))


def _apply(node: ir.Node, weights: np.ndarray, added: tuple[int, ...], graph: ir.Graph) -> None:
    wider = np.pad(weights, [(0, 0), (0, 0), *((0, more) for more in added)])
    replace_constant(node, 1, wider, graph)
    node.attributes["kernel_shape"] = ir.AttrInt64s("kernel_shape", wider.shape[2:])
    del node.attributes["output_padding"]


REWRITE = Rewrite(
    NAME,
    "a transposed convolution's output_padding becomes a larger kernel, where the converter loses it",
    "384 channels, 3x3, 16x16: refused -> 347,340 bytes (rk3588 fp16), 232,115 (int8), 286,348 (rk3568 fp16)",
    propose,
    lifts_refusal=True,
)
