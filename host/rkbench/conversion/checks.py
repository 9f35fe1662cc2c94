"""What no recipe can convert, or nobody could keep, said once and before anything runs."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from rkbench.conversion.build import ConversionRequest, delivered_name, known_conversion
from rkbench.conversion.kept import kept_folder
from rkbench.conversion.wanted import wanted_inputs
from rkbench.errors import BenchError, UsageError
from rkbench.units import format_bytes

#: A full disk shows itself late and in the vendor's words: less than this, and nothing is begun.
LEAST_FREE_BYTES = 200_000_000
FULL = (errno.ENOSPC, errno.EDQUOT)


def check_requests(requests: Sequence[ConversionRequest], folder: Path) -> None:
    """Raise BenchErrors for conversions that cannot be made, or cannot be put into `folder`.

    The ONNX itself is read only where something is to be converted: ModelError for what is none, UsageError
    for one whose input sizes nobody has said.
    """
    check_folder(folder)
    _check_names(requests)
    missing = [each for each in requests if known_conversion(each) is None]
    if missing:
        _check_free(kept_folder(), "set XDG_CACHE_HOME to a folder with more")
        wanted_inputs(missing[0].onnx, missing[0].input_shapes or {})


def check_folder(folder: Path) -> None:
    """Raise UsageError for a folder that cannot be written, BenchError for one without room."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="name one with -o")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}", hint="choose another folder: -o DIR") from error
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{folder}: no permission to write", hint="choose another folder: -o DIR")
    _check_free(folder, "choose another folder: -o DIR")


def _check_free(folder: Path, otherwise: str) -> None:
    if (free := shutil.disk_usage(folder).free) < LEAST_FREE_BYTES:
        raise BenchError(f"{folder} has {format_bytes(free)} free", hint=f"make room, or {otherwise}")


def _check_names(requests: Sequence[ConversionRequest]) -> None:
    """Raise UsageError where two recipes would be written to one file."""
    found: dict[str, str] = {}
    for request in requests:
        name, recipe = delivered_name(request.draft, request.onnx.stem), request.draft.name
        if name in found:
            raise UsageError(
                f"recipes {found[name]} and {recipe} would both be {name}.rknn",
                hint="convert them with two commands, each with a folder of its own: -o DIR",
            )
        found[name] = recipe


def not_written(request: ConversionRequest, error: OSError) -> BenchError:
    """Return what a failed read or write of this computer means for a conversion."""
    place = error.filename or kept_folder()
    full = error.errno in FULL
    hint = "make room, or set XDG_CACHE_HOME to a folder with more" if full else f"look at {place}"
    return BenchError(f"{request.onnx.name}: {place}: {error.strerror or error}", hint=hint)
