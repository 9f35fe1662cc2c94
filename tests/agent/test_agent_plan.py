"""A plan from the first message to Done, over pipes, on the virtual runtime."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Callable, List

import pytest
from agent_bench import TREES, AgentProcess, Bench, of_kind
from rkbench_agent.wire import codec, words
from rkbench_agent.wire.board import Environment, Reading
from rkbench_agent.wire.messages import (
    BoardCaveat,
    Cancel,
    Done,
    Enough,
    Failed,
    Finished,
    Have,
    Hello,
    Latencies,
    LoadMemory,
    Log,
    Message,
    Progress,
    Refused,
    Want,
)
from rkbench_agent.wire.outputs import OutputCheck, OutputError

Start = Callable[..., AgentProcess]


def test_the_first_messages_say_who_speaks_and_what_the_board_is(start: Start) -> None:
    agent = start()
    hello, environment = agent.receive(), agent.receive()
    assert isinstance(hello, Hello)
    assert (hello.magic, hello.protocol, hello.pid) == ("rkbench-agent", 2, agent.process.pid)
    assert isinstance(environment, Environment)
    assert (environment.soc, environment.driver_version, environment.simulated) == ("rk3588", "0.9.8", True)


def test_want_is_answered_with_what_the_cache_has(start: Start, bench: Bench) -> None:
    digest = bench.put(b"model")
    agent = start()
    agent.send(Want([digest, "0" * 64]))
    have = agent.until(Have)
    assert have.digests == [digest]
    assert have.partial == {}
    assert have.cache_dir == str(bench.cache)
    assert have.caveats == []


def test_a_cache_that_cannot_be_asked_is_a_caveat(start: Start) -> None:
    agent = start()
    agent.send(Want(["nonsense"]))
    have = agent.until(Have)
    assert (have.digests, [told.code for told in have.caveats]) == ([], ["cache_unreadable"])
    agent.send(Want(["0" * 64]))
    assert agent.until(Have).caveats == []


def test_a_cache_in_memory_is_a_caveat(start: Start, bench: Bench, tmp_path: Path) -> None:
    bench.root = tmp_path / "root"
    (bench.root / "proc/self").mkdir(parents=True)
    (bench.root / "proc/self/mounts").write_text(f"/dev/x / ext4 rw 0 0\ntmpfs {tmp_path} tmpfs rw 0 0\n")
    agent = start()
    agent.send(Want([]))
    (told,) = agent.until(Have).caveats
    assert (told.code, told.weight) == ("cache_in_memory", "information")
    assert (
        told.message
        == f"{bench.cache} is in memory (tmpfs): cached models take the RAM that is being measured"
    )


def test_one_variant_is_loaded_compared_and_timed(start: Start, bench: Bench) -> None:
    spec = bench.spec(golden=bench.golden(), replay=bench.replay(shift=0.5))
    messages = start().run(bench.plan(spec, warmup_iterations=5, block_iterations=40))

    assert of_kind(messages, Failed) == []
    assert tuple(message.phase for message in of_kind(messages, LoadMemory)) == words.PHASES
    assert of_kind(messages, LoadMemory)[2].npu_total_bytes == 1_500_000
    assert [error.case for error in of_kind(messages, OutputError)] == [0, 1, 2, 3]
    assert {round(error.max_abs_error or 0.0, 5) for error in of_kind(messages, OutputError)} == {0.5}
    assert of_kind(messages, OutputCheck) == [OutputCheck("a", 0, "/head/y", None, False)]

    batches = of_kind(messages, Latencies)
    assert [(batch.block, batch.warmup, len(batch.duration_ns)) for batch in batches] == [
        (0, True, 5),
        (0, False, 40),
        (1, False, 40),
        (2, False, 40),
    ]
    assert of_kind(messages, Reading)[0].ddr_clock_hz == 528_000_000
    (finished,) = of_kind(messages, Finished)
    assert finished.iterations == 120
    assert finished.caveats == []
    assert finished.provenance.latency == "modelled"
    assert finished.provenance.outputs == "vendor_simulator"
    assert [error.source for error in of_kind(messages, OutputError)][:2] == ["vendor_simulator", None]
    assert isinstance(messages[-1], Done)


def test_two_variants_take_turns_in_the_order_a_b_b_a(start: Start, bench: Bench) -> None:
    runs = [bench.spec("a"), bench.spec("b")]
    messages = start().run(bench.plan(*runs, block_iterations=25))
    order = "".join(batch.run for batch in of_kind(messages, Latencies) if not batch.warmup)
    assert order == "abbaabba"
    assert [message.run for message in of_kind(messages, Finished)] == ["a", "b"]
    assert of_kind(messages, BoardCaveat) == []


def test_every_load_is_fresh_and_the_first_iterations_of_a_turn_are_told_apart(
    start: Start, bench: Bench
) -> None:
    path = bench.behaviour(log=[{"stage": "load", "text": "a load"}])
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=path)
    runs = [bench.spec(name) for name in "abc"]
    plan = bench.plan(*runs, loads=3, quads=2, unread_iterations=3, min_iterations=1, block_iterations=5)
    messages = agent.run(plan)
    batches = [batch for batch in of_kind(messages, Latencies) if not batch.warmup]
    assert "".join(batch.run for batch in batches) == "abccba" * 6
    assert "".join(str(batch.load) for batch in batches if batch.run == "a") == "000011112222"
    assert {(batch.unread, len(batch.duration_ns)) for batch in batches} == {(3, 8)}
    assert [finished.iterations for finished in of_kind(messages, Finished)] == [60, 60, 60]
    told = [log.text for log in of_kind(messages, Log, "a")]
    assert told.count("a load") == 4  # alone, and once for each load


def test_the_host_is_told_of_the_memory_of_every_load(start: Start, bench: Bench) -> None:
    plan = bench.plan(bench.spec("a"), bench.spec("b"), loads=2, quads=1, min_iterations=1)
    messages = start().run(plan)
    told = [(memory.load, memory.phase) for memory in of_kind(messages, LoadMemory, "b")]
    assert told == [(load, phase) for load in (0, 1, 2) for phase in words.PHASES]


def test_both_go_on_until_both_are_done(start: Start, bench: Bench) -> None:
    slow = {"distribution": "constant", "median_ms": 50.0}
    fast = {"distribution": "constant", "median_ms": 5.0}
    path = bench.behaviour(per_model={"a": {"latency": slow}, "b": {"latency": fast}})
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=path)
    plan = bench.plan(
        bench.spec("a"), bench.spec("b"), min_iterations=20, min_duration_s=1.0, block_iterations=10
    )
    batches = [batch for batch in of_kind(agent.run(plan), Latencies) if not batch.warmup]
    assert "".join(batch.run for batch in batches) == "abba" * 10


def test_without_interleaving_each_variant_is_done_before_the_next(start: Start, bench: Bench) -> None:
    runs = [bench.spec("a"), bench.spec("b")]
    messages = start().run(bench.plan(*runs, interleave=False, block_iterations=50))
    order = "".join(batch.run for batch in of_kind(messages, Latencies) if not batch.warmup)
    assert order == "aabb"


def test_a_model_that_is_not_in_the_cache_fails_and_the_next_variant_runs(start: Start, bench: Bench) -> None:
    messages = start().run(bench.plan(bench.spec("a", model="1" * 64), bench.spec("b")))
    (failed,) = of_kind(messages, Failed)
    assert (failed.run, failed.stage, failed.reason) == ("a", "start", "bad_input")
    assert [message.run for message in of_kind(messages, Finished)] == ["b"]


def test_a_plan_without_runs_is_refused(start: Start, bench: Bench) -> None:
    messages = start().run(bench.plan())
    assert of_kind(messages, Refused)[0].reason == "bad_input"


def small_board(bench: Bench, tmp_path: Path, available_kb: int) -> None:
    """Put the bench on an rk3588 with little memory."""
    bench.root = tmp_path / "small"
    shutil.copytree(TREES / "rk3588", bench.root, symlinks=True)
    (bench.root / "proc/meminfo").write_text(f"MemTotal: 2000000 kB\nMemAvailable: {available_kb} kB\n")


def test_variants_that_do_not_fit_together_load_and_warm_up_for_every_block(
    start: Start, bench: Bench, tmp_path: Path
) -> None:
    small_board(bench, tmp_path, available_kb=20_000)
    messages = start().run(
        bench.plan(bench.spec("a"), bench.spec("b"), block_iterations=50, warmup_iterations=3)
    )
    assert of_kind(messages, Failed) == []
    batches = [(batch.run, batch.block, batch.warmup) for batch in of_kind(messages, Latencies)]
    assert batches == [
        ("a", 0, True),
        ("a", 0, False),
        ("b", 0, True),
        ("b", 0, False),
        ("b", 1, True),
        ("b", 1, False),
        ("a", 1, True),
        ("a", 1, False),
    ]
    phases = [(memory.load, memory.phase) for memory in of_kind(messages, LoadMemory, "a")]
    assert phases == [(load, phase) for load in (0, 1, 2) for phase in words.PHASES]


def test_a_run_that_fails_in_its_turn_leaves_the_others_going(start: Start, bench: Bench) -> None:
    crash = {"stage": "inference", "iteration": 60, "signal": "SIGSEGV"}
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(per_model={"b": {"crash": crash}}))
    runs = [bench.spec("a"), bench.spec("b"), bench.spec("c")]
    messages = agent.run(bench.plan(*runs, block_iterations=25))
    order = "".join(batch.run for batch in of_kind(messages, Latencies) if not batch.warmup)
    assert order == "abc" + "cba" + "ac" + "ca"
    assert [(failed.run, failed.signal) for failed in of_kind(messages, Failed)] == [("b", "SIGSEGV")]
    assert sorted(message.run for message in of_kind(messages, Finished)) == ["a", "c"]


def test_blocks_of_all_variants_follow_one_another_on_the_virtual_clock(start: Start, bench: Bench) -> None:
    messages = start().run(bench.plan(bench.spec("a"), bench.spec("b"), block_iterations=25))
    batches = [batch for batch in of_kind(messages, Latencies) if not batch.warmup]
    starts = [start_ns for batch in batches for start_ns in batch.start_ns]
    assert len(starts) == 200
    assert starts == sorted(starts)


def test_virtual_time_counts_for_the_least_duration(start: Start, bench: Bench) -> None:
    path = bench.behaviour(latency={"distribution": "constant", "median_ms": 100.0})
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=path)
    messages = agent.run(bench.plan(bench.spec("a"), min_iterations=10, min_duration_s=60.0))
    (finished,) = of_kind(messages, Finished)
    assert finished.iterations == 600
    progress = of_kind(messages, Progress)[-1]
    assert (progress.stage, progress.total, progress.unit) == ("inference", 60.0, "seconds")


def test_the_longest_duration_ends_a_run_within_a_block(start: Start, bench: Bench) -> None:
    path = bench.behaviour(latency={"distribution": "constant", "median_ms": 100.0})
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=path)
    messages = agent.run(bench.plan(bench.spec("a"), min_iterations=1000, max_duration_s=2.0))
    (finished,) = of_kind(messages, Finished)
    assert (finished.iterations, [item.code for item in finished.caveats]) == (20, ["max_duration_reached"])


def test_the_longest_duration_ends_runs_that_take_turns(start: Start, bench: Bench) -> None:
    path = bench.behaviour(latency={"distribution": "constant", "median_ms": 100.0})
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=path)
    runs = [bench.spec("a"), bench.spec("b")]
    messages = agent.run(bench.plan(*runs, unread_iterations=3, min_iterations=1000, max_duration_s=2.45))
    # 20 calls are read of a block: the second one is cut to what is left, without those after the switch
    assert [finished.iterations for finished in of_kind(messages, Finished)] == [25, 25]


def test_a_virtual_run_has_stages_that_sum_to_the_call(start: Start, bench: Bench) -> None:
    messages = start().run(bench.plan(bench.spec("a"), min_iterations=10))
    batch = of_kind(messages, Latencies)[-1]
    assert batch.set_inputs_ns and batch.run_ns and batch.get_outputs_ns
    sums = [sum(parts) for parts in zip(batch.set_inputs_ns, batch.run_ns, batch.get_outputs_ns)]
    assert sums == batch.duration_ns


def test_outputs_that_nobody_recorded_are_not_invented(start: Start, bench: Bench) -> None:
    messages = start().run(bench.plan(bench.spec("a", golden=bench.golden(4), replay=bench.replay(2))))
    assert {error.case for error in of_kind(messages, OutputError)} == {0, 1}
    messages = start().run(bench.plan(bench.spec("a", golden=bench.golden(4))))
    assert of_kind(messages, OutputError) == []
    assert of_kind(messages, OutputCheck) == []
    (finished,) = of_kind(messages, Finished)
    assert [caveat.code for caveat in finished.caveats] == ["outputs_not_recorded"]
    assert finished.provenance.outputs is None


def test_wrong_constant_and_nan_outputs_are_seen(start: Start, bench: Bench) -> None:
    path = bench.behaviour(
        per_model={name: {"outputs": name} for name in ("wrong", "constant", "nan")},
    )
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=path)
    parts = {"golden": bench.golden(), "replay": bench.replay()}
    runs = [bench.spec(name, **parts) for name in ("wrong", "constant", "nan", "good")]
    messages = agent.run(bench.plan(*runs, min_iterations=10))
    constant = {check.run: check.constant for check in of_kind(messages, OutputCheck)}
    assert constant == {"wrong": False, "constant": True, "nan": True, "good": False}
    assert [error.nan_count for error in of_kind(messages, OutputError, "nan")] == [10, 10, 10, 10]
    assert {error.max_abs_error for error in of_kind(messages, OutputError, "good")} == {0.0}
    assert min(error.max_abs_error or 0.0 for error in of_kind(messages, OutputError, "wrong")) > 1.0


def test_outputs_that_differ_for_equal_inputs_are_seen(start: Start, bench: Bench) -> None:
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(nondeterministic=True))
    messages = agent.run(bench.plan(bench.spec("a", golden=bench.golden(), replay=bench.replay())))
    assert of_kind(messages, OutputCheck) == [OutputCheck("a", 0, "/head/y", False, False)]


def test_a_cancel_without_a_plan_gets_no_done(start: Start, bench: Bench) -> None:
    agent = start()
    agent.send(Cancel())
    messages = agent.run(bench.plan(bench.spec("a")))
    assert len(of_kind(messages, Done)) == 1
    assert len(of_kind(messages, Finished)) == 1


def test_a_cancel_that_comes_with_its_plan_ends_it(start: Start, bench: Bench) -> None:
    agent = start()
    agent.until(Environment)
    assert agent.process.stdin is not None
    plan = bench.plan(bench.spec("a"))
    agent.process.stdin.write(codec.encode(plan) + codec.encode(Cancel()))
    agent.until(Done)
    assert agent.children() == []


@pytest.mark.parametrize("runs", [["a"], ["a", "b"]])
def test_enough_of_a_run_ends_its_timed_part_early(start: Start, bench: Bench, runs: List[str]) -> None:
    agent = start()
    agent.send(bench.plan(*map(bench.spec, runs), min_iterations=1_000_000, block_iterations=20))
    messages: List[Message] = []
    while not messages or not isinstance(messages[-1], Done):
        message = agent.receive()
        assert message is not None
        messages.append(message)
        if isinstance(message, Latencies) and not message.warmup and message.block == 0:
            agent.send(Enough(message.run))
    assert sorted(finished.run for finished in of_kind(messages, Finished)) == runs
    for finished in of_kind(messages, Finished):
        timed = [item for item in of_kind(messages, Latencies, finished.run) if not item.warmup]
        assert [item.block for item in timed] == list(range(len(timed)))
        assert finished.iterations == 20 * len(timed) < 1_000_000


def test_runs_in_turns_end_with_the_round_in_which_enough_is_known_of_all(start: Start, bench: Bench) -> None:
    agent = start()
    agent.send(bench.plan(bench.spec("a"), bench.spec("b"), min_iterations=4000, block_iterations=20))
    agent.until(Latencies, lambda item: not item.warmup)
    agent.send(Enough("a"))
    agent.send(Enough("b"))
    first, second = agent.until(Finished), agent.until(Finished)
    assert (first.run, second.run) == ("a", "b")
    assert first.iterations == second.iterations < 4000
    assert first.iterations % 40 == 0


def test_enough_of_one_of_two_in_turns_ends_neither(start: Start, bench: Bench) -> None:
    agent = start()
    agent.send(bench.plan(bench.spec("a"), bench.spec("b"), min_iterations=400, block_iterations=20))
    agent.until(Latencies, lambda item: not item.warmup)
    agent.send(Enough("a"))
    assert [agent.until(Finished).iterations for _ in "ab"] == [400, 400]


def test_enough_that_crosses_the_end_of_its_run_or_names_none_harms_nothing(
    start: Start, bench: Bench
) -> None:
    agent = start()
    agent.send(Enough("a"))
    assert of_kind(agent.run(bench.plan(bench.spec("a"))), Finished)[0].iterations == 100
    agent.send(Enough("a"))
    agent.send(bench.plan(bench.spec("a"), bench.spec("b")))
    assert agent.until(Finished).iterations == 100
    agent.send(Enough("a"))
    agent.send(Enough("nobody"))
    assert agent.until(Finished).iterations == 100
    agent.until(Done)


def test_a_slow_load_takes_virtual_time_only(start: Start, bench: Bench) -> None:
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(load_s=90.0))
    messages = agent.run(bench.plan(bench.spec("a"), min_iterations=1))
    durations = {memory.phase: memory.duration_ns for memory in of_kind(messages, LoadMemory)}
    assert durations["runtime_initialised"] == 90_000_000_000
