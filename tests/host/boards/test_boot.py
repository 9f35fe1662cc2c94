"""The agent as one file: equal bytes from any installation, and a script that fetches and starts it."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from rkbench.boards.agent.boot import BOOT, AgentZip, boot_argv, build_agent, pack
from rkbench.boards.model import Board
from rkbench.boards.ssh.transport import shell_command

BOARD = Board(name="b", host="h")


def test_the_zipapp_is_small_says_what_it_is_and_holds_only_python() -> None:
    agent = build_agent()
    assert len(agent.sent) < 80_000
    assert agent.data.startswith(b"#!/usr/bin/env python3\n# rkbench agent ")
    names = zipfile.ZipFile(io.BytesIO(agent.data)).namelist()
    assert names == sorted(names)
    assert {Path(name).suffix for name in names} == {".py"}
    assert "rkbench_agent/wire/codec.py" in names
    assert agent.digest == hashlib.sha256(agent.data).hexdigest()


def test_equal_sources_give_equal_bytes_in_any_order() -> None:
    sources = {"b.py": b"2", "a.py": b"1"}
    assert pack(sources, "t") == pack(dict(reversed(sources.items())), "t")
    assert pack(sources, "t") != pack({**sources, "a.py": b"3"}, "t")


def test_a_wheel_holds_the_same_agent_and_the_same_trees(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(root)]
    built = subprocess.run(command, check=False, capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"a wheel cannot be built here (no package index?): {built.stderr[-300:]}")
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from rkbench.boards.virtual.trees import copy_tree\n"
        "from rkbench.boards.agent.boot import build_agent\n"
        "copy_tree('rk3588', Path(sys.argv[1]) / 'tree'); print(build_agent().digest)\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "site")], check=True, capture_output=True, text=True
    )
    assert shown.stdout.strip() == build_agent().digest
    tree = tmp_path / "site/tree"
    assert (tree / "sys/class/devfreq/fdab0000.npu/load").read_text() == "100@1000000000Hz\n"
    assert (tree / "sys/class/drm/card1/device/uevent").exists()


def test_the_command_quotes_everything_but_a_leading_home() -> None:
    board = replace(BOARD, python="~/my venv/bin/python", become="sudo -n", cache_dir="/data/$x")
    program = AgentZip("d" * 64, b"12")
    command = shell_command(boot_argv(board, program, "serve", "a'b"))
    assert command.startswith("exec sudo -n \"$HOME\"/'my venv/bin/python' -c '")
    assert command.endswith("' " + "d" * 64 + f" {len(program.sent)} '/data/$x' serve 'a'\"'\"'b'")


def boot(cache: Path, agent: AgentZip, sent: bytes) -> subprocess.CompletedProcess[bytes]:
    arguments = [agent.digest, str(len(agent.sent)), str(cache), "one", "two"]
    return subprocess.run(
        [sys.executable, "-c", BOOT, *arguments], check=False, input=sent, capture_output=True
    )


@pytest.fixture
def echo() -> AgentZip:
    """A zipapp that prints its arguments."""
    data = pack({"__main__.py": b"import sys; print(sys.argv[1:])"}, "echo")
    return AgentZip(hashlib.sha256(data).hexdigest(), data)


def test_the_script_asks_for_the_zipapp_once(tmp_path: Path, echo: AgentZip) -> None:
    first = boot(tmp_path, echo, echo.sent)
    second = boot(tmp_path, echo, b"")
    assert first.stdout == b"rkbench-boot need\n['one', 'two']\n"
    assert second.stdout == b"['one', 'two']\n"
    names = sorted(path.name for path in (tmp_path / "agents").iterdir())
    assert names == [echo.digest, f"{echo.digest}.pyz"]


def test_an_agent_that_cannot_be_unpacked_runs_from_its_zip(tmp_path: Path, echo: AgentZip) -> None:
    boot(tmp_path, echo, echo.sent)
    shutil.rmtree(tmp_path / "agents" / echo.digest)
    (tmp_path / "agents" / echo.digest).write_text("in the way")
    assert boot(tmp_path, echo, b"").stdout == b"['one', 'two']\n"


@pytest.mark.parametrize("sent", [b"", b"too short"])
def test_a_zipapp_that_does_not_arrive_leaves_nothing(tmp_path: Path, echo: AgentZip, sent: bytes) -> None:
    ended = boot(tmp_path, echo, sent)
    assert ended.stdout == b"rkbench-boot need\nrkbench-boot error cut the agent did not arrive\n"
    assert list((tmp_path / "agents").iterdir()) == []


def test_a_damaged_zipapp_is_refused_and_a_damaged_file_replaced(tmp_path: Path, echo: AgentZip) -> None:
    noise, other = bytes(len(echo.sent)), zlib.compress(b"another").ljust(len(echo.sent))
    for damaged in (noise, other):
        assert b"rkbench-boot error damaged" in boot(tmp_path, echo, damaged).stdout
    (tmp_path / "agents" / f"{echo.digest}.pyz").write_bytes(b"damaged on the disk")
    assert boot(tmp_path, echo, echo.sent).stdout == b"rkbench-boot need\n['one', 'two']\n"


def test_the_script_runs_without_what_lies_in_the_home(tmp_path: Path, echo: AgentZip) -> None:
    (tmp_path / "hashlib.py").write_text("raise SystemExit('taken from the home')")
    arguments = [echo.digest, str(len(echo.sent)), str(tmp_path / "cache"), "x"]
    ended = subprocess.run(
        [sys.executable, "-c", BOOT, *arguments],
        check=False,
        input=echo.sent,
        capture_output=True,
        cwd=tmp_path,
    )
    assert ended.stdout == b"rkbench-boot need\n['x']\n"
