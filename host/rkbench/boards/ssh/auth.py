"""Proving to a board who we are: key files and the SSH agent, and a password only when typed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

from rkbench.boards.ssh.config import Destination
from rkbench.errors import AuthenticationError

#: Asks the user for a secret and returns it.
Ask = Callable[[str], str]


def authenticate(
    transport: paramiko.Transport, destination: Destination, board: str, ask: Ask | None
) -> None:
    """Log in with the first key that the board accepts; raises AuthenticationError.

    `ask` types in passphrases and, when no key was accepted, the password; None where nobody can.
    """
    tried: list[str] = []
    for name, key in _keys(destination, ask, tried):
        try:
            if not transport.auth_publickey(destination.user, key):
                return
        except paramiko.BadAuthenticationType as error:
            tried.append(f"the board takes {', '.join(error.allowed_types)} only")
            break
        except paramiko.AuthenticationException:
            tried.append(f"{name} refused")
        except (paramiko.SSHException, EOFError) as error:
            tried.append(f"{name}: {error or 'connection closed'}")
            break
    if ask is not None and transport.is_active() and _password(transport, destination, ask):
        return
    raise AuthenticationError(
        f"board {board!r}: {destination.user}@{destination.host}:{destination.port} accepted no key "
        f"({'; '.join(tried) or 'no key found'})",
        hint="install your key there: "
        f"ssh-copy-id -p {destination.port} {destination.user}@{destination.host}\n"
        "is the user right? another key: identity_files in bench.toml or IdentityFile in ~/.ssh/config",
    )


def _keys(destination: Destination, ask: Ask | None, tried: list[str]) -> Iterator[tuple[str, paramiko.PKey]]:
    """Yield the keys to try, files first; what is wrong with one is added to `tried`."""
    for path in destination.identity_files:
        if not path.is_file():
            continue
        try:
            yield str(path), _load(path, ask)
        except (paramiko.SSHException, ValueError, TypeError, OSError) as error:
            tried.append(f"{path}: {error}")
        except UnknownKeyType as error:
            tried.append(f"{path}: no key type that is supported ({error.key_type})")
    if destination.use_agent:
        agent = paramiko.Agent()
        try:
            for key in agent.get_keys():
                yield f"agent key {key.comment or key.get_name()}", key
        finally:
            agent.close()


def _load(path: Path, ask: Ask | None) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except (paramiko.PasswordRequiredException, TypeError) as error:
        if ask is None:
            raise paramiko.PasswordRequiredException("needs a passphrase (ssh-add it)") from error
        secret = ask(f"passphrase of {path}: ").encode()
        return paramiko.PKey.from_path(path, secret)  # type: ignore[arg-type]  # the stub says str: wrong


def _password(transport: paramiko.Transport, destination: Destination, ask: Ask) -> bool:
    secret = ask(f"password of {destination.user}@{destination.host}: ")
    if not secret:
        return False
    try:
        transport.auth_password(destination.user, secret)
    except (paramiko.SSHException, EOFError):
        return False
    return transport.is_authenticated()
