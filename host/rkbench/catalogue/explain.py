"""What a pasted log means: its known messages, what in it is harmless, and what was not understood. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rkbench.catalogue.facts import BoardState, state_in_log
from rkbench.catalogue.match import Diagnosis, diagnosis, harmless_in, is_known, match
from rkbench.catalogue.rows import Row

#: So many lines that were not understood are kept; the others are counted.
UNKNOWN_LIMIT = 20
#: What sounds like trouble, in any log ...
_TROUBLE = re.compile(
    r"^\W*[EF]\b[ /:]|\berror\b|\bfail(s|ed|ure)?\b|exception\b|\w+Error\b|panic|segfault|segmentation|abort"
    r"|not found|unsupport|not support|\binvalid\b|tim(ed|e) ?out|denied|can ?not\b",
    re.IGNORECASE,
)
#: ... but for information, and the frame around a message, which says by itself nothing, ...
_FRAME = re.compile(
    r"^\W*[ID] |^#|^\d\d-\d\d [\d:.]+ +\d+ +\d+ [IDV] "
    r"|Traceback \(most recent|^\W*(E )?(\w+: +)?File \"|Catch exception when|Init runtime environment failed"
    r"|\brknn_\w+ (fail|error)!?,? *(ret|code)|During handling of the above"
    r"|error code: RKNN_ERR_(FAIL|\w+_INVALID)|E RKNN: (\[[\d:.]+\] )?\d+, \d+$"
)
#: ... and what the kernel says of devices that are none of ours.
_KERNEL = re.compile(r"^(\S+ +\d+ [\d:]+ \S+ )?(kernel: ?)?\[ *\d+\.\d+\]|^\S+ \S+: \[ *\d+\.\d+\]| kernel: ")
_OURS = re.compile(r"npu|rknn|rk_iommu|\bcma\b|swiotlb|oom|out of memory|rocket", re.IGNORECASE)


@dataclass(frozen=True)
class Explanation:
    """What was found in `line_count` lines. `state` is what they tell of the board.

    `unknown` are the first lines that sound like trouble and that the catalogue does not know. `row` is
    what was asked for where it was a row.
    """

    line_count: int
    diagnoses: tuple[Diagnosis, ...]
    harmless_count: int
    unknown_count: int
    unknown: tuple[str, ...]
    state: BoardState
    row: Row | None = None


def explain(lines: Sequence[str]) -> Explanation:
    """Return what the lines of any log mean: of board, kernel, RKNNLite or converter."""
    harmless = harmless_in(lines)
    is_quiet = {line: harmless(line) for line in lines}
    unknown = [line.strip() for line in lines if not is_quiet[line] and _is_trouble(line)]
    told = list(dict.fromkeys(unknown))
    return Explanation(
        line_count=len(lines),
        diagnoses=tuple(match(lines)),
        harmless_count=sum(map(is_quiet.__getitem__, lines)),
        unknown_count=len(told),
        unknown=tuple(told[:UNKNOWN_LIMIT]),
        state=state_in_log(lines),
    )


def explain_row(row: Row) -> Explanation:
    """Return what a row of the catalogue says, on the lines that it was seen in."""
    state = state_in_log(row.example)
    line = next((line for line in row.example if row.pattern and row.pattern.search(line)), "")
    return Explanation(len(row.example), (diagnosis(row, line, state),), 0, 0, (), state, row)


def _is_trouble(line: str) -> bool:
    if not _TROUBLE.search(line) or _FRAME.search(line) or is_known(line):
        return False
    return not _KERNEL.search(line) or bool(_OURS.search(line))
