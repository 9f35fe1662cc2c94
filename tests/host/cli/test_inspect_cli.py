"""bench inspect from the shell: first line, exit codes, and that its short cut past typer changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench_command import BENCH, Done, run_bench
from rkbench.cli.app import app
from rkbench.cli.quick import inspect_arguments, inspect_plain, with_all_tasks
from rkbench.inspection import inspect_file as inspect_room
from rkbench.views.inspect import show as inspect_view

MODELS = Path(__file__).parents[2] / "data" / "models"
HEALTHY = str(MODELS / "mb_gap7_rk3588_i8.rknn")
DENSE_GROUPS = str(MODELS / "g1_c512_cpg4_rk3568_fp.rknn")


def bench(*arguments: str, encoding: str = "utf-8") -> Done:
    return run_bench("inspect", *arguments, encoding=encoding)


def test_the_first_line_is_the_answer() -> None:
    done = bench(HEALTHY)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith(
        "mb_gap7_rk3588_i8.rknn (rk3588 int8) is healthy: of its 630 kB"
    )


def test_json_on_stdout_is_nothing_but_json() -> None:
    done = bench(HEALTHY, "--json", "-")
    document = json.loads(done.stdout)
    assert (document["schema"], document["verdict"]) == ("rkbench-inspect/1", "healthy")
    assert len(document["file"]["sha256"]) == 64


def test_files_are_written_where_asked(tmp_path: Path) -> None:
    page, data = tmp_path / "page.html", tmp_path / "data.json"
    done = bench(HEALTHY, "--html", str(page), f"--json={data}", "--myths", "--layers", "all")
    assert done.returncode == 0
    assert page.read_text().startswith("<!doctype html>")
    assert json.loads(data.read_text())["file"]["size_bytes"] == 629_831
    assert "Popular suspects, in this file" in done.stdout
    assert "Layers by size\n" in done.stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS pointer"),
        (b"CYPTRKNN" + bytes(64), "encrypted"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"RKNN" + bytes(12), "cut off"),
        (b"", "empty"),
    ],
)
def test_what_cannot_be_read_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "model.rknn"
    path.write_bytes(content)
    done = bench(str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        (["a.rknn", "b.rknn"], "unexpected extra argument"),
        ([HEALTHY, "--nope"], "No such option"),
        ([HEALTHY, "--json"], "requires an argument"),
        ([HEALTHY, "--layers", "many"], "--layers many: no number"),
        ([HEALTHY, "--html", "no/such/page.html"], "no folder no/such"),
        ([str(MODELS / "dw_dilated.onnx"), "--target", "rk9999"], "unknown target 'rk9999'"),
        ([str(MODELS / "dw_dilated.onnx"), "--diff", HEALTHY], "--diff, --onnx and --tasks need a .rknn"),
    ],
)
def test_a_wrong_command_line_is_explained(arguments: list[str], words: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_no_name_reaches_the_terminal_as_an_escape(tmp_path: Path) -> None:
    path = tmp_path / "x\x1b[31m.rknn"
    path.write_bytes(Path(HEALTHY).read_bytes())
    found, missing = bench(HEALTHY, "--diff", str(path)), bench(str(path) + "\x1b]0;title\x07")
    assert (found.returncode, missing.returncode) == (0, 2)
    assert "\x1b" not in found.stdout + found.stderr + missing.stdout + missing.stderr
    assert "Against " in found.stdout
    assert "x\\x1b[31m.rknn" in missing.stderr


def test_a_name_that_is_no_utf8_is_written_escaped(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/m\xff.rknn")
    Path(path).write_bytes(Path(HEALTHY).read_bytes())
    done = bench(path, "--html", str(tmp_path / "page.html"), "--json", "-")
    assert done.returncode == 0
    assert json.loads(done.stdout)["file"]["path"] == path
    assert "m\\udcff.rknn" in (tmp_path / "page.html").read_text()


def test_a_terminal_without_utf8_gets_question_marks() -> None:
    done = bench(HEALTHY, encoding="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "rk3588 int8 ? toolkit 2.5.0" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_said_and_no_traceback() -> None:
    command = [sys.executable, "-c", BENCH, "inspect", HEALTHY]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "bench: cannot write: No space left on device\n  → make room, or write to a place that has some\n",
    )


def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    made: list[tuple[Any, Any]] = []
    monkeypatch.setattr(inspect_room, "inspect_file", lambda request: request)
    monkeypatch.setattr(
        inspect_view, "show_inspection", lambda request, **options: made.append((request, options))
    )
    return made


@pytest.mark.parametrize(
    "arguments",
    [
        ["m.rknn"],
        ["m.rknn", "--onnx", "m.onnx", "--json", "-", "--myths"],
        ["--html=page.html", "m.rknn", "--layers", "all", "--diff=o.rknn"],
        ["m.onnx", "--target", "rk3568", "--dtype", "int8"],
        ["m.rknn", "--causes", "all"],
        ["m.rknn", "--causes=notable"],
    ],
)
def test_the_short_cut_and_typer_call_the_same(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made = calls(monkeypatch)
    plain = inspect_arguments(["inspect", *arguments])
    assert plain is not None
    inspect_plain(plain)
    app(["inspect", *arguments], standalone_mode=False)
    assert len(made) == 2
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("m.rknn --tasks", "m.rknn --tasks all"),
        ("--tasks --json o.json m.rknn", "--tasks all --json o.json m.rknn"),
        ("m.rknn --tasks Conv_3 --html o.html", "m.rknn --tasks Conv_3 --html o.html"),
        ("m.rknn --tasks=Conv_3", "m.rknn --tasks=Conv_3"),
    ],
)
def test_tasks_without_a_layer_are_all(typed: str, meant: str) -> None:
    assert with_all_tasks(["inspect", *typed.split()]) == ["inspect", *meant.split()]
    assert with_all_tasks([]) == []


def test_tasks_of_all_layers_need_no_word() -> None:
    done = bench(HEALTHY, "--tasks")
    assert done.returncode == 0, done.stderr
    assert "dense 3x3 convolution stride 2x2 in int8" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["push", "m.rknn"],
        ["inspect"],
        ["inspect", "--help"],
        ["inspect", "m.rknn", "--json"],
        ["inspect", "m.rknn", "--json", "--myths"],
        ["inspect", "m.rknn", "o.rknn"],
        ["inspect", "-x", "m.rknn"],
    ],
)
def test_what_is_not_plain_is_left_to_typer(arguments: list[str]) -> None:
    assert inspect_arguments(arguments) is None


@pytest.mark.parametrize("model", [HEALTHY, DENSE_GROUPS])
def test_a_plain_inspection_imports_neither_typer_nor_numpy_nor_the_catalogue(model: str) -> None:
    code = (
        "import sys; sys.argv = ['bench', 'inspect', sys.argv[1]]; from rkbench.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "slow = {'typer', 'numpy', 'rich', 'pydantic', 'onnx', 'paramiko', 'msgspec',\n"
        "        'tomllib', 'tomli', 'rkbench.catalogue'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, model], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
