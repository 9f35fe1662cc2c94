"""No result takes the place of a result store, of a model, of what is read for it, or of another result."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from io import StringIO
from pathlib import Path

import pytest
from bench_command import run_bench
from made_runs import collected, make_run
from rkbench.errors import UsageError
from rkbench.store import open_store
from rkbench.views.output import check_output, write_text

DATA = Path("host/rkbench/demo/data").resolve()
PUSH = ("push", "net.rknn", "--board", "virtual", "--store", "s.sqlite")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a store of two runs, a model, a golden and the file of a suite."""
    with open_store(tmp_path / "s.sqlite") as opened:
        for number, name in enumerate(("net.fp16", "net.int8"), 1):
            opened.save(collected(make_run(number, name), 2_180_000))
    shutil.copy(DATA / "digits.regrouped.int8.rknn", tmp_path / "net.rknn")
    shutil.copy(DATA / "golden.npz", tmp_path / "golden.npz")
    shutil.copy(DATA / "digits.onnx", tmp_path / "net.onnx")
    (tmp_path / "suite.toml").write_text('models = ["net.rknn"]\nboards = ["virtual"]\n')
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("history", "--json", "s.sqlite"),
        ("history", "--csv", "s.sqlite"),
        ("show", "last", "--json", "s.sqlite"),
        ("compare", "last", "--json", "s.sqlite"),
        ("report", "last", "--trace", "s.sqlite"),
        ("export", "--csv", "s.sqlite"),
        ("export", "--raw", "--csv", "s.sqlite"),
        ("history", "--csv", "net.rknn"),
        (*PUSH[:4], "--json", "s.sqlite"),
        (*PUSH[:4], "--jsonl", "s.sqlite"),
        (*PUSH[:4], "--csv", "net.rknn"),
        (*PUSH[:4], "--golden", "golden.npz", "--csv", "golden.npz"),
        (*PUSH[:4], "--onnx", "net.onnx", "--json", "net.onnx"),
        ("nightly", "suite.toml", "--markdown", "suite.toml"),
    ],
    ids=" ".join,
)
def test_what_is_read_is_not_written_over(folder: Path, words: tuple[str, ...]) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = run_bench(*words, "--store", "s.sqlite", folder=folder)
    assert "would" in done.stderr
    assert done.returncode == 2
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("option", ["--json", "--jsonl"])
def test_a_store_that_is_yet_to_be_made_is_no_place_for_a_result(folder: Path, option: str) -> None:
    done = run_bench(*PUSH[:4], "--store", "new.sqlite", option, "./new.sqlite", folder=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{option} ./new.sqlite would overwrite the result store" in done.stderr
    assert not (folder / "new.sqlite").exists()


@pytest.mark.parametrize(
    "words",
    [
        (*PUSH, "--html", "p.html", "--json", "p.html"),
        ("report", "last", "-o", "r.md", "--trace", "./r.md"),
        ("history", "--plot", "p50", "-o", "h.svg", "--csv", "h.svg"),
        ("history", "--json", "h.json", "--csv", "h.json"),
        ("history", "--json", "-", "--csv", "-"),
    ],
    ids=" ".join,
)
def test_two_results_do_not_share_a_file(folder: Path, words: tuple[str, ...]) -> None:
    before = sorted(folder.iterdir())
    done = run_bench(*words, *(() if words[0] == "push" else ("--store", "s.sqlite")), folder=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "one file" in done.stderr or "cannot both have stdout" in done.stderr
    assert sorted(folder.iterdir()) == before


def test_an_older_result_and_an_empty_file_are_replaced(tmp_path: Path) -> None:
    for name, text in (("older.json", "{}"), ("empty.json", "")):
        (tmp_path / name).write_text(text)
        check_output(str(tmp_path / name))
        write_text(str(tmp_path / name), "[1]")
        assert (tmp_path / name).read_text() == "[1]"


def test_a_result_goes_where_a_link_leads(tmp_path: Path) -> None:
    for name in ("there.json", "new.json"):
        (tmp_path / f"link.{name}").symlink_to(name)
    (tmp_path / "there.json").write_text("older")
    for name in ("there.json", "new.json"):
        write_text(str(tmp_path / f"link.{name}"), "[1]")
        assert (tmp_path / name).read_text() == "[1]"
        assert (tmp_path / f"link.{name}").is_symlink()
    assert len(list(tmp_path.iterdir())) == 4


class Heard(StringIO):
    """A stderr that tells when a line is complete: what a thread writes while it is emptied would be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.line = threading.Event()

    def flush(self) -> None:
        if self.getvalue().endswith("\n"):
            self.line.set()


def test_who_waits_for_the_reader_of_a_pipe_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, heard = tmp_path / "pipe", Heard()
    monkeypatch.setattr(sys, "stderr", heard)
    os.mkfifo(pipe)
    writer = threading.Thread(target=write_text, args=(str(pipe), "[1]"), daemon=True)
    writer.start()
    assert heard.line.wait(60)
    assert heard.getvalue() == f"bench: {pipe} is a pipe: waiting until it is read\n"
    assert pipe.read_text() == "[1]"
    writer.join()


def test_nothing_is_said_of_a_pipe_that_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(str(pipe), "[1]")
    assert (os.read(reader, 9), os.read(reader, 9)) == (b"[1]", b"")
    os.close(reader)
    assert capsys.readouterr().err == ""


def test_a_link_to_a_store_is_that_store(folder: Path) -> None:
    (folder / "link.json").symlink_to("s.sqlite")
    with pytest.raises(UsageError, match=r"link\.json: a database"):
        check_output(str(folder / "link.json"))
