"""The part of the console view that compares two files."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.inspection.diff_document import FileDiff, NodeChange
from rkbench.language.said import say
from rkbench.units import UNKNOWN, format_bytes, printable
from rkbench.views.columns import left, right
from rkbench.views.inspect.labels import SECTION_TITLES
from rkbench.views.inspect.terminal import Style, heading, name_room, shorten, wrap

MOST = 20


def render_diff(diff: FileDiff, width: int, style: Style) -> str:
    """Return what the other file has more or less, in what order of size."""
    lines = [
        heading(printable(style.say("Against {other}", other=diff.other)), style),
        wrap(diff.sentence, width, "  "),
    ]
    for cause in diff.causes:
        sizes = f"{format_bytes(cause.before_bytes)} → {format_bytes(cause.after_bytes)}"
        told = style.say("{title}: {sizes}", title=cause.title, sizes=sizes)
        lines.append(wrap(told, width, "    ", "  "))
    for name, (before, after) in diff.file.items():
        lines.append(wrap(f"{name}: {before or UNKNOWN} → {after or UNKNOWN}", width, "    ", "  "))
    for name, change in sorted(diff.sections.items(), key=lambda item: -abs(item[1])):
        lines.append(f"  {left(style.tell(SECTION_TITLES.get(name, name)), 24)}{_signed(change):>10}")
    lines += _nodes(diff.nodes, width, style)
    for content in diff.contents[:MOST]:
        lines.append(
            wrap(
                style.say("other bytes: {name} ({kind})", name=content.name, kind=content.kind),
                width,
                "    ",
                "  ",
            )
        )
    return "\n".join(lines)


def _nodes(nodes: Sequence[NodeChange], width: int, style: Style) -> list[str]:
    """Return a line for each of the nodes that change most, below what their columns are."""
    shown = nodes[:MOST]
    if not shown:
        return []
    title = style.say("ONNX node")
    room = name_room([title, *(node.name for node in shown)], width - 2 - 3 * 11 - 20)
    columns = [(say("this file"), 11), (say("other file"), 11), (say("change"), 11), (say("computes in"), 20)]
    heads = f"  {left(title, room)}" + "".join(right(style.tell(head), wide) for head, wide in columns)
    lines = [f"{style.dim}{heads}{style.end}"]
    for node in shown:
        dtypes = node.before_dtype or UNKNOWN
        if node.after_dtype != node.before_dtype:
            dtypes += f" → {node.after_dtype or UNKNOWN}"
        lines.append(
            f"  {shorten(node.name, room - 1):<{room}}{format_bytes(node.before_bytes):>11}"
            f"{format_bytes(node.after_bytes):>11}{_signed(node.change_bytes):>11}{dtypes:>20}"
        )
    if len(nodes) > MOST:
        lines.append(style.say("  {more:,} more nodes differ: --json - has them", more=len(nodes) - MOST))
    return lines


def _signed(change: int) -> str:
    return ("+" if change > 0 else "") + format_bytes(change)
