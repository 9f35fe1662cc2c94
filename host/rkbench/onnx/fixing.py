"""`bench fix`: apply the rewrites that pay, prove that nothing changed, write the result."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from rkbench.errors import ModelError, UsageError
from rkbench.language.said import Said, say
from rkbench.onnx import convolution as conv
from rkbench.onnx.attempts import Dropped, TriedDraft, attempt, sound_attempt, weights_file
from rkbench.onnx.convolution import convolution_of
from rkbench.onnx.foreseen import FUNCTIONS, ORDER, name_of
from rkbench.onnx.input_shapes import InputShapes
from rkbench.onnx.model import OnnxFile, external_tensors, open_onnx
from rkbench.onnx.predict import predict
from rkbench.onnx.prediction import Prediction
from rkbench.onnx.rewrites import ALL, spelled_out
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, is_stored
from rkbench.onnx.rewriting import context_of, first_proposals, rewrite_until_done
from rkbench.onnx.verify import Verification
from rkbench.onnx.whole import judged
from rkbench.rknn import targets
from rkbench.rknn.targets import check_target


@dataclass(frozen=True)
class Change:
    """One node that was changed. Sizes are predicted, in bytes, commands included.

    They are None where no prediction sees the gain, and a rule that was measured says that it pays.
    """

    node: str
    rewrite: str
    description: Said
    before_bytes: int | None
    after_bytes: int | None


@dataclass(frozen=True)
class Skipped:
    """A node that would profit and could not be changed."""

    node: str
    reason: Said


@dataclass(frozen=True)
class FixReport:
    """What `bench fix` did. `written` None means that there was nothing to fix and nothing was written."""

    path: Path
    written: Path | None
    changes: tuple[Change, ...]
    skipped: tuple[Skipped, ...]
    before: Prediction
    after: Prediction
    """Equal to `before` where nothing changed."""
    verification: Verification | None
    dropped: tuple[Dropped, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values (schema `rkbench-fix/1`); sizes are predicted, in bytes."""
        return {
            "schema": "rkbench-fix/1",
            "path": str(self.path),
            "written": str(self.written) if self.written else None,
            "target": self.before.target,
            "dtype": self.before.dtype,
            "changes": [asdict(change) for change in self.changes],
            "skipped": [asdict(skip) for skip in self.skipped],
            "dropped": [drop.to_json() for drop in self.dropped],
            "before": _sizes(self.before),
            "after": _sizes(self.after),
            "verification": self.verification.to_json() if self.verification else None,
        }


def _sizes(prediction: Prediction) -> dict[str, Any]:
    names = ("file_bytes", "weight_bytes", "needed_weight_bytes", "command_bytes")
    return {"provenance": "predicted", **{name: getattr(prediction, name) for name in names}}


def fix(
    path: str | PathLike[str],
    target: str,
    dtype: str,
    output: str | PathLike[str],
    *,
    inputs: str | PathLike[str] | None = None,
    force: bool = False,
    toolkit_version: str | None = None,
    input_shapes: InputShapes | None = None,
    rewrites: Sequence[Rewrite] = ALL,
    judges_whole: bool = True,
) -> FixReport:
    """Rewrite what bloats an ONNX on `target` at `dtype`, verify the result, write it to `output`.

    Writes nothing if no change pays. `input_shapes` fills in sizes that the file leaves open; the one that is
    written has them. Without `judges_whole` kinds stay that are predicted to save nothing of
    the whole file, each change being judged by its own layer alone. Raises UsageError for an output that may
    not be written, ModelError if the file cannot be read, or its results would change, or they cannot be
    verified.
    """
    path, output = Path(path), Path(output)
    known = check_target(target, dtype)
    _check_output(path, output, force=force)
    network = open_onnx(path, input_shapes)
    _check_weights(network, output, force=force)
    before = predict(network, target, known, toolkit_version)
    if targets.kept_group_alignment(target, known, toolkit_version) is None:
        raise UsageError(
            f"{target}: nobody has measured what its compiler keeps", hint="use rk3568 or rk3588"
        )
    context = context_of(network, target, known, toolkit_version)
    skipped = tuple(_skipped(network, context))
    if judges_whole and not network.is_quantized:
        rewrites = judged(path, before, first_proposals(context, rewrites), rewrites, input_shapes).rewrites
    mended = _mended(network, rewrites)
    if network.is_quantized or not (mended or first_proposals(context, rewrites)):
        return FixReport(path, None, (), skipped, before, before, None)
    if network.missing_files:
        missing = ", ".join(network.missing_files)
        raise ModelError(f"{path}: its weights are not here: {missing}", hint=f"put them beside {path.name}")
    cases = Path(inputs) if inputs else None
    made, dropped = _written_soundly(network, context, rewrites, output, cases, input_shapes)
    changes = (*mended, *map(_change, made.proposals))
    after = predict(open_onnx(output), target, known, toolkit_version)
    return FixReport(path, output, changes, skipped, before, after, made.verification, dropped)


@dataclass(frozen=True)
class ProposedRewrite:
    """A kind of change that `fix` would make."""

    nodes: tuple[str, ...]
    saved_bytes: int | None = None
    """What it alone is predicted to save of the whole file; None where no prediction sees a gain."""


