"""A sweep with the real converter: its winner's script, run with the toolkit alone, gives the same file."""

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


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    if DEFAULT not in installed_versions():
        pytest.skip(f"no rknn-toolkit2 {DEFAULT}: bench toolkit install {DEFAULT}")
    net = Network(1, 3, 32, 32).conv(3, 32).add("Relu").conv(32, 64, group=8).add("Relu")
    return net.conv(64, 64).add("GlobalAveragePool").save(tmp_path / "net.onnx")


def test_the_winner_is_what_its_script_makes_without_rkbench(onnx: Path, tmp_path: Path) -> None:
    done = run_bench(
        "sweep", onnx, "--board", "virtual:rk3588", "--random-calibration", "--duration", "0.1",
        "--recipe", "fp16", "--recipe", "fix,int8-mmse", "--recipe", "int8",
        "--require", "cosine >= 0.999", "--minimize", "size", "--json", "-",
        "--store", tmp_path / "store.sqlite", "-o", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = done.document
    assert document["winner"] in ("int8", "fix,int8-mmse")
    winner = next(each for each in document["variants"] if each["recipe"] == document["winner"])
    assert winner["cosine"] == pytest.approx(winner["simulator"][0]["cosine"], abs=1e-6)
    script = Path(document["script"])
    environment = {**os.environ, "PYTHONPATH": str(APART / "converter/standin")}  # for torch
    subprocess.run(
        [find_environment(DEFAULT).python, script], check=True, env=environment, timeout=300, cwd=tmp_path
    )
    made = script.with_name(Path(winner["path"]).name)
    assert abs(made.stat().st_size - winner["size_bytes"]) <= 2048
    with np.load(Path(winner["path"]).with_suffix(".replay.npz")) as replay:
        assert str(replay["source"]) == f"rknn-toolkit2 {DEFAULT} simulator"


def test_scores_beside_boxes_are_cured_by_outputs_of_their_own(tmp_path: Path) -> None:
    if DEFAULT not in installed_versions():
        pytest.skip(f"no rknn-toolkit2 {DEFAULT}: bench toolkit install {DEFAULT}")
    net = Network(1, 3, 32, 32).conv(3, 16).add("Relu")
    trunk = net.value
    boxes = net.conv(16, 4).add("Sigmoid").add("Mul", net.constant("size", np.float32(640.0))).value
    net.value = trunk
    scores = net.conv(16, 5).add("Sigmoid").value
    net.value = boxes
    path = net.add("Concat", scores, axis=1).save(tmp_path / "detector.onnx")
    assert run_bench("golden", path, "--cases", "4").returncode == 0
    golden = tmp_path / "detector.golden.npz"
    done = run_bench(
        "convert", path, "--target", "rk3588", "-o", tmp_path, "--golden", golden, "--random-calibration",
        "--recipe", "int8", "--recipe", "outputs=split,int8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(golden) as archive:
        (whole,) = (archive[name] for name in archive if name.startswith("outputs/"))
    expected = whole[:, 0, 4:].reshape(4, 5, -1)
    with np.load(tmp_path / "detector.rk3588.int8.replay.npz") as replay:
        (joined,) = (replay[name] for name in replay if name.startswith("outputs/"))
        # One step is 640 / 255: of a score between 0 and 1 nothing is left.
        assert not joined.reshape(4, 9, -1)[:, 4:].any()
    with np.load(tmp_path / "detector.rk3588.outputs=split+int8.replay.npz") as replay:
        found = replay[f"outputs/{scores}"].reshape(4, 5, -1)
    # What int8 can tell apart is told as the ONNX has it: ties of a step agree with any of theirs.
    best = np.take_along_axis(found, expected.argmax(1)[:, None], 1)[:, 0]
    assert (best >= found.max(1) - 1 / 128).mean() == 1.0
