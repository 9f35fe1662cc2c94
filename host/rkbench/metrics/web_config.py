"""`--web-config`: TLS, who may ask, and headers, in the words of Prometheus's web configuration file."""

from __future__ import annotations

import logging
import re
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from rkbench.decoding.tables import Word, read_table, typed_values, unknown
from rkbench.decoding.yaml import read_yaml
from rkbench.errors import BenchError, UsageError
from rkbench.units import printable

EXTRA = "web"
#: Headers that may be set, and what they may say where that is not free.
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
#: Go's words for what is asked of a client's certificate; the two that would ask for one and not look at it
#: are not among them.
CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
#: TLS 1.0 and 1.1 are not offered: they are broken.
VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_BCRYPT = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}")
#: Each step doubles what a wrong password costs: 16 takes some four seconds.
HIGHEST_COST = 16
_log = logging.getLogger("rkbench.serve")


@dataclass(frozen=True)
class TlsConfig:
    """`tls_server_config`; paths are as they stand in the file."""

    cert_file: Path
    key_file: Path
    client_auth_type: Word = "NoClientCert"
    client_ca_file: Path | None = None
    min_version: Word = "TLS12"
    max_version: Word = "TLS13"


@dataclass(frozen=True)
class WebConfig:
    """What a web configuration file says: users with the bcrypt hashes of their passwords, headers."""

    tls: TlsConfig | None = None
    users: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    open_paths: frozenset[str] = frozenset()
    context: ssl.SSLContext | None = None


