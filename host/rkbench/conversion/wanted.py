"""What the inputs of an ONNX want, from the file alone; a golden's inputs as the simulator is fed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from rkbench.errors import UsageError
from rkbench.onnx.model import open_onnx
from rkbench.onnx.values import static_shape
from rkbench.variants.golden_file import cases_of, layout_of, members_of
from rkbench.variants.golden_fit import Wanted
from rkbench.variants.golden_match import match
from rkbench.variants.npz import NpzReader, NpzWriter


def wanted_inputs(onnx: Path, shapes: Mapping[str, tuple[int, ...]]) -> list[Wanted]:
    """Return what each input wants; raises UsageError where a size is neither in the file nor given."""
    network = open_onnx(onnx, shapes)
    wanted = []
    for value in network.graph.inputs:
        if value.is_initializer():
            continue
        shape = static_shape(value)
        if shape is None or value.type is None:
            raise UsageError(
                f"{onnx.name}: input {value.name} has no fixed shape",
                hint=f"--input-shape {value.name}=1x3x224x224",
            )
        wanted.append(Wanted("inputs", value.name or "", shape, np.dtype(value.type.dtype.numpy()).name))
    return wanted


def write_fed(golden: Path, wanted: list[Wanted], target: Path) -> Path:
    """Write a golden's inputs as board and simulator are fed them (4-D is NHWC); raises GoldenError."""
    fed = [replace(tensor, nhwc=len(tensor.shape) == 4) for tensor in wanted]
    with NpzReader(golden) as source:
        sides = f"golden {golden} does not fit the ONNX"
        found = match(fed, members_of(source), layout_of(source), sides=sides)
        with NpzWriter(target) as writer:
            for fit in found.fits:
                shape = (found.cases, *fit.wanted.final_shape)
                writer.add(f"inputs/{fit.wanted.name}", shape, np.dtype(fit.dtype), cases_of(source, fit))
    return target
