"""Layers that one layer could do: found by what they read, compute and feed, never by a name."""

from __future__ import annotations

from dataclasses import replace

from rkbench.inspection.causes import Cause, find_causes
from rknn_writer import CONVOLUTION, FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model

MAP = (1, 16, 8, 8)
DENSE = {"options_type": CONVOLUTION, "groups": 1}


def kernel(name: str, shape: tuple[int, ...]) -> TensorSpec:
    return TensorSpec(name, kind="weight", shape=shape, data=name.encode().ljust(2048, b"."))


def spec(tensors: list[TensorSpec], nodes: list[NodeSpec]) -> FileSpec:
    named = tuple(replace(node, name=node.name or f"n{index}") for index, node in enumerate(nodes))
    return FileSpec((GraphSpec(tuple(tensors), named, (0,), (len(tensors) - 1,)),))


def mergeable(file: FileSpec) -> Cause | None:
    with opened(write_model(file)) as model:
        causes = find_causes(model).causes
    return next((cause for cause in causes if cause.code == "mergeable_layers"), None)


def branches(one: str = "Conv", stride: int = 1) -> FileSpec:
    """Return relu(conv3x3(x) + conv1x1(x) + batchnorm(x)), the first sum fused."""
    tensors = [
        TensorSpec("x", kind="input", shape=MAP),
        kernel("w1", (16, 16, 1, 1)),
        kernel("w3", (16, 16, 3, 3)),
        *(TensorSpec(name, shape=MAP) for name in ("one", "identity", "two")),
        TensorSpec("y", kind="output", shape=MAP),
    ]
    nodes = [
        NodeSpec("Conv:one", one, 2, (0, 1), (3,), strides=(stride, stride), **DENSE),
        NodeSpec("BatchNormalization:identity", "BatchNormalization", 2, (0,), (4,)),
        NodeSpec("Conv:two", "ConvAdd", 2, (0, 2, 3), (5,), **DENSE),
        NodeSpec("Add:y", "AddRelu", 2, (5, 4), (6,)),
    ]
    return spec(tensors, nodes)


def test_branches_of_one_map_that_are_summed_are_one_convolution() -> None:
    cause = mergeable(branches())
    assert cause is not None
    assert cause.evidence == ("y, two and 2 more into one: parallel branches that are summed",) or (
        "into two: parallel branches that are summed" in cause.evidence[0]
    )
    assert set(cause.layers) == {"one", "identity", "y"}
    assert cause.fix[0].action.startswith("sum the branches into one kernel")


def test_branches_are_summed_also_where_one_is_cut_along_its_inputs() -> None:
    """FAST: three blocks whose 3x3 the compiler cuts in two owned 4.72 MB that nothing named."""
    half = (1, 8, 8, 8)
    tensors = [
        TensorSpec("x", kind="input", shape=MAP),
        *(kernel(name, (16, 8, 3, 3)) for name in ("w_tile0", "w_tile1")),
        kernel("w1", (16, 16, 1, 1)),
        *(TensorSpec(name, shape=half) for name in ("left", "right")),
        *(TensorSpec(name, shape=MAP) for name in ("part", "whole")),
        TensorSpec("y", kind="output", shape=MAP),
    ]
    nodes = [
        NodeSpec("Split:x_split", "Split", 2, (0,), (4, 5)),
        NodeSpec("Conv:conv_tile1", "Conv", 2, (5, 2), (6,), **DENSE),
        NodeSpec("Conv:conv_tile0", "ConvAdd", 2, (4, 1, 6), (7,), **DENSE),
        NodeSpec("Conv:one", "ConvAdd", 2, (0, 3, 7), (8,), **DENSE),
    ]
    cause = mergeable(spec(tensors, nodes))
    assert cause is not None
    assert cause.layers == ("one",), "what is cut stays: both parts of it"


def test_a_branch_with_an_activation_or_a_stride_is_its_own_layer() -> None:
    assert mergeable(branches(one="ConvRelu")) is None
    assert mergeable(branches(stride=2)) is None


def test_branches_of_one_stride_are_one_convolution_too() -> None:
    file = branches(stride=2)
    first, _, second, _ = file.graphs[0].nodes
    strided = replace(second, strides=(2, 2))
    file = replace(file, graphs=(replace(file.graphs[0], nodes=(first, strided)),))
    cause = mergeable(file)
    assert cause is not None
    assert cause.layers == ("one",)