class WebConfigFile:
    """What the file at `path` says now: read again when it, a certificate or a key changes.

    Raises UsageError for what it says at first; a later edit that is wrong changes nothing, and is logged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._warned = ""
        self._config = read_web_config(path)
        self._signature = self._look()

    def now(self) -> WebConfig:
        """Return what holds now."""
        with self._lock:
            signature = self._look()
            if signature != self._signature:
                self._read()
            return self._config

    def _read(self) -> None:
        try:
            self._config = read_web_config(self._path)
        except BenchError as error:
            if error.message != self._warned:
                self._warned = error.message
                _log.warning("the web configuration stays as it was: %s", printable(error.message))
            return
        # Only now: what is wrong is read again with every request until it is mended.
        self._signature, self._warned = self._look(), ""
        _log.info("%s is in force", printable(str(self._path)))

    def _look(self) -> object:
        tls = self._config.tls
        files = (tls.cert_file, tls.key_file, tls.client_ca_file) if tls else ()
        return [_signature(path) for path in (self._path, *files) if path]


def read_web_config(path: Path) -> WebConfig:
    """Return what a web configuration file says, with TLS ready to be used; raises UsageError."""
    document = read_yaml(path, UsageError, extra=EXTRA)
    types: dict[str, Any] = {
        "tls_server_config": dict,
        "http_server_config": dict,
        "basic_auth_users": Any,
        "auth_excluded_paths": tuple[Word, ...],
    }
    found = typed_values({} if document is None else document, types, str(path), UsageError)
    tls = _tls(path, found["tls_server_config"]) if "tls_server_config" in found else None
    users = _users(f"{path}: basic_auth_users", found.get("basic_auth_users", {}))
    headers = _headers(f"{path}: http_server_config", found.get("http_server_config", {}))
    warn_of_readers(path if users else None, tls.key_file if tls else None)
    excluded = frozenset(found.get("auth_excluded_paths", ()))
    return WebConfig(
        tls, users, headers, excluded, _context(tls, f"{path}: tls_server_config") if tls else None
    )


def warn_of_readers(*paths: Path | None) -> None:
    """Log which of the files, keys and hashes of passwords, everybody on this computer can read."""
    for path in paths:
        try:
            is_open = path is not None and path.stat().st_mode & 0o004
        except OSError:
            continue  # who reads it says so
        if is_open:
            told = printable(str(path))
            _log.warning("%s can be read by everybody on this computer: chmod 640 %s", told, told)


def _tls(path: Path, table: dict[str, Any]) -> TlsConfig:
    """Return the TLS settings; files are looked for beside the configuration, as Prometheus does."""
    place = f"{path}: tls_server_config"
    typed_values(table, get_type_hints(TlsConfig, include_extras=True), place, UsageError)
    lacking = [name for name in ("cert_file", "key_file") if name not in table]
    if lacking:
        raise UsageError(f"{place}: {lacking[0]} is missing")
    read = read_table(TlsConfig, table, place, UsageError)
    choices = (("client_auth_type", CLIENT_AUTH), ("min_version", VERSIONS), ("max_version", VERSIONS))
    for name, known in choices:
        if getattr(read, name) not in known:
            raise unknown(f"{place}: {name}", getattr(read, name), known, UsageError)
    if list(VERSIONS).index(read.min_version) > list(VERSIONS).index(read.max_version):
        raise UsageError(f"{place}: min_version is above max_version")
    if (read.client_ca_file is None) != (read.client_auth_type == "NoClientCert"):
        raise UsageError(
            f"{place}: client_ca_file and client_auth_type need each other",
            hint="client_auth_type: RequireAndVerifyClientCert asks for what client_ca_file has signed",
        )
    ca_file = read.client_ca_file
    return TlsConfig(
        path.parent / read.cert_file,
        path.parent / read.key_file,
        read.client_auth_type,
        ca_file and path.parent / ca_file,
        read.min_version,
        read.max_version,
    )


def _context(tls: TlsConfig, place: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def no_passphrase() -> str:
        raise UsageError(f"{place}: {tls.key_file} is encrypted, and nobody is asked for its passphrase",
                         hint=f"openssl pkey -in {tls.key_file} -out key.pem")  # fmt: skip

    def load() -> None:
        context.minimum_version, context.maximum_version = (
            VERSIONS[tls.min_version],
            VERSIONS[tls.max_version],
        )
        context.load_cert_chain(tls.cert_file, tls.key_file, no_passphrase)
        context.verify_mode = CLIENT_AUTH[tls.client_auth_type]
        if tls.client_ca_file is not None:
            context.load_verify_locations(tls.client_ca_file)

    for path in (tls.cert_file, tls.key_file, tls.client_ca_file):
        if path is not None:
            _tried(path.read_bytes, f"{place}: {path} cannot be read")
    _tried(load, f"{place}: cert_file, key_file and client_ca_file do not make a server")
    return context


def _tried(act: Callable[[], object], what: str) -> None:
    try:
        act()
    except (OSError, ValueError) as error:  # ssl.SSLError is one; OpenSSL's words name what is wrong
        raise UsageError(f"{what}: {getattr(error, 'strerror', None) or error}") from error


def _users(place: str, table: Any) -> dict[str, str]:
    """Return the users with the hashes of their passwords, which no message repeats."""
    if not isinstance(table, dict):
        raise UsageError(f"{place} must be a table", hint="each user on a line of its own: NAME: HASH")
    for name, hashed in table.items():
        if not isinstance(name, str) or not name or ":" in name:
            raise UsageError(
                f"{place}: {name!r} is no name of a user", hint="a text without a colon, in quotes"
            )
        found = _BCRYPT.fullmatch(hashed) if isinstance(hashed, str) else None
        if found is None:
            hint = "htpasswd -nBC 10 '' asks for one and prints its hash behind a colon: $2y$10$..."
            raise UsageError(f"{place}: the password of {name!r} is no hash of bcrypt", hint=hint)
        if not 4 <= int(found[1]) <= HIGHEST_COST:
            raise UsageError(
                f"{place}: the hash of {name!r} has the cost {found[1]}; 4 to {HIGHEST_COST} are checked",
                hint="10 is usual: htpasswd -nBC 10 ''",
            )
    return table


def _headers(place: str, table: dict[Any, Any]) -> dict[str, str]:
    headers = typed_values(table, {"headers": dict}, place, UsageError).get("headers", {})
    read = typed_values(headers, dict.fromkeys(HEADERS, str), f"{place}: headers", UsageError)
    for name, value in read.items():
        allowed = HEADERS[name]
        if (allowed and value and value not in allowed) or not value.isascii() or not value.isprintable():
            told = " or ".join(allowed) or "one line of ASCII"
            raise UsageError(f"{place}: headers: {name} must be {told}, not {value!r}")
    return {name: value for name, value in read.items() if value}


def _signature(path: Path) -> object:
    try:
        status = path.stat()
    except OSError as error:
        return error.errno
    return (status.st_mtime_ns, status.st_size, status.st_ino)