def proposed(
    path: str | PathLike[str], prediction: Prediction, input_shapes: InputShapes | None = None
) -> dict[str, ProposedRewrite] | None:
    """Return the rewrites that `fix` would make in the ONNX of `prediction`, each with its nodes.

    Nothing is written. What it makes of nodes that it made itself is left out; so is all but its first
    round where the weights are not at hand. Empty where it would find nothing to change, None where it
    changes nothing at all: in a quantized graph, or for a SoC whose rules nobody has measured.
    """
    target, dtype, version = prediction.target, prediction.dtype, prediction.toolkit_version
    network = open_onnx(path, input_shapes)
    if network.is_quantized or targets.kept_group_alignment(target, dtype, version) is None:
        return None
    context = context_of(network, target, dtype, version)
    worth = judged(Path(path), prediction, first_proposals(context, ALL), ALL, input_shapes)
    known = {network.path.name, *(name_of(node) for node in network.graph)}
    made = first_proposals if network.missing_files else rewrite_until_done
    found = (*_mended(network, ALL), *(_change(proposal) for proposal in made(context, worth.rewrites)))
    nodes: dict[str, list[str]] = {}
    for change in (each for each in found if each.node in known):
        nodes.setdefault(change.rewrite, []).append(change.node)
    saved = {name: each.saved_bytes for name, each in worth.alone.items()}
    return {name: ProposedRewrite(tuple(dict.fromkeys(own)), saved.get(name)) for name, own in nodes.items()}


def _check_output(path: Path, output: Path, *, force: bool) -> None:
    if output.exists() and path.exists() and output.samefile(path):
        raise UsageError(f"{output} is the input; it is never overwritten", hint="name another file with -o")
    if output.is_dir():
        raise UsageError(f"{output}: a folder", hint=f"name a file in it: -o {output / path.name}")
    if output.suffix == ".rknn":
        onnx = output.with_suffix(".onnx")
        raise UsageError(f"{output}: an ONNX is written here", hint=f"-o {onnx}; bench convert makes a .rknn")
    if output.exists() and not force:
        raise UsageError(f"{output} exists", hint="--force overwrites it")
    if not output.parent.is_dir():
        raise UsageError(f"{output.parent} is no folder", hint="make it, or name another file with -o")


def _check_weights(network: OnnxFile, output: Path, *, force: bool) -> None:
    """Raise UsageError where weights would be written over the input's own, as a renamed ONNX has them."""
    made = weights_file(output)
    if not network.external_bytes or not made.exists():
        return
    read = {Path(tensor.path) for tensor in external_tensors(network.graph)}
    if any(own.exists() and made.samefile(own) for own in read):
        raise UsageError(
            f"{made} holds the weights of {network.path}; it is never overwritten",
            hint="name another file with -o",
        )
    if not force:
        raise UsageError(f"{made} exists", hint="--force overwrites it")


def _skipped(network: OnnxFile, context: RewriteContext) -> list[Skipped]:
    """Return the convolutions that become dense and that no rewrite may touch, with the reason."""
    found = []
    for node in network.graph:
        geometry = convolution_of(node) if node.op_type == "Conv" else None
        if geometry is None:
            continue
        becomes = conv.fate(geometry, context.target, context.dtype, context.toolkit_version)
        if becomes not in (conv.DENSE, conv.MULTIPLIER):
            continue
        if network.is_quantized:
            found.append(
                Skipped(name_of(node), say("the graph is quantized already (QDQ): fix the float one"))
            )
        elif not is_stored(node.inputs[1]):
            found.append(Skipped(name_of(node), say("its weights are computed by nodes, not stored")))
    return found


def _mended(network: OnnxFile, rewrites: Sequence[Rewrite]) -> tuple[Change, ...]:
    """Return what reading has put right already, and the converter would refuse."""
    words = {
        FUNCTIONS: say("functions of the file's own -> the nodes that they are"),
        ORDER: say("nodes -> in order"),
    }
    wanted = any(rewrite.name == spelled_out.NAME for rewrite in rewrites)
    found = [each for each in words if each in network.mended and wanted]
    return tuple(Change(network.path.name, spelled_out.NAME, words[each], None, None) for each in found)


def _change(proposal: Proposal) -> Change:
    names = ("node", "rewrite", "description", "before_bytes", "after_bytes")
    return Change(**{name: getattr(proposal, name) for name in names})


def _folder_for(output: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a folder beside `output`; raises UsageError where none can be made."""
    try:
        return tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent)
    except OSError as error:
        raise UsageError(
            f"{output} cannot be written: {error.strerror}", hint="name a file in another folder with -o"
        ) from error


def _written_soundly(
    network: OnnxFile,
    context: RewriteContext,
    rewrites: Sequence[Rewrite],
    output: Path,
    inputs: Path | None,
    input_shapes: InputShapes | None,
) -> tuple[TriedDraft, tuple[Dropped, ...]]:
    """Save beside the output, verify, and only then put it in place; nothing is left behind otherwise."""
    with _folder_for(output) as folder:
        draft = Path(folder) / output.name

        def again(rewrites: Sequence[Rewrite]) -> TriedDraft:
            fresh = open_onnx(network.path, input_shapes)
            asked = context_of(fresh, context.target, context.dtype, context.toolkit_version)
            return attempt(fresh, asked, rewrites, draft, inputs)

        first = attempt(network, context, rewrites, draft, inputs)
        made, dropped = sound_attempt(first, again, rewrites)
        if weights_file(draft).is_file():
            weights_file(draft).replace(weights_file(output))
        draft.replace(output)
    return made, dropped
