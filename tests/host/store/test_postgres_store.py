"""What PostgreSQL adds to the contract: roles, versions, passwords, the view, copies to a file and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from made_runs import collected, make_run
from postgres_server import OWNER, PASSWORDS, READER, WRITER, PostgresServer
from rkbench.errors import StoreError, StoreUnavailableError, UsageError
from rkbench.results.model import Failure
from rkbench.results.night import CellResult, Night
from rkbench.store import open_store
from rkbench.store.base import Baseline, RunTag
from rkbench.store.copying import take_in
from rkbench.store.opening import migrate_store
from rkbench.store.postgres import schema
from rkbench.store.postgres.tables import METADATA
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

NIGHT = Night("night-01kazjrv6g3yxqb5d8hn4t2wce", "lab", "f", 1000.0)


@pytest.fixture
def database(server: PostgresServer) -> str:
    """A new database with our roles, whose store is made by its owner."""
    return server.database(roles=True)


@pytest.fixture
def passwords(tmp_path: Path, server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let libpq find the passwords where people keep them."""
    file = tmp_path / "pgpass"
    file.write_text("".join(f"127.0.0.1:{server.port}:*:{role}:{word}\n" for role, word in PASSWORDS.items()))
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    yield


def test_the_tables_are_those_that_rkbench_asks(server: PostgresServer) -> None:
    address = server.url(server.database())
    open_store(address).close()
    with create_engine(address, poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differing = [
            found
            for found in compare_metadata(context, METADATA)
            if isinstance(found, tuple)
            and found[0] in ("add_table", "remove_table", "add_column", "remove_column")
        ]
    assert [str(found) for found in differing if "alembic_version" not in str(found)] == []


def test_the_versions_are_those_of_the_steps() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "alembic"))
    steps = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(step.revision for step in steps)[::-1] == schema.VERSIONS


# -- roles


def test_a_writer_keeps_runs_that_a_reader_sees(
    server: PostgresServer, database: str, passwords: None
) -> None:
    assert migrate_store(server.url(database, OWNER)) == schema.VERSIONS[-1]
    item = collected(make_run())
    with open_store(server.url(database, WRITER)) as store:
        store.save(item)
        store.save_tags([RunTag(item.run.id, "good", "", 1.0)])
        store.save_night(NIGHT)
        store.save_cell(NIGHT, 0, CellResult("m", "fp16", "desk", "p", runs=(item.run.id,)), [])
        store.accept([Baseline("lab", "fp16", "desk", "p", False, item.run.id, NIGHT.id, 1.0, "")])
    with open_store(server.url(database, READER), create=False) as store:
        assert store.run(item.run.id) == item.run
        assert store.latencies(item.run.id) == item.latencies
        assert store.tags("good") == [RunTag(item.run.id, "good", "", 1.0)]
        assert store.history()[0].night == NIGHT.id


def test_a_reader_is_told_that_it_may_not_write(
    server: PostgresServer, database: str, passwords: None
) -> None:
    migrate_store(server.url(database, OWNER))
    with open_store(server.url(database, READER), create=False) as store:
        with pytest.raises(StoreUnavailableError, match="permission denied for table runs") as caught:
            store.save(collected(make_run()))
        assert caught.value.hint.startswith("this role may not do that: rkbench_writer adds rows")
        assert store.history() == []


def test_a_writer_cannot_make_the_store(server: PostgresServer, database: str, passwords: None) -> None:
    with pytest.raises(StoreError, match="permission denied for schema public") as caught:
        open_store(server.url(database, WRITER))
    assert "this role may not make one: bench store migrate --store URL, as the owner" in caught.value.hint
    assert "rkbench_writer" not in caught.value.hint


