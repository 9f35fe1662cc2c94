"""Make the two narrow nets that the emulated boards compute in every test run: a classifier and a detector.

    .venv/bin/python tools/npu_nets/narrow.py

Few channels and small pictures, random weights from a fixed seed, for all core modes:
tests/data/npu/narrow/NET_SOC_DTYPE.rknn. The ONNX is not kept, since `NETS` builds it again. Needs the
toolkit (`bench toolkit install`).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnx

sys.path.insert(0, str(Path(__file__).parent))

from rkbench.toolkit.environment import find_environment
from rkbench.toolkit.jobs import ConversionJob, run_job
from zoo import ROOT, SIGMOID, SILU, TARGETS, Net, c3, mobilenetv2, sppf

OUTPUT = ROOT / "tests/data/npu/narrow"


def detector() -> onnx.ModelProto:
    """Return the blocks of YOLOv5 once each: two scales, joined upwards, a head of 27 channels on each."""
    net = Net(3, 96)
    x = net.conv(net.conv("x", 16, 6, 2, pad=2), 24, 3, 2)
    fine = net.conv(c3(net, x, 24, 1, SILU), 32, 3, 2)
    coarse = net.conv(sppf(net, net.conv(fine, 48, 3, 2), 48, SILU), 32)
    joined = c3(net, net.concat([net.double(coarse), fine]), 32, 1, SILU, False)
    return net.model([net.conv(o, 27, act=SIGMOID) for o in (joined, coarse)])


NETS: dict[str, Callable[[], onnx.ModelProto]] = {
    "mobilenetv2": lambda: mobilenetv2(0.25, 96, 64),
    "detector": detector,
}


FILES = (("mobilenetv2", "fp16"), ("mobilenetv2", "int8"), ("detector", "int8"))


def main() -> int:
    """Build and convert them."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, dtype in FILES:
            source = Path(folder) / f"{name}.onnx"
            onnx.save(NETS[name](), source)
            for target in TARGETS:
                output = OUTPUT / f"{name}_{target}_{dtype}.rknn"
                run_job(find_environment(), ConversionJob(source, target, dtype, output=output, samples=16))
                print(output.name, output.stat().st_size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
