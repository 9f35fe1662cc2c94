"""`bench --help`: every command is described by a whole sentence."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("group", [[], ["boards"], ["baseline"]])
def test_no_command_is_described_by_half_a_sentence(group: list[str]) -> None:
    command = [sys.executable, "-c", "from rkbench.cli import main; main()", *group, "--help"]
    environment = {**os.environ, "COLUMNS": "80"}
    page = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    listed = page.stdout.partition("Commands:\n")[2].splitlines()
    assert len(listed) >= 2
    assert [line for line in listed if not line.endswith(".") or line.endswith("...")] == []
