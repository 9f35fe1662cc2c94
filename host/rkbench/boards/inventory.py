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
import logging
import shlex
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, get_type_hints

import tomlkit
import tomlkit.exceptions
from rkbench_agent.wire.words import RUNTIMES

from rkbench.boards.address import PORTS, is_word
from rkbench.boards.beside import KNOWN_HOSTS
from rkbench.boards.finding import users_inventory
from rkbench.boards.model import VIRTUAL_HOST, Board
from rkbench.boards.virtual.provider import is_virtual, run_virtual
from rkbench.decoding.tables import typed_values, unknown
from rkbench.decoding.toml import line_of, read_toml
from rkbench.errors import InventoryError, NoBoardError
from rkbench.files import write_whole

#: Programs write inventories too: some fifty thousand boards.
LIMIT_BYTES = 8_000_000
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
    "power_cycle",
    "before_hold",
    "after_hold",
    "hook_limit_s",
    "boot_limit_s",
    "proxy_jump",
)
_log = logging.getLogger("rkbench.inventory")


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
    return path.with_name(KNOWN_HOSTS)


def load_inventory(path: Path) -> Inventory:
    """Read `path`; an inventory that is not there is empty. Raises InventoryError."""
    text, document = _read_values(path)
    for key in document:
        if key not in SECTIONS:
            raise unknown(f"{path}: section", key, SECTIONS, InventoryError)
    table = document.get("boards", {})
    if not isinstance(table, dict):
        raise InventoryError(f"{path}: `boards` must be a table: [boards.NAME]")
    return Inventory(path, tuple(_board(path, text, name, entry) for name, entry in table.items()))


