"""Titles and lines that the terminal and the page share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rkbench.inspection.answers import FourAnswers, LayerElsewhere, PoolingConvolution, PrecisionAnswer
from rkbench.inspection.document import InspectedLayer, InspectedTensor
from rkbench.units import format_bytes

if TYPE_CHECKING:
    from rkbench.inspection.onnx_document import OnnxComparison, OnnxNode

SECTION_TITLES = {
    "weights": "weights",
    "compiler_constants": "compiler's constants",
    "cpu_constants": "CPU constants",
    "lookup_tables": "lookup tables",
    "register_commands": "register commands",
    "tasks": "NPU tasks",
    "kind7": "commands and tasks",
    "structure": "structure and names",
    "json": "JSON",
    "header": "header",
    "trailing": "after the JSON",
}
MOST_DETAILS = 12


@dataclass(frozen=True)
class AnsweredQuestion:
    """One of the four questions with its answer and the lines behind it."""

    key: str
    question: str
    answer: str
    details: tuple[str, ...]


def answered_questions(answers: FourAnswers) -> tuple[AnsweredQuestion, ...]:
    """Return the four questions in the order in which they are shown."""
    pooling, precision = answers.convolutions_from_pooling, answers.float_or_cpu_layers
    size, change = answers.why_this_big, answers.what_to_change
    return (
        _answered(
            "convolutions_from_pooling",
            "Which convolutions were made from a GlobalAveragePool or ReduceMean?",
            pooling.answer,
            map(_convolution, pooling.convolutions[:MOST_DETAILS]),
        ),
        _answered(
            "float_or_cpu_layers",
            "Which layers stayed float, and which run on the CPU?",
            precision.answer,
            _precision_details(precision)[:MOST_DETAILS],
        ),
        _answered("why_this_big", "Why is the file as big as it is?", size.answer, size.causes),
        _answered("what_to_change", "What exactly has to change?", change.answer, change.steps),
    )


def layer_title(layer: InspectedLayer) -> str:
    """Return the name of a layer with its graph, where a file has several."""
    return f"[{layer.graph}] {layer.name}" if layer.graph else layer.name


def tensor_title(tensor: InspectedTensor) -> str:
    """Return an input or output as `x 1x3x224x224 INT8`."""
    return f"{tensor.name} {'x'.join(map(str, tensor.shape))} {tensor.dtype or ''}".rstrip()


def board_fit(share: float) -> str:
    """Return what a share of a 2 GB board means."""
    if share < 0.1:
        return "fits with room for several copies"
    return "fits, mind other copies and buffers" if share < 0.4 else "tight beside the system and its buffers"


def nodes_by_size(onnx: OnnxComparison) -> list[OnnxNode]:
    """Return the nodes of an ONNX, the largest in the file or prediction first."""
    return sorted(onnx.nodes, key=lambda node: -max(node.file_bytes or 0, node.predicted_bytes))


def _answered(key: str, question: str, answer: str, details: Iterable[str]) -> AnsweredQuestion:
    """Return the question with what its details add to its answer."""
    return AnsweredQuestion(key, question, answer, tuple(line for line in details if line != answer))


def _convolution(item: PoolingConvolution) -> str:
    kernel = "x".join(map(str, item.kernel))
    return f"{item.name}: {kernel}, {item.channels} channels, {format_bytes(item.bytes)}"


def _precision_details(precision: PrecisionAnswer) -> list[str]:
    """Return a line for each layer, those that cost accuracy first: there are few."""
    kinds = {"int8, coarse": precision.coarse, "float": precision.float, "CPU": precision.cpu}
    return [line for kind, layers in kinds.items() for line in _elsewhere(kind, layers)]


def _elsewhere(kind: str, layers: Iterable[LayerElsewhere]) -> Iterator[str]:
    for layer in layers:
        yield f"{layer.name} ({kind}, {format_bytes(layer.bytes)}): {layer.reason}"
