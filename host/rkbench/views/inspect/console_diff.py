"""The part of the console view that compares two files."""

from __future__ import annotations

from rkbench.inspection.diff_document import FileDiff, LayerChange
from rkbench.units import UNKNOWN, format_bytes, printable
from rkbench.views.inspect.labels import SECTION_TITLES
from rkbench.views.inspect.terminal import Style, heading, name_room, shorten, wrap

MOST = 20


def render_diff(diff: FileDiff, width: int, style: Style) -> str:
    """Return what the other file has more or less, in what order of size."""
    lines = [heading(printable(f"Against {diff.other}"), style), wrap(diff.sentence, width, "  ")]
    for cause in diff.causes:
        sizes = f"{format_bytes(cause.before_bytes)} → {format_bytes(cause.after_bytes)}"
        lines.append(wrap(f"{cause.title}: {sizes}", width, "    ", "  "))
    for name, (before, after) in diff.file.items():
        lines.append(wrap(f"{name}: {before or UNKNOWN} → {after or UNKNOWN}", width, "    ", "  "))
    for name, change in sorted(diff.sections.items(), key=lambda item: -abs(item[1])):
        lines.append(f"  {SECTION_TITLES.get(name, name):<24}{_signed(change):>10}")
    layers = sorted(diff.layers, key=_layer_size)[:MOST]
    room = name_room((layer.name for layer in layers), width - 2 - 10 - 10 - 22)
    for layer in layers:
        dtypes = layer.before_dtype or UNKNOWN
        if layer.after_dtype != layer.before_dtype:
            dtypes += f" → {layer.after_dtype or UNKNOWN}"
        lines.append(
            f"  {shorten(layer.name, room - 1):<{room}}{format_bytes(layer.before_bytes):>10}"
            f"{format_bytes(layer.after_bytes):>10}{dtypes:>22}"
        )
    for content in diff.contents[:MOST]:
        lines.append(wrap(f"other bytes: {content.name} ({content.kind})", width, "    ", "  "))
    return "\n".join(lines)


def _signed(change: int) -> str:
    return ("+" if change > 0 else "") + format_bytes(change)


def _layer_size(layer: LayerChange) -> int:
    after, before = layer.after_bytes or 0, layer.before_bytes or 0
    return -abs(after - before)