def test_a_writer_who_prunes_is_told_who_may(server: PostgresServer, database: str, passwords: None) -> None:
    migrate_store(server.url(database, OWNER))
    with open_store(server.url(database, WRITER), create=False) as store:
        store.save(collected(make_run()))
        with pytest.raises(StoreUnavailableError, match="permission denied for table") as caught:
            store.remove([collected(make_run()).run.id], raw_only=True)
    assert "rkbench_owner alone removes them" in caught.value.hint


# -- passwords


@pytest.mark.parametrize("where", ["in place", "in the query"])
def test_a_wrong_password_is_told_and_never_repeated(
    server: PostgresServer, database: str, where: str
) -> None:
    address = server.url(database, WRITER)
    address = address.replace("@", ":hunter2@") if where == "in place" else f"{address}?password=hunter2"
    with pytest.raises(StoreUnavailableError, match="password authentication failed") as caught:
        open_store(address)
    assert "***" in caught.value.message
    assert "~/.pgpass" in caught.value.hint
    told = [str(caught.value), caught.value.hint]
    error: BaseException | None = caught.value
    while error is not None:
        told.append(str(error))
        error = error.__cause__
    assert "hunter2" not in " ".join(told)


def test_an_open_store_tells_its_address_without_the_password(
    server: PostgresServer, database: str, passwords: None
) -> None:
    migrate_store(server.url(database, OWNER))
    address = server.url(database, WRITER).replace("@", f":{PASSWORDS[WRITER]}@")
    with open_store(address) as store:
        assert store.address == server.url(database, WRITER).replace("@", ":***@")


def test_a_password_with_an_at_sign_is_refused_without_repeating_it() -> None:
    with pytest.raises(UsageError, match="several @") as caught:
        open_store("postgresql+psycopg://me:hun@ter2@127.0.0.1/x")
    assert "ter2" not in caught.value.message + caught.value.hint


# -- versions


def test_a_store_of_a_newer_rkbench_is_left_alone(server: PostgresServer) -> None:
    name = server.database()
    open_store(server.url(name)).close()
    server.admin("UPDATE alembic_version SET version_num = '0999'", database=name)
    for act in (open_store, migrate_store):
        with pytest.raises(StoreError, match="has version 0999; this rkbench knows up to") as caught:
            act(server.url(name))
        assert "update rkbench" in caught.value.hint


def test_a_store_that_lacks_a_measure_is_brought_forward_when_somebody_says_so(
    server: PostgresServer,
) -> None:
    name = server.database()
    with open_store(server.url(name)) as store:
        store.save(collected(make_run()))
    server.admin("ALTER TABLE history DROP COLUMN latency_p50_s CASCADE", database=name)
    with pytest.raises(StoreError, match="knows no latency_p50_s yet") as caught:
        open_store(server.url(name))
    assert "bench store migrate" in caught.value.hint
    migrate_store(server.url(name))
    with open_store(server.url(name)) as store:
        assert store.history()[0].measures["latency_p50_s"] == 0.00226
    assert server.admin("SELECT latency_p50_s FROM series", database=name) == [(0.00226,)]


def test_another_database_is_left_alone(server: PostgresServer) -> None:
    name = server.database()
    server.admin("CREATE TABLE theirs (x int)", database=name)
    with pytest.raises(StoreError, match="is a database, but no result store of rkbench"):
        open_store(server.url(name))
    assert server.admin("SELECT count(*) FROM pg_class WHERE relname = 'runs'", database=name) == [(0,)]


def test_a_database_that_is_not_there_is_named(server: PostgresServer) -> None:
    with pytest.raises(StoreError, match='"nowhere" does not exist') as caught:
        open_store(server.url("nowhere"))
    assert "createdb" in caught.value.hint


def test_nobody_at_the_port_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        open_store("postgresql+psycopg://me@127.0.0.1:1/x", wait_s=0.0)
    assert "Connection refused" in caught.value.message
    assert "is it running" in caught.value.hint


