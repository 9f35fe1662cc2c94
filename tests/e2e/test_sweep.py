"""`bench sweep` end to end, with a stand-in for the vendor's converter: built, measured, judged, resumed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench_command import BENCH, Done
from onnx_home import OnnxHome
from rkbench.store import open_store
from rkbench.toolkit.environment import APART

RECIPES = ("--recipe", "fp16", "--recipe", "int8", "--recipe", "fix,int8-mmse")
ASKED = ("sweep", "digits.onnx", "--board", "virtual:rk3588", "--duration", "0.1", "--random-calibration")
BY_SIZE = ("--require", "cosine >= 0.999", "--minimize", "size")


pytestmark = pytest.mark.xdist_group("sweep")  # one home, one first sweep


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> OnnxHome:
    return OnnxHome(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def first(home: OnnxHome) -> Done:
    """The first sweep of the home: what the tests after it find done."""
    return home.run(*ASKED, *RECIPES, *BY_SIZE, "--json", "-")


def said(done: Done) -> str:
    return " ".join(done.stdout.split())


def variants_of(done: Done) -> dict[str, dict[str, Any]]:
    return {each["recipe"]: each for each in done.document["variants"]}


def test_the_smallest_that_keeps_what_is_required_wins_and_nothing_is_done_twice(
    home: OnnxHome, first: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = first
    assert done.returncode == 0, done.stderr
    document = done.document
    assert document["winner"] == "fix,int8-mmse"
    assert document["measured"] == 3
    assert "grouped" in document["cause"]
    variants = variants_of(done)
    assert variants["fp16"]["lost_by"] == "size 14.6 MB, the winner has 1.71 MB"
    assert variants["int8"]["lost_by"].startswith("cosine >= 0.999: ≈0.9")
    assert variants["fix,int8-mmse"]["lost_by"] is None
    for each in variants.values():  # a virtual board answers what the simulator did
        assert each["cosine"] == pytest.approx(each["simulator"][0]["cosine"], abs=1e-6)
    begun, script = len(home.calls), home.folder / document["script"]
    written_ns = script.stat().st_mtime_ns
    monkeypatch.setenv("COLUMNS", "60")
    again = home.run(*ASKED, *RECIPES, *BY_SIZE)
    assert again.returncode == 0, again.stderr
    assert f"without rkbench: python {document['script']}\n" in again.stdout  # in one line, to be copied
    assert len(home.calls) == begun
    assert script.stat().st_mtime_ns == written_ns
    assert "3 of 3 variants were measured before" in again.stderr
    assert "connecting" not in again.stderr
    assert "converting" not in again.stderr
    assert "fix,int8-mmse wins: the least size of those that keep cosine >= 0.999, 1.71 MB." in said(again)
    assert "lost: fp16: size 14.6 MB, the winner has 1.71 MB" in said(again)


@pytest.mark.usefixtures("first")
def test_a_new_limit_is_held_against_what_was_measured(home: OnnxHome) -> None:
    done = home.run(*ASKED, *RECIPES, "--require", "cosine >= 0.9", "--minimize", "size", "--json", "-")
    assert (done.returncode, done.document["measured"]) == (0, 0)
    assert variants_of(done)["int8"]["lost_by"] == "size 7.38 MB, the winner has 1.71 MB"
    script = home.folder / done.document["script"]
    script.with_name("dataset.txt").unlink()
    home.run(*ASKED, *RECIPES, *BY_SIZE)
    assert script.with_name("dataset.txt").exists()  # what it lacked was written again
    none = home.run(*ASKED, *RECIPES, "--require", "size <= 1MB", "--minimize", "size")
    assert none.returncode == 3
    assert "No variant wins: none keeps size <= 1MB." in said(none)


def test_the_winners_script_needs_the_toolkit_alone(home: OnnxHome, first: Done, tmp_path: Path) -> None:
    done = first
    script = home.folder / done.document["script"]
    (python,) = home.folder.glob("cache/rkbench/host/toolkits/2.5.0/bin/python")
    standin = str(APART / "converter/standin")  # for torch, which the toolkit imports
    environment = {**os.environ, "PYTHONPATH": standin}
    subprocess.run([python, script], check=True, cwd=tmp_path, env=environment, timeout=60)
    made = script.with_name("digits.rk3588.fix+int8-mmse.rknn")
    assert made.stat().st_size == variants_of(done)["fix,int8-mmse"]["size_bytes"]
    assert "rkbench" not in script.read_text().partition('"""\n')[2]
    assert home.calls[-1] == "True [('quantized_algorithm', 'mmse'), ('target_platform', 'rk3588')]"


