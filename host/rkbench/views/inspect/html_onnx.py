"""The ONNX on the page: node by node, with what was predicted of each."""

from __future__ import annotations

from pathlib import Path

from rkbench.inspection.causes import Fix
from rkbench.inspection.onnx_document import OnnxComparison, OnnxNode
from rkbench.language.language import Language
from rkbench.language.said import say
from rkbench.units import format_bytes
from rkbench.views.inspect.html_parts import fix_lines, listed, scrolled, text
from rkbench.views.inspect.labels import nodes_by_size


def onnx_section(onnx: OnnxComparison | None, language: Language) -> str:
    """Return the ONNX node by node, with what would change it; "" without one."""
    if onnx is None:
        return ""
    prediction = onnx.prediction
    commands = onnx.fix if onnx.file_bytes is None else []  # beside a file, its causes say what to do
    head = language.say(
        "{onnx}: {size}; its weights need {needed} at {dtype}. Predicted for {target}: constants "
        "{constants}, commands and structure about {commands}; the whole file about {fp16} in fp16 and "
        "{int8} in int8.",
        onnx=Path(onnx.path).name,
        size=format_bytes(prediction.onnx_bytes),
        needed=format_bytes(prediction.needed_weight_bytes),
        dtype=prediction.dtype,
        target=prediction.target,
        constants=format_bytes(prediction.weight_bytes),
        commands=format_bytes(prediction.command_bytes),
        fp16=format_bytes(prediction.weight_bytes_fp16 + prediction.command_bytes_fp16),
        int8=format_bytes(prediction.weight_bytes_int8 + prediction.command_bytes_int8),
    )
    return (
        f"<h2>{text(language.say('ONNX node by node'))}</h2>\n<p>{text(head)}</p>\n"
        + "".join(fix_lines(Fix("command", onnx.does, command), language) for command in commands)
        + listed(prediction.notes)
        + _onnx_table(onnx, language)
    )


def _onnx_table(onnx: OnnxComparison, language: Language) -> str:
    nodes = nodes_by_size(onnx)
    in_file = [say("in file")] if onnx.file_bytes is not None else []
    numbers = [say("needs"), say("predicted"), *in_file, say("smaller")]
    node, kind, becomes = (language.tell(head) for head in (say("node"), say("type"), say("becomes")))
    heads = f"<th>{node}</th><th class=wide>{kind}</th><th>{becomes}</th>"
    heads += "".join(f"<th class=n>{language.tell(name)}</th>" for name in numbers)
    same = language.say("same")
    rows = "".join(_onnx_row(node, onnx.file_bytes is not None, same) for node in nodes[:500])
    label = scrolled(language.say("ONNX node by node"))
    return f"<div {label}><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"


def _onnx_row(node: OnnxNode, in_file: bool, same: str) -> str:
    sizes = [node.needed_bytes, node.predicted_bytes, *([node.file_bytes] if in_file else [])]
    cells = "".join(f"<td class=n>{format_bytes(size)}</td>" for size in sizes)
    note = f' title="{text(node.note)}"' if node.note else ""
    return (
        f"<tr{note}><td class=name>{text(node.name)}</td><td class=wide>{text(node.type)}</td>"
        f"<td>{text(node.becomes)}</td>{cells}<td class=n>{node.smaller_dtype or same}</td></tr>"
    )
