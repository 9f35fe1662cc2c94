"""What rkbench claims of nights: a model beside that of its baseline, and against its baseline's night.

A night sets a level that is common to all it measures and that nobody else knows; each load sets its own.
What fails is measured again in the same night, as a nightly does.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from caveat_claims import RUN
from claim import Claim, Source
from plan_claims import StagedPush
from rkbench.campaign.demands import carrying, reads_of
from rkbench.campaign.stopping import PlanEnd
from rkbench.nightly.confirming import Pair, confirmed, to_confirm
from rkbench.nightly.judge import AcceptedRun, judge
from rkbench.nightly.suite import NIGHTLY
from rkbench.results.collect import Collected
from rkbench.results.latencies import RawLatencies
from rkbench.results.measures import QUANTITIES
from rkbench.results.night import GateResult
from rkbench.results.parts import latency
from rkbench.stats.gates import FAIL, Gate, parse_gate
from rkbench_agent.wire.messages import Latencies
from worlds import World

CALL_NS = 10e6
BLOCKS, CALLS = 15, 20  # as many as a night reads of a model by itself
LOADS = World(block=0.005, load=0.005)
TIGHT, WIDE = (parse_gate(f"p50 within {percent}%", QUANTITIES) for percent in (1, 5))
#: A night by history takes a quarter of a paired one.
BY_HISTORY = 0.25


def night_claims() -> list[Claim]:
    """Nights that differ by 1 and 2 %: both gates that a history could have are red, or blind, or both."""
    claims = []
    for sigma, false_red, blind in ((0.01, 0.03, 0.1), (0.02, 0.15, 0.3)):
        told, by_history = f"sd between nights {sigma * 100:g} %", partial(night_by_history, sigma=sigma)
        for load in (0.005, 0.01):
            night = {"sigma": sigma, "load": load, "gate": TIGHT}
            name = f"paired night {{}}, {told}, sd per load {load * 100:g} %, within 1 %: {{}}"
            claims += [
                Claim(name.format("A/A", "red"), partial(is_red, shift=0.0, **night), 0.05),
                Claim(name.format("+1 %", "red"), partial(is_red, shift=0.01, **night), 0.05),
                Claim(name.format("+3 %", "red"), partial(is_red, shift=0.03, **night), None, 0.95),
                Claim(
                    name.format("A/A", "measured again"), partial(is_measured_again, shift=0.0, **night), 0.1
                ),
            ]
        claims += [
            Claim(
                f"history A/A, {told}, within 1 %: red (a false alarm)",
                partial(by_history, shift=0.0, gate=TIGHT),
                None,
                false_red,
                cost=BY_HISTORY,
            ),
            Claim(
                f"history +3 %, {told}, within 5 %: red",
                partial(by_history, shift=0.03, gate=WIDE),
                blind,
                cost=BY_HISTORY,
            ),
        ]
    return claims


def tail_claims() -> list[Claim]:
    """Gates on tails: a tail of two nights in turns is the ratio of the figure, load by load."""
    claims = []
    for load, finds in ((0.005, 0.95), (0.01, 0.9)):
        for figure in ("p90", "p99"):
            gate = parse_gate(f"{figure} within 1%", QUANTITIES)
            red = partial(is_red, sigma=0.01, load=load, gate=gate)
            name = f"paired night {{}}, sd between nights 1 %, sd per load {load * 100:g} %, {gate.text}: red"
            claims += [
                Claim(name.format("A/A"), partial(red, shift=0.0), 0.05, cost=2),
                Claim(name.format("+1 %"), partial(red, shift=0.01), 0.05, cost=2),
                Claim(name.format("+3 %"), partial(red, shift=0.03), None, finds, cost=2),
                Claim(name.format("+5 %"), partial(red, shift=0.05), None, 0.97, cost=2),
            ]
    return claims


class Ended(NamedTuple):
    """How a night ended: whether it was red, and whether its model was measured again."""

    is_red: bool
    is_again: bool


def is_red(source: Source, **night: Any) -> bool:
    """Return whether a paired night is red."""
    return paired_night(source, **night).is_red


def is_measured_again(source: Source, **night: Any) -> bool:
    """Return whether a paired night measures its model twice."""
    return paired_night(source, **night).is_again


def paired_night(source: Source, sigma: float, load: float, shift: float, gate: Gate) -> Ended:
    """Return how a night ends whose model takes `shift` longer than its baseline's, both measured."""
    night = _night(source, sigma)

    def measured() -> Pair:
        settings = carrying(NIGHTLY, reads_of([gate.quantity]))
        push = StagedPush(source, replace(LOADS, load=load), [shift], CALL_NS * night, settings, PlanEnd)
        push.tests()
        beside, own = (_run(run, raw) for run, raw in push.latencies.items())
        return Pair(own, AcceptedRun(beside.run, beside.latencies))

    def judged(pair: Pair) -> tuple[GateResult, ...]:
        return judge([gate], pair.own, pair.beside, paired=True)

    first = measured()
    found = judged(first)
    if not to_confirm([gate], found, paired=True):
        return Ended(False, is_again=False)
    second = measured()
    (last,) = confirmed([gate], found, judged(second), [first, second])
    return Ended(last.state == FAIL, is_again=True)


def night_by_history(source: Source, sigma: float, shift: float, gate: Gate) -> bool:
    """Return whether a night is red that is held against what another night had measured."""
    before = _alone(source, _night(source, sigma))
    night = _night(source, sigma) * (1 + shift)

    def fails() -> bool:
        accepted = AcceptedRun(before.run, before.latencies)
        (found,) = judge([gate], _alone(source, night), accepted)
        return found.state == FAIL

    return fails() and fails()


def _night(source: Source, sigma: float) -> float:
    return float(np.exp(source.normal(0, sigma)))


def _run(name: str, raw: RawLatencies) -> Collected:
    return Collected(replace(RUN, id=name, latency=latency(raw)), raw, ())


def _alone(source: Source, level: float) -> Collected:
    """Return the run of a model that is measured by itself, in one load."""
    raw = RawLatencies()
    calls = LOADS.calls(source, BLOCKS, CALLS, CALL_NS * level * LOADS.load_level(source))
    for block, durations in enumerate(calls.astype(np.int64).tolist()):
        raw.append(Latencies(RUN.id, block, False, [0] * CALLS, durations))
    return _run("r", raw)


NIGHT_CLAIMS = [*night_claims(), *tail_claims()]
