"""The supervisor: talks to the host on stdin and stdout, and carries out one plan at a time.

Standard library only, but for psutil where others load the board (`board.busiest`): numpy and the
vendor's runtime live in the workers. It ends when the host's
line is closed, silent, or stuck; no worker outlives it.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Deque, List, Optional

from rkbench_agent import __version__
from rkbench_agent.board.environment import read_environment
from rkbench_agent.board.guard import LOCK_WAIT_S
from rkbench_agent.board.lock import BoardLock, read_holder, wide_lock_file
from rkbench_agent.board.pinning import Pin
from rkbench_agent.board.sensors import Sensors
from rkbench_agent.board.turns import BoardTurns
from rkbench_agent.errors import CancelledError, HostGoneError, StorageError
from rkbench_agent.line.board_busy import take_board
from rkbench_agent.line.cache_query import look_up
from rkbench_agent.line.kept_board import KeptBoard
from rkbench_agent.line.link import HostLink
from rkbench_agent.line.settling import settle_clocks
from rkbench_agent.line.storage import Cache
from rkbench_agent.loop import Loop
from rkbench_agent.processes import archive
from rkbench_agent.run.conduct import Conductor
from rkbench_agent.run.plan_check import find_problem
from rkbench_agent.run.state import PlanBoard
from rkbench_agent.wire import words
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.messages import (
    Beat,
    Cancel,
    Done,
    Enough,
    Hello,
    KeepBoard,
    Message,
    Refused,
    Want,
)
from rkbench_agent.wire.plan import Plan
from rkbench_agent.wire.scenario_messages import TryRate
from rkbench_agent.wire.words import BAD_INPUT, BUSY, DEFAULT_CACHE

FAREWELL_S = 1.0


@dataclass(frozen=True)
class AgentEnvironment:
    """What the environment variables say."""

    root: Path
    silence_limit_s: float
    beat_interval_s: float

    @classmethod
    def from_environ(cls) -> AgentEnvironment:
        """Read the RKBENCH_* variables."""
        return cls(
            Path(os.environ.get("RKBENCH_SYS_ROOT") or "/"),
            float(os.environ.get("RKBENCH_SILENCE_LIMIT_S") or words.SILENCE_LIMIT_S),
            float(os.environ.get("RKBENCH_BEAT_INTERVAL_S") or words.BEAT_INTERVAL_S),
        )


def main(args: List[str]) -> int:
    """Serve one host on stdin and stdout; `args` may name the cache folder."""
    in_fd, out_fd = _take_standard_streams()
    environment = AgentEnvironment.from_environ()
    link = HostLink(in_fd, out_fd, environment.silence_limit_s)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _leave)
    code = 0
    try:
        Supervisor(link, environment, Cache(args[0] if args else _default_cache())).serve()
    except HostGoneError as error:
        sys.stderr.write(f"rkbench-agent: {error}\n")
    link.close(FAREWELL_S)
    # The writer thread may hang in a write to a host that does not read: do not wait for it.
    sys.stderr.flush()
    os._exit(code)


class Supervisor:
    """Answers the host until it goes away."""

    def __init__(self, link: HostLink, environment: AgentEnvironment, cache: Cache) -> None:
        self._link = link
        self._variables = environment
        self._cache = cache
        self._loop = Loop(self._check)
        self._wants: Deque[Want] = deque()
        self._plans: Deque[Plan] = deque()
        self._busy = False
        self._cancelled = False
        self._conductor: Optional[Conductor] = None
        lock = BoardLock(cache.lock_file, wide_lock_file(environment.root))
        limit_s, beat_s = environment.silence_limit_s, environment.beat_interval_s
        self._board = KeptBoard(lock, self._turns, self._loop, limit_s, beat_s)
        self._wanted: List[str] = []
        link.on_message = self._on_message
        link.arrived = self._arrived

    def serve(self) -> None:
        """Say hello, then do what the host asks; ends with HostGoneError."""
        self._hello()
        settle_clocks(self._link, self._cache.folder, self._variables.root, 0.0)
        self._send_environment(None)
        self._loop.watch(self._link.in_fd, self._link.receive)
        self._loop.start(self._variables.beat_interval_s, lambda: self._link.send(Beat()))
        try:
            while True:
                self._loop.turn(self._variables.beat_interval_s)
                while self._wants:
                    self._answer(self._wants.popleft())
                while self._plans:
                    self._run_plan(self._plans.popleft())
        finally:
            self._board.release()

    def _answer(self, want: Want) -> None:
        mounts = self._variables.root / "proc/self/mounts"
        self._link.send(look_up(want, self._cache, mounts, lambda: self._loop.turn(0.0)))

    def _hello(self) -> None:
        version = sys.version.split()[0]
        self._link.send(
            Hello(
                words.MAGIC,
                words.PROTOCOL,
                _own_digest(),
                __version__,
                version,
                os.getpid(),
                time.time_ns(),
                self._variables.silence_limit_s,
            )
        )

    def _send_environment(self, runtime: Optional[str]) -> Environment:
        cache = None if self._busy else self._cache.folder
        environment = read_environment(self._variables.root, runtime, cache)
        if not self._busy:
            held = read_holder((self._cache.lock_file, wide_lock_file(self._variables.root)))
            waiting = [ticket.waiter for ticket in self._turns().tickets()]
            environment = replace(environment, holder=held, waiting=waiting or None)
        self._link.send(environment)
        return environment

    def _on_message(self, message: Message) -> None:
        if isinstance(message, Want):
            self._wants.append(message)
            self._wanted = message.digests
        elif isinstance(message, KeepBoard):
            self._board.keep(message)
        elif isinstance(message, Enough):
            # One that crosses the end of its plan on the line has nothing to end any more.
            if self._conductor is not None:
                self._conductor.end_timing(message.run)
        elif isinstance(message, TryRate):
            if self._conductor is not None:
                self._conductor.try_rate(message.run, message.rate_per_s)
        elif isinstance(message, Cancel):
            self._cancelled = self._busy
            # One Done per plan: a Cancel that crosses the plan's own Done on the line gets none.
            for _ in self._plans:
                self._link.send(Done())
            self._plans.clear()
        elif isinstance(message, Plan):
            if self._busy:
                self._link.send(Refused(BUSY, "a plan is running on this line", "wait for its Done"))
            else:
                self._plans.append(message)

    def _arrived(self) -> object:
        """Return what has come so far of the files that the host asked for, by `put` processes."""
        try:
            return self._cache.partial_sizes(self._wanted)
        except StorageError:
            return None  # what it asked for is no digest

    def _check(self) -> None:
        self._link.check()
        if self._cancelled:
            self._cancelled = False
            raise CancelledError

    def _run_plan(self, plan: Plan) -> None:
        self._busy = True
        try:
            self._conduct(plan)
        except CancelledError:
            self._link.log("cancelled by the host")
        finally:
            self._busy = self._cancelled = False
            self._board.end_plan()
        self._link.send(Done())

    def _conduct(self, plan: Plan) -> None:
        problem = find_problem(plan)
        if problem:
            self._link.send(Refused(BAD_INPUT, problem))
            return
        lock, limit_s = self._board.lock, self._variables.silence_limit_s
        has_board = self._board.begin_plan(plan.priority)
        if not has_board and not take_board(lock, self._turns(), plan, self._link, limit_s, self._wait):
            return
        if lock.doubt is not None:
            self._link.doubt("other_users_unseen", lock.doubt)
        renewing = self._loop.start(self._variables.beat_interval_s, self._board.renew)
        try:
            settle_clocks(self._link, self._cache.folder, self._variables.root, LOCK_WAIT_S)
            pin = self._pin(plan) if plan.settings.pin else None
            try:
                self._measure(plan, pin)
            finally:
                if pin is not None:
                    self._link.send(pin.end())
        finally:
            self._loop.stop(renewing)

    def _turns(self) -> BoardTurns:
        return BoardTurns(self._cache.lock_file, wide_lock_file(self._variables.root))

    def _measure(self, plan: Plan, pin: Optional[Pin]) -> None:
        environment = self._send_environment(plan.settings.runtime)
        board = PlanBoard(self._variables.root, environment, self._cache.locate, pin)
        sensors = Sensors(self._variables.root)
        conductor = Conductor(plan, board, self._link, self._loop, sensors)
        interval_s = plan.reading_interval_s
        self._conductor = conductor
        timer = self._loop.start(interval_s, conductor.sample) if interval_s > 0 else None
        try:
            conductor.run()
        finally:
            self._conductor = None
            if timer is not None:
                self._loop.stop(timer)

    def _pin(self, plan: Plan) -> Pin:
        """Hold the clocks; whatever goes wrong is in the pin's caveats, and the plan runs all the same."""
        variables = self._variables
        limit_s, beat_s = variables.silence_limit_s, variables.beat_interval_s
        pin = Pin(self._loop, self._cache.folder, variables.root, limit_s, beat_s)
        try:
            self._link.send(pin.start(plan.settings.npu_clock_hz))
        except BaseException:
            pin.end()
            raise
        return pin

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._loop.turn(max(0.0, end - time.monotonic()))


def _take_standard_streams() -> Any:
    """Return descriptors of the host's line; fds 0 and 1 are led elsewhere, so that nobody else uses it."""
    in_fd, out_fd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return in_fd, out_fd


def _leave(number: int, frame: Any) -> None:
    del frame
    raise HostGoneError(f"signal {number}")


def _default_cache() -> str:
    """Return the cache folder that this agent lies in, else the usual one."""
    agents = archive().parent
    return str(agents.parent) if agents.name == "agents" else DEFAULT_CACHE


def _own_digest() -> str:
    """Return the SHA-256 of the zipapp that runs; empty when the package runs from a source folder."""
    try:
        return hashlib.sha256(archive().read_bytes()).hexdigest()
    except OSError:
        return ""
