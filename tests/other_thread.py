"""A signal that the kernel gives to another thread than the main one, as it may with every signal."""

from __future__ import annotations

import ctypes
from pathlib import Path


def signal_another_thread(pid: int, number: int) -> None:
    """Send a signal to the second thread of a process."""
    _, second, *_ = sorted(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir())
    assert ctypes.CDLL(None).tgkill(pid, second, number) == 0
