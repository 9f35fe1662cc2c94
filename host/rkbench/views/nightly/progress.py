"""A night as it goes: a line for every cell that ends; on a terminal below them what each board does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from rkbench.results.night import CellBegun, CellEnded, CellResult, NightBegun, NightEvent
from rkbench.stats.gates import FAIL, NOT_MEASURED
from rkbench.units import format_seconds, printable
from rkbench.views.nightly.sentences import counted, where
from rkbench.views.push.progress_words import outlook_text
from rkbench.views.terminal import make_console

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live


class NightProgress:
    """One line for every cell that ends, and what is to be known meanwhile; never a line twice."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told: set[str] = set()

    def __enter__(self) -> NightProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def __call__(self, event: NightEvent) -> None:
        """Show one event."""
        if isinstance(event, CellBegun | NightBegun):
            return
        if isinstance(event, CellEnded):
            text = f"[{event.done}/{event.total}] {_cell_words(event.cell)}"
        else:
            text = f"  {f'{event.board}: ' if event.board else ''}{event.text}"
        if text not in self._told:
            self._told.add(text)
            self._print(f"{text}{_left(event)}")

    def _print(self, text: str) -> None:
        print(printable(text), file=self._out, flush=True)


class LiveNightProgress(NightProgress):
    """The same on a terminal, with the cell of every board and the time left at the bottom."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.live import Live

        super().__init__(out)
        self._clock = clock
        self._cells: dict[str, tuple[str, float]] = {}
        self._total, self._done = 0, 0
        self._end_s: float | None = None
        self._console = make_console(out)
        self._live: Live = Live(
            get_renderable=self._bottom, console=self._console, transient=True, refresh_per_second=4
        )

    def __enter__(self) -> LiveNightProgress:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, event: NightEvent) -> None:
        """Show one event."""
        if isinstance(event, CellBegun):
            self._cells[event.board] = f"{event.variant} ({event.plan})", self._clock()
        elif isinstance(event, CellEnded | NightBegun):
            self._total, self._done = event.total, event.done
            self._end_s = None if event.left_s is None else self._clock() + event.left_s
        if isinstance(event, CellEnded):
            self._cells.pop(event.cell.board, None)
        super().__call__(event)

    def lines(self, room: int | None = None) -> list[str]:
        """Return what stands at the bottom now: how far the night is, and what each board does.

        Boards that `room` lines do not hold are counted; those that are longest at their cells are named.
        """
        now_s = self._clock()
        left = "" if self._end_s is None else f", {outlook_text(self._end_s - now_s, at_most=False)}"
        head = f"{self._done} of {self._total} cells{left}" if self._total else "no cell is done yet"
        boards = [
            f"  {board}: {what}, {int(now_s - since)} s" for board, (what, since) in self._cells.items()
        ]
        if room is None or len(boards) < room:
            return [head, *boards]
        shown = boards[: max(0, room - 2)]
        return [head, *shown, f"  and {len(boards) - len(shown)} boards more"]

    def _bottom(self) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        # What has ended stays in sight, however many boards there are.
        head, *boards = map(printable, self.lines(self._console.height * 2 // 3))
        bar = ProgressBar(self._total or 1, self._done, width=20)
        first = Table.grid(padding=(0, 1))
        first.add_row(bar, Text(head, "cyan", no_wrap=True, overflow="ellipsis"))
        rest = Text("\n".join(boards), "cyan", no_wrap=True, overflow="ellipsis")
        return Group(first, rest) if boards else Group(first)

    def _print(self, text: str) -> None:
        self._console.print(printable(text), soft_wrap=True)


def make_night_progress(out: TextIO, *, plain: bool = False) -> NightProgress:
    """Return live progress where `out` is a terminal that can move its cursor, else plain lines."""
    if plain or not out.isatty() or not make_console(out).is_interactive:
        return NightProgress(out)
    return LiveNightProgress(out)


def gate_words(cell: CellResult) -> str:
    """Return how the gates of a cell ended, counted."""
    if cell.fault and cell.state != FAIL:
        return NOT_MEASURED
    return ", ".join(counted(cell.gates)) or f"pass ({len(cell.gates)})"


def _left(event: NightEvent) -> str:
    if not isinstance(event, CellEnded) or event.left_s is None or event.done == event.total:
        return ""
    return f" · {outlook_text(event.left_s, at_most=False)}"


def _cell_words(cell: CellResult) -> str:
    if cell.fault:
        return f"{where(cell)}: {cell.fault.message}"
    p50 = (
        f", p50 {format_seconds(cell.p50_s)}{' (simulated)' if cell.simulated else ''}" if cell.p50_s else ""
    )
    return f"{where(cell)}: {gate_words(cell)}{p50}"
