"""An inspection on a terminal: the answer first, then where the bytes are, who owns them, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench.inspection.answers import FourAnswers
from rkbench.inspection.causes import Cause
from rkbench.inspection.document import FileInspection, InspectedLayer, InspectedMemory, Inspection
from rkbench.inspection.formatting import percent
from rkbench.inspection.shown import ShownCauses, answers_of, shown_causes
from rkbench.language.language import ENGLISH, Language
from rkbench.language.said import say
from rkbench.units import UNKNOWN, format_bytes, printable
from rkbench.views.columns import left, right
from rkbench.views.inspect.labels import (
    SECTION_TITLES,
    answered_questions,
    board_fit,
    layer_title,
    suspected,
    tensor_title,
)
from rkbench.views.inspect.terminal import Style, bar, heading, name_room, shorten, wrap

TOP_LAYERS = 10
NARROWEST = 60
_LAYER_HEADS = (
    (say("bytes"), 9),
    (say("weights"), 9),
    (say("commands"), 10),
    (say("dtype"), 9),
    (say("on"), 6),
)


def render_console(
    inspection: Inspection,
    width: int = 100,
    *,
    layers: int | None = TOP_LAYERS,
    all_causes: bool = False,
    myths: bool = False,
    colour: bool = False,
    fold: bool = False,
    language: Language = ENGLISH,
) -> str:
    """Return the view as text of at most `width` columns; `layers` None shows all of them.

    Causes that matter little for the file are one line, but where `all_causes` asks for them.

    The inspection is told in `language` already; the words of the view are told here.

    The first line, the answer, is that long only where `fold` asks for it.
    """
    style = Style(colour, language)
    width = max(width, NARROWEST)
    parts = [_sentence(inspection.sentence, width if fold else None, style)]
    if inspection.diff:
        from rkbench.views.inspect.console_diff import render_diff

        parts.append(render_diff(inspection.diff, width, style))
    if isinstance(inspection, FileInspection):
        causes = shown_causes(inspection, all_causes)
        parts += [
            _facts(inspection, width, style),
            _sections(inspection, width, style),
            _layers(inspection, width, style, layers),
            _npu(inspection, width, style, layers),
            _causes(inspection, causes, width, style),
            _memory(inspection.memory, width, style),
            _outputs(inspection, width, style),
            _answers(answers_of(inspection, causes.told), width, style),
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
        f"{file.target or style.say('no target')} {file.dtype}",
        style.say("toolkit {version}", version=file.toolkit_version or UNKNOWN),
        style.say("container {version}", version=f"{file.container_version}{' (mini)' if file.mini else ''}"),
        style.say("{layers:,} layers", layers=len(inspection.layers)),
        style.say("{tasks:,} NPU tasks", tasks=file.task_count),
    ]
    facts += [style.say("input {tensor}", tensor=tensor_title(tensor)) for tensor in inspection.inputs]
    facts += [style.say("output {tensor}", tensor=tensor_title(tensor)) for tensor in inspection.outputs]
    return "\n".join(f"{style.dim}{line}{style.end}" for line in wrap(" · ".join(facts), width).splitlines())


def _sections(inspection: FileInspection, width: int, style: Style) -> str:
    size = inspection.file.size_bytes
    lines = [heading(style.say("Sections"), style)]
    room = width - 2 - 24 - 10 - 9
    for name, title in SECTION_TITLES.items():
        value = getattr(inspection.sections, name)
        if value:
            lines.append(
                f"  {left(style.tell(title), 24)}{format_bytes(value):>9} {percent(value / size):>7}  "
                f"{style.accent}{bar(value / size, room)}{style.end}".rstrip()
            )
    lines.append(f"  {left(style.say('all'), 24)}{format_bytes(size):>9}")
    return "\n".join(lines)


def _layers(inspection: FileInspection, width: int, style: Style, most: int | None) -> str:
    layers = sorted(inspection.layers, key=lambda layer: -layer.total_bytes)
    shown = layers if most is None else layers[:most]
    title = style.say("Layers by size")
    if len(shown) < len(layers):
        title = style.say(
            "Layers by size (first {shown} of {layers}; --layers all)", shown=len(shown), layers=len(layers)
        )
    room = name_room(map(layer_title, shown), width - 2 - 9 - 9 - 10 - 9 - 6 - 2)
    head = f"  {left(style.say('layer'), room)}"
    head += "".join(right(style.tell(title), wide) for title, wide in _LAYER_HEADS)
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


def _causes(inspection: FileInspection, causes: ShownCauses, width: int, style: Style) -> str:
    size = inspection.file.size_bytes
    blocks = [heading(style.say("Causes"), style)]
    for number, cause in enumerate(causes.told, 1):
        blocks.append("\n".join(_cause(number, cause, width, style)))
    if causes.smaller:
        smaller = style.say("{smaller}; --causes all tells of them", smaller=causes.rest)
        blocks.append(wrap(smaller, width, "   "))
    ordinary = inspection.ordinary.bytes
    rest = style.say(
        "ordinary: {size} ({share}), what the network needs",
        size=format_bytes(ordinary),
        share=percent(ordinary / size),
    )
    blocks.append(wrap(rest, width, "   "))
    return "\n".join(blocks)


def _cause(number: int, cause: Cause, width: int, style: Style) -> Iterator[str]:
    amount = f"{format_bytes(cause.bytes)}  {percent(cause.share)}"
    room = width - len(amount) - 5
    yield f"{number:>2} {style.bold}{left(shorten(cause.title, room), room)}{style.end}  {amount}"
    yield wrap(cause.explanation, width, "   ")
    if cause.layers:
        yield wrap(style.say("layers: {layers}", layers=", ".join(cause.layers)), width, "     ", "   ")
    for line in cause.evidence:
        yield wrap(line, width, "     ", "   · ")
    for around in cause.neighbours:
        yield wrap(style.say("around it: {line}", line=around), width, "     ", "   · ")
    for fix in cause.fix:
        yield wrap(fix.action, width, "          ", style.say("   fix  → "))
        if fix.snippet:
            yield f"          {style.accent}{printable(fix.snippet)}{style.end}"
    for useless in cause.not_helping:
        yield wrap(useless, width, "          ", style.say("   no help: "))


def _memory(memory: InspectedMemory, width: int, style: Style) -> str:
    share = memory.share_of_2_gb_board
    if share is None:
        known = format_bytes(memory.internal_bytes)
        text = style.say("The file does not state its weights; activations take {known}.", known=known)
    else:
        text = style.say(
            "{total} on the NPU for every loaded copy: weights {weights}, activations {internal}; {share} of "
            "a 2 GB board, {fit}. While it loads, the process holds the file beside it. (from the file, not "
            "measured)",
            total=format_bytes(memory.total_bytes),
            weights=format_bytes(memory.weight_bytes),
            internal=format_bytes(memory.internal_bytes),
            share=percent(share),
            fit=board_fit(share),
        )
    return "\n".join([heading(style.say("Memory when loaded"), style), wrap(text, width, "  ")])


def _answers(answers: FourAnswers, width: int, style: Style) -> str:
    blocks = [heading(style.say("Four questions"), style)]
    for answered in answered_questions(answers):
        blocks.append(wrap(style.tell(answered.question), width, "  "))
        blocks.append(wrap(style.tell(answered.answer), width, "    "))
        blocks += [wrap(style.tell(line), width, "      ", "    · ") for line in answered.details]
    return "\n".join(blocks)


def _outputs(inspection: Inspection, width: int, style: Style) -> str:
    if not inspection.coarse_outputs:
        return ""
    lines = [heading(style.say("Outputs"), style)]
    for output in inspection.coarse_outputs:
        lines += [wrap(output.message, width, "    ", "  "), wrap(output.cure, width, "      ", "    → ")]
    return "\n".join(lines)


def _myths(inspection: Inspection, width: int, style: Style) -> str:
    lines = [heading(style.say("Popular suspects, in this file"), style)]
    for myth in inspection.myths:
        lines.append(wrap(style.tell(suspected(myth)), width, "    ", "  "))
    return "\n".join(lines)
