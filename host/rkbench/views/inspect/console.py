"""An inspection on a terminal: the answer first, then where the bytes are, who owns them, and what to do."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from typing import Any

from rkbench.units import UNKNOWN, format_bytes, printable
from rkbench.views.inspect.words import QUESTIONS, SECTION_TITLES, answer_details, fit, layer_title, percent

Document = dict[str, Any]
EIGHTHS = " ▏▎▍▌▋▊▉"
TOP_LAYERS = 10
NARROWEST = 60


class Style:
    """Escape sequences, or nothing where colour is not wanted."""

    def __init__(self, colour: bool) -> None:
        self.bold, self.dim, self.accent, self.end = (
            ("\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[0m") if colour else ("", "", "", "")
        )


def wants_colour(is_terminal: bool) -> bool:
    """Return whether to use colour: on a terminal, unless NO_COLOR is set or TERM is dumb."""
    return is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def render_console(
    document: Document,
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
    parts = [_sentence(document, width if fold else None, style)]
    if document["file"]:
        parts += [
            _facts(document, width, style),
            _sections(document, width, style),
            _layers(document, width, style, layers),
            _causes(document, width, style),
            _memory(document, width, style),
            _answers(document, width, style),
        ]
    if document["onnx"]:
        from rkbench.views.inspect.console_onnx import render_onnx

        parts.append(render_onnx(document["onnx"], width, style))
    if myths and document["myths"]:
        parts.append(_myths(document, width, style))
    if document["diff"]:
        from rkbench.views.inspect.console_diff import render_diff

        parts.append(render_diff(document["diff"], width, style))
    return "\n\n".join(part for part in parts if part) + "\n"


def wrap(text: str, width: int, indent: str = "", first: str | None = None) -> str:
    """Return text filled to `width`; names longer than a line are broken, control characters made visible."""
    return textwrap.fill(
        printable(text),
        width,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def shorten(text: str, width: int) -> str:
    """Return a name that fits `width`, its middle left out."""
    text = printable(text)
    if len(text) <= width:
        return text
    left = (width - 1) // 2
    return f"{text[:left]}…{text[len(text) - (width - 1 - left) :]}"


def heading(text: str, style: Style) -> str:
    """Return a section's title."""
    return f"{style.bold}{text}{style.end}"


