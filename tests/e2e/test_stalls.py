"""A push over a link that stalls, or breaks off, at any point: it ends with an error and leaves no process.

A few points in the suite; `make stalls` takes RKBENCH_STALL_POINTS of them, half of them cuts.
"""

from __future__ import annotations

import os
import sys
import threading
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from recorded import MODELS
from relay import Relay
from rkbench.boards.agent.boot import build_agent
from rkbench.boards.model import Board
from rkbench.campaign import PushOptions, run_campaign
from rkbench.errors import ConnectError, ConnectionLostError
from rkbench.session import open_session
from rkbench.store import open_store
from rkbench.store.lookup import find_runs
from rkbench_agent.wire.plan import RunSettings
from sshd import BEAT_INTERVAL_S, SILENCE_LIMIT_S, Sshd

POINTS = int(os.environ.get("RKBENCH_STALL_POINTS", "6"))
#: What goes up until a plan runs is a little more: handshake and login, the agent, a model as it is packed.
FIRST_BYTES, LAST_BYTES = 200, len(build_agent().sent) + len(zlib.compress(MODELS[0].read_bytes(), 1))
#: The longest that a push may hang after its link has died, on a busy computer.
LIMIT_S = 20.0
ENDLESS = PushOptions(
    MODELS[:1], RunSettings(runtime="virtual", min_iterations=10**9, min_duration_s=0.0, calm_limit_s=0.0)
)


def up_bytes(number: int) -> int:
    """Return the points, closer to each other at the start, where each message is another step."""
    return round(FIRST_BYTES * (LAST_BYTES / FIRST_BYTES) ** (number / max(1, POINTS - 1)))


def push(board: Board, folder: Path) -> str:
    """Push, and return how it ended: as an error before anything ran, or as the failure of its run."""
    connect = partial(
        open_session,
        board,
        silence_limit_s=SILENCE_LIMIT_S,
        beat_interval_s=BEAT_INTERVAL_S,
        connect_timeout_s=SILENCE_LIMIT_S,
        answer_limit_s=2 * SILENCE_LIMIT_S,
    )
    try:
        with open_store(folder / "results.sqlite") as store:
            (run,) = run_campaign(ENDLESS, board, connect, store).runs
            assert find_runs(store, run.id)[0].failure == run.failure
    except (ConnectError, ConnectionLostError) as error:
        return error.message
    assert run.failure is not None
    assert run.failure.stage == "connection"
    return run.failure.message


@pytest.mark.parametrize("fault", ["stall", "cut"])
@pytest.mark.parametrize("number", range(POINTS // 2))
def test_a_push_over_a_link_that_dies_ends_and_leaves_no_process(
    start_sshd: Callable[..., Sshd], tmp_path: Path, number: int, fault: str
) -> None:
    server = start_sshd()
    with Relay(server.port) as relay:
        died = threading.Event()
        relay.tell = died.set
        point = up_bytes(2 * number + (fault == "cut"))
        (relay.stall_after if fault == "stall" else relay.cut_after)(point)
        said: list[str] = []
        board = replace(server.through(relay.port), python=sys.executable, runtime="virtual")
        thread = threading.Thread(target=lambda: said.append(push(board, tmp_path)), daemon=True)
        thread.start()
        assert died.wait(LIMIT_S * 3), f"{point} bytes never went up"
        thread.join(LIMIT_S)
        assert not thread.is_alive(), f"hung after {point} bytes"
        assert said, "a traceback"
        server.await_no_processes(LIMIT_S)
