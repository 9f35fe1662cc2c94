"""The inventory: which boards there are, in a `bench.toml` that people edit by hand.

    [boards.rock5b]
    host = "192.168.1.20"        # or an alias of ~/.ssh/config; "virtual" for a virtual board
    user = "root"
    soc = "rk3588"
    tags = ["lab"]
    python = "~/venv/bin/python" # where RKNNLite lives

Edits keep comments and order. Host keys lie beside it, in `bench.known_hosts`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import tomlkit
import tomlkit.exceptions

from rkbench.boards.address import parse_address
from rkbench.boards.model import Board
from rkbench.borders.tables import typed_values, unknown
from rkbench.errors import InventoryError

FILE_NAME = "bench.toml"
ENVIRONMENT_VARIABLE = "RKBENCH_INVENTORY"
VIRTUAL = "virtual"
#: Sections of bench.toml, and what may be written of a board: fields of `Board`.
SECTIONS = ("boards",)
KEYS = (
    "host",
    "port",
    "user",
    "soc",
    "tags",
    "python",
    "become",
    "cache_dir",
    "cache_limit_bytes",
    "runtime",
    "identity_files",
    "behaviour",
    "home",
    "exporter_port",
)


@dataclass(frozen=True)
class Inventory:
    """What a bench.toml says; `path` may not be there yet."""

    path: Path
    boards: tuple[Board, ...]

    @property
    def known_hosts(self) -> Path:
        """The file of the host keys that `bench boards add` has recorded."""
        return known_hosts_of(self.path)


def known_hosts_of(path: Path) -> Path:
    """Return the known-hosts file that belongs to the inventory `path`."""
    return path.with_name("bench.known_hosts")


def find_inventory(
    named: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    start: Path | None = None,
    home: Path | None = None,
) -> Path:
    """Return the inventory to use: the `named` one, else $RKBENCH_INVENTORY, else the first bench.toml
    from `start` upwards, else ~/.config/rkbench/bench.toml (which may not be there)."""
    chosen = named or (
        Path(environment[ENVIRONMENT_VARIABLE]) if environment.get(ENVIRONMENT_VARIABLE) else None
    )
    if chosen is not None:
        return chosen.expanduser().absolute()
    folder = (start or Path.cwd()).absolute()
    for place in (folder, *folder.parents):
        if (place / FILE_NAME).is_file():
            return place / FILE_NAME
    return (home or Path.home()) / ".config/rkbench" / FILE_NAME


def load_inventory(path: Path) -> Inventory:
    """Read `path`; an inventory that is not there is empty. Raises InventoryError."""
    document = _read(path).unwrap()
    for key in document:
        if key not in SECTIONS:
            raise unknown(f"{path}: section", key, SECTIONS, InventoryError)
    table = document.get("boards", {})
    if not isinstance(table, dict):
        raise InventoryError(f"{path}: `boards` must be a table: [boards.NAME]")
    return Inventory(path, tuple(_board(path, name, entry) for name, entry in table.items()))


def resolve_board(name: str, inventory: Path | None = None) -> Board:
    """Return the first board that `name` can mean in the inventory to use; raises InventoryError."""
    return candidates(name, load_inventory(find_inventory(inventory)))[0]


def candidates(name: str, inventory: Inventory) -> tuple[Board, ...]:
    """Return the boards that `name` can mean, in the order to try: never none.

    A name of the inventory, else a SoC or tag, else `virtual[:SOC]` or `user@host[:port]`.
    Raises InventoryError.
    """
    named = tuple(board for board in inventory.boards if board.name == name)
    fitting = named or tuple(board for board in inventory.boards if name == board.soc or name in board.tags)
    if fitting:
        return fitting
    kind, _, soc = name.partition(":")
    if kind == VIRTUAL:
        return (_virtual(name, soc or "rk3588"),)
    if "@" in name:
        return (_address(name, inventory),)
    raise _no_board(name, inventory)


def add_board(path: Path, board: Board) -> None:
    """Write `board` into the inventory, in place of one of the same name; the rest stays as it is."""
    document = _read(path)
    boards = document.setdefault("boards", tomlkit.table(is_super_table=True))
    entry = tomlkit.table()
    default = Board(name=board.name, host=board.host)
    for key in KEYS:
        value = getattr(board, key)
        if value != getattr(default, key) or key == "host":
            entry[key] = [str(item) for item in value] if isinstance(value, tuple) else _plain(value)
    boards[board.name] = entry
    _write(path, document)


def remove_board(path: Path, name: str) -> Board:
    """Take the board `name` out of the inventory and return it; raises InventoryError."""
    inventory = load_inventory(path)
    found = [board for board in inventory.boards if board.name == name]
    if not found:
        raise _no_board(name, inventory)
    document = _read(path)
    del document["boards"][name]
    _write(path, document)
    return found[0]


def _board(path: Path, name: str, entry: Any) -> Board:
    place = f"{path}: board {name!r}"
    values = typed_values(entry, {key: _types()[key] for key in KEYS}, place, InventoryError)
    if "host" not in values:
        raise InventoryError(f"{place} has no host", hint='host = "192.168.1.20"')
    if values["host"] == VIRTUAL:
        values.update(simulated=True, runtime="virtual")
    return Board(name=name, known_hosts_files=(known_hosts_of(path),), **values)


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(Board)


def _virtual(name: str, soc: str) -> Board:
    return Board(name=name, host=VIRTUAL, soc=soc, runtime="virtual", simulated=True)


def _address(text: str, inventory: Inventory) -> Board:
    try:
        user, host, port = parse_address(text)
    except ValueError as error:
        raise InventoryError(f"no board {text!r}: {error}", hint="user@host or user@host:port") from error
    return Board(name=text, host=host, port=port, user=user, known_hosts_files=(inventory.known_hosts,))


def _no_board(name: str, inventory: Inventory) -> InventoryError:
    names = [board.name for board in inventory.boards]
    words = {
        word for board in inventory.boards for word in (board.name, *board.tags, board.soc or "") if word
    }
    close = difflib.get_close_matches(name, sorted(words | {VIRTUAL}), 3)
    known = f"{inventory.path} has: {', '.join(names)}" if names else f"{inventory.path} has no boards yet"
    meant = f"did you mean {' or '.join(close)}?\n" if close else ""
    return InventoryError(
        f"no board {name!r}",
        hint=f"{meant}{known}\nadd it: bench boards add NAME USER@HOST; without a board: --board virtual",
    )


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _read(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # the latter where HOME is /dev/null
        return tomlkit.document()
    except (OSError, UnicodeDecodeError, tomlkit.exceptions.ParseError) as error:
        raise InventoryError(
            f"{path} cannot be read: {error}", hint="mend it, or name another: --inventory FILE"
        ) from error


def _write(path: Path, document: tomlkit.TOMLDocument) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        partial.write_text(tomlkit.dumps(document), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise InventoryError(f"{path} cannot be written: {error.strerror}") from error
