"""A night whose PostgreSQL is down when it begins: told at once, no board touched, done without and later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from night_lab import NightLab
from postgres_server import PostgresServer
from rkbench.store import open_store
from rkbench.store.postgres import database


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    running = PostgresServer()
    yield running
    running.close()


def test_a_night_that_begins_without_its_server_says_how_to_do_without(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rkbench.nightly.run.STORE_WAIT_S", 1.0)
    monkeypatch.setattr(database, "TOLD_FROM_S", 1.0)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    lab = NightLab(tmp_path)
    address = server.url(server.database())
    server.stop()
    night = ("nightly", lab.suite, "--store")
    away = lab.run(*night, address)
    assert away.returncode == 1, away.stdout
    assert caplog.text.count("does not answer: waiting for it, 1 s at most") == 1
    assert "is it running, and reachable from here?" in away.stderr
    assert f"bench store copy FILE '{address}'" in away.stderr
    assert f"bench nightly {lab.suite} --store FILE; and later, with the server" in away.stderr
    assert "left: " not in away.stderr  # nothing is told of a board

    assert lab.run(*night, lab.store).returncode == 1  # no baseline yet
    server.start()
    copied = lab.run("store", "copy", lab.store, address)
    assert copied.returncode == 0, copied.stderr
    with open_store(lab.store) as file, open_store(address) as store:
        assert store.nights() == file.nights()
        assert len(store.history()) == len(file.history()) == 4
    assert lab.run(*night, address).returncode == 1
    with open_store(address) as store:
        assert len(store.nights()) == 2
