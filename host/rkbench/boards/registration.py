"""Taking a board into the inventory: its address, and the host key that a person has looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

from rkbench_agent.wire.socs import SOCS, find_soc

from rkbench.boards import inventory
from rkbench.boards.address import parse_address
from rkbench.boards.model import VIRTUAL_HOST, Board
from rkbench.boards.ssh.config import Destination, resolve_destination
from rkbench.boards.ssh.connection import fetch_host_key
from rkbench.boards.ssh.host_keys import HostKey, forget_host_key, record_host_key, recorded_keys
from rkbench.boards.virtual.provider import VIRTUAL_SOCS, is_virtual
from rkbench.errors import HostKeyError, UsageError, choice_hint

#: Asked with a question; True means yes.
Confirm = Callable[[str], bool]


@dataclass(frozen=True)
class Registration:
    """What `register_board` did: the board, its host key's fingerprint, and the file that the board is in.

    `replaced`: another one of that name stood there; `changes` are what is not as it was in it, in words.
    """

    board: Board
    fingerprint: str
    path: Path
    replaced: bool = False
    changes: tuple[str, ...] = ()


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


def board_told(name: str, address: str, path: Path, told: Mapping[str, object]) -> Board:
    """Return the board with what is `told` of it; of one that is known by that name, with the rest as it was.

    A value None is not told. A board that was virtual and is none any more, or the other way round, keeps
    what is of no machine: its SoC, where there is a virtual one, and tags, and limits. Raises UsageError.
    """
    given = {key: value for key, value in told.items() if value is not None}
    board = board_at(name, address, **given)
    known = _known(name, path)
    if known is None:
        return board
    own = {field.name for field in fields(Board)} - {"name", "host", "port", "user", "simulated", *given}
    if known.simulated != board.simulated:
        own &= set(_OF_NO_MACHINE if known.soc in VIRTUAL_SOCS else _OF_NO_MACHINE[1:])
    kept = {key: getattr(known, key) for key in own if getattr(board, key) == _DEFAULTS.get(key)}
    return replace(board, **kept)


#: What stays true of a board that becomes a virtual one, or is none any more; the rest is of its machine.
_OF_NO_MACHINE = ("soc", "tags", "cache_limit_bytes", "exporter_port")


#: What a board is that is told nothing of; those without a default are always told.
_DEFAULTS = {field.name: field.default for field in fields(Board) if field.default is not MISSING}


def _known(name: str, path: Path) -> Board | None:
    return next((board for board in inventory.load_inventory(path).boards if board.name == name), None)


def _changes(before: Board | None, board: Board) -> tuple[str, ...]:
    """Return in words what is not as it was."""
    old, new = (item.to_json() if item else {} for item in (before, board))
    changed = [key for key in inventory.KEYS if key in old and old[key] != new[key]]
    return tuple(f"{key} {_word(old[key])} → {_word(new[key])}" for key in changed)


def _word(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value or "none")


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
    known = _known(board.name, path)
    changes = _changes(known, board)
    if board.simulated:
        inventory.add_board(path, board)
        return Registration(board, "none: its keys are thrown away", path, known is not None, changes)
    destination, key = fetch_host_key(board)
    _check_changed(board, destination, key, fingerprint, inventory.known_hosts_of(path))
    _check(board, destination, key, fingerprint, confirm)
    record_host_key(inventory.known_hosts_of(path), destination.key_name, destination.port, key)
    inventory.add_board(path, board)
    return Registration(board, key.fingerprint, path, known is not None, changes)


def double_meanings(board: Board, path: Path) -> Iterator[tuple[str, str]]:
    """Yield what a word means no longer, or not, beside `board` in the inventory, and what helps.

    A name goes before SoCs and tags: a suite for fifty boards of a tag would be green of the one so called.
    """
    others = [other for other in inventory.load_inventory(path).boards if other.name != board.name]
    if hidden := [other.name for other in others if other.is_of(board.name)]:
        tagged = f"{board.name} is also a tag or SoC of {', '.join(hidden)}"
        cure = f"bench boards remove {board.name}, and add it by another name"
        yield f"{tagged}: --board {board.name} means this board alone from now on", cure
    for tag in board.tags:
        if any(tag == other.name for other in others):
            yield (
                f"the tag {tag} is also the name of a board: --board {tag} means that one alone",
                "choose another tag",
            )


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


def _check_changed(
    board: Board, destination: Destination, key: HostKey, fingerprint: str | None, record: Path
) -> None:
    """Raise HostKeyError where the board had another key before, unless the new one's fingerprint was typed.

    A yes is given too easily to what may be another machine in its place.
    """
    recorded = recorded_keys(destination.key_name, destination.port, [record])
    before = [item.key.fingerprint for item in recorded if not item.revoked]
    if fingerprint is None and before and key.fingerprint not in before:
        raise HostKeyError(
            f"board {board.name!r}: its host key has changed: {key.fingerprint}, it was {before[0]}",
            hint="another machine, or set up anew? Once you know, type the new one:"
            f" bench boards add {board.name} {board.address} --fingerprint {key.fingerprint}",
        )


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
