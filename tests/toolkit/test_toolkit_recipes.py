"""Each recipe on a small network, converted by the real rknn-toolkit2: what it does, seen in the file.

All are converted by one command, whose results the cache of conversions keeps: run again, nothing is built.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bench_command import run_bench
from onnx_networks import Network
from rkbench.rknn import open_model
from rkbench.rknn.placement import placement
from rkbench.toolkit.environment import installed_versions
from rkbench.toolkit.versions import DEFAULT

pytestmark = pytest.mark.timeout(400)
#: What the converter leaves unwritten.
NOISE_BYTES = 2_048
#: The least cosine of the vendor's simulator against onnxruntime, over four cases.
COSINES = {
    "fp16": 0.99999,
    "int8": 0.9995,
    "int8-mmse": 0.9995,
    "int8-kl": 0.9995,
    "int8-layer": 0.999,
    "int16": 0.99999,
    "hybrid(auto)": 0.9995,
    "hybrid(grouped)": 0.9995,
    "fix,fp16": 0.99999,
    "single-core,fp16": 0.99999,
    "compress,int8": 0.9995,
    "target=rk3568,int8": 0.9995,
    "target=rk3568,compress,int8": 0.9995,
    f"toolkit={DEFAULT},fp16": 0.99999,
    "gap=mean": 0.99999,
    "gap=avgpool": 0.99999,
    "gap=staged": 0.99999,
    "relu=kept": 0.0,
    "initializers=inputs": 0.99999,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What `bench convert --json` says of each recipe; all of them stand where `path` says."""
    if DEFAULT not in installed_versions():
        pytest.skip(f"no rknn-toolkit2 {DEFAULT}: bench toolkit install {DEFAULT}")
    folder = tmp_path_factory.mktemp("recipes")
    net = Network(1, 3, 32, 32).conv(3, 256, strides=[2, 2]).add("Relu")
    net.conv(256, 256, group=64, name="grouped").add("Relu").conv(256, 32, (1, 1), name="bare")
    net.conv(32, 64).add("Relu").add("GlobalAveragePool", name="pool").add("Flatten", axis=1)
    net.add("Gemm", net.weights("fc", 64, 10), name="classes").save(folder / "net.onnx")
    golden = folder / "net.golden.npz"
    assert run_bench("golden", folder / "net.onnx", "--cases", "4").returncode == 0
    asked = [word for recipe in COSINES for word in ("--recipe", recipe)]
    done = run_bench(
        "convert", folder / "net.onnx", "--target", "rk3588", "--calibration", golden, "-o", folder,
        "--golden", golden, "--json", "-", "--jobs", "2", *asked,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {each["recipe"]: each for each in done.document["variants"]}


@pytest.mark.parametrize("recipe", [*COSINES])
def test_a_recipe_is_converted_and_computes_what_the_onnx_does(
    made: dict[str, dict[str, Any]], recipe: str
) -> None:
    (output,) = made[recipe]["simulator"]
    print(recipe, made[recipe]["size_bytes"], output["cosine"], output["max_abs_error"])
    assert output["cosine"] >= COSINES[recipe]


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ("int8", "fp16"),
        ("int8-layer", "int8"),
        ("int8", "hybrid(grouped)"),
        ("fix,fp16", "fp16"),
        ("single-core,fp16", "fp16"),
        ("target=rk3568,compress,int8", "target=rk3568,int8"),
    ],
)
def test_what_a_recipe_saves(made: dict[str, dict[str, Any]], smaller: str, larger: str) -> None:
    assert made[smaller]["size_bytes"] < made[larger]["size_bytes"] - NOISE_BYTES


@pytest.mark.parametrize(
    ("advised", "plain"),
    [
        ("gap=mean", "fp16"),
        ("gap=avgpool", "fp16"),
        ("initializers=inputs", "fp16"),
        ("compress,int8", "int8"),
    ],
)
def test_advice_that_changes_nothing(made: dict[str, dict[str, Any]], advised: str, plain: str) -> None:
    assert abs(made[advised]["size_bytes"] - made[plain]["size_bytes"]) <= NOISE_BYTES


def test_a_layer_that_is_named_stays_in_float_and_no_other(made: dict[str, dict[str, Any]]) -> None:
    def floats(recipe: str) -> list[str]:
        with open_model(Path(made[recipe]["path"])) as model:
            return [node.name for node in placement(model.contents).in_float]

    print(floats("int8"), floats("hybrid(grouped)"))
    assert any("grouped" in name for name in floats("hybrid(grouped)"))
    assert not any("grouped" in name for name in floats("int8"))


def test_ways_of_calibration_give_other_numbers(made: dict[str, dict[str, Any]]) -> None:
    ways = ("int8", "int8-mmse", "int8-kl", "int8-layer")
    assert len({made[way]["simulator"][0]["cosine"] for way in ways}) == len(ways)


def test_a_relu_that_was_added_changes_the_outputs_and_is_said(made: dict[str, dict[str, Any]]) -> None:
    assert made["relu=kept"]["simulator"][0]["cosine"] < 0.999
    assert "which changes the outputs" in made["relu=kept"]["source"]["changes"][0]


def test_a_toolkit_that_is_named_is_the_one_that_converts(made: dict[str, dict[str, Any]]) -> None:
    assert made[f"toolkit={DEFAULT},fp16"]["key"] == made["fp16"]["key"]
    assert made["target=rk3568,int8"]["target"] == "rk3568"
