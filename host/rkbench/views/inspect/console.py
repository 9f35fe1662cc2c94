"""An inspection on a terminal: the answer first, then where the bytes are, who owns them, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench.inspection.causes import Cause
from rkbench.inspection.document import FileInspection, InspectedLayer, InspectedMemory, Inspection
from rkbench.inspection.formatting import percent
from rkbench.units import UNKNOWN, format_bytes, printable
from rkbench.views.inspect.labels import (
    SECTION_TITLES,
    answered_questions,
    board_fit,
    layer_title,
    tensor_title,
)
from rkbench.views.inspect.terminal import Style, bar, heading, name_room, shorten, wrap

TOP_LAYERS = 10
NARROWEST = 60


def render_console(
    inspection: Inspection,
    width: int = 100,
    *,
    layers: int | None = TOP_LAYERS,
    myths: bool = False,
    colour: bool = False,
    fold: bool = False,
) -> str:
    """Return the view as text of at most `width` columns; `layers` None shows all of them.

    The first line, the answer, is that long only where `fold` asks for it.
    """
    style = Style(colour)
    width = max(width, NARROWEST)
    parts = [_sentence(inspection.sentence, width if fold else None, style)]
    if inspection.diff:
        from rkbench.views.inspect.console_diff import render_diff

        parts.append(render_diff(inspection.diff, width, style))
    if isinstance(inspection, FileInspection):
        parts += [
            _facts(inspection, width, style),
            _sections(inspection, width, style),
            _layers(inspection, width, style, layers),
            _npu(inspection, width, style, layers),
            _causes(inspection, width, style),
            _memory(inspection.memory, width, style),
            _outputs(inspection, width, style),
            _answers(inspection, width, style),
        ]
    if inspection.onnx:
        from rkbench.views.inspect.console_onnx import render_onnx

        parts.append(render_onnx(inspection.onnx, width, style))
    if myths and inspection.myths:
        parts.append(_myths(inspection, width, style))
    return "\n\n".join(part for part in parts if part) + "\n"


def _sentence(sentence: str, width: int | None, style: Style) -> str:
    """Return the answer, as one line where no width is given: scripts read the first line."""
    text = printable(sentence)
    return f"{style.bold}{text if width is None else wrap(text, width)}{style.end}"


def _facts(inspection: FileInspection, width: int, style: Style) -> str:
    file = inspection.file
    facts = [
        f"{file.target or 'no target'} {file.dtype}",
        f"toolkit {file.toolkit_version or UNKNOWN}",
        f"container {file.container_version}{' (mini)' if file.mini else ''}",
        f"{len(inspection.layers):,} layers",
        f"{file.task_count:,} NPU tasks",
    ]
    facts += [f"input {tensor_title(tensor)}" for tensor in inspection.inputs]
    facts += [f"output {tensor_title(tensor)}" for tensor in inspection.outputs]
    return "\n".join(f"{style.dim}{line}{style.end}" for line in wrap(" · ".join(facts), width).splitlines())


def _sections(inspection: FileInspection, width: int, style: Style) -> str:
    size = inspection.file.size_bytes
    lines = [heading("Sections", style)]
    room = width - 2 - 24 - 10 - 9
    for name, title in SECTION_TITLES.items():
        value = getattr(inspection.sections, name)
        if value:
            lines.append(
                f"  {title:<24}{format_bytes(value):>9} {percent(value / size):>7}  "
                f"{style.accent}{bar(value / size, room)}{style.end}".rstrip()
            )
    lines.append(f"  {'all':<24}{format_bytes(size):>9}")
    return "\n".join(lines)


def _layers(inspection: FileInspection, width: int, style: Style, most: int | None) -> str:
    layers = sorted(inspection.layers, key=lambda layer: -layer.total_bytes)
    shown = layers if most is None else layers[:most]
    title = "Layers by size"
    if len(shown) < len(layers):
        title += f" (first {len(shown)} of {len(layers)}; --layers all)"
    room = name_room(map(layer_title, shown), width - 2 - 9 - 9 - 10 - 9 - 6 - 2)
    head = f"  {'layer':<{room}}{'bytes':>9}{'weights':>9}{'commands':>10}{'dtype':>9}{'on':>6}"
    rows = (_layer(layer, room) for layer in shown)
    return "\n".join([heading(title, style), f"{style.dim}{head}{style.end}", *rows])


def _layer(layer: InspectedLayer, room: int) -> str:
    constants = layer.weight_bytes + layer.cpu_constant_bytes + layer.compiler_constant_bytes
    commands = layer.register_command_bytes + layer.task_bytes + layer.kind7_bytes
    return (
        f"  {shorten(layer_title(layer), room - 1):<{room}}{format_bytes(layer.total_bytes):>9}"
        f"{format_bytes(constants):>9}{format_bytes(commands):>10}{layer.dtype or UNKNOWN:>9}"
        f"{layer.target[:5]:>6}"
    )


def _npu(inspection: FileInspection, width: int, style: Style, most: int | None) -> str:
    if inspection.npu is None:
        return ""
    from rkbench.views.inspect.console_npu import render_npu

    return render_npu(inspection, inspection.npu, width, style, most)


def _causes(inspection: FileInspection, width: int, style: Style) -> str:
    size = inspection.file.size_bytes
    blocks = [heading("Causes", style)]
    for number, cause in enumerate(inspection.causes, 1):
        blocks.append("\n".join(_cause(number, cause, width, style)))
    ordinary = inspection.ordinary.bytes
    left = f"   ordinary: {format_bytes(ordinary)} ({percent(ordinary / size)}), what the network needs"
    blocks.append(wrap(left.strip(), width, "   "))
    return "\n".join(blocks)


def _cause(number: int, cause: Cause, width: int, style: Style) -> Iterator[str]:
    amount = f"{format_bytes(cause.bytes)}  {percent(cause.share)}"
    room = width - len(amount) - 5
    yield f"{number:>2} {style.bold}{shorten(cause.title, room):<{room}}{style.end}  {amount}"
    yield wrap(cause.explanation, width, "   ")
    if cause.layers:
        yield wrap(f"layers: {', '.join(cause.layers)}", width, "     ", "   ")
    for line in cause.evidence:
        yield wrap(line, width, "     ", "   · ")
    for line in cause.neighbours:
        yield wrap(f"around it: {line}", width, "     ", "   · ")
    for fix in cause.fix:
        yield wrap(fix.action, width, "          ", "   fix  → ")
        if fix.snippet:
            yield f"          {style.accent}{printable(fix.snippet)}{style.end}"
    for line in cause.not_helping:
        yield wrap(line, width, "          ", "   no help: ")


def _memory(memory: InspectedMemory, width: int, style: Style) -> str:
    share = memory.share_of_2_gb_board
    if share is None:
        known = format_bytes(memory.internal_bytes)
        text = f"The file does not state its weights; activations take {known}."
    else:
        text = (
            f"{format_bytes(memory.total_bytes)} on the NPU for every loaded copy: weights "
            f"{format_bytes(memory.weight_bytes)}, activations {format_bytes(memory.internal_bytes)}; "
            f"{percent(share)} of a 2 GB board, {board_fit(share)}. "
            "While it loads, the process holds the file beside it. (from the file, not measured)"
        )
    return "\n".join([heading("Memory when loaded", style), wrap(text, width, "  ")])


def _answers(inspection: FileInspection, width: int, style: Style) -> str:
    blocks = [heading("Four questions", style)]
    for answered in answered_questions(inspection.answers):
        blocks.append(wrap(answered.question, width, "  "))
        blocks.append(wrap(answered.answer, width, "    "))
        blocks += [wrap(line, width, "      ", "    · ") for line in answered.details]
    return "\n".join(blocks)


def _outputs(inspection: Inspection, width: int, style: Style) -> str:
    if not inspection.coarse_outputs:
        return ""
    lines = [heading("Outputs", style)]
    for output in inspection.coarse_outputs:
        lines += [wrap(output.message, width, "    ", "  "), wrap(output.cure, width, "      ", "    → ")]
    return "\n".join(lines)


def _myths(inspection: Inspection, width: int, style: Style) -> str:
    lines = [heading("Popular suspects, in this file", style)]
    for myth in inspection.myths:
        lines.append(
            wrap(f"{myth.suspect} — {format_bytes(myth.bytes)}: {myth.verdict}", width, "    ", "  ")
        )
    return "\n".join(lines)
