"""Agents as forks of one process that has imported all they need: they and their workers start at once.

They are processes with pipes, signals and deaths of their own; only that interpreters start is left out,
which is what `AgentProcess` with `forked=False` and the tests of the zipapp are for. Run as a program, this
is the process that forks.
"""

from __future__ import annotations

import array
import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from pathlib import Path
from typing import IO, Any, Callable, Dict, List, NoReturn, Optional, Sequence

AGENT = Path(__file__).parents[2] / "agent"
#: Where an agent, a worker and a guard find what they import only when they need it.
PRELOADED = (
    "numpy",
    "rkbench_agent.board.guard",
    "rkbench_agent.line.server",
    "rkbench_agent.run.cases",
    "rkbench_agent.run.cycles",
    "rkbench_agent.run.worker",
    "rkbench_agent.runtimes.lite",
    "rkbench_agent.runtimes.virtual",
    "rkbench_agent.scenarios.single_stream",
)
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Forks:
    """The running process that forks; its agents outlive neither their `kill` nor their line."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._line = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )

    def start(self, argv: Sequence[str], environ: Dict[str, str]) -> ForkedProcess:
        """Start an agent with these arguments and this environment."""
        streams = [os.pipe() for _ in range(3)]
        told = os.pipe()
        theirs = [streams[0][0], streams[1][1], streams[2][1], told[1]]
        request = json.dumps([list(argv), environ]).encode()
        passed = array.array("i", theirs)
        header = len(request).to_bytes(4, "big")
        self._line.sendmsg([header], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
        self._line.sendall(request)
        for fd in theirs:
            os.close(fd)
        return ForkedProcess(streams[0][1], streams[1][0], streams[2][0], told[0])

    def close(self) -> None:
        """End the process."""
        self._line.close()
        self._process.wait()


class ForkedProcess:
    """What `subprocess.Popen` is to a started process; bytes only."""

    def __init__(self, stdin: int, stdout: int, stderr: int, told: int) -> None:
        self.stdin: IO[bytes] = os.fdopen(stdin, "wb", buffering=0)
        self.stdout: IO[bytes] = os.fdopen(stdout, "rb", buffering=0)
        self.stderr: IO[bytes] = os.fdopen(stderr, "rb", buffering=0)
        self._told: IO[bytes] = os.fdopen(told, "rb", buffering=0)
        self.pid = int(self._told.readline())
        self.returncode: Optional[int] = None

    def poll(self) -> Optional[int]:
        """Return the exit code, or None where it still runs."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: Optional[float] = None) -> int:
        """Return the exit code once it has ended."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("agent", timeout or 0.0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def _end(self) -> None:
        status = int(self._told.readline())
        self.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        self._told.close()


class ForkingPopen(subprocess.Popen):  # type: ignore[type-arg]  # Python 3.8 cannot subscribe it
    """Forks where this package is to be started once more; starts everything else."""

    def _execute_child(self, args: Any, *rest: Any) -> None:
        own = isinstance(args, list) and args[1:2] == ["-c"] and args[3:4] == [str(AGENT)]
        if not own:
            super()._execute_child(args, *rest)  # type: ignore[misc]
            return
        (_, _, _, pass_fds, cwd, env, _, _, _, stdin, _, _, stdout, _, stderr, *_) = rest
        begun, began = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.close(began)
            if cwd is not None:
                os.chdir(cwd)
            environ = dict(os.environ) if env is None else env
            _be(args[4:], environ, [stdin, stdout, stderr], tuple(pass_fds))
        os.close(began)
        os.read(begun, 1)  # nothing comes: it leads a session of its own now, and can be killed as one
        os.close(begun)
        self.pid = pid
        self._child_created = True
        self._close_pipe_fds(*rest[9:15])  # type: ignore[attr-defined]


def _be(argv: List[str], environ: Dict[str, str], streams: Sequence[int], kept: Sequence[int]) -> NoReturn:
    """Be a process that was started with these: nothing else of this one is left but what it imported."""
    code = 1
    try:
        for number, fd in enumerate(streams):
            if fd != -1:
                os.dup2(fd, number)
        for fd in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
            if fd > 2 and fd not in kept:
                _close(fd)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(environ)
        sys.path[:0] = [part for part in environ.get("PYTHONPATH", "").split(":") if part]
        sys.argv = ["-c", *argv]
        code = _main()(argv)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 (what an interpreter does with it)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _main() -> Callable[[List[str]], int]:
    from rkbench_agent.__main__ import main

    return main


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass  # that of the listing itself


def serve(line: socket.socket) -> None:
    """Fork a keeper for each agent that is asked for; a keeper waits for its agent, and tells."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        header, ancillary, _, _ = line.recvmsg(4, socket.CMSG_SPACE(4 * 4))
        if not header:
            return
        request = b""
        while len(request) < int.from_bytes(header, "big"):
            request += line.recv(1 << 16)
        fds = array.array("i")
        fds.frombytes(ancillary[0][2])
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            argv, environ = json.loads(request.decode())
            _keep(argv, environ, list(fds))
        for fd in fds:
            os.close(fd)


def _keep(argv: List[str], environ: Dict[str, str], fds: List[int]) -> NoReturn:
    *streams, told = fds
    pid = os.fork()
    if pid == 0:
        subprocess.Popen = ForkingPopen  # type: ignore[misc]
        _be(argv, environ, streams, ())
    for fd in streams:
        os.close(fd)
    os.write(told, b"%d\n" % pid)
    status = os.waitpid(pid, 0)[1]
    try:
        os.write(told, b"%d\n" % status)
    finally:
        os._exit(0)


if __name__ == "__main__":
    sys.path.insert(0, str(AGENT))
    for preloaded in PRELOADED:
        __import__(preloaded)
    serve(socket.socket(fileno=int(sys.argv[1])))
