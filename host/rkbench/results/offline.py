"""The scenario `offline`, folded: the rate of each step, and where more contexts bring nothing more.

rate        sum over the contexts of  calls / (end of the last - start of the first)
interval    batch means (Law and Kelton): each context's calls in ten equal parts, the sum of their rates
            part by part, Student's t of 95 % over the ten
saturation  the fewest contexts whose rate is within 5 % of the highest of all steps
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.scenario_messages import OfflineStep

from rkbench.results.latencies import RawLatencies
from rkbench.stats.clusters import clusters_of
from rkbench.stats.quantiles import quantiles

#: More contexts wait longer for each other: what brings less than this is not worth it.
NEAR = 0.05
#: Placements whose rates differ by less are alike: the first of them is named.
ALIKE = 0.01
PARTS = 10
#: Student's t, 97.5 %, 9 degrees of freedom.
_T9 = 2.262
#: The driver tells a core's load over the last second: a sample before that tells of what was before.
LOAD_WINDOW_NS = 1_000_000_000
NS_PER_S = 1e9


@dataclass(frozen=True)
class OfflineRate:
    """One step: so many contexts, busy at once, each on the cores that `placement` gives it.

    `low_per_s` and `high_per_s` bound the rate with 95 %; None where a context made fewer than 10 calls.
    `core_load_ratio` is the share of the time that each core worked; empty where nothing tells it. Memory is
    of the worker with all contexts loaded, `npu_bytes` what the runtime says of them.
    """

    placement: str
    contexts: int
    count: int
    rate_per_s: float
    low_per_s: float | None
    high_per_s: float | None
    p50_s: float
    p99_s: float | None
    core_load_ratio: tuple[float, ...] = ()
    rss_bytes: int | None = None
    pss_bytes: int | None = None
    dma_buf_bytes: int | None = None
    memory_available_bytes: int | None = None
    npu_bytes: int | None = None


@dataclass(frozen=True)
class Saturation:
    """Where more contexts bring nothing more. `is_reached` is False where the rate still rose at the end."""

    placement: str
    contexts: int
    rate_per_s: float
    is_reached: bool


@dataclass(frozen=True)
class Offline:
    """All steps in their order. `one_per_s` is the rate of a single context, in the first placement with one.

    Bytes for each further context are of the placement of the saturation; None where nothing tells them.
    """

    steps: tuple[OfflineRate, ...]
    saturation: Saturation
    shares_weights: bool
    one_per_s: float | None = None
    npu_bytes_per_context: float | None = None
    rss_bytes_per_context: float | None = None


def offline(
    steps: Sequence[OfflineStep], latencies: RawLatencies, readings: Sequence[Reading]
) -> Offline | None:
    """Return what the steps of a run yielded; None without any that has calls."""
    blocks = latencies.lanes() if steps else {}
    rates = tuple(rate for step in steps if (rate := _rate(step, blocks, readings)) is not None)
    if not rates:
        return None
    chosen = _saturation(rates)
    same = [rate for rate in rates if rate.placement == chosen.placement]
    return Offline(
        steps=rates,
        saturation=chosen,
        shares_weights=steps[0].shares_weights,
        one_per_s=next((rate.rate_per_s for rate in rates if rate.contexts == 1), None),
        npu_bytes_per_context=_per_context(same, _npu_bytes),
        rss_bytes_per_context=_per_context(same, lambda rate: rate.rss_bytes),
    )


def saturated_blocks(steps: Sequence[OfflineStep], found: Offline) -> frozenset[int]:
    """Return the blocks of the step at which the rate saturates."""
    point = found.saturation
    of_point = (s for s in steps if (s.placement, s.contexts) == (point.placement, point.contexts))
    return frozenset(block for step in of_point for block in step.blocks)


Lanes = dict[int, list[tuple[int, int]]]


def _rate(step: OfflineStep, blocks: Lanes, readings: Sequence[Reading]) -> OfflineRate | None:
    lanes = [blocks[block] for block in step.blocks if blocks.get(block)]
    durations = [[duration for _, duration in lane] for lane in lanes]
    p50, p99 = quantiles(clusters_of([durations]), [50.0, 99.0])
    if p50.value is None or any(_span_ns(lane) <= 0 for lane in lanes):
        return None
    rate = sum(_per_s(lane) for lane in lanes)
    half = _half_width(lanes)
    return OfflineRate(
        placement=step.placement,
        contexts=step.contexts,
        count=p50.count,
        rate_per_s=rate,
        low_per_s=None if half is None else rate - half,
        high_per_s=None if half is None else rate + half,
        p50_s=p50.value / NS_PER_S,
        p99_s=None if p99.value is None else p99.value / NS_PER_S,
        core_load_ratio=_core_load(step, lanes, readings),
        rss_bytes=step.rss_bytes,
        pss_bytes=step.pss_bytes,
        dma_buf_bytes=step.dma_buf_bytes,
        memory_available_bytes=step.memory_available_bytes,
        npu_bytes=step.npu_bytes,
    )


def _span_ns(lane: Sequence[tuple[int, int]]) -> int:
    last_start, last_duration = lane[-1]
    return last_start + last_duration - lane[0][0]


def _per_s(lane: Sequence[tuple[int, int]]) -> float:
    return len(lane) * NS_PER_S / _span_ns(lane)


def _half_width(lanes: Sequence[Sequence[tuple[int, int]]]) -> float | None:
    """Return half of the interval of the rate by batch means; None where there are too few calls."""
    if min(map(len, lanes)) < PARTS:
        return None
    parts = []
    for part in range(PARTS):
        pieces = [lane[len(lane) * part // PARTS : len(lane) * (part + 1) // PARTS] for lane in lanes]
        if any(_span_ns(piece) <= 0 for piece in pieces):
            return None
        parts.append(sum(map(_per_s, pieces)))
    return _T9 * stdev(parts) / math.sqrt(PARTS)


def _core_load(
    step: OfflineStep, lanes: Sequence[Sequence[tuple[int, int]]], readings: Sequence[Reading]
) -> tuple[float, ...]:
    start_ns = min(lane[0][0] for lane in lanes)
    end_ns = max(lane[-1][0] + lane[-1][1] for lane in lanes)
    if step.core_busy_ns is not None:
        return tuple(min(1.0, busy / (end_ns - start_ns)) for busy in step.core_busy_ns)
    samples = [
        reading.npu_load_ratio
        for reading in readings
        if reading.npu_load_ratio and start_ns + LOAD_WINDOW_NS <= reading.time_ns <= end_ns
    ]
    same = [sample for sample in samples if len(sample) == len(samples[0])]
    return tuple(fmean(values) for values in zip(*same, strict=True))


def _saturation(rates: Sequence[OfflineRate]) -> Saturation:
    highest = max(rate.rate_per_s for rate in rates)
    near = [rate for rate in rates if rate.rate_per_s >= (1 - NEAR) * highest]
    fewest = [rate for rate in near if rate.contexts == min(item.contexts for item in near)]
    best = max(rate.rate_per_s for rate in fewest)
    chosen = next(rate for rate in fewest if rate.rate_per_s >= (1 - ALIKE) * best)
    more = any(r.contexts > chosen.contexts and r.placement == chosen.placement for r in rates)
    return Saturation(chosen.placement, chosen.contexts, chosen.rate_per_s, more)


def _npu_bytes(rate: OfflineRate) -> int | None:
    return rate.npu_bytes if rate.dma_buf_bytes is None else rate.dma_buf_bytes


def _per_context(rates: Sequence[OfflineRate], value: Callable[[OfflineRate], int | None]) -> float | None:
    """Return by how much memory grew with each further context, from the fewest to the most."""
    known = sorted((rate.contexts, held) for rate in rates if (held := value(rate)) is not None)
    if len(known) < 2:
        return None
    (few, least), (many, most) = known[0], known[-1]
    return (most - least) / (many - few)
