"""Host keys: which are on record, and what it means when a board shows another one.

Read are OpenSSH's own files and the project's, which `bench boards add` writes. Nothing is ever
accepted or recorded by itself. A key on a line marked @revoked is refused, whatever other lines say.
Lines marked @cert-authority make nothing known: certificates of hosts are not supported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey
from paramiko.pkey import UnknownKeyType

from rkbench.errors import HostKeyError
from rkbench.files import write_whole

#: The public key by which a server is known.
HostKey = paramiko.PKey
_REVOKED = "@revoked"
SYSTEM_KNOWN_HOSTS = (Path("~/.ssh/known_hosts"), Path("/etc/ssh/ssh_known_hosts"))


@dataclass(frozen=True)
class RecordedKey:
    """A key on record for a host, and the file that says so; `revoked`: never to be believed again."""

    key: HostKey
    file: Path
    revoked: bool = False


def host_name(host: str, port: int) -> str:
    """Return the name under which known-hosts files list `host`."""
    return host if port == 22 else f"[{host}]:{port}"


def recorded_keys(host: str, port: int, files: Iterable[Path]) -> tuple[RecordedKey, ...]:
    """Return the keys that `files` have for the host; files that are not there are skipped.

    Raises HostKeyError where one cannot be read.
    """
    name = host_name(host, port)
    found = []
    for file in files:
        path = file.expanduser()
        try:
            lines = path.read_text(errors="replace").splitlines()
        except (FileNotFoundError, NotADirectoryError):  # the latter where HOME is /dev/null
            continue
        except OSError as error:
            raise HostKeyError(
                f"{path} cannot be read: {error.strerror}",
                hint=f"as you: ls -l {path}; ssh must read it, too",
            ) from error
        for line in map(str.strip, lines):
            revoked, key = line.startswith(_REVOKED), _key_for(name, host, line)
            if key is not None:
                found.append(RecordedKey(key, path, revoked))
    return tuple(found)


def key_algorithms(recorded: Iterable[RecordedKey], offered: Iterable[str]) -> tuple[str, ...]:
    """Return those of the `offered` signature algorithms that fit a recorded key.

    Asking for these only keeps a server with several keys from showing one that is not on record.
    """
    recorded = tuple(recorded)
    valid = [entry for entry in recorded if not entry.revoked] or recorded
    types = {entry.key.get_name() for entry in valid}
    return tuple(name for name in offered if ("ssh-rsa" if name.startswith("rsa-sha2") else name) in types)


def check_host_key(
    key: HostKey, recorded: tuple[RecordedKey, ...], *, board: str, address: str, host: str, port: int
) -> None:
    """Raise HostKeyError unless `key` is on record, and nowhere revoked."""
    known = [entry for entry in recorded if entry.key.asbytes() == key.asbytes()]
    revoked = next((entry for entry in known if entry.revoked), None)
    if revoked is not None:
        raise HostKeyError(
            f"board {board!r}: {host}:{port} shows a host key that {revoked.file} marks @revoked "
            f"({_described(key)})",
            hint="somebody may have that key: make a new one (ssh-keygen -A there) and add it again",
        )
    if known:
        return
    recorded = tuple(entry for entry in recorded if not entry.revoked)
    if not recorded:
        raise HostKeyError(
            f"board {board!r}: the host key of {host}:{port} is unknown ({_described(key)})",
            hint=f"compare the fingerprint with the board's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub "
            f"there), then: bench boards add {_new_name(board)} {address}",
        )
    entry = next((item for item in recorded if item.key.get_name() == key.get_name()), recorded[0])
    raise HostKeyError(
        f"board {board!r}: the host key of {host}:{port} has CHANGED: it shows {_described(key)}, "
        f"on record in {entry.file} is {_described(entry.key)}",
        hint="if the board was set up anew, remove the old key and add the board again:\n"
        f"ssh-keygen -R '{host_name(host, port)}' -f {entry.file}\n"
        f"bench boards add {_new_name(board)} {address}\n"
        "if not, somebody may be answering in its place: do not go on",
    )


def record_host_key(file: Path, host: str, port: int, key: HostKey) -> None:
    """Put `key` on record in `file` in place of what it had for the host; other lines stay as they are."""
    name = host_name(host, port)
    lines = file.read_text().splitlines() if file.exists() else []
    lines = [line for line in lines if line.split(" ")[0] != name]
    lines.append(f"{name} {key.get_name()} {key.get_base64()}")
    _write(file, lines)


def forget_host_key(file: Path, host: str, port: int) -> None:
    """Remove what `file` has on record for the host."""
    if not file.exists():
        return
    name = host_name(host, port)
    lines = [line for line in file.read_text().splitlines() if line.split(" ")[0] != name]
    _write(file, lines)


def _write(file: Path, lines: Sequence[str]) -> None:
    try:
        write_whole(file, "".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise HostKeyError(
            f"{file} cannot be written: {error.strerror}", hint="make room, or mend its rights"
        ) from error


def _key_for(name: str, host: str, line: str) -> HostKey | None:
    """Return the key of a known-hosts line if it is for `name`; a line that is damaged is for nobody.

    (paramiko.HostKeys.load raises on some damaged lines, and hides all but one key of a type.) What is
    revoked is so for `host` at any port, by patterns too, which paramiko does not read.
    """
    revoked = line.startswith(_REVOKED)
    line = line[len(_REVOKED) :].lstrip() if revoked else line
    if not line or line[0] in "#@":
        return None
    try:
        entry = HostKeyEntry.from_line(line)
    except (paramiko.SSHException, InvalidHostKey, UnknownKeyType, ValueError):
        return None
    if entry is None or entry.hostnames is None or entry.key is None:
        return None
    known = paramiko.HostKeys()
    for listed in entry.hostnames:
        known.add(listed, entry.key.get_name(), entry.key)
    if revoked and any(_fits(listed, asked) for asked in (host, name) for listed in entry.hostnames):
        return entry.key
    names = (name, host) if revoked else (name,)
    return entry.key if any(known.check(asked, entry.key) for asked in names) else None


def _fits(pattern: str, name: str) -> bool:
    """Return whether a pattern of OpenSSH (`*` and `?`) means `name`; what is excepted (`!`) is not."""
    wild = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wild, name, re.IGNORECASE) is not None


def _described(key: HostKey) -> str:
    return f"{key.get_name()} {key.fingerprint}"


def _new_name(board: str) -> str:
    return board if board.replace("-", "").replace("_", "").isalnum() else "NAME"
