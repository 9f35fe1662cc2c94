"""`bench push MODEL.onnx`: converted on the way, with a stand-in for the vendor's converter, and measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bench_command import Done
from onnx_home import DEMO, OnnxHome

pytestmark = pytest.mark.xdist_group("push of an ONNX")  # one home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> OnnxHome:
    return OnnxHome(tmp_path_factory.mktemp("home"))


def push(home: OnnxHome, *arguments: object) -> Done:
    return home.run("push", *arguments, "--board", "virtual:rk3588", "--quick", "--json", "-")


def runs_of(done: Done) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = done.document["runs"]
    return runs


def codes(run: dict[str, Any]) -> set[str]:
    return {caveat["code"] for caveat in run["caveats"]}


def test_an_onnx_is_converted_to_fp16_and_said_so(home: OnnxHome) -> None:
    done = push(home, "digits.onnx")
    assert done.returncode == 0, done.stderr
    (run,) = runs_of(done)
    assert "digits.onnx is converted with recipe fp16: no --recipe" in done.stderr
    assert run["variant"]["name"] == "digits.rk3588.fp16"
    assert run["variant"]["made"]["recipe"] == "fp16"
    assert run["provenance"]["outputs"] == "vendor_simulator"
    assert run["outputs"][0]["cosine"] == pytest.approx(1.0)
    assert "random_calibration" not in codes(run)
    assert "digits.onnx: fp16: 14.6 MB, converted before" in push(home, "digits.onnx").stderr


def test_recipes_are_compared_and_noise_as_calibration_is_a_caveat_on_what_it_made(home: OnnxHome) -> None:
    recipes = ("--recipe", "fp16", "--recipe", "int8", "--recipe", "fix,int8-mmse", "--random-calibration")
    done = push(home, "digits.onnx", *recipes)
    assert done.returncode == 0, done.stderr
    runs = runs_of(done)
    assert [run["variant"]["made"]["recipe"] for run in runs] == ["fp16", "int8", "fix,int8-mmse"]
    assert ["random_calibration" in codes(run) for run in runs] == [False, True, True]
    again = push(home, "digits.rk3588.int8.rknn")
    assert "random_calibration" in codes(runs_of(again)[0])  # it is kept beside the file


def test_inputs_of_the_users_own_calibrate_and_nothing_is_doubted(home: OnnxHome) -> None:
    with np.load(DEMO / "golden.npz") as golden:
        np.savez(home.folder / "few.npz", image=golden["inputs/image"][:4].reshape(4, 1, 32, 32))
    (run,) = runs_of(push(home, "digits.onnx", "--recipe", "int8", "--calibration", "few.npz"))
    assert run["variant"]["made"]["calibration"] == "few.npz"
    assert "random_calibration" not in codes(run)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("digits.onnx", "--recipe", "int8"), "integers need calibration"),
        (("digits.onnx", "--recipe", "int9"), "no recipe is called"),
        ((DEMO / "digits.int8.rknn", "--recipe", "int8"), "there is no ONNX to convert"),
        (("digits.onnx", "--recipe", "toolkit=2.3.0"), "bench toolkit install 2.3.0"),
        (("none.onnx",), "none.onnx: cannot be read"),
    ],
)
def test_what_cannot_be_converted_is_said_before_a_board_is_asked(
    home: OnnxHome, arguments: tuple[object, ...], words: str
) -> None:
    done = push(home, *arguments)
    assert done.returncode != 0
    assert words in " ".join(done.stderr.split())
    assert "connecting" not in done.stderr


def test_a_failed_conversion_ends_the_push_with_its_cause(
    home: OnnxHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKBENCH_FAKE_TOOLKIT", "refuse")
    done = push(home, "digits.onnx", "--recipe", "int16", "--random-calibration")
    assert done.returncode == 1
    assert "digits.onnx (load): The ONNX has a newer opset" in " ".join(done.stderr.split())
    assert "connecting" not in done.stderr
