"""Nets of a few operators, for both SoCs in fp16 and int8: equal to the simulator's, or refused by name.

Nothing else: an output that differs without a word is the fault that this file is for (docs/npu.md). It holds
what is refused as well: a net that is computed tomorrow has to leave the list.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rkbench.errors import NotModelledError
from rkbench.npu.execute.executor import Executor
from rkbench.rknn import open_model
from rkbench.rknn.contents import Tensor
from rkbench.stats.similarity import cosine
from toolkit_jobs import ROOT, Convert

sys.path.insert(0, str(ROOT / "tools/npu_nets"))

from op_nets import OP_NETS

Array = NDArray[Any]
FILES = tuple((soc, dtype) for soc in ("rk3588", "rk3568") for dtype in ("fp16", "int8"))
EVERY, RK3568, INT8 = FILES, FILES[2:], FILES[1::2]
REFUSED: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "attention": ("TP_EN", RK3568),
    "batch_flat": ("a Transpose of", RK3568),
    "batch_pixels": ("lines of packed pixels", EVERY),
    "clip_high": ("a Clip without a lower limit", EVERY),
    "depth_to_space_3": ("DepthToSpace", EVERY),
    "linear_corners": ("Resize", EVERY),
    "matmul_inputs": ("TP_EN", RK3568),
    "mean_ceil": ("AveragePool", EVERY),
    "mean_padded": ("AveragePool", EVERY),
    "nearest_to_13x17": ("SURFACE_ADD", EVERY),
    "number_sub": ("a shift of", INT8),
    "patches": ("a Transpose of", (FILES[0], *RK3568)),
    "pixels_strides_4": ("packed pixels of", (FILES[0], *RK3568)),
    "selu": ("Selu", EVERY),
    "softmax_last": ("exSoftmax13", RK3568),
    "softmax_of_10": ("exSoftmax13", RK3568),
    "softmax_of_channels": ("exSoftmax13", RK3568),
    "transpose_map": ("WIDTH_WDMA", FILES[:2]),
    "transposed_strides_1": ("DECONV_X_STRIDE", EVERY),
    "transposed_strides_3": ("exConvTransposePad", EVERY),
    "vector_sigmoid": ("blocks 0x38", FILES[2:3]),
    "vector_sub": ("EW_OP_CVT_OFFSET", FILES[1:2]),
}
"""What of which files is refused, and the words that name it."""
OF_THE_FILE = {("transposed_groups", "fp16"), ("where", "int8")}
"""Commands or weights are not those of the ONNX: the simulator, which does not read them, cannot see it."""
EXPONENTIALS = ("softmax_last", "softmax_of_10", "softmax_of_channels")
MOST_STEPS, MOST_UNITS = 2, 5
MOST_BEYOND = 0.01


@pytest.mark.parametrize("name", OP_NETS)
def test_a_net_is_computed_as_the_simulator_does_or_refused_by_name(
    name: str, convert: Convert, tmp_path: Path
) -> None:
    source, outputs = tmp_path / f"{name}.onnx", tmp_path / "outputs.npz"
    OP_NETS[name]().save(source)
    inputs = source.with_suffix(".npz")
    words, refused = REFUSED.get(name, ("", ()))
    for soc, dtype in FILES:
        answer = convert(source, soc, dtype, inputs=inputs, outputs=outputs, samples=8)
        if not answer["ok"]:
            continue  # a graph that this toolkit does not convert
        if (soc, dtype) in refused:
            with pytest.raises(NotModelledError, match=words):
                computed(answer["output"], inputs)
        elif (name, dtype) not in OF_THE_FILE:
            for tensor, ours, theirs in pairs(answer["output"], inputs, outputs):
                assert agree(tensor, ours, theirs, name), (soc, dtype, tensor.name)


def computed(rknn: Path, inputs: Path) -> list[dict[str, Array]]:
    """Return our outputs of each case, by name."""
    with np.load(inputs) as archive, open_model(rknn) as model:
        executor = Executor(model)
        fed = {name.removeprefix("inputs/"): archive[name] for name in archive}
        count = len(next(iter(fed.values())))
        return [
            executor.run({name: as_the_source_has(values[case]) for name, values in fed.items()})
            for case in range(count)
        ]


def as_the_source_has(values: Array) -> Array:
    return np.moveaxis(values, -1, 1) if values.ndim == 4 else values


def pairs(rknn: Path, inputs: Path, outputs: Path) -> list[tuple[Tensor, Array, Array]]:
    """Return each output, ours and the simulator's of it: (cases, values)."""
    cases = computed(rknn, inputs)
    with np.load(outputs) as simulated, open_model(rknn) as model:
        theirs = [simulated[name] for name in simulated if name.startswith("outputs/")]
        return [
            (
                tensor,
                np.stack([case[tensor.name].reshape(-1) for case in cases]),
                each.reshape(len(cases), -1),
            )
            for tensor, each in zip(model.outputs, theirs, strict=True)
        ]


def agree(tensor: Tensor, ours: Array, theirs: Array, name: str) -> bool:
    """Say whether an output is the simulator's: its direction, and nearly all values within few steps."""
    if ours.shape != theirs.shape or min(map(cosine, ours, theirs)) < (
        0.9997 if name in EXPONENTIALS else 0.999
    ):
        return False
    if name in EXPONENTIALS:  # of the bits here, exact in the simulator (docs/npu.md)
        return True
    whole = tensor.dtype == "INT8"
    step = tensor.scale[0] if whole else float(np.spacing(np.float16(np.abs(theirs).max())))
    beyond = np.round(np.abs(ours - theirs) / step, 3) > (MOST_STEPS if whole else MOST_UNITS)
    return float(np.mean(beyond)) <= MOST_BEYOND
