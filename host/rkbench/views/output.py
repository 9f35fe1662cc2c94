"""Where results go: a file, written whole or not at all, or stdout for `-`."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from rkbench.errors import BenchError, UsageError
from rkbench.units import printable

STDOUT = "-"
#: How files begin that a result must not replace: typed there by mistake, they would be lost.
_KEPT = {b"SQLite format 3": "a database, such as a result store", b"RKNN": "a model", b"CRYPT": "a model"}
ESCAPE = "backslashreplace"
"""A file name that is no UTF-8 is written as `\\udcff`, which JSON reads back as the same name."""


@contextlib.contextmanager
def open_output(target: str) -> Iterator[TextIO]:
    """Yield a text file for `target`; the file appears under its name once it is complete.

    Raises UsageError where it cannot be written, and BenchError where its disk is full.
    """
    if target == STDOUT:
        yield sys.stdout
        return
    with _placed(Path(target)) as path, path.open("w", encoding="utf-8", errors=ESCAPE, newline="") as out:
        yield out


@contextlib.contextmanager
def _placed(path: Path) -> Iterator[Path]:
    """Yield where to write what shall stand at `path` once it is whole."""
    with explained(path):
        if path.exists() and not path.is_file():  # a pipe or a device: /dev/null, >(command)
            with contextlib.suppress(BrokenPipeError), _read_by_another(path):  # who may have enough of it
                yield path
            return
        _check_kept(path)
        path = Path(os.path.realpath(path))  # of a link what it leads to, and the link stays
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def _read_by_another(path: Path) -> Iterator[None]:
    """Hold a pipe open where it has a reader already; where it has none say what is waited for."""
    if not path.is_fifo():
        yield
        return
    try:
        held = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        print(
            f"bench: {printable(str(path))} is a pipe: waiting until it is read", file=sys.stderr, flush=True
        )
        yield
    else:
        with os.fdopen(held, "wb"):
            yield


def write_text(target: str, text: str) -> None:
    """Write `text` to `target`, whole or not at all; raises what `open_output` does."""
    with open_output(target) as out:
        out.write(text)


def write_bytes(target: str, data: bytes) -> None:
    """Write `data` to `target`, whole or not at all; raises what `open_output` does."""
    if target == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    with _placed(Path(target)) as path:
        path.write_bytes(data)


def typed(path: Path | None) -> str | None:
    """Return a path as it was typed."""
    return None if path is None else str(path)


def check_outputs(targets: Mapping[str, str | None]) -> None:
    """Raise UsageError now where one of the options' targets cannot be written, or two want stdout."""
    rivals = [f"{option} {STDOUT}" for option, target in targets.items() if target == STDOUT]
    if len(rivals) > 1:
        raise UsageError(f"{' and '.join(rivals)} cannot both have stdout", hint="give one of them a file")
    for target in targets.values():
        if target is not None:
            check_output(target)
    written = [(option, Path(target)) for option, target in targets.items() if target not in (None, STDOUT)]
    for at, (option, path) in enumerate(written):
        for other, same in written[:at]:
            if _are_one(path, same):
                raise UsageError(f"{other} and {option} are one file: {path}", hint="name another for one")


def check_not_read(targets: Mapping[str, str | None], read: Mapping[str, Path | None]) -> None:
    """Raise UsageError now where an option's target is one of the files that are `read`, by what they are."""
    for option, target in targets.items():
        for what, path in read.items():
            if target not in (None, STDOUT) and path is not None and _are_one(Path(target), path):
                raise UsageError(f"{option} {target} would overwrite {what}", hint="name another file")


def _are_one(path: Path, other: Path) -> bool:
    """Return whether two names are of one file that can be overwritten, also by a link; or would be."""
    try:
        return path.samefile(other) and path.is_file()
    except OSError:
        return path.resolve() == other.resolve()


def check_output(target: str) -> None:
    """Raise UsageError now where `target` could not be written after an hour of measuring."""
    path = Path(target)
    if target == STDOUT:
        return
    if path.is_dir():
        raise UsageError(f"{target}: a folder", hint="name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"{target}: no folder {path.parent}", hint="make it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{target}: no permission to write", hint="choose another file")
    with explained(path):
        _check_kept(path)


def _check_kept(path: Path) -> None:
    """Raise UsageError where a result would replace a result store or a model."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        begin = file.read(16)
    for magic, what in _KEPT.items():
        if begin.startswith(magic):
            raise UsageError(f"{path}: {what}, which this would overwrite", hint="name another file")


def all_of(*steps: Callable[[], None]) -> None:
    """Take every step, also after one that failed, and raise the first failure at the end.

    A disk that is too full for a file takes neither the other files nor the table on the terminal; nor does
    one that is too full for stdout take the files.
    """
    failures: list[BenchError | OSError] = []
    for step in steps:
        try:
            step()
        except (BenchError, OSError) as error:
            failures.append(error)
    if failures:
        raise failures[0]


def show_and_write(show: Callable[[], None], json_file: str | None, render: Callable[[], str]) -> None:
    """Show a result on the terminal, and write it where a file is named; `-`: to stdout, and nothing else.

    Both are tried; the first failure is raised at the end.
    """
    steps = [] if json_file == STDOUT else [show]
    if json_file is not None:
        steps.append(lambda: write_text(json_file, render()))
    all_of(*steps)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Make of what a disk refuses an error that names the file and the next step."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"{path}: {error.strerror}"
            raise BenchError(message, hint="make room, or choose another file") from error
        raise UsageError(f"{path}: {error.strerror or error}", hint="choose another file") from error
