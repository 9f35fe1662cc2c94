"""Every command of the README and of docs/ is run here, or checked against the command's own help."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bench_command import Done, run_bench
from PIL import Image

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "host/rkbench/demo/data"
NETS = ROOT / "tests/data/npu"
#: What stands for a user's own files: the README's name, and the demo's file.
STAND_INS = {
    "model.rknn": DEMO / "digits.int8.rknn",
    "model.onnx": DEMO / "digits.onnx",
    "model.fp16.rknn": DEMO / "digits.fp16.rknn",
    "model.int8.rknn": DEMO / "digits.int8.rknn",
    "neck_rk3588_int8.rknn": NETS / "neck_rk3588_int8.rknn",
    "neck.onnx": NETS / "neck.onnx",
}
#: These are `make` itself, need a board of flesh and blood, or the vendor's converter (tests/toolkit runs
#: them): only their words are checked.
MAKE = ("make demo", "make test")
NEEDS_MORE = ("desk", "toolkit", "sweep")


def commands() -> list[str]:
    """Return the lines after a `$ ` of every console block of the README."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


BENCH = [line for line in commands() if line.startswith("bench ")]
RUN_HERE = [line for line in BENCH if not set(shlex.split(line)) & set(NEEDS_MORE)]
CHECKED = [line for line in BENCH if line not in RUN_HERE]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder as a reader of the README has it: the project's files, and models of their own."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("host", "tests"):
        (folder / name).symlink_to(ROOT / name)
    for name, path in STAND_INS.items():
        shutil.copy(path, folder / name)
    with np.load(DEMO / "golden.npz") as golden:
        np.savez(folder / "cases.npz", image=golden["inputs/image"][:1])
    (folder / "pictures").mkdir()
    Image.new("L", (40, 20), 200).save(folder / "pictures/one.png")
    return folder


def bench(folder: Path, *arguments: str) -> Done:
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "COLUMNS": "100"}
    return run_bench(*arguments, environment=environment, folder=folder)


def test_the_readme_begins_with_the_two_commands_of_make() -> None:
    assert tuple(commands()[:2]) == MAKE
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test"} <= set(targets)


def test_all_other_commands_are_ours() -> None:
    assert [line for line in commands() if line not in BENCH] == list(MAKE)
    assert len(RUN_HERE) >= 10


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("readme")
def test_the_commands_run_one_after_the_other(desk: Path) -> None:
    first = bench(desk, *shlex.split(RUN_HERE[0])[1:])
    assert first.returncode == 0, first.stderr
    assert "digits.regrouped.int8" in first.stdout
    for line in RUN_HERE[1:]:
        ended = bench(desk, *shlex.split(line)[1:])
        assert ended.returncode == 0, f"{line}: {ended.stderr}"
    for name in (
        "latencies.csv",
        "out.json",
        "model.golden.npz",
        "fixed.onnx",
        "digits.html",
        "inspect.json",
    ):
        assert (desk / name).stat().st_size > 0


@pytest.mark.parametrize("line", CHECKED)
def test_a_command_that_is_not_run_here_is_spelt_right(line: str, tmp_path: Path) -> None:
    words = shlex.split(line)[1:]
    group = 2 if words[0] in ("boards", "toolkit") else 1
    page = bench(tmp_path, *words[:group], "--help")
    assert page.returncode == 0, page.stderr
    for word in words[group:]:
        if word.startswith("-"):
            assert re.search(rf"{re.escape(word)}\b", page.stdout), f"{word} is no option of: {line}"
