"""The store keeps what it was given, whole or not at all, and says what is wrong with a file."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import collected, make_run
from rkbench.errors import StoreError, UsageError
from rkbench.runs.collect import Collected
from rkbench.runs.latencies import RawLatencies
from rkbench.runs.parts import latency
from rkbench.runs.serialize import dump_run
from rkbench.store.migrations import APPLICATION_ID, STEPS
from rkbench.store.sqlite import Store, default_path
from rkbench_agent.wire.messages import Latencies


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "results.sqlite"


def test_a_run_comes_back_as_it_was(path: Path) -> None:
    item = collected(make_run())
    with Store(path) as store:
        store.save(item)
    with Store(path) as store:
        assert store.run(item.run.id) == item.run
        assert store.latencies(item.run.id) == item.latencies
        assert store.readings(item.run.id) == list(item.readings)


def test_stages_that_are_unknown_stay_unknown(path: Path) -> None:
    with Store(path) as store:
        store.save(collected(make_run()))
        raw = store.latencies("1qmv0w0v1-01")
    assert len(raw.duration_ns) == 401
    assert list(raw.set_inputs_ns) == []
    assert next(raw.rows())["set_inputs_ns"] is None


def test_the_npus_own_time_is_kept_summarised_and_comes_back(path: Path) -> None:
    run = make_run()
    raw = RawLatencies()
    raw.append(Latencies("r", 0, False, [0, 9], [5000, 7000], None, [4000, 6000], None, [3000, 5000]))
    with Store(path) as store:
        store.save(Collected(run, raw, ()))
        rows = list(store.latencies(run.id).rows())
    assert [(row["run_ns"], row["device_ns"]) for row in rows] == [(4000, 3000), (6000, 5000)]
    summary = latency(raw)
    assert summary is not None and summary.stages.device is not None
    assert (summary.stages.device.count, summary.stages.device.p50_s) == (2, 4e-6)


def test_latencies_take_little_room(path: Path) -> None:
    with Store(path) as store:
        store.save(collected(make_run()))
    with sqlite3.connect(path) as db:
        row = db.execute(
            "SELECT length(start_ns) + length(duration_ns) + length(block) FROM latencies"
        ).fetchone()
    db.close()
    assert row[0] < 401 * 4


def test_the_start_of_an_id_is_enough(path: Path) -> None:
    with Store(path) as store:
        store.save(collected(make_run(1, push="1aaaaaaaa")))
        store.save(collected(make_run(2, push="1aaaaaaaa")))
        store.save(collected(make_run(1, push="1abbbbbbb")))
        assert [run.id for run in store.find("1aa")] == ["1aaaaaaaa-01", "1aaaaaaaa-02"]
        assert store.run("1AB").id == "1abbbbbbb-01"
        assert [run.id for run in store.find("1aaaaaaaa-02")] == ["1aaaaaaaa-02"]


@pytest.mark.parametrize("prefix", ["1a", "", "nope", "last?"])
def test_an_id_that_names_no_single_push_is_refused(path: Path, prefix: str) -> None:
    with Store(path) as store:
        store.save(collected(make_run(1, push="1aaaaaaaa")))
        store.save(collected(make_run(1, push="1abbbbbbb")))
        with pytest.raises(UsageError, match=r"fits several pushes|no run|fits"):
            store.find(prefix)


def test_last_is_the_newest_push(path: Path) -> None:
    with Store(path) as store:
        store.save(collected(make_run(1, push="1bbbbbbbb", started_at="2026-11-23T15:00:00.000+00:00")))
        store.save(collected(make_run(1, push="1aaaaaaaa", started_at="2026-11-23T14:00:00.000+00:00")))
        assert [run.id for run in store.find("last")] == ["1bbbbbbbb-01"]


def test_history_selects_by_model_digest_and_board(path: Path) -> None:
    with Store(path) as store:
        store.save(collected(make_run(1, "fp16")))
        store.save(collected(make_run(2, "int8")))
        assert [run.id[-2:] for run in store.history()] == ["02", "01"]
        assert [run.id[-2:] for run in store.history(model="int8")] == ["02"]
        assert [run.id[-2:] for run in store.history(model="0" * 63 + "1")] == ["01"]
        assert [run.id[-2:] for run in store.history(board="rk3588", limit=1)] == ["02"]
        assert store.history(board="rk3568") == []


def test_a_failed_save_leaves_nothing(path: Path) -> None:
    with Store(path) as store:
        store.save(collected(make_run()))
        with pytest.raises(StoreError, match="UNIQUE"):
            store.save(collected(make_run()))
        assert len(store.history()) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from made_runs import collected, make_run
from rkbench.store.sqlite import Store
store = Store(Path(sys.argv[1]))
store.save(collected(make_run(1)))
store._db.execute("BEGIN IMMEDIATE")
store._db.execute("DELETE FROM runs")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_while_writing_keeps_what_was_saved(path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parents[1])]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with Store(path) as store:
        assert [run.id for run in store.history()] == ["1qmv0w0v1-01"]
        store.save(collected(make_run(2)))


def test_a_locked_store_says_so(path: Path) -> None:
    Store(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with Store(path, busy_timeout_s=0.0) as store, pytest.raises(StoreError) as caught:
            store.save(collected(make_run()))
    finally:
        other.close()
    assert "locked" in caught.value.message
    assert caught.value.hint.startswith("another process is writing to it; wait")


@pytest.mark.parametrize("content", [b"no database at all, but long enough for a header" * 40, b"short"])
def test_a_file_that_is_no_database_is_named(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert "file is not a database" in caught.value.message
    assert "--store FILE" in caught.value.hint
    assert path.read_bytes() == content


def test_a_damaged_store_is_named(path: Path) -> None:
    with Store(path) as store:
        for number in range(1, 30):
            store.save(collected(make_run(number)))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(size - 8192))
    with pytest.raises(StoreError, match="malformed") as caught, Store(path) as store:
        store.history()
    assert "sqlite3" in caught.value.hint


def test_somebody_elses_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mine (x)")
    db.commit()
    db.close()
    with pytest.raises(StoreError, match="no result store of rkbench"):
        Store(path)


def test_a_store_of_a_newer_rkbench_is_left_alone(path: Path) -> None:
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match=r"has version 99; this rkbench knows up to 4"):
        Store(path)


def test_a_store_of_version_1_is_brought_forward(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    for statement in STEPS[0]:
        db.execute(statement)
    run = make_run()
    db.execute(
        "INSERT INTO runs VALUES (?, ?, ?, 'desk', 'rk3588', 'fp16', ?, 0, 0, ?)",
        (run.id, run.push, run.started_at, run.variant.sha256, dump_run(run)),
    )
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    with Store(path) as store:
        assert store.history() == [run]
        assert store.latencies(run.id) == RawLatencies()
        assert store.readings(run.id) == []
        store.save(collected(make_run(2)))
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (4,)
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert db.execute("SELECT partial FROM runs").fetchall() == [(0,), (0,)]
    db.close()


def test_a_full_disk_says_so(path: Path) -> None:
    with Store(path) as store:
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="full") as caught:
            for number in range(1, 9):
                store.save(collected(make_run(number)))
    assert caught.value.hint == "the disk is full: make room, or choose another place: --store FILE"


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/results\.sqlite"):
        Store(tmp_path / "file" / "results.sqlite")


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"RKBENCH_STORE": "/x/y.sqlite"}, "/x/y.sqlite"),
        ({"XDG_DATA_HOME": "/data"}, "/data/rkbench/results.sqlite"),
    ],
)
def test_the_store_lies_where_the_environment_says(environ: dict[str, str], path: str) -> None:
    assert default_path(environ) == Path(path)
