"""What gates, nights and the table say of a server: of one run, the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made_runs import make_run
from rkbench.nightly.judge import AcceptedRun, judge
from rkbench.results.caveats import caveats_of
from rkbench.results.collect import Collected
from rkbench.results.conditions import night_refusals
from rkbench.results.gating import parse_requirements, with_requirements
from rkbench.results.latencies import RawLatencies
from rkbench.results.measures import QUANTITIES
from rkbench.results.records import PlanRecord
from rkbench.results.server import server
from rkbench.results.told import StepMessages, told_of
from rkbench.stats.figures import MEAN_OF_QUEUE
from rkbench.stats.gates import CANNOT_TELL, FAIL, PASS, parse_gate
from rkbench.views.push.server import server_lines
from rkbench_agent.wire.scenario_messages import ServerStep
from test_server import arriving, batch, drifting, told


def run_of(raw: RawLatencies, **plan: Any) -> Collected:
    """Return a run of a server that served these calls, as a push stores it."""
    found = told(raw)
    settings = PlanRecord(scenario="server", rate_per_s=500.0, contexts=[1])
    run = replace(
        make_run(),
        plan=replace(settings, **plan),
        latency=found.latency,
        server=found.server,
        requirements=(),
    )
    return Collected(run, raw, ())


def says(text: str, collected: Collected) -> tuple[str, str]:
    (found,) = with_requirements(collected, parse_requirements([text])).run.requirements
    return found.state, found.detail


def test_a_gate_says_what_the_table_says_of_a_level_that_moves() -> None:
    assert says("p99 <= 60s", run_of(drifting()))[0] == CANNOT_TELL
    assert says("p99 <= 60s", run_of(arriving(0.3, 5, 4000, scatter=0.02)))[0] == PASS


def test_a_queue_that_grew_crosses_what_it_is_beyond_and_keeps_nothing() -> None:
    flooded = run_of(arriving(1.3, 1))
    grew = "the queue grew for as long as was measured"
    assert says("p99 <= 5ms", flooded) == (FAIL, grew)
    assert says("p99 <= 60s", flooded) == (CANNOT_TELL, grew)
    assert "p99_rough" not in {item.code for item in caveats_of(flooded.run, flooded.latencies)}
    assert server_lines(flooded.run, 100)[1].text.endswith(" 1000")  # a table without an objective
    kept = server([ServerStep("r", 1300.0, [0])], flooded.latencies, "p99 <= 5ms")
    (_, line) = server_lines(replace(flooded.run, server=kept), 100)
    assert line.text.endswith("missed")


def test_the_mean_of_a_queue_has_no_bounds() -> None:
    state, why = says("mean <= 60s", run_of(arriving(0.5, 1, 4000)))
    assert (state, why) == (CANNOT_TELL, MEAN_OF_QUEUE)


def test_nights_of_many_busy_periods_are_told_apart() -> None:
    night, slower = (run_of(arriving(load, 5, 4000, scatter=0.02)) for load in (0.3, 0.5))
    accepted = AcceptedRun(night.run, night.latencies)
    gates = [parse_gate(text, QUANTITIES) for text in ("p50 within 5%", "p99 within 20%")]
    assert [found.state for found in judge(gates, night, accepted)] == [PASS, PASS]
    assert judge(gates, slower, accepted)[1].state == FAIL


@pytest.mark.parametrize(
    ("plan", "named"),
    [({"rate_per_s": 100.0}, "rate"), ({"contexts": [3]}, "contexts"), ({"slo": "p99 <= 1ms"}, "objective")],
)
def test_servers_that_were_asked_for_something_else_are_not_compared(
    plan: dict[str, Any], named: str
) -> None:
    base = run_of(arriving(0.3, 1))
    other = replace(base.run, plan=replace(base.run.plan, **plan))
    assert [reason.split(" differs")[0] for reason in night_refusals(base.run, other)] == [named]


def test_without_a_goodput_the_last_rate_is_told_and_not_what_is_always_busy() -> None:
    raw = RawLatencies()
    for block in (0, 1):
        raw.append(batch(block, 20))
    steps = [ServerStep("r", None, [0]), ServerStep("r", 90.0, [1])]
    found = told_of(
        PlanRecord(scenario="server", slo="p99 <= 30ms", contexts=[1]), StepMessages(server=steps), raw, []
    )
    assert found.server is not None
    assert found.server.goodput_per_s is None
    assert found.rate_per_s == found.server.tries[-1].served_per_s
