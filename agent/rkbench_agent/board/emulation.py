"""Whether this process runs on a processor of its own, or is translated for another one (qemu-user)."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

#: The program as this process is told of it: qemu-user answers with the one that it translates.
_SEEN = Path("/proc/self/exe")
#: The same as the kernel has it: qemu-user knows nothing of this name, and shows itself.
_RUN = Path("/proc/thread-self/exe")


def is_emulated(seen: Path = _SEEN, run: Path = _RUN) -> bool:
    """Return whether the kernel runs a program for another processor than the one that we see.

    `uname` would not do: a board may run 32-bit programs on a 64-bit kernel. False where it cannot be told.
    """
    ours, kernels = _machine(seen), _machine(run)
    return None not in (ours, kernels) and ours != kernels


def _machine(program: Path) -> Optional[bytes]:
    """Return the machine that an ELF file is for: its `e_machine`."""
    try:
        with program.open("rb") as file:
            header = file.read(20)
    except OSError:
        return None
    return header[18:20] if header[:4] == b"\x7fELF" and len(header) == 20 else None
