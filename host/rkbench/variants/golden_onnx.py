"""Goldens computed with onnxruntime from the ONNX that a variant was made of (extra `onnx`).

The result stands beside the model as MODEL.golden.npz, in the ONNX's own names and layout (NCHW), with a
member `metadata` that tells how it came about; `golden.prepare` turns it into the board's form.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from rkbench.errors import GoldenError, ModelError
from rkbench.variants.golden_file import METADATA, cases_of, layout_of, members_of, read_metadata
from rkbench.variants.golden_match import NCHW, Wanted, match
from rkbench.variants.npz import Array, NpzReader, NpzWriter

SCHEMA = "rkbench-golden/1"
RANDOM_CASES = 16
RANDOM_SEED = 0
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}
Case = dict[str, Array]


def golden_from_onnx(onnx: Path, inputs: Path | None) -> Path:
    """Return the golden beside `onnx`, computed now unless it is there and was made of the same things.

    Raises what `beside` and `make_golden` raise.
    """
    out = beside(onnx)
    if not out.exists():
        return make_golden(onnx, inputs, out)
    known = read_metadata(out)
    made_of = (known.get("onnx_sha256"), known.get("inputs_sha256"), known.get("seed"))
    wanted = (_digest(onnx), _inputs_digest(inputs), None if inputs else RANDOM_SEED)
    return out if made_of == wanted else make_golden(onnx, inputs, out)


def beside(onnx: Path) -> Path:
    """Return where the golden of `onnx` stands: MODEL.golden.npz.

    Raises GoldenError where a file of that name is not ours to replace.
    """
    out = onnx.with_suffix(".golden.npz")
    if out.exists() and read_metadata(out).get("schema") != SCHEMA:
        text = f"{out} is in the way: it is not a golden that bench made"
        raise GoldenError(text, hint=f"use it with --golden {out}, or rename it")
    return out


def make_golden(
    onnx: Path,
    inputs: Path | None,
    out: Path,
    cases: int | None = None,
    seed: int = RANDOM_SEED,
    *,
    compress: bool = False,
) -> Path:
    """Write to `out` the outputs that onnxruntime computes, and return it; raises GoldenError, ModelError.

    `inputs` is an .npz, or a folder of .npy (one input) or .npz files taken in the order of their names;
    None: random values from `seed`, standard normal for floats. `cases` limits them (None: all there are,
    or 16 random ones).
    """
    session = _open_session(onnx)
    wanted = [_wanted(node) for node in session.get_inputs()]
    names = [node.name for node in session.get_outputs()]
    source = (
        _random(wanted, seed, cases or RANDOM_CASES) if inputs is None else _from_files(inputs, wanted, cases)
    )
    metadata = {
        "schema": SCHEMA,
        "layout": NCHW,
        "inputs_domain": "onnx",
        "source": "onnxruntime",
        "onnxruntime_version": _version(),
        "onnx": onnx.name,
        "onnx_sha256": _digest(onnx),
        "inputs": inputs.name if inputs else "random: standard normal; whole numbers 0 or 1; bytes 0 to 255",
        "inputs_sha256": _inputs_digest(inputs),
        "seed": None if inputs else seed,
    }
    with tempfile.TemporaryDirectory(prefix=".golden-", dir=out.parent) as folder:
        spools = _Spools(Path(folder))
        for case in source:
            spools.add({f"inputs/{name}": value for name, value in case.items()})
            answers = session.run(names, case)
            spools.add({f"outputs/{name}": value for name, value in zip(names, answers, strict=True)})
        spools.write(out, metadata, compress)
    return out


def describe(golden: Path) -> str:
    """Return one line about a golden that `make_golden` wrote: what is in it, and where from."""
    known = read_metadata(golden)
    count = known.get("cases")
    cases = "1 case" if count == 1 else f"{count} cases"
    seed = known.get("seed")
    inputs = f"inputs from {known.get('inputs')}" if seed is None else f"random inputs (seed {seed})"
    return f"{golden}: {cases}, {inputs}, outputs by onnxruntime {known.get('onnxruntime_version')}"


class _Spools:
    """One growing file per tensor: the archive wants its members one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._firsts: dict[str, Array] = {}
        self._count: dict[str, int] = {}

    def add(self, arrays: Case) -> None:
        for name, array in arrays.items():
            first = self._firsts.setdefault(name, array)
            if array.shape != first.shape or array.dtype != first.dtype:
                change = f"{first.shape} {first.dtype}, then {array.shape} {array.dtype}"
                text = f"{name} changes from case to case: {change}"
                raise GoldenError(text, hint="an .rknn has static shapes: give cases of one shape")
            self._count[name] = self._count.get(name, 0) + 1
            with self._path(name).open("ab") as file:
                file.write(np.ascontiguousarray(array).tobytes())

    def write(self, out: Path, metadata: dict[str, Any], compress: bool) -> None:
        if not self._firsts:
            raise GoldenError("no cases", hint="give at least one input")
        with NpzWriter(out, compress=compress) as writer:
            cases = next(iter(self._count.values()))
            for name, first in self._firsts.items():
                writer.add(name, (cases, *first.shape), first.dtype, self._parts(name, first))
            writer.add_text(METADATA, json.dumps({**metadata, "cases": cases}))

    def _parts(self, name: str, first: Array) -> Iterator[Array]:
        with self._path(name).open("rb") as file:
            while data := file.read(first.nbytes or 1):
                yield np.frombuffer(data, first.dtype)

    def _path(self, name: str) -> Path:
        return self._folder / hashlib.sha256(name.encode()).hexdigest()


