"""What a file that should be a shared library is: for which machine, or what it is instead."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Optional, Tuple

MACHINES = {3: "x86", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"}
_HEADER_BYTES = 64
_NO_LIBRARIES = (
    (b"version https://git-lfs", "git_lfs_pointer"),
    (b"<", "html"),
    (b"!<arch>", "static_archive"),
    (b"PK", "zip"),
    (b"\x1f\x8b", "gzip"),
)


def identify_library(path: Path) -> Tuple[str, Optional[str]]:
    """Return (kind, machine): kind is `elf`, or what the loader will call an invalid ELF header.

    The others are `truncated` (the section table lies past the end), `git_lfs_pointer`, `html`,
    `static_archive`, `zip`, `gzip`, `empty`, `unreadable` and `unknown`. The machine is None for what
    is no ELF file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
            size = file.seek(0, 2)
    except OSError:
        return "unreadable", None
    if head[:4] == b"\x7fELF":
        machine = _machine(head)
        return ("elf" if machine is not None and _is_whole(head, size) else "truncated"), machine
    if not head:
        return "empty", None
    for start, kind in _NO_LIBRARIES:
        if head.lstrip().startswith(start):
            return kind, None
    return "unknown", None


def _machine(head: bytes) -> Optional[str]:
    if len(head) < 20:
        return None
    (number,) = struct.unpack_from("<H", head, 18)
    return MACHINES.get(number, f"machine {number}")


def _is_whole(head: bytes, size: int) -> bool:
    """Tell whether the section table, which ends a usual library, lies inside the file."""
    is_64_bit = head[4:5] == b"\x02"
    if len(head) < (64 if is_64_bit else 52):
        return False
    if is_64_bit:
        (offset,) = struct.unpack_from("<Q", head, 40)
        entry_bytes, count = struct.unpack_from("<HH", head, 58)
    else:
        (offset,) = struct.unpack_from("<I", head, 32)
        entry_bytes, count = struct.unpack_from("<HH", head, 46)
    return int(offset) + int(entry_bytes) * int(count) <= size
