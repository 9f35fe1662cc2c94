"""Small ONNX networks that rewrites were made for: units, patches, and what the converter refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx_networks import Network


def unit(parts: tuple[int, int], *, slices: bool = False, batch: int | str = 1) -> Network:
    """Return two 1x1s joined, shuffled and cut in halves; one half goes on, the other is read by a 1x1."""
    network = Network(batch, 16, 8, 8)
    made = []
    for count in parts:
        network.value = "x"
        made.append(network.conv(16, count, (1, 1)).add("Relu").value)
    network.value = made[0]
    total = sum(parts)
    network.add("Concat", made[1], axis=1)
    network.add("Reshape", network.constant("five", np.array([-1, 2, total // 2, 8, 8])))
    network.add("Transpose", perm=[0, 2, 1, 3, 4])
    network.add("Reshape", network.constant("four", np.array([-1, total, 8, 8])), name="shuffled")
    halves = _sliced(network, total // 2) if slices else _split(network, total // 2)
    network.value = halves[1]
    read = network.conv(total // 2, 24, (1, 1), name="reads").add("Relu").value
    network.value = halves[0]
    return network.add("Concat", read, axis=1)


def _split(network: Network, half: int) -> list[str]:
    network.add("Split", network.constant("halves", np.array([half, half])), axis=1)
    network.nodes[-1].output.append("second")
    return [network.value, "second"]


def _sliced(network: Network, half: int) -> list[str]:
    """Cut as torch does: the bounds are computed from the shape."""
    source = network.value
    zero, one = network.constant("zero", np.array([0])), network.constant("one", np.array([1]))
    network.add("Shape").add("Gather", one, axis=0)
    channels = network.value
    middle = network.add("Div", network.constant("two", np.array([2]))).value
    network.value = source
    first = network.add("Slice", zero, middle, one).value
    network.value = source
    return [first, network.add("Slice", middle, channels, one).value]


def refused_dropout(folder: Path) -> Path:
    """Save a network of opset 9 with a Dropout whose mask nobody reads."""
    network = Network(1, 4, 8, 8).conv(4, 16)
    network.add("Dropout", ratio=0.5)
    network.nodes[-1].output.append("mask")
    network.add("Relu")
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, network.shape)
    made = helper.make_tensor_value_info(network.value, TensorProto.FLOAT, None)
    graph = helper.make_graph(network.nodes, "tested", [given], [made], network.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)])
    model.ir_version = 6
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def refused_gate(folder: Path) -> Path:
    """Save a HardSigmoid without its numbers before a Mul."""
    network = Network(1, 4, 8, 8).conv(4, 16)
    before = network.value
    return network.add("HardSigmoid").add("Mul", before).save(folder / "model.onnx")


def enlarging(folder: Path, channels: int, kernel: int = 3, added: int = 1) -> Path:
    """Save a transposed convolution that doubles a map, to 16 channels."""
    network = Network(1, 16, 8, 8).conv(16, channels, (1, 1)).add("Relu")
    weights = network.weights("kernel", channels, 16, kernel, kernel)
    pads, sides = [(kernel - 1) // 2 + added - 1] * 4, {"output_padding": [added, added]} if added else {}
    network.add("ConvTranspose", weights, name="twice", strides=[2, 2], pads=pads, **sides)
    return network.conv(16, 8, (1, 1)).save(folder / "x.onnx")


def called_twice(folder: Path, *, behind: str | None = "Identity") -> Path:
    """Save a 3x3 that is called on two maps, as torch exports it: an Identity hands its weights on."""
    network = Network(1, 64, 16, 16)
    weights = again = network.weights("w", 64, 64, 3, 3)
    if behind is not None:
        network.value = weights
        again = network.add(behind, name="again").value
        network.value = "x"
    sides = {"kernel_shape": [3, 3], "pads": [1] * 4}
    network.add("Conv", weights, name="one", **sides).add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    return network.add("Conv", again, name="two", **sides).add("Relu").save(folder / "model.onnx")


def boxes(folder: Path) -> Path:
    """Save the decoding of boxes as YOLO 8 does it: 16 bins a side, 4 sides, 50 places."""
    network = Network(1, 16, 5, 10).conv(16, 64, (1, 1)).add("Relu")
    network.add("Reshape", network.constant("bins", np.array([1, 4, 16, 50])))
    network.add("Transpose", perm=[0, 2, 1, 3]).add("Softmax", axis=1)
    network.conv(16, 1, (1, 1), bias=False, name="expected")
    network.add("Reshape", network.constant("flat", np.array([1, 4, 50])))
    source, one = network.value, network.constant("one", np.array([1]))
    places = [network.constant(f"at{place}", np.array([place])) for place in (0, 2, 4)]
    first = network.add("Slice", places[0], places[1], one).value
    network.value = source
    return network.add("Slice", places[1], places[2], one).add("Sub", first).save(folder / "model.onnx")


def sized_by_its_map(batch: int | str = 1, *, channels: int = 32) -> Network:
    """Return a bilinear enlargement by 8 as torch exports it: batch and channels are read off the map."""
    network = Network(batch, 4, 16, 16).conv(4, channels, (1, 1)).add("Relu")
    source = network.value
    ends = [network.constant(f"at{place}", np.array([place])) for place in (0, 2)]
    network.add("Shape").add("Slice", *ends, ends[0])
    network.add("Concat", network.constant("sides", np.array([128, 128])), axis=0)
    sizes, network.value = network.value, source
    modes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return network.add("Resize", "", "", sizes, name="enlarged", **modes).conv(channels, 4, (1, 1))


def summed_from_zero(*, first: float = 0.0) -> Network:
    """Return three branches of a map as MobileOne sums them: `out = 0; out += one`; the last is a norm."""
    network = Network(1, 4, 16, 16).conv(4, 32, (1, 1)).add("Relu")
    source = network.value
    network.conv(32, 32, (1, 1)).add("Add", network.constant("begin", np.array(first, "float32")))
    total, network.value = network.value, source
    network.conv(32, 32, (1, 1)).add("Add", total)
    total, network.value = network.value, source
    numbers = [network.weights(f"norm_{part}", 32) for part in ("scale", "shift", "mean")]
    variance = network.constant("norm_variance", np.ones(32, "float32"))
    return network.add("BatchNormalization", *numbers, variance).add("Add", total).add("Relu")


def along_channels(batch: int | str = 1, *, channels: int = 256) -> Network:
    """Return a 3-D convolution along the channels of a map, as ChannelNet has two."""
    network = Network(batch, 4, 14, 14).conv(4, channels, (1, 1)).add("Relu")
    network.add("Unsqueeze", network.constant("depth", np.array([1])))
    kernel, sides = network.weights("kernel", 2, 1, 8, 1, 1), {"kernel_shape": [8, 1, 1]}
    network.add("Conv", kernel, name="along", pads=[3, 0, 0, 3, 0, 0], strides=[2, 1, 1], **sides)
    network.add("Reshape", network.constant("map", np.array([-1, channels, 14, 14])))
    return network.conv(channels, 4, (1, 1))


SWIN = ((0, 0), (1, 0), (0, 1), (1, 1))
"""Row and column of a patch's pixels, in the order in which Swin merges them."""


