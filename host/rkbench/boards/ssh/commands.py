"""One command on a virtual board: a subprocess whose three streams are an SSH channel."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import paramiko

CHUNK_BYTES = 64 * 1024
#: So long a command may take to end by itself once its channel is closed.
GRACE_S = 10.0
POLL_S = 0.05
CANNOT_EXECUTE = 126
#: The commands of this process that run.
_RUNNING: set[int] = set()


def run_command(
    channel: paramiko.Channel, command: str, environment: Mapping[str, str], home: Path, niceness: int = 0
) -> None:
    """Run `command` as sshd does: /bin/sh, streams piped with flow control, then the exit status.

    When the channel closes first, the command sees the end of its stdin; what of its process group is
    left after GRACE_S is killed.
    """
    try:
        process = _start(command, environment, home, niceness)
    except OSError as error:  # no descriptors, no memory: said, and ended, or the other side would wait
        _end(channel, CANNOT_EXECUTE, f"cannot run a command: {error.strerror}\n")
        return
    _lower_all(niceness)
    _RUNNING.add(process.pid)
    assert process.stdin and process.stdout and process.stderr
    ended = threading.Event()
    _thread(ended, _feed, channel, process.stdin)
    pumps = [
        _thread(ended, _drain, process.stdout, channel.sendall),
        _thread(ended, _drain, process.stderr, channel.sendall_stderr),
    ]
    ended.wait()  # nothing is looked at while all three streams are open: a night keeps fifty agents
    _await_end(process, pumps, channel)
    status = process.wait()
    _RUNNING.discard(process.pid)
    _end(channel, status if status >= 0 else 128 - status)


def _start(
    command: str, environment: Mapping[str, str], home: Path, niceness: int
) -> subprocess.Popen[bytes]:
    nicer = ["nice", "-n", str(niceness)] if niceness else []
    return subprocess.Popen(
        [*nicer, "/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd=home,
        start_new_session=True,
        bufsize=0,
    )


def _lower_all(niceness: int) -> None:
    """Let commands that run have the priority of a new one: a board that came first is not to be faster."""
    wanted = os.getpriority(os.PRIO_PROCESS, 0) + niceness
    for pid in tuple(_RUNNING):
        with suppress(ProcessLookupError, PermissionError):  # it has ended, and another's has its number
            if os.getpriority(os.PRIO_PROCESS, pid) < wanted:
                os.setpriority(os.PRIO_PROCESS, pid, wanted)


def _end(channel: paramiko.Channel, status: int, words: str = "") -> None:
    """Tell the other side how it ended, and close."""
    try:
        if words:
            channel.sendall_stderr(words.encode())
        channel.send_exit_status(status)
        channel.close()
    except (OSError, EOFError, paramiko.SSHException):
        pass  # nobody is there to be told


def _await_end(
    process: subprocess.Popen[bytes], pumps: list[threading.Thread], channel: paramiko.Channel
) -> None:
    """Return when the command is over; kill what is left of it GRACE_S after the channel closed."""
    deadline = None
    while True:
        for pump in pumps:
            pump.join(POLL_S)
        if not any(pump.is_alive() for pump in pumps) and _ended(process):
            return
        if channel.closed and deadline is None:
            deadline = time.monotonic() + GRACE_S
        if deadline is not None and time.monotonic() > deadline:
            _kill(process)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(POLL_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # ended by itself meanwhile


def _feed(channel: paramiko.Channel, stdin: BinaryIO) -> None:
    """Write what comes over the channel to the command, and its end too."""
    with stdin:
        try:
            while data := channel.recv(CHUNK_BYTES):
                _write_all(stdin, data)
        except OSError:
            return  # the command reads no more, or the channel is gone: it is told by the closed pipe


def _write_all(stream: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]


def _drain(stream: BinaryIO, send: Callable[[bytes], object]) -> None:
    """Send what the command prints; once nobody takes it, close the pipe, so that the command notices."""
    with stream:
        while data := stream.read(CHUNK_BYTES):
            try:
                send(data)
            except (OSError, EOFError):
                return


def _thread(ended: threading.Event, target: Callable[..., None], *arguments: object) -> threading.Thread:
    """Run `target` in a thread, and set `ended` behind it."""

    def run() -> None:
        try:
            target(*arguments)
        finally:
            ended.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
