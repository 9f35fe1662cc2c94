"""What differs between two .rknn files by node of the ONNX: its layers summed, however it was cut up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rkbench.inspection.diff_document import NodeChange
from rkbench.inspection.document import InspectedLayer
from rkbench.inspection.formatting import listing


def diff_nodes(before: Sequence[InspectedLayer], after: Sequence[InspectedLayer]) -> tuple[NodeChange, ...]:
    """Return the nodes whose bytes, types, units or number of layers differ, the largest change first."""
    old, new = _by_node(before), _by_node(after)
    changes = [_change(name, old.get(name, ()), new.get(name, ())) for name in {**old, **new}]
    different = [change for change in changes if _before(change) != _after(change)]
    return tuple(sorted(different, key=lambda change: -abs(change.change_bytes)))


def _by_node(layers: Iterable[InspectedLayer]) -> dict[str, list[InspectedLayer]]:
    """Return the layers of each node; a layer of no node is one by itself."""
    found: dict[str, list[InspectedLayer]] = {}
    for layer in layers:
        name = layer.onnx_node or layer.name
        found.setdefault(f"[{layer.graph}] {name}" if layer.graph else name, []).append(layer)
    return found


def _change(name: str, before: Sequence[InspectedLayer], after: Sequence[InspectedLayer]) -> NodeChange:
    return NodeChange(
        name,
        _bytes(before),
        _bytes(after),
        len(before),
        len(after),
        _all(layer.dtype for layer in before),
        _all(layer.dtype for layer in after),
        _all(layer.target for layer in before),
        _all(layer.target for layer in after),
    )


def _bytes(layers: Sequence[InspectedLayer]) -> int | None:
    """Return what the layers own; the structure, which is an estimate, left out."""
    return sum(layer.total_bytes - layer.structure_bytes for layer in layers) if layers else None


def _all(words: Iterable[str | None]) -> str | None:
    found = sorted({word for word in words if word})
    return listing(found, len(found)) or None


def _before(change: NodeChange) -> tuple[object, ...]:
    return (change.before_bytes, change.before_layers, change.before_dtype, change.before_unit)


def _after(change: NodeChange) -> tuple[object, ...]:
    return (change.after_bytes, change.after_layers, change.after_dtype, change.after_unit)
