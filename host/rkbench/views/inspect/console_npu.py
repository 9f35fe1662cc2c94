"""The NPU's tasks on a terminal: layers by predicted time with what they cost, and tasks in words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rkbench.inspection.document import FileInspection
from rkbench.inspection.npu_document import InspectedNpu, InspectedTask, TrafficCause
from rkbench.language.said import NOTHING, listed, say
from rkbench.units import format_bytes, format_ratio
from rkbench.views.columns import columns, left
from rkbench.views.inspect.labels import layer_title
from rkbench.views.inspect.latency_lines import latency_lines
from rkbench.views.inspect.terminal import Style, heading, shorten, wrap


def render_npu(
    inspection: FileInspection, npu: InspectedNpu, width: int, style: Style, most: int | None
) -> str:
    """Return the part of the view that tells of the tasks."""
    blocks = [heading(style.say("NPU tasks"), style)]
    if npu.refused is not None:
        blocks += [wrap(npu.refused, width, "  "), *_outline(inspection, npu, width, style)]
        return "\n".join(blocks)
    if npu.latency:
        blocks += latency_lines(npu.latency, width, most, style)
    for cause in npu.traffic_causes:
        blocks += _cause(cause, width, style)
    blocks += _unexplained(npu, width, style)
    for layer, tasks in groupby(npu.tasks, key=lambda task: task.layer):
        title = shorten(layer_title(inspection.layers[layer]), width - 2)
        blocks += ["", f"  {style.bold}{title}{style.end}"]
        for task in tasks:
            blocks += _task(task, width, style)
    return "\n".join(blocks)


def _outline(inspection: FileInspection, npu: InspectedNpu, width: int, style: Style) -> Iterator[str]:
    if npu.outline:
        yield ""
        known = style.say("what is known of the tasks, over all core modes: the blocks that they run")
        yield wrap(known, width, "  ")
    for layer, tasks in groupby(npu.outline, key=lambda task: task.layer):
        yield ""
        yield f"  {style.bold}{shorten(layer_title(inspection.layers[layer]), width - 2)}{style.end}"
        for task in tasks:
            words = say(
                "{blocks}: {words:,} command words{fills}",
                blocks=listed(task.blocks) or say("no block"),
                words=task.command_words,
                fills=say(", which fill the activation table") if task.fills_table else NOTHING,
            )
            yield wrap(style.tell(words), width, "        ", f"  {task.index:>5} ")


def _cause(cause: TrafficCause, width: int, style: Style) -> Iterator[str]:
    share = style.say("{share} of the DDR bytes", share=format_ratio(cause.share))
    amount = f"{format_bytes(cause.bytes)}  {share}"
    room = width - columns(amount) - 4
    yield ""
    yield f"  {style.bold}{left(shorten(cause.title, room), room)}{style.end}  {amount}"
    yield wrap(cause.explanation, width, "  ")
    yield wrap(style.say("layers: {layers}", layers=", ".join(cause.layers)), width, "    ", "  ")
    yield wrap(cause.fix, width, "         ", style.say("  fix  → "))


def _unexplained(npu: InspectedNpu, width: int, style: Style) -> Iterator[str]:
    ratio = npu.explained_ratio or 0.0
    yield ""
    told = style.say(
        "{words:,} command words; of those that are not zero {ratio:.2%} write documented registers",
        words=npu.command_words,
        ratio=ratio,
    )
    yield wrap(told, width, "  ")
    for word in npu.unknown:
        told = style.say(
            "unknown: {what}, {count:,} times, such as {example:#x}",
            what=word.what,
            count=word.count,
            example=word.example,
        )
        yield wrap(told, width, "    ", "  · ")
    for word in npu.reserved:
        told = style.say(
            "unnamed: {what}, {count:,} times, such as {example:#x}",
            what=word.what,
            count=word.count,
            example=word.example,
        )
        yield wrap(told, width, "    ", "  · ")


def _task(task: InspectedTask, width: int, style: Style) -> Iterator[str]:
    yield wrap(task.words, width, "        ", f"  {task.index:>5} ")
    traffic = say(
        "reads {read}, writes {written}",
        read=format_bytes(task.read_bytes),
        written=format_bytes(task.written_bytes),
    )
    told = say(
        "{cycles:,} MAC cycles, the array {ratio} full; {traffic}",
        cycles=task.mac_cycles,
        ratio=format_ratio(task.mac_fill_ratio),
        traffic=traffic,
    )
    yield wrap(style.tell(told if task.mac_cycles else traffic), width, "        ", "        ")
