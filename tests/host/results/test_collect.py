"""Messages become a result: what belongs to whom, and what unknown looks like."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from made_runs import make_run
from rkbench.results.collect import Collector
from rkbench.results.model import Failure, RunResult
from rkbench_agent.wire.board import Environment, Reading
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import Failed, Finished, Latencies, LoadMemory, Log
from rkbench_agent.wire.outputs import OutputError
from rkbench_agent.wire.provenance import Provenance

BARE = replace(
    make_run(),
    provenance=Provenance(),
    load=None,
    latency=None,
    throughput_per_s=None,
    outputs=(),
    readings=None,
)
RUN = BARE.id
TOLD = Provenance(load="measured", process_memory="measured", latency="measured", outputs="measured")


def collect(*messages: object) -> RunResult:
    collector = Collector([BARE])
    for message in messages:
        collector.add(message)  # type: ignore[arg-type]
    return collector.result(RUN).run


def test_nothing_said_is_nothing_known() -> None:
    run = collect()
    assert (run.load, run.latency, run.throughput_per_s, run.outputs, run.readings) == (None,) * 3 + (
        (),
        None,
    )
    assert run.provenance == Provenance()


def test_load_memory_is_the_difference_of_phases() -> None:
    run = collect(
        LoadMemory(RUN, "before", rss_bytes=30_000, memory_available_bytes=900_000),
        LoadMemory(RUN, "model_read", duration_ns=20_000_000, rss_bytes=45_000),
        LoadMemory(
            RUN,
            "runtime_initialised",
            duration_ns=80_000_000,
            rss_bytes=50_000,
            memory_available_bytes=700_000,
            npu_weight_bytes=14_000,
            npu_internal_bytes=600,
            npu_total_bytes=14_600,
        ),
        LoadMemory(RUN, "steady", rss_bytes=52_000, peak_rss_bytes=60_000, dma_buf_bytes=15_000),
        LoadMemory(RUN, "released", rss_bytes=31_000, peak_rss_bytes=60_000, memory_available_bytes=890_000),
    )
    assert run.load is not None
    assert run.load.duration_s == pytest.approx(0.1)
    assert (run.load.rss_delta_bytes, run.load.peak_rss_bytes) == (22_000, 60_000)
    assert (run.load.npu_weight_bytes, run.load.npu_internal_bytes) == (14_000, 600)
    assert (run.load.npu_total_bytes, run.load.dma_buf_bytes) == (14_600, 15_000)
    assert run.load.system_delta_bytes == 200_000
    assert [phase.name for phase in run.load.phases] == [
        "before",
        "model_read",
        "runtime_initialised",
        "steady",
        "released",
    ]


def test_warm_up_is_kept_apart() -> None:
    collector = Collector([BARE])
    collector.add(Latencies(RUN, 0, True, [0, 50], [50, 40]))
    collector.add(Latencies(RUN, 0, False, [100, 110], [10, 10]))
    collector.add(Latencies(RUN, 1, False, [200], [20]))
    item = collector.result(RUN)
    assert item.run.latency is not None
    assert (item.run.latency.count, item.run.latency.warmup_count, item.run.latency.block_count) == (3, 2, 2)
    assert item.run.latency.max_s == pytest.approx(20e-9)
    assert item.run.throughput_per_s == pytest.approx(3 / 40e-9)
    assert item.latencies.timed_blocks() == [[10, 10], [20]]


def test_percentiles_have_bounds_where_calls_and_blocks_carry_them() -> None:
    collector = Collector([BARE])
    source = random.Random(7)
    for block in range(20):
        durations = [1_000_000 + source.randrange(10_000) for _ in range(50)]
        collector.add(Latencies(RUN, block, False, list(range(50)), durations))
    latency = collector.result(RUN).run.latency
    assert latency is not None
    assert (latency.count, latency.p999_s, latency.has_long_memory) == (1000, None, False)
    assert latency.p95_s == pytest.approx(1.0095e-3, rel=1e-3)
    for percent, value in ((50, 1.005e-3), (90, 1.009e-3), (99, 1.0099e-3)):
        bounds = latency.within(percent)
        assert bounds.low_s is not None
        assert bounds.low_s < value < (bounds.high_s or 1)
        assert 500 < (bounds.effective_count or 0) < 1000
    assert latency.within(99.9).low_s is None


def test_a_run_whose_level_wanders_has_percentiles_without_bounds() -> None:
    collector = Collector([BARE])
    for block in range(40):
        level = 1_000_000 + 20_000 * abs(block - 20)
        collector.add(Latencies(RUN, block, False, list(range(25)), [level + step for step in range(25)]))
    latency = collector.result(RUN).run.latency
    assert latency is not None
    assert (latency.has_long_memory, latency.bounds) == (True, ())
    assert latency.p90_s is not None


def test_levels_of_loads_are_no_memory_and_bounds_are_over_loads() -> None:
    collector, source = Collector([BARE]), random.Random(7)
    for load, level in enumerate((1.0, 1.02, 0.98, 1.01, 0.99, 1.015, 0.985)):
        for block in range(4):
            calls = [int(1e6 * level * source.gauss(1, 0.01)) for _ in range(40)]
            collector.add(Latencies(RUN, 4 * load + block, False, list(range(40)), calls, load=load))
    latency = collector.result(RUN).run.latency
    assert latency is not None
    assert (latency.count, latency.block_count, latency.bounds_unit) == (1120, 28, "load")
    assert not latency.has_long_memory
    p50 = latency.within(50)
    assert p50.low_s is not None and p50.high_s is not None
    assert 0.975e-3 < p50.low_s < 0.99e-3 < 1.01e-3 < p50.high_s < 1.025e-3


def test_stages_are_known_where_every_batch_has_them() -> None:
    whole = Latencies(RUN, 0, False, [0], [10], [1], [8], [1])
    assert collect(whole).latency.stages.run.max_s == pytest.approx(8e-9)  # type: ignore[union-attr]
    part = Latencies(RUN, 1, False, [20], [10])
    for batches in ((whole, part), (part, whole)):
        assert collect(*batches).latency.stages.run is None  # type: ignore[union-attr]


def test_outputs_are_the_worst_and_the_mean_of_their_cases() -> None:
    common = {"run": RUN, "output": 0, "name": "y", "shape": [1, 3], "dtype": "float32"}
    run = collect(
        OutputError(case=0, cosine=0.99, max_abs_error=0.1, mse=0.01, top1_agreement=True, **common),  # type: ignore[arg-type]
        OutputError(case=1, cosine=0.90, max_abs_error=0.5, mse=0.03, top1_agreement=False, **common),  # type: ignore[arg-type]
        OutputError(case=2, cosine=None, nan_count=3, equal_nonfinite=3, **common),  # type: ignore[arg-type]
    )
    (output,) = run.outputs
    assert (output.case_count, output.cosine, output.max_abs_error, output.nan_count) == (3, 0.90, 0.5, 3)
    assert output.mse == pytest.approx(0.02)
    assert output.top1_agreement == 0.5
    assert output.snr_db is None
    assert [case.cosine for case in output.per_case] == [0.99, 0.90, None]


def test_readings_are_those_of_the_timed_window() -> None:
    run = collect(
        Reading(10, npu_load_ratio=[0.7, 0.1]),
        Latencies(RUN, 0, False, [100], [100]),
        Reading(120, npu_clock_hz=1_000_000_000),
        Reading(180, npu_clock_hz=600_000_000),
        Reading(900, npu_clock_hz=300_000_000),
    )
    assert run.readings is not None
    assert run.readings.npu_load_ratio_before == 0.7
    (sensor,) = run.readings.sensors
    assert (sensor.name, sensor.count, sensor.min, sensor.max) == ("npu_clock_hz", 2, 6e8, 1e9)


def test_a_sensor_knows_its_quantity_and_of_what_it_is() -> None:
    hot = Reading(120, temperature_celsius={"soc-thermal": 71.5}, npu_load_ratio=[0.5])
    run = collect(Latencies(RUN, 0, False, [100], [100]), hot)
    assert run.readings is not None
    told = [(sensor.name, sensor.quantity, sensor.part) for sensor in run.readings.sensors]
    assert told == [
        ("npu_load_ratio[0]", "npu_load_ratio", "0"),
        ("temperature_celsius[soc-thermal]", "temperature_celsius", "soc-thermal"),
    ]
    assert [sensor.max for sensor in run.readings.of("temperature_celsius")] == [71.5]


def test_a_window_without_readings_takes_them_all() -> None:
    """A virtual clock is not the clock of the sensors."""
    run = collect(Latencies(RUN, 0, False, [0], [5]), Reading(900, npu_clock_hz=300_000_000))
    assert run.readings is not None
    assert run.readings.count == 1


def test_the_environment_of_the_plan_completes_the_board() -> None:
    run = collect(Environment(soc=None, runtime="lite", runtime_version="2.5.0", driver_version=None))
    assert (run.board.runtime_version, run.board.driver_version, run.board.soc) == (
        "2.5.0",
        "0.9.8",
        "rk3588",
    )


def test_a_failure_has_the_last_words_of_the_worker() -> None:
    failed = Failed(RUN, "load", "crash", "killed by SIGSEGV", "try another runtime", signal="SIGSEGV")
    run = collect(Log(RUN, "stderr", "E RKNN: oh", 1), Log(None, "agent", "not its own", 2), failed)
    assert run.failure is not None
    assert (run.failure.stage, run.failure.signal, run.failure.log_tail) == (
        "load",
        "SIGSEGV",
        ("E RKNN: oh",),
    )
    assert (run.partial, run.verdict) == (True, "FAILED")


def test_the_agents_own_caveats_are_kept() -> None:
    told = Caveat("version_mismatch", "model 2.5.0, runtime 1.5.2", "update")
    run = collect(Finished(RUN, 0, TOLD, [told]))
    assert run.caveats[-1].code == "version_mismatch"
    assert run.verdict == "SUSPECT"


def test_a_run_ends_once() -> None:
    collector = Collector([BARE])
    assert collector.unfinished() == [RUN]
    assert collector.add(Finished(RUN, 0, Provenance())) == RUN
    assert collector.add(Log(RUN, "stderr", "late", 1)) is None
    assert collector.add(Finished("somebody else", 0, Provenance())) is None
    assert collector.unfinished() == []


def test_a_run_that_ended_early_knows_where_its_outputs_came_from() -> None:
    stopped = Failure("connection", "interrupted", "interrupted by Ctrl-C", "")
    virtual = replace(BARE, simulated=True, provenance=Provenance(load="from_file", latency="predicted"))
    emulated = replace(BARE, simulated=True)
    for header, told, source in (
        (virtual, "vendor_simulator", "vendor_simulator"),
        (virtual, None, None),
        (emulated, None, "measured"),
    ):
        collector = Collector([header])
        for case in range(2):
            error = OutputError(RUN, case, 0, "y", [1, 10], "float32", 0.99)
            collector.add(replace(error, source=told) if case == 0 else error)
        assert collector.result(RUN, stopped).run.provenance.outputs == source


def test_a_run_that_the_user_ended_is_stopped_and_any_other_failure_is_failed() -> None:
    stopped = Failure("connection", "interrupted", "interrupted by Ctrl-C", "")
    cut = Failure("connection", "cancelled", "the line was cut", "")
    verdicts = [Collector([BARE]).result(RUN, failure).run.verdict for failure in (stopped, cut)]
    assert verdicts == ["STOPPED", "FAILED"]
