"""Apply rewrites to a graph until none pays any more."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from rkbench.onnx.constants import weighs_nothing
from rkbench.onnx.model import OnnxFile
from rkbench.onnx.preparing import prepare
from rkbench.onnx.rewrites import parallel_branches
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext

# A change must save this much, or the estimate of the commands could be all that it saves.
LEAST_SAVED_BYTES = 4096
LEAST_SAVED_RATIO = 0.1
MERGING = frozenset({parallel_branches.NAME})
MOST_ROUNDS = 12
"""Each round looks at every node once; real networks need two or three."""


def context_of(
    network: OnnxFile, target: str, dtype: str, toolkit_version: str | None = None
) -> RewriteContext:
    """Return what rewrites may know about a network; it is prepared for them first."""
    prepare(network.model, network.numbers)
    opset = network.model.opset_imports.get("", 0)
    return RewriteContext(
        network.graph,
        target,
        "int8" if dtype == "int8" else "fp16",
        toolkit_version,
        opset=opset,
        has_fixed_sizes=not network.has_symbolic_sizes,
        numbers=network.numbers,
    )


def rewrite_until_done(context: RewriteContext, rewrites: Sequence[Rewrite]) -> list[Proposal]:
    """Apply every proposal that pays, in rounds, until a round finds none; return them in their order.

    What makes one convolution of several goes first: they are several no more, whatever each would become
    alone (FastViT-T8 for the rk3588 in fp16: 11,062,510 bytes with each regrouped, 10,363,758 merged).
    """
    first = tuple(rewrite for rewrite in rewrites if rewrite.name in MERGING)
    return [*_until_done(context, first), *_until_done(context, rewrites)]


def _until_done(context: RewriteContext, rewrites: Sequence[Rewrite]) -> list[Proposal]:
    applied: list[Proposal] = []
    for _ in range(MOST_ROUNDS if rewrites else 0):
        before = len(applied)
        for node in list(context.graph):
            proposal = best_proposal(node, context, rewrites) if node.graph is context.graph else None
            if proposal is not None:
                proposal.apply()
                applied.append(proposal)
        if len(applied) == before:
            break
    return applied


def first_proposals(context: RewriteContext, rewrites: Sequence[Rewrite]) -> list[Proposal]:
    """Return what pays in the graph as it is; nothing is changed."""
    found = (best_proposal(node, context, rewrites) for node in context.graph)
    return [proposal for proposal in found if proposal is not None]


def best_proposal(node: ir.Node, context: RewriteContext, rewrites: Sequence[Rewrite]) -> Proposal | None:
    """Return what pays most for a node; what was measured to pay goes before what is only estimated.

    Nothing does for weights that are all zero: the converter leaves them out.
    """
    if weighs_nothing(node):
        return None
    offered = [made for rewrite in rewrites if (made := rewrite.propose(node, context)) is not None]
    paying = [proposal for proposal in offered if pays(proposal)]
    return min(paying, key=lambda proposal: proposal.after_bytes or 0, default=None)


def pays(proposal: Proposal) -> bool:
    """Return whether a proposal saves enough; one without sizes comes only where it was measured to."""
    if proposal.before_bytes is None or proposal.after_bytes is None:
        return True
    saved = proposal.before_bytes - proposal.after_bytes
    return saved >= LEAST_SAVED_BYTES and saved >= LEAST_SAVED_RATIO * proposal.before_bytes
