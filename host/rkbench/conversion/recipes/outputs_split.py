"""`outputs=split`: what the last Concat joins leaves the network as outputs of their own.

An integer output has one scale. Boxes of 0 to 640 and scores of 0 to 1 in one output make steps of 2.5, and
every score 0; as outputs of their own each has its own scale. They are joined after the NPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import onnx_ir as ir

from rkbench.conversion.draft import Draft, GraphChange, Recipe
from rkbench.conversion.graphs import save
from rkbench.onnx.model import open_onnx
from rkbench.onnx.values import static_shape
from rkbench.variants.conversion_record import JoinedOutput, OutputPart

WORD = "outputs=split"


def _change(source: Path, _: Draft, target: Path) -> tuple[str, ...]:
    network = open_onnx(source)
    graph, said = network.graph, []
    for output, join, parts in list(_joins(graph)):
        place = graph.outputs.index(output)
        kept = [part for part in parts if part not in graph.outputs]
        for part in kept:  # inside a graph nothing need be declared, of an output all is
            network.declared[part.name or ""] = (part.type, static_shape(part))
        graph.outputs[place : place + 1] = kept
        if not output.uses():
            graph.remove(join, safe=True)
        said.append(f"{output.name} leaves as {', '.join(part.name or '?' for part in kept)}")
    if said:
        save(network, target)
    return tuple(said)


def _joins(graph: ir.Graph) -> Iterator[tuple[ir.Value, ir.Node, list[ir.Value]]]:
    """Yield each output that a Concat joins of parts which the network computes, with both."""
    for output in graph.outputs:
        join = output.producer()
        parts = [] if join is None or join.op_type != "Concat" else [part for part in join.inputs if part]
        if join is not None and len(parts) > 1 and all(part.producer() is not None for part in parts):
            yield output, join, parts


def joined_outputs(onnx: Path) -> tuple[JoinedOutput, ...]:
    """Return the outputs that the recipe takes apart, where all sizes are known."""
    found = []
    for output, join, parts in _joins(open_onnx(onnx).graph):
        shape, shapes = static_shape(output), [static_shape(part) for part in parts]
        if shape is None or None in shapes:
            continue
        axis = join.attributes["axis"].as_int() % len(shape)
        cut = tuple(
            OutputPart(part.name or "", own[axis]) for part, own in zip(parts, shapes, strict=True) if own
        )
        found.append(JoinedOutput(output.name or "", shape, axis, cut))
    return tuple(found)


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, changes=(*draft.changes, GraphChange(WORD, _change)))


RECIPE = Recipe(WORD, "the parts of an output that a Concat joins leave with a scale of their own", _apply)
