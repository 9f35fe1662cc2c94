"""What the converter will refuse is said before: its own sentence, the node, a way around (toolkit 2.5.0)."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_networks import Network
from onnx_units import enlarging
from rkbench.inspection.prediction import predicted_sentence
from rkbench.onnx import open_onnx, predict_size
from rkbench.onnx.constants import constant_values
from rkbench.onnx.refusals import Asked, foreseen_refusals

GRAPHS = Path(__file__).resolve().parents[3] / "tools/corpus/data/graphs"
ALL = (("rk3588", "fp16"), ("rk3588", "int8"), ("rk3568", "fp16"), ("rk3568", "int8"))


def sentences(path: Path, target: str = "rk3588", dtype: str = "fp16") -> list[str]:
    """Return what the converter will say."""
    return [refusal.sentence for refusal in predict_size(path, target, dtype).refusals]


def joint_attention(folder: Path, bias: np.ndarray, parts: int = 3, batch: int = 1) -> Path:
    """Save query, key and value of 2 heads by one product of stored weights."""
    network = Network(batch, 49, 32)
    network.add("MatMul", network.weights("w", 32, parts * 32)).add("Add", network.constant("bias", bias))
    network.add("Reshape", network.constant("five", np.array([batch, 49, parts, 2, 16])))
    network.add("Transpose", perm=[2, 0, 3, 1, 4])
    network.add("Gather", network.constant("which", np.array(0)), axis=0)
    network.add("Transpose", perm=[0, 1, 3, 2]).add("MatMul", network.weights("other", 1, 2, 49, 49))
    return network.save(folder / "x.onnx")


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_uniform_bias_of_query_key_and_value_is_refused(tmp_path: Path, value: float) -> None:
    path = joint_attention(tmp_path, np.full(96, value, "float32"))
    expected = "ValueError: cannot reshape array of size 1 into shape (1,newaxis,3,1,1)"
    assert sentences(path) == sentences(path, "rk3568", "int8") == [expected]


def test_key_and_value_alone_are_refused_on_several_cores_only(tmp_path: Path) -> None:
    path = joint_attention(tmp_path, np.zeros(64, "float32"), parts=2)
    assert len(sentences(path, "rk3588", "int8")) == 1
    assert sentences(path, "rk3568") == []


@pytest.mark.parametrize(
    ("batch", "bias"),
    [
        (1, np.linspace(0, 1, 96, dtype="float32")),
        (4, np.zeros(96, "float32")),
    ],
)
def test_other_biases_and_batches_convert(tmp_path: Path, batch: int, bias: np.ndarray) -> None:
    assert sentences(joint_attention(tmp_path, bias, batch=batch)) == []


def attention_by_heads(folder: Path, bias: np.ndarray, *, first: bool, heads: int, batch: int) -> Path:
    """Save a product of stored weights whose heads are cut into query, key and value of 16 each."""
    network = Network(batch, 49, 32)
    network.add("MatMul", network.weights("w", 32, heads * 48))
    product, stored = network.value, network.constant("bias", bias)
    network.value = stored if first else product
    network.add("Add", product if first else stored)
    network.add("Reshape", network.constant("four", np.array([batch, 49, heads, 48])))
    network.add("Split", network.constant("parts", np.array([48])), axis=3).add(
        "Transpose", perm=[0, 2, 1, 3]
    )
    return network.save(folder / "x.onnx")


@pytest.mark.parametrize(
    ("value", "first", "heads", "batch", "target", "refused"),
    [
        (0.0, True, 4, 1, "rk3588", True),
        (0.0, True, 4, 1, "rk3568", True),
        (0.0, False, 4, 1, "rk3588", False),
        (1.0, False, 4, 1, "rk3568", True),
        (1.0, True, 1, 1, "rk3588", False),
        (0.0, True, 4, 4, "rk3588", True),
        (0.0, True, 4, 4, "rk3568", False),
    ],
)
def test_a_uniform_bias_of_heads_that_are_cut_is_refused(
    tmp_path: Path, value: float, first: bool, heads: int, batch: int, target: str, refused: bool
) -> None:
    """Each combination was converted, with an attention behind it."""
    bias = np.full(heads * 48, value, "float32")
    path = attention_by_heads(tmp_path, bias, first=first, heads=heads, batch=batch)
    said = ["ValueError: cannot reshape array of size 1 into shape (1,newaxis,48,1,1)"]
    assert sentences(path, target) == said * refused


def test_parts_in_blocks_and_rotated_ones_are_refused_alike(tmp_path: Path) -> None:
    blocks = Network(1, 4, 49, 32)
    blocks.add("MatMul", blocks.weights("w", 32, 96))
    blocks.add("Add", blocks.constant("bias", np.zeros(96, "float32")))
    blocks.add("Reshape", blocks.constant("six", np.array([1, 4, 49, 3, 2, 16])))
    blocks.add("Transpose", perm=[3, 0, 4, 1, 2, 5])
    blocks.add("Gather", blocks.constant("which", np.array(0)), axis=0)
    blocks.add("MatMul", blocks.weights("other", 1, 2, 4, 16, 49))
    assert len(sentences(blocks.save(tmp_path / "blocks.onnx"))) == 1
    rotated = Network(1, 49, 32)
    rotated.add("MatMul", rotated.weights("w", 32, 96))
    rotated.add("Add", rotated.constant("bias", np.zeros(96, "float32")))
    rotated.add("Reshape", rotated.constant("five", np.array([1, 49, 3, 2, 16])))
    joint = rotated.add("Transpose", perm=[2, 0, 3, 1, 4]).value
    rotated.add("Gather", rotated.constant("first", np.array(0)), axis=0).add("Neg")
    query, rotated.value = rotated.value, joint
    rotated.add("Gather", rotated.constant("second", np.array(1)), axis=0).add("Transpose", perm=[0, 1, 3, 2])
    key, rotated.value = rotated.value, query
    assert len(sentences(rotated.add("MatMul", key).save(tmp_path / "rotated.onnx"))) == 1


def test_the_shape_of_a_number_is_refused(tmp_path: Path) -> None:
    network = Network(1, 17, 64)
    network.add("ReduceMax", keepdims=0, name="best")
    best = network.value
    zeros = network.add("Shape", name="asked").add("ConstantOfShape").value
    network.value = best
    network.add("Add", zeros)
    said = sentences(network.save(tmp_path / "x.onnx"))
    assert said == ["ValueError: The shape of 'asked_out' is (0,), it is abnormal!"]


def test_the_shape_of_a_stored_number_is_folded(tmp_path: Path) -> None:
    network = Network(1, 17, 64)
    network.value = network.constant("place", np.array(3.0, "float32"))
    zeros = network.add("Shape", name="asked").add("ConstantOfShape").value
    network.value = "x"
    network.add("Add", zeros)
    assert sentences(network.save(tmp_path / "x.onnx")) == []


def test_a_normalization_by_what_it_is_given_is_refused(tmp_path: Path) -> None:
    network = Network(1, 16, 8, 8).conv(16, 16)
    ones = [network.constant(name, np.ones(16, "float32")) for name in "sbmv"]
    path = network.add("BatchNormalization", *ones).save(tmp_path / "x.onnx")
    assert sentences(path) == []
    model = onnx.load(path)
    model.graph.node[-1].output.extend(["mean", "variance"])
    onnx.save(model, path)
    assert [each.split(" in ")[1] for each in sentences(path)] == ["'BatchNormalization'(opset-9)!"]


@pytest.mark.parametrize(("number", "refused"), [(0.0, True), (0.1, False)])
def test_a_head_of_zeros_is_refused(tmp_path: Path, number: float, refused: bool) -> None:
    network = Network(1, 16, 8, 8).conv(16, 16).add("GlobalAveragePool").add("Flatten")
    network.add("Gemm", network.constant("head", np.full((16, 10), number, "float32")), name="y")
    said = ["ValueError: All outputs ['y_out'] of model are constants, The model is invalid!"]
    assert sentences(network.save(tmp_path / "x.onnx")) == said * refused


@pytest.mark.parametrize(("opset", "refused"), [(8, False), (9, True), (10, False)])
def test_a_dropout_with_a_mask_is_refused_in_opset_9(tmp_path: Path, opset: int, refused: bool) -> None:
    path = Network(1, 16, 8, 8).conv(16, 16).add("Dropout").save(tmp_path / "x.onnx")
    model = onnx.load(path)
    model.graph.node[-1].output.append("mask")
    model.opset_import[0].version = opset
    onnx.save(model, path)
    assert sentences(path) == ["Not support 'Dropout' of opset-9!"] * refused


@pytest.mark.parametrize(("attributes", "refused"), [({}, True), ({"alpha": 1 / 6}, False)])
def test_a_hard_sigmoid_without_alpha_before_a_mul_is_refused(
    tmp_path: Path, attributes: dict[str, float], refused: bool
) -> None:
    network = Network(1, 16, 8, 8).conv(16, 16)
    network.add("HardSigmoid", **attributes).add("Mul", network.constant("two", np.float32(2).reshape(1)))
    found = sentences(network.save(tmp_path / "x.onnx"))
    assert found == ["TypeError: ufunc 'isfinite' not supported for the input types"] * refused


def test_the_first_sentence_says_that_it_will_not_convert_and_the_way_around(tmp_path: Path) -> None:
    path = joint_attention(tmp_path, np.zeros(96, "float32"))
    said = predicted_sentence(path, predict_size(path, "rk3588", "fp16"))
    assert said.startswith("x.onnx will not convert for rk3588 fp16 (foreseen): the converter will say")
    assert "Way around: trained weights seldom do; change one number" in said


def summed_products(folder: Path, *, op: str = "MatMul", norm: bool = False, same: bool = True) -> Path:
    """Save two products by stored weights whose outputs are added, of one input or one of the other."""
    network = Network(1, 32, 8, 8).conv(32, 64).add("GlobalAveragePool").add("Flatten")
    source, made = network.value, []
    for number in range(2):
        network.value = source
        if norm:
            scales = [network.weights(f"{part}{number}", 64) for part in "gbm"]
            ones = network.constant(f"v{number}", np.ones(64, "float32"))
            network.add("BatchNormalization", *scales, ones)
        network.add(op, network.weights(f"w{number}", 64, 64))
        made.append(network.value)
        source = source if same else network.add("Relu").value
    network.value = made[0]
    return network.add("Add", made[1]).save(folder / "x.onnx")


@pytest.mark.parametrize(("op", "norm"), [("MatMul", False), ("Gemm", False), ("Gemm", True)])
def test_two_products_of_one_map_that_are_added_are_refused(tmp_path: Path, op: str, *, norm: bool) -> None:
    expected = ["TypeError: 'NoneType' object is unsliceable"]
    assert sentences(summed_products(tmp_path, op=op, norm=norm), "rk3568", "int8") == expected


def test_products_of_different_maps_convert(tmp_path: Path) -> None:
    assert sentences(summed_products(tmp_path, same=False)) == []


@pytest.mark.parametrize(
    ("order", "repeats", "refused"),
    [((0, 3, 1, 4, 2), True, True), ((0, 3, 1, 4, 2), False, False), ((0, 1, 3, 2, 4), True, False)],
)
def test_a_repeated_map_of_five_dimensions_that_is_turned_is_refused(
    tmp_path: Path, order: tuple[int, ...], *, repeats: bool, refused: bool
) -> None:
    network = Network(4, 16, 16, 64)
    network.add("MatMul", network.weights("w", 64, 16))
    network.add("Reshape", network.constant("five", np.array((4, 16, 1, 16, 16))))
    if repeats:
        network.add("Expand", network.constant("sizes", np.array((4, 16, 16, 16, 16))))
    path = network.add("Transpose", perm=order).save(tmp_path / "x.onnx")
    assert sentences(path) == (["ValueError: 3 is not in list"] if refused else [])


def branching(folder: Path, *, by_shape: bool, own_weights: bool) -> Path:
    """Save an If whose condition comes from a shape or from the input, with a weight in one branch."""
    made = onnx.helper.make_tensor_value_info
    weights = [onnx.numpy_helper.from_array(np.ones((16, 16, 1, 1), "float32"), name) for name in ("w", "w2")]
    numbers = [onnx.numpy_helper.from_array(np.array(number), f"n{number}") for number in (0, 1)]
    node = onnx.helper.make_node
    nodes = [node("Conv", ["x", "w"], ["c"]), *([] if own_weights else [node("Conv", ["c", "w2"], ["d"])])]
    if by_shape:
        nodes += [node("Shape", ["c"], ["s"]), node("Gather", ["s", "n0"], ["g"])]
        nodes.append(node("Equal", ["g", "n1"], ["condition"]))
    else:
        nodes += [node("ReduceMean", ["x"], ["m"], keepdims=0), node("Cast", ["m"], ["condition"], to=9)]
    one = onnx.helper.make_graph([node("Conv", ["c", "w2"], ["o"])], "one", [], [made("o", 1, None)])
    two = onnx.helper.make_graph([node("Sigmoid", ["c"], ["p"])], "two", [], [made("p", 1, None)])
    nodes.append(node("If", ["condition"], ["y"], name="choice", then_branch=one, else_branch=two))
    shape = [made("x", 1, [1, 16, 8, 8])]
    graph = onnx.helper.make_graph(nodes, "g", shape, [made("y", 1, None)], [*weights, *numbers])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    onnx.save(model, folder / "x.onnx")
    return folder / "x.onnx"


def test_an_if_that_depends_on_the_input_is_refused(tmp_path: Path) -> None:
    (said,) = sentences(branching(tmp_path, by_shape=False, own_weights=False))
    assert said.startswith("The If('choice') will cause the graph to be a dynamic graph!")


def test_a_weight_that_a_branch_alone_reads_is_dropped_by_the_converter(tmp_path: Path) -> None:
    said = sentences(branching(tmp_path, by_shape=True, own_weights=True))
    assert any("however input 'w2' of node" in sentence for sentence in said)


def test_an_if_over_a_shape_that_makes_the_output_is_frozen_and_refused(tmp_path: Path) -> None:
    """Converted, in fp16 for the rk3588: the converter computes the If once and finds no map that is left."""
    (said,) = sentences(branching(tmp_path, by_shape=True, own_weights=False))
    assert said == "ValueError: All outputs ['y'] of model are constants, The model is invalid!"


def test_a_graph_that_is_quantized_already_is_not_quantized_again(tmp_path: Path) -> None:
    network = Network(1, 16, 8, 8)
    scale = network.constant("scale", np.array(0.1, "float32"))
    zero = network.constant("zero", np.array(0, "int8"))
    network.add("QuantizeLinear", scale, zero).add("DequantizeLinear", scale, zero)
    path = network.conv(16, 16).save(tmp_path / "x.onnx")
    assert sentences(path) == []
    assert sentences(path, dtype="int8") == [
        "If a quantized model has been import, please set do_quantization = False."
    ]


def box_decoder(folder: Path, *, joined: int = 2, outputs: int = 1, cut_first: bool = False) -> Path:
    """Save the expected distances of boxes, four sides of 16 bins, of one map or more, cut in two."""
    network = Network(1, 64, 8, 8)
    flat = network.constant("flat", np.array([1, 64, 64]))
    network.add("Reshape", flat, name="first")
    if joined > 1:
        network.value = "first_out"
        network.add("Concat", *["first_out"] * (joined - 1), axis=2)
    network.add("Reshape", network.constant("bins", np.array([1, 4, 16, 64 * joined])))
    network.add("Transpose", perm=[0, 2, 1, 3]).add("Softmax", axis=1)
    network.conv(16, outputs, (1, 1), bias=False, name="expected")
    sides = network.constant("sides", np.array([1, 4 * outputs, 64 * joined]))
    half = network.constant("half", np.array([2, 2] if cut_first else [2 * outputs, 2 * outputs]))
    if not cut_first:
        network.add("Reshape", sides)
    network.add("Split", half, axis=2 if cut_first else 1)
    network.nodes[-1].output.append("right")
    return network.save(folder / "x.onnx")


@pytest.mark.parametrize("joined", [1, 2, 3])
def test_boxes_that_are_reshaped_and_then_cut_are_refused(tmp_path: Path, joined: int) -> None:
    assert sentences(box_decoder(tmp_path, joined=joined)) == ["IndexError: list index out of range"]


def test_boxes_that_are_cut_first_or_of_two_channels_convert(tmp_path: Path) -> None:
    assert sentences(box_decoder(tmp_path, cut_first=True)) == []
    assert sentences(box_decoder(tmp_path, outputs=2)) == []


@pytest.mark.parametrize(
    ("channels", "kernel", "target", "dtype", "refused"),
    [
        (160, 3, "rk3588", "fp16", False),
        (168, 3, "rk3588", "fp16", True),
        (336, 3, "rk3588", "int8", False),
        (341, 3, "rk3588", "int8", True),
        (336, 3, "rk3568", "fp16", False),
        (341, 3, "rk3568", "fp16", True),
        (384, 3, "rk3568", "int8", False),
        (48, 5, "rk3588", "fp16", False),
        (64, 5, "rk3588", "fp16", True),
    ],
)
def test_a_large_transposed_convolution_with_output_padding_is_refused(
    tmp_path: Path, channels: int, kernel: int, target: str, dtype: str, *, refused: bool
) -> None:
    found = sentences(enlarging(tmp_path, channels, kernel), target, dtype)
    assert [sentence.partition(" : ")[0] for sentence in found] == ["[ONNXRuntimeError]"] * refused


def test_without_output_padding_it_converts(tmp_path: Path) -> None:
    assert sentences(enlarging(tmp_path, 384, 4, added=0)) == []


@pytest.mark.parametrize(
    ("kernel", "groups", "refused"),
    [((3, 3, 3), 4, True), ((1, 1, 1), 4, True), ((3, 3, 3), 32, False), ((3, 3, 3), 1, False)],
)
def test_a_3d_convolution_in_groups_of_several_channels_is_refused(
    tmp_path: Path, kernel: tuple[int, ...], groups: int, *, refused: bool
) -> None:
    network = Network(1, 3, 8, 32, 32).conv(3, 32, (1, 3, 3)).add("Relu")
    found = sentences(network.conv(32, 32, kernel, groups).save(tmp_path / "x.onnx"))
    assert [sentence.partition(":")[0] for sentence in found] == ["vector"] * refused


KNOWN = {
    "ddddocr_common_old": ALL,
    "light_inception_v1": ALL,
    "timm_deit_tiny": ALL,
    "timm_pvt_v2_b0": ALL,
    "timm_test_vit": ALL,
    "timm_levit_128s": ALL,
    "timm_efficientformer_l1": ALL,
    "timm_botnet26t_256": ALL,
    "ppocr6_rec": (("rk3588", "fp16"), ("rk3588", "int8")),
    "magika": (("rk3588", "int8"), ("rk3568", "int8")),
}
"""The 36 refusals of ten networks that were seen before any rule was written."""


def test_of_the_36_refusals_that_were_known_30_are_foreseen(tmp_path: Path) -> None:
    foreseen = []
    for name, combinations in KNOWN.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(gzip.decompress((GRAPHS / f"{name}.onnx.gz").read_bytes()))
        network = open_onnx(path)
        constants = constant_values(network.graph)
        for target, dtype in combinations:
            again = network.is_quantized and dtype == "int8"
            asked = Asked(network.graph, network.opset, constants, target, again)
            foreseen += [(name, target, dtype)] if foreseen_refusals(asked) else []
    assert sum(map(len, KNOWN.values())) == 36
    assert len(foreseen) >= 30, foreseen


def scored(folder: Path, order: str, bias: tuple[int, ...] | None) -> Path:
    """Save attention of 2 heads whose scores are scaled and get a bias, stored or, with None, an input."""
    network = Network(1, 2, 16, 8)
    network.add("Transpose", perm=[0, 1, 3, 2])
    turned, network.value = network.value, "x"
    network.add("MatMul", turned)
    for step in order.split():
        if step != "Add":
            network.add(step, network.constant("scale", np.array(4.0, "float32")))
        elif bias is None:
            given = onnx.helper.make_tensor_value_info("bias", onnx.TensorProto.FLOAT, (1, 1, 16, 16))
            network.extra_inputs.append(given)
            network.add("Add", "bias")
        else:
            network.add("Add", network.weights("bias", *bias))
    network.add("Softmax", axis=-1).add("MatMul", "x")
    return network.save(folder / "x.onnx")


@pytest.mark.parametrize("order", ["Add Mul", "Add Div"])
@pytest.mark.parametrize("bias", [(1, 1, 16, 16), (1, 2, 16, 16), (1, 1, 1, 16)])
def test_a_stored_bias_before_the_scale_is_refused_on_several_cores(
    tmp_path: Path, order: str, bias: tuple[int, ...]
) -> None:
    path = scored(tmp_path, order, bias)
    assert sentences(path) == sentences(path, "rk3588", "int8") == ["ValueError: output array is read-only"]
    assert sentences(path, "rk3568") == []


@pytest.mark.parametrize(
    ("order", "bias"), [("Mul Add", (1, 1, 16, 16)), ("Add", (1, 1, 16, 16)), ("Add Mul", None)]
)
def test_other_biases_of_scores_convert(tmp_path: Path, order: str, bias: tuple[int, ...] | None) -> None:
    assert sentences(scored(tmp_path, order, bias)) == []


def asked_by_stored(folder: Path, stored: str, *casts: str) -> Path:
    """Save attention of 4 heads, some of whose query, key and value are stored."""
    network, parts = Network(1, 4, 49, 16), dict[str, str]()
    for name, shape in (("query", (1, 4, 20, 16)), ("key", (1, 4, 16, 49)), ("value", (1, 4, 49, 16))):
        network.value = "x"
        if name in stored.split():
            parts[name] = network.weights(name, *shape)
        elif name == "key":
            parts[name] = network.add("Transpose", perm=[0, 1, 3, 2]).value
        else:
            parts[name] = network.add("Relu").value
    network.value = parts["query"]
    network.add("MatMul", parts["key"]).add("Mul", network.constant("scale", np.array(0.25, "float32")))
    network.add("Softmax", axis=-1)
    for cast in casts:
        network.add(cast, to=onnx.TensorProto.FLOAT)
    return network.add("MatMul", parts["value"]).save(folder / "x.onnx")


@pytest.mark.parametrize("stored", ["query", "key", "value", "key value", ""])
def test_attention_to_what_is_stored_is_refused_on_several_cores(tmp_path: Path, stored: str) -> None:
    path = asked_by_stored(tmp_path, stored)
    expected = ["ValueError: inputs or 'outputs' must be set!"] if stored else []
    assert sentences(path) == sentences(path, "rk3588", "int8") == expected
    assert sentences(path, "rk3568") == []


def test_casts_behind_the_softmax_change_nothing(tmp_path: Path) -> None:
    path = asked_by_stored(tmp_path, "query", "Cast", "Cast")
    assert sentences(path) == ["ValueError: inputs or 'outputs' must be set!"]


def test_a_stored_query_without_heads_is_not(tmp_path: Path) -> None:
    network = Network(1, 64, 8, 32)
    network.add("Reshape", network.constant("row", np.array([1, 64, 256])))
    keys = network.value
    values = network.add("Transpose", perm=[0, 2, 1]).value
    network.value = network.weights("query", 1, 26, 64)
    network.add("MatMul", keys).add("Div", network.constant("scale", np.array(8.0, "float32")))
    path = network.add("Softmax", axis=-1).add("MatMul", values).save(tmp_path / "x.onnx")
    assert sentences(path) == sentences(path, "rk3588", "int8") == []


def picked(folder: Path, before: str, count: int) -> Path:
    """Save a network that picks `count` of 64 channels behind a node."""
    network = Network(1, 64, 7, 7)
    if before.startswith("Conv"):
        network.conv(64, 64, (3, 3), 64 if before == "Conv of each" else 1)
    elif before == "AveragePool":
        network.add(before, kernel_shape=[7, 7])
    elif before == "ReduceMean":
        network.add(before, axes=[2, 3], keepdims=1)
    else:
        network.add(before)
    network.add("Gather", network.constant("places", np.arange(64)[::-1][:count].copy()), axis=1)
    return network.conv(count, 16, (1, 1)).save(folder / "x.onnx")


@pytest.mark.parametrize("before", ["AveragePool", "GlobalAveragePool", "ReduceMean", "Conv of each"])
@pytest.mark.parametrize("count", [8, 32, 64])
def test_channels_picked_of_a_depthwise_convolution_are_refused(
    tmp_path: Path, before: str, count: int
) -> None:
    path = picked(tmp_path, before, count)
    found = [each for target in ("rk3588", "rk3568") for each in sentences(path, target)]
    assert len(found) == (0 if count == 64 else 2)
    assert all(f"M: {count} group: 64" in each for each in found)


@pytest.mark.parametrize("before", ["GlobalMaxPool", "Conv", "Relu"])
def test_channels_picked_of_other_layers_convert(tmp_path: Path, before: str) -> None:
    assert sentences(picked(tmp_path, before, 32)) == []
