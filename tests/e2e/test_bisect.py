"""`bench bisect` end to end on a virtual board that computes a layer wrong, the converter a stand-in."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from bench_command import Done
from onnx_home import OnnxHome
from rkbench.schema import SCHEMAS
from strict_schema import strict_validator

sys.path.insert(0, str(Path(__file__).parents[1] / "host"))

from bisect_networks import make_network  # the path must be set first

HOST_TESTS = Path(__file__).parents[1] / "host"
SOURCES = [HOST_TESTS, *(HOST_TESTS.parents[1] / top for top in ("host", "agent"))]
WRONG = "Conv_8"


class BisectHome(OnnxHome):
    """A home with a network of 13 layers and a board that computes from one of them on wrong."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        wrong = {f"{WRONG}_out"}
        for node in onnx.load(make_network(3, folder / "net.onnx")).graph.node:
            if wrong & set(node.input):
                wrong.update(node.output)
        (folder / "behaviour.json").write_text(json.dumps({"wrong_outputs": sorted(wrong)}))
        board = '[boards.v]\nhost = "virtual"\nsoc = "rk3588"\nbehaviour = "behaviour.json"\n'
        (folder / "bench.toml").write_text(board)

    @property
    def environment(self) -> dict[str, str]:
        writer = os.pathsep.join(map(str, SOURCES))
        return {**super().environment, "RKBENCH_FAKE_TOOLKIT_WRITER": writer}

    def bisect(self, *arguments: object) -> Done:
        return self.run("bisect", "net.onnx", "--inventory", "bench.toml", *arguments)


pytestmark = pytest.mark.xdist_group("bisect")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> BisectHome:
    return BisectHome(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def found(home: BisectHome) -> Done:
    """The first bisection of the home; its reproduction stands in `repro`."""
    return home.bisect("--board", "v", "--save", "repro", "--json", "-")


def test_the_layer_is_found(found: Done) -> None:
    assert found.returncode == 3, found.stderr
    document = found.document
    strict_validator(SCHEMAS / "rkbench-bisect-1.schema.json").validate(document)
    assert (document["layer"]["name"], document["layer"]["fault"]) == (WRONG, "board")
    assert document["layer"]["is_jump"]
    assert len(document["probes"]) <= 6
    assert document["reproduction"]["layers"] == 1


@pytest.mark.usefixtures("found")
def test_its_reproduction_reproduces_on_that_board_and_on_no_other(home: BisectHome) -> None:
    for name in ("model.onnx", "model.rknn", "golden.npz", "model.json", "README.md"):
        assert (home.folder / "repro" / name).exists()
    assert f"{WRONG}_out: board" in (home.folder / "repro/README.md").read_text()
    asked = ("--golden", "repro/golden.npz", "--duration", "0.1", "--require", "snr >= 20dB")
    command = ("push", "repro/model.rknn", *asked)
    assert home.run(*command, "--board", "v", "--inventory", "bench.toml").returncode == 3
    assert home.run(*command, "--board", "virtual:rk3588").returncode == 0


@pytest.mark.usefixtures("found")
def test_what_was_converted_is_not_converted_again(home: BisectHome) -> None:
    begun = len(home.calls)
    again = home.bisect("--board", "v")
    assert len(home.calls) == begun
    assert f"First wrong layer: {WRONG} (Conv), layer 9 of 13: what it reads is right." in (
        " ".join(again.stdout.split())
    )


def test_a_right_network_is_said_right_after_one_part(home: BisectHome) -> None:
    begun = len(home.calls)
    done = home.bisect("--board", "virtual:rk3588")
    assert done.returncode == 0, done.stderr
    assert "The network is right: all of its outputs keep snr >= 20dB. 1 part converted and run." in (
        " ".join(done.stdout.split())
    )
    assert len(home.calls) - begun <= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--recipe", "fp16", "--recipe", "int8"), "looks at one recipe"),
        (("--recipe", "int8"), "integers need calibration"),
        (("--require", "p99 <= 3ms"), "is told of no part of a network"),
        (("--require", "snr >= 3dB", "--require", "cosine >= 0.9"), "give --require once"),
        (("--golden", "none.npz"), "none.npz: no such file"),
        (("--cores", "sweep"), "sweep"),
    ],
)
def test_what_is_typed_wrong_is_said_before_anything_is_converted(
    home: BisectHome, arguments: tuple[str, ...], words: str
) -> None:
    before = len(home.calls)
    done = home.bisect("--board", "v", *arguments)
    assert done.returncode in (1, 2)
    assert words in " ".join(done.stderr.split())
    assert len(home.calls) == before


def test_a_golden_gives_the_inputs(home: BisectHome) -> None:
    values = np.random.default_rng(5).standard_normal((3, 1, 3, 12, 12)).astype("float32")
    np.savez(home.folder / "inputs.npz", x=values)
    done = home.bisect("--board", "virtual:rk3588", "--golden", "inputs.npz", "--cases", 2, "--json", "-")
    assert (done.returncode, done.document["layer"]) == (0, None)
