"""Nights as a list: when, how long, how much, and how each ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rkbench.results.ids import short_ids
from rkbench.results.night import FAILED, GREEN, RED, Night
from rkbench.units import MARK, format_about_seconds
from rkbench.views.nightly.markdown import utc
from rkbench.views.nightly.sentences import SIMULATED, counted
from rkbench.views.push.grid import plain, print_grid
from rkbench.views.push.table import TableCell, Tone
from rkbench.views.terminal import make_console

_WORDS = {GREEN: ("green", Tone.GOOD), RED: ("RED", Tone.BAD), FAILED: ("not green", Tone.EVEN)}


def print_nights(nights: Sequence[Night], suite: str | None = None, out: TextIO | None = None) -> None:
    """Print one line a night."""
    from rich.text import Text

    console = make_console(out or sys.stdout)
    if not nights:
        of = f" of {suite}" if suite else ""
        console.print(Text(f"no night{of} in the store: bench nightly SUITE.toml"))
        return
    shown = short_ids(night.id for night in nights)
    rows = [
        [
            plain(shown[night.id]),
            plain(night.suite),
            plain(utc(night.started_unix_s)[: len("2026-01-31 02:00")]),
            plain(_duration(night)),
            plain(str(len(night.boards))),
            plain(f"{len(night.cells)}{f' {MARK}' if night.simulated else ''}"),
            how_it_ended(night),
        ]
        for night in nights
    ]
    print_grid(console, ("night", "suite", "started (UTC)", "took", "boards", "cells", "ended"), rows, left=3)
    if any(night.simulated for night in nights):
        console.print(Text(f"{MARK} {SIMULATED}", "yellow"))


def _duration(night: Night) -> str:
    if night.ended_unix_s is None:
        return ""
    return format_about_seconds(max(0.0, night.ended_unix_s - night.started_unix_s))


def how_it_ended(night: Night) -> TableCell:
    """Return how a night ended, and what was not green in it."""
    if night.ended_unix_s is None:
        return TableCell("running, or broke off", tone=Tone.EVEN)
    word, tone = _WORDS[night.exit_code]
    parts = counted(gate for cell in night.cells for gate in cell.gates)
    return TableCell(", ".join(["interrupted" if night.interrupted else word, *parts]), tone=tone)
