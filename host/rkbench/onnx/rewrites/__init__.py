"""Changes to an ONNX graph that keep its results and shrink its .rknn: one module each.

A rewrite is a `Rewrite`: name, words for `bench fix --list`, and a function `propose(node, context)`, which
returns a Proposal for a node that it can change, or None. A proposal states the predicted bytes of the node
before and after, or none where a rule that was measured, in the module's docstring, says that it pays; it
applies itself when asked. `rewriting.py` takes the best proposal of each node, until none is left. To add
one: a module here, its `REWRITE` in `ALL`.
"""

from __future__ import annotations

from rkbench.onnx.rewrites import (
    dead_taps,
    depthwise_multiplier,
    mixed_depthwise,
    regroup,
    shared_weights,
    strided_signal,
)
from rkbench.onnx.rewrites.proposal import Rewrite

ALL: tuple[Rewrite, ...] = (
    dead_taps.REWRITE,
    strided_signal.REWRITE,
    mixed_depthwise.REWRITE,
    shared_weights.REWRITE,
    regroup.REWRITE,
    depthwise_multiplier.REWRITE,
)
