"""An agent that lives is waited for as long as its plan allows, and no longer."""

from __future__ import annotations

from rkbench.boards.agent.patience import Patience
from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.messages import Beat, Log, Progress
from rkbench_agent.wire.plan import Plan, RunSettings, RunSpec

SETTINGS = RunSettings(
    warmup_iterations=1,
    min_iterations=10,
    min_duration_s=3.0,
    block_iterations=5,
    load_timeout_s=20.0,
    first_inference_timeout_s=5.0,
    inference_timeout_s=2.0,
    calm_limit_s=1.0,
)
PLAN = Plan([RunSpec("a", "m", "d", 1, [], [])], SETTINGS, lock_wait_s=100.0)


def test_only_what_a_run_does_renews_the_patience() -> None:
    now_s = 0.0
    patience = Patience(PLAN, 10.0, lambda: now_s)
    assert patience.deadline_s == 10 + 100 + 1 + 20 + 5 + 2
    now_s = 50.0
    for message in (Beat(), Reading(1), Log("a", "stdout", "well", 1)):
        patience.hear(message)
    assert patience.deadline_s == 138
    patience.hear(Progress("a", "inference", 1, 10, "iterations"))
    assert patience.deadline_s == 50 + 138
    now_s = 60.0
    patience.hear(Progress("a", "inference", 1, 10, "iterations"))
    assert patience.deadline_s == 50 + 138
    patience.hear(Progress("a", "inference", 2, 10, "iterations"))
    assert patience.deadline_s == 60 + 138


def test_a_plan_that_goes_on_for_ever_ends_as_well() -> None:
    now_s = 1e9
    patience = Patience(PLAN, 10.0, lambda: now_s)
    loads, inferences = 2 * (20 + 5), (1 + 10 + 5 + 100) * 2
    assert patience.total_limit_s == 10 + 100 + 2 * (1 + loads + inferences + 3)
    now_s += patience.total_limit_s
    patience.hear(Progress("a", "inference", 1, 10, "iterations"))
    assert patience.deadline_s == now_s
