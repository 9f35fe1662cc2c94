"""The scenario `offline` on the virtual board: contexts, cores and memory are a model, so all is exact."""

from __future__ import annotations

from typing import Callable, Dict, List, Tuple

import pytest
from agent_bench import TREES, AgentProcess, Bench, model_bytes, of_kind
from rkbench_agent.run.offline import placement_masks
from rkbench_agent.runtimes.base import StageTimes
from rkbench_agent.runtimes.lanes import ClosedLoop, Lane
from rkbench_agent.runtimes.virtual_npu import Call, VirtualNpu, speedup_of
from rkbench_agent.wire.messages import Failed, Finished, Latencies, Message, Progress, Refused
from rkbench_agent.wire.scenario_messages import OfflineStep

CONSTANT = {"distribution": "constant", "median_ms": 10}
Start = Callable[..., AgentProcess]


def offline(bench: Bench, start: Start, behaviour: Dict[str, object], **settings: object) -> List[Message]:
    given: Dict[str, object] = {
        "scenario": "offline",
        "min_iterations": 30,
        "min_duration_s": 1.0,
        **settings,
    }
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(latency=CONSTANT, **behaviour))
    return agent.run(bench.plan(bench.spec(), **given))


def calls(messages: List[Message]) -> Dict[Tuple[str, int], List[int]]:
    """Return how many calls each context made, by placement and number of contexts."""
    counts: Dict[int, int] = {}
    for item in of_kind(messages, Latencies):
        counts[item.block] = counts.get(item.block, 0) + len(item.duration_ns)
    return {(s.placement, s.contexts): [counts[b] for b in s.blocks] for s in of_kind(messages, OfflineStep)}


def test_contexts_fill_the_cores_and_then_wait_for_each_other(bench: Bench, start: Start) -> None:
    messages = offline(bench, start, {}, contexts=[1, 2, 3, 6], placements=["auto", "spread", "0"])
    assert calls(messages) == {
        ("auto", 1): [100],
        ("auto", 2): [100, 100],
        ("auto", 3): [100, 100, 100],
        ("auto", 6): [51, 51, 51, 50, 50, 50],
        ("spread", 1): [100],
        ("spread", 2): [100, 100],
        ("spread", 3): [100, 100, 100],
        ("spread", 6): [51, 51, 51, 50, 50, 50],
        ("0", 1): [100],
        ("0", 2): [51, 50],
        ("0", 3): [34, 34, 34],
        ("0", 6): [18, 18, 18, 17, 17, 17],
    }
    one, two, three, _ = of_kind(messages, OfflineStep)[4:8]
    assert [one.core_masks, two.core_masks, three.core_masks] == [["0"], ["0", "1"], ["0", "1", "2"]]
    assert [len(set(filter(None, step.core_busy_ns or []))) for step in (one, two, three)] == [1, 1, 1]
    assert [step.core_busy_ns and step.core_busy_ns.count(0) for step in (one, two, three)] == [2, 1, 0]
    assert "fewer_contexts" not in {item.code for item in of_kind(messages, Finished)[0].caveats}
    # weights are 1,200,000 B and held once, internal tensors 300,000 B for each context
    assert [step.npu_bytes for step in (one, two, three)] == [1_500_000, 1_800_000, 2_100_000]


def test_every_step_is_told_as_progress(bench: Bench, start: Start) -> None:
    messages = offline(bench, start, {}, contexts=[1, 2], placements=["auto", "all"])
    told = [
        (item.done, item.total, item.unit) for item in of_kind(messages, Progress) if item.unit == "steps"
    ]
    assert told == [(1, 4, "steps"), (2, 4, "steps"), (3, 4, "steps"), (4, 4, "steps")]


def test_a_context_too_many_leaves_what_was_measured_with_fewer(bench: Bench, start: Start) -> None:
    settings = {"contexts": [1, 2, 4, 6], "placements": ["auto", "spread"]}
    messages = offline(bench, start, {"most_contexts": 3}, **settings)
    assert sorted(calls(messages)) == [("auto", 1), ("auto", 2), ("spread", 1), ("spread", 2)]
    (finished,) = of_kind(messages, Finished)
    told = {item.code: item for item in finished.caveats}["fewer_contexts"]
    assert told.message == (
        "4 contexts could not be made (auto), so only fewer were measured:"
        " RKNN init failed. error code: RKNN_ERR_MALLOC_FAIL"
    )
    assert told.weight == "information"
    assert [item.done for item in of_kind(messages, Progress) if item.unit == "steps"] == [1, 2, 3, 5, 6, 7]


