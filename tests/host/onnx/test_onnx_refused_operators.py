"""Operators that toolkit 2.5.0 refuses for an attribute: each graph here was converted by it, or was not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import predict_size

DIED = "the converter's process ends without a word (signal 11)"


def sentences(path: Path, target: str = "rk3588", dtype: str = "fp16") -> list[str]:
    """Return what the converter will say."""
    return [refusal.sentence for refusal in predict_size(path, target, dtype).refusals]


def enlarged(folder: Path, scale: float = 2, **attributes: object) -> Path:
    """Save a picture that is resized, then a convolution."""
    network = Network(1, 3, 64, 64)
    scales = network.constant("scales", np.array([1, 1, scale, scale], "float32"))
    attributes = {"mode": "cubic", **attributes}
    return network.add("Resize", "", scales, **attributes).conv(3, 8).save(folder / "x.onnx")


@pytest.mark.parametrize(
    ("attributes", "refused"),
    [
        ({}, True),
        ({"scale": 0.5}, True),
        ({"scale": 1.5}, True),
        ({"coordinate_transformation_mode": "asymmetric"}, True),
        ({"coordinate_transformation_mode": "pytorch_half_pixel"}, True),
        ({"coordinate_transformation_mode": "align_corners"}, False),
        ({"exclude_outside": 1}, False),
        ({"scale": 1}, False),
        ({"mode": "linear"}, False),
    ],
)
def test_a_cubic_resize_ends_the_converter(
    tmp_path: Path, attributes: dict[str, object], refused: bool
) -> None:
    path = enlarged(tmp_path, **attributes)
    assert sentences(path) == sentences(path, "rk3568", "int8") == [DIED] * refused


@pytest.mark.parametrize("operator", ["RandomNormalLike", "RandomUniformLike"])
def test_random_numbers_are_refused(tmp_path: Path, operator: str) -> None:
    network = Network(1, 3, 32, 32).conv(3, 8)
    before = network.value
    path = network.add(operator, name="chance").add("Add", before).save(tmp_path / "x.onnx")
    (said,) = sentences(path)
    assert said.startswith("ValueError: Found Random node 'chance'")


@pytest.mark.parametrize(
    ("equation", "shape", "expected"),
    [
        ("b c ..., c -> b c ...", (1, 64, 1, 32, 32), "Rank of input 0 (5) does not match the equation"),
        ("... c, c -> ... c", (1, 32, 64), "Rank of input 0 (3) does not match the equation"),
        ("b c ..., c -> b c ...", (1, 64, 32), DIED),
        ("b c ..., c -> b c ...", (1, 64, 32, 32), ""),
        ("bcfhw,c->bcfhw", (1, 64, 1, 32, 32), ""),
        ("b c h,c -> b c h", (1, 64, 32), ""),
    ],
)
def test_an_einsum_by_a_vector_that_leaves_axes_out_is_refused(
    tmp_path: Path, equation: str, shape: tuple[int, ...], expected: str
) -> None:
    network = Network(*shape).add("Relu")
    path = network.add("Einsum", network.weights("w", 64), equation=equation).save(tmp_path / "x.onnx")
    said = sentences(path)
    assert [expected in each for each in said] == [True] * bool(expected)


@pytest.mark.parametrize(
    ("taps", "stride", "steps", "refused"),
    [
        (16, 8, 2000, False),
        (56, 8, 300, False),
        (62, 31, 300, True),
        (64, 32, 63, False),
        (64, 32, 64, True),
        (128, 64, 31, False),
        (128, 64, 33, True),
        (256, 8, 61, False),
        (256, 8, 260, True),
    ],
)
def test_a_transposed_convolution_of_many_taps_over_a_long_axis_is_refused_on_several_cores(
    tmp_path: Path, taps: int, stride: int, steps: int, refused: bool
) -> None:
    network = Network(1, 16, steps).add("Relu")
    network.add("ConvTranspose", network.weights("w", 16, 1, taps), kernel_shape=[taps], strides=[stride])
    path = network.save(tmp_path / "x.onnx")
    assert ["buffer overflow!" in said for said in sentences(path)] == [True] * refused
    assert sentences(path, "rk3568") == []


def test_an_einsum_of_stored_numbers_is_folded(tmp_path: Path) -> None:
    network = Network(1, 32, 16)
    network.value = network.weights("places", 32)
    angles = network.add("Einsum", network.weights("w", 16), equation="..., f -> ... f").value
    network.value = "x"
    assert sentences(network.add("Add", angles).save(tmp_path / "x.onnx")) == []


def attending_steps(
    folder: Path, bias: np.ndarray, *, parts: int, batch: int, heads: int, steps: int = 20
) -> Path:
    """Save query, key and value of positions that come before the batch, as PyTorch's attention has them."""
    network = Network(steps, batch, 32)
    network.add("MatMul", network.weights("w", 32, parts * 32))
    product, network.value = network.value, network.constant("bias", bias)
    network.add("Add", product)
    network.add("Reshape", network.constant("four", np.array([steps, batch, parts, 32])))
    network.add("Unsqueeze", network.constant("front", np.array([0]))).add("Transpose", perm=[3, 1, 2, 0, 4])
    network.add("Squeeze", network.constant("third", np.array([3])))
    network.add("Gather", network.constant("which", np.array(0)), axis=0)
    network.add("Reshape", network.constant("three", np.array([steps, batch * heads, 32 // heads])))
    return network.add("Transpose", perm=[1, 0, 2]).save(folder / "x.onnx")


@pytest.mark.parametrize(
    ("parts", "batch", "heads", "target", "axes"),
    [
        (3, 1, 4, "rk3588", "1,newaxis,3"),
        (3, 1, 4, "rk3568", "1,newaxis,3"),
        (3, 1, 1, "rk3588", "1,3,newaxis"),
        (3, 2, 4, "rk3588", ""),
        (2, 1, 4, "rk3588", "1,newaxis,2"),
        (2, 1, 4, "rk3568", ""),
        (2, 1, 1, "rk3568", "1,2,newaxis"),
    ],
)
def test_a_uniform_bias_of_positions_before_the_batch_is_refused(
    tmp_path: Path, parts: int, batch: int, heads: int, target: str, axes: str
) -> None:
    zeros = np.zeros(parts * 32, "float32")
    path = attending_steps(tmp_path, zeros, parts=parts, batch=batch, heads=heads)
    expected = f"ValueError: cannot reshape array of size 1 into shape ({axes},1,1)"
    assert sentences(path, target) == [expected] * bool(axes)
    blocks = attending_steps(tmp_path, zeros, parts=parts, batch=batch, heads=heads, steps=24)
    assert sentences(blocks, target) == []
    trained = np.linspace(0, 1, parts * 32, dtype="float32")
    assert sentences(attending_steps(tmp_path, trained, parts=parts, batch=batch, heads=heads), target) == []


@pytest.mark.parametrize(
    ("kernel", "attributes", "refused"),
    [
        ((3, 3), {"auto_pad": "SAME_UPPER"}, True),
        ((4, 4), {"auto_pad": "SAME_LOWER"}, True),
        ((17, 17), {"auto_pad": "SAME_UPPER"}, True),
        ((3, 3), {"auto_pad": "SAME_LOWER", "output_padding": [1, 1]}, True),
        ((3, 3), {"auto_pad": "SAME_UPPER", "strides": [1, 1]}, True),
        ((3, 3), {"auto_pad": "SAME_UPPER", "output_shape": [16, 16]}, False),
        ((4, 4), {"output_shape": [16, 16]}, False),
        ((4, 4), {"auto_pad": "VALID"}, False),
    ],
)
def test_a_transposed_convolution_whose_padding_is_left_to_same_is_refused(
    tmp_path: Path, kernel: tuple[int, ...], attributes: dict[str, object], refused: bool
) -> None:
    network = Network(1, 8, 8, 8)
    given = {"strides": [2, 2], **attributes}
    network.add("ConvTranspose", network.weights("w", 8, 8, *kernel), **given).add("Relu")
    path = network.save(tmp_path / "x.onnx")
    assert (
        sentences(path)
        == sentences(path, "rk3568", "int8")
        == ["IndexError: list index out of range"] * refused
    )
    assert "registers" not in " ".join(predict_size(path, "rk3588", "fp16").notes)
