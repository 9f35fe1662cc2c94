"""What an import costs: nouns and the inventory come without paramiko."""

from __future__ import annotations

import subprocess
import sys

import pytest


def modules_after(statement: str) -> set[str]:
    """Return what is loaded in a fresh interpreter once `statement` has run."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", ["rkbench.boards", "rkbench.boards.model", "rkbench.boards.provider"])
def test_a_noun_costs_no_paramiko(name: str) -> None:
    assert not {"paramiko", "cryptography"} & modules_after(f"import {name}")


def test_paramiko_comes_without_what_only_match_exec_needs() -> None:
    loaded = modules_after("import rkbench.boards.ssh.config")
    assert "paramiko" in loaded
    assert not {"invoke", "asyncio"} & loaded
