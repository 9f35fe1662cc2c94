"""The agent as one file: equal bytes from any installation, and a script that fetches and starts it."""

from __future__ import annotations

import hashlib
import io
import os
import stat
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
    assert len(agent.sent) < 100_000
    assert agent.data.startswith(b"#!/usr/bin/env python3\n# rkbench agent ")
    names = zipfile.ZipFile(io.BytesIO(agent.data)).namelist()
    assert names == sorted(names)
    assert {Path(name).suffix for name in names} == {".py"}
    assert "rkbench_agent/wire/codec.py" in names
    assert agent.digest == hashlib.sha256(agent.data).hexdigest()


def test_the_zipapp_holds_the_agents_own_rooms_and_no_model_of_the_npu() -> None:
    names = zipfile.ZipFile(io.BytesIO(build_agent().data)).namelist()
    rooms = {name.split("/")[1] for name in names if name.count("/") > 1}
    assert rooms == {"board", "line", "run", "runtimes", "scenarios", "wire"}
    assert {name.split("/")[0] for name in names} == {"__main__.py", "rkbench_agent"}


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
    assert names == [compiled(tmp_path, echo).name, f"{echo.digest}.pyz"]


def compiled(cache: Path, agent: AgentZip) -> Path:
    """Return where the modules of an agent lie that this Python has compiled."""
    return cache / "agents" / f"{agent.digest}.{sys.implementation.cache_tag}.zip"


def test_an_agent_that_cannot_be_compiled_runs_from_its_zip(tmp_path: Path, echo: AgentZip) -> None:
    boot(tmp_path, echo, echo.sent)
    compiled(tmp_path, echo).unlink()
    compiled(tmp_path, echo).mkdir()
    assert boot(tmp_path, echo, b"").stdout == b"['one', 'two']\n"


@pytest.mark.parametrize("name", ["compiled", "zipapp"])
@pytest.mark.parametrize(
    "damage", ["empty", "cut", "huge", "one bit", "planted", "link", "pipe", "another user's"]
)
def test_what_is_damaged_or_planted_is_never_run_and_made_anew(
    tmp_path: Path, echo: AgentZip, name: str, damage: str
) -> None:
    boot(tmp_path, echo, echo.sent)
    path = compiled(tmp_path, echo) if name == "compiled" else tmp_path / "agents" / f"{echo.digest}.pyz"
    whole = path.read_bytes()
    evil = pack({"__main__.py": b"print('evil')"}, "evil")
    put_in_place(path, damage, whole, evil)
    ended = boot(tmp_path, echo, echo.sent)
    assert ended.stdout == (b"rkbench-boot need\n" if name == "zipapp" else b"") + b"['one', 'two']\n"
    assert path.is_file() and not path.is_symlink() and path.stat().st_uid == os.geteuid()
    assert boot(tmp_path, echo, b"").stdout == b"['one', 'two']\n"


def put_in_place(path: Path, damage: str, whole: bytes, evil: bytes) -> None:
    """Have a damaged or a foreign file at `path`."""
    contents = {"empty": b"", "cut": whole[:-9], "one bit": whole[:99] + bytes([whole[99] ^ 1]) + whole[100:]}
    path.unlink()
    if damage == "pipe":
        os.mkfifo(path)
    elif damage == "huge":
        path.touch()
        os.truncate(path, 1 << 43)
    elif damage == "link":
        (path.parent.parent / "evil").write_bytes(whole)
        path.symlink_to(path.parent.parent / "evil")
    elif damage == "another user's":
        if os.geteuid() != 0:
            pytest.skip("only root can make a file of another user's")
        signed = hashlib.sha256(evil).hexdigest().encode() + b"\n" + evil
        path.write_bytes(signed)
        os.chown(path, 4321, 4321)
    else:
        path.write_bytes(contents.get(damage, evil))


def test_a_folder_where_others_may_write_is_refused_by_name(tmp_path: Path, echo: AgentZip) -> None:
    shared, sticky = tmp_path / "shared", tmp_path / "sticky"
    shared.mkdir()
    shared.chmod(0o777)
    sticky.mkdir()
    sticky.chmod(0o1777)
    (tmp_path / "linked").mkdir(mode=0o700)
    (tmp_path / "linked/agents").symlink_to(shared)
    refused = {
        shared: f"{shared} can be written by other users",
        shared / "own": f"{shared} can be written by anybody",
        sticky: f"{sticky} can be written by other users",
        tmp_path / "linked": f"{tmp_path / 'linked/agents'} is no folder",
    }
    for folder, why in refused.items():
        assert boot(folder, echo, echo.sent).stdout.decode() == f"rkbench-boot error unsafe {why}\n"
    assert [*shared.iterdir(), *sticky.iterdir()] == []
    assert boot(sticky / "own", echo, echo.sent).returncode == 0
    assert stat.S_IMODE((sticky / "own/agents").stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of another user's")
@pytest.mark.parametrize("name", ["", "agents", "objects", "incoming"])
def test_a_folder_of_another_users_is_refused(tmp_path: Path, echo: AgentZip, name: str) -> None:
    (tmp_path / "cache" / name).mkdir(parents=True)
    os.chown(tmp_path / "cache" / name, 4321, 4321)
    said = f"rkbench-boot error unsafe {tmp_path / 'cache' / name} belongs to another user (4321)\n"
    assert boot(tmp_path / "cache", echo, echo.sent).stdout.decode() == said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is called by sudo")
def test_root_trusts_the_user_who_called_sudo(
    tmp_path: Path, echo: AgentZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_UID", "4321")
    (tmp_path / "cache").mkdir()
    os.chown(tmp_path / "cache", 4321, 4321)
    assert boot(tmp_path / "cache", echo, echo.sent).returncode == 0


def test_a_zipapp_that_stops_on_its_way_is_given_up(
    tmp_path: Path, echo: AgentZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKBENCH_SILENCE_LIMIT_S", "0.2")
    arguments = [echo.digest, str(len(echo.sent)), str(tmp_path), "one"]
    command = [sys.executable, "-c", BOOT, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(echo.sent[:-1])
        process.stdin.flush()
        said = process.stdout.read()
    told = b"rkbench-boot error stalled the agent did not arrive: nothing came for 0.2 s\n"
    assert said == b"rkbench-boot need\n" + told
    assert list((tmp_path / "agents").iterdir()) == []


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
