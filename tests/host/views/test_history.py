"""The past as a list, as files and over time; nights by name; the store as a whole."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench_command import Done, run_bench
from made_runs import collected, make_latency, make_run
from rkbench.campaign.past import moment_of
from rkbench.errors import UsageError
from rkbench.results.history import history_row
from rkbench.results.measures import LATENCY_P50, SIZE
from rkbench.results.night import BoardReport, CellResult, GateResult, Night
from rkbench.results.trend import trends
from rkbench.schema import SCHEMAS
from rkbench.stats.judging import Judgement
from rkbench.store import open_store
from rkbench.store.base import Baseline, RunTag
from rkbench.views.report.charts.trend import trend_charts
from rkbench.views.trend import HEIGHT, plot_lines
from strict_schema import strict_validator

NIGHTS = ("night-01kazjrv6g3yxqb5d8hn4t2wce", "night-01kazk000gq0f7m2c9s1d4k5w6")


def push(day: int) -> str:
    return f"01kazk0000000000000000{day:02d}ab"


def run_of(day: int, **changes: Any) -> Any:
    """Return the run of a day: faster with another driver from the 13th on."""
    run = make_run(1, "net.fp16", push=push(day), started_at=f"2026-11-{day:02d}T14:00:00.000+00:00")
    board = replace(run.board, driver_version="0.9.8" if day >= 13 else "0.9.6")
    latency = make_latency(0.002 if day >= 13 else 0.0022)
    return collected(replace(run, **{"board": board, "latency": latency, **changes}))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Six days, two of which were nights; the last of these is a baseline, and the first day has a tag."""
    path = tmp_path / "results.sqlite"
    with open_store(path) as opened:
        for day in (10, 11, 14):
            opened.save(run_of(day))
        passed = GateResult("size <= 1GB", "size", "", "pass", (Judgement("pass", 1.0),))
        for night_id, day, state in ((NIGHTS[0], 12, "pass"), (NIGHTS[1], 13, "fail")):
            night = Night(night_id, "lab", "f", 1000.0 + day, 5000.0, boards=(BoardReport("desk"),))
            opened.save_night(night)
            gates = (replace(passed, state=state),)  # type: ignore[arg-type]  # one of the states
            cell = CellResult("m", "net.fp16", "desk", "p", runs=(f"{push(day)}-01",), gates=gates)
            opened.save_cell(night, 0, cell, [run_of(day)])
        opened.save(run_of(15, plan=replace(make_run().plan, scenario="offline")))
        opened.accept([Baseline("lab", "net.fp16", "desk", "p", False, f"{push(13)}-01", NIGHTS[1], 1.0, "")])
        opened.save_tags([RunTag(f"{push(10)}-01", "first", "", 1.0)])
    return path


def bench(store: Path, *words: object, columns: int = 80) -> Done:
    return run_bench(*words, "--store", store, environment={"COLUMNS": str(columns), "TZ": "UTC"})


def test_nights_scenarios_and_tags_are_seen_in_the_list(store: Path) -> None:
    lines = bench(store, "history", columns=100).stdout.splitlines()
    assert lines[0].split()[-1] == "scenario"
    assert [line.split()[-1] for line in lines if "offline" in line] == ["offline"]
    assert ["11-13" in line or "11-12" in line for line in lines if "VALID ○" in line] == [True, True]
    assert any(line.strip() == "#first" for line in lines)
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize(
    ("words", "days"),
    [
        (("--since", "2026-11-13"), [15, 14, 13]),
        (("--since", "2026-11-14T14:00:00+00:00"), [15, 14]),
        (("--model", "net.*", "--limit", "2"), [15, 14]),
        (("--model", "*.int8"), []),
        (("--board", "d*"), [15, 14, 13, 12, 11, 10]),
    ],
)
def test_runs_are_chosen(store: Path, words: tuple[str, ...], days: list[int]) -> None:
    rows = list(csv.DictReader(io.StringIO(bench(store, "history", *words, "--csv", "-").stdout)))
    assert [int(row["started_at"][8:10]) for row in rows] == days


def test_the_files_hold_every_run_and_measure(store: Path) -> None:
    document = bench(store, "history", "--json", "-").document
    strict_validator(SCHEMAS / "rkbench-history-1.schema.json").validate(document)
    newest, *_, oldest = document["runs"]
    assert (newest["row"]["scenario"], oldest["tags"]) == ("offline", ["first"])
    assert oldest["row"]["measures"]["latency_p50_s"] == 0.0022
    rows = list(csv.DictReader(io.StringIO(bench(store, "history", "--csv", "-").stdout)))
    assert (rows[-1]["latency_p50_s"], rows[-1]["tags"]) == ("0.0022", "first")
    assert rows[2]["night"] == NIGHTS[1]


def test_what_is_no_time_or_measure_is_said(store: Path) -> None:
    for words, said in (
        (("--since", "yesterday"), "no time"),
        (("--plot", "p5"), "no measure"),
        (("-o", "x.png"), "a picture of what?"),
        (("--plot", "p50", "-o", "x.txt"), "no kind of picture"),
    ):
        done = bench(store, "history", *words)
        assert (done.returncode, said in done.stderr) == (2, True), words


def test_a_span_ends_now() -> None:
    assert [moment_of(text, 1e9) for text in ("30m", "12h", "7d", "4w")] == [
        1e9 - 1800,
        1e9 - 43200,
        1e9 - 604800,
        1e9 - 2419200,
    ]
    with pytest.raises(UsageError):
        moment_of("2026-02-30", 1e9)


def plotted(*days: int, **changes: Any) -> Any:
    rows = [history_row(run_of(day, **changes).run) for day in days]
    (found,) = trends(rows, LATENCY_P50, {f"{push(13)}-01"})
    return found


def test_a_measure_over_time_tells_what_changed() -> None:
    found = plotted(14, 10, 13)
    assert [round(point.value * 1e6) for point in found.points] == [2200, 2000, 2000]
    assert [change.words for change in found.changes] == ["driver 0.9.6 → 0.9.8"]
    assert [point.is_baseline for point in found.points] == [False, True, False]


def test_what_a_file_says_is_not_simulated_where_its_latency_is() -> None:
    rows = [history_row(run_of(10, simulated=True).run)]
    assert [found.simulated for found in trends(rows, LATENCY_P50)] == [True]
    assert [found.simulated for found in trends(rows, SIZE)] == [False]


def test_failed_runs_and_other_boards_are_not_in_a_series() -> None:
    rows = [history_row(run_of(day).run) for day in (10, 11, 12)]
    rows[1] = replace(rows[1], failed=True)
    rows[2] = replace(rows[2], board="shelf")
    found = trends(rows, LATENCY_P50)
    assert [(trend.name, len(trend.points)) for trend in found] == [
        ("net.fp16 on desk", 1),
        ("net.fp16 on shelf", 1),
    ]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_plot_fits_and_has_its_points_where_they_belong(width: int) -> None:
    lines = [line for line, _ in plot_lines(plotted(10, 13, 14), LATENCY_P50, width)]
    assert max(map(len, lines)) <= width
    plane = lines[1 : 1 + HEIGHT]
    assert plane[0].startswith("2.20 ms │•")
    assert plane[-1].startswith("2.00 ms │") and plane[-1].endswith("•")
    assert "◆" in plane[-1]
    assert sum("┊" in line for line in plane) >= HEIGHT - 1
    assert lines[-1] == "┊ 2026-11-13 14:00  driver 0.9.6 → 0.9.8"


def test_a_plot_of_one_run_or_of_equal_ones_is_one() -> None:
    assert sum("•" in line for line, _ in plot_lines(plotted(10), LATENCY_P50, 80)) == 1
    assert sum("•" in line for line, _ in plot_lines(plotted(10, 11), LATENCY_P50, 80)) == 1


def test_the_axis_of_a_plot_tells_its_ends_apart() -> None:
    close = replace(
        plotted(10, 11),
        points=tuple(
            replace(point, value=value)
            for point, value in zip(plotted(10, 11).points, (964.72e-6, 964.78e-6), strict=True)
        ),
    )
    plane = [line.split(" │")[0].strip() for line, _ in plot_lines(close, LATENCY_P50, 80)][1 : 1 + HEIGHT]
    assert (plane[0], plane[-1]) == ("964.8 µs", "964.7 µs")
    same = [line for line, _ in plot_lines(plotted(10, 11), LATENCY_P50, 80)][1 : 1 + HEIGHT]
    assert [line for line in same if not line.startswith(" ")] == [same[HEIGHT // 2]]


def test_the_drawing_of_it_has_units_and_all_points(store: Path, tmp_path: Path) -> None:
    (chart,) = trend_charts([plotted(10, 13, 14)], LATENCY_P50)
    line = chart.wide["layer"][0]
    assert line["encoding"]["y"]["title"] == "p50 (ms)"
    assert [row["value"] for row in line["data"]["values"]] == pytest.approx([2.2, 2.0, 2.0])
    assert chart.title == f"p50 over time: {plotted(10).name}"
    assert line["encoding"]["x"]["axis"]["format"].startswith("%Y-%m-%d"), "hours alone tell no day"
    assert plot_lines(plotted(10), LATENCY_P50, 80)[0][0].count(" 1 run, ") == 1
    assert trend_charts([], LATENCY_P50) == []
    done = bench(store, "history", "--plot", "p50", "-o", tmp_path / "p50.svg")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "p50.svg").read_text().startswith("<svg")


def test_nights_are_listed_and_shown(store: Path) -> None:
    lines = bench(store, "nights", columns=100).stdout.splitlines()
    assert "RED, 1 crossed" in lines[1] and "night-4k5w6"[-5:] in lines[1]
    assert lines[2].endswith("green")
    shown = bench(store, "show", "night~1")
    assert (shown.returncode, "GREEN: lab, all 1 gates kept" in shown.stdout) == (0, True)
    assert bench(store, "show", "night", "--json", "-").document["id"] == NIGHTS[1]
    assert "no night of x in the store" in bench(store, "nights", "--suite", "x").stdout


def test_a_whole_store_is_checked_copied_and_taken_in(store: Path, tmp_path: Path) -> None:
    copy, new = tmp_path / "copy.sqlite", tmp_path / "new.sqlite"
    assert "6 runs, 2 nights; all of it can be read" in bench(store, "store", "check", columns=300).stdout
    assert bench(store, "store", "backup", copy).returncode == 0
    assert bench(store, "store", "backup", copy).returncode == 2
    assert "6 runs, 2 nights, 1 tag taken in" in bench(new, "store", "import", copy, columns=300).stdout
    again = bench(new, "store", "import", copy, columns=300).stdout
    assert "0 runs, 0 nights, 0 tags taken in, 6 runs there already" in again
    with open_store(store) as one, open_store(new) as other:
        assert one.history() == other.history()
        assert [one.night(night) for night in NIGHTS] == [other.night(night) for night in NIGHTS]
        assert one.latencies(f"{push(10)}-01") == other.latencies(f"{push(10)}-01")
        assert other.baselines() == []


def test_a_damaged_run_is_named_and_the_others_are_saved(store: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store)) as db:
        db.execute("UPDATE runs SET document = '{' WHERE id LIKE '%14ab-01'")
        db.commit()
    done = bench(store, "store", "check", columns=300)
    assert (done.returncode, "1 damaged" in done.stdout) == (1, True)
    assert "14ab-01" in done.stdout
    new = tmp_path / "new.sqlite"
    assert bench(new, "store", "import", store).returncode == 1
    with open_store(new) as saved:
        assert len(saved.history()) == 5


