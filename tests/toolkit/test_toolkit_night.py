"""A night that converts with the real toolkit: its cells are measured, and say what made them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench_command import run_bench
from onnx_networks import Network
from rkbench.toolkit.environment import installed_versions
from rkbench.toolkit.versions import DEFAULT

SUITE = """
boards = ["desk"]
gates = ["cosine >= 0.99", "size <= 1MB"]
[plans.default]
iterations = 100
duration = 0
[[models]]
onnx = "net.onnx"
recipes = ["fp16", "int8"]
random_calibration = true
golden = "cases.npz"
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with a suite, a small ONNX with its golden, and a virtual board."""
    if DEFAULT not in installed_versions():
        pytest.skip(f"no rknn-toolkit2 {DEFAULT}: bench toolkit install {DEFAULT}")
    onnx = Network(1, 3, 32, 32).conv(3, 32).add("Relu").conv(32, 64).save(tmp_path / "net.onnx")
    made = run_bench("golden", onnx, "-o", tmp_path / "cases.npz")
    assert made.returncode == 0, made.stderr
    (tmp_path / "suite.toml").write_text(SUITE)
    (tmp_path / "bench.toml").write_text('[boards.desk]\nhost = "virtual"\nsoc = "rk3588"\n')
    return tmp_path


def test_a_night_converts_once_and_measures_what_it_made(lab: Path) -> None:
    where = ("--inventory", lab / "bench.toml", "--store", lab / "store.sqlite", "--json", lab / "night.json")
    for told in ("converting for rk3588", "converted before"):
        done = run_bench("nightly", lab / "suite.toml", *where)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr.count(told) == 2
    cells = json.loads((lab / "night.json").read_text())["cells"]
    assert [(cell["variant"], cell["made_by"]["toolkit_version"]) for cell in cells] == [
        ("net.rk3588.fp16", DEFAULT),
        ("net.rk3588.int8", DEFAULT),
    ]
