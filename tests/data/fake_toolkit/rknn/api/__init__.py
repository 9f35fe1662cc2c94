"""A stand-in for rknn-toolkit2 with its calls: what it is told stands in its log; it exports a real .rknn.

Its simulator is onnxruntime, with outputs in steps where it quantizes: finer ones for mmse. Of the demo's
digits it exports the demo's own files, where RKBENCH_FAKE_TOOLKIT_DIGITS names their folder.
Where RKBENCH_FAKE_TOOLKIT_WRITER names folders with `onnx_as_rknn` and all that it imports, the .rknn has the
ONNX's own inputs and outputs.
RKBENCH_FAKE_TOOLKIT stages a fault: hang, grow, refuse, abort, exit, broken, numpy2; of the version
RKBENCH_FAKE_TOOLKIT_OF alone, where that is set;
RKBENCH_FAKE_TOOLKIT_CALLS is a file that each build writes a line to.
"""

from __future__ import annotations

import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import torch  # noqa: F401 - as the real one does, at the top

SAMPLE = Path(os.environ["RKBENCH_FAKE_TOOLKIT_SAMPLE"])
FAULT = os.environ.get("RKBENCH_FAKE_TOOLKIT", "")
if os.environ.get("RKBENCH_FAKE_TOOLKIT_OF", version("rknn-toolkit2")) != version("rknn-toolkit2"):
    FAULT = ""
if FAULT == "broken":
    raise ImportError("libfake.so: cannot open shared object file")
if FAULT == "numpy2":  # as a module says it that was compiled for another numpy
    print("A module that was compiled using NumPy 1.x cannot be run in\nNumPy 2.0.0 as it may crash.")
    raise ImportError("numpy.core.multiarray failed to import")


class RKNN:
    def __init__(self, verbose=False, verbose_file=None):
        self.log = Path(verbose_file or os.devnull).open("a")  # noqa: SIM115 - until release

    def say(self, text):
        self.log.write(f"{text}\n")
        self.log.flush()

    def config(self, **words):
        self.words = words
        self.say(f"config {sorted(words.items())}")
        return 0

    def load_onnx(self, model, inputs, input_size_list):
        self.model = onnx.load(model)
        self.say(f"inputs {inputs} {input_size_list}")
        if FAULT == "refuse":
            raise ValueError("Unsupport onnx opset 22, need <= 19!")
        return 0

    def build(self, do_quantization, dataset=None, **words):
        self.quantized = do_quantization
        if calls := os.environ.get("RKBENCH_FAKE_TOOLKIT_CALLS"):
            with Path(calls).open("a") as file:
                file.write(f"{do_quantization} {sorted(self.words.items())}\n")
        if FAULT == "hang":
            time.sleep(3600)
        if FAULT == "grow":
            self.kept = np.ones(400_000_000, np.uint8)
            time.sleep(3600)
        if FAULT == "exit":  # as the simulator's C++ does
            print("I rknn-toolkit2 version: 2.5.0")
            print("I SessionPreparing :   0%| | 0/3scale_inf.shape error!", flush=True)
            os._exit(1)
        if FAULT == "abort":
            os.abort()
        rows = Path(dataset).read_text().splitlines() if dataset else []
        shapes = [np.load(path).shape for row in rows for path in row.split()]
        self.say(f"build {do_quantization} {words} calibrated on {len(rows)} cases of {shapes[:1]}")
        self.say("D RKNN: [0] Total Internal Memory Size: 594.125KB")
        self.say("D RKNN: [0] Total Weight Memory Size: 4697.19KB")
        print("E RKNN: Unkown op target: 0")
        return 0

    def export_rknn(self, path):
        if writer := os.environ.get("RKBENCH_FAKE_TOOLKIT_WRITER"):
            sys.path += writer.split(os.pathsep)
            from onnx_as_rknn import rknn_of

            Path(path).write_bytes(rknn_of(self.model, self.words["target_platform"]))
            return 0
        note = str(sorted(self.words.items())).encode() if self.sample() != SAMPLE else b""
        Path(path).write_bytes(self.sample().read_bytes() + note)  # no two conversions are the same bytes
        return 0

    def sample(self):
        folder = os.environ.get("RKBENCH_FAKE_TOOLKIT_DIGITS")
        if folder is None or self.model.graph.input[0].name != "image":
            return SAMPLE
        weights = {each.name: each.dims for each in self.model.graph.initializer}
        narrow = any(
            each.name == "group" and each.i > 1 and weights[node.input[1]][1] < 16
            for node in self.model.graph.node
            for each in node.attribute
        )
        kind = "int8" if self.quantized else "fp16"
        return Path(folder) / f"digits.{'' if narrow else 'regrouped.'}{kind}.rknn"

    def init_runtime(self):
        return 0

    def inference(self, inputs):
        import onnxruntime

        session = onnxruntime.InferenceSession(self.model.SerializeToString())
        turned = [each.transpose(0, 3, 1, 2) if each.ndim == 4 else each for each in inputs]
        fed = dict(zip([node.name for node in session.get_inputs()], turned, strict=True))
        return [self.in_steps(each) for each in session.run(None, fed)]

    def accuracy_analysis(self, inputs, output_dir):
        folder = Path(output_dir)
        folder.mkdir()
        shapes = [np.load(path).shape for path in inputs]
        self.say(f"analysed {shapes}")
        (folder / "dump.txt").write_text("0.0\n" * 1000)
        own = "0.53037" if self.quantized else "1.00000"
        rows = [
            f"[{node.op_type}] {node.output[0]}  {own} | 1.0   {own} | 1.0" for node in self.model.graph.node
        ]
        (folder / "error_analysis.txt").write_text("# simulator_error\n" + "\n".join(rows) + "\n")
        return 0

    def in_steps(self, output):
        if not self.quantized:
            return output
        steps = 127 if self.words.get("quantized_algorithm") == "mmse" else 10
        step = np.abs(output).max() / steps or 1
        return (np.round(output / step) * step).astype(output.dtype)

    def release(self):
        self.log.close()
