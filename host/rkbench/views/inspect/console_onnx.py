"""The part of the console view that the ONNX adds: elements, ratios, and the nodes that blow up."""

from __future__ import annotations

from rkbench.inspection.onnx_document import OnnxComparison, OnnxNode, PredictedFile
from rkbench.inspection.prediction import NOTABLE_SHARE
from rkbench.language.said import Said, say
from rkbench.onnx.prediction import NORMED, SPREAD, TURNED
from rkbench.units import format_bytes, printable
from rkbench.views.columns import left, right
from rkbench.views.inspect.labels import nodes_by_size
from rkbench.views.inspect.terminal import Style, heading, name_room, shorten, wrap

TOP_NODES = 12


def render_onnx(onnx: OnnxComparison, width: int, style: Style) -> str:
    """Return the lines about the ONNX, or about the prediction where there is no .rknn."""
    prediction = onnx.prediction
    elements = ", ".join(f"{number:,} {dtype}" for dtype, number in prediction.elements.items())
    head = style.say(
        "{path}: {size}, stored weights {elements}; they need {needed} at {dtype}.",
        path=onnx.path,
        size=format_bytes(prediction.onnx_bytes),
        elements=elements or say("none"),
        needed=format_bytes(prediction.needed_weight_bytes),
        dtype=prediction.dtype,
    )
    lines = [heading("ONNX", style), wrap(head, width, "  ")]
    if onnx.file_bytes is not None:
        lines.append(wrap(style.tell(_ratios(onnx)), width, "  "))
    lines.append(wrap(style.tell(_prediction(prediction)), width, "  "))
    lines += _nodes(onnx, width, style)
    lines += [wrap(note, width, "    ", "  · ") for note in prediction.notes]
    if onnx.file_bytes is None:  # beside a file, its causes say what to do
        for command in onnx.fix:
            lines.append(wrap(style.tell(onnx.does), width, "         ", style.say("  fix  → ")))
            lines.append(f"         {style.accent}{printable(command)}{style.end}")
    return "\n".join(lines)


def _ratios(onnx: OnnxComparison) -> Said:
    needed = onnx.ratio_to_needed
    if needed is None:
        return say("The file is {times:,.1f} times its ONNX.", times=onnx.ratio_to_onnx)
    return say(
        "The file is {times:,.1f} times its ONNX, {needed:,.1f} times what its weights need.",
        times=onnx.ratio_to_onnx,
        needed=needed,
    )


def _prediction(prediction: PredictedFile) -> Said:
    return say(
        "Predicted for {target} {dtype}: constants {constants}, commands and structure about {commands}; the "
        "whole file about {fp16} in fp16 and {int8} in int8.",
        target=prediction.target,
        dtype=prediction.dtype,
        constants=format_bytes(prediction.weight_bytes),
        commands=format_bytes(prediction.command_bytes),
        fp16=format_bytes(prediction.weight_bytes_fp16 + prediction.command_bytes_fp16),
        int8=format_bytes(prediction.weight_bytes_int8 + prediction.command_bytes_int8),
    )


def _is_worth_a_row(node: OnnxNode, prediction: PredictedFile) -> bool:
    """Return whether there is something to say of a node: a note, or large constants that it is given."""
    added = node.predicted_bytes - node.needed_bytes
    return bool(node.note) or (node.becomes in ADDED and added > NOTABLE_SHARE * prediction.weight_bytes)


ADDED = (NORMED, TURNED, SPREAD)


def _nodes(onnx: OnnxComparison, width: int, style: Style) -> list[str]:
    nodes = nodes_by_size(onnx)
    told = [node for node in nodes if _is_worth_a_row(node, onnx.prediction)] or nodes
    if not told:
        return []
    in_file = onnx.file_bytes is not None
    titles = [
        style.say("{name} ({becomes})", name=node.name, becomes=node.becomes) for node in told[:TOP_NODES]
    ]
    room = name_room(titles, width - 2 - 9 - 11 - (9 if in_file else 0) - 9)
    heads = [(say("needs"), 9), (say("predicted"), 11), (say("in file"), 9 * in_file), (say("smaller"), 9)]
    head = "".join(right(style.tell(title), wide) for title, wide in heads if wide)
    lines = [f"{style.dim}  {left(style.say('node'), room)}{head}{style.end}"]
    for node, title in zip(told, titles, strict=False):
        stored = f"{format_bytes(node.file_bytes):>9}" if in_file else ""
        lines.append(
            f"  {left(shorten(title, room - 1), room)}{format_bytes(node.needed_bytes):>9}"
            f"{format_bytes(node.predicted_bytes):>11}{stored}"
            f"{right(node.smaller_dtype or style.say('same'), 9)}"
        )
    if len(told) > TOP_NODES:
        lines.append(style.say("  and {more} more (all nodes: --json)", more=len(told) - TOP_NODES))
    return lines
