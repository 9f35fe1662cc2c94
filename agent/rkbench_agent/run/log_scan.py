"""What the lines of a vendor's runtime say: failures that its API hides, doubts, and causes."""

from __future__ import annotations

import re
from typing import List, NamedTuple, Optional, Sequence, Tuple

from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.words import MISSING, OUT_OF_MEMORY

#: rknn_run failed, and RKNNLite returned stale outputs as if nothing had happened.
_RUN_FAILED = re.compile(
    r"\bE RKNN:.*(failed to submit|is not register|failed to wait|rknn_run)", re.IGNORECASE
)
#: Printed for every static model; means nothing.
_HARMLESS = re.compile(r"INPUT_DYNAMIC_RANGE|Query dynamic range failed")
_TELLING = (
    re.compile(r"^(?:\w+\.)*Exception: .+"),
    re.compile(r"^E RKNN: .+"),
    re.compile(r"^(?:\w+\.)*\w+Error: .+"),
    re.compile(r"^E .+"),
)


class LogCause(NamedTuple):
    """Why a run failed, in the words of the log: `reason` is a word of `wire.words.REASONS`, or None."""

    reason: Optional[str]
    line: Optional[str]
    advice: str


_CAUSES: Tuple[Tuple[str, Optional[str], str], ...] = (
    (
        r"errno: 12\b|Cannot allocate memory|failed to malloc|ERR_MALLOC_FAIL",
        OUT_OF_MEMORY,
        "the model does not fit: free memory, reserve more CMA, or make the model smaller",
    ),
    (
        r"Can not find dynamic library|librknnrt\.so: cannot open",
        MISSING,
        "put librknnrt.so of the toolkit's version into /usr/lib",
    ),
    (
        r"failed to open rknpu module|failed to open rknn device",
        MISSING,
        "no NPU driver or no permission: load rknpu, or add the user to the groups render and video",
    ),
    (
        r"Please specify the target in init_runtime",
        MISSING,
        "the SoC is not recognised: /proc/device-tree/compatible must be readable",
    ),
    (
        r"This rknn model is for|does not match the RKNPU hardware|check rknpu hardware version",
        None,
        "convert the model for this board's target_platform",
    ),
    (
        r"Invalid RKNN model version|support model version",
        None,
        "the model is newer than librknnrt: install librknnrt of the toolkit's version or later",
    ),
    (
        r"invalid RKNN_MAGIC|Invalid RKNN format|exportDataSize large|model is too small|Verify ModelBuffer",
        None,
        "the file is damaged or no RKNN model: look at it with bench inspect, and push it again",
    ),
    (
        r"Mismatch driver version",
        None,
        "update the board's kernel: its rknpu driver is too old for this librknnrt",
    ),
    (
        r"core_mask is only supported",
        None,
        "leave --cores away on this board",
    ),
    (
        r"failed to submit",
        None,
        "the NPU did not finish the job: update driver and toolkit, lower the NPU clock, look at dmesg",
    ),
)
_CAVEATS: Tuple[Tuple[str, str, str, str], ...] = (
    (
        r"fallback (?:to )?single core",
        "single_core_fallback",
        "the runtime fell back to a single NPU core",
        "measure with --cores 0, or convert the model again for several cores",
    ),
    (
        r"has only two NPU cores.*replaced",
        "core_mask_replaced",
        "the runtime replaced the core mask",
        "name the cores that this SoC has",
    ),
    (
        r"not match with rknn runtime version",
        "runtime_version_mismatch",
        "the model's toolkit and librknnrt differ in version",
        "install librknnrt of the toolkit's version",
    ),
    (
        r"recommend to upgrade the driver",
        "driver_old",
        "librknnrt recommends a newer rknpu driver",
        "update the board's kernel",
    ),
)


def find_run_failure(lines: Sequence[str]) -> Optional[str]:
    """Return the first line that tells of a failed rknn_run, or None."""
    for line in lines:
        if _RUN_FAILED.search(line) and not _HARMLESS.search(line):
            return line
    return None


def find_caveats(lines: Sequence[str]) -> List[Caveat]:
    """Return the doubts that the lines raise, each once."""
    found = []
    for pattern, code, message, advice in _CAVEATS:
        if any(re.search(pattern, line) for line in lines):
            found.append(caveat(code, message, advice))
    return found


def find_cause(lines: Sequence[str]) -> LogCause:
    """Return what the lines say of why it failed."""
    spoken = [line for line in lines if not _HARMLESS.search(line)]
    for pattern, reason, advice in _CAUSES:
        for line in spoken:
            if re.search(pattern, line):
                return LogCause(reason, line.strip(), advice)
    for telling in _TELLING:
        for line in reversed(spoken):
            if telling.search(line.strip()):
                return LogCause(None, line.strip(), "")
    return LogCause(None, None, "")
