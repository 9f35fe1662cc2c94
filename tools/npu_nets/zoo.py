"""Build the nets that `bench predict` is fitted on, and convert them: shapes decide tasks, not values.

    .venv/bin/python tools/npu_nets/zoo.py FOLDER [--convert] [NET ...]

Twelve architectures of Rockchip's model zoo, as its exports have them (decoders cut off, focus as a
convolution), with random weights from a fixed seed: FOLDER/NET.onnx. With --convert each becomes
FOLDER/NET_SOC_int8.rknn for both SoCs (`bench toolkit install` first; 330 MB, 15 minutes).
Then: `python tools/fit_latency.py --decode FOLDER`.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from rkbench.toolkit.environment import find_environment
from rkbench.toolkit.jobs import ConversionJob, run_job

ROOT = Path(__file__).parents[2]
TARGETS = ("rk3588", "rk3568")
SILU, RELU, RELU6, LEAKY, SIGMOID, NONE = "silu", "relu", "relu6", "leaky", "sigmoid", ""
Shape = tuple[int, int, int]
"""Channels, height, width of a value."""


class Net:
    """An ONNX graph while it is built; values are named, and `shapes` knows each."""

    def __init__(self, channels: int, size: int) -> None:
        self.rng = np.random.RandomState(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.shapes: dict[str, Shape] = {"x": (channels, size, size)}
        self.input = [1, channels, size, size]

    def constant(self, values: np.ndarray) -> str:
        """Add an initializer and return its name."""
        name = f"c_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def add(self, kind: str, inputs: Sequence[str], shape: Shape | None = None, **attributes: object) -> str:
        """Add a node and return its output, of the first input's shape where none is given."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        self.shapes[name] = shape or self.shapes[inputs[0]]
        return name

    def conv(
        self,
        x: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        act: str = SILU,
        pad: int | None = None,
        bias: bool = True,
    ) -> str:
        """Add a convolution, and its activation; padded by half of the kernel where `pad` is None."""
        inputs, height, width = self.shapes[x]
        per_output = inputs // groups * kernel**2
        values = self.rng.randn(channels, inputs // groups, kernel, kernel) * np.sqrt(2 / per_output)
        biases = (self.rng.randn(channels) * 0.01).astype("float32")
        constants = [self.constant(values.astype("float32")), *([self.constant(biases)] if bias else [])]
        pad = kernel // 2 if pad is None else pad
        shape = (channels, *((side + 2 * pad - kernel) // stride + 1 for side in (height, width)))
        window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        return self.activate(self.add("Conv", [x, *constants], shape, group=groups, **window), act)

    def activate(self, x: str, act: str) -> str:
        """Add an activation."""
        if act == SILU:
            return self.add("Mul", [x, self.add("Sigmoid", [x])])
        if act == RELU6:
            limits = [self.constant(np.array(limit, "float32")) for limit in (0, 6)]
            return self.add("Clip", [x, *limits])
        if act == LEAKY:
            return self.add("LeakyRelu", [x], alpha=0.1)
        return self.add({RELU: "Relu", SIGMOID: "Sigmoid"}[act], [x]) if act else x

    def concat(self, parts: Sequence[str]) -> str:
        """Add a Concat over channels."""
        _, height, width = self.shapes[parts[0]]
        return self.add("Concat", parts, (sum(self.shapes[part][0] for part in parts), height, width), axis=1)

    def double(self, x: str) -> str:
        """Add a nearest up-sampling by two."""
        channels, height, width = self.shapes[x]
        scales = self.constant(np.array([1, 1, 2, 2], "float32"))
        modes = {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
        return self.add("Resize", [x, "", scales], (channels, 2 * height, 2 * width), **modes)

    def pool(self, x: str, kernel: int, stride: int = 1, pad: int | None = None) -> str:
        """Add a max pooling, padded by half of its kernel where `pad` is None."""
        channels, height, width = self.shapes[x]
        pad = kernel // 2 if pad is None else pad
        sides = ((side + 2 * pad - kernel) // stride + 1 for side in (height, width))
        window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        return self.add("MaxPool", [x], (channels, *sides), **window)

    def norm(self, x: str) -> str:
        """Add a BatchNormalization."""
        channels = self.shapes[x][0]
        scale, bias, mean = (start + 0.1 * self.rng.randn(channels) for start in (1, 0, 0))
        values = (scale, bias, mean, 1 + 0.1 * self.rng.rand(channels))
        return self.add("BatchNormalization", [x, *(self.constant(v.astype("float32")) for v in values)])

    def halves(self, x: str) -> tuple[str, str]:
        """Add two Slices that part the channels."""
        channels, height, width = self.shapes[x]
        middle = channels // 2

        def part(start: int, end: int) -> str:
            bounds = [self.constant(np.array(v, "int64")) for v in ([start], [end], [1])]
            return self.add("Slice", [x, *bounds], (end - start, height, width))

        return part(0, middle), part(middle, channels)

    def classify(self, x: str, classes: int = 1000) -> str:
        """Add a global pooling, a classifier and a Flatten."""
        pooled = self.add("GlobalAveragePool", [x], (self.shapes[x][0], 1, 1))
        return self.add("Flatten", [self.conv(pooled, classes, act=NONE)], axis=1)

    def model(self, outputs: Sequence[str]) -> onnx.ModelProto:
        """Return the whole graph, shapes inferred."""
        graph = helper.make_graph(
            self.nodes,
            "zoo",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.input)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self.constants,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        return onnx.shape_inference.infer_shapes(made)


def mobilenetv2(width: float = 1.0, size: int = 224, classes: int = 1000) -> onnx.ModelProto:
    """MobileNetV2; `width` scales its channels, to multiples of 8."""
    net = Net(3, size)
    w, _ = scaled(width, 1)
    x = net.conv("x", w(32), 3, 2, act=RELU6)
    blocks = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    for widen, base, count, first_stride in blocks:
        channels = w(base)
        for number in range(count):
            stride = 1 if number else first_stride
            inputs, y = net.shapes[x][0], x
            if widen != 1:
                y = net.conv(y, inputs * widen, act=RELU6)
            y = net.conv(y, inputs * widen, 3, stride, groups=inputs * widen, act=RELU6)
            y = net.conv(y, channels, act=NONE)
            x = net.add("Add", [x, y]) if stride == 1 and inputs == channels else y
    return net.model([net.classify(net.conv(x, w(1280), act=RELU6), classes)])


def resnet50v2() -> onnx.ModelProto:
    """ResNet-50 v2, 224."""
    net = Net(3, 224)
    x = net.activate(net.norm(net.conv("x", 64, 7, 2, act=NONE, pad=3)), RELU)
    x = net.pool(x, 3, 2)
    for channels, count, first_stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for number in range(count):
            stride = 1 if number else first_stride
            y = net.activate(net.norm(x), RELU)
            shortcut = x if number else net.conv(y, channels * 4, 1, stride, act=NONE, bias=False)
            z = net.conv(net.conv(y, channels, act=RELU), channels, 3, stride, act=RELU)
            x = net.add("Add", [net.conv(z, channels * 4, act=NONE, bias=False), shortcut])
    return net.model([net.classify(net.activate(net.norm(x), RELU))])


def scaled(width: float, depth: float) -> tuple[Callable[[int], int], Callable[[int], int]]:
    """Return what makes channels (multiples of 8) and repeats of a family's base numbers."""
    return (lambda channels: max(8, math.ceil(channels * width / 8) * 8)), (
        lambda n: max(1, round(n * depth))
    )


def c3(net: Net, x: str, channels: int, count: int, act: str, shortcut: bool = True) -> str:
    """The CSP block of YOLOv5 and YOLOX."""
    half = channels // 2
    a = net.conv(x, half, act=act)
    for _ in range(count):
        y = net.conv(net.conv(a, half, act=act), half, 3, act=act)
        a = net.add("Add", [a, y]) if shortcut else y
    return net.conv(net.concat([a, net.conv(x, half, act=act)]), channels, act=act)


def sppf(net: Net, x: str, channels: int, act: str) -> str:
    """Three max poolings in a row, all of them concatenated."""
    parts = [net.conv(x, net.shapes[x][0] // 2, act=act)]
    for _ in range(3):
        parts.append(net.pool(parts[-1], 5))
    return net.conv(net.concat(parts), channels, act=act)


def yolov5(width: float, depth: float, act: str = SILU) -> onnx.ModelProto:
    """YOLOv5 6.x, 640, three heads of 255 channels behind a sigmoid."""
    net = Net(3, 640)
    w, d = scaled(width, depth)
    x = net.conv(net.conv("x", w(64), 6, 2, pad=2, act=act), w(128), 3, 2, act=act)
    x = net.conv(c3(net, x, w(128), d(3), act), w(256), 3, 2, act=act)
    p3 = c3(net, x, w(256), d(6), act)
    p4 = c3(net, net.conv(p3, w(512), 3, 2, act=act), w(512), d(9), act)
    x = c3(net, net.conv(p4, w(1024), 3, 2, act=act), w(1024), d(3), act)
    h1 = net.conv(sppf(net, x, w(1024), act), w(512), act=act)
    y = c3(net, net.concat([net.double(h1), p4]), w(512), d(3), act, False)
    h2 = net.conv(y, w(256), act=act)
    o3 = c3(net, net.concat([net.double(h2), p3]), w(256), d(3), act, False)
    o4 = c3(net, net.concat([net.conv(o3, w(256), 3, 2, act=act), h2]), w(512), d(3), act, False)
    o5 = c3(net, net.concat([net.conv(o4, w(512), 3, 2, act=act), h1]), w(1024), d(3), act, False)
    return net.model([net.conv(o, 255, act=SIGMOID) for o in (o3, o4, o5)])


def c2f(net: Net, x: str, channels: int, count: int, shortcut: bool) -> str:
    """The CSP block of YOLOv8: halves by Slice, every step kept."""
    half = channels // 2
    parts = [*net.halves(net.conv(x, channels))]
    for _ in range(count):
        z = net.conv(net.conv(parts[-1], half, 3), half, 3)
        parts.append(net.add("Add", [parts[-1], z]) if shortcut else z)
    return net.conv(net.concat(parts), channels)


def yolov8(width: float, depth: float, most: int) -> onnx.ModelProto:
    """YOLOv8, 640, with the nine outputs of Rockchip's export: boxes, classes, and their clipped sum."""
    net = Net(3, 640)
    scale, d = scaled(width, depth)

    def w(channels: int) -> int:
        return scale(min(channels, most))

    x = c2f(net, net.conv(net.conv("x", w(64), 3, 2), w(128), 3, 2), w(128), d(3), True)
    p3 = c2f(net, net.conv(x, w(256), 3, 2), w(256), d(6), True)
    p4 = c2f(net, net.conv(p3, w(512), 3, 2), w(512), d(6), True)
    p5 = sppf(net, c2f(net, net.conv(p4, w(1024), 3, 2), w(1024), d(3), True), w(1024), SILU)
    t4 = c2f(net, net.concat([net.double(p5), p4]), w(512), d(3), False)
    o3 = c2f(net, net.concat([net.double(t4), p3]), w(256), d(3), False)
    o4 = c2f(net, net.concat([net.conv(o3, w(256), 3, 2), t4]), w(512), d(3), False)
    o5 = c2f(net, net.concat([net.conv(o4, w(512), 3, 2), p5]), w(1024), d(3), False)
    boxes, classes = max(16, w(256) // 4, 64), max(w(256), 80)
    return net.model([name for o in (o3, o4, o5) for name in yolov8_head(net, o, boxes, classes)])


def yolov8_head(net: Net, x: str, boxes: int, classes: int) -> tuple[str, str, str]:
    """Return the three outputs of one scale."""
    box = net.conv(net.conv(net.conv(x, boxes, 3), boxes, 3), 64, act=NONE)
    scores = net.conv(net.conv(net.conv(x, classes, 3), classes, 3), 80, act=SIGMOID)
    _, height, width = net.shapes[scores]
    axes = net.constant(np.array([1], "int64"))
    total = net.add("ReduceSum", [scores, axes], (1, height, width), keepdims=1)
    limits = [net.constant(np.array(limit, "float32")) for limit in (0, 1)]
    return box, scores, net.add("Clip", [total, *limits])


def yolox(width: float, depth: float) -> onnx.ModelProto:
    """YOLOX, 640, three heads of 85 channels."""
    net = Net(3, 640)
    w, d = scaled(width, depth)
    x = c3(net, net.conv(net.conv("x", w(64), 6, 2, pad=2), w(128), 3, 2), w(128), d(3), SILU)
    p3 = c3(net, net.conv(x, w(256), 3, 2), w(256), d(9), SILU)
    p4 = c3(net, net.conv(p3, w(512), 3, 2), w(512), d(9), SILU)
    y = net.conv(net.conv(p4, w(1024), 3, 2), w(512))
    y = net.conv(net.concat([y, *(net.pool(y, kernel) for kernel in (5, 9, 13))]), w(1024))
    h1 = net.conv(c3(net, y, w(1024), d(3), SILU, False), w(512))
    h2 = net.conv(c3(net, net.concat([net.double(h1), p4]), w(512), d(3), SILU, False), w(256))
    o3 = c3(net, net.concat([net.double(h2), p3]), w(256), d(3), SILU, False)
    o4 = c3(net, net.concat([net.conv(o3, w(256), 3, 2), h2]), w(512), d(3), SILU, False)
    o5 = c3(net, net.concat([net.conv(o4, w(512), 3, 2), h1]), w(1024), d(3), SILU, False)
    return net.model([yolox_head(net, o, w(256)) for o in (o3, o4, o5)])


def yolox_head(net: Net, x: str, channels: int) -> str:
    """Return the output of one scale: box, object, classes."""
    stem = net.conv(x, channels)
    classes = net.conv(net.conv(stem, channels, 3), channels, 3)
    boxes = net.conv(net.conv(stem, channels, 3), channels, 3)
    heads = ((boxes, 4, NONE), (boxes, 1, SIGMOID), (classes, 80, SIGMOID))
    return net.concat([net.conv(source, count, act=act) for source, count, act in heads])


def elan(net: Net, x: str, inner: int, channels: int) -> str:
    """The block of YOLOv7-tiny."""
    a, c = net.conv(x, inner, act=LEAKY), net.conv(x, inner, act=LEAKY)
    d = net.conv(c, inner, 3, act=LEAKY)
    e = net.conv(d, inner, 3, act=LEAKY)
    return net.conv(net.concat([e, d, c, a]), channels, act=LEAKY)


def yolov7tiny() -> onnx.ModelProto:
    """YOLOv7-tiny, 640, three heads of 255 channels behind a sigmoid."""
    net = Net(3, 640)
    x = net.conv(net.conv("x", 32, 3, 2, act=LEAKY), 64, 3, 2, act=LEAKY)
    p3 = elan(net, net.pool(elan(net, x, 32, 64), 2, 2, 0), 64, 128)
    p4 = elan(net, net.pool(p3, 2, 2, 0), 128, 256)
    x = elan(net, net.pool(p4, 2, 2, 0), 256, 512)
    a, c = net.conv(x, 256, act=LEAKY), net.conv(x, 256, act=LEAKY)
    s = net.conv(net.concat([*(net.pool(c, kernel) for kernel in (13, 9, 5)), c]), 256, act=LEAKY)
    p5 = net.conv(net.concat([s, a]), 256, act=LEAKY)
    t4 = elan(net, beside(net, p4, p5, 128), 64, 128)
    o3 = elan(net, beside(net, p3, t4, 64), 32, 64)
    o4 = elan(net, net.concat([net.conv(o3, 128, 3, 2, act=LEAKY), t4]), 64, 128)
    o5 = elan(net, net.concat([net.conv(o4, 256, 3, 2, act=LEAKY), p5]), 128, 256)
    heads = ((o3, 128), (o4, 256), (o5, 512))
    return net.model([net.conv(net.conv(o, c, 3, act=LEAKY), 255, act=SIGMOID) for o, c in heads])


def beside(net: Net, large: str, small: str, channels: int) -> str:
    """Return a larger map beside a smaller one that is doubled, both narrowed first."""
    narrowed = net.conv(large, channels, act=LEAKY)
    return net.concat([narrowed, net.double(net.conv(small, channels, act=LEAKY))])


NETS: dict[str, Callable[[], onnx.ModelProto]] = {
    "mobilenetv2-12": mobilenetv2,
    "resnet50-v2-7": resnet50v2,
    "yolov5s_relu": lambda: yolov5(0.5, 0.33, RELU),
    "yolov5n": lambda: yolov5(0.25, 0.33),
    "yolov5s": lambda: yolov5(0.5, 0.33),
    "yolov5m": lambda: yolov5(0.75, 0.67),
    "yolov8n": lambda: yolov8(0.25, 0.33, 1024),
    "yolov8s": lambda: yolov8(0.5, 0.33, 1024),
    "yolov8m": lambda: yolov8(0.75, 0.67, 768),
    "yolox_s": lambda: yolox(0.5, 0.33),
    "yolox_m": lambda: yolox(0.75, 0.67),
    "yolov7-tiny": yolov7tiny,
}


def main() -> int:
    """Build, and convert where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("nets", nargs="*", metavar="NET", help=f"default: all of {', '.join(NETS)}")
    parser.add_argument("--convert", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.nets or NETS:
        path = options.folder / f"{name}.onnx"
        onnx.save(NETS[name](), path)
        print(path)
        if options.convert:
            for target in TARGETS:
                convert(path, target)
    return 0


def convert(path: Path, target: str) -> None:
    """Convert one net to int8, calibrated with one random case: values do not matter here."""
    output = path.with_name(f"{path.stem}_{target}_int8.rknn")
    run_job(find_environment(), ConversionJob(path, target, "int8", output=output, samples=1))
    print(output)


if __name__ == "__main__":
    sys.exit(main())
