"""Changes to an ONNX graph that recipes make: opened, changed node by node, saved beside its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import onnx_ir as ir
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # protobuf has no stubs
from onnx import load_model

from rkbench.errors import UsageError, choice_hint
from rkbench.onnx.declarations import restore_declarations
from rkbench.onnx.model import LARGEST_PROTOBUF_BYTES, OnnxFile, open_onnx


def change_nodes(source: Path, target: Path, change: Callable[[ir.Node, ir.Graph], str]) -> tuple[str, ...]:
    """Apply `change` to every node of an ONNX; save it as `target` where any says what it did.

    Returns what was said. Raises ModelError where the file cannot be read.
    """
    network = open_onnx(source)
    said = tuple(text for node in list(network.graph) if (text := change(node, network.graph)))
    if said:
        save(network, target)
    return said


def written_by(onnx: Path, layers: Mapping[str, str]) -> dict[str, str]:
    """Return layers by the first tensor that each writes, which is what the toolkit calls it.

    One may be named by its node or by that tensor. Raises UsageError for a layer that is not there.
    """
    named: dict[str, str] = {}
    for node in open_onnx(onnx).graph:
        if node.outputs and (written := node.outputs[0].name):
            named[written] = written
            named.setdefault(node.name or written, written)
    for layer in layers:
        if layer not in named:
            raise UsageError(f"{onnx.name}: no layer is called {layer!r}", hint=choice_hint(layer, named))
    return {named[layer]: kept for layer, kept in layers.items()}


def holds_integers(onnx: Path) -> bool:
    """Return whether an ONNX quantizes by itself; False for a file that cannot be read, which is told later.

    It is read without its weights' files, and no shape is inferred.
    """
    try:
        if onnx.stat().st_size > LARGEST_PROTOBUF_BYTES:
            return False
        graph = load_model(onnx, load_external_data=False).graph
    except (OSError, DecodeError):
        return False
    return any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in graph.node)


def save(network: OnnxFile, target: Path) -> None:
    """Save a changed network; weights in files of their own go into one beside it."""
    restore_declarations(network.graph, network.declared)
    ir.save(network.model, target, external_data=f"{target.name}.data" if network.external_bytes else None)


def counted(number: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{number} {what}{'' if number == 1 else 's'}"
