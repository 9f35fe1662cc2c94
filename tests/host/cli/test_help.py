"""`bench --help`: every command is described by a whole sentence."""

from __future__ import annotations

import os

import pytest
from bench_command import run_bench


@pytest.mark.parametrize("group", [[], ["boards"], ["baseline"]])
def test_no_command_is_described_by_half_a_sentence(group: list[str]) -> None:
    page = run_bench(*group, "--help", environment={**os.environ, "COLUMNS": "80"})
    assert page.returncode == 0
    listed = page.stdout.partition("Commands:\n")[2].splitlines()
    assert len(listed) >= 2
    assert [line for line in listed if not line.endswith(".") or line.endswith("...")] == []
