"""The supervisor's side of pinning: starts the guard, lets it know that it lives, and hears how it went."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Callable, Dict, List, Optional

from rkbench_agent.board.guard import LOCK_WAIT_S, settle
from rkbench_agent.loop import Loop, Timer
from rkbench_agent.processes import START_CODE, package_root
from rkbench_agent.wire.board import HeldClock, Pinning
from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.lines import LineBuffer

ANSWER_LIMIT_S = LOCK_WAIT_S + 5.0
TICK_S = 0.05
#: The guard restores by itself once the supervisor gave no sign of life for so many silence limits.
GUARD_SILENCES = 4.0
_BY_HAND = 'push as root, or with become = "sudo -n" in bench.toml, or let the user (deploy/99-rkbench.rules)'


class Pin:
    """The clocks of the board, held still from `start` to `end`."""

    def __init__(self, loop: Loop, cache: Path, root: Path, silence_limit_s: float, beat_s: float) -> None:
        self._loop = loop
        self._cache = cache
        self._root = root
        self._limit_s = GUARD_SILENCES * silence_limit_s
        self._beat_s = beat_s
        self._lines = LineBuffer()
        self._answers: List[Dict[str, Any]] = []
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._timer: Optional[Timer] = None
        self._open = False
        self.pinning = Pinning(pinned=False)

    def start(self, npu_clock_hz: Optional[int]) -> Pinning:
        """Have the guard set the clocks; return what came of it. Nothing is half set."""
        arguments = [str(self._cache), str(self._root), str(npu_clock_hz or 0), str(self._limit_s)]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", START_CODE, package_root(), "guard", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            self.pinning = Pinning(pinned=False, message=f"cannot start the guard: {error}")
            return self.pinning
        assert self._process.stdout is not None
        self._loop.watch(self._process.stdout.fileno(), self._on_answer)
        self._open = True
        self._timer = self._loop.start(self._beat_s, self._beat)
        self._await(lambda: bool(self._answers))
        self.pinning = self._judge_start()
        if not self._open and not self._answers:
            self.pinning = self._without_guard("the guard was killed while it set the clocks", 0.0)
        return self.pinning

    def end(self) -> Pinning:
        """Have the clocks given back, and say whether they were. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return self.pinning
        assert process.stdin is not None and process.stdout is not None
        if self._timer is not None:
            self._loop.stop(self._timer)
        process.stdin.close()
        if self._open:
            self._loop.forget(process.stdout.fileno())
            self._hear_out(process.stdout)
        process.stdout.close()
        try:
            process.wait(ANSWER_LIMIT_S)
        except subprocess.TimeoutExpired:
            pass  # it hangs in a write of sysfs; it restores when the kernel lets it go
        if self._has_restored():
            self.pinning = self._judge_end()
        elif self.pinning.restored is not True:
            self.pinning = self._without_guard(self.pinning.message or "the guard was killed", LOCK_WAIT_S)
        return self.pinning

    def caveats(self) -> List[Caveat]:
        """Return the doubts that pinning left."""
        found = self.pinning
        if not found.pinned:
            reason = f": {found.message}" if found.message else ""
            advice = f"{_BY_HAND}; by hand: {found.command}" if found.command else _BY_HAND
            return [caveat("not_pinned", f"the clocks were not pinned{reason}", advice)]
        if self._was_lost():
            text = "the guard of the clocks ended while it was measured: they were given back early"
            return [caveat("pin_lost", text, "measure again, and find out who ended it (dmesg)")]
        return []

    def _hear_out(self, stdout: IO[bytes]) -> None:
        """Read to the end what the guard says, as long as it may take to restore."""
        deadline = time.monotonic() + ANSWER_LIMIT_S
        while True:
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(stdout.fileno(), 1 << 16) if ready else b""
            if not data:
                return
            self._take(data)

    def _judge_start(self) -> Pinning:
        answer = self._answers[0] if self._answers else {}
        if "pinned" in answer:
            clocks = [HeldClock(**clock) for clock in answer["clocks"]]
            return Pinning(pinned=True, settings=answer["pinned"], big_cpus=answer["cpus"], clocks=clocks)
        message = answer.get("refused") or "the guard gave no answer"
        failed = answer.get("failed") or []
        if failed:
            message += f"; not restored: {', '.join(failed)}"
        return Pinning(pinned=False, message=message, command=answer.get("command", ""))

    def _judge_end(self) -> Pinning:
        failed = self._answers[-1]["failed"]
        if not self.pinning.pinned and not failed:
            return self.pinning
        message = f"not restored: {', '.join(failed)}" if failed else ""
        return replace(self.pinning, restored=not failed, message=message)

    def _has_restored(self) -> bool:
        """Tell whether the guard came to its end: the last that it says is what could not be given back."""
        return bool(self._answers) and "failed" in self._answers[-1]

    def _without_guard(self, why: str, wait_s: float) -> Pinning:
        """Give back what a guard that died had written, whenever that was, and say so."""
        try:
            failed = settle(self._cache, self._root, wait_s) or []
        except OSError as error:
            return replace(self.pinning, restored=False, message=f"{why}; not given back: {error}")
        told = f"; not given back: {', '.join(failed)}" if failed else "; the clocks were given back"
        return replace(self.pinning, restored=not failed, message=why + told)

    def _was_lost(self) -> bool:
        return self._process is not None and (not self._open or len(self._answers) > 1)

    def _await(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + ANSWER_LIMIT_S
        while self._open and not done() and time.monotonic() < deadline:
            self._loop.turn(TICK_S)

    def _beat(self) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            os.write(self._process.stdin.fileno(), b".")
        except BrokenPipeError:
            pass  # the guard is gone: _on_answer sees the end of its pipe

    def _on_answer(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        data = os.read(self._process.stdout.fileno(), 1 << 16)
        if not data:
            self._loop.forget(self._process.stdout.fileno())
            self._open = False
            if self.pinning.pinned and not self._has_restored():
                self.pinning = self._without_guard("the guard was killed", 0.0)
        self._take(data)

    def _take(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            self._answers.append(json.loads(line.decode("utf-8")))
