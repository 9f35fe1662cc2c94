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
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, get_type_hints

import tomlkit
import tomlkit.exceptions

from rkbench.boards.model import VIRTUAL_HOST, Board
from rkbench.boards.virtual.provider import run_virtual
from rkbench.decoding.tables import typed_values, unknown
from rkbench.errors import InventoryError

FILE_NAME = "bench.toml"
ENVIRONMENT_VARIABLE = "RKBENCH_INVENTORY"
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


class InventoryBoards:
    """The boards of the inventory at `path`, read when first asked."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _boards(self) -> tuple[Board, ...]:
        return load_inventory(self._path).boards

    def names(self) -> tuple[str, ...]:
        """Return their names; raises InventoryError."""
        return tuple(board.name for board in self._boards)

    def find(self, word: str) -> tuple[Board, ...]:
        """Return the board of that name, else those of that SoC or tag; raises InventoryError."""
        named = tuple(board for board in self._boards if board.name == word)
        return named or tuple(board for board in self._boards if word == board.soc or word in board.tags)

    def hold(self, name: str) -> AbstractContextManager[Board]:
        """Yield the board: it is there without us, unless it is a virtual one."""
        board = self.find(name)[0]
        return run_virtual(board) if board.simulated else nullcontext(board)


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
        raise no_board(name, inventory.boards, path)
    document = _read(path)
    del document["boards"][name]
    _write(path, document)
    return found[0]


def _board(path: Path, name: str, entry: Any) -> Board:
    place = f"{path}: board {name!r}"
    values = typed_values(entry, {key: _types()[key] for key in KEYS}, place, InventoryError)
    if "host" not in values:
        raise InventoryError(f"{place} has no host", hint='host = "192.168.1.20"')
    if values["host"] == VIRTUAL_HOST:
        values.update(simulated=True, runtime="virtual")
    return Board(name=name, known_hosts_files=(known_hosts_of(path),), **values)


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(Board)


def no_board(name: str, boards: Sequence[Board], path: Path) -> InventoryError:
    """Return the error that there is no board `name`, with what `boards` have that is near to it."""
    names = [board.name for board in boards]
    words = {word for board in boards for word in (board.name, *board.tags, board.soc or "") if word}
    close = difflib.get_close_matches(name, sorted(words | {VIRTUAL_HOST}), 3)
    known = f"{path} has: {', '.join(names)}" if names else f"{path} has no boards yet"
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
