"""The proof with the real thing: Debian's Prometheus, `bench serve`, and twenty boards with exporters."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from farm import DEPLOY, Farm, Prometheus, Serve, get, metric_names, poll
from ports import free_port
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from rkbench.boards.exporter.installation import uninstall_exporter
from rkbench.boards.health import MOST_FAULTS, note_health
from rkbench.boards.inventory import load_inventory
from rkbench.results.night import CellResult, GateResult, Night
from rkbench.results.records import BoardRecord, Variant
from rkbench.stats.gates import FAIL, NOT_MEASURED, PASS
from rkbench.stats.judging import Judgement
from rkbench.store import open_store
from rkbench_agent.board.lock import BoardLock

sys.path.insert(0, str(Path(__file__).parents[1] / "host"))

from made_runs import collected, make_run

pytestmark = [pytest.mark.xdist_group("prometheus"), pytest.mark.timeout(600)]
BOARDS = 20
NPU = "sys/devices/platform/fdab0000.npu/devfreq/fdab0000.npu"
MAX_SERIES = 1000


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """Twenty boards: most are well, some have what an alert is for."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    farm = Farm(tmp_path_factory.mktemp("farm"), BOARDS)
    lock = BoardLock(farm.cache("b07") / "lock")
    try:
        farm.write("b02", "sys/devices/virtual/thermal/thermal_zone0/temp", "95000")
        farm.write("b03", "sys/kernel/debug/rknpu/load", "NPU load:  Core0: 100%, Core1:  0%, Core2:  0%,")
        farm.write("b05", "proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable: 100000 kB\n")
        farm.write("b06", f"{NPU}/cur_freq", "fast")
        farm.write("b07", "sys/kernel/debug/rknpu/load", "NPU load:  Core0: 100%, Core1:  0%, Core2:  0%,")
        assert lock.acquire("eve") is None
        farm.write("b09", "sys/kernel/debug/rknpu/load", "NPU load:  Core0: 80%, Core1:  0%, Core2:  0%,")
        farm.write("b09", f"{NPU}/cur_freq", "600000000")
        (broken,) = (board for board in load_inventory(farm.inventory).boards if board.name == "b11")
        for _ in range(MOST_FAULTS):
            note_health(broken, "it did not answer")
        fill(farm.store)
        yield farm
    finally:
        lock.release()
        farm.close()


@pytest.fixture(scope="module")
def port(farm: Farm) -> Iterator[int]:
    """The port of a running `bench serve`."""
    port = free_port()
    serve = Serve(farm, port, "--max-series", str(MAX_SERIES))
    yield port
    serve.close()


@pytest.fixture(scope="module")
def prometheus(farm: Farm, port: int) -> Iterator[Prometheus]:
    """Prometheus, which has scraped every target."""
    running = Prometheus(farm.folder, port)
    try:
        poll(lambda: len([target for target in running.targets() if target["health"] == "up"]) == BOARDS + 1)
        yield running
    finally:
        running.close()


def test_all_boards_are_discovered_by_http_sd_and_up(prometheus: Prometheus, farm: Farm) -> None:
    targets = {target["labels"].get("board"): target for target in prometheus.targets()}
    assert set(targets) == {*farm.boards, None}  # None: bench serve itself
    assert targets["b01"]["scrapePool"] == "rkbench-boards"
    assert targets["b01"]["labels"]["tags"] == "lab,shelf 1"
    assert targets["b04"]["labels"]["soc"] == "rk3568"
    assert targets["b04"]["labels"]["simulated"] == "true"
    assert targets["b01"]["labels"]["instance"] == f"127.0.0.1:{farm.boards['b01'].exporter_port}"


def test_every_alert_that_has_a_cause_fires_and_no_other(prometheus: Prometheus) -> None:
    expected = {
        ("RkbenchBoardHot", "b02"),
        ("RkbenchNpuStuck", "b03"),
        ("RkbenchMemoryLow", "b05"),
        ("RkbenchSensorBlind", "b06"),
        ("RkbenchNpuClockLow", "b09"),
        ("RkbenchLastSuccessTooOld", "desk"),
        ("RkbenchRegressionRed", "desk"),
        ("RkbenchGateNotMeasured", "desk"),
        ("RkbenchResultsDropped", ""),
        ("RkbenchBoardQuarantined", "b11"),
        ("RkbenchLabgridDown", ""),
    }
    poll(lambda: prometheus.firing() == expected)


def test_every_metric_that_an_alert_or_a_rule_names_has_data(prometheus: Prometheus) -> None:
    expressions = [rule["query"] for rule in rules(prometheus)]
    assert len(expressions) == 21
    for expression in expressions:
        prometheus.query(expression)
        names = list(metric_names(expression))
        assert names != []
        for name in names:
            assert poll(lambda name=name: prometheus.query(name)) != [], name


def test_every_dashboard_query_returns_data(prometheus: Prometheus) -> None:
    poll(lambda: len(prometheus.firing()) > 0)
    queries = [query for path in DEPLOY.glob("grafana/*.json") for query in dashboard_queries(path)]
    assert len(queries) == 52
    empty = [query for query in queries if not has_data(prometheus, query)]
    assert empty == []


