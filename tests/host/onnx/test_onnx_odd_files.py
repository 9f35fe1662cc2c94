"""Files that are odd or invalid as a whole: an answer, what the converter will say, or one clear refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_networks import Network
from rkbench.errors import ModelError
from rkbench.onnx import fix, predict_size

PADS = [1, 1, 1, 1]


def _conv(source: str = "x", result: str = "y", weights: str = "w") -> onnx.NodeProto:
    return helper.make_node("Conv", [source, weights], [result], name=f"conv_{result}", pads=PADS)


def save(
    folder: Path,
    *nodes: onnx.NodeProto,
    opset: int = 13,
    functions: tuple[onnx.FunctionProto, ...] = (),
    sizes: tuple[int | str, ...] = (1, 16, 16, 16),
) -> Path:
    """Save nodes from `x` to `y` around a stored 3x3 over 16 channels, `w`, unchecked."""
    kernel = (np.random.default_rng(3).standard_normal((16, 16, 3, 3)) * 0.1).astype("float32")
    graph = helper.make_graph(
        nodes,
        "odd",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(kernel, "w")],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=8)
    onnx.save(model, folder / "m.onnx")
    return folder / "m.onnx"


def _function(name: str, *nodes: onnx.NodeProto) -> onnx.FunctionProto:
    imports = [helper.make_opsetid("", 13), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a", "w"], ["b"], nodes, imports)


def _call(name: str, source: str, result: str) -> onnx.NodeProto:
    return helper.make_node(name, [source, "w"], [result], domain="own")


BLOCK = _function("block", _conv("a", "c"), helper.make_node("Relu", ["c"], ["b"]))


def cured(path: Path, folder: Path) -> list[str]:
    """Fix a file that the converter would refuse; return the rewrites, once nothing is foreseen any more."""
    report = fix(path, "rk3588", "fp16", folder / "fixed.onnx")
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-5
    assert predict_size(folder / "fixed.onnx", "rk3588", "fp16").refusals == ()
    return [change.rewrite for change in report.changes]


def sentences(path: Path) -> list[str]:
    return [refusal.sentence for refusal in predict_size(path, "rk3588", "fp16").refusals]


@pytest.mark.parametrize("opset", range(7, 26))
def test_every_opset_is_predicted_alike_and_newer_ones_than_19_are_refused(
    tmp_path: Path, opset: int
) -> None:
    relu = helper.make_node("Relu", ["a"], ["y"])
    prediction = predict_size(save(tmp_path, _conv(result="a"), relu, opset=opset), "rk3588", "fp16")
    assert prediction.weight_bytes == 6_656
    said = [f"Unsupport onnx opset {opset}, need <= 19!"] if opset > 19 else []
    assert [refusal.sentence for refusal in prediction.refusals] == said


@pytest.mark.parametrize("opset", [20, 22, 25])
def test_an_opset_that_is_too_new_is_restated_with_a_gelu_in_pieces(tmp_path: Path, opset: int) -> None:
    gelu = helper.make_node("Gelu", ["a"], ["y"])
    assert cured(save(tmp_path, _conv(result="a"), gelu, opset=opset), tmp_path) == ["older_opset"]
    assert onnx.load(tmp_path / "fixed.onnx").opset_import[0].version == 19


def test_an_operator_that_changed_since_keeps_its_opset(tmp_path: Path) -> None:
    grid = helper.make_node("GroupNormalization", ["x", "w", "w"], ["y"], num_groups=4)
    path = save(tmp_path, grid, opset=21)
    assert fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx").written is None


def test_functions_of_a_file_are_counted_as_the_nodes_that_they_are(tmp_path: Path) -> None:
    called = save(tmp_path, _call("block", "x", "h"), _call("block", "h", "y"), functions=(BLOCK,))
    size = predict_size(called, "rk3588", "fp16").weight_bytes
    assert sentences(called)[0].startswith("InvalidGraph: [ONNXRuntimeError]")
    assert cured(called, tmp_path) == ["spelled_out"]
    assert predict_size(tmp_path / "fixed.onnx", "rk3588", "fp16").weight_bytes == size


@pytest.mark.parametrize(
    "functions",
    [
        (_function("one", _call("one", "a", "b")),),
        (_function("one", _call("two", "a", "b")), _function("two", _call("one", "a", "b"))),
    ],
)
def test_functions_that_call_themselves_are_refused(
    tmp_path: Path, functions: tuple[onnx.FunctionProto, ...]
) -> None:
    path = save(tmp_path, _call("one", "x", "y"), functions=functions)
    with pytest.raises(ModelError, match="Cyclic dependency"):
        predict_size(path, "rk3588", "fp16")


def test_functions_that_call_the_next_one_twice_are_refused_at_once(tmp_path: Path) -> None:
    deep = [_function(f"f{i}", _call(f"f{i + 1}", "a", "t"), _call(f"f{i + 1}", "t", "b")) for i in range(30)]
    last = _function("f30", helper.make_node("Relu", ["a"], ["b"]))
    path = save(tmp_path, _call("f0", "x", "y"), functions=(*deep, last))
    with pytest.raises(ModelError, match="make 1,073,741,824 nodes"):
        predict_size(path, "rk3588", "fp16")


def test_nodes_that_are_not_in_order_are_put_in_order(tmp_path: Path) -> None:
    path = save(tmp_path, helper.make_node("Relu", ["a"], ["y"]), _conv(result="a"))
    assert sentences(path) == ["KeyError: ... (fold_constant)"]
    assert cured(path, tmp_path) == ["spelled_out"]


def test_a_cycle_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, _conv("b", "a"), helper.make_node("Relu", ["a"], ["b"]), _conv("b", "y"))
    with pytest.raises(ModelError, match="contains a cycle"):
        predict_size(path, "rk3588", "fp16")


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (_conv("nowhere"), "reads 'nowhere', which nothing makes"),
        (helper.make_node("Conv", ["x"], ["y"]), "reads 1 of at least 2 inputs"),
        (helper.make_node("Concat", ["x", "x"], ["y"]), "has no attribute 'axis'"),
        (helper.make_node("Conv", ["x", "w"], ["y"], pads=[0.5] * 4), "has 'pads' of the type FLOATS"),
        (
            helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[0, 0]),
            "has a window or steps of (0, 0)",
        ),
    ],
)
def test_nodes_without_what_their_operator_needs_are_refused_by_name(
    tmp_path: Path, node: onnx.NodeProto, words: str
) -> None:
    for run in (predict_size, lambda *asked: fix(*asked, tmp_path / "out.onnx")):
        with pytest.raises(ModelError) as refused:
            run(save(tmp_path, node), "rk3588", "fp16")
        assert words in str(refused.value)


def test_a_row_of_numbers_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    ends = [numpy_helper.from_array(np.array(end), "") for end in (0, 10**12, 1)]
    stored = [helper.make_node("Constant", [], [f"c{place}"], value=end) for place, end in enumerate(ends)]
    row = helper.make_node("Range", [node.output[0] for node in stored], ["row"])
    cast = helper.make_node("Cast", ["row"], ["numbers"], to=TensorProto.FLOAT)
    with pytest.raises(ModelError, match="'row' has the shape 1000000000000, which no network has"):
        predict_size(save(tmp_path, *stored, row, cast, _conv()), "rk3588", "fp16")


def test_a_map_that_open_sizes_make_negative_asks_for_them(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="unpadded")
    path = save(tmp_path, node, sizes=(1, 16, "H", "W"))
    with pytest.raises(ModelError) as refused:
        predict_size(path, "rk3588", "fp16")
    assert "H, W counted as 1" in str(refused.value)
    assert "--input-shape" in refused.value.hint
    assert predict_size(path, "rk3588", "fp16", input_shapes={"x": (1, 16, 8, 8)}).file_bytes > 0


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("Loop", "The Loop('odd') will cause the graph to be a dynamic graph!"),
        ("SequenceConstruct", "The Op of 'SequenceConstruct' is not supported yet"),
        ("OptionalGetElement", "KeyError: 0"),
        ("Frobnicate", "InvalidGraph"),
    ],
)
def test_what_no_npu_network_has_is_foreseen(tmp_path: Path, kind: str, said: str) -> None:
    inputs = ["", "", "x"] if kind == "Loop" else ["x"]  # the first two may be left out
    attributes = {"body": helper.make_graph([], "body", [], [])} if kind == "Loop" else {}
    node = helper.make_node(kind, inputs, ["z"], name="odd", **attributes)
    assert sentences(save(tmp_path, node, _conv()))[0].startswith(said)


def test_a_network_that_takes_strings_is_foreseen(tmp_path: Path) -> None:
    path = save(tmp_path, _conv())
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("words", TensorProto.STRING, [1]))
    onnx.save(model, path)
    assert sentences(path) == ["Not support input data type 'object'!"]


def test_an_if_whose_answer_is_stored_is_foreseen(tmp_path: Path) -> None:
    made = helper.make_tensor_value_info("made", TensorProto.FLOAT, None)
    branches = {
        name: helper.make_graph([helper.make_node(kind, ["x"], ["made"])], name, [], [made])
        for name, kind in (("then_branch", "Relu"), ("else_branch", "Neg"))
    }
    stored = helper.make_node("Constant", [], ["answer"], value=numpy_helper.from_array(np.array(True)))
    decided = helper.make_node("If", ["answer"], ["z"], **branches)
    assert sentences(save(tmp_path, stored, decided, _conv("z"))) == ["KeyError: 'answer'"]


@pytest.mark.parametrize(
    ("domain", "refused"), [("com.example", True), ("com.microsoft", False), ("ai.onnx.ml", False)]
)
def test_an_operator_of_a_domain_that_onnxruntime_does_not_know_is_foreseen(
    tmp_path: Path, domain: str, refused: bool
) -> None:
    foreign = helper.make_node("Gelu", ["a"], ["y"], domain=domain)
    said = sentences(save(tmp_path, _conv(result="a"), foreign))
    assert [sentence.startswith("InvalidGraph: ") for sentence in said] == [True] * refused


@pytest.mark.parametrize(
    ("location", "offset", "words"),
    [
        ("/etc/hostname", "0", "outside its folder"),
        ("../weights.bin", "0", "outside its folder"),
        ("weights.bin", "-5", "offset must be non-negative"),
    ],
)
def test_weights_that_lie_where_none_may_lie_are_refused(
    tmp_path: Path, location: str, offset: str, words: str
) -> None:
    path = save(tmp_path, _conv())
    model = onnx.load(path)
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", "9216")):
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=words):
        predict_size(path, "rk3588", "fp16")


@pytest.mark.parametrize("other", ["itself", "the first"])
def test_weights_that_are_summed_many_times_over_are_read_once_each(tmp_path: Path, other: str) -> None:
    """Looked at by a function that called itself for both operands, 2,000 sums were too deep, 40 too many."""
    sums = [
        helper.make_node("Add", [f"s{step}", f"s{step}" if other == "itself" else "w"], [f"s{step + 1}"])
        for step in range(2_000)
    ]
    first = helper.make_node("Identity", ["w"], ["s0"])
    path = save(tmp_path, first, *sums, _conv(weights="s2000"))
    assert predict_size(path, "rk3588", "fp16").weight_bytes >= 16 * 16 * 9 * 2


def test_numbers_that_are_divided_by_zero_are_no_warning(tmp_path: Path) -> None:
    """Numpy's, of a line of onnx: pytest makes an error of it, a terminal showed it before the answer."""
    less = helper.make_node("Sub", ["w", "w"], ["zeros"])
    mask = helper.make_node("Div", ["w", "zeros"], ["mask"])
    path = save(tmp_path, less, mask, _conv(weights="mask"))
    assert predict_size(path, "rk3588", "fp16").weight_bytes >= 16 * 16 * 9 * 2


@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
@pytest.mark.parametrize(
    ("one", "two"), [((0, 4, 8), (0, 8, 4)), ((4,), (4, 5)), ((2, 4), (4,)), ((1, 1, 0, 8), (1, 1, 8, 4))]
)
def test_products_of_vectors_and_of_nothing_end_in_an_answer(
    tmp_path: Path, one: tuple[int, ...], two: tuple[int, ...], target: str
) -> None:
    """Counted by the rows of each head: of no heads it was a ZeroDivisionError, of a vector an IndexError."""
    network = Network(*one)
    network.extra_inputs.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, two))
    path = network.add("MatMul", "other").add("Relu").save(tmp_path / "m.onnx")
    assert predict_size(path, target, "fp16").file_bytes > 0


def test_a_constant_part_of_no_channels_ends_in_an_answer(tmp_path: Path) -> None:
    network = Network(1, 16, 8, 8).conv(16, 16)
    network.add("Concat", network.constant("none", np.zeros((1, 0, 8, 8), "float32")), axis=1)
    path = network.conv(16, 16).save(tmp_path / "m.onnx")
    assert fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx").changes == ()
