"""What the inputs of an ONNX want, from the file alone; a golden's inputs as the simulator is fed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rkbench.errors import ModelError, UsageError
from rkbench.onnx.model import open_onnx
from rkbench.onnx.values import static_shape
from rkbench.variants.golden_file import cases_of, layout_of, members_of
from rkbench.variants.golden_fit import Wanted
from rkbench.variants.golden_match import match
from rkbench.variants.npz import NpzReader, NpzWriter


def wanted_inputs(onnx: Path, shapes: Mapping[str, tuple[int, ...]]) -> list[Wanted]:
    """Return what each input wants.

    Raises UsageError where a size is neither in the file nor given, ModelError for what cannot be converted
    whatever its inputs are: no ONNX, or one whose weights are not there.
    """
    network = open_onnx(onnx, shapes)
    if network.missing_files:
        raise ModelError(
            f"{onnx.name}: its weights lie in {', '.join(network.missing_files)}, missing or too short here",
            hint=f"put them beside {onnx}",
        )
    wanted = []
    for value in network.graph.inputs:
        if value.is_initializer():
            continue
        name, shape = value.name or "", static_shape(value)
        declared = network.declared[name][1]
        if shape is None or value.type is None or (name not in shapes and _is_open(declared)):
            told = "x".join(map(str, _listed(declared))) if declared else "of any number of sizes"
            raise UsageError(
                f"{onnx.name}: input {name} has no fixed shape: it is {told}",
                hint=f"say it: --input-shape {name}={_example(declared)}",
            )
        wanted.append(Wanted("inputs", name, shape, np.dtype(value.type.dtype.numpy()).name))
    return wanted


Sizes = Sequence[int | str | None] | None


def _listed(declared: Sizes) -> list[int | str]:
    return [size if isinstance(size, int) and size > 0 else "?" for size in declared or ()]


def _is_open(declared: Sizes) -> bool:
    """Return whether a size is open that is not the first: an open batch is 1."""
    return declared is None or "?" in _listed(declared)[1:]


def _example(declared: Sizes) -> str:
    """Return a shape that fits, as it is typed: pictures of 224 pixels where sides are open."""
    sizes = _listed(declared) or [1, 3, "?", "?"]
    return "x".join(
        str((1 if place == 0 else 224) if size == "?" else size) for place, size in enumerate(sizes)
    )


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
