"""Changes to an ONNX graph that keep its results and shrink its .rknn: one module each.

A rewrite is a function `propose(node, context)`: it returns a Proposal for a node that it can change, or
None. A proposal states the predicted bytes of the node before and after, and applies itself when asked.
`fix.py` takes the best proposal of each node, and only where it pays. To add one: a module here, `propose`
in `ALL`.
"""

from __future__ import annotations

from rkbench.onnx.rewrites import depthwise_multiplier, regroup
from rkbench.onnx.rewrites.proposal import Propose

ALL: tuple[Propose, ...] = (regroup.propose, depthwise_multiplier.propose)
