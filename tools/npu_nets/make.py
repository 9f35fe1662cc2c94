"""Make the nets that rkbench's NPU model is held to, and what the vendor's simulator says of them.

    .venv/bin/python tools/npu_nets/make.py [NET ...]

Nine nets of one idea each, random weights from a fixed seed, in fp16 and int8, for rk3588 and rk3568: 36
files, as rknn-toolkit2 2.5.0 converts them, with its simulator's outputs. A tenth net, int8 alone,
explains one of the nine (docs/npu.md); eight more are enlarged, or came of nets of one operator each
(`shaped_nets.py`; one of them fp16 alone); one, fp16 for rk3588 alone, is fed in two tiles; one, int8 for
rk3588 alone, has a ReLU behind a Concat; one a channel that nothing reads; four more, three for rk3588
alone, have what transformers are made of. Needs the toolkit environment (`bench toolkit install`). Two builds
differ in 1-2 kB of uninitialised bytes, not in what they compute.

Into tests/data/npu: NET.onnx, NET.inputs.npz (`inputs/x`, two cases, 4-D as NHWC), NET_SOC_DTYPE.rknn, and
NET_SOC_DTYPE.npz (a replay, as the simulator left it).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from rkbench.toolkit.environment import find_environment
from rkbench.toolkit.jobs import ConversionJob, run_job

sys.path.insert(0, str(Path(__file__).parent))

from shaped_nets import clipped, convolve, deconvolved, enlarged, focused, largest, pictures, repeated, roots
from transformer_nets import ROOT, Network, normalization, softmax, transformer

OUTPUT = ROOT / "tests/data/npu"
TARGETS = ("rk3588", "rk3568")
DTYPES = ("fp16", "int8")
CASES = 2


def dense() -> Network:
    """Convolutions of channel counts that fill no block."""
    net = Network([1, 3, 20, 20])
    convolve(net, 3, 24, stride=2)
    net.add("Relu")
    convolve(net, 24, 40)
    net.add("Relu")
    convolve(net, 40, 33, kernel=1)
    return net


def depthwise() -> Network:
    """Depthwise convolutions of two kernels and strides, ReLU6 between."""
    net = Network([1, 3, 20, 20])
    convolve(net, 3, 40)
    for kernel, stride in ((3, 1), (5, 2)):
        convolve(net, 40, 40, kernel=kernel, stride=stride, groups=40)
        net.add("Clip", net.constant(np.float32(0)), net.constant(np.float32(6)))
    convolve(net, 40, 16, kernel=1)
    return net


def residual() -> Network:
    """A block with a shortcut, and ReLU after the sum."""
    net = Network([1, 3, 16, 16])
    convolve(net, 3, 32)
    net.add("Relu")
    shortcut = net.current
    convolve(net, 32, 32)
    net.add("Relu")
    convolve(net, 32, 32)
    net.add("Add", shortcut)
    net.add("Relu")
    return net


def pools() -> Network:
    """A padded max pooling and an average pooling."""
    net = Network([1, 3, 24, 24])
    convolve(net, 3, 32)
    net.add("Relu")
    net.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    convolve(net, 32, 32)
    net.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    return net


def gates() -> Network:
    """Sigmoid and hard sigmoid, both by table."""
    net = Network([1, 3, 16, 16])
    convolve(net, 3, 24)
    net.add("Sigmoid")
    convolve(net, 24, 24)
    net.add("HardSigmoid", alpha=0.2, beta=0.5)
    return net


def gates_on_steps() -> Network:
    """The gates, but a hard sigmoid whose beta is a whole number of int8 steps (102 of 1/255)."""
    net = Network([1, 3, 16, 16])
    convolve(net, 3, 24)
    net.add("Sigmoid")
    convolve(net, 24, 24)
    net.add("HardSigmoid", alpha=0.4, beta=0.4)
    return net


def swishes() -> Network:
    """Swish and hard swish: a table, then a product."""
    net = Network([1, 3, 16, 16])
    convolve(net, 3, 24)
    before = net.current
    net.add("Sigmoid")
    net.add("Mul", before)
    convolve(net, 24, 24)
    before = net.current
    net.add("HardSigmoid", alpha=1 / 6, beta=0.5)
    net.add("Mul", before)
    return net


def squeeze() -> Network:
    """Squeeze and excitation: a factor for each channel."""
    net = Network([1, 3, 16, 16])
    convolve(net, 3, 32)
    net.add("Relu")
    features = net.current
    net.add("GlobalAveragePool")
    convolve(net, 32, 8, kernel=1)
    net.add("Relu")
    convolve(net, 8, 32, kernel=1)
    net.add("Sigmoid")
    net.add("Mul", features)
    return net


def transpose() -> Network:
    """Two dimensions of a map change places."""
    net = Network([1, 24, 10, 20])
    net.add("Transpose", perm=[0, 2, 1, 3])
    return net


def neck() -> Network:
    """Two scales joined: leaky ReLU, resize by 2, concatenation."""
    net = Network([1, 3, 24, 24])
    convolve(net, 3, 24, stride=2)
    net.add("LeakyRelu", alpha=0.1)
    fine = net.current
    convolve(net, 24, 32, stride=2)
    net.add("LeakyRelu", alpha=0.1)
    scales = net.constant(np.array([1, 1, 2, 2], dtype="float32"))
    modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    net.add("Resize", "", scales, **modes)
    net.add("Concat", fine, axis=1)
    convolve(net, 56, 16)
    net.add("LeakyRelu", alpha=0.1)
    return net


def tiled() -> Network:
    """A picture of two tiles, whose lines no 16 bytes divide: the second begins where the pitch says."""
    net = Network([1, 3, 106, 106])
    convolve(net, 3, 8, stride=2)
    net.add("Relu")
    return net


def joined() -> Network:
    """A convolution joined with a pooling, and one ReLU behind both: the converter gives them its range."""
    net = Network([1, 16, 12, 12])
    source = net.current
    net.add("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    pooled, net.current = net.current, source
    convolve(net, 16, 16, kernel=1)
    net.add("Concat", pooled, axis=1)
    net.add("Relu")
    convolve(net, 32, 16)
    return net


def unread() -> Network:
    """A convolution of which the next one takes nothing of channel 3."""
    net = Network([1, 8, 8, 8])
    convolve(net, 8, 16)
    net.add("Relu")
    values = net.rng.standard_normal((8, 16, 1, 1)).astype("float32") / 4
    values[:, 3] = 0
    net.add("Conv", net.constant(values), net.weight(8), kernel_shape=[1, 1])
    return net


def classifier() -> Network:
    """Global average pooling and a fully connected layer of ten classes."""
    net = Network([1, 3, 16, 16])
    convolve(net, 3, 32, stride=2)
    net.add("Relu")
    net.add("GlobalAveragePool")
    net.add("Flatten", axis=1)
    net.add("Gemm", net.constant((net.rng.standard_normal((32, 10)) * 0.4).astype("float32")), net.weight(10))
    return net


NETS: tuple[Callable[[], Network], ...] = (
    dense, depthwise, residual, pools, gates, swishes, squeeze, neck, classifier, gates_on_steps,
    enlarged, repeated, deconvolved, pictures, clipped, roots, focused, largest, tiled, joined,
    unread, transpose, softmax, normalization, transformer,
)  # fmt: skip
ONE_DTYPE = {"gates_on_steps": "int8", "tiled": "fp16", "joined": "int8", "unread": "fp16", "roots": "fp16"}
OTHER_SOCS = ("rk3562", "rk3576", "rv1126b")
"""The classifier for SoCs whose registers nobody has explained, int8, without outputs."""
RK3588_ONLY = ("tiled", "joined", "unread", "transpose", "softmax", "transformer")


def write_inputs(net: Network, path: Path) -> None:
    """Write standard normal cases in steps of 1/32, which fp16 holds exactly and zip packs well."""
    batch, *places = net.shape
    fed = [*places[1:], places[0]] if len(places) == 3 else places
    random = np.random.default_rng(11)
    cases = np.rint(random.standard_normal((CASES, batch, *fed)) * 32) / 32
    np.savez_compressed(path, **{"inputs/x": cases.astype("float32")})


def convert(name: str, target: str, dtype: str) -> int:
    """Convert a net and ask the simulator; return the bytes of the files."""
    known = target in TARGETS
    stem = (OUTPUT if known else OUTPUT / "other_socs") / f"{name}_{target}_{dtype}"
    stem.parent.mkdir(exist_ok=True)
    rknn, replay = stem.with_suffix(".rknn"), stem.with_suffix(".npz")
    job = ConversionJob(OUTPUT / f"{name}.onnx", target, dtype, output=rknn)
    if known:
        job = replace(job, inputs=OUTPUT / f"{name}.inputs.npz", outputs=replay)
    run_job(find_environment(), job)
    return rknn.stat().st_size + (replay.stat().st_size if known else 0)


def main() -> None:
    """Make the nets that are named, or all."""
    OUTPUT.mkdir(exist_ok=True)
    chosen = sys.argv[1:] or [net.__name__ for net in NETS]
    for make in NETS:
        name = make.__name__
        if name not in chosen:
            continue
        net = make()
        net.save(OUTPUT / f"{name}.onnx")
        write_inputs(net, OUTPUT / f"{name}.inputs.npz")
        for target in TARGETS[: 1 if name in RK3588_ONLY else 2]:
            for dtype in (ONE_DTYPE[name],) if name in ONE_DTYPE else DTYPES:
                print(name, target, dtype, convert(name, target, dtype), flush=True)
        for target in OTHER_SOCS if name == "classifier" else ():
            print(name, target, convert(name, target, "int8"), flush=True)


if __name__ == "__main__":
    main()
