"""The stores that the contract is held against: an address of each kind, not yet opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from rkbench.store.opening import STORES


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL for all tests of this process, which keep their databases apart."""
    running = PostgresServer()
    yield running
    running.close()


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a store that is not there yet. A new store takes part by a line here."""
    monkeypatch.setitem(STORES, "memory", "memory_store")
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("server")
        return server.url(server.database())
    kinds = {"sqlite": str(tmp_path / "folder" / "results.sqlite"), "memory": f"memory://{tmp_path}"}
    return kinds[request.param]


@pytest.fixture
def other(address: str, request: pytest.FixtureRequest) -> str:
    """The address of another store of the same kind."""
    if address.startswith("postgresql"):
        server: PostgresServer = request.getfixturevalue("server")
        return server.url(server.database())
    return f"{address}.other"
