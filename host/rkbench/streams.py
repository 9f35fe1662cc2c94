"""stdout and stderr of this process: what their encoding cannot hold, and readers that leave (`| head`).

Whoever reads along may go: the command does what was asked for, and returns its own exit code.
"""

from __future__ import annotations

import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import TextIO


class WatchedFile(FileIO):
    """An open descriptor whose reader may leave: what is written then goes nowhere, and is no error.

    `bears_all`: nor is what else a write may meet, as a full disk; of errors nobody could be told there.
    """

    def __init__(self, descriptor: int, *, bears_all: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.has_lost_reader = False
        self._bears_all = bears_all

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]  # any buffer
        """Return how many bytes were taken."""
        try:
            return super().write(data)
        except OSError as error:
            if not (self._bears_all or isinstance(error, BrokenPipeError)):
                raise
            self.has_lost_reader = True
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(data)


def open_standard_streams() -> None:
    """Make stdin, stdout and stderr what every command may use, whatever the shell made of them."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed (`>&-`): else a socket would take its place
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
        elif mode == "w":
            setattr(sys, name, _watched(getattr(sys, name), bears_all=name == "stderr"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # What a terminal cannot show is `?`, and a name that is no UTF-8 is escaped: neither is an error.
            stream.reconfigure(errors="backslashreplace" if stream.encoding == "utf-8" else "replace")


def _watched(stream: TextIO, *, bears_all: bool) -> TextIO:
    """Return a stream that writes to the same descriptor; as it is where that is none of the shell's."""
    raw = _raw(stream)
    if not isinstance(stream, TextIOWrapper) or type(raw) is not FileIO or raw.fileno() not in (1, 2):
        return stream
    stream.flush()
    watched = WatchedFile(raw.fileno(), bears_all=bears_all)
    unbuffered = stream.buffer is raw  # PYTHONUNBUFFERED
    return TextIOWrapper(
        watched if unbuffered else BufferedWriter(watched),  # type: ignore[type-var]  # as Python makes its own
        encoding=stream.encoding,
        line_buffering=stream.line_buffering,
        write_through=unbuffered,
    )


def has_lost_reader(out: TextIO) -> bool:
    """Return whether nobody reads any more what is written to `out`."""
    raw = _raw(out)
    return isinstance(raw, WatchedFile) and raw.has_lost_reader


def _raw(stream: TextIO) -> object:
    """Return the file below a stream's buffers."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)
