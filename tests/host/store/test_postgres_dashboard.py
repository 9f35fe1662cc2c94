"""The dashboard in deploy/postgresql asks what a store answers, and is what its generator makes."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from made_runs import collected, make_run
from postgres_server import PostgresServer
from rkbench.store import open_store

FOLDER = Path(__file__).parents[3] / "deploy" / "postgresql"


def test_the_file_is_what_the_generator_makes() -> None:
    made = runpy.run_path(str(FOLDER / "dashboard.py"))["dashboard"]()
    assert json.loads((FOLDER / "history.json").read_text()) == made


def test_every_query_is_answered(server: PostgresServer) -> None:
    name = server.database()
    with open_store(server.url(name)) as store:
        store.save_all([collected(make_run(1)), collected(make_run(2, "int8", simulated=True))])
    board = json.loads((FOLDER / "history.json").read_text())
    variables = [item["query"] for item in board["templating"]["list"] if item["type"] == "query"]
    assert [server.admin(sql, database=name) for sql in variables] == [[("fp16",), ("int8",)], [("desk",)]]
    for panel in board["panels"]:
        sql = panel["targets"][0]["rawSql"]
        # What Grafana puts in the place of its words.
        asked = sql.replace("$__timeFilter(time)", "time BETWEEN '2026-01-01' AND '2027-01-01'")
        asked = asked.replace("$variant", "'fp16','int8'").replace("$board", "'desk'")
        (row,) = server.admin(asked, database=name)
        assert "fp16" in str(row[1]), panel["title"]
        assert str(row[0].date()) == "2026-11-23"
