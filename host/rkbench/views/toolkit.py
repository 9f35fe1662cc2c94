"""Converters that are installed, and how far an installation is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rkbench.toolkit.environment import Record, ToolkitEnvironment
from rkbench.toolkit.install import Installing
from rkbench.units import UNKNOWN, format_bytes, printable
from rkbench.views.silence import Silence
from rkbench.views.terminal import make_console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: On no terminal a line is printed for every so much of the whole.
PLAIN_STEP = 0.2


class PlainInstallProgress:
    """A line for every step, and for every fifth of what is to come."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told: tuple[str, int] = ("", 0)

    def __enter__(self) -> PlainInstallProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def __call__(self, event: Installing) -> None:
        """Show how far it is, where that is news."""
        part = int(event.done_bytes / event.total_bytes / PLAIN_STEP)
        if self._told == (event.step, part):
            return
        self._told = (event.step, part)
        amount = f"{format_bytes(event.done_bytes)} of about {format_bytes(event.total_bytes)}"
        text = f"rknn-toolkit2 {event.version}: {event.step}, {amount}"
        print(printable(text), file=self._out, flush=True)


class BarInstallProgress:
    """One bar with the time left; gone when the installation ends."""

    def __init__(self, out: TextIO) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._progress: Progress = Progress(
            TextColumn("rknn-toolkit2 {task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[step]}", markup=False),
            console=make_console(out),
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> BarInstallProgress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, event: Installing) -> None:
        """Show how far it is."""
        if self._task is None:
            self._task = self._progress.add_task(event.version, total=event.total_bytes, step=event.step)
        self._progress.update(self._task, completed=event.done_bytes, step=event.step)


InstallProgress = PlainInstallProgress | BarInstallProgress | Silence


def make_install_progress(out: TextIO, *, plain: bool = False, quiet: bool = False) -> InstallProgress:
    """Return a bar where `out` is a terminal that can move its cursor, else plain lines, or nothing."""
    if quiet:
        return Silence()
    if plain or not out.isatty() or not make_console(out).is_interactive:
        return PlainInstallProgress(out)
    return BarInstallProgress(out)


def show_installed(environment: ToolkitEnvironment, out: TextIO | None = None) -> None:
    """Print where an environment is, and what can be done with it."""
    torch = "with torch" if environment.has_torch else "without torch, which an ONNX does not need"
    lines = (
        f"rknn-toolkit2 {environment.version} is ready, {torch}: {environment.python}",
        "next: bench convert MODEL.onnx --target rk3588",
    )
    print("\n".join(printable(line) for line in lines), file=out or sys.stdout)


def show_toolkits(rows: Sequence[tuple[str, Path, str, Record | None]], out: TextIO | None = None) -> None:
    """Print one line a version: state, Python, torch, what it takes on the disk, and where it lies."""
    from rich.table import Table
    from rich.text import Text

    console = make_console(out or sys.stdout)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("toolkit", "state", "Python", "torch", "size"):
        table.add_column(title, no_wrap=True)
    table.add_column("folder", overflow="fold")
    for version, folder, state, record in rows:
        table.add_row(*(Text(cell) for cell in (version, state, *_cells(folder, record))))
    console.print(table)
    if not any(record for *_, record in rows):
        console.print(Text("none is installed yet: bench toolkit install"))


def _cells(folder: Path, record: Record | None) -> tuple[str, str, str, str]:
    if record is None:
        return UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN if not folder.exists() else str(folder)
    return record.python, "yes" if record.has_torch else "no", format_bytes(record.size_bytes), str(folder)
