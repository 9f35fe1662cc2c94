"""Outputs that are quantized with one scale over parts of very different range: seen in the file alone.

A detector that joins boxes of 0 to 640 and scores of 0 to 1 in one int8 tensor has steps of 2.5: every score
becomes 0. What a part can hold at most is known where it ends in a function with bounds (Sigmoid, Softmax:
0 to 1; Tanh: -1 to 1), or where the file keeps a range of its own for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rkbench.language.said import Said, listed, say
from rkbench.rknn import RknnModel, Tensor
from rkbench.rknn.contents import Node

#: A part that spans fewer steps than this has lost what it says.
FEWEST_STEPS = 4.0
#: Nodes that move values and change none.
_MOVING = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Split", "Slice")


@dataclass(frozen=True)
class CoarsePart:
    """A part of an output whose whole range is `steps` of the output's scale."""

    name: str
    shape: tuple[int, ...]
    range: float
    steps: float


@dataclass(frozen=True)
class CoarseOutput:
    """An output with such parts: the `step` of its scale, what it spans in all, and the cure in words."""

    name: str
    step: float
    range: float
    parts: tuple[CoarsePart, ...]
    message: Said
    cure: Said


def coarse_outputs(model: RknnModel) -> tuple[CoarseOutput, ...]:
    """Return the outputs of the first graph that one scale is too coarse for, as far as is known."""
    producers = {index: node for node in model.nodes for index in node.outputs}
    return tuple(
        found for tensor in model.outputs if (found := _coarse(model, tensor, producers)) is not None
    )


def _coarse(model: RknnModel, output: Tensor, producers: dict[int, Node]) -> CoarseOutput | None:
    step, join = output.step, _before(output, producers)
    if step is None or join is None or join.type != "Concat":
        return None
    parts = tuple(
        CoarsePart(part.name, part.shape, span, span / step)
        for part, span in _ranges(model, join, producers)
        if span < FEWEST_STEPS * step
    )
    if not parts or len(parts) == len(join.inputs):
        return None
    span = 255 * step
    told = listed(
        [
            say(
                "{part} {shape} spans {range:.3g}",
                part=part.name,
                shape=str(list(part.shape)),
                range=part.range,
            )
            for part in parts[:3]
        ]
    )
    return CoarseOutput(
        output.name,
        step,
        span,
        parts,
        say(
            "output {output} has one {dtype} scale, {step:.3g} a step, over parts of very different "
            "range: {told}, {steps:.2g} steps of it; what they say is lost",
            output=output.name,
            dtype=output.dtype.lower(),
            step=step,
            told=told,
            steps=parts[0].steps,
        ),
        say(
            "end the ONNX before {join}, so that each part is an output with a scale of its own, "
            "convert again, and join them after the NPU",
            join=_first_join(model, join, parts[0], producers).name.split(":")[-1],
        ),
    )


def _first_join(model: RknnModel, join: Node, part: CoarsePart, producers: dict[int, Node]) -> Node:
    """Return the first Concat on a part's way whose one scale is too coarse for it: what it lost is lost."""
    reads = [model.tensors[index] for index in join.inputs if model.tensors[index].name == part.name]
    for _ in range(len(producers)):
        node = _before(reads[0], producers) if reads else None
        step = model.tensors[node.outputs[0]].step if node is not None and node.outputs else None
        if node is None or node.type != "Concat" or step is None or part.range >= FEWEST_STEPS * step:
            break
        join = node
        finest = sorted((model.tensors[index] for index in join.inputs), key=lambda read: read.step or 0)
        reads = finest[:1]
    return join


def _before(tensor: Tensor, producers: dict[int, Node]) -> Node | None:
    """Return the node that computes a tensor, with those left out that only move it."""
    node = producers.get(tensor.index)
    for _ in range(len(producers)):
        if node is None or node.type not in _MOVING:
            break
        node = producers.get(node.inputs[0]) if node.inputs else None
    return node


def _ranges(model: RknnModel, join: Node, producers: dict[int, Node]) -> Iterator[tuple[Tensor, float]]:
    """Yield the parts of which the range is known, with it."""
    for index in join.inputs:
        part = model.tensors[index]
        node = _before(part, producers)
        bound = None if node is None else _bound(node.type)
        if bound is not None:
            yield part, bound
        elif len(part.minimum) == len(part.maximum) == 1 and part.maximum[0] > part.minimum[0]:
            yield part, part.maximum[0] - part.minimum[0]


def _bound(kind: str) -> float | None:
    """Return what the last function of a node spans at most (`ConvSigmoid`: a Sigmoid); None without one."""
    if kind.endswith(("Sigmoid", "Softmax")):
        return 1.0
    return 2.0 if kind.endswith("Tanh") else None
