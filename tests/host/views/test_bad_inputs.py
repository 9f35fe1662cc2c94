"""What can be wrong around stored runs: each command says it, and leaves nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from bench_command import BENCH, Done, run_bench
from made_runs import collected, make_run
from rkbench.errors import StoreError
from rkbench.results.model import RunResult
from rkbench.store import open_store
from rkbench.store.copying import copy_to_file
from rkbench.views.parquet import write_parquet

HOSTILE = "=cmd|' C calc'!A0<img src=x onerror=alert(1)>\x1b[31m" + "x" * 200
#: Every command that reads runs by a name, and every one that writes.
NAMED = (("show", "none"), ("compare", "none"), ("tag", "none", "word"), ("report", "none", "-o", "r.html"))
WRITING = (
    ("report", "last", "-o", "r.html"),
    ("report", "last", "-o", "r.md"),
    ("report", "last", "-o", "r.png"),
    ("report", "last", "--trace", "r.json"),
    ("report", "--site", "site"),
    ("history", "--plot", "p50", "-o", "r.svg"),
    ("history", "--csv", "r.csv"),
    ("export", "--raw", "--csv", "r.csv"),
    ("export", "--raw", "--parquet", "parquet"),
    ("store", "backup", "copy.sqlite"),
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "s.sqlite"
    with open_store(path) as opened:
        for number, name in enumerate(("net.fp16", "net.int8"), 1):
            opened.save(collected(make_run(number, name), 2_260_000 - number * 80_000))
    return path


@pytest.fixture
def read_only(tmpfs: Path) -> Iterator[Path]:
    """A file system that holds an older report, and on which nothing can be written."""
    (tmpfs / "r.html").write_text("older")
    subprocess.run(["mount", "-o", "remount,ro", str(tmpfs)], check=True)
    yield tmpfs
    subprocess.run(["mount", "-o", "remount,rw", str(tmpfs)], check=True)


@pytest.fixture
def full(tmpfs: Path) -> Path:
    """A file system that holds an older report, and has 4 kB left."""
    (tmpfs / "r.html").write_text("older")
    room = os.statvfs(tmpfs)
    (tmpfs / "filling").write_bytes(bytes((room.f_bavail - 1) * room.f_bsize))
    return tmpfs


def bench(store: Path, *words: object, folder: Path | None = None) -> Done:
    environment = {"COLUMNS": "80", "TZ": "UTC", "PATH": os.environ["PATH"], "TMPDIR": "/tmp"}
    return run_bench(*words, "--store", store.resolve(), environment=environment, folder=folder)


@pytest.mark.parametrize("words", NAMED, ids=" ".join)
def test_a_run_that_is_not_there_is_named(store: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = bench(store, *words, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"bench: no run 'none' in {store}\n  → list them: bench history\n"


@pytest.mark.parametrize("name", ["0001-01-01", "9999-12-31", "\udcff", "night-\udcff", "nul\0"], ids=ascii)
@pytest.mark.parametrize("words", NAMED, ids=" ".join)
def test_no_name_is_too_odd_to_be_refused(store: Path, words: tuple[str, ...], name: str) -> None:
    done = bench(store, *(name if word == "none" else word for word in words), folder=store.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("report", "last", "-o", f"{'x' * 300}.html"),
        ("history", "--csv", f"{'x' * 300}.csv"),
        ("push", f"{'x' * 300}.rknn", "--board", "virtual"),
        ("report", "--site", "x" * 300),
        ("export", "--parquet", "x" * 300),
        ("store", "backup", "x" * 300),
    ],
    ids=lambda words: words[0],
)
def test_a_path_that_is_too_long_is_named(store: Path, words: tuple[str, ...]) -> None:
    done = bench(store, *words, folder=store.parent)
    assert done.returncode in (1, 2)
    assert "File name too long" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", f"import os, sys; os.rmdir(os.getcwd())\n{BENCH}", "boards", "list"],
        cwd=tmp_path / "gone",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "bench: the folder that this is typed in is gone"


def test_a_store_on_a_full_disk_that_cannot_be_read_either_says_why(store: Path, tmpfs: Path) -> None:
    shutil.copy(store, tmpfs / "s.sqlite")
    room = os.statvfs(tmpfs)
    (tmpfs / "filling").write_bytes(bytes(room.f_bavail * room.f_bsize))
    done = bench(tmpfs / "s.sqlite", "history")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the disk is full: make room" in done.stderr


def test_what_an_export_has_written_so_far_is_counted(store: Path, tmp_path: Path) -> None:
    told: list[int] = []
    with open_store(store) as opened:
        write_parquet(opened, tmp_path / "pq", raw=False, damaged=[], told=told.append, runs_a_file=1)
        write_parquet(opened, tmp_path / "all", raw=False, damaged=[], told=told.append)
    assert told == [1, 2, 2]


def test_a_site_says_that_it_is_written(store: Path, tmp_path: Path) -> None:
    done = bench(store, "report", "--site", tmp_path / "site")
    assert done.stderr.startswith("writing ")
    assert bench(store, "--quiet", "report", "--site", tmp_path / "other").stderr == ""


def test_a_history_of_an_odd_name_is_empty(store: Path) -> None:
    done = bench(store, "history", "--model", "\udcff", "--board", "\udcff*")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("no stored run fits --model")


@pytest.mark.parametrize("words", NAMED, ids=" ".join)
def test_a_store_without_runs_says_that_it_has_none(tmp_path: Path, words: tuple[str, ...]) -> None:
    open_store(tmp_path / "empty.sqlite").close()
    done = bench(tmp_path / "empty.sqlite", *words, folder=tmp_path)
    assert done.returncode == 2
    assert "it holds none yet: bench push MODEL.rknn --board virtual" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("empty")) == []


def test_an_export_of_nothing_says_so(tmp_path: Path) -> None:
    open_store(tmp_path / "empty.sqlite").close()
    done = bench(tmp_path / "empty.sqlite", "export")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "bench: no runs stored yet\n")


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
def test_a_disk_that_is_read_only_is_named(store: Path, read_only: Path, words: tuple[str, ...]) -> None:
    done = bench(store, *words, folder=read_only)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("bench: ")
    assert "\n  → " in done.stderr
    assert [path.name for path in read_only.iterdir()] == ["r.html"]
    assert (read_only / "r.html").read_text() == "older"


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
def test_a_disk_that_is_full_keeps_what_it_has(store: Path, full: Path, words: tuple[str, ...]) -> None:
    before = {path.name: path.stat().st_size for path in full.iterdir()}
    done = bench(store, *words, folder=full)
    if done.returncode == 0:  # a file that fits into what is left
        assert sum(path.stat().st_size for path in full.iterdir() if path.name not in before) <= 4096
        return
    assert done.returncode == 1
    assert "full" in done.stderr or "No space left on device" in done.stderr
    assert "make room" in done.stderr
    assert {path.name: path.stat().st_size for path in full.iterdir()} == before


def test_a_run_of_another_schema_costs_no_other(store: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store)) as db:
        (text,) = db.execute("SELECT document FROM runs WHERE id LIKE '%-02'").fetchone()
        newer = {**json.loads(text), "verdict": "SPLENDID"}
        db.execute("UPDATE runs SET document = ? WHERE id LIKE '%-02'", [json.dumps(newer)])
        db.commit()
    whole, bad = "1qmv0w0v1-01", "the stored run 1qmv0w0v1-02 is not as it should be"
    for words in (("show", "last"), ("compare", "last"), ("report", "last", "-o", "r.html")):
        done = bench(store, *words, folder=tmp_path)
        assert (done.returncode, bad in done.stderr) == (1, True)
        assert "written by a newer rkbench" in done.stderr
    assert bench(store, "show", whole).returncode == 0
    assert bench(store, "report", whole, "-o", "r.html", folder=tmp_path).returncode == 0
    assert bench(store, "history").stdout.count("net.") == 2
    assert bench(store, "report", "--site", "site", folder=tmp_path).returncode == 0
    assert bad in (tmp_path / "site/pushes/1qmv0w0v1.html").read_text()


def test_a_run_of_an_older_schema_reads_as_it_was(store: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store)) as db:
        (text,) = db.execute("SELECT document FROM runs WHERE id LIKE '%-02'").fetchone()
        kept = [each.name for each in fields(RunResult) if MISSING is each.default is each.default_factory]
        older = {name: value for name, value in json.loads(text).items() if name in kept}
        db.execute("UPDATE runs SET document = ? WHERE id LIKE '%-02'", [json.dumps(older)])
        db.commit()
    shown = bench(store, "show", "last")
    assert shown.returncode == 0, shown.stderr
    assert "net.int8" in shown.stdout
    assert bench(store, "report", "last", "-o", "r.html", folder=tmp_path).returncode == 0
    assert bench(store, "compare", "last").returncode == 0


def test_a_report_without_raw_latencies_shows_what_there_is(store: Path, tmp_path: Path) -> None:
    assert bench(store, "store", "prune", "--older-than", "1d", "--raw").returncode == 0
    done = bench(store, "report", "last", "-o", "r.html", "--trace", "r.json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r.html").read_text()
    assert "2.26 ms" in page
    assert "share of the calls" not in page


def test_names_that_attack_act_nowhere(store: Path, tmp_path: Path) -> None:
    with open_store(store) as opened:
        opened.save(collected(make_run(3, HOSTILE)))
    for words in WRITING[:7]:
        done = bench(store, *words, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stderr.isprintable() or "\x1b" not in done.stderr
    for path in tmp_path.rglob("*"):
        if path.suffix in (".html", ".md", ".svg", ".csv", ".js"):
            text = path.read_text()
            assert "\x1b" not in text, path
            assert path.suffix == ".csv" or "<img src=x" not in text.replace("\\<", "&lt;"), path
            assert not any(cell.startswith("=") for line in text.splitlines() for cell in line.split(",")), (
                path
            )


def test_what_was_written_is_said_on_stderr(store: Path, tmp_path: Path) -> None:
    done = bench(store, "report", "last", "-o", "r.md", "--trace", "r.json", folder=tmp_path)
    sizes = [(tmp_path / name).stat().st_size for name in ("r.md", "r.json")]
    assert [line.split(",")[0] for line in done.stderr.splitlines()] == ["wrote r.md", "wrote r.json"]
    assert all(size >= 1000 for size in sizes)
    assert f"{sizes[0] / 1000:.2f} kB" in done.stderr.splitlines()[0]
    assert done.stdout == ""
    assert bench(store, "report", "last", "-o", "r.md", "--quiet", folder=tmp_path).stderr == ""


def test_a_vl_convert_that_cannot_be_loaded_costs_the_drawings_alone(store: Path, tmp_path: Path) -> None:
    (tmp_path / "vl_convert.py").write_text("raise ImportError('libm.so.6: GLIBC_2.38 not found')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", "from rkbench.cli import main; main()", "report", "last"]
    for name, code in (("r.html", 0), ("r.png", 2)):
        words = [*command, "--store", str(store), "-o", str(tmp_path / name)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
    assert "GLIBC_2.38 not found" in done.stderr
    assert "drawings need vl-convert: pip install" in (tmp_path / "r.html").read_text()


def test_pictures_need_no_fonts_of_the_system(store: Path, tmp_path: Path) -> None:
    none = tmp_path / "fonts.conf"
    none.write_text("<?xml version='1.0'?><!DOCTYPE fontconfig SYSTEM 'fonts.dtd'><fontconfig/>")
    environment = {**os.environ, "FONTCONFIG_FILE": str(none), "HOME": str(tmp_path)}
    command = [sys.executable, "-c", "from rkbench.cli import main; main()", "report", "last"]
    words = [*command, "--store", str(store), "-o", str(tmp_path / "r.svg")]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "latency of a call (ms)" in (tmp_path / "r.svg").read_text()


def test_a_backup_by_way_of_documents_says_what_it_lacks(store: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store)) as db:
        db.execute("UPDATE runs SET document = '{' WHERE id LIKE '%-02'")
        db.commit()
    with open_store(store) as opened:
        lacking = copy_to_file(opened, tmp_path / "copy.sqlite")
    assert len(lacking) == 1
    assert "1qmv0w0v1-02" in lacking[0]


def test_such_a_backup_on_a_full_disk_names_itself(store: Path, full: Path) -> None:
    with open_store(store) as opened, pytest.raises(StoreError, match=r"/copy\.sqlite: ") as caught:
        copy_to_file(opened, full / "copy.sqlite")
    assert caught.value.hint.endswith("choose another place: bench store backup FILE")
    assert sorted(path.name for path in full.iterdir()) == ["filling", "r.html"]
