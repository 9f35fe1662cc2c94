"""The schema of a store on a server, and the steps from each older version to the next, by Alembic.

A database that holds nothing is made a store when it is first opened. One of an older rkbench is brought
forward by `bench store migrate` alone: other hosts, of which each may have another version, use it too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert, select, text, update

from rkbench.errors import NoStoreError, StoreError
from rkbench.results.history import MEASURE_NAMES, history_row
from rkbench.store.documents import load_run
from rkbench.store.postgres.database import ServerDatabase
from rkbench.store.postgres.tables import HISTORY, RUNS, STORE
from rkbench.store.rows import FIELDS, WRITTEN, history_columns

#: The steps in `alembic/versions`, the oldest first.
VERSIONS = ("0001",)
#: Taken by who changes the schema, so that two who open a new store do not both make it.
MIGRATORS = 0x726B626D
FILLED_AT_ONCE = 500
#: Columns that a dashboard reads; those of measures follow, in the order in which the table got them.
SERIES = "series"
_SERIES_COLUMNS = (
    "run",
    "push",
    "night",
    *(name for name in FIELDS if name not in ("run", "push", "started_at")),
)


def ensure(server: ServerDatabase, *, create: bool) -> None:
    """Make an empty database a store, if `create`; raises StoreError for one of another version."""
    with server.reading() as connection:
        found, missing, empty = _version(connection), _missing(connection), _is_empty(connection)
    newest = VERSIONS[-1]
    if found == newest and not missing:
        return
    if found is None and not empty:
        raise StoreError(
            f"{server.address} is a database, but no result store of rkbench",
            hint="give rkbench a database of its own: createdb NAME, and --store postgresql+psycopg://.../NAME",
        )
    if found is None and not create:
        raise NoStoreError(
            f"no result store at {server.address}: the database is empty",
            hint="push something first (bench push), or name another: --store",
        )
    if found is None:
        migrate(server)
    elif found not in VERSIONS:
        raise StoreError(
            f"result store {server.address} has version {found}; this rkbench knows up to {newest}",
            hint="update rkbench on this host, or choose another place: --store",
        )
    else:
        older = f"has version {found}" if found != newest else f"knows no {', '.join(missing)} yet"
        raise StoreError(
            f"result store {server.address} {older}; this rkbench writes version {newest}",
            hint="when the other hosts may be updated too, as the role that owns it: bench store migrate",
        )


def migrate(server: ServerDatabase) -> str:
    """Bring the schema to the newest version, all or nothing, and return it."""
    newest = VERSIONS[-1]
    with server.transaction(lock=MIGRATORS) as connection:
        before = _version(connection)
        if before is not None and before not in VERSIONS:
            raise StoreError(
                f"result store {server.address} has version {before}; this rkbench knows up to {newest}",
                hint="update rkbench on this host",
            )
        _upgrade(connection)
        if before is None:
            connection.execute(insert(STORE).values(id=str(uuid4()), made_by="rkbench"))
        if missing := _missing(connection):
            _complete(connection, missing)
        _make_series(connection)
    return newest


def _upgrade(connection: Connection) -> None:
    from alembic import command  # a tenth of a second, and only who changes the schema needs it
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _version(connection: Connection) -> str | None:
    if connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar() is None:
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def _is_empty(connection: Connection) -> bool:
    tables = (
        "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    )
    return connection.exec_driver_sql(tables).scalar() == 0


def _missing(connection: Connection) -> list[str]:
    """Return the measures that the history has no column for."""
    return [name for name in MEASURE_NAMES if name not in _columns(connection)]


def _columns(connection: Connection) -> list[str]:
    rows = connection.exec_driver_sql(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('history') AND attnum > 0"
        " AND NOT attisdropped ORDER BY attnum"
    )
    return [str(name) for (name,) in rows]


def _complete(connection: Connection, missing: list[str]) -> None:
    """Add the columns of new measures, and fill every row from the document of its run, some at a time."""
    added = ", ".join(f'ADD COLUMN "{name}" double precision' for name in missing)
    connection.exec_driver_sql(f"ALTER TABLE history {added}")
    last = ""
    while True:
        asked = select(RUNS.c.id, RUNS.c.document).where(RUNS.c.id > last).order_by(RUNS.c.id)
        rows = connection.execute(asked.limit(FILLED_AT_ONCE)).all()
        for run_id, document in rows:
            last = run_id
            if values := _values(run_id, document):
                connection.execute(update(HISTORY).where(HISTORY.c.run == run_id).values(values))
        if len(rows) < FILLED_AT_ONCE:
            return


def _values(run_id: str, document: str) -> dict[str, Any]:
    """Return a row of the history; of a document that cannot be read none, so that it hides no others."""
    try:
        row = history_row(load_run(document, run_id))
    except StoreError:
        return {}
    return dict(zip(WRITTEN, history_columns(row), strict=True))


def _make_series(connection: Connection) -> None:
    """Make the view that dashboards and Otava read: runs that ended well, with `time` as a timestamp."""
    present = [name for name in _columns(connection) if name not in (*FIELDS, "position", "night")]
    names = ", ".join(f'"{name}"' for name in (*_SERIES_COLUMNS, *present))
    connection.exec_driver_sql(
        f"CREATE OR REPLACE VIEW {SERIES} AS SELECT to_timestamp(started_unix_s) AS time, {names}"
        " FROM history WHERE NOT failed AND NOT partial AND NOT beside AND started_unix_s IS NOT NULL"
    )


def faults(server: ServerDatabase) -> list[str]:
    """Return what the server says of indexes that it cannot use; references are its own care."""
    asked = text(
        "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        " WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace"
    )
    return [f"the index {name} is not valid: REINDEX INDEX {name}" for (name,) in server.rows(asked)]
