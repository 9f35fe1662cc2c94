"""`bench boards check` as users run it: on the virtual board, on a bare host, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rkbench.schema import SCHEMAS
from sshd import Sshd
from strict_schema import strict_validator
from test_push import FP16, Bench

SCHEMA = SCHEMAS / "rkbench-check-1.schema.json"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    runner = Bench(tmp_path)
    yield runner
    runner.close()


def test_the_virtual_board_passes_and_says_what_it_is(bench: Bench) -> None:
    done = bench.run("boards", "check", "virtual", FP16)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "board virtual (virtual: no NPU involved)"
    assert lines[-1] == "ready: nothing stands in the way of bench push"
    assert {line[:4].strip() for line in lines[1:-1]} - {"ok", ""} == {"mode"}
    assert "3 NPU cores (RKNPU v2)" in " ".join(done.stdout.split())


def test_a_model_of_another_npu_fails_there(bench: Bench) -> None:
    done = bench.run("boards", "check", "virtual:rk3568", FP16)
    assert done.returncode == 1
    words = " ".join(done.stdout.split())
    assert "compiled for rk3588 (RKNPU v2), the board is an rk3568 (RKNPU lite)" in words
    assert "→ convert it with target_platform='rk3568'" in words


def test_a_bare_host_is_told_what_it_lacks_and_the_json_is_what_the_schema_says(
    bench: Bench, start_sshd: Callable[..., Sshd], tmp_path: Path
) -> None:
    name = bench.know(start_sshd())
    done = bench.run("boards", "check", name, "--runtime", "lite", "--json", "-")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    strict_validator(SCHEMA).validate(found)
    verdicts = {check["code"]: check["verdict"] for check in found["checks"]}
    assert (verdicts["agent"], verdicts["soc"], verdicts["driver"], verdicts["lite"]) == (
        "ok",
        "fail",
        "fail",
        "fail",
    )
    fixes = {check["code"]: check["fix"] for check in found["checks"]}
    assert "pip install rknn-toolkit-lite2" in fixes["lite"]
    assert "/usr/lib/librknnrt.so" in fixes["runtime"]


def test_a_board_that_nobody_reaches_is_a_verdict_and_no_traceback(bench: Bench, sshd: Sshd) -> None:
    name = bench.know(sshd)
    sshd.close()
    done = bench.run("boards", "check", name)
    assert done.returncode == 1
    assert done.stdout.splitlines()[1].startswith("fail  SSH  ")
    assert done.stderr == ""


def test_a_board_is_recorded_as_files_that_can_be_sent(bench: Bench, tmp_path: Path) -> None:
    tree = tmp_path / "rock"
    done = bench.run("boards", "record", "virtual:rk3568", "-o", str(tree))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Look through it before you send it" in done.stdout
    assert (tree / "proc/device-tree/compatible").read_text() == "radxa,rock3a\0rockchip,rk3568\0"
    assert "sys/class/devfreq/fde40000.npu -> ../../devices/" in (tmp_path / "rock.links").read_text()
    again = bench.run("boards", "record", "virtual:rk3568", "-o", str(tree))
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
