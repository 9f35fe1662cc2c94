"""Where a connection really goes: the board's own fields over ~/.ssh/config over the defaults."""

from __future__ import annotations

import getpass
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import paramiko

from rkbench.boards.address import PORTS, is_word
from rkbench.boards.model import Board
from rkbench.errors import ConnectError

SSH_CONFIG_FILES = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))
DEFAULT_KEYS = tuple(Path(f"~/.ssh/id_{kind}") for kind in ("ed25519", "ecdsa", "rsa"))


@dataclass(frozen=True)
class Destination:
    """The end of one SSH connection. `key_name` is what known-hosts files are asked for."""

    host: str
    port: int
    user: str
    key_name: str
    identity_files: tuple[Path, ...]
    use_agent: bool
    jumps: tuple[str, ...]
    proxy_command: str | None
    known_hosts_files: tuple[Path, ...]


def resolve_destination(board: Board, config_files: tuple[Path, ...] = SSH_CONFIG_FILES) -> Destination:
    """Return the destination of `board`; raises ConnectError where an ssh_config cannot be read."""
    options = {} if board.simulated else _lookup(board, config_files)
    host = str(options.get("hostname", board.host))
    named = tuple(Path(name).expanduser() for name in options.get("identityfile", []))
    keys = board.identity_files + named or DEFAULT_KEYS
    jump = options.get("proxyjump", "none")
    command = options.get("proxycommand", "none")
    return Destination(
        host=host,
        port=_port(board, options.get("port", board.port or 22)),
        user=options.get("user") or board.user or getpass.getuser(),
        key_name=options.get("hostkeyalias", host),
        identity_files=tuple(path.expanduser() for path in keys),
        use_agent=not board.simulated and str(options.get("identitiesonly", "no")).lower() != "yes",
        jumps=() if jump == "none" else tuple(part.strip() for part in jump.split(",")),
        proxy_command=None if command in (None, "none") else command,
        known_hosts_files=board.known_hosts_files
        + tuple(Path(name) for name in options.get("userknownhostsfile", "").split()),
    )


def host_of(board: Board, config_files: tuple[Path, ...] = SSH_CONFIG_FILES) -> str:
    """Return the host of `board` as its destination has it; raises ConnectError."""
    options = {} if board.simulated else _lookup(board, config_files)
    _port(board, options.get("port", board.port or 22))  # a file that says nonsense is told
    return str(options.get("hostname", board.host))


def _port(board: Board, port: str | int) -> int:
    """Return the port as a number; raises ConnectError for what ssh_config has that is none."""
    if str(port).isascii() and str(port).isdigit() and len(str(port)) < 6 and int(port) in PORTS:
        return int(port)
    raise ConnectError(
        f"board {board.name!r}: ssh_config has Port {str(port)!r} for {board.host}, which is no port",
        hint=f"1 to 65535; ssh -G {board.host} checks the file",
    )


def _lookup(board: Board, files: tuple[Path, ...]) -> paramiko.SSHConfigDict:
    for word in (board.host, board.user, board.proxy_jump or None):
        if word is not None and not is_word(word):  # a newline would begin an option of its own
            raise ConnectError(f"board {board.name!r}: {word!r} is no host and no user", hint="[user@]host")
    own = {"Port": board.port, "User": board.user, "ProxyJump": board.proxy_jump or None}
    lines = tuple(f"  {name} {value}" for name, value in own.items() if value is not None)
    config = _parsed(lines, tuple(map(_state, files)))
    try:
        return config.lookup(board.host)
    except (paramiko.SSHException, ImportError) as error:
        raise ConnectError(
            f"board {board.name!r}: ssh_config has something for {board.host} that is not supported: {error}",
            hint="name host, port and user in bench.toml instead",
        ) from error


@lru_cache(maxsize=16)
def _parsed(lines: tuple[str, ...], files: tuple[_State | None, ...]) -> paramiko.SSHConfig:
    """Return what the files say, below the lines of a board's own; `files` say when they were changed.

    Many boards have the same lines, as none; a lookup changes nothing.
    """
    # First wins, as in OpenSSH: what the board names stands before what the files say.
    config = paramiko.SSHConfig.from_text("\n".join(["Host *", *lines]) + "\n")
    for path in (file.path for file in files if file is not None):
        try:
            with path.open() as stream:
                config.parse(stream)
        except (paramiko.ConfigParseError, OSError, UnicodeDecodeError) as error:
            raise ConnectError(
                f"{path} cannot be read: {error}", hint="ssh -G HOST checks the file"
            ) from error
    return config


@dataclass(frozen=True)
class _State:
    """A file, and what tells whether it is another by now."""

    path: Path
    changed_ns: int
    size_bytes: int
    inode: int


def _state(file: Path) -> _State | None:
    path = file.expanduser()
    try:
        found = path.stat()
    except OSError:
        return None
    regular = stat.S_ISREG(found.st_mode)
    return _State(path, found.st_mtime_ns, found.st_size, found.st_ino) if regular else None
