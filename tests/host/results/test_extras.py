"""What stands beside the clean numbers: load cycles and leaks, samples inside the blocks, conditions."""

from __future__ import annotations

from dataclasses import replace

from made_runs import make_run
from rkbench.results.caveats import caveats_of
from rkbench.results.collect import Collected, Collector
from rkbench.results.cycles import load_cycles
from rkbench.results.extras import PinRecord, held_text
from rkbench.results.latencies import RawLatencies
from rkbench.results.loads import load
from rkbench.results.model import Failure
from rkbench_agent.wire.board import HeldClock, Pinning, Reading
from rkbench_agent.wire.caveats import INFORMATION, Caveat
from rkbench_agent.wire.messages import BoardCaveat, Finished, Latencies, LoadCycle, LoadMemory, Message
from rkbench_agent.wire.provenance import Provenance

BARE = replace(make_run(), load=None, latency=None, throughput_per_s=None, outputs=(), readings=None)
RUN = BARE.id
MEASURED = Provenance(load="measured", latency="measured", readings="measured")
NPU = "sys/class/devfreq/fdab0000.npu"


def collect(*messages: Message) -> Collected:
    collector = Collector([BARE])
    for message in messages:
        collector.add(message)
    return collector.result(RUN)


def cycles(held: list[int], npu: int | None = None) -> list[LoadCycle]:
    return [
        LoadCycle(RUN, index, 20_000_000 if index else 50_000_000, 1_000_000, size, npu)
        for index, size in enumerate(held)
    ]


def test_the_first_load_is_told_from_the_warm_ones() -> None:
    found = load_cycles(cycles([100, 100, 100]))
    assert found is not None
    assert (found.count, found.first_s, found.warm_s) == (3, 0.05, 0.02)
    assert [leak.judgement for leak in found.leaks] == ["too few values"]


def test_memory_that_does_not_come_back_is_a_leak_with_its_bounds() -> None:
    found = load_cycles(cycles([5_000_000, *(9_000_000 + 4096 * index for index in range(12))], npu=0))
    assert found is not None
    process, npu = found.leaks
    assert (process.memory, process.judgement, process.bytes_per_cycle) == ("rss", "rises", 4096.0)
    assert (process.low_bytes, process.high_bytes) == (4096.0, 4096.0)
    assert (npu.memory, npu.judgement, npu.bytes_per_cycle) == ("dma_buf", "no rise", 0.0)


def test_what_the_first_use_of_a_library_keeps_is_no_leak() -> None:
    found = load_cycles(cycles([1_000_000, *([9_000_000] * 10)]))
    assert found is not None
    assert found.leaks[0].judgement == "no rise"


def test_a_leak_is_a_doubt_about_the_run() -> None:
    memory = [LoadMemory(RUN, "before", rss_bytes=1)]
    made = load(memory, cycles([1000 + 100_000 * index for index in range(12)]))
    codes = [caveat.code for caveat in caveats_of(replace(make_run(), load=made), RawLatencies())]
    assert codes == ["memory_leak"]


def test_the_copy_of_the_file_is_what_reading_it_added() -> None:
    made = load(
        [
            LoadMemory(RUN, "before", rss_bytes=30_000_000),
            LoadMemory(RUN, "model_read", rss_bytes=93_300_000),
            LoadMemory(RUN, "steady", rss_bytes=99_000_000),
        ]
    )
    assert made is not None
    assert (made.file_copy_bytes, made.rss_delta_bytes) == (63_300_000, 69_000_000)


def test_only_samples_inside_a_timed_block_count_and_those_of_the_timed_part_are_kept() -> None:
    collected = collect(
        Reading(900, npu_clock_hz=300_000_000),
        Latencies(RUN, 0, True, [1000], [50]),
        Latencies(RUN, 0, False, [2000, 2100], [100, 100]),
        Reading(2050, npu_clock_hz=1_000_000_000),
        Reading(2150, npu_clock_hz=900_000_000),
        Reading(2500, npu_clock_hz=300_000_000),
        Latencies(RUN, 1, False, [3000], [100]),
        Finished(RUN, 3, MEASURED),
    )
    readings = collected.run.readings
    assert readings is not None
    assert (readings.inside_count, readings.count) == (2, 2)
    clock = next(sensor for sensor in readings.sensors if sensor.name == "npu_clock_hz")
    assert (clock.min, clock.max) == (900_000_000, 1_000_000_000)
    assert [reading.time_ns for reading in collected.readings] == [2050, 2150, 2500]


