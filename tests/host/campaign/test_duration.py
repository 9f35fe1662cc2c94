"""How long a push measures: from what is known of its models, or from its first calls."""

from __future__ import annotations

import pytest
from rkbench.campaign.duration import Cost, Forecast, estimate_s, unknown
from rkbench.results.events import Event, Step
from rkbench_agent.wire.messages import Latencies, LoadMemory
from rkbench_agent.wire.plan import Plan, RunSettings, RunSpec

TURNS = RunSettings(loads=7, quads=2)


@pytest.mark.parametrize(
    ("settings", "costs", "seconds"),
    [
        # 12 blocks of 20 calls and 5 to warm up, one start
        (RunSettings(), [Cost(0.01, 0.1)], 0.7 + 0.1 + 245 * 0.01),
        # 28 blocks of 23 calls, 40 to warm up, 8 starts and loads, each twice
        (TURNS, [Cost(0.01, 0.1)] * 2, 2 * (8 * 0.8 + (28 * 23 + 40) * 0.01)),
        (RunSettings(max_duration_s=1.0), [Cost(0.01, 0.0)], 0.7 + 1.0),
    ],
)
def test_the_estimate_adds_starts_loads_and_calls(
    settings: RunSettings, costs: list[Cost], seconds: float
) -> None:
    assert estimate_s(settings, costs) == pytest.approx(seconds)


def test_on_a_virtual_board_only_the_starts_take_time() -> None:
    assert estimate_s(TURNS, [Cost(0.01, 0.1)] * 2, virtual=True) == pytest.approx(2 * 8 * 0.7)


def plan(settings: RunSettings = TURNS) -> Plan:
    return Plan([RunSpec(run, run, run * 64, 1, [], []) for run in "ab"], settings)


def heard(costs: dict[str, Cost], settings: RunSettings = TURNS) -> list[Event]:
    """Return what is said of a plan whose calls take 10 ms and whose loads 0.1 s."""
    told: list[Event] = []
    forecast = Forecast(plan(settings), costs.get, told.append, virtual=False)
    forecast.begin("2 variants")
    for run in "ab":
        forecast.take(LoadMemory(run, "runtime_initialised", 100_000_000))
    for run in "ab":  # loaded again, beside each other: no second load of what is counted
        forecast.take(LoadMemory(run, "runtime_initialised", 100_000_000, load=1))
    for run in "abba":
        forecast.take(Latencies(run, 0, True, [0], [10_000_000]))
    return told


def test_a_plan_of_known_models_says_its_duration_before_it_starts() -> None:
    known = {run * 64: Cost(0.01, 0.1) for run in "ab"}
    assert heard(known) == [Step("measuring 2 variants: 7 loads of 2 quads, about 26 s", 2)]


def test_a_plan_of_new_models_says_it_once_with_the_first_calls() -> None:
    assert heard({}) == [
        Step("measuring 2 variants: 7 loads of 2 quads", 2),
        Step("measuring 2 variants, about 26 s in all", 2),
    ]


def test_a_plan_that_goes_on_to_a_precision_says_the_least() -> None:
    settings = RunSettings(loads=100, quads=2, precision_percent=0.5)
    assert heard({}, settings) == [
        Step("measuring 2 variants until differences are known to ±0.5 %", 2),
        Step("measuring 2 variants, at least about 26 s in all", 2),
    ]
    assert unknown("a") is None
