"""Bisections with the real converter: a layer that the board computes wrong, and one that int8 loses."""

from __future__ import annotations

import json
import math
import os
import random
from pathlib import Path

import numpy as np
import onnx
import pytest
from bench_command import Done, run_bench
from bisect_networks import make_network
from onnx_networks import Network
from rkbench.bisect.cuts import CuttableOnnx
from rkbench.toolkit.environment import installed_versions
from rkbench.toolkit.versions import DEFAULT

#: All ten take half an hour: RKBENCH_ALL_NETS=1.
SEEDS = range(10) if os.environ.get("RKBENCH_ALL_NETS") else (3,)


@pytest.fixture(autouse=True)
def _needs_toolkit() -> None:
    if DEFAULT not in installed_versions():
        pytest.skip(f"no rknn-toolkit2 {DEFAULT}: bench toolkit install {DEFAULT}")


def bisected(folder: Path, *arguments: object) -> Done:
    return run_bench(
        "bisect", "net.onnx", "--store", "store.sqlite", "--save", "repro", "--json", "-", *arguments,
        folder=folder,
    )  # fmt: skip


def check_found(done: Done, name: str | None, fault: str, layers: int) -> None:
    assert done.returncode == (3 if name else 0), done.stderr
    document = done.document
    assert (document["layer"] or {}).get("name") == name
    assert document["layer_count"] == layers
    if name is None:
        assert len(document["probes"]) == 1
        return
    assert document["layer"]["fault"] == fault
    assert len(document["probes"]) <= 3 + math.ceil(math.log2(layers))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_layer_that_the_board_computes_wrong_is_found(tmp_path: Path, seed: int) -> None:
    path = make_network(seed, tmp_path / "net.onnx")
    layers = CuttableOnnx(path).layers
    place = {0: 0, 1: len(layers) - 1, 2: None, 3: 8}.get(seed, random.Random(seed).randrange(len(layers)))
    wrong = set(layers[place].outputs) if place is not None else set()
    for node in onnx.load(path).graph.node:
        if wrong & set(node.input):
            wrong.update(node.output)
    (tmp_path / "behaviour.json").write_text(json.dumps({"wrong_outputs": sorted(wrong)}))
    board = '[boards.v]\nhost = "virtual"\nsoc = "rk3588"\nbehaviour = "behaviour.json"\n'
    (tmp_path / "bench.toml").write_text(board)
    done = bisected(tmp_path, "--board", "v", "--inventory", "bench.toml")
    check_found(done, layers[place].name if place is not None else None, "board", len(layers))
    if place is not None:
        again = run_bench(
            "push", "repro/model.rknn", "--board", "v", "--inventory", "bench.toml", "--duration", "0.1",
            "--golden", "repro/golden.npz", "--require", "snr >= 20dB", "--store", "store.sqlite",
            folder=tmp_path,
        )  # fmt: skip
        assert again.returncode == 3, again.stderr


@pytest.mark.parametrize("seed", SEEDS)
def test_a_layer_that_integers_lose_is_found(tmp_path: Path, seed: int) -> None:
    """A small signal on a large constant is one step of int8: without the constant nothing is left."""
    chance = random.Random(seed)
    before, behind = chance.randint(0, 4), chance.randint(0, 4)
    net = Network(1, 3, 12, 12).conv(3, 8, bias=False)
    for _ in range(before):
        net.conv(8, 8, bias=False).add("Relu")
    name = None
    if seed != 2:
        lifted = net.add("Add", net.constant("up", np.full((1, 8, 1, 1), 1000, "float32"))).add("Relu")
        name = "taken_away"
        lifted.add("Sub", net.constant("down", np.full((1, 8, 1, 1), 1000, "float32")), name=name)
    for _ in range(behind):
        net.conv(8, 8, bias=False).add("Relu")
    path = net.conv(8, 5, bias=False).save(tmp_path / "net.onnx")
    recipe = ("--recipe", "int8", "--random-calibration")
    done = bisected(tmp_path, "--board", "virtual:rk3588", *recipe)
    check_found(done, name, "quantization", len(CuttableOnnx(path).layers))
