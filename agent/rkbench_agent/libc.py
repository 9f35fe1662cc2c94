"""The few calls into the C library that Python does not offer."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_IOLBF = 1
_PR_SET_PDEATHSIG = 1

_LIBC = ctypes.CDLL(None, use_errno=True)


def make_stdio_line_buffered() -> None:
    """Make C's stdout and stderr line-buffered, so that a crash does not swallow the last lines."""
    _LIBC.setvbuf.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    for name in ("stdout", "stderr"):
        stream = ctypes.c_void_p.in_dll(_LIBC, name)
        _LIBC.setvbuf(stream, None, _IOLBF, 0)


def flush_stdio() -> None:
    """Flush the streams of C and of Python."""
    _LIBC.fflush(None)
    sys.stdout.flush()
    sys.stderr.flush()


def print_line(text: str, stream: str = "stdout") -> None:
    """Print through C's stdio, as a vendor's library does."""
    file = ctypes.c_void_p.in_dll(_LIBC, stream)
    _LIBC.fputs.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    _LIBC.fputs(text.encode("utf-8") + b"\n", file)


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent dies; exit at once if it is dead already."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def give_back_freed() -> None:
    """Give memory that was freed back to the kernel, where the C library keeps it for later (glibc).

    Once a large buffer was freed, glibc takes the next one from its heap and keeps that when it is freed:
    what leaks meanwhile fills the hole, and the process does not grow by it.
    """
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim.argtypes = [ctypes.c_size_t]
        trim(0)
