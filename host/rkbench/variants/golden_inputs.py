"""Inputs for a golden: from the user's files, or seeded and random."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path

import numpy as np

from rkbench.errors import GoldenError, NoGoldenError, UnfitGoldenError
from rkbench.files import open_regular
from rkbench.variants.golden_file import cases_of, layout_of, members_of
from rkbench.variants.golden_fit import Wanted
from rkbench.variants.golden_match import match
from rkbench.variants.npz import Array, NpzReader
from rkbench.variants.pictures import SUFFIXES, PictureReader

LARGEST_INPUT_ELEMENTS = 250_000_000
Case = dict[str, Array]


def random_cases(wanted: list[Wanted], seed: int, cases: int) -> Iterator[Case]:
    """Yield cases from `seed`: floats standard normal, bytes 0 to 255, other whole numbers 0 or 1.

    Raises GoldenError for an input larger than memory.
    """
    generator = np.random.default_rng(seed)
    for tensor in wanted:
        if math.prod(tensor.shape) > LARGEST_INPUT_ELEMENTS:
            text = f"input {tensor.name!r} has the shape {tensor.shape}: too large to make values for"
            raise GoldenError(text, hint="check the ONNX; export it with the shapes of the .rknn")
    for _ in range(cases):
        yield {tensor.name: _random_array(generator, tensor) for tensor in wanted}


def _random_array(generator: np.random.Generator, tensor: Wanted) -> Array:
    if tensor.dtype.startswith("float"):
        return generator.standard_normal(tensor.shape).astype(tensor.dtype)
    limit = 256 if tensor.dtype == "uint8" else 2
    return generator.integers(0, limit, tensor.shape).astype(tensor.dtype)


def cases_from(
    files: Sequence[Path], wanted: list[Wanted], cases: int | None, pictures: PictureReader | None
) -> Iterator[Case]:
    """Yield at most `cases` of .npy and .npz, or of pictures, which `pictures` reads; raises GoldenError."""
    every = (
        case for path in files for case in ([pictures.case(path)] if pictures else _from_file(path, wanted))
    )
    return islice(every, cases)


def input_files(inputs: Path) -> list[Path]:
    """Return the files that `inputs` names, in the order of their names; raises GoldenError.

    They are pictures, or arrays, not both. Hidden files are left out.
    """
    if not inputs.exists():
        raise NoGoldenError(
            f"{inputs}: no such file or folder", hint="give an .npz, or a folder of pictures, .npy or .npz"
        )
    if not inputs.is_dir():
        return [inputs]
    seen = sorted(path for path in inputs.iterdir() if not path.name.startswith("."))
    arrays = [path for path in seen if path.suffix in (".npy", ".npz")]
    pictures = [path for path in seen if is_picture(path)]
    if arrays and pictures:
        text = f"{inputs}: pictures and arrays, {pictures[0].name} and {arrays[0].name}"
        raise UnfitGoldenError(text, hint="put one kind into a folder of its own")
    if not (arrays or pictures):
        kinds = ", ".join(SUFFIXES)
        raise UnfitGoldenError(
            f"{inputs}: no picture ({kinds}), .npy or .npz file in it",
            hint="save one case a file, or an .npz of all; folders in it are not looked into",
        )
    return arrays or pictures


def is_picture(path: Path) -> bool:
    """Return whether a file's name is a picture's."""
    return path.suffix.lower() in SUFFIXES


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
        raise UnfitGoldenError(
            f"{path}: one array for {len(wanted)} inputs ({names})", hint="save an .npz with these names"
        )
    with tempfile.TemporaryDirectory(prefix="rkbench-npy-") as folder:
        archive = Path(folder) / path.with_suffix(".npz").name
        try:
            with open_regular(path) as stream:
                array = np.load(stream, allow_pickle=False)
        except (OSError, ValueError, EOFError, MemoryError, RecursionError) as error:
            raise GoldenError(f"{path}: no readable .npy: {error}", hint="save it with numpy.save") from error
        np.savez(archive, **{wanted[0].name: array})
        yield from _from_file(archive, wanted)
