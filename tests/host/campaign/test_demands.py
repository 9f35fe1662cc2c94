"""What is asked for is measured: plans are raised, and what that adds is told."""

from __future__ import annotations

import pytest
from rkbench.campaign.demands import raised
from rkbench.campaign.duration import Cost
from rkbench.results.events import Event, Note
from rkbench.results.measures import QUANTITIES
from rkbench.stats.gates import parse_gate
from rkbench_agent.wire.plan import RunSettings


def told(*gates: str, settings: RunSettings | None = None) -> tuple[RunSettings, list[Event]]:
    said: list[Event] = []
    parsed = {gate: parse_gate(gate, QUANTITIES).quantity for gate in gates}
    return raised(settings or RunSettings(), parsed, said.append), said


def test_a_p99_that_is_asked_for_raises_the_plan_and_says_what_it_adds() -> None:
    found, said = told("cosine >= 0.9", "p99 <= 12ms")
    assert (found.min_iterations, found.min_blocks) == (1000, 20)
    assert said == [Note("p99 <= 12ms: 1000 iterations in 20 blocks at least (900 more for each variant)")]


def test_the_time_that_is_added_is_that_of_the_models_where_it_is_known() -> None:
    said: list[Event] = []
    asked = {"--minimize p99": QUANTITIES["p99"]}
    for costs in ([Cost(0.01, 1.0), Cost(0.02, 1.0)], [Cost(0.01, 1.0), None]):
        raised(RunSettings(), asked, said.append, costs)
    assert [item.text.partition("(")[2] for item in said if isinstance(item, Note)] == [
        "900 more for each variant: 27 s)",
        "900 more for each variant)",
    ]


def test_what_is_to_be_small_raises_the_plan_as_a_gate_does() -> None:
    said: list[Event] = []
    found = raised(RunSettings(), {"--minimize p99": QUANTITIES["p99"]}, said.append)
    assert (found.min_iterations, found.min_blocks, len(said)) == (1000, 20, 1)


@pytest.mark.parametrize("gate", ["size <= 1MB", "p50 <= 12ms", "max <= 50ms"])
def test_what_a_plan_carries_already_adds_nothing(gate: str) -> None:
    assert told(gate) == (RunSettings(), [])


def test_a_plan_that_has_more_keeps_it() -> None:
    settings = RunSettings(min_iterations=7000, min_blocks=30)
    assert told("p99.9 <= 12ms", settings=settings) == (settings, [])


@pytest.mark.parametrize(("asked", "has"), [(3, 6), (14, 14), (1, 1), (None, None)])
def test_several_loads_are_as_many_as_an_interval_over_them_needs(asked: int | None, has: int | None) -> None:
    found, said = told("p99 <= 12ms", settings=RunSettings(loads=asked))
    assert found.loads == has
    (note,) = said
    assert isinstance(note, Note)
    assert (" through 6 loads" in note.text) == (asked == 3)