def test_a_timed_part_without_samples_inside_says_so() -> None:
    run = collect(
        Reading(900, npu_clock_hz=300_000_000),
        Latencies(RUN, 0, False, [2000], [100]),
        Finished(RUN, 1, MEASURED),
    ).run
    assert run.readings is not None and run.readings.inside_count == 0
    assert "few_readings" in [caveat.code for caveat in run.caveats]


def test_pinned_clocks_are_in_the_result_and_free_governors_are_no_doubt_then() -> None:
    settings = {f"{NPU}/min_freq": "600000000", f"{NPU}/max_freq": "600000000"}
    run = collect(Pinning(True, settings, [4, 5]), Finished(RUN, 0, Provenance())).run
    assert run.conditions == PinRecord(True, settings, (4, 5), "")
    free = replace(run, board=replace(run.board, npu_governor="rknpu_ondemand"))
    assert "governor" not in [caveat.code for caveat in caveats_of(free, RawLatencies())]
    assert "governor" in [
        caveat.code for caveat in caveats_of(replace(free, conditions=None), RawLatencies())
    ]


def test_what_was_held_is_told_once_and_with_its_unit() -> None:
    clocks = [
        HeldClock("NPU", "userspace", 600_000_000),
        HeldClock("DDR", "performance"),
        HeldClock("CPU policy4", clock_hz=2_400_000_000),
        HeldClock("CPU policy6", clock_hz=2_400_000_000),
    ]
    assert held_text(clocks) == "userspace, 600 MHz, performance, 2.40 GHz"


def test_the_agents_word_on_background_load_replaces_the_hosts() -> None:
    caveat = Caveat("background_load", "others load the board", "find who")
    run = collect(
        Reading(900, npu_load_ratio=[0.5]),
        Latencies(RUN, 0, False, [2000], [100]),
        Finished(RUN, 1, MEASURED, [caveat]),
    ).run
    codes = [item.code for item in run.caveats]
    assert "background_load" in codes
    assert "npu_busy" not in codes


def test_what_the_agent_doubts_of_the_board_goes_with_every_run_that_has_not_ended() -> None:
    second = replace(BARE, id="push2-02")
    collector = Collector([BARE, second])
    early = Caveat("cache_in_memory", "/tmp is in memory", "name a folder", INFORMATION)
    late = Caveat("clocks_not_restored", "not: governor", "reboot")
    collector.add(BoardCaveat(early))
    collector.add(Finished(RUN, 1, MEASURED))
    collector.add(BoardCaveat(late))
    assert early in collector.result(RUN).run.caveats
    assert late not in collector.result(RUN).run.caveats
    cut = collector.result("push2-02", Failure("connection", "cancelled", "cut off", "")).run
    assert {early, late} <= set(cut.caveats)


def test_clocks_that_an_earlier_push_left_doubt_the_next_run_unless_it_holds_its_own() -> None:
    left = BoardCaveat(Caveat("clocks_not_restored", "not: governor", "reboot"))
    assert collect(left, Finished(RUN, 1, MEASURED)).run.verdict == "SUSPECT"
    pinned = Pinning(pinned=True, settings={"governor": "userspace"})
    held = collect(left, pinned, Finished(RUN, 1, MEASURED)).run
    assert [item.weight for item in held.caveats if item.code == "clocks_not_restored"] == [INFORMATION]


def test_clocks_that_are_not_given_back_at_the_end_do_not_touch_the_run_that_held_them() -> None:
    collector = Collector([BARE])
    collector.add(Pinning(pinned=True, settings={"governor": "userspace"}))
    collector.add(Finished(RUN, 1, MEASURED))
    before = collector.result(RUN).run
    collector.add(Pinning(pinned=True, restored=False, message="not restored: governor"))
    collector.add(BoardCaveat(Caveat("clocks_not_restored", "not: governor", "reboot")))
    assert collector.result(RUN).run.caveats == before.caveats