@pytest.mark.usefixtures("first")
def test_the_command_that_makes_the_winner_can_be_copied_whatever_its_folder_is_called(
    home: OnnxHome,
) -> None:
    done = home.run(*ASKED, "--recipe", "fp16", "--minimize", "size", "-o", "my variants")
    assert "without rkbench: python 'my variants/digits.rk3588.fp16.script/convert.py'\n" in done.stdout


def test_a_latency_is_decided_in_turns(home: OnnxHome) -> None:
    asked = (
        *ASKED,
        "--recipe",
        "fp16",
        "--recipe",
        "fix,int8-mmse",
        "--minimize",
        "p50",
        "--json",
        "-",
        "--quick",
    )
    done = home.run(*asked)
    assert done.returncode == 0, done.stderr
    assert done.document["winner"] == "fix,int8-mmse"
    assert done.document["measured"] >= 2
    assert variants_of(done)["fp16"]["lost_by"].startswith("p50 ")
    assert home.run(*asked).document["measured"] == 0


def test_a_plan_builds_nothing_and_says_what_cannot_win(home: OnnxHome) -> None:
    before = len(home.calls)
    done = home.run(*ASKED, "--require", "size <= 5MB", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "left out: fp16: cannot win: at least" in said(done)
    assert re.search(r"fix,int8-mmse about 1\.\d+ MB", said(done))
    assert len(home.calls) == before
    floats = home.run("sweep", "digits.onnx", "--board", "virtual:rk3588", "--dry-run")
    assert "floats alone are tried" in floats.stderr
    assert "int8" not in floats.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--cores", "sweep"), "each variant on one choice of cores"),
        (("--iterations", "0"), "--iterations 0: must be 1 or more"),
        (("--minimize", "throughput"), "higher is better"),
        (("--require", "cosin >= 1"), "is nothing that is measured"),
        (("--recipe", "int9"), "no recipe is called 'int9'"),
        (("--golden", "none.npz"), "none.npz"),
    ],
)
def test_what_is_typed_wrong_is_said_before_anything_is_built(
    home: OnnxHome, arguments: tuple[str, ...], words: str
) -> None:
    before = len(home.calls)
    done = home.run(*ASKED, *arguments)
    assert done.returncode in (1, 2)
    assert words in " ".join(done.stderr.split())
    assert len(home.calls) == before


@pytest.mark.usefixtures("first")
def test_what_fails_costs_its_own_variant_and_the_exit_code(
    home: OnnxHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKBENCH_FAKE_TOOLKIT", "refuse")
    done = home.run(*ASKED, "--recipe", "fp16", "--recipe", "int16", "--minimize", "size")
    assert done.returncode == 1
    assert "lost: int16: not converted: digits.onnx (load): The ONNX has a newer opset" in said(done)
    assert "next, for int16: Export with opset_version=19 or lower" in said(done)
    assert "fp16 wins: the least size" in said(done)


def test_a_sweep_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    home = OnnxHome(tmp_path)
    asked = [*ASKED, *RECIPES, *BY_SIZE, "--jobs", "1", "--json", "-"]
    kill_at(home, asked, "note: int8: converting")
    assert len(home.calls) <= 2
    kill_at(home, asked, "digits.rk3588.fp16: done")
    with open_store(home.environment["RKBENCH_STORE"]) as store:
        assert [row.variant for row in store.history() if not row.failed] == ["digits.rk3588.fp16"]
    done = home.run(*asked)
    assert done.returncode == 0, done.stderr
    assert done.document["winner"] == "fix,int8-mmse"
    assert done.document["measured"] == 2
    begun = home.calls
    assert len(begun) - len(set(begun)) <= 1  # the one that was killed, and no other, is begun again
    assert not list(home.folder.glob("cache/rkbench/host/conversions/.building-*"))


def kill_at(home: OnnxHome, asked: list[str], words: str) -> None:
    """Run `bench` until it says these words on stderr, and kill it."""
    command = [sys.executable, "-c", BENCH, *asked]
    surroundings = {"env": home.environment, "cwd": home.folder, "stdout": subprocess.DEVNULL}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **surroundings) as process:
        assert process.stderr is not None
        assert any(words in line for line in process.stderr)
        process.send_signal(signal.SIGKILL)
