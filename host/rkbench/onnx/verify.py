"""Proof that a rewritten ONNX computes what the original did: onnxruntime runs both on the same inputs."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from rkbench.errors import ModelError, UsageError
from rkbench.language.said import Said, say
from rkbench.onnx import parts
from rkbench.onnx.runtime import Arrays, begin, run

TOLERANCE = 1e-3
SEED = 20240607
NUDGE = 1e-7
"""What inputs are changed by, relative, to see what the original itself makes of rounding."""
MANY_PARTS = 10
"""Rounding enters at every part, a change of the inputs once."""

# Three kinds of numbers that networks are fed: normalised images, images of 0 to 1, raw images of 0 to 255.
RANGES: dict[Said, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    say("normal, mean 0, deviation 1"): lambda random, shape: random.standard_normal(shape),
    say("uniform, 0 to 1"): lambda random, shape: random.random(shape),
    say("uniform, 0 to 255"): lambda random, shape: random.random(shape) * 255,
}
DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}


@dataclass(frozen=True)
class PartsProof:
    """What was found where the outputs differ: is it a fault of a part, or rounding that the network
    magnifies?"""

    relative_difference: float
    """Of the worst of the changed parts alone, on the values that reach it in the original; infinite where
    a part is wrong."""
    tolerance: float
    own_difference: float
    """How far the outputs of the original move where its inputs change by `nudge`."""
    nudge: float

    def explains(self, difference: float) -> bool:
        """Return whether a difference of the outputs is rounding that has grown on its way.

        Every part has to compute the same, and the original to make as much of a change of that size: where
        a map holds numbers of 1e9, as masks of attention do, a fault of its others is small beside them.
        """
        grown = self.own_difference * max(self.relative_difference, self.nudge) / self.nudge
        return self.relative_difference < self.tolerance and difference <= MANY_PARTS * grown


@dataclass(frozen=True)
class Verification:
    """How far the rewritten network is from the original, at most, over all cases and outputs."""

    relative_difference: float
    """Largest absolute difference of an output tensor over that tensor's largest absolute value."""
    tolerance: float
    seed: int
    cases: tuple[Said, ...]
    """What was fed, in words."""
    parts: PartsProof | None = None
    """Where the outputs differ by more than the tolerance."""

    @property
    def is_equal(self) -> bool:
        """Whether the difference stays below the tolerance (infinite if NaN or shapes differ), or is
        rounding that the network magnifies."""
        by_parts = self.parts is not None and self.parts.explains(self.relative_difference)
        return self.relative_difference < self.tolerance or by_parts

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "is_equal": self.is_equal}


def verify(original: Path, rewritten: Path, inputs: Path | None = None) -> Verification:
    """Run both networks on seeded random inputs of three ranges, and on the cases of an `inputs` .npz.

    Where an output differs, the changed parts are run alone. Raises CannotRunError where onnxruntime cannot
    run one of them, UsageError for inputs that do not fit.
    """
    first, second = begin(original), begin(rewritten)
    worst, told, cases = 0.0, [], []
    for description, feeds in _cases(second, inputs):  # which may have sizes that the first leaves open
        difference = _difference(run(first, feeds, original), run(second, feeds, rewritten))
        worst = max(worst, difference)
        told.append(description)
        cases.append(feeds)
    differs = TOLERANCE <= worst < float("inf")
    proof = _prove_parts(first, (original, rewritten), cases) if differs else None
    return Verification(worst, TOLERANCE, SEED, tuple(told), proof)


def _prove_parts(first: Any, paths: tuple[Path, Path], cases: list[Arrays]) -> PartsProof:
    """Run the changed parts alone, and the original with inputs that are changed a little."""
    original, rewritten = paths
    alone = parts.part_difference(original, rewritten, cases, _difference)
    own = max(
        _difference(run(first, feeds, original), run(first, _nudged(feeds), original)) for feeds in cases
    )
    return PartsProof(alone, parts.TOLERANCE, own, NUDGE)


def _nudged(feeds: Arrays) -> Arrays:
    """Return inputs that are changed by the rounding of a float, where they are no whole numbers."""
    random = np.random.default_rng(SEED)
    return {
        name: (array * (1 + NUDGE * random.standard_normal(array.shape))).astype(array.dtype)
        if array.dtype.kind == "f"
        else array
        for name, array in feeds.items()
    }


