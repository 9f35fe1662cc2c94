"""What speaks against a predicted latency: what the fit has not seen, what is not counted or not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rkbench.language.said import NOTHING, Said, say
from rkbench.npu.decoded import DecodedGraph
from rkbench.npu.latency_model import FittedLatency
from rkbench.rknn.contents import Graph, Node, Tensor
from rkbench.rknn.placement import is_int16
from rkbench.units import format_seconds

#: No band where layers of kinds that were not in the fit take more than this of the time.
FOREIGN_RATIO = 0.1
#: Elementwise work that was not in the fit by name; its tasks are those of `Add` (an operand) and of
#: `exSwish` (a table), which were.
SAME_TASKS = frozenset(
    {"Mul", "Sub", "Max", "Min", "Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSigmoid", "Tanh"}
)
#: Operators at the border of the graph: copies that rknn_run does not time.
BORDER = ("InputOperator", "OutputOperator")
#: Operators of the CPU that name a shape and move nothing.
VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})
COMPRESSED = say("its weights are compressed, and how many bytes of them are fetched is not decoded")


def outside_of(
    decoded: DecodedGraph, times: Sequence[tuple[str, float]], fitted: FittedLatency
) -> Iterator[Said]:
    """Yield what of the model was not in the fit, with its share of the `times` (type, seconds) of layers."""
    graph = decoded.graph
    latency_s = sum(seconds for _, seconds in times) or 1.0
    foreign: dict[str, float] = {}
    for kind, seconds in times:
        # Whatever follows a convolution in the same task is counted in its tables and operands.
        known = kind in fitted.fitted_types or kind in SAME_TASKS
        if not known and not kind.startswith("Conv"):
            foreign[kind] = foreign.get(kind, 0.0) + seconds
    share = sum(foreign.values()) / latency_s
    if share > FOREIGN_RATIO:
        names = ", ".join(sorted(foreign, key=lambda name: -foreign[name])[:4])
        yield say(
            "{share:.0%} of the time is in kinds of layers that the fit has not seen: {names}",
            share=share,
            names=names,
        )
    if is_int16(decoded.model.contents):
        yield say("it computes in int16, and the fit is of int8 models")
    elif not any(tensor.dtype == "INT8" for node in graph.nodes for tensor in _read(graph, node.inputs)):
        yield say("it computes in floats, and the fit is of int8 models")
    counts = Counter(node.type for node in _on_cpu(graph) if node.type not in VIEWS)
    if counts:
        names = ", ".join(f"{count} {name}" for name, count in counts.most_common(4))
        others = say(" and others") if len(counts) > 4 else NOTHING
        yield say("{names}{others} on the CPU: their time is not counted", names=names, others=others)


def _on_cpu(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.target == "CPU" and node.type not in BORDER]


def _read(graph: Graph, indices: tuple[int, ...]) -> Iterator[Tensor]:
    first = graph.tensors[0].index if graph.tensors else 0
    return (graph.tensors[i - first] for i in indices)


def not_counted_of(graph: Graph, fitted: FittedLatency) -> tuple[Said, ...]:
    """Return what runs on the CPU, and what was left out of the fit."""
    on_cpu = [say("{name} (CPU)", name=node.name) for node in _on_cpu(graph)]
    skipped = {
        node.type for node in graph.nodes if node.type in fitted.skipped_types and any(node.task_counts)
    }
    return (*on_cpu, *(say("{name} (left out of the fit)", name=name) for name in sorted(skipped)))


def unexplained(what: str) -> Said:
    """Return what is said of commands that hold something unknown."""
    return say("its commands hold what nobody can explain: {what}", what=what)


def wider_above(fitted: FittedLatency, call_s: float) -> Said:
    """Return why the band of a fast model is wider above."""
    return say(
        "the fit, of models from {fastest} on, leaves up to {call} open for a call by itself",
        fastest=format_seconds(fitted.fastest_s),
        call=format_seconds(call_s),
    )