def bar(share: float, width: int) -> str:
    """Return a bar of `width` columns for a share of 0 to 1, in eighths of a column."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[rest] if rest else "")


def _sentence(document: Document, width: int | None, style: Style) -> str:
    """Return the answer, as one line where no width is given: scripts read the first line."""
    text = printable(document["sentence"])
    return f"{style.bold}{text if width is None else wrap(text, width)}{style.end}"


def _facts(document: Document, width: int, style: Style) -> str:
    file = document["file"]
    facts = [
        f"{file['target'] or 'no target'} {file['dtype']}",
        f"toolkit {file['toolkit_version'] or UNKNOWN}",
        f"container {file['container_version']}{' (mini)' if file['mini'] else ''}",
        f"{len(document['layers']):,} layers",
        f"{file['task_count']:,} NPU tasks",
    ]
    facts += [f"input {_port(tensor)}" for tensor in document["inputs"]]
    facts += [f"output {_port(tensor)}" for tensor in document["outputs"]]
    return "\n".join(f"{style.dim}{line}{style.end}" for line in wrap(" · ".join(facts), width).splitlines())


def _port(tensor: Document) -> str:
    shape = "x".join(str(size) for size in tensor["shape"])
    return f"{tensor['name']} {shape} {tensor['dtype'] or ''}".rstrip()


def _sections(document: Document, width: int, style: Style) -> str:
    size = document["file"]["size_bytes"]
    lines = [heading("Sections", style)]
    room = width - 2 - 24 - 10 - 9
    for name, title in SECTION_TITLES.items():
        value = document["sections"][name]
        if value:
            lines.append(
                f"  {title:<24}{format_bytes(value):>9} {percent(value / size):>7}  "
                f"{style.accent}{bar(value / size, room)}{style.end}".rstrip()
            )
    lines.append(f"  {'all':<24}{format_bytes(size):>9}")
    return "\n".join(lines)


def _layers(document: Document, width: int, style: Style, most: int | None) -> str:
    layers = sorted(document["layers"], key=lambda layer: -layer["total_bytes"])
    shown = layers if most is None else layers[:most]
    title = "Layers by size"
    if len(shown) < len(layers):
        title += f" (first {len(shown)} of {len(layers)}; --layers all)"
    room = width - 2 - 9 - 9 - 10 - 9 - 6 - 2
    lines = [
        heading(title, style),
        f"{style.dim}  "
        f"{'layer':<{room}}{'bytes':>9}{'weights':>9}{'commands':>10}{'dtype':>9}{'on':>6}{style.end}",
    ]
    for layer in shown:
        constants = sum(layer[f"{kind}_bytes"] for kind in ("weight", "cpu_constant", "compiler_constant"))
        commands = layer["register_command_bytes"] + layer["task_bytes"] + layer["kind7_bytes"]
        lines.append(
            f"  {shorten(layer_title(layer), room - 1):<{room}}{format_bytes(layer['total_bytes']):>9}"
            f"{format_bytes(constants):>9}{format_bytes(commands):>10}{layer['dtype'] or UNKNOWN:>9}"
            f"{layer['target'][:5]:>6}"
        )
    return "\n".join(lines)


def _causes(document: Document, width: int, style: Style) -> str:
    size = document["file"]["size_bytes"]
    blocks = [heading("Causes", style)]
    for number, cause in enumerate(document["causes"], 1):
        blocks.append("\n".join(_cause(number, cause, width, style)))
    ordinary = document["ordinary"]["bytes"]
    left = f"   ordinary: {format_bytes(ordinary)} ({percent(ordinary / size)}), what the network needs"
    blocks.append(wrap(left.strip(), width, "   "))
    return "\n".join(blocks)


def _cause(number: int, cause: Document, width: int, style: Style) -> Iterator[str]:
    amount = f"{format_bytes(cause['bytes'])}  {percent(cause['share'])}"
    room = width - len(amount) - 5
    yield f"{number:>2} {style.bold}{shorten(cause['title'], room):<{room}}{style.end}  {amount}"
    yield wrap(cause["explanation"], width, "   ")
    if cause["layers"]:
        yield wrap(f"layers: {', '.join(cause['layers'])}", width, "     ", "   ")
    for line in cause["evidence"]:
        yield wrap(line, width, "     ", "   · ")
    for line in cause["neighbours"]:
        yield wrap(f"around it: {line}", width, "     ", "   · ")
    for fix in cause["fix"]:
        yield wrap(fix["action"], width, "          ", "   fix  → ")
        if fix["snippet"]:
            yield f"          {style.accent}{printable(fix['snippet'])}{style.end}"
    for line in cause["not_helping"]:
        yield wrap(line, width, "          ", "   no help: ")


def _memory(document: Document, width: int, style: Style) -> str:
    memory = document["memory"]
    lines = [heading("Memory when loaded", style)]
    if memory["total_bytes"] is None:
        known = format_bytes(memory["internal_bytes"])
        text = f"The file does not state its weights; activations take {known}."
    else:
        text = (
            f"{format_bytes(memory['total_bytes'])} on the NPU for every loaded copy: weights "
            f"{format_bytes(memory['weight_bytes'])}, activations {format_bytes(memory['internal_bytes'])}; "
            f"{percent(memory['share_of_2_gb_board'])} of a 2 GB board, "
            f"{fit(memory['share_of_2_gb_board'])}. "
            "While it loads, the process holds the file beside it. (from the file, not measured)"
        )
    lines.append(wrap(text, width, "  "))
    return "\n".join(lines)


def _answers(document: Document, width: int, style: Style) -> str:
    answers = document["answers"]
    blocks = [heading("Four questions", style)]
    for key, question in QUESTIONS:
        blocks.append(wrap(question, width, "  "))
        answer = answers[key]["answer"]
        blocks.append(wrap(answer, width, "    "))
        details = [line for line in answer_details(key, answers[key]) if line != answer]
        blocks += [wrap(line, width, "      ", "    · ") for line in details]
    return "\n".join(blocks)


def _myths(document: Document, width: int, style: Style) -> str:
    lines = [heading("Popular suspects, in this file", style)]
    for myth in document["myths"]:
        lines.append(
            wrap(f"{myth['suspect']} — {format_bytes(myth['bytes'])}: {myth['verdict']}", width, "    ", "  ")
        )
    return "\n".join(lines)
