"""What a prediction says in one sentence, and the command that would change it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rkbench.inspection.formatting import count, dims, listing
from rkbench.language.said import NOTHING, Said, listed, say
from rkbench.onnx.convolution import DEPTHWISE, KEPT, ORDINARY
from rkbench.onnx.prediction import (
    BY_POSITIONS,
    BY_ROWS,
    FAR_TAPS,
    LONG_KERNEL,
    MERGED,
    MOVED,
    MULTIPLIED,
    NORMED,
    OTHER,
    RECURRENT,
    UNMEASURED,
    UNPROJECTED,
    PredictedNode,
    Prediction,
)
from rkbench.rknn.targets import kept_group_alignment
from rkbench.units import format_bytes

PLAIN = (ORDINARY, DEPTHWISE, KEPT, OTHER)
"""What is no reason for more constants than a node's weights need, but for the filling of blocks."""
COMMANDS = {
    KEPT: say("kept grouped, one convolution per group"),
    **{kind: kind for kind in (BY_POSITIONS, BY_ROWS, FAR_TAPS, LONG_KERNEL)},
    **{kind: kind for kind in (MOVED, MULTIPLIED, NORMED, RECURRENT, UNPROJECTED)},
}
"""What costs commands of its own: why. Groups that are kept, and maps that are moved, cost no weights."""
HEALTHY_RATIO = 1.5
"""Of the file to its weights: above this, it is said what the rest is."""
NOTABLE_SHARE = 0.02
"""A node is named from this share of the constants, or of the whole predicted file, on."""

LARGE_SHARE = 0.08
"""Nodes of one kind are named from this share of the predicted file on, however small each is."""
SHOWN_KINDS = 3


def predicted_sentence(path: Path, prediction: Prediction) -> Said:
    """Return the answer about an ONNX alone: what it will become, and which nodes make it large."""
    found = [_kinds(prediction), _uncounted(prediction), _unmeasured(prediction), _unfamiliar(prediction)]
    told = listed([text for text in found if text], "; ")
    between = _between(prediction)
    about = say("roughly") if prediction.unfamiliar else say("about")
    if _uncounted(prediction) or _unmeasured(prediction):
        about = say("at least")
    if prediction.refusals:
        return _refused(path, prediction)
    return say(
        "{path} ({onnx_bytes}) will become {about} {file_bytes}{between} for {target} {dtype} "
        "(predicted): {told}.",
        path=path.name,
        onnx_bytes=format_bytes(prediction.onnx_bytes),
        about=about,
        file_bytes=format_bytes(prediction.file_bytes),
        between=between,
        target=prediction.target,
        dtype=prediction.dtype,
        told=told or _quiet(prediction),
    )


def _between(prediction: Prediction) -> Said:
    """Return the bounds of the size; "" where nothing bounds it from above."""
    low, high = prediction.file_bytes_low, prediction.file_bytes_high
    if low is None or high is None or _unmeasured(prediction):
        return NOTHING
    return say(" ({low} to {high})", low=format_bytes(low), high=format_bytes(high))


def _unfamiliar(prediction: Prediction) -> Said:
    """Return that the rules were read from networks of other operators, which ones are new, or ""."""
    new = prediction.unfamiliar
    if not new:
        return NOTHING
    return say(
        "{new} operators in forms that no network had which these rules were read from ({named}), so the "
        "size may be far off",
        new=len(new),
        named=listing(new, SHOWN_FORMS),
    )


SHOWN_FORMS = 2


def _refused(path: Path, prediction: Prediction) -> Said:
    first = prediction.refusals[0]
    return say(
        "{path} will not convert for {target} {dtype} (foreseen): the converter will say "
        '"{sentence}" at {node}: {reason}. Way around: {way_around}.',
        path=path.name,
        target=prediction.target,
        dtype=prediction.dtype,
        sentence=first.sentence,
        node=first.node,
        reason=first.reason,
        way_around=first.way_around,
    )


def fix_command(
    path: Path, prediction: Prediction, rewrites: Iterable[str], shapes: Mapping[str, tuple[int, ...]]
) -> str:
    """Return the command that rewrites the network, and which rewrites it takes; "" where there are none."""
    names = ", ".join(rewrites)
    asked = f"--target {prediction.target} --dtype {prediction.dtype}"
    for name, shape in shapes.items():
        asked += f" --input-shape {shlex.quote(f'{name}={dims(shape)}')}"
    written = shlex.quote(f"{path.stem}.fixed.onnx")
    return f"bench fix {shlex.quote(str(path))} {asked} -o {written} # {names}" if names else ""


@dataclass(frozen=True)
class _NamedKind:
    """Nodes that become the same: what they store beyond their weights, and what their commands take."""

    becomes: Said
    nodes: list[PredictedNode]
    stored_bytes: int
    command_bytes: int

    @property
    def told(self) -> Said:
        """What is said of them."""
        names = _names(self.nodes)
        stored, size = format_bytes(self.stored_bytes), format_bytes(self.command_bytes)
        reason, take_ = COMMANDS.get(self.becomes, self.becomes), _take(self.nodes)
        if not self.command_bytes:
            return say(
                "{names} {take_} {excess} more than the weights need: {becomes}",
                names=names,
                take_=take_,
                excess=stored,
                becomes=self.becomes,
            )
        if not self.stored_bytes:
            return say(
                "{names} {take_} about {size} of commands: {reason}",
                names=names,
                take_=take_,
                size=size,
                reason=reason,
            )
        return say(
            "{names} {take_} {excess} more than the weights need, and about {size} of commands: {reason}",
            names=names,
            take_=take_,
            excess=stored,
            size=size,
            reason=reason,
        )


