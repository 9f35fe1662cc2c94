"""What a pasted log means: its known messages, what in it is harmless, and what was not understood. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rkbench.catalogue.facts import BoardState, state_in_log
from rkbench.catalogue.log_search import SearchedLog, searchable
from rkbench.catalogue.match import Diagnosis, diagnoses_of, diagnosis, harmless_in, known_in
from rkbench.catalogue.rows import Row

#: So many lines that were not understood are kept; the others are counted.
UNKNOWN_LIMIT = 20
#: What sounds like trouble, in any log: its level, or its words ...
_LEVEL = re.compile(r"\W*[EF]\b[ /:]", re.IGNORECASE)
_TROUBLE = re.compile(
    r"error\b|\bfail(s|ed|ure)?\b|exception\b|panic|segfault|segmentation|abort"
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
    log = searchable(lines)
    harmless = harmless_in(log)
    unknown = _not_understood(log, harmless)
    return Explanation(
        line_count=len(lines),
        diagnoses=tuple(diagnoses_of(log)),
        harmless_count=sum(line in harmless for line in lines),
        unknown_count=len(unknown),
        unknown=unknown[:UNKNOWN_LIMIT],
        state=state_in_log(log),
    )


def explain_row(row: Row) -> Explanation:
    """Return what a row of the catalogue says, on the lines that it was seen in."""
    state = state_in_log(searchable(row.example))
    line = next((line for line in row.example if row.pattern and row.pattern.search(line)), "")
    return Explanation(len(row.example), (diagnosis(row, line, state),), 0, 0, (), state, row)


def _not_understood(log: SearchedLog, harmless: frozenset[str]) -> tuple[str, ...]:
    """Return what sounds like trouble and is neither harmless nor known, each text once."""
    worded = set(log.matching(_TROUBLE))
    told = [line for line in log.lines if line in worded or _LEVEL.match(line)]
    known = known_in(log) | harmless
    return tuple(dict.fromkeys(line.strip() for line in told if line not in known and _is_ours(line)))


def _is_ours(line: str) -> bool:
    if _FRAME.search(line):
        return False
    return not _KERNEL.search(line) or bool(_OURS.search(line))
