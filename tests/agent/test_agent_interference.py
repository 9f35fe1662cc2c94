"""The scenario `interference` on the virtual board: two models, and what they do to each other."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

import pytest
from agent_bench import AgentProcess, Bench, model_bytes, of_kind
from rkbench_agent.run.fit import Room, judge_fit
from rkbench_agent.scenarios.interference import Watch
from rkbench_agent.wire.messages import Failed, Finished, Latencies, Message, Progress, Refused
from rkbench_agent.wire.plan import FileFigures
from rkbench_agent.wire.scenario_messages import InterferenceOutputs, InterferenceRound

OWN_MS, OTHER_MS = 10, 5
Start = Callable[..., AgentProcess]


def constant(median_ms: float) -> Dict[str, object]:
    return {"distribution": "constant", "median_ms": median_ms}


def beside(
    bench: Bench, start: Start, behaviour: Dict[str, Any], other: Dict[str, Any], **settings: Any
) -> List[Message]:
    """Run `a` with `b` beside it, which has a behaviour of its own."""
    given: Dict[str, Any] = {"min_iterations": 24, "min_duration_s": 1.2, "placements": ["auto"], **settings}
    per_model = {"b": {"latency": constant(OTHER_MS), **other}}
    written = bench.behaviour(latency=constant(OWN_MS), per_model=per_model, **behaviour)
    checked = {"golden": bench.golden(), "replay": bench.replay()}
    specs = [bench.spec(**checked), bench.spec("b", data=model_bytes(payload=b"\1" * 900), **checked)]
    plan = bench.plan(specs[0], scenario="interference", other=specs[1], **given)
    return start(RKBENCH_VIRTUAL_BEHAVIOUR=written).run(plan)


def calls(messages: List[Message]) -> Dict[str, List[Tuple[int, ...]]]:
    """Return the calls of each round by placement: own alone, other alone, own and other together."""
    counts: Dict[int, int] = {}
    for item in of_kind(messages, Latencies):
        counts[item.block] = counts.get(item.block, 0) + len(item.duration_ns)
    found: Dict[str, List[Tuple[int, ...]]] = {}
    for told in of_kind(messages, InterferenceRound):
        blocks = (told.alone_block, told.other_alone_block, told.block, told.other_block)
        found.setdefault(told.placement, []).append(tuple(counts[block] for block in blocks))
    return found


def test_apart_two_models_keep_their_rates_and_on_one_core_they_share_it(bench: Bench, start: Start) -> None:
    messages = beside(bench, start, {}, {}, placements=["spread", "0"])
    found = calls(messages)
    assert [len(rounds) for rounds in found.values()] == [12, 12]
    # 100 ms a part: ten calls of 10 ms, twenty of 5 ms; on one core they take turns, so each as often.
    assert set(found["spread"]) == {(10, 20, 10, 20)}
    assert {(own, other) for own, other, _, _ in found["0"]} == {(10, 20)}
    assert all(abs(own - other) <= 1 and own < 9 for _, _, own, other in found["0"])
    assert {tuple(told.core_masks) for told in of_kind(messages, InterferenceRound)} == {
        ("0", "1"),
        ("0", "0"),
    }


def test_every_round_is_told_as_progress(bench: Bench, start: Start) -> None:
    messages = beside(bench, start, {}, {})
    told = [(item.done, item.total) for item in of_kind(messages, Progress) if item.unit == "steps"]
    assert told == [(step, 13) for step in range(1, 14)]


def test_outputs_are_the_same_beside_another_model(bench: Bench, start: Start) -> None:
    messages = beside(bench, start, {}, {})
    own, other = of_kind(messages, InterferenceOutputs)
    assert (own.is_other, own.repeats, own.outputs, own.changed) == (False, True, [], [])
    assert (other.is_other, other.repeats, other.changed) == (True, True, [])
    assert min(own.compared, other.compared) >= 24


@pytest.mark.parametrize("spoilt", [False, True])
def test_outputs_that_change_under_load_are_named(spoilt: bool, bench: Bench, start: Start) -> None:
    """`spoilt`: the other model's."""
    behaviours: List[Dict[str, Any]] = [{}, {}]
    behaviours[spoilt] = {"outputs_beside": "wrong"}
    behaviours[1].setdefault("outputs_beside", None)
    messages = beside(bench, start, *behaviours)
    told = {item.is_other: item for item in of_kind(messages, InterferenceOutputs)}
    assert (told[spoilt].outputs, told[spoilt].changed) == (["/head/y"], [told[spoilt].compared])
    assert told[not spoilt].changed == []


