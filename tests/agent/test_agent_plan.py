"""A plan from the first message to Done, over pipes, on the virtual runtime."""

from __future__ import annotations

from typing import Callable

from agent_bench import AgentProcess, Bench, of_kind
from rkbench_agent import protocol
from rkbench_agent.protocol import (
    Done,
    Environment,
    Failed,
    Finished,
    Have,
    Hello,
    Latencies,
    LoadMemory,
    OutputCheck,
    OutputError,
    Reading,
    Refused,
    Want,
)

Start = Callable[..., AgentProcess]


def test_the_first_messages_say_who_speaks_and_what_the_board_is(start: Start) -> None:
    agent = start()
    hello, environment = agent.receive(), agent.receive()
    assert isinstance(hello, Hello)
    assert (hello.magic, hello.protocol, hello.pid) == ("rkbench-agent", 1, agent.process.pid)
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


def test_one_variant_is_loaded_compared_and_timed(start: Start, bench: Bench) -> None:
    spec = bench.spec(golden=bench.golden(), replay=bench.replay(shift=0.5))
    messages = start().run(bench.plan(spec, warmup_iterations=5, block_iterations=40))

    assert of_kind(messages, Failed) == []
    assert tuple(message.phase for message in of_kind(messages, LoadMemory)) == protocol.PHASES
    assert of_kind(messages, LoadMemory)[2].npu_total_bytes == 1_500_000
    assert [error.case for error in of_kind(messages, OutputError)] == [0, 1, 2, 3]
    assert {round(error.max_abs_error or 0.0, 5) for error in of_kind(messages, OutputError)} == {0.5}
    assert of_kind(messages, OutputCheck) == [OutputCheck("a", 0, "/head/y", None, False)]

    batches = of_kind(messages, Latencies)
    assert [(batch.block, batch.warmup, len(batch.duration_ns)) for batch in batches] == [
        (0, True, 5),
        (0, False, 40),
        (1, False, 40),
        (2, False, 20),
    ]
    assert of_kind(messages, Reading)[0].ddr_clock_hz == 528_000_000
    (finished,) = of_kind(messages, Finished)
    assert finished.iterations == 100
    assert finished.provenance["latency"] == "modelled"
    assert finished.provenance["outputs"] == "vendor_simulator"
    assert isinstance(messages[-1], Done)


def test_two_variants_take_turns_in_the_order_a_b_b_a(start: Start, bench: Bench) -> None:
    runs = [bench.spec("a"), bench.spec("b")]
    messages = start().run(bench.plan(*runs, block_iterations=25))
    order = "".join(batch.run for batch in of_kind(messages, Latencies) if not batch.warmup)
    assert order == "abbaabba"
    assert [message.run for message in of_kind(messages, Finished)] == ["b", "a"]


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
