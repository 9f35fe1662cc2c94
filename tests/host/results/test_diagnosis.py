"""A failure carries what the logs mean: cause, advice and row of the catalogue."""

from __future__ import annotations

import pytest
from made_runs import make_run
from rkbench.results.collect import Collector
from rkbench.results.diagnosis import diagnosed, log_caveats
from rkbench.results.model import Failure
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import Failed, Finished, Log

RUN = make_run().id
HARMLESS = (
    "E RKNN: [00:07:52.145] query RKNN_QUERY_INPUT_DYNAMIC_RANGE error, rknn model is static shape type",
    "W Query dynamic range failed. Ret code: RKNN_ERR_MODEL_INVALID. (.. ignore ..)",
)


def fail(*log: tuple[str, str], message: str = "RKNNLite.init_runtime returned -1") -> Failure:
    """Return the failure that a collector makes of a Failed after these (stream, text) lines."""
    collector = Collector([make_run(latency=None)])
    for stream, text in log:
        collector.add(Log(RUN, stream, text, 1))
    collector.add(Failed(RUN, "load", "runtime_error", message, "", log_tail=[text for _, text in log][-30:]))
    failure = collector.result(RUN).run.failure
    assert failure is not None
    return failure


def test_the_line_that_says_why_is_the_diagnosis() -> None:
    failure = fail(
        ("stderr", "E RKNN: [00:00:01.000] 6, 4"),
        ("stderr", "E RKNN: [00:00:01.000] Invalid RKNN model version 6"),
        ("stderr", "E RKNN: [00:00:01.000] rknn_init, load model failed!"),
    )
    (diagnosis,) = failure.diagnoses
    assert (diagnosis.number, diagnosis.severity) == (2, "fatal")
    assert diagnosis.line == "E RKNN: [00:00:01.000] Invalid RKNN model version 6"
    assert "Install a librknnrt.so of the toolkit's version" in diagnosis.advice
    assert failure.advice == diagnosis.advice


def test_the_kernels_lines_are_read_too() -> None:
    failure = fail(("kernel", "cma: cma_alloc: reserved: alloc failed, req-size: 512 pages, ret: -12"))
    assert [diagnosis.number for diagnosis in failure.diagnoses] == [27]


def test_a_return_code_alone_is_no_diagnosis() -> None:
    failure = fail(("stderr", "Exception: RKNN init failed. error code: RKNN_ERR_FAIL"))
    assert failure.diagnoses == ()
    assert failure.advice == ""


def test_harmless_lines_are_neither_diagnosed_nor_shown() -> None:
    failure = fail(*(("stderr", line) for line in HARMLESS), ("stderr", "E something else"))
    assert failure.diagnoses == ()
    assert failure.log_tail == ("E something else",)


def test_the_message_of_the_failure_is_read_as_well() -> None:
    failure = fail(message="cannot load librknnrt: /usr/lib/librknnrt.so: invalid ELF header")
    assert [diagnosis.number for diagnosis in failure.diagnoses] == [52]


def test_what_the_agent_advises_stays() -> None:
    told = Failure("load", "missing", "failed to open rknpu module, need to insmod rknpu dirver!", "its own")
    assert diagnosed(told, ()).advice == "its own"
    assert [diagnosis.number for diagnosis in diagnosed(told, ()).diagnoses] == [13]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("W RKNN: [1] This model has not multicore config, fallback single core", "single_core_fallback"),
        (
            (
                "W RKNN: [1] Current driver version: 0.8.2, recommend to upgrade the driver to the new "
                "version: >= 0.8.8"
            ),
            "driver_old",
        ),
        (
            "E RKNN: [1] X tile buffer: Failed to config layer 'a' using 3Core fallback to single core",
            "single_core_fallback",
        ),
        (
            'W The RK3576 platform has only two NPU cores. "NPU_CORE_0_1_2" is automatically replaced',
            "core_mask_replaced",
        ),
        ("E RKNN: [1] REGTASK: The bit width of field value exceeds the limit", "catalogue_38"),
    ],
)
def test_a_warning_of_a_finished_run_is_a_caveat(line: str, code: str) -> None:
    collector = Collector([make_run()])
    collector.add(Log(RUN, "stdout", line, 1))
    collector.add(Finished(RUN, 100, {"latency": "measured"}))
    run = collector.result(RUN).run
    assert code in [caveat.code for caveat in run.caveats]
    assert run.failure is None


def test_an_op_without_a_target_is_a_doubt_where_the_runtime_says_it_and_none_of_a_conversion() -> None:
    line, runtime = (
        "E RKNN: [1] Unkown op target: 0",
        "I RKNN: [1] RKNN Runtime Information, librknnrt version: 2.3.2",
    )
    assert [caveat.code for caveat in log_caveats([runtime, line], ())] == ["catalogue_36"]
    assert log_caveats([line], ()) == ()
    assert log_caveats(["I rknn building ...", line, runtime], ()) == ()


def test_a_doubt_that_the_agent_has_told_is_told_once() -> None:
    line = "W RKNN: [1] This model has not multicore config, fallback single core"
    told = Caveat("single_core_fallback", "the runtime fell back to a single NPU core", "--cores 0")
    assert log_caveats([line], [told]) == ()


def test_harmless_lines_of_a_finished_run_raise_no_doubt() -> None:
    assert log_caveats(HARMLESS, ()) == ()
