"""The clocks of a recorded board, who holds them, and ways for these to die."""

from __future__ import annotations

import fcntl
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Dict, Iterator, List

from agent_bench import DEADLINE_S, AgentProcess, Bench


def clocks(root: Path) -> Dict[str, str]:
    """Return every file that pinning may write, without the newlines that a plain file keeps."""
    patterns = ("sys/class/devfreq/*/*", "sys/devices/system/cpu/cpufreq/policy*/*")
    paths = [path for pattern in patterns for path in root.glob(pattern) if path.is_file()]
    return {str(path.relative_to(root)): path.read_text().strip() for path in paths}


def guards_of(bench: Bench) -> List[int]:
    """Return the guards whose cache is this bench's."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"guard" in words and str(bench.cache).encode() in words:
            found.append(int(folder.name))
    return found


def workers_of(agent: AgentProcess) -> List[int]:
    """Return the children of a supervisor but its guard."""
    return [pid for pid in agent.children() if b"\0guard\0" not in _cmdline(pid)]


def kill_all(agent: AgentProcess) -> None:
    """Kill the supervisor and its workers, not the guard, with nothing that they could catch."""
    for pid in [agent.process.pid, *workers_of(agent)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    agent.wait()


def kill_guard_and_all(bench: Bench, agent: AgentProcess) -> None:
    """Kill the guard, and all the others before they see that."""
    agent.process.send_signal(signal.SIGSTOP)
    for pid in guards_of(bench):
        os.kill(pid, signal.SIGKILL)
    kill_all(agent)


def _cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def held_up_writes(path: Path) -> Iterator[Callable[[], None]]:
    """Let whoever opens `path` to write it wait until the end; yield what returns once somebody does."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
    fd = os.open(str(path), os.O_RDONLY)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)

        def await_write() -> None:
            assert signal.sigtimedwait({signal.SIGIO}, DEADLINE_S) is not None, "nobody wrote"

        yield await_write
    finally:
        os.close(fd)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
