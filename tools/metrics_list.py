"""Writes the list of metrics into docs/prometheus.md: `python tools/metrics_list.py`.

It asks the collectors themselves: the board's on the recorded tree of an RK3588 with a benchmark
running, the host's on a store with a run that has every figure, and a night with gates. A test holds the
document to it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path

from prometheus_client.metrics_core import Metric
from rkbench.boards.health import MOST_FAULTS, note_health
from rkbench.boards.held import Hold
from rkbench.boards.inventory import add_board, load_inventory
from rkbench.boards.labgrid.watching import WatchedPlaces
from rkbench.boards.model import Board
from rkbench.boards.virtual.trees import copy_tree
from rkbench.metrics.discovery import Targets
from rkbench.metrics.families import KEY_LABELS
from rkbench.metrics.results import StoreCollector
from rkbench.metrics.web import HostCollector
from rkbench.results.collect import Collected
from rkbench.results.extras import TaskMetric
from rkbench.results.loads import Load
from rkbench.results.model import Caveat, Output, PercentileBounds
from rkbench.results.night import CellResult, GateResult, Night
from rkbench.stats.gates import PASS
from rkbench.stats.judging import Judgement
from rkbench.store import Store, open_store
from rkbench_agent.board.lock import BoardLock
from rkbench_agent.exporter.collector import BoardCollector, board_groups
from rkbench_agent.exporter.rounds import Rounds

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/prometheus.md"
BEGIN, END = "<!-- metrics: made by tools/metrics_list.py -->\n", "<!-- end of metrics -->\n"
SUFFIXES = {"counter": "_total", "info": "_info"}

sys.path.insert(0, str(ROOT / "tests/host"))

from made_runs import make_latencies, make_run  # noqa: E402


def render() -> str:
    """Return both lists as Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = ", ".join(KEY_LABELS)
        return (
            f"### Of a board (port 9954)\n\n{_table(board_metrics(folder))}\n"
            f"### Of the host (port 9955)\n\n*result* stands for the labels {key}.\n\n"
            f"{_table(host_metrics(folder))}"
        )


def board_metrics(folder: Path) -> list[Metric]:
    """Return all that the board's exporter can tell."""
    copy_tree("rk3588", folder / "tree")
    (folder / "tree/usr/lib").mkdir(parents=True, exist_ok=True)
    (folder / "tree/usr/lib/librknnrt.so").write_text("librknnrt version: 2.3.2 (as the library says)")
    lock = BoardLock(folder / "lock")
    lock.acquire("somebody")
    try:
        return list(BoardCollector(Rounds(folder / "tree", board_groups(folder / "tree", folder))).collect())
    finally:
        lock.release()


def host_metrics(folder: Path) -> list[Metric]:
    """Return all that `bench serve` can tell."""
    add_board(folder / "bench.toml", Board("desk", "192.168.1.20"))
    (desk,) = load_inventory(folder / "bench.toml").boards
    Hold(desk, "").end()
    for _ in range(MOST_FAULTS):
        note_health(desk, "it did not answer")
    with open_store(folder / "store") as store:
        store.save(_full_run())
        _save_night(store)
    places = WatchedPlaces("127.0.0.1:20408")  # nobody listens to it
    collectors = (StoreCollector(folder / "store"), Targets(folder / "bench.toml", places), HostCollector())
    return [metric for collector in collectors for metric in collector.collect()]


def _full_run() -> Collected:
    """Return a run that has every figure."""
    run = make_run()
    names = [field.name for field in fields(Load) if field.name.endswith("_bytes")]
    load = Load(duration_s=0.1, **dict.fromkeys(names, 1))
    output = Output(0, "logits", (), "float32", 1, 1.0, 1.0, 0.1, 0.1, 0.1, 40.0, 1.0, 1.0)
    run = replace(
        run,
        load=load,
        outputs=(output,),
        caveats=(Caveat("clock", "slow", "wait"),),
        board=replace(run.board, kernel="6.1", agent_version="0.1"),
        variant=replace(run.variant, toolkit_version="2.3.2"),
        task_metrics=(TaskMetric("top1", 0.7, "labels.txt", 64),),
        latency=run.latency and replace(run.latency, bounds=(PercentileBounds(50.0, 0.001, 0.002),)),
    )
    return Collected(run, make_latencies(10**6), ())


def _save_night(store: Store) -> None:
    night = Night("n1", "suite", "", time.time())
    store.save_night(night)
    gate = GateResult("size <= 1MB", "size", "B", PASS, (Judgement(PASS),))
    store.save_cell(night, 0, CellResult("m", "m", "b", "p", measured_unix_s=1.0, gates=(gate,)), [])
    store.save_night(replace(night, ended_unix_s=time.time()))


def _table(metrics: Iterable[Metric]) -> str:
    rows = ["| metric | type | labels | what |", "|---|---|---|---|"]
    for metric in sorted(metrics, key=lambda metric: metric.name):
        name = metric.name + SUFFIXES.get(metric.type, "")
        rows.append(f"| `{name}` | {metric.type} | {_labels(metric)} | {metric.documentation} |")
    return "\n".join(rows) + "\n"


def _labels(metric: Metric) -> str:
    names = list(dict.fromkeys(label for sample in metric.samples for label in sample.labels))
    if set(KEY_LABELS) <= set(names):
        names = ["*result*", *(name for name in names if name not in KEY_LABELS)]
    return ", ".join(names)


def updated(text: str) -> str:
    """Return the document `text` with today's lists."""
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    return head + BEGIN + "\n" + render() + "\n" + END + tail


if __name__ == "__main__":
    DOCUMENT.write_text(updated(DOCUMENT.read_text("utf-8")), encoding="utf-8")
