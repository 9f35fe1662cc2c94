"""One rule for all commands: 2 where what was asked for cannot be, 1 where it failed, 3 for a gate."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bench_command import run_bench
from rkbench.store import open_store

DATA = Path("host/rkbench/demo/data").resolve()
RKNN, ONNX, GOLDEN = DATA / "digits.int8.rknn", DATA / "digits.onnx", DATA / "golden.npz"
OTHER_SOC = Path("tests/data/models/grouped_c64_g16_rk3568_i8.rknn").resolve()
VIRTUAL = ("--board", "virtual", "--quick")

CANNOT_BE: dict[str, tuple[object, ...]] = {
    "no such command": ("pusch",),
    "no such option": ("history", "--bord", "x"),
    "no such model": ("push", "none.rknn", *VIRTUAL),
    "no such file": ("inspect", "none.rknn"),
    "no such board": ("push", RKNN, "--board", "nowhere"),
    "no such board to check": ("boards", "check", "nowhere"),
    "no such SoC": ("fix", ONNX, "--target", "rk9999", "-o", "x.onnx"),
    "no such SoC of a conversion": ("convert", ONNX, "--target", "rk9999"),
    "no such SoC of an inspection": ("inspect", ONNX, "--target", "rk9999"),
    "no such virtual board": ("push", RKNN, "--board", "virtual:rk9999"),
    "no such run": ("show", "none"),
    "no such run to compare": ("compare", "none", "last"),
    "no such run to report": ("report", "none", "-o", "r.html"),
    "no such run to tag": ("tag", "none", "word"),
    "no such night": ("show", "night~9"),
    "no such suite": ("nightly", "none.toml"),
    "no such golden": ("push", RKNN, *VIRTUAL, "--golden", "none.npz"),
    "no such measure": ("push", RKNN, *VIRTUAL, "--require", "speed >= 1"),
    "a clock without a unit": ("push", RKNN, *VIRTUAL, "--npu-clock", "600"),
    "a .rknn for an ONNX": ("golden", RKNN, "-o", "x.npz"),
    "a model of another SoC": ("push", OTHER_SOC, *VIRTUAL),
    "a golden of another model": (
        *("push", Path("tests/data/npu/neck_rk3588_int8.rknn").resolve(), *VIRTUAL, "--golden", GOLDEN),
    ),
    "labels of no golden of theirs": ("push", RKNN, *VIRTUAL, "--golden", GOLDEN, "--labels", "labels.txt"),
    "labels that are none": ("push", RKNN, *VIRTUAL, "--golden", GOLDEN, "--labels", "wrong.toml"),
    "pictures for an ONNX that takes floats": ("golden", ONNX, "--inputs", "pictures", "-o", "x.npz"),
    "a folder without inputs": ("golden", ONNX, "--inputs", "nothing", "-o", "x.npz"),
    "an ONNX to push without the converter": ("push", ONNX, *VIRTUAL),
    "an ONNX to convert without the converter": ("convert", ONNX, "--target", "rk3588"),
    "an ONNX to sweep without the converter": ("sweep", ONNX, "--board", "virtual", "--recipe", "fp16"),
    "an ONNX to bisect without the converter": ("bisect", ONNX, "--board", "virtual"),
    "a sweep on two boards": ("sweep", ONNX, "--board", "virtual,virtual:rk3568"),
    "a bisection on two boards": ("bisect", ONNX, "--board", "virtual,virtual:rk3568"),
    "a wrong inventory": ("boards", "list", "--inventory", "wrong.toml"),
    "a wrong suite": ("nightly", "wrong.toml"),
    "a file where no folder is": ("push", RKNN, *VIRTUAL, "--json", "none/out.json"),
    "no kind of report": ("report", "last", "-o", "r.doc"),
    "no row of the catalogue": ("explain", "99999"),
    "an address that is none": ("serve", "--listen", "nonsense"),
}
FAILED: dict[str, tuple[object, ...]] = {
    "a damaged model": ("inspect", "damaged.rknn"),
    "a damaged model in a push": ("push", "damaged.rknn", *VIRTUAL),
    "a damaged ONNX": ("fix", "damaged.onnx", "--target", "rk3588", "-o", "x.onnx"),
    "a damaged golden": ("push", RKNN, *VIRTUAL, "--golden", "damaged.npz"),
    "a damaged picture": (
        *("golden", ONNX, "--inputs", "pictures", "--mean", "0", "--std", "255", "-o", "x.npz"),
    ),
    "no answer": ("push", RKNN, "--board", "gone", "--inventory", "boards.toml"),
    "no answer to a check": ("boards", "check", "gone", "--inventory", "boards.toml"),
    "a damaged store": ("history", "--store", "damaged.rknn"),
    "a damaged store that is checked": ("store", "check", "--store", "damaged.rknn"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what is wrong."""
    (tmp_path / "damaged.rknn").write_bytes(RKNN.read_bytes()[:5000])
    (tmp_path / "damaged.onnx").write_bytes(ONNX.read_bytes()[:5000])
    (tmp_path / "damaged.npz").write_bytes(GOLDEN.read_bytes()[:5000])
    (tmp_path / "labels.txt").write_text("1\n2\n")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.png").write_bytes(b"not read")
    (tmp_path / "wrong.toml").write_text("[boreds.desk]\nhost = 1\n")
    (tmp_path / "boards.toml").write_text('[boards.gone]\nhost = "127.0.0.1"\nport = 9\n')
    with open_store(tmp_path / "empty"):
        pass
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code"),
    [
        *(pytest.param(words, 2, id=name) for name, words in CANNOT_BE.items()),
        *(pytest.param(words, 1, id=name) for name, words in FAILED.items()),
        pytest.param(("push", RKNN, *VIRTUAL, "--require", "size <= 1kB"), 3, id="a gate is crossed"),
        pytest.param(("push", RKNN, *VIRTUAL, "--require", "size <= 1GB"), 0, id="a gate is kept"),
        pytest.param(("history", "--store", "empty"), 0, id="an empty history"),
        pytest.param(("history",), 2, id="a store that is not there"),
    ],
)
def test_the_exit_code_says_whether_it_could_not_be_or_failed(
    words: tuple[object, ...], code: int, folder: Path
) -> None:
    store = () if "--store" in words or words[0] not in STORED else ("--store", folder / "s")
    own = {name: str(folder / name) for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME")}
    done = run_bench(*words, *store, folder=folder, environment={**os.environ, **own})
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr


#: Commands with a store, which is this test's own.
STORED = ("push", "history", "show", "compare", "report", "tag", "nightly")
