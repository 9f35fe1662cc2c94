"""A board that fails again and again is taken out, everywhere, until it passes or is released."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from bench_command import run_bench
from night_lab import DEMO, NightLab
from rkbench.boards.health import Health, check_quarantine, health_of, note_health, release
from rkbench.boards.model import Board
from rkbench.boards.provider import open_boards
from rkbench.errors import BoardQuarantinedError
from rkbench.metrics.discovery import Targets


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "bench.toml"
    path.write_text(
        '[boards.desk]\nhost = "127.0.0.1"\nport = 1\nsoc = "rk3588"\n'
        f'[boards.rack]\nhost = "virtual"\nhome = "{tmp_path}/rack"\nsoc = "rk3588"\n'
    )
    return path


@pytest.fixture
def desk(inventory: Path) -> Board:
    return open_boards(inventory).find("desk")[0]


def test_three_faults_in_a_row_take_a_board_out(desk: Board, caplog: pytest.LogCaptureFixture) -> None:
    for text in ("one", "two"):
        note_health(desk, text)
    check_quarantine(desk)
    note_health(desk, "three", unix_s=lambda: 1_795_442_400.0)
    with pytest.raises(BoardQuarantinedError) as caught:
        check_quarantine(desk)
    assert caught.value.message == (
        "board 'desk' is in quarantine since 2026-11-23 14:00 UTC: it failed 3 times in a row,"
        " the last time: three"
    )
    assert "bench boards release desk" in caught.value.hint
    assert "is taken out" in caplog.text


def test_a_success_between_counts_anew(desk: Board) -> None:
    for fault in ("one", "two", None, "three", "four"):
        note_health(desk, fault)
    assert health_of(desk) == Health(("three", "four"))


def test_a_success_of_a_run_that_was_under_way_releases_nothing(desk: Board) -> None:
    for fault in ("one", "two", "three", None):
        note_health(desk, fault)
    with pytest.raises(BoardQuarantinedError):
        check_quarantine(desk)
    assert release(desk)
    check_quarantine(desk)
    assert not release(desk)


def test_what_no_inventory_names_is_never_taken_out(desk: Board, tmp_path: Path) -> None:
    for board in (replace(desk, name="root@127.0.0.1"), Board("made", "virtual", simulated=True)):
        for _ in range(4):
            note_health(board, "gone")
        check_quarantine(board)
    assert not (tmp_path / "bench.health.json").exists()


def test_a_file_that_cannot_be_read_takes_no_board_out(
    desk: Board, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bench.health.json").write_text("{")
    check_quarantine(desk)
    assert "the health of boards cannot be read" in caplog.text


def test_a_board_that_does_not_answer_is_taken_out_and_said_everywhere(
    inventory: Path, tmp_path: Path
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        port = nobody.getsockname()[1]
        inventory.write_text(inventory.read_text().replace("port = 1", f"port = {port}"))
        for _ in range(3):
            done = run_bench("boards", "list", "--status", "--inventory", inventory, folder=tmp_path)
            assert "no answer:" in done.stdout
        listed = run_bench("boards", "list", "--status", "--inventory", inventory, folder=tmp_path)
        assert "taken out: board 'desk' is in quarantine" in listed.stdout
        named = run_bench("boards", "list", "--inventory", inventory, folder=tmp_path)
        assert "taken out: in quarantine since 20" in named.stdout.splitlines()[0]
        document = run_bench("boards", "list", "--json", "--inventory", inventory, folder=tmp_path).document
        assert [board["quarantined"] for board in document] == [True, False]
        (tmp_path / "x.rknn").write_bytes(b"")
        found = open_boards(inventory)
        with pytest.raises(BoardQuarantinedError):
            found.hold("desk")
        checked = run_bench("boards", "check", "desk", "--inventory", inventory, folder=tmp_path)
        assert checked.returncode == 1
        with pytest.raises(BoardQuarantinedError):
            found.hold("desk")
        done = run_bench("boards", "release", "desk", "--inventory", inventory, folder=tmp_path)
        assert done.stdout == "desk is used again\n"
        found.hold("desk")


def test_a_board_that_passes_the_doctor_is_used_again(inventory: Path, tmp_path: Path) -> None:
    rack = open_boards(inventory).find("rack")[0]
    for _ in range(3):
        note_health(rack, "gone")
    with pytest.raises(BoardQuarantinedError):
        open_boards(inventory).hold("rack")
    done = run_bench("boards", "check", "rack", "--inventory", inventory, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "rack passes, and is used again\n")
    assert health_of(rack) == Health()


def test_a_night_goes_on_without_a_board_that_is_taken_out(tmp_path: Path) -> None:
    lab = NightLab(tmp_path)
    left = open_boards(lab.inventory).find("left")[0]
    for _ in range(3):
        note_health(left, "it fell silent")
    done, night = lab.night()
    assert done.returncode == 1
    states = {(cell["board"], cell["fault"] is None) for cell in night["cells"]}
    assert states == {("left", False), ("right", True)}
    faults = {cell["fault"]["message"] for cell in night["cells"] if cell["fault"]}
    assert len(faults) == 1
    assert "board 'left' is in quarantine since" in faults.pop()
    assert "bench boards release left" in done.stdout + done.stderr


def test_a_push_to_a_tag_takes_the_next_board(tmp_path: Path) -> None:
    lab = NightLab(tmp_path)
    left = open_boards(lab.inventory).find("left")[0]
    for _ in range(3):
        note_health(left, "it fell silent")
    model = DEMO / "digits.regrouped.int8.rknn"
    asked = (
        "push",
        model,
        "--golden",
        DEMO / "golden.npz",
        "--duration",
        "0",
        "--iterations",
        "20",
        "--quick",
    )
    done = lab.run(*asked, "--board", "shelf", "--any", "--json", "-")
    assert done.returncode == 0, done.stderr
    assert done.document["runs"][0]["board"]["name"] == "right"
    assert "in quarantine" in done.stderr
    named = lab.run(*asked, "--board", "left")
    assert named.returncode == 1
    assert "bench boards release left" in named.stderr


def test_prometheus_learns_of_a_board_that_is_taken_out_and_that_it_is_back(
    desk: Board, inventory: Path
) -> None:
    targets = Targets(inventory)
    key = "__meta_rkbench_quarantined"

    def told() -> tuple[list[bool], list[str]]:
        labels = [key in group["labels"] for group in json.loads(targets.document())]
        families = {family.name: family for family in targets.collect()}
        return labels, [sample.labels["board"] for sample in families["rkbench_board_quarantined"].samples]

    assert told() == ([False, False], [])
    for _ in range(3):
        note_health(desk, "gone")
    assert told() == ([True, False], ["desk"])
    release(desk)
    assert told() == ([False, False], [])
