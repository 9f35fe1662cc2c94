"""Ctrl-C, SIGTERM or a closed terminal while something is measured: told, or held until something is done."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

#: The end takes a second; who asks a third time does not want to wait for it.
IMPATIENT = 3

#: The main thread is woken again after so long, until it has heard: its wait may begin between two times.
WAKE_AGAIN_S = 0.1

_Handler = Callable[[int, FrameType | None], object]


@contextmanager
def woken_by_signals() -> Iterator[None]:
    """Let the main thread hear of signals at once, whatever it waits for in the block.

    Python runs handlers between two steps of the main thread. A wait is one step: where it begins just
    after the signal has come, or another thread has taken that, the handlers wait for its end, be it never.
    So a thread that is told of every signal interrupts the wait with SIGURG, which means nothing else here.
    Elsewhere than in the main thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waker = _Waker()
    before = signal.signal(signal.SIGURG, waker.heard)
    told = signal.set_wakeup_fd(waker.told_fd, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(told)
        waker.end()
        signal.signal(signal.SIGURG, before if before is not None else signal.SIG_DFL)


class _Waker:
    """A thread that interrupts the one that makes it for each signal whose number comes by `told_fd`."""

    def __init__(self) -> None:
        self._reading_fd, self.told_fd = os.pipe()
        os.set_blocking(self.told_fd, False)
        self._sleeper = threading.get_ident()
        self._times_heard = 0
        self._is_over = False
        self._thread = threading.Thread(target=self._wake, name="waker", daemon=True)
        self._thread.start()

    def heard(self, number: int, frame: FrameType | None) -> None:
        """Note that handlers are run: those of Ctrl-C, SIGTERM and SIGHUP, lower numbers, come before."""
        del number, frame
        self._times_heard += 1

    def end(self) -> None:
        """Wake nobody any more. A fork may have the pipe open for long: so no end of file is waited for."""
        self._is_over = True
        with suppress(BlockingIOError):  # it is full, so there is enough to read
            os.write(self.told_fd, bytes([signal.SIGURG]))
        self._thread.join()
        os.close(self.told_fd)
        os.close(self._reading_fd)

    def _wake(self) -> None:
        while not self._is_over:
            told = os.read(self._reading_fd, 1 << 12)
            before = self._times_heard
            while set(told) != {signal.SIGURG} and self._times_heard == before and not self._is_over:
                signal.pthread_kill(self._sleeper, signal.SIGURG)
                time.sleep(WAKE_AGAIN_S)


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
