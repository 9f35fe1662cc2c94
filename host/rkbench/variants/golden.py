"""Goldens: the inputs and expected outputs that every variant is held against.

A user's golden is an .npz with members `inputs/NAME` and `outputs/NAME` (the folders may be missing), NCHW
or NHWC, with or without the batch axis. `prepare_golden` turns it into the board's form for one model:
inputs (N, *shape as fed; 4-D is NHWC), outputs (N, *shape as returned) as float32, in a local cache, one
case in memory at a time. How members are found and read is in `golden_match`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rkbench.errors import GoldenError
from rkbench.files import cache_folder
from rkbench.rknn import RknnModel, Tensor
from rkbench.variants.golden_file import (
    LABELS,
    METADATA,
    PICTURES,
    domain_of,
    is_of_classes,
    layout_of,
    members_of,
    metadata_of,
    read_metadata,
    sound_cases,
)
from rkbench.variants.golden_fit import NHWC, Kind, Wanted
from rkbench.variants.golden_match import Match, match
from rkbench.variants.golden_onnx import make_golden
from rkbench.variants.normalisation import Normalisation, normalisations
from rkbench.variants.npz import NpzReader, NpzWriter
from rkbench.variants.pictures import picture_text
from rkbench.variants.replay import find_replay

__all__ = [
    "PreparedGolden",
    "find_replay",
    "make_golden",
    "prepare",
    "prepare_golden",
    "read_metadata",
]

#: Changes whenever the board's form changes, so that an older cache is not taken for it.
FORM = "rkbench-golden-board/2"
CACHE_LIMIT_BYTES = 10_000_000_000


@dataclass(frozen=True)
class PreparedGolden:
    """A golden in the board's form. `notes` tell what was decided or converted on the way.

    `assumptions` are those of the notes that could be wrong. `classes`: the outputs are scores of classes.
    """

    path: Path
    cases: int
    notes: tuple[str, ...]
    assumptions: tuple[str, ...] = ()
    classes: bool = False


def prepare_golden(path: Path, model: RknnModel) -> Path:
    """Return the golden at `path` in the board's form for `model`; raises GoldenError."""
    return prepare(path, model).path


def prepare(path: Path, model: RknnModel, cache: Path | None = None) -> PreparedGolden:
    """Return the golden at `path` in the board's form for `model`, made now or found in the cache.

    Raises GoldenError, with both sides, when the file is no golden or does not fit, or holds what nothing can
    be held against: NaN in an input, or expected outputs without one number.
    """
    sides = f"golden {path} does not fit {model.file.path.name}"
    with NpzReader(path) as source:
        found = match(wanted_of(model), members_of(source), layout_of(source), sides=sides)
        found = with_normalisation(found, normalisations(model), domain_of(source))
        if pictures := picture_text(metadata_of(source).get(PICTURES)):
            found = replace(found, notes=(*found.notes, f"inputs are {pictures}"))
        classes = is_of_classes(source)
        if is_board_form(source, found):
            _check_sound(source, found)
            return PreparedGolden(path, found.cases, found.notes, found.assumptions, classes)
        folder = cache or cache_folder("goldens")
        target = folder / f"{_cache_key(path, found)}.npz"
        if not target.exists():
            make_folder(folder)
            write_golden(source, found, target)
            evict(folder, keep=target)
    os.utime(target)
    return PreparedGolden(target, found.cases, found.notes, found.assumptions, classes)


def wanted_of(model: RknnModel) -> list[Wanted]:
    """Return the inputs, then the outputs of a model; 4-D inputs are fed NHWC."""
    sides: tuple[tuple[Kind, tuple[Tensor, ...]], ...] = (
        ("inputs", model.inputs),
        ("outputs", model.outputs),
    )
    return [
        Wanted(
            kind,
            tensor.name,
            tensor.shape,
            tensor.dtype.lower(),
            kind == "inputs" and len(tensor.shape) == 4,
            tensor.step,
            tensor.zero_point[0] if tensor.zero_point else 0,
        )
        for kind, tensors in sides
        for tensor in tensors
    ]


