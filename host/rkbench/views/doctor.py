"""The doctor's verdicts: one line each on a terminal, the fix below; or JSON."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rkbench.boards.model import Board
from rkbench.catalogue.check import FAIL, OK, WARN, Check, worst
from rkbench.results.serialize import to_json
from rkbench.views.output import show_and_write
from rkbench.views.terminal import make_console

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA: Literal["rkbench-check/1"] = "rkbench-check/1"
SIMULATED = " (virtual: no NPU involved)"
STYLES = {OK: "green", WARN: "yellow", FAIL: "red"}
CONCLUSIONS = {
    OK: "ready: nothing stands in the way of bench push",
    WARN: "models can run here; the warnings above say what to doubt",
    FAIL: "models cannot run here before what failed is mended",
}


@dataclass(frozen=True)
class CheckedBoard:
    """The board that was looked at."""

    name: str
    address: str
    simulated: bool


@dataclass(frozen=True)
class CheckDocument:
    """What a board, and each model named with it, was found to lack; `verdict` is the worst of all."""

    schema: Literal["rkbench-check/1"]
    board: CheckedBoard
    verdict: str
    checks: tuple[Check, ...]


def show_checks(board: Board, checks: Sequence[Check], json_file: str | None = None) -> None:
    """Show the verdicts on stdout, and write them as JSON where a file is named (`-`: JSON alone)."""
    show_and_write(
        lambda: print_checks(board, checks, make_console(sys.stdout)),
        json_file,
        lambda: render_checks(board, checks),
    )


def render_checks(board: Board, checks: Sequence[Check]) -> str:
    """Return the verdicts as JSON text of schema rkbench-check/1."""
    looked_at = CheckedBoard(board.name, board.address, board.simulated)
    document = to_json(CheckDocument(SCHEMA, looked_at, worst(checks), tuple(checks)))
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def print_checks(board: Board, checks: Sequence[Check], console: Console) -> None:
    """Print the verdicts, and what they mean together."""
    from rich.text import Text

    console.print(f"board {board.name}{SIMULATED * board.simulated}", style="bold")
    width = max((len(check.subject) for check in checks), default=0)
    model = ""
    for check in checks:
        if check.model != model:
            model = check.model
            console.print(f"model {model}", style="bold", soft_wrap=True)
        lead = Text(f"{check.verdict:4}  ", style=STYLES[check.verdict]) + Text(f"{check.subject:{width}}  ")
        _print_wrapped(lead, check.found, console)
        for line in check.fix.splitlines() if check.verdict != OK else ():
            _print_wrapped(Text(" " * (6 + width) + "  → "), line, console)
    console.print(CONCLUSIONS[worst(checks)], style=f"bold {STYLES[worst(checks)]}")


def _print_wrapped(lead: object, text: str, console: Console) -> None:
    """Print `text` behind `lead`; commands are broken at blanks only."""
    from rich.text import Text

    assert isinstance(lead, Text)
    room = max(30, console.width - len(lead))
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    for index, line in enumerate(lines):
        console.print((lead if index == 0 else Text(" " * len(lead))) + Text(line), soft_wrap=True)
