"""Who loads the CPUs of the board. By psutil, which a board need not have: then nobody is known."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple

#: Less than this part of one CPU is nobody's load.
LEAST_RATIO = 0.05
NAMED = 3


class Process(NamedTuple):
    """A process; one that takes the id of another that has ended is not the same."""

    pid: int
    started: float
    name: str


def busiest_processes(root: Path, pause: Callable[[float], None], window_s: float) -> List[str]:
    """Return name, process id and share of one CPU of those that use the CPUs most, over `window_s`.

    `pause` lets that time pass. Our own process is left out; the board's are under `root`/proc.
    """
    try:
        import psutil  # a tenth of a second on a board: only where there is something to tell
    except ImportError:
        return []
    usual = psutil.PROCFS_PATH
    psutil.PROCFS_PATH = str(root / "proc")
    try:
        before = _used_s(root, psutil)
        pause(window_s)
        after = _used_s(root, psutil)
    finally:
        psutil.PROCFS_PATH = usual  # of the whole process, which may look at itself elsewhere
    shares = [
        ((used_s - before[process]) / window_s, process)
        for process, used_s in after.items()
        if process in before and process.pid != os.getpid()
    ]
    busy = sorted((item for item in shares if item[0] >= LEAST_RATIO), reverse=True)[:NAMED]
    return [f"{process.name} (process {process.pid}) {share * 100:.0f} %" for share, process in busy]


def _used_s(root: Path, psutil: Any) -> Dict[Process, float]:
    """Return the CPU time of every process that can be seen."""
    found = {}
    for folder in (root / "proc").glob("[0-9]*"):  # psutil.pids() fails where there is none
        try:
            process = psutil.Process(int(folder.name))
            times = process.cpu_times()
            found[Process(process.pid, process.create_time(), process.name())] = times.user + times.system
        except psutil.Error:
            continue  # it has ended, or is not to be seen
    return found
