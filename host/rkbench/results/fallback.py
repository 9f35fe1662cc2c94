"""What layers on the CPU, and float ones of a quantized file, cost: by the times of a profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rkbench.results.extras import FallbackCost, LayerTime, Profile
from rkbench.results.records import IN_FLOAT, ON_CPU, FallbackKind, FallbackLayer


def with_fallback_costs(profile: Profile, fallbacks: Sequence[FallbackLayer]) -> Profile:
    """Return `profile`, whose layers know their nodes, with what each kind of fallback takes of it."""
    if not profile.layers:
        return profile
    timed = {layer.node: layer for layer in profile.layers if layer.node is not None}
    kinds: tuple[FallbackKind, ...] = (ON_CPU, IN_FLOAT)
    of_kind = {kind: [each for each in fallbacks if each.kind == kind] for kind in kinds}
    costs = (_cost(kind, layers, timed) for kind, layers in of_kind.items() if layers)
    return replace(profile, fallbacks=tuple(costs))


def _cost(kind: FallbackKind, layers: Sequence[FallbackLayer], timed: dict[int, LayerTime]) -> FallbackCost:
    found = sorted(
        (timed[each.node] for each in layers if each.node in timed), key=lambda layer: -layer.duration_s
    )
    return FallbackCost(
        kind,
        len(layers),
        len(found),
        sum(layer.duration_s for layer in found) if found else None,
        sum(layer.share for layer in found) if found else None,
        tuple(layer.onnx_node or layer.name for layer in found),
    )