def test_a_sum_over_two_layers_is_a_residual_and_no_branch() -> None:
    file = branches()
    first, identity, second, last = file.graphs[0].nodes
    nodes = (first, replace(identity, inputs=(3,)), second, last)
    assert mergeable(replace(file, graphs=(replace(file.graphs[0], nodes=nodes),))) is None


def with_offset(offset: tuple[int, ...]) -> FileSpec:
    """Return a convolution, and the sum of its result and a stored constant."""
    tensors = [
        TensorSpec("x", kind="input", shape=MAP),
        kernel("w3", (16, 16, 3, 3)),
        TensorSpec("conv", shape=MAP),
        TensorSpec("offset", kind="cpu_constant", shape=offset, data=bytes(2048)),
        TensorSpec("y", kind="output", shape=MAP),
    ]
    nodes = [
        NodeSpec("Conv:conv", "Conv", 2, (0, 1), (2,), **DENSE),
        NodeSpec("Add:y", "Add", 2, (2, 3), (4,)),
    ]
    return spec(tensors, nodes)


def test_a_stored_offset_is_no_branch() -> None:
    assert mergeable(with_offset(MAP)) is None
    assert mergeable(with_offset((1, 16, 1, 1))) is None


def chain(middle: int, between: str = "Conv", size: int = 1) -> FileSpec:
    tensors = [
        TensorSpec("x", kind="input", shape=MAP),
        kernel("w1", (middle, 16, size, size)),
        TensorSpec("m", shape=(1, middle, 8, 8)),
        kernel("w2", (16, middle, 1, 1)),
        TensorSpec("y", kind="output", shape=MAP),
    ]
    nodes = [
        NodeSpec("Conv:m", between, 2, (0, 1), (2,), **DENSE),
        NodeSpec("Conv:y", "ConvRelu", 2, (2, 3), (4,), **DENSE),
    ]
    return spec(tensors, nodes)


def test_a_pointwise_convolution_without_activation_is_part_of_the_next() -> None:
    cause = mergeable(chain(64))
    assert cause is not None
    assert cause.layers == ("m",)
    # Through a narrow waist two are smaller than one, an activation is no part of it, nor is a 3x3.
    assert mergeable(chain(4)) is None
    assert mergeable(chain(64, between="ConvRelu")) is None
    assert mergeable(chain(64, size=3)) is None


def test_what_the_layer_that_stays_grows_by_is_not_saved() -> None:
    """GFPGAN: four first layers of 134 kB were counted whole, and the four behind grow by 247 kB."""
    cause = mergeable(chain(12))
    assert cause is not None
    assert cause.sections["weights"] == 2048 - (16 - 12) * 16 * 2048 // (16 * 12)


def mixed(strides: tuple[int, int] = (1, 1), further: bool = False) -> FileSpec:
    """Return a Split, two depthwise convolutions of 3x3 and 5x5, and the Concat of both."""
    half = (1, 8, 8, 8)
    tensors = [
        TensorSpec("x", kind="input", shape=MAP),
        *(TensorSpec(name, shape=half) for name in ("a", "b", "c", "d")),
        kernel("k3", (1, 8, 3, 3)),
        kernel("k5", (1, 8, 5, 5)),
        TensorSpec("y", kind="output", shape=MAP),
    ]
    depthwise = {"options_type": CONVOLUTION, "groups": 8}
    nodes = [
        NodeSpec("Split:s", "Split", 2, (0,), (1, 2)),
        NodeSpec("Conv:c", "Conv", 2, (1, 5), (3,), strides=(strides[0],) * 2, **depthwise),
        NodeSpec("Conv:d", "Conv", 2, (2, 6), (4,), strides=(strides[1],) * 2, **depthwise),
        NodeSpec("Concat:y", "Concat", 2, (3, 4), (7,)),
        *([NodeSpec("Relu:further", "Relu", 2, (1,), ())] if further else []),
    ]
    return spec(tensors, nodes)


def test_depthwise_kernels_side_by_side_are_one_of_the_largest() -> None:
    cause = mergeable(mixed())
    assert cause is not None
    assert cause.layers == ("s", "c", "y")
    assert cause.evidence == ("s, c and y into d: depthwise convolutions between a Split and a Concat",)
    assert mergeable(mixed(strides=(1, 2))) is None
    assert mergeable(mixed(further=True)) is None
