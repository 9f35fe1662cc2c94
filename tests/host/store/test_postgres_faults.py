"""A server that is away, stalls, is full or refuses: what was measured waits here, and goes in once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from made_runs import collected, make_run
from postgres_server import OWNER, PASSWORDS, READER, PostgresServer
from rkbench.errors import StoreUnavailableError
from rkbench.results.night import CellResult, Night
from rkbench.store import open_store
from rkbench.store.base import Baseline, Store
from rkbench.store.opening import migrate_store
from rkbench.store.postgres import database, patient
from rkbench.store.postgres.address import server_url
from rkbench.store.spooling import Spool

NIGHT = Night("night-01kazjrv6g3yxqb5d8hn4t2wce", "lab", "f", 1000.0)
ITEMS = [collected(make_run(number, push="01kazk00000000000000000abc")) for number in range(1, 6)]
IDS = [item.run.id for item in ITEMS]
#: How long a server is waited for here; it is up or it is not.
WAIT_S = 0.2


@pytest.fixture
def own() -> Iterator[PostgresServer]:
    """A server that a test may stop, kill and hold."""
    running = PostgresServer()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def spools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which results wait; a server is asked again at once."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(patient, "LEFT_ALONE_S", 0.0)
    return tmp_path / "rkbench"


def waiting(folder: Path) -> list[str]:
    return sorted(path.name[17:] for path in folder.glob("*") if path.suffix != ".lock")


def save_cell(store: Store, number: int) -> None:
    cell = CellResult("m", "fp16", "desk", f"p{number}", runs=(IDS[number],))
    store.save_cell(NIGHT, number, cell, [ITEMS[number]])


def test_a_night_that_loses_its_server_goes_on_and_nothing_is_lost_or_doubled(
    own: PostgresServer, spools: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = own.url(own.database())
    with open_store(address, wait_s=WAIT_S) as store:
        store.save_night(NIGHT)
        save_cell(store, 0)
        own.kill()
        save_cell(store, 1)
        save_cell(store, 2)
        assert waiting(spools) == ["spool.sqlite"]
        own.start()
        save_cell(store, 3)
        assert waiting(spools) == []
        own.stop()
        save_cell(store, 4)
        store.save_night(replace(NIGHT, ended_unix_s=2000.0))
    assert waiting(spools) == ["spool.sqlite"]
    assert "results wait in" in caplog.text
    own.start()
    with open_store(address) as store:
        store.save(collected(make_run(9)))
        night = store.night(NIGHT.id)
        assert night is not None
        assert [cell.runs for cell in night.cells] == [(run_id,) for run_id in IDS]
        assert night.ended_unix_s == 2000.0
        assert sorted(row.run for row in store.history() if row.night == NIGHT.id) == IDS
        assert [store.latencies(one.run.id) for one in ITEMS] == [one.latencies for one in ITEMS]
    assert waiting(spools) == []


def test_what_had_gone_in_before_its_answer_was_lost_is_not_doubled(
    server: PostgresServer, spools: Path
) -> None:
    address = server.url(server.database())
    spool = Spool(address, spools)
    with open_store(address) as store:
        store.save_night(NIGHT)
        save_cell(store, 0)
    spool.keep_cell(NIGHT, 0, CellResult("m", "fp16", "desk", "p0", runs=(IDS[0],)), [ITEMS[0]])
    spool.keep_runs([ITEMS[1]])
    with open_store(address) as store:
        store.save(ITEMS[2])
        assert [run.run_id for run in store.stored(after=0, limit=9)] == IDS[:3]
        assert store.positions(NIGHT.id) == [0]
    assert waiting(spools) == []


def test_a_server_that_is_gone_when_a_command_begins_is_told_with_the_next_step(own: PostgresServer) -> None:
    address = own.url(own.database())
    own.stop()
    with pytest.raises(StoreUnavailableError) as caught:
        open_store(address, wait_s=WAIT_S)
    assert "is it running, and reachable from here?" in caught.value.hint


def test_a_server_that_comes_back_is_waited_for(own: PostgresServer) -> None:
    address = own.url(own.database())
    own.stop()
    later = threading.Thread(target=own.start)
    later.start()
    with open_store(address, wait_s=60.0) as store:
        assert store.history() == []
    later.join()


def test_a_server_that_stalls_is_given_up_and_what_was_measured_waits(
    own: PostgresServer, spools: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database, "LEAST_PATIENCE_S", 1.0)
    address = own.url(own.database())
    with open_store(address, wait_s=WAIT_S) as store:
        store.save(ITEMS[0])
        own.hold()
        with pytest.raises(StoreUnavailableError, match="timeout") as caught:
            store.history()
        assert "has stalled" in caught.value.hint
        store.save(ITEMS[1])
        assert waiting(spools) == ["spool.sqlite"]
        with pytest.raises(StoreUnavailableError, match="timeout") as caught:
            open_store(address, wait_s=WAIT_S)
        assert "has stalled" in caught.value.hint
        own.go_on()
    with open_store(address) as store:
        assert [run.run_id for run in store.stored(after=0, limit=9)] == IDS[:2]
    assert waiting(spools) == []


def test_a_server_that_stalls_in_the_middle_of_a_transaction_is_given_up(
    own: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LEAST_PATIENCE_S", 1.0)
    address = own.url(own.database())
    server = database.ServerDatabase(server_url(address), address, WAIT_S)
    with (
        pytest.raises(StoreUnavailableError, match="the server fell silent: no answer for 1 s") as caught,
        server.transaction() as connection,
    ):
        own.hold()
        connection.exec_driver_sql("SELECT 1")
    assert "has stalled" in caught.value.hint
    server.close()


def test_a_word_is_held_by_one_host_and_by_nobody_who_died(own: PostgresServer) -> None:
    address = own.url(own.database())
    with open_store(address, wait_s=WAIT_S) as one, open_store(address, wait_s=WAIT_S) as other:
        with one.holding("night of lab") as first, other.holding("night of lab") as second:
            assert (first, second) == (True, False)
            with other.holding("night of another") as third:
                assert third
        with other.holding("night of lab") as later:
            assert later
            own.kill()
        own.start()
        with one.holding("night of lab") as again:
            assert again


def test_a_writer_that_holds_the_lock_for_long_is_told(server: PostgresServer, spools: Path) -> None:
    name = server.database()
    words = {"host": str(server.folder), "port": server.port, "user": "postgres", "dbname": name}
    with open_store(server.url(name), wait_s=WAIT_S) as store, psycopg.connect(**words) as other:
        other.execute(f"SELECT pg_advisory_xact_lock({database.WRITERS})")
        with pytest.raises(StoreUnavailableError, match="lock timeout") as caught:
            store.accept([Baseline("lab", "fp16", "desk", "p", False, IDS[0], NIGHT.id, 1.0, "")])
        assert caught.value.hint.startswith("another host is writing for long")
        store.save(ITEMS[0])
        assert waiting(spools) == ["spool.sqlite"]
    assert waiting(spools) == []


def test_a_role_that_may_only_read_loses_nothing(
    server: PostgresServer, spools: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name = server.database(roles=True)
    monkeypatch.setenv("PGPASSWORD", PASSWORDS[OWNER])
    migrate_store(server.url(name, OWNER))
    monkeypatch.setenv("PGPASSWORD", PASSWORDS[READER])
    with open_store(server.url(name, READER)) as store:
        store.save(ITEMS[0])
    assert "this role may not do that: rkbench_writer adds rows" in caplog.text
    assert PASSWORDS[READER] not in caplog.text
    assert waiting(spools) == ["spool.sqlite"]


def test_a_full_disk_at_the_server_is_told_and_results_wait(
    tmpfs: Path, spools: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The tables lie in a tablespace on a small file system; what does not fit there waits here."""
    caplog.set_level(logging.WARNING)
    own = PostgresServer()
    try:
        place = own.tablespace(tmpfs)
        name = own.database(options=f"TABLESPACE {place}")
        address = own.url(name)
        with open_store(address) as store:
            store.save(ITEMS[0])
            own.admin(
                "CREATE TABLE filler (x text)",
                "ALTER TABLE filler ALTER x SET STORAGE EXTERNAL",
                database=name,
            )
            own.fill("INSERT INTO filler VALUES (repeat('x', 500000))", name)
            for number in range(1, 200):
                run = make_run(number, push="01kazk00000000000000000xyz")
                store.save(collected(run))
                if waiting(spools):
                    break
            assert "No space left on device" in caplog.text
            assert "the server's disk is full" in caplog.text
            own.admin("DROP TABLE filler", database=name)
            store.save(ITEMS[1])
            ids = [found.run_id for found in store.stored(after=0, limit=300)]
            assert len(ids) == number + 2
            assert len(set(ids)) == len(ids)
        assert waiting(spools) == []
    finally:
        own.close()