def _open_session(onnx: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        hint = "pip install 'rkbench[onnx]'"
        raise GoldenError("onnxruntime is not installed, which computes goldens", hint=hint) from error
    if not onnx.is_file():
        raise GoldenError(f"{onnx}: no such file", hint="give the ONNX that the .rknn was converted from")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a class per status code, all direct children of Exception
        first = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{onnx}: onnxruntime cannot load it: {first}", hint="is it a whole ONNX file?"
        ) from error


def _wanted(node: Any) -> Wanted:
    """Return what an ONNX input wants; an unknown batch is 1, any other unknown length is refused."""
    shape = [size if isinstance(size, int) and size > 0 else None for size in node.shape]
    if shape and shape[0] is None:
        shape[0] = 1
    if None in shape:
        text = f"input {node.name!r} has no fixed shape: {node.shape}"
        raise GoldenError(text, hint="export the ONNX with the shapes that the .rknn was converted with")
    if node.type not in _DTYPES:
        raise GoldenError(
            f"input {node.name!r} is {node.type}", hint="only tensors of numbers can be in a golden"
        )
    return Wanted("inputs", node.name, tuple(size or 1 for size in shape), _DTYPES[node.type])


def _random(wanted: list[Wanted], seed: int, cases: int) -> Iterator[Case]:
    generator = np.random.default_rng(seed)
    for _ in range(cases):
        yield {tensor.name: _random_array(generator, tensor) for tensor in wanted}


def _random_array(generator: np.random.Generator, tensor: Wanted) -> Array:
    if tensor.dtype.startswith("float"):
        return generator.standard_normal(tensor.shape).astype(tensor.dtype)
    limit = 256 if tensor.dtype == "uint8" else 2
    return generator.integers(0, limit, tensor.shape).astype(tensor.dtype)


def _from_files(inputs: Path, wanted: list[Wanted], cases: int | None) -> Iterator[Case]:
    count = 0
    for path in _input_files(inputs):
        for case in _from_file(path, wanted):
            if count == cases:
                return
            count += 1
            yield case


def _input_files(inputs: Path) -> list[Path]:
    if not inputs.exists():
        raise GoldenError(
            f"{inputs}: no such file or folder", hint="give an .npz, or a folder of .npy or .npz files"
        )
    if not inputs.is_dir():
        return [inputs]
    files = sorted(path for path in inputs.iterdir() if path.suffix in (".npy", ".npz"))
    if not files:
        raise GoldenError(
            f"{inputs}: no .npy or .npz file in it", hint="save one case a file, or an .npz of all"
        )
    return files


def _from_file(path: Path, wanted: list[Wanted]) -> Iterator[Case]:
    if path.suffix == ".npy":
        yield from _from_npy(path, wanted)
        return
    with NpzReader(path) as source, ExitStack() as stack:
        found = match(
            wanted, members_of(source), layout_of(source), sides=f"inputs {path} do not fit the ONNX"
        )
        streams = [stack.enter_context(closing(cases_of(source, fit))) for fit in found.fits]
        for arrays in zip(*streams, strict=True):
            yield {
                fit.wanted.name: array.astype(fit.wanted.dtype, copy=False)
                for fit, array in zip(found.fits, arrays, strict=True)
            }


def _from_npy(path: Path, wanted: list[Wanted]) -> Iterator[Case]:
    if len(wanted) != 1:
        names = ", ".join(tensor.name for tensor in wanted)
        raise GoldenError(
            f"{path}: one array for {len(wanted)} inputs ({names})", hint="save an .npz with these names"
        )
    with tempfile.TemporaryDirectory(prefix="rkbench-npy-") as folder:
        archive = Path(folder) / path.with_suffix(".npz").name
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise GoldenError(f"{path}: no readable .npy: {error}", hint="save it with numpy.save") from error
        np.savez(archive, **{wanted[0].name: array})
        yield from _from_file(archive, wanted)


def _inputs_digest(inputs: Path | None) -> str | None:
    """Return a digest of the input files' names and bytes; None for random inputs."""
    if inputs is None:
        return None
    whole = hashlib.sha256()
    for path in _input_files(inputs):
        whole.update(f"{path.name} {_digest(path)}\n".encode())
    return whole.hexdigest()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise GoldenError(f"{path}: cannot be read: {error.strerror}", hint="check the path") from error
    return digest.hexdigest()


def _version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)
