"""A night on fake boards that kills its own host, with SIGKILL, at a chosen step.

A step is a message of a board, a word to the listener, or a statement of the store: what can lie between
two of them is lost or doubled where a night is careless.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from fake_boards import FakeSession
from night_lab import NightLab
from rkbench.boards.provider import open_boards
from rkbench.nightly.begin import Terms
from rkbench.nightly.cells import fingerprint, make_cells
from rkbench.nightly.night import run_night
from rkbench.nightly.suite import load_suite
from rkbench.results.night import Night
from rkbench.store import open_store
from rkbench_agent.wire.messages import Message
from rkbench_agent.wire.plan import Plan


class Steps:
    """Counts steps; with the one numbered `last` this process is killed."""

    def __init__(self, last: int | None = None) -> None:
        self.count = 0
        self._last = last
        self._lock = threading.Lock()

    def take(self, *_: object) -> None:
        """Count one."""
        with self._lock:
            self.count += 1
            if self.count == self._last:
                os.kill(os.getpid(), signal.SIGKILL)


def run_in_steps(lab: NightLab, steps: Steps) -> Night:
    """Run a night of the lab on fake boards, step by step."""

    class SteppingSession(FakeSession):
        def run(self, plan: Plan) -> Iterator[Message]:
            for message in super().run(plan):
                steps.take()
                yield message

    suite = load_suite(lab.suite)
    cells = make_cells(suite, open_boards(lab.inventory).find)
    begun = suite.name, fingerprint(suite, cells), cells
    with _traced(steps), open_store(lab.store) as store:
        return run_night(*begun, store, SteppingSession, steps.take, Terms(retry_pause_s=0.0))


@contextmanager
def _traced(steps: Steps) -> Iterator[None]:
    """Take a step with each statement of every database that is opened meanwhile."""
    connect = sqlite3.connect

    def connect_traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        db = connect(*arguments, **options)
        db.set_trace_callback(steps.take)
        return db

    with mock.patch.object(sqlite3, "connect", connect_traced):
        yield


class Hosts:
    """Makes processes that run a night until their last step: forks of one that has imported all."""

    def __init__(self) -> None:
        folders = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
        code = f"import sys; sys.path[:0] = {folders!r}; import killed_night; killed_night.serve()"
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)

    def run(self, lab: NightLab, last: int) -> int:
        """Run a night of the lab up to step `last`; return the signal that ended its process, or 0."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{last} {lab.folder}\n")
        self._process.stdin.flush()
        return os.WTERMSIG(int(self._process.stdout.readline()))

    def close(self) -> None:
        """End the process that forks."""
        self._process.communicate()


def serve() -> None:
    """Run nights as stdin asks for them, each in a fork; say on stdout with what status each ended."""
    for line in sys.stdin:
        last, _, folder = line.rstrip("\n").partition(" ")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                run_in_steps(NightLab(Path(folder)), Steps(int(last)))
                code = 0
            finally:
                os._exit(code)
        print(os.waitpid(pid, 0)[1], flush=True)
