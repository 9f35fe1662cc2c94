"""Ctrl-C, SIGTERM or a closed terminal while a night measures: told, not raised in the middle of a save."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: The end takes a second; who asks a third time does not want to wait for it.
IMPATIENT = 3

_Handler = Callable[[int, FrameType | None], object]


@contextmanager
def told_of_interrupts(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` for each signal that would raise KeyboardInterrupt, and raise it from the third on.

    What is ignored (`nohup`) or ends the process stays so. Only the main thread hears signals; elsewhere
    nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, _Handler] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        handler = signal.getsignal(number)
        if callable(handler):
            before[number] = handler
    asked = 0

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked >= IMPATIENT:
            before[number](number, frame)
        else:
            tell()

    for wrapped in before:
        signal.signal(wrapped, hear)
    try:
        yield
    finally:
        for wrapped, handler in before.items():
            signal.signal(wrapped, handler)
