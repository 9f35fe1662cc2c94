"""The supervisor's side of one worker process: start, ask, listen, judge, bury."""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from rkbench_agent.errors import RunFailedError
from rkbench_agent.loop import Loop
from rkbench_agent.processes import START_CODE, package_root
from rkbench_agent.run import worker_log
from rkbench_agent.run.death import describe_death, describe_failure, oom_kills
from rkbench_agent.run.log_scan import find_run_failure
from rkbench_agent.wire.codec import to_line
from rkbench_agent.wire.lines import LineBuffer
from rkbench_agent.wire.messages import Failed, Log
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.words import CRASH, FIRST_INFERENCE, HANG, LOAD, RUNTIME_ERROR, START

TICK_S = 0.05
#: How long to wait for the last words of a dead worker, and for a worker to leave by itself.
GRACE_S = 2.0


class Child:
    """One worker process.

    `forward` gets every encoded message of the worker once the log up to it is clean; `log` gets
    every line that it prints. All waiting turns `loop`. Raises RunFailedError once the worker failed,
    crashed, or hung; it is gone then.
    """

    def __init__(
        self,
        run: str,
        settings: RunSettings,
        loop: Loop,
        forward: Callable[[bytes], None],
        log: Callable[[Log], None],
        root: Path,
    ) -> None:
        self.run = run
        self._settings = settings
        self._loop = loop
        self._forward = forward
        self._root = root
        self._held: Deque[Tuple[str, Any]] = deque()
        self._batch: List[bytes] = []
        self._answer: Optional[Dict[str, Any]] = None
        self._stage = self._judged_stage = START
        self._moved_at = time.monotonic()
        self._count = self._count_before = 0
        #: Called with the inferences of the request that runs, when they are more than at the last look.
        self.on_move: Optional[Callable[[int], None]] = None
        self._open = False
        self._oom_kills = oom_kills(root)
        self.printed = worker_log.WorkerLog(run, log)
        self._spawn()

    @property
    def stage(self) -> str:
        """The stage that the worker is in."""
        return self._stage

    def request(self, **command: Any) -> Dict[str, Any]:
        """Have the worker carry out a command; return its answer."""
        self._answer = None
        self._moved_at = time.monotonic()
        self._count = self._count_before = self._inferences()
        try:
            self._commands.write(to_line(command))
        except BrokenPipeError:
            self._bury()
        while self._answer is None:
            if not self._open:
                self._bury()
            self._turn()
        return self._answer

    def stop(self) -> None:
        """Kill the worker and everything that it started; harmless if it is gone."""
        if self._process.returncode is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            try:
                self._process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                # It sits in the driver and cannot be killed; it dies when the driver lets it go.
                pass
        self._close()

    def _spawn(self) -> None:
        commands_read, commands_write = os.pipe()
        answers_read, answers_write = os.pipe()
        counter = _shared_file()
        self._counter = mmap.mmap(counter, 8)
        passed = (commands_read, answers_write, counter)
        arguments = [str(number) for number in (os.getpid(), *passed)]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", START_CODE, package_root(), "worker", *arguments, self.printed.nonce],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=passed,
                start_new_session=True,
            )
        except OSError as error:
            os.close(commands_write)
            os.close(answers_read)
            self._counter.close()
            message = f"cannot start a worker: {error}"
            raise RunFailedError(Failed(self.run, START, CRASH, message)) from error
        finally:
            for fd in passed:
                os.close(fd)
        self._commands = os.fdopen(commands_write, "wb", buffering=0)
        self._answers = os.fdopen(answers_read, "rb", buffering=0)
        self._lines = LineBuffer()
        self._open = True
        self._loop.watch(answers_read, self._on_answers)
        for name in ("stdout", "stderr"):
            self.printed.watch(self._loop, name, getattr(self._process, name), self._advance)

    def _on_answers(self) -> None:
        data = self._answers.read(1 << 16)
        if not data:
            self._loop.forget(self._answers.fileno())
            self._open = False
            return
        self._moved_at = time.monotonic()
        for line in self._lines.feed(data):
            if line.startswith(b'{"type"'):
                self._held.append(("message", line))
                continue
            ((kind, value),) = json.loads(line.decode("utf-8")).items()
            if kind == "stage":
                self._stage = value
            self._held.append((kind, value))
        self._advance()

    def _advance(self) -> None:
        """Take what the worker said as far as its log has been seen."""
        while self._held:
            kind, value = self._held[0]
            if kind == "mark" and not self.printed.has_seen(value):
                return
            self._held.popleft()
            if kind == "message":
                self._batch.append(value)
            elif kind == "stage":
                self._judged_stage = value
            elif kind == "mark":
                self._judge(self.printed.take(value))
            elif kind == "done":
                self._answer = value
            else:
                self._fail(
                    describe_failure(self.run, self._judged_stage, **value, log_tail=self.printed.tail())
                )

    def _judge(self, lines: List[str]) -> None:
        """Let the batch go if the lines printed meanwhile hide no failure of the NPU."""
        failure = find_run_failure(lines)
        if failure is not None and self._judged_stage not in (START, LOAD):
            message = "the NPU failed, and RKNNLite returned stale outputs"
            self._fail(
                describe_failure(
                    self.run,
                    self._judged_stage,
                    f"{message}: {failure}",
                    RUNTIME_ERROR,
                    "",
                    self.printed.tail(),
                )
            )
        for line in self._batch:
            self._forward(line)
        self._batch = []

    def _turn(self) -> None:
        """Turn the loop; time in which the supervisor itself was held up is not the worker's."""
        start = time.monotonic()
        self._loop.turn(TICK_S)
        self._moved_at += max(0.0, time.monotonic() - start - 2 * TICK_S)
        if self._answer is None and self._open:
            self._check_time()

    def _check_time(self) -> None:
        count, now = self._inferences(), time.monotonic()
        if count != self._count:
            self._count, self._moved_at = count, now
            if self.on_move is not None:
                self.on_move(count - self._count_before)
        limit_s = self._limit_s()
        if now - self._moved_at <= limit_s:
            return
        message = f"nothing happened for {limit_s:g} s during {self._stage}: the worker was killed"
        option = "--load-timeout" if self._stage in (START, LOAD) else "--inference-timeout"
        longer = f"{option} {4 * limit_s:g}"
        self.stop()
        self._fail(
            Failed(
                self.run,
                self._stage,
                HANG,
                message,
                f"see what the kernel says: ssh BOARD dmesg | bench explain -; if it is only slow: {longer}",
                "SIGKILL",
                log_tail=self.printed.tail(),
            )
        )

    def _inferences(self) -> int:
        count: int = struct.unpack_from("q", self._counter)[0]
        return count

    def _limit_s(self) -> float:
        if self._stage in (START, LOAD):
            return self._settings.load_timeout_s
        if self._stage == FIRST_INFERENCE:
            return self._settings.first_inference_timeout_s
        return self._settings.inference_timeout_s

    def _bury(self) -> None:
        """Hear the last words of a worker that is gone, and say how it went."""
        deadline = time.monotonic() + GRACE_S
        while self.printed.is_open() and time.monotonic() < deadline:
            self._loop.turn(TICK_S)
        try:
            code = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.stop()
            code = -signal.SIGKILL
        self._fail(
            describe_death(
                self.run, self._stage, code, self.printed.tail(), self._oom_kills, oom_kills(self._root)
            )
        )

    def _fail(self, failed: Failed) -> None:
        self.stop()
        raise RunFailedError(failed)

    def _close(self) -> None:
        if self._open:
            self._loop.forget(self._answers.fileno())
            self._open = False
        self.printed.close(self._loop)
        self._answers.close()
        self._commands.close()
        self._counter.close()


def _shared_file() -> int:
    """Return an inheritable descriptor of eight zero bytes that two processes can map."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("rkbench-counter")
    else:
        import tempfile  # slow to import, and never needed on a kernel of this decade

        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, 8)
    return fd