def test_outputs_that_do_not_repeat_alone_are_not_compared(bench: Bench, start: Start) -> None:
    messages = beside(bench, start, {}, {"nondeterministic": True})
    own, other = of_kind(messages, InterferenceOutputs)
    assert (own.repeats, other.repeats, other.compared, other.changed) == (True, False, 0, [])


def test_a_second_model_that_fails_ends_the_run_with_its_name_and_reason(bench: Bench, start: Start) -> None:
    failure = {"fail": [{"stage": "inference", "iteration": 100, "message": "it broke"}]}
    messages = beside(bench, start, {}, failure)
    (failed,) = of_kind(messages, Failed)
    assert (failed.stage, failed.message) == ("inference", "b: it broke")
    assert len(of_kind(messages, InterferenceRound)) == 2


def test_a_second_model_that_does_not_load_says_so(bench: Bench, start: Start) -> None:
    messages = beside(bench, start, {}, {"fail": [{"stage": "load", "message": "no room"}]})
    (failed,) = of_kind(messages, Failed)
    assert (failed.stage, failed.message) == ("load", "b: no room")


def test_a_run_that_fails_itself_bears_no_other_name(bench: Bench, start: Start) -> None:
    failure = {"fail": [{"stage": "inference", "iteration": 5, "message": "it broke"}]}
    (failed,) = of_kind(beside(bench, start, failure, {"fail": []}), Failed)
    assert failed.message == "it broke"


def test_what_the_second_model_doubts_is_told_with_its_name(bench: Bench, start: Start) -> None:
    spec = bench.spec(
        "b",
        golden=bench.golden(),
        replay=bench.put_npz(digests=["0" * 64], source="test", outputs____head__y=[[0.0] * 10]),
    )
    plan = bench.plan(
        bench.spec(), scenario="interference", other=spec, placements=["auto"], min_iterations=24
    )
    (finished,) = of_kind(start().run(plan), Finished)
    told = {item.code: item.message for item in finished.caveats}
    assert told["outputs_not_recorded"].startswith("b: ")


def test_models_that_fit_alone_and_not_together_are_not_loaded(bench: Bench) -> None:
    spec = bench.spec(figures=FileFigures(60_000_000, 20_000_000, 1))
    room = Room(available_bytes=120_000_000)
    assert judge_fit(spec, room) is None
    doubt = judge_fit(spec, room, bench.spec("b", figures=spec.figures))
    assert doubt is not None
    assert doubt.hopeless
    assert doubt.message.startswith("the model with b beside it does not fit: it needs about 160.0 MB")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"placements": []}, "interference needs placements"),
        ({"placements": ["up"]}, "no placement 'up'"),
        ({"scenario": "soak"}, "interference needs another model, and no other scenario has one"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(
    settings: Dict[str, Any], problem: str, bench: Bench, start: Start
) -> None:
    given = {"scenario": "interference", **settings}
    plan = bench.plan(bench.spec(), other=bench.spec("b"), **given)
    (refused,) = of_kind(start().run(plan), Refused)
    assert refused.message == problem


def test_a_watch_counts_what_differs_from_the_first_call() -> None:
    class Yields:
        def outputs(self, result: Any) -> Any:
            return result

    watch = Watch(Yields())  # type: ignore[arg-type]  # only what a watch needs
    for values in ([b"a", b"x"], [b"a", b"y"], [b"a", b"x"]):
        watch.look(values)
    assert (watch.seen, watch.changed()) == (3, [(1, 1)])
