"""Why a model moves more bytes than it needs to: causes of time, not of size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rkbench.inspection.npu_document import TrafficCause
from rkbench.language.said import Said, say
from rkbench.npu.traffic import LayerTraffic, TrafficCode
from rkbench.rknn.contents import Graph

SMALLEST_SHARE = 0.01
MOST_LAYERS = 10


@dataclass(frozen=True)
class _TrafficWords:
    """What is said of one kind of needless bytes, whatever the model."""

    field: str
    title: Said
    explanation: Said
    fix: Said


KINDS: dict[TrafficCode, _TrafficWords] = {
    "padding_traffic": _TrafficWords(
        "padding_bytes",
        say("channels written that the layers do not have"),
        say(
            "The output stage writes whole groups of channels: on the rk3588 an int8 depthwise convolution"
            " writes 64 at a time and a dense one 32, so 16 channels cost four or two times their bytes, and"
            " the same in the internal memory."
        ),
        say("give these layers channels that fill a group (32, 64), or fewer pixels: a stride earlier on"),
    ),
    "weights_refetched": _TrafficWords(
        "refetched_bytes",
        say("weights fetched again for each tile"),
        say(
            "Features and weights share the banks of the convolution buffer. Where both do not fit, the layer"
            " is cut into tiles, and weights that cannot stay are read from memory again for each of them."
        ),
        say("make these layers narrower, or their maps smaller, so that weights or features fit the buffer"),
    ),
}


def traffic_causes(graph: Graph, traffic: Sequence[LayerTraffic], ddr_bytes: int) -> tuple[TrafficCause, ...]:
    """Return the causes, biggest first, of at least a hundredth of `ddr_bytes`."""
    found = (cause for code in KINDS for cause in _cause(code, graph, traffic, ddr_bytes))
    return tuple(sorted(found, key=lambda cause: -cause.bytes))


def _cause(
    code: TrafficCode, graph: Graph, traffic: Sequence[LayerTraffic], ddr_bytes: int
) -> Iterator[TrafficCause]:
    kind = KINDS[code]
    amounts = {layer.node: int(getattr(layer, kind.field)) for layer in traffic}
    total = sum(amounts.values())
    if not total or total < SMALLEST_SHARE * ddr_bytes:
        return
    ranked = sorted((node for node in amounts if amounts[node]), key=lambda node: -amounts[node])
    names = tuple(graph.nodes[node].name.partition(":")[2] or graph.nodes[node].name for node in ranked)
    yield TrafficCause(
        code, kind.title, total, total / ddr_bytes, names[:MOST_LAYERS], kind.explanation, kind.fix
    )
