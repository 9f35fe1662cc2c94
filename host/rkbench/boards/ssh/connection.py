"""Making an SSH connection to a board: jump hosts, strict host keys, login."""

from __future__ import annotations

import getpass
import logging
import socket
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import replace

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from rkbench.boards.address import parse_address
from rkbench.boards.model import Board
from rkbench.boards.ssh import host_keys
from rkbench.boards.ssh.algorithms import keep_strong
from rkbench.boards.ssh.auth import Ask, authenticate
from rkbench.boards.ssh.config import Destination, resolve_destination
from rkbench.boards.ssh.dial import dial, expect_banner
from rkbench.boards.ssh.failures import os_errors
from rkbench.boards.ssh.transport import SshTransport
from rkbench.errors import ConnectError, HostKeyError

CONNECT_TIMEOUT_S = 10.0
KEEPALIVE_S = 5


def connect(board: Board, *, timeout_s: float = CONNECT_TIMEOUT_S, ask: Ask | None = None) -> SshTransport:
    """Log in to `board`; raises ConnectError, HostKeyError or AuthenticationError.

    `ask` lets the user type in a passphrase or password (see `terminal_ask`); nothing is stored.
    """
    with ExitStack() as resources:
        destination = resolve_destination(board)
        transport = _handshake(board, destination, timeout_s, resources, ask)
        authenticate(transport, destination, board.name, ask, timeout_s)
        transport.set_keepalive(KEEPALIVE_S)
        return SshTransport(board.name, transport, resources.pop_all(), timeout_s)
    raise AssertionError("unreachable")


def fetch_host_key(
    board: Board, *, timeout_s: float = CONNECT_TIMEOUT_S
) -> tuple[Destination, paramiko.PKey]:
    """Return where `board` is and the host key that it shows, unverified; nothing is sent to it."""
    with ExitStack() as resources:
        destination = resolve_destination(board)
        transport = _handshake(board, destination, timeout_s, resources, terminal_ask(), verify=False)
        return destination, transport.get_remote_server_key()
    raise AssertionError("unreachable")


def terminal_ask() -> Ask | None:
    """Return a function that asks for a secret on the terminal; None where there is none."""
    return getpass.getpass if sys.stdin is not None and sys.stdin.isatty() else None


def _handshake(
    board: Board,
    destination: Destination,
    timeout_s: float,
    resources: ExitStack,
    ask: Ask | None,
    *,
    verify: bool = True,
) -> paramiko.Transport:
    """Return a transport whose server has shown a host key on record; not logged in yet."""
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    place = f"{destination.host}:{destination.port}"
    transport = paramiko.Transport(_stream(board, destination, timeout_s, resources, ask))
    resources.callback(_close, transport)
    options = transport.get_security_options()
    keep_strong(options)
    files = (*host_keys.SYSTEM_KNOWN_HOSTS, *destination.known_hosts_files)
    recorded = host_keys.recorded_keys(destination.key_name, destination.port, files) if verify else ()
    if recorded:
        options.key_types = host_keys.key_algorithms(recorded, options.key_types) or options.key_types
    _start(transport, board, place, timeout_s)
    if verify:
        key = transport.get_remote_server_key()
        host_keys.check_host_key(
            key,
            recorded,
            board=board.name,
            address=board.address,
            host=destination.key_name,
            port=destination.port,
        )
    return transport


def _stream(
    board: Board, destination: Destination, timeout_s: float, resources: ExitStack, ask: Ask | None
) -> socket.socket | paramiko.Channel:
    """Return the stream to the server: through the jump hosts, or straight."""
    if not destination.jumps:
        line = dial(destination, board.name, timeout_s)
        resources.callback(line.close)
        expect_banner(line.sock, board.name, f"{destination.host}:{destination.port}", timeout_s)
        return line.sock
    *before, last = destination.jumps
    jump = _jump_host(board, last)
    hop = resolve_destination(jump)
    hop = replace(hop, jumps=tuple(before) or hop.jumps)
    transport = _handshake(jump, hop, timeout_s, resources, ask)
    authenticate(transport, hop, jump.name, ask, timeout_s)
    try:
        with os_errors():
            place = (destination.host, destination.port)
            return transport.open_channel("direct-tcpip", place, ("127.0.0.1", 0), timeout=timeout_s)
    except OSError as error:
        raise ConnectError(
            f"board {board.name!r}: {last} cannot reach {destination.host}:{destination.port}: {error}",
            hint="try from there: nc -vz HOST PORT; AllowTcpForwarding must be on",
        ) from error


def _jump_host(board: Board, address: str) -> Board:
    """Return a jump host as a board, to be resolved through ssh_config like any other."""
    try:
        user, host, port = parse_address(address)
    except ValueError as error:
        raise ConnectError(f"board {board.name!r}: ProxyJump {address!r}: {error}") from error
    return Board(
        name=f"{board.name} (jump host {host})",
        host=host,
        port=port,
        user=user,
        identity_files=board.identity_files,
        known_hosts_files=board.known_hosts_files,
    )


def _start(transport: paramiko.Transport, board: Board, place: str, timeout_s: float) -> None:
    transport.banner_timeout = timeout_s
    try:
        with os_errors(IncompatiblePeer):
            transport.start_client(timeout=timeout_s)
        done = transport.initial_kex_done
    except IncompatiblePeer as error:
        if "host key" in str(error):
            raise HostKeyError(
                f"board {board.name!r}: {place} no longer has a host key of the recorded type",
                hint=f"if the board was set up anew: bench boards remove {board.name}, then add it again",
            ) from error
        raise ConnectError(
            f"board {board.name!r}: {place} and this host have no algorithm in common: {error}",
            hint="ciphers and MACs that OpenSSH no longer offers by itself (3des-cbc, aes-cbc, hmac-md5,\n"
            "*-96) are refused; update the board's SSH server, or widen its Ciphers and MACs; see ssh -v",
        ) from error
    except OSError as error:
        raise ConnectError(
            f"board {board.name!r}: the SSH handshake with {place} failed: {error or 'connection closed'}",
            hint="see what `ssh -v` says",
        ) from error
    if not done:
        raise ConnectError(
            f"board {board.name!r}: {place} did not finish the SSH handshake within {timeout_s:g} s",
            hint="the link or the board is stalled: check both, then try again",
        )


def _close(transport: paramiko.Transport) -> None:
    """Close, and wait for paramiko's thread, so that nothing of it outlives the connection.

    The thread looks only every 0.1 s whether it is wanted still; the end of its stream it sees at once.
    """
    if hasattr(transport.sock, "shutdown"):  # a ProxyCommand has none
        with suppress(OSError, EOFError):  # the other end was faster
            transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()
    deadline = time.monotonic() + 5
    while transport.is_alive() and time.monotonic() < deadline:
        transport.join(0.05)
