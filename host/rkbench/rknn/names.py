"""From the name of a compiled layer to the node of the source model, and to the rewrite that made it.

A layer is named `Conv:/model.0/conv/Conv`: an operator type, then the name of the source node or tensor,
then what the compiler's rewrites appended. What is known of them (rknn-toolkit2 1.6 to 2.5):

========================  =========================  ==================================================
appended                  rewrite                    meaning
========================  =========================  ==================================================
``_2conv0`` ``_2conv1``   ``pool_to_conv``           pooling or mean as a cascade of depthwise convs
``_gavg_2conv0``          ``pool_to_conv``           the same, through an inner GlobalAveragePool
``-gather_2conv``         ``gather_to_conv``         channel shuffle or gather as a dense 1x1 conv
``_2gemm_2conv`` ``#2``   ``matmul_to_conv``         Gemm or MatMul as a 1x1 conv
``#1_tile0``              ``dense_tile``             grouped conv made dense, one tile of it
``#1_branch0``            ``dense_tile``             the same on rk3576
``_group_0``              ``group``                  grouped conv kept grouped, one group of it
``_2ln``                  ``layer_norm``             a chain of operators fused to one
``_2sdpa``                ``attention``              a chain of operators fused to one
``_pad``                  ``padding``                padding split off the conv that follows
``_split``                ``split``                  channels parted for the convs that follow
``__cvt_int8_float16``    ``dtype_conversion``       between int8 and float layers
``_mm`` ``_rs`` ``_tp``   ``layout``                 reshape and transpose around a rewritten operator
``_ConvAddRelu``          (none)                     the layer's own type, when operators are fused
========================  =========================  ==================================================

A source node whose own name ends like this is cut too short: names alone cannot tell the two apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TYPE_PREFIX = r"[A-Za-z]\w*:(?!:)"
_REWRITES = (
    (r"-gather_2conv\d*$", "gather_to_conv"),
    (r"_2gemm(_2conv\d*)?$", "matmul_to_conv"),
    (r"(_gavg)?_2conv\d*$", "pool_to_conv"),
    (r"#\d+_(tile|branch)\d+$", "dense_tile"),
    (r"_group_\d+$", "group"),
    (r"_2ln$", "layer_norm"),
    (r"_2sdpa$", "attention"),
    (r"_pad$", "padding"),
    (r"_split$", "split"),
    (r"__cvt_\w+$", "dtype_conversion"),
    (r"((_mm|_sdpa)?([_-]2?(tp|rs|sw)))+$|_exSecondary\w*$", "layout"),
)
_PASS_MARK = r"#\d+$"
TAIL = 100
"""Characters at the end of a name that may tell of a rewrite."""
_WITHOUT_SOURCE = ("InputOperator", "OutputOperator")


@dataclass(frozen=True)
class NodeOrigin:
    """Where a layer comes from; None where its name does not say."""

    onnx_node: str | None
    rewrite: str | None


def origin_of(name: str, node_type: str) -> NodeOrigin:
    """Return the source node and the rewrite that `name` tells of, for a layer of `node_type`."""
    if node_type in _WITHOUT_SOURCE:
        return NodeOrigin(None, None)
    prefix = re.match(_TYPE_PREFIX, name)
    base = (name[prefix.end() :] if prefix else name).removesuffix("_" + node_type)
    tail = base[-TAIL:]
    cut = len(base) - len(tail)
    for pattern, rewrite in _REWRITES:
        found = re.search(pattern, tail)
        if found:
            source = _without_mark(base[: cut + found.start()])
            return NodeOrigin(None if rewrite == "dtype_conversion" else source or None, rewrite)
    source = _without_mark(base)
    rewritten = source != base and node_type.startswith("Conv")
    return NodeOrigin(source or None, "matmul_to_conv" if rewritten else None)


def _without_mark(name: str) -> str:
    """Return `name` without the mark of a compiler pass, such as `#2`."""
    found = re.search(_PASS_MARK, name[-TAIL:])
    return name[: found.start() - len(name[-TAIL:])] if found else name