def merged(
    channels: int, side: int, order: tuple[tuple[int, int], ...] = SWIN, *, quarters: bool = False
) -> Network:
    """Return a network that makes channels, which stand last, of every second pixel, or of each quarter."""
    network, pieces = Network(1, 3, side, side).conv(3, channels), list[str]()
    whole = network.add("Transpose", perm=[0, 2, 3, 1]).value
    for places in order:
        network.value = whole
        for axis, place in enumerate(places, 1):
            span = (place * side // 2, (place + 1) * side // 2, 1) if quarters else (place, 2**31 - 1, 2)
            numbers = (span[0], span[1], axis, span[2])
            called = [
                network.constant(f"cut{len(network.nodes)}_{at}", np.array([number]))
                for at, number in enumerate(numbers)
            ]
            network.add("Slice", *called)
        pieces.append(network.value)
    network.value = pieces[0]
    return network.add("Concat", *pieces[1:], axis=-1, name="merge")


def reduced(network: Network, channels: int) -> Network:
    """Append a product to half as many channels."""
    return network.add("MatMul", network.weights("reduction", channels, channels // 2))


def signals(parts: tuple[int, ...], *, readers: int = 2, padded: bool = False, rank: int = 1) -> Network:
    """Return signals (or maps, `rank` 2) that are joined, and convolutions that read them all; with `padded`
    each behind a Relu and a Pad, as in OmniScale."""
    network, made = Network(1, 16, *(100,) * rank), list[str]()
    for channels in parts:
        network.value = "x"
        made.append(network.conv(16, channels, (3,) * rank).value)
    network.value = made[0]
    network.add("Concat", *made[1:], axis=1)
    whole = network.add("Relu").value if padded else network.value
    read = list[str]()
    for place in range(readers):
        network.value = whole
        if padded:
            rim = [0, 0, *[2] * rank] * 2
            network.add("Pad", network.constant(f"rim{place}", np.array(rim)))
        read.append(network.conv(sum(parts), 48, (3,) * rank, name=f"behind{place}").add("Relu").value)
    network.value = read[0]
    for other in read[1:]:
        network.add("Add", other)
    return network


def pyramid(channels: int, folder: Path, *, read_again: bool = False, in_groups: bool = False) -> Path:
    """Return three maps, each half as large as the one before, through one 3x3 convolution to 64 channels.

    With `read_again` the weights are summed too; with `in_groups` they meet twice the last map's channels."""
    network, outputs = Network(1, channels, 16, 16), []
    shared = network.weights("w", 64, channels, 3, 3), network.weights("b", 64)
    for level in range(3):
        if level:
            network.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        read = network.value
        network.add("Conv", *shared, name=f"level_{level}", kernel_shape=[3, 3], pads=[1] * 4).add("Relu")
        outputs.append(network.value)
        network.value = read
    network.value = outputs[-1]
    if in_groups:
        network.value = read
        network.add("Concat", read, axis=1)
        network.add("Conv", *shared, name="halves", kernel_shape=[3, 3], pads=[1] * 4, group=2)
        return network.save(folder / "x.onnx", outputs=tuple(outputs))
    if read_again:
        network.nodes.append(helper.make_node("ReduceSum", ["w"], ["total"], name="total", keepdims=0))
        network.value = outputs.pop(0)
        network.add("Add", "total")
        return network.save(folder / "x.onnx", outputs=tuple(outputs))
    outputs.pop()
    return network.save(folder / "x.onnx", outputs=tuple(outputs))


def film(batch: int | str = 1) -> Network:
    """Return patches of three axes."""
    network = Network(batch, 3, 4, 32, 32)
    weights = network.weights("w", 32, 3, 2, 16, 16)
    return network.add("Conv", weights, kernel_shape=[2, 16, 16], strides=[2, 16, 16]).add("Relu")


def padded(
    folder: Path,
    *,
    behind: Callable[[Network], Network] = lambda network: network.conv(16, 16),
    pads: tuple[int, ...] = (0, 0, 1, 1, 0, 0, 1, 1),
    value: float | None = None,
    mode: str = "constant",
) -> Path:
    """Save a Pad whose pads lie in the file in one piece, before a convolution."""
    network = Network(1, 16, 14, 14)
    given = [network.constant("pads", np.array(pads, "int64"))]
    if value is not None:
        given.append(network.constant("value", np.float32(value)))
    return behind(network.add("Pad", *given, name="pad", mode=mode)).save(folder / "padded.onnx")


def padded_by_a_constant(folder: Path) -> Path:
    """Save the same with the pads in a Constant."""
    model = onnx.load(padded(folder))
    pads = next(one for one in model.graph.initializer if one.name == "pads")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["pads"], value=pads))
    model.graph.initializer.remove(pads)
    onnx.save(model, folder / "constant.onnx")
    return folder / "constant.onnx"


def bare_numbers(folder: Path, attribute: str = "value_float", held: object = 2.0) -> Path:
    """Save a product by a Constant that holds its number without a tensor."""
    network = Network(1, 16, 8, 8).conv(16, 16)
    source = network.value
    network.nodes.append(helper.make_node("Constant", [], ["bare"], name="bare", **{attribute: held}))
    network.value = "bare"
    number = network.add("Cast", to=TensorProto.FLOAT).value
    network.value = source
    return network.add("Mul", number).save(folder / "bare.onnx")


def headed(folder: Path, *, twins: bool = True, bias: bool = False, heads: bool = True) -> Path:
    """Return two layers that cut one product in two, by weights of the same numbers, or the same weights.

    Without `heads` the pieces are multiplied as they are."""
    network = Network(1, 16, 64)
    numbers = (network.random.standard_normal((64, 128)) * 0.1).astype("float32")
    network.constant("w", numbers)
    sizes = network.constant("sizes", np.array([64, 64]))
    shape = network.constant("heads", np.array([1, 16, 4, 16]))
    rows = network.constant("rows", np.array([1, 16, 64]))
    for layer in range(2):
        network.add("MatMul", network.constant("again", numbers) if twins and layer else "w")
        if bias:
            network.add("Add", network.weights(f"b{layer}", 128))
        pieces = [f"{layer}_{place}" for place in range(2)]
        network.nodes.append(helper.make_node("Split", [network.value, sizes], pieces, f"cut{layer}", axis=2))
        network.value = pieces[0]
        if heads:
            network.add("Reshape", shape)
            view = helper.make_node("Reshape", [pieces[1], shape], [f"v{layer}"], f"view{layer}")
            network.nodes.append(view)
            network.add("Mul", f"v{layer}").add("Reshape", rows)
        else:
            network.add("Mul", pieces[1])
    return network.save(folder / "headed.onnx")
