"""A stream of bytes, cut into lines."""

from __future__ import annotations

from typing import List


class LineBuffer:
    """Cuts a stream of bytes into lines."""

    def __init__(self) -> None:
        self._parts: List[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> List[bytes]:
        """Return the lines that `data` completes, without their newlines."""
        head, newline, rest = data.partition(b"\n")
        if not newline:
            self._parts.append(data)
            self._size += len(data)
            return []
        lines = [b"".join(self._parts) + head]
        *complete, tail = rest.split(b"\n")
        lines.extend(complete)
        self._parts = [tail] if tail else []
        self._size = len(tail)
        return lines

    def rest(self) -> bytes:
        """Return the bytes of the line that has no end yet, and forget them."""
        data = b"".join(self._parts)
        self._parts, self._size = [], 0
        return data

    def __len__(self) -> int:
        return self._size
