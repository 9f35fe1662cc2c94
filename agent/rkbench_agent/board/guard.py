"""The guard: a process of its own that sets the clocks, and gives them back whatever else dies.

It lives in a session of its own, so that a signal to the supervisor's group does not reach it, and it is
the only process that writes clocks. Its stdin is a pipe whose other end only the supervisor holds:
`kill -9`, a cut or stalled line, and the end of the plan all look like the end of that pipe. A byte on
the pipe is a sign of life; without one for the limit, a supervisor that hangs counts as dead.

What the clocks were is in the cache's `pinned.json` before anything is written. Where the guard itself is
killed, whoever starts next on the board restores from there. After a reboot sysfs has its own values again
and the file means nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type

from rkbench_agent.board.pin_plan import (
    Write,
    apply,
    big_cpus,
    held_clocks,
    is_ours,
    plan_pin,
    read_domains,
    restore,
)
from rkbench_agent.board.system_files import read_text
from rkbench_agent.errors import PinRefusedError
from rkbench_agent.own_files import claim, read_own, write_own

STATE, LOCK = "pinned.json", "pin.lock"
#: So long a guard waits for the one before it, which restores in milliseconds.
LOCK_WAIT_S = 10.0
LOCK_POLL_S = 0.02
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class PinFile:
    """What the clocks of a board were, on disk; held under a lock by the one guard that may write them.

    Use it in a `with`; entering raises OSError where the folder cannot be written, and TimeoutError
    where another guard holds it for longer than `wait_s`.
    """

    def __init__(self, cache: Path, root: Path, wait_s: float = LOCK_WAIT_S) -> None:
        self._cache = cache
        self._root = root
        self._wait_s = wait_s
        self._lock_fd = -1
        self._settings: Dict[str, str] = {}

    def __enter__(self) -> PinFile:
        self._cache.mkdir(parents=True, exist_ok=True)
        fd = claim(self._cache / LOCK, os.O_RDWR)
        deadline = time.monotonic() + self._wait_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    os.close(fd)
                    raise TimeoutError("another guard holds the clocks of this board") from error
                select.select([], [], [], LOCK_POLL_S)
        self._lock_fd = fd
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        os.close(self._lock_fd)

    def remember(self, settings: Sequence[Write]) -> None:
        """Keep the old values on disk, synced; the first value that is known of a file stays."""
        for path, value in settings:
            self._settings.setdefault(path, value)
        document = {
            "root": str(self._root),
            "boot_id": _boot_id(self._root),
            "settings": list(self._settings.items()),
        }
        write_own(self._cache / STATE, json.dumps(document).encode("utf-8"))

    def restore(self) -> List[str]:
        """Give back what was remembered; return the paths that could not be. Then they stay remembered."""
        settings = [Write(path, value) for path, value in self._settings.items()]
        failed = restore(self._root, settings)
        if not failed:
            self._forget()
        return failed

    def restore_left(self) -> Optional[List[str]]:
        """Give back what a killed guard left; return the paths that could not be, None without any left."""
        left = _read_state(self._cache / STATE)
        if left is None:
            return None
        root, boot_id, settings = left
        if root != self._root or boot_id != _boot_id(root):
            self._forget()  # another (virtual) board had it, or this one has booted since
            return None
        failed = restore(root, settings)
        if not failed:
            self._forget()
        return failed

    def _forget(self) -> None:
        self._settings = {}
        try:
            (self._cache / STATE).unlink()
        except FileNotFoundError:
            pass  # nothing had been written


def settle(cache: Path, root: Path, wait_s: float) -> Optional[List[str]]:
    """Wait for a guard that still restores, and restore what a killed one left.

    Returns the paths that could not be restored, None where nothing was left. Raises as PinFile does.
    """
    with PinFile(cache, root, wait_s) as pin_file:
        return pin_file.restore_left()


def is_left(cache: Path) -> bool:
    """Tell whether some guard has not restored yet: it lives, or was killed."""
    return (cache / STATE).exists()


def main(args: List[str]) -> int:
    """Pin until stdin ends: args are cache folder, root, NPU clock in Hz (0: the highest), limit in s."""
    cache, root = Path(args[0]), Path(args[1])
    clock_hz, limit_s = int(args[2]) or None, float(args[3])
    wakeup_fd = _take_signals()
    try:
        with PinFile(cache, root) as pin_file:
            pin_file.restore_left()
            _pin_and_wait(pin_file, root, clock_hz, lambda: _wait(wakeup_fd, limit_s))
    except OSError as error:
        _tell(refused=f"no guard for the clocks: {error}", command="")
    return 0


def _pin_and_wait(pin_file: PinFile, root: Path, clock_hz: Optional[int], wait: Callable[[], str]) -> None:
    domains = read_domains(root)
    told: Dict[str, Any] = {}
    try:
        written = apply(root, plan_pin(domains, clock_hz), pin_file.remember)
        clocks = [vars(clock) for clock in held_clocks(domains, written)]
        _tell(pinned=dict(written), cpus=big_cpus(domains), clocks=clocks)
        told = {"why": wait()}
    except PinRefusedError as error:
        told = {"refused": str(error), "command": error.command}
    finally:
        _tell(failed=pin_file.restore(), **told)


def _wait(wakeup_fd: int, limit_s: float) -> str:
    """Return once the supervisor is gone, silent, or somebody ends this process; says which."""
    while True:
        ready, _, _ = select.select([0, wakeup_fd], [], [], limit_s)
        if not ready:
            return "silence"
        if wakeup_fd in ready:
            return "signal"
        if not os.read(0, 4096):
            return "end"


def _take_signals() -> int:
    """Turn the signals that would end the process into bytes on a pipe; return its reading end.

    No handler runs in between two writes then: the guard always comes to its restoring.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for number in _SIGNALS:
        signal.signal(number, _nothing)
    signal.set_wakeup_fd(writing)
    return reading


def _nothing(number: int, frame: Any) -> None:
    del number, frame


def _tell(**value: Any) -> None:
    """Tell the supervisor, if it is still there."""
    try:
        os.write(1, json.dumps(value).encode("utf-8") + b"\n")
    except BrokenPipeError:
        pass  # it is gone: that is why this process restores


def _boot_id(root: Path) -> Optional[str]:
    return read_text(root / "proc/sys/kernel/random/boot_id")


def _read_state(path: Path) -> Optional[Tuple[Path, Optional[str], List[Write]]]:
    """Return root, boot id and old values; None where there is no file, or none that can be trusted."""
    try:
        value = json.loads(read_own(path).decode("utf-8"))
        settings = [Write(str(name), str(old)) for name, old in value["settings"]]
        root = Path(value["root"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return root, value.get("boot_id"), [write for write in settings if is_ours(write)]
