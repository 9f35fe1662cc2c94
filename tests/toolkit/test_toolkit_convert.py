"""The converter itself: sizes that the facts name, the simulator's replay file, and its failures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
from onnx_networks import Network
from toolkit_jobs import Convert


def network(folder: Path) -> Path:
    """Save a network with a 4-D input and a 2-D output."""
    made = Network(1, 3, 16, 16).conv(3, 16).add("Relu").add("GlobalAveragePool").add("Flatten", axis=1)
    return made.add("Gemm", made.weights("fc", 16, 10)).save(folder / "small.onnx")


def test_the_converter_gives_the_size_that_was_measured_before(data: Path, convert: Convert) -> None:
    answer = convert(data / "models" / "chshuffle6.onnx", "rk3588", "fp16")
    assert (answer["ok"], answer["size_bytes"], answer["toolkit_version"]) == (True, 911_020, "2.5.0")
    assert answer["output"].stat().st_size == 911_020


def test_the_simulator_answers_as_onnxruntime_and_its_file_is_a_replay(
    tmp_path: Path, convert: Convert
) -> None:
    path = network(tmp_path)
    fed = np.random.default_rng(3).standard_normal((2, 1, 16, 16, 3)).astype("float32")
    np.savez(tmp_path / "in.npz", **{"inputs/x": fed})
    files = {"inputs": tmp_path / "in.npz", "outputs": tmp_path / "replay.npz"}
    (name,) = convert(path, "rk3588", "fp16", **files)["output_names"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with np.load(tmp_path / "replay.npz") as replay:
        assert list(replay["digests"]) == [hashlib.sha256(case.tobytes()).hexdigest() for case in fed]
        assert str(replay["source"]) == "rknn-toolkit2 2.5.0 simulator"
        for case, found in zip(fed, replay[f"outputs/{name}"], strict=True):
            (expected,) = session.run(None, {"x": np.moveaxis(case, -1, 1)})
            assert np.allclose(found, expected, atol=5e-3)


def test_a_hybrid_conversion_keeps_the_named_layer_in_float(tmp_path: Path, convert: Convert) -> None:
    path = network(tmp_path)
    int8 = convert(path, "rk3588", "int8")
    hybrid = convert(path, "rk3588", "int8", hybrid={"Conv_0_out": "float16"})
    assert (int8["ok"], hybrid["ok"]) == (True, True)
    assert hybrid["size_bytes"] > int8["size_bytes"]


def test_a_refusal_of_the_toolkit_is_an_answer(tmp_path: Path, convert: Convert) -> None:
    answer = convert(network(tmp_path), "rk9999", "fp16")
    assert (answer["ok"], answer["stage"]) == (False, "load")
    assert "names no SoC that this toolkit knows" in answer["error"]
    assert not answer["output"].exists()
