"""The vendor's accuracy_analysis: each layer with its error, the first bad one named, its dumps gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench_command import run_bench
from onnx_networks import Network
from rkbench.files import cache_folder
from rkbench.toolkit.environment import installed_versions
from rkbench.toolkit.versions import DEFAULT


def test_the_layer_that_integers_lose_is_the_first_bad_one(tmp_path: Path) -> None:
    if DEFAULT not in installed_versions():
        pytest.skip(f"no rknn-toolkit2 {DEFAULT}: bench toolkit install {DEFAULT}")
    net = Network(1, 3, 12, 12).conv(3, 8, bias=False).add("Relu")
    net.add("Add", net.constant("up", np.full((1, 8, 1, 1), 1000, "float32"))).add("Relu")
    net.add("Sub", net.constant("down", np.full((1, 8, 1, 1), 1000, "float32")), name="taken_away")
    path = net.conv(8, 5, bias=False).save(tmp_path / "net.onnx")
    assert run_bench("golden", path, "--cases", "2").returncode == 0
    done = run_bench(
        "convert", path, "--target", "rk3588", "--recipe", "int8", "--random-calibration", "--by-layer",
        "--golden", path.with_name("net.golden.npz"), "-o", tmp_path, "--json", "-",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    layers = done.document["variants"][0]["layers"]
    bad = next(layer for layer in layers if layer["own_cosine"] < 0.99)
    assert bad["name"] == "taken_away_out"
    assert all(layer["own_cosine"] > 0.999 for layer in layers if layer is not bad)
    left = {file.name for file in cache_folder("conversions").rglob("*")} | {
        each.name for each in tmp_path.iterdir()
    }
    assert not {"snapshot", "error_analysis.txt"} & left
