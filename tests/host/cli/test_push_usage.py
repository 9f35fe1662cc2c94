"""The command line of push, show, history and export: every mistake is one line, exit code 2, and a hint."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench_command import Done, run_bench

DEMO = Path(__file__).parents[3] / "host/rkbench/demo/data"
MODEL = str(DEMO / "digits.regrouped.int8.rknn")
GOLDEN = str(DEMO / "golden.npz")


def bench(tmp_path: Path, *arguments: str) -> Done:
    environment = {**os.environ, "RKBENCH_STORE": str(tmp_path / "results.sqlite"), "HOME": str(tmp_path)}
    return run_bench(*arguments, environment=environment, folder=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        ([MODEL], "Missing option"),
        ([MODEL, "--board", "virtual", "--scenario", "burst"], "scenario 'burst' is not there"),
        ([MODEL, "--board", "virtual", "--cores", "9"], "no core mask '9'"),
        ([MODEL, "--board", "virtual", "--iterations", "0"], "--iterations 0: must be 1 or more"),
        ([MODEL, "--board", "virtual", "--duration", "nan"], "--duration nan: must be a finite number"),
        ([MODEL, "--board", "virtual", "--cool-limit", "-1"], "bench: --cool-limit -1: must be 0 or more"),
        ([MODEL, "--board", "virtual", "--cool-below", "inf"], "--cool-below inf: must be a finite number"),
        ([MODEL, "--board", "virtual", "--npu-clock", "600"], "→ write it with its unit: 600MHz"),
        ([MODEL, "--board", "virtual", "--pin", "600"], "→ write it with its unit: 600MHz"),
        ([MODEL, "--board", "virtual", "--wait", "inf"], "--wait inf: must be a finite number"),
        ([MODEL, "--board", "virtual", "--wait", "-1"], "--wait -1: must be 0 or more"),
        ([MODEL, "--board", "virtual", "--golden", "g.npz", "--onnx", "m.onnx"], "both name the expected"),
        ([MODEL, "--board", "virtual", "--inputs", "g.npz"], "--inputs needs --onnx"),
        ([MODEL, "--board", "virtual", "--json", "-", "--csv", "-"], "cannot both have stdout"),
        ([MODEL, "--board", "virtual", "--json", "no/such/out.json"], "no folder no/such"),
        ([MODEL, "--board", "virtual", "--loads", "3"], "→ give it a second model; to load one again"),
        ([MODEL, "--board", "virtual", "--quads", "3"], "--quads is of variants that take turns"),
        ([MODEL, MODEL, "--board", "virtual", "--quick", "--loads", "3"], "→ give one of them"),
        ([MODEL, MODEL, "--board", "virtual", "--effect", "200"], "--effect 200: must be less than 100"),
        ([MODEL, "--board", "virtual", "--max-duration", "soon"], "→ write it as 90, 30s, 10min or 2h"),
        ([MODEL, "--board", "virtual", "--max-duration", "-1"], "--max-duration -1: must be 0 or more"),
        ([MODEL, "--board", "x@"], "no board 'x@': 'x@' is no address"),
        ([MODEL, "--board", "virtual", "--onnx", "no.onnx"], "no.onnx: cannot be read: No such file"),
        ([MODEL, "--board", "virtual", "--minimize", "p99"], "→ give it a second model"),
        ([MODEL, MODEL, "--board", "virtual", "--minimize", "p98"], "did you mean p99"),
        (
            [MODEL, "--board", "virtual", "--golden", GOLDEN, "--require", "cosine[nix] >= 0.9"],
            "no output 'nix' in digits.regrouped.int8: 'cosine[nix] >= 0.9' cannot be told",
        ),
        ([MODEL, "--board", "virtual", "--inventory", "none.toml"], "none.toml: there is no such file"),
        (["none.rknn", "--board", "virtual"], "none.rknn: No such file or directory"),
        ([".", "--board", "virtual"], ".: a folder"),
        ([MODEL, "--board", "virtual", "--baseline", "other"], "no variant 'other' for --baseline"),
    ],
)
def test_a_mistake_is_named_and_exits_with_2(tmp_path: Path, arguments: list[str], words: str) -> None:
    result = bench(tmp_path, "push", *arguments)
    assert words in result.stderr
    assert (result.returncode, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr


def noise(path: Path) -> None:
    """Make a file of 200 MB that takes no room: zeros behind a kilobyte of noise."""
    path.write_bytes(bytes((index * 37 + 11) % 251 for index in range(1024)))
    with path.open("r+b") as file:
        file.truncate(200_000_000)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n", "LFS"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
        (b"CYPTRKNN" + bytes(100), "encrypted"),
        (None, "is no .rknn file"),
        ("cut", "the file is damaged or was cut off"),
    ],
)
def test_what_is_no_model_is_named_before_anything_is_sent(
    tmp_path: Path, content: bytes | str | None, words: str
) -> None:
    path = tmp_path / "noise.rknn"
    if content is None:
        noise(path)
    elif content == "cut":
        path.write_bytes(Path(MODEL).read_bytes()[:500_000])
    else:
        assert isinstance(content, bytes)
        path.write_bytes(content)
    result = bench(tmp_path, "push", str(path), "--board", "virtual")
    assert words.lower() in result.stderr.lower()
    assert result.returncode == 1
    assert "connecting" not in result.stderr
    assert "Traceback" not in result.stderr


def test_a_board_that_nobody_knows_is_named(tmp_path: Path) -> None:
    result = bench(tmp_path, "push", MODEL, "--board", "nobody")
    assert "nobody" in result.stderr
    assert result.returncode == 2


def test_the_wrong_soc_is_named_before_connecting(tmp_path: Path) -> None:
    result = bench(tmp_path, "push", MODEL, "--board", "virtual:rk3568")
    assert "compiled for rk3588 (RKNPU v2), the board is an rk3568 (RKNPU lite)" in result.stderr
    assert "--force" in result.stderr
    assert result.returncode == 2
    assert "connecting" not in result.stderr


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    assert bench(tmp_path, "history").stdout == "no runs stored yet: bench push MODEL.rknn --board virtual\n"
    result = bench(tmp_path, "show", "last")
    assert (result.returncode, result.stdout) == (2, "")
    assert "no run 'last'" in result.stderr


def test_a_store_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.sqlite").write_text("not a database, whatever its name says" * 10)
    result = bench(tmp_path, "history")
    assert result.returncode == 1
    assert "file is not a database" in result.stderr


def test_streams_that_are_closed_cost_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "RKBENCH_STORE": str(tmp_path / "results.sqlite"), "HOME": str(tmp_path)}
    command = "\"$0\" -c 'from rkbench.cli import main; main()' boards list <&- >&- 2>&-"
    result = subprocess.run(["sh", "-c", command, sys.executable], env=environment, cwd=tmp_path, check=False)
    assert result.returncode == 0


@pytest.mark.parametrize("command", ["sweep", "bisect"])
def test_a_time_that_nobody_can_wait_is_refused_before_anything_is_converted(
    command: str, tmp_path: Path
) -> None:
    done = bench(tmp_path, command, str(DEMO / "digits.onnx"), "--board", "virtual", "--wait", "nan")
    assert (done.returncode, done.stderr) == (2, "bench: --wait nan: must be a finite number\n")
