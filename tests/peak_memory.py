"""The largest memory that this process held: not `ru_maxrss`, in which a child begins with its parent's."""

from __future__ import annotations

from pathlib import Path


def peak_bytes() -> int:
    """Return the peak of resident memory since the program began, or since `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def forget_peak() -> None:
    """Let the peak be what is resident now (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")
