"""Which rewrites pay over a whole network: each kind is tried alone on a copy, and predicted.

A proposal is judged by its own layer first; what surrounds it (fusions, lists of commands, the maps that are
joined) only the prediction of the whole network knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rkbench.onnx.model import open_onnx
from rkbench.onnx.predict import predict
from rkbench.onnx.prediction import Prediction
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite
from rkbench.onnx.rewriting import context_of, rewrite_until_done

LEAST_SAVED_RATIO = 0.002
"""A kind must save this share of the file, or it is not worth an ONNX that looks different."""


def dearer_kinds(
    path: Path, before: Prediction, proposals: Sequence[Proposal], rewrites: Sequence[Rewrite]
) -> frozenset[str]:
    """Return the names of those proposed kinds that, alone, are predicted to save nothing.

    Kinds that a measured rule proposes are not asked for: no prediction sees what they gain.
    """
    names = {proposal.rewrite for proposal in proposals if proposal.before_bytes is not None}
    asked = [rewrite for rewrite in rewrites if rewrite.name in names]
    return frozenset(rewrite.name for rewrite in asked if not _saves(path, before, rewrite))


def _saves(path: Path, before: Prediction, rewrite: Rewrite) -> bool:
    network = open_onnx(path)
    if network.missing_files:  # it cannot be tried
        return True
    target, dtype, version = before.target, before.dtype, before.toolkit_version
    rewrite_until_done(context_of(network, target, dtype, version), (rewrite,))
    after = predict(network, target, dtype, version)
    return after.file_bytes <= before.file_bytes * (1 - LEAST_SAVED_RATIO)