def _kinds(prediction: Prediction) -> Said:
    """Return what makes the file large, the largest first: all nodes of a kind count together."""
    kinds: dict[Said, list[PredictedNode]] = {}
    for node in prediction.nodes:
        kinds.setdefault(node.becomes, []).append(node)
    found = [kind for becomes, nodes in kinds.items() if (kind := _kind(becomes, nodes, prediction))]
    found.sort(key=lambda kind: -kind.stored_bytes - kind.command_bytes)
    return listed([kind.told for kind in found[:SHOWN_KINDS]], "; ")


def _kind(becomes: Said, nodes: list[PredictedNode], prediction: Prediction) -> _NamedKind | None:
    """Return the nodes of a kind with what of them is worth a word; None where nothing is."""
    stored = [node.excess_bytes if node.note or becomes not in PLAIN else 0 for node in nodes]
    taken = [node.command_bytes or 0 if becomes in COMMANDS else 0 for node in nodes]
    stored, taken = (_notable(nodes, sizes, prediction) for sizes in (stored, taken))
    owned = [sum(sizes) for sizes in zip(stored, taken, strict=True)]
    if not any(owned):
        return None
    shown = [node for size, node in sorted(zip(owned, nodes, strict=True), key=lambda each: -each[0]) if size]
    return _NamedKind(becomes, shown, sum(stored), sum(taken))


def _notable(nodes: list[PredictedNode], sizes: list[int], prediction: Prediction) -> list[int]:
    """Return the sizes; zeros where neither one node that has a note nor all together are worth a word."""
    size = prediction.file_bytes
    largest = max((taken for node, taken in zip(nodes, sizes, strict=True) if node.note), default=0)
    return sizes if largest > NOTABLE_SHARE * size or sum(sizes) > LARGE_SHARE * size else [0] * len(sizes)


def _quiet(prediction: Prediction) -> Said:
    """Return what is said where no node is worth a word; healthy is only what is near its weights."""
    needed, size, tables = _plain_weights(prediction), prediction.file_bytes, prediction.table_command_bytes
    weights = _weights(prediction)
    if size <= HEALTHY_RATIO * needed and tables <= LARGE_SHARE * size:
        return say("{weights}, nothing blows up", weights=weights)
    added = prediction.weight_bytes - needed
    if added > LARGE_SHARE * size:
        added_bytes = format_bytes(added)
        weights = say("{weights}, {added} of constants beside them", weights=weights, added=added_bytes)
    return say("{weights}, and {rest}", weights=weights, rest=_rest(prediction))


def _summed(prediction: Prediction) -> int:
    return sum(node.needed_bytes for node in prediction.nodes if node.becomes == MERGED)


def _plain_weights(prediction: Prediction) -> int:
    """Return the bytes of the weights that are left: nodes may compute fewer of what the ONNX stores."""
    return min(prediction.needed_weight_bytes - _summed(prediction), prediction.weight_bytes)


def _weights(prediction: Prediction) -> Said:
    needed, summed = prediction.needed_weight_bytes, _summed(prediction)
    if needed - summed > prediction.weight_bytes:
        return say(
            "{left} of weights, computed from {needed} that the ONNX stores",
            left=format_bytes(prediction.weight_bytes),
            needed=format_bytes(needed),
        )
    if summed > NOTABLE_SHARE * prediction.file_bytes:
        return say(
            "{left} of weights once {summed} are summed into the ones beside them",
            left=format_bytes(needed - summed),
            summed=format_bytes(summed),
        )
    return say("{needed} of weights", needed=format_bytes(needed))


def _rest(prediction: Prediction) -> Said:
    rest, tables = format_bytes(prediction.command_bytes), prediction.table_command_bytes
    if tables <= LARGE_SHARE * prediction.file_bytes:
        return say("{rest} of commands and structure over all layers", rest=rest)
    return say(
        "{rest} of commands and structure over all layers ({tables} of them fill the tables of {layers})",
        rest=rest,
        tables=format_bytes(tables),
        layers=count(prediction.table_layers, "activation"),
    )


def _uncounted(prediction: Prediction) -> Said:
    unknown = [node for node in prediction.nodes if node.command_bytes is None]
    if not unknown:
        return NOTHING
    reasons = listed(list(dict.fromkeys(node.becomes for node in unknown)), "; ")
    return say(
        "the commands of {names} come on top and nobody can predict them ({reasons})",
        names=_names(unknown),
        reasons=reasons,
    )


def _unmeasured(prediction: Prediction) -> Said:
    if kept_group_alignment(prediction.target, prediction.dtype) is not None:
        return NOTHING
    if not any(node.becomes == UNMEASURED for node in prediction.nodes):
        return NOTHING
    return say(
        "{target}: which grouped convolutions it makes dense has not been measured", target=prediction.target
    )


def _names(nodes: list[PredictedNode]) -> Said:
    return say(
        "{nodes} ({names})", nodes=count(len(nodes), "node"), names=listing([node.name for node in nodes])
    )


def _take(nodes: list[PredictedNode]) -> str:
    return "takes" if len(nodes) == 1 else "take"
