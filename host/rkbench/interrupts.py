"""Ctrl-C, SIGTERM or a closed terminal while something is measured: told, or held until something is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

#: The end takes a second; who asks a third time does not want to wait for it.
IMPATIENT = 3

_Handler = Callable[[int, FrameType | None], object]


@contextmanager
def told_of_interrupts(tell: Callable[[Callable[[], object]], None]) -> Iterator[None]:
    """Call `tell` for each signal that would raise KeyboardInterrupt, with what raises it; from the third on
    raise it.

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
        interrupt = partial(before[number], number, frame)
        if asked >= IMPATIENT:
            interrupt()
        else:
            tell(interrupt)

    for wrapped in before:
        signal.signal(wrapped, hear)
    try:
        yield
    finally:
        for wrapped, handler in before.items():
            if signal.getsignal(wrapped) is hear:  # else it was raised, and a second one means it
                signal.signal(wrapped, handler)


class HeldInterrupts:
    """Lets an interrupt wait while something is done that must not be left half done."""

    def __init__(self) -> None:
        self._is_held = False
        self._waiting: list[Callable[[], object]] = []

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Hear interrupts until the block ends: at once, or where they are held at the end of that."""
        with told_of_interrupts(self._hear):
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold interrupts until the block ends; then raise the first that came, if any did."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            if self._waiting:
                self._waiting.pop(0)()

    def _hear(self, interrupt: Callable[[], object]) -> None:
        if self._is_held:
            self._waiting.append(interrupt)
        else:
            interrupt()
