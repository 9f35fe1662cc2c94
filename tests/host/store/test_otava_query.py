"""The query that docs/postgresql.md gives Apache Otava yields what its importer reads."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from made_runs import collected, make_run
from postgres_server import OWNER, PASSWORDS, READER, PostgresServer
from rkbench.results.records import Variant
from rkbench.store import open_store

DOCUMENT = (Path(__file__).parents[3] / "docs/postgresql.md").read_text("utf-8")


def test_times_attributes_and_measures_are_columns_and_no_measure_is_unknown(server: PostgresServer) -> None:
    """Otava 0.8.0 puts the branch in for %{BRANCH}, and ends where a measure is NULL."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: pip install 'rkbench[web]'")
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    ((name, test),) = yaml.safe_load(block)["tests"].items()
    database = server.database(roles=True)
    owned = server.url(database, OWNER).replace(OWNER, f"{OWNER}:{PASSWORDS[OWNER]}")
    with open_store(owned) as store:
        for number, changes in enumerate(({}, {"latency": None}, {}, {"simulated": True})):
            at = f"2026-11-0{5 - number}T00:00:00.000+00:00"
            item = collected(make_run(number + 1, started_at=at, **changes))
            board = replace(item.run.board, name="rack3")
            store.save(replace(item, run=replace(item.run, variant=Variant(name, "a" * 64, 1), board=board)))
    address = server.url(database, READER).replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(address, password=PASSWORDS[READER]) as connection:
        cursor = connection.execute(test["query"].replace("%{BRANCH}", "%s").encode(), ["rack3"])
        rows = cursor.fetchall()
        assert cursor.description is not None
        columns = [column.name for column in cursor.description]
    wanted = [test["time_column"], *test["attributes"], *test["metrics"]]
    assert [name for name in wanted if name not in columns] == []
    times = [row[columns.index("time")] for row in rows]
    assert [time.day for time in times] == [3, 5]
    assert all(isinstance(time, datetime) and time.tzinfo for time in times)
    assert [row[columns.index("latency_p50_s")] for row in rows] == [0.00226, 0.00226]
