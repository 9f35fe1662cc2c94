"""What a push is doing, on stderr: a bar with ETA on a terminal, plain lines otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from rkbench_agent.wire.words import AT_MOST

from rkbench.results.events import Ended, Event, Measuring, Note, Sending, Step, Waiting
from rkbench.results.model import STOPPED
from rkbench.units import format_bytes, format_celsius, format_seconds, printable
from rkbench.views.silence import Silence
from rkbench.views.terminal import make_console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


CELSIUS = "celsius"


class PlainProgress:
    """One line for every step, stage and end; never a line twice."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last: dict[str, str] = {}

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        key, text = _line(event)
        if self._last.get(key) != text:
            self._last[key] = text
            print(printable(text), file=self._out, flush=True)


class BarProgress:
    """A bar for every transfer and every variant, with the time left; gone when the push ends."""

    def __init__(self, out: TextIO) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=make_console(out),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._stages: dict[str, str] = {}

    def __enter__(self) -> BarProgress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Sending):
            detail = f"{format_bytes(event.sent_bytes)} of {format_bytes(event.total_bytes)}"
            self._bar(event.name, "sending", event.sent_bytes, event.total_bytes, detail)
        elif isinstance(event, Measuring):
            detail = f"{event.stage.replace('_', ' ')}, {_amount(event)}"
            # A temperature that falls is no progress from nothing to all.
            done = 0.0 if event.unit == CELSIUS else event.done
            self._bar(event.name, event.stage, done, event.total, detail)
        else:
            self._print(_line(event)[1], style="dim" if isinstance(event, Step) else "")
            if isinstance(event, Ended) and event.run.variant.name in self._tasks:
                self._progress.remove_task(self._tasks.pop(event.run.variant.name))

    def _print(self, line: str, style: str) -> None:
        """Print a line, what of it is wrapped indented as its beginning is."""
        from rich.padding import Padding
        from rich.text import Text

        text = line.lstrip()
        indented = Padding.indent(Text(text, style=style), len(line) - len(text))
        indented.expand = False
        self._progress.console.print(indented)

    def _bar(self, name: str, stage: str, done: float, total: float, detail: str) -> None:
        """Move the bar of `name`; a new stage starts it afresh, so that its ETA is that stage's."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, detail=detail)
        task = self._tasks[name]
        if self._stages.get(name, stage) != stage:
            self._progress.reset(task)
        self._stages[name] = stage
        self._progress.update(task, completed=min(done, total), total=total, detail=detail)
        if stage == "sending" and done >= total:
            self._progress.remove_task(self._tasks.pop(name))


PushProgress = PlainProgress | BarProgress | Silence


def make_progress(out: TextIO, *, plain: bool = False, quiet: bool = False) -> PushProgress:
    """Return bars where `out` is a terminal that can move its cursor, else plain lines.

    `plain` asks for lines, for bars would be torn by what else is written; `quiet` for nothing at all.
    """
    if quiet:
        return Silence()
    if plain or not out.isatty() or not make_console(out).is_interactive:
        return PlainProgress(out)
    return BarProgress(out)


def _line(event: Event) -> tuple[str, str]:
    """Return what the line is about, and the line."""
    for kind, line in _LINES.items():
        if isinstance(event, kind):
            return line(event)
    raise AssertionError(f"no line for {event!r}")


def _sending(event: Sending) -> tuple[str, str]:
    quarter = event.sent_bytes * 4 // event.total_bytes * 25 if event.total_bytes else 100
    return f"send {event.name}", f"  {event.name}: sending {format_bytes(event.total_bytes)}, {quarter} %"


def _measuring(event: Measuring) -> tuple[str, str]:
    stage = event.stage.replace("_", " ")
    if event.unit == CELSIUS:
        return f"measure {event.name}", f"  {event.name}: {stage}, {_amount(event)}"
    if event.unit.endswith(AT_MOST):
        return f"measure {event.name}", f"  {event.name}: {stage}, {event.total:g} {event.unit}"
    quarter = int(event.done * 4 / event.total) * 25 if event.total else 100
    return f"measure {event.name}", f"  {event.name}: {stage} {min(quarter, 100)} %"


def _ended(event: Ended) -> tuple[str, str]:
    run = event.run
    if run.verdict == STOPPED:
        return run.id, f"  {run.variant.name}: stopped"
    if run.failure is not None:
        return run.id, f"  {run.variant.name}: failed in {run.failure.stage}: {run.failure.message}"
    p50 = f", p50 {format_seconds(run.latency.p50_s)}" if run.latency else ""
    cores = f", cores {run.plan.core_mask}" if run.plan.core_mask != "auto" else ""
    return run.id, f"  {run.variant.name}{cores}: done{p50}{' (simulated)' if run.simulated else ''}"


_LINES: dict[type, Callable[..., tuple[str, str]]] = {
    Step: lambda event: ("step", f"{event.text} ..."),
    Note: lambda event: (f"note {event.text}", f"  note: {event.text}"),
    Waiting: lambda event: ("wait", f"  the board is held by {event.owner}; waiting"),
    Sending: _sending,
    Measuring: _measuring,
    Ended: _ended,
}


def _amount(event: Measuring) -> str:
    if event.unit in ("s", "seconds"):
        return f"{event.done:.1f} of {event.total:g} s"
    if event.unit == CELSIUS:
        return f"{format_celsius(event.done)}, waiting for less than {format_celsius(event.total)}"
    return f"{event.done:g} of {event.total:g} {event.unit}"
