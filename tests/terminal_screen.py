"""What is on a terminal, and above it in its scrollback, once all that was written to it is drawn."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b\][^\x07]*\x07|[\r\n]|[^\x1b\r\n]+")


def shown_lines(written: str) -> list[str]:
    """Return the lines, without those at the end on which nothing stands.

    Of what moves the cursor it knows what Rich writes: carriage return, lines up, a line wiped out.
    """
    lines, row, column = [""], 0, 0
    for piece in _PIECE.finditer(written):
        count, command = piece.group(1), piece.group(2)
        if command == "A":
            row = max(0, row - int(count or 1))
        elif command == "K":
            lines[row] = ""
        elif piece.group() == "\r":
            column = 0
        elif piece.group() == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif command is None and not piece.group().startswith("\x1b"):
            text = piece.group()
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines
