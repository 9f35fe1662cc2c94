"""CSV for people with spreadsheets: units in the header, unknown is empty, one line a run or an iteration."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rkbench.errors import UsageError
from rkbench.results.loads import Load, LoadRange
from rkbench.views.output import check_output, open_output, write_text
from rkbench.views.push.csv import write_latencies, write_runs
from view_runs import collected, make_run, story


def test_a_line_a_run() -> None:
    out = io.StringIO()
    write_runs(story()[0], out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["variant"] for row in rows][1:3] == ["digits.int8", "digits.regrouped.int8"]
    assert (rows[1]["size_bytes"], rows[1]["latency_p50_s"], rows[1]["simulated"]) == (
        "7376967",
        "0.00143",
        "1",
    )
    assert (rows[3]["latency_p50_s"], rows[3]["failure_stage"], rows[3]["partial"]) == ("", "load", "1")
    assert rows[0]["latency_provenance"] == "modelled"


def test_load_figures_have_their_range_beside() -> None:
    loads = replace(make_run().load or Load(), ranges=(LoadRange("duration_s", 8, 0.05, 0.09),))
    out = io.StringIO()
    write_runs([replace(make_run(), load=loads)], out)
    (row,) = csv.DictReader(io.StringIO(out.getvalue()))
    assert (row["load_duration_low_s"], row["load_duration_high_s"]) == ("0.05", "0.09")
    assert (row["load_rss_delta_low_bytes"], row["load_rss_delta_high_bytes"]) == ("", "")


def test_a_line_an_iteration() -> None:
    out = io.StringIO()
    item = collected(make_run(), 1000)
    write_latencies([(item.run, item.latencies)], out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(rows) == 561
    assert (rows[0]["warmup"], rows[0]["duration_ns"], rows[0]["run_ns"]) == ("1", "2000", "")
    assert (rows[1]["iteration"], rows[1]["start_ns"], rows[1]["duration_ns"]) == ("1", "33000000000", "999")
    assert math.fsum(int(row["warmup"]) for row in rows) == 1


def test_nothing_is_nothing() -> None:
    out = io.StringIO()
    write_runs([], out)
    assert out.getvalue() == ""


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    write_text(str(target), "old")
    with pytest.raises(KeyboardInterrupt), open_output(str(target)) as out:
        out.write("new")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_a_place_that_cannot_be_written_is_named_before_measuring(tmp_path: Path) -> None:
    for target, words in ((tmp_path, "a folder"), (tmp_path / "no" / "out.json", "no folder")):
        with pytest.raises(UsageError, match=words):
            check_output(str(target))
