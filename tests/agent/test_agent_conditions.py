"""Before and beside the clean run: cool, calm, room in memory, load cycles, the time of each layer."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from agent_bench import TREES, AgentProcess, Bench, model_bytes, of_kind
from rkbench_agent.board.busiest import busiest_processes
from rkbench_agent.board.sensors import busy_ratio
from rkbench_agent.errors import RunFailedError
from rkbench_agent.run.child import Child
from rkbench_agent.run.extras import Extras
from rkbench_agent.run.fit import Doubt, Room, judge_fit
from rkbench_agent.run.state import RunState
from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.messages import (
    Failed,
    Finished,
    Latencies,
    LoadCycle,
    LoadMemory,
    Message,
    ProfileText,
    Progress,
)
from rkbench_agent.wire.plan import FileFigures, RunSettings, RunSpec

FIGURES = FileFigures(60_000_000, 20_000_000)


@pytest.fixture
def board(bench: Bench, tmp_path: Path) -> Bench:
    """A bench whose rk3588 tree may be written."""
    root = tmp_path / "root"
    shutil.copytree(TREES / "rk3588", root, symlinks=True)
    bench.root = root
    return bench


def caveats_of(messages: List[Message]) -> Dict[str, str]:
    """Return code and message of the only run's caveats."""
    (finished,) = of_kind(messages, Finished)
    return {caveat.code: caveat.message for caveat in finished.caveats}


def spec_of(size_bytes: int, figures: FileFigures) -> RunSpec:
    return RunSpec("a", "a", "0" * 64, size_bytes, [], [], figures=figures)


# -- cool and calm


def test_a_cool_board_is_not_waited_for(board: Bench, start: Callable[..., AgentProcess]) -> None:
    messages = start().run(board.plan(board.spec(), cool_below_celsius=45.5))
    assert [item for item in of_kind(messages, Progress) if item.stage == "cooling"] == []
    assert {"not_cool", "temperature_unknown"}.isdisjoint(caveats_of(messages))


def test_a_hot_board_is_waited_for_until_it_is_cool(board: Bench, start: Callable[..., AgentProcess]) -> None:
    zone = board.root / "sys/class/thermal/thermal_zone0"
    name = (zone / "type").read_text().strip()
    (zone / "temp").write_text("71500\n")
    agent = start()
    agent.send(board.plan(board.spec(), cool_below_celsius=50.0))
    seen = agent.until(Progress)
    assert (seen.stage, seen.done, seen.total, seen.unit) == ("cooling", 71.5, 50.0, "celsius")
    (zone / "temp").write_text("48000\n")
    codes = [caveat.code for caveat in agent.until(Finished).caveats]
    assert name == "soc-thermal"
    assert "not_cool" not in codes


