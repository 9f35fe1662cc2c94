"""What goes wrong in a worker becomes a Failed with its cause, and the next variant still runs."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any, Callable, List, Tuple

import pytest
from agent_bench import AgentProcess, Bench, is_alive, model_bytes, of_kind, wait_until_gone
from rkbench_agent.wire.codec import decode, encode
from rkbench_agent.wire.messages import Failed, Finished, Latencies, LoadMemory, Log, Message
from rkbench_agent.wire.outputs import OutputError
from rkbench_agent.wire.plan import Plan, RunSpec, TensorSpec

Start = Callable[..., AgentProcess]


def run_two(
    start: Start, bench: Bench, limit_s: float = 20.0, **behaviour: Any
) -> Tuple[Failed, List[Message]]:
    """Run the variants `bad`, which has the behaviour, and `good`; return how `bad` failed."""
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(per_model={"bad": behaviour}))
    runs = [bench.spec("bad", golden=bench.golden(), replay=bench.replay()), bench.spec("good")]
    plan = bench.plan(
        *runs, inference_timeout_s=limit_s, first_inference_timeout_s=limit_s, load_timeout_s=20.0
    )
    messages = agent.run(plan)
    assert [message.run for message in of_kind(messages, Finished)] == ["good"]
    (failed,) = of_kind(messages, Failed)
    assert failed.run == "bad"
    return failed, messages


@pytest.mark.parametrize("stage", ["load", "first_inference", "golden", "warmup", "inference", "release"])
def test_a_crash_names_the_stage_and_the_signal(start: Start, bench: Bench, stage: str) -> None:
    failed, _ = run_two(start, bench, crash={"stage": stage, "signal": "SIGABRT"})
    assert (failed.stage, failed.reason, failed.signal, failed.exit_code) == (stage, "crash", "SIGABRT", None)


def test_the_last_words_before_a_segfault_arrive(start: Start, bench: Bench) -> None:
    failed, messages = run_two(
        start,
        bench,
        log=[{"stage": "load", "text": "I RKNN: last words"}],
        crash={"stage": "load", "signal": "SIGSEGV"},
    )
    assert failed.signal == "SIGSEGV"
    assert failed.log_tail == ["I RKNN: last words"]
    assert ("bad", "stdout", "I RKNN: last words") in [
        (log.run, log.stream, log.text) for log in of_kind(messages, Log)
    ]


@pytest.mark.parametrize("stage", ["first_inference", "golden", "inference"])
def test_a_hang_is_killed_after_the_limit_of_its_stage(start: Start, bench: Bench, stage: str) -> None:
    failed, _ = run_two(start, bench, limit_s=1.5, hang={"stage": stage, "iteration": 1})
    assert (failed.stage, failed.reason, failed.signal) == (stage, "hang", "SIGKILL")
    assert failed.message == f"nothing happened for 1.5 s during {stage}: the worker was killed"


def test_a_hang_while_loading_is_killed_after_the_limit_of_loading(start: Start, bench: Bench) -> None:
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(hang={"stage": "load"}))
    messages = agent.run(bench.plan(bench.spec("a"), load_timeout_s=3.0))
    (failed,) = of_kind(messages, Failed)
    assert (failed.stage, failed.reason) == ("load", "hang")


def test_an_exit_without_a_word_is_a_crash_with_its_code(start: Start, bench: Bench) -> None:
    failed, _ = run_two(start, bench, exit={"stage": "first_inference", "code": 3})
    assert (failed.stage, failed.reason, failed.signal, failed.exit_code) == (
        "first_inference",
        "crash",
        None,
        3,
    )


def test_an_error_of_the_runtime_carries_its_message(start: Start, bench: Bench) -> None:
    failed, _ = run_two(start, bench, fail={"stage": "inference", "iteration": 30, "message": "E no"})
    assert (failed.stage, failed.reason, failed.message) == ("inference", "runtime_error", "E no")


def test_a_failed_allocation_of_the_runtime_is_out_of_memory(start: Start, bench: Bench) -> None:
    failed, _ = run_two(start, bench, out_of_memory={"stage": "load"})
    assert (failed.stage, failed.reason, failed.signal) == ("load", "out_of_memory", None)
    assert "errno: 12" in failed.message


@pytest.mark.parametrize(
    ("stage", "iteration"),
    [("first_inference", 0), ("golden", 2), ("warmup", 4), ("inference", 0), ("inference", 70)],
)
def test_a_failed_run_that_the_runtime_swallows_is_a_failure(
    start: Start, bench: Bench, stage: str, iteration: int
) -> None:
    failed, messages = run_two(start, bench, swallowed={"stage": stage, "iteration": iteration})
    assert (failed.stage, failed.reason) == (stage, "runtime_error")
    assert "failed to submit!" in failed.message
    cases = [error.case for error in of_kind(messages, OutputError, "bad")]
    assert cases == {"first_inference": [], "golden": [0, 1]}.get(stage, [0, 1, 2, 3])
    blocks = [batch for batch in of_kind(messages, Latencies, "bad") if not batch.warmup]
    assert len(blocks) == (1 if (stage, iteration) == ("inference", 70) else 0)


def test_the_harmless_line_of_static_models_is_no_failure(start: Start, bench: Bench) -> None:
    text = "E RKNN: failed to submit? no: query RKNN_QUERY_INPUT_DYNAMIC_RANGE error, static shape"
    log = [{"stage": "first_inference", "text": text, "stream": "stderr"}]
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(log=log))
    messages = agent.run(bench.plan(bench.spec("a")))
    assert of_kind(messages, Failed) == []
    assert text in [line.text for line in of_kind(messages, Log)]


def test_what_was_measured_before_a_failure_is_sent(start: Start, bench: Bench) -> None:
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(crash={"stage": "inference", "iteration": 120}))
    messages = agent.run(bench.plan(bench.spec("a"), min_iterations=200, block_iterations=50))
    assert sum(len(batch.duration_ns) for batch in of_kind(messages, Latencies) if not batch.warmup) == 100
    assert len(of_kind(messages, LoadMemory)) == 5


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "parseRKNN: invalid RKNN_MAGIC!"),
        (bytes(range(255, 0, -1)) * 16, "parseRKNN: invalid RKNN_MAGIC!"),
        (model_bytes()[:-20], "exportDataSize large then model size"),
        (model_bytes()[:500], "exportDataSize large then model size"),
        (model_bytes(version=9), "Invalid RKNN model version 9"),
        (model_bytes(platform="RK1808"), "This rknn model is for RK1808"),
        (model_bytes(version=0x1004), "Invalid RKNN model version 4100"),
        (model_bytes(platform="rk3568"), "This rknn model is for RK3568, but current platform is RK3588"),
    ],
    ids=["empty", "noise", "cut", "cut short", "version 9", "RK1808", "mini", "rk3568"],
)
def test_a_file_that_no_runtime_would_take_fails_while_loading(
    start: Start, bench: Bench, data: bytes, text: str
) -> None:
    messages = start().run(bench.plan(bench.spec("a", data)))
    (failed,) = of_kind(messages, Failed)
    assert (failed.stage, failed.reason) == ("load", "runtime_error")
    assert text in failed.message
    assert failed.advice != ""


def test_a_kill_by_the_kernel_for_memory_is_told_from_any_other(
    start: Start, bench: Bench, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / "proc").mkdir(parents=True)
    (root / "proc/vmstat").write_text("pgfault 1\noom_kill 4\n")
    bench.root = root
    log = [{"stage": "load", "text": "here"}]
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(log=log, hang={"stage": "load"}))
    agent.send(bench.plan(bench.spec("a")))
    agent.until(Log, lambda message: message.text == "here")
    (root / "proc/vmstat").write_text("pgfault 1\noom_kill 5\n")
    os.kill(agent.children()[0], signal.SIGKILL)
    failed = agent.until(Failed)
    assert (failed.reason, failed.stage, failed.signal) == ("out_of_memory", "load", "SIGKILL")


def test_a_killed_worker_without_a_sign_of_the_kernel_is_a_crash(start: Start, bench: Bench) -> None:
    failed, _ = run_two(start, bench, crash={"stage": "inference", "signal": "SIGKILL"})
    assert (failed.reason, failed.signal) == ("crash", "SIGKILL")
    assert "dmesg" in failed.advice


def test_a_worker_is_the_first_to_be_killed_for_memory_and_leaves_no_core(start: Start, bench: Bench) -> None:
    log = [{"stage": "load", "text": "here"}]
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(log=log, hang={"stage": "load"}))
    agent.send(bench.plan(bench.spec("a")))
    agent.until(Log, lambda message: message.text == "here")
    (worker,) = agent.children()
    assert Path(f"/proc/{worker}/oom_score_adj").read_text() == "1000\n"
    limits = Path(f"/proc/{worker}/limits").read_text().splitlines()
    # 1 byte: no file, and nothing for systemd-coredump either, which 0 would still feed
    assert [line.split()[4:6] for line in limits if line.startswith("Max core")] == [["1", "1"]]
    agent.process.send_signal(signal.SIGKILL)
    wait_until_gone([worker])
    assert not is_alive(worker)


def test_a_golden_that_does_not_fit_shows_both_sides(start: Start, bench: Bench) -> None:
    tensors = [TensorSpec("x", [1, 8, 8, 3], "uint8", "NHWC")]
    messages = start().run(bench.plan(bench.spec("a", golden=bench.golden(), inputs=tensors)))
    (failed,) = of_kind(messages, Failed)
    assert failed.reason == "bad_input"
    assert failed.message == "inputs/x: the golden has [1, 4, 4, 3] per case, the model wants [1, 8, 8, 3]"


def test_a_bug_in_the_worker_shows_its_traceback(start: Start, bench: Bench) -> None:
    messages = start().run(bench.plan(bench.spec("a", inputs=[TensorSpec("x", [1, 4, 4, 3], "no dtype")])))
    (failed,) = of_kind(messages, Failed)
    assert (failed.reason, failed.exit_code) == ("crash", 1)
    assert "TypeError" in failed.message


def test_the_spec_of_a_run_survives_the_wire() -> None:
    spec = RunSpec("a", "a", "0" * 64, 1, [], [])
    assert decode(encode(Plan([spec]))) == Plan([spec])
    assert sys.version_info >= (3, 8)


def test_a_board_that_allows_no_core_files_at_all_measures(start: Start, bench: Bench) -> None:
    agent = start()
    # Nobody may raise a hard limit: containers and hardened systems have 0 there.
    resource.prlimit(agent.process.pid, resource.RLIMIT_CORE, (0, 0))
    agent.send(bench.plan(bench.spec("a")))
    agent.until(Finished)
