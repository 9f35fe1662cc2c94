"""Average over a wide window in two steps: a pool of k becomes one of a and one of b, k = a x b.

Exact up to rounding where windows neither overlap nor pad. The compiler turns pools wider than 7 into
cascades of convolutions. Measured on windows of 4, 8, 9, 12, 16 and 32 pixels, rk3588 and rk3568, fp16 and
int8: from 8 on all became 1.3 to 38 times smaller (9x9 on rk3588 fp16: 1,778,286 -> 46,959 bytes), 4 grew.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, measured
from rkbench.onnx.rewrites.surgery import make_node, replace
from rkbench.onnx.values import static_shape

NAME = "pool_in_steps"
LEAST_WINDOW = 8


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose two pools for a square one whose windows tile the map."""
    window = _window(node) if context.has_fixed_sizes else None
    if window is None or window < LEAST_WINDOW:
        return None
    steps = [size for size in range(math.isqrt(window), 1, -1) if window % size == 0]
    if not steps:
        return None
    sizes = (window // steps[0], steps[0])
    return measured(
        node,
        NAME,
        say(
            "average over {window}x{window} -> {before}x{before}, then {after}x{after}",
            window=window,
            before=sizes[0],
            after=sizes[1],
        ),
        lambda: _apply(node, sizes, context.graph),
    )


def _window(node: ir.Node) -> int | None:
    """Return the side of an AveragePool's window, if it tiles the whole map."""
    if node.op_type != "AveragePool":
        return None
    shape, kernel = static_shape(node.inputs[0]), node.attributes.get_ints("kernel_shape", ())
    if shape is None or len(shape) != 4 or len(set(kernel)) != 1 or len(kernel) != 2:
        return None
    fixed = node.attributes.get_string("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    padded = any(node.attributes.get_ints("pads", (0,))) or any(
        step != 1 for step in node.attributes.get_ints("dilations", (1,))
    )
    tiles = list(node.attributes.get_ints("strides", (1, 1))) == list(kernel)
    whole = all(size % kernel[0] == 0 for size in shape[2:])
    return int(kernel[0]) if fixed and tiles and whole and not padded else None


def _apply(node: ir.Node, sizes: tuple[int, int], graph: ir.Graph) -> None:
    shape, value, new = static_shape(node.inputs[0]), node.inputs[0], []
    assert shape is not None
    for place, size in enumerate(sizes):
        shape = (*shape[:2], *(side // size for side in shape[2:]))
        square: dict[str, int | float | str | list[int]] = {"kernel_shape": [size] * 2, "strides": [size] * 2}
        name, like = f"{node.name or 'pool'}_step{place + 1}", node.outputs[0]
        new.append(make_node(graph, "AveragePool", [value], square, name=name, shape=shape, like=like))
        value = new[-1].outputs[0]
    replace(graph, [node], new)


REWRITE = Rewrite(
    NAME,
    "an average over a wide window is taken in two steps",
    "16x16 of 64 channels: 95,278 -> 51,183 bytes (rk3588 fp16), 69,960 -> 39,561 (int8), "
    "68,398 -> 31,727 (rk3568 fp16), 46,344 -> 24,265 (int8)",
    propose,
)
