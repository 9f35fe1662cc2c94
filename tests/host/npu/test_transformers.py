"""What transformers are made of: other orders, bf16, and on the RK3588 softmax and attention."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from made_nets import FOLDER, SOCS, Net, agreement
from onnxruntime import InferenceSession
from rkbench.errors import NotModelledError
from rkbench.npu.execute import bfloat16
from rkbench.npu.execute.executor import Executor
from rkbench.rknn import open_model
from rkbench.stats.similarity import cosine


@pytest.mark.parametrize("dtype", ["fp16", "int8"])
def test_a_transpose_is_the_simulators_bit_for_bit(dtype: str) -> None:
    assert agreement(Net("transpose", "rk3588", dtype)).equal == 1


def test_a_transpose_on_the_cpu_is_refused_where_its_shapes_do_not_tell_the_order() -> None:
    path = FOLDER.parent / "models/causes/unfold2x2.rk3568.int8.rknn"
    with open_model(path) as model, pytest.raises(NotModelledError, match="a Transpose of"):
        Executor(model).run({each.name: np.zeros(each.shape, "f") for each in model.inputs})


@pytest.mark.parametrize("soc", SOCS)
@pytest.mark.parametrize(("dtype", "largest"), [("fp16", 3), ("int8", 1)])
def test_a_normalization_agrees_with_the_simulator(dtype: str, largest: int, soc: str) -> None:
    found = agreement(Net("normalization", soc, dtype))
    assert found.largest <= largest
    assert dtype == "fp16" or found.equal >= 0.95


@pytest.mark.parametrize("dtype", ["fp16", "int8"])
def test_a_softmax_is_near_the_simulators(dtype: str) -> None:
    net = Net("softmax", "rk3588", dtype)
    assert cosine(net.computed(), net.simulated()) > 0.9995


def test_a_softmax_takes_its_exponentials_from_the_bits_of_fp16() -> None:
    net = Net("softmax", "rk3588", "fp16")
    x = net.cases().astype("float16")
    below = (x - x.max(axis=-1, keepdims=True)).astype("float32")
    # Schraudolph, Neural Computation 11 (1999): a line through the exponent's bits.
    bits = np.rint(np.maximum(below * np.float32(1477) + np.float32(15300.624), 0)).astype(np.int16)
    powers = bits.view(np.float16).astype("float32")
    expected = powers / powers.sum(axis=-1, keepdims=True).astype("float16")
    apart = np.abs(net.computed().reshape(x.shape) - expected)
    assert apart.max() <= 2 * np.spacing(np.float16(expected.max()))


@pytest.mark.parametrize(("dtype", "least"), [("fp16", 0.99999), ("int8", 0.999)])
def test_a_transformer_agrees_with_the_simulator(dtype: str, least: float) -> None:
    net = Net("transformer", "rk3588", dtype)
    assert cosine(net.computed(), net.simulated()) > least


def test_bf16_is_rounded_to_even_and_keeps_what_is_no_number() -> None:
    # 1 + 2**-8 lies in the middle between 1 and the next value, 1 + 3 * 2**-8 above it.
    values = np.array([1, 1 + 2**-8, 1 + 3 * 2**-8, -np.inf, np.nan, 3.4e38], "float32")
    back = bfloat16.widened(bfloat16.rounded(values))
    np.testing.assert_array_equal(back[:4], [1, 1, 1 + 2**-6, -np.inf])
    assert np.isnan(back[4])
    assert back[5] == np.inf


def test_the_channels_of_one_pixel_lie_one_behind_the_other() -> None:
    net = Net("transformer", "rk3588", "fp16")
    network = onnx.load(str(net.path.parent / "transformer.onnx"))
    network.graph.output.append(onnx.ValueInfoProto(name="ReduceMean_45"))
    case = net.cases()[0]
    (expected,) = InferenceSession(network.SerializeToString()).run(["ReduceMean_45"], {"x": case})
    seen: dict[str, Any] = {}
    with open_model(net.path) as model:
        Executor(model).run({"x": case}, lambda _, outputs: seen.update(outputs))
    assert np.abs(seen["ReduceMean_45_tp-rs"].ravel() - expected.ravel()).max() < 0.01
