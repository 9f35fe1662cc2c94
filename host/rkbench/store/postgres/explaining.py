"""What a server's errors mean, as StoreErrors with cause and next step; no password is ever part of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from rkbench.errors import StoreError, StoreUnavailableError

_ELSEWHERE = "or choose another place: --store"
#: By the code of the SQL standard and PostgreSQL, or its first two characters.
_BY_STATE = {
    "42501": "this role may not do that: rkbench_writer adds rows, rkbench_owner alone removes them"
    " (deploy/postgresql/roles.sql)",
    "25006": "the server only reads now (a standby?): name the one that writes",
    "53100": f"the server's disk is full: make room there (bench store prune), {_ELSEWHERE}",
    "53": f"the server is at its limits: see its log, {_ELSEWHERE}",
    "55P03": "another host is writing for long: wait, and look at pg_stat_activity",
    "57014": "the server gave the query up: see its statement_timeout and its log",
    "57": f"the server is being stopped or started: try again, {_ELSEWHERE}",
    "58": "the server cannot read or write its files: see its log",
    "42P01": "that database is no result store of rkbench (yet): bench store migrate",
    "42703": "its tables are of another version: bench store migrate",
    "28": "check the role and its password: ~/.pgpass, $PGPASSWORD or ?passfile= (docs/postgresql.md)",
    "3D000": "make the database first: createdb -O OWNER NAME (docs/postgresql.md)",
}
#: A server tells no code of a connection that it refuses: by what it says in English.
_BY_WORDS = (
    ("password authentication failed", "28"),
    ("no password supplied", "28"),
    ("no pg_hba.conf entry", "28"),
    ("role", "28"),
    ("starting up", "57"),
    ("shutting down", "57"),
    ("recovery mode", "57"),
)
_NO_DATABASE = 'database "'
_TLS = ("certificate", "SSL", "TLS", "sslmode")
_PLAIN = "nobody is let in from here without TLS (?sslmode=verify-full), or at all: see its pg_hba.conf"
_NO_STORE = (
    "no store is there yet, and this role may not make one: bench store migrate --store URL, as the owner"
    " of the database (deploy/postgresql/roles.sql)"
)
_UNREACHABLE = (
    "is it running, and reachable from here? what it was told: its host, port and sslmode in the URL"
)
_SILENT = f"the server, or the way to it, has stalled: look at its load and log, {_ELSEWHERE}"


@contextmanager
def explained(address: str) -> Iterator[None]:
    """Turn what SQLAlchemy and psycopg raise into a StoreError that names the store and the next step."""
    try:
        yield
    except DBAPIError as error:
        raise _error(address, error.orig or error) from error
    except psycopg.Error as error:
        raise _error(address, error) from error
    except SQLAlchemyError as error:
        raise StoreUnavailableError(f"result store {address}: {error}", hint=_UNREACHABLE) from error


def _error(address: str, error: BaseException) -> StoreError:
    text = _first_line(str(error))
    state = getattr(error, "sqlstate", None) or ""
    message = f"result store {address}: {text}"
    if state.startswith("23"):
        return StoreError(
            message, hint="it is there already, or what it belongs to is not: bench store check"
        )
    return StoreUnavailableError(message, hint=_hint(state, text))


def _first_line(text: str) -> str:
    """Return what was said first; a refused connection is told once for every address of a host."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if "FATAL" in line or "failed:" in line] or lines
    return (
        told[0].removeprefix("connection failed: ").removeprefix("connection is bad: ")
        if told
        else "no reason was told"
    )


def _hint(state: str, text: str) -> str:
    if "no encryption" in text:
        return _PLAIN
    if "denied for schema" in text:
        return _NO_STORE
    state = state or next((code for words, code in _BY_WORDS if words in text), "")
    if not state and _NO_DATABASE in text and "does not exist" in text:
        state = "3D000"
    if hint := _BY_STATE.get(state) or _BY_STATE.get(state[:2]):
        return hint
    if any(word in text for word in _TLS):
        return (
            "check sslmode and sslrootcert in the URL against the server's certificate (docs/postgresql.md)"
        )
    return _SILENT if "silent" in text or "timeout" in text else _UNREACHABLE
