"""The part of the page that compares two files: node by node of the ONNX, with what each column is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rkbench.inspection.diff_document import FileDiff, NodeChange
from rkbench.units import UNKNOWN, format_bytes
from rkbench.views.inspect.html_parts import listed, text
from rkbench.views.inspect.labels import SECTION_TITLES

_MOST = 200
_MOST_CONTENTS = 40


def diff_section(diff: FileDiff | None) -> str:
    """Return what the other file has more or less, the largest change first; "" without one."""
    if diff is None:
        return ""
    name = text(Path(diff.other).name)
    causes = [(cause.title, cause.before_bytes, cause.after_bytes) for cause in diff.causes]
    more = len(diff.nodes) - _MOST
    said = [f"{word}: {_arrow(*(told or UNKNOWN for told in pair))}" for word, pair in diff.file.items()]
    contents = [f"{item.name} ({item.kind}) holds other bytes" for item in diff.contents[:_MOST_CONTENTS]]
    if len(diff.contents) > _MOST_CONTENTS:
        contents.append(f"{len(diff.contents) - _MOST_CONTENTS:,} more constants hold other bytes")
    return "".join(
        (
            f'<section id="diff"><h2>Against {name}</h2>\n<p><b>{text(diff.sentence)}</b></p>\n',
            listed(said),
            _table("cause", causes) if causes else "",
            _table("section", list(_sections(diff))) if diff.sections else "",
            _nodes(diff.nodes[:_MOST]) if diff.nodes else "",
            f'<p class="soft">{more:,} more nodes differ: --json has them</p>' if more > 0 else "",
            f"<details><summary>Constants</summary>{listed(contents)}</details>" if contents else "",
            "</section>",
        )
    )


def _sections(diff: FileDiff) -> Iterator[tuple[str, int | None, int | None]]:
    for name, change in sorted(diff.sections.items(), key=lambda item: -abs(item[1])):
        yield SECTION_TITLES.get(name, name), None, change


def _table(what: str, rows: Sequence[tuple[str, int | None, int | None]]) -> str:
    """Return a table of sizes before and after, or of changes alone."""
    is_change = what == "section"
    heads = ["change"] if is_change else ["this file", "other file", "change"]
    body = ""
    for title, before, after in rows:
        change = (after or 0) - (before or 0)
        cells = (
            [_signed(change)] if is_change else [format_bytes(before), format_bytes(after), _signed(change)]
        )
        numbers = "".join(f"<td class=n>{cell}</td>" for cell in cells)
        body += f"<tr><td class=name>{text(title)}</td>{numbers}</tr>"
    return _whole(what, heads, body)


def _nodes(nodes: tuple[NodeChange, ...]) -> str:
    body = ""
    for node in nodes:
        sizes = [format_bytes(node.before_bytes), format_bytes(node.after_bytes), _signed(node.change_bytes)]
        numbers = "".join(f"<td class=n>{cell}</td>" for cell in sizes)
        layers = _arrow(str(node.before_layers), str(node.after_layers))
        body += (
            f"<tr><td class=name>{text(node.name)}</td>{numbers}<td class=n>{layers}</td>"
            f"<td>{text(_arrow(node.before_dtype or UNKNOWN, node.after_dtype or UNKNOWN))}</td>"
            f"<td>{text(_arrow(node.before_unit or UNKNOWN, node.after_unit or UNKNOWN))}</td></tr>"
        )
    return _whole("ONNX node", ["this file", "other file", "change", "layers"], body, ["dtype", "unit"])


def _whole(what: str, numbers: list[str], body: str, words: list[str] | None = None) -> str:
    heads = f'<th scope="col">{what}</th>'
    heads += "".join(f'<th scope="col" class=n>{head}</th>' for head in numbers)
    heads += "".join(f'<th scope="col">{head}</th>' for head in words or ())
    slim = "" if len(numbers) > 1 else " slim"
    return (
        f'<div class="scroll{slim}" tabindex="0" role="region" aria-label="differences by {what}"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>\n"
    )


def _arrow(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _signed(change: int) -> str:
    return ("+" if change > 0 else "") + format_bytes(change)
