"""How an array of a golden can be a tensor of a model: by shape, layout and kind of numbers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rkbench.errors import GoldenError
from rkbench.variants.normalisation import Normalisation

Shape = tuple[int, ...]
Kind = Literal["inputs", "outputs"]
NCHW, NHWC, PLAIN = "NCHW", "NHWC", ""
_TO_NHWC, _TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
#: What a runtime takes as an input; RKNNLite refuses float64 (facts of the wheel 2.5.0).
FED = frozenset(
    ("float32", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "bool")
)


@dataclass(frozen=True)
class Wanted:
    """A tensor of the model: `shape` is the model's own (NCHW), `nhwc` says that it is fed transposed.

    `scale` and `zero_point` are what it is quantized with in the file; None for one of floats, or of whole
    numbers that stand for themselves.
    """

    kind: Kind
    name: str
    shape: Shape
    dtype: str
    nhwc: bool = False
    scale: float | None = None
    zero_point: int = 0

    @property
    def final_shape(self) -> Shape:
        """Return the shape of one case as it is fed or returned."""
        return _permuted(self.shape, _TO_NHWC) if self.nhwc else self.shape


@dataclass(frozen=True)
class Member:
    """An array in the file; `kind` is None where its name has no folder."""

    key: str
    shape: Shape
    dtype: str

    @property
    def kind(self) -> Kind | None:
        """Return the folder in front of the name, if any."""
        if self.key.startswith("inputs/"):
            return "inputs"
        return "outputs" if self.key.startswith("outputs/") else None

    @property
    def name(self) -> str:
        """Return the name without its folder."""
        return self.key.split("/", 1)[1] if self.kind else self.key


@dataclass(frozen=True)
class Fit:
    """How a member becomes a tensor: cut into `cases`, reshaped, its axes permuted (None: as they are).

    `undo` is a normalisation of the model's that the golden's inputs have behind them already. `dequantised`:
    the golden's integers become the real numbers that the file's scale says they stand for.
    """

    wanted: Wanted
    member: Member
    cases: int
    layout: str
    source_shape: Shape
    permutation: tuple[int, ...] | None
    dtype: str
    undo: Normalisation | None = None
    dequantised: bool = False


def check_kind(tensor: Wanted, member: Member) -> None:
    """Raise GoldenError where an input of whole numbers, as indices are, would be fed fractions, where an
    output is complex, or is whole numbers of a quantization that the file does not have."""
    if member.dtype.startswith("complex"):
        raise GoldenError(f"{member.key} is {member.dtype}", hint="save its parts as two outputs")
    if _is_quantized(tensor, member) and tensor.scale is None:
        raise GoldenError(
            f"{member.key} is {member.dtype}, quantized as it seems; output {tensor.name!r} is {tensor.dtype}"
            " in the file, which tells no scale for it",
            hint="save the outputs as float32, as the ONNX yields them",
        )
    if _is_quantized(tensor, member) and member.dtype != tensor.dtype:
        raise GoldenError(
            f"{member.key} is {member.dtype}, quantized as it seems; output {tensor.name!r} is {tensor.dtype}"
            " in the file, whose scale and zero point are of that",
            hint="save the outputs as float32, as the ONNX yields them",
        )
    whole = tensor.dtype.startswith(("int16", "int32", "int64", "uint16", "uint32", "bool"))
    if tensor.kind == "inputs" and whole and tensor.scale is None and member.dtype.startswith("float"):
        what = f"input {tensor.name!r} is {tensor.dtype}"
        raise GoldenError(
            f"{member.key} is {member.dtype}, {what}", hint=f"save it as {tensor.dtype}: whole numbers"
        )


def fits_of(tensor: Wanted, member: Member) -> list[Fit]:
    """Return the ways in which `member` can be `tensor`; two only where their bytes would differ."""
    dtype = _fed_dtype(tensor, member.dtype)
    for count in (count_cases, count_cases_loosely):
        found = [
            Fit(
                tensor,
                member,
                cases,
                layout,
                shape,
                permutation,
                dtype,
                dequantised=_is_quantized(tensor, member),
            )
            for layout, shape, permutation in _layouts(tensor)
            if (cases := count(member.shape, shape))
        ]
        if found:
            break
    if len(found) == 2 and not _order_matters(tensor.shape):
        return [replace(found[0], layout=PLAIN)]
    return found


def _is_quantized(tensor: Wanted, member: Member) -> bool:
    """Return whether expected outputs are whole numbers that stand for real ones; no index is so short."""
    real = tensor.scale is not None or tensor.dtype.startswith(("float", "bfloat"))
    return tensor.kind == "outputs" and real and member.dtype in ("int8", "uint8", "int16", "uint16")


def _layouts(tensor: Wanted) -> list[tuple[str, Shape, tuple[int, ...] | None]]:
    if len(tensor.shape) != 4:
        return [(PLAIN, tensor.shape, None)]
    nhwc = _permuted(tensor.shape, _TO_NHWC)
    if tensor.nhwc:
        return [(NCHW, tensor.shape, _TO_NHWC), (NHWC, nhwc, None)]
    return [(NCHW, tensor.shape, None), (NHWC, nhwc, _TO_NCHW)]


def count_cases(shape: Shape, tensor: Shape) -> int:
    """Return how many cases of `tensor` an array of `shape` holds; 0 where it is none.

    Taken are (N, *tensor), (N * batch, *tensor without its batch), one case without the batch axis of 1.
    """
    if shape[1:] == tensor and shape:
        return shape[0]
    if tensor and len(shape) == len(tensor) and shape[1:] == tensor[1:] and shape[0] % tensor[0] == 0:
        return shape[0] // tensor[0]
    return 1 if tensor[:1] == (1,) and shape == tensor[1:] else 0


def count_cases_loosely(shape: Shape, tensor: Shape) -> int:
    """Return the cases of an array whose shape differs from (N, *tensor) only by axes of length 1."""
    return shape[0] if shape and _squeezed(shape[1:]) == _squeezed(tensor) else 0


def _fed_dtype(tensor: Wanted, dtype: str) -> str:
    """Return the dtype in the board's golden: outputs float32 as RKNNLite returns them, inputs as given.

    float64 and, for a model that computes in floats, 32- and 64-bit integers become float32.
    """
    if tensor.kind == "outputs":
        return "float32"
    is_float = tensor.dtype.startswith(("float", "int8", "uint8")) or tensor.scale is not None
    if dtype not in FED or (is_float and dtype in ("int32", "uint32", "int64")):
        return "float32"
    return dtype


def _order_matters(shape: Shape) -> bool:
    return shape[1] > 1 and shape[2] * shape[3] > 1


def _permuted(shape: Shape, axes: Sequence[int]) -> Shape:
    return tuple(shape[axis] for axis in axes) if len(shape) == len(axes) else shape


def _squeezed(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


def is_number(dtype: np.dtype[np.generic]) -> bool:
    """Say whether arrays of `dtype` hold numbers; complex ones are refused where they would be compared."""
    return dtype.kind in "fiubc"