def test_a_quantile_of_the_histogram_is_near_the_latency_and_names_its_run(prometheus: Prometheus) -> None:
    series = 'rkbench_latency_distribution_seconds_bucket{variant="m38.int8"}'
    found = poll(lambda: prometheus.query(f"histogram_quantile(0.99, {series})"))
    assert float(found[0]["value"][1]) == pytest.approx(0.00226, rel=0.1)
    (told,) = poll(lambda: prometheus.exemplars(series))
    (exemplar,) = told["exemplars"]
    assert exemplar["labels"] == {"run": "1qmv0w0v1-39"}
    assert (told["seriesLabels"]["le"], float(exemplar["value"])) == ("0.0024", 0.00226565)


def test_both_expositions_are_valid(prometheus: Prometheus, farm: Farm, port: int) -> None:
    for place in (port, farm.boards["b01"].exporter_port):
        url = f"http://127.0.0.1:{place}/metrics"
        families = list(text_string_to_metric_families(get(url, "application/openmetrics-text")))
        assert len(families) > 10
        lint = subprocess.run(
            ["promtool", "check", "metrics"], check=False, input=get(url), capture_output=True, text=True
        )
        assert (lint.returncode, lint.stderr) == (0, "")


def test_a_board_that_dies_fires_its_alert(prometheus: Prometheus, farm: Farm) -> None:
    down = ("RkbenchBoardDown", "b01")
    poll(lambda: down not in prometheus.firing())
    uninstall_exporter(farm.boards["b01"])
    poll(lambda: {found for found in prometheus.firing() if found[0] == "RkbenchBoardDown"} == {down})


def test_a_broken_inventory_and_a_locked_store_fire_theirs(prometheus: Prometheus, farm: Farm) -> None:
    good = farm.inventory.read_text()
    farm.inventory.write_text(good + "\n[boards")
    poll(lambda: ("RkbenchInventoryBroken", "") in prometheus.firing())
    assert len(prometheus.targets()) == BOARDS + 1
    farm.inventory.write_text(good)
    holder = sqlite3.connect(farm.store, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    poll(lambda: begins(holder))
    poll(lambda: ("RkbenchStoreUnreadable", "") in prometheus.firing())
    holder.close()
    poll(lambda: ("RkbenchInventoryBroken", "") not in prometheus.firing())


def test_a_host_that_dies_fires_its_alert(prometheus: Prometheus, farm: Farm) -> None:
    config = farm.folder / "deploy/prometheus.yml"
    own = re.search(r'targets: \["(127[^"]*)"\]', config.read_text())
    assert own is not None
    # The server of the fixture goes on; this one is added and dies.
    port = free_port()
    text = config.read_text().replace(own.group(0), f'targets: ["{own.group(1)}", "127.0.0.1:{port}"]')
    second = Serve(farm, port)
    config.write_text(text)
    prometheus.reload()
    query = f'up{{instance="127.0.0.1:{port}"}} == 1'
    poll(lambda: prometheus.query(query))
    second.close()
    poll(lambda: ("RkbenchHostDown", "") in prometheus.firing())


def begins(holder: sqlite3.Connection) -> bool:
    """Tell whether the whole store could be taken; a scrape may be reading it just now."""
    try:
        holder.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return False
    return True


def rules(prometheus: Prometheus) -> list[dict[str, Any]]:
    groups = json.loads(get(prometheus.url + "/api/v1/rules"))["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_queries(path: Path) -> Iterator[str]:
    """Yield every query of a dashboard, its variables' included, with the variables set to all."""
    dashboard = json.loads(path.read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            call = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert call is not None, variable
            found.append(f"count by ({call.group(2)}) ({call.group(1)})")
    for query in found:
        yield re.sub(r"\$(board|model|variant)\b", ".*", query).replace("$__rate_interval", "1m")


def has_data(prometheus: Prometheus, query: str) -> bool:
    try:
        return bool(poll(lambda: prometheus.query(query), limit_s=60.0))
    except AssertionError:
        return False


def fill(path: Path) -> None:
    """Write results, old and new, of a real board called `desk`, and a night with a red gate."""
    now = datetime.now(timezone.utc)
    variants = [Variant(f"m{number}.int8", f"{number:064x}", 1000 + number) for number in range(40)]
    with open_store(path) as store:
        for number, variant in enumerate(variants):
            days = 3 if number == 39 else 0
            started = datetime.fromtimestamp(now.timestamp() - days * 86400, timezone.utc).isoformat()
            item = collected(make_run(number + 1, started_at=started))
            board = BoardRecord(
                "desk", soc="rk3588", driver_version="0.9.8", runtime="lite", runtime_version="2.3.2"
            )
            store.save(replace(item, run=replace(item.run, variant=variant, board=board)))
        night = Night("n1", "lab", "f" * 64, time.time())
        store.save_night(night)
        states = {"size <= 1MB": PASS, "p99 <= 2ms": FAIL, "cosine >= 0.99": NOT_MEASURED}
        gates = tuple(
            GateResult(gate, gate.split()[0], "", state, (Judgement(state),))
            for gate, state in states.items()
        )
        cell = CellResult("m39", "m39.int8", "desk", "single", measured_unix_s=time.time(), gates=gates)
        store.save_cell(night, 0, cell, [])
        store.save_night(replace(night, ended_unix_s=time.time()))
