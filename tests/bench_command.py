"""`bench` run as a user runs it, but in this process: no interpreter and no import for each command.

What ends by a signal, loses a stream or is killed needs a process of its own: `python -c BENCH`.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest import mock

#: The program of a process that is `bench`.
BENCH = """
from importlib.metadata import entry_points
(bench,) = entry_points(group="console_scripts", name="bench")
bench.load()()
"""
#: What `bench` may handle in its own way.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Done:
    """What a command said, and its exit code."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The JSON that it printed; fails where it printed none, and tells what it said."""
        assert self.stdout.startswith(("{", "[")), f"exit code {self.returncode}: {self.stderr}"
        return json.loads(self.stdout)


def run_bench(
    *arguments: object,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    encoding: str = "utf-8",
) -> Done:
    """Run `bench` to its end, with an environment and a working folder (else those of this process)."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(3)]
    words = ["bench", *map(str, arguments)]
    with _surroundings(words, streams, os.environ if environment is None else environment, folder):
        status = _status(entry_point())
    out, err = map(_text, streams[1:])
    return Done(status, out, err)


@cache
def entry_point() -> Callable[[], object]:
    """Return what the installed command `bench` starts."""
    (found,) = metadata.entry_points(group="console_scripts", name="bench")
    main: Callable[[], object] = found.load()
    return main


def _status(main: Callable[[], object]) -> int:
    """Run `main`; return what the shell would see of it."""
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    return code if isinstance(code, int) else int(code is not None)


@contextlib.contextmanager
def _surroundings(
    words: list[str], streams: list[io.TextIOWrapper], environment: Mapping[str, str], folder: Path | None
) -> Iterator[None]:
    """Be a process of these words, streams, environment and folder; be as before at the end."""
    before = Path.cwd()
    signals = {number: signal.getsignal(number) for number in _SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as a process begins, also under pytest-xdist
    stdin, stdout, stderr = streams
    with (
        mock.patch.object(sys, "argv", words),
        mock.patch.object(sys, "stdin", stdin),
        mock.patch.object(tempfile, "tempdir", None),
        mock.patch.dict(os.environ, dict(environment), clear=True),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        try:
            os.chdir(folder or before)
            yield
        finally:
            os.chdir(before)
            for number, handler in signals.items():
                signal.signal(number, handler)
            gc.enable()


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(stream.encoding).replace("\r\n", "\n")
