"""The parts of a result, each made from the messages that speak of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.messages import LoadMemory
from rkbench_agent.wire.outputs import OutputError
from rkbench_agent.wire.provenance import ALL_MEASURED, Provenance
from rkbench_agent.wire.words import FROM_FILE, MEASURED, MODELLED

from rkbench.results.latencies import STAGES, RawLatencies
from rkbench.results.model import (
    Latency,
    LatencySummary,
    PercentileBounds,
    RunResult,
    Stages,
    percentile_field,
)
from rkbench.stats.clusters import Clusters, clusters_of
from rkbench.stats.middle import medians
from rkbench.stats.quantiles import Quantile, quantiles
from rkbench.stats.serial import wanders
from rkbench.stats.summary import summarize

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Blocks = list[NDArray[np.int64]]

NS_PER_S = 1e9


class _Measured(Protocol):
    latencies: RawLatencies
    memory: list[LoadMemory]
    errors: list[OutputError]


def provenance(
    told: Provenance | None, header: RunResult, run: _Measured, readings: Sequence[Reading]
) -> Provenance:
    """Return where the numbers come from: as the agent told, and None where there is no number.

    A run that ended early was told nothing but the source of its outputs, with the first of them: a real
    runtime's numbers were measured; of the virtual one it is what the header foretells, None where a
    behaviour may have moved it, and what the virtual runtime always does.
    """
    if told is None:
        foretold = header.provenance
        always = replace(_VIRTUAL, latency=foretold.latency, readings=foretold.readings)
        told = always if foretold.load is not None else ALL_MEASURED
    return Provenance(
        load=told.load if run.memory else None,
        load_duration=told.load_duration if run.memory else None,
        process_memory=told.process_memory if run.memory else None,
        latency=told.latency if run.latencies.duration_ns else None,
        outputs=_first_source(run.errors) or told.outputs if run.errors else None,
        readings=told.readings if readings else None,
    )


def _first_source(errors: Sequence[OutputError]) -> str | None:
    return next((error.source for error in errors if error.source is not None), None)


#: What the virtual runtime always does.
_VIRTUAL = Provenance(
    load=FROM_FILE,
    load_duration=MODELLED,
    process_memory=MEASURED,
)


def latency(raw: RawLatencies, clusters: Clusters | None = None) -> Latency | None:
    """Return the summary of the timed iterations in seconds; None without any.

    `clusters` are its durations (ns) in what is independent of the next, loads or blocks unless given.
    """
    clusters = clusters or clusters_of(raw.load_arrays())
    if not clusters.count:
        return None
    figures, found = _figures(clusters)
    levels = clusters.groups if clusters.levels is None else clusters.levels
    has_long_memory = wanders(levels)
    return Latency(
        **figures,
        warmup_count=sum(raw.warmup),
        block_count=len(raw.timed_blocks_cut()[1]),
        stages=Stages(**{name: _stage(raw.timed_arrays(f"{name}_ns")) for name in STAGES}),
        bounds=() if has_long_memory else tuple(map(_within, found)),
        has_long_memory=has_long_memory,
        wander_ratio=_wander_ratio(levels) if has_long_memory else None,
        bounds_unit=clusters.unit,
    )


def _wander_ratio(groups: Sequence[Sequence[float] | NDArray[Any]]) -> float:
    from rkbench.stats.levels import relative_deviation

    return relative_deviation(medians(groups))


def _stage(blocks: Blocks) -> LatencySummary | None:
    return LatencySummary(**_figures(clusters_of([blocks]))[0]) if blocks else None


def _figures(clusters: Clusters) -> tuple[dict[str, Any], list[Quantile]]:
    """Return the fields of a summary in seconds, and the percentiles (ns) with their bounds."""
    whole = summarize(clusters.values)
    assert whole is not None
    found = quantiles(clusters)
    figures: dict[str, Any] = {
        "count": whole.count,
        "min_s": whole.min / NS_PER_S,
        "mean_s": whole.mean / NS_PER_S,
        "max_s": whole.max / NS_PER_S,
        "stddev_s": _seconds(whole.stddev),
    }
    figures |= {percentile_field(item.percent): _seconds(item.value) for item in found}
    return figures, found


def _within(found: Quantile) -> PercentileBounds:
    return PercentileBounds(found.percent, _seconds(found.low), _seconds(found.high), found.effective)


def _seconds(ns: float | None) -> float | None:
    return None if ns is None else ns / NS_PER_S
