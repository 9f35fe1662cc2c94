"""A night as it goes: a line for every cell that ends; on a terminal below them what each board does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from rkbench.results.night import CellBegun, CellEnded, CellResult, NightEvent
from rkbench.stats.gates import NOT_MEASURED
from rkbench.units import format_about_seconds, format_seconds, printable
from rkbench.views.nightly.sentences import counted, where
from rkbench.views.terminal import make_console

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text


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
        if isinstance(event, CellBegun):
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
        self._done: CellEnded | None = None
        self._end_s: float | None = None
        self._live: Live = Live(
            get_renderable=self._bottom, console=make_console(out), transient=True, refresh_per_second=4
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
        elif isinstance(event, CellEnded):
            self._cells.pop(event.cell.board, None)
            self._done = event
            self._end_s = None if event.left_s is None else self._clock() + event.left_s
        super().__call__(event)

    def lines(self) -> list[str]:
        """Return what stands at the bottom now: how far the night is, and what each board does."""
        now_s = self._clock()
        if self._done is None:
            head = "no cell is done yet"
        else:
            left = "" if self._end_s is None else f", {_about(self._end_s - now_s)}"
            head = f"{self._done.done} of {self._done.total} cells{left}"
        boards = [
            f"  {board}: {what}, {int(now_s - since)} s" for board, (what, since) in self._cells.items()
        ]
        return [head, *boards]

    def _bottom(self) -> Text:
        from rich.text import Text

        return Text("\n".join(map(printable, self.lines())), "cyan", no_wrap=True, overflow="ellipsis")

    def _print(self, text: str) -> None:
        self._live.console.print(printable(text), soft_wrap=True)


def make_night_progress(out: TextIO, *, plain: bool = False) -> NightProgress:
    """Return live progress where `out` is a terminal that can move its cursor, else plain lines."""
    if plain or not out.isatty() or not make_console(out).is_interactive:
        return NightProgress(out)
    return LiveNightProgress(out)


def gate_words(cell: CellResult) -> str:
    """Return how the gates of a cell ended, counted."""
    if cell.fault:
        return NOT_MEASURED
    return ", ".join(counted(cell.gates)) or f"pass ({len(cell.gates)})"


def _left(event: NightEvent) -> str:
    if not isinstance(event, CellEnded) or event.left_s is None or event.done == event.total:
        return ""
    return f" · {_about(event.left_s)}"


def _about(left_s: float) -> str:
    return f"about {format_about_seconds(left_s)} left" if left_s >= 1 else "a moment left"


def _cell_words(cell: CellResult) -> str:
    if cell.fault:
        return f"{where(cell)}: {cell.fault.message}"
    p50 = (
        f", p50 {format_seconds(cell.p50_s)}{' (simulated)' if cell.simulated else ''}" if cell.p50_s else ""
    )
    return f"{where(cell)}: {gate_words(cell)}{p50}"
