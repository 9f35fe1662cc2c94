"""Where a connection really goes: the board's own fields over ~/.ssh/config over the defaults."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
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


def _port(board: Board, port: str | int) -> int:
    """Return the port as a number; raises ConnectError for what ssh_config has that is none."""
    if str(port).isascii() and str(port).isdigit() and len(str(port)) < 6 and int(port) in PORTS:
        return int(port)
    raise ConnectError(
        f"board {board.name!r}: ssh_config has Port {str(port)!r} for {board.host}, which is no port",
        hint=f"1 to 65535; ssh -G {board.host} checks the file",
    )


def _lookup(board: Board, files: tuple[Path, ...]) -> paramiko.SSHConfigDict:
    for word in (board.host, board.user):
        if word is not None and not is_word(word):  # a newline would begin an option of its own
            raise ConnectError(f"board {board.name!r}: {word!r} is no host and no user", hint="[user@]host")
    # First wins, as in OpenSSH: what the board names stands before what the files say.
    own = {"Port": board.port, "User": board.user}
    lines = [f"  {name} {value}" for name, value in own.items() if value is not None]
    config = paramiko.SSHConfig.from_text("\n".join(["Host *", *lines]) + "\n")
    for file in files:
        path = file.expanduser()
        if not path.is_file():
            continue
        try:
            with path.open() as stream:
                config.parse(stream)
        except (paramiko.ConfigParseError, OSError, UnicodeDecodeError) as error:
            raise ConnectError(
                f"{path} cannot be read: {error}", hint="ssh -G HOST checks the file"
            ) from error
    try:
        return config.lookup(board.host)
    except (paramiko.SSHException, ImportError) as error:
        raise ConnectError(
            f"board {board.name!r}: ssh_config has something for {board.host} that is not supported: {error}",
            hint="name host, port and user in bench.toml instead",
        ) from error
