"""Why a model moves more bytes than it needs to: causes of time, not of size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rkbench.inspection.npu_document import TrafficCause
from rkbench.language.said import NOTHING, Said, say, together
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
            "The output stage writes whole groups of channels, and as many bytes for those that are none; "
            "they lie in the internal memory too."
        ),
        say("give these layers channels that fill such groups, or fewer pixels: a stride earlier on"),
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
    names = tuple(_name(graph, node) for node in ranked)[:MOST_LAYERS]
    worst = next(layer for layer in traffic if layer.node == ranked[0])
    example = _channels(names[0], *worst.padded_channels) if code == "padding_traffic" else NOTHING
    explanation = together(kind.explanation, example)
    yield TrafficCause(code, kind.title, total, total / ddr_bytes, names, explanation, kind.fix)


def _channels(layer: str, own: int, written: int) -> Said:
    return say("{layer} has {own} channels and writes {written}.", layer=layer, own=own, written=written)


def _name(graph: Graph, node: int) -> str:
    """Return a layer's name in the ONNX; what the compiler made bears its operator's."""
    found = graph.nodes[node]
    return found.name.partition(":")[2] or found.name or found.type
