"""Which rewrites pay over a whole network: each kind is tried alone on a copy, and predicted.

A proposal is judged by its own layer first; what surrounds it (fusions, lists of commands, the maps that are
joined) only the prediction of the whole network knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rkbench.onnx.input_shapes import InputShapes
from rkbench.onnx.model import OnnxFile, open_onnx
from rkbench.onnx.predict import predict
from rkbench.onnx.prediction import Prediction
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite
from rkbench.onnx.rewriting import context_of, rewrite_until_done

LEAST_SAVED_RATIO = 0.002
"""A kind must save this share of the file, or it is not worth an ONNX that looks different."""
MOST_ADDED_RATIO = 0.02
"""What a kind that was measured to pay may be predicted to add, as a share of the file."""
NEXT_TO_NOTHING = 0.001
"""A saving of less than this share that prediction does see is not worth another ONNX, however it was
measured elsewhere: so were 3.7 kB of 6.67 MB (two_means in DIA-ResNet-10). No saving at all is one that
prediction does not see."""


@dataclass(frozen=True)
class TriedAlone:
    """A kind of rewrite as the only one: what is predicted of the whole file."""

    is_dearer: bool
    """Whether it saves nothing, or next to it. Of a kind that a measured rule proposes prediction may not see
    the gain: then only where much would be added, and not where the file as it is cannot be predicted."""
    saved_bytes: int | None
    """None where no gain is seen, or nothing can be predicted."""


@dataclass(frozen=True)
class Judged:
    """Which kinds are worth while, and what each is predicted to save alone, by its name."""

    rewrites: tuple[Rewrite, ...]
    alone: dict[str, TriedAlone]


def judged(
    path: Path,
    before: Prediction,
    proposals: Sequence[Proposal],
    rewrites: Sequence[Rewrite],
    input_shapes: InputShapes | None = None,
) -> Judged:
    """Return the rewrites without those kinds that are predicted to save nothing of the whole file.

    What saves nothing alone may save beside others: then all stay.
    """
    alone = tried_alone(path, before, proposals, rewrites, input_shapes)
    dearer = {name for name, each in alone.items() if each.is_dearer}
    kept = tuple(rewrite for rewrite in rewrites if rewrite.name not in dearer)
    whole = tuple(rewrites)
    saves_together = dearer and _save_together(path, before, kept, whole, input_shapes)
    return Judged(whole if saves_together else kept, alone)


def _save_together(
    path: Path,
    before: Prediction,
    kept: tuple[Rewrite, ...],
    whole: tuple[Rewrite, ...],
    input_shapes: InputShapes | None,
) -> bool:
    """Return whether the file is predicted to be smaller with all rewrites than with those that are kept.

    Of 333 conversions in tools/corpus/data/cures.tsv 19 are; in all 19 the file is smaller with all
    (ShuffleNetV2 1.0 for the rk3588 in int8: 4,504,457 -> 4,217,417 bytes).
    """
    if before.file_bytes_high is None:
        return False
    ready = _prepared_bytes(open_onnx(path, input_shapes), before)
    with_kept, with_all = (
        _ratio(open_onnx(path, input_shapes), before, ready, some) for some in (kept, whole)
    )
    return 0 < with_all < with_kept - LEAST_SAVED_RATIO


def tried_alone(
    path: Path,
    before: Prediction,
    proposals: Sequence[Proposal],
    rewrites: Sequence[Rewrite],
    input_shapes: InputShapes | None = None,
) -> dict[str, TriedAlone]:
    """Return what each of those kinds that are proposed is predicted to save, by its name."""
    found = {}
    ready = _prepared_bytes(open_onnx(path, input_shapes), before) if proposals else 0
    for rewrite in rewrites:
        own = [proposal for proposal in proposals if proposal.rewrite == rewrite.name]
        if own:
            estimated = any(proposal.before_bytes is not None for proposal in own)
            most = 1 - LEAST_SAVED_RATIO if estimated else 1 + MOST_ADDED_RATIO
            unknown = not estimated and before.file_bytes_high is None
            ratio = 0.0 if unknown else _ratio(open_onnx(path, input_shapes), before, ready, (rewrite,))
            saved = int((1 - ratio) * before.file_bytes) if 0 < ratio < 1 else None
            is_nothing = 1 - NEXT_TO_NOTHING < ratio < 1 and not rewrite.lifts_refusal
            found[rewrite.name] = TriedAlone(not unknown and (ratio > most or is_nothing), saved)
    return found


def _prepared_bytes(network: OnnxFile, before: Prediction) -> int:
    """Return the predicted size of the file with a graph that is prepared and not rewritten: what that
    changes, as another share of a constant, no rewrite saves. Changes the network."""
    context_of(network, before.target, before.dtype, before.toolkit_version)
    return predict(network, before.target, before.dtype, before.toolkit_version).file_bytes


def _ratio(network: OnnxFile, before: Prediction, ready: int, rewrites: Sequence[Rewrite]) -> float:
    """Return the predicted size of the file after rewrites, as a share of that before, which is `ready`
    where the graph is prepared; 0 where it cannot be tried. Changes the network."""
    if network.missing_files:
        return 0.0
    target, dtype, version = before.target, before.dtype, before.toolkit_version
    rewrite_until_done(context_of(network, target, dtype, version), rewrites)
    after = predict(network, target, dtype, version)
    if len(after.refusals) < len(before.refusals):
        return 0.0  # a file that converts is worth any size
    return after.file_bytes / ready
