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
from dataclasses import dataclass

from rkbench.errors import GoldenError, UnfitGoldenError
from rkbench.variants.golden_fit import (
    NCHW,
    PLAIN,
    Fit,
    Member,
    Wanted,
    check_kind,
    fits_of,
)
from rkbench.variants.npz import GOLDEN, ArchiveWords

MODEL_WANTS = "the model wants:"


@dataclass(frozen=True)
class Match:
    """All fits, in the model's order, inputs first; `notes` say what had to be decided or was changed.

    `assumptions` are those notes that the file does not bear out: if wrong, the errors mean nothing.
    """

    fits: tuple[Fit, ...]
    cases: int
    notes: tuple[str, ...]
    assumptions: tuple[str, ...] = ()


def match(
    wanted: Sequence[Wanted],
    members: Sequence[Member],
    layout: str = "",
    *,
    sides: str = "",
    words: ArchiveWords = GOLDEN,
) -> Match:
    """Return how `members` become the `wanted` tensors; raises UnfitGoldenError with both sides.

    `layout` is what the file's metadata says of its 4-D arrays ("" says nothing), `sides` the words that
    name file and model in an error, `words` those for what the file is.
    """
    try:
        pairs, notes = _pair(wanted, members)
        fits, layout_notes = _settle(pairs, layout)
        cases = _common_cases(fits)
    except GoldenError as error:
        told = _both_sides(wanted, members, words)
        text = f"{sides}: {error.message}\n{told}" if sides else error.message
        raise UnfitGoldenError(text, hint=error.hint or _advice(wanted, words)) from error
    used = {fit.member.key for fit in fits}
    unused = [member.key for member in members if member.key not in used]
    assumptions = (*notes, *layout_notes)
    if unused:
        notes.append(f"not used: {', '.join(unused)}")
    notes += layout_notes + [
        f"{fit.member.key}: {fit.member.dtype} becomes {fit.dtype}{_by_scale(fit)}"
        for fit in fits
        if fit.dtype != fit.member.dtype
    ]
    return Match(tuple(fits), cases, tuple(notes), assumptions)


def _by_scale(fit: Fit) -> str:
    wanted = fit.wanted
    if not fit.dequantised:
        return ""
    return f", by the file's scale {wanted.scale:g} and zero point {wanted.zero_point}"


def _pair(
    wanted: Sequence[Wanted], members: Sequence[Member]
) -> tuple[list[tuple[Wanted, Member]], list[str]]:
    """Pair every tensor with a member: by name, then by shape."""
    pairs: dict[Wanted, Member] = {}
    for tensor in wanted:
        member = _by_name(tensor, members)
        if member is None:
            continue
        if not fits_of(tensor, member):
            what = f"{tensor.kind[:-1]} {tensor.name!r}"
            raise GoldenError(f"{member.key} {list(member.shape)} is no case of {what}")
        check_kind(tensor, member)
        pairs[tensor] = member
    notes = []
    taken = set(pairs.values())
    for tensor, member in _by_shape(
        [t for t in wanted if t not in pairs], [m for m in members if m not in taken]
    ):
        pairs[tensor] = member
        notes.append(f"{member.key} is taken for {tensor.kind[:-1]} {tensor.name!r}: the only one that fits")
    return [(tensor, pairs[tensor]) for tensor in wanted], notes


def _by_name(tensor: Wanted, members: Sequence[Member]) -> Member | None:
    named = {member.key: member for member in members}
    return named.get(f"{tensor.kind}/{tensor.name}") or named.get(tensor.name)


def _by_shape(wanted: Sequence[Wanted], members: Sequence[Member]) -> list[tuple[Wanted, Member]]:
    """Pair tensors with the one member that fits each; raises GoldenError where none or several do."""
    pairs = []
    for tensor in wanted:
        fitting = [m for m in members if m.kind in (None, tensor.kind) and fits_of(tensor, m)]
        for member in fitting:
            check_kind(tensor, member)
        if not fitting:
            raise GoldenError(f"nothing in it fits {tensor.kind[:-1]} {tensor.name!r}")
        rivals = [t for t in wanted if any(fits_of(t, m) and m.kind in (None, t.kind) for m in fitting)]
        if len(fitting) > 1 or len(rivals) > 1:
            names = ", ".join(member.key for member in fitting)
            text = f"no member is named {tensor.name!r}, and the shapes do not tell which it is ({names})"
            raise GoldenError(text, hint=f"name the member {tensor.kind}/{tensor.name}")
        pairs.append((tensor, fitting[0]))
    return pairs


def _settle(pairs: Sequence[tuple[Wanted, Member]], layout: str) -> tuple[list[Fit], list[str]]:
    """Choose one fit for each pair; what the rule had to decide is told."""
    choices = [fits_of(tensor, member) for tensor, member in pairs]
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


def _common_cases(fits: Sequence[Fit]) -> int:
    counts = {fit.cases for fit in fits}
    if len(counts) > 1:
        told = ", ".join(f"{fit.member.key} has {fit.cases}" for fit in fits)
        raise GoldenError(
            f"the numbers of cases differ: {told}", hint="every member needs the same first axis"
        )
    return counts.pop()


def _both_sides(wanted: Sequence[Wanted], members: Sequence[Member], words: ArchiveWords) -> str:
    model = [f"{t.kind[:-1]} {t.name} {list(t.shape)} {t.dtype}" for t in wanted]
    file = [f"{m.key} {list(m.shape)} {m.dtype}" for m in members] or ["no arrays"]
    return f"  {MODEL_WANTS} {'; '.join(model)}\n  {words.has:<{len(MODEL_WANTS)}} {'; '.join(file)}"


def _advice(wanted: Sequence[Wanted], words: ArchiveWords) -> str:
    first = wanted[0]
    shape = "x".join(str(size) for size in first.shape)
    forms = f"{shape} (NCHW) or NHWC" if len(first.shape) == 4 else shape
    saved = f"save N cases of {forms} as {first.kind}/{first.name}"
    return (
        f"{saved}, or make one of the model's own ONNX: bench golden MODEL.onnx" if words is GOLDEN else saved
    )
