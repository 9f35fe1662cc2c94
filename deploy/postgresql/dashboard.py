"""Makes the Grafana dashboard of a store in PostgreSQL: run it, and it writes history.json beside itself.

It reads the view `series` as the role `rkbench_reader`; the data source is chosen in Grafana.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "history.json"
SOURCE = {"type": "grafana-postgresql-datasource", "uid": "${datasource}"}
WHERE = "$__timeFilter(time) AND variant IN ($variant) AND board IN ($board) AND NOT simulated"
#: Title, measure, and Grafana's name of its unit.
GRAPHS = (
    ("Latency, p50", "latency_p50_s", "s"),
    ("Latency, p99", "latency_p99_s", "s"),
    ("Memory of the NPU when loaded", "load_npu_total_bytes", "bytes"),
    ("Size of the file", "size_bytes", "bytes"),
)
NEWEST = (
    "SELECT DISTINCT ON (variant, board) time, variant, board, soc, runtime_version, driver_version,"
    f" toolkit_version, latency_p50_s, run FROM series WHERE {WHERE} ORDER BY variant, board, time DESC"
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as JSON values."""
    graphs = [
        _panel("timeseries", title, _over_time(measure), "time_series", unit, 12 * (at % 2), 8 * (at // 2))
        for at, (title, measure, unit) in enumerate(GRAPHS)
    ]
    newest = _panel("table", "The newest run of each", NEWEST, "table", "short", 0, 16)
    newest["gridPos"]["w"] = 24
    return {
        "title": "rkbench: history",
        "uid": "rkbench-history",
        "tags": ["rkbench"],
        "timezone": "browser",
        "schemaVersion": 39,
        "time": {"from": "now-90d", "to": "now"},
        "templating": {"list": [_source(), _variable("variant"), _variable("board")]},
        "panels": [{"id": number, **panel} for number, panel in enumerate([*graphs, newest], 1)],
    }


def _over_time(measure: str) -> str:
    return (
        f"SELECT time, variant || ' on ' || board AS metric, {measure} AS value FROM series"
        f" WHERE {WHERE} AND {measure} IS NOT NULL ORDER BY time"
    )


def _panel(kind: str, title: str, sql: str, form: str, unit: str, x: int, y: int) -> dict[str, Any]:
    target = {"refId": "A", "datasource": SOURCE, "rawQuery": True, "editorMode": "code", "format": form}
    return {
        "type": kind,
        "title": title,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": 12, "h": 8},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [{**target, "rawSql": sql}],
    }


def _source() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": SOURCE["type"], "label": "Store"}


def _variable(column: str) -> dict[str, Any]:
    sql = f"SELECT DISTINCT {column} FROM series ORDER BY 1"
    return {
        "name": column,
        "type": "query",
        "datasource": SOURCE,
        "query": sql,
        "definition": sql,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(dashboard(), indent=1) + "\n")
