"""Convolutions whose taps are too many or too far apart for one kernel of the NPU."""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import Convolution
from rkbench.onnx.fusion.spread import spread_of
from rkbench.onnx.fusion.unrolled import chain_of, pieces_of
from rkbench.onnx.node_share import Share
from rkbench.onnx.prediction import FAR_TAPS, LONG_KERNEL


def taken_apart(share: Share, node: ir.Node, geometry: Convolution) -> Share:
    """Return the share of a convolution with what is made of its taps; itself where they stay one kernel."""
    far, pieces = spread_of(node), chain_of(geometry) or pieces_of(geometry)
    if far is not None:
        note = say("each of its {columns:,} columns is fetched by a task of its own", columns=far.columns)
        return replace(share, becomes=FAR_TAPS, note=note)
    if pieces is not None:
        note = say("cut into {pieces} kernels of 16 taps or less, whose sums it is", pieces=pieces.count)
        return replace(share, becomes=LONG_KERNEL, note=note)
    return share
