"""The store keeps what it was given, whole or not at all, and says what is wrong with a file."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from made_runs import collected, make_run
from rkbench.errors import StoreError
from rkbench.results.collect import Collected
from rkbench.results.history import history_row
from rkbench.results.latencies import RawLatencies
from rkbench.results.parts import latency
from rkbench.results.serialize import dump_run
from rkbench.store import open_store
from rkbench.store.sqlite.migrations import APPLICATION_ID, STEPS
from rkbench_agent.wire.messages import Latencies


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "results.sqlite"


def test_a_new_store_that_several_open_at_once_opens_for_all(tmp_path: Path) -> None:
    """Of 60 rounds one of four was told in 6 that the file is locked: SQLite does not wait there."""
    for number in range(60):
        together = Barrier(4)

        def opened(_: int, path: Path = tmp_path / str(number), together: Barrier = together) -> bool:
            together.wait(60)
            with open_store(path):
                return True

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(opened, range(4)))


def test_stages_that_are_unknown_stay_unknown(path: Path) -> None:
    with open_store(path) as store:
        store.save(collected(make_run()))
        raw = store.latencies("1qmv0w0v1-01")
    assert len(raw.duration_ns) == 561
    assert list(raw.set_inputs_ns) == []
    assert next(raw.rows())["set_inputs_ns"] is None


def test_the_npus_own_time_is_kept_summarised_and_comes_back(path: Path) -> None:
    run = make_run()
    raw = RawLatencies()
    raw.append(Latencies("r", 0, False, [0, 9], [5000, 7000], None, [4000, 6000], None, [3000, 5000]))
    with open_store(path) as store:
        store.save(Collected(run, raw, ()))
        rows = list(store.latencies(run.id).rows())
    assert [(row["run_ns"], row["device_ns"]) for row in rows] == [(4000, 3000), (6000, 5000)]
    summary = latency(raw)
    assert summary is not None and summary.stages.device is not None
    assert (summary.stages.device.count, summary.stages.device.p50_s) == (2, 4e-6)


def test_latencies_take_little_room(path: Path) -> None:
    with open_store(path) as store:
        store.save(collected(make_run()))
    with sqlite3.connect(path) as db:
        row = db.execute(
            "SELECT length(start_ns) + length(duration_ns) + length(block) FROM latencies"
        ).fetchone()
    db.close()
    assert row[0] < 561 * 5  # of 24; each block of 20 begins with a jump


def test_a_failed_save_leaves_nothing(path: Path) -> None:
    with open_store(path) as store:
        store.save(collected(make_run()))
        with pytest.raises(StoreError, match="UNIQUE"):
            store.save(collected(make_run()))
        assert len(store.history()) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from made_runs import collected, make_run
from rkbench.store import open_store
store = open_store(Path(sys.argv[1]))
store.save(collected(make_run(1)))
db = store._database._db
db.execute("BEGIN IMMEDIATE")
db.execute("DELETE FROM runs")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_while_writing_keeps_what_was_saved(path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parents[1])]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with open_store(path) as store:
        assert [row.run for row in store.history()] == ["1qmv0w0v1-01"]
        store.save(collected(make_run(2)))


def test_a_locked_store_says_so(path: Path) -> None:
    open_store(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with open_store(path, wait_s=0.0) as store, pytest.raises(StoreError) as caught:
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
        open_store(path)
    assert "file is not a database" in caught.value.message
    assert "--store FILE" in caught.value.hint
    assert path.read_bytes() == content


def test_a_damaged_store_is_named(path: Path) -> None:
    with open_store(path) as store:
        for number in range(1, 30):
            store.save(collected(make_run(number)))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(size - 8192))
    with pytest.raises(StoreError, match="malformed") as caught, open_store(path) as store:
        store.history()
    assert "sqlite3" in caught.value.hint


def test_somebody_elses_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mine (x)")
    db.commit()
    db.close()
    with pytest.raises(StoreError, match="no result store of rkbench"):
        open_store(path)


def test_a_store_of_a_newer_rkbench_is_left_alone(path: Path) -> None:
    open_store(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match=r"has version 99; this rkbench knows up to 10"):
        open_store(path)


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
    with open_store(path) as store:
        assert store.history() == [history_row(run)]
        assert store.run(run.id) == run
        assert store.latencies(run.id) == RawLatencies()
        assert store.readings(run.id) == []
        store.save(collected(make_run(2)))
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (10,)
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert db.execute("SELECT partial FROM runs").fetchall() == [(0,), (0,)]
    db.close()


def test_a_full_disk_says_so(path: Path) -> None:
    with open_store(path) as store:
        db = store._database._db  # type: ignore[attr-defined]
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="full") as caught:
            for number in range(1, 9):
                store.save(collected(make_run(number)))
    assert caught.value.hint == "the disk is full: make room, or choose another place: --store FILE"


def test_a_backup_without_room_names_its_own_way_out(path: Path, tmp_path: Path) -> None:
    with open_store(path) as store:
        store.save(collected(make_run()))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, before[1]))  # as a disk that is full after 6 kB
        try:
            with pytest.raises(StoreError, match=r"copy\.sqlite: ") as caught:
                store.backup(tmp_path / "copy.sqlite")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.hint.endswith("choose another place: bench store backup FILE")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["folder"]


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/results\.sqlite"):
        open_store(tmp_path / "file" / "results.sqlite")


def test_the_history_of_an_older_store_is_filled_from_its_documents(path: Path) -> None:
    runs = [make_run(1, started_at="2031-01-01T00:00:00.000+00:00"), make_run(2)]
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as db:
        for step in STEPS[:4]:
            for statement in step:
                db.execute(statement)
        for run in runs:
            values = (run.id, run.push, run.started_at, run.variant.sha256, dump_run(run))
            db.execute("INSERT INTO runs VALUES (?, ?, ?, 'desk', 'rk3588', 'fp16', ?, 0, 0, ?, 0)", values)
        db.execute("PRAGMA user_version = 4")
        db.commit()
    with open_store(path) as store:
        assert store.history() == [history_row(run) for run in runs]
        assert store.mark().last == (2, runs[1].id)
        store.save(collected(make_run(3)))
        assert store.mark().last.position == 3


def test_a_new_measure_gets_a_column_and_its_values_when_the_store_is_opened(path: Path) -> None:
    with open_store(path) as store:
        store.save(collected(make_run(1)))
        before = store.history()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE history DROP COLUMN cosine")
        db.commit()
    with open_store(path) as store:
        assert store.history() == before
    assert before[0].measures["cosine"] == 0.99999


def test_a_column_that_this_rkbench_does_not_know_is_left_alone(path: Path) -> None:
    with open_store(path) as store:
        store.save(collected(make_run(1)))
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE history ADD COLUMN joules REAL")
        db.execute("UPDATE history SET joules = 0.5")
        db.commit()
    with open_store(path) as store:
        store.save(collected(make_run(2)))
        assert len(store.history()) == 2
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT joules FROM history").fetchall() == [(0.5,), (None,)]


def test_a_document_that_cannot_be_read_hides_no_other(path: Path) -> None:
    with open_store(path) as store:
        for number in (1, 2):
            store.save(collected(make_run(number)))
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE runs SET document = '{' WHERE id LIKE '%-01'")
        db.execute("DROP TABLE history")
        db.execute("DROP TABLE noise_floors")
        db.execute("DROP TABLE tags")
        for column in ("load", "unread"):
            db.execute(f"ALTER TABLE latencies DROP COLUMN {column}")
        db.execute("CREATE INDEX runs_by_time ON runs (started_at)")
        db.execute("CREATE INDEX runs_by_model ON runs (model, board)")
        db.execute("PRAGMA user_version = 4")
        db.commit()
    with open_store(path) as store:
        good, bad = store.history()
        assert good == history_row(make_run(2))
        assert (bad.run, bad.variant, bad.verdict, set(bad.measures.values())) == (
            "1qmv0w0v1-01",
            "fp16",
            None,
            {None},
        )
        with pytest.raises(StoreError, match="is no JSON"):
            store.run(bad.run)


@pytest.mark.parametrize(("digits", "kept"), [(20, 1e20), (400, None)])
def test_a_number_that_no_column_holds_does_not_keep_the_store_shut(
    path: Path, digits: int, kept: float | None
) -> None:
    with open_store(path) as store:
        store.save(collected(make_run()))
    size = '"size_bytes":'
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(
            "UPDATE runs SET document = replace(document, ?, ?)",
            (f"{size}14580397", f"{size}1{'0' * digits}"),
        )
        db.execute("ALTER TABLE history DROP COLUMN size_bytes")
        db.commit()
    with open_store(path) as store:
        assert store.history()[0].measures["size_bytes"] == kept


@pytest.mark.parametrize("column", [b"no zlib", zlib.compress(b"abc"), "text"])
def test_latencies_that_are_damaged_are_named(path: Path, column: object) -> None:
    with open_store(path) as store:
        store.save(collected(make_run()))
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("UPDATE latencies SET duration_ns = ?", (column,))
            db.commit()
        with pytest.raises(StoreError, match="a damaged entry"):
            store.latencies("1qmv0w0v1-01")


def test_a_run_that_is_deleted_takes_its_row_along_and_its_place_is_not_given_again(path: Path) -> None:
    with open_store(path) as store:
        store.save(collected(make_run(1)))
        with store._database.transaction() as db:  # type: ignore[attr-defined]
            db.execute("DELETE FROM runs")
        assert store.history() == []
        store.save(collected(make_run(2)))
        assert store.mark().last == (2, "1qmv0w0v1-02")
