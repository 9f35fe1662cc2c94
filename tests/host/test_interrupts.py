"""Signals are heard whatever the main thread waits for, whichever thread the kernel gives them to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from other_thread import signal_another_thread
from rkbench.interrupts import woken_by_signals

#: Waits for ever; a second thread is there for the signal.
PROGRAM = """
import queue, select, signal, subprocess, sys, threading
from rkbench.interrupts import woken_by_signals

def leave(number, frame):
    sys.exit(7)

signal.signal(signal.SIGTERM, leave)
other = threading.Thread(target=threading.Event().wait, daemon=True)
other.start()
with woken_by_signals():
    print("waiting", flush=True)
    {wait}
"""
FORK = """
import os, time
from rkbench.interrupts import woken_by_signals

with woken_by_signals():
    if not os.fork():
        time.sleep(600)
"""
WAITS = {
    "a queue": "queue.SimpleQueue().get()",
    "a lock": "threading.Lock().acquire() and threading.Event().wait()",
    "a thread": "other.join()",
    "a descriptor": "select.select([sys.stdin], [], [])",
    "a process": 'subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL).wait()',
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=list(WAITS))
def test_a_wait_without_a_limit_ends_by_a_signal_that_another_thread_has_taken(wait: str) -> None:
    command, pipe = [sys.executable, "-c", PROGRAM.format(wait=wait)], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
            pass  # until it waits
        try:
            signal_another_thread(process.pid, signal.SIGTERM)
            assert process.wait(30) == 7
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_all_is_as_before_afterwards() -> None:
    def state() -> tuple[object, ...]:
        fd = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(fd)
        threads = [thread.name for thread in threading.enumerate()]
        return fd, signal.getsignal(signal.SIGURG), threads, len(list(Path("/proc/self/fd").iterdir()))

    before = state()
    with woken_by_signals():
        assert state() != before
    assert state() == before


def test_its_end_waits_for_no_fork_that_has_the_pipe_too() -> None:
    """In a process of its own: newer Pythons warn of a fork beside threads."""
    program = FORK + 'print("over", flush=True)'
    command = [sys.executable, "-W", "ignore", "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "over\n"
        os.killpg(process.pid, signal.SIGKILL)


def test_elsewhere_than_in_the_main_thread_it_changes_nothing() -> None:
    said: list[bool] = []

    def use() -> None:
        with woken_by_signals():
            said.append(signal.getsignal(signal.SIGURG) is signal.SIG_DFL)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert said == [True]
