"""What is written of a network: with every rewrite that pays, or without those that change its results.

Rewrites are exact, so one that fails the proof is a fault of ours; it costs its own saving, and not that of
all others. Which one it is, shows when each is tried upon those that have passed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import onnx_ir as ir

from rkbench.errors import ModelError
from rkbench.onnx.declarations import restore_declarations
from rkbench.onnx.model import OnnxFile
from rkbench.onnx.plain_numbers import bring_constants_in, write_pads_plainly
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext
from rkbench.onnx.rewriting import rewrite_until_done
from rkbench.onnx.runtime import CannotRunError
from rkbench.onnx.verify import TOLERANCE, Verification, verify


@dataclass(frozen=True)
class Dropped:
    """A rewrite that was left out: with it the network computes something else."""

    rewrite: str
    relative_difference: float
    """Infinite where the outputs cannot be compared, or the network does not run."""
    tolerance: float = TOLERANCE

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; a difference that is infinite is null."""
        known = isfinite(self.relative_difference)
        return {**asdict(self), "relative_difference": self.relative_difference if known else None}


@dataclass(frozen=True)
class TriedDraft:
    """A draft of the rewritten network, and whether it may be written."""

    proposals: tuple[Proposal, ...]
    verification: Verification | None
    error: ModelError | None
    """Why it may not."""

    @property
    def difference(self) -> float:
        """How far it is from the original, relative; infinite where that cannot be said."""
        return float("inf") if self.verification is None else self.verification.relative_difference


def weights_file(output: Path) -> Path:
    """Return the file beside an ONNX that its weights are written to, where the input keeps its own so."""
    return output.parent / f"{output.name}.data"


def attempt(
    network: OnnxFile, context: RewriteContext, rewrites: Sequence[Rewrite], draft: Path, inputs: Path | None
) -> TriedDraft:
    """Rewrite a network, save it as `draft` and run it beside the original."""
    proposals = tuple(rewrite_until_done(context, rewrites))
    restore_declarations(network.graph, network.declared)
    bring_constants_in(network.graph)
    write_pads_plainly(network.graph)
    ir.save(network.model, draft, external_data=weights_file(draft).name if network.external_bytes else None)
    try:
        found = verify(network.path, draft, inputs)
    except CannotRunError as error:
        if error.network == network.path:
            raise
        return TriedDraft(proposals, None, error)
    return TriedDraft(proposals, found, None if found.is_equal else _differs(found))


def _differs(found: Verification) -> ModelError:
    return ModelError(
        f"the rewritten network differs by {found.relative_difference:.2g} relative, "
        f"more than {found.tolerance:g}: not written",
        hint="please report it with the model: a rewrite should be exact",
    )


def sound_attempt(
    first: TriedDraft, again: Callable[[Sequence[Rewrite]], TriedDraft], rewrites: Sequence[Rewrite]
) -> tuple[TriedDraft, tuple[Dropped, ...]]:
    """Return the attempt that may be written, which is the last one made, and what was left out for it.

    `again` makes an attempt with other rewrites. Raises the first one's error where nothing is left.
    """
    if first.error is None:
        return first, ()
    applied = {proposal.rewrite for proposal in first.proposals}
    kept, dropped = _told_apart([each for each in rewrites if each.name in applied], again)
    left_out = {drop.rewrite for drop in dropped}
    # What was dropped may have stood in the way of a rewrite that is yet to be proved.
    final = again([rewrite for rewrite in rewrites if rewrite.name not in left_out])
    if final.error is not None:
        final = again(kept)
    if final.error is not None or not final.proposals:
        raise first.error
    return final, tuple(dropped)


def _told_apart(
    rewrites: Sequence[Rewrite], again: Callable[[Sequence[Rewrite]], TriedDraft]
) -> tuple[list[Rewrite], list[Dropped]]:
    """Return the rewrites that pass, each tried upon those before it, and those that do not."""
    kept: list[Rewrite] = []
    dropped: list[Dropped] = []
    for rewrite in rewrites:
        tried = again((*kept, rewrite))
        if tried.error is None:
            kept.append(rewrite)
        else:
            dropped.append(Dropped(rewrite.name, tried.difference))
    return kept, dropped
