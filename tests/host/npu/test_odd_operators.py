"""Operators and files that were computed wrongly without a word (toolkit 2.5.0): right now, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_nets import Net
from npu_words import word
from rkbench.errors import ModelError, NotModelledError
from rkbench.npu.decoded import DecodedGraph
from rkbench.npu.execute.cubes import AddressSpace
from rkbench.npu.execute.executor import Executor
from rkbench.npu.execute.fields import UnmodelledError
from rkbench.npu.execute.tensors import Tensors, quantization
from rkbench.npu.layout import BASE, lay_out
from rkbench.npu.predict import predict_decoded
from rkbench.npu.tasks import decode_tasks
from rkbench.rknn import open_model

FOLDER = Path(__file__).resolve().parents[2] / "data/npu/refused"
INDICES = FOLDER.parents[1] / "models/causes/int_input_onehot.rk3568.fp16.rknn"


def executed(name: str, numbers: dict[str, np.ndarray]) -> np.ndarray:
    """Return the only output of a file."""
    with open_model(FOLDER / f"{name}.rknn") as model:
        executor = Executor(model)
        (output,) = executor.run(numbers).values()
    return output


def inputs_of(name: str) -> dict[str, np.ndarray]:
    """Return seeded values for the inputs of a file."""
    seeded = np.random.default_rng(5)
    with open_model(FOLDER / f"{name}.rknn") as model:
        inputs = Executor(model).inputs
    return {each.name: seeded.standard_normal(each.shape).astype("float32") for each in inputs}


def test_the_largest_of_three_takes_the_third_too() -> None:
    given = inputs_of("largest_of_three_rk3588_fp16")
    a, b, c = given.values()
    expected = np.maximum(np.maximum(np.sin(a), b), c)
    assert (c == expected).mean() > 0.2
    found = executed("largest_of_three_rk3588_fp16", given)
    assert np.abs(found - expected).max() < 0.01


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("truths_rk3588_fp16", "a Cast to INT8"),
        ("upper_limit_rk3568_fp16", "a Clip without a lower limit"),
    ],
)
def test_what_the_file_does_not_tell_is_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(NotModelledError, match=words):
        executed(name, inputs_of(name))


@pytest.mark.parametrize("changed", [{"zero_point": (4107,)}, {"scale": (0.0,)}, {"scale": (float("nan"),)}])
def test_steps_that_no_tensor_can_have_are_refused(changed: dict[str, tuple[float, ...]]) -> None:
    with open_model(Net("pools", "rk3588", "int8").path) as model:
        tensor = next(each for each in model.tensors if each.dtype == "INT8" and each.scale)
    assert quantization(tensor)[0] > 0
    with pytest.raises(UnmodelledError, match="of steps of"):
        quantization(replace(tensor, **changed))


def test_an_input_that_claims_more_values_than_it_has_bytes_is_refused_unmade(tmp_path: Path) -> None:
    net = Net("pools", "rk3588", "int8")
    with open_model(net.path) as model:
        shape = Executor(model).inputs[0].shape
    data, said = net.path.read_bytes(), set()
    pattern, path = np.array(shape, "<i4").tobytes(), tmp_path / "endless.rknn"
    at = data.find(pattern)
    while at >= 0:
        path.write_bytes(data[:at] + np.array([2**29 + 1], "<i4").tobytes() + data[at + 4 :])
        try:
            with open_model(path) as model:
                Executor(model)
        except ModelError as error:
            said.add(error.message.rpartition(": ")[2].split(" of ")[0].split(" ")[0])
        at = data.find(pattern, at + 1)
    assert "input" in said


def test_whole_numbers_beyond_the_inputs_own_are_refused() -> None:
    with open_model(INDICES) as model:
        executor = Executor(model)
        given = {each.name: np.zeros(each.shape, "int64") for each in executor.inputs}
        executor.run(given)
        (whole,) = [each.name for each in executor.inputs if each.dtype in ("INT32", "INT64")]
        with pytest.raises(NotModelledError, match="numbers beyond int"):
            executor.run({**given, whole: given[whole] + 2**40})


def test_commands_that_nobody_can_explain_are_predicted_without_a_band() -> None:
    with open_model(Net("dense", "rk3588", "int8").path) as model:
        whole = predict_decoded(DecodedGraph(model))
        decoded = DecodedGraph(model)
        tasks = decode_tasks(decoded.layout)
        record = decoded.layout.records[int(tasks.index[2])]
        decoded.layout.words[int(record["address"]) // 8 + int(record["amount"]) - 1] = word(0x40C4, 1)
        damaged = predict_decoded(decoded)
    assert not any("explain" in reason for reason in whole.outside)
    assert any("0x40c4" in reason for reason in damaged.outside)
    assert damaged.low_s is None


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_no_step_is_made_up_for_an_input_that_is_no_number(wrong: float) -> None:
    net = Net("pools", "rk3588", "int8")
    with open_model(net.path) as model:
        executor = Executor(model)
        (tensor,) = executor.inputs
        values = np.zeros(tensor.shape, "float32")
        values[0, 1, 2, 3] = values[0, 2, 0, 0] = wrong
        words = r"input 'x' .* int8 of NaN or infinity \(2 of \d+ values, the first at \[0, 1, 2, 3\]\)"
        with pytest.raises(NotModelledError, match=words):
            executor.run({"x": values})


def test_what_a_layer_makes_of_nothing_is_no_step_and_what_is_infinite_the_last() -> None:
    with open_model(FOLDER.parent / "largest_rk3588_int8.rknn") as model:
        layout = lay_out(model)
        tensor = next(each for each in model.tensors if each.kind == "activation" and each.step)
        memory = AddressSpace(layout.memory(), layout.generation.atom_bytes, BASE)
        tensors = Tensors(memory, layout.addresses)
        values = np.full(tensor.shape, np.inf, "float32")
        tensors.write(tensor, values)
        assert set(tensors.stored(tensor).ravel().tolist()) == {127}
        values[...] = np.nan
        with pytest.raises(UnmodelledError, match="int8 of NaN or infinity"):
            tensors.write(tensor, values)
