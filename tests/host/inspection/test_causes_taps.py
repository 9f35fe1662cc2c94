"""A long kernel over one channel, as the compiler cuts it: slices, short kernels, and their sums."""

from __future__ import annotations

from dataclasses import replace

from rkbench.inspection.causes import Attribution, find_causes
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model

SIGNAL = (1, 1, 1, 2048)


def cut(slices: int, channels: int = 1, last: str = "AddRelu") -> FileSpec:
    """Return a file of a convolution over `channels` that was cut into slices, and of one behind it."""
    tensors = [TensorSpec("x", kind="input", shape=(1, channels, 1, 2048))]
    nodes: list[NodeSpec] = []

    def add(spec: TensorSpec) -> int:
        tensors.append(spec)
        return len(tensors) - 1

    maps = []
    for index in range(slices):
        part = add(TensorSpec(f"s{index}", shape=(1, channels, 1, 1808)))
        nodes.append(NodeSpec(f"Slice:x_slice#{index}", "Slice", 2, (0,), (part,)))
        kernel = add(
            TensorSpec(f"k{index}", kind="weight", shape=(34, channels, 1, 16), data=bytes([index]) * 8704)
        )
        maps.append(add(TensorSpec(f"c{index}", shape=(1, 34, 1, 15))))
        nodes.append(NodeSpec(f"Conv:s{index}_conv", "Conv", 2, (part, kernel), (maps[-1],)))
    whole = maps[0]
    for index, other in enumerate(maps[1:], 2):
        total = add(TensorSpec(f"a{index}", shape=(1, 34, 1, 15)))
        kind = last if index == slices else "Add"
        nodes.append(NodeSpec(f"Add:a{index}", kind, 2, (whole, other), (total,)))
        whole = total
    after = add(TensorSpec("w", kind="weight", shape=(8, 34, 1, 1), data=b"w" * 640))
    out = add(TensorSpec("y", kind="output", shape=(1, 8, 1, 15)))
    nodes.append(NodeSpec("Conv:after", "Conv", 2, (whole, after), (out,)))
    return FileSpec((GraphSpec(tuple(tensors), tuple(nodes), (0,), (out,)),))


def diagnose(spec: FileSpec) -> Attribution:
    with opened(write_model(spec)) as model:
        return find_causes(model)


def test_the_parts_of_a_long_kernel_are_one_cause_up_to_their_sum() -> None:
    attribution = diagnose(cut(8))
    assert attribution.lead == "one_channel_kernel"
    cause = attribution.causes[0]
    # 8 slices, 8 convolutions and 7 sums; of each kernel the 34 x 16 weights without padding are needed.
    assert "cut into 8 slices with a short kernel each (23 layers)" in cause.because
    assert cause.sections["weights"] == 8 * (8704 - 34 * 16 * 2)
    assert "after" not in cause.layers


def test_slices_of_several_channels_or_of_few_are_the_networks_own() -> None:
    for spec in (cut(8, channels=4), cut(3)):
        assert "one_channel_kernel" not in [cause.code for cause in diagnose(spec).causes]


def test_slices_that_something_else_reads_are_the_networks_own() -> None:
    spec = cut(8)
    graph = spec.graphs[0]
    nodes = tuple(
        replace(node, type="Softmax") if node.name == "Conv:s3_conv" else node for node in graph.nodes
    )
    attribution = diagnose(replace(spec, graphs=(replace(graph, nodes=nodes),)))
    assert "one_channel_kernel" not in [cause.code for cause in attribution.causes]