def test_a_board_that_stays_hot_is_measured_with_a_caveat(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    messages = start().run(board.plan(board.spec(), cool_below_celsius=40.0, cool_limit_s=0.1))
    assert caveats_of(messages)["not_cool"] == (
        "bigcore0-thermal was still at 45.3 °C after 0.1 s (wanted below 40 °C)"
    )


def test_a_board_without_thermometers_says_so(board: Bench, start: Callable[..., AgentProcess]) -> None:
    shutil.rmtree(board.root / "sys/class/thermal")
    messages = start().run(board.plan(board.spec(), cool_below_celsius=40.0))
    assert "temperature_unknown" in caveats_of(messages)


def test_an_npu_that_others_use_is_a_caveat(board: Bench, start: Callable[..., AgentProcess]) -> None:
    load = board.root / "sys/kernel/debug/rknpu/load"
    load.write_text("NPU load:  Core0: 42%, Core1:  0%, Core2:  0%,\n")
    messages = start().run(board.plan(board.spec(), calm_limit_s=0.3))
    assert caveats_of(messages)["background_load"] == (
        "others load the board: NPU 42 % before the run, for 0.3 s"
    )


def write_process(root: Path, pid: int, name: str, ticks: int) -> None:
    folder = root / "proc" / str(pid)
    folder.mkdir(exist_ok=True)
    fields = ["S", "1", *["0"] * 9, str(ticks), *["0"] * 7, "12345", *["0"] * 30]
    (folder / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
    (folder / "status").write_text(f"Name:\t{name}\nUid:\t0\t0\t0\t0\n")
    (folder / "cmdline").write_text(name)


def test_the_busiest_processes_are_named_the_most_busy_first(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    usual = psutil.PROCFS_PATH
    ticks = os.sysconf("SC_CLK_TCK")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text("cpu  1 0 1 1 1 0 0 0 0 0\nbtime 1790000000\n")
    for pid, name in ((7, "ffmpeg"), (8, "idle"), (9, "rknn_server")):
        write_process(tmp_path, pid, name, 1000)

    def pause(seconds: float) -> None:
        write_process(tmp_path, 7, "ffmpeg", 1000 + int(0.5 * seconds * ticks))
        write_process(tmp_path, 9, "rknn_server", 1000 + int(1.5 * seconds * ticks))
        write_process(tmp_path, 10, "new", 5000)

    told = busiest_processes(tmp_path, pause, 2.0)
    assert told == ["rknn_server (process 9) 150 %", "ffmpeg (process 7) 50 %"]
    assert usual == psutil.PROCFS_PATH


def test_without_psutil_nobody_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert busiest_processes(tmp_path, lambda seconds: None, 0.2) == []


def test_a_calm_board_has_no_such_caveat(board: Bench, start: Callable[..., AgentProcess]) -> None:
    messages = start().run(board.plan(board.spec(), calm_limit_s=5.0))
    assert "background_load" not in caveats_of(messages)


def test_load_is_busy_ticks_over_all_ticks() -> None:
    assert busy_ratio((100, 1000), (150, 1200)) == 0.25
    assert busy_ratio((100, 1000), (100, 1000)) is None
    assert busy_ratio(None, (150, 1200)) is None


# -- does it fit


def test_a_model_that_fits_raises_no_doubt() -> None:
    assert judge_fit(spec_of(10_000_000, FIGURES), Room(1_000_000_000)) is None


def test_weights_internal_tensors_and_the_file_must_fit_into_what_is_available() -> None:
    assert judge_fit(spec_of(10_000_000, FIGURES), Room(85_000_000)) == Doubt(
        True,
        "the model does not fit: it needs about 90.0 MB (weights 60.0 MB, internal 20.0 MB, file 10.0 MB) "
        "of 85.0 MB available memory",
    )


def test_a_model_that_fits_barely_is_a_doubt_but_not_hopeless() -> None:
    doubt = judge_fit(spec_of(10_000_000, FIGURES), Room(100_000_000))
    assert doubt is not None and not doubt.hopeless


def test_without_an_iommu_the_npu_takes_its_memory_from_cma() -> None:
    room = Room(4_000_000_000, 16_000_000, iommu=False)
    doubt = judge_fit(spec_of(10_000_000, FIGURES), room)
    assert doubt is not None and doubt.hopeless
    assert doubt.message.endswith("of 16.0 MB free CMA (there is no IOMMU)")
    assert judge_fit(spec_of(10_000_000, FIGURES), room._replace(iommu=None)) is None


def test_what_does_not_fit_is_refused_before_it_is_loaded(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    meminfo = board.root / "proc/meminfo"
    meminfo.write_text(meminfo.read_text().replace("12997641 kB", "60000 kB"))
    messages = start().run(board.plan(board.spec(figures=FIGURES)))
    (failed,) = of_kind(messages, Failed)
    assert (failed.stage, failed.reason) == ("load", "out_of_memory")
    assert failed.advice.endswith("--force")
    assert of_kind(messages, LoadMemory) == []


def test_force_loads_it_all_the_same_with_a_caveat(board: Bench, start: Callable[..., AgentProcess]) -> None:
    meminfo = board.root / "proc/meminfo"
    meminfo.write_text(meminfo.read_text().replace("12997641 kB", "60000 kB"))
    messages = start().run(board.plan(board.spec(figures=FIGURES), force=True))
    assert caveats_of(messages)["memory_tight"].startswith("the model does not fit: it needs about 80.0 MB")


# -- load cycles and profile


def test_load_cycles_come_from_a_worker_of_their_own_after_the_clean_run(
    bench: Bench, start: Callable[..., AgentProcess]
) -> None:
    messages = start().run(bench.plan(bench.spec(), load_cycles=5))
    cycles = of_kind(messages, LoadCycle)
    assert [item.cycle for item in cycles] == [0, 1, 2, 3, 4]
    assert all(item.rss_bytes and item.duration_ns > 0 for item in cycles)
    last_latency = max(index for index, item in enumerate(messages) if isinstance(item, Latencies))
    assert messages.index(cycles[0]) > last_latency
    assert "load_cycles_failed" not in caveats_of(messages)
    assert of_kind(messages, Finished)[0].iterations == 100


def test_what_every_load_leaves_behind_is_in_the_memory_after_each_release(
    bench: Bench, start: Callable[..., AgentProcess]
) -> None:
    behaviour = bench.behaviour(leak_bytes=4_000_000)
    messages = start(RKBENCH_VIRTUAL_BEHAVIOUR=behaviour).run(bench.plan(bench.spec(), load_cycles=6))
    held = [item.rss_bytes or 0 for item in of_kind(messages, LoadCycle)]
    steps = [held[index + 1] - held[index] for index in range(1, 5)]
    assert all(3_900_000 < step < 4_200_000 for step in steps), steps


def test_what_leaks_does_not_vanish_in_what_the_allocator_keeps_of_the_file(
    bench: Bench, start: Callable[..., AgentProcess]
) -> None:
    """glibc serves the second buffer of a file's size from its heap; leaks fill the hole that it leaves."""
    large = bench.spec(data=model_bytes(payload=b"\0" * 16_000_000))
    behaviour = bench.behaviour(leak_bytes=100_000)
    messages = start(RKBENCH_VIRTUAL_BEHAVIOUR=behaviour).run(bench.plan(large, load_cycles=10))
    held = [item.rss_bytes or 0 for item in of_kind(messages, LoadCycle)]
    assert 390_000 < held[9] - held[5] < 420_000, held


def test_load_cycles_that_fail_cost_a_caveat_and_not_the_run(bench: Bench) -> None:
    def start_nothing(state: RunState, runtime: str, command: Dict[str, Any]) -> Child:
        raise RunFailedError(Failed("a", "load", "crash", "the worker was killed by SIGSEGV during load"))

    state = RunState(spec_of(1, FileFigures()))
    settings = RunSettings(load_cycles=2)
    Extras("virtual", settings, start_nothing, lambda state: None, lambda progress: None).run(state)
    assert state.caveats["load_cycles_failed"].message == (
        "the load cycles ended early: the worker was killed by SIGSEGV during load"
    )


def test_the_profile_is_the_runtimes_own_text(bench: Bench, start: Callable[..., AgentProcess]) -> None:
    table = bench.folder / "table.txt"
    table.write_text("ID OpType Time(us)\n1 Conv 12\n")
    behaviour = bench.behaviour(profile=str(table))
    messages = start(RKBENCH_VIRTUAL_BEHAVIOUR=behaviour).run(bench.plan(bench.spec(), profile=True))
    (profile,) = of_kind(messages, ProfileText)
    assert (profile.runtime, profile.text) == ("virtual", "ID OpType Time(us)\n1 Conv 12\n")
    last_latency = max(index for index, item in enumerate(messages) if isinstance(item, Latencies))
    assert messages.index(profile) > last_latency
    assert "profile_failed" not in caveats_of(messages)


def test_a_profile_that_cannot_be_had_costs_a_caveat_and_not_the_run(
    bench: Bench, start: Callable[..., AgentProcess]
) -> None:
    messages = start().run(bench.plan(bench.spec(), profile=True))
    assert caveats_of(messages)["profile_failed"] == (
        "no profile: no time of single layers is predicted for this file"
    )
    (finished,) = of_kind(messages, Finished)
    (advice,) = [caveat.advice for caveat in finished.caveats if caveat.code == "profile_failed"]
    assert advice == "the time of each layer needs a board: --board NAME --profile"
    assert finished.iterations == 100


# -- cores


def test_each_run_of_a_plan_may_have_cores_of_its_own(
    bench: Bench, start: Callable[..., AgentProcess]
) -> None:
    behaviour = bench.behaviour(latency={"distribution": "constant", "median_ms": 10})
    plan = bench.plan(bench.spec("a", core_mask="0"), bench.spec("b", core_mask="0-1"))
    messages = start(RKBENCH_VIRTUAL_BEHAVIOUR=behaviour).run(plan)
    runs_ns = {item.run: item.run_ns for item in of_kind(messages, Latencies) if not item.warmup}
    assert {run: set(values or ()) for run, values in runs_ns.items()} == {
        "a": {10_000_000},
        "b": {6_730_000},
    }


def test_an_rk3568_is_never_given_a_mask(bench: Bench, start: Callable[..., AgentProcess]) -> None:
    bench.root = TREES / "rk3568"
    spec = bench.spec(data=model_bytes("rk3568"), core_mask="0-1")
    messages = start().run(bench.plan(spec))
    found = caveats_of(messages)
    assert found["core_mask_ignored"] == "rk3568 has one NPU core: --cores 0-1 was not applied"


# -- readings on a real clock


def test_two_samples_lie_inside_a_timed_part_that_the_timer_would_miss(
    bench: Bench, start: Callable[..., AgentProcess]
) -> None:
    """One block of half a second with RKNNLite's stand-in; the timer samples once a minute."""
    agent = start(PYTHONPATH=str(Path(__file__).parent / "standin"))
    limits = {"min_iterations": 10**6, "block_iterations": 10**6, "max_duration_s": 0.5}
    messages = agent.run(bench.plan(bench.spec(), runtime="lite", reading_interval_s=60.0, **limits))
    timed = [batch for batch in of_kind(messages, Latencies) if not batch.warmup]
    first, last = timed[0].start_ns[0], timed[-1].start_ns[-1]
    inside = [reading for reading in of_kind(messages, Reading) if first <= reading.time_ns <= last]
    assert len(inside) == 2
