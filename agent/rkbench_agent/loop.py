"""The supervisor's one event loop: descriptors and timers, turned by whoever waits for something."""

from __future__ import annotations

import selectors
import time
from dataclasses import dataclass
from typing import Callable, List

#: Python hears of a signal that comes just before a wait, or that another thread takes, after the wait.
SIGNAL_POLL_S = 1.0


@dataclass
class Timer:
    """Calls `action` every `interval_s` while it stands in a loop."""

    interval_s: float
    action: Callable[[], None]
    due: float = 0.0


class Loop:
    """Waits for descriptors to become readable; every turn also runs due timers and `check`."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: List[Timer] = []
        self._check = check

    def watch(self, fd: int, action: Callable[[], None]) -> None:
        """Call `action` whenever `fd` has something to read."""
        self._selector.register(fd, selectors.EVENT_READ, action)

    def forget(self, fd: int) -> None:
        """Watch `fd` no longer."""
        self._selector.unregister(fd)

    def start(self, interval_s: float, action: Callable[[], None]) -> Timer:
        """Call `action` now-ish and then every `interval_s`."""
        timer = Timer(interval_s, action, time.monotonic())
        self._timers.append(timer)
        return timer

    def stop(self, timer: Timer) -> None:
        """Remove a timer."""
        self._timers.remove(timer)

    def turn(self, timeout_s: float) -> bool:
        """Wait at most `timeout_s`, handle what came; True if any descriptor had something to read."""
        wait_s = min(timeout_s, SIGNAL_POLL_S)
        due = min([timer.due for timer in self._timers] + [time.monotonic() + wait_s])
        events = self._selector.select(max(0.0, due - time.monotonic()))
        for key, _mask in events:
            # An action may close a descriptor that this same turn has found readable.
            if self._selector.get_map().get(key.fd) is key:
                key.data()
        now = time.monotonic()
        for timer in list(self._timers):
            if timer.due <= now:
                timer.due = now + timer.interval_s
                timer.action()
        self._check()
        return bool(events)
