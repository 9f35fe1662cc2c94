"""Proving to a board who we are: key files and the SSH agent, and a password only when typed in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

from rkbench.boards.ssh.config import Destination
from rkbench.boards.ssh.failures import os_errors
from rkbench.errors import AuthenticationError, ConnectError

#: Asks the user for a secret and returns it.
Ask = Callable[[str], str]


def authenticate(
    transport: paramiko.Transport, destination: Destination, board: str, ask: Ask | None, limit_s: float
) -> None:
    """Log in with the first key that the board accepts; each answer is waited for `limit_s`.

    Raises AuthenticationError, or ConnectError where the link stalled or broke off before an answer came.
    `ask` types in passphrases and, when no key was accepted, the password; None where nobody can.
    """
    tried: list[str] = []
    for name, key in _keys(destination, ask, tried):
        try:
            why = _offer(transport, destination.user, key, limit_s)
        except OSError as error:
            raise _broken(board, destination, error) from error
        if why is None:
            return
        if isinstance(why, paramiko.BadAuthenticationType):
            tried.append(f"the board takes {', '.join(why.allowed_types)} only")
            break
        tried.append(f"{name} refused")
        if not transport.is_active():
            break  # a server takes so many keys and no more
    if ask is not None and transport.is_active() and _password(transport, destination, ask):
        return
    raise AuthenticationError(
        f"board {board!r}: {destination.user}@{destination.host}:{destination.port} accepted no key "
        f"({'; '.join(tried) or 'no key found'})",
        hint="install your key there: "
        f"ssh-copy-id -p {destination.port} {destination.user}@{destination.host}\n"
        "is the user right? another key: identity_files in bench.toml or IdentityFile in ~/.ssh/config",
    )


def _offer(transport: paramiko.Transport, user: str, key: paramiko.PKey, limit_s: float) -> Exception | None:
    """Offer a key; returns None where it logs in, else how it was refused.

    A server that says goodbye has refused it as well: no error ended the line then.

    Raises TimeoutError, and OSError where the line is gone.
    """
    answered = threading.Event()
    with os_errors():
        transport.auth_publickey(user, key, answered)
        if not answered.wait(limit_s):
            raise TimeoutError
        if transport.is_authenticated():
            return None
        why = transport.get_exception() or paramiko.AuthenticationException("it ended the login")
        if isinstance(why, paramiko.AuthenticationException):
            return why
        raise why


def _broken(board: str, destination: Destination, error: OSError) -> ConnectError:
    place = f"{destination.host}:{destination.port}"
    what = "stalled" if isinstance(error, TimeoutError) else f"broke off ({error})"
    return ConnectError(
        f"board {board!r}: the link to {place} {what} while logging in",
        hint="nothing is wrong with the key; check board, cable and network, then try again",
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
