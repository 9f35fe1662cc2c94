"""Which member of a golden is which tensor of a model, and how its bytes must be turned: pure.

The rules, in order, for each tensor of the model:
1. a member of the tensor's name, in the folder `inputs/` or `outputs/`, then without a folder;
2. among what is left: the member that alone fits the tensor's shape, where the counts agree.
A member fits with or without the batch axis, with the case axis or as one case, and 4-D in NCHW or NHWC.
Where both layouts fit and would give different bytes (C = H = W): what the file's metadata says, else the
layout of the file's other tensors, else NCHW; the choice is among the notes.
"""

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
    """A tensor of the model: `shape` is the model's own (NCHW), `nhwc` says that it is fed transposed."""

    kind: Kind
    name: str
    shape: Shape
    dtype: str
    nhwc: bool = False

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

    `undo` is a normalisation of the model's that the golden's inputs have behind them already.
    """

    wanted: Wanted
    member: Member
    cases: int
    layout: str
    source_shape: Shape
    permutation: tuple[int, ...] | None
    dtype: str
    undo: Normalisation | None = None


@dataclass(frozen=True)
class Match:
    """All fits, in the model's order, inputs first; `notes` say what had to be decided or was changed.

    `assumptions` are those notes that the file does not bear out: if wrong, the errors mean nothing.
    """

    fits: tuple[Fit, ...]
    cases: int
    notes: tuple[str, ...]
    assumptions: tuple[str, ...] = ()


def match(wanted: Sequence[Wanted], members: Sequence[Member], layout: str = "", *, sides: str = "") -> Match:
    """Return how `members` become the `wanted` tensors; raises GoldenError with both sides.

    `layout` is what the file's metadata says of its 4-D arrays ("" says nothing), `sides` the words that
    name file and model in an error.
    """
    try:
        pairs, notes = _pair(wanted, members)
        fits, layout_notes = _settle(pairs, layout)
        cases = _common_cases(fits)
    except GoldenError as error:
        text = f"{sides}: {error.message}\n{_both_sides(wanted, members)}" if sides else error.message
        raise GoldenError(text, hint=error.hint or _advice(wanted)) from error
    used = {fit.member.key for fit in fits}
    unused = [member.key for member in members if member.key not in used]
    assumptions = (*notes, *layout_notes)
    if unused:
        notes.append(f"not used: {', '.join(unused)}")
    notes += layout_notes + [
        f"{fit.member.key}: {fit.member.dtype} becomes {fit.dtype}"
        for fit in fits
        if fit.dtype != fit.member.dtype
    ]
    return Match(tuple(fits), cases, tuple(notes), assumptions)


def _pair(
    wanted: Sequence[Wanted], members: Sequence[Member]
) -> tuple[list[tuple[Wanted, Member]], list[str]]:
    """Pair every tensor with a member: by name, then by shape."""
    pairs: dict[Wanted, Member] = {}
    for tensor in wanted:
        member = _by_name(tensor, members)
        if member is None:
            continue
        if not _fits(tensor, member):
            what = f"{tensor.kind[:-1]} {tensor.name!r}"
            raise GoldenError(f"{member.key} {list(member.shape)} is no case of {what}")
        _check_kind(tensor, member)
        pairs[tensor] = member
    notes = []
    taken = set(pairs.values())
    for tensor, member in _by_shape(
        [t for t in wanted if t not in pairs], [m for m in members if m not in taken]
    ):
        pairs[tensor] = member
        notes.append(f"{member.key} is taken for {tensor.kind[:-1]} {tensor.name!r}: the only one that fits")
    return [(tensor, pairs[tensor]) for tensor in wanted], notes


def _check_kind(tensor: Wanted, member: Member) -> None:
    """Raise GoldenError where an input of whole numbers, as indices are, would be fed fractions."""
    whole = tensor.dtype.startswith(("int16", "int32", "int64", "uint16", "uint32", "bool"))
    if tensor.kind == "inputs" and whole and member.dtype.startswith("float"):
        what = f"input {tensor.name!r} is {tensor.dtype}"
        raise GoldenError(
            f"{member.key} is {member.dtype}, {what}", hint=f"save it as {tensor.dtype}: whole numbers"
        )


def _by_name(tensor: Wanted, members: Sequence[Member]) -> Member | None:
    named = {member.key: member for member in members}
    return named.get(f"{tensor.kind}/{tensor.name}") or named.get(tensor.name)


def _by_shape(wanted: Sequence[Wanted], members: Sequence[Member]) -> list[tuple[Wanted, Member]]:
    """Pair tensors with the one member that fits each; raises GoldenError where none or several do."""
    pairs = []
    for tensor in wanted:
        fitting = [m for m in members if m.kind in (None, tensor.kind) and _fits(tensor, m)]
        if not fitting:
            raise GoldenError(f"nothing in it fits {tensor.kind[:-1]} {tensor.name!r}")
        rivals = [t for t in wanted if any(_fits(t, m) and m.kind in (None, t.kind) for m in fitting)]
        if len(fitting) > 1 or len(rivals) > 1:
            names = ", ".join(member.key for member in fitting)
            text = f"no member is named {tensor.name!r}, and the shapes do not tell which it is ({names})"
            raise GoldenError(text, hint=f"name the member {tensor.kind}/{tensor.name}")
        pairs.append((tensor, fitting[0]))
    return pairs


def _settle(pairs: Sequence[tuple[Wanted, Member]], layout: str) -> tuple[list[Fit], list[str]]:
    """Choose one fit for each pair; what the rule had to decide is told."""
    choices = [_fits(tensor, member) for tensor, member in pairs]
    clear = {fits[0].layout for fits in choices if len(fits) == 1} - {PLAIN}
    settled, notes = [], []
    for fits in choices:
        fit, reason = _choose(fits, layout, clear)
        settled.append(fit)
        if reason:
            notes.append(f"{fit.member.key}: NCHW and NHWC both fit; taken as {fit.layout}, {reason}")
    return settled, notes


def _choose(fits: list[Fit], layout: str, clear: set[str]) -> tuple[Fit, str]:
    if len(fits) == 1:
        return fits[0], ""
    by_layout = {fit.layout: fit for fit in fits}
    if layout in by_layout:
        return by_layout[layout], ""
    if len(clear) == 1 and (only := next(iter(clear))) in by_layout:
        return by_layout[only], "like the file's other tensors"
    return by_layout[NCHW], "the model's own layout"


def _fits(tensor: Wanted, member: Member) -> list[Fit]:
    """Return the ways in which `member` can be `tensor`; two only where their bytes would differ."""
    dtype = _fed_dtype(tensor, member.dtype)
    for count in (count_cases, count_cases_loosely):
        found = [
            Fit(tensor, member, cases, layout, shape, permutation, dtype)
            for layout, shape, permutation in _layouts(tensor)
            if (cases := count(member.shape, shape))
        ]
        if found:
            break
    if len(found) == 2 and not _order_matters(tensor.shape):
        return [replace(found[0], layout=PLAIN)]
    return found


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
    is_float = tensor.dtype.startswith(("float", "int8", "uint8"))
    if dtype not in FED or (is_float and dtype in ("int32", "uint32", "int64")):
        return "float32"
    return dtype


def _common_cases(fits: Sequence[Fit]) -> int:
    counts = {fit.cases for fit in fits}
    if len(counts) > 1:
        told = ", ".join(f"{fit.member.key} has {fit.cases}" for fit in fits)
        raise GoldenError(
            f"the numbers of cases differ: {told}", hint="every member needs the same first axis"
        )
    return counts.pop()


def _order_matters(shape: Shape) -> bool:
    return shape[1] > 1 and shape[2] * shape[3] > 1


def _permuted(shape: Shape, axes: Sequence[int]) -> Shape:
    return tuple(shape[axis] for axis in axes) if len(shape) == len(axes) else shape


def _squeezed(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


def _both_sides(wanted: Sequence[Wanted], members: Sequence[Member]) -> str:
    model = [f"{t.kind[:-1]} {t.name} {list(t.shape)} {t.dtype}" for t in wanted]
    file = [f"{m.key} {list(m.shape)} {m.dtype}" for m in members] or ["no arrays"]
    return f"  the model wants: {'; '.join(model)}\n  the golden has:  {'; '.join(file)}"


def _advice(wanted: Sequence[Wanted]) -> str:
    first = wanted[0]
    shape = "x".join(str(size) for size in first.shape)
    forms = f"{shape} (NCHW) or NHWC" if len(first.shape) == 4 else shape
    saved = f"save N cases of {forms} as {first.kind}/{first.name}"
    return f"{saved}, or make one of the model's own ONNX: bench golden MODEL.onnx"


def is_number(dtype: np.dtype[np.generic]) -> bool:
    """Say whether arrays of `dtype` can be fed or compared."""
    return dtype.kind in "fiub"
