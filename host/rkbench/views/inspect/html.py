"""An inspection as one self-contained page: no network, no library; every name in it is escaped.

The answer, the causes and the four questions are in the markup, so they are there without scripts too; the
icicle and the layer table are drawn from the JSON that the page carries.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from rkbench.units import UNKNOWN, format_bytes
from rkbench.views.inspect.words import QUESTIONS, SECTION_TITLES, answer_details, fit, percent

Document = dict[str, Any]
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


def render_html(document: Document) -> str:
    """Return the page; of an ONNX alone it holds the prediction's table instead of layers."""
    body = _converted(document) if document["file"] else _predicted(document)
    script = _read("page.js") if document["file"] else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{_text(_title(document))}</title>\n<style>\n{_read('page.css')}</style>\n</head>\n<body>\n<main>\n"
        f"{body}\n</main>\n"
        f'<script type="application/json" id="data">{_embedded(document)}</script>\n'
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _read(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _text(value: object) -> str:
    return escape(str(value), quote=True)


def _embedded(document: Document) -> str:
    """Return the JSON so that nothing in it can end the script element or start a comment."""
    if document["file"]:
        document = {**document, "file": {**document["file"], "name": Path(document["file"]["path"]).name}}
    text = json.dumps(document, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _title(document: Document) -> str:
    path = document["file"]["path"] if document["file"] else document["onnx"]["path"]
    return f"{Path(path).name} · bench inspect"


def _converted(document: Document) -> str:
    return "\n".join(
        part
        for part in (
            _header(document),
            _sections(document),
            '<h2>Where the bytes are</h2>\n<div id="icicle" role="group" aria-label="bytes by section and '
            'layer"></div>'
            '\n<div id="hint" aria-live="polite"></div>',
            _causes(document),
            _questions(document),
            _memory(document),
            _table(),
            _onnx(document["onnx"]),
            _diff(document["diff"]),
            _myths(document),
            f"<footer>bench inspect · schema {_text(document['schema'])} · sha256 "
            f"<code>{_text(document['file']['sha256'])}</code></footer>",
        )
        if part
    )


def _header(document: Document) -> str:
    file = document["file"]
    facts = [
        f"{file['target'] or 'no target'} {file['dtype']}",
        f"rknn-toolkit2 {file['toolkit_version'] or UNKNOWN}",
        f"container {file['container_version']}{' (mini)' if file['mini'] else ''}",
        f"{len(document['layers']):,} layers",
        f"{file['task_count']:,} NPU tasks",
        *(f"input {_port(tensor)}" for tensor in document["inputs"]),
        *(f"output {_port(tensor)}" for tensor in document["outputs"]),
    ]
    return (
        f'<span class="verdict {_text(document["verdict"])}">{_text(document["verdict"])}</span>\n'
        f'<h1 id="sentence">{_text(document["sentence"])}</h1>\n'
        f'<div class="facts">{"".join(f"<span>{_text(fact)}</span>" for fact in facts)}</div>'
    )


def _port(tensor: Document) -> str:
    return f"{tensor['name']} {'x'.join(map(str, tensor['shape']))} {tensor['dtype'] or ''}".rstrip()


def _sections(document: Document) -> str:
    size = document["file"]["size_bytes"]
    stack, legend = [], []
    for name, title in SECTION_TITLES.items():
        value = document["sections"][name]
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


def _causes(document: Document) -> str:
    size, ordinary = document["file"]["size_bytes"], document["ordinary"]["bytes"]
    cards = [_cause(cause, number == 0) for number, cause in enumerate(document["causes"])]
    return (
        "<h2>Causes</h2>\n"
        + "\n".join(cards)
        + f'\n<p class="soft" data-ordinary="{ordinary}">Ordinary: {format_bytes(ordinary)} '
        f"({percent(ordinary / size)}), "
        "what the network needs in this format.</p>"
    )


def _cause(cause: Document, is_open: bool) -> str:
    names = "".join(f"<span>{_text(name)}</span>" for name in cause["layers"])
    evidence = [*cause["evidence"], *(f"around it: {line}" for line in cause["neighbours"])]
    return (
        f'<details class="card cause" data-code="{_text(cause["code"])}" data-bytes="{cause["bytes"]}"'
        f"{' open' if is_open else ''}>\n<summary><h3>{_text(cause['title'])}</h3>"
        f'<span class="amount">{format_bytes(cause["bytes"])} '
        f"<small>{percent(cause['share'])}</small></span></summary>\n"
        f'<div class="meter"><i style="width:{min(cause["share"], 1) * 100:.3f}%"></i></div>\n'
        f"<p>{_text(cause['explanation'])}</p>\n"
        + (f'<div class="names">{names}</div>\n' if names else "")
        + _list(evidence)
        + "".join(_fix(fix) for fix in cause["fix"])
        + "".join(f'<p class="soft">Does not help: {_text(line)}</p>' for line in cause["not_helping"])
        + "</details>"
    )


def _fix(fix: Document) -> str:
    snippet = f"<pre>{_text(fix['snippet'])}</pre>" if fix["snippet"] else ""
    return f"<p><b>Fix</b> — {_text(fix['action'])}</p>{snippet}"


def _list(lines: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in lines)}</ul>" if lines else ""


def _questions(document: Document) -> str:
    cards = []
    for key, question in QUESTIONS:
        answer = document["answers"][key]
        cards.append(
            f'<div class="card" '
            f'data-answer="{key}"><h3>{_text(question)}</h3><p>{_text(answer["answer"])}</p>'
            f"{_list([line for line in answer_details(key, answer) if line != answer['answer']])}</div>"
        )
    return f'<h2>Four questions</h2>\n<div class="questions">{"".join(cards)}</div>'


def _memory(document: Document) -> str:
    memory = document["memory"]
    if memory["total_bytes"] is None:
        return ""
    share = memory["share_of_2_gb_board"]
    return (
        f"<h2>Memory when loaded</h2>\n<p "
        f'data-memory="{memory["total_bytes"]}"><b>{format_bytes(memory["total_bytes"])}'
        f"</b> on the NPU for every loaded copy: weights {format_bytes(memory['weight_bytes'])}, activations "
        f"{format_bytes(memory['internal_bytes'])}. {percent(share)} of a 2 GB board: {fit(share)}. "
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


def _predicted(document: Document) -> str:
    return (
        f'<span class="verdict">predicted</span>\n<h1 id="sentence">{_text(document["sentence"])}</h1>\n'
        f"{_onnx(document['onnx'])}\n<footer>bench inspect · schema {_text(document['schema'])} · "
        f"predicted, nothing "
        "was converted</footer>"
    )


def _onnx(onnx: Document | None) -> str:
    if onnx is None:
        return ""
    prediction = onnx["prediction"]
    commands = onnx["fix"] if onnx["file_bytes"] is None else []  # beside a file, its causes say what to do
    action = "rewrite the ONNX before it is converted, where that makes the .rknn smaller"
    return (
        f"<h2>ONNX node by node</h2>\n<p>{_text(Path(onnx['path']).name)}: "
        f"{format_bytes(prediction['onnx_bytes'])}; its weights need "
        f"{format_bytes(prediction['needed_weight_bytes'])} at {_text(prediction['dtype'])}. Predicted for "
        f"{_text(prediction['target'])}: constants {format_bytes(prediction['weight_bytes'])}, commands "
        f"and structure about {format_bytes(prediction['command_bytes'])}; the smaller dtype is "
        f"{_text(prediction['smaller_dtype'])}.</p>\n"
        + "".join(_fix({"action": action, "snippet": command}) for command in commands)
        + _list(prediction["notes"])
        + _onnx_table(onnx)
    )


def _onnx_table(onnx: Document) -> str:
    nodes = sorted(onnx["nodes"], key=lambda node: -max(node["file_bytes"] or 0, node["predicted_bytes"]))
    numbers = ["needs", "predicted", *(["in file"] if onnx["file_bytes"] is not None else []), "smaller"]
    heads = "<th>node</th><th class=wide>type</th><th>becomes</th>"
    heads += "".join(f"<th class=n>{name}</th>" for name in numbers)
    rows = "".join(_onnx_row(node, onnx["file_bytes"] is not None) for node in nodes[:500])
    return f"<div class=scroll><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"


def _onnx_row(node: Document, in_file: bool) -> str:
    sizes = [node["needed_bytes"], node["predicted_bytes"], *([node["file_bytes"]] if in_file else [])]
    cells = "".join(f"<td class=n>{format_bytes(size)}</td>" for size in sizes)
    note = f' title="{_text(node["note"])}"' if node["note"] else ""
    return (
        f"<tr{note}><td class=name>{_text(node['name'])}</td><td class=wide>{_text(node['type'])}</td>"
        f"<td>{_text(node['becomes'])}</td>{cells}<td class=n>{node['smaller_dtype'] or 'same'}</td></tr>"
    )


def _diff(diff: Document | None) -> str:
    if diff is None:
        return ""
    causes = [
        f"{cause['title']}: {format_bytes(cause['before_bytes'])} → {format_bytes(cause['after_bytes'])}"
        for cause in diff["causes"]
    ]
    layers = [
        f"{layer['name']}: {format_bytes(layer['before_bytes'])} → {format_bytes(layer['after_bytes'])}"
        for layer in diff["layers"][:40]
    ]
    name = _text(Path(diff["other"]).name)
    return f"<h2>Against {name}</h2>\n<p>{_text(diff['sentence'])}</p>{_list(causes)}{_list(layers)}"


def _myths(document: Document) -> str:
    lines = [
        f"{myth['suspect']} — {format_bytes(myth['bytes'])}: {myth['verdict']}" for myth in document["myths"]
    ]
    return f"<h2>Popular suspects, in this file</h2>\n{_list(lines)}"
