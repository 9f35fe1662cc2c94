"""How long all runs take yet: what was foretold until their pace tells more."""

from __future__ import annotations

import pytest
from rkbench.campaign.outlook import PlanOutlook
from rkbench.results.events import Outlook
from rkbench_agent.wire.messages import Failed, Progress
from rkbench_agent.wire.plan import Plan, RunSettings, RunSpec


def plan(settings: RunSettings) -> Plan:
    return Plan([RunSpec(run, run, run * 64, 1, [], []) for run in "ab"], settings)


def inference(run: str, done: float, unit: str = "blocks") -> Progress:
    return Progress(run, "inference", done, 100, unit)


def test_nothing_is_said_while_nobody_knows() -> None:
    outlook = PlanOutlook(plan(RunSettings()), 0.0)
    assert outlook.take(Progress("a", "load", 0, 7, "loads"), 3.0) is None
    assert outlook.take(inference("a", 2), 4.0) is None


def test_what_was_foretold_counts_down_until_the_pace_tells() -> None:
    outlook = PlanOutlook(plan(RunSettings()), 100.0)
    outlook.expect(30.0)
    assert outlook.take(Progress("a", "load", 0, 7, "loads"), 104.0) == Outlook(26.0)
    assert outlook.take(inference("a", 2), 110.0) == Outlook(20.0)
    assert outlook.take(inference("a", 2), 140.0) == Outlook(0.0)


def test_runs_in_turns_are_timed_from_their_first_inference_on() -> None:
    """Both are loaded and looked at before, which takes 50 s here and says nothing of the rest."""
    outlook = PlanOutlook(plan(RunSettings()), 0.0)
    outlook.take(inference("a", 10), 50.0)
    outlook.take(inference("b", 10), 51.0)
    found = outlook.take(inference("b", 35), 54.0)
    # from .05 to .225 of all in 4 s: .775 are left
    assert found is not None
    assert found.left_s == pytest.approx(4 * 0.775 / 0.175)


def test_runs_one_after_the_other_are_timed_from_the_beginning() -> None:
    outlook = PlanOutlook(plan(RunSettings(interleave=False)), 0.0)
    assert outlook.take(inference("a", 100), 30.0) == Outlook(30.0)
    failed = Failed("b", "load", "crash", "gone")
    assert outlook.take(failed, 31.0) == Outlook(0.0)


def test_what_the_host_may_end_before_takes_at_most_so_long() -> None:
    outlook = PlanOutlook(plan(RunSettings(interleave=False)), 0.0)
    assert outlook.take(inference("a", 50, "blocks at most"), 10.0) == Outlook(30.0, at_most=True)
