"""The part of the console view that the ONNX adds: elements, ratios, and the nodes that blow up."""

from __future__ import annotations

from rkbench.inspection.onnx_document import OnnxComparison, PredictedFile
from rkbench.units import format_bytes, printable
from rkbench.views.inspect.labels import nodes_by_size
from rkbench.views.inspect.terminal import Style, heading, name_room, shorten, wrap

TOP_NODES = 12


def render_onnx(onnx: OnnxComparison, width: int, style: Style) -> str:
    """Return the lines about the ONNX, or about the prediction where there is no .rknn."""
    prediction = onnx.prediction
    elements = ", ".join(f"{number:,} {dtype}" for dtype, number in prediction.elements.items())
    head = (
        f"{onnx.path}: {format_bytes(prediction.onnx_bytes)}, stored weights "
        f"{elements or 'none'}; they need "
        f"{format_bytes(prediction.needed_weight_bytes)} at {prediction.dtype}."
    )
    lines = [heading("ONNX", style), wrap(head, width, "  ")]
    if onnx.file_bytes is not None:
        lines.append(wrap(_ratios(onnx), width, "  "))
    lines.append(wrap(_prediction(prediction), width, "  "))
    lines += _nodes(onnx, width, style)
    lines += [wrap(note, width, "    ", "  · ") for note in prediction.notes]
    if onnx.file_bytes is None:  # beside a file, its causes say what to do
        for command in onnx.fix:
            lines += ["  fix  → rewrite the ONNX before it is converted, where that makes the .rknn smaller"]
            lines.append(f"         {style.accent}{printable(command)}{style.end}")
    return "\n".join(lines)


def _ratios(onnx: OnnxComparison) -> str:
    needed = onnx.ratio_to_needed
    against = f", {needed:,.1f} times what its weights need" if needed is not None else ""
    return f"The file is {onnx.ratio_to_onnx:,.1f} times its ONNX{against}."


def _prediction(prediction: PredictedFile) -> str:
    return (
        f"Predicted for {prediction.target} {prediction.dtype}: constants "
        f"{format_bytes(prediction.weight_bytes)}, commands and structure about "
        f"{format_bytes(prediction.command_bytes)}; the smaller dtype is {prediction.smaller_dtype} "
        f"(constants fp16 {format_bytes(prediction.weight_bytes_fp16)}, int8 "
        f"{format_bytes(prediction.weight_bytes_int8)})."
    )


def _nodes(onnx: OnnxComparison, width: int, style: Style) -> list[str]:
    nodes = nodes_by_size(onnx)
    told = [node for node in nodes if node.note] or nodes
    if not told:
        return []
    in_file = onnx.file_bytes is not None
    titles = [f"{node.name} ({node.becomes})" for node in told[:TOP_NODES]]
    room = name_room(titles, width - 2 - 9 - 11 - (9 if in_file else 0) - 9)
    head = f"{'needs':>9}{'predicted':>11}{'  in file' if in_file else ''}{'smaller':>9}"
    lines = [f"{style.dim}  {'node':<{room}}{head}{style.end}"]
    for node, title in zip(told, titles, strict=False):
        stored = f"{format_bytes(node.file_bytes):>9}" if in_file else ""
        lines.append(
            f"  {shorten(title, room - 1):<{room}}{format_bytes(node.needed_bytes):>9}"
            f"{format_bytes(node.predicted_bytes):>11}{stored}{node.smaller_dtype or 'same':>9}"
        )
    if len(told) > TOP_NODES:
        lines.append(f"  and {len(told) - TOP_NODES} more (all nodes: --json)")
    return lines
