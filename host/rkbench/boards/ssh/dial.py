"""Getting a byte stream to an SSH server, or an error that says which step of the way failed."""

from __future__ import annotations

import select
import shlex
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from rkbench.boards.ssh.config import Destination
from rkbench.errors import ConnectError

#: So much may wait in the kernel that TCP has not sent yet.
UNSENT_BYTES = 128 * 1024
#: How an SSH server begins the line in which it says who it is; so much may come before that line.
BANNER, BANNER_BYTES = b"SSH-", 8192
BANNER_POLL_S = 0.05


@dataclass(frozen=True)
class Line:
    """A stream to the server, and what to close after it."""

    sock: socket.socket
    close: Callable[[], None]


def dial(destination: Destination, board: str, timeout_s: float) -> Line:
    """Open a TCP connection (TCP_NODELAY), or start the ProxyCommand; raises ConnectError."""
    if destination.proxy_command:
        return _run_proxy(destination.proxy_command, board)
    place = f"{destination.host}:{destination.port}"
    try:
        sock = socket.create_connection((destination.host, destination.port), timeout=timeout_s)
    except (socket.gaierror, UnicodeError) as error:  # the latter of a name that DNS cannot have, as `a..b`
        told = getattr(error, "strerror", None) or error
        raise ConnectError(
            f"board {board!r}: no such host: {destination.host} ({told})",
            hint="check the name where it is written (bench.toml, ~/.ssh/config, a labgrid place's"
            " NetworkService) and DNS; an IP address works too",
        ) from error
    except TimeoutError as error:
        raise ConnectError(
            f"board {board!r}: no answer from {place} within {timeout_s:g} s",
            hint="check power, cable and address (ping it); a firewall may drop the packets",
        ) from error
    except ConnectionRefusedError as error:
        raise ConnectError(
            f"board {board!r}: {place} refuses the connection",
            hint="the board is up, but no SSH server listens on that port\n"
            "start it (systemctl start ssh), or name the right port",
        ) from error
    except OSError as error:
        raise ConnectError(
            f"board {board!r}: {place} is unreachable: {error.strerror or error}",
            hint="check network and address (ping it)",
        ) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # An upload over a slow link must not queue megabytes before the next beat of the agent's channel.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    return Line(sock, sock.close)


def expect_banner(sock: socket.socket, board: str, place: str, timeout_s: float) -> None:
    """Look at the first bytes without taking them: is this an SSH server? Raises ConnectError.

    Other lines may come before its own, and all of them in pieces (RFC 4253, 4.2): they are waited for.
    """
    deadline, head = time.monotonic() + timeout_s, b""
    try:
        while not _is_ssh(head):
            at_end, seen = _is_at_end(sock), len(head)
            sock.settimeout(max(BANNER_POLL_S, deadline - time.monotonic()))
            head = sock.recv(BANNER_BYTES, socket.MSG_PEEK)
            if not head:
                raise _closed(board, place)
            if at_end or len(head) == BANNER_BYTES or time.monotonic() > deadline:
                break
            if len(head) == seen:
                time.sleep(BANNER_POLL_S)  # what is peeked at stays: nothing tells when more has come
    except TimeoutError as error:
        raise ConnectError(
            f"board {board!r}: {place} takes the connection but says nothing for {timeout_s:g} s",
            hint="is this the SSH port? a board that hangs looks like this too: power-cycle it",
        ) from error
    except OSError as error:
        raise _closed(board, place) from error
    if not _is_ssh(head):
        raise ConnectError(
            f"board {board!r}: {place} is no SSH server; it said {head[:60]!r}",
            hint="check the port",
        )


def _is_ssh(head: bytes) -> bool:
    """Tell whether the last line that came is an SSH server's, or may become one."""
    start = head.rpartition(b"\n")[2][: len(BANNER)]
    return b"\n" + BANNER in b"\n" + head or bool(start and BANNER.startswith(start))


def _is_at_end(sock: socket.socket) -> bool:
    """Tell whether the other side will say no more; False where the system cannot tell."""
    mask = getattr(select, "POLLRDHUP", 0)
    poll = select.poll()
    poll.register(sock, mask)
    return any(event & (mask | select.POLLHUP) for _, event in poll.poll(0))


def _closed(board: str, place: str) -> ConnectError:
    return ConnectError(
        f"board {board!r}: {place} closed the connection at once",
        hint="its SSH server may be overloaded (MaxStartups), still starting, or forbid this address",
    )


def _run_proxy(command: str, board: str) -> Line:
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(shlex.split(command), stdin=theirs.fileno(), stdout=theirs.fileno())
    except (OSError, ValueError) as error:
        ours.close()
        raise ConnectError(
            f"board {board!r}: ProxyCommand {command!r} does not start: {error}",
            hint="check it in ~/.ssh/config",
        ) from error
    finally:
        theirs.close()

    def close() -> None:
        ours.close()
        process.terminate()
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    return Line(ours, close)
