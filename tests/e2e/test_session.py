"""Running plans in a session: to the end, cancelled, interrupted, and with an agent that is killed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import struct
from pathlib import Path
from pipes import PipeBoard

import pytest
from rkbench.boards.model import Board
from rkbench.boards.virtual.board import VirtualBoard
from rkbench.errors import BoardError, ConnectionLostError, UsageError
from rkbench.files import local_file
from rkbench.session import Session, open_session
from rkbench_agent.wire.messages import Beat, BoardCaveat, Done, Finished, Latencies, Progress
from rkbench_agent.wire.plan import FileFigures, Plan, RunSettings, RunSpec, TensorSpec

#: Never reached: only a cancel or a fault ends such a plan.
ENDLESS = 1_000_000_000


def model_bytes() -> bytes:
    """Return the smallest file that has the outside of an .rknn for the RK3588."""
    payload = bytes(1000)
    header = b"RKNN" + struct.pack("<IQQ", 0, 6, len(payload)) + bytes(40)
    text = json.dumps({"target_platform": ["rk3588"], "version": "2.5.0"}).encode()
    return header + payload + struct.pack("<Q", len(text)) + text


@pytest.fixture
def board(pipe_board: PipeBoard, data: Path) -> PipeBoard:
    """A board whose agents see the tree of an RK3588."""
    pipe_board.environment["RKBENCH_SYS_ROOT"] = str((data / "boards/rk3588").resolve())
    return pipe_board


def plan_for(session: Session, folder: Path, min_iterations: int) -> Plan:
    model = folder / "m.rknn"
    model.write_bytes(model_bytes())
    file = local_file(model)
    assert file.sha256 == hashlib.sha256(model_bytes()).hexdigest()
    session.upload([file])
    inputs = [TensorSpec("x", [1, 4, 4, 3], "uint8", "NHWC")]
    outputs = [TensorSpec("y", [1, 10], "float32")]
    figures = FileFigures(1000, 1000, 10)
    spec = RunSpec("a", "m", file.sha256, file.size_bytes, inputs, outputs, figures=figures)
    settings = RunSettings(
        runtime="virtual",
        min_iterations=min_iterations,
        min_duration_s=0.0,
        min_blocks=1,
        block_duration_s=0.0,
    )
    return Plan([spec], settings)


def test_a_plan_runs_to_its_end_and_beats_stay_out(board: PipeBoard, tmp_path: Path) -> None:
    with board.session() as session:
        messages = list(session.run(plan_for(session, tmp_path, 120)))
    assert [message for message in messages if isinstance(message, (Beat, Done))] == []
    (finished,) = [message for message in messages if isinstance(message, Finished)]
    assert finished.iterations >= 120
    timed = [item for item in messages if isinstance(item, Latencies) and not item.warmup]
    assert sum(len(item.duration_ns) for item in timed) == finished.iterations


def test_enough_of_a_run_ends_it_long_before_its_plan_does(board: PipeBoard, tmp_path: Path) -> None:
    with board.session() as session:
        messages = []
        for message in session.run(plan_for(session, tmp_path, ENDLESS)):
            messages.append(message)
            if isinstance(message, Latencies) and not message.warmup:
                session.enough("a")
        session.enough("a")  # nothing runs any more
        again = list(session.run(plan_for(session, tmp_path, 100)))
    (finished,) = [message for message in messages if isinstance(message, Finished)]
    assert finished.iterations < ENDLESS
    assert any(isinstance(message, Finished) and message.iterations == 100 for message in again)


def test_what_the_agent_doubts_of_the_board_comes_first_with_every_plan(
    pipe_board: PipeBoard, data: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(data / "boards/rk3588", root, symlinks=True)
    (root / "proc/self").mkdir()
    (root / "proc/self/mounts").write_text(f"tmpfs {tmp_path} tmpfs rw 0 0\n")
    pipe_board.environment["RKBENCH_SYS_ROOT"] = str(root)
    with pipe_board.session() as session:
        first, second = (next(session.run(plan_for(session, tmp_path, 100))) for _ in range(2))
    assert isinstance(first, BoardCaveat)
    assert first.caveat.code == "cache_in_memory"
    assert second == first


def test_leaving_the_loop_cancels_and_the_session_goes_on(board: PipeBoard, tmp_path: Path) -> None:
    with board.session() as session:
        running = session.run(plan_for(session, tmp_path, ENDLESS))
        for message in running:
            if isinstance(message, Latencies):
                break
        running.close()  # type: ignore[attr-defined]  # it is a generator
        messages = list(session.run(plan_for(session, tmp_path, 100)))
    assert any(isinstance(message, Finished) for message in messages)


def test_leaving_the_loop_after_the_agent_was_killed_raises_nothing(board: PipeBoard, tmp_path: Path) -> None:
    with board.session() as session:
        running = session.run(plan_for(session, tmp_path, ENDLESS))
        next(running)
        os.kill(session.hello.pid, signal.SIGKILL)
        running.close()  # type: ignore[attr-defined]  # it is a generator


def test_an_interrupt_inside_the_loop_cancels_and_goes_on_upwards(board: PipeBoard, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), board.session() as session:
        for message in session.run(plan_for(session, tmp_path, ENDLESS)):
            if isinstance(message, (Latencies, Progress)):
                raise KeyboardInterrupt
    board.await_no_processes()
    assert board.processes() == []


def test_a_killed_supervisor_is_told_and_leaves_no_worker(board: PipeBoard, tmp_path: Path) -> None:
    with board.session() as session, pytest.raises(ConnectionLostError) as lost:
        running = iter(session.run(plan_for(session, tmp_path, ENDLESS)))
        next(message for message in running if isinstance(message, Latencies))
        os.kill(session.hello.pid, signal.SIGKILL)  # once: what it had sent before may still come
        list(running)
    assert "bench-board" in lost.value.message
    board.await_no_processes()


def test_a_virtual_board_has_a_tree_of_its_soc(tmp_path: Path) -> None:
    virtual = Board(name="v", host="virtual", soc="rk3568", simulated=True, home=tmp_path)
    with VirtualBoard(virtual) as server, open_session(server.board) as session:
        assert (session.environment.soc, session.environment.npu_cores) == ("rk3568", 1)
    assert (tmp_path / ".cache/rkbench/agents").is_dir()


def test_a_virtual_board_of_another_soc_does_not_exist() -> None:
    with pytest.raises(UsageError, match="no virtual board 'rk9999'"):
        VirtualBoard(Board(name="v", host="virtual", soc="rk9999", simulated=True))


def test_an_unwritable_home_of_a_virtual_board_is_named(tmp_path: Path) -> None:
    virtual = Board(name="v", host="virtual", simulated=True, cache_dir="/proc/rkbench")
    with VirtualBoard(virtual) as server, pytest.raises(BoardError, match="cannot be written"):
        open_session(server.board)


def test_closing_a_virtual_board_ends_what_runs_there(tmp_path: Path) -> None:
    virtual = Board(name="v", host="virtual", simulated=True)
    with VirtualBoard(virtual) as server:
        session = open_session(server.board)
        pid = session.hello.pid
    with pytest.raises(ConnectionLostError):
        session.upload([local_file(Path(__file__))])
    session.close()
    assert not server.folder.exists()
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
