"""A sweep with the real converter: its winner's script, run with the toolkit alone, gives the same."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from bench_command import run_bench
from onnx_networks import Network
from rkbench.toolkit.environment import APART, find_environment, installed_versions
from rkbench.toolkit.versions import DEFAULT

#: Behind what a script converts: what the simulator of its session answers.
SIMULATOR = """
import numpy
check(rknn.init_runtime())
answers = [rknn.inference(inputs=[case])[0] for case in numpy.load(os.environ["FED"])]
numpy.savez(os.environ["ANSWERS"], answers)
"""


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    if DEFAULT not in installed_versions():
        pytest.skip(f"no rknn-toolkit2 {DEFAULT}: bench toolkit install {DEFAULT}")
    net = Network(1, 3, 32, 32).conv(3, 32).add("Relu").conv(32, 64, group=8).add("Relu")
    return net.conv(64, 64).add("GlobalAveragePool").save(tmp_path / "net.onnx")


def test_the_winner_is_what_its_script_makes_without_rkbench(onnx: Path, tmp_path: Path) -> None:
    cases = tmp_path / "cases.npz"
    made_cases = run_bench("golden", onnx, "-o", cases)
    assert made_cases.returncode == 0, made_cases.stderr
    done = run_bench(
        "sweep", onnx, "--board", "virtual:rk3588", "--random-calibration", "--duration", "0.1",
        "--recipe", "fp16", "--recipe", "fix,int8-mmse", "--recipe", "int8", "--golden", cases,
        "--require", "cosine >= 0.999", "--minimize", "size", "--json", "-",
        "--store", tmp_path / "store.sqlite", "-o", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = done.document
    assert document["winner"] in ("int8", "fix,int8-mmse")
    winner = next(each for each in document["variants"] if each["recipe"] == document["winner"])
    assert winner["cosine"] == pytest.approx(winner["simulator"][0]["cosine"], abs=1e-6)
    script = Path(document["script"])
    (tmp_path / "torch").symlink_to(APART / "converter/standin/torch")  # which is all that it lacks
    alone = {**os.environ, "PYTHONPATH": str(tmp_path)}
    python = find_environment(DEFAULT).python
    lacks = subprocess.run([python, "-c", "import rkbench"], env=alone, check=False, capture_output=True)
    assert b"No module named 'rkbench'" in lacks.stderr
    asks = script.with_name("asks.py")
    asks.write_text(script.read_text().replace("rknn.release()", SIMULATOR))
    given = {"FED": str(tmp_path / "fed.npy"), "ANSWERS": str(tmp_path / "answers.npz")}
    with np.load(cases) as golden:
        np.save(given["FED"], np.moveaxis(golden["inputs/x"], 2, -1))
    subprocess.run([python, asks], check=True, env={**alone, **given}, timeout=300, cwd=tmp_path)
    made = script.with_name(Path(winner["path"]).name)
    assert abs(made.stat().st_size - winner["size_bytes"]) <= 2000
    with (
        np.load(Path(winner["path"]).with_suffix(".replay.npz")) as replay,
        np.load(given["ANSWERS"]) as answers,
    ):
        assert str(replay["source"]) == f"rknn-toolkit2 {DEFAULT} simulator"
        (simulated,) = (replay[name] for name in replay if name.startswith("outputs/"))
        np.testing.assert_array_equal(answers["arr_0"].reshape(simulated.shape), simulated)
