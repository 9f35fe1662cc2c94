"""A made detector, boxes and scores in one output: integers lose every score; split they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench_command import run_bench
from onnx_networks import Network
from rkbench.toolkit.environment import installed_versions
from rkbench.toolkit.versions import DEFAULT

CLASSES, CELLS, SIDE, CASES = 5, 8, 8, 6


def detector(path: Path, patterns: np.ndarray) -> str:
    """Save a detector of square patterns, `CELLS` a side; return the name of its scores.

    Its first channels are how like each pattern a cell is, from 0 to 1: scores are 0.05 or 0.95.
    """
    net = Network(1, 3, CELLS * SIDE, CELLS * SIDE)
    kernels = net.random.standard_normal((16, 3, SIDE, SIDE)) * 0.02
    kernels[:CLASSES] = patterns / patterns[0].size
    net.add("Conv", net.constant("patterns", kernels.astype("float32")), strides=[SIDE, SIDE]).add("Relu")
    trunk = net.value
    corners = net.constant("corners", (net.random.standard_normal((4, 16, 1, 1)) * 6).astype("float32"))
    net.conv(16, 4, (1, 1), weights=corners).add("Sigmoid")  # both ends of its range
    boxes = net.add("Mul", net.constant("size", np.float32(640))).value
    net.value = trunk
    likeness = np.zeros((CLASSES, 16, 1, 1), "float32")
    likeness[range(CLASSES), range(CLASSES)] = 6.0
    weights = [net.constant("likeness", likeness), net.constant("bias", np.full(CLASSES, -3, "float32"))]
    scores = net.add("Conv", *weights).add("Sigmoid").value
    net.value = boxes
    net.add("Concat", scores, axis=1).save(path)
    return scores


def pictures(patterns: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return cases of which every cell shows one of the patterns, with noise."""
    shown = random.integers(0, CLASSES, (CASES, CELLS, CELLS))
    cells = patterns[shown].transpose(0, 3, 1, 4, 2, 5).reshape(CASES, 3, CELLS * SIDE, CELLS * SIDE)
    return (cells + random.normal(0, 0.3, cells.shape)).astype("float32")


@pytest.mark.timeout(900)
def test_scores_beside_boxes_are_cured_by_outputs_of_their_own(tmp_path: Path) -> None:
    if DEFAULT not in installed_versions():
        pytest.skip(f"no rknn-toolkit2 {DEFAULT}: bench toolkit install {DEFAULT}")
    random = np.random.default_rng(5)
    patterns = random.choice([-1.0, 1.0], (CLASSES, 3, SIDE, SIDE))
    scores = detector(tmp_path / "detector.onnx", patterns)
    np.savez(tmp_path / "seen.npz", x=pictures(patterns, random))
    np.savez(tmp_path / "unseen.npz", x=pictures(patterns, random))
    golden = tmp_path / "detector.golden.npz"
    made = run_bench("golden", tmp_path / "detector.onnx", "--inputs", tmp_path / "unseen.npz", "-o", golden)
    assert made.returncode == 0, made.stderr
    done = run_bench(
        "convert", tmp_path / "detector.onnx", "--target", "rk3588", "-o", tmp_path, "--golden", golden,
        "--calibration", tmp_path / "seen.npz", "--recipe", "int8", "--recipe", "outputs=split,int8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shape = (CASES, -1, CELLS, CELLS)
    with np.load(golden) as archive:
        (whole,) = (archive[name] for name in archive if name.startswith("outputs/"))
        expected = whole.reshape(shape)[:, 4:]
    with np.load(tmp_path / "detector.rk3588.int8.replay.npz") as replay:
        (joined,) = (replay[name] for name in replay if name.startswith("outputs/"))
    with np.load(tmp_path / "detector.rk3588.outputs=split+int8.replay.npz") as replay:
        found = replay[f"outputs/{scores}"].reshape(shape)
    assert whole.max() > 600
    assert expected.max(1).min() > 0.8
    assert len(np.unique(expected.argmax(1))) == CLASSES
    assert not joined.reshape(shape)[:, 4:].any()  # a step of the output is 640 / 255
    np.testing.assert_array_equal(found.argmax(1), expected.argmax(1))