def test_a_run_with_no_step_at_all_fails_with_the_reason(bench: Bench, start: Start) -> None:
    messages = offline(bench, start, {"most_contexts": 2}, contexts=[4], placements=["auto"])
    (failed,) = of_kind(messages, Failed)
    assert "4 contexts could not be made (auto)" in failed.message
    assert "--contexts" in failed.advice


def test_a_context_that_fails_ends_the_run_and_leaves_the_steps_before(bench: Bench, start: Start) -> None:
    behaviour = {"fail": [{"stage": "inference", "iteration": 150, "message": "context 2 broke"}]}
    messages = offline(bench, start, behaviour, contexts=[1, 2], placements=["auto"])
    assert list(calls(messages)) == [("auto", 1)]
    (failed,) = of_kind(messages, Failed)
    assert (failed.stage, failed.message) == ("inference", "context 2 broke")


def test_one_core_has_one_placement(bench: Bench, start: Start) -> None:
    bench.root = TREES / "rk3568"
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(latency=CONSTANT))
    plan = bench.plan(
        bench.spec(data=model_bytes("rk3568")), scenario="offline", contexts=[1, 2], placements=["auto"]
    )
    assert calls(agent.run(plan)) == {("auto", 1): [100], ("auto", 2): [50, 50]}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"placements": ["auto"]}, "offline needs the numbers of contexts, each 1 or more"),
        ({"contexts": [0], "placements": ["auto"]}, "offline needs the numbers of contexts, each 1 or more"),
        ({"contexts": [1]}, "offline needs placements"),
        ({"contexts": [1], "placements": ["left"]}, "no placement 'left'"),
    ],
)
def test_a_plan_without_steps_is_refused(
    settings: Dict[str, object], problem: str, bench: Bench, start: Start
) -> None:
    (refused,) = of_kind(offline(bench, start, {}, **settings), Refused)
    assert refused.message == problem


def test_spread_gives_each_context_the_next_core() -> None:
    assert placement_masks("spread", 5, 3) == ["0", "1", "2", "0", "1"]
    assert placement_masks("spread", 2, 1) == ["0", "0"]
    assert placement_masks("all", 2, 3) == ["all", "all"]


# -- the model of the cores


class Context:
    """What the model needs of a runtime: 1 us in, 10 us on the NPU, 2 us out."""

    def __init__(self, *cores: int) -> None:
        self.cores = cores
        self.now_ns = 0

    def clock_ns(self) -> int:
        return self.now_ns

    def skip_to(self, clock_ns: int) -> None:
        self.now_ns = max(self.now_ns, clock_ns)

    def draw_call(self) -> Call:
        return Call(1, 10, 2)

    def end_call(self, stages: StageTimes, end_ns: int) -> None:
        self.now_ns = end_ns


def lanes(*contexts: Context) -> List[Lane]:
    return [Lane(context) for context in contexts]  # type: ignore[arg-type]  # only what the model needs


def run(npu: VirtualNpu, *contexts: Context) -> List[Lane]:
    made = lanes(*contexts)
    npu.run(made, ClosedLoop(4, 0, 0), lambda: None)
    return made


def test_a_core_serves_one_after_the_other_in_the_order_of_asking() -> None:
    first, second = run(VirtualNpu(3), Context(1), Context(1))
    assert (list(first.start_ns), list(first.duration_ns)) == ([0, 13], [13, 20])
    assert (list(second.start_ns), list(second.duration_ns)) == ([0, 23], [23, 20])
    assert [stages and stages.device_ns for stages in second.stages] == [10, 10]
    assert [stages and stages.run_ns for stages in second.stages] == [20, 17]


def test_several_cores_work_on_one_run_when_all_of_them_are_free() -> None:
    npu = VirtualNpu(3)
    together, alone = run(npu, Context(0, 1, 2), Context(0))
    assert [round(speedup_of(cores), 2) for cores in (0, 1, 2, 3)] == [1.0, 1.0, 1.49, 1.77]
    assert list(together.duration_ns) == [1 + 10 + 2, 20]
    assert list(alone.duration_ns) == [1 + 10 + 10 + 2, 20]
    assert npu.core_busy_ns() == [40, 20, 20]


def test_contention_lengthens_a_run_for_each_other_core_that_is_busy() -> None:
    first, second, third = run(VirtualNpu(3, contention=0.1), Context(), Context(), Context())
    assert [lane.duration_ns[0] for lane in (first, second, third)] == [13, 14, 15]