def test_a_store_is_not_taken_into_itself_nor_made_by_a_check(store: Path, tmp_path: Path) -> None:
    assert "that store itself" in bench(store, "store", "import", store).stderr
    assert bench(tmp_path / "none.sqlite", "store", "check").returncode == 2
    assert not (tmp_path / "none.sqlite").exists()
    assert bench(store, "store", "import", tmp_path / "none.sqlite").returncode == 2


def test_an_import_leaves_an_older_store_as_it_is(store: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA user_version = 8")
        db.execute("DROP TABLE tags")
        db.execute("DROP INDEX history_by_unix_time")
        db.execute("DROP INDEX history_by_variant")
        db.execute("DROP INDEX history_by_sha256")
        db.execute("DROP INDEX history_by_night")
        db.execute("ALTER TABLE history DROP COLUMN night")
        db.commit()
    before = store.read_bytes()
    done = bench(tmp_path / "new.sqlite", "store", "import", store, columns=300)
    assert "6 runs, 2 nights, 0 tags taken in" in done.stdout
    assert store.read_bytes() == before


def test_beside_a_file_the_terminal_shows_the_newest_and_the_file_has_all(tmp_path: Path) -> None:
    path = tmp_path / "many.sqlite"
    with open_store(path) as store:
        for number in range(1, 31):
            store.save(collected(make_run(number, f"net-{number}")))
    done = bench(path, "history", "--json", tmp_path / "h.json")
    assert done.stdout.count("net-") == 20
    assert done.stdout.splitlines()[-1] == f"the newest 20 of 30: {tmp_path / 'h.json'} has them all"
    text = (tmp_path / "h.json").read_text()
    found = json.loads(text)
    assert (found["schema"], len(found["runs"])) == ("rkbench-history/1", 30)
    assert text == json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    assert bench(path, "history", "--json", "-", "--model", "none").stdout.splitlines()[-2] == ' "runs": []'


def test_a_narrow_list_tells_once_what_all_runs_share_and_breaks_no_name_for_it(tmp_path: Path) -> None:
    path = tmp_path / "names.sqlite"
    names = ("digits.regrouped.rk3588.int8", "digits.regrouped.rk3588.fp16")
    with open_store(path) as opened:
        opened.save_all([collected(make_run(number, name)) for number, name in enumerate(names, 1)])
    lines = bench(path, "history").stdout.splitlines()
    assert lines[0] == "variants digits.regrouped.rk3588.…"
    assert ["board" in lines[1], lines[4]] == [False, "all on board desk"]
    assert [line.split()[3] for line in lines[2:4]] == ["fp16", "int8"]
    wide = bench(path, "history", columns=120).stdout.splitlines()
    assert all(name in " ".join(wide) for name in names)
    assert "board" in wide[0]


def test_what_was_simulated_and_what_was_measured_are_no_one_series() -> None:
    runs = [make_run(1, "net", push="p1"), make_run(1, "net", push="p2", simulated=True)]
    found = trends([history_row(run) for run in runs], LATENCY_P50)
    assert [trend.name for trend in found] == ["net on desk", "net on desk, simulated"]