def _cases(session: Any, inputs: Path | None) -> Iterator[tuple[Said, Arrays]]:
    random = np.random.default_rng(SEED)
    wanted = {value.name: (_shape(value.shape), DTYPES.get(value.type)) for value in session.get_inputs()}
    for name, (_, dtype) in wanted.items():
        if dtype is None:
            raise ModelError(
                f"input {name} is of a type that random numbers cannot fill", hint="use another model"
            )
    for description, draw in RANGES.items():
        yield (
            description,
            {name: _cast(draw(random, shape), dtype) for name, (shape, dtype) in wanted.items()},
        )
    if inputs is not None:
        cases = _read_cases(inputs, {name: shape for name, (shape, _) in wanted.items()})
        for number, case in enumerate(cases):
            yield (
                say("{name}, case {number}", name=inputs.name, number=number),
                {name: _cast(case[name], wanted[name][1]) for name in wanted},
            )


def _cast(array: np.ndarray, dtype: str | None) -> np.ndarray:
    """Bring random or given numbers to the input's type; a bool is what is positive."""
    made = array > 0 if dtype == "bool" else array.astype(dtype or "float32")
    return np.asarray(made)  # a comparison of one number alone makes no array


def _shape(dims: list[int | str | None]) -> tuple[int, ...]:
    return tuple(dim if isinstance(dim, int) and dim > 0 else 1 for dim in dims)


def _read_cases(path: Path, shapes: dict[str, tuple[int, ...]]) -> list[Arrays]:
    """Return the cases of an .npz with members `NAME` or `inputs/NAME`: one case, or (cases, *shape)."""
    hint = "--inputs takes an .npz that numpy.savez wrote"
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise UsageError(f"{path} is no regular file", hint=hint)
    try:
        with path.open("rb") as stream:  # numpy leaves a file open that turns out to be no archive
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise UsageError(f"{path} is a single array (.npy)", hint=hint)
            members = {name.removeprefix("inputs/"): archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise UsageError(f"{path}: {error}", hint=hint) from error
    missing = sorted(set(shapes) - set(members))
    if missing:
        found = ", ".join(members) or "nothing"
        raise UsageError(f"{path} has no member {missing[0]!r}; it has {found}", hint="name it as the input")
    stacks = {name: _stack(members[name], shape, name, path) for name, shape in shapes.items()}
    count = min(len(stack) for stack in stacks.values())
    return [{name: stack[number] for name, stack in stacks.items()} for number in range(count)]


def _stack(array: np.ndarray, shape: tuple[int, ...], name: str, path: Path) -> np.ndarray:
    """Return (cases, *shape): given so, or one case, or without the batch axis, or NHWC for a 4-D input."""
    if array.shape == shape:
        return array[np.newaxis]
    if array.shape[1:] == shape:
        return array
    if shape[:1] == (1,) and array.shape[1:] == shape[1:]:
        return array[:, np.newaxis]
    if len(shape) == 4 and array.shape[1:] == (shape[0], *shape[2:], shape[1]):
        return np.moveaxis(array, -1, 2)
    raise UsageError(f"{path}: {name} is {array.shape}, the model wants {shape}", hint="(cases, *shape) fits")


def _difference(expected: list[np.ndarray], found: list[np.ndarray]) -> float:
    """Return the largest relative difference; infinite where shapes or NaNs differ."""
    worst = 0.0
    for one, other in zip(expected, found, strict=True):
        if one.shape != other.shape or one.dtype.kind not in "fiub":
            return float("inf")
        a, b = one.astype("float64"), other.astype("float64")
        if not np.array_equal(np.isfinite(a), np.isfinite(b)):
            return float("inf")
        a, b = np.nan_to_num(a, posinf=0, neginf=0), np.nan_to_num(b, posinf=0, neginf=0)
        scale = float(np.max(np.abs(a), initial=0.0))
        gap = float(np.max(np.abs(a - b), initial=0.0))
        worst = max(worst, gap / scale if scale else (float("inf") if gap else 0.0))
    return worst