def with_normalisation(found: Match, known: Mapping[str, Normalisation], domain: str) -> Match:
    """Return `found` with what must be done, or said, about inputs that the model normalises itself.

    Bytes can only be raw values; floats of unknown domain are assumed to be.
    """
    fits, notes, assumptions = [], list(found.notes), list(found.assumptions)
    for fit in found.fits:
        each = known.get(fit.wanted.name) if fit.wanted.kind == "inputs" else None
        turned_back = each is not None and domain == "onnx"
        fits.append(replace(fit, undo=each, dtype="float32") if turned_back else fit)
        if turned_back:
            notes.append(f"{fit.member.key}: the model normalises it ({each}); turned back to x * std + mean")
        elif each is not None:
            notes.append(f"{fit.member.key}: the model normalises it ({each}); taken as raw values")
            if fit.member.dtype.startswith("float"):
                assumptions.append(notes[-1])
    return replace(found, fits=tuple(fits), notes=tuple(notes), assumptions=tuple(assumptions))


def is_board_form(source: NpzReader, found: Match) -> bool:
    """Return whether the file needs no change: it is then pushed as it is, and not copied."""
    keys = {f"{fit.wanted.kind}/{fit.wanted.name}" for fit in found.fits}
    return set(source.headers) - {METADATA, LABELS} == keys and all(
        fit.member.key == f"{fit.wanted.kind}/{fit.wanted.name}"
        and fit.member.shape == (found.cases, *fit.wanted.final_shape)
        and source.headers[fit.member.key].dtype == np.dtype(fit.dtype)  # its order of bytes too
        and fit.permutation is None
        and fit.undo is None
        and not fit.dequantised
        and not source.headers[fit.member.key].fortran_order
        for fit in found.fits
    )


def _check_sound(source: NpzReader, found: Match) -> None:
    """Read through a golden that is pushed as it is."""
    for fit in found.fits:
        for _ in sound_cases(source, fit):
            pass


def write_golden(source: NpzReader, found: Match, target: Path) -> None:
    """Write the matched members of `source` to `target` in their final form, case by case.

    What the golden says of its own making goes along.
    """
    with NpzWriter(target) as writer:
        for fit in found.fits:
            dtype = np.dtype(fit.dtype)
            name = f"{fit.wanted.kind}/{fit.wanted.name}"
            writer.add(name, (found.cases, *fit.wanted.final_shape), dtype, sound_cases(source, fit))
        if origin := metadata_of(source):
            told = {**origin, "layout": NHWC, "inputs_domain": "board"}
            writer.add_text(METADATA, json.dumps(told))


def _cache_key(path: Path, found: Match) -> str:
    """Return a digest of the source's bytes and of all that is done to them."""
    digest = hashlib.sha256(FORM.encode())
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    for fit in found.fits:
        done = (
            fit.wanted.kind,
            fit.wanted.name,
            fit.wanted.final_shape,
            fit.member.key,
            fit.permutation,
            fit.dtype,
            (fit.wanted.scale, fit.wanted.zero_point) if fit.dequantised else None,
            fit.undo,
        )
        digest.update(repr((done, fit.cases)).encode())
    return digest.hexdigest()


def make_folder(folder: Path) -> None:
    """Make a folder of the cache; raises GoldenError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"no folder for prepared goldens: {folder}: {error.strerror}"
        raise GoldenError(text, hint="set XDG_CACHE_HOME to a folder that can be written") from error


def evict(folder: Path, keep: Path) -> None:
    """Delete the goldens unused for longest while the folder is over its limit."""
    entries = sorted(((entry.stat(), entry) for entry in folder.glob("*.npz")), key=lambda e: e[0].st_mtime)
    total = sum(stat.st_size for stat, _ in entries)
    for stat, entry in entries:
        if total <= CACHE_LIMIT_BYTES:
            return
        if entry != keep:
            entry.unlink()
            total -= stat.st_size
