"""What is rewritten of a network that leaves its batch open still takes any batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx_networks import Network
from onnx_units import film
from rkbench.onnx import fix


def vector() -> Network:
    """Return a map that is turned and made a vector for a Gemm."""
    network = Network("batch", 16, 3, 5).conv(16, 32, (1, 1)).add("Transpose", perm=[0, 2, 3, 1])
    return network.add("Flatten").add("Gemm", network.weights("matrix", 480, 24), network.weights("b", 24))


def signal() -> Network:
    """Return a convolution of far taps."""
    network = Network("batch", 24, 128).add("Relu")
    taps = network.weights("taps", 24, 24, 3)
    return network.add("Conv", taps, kernel_shape=[3], dilations=[32], pads=[64, 0]).add("Relu")


def groups() -> Network:
    """Return a norm over 8 groups of a map's channels."""
    network = Network("batch", 16, 28, 28).conv(16, 64, (1, 1))
    network.add("Reshape", network.constant("rows", np.array([0, 8, -1])))
    ones, zeros = (network.constant(f"all{number}", np.full(8, number, "float32")) for number in (1, 0))
    network.add("InstanceNormalization", ones, zeros)
    return network.add("Reshape", network.constant("map", np.array([-1, 64, 28, 28]))).conv(64, 8, (1, 1))


def decided() -> Network:
    """Return a far tap's convolution before an If that the input decides: its bodies have sizes too."""
    network = signal()
    network.extra_inputs.append(helper.make_tensor_value_info("asked", TensorProto.BOOL, ()))
    made = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    source, network.value = network.value, "asked"
    bodies = [
        helper.make_graph([helper.make_node(kind, [source], ["out"])], kind, [], [made])
        for kind in ("Neg", "Abs")
    ]
    return network.add("If", then_branch=bodies[0], else_branch=bodies[1])


@pytest.mark.parametrize(
    ("network", "rewrite"),
    [
        (vector, "flattened_order"),
        (signal, "far_taps"),
        (groups, "pooled_norm"),
        (partial(film, "batch"), "patchify"),
        (decided, "far_taps"),
    ],
)
def test_two_maps_at_once_are_computed_as_before(
    tmp_path: Path, network: Callable[[], Network], rewrite: str
) -> None:
    path = network().save(tmp_path / "x.onnx")
    report = fix(path, "rk3588", "fp16", tmp_path / "y.onnx")
    assert rewrite in {change.rewrite for change in report.changes}
    (given, *others) = onnx.load(path).graph.input
    shape = [2, *(dim.dim_value for dim in given.type.tensor_type.shape.dim[1:])]
    feeds = {given.name: np.random.default_rng(7).standard_normal(shape).astype("float32")}
    feeds |= {other.name: np.array(True) for other in others}
    sessions = [onnxruntime.InferenceSession(tmp_path / name) for name in ("x.onnx", "y.onnx")]
    before, after = (session.run(None, feeds)[0] for session in sessions)
    assert before.shape[0] == 2
    assert np.allclose(before, after, atol=1e-5)
