"""An inspection as one self-contained page: no network, no library; every name in it is escaped.

The answer, the causes and the four questions are in the markup, so they are there without scripts too; the
icicle and the layer table are drawn from the JSON that the page carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from rkbench.inspection.causes import Cause, Fix
from rkbench.inspection.document import FileInspection, InspectedMemory, Inspection
from rkbench.inspection.formatting import percent
from rkbench.units import UNKNOWN, format_bytes, printable_lines
from rkbench.views.inspect.html_diff import diff_section
from rkbench.views.inspect.html_npu import npu_section
from rkbench.views.inspect.json import to_json
from rkbench.views.inspect.labels import (
    SECTION_TITLES,
    answered_questions,
    board_fit,
    nodes_by_size,
    tensor_title,
)
from rkbench.views.page import embedded, style_of

if TYPE_CHECKING:  # what an ONNX is told in needs the extra `onnx`
    from rkbench.inspection.onnx_document import OnnxComparison, OnnxNode

PARTS = Path(__file__).parent / "page"
COLOURS = {
    "weights": "--weights",
    "compiler_constants": "--constants",
    "cpu_constants": "--constants",
    "lookup_tables": "--constants",
    "register_commands": "--commands",
    "tasks": "--commands",
    "kind7": "--commands",
    "structure": "--structure",
}


def render_html(inspection: Inspection) -> str:
    """Return the page; of an ONNX alone it holds the prediction's table instead of layers."""
    if isinstance(inspection, FileInspection):
        body, script = _converted(inspection), _read("page.js") + _read("copy.js")
    else:
        body, script = _predicted(inspection), _read("copy.js")
    style = style_of(PARTS / "page.css")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{_text(_name(inspection))} · bench inspect</title>\n<style>\n{style}</style>\n"
        f"</head>\n<body>\n<main>\n{body}\n</main>\n"
        f'<script type="application/json" id="data">{_embedded(inspection)}</script>\n'
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _read(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _text(value: object) -> str:
    return escape(printable_lines(str(value)), quote=True)


def _embedded(inspection: Inspection) -> str:
    """Return the JSON so that nothing in it can end the script element or start a comment."""
    document = to_json(inspection)
    if inspection.file:
        document["file"]["name"] = _name(inspection)
    return embedded(document)


def _name(inspection: Inspection) -> str:
    shown = inspection.file or inspection.onnx
    return Path(shown.path).name if shown else ""


def _converted(inspection: FileInspection) -> str:
    return "\n".join(
        part
        for part in (
            _header(inspection),
            diff_section(inspection.diff),
            _sections(inspection),
            (
                '<h2>Where the bytes are</h2>\n<div id="icicle" role="group" aria-label="bytes by section '
                'and layer"></div>\n<div id="hint" aria-live="polite"></div>'
            ),
            _causes(inspection),
            npu_section(inspection.npu) if inspection.npu else "",
            _questions(inspection),
            _memory(inspection.memory),
            _outputs(inspection),
            _table(),
            _onnx(inspection.onnx),
            _myths(inspection),
            (
                f"<footer>bench inspect · schema {_text(inspection.schema)} · sha256 "
                f"<code>{_text(inspection.file.sha256)}</code></footer>"
            ),
        )
        if part
    )


def _header(inspection: FileInspection) -> str:
    file = inspection.file
    facts = [
        f"{file.target or 'no target'} {file.dtype}",
        f"rknn-toolkit2 {file.toolkit_version or UNKNOWN}",
        f"container {file.container_version}{' (mini)' if file.mini else ''}",
        f"{len(inspection.layers):,} layers",
        f"{file.task_count:,} NPU tasks",
        *(f"input {tensor_title(tensor)}" for tensor in inspection.inputs),
        *(f"output {tensor_title(tensor)}" for tensor in inspection.outputs),
    ]
    return (
        f'<span class="verdict {_text(inspection.verdict)}">{_text(inspection.verdict)}</span>\n'
        f'<h1 id="sentence">{_text(inspection.sentence)}</h1>\n'
        f'<div class="facts">{"".join(f"<span>{_text(fact)}</span>" for fact in facts)}</div>'
    )


def _sections(inspection: FileInspection) -> str:
    size = inspection.file.size_bytes
    stack, legend = [], []
    for name, title in SECTION_TITLES.items():
        value = getattr(inspection.sections, name)
        if not value:
            continue
        colour = COLOURS.get(name, "--other")
        stack.append(
            f'<i style="width:{value / size * 100:.4f}%;background:var({colour})" title="{_text(title)}"></i>'
        )
        legend.append(
            f'<span data-section="{name}" data-bytes="{value}"><i class="dot" '
            f'style="background:var({colour})"></i>'
            f"{_text(title)} <b>{format_bytes(value)}</b> {percent(value / size)}</span>"
        )
    return (
        f'<h2>Sections <span class="soft">{format_bytes(size)}</span></h2>\n<div '
        f'class="stack">{"".join(stack)}</div>\n'
        f'<div class="legend" data-total="{size}">{"".join(legend)}</div>'
    )


def _causes(inspection: FileInspection) -> str:
    size, ordinary = inspection.file.size_bytes, inspection.ordinary.bytes
    cards = [_cause(cause, number == 0) for number, cause in enumerate(inspection.causes)]
    return (
        "<h2>Causes</h2>\n"
        + "\n".join(cards)
        + f'\n<p class="soft" data-ordinary="{ordinary}">Ordinary: {format_bytes(ordinary)} '
        f"({percent(ordinary / size)}), "
        "what the network needs in this format.</p>"
    )


def _cause(cause: Cause, is_open: bool) -> str:
    names = "".join(f"<span>{_text(name)}</span>" for name in cause.layers)
    evidence = [*cause.evidence, *(f"around it: {line}" for line in cause.neighbours)]
    return (
        f'<details class="card cause" data-code="{_text(cause.code)}" data-bytes="{cause.bytes}"'
        f"{' open' if is_open else ''}>\n<summary><h3>{_text(cause.title)}</h3>"
        f'<span class="amount">{format_bytes(cause.bytes)} '
        f"<small>{percent(cause.share)}</small></span></summary>\n"
        f'<div class="meter"><i style="width:{min(cause.share, 1) * 100:.3f}%"></i></div>\n'
        f"<p>{_text(cause.explanation)}</p>\n"
        + (f'<div class="names">{names}</div>\n' if names else "")
        + _list(evidence)
        + "".join(_fix(fix) for fix in cause.fix)
        + "".join(f'<p class="soft">Does not help: {_text(line)}</p>' for line in cause.not_helping)
        + "</details>"
    )


def _fix(fix: Fix) -> str:
    snippet = f'<div class="code"><pre>{_text(fix.snippet)}</pre></div>' if fix.snippet else ""
    return f"<p><b>Fix</b> — {_text(fix.action)}</p>{snippet}"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in lines)}</ul>" if lines else ""


