"""The part of the page that compares two files: node by node of the ONNX, with what each column is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rkbench.inspection.diff_document import FileDiff, NodeChange
from rkbench.language.language import Language
from rkbench.language.said import Said, say
from rkbench.units import UNKNOWN, format_bytes
from rkbench.views.inspect.html_parts import listed, text
from rkbench.views.inspect.labels import SECTION_TITLES

_MOST = 200
_MOST_CONTENTS = 40


def diff_section(diff: FileDiff | None, language: Language) -> str:
    """Return what the other file has more or less, the largest change first; "" without one."""
    if diff is None:
        return ""
    against = language.say("Against {other}", other=Path(diff.other).name)
    causes = [(cause.title, cause.before_bytes, cause.after_bytes) for cause in diff.causes]
    more = len(diff.nodes) - _MOST
    left_out = language.say("{more:,} more nodes differ: --json has them", more=more)
    constants = language.say("Constants")
    said = [f"{word}: {_arrow(*(told or UNKNOWN for told in pair))}" for word, pair in diff.file.items()]
    contents = [
        language.say("{name} ({kind}) holds other bytes", name=item.name, kind=item.kind)
        for item in diff.contents[:_MOST_CONTENTS]
    ]
    if len(diff.contents) > _MOST_CONTENTS:
        rest = len(diff.contents) - _MOST_CONTENTS
        contents.append(language.say("{rest:,} more constants hold other bytes", rest=rest))
    return "".join(
        (
            f'<section id="diff"><h2>{text(against)}</h2>\n<p><b>{text(diff.sentence)}</b></p>\n',
            listed(said),
            _table(say("cause"), causes, language) if causes else "",
            _table(say("section"), list(_sections(diff, language)), language) if diff.sections else "",
            _nodes(diff.nodes[:_MOST], language) if diff.nodes else "",
            f'<p class="soft">{text(left_out)}</p>' if more > 0 else "",
            f"<details><summary>{text(constants)}</summary>{listed(contents)}</details>" if contents else "",
            "</section>",
        )
    )


def _sections(diff: FileDiff, language: Language) -> Iterator[tuple[str, int | None, int | None]]:
    for name, change in sorted(diff.sections.items(), key=lambda item: -abs(item[1])):
        yield language.tell(SECTION_TITLES.get(name, name)), None, change


def _table(what: Said, rows: Sequence[tuple[str, int | None, int | None]], language: Language) -> str:
    """Return a table of sizes before and after, or of changes alone."""
    is_change = what == "section"
    heads = [say("change")] if is_change else [say("this file"), say("other file"), say("change")]
    body = ""
    for title, before, after in rows:
        change = (after or 0) - (before or 0)
        cells = (
            [_signed(change)] if is_change else [format_bytes(before), format_bytes(after), _signed(change)]
        )
        numbers = "".join(f"<td class=n>{cell}</td>" for cell in cells)
        body += f"<tr><td class=name>{text(title)}</td>{numbers}</tr>"
    return _whole(what, heads, body, language)


def _nodes(nodes: tuple[NodeChange, ...], language: Language) -> str:
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
    heads = [say("this file"), say("other file"), say("change"), say("layers")]
    return _whole(say("ONNX node"), heads, body, language, (say("dtype"), say("unit")))


def _whole(
    what: Said, numbers: Sequence[Said], body: str, language: Language, words: Sequence[Said] = ()
) -> str:
    label = text(language.say("differences by {what}", what=what))
    heads = f'<th scope="col">{text(language.tell(what))}</th>'
    heads += "".join(f'<th scope="col" class=n>{text(language.tell(head))}</th>' for head in numbers)
    heads += "".join(f'<th scope="col">{text(language.tell(head))}</th>' for head in words)
    slim = "" if len(numbers) > 1 else " slim"
    return (
        f'<div class="scroll{slim}" tabindex="0" role="region" aria-label="{label}"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>\n"
    )


def _arrow(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _signed(change: int) -> str:
    return ("+" if change > 0 else "") + format_bytes(change)
