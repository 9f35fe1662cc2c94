"""Every doubt has its rule: one result that raises it, and a clean one that raises none."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_latencies, make_latency, make_run
from rkbench.results.caveats import caveats_of, verdict_of
from rkbench.results.caveats.cures import MORE_TIME, TO_ITS_END, longer, steadier, warmer
from rkbench.results.comparison import compare_runs
from rkbench.results.extras import PinRecord
from rkbench.results.latencies import RawLatencies
from rkbench.results.loads import LoadPhase
from rkbench.results.model import Failure, Readings, RunResult, Sensor, Stages
from rkbench.results.verdict import verdict_sentence
from rkbench_agent.wire.board import HeldClock, Reading
from rkbench_agent.wire.caveats import CLOCKS, DOUBT, INFORMATION, Caveat, caveat
from rkbench_agent.wire.messages import Latencies
from rkbench_agent.wire.words import INTERRUPTED

STEADY = [1000 + index % 5 for index in range(100)]
GOOD = make_run()
OUTPUT = GOOD.outputs[0]


def raw(durations: Sequence[int], size: int = 50) -> RawLatencies:
    """Return `durations` as blocks of `size`, one right after the other."""
    latencies, clock = RawLatencies(), 0
    for block in range(0, len(durations), size):
        part = list(durations[block : block + size])
        starts = list(accumulate(part[:-1], initial=clock))
        latencies.append(Latencies("r", block // size, False, starts, part))
        clock = starts[-1] + part[-1]
    return latencies


def codes(run: RunResult, durations: Sequence[int] = STEADY) -> list[str]:
    return [caveat.code for caveat in caveats_of(run, raw(durations))]


def with_sensor(name: str, first: float, low: float, high: float, last: float) -> RunResult:
    quantity, _, part = name.rstrip("]").partition("[")
    sensor = Sensor(name, 3, first, low, (low + high) / 2, high, last, quantity, part or None)
    return replace(GOOD, readings=Readings(3, 0.0, (sensor,)))


def with_latency(count: int = 1000, **changes: Any) -> RunResult:
    plenty = {"block_count": 20, **changes}
    return replace(GOOD, latency=replace(make_latency(0.002, count), **plenty))


def with_stage(p50_s: float, runtime: str = "lite") -> RunResult:
    """Return a run whose call takes 2 ms, of which `rknn_run` takes so much."""
    run = with_latency(stages=Stages(run=make_latency(p50_s)))
    return replace(run, plan=replace(run.plan, runtime=runtime))


def cores(mask: str, run: RunResult) -> RunResult:
    return replace(run, plan=replace(run.plan, core_mask=mask))


@pytest.mark.parametrize(
    "run",
    [
        with_latency(count=1000),
        with_latency(block_count=6, p99_s=None),
        with_sensor("npu_clock_hz", 2e8, 2e8, 9.8e8, 9.8e8),
        replace(GOOD, board=replace(GOOD.board, npu_max_clock_hz=None)),
        replace(GOOD, board=replace(GOOD.board, cpu_governors={"policy0": "performance"})),
        with_sensor("cpu_load_ratio", 0.4, 0.4, 0.4, 0.4),
        cores("auto", with_sensor("npu_load_ratio[1]", 0, 0, 0.4, 0.4)),
        cores("0-1", with_sensor("npu_load_ratio[1]", 0, 0, 0.4, 0.4)),
        with_stage(0.0015),
        with_stage(0.001, "capi-zero-copy"),
        replace(GOOD, growth_bytes=600_000, growth_iterations=200),
        replace(GOOD, growth_bytes=400_000, growth_iterations=10),
        with_sensor("temperature_celsius[npu-thermal]", 70, 70, 79.9, 79.9),
    ],
)
def test_what_is_just_within_bounds_raises_nothing(run: RunResult) -> None:
    assert [code for code in codes(run) if code != "clock_changed"] == []


def test_an_npu_that_was_pinned_lower_is_where_it_should_be() -> None:
    held = PinRecord(True, {}, clocks=(HeldClock("NPU", clock_hz=600_000_000),))
    run = replace(with_sensor("npu_clock_hz", 6e8, 6e8, 6e8, 6e8), conditions=held)
    assert codes(run) == []
    assert codes(replace(run, conditions=None)) == ["below_max_clock"]


@pytest.mark.parametrize(
    ("trips", "celsius", "told"),
    [
        (
            {"npu-thermal": 70.0},
            72,
            "npu-thermal reached 72.0 °C (the kernel throttles from 70.0 °C on there)",
        ),
        ({"npu-thermal": 95.0}, 86, None),
        ({"soc-thermal": 70.0}, 86, None),
        (None, 86, "npu-thermal reached 86.0 °C (the board tells no trip point, 80.0 °C is taken)"),
    ],
)
def test_heat_is_judged_by_the_trip_points_of_the_board(
    trips: dict[str, float] | None, celsius: float, told: str | None
) -> None:
    run = with_sensor("temperature_celsius[npu-thermal]", 60, 60, celsius, celsius)
    found = caveats_of(replace(run, board=replace(run.board, passive_trips_celsius=trips)), raw(STEADY))
    assert [item.message for item in found] == ([] if told is None else [told])


@pytest.mark.parametrize(
    ("low", "verdict", "tail"), [(6e8, "SUSPECT", "NPU moved"), (1e9, "VALID", "no clock moved")]
)
def test_heat_that_moved_no_clock_is_no_doubt(low: float, verdict: str, tail: str) -> None:
    hot = with_sensor("temperature_celsius[npu-thermal]", 60, 60, 86, 86)
    clock = with_sensor("npu_clock_hz", 1e9, low, 1e9, low)
    assert hot.readings is not None and clock.readings is not None
    both = replace(hot.readings, sensors=hot.readings.sensors + clock.readings.sensors)
    board = replace(GOOD.board, npu_governor="simple_ondemand")
    found = caveats_of(replace(GOOD, readings=both, board=board), raw(STEADY))
    (told,) = [item for item in found if item.code == "throttling"]
    assert told.message.endswith(tail)
    assert verdict_of([told]) == verdict


@pytest.mark.parametrize(
    ("governors", "told"),
    [
        ({"policy0": "schedutil", "policy4": "schedutil"}, "CPU governor schedutil: the part"),
        ({"policy0": "schedutil", "policy4": "performance"}, "CPU governor policy0 schedutil: the part"),
    ],
)
def test_cpu_governors_are_named_once(governors: dict[str, str], told: str) -> None:
    (found,) = caveats_of(replace(GOOD, board=replace(GOOD.board, cpu_governors=governors)), raw(STEADY))
    assert found.message.startswith(told)


def test_a_call_that_python_lengthens_names_the_next_runtime() -> None:
    advice = [caveats_of(with_stage(0.001, name), raw(STEADY))[0].advice for name in ("lite", "capi")]
    assert [text.rsplit(" ", 1)[1] for text in advice] == ["capi", "capi-zero-copy"]


def test_a_clean_run_has_no_caveat() -> None:
    assert codes(GOOD) == []
    assert verdict_of(()) == "VALID"


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (replace(GOOD, simulated=True), "simulated"),
        (replace(GOOD, board=replace(GOOD.board, npu_governor="rknpu_ondemand")), "governor"),
        (replace(GOOD, board=replace(GOOD.board, ddr_governor="dmc_ondemand")), "governor"),
        (with_sensor("npu_clock_hz", 1e9, 6e8, 1e9, 6e8), "clock_changed"),
        (with_sensor("ddr_clock_hz", 5.28e8, 5.28e8, 2.112e9, 2.112e9), "clock_changed"),
        (with_sensor("temperature_celsius[npu-thermal]", 70, 70, 86.5, 86.5), "throttling"),
        (with_latency(count=12), "too_few_iterations"),
        (with_latency(count=999), "p99_rough"),
        (with_latency(block_count=19), "p99_rough"),
        (with_latency(block_count=5, p99_s=None), "few_blocks"),
        (with_latency(has_long_memory=True), "autocorrelated"),
        (with_sensor("npu_clock_hz", 2e8, 2e8, 2e8, 2e8), "below_max_clock"),
        (replace(GOOD, board=replace(GOOD.board, cpu_governors={"policy0": "schedutil"})), "cpu_governor"),
        (with_sensor("cpu_load_ratio", 0.5, 0.5, 0.5, 0.5), "busy_during"),
        (cores("0", with_sensor("npu_load_ratio[1]", 0, 0, 0.4, 0.4)), "busy_during"),
        (with_stage(0.001), "host_bound"),
        (replace(GOOD, growth_bytes=600_000, growth_iterations=100), "growth"),
        (replace(GOOD, readings=Readings(3, 0.4)), "npu_busy"),
        (replace(GOOD, outputs=(replace(OUTPUT, nan_count=3),)), "not_finite"),
        (replace(GOOD, outputs=(replace(OUTPUT, inf_count=1),)), "not_finite"),
        (replace(GOOD, outputs=(replace(OUTPUT, constant=True),)), "constant_output"),
        (replace(GOOD, outputs=(replace(OUTPUT, constant=True, nan_count=640),)), "not_finite"),
        (replace(GOOD, outputs=(replace(OUTPUT, deterministic=False),)), "nondeterministic"),
        (replace(GOOD, plan=replace(GOOD.plan, golden_sha256=None)), "no_golden"),
        (replace(GOOD, board=replace(GOOD.board, clock_unix_ns=12_000_000_000)), "board_clock"),
    ],
)
def test_each_doubt_is_named_alone(run: RunResult, code: str) -> None:
    assert codes(run) == [code]


@pytest.mark.parametrize(
    ("count", "blocks", "advice"),
    [(999, 50, "--iterations 1000"), (1200, 12, "--iterations 2000")],
)
def test_a_p99_without_bounds_names_the_iterations_that_make_enough_blocks(
    count: int, blocks: int, advice: str
) -> None:
    (found,) = caveats_of(with_latency(count, block_count=blocks), raw(STEADY))
    assert found.message == f"the interval of p99 needs 1000 iterations in 20 blocks, not {count} in {blocks}"
    assert found.advice == f"give it more: {advice}"


def test_a_p99_over_few_loads_names_the_loads_too() -> None:
    run = with_latency(700, bounds_unit="load")
    found, *_ = caveats_of(replace(run, plan=in_turns(2).plan), make_latencies(2_000_000, loads=3))
    assert found.message == "the interval of p99 needs 1000 iterations in 6 loads, not 700 in 3"
    assert found.advice == "give it more: --iterations 1000, --loads 7"


def test_percentiles_without_bounds_are_never_without_a_word() -> None:
    wandering = with_latency(has_long_memory=True)
    (found,) = caveats_of(wandering, raw(STEADY))
    assert (found.code, verdict_of([found])) == ("autocorrelated", "VALID")
    assert found.message.endswith("the level wanders, and percentiles have no bounds")
    rising = [1000 + index // 2 for index in range(400)]
    assert codes(wandering, rising) == ["drift"]


def in_turns(variants: int, *, loads: int = 7, quads: int = 2, **settings: Any) -> RunResult:
    plan = replace(GOOD.plan, variants_in_push=variants, loads=loads, quads=quads, **settings)
    return replace(GOOD, plan=plan)


def codes_in_turns(run: RunResult, *, loads: int, quads: int = 2) -> list[str]:
    found = caveats_of(run, make_latencies(2_000_000, loads=loads, quads=quads))
    return [item.code for item in found if item.code in ("few_quads", "precision_not_reached")]


@pytest.mark.parametrize(
    ("variants", "loads", "quads", "raised"),
    [
        (2, 5, 2, ["few_quads"]),
        (2, 6, 2, []),
        (4, 7, 2, []),
        (5, 7, 2, ["few_quads"]),
        (2, 1, 5, ["few_quads"]),
        (2, 1, 6, []),
        (1, 1, 2, []),
    ],
)
def test_fewer_loads_or_quads_than_an_interval_takes_are_told(
    variants: int, loads: int, quads: int, raised: list[str]
) -> None:
    assert codes_in_turns(in_turns(variants), loads=loads, quads=quads) == raised


def test_few_loads_name_what_they_cannot_tell_and_those_that_would_do() -> None:
    few, quads = caveats_of(in_turns(2), make_latencies(2_000_000, loads=3))
    assert (few.code, few.message) == (
        "few_blocks",
        "only 3 loads: whether the level moves from load to load cannot be told",
    )
    assert quads.message == "only 3 loads of the variants in turns: 6 are needed to say which is faster"
    assert [few.advice, quads.advice] == ["leave --loads and --quads away, or: --loads 7"] * 2


def test_a_precision_that_the_plan_did_not_reach_is_told() -> None:
    asked = in_turns(2, loads=10, precision_percent=0.5)
    out_of_time = replace(asked, caveats=(caveat("max_duration_reached", "60 s"),))
    assert codes_in_turns(asked, loads=10) == ["precision_not_reached"]
    assert codes_in_turns(out_of_time, loads=8) == ["precision_not_reached"]
    assert codes_in_turns(asked, loads=9) == []
    assert codes_in_turns(in_turns(2, loads=10), loads=10) == []


@pytest.mark.parametrize("loads", [10, 6])
def test_a_precision_that_was_reached_with_the_last_load_is_no_caveat(loads: int) -> None:
    """Six loads are one fewer than measuring ends early with, and carry an interval as well."""
    own, other = (
        make_latencies(ns, loads=loads, quads=2, place=at) for at, ns in enumerate((2_000_000, 3_000_000))
    )
    for percent, raised in ((5.0, []), (0.000001, ["precision_not_reached"])):
        asked = in_turns(2, loads=loads, precision_percent=percent)
        assert [item.code for item in caveats_of(asked, own, beside=[other])] == raised


@pytest.mark.parametrize(
    ("loads", "quads", "more"),
    [(10, 2, "--loads 20"), (1, 24, "--quads 48, leave --loads away")],
)
def test_more_for_a_precision_is_loads_or_the_quads_of_one(loads: int, quads: int, more: str) -> None:
    asked = in_turns(2, loads=loads, quads=quads, precision_percent=0.5)
    found = caveats_of(asked, make_latencies(2_000_000, loads=loads, quads=quads))
    (told,) = [item for item in found if item.code == "precision_not_reached"]
    assert f"give it more: {more}; or ask for less: --precision 1" in told.advice


@pytest.mark.parametrize(
    ("percent", "advice"),
    [
        (0.5, "give it more: --loads 29; or ask for less: --precision 0.92"),
        (0.8, "give it more: --loads 13; or ask for less: --precision 0.92"),
        (0.01, "ask for less: --precision 0.92"),
    ],
)
def test_more_for_a_precision_is_what_the_width_reached_asks_for(percent: float, advice: str) -> None:
    """Twice as many loads bring an interval of +-0.92 % to +-0.65 %, not to +-0.5 %."""
    levels = [1.0, 1.01, 0.99, 1.012, 0.995, 1.004, 0.988, 1.003]
    own = make_latencies(2_000_000, loads=8, quads=2)
    other = make_latencies(2_000_000, loads=8, quads=2, place=1)
    for place, load in enumerate(other.load):
        other.duration_ns[place] = round(other.duration_ns[place] * levels[load])
    asked = in_turns(2, loads=8, precision_percent=percent)
    found = caveats_of(asked, own, beside=[other])
    assert [item.advice for item in found if item.code == "precision_not_reached"] == [advice]


def test_what_ended_by_its_own_limit_is_advised_more_time_and_nothing_else() -> None:
    """More loads, quads or seconds would not be measured either: what ended it did not come from those."""
    ended = replace(in_turns(2, loads=7), caveats=(caveat("max_duration_reached", ""),))
    found = {
        item.code: item.advice for item in caveats_of(ended, make_latencies(2_000_000, loads=2, quads=2))
    }
    assert found["few_quads"] == MORE_TIME
    assert "--max-duration" in MORE_TIME


def test_what_was_stopped_is_advised_to_come_to_its_end_and_nothing_else() -> None:
    """What it would be advised stood in its plan already."""
    stopped = replace(in_turns(2, loads=7), failure=Failure("inference", INTERRUPTED, "stopped by SIGTERM"))
    for loads, codes in ((2, {"few_quads"}), (3, {"few_blocks", "few_quads"})):
        found = caveats_of(stopped, make_latencies(2_000_000, loads=loads, quads=2))
        assert {item.advice for item in found if item.code in codes} == {TO_ITS_END}
        assert codes <= {item.code for item in found}
    few = replace(stopped, latency=make_latency(0.002, 12))
    told = {item.code: item.advice for item in caveats_of(few, RawLatencies())}
    assert told["too_few_iterations"] == TO_ITS_END


def test_a_push_that_held_the_clocks_is_not_advised_to_hold_them() -> None:
    free = replace(GOOD, conditions=None)
    held = replace(GOOD, conditions=PinRecord(True, {}))
    assert [("--pin" in steadier(run), "--cool-below 50" in steadier(run)) for run in (free, held)] == [
        (True, True),
        (False, True),
    ]
    long = replace(GOOD, plan=replace(GOOD.plan, min_duration_s=60.0, warmup_iterations=50))
    assert (longer(long), warmer(long)) == ("--duration 240", "--warmup 200")


@pytest.mark.parametrize("wrong", [0, -5, 2**63 - 1])
def test_latencies_that_no_board_has_are_told_with_their_number(wrong: int) -> None:
    found = [item for item in caveats_of(GOOD, raw([*STEADY, wrong])) if item.code == "impossible_number"]
    assert [item.message for item in found] == [f"1 of 101 latencies are impossible, as {wrong} ns"]
    assert verdict_of(found) == "SUSPECT"


def test_memory_below_zero_is_told_with_its_phase() -> None:
    assert GOOD.load is not None
    phase = LoadPhase("steady", rss_bytes=-1, pss_bytes=0)
    (found,) = caveats_of(replace(GOOD, load=replace(GOOD.load, phases=(phase,))), raw(STEADY))
    assert (found.code, found.message) == ("impossible_number", "less than nothing: steady rss_bytes")


@pytest.mark.parametrize(
    ("clock_hz", "raised"),
    [(1e9, ["pin_without_effect"]), (6e8, []), (5.94e8, []), (3e8, ["pin_without_effect"])],
)
def test_a_pinned_clock_that_the_board_does_not_run_at_is_told(clock_hz: float, raised: list[str]) -> None:
    run = with_sensor("npu_clock_hz", clock_hz, clock_hz, clock_hz, clock_hz)
    held = (HeldClock("DDR", "performance"), HeldClock("NPU", clock_hz=600_000_000))
    assert codes(replace(run, conditions=PinRecord(True, {}, clocks=held))) == raised


def test_a_virtual_board_that_follows_no_pin_is_no_fault_of_a_driver() -> None:
    run = with_sensor("npu_clock_hz", 1e9, 1e9, 1e9, 1e9)
    held = PinRecord(True, {}, clocks=(HeldClock("NPU", clock_hz=600_000_000),))
    example = replace(run.provenance, readings="from_file")
    virtual = replace(run, conditions=held, simulated=True, provenance=example)
    found = caveats_of(virtual, raw(STEADY))
    assert verdict_of(found) == "VALID"
    (told,) = [item for item in found if item.code == "pin_without_effect"]
    assert "driver" not in told.message + told.advice
    assert told.message == "NPU clock pinned to 600 MHz, but it read 1.00 GHz"
    assert told.advice.startswith("a virtual board shows example sensors")


def test_scatter_alone_is_no_doubt() -> None:
    noisy = [1000 + 60 * (index * 7919 % 7 - 3) for index in range(100)]
    assert codes(GOOD, noisy) == []


def test_heaps_are_named_with_the_clocks_that_were_read_under_them() -> None:
    durations = (
        [1_000_000 + index % 3 for index in range(50)] + [1_500_000 + index % 3 for index in range(50)]
    ) * 2
    readings = [
        Reading(step * 1_000_000, npu_clock_hz=600_000_000 if 50 <= step < 125 else 1_000_000_000)
        for step in range(0, 240, 10)
    ]
    (found,) = caveats_of(GOOD, raw(durations), readings[1:5] + readings[6:12])
    assert found.code == "modes"
    assert found.message == (
        "latencies lie in 2 heaps, which no mean describes: 50 % at 1.00 ms (NPU at 1.00 GHz),"
        " 50 % at 1.50 ms (NPU at 600 MHz)"
    )
    assert found.advice == "the clock makes them: hold it still with --pin"
    (unread,) = caveats_of(GOOD, raw(durations))
    assert "NPU at" not in unread.message
    assert unread.advice.startswith("try one core (--cores 0)")


def test_the_advice_names_the_boards_own_folder() -> None:
    board = replace(GOOD.board, soc="rk3576", npu_governor="simple_ondemand", npu_devfreq="27700000.npu")
    (caveat,) = caveats_of(replace(GOOD, board=board), raw(STEADY))
    assert caveat.message == "NPU governor simple_ondemand: clocks may follow the load"
    assert "for d in /sys/class/devfreq/27700000.npu; do echo performance" in caveat.advice


def test_a_name_that_a_board_gives_is_no_command_in_the_advice() -> None:
    board = replace(GOOD.board, npu_governor="simple_ondemand", npu_devfreq="x.npu; reboot")
    (caveat,) = caveats_of(replace(GOOD, board=board), raw(STEADY))
    assert "for d in /sys/class/devfreq/'x.npu; reboot'; do" in caveat.advice


@pytest.mark.parametrize("shell", [["sh"], ["dash"], ["bash"], ["busybox", "sh"]])
@pytest.mark.parametrize("name", ["fdab0000.npu", None])
def test_the_command_of_the_advice_sets_the_governors_in_every_shell(
    tmp_path: Path, shell: list[str], name: str | None
) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"no {shell[0]} here")
    governors = [tmp_path / f"sys/class/devfreq/{folder}/governor" for folder in ("fdab0000.npu", "dmc")]
    for governor in governors:
        governor.parent.mkdir(parents=True)
        governor.write_text("simple_ondemand")
    board = replace(
        GOOD.board, npu_devfreq=name, npu_governor="simple_ondemand", ddr_governor="simple_ondemand"
    )
    (caveat,) = caveats_of(replace(GOOD, board=board), raw(STEADY))
    command = caveat.advice.partition("as root there: ")[2].replace("/sys/", f"{tmp_path}/sys/")
    subprocess.run([*shell, "-c", command], check=True)
    assert [governor.read_text() for governor in governors] == ["performance\n", "performance\n"]


@pytest.mark.parametrize(
    ("code", "verdict"),
    [("simulated", "VALID"), ("no_golden", "VALID"), ("governor", "UNPINNED"), ("npu_busy", "SUSPECT")],
)
def test_only_a_doubt_about_a_number_makes_a_run_suspect(code: str, verdict: str) -> None:
    assert verdict_of([caveat(code, "")]) == verdict


def test_a_code_that_this_version_does_not_know_keeps_the_weight_that_it_came_with() -> None:
    assert verdict_of([Caveat("of a newer agent", "", weight=INFORMATION)]) == "VALID"
    assert verdict_of([Caveat("of a newer agent", "", weight=DOUBT)]) == "SUSPECT"


def test_clocks_that_follow_the_load_hide_no_other_doubt() -> None:
    assert verdict_of([caveat("governor", ""), caveat("npu_busy", "")]) == "SUSPECT"
    assert verdict_of([Caveat("of a newer agent", "", weight=CLOCKS)]) == "UNPINNED"


@pytest.mark.parametrize(
    ("governor", "verdict"), [("rknpu_ondemand", "UNPINNED"), ("performance", "SUSPECT"), (None, "SUSPECT")]
)
def test_a_clock_that_moves_is_a_doubt_where_nothing_lets_it_follow_the_load(
    governor: str | None, verdict: str
) -> None:
    run = with_sensor("npu_clock_hz", 1e9, 6e8, 1e9, 6e8)
    found = caveats_of(replace(run, board=replace(run.board, npu_governor=governor)), raw(STEADY))
    assert verdict_of(found) == verdict


def test_the_example_clocks_of_a_virtual_board_say_nothing_of_a_run() -> None:
    free = replace(GOOD, board=replace(GOOD.board, npu_governor="rknpu_ondemand"), simulated=True)
    example = replace(free, provenance=replace(free.provenance, readings="from_file"))
    moved = replace(free, provenance=replace(free.provenance, readings="modelled"))
    assert (codes(example), codes(moved)) == (["simulated"], ["simulated", "governor"])


def test_a_code_that_is_not_in_the_table_is_a_bug() -> None:
    with pytest.raises(KeyError):
        caveat("no such code", "")


@pytest.mark.parametrize(
    ("cosine", "top1", "wrong"),
    [
        (-0.555, 0.094, True),
        (0.02, None, True),
        (0.8, 0.3, True),
        (0.8, None, False),
        (0.98, 0.3, False),
        (0.9997, 1.0, False),
        (None, None, False),
    ],
)
def test_outputs_that_no_rounding_explains_are_wrong(
    cosine: float | None, top1: float | None, *, wrong: bool
) -> None:
    output = replace(OUTPUT, cosine=cosine, cosine_mean=cosine, top1_agreement=top1, case_count=32)
    run = replace(GOOD, outputs=(output,))
    assert (codes(run)[:1] == ["outputs_wrong"]) is wrong


def test_the_verdict_says_whose_outputs_are_wrong() -> None:
    reversed_golden = replace(OUTPUT, cosine=-0.6, cosine_mean=-0.555, top1_agreement=0.094)
    sentence = compare_runs([replace(GOOD, outputs=(reversed_golden,))], {}, verdict_sentence).verdict
    assert sentence.endswith(f"The outputs of {GOOD.variant.name} are not what was expected.")
