"""What an import costs: nouns and the inventory come without paramiko."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_a_prediction_without_a_board_costs_no_campaign_no_store_and_no_execution() -> None:
    sample = Path(__file__).parents[2] / "data/models/mb_gap7_rk3588_i8.rknn"
    run = f"""
import contextlib, io
from rkbench.cli import main
sys.argv = ["bench", "predict", {str(sample)!r}]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
"""
    loaded = modules_after(run)
    assert "rkbench.npu.predict" in loaded
    assert not {name for name in loaded if name.startswith(NOT_OF_A_PREDICTION)}


NOT_OF_A_PREDICTION = (
    *("rkbench.campaign", "rkbench.store", "rkbench.boards", "rkbench.results.model", "rkbench.catalogue"),
    *("rkbench.npu.execute", "rkbench.inspection.causes", "rkbench_agent.wire.messages"),
    *("numpy.ma.", "paramiko", "rich"),
)


def test_what_a_virtual_board_is_told_of_latency_executes_nothing() -> None:
    loaded = modules_after("import rkbench.variants.predicted_run, rkbench.variants.computed_replay")
    assert not {name for name in loaded if name.startswith("rkbench.npu.execute")}
