"""Who holds a board: `bench boards list --status`, and a nightly that waits for its turn."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from night_lab import DEMO, MODELS, NightLab

SUITE = f"""
name = "lab"
boards = ["left"]
gates = ["size <= 10MB"]
[plans.default]
iterations = 10
duration = 0
wait = WAIT
[[models]]
files = "{DEMO}/{MODELS[0]}.rknn"
"""


@pytest.fixture
def lab(tmp_path: Path) -> NightLab:
    """A lab whose board `left` lives in one home, whoever starts it."""
    made = NightLab(tmp_path)
    home = f'[boards.left]\nhome = "{tmp_path}/home"'
    made.inventory.write_text(made.inventory.read_text().replace("[boards.left]", home))
    return made


def test_the_list_tells_who_holds_a_board_and_a_nightly_waits_for_it(lab: NightLab) -> None:
    assert "free" in lab.run("boards", "list", "--status").stdout
    lab.behave("left", hang={"stage": "inference"})
    lab.suite.write_text(SUITE.replace("WAIT", "0"))
    holder = lab.start("nightly", lab.suite, "--store", lab.folder / "other.sqlite")
    lock, listed = lab.folder / "home/.cache/rkbench/lock", ""
    try:
        while not (lock.exists() and lock.read_text()):  # a list takes longer than a look
            assert holder.poll() is None, holder.communicate()
            time.sleep(0.02)
        while "held by" not in listed:
            assert holder.poll() is None, holder.communicate()
            listed = lab.run("boards", "list", "--status").stdout
        left, right = listed.splitlines()
        assert " for nightly lab since 20" in left
        assert right.split()[-1] == "free"
        status = json.loads(lab.run("boards", "list", "--status", "--json").stdout)[0]["status"]
        assert (status["reason"], status["fault"]) == ("nightly lab", None)
        assert status["until_unix_s"] > status["since_unix_s"]
        refused = lab.run("nightly", lab.suite)
        assert refused.returncode == 1
        assert "the board is held by" in refused.stderr
        lab.suite.write_text(SUITE.replace("WAIT", "600"))
        lab.behave("left")
        waiting = lab.start("nightly", lab.suite, "--priority", "2")
        assert waiting.stderr is not None
        line = waiting.stderr.readline()
        assert "left: held by " in line
        assert " for nightly lab; waiting for it" in line
        listed = lab.run("boards", "list", "--status").stdout.splitlines()
        assert listed[1].startswith("  1. ")
        assert " waits for nightly lab, priority 2 since 20" in listed[1]
        status = json.loads(lab.run("boards", "list", "--status", "--json").stdout)[0]["status"]
        assert [each["priority"] for each in status["waiting"]] == [2]
    finally:
        holder.kill()
        holder.communicate()
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, err
    assert "pass (1)" in out
