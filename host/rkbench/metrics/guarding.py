"""Who may ask `bench serve`: basic auth against hashes of bcrypt, and headers that every answer has."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rkbench_web.server import Application, answer

from rkbench.metrics.web_config import WebConfig

#: So many right passwords are remembered, as digests: a hash takes some 60 ms, and Prometheus asks often.
MOST_KNOWN = 100
#: So many wait for their password to be looked at; a flood of wrong ones takes no seat from who is known.
MOST_WAITING = 8
#: bcrypt reads no more of a password; the package refuses longer ones, Go's and htpasswd's cut them.
_PASSWORD_BYTES = 72
_PLAIN = "text/plain; charset=utf-8"


class TooManyLoginsError(Exception):
    """More passwords are to be looked at than may wait."""


class Passwords:
    """Tells right passwords from wrong ones, one at a time, so that they take one core at most."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._seats = threading.BoundedSemaphore(MOST_WAITING)
        self._known: dict[bytes, None] = {}

    def admits(self, users: Mapping[str, str], header: str) -> bool:
        """Return whether an Authorization header names a user and the password; raises TooManyLoginsError.

        Of a name that nobody has, another user's hash is computed: who waits cannot tell which names exist.
        """
        given = _basic(header)
        if given is None:
            return False
        name, password = given
        hashed = users.get(name)
        if hashed is not None and self._digest(hashed, password) in self._known:
            return True
        if not self._seats.acquire(blocking=False):
            raise TooManyLoginsError
        try:
            with self._lock:
                return self._check(hashed, self._decoy(users, name), password)
        finally:
            self._seats.release()

    def _check(self, hashed: str | None, decoy: str, password: bytes) -> bool:
        import bcrypt

        is_right = bcrypt.checkpw(password[:_PASSWORD_BYTES], (hashed or decoy).encode())
        if hashed is None or not is_right:
            return False
        while len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[self._digest(hashed, password)] = None
        return True

    def _decoy(self, users: Mapping[str, str], name: str) -> str:
        """Return the hash of one of the users, the same for a name each time: costs may differ."""
        number = int.from_bytes(self._mac(name.encode("utf-8", "surrogatepass"))[:8], "big")
        return list(users.values())[number % len(users)]

    def _digest(self, hashed: str, password: bytes) -> bytes:
        return self._mac(hashed.encode() + b"\0" + password)

    def _mac(self, data: bytes) -> bytes:
        return hmac.new(self._secret, data, hashlib.sha256).digest()


def guarded(app: Application, config: Callable[[], WebConfig]) -> Application:
    """Return `app` as it answers those who may ask by what `config` yields, with its headers."""
    passwords = Passwords()

    def ask(environ: Any, start_response: Any) -> Iterable[bytes]:
        now = config()

        def start(status: str, headers: list[tuple[str, str]]) -> Any:
            return start_response(status, [*headers, *now.headers.items()])

        if now.users and environ.get("PATH_INFO") not in now.open_paths:
            try:
                is_known = passwords.admits(now.users, environ.get("HTTP_AUTHORIZATION", ""))
            except TooManyLoginsError:
                return answer(
                    start, "503 Service Unavailable", _PLAIN, b"too many logins at once; ask again\n"
                )
            if not is_known:
                return _refused(start)
        return app(environ, start)

    return ask


def _refused(start: Any) -> Iterable[bytes]:
    def challenging(status: str, headers: list[tuple[str, str]]) -> Any:
        return start(status, [*headers, ("WWW-Authenticate", 'Basic realm="rkbench", charset="UTF-8"')])

    return answer(challenging, "401 Unauthorized", _PLAIN, b"Unauthorized\n")


def _basic(header: str) -> tuple[str, bytes] | None:
    """Return name and password of an Authorization header; None where it has none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None
