"""Which calls stand for a run: of a scenario's steps those of one, in parts that bound its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.scenario_messages import (
    InterferenceOutputs,
    InterferenceRound,
    OfflineStep,
    ServerStep,
)
from rkbench_agent.wire.words import INTERFERENCE, OFFLINE, SERVER

from rkbench.results import parts
from rkbench.results.interference import Interference, blocks_beside, interference
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import Latency, RunResult
from rkbench.results.offline import Offline, offline, saturated_blocks
from rkbench.results.records import PlanRecord
from rkbench.results.server import PARTS, Server, server, told_blocks, told_try
from rkbench.stats.clusters import BUSY_PERIOD, Clusters, clusters_of

_STEPPED = (OFFLINE, SERVER, INTERFERENCE)


@dataclass
class StepMessages:
    """What an agent tells of the steps of a scenario."""

    offline: list[OfflineStep] = field(default_factory=list)
    server: list[ServerStep] = field(default_factory=list)
    rounds: list[InterferenceRound] = field(default_factory=list)
    beside: list[InterferenceOutputs] = field(default_factory=list)


@dataclass(frozen=True)
class ToldRun:
    """The latency and the rate that stand for a run, and its scenario's own part."""

    latency: Latency | None
    rate_per_s: float | None
    offline: Offline | None = None
    server: Server | None = None
    interference: Interference | None = None


def told_of(plan: PlanRecord, steps: StepMessages, raw: RawLatencies, readings: Sequence[Reading]) -> ToldRun:
    """Return what stands for a run of `plan` with these steps and latencies."""
    sweep = offline(steps.offline, raw, readings)
    if sweep is not None:
        blocks = saturated_blocks(steps.offline, sweep)
        return ToldRun(_latency(plan, raw, blocks), sweep.saturation.rate_per_s, offline=sweep)
    shared = interference(plan.other or "", steps.rounds, steps.beside, raw)
    if shared is not None:
        blocks = blocks_beside(steps.rounds, shared)
        return ToldRun(_latency(plan, raw, blocks), shared.chosen.own.beside_per_s, interference=shared)
    rates = server(steps.server, raw, plan.slo)
    if rates is not None:
        blocks = told_blocks(steps.server, rates)
        return ToldRun(_latency(plan, raw, blocks), told_try(rates).served_per_s, server=rates)
    return ToldRun(parts.latency(raw), raw.throughput_per_s())


def latencies_of(run: RunResult, raw: RawLatencies) -> RawLatencies:
    """Return those of a run's calls that its figures are of, in blocks that can bound them.

    None where a run of an older version does not tell which they are: all steps together are another figure.
    """
    if run.latency is None:
        return RawLatencies()
    if run.latency.of_blocks:
        return _chosen(run.plan, raw, frozenset(run.latency.of_blocks))
    return RawLatencies() if run.plan.scenario in _STEPPED else raw


def clusters_of_run(run: RunResult, raw: RawLatencies, per_unit: float = 1.0) -> Clusters:
    """Return the calls that a run's figures are of, in what is independent of the next.

    In ns, or in the unit that has `per_unit` of them.
    """
    return _clusters(run.plan, latencies_of(run, raw), per_unit)


def _clusters(plan: PlanRecord, chosen: RawLatencies, per_unit: float = 1.0) -> Clusters:
    """Return calls in clusters; of a server with the level of its board, in parts.

    Calls that waited tell of the queue; whether the board's own level moves, those that waited for none.
    """
    found = _busy_periods(chosen) if plan.scenario == SERVER else clusters_of(chosen.load_arrays())
    if per_unit == 1:
        return found
    levels = found.levels and tuple(block / per_unit for block in found.levels)
    return replace(found, values=found.values / per_unit, levels=levels)


def _busy_periods(chosen: RawLatencies) -> Clusters:
    """Return the calls of a server (ns), whose blocks are its busy periods where it loaded its model once."""
    levels = tuple(chosen.firsts_of_blocks().in_parts(PARTS).timed_arrays())
    if len(set(chosen.load)) > 1:
        return replace(clusters_of(chosen.load_arrays()), levels=levels)
    return Clusters(*chosen.timed_blocks_cut(), BUSY_PERIOD, levels)


def _latency(plan: PlanRecord, raw: RawLatencies, blocks: frozenset[int]) -> Latency | None:
    chosen = _chosen(plan, raw, blocks)
    found = parts.latency(chosen, _clusters(plan, chosen))
    if found is None:
        return None
    if plan.scenario == SERVER:  # the blocks of those that served, whatever the queue made of them
        found = replace(found, busy_period_count=found.block_count, block_count=len(blocks))
    return replace(found, of_blocks=tuple(sorted(blocks)))


def _chosen(plan: PlanRecord, raw: RawLatencies, blocks: frozenset[int]) -> RawLatencies:
    """Return the calls of blocks, cut so that a change shows.

    Contexts that are busy at once have a block each, of the whole step, which shows none within it: calls in
    the order in which they began, cut into parts, do.
    """
    chosen = raw.only(blocks)
    if plan.scenario == SERVER:
        return chosen.in_busy_periods(plan.contexts[0] if plan.contexts else len(blocks))
    return chosen.in_parts(PARTS) if plan.scenario == OFFLINE else chosen
