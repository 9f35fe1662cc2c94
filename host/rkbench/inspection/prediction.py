"""What a prediction says in one sentence, and the command that would change it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from rkbench.inspection.formatting import count, dims, listing
from rkbench.language.said import NOTHING, Said, listed, say
from rkbench.onnx.convolution import KEPT
from rkbench.onnx.prediction import MOVED, UNMEASURED, PredictedNode, Prediction
from rkbench.rknn.targets import kept_group_alignment
from rkbench.units import format_bytes

COMMANDS = {KEPT: say("kept grouped, one convolution per group"), MOVED: MOVED}
HEALTHY_RATIO = 1.5
"""Of the file to its weights: above this, it is said what the rest is."""
NOTABLE_SHARE = 0.02
"""A node is named from this share of the constants, or of the whole predicted file, on."""


def predicted_sentence(path: Path, prediction: Prediction) -> Said:
    """Return the answer about an ONNX alone: what it will become, and which nodes make it large."""
    found = [_weights(prediction), _commands(prediction), _uncounted(prediction), _unmeasured(prediction)]
    found.append(_unfamiliar(prediction))
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


def _weights(prediction: Prediction) -> Said:
    worst = [
        node for node in prediction.bloated if node.excess_bytes > NOTABLE_SHARE * prediction.weight_bytes
    ]
    if not worst:
        return NOTHING
    excess = format_bytes(sum(node.excess_bytes for node in worst))
    return say(
        "{names} {take_} {excess} more than the weights need: {becomes}",
        names=_names(worst),
        take_=_take(worst),
        excess=excess,
        becomes=worst[0].becomes,
    )


def _commands(prediction: Prediction) -> Said:
    """Groups that are kept, and maps that are moved, cost no weights: they have commands of their own."""
    least, found = NOTABLE_SHARE * prediction.file_bytes, []
    for becomes, reason in COMMANDS.items():
        nodes = [
            node
            for node in prediction.bloated
            if node.becomes == becomes and (node.command_bytes or 0) > least
        ]
        if nodes:
            size = format_bytes(sum(node.command_bytes or 0 for node in nodes))
            found.append(
                say(
                    "{names} {take_} about {size} of commands: {reason}",
                    names=_names(nodes),
                    take_=_take(nodes),
                    size=size,
                    reason=reason,
                )
            )
    return listed(found, "; ")


def _quiet(prediction: Prediction) -> Said:
    """Return what is said where no node is worth a word; healthy is only what is near its weights."""
    needed = format_bytes(prediction.needed_weight_bytes)
    if prediction.file_bytes <= HEALTHY_RATIO * prediction.needed_weight_bytes:
        return say("{needed} of weights, nothing blows up", needed=needed)
    rest = format_bytes(prediction.command_bytes)
    return say(
        "{needed} of weights, and {rest} of commands and structure over all layers", needed=needed, rest=rest
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