def _questions(inspection: FileInspection) -> str:
    cards = [
        f'<div class="card" data-answer="{item.key}"><h3>{_text(item.question)}</h3>'
        f"<p>{_text(item.answer)}</p>{_list(item.details)}</div>"
        for item in answered_questions(inspection.answers)
    ]
    return f'<h2>Four questions</h2>\n<div class="questions">{"".join(cards)}</div>'


def _memory(memory: InspectedMemory) -> str:
    share = memory.share_of_2_gb_board
    if share is None:
        return ""
    return (
        f"<h2>Memory when loaded</h2>\n<p "
        f'data-memory="{memory.total_bytes}"><b>{format_bytes(memory.total_bytes)}'
        f"</b> on the NPU for every loaded copy: weights {format_bytes(memory.weight_bytes)}, activations "
        f"{format_bytes(memory.internal_bytes)}. {percent(share)} of a 2 GB board: {board_fit(share)}. "
        '<span class="soft">(from the file, not measured)</span></p>'
    )


def _table() -> str:
    return (
        '<h2>Layers</h2>\n<div class="tools"><input id="words" type="search" placeholder="name, type, '
        'dtype, CPU …" '
        'aria-label="search layers"><select id="pick" aria-label="cause"><option value="">every '
        "cause</option></select>"
        '<span id="found" class="soft"></span></div>\n<div class="scroll"><table><thead><tr '
        'id="head"></tr></thead>'
        '<tbody id="rows"></tbody></table></div>'
    )


def _predicted(inspection: Inspection) -> str:
    return (
        f'<span class="verdict">predicted</span>\n<h1 id="sentence">{_text(inspection.sentence)}</h1>\n'
        f"{_onnx(inspection.onnx)}\n<footer>bench inspect · schema {_text(inspection.schema)} · "
        f"predicted, nothing "
        "was converted</footer>"
    )


def _onnx(onnx: OnnxComparison | None) -> str:
    if onnx is None:
        return ""
    prediction = onnx.prediction
    commands = onnx.fix if onnx.file_bytes is None else []  # beside a file, its causes say what to do
    action = "rewrite the ONNX before it is converted, where that makes the .rknn smaller"
    return (
        f"<h2>ONNX node by node</h2>\n<p>{_text(Path(onnx.path).name)}: "
        f"{format_bytes(prediction.onnx_bytes)}; its weights need "
        f"{format_bytes(prediction.needed_weight_bytes)} at {_text(prediction.dtype)}. Predicted for "
        f"{_text(prediction.target)}: constants {format_bytes(prediction.weight_bytes)}, commands "
        f"and structure about {format_bytes(prediction.command_bytes)}; the smaller dtype is "
        f"{_text(prediction.smaller_dtype)}.</p>\n"
        + "".join(_fix(Fix("command", action, command)) for command in commands)
        + _list(prediction.notes)
        + _onnx_table(onnx)
    )


def _onnx_table(onnx: OnnxComparison) -> str:
    nodes = nodes_by_size(onnx)
    numbers = ["needs", "predicted", *(["in file"] if onnx.file_bytes is not None else []), "smaller"]
    heads = "<th>node</th><th class=wide>type</th><th>becomes</th>"
    heads += "".join(f"<th class=n>{name}</th>" for name in numbers)
    rows = "".join(_onnx_row(node, onnx.file_bytes is not None) for node in nodes[:500])
    return f"<div class=scroll><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"


def _onnx_row(node: OnnxNode, in_file: bool) -> str:
    sizes = [node.needed_bytes, node.predicted_bytes, *([node.file_bytes] if in_file else [])]
    cells = "".join(f"<td class=n>{format_bytes(size)}</td>" for size in sizes)
    note = f' title="{_text(node.note)}"' if node.note else ""
    return (
        f"<tr{note}><td class=name>{_text(node.name)}</td><td class=wide>{_text(node.type)}</td>"
        f"<td>{_text(node.becomes)}</td>{cells}<td class=n>{node.smaller_dtype or 'same'}</td></tr>"
    )


def _outputs(inspection: Inspection) -> str:
    lines = [f"{output.message} → {output.cure}" for output in inspection.coarse_outputs]
    return f"<h2>Outputs</h2>\n{_list(lines)}" if lines else ""


def _myths(inspection: Inspection) -> str:
    lines = [f"{myth.suspect} — {format_bytes(myth.bytes)}: {myth.verdict}" for myth in inspection.myths]
    return f"<h2>Popular suspects, in this file</h2>\n{_list(lines)}"
