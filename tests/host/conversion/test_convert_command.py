"""`bench convert`: recipes in, .rknn files with their records out, and what stops it said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bench_command import run_bench
from made_toolkit import SAMPLE, make_environment
from onnx import load_model, save_model
from onnx_networks import Network
from rkbench.toolkit.environment import folder_of


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        folder = folder_of("2.5.0")
        folder.parent.mkdir(parents=True)
        make_environment(folder)
    return cache


@pytest.fixture(autouse=True)
def cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    net = Network(1, 3, 8, 8).conv(3, 8).add("Relu").add("GlobalAveragePool")
    return net.save(tmp_path / "net.onnx")


def test_each_recipe_leaves_a_file_its_record_and_its_log(onnx: Path, tmp_path: Path) -> None:
    recipes = ("--recipe", "fp16", "--recipe", "int8,compress", "--recipe", "single-core")
    done = run_bench(
        "convert",
        str(onnx),
        "--target",
        "rk3568",
        *recipes,
        "--random-calibration",
        "-o",
        str(tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    stems = ("net.rk3568.fp16", "net.rk3568.int8+compress")
    assert names == sorted(f"{stem}.{end}" for stem in stems for end in ("json", "log", "rknn"))
    record = json.loads((tmp_path / "out/net.rk3568.int8+compress.json").read_text())
    assert record["config"] == {"compress_weight": True}
    assert record["calibration"]["is_random"] is True
    assert record["memory"] == {
        "weight_bytes": 4809923,
        "internal_bytes": 608384,
        "provenance": "vendor toolkit",
    }
    assert record["size_bytes"] == SAMPLE.stat().st_size
    text = " ".join(done.stdout.split())
    assert "left out: single-core: rk3568 has one NPU core" in text
    assert "calibrated on random inputs" in text


def test_nothing_is_converted_twice(tmp_path: Path) -> None:
    onnx = Network(1, 3, 8, 8).conv(3, 8).add("Relu").save(tmp_path / "net.onnx")
    arguments = (
        "convert",
        str(onnx),
        "--target",
        "rk3588",
        "--recipe",
        "fp16",
        "--recipe",
        "fix,fp16",
        "--json",
        "-",
    )
    first = json.loads(run_bench(*arguments, "-o", str(tmp_path / "a")).stdout)
    again = json.loads(run_bench(*arguments, "-o", str(tmp_path / "b")).stdout)
    # `fix` finds nothing to change: the two recipes are one conversion.
    assert sorted(each["fresh"] for each in first["variants"]) == [False, True]
    assert [each["fresh"] for each in again["variants"]] == [False, False]
    assert [each["recipe"] for each in again["variants"]] == ["fp16", "fix,fp16"]
    assert len({each["key"] for each in (*first["variants"], *again["variants"])}) == 1
    assert len(list((tmp_path / "b").glob("*.rknn"))) == 2


def test_other_weights_in_a_file_of_their_own_are_another_conversion(onnx: Path, tmp_path: Path) -> None:
    stored = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0}
    model = tmp_path / "split.onnx"
    save_model(load_model(onnx), model, **stored)
    weights, fresh = tmp_path / "w.bin", []
    for data in (weights.read_bytes(), weights.read_bytes(), weights.read_bytes()[::-1]):
        weights.write_bytes(data)
        done = run_bench(
            "convert", str(model), "--target", "rk3588", "--json", "-", "-o", str(tmp_path / "out")
        )
        fresh += [each["fresh"] for each in json.loads(done.stdout)["variants"]]
    assert fresh == [True, False, True]


def test_other_inputs_of_the_calibration_are_another_conversion(onnx: Path, tmp_path: Path) -> None:
    keys = []
    for seed in (1, 2):
        case = np.random.default_rng(seed).standard_normal((4, 3, 8, 8)).astype("float32")
        np.savez(tmp_path / "calibration.npz", x=case)
        done = run_bench(
            "convert", str(onnx), "--target", "rk3588", "--recipe", "int8", "--json", "-",
            "--calibration", str(tmp_path / "calibration.npz"), "-o", str(tmp_path),
        )  # fmt: skip
        (variant,) = json.loads(done.stdout)["variants"]
        keys.append(variant["key"])
        assert variant["calibration"]["is_random"] is False
        assert "calibrated on 4 cases of [(1, 3, 8, 8)]" in (tmp_path / "net.rk3588.int8.log").read_text()
    assert keys[0] != keys[1]


def test_the_simulators_outputs_are_kept_as_a_replay(onnx: Path, tmp_path: Path) -> None:
    assert run_bench("golden", str(onnx), "--cases", "2").returncode == 0
    done = run_bench(
        "convert",
        str(onnx),
        "--target",
        "rk3588",
        "-o",
        str(tmp_path),
        "--golden",
        str(tmp_path / "net.golden.npz"),
    )
    assert done.returncode == 0, done.stderr
    with (
        np.load(tmp_path / "net.rk3588.fp16.replay.npz") as replay,
        np.load(tmp_path / "net.golden.npz") as golden,
    ):
        (name,) = (key for key in golden if key.startswith("outputs/"))
        np.testing.assert_allclose(replay[name], golden[name], rtol=1e-5)


def test_the_simulator_is_held_against_the_golden_before_there_is_a_board(onnx: Path, tmp_path: Path) -> None:
    assert run_bench("golden", str(onnx), "--cases", "3", "--task", "classify").returncode == 0
    done = run_bench(
        "convert", onnx, "--target", "rk3588", "-o", tmp_path, "--golden", tmp_path / "net.golden.npz",
        "--recipe", "fp16", "--recipe", "int8", "--random-calibration",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    exact, coarse = (
        json.loads((tmp_path / f"net.rk3588.{recipe}.json").read_text())["simulator"]
        for recipe in ("fp16", "int8")
    )
    assert [(each["cases"], each["max_abs_error"], each["top1_agreement"]) for each in exact] == [(3, 0, 1)]
    assert exact[0]["cosine"] == pytest.approx(1.0)
    assert 0.9 < coarse[0]["cosine"] < 0.9999
    text = " ".join(done.stdout.split())
    assert "cosine max. error took" in text
    assert "1.000000" in text


def test_outputs_that_leave_in_parts_are_held_against_the_parts_of_the_golden(tmp_path: Path) -> None:
    net = Network(1, 3, 8, 8).conv(3, 8)
    first = net.value
    net.add("Relu")
    net.value, second = first, net.value
    path = net.add("Concat", second, axis=1).save(tmp_path / "net.onnx")
    assert run_bench("golden", path, "--cases", "2").returncode == 0
    done = run_bench(
        "convert", path, "--target", "rk3588", "-o", tmp_path, "--golden", tmp_path / "net.golden.npz",
        "--recipe", "outputs=split,fp16",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "net.rk3588.outputs=split+fp16.json").read_text())
    (joined,) = record["source"]["joined"]
    assert (joined["shape"], joined["axis"]) == ([1, 16, 8, 8], 1)
    assert [(part["name"], part["size"]) for part in joined["parts"]] == [(first, 8), (second, 8)]
    assert [(error["name"], error["max_abs_error"]) for error in record["simulator"]] == [
        (first, 0.0),
        (second, 0.0),
    ]


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (("--recipe", "int8"), "integers need calibration", "--random-calibration"),
        (("--recipe", "int9"), "no recipe is called 'int9'", "int8"),
        (
            ("--recipe", "toolkit=2.3.0"),
            "rknn-toolkit2 2.3.0 is not installed",
            "bench toolkit install 2.3.0",
        ),
        (("--toolkit-python", "/bin/true"), "no Python that answers", "rknn-toolkit2"),
        (("--golden", "nosuch.npz"), "nosuch.npz", "bench golden"),
        (("-o", "/proc/nowhere"), "/proc/nowhere: ", "-o DIR"),
        (("--input-shape", "x=1y2"), "is no input shape", "NAME=SIZES"),
        (("--calibration", "a.npz", "--random-calibration"), "contradict each other", ""),
    ],
)
def test_what_is_typed_wrong_is_refused_before_anything_runs(
    onnx: Path, arguments: tuple[str, ...], said: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(onnx.parent)
    done = run_bench("convert", str(onnx), "--target", "rk3588", *arguments)
    assert done.returncode != 0
    assert said in " ".join(done.stderr.split())
    assert hint in " ".join(done.stderr.split())
    assert list(onnx.parent.glob("*.rknn")) == []


def test_what_one_recipe_fails_by_leaves_the_others(
    onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run_bench("convert", str(onnx), "--target", "rk3588", "-o", str(tmp_path))
    assert done.returncode == 0
    monkeypatch.setenv("RKBENCH_FAKE_TOOLKIT", "refuse")
    both = ("--recipe", "fp16", "--recipe", "int16")
    done = run_bench(
        "convert", str(onnx), "--target", "rk3588", *both, "--random-calibration", "-o", str(tmp_path)
    )
    assert done.returncode == 1
    text = " ".join(done.stdout.split())
    assert "converted before" in done.stderr
    assert "failed: int16: net.onnx (load): The ONNX has a newer opset" in text
    assert not list(folder_of("x").parent.parent.glob("conversions/.building-*"))


def test_the_list_explains_every_recipe() -> None:
    done = run_bench("convert", "--list")
    assert done.returncode == 0
    assert "int8-mmse" in done.stdout
    assert "outputs=split" in done.stdout


def test_the_vendors_error_of_each_layer_is_shown_and_kept(onnx: Path, tmp_path: Path) -> None:
    convert = (
        "convert",
        onnx,
        "--target",
        "rk3588",
        "--recipe",
        "int8",
        "--random-calibration",
        "-o",
        tmp_path,
    )
    lacking = run_bench(*convert, "--by-layer")
    assert (lacking.returncode, "there is none" in lacking.stderr) == (2, True)
    assert run_bench("golden", onnx, "--cases", "2").returncode == 0
    golden = ("--golden", onnx.with_name("net.golden.npz"))
    done = run_bench(*convert, *golden, "--by-layer")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "Relu_1_out 0.53037 0.53037 Relu" in said
    assert "int8: first bad layer: Conv_0_out (Conv), its own cosine is 0.53037" in said
    record = json.loads((tmp_path / "net.rk3588.int8.json").read_text())
    assert [layer["op"] for layer in record["layers"]] == ["Conv", "Relu", "GlobalAveragePool"]
    log = (tmp_path / "net.rk3588.int8.log").read_text()
    assert "analysed [(1, 3, 8, 8)]" in log  # as the ONNX has it
    plain = run_bench(*convert, *golden)  # another conversion: nobody asked for layers
    assert "first bad layer" not in plain.stdout
