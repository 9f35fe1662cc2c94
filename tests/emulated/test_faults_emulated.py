"""What the vendor's librknnrt says when a board is broken, in a push; each row: `test_real_runtime.py`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from emulated_board import BoardFactory, EmulatedBoard
from rkbench.boards.model import Board
from rkbench.campaign import PushOptions, run_campaign
from rkbench.results.model import RunResult
from rkbench.store import open_store
from rkbench_agent.wire.plan import RunSettings
from test_push_emulated import told

pytestmark = [pytest.mark.emulated, pytest.mark.xdist_group("T2"), pytest.mark.timeout(240)]
MODEL, OF_RK3568 = "mb_gap7_rk3588_i8.rknn", "q_compress_weight_True_rk3568.rknn"


@pytest.fixture(scope="session")
def broken_board(emulated_board: BoardFactory) -> EmulatedBoard:
    """T2, the board that is pushed to, to be broken by each test anew."""
    return emulated_board("rk3588", tier="T2", env={"RKBENCH_TEST": "push"})


def push(board: EmulatedBoard, model: Path, folder: Path, runtime: str) -> RunResult:
    """Push one model; a model of another SoC too."""
    target = Board(
        "emulated",
        board.host,
        board.port,
        board.user,
        runtime=runtime,
        identity_files=(board.key_file,),
        known_hosts_files=(board.known_hosts,),
    )
    settings = RunSettings(
        min_iterations=5,
        min_duration_s=0.0,
        warmup_iterations=1,
        min_blocks=1,
        block_iterations=5,
        block_duration_s=0.0,
    )
    order = PushOptions((model,), settings, force=True)
    with open_store(folder / "results.sqlite") as store:
        return run_campaign(order, target, partial(board.line, target), store).runs[0]


@pytest.mark.parametrize(
    ("runtime", "model", "settings", "number", "advice"),
    [
        ("capi", MODEL, {"OPEN_ERRNO": "13"}, 13, "groups render and video"),
        ("capi", OF_RK3568, {}, 59, "target_platform"),
        ("lite", MODEL, {"SUBMIT_ERRNO": "22"}, 31, "Update driver and toolkit"),
    ],
)
def test_what_the_real_runtime_says_is_in_the_catalogue(
    broken_board: EmulatedBoard,
    models: Path,
    tmp_path: Path,
    runtime: str,
    model: str,
    settings: dict[str, str],
    number: int,
    advice: str,
) -> None:
    with told(broken_board, **settings):
        run = push(broken_board, models / model, tmp_path, runtime)
    assert run.failure is not None
    fatal = [item for item in run.failure.diagnoses if item.severity == "fatal"]
    assert [item.number for item in fatal][:1] == [number], run.failure
    assert advice in fatal[0].advice


def test_an_old_driver_that_the_runtime_puts_up_with_is_a_caveat(
    broken_board: EmulatedBoard, models: Path, tmp_path: Path
) -> None:
    with told(broken_board, DRIVER_CODE="802"):
        run = push(broken_board, models / MODEL, tmp_path, "lite")
    assert run.failure is None
    codes = [caveat.code for caveat in run.caveats]
    assert codes.count("driver_old") == 1
    assert codes.count("runtime_version_mismatch") == 1
