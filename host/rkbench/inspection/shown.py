"""Which causes a reader is shown by default: those that matter for the file; the others are one line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from rkbench.inspection.answers import FourAnswers, what_to_change
from rkbench.inspection.causes import Cause
from rkbench.inspection.causes.cause import Verdict
from rkbench.inspection.document import FileInspection, Inspection
from rkbench.inspection.formatting import count, listing, percent
from rkbench.language.said import NOTHING, Said, say
from rkbench.units import format_bytes

NOTABLE_SHARE = 0.01
"""Of the file: a cause that owns less, and whose cure saves less, is one of the smaller ones."""


@dataclass(frozen=True)
class ShownCauses:
    """The causes of a file, the biggest first: those that are told, and those that are only counted."""

    told: tuple[Cause, ...]
    smaller: tuple[Cause, ...]
    rest: Said
    """The smaller ones in one line; "" where there are none."""


def shown_causes(inspection: Inspection, everything: bool = False) -> ShownCauses:
    """Return the causes that own a hundredth of the file or whose cure saves that, and the one that leads.

    The largest is told in any case, and all of them where `everything` is asked for.
    """
    size, causes = inspection.file.size_bytes if inspection.file else 0, inspection.causes
    is_told = [
        everything or number == 0 or cause.code == inspection.lead_cause or _matters(cause, size)
        for number, cause in enumerate(causes)
    ]
    told, smaller = (
        tuple(cause for cause, is_one in zip(causes, is_told, strict=True) if is_one is wanted)
        for wanted in (True, False)
    )
    return ShownCauses(told, smaller, _in_one_line(smaller, size) if smaller else NOTHING)


def _matters(cause: Cause, size_bytes: int) -> bool:
    saved = sum(fix.saved_bytes or 0 for fix in cause.fix)
    return max(cause.bytes, saved) >= NOTABLE_SHARE * size_bytes


def _in_one_line(smaller: Collection[Cause], size_bytes: int) -> Said:
    """Return how many causes are left out, what they own together, and what they are."""
    together = sum(cause.bytes for cause in smaller)
    return say(
        "{causes}, together {bytes} ({share}): {titles}",
        causes=count(len(smaller), "smaller cause"),
        bytes=format_bytes(together),
        share=percent(together / size_bytes),
        titles=listing([cause.title for cause in smaller]),
    )


def answers_of(inspection: FileInspection, told: Collection[Cause]) -> FourAnswers:
    """Return the four answers with what they say of the causes that are told, and of no other."""
    answers, onnx = inspection.answers, inspection.onnx
    if len(told) == len(inspection.causes):
        return answers
    codes = {cause.code for cause in told}
    named = zip(answers.why_this_big.causes, inspection.causes, strict=False)
    size = replace(answers.why_this_big, causes=tuple(line for line, cause in named if cause.code in codes))
    verdict: Verdict = "bloated" if inspection.lead_cause else "healthy"
    command, does = ("".join(onnx.fix), onnx.does) if onnx else ("", NOTHING)
    return replace(answers, why_this_big=size, what_to_change=what_to_change(verdict, told, command, does))
