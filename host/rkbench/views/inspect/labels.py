"""Titles and lines that the terminal and the page share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rkbench.inspection.answers import FourAnswers, LayerElsewhere, PoolingConvolution, PrecisionAnswer
from rkbench.inspection.document import InspectedLayer, InspectedTensor
from rkbench.inspection.myths import Myth
from rkbench.language.said import Said, say
from rkbench.units import format_bytes

if TYPE_CHECKING:
    from rkbench.inspection.onnx_document import OnnxComparison, OnnxNode

SECTION_TITLES = {
    "weights": say("weights"),
    "compiler_constants": say("compiler's constants"),
    "cpu_constants": say("CPU constants"),
    "lookup_tables": say("lookup tables"),
    "register_commands": say("register commands"),
    "tasks": say("NPU tasks"),
    "kind7": say("commands and tasks"),
    "structure": say("structure and names"),
    "json": say("JSON"),
    "header": say("header"),
    "trailing": say("after the JSON"),
}
MOST_DETAILS = 12


@dataclass(frozen=True)
class AnsweredQuestion:
    """One of the four questions with its answer and the lines behind it."""

    key: str
    question: Said
    answer: Said
    details: tuple[Said, ...]


def answered_questions(answers: FourAnswers) -> tuple[AnsweredQuestion, ...]:
    """Return the four questions in the order in which they are shown."""
    pooling, precision = answers.convolutions_from_pooling, answers.float_or_cpu_layers
    size, change = answers.why_this_big, answers.what_to_change
    return (
        _answered(
            "convolutions_from_pooling",
            say("Which convolutions average, as a GlobalAveragePool or ReduceMean does?"),
            pooling.answer,
            map(_convolution, pooling.convolutions[:MOST_DETAILS]),
        ),
        _answered(
            "float_or_cpu_layers",
            say("Which layers stayed float, and which run on the CPU?"),
            precision.answer,
            _precision_details(precision)[:MOST_DETAILS],
        ),
        _answered("why_this_big", say("Why is the file as big as it is?"), size.answer, size.causes),
        _answered("what_to_change", say("What exactly has to change?"), change.answer, change.steps),
    )


def layer_title(layer: InspectedLayer) -> str:
    """Return the name of a layer with its graph, where a file has several."""
    return f"[{layer.graph}] {layer.name}" if layer.graph else layer.name


def tensor_title(tensor: InspectedTensor) -> str:
    """Return an input or output as `x 1x3x224x224 INT8`."""
    return f"{tensor.name} {'x'.join(map(str, tensor.shape))} {tensor.dtype or ''}".rstrip()


def board_fit(share: float) -> Said:
    """Return what a share of a 2 GB board means."""
    if share < 0.1:
        return say("fits with room for several copies")
    if share < 0.4:
        return say("fits, mind other copies and buffers")
    return say("tight beside the system and its buffers")


def suspected(myth: Myth) -> Said:
    """Return a popular suspect with what it owns and what is to be said of it."""
    return say(
        "{suspect} — {size}: {verdict}",
        suspect=myth.suspect,
        size=format_bytes(myth.bytes),
        verdict=myth.verdict,
    )


def nodes_by_size(onnx: OnnxComparison) -> list[OnnxNode]:
    """Return the nodes of an ONNX, the largest in the file or prediction first."""
    return sorted(onnx.nodes, key=lambda node: -max(node.file_bytes or 0, node.predicted_bytes))


def _answered(key: str, question: Said, answer: Said, details: Iterable[Said]) -> AnsweredQuestion:
    """Return the question with what its details add to its answer."""
    return AnsweredQuestion(key, question, answer, tuple(line for line in details if line != answer))


def _convolution(item: PoolingConvolution) -> Said:
    kernel = "x".join(map(str, item.kernel))
    return say(
        "{name}: {kernel}, {channels} channels, {size}",
        name=item.name,
        kernel=kernel,
        channels=item.channels,
        size=format_bytes(item.bytes),
    )


def _precision_details(precision: PrecisionAnswer) -> list[Said]:
    """Return a line for each layer, those that cost accuracy first: there are few."""
    kinds = {
        say("int8, coarse"): precision.coarse,
        say("float"): precision.float,
        say("CPU"): precision.cpu,
    }
    return [line for kind, layers in kinds.items() for line in _elsewhere(kind, layers)]


def _elsewhere(kind: Said, layers: Iterable[LayerElsewhere]) -> Iterator[Said]:
    for layer in layers:
        yield say(
            "{layer} ({kind}, {size}): {reason}",
            layer=layer.name,
            kind=kind,
            size=format_bytes(layer.bytes),
            reason=layer.reason,
        )
