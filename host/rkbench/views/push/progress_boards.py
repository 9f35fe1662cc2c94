"""What a push on several boards is doing, on stderr: a row a board on a terminal, plain lines otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from rkbench.results.events import Busy, Event, Measuring, Sending
from rkbench.units import printable
from rkbench.views.push.progress import Activity, PlainProgress, Show
from rkbench.views.silence import Silence
from rkbench.views.terminal import make_console

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table


class PlainBoards:
    """The lines of each board behind its name, in one stream."""

    def __init__(self, out: TextIO, show: Show | None = None) -> None:
        self._out = out
        self._show = show
        self._boards: dict[str, PlainProgress] = {}

    def __enter__(self) -> PlainBoards:
        return self

    def __exit__(self, *told: object) -> None:
        for lines in self._boards.values():
            lines.__exit__(*told)
        self._out.flush()

    def __call__(self, board: str, event: Event) -> None:
        """Show one event of a board; of all of them where it is ""."""
        if board not in self._boards:
            lead = f"{board}: " if board else ""
            self._boards[board] = PlainProgress(self._out, lead=lead, show=self._show)
        self._boards[board](event)


class LiveBoards:
    """The same on a terminal, and what each board does in a row of its own at the bottom."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.live import Live

        self._clock = clock
        self._activities: dict[str, Activity] = {}
        console = make_console(out)
        self._lines = PlainBoards(out, lambda line: console.print(printable(line), soft_wrap=True))
        self._live: Live = Live(
            get_renderable=self._bottom, console=console, transient=True, refresh_per_second=5
        )

    def __enter__(self) -> LiveBoards:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        self._lines.__exit__()

    def __call__(self, board: str, event: Event) -> None:
        """Show one event of a board."""
        self._activities.setdefault(board, Activity(self._clock)).take(event)
        if not isinstance(event, (Sending, Measuring, Busy)):
            self._lines(board, event)

    def rows(self) -> list[tuple[str, str]]:
        """Return each board that is not done with what it does now."""
        return [(board, activity.line()) for board, activity in self._activities.items() if activity.goes_on]

    def _bottom(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for board, line in self.rows():
            table.add_row(Text(printable(board), "bold"), Text(printable(line), "cyan"))
        return table


BoardsProgress = PlainBoards | LiveBoards | Silence


def make_boards_progress(out: TextIO, *, plain: bool = False, quiet: bool = False) -> BoardsProgress:
    """Return rows where `out` is a terminal that can move its cursor, else lines; nothing if `quiet`."""
    if quiet:
        return Silence()
    if plain or not out.isatty() or not make_console(out).is_interactive:
        return PlainBoards(out)
    return LiveBoards(out)
