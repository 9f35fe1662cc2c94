"""How the inferences of a block follow one another, in MLPerf's words: a module each (`wire.words`)."""

from __future__ import annotations

from importlib import import_module

from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.scenarios.base import Scenario
from rkbench_agent.wire.words import BAD_INPUT, SCENARIOS


def find_scenario(name: str) -> Scenario:
    """Return the scenario called `name`; raises RuntimeFailureError for one that is not there."""
    if name not in SCENARIOS:
        raise RuntimeFailureError(
            f"no scenario {name!r}", reason=BAD_INPUT, advice=f"one of {', '.join(SCENARIOS)}"
        )
    scenario: Scenario = import_module(f"rkbench_agent.scenarios.{name}")
    return scenario
