"""`bench inspect --against`: the error of each layer from the file alone, and the first bad one by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import onnx
import pytest
from bench_command import run_bench
from onnx import numpy_helper
from rkbench.errors import ModelError
from rkbench.inspection.against import AgainstOnnx, compare_with_onnx, in_order_of
from rkbench.rknn import open_model
from rkbench.stats.similarity import cosine
from rkbench.views.inspect.against import answer, show_against

NPU = Path(__file__).parents[2] / "data/npu"


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
@pytest.mark.parametrize("name", ["neck", "squeeze", "swishes"])
def test_layers_of_a_sound_file_are_near_their_onnx(name: str, soc: str) -> None:
    with open_model(NPU / f"{name}_{soc}_int8.rknn") as model:
        found = compare_with_onnx(model, NPU / f"{name}.onnx")
    assert found.first_bad is None
    assert len(found.layers) >= 2
    assert min(each.own_cosine for each in found.layers) > 0.999


def changed_onnx(folder: Path, factor: float = -1) -> Path:
    """The ONNX of `neck` with other weights in its second convolution."""
    network = onnx.load(str(NPU / "neck.onnx"))
    (second,) = (node for node in network.graph.node if node.name == "Conv_2")
    weights = next(each for each in network.graph.initializer if each.name == second.input[1])
    weights.CopyFrom(numpy_helper.from_array(factor * numpy_helper.to_array(weights), weights.name))
    onnx.save(network, folder / "other.onnx")
    return folder / "other.onnx"


def test_the_first_bad_layer_is_named_and_those_after_it_are_not_blamed(tmp_path: Path) -> None:
    with open_model(NPU / "neck_rk3588_int8.rknn") as model:
        found = compare_with_onnx(model, changed_onnx(tmp_path))
    assert found.first_bad is not None
    assert found.first_bad.layer == "Conv:Conv_2"
    by_layer = {each.layer: each for each in found.layers}
    after = by_layer["LeakyRelu:LeakyRelu_7"]
    assert after.own_cosine > 0.999
    assert after.cosine < 0.99


@pytest.mark.parametrize(
    ("behind", "bad"),
    [
        (("Relu", {}), None),
        (("Clip", {"max": 100.0}), "Conv:Conv_1"),
        (("Clip", {"min": 0.0, "max": 100.0}), None),
        (("LeakyRelu", {"alpha": 0.5}), "Conv:Conv_1"),
    ],
)
def test_what_a_relu_behind_a_layer_cuts_off_is_not_its_fault(
    behind: tuple[str, dict[str, float]], bad: str | None, tmp_path: Path
) -> None:
    """The converter gives an int8 tensor the range of the ReLU behind it, here behind a Concat."""
    network = onnx.load(str(NPU / "joined.onnx"))
    (relu,) = (node for node in network.graph.node if node.op_type == "Relu")
    op, attributes = behind
    limits = [f"{name} of Clip" if name in attributes else "" for name in ("min", "max")]
    clips = op == "Clip"
    network.graph.initializer.extend(
        numpy_helper.from_array(np.float32(value), f"{name} of Clip")
        for name, value in attributes.items()
        if clips
    )
    inputs = [relu.input[0], *(limits if clips else ())]
    other = onnx.helper.make_node(op, inputs, list(relu.output), relu.name, **({} if clips else attributes))
    relu.CopyFrom(other)
    onnx.save(network, tmp_path / "joined.onnx")
    with open_model(NPU / "joined_rk3588_int8.rknn") as model:
        found = compare_with_onnx(model, tmp_path / "joined.onnx")
    assert (found.first_bad.layer if found.first_bad else None) == bad


@pytest.mark.parametrize(("channel", "bad"), [(3, None), (4, "Conv:Conv_0")])
def test_a_channel_that_nothing_reads_is_not_its_layers_fault(
    channel: int, bad: str | None, tmp_path: Path
) -> None:
    network = onnx.load(str(NPU / "unread.onnx"))
    bias = next(each for each in network.graph.initializer if each.name == network.graph.node[0].input[2])
    values = numpy_helper.to_array(bias).copy()
    values[channel] += 10
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    onnx.save(network, tmp_path / "other.onnx")
    with open_model(NPU / "unread_rk3588_fp16.rknn") as model:
        found = compare_with_onnx(model, tmp_path / "other.onnx")
    assert found.layers[0].own_cosine < 0.9
    assert (found.first_bad.layer if found.first_bad else None) == bad
    assert answer(found).endswith(", where nothing reads it") == (bad is None)


def test_a_layer_whose_values_overflow_is_bad_and_null_in_json(tmp_path: Path) -> None:
    other = changed_onnx(tmp_path, np.inf)
    arguments = ("inspect", str(NPU / "neck_rk3588_fp16.rknn"), "--against", str(other))
    done = run_bench(*arguments, "--json", str(tmp_path / "told.json"))
    assert done.stdout.splitlines()[0].endswith("the first bad layer is Conv:Conv_2: its values overflow")
    told = json.loads((tmp_path / "told.json").read_text(), parse_constant=pytest.fail)
    assert told["first_bad"] == "Conv:Conv_2"
    assert None in [layer["own_cosine"] for layer in told["layers"]]


def test_the_command_answers_in_its_first_line(tmp_path: Path) -> None:
    done = run_bench("inspect", str(NPU / "neck_rk3588_int8.rknn"), "--against", str(NPU / "neck.onnx"))
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0]
    assert first == "neck_rk3588_int8.rknn: no bad layer; the worst by itself is Conv:Conv_0: cosine 0.99991"


def test_the_json_holds_every_layer(tmp_path: Path) -> None:
    arguments = ("inspect", str(NPU / "neck_rk3588_int8.rknn"), "--against", str(NPU / "neck.onnx"))
    told = json.loads(run_bench(*arguments, "--json", "-").stdout)
    assert (told["provenance"], told["first_bad"], len(told["layers"])) == ("computed", None, 5)


@pytest.mark.parametrize(
    ("onnx_file", "words", "exit_code"),
    [
        ("residual.onnx", "it is another network's, or was made anew with other names", 1),
        ("none.onnx", "no such file", 2),
    ],
)
def test_another_onnx_is_told(tmp_path: Path, onnx_file: str, words: str, exit_code: int) -> None:
    done = run_bench("inspect", str(NPU / "neck_rk3588_int8.rknn"), "--against", str(NPU / onnx_file))
    assert done.returncode == exit_code
    assert words in done.stderr


def test_an_onnx_of_other_inputs_is_told(tmp_path: Path) -> None:
    network = onnx.load(str(NPU / "neck.onnx"))
    network.graph.input[0].name = network.graph.node[0].input[0] = "y"
    onnx.save(network, tmp_path / "other.onnx")
    with (
        open_model(NPU / "neck_rk3588_int8.rknn") as model,
        pytest.raises(ModelError, match=r"onnxruntime cannot run .*other.onnx beside the .rknn") as caught,
    ):
        compare_with_onnx(model, tmp_path / "other.onnx")
    assert caught.value.hint == "is it the ONNX that the .rknn was converted from?"


def test_against_stands_alone() -> None:
    done = run_bench(
        "inspect", str(NPU / "neck_rk3588_int8.rknn"), "--against", "n.onnx", "--html", os.devnull
    )
    assert done.returncode == 2
    assert "--against stands alone" in done.stderr


@pytest.mark.parametrize(
    ("shape", "onnx_shape", "same"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4), "abcd"),
        ((1, 2, 3, 4), (2, 12), "abcd"),
        ((1, 2, 3, 4), (1, 3, 4, 2), "acdb"),
        ((1, 2, 1, 12), (1, 3, 4, 2), "acdb"),
        ((2, 3, 1, 5), (2, 5, 3), "acdb"),
        ((1, 2, 3, 5), (1, 5, 2, 3), None),
        ((1, 2, 3, 4), (1, 2, 3), None),
    ],
)
def test_values_take_the_order_that_the_onnx_has(
    shape: tuple[int, ...], onnx_shape: tuple[int, ...], same: str | None
) -> None:
    values = np.arange(np.prod(shape)).reshape(shape)
    found = in_order_of(onnx_shape, values)
    assert (found is None) == (same is None)
    if found is not None:
        assert found.shape == onnx_shape
        assert np.array_equal(found.ravel(), np.einsum(f"abcd->{same}", values).ravel())


def test_the_cosine_of_nothing_and_something_is_zero() -> None:
    assert cosine(np.zeros(3), np.zeros(3)) == 1
    assert cosine(np.zeros(3), np.ones(3)) == 0


def test_on_a_terminal_its_sentences_are_broken_at_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    show_against(
        AgainstOnnx(Path("net.rknn"), Path("net.onnx"), (), ("Conv:a", "Conv:b")), out=(out := Terminal())
    )
    assert max(map(len, out.getvalue().splitlines())) <= 40
    assert "\nlayer alone, fed with" in out.getvalue()


def test_what_both_name_is_told_where_no_name_is_the_same() -> None:
    with open_model(NPU / "neck_rk3588_int8.rknn") as model, pytest.raises(ModelError) as caught:
        compare_with_onnx(model, NPU / "residual.onnx")
    assert caught.value.message.splitlines()[1:] == [
        "  the .rknn writes: LeakyRelu_1, LeakyRelu_3, Resize_4, Resize_4_conv",
        "  the ONNX has:     Conv_0, Relu_1, Conv_2, Relu_3",
    ]


def test_an_input_of_whole_numbers_is_fed_whole_numbers() -> None:
    with open_model(NPU.parent / "models/causes/int_input_onehot.rk3568.fp16.rknn") as model:
        found = compare_with_onnx(model, NPU.parent / "cases/int_input_onehot.onnx")
    assert found.whole_inputs == ("i",)
    assert found.first_bad is None
    assert found.layers[-1].range > 1
    show_against(found, out=(out := StringIO()))
    assert "on standard normal inputs (i: whole numbers); own" in out.getvalue()


def with_weights(folder: Path, megabytes: int) -> Path:
    """The ONNX of `neck` with a constant that only its own Shape reads."""
    network = onnx.load(str(NPU / "neck.onnx"))
    constant = onnx.TensorProto(name="more", dims=[megabytes, 1 << 18], data_type=onnx.TensorProto.FLOAT)
    constant.raw_data = bytes(megabytes << 20)
    network.graph.initializer.append(constant)
    network.graph.node.append(onnx.helper.make_node("Shape", ["more"], ["size of more"]))
    onnx.save(network, folder / f"{megabytes}.onnx")
    return folder / f"{megabytes}.onnx"


IN_MEMORY = """
import os, resource, sys
from pathlib import Path
import numpy, onnx, onnx.shape_inference, onnxruntime, rkbench.inspection.against as against
from rkbench.errors import BenchError
from rkbench.rknn import open_model
limit = int(sys.argv[3])
if limit:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
try:
    with open_model(sys.argv[1]) as model:
        against.compare_with_onnx(model, Path(sys.argv[2]))
except BenchError as error:
    print(type(error).__name__, error.message, error.hint)
(peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak) // 1024)
"""


def told_with(onnx_path: Path, limit: int = 0) -> list[str]:
    arguments = (str(NPU / "neck_rk3588_int8.rknn"), str(onnx_path), str(limit))
    done = subprocess.run(
        [sys.executable, "-c", IN_MEMORY, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_memory_holds_an_onnx_little_more_than_twice(tmp_path: Path) -> None:
    few, many = (int(told_with(with_weights(tmp_path, size))[-1]) for size in (1, 129))
    assert many - few < 2.5 * 128


@pytest.mark.parametrize("limit", [64, 160])
def test_too_little_memory_is_told_with_what_to_do(tmp_path: Path, limit: int) -> None:
    told = told_with(with_weights(tmp_path, 128), limit << 20)
    assert told[0].startswith("ModelError")
    assert "memory is too short to compute it beside the .rknn: it has 134 MB" in told[0]
    assert "use a computer with more memory" in told[0]
