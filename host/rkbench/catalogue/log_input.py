"""A log as a user hands it over: a file, or what is piped or pasted; bounded, and text."""

from __future__ import annotations

import codecs
import os
import sys

from rkbench.errors import UsageError
from rkbench.units import format_bytes

STDIN = "-"
#: Half a minute of reading for a person, thousands of screens; a journal of a year is none.
LIMIT_BYTES = 4_000_000
#: Longer lines are cut: no message of ours is.
LINE_LIMIT = 2_000
_BINARY = b"\x00"
#: How Windows' PowerShell writes what is sent to a file.
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_log(source: str) -> list[str]:
    """Return the lines of a file, or of stdin for `-`; raises UsageError for what is no log."""
    name = "stdin" if source == STDIN else source or "''"
    data = _read(source)
    if len(data) > LIMIT_BYTES:
        raise UsageError(
            f"{name}: more than {format_bytes(LIMIT_BYTES)}, too much to explain at once",
            hint="give the part in question: tail -n 2000 LOG | bench explain -,"
            " or: grep -iE 'rknn|npu|error' LOG | bench explain -",
        )
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    if _BINARY in data and encoding != "utf-16":
        raise UsageError(f"{name}: no text", hint="for a model: bench inspect FILE")
    lines = [line[:LINE_LIMIT] for line in data.decode(encoding, "replace").splitlines() if line.strip()]
    if not lines:
        raise UsageError(f"{name}: empty", hint="paste what the program printed, or: dmesg | bench explain -")
    return lines


def _read(source: str) -> bytes:
    """Return at most one byte more than the limit."""
    if source == STDIN:
        if sys.stdin.isatty():
            sys.stderr.write("paste the log, then Ctrl-D on a line of its own\n")
        return sys.stdin.buffer.read(LIMIT_BYTES + 1)
    try:
        with open(source, "rb", opener=_open_at_once) as file:
            return file.read(LIMIT_BYTES + 1)
    except OSError as error:
        hint = "a file, - for stdin, or a number of the catalogue, such as 32"
        raise UsageError(f"{source or repr(source)}: {error.strerror or error}", hint=hint) from error


def _open_at_once(path: str, flags: int) -> int:
    """Open a file, or a pipe with its writer; a pipe that nobody writes into is empty and not waited for."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    return descriptor
