"""The URL of a store on a server, for SQLAlchemy."""

from __future__ import annotations

from urllib.parse import unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from rkbench.errors import UsageError

#: The driver that rkbench uses, however the URL names it.
DRIVER = "postgresql+psycopg"


def server_url(address: str) -> URL:
    """Return the URL of an address; raises UsageError, which does not repeat what may hold a password."""
    try:
        url = make_url(address).set(drivername=DRIVER)
    except (ArgumentError, ValueError) as error:
        raise UsageError(
            "the address of the result store is no URL of PostgreSQL",
            hint="as postgresql+psycopg://rkbench@db.lab/rkbench?sslmode=verify-full (docs/postgresql.md)",
        ) from error
    if "@" in (url.host or ""):
        raise UsageError(
            "the address of the result store has several @ before its host",
            hint="write those of a password as %40; better, leave it to ~/.pgpass (docs/postgresql.md)",
        )
    # A socket's folder may stand as a host with its slashes encoded, as libpq reads it.
    return url.set(host=unquote(url.host)) if url.host else url