def test_tls_that_the_server_does_not_have_is_told(
    server: PostgresServer, database: str, passwords: None
) -> None:
    with pytest.raises(StoreUnavailableError, match="SSL") as caught:
        open_store(server.url(database, WRITER, ["sslmode=require"]))
    assert "sslmode" in caught.value.hint


# -- what others read


def test_the_view_has_a_row_for_each_run_that_ended_well(server: PostgresServer) -> None:
    name = server.database()
    broken = make_run(2, failure=Failure("load", "crash", "it crashed"), latency=None)
    with open_store(server.url(name)) as store:
        store.save_all([collected(make_run(1)), collected(broken), collected(make_run(3, partial=True))])
    rows = server.admin(
        "SELECT time AT TIME ZONE 'UTC', variant, board, latency_p50_s FROM series", database=name
    )
    assert [(str(time), *rest) for time, *rest in rows] == [("2026-11-23 14:00:00", "fp16", "desk", 0.00226)]


# -- copies


def fill(address: str) -> None:
    with open_store(address) as store:
        items = [collected(make_run(number, push="01kazk00000000000000000abc")) for number in (1, 2, 3)]
        store.save(items[2])
        store.save_night(NIGHT)
        cell = CellResult("m", "fp16", "desk", "p", runs=(items[0].run.id, items[1].run.id))
        store.save_cell(NIGHT, 4, cell, items[:2])
        store.save_night(replace(NIGHT, ended_unix_s=2000.0))
        store.save_tags([RunTag(items[0].run.id, "good", "why", 5.0)])
        store.accept([Baseline("lab", "fp16", "desk", "p", False, items[0].run.id, NIGHT.id, 1.0, "")])


def told(address: str) -> object:
    with open_store(address, create=False) as store:
        ids = [run.run_id for run in store.stored(after=0, limit=9)]
        runs = [(store.run(one), store.latencies(one), store.readings(one)) for one in ids]
        words = (store.history(), store.tags(), store.baselines(), store.latest_gates(), store.noise_floors())
        return ids, runs, words, store.night(NIGHT.id), store.positions(NIGHT.id), set(store.latest())


def test_a_file_goes_to_a_server_and_back_without_loss(server: PostgresServer, tmp_path: Path) -> None:
    first, second = str(tmp_path / "a.sqlite"), str(tmp_path / "b.sqlite")
    middle = server.url(server.database())
    fill(first)
    for source, target in ((first, middle), (middle, second)):
        with open_store(source) as one, open_store(target) as other:
            assert take_in(one, other, accepted=True).runs == 3
            again = take_in(one, other, accepted=True)
            assert (again.runs, again.nights, again.tags, again.baselines, again.there) == (0, 0, 0, 0, 3)
    assert told(first) == told(middle) == told(second)


def test_a_backup_of_a_server_is_a_file_of_one_moment(server: PostgresServer, tmp_path: Path) -> None:
    address, target = server.url(server.database()), tmp_path / "backup.sqlite"
    fill(address)
    with open_store(address) as store:
        store.backup(target)
    assert told(str(target)) == told(address)
    assert [path.name for path in tmp_path.iterdir()] == ["backup.sqlite"]


def test_names_with_wildcards_and_nul_are_no_sql(server: PostgresServer) -> None:
    with open_store(server.url(server.database())) as store:
        store.save(collected(make_run(1, "a'b%_\\\0c")))
        assert [row.variant for row in store.history()] == ["a'b%_\\␀c"]
        assert len(store.history(model="a'b%_\\*")) == 1
        assert len(store.history(model="[!b]'*")) == 1
        assert store.history(model="a.b*") == store.history(model="%") == []
        assert store.find("'; DROP TABLE runs; --") == store.find("%") == store.find("_") == []


def test_the_roles_of_the_documentation_are_those_of_the_file() -> None:
    text = (Path(__file__).parents[3] / "deploy/postgresql/roles.sql").read_text("utf-8")
    assert set(re.findall(r"rkbench_\w+", text)) == {OWNER, WRITER, READER}
