"""Goldens computed with onnxruntime from the ONNX that a variant was made of (extra `onnx`).

The result has the ONNX's own names and layout (NCHW), with a member `metadata` that tells how it came about;
`golden.prepare` turns it into the board's form.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rkbench.errors import GoldenError, ModelError, NoGoldenError, UsageError
from rkbench.left_behind import working_folder
from rkbench.onnx.runtime import load_onnxruntime
from rkbench.rknn.identify import refuse_as_onnx
from rkbench.variants.golden_file import METADATA, PICTURES, read_metadata
from rkbench.variants.golden_fit import NCHW, Wanted
from rkbench.variants.golden_inputs import Case, cases_from, input_files, is_picture, random_cases
from rkbench.variants.npz import Array, NpzWriter
from rkbench.variants.onnx_digest import file_digest, onnx_digest
from rkbench.variants.pictures import PictureReader, Preparation, picture_text

SCHEMA = "rkbench-golden/1"
RANDOM_CASES = 16
Shapes = Mapping[str, tuple[int, ...]]
RANDOM_SEED = 0
#: What helps, by what onnxruntime says of a file that it cannot load.
_UNLOADED = {
    "is not a registered function/op": "bring what it returns yourself: --golden FILE.npz",
    "External data path": "put the files that hold its weights beside it",
}
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


def golden_beside(onnx: Path) -> Path:
    """Return where the golden of `onnx` that a user had made stands: MODEL.golden.npz."""
    return onnx.with_suffix(".golden.npz")


def ours(out: Path) -> Path:
    """Return `out`, where a golden may be written; raises GoldenError for a file that bench did not make."""
    try:
        is_there = out.exists()
    except OSError as error:
        raise GoldenError(
            f"{out}: {error.strerror}", hint="name another: bench golden -o FILE.npz"
        ) from error
    if is_there and read_metadata(out).get("schema") != SCHEMA:
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
    task: str | None = None,
    compress: bool = False,
    how: Preparation | None = None,
    shapes: Shapes | None = None,
) -> Path:
    """Write to `out` the outputs that onnxruntime computes, and return it; raises GoldenError, ModelError.

    `inputs` is an .npz, or a folder of pictures, .npy (one input) or .npz files taken in the order of their
    names; None: random values from `seed`, standard normal for floats. `cases` limits them (None: all there
    are, or 16 random ones). `task`, one of TASKS, says what the outputs are; `how`, what pictures become;
    `shapes`, the sizes of inputs that the ONNX leaves open.
    """
    files = input_files(inputs) if inputs else []
    session = _open_session(onnx)
    wanted = [_wanted(node, shapes or {}) for node in session.get_inputs()]
    names = [node.name for node in session.get_outputs()]
    pictures = _reader(wanted, files, how)
    source = (
        cases_from(files, wanted, cases, pictures)
        if files
        else random_cases(wanted, seed, cases or RANDOM_CASES)
    )
    with _folder_in(out.parent) as folder:
        spools = _Spools(folder)
        for case in source:
            spools.add({f"inputs/{name}": value for name, value in case.items()})
            answers = _run(session, names, case)
            spools.add({f"outputs/{name}": value for name, value in zip(names, answers, strict=True)})
        told = {"task": task, **_pictures_told(pictures), **made_of(onnx, inputs, shapes, seed)}
        spools.write(out, {**_origin(inputs), **told, "onnx": onnx.name}, compress)
    return out


def _reader(wanted: list[Wanted], files: list[Path], how: Preparation | None) -> PictureReader | None:
    """Return what reads the pictures among `files`; None where there are none."""
    if files and is_picture(files[0]):
        return PictureReader(wanted, how or Preparation())
    if how not in (None, Preparation()):
        raise UsageError(
            "--mean, --std, --fit, --bgr and --fill are for pictures",
            hint="give a folder of them: --inputs DIR",
        )
    return None


def _pictures_told(pictures: PictureReader | None) -> dict[str, Any]:
    return {PICTURES: pictures.told()} if pictures else {}


def made_of(
    onnx: Path, inputs: Path | None, shapes: Shapes | None = None, seed: int = RANDOM_SEED
) -> dict[str, Any]:
    """Return what decides the values of a golden, as its metadata tells it; raises GoldenError."""
    return {
        "onnx_sha256": _digest(onnx),
        "inputs_sha256": _inputs_digest(inputs),
        "seed": None if inputs else seed,
        **({"input_shapes": _listed(shapes)} if shapes else {}),
    }


def _origin(inputs: Path | None) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "layout": NCHW,
        "inputs_domain": "onnx",
        "source": "onnxruntime",
        "onnxruntime_version": _version(),
        "inputs": inputs.name if inputs else "random: standard normal; whole numbers 0 or 1; bytes 0 to 255",
    }


def describe(golden: Path) -> str:
    """Return one line about a golden that `make_golden` wrote: what is in it, and where from."""
    return f"{golden}: {described(golden)}"


def described(golden: Path) -> str:
    """Return what is in a golden that `make_golden` wrote, and where from."""
    known = read_metadata(golden)
    count = known.get("cases")
    cases = "1 case" if count == 1 else f"{count} cases"
    seed = known.get("seed")
    pictures = picture_text(known.get(PICTURES))
    source = f"{known.get('inputs')}" + (f" ({pictures})" if pictures else "")
    inputs = f"inputs from {source}" if seed is None else f"random inputs (seed {seed})"
    return f"{cases}, {inputs}, outputs by onnxruntime {known.get('onnxruntime_version')}"


@contextmanager
def _folder_in(parent: Path) -> Iterator[Path]:
    """Yield a working folder; raises GoldenError where none can be made."""
    with ExitStack() as opened:
        try:
            folder = opened.enter_context(working_folder(parent, ".golden-"))
        except OSError as error:
            text = f"{parent}: the golden cannot be written there: {error.strerror}"
            raise GoldenError(
                text, hint="bench golden MODEL.onnx -o FILE.npz, then bench push --golden FILE.npz"
            ) from error
        yield folder


def _run(session: Any, names: list[str], case: Case) -> list[Array]:
    try:
        return list(session.run(names, case))
    except Exception as error:  # onnxruntime raises a class per status code, all direct children of Exception
        text = f"onnxruntime cannot run it on these inputs: {str(error).strip().splitlines()[0]}"
        raise GoldenError(
            text, hint="give inputs that the model was made for: --inputs FILE.npz or DIR"
        ) from error


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
        onnxruntime = load_onnxruntime()
    except ImportError as error:
        hint = "pip install 'rkbench[onnx]'"
        raise GoldenError("onnxruntime is not installed, which computes goldens", hint=hint) from error
    if not onnx.is_file():
        raise NoGoldenError(f"{onnx}: no such file", hint="give the ONNX that the .rknn was converted from")
    refuse_as_onnx(onnx)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a class per status code, all direct children of Exception
        first = str(error).strip().splitlines()[0]
        hint = next((cure for words, cure in _UNLOADED.items() if words in first), "is it a whole ONNX file?")
        raise ModelError(f"{onnx}: onnxruntime cannot load it: {first}", hint=hint) from error


def _listed(shapes: Shapes) -> dict[str, list[int]]:
    """Return shapes as JSON has them."""
    return {name: list(shape) for name, shape in sorted(shapes.items())}


def _wanted(node: Any, shapes: Shapes) -> Wanted:
    """Return what an ONNX input wants; an unknown batch is 1, any other unknown length is refused."""
    given = shapes.get(node.name, node.shape)
    shape = [size if isinstance(size, int) and size > 0 else None for size in given]
    if shape and shape[0] is None:
        shape[0] = 1
    if None in shape:
        text = f"input {node.name!r} has no fixed shape: {node.shape}"
        hint = "give its sizes where it is converted (--input-shape), or export the ONNX with them"
        raise GoldenError(text, hint=hint)
    if node.type not in _DTYPES:
        raise GoldenError(
            f"input {node.name!r} is {node.type}", hint="only tensors of numbers can be in a golden"
        )
    return Wanted("inputs", node.name, tuple(size or 1 for size in shape), _DTYPES[node.type])


def _inputs_digest(inputs: Path | None) -> str | None:
    """Return a digest of the input files' names and bytes; None for random inputs."""
    if inputs is None:
        return None
    whole = hashlib.sha256()
    for path in input_files(inputs):
        whole.update(f"{path.name} {_digest(path, file_digest)}\n".encode())
    return whole.hexdigest()


def _digest(path: Path, read: Callable[[Path], str] = onnx_digest) -> str:
    try:
        return read(path)
    except OSError as error:
        kind = NoGoldenError if isinstance(error, FileNotFoundError) else GoldenError
        raise kind(f"{path}: cannot be read: {error.strerror}", hint="check the path") from error


def _version() -> str:
    return str(load_onnxruntime().__version__)
