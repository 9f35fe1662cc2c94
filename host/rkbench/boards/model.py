"""A board as the host knows it before it has talked to it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from rkbench_agent.wire.words import DEFAULT_CACHE, DEFAULT_EXPORTER_PORT

#: What stands in place of a host name for a virtual board.
VIRTUAL_HOST = "virtual"


@dataclass(frozen=True)
class Board:
    """One board: how to reach it and what to use there.

    `port` and `user` are None where ssh_config, or else the usual default, decides. `become` is put
    before every command (`sudo -n`). `cache_dir` is a path on the board; `~` is the home there.
    `known_hosts_files` are read besides OpenSSH's own. `behaviour` is a file for the virtual runtime,
    `home` the folder that a virtual board's user lives in (None: a temporary one). `power_cycle` is a command
    of this computer that switches the board off and on; `before_hold` and `after_hold` are commands before
    the first and after the last use, of `hook_limit_s` at most each; after the former SSH may take
    `boot_limit_s` to answer. `proxy_jump` is a host to go through, as ssh_config has it.
    """

    name: str
    host: str
    port: int | None = None
    user: str | None = None
    soc: str | None = None
    tags: tuple[str, ...] = ()
    python: str = "python3"
    become: str = ""
    cache_dir: str = DEFAULT_CACHE
    cache_limit_bytes: int = 4_000_000_000
    runtime: str = "lite"
    identity_files: tuple[Path, ...] = ()
    known_hosts_files: tuple[Path, ...] = ()
    simulated: bool = False
    behaviour: Path | None = None
    home: Path | None = None
    exporter_port: int = DEFAULT_EXPORTER_PORT
    power_cycle: tuple[str, ...] = ()
    before_hold: tuple[str, ...] = ()
    after_hold: tuple[str, ...] = ()
    hook_limit_s: float = 60.0
    boot_limit_s: float = 0.0
    proxy_jump: str = ""

    @property
    def address(self) -> str:
        """`user@host:port` as far as known, for messages."""
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"{user}{self.host}{port}"

    def is_of(self, word: str) -> bool:
        """Return whether `word` is the SoC of the board, or one of its tags."""
        return word.lower() == (self.soc or "").lower() or word in self.tags

    def to_json(self) -> dict[str, object]:
        """Return what the inventory says of the board, as JSON values."""
        plain: dict[str, object] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                value = [str(item) for item in value]
            plain[field.name] = str(value) if isinstance(value, Path) else value
        return plain
