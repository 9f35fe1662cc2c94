"""What a push is doing, on stderr: bars, and what goes on just now, on a terminal; plain lines otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from rkbench.results.events import Busy, Ended, Event, Measuring, Outlook, Sending, Step
from rkbench.results.model import RunResult
from rkbench.units import format_bytes, printable
from rkbench.views.push.many import Crowd
from rkbench.views.push.progress_words import (
    CELSIUS,
    activity_of,
    amount_of,
    ended_text,
    line_of,
    outlook_text,
    stage_of,
)
from rkbench.views.silence import Silence
from rkbench.views.terminal import make_console

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID
    from rich.text import Text

SENDING = "sending"
#: Puts one line where lines go.
Show = Callable[[str], None]
#: More runs than these have no bars of their own: they would all say the same.
MOST_BARS = 6


class PlainProgress:
    """One line for every step, for every file and stage, and for every end; never a line twice.

    Many that go through a step together have none for each file and stage, and one for those that ended well.
    """

    def __init__(self, out: TextIO, *, lead: str = "", show: Show | None = None) -> None:
        """Show lines, `lead` before each of them, on `out`, or by `show` where one is given."""
        self._out = out
        self._lead = lead
        self._show = show or self._print
        self._told: set[str] = set()
        self._step = ""
        self._crowd = Crowd()
        self._well: list[RunResult] = []

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._tell_ended()
        self._out.flush()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self._crowd.take(event)
        if (run := self._crowd.ended_well(event)) is not None:
            self._well.append(run)
            return
        line = None if self._crowd.covers(event) else line_of(event)
        if line is None or line[0] in self._told or line[1] == self._step:
            return
        if isinstance(event, Step):
            self._step = line[1]
        else:
            self._told.add(line[0])
        self._tell_ended()
        self._show_line(line[1])

    def _tell_ended(self) -> None:
        """Tell in one line which of many have ended well since the last line."""
        if self._well:
            self._show_line(ended_text(self._well))
            self._well.clear()

    def _show_line(self, line: str) -> None:
        self._show(f"{self._lead}{line.lstrip() if self._lead else line}")

    def _print(self, line: str) -> None:
        print(printable(line), file=self._out, flush=True)


class Activity:
    """What goes on just now, for how long, and how long all runs take yet: one line, true at any moment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._text = "beginning"
        self._key = ""
        self._since_s = clock()
        self._end_s: float | None = None
        self._at_most = False

    def take(self, event: Event) -> None:
        """Take an event into account."""
        if isinstance(event, Outlook):
            self._end_s, self._at_most = self._clock() + event.left_s, event.at_most
        text = activity_of(event)
        if text is None:
            return
        key = f"{event.board} {event.name}" if isinstance(event, Busy) else text  # its figures change
        if key != self._key:
            self._since_s = self._clock()
        self._text, self._key = text, key

    @property
    def goes_on(self) -> bool:
        """Whether anything goes on at all."""
        return bool(self._text)

    def line(self) -> str:
        """Return the line as it is now."""
        for_s = int(self._clock() - self._since_s)
        waits = self._text.endswith("waiting")
        lasts = f"{'' if waits else ','} {for_s} s" if waits or for_s >= 1 else ""
        if self._end_s is None:
            return f"{self._text}{lasts}"
        left = outlook_text(self._end_s - self._clock(), at_most=self._at_most)
        return f"{left} · {self._text}{lasts}"

    def __rich__(self) -> Text:
        from rich.text import Text

        return Text(printable(self.line()), style="cyan", no_wrap=True, overflow="ellipsis")


class BarProgress:
    """A bar for every transfer and every variant, and below what goes on; gone when the push ends.

    What many go through together is said by the line below alone: what came of them stands in the table.
    """

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.activity = Activity(clock)
        self._progress = _bars(out, self.activity)
        self._tasks: dict[str, TaskID] = {}
        self._crowd = Crowd()

    def __enter__(self) -> BarProgress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self.activity.take(event)
        self._crowd.take(event)
        if isinstance(event, Sending):
            detail = f"{format_bytes(event.sent_bytes)} of {format_bytes(event.total_bytes)}"
            self._bar(event.name, SENDING, event.sent_bytes, event.total_bytes, detail)
        elif isinstance(event, Measuring):
            # A temperature that falls is no progress from nothing to all.
            done = 0.0 if event.unit == CELSIUS else event.done
            much = amount_of(event)
            detail = f"{stage_of(event)}{', ' * bool(much)}{much}"
            self._bar(event.name, event.stage, done, event.total, detail)
        elif not isinstance(event, Busy) and (line := line_of(event)) is not None:
            is_step = isinstance(event, Step)
            if not ((self._crowd.is_one and is_step) or self._crowd.ended_well(event)):
                self._print(line[1], style="dim" if is_step else "")
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
        """Move the bar of `name`; a new one begins where it stands, as a transfer that is resumed does."""
        done = min(done, total)
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(
                name, total=total, completed=int(done), detail=detail, stage=stage
            )
            shown = len(self._tasks) <= MOST_BARS
            for task in self._tasks.values():
                self._progress.update(task, visible=shown)
        self._progress.update(self._tasks[name], completed=done, total=total, detail=detail)
        if stage == SENDING and done >= total:
            self._progress.remove_task(self._tasks.pop(name))


def _bars(out: TextIO, activity: Activity) -> Progress:
    """Return bars on `out` with the line of what goes on below them."""
    from rich.progress import BarColumn, Progress, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Bars(Progress):
        def get_renderables(self) -> Iterator[RenderableType]:
            yield from super().get_renderables()
            yield activity

    class TransferLeft(TimeRemainingColumn):
        """The time that a transfer takes yet: of runs all together, the line below the bars has it."""

        def render(self, task: Task) -> Text:
            return super().render(task) if task.fields["stage"] == SENDING else Text()

    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        TransferLeft(compact=True),
        console=make_console(out),
        transient=True,
        refresh_per_second=5,
    )


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
