"""Every example of a help page, typed in its order: each ends well."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from bench_command import run_bench
from rkbench.cli.app import COMMANDS
from rkbench.cli.examples import EXAMPLES
from rkbench.cli.lazy import Command

DATA = Path("tests/data/npu").resolve()
SUITE = """
name = "lab"
boards = ["virtual"]
[plans.default]
duration = 0.05
[[models]]
files = "model.rknn"
gates = ["size <= 1MB"]
"""


@pytest.mark.timeout(400)
def test_every_example_of_a_help_page_can_be_typed(tmp_path: Path) -> None:
    for name, source in (
        ("model.rknn", "neck_rk3588_int8.rknn"),
        ("smaller.rknn", "neck_rk3588_int8.rknn"),
        ("model.onnx", "neck.onnx"),
    ):
        (tmp_path / name).write_bytes((DATA / source).read_bytes())
    (tmp_path / "board.log").write_text("E RKNN: failed to open rknpu module\n")
    (tmp_path / "suite.toml").write_text(SUITE)
    (tmp_path / "bench.toml").write_text("")
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    environment["RKBENCH_INVENTORY"] = str(tmp_path / "bench.toml")
    environment.pop("RKBENCH_STORE", None)
    told = {}
    for lines in EXAMPLES.values():
        for line in lines:
            program, *words = shlex.split(line)
            assert program == "bench"
            done = run_bench(*words, environment=environment, folder=tmp_path)
            if done.returncode != 0:
                told[line] = (done.returncode, done.stderr)
    assert told == {}


def test_examples_are_of_commands_that_there_are_and_stand_on_their_pages() -> None:
    targets = {node.target.partition(":")[0] for node in COMMANDS.values() if isinstance(node, Command)}
    targets |= {
        command.target.partition(":")[0]
        for node in COMMANDS.values()
        if not isinstance(node, Command)
        for command in node.commands.values()
    }
    assert set(EXAMPLES) <= targets
    page = run_bench("push", "--help").stdout
    assert all(f"  {line}\n" in page for line in EXAMPLES["push"])
