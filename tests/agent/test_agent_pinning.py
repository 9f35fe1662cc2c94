"""Pinned clocks: what is written, that all of it is given back, and what is said where it cannot be."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Callable, Set

import pytest
from agent_bench import TREES, AgentProcess, Bench, of_kind, wait_until_gone
from clock_bench import clocks, guards_of, held_up_writes, kill_guard_and_all
from rkbench_agent.board import pin_plan
from rkbench_agent.board.guard import STATE
from rkbench_agent.board.pin_plan import Domain, Write, apply, big_cpus, plan_pin, read_domains
from rkbench_agent.errors import PinRefusedError
from rkbench_agent.wire.board import Environment, HeldClock, Pinning, Reading
from rkbench_agent.wire.caveats import caveat
from rkbench_agent.wire.messages import BoardCaveat, Cancel, Finished, Latencies

NPU = "sys/class/devfreq/fdab0000.npu"
DDR = "sys/class/devfreq/dmc"
CPU = "sys/devices/system/cpu/cpufreq"
PERFORMANCE = {
    f"{NPU}/governor": "performance",
    f"{DDR}/governor": "performance",
    f"{CPU}/policy0/scaling_governor": "performance",
    f"{CPU}/policy4/scaling_governor": "performance",
    f"{CPU}/policy6/scaling_governor": "performance",
}


@pytest.fixture
def start(start_anew: Callable[..., AgentProcess]) -> Callable[..., AgentProcess]:
    """Start agents that start guards: these are known by their command lines, which forks have not."""
    return start_anew


# -- pure


def test_an_rk3588_is_pinned_by_its_performance_governors() -> None:
    steps = plan_pin(read_domains(TREES / "rk3588"))
    assert [step.part for step in steps] == ["NPU", "DDR", "CPU policy0", "CPU policy4", "CPU policy6"]
    assert dict(write for step in steps for write in step.alternatives[0]) == PERFORMANCE


def test_a_given_npu_clock_goes_through_userspace_else_through_both_limits() -> None:
    npu = plan_pin(read_domains(TREES / "rk3588"), 600_000_000)[0]
    assert npu.alternatives == (
        (Write(f"{NPU}/governor", "userspace"), Write(f"{NPU}/userspace/set_freq", "600000000")),
        (Write(f"{NPU}/min_freq", "600000000"), Write(f"{NPU}/max_freq", "600000000")),
    )


def test_a_clock_above_the_present_limit_raises_the_upper_limit_first() -> None:
    limited = Domain("NPU", NPU, "simple_ondemand", (), (300, 600, 900), 600)
    assert plan_pin([limited], 900)[0].alternatives == (
        (Write(f"{NPU}/max_freq", "900"), Write(f"{NPU}/min_freq", "900")),
    )


def test_a_clock_that_the_npu_does_not_have_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(PinRefusedError) as caught:
        plan_pin(read_domains(TREES / "rk3568"), 650_000_000)
    assert str(caught.value) == (
        "no NPU clock of 650 MHz: this board has 200, 297, 400, 600, 700, 800, 900 MHz"
    )


def test_the_big_cores_are_those_of_the_fastest_clusters() -> None:
    assert big_cpus(read_domains(TREES / "rk3588")) == [4, 5, 6, 7]
    assert big_cpus(read_domains(TREES / "rk3568")) == [0, 1, 2, 3]


def test_clusters_that_differ_by_a_bin_are_big_alike() -> None:
    little = Domain("CPU policy0", f"{CPU}/policy0", "x", (), (1_800_000,), None, (0, 1, 2, 3), True)
    slow = Domain("CPU policy4", f"{CPU}/policy4", "x", (), (2_256_000,), None, (4, 5), True)
    fast = Domain("CPU policy6", f"{CPU}/policy6", "x", (), (2_400_000,), None, (6, 7), True)
    assert big_cpus([little, slow, fast]) == [4, 5, 6, 7]


def test_only_files_that_set_clocks_are_ever_written(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root")
    assert pin_plan.restore(tmp_path, [Write("etc/passwd", "evil")]) == ["etc/passwd"]
    assert (tmp_path / "etc/passwd").read_text() == "root"
    assert not pin_plan.is_ours(Write(f"{NPU}/../../../../etc/passwd", "1"))
    assert not pin_plan.is_ours(Write(f"{NPU}/governor", "a\n* * * * * root evil"))
    assert pin_plan.is_ours(Write(f"{NPU}/governor", "rknpu_ondemand"))


def test_a_domain_without_performance_falls_back_to_its_limits(board: Bench) -> None:
    folder = board.root / DDR
    (folder / "available_governors").write_text("dmc_ondemand\n")
    written = apply(board.root, plan_pin(read_domains(board.root)), lambda settings: None)
    assert Write(f"{DDR}/min_freq", "2112000000") in written
    assert (folder / "max_freq").read_text() == "2112000000"


# -- through the supervisor


def test_clocks_are_pinned_while_it_measures_and_given_back(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    before = clocks(board.root)
    messages = start().run(board.plan(board.spec(), pin=True))
    pinned, given_back = of_kind(messages, Pinning)
    assert (pinned.pinned, pinned.settings, pinned.restored) == (True, PERFORMANCE, None)
    assert pinned.big_cpus == [4, 5, 6, 7]
    assert pinned.clocks[:3] == [
        HeldClock("NPU", "performance"),
        HeldClock("DDR", "performance"),
        HeldClock("CPU policy0", "performance"),
    ]
    assert (given_back.restored, given_back.message) == (True, "")
    assert of_kind(messages, Environment)[-1].npu_governor == "performance"
    governors = {reading.npu_governor for reading in of_kind(messages, Reading)}
    assert governors == {"performance"}
    assert clocks(board.root) == before
    assert not (board.cache / STATE).exists()
    (finished,) = of_kind(messages, Finished)
    assert finished.iterations == 100
    said = {item.code for item in finished.caveats}
    assert {"not_pinned", "pin_lost"}.isdisjoint(said)
    assert of_kind(messages, BoardCaveat) == []


def test_a_given_npu_clock_is_held_by_both_limits_where_there_is_no_userspace_file(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    before = clocks(board.root)
    messages = start().run(board.plan(board.spec(), pin=True, npu_clock_hz=600_000_000))
    pinned = of_kind(messages, Pinning)[0]
    settings = pinned.settings
    assert pinned.clocks[0] == HeldClock("NPU", None, 600_000_000)
    assert settings[f"{NPU}/min_freq"] == settings[f"{NPU}/max_freq"] == "600000000"
    assert settings[f"{DDR}/governor"] == "performance"
    assert clocks(board.root) == before


def test_a_refused_write_leaves_nothing_half_pinned_and_names_the_command(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    for name in ("scaling_governor", "scaling_max_freq"):
        path = board.root / CPU / "policy6" / name
        path.unlink()
        path.symlink_to("/proc/sys/kernel/ostype")  # can be read, and not even root can write it
    before = clocks(board.root)
    messages = start().run(board.plan(board.spec(), pin=True))
    (told, _) = of_kind(messages, Pinning)
    assert (told.pinned, told.settings) == (False, {})
    refused = f"CPU policy6: cannot write performance to /{CPU}/policy6/scaling_governor: "
    assert told.message.startswith(refused)
    caveats = {caveat.code: caveat for caveat in of_kind(messages, Finished)[0].caveats}
    assert "echo performance > /sys/class/devfreq/fdab0000.npu/governor" in caveats["not_pinned"].advice
    assert of_kind(messages, Environment)[-1].npu_governor == "rknpu_ondemand"
    assert clocks(board.root) == before
    assert not (board.cache / STATE).exists()


def test_clocks_are_given_back_when_the_host_cancels(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    before = clocks(board.root)
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=board.behaviour(hang={"stage": "inference"}))
    agent.send(board.plan(board.spec(), pin=True))
    assert agent.until(Pinning).pinned
    assert clocks(board.root) != before
    agent.send(Cancel())
    assert agent.until(Pinning).restored is True
    assert clocks(board.root) == before


def test_clocks_are_given_back_when_the_line_is_cut(board: Bench, start: Callable[..., AgentProcess]) -> None:
    before = clocks(board.root)
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=board.behaviour(hang={"stage": "inference"}))
    agent.send(board.plan(board.spec(), pin=True))
    assert agent.until(Pinning).pinned
    assert agent.process.stdin is not None
    agent.process.stdin.close()
    assert agent.wait() == 0
    wait_until_gone(guards_of(board))
    assert clocks(board.root) == before


def test_clocks_are_given_back_when_the_line_stalls(board: Bench, start: Callable[..., AgentProcess]) -> None:
    before = clocks(board.root)
    behaviour = board.behaviour(hang={"stage": "inference"})
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=behaviour, RKBENCH_SILENCE_LIMIT_S="2.0")
    agent.send(board.plan(board.spec(), pin=True))
    assert agent.until(Pinning).pinned
    assert agent.wait() == 0  # it heard nothing more from us, and we have not closed the line
    wait_until_gone(guards_of(board))
    assert clocks(board.root) == before


def test_clocks_are_given_back_when_the_supervisor_hangs(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    before = clocks(board.root)
    behaviour = board.behaviour(hang={"stage": "inference"})
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=behaviour, RKBENCH_SILENCE_LIMIT_S="2.0")
    agent.send(board.plan(board.spec(), pin=True))
    assert agent.until(Pinning).pinned
    agent.process.send_signal(signal.SIGSTOP)
    wait_until_gone(guards_of(board))
    assert clocks(board.root) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_guard_that_is_told_to_end_gives_back_first(
    board: Bench, start: Callable[..., AgentProcess], number: signal.Signals
) -> None:
    before = clocks(board.root)
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=board.behaviour(hang={"stage": "inference"}))
    agent.send(board.plan(board.spec(), pin=True))
    assert agent.until(Pinning).pinned
    (guard,) = guards_of(board)
    os.kill(guard, number)
    wait_until_gone([guard])
    assert clocks(board.root) == before


def test_what_a_killed_guard_left_is_given_back_by_the_next_start(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    before = clocks(board.root)
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=board.behaviour(hang={"stage": "inference"}))
    agent.send(board.plan(board.spec(), pin=True))
    assert agent.until(Pinning).pinned
    kill_guard_and_all(board, agent)
    assert clocks(board.root) != before
    told = start().until(BoardCaveat).caveat
    assert told == caveat("clocks_restored", "restored the clocks that an earlier push had left pinned")
    assert clocks(board.root) == before
    assert not (board.cache / STATE).exists()


def test_a_clock_that_cannot_be_given_back_is_a_doubt_about_every_run(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=board.behaviour(hang={"stage": "inference"}))
    agent.send(board.plan(board.spec(), pin=True))
    assert agent.until(Pinning).pinned
    kill_guard_and_all(board, agent)
    (board.root / DDR / "governor").unlink()
    (board.root / DDR / "governor").symlink_to("/proc/version")  # can be read, takes nothing
    told = start().until(BoardCaveat).caveat
    assert (told.code, told.weight) == ("clocks_not_restored", "doubt")
    assert told.message.startswith("restored the clocks that an earlier push had left pinned; not: ")
    assert "dmc" in told.message


def test_a_guard_that_is_killed_meanwhile_is_a_caveat_and_leaves_nothing(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    before = clocks(board.root)
    behaviour = board.behaviour(crash={"stage": "inference"}, per_model={"b": {"crash": None}})
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=behaviour)
    agent.send(board.plan(board.spec("a"), board.spec("b"), pin=True))
    assert agent.until(Pinning).pinned
    for pid in guards_of(board):
        os.kill(pid, signal.SIGKILL)
    codes = [caveat.code for caveat in agent.until(Finished).caveats]
    assert "pin_lost" in codes
    assert agent.until(Pinning).restored is True
    assert clocks(board.root) == before


@pytest.mark.parametrize("domain", [f"{NPU}/governor", f"{CPU}/policy4/scaling_governor"])
def test_a_guard_that_dies_while_it_writes_has_set_nothing_for_good(
    board: Bench, start: Callable[..., AgentProcess], domain: str
) -> None:
    before = clocks(board.root)
    agent = start()
    agent.until(Environment)
    with held_up_writes(board.root / domain) as await_write:
        agent.send(board.plan(board.spec("a"), pin=True))
        await_write()
        for pid in guards_of(board):
            os.kill(pid, signal.SIGKILL)
    told = agent.until(Pinning)
    assert (told.pinned, told.restored) == (False, True)
    assert told.message == "the guard was killed while it set the clocks; the clocks were given back"
    assert clocks(board.root) == before
    caveats = {caveat.code: caveat.message for caveat in agent.until(Finished).caveats}
    assert caveats["not_pinned"] == f"the clocks were not pinned: {told.message}"
    assert agent.until(Pinning).restored is True
    assert not (board.cache / STATE).exists()


@pytest.mark.parametrize(
    "document",
    [
        {"root": "{elsewhere}", "settings": [[f"{NPU}/governor", "evil"]]},
        {"root": "{root}", "settings": [["etc/cron.d/x", "evil"], [f"{NPU}/../../../etc/cron.d/x", "evil"]]},
        {"root": "{root}", "settings": [[f"{NPU}/governor", "evil\n* * * * * root sh"]]},
        {"root": 1, "settings": 2},
        [],
        "x",
    ],
)
def test_a_planted_state_leads_no_write_anywhere_else(
    board: Bench, start: Callable[..., AgentProcess], tmp_path: Path, document: object
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / NPU).mkdir(parents=True)
    (elsewhere / NPU / "governor").write_text("precious")
    before = clocks(board.root)
    text = json.dumps(document).replace("{elsewhere}", str(elsewhere)).replace("{root}", str(board.root))
    (board.cache / STATE).write_text(text)
    start().until(Environment)
    assert clocks(board.root) == before
    assert (elsewhere / NPU / "governor").read_text() == "precious"
    assert not (board.root / "etc/cron.d/x").exists()


def test_what_was_pinned_before_a_reboot_is_not_written_again(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    boot_id = board.root / "proc/sys/kernel/random/boot_id"
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text("first\n")
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=board.behaviour(hang={"stage": "inference"}))
    agent.send(board.plan(board.spec(), pin=True))
    assert agent.until(Pinning).pinned
    kill_guard_and_all(board, agent)
    boot_id.write_text("second\n")
    (board.root / NPU / "governor").write_text("simple_ondemand\n")
    start().until(Environment)
    assert (board.root / NPU / "governor").read_text() == "simple_ondemand\n"
    assert not (board.cache / STATE).exists()


# -- readings


def test_at_least_two_readings_lie_inside_the_timed_part(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    messages = start().run(board.plan(board.spec(), min_iterations=20, reading_interval_s=60.0))
    batch = next(item for item in of_kind(messages, Latencies) if not item.warmup)
    first, last = batch.start_ns[0], batch.start_ns[-1] + batch.duration_ns[-1]
    inside = [reading for reading in of_kind(messages, Reading) if first <= reading.time_ns <= last]
    assert len(inside) >= 2


def codes_with_big_cores(board: Bench, start: Callable[..., AgentProcess], cpus: str) -> Set[str]:
    for path in (board.root / CPU).glob("policy*/affected_cpus"):
        path.write_text(f"{cpus}\n")
    (ended,) = of_kind(start().run(board.plan(board.spec(), pin=True)), Finished)
    return {caveat.code for caveat in ended.caveats}


def test_big_cores_that_a_worker_may_not_use_are_a_doubt(
    board: Bench, start: Callable[..., AgentProcess]
) -> None:
    assert "not_on_big_cores" in codes_with_big_cores(board, start, "4000 4001")


def test_big_cores_that_a_worker_may_use_are_none(board: Bench, start: Callable[..., AgentProcess]) -> None:
    assert "not_on_big_cores" not in codes_with_big_cores(board, start, "0")
