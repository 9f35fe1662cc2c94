"""Boards for the tests: a real sshd on loopback, and links to it that can be broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from pipes import PipeBoard
from typing import Any

import pytest
from relay import Relay
from sshd import BEAT_INTERVAL_S, SILENCE_LIMIT_S, SSHD, USUAL_LIMITS, Sshd

#: What every agent of these tests is told.
LIMITS = {"RKBENCH_SILENCE_LIMIT_S": f"{SILENCE_LIMIT_S}", "RKBENCH_BEAT_INTERVAL_S": f"{BEAT_INTERVAL_S}"}


@pytest.fixture
def start_sshd(tmp_path: Path) -> Iterator[Callable[..., Sshd]]:
    """Start real OpenSSH servers; stopped after the test, which fails if a login left a process."""
    if not Path(SSHD).exists():
        pytest.skip(f"{SSHD} is not installed (Debian: openssh-server)")
    with ExitStack() as running:
        count = 0

        def start(**options: Any) -> Sshd:
            nonlocal count
            count += 1
            environment = {**LIMITS, **options.pop("environment", {})}
            server = Sshd(tmp_path / f"sshd{count}", environment=environment, **options)
            running.callback(server.close)
            running.callback(server.await_no_processes)
            return server

        yield start


@pytest.fixture
def sshd(start_sshd: Callable[..., Sshd]) -> Sshd:
    """One real OpenSSH server."""
    return start_sshd()


@pytest.fixture
def patient_sshd(start_sshd: Callable[..., Sshd]) -> Sshd:
    """One whose agents bear a host as busy as any may be: for tests of whole nights, not of silence."""
    return start_sshd(environment=USUAL_LIMITS)


@pytest.fixture
def pipe_board(tmp_path: Path) -> Iterator[PipeBoard]:
    """A board that is reached by pipes; the test fails if an agent is left there."""
    board = PipeBoard(tmp_path / "pipe_board", LIMITS)
    yield board
    board.await_no_processes()


@pytest.fixture
def relay(sshd: Sshd) -> Iterator[Relay]:
    """A link to `sshd` that can be stalled and cut."""
    with Relay(sshd.port) as link:
        yield link
