"""The doctor on emulated boards: real RKNNLite, real librknnrt, another user, a trap."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from emulated_board import BoardFactory, EmulatedBoard
from rkbench.boards.model import Board
from rkbench.campaign.check import BoardChecks, check_board
from rkbench.session import open_session


def look(board: EmulatedBoard, user: str, *models: Path) -> BoardChecks:
    """Return the doctor's verdicts on an emulated board, as `user`."""
    target = Board(
        "emulated",
        board.host,
        board.port,
        user,
        identity_files=(board.key_file,),
        known_hosts_files=(board.known_hosts,),
    )
    return check_board(target, models, partial(open_session, target))


def verdicts(found: BoardChecks) -> dict[str, str]:
    return {check.code: check.verdict for check in found.checks}


@pytest.mark.emulated
@pytest.mark.xdist_group("T2")
def test_root_on_a_board_with_the_real_runtime_may_run_models(
    emulated_board: BoardFactory, models: Path
) -> None:
    board = emulated_board("rk3588", tier="T2")
    found = look(board, "root", models / "mb_gap7_rk3588_i8.rknn")
    assert [check.code for check in found.checks if check.verdict == "fail"] == []
    texts = {check.code: check.found for check in found.checks}
    assert texts["runtime"] == "1.5.2 in /usr/lib/librknnrt.so"
    assert texts["lite"] == "2.5.0"
    assert texts["driver"] == "rknpu 0.9.8"
    assert texts["model_container"] == "version 6 needs librknnrt 1.5.2 or newer, the board has 1.5.2"
    assert verdicts(found)["model_toolkit"] == "warn"


@pytest.mark.emulated
@pytest.mark.xdist_group("T1")
def test_a_user_without_rights_is_told_how_to_get_them(emulated_board: BoardFactory) -> None:
    found = look(emulated_board("rk3588", tier="T1"), "rock")
    fails = [check for check in found.checks if check.verdict == "fail"]
    assert [check.code for check in fails] == ["permission"]
    assert "rock may not open /dev/dri/renderD129" in fails[0].found
    assert verdicts(found)["governors"] == "warn"


@pytest.mark.emulated
@pytest.mark.xdist_group("T1")
def test_a_stray_dockerenv_is_seen(emulated_board: BoardFactory) -> None:
    board = emulated_board("rk3568", tier="T1", env={"RKBENCH_TEST": "dockerenv"})
    board.run("touch /.dockerenv; rm /dev/dri/renderD129")
    found = look(board, "root")
    container = next(check for check in found.checks if check.code == "container")
    assert container.verdict == "fail"
    assert "RKNNLite demands what is missing: /dev/dri/renderD129" in container.found
    assert "--device /dev/dri" in container.fix
