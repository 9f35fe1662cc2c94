"""The NPU's tasks on a terminal: layers by predicted time with what they cost, and tasks in words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rkbench.inspection.document import FileInspection
from rkbench.inspection.npu_document import InspectedNpu, InspectedTask, TrafficCause
from rkbench.units import format_bytes, format_ratio
from rkbench.views.inspect.labels import layer_title
from rkbench.views.inspect.latency_lines import latency_lines
from rkbench.views.inspect.terminal import Style, heading, shorten, wrap


def render_npu(
    inspection: FileInspection, npu: InspectedNpu, width: int, style: Style, most: int | None
) -> str:
    """Return the part of the view that tells of the tasks."""
    blocks = [heading("NPU tasks", style)]
    if npu.refused is not None:
        blocks += [wrap(npu.refused, width, "  "), *_outline(inspection, npu, width, style)]
        return "\n".join(blocks)
    if npu.latency:
        blocks += latency_lines(npu.latency, width, most, style)
    for cause in npu.traffic_causes:
        blocks += _cause(cause, width, style)
    blocks += _unexplained(npu, width)
    for layer, tasks in groupby(npu.tasks, key=lambda task: task.layer):
        title = shorten(layer_title(inspection.layers[layer]), width - 2)
        blocks += ["", f"  {style.bold}{title}{style.end}"]
        for task in tasks:
            blocks += _task(task, width)
    return "\n".join(blocks)


def _outline(inspection: FileInspection, npu: InspectedNpu, width: int, style: Style) -> Iterator[str]:
    if npu.outline:
        yield ""
        yield wrap("what is known of the tasks, over all core modes: the blocks that they run", width, "  ")
    for layer, tasks in groupby(npu.outline, key=lambda task: task.layer):
        yield ""
        yield f"  {style.bold}{shorten(layer_title(inspection.layers[layer]), width - 2)}{style.end}"
        for task in tasks:
            fills = ", which fill the activation table" if task.fills_table else ""
            words = f"{', '.join(task.blocks) or 'no block'}: {task.command_words:,} command words{fills}"
            yield wrap(words, width, "        ", f"  {task.index:>5} ")


def _cause(cause: TrafficCause, width: int, style: Style) -> Iterator[str]:
    amount = f"{format_bytes(cause.bytes)}  {format_ratio(cause.share)} of the DDR bytes"
    room = width - len(amount) - 4
    yield ""
    yield f"  {style.bold}{shorten(cause.title, room):<{room}}{style.end}  {amount}"
    yield wrap(cause.explanation, width, "  ")
    yield wrap(f"layers: {', '.join(cause.layers)}", width, "    ", "  ")
    yield wrap(cause.fix, width, "         ", "  fix  → ")


def _unexplained(npu: InspectedNpu, width: int) -> Iterator[str]:
    ratio = npu.explained_ratio or 0.0
    yield ""
    yield wrap(
        f"{npu.command_words:,} command words; of those that are not zero {ratio:.2%} write documented"
        " registers",
        width,
        "  ",
    )
    for word in npu.unknown:
        yield wrap(
            f"unknown: {word.what}, {word.count:,} times, such as {word.example:#x}", width, "    ", "  · "
        )
    for word in npu.reserved:
        yield wrap(
            f"unnamed: {word.what}, {word.count:,} times, such as {word.example:#x}", width, "    ", "  · "
        )


def _task(task: InspectedTask, width: int) -> Iterator[str]:
    yield wrap(task.words, width, "        ", f"  {task.index:>5} ")
    work = f"{task.mac_cycles:,} MAC cycles, the array {format_ratio(task.mac_fill_ratio)} full; "
    traffic = f"reads {format_bytes(task.read_bytes)}, writes {format_bytes(task.written_bytes)}"
    yield wrap(f"{work if task.mac_cycles else ''}{traffic}", width, "        ", "        ")
