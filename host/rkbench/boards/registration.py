"""Taking a board into the inventory: its address, and the host key that a person has looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rkbench_agent.wire.socs import SOCS, find_soc

from rkbench.boards import inventory
from rkbench.boards.address import parse_address
from rkbench.boards.model import VIRTUAL_HOST, Board
from rkbench.boards.ssh.config import Destination, resolve_destination
from rkbench.boards.ssh.connection import fetch_host_key
from rkbench.boards.ssh.host_keys import HostKey, forget_host_key, record_host_key
from rkbench.boards.virtual.provider import VIRTUAL_SOCS, is_virtual
from rkbench.errors import HostKeyError, UsageError, choice_hint

#: Asked with a question; True means yes.
Confirm = Callable[[str], bool]


@dataclass(frozen=True)
class Registration:
    """What `register_board` did: the board, its host key's fingerprint, and the file that the board is in.

    `replaced`: another one of that name stood there.
    """

    board: Board
    fingerprint: str
    path: Path
    replaced: bool = False


def board_at(name: str, address: str, **fields: object) -> Board:
    """Return the board `name` at `[user@]host[:port]`, or a virtual one; raises UsageError."""
    if not name or not all(mark.isalnum() or mark in "-_." for mark in name):
        raise UsageError(f"{name!r} is no name for a board", hint="letters, digits, - _ .")
    soc = fields.get("soc")
    if soc is not None:
        if find_soc(str(soc)) is None:
            raise UsageError(f"no SoC {soc!r} is known", hint=choice_hint(str(soc), SOCS))
        fields["soc"] = str(soc).lower()
    board = _board_at(name, address, fields)
    for key, problem in inventory.board_problems(board):
        raise UsageError(f"board {name!r}: {key} {problem}")
    return board


def _board_at(name: str, address: str, fields: Mapping[str, Any]) -> Board:
    if is_virtual(address):
        return _virtual_at(name, address, fields)
    try:
        user, host, port = parse_address(address)
    except ValueError as error:
        raise UsageError(
            str(error), hint="USER@HOST or USER@HOST:PORT, or an alias of ~/.ssh/config"
        ) from error
    return Board(name=name, host=host, port=port, user=user, **fields)


def _virtual_at(name: str, address: str, fields: Mapping[str, Any]) -> Board:
    soc = address.partition(":")[2] or None
    if soc is not None and soc not in VIRTUAL_SOCS:
        known = " or ".join(f"{VIRTUAL_HOST}:{each}" for each in VIRTUAL_SOCS)
        raise UsageError(f"there is no virtual {soc!r}", hint=known)
    if soc is not None and fields.get("soc") not in (None, soc):
        raise UsageError(f"{address} is no {fields['soc']}", hint="leave --soc away")
    values = {**fields, "soc": soc or fields.get("soc"), "runtime": "virtual"}
    return Board(name=name, host=VIRTUAL_HOST, simulated=True, **values)


def register_board(board: Board, path: Path, *, fingerprint: str | None, confirm: Confirm) -> Registration:
    """Fetch the host key, have it confirmed, and record key and board.

    A given `fingerprint` (`SHA256:...`) is compared, else `confirm` is asked. Raises HostKeyError where
    they do not agree, ConnectError where the board is not reached.
    """
    replaced = any(known.name == board.name for known in inventory.load_inventory(path).boards)
    if board.simulated:
        inventory.add_board(path, board)
        return Registration(board, "none: its keys are thrown away", path, replaced)
    destination, key = fetch_host_key(board)
    _check(board, destination, key, fingerprint, confirm)
    record_host_key(inventory.known_hosts_of(path), destination.key_name, destination.port, key)
    inventory.add_board(path, board)
    return Registration(board, key.fingerprint, path, replaced)


def unregister_board(name: str, path: Path) -> Board:
    """Take the board out of the inventory, and its key off the record where no other board has it."""
    board = inventory.remove_board(path, name)
    if not board.simulated:
        destination = resolve_destination(board)
        others = [
            resolve_destination(other)
            for other in inventory.load_inventory(path).boards
            if not other.simulated
        ]
        if not any(
            (other.key_name, other.port) == (destination.key_name, destination.port) for other in others
        ):
            forget_host_key(inventory.known_hosts_of(path), destination.key_name, destination.port)
    return board


def _check(
    board: Board, destination: Destination, key: HostKey, fingerprint: str | None, confirm: Confirm
) -> None:
    shown = f"{destination.host}:{destination.port} shows the host key {key.get_name()} {key.fingerprint}"
    if fingerprint is not None:
        if fingerprint != key.fingerprint:
            raise HostKeyError(
                f"board {board.name!r}: {shown}, expected was {fingerprint}",
                hint="is it the right machine? its own: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            )
    elif not confirm(f"{shown}\nIs that the board's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub there)?"):
        raise HostKeyError(f"board {board.name!r} was not added: its host key was not confirmed")
