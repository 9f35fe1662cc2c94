"""Reads the small files of /proc and /sys; whatever cannot be read is None."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Optional

LIMIT_BYTES = 1 << 20


def read_text(path: Path) -> Optional[str]:
    """Return the text of a file without surrounding blanks and NULs, or None."""
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES)
    except OSError:
        return None
    return data.decode("utf-8", "replace").strip("\0 \t\r\n")


def read_int(path: Path) -> Optional[int]:
    """Return the decimal number that a file holds, or None."""
    text = read_text(path)
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def find_devfreq(root: Path, name: str) -> Optional[Path]:
    """Return the devfreq folder whose name is `name` or ends with `.name` (npu, gpu, dmc)."""
    try:
        folders = sorted((root / "sys/class/devfreq").iterdir())
    except OSError:
        return None
    for folder in folders:
        if folder.name == name or folder.name.endswith("." + name):
            return folder
    return None


def read_governors(root: Path) -> Optional[Dict[str, str]]:
    """Return the governor of every cpufreq policy, or None if there is none."""
    governors = {}
    for policy in sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy*")):
        governor = read_text(policy / "scaling_governor")
        if governor:
            governors[policy.name] = governor
    return governors or None


def read_ddr_clock(root: Path) -> Optional[int]:
    """Return the memory's clock in hertz: of devfreq, else of the clock tree (debugfs, root only)."""
    devfreq = find_devfreq(root, "dmc")
    if devfreq is not None:
        return read_int(devfreq / "cur_freq")
    for name in ("scmi_clk_ddr", "clk_scmi_ddr"):
        clock_hz = read_int(root / "sys/kernel/debug/clk" / name / "clk_rate")
        if clock_hz is not None:
            return clock_hz
    return None