class InventoryBoards:
    """The boards of the inventory at `path`, read when first asked."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _named(self) -> dict[str, Board]:
        return {board.name: board for board in load_inventory(self._path).boards}

    def names(self) -> tuple[str, ...]:
        """Return their names; raises InventoryError."""
        return tuple(self._named)

    def find(self, word: str) -> tuple[Board, ...]:
        """Return the board of that name, else those of that SoC or tag; raises InventoryError."""
        if word in self._named:
            return (self._named[word],)
        return tuple(board for board in self._named.values() if board.is_of(word))

    def hold(self, name: str) -> AbstractContextManager[Board]:
        """Yield the board: it is there without us, unless it is a virtual one."""
        board = self.find(name)[0]
        return run_virtual(board) if board.simulated else nullcontext(board)


def add_board(path: Path, board: Board) -> None:
    """Write `board` into the inventory, over one of the same name; what is as it was stays as written."""
    known = next((found for found in load_inventory(path).boards if found.name == board.name), None)
    document = _read(path)
    boards = document.setdefault("boards", tomlkit.table(is_super_table=True))
    if known is None:
        boards[board.name] = tomlkit.table()
    entry = boards[board.name]
    default = Board(name=board.name, host=board.host)
    for key in KEYS:
        value = getattr(board, key)
        if known is not None and value == getattr(known, key):
            continue
        if value != getattr(default, key) or key == "host":
            entry[key] = [str(item) for item in value] if isinstance(value, tuple) else _plain(value)
        elif key in entry:
            del entry[key]
    _write(path, document)


def remove_board(path: Path, name: str) -> Board:
    """Take the board `name` out of the inventory and return it; raises InventoryError."""
    inventory = load_inventory(path)
    found = [board for board in inventory.boards if board.name == name]
    if not found:
        raise no_board(name, inventory.boards, path)
    document = _read(path)
    kept = _comment_of_next(tomlkit.dumps(document["boards"][name]))
    rest = _without(document, name, kept)
    _write(path, rest)
    return found[0]


def _comment_of_next(text: str) -> str:
    """Return the comment lines at the end of a table: they stand above the next one, and are of it."""
    lines = text.splitlines(keepends=True)
    start = len(lines)
    while start and (not lines[start - 1].strip() or lines[start - 1].lstrip().startswith("#")):
        start -= 1
    return "".join(lines[start:])


def _without(document: tomlkit.TOMLDocument, name: str, kept: str) -> tomlkit.TOMLDocument:
    """Return the document without a board, and `kept` where the board ended, if that can be done safely."""
    whole, ends = tomlkit.dumps(document), tomlkit.dumps(document["boards"][name])
    place = whole.find(ends)
    del document["boards"][name]
    head = whole.rfind("\n[", 0, place + 1) + 1
    if not kept.strip() or place < 0 or not ends.strip():
        return document
    edited = tomlkit.parse(whole[:head] + kept.lstrip("\n") + whole[place + len(ends) :])
    return edited if edited.unwrap() == document.unwrap() else document


def _board(path: Path, text: str, name: str, entry: Any) -> Board:
    try:
        return _board_of(path, name, entry)
    except InventoryError as error:
        line = line_of(text, "boards", name)
        place = f"mend it in line {line} or below" if line else "mend it there"
        raise InventoryError(error.message, hint=f"{error.hint}\n{place}".lstrip()) from error


def _board_of(path: Path, name: str, entry: Any) -> Board:
    place = f"{path}: board {name!r}"
    values = typed_values(entry, {key: _types()[key] for key in KEYS}, place, InventoryError)
    if "host" not in values:
        raise InventoryError(f"{place} has no host", hint='host = "192.168.1.20"')
    if values["host"] == VIRTUAL_HOST:
        values.update(simulated=True, runtime="virtual")
    if "behaviour" in values:  # it lies beside the inventory, wherever the command is typed
        values["behaviour"] = path.parent / values["behaviour"].expanduser()
    board = Board(name=name, known_hosts_files=(known_hosts_of(path),), **values)
    for key, problem in board_problems(board):
        raise InventoryError(f"{place}: {key} {problem}")
    return board


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(Board)


def board_problems(board: Board) -> Iterator[tuple[str, str]]:
    """Yield what no board can have: the key, and what is wrong with it."""
    if is_virtual(board.name):
        yield "its name", f"always means the virtual board that {board.name} is without any inventory"
    texts = {"its name": board.name, "tags": "".join(board.tags)}
    texts |= {key: value for key in KEYS if isinstance(value := getattr(board, key), str)}
    for key, text in texts.items():
        if not text.isprintable():
            yield key, f"has a control character: {text!r}"
    for key, word in (("host", board.host), ("user", board.user), ("proxy_jump", board.proxy_jump or None)):
        if word is not None and not is_word(word):
            yield key, f"{word!r} is not one word of letters, digits and signs"
    for key, port in (("port", board.port), ("exporter_port", board.exporter_port)):
        if port is not None and port not in PORTS:
            yield key, f"{port} is no port: 1 to 65535"
    for key in ("power_cycle", "before_hold", "after_hold"):
        words = getattr(board, key)
        if words and not words[0]:
            yield key, 'begins with no program: ["/usr/bin/uhubctl", "-a", "on"]'
        if not all(word.isprintable() for word in words):
            yield key, f"has a control character: {' '.join(words)!r}"
    if not 0 < board.hook_limit_s < float("inf"):
        yield "hook_limit_s", f"{board.hook_limit_s:g} is no time: seconds above 0"
    if not 0 <= board.boot_limit_s < float("inf"):
        yield "boot_limit_s", f"{board.boot_limit_s:g} is no time: seconds, 0 or more"
    if board.runtime not in RUNTIMES:
        yield "runtime", f"{board.runtime!r} is none of {', '.join(RUNTIMES)}"
    try:
        shlex.split(board.become)
    except ValueError as error:
        yield "become", f"{board.become!r} is no command: {str(error).lower()}"
    if str(board.home or "").startswith("~"):
        yield "home", f"{str(board.home)!r} is the home of no user of this computer"


def no_board(name: str, boards: Sequence[Board], path: Path) -> NoBoardError:
    """Return the error that there is no board `name`, with what `boards` have that is near to it."""
    names = [board.name for board in boards]
    words = {word for board in boards for word in (board.name, *board.tags, board.soc or "") if word}
    close = difflib.get_close_matches(name, sorted((words | {VIRTUAL_HOST}) - {name}), 3)
    known = f"{path} has: {', '.join(names)}" if names else f"{path} has no boards yet"
    meant = f"did you mean {' or '.join(close)}?\n" if close else ""
    if grouped := [board.name for board in boards if board.is_of(name)]:
        meant = f"{name} is a tag or SoC, of {', '.join(grouped)}: name the board\n"
    known += _hidden(name, path)
    return NoBoardError(
        f"no board {name!r}",
        hint=f"{meant}{known}\nadd it: bench boards add NAME USER@HOST; without a board: --board virtual",
    )


def _hidden(name: str, path: Path) -> str:
    """Return in words that the user's own inventory, which `path` hides, has the board; "" if not."""
    own = users_inventory()
    try:
        has = own != path and any(name in (b.name, b.soc, *b.tags) for b in load_inventory(own).boards)
    except InventoryError:
        return ""  # it is not what was asked for, and what is wrong with it is no answer here
    return f"\n{own} has it, which that file hides: --inventory {own}" if has else ""


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _read_values(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the text and what it says; nothing where there is no file."""
    try:
        hint = "mend it there, or name another: --inventory FILE"
        return read_toml(path, InventoryError, hint=hint, limit_bytes=LIMIT_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return "", {}


def _read(path: Path) -> tomlkit.TOMLDocument:
    """Return the document with its comments, to be edited; raises InventoryError."""
    _read_values(path)  # whose complaints have their line
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return tomlkit.document()
    except (tomlkit.exceptions.TOMLKitError, RecursionError) as error:
        raise InventoryError(f"{path} cannot be edited: {error}", hint="edit it by hand") from error


def _write(path: Path, document: tomlkit.TOMLDocument) -> None:
    try:
        write_whole(path, tomlkit.dumps(document))
    except OSError as error:
        raise InventoryError(
            f"{path} cannot be written: {error.strerror}", hint="make room, or name another: --inventory FILE"
        ) from error
