"""The console that all views print on. Rich is imported when it is needed."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

#: The width where no terminal tells one.
PLAIN_WIDTH = 100


def make_console(out: TextIO, width: int | None = None) -> Console:
    """Return a console on `out`. It honours NO_COLOR, COLUMNS, TERM; no markup or sign of others acts."""
    from rkbench.views.escaping_console import EscapingConsole

    columns = os.environ.get("COLUMNS")
    if width is None and not out.isatty() and not (columns and columns.strip("0")):
        width = PLAIN_WIDTH
    elif width is None and columns == "0":  # which rich believes, and then shows nothing
        width = shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns
    return EscapingConsole(file=out, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)
