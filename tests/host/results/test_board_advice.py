"""What we tell people to type on a board works: the commands run in a shell, over the files of boards."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import make_run
from rkbench.boards.doctor.checks import board_checks
from rkbench.boards.virtual.trees import TREES, copy_tree
from rkbench.results.caveats import caveats_of
from rkbench.results.environment import update_record
from rkbench.results.extras import PinRecord
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import Readings, RunResult, Sensor
from rkbench.results.records import BoardRecord
from rkbench.results.soak import Soak, SoakFinding, SoakSummary
from rkbench_agent.board.environment import read_environment
from rkbench_agent.board.pin_plan import command_of, plan_pin, read_domains
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.words import LITE, NPU

RECORDED = Path(__file__).parents[2] / "data/recorded"
BOARDS = [(TREES, name) for name in ("rk3568", "rk3588")] + [
    (RECORDED, path.stem) for path in sorted(RECORDED.glob("*.links"))
]
SHELLS = [shell for shell in (("sh",), ("busybox", "sh")) if shutil.which(shell[0])]


def of_governors(root: Path) -> list[Caveat]:
    """Return what is said of the governors of the board under `root`, as of a real one."""
    board = update_record(BoardRecord("desk"), read_environment(root, LITE))
    run = replace(make_run(), board=board, simulated=False, conditions=None)
    return [found for found in caveats_of(run, RawLatencies()) if found.code in ("governor", "cpu_governor")]


def typed_there(command: str, root: Path, shell: tuple[str, ...]) -> None:
    """Run a command of an advice, as root on that board: its /sys is the tree's."""
    there = command.replace("/sys/", f"{root}/sys/").replace("sudo ", "")
    subprocess.run([*shell, "-ec", there], check=True, capture_output=True)


@pytest.fixture(params=BOARDS, ids=lambda board: board[1])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    trees, name = request.param
    copy_tree(name, tmp_path / "board", trees)
    return tmp_path / "board"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_governors_are_held_by_what_the_caveat_says(board: Path, shell: tuple[str, ...]) -> None:
    for found in of_governors(board):
        typed_there(found.advice.partition("as root there: ")[2], board, shell)
    assert of_governors(board) == []


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_governors_are_held_by_what_the_doctor_says(board: Path, shell: tuple[str, ...]) -> None:
    environment = read_environment(board, LITE, board)
    closed = [replace(file, settable=False) for file in environment.governor_files or ()]
    checks = board_checks(replace(environment, governor_files=closed, user="ann"), LITE)
    for check in (check for check in checks if "by hand: " in check.fix):
        typed_there(check.fix.partition("by hand: ")[2], board, shell)
    assert of_governors(board) == []


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_clocks_are_held_by_what_the_agent_says_where_it_may_not(board: Path, shell: tuple[str, ...]) -> None:
    domains = read_domains(board)
    if any(domain.part == NPU for domain in domains):
        typed_there(command_of(plan_pin(domains)), board, shell)
        assert of_governors(board) == []


def test_an_example_board_has_governors_that_let_clocks_move(tmp_path: Path) -> None:
    copy_tree("rk3588", tmp_path / "board")
    assert [found.code for found in of_governors(tmp_path / "board")] == ["governor", "cpu_governor"]


def with_sensor(quantity: str, *, part: str | None = None, low: float, high: float) -> RunResult:
    sensor = Sensor(quantity, 3, low, low, (low + high) / 2, high, high, quantity, part)
    return replace(make_run(), readings=Readings(3, 0.0, (sensor,)))


def with_soak(code: str) -> RunResult:
    windows = (SoakSummary(0.0, 20, 0.01, 0.01, 0.01, 1000, None),)
    told = Soak(60.0, 20, windows, (SoakFinding(code, "it does"),), 20, 1, 3, None, None, None, None, 20)
    return replace(make_run(), soak=told)


OPTIONS = ("--runtime capi", "--cool-below", "--cores 0", "--pin")
DOUBTFUL = {
    "throttling": with_sensor("temperature_celsius", part="npu-thermal", low=70, high=90),
    "below_max_clock": with_sensor("npu_clock_hz", low=2e8, high=2e8),
    "clock_changed": with_sensor("npu_clock_hz", low=6e8, high=1e9),
    "growth": replace(make_run(), growth_bytes=600_000, growth_iterations=100),
    "nondeterministic": replace(
        make_run(), outputs=(replace(make_run().outputs[0], deterministic=False),), soak=None
    ),
    "drift": with_soak("drift"),
    "memory_leak": with_soak("memory_leak"),
}


@pytest.mark.parametrize("code", DOUBTFUL)
def test_what_a_push_had_already_is_not_advised_again(code: str) -> None:
    """Where nothing was done yet an option helps; where all was, something else is named."""
    run = DOUBTFUL[code]
    plan = replace(run.plan, runtime="capi", core_mask="0", cool_below_celsius=50.0)
    tried = replace(run, plan=plan, conditions=PinRecord(True, {"governor": "userspace"}))
    fresh, again = (
        next(found.advice for found in caveats_of(one, RawLatencies()) if found.code == code)
        for one in (run, tried)
    )
    assert any(option in fresh for option in OPTIONS)
    assert not any(option in again for option in OPTIONS)
    assert again
