"""Whether the processor is emulated."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest
from rkbench_agent.board.emulation import is_emulated

ARM, X86_64, AARCH64 = 40, 62, 183


def elf(machine: int) -> bytes:
    return b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little")


def test_this_process_is_not_emulated() -> None:
    assert not is_emulated()


@pytest.mark.parametrize(
    ("seen", "run", "expected"),
    [
        (elf(AARCH64), elf(X86_64), True),
        (elf(AARCH64), elf(AARCH64), False),
        (elf(ARM), elf(ARM), False),  # whatever the kernel is for
        (elf(AARCH64), b"#!/bin/sh", False),
        (elf(AARCH64), elf(X86_64)[:19], False),
        (None, elf(X86_64), False),
        (elf(AARCH64), None, False),
    ],
)
def test_it_is_where_the_kernel_runs_a_program_for_another_processor(
    seen: Optional[bytes], run: Optional[bytes], expected: bool, tmp_path: Path
) -> None:
    paths = tmp_path / "seen", tmp_path / "run"
    for path, content in zip(paths, (seen, run)):
        if content is not None:
            path.write_bytes(content)
    assert is_emulated(*paths) is expected
