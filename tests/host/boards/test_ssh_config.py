"""Where a connection goes: ssh_config, jump hosts, addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from rkbench.boards.address import parse_address
from rkbench.boards.model import Board
from rkbench.boards.ssh.config import resolve_destination
from rkbench.errors import ConnectError

CONFIG = """\
Host rock
    HostName 10.0.0.5
    User radxa
    Port 2222
    IdentityFile ~/keys/lab
    IdentitiesOnly yes
    ProxyJump hop@gate:2200, inner
Host odd
    ProxyCommand nc %h %p
    HostKeyAlias lab-odd
Host *
    User everyone
"""


@pytest.fixture
def config(tmp_path: Path) -> tuple[Path, ...]:
    (tmp_path / "config").write_text(CONFIG)
    return (tmp_path / "config",)


def test_an_alias_stands_for_what_ssh_config_says(config: tuple[Path, ...]) -> None:
    there = resolve_destination(Board(name="b", host="rock"), config)
    assert (there.host, there.port, there.user) == ("10.0.0.5", 2222, "radxa")
    assert there.identity_files == (Path("~/keys/lab").expanduser(),)
    assert there.use_agent is False
    assert there.jumps == ("hop@gate:2200", "inner")


def test_the_board_overrides_ssh_config(config: tuple[Path, ...]) -> None:
    board = Board(name="b", host="rock", port=22, user="root", identity_files=(Path("/k"),))
    there = resolve_destination(board, config)
    assert (there.port, there.user, there.identity_files[0]) == (22, "root", Path("/k"))


def test_a_proxy_command_gets_host_and_port(config: tuple[Path, ...]) -> None:
    there = resolve_destination(Board(name="b", host="odd"), config)
    assert (there.proxy_command, there.key_name, there.user) == (
        "nc odd 22",
        "lab-odd",
        "everyone",
    )


def test_a_virtual_board_does_not_look_into_ssh_config(config: tuple[Path, ...]) -> None:
    board = Board(name="v", host="rock", port=1, user="virtual", simulated=True)
    assert resolve_destination(board, config).host == "rock"


ASK = """
import sys
from pathlib import Path
from rkbench.boards.model import Board
from rkbench.boards.ssh.config import resolve_destination
there = resolve_destination(Board(name="b", host="rock"), (Path(sys.argv[1]),))
print(there.user, there.port)
"""


def test_match_exec_is_asked(tmp_path: Path) -> None:
    lines = ["Match host rock exec true", "  User yes", "Match host rock exec false", "  Port 77", ""]
    (tmp_path / "config").write_text("\n".join(lines))
    command = [sys.executable, "-c", ASK, str(tmp_path / "config")]
    ended = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert ended.stdout == "yes 22\n"


def test_a_broken_ssh_config_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host\x00\nnonsense without sense =\n!!\n")
    with pytest.raises(ConnectError, match="config cannot be read"):
        resolve_destination(Board(name="b", host="h"), (tmp_path / "config",))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("host", (None, "host", None)),
        ("root@host", ("root", "host", None)),
        ("root@10.0.0.1:2222", ("root", "10.0.0.1", 2222)),
        ("root@[::1]:22", ("root", "::1", 22)),
        ("fe80::1", (None, "fe80::1", None)),
        ("a@b@host", ("a@b", "host", None)),
    ],
)
def test_addresses(text: str, parts: tuple[str | None, str, int | None]) -> None:
    assert parse_address(text) == parts


@pytest.mark.parametrize(
    "text", ["", "@host", "root@", "host:0", "host:x", "ho st", "-oProxy", "[::1", "[::1]22"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        parse_address(text)


@pytest.mark.parametrize(
    "text", ["x\nProxyCommand y@host", "a@h\nx", "a@h\x1b", "a b@h", "'a@h", "-x@h", "a@h:²"]
)
def test_what_would_be_more_than_one_word_of_ssh_config_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        parse_address(text)


def test_a_newline_never_reaches_ssh_config(config: tuple[Path, ...]) -> None:
    for board in (Board("b", "rock", user="x\nProxyCommand y"), Board("b", "rock\nProxyCommand y")):
        with pytest.raises(ConnectError, match="is no host and no user"):
            resolve_destination(board, config)


def test_a_port_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host *\n  Port abc\n")
    with pytest.raises(ConnectError, match="Port 'abc'"):
        resolve_destination(Board("b", "rock"), (tmp_path / "config",))
