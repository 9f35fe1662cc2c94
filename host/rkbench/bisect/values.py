"""What goes into a part of a network, and what onnxruntime makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from rkbench.bisect.cuts import CuttableOnnx, Part
from rkbench.variants.golden_file import METADATA
from rkbench.variants.golden_fit import NCHW
from rkbench.variants.golden_onnx import make_golden
from rkbench.variants.npz import Array, NpzReader, NpzWriter


def reference_of(
    onnx: Path,
    inputs: Path | None,
    out: Path,
    cases: int | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Path:
    """Write what onnxruntime makes of `inputs` (None: random ones) to `out`; return it.

    Raises GoldenError, ModelError.
    """
    return make_golden(onnx, inputs, out, cases, shapes=shapes)


def inputs_of_part(network: CuttableOnnx, part: Part, given: Path, folder: Path) -> Path:
    """Return a file with the values of the tensors that go into a part, as onnxruntime computes them.

    `given` holds the network's own inputs. Raises GoldenError, ModelError.
    """
    inside = tuple(name for name in part.inputs if name not in network.inputs)
    before = network.before(inside)
    stem = "-".join(inside)[:60].replace("/", "_")
    onnx = network.write(before, folder / f"to-{stem}.onnx")
    computed = reference_of(onnx, given, folder / f"to-{stem}.npz")
    target = folder / f"into-{stem}.npz"
    with NpzReader(computed) as made, NpzReader(given) as own, NpzWriter(target) as writer:
        for name in part.inputs:
            source, key = (made, f"outputs/{name}") if name in inside else (own, f"inputs/{name}")
            header = source.headers[key]
            writer.add(f"inputs/{name}", header.shape, header.dtype, _cases(source, key))
        writer.add_text(METADATA, json.dumps({"layout": NCHW}))
    return target


def _cases(source: NpzReader, key: str) -> Iterator[Array]:
    yield from source.chunks(key, source.headers[key].shape[0])
