"""The `lite` runtime against a stand-in that behaves as RKNNLite 2.5.0 was seen to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from agent_bench import TREES, AgentProcess, Bench, golden_arrays, of_kind
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.messages import BoardCaveat, Failed, Finished, Latencies, LoadMemory, Log, Message
from rkbench_agent.wire.outputs import OutputCheck, OutputError

Start = Callable[..., AgentProcess]
STANDIN = str(Path(__file__).parent / "standin")


def run_lite(start: Start, bench: Bench, plan: Dict[str, Any], **environ: str) -> List[Message]:
    """Run one variant on the stand-in."""
    inputs, _ = golden_arrays(3)
    sums = inputs.reshape(3, -1).astype(np.int64).sum(axis=1)
    outputs = sums.reshape(3, 1, 1) + np.arange(10, dtype=np.float32).reshape(1, 1, 10)
    golden = bench.put_npz(inputs__x=inputs, outputs____head__y=outputs.astype(np.float32))
    agent = start(PYTHONPATH=STANDIN, STANDIN_CALLS=str(bench.folder / "calls"), **environ)
    return agent.run(bench.plan(bench.spec("a", golden=golden), runtime="lite", **plan))


def calls(bench: Bench, name: str) -> List[Dict[str, Any]]:
    """Return the calls of a method that the stand-in saw."""
    lines = (bench.folder / "calls").read_text().splitlines()
    return [call for call in map(json.loads, lines) if call["call"] == name]


def test_a_run_on_rknnlite_is_measured_in_every_kind(start: Start, bench: Bench) -> None:
    messages = run_lite(start, bench, {"min_iterations": 60, "block_iterations": 30})
    assert of_kind(messages, Failed) == []
    (finished,) = of_kind(messages, Finished)
    assert finished.iterations == 60
    assert set(vars(finished.provenance).values()) == {"measured"}
    errors = of_kind(messages, OutputError)
    assert [(error.case, error.max_abs_error, error.snr_infinite) for error in errors] == [
        (0, 0.0, 1),
        (1, 0.0, 1),
        (2, 0.0, 1),
    ]
    assert of_kind(messages, OutputCheck) == [OutputCheck("a", 0, "/head/y", True, False)]
    timed = [batch for batch in of_kind(messages, Latencies) if not batch.warmup]
    assert [batch.run_ns for batch in timed] == [[1_234_000] * 30, [1_234_000] * 30]
    assert [(batch.set_inputs_ns, batch.get_outputs_ns) for batch in timed] == [(None, None), (None, None)]
    assert {memory.npu_total_bytes for memory in of_kind(messages, LoadMemory)} == {None}


def test_without_a_golden_the_outputs_are_still_watched(start: Start, bench: Bench) -> None:
    agent = start(PYTHONPATH=STANDIN)
    messages = agent.run(bench.plan(bench.spec("a"), runtime="lite", min_iterations=5))
    assert of_kind(messages, OutputError) == []
    assert of_kind(messages, OutputCheck) == [OutputCheck("a", 0, "/head/y", True, False)]
    assert of_kind(messages, Finished)[0].provenance.outputs is None


def test_the_format_is_a_str_so_that_no_call_spoils_the_next(start: Start, bench: Bench) -> None:
    run_lite(start, bench, {"min_iterations": 10})
    assert {call["data_format"] for call in calls(bench, "inference")} == {"nhwc"}


def test_no_target_is_named_on_the_board(start: Start, bench: Bench) -> None:
    run_lite(start, bench, {"min_iterations": 1})
    assert calls(bench, "init_runtime") == [{"call": "init_runtime", "target": None, "core_mask": 0}]


@pytest.mark.parametrize(
    ("name", "mask"), [("auto", 0), ("0", 1), ("1", 2), ("2", 4), ("0-1", 3), ("all", 7)]
)
def test_cores_are_named_by_mask_on_a_board_of_three(
    start: Start, bench: Bench, name: str, mask: int
) -> None:
    messages = run_lite(start, bench, {"min_iterations": 1, "core_mask": name})
    assert of_kind(messages, Failed) == []
    assert [call["core_mask"] for call in calls(bench, "init_runtime")] == [mask]


def test_a_board_of_one_core_is_never_given_a_mask(start: Start, bench: Bench) -> None:
    bench.root = TREES / "rk3568"
    messages = run_lite(start, bench, {"min_iterations": 1, "core_mask": "all"}, STANDIN_SOC="rk3568")
    assert [call["core_mask"] for call in calls(bench, "init_runtime")] == [0]
    (finished,) = of_kind(messages, Finished)
    assert [caveat.code for caveat in finished.caveats] == ["core_mask_ignored"]


@pytest.mark.parametrize(
    ("n", "stage"),
    [(1, "first_inference"), (3, "first_inference"), (5, "golden"), (9, "warmup"), (40, "inference")],
)
def test_a_failed_run_that_rknnlite_swallows_is_a_failure(
    start: Start, bench: Bench, n: int, stage: str
) -> None:
    messages = run_lite(start, bench, {"min_iterations": 60}, STANDIN_FAIL_RUN=str(n))
    (failed,) = of_kind(messages, Failed)
    assert (failed.stage, failed.reason) == (stage, "runtime_error")
    assert "failed to submit!, invalid run task counter: 210 >= 70" in failed.message
    assert of_kind(messages, Finished) == []


def test_none_from_inference_is_a_failure_with_the_text_of_the_log(start: Start, bench: Bench) -> None:
    messages = run_lite(start, bench, {}, STANDIN_NONE="20")
    (failed,) = of_kind(messages, Failed)
    assert (failed.stage, failed.reason) == ("inference", "runtime_error")
    assert failed.message == (
        "the runtime returned no outputs: Exception: Set inputs failed. error code: RKNN_ERR_PARAM_INVALID"
    )


@pytest.mark.parametrize(
    ("line", "reason", "advice"),
    [
        ("This rknn model is for RK3568, but current platform is RK3588", "runtime_error", "target_platform"),
        ("failed to open rknpu module, need to insmod rknpu dirver!", "missing", "render and video"),
        ("failed to malloc npu memory!, size: 59187712, flags: 0x2", "out_of_memory", "memory"),
        ("Invalid RKNN model version 6", "runtime_error", "newer than librknnrt"),
    ],
)
def test_a_refused_load_says_why_and_what_to_do(
    start: Start, bench: Bench, line: str, reason: str, advice: str
) -> None:
    messages = run_lite(start, bench, {}, STANDIN_INIT="RKNN_ERR_FAIL", STANDIN_INIT_LINE=line)
    (failed,) = of_kind(messages, Failed)
    assert (failed.stage, failed.reason) == ("load", reason)
    assert failed.message == (f"RKNNLite.init_runtime returned -1: E RKNN: [00:07:52.145] {line}")
    assert advice in failed.advice


@pytest.mark.parametrize("value", ["raise", "absent", "0"])
def test_a_runtime_that_does_not_tell_its_run_time_leaves_it_unknown(
    start: Start, bench: Bench, value: str
) -> None:
    messages = run_lite(start, bench, {"min_iterations": 5}, STANDIN_RUN_PERF=value)
    assert of_kind(messages, Failed) == []
    assert [batch.run_ns for batch in of_kind(messages, Latencies)] == [None, None]


def test_lines_of_the_runtime_are_captured_with_their_stream(start: Start, bench: Bench) -> None:
    messages = run_lite(start, bench, {"min_iterations": 1})
    lines = {(log.stream, log.text) for log in of_kind(messages, Log)}
    assert (
        "stdout",
        "I RKNN: [00:07:52.145] RKNN Model Information: version: 6, target: RKNPU v2",
    ) in lines
    assert ("stderr", "W rknn-toolkit-lite2 version: 2.5.0") in lines


def test_without_rknnlite_the_advice_is_to_install_it(start: Start, bench: Bench) -> None:
    messages = start().run(bench.plan(bench.spec("a"), runtime="lite"))
    (failed,) = of_kind(messages, Failed)
    assert (failed.stage, failed.reason) == ("load", "missing")
    assert failed.message == "cannot import RKNNLite: No module named 'rknnlite'"
    assert failed.advice.startswith("pip install rknn-toolkit-lite2")


def test_without_numpy_the_advice_is_to_install_it(start_anew: Start, bench: Bench, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "numpy.py").write_text("raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')\n")
    agent = start_anew(PYTHONPATH=str(shadow))
    assert isinstance(agent.until(Environment), Environment)
    (failed,) = of_kind(agent.run(bench.plan(bench.spec("a"), runtime="lite")), Failed)
    assert (failed.stage, failed.reason) == ("load", "missing")
    assert failed.message == "cannot import numpy: No module named 'numpy'"
    assert failed.advice.startswith("pip install numpy")


def test_variants_that_do_not_load_together_load_for_every_block(start: Start, bench: Bench) -> None:
    agent = start(PYTHONPATH=STANDIN, STANDIN_ALONE=str(bench.folder / "npu"))
    plan = bench.plan(
        bench.spec("a"), bench.spec("b"), runtime="lite", min_iterations=20, block_iterations=10
    )
    messages = agent.run(plan)
    assert of_kind(messages, Failed) == []
    timed = "".join(batch.run for batch in of_kind(messages, Latencies) if not batch.warmup)
    assert timed == "abba"
    (doubt,) = [message.caveat for message in of_kind(messages, BoardCaveat)]
    assert doubt.code == "blocks_load_anew" and "failed to malloc npu memory" in doubt.message
