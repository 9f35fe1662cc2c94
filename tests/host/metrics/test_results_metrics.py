"""Stored results as Prometheus metrics, read by the official parser."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import collected, make_latency, make_run
from metrics_values import values_of
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry
from rkbench.metrics.results import StoreCollector
from rkbench.results.collect import Collected
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import Failure, PercentileBounds
from rkbench.results.output import Output
from rkbench.results.records import Variant
from rkbench.store import open_store
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import Latencies

KEY = (
    'board="desk",core_mask="auto",model="digits",runtime="lite",scenario="single_stream",'
    'simulated="false",variant="digits.fp16"'
)


def run(number: int = 1, name: str = "digits.fp16", **changes: object) -> Collected:
    return collected(make_run(number, name, **changes))


def test_the_latest_result_is_told_with_its_conditions(tmp_path: Path) -> None:
    save(tmp_path, run())
    values = values_of(StoreCollector(tmp_path / "store"))
    assert values[named(values, "rkbench_latency_seconds", 'quantile="0.5"')] == 0.00226
    assert values[f"rkbench_latency_seconds_count{{{KEY}}}"] == 1000
    assert values[f"rkbench_throughput_inferences_per_second{{{KEY}}}"] == 443.0
    assert values[f"rkbench_model_file_bytes{{{KEY}}}"] == 14_580_397
    assert values[named(values, "rkbench_load_memory_bytes", 'kind="npu_total"')] == 14_584_128
    assert values[named(values, "rkbench_output_cosine_similarity", 'output="logits"')] == 0.99999
    assert values[named(values, "rkbench_result_verdict", 'verdict="VALID"')] == 1
    assert values[f"rkbench_last_success_timestamp_seconds{{{KEY}}}"] == 1795442400.0
    assert values[named(values, "rkbench_result_info", 'driver_version="0.9.8"')] == 1
    assert named(values, "rkbench_load_memory_bytes", 'kind="dma_buf"') == ""  # unknown is absent, not 0


def test_the_distribution_of_a_server_is_that_of_the_rate_that_stands_for_it(tmp_path: Path) -> None:
    raw = RawLatencies()
    for block, took in enumerate((1_000_000, 5_000_000, 9_000_000)):
        raw.append(Latencies("r", block, False, [20_000_000 * call for call in range(100)], [took] * 100))
    made = make_run(latency=replace(make_latency(0.005, 100), of_blocks=(1,)))
    run = replace(made, plan=replace(made.plan, scenario="server", contexts=(1,)))
    save(tmp_path, Collected(run, raw, ()))
    values = values_of(StoreCollector(tmp_path / "store"))
    name = named(values, "rkbench_latency_distribution_seconds_gcount", "")
    assert values[name] == 100


def test_the_bounds_of_a_percentile_stand_beside_it_and_an_unknown_one_is_absent(tmp_path: Path) -> None:
    made = make_run()
    assert made.latency is not None
    bounds = (PercentileBounds(50.0, 0.0021, 0.0023), PercentileBounds(99.9, 0.003, None))
    save(tmp_path, collected(replace(made, latency=replace(made.latency, bounds=bounds))))
    values = values_of(StoreCollector(tmp_path / "store"))
    told = {
        (bound, percentile): value
        for series, value in values.items()
        for bound in ("low", "high")
        for percentile in ("50", "99.9")
        if series.startswith("rkbench_latency_bound_seconds{")
        and f'bound="{bound}"' in series
        and f'percentile="{percentile}"' in series
    }
    assert told == {("low", "50"): 0.0021, ("high", "50"): 0.0023, ("low", "99.9"): 0.003}


def test_what_stands_for_a_bucket_names_its_run(tmp_path: Path) -> None:
    save(tmp_path, run())
    registry = CollectorRegistry()
    registry.register(StoreCollector(tmp_path / "store"))
    shown = generate_latest(registry).decode()
    lines = [line.partition(" # ") for line in shown.splitlines() if " # {" in line]
    assert [line[2] for line in lines] == ['{run="1qmv0w0v1-01"} 0.00226565 1795442400.0']
    assert 'le="0.0024"' in lines[0][0]


def test_a_failed_run_keeps_the_numbers_of_the_last_success(tmp_path: Path) -> None:
    save(tmp_path, run())
    later = "2026-11-23T15:00:00.000+00:00"
    save(tmp_path, run(2, started_at=later, failure=Failure("run", "crash", "it crashed"), latency=None))
    values = values_of(StoreCollector(tmp_path / "store"))
    assert values[f"rkbench_last_run_failed{{{KEY}}}"] == 1
    assert values[f"rkbench_last_run_timestamp_seconds{{{KEY}}}"] == 1795446000.0
    assert values[f"rkbench_last_success_timestamp_seconds{{{KEY}}}"] == 1795442400.0
    assert values[f"rkbench_latency_seconds_count{{{KEY}}}"] == 1000


def test_a_clock_that_jumped_back_does_not_hide_what_was_stored_later(tmp_path: Path) -> None:
    save(tmp_path, run(1, started_at="2031-01-01T00:00:00.000+00:00"))
    save(tmp_path, run(2, throughput_per_s=500.0))
    values = values_of(StoreCollector(tmp_path / "store"))
    assert values[f"rkbench_throughput_inferences_per_second{{{KEY}}}"] == 500.0


def test_new_runs_are_seen_without_reading_the_old_ones_again(tmp_path: Path) -> None:
    save(tmp_path, run())
    collector = StoreCollector(tmp_path / "store")
    assert values_of(collector)["rkbench_results"] == 1
    save(tmp_path, run(2, "digits.int8"), run(3, throughput_per_s=900.0))
    values = values_of(collector)
    assert values["rkbench_results"] == 2
    assert values[f"rkbench_throughput_inferences_per_second{{{KEY}}}"] == 900.0


def test_simulated_results_are_off_unless_asked_for_and_labelled(tmp_path: Path) -> None:
    save(tmp_path, run(simulated=True))
    assert values_of(StoreCollector(tmp_path / "store"))["rkbench_results"] == 0
    values = values_of(StoreCollector(tmp_path / "store", simulated=True))
    assert values[named(values, "rkbench_model_file_bytes", 'simulated="true"')] == 14_580_397


def test_caveats_are_counted_and_named(tmp_path: Path) -> None:
    caveats = (Caveat("clock_low", "slow", "wait"), Caveat("clock_low", "slow too", "wait"))
    save(tmp_path, run(caveats=caveats, verdict="SUSPECT"))
    values = values_of(StoreCollector(tmp_path / "store"))
    assert values[f"rkbench_result_caveats{{{KEY}}}"] == 2
    assert values[named(values, "rkbench_result_caveat", 'code="clock_low"')] == 1
    assert values[named(values, "rkbench_result_verdict", 'verdict="SUSPECT"')] == 1


def test_labels_with_quotes_newlines_and_utf8_come_through(tmp_path: Path) -> None:
    name = 'mod"el\\ of\nthe ünit 模型'
    item = run()
    save(tmp_path, replace(item, run=replace(item.run, variant=Variant(name, "f" * 64, 7))))
    values = values_of(StoreCollector(tmp_path / "store"))
    assert values[named(values, "rkbench_model_file_bytes", f'variant="{name}"')] == 7


def test_outputs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    outputs = tuple(Output(index, name, cosine=0.5 + index / 10) for index, name in enumerate(("y", "y", "")))
    save(tmp_path, run(outputs=outputs))
    values = values_of(StoreCollector(tmp_path / "store"))
    cosines = {key: value for key, value in values.items() if key.startswith("rkbench_output_cosine")}
    assert sorted(cosines.values()) == [0.5, 0.6, 0.7]
    assert named(values, "rkbench_output_cosine_similarity", 'output="#2"') != ""


def test_the_limit_keeps_the_newest_and_warns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path, *(run(number, f"m{number}") for number in range(1, 6)))
    collector = StoreCollector(tmp_path / "store", max_series=110)
    with caplog.at_level(logging.WARNING):
        values = values_of(collector)
        values_of(collector)
    assert values["rkbench_results_dropped"] == 3
    assert values["rkbench_series"] <= 110
    assert named(values, "rkbench_model_file_bytes", 'variant="m5"') != ""
    assert [record.message for record in caplog.records] == [
        "3 results are left out: more than 110 series; raise --max-series"
    ]


def test_a_missing_store_is_told_and_taken_up_once_it_is_there(tmp_path: Path) -> None:
    collector = StoreCollector(tmp_path / "store")
    assert values_of(collector)["rkbench_store_up"] == 0
    problem = collector.problem()
    assert problem is not None
    assert problem.message == f"no result store at {tmp_path / 'store'}: No such file or directory"
    assert not (tmp_path / "store").exists()
    save(tmp_path, run())
    assert values_of(collector)["rkbench_store_up"] == 1


def test_a_locked_store_leaves_the_last_results_standing(tmp_path: Path) -> None:
    save(tmp_path, run())
    collector = StoreCollector(tmp_path / "store")
    assert values_of(collector)["rkbench_store_up"] == 1
    holder = sqlite3.connect(tmp_path / "store", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    values = values_of(collector)
    problem = collector.problem()
    holder.close()
    assert (values["rkbench_store_up"], values["rkbench_results"]) == (0, 1)
    assert problem is not None
    assert "locked" in problem.message
    assert collector.problem() is None


def test_a_store_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    save(tmp_path, run(), run(2, "other"))
    collector = StoreCollector(tmp_path / "store")
    assert values_of(collector)["rkbench_results"] == 2
    (tmp_path / "new").mkdir()
    save(tmp_path / "new", run(9))
    (tmp_path / "new/store").replace(tmp_path / "store")
    assert values_of(collector)["rkbench_results"] == 1


def save(folder: Path, *runs: Collected) -> None:
    with open_store(folder / "store") as store:
        for item in runs:
            store.save(item)


def named(values: dict[str, float], name: str, label: str) -> str:
    """Return the one series of `name` with `label`; empty if there is none."""
    found = [key for key in values if key.startswith(f"{name}{{") and label in key]
    assert len(found) < 2, found
    return found[0] if found else ""
