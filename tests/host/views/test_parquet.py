"""A store as Parquet: every run once, unknown is null, whatever a file holds."""

from __future__ import annotations

from pathlib import Path

import polars
import pytest
from bench_command import run_bench
from made_runs import collected, make_run
from rkbench.results.history import MEASURE_NAMES
from rkbench.store import open_store
from rkbench.views.parquet import write_parquet


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "results.sqlite"
    with open_store(path) as opened:
        opened.save_all([collected(make_run(number, f"net{number}")) for number in range(1, 6)])
    return path


def test_a_row_a_run_over_several_files(store: Path, tmp_path: Path) -> None:
    with open_store(store) as opened:
        files = write_parquet(opened, tmp_path / "out", raw=False, damaged=[], runs_a_file=2)
    assert [path.name for path in files] == [f"runs-0000{number}.parquet" for number in (1, 2, 3)]
    frame = polars.read_parquet(tmp_path / "out" / "runs-*.parquet")
    assert frame["variant"].to_list() == [f"net{number}" for number in range(1, 6)]
    assert frame["latency_p50_s"].to_list() == [0.00226] * 5
    assert set(MEASURE_NAMES) <= set(frame.columns)
    assert frame["toolkit_version"].to_list() == [None] * 5
    assert frame.schema["toolkit_version"] == polars.String
    assert frame.schema["load_dma_buf_bytes"] == polars.Float64


def test_every_iteration_of_every_run(store: Path, tmp_path: Path) -> None:
    done = run_bench("export", "--parquet", tmp_path / "out", "--raw", "--store", store)
    assert (done.returncode, done.stdout) == (0, f"wrote 2 files into {tmp_path / 'out'}\n")
    frame = polars.read_parquet(tmp_path / "out" / "latencies-*.parquet")
    assert frame.group_by("run").len()["len"].to_list() == [561] * 5
    with open_store(store) as opened:
        raw = opened.latencies("1qmv0w0v1-03")
    ours = frame.filter(polars.col("run") == "1qmv0w0v1-03")
    assert ours["duration_ns"].to_list() == list(raw.duration_ns)
    assert ours["warmup"].to_list() == [bool(value) for value in raw.warmup]
    assert ours["set_inputs_ns"].null_count() == 561


def test_nothing_is_written_over(store: Path, tmp_path: Path) -> None:
    done = run_bench("export", "--parquet", tmp_path, "--store", store)
    assert (done.returncode, "is there already" in done.stderr) == (2, True)
    named = run_bench("export", "last", "--parquet", tmp_path / "x", "--store", store)
    assert (named.returncode, "writes the whole store" in named.stderr) == (2, True)
