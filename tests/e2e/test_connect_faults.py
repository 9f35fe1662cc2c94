"""Every way not to reach a board: each has one clear line and a next step."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from ports import free_port
from rkbench.boards.model import Board
from rkbench.boards.ssh.connection import connect
from rkbench.boards.ssh.host_keys import record_host_key
from rkbench.boards.ssh.server import _new_key
from rkbench.boards.ssh.transport import SshTransport
from rkbench.errors import AuthenticationError, ConnectError, ConnectionLostError, HostKeyError
from rkbench.session import open_session
from sshd import Sshd, make_key

LIMIT_S = 1.0


@contextmanager
def server_that_says(*words: bytes | None) -> Iterator[int]:
    """A port that greets with `words` one by one (None: nothing, and stays open) and is no SSH server."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as clients:

        def serve() -> None:
            client, _ = listener.accept()
            clients.enter_context(client)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for word in words:
                if word is None:
                    return
                client.sendall(word)
            client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port on which no connection comes about: packets are dropped, as a firewall does."""
    with socket.socket() as listener, ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def refused(board: Board) -> ConnectError:
    with pytest.raises(ConnectError) as error:
        connect(board, timeout_s=LIMIT_S)
    assert error.value.hint != ""
    return error.value


def at(port: int) -> Board:
    return Board(name="rock", host="127.0.0.1", port=port, user="root")


def test_no_such_host() -> None:
    assert "no such host: board.invalid" in refused(Board(name="rock", host="board.invalid")).message


@pytest.mark.parametrize("host", ["..", "a..b", "x" * 64])
def test_a_name_that_no_host_can_have(host: str) -> None:
    assert f"no such host: {host}" in refused(Board(name="rock", host=host)).message


def test_a_refused_connection() -> None:
    port = free_port()
    assert f"127.0.0.1:{port} refuses the connection" in refused(at(port)).message


def test_a_host_that_does_not_answer() -> None:
    with full_backlog() as port:
        assert f"no answer from 127.0.0.1:{port} within 1 s" in refused(at(port)).message


def test_a_port_that_says_nothing() -> None:
    with server_that_says(None) as port:
        assert "says nothing for 1 s" in refused(at(port)).message


def test_a_port_that_closes_at_once() -> None:
    with server_that_says(b"") as port:
        assert "closed the connection at once" in refused(at(port)).message


def test_a_port_that_is_no_ssh_server() -> None:
    with server_that_says(b"220 ftp.example ready\r\n") as port:
        assert "is no SSH server; it said b'220 ftp.example ready" in refused(at(port)).message


@pytest.mark.parametrize(
    "words",
    [
        (b"S", b"SH-2.0-broken\r\n"),
        (b"maintenance at noon\r\n", b"SSH-2.0-broken\r\n"),
        (b"maintenance\r\nat noon\r\nS", b"SH-2.0-broken\r\n"),
    ],
)
def test_a_banner_in_pieces_or_after_other_lines_is_waited_for(words: tuple[bytes, ...]) -> None:
    with server_that_says(*words) as port:
        assert "the SSH handshake with" in refused(at(port)).message


def test_lines_that_no_banner_follows_are_no_ssh_server() -> None:
    with server_that_says(b"hello\r\n", None) as port:
        assert "is no SSH server; it said b'hello" in refused(at(port)).message


def test_a_handshake_that_breaks_off() -> None:
    with server_that_says(b"SSH-2.0-broken\r\n") as port:
        assert "the SSH handshake with" in refused(at(port)).message


def test_a_missing_proxy_command() -> None:
    config = "Host rock\n  ProxyCommand /no/such/proxy %h\n"
    with ssh_config(config):
        message = refused(Board(name="r", host="rock")).message
    assert "ProxyCommand '/no/such/proxy rock' does not start" in message


@contextmanager
def ssh_config(text: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as files:
        home = Path(files.enter_context(tempfile.TemporaryDirectory()))
        (home / ".ssh").mkdir()
        (home / ".ssh/config").write_text(text)
        patch.setenv("HOME", str(home))
        yield


def test_no_key_at_all(sshd: Sshd) -> None:
    with ssh_config(""), pytest.raises(AuthenticationError, match="no key found"):
        connect(replace(sshd.board, identity_files=()))


def test_a_key_that_is_no_key_is_named(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "id").write_text("this is no key")
    with ssh_config(""), pytest.raises(AuthenticationError, match=str(tmp_path / "id")):
        connect(replace(sshd.board, identity_files=(tmp_path / "id",)))


def test_a_passphrase_is_asked_for_only_where_somebody_can_type(sshd: Sshd) -> None:
    command = ["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(sshd.client_key)]
    subprocess.run(command, check=True)
    with ssh_config(""):
        with pytest.raises(AuthenticationError, match="passphrase"):
            connect(sshd.board)
        connect(sshd.board, ask=lambda _: "secret").close()


class _DeafServer(paramiko.ServerInterface):
    """Logs everybody in, and does not answer one kind of request, whose name is `deaf_to`."""

    def __init__(self, deaf_to: str) -> None:
        self._deaf_to = deaf_to
        self.over = threading.Event()

    def _hold(self, request: str) -> None:
        if request == self._deaf_to:
            self.over.wait()

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._hold("login")
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self._hold("channel")
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._hold("exec")
        return False


@contextmanager
def deaf_server(folder: Path, deaf_to: str) -> Iterator[Board]:
    """A board whose SSH server does not answer one kind of request."""
    server = _DeafServer(deaf_to)
    with serving(folder, server) as board:
        yield board
        server.over.set()


@contextmanager
def serving(folder: Path, server: paramiko.ServerInterface) -> Iterator[Board]:
    """A board with `server` behind its port, for one connection; `folder/client` logs in there."""
    key = _new_key(folder / "host_key")
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as open_:
        port = listener.getsockname()[1]
        record_host_key(folder / "known", "127.0.0.1", port, key)

        def serve() -> None:
            transport = paramiko.Transport(listener.accept()[0])
            open_.callback(transport.close)
            transport.add_server_key(key)
            transport.start_server(event=threading.Event(), server=server)

        thread = threading.Thread(target=serve)
        thread.start()
        make_key(folder / "client", "ed25519")
        with ssh_config(""):
            yield replace(
                at(port), known_hosts_files=(folder / "known",), identity_files=(folder / "client",)
            )
        thread.join()


def test_a_login_without_an_answer_is_a_stalled_link_and_no_refused_key(tmp_path: Path) -> None:
    with deaf_server(tmp_path, "login") as board:
        error = refused(board)
    assert not isinstance(error, AuthenticationError)
    assert "stalled while logging in" in error.message


def assert_no_command_starts(transport: SshTransport) -> None:
    with pytest.raises(ConnectionLostError, match="no command can be started"):
        transport.open(["true"])


@pytest.mark.parametrize("deaf_to", ["channel", "exec"])
def test_a_command_that_is_not_answered_is_waited_for_no_longer_than_the_limit(
    tmp_path: Path, deaf_to: str
) -> None:
    with deaf_server(tmp_path, deaf_to) as board, connect(board, timeout_s=LIMIT_S) as transport:
        assert_no_command_starts(transport)


class _PasswordServer(paramiko.ServerInterface):
    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL if password == "right" else AUTH_FAILED


@pytest.mark.parametrize("typed", ["right", "wrong", ""])
def test_a_password_is_only_ever_typed_in(tmp_path: Path, typed: str) -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return typed

    with serving(tmp_path, _PasswordServer()) as served:
        board = replace(served, identity_files=())
        if typed == "right":
            connect(board, ask=ask).close()
        else:
            with pytest.raises(AuthenticationError):
                connect(board, ask=ask)
    assert asked == ["password of root@127.0.0.1: "]


def test_a_jump_host_of_ssh_config_is_used(start_sshd: Callable[..., Sshd]) -> None:
    gate, board = start_sshd(), start_sshd()
    known = (gate.folder / "known_hosts").read_text() + (board.folder / "known_hosts").read_text()
    (board.folder / "known_hosts").write_text(known)
    gate_keys, board_keys = gate.folder / "authorized_keys", (board.folder / "client.pub").read_text()
    gate_keys.write_text(board_keys)
    config = f"Host inner\n HostName 127.0.0.1\n ProxyJump {board.board.user}@127.0.0.1:{gate.port}\n"
    with ssh_config(config), open_session(replace(board.board, host="inner")) as session:
        assert session.hello.magic == "rkbench-agent"
    assert "Accepted publickey" in (gate.folder / "log").read_text()


def test_several_jump_hosts_are_gone_through_in_order(start_sshd: Callable[..., Sshd]) -> None:
    hosts = [start_sshd() for _ in range(3)]
    board = hosts[-1]
    known = "".join((host.folder / "known_hosts").read_text() for host in hosts)
    (board.folder / "known_hosts").write_text(known)
    for gate in hosts[:-1]:
        (gate.folder / "authorized_keys").write_text((board.folder / "client.pub").read_text())
    jumps = ",".join(f"{gate.board.user}@127.0.0.1:{gate.port}" for gate in hosts[:-1])
    config = f"Host inner\n HostName 127.0.0.1\n ProxyJump {jumps}\n"
    with ssh_config(config), open_session(replace(board.board, host="inner")) as session:
        assert session.hello.magic == "rkbench-agent"
    for gate in hosts[:-1]:
        assert "Accepted publickey" in (gate.folder / "log").read_text()


def test_a_jump_host_with_an_unknown_key_is_refused(start_sshd: Callable[..., Sshd]) -> None:
    gate, board = start_sshd(), start_sshd()
    config = f"Host inner\n HostName 127.0.0.1\n ProxyJump 127.0.0.1:{gate.port}\n"
    with ssh_config(config), pytest.raises(HostKeyError, match=r"jump host 127\.0\.0\.1"):
        connect(replace(board.board, host="inner"))


def test_a_proxy_command_carries_the_connection(start_sshd: Callable[..., Sshd], tmp_path: Path) -> None:
    """The agent sees the root of this computer, so the board is a real one; no plan runs there."""
    sshd = start_sshd(environment={"RKBENCH_SYS_ROOT": "/"})
    relay = tmp_path / "relay.py"
    relay.write_text(PROXY)
    config = f"Host inner\n HostName 127.0.0.1\n ProxyCommand {sys.executable} {relay} %h %p\n"
    with ssh_config(config), open_session(replace(sshd.board, host="inner")) as session:
        assert session.environment.simulated is False


PROXY = """\
import os, socket, sys, threading
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := sock.recv(65536):
    os.write(1, data)
"""
