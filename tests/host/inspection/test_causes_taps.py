"""A long kernel over one channel, as the compiler cuts it: slices, short kernels, and their sums."""

from __future__ import annotations

from dataclasses import replace

from rkbench.inspection.causes import Attribution, find_causes
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model

MAP = (1, 34, 1, 15)


def cut(slices: int, channels: int = 1, last: str = "AddRelu", readers: int = 1) -> FileSpec:
    """Return a file of convolutions over `channels` that were cut into slices, and of one behind them.

    The slices are those of every convolution; a map of zeros is added to each but the first.
    """
    tensors = [TensorSpec("x", kind="input", shape=(1, channels, 1, 2048))]
    nodes: list[NodeSpec] = []

    def add(spec: TensorSpec) -> int:
        tensors.append(spec)
        return len(tensors) - 1

    def layer(name: str, kind: str, reads: tuple[int, ...], shape: tuple[int, ...]) -> int:
        made = add(TensorSpec(name, shape=shape))
        nodes.append(NodeSpec(f"{kind}:{name}", kind, 2, reads, (made,)))
        return made

    parts = [layer(f"x_slice#{index}", "Slice", (0,), (1, channels, 1, 1808)) for index in range(slices)]
    whole = []
    for reader in range(readers):
        maps = []
        for index, part in enumerate(parts):
            data = bytes([index + slices * reader]) * 8704
            kernel = add(TensorSpec(f"k{index}", kind="weight", shape=(34, channels, 1, 16), data=data))
            maps.append(layer(f"s{index}_conv{reader or ''}", "Conv", (part, kernel), MAP))
        total = maps[0]
        for index, other in enumerate(maps[1:], 2):
            total = layer(f"a{index}", last if index == slices else "Add", (total, other), MAP)
        if reader:
            zeros = add(TensorSpec("zeros", kind="cpu_constant", shape=MAP, data=bytes(10_200)))
            total = layer("padded", "Add", (total, zeros), MAP)
        whole.append(total)
    after = add(TensorSpec("w", kind="weight", shape=(8, 34, 1, 1), data=b"w" * 640))
    out = add(TensorSpec("y", kind="output", shape=(1, 8, 1, 15)))
    total = whole[0] if readers == 1 else layer("power", "Mul", (whole[0], whole[1]), MAP)
    nodes.append(NodeSpec("Conv:after", "Conv", 2, (total, after), (out,)))
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


def test_two_kernels_over_the_same_slices_are_two_convolutions_with_the_zeros_behind_them() -> None:
    """As in a Fourier transform: one for the real parts, one for the imaginary ones."""
    attribution = diagnose(cut(8, readers=2))
    assert attribution.lead == "one_channel_kernel"
    cause = attribution.causes[0]
    assert cause.because.startswith("2 convolutions over one channel")
    # 8 slices, 16 convolutions, 14 sums and one with zeros.
    assert "cut into 8 slices with a short kernel each (39 layers)" in cause.because
    assert cause.sections["cpu_constants"] == 10_200
    assert "folded_constant" not in [each.code for each in attribution.causes]


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


def chained(positions: int = 100, pieces: int = 8) -> FileSpec:
    """Return a file whose Splits make the slices, and where each short convolution adds the one before it.

    The kernel has 16 taps a piece and no stride; a convolution of the network's own is behind it.
    """
    taps = 16 * pieces
    made = (1, 1, 1, positions)
    tensors = [
        TensorSpec("x", kind="input", shape=(1, 1, 1, positions)),
        TensorSpec("x_pad", shape=(1, 1, 1, positions + taps - 1)),
    ]
    nodes = [NodeSpec("Pad:x_pad", "Pad", 2, (0,), (1,))]

    def add(spec: TensorSpec) -> int:
        tensors.append(spec)
        return len(tensors) - 1

    slices = []
    for index in range(pieces // 2):
        outs = tuple(
            add(TensorSpec(f"p{index}_{part}", shape=(1, 1, 1, positions + 15))) for part in range(2)
        )
        nodes.append(NodeSpec(f"Split:x_pad_slice_2sp{index}", "Split", 2, (1,), outs))
        slices += outs
    before: tuple[int, ...] = ()
    for index, part in enumerate(slices):
        kernel = add(TensorSpec(f"k{index}", kind="weight", shape=(1, 1, 1, 16), data=bytes([index]) * 256))
        out = add(TensorSpec(f"s{index}", shape=made))
        kind = "ConvAddRelu" if index == pieces - 1 else "ConvAdd" if before else "Conv"
        nodes.append(NodeSpec(f"Conv:x_pad_slice#{index}_conv", kind, 2, (part, kernel, *before), (out,)))
        before = (out,)
    after = add(TensorSpec("w", kind="weight", shape=(8, 1, 1, 1), data=b"w" * 128))
    y = add(TensorSpec("y", kind="output", shape=(1, 8, 1, positions)))
    nodes.append(NodeSpec("Conv:after", "Conv", 2, (*before, after), (y,)))
    return FileSpec((GraphSpec(tuple(tensors), tuple(nodes), (0,), (y,)),))


def test_a_kernel_cut_by_splits_is_one_where_each_part_adds_the_one_before_it() -> None:
    """PESTO's kernel of 1,175 taps owned 85 % of its file and was named nowhere."""
    attribution = diagnose(chained(positions=100))
    cause = next(each for each in attribution.causes if each.code == "one_channel_kernel")
    assert "cut into 8 slices with a short kernel each (12 layers)" in cause.because
    assert not any("after" in name for name in cause.layers)


def test_a_kernel_without_a_stride_is_cured_by_a_matrix_where_that_is_smaller() -> None:
    def fixes(positions: int) -> list[str]:
        attribution = diagnose(chained(positions))
        cause = next(each for each in attribution.causes if each.code == "one_channel_kernel")
        return [str(fix.action) for fix in cause.fix]

    assert any("a matrix of 20x20" in fix for fix in fixes(20))
    assert not any("a matrix" in fix for fix in fixes(1000))
    assert not any("stride` channels" in fix for fix in fixes(20))
